//! What an instruction may touch: the bytes and slots of all arenas are taken
//! before, and compared after it with what its operation declares.

use segheap::{ArenaUsage, Cell, Heap, Kind, abi};

use super::{Answer, Call, Effect, Machine, arenas};

/// An arena as `abi` and `usage` show it.
#[derive(Clone, Debug, PartialEq)]
struct Arena {
    kind: Kind,
    memory: Vec<u8>,
    slots: Vec<[u32; 4]>,
    usage: ArenaUsage,
}

/// High half of a slot's key while the slot is in use.
const LIVE: u32 = 0xFFFF;

fn usage(heap: &Heap, kind: Kind) -> ArenaUsage {
    let usage = heap.usage();
    usage.arena(kind).copied().unwrap_or(usage.seals)
}

impl Arena {
    fn of(heap: &Heap, kind: Kind) -> Arena {
        Arena {
            kind,
            memory: abi::memory(heap, kind).unwrap().bytes().to_vec(),
            slots: abi::slots(heap, kind).unwrap().to_vec(),
            usage: usage(heap, kind),
        }
    }

    fn is(&self, heap: &Heap) -> bool {
        self.memory == abi::memory(heap, self.kind).unwrap().bytes()
            && self.slots == abi::slots(heap, self.kind).unwrap()
            && self.usage == usage(heap, self.kind)
    }

    /// The live objects: slots and their indices.
    fn live(&self) -> impl Iterator<Item = (usize, [u32; 4])> {
        self.slots.iter().copied().enumerate().filter(|(_, slot)| slot[0] >> 16 == LIVE)
    }

    /// Whether the other one differs at most in bytes that no object owns: those
    /// are no state, nor is the order in which free blocks will be taken.
    fn owns_the_same(&self, other: &Arena) -> bool {
        self.slots == other.slots
            && self.usage == other.usage
            && self.memory.len() == other.memory.len()
            && self.live().all(|(_, slot)| self.object(slot) == other.object(slot))
    }

    /// The bytes of the block of a slot.
    fn block(&self, [_, _, off, cap]: [u32; 4]) -> &[u8] {
        &self.memory[off as usize * 8..][..cap as usize * 8]
    }

    /// Those of them that hold the object: its header and its elements.
    fn object(&self, slot: [u32; 4]) -> &[u8] {
        let [_, len, _, cap] = slot.map(|part| part as usize);
        let bytes = match self.kind {
            _ if cap == 0 => 0,
            Kind::STR | Kind::BYTES | Kind::U8ARR => len,
            Kind::LIST | Kind::PAIR | Kind::F64ARR | Kind::I64ARR => len * 8,
            Kind::MAP | Kind::SET => cap * 8,
            _ => len * 8 + 8,
        };
        &self.block(slot)[..bytes]
    }
}

/// The arenas before an instruction.
pub struct Watch {
    arenas: Vec<Arena>,
    /// Everything the heap holds but its scratch memory.
    bytes: u64,
}

/// What an instruction was found to have left alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept {
    pub arenas: usize,
    pub objects: usize,
}

impl Watch {
    pub fn of(heap: &Heap) -> Watch {
        Watch { arenas: arenas().map(|kind| Arena::of(heap, kind)).collect(), bytes: bytes(heap) }
    }

    /// Whether everything is as it was.
    pub fn is(&self, heap: &Heap) -> bool {
        self.bytes == bytes(heap) && self.arenas.iter().all(|arena| arena.is(heap))
    }

    /// Arena by arena, whether it is as it was.
    pub fn same(&self, heap: &Heap) -> impl Iterator<Item = (Kind, bool)> {
        self.arenas.iter().map(|arena| (arena.kind, arena.is(heap)))
    }

    /// Runs an instruction and checks it. The arenas before the next one are
    /// those after this one.
    ///
    /// # Panics
    /// Where the instruction did what its operation does not declare.
    pub fn run(&mut self, machine: &mut Machine, call: &Call) -> (Answer, Kept) {
        let may = May::of(machine, call);
        let answer = machine.run(call);
        let (heap, mut kept) = (&machine.heap, Kept::default());
        if answer.is_err() {
            assert!(self.bytes == bytes(heap), "{call:?} failed and changed the account");
        }
        for arena in &mut self.arenas {
            if arena.is(heap) {
                kept.arenas += 1;
                continue;
            }
            assert!(may.write(arena.kind), "{call:?} wrote the arena of {}", arena.kind);
            let after = Arena::of(heap, arena.kind);
            if answer.is_err() {
                assert!(arena.owns_the_same(&after), "{call:?} failed and changed {}", arena.kind);
            }
            kept.objects += may.check(arena, &after).unwrap_or_else(|slot| {
                panic!("{call:?} touched {}#{slot}: {}", arena.kind, machine.heap.dump())
            });
            *arena = after;
        }
        self.bytes = bytes(&machine.heap);
        (answer, kept)
    }
}

fn bytes(heap: &Heap) -> u64 {
    let usage = heap.usage();
    usage.total_bytes - usage.scratch_bytes
}

/// What an instruction declares.
struct May {
    kinds: Vec<Kind>,
    changes: Vec<Cell>,
    frees: Vec<Cell>,
    sweeps: bool,
    moves: bool,
}

impl May {
    fn of(machine: &Machine, call: &Call) -> May {
        let effects = || call.op.effects.iter().copied();
        let sweeps = effects().any(|effect| effect == Effect::Sweeps);
        let moves = effects().any(|effect| effect == Effect::Moves);
        let (mut kinds, mut changes, mut frees) = (Vec::new(), Vec::new(), Vec::new());
        for effect in effects() {
            match effect {
                Effect::Changes(n) => changes.push(call.cell(n)),
                Effect::Frees(n) => frees.push(call.cell(n)),
                Effect::Makes(kind) => kinds.push(kind),
                Effect::Copies(n) => kinds.extend(graph(&machine.other, call.cell(n))),
                Effect::Sweeps | Effect::Moves | Effect::Reads(_) | Effect::Measures => {}
            }
        }
        kinds.extend(changes.iter().chain(&frees).filter_map(|cell| cell.kind()));
        if sweeps || moves {
            kinds.extend(arenas());
        }
        May { kinds, changes, frees, sweeps, moves }
    }

    fn write(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Compares the objects that were alive: how many are as they were, or the
    /// slot of one that should be and is not.
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
            // What moves may leave its spare room behind, nothing else may.
            let as_it_was = if self.moves {
                new[1] == old[1] && before.object(old) == after.object(new)
            } else {
                new == old && before.block(old) == after.block(new)
            };
            if !as_it_was {
                return Err(index);
            }
            same += 1;
        }
        Ok(same)
    }
}

/// The kinds that a cell leads to.
pub fn graph(heap: &Heap, root: Cell) -> Vec<Kind> {
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
