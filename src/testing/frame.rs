//! What an instruction has written: the bytes and slots of all arenas are copied before it,
//! and compared after it with what it may write.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use crate::abi;
use crate::heap::Heap;
use crate::object::table::Table;
use crate::words::{ArenaUsage, Cell, Elements, Kind, SHARED, Shape, to_usize};

/// High half of the key of a live slot.
const LIVE: u32 = 0xFFFF;

/// What an instruction may write. Each function returns it with more.
///
/// ```
/// use segheap::testing::Writes;
/// use segheap::{Cell, Kind};
/// let append = Writes::kind(Kind::LIST);
/// let cons = Writes::nothing().allocates(Kind::PAIR);
/// let sweep = Writes::nothing().sweeps().moves();
/// # let _ = (append, cons, sweep);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Writes {
    kinds: Vec<Kind>,
    allocates: Vec<Kind>,
    changes: Vec<Cell>,
    frees: Vec<Cell>,
    sweeps: bool,
    moves: bool,
}

impl Writes {
    /// It writes nothing.
    pub fn nothing() -> Writes {
        Writes::default()
    }

    /// It allocates, changes and frees objects of this kind, and no others.
    pub fn kind(kind: Kind) -> Writes {
        Writes::nothing().and_kind(kind)
    }

    /// It allocates, changes and frees objects of this kind as well.
    #[must_use]
    pub fn and_kind(mut self, kind: Kind) -> Writes {
        self.kinds.push(kind);
        self
    }

    /// It allocates objects of this kind, and changes no other object of it.
    #[must_use]
    pub fn allocates(mut self, kind: Kind) -> Writes {
        self.allocates.push(kind);
        self
    }

    /// It changes this object.
    #[must_use]
    pub fn changes(mut self, object: Cell) -> Writes {
        self.changes.push(object);
        self
    }

    /// It frees this object: one that is live afterwards is an error.
    #[must_use]
    pub fn frees(mut self, object: Cell) -> Writes {
        self.frees.push(object);
        self
    }

    /// It may free objects of all kinds, and writes none, but that entries of freed keys leave
    /// weak tables.
    #[must_use]
    pub fn sweeps(mut self) -> Writes {
        self.sweeps = true;
        self
    }

    /// It may move objects of all kinds, and drop their spare capacity.
    #[must_use]
    pub fn moves(mut self) -> Writes {
        self.moves = true;
        self
    }

    fn has_arena(&self, kind: Kind) -> bool {
        let objects = self.changes.iter().chain(&self.frees);
        self.sweeps
            || self.moves
            || self.kinds.contains(&kind)
            || self.allocates.contains(&kind)
            || objects.filter_map(|object| object.kind()).any(|of| of == kind)
    }

    /// Compares the objects that were live before. Returns how many are unchanged, or fails
    /// with the slot of one that must not have changed.
    fn check(&self, heap: &Heap, before: &Arena, after: &Arena) -> Result<u64, u32> {
        if self.kinds.contains(&before.kind) {
            return Ok(0);
        }
        let mut same = 0_u64;
        for (index, old) in before.live() {
            let cell = abi::cell(u64::from(old[0]) << 32 | u64::from(index)).ok_or(index)?;
            let new = after.slots.get(to_usize(index)).copied().unwrap_or_default();
            let frees = self.frees.contains(&cell);
            if new[0] != old[0] {
                if self.sweeps || frees {
                    continue;
                }
                return Err(index);
            }
            if frees {
                return Err(index);
            }
            if self.changes.contains(&cell) {
                continue;
            }
            let is_swept = self.sweeps && is_swept(heap, before, after, index);
            if !is_swept && !self.leaves(before, after, index, [old, new]) {
                return Err(index);
            }
            same = same.saturating_add(1);
        }
        Ok(same)
    }

    /// Whether an object is as it was. Compaction may drop spare capacity, of tables with
    /// their holes; no other operation may.
    fn leaves(&self, before: &Arena, after: &Arena, index: u32, [old, new]: [[u32; 4]; 2]) -> bool {
        if is_version(old) || is_version(new) {
            return is_same_version(before, after, [old, new]);
        }
        if !self.moves {
            return new == old && before.block(old) == after.block(new);
        }
        match before.tables.get(&index) {
            Some(table) => Some(table) == after.tables.get(&index),
            None => new[1] == old[1] && before.object(old) == after.object(new),
        }
    }
}

/// Whether an object shares its block with longer or shorter ones.
const fn is_version(slot: [u32; 4]) -> bool {
    slot[3] & SHARED != 0
}

/// Whether a version has the elements and flags that it had. Where it lies may differ: an
/// object becomes a version as another one continues it, and gets a block of its own as it is
/// opened to change.
fn is_same_version(before: &Arena, after: &Arena, [old, new]: [[u32; 4]; 2]) -> bool {
    let flags = |slot: [u32; 4]| slot[3] & !(SHARED | abi::layout::slot::CAP_MASK);
    old[..2] == new[..2] && flags(old) == flags(new) && before.object(old) == after.object(new)
}

/// Whether nothing but entries of freed keys has left a table that was weak.
fn is_swept(heap: &Heap, before: &Arena, after: &Arena, index: u32) -> bool {
    let Elements::Entries(stride) = before.shape.elements else { return false };
    let tables = before.tables.get(&index).zip(after.tables.get(&index));
    let Some((old, new)) = tables.filter(|_| before.weak.contains(&index)) else { return false };
    let mut left = new.chunks(to_usize(stride)).peekable();
    let arenas = heap.store.arenas();
    let is_removable = |key: Cell| arenas.is_weak_key(key) && !arenas.contains(key);
    let mut old = old.chunks(to_usize(stride));
    old.all(|entry| {
        left.next_if_eq(&entry).is_some() || entry.first().is_some_and(|&key| is_removable(key))
    }) && left.next().is_none()
}

/// A snapshot of an arena.
#[derive(Clone, Debug)]
struct Arena {
    kind: Kind,
    shape: &'static Shape,
    memory: Vec<u8>,
    slots: Vec<[u32; 4]>,
    usage: ArenaUsage,
    /// The cells of the entries of each table, by slot: compaction may rebuild it.
    tables: BTreeMap<u32, Vec<Cell>>,
    /// The tables that are weak by their keys.
    weak: BTreeSet<u32>,
}

impl Arena {
    fn of(heap: &Heap, arena: &crate::arena::Arena) -> Arena {
        let (kind, shape) = (arena.kind(), arena.shape());
        let (mut tables, mut weak) = (BTreeMap::new(), BTreeSet::new());
        if let Elements::Entries(stride) = shape.elements {
            for (cell, slot) in arena.live() {
                let words = arena.used(slot).unwrap_or_default();
                let table = Table::new(words, slot.len, to_usize(stride));
                tables.insert(cell.slot(), table.iter().flatten().copied().collect());
                if table.is_weak() {
                    weak.insert(cell.slot());
                }
            }
        }
        Arena {
            kind,
            shape,
            memory: abi::memory(heap, kind)
                .map(|memory| memory.bytes().to_vec())
                .unwrap_or_default(),
            slots: abi::slots(heap, kind).unwrap_or_default().to_vec(),
            usage: arena.usage(),
            tables,
            weak,
        }
    }

    fn equals(&self, heap: &Heap) -> bool {
        let arena = heap.store.arenas().get(self.kind);
        arena.is_some_and(|arena| {
            self.memory == arena.memory().bytes()
                && Some(&*self.slots) == abi::slots(heap, self.kind)
                && self.usage == arena.usage()
        })
    }

    /// Returns the live slots with their indices.
    fn live(&self) -> impl Iterator<Item = (u32, [u32; 4])> {
        (0_u32..).zip(self.slots.iter().copied()).filter(|(_, slot)| slot[0] >> 16 == LIVE)
    }

    /// Whether both have the same objects. Bytes outside of objects may differ: they
    /// are not observable, nor is the order of the free blocks.
    fn has_same_objects(&self, other: &Arena) -> bool {
        let pairs = || self.slots.iter().zip(&other.slots);
        let are_same = pairs().all(|(&old, &new)| {
            let is_same =
                old == new && (old[0] >> 16 != LIVE || self.object(old) == other.object(new));
            is_same || is_version(old) && is_same_version(self, other, [old, new])
        });
        let has_same_memory = self.usage == other.usage && self.memory.len() == other.memory.len();
        self.slots.len() == other.slots.len()
            && are_same
            && (has_same_memory || self.has_moved_version(other))
    }

    /// Whether a version got a block of its own: it was opened to change.
    fn has_moved_version(&self, other: &Arena) -> bool {
        let mut pairs = self.slots.iter().zip(&other.slots);
        pairs.any(|(&old, &new)| is_version(old) && !is_version(new))
    }

    /// Returns the block of a slot.
    fn block(&self, [_, _, off, cap]: [u32; 4]) -> &[u8] {
        let words = [off, cap & abi::layout::slot::CAP_MASK];
        let [start, len] = words.map(|words| to_usize(words).saturating_mul(8));
        self.memory.get(start..start.saturating_add(len)).unwrap_or_default()
    }

    /// Returns the part of the block that the object uses: header and elements.
    fn object(&self, slot: [u32; 4]) -> &[u8] {
        let block = self.block(slot);
        let bytes = match self.shape.elements {
            Elements::Entries(_) => 0..block.len(),
            _ => self.shape.bytes(0..to_usize(slot[1])),
        };
        block.get(..bytes.end.min(block.len())).unwrap_or_default()
    }
}

/// How many arenas and objects were found unchanged by [`Frame::check`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Untouched {
    /// Arenas that are the same to the byte.
    pub arenas: u64,
    /// Objects of the others that are the same.
    pub objects: u64,
}

/// A write that an instruction must not do; returned by [`Frame::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameError {
    /// The arena; `None` if it concerns the memory of the heap as a whole.
    pub kind: Option<Kind>,
    /// The slot of the object; `None` if it concerns no single object.
    pub slot: Option<u32>,
    /// What happened, in words.
    pub what: &'static str,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.slot) {
            (Some(kind), Some(slot)) => write!(f, "{kind}#{slot}: {}", self.what),
            (Some(kind), None) => write!(f, "{kind}: {}", self.what),
            _ => f.write_str(self.what),
        }
    }
}

impl core::error::Error for FrameError {}

/// A snapshot of all arenas of a heap before an instruction.
///
/// ```
/// use segheap::testing::{Frame, Writes};
/// use segheap::{Heap, Kind, List, Pair, Settings};
/// let mut heap = Heap::with(Settings::seeded(1));
/// let list = heap.alloc(List::of(&[1.into()]))?;
/// let mut frame = Frame::of(&heap);
/// heap.get_mut(list)?.push(2.into())?;
/// frame.check(&heap, &Writes::nothing().changes(list.cell())).unwrap();
///
/// heap.alloc(Pair::of(1.into(), 2.into()))?;
/// let error = frame.check(&heap, &Writes::kind(Kind::LIST)).unwrap_err();
/// assert_eq!(error.to_string(), "Pair: the arena was written");
/// # Ok::<(), segheap::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Frame {
    arenas: Vec<Arena>,
    /// Memory of the heap without scratch memory.
    bytes: u64,
}

impl Frame {
    /// Takes a snapshot. O(bytes of the heap).
    pub fn of(heap: &Heap) -> Frame {
        let arenas = heap.store.arenas().iter().map(|arena| Arena::of(heap, arena));
        Frame { arenas: arenas.collect(), bytes: bytes(heap) }
    }

    /// Returns whether the heap equals the snapshot, to the byte. O(bytes of the heap).
    ///
    /// ```
    /// use segheap::testing::Frame;
    /// use segheap::{Heap, List, Settings};
    /// let mut heap = Heap::with(Settings::seeded(1));
    /// let frame = Frame::of(&heap);
    /// assert!(frame.equals(&heap));
    /// heap.alloc(List::new())?;
    /// assert!(!frame.equals(&heap));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn equals(&self, heap: &Heap) -> bool {
        self.bytes == bytes(heap) && self.arenas.iter().all(|arena| arena.equals(heap))
    }

    /// Returns for each arena, those of host objects and seals included, whether it equals
    /// the snapshot. O(bytes of the heap).
    ///
    /// ```
    /// use segheap::testing::Frame;
    /// use segheap::{Heap, Kind, List, Settings};
    /// let mut heap = Heap::with(Settings::seeded(1));
    /// let frame = Frame::of(&heap);
    /// heap.alloc(List::new())?;
    /// let changed: Vec<Kind> =
    ///     frame.compare(&heap).filter(|(_, same)| !same).map(|(kind, _)| kind).collect();
    /// assert_eq!(changed, [Kind::LIST]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn compare(&self, heap: &Heap) -> impl Iterator<Item = (Kind, bool)> {
        self.arenas.iter().map(|arena| (arena.kind, arena.equals(heap)))
    }

    /// Checks what an instruction has written since the snapshot, and makes the state of now
    /// the snapshot. Of arenas that it may write, the bytes outside of objects may differ.
    /// O(bytes of the heap).
    ///
    /// # Errors
    /// The first write found that `writes` does not have.
    pub fn check(&mut self, heap: &Heap, writes: &Writes) -> Result<Untouched, FrameError> {
        let mut untouched = Untouched::default();
        for before in &mut self.arenas {
            if before.equals(heap) {
                untouched.arenas = untouched.arenas.saturating_add(1);
                continue;
            }
            let error = |slot, what| FrameError { kind: Some(before.kind), slot, what };
            let after = heap.store.arenas().get(before.kind).map(|arena| Arena::of(heap, arena));
            let after = after.ok_or(error(None, "there is no such arena"))?;
            if !writes.has_arena(before.kind) && !before.has_same_objects(&after) {
                return Err(error(None, "the arena was written"));
            }
            let same = writes.check(heap, before, &after);
            let same =
                same.map_err(|slot| error(Some(slot), "the object was written, or not freed"))?;
            untouched.objects = untouched.objects.saturating_add(same);
            *before = after;
        }
        self.bytes = bytes(heap);
        Ok(untouched)
    }

    /// Checks that an instruction which failed has changed nothing: neither an object nor the
    /// memory of the heap. Bytes outside of objects may differ, and a version that shared its
    /// block ([`Heap::append`]) may have got one of its own. O(bytes of the heap).
    ///
    /// ```
    /// use segheap::testing::Frame;
    /// use segheap::{Heap, List, Settings};
    /// let mut heap = Heap::with(Settings::seeded(1));
    /// let list = heap.alloc(List::new())?;
    /// let frame = Frame::of(&heap);
    /// assert!(heap.get_mut(list)?.set(7, 1.into()).is_err());
    /// assert_eq!(frame.check_failed(&heap), Ok(()));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first change found.
    pub fn check_failed(&self, heap: &Heap) -> Result<(), FrameError> {
        let mut has_moved_version = false;
        for before in self.arenas.iter().filter(|arena| !arena.equals(heap)) {
            let after = heap.store.arenas().get(before.kind).map(|arena| Arena::of(heap, arena));
            let moved = after.as_ref().is_some_and(|after| before.has_moved_version(after));
            has_moved_version |= moved;
            if !after.is_some_and(|after| before.has_same_objects(&after)) {
                let what = "an instruction that failed has changed the arena";
                return Err(FrameError { kind: Some(before.kind), slot: None, what });
            }
        }
        if self.bytes != bytes(heap) && !has_moved_version {
            let what = "an instruction that failed has changed the memory usage";
            return Err(FrameError { kind: None, slot: None, what });
        }
        Ok(())
    }
}

/// Memory of the heap without scratch memory.
fn bytes(heap: &Heap) -> u64 {
    let usage = heap.usage();
    usage.total_bytes.saturating_sub(usage.scratch_bytes)
}

/// Runs an instruction of a VM, and checks that it writes no more than `writes`. Returns its
/// result. O(bytes of the heap), besides the instruction.
///
/// ```
/// use segheap::testing::{Writes, checked};
/// use segheap::{Heap, Kind, List, Settings};
/// let mut heap = Heap::with(Settings::seeded(1));
/// let list = heap.alloc(List::new())?;
/// let push = |heap: &mut Heap| heap.get_mut(list)?.push(1.into());
/// checked(&mut heap, |heap| heap, &Writes::kind(Kind::LIST), push).unwrap()?;
/// # Ok::<(), segheap::Error>(())
/// ```
///
/// # Errors
/// The first write found that `writes` does not have.
pub fn checked<V, T>(
    vm: &mut V,
    heap: impl Fn(&V) -> &Heap,
    writes: &Writes,
    instruction: impl FnOnce(&mut V) -> T,
) -> Result<T, FrameError> {
    let mut frame = Frame::of(heap(vm));
    let result = instruction(vm);
    frame.check(heap(vm), writes)?;
    Ok(result)
}
