//! One arena: a table of slots beside the blocks that they refer to, in one
//! linear memory.
//!
//! All arenas are of this one type; what differs between kinds is a [`Shape`].
//! Payload is reached by offset, inside this arena's own memory.

mod account;
mod blocks;
pub mod memory;
mod resources;
mod scratch;
mod slot;
mod slots;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use account::{Account, Pressure, ScratchCharge};
pub(crate) use blocks::halves;
pub(crate) use memory::Memory;
pub(crate) use resources::{Resources, Tally};
pub(crate) use scratch::{Scratch, Seen, push, reserve};
pub(crate) use slot::Slot;

use blocks::{Blocks, BlocksExtent};
use slot::Block;
use slots::{SlotExtent, Slots, present};

use crate::words::{
    ArenaUsage, Cell, Epoch, Error, Kind, PAGE_BYTES, Result, Shape, corrupt, object_len, to_u64,
    to_usize,
};

/// Words that a sequence begins to grow with, as `Vec` does.
const FIRST_GROWTH: usize = 4;

const _: () = assert!(size_of::<Arena>() <= 128, "two cache lines");

/// Slots, and what an arena has reserved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    slots: SlotExtent,
    blocks: BlocksExtent,
}

/// What there was before an allocation, if it has made room.
#[derive(Clone, Copy, Debug)]
struct Before {
    extent: Extent,
    bitmap_words: usize,
}

/// One arena, with generations of `BITS` bits.
#[derive(Debug)]
pub(crate) struct Arena<const BITS: u32 = 12> {
    shape: &'static Shape,
    slots: Slots<BITS>,
    blocks: Blocks,
    /// Tells hints whether anything was freed, shrunk or moved since.
    epoch: Epoch,
    /// The epoch of the last recycling; hints older than it are rejected.
    recycled: Epoch,
}

/// Access and lookup.
impl<const BITS: u32> Arena<BITS> {
    pub(crate) const fn new(kind: Kind, shape: &'static Shape, seed: u32) -> Self {
        Arena {
            shape,
            slots: Slots::new(kind, seed),
            blocks: Blocks::new(),
            epoch: Epoch::NONE,
            recycled: Epoch::NONE,
        }
    }

    #[inline(always)]
    pub(crate) const fn shape(&self) -> &'static Shape {
        self.shape
    }

    #[inline(always)]
    pub(crate) const fn kind(&self) -> Kind {
        self.slots.kind()
    }

    /// The slot that `cell` opens: one compare proves kind, generation and
    /// liveness.
    ///
    /// # Errors
    /// [`Error::NotAHandle`], [`Error::WrongKind`] or [`Error::Stale`].
    #[inline(always)]
    pub(crate) fn check(&self, cell: Cell) -> Result<Slot> {
        self.find(cell).ok_or_else(|| cell.rejection(self.kind()))
    }

    /// [`Arena::check`], without the reason.
    #[inline(always)]
    pub(crate) fn find(&self, cell: Cell) -> Option<Slot> {
        self.slots.find(cell)
    }

    /// Whether `cell` opens a slot of this arena.
    #[inline]
    pub(crate) fn contains(&self, cell: Cell) -> bool {
        self.find(cell).is_some()
    }

    /// The words of a slot's block that are in use.
    #[inline(always)]
    pub(crate) fn used(&self, slot: Slot) -> Result<&[u64]> {
        self.words(slot, self.shape.words(slot.len, slot.cap))
    }

    /// The first `len` words of a slot's block.
    #[inline(always)]
    pub(crate) fn words(&self, slot: Slot, len: usize) -> Result<&[u64]> {
        let off = to_usize(slot.off);
        self.memory().words().get(off..off.saturating_add(len)).ok_or_else(corrupt)
    }

    /// The cells of an object; in tables, holes are among them.
    #[inline(always)]
    pub(crate) fn cells(&self, slot: Slot) -> Result<&[Cell]> {
        let len = self.shape.cells(slot.len);
        if len == 0 {
            return Ok(&[]);
        }
        let start = to_usize(slot.off).saturating_add(to_usize(self.shape.header));
        let words = self.memory().words().get(start..start.saturating_add(len));
        words.map(Cell::slice).ok_or_else(corrupt)
    }

    /// Where the payload lies.
    #[inline(always)]
    pub(crate) const fn memory(&self) -> &Memory {
        self.blocks.memory()
    }

    /// A live slot, by index.
    #[inline(always)]
    pub(crate) fn slot(&self, index: u32) -> Result<Slot> {
        present(self.slots.get(index)).copied()
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        self.slots.as_slice()
    }

    /// Live objects, in the order of their slots.
    pub(crate) fn live(&self) -> impl Iterator<Item = (Cell, Slot)> {
        self.slots.live()
    }

    /// Whether slot `index` is retired.
    pub(crate) fn is_retired(&self, index: u32) -> bool {
        self.slots.is_retired(index)
    }

    #[inline(always)]
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) const fn recycled(&self) -> Epoch {
        self.recycled
    }

    /// Begins a series of epochs, unless one has begun.
    pub(crate) fn start_epoch(&mut self) -> Result<()> {
        self.epoch.start()
    }
}

/// Allocation and growth.
impl<const BITS: u32> Arena<BITS> {
    /// A new object of `len` elements in `words` words, which `fill` writes;
    /// their content before is unspecified.
    ///
    /// # Errors
    /// A limit, a full arena, no memory, and what `fill` returns; nothing has
    /// changed then.
    #[inline(always)]
    pub(crate) fn alloc(
        &mut self,
        resources: &mut Resources,
        len: u32,
        words: usize,
        fill: impl FnOnce(&mut [u64]) -> Result<()>,
    ) -> Result<Cell> {
        // What is there to be taken, in line; the rest in one function.
        let vacant = self.slots.vacant();
        let block = vacant.as_ref().and_then(|_| self.blocks.ready(words));
        let (Some(vacant), Some(block)) = (vacant, block) else {
            return self.alloc_with_room(resources, len, words, fill);
        };
        let off = to_usize(block.off);
        let place = self.blocks.words_mut().get_mut(off..off.saturating_add(words));
        if let Err(error) = place.ok_or_else(corrupt).and_then(fill) {
            self.undo(resources, block, None);
            return Err(error);
        }
        let cell = vacant.occupy(len, block);
        self.note_allocation(resources, block);
        Ok(cell)
    }

    /// [`Arena::alloc`], after a slot and a block were made ready.
    #[cold]
    #[inline(never)]
    fn alloc_with_room(
        &mut self,
        resources: &mut Resources,
        len: u32,
        words: usize,
        fill: impl FnOnce(&mut [u64]) -> Result<()>,
    ) -> Result<Cell> {
        let (block, before) = self.make_room(resources, words)?;
        let off = to_usize(block.off);
        let place = self.blocks.words_mut().get_mut(off..off.saturating_add(words));
        if let Err(error) = place.ok_or_else(corrupt).and_then(fill) {
            self.undo(resources, block, Some(before));
            return Err(error);
        }
        let cell = present(self.slots.vacant())?.occupy(len, block);
        self.note_allocation(resources, block);
        Ok(cell)
    }

    #[inline(always)]
    fn note_allocation(&self, resources: &mut Resources, block: Block) {
        resources.tally.object(block.cap);
        if self.slots.is_exhausted() {
            resources.account.note_last_slot(self.slots.len());
        }
    }

    /// A free slot and a block; and what there was before.
    #[cold]
    fn make_room(&mut self, resources: &mut Resources, words: usize) -> Result<(Block, Before)> {
        let before = Before { extent: self.extent(), bitmap_words: resources.bitmap_words() };
        let slots = self.slots.add(resources);
        let block = slots.and_then(|()| self.blocks.alloc(resources, self.kind(), words));
        let block = block.inspect_err(|_| self.undo(resources, Block::default(), Some(before)))?;
        Ok((block, before))
    }

    /// Gives back what an allocation that fails has taken.
    #[cold]
    fn undo(&mut self, resources: &mut Resources, block: Block, before: Option<Before>) {
        self.blocks.free(block);
        if let Some(Before { extent, bitmap_words }) = before {
            self.shrink(resources, extent);
            resources.shrink_bitmap(bitmap_words);
        }
    }

    /// Gives the sequence in slot `index` room for `additional` more elements,
    /// and for as many again as it had where the limits allow.
    ///
    /// # Errors
    /// A limit, a full arena, no memory; nothing has changed then.
    pub(crate) fn reserve(
        &mut self,
        resources: &mut Resources,
        index: u32,
        additional: usize,
    ) -> Result<()> {
        let slot = self.slot(index)?;
        let len = to_usize(slot.len).checked_add(additional).ok_or(Error::ObjectTooLarge)?;
        let words = self.shape.words_for(to_usize(object_len(len)?));
        if words <= to_usize(slot.cap) {
            return Ok(());
        }
        let doubled = to_usize(slot.cap).saturating_mul(2).clamp(FIRST_GROWTH, to_usize(u32::MAX));
        let roomy = self.grow(resources, index, words.max(doubled));
        roomy.or_else(|_| self.grow(resources, index, words))
    }

    /// Gives the object in slot `index` room for `words` words; its words in use
    /// are kept.
    #[inline(always)]
    fn grow(&mut self, resources: &mut Resources, index: u32, words: usize) -> Result<()> {
        let slot = self.slot(index)?;
        let keep = self.shape.words(slot.len, slot.cap);
        let block = self.blocks.grow(resources, self.kind(), slot.block(), keep, words)?;
        self.epoch.advance();
        let slot = present(self.slots.get_mut(index))?;
        (slot.off, slot.cap) = (block.off, block.cap);
        Ok(())
    }

    /// Gives slot `index` a second block; `fill` writes it from the first one,
    /// which is freed then, and returns the new length.
    ///
    /// # Errors
    /// A limit, a full arena, no memory; nothing has changed then.
    pub(crate) fn replace_block(
        &mut self,
        resources: &mut Resources,
        index: u32,
        words: usize,
        fill: impl FnOnce(&mut [u64], &mut [u64]) -> u32,
    ) -> Result<()> {
        let old = self.slot(index)?.block();
        let new = self.blocks.alloc(resources, self.kind(), words)?;
        resources.tally.growth(new.cap);
        let both = self.blocks.words_mut().get_disjoint_mut([old.range(), new.range()]);
        let [from, to] = both.map_err(|_| corrupt())?;
        let len = fill(from, to);
        self.blocks.free(old);
        self.epoch.advance();
        let slot = present(self.slots.get_mut(index))?;
        (slot.len, slot.off, slot.cap) = (len, new.off, new.cap);
        Ok(())
    }

    /// Cuts an object back to `len` elements, or leaves a shorter one.
    #[inline]
    pub(crate) fn truncate(&mut self, index: u32, len: u32) -> Result<()> {
        self.epoch.advance();
        let slot = present(self.slots.get_mut(index))?;
        slot.len = slot.len.min(len);
        Ok(())
    }

    /// Sets the length of an object whose block has room for it, once its
    /// elements are written.
    #[inline(always)]
    pub(crate) fn set_len(&mut self, index: u32, len: u32) -> Result<()> {
        present(self.slots.get_mut(index))?.len = len;
        Ok(())
    }

    /// Whether there is a block of `words` words to be taken as it is.
    #[inline]
    pub(crate) fn is_ready(&self, words: usize) -> bool {
        self.blocks.is_ready(words)
    }

    /// Takes back the newest object, whose handle nothing holds, as if it had
    /// never been allocated.
    pub(crate) fn roll_back(&mut self, cell: Cell) {
        if let Some(block) = self.slots.roll_back(cell) {
            self.blocks.free(block);
        }
    }

    /// Capacity for slots, and the memory's extent.
    pub(crate) fn extent(&self) -> Extent {
        Extent { slots: self.slots.extent(), blocks: self.blocks.extent() }
    }

    /// Goes back to an earlier extent, after all that came later was rolled
    /// back, the newest first.
    pub(crate) fn shrink(&mut self, resources: &mut Resources, extent: Extent) {
        self.blocks.give_back(&mut resources.account, extent.blocks);
        self.slots.shrink(resources, extent.slots);
    }
}

/// Reclamation.
impl<const BITS: u32> Arena<BITS> {
    /// Frees the object that `cell` refers to.
    ///
    /// # Errors
    /// As [`Arena::check`].
    #[inline]
    pub(crate) fn free(&mut self, tally: &mut Tally, cell: Cell) -> Result<()> {
        self.check(cell)?;
        if self.release(cell.slot()) {
            tally.retired_slot();
        }
        Ok(())
    }

    /// Ends the generation of a slot, and frees its block; returns whether the
    /// slot retired.
    #[inline]
    fn release(&mut self, index: u32) -> bool {
        let Some(slot) = self.slots.get(index) else { return false };
        self.blocks.free(slot.block());
        self.epoch.advance();
        self.slots.release(index)
    }

    /// Frees every object; generations go on, pages and slots stay reserved.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
        self.epoch.advance();
        self.slots.release_all();
    }

    /// Frees every live object whose bit is not set; returns how many. The last
    /// goes first, so that the top of the memory falls with them.
    pub(crate) fn sweep(&mut self, marked: &[u64]) -> u64 {
        let words = marked.get(..self.slots.len().div_ceil(64)).unwrap_or(marked);
        if words.iter().all(|&word| word == 0) {
            let freed = u64::from(self.slots.counts().live);
            self.clear();
            return freed;
        }
        let mut freed = 0_u64;
        for index in unmarked(marked, self.slots.len()) {
            if self.slots.get(index).is_some_and(Slots::<BITS>::is_live) {
                self.release(index);
                freed = freed.wrapping_add(1);
            }
        }
        if self.blocks.used() == 0 {
            self.blocks.clear();
        }
        freed
    }

    /// Gives every retired slot whose bit is not set all its generations again:
    /// no cell refers to it. Hints older than this are rejected. Returns how
    /// many.
    pub(crate) fn recycle(&mut self, referenced: &[u64]) -> u64 {
        let mut recycled = 0_u64;
        for index in unmarked(referenced, self.slots.len()) {
            recycled = recycled.wrapping_add(u64::from(self.slots.recycle(index)));
        }
        if recycled > 0 {
            self.epoch = Epoch::NONE;
            self.recycled = if self.epoch.start().is_ok() { self.epoch } else { Epoch::NEVER };
        }
        recycled
    }

    /// Words of live pages that no live object owns.
    pub(crate) fn waste(&self) -> u64 {
        to_u64(self.memory().words().len()).saturating_sub(self.blocks.used())
    }

    /// Closes the gaps between blocks, cuts capacity back and gives free pages
    /// back; handles stay valid.
    pub(crate) fn compact(&mut self, resources: &mut Resources) {
        let shape = self.shape;
        let (is_live, slots) = (Slots::<BITS>::is_live, self.slots.as_mut_slice());
        self.blocks.compact(resources, slots, is_live, |slot| shape.words(slot.len, slot.cap));
        self.slots.trim(resources);
        self.epoch.advance();
    }
}

/// Inspection.
impl<const BITS: u32> Arena<BITS> {
    /// Checks slots and blocks; tells what does not hold, and where. `bits` has
    /// one for every word of memory.
    pub(crate) fn verify(&self, bits: &mut [u64]) -> Result<(), (Option<u32>, &'static str)> {
        let mut used = 0_u64;
        for (cell, slot) in self.live() {
            let fault = |what| (Some(cell.slot()), what);
            if cell.selector() != self.kind() {
                return Err(fault("the key is of another arena"));
            }
            if self.shape.words(slot.len, slot.cap) > to_usize(slot.cap) {
                return Err(fault("the object is larger than its block"));
            }
            self.blocks.verify(slot.block(), bits).map_err(fault)?;
            used = used.saturating_add(u64::from(slot.cap));
        }
        self.slots.verify()?;
        if used != self.blocks.used() {
            return Err((None, "the payload is miscounted"));
        }
        self.blocks.verify_free(bits).map_err(|what| (None, what))
    }

    pub(crate) fn usage(&self) -> ArenaUsage {
        let counts = self.slots.counts();
        let pages = self.memory().size();
        ArenaUsage {
            kind: self.kind(),
            pages,
            payload_bytes: self.blocks.used().saturating_mul(8),
            bytes: pages.saturating_mul(PAGE_BYTES).saturating_add(self.slots.bytes()),
            reserved_bytes: self
                .memory()
                .reserved_bytes()
                .saturating_add(self.slots.reserved_bytes()),
            live: counts.live,
            free: counts.free,
            retired: counts.retired,
        }
    }
}

/// The positions below `len` of bits that are not set, from the last on.
fn unmarked(words: &[u64], len: usize) -> impl Iterator<Item = u32> {
    (0..u32::try_from(len.div_ceil(64)).unwrap_or(0)).rev().flat_map(move |n| {
        let mut clear = !words.get(to_usize(n)).copied().unwrap_or(0);
        core::iter::from_fn(move || {
            let bit = clear.checked_ilog2()?;
            clear ^= 1 << bit;
            Some(n.wrapping_mul(64).wrapping_add(bit))
        })
    })
}
