//! Tables whose hashes a VM gives. The index is the same, but its first word is not stored
//! where look-ups by the hashes of the heap read it: these find no bucket, and a cold path
//! finds out why, so that the two never mix and others pay nothing.
//!
//! As only the VM knows whether two keys are equal, such a table has no order to become a
//! search tree by. Where there is no bucket for an entry, all hashes are compared from then
//! on, until a rebuild finds a bucket for each.

use super::index::Index;
use super::layout::{COUNTS, NEXT, ORDERED, OWN, POSITIONS, START, set_index};
use super::{Entry, Table};
use crate::arena::halves;
use crate::words::Cell;

/// In place of the first word of the index of a table whose hashes a VM gives, as
/// [`ORDERED`], if some entry has no bucket.
pub(crate) const SCATTERED: u32 = ORDERED - 1;

impl<'h> Table<&'h [u64]> {
    /// Whether a VM gives the hashes.
    #[inline(always)]
    pub(crate) fn is_own(&self) -> bool {
        halves(self.header(COUNTS)).0 & OWN != 0
    }

    /// Whether some entry has no bucket.
    #[inline(always)]
    fn is_scattered(&self) -> bool {
        self.is_own() && self.half(START) == SCATTERED
    }

    /// What changes whenever an entry is inserted or removed.
    pub(crate) fn stamp(&self) -> [u64; 2] {
        [u64::from(self.len()), self.header(NEXT)]
    }

    /// The index, whoever gives the hashes; `None` without a block, and if no entry is found
    /// by it.
    #[inline(always)]
    pub(super) fn any_index(&self) -> Option<Index<'h>> {
        if !self.is_own() {
            return Index::of(self.words);
        }
        let start = u32::try_from(self.layout().index()).ok()?;
        let index = Index::at(self.words, start, self.half(POSITIONS));
        (!self.is_scattered()).then_some(index)
    }

    /// The entry at a position, if there is one of this hash.
    #[inline(always)]
    pub(crate) fn entry_of_hash(&self, position: u32, hash: u32) -> Option<&'h [Cell]> {
        self.entry(position).filter(|_| position < self.used && self.hash(position) == hash)
    }

    /// The position and the key of an entry of this hash, or that there is none. `None` if it
    /// is not near.
    #[inline(always)]
    pub(crate) fn first_of_hash(&self, hash: u32) -> Option<Option<(u32, Cell)>> {
        self.any_index()?.near(hash, |position| {
            let entry = self.entry_of_hash(position, hash)?;
            Some((position, *entry.first()?))
        })
    }

    /// Calls `each` with the position and the key of each entry of this hash. O(1) entries of
    /// other hashes are passed, or all in a table in which some have no bucket.
    #[inline]
    pub(crate) fn each_of_hash(&self, hash: u32, mut each: impl FnMut(u32, Cell)) {
        let visit = |position: u32| {
            if let Some(&[key, ..]) = self.entry_of_hash(position, hash) {
                each(position, key);
            }
        };
        match self.any_index() {
            Some(index) => index.each(hash, visit),
            None => (0..self.used).for_each(visit),
        }
    }
}

impl Table<&mut [u64]> {
    /// Has a VM give the hashes of a table, whose entries are found by its index, or not.
    pub(crate) fn set_own(&mut self, are_linked: bool) {
        let counts = self.read().header(COUNTS) | u64::from(OWN) << 32;
        self.put(COUNTS, counts);
        let positions = self.read().half(POSITIONS);
        set_index(self.words, if are_linked { ORDERED } else { SCATTERED }, positions);
    }

    /// Appends an entry to a table of this kind that is not full. Returns how many positions
    /// are used then.
    pub(crate) fn append_own(&mut self, hash: u32, entry: &[Cell]) -> u32 {
        let index = self.read().any_index();
        let bucket = index.and_then(|index| index.probe(hash, |_| false).err());
        match bucket.filter(|&bucket| bucket != usize::MAX) {
            Some(bucket) => {
                let start = self.read().layout().index();
                self.link(start, bucket, hash, self.used);
            }
            None => self.set_own(false),
        }
        self.append_unlinked(hash, entry)
    }

    /// Removes the entry at a position. Returns it, and how many positions are used then.
    pub(super) fn remove_own(&mut self, position: u32) -> Option<(Entry, u32)> {
        let hash = self.read().hash(position);
        let index = self.read().any_index();
        match index.and_then(|index| index.bucket_of(hash, position)) {
            Some(bucket) => {
                let first = self.read().layout().index();
                self.remove_from(first, bucket, position)
            }
            None => self.remove_unlinked(position),
        }
    }
}

/// The hash of an entry, of one that a VM gives: spread over all bits, the same in each heap.
pub(crate) fn own_hash(hash: u64) -> u32 {
    /// 2^64 divided by the golden ratio, as Fibonacci hashing multiplies by.
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (high, _) = halves((hash ^ hash >> 32).wrapping_mul(FACTOR));
    high
}
