//! Symbols: texts of which there is one each, so that equal ones are the same cell.

use crate::arena::SymbolsExtent;
use crate::heap::{Heap, Store, StoreParts};
use crate::kinds::Str;
use crate::words::{Cell, Error, HasKind, Result, copy, object_len, to_usize};

/// Symbols.
impl Heap {
    /// Returns the symbol of a text: every call with the same text returns the same cell, so
    /// that names are compared by `==`. A text of up to 5 bytes is such a cell anyway; of a
    /// longer one the heap keeps a [`Str`], with its hash, that maps and sets find without
    /// hashing it again. Expected O(n) for n bytes.
    ///
    /// A symbol is a text like any other, equal as a key to the same text of another
    /// [`Str`]. It is in no region. [`Heap::free`] refuses it; a collection frees it like
    /// other objects if it is not reachable, and the next call allocates it anew. A VM's
    /// names are among its roots. In 16 to 32 bytes beside the text.
    ///
    /// ```
    /// use segheap::{Error, Heap, Map};
    /// let mut heap = Heap::new();
    /// let name = heap.intern("length")?;
    /// assert_eq!(heap.intern("length")?, name);
    /// let map = heap.alloc(Map::new())?;
    /// heap.map_insert(map, name, 3.into())?;
    /// let text = heap.string("length")?;
    /// assert!(text != name && heap.key_eq(text, name)?);
    /// assert_eq!(heap.map_get(map, text)?, Some(3.into()));
    /// assert_eq!(heap.free(name), Err(Error::Symbol));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// If it has to be allocated and cannot be, as for [`Heap::string`]. The heap is
    /// unchanged.
    pub fn intern(&mut self, text: &str) -> Result<Cell> {
        match Cell::short_str(text) {
            Some(cell) => Ok(cell),
            None => {
                self.roots.note_frees();
                intern(&mut self.store, Source::Host(text.as_bytes()))
            }
        }
    }

    /// Returns the symbol of a value's text: [`Heap::intern`] without a copy of the text by
    /// the host. Expected O(n) for n bytes, O(1) if it is a symbol.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let parts = [heap.string("get_")?.into(), "length".into()];
    /// let computed = heap.concat(&parts)?;
    /// assert_eq!(heap.intern_text(computed)?, heap.intern("get_length")?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::text`] and [`Heap::string`]. The heap is unchanged.
    pub fn intern_text(&mut self, text: Cell) -> Result<Cell> {
        match Cell::short_bytes(&self.text(text)?) {
            Some(cell) => Ok(cell),
            None if self.is_symbol(text) => Ok(text),
            None => {
                self.roots.note_frees();
                intern(&mut self.store, Source::Object(text))
            }
        }
    }

    /// Returns whether a cell is a symbol, which [`Heap::intern`] returns for its text: a
    /// text of up to 5 bytes in the cell, or a live [`Str`]. O(1).
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let (symbol, text) = (heap.intern("length")?, heap.string("length")?);
    /// let short = heap.string("short")?;
    /// assert!(heap.is_symbol(symbol) && !heap.is_symbol(text) && heap.is_symbol(short));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn is_symbol(&self, cell: Cell) -> bool {
        cell.as_short_str().is_some() || self.store.is_symbol(cell)
    }
}

/// Where the text of a symbol is copied from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Host(&'a [u8]),
    /// A text in the arena.
    Object(Cell),
}

/// [`Heap::intern`] of a text that does not fit into a cell.
pub(crate) fn intern(store: &mut Store, source: Source<'_>) -> Result<Cell> {
    let (hash, found) = find(store, source)?;
    if let Some(found) = found {
        return Ok(found);
    }
    let checkpoint = store.checkpoint();
    let cell = alloc(store, source)?;
    match reserve(store, core::iter::once(cell)) {
        Ok(_) => insert(store, cell, hash),
        Err(error) => {
            store.roll_back(&checkpoint, core::iter::once(cell));
            return Err(error);
        }
    }
    Ok(cell)
}

/// The hash of a text, and its symbol if there is one.
fn find(store: &Store, source: Source<'_>) -> Result<(u32, Option<Cell>)> {
    let keys = store.keys();
    let text = match source {
        Source::Host(text) => text,
        Source::Object(cell) => keys.text(cell).ok_or(Error::NotText)?,
    };
    let hash = keys.hash_text(text);
    // One that is garbage stays as it is: the new one follows it in the probe sequence.
    let same = |cell| keys.text(cell) == Some(text) && !store.is_doomed(cell);
    Ok((hash, store.arenas().symbols().find(hash, same).ok()))
}

/// Allocates a text that is in no region.
fn alloc(store: &mut Store, source: Source<'_>) -> Result<Cell> {
    match source {
        Source::Host(text) => {
            let len = object_len(text.len())?;
            store.alloc_unrecorded(Str::KIND, len, text.len().div_ceil(8), |words| {
                copy(bytes(words, text.len()), text);
                Ok(())
            })
        }
        Source::Object(from) => {
            let slot = store.arena(Str::KIND)?.check(from)?;
            let len = to_usize(slot.len);
            let cell = store.alloc_unrecorded(Str::KIND, slot.len, len.div_ceil(8), |_| Ok(()))?;
            let arena = store.arena_mut(Str::KIND)?;
            let [from, to] = [arena.slot(from.slot())?, arena.slot(cell.slot())?]
                .map(|slot| to_usize(slot.off).saturating_mul(8));
            arena.copy_bytes(cell.slot(), from..from.saturating_add(len), to)?;
            Ok(cell)
        }
    }
}

/// The first bytes of words.
fn bytes(words: &mut [u64], len: usize) -> &mut [u8] {
    bytemuck::cast_slice_mut(words).get_mut(..len).unwrap_or_default()
}

/// Reserves memory for new texts to become symbols. Returns what was reserved before, for
/// [`give_back`].
pub(crate) fn reserve(
    store: &mut Store,
    cells: impl ExactSizeIterator<Item = Cell>,
) -> Result<SymbolsExtent> {
    let StoreParts { arenas, resources, .. } = store.parts();
    let (symbols, texts) = arenas.symbols_mut(Str::KIND)?;
    let (count, last) = (cells.len(), cells.map(Cell::slot).max().unwrap_or(0));
    symbols.reserve(&mut resources.account, texts, last, count)
}

/// Gives back what was reserved and not used.
pub(crate) fn give_back(store: &mut Store, before: SymbolsExtent) {
    let StoreParts { arenas, resources, .. } = store.parts();
    if let Ok((symbols, texts)) = arenas.symbols_mut(Str::KIND) {
        symbols.give_back(&mut resources.account, texts, before);
    }
}

/// Makes a new text, which is in no region, the symbol of its text. There is no other, and
/// memory was reserved.
fn insert(store: &mut Store, cell: Cell, hash: u32) {
    let StoreParts { arenas, resources, log } = store.parts();
    if let Ok((symbols, _)) = arenas.symbols_mut(Str::KIND) {
        symbols.insert(cell, hash);
    }
    log.note_unrecorded(arenas, &mut resources.account, cell);
}

/// [`insert`] of a copy from another heap. If there is another one by now, it stays a text in
/// no region.
pub(crate) fn adopt(store: &mut Store, cell: Cell) {
    if let Ok((hash, None)) = find(store, Source::Object(cell)) {
        insert(store, cell, hash);
    } else {
        let StoreParts { arenas, resources, log } = store.parts();
        log.note_unrecorded(arenas, &mut resources.account, cell);
    }
}

/// Makes texts symbols, by their slots. Returns one that cannot be: that is not live, fits into
/// a cell, or of whose content there is another; `None` if all are symbols.
pub(crate) fn restore(store: &mut Store, slots: &[u64]) -> Result<Option<u64>> {
    let text = |store: &Store, slot: u64| {
        let texts = store.arena(Str::KIND).ok()?;
        u32::try_from(slot).ok().and_then(|slot| texts.live_at(slot))
    };
    // Memory is reserved for the numbers of slots that there are.
    let last = slots.iter().max().copied().unwrap_or(0);
    let Some(last) = text(store, last) else { return Ok(Some(last)) };
    let StoreParts { arenas, resources, .. } = store.parts();
    let (symbols, texts) = arenas.symbols_mut(Str::KIND)?;
    symbols.reserve(&mut resources.account, texts, last.slot(), slots.len())?;
    for &slot in slots {
        let Some(cell) = text(store, slot) else { return Ok(Some(slot)) };
        let (hash, found) = find(store, Source::Object(cell))?;
        let text = store.keys().text(cell).ok_or(Error::NotText)?;
        if Cell::short_bytes(text).is_some() || found.is_some() {
            return Ok(Some(slot));
        }
        insert(store, cell, hash);
    }
    Ok(None)
}

/// The symbol of this heap that a symbol of another one stands for, if there is one.
pub(crate) fn counterpart(store: &Store, source: &Store, symbol: Cell) -> Option<Cell> {
    let text = source.keys().text(symbol)?;
    find(store, Source::Host(text)).ok()?.1
}

/// Forgets the symbols that were freed. O(symbols).
pub(crate) fn purge(store: &mut Store) {
    let StoreParts { arenas, resources, .. } = store.parts();
    if let Ok((symbols, texts)) = arenas.symbols_mut(Str::KIND) {
        symbols.purge(&mut resources.account, texts);
    }
}

/// A symbol that is not found by its text, or not by its hash.
pub(crate) fn lost(store: &Store) -> Option<Cell> {
    let texts = store.arena(Str::KIND).ok()?;
    let mut usable =
        store.arenas().symbols().live(texts).filter(|(cell, _)| !store.is_doomed(*cell));
    let is_lost =
        |&(cell, hash): &(Cell, u32)| find(store, Source::Object(cell)) != Ok((hash, Some(cell)));
    usable.find(is_lost).map(|(cell, _)| cell)
}
