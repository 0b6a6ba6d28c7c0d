//! [`Arena`]: a table of slots, and one linear memory with the blocks that they
//! refer to. The blocks are the payload of the objects.
//!
//! All arenas have this one type; kinds differ in their [`Shape`]. A block is an
//! offset in its own arena's memory, so that no slot reaches another memory.

mod account;
mod arenas;
mod blocks;
mod by_slot;
mod evacuate;
mod events;
mod growth;
mod image;
mod index;
mod inspect;
pub mod memory;
mod prefetch;
mod reclaim;
mod resources;
mod scratch;
mod sharing;
mod slot;
mod slots;
mod symbols;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use write::CHUNK;

/// The flag in the first word of a table that is weak by its keys.
pub(crate) const WEAK: u64 = 1 << 60;

pub(crate) use account::{Account, ScratchCharge};
pub(crate) use arenas::Arenas;
pub(crate) use blocks::{block_words, halves};
pub(crate) use by_slot::SlotNumbers;
pub(crate) use image::{Loaded, NotWritten, Sink, Source, Unloadable};
pub(crate) use index::{Index, Indexed};
pub(crate) use memory::Memory;
pub(crate) use prefetch::prefetch_cells;
pub(crate) use resources::{Resources, Tally};
pub(crate) use scratch::{Scratch, Seen, push, reserve};
pub(crate) use sharing::continued_len;
pub(crate) use slot::Slot;
pub(crate) use symbols::{Symbols, SymbolsExtent};

use blocks::{Blocks, BlocksExtent};
pub(crate) use evacuate::{Evacuated, Evacuation, Progress};
pub(crate) use reclaim::Swept;
use slot::Block;
pub(crate) use slots::{Born, States, Whites};
use slots::{SlotExtent, Slots, present};

#[cfg(doc)]
use crate::words::Error;
use crate::words::{
    Cell, Element, Elements, Epoch, EventKind, Kind, Result, Shape, corrupt, to_usize,
};

/// The fewest words that a growing sequence gets, as in `Vec`.
const FIRST_GROWTH: usize = 4;

const _: () = assert!(size_of::<Arena>() <= 160, "each heap has one for every kind");

/// The slots and the memory that an arena has reserved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    slots: SlotExtent,
    blocks: BlocksExtent,
}

/// What an arena and the bitmap had reserved before an allocation.
#[derive(Clone, Copy, Debug)]
struct Before {
    extent: Extent,
    bitmap_words: usize,
}

/// An arena whose slots have generations of `BITS` bits.
#[derive(Debug)]
pub(crate) struct Arena<const BITS: u32 = 12> {
    shape: &'static Shape,
    slots: Slots<BITS>,
    blocks: Blocks,
    /// Advances when an object is freed, shrunk or moved: hints of an earlier epoch
    /// have to be checked again.
    epoch: Epoch,
    /// The epoch of the last recycling: older hints fail.
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

    /// A copy with the same handles. Hints of this arena are none of the copy's.
    pub(crate) fn try_clone(&self, resources: &mut Resources) -> Result<Self> {
        let slots = self.slots.try_clone(resources)?;
        let blocks = self.blocks.try_clone(&mut resources.account)?;
        resources.reserve_bits(blocks.memory().words().len())?;
        let (epoch, recycled) = (Epoch::NONE, Epoch::NONE);
        Ok(Arena { shape: self.shape, slots, blocks, epoch, recycled })
    }

    #[inline(always)]
    pub(crate) const fn shape(&self) -> &'static Shape {
        self.shape
    }

    #[inline(always)]
    pub(crate) const fn kind(&self) -> Kind {
        self.slots.kind()
    }

    /// The slot of the object that `cell` refers to. One compare proves kind,
    /// generation and liveness.
    ///
    /// # Errors
    /// [`Error::NotAHandle`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`].
    #[inline(always)]
    pub(crate) fn check(&self, cell: Cell) -> Result<Slot> {
        self.find(cell).ok_or_else(|| cell.rejection(self.kind()))
    }

    /// [`Arena::check`], without the slot.
    ///
    /// # Errors
    /// As [`Arena::check`].
    #[inline(always)]
    pub(crate) fn check_handle(&self, cell: Cell) -> Result<()> {
        if self.slots.find_dense(cell).is_some() { Ok(()) } else { self.check_sparse(cell) }
    }

    /// [`Arena::check_handle`] of a cell that refers to no dense slot.
    #[cold]
    #[inline(never)]
    fn check_sparse(&self, cell: Cell) -> Result<()> {
        self.check(cell).map(drop)
    }

    /// [`Arena::check`], without the reason.
    #[inline(always)]
    pub(crate) fn find(&self, cell: Cell) -> Option<Slot> {
        self.slots.find(cell)
    }

    /// [`Arena::find`], except for slots that a cold path has to look up.
    #[inline(always)]
    pub(crate) fn find_dense(&self, cell: Cell) -> Option<Slot> {
        self.slots.find_dense(cell)
    }

    /// Whether `cell` refers to a live object of this arena.
    #[inline]
    pub(crate) fn contains(&self, cell: Cell) -> bool {
        self.find(cell).is_some()
    }

    /// The words in use of a slot's block.
    #[inline(always)]
    pub(crate) fn used(&self, slot: Slot) -> Result<&[u64]> {
        self.words(slot, self.shape.words(slot.len, slot.room))
    }

    /// The first `len` words of a slot's block.
    #[inline(always)]
    pub(crate) fn words(&self, slot: Slot, len: usize) -> Result<&[u64]> {
        let off = to_usize(slot.off);
        self.memory().words().get(off..off.saturating_add(len)).ok_or_else(corrupt)
    }

    /// Element `at` of the object that a cell refers to, after `header` words. `None` if
    /// there is none, or if a cold path has to open the object.
    #[inline(always)]
    pub(crate) fn element<T: Element>(&self, cell: Cell, header: usize, at: usize) -> Option<T> {
        let slot = self.slots.find_dense(cell).filter(|slot| at < to_usize(slot.len))?;
        T::slice(self.memory().words()).get(slot.element::<T>(header, at)).copied()
    }

    /// Element `at` after a header of one word, if that is `header`, or that it is another;
    /// `None` if there is no such element, or if a cold path has to open the object.
    #[inline(always)]
    pub(crate) fn element_under(&self, cell: Cell, header: u64, at: usize) -> Option<Option<Cell>> {
        let slot = self.slots.find_dense(cell)?;
        let words = self.memory().words();
        if *words.get(to_usize(slot.off))? != header {
            return Some(None);
        }
        if at >= to_usize(slot.len) {
            return None;
        }
        Cell::slice(words).get(slot.element::<Cell>(1, at)).copied().map(Some)
    }

    /// The block of a table, and the table's used positions; `None` if a cold path has to
    /// open it.
    #[inline(always)]
    pub(crate) fn table(&self, cell: Cell) -> Option<(&[u64], u32)> {
        let slot = self.slots.find_dense(cell)?;
        Some((self.memory().words().get(slot.block().range())?, slot.len))
    }

    /// The cells of an object; of a table, with the holes among them.
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

    /// Whether an object is a table that is weak by its keys.
    #[inline(always)]
    pub(crate) fn is_weak(&self, slot: Slot) -> bool {
        matches!(self.shape.elements, Elements::Entries(_)) && {
            let first = self.memory().words().get(to_usize(slot.off));
            slot.cap() > 0 && first.is_some_and(|word| word & WEAK != 0)
        }
    }

    /// The memory that holds the payload.
    #[inline(always)]
    pub(crate) const fn memory(&self) -> &Memory {
        self.blocks.memory()
    }

    /// The slot with this index, if it is in memory.
    pub(crate) fn slot_at(&self, index: u32) -> Option<Slot> {
        self.slots.get(index).copied()
    }

    /// The slot of a live object, by index.
    #[inline(always)]
    pub(crate) fn slot(&self, index: u32) -> Result<Slot> {
        present(self.slots.get(index)).copied()
    }

    /// The slots, except those of an earlier peak that are stored by page.
    pub(crate) fn slots(&self) -> &[Slot] {
        self.slots.as_slice()
    }

    /// The number of indices that a slot had at any time.
    pub(crate) fn indices(&self) -> usize {
        self.slots.len()
    }

    /// Live objects, in the order of their slots.
    pub(crate) fn live(&self) -> impl Iterator<Item = (Cell, Slot)> {
        self.slots.live()
    }

    /// Whether slot `index` is retired.
    pub(crate) fn is_retired(&self, index: u32) -> bool {
        self.slots.is_retired(index)
    }

    /// What collections know about the objects.
    #[inline(always)]
    pub(crate) const fn states(&self) -> &States {
        self.slots.states()
    }

    #[inline(always)]
    pub(crate) const fn states_mut(&mut self) -> &mut States {
        self.slots.states_mut()
    }

    /// Keeps states from here on; of slots that have none yet, white ones. Returns whether
    /// there is memory for that.
    pub(crate) fn keep_states(&mut self, account: &mut Account) -> bool {
        let slots = self.slots.capacity();
        self.slots.states_mut().keep(account, slots)
    }

    /// Reserves memory for states of all slots. Returns whether there is.
    pub(crate) fn reserve_states(&mut self, account: &mut Account) -> bool {
        let slots = self.slots.capacity();
        self.slots.states_mut().reserve(account, slots)
    }

    /// The words of states that are kept, or will be.
    pub(crate) fn words_to_keep(&self) -> usize {
        States::words_to_keep(self.slots.capacity())
    }

    /// Makes all objects black. O(slots / 32).
    pub(crate) fn blacken_all(&mut self) {
        let words = self.words_of_states();
        self.slots.states_mut().blacken_first(words);
    }

    /// The words of states that slots have.
    pub(crate) fn words_of_states(&self) -> usize {
        States::words_for(self.slots.len()).min(self.states().len())
    }

    /// The handle of the object in slot `index`, if there is one.
    pub(crate) fn live_at(&self, index: u32) -> Option<Cell> {
        let slot = self.slots.get(index).filter(|slot| Slots::<BITS>::is_live(slot))?;
        Some(Cell::of_slot(slot.key, index))
    }

    /// The seed of the generations of slots.
    pub(crate) const fn seed(&self) -> u32 {
        self.slots.seed()
    }

    #[inline(always)]
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) const fn recycled(&self) -> Epoch {
        self.recycled
    }

    /// Begins a series of epochs, unless one has begun.
    ///
    /// # Errors
    /// [`Error::IdsExhausted`].
    pub(crate) fn start_epoch(&mut self) -> Result<()> {
        self.epoch.start()
    }
}

/// Allocation and growth.
impl<const BITS: u32> Arena<BITS> {
    /// Allocates an object of `len` elements in `words` words, which `fill` writes;
    /// what they hold before is unspecified.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`],
    /// [`Error::OutOfMemory`], or what `fill` returns. Nothing has changed then.
    #[inline(always)]
    pub(crate) fn alloc(
        &mut self,
        resources: &mut Resources,
        len: u32,
        words: usize,
        fill: impl FnOnce(&mut [u64]) -> Result<()>,
    ) -> Result<Cell> {
        // The common case inline: a slot and a block are available.
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
        let cell = vacant.occupy(len, block, resources.born);
        self.note_allocation(resources, block);
        Ok(cell)
    }

    /// Allocates an object of 1 to 8 words, which the caller writes, from its first byte in
    /// memory on; `None`, and nothing has changed, without a block or more than one slot.
    #[inline(always)]
    pub(crate) fn alloc_ready(
        &mut self,
        resources: &mut Resources,
        len: u32,
        words: u32,
    ) -> Option<(Cell, usize)> {
        let block = self.blocks.ready_exact(words)?;
        // The block first: the other order keeps more values at hand at a time.
        if let Some(vacant) = self.slots.vacant_of_many() {
            resources.tally.object(words);
            let cell = vacant.occupy(len, block, resources.born);
            return Some((cell, to_usize(block.off).wrapping_mul(8)));
        }
        self.blocks.free(block);
        None
    }

    /// [`Arena::alloc`] where a slot or a block is not available yet.
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
        let cell = present(self.slots.vacant())?.occupy(len, block, resources.born);
        self.note_allocation(resources, block);
        Ok(cell)
    }

    /// Counts an object that was allocated in `block`.
    #[inline(always)]
    fn note_allocation(&self, resources: &mut Resources, block: Block) {
        resources.tally.object(block.cap);
        if self.slots.is_exhausted() && !self.slots.has_pages() {
            resources.account.note_last_slot(self.kind(), self.slots.usable());
        }
    }

    /// Checks that the limits allow an object of `words` words, after free blocks were
    /// coalesced. Amortised O(1): what a limit refuses costs no growth to be undone.
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
    fn make_room(&mut self, resources: &mut Resources, words: usize) -> Result<(Block, Before)> {
        self.check_room(resources, words)?;
        let before = Before { extent: self.extent(), bitmap_words: resources.bitmap_words() };
        let slots = self.slots.add(resources);
        let block = slots.and_then(|()| self.blocks.alloc(resources, self.kind(), words));
        let block = block.inspect_err(|_| self.undo(resources, Block::default(), Some(before)))?;
        Ok((block, before))
    }

    /// Undoes the part of an allocation that succeeded before it failed.
    #[cold]
    fn undo(&mut self, resources: &mut Resources, block: Block, before: Option<Before>) {
        self.blocks.free(block);
        if let Some(Before { extent, bitmap_words }) = before {
            self.shrink(resources, extent);
            resources.shrink_bitmap(bitmap_words);
        }
    }

    /// Whether a block of `words` words is available without growth.
    #[inline]
    pub(crate) fn is_ready(&self, words: usize) -> bool {
        self.blocks.is_ready(words)
    }

    /// Rolls back the allocation of the newest object, to whose handle nothing
    /// refers.
    pub(crate) fn roll_back(&mut self, cell: Cell) {
        let block = self.slots.roll_back(cell);
        debug_assert!(block.is_some(), "an object to roll back is not live");
        if let Some(block) = block {
            self.blocks.free(block);
        }
    }

    /// What the arena has reserved.
    pub(crate) fn extent(&self) -> Extent {
        Extent { slots: self.slots.extent(), blocks: self.blocks.extent() }
    }

    /// Shrinks to an earlier extent, after all later allocations were rolled back,
    /// the newest first.
    pub(crate) fn shrink(&mut self, resources: &mut Resources, extent: Extent) {
        let from = self.memory().size();
        self.blocks.give_back(&mut resources.account, extent.blocks);
        self.slots.shrink(resources, extent.slots);
        let (arena, to) = (self.kind(), self.memory().size());
        if to < from {
            resources.account.note_event(EventKind::MemoryShrink { arena, from, to });
        }
    }
}
