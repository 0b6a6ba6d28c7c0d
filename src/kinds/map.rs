//! [`Map`].

use super::keyed::{TableInit, keyed};
use crate::words::{Cell, Elements, Error, Result, Shape, at, out_of_range};
use crate::object::table::{self, Entry, Probe, Table, copied};
use crate::object::{Cursor, KeysOfAll, Object, View, ViewMut};

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
    Map, 2 cells, entries (Cell, Cell) = |entry: Entry| entry, "{"
}

impl View<'_, Map> {
    /// The value of a key, or `None` if it has none. O(1) expected.
    ///
    /// # Errors
    /// [`Error::Stale`] for a key whose object is gone.
    #[inline]
    pub fn get(self, key: Cell) -> Result<Option<Cell>> {
        Ok(self.find(key)?.map(|entry| entry.1))
    }
}

impl ViewMut<'_, Map> {
    /// Gives a key a value, and answers the value it had. Amortised O(1)
    /// expected.
    ///
    /// # Errors
    /// [`Error::Stale`] for a key whose object is gone; a limit or no memory.
    /// Nothing has changed then.
    #[inline]
    pub fn insert(&mut self, key: Cell, value: Cell) -> Result<Option<Cell>> {
        let (position, new) = self.entry(key, [key, value])?;
        if new {
            return Ok(None);
        }
        let (slot, words) = self.arena.open_mut(self.index).ok_or(Error::Corrupt)?;
        let mut table = Table::new_mut(words, slot.len, 2);
        let place = table.entry_mut(position).and_then(|entry| entry.last_mut());
        let place = place.ok_or(Error::Corrupt)?;
        Ok(Some(core::mem::replace(place, value)))
    }
}
