//! Sorting in the natural order, and by a comparison that may run code of the VM.

mod merge;
mod natural;

use core::cmp::Ordering;

use bumpalo::collections::Vec;
pub(super) use natural::natural_order;

use crate::arena::reserve;
use crate::heap::Heap;
use crate::object::Mutable;
use crate::words::{AsHandle, Cell, Error, Result, corrupt};

impl Heap {
    /// Sorts the cells of a list (or of another sequence of cells) in their natural order:
    /// numbers by value, NaN at the end, or texts by their bytes. Integers and floats may be
    /// mixed, and are compared exactly. The sort is stable; -0.0 equals 0.0, and 1 equals
    /// 1.0. O(n log n), O(n) if the cells are sorted already; two texts, or two large
    /// integers, take the length of what they have in common to compare.
    ///
    /// Integers of up to 48 bits, and floats without -0.0, are sorted in place. All others
    /// take scratch memory for 2 n cells, texts for 6 n.
    ///
    /// ```
    /// use segheap::{Cell, Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let large = heap.int(i64::MAX)?;
    /// let list = heap.alloc(List::of(&[large, 2.5.into(), 3.into(), (-1).into()]))?;
    /// heap.sort(list)?;
    /// assert_eq!(heap.display(list).to_string(), "[-1, 2.5, 3, 9223372036854775807]");
    /// heap.get_mut(list)?.push(Cell::NULL)?;
    /// assert_eq!(heap.sort(list), Err(Error::NoOrder));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoOrder`] if the elements are neither all numbers nor all texts;
    /// [`Error::Sealed`] or [`Error::Stale`] if an element is sealed, or was freed;
    /// [`Error::Frozen`] if the list is frozen; [`Error::NotAHandle`], [`Error::Sealed`],
    /// [`Error::WrongKind`] or [`Error::Stale`] if `list` is no handle of a live object of kind `K`; [`Error::Limit`] or
    /// [`Error::OutOfMemory`] if scratch memory cannot grow. The list is unchanged.
    pub fn sort<K: Mutable<Element = Cell>>(&mut self, list: impl AsHandle<K>) -> Result<()> {
        if natural::sort_alike(self.get_mut(list)?.as_mut_slice()) {
            return Ok(());
        }
        natural::sort_by_keys(self, list)
    }

    /// Sorts the cells of a list (or of another sequence of cells) by `compare`. The
    /// sort is stable: a merge sort with O(n log n) comparisons, about as few as there can
    /// be, in scratch memory for 3 n cells. Runs of cells that are sorted or reversed
    /// already are found: n - 1 comparisons if all cells are.
    ///
    /// `compare` gets the heap, and may allocate, collect and change other objects; the
    /// list keeps its old order until the last comparison. Its cells are then overwritten
    /// by the sorted ones, unless `compare` has changed it. If `compare` is no consistent
    /// order, the result is some permutation of the cells.
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[3.into(), 1.into(), 2.into()]))?;
    /// heap.sort_by(list, |heap, a, b| heap.cmp_int(b, a))?;
    /// assert_eq!(heap.display(list).to_string(), "[3, 2, 1]");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `compare`; [`Error::Changed`] if the list has other
    /// cells or another length after the last comparison than before the first;
    /// [`Error::Frozen`] if the list is frozen; [`Error::NotAHandle`], [`Error::Sealed`],
    /// [`Error::WrongKind`] or [`Error::Stale`] if `list` is no handle of a live object of kind `K`, before the first comparison or
    /// after the last; [`Error::Limit`] or [`Error::OutOfMemory`] if scratch memory cannot grow.
    /// The list is as it was before, or as `compare` left it.
    pub fn sort_by<K: Mutable<Element = Cell>, E: From<Error>>(
        &mut self,
        list: impl AsHandle<K>,
        mut compare: impl FnMut(&mut Heap, Cell, Cell) -> Result<Ordering, E>,
    ) -> Result<(), E> {
        self.with_scratch(|heap, scratch| {
            heap.get_mut(list)?;
            let cells = heap.get(list)?.as_slice();
            // One buffer, which is in one chunk: the next sort finds room there.
            let mut buffer = Vec::new_in(scratch.bump);
            reserve(&mut buffer, cells.len().saturating_mul(3))?;
            (0..3).for_each(|_| buffer.extend_from_slice(cells));
            let (before, work) = buffer.split_at_mut_checked(cells.len()).ok_or_else(corrupt)?;
            let (work, spare) = work.split_at_mut_checked(before.len()).ok_or_else(corrupt)?;
            // The comparisons may allocate: scratch memory counts against the limit.
            scratch.charge_callback(heap.store.account_mut());
            let mut greater = |a, b| Ok(compare(heap, a, b)? == Ordering::Greater);
            let sorted = match merge::sort(work, spare, &mut greater) {
                Ok(sorted) => sorted,
                Err(error) => return Ok(Err(error)),
            };
            let mut view = heap.get_mut(list)?;
            let cells = view.as_mut_slice();
            if cells != before {
                return Err(Error::Changed);
            }
            cells.copy_from_slice(sorted);
            Ok(Ok(()))
        })?
    }

    /// Sorts the cells of a list (or of another sequence of cells) by the natural order of
    /// the keys that `key` makes of them: numbers or texts, as for [`Heap::sort`]. The sort is
    /// stable. Each key is made once. O(n log n); takes scratch memory for 4 n cells, and a
    /// pin for each key that is an object, as `key` may collect.
    ///
    /// `key` gets the heap, as the comparison of [`Heap::sort_by`] does, with the same
    /// promises.
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[3.into(), (-5).into(), 4.into()]))?;
    /// heap.sort_by_key(list, |heap, cell| heap.mul(cell, cell))?;
    /// assert_eq!(heap.display(list).to_string(), "[3, 4, -5]");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `key`; [`Error::NoOrder`] if the keys are neither all numbers nor
    /// all texts; [`Error::Sealed`] or [`Error::Stale`] if a key is sealed, or was freed;
    /// [`Error::Changed`] if the list has other cells or another length after the last call
    /// of `key` than before the first; [`Error::NotAHandle`], [`Error::Sealed`],
    /// [`Error::WrongKind`] or [`Error::Stale`] if `list` is no handle of a live object of
    /// kind `K`, before the first call or after the last; [`Error::Limit`] or
    /// [`Error::OutOfMemory`] if scratch memory or the list of pins cannot grow. The list is
    /// as it was before, or as `key` left it.
    pub fn sort_by_key<K: Mutable<Element = Cell>, E: From<Error>>(
        &mut self,
        list: impl AsHandle<K>,
        key: impl FnMut(&mut Heap, Cell) -> Result<Cell, E>,
    ) -> Result<(), E> {
        natural::sort_by_made_keys(self, list, key)
    }
}
