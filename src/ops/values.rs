//! Values of any kind: integers and text that pick their own form, equality
//! and hashes of keys, deep equality.

use bumpalo::collections::Vec;

use crate::arena::{Arena, Seen, Slot, push};
use crate::heap::Heap;
use crate::object::Keys;
use crate::object::table::{Table, copied};
use crate::words::{Cell, Element, Elements, HOLE, KeyBy, Kind, Result, to_usize};

impl Heap {
    /// Returns whether two cells are the same key: by value for numbers, text,
    /// bools and null, by identity for all else. O(length) for text and large
    /// integers.
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
    /// [`Error::Stale`](crate::Error::Stale) if either object was freed.
    pub fn key_eq(&self, a: Cell, b: Cell) -> Result<bool> {
        let keys = self.store.keys();
        let key = keys.key(a)?;
        keys.key(b)?;
        Ok(keys.same(&key, b))
    }

    /// Returns the hash of a cell as a key. It agrees with [`Heap::key_eq`] and
    /// depends on the heap's hash seed. O(length) for text and large integers.
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) if the object was freed.
    pub fn hash(&self, cell: Cell) -> Result<u32> {
        Ok(self.store.keys().key(cell)?.hash)
    }

    /// Returns whether two values are equal in all they reach: equal as keys, or
    /// objects of one kind with equal headers and deeply equal elements. Maps and
    /// sets compare without regard to order: same keys, deeply equal values.
    /// Floats compare as keys do, in arrays as well.
    ///
    /// Cycles and sharing are fine, without recursion: each pair of objects is
    /// visited once. O(pairs that meet), in scratch memory: that is the size of
    /// both for trees, and up to the product of their sizes for graphs of
    /// different form that look alike.
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) for an object that was freed and had
    /// to be looked at; [`Error::Limit`](crate::Error::Limit) or
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if there is no scratch
    /// memory for the work list.
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
    pub fn deep_eq(&mut self, a: Cell, b: Cell) -> Result<bool> {
        self.with_scratch(|heap, scratch| {
            let store = &heap.store;
            let keys = store.keys();
            let mut work = Vec::new_in(scratch.bump);
            let mut seen = Seen::new_in(scratch.bump);
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

/// Adds the pairs of cells that have to be equal if two objects of one kind are;
/// `false` if they cannot be.
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
                let key = keys.key(key)?;
                let found = other.find(key.hash, |entry| keys.same(&key, entry));
                let entry = found.ok().and_then(|(_, n)| other.entry(n));
                let Some(entry) = entry else { return Ok(false) };
                push(work, (value, copied(entry).1))?;
            }
        }
        _ => {}
    }
    Ok(true)
}

/// Whether two objects of one kind have equal headers, as many elements, and
/// equal elements where these are no cells.
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

/// The table of an object that is one.
pub(crate) fn table(arena: &Arena, slot: Slot, stride: u32) -> Result<Table<&[u64]>> {
    Ok(Table::new(arena.used(slot)?, slot.len, to_usize(stride)))
}

/// Whether a word in the place of a key is no entry.
pub(crate) fn is_hole(cell: Cell) -> bool {
    cell.bits() == HOLE
}
