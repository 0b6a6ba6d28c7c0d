//! Equality and hashes of values as keys; the functions of closures.

use crate::arena::{Arena, Slot};
use crate::heap::Heap;
use crate::kinds::Closure;
use crate::object::table::Table;
use crate::words::{Cell, HasKind, Result, to_usize};

#[cfg(doc)]
use crate::Error;

impl Heap {
    /// Returns whether two cells are equal as keys of maps and sets: by value for
    /// numbers, text, booleans and null, by content for values of [`Heap::alloc_value`], by
    /// identity for all other objects. 0.0 and
    /// -0.0 are equal, NaN equals itself, 1 and 1.0 differ. O(1); O(n) for text of n
    /// bytes, integers of n limbs and values of n parts.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.string("a longer text")?, heap.string("a longer text")?);
    /// assert!(a != b && heap.key_eq(a, b)?);
    /// assert!(!heap.key_eq(1.into(), 1.0.into())?);
    /// assert!(heap.key_eq(0.0.into(), (-0.0).into())?);
    /// let (x, y) = (heap.alloc(List::new())?, heap.alloc(List::new())?);
    /// assert!(!heap.key_eq(x.into(), y.into())?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if `a` or `b` is an object that was freed, or a value with a part
    /// that was; [`Error::KeyTooLarge`].
    pub fn key_eq(&self, a: Cell, b: Cell) -> Result<bool> {
        let keys = self.store.keys();
        let key = keys.key(a)?;
        keys.key(b)?;
        Ok(keys.same(&key, b))
    }

    /// Returns the hash of a cell as a key of maps and sets. Keys that are equal by
    /// [`Heap::key_eq`] have equal hashes, which depend on the hash seed of the heap.
    /// The hash function is foldhash, which is seeded and not cryptographic. O(1); O(n)
    /// for text of n bytes and integers of n limbs.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.string("a longer text")?, heap.string("a longer text")?);
    /// assert_eq!(heap.hash(a)?, heap.hash(b)?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::key_eq`].
    pub fn hash(&self, cell: Cell) -> Result<u32> {
        Ok(self.store.keys().key(cell)?.hash)
    }
}

/// The table of a map or set.
pub(crate) fn table(arena: &Arena, slot: Slot, stride: u32) -> Result<Table<&[u64]>> {
    Ok(Table::new(arena.used(slot)?, slot.len, to_usize(stride)))
}

/// Whether the key of an entry marks a removed one.
pub(crate) fn is_hole(cell: Cell) -> bool {
    cell.as_hole().is_some()
}

impl Heap {
    /// Returns the function ids of the closures in the heap, each as often as there are
    /// closures of it. After a collection of the whole heap these are the functions that a
    /// closure can still call: with those that run or that constants refer to, a VM knows
    /// which code it may free. O(slots of closures) for all.
    ///
    /// ```
    /// use segheap::{Closure, Heap};
    /// let mut heap = Heap::new();
    /// let kept = heap.alloc(Closure::of(7, &[]))?;
    /// heap.alloc(Closure::of(8, &[]))?;
    /// heap.collect([kept])?;
    /// assert_eq!(heap.functions().collect::<Vec<_>>(), [7]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn functions(&self) -> impl Iterator<Item = u32> {
        let closures = self.store.arena(Closure::KIND).into_iter().flat_map(Arena::live);
        closures.filter_map(|(cell, _)| Some(self.store.get::<Closure>(cell).ok()?.function()))
    }
}
