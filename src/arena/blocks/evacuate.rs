//! The blocks of an arena while it is compacted in steps.
//!
//! ```text
//!  FIRST            top           bound                   high          end of memory
//!    +---------------+-------------+-----------------------+-------------+
//!    |   compacted   |    room     |   not compacted yet   |    tail     |
//!    +---------------+-------------+-----------------------+-------------+
//! ```
//!
//! Blocks are evacuated to the room, stretch by stretch: once a stretch of what is not compacted
//! has no block left, the room extends to its end. New blocks go to the room as well, which is
//! bump allocation as ever. The free lists have only blocks of the compacted part. A block that
//! is freed beyond the top becomes a gap that no list has: it is passed when its stretch is. The
//! tail takes what the room has no space for, the first stretch above all.

use super::{Block, Blocks, Class, FIRST, START, class_for, class_of, pages_for};
use crate::arena::{Account, Resources};
use crate::words::{Kind, PAGE_BYTES, to_u64, to_usize};

impl Blocks {
    /// Whether a compaction in steps is under way.
    #[inline(always)]
    pub(in crate::arena) const fn is_compacting(&self) -> bool {
        self.high != 0
    }

    /// Whether a compaction in steps is under way, and a block lies where it has not been.
    pub(in crate::arena) const fn is_to_be_moved(&self, block: Block) -> bool {
        self.is_compacting() && block.off >= self.top
    }

    /// The words below the top that are in no block of a live object.
    pub(in crate::arena) fn gaps(&self) -> u64 {
        self.top().saturating_sub(u64::from(FIRST)).saturating_sub(self.used())
    }

    /// The pages that the blocks need.
    pub(in crate::arena) fn pages_needed(&self) -> u64 {
        if self.top() == u64::from(FIRST) {
            return 0;
        }
        self.top().saturating_mul(8).div_ceil(PAGE_BYTES)
    }

    /// The words beyond all blocks.
    pub(in crate::arena) fn tail(&self) -> u32 {
        let top = u32::try_from(self.top()).unwrap_or(u32::MAX);
        self.memory_end().saturating_sub(top)
    }

    /// The words that evacuated blocks and new ones go to.
    pub(in crate::arena) const fn room(&self) -> u32 {
        self.bound.saturating_sub(self.top)
    }

    /// Where the next stretch to be evacuated begins.
    pub(in crate::arena) const fn bound(&self) -> u32 {
        self.bound
    }

    /// The first word beyond all blocks during a compaction in steps.
    pub(in crate::arena) const fn high(&self) -> u32 {
        self.high
    }

    /// Grows the memory towards a tail of `wanted` words, by so many pages at most, one at
    /// least. Returns whether it has grown: not if the limits do not leave that, and nothing
    /// counts as refused then.
    pub(in crate::arena) fn grow_tail(
        &mut self,
        resources: &mut Resources,
        kind: Kind,
        wanted: u32,
        pages_most: u64,
    ) -> bool {
        let limits = resources.account.limits();
        let end = self.top().saturating_add(u64::from(wanted));
        let pages = pages_for(kind, end).ok().filter(|&pages| pages <= u64::from(limits.pages));
        let words =
            pages.and_then(|pages| usize::try_from(pages.checked_mul(PAGE_BYTES / 8)?).ok());
        let (Some(pages), Some(words)) = (pages, words) else { return false };
        let (size, capacity) = self.memory.extent();
        // With a bit for each word.
        let added = words.saturating_sub(capacity).saturating_mul(8).saturating_add(words / 4);
        if pages <= size || added > resources.account.left() {
            return false;
        }
        let bits = resources.bitmap_words();
        if resources.reserve_bits(words).is_err() {
            return false;
        }
        let delta = pages.saturating_sub(size).min(pages_most.max(1));
        let account = &mut resources.account;
        let grown =
            self.memory.reserve(account, words) && self.memory.grow_within(account, delta).is_ok();
        if !grown {
            resources.shrink_bitmap(bits);
        }
        self.open();
        grown
    }

    /// Gives pages back beyond the first `pages`, which have all blocks, and spare capacity.
    pub(in crate::arena) fn give_pages_back(&mut self, account: &mut Account, pages: u64) {
        debug_assert!(!self.is_compacting() && pages >= self.pages_needed());
        self.memory.give_back(account, (pages, 0));
        self.open();
    }

    /// Begins a compaction in steps: nothing is compacted yet, no free block is on a list.
    pub(in crate::arena) fn begin_compaction(&mut self) {
        debug_assert!(!self.is_compacting() && self.memory.words().len() >= START);
        self.memory.words_mut().iter_mut().take(START).for_each(|head| *head = 0);
        (self.high, self.top, self.bound) = (self.top, FIRST, FIRST);
    }

    /// Ends a compaction in steps of which nothing is left to be done.
    pub(in crate::arena) fn finish_compaction(&mut self) {
        debug_assert!(self.bound >= self.high);
        self.high = 0;
        self.open();
    }

    /// Ends a compaction in steps, if one is under way, wherever it stands: what it has moved
    /// stays there, and the gaps that it would have closed become free blocks when the next
    /// block is allocated that there is no room for. O(1).
    pub(in crate::arena) fn end_early(&mut self) {
        if self.is_compacting() {
            self.top = core::mem::take(&mut self.high);
            self.open();
            self.note_lost();
        }
    }

    /// The end of a block of `class` in the tail; `None` if the memory does not have it.
    fn end_in_tail(&self, class: Class) -> Option<u32> {
        let end = self.high.checked_add(class.words)?;
        (self.is_compacting() && end <= self.memory_end()).then_some(end)
    }

    /// Whether a block of `class` can be allocated in the tail.
    pub(super) fn has_tail(&self, class: Class) -> bool {
        self.end_in_tail(class).is_some()
    }

    /// [`Blocks::has_tail`] of a block of `words` words.
    pub(super) fn has_tail_for(&self, words: usize) -> bool {
        class_for(words).is_ok_and(|class| self.has_tail(class))
    }

    /// Allocates a block in the tail.
    fn take_tail(&mut self, class: Class) -> Option<Block> {
        let end = self.end_in_tail(class)?;
        let block = Block { off: core::mem::replace(&mut self.high, end), cap: class.words };
        self.used = self.used.wrapping_add(block.cap);
        Some(block)
    }

    /// Allocates a block for which neither the compacted part nor its room has space: in the
    /// tail, or wherever the end of the compaction makes room.
    #[cold]
    pub(super) fn take_outside(&mut self, class: Class) -> Option<Block> {
        if let Some(block) = self.take_tail(class) {
            return Some(block);
        }
        self.end_early();
        self.take(class)
    }

    /// Allocates a block of `words` words, at least one, to move an object to. The compaction
    /// stays under way.
    pub(in crate::arena) fn take_target(&mut self, words: usize) -> Option<Block> {
        let class = class_for(words).ok()?;
        if let Some(block) = self.take(class) {
            return Some(block);
        }
        if let Some(block) = self.split(class) {
            self.used = self.used.wrapping_add(block.cap);
            return Some(block);
        }
        self.take_tail(class)
    }

    /// Closes the room: blocks are not allocated beyond the top.
    pub(in crate::arena) const fn close_room(&mut self) {
        self.bound = self.top;
    }

    /// Opens the room up to word `end`, below which no block is left beyond the top.
    pub(in crate::arena) fn open_room(&mut self, end: u32) {
        self.bound = end.max(self.top);
        debug_assert!(self.bound <= self.high);
    }

    /// Moves the block that is the next one beyond the top down to it, cut to the class of the
    /// `words` words in use. Returns it.
    pub(in crate::arena) fn slide(&mut self, block: Block, words: usize) -> Block {
        debug_assert!(words > 0 && self.top <= block.off, "blocks overlap");
        let class = class_of(u32::try_from(words).unwrap_or(u32::MAX));
        let moved = Block { off: self.top, cap: class.words.min(block.cap) };
        self.copy_words(block, words, moved);
        self.used = self.used.wrapping_sub(block.cap).wrapping_add(moved.cap);
        self.top = self.top.wrapping_add(moved.cap);
        self.bound = self.top;
        moved
    }

    /// Leaves the block that is the next one beyond the top where it is: the words before it
    /// become free blocks.
    pub(in crate::arena) fn pass(&mut self, block: Block) {
        debug_assert!(self.top <= block.off, "blocks overlap");
        let start = core::mem::replace(&mut self.top, block.off.wrapping_add(block.cap));
        self.bound = self.top;
        self.free_gap(to_usize(start), to_usize(block.off), false);
    }
}

const _: () = assert!(to_u64(START) * 8 < PAGE_BYTES);
