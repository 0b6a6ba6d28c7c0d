//! Indices, lengths and ranges: conversions by name, checked bounds.

use core::ops::{Bound, Range, RangeBounds};

use super::error::{Error, Result};

/// The error for an `index` that is not below `len`.
#[cold]
pub(crate) fn out_of_range(index: usize, len: usize) -> Error {
    Error::OutOfRange { index: to_u64(index), len: u32::try_from(len).unwrap_or(u32::MAX) }
}

/// Returns the range as start and end, checked to lie within `len`.
///
/// # Errors
/// [`Error::OutOfRange`] with the end if that is beyond `len`, else with the start
/// if the range is reversed.
pub(crate) fn range(bounds: impl RangeBounds<usize>, len: usize) -> Result<Range<usize>> {
    let start = match bounds.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match bounds.end_bound() {
        Bound::Included(&end) => end.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => len,
    };
    if end > len {
        return Err(out_of_range(end, len));
    }
    if start > end {
        return Err(out_of_range(start, len));
    }
    Ok(start..end)
}

/// Converts a `u32` to an index.
#[inline(always)]
pub(crate) const fn to_usize(index: u32) -> usize {
    const { assert!(usize::BITS >= 32) };
    index as usize
}

/// Converts an index to a number of the same width on every host.
#[inline(always)]
pub(crate) const fn to_u64(index: usize) -> u64 {
    index as u64
}

/// Returns the range, checked to lie within `text` and on boundaries of characters.
///
/// # Errors
/// [`Error::OutOfRange`] as [`range`](fn@range); [`Error::NotACharBoundary`] with the
/// start or the end.
pub(crate) fn char_range(text: &[u8], bounds: impl RangeBounds<usize>) -> Result<Range<usize>> {
    let range = range(bounds, text.len())?;
    for index in [range.start, range.end] {
        if text.get(index).is_some_and(|byte| byte & 0xC0 == 0x80) {
            return Err(Error::NotACharBoundary { index: object_len(index)? });
        }
    }
    Ok(range)
}

/// Converts a length to that of an object.
///
/// # Errors
/// [`Error::ObjectTooLarge`] beyond `u32::MAX`.
pub(crate) fn object_len(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| Error::ObjectTooLarge)
}
