//! Sets made of two sets.

use crate::heap::Heap;
use crate::kinds::Set;
use crate::object::Cursor;
use crate::words::{AsHandle, Cell, Handle, Result};

impl Heap {
    /// A new set of what is in `a` or in `b`: `a`'s order, then `b`'s. Cells
    /// whose objects are gone are left out. O(both).
    ///
    /// # Errors
    /// Those of [`Heap::get`]; a limit or no memory. The heap is as it was then.
    pub fn union(&mut self, a: impl AsHandle<Set>, b: impl AsHandle<Set>) -> Result<Handle<Set>> {
        let room = self.get(a)?.len().saturating_add(self.get(b)?.len());
        let union = self.alloc(Set::with_capacity(room))?;
        self.gather(union, a, |_, _| Ok(true))?;
        self.gather(union, b, |_, _| Ok(true))
    }

    /// A new set of what is in `a` and in `b`, in `a`'s order. Cells whose
    /// objects are gone are left out. O(both).
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
        self.gather(both, a, |heap, cell| heap.get(b)?.contains(cell))
    }

    /// A new set of what is in `a` and not in `b`, in `a`'s order. Cells whose
    /// objects are gone are left out. O(both).
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
        self.gather(rest, a, |heap, cell| Ok(!heap.get(b)?.contains(cell)?))
    }

    /// Adds the live cells of `from` that `wanted` picks to a set that has room
    /// for them; answers the set.
    fn gather(
        &mut self,
        into: Handle<Set>,
        from: impl AsHandle<Set>,
        wanted: impl Fn(&Heap, Cell) -> Result<bool>,
    ) -> Result<Handle<Set>> {
        let mut cursor = Cursor::default();
        while let Some(cell) = self.get(from)?.next(&mut cursor) {
            if (!cell.is_handle() || self.contains(cell)) && wanted(self, cell)? {
                self.get_mut(into)?.insert(cell)?;
            }
        }
        Ok(into)
    }
}
