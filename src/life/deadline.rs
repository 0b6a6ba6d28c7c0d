//! Steps that go by the clock, where there is one.

use core::time::Duration;

use super::compact::CompactStep;
use super::steps::Step;
use crate::heap::{Heap, Stopwatch};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Cell, Result};

/// The work between two looks at the clock: some 20 microseconds.
const SLICE: u64 = 16 << 10;

/// Tells after each slice of work whether another one is likely to end in time.
struct Clock {
    watch: Stopwatch,
    time: Duration,
    /// When the last slice had ended.
    before: Duration,
}

impl Clock {
    fn start(time: Duration) -> Clock {
        Clock { watch: Stopwatch::start(), time, before: Duration::ZERO }
    }

    /// Whether one that takes as long as the last one would end too late.
    fn is_over(&mut self) -> bool {
        let now = self.watch.elapsed();
        let next = now.saturating_add(now.saturating_sub(self.before));
        self.before = now;
        next > self.time
    }
}

impl Heap {
    /// [`Heap::step`] by the clock: marks or sweeps for as long as `time`, and begins a
    /// collection if none is under way. It looks at the clock after every 16 KiB of work,
    /// and stops once that much more is likely to take longer; it does 16 KiB at least. What
    /// [`Heap::step`] names as not bounded by its work takes its time here as well. `roots`
    /// are asked for repeatedly.
    ///
    /// ```
    /// use core::time::Duration;
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let kept = heap.alloc(List::of(&[]))?;
    /// let garbage = heap.alloc(List::of(&[kept.into()]))?;
    /// while !heap.step_for([kept.cell()], Duration::from_micros(100))?.finished {
    ///     // The program goes on: it has a frame to draw, or a request to serve.
    /// }
    /// assert!(heap.contains(kept) && !heap.contains(garbage));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn step_for<I>(&mut self, roots: I, time: Duration) -> Result<Step>
    where
        I: IntoIterator<Item: Into<Cell>> + Clone,
    {
        let mut clock = Clock::start(time);
        let mut all = Step::default();
        loop {
            let roots = roots.clone().into_iter().map(Into::into);
            let (step, at_once) = self.step_of(roots, SLICE, &mut |_| {})?;
            all.finished = step.finished;
            all.work = all.work.saturating_add(step.work);
            all.freed = all.freed.saturating_add(step.freed);
            all.cleared = all.cleared.saturating_add(step.cleared);
            all.stale_roots = step.stale_roots.max(all.stale_roots);
            if clock.is_over() || all.finished {
                if !at_once {
                    self.note_steps(&all, clock.watch);
                }
                return Ok(all);
            }
        }
    }

    /// [`Heap::compact_step`] by the clock: compacts for as long as `time`, and begins a
    /// compaction if none is under way. It looks at the clock after every 16 KiB of work, and
    /// stops once that much more is likely to take longer; it does 16 KiB at least. A large
    /// object takes its time here as well.
    ///
    /// ```
    /// use core::time::Duration;
    /// use segheap::{Bytes, Heap};
    /// let mut heap = Heap::new();
    /// let large = heap.alloc(Bytes::zeroed(1 << 20))?;
    /// let small = heap.alloc(Bytes::of(b"kept"))?;
    /// heap.free(large)?;
    /// while !heap.compact_step_for(Duration::from_micros(100))?.finished {
    ///     // The program goes on: it has a frame to draw, or a request to serve.
    /// }
    /// assert_eq!(heap.usage().pages(), 1);
    /// assert_eq!(heap.get(small)?.as_slice(), b"kept");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn compact_step_for(&mut self, time: Duration) -> Result<CompactStep> {
        let mut clock = Clock::start(time);
        let mut all = CompactStep::default();
        loop {
            let step = self.compact_step(SLICE)?;
            all.finished = step.finished;
            all.work = all.work.saturating_add(step.work);
            all.moved = all.moved.saturating_add(step.moved);
            all.given_back = all.given_back.saturating_add(step.given_back);
            all.left = all.left.saturating_add(step.left);
            if clock.is_over() || all.finished {
                return Ok(all);
            }
        }
    }
}
