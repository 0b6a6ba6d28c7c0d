//! The definition of a comparison.
//!
//! ```text
//! ("sum of a view, 1M", || {
//!     comparison(1_000_000, (0..1_000_000).collect::<Vec<i64>>(), [
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

/// The same work, done by several contenders.
pub(crate) struct Comparison {
    /// Operations of a pass. Costs are shown per operation.
    pub(crate) operations: usize,
    pub(crate) unit: Unit,
    /// Runs every pass in a process of its own.
    pub(crate) fresh: bool,
    /// The number of rounds, if passes take seconds: none is made to warm up.
    pub(crate) rounds: Option<usize>,
    pub(crate) contenders: Vec<Contender>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    Bytes,
}

pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Builds the structure.
    pub(crate) make: Box<dyn FnOnce() -> Pass>,
}

/// One pass over a structure. The argument asks for the result, which takes time and
/// cache misses where it has to be read from what was written.
pub(crate) type Pass = Box<dyn FnMut(bool) -> Outcome>;

#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    /// In the unit of the comparison, of all operations.
    pub(crate) cost: u64,
    /// Equal for all contenders.
    pub(crate) result: u64,
}

/// Builds a structure from an input.
type Make<I> = fn(Rc<I>) -> Pass;

/// Creates a comparison of `operations` on an input that all contenders share.
pub(crate) fn comparison<I: 'static, const N: usize>(
    operations: usize,
    input: I,
    contenders: [(&'static str, Make<I>); N],
) -> Comparison {
    let input = Rc::new(input);
    let contenders = contenders.map(|(name, make)| {
        let input = Rc::clone(&input);
        Contender { name, make: Box::new(move || make(input)) }
    });
    Comparison {
        operations,
        unit: Unit::Nanoseconds,
        fresh: false,
        rounds: None,
        contenders: contenders.into(),
    }
}

impl Comparison {
    pub(crate) fn fresh(self) -> Comparison {
        Comparison { fresh: true, ..self }
    }

    pub(crate) fn in_bytes(self) -> Comparison {
        Comparison { unit: Unit::Bytes, ..self }
    }
}
