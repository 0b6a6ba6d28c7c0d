//! Routes: which kinds copy to which, and how. They follow from the class and the
//! element type that each kind declares; this file mentions no kind.

use core::ops::{Bound, Range, RangeBounds, RangeInclusive};

use super::convert::{FailedAt, Fit, check, check_text, convert_into, copy_text};
use crate::arena::{Arena, Slot};
use crate::heap::Store;
use crate::kinds::SHAPES;
use crate::object::Object;
use crate::words::{
    Cell, CopyClass, Element, Elements, Error, Kind, Result, Shape, char_range, copy, copy_few,
    corrupt, is_ascii_few, object_len, out_of_range, range, to_usize,
};

/// Numbers of bytes that are copied without a call.
const FEW: RangeInclusive<u32> = 4..=64;

/// Checks that all elements in the bytes of a source fit.
type Check = fn(&[u8]) -> Result<(), FailedAt>;

/// How source elements become target elements.
#[derive(Clone, Copy, Debug)]
enum How {
    /// Byte by byte.
    Verbatim,
    /// Text out of text: byte by byte, between character boundaries.
    Substring,
    /// Element by element.
    Convert {
        /// Checks that every element fits; `None` if every element does.
        check: Option<Check>,
        convert: fn(&[u8], &mut [u8]) -> Result<(), FailedAt>,
    },
}

impl How {
    const TEXT: How = How::Convert { check: Some(check_text), convert: copy_text };

    const fn convert<S: Fit<T>, T: Element>() -> How {
        let check: Option<Check> = if S::ERROR_MASK == 0 { None } else { Some(check::<S, T>) };
        How::Convert { check, convert: convert_into::<S, T> }
    }

    /// How objects of one shape are copied to those of another; `None` if they are not.
    const fn between(from: &Shape, to: &Shape) -> Option<How> {
        use CopyClass::{Data, Text, Values};
        use Elements::{Bytes, Floats};
        match (from.class, to.class, from.elements, to.elements) {
            (Text, Text, ..) => Some(How::Substring),
            (Text, Data, ..) | (Text, Values, _, Bytes) => Some(How::Verbatim),
            (Data, Text, ..) | (Values, Text, Bytes, _) => Some(How::TEXT),
            (Data, Values, _, Floats) | (Values, Data, Floats, _) => None,
            (Data | Values, Data | Values, from, to) => How::elements(from, to),
            _ => None,
        }
    }

    /// How elements of one type are converted to those of another.
    const fn elements(from: Elements, to: Elements) -> Option<How> {
        use Elements::{Bytes, Cells, Floats, Ints};
        Some(match (from, to) {
            (Bytes, Bytes) | (Ints, Ints) | (Floats, Floats) | (Cells, Cells) => How::Verbatim,
            (Bytes, Ints) => How::convert::<u8, i64>(),
            (Bytes, Floats) => How::convert::<u8, f64>(),
            (Bytes, Cells) => How::convert::<u8, Cell>(),
            (Ints, Bytes) => How::convert::<i64, u8>(),
            (Ints, Floats) => How::convert::<i64, f64>(),
            (Ints, Cells) => How::convert::<i64, Cell>(),
            (Floats, Bytes) => How::convert::<f64, u8>(),
            (Floats, Ints) => How::convert::<f64, i64>(),
            (Floats, Cells) => How::convert::<f64, Cell>(),
            (Cells, Bytes) => How::convert::<Cell, u8>(),
            (Cells, Ints) => How::convert::<Cell, i64>(),
            (Cells, Floats) => How::convert::<Cell, f64>(),
            (Elements::Entries(_), _) | (_, Elements::Entries(_)) => return None,
        })
    }
}

/// The route from one kind to another.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Route {
    from: Kind,
    to: Kind,
    shapes: (&'static Shape, &'static Shape),
    how: How,
}

/// Every route, by the indices of source and target kind.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "when compiled")]
static ROUTES: [[Option<Route>; Kind::COUNT]; Kind::COUNT] = {
    let mut routes = [[None; Kind::COUNT]; Kind::COUNT];
    let mut from = 0;
    while from < Kind::COUNT {
        let mut to = 0;
        while to < Kind::COUNT {
            routes[from][to] = Route::between_kinds(from, to);
            to += 1;
        }
        from += 1;
    }
    routes
};

/// The source of a copy: an object, and a range of its elements, both checked.
pub(super) struct Source {
    pub(super) cell: Cell,
    pub(super) range: Range<usize>,
}

impl Route {
    #[allow(clippy::indexing_slicing, reason = "when compiled")]
    const fn between_kinds(from: usize, to: usize) -> Option<Route> {
        let shapes = (SHAPES[from], SHAPES[to]);
        match How::between(shapes.0, shapes.1) {
            Some(how) => {
                let (from, to) = (Kind::ALL[from], Kind::ALL[to]);
                Some(Route { from, to, shapes, how })
            }
            None => None,
        }
    }

    /// The route between two kinds that are known at compile time.
    pub(super) const fn of<S: Object, D: Object>() -> Option<Route> {
        let shapes = (&S::SHAPE, &D::SHAPE);
        match How::between(shapes.0, shapes.1) {
            Some(how) => Some(Route { from: S::KIND, to: D::KIND, shapes, how }),
            None => None,
        }
    }

    /// This route with another target kind, for
    /// [`Heap::convert_chars`](crate::Heap::convert_chars).
    pub(super) const fn with_target(self, to: Kind) -> Route {
        Route { to, ..self }
    }

    /// The route from the kind of a cell to another kind, into a new object or an
    /// existing one.
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if there is no kind; [`Error::Sealed`] if one is that of
    /// seals; [`Error::NoRoute`] if there is no route.
    pub(super) fn find(from: Cell, to: Option<Kind>, new: bool) -> Result<&'static Route> {
        let (Some(from), Some(to)) = (from.kind(), to) else { return Err(Error::NotAHandle) };
        if from == Kind::SEALED || to == Kind::SEALED {
            return Err(Error::Sealed);
        }
        match ROUTES.get(from.index()).and_then(|row| row.get(to.index())) {
            Some(Some(route)) if new || !route.makes_text() => Ok(route),
            _ => Err(Error::NoRoute { from, to }),
        }
    }

    /// Whether the target is text, which is immutable.
    fn makes_text(&self) -> bool {
        self.shapes.1.class == CopyClass::Text
    }

    /// The error for the element at `failed` in a source range that starts at `start`.
    #[cold]
    fn failure(&self, start: usize, failed: FailedAt) -> Error {
        let index = u32::try_from(start.saturating_add(failed)).unwrap_or(u32::MAX);
        if self.makes_text() {
            return Error::NotUtf8 { valid_up_to: index };
        }
        Error::NotConvertible { index, to: self.to }
    }

    /// Checks a source: a live object of the right kind, which has the range.
    #[inline(always)]
    pub(super) fn source(
        &self,
        store: &Store,
        cell: Cell,
        bounds: impl RangeBounds<usize>,
    ) -> Result<Source> {
        let slot = store.arena(self.from)?.check(cell)?;
        self.source_of(store, cell, slot, bounds)
    }

    /// [`Route::source`] of an object that is open.
    #[inline(always)]
    fn source_of(
        &self,
        store: &Store,
        cell: Cell,
        slot: Slot,
        bounds: impl RangeBounds<usize>,
    ) -> Result<Source> {
        let arena = store.arena(self.from)?;
        let range = match self.how {
            How::Substring => {
                let whole = slot.span(self.shapes.0, 0..to_usize(slot.len));
                char_range(arena.memory().payload().get(whole).ok_or_else(corrupt)?, bounds)?
            }
            _ => range(bounds, to_usize(slot.len))?,
        };
        Ok(Source { cell, range })
    }

    /// The bytes of the source's elements in the memory of its arena, as a range.
    #[inline(always)]
    fn span(&self, arena: &Arena, source: &Source) -> Result<Range<usize>> {
        Ok(arena.slot(source.cell.slot())?.span(self.shapes.0, source.range.clone()))
    }

    /// The bytes of the source's elements.
    #[inline(always)]
    pub(super) fn bytes<'a>(&self, arena: &'a Arena, source: &Source) -> Result<&'a [u8]> {
        arena.memory().payload().get(self.span(arena, source)?).ok_or_else(corrupt)
    }

    /// Checks that all elements of the source fit.
    #[inline(always)]
    fn check(&self, store: &Store, source: &Source) -> Result<()> {
        let How::Convert { check: Some(check), .. } = self.how else { return Ok(()) };
        let from = self.bytes(store.arena(self.from)?, source)?;
        check(from).map_err(|failed| self.failure(source.range.start, failed))
    }

    /// Writes the elements to the bytes `to` of the target's memory, which lie in the
    /// object in slot `index`.
    #[inline(always)]
    fn write(
        &self,
        store: &mut Store,
        source: &Source,
        index: u32,
        to: Range<usize>,
    ) -> Result<()> {
        if self.shapes.1.is_traced() {
            store.arena_mut(self.to)?.note_cells(index);
        }
        if self.from == self.to {
            let arena = store.arena_mut(self.to)?;
            let from = self.span(arena, source)?;
            return arena.copy_bytes(index, from, to.start);
        }
        let (arena, target) = store.parts().arenas.read_and_write(self.from, self.to)?;
        self.convert(self.bytes(arena, source)?, target.write_bytes(index, to)?, source)
    }

    /// Converts the bytes of a source into those of a target.
    #[inline(always)]
    fn convert(&self, from: &[u8], to: &mut [u8], source: &Source) -> Result<()> {
        match self.how {
            How::Verbatim | How::Substring => {
                copy(to.get_mut(..from.len()).ok_or_else(corrupt)?, from);
            }
            How::Convert { convert, .. } => {
                let converted = convert(from, to);
                converted.map_err(|failed| self.failure(source.range.start, failed))?;
            }
        }
        Ok(())
    }

    /// Overwrites elements of a target from `index` on.
    #[inline(always)]
    pub(super) fn copy(
        &self,
        store: &mut Store,
        target: Cell,
        index: usize,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        let opened = store.arena(self.to)?.find_dense_to_change(target);
        let source_slot = store.arena(self.from)?.find_dense(source);
        let (Some(slot), Some(source_slot)) = (opened, source_slot) else {
            let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
            return self.copy_cold(store, target, index, source, bounds);
        };
        let source = self.source_of(store, source, source_slot, range)?;
        self.copy_to(store, (target, slot), index, &source)
    }

    /// [`Route::copy`] where an object has to be opened on a cold path, or cannot be.
    #[cold]
    #[inline(never)]
    fn copy_cold(
        &self,
        store: &mut Store,
        target: Cell,
        index: usize,
        source: Cell,
        bounds: (Bound<usize>, Bound<usize>),
    ) -> Result<()> {
        let slot = store.open_to_change(self.to, target)?;
        let source = self.source(store, source, bounds)?;
        self.copy_to(store, (target, slot), index, &source)
    }

    #[inline(always)]
    fn copy_to(
        &self,
        store: &mut Store,
        (target, slot): (Cell, Slot),
        index: usize,
        source: &Source,
    ) -> Result<()> {
        let (end, len) = (index.saturating_add(source.range.len()), to_usize(slot.len));
        if end > len || index > len {
            return Err(out_of_range(index.max(end), len));
        }
        let to = slot.span(self.shapes.1, index..end);
        self.check(store, source)?;
        self.write(store, source, target.slot(), to)
    }

    /// Makes room for the source at the end of the target. The elements are checked
    /// first: nothing may fail after the target has moved.
    #[cold]
    fn grow(&self, store: &mut Store, target: Cell, source: &Source) -> Result<Slot> {
        self.check(store, source)?;
        store.reserve(self.to, target.slot(), source.range.len())
    }

    /// Appends elements to a target.
    #[inline(always)]
    pub(super) fn append(
        &self,
        store: &mut Store,
        target: Cell,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<()> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        match self.append_few(store, target, source, range) {
            Some(()) => Ok(()),
            None => self.append_any(store, target, source, bounds),
        }
    }

    /// [`Route::append`] of few bytes to an object of another kind that has room; `None`,
    /// and nothing has changed, if that is not so, an object has to be opened on a cold
    /// path, or anything fails.
    #[inline(always)]
    fn append_few(
        &self,
        store: &mut Store,
        target: Cell,
        source: Cell,
        bounds: impl RangeBounds<usize>,
    ) -> Option<()> {
        if !matches!(self.how, How::Verbatim) || self.from == self.to {
            return None;
        }
        let (sources, targets) = store.parts().arenas.read_and_write(self.from, self.to).ok()?;
        let source = sources.find_dense(source)?;
        let (slot, block) = targets.open_dense(target)?;
        let range = range(bounds, to_usize(source.len)).ok()?;
        let end = to_usize(slot.len).saturating_add(range.len());
        let len = object_len(end).ok()?;
        let to = self.shapes.1.bytes(to_usize(slot.len)..end);
        let place = u8::slice_mut(block).get_mut(to)?;
        copy_few(place, sources.memory().payload().get(source.span(self.shapes.0, range))?)?;
        slot.len = len;
        Some(())
    }

    /// [`Route::append`], whatever it takes.
    #[inline(never)]
    fn append_any(
        &self,
        store: &mut Store,
        target: Cell,
        source: Cell,
        bounds: (Bound<usize>, Bound<usize>),
    ) -> Result<()> {
        let mut slot = store.open_to_change(self.to, target)?;
        let source = self.source(store, source, bounds)?;
        let start = to_usize(slot.len);
        let end = start.saturating_add(source.range.len());
        if self.shapes.1.words_for(end) > to_usize(slot.cap()) {
            slot = self.grow(store, target, &source)?;
        }
        let to = slot.span(self.shapes.1, start..end);
        self.write(store, &source, target.slot(), to)?;
        store.arena_mut(self.to)?.set_len(target.slot(), object_len(end)?)
    }

    /// [`Route::alloc`] of few bytes as they are; `None`, and nothing has changed, if they
    /// are no such bytes, or if that takes a rare step.
    #[inline(always)]
    pub(super) fn alloc_few(
        &self,
        store: &mut Store,
        source: Cell,
        bounds: impl RangeBounds<usize>,
    ) -> Option<Cell> {
        let plain = matches!(self.how, How::Verbatim) || self.makes_text();
        if !plain || self.shapes.1.element_bytes() != 1 || self.from == self.to {
            return None;
        }
        let sources = store.arena(self.from).ok()?;
        let slot = sources.find_dense(source)?;
        let range = range(bounds, to_usize(slot.len)).ok()?;
        let len = u32::try_from(range.len()).ok().filter(|len| FEW.contains(len))?;
        let span = slot.span(self.shapes.0, range);
        let from = sources.memory().payload().get(span.clone())?;
        if self.makes_text() && !is_ascii_few(from) {
            return None;
        }
        let (cell, first) = store.alloc_ready(self.to, len, len.div_ceil(8))?;
        let (sources, targets) = store.parts().arenas.read_and_write(self.from, self.to).ok()?;
        let to = targets.write_bytes(cell.slot(), first..first.wrapping_add(to_usize(len)));
        copy_few(to.ok()?, sources.memory().payload().get(span)?)?;
        Some(cell)
    }

    /// Allocates an object with elements of a source.
    #[inline(always)]
    pub(super) fn alloc(
        &self,
        store: &mut Store,
        source: Cell,
        range: impl RangeBounds<usize>,
    ) -> Result<Cell> {
        let source = self.source(store, source, range)?;
        let count = source.range.len();
        let (len, words) = (object_len(count)?, self.shapes.1.words_for(count));
        if self.from == self.to {
            let cell = store.alloc_with(self.to, len, words, |_| Ok(()))?;
            let to = store.arena(self.to)?.slot(cell.slot())?.span(self.shapes.1, 0..count);
            self.write(store, &source, cell.slot(), to)?;
            return Ok(cell);
        }
        // A new block would stay split off its free block if the conversion failed:
        // check the elements first.
        if !store.arena(self.to)?.is_ready(words) {
            self.check(store, &source)?;
        }
        let span = self.span(store.arena(self.from)?, &source)?;
        store.alloc_from(self.from, self.to, (len, words), |arena, words| {
            let to = bytemuck::cast_slice_mut::<u64, u8>(words);
            let bytes = count.saturating_mul(self.shapes.1.element_bytes());
            let to = to.get_mut(..bytes).ok_or_else(corrupt)?;
            self.convert(arena.memory().payload().get(span).ok_or_else(corrupt)?, to, &source)
        })
    }
}
