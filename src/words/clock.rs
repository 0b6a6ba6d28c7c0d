//! [`Clock`]: time since a start, where there is a clock.

use core::time::Duration;

/// A start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    #[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
    start: std::time::Instant,
}

#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
impl Clock {
    pub(crate) fn start() -> Clock {
        Clock { start: std::time::Instant::now() }
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Without a clock, no time passes.
#[cfg(not(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown")))))]
impl Clock {
    pub(crate) const fn start() -> Clock {
        Clock {}
    }

    pub(crate) const fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}
