//! Text as a value: in a cell up to 5 bytes, in an arena beyond.

use core::fmt;
use core::ops::{Deref, Range};

use bstr::{BStr, ByteSlice};

use crate::arena::Arena;
use crate::heap::Heap;
use crate::kinds::Str;
use crate::words::{
    Cell, Error, HasKind, Result, ShortStr, Unpacked, char_range, corrupt, object_len, to_usize,
};

/// The text of a value, wherever it lies; a [`BStr`] by `Deref`. Returned by
/// [`Heap::text`].
#[derive(Clone, Copy, Eq)]
pub struct Text<'h>(Place<'h>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place<'h> {
    Cell(ShortStr),
    Arena(&'h BStr),
}

impl Deref for Text<'_> {
    type Target = BStr;

    #[inline]
    fn deref(&self) -> &BStr {
        match &self.0 {
            Place::Cell(text) => text.as_bytes().as_bstr(),
            Place::Arena(text) => text,
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

/// A part of a text that [`Heap::concat`] puts together.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TextPart<'a> {
    /// All of a value's text.
    Whole(Cell),
    /// These bytes of a value's text.
    Range(Cell, Range<usize>),
    /// Text of the host's.
    Str(&'a str),
}

impl From<Cell> for TextPart<'_> {
    fn from(cell: Cell) -> Self {
        TextPart::Whole(cell)
    }
}

impl<'a> From<&'a str> for TextPart<'a> {
    fn from(text: &'a str) -> Self {
        TextPart::Str(text)
    }
}

impl Heap {
    /// A text as a value: in the cell up to 5 bytes, a [`Str`] beyond. O(n).
    ///
    /// # Errors
    /// A limit or no memory; the heap is as it was then.
    #[inline]
    pub fn string(&mut self, text: &str) -> Result<Cell> {
        match Cell::short_str(text) {
            Some(cell) => Ok(cell),
            None => self.alloc(Str::new(text)).map(Cell::from),
        }
    }

    /// The text of a value. O(1).
    ///
    /// # Errors
    /// [`Error::NotText`] for a cell that is neither a handle nor a short text;
    /// [`Error::WrongKind`] or [`Error::Stale`] for a handle.
    #[inline]
    pub fn text(&self, cell: Cell) -> Result<Text<'_>> {
        match cell.unpack() {
            Unpacked::ShortStr(text) => Ok(Text(Place::Cell(text))),
            Unpacked::Sealed => Err(Error::Sealed),
            Unpacked::Object(_) => Ok(Text(Place::Arena(self.get::<Str>(cell)?.text()))),
            _ => Err(Error::NotText),
        }
    }

    /// The pieces put together into one text, with one allocation. O(n).
    ///
    /// # Errors
    /// Those of [`Heap::text`]; [`Error::OutOfRange`] and
    /// [`Error::NotACharBoundary`] for a part; a limit or no memory. The heap is
    /// as it was then.
    ///
    /// ```
    /// use segheap::{Heap, TextPart};
    /// let mut heap = Heap::new();
    /// let name = heap.string("segmented")?;
    /// let text = heap.concat(&[TextPart::Range(name, 0..3), "-".into(), name.into()])?;
    /// assert_eq!(heap.text(text)?.to_string(), "seg-segmented");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn concat(&mut self, parts: &[TextPart<'_>]) -> Result<Cell> {
        let mut total = 0_usize;
        let mut short = [0; 8];
        for part in parts {
            let (text, range) = self.part(part)?;
            let end = total.saturating_add(range.len());
            if let Some(place) = short.get_mut(total..end) {
                place.copy_from_slice(text.get(range).unwrap_or_default());
            }
            total = end;
        }
        if let Some(cell) = short.get(..total).and_then(Cell::short_bytes) {
            return Ok(cell);
        }
        let cell =
            self.store.alloc_with(Str::KIND, object_len(total)?, total.div_ceil(8), |_| Ok(()))?;
        write_parts(self.store.arena_mut(Str::KIND)?, cell, parts)?;
        Ok(cell)
    }

    /// The text of a part, and the range of it that is wanted.
    fn part<'a>(&'a self, part: &TextPart<'a>) -> Result<(Text<'a>, Range<usize>)> {
        let (text, range) = match part {
            TextPart::Whole(cell) => (self.text(*cell)?, None),
            TextPart::Range(cell, range) => (self.text(*cell)?, Some(range)),
            TextPart::Str(text) => (Text(Place::Arena(text.as_bytes().as_bstr())), None),
        };
        let range = match range {
            Some(range) => char_range(&text, range.clone())?,
            None => 0..text.len(),
        };
        Ok((text, range))
    }
}

/// Writes parts, which were checked, into a new text.
fn write_parts(arena: &mut Arena, target: Cell, parts: &[TextPart<'_>]) -> Result<()> {
    let index = target.slot();
    let mut to = to_usize(arena.slot(index)?.off).saturating_mul(8);
    for part in parts {
        let (cell, range) = match part {
            TextPart::Whole(cell) => (*cell, None),
            TextPart::Range(cell, range) => (*cell, Some(range)),
            TextPart::Str(text) => {
                to = put(arena, index, to, text.as_bytes())?;
                continue;
            }
        };
        if let Some(slot) = arena.find(cell) {
            let Range { start, end } = range.cloned().unwrap_or(0..to_usize(slot.len));
            let base = to_usize(slot.off).saturating_mul(8);
            let from = base.saturating_add(start)..base.saturating_add(end);
            let len = from.len();
            arena.copy_bytes(index, from, to)?;
            to = to.saturating_add(len);
        } else {
            let text = cell.as_short_str().ok_or_else(corrupt)?;
            let bytes = text.as_bytes();
            let bytes = range.map_or(Some(bytes), |range| bytes.get(range.clone()));
            to = put(arena, index, to, bytes.ok_or_else(corrupt)?)?;
        }
    }
    Ok(())
}

/// Writes bytes to the payload, and returns where they end.
#[inline(always)]
fn put(arena: &mut Arena, index: u32, to: usize, bytes: &[u8]) -> Result<usize> {
    let end = to.saturating_add(bytes.len());
    arena.write_bytes(index, to..end)?.copy_from_slice(bytes);
    Ok(end)
}
