//! One arena: a table of 16-byte slots beside the blocks they name.
//!
//! All twelve arenas are of this one type; what differs between kinds is a
//! [`Shape`]. Nothing of a slot but its key is used before the key has matched,
//! and payload is reached by offset, inside this arena's own memory.

use alloc::vec::Vec;
use core::ops::Range;

use crate::cell::Cell;
use crate::epoch::Epoch;
use crate::error::Error;
use crate::generation::Generations;
use crate::kind::{Kind, Shape};
use crate::limits::{ArenaUsage, Budget, PAGE_BYTES};
use crate::memory::Memory;
use crate::range::{at, object_len, wide};

use crate::blocks::{Block, Blocks};

/// No slot: the end of the free list.
const NONE: u32 = u32::MAX;

/// What a handle's index leads to. A free slot links to the next by `off`.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Slot {
    /// High half of the one handle that opens this slot.
    pub(crate) key: u32,
    /// Elements.
    pub(crate) len: u32,
    /// First word of the block.
    pub(crate) off: u32,
    /// Words of the block.
    pub(crate) cap: u32,
}

const _: () = assert!(size_of::<Slot>() == 16);

impl Slot {
    pub(crate) fn block(self) -> Block {
        Block { off: self.off, cap: self.cap }
    }
}

/// One arena, with generations of `BITS` bits.
#[derive(Debug)]
pub(crate) struct Arena<const BITS: u32 = 12> {
    shape: &'static Shape,
    kind: Kind,
    generations: Generations<BITS>,
    slots: Vec<Slot>,
    /// First free slot.
    free: u32,
    free_len: u32,
    retired: u32,
    blocks: Blocks,
    /// Tells hints whether anything was freed, shrunk or moved since.
    epoch: Epoch,
}

impl<const BITS: u32> Arena<BITS> {
    pub(crate) const fn new(kind: Kind, shape: &'static Shape, seed: u32) -> Self {
        Arena {
            shape,
            kind,
            generations: Generations::new(kind, seed),
            slots: Vec::new(),
            free: NONE,
            free_len: 0,
            retired: 0,
            blocks: Blocks::new(),
            epoch: Epoch::NONE,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn shape(&self) -> &'static Shape {
        self.shape
    }

    /// The slot that `cell` opens: one compare proves kind, generation and
    /// liveness.
    ///
    /// # Errors
    /// [`Error::NotAHandle`], [`Error::WrongKind`] or [`Error::Stale`].
    #[inline(always)]
    pub(crate) fn check(&self, cell: Cell) -> Result<Slot, Error> {
        match self.slots.get(at(cell.slot())) {
            Some(slot) if slot.key == cell.key() => Ok(*slot),
            _ => Err(cell.refused(self.kind())),
        }
    }

    /// Whether `cell` opens a slot of this arena.
    #[inline]
    pub(crate) fn contains(&self, cell: Cell) -> bool {
        self.slots.get(at(cell.slot())).is_some_and(|slot| slot.key == cell.key())
    }

    /// The words of a slot's block that are in use.
    #[inline(always)]
    pub(crate) fn used(&self, slot: Slot) -> Result<&[u64], Error> {
        self.words(slot, self.shape.words(slot.len, slot.cap))
    }

    /// The first `len` words of a slot's block.
    #[inline(always)]
    pub(crate) fn words(&self, slot: Slot, len: usize) -> Result<&[u64], Error> {
        let off = at(slot.off);
        self.blocks.words().get(off..off.saturating_add(len)).ok_or(Error::Corrupt)
    }

    /// The whole block of a slot.
    #[inline(always)]
    pub(crate) fn words_mut(&mut self, slot: Slot) -> Result<&mut [u64], Error> {
        let off = at(slot.off);
        let end = off.saturating_add(at(slot.cap));
        self.blocks.words_mut().get_mut(off..end).ok_or(Error::Corrupt)
    }

    /// The whole payload, in words.
    #[inline(always)]
    pub(crate) fn payload_words(&self) -> &[u64] {
        self.blocks.words()
    }

    /// The whole payload, in words.
    #[inline(always)]
    pub(crate) fn payload_words_mut(&mut self) -> &mut [u64] {
        self.blocks.words_mut()
    }

    /// The whole payload.
    pub(crate) fn payload(&self) -> &[u8] {
        bytemuck::cast_slice(self.blocks.words())
    }

    /// Where in the payload elements of a slot's object lie.
    #[inline(always)]
    pub(crate) fn span(&self, slot: Slot, elements: Range<usize>) -> Range<usize> {
        let first = at(slot.off).saturating_add(at(self.shape.header)).saturating_mul(8);
        let place =
            |index: usize| first.saturating_add(index.saturating_mul(self.shape.element_bytes()));
        place(elements.start)..place(elements.end)
    }

    /// The whole payload, for disjoint parts of it.
    pub(crate) fn payload_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(self.blocks.words_mut())
    }

    /// A live slot, by index.
    #[inline(always)]
    pub(crate) fn slot(&self, index: u32) -> Result<Slot, Error> {
        self.slots.get(at(index)).copied().ok_or(Error::Corrupt)
    }

    #[inline(always)]
    pub(crate) fn slot_mut(&mut self, index: u32) -> Result<&mut Slot, Error> {
        self.slots.get_mut(at(index)).ok_or(Error::Corrupt)
    }

    /// A new object of `len` elements in `words` words, which `fill` writes;
    /// they hold anything before.
    ///
    /// # Errors
    /// A limit, a full arena, no memory; nothing has changed then.
    #[inline]
    pub(crate) fn alloc(
        &mut self,
        budget: &mut Budget,
        len: u32,
        words: usize,
        fill: impl FnOnce(&mut [u64]) -> Result<(), Error>,
    ) -> Result<Cell, Error> {
        let before = (self.slots.capacity(), self.blocks.memory().extent());
        if self.free == NONE && self.slots.len() == before.0
            || self.slots.len() >= at(budget.limits().slots)
        {
            self.reserve_slot(budget)?;
        }
        let block = match self.blocks.alloc(budget, self.kind, words) {
            Ok(block) => block,
            Err(error) => return Err(self.undo(budget, before, Block::default(), error)),
        };
        let off = at(block.off);
        let filled = match self.blocks.words_mut().get_mut(off..off.saturating_add(words)) {
            Some(words) => fill(words),
            None => Err(Error::Corrupt),
        };
        match filled {
            Ok(()) => Ok(self.take_slot(len, block)),
            Err(error) => Err(self.undo(budget, before, block, error)),
        }
    }

    /// Gives back what an allocation that fails has taken.
    #[cold]
    fn undo(
        &mut self,
        budget: &mut Budget,
        (slots, extent): (usize, (u64, usize)),
        block: Block,
        error: Error,
    ) -> Error {
        self.blocks.free(block);
        self.blocks.shrink(budget, extent);
        budget.shrink(&mut self.slots, slots);
        error
    }

    /// Makes sure that there is a free slot, or capacity for one.
    #[cold]
    fn reserve_slot(&mut self, budget: &mut Budget) -> Result<(), Error> {
        if self.free != NONE {
            return Ok(());
        }
        let len = self.slots.len().saturating_add(1);
        budget.slots(self.kind, len)?;
        budget.reserve(&mut self.slots, len.max(4))
    }

    /// [`Arena::reserve_slot`] must have succeeded.
    #[inline(always)]
    fn take_slot(&mut self, len: u32, block: Block) -> Cell {
        let index = self.free;
        let mut taken = Slot { key: 0, len, off: block.off, cap: block.cap };
        if let Some(slot) = self.slots.get_mut(at(index)) {
            taken.key = self.generations.revived(slot.key);
            self.free = slot.off;
            self.free_len = self.free_len.wrapping_sub(1);
            *slot = taken;
            return Cell::of_slot(taken.key, index);
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(NONE);
        taken.key = self.generations.revived(self.generations.fresh(index));
        self.slots.push(taken);
        Cell::of_slot(taken.key, index)
    }

    /// Frees the object that `cell` names.
    ///
    /// # Errors
    /// As [`Arena::check`].
    #[inline]
    pub(crate) fn free(&mut self, cell: Cell) -> Result<(), Error> {
        let slot = self.check(cell)?;
        self.blocks.free(slot.block());
        self.end(cell.slot(), slot.key);
        Ok(())
    }

    /// Ends the life of a slot, whose block has been taken back.
    #[inline]
    fn end(&mut self, index: u32, key: u32) {
        self.epoch.advance();
        let key = self.generations.ended(key, index);
        let mut ended = Slot { key, len: 0, off: NONE, cap: 0 };
        if Generations::<BITS>::is_retired(key) {
            self.retired = self.retired.wrapping_add(1);
        } else {
            ended.off = core::mem::replace(&mut self.free, index);
            self.free_len = self.free_len.wrapping_add(1);
        }
        if let Some(slot) = self.slots.get_mut(at(index)) {
            *slot = ended;
        }
    }

    /// Frees every object; generations go on, pages and slots stay reserved.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
        (self.free, self.free_len) = (NONE, 0);
        for index in (0..u32::try_from(self.slots.len()).unwrap_or(NONE)).rev() {
            let Some(slot) = self.slots.get_mut(at(index)) else {
                continue;
            };
            let key = slot.key;
            if Generations::<BITS>::is_live(key) {
                self.end(index, key);
            } else if !Generations::<BITS>::is_retired(key) {
                slot.off = core::mem::replace(&mut self.free, index);
                self.free_len = self.free_len.wrapping_add(1);
            }
        }
    }

    /// Gives the sequence that slot `index` names room for `additional` more
    /// elements, and for as many again as it had where the limits allow.
    ///
    /// # Errors
    /// A limit, a full arena, no memory; nothing has changed then.
    pub(crate) fn reserve(
        &mut self,
        budget: &mut Budget,
        index: u32,
        additional: usize,
    ) -> Result<(), Error> {
        let slot = self.slot(index)?;
        let len = at(slot.len).checked_add(additional).ok_or(Error::ObjectTooLarge)?;
        let words = self.shape.words_for(at(object_len(len)?));
        if words <= at(slot.cap) {
            return Ok(());
        }
        let doubled = words.max(at(slot.cap).saturating_mul(2)).min(at(u32::MAX));
        let grown = self.grow(budget, index, doubled);
        grown.or_else(|_| self.grow(budget, index, words))
    }

    /// Gives the object that slot `index` names room for `words` words; its
    /// words in use are kept.
    #[cold]
    fn grow(&mut self, budget: &mut Budget, index: u32, words: usize) -> Result<(), Error> {
        let slot = self.slot(index)?;
        let keep = self.shape.words(slot.len, slot.cap);
        let block = self.blocks.grow(budget, self.kind, slot.block(), keep, words)?;
        self.epoch.advance();
        let slot = self.slot_mut(index)?;
        (slot.off, slot.cap) = (block.off, block.cap);
        Ok(())
    }

    /// Gives slot `index` a second block; `fill` writes it from the first
    /// block, which is then taken back. All of the payload is at hand: the old
    /// block, the new one.
    ///
    /// # Errors
    /// A limit, a full arena, no memory; nothing has changed then.
    pub(crate) fn rebuild(
        &mut self,
        budget: &mut Budget,
        index: u32,
        words: usize,
        fill: impl FnOnce(&mut [u64], &mut [u64]) -> u32,
    ) -> Result<(), Error> {
        let old = self.slot(index)?.block();
        let new = self.blocks.alloc(budget, self.kind, words)?;
        let payload = self.blocks.words_mut();
        let split = at(old.off.max(new.off));
        let (low, high) = payload.split_at_mut_checked(split).ok_or(Error::Corrupt)?;
        let (from, to) = if old.off < new.off {
            (low.get_mut(at(old.off)..), high)
        } else {
            (Some(high), low.get_mut(at(new.off)..).unwrap_or_default())
        };
        let from = from.and_then(|from| from.get_mut(..at(old.cap))).ok_or(Error::Corrupt)?;
        let len = fill(from, to.get_mut(..at(new.cap)).ok_or(Error::Corrupt)?);
        self.blocks.free(old);
        self.epoch.advance();
        let slot = self.slot_mut(index)?;
        (slot.len, slot.off, slot.cap) = (len, new.off, new.cap);
        Ok(())
    }

    /// Cuts an object back to `len` elements, or leaves a shorter one.
    #[inline]
    pub(crate) fn truncate(&mut self, index: u32, len: u32) -> Result<(), Error> {
        self.epoch.advance();
        let slot = self.slot_mut(index)?;
        slot.len = slot.len.min(len);
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The epoch, a new one if there is none.
    pub(crate) fn started_epoch(&mut self) -> Result<Epoch, Error> {
        self.epoch.start()?;
        Ok(self.epoch)
    }

    pub(crate) fn memory(&self) -> &Memory {
        self.blocks.memory()
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn usage(&self) -> ArenaUsage {
        let slots = wide(self.slots.len());
        let live =
            slots.saturating_sub(u64::from(self.free_len)).saturating_sub(u64::from(self.retired));
        let slot_bytes = |slots: usize| wide(slots).saturating_mul(16);
        ArenaUsage {
            kind: self.kind(),
            pages: self.memory().size(),
            payload_bytes: self.blocks.used_words().saturating_mul(8),
            bytes: self
                .memory()
                .size()
                .saturating_mul(PAGE_BYTES)
                .saturating_add(slots.saturating_mul(16)),
            reserved_bytes: self
                .memory()
                .reserved_bytes()
                .saturating_add(slot_bytes(self.slots.capacity())),
            live: u32::try_from(live).unwrap_or(u32::MAX),
            free: self.free_len,
            retired: self.retired,
        }
    }
}
