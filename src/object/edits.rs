//! Rearranging and removing elements of a sequence, as `Vec` and `VecDeque` do.

use core::ops::{Range, RangeBounds};

use super::view::{Growable, Mutable};
use super::view_mut::ViewMut;
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Result, copy, corrupt, object_len, out_of_range, range};

impl<K: Mutable> ViewMut<'_, K> {
    /// Swaps two elements. O(1).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into(), 2.into(), 3.into()]))?;
    /// heap.get_mut(list)?.swap(0, 2)?;
    /// assert_eq!(heap.display(list).to_string(), "[3, 2, 1]");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `a` or `b`, in this order, is not below the length.
    pub fn swap(&mut self, a: usize, b: usize) -> Result<()> {
        let elements = self.as_mut_slice();
        let len = elements.len();
        for index in [a, b] {
            if index >= len {
                return Err(out_of_range(index, len));
            }
        }
        elements.swap(a, b);
        Ok(())
    }

    /// Rotates the elements so that element `mid` becomes the first one. O(len).
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[1, 2, 3, 4]))?;
    /// heap.get_mut(array)?.rotate_left(1)?;
    /// assert_eq!(heap.get(array)?.as_slice(), [2, 3, 4, 1]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `mid` is beyond the length.
    pub fn rotate_left(&mut self, mid: usize) -> Result<()> {
        let elements = self.as_mut_slice();
        if mid > elements.len() {
            return Err(out_of_range(mid, elements.len()));
        }
        elements.rotate_left(mid);
        Ok(())
    }

    /// Rotates the elements so that the last `count` become the first ones. O(len).
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[1, 2, 3, 4]))?;
    /// heap.get_mut(array)?.rotate_right(1)?;
    /// assert_eq!(heap.get(array)?.as_slice(), [4, 1, 2, 3]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `count` is beyond the length.
    pub fn rotate_right(&mut self, count: usize) -> Result<()> {
        let elements = self.as_mut_slice();
        if count > elements.len() {
            return Err(out_of_range(count, elements.len()));
        }
        elements.rotate_right(count);
        Ok(())
    }
}

impl<K: Growable> ViewMut<'_, K> {
    /// Removes the first element and returns it, or `None` if there is none: with
    /// [`ViewMut::push`], a queue. O(1): the object begins one element later, and what lies
    /// before it is no capacity of the object any more, but space of the arena. O(len) for
    /// bytes, which move.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let queue = heap.alloc(List::of(&[1.into(), 2.into()]))?;
    /// assert_eq!(heap.get_mut(queue)?.pop_front()?, Some(1.into()));
    /// heap.get_mut(queue)?.push(3.into())?;
    /// assert_eq!(heap.display(queue).to_string(), "[2, 3]");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn pop_front(&mut self) -> Result<Option<K::Element>> {
        let Some(&mut first) = self.as_mut_slice().first_mut() else { return Ok(None) };
        self.close_gap(0..1)?;
        Ok(Some(first))
    }

    /// Removes the elements in `range`. Later elements move to its start. O(elements before
    /// the range or after it, whichever are fewer); for bytes, O(elements after it). Capacity
    /// shrinks if those before it move.
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[1, 2, 3, 4, 5]))?;
    /// heap.get_mut(array)?.remove_range(1..3)?;
    /// assert_eq!(heap.get(array)?.as_slice(), [1, 4, 5]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range` ends beyond the length or before it starts. Nothing
    /// has changed then.
    pub fn remove_range(&mut self, bounds: impl RangeBounds<usize>) -> Result<()> {
        let gap = range(bounds, self.len()?)?;
        self.close_gap(gap)
    }

    /// Replaces the elements in `range` by others, of which there may be more or fewer:
    /// assignment to a slice, as some languages have it. Amortised O(elements after the
    /// range + new elements); O(len) when the object moves.
    ///
    /// ```
    /// use segheap::{Heap, U8Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(U8Arr::of(&[1, 2, 3, 4]))?;
    /// heap.get_mut(array)?.splice(1..3, &[7, 8, 9])?;
    /// assert_eq!(heap.get(array)?.as_slice(), [1, 7, 8, 9, 4]);
    /// heap.get_mut(array)?.splice(..4, &[])?;
    /// assert_eq!(heap.get(array)?.as_slice(), [4]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range` ends beyond the length or before it starts;
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`] if the object cannot grow. Nothing has changed then.
    pub fn splice(
        &mut self,
        bounds: impl RangeBounds<usize>,
        elements: &[K::Element],
    ) -> Result<()> {
        let old = range(bounds, self.len()?)?;
        let kept = old.len().min(elements.len());
        let (over, rest) = elements.split_at_checked(kept).unwrap_or_default();
        let end = old.start.saturating_add(kept);
        if rest.is_empty() {
            self.close_gap(end..old.end)?;
        } else {
            copy(self.open_gap(end, rest.len())?, rest);
        }
        let place = self.as_mut_slice().get_mut(old.start..end);
        copy(place.ok_or_else(corrupt)?, over);
        Ok(())
    }

    /// Removes all but the first one of equal elements that follow each other: those that
    /// [`View::find`](crate::View::find) would find. [`Heap::dedup_by`](crate::Heap::dedup_by)
    /// compares by code of the VM. O(len).
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[1, 1, 2, 1]))?;
    /// heap.get_mut(array)?.dedup()?;
    /// assert_eq!(heap.get(array)?.as_slice(), [1, 2, 1]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn dedup(&mut self) -> Result<()> {
        let mut last = None;
        self.keep(|_, element| {
            let repeats = last == Some(element);
            last = Some(element);
            !repeats
        })
    }

    /// Cuts the capacity to the length, as far as size classes allow. O(1). The words go
    /// back to the arena, and to the allocator at the next compaction.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::with_capacity(1_000))?;
    /// heap.get_mut(list)?.push(1.into())?;
    /// heap.get_mut(list)?.shrink_to_fit()?;
    /// assert_eq!(heap.display(list).to_string(), "[1]");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn shrink_to_fit(&mut self) -> Result<()> {
        let len = self.len()?;
        let words = if len == 0 { 0 } else { K::SHAPE.words_for(len) };
        let index = self.index;
        self.arena_mut()?.shrink_to(index, words)
    }

    /// Keeps the elements that `keeps` selects, by index and value, in their order.
    pub(crate) fn keep(&mut self, mut keeps: impl FnMut(usize, K::Element) -> bool) -> Result<()> {
        let elements = self.as_mut_slice();
        let mut kept = 0_usize;
        for index in 0..elements.len() {
            let Some(&element) = elements.get(index) else { break };
            if keeps(index, element)
                && let Some(place) = elements.get_mut(kept)
            {
                *place = element;
                kept = kept.saturating_add(1);
            }
        }
        self.truncate(kept)
    }

    /// Removes elements that exist, by moving those on the side where fewer are.
    pub(super) fn close_gap(&mut self, gap: Range<usize>) -> Result<()> {
        /// Elements that are moved rather than a front cut off: small queues keep their
        /// blocks.
        const FEW: usize = 16;
        let elements = self.as_mut_slice();
        let after = elements.len().saturating_sub(gap.end);
        let rest = gap.start.saturating_add(after);
        if K::SHAPE.can_be_cut() && gap.start < after && rest > FEW && !gap.is_empty() {
            elements.copy_within(..gap.start, gap.len());
            let (index, count) = (self.index, object_len(gap.len())?);
            return self.arena_mut()?.cut_front(index, count);
        }
        elements.copy_within(gap.end.., gap.start);
        self.truncate(rest)
    }
}
