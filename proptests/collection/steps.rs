//! Random programs of a VM that collects in steps, young objects, or everything, between
//! any two instructions. A model knows what each object holds: what the registers reach is
//! there, what was freed is stale, and nothing unreachable is left in the end.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use segheap::{
    Cell, Closure, Heap, Kind, List, Map, Pair, Policy, RangeHint, Region, Settings, Struct,
};

use crate::support::config;

const REGISTERS: usize = 6;
/// Cells of a list that is scanned in parts.
const LARGE: usize = 5_000;

/// Often, something is due.
const SHORT: Policy =
    Policy::DEFAULT.with_bytes_min(4 << 10).with_young_bytes(1 << 10).with_step_bytes(256);

/// An object of the model.
#[derive(Clone, Debug)]
struct Node {
    /// Its cells; of a map, the values of the keys from 0 on.
    cells: Vec<Cell>,
    /// Whether it has survived a collection.
    old: bool,
    /// How many regions were open when it was allocated.
    depth: usize,
}

struct Vm {
    heap: Heap,
    nodes: HashMap<Cell, Node>,
    registers: [Cell; REGISTERS],
    pins: Vec<Cell>,
    regions: Vec<Region>,
    /// Handles that keep nothing alive.
    weak: Vec<Cell>,
    freed: HashSet<Cell>,
    /// Hints that outlive collections.
    hints: HashMap<Cell, RangeHint<List>>,
    /// Whether a cycle is under way.
    under_way: bool,
    /// Whether growth is made to fail.
    starved: bool,
}

type Op = (u8, u8, u8, u16);

impl Vm {
    fn new(seed: u64) -> Vm {
        let mut heap = Heap::with(Settings::seeded(seed));
        heap.set_policy(SHORT);
        Vm {
            heap,
            nodes: HashMap::new(),
            registers: [Cell::NULL; REGISTERS],
            pins: Vec::new(),
            regions: Vec::new(),
            weak: Vec::new(),
            freed: HashSet::new(),
            hints: HashMap::new(),
            under_way: false,
            starved: false,
        }
    }

    fn roots(&self) -> impl Iterator<Item = Cell> + use<> {
        self.registers.into_iter()
    }

    /// The objects that some cells reach.
    fn reach(&self, cells: impl IntoIterator<Item = Cell>) -> HashSet<Cell> {
        let mut work: Vec<Cell> = cells.into_iter().collect();
        let mut reached = HashSet::new();
        while let Some(cell) = work.pop() {
            if let Some(node) = self.nodes.get(&cell)
                && reached.insert(cell)
            {
                work.extend(&node.cells);
            }
        }
        reached
    }

    fn reachable(&self) -> HashSet<Cell> {
        self.reach(self.roots().chain(self.pins.iter().copied()))
    }

    fn register(&self, n: u8) -> Cell {
        self.registers[usize::from(n) % REGISTERS]
    }

    fn alloc(&mut self, kind: u8, to: u8, n: u16) {
        let len = match kind % 6 {
            0 => 2,
            5 if n.is_multiple_of(2) => LARGE,
            5 => LARGE / 2,
            _ => 1 + usize::from(n) % 7,
        };
        let mut cells = vec![Cell::NULL; len];
        // Of a large one, the last cells as well.
        for at in (0..len).filter(|&at| at < 4 || at + 4 >= len) {
            cells[at] = self.register((usize::from(n) + at * 5) as u8);
        }
        let heap = &mut self.heap;
        let is_map = kind % 6 == 3 || len == LARGE / 2;
        let made = match kind % 6 {
            _ if is_map => heap.alloc(Map::with_capacity(len)).map(Cell::from),
            0 => heap.alloc(Pair::of(cells[0], cells[1])).map(Cell::from),
            1 => heap.alloc(Struct::of(3, &cells)).map(Cell::from),
            2 => heap.alloc(Closure::of(3, &cells)).map(Cell::from),
            _ => heap.alloc(List::of(&cells)).map(Cell::from),
        };
        let Ok(cell) = made else {
            assert!(self.starved);
            return;
        };
        if is_map {
            for (key, &value) in cells.iter().enumerate() {
                heap.map_insert(cell, (key as i32).into(), value).unwrap();
            }
        }
        let node = Node { cells, old: false, depth: self.regions.len() };
        assert!(!self.freed.contains(&cell), "a handle came alive again");
        assert!(self.nodes.insert(cell, node).is_none());
        self.registers[usize::from(to) % REGISTERS] = cell;
        if self.weak.len() < 200 {
            self.weak.push(cell);
        }
    }

    /// Writes a cell into the object in a register by one of the ways to do that.
    fn write(&mut self, way: u8, object: u8, value: u8, n: u16) {
        let (object, value) = (self.register(object), self.register(value));
        let Some(node) = self.nodes.get_mut(&object) else { return };
        let at = usize::from(n) % node.cells.len();
        node.cells[at] = value;
        let heap = &mut self.heap;
        match object.kind() {
            Some(Kind::PAIR) => write_to::<Pair>(heap, way, object, at, value),
            Some(Kind::STRUCT) if way.is_multiple_of(3) => {
                let mut record = heap.get_mut::<Struct>(object).unwrap();
                match record.push_field(value, u32::from(n)) {
                    // It has one field more, of the value, and keeps the others.
                    Ok(()) => {
                        node.cells.push(value);
                        node.cells[at] = record.view().get(at).unwrap();
                    }
                    Err(_) => record.set(at, value).unwrap(),
                }
                record.set_shape(3).unwrap();
            }
            Some(Kind::STRUCT) => write_to::<Struct>(heap, way, object, at, value),
            Some(Kind::CLOSURE) => write_to::<Closure>(heap, way, object, at, value),
            Some(Kind::LIST) if way % 10 > 6 => {
                // Pushed, and moved to its place.
                let mut list = heap.get_mut::<List>(object).unwrap();
                if way % 10 == 7 && list.push(value).is_ok() {
                    list.pop().unwrap();
                    list.set(at, value).unwrap();
                } else if list.reserve(1).is_err() {
                    list.set(at, value).unwrap();
                } else if way % 20 < 10 {
                    list.remove(at).unwrap();
                    list.insert(at, value).unwrap();
                } else {
                    // The elements move through the block, or the block through memory.
                    let first = list.pop_front().unwrap().unwrap();
                    list.push(first).unwrap();
                    list.rotate_right(1).unwrap();
                    list.set(at, value).unwrap();
                }
            }
            Some(Kind::LIST) if way % 10 == 5 => {
                let made = || heap.hint(object.to_handle::<List>().unwrap(), ..).unwrap();
                let hint = self.hints.entry(object).or_insert_with(made);
                hint.set(&mut self.heap, at, value).unwrap();
            }
            Some(Kind::LIST) if way % 20 == 6 => {
                // By a copy from another list; without memory for that, as usual.
                match heap.alloc(List::of(&[value])) {
                    Ok(from) => {
                        let to = object.to_handle::<List>().unwrap();
                        heap.copy_across(to, at, from, ..).unwrap();
                        heap.free(from).unwrap();
                    }
                    Err(_) => heap.set_element::<List>(object, at, value).unwrap(),
                }
            }
            Some(Kind::LIST) => write_to::<List>(heap, way, object, at, value),
            _ if way.is_multiple_of(2) => {
                heap.map_insert(object, (at as i32).into(), value).unwrap();
            }
            _ => {
                let mut map = heap.get_mut::<Map>(object).unwrap();
                map.insert((at as i32).into(), value).unwrap();
            }
        }
    }

    fn load(&mut self, to: u8, from: u8, n: u16) {
        if let Some(node) = self.nodes.get(&self.register(from)) {
            let cell = node.cells[usize::from(n) % node.cells.len()];
            // What was freed may not be used again as if it had not.
            let usable = cell.kind().is_none() || self.nodes.contains_key(&cell);
            self.registers[usize::from(to) % REGISTERS] = if usable { cell } else { Cell::NULL };
        }
    }

    /// Takes out of the model what a collection freed, none of which may be in `kept`.
    fn absorb(&mut self, kept: &HashSet<Cell>) {
        let dead: Vec<Cell> =
            self.nodes.keys().copied().filter(|&cell| !self.heap.contains(cell)).collect();
        for cell in dead {
            assert!(!kept.contains(&cell), "{cell:?} was reachable, and is freed");
            self.nodes.remove(&cell);
            self.freed.insert(cell);
            self.pins.retain(|&pinned| pinned != cell || self.heap.unpin(pinned));
        }
        self.pins.retain(|pinned| self.nodes.contains_key(pinned));
    }

    fn grow_old(&mut self) {
        self.nodes.values_mut().for_each(|node| node.old = true);
    }

    fn collect(&mut self, how: u8, work: u64) {
        let kept = self.reachable();
        let roots: Vec<Cell> = self.roots().collect();
        let is_due = how % 4 != 2 || self.heap.has_debt();
        match how % 4 {
            0 => {
                self.under_way = !self.heap.step(roots, work).unwrap().finished;
                self.absorb(&kept);
            }
            1 => {
                let old = self.nodes.iter().filter(|(_, node)| node.old).map(|(cell, _)| *cell);
                let spared = self.reach(old.chain(kept.iter().copied()));
                self.heap.collect_young(roots).unwrap();
                self.absorb(&kept);
                if !self.under_way {
                    let left = self.nodes.iter().find(|(cell, _)| !spared.contains(cell));
                    assert!(left.is_none(), "a young object is garbage, and not freed");
                }
                self.under_way = false;
            }
            2 => {
                self.under_way = !self.heap.collect_debt(roots).unwrap().finished;
                self.absorb(&kept);
            }
            _ => {
                let done = self.heap.collect(roots).unwrap();
                self.under_way = false;
                self.absorb(&kept);
                assert_eq!(done.live, kept.len() as u64);
            }
        }
        if !self.under_way && is_due {
            self.grow_old();
        }
    }

    fn run(&mut self, (op, a, b, n): Op) {
        match op {
            0..20 => self.alloc(a % 5, b, n),
            20 if a < 64 => self.alloc(5, b, n),
            20 => self.alloc(a % 5, b, n),
            21..45 => self.write(a, b, b >> 4, n),
            45..55 => self.load(a, b, n),
            55..62 => self.registers[usize::from(a) % REGISTERS] = Cell::NULL,
            62..80 => self.collect(0, 1 << (n % 16)),
            80..86 => self.collect(1, 0),
            86..88 => self.collect(2, 0),
            88 => self.collect(3, 0),
            89..92 if !self.weak.is_empty() => {
                let cell = self.weak[usize::from(n) % self.weak.len()];
                let upgraded = self.heap.upgrade(cell);
                assert_eq!(upgraded.is_some(), self.nodes.contains_key(&cell));
                self.registers[usize::from(a) % REGISTERS] = upgraded.unwrap_or_default();
            }
            92 => {
                let cell = self.register(a);
                if self.nodes.remove(&cell).is_some() {
                    self.heap.free(cell).unwrap();
                    self.freed.insert(cell);
                    self.absorb(&HashSet::new());
                    self.registers.iter_mut().filter(|c| **c == cell).for_each(|c| *c = Cell::NULL);
                }
            }
            93 => {
                let cell = self.register(a);
                if self.nodes.contains_key(&cell) && self.pins.len() < 3 && !self.starved {
                    self.heap.pin(cell).unwrap();
                    self.pins.push(cell);
                    // The next young collection scans it, pinned or not by then.
                    let node = self.nodes.get_mut(&cell);
                    node.expect("it is live").old = true;
                }
            }
            94 => {
                if let Some(pinned) = self.pins.pop() {
                    assert!(self.heap.unpin(pinned));
                }
            }
            95 if self.regions.len() < 3 && !self.starved => {
                self.regions.push(self.heap.open_region().unwrap());
            }
            96 => self.close_region(),
            97 if !self.starved && a < 24 => {
                // New groups of states.
                let garbage = || Pair::of(Cell::NULL, Cell::NULL);
                (0..n % 3_000).for_each(|_| assert!(self.heap.alloc(garbage()).is_ok()));
            }
            98 => {
                self.starved = !self.starved;
                self.heap.fail_growth_after(self.starved.then_some(u64::from(a) % 3));
            }
            _ if a.is_multiple_of(4) => self.heap.compact(),
            _ => drop(self.heap.compact_step(n.into()).unwrap()),
        }
    }

    fn close_region(&mut self) {
        let Some(region) = self.regions.pop() else { return };
        let depth = self.regions.len();
        self.heap.close_region(region, self.roots()).unwrap();
        let outer: HashSet<Cell> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.depth <= depth)
            .map(|(cell, _)| *cell)
            .collect();
        self.absorb(&outer);
        self.nodes.values_mut().for_each(|node| node.depth = node.depth.min(depth));
        let usable = |cell: &Cell| cell.kind().is_none() || self.nodes.contains_key(cell);
        assert!(self.registers.iter().all(usable), "what was kept is there");
    }

    /// Compares what is reachable with the heap.
    fn check(&mut self) {
        self.heap.verify().unwrap();
        for cell in self.reachable() {
            let expected = &self.nodes[&cell].cells;
            let heap = &self.heap;
            let same = match cell.kind() {
                Some(Kind::PAIR) => heap.get::<Pair>(cell).unwrap().as_slice() == expected,
                Some(Kind::STRUCT) => heap.get::<Struct>(cell).unwrap().as_slice() == expected,
                Some(Kind::CLOSURE) => heap.get::<Closure>(cell).unwrap().as_slice() == expected,
                Some(Kind::LIST) => heap.get::<List>(cell).unwrap().as_slice() == expected,
                _ => heap
                    .get::<Map>(cell)
                    .unwrap()
                    .iter()
                    .map(|entry| entry.1)
                    .eq(expected.iter().copied()),
            };
            assert!(same, "{cell:?}");
        }
        assert!(self.freed.iter().all(|&cell| !self.heap.contains(cell)));
    }
}

/// Writes a cell by one of the ways that all sequences of cells have.
fn write_to<K>(heap: &mut Heap, way: u8, object: Cell, at: usize, value: Cell)
where
    K: segheap::Mutable<Element = Cell>,
{
    let typed = object.to_handle::<K>().unwrap();
    match way % 10 {
        0 => heap.set_element(typed, at, value).unwrap(),
        1 => heap.update_element(typed, at, |_| value).unwrap(),
        2 => heap.get_mut(typed).unwrap().set(at, value).unwrap(),
        3 => heap.get_mut(typed).unwrap().as_mut_slice()[at] = value,
        4 => heap.window_mut(typed, at..).unwrap()[0] = value,
        6 => heap.windows_mut(((typed, at..),)).unwrap().0[0] = value,
        5 => {
            let mut hint = heap.hint(typed, ..).unwrap();
            hint.set(heap, at, value).unwrap();
        }
        _ => heap.get_mut(typed).unwrap().fill(at..=at, value).unwrap(),
    }
}

proptest! {
    #![proptest_config(config(160))]
    /// In all orders of steps, young and whole collections, between any two instructions.
    #[test]
    fn what_is_reachable_stays(
        seed: u64,
        program in prop::collection::vec((0..100_u8, any::<u8>(), any::<u8>(), any::<u16>()), 1..300),
    ) {
        let mut vm = Vm::new(seed);
        for &op in &program {
            vm.run(op);
            // Large heaps less often.
            if op.0 >= 60 || vm.heap.usage().live() < 300 || op.3 % 8 == 0 {
                vm.check();
            }
        }
        vm.heap.fail_growth_after(None);
        vm.starved = false;
        // A cycle frees what was garbage when it began.
        for _ in 0..2 {
            let mut steps = 0;
            while { vm.collect(0, 1 << 12); vm.under_way } {
                steps += 1;
                assert!(steps < 10_000, "a cycle ends");
            }
            vm.check();
        }
        prop_assert_eq!(vm.heap.usage().live(), vm.reachable().len() as u64);
    }
}

fn pair(heap: &mut Heap, first: Cell) -> Cell {
    heap.alloc(Pair::of(first, Cell::NULL)).unwrap().cell()
}

/// Steps to the end of the cycle under way or, if there is none, of another.
fn finish(heap: &mut Heap, roots: &[Cell]) {
    for _ in 0..100_000 {
        if heap.step(roots.iter().copied(), 1 << 10).unwrap().finished {
            return;
        }
    }
    panic!("a cycle ends");
}

/// Old objects that were written are known after the tables of slots have grown.
#[test]
fn written_objects_stay_known_while_slots_grow() {
    let mut heap = Heap::with(Settings::seeded(5));
    let old: Vec<Cell> = (0..2_000).map(|_| pair(&mut heap, Cell::NULL)).collect();
    heap.collect_young(old.iter().copied()).unwrap();
    let young = heap.alloc(List::of(&[])).unwrap().cell();
    heap.set_element::<Pair>(old[1_000], 0, young).unwrap();
    for _ in 0..20_000 {
        pair(&mut heap, Cell::NULL);
    }
    heap.verify().unwrap();
    assert_eq!(heap.collect_young([Cell::NULL]).unwrap().freed, 20_000);
    assert!(heap.contains(young));
}

/// Where memory for states is refused, whatever a cycle does at that time, it ends, and
/// frees what it should and nothing else.
#[test]
fn memory_for_states_may_be_refused() {
    for work in [64, 1 << 12, 1 << 15, 1 << 17] {
        for growths in 0..12 {
            let mut heap = Heap::with(Settings::seeded(5));
            let mut root = pair(&mut heap, Cell::NULL);
            for _ in 0..2_030 {
                root = pair(&mut heap, root);
            }
            let garbage = heap.alloc(List::of(&[root])).unwrap().cell();
            heap.step([root], work).unwrap();
            let was_found = !heap.contains(garbage);
            heap.fail_growth_after(Some(growths));
            while let Ok(made) = heap.alloc(Pair::of(root, Cell::NULL)) {
                root = made.cell();
            }
            heap.verify().unwrap();
            assert!(!(was_found && heap.contains(garbage)), "garbage came alive again");
            let live = heap.usage().live() - u64::from(heap.contains(garbage) || was_found);
            finish(&mut heap, &[root]);
            finish(&mut heap, &[root]);
            assert!(!heap.contains(garbage) && heap.contains(root));
            assert_eq!(heap.usage().live(), heap.collect([root]).unwrap().live);
            assert!(heap.usage().live() >= live.min(2_031), "{work} {growths}");
            heap.verify().unwrap();
        }
    }
}

/// A cycle ends when the heap is cleared.
#[test]
fn a_heap_is_cleared_in_the_middle_of_a_cycle() {
    for work in [64, 1 << 12, 1 << 15, 1 << 16, 1 << 17] {
        let mut heap = Heap::with(Settings::seeded(5));
        let mut root = Cell::NULL;
        for _ in 0..3_000 {
            root = pair(&mut heap, root);
            pair(&mut heap, Cell::NULL);
        }
        heap.step([root], work).unwrap();
        heap.clear();
        let kept = pair(&mut heap, Cell::NULL);
        let root = pair(&mut heap, kept);
        pair(&mut heap, kept);
        assert!(heap.contains(kept) && heap.contains(root));
        finish(&mut heap, &[root]);
        assert_eq!(heap.usage().live(), 2);
        heap.verify().unwrap();
    }
}

/// A step does no more work than it may, but for a part of an object and the roots.
#[test]
fn steps_are_bounded() {
    let mut heap = Heap::with(Settings::seeded(5));
    let mut lists = Vec::new();
    for n in 0..3_000 {
        let cells: Vec<Cell> = (0..n % 90).map(|_| pair(&mut heap, Cell::NULL)).collect();
        lists.push(heap.alloc(List::of(&cells)).unwrap().cell());
    }
    let large = heap.alloc(List::of(&lists)).unwrap().cell();
    let root = heap.alloc(List::of(&vec![large; 100_000])).unwrap().cell();
    for work in [1, 1 << 8, 1 << 12, 1 << 16] {
        for _ in 0..20_000 {
            pair(&mut heap, Cell::NULL);
        }
        let mut steps = 0_u64;
        loop {
            let step = heap.step([root], work).unwrap();
            steps += 1;
            assert!(step.freed <= work / 16 + 32, "{} freed by {work}", step.freed);
            assert!(step.work <= 2 * work + 40_000, "{} of {work}", step.work);
            if step.finished {
                break;
            }
        }
        assert!(steps > 1);
    }
    assert_eq!(heap.usage().live(), heap.collect([root]).unwrap().live);
}
