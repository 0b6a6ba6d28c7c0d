//! [`Map`].

use super::keyed::keyed;
use crate::object::{Cursor, KeyContext, Keyed, Object, TableInit, View, ViewMut, table_shape};
use crate::words::{Cell, Result, Shape};

#[cfg(doc)]
use crate::{Error, Heap};

keyed! {
    /// A hash table of cells by key, in insertion order.
    ///
    /// Integers and text are keys by value, whether they lie in the cell or in an
    /// arena; so are null, booleans and floats. 0.0 and -0.0 are one key, NaN equals
    /// itself, 1 and 1.0 are two keys. Values of [`Heap::alloc_value`], such as tuples, are
    /// keys by their content; all other objects are keys by identity. A map may have hashes
    /// and an equality of the VM's own instead: [`Heap::map_insert_by`].
    ///
    /// An entry whose key is an object that was freed stays in the map and matches no
    /// key; [`ViewMut::remove_nth`] removes it. A map that is weak by its keys, which
    /// [`TableInit::weak`] makes, does not keep its keys live, and collections remove such
    /// entries.
    ///
    /// Hashes depend on the secret seed of the heap. Where keys collide all the same, as
    /// those of one who knows the seed may, a look-up costs O(log n) comparisons and an
    /// insertion amortised O(log n): the index of such a map is a search tree.
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
    Map, 2 cells, entries (Cell, Cell) = |entry| entry, "{",
    example "(7.into(), 8.into())"
}

impl View<'_, Map> {
    /// Returns the value of a key, or `None` if the map has no such key. Expected O(1),
    /// and O(n) to hash and compare a text of n bytes or an integer of n limbs.
    ///
    /// ```
    /// use segheap::{Heap, Map};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// heap.get_mut(map)?.insert(1.into(), 10.into())?;
    /// assert_eq!(heap.get(map)?.get(1.into())?, Some(10.into()));
    /// assert_eq!(heap.get(map)?.get(1.0.into())?, None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if the key is an object that was freed.
    #[inline(always)]
    pub fn get(self, key: Cell) -> Result<Option<Cell>> {
        Ok(self.find_key(key)?.map(|entry| entry.1))
    }
}

impl ViewMut<'_, Map> {
    /// Sets the value of a key, and returns the value that it replaces; `None` for a
    /// new key. An existing entry keeps its key cell and its place in the order.
    /// Amortised expected O(1); O(entries) when the table is rebuilt. A text of n bytes or
    /// an integer of n limbs adds O(n).
    ///
    /// ```
    /// use segheap::{Heap, Map};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// assert_eq!(heap.get_mut(map)?.insert(1.into(), 10.into())?, None);
    /// assert_eq!(heap.get_mut(map)?.insert(1.into(), 20.into())?, Some(10.into()));
    /// assert_eq!(heap.display(map).to_string(), "{1: 20}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if the key is an object that was freed. If the table cannot
    /// grow: [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]. The map is unchanged.
    #[inline]
    pub fn insert(&mut self, key: Cell, value: Cell) -> Result<Option<Cell>> {
        self.insert_entry(key, &[key, value])
    }

    /// Returns the value of a key, which is set to `value` first if there is none. Costs
    /// as [`ViewMut::insert`]; the key is looked up once.
    ///
    /// ```
    /// use segheap::{Cell, Heap, Map};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// assert_eq!(heap.get_mut(map)?.get_or_insert(1.into(), 10.into())?, 10.into());
    /// assert_eq!(heap.get_mut(map)?.get_or_insert(1.into(), Cell::NULL)?, 10.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`ViewMut::insert`].
    #[inline]
    pub fn get_or_insert(&mut self, key: Cell, value: Cell) -> Result<Cell> {
        Ok(self.entry_or_insert(key, &[key, value])?.1)
    }

    /// Sets the value of a key to what `change` returns for the old value, or for `None` if
    /// there is none, and returns it. Costs as [`ViewMut::insert`]; the key is looked up
    /// once.
    ///
    /// ```
    /// use segheap::{Heap, Map};
    /// let mut heap = Heap::new();
    /// let counts = heap.alloc(Map::new())?;
    /// for n in [3, 1, 3] {
    ///     let one_more = |count: Option<segheap::Cell>| {
    ///         let count = count.and_then(segheap::Cell::as_int).unwrap_or(0);
    ///         segheap::Cell::int(count + 1).unwrap_or_default()
    ///     };
    ///     heap.get_mut(counts)?.update(n.into(), one_more)?;
    /// }
    /// assert_eq!(heap.display(counts).to_string(), "{3: 2, 1: 1}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`ViewMut::insert`]. `change` has not been called if the key is an object that
    /// was freed; it has, but what it returned is not stored, if the table cannot grow.
    #[inline]
    pub fn update(&mut self, key: Cell, change: impl FnOnce(Option<Cell>) -> Cell) -> Result<Cell> {
        let mut new = Cell::NULL;
        self.update_entry(key, |old| {
            new = change(old);
            Some(new)
        })?;
        Ok(new)
    }

    /// Sets the value of a key that the map has, and returns the value that it replaces;
    /// `None`, and no change, if it has no such key. Expected O(1); a text of n bytes or an
    /// integer of n limbs adds O(n).
    ///
    /// ```
    /// use segheap::{Heap, Map};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// assert_eq!(heap.get_mut(map)?.replace(1.into(), 10.into())?, None);
    /// heap.get_mut(map)?.insert(1.into(), 10.into())?;
    /// assert_eq!(heap.get_mut(map)?.replace(1.into(), 20.into())?, Some(10.into()));
    /// assert_eq!(heap.display(map).to_string(), "{1: 20}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if the key is an object that was freed.
    #[inline]
    pub fn replace(&mut self, key: Cell, value: Cell) -> Result<Option<Cell>> {
        self.update_entry(key, |old| old.map(|_| value))
    }

    /// Inserts entries in turn, all or none of them. Amortised expected O(entries
    /// inserted); [`Heap::map_extend`] inserts those of another map.
    ///
    /// ```
    /// use segheap::{Heap, Map};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// heap.get_mut(map)?.extend(&[(1.into(), 10.into()), (2.into(), 20.into())])?;
    /// assert_eq!(heap.display(map).to_string(), "{1: 10, 2: 20}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if a key is an object that was freed. If there is no memory for as
    /// many new entries: [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`]
    /// or [`Error::OutOfMemory`]. The entries are unchanged.
    pub fn extend(&mut self, entries: &[(Cell, Cell)]) -> Result<()> {
        self.prepare(entries.iter().map(|entry| entry.0))?;
        for &(key, value) in entries {
            self.insert(key, value)?;
        }
        Ok(())
    }
}
