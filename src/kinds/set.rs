//! [`Set`].

use super::keyed::{TableInit, keyed};
use crate::words::{Cell, Elements, Error, Result, Shape, at, out_of_range};
use crate::object::table::{self, Entry, Probe, Table, copied};
use crate::object::{Cursor, KeysOfAll, Object, View, ViewMut};

keyed! {
    /// Cells, each once, in insertion order; what is the same is told as for the
    /// keys of a [`Map`](crate::Map).
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let (odd, small) = (heap.alloc(Set::new())?, heap.alloc(Set::new())?);
    /// for n in 0..6 {
    ///     heap.get_mut(small)?.insert(n.into())?;
    ///     heap.get_mut(odd)?.insert((2 * n + 1).into())?;
    /// }
    /// let both = heap.intersection(odd, small)?;
    /// assert_eq!(heap.display(both).to_string(), "#{1, 3, 5}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    Set, 1 cells, entries Cell = |entry: Entry| entry.0, "#{"
}

impl ViewMut<'_, Set> {
    /// Adds a cell; answers whether it is new. Amortised O(1) expected.
    ///
    /// # Errors
    /// [`Error::Stale`] for a cell whose object is gone; a limit or no memory.
    /// Nothing has changed then.
    #[inline]
    pub fn insert(&mut self, cell: Cell) -> Result<bool> {
        self.entry(cell, [cell]).map(|(_, new)| new)
    }
}
