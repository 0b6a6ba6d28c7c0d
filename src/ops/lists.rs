//! Operations on lists that allocate, compare in the natural order, or call code of the VM.

use super::decide::decide;
use super::sort::natural_order;
use crate::heap::Heap;
use crate::object::{Growable, Sequence};
use crate::ops::ConvertTo;
use crate::words::{AsHandle, Cell, Error, Handle, Result, out_of_range};

impl Heap {
    /// Removes the elements of a list (or of another growable sequence of cells) for which
    /// `keeps` returns false. The order of the others stays. O(len); takes scratch memory for
    /// 2 len cells at most.
    ///
    /// `keeps` gets the heap, and may allocate, collect and change other objects. It is
    /// called for every element before the first one is removed, and fails the operation if
    /// it has changed the list itself.
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[3.into(), 1.into(), 2.into()]))?;
    /// heap.retain(list, |heap, cell| heap.cmp_int(cell, 1.into()).map(|order| order.is_gt()))?;
    /// assert_eq!(heap.display(list).to_string(), "[3, 2]");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `keeps`; [`Error::Changed`] if `keeps` has changed the list;
    /// [`Error::Frozen`] if the list is frozen; [`Error::NotAHandle`], [`Error::Sealed`],
    /// [`Error::WrongKind`] or [`Error::Stale`] if `list` is no handle of a live object of kind `K`, before the first call of `keeps` or
    /// after the last; [`Error::Limit`] or [`Error::OutOfMemory`] if scratch memory cannot
    /// grow. The list is as it was before, or as `keeps` left it.
    pub fn retain<K: Growable<Element = Cell>, E: From<Error>>(
        &mut self,
        list: impl AsHandle<K>,
        mut keeps: impl FnMut(&mut Heap, Cell) -> Result<bool, E>,
    ) -> Result<(), E> {
        let keeps = |heap: &mut Heap, item: &[Cell]| match *item {
            [cell] => keeps(heap, cell),
            _ => Ok(true),
        };
        decide::<K, E>(self, list, 1, keeps, |heap, kept| {
            heap.get_mut(list)?.keep(|n, _| kept.get(n).copied().unwrap_or(true))
        })
    }

    /// Removes all but the first one of equal elements that follow each other, by an equality
    /// of the VM: `same` gets the last element that is kept, and the one after it. As
    /// [`Heap::retain`] in all else.
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let [one, same] = [heap.string("one text")?, heap.string("one text")?];
    /// let list = heap.alloc(List::of(&[one, same, 1.into(), same]))?;
    /// heap.dedup_by(list, |heap, a, b| heap.key_eq(a, b))?;
    /// assert_eq!(heap.display(list).to_string(), r#"["one text", 1, "one text"]"#);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::retain`], of `same`.
    pub fn dedup_by<K: Growable<Element = Cell>, E: From<Error>>(
        &mut self,
        list: impl AsHandle<K>,
        mut same: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut kept = None;
        self.retain(list, |heap, cell| {
            if let Some(last) = kept
                && same(heap, last, cell)?
            {
                return Ok(false);
            }
            kept = Some(cell);
            Ok(true)
        })
    }

    /// Cuts an object to its first `at` elements, and allocates one of the same kind with the
    /// others. O(elements moved).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into(), 2.into(), 3.into()]))?;
    /// let rest = heap.split_off(list, 1)?;
    /// assert_eq!(heap.display(list).to_string(), "[1]");
    /// assert_eq!(heap.display(rest).to_string(), "[2, 3]");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::get_mut`]; [`Error::OutOfRange`] if `at` is beyond the length. If the other
    /// object cannot be allocated, as for [`Heap::alloc`]: [`Error::Limit`],
    /// [`Error::ArenaFull`] or [`Error::OutOfMemory`]. The heap is unchanged.
    pub fn split_off<K: Growable + ConvertTo<K>>(
        &mut self,
        object: impl AsHandle<K>,
        at: usize,
    ) -> Result<Handle<K>> {
        // Before anything is allocated: a frozen object keeps its elements.
        let len = self.get_mut(object)?.view().len();
        if at > len {
            return Err(out_of_range(at, len));
        }
        let rest = self.convert_across::<K>(object.into().to_handle::<K>()?, at..)?;
        self.get_mut(object)?.truncate(at)?;
        Ok(rest)
    }

    /// Finds a cell in a list (or another sequence of cells) that is sorted as by
    /// [`Heap::sort`]: the index of an element that is equal in the natural order, or as an
    /// error the index where one could be inserted. O(log len) comparisons. Arrays of numbers
    /// have it as slices: `heap.get(array)?.as_slice().binary_search(&7)`.
    ///
    /// If the list is not sorted, the result is unspecified.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into(), 2.5.into(), 7.into()]))?;
    /// assert_eq!(heap.binary_search(list, 7.0.into())?, Ok(2));
    /// assert_eq!(heap.binary_search(list, 2.into())?, Err(1));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoOrder`] if an element that is looked at and `cell` are neither numbers nor
    /// texts, both of them; [`Error::Sealed`] or [`Error::Stale`] if one of them is sealed or
    /// was freed; as [`Heap::get`] of `list`, before all else.
    pub fn binary_search<K: Sequence<Element = Cell>>(
        &self,
        list: impl AsHandle<K>,
        cell: Cell,
    ) -> Result<core::result::Result<usize, usize>> {
        let cells = self.get(list)?.as_slice();
        let mut failed = None;
        let found = cells.binary_search_by(|&other| {
            natural_order(&self.store, other, cell).unwrap_or_else(|error| {
                failed = failed.or(Some(error));
                core::cmp::Ordering::Equal
            })
        });
        failed.map_or(Ok(found), Err)
    }

    /// Returns the number of elements at the beginning of a list (or of another sequence of
    /// cells) for which `holds` returns true, if it does for none after the first one for
    /// which it returns false. O(log len) calls. With it, code of the VM searches a sorted
    /// list.
    ///
    /// `holds` gets the heap, and may do anything with it. If it changes the list, or holds
    /// here and there, the result is some index up to the length that the list had.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into(), 3.into(), 5.into()]))?;
    /// let below = |heap: &mut Heap, cell| heap.cmp_int(cell, 4.into()).map(|order| order.is_lt());
    /// assert_eq!(heap.partition_point(list, below)?, 2);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `holds`; [`Error::Changed`] if `holds` has cut the list;
    /// [`Error::Frozen`] if the list is frozen; [`Error::NotAHandle`], [`Error::Sealed`],
    /// [`Error::WrongKind`] or [`Error::Stale`] if `list` is no handle of a live object of kind `K`, before one of the calls.
    pub fn partition_point<K: Sequence<Element = Cell>, E: From<Error>>(
        &mut self,
        list: impl AsHandle<K>,
        mut holds: impl FnMut(&mut Heap, Cell) -> Result<bool, E>,
    ) -> Result<usize, E> {
        let (mut start, mut end) = (0, self.get(list)?.len());
        while start < end {
            let middle = start.midpoint(end);
            let cell = self.get(list)?.as_slice().get(middle).copied();
            if holds(self, cell.ok_or(Error::Changed)?)? {
                start = middle.saturating_add(1);
            } else {
                end = middle;
            }
        }
        Ok(start)
    }
}
