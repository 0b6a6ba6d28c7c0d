//! Reclamation in one arena: free, sweep, recycle, fold, compact.

use core::ops::Range;

use super::slot::Block;
use super::slots::{Slots, unmarked};
use super::{Arena, Resources, Slot, States, Tally, Whites};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Cell, Epoch, Result, to_u64, to_usize};

/// What a part of a sweep has done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Swept {
    /// The words of states before which nothing was swept.
    pub(crate) end: usize,
    /// The words that were looked at.
    pub(crate) passed: usize,
    /// The slots that were white, and the objects freed.
    pub(crate) white: usize,
    pub(crate) freed: usize,
}

/// Whether slots, from the last to the first, lie so far apart that the processor does not
/// load them ahead by itself.
fn is_sparse(slots: &[u32]) -> bool {
    let ends = slots.first().zip(slots.last());
    let span = ends.map_or(0, |(last, first)| to_usize(last.wrapping_sub(*first)));
    span / 4 > slots.len()
}

impl<const BITS: u32> Arena<BITS> {
    /// Frees the object that `cell` refers to. O(1).
    ///
    /// # Errors
    /// As [`Arena::check`].
    #[inline]
    pub(crate) fn free(&mut self, tally: &mut Tally, cell: Cell) -> Result<()> {
        match self.free_ready(cell) {
            Some(()) => Ok(()),
            None => self.free_rarely(tally, cell),
        }
    }

    /// [`Arena::free`], unless the slot retires or is not dense, the object is a version, or there is none:
    /// `None` then, and nothing has changed.
    #[inline(always)]
    pub(crate) fn free_ready(&mut self, cell: Cell) -> Option<()> {
        let block = self.slots.free(cell)?;
        self.free_block(block);
        Some(())
    }

    /// Frees the block of an object whose generation has ended.
    #[inline(always)]
    fn free_block(&mut self, block: Block) {
        self.blocks.free(block);
        self.epoch.advance();
    }

    /// [`Arena::free`] of a version, of an object whose slot retires or is not dense, or of none.
    #[cold]
    #[inline(never)]
    fn free_rarely(&mut self, tally: &mut Tally, cell: Cell) -> Result<()> {
        self.check(cell)?;
        if self.release(cell.slot()) {
            tally.retired_slot();
        }
        Ok(())
    }

    /// Frees the object in a live slot. Returns whether the slot retired.
    #[inline]
    fn release(&mut self, index: u32) -> bool {
        match self.slots.free_at(index) {
            Some((_, block)) => {
                self.free_block(block);
                false
            }
            None => self.release_rarely(index),
        }
    }

    /// [`Arena::release`] of a version, or of a slot that retires or is not dense.
    #[cold]
    #[inline(never)]
    fn release_rarely(&mut self, index: u32) -> bool {
        let Some((block, released)) = self.slots.release(index) else { return false };
        if released.is_shared {
            self.blocks.leave(block);
            self.epoch.advance();
        } else {
            self.free_block(block);
        }
        released.is_retired
    }

    /// Frees every object. Pages and slots stay reserved; generations advance.
    /// O(slots).
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
        self.epoch.advance();
        self.slots.release_all();
    }

    /// Frees every live object whose bit is not set; returns how many. Goes from the
    /// last slot to the first, so that the top of the memory falls. O(slots).
    pub(crate) fn sweep(&mut self, marked: &[u64]) -> u64 {
        let is_marked = |range: Range<usize>| {
            let words = marked.get(range.start / 64..range.end.div_ceil(64));
            words.is_none_or(|words| words.iter().any(|&word| word != 0))
        };
        if !self.stored_ranges().any(is_marked) {
            let freed = u64::from(self.slots.counts().live);
            self.clear();
            return freed;
        }
        let (mut freed, mut end) = (0_u64, self.slots.len());
        while let Some(range) = self.slots.range_before(end) {
            end = range.start;
            for index in unmarked(marked, range) {
                if self.slots.get(index).is_some_and(Slots::<BITS>::is_live) {
                    self.release(index);
                    freed = freed.wrapping_add(1);
                }
            }
        }
        self.reset_if_empty();
        freed
    }

    /// Frees live objects among the white slots of a range of words of states, as many as
    /// overlap their cache misses, the last first, and makes the slots black. Looks at `most`
    /// words or so, and frees about `enough` objects. Calls `freed` for each.
    pub(crate) fn sweep_white(
        &mut self,
        tally: &mut Tally,
        words: Range<usize>,
        (most, enough): (usize, usize),
        mut freed: impl FnMut(Cell),
    ) -> Swept {
        let mut taken = Whites::new(enough);
        let (end, passed) = self.slots.states_mut().take_white(words, most, &mut taken);
        let (white, mut count) = (taken.as_slice(), 0_usize);
        if is_sparse(white) {
            white.iter().for_each(|&index| self.prefetch_slot(index));
            white.iter().for_each(|&index| self.prefetch_payload(index));
        }
        for &index in white {
            let cell = if let Some((cell, block)) = self.slots.free_at(index) {
                self.blocks.free(block);
                cell
            } else {
                let Some(cell) = self.live_at(index) else { continue };
                if self.release(index) {
                    tally.retired_slot();
                }
                cell
            };
            freed(cell);
            count = count.wrapping_add(1);
        }
        if count > 0 {
            self.epoch.advance();
        }
        Swept { end, passed, white: white.len(), freed: count }
    }

    /// The words of states of the last slots in memory that have one before word `n`: those of
    /// the dense table or of a page. Empty if there are none.
    pub(crate) fn stored_words(&self, n: usize) -> Range<usize> {
        if !self.slots.has_pages() {
            return 0..n;
        }
        let page = Slots::<BITS>::PAGE.max(States::words_to_slots(1));
        let end = States::words_to_slots(n).next_multiple_of(page).min(self.slots.len());
        let range = self.slots.range_before(end).unwrap_or(0..0);
        States::word_of(range.start)..States::words_for(range.end).min(n)
    }

    /// Resets the memory if no object has a block any more.
    pub(crate) fn reset_if_empty(&mut self) {
        if self.blocks.used() == 0 {
            self.blocks.clear();
        }
    }

    /// The ranges of indices whose slots are in memory, the last one first.
    pub(crate) fn stored_ranges(&self) -> impl Iterator<Item = Range<usize>> {
        core::iter::successors(self.slots.range_before(self.slots.len()), |range| {
            self.slots.range_before(range.start)
        })
    }

    /// The last range of indices below `end` whose slots are in memory.
    pub(crate) fn stored_range_before(&self, end: usize) -> Option<Range<usize>> {
        self.slots.range_before(end)
    }

    /// Recycles the retired slots whose bit is not set, as no cell refers to them, until
    /// `limit` slots are usable. Returns how many. Hints from before fail. O(slots).
    pub(crate) fn recycle(&mut self, referenced: &[u64], limit: u32) -> u64 {
        let (mut recycled, mut end) = (0_u64, self.slots.len());
        while let Some(range) = self.slots.range_before(end) {
            end = range.start;
            for index in unmarked(referenced, range) {
                if self.slots.usable() >= to_usize(limit) {
                    break;
                }
                recycled = recycled.wrapping_add(u64::from(self.slots.recycle(index)));
            }
        }
        if recycled > 0 {
            self.epoch = Epoch::NONE;
            self.recycled = if self.epoch.start().is_ok() { self.epoch } else { Epoch::NEVER };
        }
        recycled
    }

    /// Gives back what the slots of an earlier peak take. O(1) or O(slots).
    pub(crate) fn fold(&mut self, resources: &mut Resources) {
        self.slots.fold(resources);
    }

    /// The words of memory up to the end of the last block.
    pub(crate) const fn top(&self) -> u64 {
        self.blocks.top()
    }

    /// The words of memory outside of the blocks of live objects.
    pub(crate) fn waste(&self) -> u64 {
        to_u64(self.memory().words().len()).saturating_sub(self.blocks.used())
    }

    /// Closes the gaps between blocks, and gives spare capacity and free pages
    /// back. Handles stay valid. O(slots + payload).
    pub(crate) fn compact(&mut self, resources: &mut Resources) {
        let shape = self.shape;
        let words_of = |slot: &Slot| shape.words(slot.len, slot.room);
        self.blocks.compact(resources, &mut self.slots, words_of);
        self.slots.fold(resources);
        self.slots.trim(resources);
        self.epoch.advance();
    }
}
