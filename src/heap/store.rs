//! [`Store`]: the arenas, the resources that they share, and the allocation log.
//! Operations on objects take a store, and nothing else of a heap.

mod states;

use core::fmt;

use super::log::AllocationLog;
use super::settings::Settings;
use super::usage::Usage;
use crate::arena::{Account, Arena, Arenas, Extent, Resources, Slot, Tally};
use crate::kinds::SHAPES;
use crate::object::{
    Context, Internal, Keys, Object, ObjectInit, View, ViewMut, shrink_spare_tables,
};
use crate::words::{
    AsHandle, Cell, Error, EventKind, Handle, HasKind, HashSeeds, Kind, Result, object_len, to_u64,
};

/// The objects of a heap and their memory.
pub(crate) struct Store {
    arenas: Arenas,
    resources: Resources,
    log: AllocationLog,
}

/// A store by its parts, to borrow them separately.
#[derive(Debug)]
pub(crate) struct StoreParts<'s> {
    pub(crate) arenas: &'s mut Arenas,
    pub(crate) resources: &'s mut Resources,
    pub(crate) log: &'s mut AllocationLog,
}

/// What a store has reserved and counted, for [`Store::roll_back`].
#[derive(Debug)]
pub(crate) struct Checkpoint {
    extents: [Extent; Arenas::COUNT],
    bitmap_words: usize,
    log_capacity: usize,
    tally: Tally,
}

/// Shows no seed.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("resources", &self.resources).finish_non_exhaustive()
    }
}

impl Store {
    pub(super) fn new(settings: Settings) -> Store {
        Store {
            arenas: Arenas::new(
                &SHAPES,
                settings.generation_seed,
                HashSeeds::new(settings.hash_seed),
            ),
            resources: Resources::new(Account::new(settings.limits)),
            log: AllocationLog::new(),
        }
    }

    /// A copy with the same handles, in which no region is open. Objects that a cycle has
    /// found to be garbage are so in the copy.
    pub(crate) fn try_clone(&self) -> Result<Store> {
        let seeds = self.arenas.hash_seeds().clone();
        let mut copy = Store {
            arenas: Arenas::new(&SHAPES, 0, seeds),
            resources: Resources::new(Account::new(self.account().limits())),
            log: AllocationLog::new(),
        };
        let Store { arenas, resources, .. } = &mut copy;
        self.arenas.clone_to(arenas, resources)?;
        (resources.tally, resources.born) = (self.resources.tally, self.resources.born);
        resources.states_lost = self.resources.states_lost;
        Ok(copy)
    }

    #[inline]
    pub(crate) const fn arenas(&self) -> &Arenas {
        &self.arenas
    }

    #[inline]
    pub(crate) const fn arenas_mut(&mut self) -> &mut Arenas {
        &mut self.arenas
    }

    /// The arena of a kind.
    ///
    /// # Errors
    /// [`Error::NotAHandle`] for a spare selector.
    #[inline(always)]
    pub(crate) fn arena(&self, kind: Kind) -> Result<&Arena> {
        self.arenas.get(kind).ok_or(Error::NotAHandle)
    }

    #[inline(always)]
    pub(crate) fn arena_mut(&mut self, kind: Kind) -> Result<&mut Arena> {
        self.arenas.get_mut(kind).ok_or(Error::NotAHandle)
    }

    #[inline]
    pub(crate) const fn resources(&self) -> &Resources {
        &self.resources
    }

    #[inline]
    pub(crate) const fn account(&self) -> &Account {
        &self.resources.account
    }

    #[inline]
    pub(crate) const fn account_mut(&mut self) -> &mut Account {
        &mut self.resources.account
    }

    /// Sets the site that allocates from here on; see
    /// [`Heap::set_site`](crate::Heap::set_site).
    #[inline]
    pub(crate) const fn set_site(&mut self, site: u32) {
        self.log.site = site;
    }

    #[inline]
    pub(crate) const fn log(&self) -> &AllocationLog {
        &self.log
    }

    #[inline]
    pub(crate) const fn parts(&mut self) -> StoreParts<'_> {
        let Store { arenas, resources, log, .. } = self;
        StoreParts { arenas, resources, log }
    }

    /// Hash and equality of keys, over all arenas.
    #[inline(always)]
    pub(crate) fn keys(&self) -> Keys<'_> {
        Keys::new(&self.arenas)
    }

    /// Opens an object to read; see [`Heap::get`](crate::Heap::get).
    #[inline(always)]
    pub(crate) fn get<K: Object>(&self, object: impl AsHandle<K>) -> Result<View<'_, K>> {
        let arena = self.arena(K::KIND)?;
        View::new(arena, arena.check(object.into())?, K::Context::of(self.keys()))
    }

    /// Opens an object to change; see [`Heap::get_mut`](crate::Heap::get_mut).
    #[inline(always)]
    pub(crate) fn get_mut<K: Object>(
        &mut self,
        object: impl AsHandle<K>,
    ) -> Result<ViewMut<'_, K>> {
        let cell: Cell = object.into();
        let arena = self.arenas.get_mut(K::KIND).ok_or(Error::NotAHandle)?;
        let is_dense = arena.find_dense_to_change(cell).is_some();
        if !is_dense {
            arena.open_to_change(&mut self.resources, cell)?;
        }
        Ok(ViewMut::new(&mut self.arenas, &mut self.resources, cell.slot(), is_dense))
    }

    /// The slot of an object that may change; see [`Arena::open_to_change`].
    #[cold]
    pub(crate) fn open_to_change(&mut self, kind: Kind, cell: Cell) -> Result<Slot> {
        let arena = self.arenas.get_mut(kind).ok_or(Error::NotAHandle)?;
        arena.open_to_change(&mut self.resources, cell)
    }

    /// Whether the cell is a handle of a live object.
    #[inline]
    pub(crate) fn contains(&self, cell: Cell) -> bool {
        cell.is_handle() && self.arenas.contains(cell)
    }

    /// [`Store::contains`], but for objects that the sweep of a cycle has yet to free.
    #[inline]
    pub(crate) fn is_usable(&self, cell: Cell) -> bool {
        self.contains(cell) && !self.is_doomed(cell)
    }

    /// Whether a cycle that is sweeping has found the live object of a handle to be
    /// garbage.
    #[inline]
    pub(crate) fn is_doomed(&self, cell: Cell) -> bool {
        self.arenas.is_doomed(cell)
    }

    /// Whether the cell is a live symbol that no cycle has found to be garbage.
    pub(crate) fn is_symbol(&self, cell: Cell) -> bool {
        self.arenas.symbols().hash(cell).is_some() && self.is_usable(cell)
    }

    /// Checks that a cell is the handle of a live object, or sealed and its seal live,
    /// that no cycle has found to be garbage.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) fn check_usable(&self, cell: Cell) -> Result<()> {
        self.open(cell)?;
        let stale = Error::Stale { kind: cell.selector() };
        if self.is_doomed(cell) { Err(stale) } else { Ok(()) }
    }

    /// The arena of a live object, and its slot. Opens sealed cells, too.
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if the cell is no handle; [`Error::Stale`] if the object
    /// was freed.
    #[inline]
    pub(crate) fn open(&self, cell: Cell) -> Result<(&Arena, Slot)> {
        self.arenas.open(cell)
    }

    /// Allocates an object; see [`Heap::alloc`](crate::Heap::alloc).
    #[inline(always)]
    pub(crate) fn alloc<I: ObjectInit>(&mut self, init: I) -> Result<Handle<I::Kind>> {
        let (len, words) = init.size();
        let cell = self.alloc_with(I::Kind::KIND, object_len(len)?, words, |words| {
            init.fill(words, Internal(()));
            Ok(())
        })?;
        Ok(Handle::known(cell))
    }

    /// Allocates an object of `len` elements in `words` words, which `fill` writes;
    /// their content before is unspecified.
    #[inline(always)]
    pub(crate) fn alloc_with(
        &mut self,
        kind: Kind,
        len: u32,
        words: usize,
        fill: impl FnOnce(&mut [u64]) -> Result<()>,
    ) -> Result<Cell> {
        let log = self.log.reserve_one(&self.arenas, &mut self.resources.account)?;
        let arena = self.arenas.get_mut(kind).ok_or(Error::NotAHandle)?;
        match arena.alloc(&mut self.resources, len, words, fill) {
            Ok(cell) => Ok(self.record(cell)),
            Err(error) => Err(self.log.give_back(&mut self.resources.account, log, error)),
        }
    }

    /// Records an allocation for which room was reserved; returns the cell.
    #[inline(always)]
    fn record(&mut self, cell: Cell) -> Cell {
        if self.log.record(cell) { cell } else { self.record_rarely(cell) }
    }

    /// [`Store::record`] where the log is nearly full, or there is a profile.
    #[cold]
    #[inline(never)]
    fn record_rarely(&mut self, cell: Cell) -> Cell {
        let Store { arenas, resources, log } = self;
        log.record_rarely(arenas, &mut resources.account, cell);
        cell
    }

    /// Allocates an object of 1 to 8 words, which the caller writes, if that takes no
    /// growth and no other rare step; see [`Arena::alloc_ready`].
    #[inline(always)]
    pub(crate) fn alloc_ready(
        &mut self,
        kind: Kind,
        len: u32,
        words: u32,
    ) -> Option<(Cell, usize)> {
        if !self.log.is_ready() {
            return None;
        }
        let arena = self.arenas.get_mut(kind)?;
        let (cell, first) = arena.alloc_ready(&mut self.resources, len, words)?;
        Some((self.record(cell), first))
    }

    /// Checks that the limits allow an object of `words` words; see
    /// [`Arena::check_room`].
    pub(crate) fn check_room(&mut self, kind: Kind, words: usize) -> Result<()> {
        let arena = self.arenas.get_mut(kind).ok_or(Error::NotAHandle)?;
        arena.check_room(&mut self.resources, words)
    }

    /// [`Store::alloc_with`] for an object of another kind than its source: `fill` gets
    /// the arena of kind `from` to read.
    #[inline(always)]
    pub(crate) fn alloc_from(
        &mut self,
        from: Kind,
        kind: Kind,
        (len, words): (u32, usize),
        fill: impl FnOnce(&Arena, &mut [u64]) -> Result<()>,
    ) -> Result<Cell> {
        let log = self.log.reserve_one(&self.arenas, &mut self.resources.account)?;
        let (source, target) = self.arenas.read_and_write(from, kind)?;
        let fill = |words: &mut [u64]| fill(source, words);
        match target.alloc(&mut self.resources, len, words, fill) {
            Ok(cell) => Ok(self.record(cell)),
            Err(error) => Err(self.log.give_back(&mut self.resources.account, log, error)),
        }
    }

    /// Allocates an object without a record of it: [`Store::record_all`] or
    /// [`Store::roll_back`] has to follow.
    #[inline(always)]
    pub(crate) fn alloc_unrecorded(
        &mut self,
        kind: Kind,
        len: u32,
        words: usize,
        fill: impl FnOnce(&mut [u64]) -> Result<()>,
    ) -> Result<Cell> {
        let arena = self.arenas.get_mut(kind).ok_or(Error::NotAHandle)?;
        arena.alloc(&mut self.resources, len, words, fill)
    }

    /// Reserves room for `additional` more elements of the sequence in slot `index`;
    /// returns the slot.
    pub(crate) fn reserve(&mut self, kind: Kind, index: u32, additional: usize) -> Result<Slot> {
        let arena = self.arenas.get_mut(kind).ok_or(Error::NotAHandle)?;
        arena.reserve(&mut self.resources, index, additional)?;
        arena.slot(index)
    }

    /// Records the allocation of `counts.0` objects, or of none if it fails, where `counts.1`
    /// others are noted afterwards as objects in no region.
    pub(crate) fn record_all(
        &mut self,
        counts: (usize, usize),
        cells: impl Iterator<Item = Cell>,
    ) -> Result<()> {
        self.log.record_all(&self.arenas, &mut self.resources.account, counts, cells)
    }

    /// Frees an object; see [`Heap::free`](crate::Heap::free).
    #[inline]
    pub(crate) fn free(&mut self, cell: Cell) -> Result<()> {
        let arena = self.arenas.of_handle_mut(cell);
        match arena.and_then(|arena| arena.free_ready(cell)) {
            Some(()) => Ok(()),
            None => self.free_rarely(cell),
        }
    }

    /// [`Store::free`] of a last generation, of a slot of an earlier peak, or of none.
    #[cold]
    #[inline(never)]
    fn free_rarely(&mut self, cell: Cell) -> Result<()> {
        let kind = cell.kind().ok_or(Error::NotAHandle)?;
        if kind == Kind::SEALED {
            return Err(Error::Sealed);
        }
        let arena = self.arenas.get_mut(kind).ok_or(Error::Stale { kind })?;
        arena.free(&mut self.resources.tally, cell)
    }

    /// Frees every object.
    pub(super) fn clear(&mut self) {
        self.arenas.iter_mut().for_each(Arena::clear);
        self.arenas.clear_symbols();
        self.log.clear();
        self.forget_states();
    }

    /// Gives back spare capacity of the log and of states.
    pub(super) fn trim(&mut self) {
        for arena in self.arenas.iter_mut() {
            arena.states_mut().trim(&mut self.resources.account);
        }
        self.log.trim(&mut self.resources.account);
    }

    /// Compacts the arenas that `wanted` selects; returns their number.
    pub(crate) fn compact_where(&mut self, mut wanted: impl FnMut(&Arena) -> bool) -> u32 {
        let mut compacted = 0_u32;
        for kind in Kind::ALL {
            if self.arenas.get(kind).is_some_and(&mut wanted) {
                shrink_spare_tables(&mut self.arenas, &mut self.resources, kind);
            }
        }
        for arena in self.arenas.iter_mut() {
            if wanted(arena) {
                let from = arena.memory().size();
                arena.compact(&mut self.resources);
                let (arena, to) = (arena.kind(), arena.memory().size());
                self.resources.account.note_event(EventKind::Compaction { arena, from, to });
                compacted = compacted.saturating_add(1);
            }
        }
        compacted
    }

    /// The bytes in use by live objects: in their blocks, and 16 for the slot of each.
    /// O(kinds).
    pub(crate) fn live_bytes(&self) -> u64 {
        self.arenas.payload_bytes().saturating_add(self.arenas.used_slot_bytes())
    }

    /// [`Store::live_bytes`], and what retired slots count as.
    pub(crate) fn footprint(&self) -> u64 {
        let retired: u64 = self.arenas.iter().map(|arena| u64::from(arena.usage().retired)).sum();
        self.live_bytes().saturating_add(retired.saturating_mul(Tally::RETIRED_BYTES))
    }

    /// The bytes on the account, and the words up to the last blocks of all arenas: a
    /// collection that changes neither makes no room.
    pub(crate) fn extent(&self) -> (usize, u64) {
        (self.account().used(), self.arenas.iter().map(Arena::top).sum())
    }

    pub(super) fn usage(&self, scratch_bytes: usize, host_bytes: u64) -> Usage {
        let [hosts, seals, arenas @ ..] = self.arenas.each(Arena::usage);
        let total_bytes = to_u64(self.account().used());
        let scratch_bytes = to_u64(scratch_bytes);
        Usage { arenas, hosts, seals, host_bytes, scratch_bytes, total_bytes }
    }

    /// Bytes requested for arenas, mark bits and log.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        let arenas = self.arenas.iter().map(|arena| arena.usage().reserved_bytes);
        let bitmap = to_u64(self.resources.bitmap_words()).saturating_mul(8);
        let symbols = self.arenas.symbols().reserved_bytes();
        let others = self.log.reserved_bytes().saturating_add(symbols);
        let others = others.saturating_add(self.account().event_bytes());
        arenas.fold(bitmap, u64::saturating_add).saturating_add(others)
    }

    /// The state that [`Store::roll_back`] returns to.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            extents: self.arenas.each(Arena::extent),
            bitmap_words: self.resources.bitmap_words(),
            log_capacity: self.log.capacity(),
            tally: self.resources.tally,
        }
    }

    /// Undoes all allocations since a checkpoint: `allocated` are their handles, the
    /// newest first, and no cell outside of them refers to these objects.
    pub(crate) fn roll_back(
        &mut self,
        checkpoint: &Checkpoint,
        allocated: impl Iterator<Item = Cell>,
    ) {
        for cell in allocated {
            if let Some(arena) = self.arenas.get_mut(cell.selector()) {
                arena.roll_back(cell);
            }
        }
        for (arena, extent) in self.arenas.iter_mut().zip(checkpoint.extents) {
            arena.shrink(&mut self.resources, extent);
        }
        self.resources.shrink_bitmap(checkpoint.bitmap_words);
        self.log.shrink(&mut self.resources.account, checkpoint.log_capacity);
        self.resources.tally = checkpoint.tally;
    }
}
