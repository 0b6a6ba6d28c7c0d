//! Requests to stop the running program: Ctrl-C at the prompt, and a limit on time.
//!
//! Jumps and calls mix [`requested`] into the program counter. A request takes the counter out of
//! range, which the fetch of the next instruction checks anyway, so polling adds no branch. Work in
//! a built-in that the size of its operands does not bound calls [`poll`].

#[cfg(feature = "cli")]
mod requests;

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::values::{Outcome, Trap};
#[cfg(feature = "cli")]
pub(crate) use requests::{at_prompt, handle_ctrl_c, running};

/// The request of Ctrl-C. No function has so many instructions.
const CTRL_C: usize = 1 << (usize::BITS - 1);
/// The request of the limit on time.
const OUT_OF_TIME: usize = 1 << (usize::BITS - 2);

static REQUEST: AtomicUsize = AtomicUsize::new(0);
/// Whether a program runs that would poll. Otherwise the process waits for input.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// The pending requests: zero, or greater than any program counter.
#[inline(always)]
pub(crate) fn requested() -> usize {
    REQUEST.load(Relaxed)
}

/// Fails with [`Trap::Stopped`] if a request is pending.
#[inline(always)]
pub(crate) fn poll() -> Outcome<()> {
    if requested() == 0 { Ok(()) } else { Err(Trap::Stopped) }
}

/// The program counter that a request was mixed into, or `None` if there was no request.
pub(crate) fn without_request(pc: usize) -> Option<usize> {
    let target = pc & !(CTRL_C | OUT_OF_TIME);
    (target != pc).then_some(target)
}

/// Why the program stops.
pub(crate) fn reason() -> &'static str {
    if requested() & OUT_OF_TIME == 0 { "interrupted" } else { "out of time: limit reached" }
}

fn at_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Reads input that the program waits for.
pub(crate) fn waiting<T>(read: impl FnOnce() -> T) -> T {
    let running = RUNNING.swap(at_terminal(), Relaxed);
    let result = read();
    RUNNING.store(running, Relaxed);
    result
}
