//! Inspection of an arena: its invariants, its usage.

use super::Arena;
use crate::words::{ArenaUsage, PAGE_BYTES, Result};

impl<const BITS: u32> Arena<BITS> {
    /// Checks slots and blocks. `bits` has a bit for every word of memory, all of
    /// them zero; some are set afterwards.
    ///
    /// # Errors
    /// The first fault: the slot, if it has one, and a description.
    pub(crate) fn verify(&self, bits: &mut [u64]) -> Result<(), (Option<u32>, &'static str)> {
        let mut used = 0_u64;
        for (cell, slot) in self.live() {
            let fault = |what| (Some(cell.slot()), what);
            if cell.selector() != self.kind() {
                return Err(fault("the key is of another arena"));
            }
            if !self.shape.fits(slot.len, slot.cap) {
                return Err(fault("the object does not fit into its block"));
            }
            self.blocks.verify(slot.block(), self.shape.can_be_cut(), bits).map_err(fault)?;
            used = used.saturating_add(u64::from(slot.cap));
        }
        self.slots.verify()?;
        if used != self.blocks.used() {
            return Err((None, "the payload is miscounted"));
        }
        self.blocks.verify_free(bits).map_err(|what| (None, what))
    }

    /// The bytes of the slots in memory.
    pub(crate) fn slot_bytes(&self) -> u64 {
        self.slots.bytes()
    }

    /// The memory and the slots in use.
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
