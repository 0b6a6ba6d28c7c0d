//! Raw bits and raw memory, for JITs and for tests.
//!
//! This module stands outside the promise that nothing forges a handle: it makes
//! cells of numbers. Any bit pattern is memory-safe all the same. The worst that
//! a made-up handle can do is to name some live object of the arena whose
//! selector it carries; what does not match a live key answers an error. NoContext
//! here writes an arena's memory. The layouts are part of the crate's interface:
//! changing one is a breaking change.

use crate::arena::Memory;
use crate::heap::Heap;
use crate::words::{Cell, Kind};

/// Bytes of a slot: `key`, `len`, `off`, `cap`, a `u32` each. A handle opens the
/// slot of its low half if `key` equals its high half; the object has `len`
/// elements and a block of `cap` words at word `off` of the arena's memory.
pub const SLOT_BYTES: usize = 16;

/// The bits of a cell.
#[inline]
pub const fn bits(cell: Cell) -> u64 {
    cell.bits()
}

/// The cell of these bits, or `None` for bits that no cell has: reserved tags,
/// spare selectors,
/// NaNs other than the canonical one, short text that is too long or not UTF-8,
/// stray bits beside a bool, null or short text.
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

/// The memory of one arena, to read; `None` for a spare selector.
pub fn memory(heap: &Heap, kind: Kind) -> Option<&Memory> {
    heap.store.arenas().get(kind).map(|arena| arena.memory())
}

/// The slot table of one arena, to read: [`SLOT_BYTES`] a slot; `None` for a
/// spare selector.
pub fn slots(heap: &Heap, kind: Kind) -> Option<&[[u32; 4]]> {
    heap.store.arenas().get(kind).map(|arena| bytemuck::cast_slice(arena.slots()))
}
