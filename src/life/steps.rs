//! Collections that stop the program only for a part of the work: young collections, of
//! the objects allocated since the last one; and cycles in steps, which mark and sweep the
//! whole heap a bit at a time.
//!
//! Both go by the states of objects (`arena/slots/states`). Between cycles, white objects
//! are young, black ones old: a young collection marks from roots and from old objects that
//! were written since (grey), never through black ones, and frees white objects that it did
//! not reach. Marks stay, as in sticky mark bits (Demers et al. 1990): what is reached is
//! old from then on.
//!
//! A cycle makes all objects white, and marks in steps. An object that is written after it
//! was scanned is scanned again; new ones are white. Marking ends in a step whose roots
//! reach nothing white. From there on, white objects are garbage, and new ones black.

use super::collect::Collected;
use super::ephemerons::MarkReader;
use super::mark::{Marker, StateReader, VISIT};
use crate::arena::{Arena, Tally};
use crate::heap::{Heap, Pacer, Phase, Position, Stopwatch, StoreParts};
use crate::words::{Cell, Collection, Result, to_u64};
#[cfg(doc)]
use crate::words::{Error, Policy};

/// What a step of a cycle has done; returned by [`Heap::step`] and [`Heap::collect_debt`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Whether no cycle is under way afterwards.
    pub finished: bool,
    /// The bytes that were marked or swept: the cells of the objects scanned, 8 for each
    /// handle among them found to be marked meanwhile, 16 for each object marked and root or
    /// pin tested, 32 for each object freed, and what the search for these takes.
    pub work: u64,
    /// Objects freed, host objects and seals included.
    pub freed: u64,
    /// Entries removed from weak tables, as their keys were freed.
    pub cleared: u64,
    /// Stale roots, handles of objects that were freed before, if the step got as far as the
    /// roots: where marking ends.
    pub stale_roots: usize,
}

/// Bytes that the limit has to leave for a collection in steps near it: memory grows by pages.
const ROOM_OF_STEPS: u64 = 512 << 10;
/// Work without a bound.
pub(super) const ALL: u64 = u64::MAX;

impl Heap {
    /// Does a step of a collection of the whole heap, and begins one if none is under way. A
    /// step is of `work` bytes or a little more: up to twice as many where objects that were
    /// written since are scanned again. After the last step, every object is freed that was
    /// not reachable when the collection began; of those that became garbage later, some are.
    ///
    /// `roots` are as for [`Heap::collect`], at the time of this step. Objects may change
    /// between two steps, and be allocated and freed. A handle that is not among the roots
    /// stays a weak reference: while a step leaves the collection sweeping, `get` opens an
    /// object that was found to be garbage until it is freed, but [`Heap::upgrade`],
    /// [`Heap::contains`], [`Heap::pin`], [`Heap::watch`] and [`Heap::seal`] treat it as
    /// freed; nothing that refers to it keeps it.
    ///
    /// A step takes O(`work`), and O(roots + slots / 2,048) where marking begins and ends.
    /// It scans objects of more than 4,096 cells in parts, and does not scan them again for
    /// single elements or entries stored. One that is opened as a slice or window, or whose
    /// cells are moved, between all steps is scanned from the beginning each time: a VM that
    /// keeps doing that ends the collection by [`Heap::collect`], which is what
    /// [`Heap::collect_debt`] does when much has been allocated meanwhile. If memory is
    /// refused for two bits for each slot, the step collects the whole heap.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let kept = heap.alloc(List::of(&[]))?;
    /// let garbage = heap.alloc(List::of(&[kept.into()]))?;
    /// while !heap.step([kept.cell()], 1 << 10)?.finished {}
    /// assert!(heap.contains(kept) && !heap.contains(garbage));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn step<I>(&mut self, roots: I, work: u64) -> Result<Step>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        self.step_from(&mut roots.into_iter().map(Into::into), work, &mut |_| {})
    }

    pub(super) fn step_from(
        &mut self,
        roots: &mut dyn Iterator<Item = Cell>,
        work: u64,
        notice: &mut dyn FnMut(&mut MarkReader<'_>),
    ) -> Result<Step> {
        let watch = Stopwatch::start();
        let (step, at_once) = self.step_of(roots, work, notice)?;
        if !at_once {
            self.note_steps(&step, watch);
        }
        Ok(step)
    }

    /// [`Heap::step`], without a note of it. Returns whether it was a collection of the
    /// whole heap at once as well.
    pub(super) fn step_of(
        &mut self,
        mut roots: impl Iterator<Item = Cell>,
        work: u64,
        notice: &mut dyn FnMut(&mut MarkReader<'_>),
    ) -> Result<(Step, bool)> {
        if !self.begin_step() {
            let done = self.collect_from(roots, core::iter::empty(), false, notice)?;
            return Ok((Step::of_collection(done), true));
        }
        self.note_begin(Collection::Step);
        let (mut step, work) = (Step::default(), work.max(1));
        if self.cycle.phase == Phase::Whitening {
            self.whiten_step(work, &mut step);
        }
        if self.cycle.phase == Phase::Marking && step.work < work {
            self.mark_step(&mut roots, work.saturating_sub(step.work), &mut step, notice);
        }
        if self.cycle.phase == Phase::Sweeping {
            self.sweep_step(work.saturating_sub(step.work), &mut step);
        }
        step.finished = self.cycle.phase == Phase::Idle;
        self.note_step();
        if step.finished {
            self.finish_cycle();
        }
        self.note_end(Collection::Step, step.freed, step.work);
        self.drop_dead_values();
        self.verify_if_stressed()?;
        Ok((step, false))
    }

    /// Notes steps that were one pause.
    pub(super) fn note_steps(&mut self, step: &Step, watch: Stopwatch) {
        let stats = &mut self.stats;
        stats.steps = stats.steps.saturating_add(1);
        stats.cycles = stats.cycles.saturating_add(u64::from(step.finished));
        stats.work = stats.work.saturating_add(step.work);
        stats.freed = stats.freed.saturating_add(step.freed);
        watch.stop(stats);
    }

    /// Frees every object that was allocated since the last collection, of whatever kind
    /// that was, and that neither the roots reach nor an old object: one that survived a
    /// collection. One that was pinned since then counts as old, even if it is unpinned again.
    /// O(young objects and their cells + old objects written since the last collection and
    /// their cells + roots + slots / 2,048).
    ///
    /// The first collection of a heap is one of the whole heap, and so is one after memory
    /// was refused for two bits for each slot. If a collection in steps is under way, this
    /// ends it first, at once.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let old = heap.alloc(List::of(&[]))?;
    /// heap.collect_young([old.cell()])?;
    /// let young = heap.alloc(List::of(&[]))?;
    /// heap.get_mut(old)?.push(young.into())?;
    /// let garbage = heap.alloc(List::of(&[old.into()]))?;
    /// heap.collect_young([segheap::Cell::NULL])?;
    /// assert!(heap.contains(old) && heap.contains(young) && !heap.contains(garbage));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn collect_young<I>(&mut self, roots: I) -> Result<Collected>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        self.collect_young_from(&mut roots.into_iter().map(Into::into), &mut |_| {})
    }

    pub(super) fn collect_young_from(
        &mut self,
        roots: &mut dyn Iterator<Item = Cell>,
        notice: &mut dyn FnMut(&mut MarkReader<'_>),
    ) -> Result<Collected> {
        self.cycle.keeps_states = true;
        self.finish_sweep();
        if self.cycle.phase != Phase::Idle || !self.store.has_states() {
            return self.collect_from(roots, core::iter::empty(), false, notice);
        }
        let watch = Stopwatch::start();
        self.note_begin(Collection::Young);
        let before = self.store.arenas().payload_bytes();
        let mut step = Step::default();
        let (promoted, remembered) = self.mark_step(roots, ALL, &mut step, notice);
        self.sweep_step(ALL, &mut step);
        self.cycle.ephemerons.end(self.store.account_mut());
        self.note_young();
        self.note_end(Collection::Young, step.freed, step.work);
        self.drop_dead_values();
        self.verify_if_stressed()?;
        let done = Collected {
            promoted,
            remembered,
            freed: step.freed,
            cleared: step.cleared,
            freed_bytes: before.saturating_sub(self.store.arenas().payload_bytes()),
            live: self.usage().all_live(),
            stale_roots: step.stale_roots,
            work: step.work,
            ..Collected::default()
        };
        self.stats.young = self.stats.young.saturating_add(1);
        self.note_pause(&done, watch);
        Ok(done)
    }

    /// Notes a collection at once, of the whole heap or of young objects.
    pub(super) fn note_pause(&mut self, done: &Collected, watch: Stopwatch) {
        let stats = &mut self.stats;
        stats.work = stats.work.saturating_add(done.work);
        stats.freed = stats.freed.saturating_add(done.freed);
        stats.promoted = stats.promoted.saturating_add(done.promoted);
        stats.remembered = stats.remembered.saturating_add(done.remembered);
        watch.stop(stats);
    }

    /// Returns whether [`Heap::collect_debt`] has something to do by the [`Policy`]. O(1):
    /// call it at safe points.
    #[inline]
    pub fn has_debt(&self) -> bool {
        let (tally, account) = (&self.store.resources().tally, self.store.account());
        if self.cycle.phase == Phase::Idle {
            self.pacer.is_young_due(tally) || self.pacer.is_cycle_due(tally, account)
        } else {
            self.pacer.is_step_due(tally, account)
        }
    }

    /// Does what is due by the [`Policy`], so that no pause is long; nothing without a
    /// debt. A young collection is due after [`Policy::young_bytes`]. Once the objects that
    /// these left have made the heap grow by [`Policy::growth_percent`], the whole heap is
    /// collected in steps, without young collections until that has ended. A step marks or
    /// sweeps eight times as many bytes as were allocated since the one before, and 32 times
    /// as many while a limit is near, but no more than for twice [`Policy::step_bytes`]; and
    /// once as many were marked as the heap has, since the program writes to objects faster
    /// than steps scan them again, each twice as many as the one before it. The rest of it is
    /// done at once where a limit has refused a growth or leaves too little room for steps, or
    /// where as much was allocated since the collection began as was in use then.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let mut registers = [Cell::NULL; 8];
    /// for n in 0..100_000 {
    ///     registers[n % 8] = heap.alloc(List::of(&[Cell::TRUE; 16]))?.into();
    ///     if heap.has_debt() {
    ///         heap.collect_debt(registers)?;
    ///     }
    /// }
    /// assert!(heap.usage().live() < 20_000);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn collect_debt<I>(&mut self, roots: I) -> Result<Step>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        self.collect_debt_from(&mut roots.into_iter().map(Into::into), &mut |_| {})
    }

    pub(super) fn collect_debt_from(
        &mut self,
        roots: &mut dyn Iterator<Item = Cell>,
        notice: &mut dyn FnMut(&mut MarkReader<'_>),
    ) -> Result<Step> {
        if !self.has_debt() {
            let finished = self.cycle.phase == Phase::Idle;
            return Ok(Step { finished, ..Step::default() });
        }
        self.cycle.keeps_states = true;
        let policy = self.pacer.policy();
        let (tally, account) = (self.store.resources().tally, self.store.account());
        let is_under_way = self.cycle.phase != Phase::Idle;
        // The first collection, of the whole heap, has steps as well.
        let is_first = policy.young_bytes > 0 && !self.store.has_states();
        let is_due = is_under_way || is_first || self.pacer.is_cycle_due(&tally, account);
        let at_once = policy.step_bytes == 0 || is_under_way && self.pacer.is_late(&tally);
        // Near a limit, steps need some room to end before it is met.
        let room = to_u64(account.left());
        let is_tight = room < (self.store.live_bytes() / 16).saturating_add(ROOM_OF_STEPS);
        let is_tight = is_tight && self.pacer.is_urgent(&tally, account);
        if is_tight || self.pacer.is_refused(&tally, account) || is_due && at_once {
            let done = self.collect_from(roots, core::iter::empty(), false, notice)?;
            return Ok(Step::of_collection(done));
        }
        if is_due {
            // Before a cycle, more was allocated than since the last step.
            let most = policy.step_bytes.saturating_mul(if is_under_way { 2 } else { 1 });
            let bytes = tally.bytes.min(most).max(policy.step_bytes);
            let factor = Pacer::speed(account).checked_shl(self.cycle.rescans).unwrap_or(ALL);
            return self.step_from(roots, bytes.saturating_mul(factor), notice);
        }
        self.collect_young_from(roots, notice).map(Step::of_collection)
    }

    /// Begins a cycle unless one is under way. Returns whether one is afterwards.
    fn begin_step(&mut self) -> bool {
        if self.cycle.phase != Phase::Idle {
            let lost = self.store.resources().states_lost;
            return !lost || self.cycle.phase == Phase::Sweeping;
        }
        let kept = self.store.begin_states();
        if kept {
            self.cycle.phase = Phase::Whitening;
            (self.cycle.sweep, self.cycle.pins) = (Position::default(), 0);
            let StoreParts { arenas, resources, .. } = self.store.parts();
            let in_use = arenas.payload_bytes().saturating_add(arenas.slot_bytes());
            self.pacer.begin_cycle(&resources.tally, in_use);
        }
        kept
    }

    /// Marks as much as `work` allows, and begins to sweep if nothing is left to be marked.
    /// Outside of a cycle, marks young objects. Returns how many objects were reached, and how
    /// many scanned that had been written.
    fn mark_step(
        &mut self,
        roots: &mut dyn Iterator<Item = Cell>,
        work: u64,
        step: &mut Step,
        notice: &mut dyn FnMut(&mut MarkReader<'_>),
    ) -> (u64, u64) {
        let in_cycle = self.cycle.phase == Phase::Marking;
        let StoreParts { arenas, resources, .. } = self.store.parts();
        let account = &mut resources.account;
        // A pin makes its object grey, so that those of before the cycle are left. The list
        // may become shorter: see `Heap::unpin`.
        let mut pins = if in_cycle { self.cycle.pins } else { usize::MAX };
        let mut marker = Marker::new(&mut self.cycle, work);
        let mut done = marker.drain_list(arenas, account);
        while done && let Some(pinned) = self.roots.pins_from(pins) {
            let count = pinned.len();
            pins = pins.saturating_add(count);
            for pin in pinned {
                marker.add(arenas, account, pin);
            }
            marker.spend(VISIT.saturating_mul(to_u64(count)));
            done = marker.drain_list(arenas, account) && !marker.is_spent();
        }
        done = done && marker.drain(arenas, account);
        if done {
            let count = marker.add_roots(arenas, account, roots, &mut step.stale_roots);
            step.work = step.work.saturating_add(count.saturating_mul(VISIT));
            done = marker.drain(arenas, account);
        }
        if done {
            marker.converge(arenas, account);
            let mut reader = StateReader { marker: &mut marker, arenas };
            let mut reader = MarkReader::new(&mut reader);
            notice(&mut reader);
            if reader.rescued() > 0 {
                // What was rescued is marked like what was reached late: in as many steps.
                done = marker.drain(arenas, account);
                if done {
                    marker.converge(arenas, account);
                }
            }
        }
        let (marked, counts) = (marker.done(), marker.counts());
        step.work = step.work.saturating_add(marked);
        self.cycle.pins = pins;
        if done {
            self.begin_sweep();
        } else {
            self.note_rescans(marked);
        }
        counts
    }

    /// Notes the bytes of a step after which marking goes on.
    fn note_rescans(&mut self, marked: u64) {
        self.cycle.marked = self.cycle.marked.saturating_add(marked);
        if self.cycle.marked > self.store.live_bytes() {
            self.cycle.rescans = self.cycle.rescans.saturating_add(1);
        }
    }

    /// White objects are garbage from here on.
    fn begin_sweep(&mut self) {
        if self.cycle.phase == Phase::Marking {
            self.cycle.phase = Phase::Sweeping;
            self.store.set_sweeping(true);
        }
        self.cycle.sweep = Position::new(0, self.words_to_sweep(0));
        self.cycle.has_freed = false;
    }

    /// Ends a cycle that has swept everything.
    pub(super) fn finish_cycle(&mut self) {
        let has_freed = self.cycle.has_freed;
        self.cycle.end(self.store.account_mut());
        self.store.set_sweeping(false);
        if !self.keeps_states() || !self.store.has_states() {
            // The next cycle will need their memory again.
            self.store.end_states();
        }
        self.restart_pacer(has_freed);
    }

    /// Whether states are kept between collections, for young ones.
    fn keeps_states(&self) -> bool {
        self.cycle.keeps_states && self.pacer.policy().young_bytes > 0
    }

    /// After a collection of the whole heap, outside of a cycle: all objects are old.
    pub(super) fn note_collected(&mut self) {
        self.cycle.end(self.store.account_mut());
        if self.keeps_states() {
            if self.store.keep_states() {
                self.store.arenas_mut().iter_mut().for_each(Arena::blacken_all);
            }
        } else {
            self.store.forget_states();
        }
    }

    /// The allocations so far are accounted for by a step.
    fn note_step(&mut self) {
        let StoreParts { resources, .. } = self.store.parts();
        self.pacer.note_step(&resources.tally);
        resources.tally = Tally::default();
    }

    /// The allocations so far are accounted for by a young collection.
    fn note_young(&mut self) {
        let foreign = to_u64(self.roots.hosts().bytes());
        self.pacer.note_young(self.store.footprint().saturating_add(foreign));
        let StoreParts { resources, .. } = self.store.parts();
        resources.tally = Tally::default();
    }
}

impl Step {
    /// The step that a whole collection was.
    fn of_collection(done: Collected) -> Step {
        let Collected { freed, cleared, stale_roots, work, .. } = done;
        Step { finished: true, freed, cleared, stale_roots, work }
    }
}
