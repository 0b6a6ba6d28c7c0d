//! Text as a value: in the cell up to 5 bytes, in an arena beyond.

use core::fmt;
use core::ops::{Deref, Range, RangeInclusive};

use bstr::{BStr, ByteSlice};

use crate::arena::Arena;
use crate::heap::Heap;
use crate::kinds::Str;
use crate::words::utf8;
use crate::words::{
    Cell, Error, HasKind, Result, ShortStr, Unpacked, char_range, copy, copy_few, corrupt,
    object_len, to_usize,
};

/// The text of a value, in a cell or in an arena; returned by [`Heap::text`].
/// Dereferences to a [`BStr`] in valid UTF-8: bytes with `find`, `chars`, comparison
/// and the rest of [`bstr`].
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

/// Texts of up to so many bytes lie in cells.
pub(super) const SHORT_BYTES: u32 = 5;
/// Texts of up to so many bytes are copied without a call.
const FEW_BYTES: u32 = 32;
/// Lengths of the parts of such a text that are copied without a call.
const SHORT_COPY: RangeInclusive<u32> = 8..=16;

/// A part of the text that [`Heap::concat`] returns.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TextPart<'a> {
    /// The whole text of a value.
    Whole(Cell),
    /// A range of the bytes of a value's text, on character boundaries.
    Range(Cell, Range<usize>),
    /// Text of the host.
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
    /// Returns a text as a value: in the cell up to 5 bytes of UTF-8, a new [`Str`]
    /// beyond. O(n) for n bytes.
    ///
    /// ```
    /// use segheap::{Heap, Kind};
    /// let mut heap = Heap::new();
    /// let (short, long) = (heap.string("añoo")?, heap.string("mañana")?);
    /// assert_eq!((short.kind(), long.kind()), (None, Some(Kind::STR)));
    /// assert_eq!(heap.text(short)?.len() + heap.text(long)?.len(), 5 + 7);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the text cannot be allocated, as for [`Heap::alloc`]: [`Error::Limit`],
    /// [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The
    /// heap is unchanged.
    #[inline]
    pub fn string(&mut self, text: &str) -> Result<Cell> {
        if let Some(cell) = Cell::short_str(text) {
            return Ok(cell);
        }
        match self.string_of_few(text) {
            Some(cell) => Ok(cell),
            None => self.string_in_arena(text),
        }
    }

    /// [`Heap::string`] of up to a few bytes; `None` if that takes a rare step, too.
    #[inline(always)]
    fn string_of_few(&mut self, text: &str) -> Option<Cell> {
        let few = text.len() <= to_usize(FEW_BYTES);
        let len = u32::try_from(text.len()).ok().filter(|_| few)?;
        let (cell, first) = self.store.alloc_ready(Str::KIND, len, len.div_ceil(8))?;
        let place = first..first.wrapping_add(text.len());
        let texts = self.store.arenas_mut().get_mut(Str::KIND)?;
        copy_few(texts.write_bytes(cell.slot(), place).ok()?, text.as_bytes())?;
        Some(cell)
    }

    /// [`Heap::string`] of more than a few bytes, or where an arena has to grow.
    #[inline(never)]
    fn string_in_arena(&mut self, text: &str) -> Result<Cell> {
        self.alloc(Str::new(text)).map(Cell::from)
    }

    /// [`Heap::string`] of bytes that are known to be UTF-8.
    pub(super) fn string_of_bytes(&mut self, text: &[u8]) -> Result<Cell> {
        self.string(utf8::to_str(text).ok_or_else(corrupt)?)
    }

    /// Returns the text of a value, in the cell or in an arena. O(1).
    ///
    /// ```
    /// use segheap::{Error, Heap, bstr::ByteSlice};
    /// let mut heap = Heap::new();
    /// let value = heap.string("key=value")?;
    /// assert_eq!(heap.text(value)?.find("="), Some(3));
    /// assert_eq!(heap.text(7.into()), Err(Error::NotText));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotText`] if the cell is neither a handle nor a text; [`Error::Sealed`]
    /// if it is sealed; [`Error::WrongKind`] if it is a handle of another kind;
    /// [`Error::Stale`] if the object was freed.
    #[inline]
    pub fn text(&self, cell: Cell) -> Result<Text<'_>> {
        match cell.unpack() {
            Unpacked::ShortStr(text) => Ok(Text(Place::Cell(text))),
            Unpacked::Sealed => Err(Error::Sealed),
            Unpacked::Object(_) | Unpacked::Host => {
                Ok(Text(Place::Arena(self.get::<Str>(cell)?.text())))
            }
            _ => Err(Error::NotText),
        }
    }

    /// Returns the concatenation of the parts as a value, as [`Heap::string`] does. One
    /// allocation, O(n) for n bytes in all parts.
    ///
    /// ```
    /// use segheap::{Heap, TextPart};
    /// let mut heap = Heap::new();
    /// let name = heap.string("segmented")?;
    /// let text = heap.concat(&[TextPart::Range(name, 0..3), "-".into(), name.into()])?;
    /// assert_eq!(heap.text(text)?.to_string(), "seg-segmented");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// For the first part that they apply to: [`Error::NotText`], [`Error::Sealed`],
    /// [`Error::WrongKind`] or [`Error::Stale`], as for [`Heap::text`];
    /// [`Error::OutOfRange`] if a range leaves its text; [`Error::NotACharBoundary`] if
    /// a bound lies inside a character. If the text cannot be allocated, as for
    /// [`Heap::alloc`]: [`Error::Limit`], [`Error::ArenaFull`],
    /// [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The heap is unchanged.
    pub fn concat(&mut self, parts: &[TextPart<'_>]) -> Result<Cell> {
        if let [TextPart::Whole(a), TextPart::Whole(b)] = *parts
            && let Some(cell) = self.concat_two(a, b)
        {
            return Ok(cell);
        }
        self.concat_parts(parts)
    }

    /// [`Heap::concat`] of two texts in arenas, to a few bytes; `None` if that is not so, or
    /// takes a rare step.
    #[inline(always)]
    fn concat_two(&mut self, a: Cell, b: Cell) -> Option<Cell> {
        let texts = self.store.arenas().get(Str::KIND)?;
        let (a, b) = (texts.find_dense(a)?, texts.find_dense(b)?);
        let len = a.len.checked_add(b.len)?;
        if !SHORT_COPY.contains(&a.len) || !SHORT_COPY.contains(&b.len) {
            return None;
        }
        let (cell, first) = self.store.alloc_ready(Str::KIND, len, len.div_ceil(8))?;
        let texts = self.store.arenas_mut().get_mut(Str::KIND)?;
        let second = first.wrapping_add(to_usize(a.len));
        for (text, to) in [(a, first), (b, second)] {
            let from = to_usize(text.off).wrapping_mul(8);
            texts.copy_few_bytes(cell.slot(), from, to, to_usize(text.len))?;
        }
        Some(cell)
    }

    /// [`Heap::concat`] of any parts.
    #[inline(never)]
    fn concat_parts(&mut self, parts: &[TextPart<'_>]) -> Result<Cell> {
        let mut total = 0_usize;
        for part in parts {
            let (_, range) = self.part(part)?;
            total = total.saturating_add(range.len());
        }
        if total <= to_usize(SHORT_BYTES) {
            return self.concat_in_cell(parts);
        }
        let cell =
            self.store.alloc_with(Str::KIND, object_len(total)?, total.div_ceil(8), |_| Ok(()))?;
        write_parts(self.store.arena_mut(Str::KIND)?, cell, parts)?;
        Ok(cell)
    }

    /// [`Heap::concat`] to a text that fits into a cell.
    #[cold]
    pub(super) fn concat_in_cell(&self, parts: &[TextPart<'_>]) -> Result<Cell> {
        let (mut bytes, mut total) = ([0; 8], 0_usize);
        for part in parts {
            let (text, range) = self.part(part)?;
            let end = total.saturating_add(range.len());
            let place = bytes.get_mut(total..end).ok_or_else(corrupt)?;
            place.copy_from_slice(text.get(range).ok_or_else(corrupt)?);
            total = end;
        }
        bytes.get(..total).and_then(Cell::short_bytes).ok_or_else(corrupt)
    }

    /// The text that a part refers to, and the range of its bytes.
    pub(super) fn part<'a>(&'a self, part: &TextPart<'a>) -> Result<(Text<'a>, Range<usize>)> {
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

/// Writes parts, which were checked, into a new text. They may lie in the same arena,
/// so they are found again instead of borrowed.
pub(super) fn write_parts(arena: &mut Arena, target: Cell, parts: &[TextPart<'_>]) -> Result<()> {
    write_parts_from(arena, target, 0, parts)
}

/// [`write_parts`] from byte `start` of the text on.
pub(super) fn write_parts_from(
    arena: &mut Arena,
    target: Cell,
    start: usize,
    parts: &[TextPart<'_>],
) -> Result<()> {
    let index = target.slot();
    let mut to = to_usize(arena.slot(index)?.off).saturating_mul(8).saturating_add(start);
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

/// Writes bytes into the object in slot `index`, from byte `to` of the memory on;
/// returns where they end.
#[inline(always)]
fn put(arena: &mut Arena, index: u32, to: usize, bytes: &[u8]) -> Result<usize> {
    let end = to.saturating_add(bytes.len());
    copy(arena.write_bytes(index, to..end)?, bytes);
    Ok(end)
}
