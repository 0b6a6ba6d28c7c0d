//! [`LoadTimes`]: how long the phases of loading an image take.

use core::time::Duration;

use super::LoadError;
use crate::heap::{Heap, Settings};
use crate::words::Clock;

/// How long each phase of [`Heap::load_timed`] took; zero where there is no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadTimes {
    /// Reading: the time in the reader.
    pub read: Duration,
    /// Slots and memories: placing objects in blocks, and testing that words are cells.
    pub slots: Duration,
    /// Checks of objects: texts, integers, headers, entries of tables, values, and cells in an
    /// arena that has other words, too.
    pub verify: Duration,
    /// Symbols, hashes and indices of maps and sets, pins and tokens.
    pub indices: Duration,
}

/// A phase, which reading is part of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    Slots,
    Verify,
    Indices,
}

impl Heap {
    /// [`Heap::load_with`], with the time that each phase took: for a VM that reports what it
    /// does as it starts. Costs two readings of the clock for each 16 KiB more.
    ///
    /// ```
    /// use segheap::{Heap, LoadError, Settings};
    /// use std::io::Read;
    /// let mut image = Vec::new();
    /// Heap::new().save(&mut image)?;
    /// let mut file = &image[..];
    /// let (heap, times) =
    ///     Heap::load_timed(|bytes| file.read_exact(bytes), Settings::random())?;
    /// println!("read {:?}, slots {:?}, checks {:?}, indices {:?}",
    ///     times.read, times.slots, times.verify, times.indices);
    /// assert_eq!(heap.usage().live(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::load_with`].
    pub fn load_timed<E>(
        mut read: impl FnMut(&mut [u8]) -> Result<(), E>,
        settings: Settings,
    ) -> Result<(Heap, LoadTimes), LoadError<E>> {
        let clock = Clock::start();
        let reading = core::cell::Cell::new(Duration::ZERO);
        let mut times = LoadTimes::default();
        let mut begin = Duration::ZERO;
        let timed = |bytes: &mut [u8]| {
            let begin = clock.elapsed();
            let result = read(bytes);
            let spent = clock.elapsed().saturating_sub(begin);
            reading.set(reading.get().saturating_add(spent));
            result
        };
        let heap = Heap::load_phases(timed, settings, |phase| {
            let (end, read) = (clock.elapsed(), reading.take());
            let spent = end.saturating_sub(begin).saturating_sub(read);
            begin = end;
            times.read = times.read.saturating_add(read);
            match phase {
                Phase::Slots => times.slots = spent,
                Phase::Verify => times.verify = spent,
                Phase::Indices => times.indices = spent,
            }
        })?;
        Ok((heap, times))
    }
}
