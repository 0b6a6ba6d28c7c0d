//! The ends of generations: freeing objects, and giving retired slots all of them again.

use super::{NONE, Slots};
use crate::arena::slot::{Block, Slot};
use crate::words::{Cell, Generations, to_usize};

/// What has ended with the generation of a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::arena) struct Released {
    /// Whether the slot retired.
    pub(in crate::arena) is_retired: bool,
    /// Whether the object was a version, whose block may have others.
    pub(in crate::arena) is_shared: bool,
}

impl<const BITS: u32> Slots<BITS> {
    /// Ends the generation of the live slot of a handle: the slot is free in the next one.
    /// Returns the object's block; `None`, and nothing has changed, for a slot that is not
    /// dense or retires, for a version, and for a handle of no live object.
    #[inline(always)]
    pub(in crate::arena) fn free(&mut self, cell: Cell) -> Option<Block> {
        self.free_if(cell.slot(), |slot| slot.key == cell.key()).map(|(_, block)| block)
    }

    /// [`Slots::free`] of the object in slot `index`, if there is one. Returns its handle as
    /// well.
    #[inline(always)]
    pub(in crate::arena) fn free_at(&mut self, index: u32) -> Option<(Cell, Block)> {
        let (key, block) = self.free_if(index, Self::is_live)?;
        Some((Cell::of_slot(key, index), block))
    }

    /// Ends the generation of a live slot that passes a test. Returns its key and its block.
    #[inline(always)]
    fn free_if(&mut self, index: u32, is_live: impl FnOnce(&Slot) -> bool) -> Option<(u32, Block)> {
        let slot = self.slots.get_mut(to_usize(index));
        let slot = slot.filter(|slot| is_live(slot) && !slot.is_shared())?;
        let (live, block) = (slot.key, slot.block());
        let key = self.generations.next_free_key(live, index);
        if Generations::<BITS>::is_retired(key) {
            return None;
        }
        *slot = Slot { key, len: 0, off: core::mem::replace(&mut self.free, index), room: 0 };
        self.free_len = self.free_len.wrapping_add(1);
        Some((live, block))
    }

    /// Ends the generation of a live slot, also of one that [`Slots::free`] leaves: it is free
    /// in the next one then, or retired after the last. Returns the object's block, and what
    /// else the caller has to know.
    pub(in crate::arena) fn release(&mut self, index: u32) -> Option<(Block, Released)> {
        let generations = self.generations;
        let Some(slot) = self.get_mut(index) else {
            debug_assert!(false, "there is no such slot");
            return None;
        };
        let (old, key) = (*slot, generations.next_free_key(slot.key, index));
        let is_retired = Generations::<BITS>::is_retired(key);
        if is_retired {
            *slot = Slot { key, len: 0, off: NONE, room: 0 };
            self.retired = self.retired.wrapping_add(1);
        } else {
            self.push_free(index, key);
        }
        Some((old.block(), Released { is_retired, is_shared: old.is_shared() }))
    }

    /// Ends the generation of every live slot. O(slots).
    pub(in crate::arena) fn release_all(&mut self) {
        let mut end = self.len();
        let dense = self.slots.len();
        while let Some(range) = self.range_before(end).filter(|range| range.start >= dense) {
            for index in range.clone() {
                let index = u32::try_from(index).unwrap_or(NONE);
                if self.get(index).is_some_and(Self::is_live) {
                    let released = self.release(index);
                    debug_assert!(released.is_some(), "there is no such slot");
                }
            }
            end = range.start;
        }
        let is_retired = |slot: &Slot| Generations::<BITS>::is_retired(slot.key);
        let sparse_retired = self.sparse_slots().filter(|(_, slot)| is_retired(slot)).count();
        let sparse_retired = u32::try_from(sparse_retired).unwrap_or(NONE);
        let Slots { generations, slots, free, free_len, retired, .. } = self;
        (*free, *free_len, *retired) = (NONE, 0, sparse_retired);
        let len = u32::try_from(slots.len()).unwrap_or(NONE);
        for (slot, index) in slots.iter_mut().rev().zip((0..len).rev()) {
            let live = Self::is_live(slot);
            let key = if live { generations.next_free_key(slot.key, index) } else { slot.key };
            *slot = Slot { key, len: 0, off: NONE, room: 0 };
            if Generations::<BITS>::is_retired(key) {
                *retired = retired.wrapping_add(1);
            } else {
                slot.off = core::mem::replace(free, index);
                *free_len = free_len.wrapping_add(1);
            }
        }
    }

    /// Frees the slot of the newest object without ending its generation: no copy
    /// of the handle exists. Returns the object's block.
    pub(in crate::arena) fn roll_back(&mut self, cell: Cell) -> Option<Block> {
        let slot = self.find(cell)?;
        debug_assert!(!slot.is_shared(), "versions are allocated one at a time");
        self.push_free(cell.slot(), self.generations.rolled_back_key(slot.key));
        Some(slot.block())
    }

    /// Gives a slot all its generations again if it is retired. Returns whether it
    /// was.
    pub(in crate::arena) fn recycle(&mut self, index: u32) -> bool {
        let retired = self.is_retired(index);
        if retired {
            self.push_free(index, self.generations.advanced(index, 0));
            self.retired = self.retired.wrapping_sub(1);
        }
        retired
    }

    /// Puts a slot at the head of the free list; one beyond the dense ones is in none.
    fn push_free(&mut self, index: u32, key: u32) {
        if let Some(slot) = self.slots.get_mut(to_usize(index)) {
            *slot = Slot { key, len: 0, off: core::mem::replace(&mut self.free, index), room: 0 };
            self.free_len = self.free_len.wrapping_add(1);
        } else if let Some(slot) = self.get_sparse_mut(index) {
            *slot = Slot { key, len: 0, off: NONE, room: 0 };
            if let Some(sparse) = self.sparse_mut() {
                sparse.note_free();
            }
        } else {
            debug_assert!(false, "there is no such slot");
        }
    }
}
