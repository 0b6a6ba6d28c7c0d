//! Looking inside: what is alive, what it refers to, why it is alive, and
//! whether every invariant holds.

use core::fmt;
use core::ops::Deref;

use bumpalo::collections::Vec;
use smallvec::SmallVec;

use crate::arena::{Arena, Seen, Slot, push};
use crate::heap::{Heap, SEALED};
use crate::kinds::Str;
use crate::object::table::Table;
use crate::object::{Integer, Object};
use crate::ops::is_hole;
use crate::words::{Cell, Elements, Error, Handle, KeyBy, Kind, Result, at, wide};

/// The cells from a root to an object, both included; returned by
/// [`Heap::path_from_roots`]. A slice by `Deref`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPath(SmallVec<[Cell; 16]>);

impl Deref for RootPath {
    type Target = [Cell];

    fn deref(&self) -> &[Cell] {
        &self.0
    }
}

/// What [`Heap::verify`] found broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The arena, unless it is the heap as a whole.
    pub kind: Option<Kind>,
    /// The slot, where there is one.
    pub slot: Option<u32>,
    /// What does not hold.
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
    /// The live objects of a kind, in the order of their slots. O(slots).
    pub fn objects<K: Object>(&self) -> impl Iterator<Item = Handle<K>> {
        self.arena(K::KIND)
            .into_iter()
            .flat_map(|arena| arena.live().map(|(cell, _)| Handle::known(cell)))
    }

    /// The handles (and sealed cells) that an object holds, dead ones included,
    /// in order. O(size of the object).
    ///
    /// # Errors
    /// Those of [`Heap::free`].
    pub fn edges(&self, object: impl Into<Cell>) -> Result<impl Iterator<Item = Cell>> {
        let (arena, slot) = self.open(object.into())?;
        if arena.kind == SEALED {
            return Err(Error::Sealed);
        }
        Ok(arena.cells(slot)?.iter().copied().filter(|cell| cell.is_handle()))
    }

    /// A shortest path from a root (or a pin) to an object: why it is alive.
    /// `None` if there is none. O(live).
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
    /// Those of [`Heap::free`] for the object; a limit or no memory for the
    /// scratch.
    pub fn path_from_roots<I>(&mut self, roots: I, object: Cell) -> Result<Option<RootPath>>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        self.open(object)?;
        self.scratched(|heap, bump| {
            let mut queue: Vec<'_, Cell> = Vec::new_in(bump);
            let mut parents = Seen::new_in(bump);
            let pins = heap.pins.iter().map(|pin| pin.0);
            for root in roots.into_iter().map(Into::into).chain(pins) {
                if heap.contains(root) && parents.insert([root.bits(), 1], 0)?.is_none() {
                    push(&mut queue, root)?;
                }
            }
            let mut next = 0_usize;
            while let Some(&cell) = queue.get(next) {
                if cell == object {
                    let mut path = SmallVec::new();
                    let mut step = cell.bits();
                    while step != 0 {
                        path.push(Cell::raw(step));
                        step = parents.get([step, 1]).unwrap_or(0);
                    }
                    path.reverse();
                    return Ok(Some(RootPath(path)));
                }
                let (arena, slot) = heap.open(cell)?;
                for &edge in arena.cells(slot)? {
                    if heap.contains(edge)
                        && parents.insert([edge.bits(), 1], cell.bits())?.is_none()
                    {
                        push(&mut queue, edge)?;
                    }
                }
                next = next.saturating_add(1);
            }
            Ok(None)
        })
    }

    /// Every live object with what it holds, as text: a line each, of at most
    /// 120 bytes of content.
    ///
    /// ```
    /// use segheap::{Heap, List, Pair};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into()]))?;
    /// let pair = heap.alloc(Pair::of(list.into(), 2.into()))?;
    /// assert_eq!(heap.dump().to_string(), "List#0 = [1]\nPair#0 = ([1], 2)\n");
    /// assert!(heap.graphviz().to_string().contains(r#""Pair#0" -> "List#0";"#));
    /// assert_eq!(heap.objects::<List>().collect::<Vec<_>>(), [list]);
    /// assert_eq!(heap.edges(pair)?.collect::<Vec<_>>(), [list.cell()]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn dump(&self) -> Dump<'_> {
        Dump { heap: self, dot: false }
    }

    /// The live objects and their references as a Graphviz graph.
    pub fn graphviz(&self) -> Dump<'_> {
        Dump { heap: self, dot: true }
    }

    /// Derives every invariant of every arena again from scratch: keys, free
    /// lists and counts of slots; blocks that lie in memory without overlap;
    /// text that is UTF-8, integers that are normalised, cells that are cells;
    /// tables whose entries are found; the account of memory. O(heap).
    ///
    /// # Errors
    /// The first [`Fault`] found: a bug of this crate.
    pub fn verify(&mut self) -> Result<(), Fault> {
        let whole = |what| Fault { kind: None, slot: None, what };
        let lists = [self.frames.capacity(), self.pins.capacity(), self.watches.capacity()];
        let words = [self.budget.bits(), self.births.capacity()];
        let lists = lists.map(|len| wide(len).saturating_mul(16));
        let words = words.map(|len| wide(len).saturating_mul(8));
        let arenas = self.arenas.iter().map(|arena| arena.usage().reserved_bytes);
        let parts = arenas.chain(lists).chain(words).chain([wide(self.scratch_bytes)]);
        let bytes = parts.fold(0, u64::saturating_add);
        if bytes != wide(self.budget.used) && !self.budget.sorting() {
            return Err(whole("the account of memory is wrong"));
        }
        if self.frames.iter().any(|frame| frame.births > self.births.len()) {
            return Err(whole("a region begins behind the log"));
        }
        for arena in &self.arenas {
            let fault = |slot, what| Fault { kind: Some(arena.kind), slot, what };
            let end = arena.memory().words().len();
            let layout = self.budget.with_bits(end, |_, bits| {
                let layout = arena.verify(bits);
                bits.fill(0);
                layout
            });
            layout.map_err(|(slot, what)| fault(slot, what))?;
            for (cell, slot) in arena.live() {
                let content = self.verify_content(arena, cell, slot);
                content.map_err(|what| fault(Some(cell.slot()), what))?;
            }
        }
        Ok(())
    }

    fn verify_content(&self, arena: &Arena, cell: Cell, slot: Slot) -> Result<(), &'static str> {
        let shape = arena.shape;
        let words = arena.used(slot).map_err(|_| "the object leaves its block")?;
        let is_table = matches!(shape.elements, Elements::Entries(_));
        let cells = arena.cells(slot).map_err(|_| "the cells leave the block")?;
        if !cells.iter().all(|&cell| cell.is_proper() || is_table && is_hole(cell)) {
            return Err("a word is no cell");
        }
        match (shape.key, shape.elements) {
            (KeyBy::Text, _) => {
                let text = self.get::<Str>(cell).and_then(|text| text.to_str());
                text.map(drop).map_err(|_| "text is not UTF-8")
            }
            (KeyBy::Integer, _) => {
                let Integer { negative, limbs } = Integer::of(words);
                let normal = limbs.last() != Some(&0) && !(negative && limbs.is_empty());
                let sound = normal && wide(limbs.len()) == u64::from(slot.len);
                sound.then_some(()).ok_or("an integer is not normalised")
            }
            (_, Elements::Entries(stride)) => {
                Table::new(words, slot.len, at(stride)).verify(|key| self.hash(key).ok())
            }
            _ if cell.is_proper() => Ok(()),
            _ => Err("a handle is no cell"),
        }
    }
}

/// The heap as text; made by [`Heap::dump`] and [`Heap::graphviz`].
#[derive(Clone, Copy, Debug)]
pub struct Dump<'h> {
    heap: &'h Heap,
    dot: bool,
}

impl fmt::Display for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dot {
            f.write_str("digraph heap {\n  node [shape=box, fontname=monospace];\n")?;
        }
        for arena in &self.heap.arenas {
            for (cell, slot) in arena.live() {
                if !self.dot {
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
        if self.dot { f.write_str("}\n") } else { Ok(()) }
    }
}
