//! Requests to stop the running program: Ctrl-C at the prompt, and a limit on time.
//!
//! Jumps and calls mix [`requested`] into the program counter. A request takes the counter out of
//! range, which the fetch of the next instruction checks anyway, so polling adds no branch. Work in
//! a built-in that the size of its operands does not bound calls [`poll`].

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::diagnostics::{Diagnostic, Result};
use crate::values::{Outcome, Trap};

/// The request of Ctrl-C. No function has so many instructions.
const CTRL_C: usize = 1 << (usize::BITS - 1);
/// The request of a [`Timer`].
const OUT_OF_TIME: usize = 1 << (usize::BITS - 2);
/// The exit code of a process that Ctrl-C ends.
const EXIT_CODE: i32 = 130;

static REQUEST: AtomicUsize = AtomicUsize::new(0);
/// Whether Ctrl-C is a request. It is at the prompt.
static HANDLED: AtomicBool = AtomicBool::new(false);
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

/// Makes Ctrl-C a request. It still ends the process if there is nothing that would stop: if a
/// request is pending already, or if a process without a terminal waits for input.
#[cfg(feature = "cli")]
pub(crate) fn handle_ctrl_c() -> std::result::Result<(), ctrlc::Error> {
    HANDLED.store(true, Relaxed);
    ctrlc::set_handler(|| {
        if !RUNNING.load(Relaxed) {
            if !at_terminal() {
                std::process::exit(EXIT_CODE);
            }
        } else if REQUEST.fetch_or(CTRL_C, Relaxed) != 0 {
            crate::cli::report("mochi: ended while an operation did not stop\n");
            std::process::exit(EXIT_CODE);
        }
    })
}

fn at_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Whether the program reads from the terminal of the prompt, where Ctrl-C is a character.
pub(crate) fn at_prompt() -> bool {
    HANDLED.load(Relaxed) && at_terminal()
}

/// Runs a program that requests stop: Ctrl-C, and the end of the time limit.
pub(crate) fn running<T>(
    limit: Option<Duration>,
    program: impl FnOnce() -> Result<T>,
) -> Result<T> {
    REQUEST.store(0, Relaxed);
    let timer = limit.map(Timer::start).transpose().map_err(|error| {
        Diagnostic::new(0, format!("cannot start a thread for the time limit: {error}"))
    })?;
    RUNNING.store(true, Relaxed);
    let result = program();
    RUNNING.store(false, Relaxed);
    drop(timer);
    result
}

/// Reads input that the program waits for.
pub(crate) fn waiting<T>(read: impl FnOnce() -> T) -> T {
    let running = RUNNING.swap(at_terminal(), Relaxed);
    let result = read();
    RUNNING.store(running, Relaxed);
    result
}

/// A thread that requests a stop after some time, unless the timer is dropped before.
struct Timer(Option<(Sender<()>, JoinHandle<()>)>);

impl Timer {
    fn start(limit: Duration) -> io::Result<Timer> {
        let (sender, receiver) = mpsc::channel();
        let wait = move || {
            if receiver.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                REQUEST.fetch_or(OUT_OF_TIME, Relaxed);
            }
        };
        Ok(Timer(Some((sender, thread::Builder::new().spawn(wait)?))))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            // The next input of the prompt must not be stopped by a late request.
            let _ = thread.join();
        }
    }
}
