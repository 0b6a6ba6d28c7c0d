//! Operations on whole maps and sets: choosing their entries, and adding those of others.

use bumpalo::collections::Vec;

use super::decide::decide;
use crate::arena::push;
use crate::heap::Heap;
use crate::kinds::{Map, Set};
use crate::object::Keyed;
use crate::words::{AsHandle, Cell, Error, Result};

impl Heap {
    /// Removes the entries of a map for which `keeps` returns false. The order of the
    /// others stays. O(entries), and O(log n) for each that is removed from a search tree;
    /// takes scratch memory for 3 cells an entry at most.
    ///
    /// `keeps` gets the heap, and may allocate, collect and change other objects. It is
    /// called for every entry before the first one is removed, and fails the operation if
    /// it has changed the map itself.
    ///
    /// ```
    /// use segheap::{Error, Heap, Map};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// heap.get_mut(map)?.extend(&[1, 2, 3, 4].map(|n| (n.into(), (10 * n).into())))?;
    /// heap.map_retain(map, |heap, key, value| {
    ///     heap.string(&format!("asked about {key:?} and {value:?}"))?; // any code
    ///     Ok::<_, Error>(key.as_int().is_some_and(|key| key % 2 == 0))
    /// })?;
    /// assert_eq!(heap.display(map).to_string(), "{2: 20, 4: 40}");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `keeps`; [`Error::Changed`] if `keeps` has changed the map;
    /// [`Error::Frozen`] if the map is frozen; [`Error::NotAHandle`], [`Error::Sealed`],
    /// [`Error::WrongKind`] or [`Error::Stale`] if `map` is no handle of a live map, before the first call of `keeps` or after the last;
    /// [`Error::Limit`] or [`Error::OutOfMemory`] if scratch memory cannot grow. The map is
    /// as it was before, or as `keeps` left it.
    pub fn map_retain<E: From<Error>>(
        &mut self,
        map: impl AsHandle<Map>,
        mut keeps: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
    ) -> Result<(), E> {
        retain::<Map, E>(self, map, |heap, entry| match *entry {
            [key, value] => keeps(heap, key, value),
            _ => Ok(true),
        })
    }

    /// Removes the cells of a set for which `keeps` returns false, as [`Heap::map_retain`]
    /// does the entries of a map.
    ///
    /// ```
    /// use segheap::{Error, Heap, Set};
    /// let mut heap = Heap::new();
    /// let set = heap.alloc(Set::new())?;
    /// heap.get_mut(set)?.extend(&[1.into(), 2.into(), 3.into()])?;
    /// heap.set_retain(set, |_, cell| Ok::<_, Error>(cell != 2.into()))?;
    /// assert_eq!(heap.display(set).to_string(), "#{1, 3}");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Heap::map_retain`].
    pub fn set_retain<E: From<Error>>(
        &mut self,
        set: impl AsHandle<Set>,
        mut keeps: impl FnMut(&mut Heap, Cell) -> Result<bool, E>,
    ) -> Result<(), E> {
        retain::<Set, E>(self, set, |heap, entry| match *entry {
            [cell] => keeps(heap, cell),
            _ => Ok(true),
        })
    }

    /// Inserts the entries of another map in its order, all or none of them; values of keys
    /// that the map has are replaced. Entries of freed objects are left out. Amortised
    /// expected O(n) for n entries inserted; takes scratch memory for them. A text of n bytes
    /// or an integer of n limbs adds O(n).
    ///
    /// ```
    /// use segheap::{Heap, Map};
    /// let mut heap = Heap::new();
    /// let (defaults, options) = (heap.alloc(Map::new())?, heap.alloc(Map::new())?);
    /// heap.get_mut(defaults)?.extend(&[(1.into(), 10.into()), (2.into(), 20.into())])?;
    /// heap.get_mut(options)?.insert(2.into(), 22.into())?;
    /// heap.map_extend(defaults, options)?;
    /// assert_eq!(heap.display(defaults).to_string(), "{1: 10, 2: 22}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// For the first of both that is no handle of a live map: [`Error::NotAHandle`],
    /// [`Error::Sealed`], [`Error::WrongKind`] or [`Error::Stale`]. If there is no memory for
    /// as many new entries, or for scratch memory: [`Error::Limit`], [`Error::ArenaFull`],
    /// [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The map is unchanged.
    pub fn map_extend(&mut self, map: impl AsHandle<Map>, other: impl AsHandle<Map>) -> Result<()> {
        self.get(map)?;
        self.with_scratch(|heap, scratch| {
            let mut entries = Vec::new_in(scratch.bump);
            for (key, value) in heap.get(other)?.iter() {
                if heap.store.keys().is_usable_key(key) {
                    push(&mut entries, (key, value))?;
                }
            }
            scratch.charge(heap.store.account_mut());
            heap.get_mut(map)?.extend(&entries)
        })
    }

    /// Adds the cells of another set in its order, as [`Heap::map_extend`] does the entries
    /// of a map. [`Heap::union`] allocates a new set.
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.alloc(Set::new())?, heap.alloc(Set::new())?);
    /// heap.get_mut(a)?.extend(&[1.into(), 2.into()])?;
    /// heap.get_mut(b)?.extend(&[2.into(), 3.into()])?;
    /// heap.set_extend(a, b)?;
    /// assert_eq!(heap.display(a).to_string(), "#{1, 2, 3}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Heap::map_extend`].
    pub fn set_extend(&mut self, set: impl AsHandle<Set>, other: impl AsHandle<Set>) -> Result<()> {
        self.get(set)?;
        self.with_scratch(|heap, scratch| {
            let mut cells = Vec::new_in(scratch.bump);
            for cell in heap.get(other)?.iter() {
                if heap.store.keys().is_usable_key(cell) {
                    push(&mut cells, cell)?;
                }
            }
            scratch.charge(heap.store.account_mut());
            heap.get_mut(set)?.extend(&cells)
        })
    }
}

fn retain<K: Keyed, E: From<Error>>(
    heap: &mut Heap,
    table: impl AsHandle<K>,
    keeps: impl FnMut(&mut Heap, &[Cell]) -> Result<bool, E>,
) -> Result<(), E> {
    decide::<K, E>(heap, table, K::STRIDE, keeps, |heap, kept| {
        heap.get_mut(table)?.retain_entries(|n| kept.get(n).copied().unwrap_or(true))
    })
}
