//! A heap for language VMs in safe Rust: NaN-boxed values of 8 bytes, generational
//! handles, and one linear memory for each kind of object.
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
//! heap.free(list)?;
//! assert!(matches!(heap.get(list), Err(Error::Stale { .. })));
//! # Ok::<(), Error>(())
//! ```
//!
//! # A tour of the types
//!
//! In the order in which a VM meets them:
//!
//! 1. A [`Cell`] is what a register holds: a float, an integer of 48 bits, a bool,
//!    null, a text of up to 5 bytes, or a handle. It is `Copy`, 8 bytes, and borrows
//!    nothing. [`Cell::unpack`] gives the [`Unpacked`] enum to `match` on.
//! 2. A [`Handle<K>`] is a cell whose kind the type system knows. Operations take
//!    either of them ([`AsHandle`]); the cost is the same.
//! 3. A [`Heap`] owns all objects. [`Settings`] give it seeds and [`Limits`],
//!    [`Heap::usage`] tells what it holds ([`Usage`]).
//! 4. A **kind** is a type: [`Str`], [`List`], [`Map`], [`Set`], [`Struct`],
//!    [`Closure`], [`Bignum`], [`Bytes`], [`Pair`], [`F64Arr`], [`I64Arr`],
//!    [`U8Arr`]. Its constructors (`List::of`, `Map::new`, …) describe an object,
//!    [`Heap::alloc`] allocates it. [`Kind`] is the same at run time.
//! 5. [`View`] and [`ViewMut`] are short-lived borrows of one object, from
//!    [`Heap::get`] and [`Heap::get_mut`]. What can be done with an object is there,
//!    under its kind. A [`Cursor`] is an iteration that borrows nothing.
//! 6. Values that have more than one form are read and made by the heap:
//!    [`Heap::string`] and [`Heap::text`] ([`Text`], [`TextPart`]), [`Heap::int`] and
//!    [`Heap::as_int`], [`Heap::add`] and the rest of arithmetic, [`Heap::key_eq`],
//!    [`Heap::deep_eq`], [`Heap::display`].
//! 7. One check can serve many accesses: [`Heap::window`], [`Heap::windows_mut`],
//!    [`RangeHint`]. Bulk copies lead from kind to kind: [`Heap::copy_across`],
//!    [`Heap::append_across`], [`Heap::convert_across`].
//! 8. Memory is reclaimed by [`Heap::free`], by a [`Region`] that is closed, or by
//!    [`Heap::collect`], a mark-sweep collection from the roots that the VM names;
//!    [`Policy`] says when one is due. [`Heap::pin`], [`Heap::upgrade`] and
//!    [`Heap::watch`] are roots of the host, weak references, and notice of an
//!    object's end.
//! 9. [`Heap::seal`] makes a cell that can be passed around but not used;
//!    [`Heap::transplant`] copies a graph into another heap.
//! 10. [`Heap::objects`], [`Heap::path_from_roots`], [`Heap::dump`] and
//!     [`Heap::verify`] look inside.
//!
//! # Errors
//!
//! What can fail returns a `Result` with an [`Error`], a small `Copy` enum, and has
//! changed nothing then. No input makes the crate panic. A handle of an object that
//! was freed fails with [`Error::Stale`] for ever: a slot counts generations, and
//! retires before one would come again.
//!
//! # Features
//!
//! | Feature | Default | What it adds |
//! |---|---|---|
//! | `std` | yes | random seeds ([`Heap::new`]), detection of CPU features at run time |
//! | `bigint` | yes | arithmetic beyond 128 bits, by `num-bigint` |
//! | `simd` | yes | loops for several instruction sets, UTF-8 validation by SIMD |
//! | `getrandom` | no | `Settings::try_random`: entropy without `std`, and in browsers |
//!
//! Needs Rust 1.88, `alloc`, and a little-endian target of 32 or 64 bits.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![no_std]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation))]

/// The README's examples run as tests.
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

// From the lowest layer to the highest; a layer uses those below it.
mod words;

mod arena;

mod object;

mod kinds;

mod heap;

mod ops;

mod life;

pub mod abi;

pub use bstr;

pub use arena::memory;
pub use heap::{Heap, Settings, Usage};
pub use kinds::*;
pub use life::{Collected, Dump, Fault, Region, RootPath, SealKey};
pub use object::{
    Cursor, Growable, Mutable, Number, Object, ObjectInit, Sequence, SequenceInit, TableInit,
    ValueArray, View, ViewMut,
};
pub use ops::{
    ConvertTo, CopyTo, DisplayValue, RangeHint, Text, TextPart, WindowTarget, WindowTargets,
};
pub use words::{
    ArenaUsage, AsHandle, Cell, Error, Handle, HasKind, Kind, Limits, Policy, Resource, ShortStr,
    Unpacked,
};
