//! [`View`]: an object to read. The traits of kinds, which decide what a view can
//! do. [`Cursor`]: an iteration that borrows nothing.

use core::fmt;
use core::marker::PhantomData;
use core::ops::RangeBounds;

use super::keys::Context;
use super::table::Table;
use crate::arena::{Arena, Slot};
use crate::words::{
    Cell, Element, Elements, Error, HasKind, Kind, Result, Shape, corrupt, out_of_range, to_usize,
};

/// A kind of objects, as a type, such as [`List`](crate::List) or
/// [`Map`](crate::Map). The heap defines all of them; no other types can be.
///
/// ```
/// use segheap::{Cell, Handle, Heap, Kind, List, Object};
/// fn all<K: Object>(heap: &Heap) -> Vec<Handle<K>> {
///     heap.objects::<K>().collect()
/// }
/// let mut heap = Heap::new();
/// let list = heap.alloc(List::new())?;
/// assert_eq!(all::<List>(&heap), [list]);
/// # Ok::<(), segheap::Error>(())
/// ```
pub trait Object: HasKind {
    /// The layout of the objects in their blocks.
    #[doc(hidden)]
    const SHAPE: Shape;
    /// What the operations of this kind read beside its own arena.
    #[doc(hidden)]
    type Context: Context;
}

/// A kind whose objects are sequences of elements of one type: all kinds but maps
/// and sets.
pub trait Sequence: Object {
    /// The type of an element: [`Cell`](crate::Cell), `u8`, `i64`, `f64`, or `u64`
    /// for the limbs of a [`Bignum`](crate::Bignum).
    type Element: Element;
}

/// A [`Sequence`] whose elements can be overwritten: all but
/// [`Str`](crate::Str) and [`Bignum`](crate::Bignum).
pub trait Mutable: Sequence {}

/// A [`Mutable`] sequence whose length can change: lists, bytes, and arrays of
/// numbers.
pub trait Growable: Mutable {}

/// A [`Growable`] array of values: a list, or an array of numbers. There is a bulk
/// copy from each of these kinds to each other
/// ([`Heap::copy_across`](crate::Heap::copy_across)).
pub trait ValueArray: Growable {}

/// The context of a kind's operations, while the heap is borrowed.
pub(super) type ContextOf<'h, K> = <<K as Object>::Context as Context>::For<'h>;

/// A short-lived borrow of an object to read, from [`Heap::get`](crate::Heap::get).
///
/// It is `Copy` and holds what is needed for O(1) access to the elements. The
/// methods of all sequences come first below; those of one kind are under
/// `View<'_, Map>`, `View<'_, Str>` and so on.
///
/// ```
/// use segheap::{Cell, Cursor, Heap, List, Map, Struct};
/// let mut heap = Heap::new();
/// let list = heap.alloc(List::new())?;
/// let map = heap.alloc(Map::new())?;
/// let point = heap.alloc(Struct::new(0, 2))?;
///
/// // Push to a list, insert into a map, write a field: by `ViewMut`.
/// heap.get_mut(list)?.push(7.into())?;
/// heap.get_mut(map)?.insert(1.into(), list.into())?;
/// heap.get_mut(point)?.set(1, 4.into())?;
///
/// // Read an element and the fields.
/// assert_eq!(heap.get(list)?.get(0)?, 7.into());
/// assert_eq!(heap.get(point)?.as_slice(), [Cell::NULL, 4.into()]);
///
/// // Iterate a map while the heap is borrowed.
/// for (key, value) in heap.get(map)?.iter() {
///     assert_eq!((key, value), (1.into(), list.into()));
/// }
/// // Iterate with a cursor, which borrows nothing: the heap may change meanwhile.
/// let mut cursor = Cursor::default();
/// while let Some((_, value)) = heap.get(map)?.next(&mut cursor) {
///     heap.get_mut::<List>(value)?.push(8.into())?;
/// }
/// assert_eq!(heap.get(list)?.len(), 2);
/// # Ok::<(), segheap::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct View<'h, K: Object> {
    pub(crate) words: &'h [u64],
    pub(crate) len: u32,
    pub(crate) context: ContextOf<'h, K>,
    kind: PhantomData<K>,
}

impl<'h, K: Object> View<'h, K> {
    #[inline(always)]
    pub(crate) fn new(arena: &'h Arena, slot: Slot, context: ContextOf<'h, K>) -> Result<Self> {
        let words = arena.words(slot, K::SHAPE.words(slot.len, slot.room))?;
        Ok(View { words, len: slot.len, context, kind: PhantomData })
    }

    /// A view of no words, in place of an object that lies outside of its arena: a bug.
    #[cold]
    pub(super) fn empty(context: ContextOf<'h, K>) -> Self {
        View { words: &[], len: 0, context, kind: PhantomData }
    }

    /// The words in use of the object's block.
    pub(crate) const fn words(self) -> &'h [u64] {
        self.words
    }

    /// Header word `n`; 0 in a table without a block.
    #[inline(always)]
    pub(crate) fn header(&self, n: usize) -> u64 {
        self.words.get(n).copied().unwrap_or(0)
    }
}

impl<'h, K: Sequence> View<'h, K> {
    /// Returns the number of elements: of a [`Str`](crate::Str) bytes, of a
    /// [`Bignum`](crate::Bignum) limbs, of a [`Struct`](crate::Struct) fields.
    #[inline(always)]
    pub fn len(self) -> usize {
        to_usize(self.len)
    }

    /// Returns whether there are no elements.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Returns the elements, in order. O(1).
    ///
    /// ```
    /// use segheap::{F64Arr, Heap};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(F64Arr::of(&[1.5, 2.5]))?;
    /// assert_eq!(heap.get(array)?.as_slice(), [1.5, 2.5]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline(always)]
    pub fn as_slice(self) -> &'h [K::Element] {
        debug_assert!(self.words.len() >= K::SHAPE.words_for(to_usize(self.len)));
        let body = self.words.get(to_usize(K::SHAPE.header)..).unwrap_or_default();
        K::Element::slice(body).get(..to_usize(self.len)).unwrap_or_default()
    }

    /// Returns element `index`. O(1).
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[7.into()]))?;
    /// assert_eq!(heap.get(list)?.get(0)?, 7.into());
    /// let beyond = heap.get(list)?.get(1);
    /// assert_eq!(beyond, Err(Error::OutOfRange { index: 1, len: 1 }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `index` is not below the length.
    #[inline(always)]
    pub fn get(self, index: usize) -> Result<K::Element> {
        self.as_slice().get(index).copied().ok_or_else(|| out_of_range(index, to_usize(self.len)))
    }

    /// Returns the elements in `range`. O(1).
    ///
    /// ```
    /// use segheap::{Error, Heap, U8Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(U8Arr::of(&[1, 2, 3]))?;
    /// assert_eq!(heap.get(array)?.slice(1..)?, [2, 3]);
    /// let beyond = heap.get(array)?.slice(2..4).err();
    /// assert_eq!(beyond, Some(Error::OutOfRange { index: 4, len: 3 }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range` ends beyond the length or before it starts.
    pub fn slice(self, range: impl RangeBounds<usize>) -> Result<&'h [K::Element]> {
        let range = crate::words::range(range, self.len())?;
        self.as_slice().get(range).ok_or_else(corrupt)
    }
}

/// Shows the kind and the number of elements or entries, and whether a table is ordered: a
/// search tree, as the hashes of too many of its keys collide.
impl<K: Object> fmt::Debug for View<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Elements::Entries(stride) = K::SHAPE.elements else {
            return write!(f, "View({}, len {})", K::KIND, self.len);
        };
        let table = Table::new(self.words, self.len, to_usize(stride));
        let ordered = if table.is_ordered() { ", ordered" } else { "" };
        write!(f, "View({}, len {}{ordered})", K::KIND, table.len())
    }
}

/// The position of an iteration over an object. A cursor is `Copy`, borrows nothing
/// and fits into a VM's frame. It starts at [`Cursor::default`]; `View::next` of
/// sequences, maps and sets returns what is there and advances it.
///
/// The object may change between two steps. In a sequence the cursor counts
/// elements; in a map or a set it meets every entry that stays once, and no entry
/// that was removed before it came there.
///
/// ```
/// use segheap::{Cursor, Heap, Set};
/// let mut heap = Heap::new();
/// let set = heap.alloc(Set::new())?;
/// for n in 0..4 {
///     heap.get_mut(set)?.insert(n.into())?;
/// }
/// let mut cursor = Cursor::default();
/// let mut met = Vec::new();
/// while let Some(cell) = heap.get(set)?.next(&mut cursor) {
///     met.push(cell.as_int());
///     heap.get_mut(set)?.remove(2.into())?; // ahead of the cursor at first
/// }
/// assert_eq!(met, [Some(0), Some(1), Some(3)]);
/// # Ok::<(), segheap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The index of the next element, or the sequence number of the next entry.
    pub(crate) next: u64,
    /// The position that the next entry had when the cursor was advanced.
    pub(crate) hint: u32,
}

impl Cursor {
    /// Returns the cursor in two cells, with the object that it iterates, so that an iterator
    /// can be an object of the language: the first cell is the object, the second one where
    /// the cursor is, an integer that means nothing else. [`Cursor::from_cells`] takes them
    /// back. O(1).
    ///
    /// ```
    /// use segheap::{Cell, Cursor, Heap, Map, Pair};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// heap.get_mut(map)?.extend(&[(1.into(), 10.into()), (2.into(), 20.into())])?;
    ///
    /// // `iter(map)` of the language allocates an iterator, which keeps the map alive.
    /// let [object, position] = Cursor::default().to_cells(map)?;
    /// let iterator = heap.alloc(Pair::of(object, position))?;
    ///
    /// // `next(iterator)`.
    /// let mut met = Vec::new();
    /// loop {
    ///     let cells = heap.get(iterator)?.cells();
    ///     let mut cursor = Cursor::from_cells(cells, cells[0])?;
    ///     let Some((key, _)) = heap.get::<Map>(cells[0])?.next(&mut cursor) else { break };
    ///     heap.get_mut(iterator)?.set(1, cursor.to_cells(map)?[1])?;
    ///     met.push(key);
    /// }
    /// assert_eq!(met, [1.into(), 2.into()]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if `object` is no handle; [`Error::Sealed`] if it is sealed;
    /// [`Error::IdsExhausted`] beyond element or entry 2^47 - 1, as a map or a set numbers
    /// all that were ever inserted.
    pub fn to_cells(self, object: impl Into<Cell>) -> Result<[Cell; 2]> {
        let object = object.into();
        match object.kind() {
            None => Err(Error::NotAHandle),
            Some(Kind::SEALED) => Err(Error::Sealed),
            Some(_) => {
                let position = i64::try_from(self.next).ok().and_then(Cell::int);
                Ok([object, position.ok_or(Error::IdsExhausted)?])
            }
        }
    }

    /// Returns the cursor that [`Cursor::to_cells`] has put into two cells, for the object
    /// that it iterates. O(1); the next step in a map or a set from which entries were
    /// removed takes O(log entries).
    ///
    /// Any integer that is not negative is a valid position, in any object: a program that
    /// gets hold of it can make the iteration skip or repeat, no more.
    ///
    /// ```
    /// use segheap::{Cursor, Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let (list, other) = (heap.alloc(List::zeroed(3))?, heap.alloc(List::zeroed(3))?);
    /// let cells = Cursor::default().to_cells(list)?;
    /// assert_eq!(Cursor::from_cells(cells, list), Ok(Cursor::default()));
    /// assert_eq!(Cursor::from_cells(cells, other), Err(Error::OtherObject));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OtherObject`] if the first cell is not `object`, which includes a later
    /// object in the same slot; [`Error::NotAnInteger`] if the second cell is no integer in a
    /// cell, or a negative one.
    pub fn from_cells(cells: [Cell; 2], object: impl Into<Cell>) -> Result<Cursor> {
        let [of, position] = cells;
        if of != object.into() {
            return Err(Error::OtherObject);
        }
        let next = position.as_int().and_then(|position| u64::try_from(position).ok());
        Ok(Cursor { next: next.ok_or(Error::NotAnInteger)?, hint: 0 })
    }
}

impl<K: Sequence> View<'_, K> {
    /// Returns the element at the cursor, and advances it; `None` at the end. O(1).
    ///
    /// The cursor is an index. An insertion before it makes it return the previous
    /// element again; a removal before it makes it skip one.
    ///
    /// ```
    /// use segheap::{Cursor, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into(), 2.into()]))?;
    /// let mut cursor = Cursor::default();
    /// assert_eq!(heap.get(list)?.next(&mut cursor), Some(1.into()));
    /// heap.get_mut(list)?.push(3.into())?; // nothing is borrowed meanwhile
    /// assert_eq!(heap.get(list)?.next(&mut cursor), Some(2.into()));
    /// assert_eq!(heap.get(list)?.next(&mut cursor), Some(3.into()));
    /// assert_eq!(heap.get(list)?.next(&mut cursor), None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn next(self, cursor: &mut Cursor) -> Option<K::Element> {
        let element = *self.as_slice().get(usize::try_from(cursor.next).ok()?)?;
        cursor.next = cursor.next.saturating_add(1);
        Some(element)
    }
}
