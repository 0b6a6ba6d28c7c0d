//! [`Slots`]: the table that handles index. A slot is live, free or retired, by its
//! key; the rest of it is read only after the key has matched.

mod copy;
mod image;
mod release;
mod sparse;
mod states;
mod verify;

use alloc::vec::Vec;
use core::ops::Range;

use super::Account;
use super::resources::Resources;
use super::slot::{Block, Slot};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Cell, Generations, Kind, Result, corrupt, object_len, to_u64, to_usize};
use sparse::{BoxedSparse, Sparse};
use states::StatesExtent;
pub(crate) use states::{Born, States, Whites};

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
    /// The slots up to a length, all of them unless the table was folded.
    slots: Vec<Slot>,
    /// The slots beyond it.
    sparse: Option<BoxedSparse>,
    /// The first free slot of the dense ones.
    free: u32,
    free_len: u32,
    retired: u32,
    /// The arena's kind. It fits here without padding.
    kind: Kind,
    states: States,
}

/// The length and the capacity of a table of slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotExtent {
    len: usize,
    capacity: usize,
    states: StatesExtent,
}

/// The free slot that the next object gets.
pub(super) struct Vacant<'s, const BITS: u32> {
    slot: &'s mut Slot,
    generations: &'s Generations<BITS>,
    free: &'s mut u32,
    free_len: &'s mut u32,
    states: &'s mut States,
}

impl<const BITS: u32> Vacant<'_, BITS> {
    /// Makes the slot live. Returns the handle of its object.
    #[inline(always)]
    pub(super) fn occupy(self, len: u32, block: Block, born: Born) -> Cell {
        let index = core::mem::replace(self.free, self.slot.off);
        self.states.note_born(index, born);
        let key = self.generations.live_key(self.slot.key);
        *self.slot = Slot { key, len, off: block.off, room: block.cap };
        *self.free_len = self.free_len.wrapping_sub(1);
        Cell::of_slot(key, index)
    }
}

impl<const BITS: u32> Slots<BITS> {
    pub(super) const fn new(kind: Kind, seed: u32) -> Self {
        Slots {
            generations: Generations::new(kind, seed),
            slots: Vec::new(),
            sparse: None,
            free: NONE,
            free_len: 0,
            retired: 0,
            kind,
            states: States::new(),
        }
    }

    /// What collections know about the objects.
    #[inline(always)]
    pub(super) const fn states(&self) -> &States {
        &self.states
    }

    #[inline(always)]
    pub(super) const fn states_mut(&mut self) -> &mut States {
        &mut self.states
    }

    #[inline(always)]
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The slot of the object that `cell` refers to. One compare proves kind,
    /// generation and liveness.
    #[inline(always)]
    pub(super) fn find(&self, cell: Cell) -> Option<Slot> {
        self.get(cell.slot()).copied().filter(|slot| slot.key == cell.key())
    }

    /// [`Slots::find`] among the dense slots.
    #[inline(always)]
    pub(super) fn find_dense(&self, cell: Cell) -> Option<Slot> {
        self.slots.get(to_usize(cell.slot())).copied().filter(|slot| slot.key == cell.key())
    }

    /// A dense slot, to write to.
    #[inline(always)]
    pub(super) fn get_dense_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.slots.get_mut(to_usize(index))
    }

    /// [`Slots::get_dense_mut`], unless the object is black.
    #[inline(always)]
    pub(super) fn get_dense_unless_black(&mut self, index: u32) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(to_usize(index))?;
        if self.states.is_black(index) { None } else { Some(slot) }
    }

    #[inline(always)]
    pub(super) fn get(&self, index: u32) -> Option<&Slot> {
        match self.slots.get(to_usize(index)) {
            Some(slot) => Some(slot),
            None => self.get_sparse(index),
        }
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Slot> {
        // A test first: a returned borrow of one branch lasts for the other as well.
        if to_usize(index) < self.slots.len() {
            self.slots.get_mut(to_usize(index))
        } else {
            self.get_sparse_mut(index)
        }
    }

    /// The dense slots.
    pub(super) fn as_slice(&self) -> &[Slot] {
        &self.slots
    }

    /// The number of indices, those of slots in dropped pages among them.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.sparse().map_or(0, Sparse::len).max(self.slots.len())
    }

    /// The number of indices that there are or will be without growth.
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity().max(self.len())
    }

    /// The slots in memory.
    fn stored(&self) -> usize {
        self.slots.len().saturating_add(self.sparse().map_or(0, Sparse::stored))
    }

    /// The number of slots that are not retired.
    pub(super) fn usable(&self) -> usize {
        self.len().saturating_sub(to_usize(self.retired))
    }

    fn is_free(slot: &Slot) -> bool {
        !Generations::<BITS>::is_live(slot.key) && !Generations::<BITS>::is_retired(slot.key)
    }

    pub(super) fn is_live(slot: &Slot) -> bool {
        Generations::<BITS>::is_live(slot.key)
    }

    pub(super) fn is_retired(&self, index: u32) -> bool {
        self.get(index).is_some_and(|slot| Generations::<BITS>::is_retired(slot.key))
    }

    /// Whether every dense slot is in use.
    #[inline(always)]
    pub(super) fn is_exhausted(&self) -> bool {
        self.free == NONE
    }

    /// Whether pages can return to the dense table.
    pub(super) fn has_pages(&self) -> bool {
        self.slots.len() < self.len()
    }

    /// The slot that the next object gets.
    #[inline(always)]
    pub(super) fn vacant(&mut self) -> Option<Vacant<'_, BITS>> {
        let slot = self.slots.get_mut(to_usize(self.free))?;
        let (free, free_len, states) = (&mut self.free, &mut self.free_len, &mut self.states);
        Some(Vacant { slot, generations: &self.generations, free, free_len, states })
    }

    /// [`Slots::vacant`], unless it is the last free slot.
    #[inline(always)]
    pub(super) fn vacant_of_many(&mut self) -> Option<Vacant<'_, BITS>> {
        self.vacant().filter(|vacant| vacant.slot.off != NONE)
    }

    /// The slots by which the capacity has to grow for one more object.
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::ArenaFull`].
    pub(super) fn missing(&self, account: &mut Account) -> Result<usize> {
        if !self.is_exhausted() {
            return Ok(0);
        }
        let needed = if self.has_pages() {
            self.slots.len().saturating_add(Self::PAGE).min(self.len())
        } else {
            self.slots.len().saturating_add(1)
        };
        account.check_slots(self.kind, needed, self.retired)?;
        let capacity = self.slots.capacity();
        Ok(if needed > capacity { needed.max(FIRST_CAPACITY).saturating_sub(capacity) } else { 0 })
    }

    /// Adds free slots if there are none: those of pages that left, else new ones, many
    /// at a time, but one at a time near the limit.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`] or [`Error::OutOfMemory`]; what has
    /// been reserved by then, the caller gives back.
    pub(super) fn add(&mut self, resources: &mut Resources) -> Result<()> {
        while self.is_exhausted() && self.has_pages() {
            self.return_page(resources)?;
        }
        if !self.is_exhausted() {
            return Ok(());
        }
        let first = self.slots.len();
        let needed = first.saturating_add(1);
        // No page that returned had a free slot: that was not foreseen.
        resources.account.check_slots(self.kind, needed, self.retired)?;
        resources.reserve_slots(&mut self.slots, needed.max(FIRST_CAPACITY), first)?;
        resources.reserve_states(&mut self.states, self.slots.capacity());
        let limit = resources.account.limits().slots;
        let near_limit = limit.saturating_sub(limit / 8).saturating_add(self.retired);
        let near_limit = to_usize(near_limit);
        let many = first.saturating_add(BATCH).min(self.slots.capacity()).min(near_limit);
        let range = object_len(first)?..object_len(many.max(needed))?;
        for index in range {
            let key = self.generations.advanced(index, 0);
            self.slots.push(Slot { key, len: 0, off: NONE, room: 0 });
        }
        self.link_free(first);
        Ok(())
    }

    /// Puts the free slots from `first` on at the head of the free list, which has none
    /// of them, in ascending order.
    fn link_free(&mut self, first: usize) {
        let Slots { slots, free, free_len, .. } = self;
        let end = u32::try_from(slots.len()).unwrap_or(NONE);
        let added = slots.get_mut(first..).unwrap_or_default();
        for (slot, index) in added.iter_mut().rev().zip((0..end).rev()) {
            if Self::is_free(slot) {
                slot.off = core::mem::replace(free, index);
                *free_len = free_len.wrapping_add(1);
            }
        }
    }

    pub(super) fn extent(&self) -> SlotExtent {
        SlotExtent {
            len: self.slots.len(),
            capacity: self.slots.capacity(),
            states: self.states.extent(),
        }
    }

    /// Shrinks to an earlier extent, after all objects allocated since were rolled
    /// back, the newest first: slots added since are the last ones in the free list
    /// then.
    pub(super) fn shrink(&mut self, resources: &mut Resources, extent: SlotExtent) {
        if self.slots.len() > extent.len {
            self.leave_pages(extent.len);
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
        let len = self.len();
        resources.shrink_slots(&mut self.slots, extent.capacity, len);
        self.states.shrink(&mut resources.account, extent.states);
    }

    /// Gives spare capacity back.
    pub(super) fn trim(&mut self, resources: &mut Resources) {
        let len = self.len();
        resources.shrink_slots(&mut self.slots, 0, len);
        self.states.trim(&mut resources.account);
    }

    /// Live objects, in the order of their slots.
    pub(super) fn live(&self) -> impl Iterator<Item = (Cell, Slot)> {
        let slots = (0_u32..).zip(&self.slots).chain(self.sparse_slots());
        let slots = slots.filter(|(_, slot)| Self::is_live(slot));
        slots.map(|(index, slot)| (Cell::of_slot(slot.key, index), *slot))
    }

    /// [`Slots::live`], to write to, with their indices.
    pub(super) fn live_mut(&mut self) -> impl Iterator<Item = (u32, &mut Slot)> {
        let Slots { slots, sparse, .. } = self;
        let dense = slots.len();
        let sparse = sparse.as_deref_mut().into_iter().flatten();
        let sparse = sparse.flat_map(move |sparse| sparse.slots_mut(dense, Self::PAGE));
        (0_u32..).zip(slots).chain(sparse).filter(|(_, slot)| Self::is_live(slot))
    }

    pub(super) fn counts(&self) -> SlotCounts {
        let free = self.sparse().map_or(0, Sparse::free).wrapping_add(self.free_len);
        let live = to_u64(self.stored())
            .saturating_sub(u64::from(free))
            .saturating_sub(u64::from(self.retired));
        let live = u32::try_from(live).unwrap_or(u32::MAX);
        SlotCounts { live, free, retired: self.retired }
    }

    /// The bytes requested for the table.
    pub(super) fn reserved_bytes(&self) -> u64 {
        let dense = to_u64(self.slots.capacity()).saturating_mul(to_u64(size_of::<Slot>()));
        let states = to_u64(self.states.reserved_bytes());
        let sparse = self.sparse().map_or(0, Sparse::reserved_bytes);
        dense.saturating_add(sparse).saturating_add(states)
    }

    /// The bytes of the table in use.
    pub(super) fn bytes(&self) -> u64 {
        to_u64(self.stored()).saturating_mul(to_u64(size_of::<Slot>()))
    }
}

/// The slot, or [`Error::Corrupt`] for one that has to exist and does not.
#[inline(always)]
pub(super) fn present<T>(slot: Option<T>) -> Result<T> {
    slot.ok_or_else(corrupt)
}

/// The positions in `range` whose bits are not set, from the last to the first. Both
/// ends of the range are rounded to whole words of bits.
pub(super) fn unmarked(words: &[u64], range: Range<usize>) -> impl Iterator<Item = u32> {
    let words_in = range.start / 64..range.end.div_ceil(64);
    let words_in =
        u32::try_from(words_in.start).unwrap_or(NONE)..u32::try_from(words_in.end).unwrap_or(NONE);
    words_in.rev().flat_map(move |n| {
        let mut clear = !words.get(to_usize(n)).copied().unwrap_or(0);
        core::iter::from_fn(move || {
            let bit = clear.checked_ilog2()?;
            clear ^= 1 << bit;
            Some(n.wrapping_mul(64).wrapping_add(bit))
        })
    })
}
