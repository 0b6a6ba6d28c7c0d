//! Access to one element or one entry of an object, without a view: what an instruction
//! of a VM does. The common case is inline, and the rest leaves by a call in its last
//! place, so that nothing has to be kept for it.

use crate::heap::{Heap, Store};
use crate::kinds::{Map, Set, Struct};
use crate::object::table::{Table, copied};
use crate::object::{
    Keyed, Mutable, Sequence, View, entry_at, entry_of_int, find_symbol, insert_int,
};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{AsHandle, Cell, HasKind, Result, to_usize};

/// Where a map held the entry of a key: an inline cache beside an instruction that looks
/// up the same key in maps that were built alike. See [`Heap::map_get_with`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyHint(u32);

/// Elements of sequences.
impl Heap {
    /// Returns element `index` of an object: `heap.get(object)?.get(index)`, at the same
    /// cost. O(1).
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let register = Cell::from(heap.alloc(List::of(&[7.into()]))?);
    /// assert_eq!(heap.element::<List>(register, 0)?, 7.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::get`]; [`Error::OutOfRange`] if `index` is not below the length.
    #[inline(always)]
    pub fn element<K: Sequence>(
        &self,
        object: impl AsHandle<K>,
        index: usize,
    ) -> Result<K::Element> {
        let cell = object.into();
        match self
            .store
            .arenas()
            .get(K::KIND)
            .and_then(|arena| arena.element(cell, header::<K>(), index))
        {
            Some(element) => Ok(element),
            None => element_cold::<K>(&self.store, cell, index),
        }
    }

    /// Overwrites element `index` of an object: `heap.get_mut(object)?.set(index, element)`
    /// with one check for both. O(1).
    ///
    /// ```
    /// use segheap::{Cell, Error, Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::new(0, 2))?;
    /// heap.set_element(point, 1, 4.into())?;
    /// assert_eq!(heap.element(point, 1)?, 4.into());
    /// let beyond = heap.set_element(point, 2, 4.into());
    /// assert_eq!(beyond, Err(Error::OutOfRange { index: 2, len: 2 }));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::get_mut`]; [`Error::OutOfRange`] if `index` is not below the length.
    #[inline(always)]
    pub fn set_element<K: Mutable>(
        &mut self,
        object: impl AsHandle<K>,
        index: usize,
        element: K::Element,
    ) -> Result<()> {
        let cell = object.into();
        match self.store.arena_mut(K::KIND)?.element_mut(cell, header::<K>(), index) {
            Some(place) => {
                *place = element;
                Ok(())
            }
            None => set_element_cold::<K>(&mut self.store, cell, index, element),
        }
    }

    /// Replaces element `index` of an object by what `change` makes of it, with one check
    /// for both accesses. O(1).
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let counts = heap.alloc(I64Arr::zeroed(4))?;
    /// heap.update_element(counts, 2, |count| count + 1)?;
    /// assert_eq!(heap.get(counts)?.as_slice(), [0, 0, 1, 0]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::get_mut`]; [`Error::OutOfRange`] if `index` is not below the length.
    /// `change` is not called then.
    #[inline(always)]
    pub fn update_element<K: Mutable>(
        &mut self,
        object: impl AsHandle<K>,
        index: usize,
        change: impl FnOnce(K::Element) -> K::Element,
    ) -> Result<()> {
        let cell = object.into();
        match self.store.arena_mut(K::KIND)?.element_mut(cell, header::<K>(), index) {
            Some(place) => {
                *place = change(*place);
                Ok(())
            }
            None => {
                self.store.get_mut::<K>(cell)?;
                let element = element_cold::<K>(&self.store, cell, index)?;
                set_element_cold::<K>(&mut self.store, cell, index, change(element))
            }
        }
    }
}

/// Fields of records, for inline caches.
impl Heap {
    /// Returns field `index` of a record if it has this shape, which an instruction has
    /// remembered with the index; `None` for a record of another shape. One check for both.
    /// O(1).
    ///
    /// ```
    /// use segheap::{Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::of(7, &[3.into(), 4.into()]))?;
    /// assert_eq!(heap.field(point, 7, 1)?, Some(4.into())); // a hit
    /// assert_eq!(heap.field(point, 8, 1)?, None); // a miss: look the name up
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::get`]; [`Error::OutOfRange`] if the record has this shape, and `index` is
    /// not below the number of its fields.
    #[inline(always)]
    pub fn field(
        &self,
        record: impl AsHandle<Struct>,
        shape: u32,
        index: usize,
    ) -> Result<Option<Cell>> {
        let cell = record.into();
        let arena = self.store.arenas().get(Struct::KIND);
        match arena.and_then(|arena| arena.element_under(cell, u64::from(shape), index)) {
            Some(field) => Ok(field),
            None => field_cold(&self.store, cell, shape, index),
        }
    }

    /// Overwrites field `index` of a record if it has this shape, and returns whether it has:
    /// [`Heap::field`] to write. O(1).
    ///
    /// ```
    /// use segheap::{Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::of(7, &[3.into(), 4.into()]))?;
    /// assert!(heap.set_field(point, 7, 1, 5.into())?);
    /// assert!(!heap.set_field(point, 8, 1, 6.into())?);
    /// assert_eq!(heap.display(point).to_string(), "Struct<7>{3, 5}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::get_mut`]; [`Error::OutOfRange`] if the record has this shape, and `index`
    /// is not below the number of its fields.
    #[inline(always)]
    pub fn set_field(
        &mut self,
        record: impl AsHandle<Struct>,
        shape: u32,
        index: usize,
        value: Cell,
    ) -> Result<bool> {
        let cell = record.into();
        let arena = self.store.arena_mut(Struct::KIND)?;
        match arena.element_under_mut(cell, u64::from(shape), index) {
            Some(Some(place)) => {
                *place = value;
                Ok(true)
            }
            Some(None) => Ok(false),
            None => set_field_cold(&mut self.store, cell, shape, index, value),
        }
    }
}

#[cold]
#[inline(never)]
fn field_cold(store: &Store, cell: Cell, shape: u32, index: usize) -> Result<Option<Cell>> {
    let record = store.get::<Struct>(cell)?;
    if record.shape() == shape { record.get(index).map(Some) } else { Ok(None) }
}

#[cold]
#[inline(never)]
fn set_field_cold(
    store: &mut Store,
    cell: Cell,
    shape: u32,
    index: usize,
    value: Cell,
) -> Result<bool> {
    let mut record = store.get_mut::<Struct>(cell)?;
    let is_of_shape = record.view().shape() == shape;
    if is_of_shape {
        record.set(index, value)?;
    }
    Ok(is_of_shape)
}

/// The words before the elements of an object.
const fn header<K: Sequence>() -> usize {
    to_usize(K::SHAPE.header)
}

#[cold]
#[inline(never)]
fn element_cold<K: Sequence>(store: &Store, cell: Cell, index: usize) -> Result<K::Element> {
    store.get::<K>(cell)?.get(index)
}

#[cold]
#[inline(never)]
fn set_element_cold<K: Mutable>(
    store: &mut Store,
    cell: Cell,
    index: usize,
    element: K::Element,
) -> Result<()> {
    store.get_mut::<K>(cell)?.set(index, element)
}

/// Entries of maps and sets.
impl Heap {
    /// Returns the value of a key: `heap.get(map)?.get(key)`, faster for integers.
    /// Expected O(1), and O(n) to hash and compare a text of n bytes or an integer of n
    /// limbs.
    ///
    /// ```
    /// use segheap::{Heap, Map};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// heap.map_insert(map, 1.into(), 10.into())?;
    /// assert_eq!(heap.map_get(map, 1.into())?, Some(10.into()));
    /// assert_eq!(heap.map_get(map, 2.into())?, None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::get`]; [`Error::Stale`] also if the key is an object that was freed.
    #[inline(always)]
    pub fn map_get(&self, map: impl AsHandle<Map>, key: Cell) -> Result<Option<Cell>> {
        let cell = map.into();
        match self.entry_near::<Map>(cell, key) {
            Some(found) => Ok(found.map(|entry| entry.1)),
            None => map_get_any(&self.store, cell, key),
        }
    }

    /// [`Heap::map_get`] with an inline cache: looks first where the key was found last by
    /// an instruction with this hint. Maps that got the same keys in the same order, such
    /// as records, have them in the same places. Any hint is right for any map and key: a
    /// wrong one costs one comparison more.
    ///
    /// ```
    /// use segheap::{Cell, Heap, KeyHint, Map};
    /// let mut heap = Heap::new();
    /// let name = heap.string("property")?;
    /// let mut hint = KeyHint::default();
    /// for n in 0..3 {
    ///     let record = heap.alloc(Map::new())?;
    ///     heap.map_insert(record, Cell::TRUE, 0.into())?;
    ///     heap.map_insert(record, name, n.into())?;
    ///     assert_eq!(heap.map_get_with(record, name, &mut hint)?, Some(n.into()));
    /// }
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::map_get`].
    #[inline(always)]
    pub fn map_get_with(
        &self,
        map: impl AsHandle<Map>,
        key: Cell,
        hint: &mut KeyHint,
    ) -> Result<Option<Cell>> {
        let cell = map.into();
        let hinted = self.store.arenas().get(Map::KIND).and_then(|arena| {
            let (table, used) = arena.table(cell)?;
            entry_at::<Map>(table, used, hint.0, key)
        });
        match hinted {
            Some(entry) if self.store.keys().is_usable_by_bits(key) => Ok(Some(entry.1)),
            _ => map_get_and_hint(&self.store, cell, key, hint),
        }
    }

    /// Sets the value of a key, and returns the value that it replaces:
    /// `heap.get_mut(map)?.insert(key, value)` with one check for both. Amortised expected
    /// O(1); O(entries) when the table is rebuilt. A text of n bytes or an integer of n
    /// limbs adds O(n).
    ///
    /// ```
    /// use segheap::{Heap, Map};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// assert_eq!(heap.map_insert(map, 1.into(), 10.into())?, None);
    /// assert_eq!(heap.map_insert(map, 1.into(), 20.into())?, Some(10.into()));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::get_mut`]; [`Error::Stale`] also if the key is an object that was freed.
    /// If the table cannot grow: [`Error::Limit`], [`Error::ArenaFull`],
    /// [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The map is unchanged.
    #[inline(always)]
    pub fn map_insert(
        &mut self,
        map: impl AsHandle<Map>,
        key: Cell,
        value: Cell,
    ) -> Result<Option<Cell>> {
        let cell = map.into();
        if key.as_int().is_some() {
            let hash = self.store.keys().hash_cell(key);
            if let Some(opened) = self.store.arena_mut(Map::KIND)?.open_dense(cell)
                && let Some(replaced) = insert_int::<Map>(opened, hash, &[key, value])
            {
                return Ok(replaced);
            }
        }
        map_insert_any(&mut self.store, cell, key, value)
    }

    /// Returns whether a set has a key: `heap.get(set)?.contains(key)`, faster for
    /// integers. Costs as [`Heap::map_get`].
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let set = heap.alloc(Set::new())?;
    /// heap.get_mut(set)?.insert(1.into())?;
    /// assert!(heap.set_contains(set, 1.into())? && !heap.set_contains(set, 2.into())?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::get`]; [`Error::Stale`] also if the key is an object that was freed.
    #[inline(always)]
    pub fn set_contains(&self, set: impl AsHandle<Set>, key: Cell) -> Result<bool> {
        let cell = set.into();
        match self.entry_near::<Set>(cell, key) {
            Some(found) => Ok(found.is_some()),
            None => set_contains_any(&self.store, cell, key),
        }
    }

    /// The entry of an integer, or that there is none; `None` where this takes longer.
    #[inline(always)]
    fn entry_near<K: Keyed>(&self, table: Cell, key: Cell) -> Option<Option<(Cell, Cell)>> {
        key.as_int()?;
        let hash = self.store.keys().hash_cell(key);
        let (words, used) = self.store.arenas().get(K::KIND)?.table(table)?;
        entry_of_int::<K>(words, used, hash, key)
    }
}

#[inline(never)]
fn map_get_any(store: &Store, map: Cell, key: Cell) -> Result<Option<Cell>> {
    match entry_of_symbol::<Map>(store, map, key) {
        Some(found) => Ok(found.map(|entry| entry.1)),
        None => map_get_further(store, map, key),
    }
}

#[inline(never)]
fn map_get_further(store: &Store, map: Cell, key: Cell) -> Result<Option<Cell>> {
    if let Some(found) = value_of_value(store, map, key) {
        return Ok(found);
    }
    Ok(store.get::<Map>(map)?.find_further(key)?.map(|entry| entry.1))
}

/// The entry of a symbol, or that there is none; `None` where this takes longer.
#[inline(always)]
fn entry_of_symbol<K: Keyed>(
    store: &Store,
    table: Cell,
    key: Cell,
) -> Option<Option<(Cell, Cell)>> {
    let keys = store.keys();
    let hash = keys.symbol_hash(key)?;
    let (words, used) = store.arenas().get(K::KIND)?.table(table)?;
    find_symbol::<K>(words, used, keys, hash, key)
}

/// What a map has for a value of a few integers; `None` where this takes longer.
#[inline(always)]
fn value_of_value(store: &Store, map: Cell, key: Cell) -> Option<Option<Cell>> {
    let keys = store.keys();
    if !keys.is_of_values(key) {
        return None;
    }
    let (words, used) = store.arenas().get(Map::KIND)?.table(map)?;
    let table = Table::new(words, used, Map::STRIDE);
    let (_, found) = keys.locate_plain(table, key)?;
    match found {
        Ok((_, position)) => table.cells(position).map(|cells| Some(copied(cells).1)),
        Err(_) => Some(None),
    }
}

#[inline(never)]
fn set_contains_any(store: &Store, set: Cell, key: Cell) -> Result<bool> {
    match entry_of_symbol::<Set>(store, set, key) {
        Some(found) => Ok(found.is_some()),
        None => Ok(store.get::<Set>(set)?.find_further(key)?.is_some()),
    }
}

#[inline(never)]
fn map_insert_any(store: &mut Store, map: Cell, key: Cell, value: Cell) -> Result<Option<Cell>> {
    store.get_mut::<Map>(map)?.insert(key, value)
}

/// [`map_get_any`], which stores where the entry is.
#[inline(never)]
fn map_get_and_hint(
    store: &Store,
    map: Cell,
    key: Cell,
    hint: &mut KeyHint,
) -> Result<Option<Cell>> {
    let view: View<'_, Map> = store.get(map)?;
    let found = view.locate_key(key)?;
    if let Some((position, _)) = found {
        *hint = KeyHint(position);
    }
    Ok(found.map(|(_, entry)| entry.1))
}
