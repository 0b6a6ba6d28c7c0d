//! Bulk copies from one object to another, across arenas or inside one: the
//! heap's `memory.copy`.
//!
//! Copies between elements of one type copy bytes. Cells are encoded one by one,
//! so no copy makes a handle of numbers; only list to list moves cells as they are.

mod convert;
mod route;

use core::ops::RangeBounds;

use bstr::ByteSlice;
use bumpalo::collections::Vec;

use super::texts::TextPart;
use crate::arena::push;
use crate::heap::Heap;
use crate::kinds::{Bytes, List, Str};
use crate::object::{Growable, Mutable, Object, Sequence, ValueArray};
use crate::words::{AsHandle, Cell, Element, Handle, HasKind, Kind, Result, corrupt, object_len};
use route::Route;

/// Implemented where a bulk copy leads from `Self` to new objects of kind `D`.
pub trait ConvertTo<D: Object>: Sequence {
    #[doc(hidden)]
    const ROUTE: Route;
}

/// Implemented where a bulk copy leads from `Self` to objects of kind `D`, new or
/// not: text is never changed in place, all else has each of its routes in both
/// forms.
pub trait CopyTo<D: Object>: ConvertTo<D> {}

impl<S: ConvertTo<D>, D: Mutable> CopyTo<D> for S {}

/// Elements that data ([`Bytes`]) converts to and from: all but floats.
trait DataElement: Element {}

impl DataElement for u8 {}
impl DataElement for i64 {}
impl DataElement for Cell {}

/// A row a pair of classes of kinds; a pair without a route does not compile.
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

/// Bulk copies. Source and target may be of one arena or of two; `range` counts
/// elements of the source (bytes, in a text). Both ranges are checked, each
/// against its own object, before anything moves; length 0 is fine up to the
/// very end. Overlap inside one object behaves as if through a temporary.
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
/// "new": only into a new object. Integers in lists are those held in a cell; a
/// `Bignum` does not fit anywhere.
///
/// # Errors
/// Of all of them: those of [`Heap::get`] for the target and for the source;
/// [`Error::OutOfRange`] for either range; [`Error::NotConvertible`] with the index in
/// the source of the first element that cannot be converted without loss;
/// [`Error::NotUtf8`], [`Error::NotACharBoundary`] for new text;
/// [`Error::NoRoute`] of the `_any` forms; a limit or no memory. Whatever the
/// error, every object, every page and every count is as before (but for the
/// scratch memory, a cache). -0.0 is the integer 0.
impl Heap {
    /// Overwrites elements of `target` from index `at` on. O(n); the source is
    /// read twice where an element may not fit.
    ///
    /// ```
    /// use segheap::{Bytes, Error, Heap, I64Arr, Kind};
    /// let mut heap = Heap::new();
    /// let bytes = heap.alloc(Bytes::zeroed(4))?;
    /// let numbers = heap.alloc(I64Arr::of(&[7, 8, 999]))?;
    /// heap.copy_across(bytes, 2, numbers, ..2)?;
    /// assert_eq!(heap.get(bytes)?.as_slice(), [0, 0, 7, 8]);
    /// let misfit = Error::NotConvertible { index: 2, to: Kind::BYTES };
    /// assert_eq!(heap.copy_across(bytes, 0, numbers, ..), Err(misfit));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// A pair without a route does not compile, nor do the bits of floats turn
    /// into cells:
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
    pub fn copy_across<D: Mutable>(
        &mut self,
        target: Handle<D>,
        at: usize,
        source: Handle<impl CopyTo<D>>,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        route(source).copy(&mut self.store, target.cell(), at, source.cell(), range)
    }

    /// [`Heap::copy_across`] for kinds known at run time. O(n).
    pub fn copy_across_any(
        &mut self,
        target: Cell,
        at: usize,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        Route::find(source, target.kind(), false)?.copy(&mut self.store, target, at, source, range)
    }

    /// Adds elements at the end of `target`, which may be the source itself.
    /// Amortised O(n).
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
    pub fn append_across<D: Growable>(
        &mut self,
        target: Handle<D>,
        source: Handle<impl CopyTo<D>>,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        route(source).append(&mut self.store, target.cell(), source.cell(), range)
    }

    /// [`Heap::append_across`] for kinds known at run time. Amortised O(n).
    pub fn append_across_any(
        &mut self,
        target: Cell,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        Route::find(source, target.kind(), false)?.append(&mut self.store, target, source, range)
    }

    /// Makes a new object of elements of `source`. O(n).
    pub fn convert_across<D: Object>(
        &mut self,
        source: Handle<impl ConvertTo<D>>,
        range: impl RangeBounds<usize>,
    ) -> Result<Handle<D>> {
        route(source).alloc(&mut self.store, source.cell(), range).map(Handle::known)
    }

    /// [`Heap::convert_across`] for kinds known at run time. O(n).
    pub fn convert_across_any(
        &mut self,
        to: Kind,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<Cell> {
        Route::find(source, Some(to), true)?.alloc(&mut self.store, source, range)
    }

    /// Makes a list of the characters of a text, each a text held in a cell.
    /// O(n).
    ///
    /// ```
    /// use segheap::{Heap, Str};
    /// let mut heap = Heap::new();
    /// let text = heap.alloc(Str::new("año"))?;
    /// let chars = heap.convert_chars(text, ..)?;
    /// assert_eq!(heap.display(chars).to_string(), r#"["a", "ñ", "o"]"#);
    /// # Ok::<(), segheap::Error>(())
    /// ```
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

    /// Makes one text of the texts in a list, with `separator` between them.
    /// O(length of the text).
    ///
    /// # Errors
    /// Also those of [`Heap::text`] for an element that is no text.
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
            // The text is allocated beside the list of parts.
            scratch.charge(heap.store.account_mut());
            heap.concat(&parts)
        })
    }
}
