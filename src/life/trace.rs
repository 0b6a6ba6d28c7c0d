//! [`Trace`]: a depth-first traversal of the objects that some roots reach.
//!
//! It has a mark bit for each slot, in memory reserved with the slots, and a work list
//! that starts on the stack and grows while the limits allow. Objects that overflow the
//! list are deferred: a second bit per slot records them until the list is empty. That
//! is slower, and needs no memory that a limit or the allocator could refuse. There is
//! no recursion.
//!
//! Work is taken from the list in batches, whose slots and then payloads are prefetched
//! before they are used.

use core::mem::take;

use smallvec::SmallVec;

use super::ephemerons::{Held, Marking, hash, held, markable, next_weak, stride, value};
use crate::arena::{Account, Arenas, prefetch_cells};
use crate::heap::Ephemerons;
use crate::words::{Cell, to_u64, to_usize};

/// Objects in a batch: as many cache misses as overlap.
const BATCH: usize = 32;
/// Entries of the work list on the stack.
const INLINE: usize = 256;

/// The first word of the mark bits of each selector; past the end for a selector
/// without an arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bases([usize; 16], usize);

impl Bases {
    /// Lays out the bits of all arenas; returns the number of bits for a trace, half of
    /// them marks, half of them for deferred objects.
    pub(crate) fn new(arenas: &Arenas) -> (Bases, usize) {
        let (mut bases, mut words) = ([usize::MAX >> 1; 16], 0_usize);
        for arena in arenas.iter() {
            if let Some(base) = bases.get_mut(arena.kind().index()) {
                *base = words;
            }
            words = words.saturating_add(arena.indices().div_ceil(64));
        }
        (Bases(bases, words), words.saturating_mul(128))
    }

    /// The words of marks.
    pub(crate) const fn words(&self) -> usize {
        self.1
    }

    /// The first word of the bits of a kind.
    #[inline(always)]
    pub(crate) fn of(&self, kind: crate::words::Kind) -> usize {
        self.0.get(kind.index()).copied().unwrap_or(usize::MAX)
    }
}

/// A bit for each slot of each arena.
#[derive(Debug)]
pub(crate) struct Marks<'w> {
    bits: &'w mut [u64],
    bases: Bases,
}

impl<'w> Marks<'w> {
    pub(crate) fn new(bits: &'w mut [u64], bases: Bases) -> Marks<'w> {
        Marks { bits, bases }
    }

    #[inline(always)]
    fn word(&self, cell: Cell) -> usize {
        self.bases.of(cell.selector()).wrapping_add(to_usize(cell.slot()) / 64)
    }

    /// The bit of the slot that a handle refers to; unspecified if there is no such
    /// slot.
    #[inline(always)]
    pub(crate) fn get(&self, cell: Cell) -> bool {
        self.bits.get(self.word(cell)).is_some_and(|word| word >> (cell.slot() % 64) & 1 == 1)
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, cell: Cell, value: bool) {
        let place = self.word(cell);
        if let Some(word) = self.bits.get_mut(place) {
            let mask = 1 << (cell.slot() % 64);
            *word = if value { *word | mask } else { *word & !mask };
        } else {
            debug_assert!(false, "every slot has a bit");
        }
    }

    /// Takes word `n` of an arena's bits and leaves 0.
    fn take_word(&mut self, base: usize, n: usize) -> u64 {
        self.bits.get_mut(base.wrapping_add(n)).map_or(0, take)
    }
}

/// A traversal that visits each object at most once. An object is pending while its
/// mark has the value `PENDING`. With `false`, all objects are pending at first, and
/// visiting one sets its mark; with `true`, only objects whose marks were set before
/// are pending, and visiting one clears its mark.
#[derive(Debug)]
pub(crate) struct Trace<'w, const PENDING: bool> {
    pub(crate) marks: Marks<'w>,
    /// The first `top` of these are the work list.
    work: SmallVec<[Cell; INLINE]>,
    top: usize,
    /// Pending objects that the work list had no room for.
    deferred: Marks<'w>,
    any_deferred: bool,
    /// The entries of weak tables that wait for their keys. With `PENDING`, all tables hold
    /// their entries.
    ephemerons: Ephemerons,
    /// The entries of weak tables that were looked at, and words of bits, by two.
    pub(crate) examined: u64,
}

impl<'w, const PENDING: bool> Trace<'w, PENDING> {
    /// `bits` are as many as [`Bases::new`] returns.
    pub(crate) fn new(bits: &'w mut [u64], bases: Bases) -> Self {
        let (marks, deferred) = bits.split_at_mut(bits.len() / 2);
        let (marks, deferred) = (Marks::new(marks, bases), Marks::new(deferred, bases));
        let (work, ephemerons) = (SmallVec::new(), Ephemerons::default());
        Trace { marks, work, top: 0, deferred, any_deferred: false, ephemerons, examined: 0 }
    }

    #[inline(always)]
    fn is_pending(&self, cell: Cell) -> bool {
        self.marks.get(cell) == PENDING
    }

    /// Adds the handles of pending objects among the cells of an object to the work
    /// list. Each cell is written, and then counted if it is such a handle: a branch
    /// would mispredict.
    #[inline(always)]
    fn scan(&mut self, arenas: &Arenas, account: &mut Account, cells: &[Cell]) {
        for cells in cells.chunks(INLINE / 2) {
            let end = self.top.saturating_add(cells.len());
            if end > self.work.len() && !self.grow(account, end) {
                cells.iter().for_each(|&cell| self.defer(arenas, cell));
                continue;
            }
            let Some(room) = self.work.get_mut(self.top..end) else {
                debug_assert!(false, "the work list has grown");
                continue;
            };
            let mut added = 0_usize;
            for &cell in cells {
                if let Some(place) = room.get_mut(added) {
                    *place = cell;
                }
                let pending = cell.is_handle() & (self.marks.get(cell) == PENDING);
                added = added.wrapping_add(usize::from(pending));
            }
            self.top = self.top.wrapping_add(added);
        }
    }

    /// Records an object, to be visited when the work list is empty. A retired slot is
    /// marked at once.
    #[cold]
    fn defer(&mut self, arenas: &Arenas, cell: Cell) {
        let arena = arenas.of(cell).filter(|_| cell.is_handle());
        let Some(arena) = arena.filter(|_| self.is_pending(cell)) else { return };
        if arena.contains(cell) {
            self.deferred.set(cell, true);
            self.any_deferred = true;
        } else if arena.is_retired(cell.slot()) {
            self.marks.set(cell, !PENDING);
        }
    }

    /// Grows the work list to `end` entries or more; returns whether limits and
    /// allocator allowed that.
    #[cold]
    fn grow(&mut self, account: &mut Account, end: usize) -> bool {
        let old = self.work.capacity();
        if end > old {
            let bytes = old.saturating_mul(size_of::<Cell>());
            // Both buffers exist during the copy.
            let room = account.left() >= bytes.saturating_mul(3) && !account.injects_failure();
            if !room || self.work.try_grow(old.saturating_mul(2)).is_err() {
                return false;
            }
            account.replace(if old == INLINE { 0 } else { bytes }, bytes.saturating_mul(2));
        }
        let len = end.saturating_mul(2).min(self.work.capacity());
        self.work.resize(len, Cell::NULL);
        true
    }

    /// Adds a root.
    pub(crate) fn add(&mut self, arenas: &Arenas, account: &mut Account, root: Cell) {
        if self.top >= INLINE / 2 {
            self.drain(arenas, account);
        }
        self.scan(arenas, account, &[root]);
    }

    /// Visits the objects on the work list and all that they reach.
    fn drain(&mut self, arenas: &Arenas, account: &mut Account) {
        let (mut pending, mut objects) = ([Cell::NULL; BATCH], [&[][..]; BATCH]);
        while self.top > 0 {
            debug_assert!(self.top <= self.work.len(), "the work list is a prefix");
            let batch = self.top.saturating_sub(BATCH)..self.top;
            self.top = batch.start;
            let mut count = 0_usize;
            for &cell in self.work.get(batch).unwrap_or_default() {
                if let Some(place) = pending.get_mut(count) {
                    *place = cell;
                }
                count = count.wrapping_add(usize::from(self.is_pending(cell)));
            }
            let pending = pending.get(..count).unwrap_or_default();
            for cell in pending {
                if let Some(arena) = arenas.of(*cell) {
                    arena.prefetch_slot(cell.slot());
                }
            }
            let mut places = objects.iter_mut();
            for &cell in pending {
                if let Some(cells) = self.visit(arenas, account, cell)
                    && let Some(place) = places.next()
                {
                    prefetch_cells(cells);
                    *place = cells;
                }
            }
            let left = places.len();
            let visited = objects.len().wrapping_sub(left);
            for cells in objects.get(..visited).unwrap_or_default() {
                self.scan(arenas, account, cells);
            }
        }
    }

    /// Visits the object that a cell refers to; returns its cells, unless it has none.
    /// A retired slot that the cell refers to counts as visited, too, which prevents
    /// its recycling.
    #[inline(always)]
    fn visit<'a>(
        &mut self,
        arenas: &'a Arenas,
        account: &mut Account,
        cell: Cell,
    ) -> Option<&'a [Cell]> {
        if !self.is_pending(cell) {
            return None;
        }
        let arena = arenas.of(cell)?;
        match arena.find(cell) {
            Some(slot) => {
                self.marks.set(cell, !PENDING);
                if !PENDING && self.ephemerons.is_any() {
                    self.reach_key(arenas, account, cell);
                }
                if !PENDING && arena.is_weak(slot) {
                    self.reach_weak(arenas, account, cell);
                    return None;
                }
                arena.cells(slot).ok().filter(|cells| !cells.is_empty())
            }
            None => {
                if arena.is_retired(cell.slot()) {
                    self.marks.set(cell, !PENDING);
                }
                None
            }
        }
    }

    /// Takes note of the key of an entry that has been visited.
    #[cold]
    #[inline(never)]
    fn reach_key(&mut self, arenas: &Arenas, account: &mut Account, key: Cell) {
        let mut next = self.ephemerons.first(hash(arenas, key), key);
        while let Some((entry, place)) = next {
            self.examined = self.examined.saturating_add(1);
            if let Some(value) = value(arenas, entry) {
                self.scan(arenas, account, &[value]);
            }
            next = self.ephemerons.next(place);
        }
    }

    /// Takes note of a weak table that has been visited.
    #[cold]
    #[inline(never)]
    fn reach_weak(&mut self, arenas: &Arenas, account: &mut Account, table: Cell) {
        if self.ephemerons.is_late() {
            self.scan_weak(arenas, account, table);
        } else {
            self.deferred.set(table, true);
            self.any_deferred = true;
        }
    }

    /// Scans what the entries of a weak table hold. The others are noted under their keys.
    fn scan_weak(&mut self, arenas: &Arenas, account: &mut Account, table: Cell) {
        let arena = arenas.of(table);
        let cells = arena.and_then(|arena| arena.cells(arena.find(table)?).ok());
        for entry in cells.unwrap_or_default().chunks(stride(arenas, table.selector())) {
            self.examined = self.examined.saturating_add(1);
            match held(arenas, table, entry, |key| self.marks.get(key)) {
                Held::Cells(cells) => self.scan(arenas, account, &markable(arenas, cells, true)),
                Held::Nothing(entry) => {
                    self.ephemerons.add(account, hash(arenas, entry.key), entry);
                }
            }
        }
    }

    /// Goes through all weak tables again. Returns whether that has reached anything.
    fn scan_all_weak(&mut self, arenas: &Arenas, account: &mut Account) -> bool {
        let mut place = (0, 0);
        while let Some(table) = next_weak(arenas, &mut place) {
            if self.marks.get(table) {
                self.scan_weak(arenas, account, table);
            }
        }
        self.top > 0 || self.any_deferred
    }

    /// Visits all that the roots reach, deferred objects included.
    pub(crate) fn converge(&mut self, arenas: &Arenas, account: &mut Account) {
        self.drain(arenas, account);
        self.ephemerons.be_late();
        self.visit_deferred(arenas, account);
        while self.ephemerons.is_lost() && self.scan_all_weak(arenas, account) {
            self.drain(arenas, account);
            self.visit_deferred(arenas, account);
        }
    }

    fn visit_deferred(&mut self, arenas: &Arenas, account: &mut Account) {
        while take(&mut self.any_deferred) {
            for arena in arenas.iter() {
                let base = self.deferred.bases.of(arena.kind());
                let words = arena.indices().div_ceil(64);
                // Half as large as an entry.
                self.examined = self.examined.saturating_add(to_u64(words / 2));
                for n in 0..words {
                    let mut bits = self.deferred.take_word(base, n);
                    while bits != 0 {
                        let index =
                            n.wrapping_mul(64).wrapping_add(to_usize(bits.trailing_zeros()));
                        bits &= bits.wrapping_sub(1);
                        let index = u32::try_from(index).unwrap_or(u32::MAX);
                        if let Ok(slot) = arena.slot(index) {
                            let cell = Cell::of_slot(slot.key, index);
                            if !PENDING && !self.is_pending(cell) && arena.is_weak(slot) {
                                self.scan_weak(arenas, account, cell);
                            }
                            self.scan(arenas, account, &[cell]);
                            self.drain(arenas, account);
                        }
                    }
                }
            }
        }
    }

    /// Visits what is left, and frees the work list. Returns the entries of weak tables whose
    /// keys were not reached, and how much was looked at for weak tables.
    pub(crate) fn finish(mut self, arenas: &Arenas, account: &mut Account) -> (Ephemerons, u64) {
        self.converge(arenas, account);
        if self.work.spilled() {
            account.replace(self.work.capacity().saturating_mul(size_of::<Cell>()), 0);
        }
        (self.ephemerons, self.examined)
    }
}

/// The marks of a collection of the whole heap at once.
#[derive(Debug)]
pub(crate) struct TraceReader<'r, 'w> {
    pub(crate) trace: &'r mut Trace<'w, false>,
    pub(crate) arenas: &'r Arenas,
    pub(crate) account: &'r mut Account,
}

impl Marking for TraceReader<'_, '_> {
    fn is_marked(&self, cell: Cell) -> bool {
        self.trace.marks.get(cell)
    }

    fn rescue(&mut self, cell: Cell) {
        if let Some(cells) = self.trace.visit(self.arenas, self.account, cell) {
            self.trace.scan(self.arenas, self.account, cells);
        }
    }

    fn arenas(&self) -> &Arenas {
        self.arenas
    }
}
