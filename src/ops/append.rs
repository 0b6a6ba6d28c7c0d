//! Longer versions of a sequence: what `xs + [x]` and `s + t` are in languages of values.

use crate::arena::continued_len;
use crate::heap::{Heap, Store};
use crate::kinds::Str;
use crate::object::Growable;
use crate::ops::texts::{SHORT_BYTES, TextPart, write_parts_from};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{
    AsHandle, Cell, Element, Handle, HasKind, Kind, Result, copy, corrupt, object_len, to_usize,
};

impl Heap {
    /// Returns a new object with the elements of a list (or bytes, or an array of numbers), and
    /// one more. The old object keeps its elements, also if either is changed later: to the
    /// program the new one is a copy. It may share the block of the old one, so that
    /// `xs = append(xs, x)` builds a list in linear time, whatever else refers to it.
    ///
    /// Amortised O(1), if `object` is the last version of its block: one that no other was
    /// made of, or whose longer versions were all freed but for itself. O(len) for any other,
    /// which is copied, as one is that is changed by [`Heap::get_mut`] while others share its block.
    /// A block is freed with its last version, in any order.
    ///
    /// The new object can be changed, even if the old one is frozen. A collection scans each live
    /// version of a list for itself; an image has each version apart, in full.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let old = heap.alloc(List::of(&[1.into()]))?;
    /// let new = heap.append(old, 2.into())?;
    /// let other = heap.append(old, 3.into())?;
    /// heap.get_mut(new)?.set(0, 7.into())?;
    /// assert_eq!(heap.display(old).to_string(), "[1]");
    /// assert_eq!(heap.display(new).to_string(), "[7, 2]");
    /// assert_eq!(heap.display(other).to_string(), "[1, 3]");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`], [`Error::Sealed`], [`Error::WrongKind`] or [`Error::Stale`] if
    /// `object` is no handle of a live object of kind `K`, as for [`Heap::get`]. If the new
    /// object cannot be allocated, as for [`Heap::alloc`]: [`Error::Limit`],
    /// [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The heap is
    /// unchanged.
    pub fn append<K: Growable>(
        &mut self,
        object: impl AsHandle<K>,
        element: K::Element,
    ) -> Result<Handle<K>> {
        append_elements(&mut self.store, object.into(), core::slice::from_ref(&element))
    }

    /// Returns whether an object shares its block with other versions of it
    /// ([`Heap::append`]): whether changing it copies its elements first, O(len). Of text as of
    /// others; false for what lies in the cell. O(1).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let old = heap.alloc(List::of(&[1.into()]))?;
    /// let new = heap.append(old, 2.into())?;
    /// // A list without room for another element is copied; then it has room.
    /// let newer = heap.append(new, 3.into())?;
    /// assert!(heap.is_shared(new)? && heap.is_shared(newer)?);
    /// heap.get_mut(newer)?.set(0, 7.into())?;
    /// assert!(!heap.is_shared(new)? && !heap.is_shared(newer)?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if `object` is an object that was freed.
    pub fn is_shared(&self, object: impl Into<Cell>) -> Result<bool> {
        let object = object.into();
        if !object.is_handle() {
            return Ok(false);
        }
        let (arena, slot) = self.store.arenas().open(object)?;
        Ok(arena.sharers(slot) > 1)
    }

    /// [`Heap::append`] of elements of the host. Amortised O(elements appended), or O(len), as
    /// there.
    ///
    /// ```
    /// use segheap::{Bytes, Heap};
    /// let mut heap = Heap::new();
    /// let old = heap.alloc(Bytes::of(b"ab"))?;
    /// let new = heap.append_slice(old, b"cd")?;
    /// assert_eq!(heap.get(old)?.as_slice(), b"ab");
    /// assert_eq!(heap.get(new)?.as_slice(), b"abcd");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::append`].
    pub fn append_slice<K: Growable>(
        &mut self,
        object: impl AsHandle<K>,
        elements: &[K::Element],
    ) -> Result<Handle<K>> {
        append_elements(&mut self.store, object.into(), elements)
    }

    /// [`Heap::append`] of all elements of another object of the kind, or of the same.
    /// Amortised O(elements appended), or O(len), as there.
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let old = heap.alloc(I64Arr::of(&[1, 2]))?;
    /// let new = heap.append_all(old, old)?;
    /// assert_eq!(heap.get(new)?.as_slice(), [1, 2, 1, 2]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::append`], of `object`, then of `other`.
    pub fn append_all<K: Growable>(
        &mut self,
        object: impl AsHandle<K>,
        other: impl AsHandle<K>,
    ) -> Result<Handle<K>> {
        let (object, other): (Cell, Cell) = (object.into(), other.into());
        let arena = self.store.arena(K::KIND)?;
        arena.check(object)?;
        let added = to_usize(arena.check(other)?.len);
        let (version, start) = continue_object(&mut self.store, K::KIND, object, added)?;
        let arena = self.store.arena_mut(K::KIND)?;
        let (from, to) = (arena.slot(other.slot())?, arena.slot(version.slot())?);
        let from = from.span(arena.shape(), 0..added);
        let to = to.span(arena.shape(), start..start).start;
        arena.copy_bytes(version.slot(), from, to)?;
        Ok(Handle::known(version))
    }

    /// Returns the text of a value and a part after it as a value: what
    /// [`Heap::concat`] of the two returns, with room for more. Amortised O(bytes appended) if
    /// `text` is the last version of its block, as for [`Heap::append`]: `s = s + t` builds a
    /// text in linear time, and each `s` on the way stays what it is. O(bytes) otherwise.
    ///
    /// A text made so has up to twice the memory that it needs, until a compaction;
    /// [`Heap::concat`] allocates what two texts need that will not grow. If nothing is
    /// appended, the value itself is returned.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let mut text = heap.string("")?;
    /// for n in 0..10_000 {
    ///     text = heap.append_text(text, if n % 2 == 0 { "tick " } else { "tock " })?;
    /// }
    /// assert_eq!(heap.text(text)?.len(), 50_000);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::concat`] of `text` and `part`. The heap is unchanged.
    pub fn append_text<'a>(
        &mut self,
        text: impl Into<Cell>,
        part: impl Into<TextPart<'a>>,
    ) -> Result<Cell> {
        let (text, part) = (text.into(), part.into());
        let old = self.text(text)?.len();
        let added = self.part(&part)?.1.len();
        let total = old.saturating_add(added);
        if added == 0 {
            return Ok(text);
        }
        if total <= to_usize(SHORT_BYTES) {
            return self.concat_in_cell(&[TextPart::Whole(text), part]);
        }
        if text.is_handle() {
            let (version, start) = continue_object(&mut self.store, Str::KIND, text, added)?;
            write_parts_from(self.store.arena_mut(Str::KIND)?, version, start, &[part])?;
            return Ok(version);
        }
        // The first bytes lie in the cell.
        let roomy = self.store.arena(Str::KIND)?.shape().words_for(total.saturating_mul(2));
        let version = alloc_roomy(&mut self.store, Str::KIND, object_len(total)?, roomy)?;
        let texts = self.store.arena_mut(Str::KIND)?;
        write_parts_from(texts, version, 0, &[TextPart::Whole(text), part])?;
        Ok(version)
    }
}

fn append_elements<K: Growable>(
    store: &mut Store,
    object: Cell,
    elements: &[K::Element],
) -> Result<Handle<K>> {
    let (version, start) = continue_object(store, K::KIND, object, elements.len())?;
    let arena = store.arena_mut(K::KIND)?;
    let end = start.saturating_add(elements.len());
    let place = arena.slot(version.slot())?.span(arena.shape(), start..end);
    let place = K::Element::bytes_mut(arena.write_bytes(version.slot(), place)?);
    copy(place.ok_or_else(corrupt)?, elements);
    Ok(Handle::known(version))
}

/// Allocates a version of an object with `added` more elements, which the caller writes at
/// once: they are unspecified. Returns it, and the length of the older one.
fn continue_object(
    store: &mut Store,
    kind: Kind,
    object: Cell,
    added: usize,
) -> Result<(Cell, usize)> {
    let arena = store.arena(kind)?;
    let slot = arena.check(object)?;
    let len = continued_len(slot, added)?;
    let version = if arena.continues(slot, len) {
        let version = store.alloc_with(kind, len, 0, |_| Ok(()))?;
        store.arena_mut(kind)?.share(object.slot(), version.slot())?;
        version
    } else {
        let roomy = arena.roomy_words(slot, len);
        let version = alloc_roomy(store, kind, len, roomy)?;
        store.arena_mut(kind)?.copy_elements(object.slot(), version.slot())?;
        version
    };
    Ok((version, to_usize(slot.len)))
}

/// Allocates an object in a block of `roomy` words, or in one of those that it needs where the
/// limits allow no more.
fn alloc_roomy(store: &mut Store, kind: Kind, len: u32, roomy: usize) -> Result<Cell> {
    let needed = store.arena(kind)?.shape().words_for(to_usize(len));
    let version = store.alloc_with(kind, len, roomy, |_| Ok(()));
    version.or_else(|_| store.alloc_with(kind, len, needed, |_| Ok(())))
}
