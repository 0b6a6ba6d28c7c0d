//! [`Epoch`]: a count that is never the same in two arenas, of one heap or of
//! two, and never comes back.

use core::sync::atomic::Ordering::Relaxed;

use super::error::{Error, Result};

#[cfg(target_has_atomic = "64")]
use core::sync::atomic::AtomicU64 as Counter;
#[cfg(not(target_has_atomic = "64"))]
use core::sync::atomic::AtomicUsize as Counter;

/// The next series.
static NEXT: Counter = Counter::new(1);

/// Steps of one series, of which the process has one counter.
const STEPS: u32 = 24;

/// A step of a series, or none. A later series has larger numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(u64);

impl Epoch {
    /// Of an arena without hints; no hint holds it.
    pub(crate) const NONE: Epoch = Epoch(0);

    /// What a hint holds when its arena has no epoch: equal to none.
    pub(crate) const NEVER: Epoch = Epoch(u64::MAX);

    /// Begins a series, unless one has begun.
    pub(crate) fn start(&mut self) -> Result<()> {
        if *self == Epoch::NONE {
            let next = NEXT.fetch_update(Relaxed, Relaxed, |next| next.checked_add(1));
            #[allow(clippy::unnecessary_cast, reason = "the counter may be narrower")]
            let series = next.map_err(|_| Error::IdsExhausted)? as u64;
            if series >> (u64::BITS - STEPS) != 0 {
                return Err(Error::IdsExhausted);
            }
            self.0 = (series << STEPS) | 1;
        }
        Ok(())
    }

    /// The next step; none behind the last one of a series.
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
