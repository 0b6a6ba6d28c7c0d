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

    /// Returns the cell of the set that is equal to `cell`, which is added first if there is
    /// none: the first one of all that are equal, such as texts of the same content. Costs
    /// as [`ViewMut::insert`]; the cell is looked up once.
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let names = heap.alloc(Set::new())?;
    /// let (one, same) = (heap.string("a name")?, heap.string("a name")?);
    /// assert_eq!(heap.get_mut(names)?.get_or_insert(one)?, one);
    /// assert_eq!(heap.get_mut(names)?.get_or_insert(same)?, one);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`ViewMut::insert`].
    #[inline]
    pub fn get_or_insert(&mut self, cell: Cell) -> Result<Cell> {
        Ok(self.entry_or_insert(cell, &[cell])?.0)
    }

    /// Adds cells in turn, all or none of them. Amortised expected O(cells added);
    /// [`Heap::set_extend`] adds those of another set.
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let set = heap.alloc(Set::new())?;
    /// heap.get_mut(set)?.extend(&[1.into(), 2.into(), 1.into()])?;
    /// assert_eq!(heap.display(set).to_string(), "#{1, 2}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if a cell is an object that was freed. If there is no memory for as
    /// many new cells: [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]. The cells are unchanged.
    pub fn extend(&mut self, cells: &[Cell]) -> Result<()> {
        self.prepare(cells.iter().copied())?;
        for &cell in cells {
            self.insert(cell)?;
        }
        Ok(())
    }
}

impl View<'_, Set> {
    /// Returns the cell of the set that is equal to `cell`, or `None`. Expected O(1), and
    /// O(n) to hash and compare a text of n bytes or an integer of n limbs.
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let names = heap.alloc(Set::new())?;
    /// let (one, same) = (heap.string("a name")?, heap.string("a name")?);
    /// heap.get_mut(names)?.insert(one)?;
    /// assert_eq!(heap.get(names)?.get(same)?, Some(one));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if the cell is an object that was freed.
    #[inline]
    pub fn get(self, cell: Cell) -> Result<Option<Cell>> {
        Ok(self.find_key(cell)?.map(|entry| entry.0))
    }
}
