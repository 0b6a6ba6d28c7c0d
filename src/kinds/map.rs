//! [`Map`].

use super::keyed::keyed;
use crate::object::{Cursor, KeyContext, Keyed, Object, TableInit, View, ViewMut, table_shape};
use crate::words::{Cell, Result, Shape};

keyed! {
    /// Cells by key, in insertion order.
    ///
    /// Integers and text are keys by value, whether they lie in the cell or in
    /// an arena; null, bools and floats too (0.0 and -0.0 are equal, NaN equals
    /// itself; 1 and 1.0 are different keys); all else by identity. An entry
    /// whose key has died matches nothing, and [`ViewMut::remove_nth`] takes it
    /// out; as the hash of an identity leaves the generation out, many such
    /// entries of one slot make look-ups in that map slow.
    ///
    /// ```
    /// use segheap::{Cell, Cursor, Heap, Map};
    /// let mut heap = Heap::new();
    /// let ages = heap.alloc(Map::new())?;
    /// let (anna, bertram) = (heap.string("Anna")?, heap.string("Bertram")?);
    /// heap.get_mut(ages)?.insert(bertram, 41.into())?;
    /// heap.get_mut(ages)?.insert(anna, 37.into())?;
    /// let same_text = heap.string("Bertram")?;
    /// assert_eq!(heap.get(ages)?.get(same_text)?, Some(41.into()));
    /// assert_eq!(heap.get(ages)?.get(Cell::NULL)?, None);
    ///
    /// let mut cursor = Cursor::default();
    /// assert_eq!(heap.get(ages)?.next(&mut cursor), Some((bertram, 41.into())));
    /// heap.get_mut(ages)?.remove(bertram)?;
    /// assert_eq!(heap.get(ages)?.next(&mut cursor), Some((anna, 37.into())));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    Map, 2 cells, entries (Cell, Cell) = |entry| entry, "{"
}

impl View<'_, Map> {
    /// Returns the value of a key, or `None` if there is no entry of it. Expected
    /// O(1); hashing and comparing text is O(length).
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) if the key is an object that was
    /// freed.
    #[inline]
    pub fn get(self, key: Cell) -> Result<Option<Cell>> {
        Ok(self.find_key(key)?.map(|entry| entry.1))
    }
}

impl ViewMut<'_, Map> {
    /// Sets the value of a key, and returns the value it had. The key that was
    /// inserted first stays, and so does its place in the order. Amortised
    /// expected O(1); O(entries) when the table grows.
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) if the key is an object that was
    /// freed; [`Error::Limit`](crate::Error::Limit),
    /// [`Error::ArenaFull`](crate::Error::ArenaFull),
    /// [`Error::ObjectTooLarge`](crate::Error::ObjectTooLarge) or
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if the table cannot grow.
    /// Nothing has changed then.
    #[inline]
    pub fn insert(&mut self, key: Cell, value: Cell) -> Result<Option<Cell>> {
        let (position, new) = self.find_or_insert(key, &[key, value])?;
        if new {
            return Ok(None);
        }
        Ok(Some(core::mem::replace(self.value_mut(position)?, value)))
    }
}
