//! [`Epoch`]: a counter whose values are unique in the process. Two arenas, of one
//! heap or of two, never have the same epoch, and no epoch is used twice.

use core::sync::atomic::Ordering::Relaxed;

use super::error::{Error, Result};

#[cfg(target_has_atomic = "64")]
use core::sync::atomic::AtomicU64 as Counter;
#[cfg(not(target_has_atomic = "64"))]
use core::sync::atomic::AtomicUsize as Counter;

/// The number of the next series.
static NEXT: Counter = Counter::new(1);

/// Bits of an epoch that count the steps of a series. The other bits are the
/// number of the series, from the process's one counter.
const STEPS: u32 = 24;

/// A step of a series, or [`Epoch::NONE`]. A later series has greater epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(u64);

impl Epoch {
    /// The epoch of an arena that has no hints. No hint holds it.
    pub(crate) const NONE: Epoch = Epoch(0);

    /// The epoch of a hint whose arena has none. No arena has it.
    pub(crate) const NEVER: Epoch = Epoch(u64::MAX);

    /// Begins a series, unless one has begun.
    ///
    /// # Errors
    /// [`Error::IdsExhausted`] after 2^40 series.
    #[inline]
    pub(crate) fn start(&mut self) -> Result<()> {
        if *self == Epoch::NONE { self.start_series() } else { Ok(()) }
    }

    #[cold]
    fn start_series(&mut self) -> Result<()> {
        let next = NEXT.fetch_update(Relaxed, Relaxed, |next| next.checked_add(1));
        #[allow(clippy::unnecessary_cast, reason = "the counter may be narrower")]
        let series = next.map_err(|_| Error::IdsExhausted)? as u64;
        if series >> (u64::BITS - STEPS) != 0 {
            return Err(Error::IdsExhausted);
        }
        self.0 = (series << STEPS) | 1;
        Ok(())
    }

    /// Moves to another value, whether a series has begun or not: one that no other counter
    /// has, unless the process has used up its series.
    #[cold]
    pub(crate) fn change(&mut self) {
        self.advance();
        if self.start().is_err() {
            self.0 = self.0.wrapping_add(1);
        }
    }

    /// The value as a number; 0 for [`Epoch::NONE`].
    #[inline(always)]
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// Moves to the next step of the series; to [`Epoch::NONE`] after the last.
    #[inline(always)]
    pub(crate) fn advance(&mut self) {
        if *self != Epoch::NONE {
            self.0 = self.0.wrapping_add(1);
            if self.0 & ((1 << STEPS) - 1) == 0 {
                *self = Epoch::NONE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_ends_and_the_next_is_larger() {
        let (mut a, mut b) = (Epoch::NONE, Epoch::NONE);
        a.advance();
        assert_eq!(a, Epoch::NONE);
        a.start().unwrap();
        b.start().unwrap();
        let first = a;
        for _ in 2..1 << STEPS {
            let before = a;
            a.advance();
            assert!(a > before && a < b);
        }
        a.advance();
        assert_eq!(a, Epoch::NONE);
        a.start().unwrap();
        assert!(a > b && b > first);
    }
}
