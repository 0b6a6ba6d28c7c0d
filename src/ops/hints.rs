//! Range hints: a range that is checked once and used many times.

use core::fmt;
use core::marker::PhantomData;
use core::ops::RangeBounds;

use crate::heap::{Heap, Store};
use crate::object::{Mutable, Sequence};
use crate::words::{
    AsHandle, Cell, Element, Epoch, Error, Result, object_len, out_of_range, range, to_u64,
    to_usize,
};

/// A range of an object's elements that was checked against the object: `Copy`, 40
/// bytes, without a borrow of the heap.
///
/// A hint may be kept across any change of the heap. Each arena has an epoch, which
/// changes when an object in it is freed, shrunk or moved, and which no other arena of
/// any heap ever has. While the epoch of the hint is that of the arena, an access
/// compares the two and checks the index. Otherwise the next access checks the whole
/// range again, and fails if the object no longer has it. A hint can be narrowed, and
/// never widened.
///
/// A compiler that knows the range of a loop variable passes it to the heap in one of
/// three forms:
///
/// 1. A **window** ([`Heap::window`], [`Heap::window_mut`], or several at once by
///    [`Heap::windows_mut`]) is a slice, valid while the heap is borrowed. A counted
///    loop over it has no checks.
/// 2. A **`RangeHint`** lasts from one instruction of a bytecode loop to the next. An
///    access checks epoch and index, without a load of the slot.
/// 3. A **bulk operation** ([`View::sum`](crate::View::sum), `fill`, `copy_within`,
///    [`Heap::copy_across`] and the like) checks once for the whole loop.
///
/// The compiler has to prove that the loop variable stays in `lo..hi`; an access
/// outside fails with [`Error::OutOfRange`]. A loop runs at full speed if it does not
/// free, shrink or move objects of that kind, and is correct if it does.
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
    /// The handle of the object; of one that cannot change where it lies, marked.
    object: Cell,
    /// Index of the first element in the memory of the arena.
    first: u64,
    /// Index of the first element in the object.
    start: u32,
    len: u32,
    kind: PhantomData<fn() -> K>,
}

const _: () = assert!(size_of::<RangeHint<()>>() == 40);

/// The bit that a marked handle lacks.
const CHANGEABLE: u64 = 1 << 63;

impl<K> RangeHint<K> {
    /// The handle of the object.
    const fn object(&self) -> Cell {
        Cell::raw(self.object.bits() | CHANGEABLE)
    }

    /// A handle, marked as that of a frozen object or of a version that shares its block.
    const fn fixed(object: Cell) -> Cell {
        Cell::raw(object.bits() & !CHANGEABLE)
    }

    #[inline(always)]
    const fn is_fixed(&self) -> bool {
        self.object.bits() & CHANGEABLE == 0
    }
}

impl<K> fmt::Debug for RangeHint<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RangeHint({:?}, {} from {})", self.object(), self.len, self.start)
    }
}

impl Heap {
    /// Returns a hint for a range of an object's elements. O(1). The first hint of an
    /// arena takes an epoch for it, so the heap is borrowed mutably.
    ///
    /// ```
    /// use segheap::{Error, Heap, Kind, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into(), 2.into(), 3.into()]))?;
    /// let mut hint = heap.hint(list, 1..)?;
    /// assert_eq!((hint.len(), hint.get(&heap, 0)?), (2, 2.into()));
    /// heap.free(list)?;
    /// assert_eq!(hint.get(&heap, 0), Err(Error::Stale { kind: Kind::LIST }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`] if `object` is no handle of a live object of kind `K`, as for
    /// [`Heap::get`]; [`Error::OutOfRange`] if the object does not have the range;
    /// [`Error::IdsExhausted`] if the process has used up its epochs.
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

    /// Returns the elements in `range` as a slice. O(1). The slice borrows the heap.
    ///
    /// ```
    /// use segheap::{F64Arr, Heap};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(F64Arr::of(&[0.5, 1.5, 2.5]))?;
    /// assert_eq!(heap.window(array, 1..)?, [1.5, 2.5]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`] if `object` is no handle of a live object of kind `K`, as for
    /// [`Heap::get`]; [`Error::OutOfRange`] if the object does not have the range.
    pub fn window<K: Sequence>(
        &self,
        object: impl AsHandle<K>,
        range: impl RangeBounds<usize>,
    ) -> Result<&[K::Element]> {
        self.get(object)?.slice(range)
    }

    /// Returns the elements in `range` as a mutable slice. O(1).
    ///
    /// ```
    /// use segheap::{Bytes, Heap};
    /// let mut heap = Heap::new();
    /// let bytes = heap.alloc(Bytes::zeroed(4))?;
    /// heap.window_mut(bytes, 1..3)?.copy_from_slice(b"ab");
    /// assert_eq!(heap.get(bytes)?.as_slice(), b"\0ab\0");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// The slice borrows the heap, so a window does not outlive a change of its object:
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
    /// [`Error::NotAHandle`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`] if `object` is no handle of a live object of kind `K`, as for
    /// [`Heap::get_mut`]; [`Error::OutOfRange`] if the object does not have the range.
    pub fn window_mut<K: Mutable>(
        &mut self,
        object: impl AsHandle<K>,
        range: impl RangeBounds<usize>,
    ) -> Result<&mut [K::Element]> {
        self.get_mut(object)?.into_slice_mut(range)
    }
}

impl<K: Sequence> RangeHint<K> {
    /// Returns the number of elements in the range. O(1).
    pub fn len(&self) -> usize {
        to_usize(self.len)
    }

    /// Returns whether the range is empty. O(1).
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns a hint for a part of this one's range; `bounds` count from its start.
    /// O(1), without a check of the object.
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[0, 10, 20, 30]))?;
    /// let hint = heap.hint(array, 1..)?; // 10, 20, 30
    /// let mut last = hint.narrow(2..)?;
    /// assert_eq!(last.get(&heap, 0)?, 30);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `bounds` leave this range.
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

    /// Returns element `index` of the range, counted from its start. O(1).
    ///
    /// ```
    /// use segheap::{Bytes, Error, Heap};
    /// let mut heap = Heap::new();
    /// let bytes = heap.alloc(Bytes::of(b"abcd"))?;
    /// let mut hint = heap.hint(bytes, 2..)?;
    /// assert_eq!(hint.get(&heap, 1)?, b'd');
    /// heap.get_mut(bytes)?.truncate(3)?;
    /// assert_eq!(hint.get(&heap, 0), Err(Error::OutOfRange { index: 4, len: 3 }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `index` is not below [`RangeHint::len`], or if the
    /// object no longer has the whole range; [`Error::Stale`] if the object was freed
    /// or belongs to another heap.
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

    /// The place of element `index` in the memory of the arena, unless it is out of
    /// range.
    #[inline(always)]
    fn place(&self, index: usize) -> Option<usize> {
        let first = usize::try_from(self.first).ok()?;
        if index < to_usize(self.len) { Some(first.wrapping_add(index)) } else { None }
    }

    /// Checks the range again: the heap is the same, no slot was recycled since, the
    /// object is live and long enough.
    #[cold]
    #[inline(never)]
    fn prove(&mut self, heap: &Heap) -> Result<()> {
        let recycled = heap.store.arena(K::KIND)?.recycled();
        // An epoch that never was one has no age: it counts as older.
        let old = recycled != Epoch::NONE && (self.epoch < recycled || self.epoch == Epoch::NEVER);
        if old || self.heap != heap.ids.heap() {
            return Err(Error::Stale { kind: K::KIND });
        }
        self.refresh(heap)
    }

    /// Checks the range against the object, and takes the epoch of the arena.
    fn refresh(&mut self, heap: &Heap) -> Result<()> {
        let arena = heap.store.arena(K::KIND)?;
        let object = self.object();
        let slot = arena.check(object)?;
        let end = to_usize(self.start).saturating_add(self.len());
        let range = range(to_usize(self.start)..end, to_usize(slot.len))?;
        let bytes = slot.span(arena.shape(), range).start;
        let first = bytes.checked_div(size_of::<K::Element>()).unwrap_or(0);
        let epoch = if arena.epoch() == Epoch::NONE { Epoch::NEVER } else { arena.epoch() };
        (self.epoch, self.first) = (epoch, to_u64(first));
        self.object = if slot.can_change() { object } else { Self::fixed(object) };
        Ok(())
    }
}

impl<K: Mutable> RangeHint<K> {
    /// Overwrites element `index` of the range, counted from its start. O(1).
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::zeroed(4))?;
    /// let mut hint = heap.hint(array, 1..3)?;
    /// hint.set(&mut heap, 0, 7)?;
    /// assert_eq!(heap.get(array)?.as_slice(), [0, 7, 0, 0]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `index` is not below [`RangeHint::len`], or if the
    /// object no longer has the whole range; [`Error::Stale`] if the object was freed
    /// or belongs to another heap.
    #[inline(always)]
    pub fn set(&mut self, heap: &mut Heap, index: usize, element: K::Element) -> Result<()> {
        if self.epoch != heap.store.arena(K::KIND)?.epoch() {
            self.prove(heap)?;
        }
        // A cold path finds out that the object is frozen, or gives a version a block of its own.
        let place = if self.is_fixed() { None } else { self.place(index) };
        let arena = heap.store.arena_mut(K::KIND)?;
        let written =
            place.and_then(|place| arena.write_element(self.object.slot(), place, element));
        match written {
            Some(()) => Ok(()),
            None => self.set_cold(&mut heap.store, index, element),
        }
    }

    /// [`RangeHint::set`] of an object that only a cold path may open, or beyond the range.
    #[cold]
    #[inline(never)]
    fn set_cold(&self, store: &mut Store, index: usize, element: K::Element) -> Result<()> {
        let outside = || out_of_range(index, self.len());
        let at = to_usize(self.start).checked_add(index).filter(|_| index < self.len());
        let at = at.ok_or_else(outside)?;
        store.get_mut::<K>(self.object())?.set(at, element)
    }
}
