//! Mark-sweep collection, and compaction.

use super::trace::{Bases, Trace};
use crate::arena::{Account, Tally};
use crate::heap::{Arenas, Heap, Roots, Store, StoreParts};
use crate::words::{Cell, Error, Kind, Policy, Result, to_u64};

/// What a collection did; returned by [`Heap::collect`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Objects freed, seals included.
    pub freed: u64,
    /// Bytes of payload freed.
    pub freed_bytes: u64,
    /// Objects left, seals included.
    pub live: u64,
    /// Roots that are handles of objects that had been freed before.
    pub stale_roots: usize,
    /// Position of the first of them.
    pub first_stale: Option<usize>,
    /// Retired slots that were given all their generations again.
    pub recycled: u64,
    /// Arenas compacted.
    pub compacted: u32,
}

/// Words that an arena may waste without being compacted: a page.
const WASTE_MIN: u64 = 8192;

/// Which arenas wasted more than the policy allows.
#[derive(Debug)]
struct Wasteful([bool; Arenas::COUNT]);

impl Wasteful {
    /// To be asked before a collection: what was in use then is what will be
    /// needed until the next one, so that an arena that is emptied each time
    /// keeps its pages.
    fn find(arenas: &Arenas, policy: Policy) -> Wasteful {
        let percent = u64::from(policy.compact_percent);
        Wasteful(arenas.each(|arena| {
            let waste = arena.waste();
            let words = to_u64(arena.memory().words().len());
            waste >= WASTE_MIN && waste.saturating_mul(100) > words.saturating_mul(percent)
        }))
    }

    fn contains(&self, kind: Kind) -> bool {
        self.0.get(kind.place()).is_some_and(|&wasteful| wasteful)
    }
}

/// The phases of a collection. Marks are bits of slots: set on what is reachable,
/// and on retired slots that some cell still refers to.
struct Collection<'c> {
    roots: &'c Roots,
    /// Recycle retired slots that no cell refers to.
    recycle: bool,
    done: Collected,
}

impl Collection<'_> {
    /// Phases 1 to 3: mark from the roots, mark what must not be recycled, sweep.
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
        resources.with_bits(bits, |account, _, bits| {
            self.mark(arenas, account, Trace::new(bits, bases), roots, weak);
            self.sweep(arenas, bits, bases);
            bits.fill(0);
        });
        self.done.freed_bytes = before.saturating_sub(arenas.payload_bytes());
    }

    fn mark(
        &mut self,
        arenas: &Arenas,
        account: &mut Account,
        mut trace: Trace<'_, false>,
        roots: impl Iterator<Item = Cell>,
        weak: impl Iterator<Item = Cell>,
    ) {
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
        trace.finish(arenas, account);
    }

    /// Marks retired slots that weak cells or watches refer to: such a cell keeps
    /// its slot from being recycled, and nothing else.
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

    fn sweep(&mut self, arenas: &mut Arenas, bits: &[u64], bases: Bases) {
        for arena in arenas.iter_mut() {
            let marked = bits.get(bases.of(arena.kind())..).unwrap_or_default();
            // Before the sweep: cells that were traced may refer to slots that
            // it retires, which were not retired then and so not marked.
            if self.recycle {
                self.done.recycled = self.done.recycled.saturating_add(arena.recycle(marked));
            }
            self.done.freed = self.done.freed.saturating_add(arena.sweep(marked));
        }
    }
}

impl Heap {
    /// Returns whether a collection is due by the [`Policy`]: enough was
    /// allocated since the last one (a slot that retires counts as 256 bytes), or
    /// a limit is near, so that the answer is yes before one is met. Near a limit
    /// it is yes again once a 32nd of what was left alive has been allocated, or a
    /// limit refused a growth. O(1): call it at safe points.
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
        self.pacer.is_due(self.store.resources().tally, self.store.account().pressure())
    }

    /// Sets when a collection is due.
    pub fn set_policy(&mut self, policy: Policy) {
        self.pacer.set_policy(policy);
    }

    /// The policy in force.
    pub fn policy(&self) -> Policy {
        self.pacer.policy()
    }

    /// Frees every object that the roots do not reach. Roots are all cells that
    /// the VM goes on using: registers, globals, constants. Pinned objects are
    /// roots as well, and a sealed cell keeps its object alive. A handle that is
    /// not among the roots is a weak reference: it turns stale with its object.
    ///
    /// Stops the program; O(live + slots). Needs no memory that could be refused;
    /// an allocation that a limit refused succeeds when it is repeated after a
    /// collection that freed enough.
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
    /// [`Error::Corrupt`] if a [`Policy::stress`] run finds the heap broken: only
    /// if this crate has a bug.
    pub fn collect<I: IntoIterator<Item: Into<Cell>>>(&mut self, roots: I) -> Result<Collected> {
        self.collect_from(roots.into_iter().map(Into::into), core::iter::empty(), false)
    }

    /// [`Heap::collect`] that also recycles every retired slot to which no cell
    /// refers: it is given all its generations again. By calling this the VM
    /// states that `roots` and `weak` are **all** the cells it still holds, `weak`
    /// being those that keep nothing alive; a handle held elsewhere might open
    /// another object later. Hints need not be among them.
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
    /// As [`Heap::collect`].
    pub fn collect_and_recycle<I, W>(&mut self, roots: I, weak: W) -> Result<Collected>
    where
        I: IntoIterator<Item: Into<Cell>>,
        W: IntoIterator<Item: Into<Cell>>,
    {
        let (roots, weak) = (roots.into_iter(), weak.into_iter());
        self.collect_from(roots.map(Into::into), weak.map(Into::into), true)
    }

    fn collect_from(
        &mut self,
        roots: impl Iterator<Item = Cell>,
        weak: impl Iterator<Item = Cell>,
        recycle: bool,
    ) -> Result<Collected> {
        let wasteful = Wasteful::find(self.store.arenas(), self.pacer.policy());
        // A comparison of a sort holds cells that its caller cannot name.
        let recycle = recycle && !self.store.account().is_sorting();
        let done = Collected::default();
        let mut collection = Collection { roots: &self.roots, recycle, done };
        collection.run(&mut self.store, roots, weak);
        let mut done = collection.done;
        let usage = self.usage();
        done.live = usage.live().saturating_add(u64::from(usage.seals.live));
        done.compacted = self.compact_after(&wasteful);
        self.restart_pacer(done.live);
        if self.policy().stress > 0 {
            self.verify().map_err(|_| Error::Corrupt)?;
        }
        Ok(done)
    }

    /// Compacts arenas that wasted much; near a limit, all that have pages, and
    /// gives spare memory back. Returns how many.
    fn compact_after(&mut self, wasteful: &Wasteful) -> u32 {
        let near_limit = self.store.account().pressure().near_limit;
        if near_limit {
            self.trim();
        }
        self.store.compact_where(|arena| {
            wasteful.contains(arena.kind()) || near_limit && arena.memory().size() > 0
        })
    }

    fn restart_pacer(&mut self, live: u64) {
        let StoreParts { arenas, resources, .. } = self.store.parts();
        let live_bytes = arenas.payload_bytes().saturating_add(live.saturating_mul(16));
        self.pacer.restart(live_bytes);
        resources.tally = Tally::default();
        resources.account.clear_pressure();
    }

    /// Closes the gaps between payload blocks, cuts capacity back to what is in
    /// use (tables keep theirs), and gives free pages and scratch memory back to
    /// the allocator. All handles stay valid; hints are proved again at their next
    /// use. O(slots + payload).
    pub fn compact(&mut self) {
        self.store.compact_where(|_| true);
        self.trim();
        let StoreParts { arenas, resources, .. } = self.store.parts();
        let words = arenas.iter().map(|arena| arena.memory().words().len()).max();
        resources.trim_bitmap(words.unwrap_or(0));
    }
}
