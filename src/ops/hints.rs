//! Range hints: a range proved once, used many times.

use core::fmt;
use core::marker::PhantomData;
use core::ops::RangeBounds;

use crate::heap::Heap;
use crate::object::{Mutable, Sequence};
use crate::words::{
    AsHandle, Cell, Element, Epoch, Error, Result, object_len, out_of_range, range, to_u64,
    to_usize,
};

/// A range of an object's elements, proved to exist: `Copy`, without a borrow.
///
/// It survives every change of the heap. As long as nothing in its arena was
/// freed, shrunk or moved, it is redeemed by one compare of an epoch that no
/// other heap and no other time has; after that, the next use proves it again,
/// or answers an error. It can be narrowed and never widened.
///
/// A compiler that knows the range of a loop variable has three ways to say so,
/// from the shortest lived to the one that a bytecode loop can keep:
///
/// 1. A **window** ([`Heap::window`], [`Heap::window_mut`], or several at once by
///    [`Heap::windows_mut`]): a slice, for as long as the heap is borrowed. A
///    counted loop over it has no check at all.
/// 2. A **`RangeHint`**: a token without a borrow. Each access compares one
///    epoch and the index; the slot is not looked at.
/// 3. A **bulk operation** ([`View::sum`](crate::View::sum) and its kin, `fill`,
///    `copy_within`, [`Heap::copy_across`]): one check serves the whole loop.
///
/// What has to hold: the loop variable stays in `lo..hi`, proved when the window
/// or the hint is made; and for full speed, the loop neither frees nor shrinks
/// nor outgrows an object of that kind (the hint is then proved again at its
/// next use, or refused).
///
/// ```
/// use segheap::{Error, Heap, I64Arr};
/// let mut heap = Heap::new();
/// let array = heap.alloc(I64Arr::of(&[1, 2, 3, 4, 5]))?;
/// // for i in 1..4 { total += array[i] }, lowered in all three ways:
/// let mut total = [0, 0, 0];
/// for value in heap.window(array, 1..4)? {
///     total[0] += value;
/// }
/// let mut hint = heap.hint(array, 1..4)?;
/// for i in 0..3 {
///     total[1] += hint.get(&heap, i)?; // an instruction may allocate between two of these
/// }
/// total[2] = i64::try_from(heap.get(array)?.sum(1..4)?).unwrap();
/// assert_eq!(total, [9, 9, 9]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct RangeHint<K> {
    epoch: Epoch,
    heap: Epoch,
    object: Cell,
    /// First element, counted from the beginning of the payload.
    first: u64,
    /// First element, counted from the beginning of the object.
    start: u32,
    len: u32,
    kind: PhantomData<fn() -> K>,
}

const _: () = assert!(size_of::<RangeHint<()>>() == 40);

impl<K> fmt::Debug for RangeHint<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RangeHint({:?}, {} from {})", self.object, self.len, self.start)
    }
}

impl Heap {
    /// A hint for a range of an object's elements. O(1).
    ///
    /// # Errors
    /// Those of [`Heap::get`]; [`Error::OutOfRange`].
    pub fn hint<K: Sequence>(
        &mut self,
        object: impl AsHandle<K>,
        bounds: impl RangeBounds<usize>,
    ) -> Result<RangeHint<K>> {
        let object = object.into();
        let arena = self.store.arena_mut(K::KIND)?;
        let range = range(bounds, to_usize(arena.check(object)?.len))?;
        arena.start_epoch()?;
        let mut hint = RangeHint {
            epoch: Epoch::NEVER,
            heap: self.ids.identify()?,
            object,
            first: 0,
            start: object_len(range.start)?,
            len: object_len(range.len())?,
            kind: PhantomData,
        };
        hint.refresh(self)?;
        Ok(hint)
    }

    /// The elements in `range`, for as long as the heap is borrowed. O(1).
    ///
    /// # Errors
    /// Those of [`Heap::get`]; [`Error::OutOfRange`].
    pub fn window<K: Sequence>(
        &self,
        object: impl AsHandle<K>,
        range: impl RangeBounds<usize>,
    ) -> Result<&[K::Element]> {
        self.get(object)?.slice(range)
    }

    /// The elements in `range`, to change in place. O(1). A window does not
    /// outlive a change of the heap:
    ///
    /// ```compile_fail
    /// # use segheap::{Bytes, Heap};
    /// # let mut heap = Heap::new();
    /// # let bytes = heap.alloc(Bytes::zeroed(4)).unwrap();
    /// let window = heap.window_mut(bytes, 1..3).unwrap();
    /// heap.get_mut(bytes).unwrap().truncate(0).unwrap();
    /// window[0] = 1;
    /// ```
    ///
    /// # Errors
    /// Those of [`Heap::get`]; [`Error::OutOfRange`].
    pub fn window_mut<K: Mutable>(
        &mut self,
        object: impl AsHandle<K>,
        range: impl RangeBounds<usize>,
    ) -> Result<&mut [K::Element]> {
        self.get_mut(object)?.into_slice_mut(range)
    }
}

impl<K: Sequence> RangeHint<K> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        to_usize(self.len)
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A hint for a part of this one's range, counted from its start. O(1).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn narrow(&self, bounds: impl RangeBounds<usize>) -> Result<RangeHint<K>> {
        let range = range(bounds, self.len())?;
        let skipped = object_len(range.start)?;
        Ok(RangeHint {
            first: self.first.wrapping_add(u64::from(skipped)),
            start: self.start.wrapping_add(skipped),
            len: object_len(range.len())?,
            ..*self
        })
    }

    /// Element `index` of the range. O(1).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] outside the range; [`Error::Stale`] if the object
    /// is gone or belongs to another heap; [`Error::OutOfRange`] if it no longer
    /// has the whole range.
    #[inline(always)]
    pub fn get(&mut self, heap: &Heap, index: usize) -> Result<K::Element> {
        let arena = heap.store.arena(K::KIND)?;
        if self.epoch != arena.epoch() {
            self.prove(heap)?;
        }
        self.place(index)
            .and_then(|place| K::Element::slice(arena.memory().words()).get(place).copied())
            .ok_or_else(|| out_of_range(index, self.len()))
    }

    #[inline(always)]
    fn place(&self, index: usize) -> Option<usize> {
        let first = usize::try_from(self.first).ok()?;
        if index < to_usize(self.len) { Some(first.wrapping_add(index)) } else { None }
    }

    /// Proves the range again: same heap, no revived slot, live object, long
    /// enough.
    #[cold]
    #[inline(never)]
    fn prove(&mut self, heap: &Heap) -> Result<()> {
        let recycled = heap.store.arena(K::KIND)?.recycled();
        let old = recycled != Epoch::NONE && (self.epoch < recycled || self.epoch == Epoch::NEVER);
        if old || self.heap != heap.ids.heap() {
            return Err(Error::Stale { kind: K::KIND });
        }
        self.refresh(heap)
    }

    fn refresh(&mut self, heap: &Heap) -> Result<()> {
        let arena = heap.store.arena(K::KIND)?;
        let slot = arena.check(self.object)?;
        let end = to_usize(self.start).saturating_add(self.len());
        let range = range(to_usize(self.start)..end, to_usize(slot.len))?;
        let bytes = slot.span(arena.shape(), range).start;
        let first = bytes.checked_div(size_of::<K::Element>()).unwrap_or(0);
        let epoch = if arena.epoch() == Epoch::NONE { Epoch::NEVER } else { arena.epoch() };
        (self.epoch, self.first) = (epoch, to_u64(first));
        Ok(())
    }
}

impl<K: Mutable> RangeHint<K> {
    /// Overwrites element `index` of the range. O(1).
    ///
    /// # Errors
    /// As [`RangeHint::get`].
    #[inline(always)]
    pub fn set(&mut self, heap: &mut Heap, index: usize, element: K::Element) -> Result<()> {
        if self.epoch != heap.store.arena(K::KIND)?.epoch() {
            self.prove(heap)?;
        }
        let place = self.place(index);
        let arena = heap.store.arena_mut(K::KIND)?;
        let written =
            place.and_then(|place| arena.write_element(self.object.slot(), place, element));
        written.ok_or_else(|| out_of_range(index, self.len()))
    }
}
