//! Objects as the code of their kind context them: a [`View`] to read, a
//! [`ViewMut`] to change, an [`ObjectInit`] to begin with. Each has one arena in hand
//! and no other.

use core::fmt;
use core::marker::PhantomData;
use core::ops::RangeBounds;

use super::keys::Context;
use crate::arena::{Arena, Resources, Slot};
use crate::words::{
    Element, HasKind, Result, Shape, corrupt, object_len, out_of_range, range, to_usize,
};

/// A kind of object, as a type: one of the twelve. What the heap has to know of
/// a kind is written here once, in the kind's own file.
pub trait Object: HasKind {
    /// How an object lies in its block.
    #[doc(hidden)]
    const SHAPE: Shape;
    /// What this kind's code context beside its own arena.
    #[doc(hidden)]
    type Context: Context;
}

/// A kind whose objects are sequences of elements of one type.
pub trait Sequence: Object {
    /// What the elements are.
    type Element: Element;
}

/// A [`Sequence`] whose elements may be overwritten.
pub trait Mutable: Sequence {}

/// A [`Mutable`] sequence that may become longer and shorter.
pub trait Growable: Mutable {}

/// A [`Growable`] array of values (numbers or cells) and nothing else. Bulk copies
/// lead from each of these kinds to each.
pub trait ValueArray: Growable {}

type Seen<'h, K> = <<K as Object>::Context as Context>::For<'h>;

/// An object to read; lives for one instruction.
#[derive(Clone, Copy)]
pub struct View<'h, K: Object> {
    pub(crate) words: &'h [u64],
    pub(crate) len: u32,
    pub(crate) context: Seen<'h, K>,
    kind: PhantomData<K>,
}

impl<'h, K: Object> View<'h, K> {
    #[inline(always)]
    pub(crate) fn new(arena: &'h Arena, slot: Slot, context: Seen<'h, K>) -> Result<Self> {
        let words = arena.words(slot, K::SHAPE.words(slot.len, slot.cap))?;
        Ok(View { words, len: slot.len, context, kind: PhantomData })
    }

    /// The same view, in memory of its own: a call that is rarely made is given
    /// this one, so that the view itself may stay in registers.
    #[inline(always)]
    pub(crate) fn spill(self) -> Self {
        View { words: self.words, len: self.len, context: self.context, kind: PhantomData }
    }

    /// The words of the object.
    pub(crate) const fn words(self) -> &'h [u64] {
        self.words
    }

    /// Header word `n`; 0 in an object that has no block.
    #[inline(always)]
    pub(crate) fn header(&self, n: usize) -> u64 {
        self.words.get(n).copied().unwrap_or(0)
    }
}

impl<'h, K: Sequence> View<'h, K> {
    /// Number of elements.
    #[inline(always)]
    pub fn len(self) -> usize {
        to_usize(self.len)
    }

    /// Whether there are no elements.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The elements, in order. O(1).
    #[inline(always)]
    pub fn as_slice(self) -> &'h [K::Element] {
        let body = self.words.get(to_usize(K::SHAPE.header)..).unwrap_or_default();
        K::Element::slice(body).get(..to_usize(self.len)).unwrap_or_default()
    }

    /// Element `index`. O(1).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    #[inline(always)]
    pub fn get(self, index: usize) -> Result<K::Element> {
        self.as_slice().get(index).copied().ok_or_else(|| out_of_range(index, to_usize(self.len)))
    }

    /// The elements in `range`. O(1).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn slice(self, range: impl RangeBounds<usize>) -> Result<&'h [K::Element]> {
        let range = crate::words::range(range, self.len())?;
        self.as_slice().get(range).ok_or_else(corrupt)
    }
}

impl<K: Object> fmt::Debug for View<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({}, {} elements)", K::KIND, self.len)
    }
}

/// An object to change; lives for one instruction.
pub struct ViewMut<'h, K: Object> {
    pub(crate) arena: &'h mut Arena,
    pub(crate) resources: &'h mut Resources,
    pub(crate) index: u32,
    pub(crate) context: Seen<'h, K>,
    kind: PhantomData<K>,
}

impl<'h, K: Object> ViewMut<'h, K> {
    /// `index` is that of a live slot of `arena`.
    #[inline(always)]
    pub(crate) fn new(
        arena: &'h mut Arena,
        resources: &'h mut Resources,
        index: u32,
        context: Seen<'h, K>,
    ) -> Self {
        ViewMut { arena, resources, index, context, kind: PhantomData }
    }

    /// The same object, to read.
    pub fn view(&self) -> Result<View<'_, K>> {
        View::new(
            self.arena,
            self.arena.slot(self.index)?,
            K::Context::with_own(self.context, self.arena),
        )
    }
}

impl<'h, K: Mutable> ViewMut<'h, K> {
    /// The elements, in order, to change in place. O(1).
    ///
    /// # Errors
    /// None that a caller could bring about.
    #[inline(always)]
    pub fn as_mut_slice(&mut self) -> Result<&mut [K::Element]> {
        elements::<K>(self.arena, self.index).ok_or_else(corrupt)
    }

    /// Overwrites element `index`. O(1).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    #[inline(always)]
    pub fn set(&mut self, index: usize, element: K::Element) -> Result<()> {
        match elements::<K>(self.arena, self.index).and_then(|elements| elements.get_mut(index)) {
            Some(place) => *place = element,
            None => return Err(out_of_range(index, to_usize(self.arena.slot(self.index)?.len))),
        }
        Ok(())
    }

    /// Overwrites the elements in `range`. O(length of the range).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn fill(&mut self, range: impl RangeBounds<usize>, element: K::Element) -> Result<()> {
        self.slice_mut(range)?.fill(element);
        Ok(())
    }

    /// The elements in `range`, to change in place. O(1).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn slice_mut(&mut self, bounds: impl RangeBounds<usize>) -> Result<&mut [K::Element]> {
        let elements = self.as_mut_slice()?;
        let range = range(bounds, elements.len())?;
        elements.get_mut(range).ok_or_else(corrupt)
    }

    /// As [`ViewMut::slice_mut`], for as long as the heap is borrowed.
    pub(crate) fn into_slice_mut(
        self,
        bounds: impl RangeBounds<usize>,
    ) -> Result<&'h mut [K::Element]> {
        let elements = elements::<K>(self.arena, self.index).ok_or_else(corrupt)?;
        let range = range(bounds, elements.len())?;
        elements.get_mut(range).ok_or_else(corrupt)
    }

    /// Copies the elements in `range` to index `to` on; overlap behaves as if
    /// through a temporary. O(length of the range).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for either range; nothing has changed then.
    pub fn copy_within(&mut self, bounds: impl RangeBounds<usize>, to: usize) -> Result<()> {
        let elements = self.as_mut_slice()?;
        let from = range(bounds, elements.len())?;
        range(to..to.saturating_add(from.len()), elements.len())?;
        elements.copy_within(from, to);
        Ok(())
    }

    /// Reverses the order of the elements. O(n).
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn reverse(&mut self) -> Result<()> {
        self.as_mut_slice()?.reverse();
        Ok(())
    }
}

/// The length of an object, and all elements that its block has room for.
#[inline(always)]
fn body<K: Sequence>(arena: &mut Arena, index: u32) -> Option<(&mut u32, &mut [K::Element])> {
    let (slot, block) = arena.write(index)?;
    let body = block.get_mut(to_usize(K::SHAPE.header)..).unwrap_or_default();
    Some((&mut slot.len, K::Element::slice_mut(body)))
}

#[inline(always)]
fn elements<K: Sequence>(arena: &mut Arena, index: u32) -> Option<&mut [K::Element]> {
    let (len, body) = body::<K>(arena, index)?;
    body.get_mut(..to_usize(*len))
}

/// The length of an object, and the element behind it if its block has room.
#[inline(always)]
fn first_spare<K: Growable>(arena: &mut Arena, index: u32) -> Option<(&mut u32, &mut K::Element)> {
    let (len, body) = body::<K>(arena, index)?;
    let place = body.get_mut(to_usize(*len))?;
    // A block of 2^32 - 1 words can hold more bytes than that, but not words.
    (K::Element::PER_WORD == 1 || *len < u32::MAX).then_some((len, place))
}

#[cold]
fn push_grown<K: Growable>(
    arena: &mut Arena,
    resources: &mut Resources,
    index: u32,
    element: K::Element,
) -> Result<()> {
    arena.reserve(resources, index, 1)?;
    let (len, place) = first_spare::<K>(arena, index).ok_or_else(corrupt)?;
    *place = element;
    *len = len.wrapping_add(1);
    Ok(())
}

impl<K: Growable> ViewMut<'_, K> {
    /// Adds an element at the end. Amortised O(1).
    ///
    /// # Errors
    /// A limit or no memory; nothing has changed then.
    #[inline(always)]
    pub fn push(&mut self, element: K::Element) -> Result<()> {
        // The parts are passed on, not `self`, which would have to be in memory
        // for that.
        match first_spare::<K>(self.arena, self.index) {
            Some((len, place)) => {
                *place = element;
                *len = len.wrapping_add(1);
                Ok(())
            }
            None => push_grown::<K>(self.arena, self.resources, self.index, element),
        }
    }

    /// Makes room for `additional` more elements. O(length) when the object has
    /// to move.
    ///
    /// # Errors
    /// A limit or no memory; nothing has changed then.
    pub fn reserve(&mut self, additional: usize) -> Result<()> {
        self.arena.reserve(self.resources, self.index, additional)
    }

    /// Opens a gap of `count` elements before `index`, which hold anything.
    fn splice(&mut self, index: usize, count: usize) -> Result<&mut [K::Element]> {
        let len = to_usize(self.arena.slot(self.index)?.len);
        if index > len {
            return Err(out_of_range(index, len));
        }
        self.reserve(count)?;
        self.arena.set_len(self.index, object_len(len.saturating_add(count))?)?;
        let elements = self.as_mut_slice()?;
        let gap = index..index.saturating_add(count);
        elements.copy_within(index..len, gap.end);
        elements.get_mut(gap).ok_or_else(corrupt)
    }

    /// Adds elements at the end. Amortised O(added).
    ///
    /// # Errors
    /// A limit or no memory; nothing has changed then.
    pub fn extend(&mut self, elements: &[K::Element]) -> Result<()> {
        let len = to_usize(self.arena.slot(self.index)?.len);
        self.splice(len, elements.len())?.copy_from_slice(elements);
        Ok(())
    }

    /// Puts an element before `index`, or at the end for `index == len`. O(n).
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; a limit or no memory. NoContext has changed then.
    pub fn insert(&mut self, index: usize, element: K::Element) -> Result<()> {
        self.splice(index, 1)?.fill(element);
        Ok(())
    }

    /// Takes element `index` out; those behind it move up. O(n).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn remove(&mut self, index: usize) -> Result<K::Element> {
        let elements = self.as_mut_slice()?;
        let len = elements.len();
        let removed = *elements.get(index).ok_or_else(|| out_of_range(index, len))?;
        elements.copy_within(index.saturating_add(1).., index);
        self.truncate(len.saturating_sub(1))?;
        Ok(removed)
    }

    /// Takes the last element off, if there is one. O(1).
    ///
    /// # Errors
    /// None that a caller could bring about.
    #[inline]
    pub fn pop(&mut self) -> Result<Option<K::Element>> {
        let popped = self.as_mut_slice()?.last().copied();
        let len = self.arena.slot(self.index)?.len;
        self.arena.truncate(self.index, len.saturating_sub(1))?;
        Ok(popped)
    }

    /// Cuts the sequence back to `len` elements; a shorter one stays as it is.
    /// Capacity is kept. O(1).
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        self.arena.truncate(self.index, u32::try_from(len).unwrap_or(u32::MAX))
    }

    /// Makes the sequence `len` elements long: cut back, or filled up with
    /// `element`. Amortised O(added).
    ///
    /// # Errors
    /// A limit or no memory; nothing has changed then.
    pub fn resize(&mut self, len: usize, element: K::Element) -> Result<()> {
        let old = to_usize(self.arena.slot(self.index)?.len);
        match len.checked_sub(old) {
            Some(added) => self.splice(old, added)?.fill(element),
            None => self.truncate(len)?,
        }
        Ok(())
    }
}

impl<K: Object> fmt::Debug for ViewMut<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ViewMut({}#{})", K::KIND, self.index)
    }
}

/// Where an iteration over an object stands: `Copy`, borrows nothing, and fits
/// into a VM's frame. It starts at [`Cursor::default`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Number of the next element, or sequence number of the next entry.
    pub(crate) next: u64,
    /// Where that entry was last.
    pub(crate) hint: u32,
}

impl<K: Sequence> View<'_, K> {
    /// The element at the cursor, which moves on; `None` at the end. O(1). The
    /// cursor counts elements: insertions and removals before it shift what it
    /// meets next.
    pub fn next(self, cursor: &mut Cursor) -> Option<K::Element> {
        let element = *self.as_slice().get(usize::try_from(cursor.next).ok()?)?;
        cursor.next = cursor.next.saturating_add(1);
        Some(element)
    }
}
