//! [`ViewMut`]: an object to change.

use core::fmt;
use core::marker::PhantomData;
use core::ops::RangeBounds;

use super::body::{
    body_to_store, dense_body, dense_body_to_cut, elements, first_spare, pop_cold, pop_last,
    push_grown, push_with_header, push_with_header_grown, set_cold,
};
use super::keys::Context;
use super::keys::Keys;
use super::view::{Growable, Mutable, Object, View};
use crate::arena::{Arena, Arenas, Resources};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Result, copy, corrupt, object_len, out_of_range, range, to_usize};

/// A short-lived borrow of an object to change, from
/// [`Heap::get_mut`](crate::Heap::get_mut).
///
/// The methods of all [`Mutable`] and [`Growable`] sequences come first below; those
/// of one kind are under `ViewMut<'_, Map>` and so on.
///
/// ```
/// use segheap::{Cell, Heap, List, Map, Struct};
/// let mut heap = Heap::new();
/// let list = heap.alloc(List::new())?;
/// let map = heap.alloc(Map::new())?;
/// let point = heap.alloc(Struct::new(0, 2))?;
///
/// // Push to a list.
/// heap.get_mut(list)?.push(7.into())?;
/// // Iterate a map, and change its values.
/// heap.get_mut(map)?.insert(1.into(), 10.into())?;
/// let keys: Vec<Cell> = heap.get(map)?.iter().map(|(key, _)| key).collect();
/// for key in keys {
///     heap.get_mut(map)?.insert(key, list.into())?;
/// }
/// // Write a field, of an object whose handle is in a register.
/// let register = Cell::from(point);
/// heap.get_mut::<Struct>(register)?.set(1, map.into())?;
///
/// assert_eq!(heap.display(point).to_string(), "Struct<0>{null, {1: [7]}}");
/// # Ok::<(), segheap::Error>(())
/// ```
pub struct ViewMut<'h, K: Object> {
    pub(super) arenas: &'h mut Arenas,
    pub(super) resources: &'h mut Resources,
    pub(super) index: u32,
    /// Whether the slot is known to be a dense one: known at compile time on hot paths, so
    /// that these look the slot up once.
    is_dense: bool,
    kind: PhantomData<K>,
}

impl<'h, K: Object> ViewMut<'h, K> {
    /// The object in slot `index` of the arena of its kind, which is live and may change.
    #[inline(always)]
    pub(crate) fn new(
        arenas: &'h mut Arenas,
        resources: &'h mut Resources,
        index: u32,
        is_dense: bool,
    ) -> Self {
        ViewMut { arenas, resources, index, is_dense, kind: PhantomData }
    }

    #[inline(always)]
    pub(super) fn arena_mut(&mut self) -> Result<&mut Arena> {
        self.arenas.get_mut(K::KIND).ok_or_else(corrupt)
    }

    #[inline(always)]
    pub(super) fn len(&self) -> Result<usize> {
        let arena = self.arenas.get(K::KIND).ok_or_else(corrupt)?;
        Ok(to_usize(arena.slot(self.index)?.len))
    }

    /// Returns a view of the same object, to read. O(1).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[7.into()]))?;
    /// let mut open = heap.get_mut(list)?;
    /// let first = open.view().get(0)?;
    /// open.push(first)?;
    /// assert_eq!(open.view().len(), 2);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn view(&self) -> View<'_, K> {
        let context = K::Context::of(Keys::new(self.arenas));
        let arena = self.arenas.get(K::KIND).ok_or_else(corrupt);
        let view = arena.and_then(|arena| View::new(arena, arena.slot(self.index)?, context));
        view.unwrap_or_else(|_| View::empty(context))
    }
}

impl<'h, K: Mutable> ViewMut<'h, K> {
    /// Returns the elements, in order, to change in place. O(1).
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[3, 1, 2]))?;
    /// heap.get_mut(array)?.as_mut_slice().sort();
    /// assert_eq!(heap.get(array)?.as_slice(), [1, 2, 3]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline(always)]
    pub fn as_mut_slice(&mut self) -> &mut [K::Element] {
        let elements = elements::<K>(self.arenas, self.index);
        debug_assert!(elements.is_some(), "the object lies in its arena");
        elements.unwrap_or_default()
    }

    /// Overwrites element `index`. O(1).
    ///
    /// ```
    /// use segheap::{Error, Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::new(0, 2))?;
    /// heap.get_mut(point)?.set(1, 4.into())?;
    /// assert_eq!(heap.get(point)?.get(1)?, 4.into());
    /// let beyond = heap.get_mut(point)?.set(2, 4.into());
    /// assert_eq!(beyond, Err(Error::OutOfRange { index: 2, len: 2 }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `index` is not below the length.
    #[inline(always)]
    pub fn set(&mut self, index: usize, element: K::Element) -> Result<()> {
        let arena = self.arenas.get_mut(K::KIND).filter(|_| self.is_dense);
        let header = to_usize(K::SHAPE.header);
        let place = arena.and_then(|arena| arena.element_at_mut(self.index, header, index));
        match place {
            Some(place) => {
                *place = element;
                Ok(())
            }
            None => set_cold::<K>(self.arenas, self.resources, self.index, index, element),
        }
    }

    /// Sets every element in `range` to `element`. O(length of `range`).
    ///
    /// ```
    /// use segheap::{Heap, U8Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(U8Arr::zeroed(4))?;
    /// heap.get_mut(array)?.fill(1..=2, 9)?;
    /// assert_eq!(heap.get(array)?.as_slice(), [0, 9, 9, 0]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range` ends beyond the length or before it starts.
    pub fn fill(&mut self, range: impl RangeBounds<usize>, element: K::Element) -> Result<()> {
        let range = crate::words::range(range, self.len()?)?;
        let body = body_to_store::<K>(self.arenas, self.resources.born, self.index, element);
        let (_, body) = body.ok_or_else(corrupt)?;
        body.get_mut(range).ok_or_else(corrupt)?.fill(element);
        Ok(())
    }

    /// Returns the elements in `range`, to change in place. O(1).
    ///
    /// ```
    /// use segheap::{Bytes, Heap};
    /// let mut heap = Heap::new();
    /// let bytes = heap.alloc(Bytes::of(b"header body"))?;
    /// heap.get_mut(bytes)?.slice_mut(..6)?.make_ascii_uppercase();
    /// assert_eq!(heap.get(bytes)?.as_slice(), b"HEADER body");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range` ends beyond the length or before it starts.
    pub fn slice_mut(&mut self, bounds: impl RangeBounds<usize>) -> Result<&mut [K::Element]> {
        let elements = self.as_mut_slice();
        let range = range(bounds, elements.len())?;
        elements.get_mut(range).ok_or_else(corrupt)
    }

    /// [`ViewMut::slice_mut`], for as long as the heap is borrowed.
    pub(crate) fn into_slice_mut(
        self,
        bounds: impl RangeBounds<usize>,
    ) -> Result<&'h mut [K::Element]> {
        let elements = elements::<K>(self.arenas, self.index).ok_or_else(corrupt)?;
        let range = range(bounds, elements.len())?;
        elements.get_mut(range).ok_or_else(corrupt)
    }

    /// Copies the elements in `range` to those from index `to` on. The two may
    /// overlap. O(length of `range`).
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[1, 2, 3, 4]))?;
    /// heap.get_mut(array)?.copy_within(..3, 1)?;
    /// assert_eq!(heap.get(array)?.as_slice(), [1, 1, 2, 3]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range`, or as many elements from `to` on, are not
    /// all within the length. Nothing has changed then.
    pub fn copy_within(&mut self, bounds: impl RangeBounds<usize>, to: usize) -> Result<()> {
        let elements = self.as_mut_slice();
        let from = range(bounds, elements.len())?;
        range(to..to.saturating_add(from.len()), elements.len())?;
        elements.copy_within(from, to);
        Ok(())
    }

    /// Reverses the order of the elements. O(len).
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn reverse(&mut self) -> Result<()> {
        self.as_mut_slice().reverse();
        Ok(())
    }
}

/// Objects of kinds that have one word of header.
impl<K: Mutable> ViewMut<'_, K> {
    /// Sets the header.
    #[inline(always)]
    pub(crate) fn set_header(&mut self, header: u64) -> Result<()> {
        let index = self.index;
        let opened = self.arena_mut()?.write::<u8>(index).filter(|_| K::SHAPE.header == 1);
        let (_, block) = opened.ok_or_else(corrupt)?;
        *block.first_mut().ok_or_else(corrupt)? = header;
        Ok(())
    }

    /// Sets the header, and appends an element.
    #[inline(always)]
    pub(crate) fn extend_header(&mut self, header: u64, element: K::Element) -> Result<()> {
        match push_with_header::<K>(self.arenas, self.index, header, element) {
            Some(()) => Ok(()),
            None => {
                let ViewMut { arenas, resources, index, .. } = self;
                push_with_header_grown::<K>(arenas, resources, *index, header, element)
            }
        }
    }
}

impl<K: Growable> ViewMut<'_, K> {
    /// Appends an element. Amortised O(1); O(len) when the object moves.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// heap.get_mut(list)?.push(7.into())?;
    /// heap.get_mut(list)?.push(list.into())?;
    /// assert_eq!(heap.get(list)?.as_slice(), [7.into(), list.cell()]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`] if the object cannot grow. Nothing has changed then.
    #[inline(always)]
    pub fn push(&mut self, element: K::Element) -> Result<()> {
        // Passing `self` to the cold function would force it into memory.
        let body = if self.is_dense { dense_body::<K>(self.arenas, self.index) } else { None };
        match body.and_then(first_spare::<K>) {
            Some((len, place)) => {
                *place = element;
                *len = len.wrapping_add(1);
                Ok(())
            }
            None => push_grown::<K>(self.arenas, self.resources, self.index, element),
        }
    }

    /// Reserves capacity for `additional` more elements; doubles the capacity at
    /// least, where the limits allow that. O(1); O(len) when the object moves.
    ///
    /// ```
    /// use segheap::{Heap, Limits, List, Settings};
    /// let mut heap = Heap::with(Settings::seeded(1));
    /// let list = heap.alloc(List::new())?;
    /// heap.get_mut(list)?.reserve(100)?;
    /// heap.set_limits(Limits::NONE.with_bytes(0)); // nothing may grow now
    /// for n in 0..100 {
    ///     heap.get_mut(list)?.push(n.into())?;
    /// }
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`] if the object cannot grow. Nothing has changed then.
    pub fn reserve(&mut self, additional: usize) -> Result<()> {
        let arena = self.arenas.get_mut(K::KIND).ok_or_else(corrupt)?;
        arena.reserve(self.resources, self.index, additional)
    }

    /// Opens a gap of `count` elements before `index`. Their values are unspecified.
    pub(super) fn open_gap(&mut self, index: usize, count: usize) -> Result<&mut [K::Element]> {
        let len = self.len()?;
        if index > len {
            return Err(out_of_range(index, len));
        }
        self.reserve(count)?;
        let slot = self.index;
        self.arena_mut()?.set_len(slot, object_len(len.saturating_add(count))?)?;
        let elements = self.as_mut_slice();
        let gap = index..index.saturating_add(count);
        elements.copy_within(index..len, gap.end);
        elements.get_mut(gap).ok_or_else(corrupt)
    }

    /// Appends elements. Amortised O(number of elements appended); O(len) when the
    /// object moves.
    ///
    /// ```
    /// use segheap::{Bytes, Heap};
    /// let mut heap = Heap::new();
    /// let bytes = heap.alloc(Bytes::of(b"ab"))?;
    /// heap.get_mut(bytes)?.extend(b"cd")?;
    /// assert_eq!(heap.get(bytes)?.as_slice(), b"abcd");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`] if the object cannot grow. Nothing has changed then.
    pub fn extend(&mut self, elements: &[K::Element]) -> Result<()> {
        let body = if self.is_dense { dense_body::<K>(self.arenas, self.index) } else { None };
        if let Some((len, body)) = body {
            let end = to_usize(*len).saturating_add(elements.len());
            let place = body.get_mut(to_usize(*len)..end);
            if let (Some(place), Ok(end)) = (place, u32::try_from(end)) {
                copy(place, elements);
                *len = end;
                return Ok(());
            }
        }
        self.extend_grown(elements)
    }

    /// [`ViewMut::extend`] of an object whose block is full, or that only a cold path may
    /// open.
    #[cold]
    fn extend_grown(&mut self, elements: &[K::Element]) -> Result<()> {
        let len = self.len()?;
        self.open_gap(len, elements.len())?.copy_from_slice(elements);
        Ok(())
    }

    /// Inserts an element before element `index`, or appends it if `index` is the
    /// length. O(len).
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[1, 3]))?;
    /// heap.get_mut(array)?.insert(1, 2)?;
    /// heap.get_mut(array)?.insert(3, 4)?; // at the end
    /// assert_eq!(heap.get(array)?.as_slice(), [1, 2, 3, 4]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `index` is beyond the length; [`Error::Limit`],
    /// [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`] if
    /// the object cannot grow. Nothing has changed then.
    pub fn insert(&mut self, index: usize, element: K::Element) -> Result<()> {
        self.open_gap(index, 1)?.fill(element);
        Ok(())
    }

    /// Removes element `index` and returns it. Later elements move to the index before
    /// theirs, as by [`ViewMut::remove_range`]. O(min(index, len - index)); O(len - index) for
    /// bytes.
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[1, 2, 3]))?;
    /// assert_eq!(heap.get_mut(array)?.remove(0)?, 1);
    /// assert_eq!(heap.get(array)?.as_slice(), [2, 3]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `index` is not below the length.
    pub fn remove(&mut self, index: usize) -> Result<K::Element> {
        let elements = self.as_mut_slice();
        let len = elements.len();
        let removed = *elements.get(index).ok_or_else(|| out_of_range(index, len))?;
        self.close_gap(index..index.saturating_add(1))?;
        Ok(removed)
    }

    /// Removes the last element and returns it, or `None` if there is none. Capacity
    /// is kept. O(1).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let stack = heap.alloc(List::of(&[1.into()]))?;
    /// assert_eq!(heap.get_mut(stack)?.pop()?, Some(1.into()));
    /// assert_eq!(heap.get_mut(stack)?.pop()?, None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    #[inline]
    pub fn pop(&mut self) -> Result<Option<K::Element>> {
        let body =
            if self.is_dense { dense_body_to_cut::<K>(self.arenas, self.index) } else { None };
        match body.and_then(pop_last::<K>) {
            Some(popped) => {
                self.arena_mut()?.note_shrunk();
                Ok(Some(popped))
            }
            None => pop_cold::<K>(self.arenas, self.index),
        }
    }

    /// Removes all elements but the first `len`. A shorter sequence stays as it is.
    /// Capacity is kept. O(1).
    ///
    /// ```
    /// use segheap::{Heap, U8Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(U8Arr::of(&[1, 2, 3]))?;
    /// heap.get_mut(array)?.truncate(5)?; // no effect
    /// heap.get_mut(array)?.truncate(1)?;
    /// assert_eq!(heap.get(array)?.as_slice(), [1]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        let index = self.index;
        self.arena_mut()?.truncate(index, u32::try_from(len).unwrap_or(u32::MAX))
    }

    /// Changes the length to `len`: removes elements from the end, or appends copies
    /// of `element`. Amortised O(number of elements appended); O(len) when the object
    /// moves.
    ///
    /// ```
    /// use segheap::{F64Arr, Heap};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(F64Arr::of(&[1.0]))?;
    /// heap.get_mut(array)?.resize(3, 0.5)?;
    /// assert_eq!(heap.get(array)?.as_slice(), [1.0, 0.5, 0.5]);
    /// heap.get_mut(array)?.resize(2, 0.0)?;
    /// assert_eq!(heap.get(array)?.as_slice(), [1.0, 0.5]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`] if the object cannot grow. Nothing has changed then.
    pub fn resize(&mut self, len: usize, element: K::Element) -> Result<()> {
        let old = self.len()?;
        match len.checked_sub(old) {
            Some(added) => self.open_gap(old, added)?.fill(element),
            None => self.truncate(len)?,
        }
        Ok(())
    }
}

/// Shows the kind and the slot.
impl<K: Object> fmt::Debug for ViewMut<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ViewMut({}#{})", K::KIND, self.index)
    }
}
