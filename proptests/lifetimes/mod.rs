//! Random programs over objects of all kinds, with everything that frees objects:
//! `free`, `clear`, regions, collections, recycling. A reference graph in hash maps
//! predicts which objects are live after each step and what they contain.

mod accesses;
mod collection;
mod liveness;
mod model;
mod roots;

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use segheap::{
    Cell, Error, Heap, Kind, Limits, List, Policy, RangeHint, Region, SealKey, Settings, abi,
};

use crate::counters;
use crate::support::config;
use model::{Body, Object, Slot, is_seal, slot_of};

/// The heap under test and the reference model. Objects are identified by the bits
/// of their handles.
struct Harness {
    heap: Heap,
    live: HashMap<u64, Object>,
    /// Handles of freed objects, which must stay stale.
    freed: HashSet<u64>,
    /// All cells that the program holds.
    held: Vec<Cell>,
    /// How many generations of each slot were used.
    generations: HashMap<Slot, u32>,
    retired: HashSet<Slot>,
    regions: Vec<Region>,
    closed: Vec<Region>,
    pins: HashMap<u64, u32>,
    watches: Vec<(u64, u64)>,
    keys: Vec<SealKey>,
    hints: Vec<TrackedHint>,
    /// Whether allocations may fail for lack of memory.
    limited: bool,
    serial: u64,
}

/// A hint, its list, and whether slots were recycled since.
struct TrackedHint {
    hint: RangeHint<List>,
    list: u64,
    outdated: bool,
}

/// The number of an operation, and three numbers that select its arguments.
type Op = (u8, u16, u16, u16);

impl Harness {
    fn new(seed: u64) -> Harness {
        let mut heap = Heap::with(Settings::seeded(seed));
        let keys = vec![heap.new_seal_key().unwrap(), heap.new_seal_key().unwrap()];
        Harness {
            heap,
            keys,
            live: HashMap::new(),
            freed: HashSet::new(),
            held: vec![Cell::NULL, Cell::TRUE, 7.into(), 0.5.into(), Cell::short_str("a").unwrap()],
            generations: HashMap::new(),
            retired: HashSet::new(),
            regions: Vec::new(),
            closed: Vec::new(),
            pins: HashMap::new(),
            watches: Vec::new(),
            hints: Vec::new(),
            limited: false,
            serial: 0,
        }
    }

    /// Selects a cell: mostly one of the latest, which are mostly live.
    fn pick(&self, n: u16) -> Cell {
        let n = usize::from(n);
        let window = if n.is_multiple_of(3) { self.held.len() } else { self.held.len().min(12) };
        self.held[self.held.len() - 1 - (n / 3) % window]
    }

    fn is_live(&self, cell: Cell) -> bool {
        self.live.contains_key(&abi::bits(cell))
    }

    /// The first check of every operation on an object.
    fn validity(&self, cell: Cell) -> Result<(), Error> {
        match cell.kind() {
            None => Err(Error::NotAHandle),
            Some(_) if self.is_live(cell) => Ok(()),
            Some(kind) => Err(Error::Stale { kind }),
        }
    }

    /// Asserts that an operation failed for lack of memory.
    fn expect_memory_error(&self, error: Error) {
        assert!(self.limited, "{error:?} without a limit");
        assert!(matches!(error, Error::Limit(_) | Error::OutOfMemory), "{error:?}");
    }

    fn record_allocation(&mut self, cell: Cell, body: Body) {
        let bits = abi::bits(cell);
        assert!(!self.freed.contains(&bits), "{cell:?} was returned before");
        let object = Object { body, depth: self.regions.len() };
        assert!(self.live.insert(bits, object).is_none(), "{cell:?} is live already");
        *self.generations.entry(slot_of(cell).unwrap()).or_default() += 1;
        self.held.push(cell);
    }

    fn record_free(&mut self, bits: u64) {
        assert!(self.live.remove(&bits).is_some());
        self.freed.insert(bits);
        let slot = (bits >> 44, bits & 0xFFFF_FFFF);
        if self.generations[&slot] == 4096 {
            self.retired.insert(slot);
        }
    }

    /// The live objects reachable from `roots` through objects that `follows` admits.
    fn reachable(&self, roots: &[Cell], follows: impl Fn(&Object) -> bool) -> HashSet<u64> {
        let mut reached = HashSet::new();
        let mut work: Vec<u64> = roots.iter().map(|&root| abi::bits(root)).collect();
        while let Some(bits) = work.pop() {
            if let Some(object) = self.live.get(&bits).filter(|object| follows(object))
                && reached.insert(bits)
            {
                work.extend(object.body.cells().into_iter().map(abi::bits));
            }
        }
        reached
    }

    /// Asserts that all observable state agrees with the model.
    fn check(&mut self) {
        self.heap.verify().unwrap();
        let seals = self.live.keys().filter(|&&bits| is_seal(abi::cell(bits).unwrap())).count();
        assert_eq!(self.heap.usage().live(), (self.live.len() - seals) as u64);
        let retired: u32 = self.heap.usage().arenas().iter().map(|arena| arena.retired).sum();
        assert_eq!(retired as usize, self.retired.len());
        for (&bits, object) in &self.live {
            let cell = abi::cell(bits).unwrap();
            assert_eq!(self.read(cell, &object.body), object.body, "{cell:?}");
        }
        for &cell in &self.held {
            assert_eq!(self.heap.contains(cell), self.is_live(cell), "{cell:?}");
            assert_eq!(self.heap.upgrade(cell), self.is_live(cell).then_some(cell));
        }
        self.check_hints();
    }

    fn check_hints(&mut self) {
        for TrackedHint { hint, list, outdated } in &mut self.hints {
            let expected = match self.live.get(list).map(|object| &object.body) {
                Some(Body::Cells(_, cells)) => cells.get(..hint.len()).map(|cells| cells[0]),
                _ => {
                    assert_eq!(hint.get(&self.heap, 0), Err(Error::Stale { kind: Kind::LIST }));
                    continue;
                }
            };
            match (hint.get(&self.heap, 0), expected) {
                (Ok(cell), expected) => assert_eq!(Some(cell), expected),
                (Err(Error::OutOfRange { .. }), None) => {}
                (Err(error), _) => {
                    assert!(*outdated && error == Error::Stale { kind: Kind::LIST }, "{error:?}");
                }
            }
        }
    }

    fn step(&mut self, (op, a, b, c): Op) {
        let cells = (self.pick(a), self.pick(b), self.pick(c));
        match op {
            0..30 => self.alloc(a, cells.1, cells.2),
            30..46 => self.store(cells.0, cells.1, cells.2),
            46..48 => self.take(cells.0),
            48..54 => self.free(cells.0),
            54 if a % 8 == 0 => {
                self.heap.clear();
                for bits in self.live.keys().copied().collect::<Vec<_>>() {
                    self.record_free(bits);
                }
            }
            54..60 => match self.heap.open_region() {
                Ok(region) => self.regions.push(region),
                Err(error) => self.expect_memory_error(error),
            },
            60..65 if !self.regions.is_empty() => {
                let depth = usize::from(a) % self.regions.len();
                let keep = [cells.1, cells.2, self.pick(b / 2)];
                self.close_region(depth, &keep[..usize::from(c) % 4]);
            }
            65 => {
                if let Some(region) = self.closed.pop() {
                    let closed = self.heap.close_region(region, [cells.0]);
                    assert_eq!(closed, Err(Error::RegionClosed));
                }
            }
            66..71 => {
                let roots = [cells.0, cells.1, cells.2, self.pick(a / 2), self.pick(b / 2)];
                self.collect(&roots[..usize::from(c) % 6], None);
            }
            71..74 => {
                let roots = [cells.0, cells.1, self.pick(c / 2)];
                let weak = [cells.2, self.pick(a / 2), self.pick(b / 2), self.pick(b / 5)];
                self.collect(&roots[..usize::from(a) % 4], Some(&weak[..usize::from(b) % 5]));
            }
            74 if a.is_multiple_of(4) => self.heap.compact(),
            74 => drop(self.heap.compact_step(b.into()).unwrap()),
            75..79 => self.pin(cells.0),
            79..82 => self.unpin(cells.0),
            82..86 => self.watch(cells.0),
            86 => self.drain_dead(usize::from(a) % 8, b.is_multiple_of(3)),
            87..90 => self.seal(cells.0, usize::from(b) % 2),
            90..92 => {
                if let Ok(hint) = self.heap.hint::<List>(cells.0, ..1) {
                    let list = abi::bits(cells.0);
                    self.hints.push(TrackedHint { hint, list, outdated: false });
                }
            }
            92..94 => self.transplant(cells.0),
            94..96 => self.limit(op, a, b),
            96 => self.advance(4000 + u32::from(a % 128)),
            97 => self.advance(u32::from(a % 64)),
            98 => self.heap.set_policy(Policy::DEFAULT.with_stress(u32::from(a % 2))),
            _ if c.is_multiple_of(2) => self.sizes(cells.0, cells.1),
            _ => self.path_from_roots(cells.0, cells.1),
        }
    }

    /// Limits memory, or lifts the limits.
    fn limit(&mut self, op: u8, a: u16, b: u16) {
        self.limited = a.is_multiple_of(4);
        if op == 94 {
            self.heap.fail_growth_after(self.limited.then_some(u64::from(b % 4)));
            self.heap.set_limits(Limits::NONE);
        } else {
            let bytes = usize::try_from(self.heap.usage().total_bytes).unwrap();
            let limits = Limits::NONE.with_bytes(bytes + usize::from(b));
            self.heap.set_limits(if self.limited { limits } else { Limits::NONE });
            self.heap.fail_growth_after(None);
        }
    }
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn liveness_agrees_with_the_reference_model(
        seed: u64,
        program in prop::collection::vec((0..100_u8, any::<u16>(), any::<u16>(), any::<u16>()), 1..120),
    ) {
        let mut harness = Harness::new(seed);
        counters::program(program.len());
        for op in program {
            harness.step(op);
            harness.check();
        }
    }
}
