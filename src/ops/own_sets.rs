//! Sets whose hashes and equality code of the VM gives.

use super::own_hash::{find, insert_by, remove_by};
use crate::heap::Heap;
use crate::kinds::Set;
use crate::object::table::own_hash;
use crate::words::{AsHandle, Cell, Error, Result};

impl Heap {
    /// Returns the cell of a set that is equal to a key, in a set whose cells are found by hashes
    /// and an equality of the VM's own; `None` if it has none. `hash` and `equal` are as for
    /// [`Heap::map_get_by`], whose cost it has.
    ///
    /// ```
    /// use segheap::{Error, Heap, Set};
    /// let mut heap = Heap::new();
    /// // 1 and 1.0 are one cell.
    /// let equal = |heap: &mut Heap, a, b| Ok::<_, Error>(heap.cmp_num(a, b)?.is_some_and(|o| o.is_eq()));
    /// let set = heap.alloc(Set::new())?;
    /// assert!(heap.set_insert_by(set, 1.into(), 1, equal)?);
    /// assert!(!heap.set_insert_by(set, 1.0.into(), 1, equal)?);
    /// assert_eq!(heap.set_get_by(set, 1.0.into(), 1, equal)?, Some(1.into()));
    /// assert_eq!(heap.set_contains(set, 1.into()), Err(Error::OtherHash));
    /// assert_eq!(heap.set_remove_by(set, 1.0.into(), 1, equal)?, Some(1.into()));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::map_get_by`].
    pub fn set_get_by<E: From<Error>>(
        &mut self,
        set: impl AsHandle<Set>,
        key: Cell,
        hash: u64,
        equal: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
    ) -> Result<Option<Cell>, E> {
        let found = find::<Set, E>(self, set.into(), key, own_hash(hash), equal)?;
        Ok(found.map(|(_, (cell, _))| cell))
    }

    /// Adds a cell to a set whose cells are found by hashes and an equality of the VM's own, and
    /// returns whether it is new; an equal cell stays as it is. The first such cell makes an
    /// empty set one of this kind, for good: see [`Heap::map_insert_by`], whose cost it has, and
    /// [`Heap::set_get_by`] for an example.
    ///
    /// # Errors
    /// As [`Heap::map_insert_by`].
    pub fn set_insert_by<E: From<Error>>(
        &mut self,
        set: impl AsHandle<Set>,
        key: Cell,
        hash: u64,
        equal: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
    ) -> Result<bool, E> {
        Ok(insert_by::<Set, E>(self, set.into(), own_hash(hash), &[key], equal)?.is_none())
    }

    /// Removes the cell that is equal to a key from a set whose cells are found by hashes and an
    /// equality of the VM's own, and returns it; `None` if there is none. Costs as
    /// [`Heap::map_remove_by`]; [`Heap::set_get_by`] has an example.
    ///
    /// # Errors
    /// As [`Heap::map_remove_by`].
    pub fn set_remove_by<E: From<Error>>(
        &mut self,
        set: impl AsHandle<Set>,
        key: Cell,
        hash: u64,
        equal: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
    ) -> Result<Option<Cell>, E> {
        let removed = remove_by::<Set, E>(self, set.into(), key, own_hash(hash), equal)?;
        Ok(removed.map(|(cell, _)| cell))
    }
}
