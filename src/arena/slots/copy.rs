//! Copies of a table of slots, for [`Heap::try_clone`](crate::Heap::try_clone).

use alloc::vec::Vec;

use super::{Resources, Slots};
use crate::words::Result;

impl<const BITS: u32> Slots<BITS> {
    /// A copy with the same handles, and mark bits for it.
    pub(in crate::arena) fn try_clone(&self, resources: &mut Resources) -> Result<Self> {
        let mut slots = Vec::new();
        resources.add_indices(self.len())?;
        resources.reserve_slots(&mut slots, self.slots.len(), self.len())?;
        slots.extend_from_slice(&self.slots);
        let sparse = self.sparse.as_deref().map(|[sparse]| sparse.try_clone(resources));
        Ok(Slots {
            generations: self.generations,
            slots,
            sparse: sparse.transpose()?,
            free: self.free,
            free_len: self.free_len,
            retired: self.retired,
            kind: self.kind,
            states: self.states.try_clone(&mut resources.account)?,
        })
    }
}
