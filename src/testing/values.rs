//! Strategies for values and arguments: edges are frequent.

use alloc::string::String;
use core::ops::Bound;

use proptest::prelude::*;

use crate::abi;
use crate::words::Cell;

/// Returns bits of doubles; special values are frequent.
///
/// ```
/// use proptest::strategy::{Strategy, ValueTree};
/// use proptest::test_runner::TestRunner;
/// let mut runner = TestRunner::deterministic();
/// let bits = segheap::testing::float_bits().new_tree(&mut runner).unwrap().current();
/// let _ = f64::from_bits(bits);
/// ```
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
        1 => (sign(), prop::sample::select(&[0, 0x7FF0 << 48][..])).prop_map(|(sign, x)| sign | x),
    ]
}

/// Returns integers; those near zero and near the bounds of 48 and 64 bits are frequent.
pub fn integer() -> impl Strategy<Value = i64> {
    const EDGES: &[i64] = &[0, 1 << 47, -1 << 47, 1 << 48, i64::MAX, i64::MIN];
    let edges = prop::sample::select(EDGES);
    prop_oneof![
        2 => -9_i64..9,
        1 => any::<i64>(),
        2 => (edges, -2_i64..=2).prop_map(|(edge, near)| edge.saturating_add(near)),
    ]
}

/// Returns cells that refer to no object, from a small range, so that equal ones are
/// frequent.
pub fn immediate() -> impl Strategy<Value = Cell> {
    const FLOATS: &[f64] = &[0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, 2.5];
    const TEXTS: &[&str] = &["", "a", "b", "\"", "aé", "snow"];
    prop_oneof![
        4 => (-6_i64..6).prop_map(|int| Cell::int(int).unwrap_or_default()),
        2 => prop::sample::select(FLOATS).prop_map(Cell::from),
        2 => prop::sample::select(TEXTS).prop_map(|text| Cell::short_str(text).unwrap_or_default()),
        1 => any::<bool>().prop_map(Cell::from),
        1 => Just(Cell::NULL),
        1 => Just(Cell::ABSENT),
        1 => (0_u32..3).prop_map(Cell::immediate),
        1 => (0_u64..3).prop_map(|pc| Cell::deopt(pc).unwrap_or_default()),
    ]
}

/// Returns cells of all forms: immediates, floats of any bits, integers at the edges, and
/// handles, most of which no object of a given heap has.
///
/// ```
/// use proptest::prelude::*;
/// use segheap::{Heap, List, Settings};
/// proptest!(|(cell in segheap::testing::cell())| {
///     let heap = Heap::with(Settings::seeded(1));
///     prop_assert!(heap.get::<List>(cell).is_err());
/// });
/// ```
pub fn cell() -> impl Strategy<Value = Cell> {
    let handle = (
        0_u64..16,
        0_u64..4096,
        prop_oneof![4 => 0_u64..64, 1 => any::<u32>().prop_map(u64::from)],
    );
    prop_oneof![
        4 => immediate(),
        2 => float_bits().prop_map(|bits| Cell::float(f64::from_bits(bits))),
        2 => integer().prop_map(|int| Cell::int(int).unwrap_or_default()),
        3 => handle.prop_map(|(selector, generation, slot)| {
            let bits = 0xFFFF << 48 | selector << 44 | generation << 32 | slot;
            abi::cell(bits).unwrap_or_default()
        }),
    ]
}

/// Returns text of characters of one to four bytes, short enough for a cell or longer.
pub fn text() -> impl Strategy<Value = String> {
    const CHARS: &[char] = &['a', 'b', '"', '\n', 'é', '☃', '🦀'];
    let char = prop::sample::select(CHARS);
    prop::collection::vec(char, 0..14).prop_map(|chars| chars.into_iter().collect())
}

/// Returns indices: mostly small, sometimes far out of bounds.
pub fn index() -> impl Strategy<Value = usize> {
    let beyond_slots = 1_usize.checked_shl(32).unwrap_or(usize::MAX);
    let far = [usize::MAX, usize::MAX - 1, crate::words::to_usize(u32::MAX), beyond_slots];
    prop_oneof![
        10 => 0_usize..24,
        1 => prop::sample::select(far.to_vec()),
    ]
}

/// Returns ranges of every form, including reversed ones and ones out of bounds.
pub fn bounds() -> impl Strategy<Value = (Bound<usize>, Bound<usize>)> {
    fn bound() -> impl Strategy<Value = Bound<usize>> {
        prop_oneof![
            2 => Just(Bound::Unbounded),
            3 => index().prop_map(Bound::Included),
            3 => index().prop_map(Bound::Excluded),
        ]
    }
    (bound(), bound())
}
