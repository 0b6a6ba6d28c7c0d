//! Deep copies of object graphs from one heap into another.

use bumpalo::collections::Vec;

use crate::arena::{Seen, reserve};
use crate::heap::{Heap, ScratchSpace, Store, StoreParts};
use crate::object::TableMut;
use crate::object::table::{copied, fill, words_for};
use crate::ops::table;
use crate::words::{Cell, Elements, Error, Kind, Result, corrupt, to_usize};

/// An object of the source, and its copy.
#[derive(Clone, Copy, Debug)]
struct CopiedPair {
    source: Cell,
    copy: Cell,
}

/// The objects copied so far, in breadth-first order, and an index by source.
struct CopiedPairs<'b> {
    list: Vec<'b, CopiedPair>,
    by_source: Seen<'b>,
}

impl<'b> CopiedPairs<'b> {
    fn new_in(scratch: ScratchSpace<'b>) -> CopiedPairs<'b> {
        CopiedPairs { list: Vec::new_in(scratch.bump), by_source: scratch.seen() }
    }

    /// The copy of an object.
    fn find(&self, source: Cell) -> Option<Cell> {
        self.by_source.get([source.bits(), 1]).map(Cell::raw)
    }

    /// Makes room for a pair, so that [`CopiedPairs::add`] cannot fail.
    fn reserve_one(&mut self) -> Result<()> {
        reserve(&mut self.list, 1)?;
        self.by_source.reserve()
    }

    /// Adds a pair, for which room was reserved.
    fn add(&mut self, source: Cell, copy: Cell) -> Result<()> {
        self.list.push(CopiedPair { source, copy });
        self.by_source.insert([source.bits(), 1], copy.bits()).map(drop)
    }
}

impl Heap {
    /// Copies the object graph that `cell` reaches in another heap into this one, with
    /// its sharing and cycles, and returns the copy of `cell`. Two isolates exchange
    /// data this way. A cell that is no handle is returned as it is.
    ///
    /// Maps and sets keep their order; their keys are hashed with the seed of this
    /// heap. Pins, watches and regions of the source are not copied. O(size of the
    /// graph), breadth first, without recursion, with scratch memory for a table of the
    /// objects copied.
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
    /// [`Error::Sealed`] if the graph has a sealed cell; [`Error::Stale`] if it has a
    /// handle of an object that was freed; [`Error::Limit`], [`Error::ArenaFull`],
    /// [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`] if a copy cannot be
    /// allocated, as for [`Heap::alloc`]. This heap is unchanged, but for scratch
    /// memory, and free blocks that may stay split.
    pub fn transplant(&mut self, source: &Heap, cell: Cell) -> Result<Cell> {
        if !cell.is_handle() {
            return Ok(cell);
        }
        let checkpoint = self.store.checkpoint();
        self.with_scratch(|heap, scratch| {
            let mut pairs = CopiedPairs::new_in(scratch);
            let copied = copy_graph(&mut heap.store, &source.store, cell, scratch, &mut pairs);
            if copied.is_err() {
                let newest_first = pairs.list.iter().rev().map(|pair| pair.copy);
                heap.store.roll_back(&checkpoint, newest_first);
            }
            copied
        })
    }
}

/// Allocates copies breadth first, and then translates their cells: a cell may refer to
/// an object that is copied later.
fn copy_graph(
    target: &mut Store,
    source: &Store,
    root: Cell,
    scratch: ScratchSpace<'_>,
    pairs: &mut CopiedPairs<'_>,
) -> Result<Cell> {
    let copy = copy_shell(target, source, root, scratch, pairs)?;
    let mut next = 0_usize;
    while let Some(&pair) = pairs.list.get(next) {
        let (arena, slot) = source.open(pair.source)?;
        for &cell in arena.cells(slot)?.iter().filter(|cell| cell.is_handle()) {
            copy_shell(target, source, cell, scratch, pairs)?;
        }
        next = next.saturating_add(1);
    }
    for &pair in pairs.list.iter() {
        copy_cells(target, source, pair, pairs)?;
    }
    target.record_all(pairs.list.iter().map(|pair| pair.copy))?;
    Ok(copy)
}

/// Returns the copy of an object, allocated if there is none yet. Its cells are still
/// those of the source; a table is empty.
fn copy_shell(
    target: &mut Store,
    source: &Store,
    object: Cell,
    scratch: ScratchSpace<'_>,
    pairs: &mut CopiedPairs<'_>,
) -> Result<Cell> {
    if let Some(copy) = pairs.find(object) {
        return Ok(copy);
    }
    if object.selector() == Kind::SEALED {
        return Err(Error::Sealed);
    }
    let (arena, slot) = source.open(object)?;
    let (shape, used) = (arena.shape(), arena.used(slot)?);
    let (entries, len, words) = match shape.elements {
        Elements::Entries(stride) => {
            let entries = to_usize(table(arena, slot, stride)?.len());
            (entries, 0, words_for(entries, to_usize(stride)))
        }
        _ => (0, slot.len, used.len()),
    };
    // Scratch memory and arenas grow in turns, on one account. After the allocation
    // nothing may fail, or the copy would not be rolled back.
    scratch.let_grow(target.account_mut());
    pairs.reserve_one()?;
    scratch.charge(target.account_mut());
    let copy = target.alloc_unrecorded(object.selector(), len, words, |words| {
        match shape.elements {
            Elements::Entries(stride) => fill(words, entries, to_usize(stride)),
            _ => words.copy_from_slice(used),
        }
        Ok(())
    })?;
    pairs.add(object, copy)?;
    Ok(copy)
}

/// Writes the cells of a copy, translated from those of its source.
fn copy_cells(
    target: &mut Store,
    source: &Store,
    pair: CopiedPair,
    pairs: &CopiedPairs<'_>,
) -> Result<()> {
    let (arena, slot) = source.open(pair.source)?;
    let translated = |cell: Cell| {
        let copy = pairs.find(cell);
        debug_assert!(copy.is_some() || !cell.is_handle(), "every object has a copy");
        copy.unwrap_or(cell)
    };
    match arena.shape().elements {
        Elements::Cells => {
            let opened = target.arena_mut(pair.copy.selector())?.write(pair.copy.slot());
            let (_, words) = opened.ok_or_else(corrupt)?;
            let body = words.get_mut(to_usize(arena.shape().header)..).ok_or_else(corrupt)?;
            for (to, &from) in Cell::slice_mut(body).iter_mut().zip(arena.cells(slot)?) {
                *to = translated(from);
            }
        }
        Elements::Entries(stride) => {
            for (key, value) in table(arena, slot, stride)?.iter().map(copied) {
                let entry = [translated(key), translated(value)];
                let hash = target.keys().key(entry[0])?.hash;
                let StoreParts { arenas, resources, .. } = target.parts();
                let (kind, index) = (pair.copy.selector(), pair.copy.slot());
                let stride = to_usize(stride);
                let mut copy = TableMut { arenas, resources, kind, index, stride };
                copy.append(entry[0], hash, &entry)?;
            }
        }
        _ => {}
    }
    Ok(())
}
