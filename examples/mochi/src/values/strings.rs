//! Strings by characters.

use segheap::bstr::ByteSlice;
use segheap::{Cell, TextPart};

use super::*;

/// The longest string that is inline in a cell, in bytes.
const INLINE_MAX: usize = 5;

impl Context {
    /// The number of characters of a string.
    pub(super) fn char_count(&mut self, string: Cell) -> Outcome<usize> {
        if let Some((_, count)) = self.char_counts.iter().find(|(cell, _)| *cell == string) {
            return Ok(*count);
        }
        let count = len(self, string)?;
        self.char_counts.rotate_right(1);
        self.char_counts[0] = (string, count);
        Ok(count)
    }

    /// The substring between two character indices, clamped to the string. Negative ones count from
    /// the end. If the string is ASCII, they are byte indices.
    pub(crate) fn substring(&mut self, string: Cell, start: i64, end: i64) -> Outcome<Cell> {
        let count = self.char_count(string)?;
        let bytes = self.heap.text(string)?;
        let (mut start, mut end) = clamp_range(count, start, end);
        if count < bytes.len() {
            let offset =
                |n| bytes.char_indices().nth(n).map_or(bytes.len(), |(offset, _, _)| offset);
            (start, end) = (offset(start), offset(end));
        }
        if end - start <= INLINE_MAX
            && let Some(cell) = bytes[start..end].to_str().ok().and_then(Cell::short_str)
        {
            return Ok(cell);
        }
        Ok(self.concat(&[TextPart::Range(string, start..end)])?)
    }
}

/// Clamps a range to a length. Negative bounds count from the end.
pub(crate) fn clamp_range(len: usize, start: i64, end: i64) -> (usize, usize) {
    let len = len as i64;
    let from_end = |index: i64| (if index < 0 { index + len } else { index }).clamp(0, len);
    let end = from_end(end);
    (from_end(start).min(end) as usize, end as usize)
}
