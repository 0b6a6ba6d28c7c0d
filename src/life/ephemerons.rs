//! Weak tables in a collection: which entries hold what, and the removal of the others.
//!
//! An entry of a weak table is an *ephemeron* (Hayes 1997): its value is reached once its key
//! and its table are. Going through all tables until nothing more is reached takes as many
//! rounds as the longest chain of entries: Lua 5.4 does that, in alternate directions
//! (`convergeephemerons`), and V8 for ten rounds. The bound here is the algorithm to which V8
//! changes then (`MarkTransitiveClosureLinear`), and Racket BC and JavaScriptCore in other
//! forms: an entry is noted under its key as long as that has not been reached, and looked up
//! as it is. Rounds are left for where memory is refused for notes.
//!
//! What is noted in the end is what has to be removed. All that is done to entries between the
//! two is in [`Trace`](super::trace::Trace) and in [`Marker`](super::mark::Marker).

use core::fmt;

use crate::arena::{Arena, Arenas, Resources};
use crate::heap::{Ephemeron, Ephemerons};
use crate::object::table::{Table, copied};
use crate::object::{Keys, remove_all_freed, remove_freed};
use crate::words::{Cell, Elements, Kind, to_usize};
#[cfg(doc)]
use crate::{Error, Heap};

/// What the entry of a weak table holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    /// These cells. A hole is none.
    Cells([Cell; 2]),
    /// Nothing, as its key has not been reached.
    Nothing(Ephemeron),
}

/// What an entry of a weak table holds if `is_marked` tells which live objects are reached.
pub(super) fn held(
    arenas: &Arenas,
    table: Cell,
    entry: &[Cell],
    is_marked: impl Fn(Cell) -> bool,
) -> Held {
    let (key, value) = copied(entry);
    if !arenas.is_weak_key(key) {
        Held::Cells([key, value])
    } else if arenas.contains(key) && is_marked(key) {
        Held::Cells([Cell::NULL, value])
    } else {
        Held::Nothing(Ephemeron { key, table })
    }
}

/// The cells of an entry that can be marked: live objects, and retired slots where these are.
/// Others would be reached again in each round.
pub(super) fn markable(arenas: &Arenas, cells: [Cell; 2], marks_retired: bool) -> [Cell; 2] {
    cells.map(|cell| {
        let is_retired = |arena: &Arena| marks_retired && arena.is_retired(cell.slot());
        let arena = arenas.of(cell).filter(|_| cell.is_handle());
        let arena = arena.filter(|arena| arena.contains(cell) || is_retired(arena));
        if arena.is_some() { cell } else { Cell::NULL }
    })
}

/// The hash by which an entry is noted under its key.
#[inline(always)]
pub(super) fn hash(arenas: &Arenas, key: Cell) -> u32 {
    arenas.hash_seeds().word(key.bits())
}

/// The cells of an entry of tables of a kind.
pub(super) fn stride(arenas: &Arenas, kind: Kind) -> usize {
    match arenas.get(kind).map(|arena| arena.shape().elements) {
        Some(Elements::Entries(stride)) => to_usize(stride),
        _ => 1,
    }
}

/// The value that a weak table has for a key.
pub(super) fn value(arenas: &Arenas, entry: Ephemeron) -> Option<Cell> {
    let arena = arenas.of(entry.table)?;
    let slot = arena.find(entry.table).filter(|&slot| arena.is_weak(slot))?;
    let stride = stride(arenas, entry.table.selector());
    let table = Table::new(arena.used(slot).ok()?, slot.len, stride);
    let (_, found) = Keys::new(arenas).locate(table, entry.key).ok()?;
    found.ok().and_then(|(_, position)| table.entry(position)).map(|entry| copied(entry).1)
}

/// The next live weak table, in the order of arenas and slots, from a place on that moves past
/// it.
pub(super) fn next_weak(arenas: &Arenas, place: &mut (usize, u32)) -> Option<Cell> {
    while place.0 < Arenas::COUNT {
        let arena = arenas.get(Kind::from_place(place.0))?;
        let is_table = matches!(arena.shape().elements, Elements::Entries(_));
        while is_table && to_usize(place.1) < arena.indices() {
            let index = place.1;
            place.1 = index.saturating_add(1);
            let weak = arena
                .live_at(index)
                .filter(|&cell| arena.find(cell).is_some_and(|slot| arena.is_weak(slot)));
            if weak.is_some() {
                return weak;
            }
        }
        *place = (place.0.saturating_add(1), 0);
    }
    None
}

/// Removes the entries of freed keys from weak tables after a sweep: those noted, or all if
/// some notes were lost; no more than `most` of the former. Returns how many were removed, and
/// how many notes were looked at.
pub(super) fn clear_entries(
    arenas: &mut Arenas,
    resources: &mut Resources,
    ephemerons: &mut Ephemerons,
    most: u64,
) -> (u64, u64) {
    let (mut cleared, mut passed) = (0_u64, 0_u64);
    while passed < most {
        let Some(Ephemeron { key, table }) = ephemerons.pop() else {
            if ephemerons.is_lost() {
                cleared = cleared.saturating_add(clear_all(arenas, resources));
            }
            ephemerons.end(&mut resources.account);
            break;
        };
        passed = passed.saturating_add(1);
        let removed = remove_freed(arenas, resources, table, key);
        cleared = cleared.saturating_add(u64::from(removed));
    }
    (cleared, passed)
}

/// Removes the entries of freed keys from all weak tables. O(slots of maps and sets + entries).
#[cold]
fn clear_all(arenas: &mut Arenas, resources: &mut Resources) -> u64 {
    let (mut place, mut cleared) = ((0, 0), 0_u64);
    while let Some(table) = next_weak(arenas, &mut place) {
        cleared = cleared.saturating_add(remove_all_freed(arenas, resources, table));
    }
    cleared
}

/// What a [`MarkReader`] reads.
pub(super) trait Marking {
    /// Whether a live object has been reached.
    fn is_marked(&self, cell: Cell) -> bool;
    /// Marks a live object that has not been reached.
    fn rescue(&mut self, cell: Cell);
    fn arenas(&self) -> &Arenas;
}

/// Which objects a collection has found to be reachable, before it frees the others; passed to
/// the callback of [`Heap::collect_with`] and the like.
pub struct MarkReader<'r> {
    marking: &'r mut dyn Marking,
    rescued: u64,
}

impl fmt::Debug for MarkReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MarkReader").field("rescued", &self.rescued).finish_non_exhaustive()
    }
}

impl<'r> MarkReader<'r> {
    pub(super) fn new(marking: &'r mut dyn Marking) -> MarkReader<'r> {
        MarkReader { marking, rescued: 0 }
    }

    /// The objects rescued.
    pub(super) const fn rescued(&self) -> u64 {
        self.rescued
    }

    /// Returns whether the collection keeps a cell: whether its object is live and was reached
    /// by the roots, or rescued by itself. `true` for a cell that is no handle. In a young
    /// collection, old objects count as reached. O(1).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let (kept, garbage) = (heap.alloc(List::new())?, heap.alloc(List::new())?);
    /// heap.collect_with([kept], |reader| {
    ///     assert!(reader.is_marked(kept) && !reader.is_marked(garbage));
    ///     assert!(reader.is_marked(1));
    /// })?;
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn is_marked(&self, cell: impl Into<Cell>) -> bool {
        let cell = cell.into();
        !cell.is_handle() || self.marking.arenas().contains(cell) && self.marking.is_marked(cell)
    }

    /// Has the collection keep an object, and, once the callback has returned, what that
    /// reaches. Returns whether it is live and had not been reached. O(1), and O(cells) of the
    /// object in a collection at once.
    ///
    /// What it reaches is not marked before the callback returns: all garbage is told from
    /// what is reachable in the same collection, in whatever order it is asked for.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let inner = heap.alloc(List::new())?;
    /// let outer = heap.alloc(List::of(&[inner.into()]))?;
    /// let collected = heap.collect_with([segheap::Cell::NULL], |reader| {
    ///     assert!(reader.rescue(outer) && reader.is_marked(outer));
    ///     assert!(!reader.rescue(outer) && !reader.is_marked(inner));
    /// })?;
    /// assert_eq!((collected.freed, collected.live), (0, 2));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn rescue(&mut self, cell: impl Into<Cell>) -> bool {
        let cell = cell.into();
        let found = self.marking.arenas().contains(cell) && !self.is_marked(cell);
        if found {
            self.marking.rescue(cell);
            self.rescued = self.rescued.saturating_add(1);
        }
        found
    }
}
