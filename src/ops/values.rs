//! Equality and hashes of values as keys, and deep equality.

use bumpalo::collections::Vec;

use crate::arena::{Arena, Slot, push};
use crate::heap::Heap;
use crate::object::Keys;
use crate::object::table::{Table, copied};
use crate::words::{Cell, Element, Elements, KeyBy, Kind, Result, to_usize};

#[cfg(doc)]
use crate::Error;

impl Heap {
    /// Returns whether two cells are equal as keys of maps and sets: by value for
    /// numbers, text, booleans and null, by identity for all other objects. 0.0 and
    /// -0.0 are equal, NaN equals itself, 1 and 1.0 differ. O(1); O(n) for text of n
    /// bytes and integers of n limbs.
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
    /// [`Error::Stale`] if `a` or `b` is an object that was freed.
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
    /// [`Error::Stale`] if the cell is an object that was freed.
    pub fn hash(&self, cell: Cell) -> Result<u32> {
        Ok(self.store.keys().key(cell)?.hash)
    }

    /// Returns whether two values are structurally equal: equal as keys, or objects of
    /// one kind with equal headers (shape or function id) and structurally equal
    /// elements. Maps and sets are equal if they have the same keys with structurally
    /// equal values, in any order. Floats are compared as keys, also in arrays.
    ///
    /// Cyclic values are equal if no path tells them apart (bisimilarity). Each pair of
    /// objects is visited once, without recursion. O(pairs visited), in scratch memory:
    /// the size of both values for trees, up to the product of their sizes for graphs
    /// of different form that look alike.
    ///
    /// ```
    /// use segheap::{Heap, Pair};
    /// let mut heap = Heap::new();
    /// let a = heap.alloc(Pair::of(1.into(), 2.into()))?;
    /// let b = heap.alloc(Pair::of(1.into(), 2.into()))?;
    /// assert!(!heap.key_eq(a.into(), b.into())?);
    /// assert!(heap.deep_eq(a.into(), b.into())?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if the comparison reaches an object that was freed;
    /// [`Error::Limit`] or [`Error::OutOfMemory`] if scratch memory cannot grow.
    pub fn deep_eq(&mut self, a: Cell, b: Cell) -> Result<bool> {
        self.with_scratch(|heap, scratch| {
            let store = &heap.store;
            let keys = store.keys();
            let mut work = Vec::new_in(scratch.bump);
            let mut seen = scratch.seen();
            push(&mut work, (a, b))?;
            while let Some((a, b)) = work.pop() {
                let key = keys.key(a)?;
                keys.key(b)?;
                if keys.same(&key, b) {
                    continue;
                }
                if a.kind() != b.kind() || a.kind().is_none_or(|kind| kind == Kind::SEALED) {
                    return Ok(false);
                }
                let ((arena, left), (_, right)) = (store.open(a)?, store.open(b)?);
                if arena.shape().cells(1) > 0 && seen.insert([a.bits(), b.bits()], 0)?.is_some() {
                    continue;
                }
                let equal = same_content(arena, left, right)?
                    && push_pairs(&mut work, keys, arena, (left, right))?;
                if !equal {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}

/// Adds the pairs of cells that have to be equal for two objects of one kind to be so;
/// returns `false` if two tables have different keys.
fn push_pairs(
    work: &mut Vec<'_, (Cell, Cell)>,
    keys: Keys<'_>,
    arena: &Arena,
    (left, right): (Slot, Slot),
) -> Result<bool> {
    match arena.shape().elements {
        Elements::Cells => {
            let cells = arena.cells(left)?.iter().zip(arena.cells(right)?);
            for (&a, &b) in cells.filter(|(a, b)| a != b || a.is_handle()) {
                push(work, (a, b))?;
            }
        }
        Elements::Entries(stride) => {
            let other = table(arena, right, stride)?;
            for (key, value) in table(arena, left, stride)?.iter().map(copied) {
                let found = keys.locate(other, key)?.1.ok();
                let found = found.and_then(|(_, position)| other.entry(position));
                let Some(entry) = found else { return Ok(false) };
                push(work, (value, copied(entry).1))?;
            }
        }
        _ => {}
    }
    Ok(true)
}

/// Whether two objects of one kind have equal headers, the same number of elements, and
/// equal elements if these are no cells. Objects that are keys by value are not equal:
/// they would have been equal as keys.
fn same_content(arena: &Arena, left: Slot, right: Slot) -> Result<bool> {
    let shape = arena.shape();
    let (a, b) = (arena.used(left)?, arena.used(right)?);
    let header = to_usize(shape.header);
    Ok(match shape.elements {
        _ if shape.key != KeyBy::Identity => false,
        Elements::Entries(stride) => {
            table(arena, left, stride)?.len() == table(arena, right, stride)?.len()
        }
        _ if left.len != right.len => false,
        Elements::Cells => a.get(..header) == b.get(..header),
        Elements::Floats => {
            let (headers, a, b) =
                (a.get(..header) == b.get(..header), a.get(header..), b.get(header..));
            let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
            let mut both = f64::slice(a).iter().zip(f64::slice(b));
            headers && both.all(|(a, b)| a == b || a.is_nan() && b.is_nan())
        }
        Elements::Ints => a == b,
        Elements::Bytes => {
            let bytes = header.saturating_mul(8).saturating_add(to_usize(left.len));
            u8::slice(a).get(..bytes) == u8::slice(b).get(..bytes)
        }
    })
}

/// The table of a map or set.
pub(crate) fn table(arena: &Arena, slot: Slot, stride: u32) -> Result<Table<&[u64]>> {
    Ok(Table::new(arena.used(slot)?, slot.len, to_usize(stride)))
}

/// Whether the key of an entry marks a removed one.
pub(crate) fn is_hole(cell: Cell) -> bool {
    cell.as_hole().is_some()
}
