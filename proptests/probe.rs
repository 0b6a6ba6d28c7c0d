//! Loops whose machine code the tests read. Each loop hides its operands from
//! the optimizer on every iteration, as the instructions of an interpreter do.
#![allow(missing_docs, reason = "only the tests read this crate, as assembly")]

use std::hint::black_box;

use segheap::{Error, Handle, Heap, I64Arr, RangeHint};

/// Reads each element through its handle.
#[inline(never)]
pub fn probe_checked_get(
    heap: &Heap,
    list: Handle<I64Arr>,
    indices: &[usize],
) -> Result<i64, Error> {
    let mut sum = 0_i64;
    for &index in indices {
        sum = sum.wrapping_add(black_box(heap).get(list)?.get(index)?);
    }
    Ok(sum)
}

/// Reads each element through a hint.
#[inline(never)]
pub fn probe_hinted_get(
    heap: &Heap,
    hint: &mut RangeHint<I64Arr>,
    indices: &[usize],
) -> Result<i64, Error> {
    let mut sum = 0_i64;
    for &index in indices {
        sum = sum.wrapping_add(hint.get(black_box(heap), index)?);
    }
    Ok(sum)
}

/// Reads each element of a window by index.
#[inline(never)]
pub fn probe_window(heap: &Heap, array: Handle<I64Arr>) -> Result<i64, Error> {
    let window = heap.window(array, ..)?;
    let mut sum = 0_i64;
    for index in 0..window.len() {
        sum = sum.wrapping_mul(31).wrapping_add(window[index]);
    }
    Ok(sum)
}

/// Reads a window whose length the caller gives: opening the window proves it.
#[inline(never)]
pub fn probe_window_of_len(heap: &Heap, array: Handle<I64Arr>, len: usize) -> Result<i64, Error> {
    let window = heap.window(array, 0..len)?;
    let mut sum = 0_i64;
    for index in 0..len {
        sum = sum.wrapping_mul(31).wrapping_add(window[index]);
    }
    Ok(sum)
}

/// Writes a window whose length the caller gives. The writes before a panic on
/// an index out of bounds are visible, so the optimizer could not hoist a bounds
/// check out of this loop.
#[inline(never)]
pub fn probe_window_mut(heap: &mut Heap, array: Handle<I64Arr>, len: usize) -> Result<(), Error> {
    let window = heap.window_mut(array, 0..len)?;
    for index in 0..len {
        window[index] = window[index].wrapping_mul(31).wrapping_add(7);
    }
    Ok(())
}
