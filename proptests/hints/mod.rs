//! Range hints, windows, and operations on ranges, against checked accesses of
//! single elements. Hints are kept across all operations, however stale they get.

mod invalidation;
mod kinds;
mod programs;
mod ranges;
mod sums;
mod windows;

use core::ops::{Bound, Range};

use segheap::{Error, Handle, Heap, Settings};

use kinds::{Bits, Tested};

type Bounds = (Bound<usize>, Bound<usize>);

/// Heaps with equal seeds: the same slots and generations have equal handles.
fn heap() -> Heap {
    Heap::with(Settings::seeded(3))
}

/// An index, mostly in bounds.
fn index(raw: u64, len: usize) -> usize {
    match raw & 15 {
        0 => len,
        1 => usize::MAX,
        2 => len + 1 + (raw >> 8) as usize % 8,
        3 => u32::MAX as usize,
        _ => (raw >> 8) as usize % len.max(1),
    }
}

/// A range of any form, mostly in bounds and not reversed.
fn bounds(raw: [u64; 2], len: usize) -> Bounds {
    let [mut start, mut end] = raw.map(|raw| match raw >> 3 & 31 {
        0 => len + 1,
        1 => usize::MAX,
        2..=6 => len,
        _ => (raw >> 8) as usize % (len + 1),
    });
    if start > end && raw[0] & 0x7000_0000 != 0 {
        (start, end) = (end, start);
    }
    let start = match raw[0] & 7 {
        0 | 1 => Bound::Unbounded,
        2 => Bound::Excluded(start),
        _ => Bound::Included(start),
    };
    let end = match raw[1] & 7 {
        0 | 1 => Bound::Unbounded,
        2 => Bound::Included(end),
        _ => Bound::Excluded(end),
    };
    (start, end)
}

/// Resolves bounds, or returns the index that is out of range.
fn resolve((start, end): Bounds, len: usize) -> Result<Range<usize>, u64> {
    let start = match start {
        Bound::Included(start) => start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match end {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => end,
        Bound::Unbounded => len,
    };
    match () {
        () if end > len => Err(end as u64),
        () if start > end => Err(start as u64),
        () => Ok(start..end),
    }
}

/// The result, or the index that its error reports as out of range.
fn index_error<T: core::fmt::Debug>(result: Result<T, Error>) -> Result<T, u64> {
    result.map_err(|error| match error {
        Error::OutOfRange { index, .. } => index,
        error => panic!("{error}"),
    })
}

/// Pseudo-random elements.
fn elements<K: Tested>(len: usize, seed: u64) -> Vec<K::Element> {
    let raw = |n: u64| seed.wrapping_add(n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    (0..K::len(len) as u64).map(|n| K::element(raw(n))).collect()
}

/// The elements of an object as bits.
fn contents<K: Tested>(heap: &Heap, object: Handle<K>) -> Vec<u64> {
    heap.get(object).unwrap().as_slice().iter().map(|e| e.bits()).collect()
}
