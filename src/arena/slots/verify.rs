//! Checks of a table of slots, for [`Heap::verify`](crate::Heap::verify).

use super::{NONE, Slot, Slots};
use crate::words::{Generations, to_usize};

impl<const BITS: u32> Slots<BITS> {
    /// Checks the free list and the counts.
    ///
    /// # Errors
    /// The first fault: the slot, if it has one, and a description.
    pub(in crate::arena) fn verify(&self) -> Result<(), (Option<u32>, &'static str)> {
        let mut stored = (0_u32..).zip(&self.slots).chain(self.sparse_slots());
        if let Some((index, _)) = stored.find(|(_, slot)| !self.generations.is_key(slot.key)) {
            return Err((Some(index), "the key is of no slot of this arena"));
        }
        self.verify_sparse().map_err(|what| (None, what))?;
        let is_retired = |slot: &&Slot| Generations::<BITS>::is_retired(slot.key);
        let free = self.slots.iter().filter(|slot| Self::is_free(slot)).count();
        let retired = self.slots.iter().chain(self.sparse_slots().map(|(_, slot)| slot));
        let retired = retired.filter(is_retired).count();
        if (free, retired) != (to_usize(self.free_len), to_usize(self.retired)) {
            return Err((None, "the slots are miscounted"));
        }
        self.verify_free_list()
    }

    /// Checks that the free list has so many free slots as were counted, each once.
    ///
    /// # Errors
    /// As [`Slots::verify`].
    pub(super) fn verify_free_list(&self) -> Result<(), (Option<u32>, &'static str)> {
        let (mut next, mut left) = (self.free, self.free_len);
        while left > 0
            && let Some(slot) = self.slots.get(to_usize(next))
        {
            if !Self::is_free(slot) {
                return Err((Some(next), "the free list reaches a slot in use"));
            }
            (next, left) = (slot.off, left.wrapping_sub(1));
        }
        // A list that goes round in a circle has no end.
        if next == NONE && left == 0 {
            return Ok(());
        }
        Err((None, "the free list is too long or too short"))
    }
}
