//! Checks what an instruction writes: the bytes and slots of all arenas are
//! copied before it and compared after it with what its operation declares.

use std::collections::BTreeMap;

use segheap::{ArenaUsage, Cell, Heap, Kind, Map, Set, abi};

use super::{Call, Effect, Machine, Outcome, arenas, host, sealed};

/// A snapshot of an arena, from `abi` and `usage`.
#[derive(Clone, Debug, PartialEq)]
struct Arena {
    kind: Kind,
    memory: Vec<u8>,
    slots: Vec<[u32; 4]>,
    usage: ArenaUsage,
    /// The entries of each map or set, by slot: compaction may rebuild a table.
    tables: BTreeMap<usize, Vec<Cell>>,
}

/// The keys of a map or a set, each with its value.
fn entries(heap: &Heap, table: Cell) -> Vec<Cell> {
    match table.kind() {
        Some(Kind::MAP) => {
            heap.get::<Map>(table).unwrap().iter().flat_map(|(key, value)| [key, value]).collect()
        }
        _ => heap.get::<Set>(table).unwrap().iter().collect(),
    }
}

/// High half of the key of a live slot.
const LIVE: u32 = 0xFFFF;

fn usage(heap: &Heap, kind: Kind) -> ArenaUsage {
    let usage = heap.usage();
    let others = [(host(), usage.hosts), (sealed(), usage.seals)];
    let other = others.into_iter().find(|(other, _)| *other == kind);
    usage.arena(kind).copied().or(other.map(|(_, usage)| usage)).unwrap()
}

impl Arena {
    fn of(heap: &Heap, kind: Kind) -> Arena {
        let slots = abi::slots(heap, kind).unwrap().to_vec();
        let live = slots.iter().enumerate().filter(|(_, slot)| slot[0] >> 16 == LIVE);
        let of_slot = |(index, slot): (usize, &[u32; 4])| {
            let cell = abi::cell(u64::from(slot[0]) << 32 | index as u64).unwrap();
            (index, entries(heap, cell))
        };
        let is_table = matches!(kind, Kind::MAP | Kind::SET);
        let tables = live.filter(|_| is_table).map(of_slot).collect();
        let memory = abi::memory(heap, kind).unwrap().bytes().to_vec();
        Arena { kind, memory, slots, usage: usage(heap, kind), tables }
    }

    fn equals(&self, heap: &Heap) -> bool {
        self.memory == abi::memory(heap, self.kind).unwrap().bytes()
            && self.slots == abi::slots(heap, self.kind).unwrap()
            && self.usage == usage(heap, self.kind)
    }

    /// Returns the live slots with their indices.
    fn live(&self) -> impl Iterator<Item = (usize, [u32; 4])> {
        self.slots.iter().copied().enumerate().filter(|(_, slot)| slot[0] >> 16 == LIVE)
    }

    /// Whether both have the same objects. Bytes outside of objects may differ: they
    /// are not observable, nor is the order of the free blocks.
    fn has_same_objects(&self, other: &Arena) -> bool {
        self.slots == other.slots
            && self.usage == other.usage
            && self.memory.len() == other.memory.len()
            && self.live().all(|(_, slot)| self.object(slot) == other.object(slot))
    }

    /// Returns the block of a slot.
    fn block(&self, [_, _, off, cap]: [u32; 4]) -> &[u8] {
        &self.memory[off as usize * 8..][..(cap & abi::CAP_MASK) as usize * 8]
    }

    /// Returns the part of the block that the object uses: header and elements.
    fn object(&self, slot: [u32; 4]) -> &[u8] {
        let [_, len, _, cap] = slot.map(|part| part as usize);
        let cap = cap & abi::CAP_MASK as usize;
        let bytes = match self.kind {
            _ if cap == 0 => 0,
            Kind::STR | Kind::BYTES => len,
            Kind::PAIR => len * 8,
            Kind::MAP | Kind::SET => cap * 8,
            kind => family_bytes(kind, len).unwrap_or(len * 8 + 8),
        };
        &self.block(slot)[..bytes]
    }
}

/// Bytes of `len` elements of a kind whose family says that it has no header.
fn family_bytes(kind: Kind, len: usize) -> Option<usize> {
    macro_rules! bytes {
        ($($Kind:ident as $NAME:ident, $family:ident;)*) => {
            match kind {
                $(Kind::$NAME => bytes! { $family $Kind },)*
                _ => None,
            }
        };
        (own $Kind:ident) => { None };
        ($family:ident $Kind:ident) => {
            Some(len * size_of::<<segheap::$Kind as segheap::Sequence>::Element>())
        };
    }
    segheap::for_each_kind!(bytes)
}

/// A snapshot of all arenas before an instruction.
pub struct Monitor {
    arenas: Vec<Arena>,
    /// Memory of the heap without scratch memory.
    bytes: u64,
}

/// How many arenas and objects were found unchanged by an instruction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Untouched {
    pub arenas: usize,
    pub objects: usize,
}

impl Monitor {
    pub fn of(heap: &Heap) -> Monitor {
        Monitor { arenas: arenas().map(|kind| Arena::of(heap, kind)).collect(), bytes: bytes(heap) }
    }

    /// Whether the heap equals the snapshot.
    pub fn equals(&self, heap: &Heap) -> bool {
        self.bytes == bytes(heap) && self.arenas.iter().all(|arena| arena.equals(heap))
    }

    /// For each arena, whether it equals the snapshot.
    pub fn compare(&self, heap: &Heap) -> impl Iterator<Item = (Kind, bool)> {
        self.arenas.iter().map(|arena| (arena.kind, arena.equals(heap)))
    }

    /// Runs an instruction, checks what it wrote, and takes the snapshot for the
    /// next one.
    ///
    /// # Panics
    /// If the instruction wrote what its operation does not declare.
    pub fn run(&mut self, machine: &mut Machine, call: &Call) -> (Outcome, Untouched) {
        let footprint = Footprint::of(machine, call);
        let outcome = machine.run(call);
        let (heap, mut untouched) = (&machine.heap, Untouched::default());
        if outcome.is_err() {
            assert!(self.bytes == bytes(heap), "{call:?} failed and changed the memory usage");
        }
        for arena in &mut self.arenas {
            if arena.equals(heap) {
                untouched.arenas += 1;
                continue;
            }
            assert!(footprint.has_arena(arena.kind), "{call:?} wrote the arena of {}", arena.kind);
            let after = Arena::of(heap, arena.kind);
            if outcome.is_err() {
                let same = arena.has_same_objects(&after);
                assert!(same, "{call:?} failed and changed the arena of {}", arena.kind);
            }
            untouched.objects += footprint.check(arena, &after).unwrap_or_else(|slot| {
                panic!("{call:?} wrote {}#{slot}: {}", arena.kind, machine.heap.dump())
            });
            *arena = after;
        }
        self.bytes = bytes(&machine.heap);
        (outcome, untouched)
    }
}

fn bytes(heap: &Heap) -> u64 {
    let usage = heap.usage();
    usage.total_bytes - usage.scratch_bytes
}

/// What an instruction may write, as its operation declares.
struct Footprint {
    arenas: Vec<Kind>,
    changes: Vec<Cell>,
    frees: Vec<Cell>,
    sweeps: bool,
    moves: bool,
}

impl Footprint {
    fn of(machine: &Machine, call: &Call) -> Footprint {
        let effects = || call.op.effects.iter().copied();
        let sweeps = effects().any(|effect| effect == Effect::Sweeps);
        let moves = effects().any(|effect| effect == Effect::Moves);
        let (mut writable, mut changes, mut frees) = (Vec::new(), Vec::new(), Vec::new());
        for effect in effects() {
            match effect {
                Effect::Changes(n) => changes.push(call.cell(n)),
                Effect::Frees(n) => frees.push(call.cell(n)),
                Effect::Allocates(kind) => writable.push(kind),
                Effect::Transplants(n) => {
                    writable.extend(reachable_kinds(&machine.other, call.cell(n)));
                }
                Effect::Sweeps | Effect::Moves | Effect::Reads(_) | Effect::ReadsUsage => {}
            }
        }
        writable.extend(changes.iter().chain(&frees).filter_map(|cell| cell.kind()));
        if sweeps || moves {
            writable.extend(arenas());
        }
        Footprint { arenas: writable, changes, frees, sweeps, moves }
    }

    fn has_arena(&self, kind: Kind) -> bool {
        self.arenas.contains(&kind)
    }

    /// Compares the objects that were live before. Returns how many are unchanged,
    /// or fails with the slot of one that changed and must not have.
    fn check(&self, before: &Arena, after: &Arena) -> Result<usize, usize> {
        let mut same = 0;
        for (index, old) in before.live() {
            let cell = abi::cell(u64::from(old[0]) << 32 | index as u64).ok_or(index)?;
            let new = *after.slots.get(index).ok_or(index)?;
            if new[0] != old[0] {
                if self.sweeps || self.frees.contains(&cell) {
                    continue;
                }
                return Err(index);
            }
            if self.frees.contains(&cell) {
                return Err(index);
            }
            if self.changes.contains(&cell) {
                continue;
            }
            // Compaction may drop spare capacity, of tables with their holes; no other
            // operation may.
            let unchanged = if self.moves && before.tables.contains_key(&index) {
                before.tables.get(&index) == after.tables.get(&index)
            } else if self.moves {
                new[1] == old[1] && before.object(old) == after.object(new)
            } else {
                new == old && before.block(old) == after.block(new)
            };
            if !unchanged {
                return Err(index);
            }
            same += 1;
        }
        Ok(same)
    }
}

/// The kinds of all objects reachable from a cell.
pub fn reachable_kinds(heap: &Heap, root: Cell) -> Vec<Kind> {
    let (mut seen, mut next) = (vec![root], 0);
    while let Some(&cell) = seen.get(next) {
        for edge in heap.edges(cell).into_iter().flatten() {
            if !seen.contains(&edge) {
                seen.push(edge);
            }
        }
        next += 1;
    }
    seen.into_iter().filter_map(Cell::kind).collect()
}
