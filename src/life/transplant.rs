//! Deep copies from one heap into another.

use bumpalo::collections::Vec;

use crate::arena::{Seen, reserve};
use crate::heap::{Heap, SEALED, split};
use crate::object::table::{Table, copied, fill, words_for};
use crate::ops::table;
use crate::words::{Cell, Elements, Error, Result, at};

/// An object of the source, and its copy.
type Twin = (Cell, Cell);

impl Heap {
    /// Copies the graph that `cell` leads to out of another heap into this one,
    /// shared parts and cycles included, and answers the copy of `cell`: the way
    /// two isolates talk. All or nothing. Pins and watched tokens do not travel;
    /// the order of maps and sets does. O(size of the graph), without recursion.
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
    /// [`Error::Sealed`] for a sealed cell, [`Error::Stale`] for a dead one,
    /// anywhere in the graph; a limit or no memory. This heap is as it was then.
    pub fn transplant(&mut self, source: &Heap, cell: Cell) -> Result<Cell> {
        if !cell.is_handle() {
            return Ok(cell);
        }
        let extents = self.arenas.each_ref().map(|arena| arena.extent());
        let before = (self.budget.bits(), self.budget.allocated, self.budget.born);
        let log = self.births.capacity();
        let warm = self.scratch_bytes;
        self.scratched(|heap, bump| {
            let mut twins = Vec::new_in(bump);
            let copied = heap.copy_graph(source, cell, warm, &mut twins);
            if copied.is_err() {
                for (arena, extent) in heap.arenas.iter_mut().zip(extents) {
                    // Those of other arenas are none of this one's objects.
                    twins.iter().rev().for_each(|&(_, copy)| arena.unmake(copy));
                    arena.shrink(&mut heap.budget, extent);
                }
                heap.budget.shrink_bits(before.0);
                heap.budget.shrink(&mut heap.births, log);
                (heap.budget.allocated, heap.budget.born) = (before.1, before.2);
            }
            copied
        })
    }

    fn copy_graph<'b>(
        &mut self,
        source: &Heap,
        root: Cell,
        warm: usize,
        twins: &mut Vec<'b, Twin>,
    ) -> Result<Cell> {
        let mut copies = Seen::new_in(twins.bump());
        let copy = self.twin(source, root, warm, &mut copies, twins)?;
        let mut next = 0_usize;
        while let Some(&(old, _)) = twins.get(next) {
            let (arena, slot) = source.open(old)?;
            for &cell in arena.cells(slot)?.iter().filter(|cell| cell.is_handle()) {
                self.twin(source, cell, warm, &mut copies, twins)?;
            }
            next = next.saturating_add(1);
        }
        for &(old, new) in twins.iter() {
            self.fill_twin(source, old, new, &copies)?;
        }
        if !self.frames.is_empty() {
            let births = self.births.len().saturating_add(twins.len());
            self.budget.reserve(&mut self.births, births)?;
            self.births.extend(twins.iter().map(|twin| twin.1));
        }
        Ok(copy)
    }

    /// The copy of an object, made if there is none: complete but for its cells,
    /// which are still those of the source.
    fn twin<'b>(
        &mut self,
        source: &Heap,
        old: Cell,
        warm: usize,
        copies: &mut Seen<'b>,
        twins: &mut Vec<'b, Twin>,
    ) -> Result<Cell> {
        if let Some(bits) = copies.get(key(old)) {
            return Ok(Cell::raw(bits));
        }
        if old.selector() == SEALED {
            return Err(Error::Sealed);
        }
        let (arena, slot) = source.open(old)?;
        let (shape, used) = (arena.shape, arena.used(slot)?);
        let (entries, len, words) = match shape.elements {
            Elements::Entries(stride) => {
                let entries = at(table(arena, slot, stride)?.len());
                (entries, 0, words_for(entries, at(stride)))
            }
            _ => (0, slot.len, used.len()),
        };
        // Nothing may fail once the copy is made.
        reserve(twins, 1)?;
        copies.reserve()?;
        // Scratch and arenas grow in turns, out of one account.
        self.budget.lend(twins.bump(), warm, false);
        let (_, target, _) = split(&mut self.arenas, old.selector())?;
        let new = target.alloc(&mut self.budget, len, words, |words| {
            match shape.elements {
                Elements::Entries(stride) => fill(words, entries, at(stride)),
                _ => words.copy_from_slice(used),
            }
            Ok(())
        })?;
        twins.push((old, new));
        copies.insert(key(old), new.bits())?;
        Ok(new)
    }

    /// Gives a copy its cells.
    fn fill_twin(&mut self, source: &Heap, old: Cell, new: Cell, copies: &Seen<'_>) -> Result<()> {
        let (arena, slot) = source.open(old)?;
        let moved = |cell: Cell| copies.get(key(cell)).map_or(cell, Cell::raw);
        let from = arena.cells(slot)?;
        match arena.shape.elements {
            Elements::Cells => {
                let (_, target, _) = split(&mut self.arenas, new.selector())?;
                let (_, words) = target.open_mut(new.slot()).ok_or(Error::Corrupt)?;
                let body = words.get_mut(at(arena.shape.header)..).unwrap_or_default();
                for (to, &from) in Cell::slice_mut(body).iter_mut().zip(from) {
                    *to = moved(from);
                }
            }
            Elements::Entries(stride) => {
                for (key, value) in table(arena, slot, stride)?.iter().map(copied) {
                    let entry = [moved(key), moved(value)];
                    let hash = self.keys().key(entry[0])?.hash;
                    let (_, target, _) = split(&mut self.arenas, new.selector())?;
                    let (slot, words) = target.open_mut(new.slot()).ok_or(Error::Corrupt)?;
                    let mut table = Table::new_mut(words, slot.len, at(stride));
                    let bucket = table.read().vacancy(hash);
                    slot.len = table.append(hash, bucket, &entry);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

const fn key(cell: Cell) -> [u64; 2] {
    [cell.bits(), 1]
}
