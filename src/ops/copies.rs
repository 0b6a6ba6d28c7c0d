//! Bulk copies from one object to another, across arenas or inside one: the
//! heap's `memory.copy`. The routes are named here and nowhere else.
//!
//! A route between elements of one type copies bytes. The others are built on
//! [`Fit`]: elements are converted without branches while error bits are OR-ed
//! together, and the bits are looked at once a block. `fit` may be too strict;
//! a block that it suspects is done again by `exact`, which decides, and finds
//! the index of an element that does not fit. Cells are encoded one by one, so
//! no copy makes a handle; only list to list moves cells as they are.

use core::ops::{Range, RangeBounds};

use bstr::ByteSlice;
use bumpalo::collections::Vec;
use multiversion::multiversion;

use super::texts::TextPart;
use crate::arena::{Arena, Slot, push};
use crate::heap::{Heap, split};
use crate::kinds::*;
use crate::object::{Growable, Mutable, Object, Sequence};
use crate::words::{
    AsHandle, Budget, Cell, Element, Error, Handle, HasKind, Kind, PAYLOAD, Result, Shape, TAG_INT,
    TAG_SHIFT, at, char_range, copy, object_len, out_of_range, range,
};

/// Elements between two looks at the error bits.
const BLOCK: usize = 512;
/// Bytes of text validated, then copied while they are in the cache.
const TEXT_BLOCK: usize = 4096;

/// How an element becomes one of another type.
trait Fit<T>: Element {
    /// The error bits that count; 0 for conversions that cannot fail.
    const BAD: u64;
    /// The element, and bits that are 0 under `BAD` only if it fits.
    fn fit(self) -> (T, u64);
    /// The element if it fits.
    fn exact(self) -> Option<T>;
}

/// Conversions: the bits that count, `fit` and `exact`.
macro_rules! conversions {
    ($($from:ty => $to:ty, $bad:expr, $fit:expr, $exact:expr;)*) => {$(
        impl Fit<$to> for $from {
            const BAD: u64 = $bad;
            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, reason = "the error bits tell")]
            fn fit(self) -> ($to, u64) {
                $fit(self)
            }
            fn exact(self) -> Option<$to> {
                $exact(self)
            }
        }
    )*};
}

const INT: u64 = TAG_INT << TAG_SHIFT;
const BYTE: u64 = 0xFF;
/// 2^47: the sign of an integer in a cell.
const SIGN: u64 = 1 << 47;
/// 2^52 + 2^51: a double this large has steps of 1, so adding it rounds to a
/// whole number, which then stands in the low bits.
const WHOLE: f64 = 6_755_399_441_055_744.0;

conversions! {
    u8 => i64, 0, |byte| (i64::from(byte), 0), |byte| Some(i64::from(byte));
    u8 => f64, 0, |byte| (f64::from(byte), 0), |byte| Some(f64::from(byte));
    u8 => Cell, 0, |byte| (Cell::from(byte), 0), |byte| Some(Cell::from(byte));
    f64 => Cell, 0, |float| (Cell::float(float), 0), |float| Some(Cell::float(float));
    i64 => u8, !BYTE, |int: i64| (int.cast_unsigned() as u8, int.cast_unsigned()),
        |int| u8::try_from(int).ok();
    // Strict: every integer of 53 bits is a double, and some larger ones are.
    i64 => f64, !((1 << 54) - 1), |int: i64| (double(int), int.wrapping_add(1 << 53).cast_unsigned()),
        |int| (whole(double(int)) == Some(int)).then_some(double(int));
    i64 => Cell, !PAYLOAD, |int: i64| (
        Cell::raw(INT | int.cast_unsigned() & PAYLOAD),
        int.cast_unsigned().wrapping_add(SIGN),
    ), Cell::int;
    f64 => u8, u64::MAX, |float| {
        let (int, bad) = small_whole(float);
        (int as u8, bad | int & !BYTE)
    }, |float| whole(float).and_then(|int| u8::try_from(int).ok());
    f64 => i64, u64::MAX, |float| {
        let (int, bad) = small_whole(float);
        (int.cast_signed(), bad)
    }, whole;
    Cell => u8, !BYTE, |cell: Cell| (cell.bits() as u8, cell.bits() ^ INT),
        |cell: Cell| cell.as_int().and_then(|int| u8::try_from(int).ok());
    Cell => i64, !PAYLOAD, |cell: Cell| (
        ((cell.bits() & PAYLOAD) ^ SIGN).wrapping_sub(SIGN).cast_signed(),
        cell.bits() ^ INT,
    ), Cell::as_int;
    Cell => f64, u64::MAX, |cell: Cell| {
        // An integer of 48 bits, biased, is the mantissa of a double of 2^52.
        let biased = (cell.bits() & PAYLOAD) ^ SIGN | 0x433_u64 << 52;
        let int = f64::from_bits(biased) - (4_503_599_627_370_496.0 + 140_737_488_355_328.0);
        let is_int = cell.bits() ^ INT <= PAYLOAD;
        let is_float = cell.bits() < 0xFFF8 << TAG_SHIFT;
        (if is_int { int } else { f64::from_bits(cell.bits()) }, u64::from(!(is_int | is_float)))
    }, |cell: Cell| cell.as_float().or_else(|| cell.as_int().map(double));
}

#[inline(always)]
const fn double(int: i64) -> f64 {
    int as f64
}

/// A whole double as an integer.
#[allow(clippy::cast_possible_truncation, reason = "whole and in range")]
fn whole(float: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let fits = (-LIMIT..LIMIT).contains(&float) && float as i64 as f64 == float;
    fits.then_some(float as i64)
}

/// A whole double below 2^51, and 0; or anything, and not 0.
#[inline(always)]
fn small_whole(float: f64) -> (u64, u64) {
    let shifted = float + WHOLE;
    let int = shifted.to_bits().wrapping_sub(WHOLE.to_bits());
    let whole = shifted - WHOLE == float;
    // Where the sum has left its binade, its low bits are no integer.
    let near = shifted.to_bits() >> 52 == WHOLE.to_bits() >> 52;
    (int, if whole & near { 0 } else { u64::MAX })
}

/// Converts up to the first block that is suspected; answers where that begins.
// The compiler knows AVX-512 since 1.89.
#[rustversion::attr(before(1.89), multiversion(targets("x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt")))]
#[rustversion::attr(
    since(1.89),
    multiversion(targets(
        "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
        "x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
    ))
)]
fn pour<S: Fit<T>, T: Element>(source: &[S], target: &mut [T]) -> usize {
    let mut done = 0_usize;
    for (source, target) in source.chunks(BLOCK).zip(target.chunks_mut(BLOCK)) {
        let mut bad = 0;
        for (from, to) in source.iter().zip(&mut *target) {
            let (element, bits) = from.fit();
            *to = element;
            bad |= bits;
        }
        if bad & S::BAD != 0 {
            return done;
        }
        done = done.wrapping_add(source.len());
    }
    done
}

/// As [`pour`], with nothing written.
#[rustversion::attr(before(1.89), multiversion(targets("x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt")))]
#[rustversion::attr(
    since(1.89),
    multiversion(targets(
        "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
        "x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
    ))
)]
fn scan<S: Fit<T>, T: Element>(source: &[S]) -> usize {
    let mut done = 0_usize;
    for source in source.chunks(BLOCK) {
        if source.iter().fold(0, |bad, from| bad | from.fit().1) & S::BAD != 0 {
            return done;
        }
        done = done.wrapping_add(source.len());
    }
    done
}

/// What can go wrong in a copy itself: the element of this index does not fit,
/// or is where text stops being UTF-8.
type NotConvertible = usize;

type Check = fn(&[u8]) -> Result<(), NotConvertible>;

/// A route: how source bytes become target bytes.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Route {
    from: Kind,
    to: Kind,
    /// How objects of these kinds lie, known when compiled.
    shapes: (&'static Shape, &'static Shape),
    how: How,
}

#[derive(Clone, Copy, Debug)]
enum How {
    /// Byte by byte.
    Verbatim,
    /// Text out of text: byte by byte between character boundaries.
    Substring,
    /// Element by element.
    Convert {
        /// Whether every element fits, if that is a question.
        check: Option<Check>,
        convert: fn(&[u8], &mut [u8]) -> Result<(), NotConvertible>,
    },
}

fn convert<S: Fit<T>, T: Element>(source: &[u8], target: &mut [u8]) -> Result<(), NotConvertible> {
    let (Some(source), Some(target)) = (S::bytes(source), T::bytes_mut(target)) else {
        return Ok(());
    };
    let mut done = 0_usize;
    while let (Some(from @ [_, ..]), Some(to)) = (source.get(done..), target.get_mut(done..)) {
        let sound = pour(from, to);
        for (index, (from, to)) in from.iter().zip(to).enumerate().skip(sound).take(BLOCK) {
            *to = from.exact().ok_or(done.wrapping_add(index))?;
        }
        done = done.saturating_add(sound).saturating_add(BLOCK);
    }
    Ok(())
}

fn check<S: Fit<T>, T: Element>(source: &[u8]) -> Result<(), NotConvertible> {
    let source = S::bytes(source).unwrap_or_default();
    let mut done = 0_usize;
    while let Some(from @ [_, ..]) = source.get(done..) {
        let sound = scan::<S, T>(from);
        for (index, from) in from.iter().enumerate().skip(sound).take(BLOCK) {
            from.exact().ok_or(done.wrapping_add(index))?;
        }
        done = done.saturating_add(sound).saturating_add(BLOCK);
    }
    Ok(())
}

/// Copies bytes that have to be text.
fn text(source: &[u8], target: &mut [u8]) -> Result<(), NotConvertible> {
    let (mut from, mut to) = (source, target);
    loop {
        let mut len = from.len();
        if len > TEXT_BLOCK.saturating_mul(2) {
            // Back to where a character begins, if there is one at all.
            let begins = |end: &usize| from.get(*end).is_some_and(|byte| byte & 0xC0 != 0x80);
            let ends = TEXT_BLOCK.saturating_sub(3)..=TEXT_BLOCK;
            len = ends.rev().find(begins).unwrap_or(TEXT_BLOCK);
        }
        let (Some((block, rest)), Some((place, places))) =
            (from.split_at_checked(len), to.split_at_mut_checked(len))
        else {
            return Ok(());
        };
        // For a short text, the set-up of the other is most of its cost.
        let ascii = block.len() <= 128 && block.is_ascii();
        if !ascii && simdutf8::basic::from_utf8(block).is_err() {
            return Err(valid_up_to(source));
        }
        copy(place, block);
        if rest.is_empty() {
            return Ok(());
        }
        (from, to) = (rest, places);
    }
}

fn is_text(source: &[u8]) -> Result<(), NotConvertible> {
    simdutf8::basic::from_utf8(source).map(drop).map_err(|_| valid_up_to(source))
}

/// Where bytes stop being text.
#[cold]
fn valid_up_to(bytes: &[u8]) -> NotConvertible {
    simdutf8::compat::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len)
}

impl How {
    const fn convert<S: Fit<T>, T: Element>() -> How {
        let check: Option<Check> = if S::BAD == 0 { None } else { Some(check::<S, T>) };
        How::Convert { check, convert: convert::<S, T> }
    }

    const TEXT: How = How::Convert { check: Some(is_text), convert: text };
}

/// There is a bulk copy from `Self` into new objects of kind `D`.
pub trait ConvertTo<D: Object>: Sequence {
    #[doc(hidden)]
    const ROUTE: &'static Route;
}

/// There is a bulk copy from `Self` into objects of kind `D`, new or not.
pub trait CopyTo<D: Object>: ConvertTo<D> {}

/// Text is never changed in place; what can be has each of its routes in both
/// forms.
impl<S: ConvertTo<D>, D: Mutable> CopyTo<D> for S {}

macro_rules! routes {
    ($($From:ident => $($To:ident $how:expr),*;)*) => {
        $($(
            impl ConvertTo<$To> for $From {
                const ROUTE: &'static Route =
                    &Route {
                        from: $From::KIND,
                        to: $To::KIND,
                        shapes: (&$From::SHAPE, &$To::SHAPE),
                        how: $how,
                    };
            }
        )*)*

        /// Every route, by kinds.
        #[allow(clippy::indexing_slicing, reason = "checked when compiled")]
        static ROUTES: [[Option<&Route>; Kind::COUNT]; Kind::COUNT] = {
            let mut routes = [[None; Kind::COUNT]; Kind::COUNT];
            $($(
                routes[$From::KIND.index()][$To::KIND.index()] =
                    Some(<$From as ConvertTo<$To>>::ROUTE);
            )*)*
            routes
        };
    };
}

routes! {
    Str => Str How::Substring, Bytes How::Verbatim, U8Arr How::Verbatim;
    Bytes => Str How::TEXT, Bytes How::Verbatim, U8Arr How::Verbatim,
        I64Arr How::convert::<u8, i64>(), List How::convert::<u8, Cell>();
    U8Arr => Str How::TEXT, Bytes How::Verbatim, U8Arr How::Verbatim,
        I64Arr How::convert::<u8, i64>(), F64Arr How::convert::<u8, f64>(),
        List How::convert::<u8, Cell>();
    I64Arr => Bytes How::convert::<i64, u8>(), U8Arr How::convert::<i64, u8>(),
        I64Arr How::Verbatim, F64Arr How::convert::<i64, f64>(),
        List How::convert::<i64, Cell>();
    F64Arr => U8Arr How::convert::<f64, u8>(), I64Arr How::convert::<f64, i64>(),
        F64Arr How::Verbatim, List How::convert::<f64, Cell>();
    List => Bytes How::convert::<Cell, u8>(), U8Arr How::convert::<Cell, u8>(),
        I64Arr How::convert::<Cell, i64>(), F64Arr How::convert::<Cell, f64>(),
        List How::Verbatim;
}

/// A source: an object, a range of its elements, and their bytes.
struct Source {
    cell: Cell,
    range: Range<usize>,
}

impl Route {
    /// The error for a misfit in a source range that begins at `start`.
    #[cold]
    fn misfit(&self, start: usize, misfit: NotConvertible) -> Error {
        let index = u32::try_from(start.saturating_add(misfit)).unwrap_or(u32::MAX);
        if self.to == Str::KIND {
            return Error::NotUtf8 { valid_up_to: index };
        }
        Error::NotConvertible { index, to: self.to }
    }

    /// The route from the kind of a cell to a kind.
    fn between(from: Cell, to: Option<Kind>, new: bool) -> Result<&'static Route> {
        let (Some(from), Some(to)) = (from.kind(), to) else { return Err(Error::NotAHandle) };
        if from == Kind::SEALED || to == Kind::SEALED {
            return Err(Error::Sealed);
        }
        match ROUTES.get(from.index()).and_then(|row| row.get(to.index())) {
            Some(Some(route)) if new || to != Str::KIND => Ok(route),
            _ => Err(Error::NoRoute { from, to }),
        }
    }

    #[inline(always)]
    fn source(&self, heap: &Heap, cell: Cell, bounds: impl RangeBounds<usize>) -> Result<Source> {
        let arena = heap.arena(self.from)?;
        let slot = arena.check(cell)?;
        let range = match self.how {
            How::Substring => {
                let whole = slot.span(self.shapes.0, 0..at(slot.len));
                char_range(arena.memory().bytes().get(whole).ok_or(Error::Corrupt)?, bounds)?
            }
            _ => range(bounds, at(slot.len))?,
        };
        Ok(Source { cell, range })
    }

    /// Where the source's elements lie in the payload of its arena.
    #[inline(always)]
    fn bytes(&self, arena: &Arena, source: &Source) -> Result<Range<usize>> {
        Ok(arena.slot(source.cell.slot())?.span(self.shapes.0, source.range.clone()))
    }

    /// Whether all elements fit.
    #[inline(always)]
    fn check(&self, heap: &Heap, source: &Source) -> Result<()> {
        let How::Convert { check: Some(check), .. } = self.how else { return Ok(()) };
        let arena = heap.arena(self.from)?;
        let from = arena.memory().bytes().get(self.bytes(arena, source)?).ok_or(Error::Corrupt)?;
        check(from).map_err(|misfit| self.misfit(source.range.start, misfit))
    }

    /// Writes the elements to `to`, bytes of the target's arena.
    #[inline(always)]
    fn pour(&self, heap: &mut Heap, source: &Source, to: Range<usize>) -> Result<()> {
        if self.from == self.to {
            let (_, arena, _) = split(&mut heap.arenas, self.to)?;
            let from = self.bytes(arena, source)?;
            let payload = arena.memory_mut().bytes_mut();
            if payload.get(from.clone()).is_none() || payload.get(to.clone()).is_none() {
                return Err(Error::Corrupt);
            }
            payload.copy_within(from, to.start);
            return Ok(());
        }
        let (from, target, _) = self.ends(heap, source)?;
        let to = target.memory_mut().bytes_mut().get_mut(to).ok_or(Error::Corrupt)?;
        self.convert(from, to, source)
    }

    #[inline(always)]
    fn convert(&self, from: &[u8], to: &mut [u8], source: &Source) -> Result<()> {
        match self.how {
            How::Verbatim | How::Substring => {
                copy(to.get_mut(..from.len()).ok_or(Error::Corrupt)?, from);
            }
            How::Convert { convert, .. } => {
                convert(from, to).map_err(|misfit| self.misfit(source.range.start, misfit))?;
            }
        }
        Ok(())
    }

    /// The source's bytes, and the target's arena, which is another one.
    #[inline(always)]
    fn ends<'h>(
        &self,
        heap: &'h mut Heap,
        source: &Source,
    ) -> Result<(&'h [u8], &'h mut Arena, &'h mut Budget)> {
        let both = heap.arenas.get_disjoint_mut([self.from.index(), self.to.index()]);
        let [arena, target] = both.map_err(|_| Error::Corrupt)?;
        let arena = &*arena;
        let bytes = self.bytes(arena, source)?;
        Ok((arena.memory().bytes().get(bytes).ok_or(Error::Corrupt)?, target, &mut heap.budget))
    }

    #[inline(always)]
    fn copy(
        &self,
        heap: &mut Heap,
        target: Cell,
        index: usize,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        let arena = heap.arena(self.to)?;
        let slot = arena.check(target)?;
        let source = self.source(heap, source, range)?;
        let end = index.saturating_add(source.range.len());
        if end > at(slot.len) || index > at(slot.len) {
            return Err(out_of_range(index.max(end), at(slot.len)));
        }
        let to = slot.span(self.shapes.1, index..end);
        self.check(heap, &source)?;
        self.pour(heap, &source, to)
    }

    /// Makes room for the source behind the target. Whatever can fail does so
    /// before the target moves.
    #[cold]
    fn grow(&self, heap: &mut Heap, target: Cell, source: &Source) -> Result<Slot> {
        self.check(heap, source)?;
        let (_, arena, _) = split(&mut heap.arenas, self.to)?;
        arena.reserve(&mut heap.budget, target.slot(), source.range.len())?;
        arena.slot(target.slot())
    }

    #[inline(always)]
    fn append(
        &self,
        heap: &mut Heap,
        target: Cell,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        let mut slot = heap.arena(self.to)?.check(target)?;
        let source = self.source(heap, source, range)?;
        let start = at(slot.len);
        let end = start.saturating_add(source.range.len());
        if self.shapes.1.words_for(end) > at(slot.cap) {
            slot = self.grow(heap, target, &source)?;
        }
        let to = slot.span(self.shapes.1, start..end);
        self.pour(heap, &source, to)?;
        let (_, arena, _) = split(&mut heap.arenas, self.to)?;
        arena.slot_mut(target.slot())?.len = object_len(end)?;
        Ok(())
    }

    #[inline(always)]
    fn make(&self, heap: &mut Heap, source: Cell, range: impl RangeBounds<usize>) -> Result<Cell> {
        let source = self.source(heap, source, range)?;
        let len = source.range.len();
        let words = self.shapes.1.words_for(len);
        if self.from == self.to {
            let made = heap.make(self.to, object_len(len)?, words, |_| Ok(()))?;
            let to = heap.arena(self.to)?.slot(made.slot())?.span(self.shapes.1, 0..len);
            self.pour(heap, &source, to)?;
            return Ok(made);
        }
        // A free block that was cut for a copy that fails would stay cut.
        if !heap.arena(self.to)?.is_ready(words) {
            self.check(heap, &source)?;
        }
        let log = heap.expect_birth()?;
        let (from, target, budget) = self.ends(heap, &source)?;
        let made = target.alloc(budget, object_len(len)?, words, |words| {
            let to = bytemuck::cast_slice_mut::<u64, u8>(words);
            let bytes = len.saturating_mul(self.shapes.1.element_bytes());
            self.convert(from, to.get_mut(..bytes).ok_or(Error::Corrupt)?, &source)
        });
        heap.note_birth(log, made)
    }
}

fn route<S: ConvertTo<D>, D: Object>(_: Handle<S>) -> &'static Route {
    S::ROUTE
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
        route(source).copy(self, target.cell(), at, source.cell(), range)
    }

    /// [`Heap::copy_across`] for kinds known at run time. O(n).
    pub fn copy_across_any(
        &mut self,
        target: Cell,
        at: usize,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        Route::between(source, target.kind(), false)?.copy(self, target, at, source, range)
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
        route(source).append(self, target.cell(), source.cell(), range)
    }

    /// [`Heap::append_across`] for kinds known at run time. Amortised O(n).
    pub fn append_across_any(
        &mut self,
        target: Cell,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        Route::between(source, target.kind(), false)?.append(self, target, source, range)
    }

    /// Makes a new object of elements of `source`. O(n).
    pub fn convert_across<D: Object>(
        &mut self,
        source: Handle<impl ConvertTo<D>>,
        range: impl RangeBounds<usize>,
    ) -> Result<Handle<D>> {
        route(source).make(self, source.cell(), range).map(Handle::known)
    }

    /// [`Heap::convert_across`] for kinds known at run time. O(n).
    pub fn convert_across_any(
        &mut self,
        to: Kind,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<Cell> {
        Route::between(source, Some(to), true)?.make(self, source, range)
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
        let route = <Str as ConvertTo<Str>>::ROUTE;
        let source = route.source(self, text.into(), range)?;
        let route = Route { to: List::KIND, ..*route };
        let log = self.expect_birth()?;
        let (bytes, lists, budget) = route.ends(self, &source)?;
        let len = bytes.chars().count();
        let made = lists.alloc(budget, object_len(len)?, len, |words| {
            for (cell, (start, end, _)) in
                Cell::slice_mut(words).iter_mut().zip(bytes.char_indices())
            {
                let char = bytes.get(start..end).and_then(Cell::short_bytes);
                *cell = char.ok_or(Error::Corrupt)?;
            }
            Ok(())
        });
        self.note_birth(log, made).map(Handle::known)
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
        let warm = self.scratch_bytes;
        self.scratched(|heap, bump| {
            let mut pieces = Vec::new_in(bump);
            for &cell in heap.get(list)?.slice(range)? {
                if !pieces.is_empty() && !separator.is_empty() {
                    push(&mut pieces, TextPart::Str(separator))?;
                }
                push(&mut pieces, TextPart::Whole(cell))?;
            }
            // The text is made beside the list of pieces.
            heap.budget.lend(bump, warm, false);
            heap.concat(&pieces)
        })
    }
}
