//! Random programs with weak maps and sets, with collections of all sorts between any two
//! instructions, callbacks that rescue, and growth refused at times. The model finds what is
//! reachable by going through all entries until nothing more is.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use segheap::{
    Cell, Error, Heap, Kind, List, Map, MarkReader, Pair, Policy, Region, Set, Settings,
};

use crate::support::config;

const REGISTERS: usize = 6;
/// Entries of a map that is scanned in parts.
const LARGE: i32 = 2_100;

/// Often, something is due.
const SHORT: Policy =
    Policy::DEFAULT.with_bytes_min(4 << 10).with_young_bytes(1 << 10).with_step_bytes(256);

#[derive(Clone, Debug)]
enum Content {
    Cells(Vec<Cell>),
    Text,
    /// The entries of a weak table; of a set, null is their value.
    Weak(Vec<(Cell, Cell)>),
}

#[derive(Clone, Debug)]
struct Node {
    content: Content,
    old: bool,
    /// How many regions were open when it was allocated.
    depth: usize,
    /// Whether entries may be held that are not by the rules: of a table scanned in parts.
    is_large: bool,
}

struct Vm {
    seed: u64,
    heap: Heap,
    nodes: HashMap<Cell, Node>,
    registers: [Cell; REGISTERS],
    pins: Vec<Cell>,
    regions: Vec<Region>,
    /// Handles that keep nothing alive.
    weak: Vec<Cell>,
    /// Objects that have a finalizer.
    finalizable: Vec<Cell>,
    under_way: bool,
    starved: bool,
}

type Op = (u8, u8, u8, u16);

fn has_identity(key: Cell) -> bool {
    key.kind().is_some_and(|kind| kind != Kind::STR)
}

/// What some cells reach in a model. With `all`, every entry of a table is held.
fn reach(
    nodes: &HashMap<Cell, Node>,
    from: impl IntoIterator<Item = Cell>,
    all: bool,
) -> HashSet<Cell> {
    let mut reached = HashSet::new();
    let mut work: Vec<Cell> = from.into_iter().collect();
    loop {
        while let Some(cell) = work.pop() {
            if let Some(node) = nodes.get(&cell)
                && reached.insert(cell)
                && let Content::Cells(cells) = &node.content
            {
                work.extend(cells);
            }
        }
        for table in &reached {
            let Content::Weak(entries) = &nodes[table].content else { continue };
            for &(key, value) in entries {
                if all || !has_identity(key) || reached.contains(&key) {
                    work.extend([key, value]);
                }
            }
        }
        work.retain(|cell| nodes.contains_key(cell) && !reached.contains(cell));
        if work.is_empty() {
            return reached;
        }
    }
}

impl Vm {
    fn new(seed: u64) -> Vm {
        let mut heap = Heap::with(Settings::seeded(seed));
        heap.set_policy(SHORT);
        Vm {
            seed,
            heap,
            nodes: HashMap::new(),
            registers: [Cell::NULL; REGISTERS],
            pins: Vec::new(),
            regions: Vec::new(),
            weak: Vec::new(),
            finalizable: Vec::new(),
            under_way: false,
            starved: false,
        }
    }

    fn register(&self, n: u8) -> Cell {
        self.registers[usize::from(n) % REGISTERS]
    }

    fn set_register(&mut self, n: u8, cell: Cell) {
        let usable = cell.kind().is_none() || self.nodes.contains_key(&cell);
        self.registers[usize::from(n) % REGISTERS] = if usable { cell } else { Cell::NULL };
    }

    fn roots(&self) -> Vec<Cell> {
        self.registers.iter().chain(&self.pins).copied().collect()
    }

    fn alloc(&mut self, kind: u8, to: u8, n: u16) {
        let heap = &mut self.heap;
        let cells: Vec<Cell> =
            (0..2).map(|at| self.registers[(usize::from(n) + at * 5) % REGISTERS]).collect();
        let made = match kind % 6 {
            0 | 1 => heap.alloc(Pair::of(cells[0], cells[1])).map(Cell::from),
            2 => heap.alloc(List::of(&cells)).map(Cell::from),
            3 => heap.string("a text of some length"),
            4 if n.is_multiple_of(3) => heap.alloc(Set::new().weak()).map(Cell::from),
            _ => heap.alloc(Map::new().weak()).map(Cell::from),
        };
        let Ok(cell) = made else {
            assert!(self.starved);
            return;
        };
        let content = match cell.kind() {
            Some(Kind::STR) => Content::Text,
            Some(Kind::MAP | Kind::SET) => Content::Weak(Vec::new()),
            _ => Content::Cells(cells),
        };
        let node = Node { content, old: false, depth: self.regions.len(), is_large: false };
        assert!(self.nodes.insert(cell, node).is_none(), "a handle came alive again");
        self.set_register(to, cell);
        if self.weak.len() < 200 {
            self.weak.push(cell);
        }
        if n.is_multiple_of(4) {
            self.finalizable.push(cell);
        }
    }

    fn write(&mut self, object: u8, value: u8, n: u16) {
        let (object, value) = (self.register(object), self.register(value));
        let Some(Node { content: Content::Cells(cells), .. }) = self.nodes.get_mut(&object) else {
            return;
        };
        let at = usize::from(n) % 2;
        cells[at] = value;
        match object.kind() {
            Some(Kind::PAIR) => self.heap.set_element::<Pair>(object, at, value).unwrap(),
            _ => self.heap.set_element::<List>(object, at, value).unwrap(),
        }
    }

    /// A key: of a register, by value, or one that may have been freed.
    fn key(&self, n: u16) -> Cell {
        match n % 8 {
            0 => i32::from(n / 8 % 16).into(),
            1 if !self.weak.is_empty() => self.weak[usize::from(n / 8) % self.weak.len()],
            _ => self.register((n / 8).to_le_bytes()[0]),
        }
    }

    fn insert(&mut self, table: u8, value: u8, n: u16) {
        let (table, key, value) = (self.register(table), self.key(n), self.register(value));
        let is_usable = key.kind().is_none() || self.nodes.contains_key(&key);
        // Texts of one content are one key, unless they were freed.
        let is_text = |cell: Cell| cell.kind() == Some(Kind::STR) && self.nodes.contains_key(&cell);
        let Some(Node { content: Content::Weak(entries), .. }) = self.nodes.get(&table) else {
            return;
        };
        let at = entries.iter().position(|(k, _)| *k == key || is_text(*k) && is_text(key));
        let Some(Node { content: Content::Weak(entries), .. }) = self.nodes.get_mut(&table) else {
            return;
        };
        let is_map = table.kind() == Some(Kind::MAP);
        let value = if is_map { value } else { Cell::NULL };
        let inserted = if is_map {
            self.heap.map_insert(table, key, value).map(|old| old.is_none())
        } else {
            self.heap.get_mut::<Set>(table).unwrap().insert(key)
        };
        match inserted {
            Ok(is_new) => {
                assert!(is_usable && is_new == at.is_none(), "{key:?} {at:?}");
                match at {
                    Some(at) => entries[at].1 = value,
                    None => entries.push((key, value)),
                }
            }
            Err(Error::Stale { .. }) => assert!(!is_usable),
            Err(_) => assert!(self.starved && at.is_none()),
        }
    }

    fn remove(&mut self, table: u8, n: u16) {
        let (table, key) = (self.register(table), self.key(n));
        let Some(Node { content: Content::Weak(entries), .. }) = self.nodes.get_mut(&table) else {
            return;
        };
        if table.kind() != Some(Kind::MAP) || key.kind() == Some(Kind::STR) {
            return;
        }
        let at = entries.iter().position(|entry| entry.0 == key);
        let removed = self.heap.get_mut::<Map>(table).unwrap().remove(key);
        if let Ok(removed) = removed {
            assert_eq!(removed, at.map(|at| entries.remove(at)));
        } else {
            assert!(!self.nodes.contains_key(&key));
        }
    }

    fn look_up(&mut self, to: u8, table: u8, n: u16) {
        let (table, key) = (self.register(table), self.key(n));
        let Some(Node { content: Content::Weak(entries), .. }) = self.nodes.get(&table) else {
            return;
        };
        if table.kind() != Some(Kind::MAP) || key.kind() == Some(Kind::STR) {
            return;
        }
        let expected = entries.iter().find(|entry| entry.0 == key).map(|entry| entry.1);
        let is_usable = key.kind().is_none() || self.nodes.contains_key(&key);
        match self.heap.map_get(table, key) {
            Ok(found) => {
                assert!(is_usable, "{key:?} is garbage, and found");
                assert_eq!(found, expected);
                self.set_register(to, found.unwrap_or_default());
            }
            Err(_) => assert!(!is_usable),
        }
    }

    fn load(&mut self, to: u8, from: u8, n: u16) {
        if let Some(Node { content: Content::Cells(cells), .. }) =
            self.nodes.get(&self.register(from))
        {
            self.set_register(to, cells[usize::from(n) % 2]);
        }
    }

    /// Takes out of the model what was freed, none of which may be in `kept`.
    fn absorb(&mut self, kept: &HashSet<Cell>) {
        let heap = &self.heap;
        let mut freed = HashSet::new();
        self.nodes.retain(|&cell, _| {
            let is_live = heap.contains(cell);
            assert!(is_live || !kept.contains(&cell), "{cell:?} was reachable, and is freed");
            is_live || !freed.insert(cell)
        });
        for node in self.nodes.values_mut() {
            if let Content::Weak(entries) = &mut node.content {
                entries.retain(|(key, _)| !has_identity(*key) || !freed.contains(key));
            }
        }
        self.pins.retain(|pinned| self.nodes.contains_key(pinned));
        self.finalizable.retain(|cell| self.nodes.contains_key(cell));
        self.registers
            .iter_mut()
            .filter(|cell| freed.contains(cell))
            .for_each(|cell| *cell = Cell::NULL);
    }

    /// Collects, with a callback that rescues some objects that have finalizers, which the
    /// registers hold afterwards.
    fn collect(&mut self, how: u8, n: u16) {
        let roots = self.roots();
        let mut kept = reach(&self.nodes, roots.iter().copied(), false);
        let old = self.nodes.iter().filter(|(_, node)| node.old).map(|(cell, _)| *cell);
        let spared = reach(&self.nodes, old.chain(roots.iter().copied()), false);
        let is_exact = !self.nodes.values().any(|node| node.is_large);
        let (is_young, is_whole) = (how == 1 && !self.under_way, how == 3);
        let (mut rescued, mut called) = (Vec::new(), false);
        let finalizable = self.finalizable.clone();
        let notice = |reader: &mut MarkReader<'_>| {
            called = true;
            for &cell in self.nodes.keys() {
                let is_marked = reader.is_marked(cell);
                assert!(is_marked || !kept.contains(&cell), "{cell:?} is reachable");
                if is_whole {
                    assert_eq!(is_marked, kept.contains(&cell), "{cell:?}");
                } else if is_young && is_exact {
                    assert!(!is_marked || spared.contains(&cell), "{cell:?}");
                }
            }
            let some =
                finalizable.iter().enumerate().filter(|(at, _)| (at + usize::from(n)) % 3 == 0);
            rescued.extend(some.map(|(_, &cell)| cell).filter(|&cell| reader.rescue(cell)));
        };
        let is_due = how != 2 || self.heap.has_debt();
        let registers = self.registers;
        let done = match how {
            0 => {
                let step = self.heap.step_with(registers, 1 << (n % 16), notice).unwrap();
                self.under_way = !step.finished;
                None
            }
            1 => Some(self.heap.collect_young_with(registers, notice).unwrap()),
            2 => {
                self.under_way = !self.heap.collect_debt_with(registers, notice).unwrap().finished;
                None
            }
            _ => Some(self.heap.collect_with(registers, notice).unwrap()),
        };
        self.under_way &= done.is_none();
        kept.extend(reach(&self.nodes, roots.into_iter().chain(rescued.iter().copied()), false));
        self.finalizable.retain(|cell| !rescued.contains(cell));
        self.absorb(&kept);
        for (register, cell) in self.registers.iter_mut().zip(rescued) {
            *register = cell;
        }
        if is_whole {
            assert!(called);
            assert_eq!(done.unwrap().live, kept.len() as u64);
            self.compare(true);
        }
        if !self.under_way && is_due {
            self.nodes.values_mut().for_each(|node| node.old = true);
        }
    }

    /// Compares entries with the heap; the number of them if no entry of a freed key is left.
    fn compare(&mut self, is_exact: bool) {
        self.heap.verify().unwrap();
        for (&table, node) in &self.nodes {
            let Content::Weak(entries) = &node.content else { continue };
            let (found, len): (Vec<(Cell, Cell)>, usize) = if table.kind() == Some(Kind::MAP) {
                let map = self.heap.get::<Map>(table).unwrap();
                assert!(map.is_weak());
                (map.iter().collect(), map.len())
            } else {
                let set = self.heap.get::<Set>(table).unwrap();
                assert!(set.is_weak());
                (set.iter().map(|key| (key, Cell::NULL)).collect(), set.len())
            };
            let is_live =
                |(key, _): &(Cell, Cell)| key.kind().is_none() || self.heap.contains(*key);
            let found: Vec<_> = found.into_iter().filter(is_live).collect();
            // Texts that the host has freed stay, as in any table.
            let expected: Vec<_> = entries.iter().copied().filter(is_live).collect();
            assert_eq!(found, expected, "{table:?}");
            assert!(!is_exact || len == entries.len(), "entries of freed keys are left");
        }
    }

    fn close_region(&mut self) {
        let Some(region) = self.regions.pop() else { return };
        let depth = self.regions.len();
        self.heap.close_region(region, self.registers).unwrap();
        let outer = self.nodes.iter().filter(|(_, node)| node.depth <= depth);
        let outer: HashSet<Cell> = outer.map(|(cell, _)| *cell).collect();
        self.absorb(&outer);
        self.nodes.values_mut().for_each(|node| node.depth = node.depth.min(depth));
    }

    /// Fills a map with so many integers that it is scanned in parts.
    fn enlarge(&mut self, table: u8) {
        let table = self.register(table);
        let Some(node) = self.nodes.get_mut(&table) else { return };
        let Content::Weak(entries) = &mut node.content else { return };
        if self.starved || node.is_large || table.kind() != Some(Kind::MAP) {
            return;
        }
        node.is_large = true;
        for n in 1_000..1_000 + LARGE {
            self.heap.map_insert(table, n.into(), Cell::TRUE).unwrap();
            entries.push((n.into(), Cell::TRUE));
        }
    }

    fn run(&mut self, (op, a, b, n): Op) {
        match op {
            0..22 => self.alloc(a, b, n),
            22..30 => self.write(a, b, n),
            30..52 => self.insert(a, b, n),
            52..54 => self.remove(a, n),
            54..59 => self.look_up(a, b, n),
            59..62 => self.load(a, b, n),
            62..68 => self.set_register(a, Cell::NULL),
            68..82 => self.collect(0, n),
            82..88 => self.collect(1, n),
            88 | 89 => self.collect(2, n),
            90 => self.collect(3, n),
            91 if !self.weak.is_empty() => {
                let cell = self.weak[usize::from(n) % self.weak.len()];
                let upgraded = self.heap.upgrade(cell);
                assert_eq!(upgraded.is_some(), self.nodes.contains_key(&cell));
                self.set_register(a, upgraded.unwrap_or_default());
            }
            92 => {
                let cell = self.register(a);
                if self.nodes.contains_key(&cell) {
                    self.heap.free(cell).unwrap();
                    self.absorb(&HashSet::new());
                }
            }
            93 => {
                let cell = self.register(a);
                if self.nodes.contains_key(&cell) && self.pins.len() < 2 && !self.starved {
                    self.heap.pin(cell).unwrap();
                    self.pins.push(cell);
                    // A pin makes its object one that the next young collection scans.
                    self.nodes.get_mut(&cell).unwrap().old = true;
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
            97 if self.seed.is_multiple_of(4) && a < 64 => self.enlarge(b),
            98 => {
                self.starved = !self.starved;
                self.heap.fail_growth_after(self.starved.then_some(u64::from(a) % 3));
            }
            _ => self.heap.compact(),
        }
    }

    /// After two whole cycles, nothing unreachable is left.
    fn end(mut self) {
        for _ in 0..2 {
            let kept = reach(&self.nodes, self.roots(), false);
            while !self.heap.step(self.registers, 100).unwrap().finished {}
            self.absorb(&kept);
        }
        let kept = reach(&self.nodes, self.roots(), false);
        assert_eq!(self.heap.usage().live(), kept.len() as u64);
        self.compare(true);
    }
}

proptest! {
    #![proptest_config(config(160))]

    /// What registers, pins and entries of reachable keys reach is there; what is not is
    /// freed in the end, and its entries are gone.
    #[test]
    fn entries_are_held_by_their_keys(
        seed: u64,
        ops in prop::collection::vec((0..100_u8, any::<u8>(), any::<u8>(), any::<u16>()), 1..200),
    ) {
        let mut vm = Vm::new(seed);
        for (n, op) in ops.into_iter().enumerate() {
            vm.run(op);
            if (68..91).contains(&op.0) || n % 8 == 0 {
                vm.compare(false);
            }
        }
        vm.end();
    }
}
