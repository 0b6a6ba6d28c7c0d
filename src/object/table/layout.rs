//! [`Layout`]: where the parts of a table lie in its block.

use crate::arena::halves;
use crate::words::{Cell, Error, Result, to_u64, to_usize};

/// The words of the header.
pub(crate) const HEADER: u32 = 3;
/// The header word with the flags and the number of positions in its high half, and the
/// number of entries in the low one.
pub(crate) const COUNTS: usize = 0;
/// The header word with the sequence number of the next entry.
pub(crate) const NEXT: usize = 1;
/// The header word that leads to entries: two halves in the order of memory, so that each is
/// loaded by itself.
pub(super) const INDEX: usize = 2;
/// The half of a word with the mask of positions: the number of buckets - 1. Of an ordered
/// table, the root of the tree.
pub(crate) const POSITIONS: usize = 2 * INDEX;
/// The half of a word with the first word of the index, or [`ORDERED`].
pub(crate) const START: usize = 2 * INDEX + 1;
/// In place of the first word of an index, and beyond every block: what looks for a bucket
/// finds none.
pub(crate) const ORDERED: u32 = u32::MAX;
/// Flag: the table is weak by its keys.
pub(crate) const WEAK: u32 = 1 << 28;
const _: () = assert!((WEAK as u64) << 32 == crate::arena::WEAK);
/// Flag: sequence numbers are stored.
pub(crate) const SEQUENCED: u32 = 1 << 29;
/// Flag: there is, or was, a key that is an integer in an arena and would fit into a
/// cell.
pub(crate) const BOXED: u32 = 1 << 30;
/// Flag: a VM gives the hashes of the keys.
pub(crate) const OWN: u32 = 1 << 27;
/// Flag of an index by hash: it has half as many buckets as the positions should have.
pub(crate) const DENSE: u32 = 1 << 31;
/// The positions, beside the flags.
pub(crate) const CAPACITY: u32 = OWN - 1;
pub(super) const BUCKETS_MIN: usize = 8;
const POSITIONS_MAX: usize = to_usize(CAPACITY);

/// Where the parts of a table lie in its block. In order: the header; the entries; the
/// hashes, two a word; the sequence numbers if they are stored; the index, two buckets
/// a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// The positions for entries.
    pub(super) capacity: usize,
    /// Whether sequence numbers are stored.
    pub(super) sequenced: bool,
    /// Whether up to three quarters of the buckets are used, and not half of them.
    pub(super) dense: bool,
    pub(super) stride: usize,
}

impl Layout {
    /// The layout for `capacity` entries.
    ///
    /// # Errors
    /// [`Error::ObjectTooLarge`].
    pub(super) fn new(capacity: usize, sequenced: bool, stride: usize) -> Result<Layout> {
        if capacity > POSITIONS_MAX {
            return Err(Error::ObjectTooLarge);
        }
        Ok(Layout { capacity, sequenced, dense: false, stride })
    }

    /// The layout of the table in `words`.
    #[inline(always)]
    pub(super) fn of(words: &[u64], stride: usize) -> Layout {
        let (counts, _) = halves(words.get(COUNTS).copied().unwrap_or(0));
        let (sequenced, dense) = (counts & SEQUENCED != 0, counts & DENSE != 0);
        Layout { capacity: to_usize(counts & CAPACITY), sequenced, dense, stride }
    }

    /// The layout with an index as large as that of `self`, of as many positions as that has
    /// room for, `capacity` at most.
    pub(super) fn same_index(self, capacity: usize, sequenced: bool) -> Layout {
        let buckets = self.buckets();
        let capacity = capacity.min((buckets / 4).wrapping_mul(3));
        Layout { capacity, sequenced, dense: capacity > buckets / 2, stride: self.stride }
    }

    /// The buckets of the index, a power of two: two or more for a position, unless it is
    /// dense. As many links has a tree.
    #[inline(always)]
    pub(super) fn buckets(self) -> usize {
        let buckets = self.capacity.wrapping_mul(2).max(BUCKETS_MIN).next_power_of_two();
        buckets >> u32::from(self.dense)
    }

    /// The positions for which the index has the buckets.
    pub(super) fn capacity_max(self) -> usize {
        let buckets = self.buckets();
        if self.dense { (buckets / 4).wrapping_mul(3) } else { buckets / 2 }
    }

    /// The first word of the hashes.
    #[inline(always)]
    pub(super) fn hashes(self) -> usize {
        self.capacity.wrapping_mul(self.stride).wrapping_add(to_usize(HEADER))
    }

    /// The first word of the sequence numbers.
    #[inline(always)]
    pub(super) fn sequence(self) -> usize {
        self.hashes().wrapping_add(self.capacity.div_ceil(2))
    }

    /// The first word of the index.
    #[inline(always)]
    pub(super) fn index(self) -> usize {
        let numbers = if self.sequenced { self.capacity } else { 0 };
        self.sequence().wrapping_add(numbers)
    }

    /// The words of the whole table.
    pub(super) fn words(self) -> usize {
        self.index().wrapping_add(self.buckets() / 2)
    }
}

/// The words of a table for `entries` entries; 0 for none, `usize::MAX` for too many.
pub(crate) fn words_for(entries: usize, stride: usize) -> usize {
    let layout = Layout::new(entries, false, stride);
    if entries == 0 { 0 } else { layout.map_or(usize::MAX, Layout::words) }
}

/// Writes an empty table with room for `entries` entries, which may be weak by its keys if
/// that is some.
pub(crate) fn fill(words: &mut [u64], entries: usize, stride: usize, is_weak: bool) {
    if let (Ok(layout), false) = (Layout::new(entries, false, stride), words.is_empty()) {
        start(words, layout, 0, 0);
        if let Some(counts) = words.get_mut(COUNTS).filter(|_| is_weak) {
            *counts |= u64::from(WEAK) << 32;
        }
    }
}

/// Writes the header of a table of `live` entries, and frees all buckets. No flags are
/// set but those of the layout.
pub(super) fn start(words: &mut [u64], layout: Layout, live: u32, next: u64) {
    debug_assert!(layout.words() <= words.len(), "a table is larger than its block");
    let (index, buckets) = (layout.index(), layout.buckets());
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    let flags = flag(layout.sequenced, SEQUENCED) | flag(layout.dense, DENSE);
    let counts = (to_u64(layout.capacity) | u64::from(flags)) << 32 | u64::from(live);
    for (word, value) in words.iter_mut().zip([counts, next]) {
        *word = value;
    }
    set_index(words, half(index), half(buckets).wrapping_sub(1));
    if let Some(buckets) = words.get_mut(index..index.saturating_add(buckets / 2)) {
        buckets.fill(0);
    }
}

/// Stores the halves of [`INDEX`].
pub(super) fn set_index(words: &mut [u64], start: u32, positions: u32) {
    let halves = bytemuck::cast_slice_mut::<u64, u32>(words);
    if let Some(place) = halves.get_mut(POSITIONS..=START) {
        place.copy_from_slice(&[positions, start]);
    }
}

/// A number of a table, which fits into 32 bits.
fn half(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(ORDERED)
}

/// What the key of a removed entry is replaced by: a hole, in a run of `len` holes.
///
/// The first hole of a run has the length of the run, and the last one, too, marked to
/// be read backwards. Others have a length that was right once: forwards from them
/// there are at least as many holes, as no hole is filled before a rebuild.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hole {
    pub(super) len: u32,
    pub(super) backwards: bool,
}

/// The payload of a hole: the length of its run from this bit on.
pub(crate) const HOLE_LEN_SHIFT: u32 = 1;
/// The payload of a hole: whether the run is read backwards.
pub(crate) const HOLE_BACKWARDS: u64 = 1;

impl Hole {
    pub(super) const fn cell(self) -> Cell {
        let backwards = if self.backwards { HOLE_BACKWARDS } else { 0 };
        Cell::hole((self.len as u64) << HOLE_LEN_SHIFT | backwards)
    }

    /// The length of a hole; unspecified for other cells.
    #[inline(always)]
    pub(super) const fn len_at(key: Cell) -> u32 {
        halves(key.bits() >> HOLE_LEN_SHIFT).1
    }

    /// The hole that a key is replaced by, if it is.
    #[inline(always)]
    pub(super) fn of(key: Cell) -> Option<Hole> {
        let payload = key.as_hole()?;
        let len = u32::try_from(payload >> HOLE_LEN_SHIFT).unwrap_or(1);
        Some(Hole { len, backwards: payload & HOLE_BACKWARDS != 0 })
    }

    /// How many holes there are from here on, at least.
    pub(super) const fn ahead(self) -> u32 {
        if self.backwards || self.len == 0 { 1 } else { self.len }
    }
}
