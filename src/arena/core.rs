//! One arena: a table of 16-byte slots beside the blocks they name.
//!
//! All twelve arenas are of this one type; what differs between kinds is a
//! [`Shape`]. Nothing of a slot but its key is used before the key has matched,
//! and payload is reached by offset, inside this arena's own memory.

use alloc::vec::Vec;

pub(crate) use super::blocks::Slot;
use super::blocks::{Block, Blocks};
use super::memory::Memory;
use crate::words::{
    ArenaUsage, Budget, Cell, Epoch, Error, Generations, Kind, PAGE_BYTES, Result, Shape, at,
    object_len, wide,
};

/// No slot: the end of the free list.
const NONE: u32 = u32::MAX;

/// What a slot that retires counts as, among bytes allocated.
const RETIRED_BYTES: u64 = 256;

/// Words that a sequence begins to grow with, as `Vec` does.
const FIRST_GROWTH: usize = 4;

/// Slots, and what an arena has reserved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    len: usize,
    slots: usize,
    memory: (u64, usize),
}

/// What there was before an allocation: the arena's extent, and words of bits.
type Before = Option<(Extent, usize)>;

/// One arena, with generations of `BITS` bits.
#[derive(Debug)]
pub(crate) struct Arena<const BITS: u32 = 12> {
    pub(crate) shape: &'static Shape,
    pub(crate) kind: Kind,
    generations: Generations<BITS>,
    slots: Vec<Slot>,
    /// First free slot.
    free: u32,
    free_len: u32,
    retired: u32,
    blocks: Blocks,
    /// Tells hints whether anything was freed, shrunk or moved since.
    pub(crate) epoch: Epoch,
    /// The epoch of the last revival; hints older than it are refused.
    pub(crate) revived: Epoch,
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
            revived: Epoch::NONE,
        }
    }

    /// The slot that `cell` opens: one compare proves kind, generation and
    /// liveness.
    ///
    /// # Errors
    /// [`Error::NotAHandle`], [`Error::WrongKind`] or [`Error::Stale`].
    #[inline(always)]
    pub(crate) fn check(&self, cell: Cell) -> Result<Slot> {
        self.find(cell).ok_or_else(|| cell.refused(self.kind))
    }

    /// [`Arena::check`], but for the reason.
    #[inline(always)]
    pub(crate) fn find(&self, cell: Cell) -> Option<Slot> {
        self.slots.get(at(cell.slot())).copied().filter(|slot| slot.key == cell.key())
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
        let off = at(slot.off);
        self.blocks.memory.words().get(off..off.saturating_add(len)).ok_or(Error::Corrupt)
    }

    /// The cells of an object; in tables, holes as null.
    #[inline(always)]
    pub(crate) fn cells(&self, slot: Slot) -> Result<&[Cell]> {
        let len = self.shape.cells(slot.len);
        if len == 0 {
            return Ok(&[]);
        }
        let start = at(slot.off).saturating_add(at(self.shape.header));
        let words = self.blocks.memory.words().get(start..start.saturating_add(len));
        words.map(Cell::slice).ok_or(Error::Corrupt)
    }

    /// A live slot, and the whole of its block.
    #[inline(always)]
    pub(crate) fn open_mut(&mut self, index: u32) -> Option<(&mut Slot, &mut [u64])> {
        let slot = self.slots.get_mut(at(index))?;
        let block = self.blocks.memory.words_mut().get_mut(slot.block().range());
        Some((slot, block?))
    }

    /// Where the payload lies.
    #[inline(always)]
    pub(crate) fn memory(&self) -> &Memory {
        &self.blocks.memory
    }

    #[inline(always)]
    pub(crate) fn memory_mut(&mut self) -> &mut Memory {
        &mut self.blocks.memory
    }

    /// A live slot, by index.
    #[inline(always)]
    pub(crate) fn slot(&self, index: u32) -> Result<Slot> {
        self.slots.get(at(index)).copied().ok_or(Error::Corrupt)
    }

    #[inline(always)]
    pub(crate) fn slot_mut(&mut self, index: u32) -> Result<&mut Slot> {
        self.slots.get_mut(at(index)).ok_or(Error::Corrupt)
    }

    /// A new object of `len` elements in `words` words, which `fill` writes;
    /// they hold anything before.
    ///
    /// # Errors
    /// A limit, a full arena, no memory; nothing has changed then.
    #[inline(always)]
    pub(crate) fn alloc(
        &mut self,
        budget: &mut Budget,
        len: u32,
        words: usize,
        fill: impl FnOnce(&mut [u64]) -> Result<()>,
    ) -> Result<Cell> {
        // What is there to be taken, in line; the rest in one function.
        let slot = self.slots.get_mut(at(self.free));
        let block = slot.as_ref().and_then(|_| self.blocks.ready(words));
        let (slot, block, before) = match (slot, block) {
            (Some(slot), Some(block)) => (slot, block, None),
            _ => {
                let (block, before) = self.make_room(budget, words)?;
                (self.slots.get_mut(at(self.free)).ok_or(Error::Corrupt)?, block, before)
            }
        };
        let off = at(block.off);
        let place = self.blocks.memory.words_mut().get_mut(off..off.saturating_add(words));
        if let Err(error) = place.ok_or(Error::Corrupt).and_then(fill) {
            self.undo(budget, block, before);
            return Err(error);
        }
        let index = core::mem::replace(&mut self.free, slot.off);
        let key = self.generations.revived(slot.key);
        *slot = Slot { key, len, off: block.off, cap: block.cap };
        self.free_len = self.free_len.wrapping_sub(1);
        budget.bear(block.cap);
        // The last free slot: the next one may be refused.
        if self.free == NONE {
            budget.press_slots(self.slots.len());
        }
        Ok(Cell::of_slot(key, index))
    }

    /// A free slot and a block; and the extent and the words of bits before.
    #[cold]
    fn make_room(&mut self, budget: &mut Budget, words: usize) -> Result<(Block, Before)> {
        let before = Some((self.extent(), budget.bits()));
        let slots = self.add_slots(budget);
        let block = slots.and_then(|()| self.blocks.alloc(budget, self.kind, words));
        let block = block.inspect_err(|_| self.undo(budget, Block::default(), before))?;
        Ok((block, before))
    }

    /// Makes free slots where there is none: many at a time, but one at a time
    /// near a limit.
    fn add_slots(&mut self, budget: &mut Budget) -> Result<()> {
        if self.free != NONE {
            return Ok(());
        }
        let first = self.slots.len();
        let needed = first.saturating_add(1);
        budget.check_slots(self.kind, needed)?;
        budget.reserve_slots(&mut self.slots, needed.max(4))?;
        let many = first.saturating_add(64).min(self.slots.capacity()).min(budget.slots_calm());
        let range = object_len(first)?..object_len(many.max(needed))?;
        for index in range.clone() {
            let next = index.wrapping_add(1);
            let off = if next < range.end { next } else { NONE };
            self.slots.push(Slot { key: self.generations.fresh(index), len: 0, off, cap: 0 });
        }
        (self.free, self.free_len) = (range.start, range.end.wrapping_sub(range.start));
        Ok(())
    }

    /// Gives back what an allocation that fails has taken.
    #[cold]
    fn undo(&mut self, budget: &mut Budget, block: Block, before: Before) {
        self.blocks.free(block);
        if let Some((extent, bits)) = before {
            self.shrink(budget, extent);
            budget.shrink_bits(bits);
        }
    }

    /// Frees the object that `cell` names.
    ///
    /// # Errors
    /// As [`Arena::check`].
    #[inline]
    pub(crate) fn free(&mut self, budget: &mut Budget, cell: Cell) -> Result<()> {
        self.check(cell)?;
        let retired = self.retired;
        self.end(cell.slot());
        if self.retired != retired {
            budget.allocated = budget.allocated.wrapping_add(RETIRED_BYTES);
        }
        Ok(())
    }

    /// Ends the life of a slot, and takes its block back.
    #[inline]
    fn end(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(at(index)) else { return };
        self.blocks.free(slot.block());
        self.epoch.advance();
        let key = self.generations.ended(slot.key, index);
        if Generations::<BITS>::is_retired(key) {
            *slot = Slot { key, len: 0, off: NONE, cap: 0 };
            self.retired = self.retired.wrapping_add(1);
        } else {
            *slot = Slot { key, len: 0, off: core::mem::replace(&mut self.free, index), cap: 0 };
            self.free_len = self.free_len.wrapping_add(1);
        }
    }

    /// Puts a slot at the head of the free list.
    #[inline(always)]
    fn release(&mut self, index: u32, key: u32) {
        if let Some(slot) = self.slots.get_mut(at(index)) {
            *slot = Slot { key, len: 0, off: core::mem::replace(&mut self.free, index), cap: 0 };
            self.free_len = self.free_len.wrapping_add(1);
        }
    }

    /// Frees every object; generations go on, pages and slots stay reserved.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
        self.epoch.advance();
        let Arena { generations, slots, free, free_len, retired, .. } = self;
        (*free, *free_len, *retired) = (NONE, 0, 0);
        let len = u32::try_from(slots.len()).unwrap_or(NONE);
        for (slot, index) in slots.iter_mut().rev().zip((0..len).rev()) {
            let live = Self::is_live(slot);
            let key = if live { generations.ended(slot.key, index) } else { slot.key };
            *slot = Slot { key, len: 0, off: NONE, cap: 0 };
            if Generations::<BITS>::is_retired(key) {
                *retired = retired.wrapping_add(1);
            } else {
                slot.off = core::mem::replace(free, index);
                *free_len = free_len.wrapping_add(1);
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
    ) -> Result<()> {
        let slot = self.slot(index)?;
        let len = at(slot.len).checked_add(additional).ok_or(Error::ObjectTooLarge)?;
        let words = self.shape.words_for(at(object_len(len)?));
        if words <= at(slot.cap) {
            return Ok(());
        }
        let doubled = at(slot.cap).saturating_mul(2).clamp(FIRST_GROWTH, at(u32::MAX));
        let mut grown = Ok(());
        _ = [words.max(doubled), words].iter().any(|&words| {
            grown = self.grow(budget, index, words);
            grown.is_ok()
        });
        grown
    }

    /// Gives the object that slot `index` names room for `words` words; its
    /// words in use are kept.
    #[inline(always)]
    fn grow(&mut self, budget: &mut Budget, index: u32, words: usize) -> Result<()> {
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
    ) -> Result<()> {
        let old = self.slot(index)?.block();
        let new = self.blocks.alloc(budget, self.kind, words)?;
        budget.allocated = budget.allocated.wrapping_add(u64::from(new.cap).wrapping_mul(8));
        let both = self.blocks.memory.words_mut().get_disjoint_mut([old.range(), new.range()]);
        let [from, to] = both.map_err(|_| Error::Corrupt)?;
        let len = fill(from, to);
        self.blocks.free(old);
        self.epoch.advance();
        let slot = self.slot_mut(index)?;
        (slot.len, slot.off, slot.cap) = (len, new.off, new.cap);
        Ok(())
    }

    /// Takes back the youngest object, of which nobody has heard: as if it had
    /// never been.
    pub(crate) fn unmake(&mut self, cell: Cell) {
        let Ok(slot) = self.check(cell) else { return };
        self.blocks.free(slot.block());
        self.release(cell.slot(), self.generations.unborn(slot.key));
    }

    /// Capacity for slots, and the memory's extent.
    pub(crate) fn extent(&self) -> Extent {
        Extent {
            len: self.slots.len(),
            slots: self.slots.capacity(),
            memory: self.blocks.memory.extent(),
        }
    }

    /// Goes back to an earlier extent, after all that came later was unmade, the
    /// youngest first: slots made since are the last ones in the free list.
    pub(crate) fn shrink(&mut self, budget: &mut Budget, extent: Extent) {
        if self.slots.len() > extent.len {
            let (mut last, mut index, mut kept) = (NONE, self.free, 0_u32);
            while at(index) < extent.len {
                (last, index) = (index, self.slot(index).map_or(NONE, |slot| slot.off));
                kept = kept.wrapping_add(1);
            }
            match self.slots.get_mut(at(last)) {
                Some(slot) => slot.off = NONE,
                None => self.free = NONE,
            }
            self.slots.truncate(extent.len);
            self.free_len = kept;
        }
        self.blocks.memory.give_back(budget, extent.memory);
        budget.shrink_slots(&mut self.slots, extent.slots);
    }

    /// Whether a slot names a live object.
    pub(crate) fn is_live(slot: &Slot) -> bool {
        Generations::<BITS>::is_live(slot.key)
    }

    /// Live objects, in the order of their slots.
    pub(crate) fn live(&self) -> impl Iterator<Item = (Cell, Slot)> {
        let slots = (0_u32..).zip(&self.slots).filter(|(_, slot)| Self::is_live(slot));
        slots.map(|(index, slot)| (Cell::of_slot(slot.key, index), *slot))
    }

    /// Whether slot `index` is retired.
    pub(crate) fn is_retired(&self, index: u32) -> bool {
        self.slots.get(at(index)).is_some_and(|slot| Generations::<BITS>::is_retired(slot.key))
    }

    /// Frees every live object whose bit is not set; answers how many. The last
    /// goes first, so that the top of the memory falls with them.
    pub(crate) fn sweep(&mut self, marked: &[u64]) -> u64 {
        let words = marked.get(..self.slots.len().div_ceil(64)).unwrap_or(marked);
        if words.iter().all(|&word| word == 0) {
            let freed = u64::from(self.usage().live);
            self.clear();
            return freed;
        }
        let mut freed = 0_u64;
        for index in unmarked(marked, self.slots.len()) {
            let Ok(slot) = self.slot(index) else { continue };
            if Self::is_live(&slot) {
                self.end(index);
                freed = freed.wrapping_add(1);
            }
        }
        if self.blocks.used == 0 {
            self.blocks.clear();
        }
        freed
    }

    /// Gives every retired slot whose bit is not set all its generations again:
    /// no cell names it. Hints older than this are refused. Answers how many.
    pub(crate) fn revive(&mut self, named: &[u64]) -> u64 {
        let mut revived = 0_u64;
        for index in unmarked(named, self.slots.len()) {
            if self.is_retired(index) {
                self.release(index, self.generations.fresh(index));
                self.retired = self.retired.wrapping_sub(1);
                revived = revived.wrapping_add(1);
            }
        }
        if revived > 0 {
            self.epoch = Epoch::NONE;
            self.revived = if self.epoch.start().is_ok() { self.epoch } else { Epoch::NEVER };
        }
        revived
    }

    /// Whether slots and blocks are in order; what is not, and where. `bits` has
    /// one for every word of memory.
    pub(crate) fn verify(&self, bits: &mut [u64]) -> Result<(), (Option<u32>, &'static str)> {
        let (mut free, mut retired) = (0_u32, 0_u32);
        let mut used = 0_u64;
        for (index, slot) in (0_u32..).zip(&self.slots) {
            let fault = |what| (Some(index), what);
            if Self::is_live(slot) {
                let cell = Cell::of_slot(slot.key, index);
                if cell.selector() != self.kind {
                    return Err(fault("the key is of another arena"));
                }
                if self.shape.words(slot.len, slot.cap) > at(slot.cap) {
                    return Err(fault("the object is larger than its block"));
                }
                self.blocks.verify(slot.block(), bits).map_err(fault)?;
                used = used.saturating_add(u64::from(slot.cap));
            } else if Generations::<BITS>::is_retired(slot.key) {
                retired = retired.saturating_add(1);
            } else {
                free = free.saturating_add(1);
            }
        }
        let (mut next, mut listed) = (self.free, 0_u32);
        while let Some(slot) = self.slots.get(at(next)).filter(|_| listed < free) {
            if Self::is_live(slot) || Generations::<BITS>::is_retired(slot.key) {
                return Err((Some(next), "the free list leads to a slot in use"));
            }
            (next, listed) = (slot.off, listed.saturating_add(1));
        }
        if next != NONE || (listed, retired) != (self.free_len, self.retired) || free != listed {
            return Err((None, "the slots are miscounted"));
        }
        if used != self.blocks.used {
            return Err((None, "the payload is miscounted"));
        }
        self.blocks.verify_free(bits).map_err(|what| (None, what))
    }

    /// Whether there is a block of so many words to be taken as it is.
    #[inline]
    pub(crate) fn is_ready(&self, words: usize) -> bool {
        self.blocks.is_ready(words)
    }

    /// Words of live pages that no live object owns.
    pub(crate) fn waste(&self) -> u64 {
        wide(self.memory().words().len()).saturating_sub(self.blocks.used)
    }

    /// Closes the gaps between blocks, cuts capacity back and gives free pages
    /// back; handles stay valid.
    pub(crate) fn compact(&mut self, budget: &mut Budget) {
        let shape = self.shape;
        self.blocks.compact(budget, &mut self.slots, Self::is_live, |slot| {
            shape.words(slot.len, slot.cap)
        });
        budget.shrink_slots(&mut self.slots, 0);
        self.epoch.advance();
    }

    /// Cuts an object back to `len` elements, or leaves a shorter one.
    #[inline]
    pub(crate) fn truncate(&mut self, index: u32, len: u32) -> Result<()> {
        self.epoch.advance();
        let slot = self.slot_mut(index)?;
        slot.len = slot.len.min(len);
        Ok(())
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn usage(&self) -> ArenaUsage {
        let slots = wide(self.slots.len());
        let live =
            slots.saturating_sub(u64::from(self.free_len)).saturating_sub(u64::from(self.retired));
        let pages = self.memory().size();
        let reserved = wide(self.slots.capacity()).saturating_mul(16);
        ArenaUsage {
            kind: self.kind,
            pages,
            payload_bytes: self.blocks.used.saturating_mul(8),
            bytes: pages.saturating_mul(PAGE_BYTES).saturating_add(slots.saturating_mul(16)),
            reserved_bytes: self.memory().reserved_bytes().saturating_add(reserved),
            live: u32::try_from(live).unwrap_or(u32::MAX),
            free: self.free_len,
            retired: self.retired,
        }
    }
}

/// The positions below `len` of bits that are not set, from the last on.
fn unmarked(words: &[u64], len: usize) -> impl Iterator<Item = u32> {
    (0..u32::try_from(len.div_ceil(64)).unwrap_or(0)).rev().flat_map(move |n| {
        let mut clear = !words.get(at(n)).copied().unwrap_or(0);
        core::iter::from_fn(move || {
            let bit = clear.checked_ilog2()?;
            clear ^= 1 << bit;
            Some(n.wrapping_mul(64).wrapping_add(bit))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Elements, Limits};
    use alloc::vec;

    const SHAPE: Shape = Shape::new(Elements::Ints, "", "");
    /// Every program of so many operations is run.
    const LENGTH: u32 = if cfg!(debug_assertions) { 5 } else { 7 };
    const OPERATIONS: u32 = 8;

    /// What the arena promises, by the simplest means: a list of every handle
    /// ever given out, and whether it is alive.
    struct Run {
        arena: Arena<2>,
        budget: Budget,
        given: Vec<(Cell, Option<u64>)>,
    }

    impl Run {
        fn new(seed: u32) -> Run {
            let limits = Limits::NONE.with_slots(2).with_pages(1);
            let arena = Arena::new(Kind::I64ARR, &SHAPE, seed);
            Run { arena, budget: Budget::new(limits), given: Vec::new() }
        }

        fn alive(&self) -> usize {
            self.given.iter().filter(|(_, value)| value.is_some()).count()
        }

        fn make(&mut self, words: usize) {
            let value = self.given.len() as u64;
            let made = self.arena.alloc(&mut self.budget, words as u32, words, |block| {
                block.fill(value);
                Ok(())
            });
            // Two slots of four lives each.
            assert_eq!(made.is_ok(), self.alive() < 2 - self.arena.retired as usize);
            if let Ok(cell) = made {
                assert!(self.given.iter().all(|(other, _)| *other != cell), "given twice");
                self.given.push((cell, Some(value)));
            }
        }

        fn free(&mut self, nth: usize) {
            if let Some((cell, value)) = self.given.get_mut(nth) {
                assert_eq!(
                    self.arena.free(&mut self.budget, *cell).is_ok(),
                    value.take().is_some()
                );
            }
        }

        fn step(&mut self, operation: u32) {
            match operation {
                0 => self.make(1),
                1 => self.make(3),
                2 => self.free(self.given.len().wrapping_sub(1)),
                3 => self.free(self.given.len().wrapping_sub(2)),
                4 => self.free(0),
                5 => {
                    self.arena.clear();
                    self.given.iter_mut().for_each(|given| given.1 = None);
                }
                6 => self.arena.compact(&mut self.budget),
                _ => {
                    self.arena.sweep(&[1]);
                    self.given
                        .iter_mut()
                        .filter(|given| given.0.slot() != 0)
                        .for_each(|given| given.1 = None);
                }
            }
            for &(cell, value) in &self.given {
                let read = self.arena.check(cell).and_then(|slot| self.arena.used(slot));
                match value {
                    Some(value) => assert!(read.unwrap().iter().all(|&word| word == value)),
                    None => assert_eq!(read, Err(Error::Stale { kind: Kind::I64ARR })),
                }
            }
            let mut bits = vec![0; self.arena.memory().words().len() / 64 + 1];
            assert_eq!(self.arena.verify(&mut bits), Ok(()));
            assert!(self.given.len() <= 8);
        }
    }

    /// Every program over an arena of two slots with generations of two bits.
    #[test]
    fn every_short_program_keeps_the_promises() {
        let mut programs = 0;
        for seed in [0, 7] {
            for number in 0..OPERATIONS.pow(LENGTH) {
                // Some lives first, so that the end of generations is near.
                let mut run = Run::new(seed);
                for _ in 0..number % 4 * 2 {
                    run.step(0);
                    run.step(2);
                }
                (0..LENGTH).fold(number, |rest, _| {
                    run.step(rest % OPERATIONS);
                    rest / OPERATIONS
                });
                programs += 1;
            }
        }
        assert_eq!(programs, 2 * OPERATIONS.pow(LENGTH));
    }
}
