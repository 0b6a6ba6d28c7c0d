//! Room for one more object: a slot and a block, or neither.

use super::slot::Block;
use super::{Arena, Extent, Resources};
use crate::words::Result;

#[cfg(doc)]
use crate::words::Error;

/// What an arena and the bitmap had reserved before an allocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    extent: Extent,
    bitmap_words: usize,
}

impl<const BITS: u32> Arena<BITS> {
    /// Checks that the limits allow an object of `words` words, so that what a limit
    /// refuses costs no growth that has to be undone. O(1), unless it coalesces.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`] or [`Error::ObjectTooLarge`].
    #[cold]
    pub(crate) fn check_room(&mut self, resources: &mut Resources, words: usize) -> Result<()> {
        let live = self.slots.live().map(|(_, slot)| slot.block());
        self.blocks.coalesce_for(resources, words, live);
        let slots = self.slots.missing(&mut resources.account)?;
        let kind = self.kind();
        let (words, bytes) = self.blocks.missing(&mut resources.account, kind, words)?;
        if slots == 0 && words == 0 { Ok(()) } else { resources.check_growth(slots, words, bytes) }
    }

    /// Provides a free slot, and allocates a block. Returns the block, and what had
    /// been reserved before.
    #[cold]
    pub(super) fn make_room(
        &mut self,
        resources: &mut Resources,
        words: usize,
    ) -> Result<(Block, Before)> {
        self.check_room(resources, words)?;
        let before = Before { extent: self.extent(), bitmap_words: resources.bitmap_words() };
        let slots = self.slots.add(resources);
        let block = slots.and_then(|()| self.blocks.alloc(resources, self.kind(), words));
        let block = block.inspect_err(|_| self.undo(resources, Block::default(), Some(before)))?;
        Ok((block, before))
    }

    /// Undoes the part of an allocation that succeeded before it failed.
    #[cold]
    pub(super) fn undo(&mut self, resources: &mut Resources, block: Block, before: Option<Before>) {
        self.blocks.free(block);
        if let Some(Before { extent, bitmap_words }) = before {
            self.shrink(resources, extent);
            resources.shrink_bitmap(bitmap_words);
        }
    }
}
