//! Inspection of an arena: its invariants, its usage.

use super::{Arena, Slot};
use crate::words::{ArenaUsage, Elements, KeyBy, Kind, PAGE_BYTES, Result, Shape, VALUE};

/// Checks the flags of a live slot: texts, integers and seals have none, and only sequences,
/// which are frozen then, are values.
///
/// # Errors
/// The first fault, as a description.
#[inline(always)]
pub(super) fn verify_flags(kind: Kind, shape: &Shape, slot: Slot) -> Result<(), &'static str> {
    if slot.flags() == 0 {
        return Ok(());
    }
    if slot.flags() == VALUE {
        return Err("a value is not frozen");
    }
    if kind == Kind::SEALED || shape.key != KeyBy::Identity {
        return Err("an object that never changes is frozen");
    }
    let is_table = matches!(shape.elements, Elements::Entries(_));
    if slot.is_value() && (is_table || kind == Kind::HOST) {
        return Err("a value is no sequence");
    }
    Ok(())
}

impl<const BITS: u32> Arena<BITS> {
    /// The addresses of the dense slots and of the words of memory, for reads.
    pub(crate) fn addresses(&self) -> (*const Slot, *const u64) {
        (self.slots.as_ptr(), self.memory().as_ptr())
    }

    /// [`Arena::addresses`], of which the memory may be written.
    pub(crate) fn addresses_mut(&mut self) -> (*const Slot, *mut u64) {
        (self.slots.as_ptr(), self.blocks.memory_mut().as_mut_ptr())
    }

    /// Checks slots and blocks. `bits` has a bit for every word of memory, all of
    /// them zero; some are set afterwards.
    ///
    /// # Errors
    /// The first fault: the slot, if it has one, and a description.
    pub(crate) fn verify(&self, bits: &mut [u64]) -> Result<(), (Option<u32>, &'static str)> {
        let mut used = self.verify_shared(bits)?;
        for (cell, slot) in self.live() {
            let fault = |what| (Some(cell.slot()), what);
            if cell.selector() != self.kind() {
                return Err(fault("the key is of another arena"));
            }
            if !self.shape.fits(slot.len, slot.room) {
                return Err(fault("the object does not fit into its block"));
            }
            verify_flags(self.kind(), self.shape, slot).map_err(fault)?;
            if slot.is_shared() {
                continue;
            }
            self.blocks.verify(slot.block(), self.shape.can_be_cut(), bits).map_err(fault)?;
            used = used.saturating_add(u64::from(slot.cap()));
        }
        self.slots.verify()?;
        self.blocks.verify_bounds().map_err(|what| (None, what))?;
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
