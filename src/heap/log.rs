//! [`AllocationLog`]: the objects that were allocated while a region was open.
//!
//! All open regions share one log, and each is a suffix of it, so opening and closing
//! an empty region touches no arena. Entries of freed objects are removed before the
//! log would grow: its length is bounded by the number of live objects, not of
//! allocations.

use alloc::vec::Vec;

use crate::arena::{Account, Arenas};
use crate::words::{Cell, Error, Result, to_u64};

/// Capacity of a log when it first grows, in entries.
const FIRST_CAPACITY: usize = 64;

/// An open region: its serial number, and the length of the log when it was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenRegion {
    pub(crate) serial: u64,
    pub(crate) start: usize,
}

/// Objects allocated in open regions, oldest first.
#[derive(Debug)]
pub(crate) struct AllocationLog {
    entries: Vec<Cell>,
    regions: Vec<OpenRegion>,
}

impl AllocationLog {
    pub(super) const fn new() -> AllocationLog {
        AllocationLog { entries: Vec::new(), regions: Vec::new() }
    }

    /// Reserves room for the record of an allocation. Returns the capacity before it,
    /// for [`AllocationLog::give_back`].
    #[inline(always)]
    pub(super) fn reserve_one(&mut self, arenas: &Arenas, account: &mut Account) -> Result<usize> {
        let capacity = self.entries.capacity();
        if !self.regions.is_empty() && self.entries.len() == capacity {
            self.make_room(arenas, account)?;
        }
        Ok(capacity)
    }

    #[cold]
    fn make_room(&mut self, arenas: &Arenas, account: &mut Account) -> Result<()> {
        self.prune(arenas);
        let (len, capacity) = (self.entries.len(), self.entries.capacity());
        if len.saturating_mul(2) < capacity {
            return Ok(());
        }
        // Grow even if pruning made some room, or each of the next allocations prunes
        // again: pruning is amortised over half the capacity.
        let wanted = capacity.saturating_add(1).max(FIRST_CAPACITY);
        let grown = account.reserve(&mut self.entries, wanted);
        if len < capacity { Ok(()) } else { grown }
    }

    /// Records an allocation for which room was reserved.
    #[inline(always)]
    pub(super) fn record(&mut self, cell: Cell) {
        if !self.regions.is_empty() {
            self.entries.push(cell);
        }
    }

    /// Gives back the room reserved for an allocation that failed; returns its error.
    #[cold]
    pub(super) fn give_back(
        &mut self,
        account: &mut Account,
        capacity: usize,
        error: Error,
    ) -> Error {
        self.shrink(account, capacity);
        error
    }

    /// Records many allocations, or none if it fails.
    pub(super) fn record_all(
        &mut self,
        account: &mut Account,
        cells: impl ExactSizeIterator<Item = Cell>,
    ) -> Result<()> {
        if !self.regions.is_empty() {
            let len = self.entries.len().saturating_add(cells.len());
            account.reserve(&mut self.entries, len)?;
            self.entries.extend(cells);
        }
        Ok(())
    }

    /// Removes the entries of freed objects.
    pub(crate) fn prune(&mut self, arenas: &Arenas) {
        let (mut position, mut kept) = (0_usize, 0_usize);
        let mut regions = self.regions.iter_mut().peekable();
        self.entries.retain(|&cell| {
            while let Some(region) = regions.next_if(|region| region.start <= position) {
                region.start = kept;
            }
            position = position.saturating_add(1);
            let live = arenas.contains(cell);
            kept = kept.saturating_add(usize::from(live));
            live
        });
        regions.for_each(|region| region.start = kept);
    }

    /// Removes all entries; regions stay open.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.regions.iter_mut().for_each(|region| region.start = 0);
    }

    /// Number of open regions.
    #[inline]
    pub(crate) fn depth(&self) -> usize {
        self.regions.len()
    }

    /// Opens a region.
    #[inline]
    pub(crate) fn open(&mut self, account: &mut Account, serial: u64) -> Result<()> {
        let len = self.regions.len().saturating_add(1);
        account.reserve(&mut self.regions, len)?;
        self.regions.push(OpenRegion { serial, start: self.entries.len() });
        Ok(())
    }

    /// The open region at a depth.
    #[inline]
    pub(crate) fn region(&self, depth: usize) -> Option<OpenRegion> {
        self.regions.get(depth).copied()
    }

    /// Closes the region at a depth and those inside it; returns whether anything was
    /// allocated in them.
    #[inline]
    pub(crate) fn close(&mut self, depth: usize, region: OpenRegion) -> bool {
        self.regions.truncate(depth);
        self.entries.len() > region.start
    }

    /// The entries from `start` on.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> &[Cell] {
        debug_assert!(start <= self.entries.len(), "regions start inside the log");
        self.entries.get(start..).unwrap_or_default()
    }

    /// Removes the entries from `start` on.
    pub(crate) fn drain(&mut self, start: usize) -> impl DoubleEndedIterator<Item = Cell> {
        debug_assert!(start <= self.entries.len(), "regions start inside the log");
        self.entries.drain(start.min(self.entries.len())..)
    }

    /// Removes the entries from `start` on whose objects were freed; all entries if no
    /// region is open.
    pub(crate) fn end_region(&mut self, start: usize, arenas: &Arenas) {
        debug_assert!(start <= self.entries.len(), "regions start inside the log");
        let start = start.min(self.entries.len());
        self.entries.extract_if(start.., |cell| !arenas.contains(*cell)).for_each(drop);
        if self.regions.is_empty() {
            self.entries.clear();
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// Gives back spare capacity beyond `capacity` entries.
    pub(super) fn shrink(&mut self, account: &mut Account, capacity: usize) {
        account.shrink(&mut self.entries, capacity);
    }

    /// Gives back all spare capacity.
    pub(super) fn trim(&mut self, account: &mut Account) {
        account.shrink(&mut self.entries, 0);
        account.shrink(&mut self.regions, 0);
    }

    /// Bytes requested for the log.
    pub(super) fn reserved_bytes(&self) -> u64 {
        let entries = self.entries.capacity().saturating_mul(size_of::<Cell>());
        let regions = self.regions.capacity().saturating_mul(size_of::<OpenRegion>());
        to_u64(entries.saturating_add(regions))
    }

    /// Whether every region starts inside the log.
    pub(crate) fn is_ordered(&self) -> bool {
        self.regions.iter().all(|region| region.start <= self.entries.len())
    }
}
