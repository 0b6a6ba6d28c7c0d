//! Bulk copies between objects, across arenas or inside of one: the heap's
//! `memory.copy`.
//!
//! Elements of one type are copied as bytes. Copies into cells encode each element, so
//! that no copy forges a handle from numbers; only copies from cells to cells move them
//! unchanged.

mod convert;
mod route;

use core::ops::{Bound, RangeBounds};

use bstr::ByteSlice;
use bumpalo::collections::Vec;

use super::texts::TextPart;
use crate::arena::push;
use crate::heap::{Heap, Store};
use crate::kinds::{Bytes, List, Str};
use crate::object::{Growable, Mutable, Object, Sequence, ValueArray};
use crate::words::{AsHandle, Cell, Element, Handle, HasKind, Kind, Result, corrupt, object_len};
use route::Route;

#[cfg(doc)]
use crate::{Bignum, Error};

/// Implemented by the kinds whose elements [`Heap::convert_across`] converts to new
/// objects of kind `D`.
///
/// ```
/// use segheap::{ConvertTo, Error, F64Arr, Handle, Heap, I64Arr};
/// fn sum<K: ConvertTo<F64Arr>>(heap: &mut Heap, numbers: Handle<K>) -> Result<f64, Error> {
///     let floats = heap.convert_across::<F64Arr>(numbers, ..)?;
///     heap.get(floats)?.sum(..)
/// }
/// let mut heap = Heap::new();
/// let numbers = heap.alloc(I64Arr::of(&[1, 2]))?;
/// assert_eq!(sum(&mut heap, numbers)?, 3.0);
/// # Ok::<(), Error>(())
/// ```
pub trait ConvertTo<D: Object>: Sequence {
    #[doc(hidden)]
    const ROUTE: Route;
}

/// Implemented by the kinds whose elements [`Heap::copy_across`] and
/// [`Heap::append_across`] copy into objects of kind `D`: those that convert to new
/// ones, unless `D` is immutable.
pub trait CopyTo<D: Object>: ConvertTo<D> {}

impl<S: ConvertTo<D>, D: Mutable> CopyTo<D> for S {}

/// Elements that data ([`Bytes`]) converts to and from: all but floats.
trait DataElement: Element {}

impl DataElement for u8 {}
impl DataElement for i64 {}
impl DataElement for Cell {}

/// One row for each pair of kinds, or of classes of kinds, that has a route; a row
/// without one does not compile.
macro_rules! routes {
    ($([$($generics:tt)*] $From:ty => $To:ty;)*) => {$(
        #[allow(private_bounds, reason = "it only says which pairs there are")]
        impl<$($generics)*> ConvertTo<$To> for $From {
            #[allow(clippy::panic, reason = "when compiled")]
            const ROUTE: Route = match Route::of::<$From, $To>() {
                Some(route) => route,
                None => panic!("the kinds of a row have a route"),
            };
        }
    )*};
}

routes! {
    [] Str => Str;
    [] Str => Bytes;
    [D: ValueArray<Element = u8>] Str => D;
    [] Bytes => Str;
    [] Bytes => Bytes;
    [D: ValueArray<Element: DataElement>] Bytes => D;
    [S: ValueArray<Element = u8>] S => Str;
    [S: ValueArray<Element: DataElement>] S => Bytes;
    [S: ValueArray, D: ValueArray] S => D;
}

fn route<S: ConvertTo<D>, D: Object>(_: Handle<S>) -> &'static Route {
    const { &S::ROUTE }
}

/// [`Heap::convert_across`], whatever it takes. A function for each route: what follows
/// from the kinds is known in it.
#[inline(never)]
fn convert_any<S: ConvertTo<D>, D: Object>(
    store: &mut Store,
    source: Handle<S>,
    bounds: (Bound<usize>, Bound<usize>),
) -> Result<Cell> {
    route(source).alloc(store, source.cell(), bounds)
}

/// Bulk copies. Source and target may be of one kind or of two, and may be the same
/// object; overlapping ranges are copied as if through a temporary. `range` counts
/// elements of the source (bytes, in a text). Both ranges are checked against their
/// objects before anything is written; a range of length 0 is valid up to the end. O(n)
/// for n elements, converted by vector instructions where the target has them.
///
/// | from \\ to | Str | Bytes | U8Arr | I64Arr | F64Arr | List |
/// |---|---|---|---|---|---|---|
/// | Str | new | yes | yes | | | [`convert_chars`](Heap::convert_chars) |
/// | Bytes | new, UTF-8 | yes | yes | yes | | yes |
/// | U8Arr | new, UTF-8 | yes | yes | yes | yes | yes |
/// | I64Arr | | 0..=255 | 0..=255 | yes | exact | 48 bits |
/// | F64Arr | | | 0..=255, whole | whole, exact | yes | NaN canonical |
/// | List | [`join`](Heap::join) | ints 0..=255 | ints 0..=255 | ints | floats, ints | yes |
///
/// "new": only into a new object, by [`convert_across`](Heap::convert_across). Other
/// entries name the elements that convert: "exact" without rounding, "whole" without a
/// fraction (-0.0 becomes 0), "48 bits" if they fit into a cell. An element that does
/// not fails with [`Error::NotConvertible`]; a [`Bignum`] in a list never converts. An
/// error leaves every object, page and count unchanged.
impl Heap {
    /// Overwrites elements of `target` from index `at` on by those in `range` of
    /// `source`. O(n); the source is read twice if an element may not convert.
    ///
    /// ```
    /// use segheap::{Bytes, Error, Heap, I64Arr, Kind};
    /// let mut heap = Heap::new();
    /// let bytes = heap.alloc(Bytes::zeroed(4))?;
    /// let numbers = heap.alloc(I64Arr::of(&[7, 8, 999]))?;
    /// heap.copy_across(bytes, 2, numbers, ..2)?;
    /// assert_eq!(heap.get(bytes)?.as_slice(), [0, 0, 7, 8]);
    /// let error = Error::NotConvertible { index: 2, to: Kind::BYTES };
    /// assert_eq!(heap.copy_across(bytes, 0, numbers, ..), Err(error));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// A pair of kinds without a route does not compile, nor does a copy of the bits of
    /// floats into cells:
    ///
    /// ```compile_fail
    /// # use segheap::{F64Arr, Heap, Map};
    /// # let mut heap = Heap::new();
    /// # let (map, floats) = (heap.alloc(Map::new()).unwrap(), heap.alloc(F64Arr::zeroed(1)).unwrap());
    /// heap.copy_across(map, 0, floats, ..);
    /// ```
    ///
    /// ```compile_fail
    /// # use segheap::{F64Arr, Heap, List};
    /// # let mut heap = Heap::new();
    /// # let (list, floats) = (heap.alloc(List::zeroed(1)).unwrap(), heap.alloc(F64Arr::zeroed(1)).unwrap());
    /// let (list, floats) = heap.windows_mut((list, floats)).unwrap();
    /// list.copy_from_slice(floats);
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if either object was freed; [`Error::OutOfRange`] if the source
    /// does not have `range`, or the target not as many elements from `at` on;
    /// [`Error::NotConvertible`] with the index in the source of the first element that
    #[inline(always)]
    pub fn copy_across<D: Mutable>(
        &mut self,
        target: Handle<D>,
        at: usize,
        source: Handle<impl CopyTo<D>>,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        route(source).copy(&mut self.store, target.cell(), at, source.cell(), range)
    }

    /// Copies as [`Heap::copy_across`] does, between kinds known at run time only.
    /// O(n).
    ///
    /// ```
    /// use segheap::{Bytes, Cell, Error, F64Arr, Heap, I64Arr, Kind};
    /// let mut heap = Heap::new();
    /// let bytes: Cell = heap.alloc(Bytes::of(&[7, 8]))?.into();
    /// let ints: Cell = heap.alloc(I64Arr::zeroed(3))?.into();
    /// let floats: Cell = heap.alloc(F64Arr::zeroed(3))?.into();
    /// heap.copy_across_any(ints, 1, bytes, ..)?;
    /// assert_eq!(heap.get::<I64Arr>(ints)?.as_slice(), [0, 7, 8]);
    /// let error = Error::NoRoute { from: Kind::BYTES, to: Kind::F64ARR };
    /// assert_eq!(heap.copy_across_any(floats, 0, bytes, ..), Err(error));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if `target` or `source` is no handle; [`Error::Sealed`] if
    /// one is sealed; [`Error::NoRoute`] if the source's kind does not copy into the
    /// target's; then those of [`Heap::copy_across`].
    pub fn copy_across_any(
        &mut self,
        target: Cell,
        at: usize,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        Route::find(source, target.kind(), false)?.copy(&mut self.store, target, at, source, range)
    }

    /// Appends the elements in `range` of `source` to `target`, which may be the source
    /// itself. Amortised O(n); O(length of the target) when its block moves.
    ///
    /// ```
    /// use segheap::{Bytes, Heap, Str};
    /// let mut heap = Heap::new();
    /// let builder = heap.alloc(Bytes::with_capacity(16))?;
    /// let text = heap.alloc(Str::new("text, "))?;
    /// heap.append_across(builder, text, ..)?;
    /// heap.append_across(builder, text, ..4)?;
    /// let built = heap.convert_across::<Str>(builder, ..)?;
    /// assert_eq!(heap.get(built)?.text(), "text, text");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if either object was freed; [`Error::OutOfRange`] if the source
    /// does not have `range`; [`Error::NotConvertible`] with the index in the source of
    /// the first element that does not convert. If the target cannot grow:
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]. The heap is unchanged.
    pub fn append_across<D: Growable>(
        &mut self,
        target: Handle<D>,
        source: Handle<impl CopyTo<D>>,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        route(source).append(&mut self.store, target.cell(), source.cell(), range)
    }

    /// Appends as [`Heap::append_across`] does, between kinds known at run time only.
    /// Amortised O(n).
    ///
    /// ```
    /// use segheap::{Cell, Error, Heap, I64Arr, Kind, List};
    /// let mut heap = Heap::new();
    /// let list: Cell = heap.alloc(List::of(&[1.into(), Cell::NULL]))?.into();
    /// let ints: Cell = heap.alloc(I64Arr::new())?.into();
    /// heap.append_across_any(ints, list, ..1)?;
    /// assert_eq!(heap.get::<I64Arr>(ints)?.as_slice(), [1]);
    /// let error = Error::NotConvertible { index: 1, to: Kind::I64ARR };
    /// assert_eq!(heap.append_across_any(ints, list, ..), Err(error));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if `target` or `source` is no handle; [`Error::Sealed`] if
    /// one is sealed; [`Error::NoRoute`] if the source's kind does not copy into the
    /// target's; then those of [`Heap::append_across`].
    pub fn append_across_any(
        &mut self,
        target: Cell,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        Route::find(source, target.kind(), false)?.append(&mut self.store, target, source, range)
    }

    /// Allocates an object of kind `D` with the elements in `range` of `source`. O(n).
    ///
    /// ```
    /// use segheap::{Error, Heap, I64Arr, List, Str, U8Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[104, 105]))?;
    /// let list = heap.convert_across::<List>(array, ..)?;
    /// assert_eq!(heap.get(list)?.as_slice(), [104.into(), 105.into()]);
    /// let bytes = heap.convert_across::<U8Arr>(array, ..)?;
    /// let text = heap.convert_across::<Str>(bytes, ..)?;
    /// assert_eq!(heap.get(text)?.text(), "hi");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if the source was freed; [`Error::OutOfRange`] if it does not
    /// have `range`; [`Error::NotConvertible`] with the index of the first element that
    /// does not convert; [`Error::NotUtf8`] with the index in the source of the first
    /// byte that is not UTF-8; [`Error::NotACharBoundary`] if a bound lies inside a
    /// character of a text that is copied to text. If the object cannot be allocated, as
    /// for [`Heap::alloc`]:
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]. The heap is unchanged.
    pub fn convert_across<D: Object>(
        &mut self,
        source: Handle<impl ConvertTo<D>>,
        range: impl RangeBounds<usize>,
    ) -> Result<Handle<D>> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        let converted = match route(source).alloc_few(&mut self.store, source.cell(), range) {
            Some(cell) => Ok(cell),
            None => convert_any(&mut self.store, source, bounds),
        };
        converted.map(Handle::known)
    }

    /// Converts as [`Heap::convert_across`] does, between kinds known at run time only.
    /// O(n).
    ///
    /// ```
    /// use segheap::{Bytes, Cell, Error, Heap, Kind};
    /// let mut heap = Heap::new();
    /// let bytes: Cell = heap.alloc(Bytes::of(b"ab\xFF"))?.into();
    /// let text = heap.convert_across_any(Kind::STR, bytes, ..2)?;
    /// assert_eq!(heap.text(text)?.to_string(), "ab");
    /// let error = Error::NotUtf8 { valid_up_to: 2 };
    /// assert_eq!(heap.convert_across_any(Kind::STR, bytes, ..), Err(error));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if `source` is no handle; [`Error::Sealed`] if it is
    /// sealed; [`Error::NoRoute`] if its kind does not convert to `to`; then those of
    /// [`Heap::convert_across`].
    pub fn convert_across_any(
        &mut self,
        to: Kind,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<Cell> {
        Route::find(source, Some(to), true)?.alloc(&mut self.store, source, range)
    }

    /// Allocates a list of the characters (Unicode scalar values) in `range` of a text,
    /// each as a text in a cell. O(n) for n bytes.
    ///
    /// ```
    /// use segheap::{Heap, Str};
    /// let mut heap = Heap::new();
    /// let text = heap.alloc(Str::new("año"))?;
    /// let chars = heap.convert_chars(text, ..)?;
    /// assert_eq!(heap.display(chars).to_string(), r#"["a", "ñ", "o"]"#);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `text` is no handle of a live text, as for [`Heap::get`]:
    /// [`Error::NotAHandle`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`]. [`Error::OutOfRange`] if the text does not have `range`;
    /// [`Error::NotACharBoundary`] if a bound lies inside a character. If the list
    /// cannot be allocated, as for [`Heap::alloc`]: [`Error::Limit`],
    /// [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The
    /// heap is unchanged.
    pub fn convert_chars(
        &mut self,
        text: impl AsHandle<Str>,
        range: impl RangeBounds<usize>,
    ) -> Result<Handle<List>> {
        let route = <Str as ConvertTo<Str>>::ROUTE.with_target(List::KIND);
        let source = route.source(&self.store, text.into(), range)?;
        let bytes = route.bytes(self.store.arena(Str::KIND)?, &source)?;
        let len = bytes.chars().count();
        let cell = self.store.alloc_from(
            Str::KIND,
            List::KIND,
            (object_len(len)?, len),
            |texts, words| {
                let bytes = route.bytes(texts, &source)?;
                for (cell, (start, end, _)) in
                    Cell::slice_mut(words).iter_mut().zip(bytes.char_indices())
                {
                    let char = bytes.get(start..end).and_then(Cell::short_bytes);
                    *cell = char.ok_or_else(corrupt)?;
                }
                Ok(())
            },
        )?;
        Ok(Handle::known(cell))
    }

    /// Returns the concatenation of the texts in `range` of a list, with `separator`
    /// between them, as a value (see [`Heap::string`]). O(n) for n bytes of text, in
    /// scratch memory for the list of parts.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.string("one")?, heap.string("another")?);
    /// let list = heap.alloc(List::of(&[a, b]))?;
    /// let text = heap.join(list, .., ", ")?;
    /// assert_eq!(heap.text(text)?.to_string(), "one, another");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `list` is no handle of a live list, as for [`Heap::get`]:
    /// [`Error::NotAHandle`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`]. [`Error::OutOfRange`] if the list does not have `range`. For
    /// an element that is no live text, as for [`Heap::text`]: [`Error::NotText`],
    /// [`Error::Sealed`], [`Error::WrongKind`] or [`Error::Stale`]. If scratch memory
    /// or the text cannot be allocated: [`Error::Limit`], [`Error::ArenaFull`],
    /// [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The heap is unchanged, but
    /// for scratch memory.
    pub fn join(
        &mut self,
        list: impl AsHandle<List>,
        range: impl RangeBounds<usize>,
        separator: &str,
    ) -> Result<Cell> {
        self.with_scratch(|heap, scratch| {
            let mut parts = Vec::new_in(scratch.bump);
            for &cell in heap.get(list)?.slice(range)? {
                if !parts.is_empty() && !separator.is_empty() {
                    push(&mut parts, TextPart::Str(separator))?;
                }
                push(&mut parts, TextPart::Whole(cell))?;
            }
            // The list of parts counts against the limit while the text is allocated.
            scratch.charge(heap.store.account_mut());
            heap.concat(&parts)
        })
    }
}
