//! What a snapshot shows of the objects: their numbers, their sizes, their references.

use alloc::vec::Vec;

use crate::arena::{Arena, Slot};
use crate::heap::{Heap, StoreParts};
use crate::life::trace::{Bases, Marks};
use crate::words::{Cell, Elements, Kind, ShortStr, to_u64, to_usize};

/// The bytes of a text that are shown.
const TEXT_MAX: usize = 1024;

/// How a reference lies in its object.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// An element of a sequence, by its index.
    Element(u32),
    /// An element of a set, by its position.
    Member(u32),
    /// The key of an entry.
    Key,
    /// The value of an entry: its key, and its position.
    Value(Cell, u32),
    /// What a seal holds.
    Content,
}

impl Place {
    /// The key of the entry, if it is a short text.
    pub(super) fn short_key(self) -> Option<ShortStr> {
        match self {
            Place::Value(key, _) => key.as_short_str(),
            _ => None,
        }
    }
}

/// The mark bits of a heap: a bit for each slot, set if it is live; then as many words with
/// the number of bits that are set before each of these.
pub(super) struct Bits<'h> {
    pub(super) heap: &'h mut Heap,
    pub(super) words: Vec<u64>,
}

impl<'h> Bits<'h> {
    pub(super) fn take(heap: &'h mut Heap, len: usize) -> Self {
        let StoreParts { resources, .. } = heap.store.parts();
        let words = resources.take_bits(len);
        Bits { heap, words }
    }

    /// Sets the bits of live objects, and counts them.
    pub(super) fn number(&mut self, bases: Bases) {
        let halves = self.words.split_at_mut_checked(bases.words());
        debug_assert!(halves.is_some(), "mark bits are reserved with slots");
        let Some((live, before)) = halves else { return };
        let mut marks = Marks::new(live, bases);
        for arena in self.heap.store.arenas().iter() {
            arena.live().for_each(|(cell, _)| marks.set(cell, true));
        }
        let mut count = 0_u64;
        for (live, before) in live.iter().zip(before) {
            *before = count;
            count = count.wrapping_add(u64::from(live.count_ones()));
        }
    }
}

/// Gives the bits back, also when code of the VM unwinds.
impl Drop for Bits<'_> {
    fn drop(&mut self) {
        let StoreParts { resources, .. } = self.heap.store.parts();
        resources.put_bits(core::mem::take(&mut self.words));
    }
}

/// What is shown of a text.
pub(super) fn shown(text: &[u8]) -> &str {
    let cut = text.get(..TEXT_MAX).unwrap_or(text);
    match core::str::from_utf8(cut) {
        Ok(text) => text,
        // Cut inside of a character.
        Err(error) => {
            let valid = text.get(..error.valid_up_to()).unwrap_or_default();
            core::str::from_utf8(valid).unwrap_or_default()
        }
    }
}

/// The bytes of an object, and of a value of the host that it owns.
pub(super) fn self_size(heap: &Heap, cell: Cell, slot: Slot) -> u64 {
    let host = if cell.selector() == Kind::HOST {
        to_u64(heap.roots.hosts().bytes_at(cell.slot()))
    } else {
        0
    };
    let arena = heap.store.arenas().get(cell.selector());
    let words = arena.map_or(0, |arena| arena.block_words(slot));
    u64::from(words).saturating_mul(8).saturating_add(16).saturating_add(host)
}

pub(super) fn is_live(heap: &Heap, cell: Cell) -> bool {
    cell.is_handle() && heap.store.arenas().contains(cell)
}

pub(super) fn live(heap: &Heap, cells: impl Iterator<Item = Cell>) -> impl Iterator<Item = Cell> {
    cells.filter(|&cell| is_live(heap, cell))
}

/// The references of an object to live ones.
#[inline]
pub(super) fn edges(heap: &Heap, arena: &Arena, slot: Slot) -> impl Iterator<Item = (Place, Cell)> {
    let cells = arena.cells(slot).unwrap_or_default();
    let elements = arena.shape().elements;
    let is_seal = arena.kind() == Kind::SEALED;
    let place = move |(index, &cell): (u32, &Cell)| {
        let place = match elements {
            Elements::Entries(2) => {
                let position = index / 2;
                let key = to_usize(position).saturating_mul(2);
                let key = cells.get(key).copied().filter(|key| key.as_hole().is_none())?;
                if index % 2 == 0 { Place::Key } else { Place::Value(key, position) }
            }
            Elements::Entries(_) => Place::Member(index),
            _ if is_seal => Place::Content,
            _ => Place::Element(index),
        };
        Some((place, cell))
    };
    let handles = (0_u32..).zip(cells).filter(|(_, cell)| is_live(heap, **cell));
    handles.filter_map(place)
}
