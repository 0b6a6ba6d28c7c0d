//! What a contest is.
//!
//! ```text
//! ("sum of a view, 1M", || {
//!     contest(1_000_000, (0..1_000_000).collect::<Vec<i64>>(), [
//!         ("segheap", |numbers| {
//!             let mut heap = heap();
//!             let array = heap.alloc(I64Arr::of(&numbers)).unwrap();
//!             reading(move || sum_view(&heap, black_box(array)).unwrap())
//!         }),
//!         ("slice", |numbers| reading(move || sum_slice(black_box(&numbers)))),
//!     ])
//! }),
//! ```

use std::rc::Rc;

/// The same work, done by several.
pub(crate) struct Contest {
    /// How many operations a pass has: costs are shown for one.
    pub(crate) operations: usize,
    pub(crate) unit: Unit,
    /// Every pass wants a process of its own.
    pub(crate) fresh: bool,
    pub(crate) contestants: Vec<Contestant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    Bytes,
}

pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// Sets the structure up.
    pub(crate) make: Box<dyn FnOnce() -> Pass>,
}

/// One pass over a structure. Whoever asks for the answer pays the time and the
/// cache misses of looking at what was written.
pub(crate) type Pass = Box<dyn FnMut(bool) -> Outcome>;

#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    /// In the unit of the contest, for all operations.
    pub(crate) cost: u64,
    /// All contestants come to the same one.
    pub(crate) answer: u64,
}

/// Sets a structure up over an input.
type Make<I> = fn(Rc<I>) -> Pass;

/// A contest of `operations` over an input that all contestants share.
pub(crate) fn contest<I: 'static, const N: usize>(
    operations: usize,
    input: I,
    contestants: [(&'static str, Make<I>); N],
) -> Contest {
    let input = Rc::new(input);
    let contestants = contestants.map(|(name, make)| {
        let input = Rc::clone(&input);
        Contestant { name, make: Box::new(move || make(input)) }
    });
    Contest { operations, unit: Unit::Nanoseconds, fresh: false, contestants: contestants.into() }
}

impl Contest {
    pub(crate) fn fresh(self) -> Contest {
        Contest { fresh: true, ..self }
    }

    pub(crate) fn in_bytes(self) -> Contest {
        Contest { unit: Unit::Bytes, ..self }
    }
}
