//! [`ObjectInit`]: what the constructors of the kinds return and
//! [`Heap::alloc`](crate::Heap::alloc) takes.

use core::fmt;
use core::marker::PhantomData;

use super::keyed::Keyed;
use super::table;
use super::view::{Object, Sequence};
use crate::words::{Element, Private, copy, to_usize};

/// Keeps [`ObjectInit::fill`] from being called outside this crate.
#[doc(hidden)]
#[derive(Debug)]
pub struct Internal(pub(crate) ());

/// A description of an object for [`Heap::alloc`](crate::Heap::alloc) to allocate, as
/// `List::of`, `Map::new` and the like return it. It borrows its elements, which are
/// copied once, into the heap.
///
/// ```
/// use segheap::{Handle, Heap, I64Arr, List, ObjectInit};
/// fn alloc_twice<I: ObjectInit + Copy>(
///     heap: &mut Heap,
///     init: I,
/// ) -> Result<[Handle<I::Kind>; 2], segheap::Error> {
///     Ok([heap.alloc(init)?, heap.alloc(init)?])
/// }
/// let mut heap = Heap::new();
/// let [a, b] = alloc_twice(&mut heap, List::of(&[7.into()]))?;
/// assert!(a != b && heap.deep_eq(a.cell(), b.cell())?);
/// # Ok::<(), segheap::Error>(())
/// ```
pub trait ObjectInit: Private {
    /// The kind of the object.
    type Kind: Object;
    /// The elements and the words of the object.
    #[doc(hidden)]
    fn size(&self) -> (usize, usize);
    /// Writes the object. For this crate only, as it reveals the bits of cells.
    #[doc(hidden)]
    fn fill(self, words: &mut [u64], _: Internal);
}

/// The [`ObjectInit`] of sequences: a header and the elements. Returned by their
/// constructors, such as [`List::of`](crate::List::of).
#[derive(Clone, Copy)]
pub struct SequenceInit<'a, K: Sequence> {
    header: u64,
    contents: Contents<'a, K::Element>,
}

#[derive(Clone, Copy)]
enum Contents<'a, T> {
    Slice(&'a [T]),
    Two([T; 2]),
    Repeat(T, usize),
    Capacity(usize),
}

impl<'a, K: Sequence> SequenceInit<'a, K> {
    pub(crate) const fn of(header: u64, elements: &'a [K::Element]) -> Self {
        SequenceInit { header, contents: Contents::Slice(elements) }
    }

    pub(crate) const fn two(header: u64, elements: [K::Element; 2]) -> Self {
        SequenceInit { header, contents: Contents::Two(elements) }
    }

    pub(crate) const fn repeat(header: u64, element: K::Element, len: usize) -> Self {
        SequenceInit { header, contents: Contents::Repeat(element, len) }
    }

    pub(crate) const fn capacity(header: u64, len: usize) -> Self {
        SequenceInit { header, contents: Contents::Capacity(len) }
    }

    /// The elements that the object will have; of equal ones, the first.
    pub(crate) fn elements(&self) -> impl Iterator<Item = K::Element> {
        let (slice, two, one) = match self.contents {
            Contents::Slice(elements) => (elements, None, None),
            Contents::Two(two) => (&[][..], Some(two), None),
            Contents::Repeat(element, len) => (&[][..], None, (len > 0).then_some(element)),
            Contents::Capacity(_) => (&[][..], None, None),
        };
        slice.iter().copied().chain(two.into_iter().flatten()).chain(one)
    }
}

impl<K: Sequence> fmt::Debug for SequenceInit<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequenceInit({}, {} elements)", K::KIND, self.size().0)
    }
}

impl<K: Sequence> Private for SequenceInit<'_, K> {}

impl<K: Sequence> ObjectInit for SequenceInit<'_, K> {
    type Kind = K;

    #[inline(always)]
    fn size(&self) -> (usize, usize) {
        let (len, capacity) = match self.contents {
            Contents::Slice(elements) => (elements.len(), elements.len()),
            Contents::Two(_) => (2, 2),
            Contents::Repeat(_, len) => (len, len),
            Contents::Capacity(capacity) => (0, capacity),
        };
        (len, K::SHAPE.words_for(capacity))
    }

    #[inline(always)]
    fn fill(self, words: &mut [u64], _: Internal) {
        debug_assert_eq!(words.len(), self.size().1);
        let header = to_usize(K::SHAPE.header);
        let Some((header, body)) = words.split_at_mut_checked(header) else { return };
        header.fill(self.header);
        let body = K::Element::slice_mut(body);
        match self.contents {
            Contents::Slice(elements) => {
                if let Some(body) = body.get_mut(..elements.len()) {
                    copy(body, elements);
                }
            }
            Contents::Two(two) => body.iter_mut().zip(two).for_each(|(place, one)| *place = one),
            Contents::Repeat(element, _) => body.fill(element),
            Contents::Capacity(_) => {}
        }
    }
}

/// The [`ObjectInit`] of maps and sets: no entries, and the capacity. Returned by
/// their constructors, such as [`Map::with_capacity`](crate::Map::with_capacity).
pub struct TableInit<K> {
    entries: usize,
    is_weak: bool,
    kind: PhantomData<K>,
}

impl<K> TableInit<K> {
    pub(crate) const fn with_capacity(entries: usize) -> TableInit<K> {
        TableInit { entries, is_weak: false, kind: PhantomData }
    }

    /// Makes the table *weak by its keys*: an entry keeps neither its key nor its value live.
    /// Its value is held as long as its key is reachable by other means (an ephemeron: the
    /// value may refer to the key), and a collection that frees the key removes the entry.
    /// Weak maps give objects properties, caches and finalizers from outside; a weak set is
    /// a set of marks on objects.
    ///
    /// Keys by value are held as in other tables, with their values, as no program can tell
    /// when the last one is gone: null, booleans, numbers and texts, symbols among them.
    ///
    /// An entry of a freed key matches no key, as in other tables, and is counted and
    /// iterated over until it is removed: at the next collection of the whole heap, or when
    /// the table would have to grow. While a collection in steps sweeps, keys that it has
    /// found to be garbage fail as freed ones do. Regions that close hold entries as other
    /// tables do: those that are kept stay until the next collection.
    ///
    /// Operations cost the same as on other tables; a collection takes expected O(entries) in
    /// addition, in any order of keys and values, and 24 to 60 bytes for each entry whose key
    /// has not been reached when it is met. If that memory is refused, it goes through all
    /// tables again until nothing more is reached.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List, Map};
    /// let mut heap = Heap::new();
    /// let hidden = heap.alloc(Map::new().weak())?;
    /// let object = heap.alloc(List::new())?;
    /// let property = heap.alloc(List::of(&[object.into()]))?;
    /// heap.map_insert(hidden, object.into(), property.into())?;
    /// heap.collect([hidden.cell(), object.cell()])?;
    /// assert_eq!(heap.map_get(hidden, object.into())?, Some(property.into()));
    ///
    /// let collected = heap.collect([hidden])?; // its value refers to the key, and does not keep it
    /// assert_eq!((collected.freed, collected.cleared), (2, 1));
    /// assert!(heap.get(hidden)?.is_empty());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[must_use]
    pub const fn weak(self) -> TableInit<K> {
        // The mark is in the block, which a table without capacity does not have.
        let entries = if self.entries == 0 { 1 } else { self.entries };
        TableInit { entries, is_weak: true, kind: PhantomData }
    }
}

impl<K: Keyed> fmt::Debug for TableInit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableInit({}, capacity {})", K::KIND, self.entries)
    }
}

impl<K> Private for TableInit<K> {}

impl<K: Keyed> ObjectInit for TableInit<K> {
    type Kind = K;

    fn size(&self) -> (usize, usize) {
        (0, table::words_for(self.entries, K::STRIDE))
    }

    fn fill(self, words: &mut [u64], _: Internal) {
        table::fill(words, self.entries, K::STRIDE, self.is_weak);
    }
}
