//! What all modules share: the number of cases, and the strategies for inputs.

use std::ops::{Bound, Range};

use proptest::prelude::*;
use proptest::test_runner::Config;
use segheap::{Cell, Error, Heap, Limits, Settings, abi};

use crate::machine::Step;

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

/// Programs of up to `len` instructions of a [`Machine`](crate::machine::Machine).
pub fn programs(len: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<u16>(), any::<[u16; 3]>(), any::<[u16; 2]>());
    let step = step.prop_map(|(op, cells, numbers)| Step { op, cells, numbers });
    prop::collection::vec(step, 1..len)
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

/// Bits of doubles; special values are frequent.
pub fn float_bits() -> impl Strategy<Value = u64> {
    let sign = || any::<bool>().prop_map(|negative| u64::from(negative) << 63);
    let payload = || prop_oneof![1_u64..1 << 52, 1_u64..4, Just(1 << 51), Just((1 << 52) - 1)];
    prop_oneof![
        4 => any::<f64>().prop_map(f64::to_bits),
        2 => any::<u64>(),
        // NaNs, quiet and signalling, and subnormals.
        2 => (sign(), payload()).prop_map(|(sign, payload)| sign | 0x7FF0 << 48 | payload),
        1 => (sign(), payload()).prop_map(|(sign, payload)| sign | payload),
        // Zeroes and infinities.
        1 => (sign(), prop::sample::select(vec![0, 0x7FF0 << 48])).prop_map(|(sign, x)| sign | x),
    ]
}

/// Integers; those near zero and near the bounds of 48 and 64 bits are frequent.
pub fn integer() -> impl Strategy<Value = i64> {
    let edges = prop::sample::select(vec![0, 1 << 47, -1 << 47, 1 << 48, i64::MAX, i64::MIN]);
    prop_oneof![
        2 => -9_i64..9,
        1 => any::<i64>(),
        2 => (edges, -2_i64..=2).prop_map(|(edge, near)| edge.saturating_add(near)),
    ]
}

/// Immediate values, from a small range, so that equal ones are frequent.
pub fn immediate() -> impl Strategy<Value = Cell> {
    prop_oneof![
        4 => (-6_i64..6).prop_map(|int| Cell::int(int).unwrap()),
        2 => prop::sample::select(vec![0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, 2.5])
            .prop_map(Cell::from),
        2 => prop::sample::select(vec!["", "a", "b", "\"", "aé", "snow"])
            .prop_map(|text| Cell::short_str(text).unwrap()),
        1 => any::<bool>().prop_map(Cell::from),
        1 => Just(Cell::NULL),
        1 => Just(Cell::ABSENT),
        1 => (0_u32..3).prop_map(Cell::immediate),
        1 => (0_u64..3).prop_map(|pc| Cell::deopt(pc).unwrap()),
    ]
}

/// Text of characters of one to four bytes, short enough for a cell or longer.
pub fn text() -> impl Strategy<Value = String> {
    let char = prop::sample::select(vec!['a', 'b', '"', '\n', 'é', '☃', '🦀']);
    prop::collection::vec(char, 0..14).prop_map(|chars| chars.into_iter().collect())
}

/// Indices: mostly small, sometimes far out of bounds.
pub fn index() -> impl Strategy<Value = usize> {
    prop_oneof![
        10 => 0_usize..24,
        1 => prop::sample::select(vec![usize::MAX, usize::MAX - 1, u32::MAX as usize, beyond_bits(32)]),
    ]
}

pub type Bounds = (Bound<usize>, Bound<usize>);

/// Ranges of every form, including reversed ones and ones out of bounds.
pub fn bounds() -> impl Strategy<Value = Bounds> {
    fn bound() -> impl Strategy<Value = Bound<usize>> {
        prop_oneof![
            2 => Just(Bound::Unbounded),
            3 => index().prop_map(Bound::Included),
            3 => index().prop_map(Bound::Excluded),
        ]
    }
    (bound(), bound())
}

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
