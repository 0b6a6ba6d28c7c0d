//! [`Set`].

use super::keyed::keyed;
use crate::object::{Cursor, KeyContext, Keyed, Object, TableInit, View, ViewMut, table_shape};
use crate::words::{Cell, Result, Shape};

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
    Set, 1 cells, entries Cell = |entry: (Cell, Cell)| entry.0, "#{"
}

impl ViewMut<'_, Set> {
    /// Adds a cell, and returns whether it is new. Amortised expected O(1);
    /// O(elements) when the set grows.
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) if the cell is an object that was
    /// freed; [`Error::Limit`](crate::Error::Limit),
    /// [`Error::ArenaFull`](crate::Error::ArenaFull),
    /// [`Error::ObjectTooLarge`](crate::Error::ObjectTooLarge) or
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if the set cannot grow.
    /// Nothing has changed then.
    #[inline]
    pub fn insert(&mut self, cell: Cell) -> Result<bool> {
        self.find_or_insert(cell, &[cell]).map(|(_, new)| new)
    }
}
