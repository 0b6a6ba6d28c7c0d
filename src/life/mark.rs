//! [`Marker`]: marking that can stop after any amount of work, and go on after the heap
//! has changed. It has the states of objects for marks: white objects are reached, and
//! become black as they are scanned; the write barrier makes black objects grey, and grey
//! ones are scanned again (Dijkstra et al. 1978; Steele 1975).
//!
//! The work list grows while the limits allow. What it has no room for is made grey, so
//! that no memory is needed.

use super::ephemerons::{Held, Marking, hash, held, markable, next_weak, stride, value};
use crate::arena::{Account, Arenas, CHUNK, Slot};
use crate::heap::{Cycle, Partial};
use crate::words::{Cell, Kind, to_u64};

/// Objects in a batch: as many cache misses as overlap.
const BATCH: usize = 32;
/// The bytes that visiting an object counts as.
pub(super) const VISIT: u64 = 16;
/// The capacity of a work list when it first grows.
const FIRST_CAPACITY: usize = 256;
/// The most entries of a work list: it moves when it grows.
const MOST: usize = 1 << 16;

/// Marking, for as long as there is work left to be done.
#[derive(Debug)]
pub(super) struct Marker<'c> {
    cycle: &'c mut Cycle,
    /// Bytes that may be scanned.
    work: u64,
    /// Bytes that were.
    done: u64,
    /// Bytes that may be scanned in addition, of objects that were scanned before.
    again: u64,
    /// Objects that were reached, and grey ones that were scanned.
    counts: (u64, u64),
    /// An object was made grey since the search for grey ones began.
    shaded: bool,
}

impl<'c> Marker<'c> {
    pub(super) const fn new(cycle: &'c mut Cycle, work: u64) -> Marker<'c> {
        Marker { cycle, work, done: 0, again: work, counts: (0, 0), shaded: false }
    }

    /// The bytes that were scanned.
    pub(super) const fn done(&self) -> u64 {
        self.done
    }

    /// The objects that were reached, and the grey ones that were scanned.
    pub(super) const fn counts(&self) -> (u64, u64) {
        self.counts
    }

    /// Whether no work is left.
    #[inline(always)]
    pub(super) const fn is_spent(&self) -> bool {
        self.done >= self.work
    }

    #[inline(always)]
    pub(super) const fn spend(&mut self, bytes: u64) {
        self.done = self.done.saturating_add(bytes);
    }

    /// Spends bytes for what was scanned before: so that marking gets ahead, they do not
    /// count up to as many as the work is.
    fn spend_again(&mut self, bytes: u64) {
        self.spend(bytes);
        let extra = bytes.min(self.again);
        self.again = self.again.saturating_sub(extra);
        self.work = self.work.saturating_add(extra);
    }

    /// Whether anything is left to be scanned, but for grey objects.
    fn has_work(&self) -> bool {
        !self.cycle.work.is_empty() || self.cycle.partial.is_some()
    }

    /// Adds a root.
    #[inline]
    pub(super) fn add(&mut self, arenas: &mut Arenas, account: &mut Account, root: Cell) {
        let arena = arenas.of(root).filter(|arena| root.is_handle() && arena.contains(root));
        if arena.is_some_and(|arena| arena.states().is_white(root.slot())) {
            self.push(arenas, account, &[root]);
        }
    }

    /// Adds roots, and counts those that are stale. Returns how many roots there are.
    pub(super) fn add_roots(
        &mut self,
        arenas: &mut Arenas,
        account: &mut Account,
        roots: &mut dyn Iterator<Item = Cell>,
        stale: &mut usize,
    ) -> u64 {
        let mut count = 0_u64;
        loop {
            let mut batch = [Cell::NULL; BATCH];
            let mut len = 0_usize;
            for (place, root) in batch.iter_mut().zip(&mut *roots) {
                *place = root;
                len = len.wrapping_add(1);
                if let Some(arena) = arenas.of(root).filter(|_| root.is_handle()) {
                    arena.prefetch_slot(root.slot());
                }
            }
            for &root in batch.get(..len).unwrap_or_default() {
                let arena = arenas.of(root).filter(|_| root.is_handle());
                let Some(arena) = arena else { continue };
                if !arena.contains(root) {
                    *stale = stale.saturating_add(1);
                } else if arena.states().is_white(root.slot()) {
                    self.push(arenas, account, &[root]);
                }
            }
            count = count.saturating_add(to_u64(len));
            if len < BATCH {
                return count;
            }
        }
    }

    /// Scans what was reached, and grey objects, until nothing is left of them or of the
    /// work. Returns whether it is the former.
    pub(super) fn drain(&mut self, arenas: &mut Arenas, account: &mut Account) -> bool {
        let (mut place, mut group) = (0, 0);
        while self.drain_list(arenas, account) {
            if !self.scan_grey(arenas, account, (&mut place, &mut group)) {
                if !core::mem::take(&mut self.shaded) {
                    return true;
                }
                (place, group) = (0, 0);
            }
        }
        false
    }

    /// [`Marker::drain`] without the search for grey objects.
    pub(super) fn drain_list(&mut self, arenas: &mut Arenas, account: &mut Account) -> bool {
        while self.has_work() {
            if self.is_spent() {
                return false;
            }
            match self.cycle.partial.take() {
                Some((cell, start)) => self.scan_part(arenas, account, cell, start),
                None => self.scan_batch(arenas, account),
            }
        }
        true
    }

    /// Scans the objects at the end of the work list.
    fn scan_batch(&mut self, arenas: &mut Arenas, account: &mut Account) {
        let len = self.cycle.work.len();
        let start = len.saturating_sub(BATCH);
        let (mut pending, mut count) = ([Cell::NULL; BATCH], 0_usize);
        // A branch would mispredict.
        for cell in self.cycle.work.drain(start..) {
            if let Some(place) = pending.get_mut(count) {
                *place = cell;
            }
            count = count.wrapping_add(usize::from(is_white(arenas, cell)));
        }
        let marked = len.wrapping_sub(start).wrapping_sub(count);
        self.spend(to_u64(marked).saturating_mul(8));
        let pending = pending.get(..count).unwrap_or_default();
        for &cell in pending {
            if let Some(arena) = arenas.of(cell) {
                arena.prefetch_slot(cell.slot());
            }
        }
        let (mut objects, mut visited) = ([None; BATCH], pending);
        for (n, (&cell, object)) in pending.iter().zip(&mut objects).enumerate() {
            if self.is_spent() && n > 0 {
                // The list had room for them before.
                self.cycle.work.extend_from_slice(pending.get(n..).unwrap_or_default());
                visited = pending.get(..n).unwrap_or_default();
                break;
            }
            *object = self.visit(arenas, cell);
        }
        for (cell, slot) in objects.into_iter().flatten() {
            self.scan(arenas, account, cell, slot);
        }
        self.reach_keys(arenas, account, visited);
    }

    /// Makes a white object black; returns it if it has cells.
    #[inline(always)]
    fn visit(&mut self, arenas: &mut Arenas, cell: Cell) -> Option<(Cell, Slot)> {
        let arena = arenas.get_mut(cell.selector())?;
        let slot = arena.find(cell)?;
        if !arena.states().is_white(cell.slot()) {
            return None;
        }
        self.counts.0 = self.counts.0.wrapping_add(1);
        let cells = arena.shape().cells(slot.len);
        // A weak table waits, so that most of its keys have been reached.
        let waits = cells > CHUNK || arena.is_weak(slot) && !self.cycle.ephemerons.is_late();
        let bytes = if waits { 0 } else { to_u64(cells).saturating_mul(8) };
        self.spend(bytes.saturating_add(VISIT));
        if waits {
            // It is scanned, in parts, once the work list is empty.
            arena.states_mut().shade(cell.slot());
            self.shaded = true;
            return None;
        }
        arena.states_mut().blacken(cell.slot());
        arena.prefetch_payload(cell.slot());
        (cells > 0).then_some((cell, slot))
    }

    /// Scans the cells of an object that is black.
    fn scan(&mut self, arenas: &mut Arenas, account: &mut Account, cell: Cell, slot: Slot) {
        let Some(arena) = arenas.of(cell) else { return };
        let Ok(cells) = arena.cells(slot) else { return };
        if arena.is_weak(slot) {
            let len = cells.len();
            self.scan_entries(arenas, account, cell, 0..len);
        } else if self.reserve(account, cells.len()) {
            push_white(&mut self.cycle.work, arenas, cells);
        } else {
            self.shade_white(arenas, cell, 0..cells.len());
        }
    }

    /// Scans the next grey objects, as many as overlap their cache misses, and makes them black.
    /// Returns whether there were any.
    fn scan_grey(
        &mut self,
        arenas: &mut Arenas,
        account: &mut Account,
        (place, group): (&mut usize, &mut usize),
    ) -> bool {
        // The first is left for the next step if no work is left for it.
        let most = if self.is_spent() { 1 } else { BATCH };
        let (mut grey, mut count) = ([(Kind::HOST, 0); BATCH], 0_usize);
        for found in grey.iter_mut().take(most) {
            let (next, passed) = next_grey(arenas, place, group);
            self.spend(to_u64(passed).saturating_mul(8));
            let Some((kind, index)) = next else { break };
            *found = (kind, index);
            count = count.wrapping_add(1);
        }
        let grey = grey.get(..count).unwrap_or_default();
        for &(kind, index) in grey {
            if let Some(arena) = arenas.get(kind) {
                arena.prefetch_payload(index);
            }
        }
        for (n, &(kind, index)) in grey.iter().enumerate() {
            let Some(arena) = arenas.get_mut(kind) else { continue };
            let object = arena.live_at(index).and_then(|cell| Some((cell, arena.find(cell)?)));
            // The slot may have been freed since.
            let Some((cell, slot)) = object else { continue };
            let cells = arena.shape().cells(slot.len);
            let is_large = cells > CHUNK && self.cycle.partial.is_some();
            if n > 0 && (is_large || self.is_spent()) {
                arena.states_mut().shade(index);
                self.shaded = true;
                continue;
            }
            self.counts.1 = self.counts.1.saturating_add(1);
            self.reach_keys(arenas, account, &[cell]);
            if cells > CHUNK || most == 1 {
                self.cycle.partial = Partial::new(cell, 0);
            } else {
                self.spend_again(to_u64(cells).saturating_mul(8).max(VISIT));
                self.scan(arenas, account, cell, slot);
            }
        }
        count > 0
    }

    /// Scans a part of a large object, which is black.
    fn scan_part(&mut self, arenas: &mut Arenas, account: &mut Account, cell: Cell, start: usize) {
        let arena = arenas.of(cell);
        let cells = arena.and_then(|arena| arena.cells(arena.find(cell)?).ok());
        // It may have been freed, or have become shorter.
        let rest = cells.and_then(|cells| cells.get(start..)).unwrap_or_default();
        let is_weak =
            arena.is_some_and(|arena| arena.find(cell).is_some_and(|slot| arena.is_weak(slot)));
        // An entry of a weak table takes as much work again.
        let part = rest.get(..if is_weak { CHUNK / 2 } else { CHUNK }).unwrap_or(rest);
        let (len, end) = (part.len(), start.saturating_add(part.len()));
        self.spend_again(to_u64(len).saturating_mul(8).max(VISIT));
        if len < rest.len() {
            self.cycle.partial = Partial::new(cell, end);
        }
        if is_weak {
            self.scan_entries(arenas, account, cell, start..end);
        } else if self.reserve(account, len) {
            push_white(&mut self.cycle.work, arenas, part);
        } else {
            self.shade_white(arenas, cell, start..end);
        }
    }

    /// Scans what entries of a weak table hold. The others are noted under their keys.
    #[cold]
    #[inline(never)]
    fn scan_entries(
        &mut self,
        arenas: &mut Arenas,
        account: &mut Account,
        table: Cell,
        range: core::ops::Range<usize>,
    ) {
        self.cycle.ephemerons.be_late();
        let stride = stride(arenas, table.selector());
        for start in range.step_by(stride) {
            let arena = arenas.of(table);
            let cells = arena.and_then(|arena| arena.cells(arena.find(table)?).ok());
            let end = start.saturating_add(stride);
            let Some(entry) = cells.and_then(|cells| cells.get(start..end)) else { return };
            let is_marked = |key: Cell| {
                arenas.of(key).is_some_and(|arena| !arena.states().is_white(key.slot()))
            };
            match held(arenas, table, entry, is_marked) {
                Held::Cells(cells) => self.push(arenas, account, &markable(arenas, cells, false)),
                Held::Nothing(entry) => {
                    self.spend(VISIT);
                    self.cycle.ephemerons.add(account, hash(arenas, entry.key), entry);
                }
            }
        }
    }

    /// Takes note of objects that have been reached, and may be keys of weak tables.
    #[inline]
    fn reach_keys(&mut self, arenas: &mut Arenas, account: &mut Account, keys: &[Cell]) {
        if self.cycle.ephemerons.is_any() {
            keys.iter().for_each(|&key| self.reach_key(arenas, account, key));
        }
    }

    #[cold]
    fn reach_key(&mut self, arenas: &mut Arenas, account: &mut Account, key: Cell) {
        let mut next = self.cycle.ephemerons.first(hash(arenas, key), key);
        while let Some((entry, place)) = next {
            self.spend(VISIT);
            if let Some(value) = value(arenas, entry) {
                self.push(arenas, account, &[value]);
            }
            next = self.cycle.ephemerons.next(place);
        }
    }

    /// Where memory was refused for notes of entries, goes through all weak tables until that
    /// reaches nothing more, without a bound.
    pub(super) fn converge(&mut self, arenas: &mut Arenas, account: &mut Account) {
        while self.cycle.ephemerons.is_lost() {
            let mut place = (0, 0);
            while let Some(table) = next_weak(arenas, &mut place) {
                let arena = arenas.of(table);
                let arena = arena.filter(|arena| !arena.states().is_white(table.slot()));
                let cells = arena.and_then(|arena| arena.cells(arena.find(table)?).ok());
                let len = cells.map_or(0, <[Cell]>::len);
                self.spend(to_u64(len).saturating_mul(8).max(VISIT));
                self.scan_entries(arenas, account, table, 0..len);
            }
            if !self.has_work() && !self.shaded {
                return;
            }
            self.work = u64::MAX;
            self.drain(arenas, account);
        }
    }

    /// Makes the white objects grey that cells of an object refer to.
    #[cold]
    fn shade_white(&mut self, arenas: &mut Arenas, cell: Cell, range: core::ops::Range<usize>) {
        for n in range {
            let arena = arenas.of(cell);
            let cells = arena.and_then(|arena| arena.cells(arena.find(cell)?).ok());
            let Some(&child) = cells.and_then(|cells| cells.get(n)) else { return };
            self.shade(arenas, child);
        }
    }

    fn shade(&mut self, arenas: &mut Arenas, cell: Cell) {
        let arena = arenas.get_mut(cell.selector()).filter(|_| cell.is_handle());
        if let Some(arena) = arena.filter(|arena| arena.contains(cell))
            && arena.states().is_white(cell.slot())
        {
            arena.states_mut().shade(cell.slot());
            self.shaded = true;
        }
    }

    /// Adds those of the cells that are white objects.
    fn push(&mut self, arenas: &mut Arenas, account: &mut Account, cells: &[Cell]) {
        if self.reserve(account, cells.len()) {
            push_white(&mut self.cycle.work, arenas, cells);
        } else {
            cells.iter().for_each(|&cell| self.shade(arenas, cell));
        }
    }

    /// Makes room for more entries in the work list; returns whether there is.
    #[inline(always)]
    fn reserve(&mut self, account: &mut Account, more: usize) -> bool {
        let work = &mut self.cycle.work;
        more <= work.capacity().saturating_sub(work.len()) || self.grow(account, more)
    }

    #[cold]
    fn grow(&mut self, account: &mut Account, more: usize) -> bool {
        let work = &mut self.cycle.work;
        let len = work.len().saturating_add(more).max(FIRST_CAPACITY);
        if len > MOST {
            return false;
        }
        let bytes = len.saturating_mul(size_of::<Cell>());
        // Both lists exist during the copy; what a limit refuses would be noted.
        bytes.saturating_mul(2) <= account.left() && account.reserve(work, len).is_ok()
    }
}

/// The marks of a collection by the states of objects.
#[derive(Debug)]
pub(super) struct StateReader<'r, 'c> {
    pub(super) marker: &'r mut Marker<'c>,
    pub(super) arenas: &'r mut Arenas,
}

impl Marking for StateReader<'_, '_> {
    fn is_marked(&self, cell: Cell) -> bool {
        self.arenas.of(cell).is_some_and(|arena| !arena.states().is_white(cell.slot()))
    }

    fn rescue(&mut self, cell: Cell) {
        self.marker.shade(self.arenas, cell);
    }

    fn arenas(&self) -> &Arenas {
        self.arenas
    }
}

/// Whether a cell is a handle whose slot has a white object, or none.
#[inline(always)]
fn is_white(arenas: &Arenas, cell: Cell) -> bool {
    cell.is_handle() && arenas.of(cell).is_some_and(|arena| arena.states().is_white(cell.slot()))
}

/// Appends the handles of white objects among cells to a list that has room for all. Each
/// cell is written, and then counted if it is such a handle: a branch would mispredict.
#[inline(always)]
fn push_white(work: &mut alloc::vec::Vec<Cell>, arenas: &Arenas, cells: &[Cell]) {
    let start = work.len();
    work.extend_from_slice(cells);
    let mut added = 0_usize;
    for &cell in cells {
        if let Some(place) = work.get_mut(start.wrapping_add(added)) {
            *place = cell;
        }
        added = added.wrapping_add(usize::from(is_white(arenas, cell)));
    }
    work.truncate(start.saturating_add(added));
}

/// Takes the next grey slot, which is black from here on; prefetches it. Returns how many words
/// it has looked at as well.
fn next_grey(
    arenas: &mut Arenas,
    place: &mut usize,
    group: &mut usize,
) -> (Option<(Kind, u32)>, usize) {
    let mut passed = 1_usize;
    loop {
        let kind = Kind::from_place(*place);
        let arena = arenas.get_mut(kind).filter(|_| *place < Arenas::COUNT);
        let Some(arena) = arena else { return (None, passed) };
        if let Some(index) = arena.states_mut().next_grey(group, &mut passed) {
            arena.states_mut().blacken(index);
            arena.prefetch_slot(index);
            return (Some((kind, index)), passed);
        }
        (*place, *group) = (place.saturating_add(1), 0);
    }
}
