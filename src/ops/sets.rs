//! Sets made of two sets.

use crate::heap::{Heap, Store};
use crate::kinds::Set;
use crate::object::Cursor;
use crate::words::{AsHandle, Cell, Handle, Result};

impl Heap {
    /// Allocates a set of what is in `a` or in `b`: `a`'s order, then `b`'s.
    /// Objects that were freed are left out. Expected O(both).
    ///
    /// ```
    /// use segheap::{Heap, Set};
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.alloc(Set::new())?, heap.alloc(Set::new())?);
    /// for n in 0..3 {
    ///     heap.get_mut(a)?.insert(n.into())?;
    ///     heap.get_mut(b)?.insert((n + 2).into())?;
    /// }
    /// let (union, difference) = (heap.union(a, b)?, heap.difference(a, b)?);
    /// assert_eq!(heap.display(union).to_string(), "#{0, 1, 2, 3, 4}");
    /// assert_eq!(heap.display(difference).to_string(), "#{0, 1}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Heap::get`] for `a` and `b`, and of [`Heap::alloc`]; nothing has
    /// changed then.
    pub fn union(&mut self, a: impl AsHandle<Set>, b: impl AsHandle<Set>) -> Result<Handle<Set>> {
        let room = self.get(a)?.len().saturating_add(self.get(b)?.len());
        let union = self.alloc(Set::with_capacity(room))?;
        gather(&mut self.store, union, a, |_, _| Ok(true))?;
        gather(&mut self.store, union, b, |_, _| Ok(true))
    }

    /// Allocates a set of what is in `a` and in `b`, in `a`'s order. Objects that
    /// were freed are left out. Expected O(both).
    ///
    /// # Errors
    /// As [`Heap::union`].
    pub fn intersection(
        &mut self,
        a: impl AsHandle<Set>,
        b: impl AsHandle<Set>,
    ) -> Result<Handle<Set>> {
        let room = self.get(a)?.len().min(self.get(b)?.len());
        let both = self.alloc(Set::with_capacity(room))?;
        gather(&mut self.store, both, a, |store, cell| store.get(b)?.contains(cell))
    }

    /// Allocates a set of what is in `a` and not in `b`, in `a`'s order. Objects
    /// that were freed are left out. Expected O(both).
    ///
    /// # Errors
    /// As [`Heap::union`].
    pub fn difference(
        &mut self,
        a: impl AsHandle<Set>,
        b: impl AsHandle<Set>,
    ) -> Result<Handle<Set>> {
        self.get(b)?;
        let room = self.get(a)?.len();
        let rest = self.alloc(Set::with_capacity(room))?;
        gather(&mut self.store, rest, a, |store, cell| Ok(!store.get(b)?.contains(cell)?))
    }
}

/// Adds the cells of `from` that `wanted` picks to a set that has room for them;
/// returns the set.
fn gather(
    store: &mut Store,
    into: Handle<Set>,
    from: impl AsHandle<Set>,
    wanted: impl Fn(&Store, Cell) -> Result<bool>,
) -> Result<Handle<Set>> {
    let mut cursor = Cursor::default();
    while let Some(cell) = store.get(from)?.next(&mut cursor) {
        if (!cell.is_handle() || store.contains(cell)) && wanted(store, cell)? {
            store.get_mut(into)?.insert(cell)?;
        }
    }
    Ok(into)
}
