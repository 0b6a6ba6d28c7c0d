//! Values as text: bounded in length, with cycles cut, without recursion.

use core::fmt::{self, Write};

use smallvec::SmallVec;

use super::style::{DisplayStyle, PlainStyle};
use super::values::is_hole;
use crate::arena::{Index, Indexed};
use crate::heap::Heap;
use crate::object::Integer;
use crate::words::{Cell, Element, Elements, Error, KeyBy, Result, Shape, Unpacked, to_usize};

/// Default bound on the bytes written.
const LIMIT: usize = 4096;

/// A value as text, by `Display`; returned by [`Heap::display`].
///
/// Text is printed as it is, and quoted and escaped inside of other values. An object
/// inside of itself is printed as its handle (`List#17`: kind and slot), an object that
/// was freed as `gone`, a sealed cell as `Sealed#3`, an integer whose digits do not fit
/// into the bound as `integer of 4096 bits`.
#[derive(Clone, Copy, Debug)]
pub struct DisplayValue<'h, S = PlainStyle> {
    heap: &'h Heap,
    cell: Cell,
    limit: usize,
    quoted: bool,
    style: S,
}

impl Heap {
    /// Returns a value as text, of which at most 4,096 bytes are written. Expected
    /// O(bytes written), however deep the value is; an integer of n limbs takes O(n^2).
    /// Takes memory for the path to the innermost value, which no limit counts.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let text = heap.string("a text")?;
    /// let list = heap.alloc(List::of(&[text, 1.into(), 1.0.into()]))?;
    /// heap.get_mut(list)?.push(list.into())?;
    /// assert_eq!(heap.display(list).to_string(), r#"["a text", 1, 1.0, List#0]"#);
    /// assert_eq!(heap.display(list).limit(8).to_string(), r#"["a text…"#);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn display(&self, value: impl Into<Cell>) -> DisplayValue<'_> {
        let (cell, style) = (value.into(), PlainStyle);
        DisplayValue { heap: self, cell, limit: LIMIT, quoted: false, style }
    }
}

impl<'h, S> DisplayValue<'h, S> {
    /// Writes the value as a language does. See [`DisplayStyle`].
    pub fn style<T: DisplayStyle>(self, style: T) -> DisplayValue<'h, T> {
        let DisplayValue { heap, cell, limit, quoted, .. } = self;
        DisplayValue { heap, cell, limit, quoted, style }
    }

    /// Quotes and escapes a text, as inside of other values.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let text = heap.string("two\nlines")?;
    /// assert_eq!(heap.display(text).quoted().to_string(), r#""two\nlines""#);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn quoted(self) -> Self {
        DisplayValue { quoted: true, ..self }
    }

    /// Sets the bound on the bytes written; `…` follows them if something is left out,
    /// also if there is no memory for deeper values.
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::zeroed(1_000_000))?;
    /// assert_eq!(heap.display(array).limit(12).to_string(), "I64Arr[0, 0,…");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn limit(self, bytes: usize) -> Self {
        DisplayValue { limit: bytes, ..self }
    }
}

/// A writer that fails once a bound is reached, or memory.
struct Bounded<'w, 'f> {
    inner: &'w mut fmt::Formatter<'f>,
    left: usize,
    cut: bool,
}

impl Write for Bounded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(left) = self.left.checked_sub(text.len()) {
            self.left = left;
            return self.inner.write_str(text);
        }
        let mut fits = self.left;
        while !text.is_char_boundary(fits) {
            fits = fits.saturating_sub(1);
        }
        self.inner.write_str(text.get(..fits).unwrap_or_default())?;
        self.cut()
    }
}

impl Bounded<'_, '_> {
    /// Leaves the rest out.
    fn cut(&mut self) -> fmt::Result {
        self.cut = true;
        self.inner.write_str("…")?;
        Err(fmt::Error)
    }
}

/// An object that is being written, and the position of its next cell.
struct Frame<'h> {
    cell: Cell,
    shape: &'static Shape,
    cells: &'h [Cell],
    next: usize,
    first: bool,
}

impl Indexed for Frame<'_> {
    fn key(&self) -> Option<Cell> {
        Some(self.cell)
    }
}

/// Frames that are searched one by one.
const FEW: usize = 8;

/// The objects that are being written, the outermost first.
struct Path<'h> {
    frames: SmallVec<[Frame<'h>; FEW]>,
    /// Finds the first ones, once they are many.
    index: Index,
}

impl<'h> Path<'h> {
    fn contains(&self, cell: Cell) -> bool {
        let others = self.frames.get(self.index.len()..).unwrap_or_default();
        self.index.find(&self.frames, cell).is_some()
            || others.iter().any(|frame| frame.cell == cell)
    }

    /// Adds an object that is not on the path. Expected amortised O(1).
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    fn push(&mut self, frame: Frame<'h>) -> Result<()> {
        self.frames.try_reserve(1).map_err(|_| Error::OutOfMemory)?;
        self.frames.push(frame);
        if self.frames.len().saturating_sub(self.index.len()) > FEW {
            for place in self.index.len()..self.frames.len() {
                let Some(frame) = self.frames.get(place) else { return Ok(()) };
                let before = self.frames.get(..place).unwrap_or_default();
                self.index.reserve_one(before, |buckets, len| {
                    let more = len.saturating_sub(buckets.len());
                    buckets.try_reserve_exact(more).map_err(|_| Error::OutOfMemory)
                })?;
                self.index.put(&self.frames, frame.cell, place);
            }
        }
        Ok(())
    }

    fn pop(&mut self) {
        if self.index.len() == self.frames.len()
            && let Some(last) = self.frames.last()
        {
            self.index.remove(&self.frames, last.cell);
        }
        self.frames.pop();
    }
}

impl<S: DisplayStyle> fmt::Display for DisplayValue<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Bounded { inner: f, left: self.limit, cut: false };
        match self.write(&mut out) {
            Err(fmt::Error) if out.cut => Ok(()),
            result => result,
        }
    }
}

impl<'h, S: DisplayStyle> DisplayValue<'h, S> {
    fn write(&self, out: &mut Bounded<'_, '_>) -> fmt::Result {
        if let Ok(text) = self.heap.text(self.cell)
            && !self.quoted
        {
            return write!(out, "{text}");
        }
        let index = Index::new(self.heap.roots.index_seed());
        let mut path = Path { frames: SmallVec::new(), index };
        let mut next = Some(self.cell);
        loop {
            if let Some(cell) = next.take() {
                if cell.is_handle() && path.contains(cell) {
                    self.style.cycle(out, cell)?;
                } else if let Some(frame) = self.open(cell, out)? {
                    path.push(frame).or_else(|_| out.cut())?;
                }
            }
            let Some(frame) = path.frames.last_mut() else { return Ok(()) };
            let entries = matches!(frame.shape.elements, Elements::Entries(2));
            let value = entries && frame.next % 2 == 1;
            match frame.cells.get(frame.next) {
                Some(&hole) if is_hole(hole) => {
                    frame.next = frame.next.saturating_add(if entries { 2 } else { 1 });
                }
                Some(&cell) => {
                    let lead = if frame.first { "" } else { ", " };
                    out.write_str(if value { ": " } else { lead })?;
                    frame.first = false;
                    frame.next = frame.next.saturating_add(1);
                    next = Some(cell);
                }
                None => {
                    self.style.close(out, frame.cell.selector(), frame.shape.close)?;
                    path.pop();
                }
            }
        }
    }

    /// Writes a value that has no cells, or the opening bracket of one that has: its
    /// frame is returned.
    fn open(&self, cell: Cell, out: &mut Bounded<'_, '_>) -> Result<Option<Frame<'h>>, fmt::Error> {
        let written = match cell.unpack() {
            Unpacked::Object(_) => None,
            Unpacked::Host if !self.heap.store.contains(cell) => None,
            Unpacked::ShortStr(text) => Some(self.style.text(out, text.as_str())),
            Unpacked::Float(float) => Some(self.style.float(out, float)),
            _ => Some(self.style.cell(out, cell)),
        };
        if let Some(written) = written {
            return written.map(|()| None);
        }
        let Ok((arena, slot)) = self.heap.store.open(cell) else {
            return self.style.freed(out, cell).map(|()| None);
        };
        let corrupt = |_: Error| fmt::Error;
        let shape = arena.shape();
        let words = arena.used(slot).map_err(corrupt)?;
        let body = words.get(to_usize(shape.header)..).unwrap_or_default();
        let bytes = u8::slice(body).get(..to_usize(slot.len)).unwrap_or_default();
        match (shape.key, shape.elements) {
            (KeyBy::Text, _) => {
                // Quoting never shortens a text.
                let shown = bytes.get(..out.left.saturating_add(4)).unwrap_or(bytes);
                // The escapes of a text in a cell, not those of `bstr`.
                let text = shown.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                self.style.text(out, text)?;
            }
            (KeyBy::Integer, _) => {
                let integer = Integer::of(words);
                // The conversion to decimal is O(n^2): skip it if the digits, 19 or
                // more for each limb but the last, cannot fit.
                if integer.limbs.len().saturating_sub(1).saturating_mul(19) > out.left {
                    let zeros = integer.limbs.last().map_or(0, |limb| limb.leading_zeros());
                    let bits = integer.limbs.len().saturating_mul(64);
                    write!(out, "integer of {} bits", bits.saturating_sub(to_usize(zeros)))?;
                } else {
                    write!(out, "{}", integer)?;
                }
            }
            (_, Elements::Cells | Elements::Entries(_)) => {
                let id = words.first().filter(|_| shape.header == 1);
                let id = id.and_then(|&id| u32::try_from(id).ok());
                self.style.open(out, arena.kind(), id, shape.open)?;
                let cells = arena.cells(slot).map_err(corrupt)?;
                return Ok(Some(Frame { cell, shape, cells, next: 0, first: true }));
            }
            (_, Elements::Bytes) => write!(out, "{}{bytes:?}", arena.kind())?,
            (_, Elements::Ints) => write!(out, "{}{:?}", arena.kind(), i64::slice(body))?,
            (_, Elements::Floats) => write!(out, "{}{:?}", arena.kind(), f64::slice(body))?,
        }
        Ok(None)
    }
}
