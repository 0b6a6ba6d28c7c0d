//! Inspection: live objects, their references, paths from roots, dumps, and the check
//! of every invariant.

use core::fmt;
use core::ops::Deref;

use bumpalo::collections::Vec;
use smallvec::SmallVec;

use super::ephemerons::stride;
use crate::arena::{Arena, Slot, push};
use crate::heap::{Heap, StoreParts};
use crate::object::Object;
use crate::object::table::Table;
use crate::ops::symbols;
use crate::words::{Cell, Elements, Error, Handle, Kind, Result, to_u64, to_usize};

use super::content::{is_cell, verify_content, verify_value};

/// The cells on a path from a root to an object, both included; returned by
/// [`Heap::path_from_roots`]. Dereferences to a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPath(SmallVec<[Cell; 16]>);

impl Deref for RootPath {
    type Target = [Cell];

    fn deref(&self) -> &[Cell] {
        &self.0
    }
}

/// A broken invariant: found by [`Heap::verify`], a bug of this crate; found by
/// [`Heap::load_with`], a broken image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The arena; `None` if the fault concerns the heap as a whole.
    pub kind: Option<Kind>,
    /// The slot index; `None` if the fault concerns no single slot.
    pub slot: Option<u32>,
    /// The broken invariant, in words.
    pub what: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.slot) {
            (Some(kind), Some(slot)) => write!(f, "{kind}#{slot}: {}", self.what),
            (Some(kind), None) => write!(f, "{kind}: {}", self.what),
            _ => f.write_str(self.what),
        }
    }
}

impl core::error::Error for Fault {}

impl Heap {
    /// Returns an iterator over the live objects of a kind, in the order of their
    /// slots. O(slots of the kind) for all of them.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// assert_eq!(heap.objects::<List>().collect::<Vec<_>>(), [list]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn objects<K: Object>(&self) -> impl Iterator<Item = Handle<K>> {
        self.store
            .arena(K::KIND)
            .into_iter()
            .flat_map(|arena| arena.live().map(|(cell, _)| Handle::known(cell)))
    }

    /// Returns an iterator over the handles and sealed cells in an object, stale ones
    /// included, in the order of its elements: the edges of the object graph. O(n) for
    /// an object of n cells.
    ///
    /// ```
    /// use segheap::{Heap, List, Pair};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// let pair = heap.alloc(Pair::of(1.into(), list.into()))?;
    /// assert_eq!(heap.edges(pair)?.collect::<Vec<_>>(), [list.cell()]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if the cell is no handle; [`Error::Sealed`] if it is
    /// sealed; [`Error::Stale`] if the object was freed.
    pub fn edges(&self, object: impl Into<Cell>) -> Result<impl Iterator<Item = Cell>> {
        let cell = object.into();
        if cell.kind() == Some(Kind::SEALED) {
            return Err(Error::Sealed);
        }
        let (arena, slot) = self.store.open(cell)?;
        Ok(arena.cells(slot)?.iter().copied().filter(|cell| cell.is_handle()))
    }

    /// Returns a shortest path from a root or a pinned object to an object, which tells
    /// why a collection keeps it; `None` if it is not reachable. A path through a weak table
    /// goes to a value whose key is reachable, and may not be the shortest. Breadth-first
    /// search, O(live objects and their cells), in scratch memory; as often as values of weak
    /// tables lead to other keys.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let inner = heap.alloc(List::of(&[]))?;
    /// let outer = heap.alloc(List::of(&[inner.into()]))?;
    /// let path = heap.path_from_roots([outer.cell()], inner.into())?.unwrap();
    /// assert_eq!(*path, [outer.cell(), inner.cell()]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if `object` is no handle; [`Error::Stale`] if it was
    /// freed; [`Error::Limit`] or [`Error::OutOfMemory`] if scratch memory cannot grow.
    pub fn path_from_roots<I>(&mut self, roots: I, object: Cell) -> Result<Option<RootPath>>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        self.store.open(object)?;
        self.with_scratch(|heap, scratch| {
            let mut queue: Vec<'_, Cell> = Vec::new_in(scratch.bump);
            let mut parents = scratch.seen();
            let pins = heap.roots.pins();
            for root in roots.into_iter().map(Into::into).chain(pins) {
                if heap.contains(root) && parents.insert([root.bits(), 1], 0)?.is_none() {
                    push(&mut queue, root)?;
                }
            }
            let (mut next, mut held_back, mut added) = (0_usize, false, false);
            loop {
                let Some(&cell) = queue.get(next) else {
                    // Keys of weak tables may have been reached after these.
                    if !(held_back && added) {
                        return Ok(None);
                    }
                    (next, held_back, added) = (0, false, false);
                    continue;
                };
                if cell == object {
                    let mut path = SmallVec::new();
                    let mut step = cell.bits();
                    while step != 0 {
                        path.push(Cell::raw(step));
                        let parent = parents.get([step, 1]);
                        debug_assert!(parent.is_some(), "every cell in the queue has a parent");
                        step = parent.unwrap_or(0);
                    }
                    path.reverse();
                    return Ok(Some(RootPath(path)));
                }
                let (arena, slot) = heap.store.open(cell)?;
                let arenas = heap.store.arenas();
                for entry in arena.cells(slot)?.chunks(stride(arenas, cell.selector())) {
                    let key = entry.first().copied().unwrap_or_default();
                    let is_weak = arena.is_weak(slot) && arenas.is_weak_key(key);
                    let is_held = !is_weak || parents.get([key.bits(), 1]).is_some();
                    held_back |= !is_held;
                    for &edge in entry.iter().filter(|_| is_held) {
                        if heap.contains(edge)
                            && parents.insert([edge.bits(), 1], cell.bits())?.is_none()
                        {
                            push(&mut queue, edge)?;
                            added = true;
                        }
                    }
                }
                next = next.saturating_add(1);
            }
        })
    }

    /// Returns every live object as text: one line each, arena by arena, with at most
    /// 120 bytes of its content. O(slots + the text).
    ///
    /// ```
    /// use segheap::{Heap, List, Pair};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into()]))?;
    /// heap.alloc(Pair::of(list.into(), 2.into()))?;
    /// assert_eq!(heap.dump().to_string(), "List#0 = [1]\nPair#0 = ([1], 2)\n");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn dump(&self) -> Dump<'_> {
        Dump { heap: self, graphviz: false }
    }

    /// Returns the live objects and their references as a directed graph in the
    /// language of Graphviz, for `dot -Tsvg`. O(slots + cells of live objects).
    ///
    /// ```
    /// use segheap::{Heap, List, Pair};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// heap.alloc(Pair::of(list.into(), 2.into()))?;
    /// assert!(heap.graphviz().to_string().contains(r#""Pair#0" -> "List#0";"#));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn graphviz(&self) -> Dump<'_> {
        Dump { heap: self, graphviz: true }
    }

    /// Checks every invariant of the heap from scratch, for tests of a VM and of this
    /// crate: keys, free lists and counts of slots; blocks inside the memory, without
    /// overlap; text in UTF-8, normalised integers, canonical cells; an index entry for
    /// each entry of a table; the memory account. O(slots + payload).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// heap.alloc(List::new())?;
    /// assert_eq!(heap.verify(), Ok(()));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first [`Fault`] found, only if this crate has a bug.
    pub fn verify(&mut self) -> Result<(), Fault> {
        self.verify_accounts()?;
        if !self.store.arenas().have_seed() {
            let what = "an arena has another seed of generations";
            return Err(Fault { kind: None, slot: None, what });
        }
        let StoreParts { arenas, resources, .. } = self.store.parts();
        for arena in arenas.iter() {
            let end = arena.memory().words().len();
            let layout = resources.with_bits(end, |_, _, bits| {
                let layout = arena.verify(bits);
                bits.fill(0);
                layout
            });
            layout.map_err(|(slot, what)| Fault { kind: Some(arena.kind()), slot, what })?;
        }
        self.verify_compaction()?;
        for arena in self.store.arenas().iter() {
            for (cell, slot) in arena.live() {
                let content = self.verify_object(arena, cell, slot);
                let (kind, slot) = (Some(arena.kind()), Some(cell.slot()));
                content.map_err(|what| Fault { kind, slot, what })?;
            }
        }
        self.verify_symbols()?;
        self.verify_states()
    }

    /// Checks the memory account, and the allocation log.
    fn verify_accounts(&self) -> Result<(), Fault> {
        let whole = |what| Fault { kind: None, slot: None, what };
        let parts = [
            self.store.reserved_bytes(),
            self.roots.reserved_bytes(),
            self.cycle.reserved_bytes(),
            to_u64(self.scratch.bytes()),
        ];
        let bytes = parts.into_iter().fold(0, u64::saturating_add);
        let account = self.store.account();
        if bytes != to_u64(account.used()) && !account.is_sorting() {
            return Err(whole("the account of memory is wrong"));
        }
        let hosts = self.store.arena(Kind::HOST).ok();
        if !hosts.is_some_and(|hosts| self.roots.is_consistent(hosts)) {
            return Err(whole("a pin or a watch is not found, or a host object has no value"));
        }
        if !self.store.log().is_ordered() {
            return Err(whole("a region starts past the end of the log"));
        }
        Ok(())
    }

    /// Checks that each symbol is found by its text, unless it is garbage.
    fn verify_symbols(&self) -> Result<(), Fault> {
        let lost = symbols::lost(&self.store);
        lost.map_or(Ok(()), |cell| {
            let (kind, slot) = (Some(cell.selector()), Some(cell.slot()));
            Err(Fault { kind, slot, what: "a symbol is not found" })
        })
    }

    /// Checks the words of a live object against its shape, and the index of a table.
    fn verify_object(&self, arena: &Arena, cell: Cell, slot: Slot) -> Result<(), &'static str> {
        verify_content(arena, slot, false)?;
        verify_value(self.store.arenas(), arena, slot)?;
        if arena.kind() == Kind::SEALED && !self.knows_key(arena, slot) {
            return Err("a seal is of a key that does not exist");
        }
        let Elements::Entries(stride) = arena.shape().elements else {
            return if is_cell(cell) { Ok(()) } else { Err("a handle is no cell") };
        };
        let words = arena.used(slot).map_err(|_| "the object leaves its block")?;
        Table::new(words, slot.len, to_usize(stride)).verify_index(self.store.keys())
    }

    /// Whether the number of a seal's key was assigned: a later key would open it.
    pub(super) fn knows_key(&self, seals: &Arena, slot: Slot) -> bool {
        let number = seals.used(slot).ok().and_then(|words| words.first());
        number.is_some_and(|&number| number <= self.ids.serial())
    }
}

/// The live objects as text, by `Display`; returned by [`Heap::dump`] and
/// [`Heap::graphviz`].
#[derive(Clone, Copy, Debug)]
pub struct Dump<'h> {
    heap: &'h Heap,
    graphviz: bool,
}

impl fmt::Display for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.graphviz {
            f.write_str("digraph heap {\n  node [shape=box, fontname=monospace];\n")?;
        }
        for arena in self.heap.store.arenas().iter() {
            for (cell, slot) in arena.live() {
                if !self.graphviz {
                    writeln!(f, "{cell:?} = {}", self.heap.display(cell).quoted().limit(120))?;
                    continue;
                }
                writeln!(f, "  \"{cell:?}\";")?;
                for &edge in arena.cells(slot).unwrap_or_default() {
                    if self.heap.contains(edge) {
                        writeln!(f, "  \"{cell:?}\" -> \"{edge:?}\";")?;
                    }
                }
            }
        }
        if self.graphviz { f.write_str("}\n") } else { Ok(()) }
    }
}
