//! [`AllocationLog`]: the objects that were allocated while a region was open.
//!
//! All open regions share one log, and each is a suffix of it, so opening and closing
//! an empty region touches no arena. Entries of freed objects stay in the log until it
//! is pruned, which takes time linear in its length. A share of the capacity is kept for
//! them: the log grows, or an allocation fails, before more than the rest is live. So a
//! full log has that share to gain, and pruning is amortised also where a limit refuses
//! growth.
//!
//! [`Places`] find the entry of an object, from the first time on that a program asks.

mod places;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::profile::{BoxedProfile, Profile};
use crate::arena::{Account, Arenas, Index};
use crate::words::{Cell, Error, Result, to_u64};

/// Capacity of a log when it first grows, in entries.
const FIRST_CAPACITY: usize = 64;
/// Entries that are compared one by one sooner than looked up.
const FEW: usize = 64;

/// An open region: its serial number, and the length of the log when it was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenRegion {
    pub(crate) serial: u64,
    pub(crate) start: usize,
}

/// The number of live objects in the log when it was last pruned.
#[derive(Clone, Copy, Debug)]
struct Pruned {
    /// The outermost region then: the log of another one is another log.
    region: u64,
    entries: u64,
    /// Live objects of the heap then.
    objects: u64,
}

/// Finds entries of a log by their cells: of those entries that were in the log when it was
/// asked last.
#[derive(Debug)]
struct Places {
    index: Index,
    /// How many entries the index has, the oldest ones.
    covered: usize,
}

/// Objects allocated in open regions, oldest first.
#[derive(Debug)]
pub(crate) struct AllocationLog {
    entries: Vec<Cell>,
    /// In memory of their own, as few heaps need them.
    places: Option<Box<[Places; 1]>>,
    regions: Vec<OpenRegion>,
    /// Length from which on an allocation needs more than a push: [`live_max`] of the
    /// capacity.
    trigger: usize,
    /// Length from which on the log may grow ahead of need.
    growth: usize,
    pruned: Option<Pruned>,
    /// Whether an allocation has nothing to record: no region is open, and there is no profile.
    is_idle: bool,
    /// The site of the program that allocates.
    pub(super) site: u32,
    profile: Option<BoxedProfile>,
}

/// The entries that may be live in a log of this capacity before it grows.
const fn live_max(capacity: usize) -> usize {
    capacity.saturating_sub(capacity / 8)
}

/// The entries that may be live if it cannot grow.
const fn live_max_at_limit(capacity: usize) -> usize {
    capacity.saturating_sub(capacity / 16)
}

/// The least capacity for so many live entries.
const fn capacity_for(live: usize) -> usize {
    live.saturating_add(live.div_ceil(7))
}

impl AllocationLog {
    pub(super) const fn new() -> AllocationLog {
        AllocationLog {
            entries: Vec::new(),
            places: None,
            regions: Vec::new(),
            trigger: 0,
            growth: 0,
            pruned: None,
            is_idle: true,
            site: 0,
            profile: None,
        }
    }

    /// Reserves room for the record of an allocation. Returns the capacity before it,
    /// for [`AllocationLog::give_back`].
    #[inline(always)]
    pub(super) fn reserve_one(&mut self, arenas: &Arenas, account: &mut Account) -> Result<usize> {
        let capacity = self.entries.capacity();
        if !self.is_ready() {
            self.reserve_rarely(arenas, account)?;
        }
        Ok(capacity)
    }

    /// [`AllocationLog::reserve_one`] in a log that is not ready.
    #[cold]
    fn reserve_rarely(&mut self, arenas: &Arenas, account: &mut Account) -> Result<()> {
        let is_full = self.entries.len() >= live_max(self.entries.capacity());
        if is_full && !self.regions.is_empty() {
            self.make_room(arenas, account, 1, 0)?;
        }
        Ok(())
    }

    /// Whether an allocation needs nothing but [`AllocationLog::record`].
    #[inline(always)]
    pub(super) fn is_ready(&self) -> bool {
        self.is_idle || self.entries.len() < self.trigger
    }

    /// Sets what [`AllocationLog::is_ready`] reads.
    fn set_ready(&mut self) {
        let is_profiled = self.profile.is_some();
        self.is_idle = self.regions.is_empty() && !is_profiled;
        self.trigger = if is_profiled { 0 } else { live_max(self.entries.capacity()) };
    }

    /// Makes room for `wanted` more entries. `unrecorded` objects of the heap were
    /// allocated in the innermost region and are not in the log. Amortised O(wanted);
    /// O(kinds) if it fails for the limit.
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`]. The capacity has not changed then.
    #[cold]
    fn make_room(
        &mut self,
        arenas: &Arenas,
        account: &mut Account,
        wanted: usize,
        unrecorded: u64,
    ) -> Result<()> {
        let few_stale =
            |live: usize| self.entries.len().saturating_sub(live) < self.entries.capacity() / 4;
        let live = match self.live_at_least(arenas, unrecorded) {
            Some(live) if self.room() >= wanted && few_stale(live) => live,
            bound => {
                self.prune(arenas);
                // Else they would count as freed once they are recorded.
                if let Some(pruned) = &mut self.pruned {
                    pruned.objects = pruned.objects.saturating_sub(unrecorded);
                }
                debug_assert!(bound.is_none_or(|live| live <= self.entries.len()), "it is a bound");
                self.entries.len()
            }
        };
        let live = live.saturating_add(wanted);
        self.grow(account, live, wanted)
    }

    /// Grows for `wanted` more entries, with which `live` are live, if the share for
    /// stale ones has become small.
    fn grow(&mut self, account: &mut Account, live: usize, wanted: usize) -> Result<()> {
        let capacity = self.entries.capacity();
        let must = live > live_max_at_limit(capacity) || self.room() < wanted;
        if !must && (live <= live_max(capacity) || self.entries.len() < self.growth) {
            return Ok(());
        }
        let len = self.entries.len().saturating_add(wanted);
        let needed = capacity_for(live).max(len).max(FIRST_CAPACITY);
        let bytes = needed.saturating_sub(capacity).saturating_mul(size_of::<Cell>());
        // Without need, ask only for what is left: what a limit refuses is noted.
        let grown = if must || bytes <= account.left() {
            account.reserve(&mut self.entries, needed)
        } else {
            Ok(())
        };
        self.set_ready();
        if must { grown } else { Ok(()) }
    }

    /// Entries that fit into the capacity.
    fn room(&self) -> usize {
        self.entries.capacity().saturating_sub(self.entries.len())
    }

    /// A lower bound of the number of live entries, which is their number unless older
    /// objects were freed since the log was pruned. `None` if it is not known. O(kinds).
    fn live_at_least(&self, arenas: &Arenas, unrecorded: u64) -> Option<usize> {
        let region = self.regions.first()?.serial;
        let pruned = self.pruned.filter(|pruned| pruned.region == region)?;
        let objects = live_objects(arenas).saturating_sub(unrecorded);
        let live = pruned.entries.saturating_add(objects).saturating_sub(pruned.objects);
        usize::try_from(live).ok()
    }

    /// Records an allocation for which room was reserved, if the log is ready; returns whether
    /// it is.
    #[inline(always)]
    pub(super) fn record(&mut self, cell: Cell) -> bool {
        let is_ready = self.is_ready();
        // The second test holds, and leaves no growth for the compiler to provide for.
        if is_ready && !self.is_idle && self.entries.len() < self.entries.capacity() {
            self.entries.push(cell);
        }
        is_ready
    }

    /// Records an allocation for which room was reserved, in a log that is not ready.
    pub(super) fn record_rarely(&mut self, arenas: &Arenas, account: &mut Account, cell: Cell) {
        self.push(cell);
        self.note_profiled(arenas, account, cell);
    }

    /// Adds an entry if a region is open. There is room.
    fn push(&mut self, cell: Cell) {
        debug_assert!(self.regions.is_empty() || self.room() > 0, "room has been reserved");
        if !self.regions.is_empty() && self.room() > 0 {
            self.entries.push(cell);
        }
    }

    /// Counts an allocation in the profile, if there is one.
    fn note_profiled(&mut self, arenas: &Arenas, account: &mut Account, cell: Cell) {
        if let Some([profile]) = self.profile.as_deref_mut() {
            profile.note(account, arenas, self.site, cell);
        }
    }

    /// Takes note of an object that is in no region, though one may be open.
    pub(crate) fn note_unrecorded(&mut self, arenas: &Arenas, account: &mut Account, cell: Cell) {
        // Else it would count as one of a region.
        if let Some(pruned) = &mut self.pruned {
            pruned.objects = pruned.objects.saturating_add(1);
        }
        self.note_profiled(arenas, account, cell);
    }

    /// Gives back the room reserved for an allocation that failed; returns its error.
    #[cold]
    pub(super) fn give_back(
        &mut self,
        account: &mut Account,
        capacity: usize,
        error: Error,
    ) -> Error {
        if self.entries.capacity() > capacity {
            self.shrink(account, capacity);
            // Or each allocation that fails would grow the log, and shrink it again.
            self.growth = self.entries.len().saturating_add(capacity / 32);
        }
        error
    }

    /// Records `count` allocations, or none if it fails. `others` more were made, which
    /// [`AllocationLog::note_unrecorded`] will be told of.
    pub(super) fn record_all(
        &mut self,
        arenas: &Arenas,
        account: &mut Account,
        (count, others): (usize, usize),
        cells: impl Iterator<Item = Cell>,
    ) -> Result<()> {
        if self.is_idle {
            return Ok(());
        }
        let in_region = !self.regions.is_empty();
        let room = live_max(self.entries.capacity()).saturating_sub(self.entries.len());
        if in_region && room < count {
            self.make_room(arenas, account, count, to_u64(count.saturating_add(others)))?;
        }
        for cell in cells {
            self.push(cell);
            self.note_profiled(arenas, account, cell);
        }
        Ok(())
    }

    /// Removes the entries of freed objects. O(entries).
    pub(crate) fn prune(&mut self, arenas: &Arenas) {
        self.forget_places();
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
        self.pruned = self.regions.first().map(|outermost| Pruned {
            region: outermost.serial,
            entries: to_u64(self.entries.len()),
            objects: live_objects(arenas),
        });
    }

    /// Removes all entries; regions stay open.
    pub(super) fn clear(&mut self) {
        self.forget_places();
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
        self.is_idle = false;
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
        self.uncover(region.start);
        self.is_idle = depth == 0 && self.profile.is_none();
        self.entries.len() > region.start
    }

    /// The entries from `start` on.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> &[Cell] {
        debug_assert!(start <= self.entries.len(), "regions start inside the log");
        self.entries.get(start..).unwrap_or_default()
    }

    /// Removes the newest entry, if it is one from `start` on.
    #[inline(always)]
    pub(crate) fn pop(&mut self, start: usize) -> Option<Cell> {
        if self.entries.len() > start { self.entries.pop() } else { None }
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
        self.set_ready();
    }

    /// Gives back spare capacity, but for what lets pruning be amortised.
    pub(super) fn trim(&mut self, account: &mut Account) {
        self.shrink(account, capacity_for(self.entries.len()));
        account.shrink(&mut self.regions, 0);
        self.end_places(account);
        if let Some([profile]) = self.profile.as_deref_mut() {
            profile.trim(account);
        }
    }

    /// Begins a profile, or a new one.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::OutOfMemory`]. Nothing has changed then.
    pub(crate) fn start_profile(&mut self, account: &mut Account, seed: u64) -> Result<()> {
        let profile = account.boxed(Profile::new(seed))?;
        self.stop_profile(account);
        self.profile = Some(profile);
        self.set_ready();
        Ok(())
    }

    /// Ends the profile, and gives its memory back.
    pub(crate) fn stop_profile(&mut self, account: &mut Account) {
        if let Some(mut boxed) = self.profile.take() {
            let [profile] = &mut *boxed;
            profile.end(account);
            account.unbox(boxed);
        }
        self.set_ready();
    }

    /// The profile, if there is one.
    pub(crate) fn profile_mut(&mut self) -> Option<&mut Profile> {
        self.profile.as_deref_mut().map(|[profile]| profile)
    }

    /// Bytes requested for the log.
    pub(super) fn reserved_bytes(&self) -> u64 {
        let entries = self.entries.capacity().saturating_mul(size_of::<Cell>());
        let regions = self.regions.capacity().saturating_mul(size_of::<OpenRegion>());
        let places =
            |places: &Places| places.index.reserved_bytes().saturating_add(size_of::<Places>());
        let places = self.places().map_or(0, places);
        let profile = self.profile.as_deref().map_or(0, |[profile]| profile.reserved_bytes());
        let log = entries.saturating_add(regions).saturating_add(places);
        to_u64(log).saturating_add(profile)
    }

    /// Whether every region starts inside the log, the log grows before it is full, and
    /// places are those of entries.
    pub(crate) fn is_ordered(&self) -> bool {
        let is_found = |places: &Places| {
            let mut covered = self.entries.iter().take(places.covered).enumerate();
            places.covered <= self.entries.len()
                && places.covered == places.index.len()
                && covered.all(|(at, &cell)| places.index.find(&self.entries, cell) == Some(at))
        };
        let is_profiled = self.profile.is_some();
        self.trigger <= self.entries.capacity()
            && self.is_idle == (self.regions.is_empty() && !is_profiled)
            && (self.trigger == 0 || !is_profiled)
            && self.regions.iter().all(|region| region.start <= self.entries.len())
            && self.places().is_none_or(is_found)
    }
}

/// The number of live objects, seals included. O(kinds).
fn live_objects(arenas: &Arenas) -> u64 {
    arenas.iter().map(|arena| u64::from(arena.usage().live)).sum()
}
