//! [`CollectorStats`]: what the collections of a heap have done, and how long they took.

#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
use core::time::Duration;

use crate::words::Clock;

/// What the collections of a heap have done since it was created; returned by
/// [`Heap::collector_stats`](crate::Heap::collector_stats).
///
/// ```
/// use segheap::{Cell, Heap, List};
/// let mut heap = Heap::new();
/// heap.alloc(List::of(&[]))?;
/// heap.collect([Cell::NULL])?;
/// let stats = heap.collector_stats();
/// assert_eq!((stats.collections, stats.cycles, stats.freed), (1, 0, 1));
/// # Ok::<(), segheap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectorStats {
    /// Collections of the whole heap at once.
    pub collections: u64,
    /// Collections of the whole heap in steps that have ended.
    pub cycles: u64,
    /// Steps of these.
    pub steps: u64,
    /// Young collections.
    pub young: u64,
    /// The work of all of them, counted as in [`Step::work`](crate::Step::work).
    pub work: u64,
    /// Objects freed by them, seals included.
    pub freed: u64,
    /// Objects that young collections have found reachable: they are old from then on.
    pub promoted: u64,
    /// Old objects that young collections have scanned, as they had been written.
    pub remembered: u64,
    pauses: Pauses,
}

/// Where there is a clock, the pauses: how long collections and steps took.
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
impl CollectorStats {
    /// Returns the longest pause.
    ///
    /// ```
    /// use segheap::{Cell, Heap};
    /// let mut heap = Heap::new();
    /// heap.collect([Cell::NULL])?;
    /// let stats = heap.collector_stats();
    /// assert!(stats.pauses() == 1 && stats.pause_quantile(0.99) <= stats.longest_pause());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub const fn longest_pause(&self) -> Duration {
        Duration::from_nanos(self.pauses.longest)
    }

    /// Returns the number of pauses.
    pub fn pauses(&self) -> u64 {
        self.pauses.counts.iter().map(|&count| u64::from(count)).sum()
    }

    /// Returns a duration that the fraction `quantile` of the pauses did not exceed: of
    /// 0.99, the 99th percentile. It is rounded up, by a quarter at most, and from 65 ms
    /// on to the longest pause. O(1).
    pub fn pause_quantile(&self, quantile: f64) -> Duration {
        let wanted = quantile.clamp(0.0, 1.0);
        let all = self.pauses();
        let mut count = 0_u64;
        for (bucket, &n) in self.pauses.counts.iter().enumerate() {
            count = count.saturating_add(u64::from(n));
            if reaches(count, all, wanted) {
                return Duration::from_nanos(bucket_end(bucket).min(self.pauses.longest));
            }
        }
        self.longest_pause()
    }
}

/// Buckets of the histogram: four for each doubling from 1,024 ns on.
const BUCKETS: usize = 64;

/// A histogram of pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pauses {
    counts: [u32; BUCKETS],
    /// In nanoseconds.
    longest: u64,
}

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses { counts: [0; BUCKETS], longest: 0 }
    }
}

/// Whether `count` of `all` are the fraction `quantile` of them.
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
#[allow(clippy::cast_precision_loss, reason = "a fraction")]
fn reaches(count: u64, all: u64, quantile: f64) -> bool {
    count as f64 >= quantile * all as f64
}

/// The longest pause of a bucket, in nanoseconds; the last one has longer ones as well.
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
fn bucket_end(bucket: usize) -> u64 {
    let (octave, quarter) = (bucket / 4, crate::words::to_u64(bucket % 4));
    if octave < BUCKETS / 4 - 1 || quarter < 3 {
        quarter.saturating_add(5) << octave.saturating_add(8)
    } else {
        u64::MAX
    }
}

/// The bucket of a pause.
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
fn bucket_of(nanos: u64) -> usize {
    let nanos = nanos.max(1024).saturating_sub(1).max(1024);
    let exponent = nanos.ilog2();
    let quarter = nanos >> exponent.saturating_sub(2) & 3;
    let bucket = u64::from(exponent).saturating_sub(10).saturating_mul(4).saturating_add(quarter);
    usize::try_from(bucket).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// Measures a pause.
#[derive(Debug)]
pub(crate) struct Stopwatch(Clock);

#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Clock::start())
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Notes a pause that ends now.
    pub(crate) fn stop(self, stats: &mut CollectorStats) {
        let nanos = u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX);
        stats.pauses.longest = stats.pauses.longest.max(nanos);
        if let Some(count) = stats.pauses.counts.get_mut(bucket_of(nanos)) {
            *count = count.saturating_add(1);
        }
    }
}

/// Without a clock, nothing is measured.
#[cfg(not(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown")))))]
impl Stopwatch {
    pub(crate) const fn start() -> Stopwatch {
        Stopwatch(Clock::start())
    }

    pub(crate) const fn stop(self, _stats: &mut CollectorStats) {}
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::{BUCKETS, bucket_end, bucket_of};

    #[test]
    fn a_pause_is_rounded_up_by_a_quarter_at_most() {
        let ends = (1_024..50_000_000_u64).step_by(997).chain([1, 1_280, 1_281, 1_535, 1_536]);
        for nanos in ends.filter(|&nanos| nanos >= 1_024) {
            let end = bucket_end(bucket_of(nanos));
            assert!(nanos <= end && end <= nanos / 4 * 5 + 8, "{nanos} {end}");
        }
        assert_eq!((bucket_of(0), bucket_of(u64::MAX)), (0, BUCKETS - 1));
        assert_eq!(bucket_end(BUCKETS - 1), u64::MAX);
    }
}
