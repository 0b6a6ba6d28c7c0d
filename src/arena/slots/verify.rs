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
        let (mut next, mut listed) = (self.free, 0_usize);
        while let Some(slot) = self.slots.get(to_usize(next)).filter(|_| listed < free) {
            if !Self::is_free(slot) {
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
