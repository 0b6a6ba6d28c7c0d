//! Deep copies of object graphs from one heap into another.

use bumpalo::collections::Vec;

use crate::arena::{Arena, Slot, SlotNumbers, reserve};
use crate::heap::{Heap, ScratchSpace, Store, StoreParts};
use crate::object::TableMut;
use crate::object::table::{Table, copied, fill, words_for};
use crate::ops::{symbols, table};
use crate::words::{Cell, Elements, Error, Kind, Result, copy, corrupt, to_usize};

/// An object of the source, and its copy.
#[derive(Clone, Copy, Debug)]
struct CopiedPair {
    source: Cell,
    copy: Cell,
}

/// The objects copied so far, breadth first.
struct Copies<'b> {
    scratch: ScratchSpace<'b>,
    /// All copies.
    list: Vec<'b, Cell>,
    /// Whether the source may have symbols.
    has_symbols: bool,
    /// The copies of symbols, in the order of all copies.
    symbols: Vec<'b, Cell>,
    /// Whether a table is filled last, when the values among its keys are complete.
    has_deferred: bool,
    /// The pairs whose cells have to be translated.
    pairs: Vec<'b, CopiedPair>,
    /// The forwarding table: by the slot of an object, how many copies there were with its
    /// own.
    numbers: SlotNumbers<'b>,
}

impl<'b> Copies<'b> {
    fn new_in(scratch: ScratchSpace<'b>, has_symbols: bool) -> Copies<'b> {
        Copies {
            scratch,
            has_symbols,
            list: Vec::new_in(scratch.bump),
            symbols: Vec::new_in(scratch.bump),
            has_deferred: false,
            pairs: Vec::new_in(scratch.bump),
            numbers: SlotNumbers::new_in(scratch.bump),
        }
    }

    /// The copy of a live object.
    #[inline(always)]
    fn find(&self, source: Cell) -> Option<Cell> {
        self.list.get(to_usize(self.numbers.get(source)).checked_sub(1)?).copied()
    }

    /// Where the number of the copy of an object belongs; `None` if there is no room for
    /// a copy.
    #[inline(always)]
    fn vacancy(&mut self, source: Cell) -> Option<&mut u32> {
        let is_full =
            self.list.len() == self.list.capacity() || self.pairs.len() == self.pairs.capacity();
        if is_full { None } else { self.numbers.get_mut(source) }
    }

    /// Makes room for the copy of an object. Scratch memory and arenas grow in turns, on
    /// one account.
    #[cold]
    fn make_room(&mut self, target: &mut Store, source: Cell) -> Result<&mut u32> {
        self.scratch.let_grow(target.account_mut());
        reserve(&mut self.list, 1)?;
        reserve(&mut self.pairs, 1)?;
        self.numbers.reserve(source)?;
        self.scratch.charge(target.account_mut());
        self.numbers.get_mut(source).ok_or_else(corrupt)
    }

    /// Makes room for the copy of a symbol.
    #[cold]
    fn make_room_for_symbol(&mut self, target: &mut Store) -> Result<()> {
        self.scratch.let_grow(target.account_mut());
        let reserved = reserve(&mut self.symbols, 1);
        self.scratch.charge(target.account_mut());
        reserved
    }

    /// Adds a copy, for which there is room.
    #[inline(always)]
    fn add(&mut self, pair: CopiedPair, has_cells: bool) {
        self.list.push(pair.copy);
        if has_cells {
            self.pairs.push(pair);
        }
    }
}

impl Heap {
    /// Copies the object graph that `cell` reaches in another heap into this one, with
    /// its sharing and cycles, and returns the copy of `cell`. Two isolates exchange
    /// data this way. A cell that is no handle is returned as it is.
    ///
    /// Maps and sets keep their order; their keys are hashed with the seed of this
    /// heap. Pins, watches and regions of the source are not copied. O(size of the
    /// graph), breadth first, without recursion.
    ///
    /// Scratch memory: up to 24 bytes an object, and a table by the slots of the source
    /// in pages of 2 KiB for 512 slots, of those pages that have objects of the graph.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let (mut there, mut here) = (Heap::new(), Heap::new());
    /// let list = there.alloc(List::of(&[1.into()]))?;
    /// there.get_mut(list)?.push(list.into())?;
    /// let copy = here.transplant(&there, list.into())?;
    /// assert_eq!(here.display(copy).to_string(), "[1, List#0]");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Sealed`] if the graph has a sealed cell; [`Error::NoHostCopy`] if it has a
    /// host object; [`Error::Stale`] if it has a handle of an object that was freed;
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`] if a copy cannot be allocated, as for [`Heap::alloc`]. This heap is unchanged, but for scratch
    /// memory, and free blocks that may stay split.
    pub fn transplant(&mut self, source: &Heap, cell: Cell) -> Result<Cell> {
        if !cell.is_handle() {
            return Ok(cell);
        }
        let checkpoint = self.store.checkpoint();
        self.with_scratch(|heap, scratch| {
            let has_symbols = source.store.arenas().symbols().is_any();
            let mut copies = Copies::new_in(scratch, has_symbols);
            if has_symbols {
                heap.roots.note_frees();
            }
            let copied = copy_graph(&mut heap.store, &source.store, cell, &mut copies);
            if copied.is_err() {
                let newest_first = copies.list.iter().rev().copied();
                heap.store.roll_back(&checkpoint, newest_first);
            }
            copied
        })
    }
}

/// Copies object by object. The copy of an object has the cells of the source at first,
/// and is translated when the copies of those before it are.
fn copy_graph(
    target: &mut Store,
    source: &Store,
    root: Cell,
    copies: &mut Copies<'_>,
) -> Result<Cell> {
    let root = copy_object(target, source, root, copies)?;
    let mut next = 0_usize;
    while let Some(&pair) = copies.pairs.get(next) {
        let (arena, slot) = source.open(pair.source)?;
        if let Elements::Entries(stride) = arena.shape().elements {
            let entries = table(arena, slot, stride)?;
            if has_values(source, entries) {
                copies.has_deferred = true;
                for &cell in entries.iter().flatten().filter(|cell| cell.is_handle()) {
                    copy_object(target, source, cell, copies)?;
                }
            } else {
                copy_entries(target, source, entries, to_usize(stride), pair.copy, copies)?;
            }
        } else {
            copy_cells(target, source, arena.cells(slot)?, pair.copy, copies)?;
        }
        next = next.saturating_add(1);
    }
    if copies.has_deferred {
        copy_deferred(target, source, copies)?;
    }
    record(target, copies)?;
    Ok(root)
}

/// Whether a key of a table is a value.
fn has_values(source: &Store, entries: Table<&[u64]>) -> bool {
    let keys = source.keys();
    entries.iter().filter_map(|entry| entry.first()).any(|&key| !keys.is_usable_by_bits(key))
}

/// Fills the copies of tables that have values as keys: the hash of one is known when all its
/// parts have been translated.
#[cold]
fn copy_deferred(target: &mut Store, source: &Store, copies: &mut Copies<'_>) -> Result<()> {
    let mut next = 0_usize;
    while let Some(&CopiedPair { source: from, copy }) = copies.pairs.get(next) {
        next = next.saturating_add(1);
        let (arena, slot) = source.open(from)?;
        let Elements::Entries(stride) = arena.shape().elements else { continue };
        let entries = table(arena, slot, stride)?;
        if has_values(source, entries) {
            copy_entries(target, source, entries, to_usize(stride), copy, copies)?;
        }
    }
    Ok(())
}

/// Records the copies in the open region, and has those of symbols be symbols, which are in
/// none.
fn record(target: &mut Store, copies: &Copies<'_>) -> Result<()> {
    let before = symbols::reserve(target, copies.symbols.iter().copied())?;
    let mut left = copies.symbols.iter().copied().peekable();
    let others = copies.list.iter().copied().filter(|&cell| left.next_if_eq(&cell).is_none());
    let count = copies.list.len().saturating_sub(copies.symbols.len());
    if let Err(error) = target.record_all(count, others) {
        symbols::give_back(target, before);
        return Err(error);
    }
    copies.symbols.iter().for_each(|&cell| symbols::adopt(target, cell));
    Ok(())
}

/// Translates the cells of an object into its copy.
fn copy_cells(
    target: &mut Store,
    source: &Store,
    cells: &[Cell],
    copy: Cell,
    copies: &mut Copies<'_>,
) -> Result<()> {
    /// Cells between which the copy is not opened again.
    const CHUNK: usize = 16;
    let header = to_usize(source.arena(copy.selector())?.shape().header);
    for (n, chunk) in cells.chunks(CHUNK).enumerate() {
        let mut translated = [Cell::NULL; CHUNK];
        for (to, &from) in translated.iter_mut().zip(chunk) {
            let is_handle = from.is_handle();
            *to = if is_handle { copy_object(target, source, from, copies)? } else { from };
        }
        let opened = target.arena_mut(copy.selector())?.write::<Cell>(copy.slot());
        let (_, words) = opened.ok_or_else(corrupt)?;
        let start = n.saturating_mul(CHUNK).saturating_add(header);
        let places = words.get_mut(start..).ok_or_else(corrupt)?;
        Cell::slice_mut(places)
            .iter_mut()
            .zip(chunk)
            .zip(translated)
            .for_each(|((place, _), cell)| *place = cell);
    }
    Ok(())
}

/// Translates the entries of a table into its copy, which is empty.
fn copy_entries(
    target: &mut Store,
    source: &Store,
    entries: Table<&[u64]>,
    stride: usize,
    copy: Cell,
    copies: &mut Copies<'_>,
) -> Result<()> {
    for position in 0..entries.used() {
        let Some((key, value)) = entries.entry(position).map(copied) else { continue };
        if entries.is_weak() && !source.keys().is_usable(key) {
            continue;
        }
        let mut entry = [key, value];
        for cell in entry.iter_mut().filter(|cell| cell.is_handle()) {
            *cell = copy_object(target, source, *cell, copies)?;
        }
        let own = entries.is_own().then(|| entries.hash(position));
        let hash = match own {
            Some(hash) => hash,
            None => target.keys().key(entry[0])?.hash,
        };
        let StoreParts { arenas, resources, .. } = target.parts();
        let (kind, index) = (copy.selector(), copy.slot());
        let mut table = TableMut { arenas, resources, kind, index, stride };
        match own {
            Some(_) => table.append_own(hash, &entry)?,
            None => table.append(entry[0], hash, &entry)?,
        }
    }
    Ok(())
}

/// Returns the copy of an object, allocated if there is none yet.
#[inline(always)]
fn copy_object(
    target: &mut Store,
    source: &Store,
    object: Cell,
    copies: &mut Copies<'_>,
) -> Result<Cell> {
    let arena = source.arenas().of(object);
    match arena.and_then(|arena| Some((arena, arena.find(object)?))) {
        Some((arena, slot)) => match copies.find(object) {
            Some(copy) => Ok(copy),
            None if copies.has_symbols => copy_any(target, source, (arena, slot), object, copies),
            None => alloc_copy(target, arena, slot, object, copies),
        },
        None => Err(object.rejection(object.selector())),
    }
}

/// [`alloc_copy`] of an object that may be a symbol: the one that this heap has, or a copy
/// that becomes it.
#[inline(never)]
fn copy_any(
    target: &mut Store,
    source: &Store,
    (arena, slot): (&Arena, Slot),
    object: Cell,
    copies: &mut Copies<'_>,
) -> Result<Cell> {
    if source.arenas().symbols().hash(object).is_none() {
        return alloc_copy(target, arena, slot, object, copies);
    }
    if let Some(symbol) = symbols::counterpart(target, source, object) {
        return Ok(symbol);
    }
    copies.make_room_for_symbol(target)?;
    let copy = alloc_copy(target, arena, slot, object, copies)?;
    copies.symbols.push(copy);
    Ok(copy)
}

/// Allocates the copy of an object, with the cells of the source; that of a table is
/// empty.
fn alloc_copy(
    target: &mut Store,
    arena: &Arena,
    slot: Slot,
    object: Cell,
    copies: &mut Copies<'_>,
) -> Result<Cell> {
    let kind = object.selector();
    if kind.place() < Kind::OTHERS {
        return Err(if kind == Kind::HOST { Error::NoHostCopy } else { Error::Sealed });
    }
    let number = u32::try_from(copies.list.len().saturating_add(1));
    let number = number.map_err(|_| Error::OutOfMemory)?;
    // After the allocation nothing may fail, or the copy would not be rolled back.
    match copies.vacancy(object) {
        Some(place) => *place = number,
        None => *copies.make_room(target, object)? = number,
    }
    let elements = arena.shape().elements;
    if let Elements::Entries(stride) = elements {
        let table = table(arena, slot, stride)?;
        let (entries, is_weak) = (to_usize(table.len()), table.is_weak());
        let room = if is_weak { entries.max(1) } else { entries };
        let copy = alloc_table(target, kind, (room, is_weak), to_usize(stride))?;
        copies.add(CopiedPair { source: object, copy }, entries > 0);
        freeze_copy(target, slot, copy)?;
        return Ok(copy);
    }
    let (used, mut has_handles) = (arena.used(slot)?, false);
    let copy = target.alloc_unrecorded(kind, slot.len, used.len(), |words| {
        if elements == Elements::Cells {
            // A word of the header is none of the bits of a handle.
            for (to, &from) in words.iter_mut().zip(used) {
                *to = from;
                has_handles |= Cell::raw(from).is_handle();
            }
        } else {
            copy(words, used);
        }
        Ok(())
    })?;
    copies.add(CopiedPair { source: object, copy }, has_handles);
    freeze_copy(target, slot, copy)?;
    Ok(copy)
}

/// Has the copy of a frozen object be frozen.
#[inline(always)]
fn freeze_copy(target: &mut Store, slot: Slot, copy: Cell) -> Result<()> {
    if !slot.is_frozen() {
        return Ok(());
    }
    target.arena_mut(copy.selector())?.freeze(copy.slot(), slot.flags())
}

/// Allocates an empty table with room for so many entries, which may be weak.
#[inline(never)]
fn alloc_table(
    target: &mut Store,
    kind: Kind,
    (entries, is_weak): (usize, bool),
    stride: usize,
) -> Result<Cell> {
    target.alloc_unrecorded(kind, 0, words_for(entries, stride), |words| {
        fill(words, entries, stride, is_weak);
        Ok(())
    })
}
