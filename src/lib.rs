//! A garbage-collected heap for language VMs, in safe Rust: NaN-boxed values,
//! generational handles, one linear memory for each kind of object.
//!
//! ```
//! use segheap::{Cell, Error, Heap, List, Map};
//!
//! let mut heap = Heap::new();
//! let list = heap.alloc(List::of(&[1.into(), 2.5.into(), Cell::TRUE]))?;
//! let name = heap.string("a longer text")?;
//! heap.get_mut(list)?.push(name)?;
//! let map = heap.alloc(Map::new())?;
//! heap.get_mut(map)?.insert(name, list.into())?;
//! let shown = heap.display(map).to_string();
//! assert_eq!(shown, r#"{"a longer text": [1, 2.5, true, "a longer text"]}"#);
//!
//! heap.collect([map])?; // mark-sweep: the map is a root and reaches the list
//! assert!(heap.contains(list));
//! heap.free(list)?;
//! assert!(matches!(heap.get(list), Err(Error::Stale { .. })));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Concepts
//!
//! - **NaN-boxing.** A value is a [`Cell`] of 8 bytes: a double, or in the space of its
//!   NaNs an integer of 48 bits, a boolean, null, a text of up to 5 bytes, or a handle.
//! - **Generational handle** (generational index). A reference is not an address but a
//!   kind, a slot index and a generation of 12 bits. A slot changes its generation when
//!   its object is freed, so handles of freed objects are detected: they are *stale*. A
//!   slot that has used all its generations is *retired*, and not used again until
//!   [`Heap::collect_and_recycle`] finds no cell that refers to it.
//! - **Arena.** Each kind of object has an arena: a table of slots of 16 bytes, and one
//!   **linear memory** with the semantics of WebAssembly 3.0 ([`memory`]) for the
//!   elements. Blocks come from segregated free lists by size class, or from the top of
//!   the memory (bump allocation).
//! - **Collection.** The collector is a non-moving mark-sweep collector. [`Heap::collect`]
//!   collects the whole heap at once, [`Heap::collect_young`] the objects allocated since
//!   the last collection (**generational**), [`Heap::step`] a bit at a time
//!   (**incremental**); [`Heap::collect_debt`] chooses. The **write barrier** that the
//!   latter need is part of every write. **Roots** are explicit: the cells that the VM
//!   passes, and pinned objects. Every other handle is a **weak reference**.
//!   **Compaction** closes gaps between blocks; handles stay valid.
//! - **Region.** Closing a region frees the objects that were allocated while it was
//!   open, for example in a frame of the VM.
//! - **Isolate.** Heaps share nothing. A VM that runs untrusted programs gives each of
//!   them a heap with [`Limits`].
//!
//! # A tour of the types
//!
//! In the order in which a VM meets them:
//!
//! 1. A [`Cell`] is the value of a register. It is `Copy` and borrows nothing.
//!    [`Cell::unpack`] returns the [`Unpacked`] enum to `match` on; [`ShortStr`] is a
//!    text inside of a cell.
//! 2. A [`Handle<K>`] is a cell whose kind is known to the compiler. Operations take
//!    either ([`AsHandle`]), at the same cost.
//! 3. A [`Heap`] owns all objects. [`Settings`] set its seeds and [`Limits`];
//!    [`Heap::usage`] returns its counts and bytes ([`Usage`], [`ArenaUsage`]).
//! 4. A **kind** is a type: [`Str`], [`List`], [`Map`], [`Set`], [`Struct`],
//!    [`Closure`], [`Bignum`], [`Bytes`], [`Pair`], [`F64Arr`], [`I64Arr`], [`U8Arr`].
//!    Its constructors ([`List::of`], [`Map::new`], …) describe an object, and
//!    [`Heap::alloc`] allocates it. [`Kind`] is a kind as a value.
//! 5. [`View`] and [`ViewMut`] are short-lived borrows of one object, returned by
//!    [`Heap::get`] and [`Heap::get_mut`]. They have the operations of its kind, and
//!    those of its traits: [`Sequence`], [`Mutable`], [`Growable`]. A [`Cursor`]
//!    iterates without a borrow.
//!    For one element or entry, [`Heap::element`], [`Heap::set_element`],
//!    [`Heap::update_element`], [`Heap::map_get`] and [`Heap::map_insert`] need no view:
//!    an instruction of a VM costs the least this way. [`Heap::map_get_with`] takes an
//!    inline cache, a [`KeyHint`]; [`Heap::field`] and [`Heap::set_field`] take the shape of
//!    one.
//! 6. The heap has the operations on values of more than one form: text
//!    ([`Heap::string`], [`Heap::text`], [`Heap::concat`]), integers ([`Heap::int`],
//!    [`Heap::as_int`], [`Heap::add`], …), equality ([`Heap::key_eq`],
//!    [`Heap::deep_eq`]), and output ([`Heap::display`]).
//! 7. To check once and access often: [`Heap::window`], [`Heap::windows_mut`],
//!    [`RangeHint`]. Bulk copies convert between kinds: [`Heap::copy_across`],
//!    [`Heap::append_across`], [`Heap::convert_across`].
//! 8. Objects are freed by [`Heap::free`], by [`Heap::close_region`], or by
//!    [`Heap::collect`]; [`Heap::should_collect`] and [`Policy`] decide when. For short
//!    pauses, [`Heap::has_debt`] and [`Heap::collect_debt`] take the place of these two; a
//!    [`Step`] is what was done. [`Heap::compact`] gives memory back, [`Heap::compact_step`]
//!    a bit at a time.
//!    [`Heap::pin`] adds a root, [`Heap::upgrade`] tests a weak reference,
//!    [`TableInit::weak`] makes a map or set whose entries are held by their keys
//!    (ephemerons), and [`Heap::watch`] reports freed objects. Finalizers that see their
//!    object use [`Heap::collect_with`] and the like.
//!    [`Heap::host`] gives an object a value of the host, such as a file, which is dropped
//!    after the object.
//! 9. [`Heap::seal`] returns a cell that can be passed on but not used;
//!    [`Heap::transplant`] copies an object graph from another heap, [`Heap::try_clone`] a
//!    whole heap with its handles; a hook copies values of host objects ([`HostCopy`]).
//!    `Heap::save` stores it as an image for `Heap::load`. [`Heap::intern`] returns one cell
//!    for each text. [`Heap::freeze`] ends all changes of an object; [`Heap::alloc_value`] allocates one that is a key by its content, and
//!    [`Heap::map_insert_by`] takes hashes of the VM's own.
//! 10. [`Heap::objects`], [`Heap::edges`], [`Heap::path_from_roots`],
//!     [`Heap::retained_size`], [`Heap::dump`], [`Heap::graphviz`] and [`Heap::verify`]
//!     inspect a heap, and [`Heap::write_heap_snapshot`] writes it for the DevTools of
//!     Chrome; [`abi`] exposes its layouts to JIT compilers.
//!
//! # Errors
//!
//! Operations that can fail return a `Result` with an [`Error`], a `Copy` enum of up to
//! 16 bytes. An operation that fails leaves all objects unchanged. No input makes the
//! crate panic or recurse; out-of-memory is an error, too.
//!
//! # Cost
//!
//! Opening an object is O(1): a load of its slot, one comparison, which checks kind,
//! generation and liveness, and a check of bounds. Allocating and freeing are amortised
//! O(1) besides writing the elements. [`Heap::collect`] is O(n) for n slots, live objects
//! and cells in them, while the VM waits; a step is O(work asked for), except where
//! [`Heap::step`] says more. An object takes a slot of 16 bytes and a block of
//! whole words of 8 bytes.
//!
//! # Features
//!
//! | Feature | Default | Effect |
//! |---|---|---|
//! | `std` | yes | Random seeds ([`Heap::new`], [`Settings::random`]); detection of CPU features at run time. |
//! | `bigint` | yes | Faster products, quotients and decimal text of integers of thousands of bits, by `num-bigint`. Without it, results are the same, and take O(n^2). |
//! | `simd` | yes | Loops compiled for several instruction sets; UTF-8 validation by SIMD. |
//! | `getrandom` | no | `Settings::try_random`: random seeds without `std`, and on wasm32-unknown-unknown. |
//! | `proptest` | no | `testing`: strategies for property tests of a VM, and a check of what an instruction writes. |
//!
//! The crate needs Rust 1.88, `alloc`, and a little-endian target of 32 or 64 bits.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![no_std]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation))]

/// Runs the examples of the README as tests.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(target_endian = "big")]
compile_error!(
    "segheap lays typed slices over little-endian memory; big-endian targets are not supported"
);

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// The layers, from the lowest to the highest; each uses those above it in this list.
// Blank lines keep rustfmt from sorting them.
mod words;

mod arena;

mod object;

mod kinds;

mod heap;

mod ops;

mod life;

pub mod abi;

#[cfg(feature = "proptest")]
pub mod testing;

pub use bstr;

pub use arena::memory;
pub use heap::{CollectorStats, Heap, Settings, SiteCount, SiteUsage, Usage};
pub use kinds::*;
pub use life::{
    AllocationProfile, Collected, CompactStep, Dump, Fault, HostCopy, LoadError, LoadTimes,
    MarkReader, Refused, Region, RootPath, SaveError, SealKey, SnapshotNames, SnapshotTotals, Step,
};
pub use object::{
    Cursor, Growable, Mutable, Number, Object, ObjectInit, Sequence, SequenceInit, TableInit,
    ValueArray, View, ViewMut,
};
pub use ops::{
    ConvertTo, CopyTo, DisplayStyle, DisplayValue, KeyHint, PlainStyle, RangeHint, Text, TextPart,
    WindowTarget, WindowTargets,
};
pub use words::{
    ArenaUsage, AsHandle, Cell, Collection, Error, Event, EventKind, Handle, HasKind, Kind, Limits,
    Policy, Resource, ShortStr, Unpacked,
};
