//! Collection: marking from roots, sweeping, revival, compaction.
//!
//! Marking keeps a bit for every slot, in memory that was reserved with the
//! slots, and a work list that starts on the stack and grows while the limits
//! allow. Where it cannot grow, cells are dropped from it, and marked objects
//! are scanned again until nothing was dropped: slower, never wrong, and no
//! memory that could be refused. There is no recursion.

use core::mem::take;

use smallvec::SmallVec;

use crate::arena::{Arena, Slot};
use crate::heap::{ARENAS, Heap};
use crate::ops::cells;
use crate::words::{Budget, Cell, Error, Policy, at, wide};

/// What a collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Objects freed.
    pub freed: u64,
    /// Bytes of payload freed.
    pub freed_bytes: u64,
    /// Objects left.
    pub live: u64,
    /// Roots that are handles of objects that are gone.
    pub stale_roots: usize,
    /// Position of the first of them.
    pub first_stale: Option<usize>,
    /// Retired slots that were given all their lives again.
    pub revived: u64,
    /// Arenas compacted.
    pub compacted: u32,
}

/// Entries in a stage of the pipeline that hides the misses of slot and payload.
const RING: usize = 8;
/// Entries of the work list that lie on the stack.
const INLINE: usize = 256;

/// Fetches what will be looked at soon.
#[inline(always)]
fn prefetch<T>(slice: &[T], index: u32) {
    #[cfg(feature = "std")]
    prefetch_index::prefetch_index(slice, at(index));
    #[cfg(not(feature = "std"))]
    let _ = (slice, index);
}

/// The last few of something, in order.
struct Ring<T> {
    items: [Option<T>; RING],
    head: usize,
    len: usize,
}

impl<T: Copy> Ring<T> {
    const fn new() -> Self {
        Ring { items: [None; RING], head: 0, len: 0 }
    }

    #[inline(always)]
    fn push(&mut self, item: T) {
        if let Some(place) = self.items.get_mut(self.head.wrapping_add(self.len) % RING) {
            *place = Some(item);
            self.len = self.len.wrapping_add(1);
        }
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let item = *self.items.get(self.head)?;
        self.head = self.head.wrapping_add(1) % RING;
        self.len = self.len.wrapping_sub(1);
        item
    }
}

/// A walk over objects, each visited once. A bit for every slot says whether it
/// was; `VISITED` is the value of the bit that says yes.
pub(crate) struct Walk<'w, const VISITED: bool> {
    bits: &'w mut [u64],
    base: [usize; ARENAS],
    work: SmallVec<[Cell; INLINE]>,
    dropped: bool,
}

/// First bit of each arena, and number of bits.
pub(crate) fn bases(arenas: &[Arena; ARENAS]) -> ([usize; ARENAS], usize) {
    let mut total = 0_usize;
    let bases = arenas.each_ref().map(|arena| {
        let base = total;
        total = total.saturating_add(arena.slots().len());
        base
    });
    (bases, total)
}

impl<'w, const VISITED: bool> Walk<'w, VISITED> {
    pub(crate) fn new(bits: &'w mut [u64], base: [usize; ARENAS]) -> Self {
        Walk { bits, base, work: SmallVec::new(), dropped: false }
    }

    #[inline(always)]
    fn bit(&self, cell: Cell) -> usize {
        let base = self.base.get(cell.selector().index()).copied().unwrap_or(0);
        base.wrapping_add(at(cell.slot()))
    }

    /// The bit of a slot.
    #[inline(always)]
    pub(crate) fn get(&self, cell: Cell) -> bool {
        let bit = self.bit(cell);
        self.bits.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, cell: Cell, value: bool) {
        let bit = self.bit(cell);
        if let Some(word) = self.bits.get_mut(bit / 64) {
            let mask = 1 << (bit % 64);
            *word = if value { *word | mask } else { *word & !mask };
        }
    }

    /// Puts a cell on the work list, unless it was visited or is no handle.
    #[inline(always)]
    fn push(&mut self, arenas: &[Arena; ARENAS], budget: &mut Budget, cell: Cell) {
        if !cell.is_handle() {
            return;
        }
        let Some(arena) = arenas.get(cell.selector().index()) else { return };
        if at(cell.slot()) >= arena.slots().len() || self.get(cell) == VISITED {
            return;
        }
        if self.work.len() == self.work.capacity() && !self.grow(budget) {
            self.dropped = true;
            return;
        }
        self.work.push(cell);
    }

    #[cold]
    fn grow(&mut self, budget: &mut Budget) -> bool {
        let (old, bytes) =
            (self.work.capacity(), self.work.capacity().saturating_mul(size_of::<Cell>()));
        // Both buffers exist while the old one is copied.
        if budget.left() < bytes.saturating_mul(3) || budget.refused() {
            return false;
        }
        let grown = self.work.try_grow(old.saturating_mul(2)).is_ok();
        if grown {
            let before = if old == INLINE { 0 } else { bytes };
            budget.replace(before, bytes.saturating_mul(2));
        }
        grown
    }

    /// Visits a root, and everything that it leads to and that was not visited.
    pub(crate) fn visit(&mut self, arenas: &[Arena; ARENAS], budget: &mut Budget, root: Cell) {
        self.push(arenas, budget, root);
        self.drain(arenas, budget);
    }

    fn drain(&mut self, arenas: &[Arena; ARENAS], budget: &mut Budget) {
        let mut cells_ahead = Ring::<Cell>::new();
        let mut objects_ahead = Ring::<(&Arena, Slot)>::new();
        loop {
            while cells_ahead.len < RING
                && let Some(cell) = self.work.pop()
            {
                if let Some(arena) = arenas.get(cell.selector().index()) {
                    prefetch(arena.slots(), cell.slot());
                }
                cells_ahead.push(cell);
            }
            while objects_ahead.len < RING
                && let Some(cell) = cells_ahead.pop()
            {
                if let Some((arena, slot)) = self.arrive(arenas, cell) {
                    prefetch(arena.payload_words(), slot.off);
                    objects_ahead.push((arena, slot));
                }
            }
            match objects_ahead.pop() {
                Some((arena, slot)) => self.scan(arenas, budget, arena, slot),
                None if self.work.is_empty() => return,
                None => {}
            }
        }
    }

    /// Marks what a cell names as visited; answers an object that has cells. A
    /// retired slot that is named is marked too, which holds its revival back.
    #[inline(always)]
    fn arrive<'a>(&mut self, arenas: &'a [Arena; ARENAS], cell: Cell) -> Option<(&'a Arena, Slot)> {
        if self.get(cell) == VISITED {
            return None;
        }
        let arena = arenas.get(cell.selector().index())?;
        match arena.check(cell) {
            Ok(slot) => {
                self.set(cell, VISITED);
                (arena.shape().cells(slot.len) > 0).then_some((arena, slot))
            }
            Err(_) => {
                if arena.is_retired(cell.slot()) {
                    self.set(cell, VISITED);
                }
                None
            }
        }
    }

    #[inline(always)]
    fn scan(&mut self, arenas: &[Arena; ARENAS], budget: &mut Budget, arena: &Arena, slot: Slot) {
        for &cell in cells(arena, slot).unwrap_or_default() {
            self.push(arenas, budget, cell);
        }
    }

    /// Scans the visited among `objects` again for as long as cells have been
    /// dropped, and ends the walk.
    pub(crate) fn finish<I: Iterator<Item = Cell>>(
        mut self,
        arenas: &[Arena; ARENAS],
        budget: &mut Budget,
        objects: impl Fn() -> I,
    ) {
        while take(&mut self.dropped) {
            for cell in objects() {
                if self.get(cell) == VISITED
                    && let Some(arena) = arenas.get(cell.selector().index())
                    && let Ok(slot) = arena.check(cell)
                {
                    self.scan(arenas, budget, arena, slot);
                    self.drain(arenas, budget);
                }
            }
        }
        if self.work.spilled() {
            budget.replace(self.work.capacity().saturating_mul(size_of::<Cell>()), 0);
        }
    }
}

impl Heap {
    /// Whether a collection pays, by the [`Policy`]: enough was allocated since
    /// the last one (a slot that retires counts as 256 bytes), or a limit is
    /// near, so that the answer is yes before one is met. O(1), for safe points.
    #[inline]
    pub fn should_collect(&self) -> bool {
        let stress = u64::from(self.policy.stress);
        self.budget.allocated >= self.collect_at
            || self.budget.pressed
            || stress > 0 && self.budget.born >= stress
    }

    /// Sets when a collection pays.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.collect_at = policy.bytes_min;
    }

    /// The policy in force.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Frees every object that the roots do not lead to. Roots are all cells
    /// that the VM goes on using: registers, globals, constants; pinned objects
    /// and what sealed cells name are kept as well. Handles that are not among
    /// them are weak references: they turn stale with their object.
    ///
    /// O(live + slots). Needs no memory that can be refused; an allocation that
    /// a limit refused succeeds when it is repeated after a collection that
    /// freed enough.
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
    /// [`Error::Corrupt`] if a [`Policy::stress`] run finds the heap broken.
    pub fn collect<I>(&mut self, roots: I) -> Result<Collected, Error>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        self.collect_from(roots, core::iter::empty::<Cell>(), false)
    }

    /// [`Heap::collect`], and every retired slot that no cell names is given all
    /// its lives again. By calling this the VM states that `roots` and `weak`
    /// are **all** the cells it still holds, `weak` being those that keep
    /// nothing alive; a handle held elsewhere might otherwise come alive again.
    /// Hints need not be named.
    ///
    /// # Errors
    /// As [`Heap::collect`].
    pub fn collect_and_revive<I, W>(&mut self, roots: I, weak: W) -> Result<Collected, Error>
    where
        I: IntoIterator<Item: Into<Cell>>,
        W: IntoIterator<Item: Into<Cell>>,
    {
        self.collect_from(roots, weak, true)
    }

    fn collect_from<I, W>(&mut self, roots: I, weak: W, revive: bool) -> Result<Collected, Error>
    where
        I: IntoIterator<Item: Into<Cell>>,
        W: IntoIterator<Item: Into<Cell>>,
    {
        let mut done = Collected::default();
        let before = self.payload_bytes();
        let (base, total) = bases(&self.arenas);
        // A comparison of a sort holds cells that its caller cannot name.
        let revive = revive && !self.budget.sorting();
        self.prune_births();
        let Heap { arenas, budget, pins, watches, births, .. } = self;
        budget.with_bits(total, |budget, bits| {
            let mut walk = Walk::<true>::new(bits, base);
            for (position, root) in roots.into_iter().enumerate() {
                let root: Cell = root.into();
                if root.is_handle()
                    && !arenas.get(root.selector().index()).is_some_and(|a| a.contains(root))
                {
                    done.stale_roots = done.stale_roots.saturating_add(1);
                    done.first_stale.get_or_insert(position);
                }
                walk.visit(arenas, budget, root);
            }
            for &(pinned, _) in pins.iter() {
                walk.visit(arenas, budget, pinned);
            }
            // What only names a slot holds its revival back and nothing else.
            let weak = weak.into_iter().map(Into::into);
            let named =
                weak.chain(watches.iter().map(|watch| watch.0)).chain(births.iter().copied());
            for cell in named.filter(|cell: &Cell| revive && cell.is_handle()) {
                if arenas
                    .get(cell.selector().index())
                    .is_some_and(|arena| arena.is_retired(cell.slot()))
                {
                    walk.set(cell, true);
                }
            }
            walk.finish(arenas, budget, || {
                arenas.iter().flat_map(|arena| arena.live().map(|live| live.0))
            });
            for (arena, base) in arenas.iter_mut().zip(base) {
                let is_marked = |index: u32| {
                    let bit = base.wrapping_add(at(index));
                    bits.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
                };
                // First, as a slot that the sweep retires may be named by cells that
                // were no name of a retired slot when they were met.
                if revive {
                    done.revived = done.revived.saturating_add(arena.revive(is_marked));
                }
                done.freed = done.freed.saturating_add(arena.sweep(is_marked));
            }
        });
        done.freed_bytes = before.saturating_sub(self.payload_bytes());
        done.live = self.usage().live();
        if self.budget.pressed {
            self.trim();
        }
        done.compacted = self.compact_where(|policy, arena, pressed| {
            let (waste, pages) = (arena.waste(), arena.memory().size());
            let percent = u64::from(policy.compact_percent);
            let wasteful = waste.saturating_mul(100)
                > wide(arena.payload_words().len()).saturating_mul(percent);
            waste >= 8192 && wasteful || pressed && pages > 0
        });
        let live_bytes = self.payload_bytes().saturating_add(done.live.saturating_mul(16));
        let growth = (live_bytes / 100).saturating_mul(u64::from(self.policy.growth_percent));
        self.collect_at = growth.max(self.policy.bytes_min);
        (self.budget.allocated, self.budget.born, self.budget.pressed) = (0, 0, false);
        if self.policy.stress > 0 {
            self.verify().map_err(|_| Error::Corrupt)?;
        }
        Ok(done)
    }

    fn payload_bytes(&self) -> u64 {
        self.arenas.iter().map(|arena| arena.usage().payload_bytes).sum()
    }

    /// Closes the gaps between payload blocks, cuts capacity back to what is in
    /// use, gives pages back to the allocator and trims the scratch memory. All
    /// handles stay valid; hints are proved again at their next use.
    /// O(slots + payload).
    pub fn compact(&mut self) {
        self.compact_where(|_, _, _| true);
        self.trim();
    }

    fn compact_where(&mut self, wanted: impl Fn(&Policy, &Arena, bool) -> bool) -> u32 {
        let mut compacted = 0_u32;
        for arena in &mut self.arenas {
            if wanted(&self.policy, arena, self.budget.pressed) {
                arena.compact(&mut self.budget);
                compacted = compacted.saturating_add(1);
            }
        }
        compacted
    }
}
