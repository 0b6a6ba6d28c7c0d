//! [`Ids`]: the identity of a heap, by which it recognizes its own hints, regions and
//! keys.

use crate::words::{Epoch, Result};

#[cfg(doc)]
use crate::Error;

/// The identity of a heap, and the last serial number that a region or a key got.
#[derive(Debug)]
pub(crate) struct Ids {
    heap: Epoch,
    serial: u64,
}

impl Ids {
    pub(crate) const fn new() -> Ids {
        Ids { heap: Epoch::NONE, serial: 0 }
    }

    /// An identity of its own, whose serial numbers go on after the last one of another heap:
    /// no key of it opens what was sealed there.
    pub(crate) const fn after(serial: u64) -> Ids {
        Ids { heap: Epoch::NONE, serial }
    }

    /// The last serial number that was assigned.
    pub(crate) const fn serial(&self) -> u64 {
        self.serial
    }

    /// The heap's identity; [`Epoch::NONE`] before the first [`Ids::identify`].
    #[inline(always)]
    pub(crate) const fn heap(&self) -> Epoch {
        self.heap
    }

    /// The heap's identity, assigned on first use so that most heaps take none.
    ///
    /// # Errors
    /// [`Error::IdsExhausted`] if the process has no identity left.
    #[inline]
    pub(crate) fn identify(&mut self) -> Result<Epoch> {
        self.heap.start()?;
        Ok(self.heap)
    }

    /// A serial number that this heap has not used before: 64 bits do not wrap around.
    #[inline]
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
}
