//! [`Ids`]: what tells the tokens of one heap from those of others.

use crate::words::{Epoch, Result};

/// The identity of a heap, and the numbers it has given to regions and keys.
#[derive(Debug)]
pub(crate) struct Ids {
    heap: Epoch,
    serial: u64,
}

impl Ids {
    pub(super) const fn new() -> Ids {
        Ids { heap: Epoch::NONE, serial: 0 }
    }

    /// The heap's identity, if it has one yet.
    #[inline(always)]
    pub(crate) const fn heap(&self) -> Epoch {
        self.heap
    }

    /// The heap's identity.
    ///
    /// # Errors
    /// [`Error::IdsExhausted`](crate::Error::IdsExhausted).
    #[inline]
    pub(crate) fn identify(&mut self) -> Result<Epoch> {
        self.heap.start()?;
        Ok(self.heap)
    }

    /// A number that this heap has not given before.
    #[inline]
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
}
