//! [`Set`].

use super::keyed::keyed;
use crate::object::{Cursor, KeyContext, Keyed, Object, TableInit, View, ViewMut, table_shape};
use crate::words::{Cell, Result, Shape};

#[cfg(doc)]
use crate::{Error, Heap, Map};

keyed! {
    /// A hash table of distinct cells, in insertion order. Cells are equal as the keys
    /// of a [`Map`] are.
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
    Set, 1 cells, entries Cell = |entry: (Cell, Cell)| entry.0, "#{",
    example "(7.into())"
}

impl ViewMut<'_, Set> {
    /// Adds a cell, and returns whether it is new; an equal cell stays as it is.
    /// Amortised expected O(1); O(elements) when the set is rebuilt. A text of n bytes or an
    /// integer of n limbs adds O(n).
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let set = heap.alloc(Set::new())?;
    /// assert!(heap.get_mut(set)?.insert(0.0.into())?);
    /// assert!(!heap.get_mut(set)?.insert((-0.0).into())?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if the cell is an object that was freed. If the set cannot
    /// grow: [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]. The set is unchanged.
    #[inline]
    pub fn insert(&mut self, cell: Cell) -> Result<bool> {
        Ok(self.insert_entry(cell, &[cell])?.is_none())
    }
}
