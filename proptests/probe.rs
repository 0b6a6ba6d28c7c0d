//! Loops whose machine code the tests read. Each loop hides its operands from
//! the optimizer once a turn, as the instructions of an interpreter do.
#![allow(missing_docs, reason = "read by the assembly's reader only")]

use std::hint::black_box;

use segheap::{Error, Handle, Heap, I64Arr, RangeHint};

/// Every element through its handle.
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

/// Every element through a hint.
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

/// Every element of a window, by its index.
#[inline(never)]
pub fn probe_window(heap: &Heap, array: Handle<I64Arr>) -> Result<i64, Error> {
    let window = heap.window(array, ..)?;
    let mut sum = 0_i64;
    for index in 0..window.len() {
        sum = sum.wrapping_mul(31).wrapping_add(window[index]);
    }
    Ok(sum)
}

/// The same where the length is the host's: the window proves it.
#[inline(never)]
pub fn probe_window_of_len(heap: &Heap, array: Handle<I64Arr>, len: usize) -> Result<i64, Error> {
    let window = heap.window(array, 0..len)?;
    let mut sum = 0_i64;
    for index in 0..len {
        sum = sum.wrapping_mul(31).wrapping_add(window[index]);
    }
    Ok(sum)
}

/// A window to write, whose length is the host's. What is written before an
/// index outside would panic cannot be taken back, so a bounds check could not
/// be moved out of this loop.
#[inline(never)]
pub fn probe_window_mut(heap: &mut Heap, array: Handle<I64Arr>, len: usize) -> Result<(), Error> {
    let window = heap.window_mut(array, 0..len)?;
    for index in 0..len {
        window[index] = window[index].wrapping_mul(31).wrapping_add(7);
    }
    Ok(())
}
