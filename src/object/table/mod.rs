//! [`Table`]: the hash table of maps and sets. Entries lie in insertion order; an index
//! finds them. Hash and equality of keys are the caller's.
//!
//! The words of a block ([`layout`]):
//!
//! 1. the header: counts, the sequence number of the next entry, the index;
//! 2. positions for entries of `stride` cells. A removed entry leaves a hole, so that
//!    order and positions stay;
//! 3. the hashes of the entries, so that a rebuild does not read the keys;
//! 4. the sequence numbers of the entries, in tables that store them;
//! 5. the [`index`]: open addressing with two buckets or more for each position, or 4 for 3
//!    where memory is refused. If too many keys collide, it becomes a search tree in the
//!    same words ([`ordered`]).
//!
//! A full table is rebuilt in its block, which may have grown: entries stay where they
//! are, but close holes ([`rebuild`]).
//!
//! Cursors hold sequence numbers, which no rebuild changes. The position implies the
//! sequence number until a rebuild closes a hole that has an older entry before it; only
//! from then on are they stored.

mod entries;
mod image;
mod index;
mod iter;
pub(crate) mod layout;
mod ordered;
mod own;
mod rebuild;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use image::Halt;
pub(crate) use index::{GROUP, PROBES_MAX};
pub(crate) use layout::{HEADER, fill, words_for};
pub(crate) use ordered::{Descent, Step};
pub(crate) use own::{SCATTERED, own_hash};
pub(crate) use rebuild::Plan;

use crate::arena::halves;
use crate::words::{Cell, to_usize};
use layout::{BOXED, COUNTS, Layout, ORDERED, START, WEAK};

/// A table in `words`, of whose positions `used` are used, by entries of `stride` cells
/// or by holes. The stride folds away where the kind is known at compile time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<W> {
    words: W,
    used: u32,
    stride: usize,
}

/// The bucket and the position of an entry, or the free bucket where it belongs:
/// `usize::MAX` if there is none.
pub(crate) type Probe = core::result::Result<(usize, u32), usize>;

/// A key, and its value or null.
pub(crate) type Entry = (Cell, Cell);

/// An entry by value.
#[inline(always)]
pub(crate) fn copied(entry: &[Cell]) -> Entry {
    let cell = |n: usize| entry.get(n).copied().unwrap_or_default();
    (cell(0), cell(1))
}

impl<'h> Table<&'h [u64]> {
    #[inline(always)]
    pub(crate) fn new(words: &'h [u64], used: u32, stride: usize) -> Self {
        Table { words, used, stride }
    }

    #[inline(always)]
    fn layout(&self) -> Layout {
        Layout::of(self.words, self.stride)
    }

    /// Header word `n`, or any other word; 0 beyond the block.
    #[inline(always)]
    fn header(&self, n: usize) -> u64 {
        self.words.get(n).copied().unwrap_or(0)
    }

    /// Half `n` of the words, in the order of memory; 0 beyond the block.
    #[inline(always)]
    fn half(&self, n: usize) -> u32 {
        bytemuck::cast_slice::<u64, u32>(self.words).get(n).copied().unwrap_or(0)
    }

    /// The number of entries.
    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        halves(self.header(COUNTS)).1
    }

    /// The positions in use, by entries or holes.
    #[inline(always)]
    pub(crate) fn used(&self) -> u32 {
        self.used
    }

    /// The number of positions.
    pub(crate) fn capacity(&self) -> usize {
        if self.words.is_empty() { 0 } else { self.layout().capacity }
    }

    /// Whether every position is used.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        to_usize(self.used) >= self.layout().capacity
    }

    /// Whether the index is a tree.
    #[inline(always)]
    pub(crate) fn is_ordered(&self) -> bool {
        self.half(START) == ORDERED && !self.is_own()
    }

    /// Whether the index has less buckets than it should have, so that it cannot become a
    /// tree.
    pub(crate) fn is_dense(&self) -> bool {
        self.layout().dense
    }

    /// Whether a key may be an integer in an arena that would fit into a cell.
    #[inline(always)]
    pub(crate) fn has_boxed(&self) -> bool {
        halves(self.header(COUNTS)).0 & BOXED != 0
    }

    /// Whether the table is weak by its keys.
    #[inline(always)]
    pub(crate) fn is_weak(&self) -> bool {
        halves(self.header(COUNTS)).0 & WEAK != 0
    }

    /// Which of these flags are set.
    fn flags(&self, flags: u32) -> u32 {
        halves(self.header(COUNTS)).0 & flags
    }

    /// Whether most positions are holes, so that a smaller table would do.
    #[inline(always)]
    pub(crate) fn is_sparse(&self) -> bool {
        /// Positions below which a table is too small to shrink.
        const SMALL: u32 = 32;
        self.used >= SMALL && self.len() <= self.used / 8
    }
}

impl<'h> Table<&'h mut [u64]> {
    #[inline(always)]
    pub(crate) fn new_mut(words: &'h mut [u64], used: u32, stride: usize) -> Self {
        Table { words, used, stride }
    }

    /// The same table, to read.
    #[inline(always)]
    pub(crate) fn read(&self) -> Table<&[u64]> {
        Table { words: self.words, used: self.used, stride: self.stride }
    }

    #[inline(always)]
    fn put(&mut self, index: usize, value: u64) {
        debug_assert!(index < self.words.len(), "a table is larger than its block");
        if let Some(word) = self.words.get_mut(index) {
            *word = value;
        }
    }

    /// 32 bits of a part that begins at word `start`: number `n`.
    #[inline(always)]
    fn put_half(&mut self, start: usize, n: usize, value: u32) {
        let part = self.words.get_mut(start..).unwrap_or_default();
        let place = bytemuck::cast_slice_mut::<u64, u32>(part).get_mut(n);
        debug_assert!(place.is_some(), "a table is larger than its block");
        if let Some(place) = place {
            *place = value;
        }
    }

    /// Sets a flag.
    pub(crate) fn set_boxed(&mut self) {
        self.set_flags(BOXED);
    }

    /// Sets flags, which stay as they are if they are set.
    fn set_flags(&mut self, flags: u32) {
        let word = self.read().header(COUNTS) | u64::from(flags) << 32;
        self.put(COUNTS, word);
    }
}

impl Table<&[u64]> {
    /// The hash of the entry at a position.
    #[inline(always)]
    pub(crate) fn hash(&self, position: u32) -> u32 {
        let hashes = self.words.get(self.layout().hashes()..).unwrap_or_default();
        bytemuck::cast_slice::<u64, u32>(hashes).get(to_usize(position)).copied().unwrap_or(0)
    }
}
