//! What requests a stop: Ctrl-C and the limit on time, both of the command line.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{CTRL_C, OUT_OF_TIME, REQUEST, RUNNING, at_terminal};
use crate::diagnostics::{Diagnostic, Result};

/// The exit code of a process that Ctrl-C ends.
const EXIT_CODE: i32 = 130;

/// Whether Ctrl-C is a request. It is at the prompt.
static HANDLED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C a request. It still ends the process if there is nothing that would stop: if a
/// request is pending already, or if a process without a terminal waits for input.
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
