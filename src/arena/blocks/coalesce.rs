//! Coalescing: making free blocks anew of the gaps between the blocks in use.
//!
//! A free block is of one size class, and neighbours do not know each other. So memory
//! that was freed in blocks of one size would serve no larger ones. Before a memory grows
//! of which a third is free, the gaps become free blocks again, as large as they are.

use super::{Block, Blocks, CLASSES, FIRST, START, class_of, class_words};
use crate::arena::Resources;
use crate::words::{to_u64, to_usize};

/// The word that counts the words split off larger free blocks, and cut off blocks in use,
/// since the last time.
const SPLIT: usize = CLASSES;
/// The word with the words of memory at the last time.
const SIZE: usize = CLASSES + 1;
const _: () = assert!(SIZE < START, "words of no block");
/// In [`SPLIT`]: a compaction in steps has ended early, and has left gaps wherever it had not
/// been.
const LOST: u64 = u64::MAX;

/// Leaves a bit where a row of set bits begins, and one after its end: the bounds of the gaps.
fn keep_bounds(bits: &mut [u64]) {
    let mut before = 0_u64;
    for word in bits {
        let covered = core::mem::replace(&mut before, *word);
        *word ^= *word << 1 | covered >> 63;
    }
}

impl Blocks {
    /// Coalesces, if an allocation of `words` words should.
    #[cold]
    pub(in crate::arena) fn coalesce_for(
        &mut self,
        resources: &mut Resources,
        words: usize,
        live: impl Iterator<Item = Block>,
    ) {
        if words == 0 {
            return;
        }
        if self.is_compacting() {
            if self.is_ready(words) || self.can_split(words) || self.has_tail_for(words) {
                return;
            }
            self.end_early();
        }
        if self.should_coalesce(words) {
            self.coalesce(resources, live);
        }
    }

    /// Has the next block that there is no room for coalesce.
    pub(super) fn note_lost(&mut self) {
        if let Some(split) = self.memory.words_mut().get_mut(SPLIT) {
            *split = LOST;
        }
    }

    /// Whether an allocation of `words` words should coalesce first: it would grow the
    /// memory, of which a third is free. So that the cost is amortised, a sixteenth of the
    /// memory must have been split or cut off blocks, or been added, since the last time;
    /// memory without a block in use costs nothing.
    fn should_coalesce(&self, words: usize) -> bool {
        let free = u64::from(self.top.saturating_sub(FIRST).saturating_sub(self.used));
        let size = to_u64(self.memory.words().len());
        let word = |n: usize| self.memory.words().get(n).copied().unwrap_or(0);
        let changed = word(SPLIT).max(size.saturating_sub(word(SIZE)));
        let is_worth = self.used == 0 || free >= self.used() / 2 && changed >= size / 16;
        let is_worth = is_worth || word(SPLIT) == LOST;
        is_worth && free > 0 && !self.is_ready(words) && !self.can_split(words)
    }

    /// Counts words that were split off a larger free block, or cut off one in use.
    pub(super) fn note_split(&mut self, words: u32) {
        if let Some(split) = self.memory.words_mut().get_mut(SPLIT) {
            *split = split.saturating_add(u64::from(words));
        }
    }

    pub(super) fn can_split(&self, words: usize) -> bool {
        let class = class_of(u32::try_from(words).unwrap_or(u32::MAX)).number;
        let heads = self.memory.words().get(class..CLASSES).unwrap_or_default();
        heads.iter().any(|&head| head != 0)
    }

    /// Makes free blocks of the gaps between `live` blocks, and lowers the top to the
    /// last of these. O(blocks + words / 64).
    fn coalesce(&mut self, resources: &mut Resources, live: impl Iterator<Item = Block>) {
        debug_assert!(!self.is_compacting());
        let top = to_usize(self.top);
        self.memory.words_mut().iter_mut().take(CLASSES).for_each(|head| *head = 0);
        resources.with_bits(top, |_, _, bits| {
            // Versions have one block: only the first one that is met covers it.
            for block in live.filter(|block| block.cap > 0) {
                debug_assert!(block.range().end <= top, "a block lies outside of memory");
                Self::cover(bits, block);
            }
            keep_bounds(bits);
            self.free_gaps(top, bits);
        });
        let words = self.memory.words_mut();
        let size = to_u64(words.len());
        if let Some([split, old_size]) = words.get_mut(SPLIT..=SIZE) {
            (*split, *old_size) = (0, size);
        }
    }

    /// Frees the gaps below `top` whose bounds have bits, from the last one to the first,
    /// so that the free lists begin at low addresses; clears the bits.
    fn free_gaps(&mut self, top: usize, bits: &mut [u64]) {
        let (mut end, mut is_last) = (Some(top), true);
        for (n, word) in bits.iter_mut().enumerate().rev() {
            let mut bounds = core::mem::take(word);
            while let Some(bit) = bounds.checked_ilog2() {
                bounds ^= 1 << bit;
                let bound = n.saturating_mul(64).saturating_add(to_usize(bit));
                match end.take() {
                    // `bound` ends a block: the gap above it is known.
                    Some(end) => {
                        self.free_gap(bound, end, is_last);
                        is_last = false;
                    }
                    None => end = Some(bound),
                }
            }
        }
        debug_assert!(end.is_some(), "the bounds are paired");
        if let Some(end) = end {
            self.free_gap(START, end, is_last);
        }
    }

    /// Frees the words of a gap: lowers the top if it is the last one.
    pub(super) fn free_gap(&mut self, start: usize, end: usize, is_last: bool) {
        if is_last {
            self.top = u32::try_from(start).unwrap_or(u32::MAX);
            return;
        }
        let mut rest = end.saturating_sub(start);
        let mut off = start;
        while rest > 0 {
            let wanted = class_of(u32::try_from(rest).unwrap_or(u32::MAX));
            let fits = to_usize(wanted.words) <= rest;
            let class = if fits { wanted.number } else { wanted.number.saturating_sub(1) };
            let cap = class_words(class);
            self.push(Block { off: u32::try_from(off).unwrap_or(0), cap }, class);
            off = off.saturating_add(to_usize(cap));
            rest = rest.saturating_sub(to_usize(cap));
        }
    }
}
