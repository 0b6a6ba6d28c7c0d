//! Raw bits and raw memory, for JIT compilers and for tests.
//!
//! This module is exempt from the guarantee that no operation forges a handle: it makes
//! cells from numbers. Any bit pattern is memory-safe all the same. The worst that a
//! forged handle can do is to open a live object of the arena whose selector it
//! carries; if its key does not match that of the slot, operations fail as they do for
//! any handle.
//!
//! # For compilers
//!
//! - [`layout`] has the layout of cells, slots and objects of each kind, as constants.
//! - [`Bases`] has the addresses of all arenas, which compiled code keeps in registers, the epochs
//!   that tell it whether offsets still hold, and the one number that tells it whether
//!   anything has moved.
//! - [`write_barrier`] is what compiled code calls before it stores cells.
//!
//! A checked read of an element, as compiled code does it in the steps of [`Heap::get`]:
//!
//! ```
//! use segheap::abi::{self, Base, layout::{cell, slot}};
//! use segheap::{Heap, Kind, List};
//!
//! /// `list[index]`; `None` if the interpreter has to find out why not. `slots` and `memory` stand
//! /// for loads from `base.slots` and `base.memory`.
//! fn read(base: Base, slots: &[[u32; 4]], memory: &[u64], list: u64, index: u32) -> Option<u64> {
//!     let number = (list & cell::SLOT_MASK) as usize;
//!     if number >= base.slot_count {
//!         return None;
//!     }
//!     let field = |offset: usize| slots[number][offset / 4];
//!     if u64::from(field(slot::KEY)) != list >> cell::KEY_SHIFT || index >= field(slot::LEN) {
//!         return None; // another kind, or stale; or no such element
//!     }
//!     Some(memory[(field(slot::OFF) + index) as usize])
//! }
//!
//! let mut heap = Heap::new();
//! let list = heap.alloc(List::of(&[7.into(), 8.into()]))?;
//! let base = abi::bases(&heap).of(Kind::LIST);
//! let slots = abi::slots(&heap, Kind::LIST).unwrap();
//! let memory = abi::memory(&heap, Kind::LIST).unwrap();
//! let words: Vec<u64> =
//!     memory.bytes().chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
//! let bits = read(base, slots, &words, abi::bits(list.cell()), 1).unwrap();
//! assert_eq!(abi::cell(bits), Some(8.into()));
//! # Ok::<(), segheap::Error>(())
//! ```
//!
//! `examples/jit` of the repository compiles such accesses by Cranelift, with and without a range
//! hint, and measures them. Layouts are part of the crate's interface: changing one is a breaking
//! change.

mod bases;
pub mod layout;

pub use bases::{Base, Bases, bases, bases_mut, moves};

use crate::arena::{Memory, block_words as words_of_class};
use crate::heap::Heap;
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Cell, Elements, Kind, Result, corrupt, to_usize};

/// Returns the bits of a cell, its generation included.
///
/// ```
/// use segheap::{abi, Cell};
/// assert_eq!(abi::bits(1.5.into()), 1.5_f64.to_bits());
/// assert_eq!(abi::bits(Cell::from(-1)), 0xFFFA_FFFF_FFFF_FFFF);
/// ```
#[inline]
pub const fn bits(cell: Cell) -> u64 {
    cell.bits()
}

/// Returns the cell with these bits, or `None` if no cell has them: reserved tags,
/// spare selectors, NaNs other than the canonical one, short text that is too long or
/// not UTF-8, stray bits beside a boolean, null or a short text.
///
/// ```
/// use segheap::{abi, Cell};
/// assert_eq!(abi::cell(abi::bits(Cell::TRUE)), Some(Cell::TRUE));
/// assert_eq!(abi::cell(0xFFFE_0000_0000_0000), None);
/// ```
pub fn cell(bits: u64) -> Option<Cell> {
    let made = Cell::raw(bits);
    let kind = made.kind().is_none_or(Kind::has_arena);
    (made.is_canonical() && kind).then_some(made)
}

/// Returns the memory of one arena, or `None` for a spare selector. The address of the
/// memory is valid until the heap changes.
///
/// ```
/// use segheap::{abi, Bytes, Heap, Kind};
/// let mut heap = Heap::new();
/// assert_eq!(abi::memory(&heap, Kind::BYTES).map(|memory| memory.size()), Some(0));
/// heap.alloc(Bytes::of(b"payload"))?;
/// let memory = abi::memory(&heap, Kind::BYTES).unwrap();
/// assert!(memory.size() == 1 && memory.bytes().windows(7).any(|bytes| bytes == b"payload"));
/// # Ok::<(), segheap::Error>(())
/// ```
pub fn memory(heap: &Heap, kind: Kind) -> Option<&Memory> {
    heap.store.arenas().get(kind).map(|arena| arena.memory())
}

/// Returns the slot table of one arena, or `None` for a spare selector: `key`, `len`,
/// `off` and `cap` of each slot, as described at [`layout::slot`].
///
/// A collection after a peak cuts the table: objects whose slots lay beyond its end are
/// still live then, and only [`slot`] and the heap find them. Compiled code that meets an
/// index beyond the table leaves the access to the heap.
///
/// ```
/// use segheap::{abi, Bytes, Heap, Kind};
/// let mut heap = Heap::new();
/// heap.alloc(Bytes::of(b"payload"))?;
/// let slots = abi::slots(&heap, Kind::BYTES).unwrap();
/// assert_eq!((size_of_val(&slots[0]), slots[0][1]), (abi::layout::slot::BYTES, 7));
/// # Ok::<(), segheap::Error>(())
/// ```
pub fn slots(heap: &Heap, kind: Kind) -> Option<&[[u32; 4]]> {
    heap.store.arenas().get(kind).map(|arena| bytemuck::cast_slice(arena.slots()))
}

/// Returns the slot of one arena with this index, wherever it lies; `None` if it is not in
/// memory, or for a spare selector. O(1).
///
/// ```
/// use segheap::{abi, Bytes, Heap, Kind};
/// let mut heap = Heap::new();
/// let bytes = heap.alloc(Bytes::of(b"payload"))?;
/// let bits = abi::bits(bytes.cell());
/// let [key, len, ..] = abi::slot(&heap, Kind::BYTES, bits as u32).unwrap();
/// assert_eq!((u64::from(key), len), (bits >> 32, 7));
/// # Ok::<(), segheap::Error>(())
/// ```
pub fn slot(heap: &Heap, kind: Kind, index: u32) -> Option<[u32; 4]> {
    let slot = heap.store.arenas().get(kind)?.slot_at(index)?;
    Some([slot.key, slot.len, slot.off, slot.room])
}

/// Has the write barrier of the collector for an object of any kind, as
/// [`Heap::get_mut`] has, and returns the cells in which compiled code may store from then
/// on. O(1).
///
/// The cells are the elements of a list, a struct, a closure or a pair. Objects of other
/// kinds return none: maps and sets are changed by the functions of [`Heap`], and numbers
/// and bytes hold no cells, so that they need no barrier.
///
/// The rule for compiled code:
///
/// 1. Call this for each object before the first store to it after a safe point, which is
///    any call of a function that takes the heap mutably, except [`bases_mut`],
///    [`Bases::renew`] and this one. One call covers all stores up to the next safe point. The
///    address is valid as long, and is the one that a [`Base`] of then leads to.
///
///    For a version ([`Heap::append`]), this is a safe point itself: the object gets a block of
///    its own, for which the memory may move. Compiled code tests [`layout::slot::SHARED`]
///    before the call, or renews its [`Bases`] after it.
/// 2. Store what [`bits`] returned, or what was loaded from a cell, and nothing else.
/// 3. Store within the returned cells. The length of an object changes by [`Heap`] alone.
///
/// A store without it is memory-safe, but a collection may free what it stored; the handle
/// is stale from then on.
///
/// ```
/// use segheap::{abi, Cell, Heap, Pair};
///
/// /// What a compiler calls for `object[index] = value`, with the operands in registers.
/// fn store(heap: &mut Heap, object: u64, index: usize, value: u64) -> Option<()> {
///     let (object, value) = (abi::cell(object)?, abi::cell(value)?);
///     *abi::write_barrier(heap, object).ok()?.get_mut(index)? = value;
///     Some(())
/// }
///
/// let mut heap = Heap::new();
/// let old = heap.alloc(Pair::of(Cell::NULL, Cell::NULL))?;
/// while !heap.step([old.cell()], 64)?.finished {}
/// heap.step([old.cell()], 64)?; // a cycle begins, and scans the pair
/// let new = heap.alloc(Pair::of(1.into(), 2.into()))?;
/// store(&mut heap, abi::bits(old.cell()), 1, abi::bits(new.cell())).unwrap();
/// while !heap.step([old.cell()], 64)?.finished {}
/// assert_eq!(heap.get(old)?.second()?, new.cell());
/// assert!(heap.contains(new));
/// # Ok::<(), segheap::Error>(())
/// ```
///
/// # Errors
/// [`Error::NotAHandle`], [`Error::Sealed`] or [`Error::Stale`] if `object` is no handle of
/// a live object; [`Error::Frozen`] if it is frozen; those
/// of [`Heap::get_mut`] of a version; [`Error::Corrupt`] only if this crate has a bug.
pub fn write_barrier(heap: &mut Heap, object: Cell) -> Result<&mut [Cell]> {
    let kind = object.selector();
    if !object.is_handle() || kind == Kind::SEALED {
        return Err(object.rejection(kind));
    }
    heap.store.arena(kind).map_err(|_| object.rejection(kind))?;
    heap.store.open_to_change(kind, object)?;
    let arena = heap.store.arena_mut(kind)?;
    let shape = arena.shape();
    if shape.elements != Elements::Cells {
        return Ok(&mut []);
    }
    let (slot, block) = arena.write::<Cell>(object.slot()).ok_or_else(corrupt)?;
    let body = block.get_mut(to_usize(shape.header)..).unwrap_or_default();
    Ok(Cell::slice_mut(body).get_mut(..to_usize(slot.len)).unwrap_or_default())
}

/// Returns the words of the block that an object of `words` words gets: blocks come in size
/// classes. Code that makes blocks outside of the heap, for an image, gives them these sizes.
/// `None` if no object has as many words. O(1).
///
/// ```
/// use segheap::abi;
/// assert_eq!([0, 1, 8, 9].map(abi::block_words), [Some(0), Some(1), Some(8), Some(10)]);
/// assert_eq!(abi::block_words(1 << 31), None);
/// ```
pub fn block_words(words: u32) -> Option<u32> {
    let fits = |words: &u32| *words <= layout::slot::CAP_MASK;
    Some(words).filter(fits).map(words_of_class).filter(fits)
}

/// Returns the seed of the generations of one arena, or `None` for a spare selector. The
/// first object in the slot with an index has the generation
/// `(seed ^ index) * 0x9E37_79B9_7F4A_7C15 >> 32`, in 64 bits, of which the low 12 count. The
/// seed is as secret as the generations: whoever knows it can tell handles from others.
///
/// ```
/// use segheap::{Heap, Kind, List, abi};
/// let mut heap = Heap::new();
/// let list = abi::bits(heap.alloc(List::new())?.cell());
/// let seed = abi::generation_seed(&heap, Kind::LIST).unwrap();
/// let mixed = u64::from(seed ^ list as u32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
/// assert_eq!(mixed >> 32 & 0xFFF, list >> 32 & 0xFFF);
/// # Ok::<(), segheap::Error>(())
/// ```
pub fn generation_seed(heap: &Heap, kind: Kind) -> Option<u32> {
    heap.store.arenas().get(kind).map(|arena| arena.seed())
}
