//! How much was tried: programs, operations and assertions of all tests. Each
//! test counts in its own thread; when no test runs any more, the last one says
//! the sums, past libtest's capture. (While tests go on, there may be moments
//! when none runs, too: the last line is the tally. `prop_assert!` is not in it.)

use std::cell::Cell;
use std::io::Write;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

static SUMS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// Programs, operations and assertions of a test.
struct Test([Cell<u64>; 3]);

thread_local! {
    static TEST: Test = {
        RUNNING.fetch_add(1, SeqCst);
        Test([const { Cell::new(0) }; 3])
    };
}

impl Drop for Test {
    fn drop(&mut self) {
        for (sum, count) in SUMS.iter().zip(&self.0) {
            sum.fetch_add(count.get(), SeqCst);
        }
        let [programs, operations, assertions] = SUMS.each_ref().map(|sum| sum.load(SeqCst));
        if RUNNING.fetch_sub(1, SeqCst) == 1 && programs > 0 {
            let line = format!(
                "tally: {programs} programs, {operations} operations, {assertions} assertions\n"
            );
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

fn count(what: usize, n: usize) {
    // A thread that ends has told its counts.
    let _ = TEST.try_with(|test| test.0[what].set(test.0[what].get() + n as u64));
}

/// A program is run, of so many operations as far as that is known.
pub fn program(operations: usize) {
    count(0, 1);
    count(1, operations);
}

/// An operation of a program whose length was not known.
pub fn operation() {
    count(1, 1);
}

/// So many things are held against what they should be.
pub fn assertions(n: usize) {
    count(2, n);
}

macro_rules! assert {
    ($($of:tt)*) => {{
        $crate::tally::assertions(1);
        std::assert!($($of)*)
    }};
}

macro_rules! assert_eq {
    ($($of:tt)*) => {{
        $crate::tally::assertions(1);
        std::assert_eq!($($of)*)
    }};
}

macro_rules! assert_ne {
    ($($of:tt)*) => {{
        $crate::tally::assertions(1);
        std::assert_ne!($($of)*)
    }};
}
