//! [`Account`]: counts every byte that a heap requests from the global allocator,
//! and holds the count to the limits.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bumpalo::Bump;

use super::events::{BoxedLog, EventLog};
use super::scratch::set_room;
use crate::words::{
    ARENA_PAGES_MAX, Epoch, Error, Event, EventKind, Kind, Limits, Resource, Result, corrupt,
    to_u64, to_usize,
};

/// Whether a limit is near. The account raises this, a collection clears it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pressure {
    /// Seven eighths of some limit are in use.
    pub(crate) near_limit: bool,
    /// The growths that a limit has refused.
    pub(crate) refusals: u32,
    /// The bytes that the last of them asked for; 0 if that is not known.
    pub(crate) wanted: usize,
}

/// The scratch memory of a running operation, counted because arenas may grow
/// beside it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ScratchCharge {
    bytes: usize,
    /// It may grow, and nothing else may: the account does not know all of it.
    grows: bool,
    /// A sort is running, and holds cells that its comparison cannot pass as roots.
    sorting: bool,
}

/// The bytes in use, and the limits.
#[derive(Debug)]
pub(crate) struct Account {
    limits: Limits,
    used: usize,
    /// The number of growths before one is made to fail; `u64::MAX` for never.
    fail_after: u64,
    pressure: Pressure,
    charge: ScratchCharge,
    /// Changes when memory of the heap moves, or when a table of slots or a memory is longer
    /// or shorter than before: addresses and lengths from before hold no longer.
    moves: Epoch,
    /// Where there are events to be recorded: all that happens passes the account.
    events: Option<BoxedLog>,
}

impl Account {
    pub(crate) const fn new(limits: Limits) -> Account {
        Account {
            limits,
            used: 0,
            fail_after: u64::MAX,
            pressure: Pressure { near_limit: false, refusals: 0, wanted: 0 },
            charge: ScratchCharge { bytes: 0, grows: false, sorting: false },
            moves: Epoch::NONE,
            events: None,
        }
    }

    /// The number that changes with addresses and lengths; no other heap has it.
    #[inline(always)]
    pub(crate) const fn moves(&self) -> Epoch {
        self.moves
    }

    /// Notes that a table of slots or a memory is longer or shorter than before.
    #[cold]
    pub(crate) fn note_moved(&mut self) {
        self.moves.change();
    }

    #[inline]
    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The bytes in use.
    #[inline]
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    /// The bytes that the limit leaves.
    #[inline]
    pub(crate) const fn left(&self) -> usize {
        self.limits.bytes.saturating_sub(self.used)
    }

    #[inline]
    pub(crate) const fn pressure(&self) -> Pressure {
        self.pressure
    }

    pub(crate) fn clear_pressure(&mut self) {
        self.pressure = Pressure::default();
    }

    /// Lets `n` more growths succeed, and fails all later ones; none fails for
    /// `None`.
    pub(crate) fn fail_growth_after(&mut self, n: Option<u64>) {
        self.fail_after = n.unwrap_or(u64::MAX);
    }

    /// Counts a growth. Returns whether it is to fail.
    pub(crate) fn injects_failure(&mut self) -> bool {
        match self.fail_after {
            0 => true,
            u64::MAX => false,
            n => {
                self.fail_after = n.wrapping_sub(1);
                false
            }
        }
    }

    /// Checks that an arena may have `slots` slots, of which `retired` have retired.
    ///
    /// # Errors
    /// [`Error::ArenaFull`] beyond the addressable ones, else [`Error::Limit`].
    pub(crate) fn check_slots(&mut self, kind: Kind, slots: usize, retired: u32) -> Result<()> {
        if slots > to_usize(u32::MAX) {
            return Err(Error::ArenaFull { kind });
        }
        let usable = to_u64(slots).saturating_sub(u64::from(retired));
        self.check(usable, self.limits.slots, Resource::Slots(kind))
    }

    /// Checks that an arena may have `pages` pages.
    ///
    /// # Errors
    /// [`Error::ArenaFull`] beyond the addressable ones, else [`Error::Limit`].
    pub(crate) fn check_pages(&mut self, kind: Kind, pages: u64) -> Result<()> {
        if pages > u64::from(ARENA_PAGES_MAX) {
            return Err(Error::ArenaFull { kind });
        }
        self.check(pages, self.limits.pages, Resource::Pages(kind))
    }

    fn check(&mut self, n: u64, limit: u32, of: Resource) -> Result<()> {
        self.note_use(n, u64::from(limit), of);
        if n > u64::from(limit) { Err(self.refuse(of, 0)) } else { Ok(()) }
    }

    /// Notes that a limit has refused a growth by so many bytes; 0 if that is not known.
    #[cold]
    pub(crate) fn note_refusal(&mut self, of: Resource, wanted: usize) {
        self.note_event(EventKind::Refusal { resource: of });
        self.pressure.near_limit = true;
        self.pressure.refusals = self.pressure.refusals.saturating_add(1);
        self.pressure.wanted = wanted;
    }

    #[cold]
    fn refuse(&mut self, of: Resource, wanted: usize) -> Error {
        self.note_refusal(of, wanted);
        Error::Limit(of)
    }

    /// Notes whether `used` is near `limit`.
    fn note_use(&mut self, used: u64, limit: u64, of: Resource) {
        let is_near = used >= limit.saturating_sub(limit / 8);
        if is_near && !self.pressure.near_limit {
            self.pressure.near_limit = true;
            self.note_event(EventKind::NearLimit { resource: of });
        }
    }

    /// Records an event, if events are recorded.
    pub(crate) fn note_event(&mut self, kind: EventKind) {
        if let Some([events]) = self.events.as_deref_mut() {
            events.push(kind);
        }
    }

    /// Whether events are recorded.
    pub(crate) const fn records_events(&self) -> bool {
        self.events.is_some()
    }

    /// Records the newest `len` events from here on, and forgets the older ones.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::OutOfMemory`]. Nothing has changed then.
    pub(crate) fn record_events(&mut self, len: usize) -> Result<()> {
        let events = if len == 0 {
            None
        } else {
            let mut boxed = self.boxed(EventLog::new(len))?;
            let [events] = &mut *boxed;
            if let Err(error) = self.reserve(events.ring_mut(), len) {
                self.unbox(boxed);
                return Err(error);
            }
            Some(boxed)
        };
        if let Some(mut old) = core::mem::replace(&mut self.events, events) {
            let [events] = &mut *old;
            events.ring_mut().clear();
            self.shrink(events.ring_mut(), 0);
            self.unbox(old);
        }
        Ok(())
    }

    /// Removes the recorded events, the oldest first.
    pub(crate) fn drain_events(&mut self) -> impl Iterator<Item = Event> {
        let events = self.events.as_deref_mut().into_iter();
        events.flat_map(|[events]| events.drain())
    }

    /// Events that were lost.
    pub(crate) fn events_lost(&self) -> u64 {
        self.events.as_deref().map_or(0, |[events]| events.lost())
    }

    /// Bytes requested for events.
    pub(crate) fn event_bytes(&self) -> u64 {
        let bytes = |[events]: &[EventLog; 1]| {
            to_u64(events.reserved_bytes().saturating_add(size_of::<EventLog>()))
        };
        self.events.as_deref().map_or(0, bytes)
    }

    /// A value in a box of its own: an array of one, since the allocation of a `Box` cannot
    /// fail without an abort, and that of a `Vec` can.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::OutOfMemory`]. The value is dropped then.
    pub(crate) fn boxed<T>(&mut self, value: T) -> Result<Box<[T; 1]>> {
        let mut boxed = Vec::new();
        self.reserve(&mut boxed, 1)?;
        boxed.push(value);
        let boxed: Result<Box<[T; 1]>, _> = boxed.into_boxed_slice().try_into();
        boxed.map_err(|_| corrupt())
    }

    /// Frees a box and its value.
    pub(crate) fn unbox<T>(&mut self, boxed: Box<[T; 1]>) {
        let mut boxed = Vec::from(boxed as Box<[T]>);
        boxed.clear();
        self.shrink(&mut boxed, 0);
    }

    /// Notes that all usable slots of an arena are in use, `slots` of them, which may
    /// be near the limit.
    #[cold]
    pub(crate) fn note_last_slot(&mut self, kind: Kind, slots: usize) {
        self.note_use(to_u64(slots), u64::from(self.limits.slots), Resource::Slots(kind));
    }

    /// Checks that `bytes` more are within the limit.
    ///
    /// # Errors
    /// [`Error::Limit`].
    pub(crate) fn check_bytes(&mut self, bytes: usize) -> Result<()> {
        debug_assert!(!self.charge.grows, "scratch memory is not charged");
        let used = self.used.saturating_add(bytes);
        self.note_use(to_u64(used), to_u64(self.limits.bytes), Resource::Bytes);
        if bytes > self.left() { Err(self.refuse(Resource::Bytes, bytes)) } else { Ok(()) }
    }

    /// Counts `bytes` that code beyond this crate is about to request, until
    /// [`Account::replace`] gives them back.
    ///
    /// # Errors
    /// [`Error::Limit`]; [`Error::OutOfMemory`] by fault injection.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<()> {
        self.check_bytes(bytes)?;
        if self.injects_failure() {
            return Err(Error::OutOfMemory);
        }
        self.used = self.used.saturating_add(bytes);
        Ok(())
    }

    /// Grows the capacity of `vec` to `len` elements in all; doubles it at least,
    /// where the limit allows that.
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`]. Nothing has changed then.
    #[inline]
    pub(crate) fn reserve<T>(&mut self, vec: &mut Vec<T>, len: usize) -> Result<()> {
        if len <= vec.capacity() { Ok(()) } else { self.grow(vec, len) }
    }

    /// [`Account::reserve`] for what the heap can do without: asks only for what the limit
    /// leaves, so that nothing is refused. Returns whether there is room.
    pub(crate) fn reserve_spare<T>(&mut self, vec: &mut Vec<T>, len: usize) -> bool {
        let bytes = len.saturating_sub(vec.capacity()).saturating_mul(size_of::<T>());
        bytes <= self.left() && self.reserve(vec, len).is_ok()
    }

    /// [`Account::reserve_spare`] of no more than `len` elements.
    pub(crate) fn reserve_exact<T>(&mut self, vec: &mut Vec<T>, len: usize) -> bool {
        let old = vec.capacity();
        if len <= old {
            return true;
        }
        let bytes = len.saturating_sub(old).saturating_mul(size_of::<T>());
        if bytes > self.left() || self.injects_failure() {
            return false;
        }
        let reserved = vec.try_reserve_exact(len.saturating_sub(vec.len())).is_ok();
        self.recount(old, vec);
        reserved
    }

    /// A copy of `vec`, on this account.
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`].
    pub(crate) fn copied<T: Copy>(&mut self, vec: &[T]) -> Result<Vec<T>> {
        let mut copy = Vec::new();
        self.reserve(&mut copy, vec.len())?;
        copy.extend_from_slice(vec);
        Ok(copy)
    }

    /// [`Account::reserve`] beyond the capacity that `vec` has.
    #[cold]
    fn grow<T>(&mut self, vec: &mut Vec<T>, len: usize) -> Result<()> {
        let size = size_of::<T>();
        let old = vec.capacity();
        let needed = len.saturating_sub(old).saturating_mul(size);
        self.check_bytes(needed)?;
        let left = self.left().saturating_sub(needed);
        if self.injects_failure() {
            return Err(Error::OutOfMemory);
        }
        // Near the limit, take half of what is left: some is left for the other
        // arenas, and the number of moves stays logarithmic.
        let most = (left / 2).checked_div(size).unwrap_or(0);
        let spare = old.saturating_mul(2).saturating_sub(len).min(most);
        let wanted = len.saturating_sub(vec.len());
        let roomy = vec.try_reserve_exact(wanted.saturating_add(spare));
        let grown = roomy.or_else(|_| vec.try_reserve_exact(wanted));
        grown.map_err(|_| Error::OutOfMemory)?;
        self.recount(old, vec);
        Ok(())
    }

    /// Replaces `vec` by a zeroed one of `len` words, into which `copy` copies it. Both
    /// are held at once. Returns `false`, and has changed nothing, if that exceeds the
    /// limit or the allocator fails; [`Account::reserve`] may succeed then.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if growth is made to fail.
    #[cold]
    pub(crate) fn replace_zeroed(
        &mut self,
        vec: &mut Vec<u64>,
        len: usize,
        copy: impl FnOnce(&[u64], &mut [u64]),
    ) -> Result<bool> {
        let (old, bytes) = (vec.capacity(), len.saturating_mul(8));
        debug_assert!(!self.charge.grows, "scratch memory is not charged");
        if self.left() < bytes {
            return Ok(false);
        }
        if self.injects_failure() {
            return Err(Error::OutOfMemory);
        }
        let Ok(mut larger) = bytemuck::allocation::try_zeroed_vec(len) else { return Ok(false) };
        copy(vec, &mut larger);
        *vec = larger;
        self.recount(old, vec);
        self.note_use(to_u64(self.used), to_u64(self.limits.bytes), Resource::Bytes);
        Ok(true)
    }

    /// Shrinks the capacity of `vec` to `capacity` at most, but not below its length.
    pub(crate) fn shrink<T>(&mut self, vec: &mut Vec<T>, capacity: usize) {
        let old = vec.capacity();
        if old > capacity {
            vec.shrink_to(capacity);
            self.recount(old, vec);
        }
    }

    /// Counts the capacity of `vec`, which was `old` elements.
    fn recount<T>(&mut self, old: usize, vec: &Vec<T>) {
        let bytes = |capacity: usize| capacity.saturating_mul(size_of::<T>());
        self.replace(bytes(old), bytes(vec.capacity()));
        self.note_moved();
    }

    /// Counts `new` bytes in place of `old` ones.
    pub(crate) fn replace(&mut self, old: usize, new: usize) {
        debug_assert!(old <= self.used, "bytes are given back that were not counted");
        self.used = self.used.saturating_sub(old).saturating_add(new);
    }

    /// Restores an earlier count, after all memory requested since was dropped.
    pub(super) fn restore_used(&mut self, used: usize) {
        self.used = used;
    }

    /// Begins to charge an operation for its scratch memory. Returns the charge of
    /// the operation around it, for [`Account::end_charge`].
    pub(crate) fn begin_charge(&mut self) -> ScratchCharge {
        let charge = ScratchCharge { bytes: 0, grows: false, ..self.charge };
        core::mem::replace(&mut self.charge, charge)
    }

    /// Lets scratch memory grow by what the limit leaves, or not at all, until it is
    /// charged.
    pub(crate) fn let_grow(&mut self, scratch: &Bump, grows: bool) {
        self.charge.grows = true;
        set_room(scratch, if grows { self.left() } else { 0 });
    }

    /// Counts the scratch memory beyond the `warm` bytes that it had at first, until
    /// the charge ends. It does not grow from here on.
    pub(crate) fn charge(&mut self, scratch: &Bump, warm: usize, sorting: bool) {
        let before = self.charge;
        let bytes = scratch.allocated_bytes_including_metadata().saturating_sub(warm);
        let (bytes, sorting) = (bytes.max(before.bytes), before.sorting | sorting);
        self.charge = ScratchCharge { bytes, grows: false, sorting };
        self.replace(before.bytes, self.charge.bytes);
        set_room(scratch, 0);
    }

    /// Ends a charge, and resumes the one around it.
    pub(crate) fn end_charge(&mut self, before: ScratchCharge) {
        self.replace(self.charge.bytes, 0);
        self.charge = before;
    }

    /// Whether a sort is running.
    #[inline]
    pub(crate) const fn is_sorting(&self) -> bool {
        self.charge.sorting
    }
}
