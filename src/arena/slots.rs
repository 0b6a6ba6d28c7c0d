//! [`Slots`]: the table that handles index. A slot is live, free or retired, by its
//! key; the rest of it is read only after the key has matched.

use alloc::vec::Vec;

use super::Account;
use super::resources::Resources;
use super::slot::{Block, Slot};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Cell, Generations, Kind, Result, corrupt, object_len, to_u64, to_usize};

/// No slot: the end of the free list.
const NONE: u32 = u32::MAX;
/// Capacity of a table when it first grows.
const FIRST_CAPACITY: usize = 4;
/// Slots added at a time.
const BATCH: usize = 64;

/// The number of slots in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotCounts {
    pub(crate) live: u32,
    pub(crate) free: u32,
    pub(crate) retired: u32,
}

/// The slots of one arena, with generations of `BITS` bits.
#[derive(Debug)]
pub(crate) struct Slots<const BITS: u32> {
    generations: Generations<BITS>,
    slots: Vec<Slot>,
    /// The first free slot.
    free: u32,
    free_len: u32,
    retired: u32,
    /// The arena's kind. It fits here without padding.
    kind: Kind,
}

/// The length and the capacity of a table of slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotExtent {
    len: usize,
    capacity: usize,
}

/// The free slot that the next object gets.
pub(super) struct Vacant<'s, const BITS: u32> {
    slot: &'s mut Slot,
    generations: Generations<BITS>,
    free: &'s mut u32,
    free_len: &'s mut u32,
}

impl<const BITS: u32> Vacant<'_, BITS> {
    /// Makes the slot live. Returns the handle of its object.
    #[inline(always)]
    pub(super) fn occupy(self, len: u32, block: Block) -> Cell {
        let index = core::mem::replace(self.free, self.slot.off);
        let key = self.generations.live_key(self.slot.key);
        *self.slot = Slot { key, len, off: block.off, cap: block.cap };
        *self.free_len = self.free_len.wrapping_sub(1);
        Cell::of_slot(key, index)
    }
}

impl<const BITS: u32> Slots<BITS> {
    pub(super) const fn new(kind: Kind, seed: u32) -> Self {
        Slots {
            generations: Generations::new(kind, seed),
            slots: Vec::new(),
            free: NONE,
            free_len: 0,
            retired: 0,
            kind,
        }
    }

    #[inline(always)]
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The slot of the object that `cell` refers to. One compare proves kind,
    /// generation and liveness.
    #[inline(always)]
    pub(super) fn find(&self, cell: Cell) -> Option<Slot> {
        self.slots.get(to_usize(cell.slot())).copied().filter(|slot| slot.key == cell.key())
    }

    #[inline(always)]
    pub(super) fn get(&self, index: u32) -> Option<&Slot> {
        self.slots.get(to_usize(index))
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.slots.get_mut(to_usize(index))
    }

    pub(super) fn as_slice(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Slot] {
        &mut self.slots
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The number of slots that are live or free.
    pub(super) fn usable(&self) -> usize {
        self.slots.len().saturating_sub(to_usize(self.retired))
    }

    pub(super) fn is_live(slot: &Slot) -> bool {
        Generations::<BITS>::is_live(slot.key)
    }

    pub(super) fn is_retired(&self, index: u32) -> bool {
        self.get(index).is_some_and(|slot| Generations::<BITS>::is_retired(slot.key))
    }

    /// Whether every slot is in use.
    #[inline(always)]
    pub(super) fn is_exhausted(&self) -> bool {
        self.free == NONE
    }

    /// The slot that the next object gets.
    #[inline(always)]
    pub(super) fn vacant(&mut self) -> Option<Vacant<'_, BITS>> {
        let slot = self.slots.get_mut(to_usize(self.free))?;
        let (free, free_len) = (&mut self.free, &mut self.free_len);
        Some(Vacant { slot, generations: self.generations, free, free_len })
    }

    /// The slots by which the capacity has to grow for one more object.
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::ArenaFull`].
    pub(super) fn missing(&self, account: &mut Account) -> Result<usize> {
        if !self.is_exhausted() {
            return Ok(0);
        }
        let needed = self.slots.len().saturating_add(1);
        account.check_slots(self.kind, needed, self.retired)?;
        let capacity = self.slots.capacity();
        Ok(if needed > capacity { needed.max(FIRST_CAPACITY).saturating_sub(capacity) } else { 0 })
    }

    /// Adds free slots if there are none: many at a time, but one at a time near
    /// the limit.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`] or [`Error::OutOfMemory`]; what has
    /// been reserved by then, the caller gives back.
    pub(super) fn add(&mut self, resources: &mut Resources) -> Result<()> {
        if !self.is_exhausted() {
            return Ok(());
        }
        let first = self.slots.len();
        let needed = first.saturating_add(1);
        resources.account.check_slots(self.kind, needed, self.retired)?;
        resources.reserve_slots(&mut self.slots, needed.max(FIRST_CAPACITY))?;
        let limit = resources.account.limits().slots;
        let near_limit = limit.saturating_sub(limit / 8).saturating_add(self.retired);
        let near_limit = to_usize(near_limit);
        let many = first.saturating_add(BATCH).min(self.slots.capacity()).min(near_limit);
        let range = object_len(first)?..object_len(many.max(needed))?;
        for index in range.clone() {
            let next = index.wrapping_add(1);
            let off = if next < range.end { next } else { NONE };
            self.slots.push(Slot { key: self.generations.fresh(index), len: 0, off, cap: 0 });
        }
        (self.free, self.free_len) = (range.start, range.end.wrapping_sub(range.start));
        Ok(())
    }

    /// Ends the generation of a live slot, which is free in the next one then, or
    /// retired after the last. Returns whether it retired.
    #[inline]
    pub(super) fn release(&mut self, index: u32) -> bool {
        let Some(slot) = self.slots.get_mut(to_usize(index)) else {
            debug_assert!(false, "there is no such slot");
            return false;
        };
        let key = self.generations.next_free_key(slot.key, index);
        if Generations::<BITS>::is_retired(key) {
            *slot = Slot { key, len: 0, off: NONE, cap: 0 };
            self.retired = self.retired.wrapping_add(1);
            true
        } else {
            *slot = Slot { key, len: 0, off: core::mem::replace(&mut self.free, index), cap: 0 };
            self.free_len = self.free_len.wrapping_add(1);
            false
        }
    }

    /// Ends the generation of every live slot. O(slots).
    pub(super) fn release_all(&mut self) {
        let Slots { generations, slots, free, free_len, retired, .. } = self;
        (*free, *free_len, *retired) = (NONE, 0, 0);
        let len = u32::try_from(slots.len()).unwrap_or(NONE);
        for (slot, index) in slots.iter_mut().rev().zip((0..len).rev()) {
            let live = Self::is_live(slot);
            let key = if live { generations.next_free_key(slot.key, index) } else { slot.key };
            *slot = Slot { key, len: 0, off: NONE, cap: 0 };
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
    pub(super) fn roll_back(&mut self, cell: Cell) -> Option<Block> {
        let slot = self.find(cell)?;
        self.push_free(cell.slot(), self.generations.rolled_back_key(slot.key));
        Some(slot.block())
    }

    /// Gives a slot all its generations again if it is retired. Returns whether it
    /// was.
    pub(super) fn recycle(&mut self, index: u32) -> bool {
        let retired = self.is_retired(index);
        if retired {
            self.push_free(index, self.generations.fresh(index));
            self.retired = self.retired.wrapping_sub(1);
        }
        retired
    }

    /// Puts a slot at the head of the free list.
    fn push_free(&mut self, index: u32, key: u32) {
        debug_assert!(to_usize(index) < self.slots.len(), "there is no such slot");
        if let Some(slot) = self.slots.get_mut(to_usize(index)) {
            *slot = Slot { key, len: 0, off: core::mem::replace(&mut self.free, index), cap: 0 };
            self.free_len = self.free_len.wrapping_add(1);
        }
    }

    pub(super) fn extent(&self) -> SlotExtent {
        SlotExtent { len: self.slots.len(), capacity: self.slots.capacity() }
    }

    /// Shrinks to an earlier extent, after all objects allocated since were rolled
    /// back, the newest first: slots added since are the last ones in the free list
    /// then.
    pub(super) fn shrink(&mut self, resources: &mut Resources, extent: SlotExtent) {
        if self.slots.len() > extent.len {
            let (mut last, mut index, mut kept) = (NONE, self.free, 0_u32);
            while to_usize(index) < extent.len {
                (last, index) = (index, self.get(index).map_or(NONE, |slot| slot.off));
                kept = kept.wrapping_add(1);
            }
            match self.slots.get_mut(to_usize(last)) {
                Some(slot) => slot.off = NONE,
                None => self.free = NONE,
            }
            self.slots.truncate(extent.len);
            self.free_len = kept;
        }
        resources.shrink_slots(&mut self.slots, extent.capacity);
    }

    /// Gives spare capacity back.
    pub(super) fn trim(&mut self, resources: &mut Resources) {
        resources.shrink_slots(&mut self.slots, 0);
    }

    /// Live objects, in the order of their slots.
    pub(super) fn live(&self) -> impl Iterator<Item = (Cell, Slot)> {
        let slots = (0_u32..).zip(&self.slots).filter(|(_, slot)| Self::is_live(slot));
        slots.map(|(index, slot)| (Cell::of_slot(slot.key, index), *slot))
    }

    pub(super) fn counts(&self) -> SlotCounts {
        let live = to_u64(self.slots.len())
            .saturating_sub(u64::from(self.free_len))
            .saturating_sub(u64::from(self.retired));
        let live = u32::try_from(live).unwrap_or(u32::MAX);
        SlotCounts { live, free: self.free_len, retired: self.retired }
    }

    /// The bytes requested for the table.
    pub(super) fn reserved_bytes(&self) -> u64 {
        to_u64(self.slots.capacity()).saturating_mul(to_u64(size_of::<Slot>()))
    }

    /// The bytes of the table in use.
    pub(super) fn bytes(&self) -> u64 {
        to_u64(self.slots.len()).saturating_mul(to_u64(size_of::<Slot>()))
    }

    /// Checks the free list and the counts.
    ///
    /// # Errors
    /// The first fault: the slot, if it has one, and a description.
    pub(super) fn verify(&self) -> Result<(), (Option<u32>, &'static str)> {
        let is_retired = |slot: &&Slot| Generations::<BITS>::is_retired(slot.key);
        let live = self.slots.iter().filter(|slot| Self::is_live(slot)).count();
        let retired = self.slots.iter().filter(is_retired).count();
        let free = self.slots.len().saturating_sub(live).saturating_sub(retired);
        let (mut next, mut listed) = (self.free, 0_usize);
        while let Some(slot) = self.get(next).filter(|_| listed < free) {
            if Self::is_live(slot) || is_retired(&slot) {
                return Err((Some(next), "the free list reaches a slot in use"));
            }
            (next, listed) = (slot.off, listed.saturating_add(1));
        }
        let counted = (to_usize(self.free_len), to_usize(self.retired));
        if next != NONE || (listed, retired) != counted || free != listed {
            return Err((None, "the slots are miscounted"));
        }
        Ok(())
    }
}

/// The slot, or [`Error::Corrupt`] for one that has to exist and does not.
#[inline(always)]
pub(super) fn present<T>(slot: Option<T>) -> Result<T> {
    slot.ok_or_else(corrupt)
}

/// The positions of bits that are not set, from the last to the first. `len` is
/// rounded up to whole words of bits.
pub(super) fn unmarked(words: &[u64], len: usize) -> impl Iterator<Item = u32> {
    (0..u32::try_from(len.div_ceil(64)).unwrap_or(0)).rev().flat_map(move |n| {
        let mut clear = !words.get(to_usize(n)).copied().unwrap_or(0);
        core::iter::from_fn(move || {
            let bit = clear.checked_ilog2()?;
            clear ^= 1 << bit;
            Some(n.wrapping_mul(64).wrapping_add(bit))
        })
    })
}
