//! Checks of blocks, for [`Heap::verify`](crate::Heap::verify).

use super::{Block, Blocks, CLASSES, FIRST, START, class_of, class_words};
use crate::words::{to_u64, to_usize};

impl Blocks {
    /// Checks the bounds of a compaction in steps: the compacted part, its room, what was not
    /// compacted, and the end of memory come in this order.
    pub(in crate::arena) fn verify_bounds(&self) -> Result<(), &'static str> {
        let end = self.memory_end();
        let ordered = if self.is_compacting() {
            FIRST <= self.top
                && self.top <= self.bound
                && self.bound <= self.high
                && self.high <= end
        } else {
            self.bound == end && FIRST <= self.top && (self.top <= end || self.top == FIRST)
        };
        if ordered { Ok(()) } else { Err("the bounds of the blocks are out of order") }
    }

    /// Checks that a block lies in memory, and has no word whose bit is set; sets the bits of
    /// its words. That it is of a size class, too, unless its front may have been cut.
    pub(crate) fn verify(
        &self,
        block: Block,
        may_be_cut: bool,
        bits: &mut [u64],
    ) -> Result<(), &'static str> {
        let (start, cap) = (to_usize(block.off), to_usize(block.cap));
        if cap == 0 {
            return Ok(());
        }
        let end = to_u64(start).saturating_add(to_u64(cap));
        if start < START || end > self.top() || end > to_u64(self.memory.words().len()) {
            return Err("a block lies outside of the memory in use");
        }
        if end > u64::from(self.top) && start < to_usize(self.bound) {
            return Err("a block lies in the room of a compaction");
        }
        if class_of(block.cap).words != block.cap && !may_be_cut {
            return Err("a block is of no size class");
        }
        for word in start..start.saturating_add(cap) {
            match bits.get_mut(word / 64) {
                Some(bits) if *bits >> (word % 64) & 1 == 0 => *bits |= 1 << (word % 64),
                _ => return Err("two blocks overlap"),
            }
        }
        Ok(())
    }

    /// Checks the blocks on the free lists, as [`Blocks::verify`].
    pub(crate) fn verify_free(&self, bits: &mut [u64]) -> Result<(), &'static str> {
        for (class, &head) in self.memory.words().iter().take(CLASSES).enumerate() {
            let mut next = head;
            while next != 0 {
                let off = u32::try_from(next).map_err(|_| "a free list leaves memory")?;
                if off >= self.top {
                    return Err("a free block lies where a compaction takes none from");
                }
                self.verify(Block { off, cap: class_words(class) }, false, bits)?;
                next = self.memory.words().get(to_usize(off)).copied().unwrap_or(0);
            }
        }
        Ok(())
    }
}
