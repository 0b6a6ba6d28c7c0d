//! Sorting by a comparison that may run code of the VM.

use core::cmp::Ordering;

use bumpalo::collections::Vec;

use crate::arena::reserve;
use crate::heap::Heap;
use crate::object::Mutable;
use crate::words::{AsHandle, Cell, Error, corrupt};

impl Heap {
    /// Sorts the cells of a list (or of another sequence of cells) by `compare`. The
    /// sort is stable: a bottom-up merge sort with O(n log n) comparisons, in scratch
    /// memory for 3 n cells.
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
    /// heap.sort_by(list, |heap, a, b| heap.cmp_int(a, b))?;
    /// assert_eq!(heap.display(list).to_string(), "[1, 2, 3]");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `compare`; [`Error::ChangedDuringSort`] if the list has other
    /// cells or another length after the last comparison than before the first; [`Error::NotAHandle`],
    /// [`Error::Sealed`], [`Error::WrongKind`] or [`Error::Stale`] if `list` is no
    /// handle of a live object of kind `K`, before the first comparison or after the
    /// last; [`Error::Limit`] or [`Error::OutOfMemory`] if scratch memory cannot grow.
    /// The list is as it was before, or as `compare` left it.
    pub fn sort_by<K: Mutable<Element = Cell>, E: From<Error>>(
        &mut self,
        list: impl AsHandle<K>,
        mut compare: impl FnMut(&mut Heap, Cell, Cell) -> Result<Ordering, E>,
    ) -> Result<(), E> {
        self.with_scratch(|heap, scratch| {
            let cells = heap.get(list)?.as_slice();
            // One buffer, which is in one chunk: the next sort finds room there.
            let mut buffer = Vec::new_in(scratch.bump);
            reserve(&mut buffer, cells.len().saturating_mul(3))?;
            (0..3).for_each(|_| buffer.extend_from_slice(cells));
            let (before, work) = buffer.split_at_mut_checked(cells.len()).ok_or_else(corrupt)?;
            let halves = work.split_at_mut_checked(before.len()).ok_or_else(corrupt)?;
            let (mut from, mut to) = halves;
            // The comparisons may allocate: scratch memory counts against the limit.
            scratch.charge_sort(heap.store.account_mut());
            let mut width = 1_usize;
            while width < from.len() {
                let double = width.saturating_mul(2);
                for (run, to) in from.chunks(double).zip(to.chunks_mut(double)) {
                    let (left, right) = run.split_at_checked(width).unwrap_or((run, &[]));
                    if let Err(error) = merge(heap, left, right, to, &mut compare) {
                        return Ok(Err(error));
                    }
                }
                core::mem::swap(&mut from, &mut to);
                width = double;
            }
            let mut view = heap.get_mut(list)?;
            let cells = view.as_mut_slice()?;
            if cells != before {
                return Err(Error::ChangedDuringSort);
            }
            cells.copy_from_slice(from);
            Ok(Ok(()))
        })?
    }
}

/// Merges two sorted runs into `to`, which is as long as both.
fn merge<E>(
    heap: &mut Heap,
    left: &[Cell],
    right: &[Cell],
    to: &mut [Cell],
    compare: &mut impl FnMut(&mut Heap, Cell, Cell) -> Result<Ordering, E>,
) -> Result<(), E> {
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    for place in to {
        let next = match (left.peek(), right.peek()) {
            (Some(&a), Some(&b)) if compare(heap, a, b)? == Ordering::Greater => right.next(),
            (Some(_), _) => left.next(),
            (None, _) => right.next(),
        };
        debug_assert!(next.is_some(), "the target is as long as both runs");
        if let Some(cell) = next {
            *place = cell;
        }
    }
    Ok(())
}
