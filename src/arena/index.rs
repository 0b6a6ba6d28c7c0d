//! [`Index`]: finds entries of a list by their cells, in O(1).

use alloc::vec::Vec;

use super::{Account, halves};
use crate::words::{Cell, Error, Result, to_usize};

/// An entry of a list that has an [`Index`].
pub(crate) trait Indexed {
    /// The cell to find the entry by; `None` if it is in no index.
    fn key(&self) -> Option<Cell>;
}

impl Indexed for Cell {
    fn key(&self) -> Option<Cell> {
        Some(*self)
    }
}

/// Buckets of the smallest table.
const FIRST_BUCKETS: usize = 8;

/// A hash table of positions in a list, which is passed to each call. Open addressing
/// with linear probing. Which handles collide depends on a seed; no order does.
#[derive(Debug)]
pub(crate) struct Index {
    /// 32 bits of a hash, then the position of the entry + 1; or 0. A power of two of them,
    /// at most three quarters in use; or none. The list is read where hashes are equal.
    buckets: Vec<u64>,
    len: usize,
    seed: u64,
}

impl Index {
    pub(crate) const fn new(seed: u64) -> Index {
        Index { buckets: Vec::new(), len: 0, seed }
    }

    /// A copy on this account.
    pub(crate) fn try_clone(&self, account: &mut Account) -> Result<Index> {
        Ok(Index { buckets: account.copied(&self.buckets)?, len: self.len, seed: self.seed })
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of cells.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The hash of a cell, as buckets have it. Its last bits are the bucket where the probe
    /// sequence begins.
    #[allow(clippy::cast_possible_truncation, reason = "takes the last bits")]
    fn hash(&self, cell: Cell) -> u32 {
        hash(self.seed, cell.bits()) as u32
    }

    /// Hash and position in a bucket.
    #[inline(always)]
    fn entry(&self, bucket: usize) -> Option<(u32, usize)> {
        let (hash, position) = halves(self.buckets.get(bucket).copied()?);
        Some((hash, to_usize(position).checked_sub(1)?))
    }

    /// The position in a bucket.
    fn position(&self, bucket: usize) -> Option<usize> {
        self.entry(bucket).map(|(_, position)| position)
    }

    /// The bucket of a cell, or the empty one where it belongs; `None` if there are no
    /// buckets.
    fn bucket<T: Indexed>(&self, list: &[T], cell: Cell) -> Option<usize> {
        let mask = self.buckets.len().checked_sub(1)?;
        let wanted = self.hash(cell);
        let is_other =
            |(hash, position)| hash != wanted || list.get(position).and_then(T::key) != Some(cell);
        let mut bucket = to_usize(wanted) & mask;
        while self.entry(bucket).is_some_and(is_other) {
            bucket = bucket.wrapping_add(1) & mask;
        }
        Some(bucket)
    }

    /// The position of the entry with a cell. Expected O(1).
    pub(crate) fn find<T: Indexed>(&self, list: &[T], cell: Cell) -> Option<usize> {
        self.position(self.bucket(list, cell)?)
    }

    /// [`Index::reserve`] for one more cell. Amortised O(1).
    ///
    /// # Errors
    /// As [`Index::reserve`].
    pub(crate) fn reserve_one<T: Indexed>(
        &mut self,
        list: &[T],
        grow: impl FnOnce(&mut Vec<u64>, usize) -> Result<()>,
    ) -> Result<()> {
        self.reserve(list, 1, grow)
    }

    /// Makes room for `additional` more cells than those of the list: calls `grow` if the
    /// table needs a larger capacity. Amortised O(additional).
    ///
    /// # Errors
    /// What `grow` returns; [`Error::OutOfMemory`] beyond 2^32 - 2 entries.
    pub(crate) fn reserve<T: Indexed>(
        &mut self,
        list: &[T],
        additional: usize,
        grow: impl FnOnce(&mut Vec<u64>, usize) -> Result<()>,
    ) -> Result<()> {
        if list.len().saturating_add(additional) >= to_usize(u32::MAX) {
            return Err(Error::OutOfMemory);
        }
        let wanted = buckets_for(self.len.saturating_add(additional));
        if wanted > self.buckets.len() {
            grow(&mut self.buckets, wanted)?;
            self.rebuild(list, wanted);
        }
        Ok(())
    }

    /// Lets `buckets` buckets find the entries of the list; of equal cells the last.
    fn rebuild<T: Indexed>(&mut self, list: &[T], buckets: usize) {
        self.buckets.clear();
        self.buckets.resize(buckets, 0);
        self.len = 0;
        for (position, entry) in list.iter().enumerate() {
            if let Some(cell) = entry.key() {
                self.put(list, cell, position);
            }
        }
    }

    /// Has the entry at `position` found by `cell`, for which there is room. Returns
    /// the position found so far.
    pub(crate) fn put<T: Indexed>(
        &mut self,
        list: &[T],
        cell: Cell,
        position: usize,
    ) -> Option<usize> {
        let (bucket, hash) = (self.bucket(list, cell), self.hash(cell));
        let place = bucket.and_then(|bucket| self.buckets.get_mut(bucket));
        debug_assert!(place.is_some(), "room has been reserved");
        let number = u32::try_from(position.saturating_add(1)).unwrap_or(u32::MAX);
        let word = u64::from(hash) << 32 | u64::from(number);
        let (_, old) = halves(core::mem::replace(place?, word));
        let old = to_usize(old).checked_sub(1);
        self.len = self.len.saturating_add(usize::from(old.is_none()));
        old
    }

    /// Removes a cell. Closes the gap, so that no probe sequence ends at it. Expected
    /// O(1).
    pub(crate) fn remove<T: Indexed>(&mut self, list: &[T], cell: Cell) -> Option<usize> {
        let mask = self.buckets.len().checked_sub(1)?;
        let mut gap = self.bucket(list, cell)?;
        let removed = self.position(gap)?;
        let mut next = gap.wrapping_add(1) & mask;
        while let Some((hash, _)) = self.entry(next) {
            let home = to_usize(hash) & mask;
            // A probe sequence from before the gap would end at it.
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(gap) & mask {
                self.buckets.swap(gap, next);
                gap = next;
            }
            next = next.wrapping_add(1) & mask;
        }
        if let Some(bucket) = self.buckets.get_mut(gap) {
            *bucket = 0;
        }
        self.len = self.len.saturating_sub(1);
        Some(removed)
    }

    /// Removes all cells.
    pub(crate) fn clear(&mut self) {
        self.buckets.fill(0);
        self.len = 0;
    }

    /// Cuts the table to the size that its cells need, and lets `shrink` give spare
    /// capacity back.
    pub(crate) fn trim<T: Indexed>(&mut self, list: &[T], shrink: impl FnOnce(&mut Vec<u64>)) {
        let wanted = if self.len == 0 { 0 } else { buckets_for(self.len) };
        if wanted < self.buckets.len() {
            self.rebuild(list, wanted);
        }
        shrink(&mut self.buckets);
    }

    /// The bytes requested for the table.
    pub(crate) const fn reserved_bytes(&self) -> usize {
        self.buckets.capacity().saturating_mul(size_of::<u64>())
    }
}

/// A hash of a word under a seed: both halves of a product, whose factors the seed
/// decides.
#[allow(clippy::cast_possible_truncation, reason = "takes the halves of a product")]
pub(super) fn hash(seed: u64, word: u64) -> usize {
    let factor = seed.rotate_left(32) ^ 0x9E37_79B9_7F4A_7C15;
    let product = u128::from(word ^ seed).wrapping_mul(u128::from(factor | 1));
    (product >> 64) as usize ^ product as usize
}

/// The buckets of a table of `len` cells.
fn buckets_for(len: usize) -> usize {
    let buckets = len.saturating_add(len / 3).saturating_add(1);
    buckets.checked_next_power_of_two().unwrap_or(usize::MAX).max(FIRST_BUCKETS)
}
