//! Integers as digits of a radix. Long texts are divided and conquered, from below to
//! parse them, from above to write them, so that they cost as much as a few products and
//! quotients of their size.

mod parse;
mod write;

use core::ops::RangeInclusive;

use crate::words::{Error, Result};

/// The digits are `0` to `9` and `a` to `z`.
const RADICES: RangeInclusive<u32> = 2..=36;
/// Longer integers are divided and conquered, up to parts of so many chunks.
const LEAF_CHUNKS: usize = 32;

/// The most digits of a radix that always fit into a limb, and the power of the radix.
#[derive(Clone, Copy, Debug)]
struct Radix {
    radix: u32,
    chunk: usize,
    power: u64,
}

impl Radix {
    /// # Errors
    /// [`Error::InvalidRadix`].
    fn new(radix: u32) -> Result<Radix> {
        if !RADICES.contains(&radix) {
            return Err(Error::InvalidRadix { radix });
        }
        let base = u64::from(radix);
        let (mut chunk, mut power) = (1_usize, base);
        while let Some(next) = power.checked_mul(base) {
            (chunk, power) = (chunk.saturating_add(1), next);
        }
        Ok(Radix { radix, chunk, power })
    }

    /// The bits of a digit, if the radix is a power of two.
    fn bits(self) -> Option<u32> {
        self.radix.is_power_of_two().then(|| self.radix.trailing_zeros())
    }

    /// The digits of a part that is not divided.
    const fn leaf(self) -> usize {
        self.chunk.saturating_mul(LEAF_CHUNKS)
    }
}
