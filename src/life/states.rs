//! The check of the states of objects, for [`Heap::verify`].

use super::ephemerons::{Held, hash, held, stride};
use super::inspect::Fault;
use super::trace::{Bases, Marks};
use crate::heap::{Ephemeron, Heap, Phase, StoreParts};
use crate::words::Cell;

impl Heap {
    /// Checks that every white object is found to which a black one refers: outside of a
    /// cycle there is none, and while one marks they are on the work list.
    pub(super) fn verify_states(&mut self) -> core::result::Result<(), Fault> {
        let has_marks = matches!(self.cycle.phase, Phase::Idle | Phase::Marking);
        if !self.store.has_states() || !has_marks {
            return Ok(());
        }
        let partial = self.cycle.partial.get().map(|(cell, _)| cell);
        let StoreParts { arenas, resources, .. } = self.store.parts();
        let (bases, bits) = Bases::new(arenas);
        resources.with_bits(bits, |_, _, bits| {
            let mut listed = Marks::new(bits, bases);
            let work = || self.cycle.work.iter().filter(|&&cell| arenas.contains(cell));
            work().for_each(|&cell| listed.set(cell, true));
            let is_lost = |cell: Cell| {
                let arena =
                    arenas.of(cell).filter(|arena| cell.is_handle() && arena.contains(cell));
                arena.is_some_and(|arena| arena.states().is_white(cell.slot())) && !listed.get(cell)
            };
            let waits = |entry: Ephemeron| {
                let ephemerons = &self.cycle.ephemerons;
                ephemerons.is_lost() || ephemerons.contains(hash(arenas, entry.key), entry)
            };
            let is_entry_lost = |table: Cell, entry: &[Cell]| {
                // A key that is grey will be found in the notes as it is scanned.
                let is_black = |key: Cell| {
                    arenas.of(key).is_some_and(|arena| arena.states().is_black(key.slot()))
                };
                match held(arenas, table, entry, is_black) {
                    Held::Cells(cells) => {
                        // Where notes were lost, rounds reach the value in the end.
                        let waits = self.cycle.ephemerons.is_lost()
                            && entry.first().is_some_and(|&key| arenas.is_weak_key(key));
                        !waits && cells.into_iter().any(is_lost)
                    }
                    Held::Nothing(found) => {
                        let is_white = is_lost(found.key) || listed.get(found.key);
                        let lost = is_white || entry.last().is_some_and(|&value| is_lost(value));
                        lost && arenas.contains(found.key) && !waits(found)
                    }
                }
            };
            let mut lost = arenas.iter().flat_map(|arena| {
                let black = arena.live().filter(|(cell, _)| arena.states().is_black(cell.slot()));
                black.filter(|(cell, _)| Some(*cell) != partial).map(move |found| (arena, found))
            });
            let lost = lost.find(|&(arena, (cell, slot))| {
                let cells = arena.cells(slot).unwrap_or_default();
                if arena.is_weak(slot) {
                    let mut entries = cells.chunks(stride(arenas, cell.selector()));
                    return entries.any(|entry| is_entry_lost(cell, entry));
                }
                cells.iter().any(|&cell| is_lost(cell))
            });
            let lost = lost.map(|(_, found)| found);
            work().for_each(|&cell| listed.set(cell, false));
            lost.map_or(Ok(()), |(cell, _)| {
                let what = "a collection would miss what the object refers to";
                Err(Fault { kind: Some(cell.selector()), slot: Some(cell.slot()), what })
            })
        })
    }
}
