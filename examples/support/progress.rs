//! Progress on stderr of work that takes over a second.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Before the first line, and between two lines.
const DELAY: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(200);
/// Steps between two looks at the clock.
const STEPS: u32 = 1 << 12;

/// Shows nothing unless stderr is a terminal.
pub(crate) struct Progress {
    label: &'static str,
    next: Option<Instant>,
    shown: bool,
    steps: u32,
}

impl Progress {
    pub(crate) fn new(label: &'static str) -> Progress {
        let next = io::stderr().is_terminal().then(|| Instant::now() + DELAY);
        Progress { label, next, shown: false, steps: 0 }
    }

    /// Records a step, after which `done` of `total` is done.
    pub(crate) fn step(&mut self, done: usize, total: usize) {
        let Some(next) = &mut self.next else { return };
        self.steps = self.steps.wrapping_add(1);
        if !self.steps.is_multiple_of(STEPS) || Instant::now() < *next {
            return;
        }
        *next = Instant::now() + INTERVAL;
        self.shown = true;
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
        // A failed write costs the progress, not the work.
        let _ = write!(io::stderr(), "\r{}: {percent} %", self.label);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let blank = " ".repeat(self.label.len().saturating_add(8));
            let _ = write!(io::stderr(), "\r{blank}\r");
        }
    }
}
