//! Growth of the objects of an arena.

use super::blocks;
use super::slot::Block;
use super::slots::present;
use super::{Arena, FIRST_GROWTH, Resources};
#[cfg(doc)]
use crate::words::Shape;
use crate::words::{Error, Result, corrupt, object_len, to_usize};

impl<const BITS: u32> Arena<BITS> {
    /// Gives the sequence in slot `index` room for `additional` more elements;
    /// doubles its block at least, where the limits allow that.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]. Nothing has changed then.
    pub(crate) fn reserve(
        &mut self,
        resources: &mut Resources,
        index: u32,
        additional: usize,
    ) -> Result<()> {
        let slot = self.slot(index)?;
        debug_assert!(!slot.is_shared());
        let len = to_usize(slot.len).checked_add(additional).ok_or(Error::ObjectTooLarge)?;
        let words = self.shape.words_for(to_usize(object_len(len)?));
        if words <= to_usize(slot.cap()) {
            return Ok(());
        }
        let roomy = to_usize(blocks::doubled(slot.cap())).max(FIRST_GROWTH).max(words);
        let keep = self.shape.words(slot.len, slot.room);
        match self.blocks.grow_ready(&mut resources.tally, slot.block(), keep, roomy) {
            Some(block) => self.place(index, block),
            None => self.reserve_rarely(resources, index, words, roomy),
        }
    }

    /// [`Arena::reserve`] where the memory has to grow, or blocks to be split or coalesced.
    #[cold]
    #[inline(never)]
    fn reserve_rarely(
        &mut self,
        resources: &mut Resources,
        index: u32,
        words: usize,
        roomy: usize,
    ) -> Result<()> {
        let grown = self.grow(resources, index, roomy);
        grown.or_else(|_| self.grow(resources, index, words))
    }

    /// Notes the block that an object has grown to.
    #[inline(always)]
    fn place(&mut self, index: u32, block: Block) -> Result<()> {
        self.epoch.advance();
        present(self.slots.get_mut(index))?.set_block(block);
        Ok(())
    }

    /// Grows the block of the object in slot `index` to `words` words at least. The
    /// words in use are kept.
    #[inline(always)]
    fn grow(&mut self, resources: &mut Resources, index: u32, words: usize) -> Result<()> {
        let slot = self.slot(index)?;
        let keep = self.shape.words(slot.len, slot.room);
        self.grow_to(resources, index, keep, words)
    }

    /// Gives the object in slot `index` a block of `words` words at least, with its first
    /// `keep` words: the rest is unspecified. O(1) in place, O(keep) otherwise.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]. Nothing has changed then.
    #[inline(always)]
    pub(crate) fn grow_to(
        &mut self,
        resources: &mut Resources,
        index: u32,
        keep: usize,
        words: usize,
    ) -> Result<()> {
        let slot = self.slot(index)?;
        if words <= to_usize(slot.cap()) {
            return Ok(());
        }
        // The last block grows in place: a queue would crawl through memory that way, leaving a
        // gap behind, if it did so where the memory has to grow.
        if !self.blocks.grows_in_place(slot.block(), words) {
            let live = self.slots.live().map(|(_, slot)| slot.block());
            self.blocks.coalesce_for(resources, words, live);
        }
        let block = self.blocks.grow(resources, self.kind(), slot.block(), keep, words)?;
        self.place(index, block)
    }

    /// Frees the words beyond the first `words` of the block in slot `index`, as far as
    /// size classes allow. O(1).
    pub(crate) fn shrink_to(&mut self, index: u32, words: usize) -> Result<()> {
        let slot = self.slot(index)?;
        debug_assert!(!slot.is_shared());
        let block = slot.block();
        let shrunk = if words == 0 {
            self.blocks.free(block);
            Block::default()
        } else {
            self.blocks.shrink(block, words)
        };
        self.place(index, shrunk)
    }

    /// Cuts an object to at most `len` elements.
    #[inline]
    pub(crate) fn truncate(&mut self, index: u32, len: u32) -> Result<()> {
        debug_assert!(self.slots.get(index).is_some_and(|slot| !slot.is_shared()));
        self.epoch.advance();
        let slot = present(self.slots.get_mut(index))?;
        slot.len = slot.len.min(len);
        Ok(())
    }

    /// Cuts the first `count` elements off an object that has more, of a shape that
    /// [`Shape::can_be_cut`]: it begins behind them. The words become a gap. O(1). A
    /// collection that scans the object in parts has to begin again: the caller has opened
    /// it by [`Arena::write`].
    pub(crate) fn cut_front(&mut self, index: u32, count: u32) -> Result<()> {
        debug_assert!(self.shape.can_be_cut());
        let slot = present(self.slots.get_mut(index))?;
        debug_assert!(!slot.is_shared());
        let (Some(len), Some(cap)) = (slot.len.checked_sub(count), slot.cap().checked_sub(count))
        else {
            return Err(corrupt());
        };
        debug_assert!(len > 0, "an empty object has an empty block, or all of it");
        slot.len = len;
        slot.set_block(Block { off: slot.off.wrapping_add(count), cap });
        self.blocks.note_cut_front(count);
        self.epoch.advance();
        Ok(())
    }

    /// Notes that an object has lost elements, without [`Arena::truncate`].
    #[inline(always)]
    pub(crate) fn note_shrunk(&mut self) {
        self.epoch.advance();
    }

    /// Sets the length of an object whose block has room for it, and whose elements
    /// are written or about to be.
    #[inline(always)]
    pub(crate) fn set_len(&mut self, index: u32, len: u32) -> Result<()> {
        present(self.slots.get_mut(index))?.len = len;
        Ok(())
    }
}
