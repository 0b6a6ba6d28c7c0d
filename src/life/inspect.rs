//! Looking inside: what is alive, what it refers to, why it is alive, and
//! whether every invariant holds.

use core::fmt;
use core::ops::Deref;

use bumpalo::collections::Vec;
use smallvec::SmallVec;

use crate::arena::{Arena, Seen, Slot, push};
use crate::heap::{Heap, StoreParts};
use crate::kinds::Str;
use crate::object::table::Table;
use crate::object::{Integer, Object};
use crate::ops::is_hole;
use crate::words::{Cell, Elements, Error, Handle, KeyBy, Kind, Result, to_u64, to_usize};

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
        self.store
            .arena(K::KIND)
            .into_iter()
            .flat_map(|arena| arena.live().map(|(cell, _)| Handle::known(cell)))
    }

    /// The handles (and sealed cells) that an object holds, dead ones included,
    /// in order. O(size of the object).
    ///
    /// # Errors
    /// Those of [`Heap::free`].
    pub fn edges(&self, object: impl Into<Cell>) -> Result<impl Iterator<Item = Cell>> {
        let (arena, slot) = self.store.open(object.into())?;
        if arena.kind() == Kind::SEALED {
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
        self.store.open(object)?;
        self.with_scratch(|heap, scratch| {
            let mut queue: Vec<'_, Cell> = Vec::new_in(scratch.bump);
            let mut parents = Seen::new_in(scratch.bump);
            let pins = heap.roots.pins();
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
                let (arena, slot) = heap.store.open(cell)?;
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

    /// Checks every invariant of every arena from scratch: keys, free lists and
    /// counts of slots; blocks that lie in memory without overlap; text that is
    /// UTF-8, integers that are normalised, cells that are cells; tables whose
    /// entries are found; the account of memory. O(heap).
    ///
    /// # Errors
    /// The first [`Fault`] found: only if this crate has a bug.
    pub fn verify(&mut self) -> Result<(), Fault> {
        self.verify_accounts()?;
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
        for arena in self.store.arenas().iter() {
            for (cell, slot) in arena.live() {
                let content = self.verify_content(arena, cell, slot);
                let (kind, slot) = (Some(arena.kind()), Some(cell.slot()));
                content.map_err(|what| Fault { kind, slot, what })?;
            }
        }
        Ok(())
    }

    /// Checks the account of memory, and the log.
    fn verify_accounts(&self) -> Result<(), Fault> {
        let whole = |what| Fault { kind: None, slot: None, what };
        let parts = [
            self.store.reserved_bytes(),
            self.roots.reserved_bytes(),
            to_u64(self.scratch.bytes()),
        ];
        let bytes = parts.into_iter().fold(0, u64::saturating_add);
        let account = self.store.account();
        if bytes != to_u64(account.used()) && !account.is_sorting() {
            return Err(whole("the account of memory is wrong"));
        }
        if !self.store.log().is_ordered() {
            return Err(whole("a region begins behind the log"));
        }
        Ok(())
    }

    fn verify_content(&self, arena: &Arena, cell: Cell, slot: Slot) -> Result<(), &'static str> {
        let shape = arena.shape();
        let words = arena.used(slot).map_err(|_| "the object leaves its block")?;
        let is_table = matches!(shape.elements, Elements::Entries(_));
        let cells = arena.cells(slot).map_err(|_| "the cells leave the block")?;
        if !cells.iter().all(|&cell| is_cell(cell) || is_table && is_hole(cell)) {
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
                let sound = normal && to_u64(limbs.len()) == u64::from(slot.len);
                sound.then_some(()).ok_or("an integer is not normalised")
            }
            (_, Elements::Entries(stride)) => {
                Table::new(words, slot.len, to_usize(stride)).verify(|key| self.hash(key).ok())
            }
            _ if is_cell(cell) => Ok(()),
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
        for arena in self.heap.store.arenas().iter() {
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

/// Whether a word is one that a constructor of cells or an allocation can make.
fn is_cell(cell: Cell) -> bool {
    cell.is_canonical() && cell.kind().is_none_or(Kind::has_arena)
}
