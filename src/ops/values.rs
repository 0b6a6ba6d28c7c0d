//! Values of any kind: integers and text that pick their own form, equality
//! and hashes of keys, deep equality.

use bumpalo::collections::Vec;

use crate::arena::{Arena, Seen, Slot, push};
use crate::heap::{Heap, SEALED};
use crate::object::table::{Table, copied};
use crate::words::{Cell, Element, Elements, HOLE, KeyBy, Result, at};

impl Heap {
    /// Whether two cells are the same key: by value for numbers, text, bools and
    /// null, by identity for all else.
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) if either object is gone.
    pub fn key_eq(&self, a: Cell, b: Cell) -> Result<bool> {
        let keys = self.keys();
        let key = keys.key(a)?;
        keys.key(b)?;
        Ok(keys.same(&key, b))
    }

    /// The hash of a cell as a key; agrees with [`Heap::key_eq`], and depends on
    /// the heap's hash seed. O(length) for text and large integers.
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) if the object is gone.
    pub fn hash(&self, cell: Cell) -> Result<u32> {
        Ok(self.keys().key(cell)?.hash)
    }

    /// Whether two values are equal in all they reach: equal as keys, or objects
    /// of one kind with equal headers and deeply equal elements. Maps and sets
    /// compare without regard to order: same keys, deeply equal values. Floats
    /// compare as keys do, in arrays as well.
    ///
    /// Cycles and sharing are fine, without recursion: each pair of objects is
    /// visited once. O(number of pairs that meet), in scratch memory: that is the
    /// size of both for trees, and up to the product for graphs of different form
    /// that look alike.
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) for a dead object that had to be looked at;
    /// [`Error::Limit`](crate::Error::Limit) if the scratch memory does not hold the work list.
    ///
    /// ```
    /// use segheap::{Heap, Pair};
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.alloc(Pair::of(1.into(), 2.into()))?, heap.alloc(Pair::of(1.into(), 2.into()))?);
    /// assert!(!heap.key_eq(a.into(), b.into())?);
    /// assert!(heap.deep_eq(a.into(), b.into())?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn deep_eq(&mut self, a: Cell, b: Cell) -> Result<bool> {
        self.scratched(|heap, bump| {
            let mut work = Vec::new_in(bump);
            let mut seen = Seen::new_in(bump);
            push(&mut work, (a, b))?;
            while let Some((a, b)) = work.pop() {
                if heap.key_eq(a, b)? {
                    continue;
                }
                if a.kind() != b.kind() || a.kind().is_none_or(|kind| kind == SEALED) {
                    return Ok(false);
                }
                let ((arena, left), (_, right)) = (heap.open(a)?, heap.open(b)?);
                if arena.shape.cells(1) > 0 && seen.insert([a.bits(), b.bits()], 0)?.is_some() {
                    continue;
                }
                if !heap.same_shell(arena, left, right)? {
                    return Ok(false);
                }
                match arena.shape.elements {
                    Elements::Cells => {
                        let cells = arena.cells(left)?.iter().zip(arena.cells(right)?);
                        for (&a, &b) in cells.filter(|(a, b)| a != b || a.is_handle()) {
                            push(&mut work, (a, b))?;
                        }
                    }
                    Elements::Entries(stride) => {
                        let (keys, other) = (heap.keys(), table(arena, right, stride)?);
                        for (key, value) in table(arena, left, stride)?.iter().map(copied) {
                            let key = keys.key(key)?;
                            let found = other.find(key.hash, |entry| keys.same(&key, entry));
                            let entry = found.ok().and_then(|(_, n)| other.entry(n));
                            let Some(entry) = entry else { return Ok(false) };
                            push(&mut work, (value, copied(entry).1))?;
                        }
                    }
                    _ => {}
                }
            }
            Ok(true)
        })
    }

    /// Whether two objects of one kind have equal headers, as many elements, and
    /// equal elements where these are no cells.
    fn same_shell(&self, arena: &Arena, left: Slot, right: Slot) -> Result<bool> {
        let shape = arena.shape;
        let (a, b) = (arena.used(left)?, arena.used(right)?);
        Ok(match shape.elements {
            _ if shape.key != KeyBy::Identity => false,
            Elements::Entries(stride) => {
                table(arena, left, stride)?.len() == table(arena, right, stride)?.len()
            }
            _ if left.len != right.len => false,
            Elements::Cells => a.get(..at(shape.header)) == b.get(..at(shape.header)),
            Elements::Floats => {
                let mut both = f64::slice(a).iter().zip(f64::slice(b));
                both.all(|(a, b)| a == b || a.is_nan() && b.is_nan())
            }
            Elements::Ints => a == b,
            Elements::Bytes => u8::slice(a).get(..at(left.len)) == u8::slice(b).get(..at(left.len)),
        })
    }
}

/// The table of an object that is one.
pub(crate) fn table(arena: &Arena, slot: Slot, stride: u32) -> Result<Table<&[u64]>> {
    Ok(Table::new(arena.used(slot)?, slot.len, at(stride)))
}

/// Whether a word in the place of a key is no entry.
pub(crate) fn is_hole(cell: Cell) -> bool {
    cell.bits() == HOLE
}
