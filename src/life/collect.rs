//! Mark-sweep collection (McCarthy 1960), and compaction.

use super::ephemerons::{MarkReader, clear_entries};
use super::trace::{Bases, Trace, TraceReader};
use crate::arena::{Account, Arenas, Tally};
use crate::heap::{Ephemerons, Heap, Roots, Stopwatch, Store, StoreParts};
use crate::ops::symbols;
use crate::words::{Cell, Collection as Way, Error, EventKind, Kind, Policy, Result, to_u64};

/// The result of a collection; returned by [`Heap::collect`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Objects freed, host objects and seals included.
    pub freed: u64,
    /// Bytes of the blocks of freed objects.
    pub freed_bytes: u64,
    /// Entries removed from weak tables, as their keys were freed.
    pub cleared: u64,
    /// Objects that are live afterwards, host objects and seals included.
    pub live: u64,
    /// Roots that were stale: handles of objects freed before the collection.
    pub stale_roots: usize,
    /// Position of the first stale root among the roots.
    pub first_stale: Option<usize>,
    /// Retired slots recycled, by [`Heap::collect_and_recycle`] only.
    pub recycled: u64,
    /// The work of a young collection, counted as in [`Step::work`](crate::Step::work); of one
    /// of the whole heap, the bytes of live objects, 32 for each that was freed, and 16 for
    /// each time that the entry of a weak table, or 128 slots for weak tables, were looked at.
    pub work: u64,
    /// Objects that a young collection has reached: they are old from then on.
    pub promoted: u64,
    /// Old objects that a young collection has scanned, as they had been written.
    pub remembered: u64,
    /// Arenas compacted, as [`Policy::compact_percent`] decides or because a limit was
    /// near.
    pub compacted: u32,
}

/// Words that an arena may waste without being compacted: one page.
const WASTE_MIN: u64 = 8192;

/// The factor by which a memory is larger than what it needs after a peak.
const PEAK: u64 = 8;

/// The arenas that wasted more than the policy allows before a collection.
#[derive(Debug)]
struct Wasteful([bool; Arenas::COUNT]);

impl Wasteful {
    /// Called before the collection: what is in use then will be needed again before
    /// the next one, so an arena that each collection empties keeps its pages.
    fn find(arenas: &Arenas, policy: Policy) -> Wasteful {
        let percent = u64::from(policy.compact_percent);
        Wasteful(arenas.each(|arena| {
            let waste = arena.waste();
            let words = to_u64(arena.memory().words().len());
            waste >= WASTE_MIN && waste.saturating_mul(100) > words.saturating_mul(percent)
        }))
    }

    /// Adds the arenas that have far more memory than they need until the next collection:
    /// those of a peak.
    fn add_peaks(&mut self, arenas: &Arenas, policy: Policy) {
        let growth = u64::from(policy.growth_percent);
        for (place, arena) in self.0.iter_mut().zip(arenas.iter()) {
            let usage = arena.usage();
            let used = usage.payload_bytes;
            let next = (used / 100).saturating_mul(growth).max(policy.bytes_min);
            let needed = used.saturating_add(next).saturating_mul(PEAK);
            let size = to_u64(arena.memory().words().len()).saturating_mul(8);
            *place |= policy.compact_percent < 100 && size > needed;
        }
    }

    fn contains(&self, kind: Kind) -> bool {
        self.0.get(kind.place()).is_some_and(|&wasteful| wasteful)
    }
}

/// The phases of a collection. Each slot has a mark bit, set if the object is
/// reachable, or if the slot is retired and some cell still refers to it.
struct Collection<'c> {
    roots: &'c Roots,
    /// Whether to recycle retired slots that no cell refers to.
    recycle: bool,
    /// The callback between marking and sweeping.
    notice: &'c mut dyn FnMut(&mut MarkReader<'_>),
    done: Collected,
}

impl Collection<'_> {
    /// Marks from the roots, marks retired slots that must not be recycled, sweeps.
    fn run(
        &mut self,
        store: &mut Store,
        roots: impl Iterator<Item = Cell>,
        weak: impl Iterator<Item = Cell>,
    ) {
        let StoreParts { arenas, resources, log } = store.parts();
        let before = arenas.payload_bytes();
        log.prune(arenas);
        let (bases, bits) = Bases::new(arenas);
        let mut ephemerons = resources.with_bits(bits, |account, _, bits| {
            let trace = Trace::new(bits, bases);
            let ephemerons = self.mark(arenas, account, trace, roots, weak);
            self.sweep(arenas, bits, bases, account.limits().slots);
            ephemerons
        });
        self.done.freed_bytes = before.saturating_sub(arenas.payload_bytes());
        let cleared = clear_entries(arenas, resources, &mut ephemerons, u64::MAX);
        self.done.cleared = cleared.0;
        self.done.work = self.done.work.saturating_add(cleared.1.saturating_mul(16));
    }

    /// Marks what the roots and the pins reach, and counts stale roots. Returns the entries of
    /// weak tables whose keys were not reached.
    fn mark(
        &mut self,
        arenas: &Arenas,
        account: &mut Account,
        mut trace: Trace<'_, false>,
        roots: impl Iterator<Item = Cell>,
        weak: impl Iterator<Item = Cell>,
    ) -> Ephemerons {
        for (position, root) in roots.enumerate() {
            if root.is_handle() && !arenas.contains(root) {
                self.done.stale_roots = self.done.stale_roots.saturating_add(1);
                self.done.first_stale.get_or_insert(position);
            }
            trace.add(arenas, account, root);
        }
        self.roots.pins().for_each(|pinned| trace.add(arenas, account, pinned));
        if self.recycle {
            self.mark_retired(arenas, &mut trace, weak);
        }
        trace.converge(arenas, account);
        let mut reader = TraceReader { trace: &mut trace, arenas, account };
        (self.notice)(&mut MarkReader::new(&mut reader));
        let (ephemerons, examined) = trace.finish(arenas, account);
        self.done.work = examined.saturating_mul(16);
        ephemerons
    }

    /// Marks retired slots that weak cells or watches refer to. Such a cell prevents
    /// the recycling of its slot, and keeps no object live.
    fn mark_retired(
        &self,
        arenas: &Arenas,
        trace: &mut Trace<'_, false>,
        weak: impl Iterator<Item = Cell>,
    ) {
        for cell in weak.chain(self.roots.watched()).filter(|cell| cell.is_handle()) {
            if arenas.of(cell).is_some_and(|arena| arena.is_retired(cell.slot())) {
                trace.marks.set(cell, true);
            }
        }
    }

    /// Frees unmarked objects, and recycles unmarked retired slots, as far as the limit
    /// on slots allows that; clears the marks.
    fn sweep(&mut self, arenas: &mut Arenas, bits: &mut [u64], bases: Bases, limit: u32) {
        for arena in arenas.iter_mut() {
            let marked = bits.get_mut(bases.of(arena.kind())..).unwrap_or_default();
            debug_assert!(arena.indices().div_ceil(64) <= marked.len(), "every slot has a bit");
            // Before the sweep, which retires slots: they are unmarked, and cells may
            // still refer to them.
            if self.recycle {
                let recycled = arena.recycle(marked, limit);
                self.done.recycled = self.done.recycled.saturating_add(recycled);
            }
            self.done.freed = self.done.freed.saturating_add(arena.sweep(marked));
            for range in arena.stored_ranges() {
                let words = marked.get_mut(range.start / 64..range.end.div_ceil(64));
                words.unwrap_or_default().fill(0);
            }
        }
    }
}

impl Heap {
    /// Returns whether a collection is due by the [`Policy`]. O(1): call it at safe
    /// points, where all live cells are in roots.
    ///
    /// A collection is due if enough was allocated since the last one (a slot that
    /// retires counts as 256 bytes), or if a limit is near: seven eighths of it are used.
    /// Near a limit, the next collection is due once 1/32 of the live bytes has been
    /// allocated, or a limit has refused a growth. Where fewer than an eighth of the slots
    /// are live, after a peak, enough is a quarter of the bytes of the others at least: the
    /// collection has to sweep them.
    ///
    /// After a collection that freed nothing and made no room, a refusal alone does not
    /// make the next one due: something has to be allocated first. Refusals whose number
    /// grows sixteenfold with each such collection make it due as well, since the VM may
    /// have dropped roots. A VM that knows that it has, collects at once.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let mut registers = [Cell::NULL; 8];
    /// for n in 0..100_000 {
    ///     registers[n % 8] = heap.alloc(List::of(&[Cell::TRUE; 16]))?.into();
    ///     if heap.should_collect() {
    ///         heap.collect(registers)?;
    ///     }
    /// }
    /// assert!(heap.usage().live() < 20_000);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline]
    pub fn should_collect(&self) -> bool {
        self.pacer.is_due(&self.store.resources().tally, self.store.account())
    }

    /// Sets the policy that decides when a collection is due, and when it compacts.
    ///
    /// ```
    /// use segheap::{Heap, Policy};
    /// let mut heap = Heap::new();
    /// heap.set_policy(Policy::DEFAULT.with_growth_percent(50).with_bytes_min(1 << 16));
    /// assert_eq!(heap.policy().growth_percent, 50);
    /// ```
    pub fn set_policy(&mut self, policy: Policy) {
        self.pacer.set_policy(policy);
    }

    /// Returns the policy in force.
    pub fn policy(&self) -> Policy {
        self.pacer.policy()
    }

    /// Frees every object that the roots do not reach. Roots are all cells that the VM
    /// goes on using: registers, globals, constants. Cells that are no handles are
    /// ignored. Pinned objects are roots as well, and a sealed cell reaches the object
    /// that it stands for. A handle that is not among the roots is a weak reference: it
    /// becomes stale when its object is freed.
    ///
    /// The algorithm is mark-sweep over the whole heap at once: non-moving, and without
    /// recursion. O(live objects and their cells + slots + tokens of [`Heap::watch`]),
    /// while the VM waits. [`Heap::step`] does the same a bit at a time (incremental),
    /// [`Heap::collect_young`] collects recent objects only (generational), and
    /// [`Heap::collect_debt`] chooses. A collection in steps that is under way ends with
    /// this one.
    ///
    /// It needs no memory that a limit or the allocator could refuse, and an allocation
    /// that a limit refused succeeds when it is repeated after a collection that freed
    /// enough. Arenas that wasted more than [`Policy::compact_percent`] are compacted;
    /// handles stay valid.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let kept = heap.alloc(List::of(&[]))?;
    /// let cycle = heap.alloc(List::of(&[kept.into()]))?;
    /// heap.get_mut(cycle)?.push(cycle.into())?;
    /// let collected = heap.collect([kept.cell()])?;
    /// assert_eq!((collected.freed, collected.live), (1, 1));
    /// assert!(heap.contains(kept) && !heap.contains(cycle));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug: [`Policy::stress`] verifies the
    /// heap after each collection.
    pub fn collect<I: IntoIterator<Item: Into<Cell>>>(&mut self, roots: I) -> Result<Collected> {
        let roots = roots.into_iter().map(Into::into);
        self.collect_from(roots, core::iter::empty(), false, &mut |_| {})
    }

    /// Collects as [`Heap::collect`] does, and also recycles every retired slot to
    /// which no cell refers, unless [`Limits::slots`](crate::Limits::slots) are usable
    /// already: all its generations become available again. A slot retires after 4,096
    /// objects; a VM that runs for long needs this.
    ///
    /// By calling it the VM states that `roots` and `weak` are **all** the cells that
    /// it still has. `weak` are those that do not keep an object live; a handle in
    /// neither of them might open another object later. Range hints need not be passed:
    /// those older than the call are rejected. Inside of a [`Heap::sort_by`] comparison
    /// no slot is recycled. O(live objects and their cells + slots + weak).
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// for _ in 0..4_096 * 64 {
    ///     let list = heap.alloc(List::new())?;
    ///     heap.free(list)?;
    /// }
    /// let retired = heap.usage().arena(segheap::Kind::LIST).unwrap().retired;
    /// let none: [Cell; 0] = [];
    /// assert_eq!(heap.collect_and_recycle(none, none)?.recycled, u64::from(retired));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug, as for [`Heap::collect`].
    pub fn collect_and_recycle<I, W>(&mut self, roots: I, weak: W) -> Result<Collected>
    where
        I: IntoIterator<Item: Into<Cell>>,
        W: IntoIterator<Item: Into<Cell>>,
    {
        let (roots, weak) = (roots.into_iter(), weak.into_iter());
        self.collect_from(roots.map(Into::into), weak.map(Into::into), true, &mut |_| {})
    }

    pub(super) fn collect_from(
        &mut self,
        roots: impl Iterator<Item = Cell>,
        weak: impl Iterator<Item = Cell>,
        recycle: bool,
        notice: &mut dyn FnMut(&mut MarkReader<'_>),
    ) -> Result<Collected> {
        let watch = Stopwatch::start();
        self.note_begin(Way::Whole);
        self.finish_sweep();
        let mut wasteful = Wasteful::find(self.store.arenas(), self.pacer.policy());
        let before = self.store.extent();
        // A sort under way has cells in scratch memory, which are not among the roots.
        let recycle = recycle && !self.store.account().is_sorting();
        let done = Collected::default();
        let mut collection = Collection { roots: &self.roots, recycle, notice, done };
        collection.run(&mut self.store, roots, weak);
        let mut done = collection.done;
        // Before a slot that was recycled gets a generation again that it had.
        symbols::purge(&mut self.store);
        self.note_collected();
        if done.freed > 0 {
            self.roots.note_all_freed(self.store.arenas());
        }
        done.live = self.usage().all_live();
        let swept = done.freed.saturating_mul(32);
        done.work = done.work.saturating_add(self.store.live_bytes()).saturating_add(swept);
        wasteful.add_peaks(self.store.arenas(), self.pacer.policy());
        done.compacted = self.compact_after(&wasteful);
        let StoreParts { arenas, resources, .. } = self.store.parts();
        arenas.iter_mut().for_each(|arena| arena.fold(resources));
        let changed = done.freed > 0 || done.recycled > 0 || self.store.extent() != before;
        self.restart_pacer(changed);
        self.note_end(Way::Whole, done.freed, done.work);
        self.drop_dead_values();
        self.verify_if_stressed()?;
        self.stats.collections = self.stats.collections.saturating_add(1);
        self.note_pause(&done, watch);
        Ok(done)
    }

    /// Records that a collection begins.
    pub(super) fn note_begin(&mut self, collection: Way) {
        self.store.account_mut().note_event(EventKind::CollectionBegin { collection });
    }

    /// Records that a collection has ended.
    pub(super) fn note_end(&mut self, collection: Way, freed: u64, work: u64) {
        if !self.store.account().records_events() {
            return;
        }
        let live_bytes = self.store.live_bytes();
        let end = EventKind::CollectionEnd { collection, freed, work, live_bytes };
        self.store.account_mut().note_event(end);
    }

    /// Checks the heap after a collection or a step if the policy wants that.
    pub(super) fn verify_if_stressed(&mut self) -> Result<()> {
        if self.policy().stress == 0 {
            return Ok(());
        }
        self.verify().map_err(|fault| {
            debug_assert!(false, "{fault}");
            Error::Corrupt
        })
    }

    /// Compacts wasteful arenas; near a limit, compacts all that have pages, and gives
    /// back spare memory. Returns the number of arenas compacted.
    fn compact_after(&mut self, wasteful: &Wasteful) -> u32 {
        let near_limit = self.store.account().pressure().near_limit;
        if near_limit {
            self.trim();
        }
        self.store.compact_where(|arena| {
            wasteful.contains(arena.kind()) || near_limit && arena.memory().size() > 0
        })
    }

    /// Restarts the pacer from the bytes in use.
    pub(super) fn restart_pacer(&mut self, changed: bool) {
        let live = (self.store.live_bytes(), self.store.footprint());
        let foreign = to_u64(self.roots.hosts().bytes());
        let live = (live.0.saturating_add(foreign), live.1.saturating_add(foreign));
        let StoreParts { arenas, resources, .. } = self.store.parts();
        // The next collection sweeps free slots as well, many of them after a peak.
        let used = arenas.used_slot_bytes();
        let swept = arenas.slot_bytes().saturating_sub(used.saturating_mul(8)) / 4;
        self.pacer.restart(live, swept, changed);
        resources.tally = Tally::default();
        resources.account.clear_pressure();
    }

    /// Compacts all arenas: closes the gaps between blocks, cuts the capacity of
    /// objects back to their length (of tables, where that halves it), and gives free pages and
    /// scratch memory back to the allocator. Handles stay valid; range hints are
    /// checked again at their next use. Frees no object. O(slots + payload), while the VM
    /// waits: [`Heap::compact_step`] does most of it a bit at a time. A compaction in steps
    /// that is under way ends with this one.
    ///
    /// ```
    /// use segheap::{Bytes, Heap};
    /// let mut heap = Heap::new();
    /// let large = heap.alloc(Bytes::zeroed(1 << 20))?;
    /// let small = heap.alloc(Bytes::of(b"kept"))?;
    /// heap.free(large)?;
    /// heap.compact();
    /// assert_eq!(heap.usage().pages(), 1);
    /// assert_eq!(heap.get(small)?.as_slice(), b"kept");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn compact(&mut self) {
        self.compaction.end();
        self.store.compact_where(|_| true);
        self.trim();
        let StoreParts { arenas, resources, .. } = self.store.parts();
        let words = arenas.iter().map(|arena| arena.memory().words().len()).max();
        resources.trim_bitmap(words.unwrap_or(0));
    }
}
