//! What all modules share: the number of cases, and the strategies for inputs.

use std::ops::{Bound, Range};

use proptest::test_runner::Config;
use segheap::{Cell, Error, Heap, Limits, Settings, abi};

pub use segheap::testing::{bounds, float_bits, immediate, index, integer, programs, text};

/// The smallest size that does not fit in so many bits, or the largest size.
pub const fn beyond_bits(bits: u32) -> usize {
    match 1_usize.checked_shl(bits) {
        Some(size) => size,
        None => usize::MAX,
    }
}

/// The configuration of a property with `cases` cases, unless `PROPTEST_CASES`
/// sets the number.
pub fn config(cases: u32) -> Config {
    let config = Config { failure_persistence: None, ..Config::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => Config { cases, ..config },
    }
}

/// A heap with fixed seeds, so that a failure is reproducible. The limit is far
/// above what any test needs; it keeps a bug from exhausting the machine's memory.
pub fn heap(seed: u64) -> Heap {
    let limits = Limits::NONE.with_bytes(256 << 20);
    Heap::with(Settings::seeded(seed).limits(limits))
}

/// The bits of the handle of a slot in the arena with this selector, in this
/// generation.
pub fn handle_bits(selector: u64, generation: u64, slot: u32) -> u64 {
    0xFFFF << 48 | (selector & 15) << 44 | (generation & 0xFFF) << 32 | u64::from(slot)
}

/// The handle with these bits. `selector` is that of a kind or of seals.
pub fn forged(selector: u64, generation: u64, slot: u32) -> Cell {
    abi::cell(handle_bits(selector, generation, slot)).unwrap()
}

pub type Bounds = (Bound<usize>, Bound<usize>);

pub fn out_of_range(index: usize, len: usize) -> Error {
    Error::OutOfRange { index: index as u64, len: len as u32 }
}

/// Resolves bounds to start and end, in arithmetic that cannot overflow.
pub fn resolve(bounds: Bounds, len: usize) -> Result<Range<usize>, Error> {
    let start = match bounds.0 {
        Bound::Included(start) => start as u128,
        Bound::Excluded(start) => start as u128 + 1,
        Bound::Unbounded => 0,
    };
    let end = match bounds.1 {
        Bound::Included(end) => end as u128 + 1,
        Bound::Excluded(end) => end as u128,
        Bound::Unbounded => len as u128,
    };
    let clamped = |index: u128| usize::try_from(index).unwrap_or(usize::MAX);
    if end > len as u128 {
        return Err(out_of_range(clamped(end), len));
    }
    if start > end {
        return Err(out_of_range(clamped(start), len));
    }
    Ok(clamped(start)..clamped(end))
}

/// Asserts that both results are equal, except for the length that the error of a
/// reversed range reports: it has a test of its own.
pub fn assert_same<T: PartialEq + std::fmt::Debug>(
    got: Result<T, Error>,
    expected: Result<T, Error>,
    bounds: Bounds,
) {
    let without_len = |result: Result<T, Error>| {
        result.map_err(|error| match error {
            Error::OutOfRange { index, .. } if is_reversed(bounds) => {
                Error::OutOfRange { index, len: 0 }
            }
            error => error,
        })
    };
    assert_eq!(without_len(got), without_len(expected), "{bounds:?}");
}

fn is_reversed(bounds: Bounds) -> bool {
    match bounds {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => {
            a >= b
        }
    }
}

/// A fork with other values of host objects, and these objects.
pub fn fork_with_hosts(heap: &Heap) -> Result<(Heap, Vec<Cell>), Error> {
    let mut hosts = Vec::new();
    let fork = heap.try_clone_with(|object| {
        hosts.push(object.object());
        object.put(())
    })?;
    Ok((fork, hosts))
}
