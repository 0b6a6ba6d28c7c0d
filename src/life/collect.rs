//! Collection: marking from roots, sweeping, revival, compaction.
//!
//! Marking keeps a bit for every slot, in memory that was reserved with the
//! slots, and a work list that starts on the stack and grows while the limits
//! allow. Where it cannot grow, a second bit puts objects off until the list is
//! empty: slower, never wrong, and no memory that could be refused. There is no
//! recursion.

use core::mem::take;

use smallvec::SmallVec;

use crate::arena::Arena;
use crate::heap::{ARENAS, Heap, alive};
use crate::words::{Budget, Cell, Error, Policy, Result, at, wide};

/// What a collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Objects freed, seals included.
    pub freed: u64,
    /// Bytes of payload freed.
    pub freed_bytes: u64,
    /// Objects left, seals included.
    pub live: u64,
    /// Roots that are handles of objects that are gone.
    pub stale_roots: usize,
    /// Position of the first of them.
    pub first_stale: Option<usize>,
    /// Retired slots that were given all their lives again.
    pub recycled: u64,
    /// Arenas compacted.
    pub compacted: u32,
}

/// Entries in a stage of the pipeline that hides the misses of slot and payload.
const BATCH: usize = 32;
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

/// First word of bits of each selector; none for those without an arena.
pub(crate) type Bases = [usize; 16];

/// A bit for every slot.
pub(crate) struct Marks<'w> {
    pub(crate) bits: &'w mut [u64],
    pub(crate) base: Bases,
}

/// A walk over objects, each visited once. Its mark says whether an object was;
/// `VISITED` is the value that says yes.
pub(crate) struct Walk<'w, const VISITED: bool> {
    pub(crate) marks: Marks<'w>,
    /// The work list is the first `top` of these.
    work: SmallVec<[Cell; INLINE]>,
    top: usize,
    /// Live objects that the work list had no room for.
    dropped: Marks<'w>,
    any_dropped: bool,
}

/// Where the bits of each arena begin, and number of bits for a walk.
pub(crate) fn bases(arenas: &[Arena; ARENAS]) -> (Bases, usize) {
    let (mut bases, mut words) = ([usize::MAX >> 1; 16], 0_usize);
    for (base, arena) in bases.iter_mut().zip(arenas) {
        *base = words;
        words = words.saturating_add(arena.slots().len().div_ceil(64));
    }
    (bases, words.saturating_mul(128))
}

impl Marks<'_> {
    #[inline(always)]
    fn word(&self, cell: Cell) -> usize {
        let base = self.base.get(cell.selector().index()).copied().unwrap_or(usize::MAX);
        base.wrapping_add(at(cell.slot()) / 64)
    }

    /// The bit of a slot. That of a slot which is not there says anything.
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
        }
    }
}

impl<'w, const VISITED: bool> Walk<'w, VISITED> {
    pub(crate) fn new(bits: &'w mut [u64], base: Bases) -> Self {
        let (marks, dropped) = bits.split_at_mut(bits.len() / 2);
        let marks = Marks { bits: marks, base };
        let dropped = Marks { bits: dropped, base };
        Walk { marks, work: SmallVec::new(), top: 0, dropped, any_dropped: false }
    }

    /// Puts those of an object's cells on the work list that are handles and
    /// were not visited: each is written, and counted if it is one, as no branch
    /// could foretell.
    #[inline(always)]
    fn scan(&mut self, arenas: &[Arena; ARENAS], budget: &mut Budget, cells: &[Cell]) {
        for cells in cells.chunks(INLINE / 2) {
            let end = self.top.saturating_add(cells.len());
            if end > self.work.len() && !self.grow(budget, end) {
                cells.iter().for_each(|&cell| self.put_off(arenas, cell));
                continue;
            }
            let Some(room) = self.work.get_mut(self.top..end) else { continue };
            let mut added = 0_usize;
            for &cell in cells {
                if let Some(place) = room.get_mut(added) {
                    *place = cell;
                }
                let ahead = cell.is_handle() & (self.marks.get(cell) != VISITED);
                added = added.wrapping_add(usize::from(ahead));
            }
            self.top = self.top.wrapping_add(added);
        }
    }

    /// Notes an object to be visited when the work list is empty.
    #[cold]
    fn put_off(&mut self, arenas: &[Arena; ARENAS], cell: Cell) {
        let arena = arenas.get(cell.selector().index()).filter(|_| cell.is_handle());
        let Some(arena) = arena.filter(|_| self.marks.get(cell) != VISITED) else { return };
        if arena.contains(cell) {
            self.dropped.set(cell, true);
            self.any_dropped = true;
        } else if arena.is_retired(cell.slot()) {
            self.marks.set(cell, VISITED);
        }
    }

    /// Makes the work list `end` entries long, or answers that it may not be.
    #[cold]
    fn grow(&mut self, budget: &mut Budget, end: usize) -> bool {
        let old = self.work.capacity();
        if end > old {
            let bytes = old.saturating_mul(size_of::<Cell>());
            // Both buffers exist while the old one is copied.
            let room = budget.left() >= bytes.saturating_mul(3) && !budget.refused();
            if !room || self.work.try_grow(old.saturating_mul(2)).is_err() {
                return false;
            }
            budget.replace(if old == INLINE { 0 } else { bytes }, bytes.saturating_mul(2));
        }
        let len = end.saturating_mul(2).min(self.work.capacity());
        self.work.resize(len, Cell::NULL);
        true
    }

    /// Visits a root, and everything that it leads to and that was not visited.
    pub(crate) fn visit(&mut self, arenas: &[Arena; ARENAS], budget: &mut Budget, root: Cell) {
        if self.top >= INLINE / 2 {
            self.drain(arenas, budget);
        }
        self.scan(arenas, budget, &[root]);
    }

    fn drain(&mut self, arenas: &[Arena; ARENAS], budget: &mut Budget) {
        let (mut ahead, mut objects) = ([Cell::NULL; BATCH], [&[][..]; BATCH]);
        while self.top > 0 {
            let batch = self.top.saturating_sub(BATCH)..self.top;
            self.top = batch.start;
            let mut cells_ahead = 0_usize;
            for &cell in self.work.get(batch).unwrap_or_default() {
                if let Some(place) = ahead.get_mut(cells_ahead) {
                    *place = cell;
                }
                cells_ahead =
                    cells_ahead.wrapping_add(usize::from(self.marks.get(cell) != VISITED));
            }
            let ahead = ahead.get(..cells_ahead).unwrap_or_default();
            for cell in ahead {
                if let Some(arena) = arenas.get(cell.selector().index()) {
                    prefetch(arena.slots(), cell.slot());
                }
            }
            let mut places = objects.iter_mut();
            for &cell in ahead {
                if let Some(cells) = self.arrive(arenas, cell)
                    && let Some(place) = places.next()
                {
                    prefetch(cells, 0);
                    prefetch(cells, 7);
                    *place = cells;
                }
            }
            let left = places.len();
            let reached = objects.len().wrapping_sub(left);
            for cells in objects.get(..reached).unwrap_or_default() {
                self.scan(arenas, budget, cells);
            }
        }
    }

    /// Marks what a cell names as visited; answers its cells, if it has some. A
    /// retired slot that is named is marked too, which holds its revival back.
    #[inline(always)]
    fn arrive<'a>(&mut self, arenas: &'a [Arena; ARENAS], cell: Cell) -> Option<&'a [Cell]> {
        if self.marks.get(cell) == VISITED {
            return None;
        }
        let arena = arenas.get(cell.selector().index())?;
        match arena.check(cell) {
            Ok(slot) => {
                self.marks.set(cell, VISITED);
                arena.cells(slot).ok().filter(|cells| !cells.is_empty())
            }
            Err(_) => {
                if arena.is_retired(cell.slot()) {
                    self.marks.set(cell, VISITED);
                }
                None
            }
        }
    }

    /// Ends the walk, with the objects that were put off.
    pub(crate) fn finish(mut self, arenas: &[Arena; ARENAS], budget: &mut Budget) {
        self.drain(arenas, budget);
        while take(&mut self.any_dropped) {
            for (base, arena) in self.dropped.base.into_iter().zip(arenas) {
                for n in 0..arena.slots().len().div_ceil(64) {
                    let place = base.wrapping_add(n);
                    let mut bits = self.dropped.bits.get_mut(place).map_or(0, take);
                    while bits != 0 {
                        let index = n.wrapping_mul(64).wrapping_add(at(bits.trailing_zeros()));
                        bits &= bits.wrapping_sub(1);
                        let index = u32::try_from(index).unwrap_or(u32::MAX);
                        if let Ok(slot) = arena.slot(index) {
                            self.scan(arenas, budget, &[Cell::of_slot(slot.key, index)]);
                            self.drain(arenas, budget);
                        }
                    }
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
    /// near, so that the answer is yes before one is met. Near a limit it is yes
    /// again once a 32nd of what was left alive has been allocated, or something
    /// was refused. O(1), for safe points.
    #[inline]
    pub fn should_collect(&self) -> bool {
        let stress = self.policy.stress;
        self.budget.allocated >= self.collect_at
            || self.budget.pressed && self.budget.allocated >= self.budget.press_at
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
    pub fn collect<I: IntoIterator<Item: Into<Cell>>>(&mut self, roots: I) -> Result<Collected> {
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
    pub fn collect_and_recycle<I, W>(&mut self, roots: I, weak: W) -> Result<Collected>
    where
        I: IntoIterator<Item: Into<Cell>>,
        W: IntoIterator<Item: Into<Cell>>,
    {
        self.collect_from(roots, weak, true)
    }

    fn collect_from<I, W>(&mut self, roots: I, weak: W, revive: bool) -> Result<Collected>
    where
        I: IntoIterator<Item: Into<Cell>>,
        W: IntoIterator<Item: Into<Cell>>,
    {
        let mut done = Collected::default();
        let before = self.payload_bytes();
        // What was in use before it is what will be needed until the next one:
        // an arena that is emptied each time keeps its pages.
        let percent = u64::from(self.policy.compact_percent);
        let wasteful = self.arenas.each_ref().map(|arena| {
            let waste = arena.waste();
            let words = wide(arena.memory().words().len());
            waste >= 8192 && waste.saturating_mul(100) > words.saturating_mul(percent)
        });
        let (base, total) = bases(&self.arenas);
        // A comparison of a sort holds cells that its caller cannot name.
        let revive = revive && !self.budget.sorting();
        self.prune_births();
        let Heap { arenas, budget, pins, watches, .. } = self;
        budget.with_bits(total, |budget, bits| {
            let mut walk = Walk::<true>::new(bits, base);
            for (position, root) in roots.into_iter().enumerate() {
                let root: Cell = root.into();
                if root.is_handle() && !alive(arenas, root) {
                    done.stale_roots = done.stale_roots.saturating_add(1);
                    done.first_stale.get_or_insert(position);
                }
                walk.visit(arenas, budget, root);
            }
            pins.iter().for_each(|&(pinned, _)| walk.visit(arenas, budget, pinned));
            // What only names a slot holds its revival back and nothing else.
            let weak = weak.into_iter().map(Into::into);
            let named = weak.chain(watches.iter().map(|watch| watch.0));
            for cell in named.filter(|cell: &Cell| revive && cell.is_handle()) {
                let arena = arenas.get(cell.selector().index());
                if arena.is_some_and(|arena| arena.is_retired(cell.slot())) {
                    walk.marks.set(cell, true);
                }
            }
            walk.finish(arenas, budget);
            for (arena, base) in arenas.iter_mut().zip(base) {
                let marked = bits.get(base..).unwrap_or_default();
                // First, as a slot that the sweep retires may be named by cells that
                // were no name of a retired slot when they were met.
                if revive {
                    done.recycled = done.recycled.saturating_add(arena.revive(marked));
                }
                done.freed = done.freed.saturating_add(arena.sweep(marked));
            }
            bits.fill(0);
        });
        done.freed_bytes = before.saturating_sub(self.payload_bytes());
        done.live = self.usage().live().saturating_add(u64::from(self.usage().seals.live));
        if self.budget.pressed {
            self.trim();
        }
        done.compacted = self.compact_where(|kind, pressed, arena| {
            wasteful.get(kind).is_some_and(|&yes| yes) || pressed && arena.memory().size() > 0
        });
        let live_bytes = self.payload_bytes().saturating_add(done.live.saturating_mul(16));
        let growth = (live_bytes / 100).saturating_mul(u64::from(self.policy.growth_percent));
        self.collect_at = growth.max(self.policy.bytes_min);
        self.budget.press_at = live_bytes / 32;
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
    /// use (tables keep theirs), gives pages back to the allocator and trims the scratch memory. All
    /// handles stay valid; hints are proved again at their next use.
    /// O(slots + payload).
    pub fn compact(&mut self) {
        self.compact_where(|_, _, _| true);
        self.trim();
        let words = self.arenas.iter().map(|arena| arena.memory().words().len()).max();
        self.budget.trim_bits(words.unwrap_or(0));
    }

    fn compact_where(&mut self, wanted: impl Fn(usize, bool, &Arena) -> bool) -> u32 {
        let mut compacted = 0_u32;
        for (kind, arena) in self.arenas.iter_mut().enumerate() {
            if wanted(kind, self.budget.pressed, arena) {
                arena.compact(&mut self.budget);
                compacted = compacted.saturating_add(1);
            }
        }
        compacted
    }
}
