//! Random programs over objects of all kinds, with everything that ends a life:
//! `free`, `clear`, regions, collections, revivals. A naive graph in hash maps
//! predicts who is alive after each step and what everybody holds.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Heap, I64Arr, Kind, Limits, List, Map, Pair,
    Policy, RangeHint, Region, SealKey, Set, Settings, Str, Struct, U8Arr, abi,
};

use crate::support::config;
use crate::tally;

/// What an object holds.
#[derive(Clone, Debug, PartialEq)]
enum Body {
    Cells(u32, Vec<Cell>),
    Map(Vec<(Cell, Cell)>),
    Set(Vec<Cell>),
    Bytes(Vec<u8>),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Big(i128),
    Seal(usize, Cell),
}

impl Body {
    fn cells(&self) -> Vec<Cell> {
        match self {
            Body::Cells(_, cells) | Body::Set(cells) => cells.clone(),
            Body::Map(entries) => entries.iter().flat_map(|&(k, v)| [k, v]).collect(),
            Body::Seal(_, cell) => vec![*cell],
            _ => Vec::new(),
        }
    }

    fn map(&self, to: impl Fn(Cell) -> Cell) -> Body {
        match self {
            Body::Cells(header, cells) => {
                Body::Cells(*header, cells.iter().map(|&c| to(c)).collect())
            }
            Body::Set(cells) => Body::Set(cells.iter().map(|&c| to(c)).collect()),
            Body::Map(entries) => Body::Map(entries.iter().map(|&(k, v)| (to(k), to(v))).collect()),
            other => other.clone(),
        }
    }
}

#[derive(Clone, Debug)]
struct Object {
    body: Body,
    /// Regions that were open at its birth.
    depth: usize,
}

/// Kind and slot of a handle: what a retired slot is named by.
type Slot = (u64, u64);

fn slot_of(cell: Cell) -> Option<Slot> {
    is_handle(cell).then(|| (abi::bits(cell) >> 44, abi::bits(cell) & 0xFFFF_FFFF))
}

fn is_handle(cell: Cell) -> bool {
    cell.kind().is_some()
}

const SEALED: u64 = 0x000F_FFFF;

struct World {
    heap: Heap,
    live: HashMap<u64, Object>,
    /// Handles that must never be accepted again.
    dead: HashSet<u64>,
    /// Every cell that the program has seen and not disclaimed.
    seen: Vec<Cell>,
    lives: HashMap<Slot, u32>,
    retired: HashSet<Slot>,
    regions: Vec<Region>,
    closed: Vec<Region>,
    pins: HashMap<u64, u32>,
    watches: Vec<(u64, u64)>,
    keys: Vec<SealKey>,
    hints: Vec<(RangeHint<List>, u64, bool)>,
    restricted: bool,
    serial: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut heap = Heap::with(Settings::seeded(seed));
        let keys = vec![heap.new_seal_key().unwrap(), heap.new_seal_key().unwrap()];
        World {
            heap,
            keys,
            live: HashMap::new(),
            dead: HashSet::new(),
            seen: vec![Cell::NULL, Cell::TRUE, 7.into(), 0.5.into(), Cell::short_str("a").unwrap()],
            lives: HashMap::new(),
            retired: HashSet::new(),
            regions: Vec::new(),
            closed: Vec::new(),
            pins: HashMap::new(),
            watches: Vec::new(),
            hints: Vec::new(),
            restricted: false,
            serial: 0,
        }
    }

    /// Mostly one of the last cells seen, which are mostly alive.
    fn pick(&self, n: u16) -> Cell {
        let n = usize::from(n);
        let window = if n.is_multiple_of(3) { self.seen.len() } else { self.seen.len().min(12) };
        self.seen[self.seen.len() - 1 - (n / 3) % window]
    }

    fn is_live(&self, cell: Cell) -> bool {
        self.live.contains_key(&abi::bits(cell))
    }

    /// What every operation on objects answers first.
    fn expected(&self, cell: Cell) -> Result<(), Error> {
        match cell.kind() {
            None => Err(Error::NotAHandle),
            Some(_) if self.is_live(cell) => Ok(()),
            Some(kind) => Err(Error::Stale { kind }),
        }
    }

    fn no_room(&self, error: Error) {
        assert!(self.restricted, "{error:?} without a limit");
        assert!(matches!(error, Error::Limit(_) | Error::OutOfMemory), "{error:?}");
    }

    fn born(&mut self, cell: Cell, body: Body) {
        let bits = abi::bits(cell);
        assert!(!self.dead.contains(&bits), "{cell:?} was given out before");
        let object = Object { body, depth: self.regions.len() };
        assert!(self.live.insert(bits, object).is_none(), "{cell:?} is alive already");
        *self.lives.entry(slot_of(cell).unwrap()).or_default() += 1;
        self.seen.push(cell);
    }

    fn died(&mut self, bits: u64) {
        assert!(self.live.remove(&bits).is_some());
        self.dead.insert(bits);
        let slot = (bits >> 44, bits & 0xFFFF_FFFF);
        if self.lives[&slot] == 4096 {
            self.retired.insert(slot);
        }
    }

    fn make(&mut self, what: u16, a: Cell, b: Cell) {
        self.serial += 1;
        let (heap, serial) = (&mut self.heap, self.serial);
        let small = u32::try_from(serial).unwrap();
        let (made, body) = match what % 13 {
            0 => {
                let text = format!("a text with number {serial}");
                (heap.alloc(Str::new(&text)).map(Cell::from), Body::Bytes(text.into_bytes()))
            }
            1 => (heap.alloc(List::of(&[a, b])).map(Cell::from), Body::Cells(0, vec![a, b])),
            2 => (heap.alloc(Map::new()).map(Cell::from), Body::Map(vec![])),
            3 => (heap.alloc(Set::with_capacity(2)).map(Cell::from), Body::Set(vec![])),
            4 => (
                heap.alloc(Struct::of(small, &[a, b, a])).map(Cell::from),
                Body::Cells(small, vec![a, b, a]),
            ),
            5 => {
                (heap.alloc(Closure::of(small, &[b])).map(Cell::from), Body::Cells(small, vec![b]))
            }
            6 => (
                heap.alloc(Bignum::of(true, &[serial, 1])).map(Cell::from),
                Body::Big(-((1 << 64) + i128::from(serial))),
            ),
            7 => (heap.alloc(Bytes::of(b"bytes")).map(Cell::from), Body::Bytes(b"bytes".to_vec())),
            8 => (heap.alloc(Pair::of(a, b)).map(Cell::from), Body::Cells(0, vec![a, b])),
            9 => {
                (heap.alloc(F64Arr::of(&[0.5, 2.0])).map(Cell::from), Body::Floats(vec![0.5, 2.0]))
            }
            10 => (heap.alloc(I64Arr::of(&[-1])).map(Cell::from), Body::Ints(vec![-1])),
            11 => (heap.alloc(U8Arr::of(&[1, 2])).map(Cell::from), Body::Bytes(vec![1, 2])),
            _ => (heap.alloc(List::of(&[])).map(Cell::from), Body::Cells(0, vec![])),
        };
        match made {
            Ok(cell) => self.born(cell, body),
            Err(error) => self.no_room(error),
        }
    }

    /// Puts a cell into an object, as its kind allows.
    fn store(&mut self, into: Cell, a: Cell, b: Cell) {
        let live = self.is_live(a) || !is_handle(a);
        let expected = self.expected(into);
        let restricted = self.restricted;
        let outcome = match into.kind() {
            Some(Kind::LIST) => self.heap.get_mut::<List>(into).and_then(|mut l| l.push(a)),
            Some(Kind::MAP) => {
                self.heap.get_mut::<Map>(into).and_then(|mut m| m.insert(a, b)).map(drop)
            }
            Some(Kind::SET) => {
                self.heap.get_mut::<Set>(into).and_then(|mut s| s.insert(a)).map(drop)
            }
            Some(Kind::STRUCT) => self.heap.get_mut::<Struct>(into).and_then(|mut s| s.set(2, a)),
            Some(Kind::CLOSURE) => self.heap.get_mut::<Closure>(into).and_then(|mut c| c.set(0, a)),
            Some(Kind::PAIR) => self.heap.get_mut::<Pair>(into).and_then(|mut p| p.set(1, a)),
            _ => return,
        };
        if let Err(error) = expected {
            assert_eq!(outcome, Err(error));
            return;
        }
        if !live && matches!(into.kind(), Some(Kind::MAP | Kind::SET)) {
            assert_eq!(outcome, Err(Error::Stale { kind: a.kind().unwrap() }));
            return;
        }
        if let Err(error) = outcome {
            assert!(restricted, "{error:?}");
            return;
        }
        match &mut self.live.get_mut(&abi::bits(into)).unwrap().body {
            Body::Cells(_, cells) if into.kind() == Some(Kind::LIST) => cells.push(a),
            Body::Cells(_, cells) => *cells.last_mut().unwrap() = a,
            Body::Map(entries) => match entries.iter_mut().find(|entry| entry.0 == a) {
                Some(entry) => entry.1 = b,
                None => entries.push((a, b)),
            },
            Body::Set(cells) if !cells.contains(&a) => cells.push(a),
            _ => {}
        }
    }

    /// Takes something out of an object again.
    fn take(&mut self, from: Cell) {
        if !self.is_live(from) {
            return;
        }
        let body = &mut self.live.get_mut(&abi::bits(from)).unwrap().body;
        match (from.kind(), body) {
            (Some(Kind::LIST), Body::Cells(_, cells)) => {
                assert_eq!(self.heap.get_mut::<List>(from).unwrap().pop(), Ok(cells.pop()));
            }
            (_, Body::Map(entries)) if !entries.is_empty() => {
                let removed = self.heap.get_mut::<Map>(from).unwrap().remove_nth(0);
                assert_eq!(removed, Ok(entries.remove(0)));
            }
            (_, Body::Set(cells)) if !cells.is_empty() => {
                let removed = self.heap.get_mut::<Set>(from).unwrap().remove_nth(0);
                assert_eq!(removed, Ok(cells.remove(0)));
            }
            _ => {}
        }
    }

    fn free(&mut self, cell: Cell) {
        let wanted = match self.expected(cell) {
            _ if abi::bits(cell) >> 44 == SEALED => Err(Error::Sealed),
            other => other,
        };
        assert_eq!(self.heap.free(cell), wanted);
        if wanted.is_ok() {
            self.died(abi::bits(cell));
        }
    }

    /// Live objects that `roots` lead to through objects that `follows` admits.
    fn reach(&self, roots: &[Cell], follows: impl Fn(&Object) -> bool) -> HashSet<u64> {
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

    fn close(&mut self, depth: usize, keep: &[Cell]) {
        let region = self.regions.swap_remove(depth);
        self.closed.extend(self.regions.drain(depth..));
        let kept = self.reach(keep, |object| object.depth > depth);
        let inside: Vec<u64> =
            self.live.iter().filter(|entry| entry.1.depth > depth).map(|entry| *entry.0).collect();
        let freed = inside.len() - kept.len();
        assert_eq!(self.heap.close_region(region, keep.iter().copied()), Ok(freed as u64));
        for bits in inside {
            if kept.contains(&bits) {
                self.live.get_mut(&bits).unwrap().depth = depth;
            } else {
                self.died(bits);
            }
        }
    }

    fn collect(&mut self, roots: &[Cell], weak: Option<&[Cell]>) {
        let pinned: Vec<Cell> = self.pins.keys().map(|&bits| abi::cell(bits).unwrap()).collect();
        let all: Vec<Cell> = roots.iter().chain(&pinned).copied().collect();
        let reached = self.reach(&all, |_| true);
        let stale = |cell: &Cell| is_handle(*cell) && !self.is_live(*cell);
        let stale_roots = roots.iter().filter(|root| stale(root)).count();
        let first_stale = roots.iter().position(stale);
        let garbage: Vec<u64> =
            self.live.keys().copied().filter(|bits| !reached.contains(bits)).collect();
        let retired_before = self.retired.clone();
        let roots_iter = roots.iter().copied();
        let done = match weak {
            Some(weak) => self.heap.collect_and_recycle(roots_iter, weak.iter().copied()),
            None => self.heap.collect(roots_iter),
        }
        .unwrap();
        assert_eq!((done.stale_roots, done.first_stale), (stale_roots, first_stale));
        assert_eq!(done.freed, garbage.len() as u64);
        garbage.into_iter().for_each(|bits| self.died(bits));
        assert_eq!(done.live, self.live.len() as u64);
        let Some(weak) = weak else {
            assert_eq!(done.recycled, 0);
            return;
        };
        // What names a slot now, holds it back.
        let mut named: HashSet<u64> = all.iter().chain(weak).map(|&c| abi::bits(c)).collect();
        named.extend(self.watches.iter().map(|watch| watch.0));
        for object in self.live.values() {
            named.extend(object.body.cells().into_iter().map(abi::bits));
        }
        let slots: HashSet<Slot> =
            named.iter().filter_map(|&bits| slot_of(abi::cell(bits).unwrap())).collect();
        let unnamed =
            |of: &HashSet<Slot>| of.difference(&slots).copied().collect::<HashSet<Slot>>();
        // A slot that this collection retired may wait for the next.
        let (least, most) = (unnamed(&retired_before), unnamed(&self.retired));
        let revived = if done.recycled == most.len() as u64 { most } else { least };
        assert_eq!(done.recycled, revived.len() as u64);
        for slot in revived {
            self.retired.remove(&slot);
            self.lives.remove(&slot);
        }
        // The program has said that it holds no other cell.
        self.dead.retain(|bits| named.contains(bits));
        let (live, dead) = (&self.live, &self.dead);
        self.seen.retain(|&cell| {
            let bits = abi::bits(cell);
            !is_handle(cell) || live.contains_key(&bits) || dead.contains(&bits)
        });
        if done.recycled > 0 {
            self.hints.iter_mut().for_each(|hint| hint.2 = true);
        }
    }

    /// Uses up most lives of a slot.
    fn burn(&mut self, lives: u32) {
        for _ in 0..lives {
            let made = self.heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).map(Cell::from);
            let Ok(cell) = made else { return };
            self.born(cell, Body::Cells(0, vec![Cell::NULL; 2]));
            self.seen.pop();
            self.free(cell);
        }
    }

    fn transplant(&mut self, root: Cell) {
        let graph = self.reach(&[root], |_| true);
        let cells = || graph.iter().flat_map(|bits| self.live[bits].body.cells()).chain([root]);
        let is_sealed = |cell: Cell| abi::bits(cell) >> 44 == SEALED;
        let refused = cells().any(|cell| is_sealed(cell) || is_handle(cell) && !self.is_live(cell));
        let mut other = Heap::with(Settings::seeded(self.serial));
        let there = other.transplant(&self.heap, root);
        other.verify().unwrap();
        if refused {
            assert!(matches!(there, Err(Error::Sealed | Error::Stale { .. })), "{there:?}");
            assert_eq!(other.usage().live(), 0);
            return;
        }
        let there = there.unwrap();
        assert_eq!(other.usage().live(), graph.len() as u64);
        assert_eq!(other.collect([there]).unwrap().freed, 0);
        let back = match self.heap.transplant(&other, there) {
            Ok(back) => back,
            Err(error) => return self.no_room(error),
        };
        // Originals and copies, side by side.
        let mut twins: HashMap<Cell, Cell> = HashMap::new();
        let mut order = vec![(root, back)];
        let mut next = 0;
        while let Some(&(old, new)) = order.get(next) {
            next += 1;
            if !is_handle(old) {
                assert_eq!(old, new);
                continue;
            }
            if let Some(&twin) = twins.get(&old) {
                assert_eq!(twin, new, "a shared object was copied twice");
                continue;
            }
            twins.insert(old, new);
            let body = self.read(new, &self.live[&abi::bits(old)].body);
            let (from, to) = (self.live[&abi::bits(old)].body.cells(), body.cells());
            assert_eq!(from.len(), to.len());
            order.extend(from.into_iter().zip(to));
        }
        assert_eq!(twins.len(), graph.len());
        for (old, new) in twins.clone() {
            let twin = |cell: Cell| twins.get(&cell).copied().unwrap_or(cell);
            let body = self.live[&abi::bits(old)].body.map(twin);
            self.born(new, body);
        }
        if !self.restricted {
            self.heap.deep_eq(root, back).unwrap();
        }
    }

    /// What an object holds, in the form of another body.
    fn read(&self, cell: Cell, like: &Body) -> Body {
        let heap = &self.heap;
        let bytes = |cell: Cell| match cell.kind().unwrap() {
            Kind::STR => heap.get::<Str>(cell).unwrap().as_slice().to_vec(),
            Kind::BYTES => heap.get::<Bytes>(cell).unwrap().as_slice().to_vec(),
            _ => heap.get::<U8Arr>(cell).unwrap().as_slice().to_vec(),
        };
        match like {
            Body::Cells(..) => match cell.kind().unwrap() {
                Kind::LIST => Body::Cells(0, heap.get::<List>(cell).unwrap().as_slice().to_vec()),
                Kind::PAIR => Body::Cells(0, heap.get::<Pair>(cell).unwrap().as_slice().to_vec()),
                Kind::STRUCT => {
                    let view = heap.get::<Struct>(cell).unwrap();
                    Body::Cells(view.shape(), view.as_slice().to_vec())
                }
                _ => {
                    let view = heap.get::<Closure>(cell).unwrap();
                    Body::Cells(view.function(), view.as_slice().to_vec())
                }
            },
            Body::Map(_) => Body::Map(heap.get::<Map>(cell).unwrap().iter().collect()),
            Body::Set(_) => Body::Set(heap.get::<Set>(cell).unwrap().iter().collect()),
            Body::Bytes(_) => Body::Bytes(bytes(cell)),
            Body::Ints(_) => Body::Ints(heap.get::<I64Arr>(cell).unwrap().as_slice().to_vec()),
            Body::Floats(_) => Body::Floats(heap.get::<F64Arr>(cell).unwrap().as_slice().to_vec()),
            Body::Big(_) => Body::Big(heap.get::<Bignum>(cell).unwrap().to_i128().unwrap()),
            Body::Seal(key, inner) => {
                assert_eq!(heap.unseal(cell, &self.keys[1 - key]), Err(Error::WrongKey));
                match heap.unseal(cell, &self.keys[*key]) {
                    Ok(inner) => Body::Seal(*key, inner),
                    Err(error) => {
                        assert_eq!(error, Error::Stale { kind: inner.kind().unwrap() });
                        assert!(!self.is_live(*inner));
                        Body::Seal(*key, *inner)
                    }
                }
            }
        }
    }

    /// All that can be seen is as the model says.
    fn check(&mut self) {
        self.heap.verify().unwrap();
        let counted = self.live.keys().filter(|&bits| bits >> 44 != SEALED).count();
        assert_eq!(self.heap.usage().live(), counted as u64);
        let retired: u32 = self.heap.usage().arenas().iter().map(|arena| arena.retired).sum();
        assert_eq!(retired as usize, self.retired.len());
        for (&bits, object) in &self.live {
            let cell = abi::cell(bits).unwrap();
            assert_eq!(self.read(cell, &object.body), object.body, "{cell:?}");
        }
        for &cell in &self.seen {
            assert_eq!(self.heap.contains(cell), self.is_live(cell), "{cell:?}");
            assert_eq!(self.heap.upgrade(cell), self.is_live(cell).then_some(cell));
        }
        let mut hints = std::mem::take(&mut self.hints);
        for (hint, list, old) in &mut hints {
            let wanted = match self.live.get(list).map(|object| &object.body) {
                Some(Body::Cells(_, cells)) => cells.get(..hint.len()).map(|cells| cells[0]),
                _ => {
                    assert_eq!(hint.get(&self.heap, 0), Err(Error::Stale { kind: Kind::LIST }));
                    continue;
                }
            };
            match (hint.get(&self.heap, 0), wanted) {
                (Ok(cell), wanted) => assert_eq!(Some(cell), wanted),
                (Err(Error::OutOfRange { .. }), None) => {}
                (Err(error), _) => {
                    assert!(*old && error == Error::Stale { kind: Kind::LIST }, "{error:?}");
                }
            }
        }
        self.hints = hints;
    }

    fn step(&mut self, (op, a, b, c): Op) {
        let cells = (self.pick(a), self.pick(b), self.pick(c));
        match op {
            0..30 => self.make(a, cells.1, cells.2),
            30..46 => self.store(cells.0, cells.1, cells.2),
            46..48 => self.take(cells.0),
            48..54 => self.free(cells.0),
            54 if a % 8 == 0 => {
                self.heap.clear();
                for bits in self.live.keys().copied().collect::<Vec<_>>() {
                    self.died(bits);
                }
            }
            54..60 => match self.heap.open_region() {
                Ok(region) => self.regions.push(region),
                Err(error) => self.no_room(error),
            },
            60..65 if !self.regions.is_empty() => {
                let depth = usize::from(a) % self.regions.len();
                self.close(depth, &[cells.1, cells.2, self.pick(b / 2)][..usize::from(c) % 4]);
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
            74 => self.heap.compact(),
            75..79 => {
                let (cell, wanted) = (cells.0, self.expected(cells.0));
                match self.heap.pin(cell) {
                    Ok(()) => {
                        assert_eq!(wanted, Ok(()));
                        *self.pins.entry(abi::bits(cell)).or_default() += 1;
                    }
                    Err(error) if wanted.is_ok() => self.no_room(error),
                    error => assert_eq!(error, wanted),
                }
            }
            79..82 => {
                let bits = abi::bits(cells.0);
                let pinned = self.pins.get(&bits).copied().unwrap_or(0);
                assert_eq!(self.heap.unpin(cells.0), pinned > 0);
                match pinned {
                    0 | 1 => drop(self.pins.remove(&bits)),
                    _ => drop(self.pins.insert(bits, pinned - 1)),
                }
            }
            82..86 => {
                let (cell, wanted) = (cells.0, self.expected(cells.0));
                self.serial += 1;
                match self.heap.watch(cell, self.serial) {
                    Ok(()) => {
                        assert_eq!(wanted, Ok(()));
                        self.watches.push((abi::bits(cell), self.serial));
                    }
                    Err(error) if wanted.is_ok() => self.no_room(error),
                    error => assert_eq!(error, wanted),
                }
            }
            86 => {
                // Those that are not taken come next time.
                let taken = usize::from(a) % 8;
                let tokens: Vec<u64> = self.heap.drain_dead().take(taken).collect();
                let live = &self.live;
                let wanted = self.watches.extract_if(.., |watch| !live.contains_key(&watch.0));
                assert_eq!(tokens, wanted.take(taken).map(|watch| watch.1).collect::<Vec<_>>());
            }
            87..90 => {
                let key = usize::from(b) % 2;
                let sealed = self.heap.seal(cells.0, &self.keys[key]);
                match (sealed, self.expected(cells.0)) {
                    (sealed, Err(error @ Error::Stale { .. })) => assert_eq!(sealed, Err(error)),
                    (Ok(sealed), _) => self.born(sealed, Body::Seal(key, cells.0)),
                    (Err(error), _) => self.no_room(error),
                }
            }
            90..92 => {
                if let Ok(hint) = self.heap.hint::<List>(cells.0, ..1) {
                    self.hints.push((hint, abi::bits(cells.0), false));
                }
            }
            92..94 => self.transplant(cells.0),
            94 => {
                self.restricted = a % 4 == 0;
                self.heap.fail_growth_after(self.restricted.then_some(u64::from(b % 4)));
                self.heap.set_limits(Limits::NONE);
            }
            95 => {
                self.restricted = a % 4 == 0;
                let bytes = usize::try_from(self.heap.usage().total_bytes).unwrap();
                let limits = Limits::NONE.with_bytes(bytes + usize::from(b));
                self.heap.set_limits(if self.restricted { limits } else { Limits::NONE });
                self.heap.fail_growth_after(None);
            }
            96 => self.burn(4000 + u32::from(a % 128)),
            97 => self.burn(u32::from(a % 64)),
            98 => self.heap.set_policy(Policy::DEFAULT.with_stress(u32::from(a % 2))),
            _ => {
                let path = self.heap.path_from_roots([cells.0], cells.1);
                match (path, self.expected(cells.1)) {
                    (path, Err(error)) => assert_eq!(path, Err(error)),
                    (Ok(path), Ok(())) => self.check_path(path.as_deref(), cells.0, cells.1),
                    (Err(error), _) => self.no_room(error),
                }
            }
        }
    }

    /// A path is there if there is one; it begins and ends where it should, and
    /// each step is an edge.
    fn check_path(&self, path: Option<&[Cell]>, root: Cell, object: Cell) {
        let mut roots = vec![root];
        roots.extend(self.pins.keys().map(|&bits| abi::cell(bits).unwrap()));
        let reached = self.reach(&roots, |_| true).contains(&abi::bits(object));
        assert_eq!(path.is_some(), reached);
        let Some(path) = path else { return };
        assert!(roots.contains(&path[0]) && path.last() == Some(&object));
        for step in path.windows(2) {
            assert!(self.live[&abi::bits(step[0])].body.cells().contains(&step[1]));
        }
    }
}

type Op = (u8, u16, u16, u16);

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn everybody_lives_as_long_as_the_model_says(
        seed: u64,
        program in prop::collection::vec((0..100_u8, any::<u16>(), any::<u16>(), any::<u16>()), 1..120),
    ) {
        let mut world = World::new(seed);
        tally::program(program.len());
        for op in program {
            world.step(op);
            world.check();
        }
    }
}

/// Regions are closed by the heap that opened them, though those of two heaps
/// have the same depth and number.
#[test]
fn a_region_of_another_heap_ends_nothing() {
    let [mut heap, mut other] = [1, 2].map(|seed| Heap::with(Settings::seeded(seed)));
    let (region, foreign) = (heap.open_region().unwrap(), other.open_region().unwrap());
    let list = heap.alloc(List::of(&[])).unwrap();
    let none = [Cell::NULL; 0];
    assert_eq!(heap.close_region(foreign, none), Err(Error::RegionClosed));
    assert!(heap.contains(list));
    assert_eq!(heap.close_region(region, none), Ok(1));
}

/// Every kind that holds cells keeps them alive, and takes them along.
#[test]
fn holders_keep_what_they_hold() {
    fn map(heap: &mut Heap, key: Cell, value: Cell) -> Cell {
        let map = heap.alloc(Map::new()).unwrap();
        heap.get_mut(map).unwrap().insert(key, value).unwrap();
        map.cell()
    }
    let holders: [fn(&mut Heap, Cell) -> Cell; 8] = [
        |heap, cell| heap.alloc(List::of(&[1.into(), cell])).unwrap().cell(),
        |heap, cell| map(heap, cell, Cell::NULL),
        |heap, cell| map(heap, Cell::NULL, cell),
        |heap, cell| {
            let set = heap.alloc(Set::new()).unwrap();
            heap.get_mut(set).unwrap().insert(cell).unwrap();
            set.cell()
        },
        |heap, cell| heap.alloc(Struct::of(1, &[1.into(), cell])).unwrap().cell(),
        |heap, cell| heap.alloc(Closure::of(1, &[1.into(), cell])).unwrap().cell(),
        |heap, cell| heap.alloc(Pair::of(cell, Cell::NULL)).unwrap().cell(),
        |heap, cell| heap.alloc(Pair::of(Cell::NULL, cell)).unwrap().cell(),
    ];
    for holder in holders {
        let [mut heap, mut other] = [1, 2].map(|seed| Heap::with(Settings::seeded(seed)));
        let region = heap.open_region().unwrap();
        let held = heap.alloc(Bytes::of(b"held")).unwrap().cell();
        let root = holder(&mut heap, held);
        assert_eq!(heap.collect([root]).unwrap().live, 2, "{root:?}");
        assert_eq!(heap.close_region(region, [root]), Ok(0), "{root:?}");
        assert!(heap.contains(held), "{root:?}");
        // The copy holds a copy, not the handle.
        other.alloc(Bytes::of(b"another")).unwrap();
        let copy = other.transplant(&heap, root).unwrap();
        let copies: Vec<Cell> = other.edges(copy).unwrap().collect();
        assert_eq!(other.get::<Bytes>(copies[0]).unwrap().as_slice(), b"held", "{root:?}");
        assert_eq!(copies.len(), 1);
    }
}

/// As often as an object was pinned, it has to be unpinned.
#[test]
fn pins_are_counted() {
    let mut heap = Heap::with(Settings::seeded(1));
    let list = heap.alloc(List::of(&[])).unwrap().cell();
    heap.pin(list).unwrap();
    heap.pin(list).unwrap();
    for live in [1, 0] {
        assert!(heap.unpin(list));
        assert_eq!(heap.collect([Cell::NULL]).unwrap().live, live);
    }
    assert!(!heap.unpin(list));
}
