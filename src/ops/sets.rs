//! Union, intersection and difference of sets.

use crate::heap::{Heap, Store};
use crate::kinds::Set;
use crate::object::Cursor;
use crate::words::{AsHandle, Cell, Error, Handle, Result};

impl Heap {
    /// Allocates the union of two sets: the cells of `a` in order, then those of `b`
    /// that `a` does not have. Freed objects are left out. Expected O(n) for n cells in
    /// both; a text of n bytes or an integer of n limbs adds O(n).
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.alloc(Set::new())?, heap.alloc(Set::new())?);
    /// for n in 0..3 {
    ///     heap.get_mut(a)?.insert(n.into())?;
    ///     heap.get_mut(b)?.insert((n + 2).into())?;
    /// }
    /// let union = heap.union(a, b)?;
    /// assert_eq!(heap.display(union).to_string(), "#{0, 1, 2, 3, 4}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// For the first of `a` and `b` that is no handle of a live set, as for [`Heap::get`]:
    /// [`Error::NotAHandle`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`]; [`Error::OtherHash`] if a VM gives the hashes of one of them. If the
    /// union cannot be allocated, as for [`Heap::alloc`]:
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]. The heap is unchanged.
    pub fn union(&mut self, a: impl AsHandle<Set>, b: impl AsHandle<Set>) -> Result<Handle<Set>> {
        let [len, other_len] = self.lens_of_sets(a, b)?;
        let room = len.saturating_add(other_len);
        let union = self.alloc(Set::with_capacity(room))?;
        gather(&mut self.store, union, a, |_, _| Ok(true))?;
        gather(&mut self.store, union, b, |_, _| Ok(true))
    }

    /// Allocates the intersection of two sets: the cells of `a` that `b` has, in the
    /// order of `a`. Freed objects are left out. Expected O(n) for n cells in `a`, with
    /// text and integers as for [`Heap::union`].
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.alloc(Set::new())?, heap.alloc(Set::new())?);
    /// for n in 0..3 {
    ///     heap.get_mut(a)?.insert(n.into())?;
    ///     heap.get_mut(b)?.insert((n + 1).into())?;
    /// }
    /// let both = heap.intersection(a, b)?;
    /// assert_eq!(heap.display(both).to_string(), "#{1, 2}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::union`].
    pub fn intersection(
        &mut self,
        a: impl AsHandle<Set>,
        b: impl AsHandle<Set>,
    ) -> Result<Handle<Set>> {
        let [len, other_len] = self.lens_of_sets(a, b)?;
        let room = len.min(other_len);
        let both = self.alloc(Set::with_capacity(room))?;
        gather(&mut self.store, both, a, |store, cell| store.get(b)?.contains(cell))
    }

    /// Allocates the difference of two sets: the cells of `a` that `b` does not have,
    /// in the order of `a`. Freed objects are left out. Expected O(n) for n cells in
    /// `a`, with text and integers as for [`Heap::union`].
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.alloc(Set::new())?, heap.alloc(Set::new())?);
    /// for n in 0..3 {
    ///     heap.get_mut(a)?.insert(n.into())?;
    ///     heap.get_mut(b)?.insert((n + 1).into())?;
    /// }
    /// let rest = heap.difference(a, b)?;
    /// assert_eq!(heap.display(rest).to_string(), "#{0}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::union`].
    pub fn difference(
        &mut self,
        a: impl AsHandle<Set>,
        b: impl AsHandle<Set>,
    ) -> Result<Handle<Set>> {
        let [room, _] = self.lens_of_sets(a, b)?;
        let rest = self.alloc(Set::with_capacity(room))?;
        gather(&mut self.store, rest, a, |store, cell| Ok(!store.get(b)?.contains(cell)?))
    }

    /// The lengths of two sets by the hash of the heap.
    fn lens_of_sets(&self, a: impl AsHandle<Set>, b: impl AsHandle<Set>) -> Result<[usize; 2]> {
        let (a, b) = (self.get(a)?, self.get(b)?);
        if a.table().is_own() || b.table().is_own() {
            return Err(Error::OtherHash);
        }
        Ok([a.len(), b.len()])
    }
}

/// Adds the cells of `from` that `wanted` selects to a set that has room for them;
/// returns the set.
fn gather(
    store: &mut Store,
    into: Handle<Set>,
    from: impl AsHandle<Set>,
    wanted: impl Fn(&Store, Cell) -> Result<bool>,
) -> Result<Handle<Set>> {
    let mut cursor = Cursor::default();
    while let Some(cell) = store.get(from)?.next(&mut cursor) {
        if store.keys().is_usable_key(cell) && wanted(store, cell)? {
            store.get_mut(into)?.insert(cell)?;
        }
    }
    Ok(into)
}
