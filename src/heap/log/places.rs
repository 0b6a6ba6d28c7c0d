//! Finding the entry of an object.

use super::{AllocationLog, FEW, Places};
use crate::arena::{Account, Index};
use crate::words::{Cell, Result, corrupt};

impl AllocationLog {
    /// Whether an entry from `start` on is that of a live object. Expected O(1), after
    /// amortised O(1) for each entry; O(entries from `start` on) while memory for the places
    /// is refused. `seed` decides which handles collide.
    pub(crate) fn has_since(
        &mut self,
        account: &mut Account,
        seed: u64,
        start: usize,
        cell: Cell,
    ) -> bool {
        let entries = self.since(start);
        if entries.len() <= FEW {
            return entries.contains(&cell);
        }
        let is_covered = self.places().is_some_and(|at| at.covered == self.entries.len());
        if !is_covered && self.cover(account, seed).is_err() {
            return self.since(start).contains(&cell);
        }
        let place = self.places().and_then(|at| at.index.find(&self.entries, cell));
        place.is_some_and(|place| place >= start)
    }

    /// Has all entries found by their cells.
    #[inline(never)]
    fn cover(&mut self, account: &mut Account, seed: u64) -> Result<()> {
        if self.places.is_none() {
            let places = Places { index: Index::new(seed), covered: 0 };
            self.places = Some(account.boxed(places)?);
        }
        let [places] = self.places.as_deref_mut().ok_or_else(corrupt)?;
        let (known, new) = self.entries.split_at_checked(places.covered).ok_or_else(corrupt)?;
        places.index.reserve(known, new.len(), |buckets, len| account.reserve(buckets, len))?;
        for &cell in new {
            places.index.put(&self.entries, cell, places.covered);
            places.covered = places.covered.saturating_add(1);
        }
        Ok(())
    }

    /// Forgets the places of the entries from `start` on, which may change.
    #[inline(always)]
    pub(super) fn uncover(&mut self, start: usize) {
        if self.places.is_some() {
            self.uncover_rarely(start);
        }
    }

    #[cold]
    #[inline(never)]
    fn uncover_rarely(&mut self, start: usize) {
        let Some([places]) = self.places.as_deref_mut() else { return };
        for cell in self.entries.get(start..places.covered).unwrap_or_default() {
            places.index.remove(&self.entries, *cell);
        }
        places.covered = places.covered.min(start);
    }

    pub(super) fn places(&self) -> Option<&Places> {
        self.places.as_deref().map(|[places]| places)
    }

    /// Gives the memory for places back.
    pub(super) fn end_places(&mut self, account: &mut Account) {
        self.forget_places();
        if let Some(mut boxed) = self.places.take() {
            let [places] = &mut *boxed;
            places.index.trim::<Cell>(&[], |buckets| account.shrink(buckets, 0));
            account.unbox(boxed);
        }
    }

    /// Forgets the places of all entries.
    pub(super) fn forget_places(&mut self) {
        if let Some([places]) = self.places.as_deref_mut() {
            places.index.clear();
            places.covered = 0;
        }
    }
}
