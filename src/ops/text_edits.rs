//! Texts made of a text: parts, replacements, repetitions, letters of one case. Sources are
//! read in the arena; a result of up to 5 bytes lies in the cell.

use core::ops::Range;

use bstr::ByteSlice;
use bumpalo::collections::Vec;

use super::texts::{SHORT_BYTES, TextPart, write_parts};
use crate::arena::{push, reserve};
use crate::heap::{Heap, Store};
use crate::kinds::{List, Str};
use crate::object::{Internal, ObjectInit, are_equal};
use crate::words::{Cell, Error, Handle, HasKind, Result, corrupt, object_len, to_usize, utf8};

impl Heap {
    /// Returns whether two texts have the same content, in cells or in an arena. O(1) if their
    /// lengths differ, else O(n) for n bytes.
    ///
    /// ```
    /// use segheap::{Heap, Str};
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.string("a text")?, heap.string("a text")?);
    /// assert!(a != b && heap.text_eq(a, b)?);
    /// let (object, value) = (heap.alloc(Str::new("ab"))?, heap.string("ab")?);
    /// assert!(heap.text_eq(object.into(), value)?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// For the first text that they apply to, as for [`Heap::text`]: [`Error::NotText`],
    /// [`Error::Sealed`], [`Error::WrongKind`] or [`Error::Stale`].
    #[inline]
    pub fn text_eq(&self, a: Cell, b: Cell) -> Result<bool> {
        let text = |cell| {
            let texts = self.store.arenas().get(Str::KIND)?;
            let slot = texts.find_dense(cell)?;
            Some((texts, slot))
        };
        match (text(a), text(b)) {
            (Some((texts, a)), Some((_, b))) if a.len == b.len => {
                let len = to_usize(a.len);
                let words = (texts.words(a, len.div_ceil(8))?, texts.words(b, len.div_ceil(8))?);
                let bytes = |words| bytemuck::cast_slice(words).get(..len).unwrap_or_default();
                Ok(are_equal(bytes(words.0), bytes(words.1)))
            }
            (Some(_), Some(_)) => Ok(false),
            _ => self.text_eq_of_any(a, b),
        }
    }

    /// [`Heap::text_eq`] where one of the texts lies in the cell, or is none.
    #[inline(never)]
    fn text_eq_of_any(&self, a: Cell, b: Cell) -> Result<bool> {
        match (a.as_short_str(), b.as_short_str()) {
            (Some(_), Some(_)) => Ok(a == b),
            _ => Ok(self.text(a)? == self.text(b)?),
        }
    }

    /// Returns whether a text starts with another one. O(n) for n bytes of `prefix`.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let (text, prefix) = (heap.string("segheap")?, heap.string("seg")?);
    /// assert!(heap.text_starts_with(text, prefix)?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::text_eq`].
    pub fn text_starts_with(&self, text: Cell, prefix: Cell) -> Result<bool> {
        Ok(self.text(text)?.starts_with(&self.text(prefix)?))
    }

    /// Returns whether a text ends with another one. O(n) for n bytes of `suffix`.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let (text, suffix) = (heap.string("segheap")?, heap.string("heap")?);
    /// assert!(heap.text_ends_with(text, suffix)?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::text_eq`].
    pub fn text_ends_with(&self, text: Cell, suffix: Cell) -> Result<bool> {
        Ok(self.text(text)?.ends_with(&self.text(suffix)?))
    }

    /// Returns a text without the whitespace (Unicode `White_Space`) at its start and its
    /// end: the text itself if there is none. O(n) for n bytes.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let text = heap.string("  two words\n")?;
    /// let trimmed = heap.text_trim(text)?;
    /// assert_eq!(heap.text(trimmed)?.to_string(), "two words");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Heap::text`]: [`Error::NotText`], [`Error::Sealed`],
    /// [`Error::WrongKind`] or [`Error::Stale`]. If the text cannot be allocated, as for
    /// [`Heap::alloc`]: [`Error::Limit`], [`Error::ArenaFull`] or
    /// [`Error::OutOfMemory`]. The heap is unchanged.
    pub fn text_trim(&mut self, text: Cell) -> Result<Cell> {
        let all = self.text(text)?;
        let all = utf8::to_str(&all).ok_or_else(corrupt)?;
        let start = all.len().saturating_sub(all.trim_start().len());
        let end = all.trim_end().len().max(start);
        self.subtext(text, start..end)
    }

    /// A range of a text, on boundaries of characters: the text itself if that is all of it.
    fn subtext(&mut self, text: Cell, range: Range<usize>) -> Result<Cell> {
        let len = self.text(text)?.len();
        if range == (0..len) && len > to_usize(SHORT_BYTES) {
            return Ok(text);
        }
        self.concat(&[TextPart::Range(text, range)])
    }

    /// Returns a text with each occurrence of `from` replaced by `to`, from the start on, as
    /// `str::replace` does: the text itself if there is none. An empty `from` occurs before
    /// each character and at the end. O(n) for n bytes of texts and result, in scratch
    /// memory of 64 bytes an occurrence.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let text = heap.string("a, b, c")?;
    /// let (from, to) = (heap.string(", ")?, heap.string("/")?);
    /// let replaced = heap.text_replace(text, from, to)?;
    /// assert_eq!(heap.text(replaced)?.to_string(), "a/b/c");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// For the first text that they apply to, as for [`Heap::text`]: [`Error::NotText`],
    /// [`Error::Sealed`], [`Error::WrongKind`] or [`Error::Stale`]. If scratch memory or the
    /// text cannot be allocated, as for [`Heap::alloc`]: [`Error::Limit`],
    /// [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The heap
    /// is unchanged, but for scratch memory.
    pub fn text_replace(&mut self, text: Cell, from: Cell, to: Cell) -> Result<Cell> {
        let len = self.text(text)?.len();
        self.text(from)?;
        self.text(to)?;
        self.with_scratch(|heap, scratch| {
            let mut parts = Vec::new_in(scratch.bump);
            let mut end = 0;
            heap.each_match(text, from, |found| {
                push(&mut parts, TextPart::Range(text, end..found.start))?;
                end = found.end;
                push(&mut parts, TextPart::Whole(to))
            })?;
            let found = !parts.is_empty();
            push(&mut parts, TextPart::Range(text, end..len))?;
            scratch.charge(heap.store.account_mut());
            if found { heap.concat(&parts) } else { heap.subtext(text, 0..len) }
        })
    }

    /// Calls `work` with the ranges of a text where another one occurs.
    fn each_match(
        &self,
        text: Cell,
        wanted: Cell,
        mut work: impl FnMut(Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let (text, wanted) = (self.text(text)?, self.text(wanted)?);
        let text = utf8::to_str(&text).ok_or_else(corrupt)?;
        let wanted = utf8::to_str(&wanted).ok_or_else(corrupt)?;
        for (start, found) in text.match_indices(wanted) {
            work(start..start.saturating_add(found.len()))?;
        }
        Ok(())
    }

    /// Returns a new list of the parts of a text between occurrences of `separator`, as
    /// `str::split` does: one more than it occurs, of which some may be empty. O(n) for n
    /// bytes, and amortised O(1) for each part, in scratch memory of 32 bytes a part.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let (text, comma) = (heap.string("one,two,,threefold")?, heap.string(",")?);
    /// let parts = heap.text_split(text, comma)?;
    /// let shown = heap.display(parts).to_string();
    /// assert_eq!(shown, r#"["one", "two", "", "threefold"]"#);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::text_replace`]; nothing is allocated then.
    pub fn text_split(&mut self, text: Cell, separator: Cell) -> Result<Handle<List>> {
        let len = self.text(text)?.len();
        self.text(separator)?;
        let checkpoint = self.store.checkpoint();
        self.with_scratch(|heap, scratch| {
            let mut parts = Vec::new_in(scratch.bump);
            let mut end = 0;
            heap.each_match(text, separator, |found| {
                push(&mut parts, end..found.start)?;
                end = found.end;
                Ok(())
            })?;
            push(&mut parts, end..len)?;
            let (mut cells, mut allocated) = (Vec::new_in(scratch.bump), Vec::new_in(scratch.bump));
            reserve(&mut cells, parts.len())?;
            reserve(&mut allocated, parts.len().saturating_add(1))?;
            scratch.charge(heap.store.account_mut());
            let store = &mut heap.store;
            let list = alloc_parts(store, text, &parts, (&mut cells, &mut allocated));
            let list = list.and_then(|list| {
                store.record_all((allocated.len(), 0), allocated.iter().copied())?;
                Ok(list)
            });
            if list.is_err() {
                store.roll_back(&checkpoint, allocated.iter().rev().copied());
            }
            list.map(Handle::known)
        })
    }

    /// Returns a text repeated `n` times. O(n) for n bytes of the result.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let dash = heap.string("-=")?;
    /// let line = heap.text_repeat(dash, 5)?;
    /// assert_eq!(heap.text(line)?.to_string(), "-=-=-=-=-=");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Heap::text`]: [`Error::NotText`], [`Error::Sealed`],
    /// [`Error::WrongKind`] or [`Error::Stale`]. If the text cannot be allocated, as for
    /// [`Heap::alloc`]: [`Error::Limit`], [`Error::ArenaFull`],
    /// [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The heap is unchanged.
    pub fn text_repeat(&mut self, text: Cell, n: usize) -> Result<Cell> {
        let len = self.text(text)?.len();
        let total = len.checked_mul(n).ok_or(Error::ObjectTooLarge)?;
        if n == 1 || len == 0 {
            return self.subtext(text, 0..len);
        }
        if total <= to_usize(SHORT_BYTES) {
            let text = self.text(text)?;
            let (mut bytes, all) = ([0; 8], text.iter().cycle());
            bytes.iter_mut().zip(all).for_each(|(to, &byte)| *to = byte);
            return bytes.get(..total).and_then(Cell::short_bytes).ok_or_else(corrupt);
        }
        let cell = self.alloc_text(total)?;
        let texts = self.store.arena_mut(Str::KIND)?;
        write_parts(texts, cell, &[TextPart::Whole(text)])?;
        let start = to_usize(texts.slot(cell.slot())?.off).saturating_mul(8);
        let mut done = len;
        while done < total {
            // What is written already, as often as it fits.
            let more = done.min(total.saturating_sub(done));
            let from = start..start.saturating_add(more);
            texts.copy_bytes(cell.slot(), from, start.saturating_add(done))?;
            done = done.saturating_add(more);
        }
        Ok(cell)
    }

    /// Allocates a text of so many bytes, which the caller writes.
    fn alloc_text(&mut self, len: usize) -> Result<Cell> {
        self.store.alloc_with(Str::KIND, object_len(len)?, len.div_ceil(8), |_| Ok(()))
    }

    /// Returns a text in lower case, each character by itself as `char::to_lowercase` has it:
    /// `Σ` becomes `σ` at the end of a word, too. The text itself if nothing changes. O(n) for
    /// n bytes; of others than ASCII, in scratch memory for the result.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let text = heap.string("GRÜẞE")?;
    /// let lower = heap.text_to_lowercase(text)?;
    /// assert_eq!(heap.text(lower)?.to_string(), "grüße");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::text_repeat`]. The heap is unchanged, but for scratch memory.
    pub fn text_to_lowercase(&mut self, text: Cell) -> Result<Cell> {
        self.text_with_case(text, |byte| byte.to_ascii_lowercase(), char::to_lowercase)
    }

    /// Returns a text in upper case, each character by itself as `char::to_uppercase` has it:
    /// `ß` becomes `SS`. The text itself if nothing changes. Cost as for
    /// [`Heap::text_to_lowercase`].
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let text = heap.string("größer")?;
    /// let upper = heap.text_to_uppercase(text)?;
    /// assert_eq!(heap.text(upper)?.to_string(), "GRÖSSER");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::text_repeat`]. The heap is unchanged, but for scratch memory.
    pub fn text_to_uppercase(&mut self, text: Cell) -> Result<Cell> {
        self.text_with_case(text, |byte| byte.to_ascii_uppercase(), char::to_uppercase)
    }

    fn text_with_case<I: Iterator<Item = char>>(
        &mut self,
        text: Cell,
        ascii: fn(&u8) -> u8,
        each: fn(char) -> I,
    ) -> Result<Cell> {
        let all = self.text(text)?;
        let len = all.len();
        if !all.is_ascii() {
            return self.text_of_chars(text, each);
        }
        if all.iter().all(|byte| ascii(byte) == *byte) {
            return self.subtext(text, 0..len);
        }
        if len <= to_usize(SHORT_BYTES) {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(all.iter()).for_each(|(to, byte)| *to = ascii(byte));
            return bytes.get(..len).and_then(Cell::short_bytes).ok_or_else(corrupt);
        }
        let cell = self.alloc_text(len)?;
        let texts = self.store.arena_mut(Str::KIND)?;
        write_parts(texts, cell, &[TextPart::Whole(text)])?;
        let start = to_usize(texts.slot(cell.slot())?.off).saturating_mul(8);
        let bytes = texts.write_bytes(cell.slot(), start..start.saturating_add(len))?;
        bytes.iter_mut().for_each(|byte| *byte = ascii(byte));
        Ok(cell)
    }

    /// The text of what each character becomes.
    fn text_of_chars<I: Iterator<Item = char>>(
        &mut self,
        text: Cell,
        each: fn(char) -> I,
    ) -> Result<Cell> {
        self.with_scratch(|heap, scratch| {
            let mut made = Vec::new_in(scratch.bump);
            let all = heap.text(text)?;
            reserve(&mut made, all.len())?;
            for char in utf8::to_str(&all).ok_or_else(corrupt)?.chars().flat_map(each) {
                let mut bytes = [0; 4];
                let bytes = char.encode_utf8(&mut bytes).as_bytes();
                reserve(&mut made, bytes.len())?;
                made.extend_from_slice(bytes);
            }
            let (len, is_same) = (all.len(), all.as_bytes() == &*made);
            scratch.charge(heap.store.account_mut());
            if is_same { heap.subtext(text, 0..len) } else { heap.string_of_bytes(&made) }
        })
    }
}

/// Allocates parts of a text and the list of them, without a record. Lists in `allocated` what
/// it has allocated, also if it fails.
fn alloc_parts(
    store: &mut Store,
    text: Cell,
    parts: &[Range<usize>],
    (cells, allocated): (&mut Vec<'_, Cell>, &mut Vec<'_, Cell>),
) -> Result<Cell> {
    for part in parts {
        let short = part.len() <= to_usize(SHORT_BYTES);
        if short {
            let in_cell = text.as_short_str();
            let in_cell = in_cell.as_ref().map(|text| text.as_bytes());
            let text = in_cell.or_else(|| store.keys().text(text));
            let bytes = text.and_then(|text| text.get(part.clone()));
            cells.push(bytes.and_then(Cell::short_bytes).ok_or_else(corrupt)?);
            continue;
        }
        if parts.len() == 1 {
            cells.push(text);
            continue;
        }
        let len = part.len();
        let cell =
            store.alloc_unrecorded(Str::KIND, object_len(len)?, len.div_ceil(8), |_| Ok(()))?;
        allocated.push(cell);
        cells.push(cell);
        write_parts(store.arena_mut(Str::KIND)?, cell, &[TextPart::Range(text, part.clone())])?;
    }
    let init = List::of(cells);
    let (len, words) = init.size();
    let list = store.alloc_unrecorded(List::KIND, object_len(len)?, words, |words| {
        init.fill(words, Internal(()));
        Ok(())
    })?;
    allocated.push(list);
    Ok(list)
}
