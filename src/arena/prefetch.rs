//! Prefetching slots, and then payload, ahead of a loop over handles. Without `std` it
//! does nothing.

use super::Arena;
use crate::words::{Cell, to_usize};

impl<const BITS: u32> Arena<BITS> {
    /// Prefetches a slot.
    #[inline(always)]
    pub(crate) fn prefetch_slot(&self, index: u32) {
        prefetch(self.slots(), index);
    }

    /// Prefetches the first words of the block of a slot, if there is that slot.
    #[inline(always)]
    pub(crate) fn prefetch_payload(&self, index: u32) {
        if let Some(slot) = self.slots().get(to_usize(index)) {
            prefetch(self.memory().words(), slot.off);
        }
    }
}

/// Prefetches the first cells of an object: a cache line, or two that they lie in.
#[inline(always)]
pub(crate) fn prefetch_cells(cells: &[Cell]) {
    prefetch(cells, 0);
    prefetch(cells, 7);
}

/// Prefetches an element into the cache.
#[inline(always)]
fn prefetch<T>(slice: &[T], index: u32) {
    #[cfg(feature = "std")]
    prefetch_index::prefetch_index(slice, to_usize(index));
    #[cfg(not(feature = "std"))]
    let _ = (slice, index);
}
