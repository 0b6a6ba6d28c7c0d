//! Rebuilding a table inside of its block, without holes and with another layout.

use super::Table;
use super::layout::{BOXED, Layout, NEXT, OWN, WEAK, start};
use crate::words::{Result, to_usize};

/// The positions of the smallest table that growth makes.
const CAPACITY_MIN: usize = 8;

/// The layout of a rebuilt table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    layout: Layout,
    /// The words of its block.
    pub(crate) words: usize,
}

impl Plan {
    fn new(capacity: usize, sequenced: bool, stride: usize) -> Result<Plan> {
        Layout::new(capacity, sequenced, stride).map(Plan::of)
    }

    fn of(layout: Layout) -> Plan {
        Plan { layout, words: layout.words() }
    }

    /// The same plan with as many more positions as a block of `words` words has room for,
    /// if the index stays as large.
    pub(crate) fn fill(self, words: usize) -> Plan {
        let Plan { mut layout, words: used } = self;
        let capacity_max = layout.capacity_max();
        // A position takes its cells, its number and half a word of hash.
        let size = layout.stride.wrapping_add(usize::from(layout.sequenced));
        let halves = words.saturating_sub(used).saturating_mul(2);
        let spare = halves.checked_div(size.wrapping_mul(2).wrapping_add(1)).unwrap_or(0);
        layout.capacity = layout.capacity.saturating_add(spare).min(capacity_max);
        if layout.words() > words {
            // The last hash would have begun another word.
            layout.capacity = layout.capacity.saturating_sub(1);
        }
        Plan::of(layout)
    }
}

impl Table<&[u64]> {
    /// Plans for a full table to get a free position, the best one first: twice as many
    /// positions, or fewer more, with an index that has room for them or, last, with the
    /// index of now; or as many if there are holes. A table of which a third are holes does
    /// not grow.
    pub(crate) fn plans_to_grow(&self) -> impl Iterator<Item = Result<Plan>> + use<> {
        let (live, used) = (to_usize(self.len()), to_usize(self.used));
        let (now, sequenced) = (self.layout(), self.is_sequenced_then());
        let larger = |part: usize| {
            let more = now.capacity.checked_div(part).unwrap_or(0).saturating_add(CAPACITY_MIN);
            now.capacity.saturating_add(more)
        };
        let double = now.capacity.saturating_mul(2).max(CAPACITY_MIN);
        let is_roomy = live.saturating_mul(3) <= used.saturating_mul(2) && now.capacity > 0;
        let same = (live < used).then_some(now.capacity);
        let is_ordered = self.is_ordered();
        let roomy = move |capacity| Plan::new(capacity, sequenced, now.stride);
        let tight = move |capacity: usize| {
            let layout = now.same_index(capacity, sequenced);
            let is_larger = layout.capacity > now.capacity || live < used;
            (is_larger && !(layout.dense && is_ordered)).then(|| Ok(Plan::of(layout)))
        };
        let plans = [
            same.filter(|_| is_roomy).map(roomy),
            Some(roomy(double)),
            Some(roomy(larger(2))),
            tight(larger(2)),
            Some(roomy(larger(8))),
            tight(larger(8)),
            tight(larger(32)),
            same.and_then(tight),
        ];
        plans.into_iter().flatten()
    }

    /// Whether `additional` entries of any keys can be appended without memory.
    pub(crate) fn has_room(&self, additional: usize) -> bool {
        let room = self.layout().capacity.saturating_sub(to_usize(self.used));
        additional == 0 || additional <= room && !self.is_dense()
    }

    /// Plans for [`Table::has_room`], the best one first: twice as many positions, or as
    /// many if a third are holes, or no more than are needed.
    pub(crate) fn plans_to_reserve(
        &self,
        additional: usize,
    ) -> impl Iterator<Item = Result<Plan>> + use<> {
        let (capacity, stride) = (self.layout().capacity, self.stride);
        let wanted = to_usize(self.len()).saturating_add(additional);
        let is_roomy = wanted.saturating_mul(3) <= capacity.saturating_mul(2);
        let ample = if is_roomy { capacity } else { capacity.saturating_mul(2).max(CAPACITY_MIN) };
        let sequenced = self.is_sequenced_then();
        let plan = move |capacity| Plan::new(capacity, sequenced, stride);
        [wanted.max(ample), wanted].into_iter().map(plan)
    }

    /// The plan for a table to have no more positions than entries.
    ///
    /// # Errors
    /// Of a larger table than this.
    pub(crate) fn plan_to_fit(&self) -> Result<Plan> {
        Plan::new(to_usize(self.len()).max(1), self.is_sequenced_then(), self.stride)
    }

    /// Whether a full table is mostly holes, so that it is better rebuilt smaller.
    pub(crate) fn is_mostly_holes(&self) -> bool {
        self.len() <= self.used / 4
    }

    /// The plan for a dense table to have as many buckets as others.
    ///
    /// # Errors
    /// Of a larger table than this.
    pub(crate) fn plan_to_loosen(&self) -> Result<Plan> {
        Plan::new(self.layout().capacity, self.is_sequenced_then(), self.stride)
    }

    /// The plan for a sparse table to shrink, with room for as many entries again.
    ///
    /// # Errors
    /// Of a larger table than this.
    pub(crate) fn plan_to_shrink(&self) -> Result<Plan> {
        let capacity = to_usize(self.len()).saturating_mul(2).max(CAPACITY_MIN);
        Plan::new(capacity, self.is_sequenced_then(), self.stride)
    }

    /// Whether the table has to store sequence numbers once its holes are closed.
    fn is_sequenced_then(&self) -> bool {
        let first = self.nth(0).unwrap_or(self.used);
        let holes_before_all = self.used.saturating_sub(first) == self.len();
        self.len() > 0 && (self.layout().sequenced || !holes_before_all)
    }

    /// The words that hold anything but the index.
    pub(crate) fn kept_words(&self) -> usize {
        if self.words.is_empty() { 0 } else { self.layout().index() }
    }
}

impl Table<&mut [u64]> {
    /// Makes an empty table of a new block.
    pub(crate) fn start(&mut self, plan: Plan) {
        start(self.words, plan.layout, 0, 0);
    }

    /// Rebuilds the table with the layout of a plan, for which its block has the words.
    /// Returns how many positions are used then, and whether the index is complete: if
    /// not, it is an empty tree. O(positions).
    pub(crate) fn rebuild(&mut self, plan: Plan) -> (u32, bool) {
        let (old, new) = (self.read().layout(), plan.layout);
        let (next, live) = (self.read().header(NEXT), self.read().len());
        let flags = self.read().flags(BOXED | WEAK | OWN);
        // The index is rebuilt from the hashes: until then, its words can hold numbers.
        let numbers = if old.sequenced { old.sequence() } else { old.index() };
        self.close_holes(new.sequenced.then_some(numbers));
        let used = to_usize(self.used);
        // What lies last goes first when both move up, and last when they move down, so that
        // neither overwrites the other.
        let numbers_len = if new.sequenced { used } else { 0 };
        if new.hashes() < old.hashes() {
            self.shift(old.hashes(), used.div_ceil(2), new.hashes());
            self.shift(numbers, numbers_len, new.sequence());
        } else {
            self.shift(numbers, numbers_len, new.sequence());
            self.shift(old.hashes(), used.div_ceil(2), new.hashes());
        }
        start(self.words, new, live, next);
        self.set_flags(flags);
        let linked = self.link_all(new);
        if flags & OWN != 0 {
            self.set_own(linked);
            return (self.used, true);
        }
        debug_assert!(linked || !new.dense, "a dense index is as large as the one before it");
        if !linked {
            self.order();
        }
        (self.used, linked)
    }

    /// Moves `len` words inside of the block.
    fn shift(&mut self, from: usize, len: usize, to: usize) {
        let end = from.saturating_add(len);
        debug_assert!(end.max(to.saturating_add(len)) <= self.words.len());
        if end.max(to.saturating_add(len)) <= self.words.len() {
            self.words.copy_within(from..end, to);
        }
    }

    /// Moves the entries, in order, to the first positions, with their hashes, and with
    /// their sequence numbers to the words from `numbers` on. O(positions).
    fn close_holes(&mut self, numbers: Option<usize>) {
        if self.read().len() == self.used {
            return;
        }
        let mut to = 0_u32;
        for from in 0..self.used {
            if self.read().entry(from).is_none() {
                continue;
            }
            self.move_entry(from, to);
            if let Some(numbers) = numbers {
                // Before this, it may have been implied.
                let number = self.read().sequence(from);
                self.put(numbers.wrapping_add(to_usize(to)), number);
            }
            to = to.wrapping_add(1);
        }
        debug_assert_eq!(to, self.read().len(), "the entries are miscounted");
        self.used = to;
    }
}
