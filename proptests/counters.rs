//! Counters of the work done: programs, operations and assertions of all tests.
//! Each test counts on its own thread. The last test to end prints the totals,
//! past the output capture of libtest. Between tests there can be moments when
//! none runs, so totals may be printed more than once; the last line is the
//! final one. `prop_assert!` is not counted.

use std::cell::Cell;
use std::io::Write;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

static TOTALS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// The programs, operations and assertions of one test.
struct Counters([Cell<u64>; 3]);

thread_local! {
    static COUNTERS: Counters = {
        RUNNING.fetch_add(1, SeqCst);
        Counters([const { Cell::new(0) }; 3])
    };
}

impl Drop for Counters {
    fn drop(&mut self) {
        for (total, count) in TOTALS.iter().zip(&self.0) {
            total.fetch_add(count.get(), SeqCst);
        }
        let [programs, operations, assertions] = TOTALS.each_ref().map(|total| total.load(SeqCst));
        if RUNNING.fetch_sub(1, SeqCst) == 1 && programs > 0 {
            let line = format!(
                "total: {programs} programs, {operations} operations, {assertions} assertions\n"
            );
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

fn add(counter: usize, n: usize) {
    // Fails on a thread that is ending, which has reported its counts.
    let _ = COUNTERS.try_with(|counters| {
        let count = &counters.0[counter];
        count.set(count.get() + n as u64);
    });
}

/// Counts a program and its operations.
pub fn program(operations: usize) {
    add(0, 1);
    add(1, operations);
}

/// Counts an operation of a program whose length is not known in advance.
pub fn operation() {
    add(1, 1);
}

/// Counts `n` assertions.
pub fn assertions(n: usize) {
    add(2, n);
}

macro_rules! assert {
    ($($args:tt)*) => {{
        $crate::counters::assertions(1);
        std::assert!($($args)*)
    }};
}

macro_rules! assert_eq {
    ($($args:tt)*) => {{
        $crate::counters::assertions(1);
        std::assert_eq!($($args)*)
    }};
}

macro_rules! assert_ne {
    ($($args:tt)*) => {{
        $crate::counters::assertions(1);
        std::assert_ne!($($args)*)
    }};
}
