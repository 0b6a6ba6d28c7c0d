//! Versions of a sequence: objects whose elements lie in one block, each the first few of
//! what is written there. The version that ends where nothing is written yet can be
//! continued in place by a longer one; no version is ever written, as the others would see
//! it: it gets a block of its own before it changes ([`Arena::open_to_change`]).
//!
//! The slots of versions have one block, and the flag [`SHARED`]. The last word of the
//! block counts them ([`Versions`]), so that it is freed with the last one, in any order.
//! The flag of a version that is left alone stays until it is written or continued.

use super::blocks::{Blocks, Versions};
use super::slots::present;
use super::{Arena, FIRST_GROWTH, Resources, Slot, blocks};
use crate::words::{CAP_MAX, Cell, Error, Result, SHARED, object_len, to_usize};

impl<const BITS: u32> Arena<BITS> {
    /// The slot of an object that may change, once it lies where no other object does. O(1),
    /// and O(len) for a version that is not the last one of its block.
    ///
    /// # Errors
    /// As [`Arena::check_to_change`]; [`Error::Limit`], [`Error::ArenaFull`] or
    /// [`Error::OutOfMemory`] if a block of its own cannot be allocated. Nothing has changed
    /// then.
    #[cold]
    #[inline(never)]
    pub(crate) fn open_to_change(&mut self, resources: &mut Resources, cell: Cell) -> Result<Slot> {
        let slot = self.check_to_change(cell)?;
        if !slot.is_shared() {
            return Ok(slot);
        }
        self.own(resources, cell.slot())?;
        self.slot(cell.slot())
    }

    /// Gives the version in slot `index` a block of its own.
    fn own(&mut self, resources: &mut Resources, index: u32) -> Result<()> {
        let slot = self.slot(index)?;
        let shared = slot.block();
        let mut block = shared;
        if self.blocks.versions(shared)?.count > 1 {
            let words = self.shape.words(slot.len, slot.room);
            let live = self.slots.live().map(|(_, slot)| slot.block());
            self.blocks.coalesce_for(resources, words, live);
            block = self.blocks.alloc(resources, self.kind(), words)?;
            resources.tally.growth(block.cap);
            self.blocks.copy_words(shared, words, block);
            self.blocks.leave(shared);
        }
        let slot = present(self.slots.get_mut(index))?;
        slot.room &= !SHARED;
        slot.set_block(block);
        self.epoch.advance();
        Ok(())
    }

    /// Whether a version of `len` elements, more than it has, can lie in the block of an
    /// object: its elements are the last ones there, and the block has a word more for the
    /// versions.
    pub(crate) fn continues(&self, slot: Slot, len: u32) -> bool {
        let fits =
            self.shape.can_share() && self.shape.words_for(to_usize(len)) < to_usize(slot.cap());
        // A compaction in steps leaves shared blocks where they are: none is made in its way.
        if slot.len == 0 || !fits || self.blocks.is_to_be_moved(slot.block()) {
            return false;
        }
        if !slot.is_shared() {
            return true;
        }
        let versions = self.blocks.versions(slot.block());
        versions.is_ok_and(|Versions { count, used }| {
            count <= 1 || used == slot.len && count < u32::MAX
        })
    }

    /// Has the object in slot `version`, new and without a block, continue that in slot
    /// `index`, for which [`Arena::continues`] holds with its length. What is beyond the
    /// elements of the older one is unspecified.
    pub(crate) fn share(&mut self, index: u32, version: u32) -> Result<()> {
        let (old, len) = (self.slot(index)?, self.slot(version)?.len);
        debug_assert!(self.continues(old, len) && old.len <= len);
        let block = old.block();
        let count = if old.is_shared() { self.blocks.versions(block)?.count } else { 1 };
        self.blocks.set_versions(block, Versions { count: count.saturating_add(1), used: len })?;
        present(self.slots.get_mut(index))?.room |= SHARED;
        let slot = present(self.slots.get_mut(version))?;
        (slot.off, slot.room) = (block.off, block.cap | SHARED);
        // Hints remember whether an object can change where it lies.
        self.epoch.advance();
        Ok(())
    }

    /// The words of a block with room for `len` elements to come after an object, and for as
    /// many more as it has: continuing it again and again is linear.
    pub(crate) fn roomy_words(&self, slot: Slot, len: u32) -> usize {
        let cap = Blocks::exact_cap(self.shape.words_for(to_usize(slot.len)));
        let needed = self.shape.words_for(to_usize(len));
        // One more for the count of versions.
        to_usize(blocks::doubled(cap)).max(FIRST_GROWTH).max(needed).saturating_add(1)
    }

    /// Copies the elements of an object to the first ones of another in its own block.
    pub(crate) fn copy_elements(&mut self, from: u32, to: u32) -> Result<()> {
        let (from, target) = (self.slot(from)?, self.slot(to)?);
        let bytes = from.span(self.shape, 0..to_usize(from.len));
        let start = target.span(self.shape, 0..0).start;
        self.copy_bytes(to, bytes, start)
    }

    /// The words of the block that an object accounts for: all of them, or an equal part of
    /// those that versions share.
    pub(crate) fn block_words(&self, slot: Slot) -> u32 {
        slot.cap().checked_div(self.sharers(slot)).unwrap_or(0)
    }

    /// The live objects that the block of one has, itself included.
    pub(crate) fn sharers(&self, slot: Slot) -> u32 {
        let versions =
            if slot.is_shared() { self.blocks.versions(slot.block()).ok() } else { None };
        versions.map_or(1, |versions| versions.count)
    }

    /// The slot as it would be if the object did not share its block, in the smallest one.
    pub(crate) fn apart(&self, slot: Slot) -> Slot {
        if !slot.is_shared() {
            return slot;
        }
        let cap = Blocks::exact_cap(self.shape.words(slot.len, slot.room));
        Slot { room: slot.flags() | cap, ..slot }
    }

    /// Checks the blocks that versions share, as [`Arena::verify`]; returns the words of these.
    ///
    /// The first version that is met stands for its block, which `bits` tell: they are those
    /// of the last words of shared blocks until then. A sum over versions has to be that over
    /// blocks times their counts, so that each has as many as were counted, of the same bounds.
    pub(super) fn verify_shared(
        &self,
        bits: &mut [u64],
    ) -> Result<u64, (Option<u32>, &'static str)> {
        let (mut words, mut sum) = (0_u64, 0_u64);
        for (cell, slot) in self.live().filter(|(_, slot)| slot.is_shared()) {
            let fault = |what| (Some(cell.slot()), what);
            let block = slot.block();
            let versions = self.blocks.versions(block);
            let Versions { count, used } = versions.map_err(|_| fault("a block is outside"))?;
            let needed = self.shape.words_for(to_usize(used));
            if !self.shape.can_share() || slot.len == 0 || slot.len > used {
                return Err(fault("a version has elements that its block does not"));
            }
            if needed >= to_usize(block.cap) {
                return Err(fault("a shared block has no room for the versions"));
            }
            let bounds = u64::from(block.off) << 32 | u64::from(block.cap);
            // Odd factors spread the bounds over all bits; what matters is that sums differ.
            let mixed = bounds.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            sum = sum.wrapping_sub(mixed);
            let last = block.range().end.saturating_sub(1);
            if bits.get(last / 64).is_some_and(|word| word >> (last % 64) & 1 == 0) {
                let may_be_cut = self.shape.can_be_cut();
                self.blocks.verify(block, may_be_cut, bits).map_err(fault)?;
                words = words.saturating_add(u64::from(block.cap));
                sum = sum.wrapping_add(mixed.wrapping_mul(u64::from(count)));
            }
        }
        if sum == 0 { Ok(words) } else { Err((None, "the versions of a block are miscounted")) }
    }
}

/// The length of a version with `count` elements more than an object.
///
/// # Errors
/// [`Error::ObjectTooLarge`].
pub(crate) fn continued_len(slot: Slot, count: usize) -> Result<u32> {
    let len = to_usize(slot.len).checked_add(count).ok_or(Error::ObjectTooLarge)?;
    object_len(len)
}

const _: () = assert!(SHARED & CAP_MAX == 0 && SHARED > CAP_MAX);
