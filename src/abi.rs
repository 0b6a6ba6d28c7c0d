//! Raw bits and raw memory, for JIT compilers and for tests.
//!
//! This module is exempt from the guarantee that no operation forges a handle: it makes
//! cells from numbers. Any bit pattern is memory-safe all the same. The worst that a
//! forged handle can do is to open a live object of the arena whose selector it
//! carries; if its key does not match that of the slot, operations fail as they do for
//! any handle. No function here writes the memory of an arena: compiled code writes cells
//! by the functions of [`Heap`], which have the write barrier of the collector.
//!
//! A JIT compiler reads an element in the steps that [`Heap::get`] takes:
//!
//! ```
//! use segheap::{abi, Heap, Kind, List};
//! let mut heap = Heap::new();
//! let list = heap.alloc(List::of(&[7.into(), 8.into()]))?;
//!
//! let bits = abi::bits(list.cell());
//! let (key, index) = ((bits >> 32) as u32, (bits & 0xFFFF_FFFF) as usize);
//! let slots = abi::slots(&heap, Kind::LIST).unwrap();
//! let [slot_key, len, off, _cap] = slots[index];
//! assert_eq!(slot_key, key); // kind, generation and liveness
//! assert!(1 < len); // the index
//! let memory = abi::memory(&heap, Kind::LIST).unwrap();
//! let bits = memory.load_u64(8 * u64::from(off), 8).unwrap(); // element 1
//! assert_eq!(abi::cell(bits), Some(8.into()));
//! # Ok::<(), segheap::Error>(())
//! ```
//!
//! MEP-41.md describes the layouts. They are part of the crate's interface: changing
//! one is a breaking change.

use crate::arena::Memory;
use crate::heap::Heap;
use crate::words::{Cell, Kind};

/// Size of a slot in bytes: `key`, `len`, `off` and `cap`, a `u32` each.
///
/// The low half of a handle is the index of its slot; the slot is open to it if `key`
/// equals its high half. The object then has `len` elements, in a block of `cap` words
/// at word `off` of the arena's memory. The fields of other slots are unspecified.
pub const SLOT_BYTES: usize = 16;

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
/// `off` and `cap` of each slot, as described at [`SLOT_BYTES`].
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
/// assert_eq!((size_of_val(&slots[0]), slots[0][1]), (abi::SLOT_BYTES, 7));
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
    Some([slot.key, slot.len, slot.off, slot.cap])
}
