//! [`Iter`]: the entries of a table, in insertion order.

use core::iter::FusedIterator;

use super::Table;
use super::layout::{HEADER, Hole};
use crate::words::{Cell, to_usize};

/// The entries of a table, in insertion order.
#[derive(Clone, Debug)]
pub(crate) struct Iter<'h> {
    /// The cells of the positions to come. Without holes, of entries alone.
    cells: &'h [Cell],
    /// The entries to come, where there are holes among them; 0 elsewhere.
    holed: usize,
    stride: usize,
}

impl<'h> Table<&'h [u64]> {
    /// The entries, in insertion order.
    #[inline(always)]
    pub(crate) fn iter(self) -> Iter<'h> {
        let (len, end) = (self.len(), self.place(self.used));
        let cells = Cell::slice(self.words.get(to_usize(HEADER)..end).unwrap_or_default());
        let holed = if len == self.used { 0 } else { to_usize(len) };
        Iter { cells, holed, stride: self.stride }
    }
}

impl<'h> Iter<'h> {
    /// The next position of a table without holes.
    #[inline(always)]
    fn next_position(&mut self) -> Option<&'h [Cell]> {
        let (position, rest) = self.cells.split_at_checked(self.stride)?;
        self.cells = rest;
        Some(position)
    }

    /// The next entry of a table with holes, of which whole runs are skipped.
    #[inline]
    fn next_holed(&mut self) -> Option<&'h [Cell]> {
        loop {
            let position = self.next_position()?;
            let Some(hole) = position.first().copied().and_then(Hole::of) else {
                self.holed = self.holed.wrapping_sub(1);
                if self.holed == 0 {
                    self.cells = &[];
                }
                return Some(position);
            };
            let more = to_usize(hole.ahead()).saturating_sub(1).saturating_mul(self.stride);
            self.cells = self.cells.get(more..).unwrap_or_default();
        }
    }
}

/// The positions that are no holes.
#[inline(always)]
fn entries<'h>(positions: impl Iterator<Item = &'h [Cell]>) -> impl Iterator<Item = &'h [Cell]> {
    positions.filter(|cells| cells.first().is_some_and(|key| key.as_hole().is_none()))
}

impl<'h> Iterator for Iter<'h> {
    type Item = &'h [Cell];

    #[inline(always)]
    fn next(&mut self) -> Option<&'h [Cell]> {
        if self.holed == 0 { self.next_position() } else { self.next_holed() }
    }

    #[inline(always)]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let whole = self.cells.len().checked_div(self.stride).unwrap_or(0);
        let len = if self.holed == 0 { whole } else { self.holed };
        (len, Some(len))
    }

    /// Tests no entry of a table without holes for one.
    #[inline(always)]
    fn fold<B, F: FnMut(B, &'h [Cell]) -> B>(self, result: B, mut f: F) -> B {
        if self.stride == 1 {
            let keys = self.cells.chunks_exact(1);
            return if self.holed == 0 {
                keys.fold(result, f)
            } else {
                entries(keys).fold(result, f)
            };
        }
        let (positions, _) = self.cells.as_chunks::<2>();
        if self.holed == 0 {
            return positions.iter().fold(result, |result, position| f(result, position));
        }
        entries(positions.iter().map(|position| &position[..])).fold(result, f)
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl FusedIterator for Iter<'_> {}
