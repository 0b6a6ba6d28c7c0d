//! Symbols: of each text there is one that is live, equal as a key to every text with the
//! same content; collections free those that are not reachable, and nothing else does.

use std::collections::HashMap;

use proptest::prelude::*;
use segheap::{Cell, Error, Heap, Limits, List, Map, Region, Settings, Str};

use crate::support::{config, heap};

/// What a program does with the texts of a small set.
#[derive(Clone, Debug)]
enum Op {
    Intern(usize),
    /// From a text in the arena.
    InternText(usize),
    /// An ordinary text.
    String(usize),
    Free(usize),
    Open,
    Close(Vec<usize>),
    Collect(Vec<usize>),
    Recycle(Vec<usize>),
    Young(Vec<usize>),
    Step(Vec<usize>, u64),
    Clear,
    Compact,
    /// Copies a list of these texts to the other heap, and interns them there.
    Transplant(Vec<usize>),
    Fail(Option<u64>),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || any::<usize>();
    let some = || prop::collection::vec(any::<usize>(), 0..10);
    prop_oneof![
        12 => n().prop_map(Op::Intern),
        6 => n().prop_map(Op::InternText),
        4 => n().prop_map(Op::String),
        2 => n().prop_map(Op::Free),
        1 => Just(Op::Open),
        1 => some().prop_map(Op::Close),
        1 => some().prop_map(Op::Collect),
        1 => some().prop_map(Op::Recycle),
        1 => some().prop_map(Op::Young),
        6 => (some(), 1_u64..600).prop_map(|(some, work)| Op::Step(some, work)),
        1 => prop::bool::weighted(0.2).prop_map(|clear| if clear { Op::Clear } else { Op::Open }),
        1 => Just(Op::Compact),
        2 => some().prop_map(Op::Transplant),
        1 => prop::option::of(0_u64..4).prop_map(Op::Fail),
    ]
}

/// Text `n`, beyond what a cell holds.
fn text(n: usize) -> String {
    format!("name {}{}", n % 23, "-".repeat(n % 23))
}

struct Program {
    heap: Heap,
    other: Heap,
    /// The last symbol of each text.
    symbols: HashMap<String, Cell>,
    /// Every cell there was.
    cells: Vec<Cell>,
    regions: Vec<Region>,
    fails: bool,
}

impl Program {
    fn new(seed: u64) -> Program {
        Program {
            heap: heap(seed),
            other: heap(seed ^ 1),
            symbols: HashMap::new(),
            cells: Vec::new(),
            regions: Vec::new(),
            fails: false,
        }
    }

    fn some(&self, some: &[usize]) -> Vec<Cell> {
        let n = self.cells.len();
        some.iter().filter_map(|some| Some(self.cells[some.checked_rem(n)?])).collect()
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Intern(n) => self.intern(*n, |heap, text| heap.intern(text)),
            Op::InternText(n) => {
                let Ok(from) = self.heap.string(&text(*n)) else { return };
                self.intern(*n, |heap, _| heap.intern_text(from));
            }
            Op::String(n) => self.cells.extend(self.heap.string(&text(*n))),
            Op::Free(n) => {
                let cell = self.some(&[*n]).first().copied().unwrap_or(Cell::NULL);
                let is_symbol = self.heap.is_symbol(cell);
                let freed = self.heap.free(cell);
                assert_eq!(freed == Err(Error::Symbol), is_symbol);
            }
            Op::Open => self.regions.extend(self.heap.open_region()),
            Op::Close(some) => {
                let keep = self.some(some);
                if let Some(region) = self.regions.pop() {
                    let before = self.usable();
                    self.heap.close_region(region, keep).unwrap();
                    assert_eq!(self.usable(), before, "a region frees no symbol");
                }
            }
            Op::Collect(some) => drop(self.heap.collect(self.some(some)).map(|_| ())),
            Op::Recycle(some) => {
                let (roots, weak) = (self.some(some), self.cells.clone());
                self.heap.collect_and_recycle(roots, weak).map(|_| ()).unwrap();
            }
            Op::Young(some) => drop(self.heap.collect_young(self.some(some)).map(|_| ())),
            Op::Step(some, work) => drop(self.heap.step(self.some(some), *work).map(|_| ())),
            Op::Clear => self.heap.clear(),
            Op::Compact => self.heap.compact(),
            Op::Transplant(some) => self.transplant(some),
            Op::Fail(growths) => {
                self.heap.fail_growth_after(*growths);
                self.fails = growths.is_some();
            }
        }
    }

    fn intern(&mut self, n: usize, intern: impl Fn(&mut Heap, &str) -> Result<Cell, Error>) {
        let text = text(n);
        let old = self.symbols.get(&text).copied().filter(|&cell| self.heap.contains(cell));
        let before = (self.heap.usage(), self.usable());
        match intern(&mut self.heap, &text) {
            Ok(symbol) => {
                assert_eq!(old.unwrap_or(symbol), symbol, "one symbol of a text");
                assert_eq!(self.heap.text(symbol).unwrap().to_string(), text);
                assert!(self.heap.is_symbol(symbol));
                self.symbols.insert(text, symbol);
                self.cells.push(symbol);
            }
            Err(error) => {
                assert_eq!(error, Error::OutOfMemory);
                assert!(self.fails && self.usable() == before.1);
                assert_eq!(self.heap.usage(), before.0, "nothing stays reserved");
            }
        }
    }

    fn transplant(&mut self, some: &[usize]) {
        let cells = self.some(some).into_iter().filter(|&cell| self.heap.contains(cell));
        let cells: Vec<Cell> = cells.collect();
        let Ok(list) = self.heap.alloc(List::of(&cells)) else { return };
        let known =
            |cell: &Cell| (self.heap.is_symbol(*cell), self.heap.text(*cell).unwrap().to_string());
        let known: Vec<_> = cells.iter().map(known).collect();
        let copy = self.other.transplant(&self.heap, list.cell()).unwrap();
        for (n, (is_symbol, text)) in known.iter().enumerate() {
            let element = self.other.get::<List>(copy).unwrap().get(n).unwrap();
            assert_eq!(self.other.text(element).unwrap().to_string(), *text);
            assert_eq!(self.other.is_symbol(element), *is_symbol);
            if *is_symbol {
                assert_eq!(self.other.intern(text), Ok(element));
            }
        }
        self.other.verify().unwrap();
        if self.cells.len().is_multiple_of(3) {
            self.other.collect([Cell::NULL]).unwrap();
            assert_eq!(self.other.usage().live(), 0);
        }
    }

    /// The symbols that were not freed.
    fn usable(&self) -> Vec<Cell> {
        let mut usable: Vec<Cell> =
            self.symbols.values().copied().filter(|&cell| self.heap.contains(cell)).collect();
        usable.sort_unstable_by_key(|cell| segheap::abi::bits(*cell));
        usable
    }

    fn check(&mut self) {
        self.heap.verify().unwrap();
        for (text, &symbol) in &self.symbols {
            if self.heap.contains(symbol) {
                assert_eq!(self.heap.text(symbol).unwrap().to_string(), *text);
            }
            assert_eq!(self.heap.is_symbol(symbol), self.heap.contains(symbol));
        }
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn there_is_one_of_each_text(
        seed in any::<u64>(),
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let mut program = Program::new(seed);
        for op in &ops {
            program.run(op);
            program.check();
        }
        program.heap.collect([Cell::NULL]).unwrap();
        prop_assert_eq!(program.heap.usage().live(), 0);
        program.heap.compact();
        program.heap.verify().unwrap();
    }

    /// A map finds an entry whether its key is a symbol, and whether the one sought is.
    #[test]
    fn keys_are_equal_by_content(
        seed in any::<u64>(),
        entries in prop::collection::vec((any::<usize>(), any::<bool>(), any::<bool>()), 1..60),
    ) {
        let mut heap = heap(seed);
        let map = heap.alloc(Map::new()).unwrap();
        let mut model = HashMap::new();
        let make = |heap: &mut Heap, n, as_symbol| match as_symbol {
            true => heap.intern(&text(n)).unwrap(),
            false => heap.alloc(Str::new(&text(n))).unwrap().cell(),
        };
        for (value, &(n, stored, sought)) in entries.iter().enumerate() {
            let key = make(&mut heap, n, stored);
            heap.map_insert(map, key, (value as u32).into()).unwrap();
            model.insert(text(n), Cell::from(value as u32));
            let key = make(&mut heap, n, sought);
            prop_assert_eq!(heap.map_get(map, key), Ok(model.get(&text(n)).copied()));
            prop_assert_eq!(heap.get(map).unwrap().get(key), Ok(model.get(&text(n)).copied()));
            let other = make(&mut heap, n, !sought);
            prop_assert_eq!(heap.hash(key), heap.hash(other));
            prop_assert!(heap.key_eq(key, other).unwrap());
        }
        prop_assert_eq!(heap.get(map).unwrap().len(), model.len());
    }
}

/// A symbol that was found garbage, and is not freed yet, is not returned.
#[test]
fn a_symbol_found_garbage_is_absent() {
    let mut heap = heap(5);
    let garbage = heap.intern("a name").unwrap();
    let kept: Vec<Cell> = (0..4000).map(|_| heap.alloc(List::new()).unwrap().cell()).collect();
    while heap.contains(garbage) {
        heap.step(kept.iter().copied(), 64).unwrap();
    }
    assert!(heap.text(garbage).is_ok(), "it is swept later");
    let symbol = heap.intern("a name").unwrap();
    assert!(symbol != garbage && heap.is_symbol(symbol) && !heap.is_symbol(garbage));
    let roots = || kept.iter().copied().chain([symbol]);
    while !heap.step(roots(), 64).unwrap().finished {}
    assert_eq!(heap.intern("a name"), Ok(symbol));
    heap.verify().unwrap();
}

/// A heap that interns and drops names for ever needs no more memory than for those alive.
#[test]
fn dead_symbols_take_no_room() {
    let mut heap = Heap::with(Settings::seeded(5).limits(Limits::NONE.with_bytes(1 << 20)));
    let mut registers = [Cell::NULL; 100];
    for n in 0..200_000_usize {
        registers[n % 100] = heap.intern(&format!("name {n}")).unwrap();
        if heap.has_debt() {
            heap.collect_debt(registers).unwrap();
        }
    }
    heap.collect(registers).unwrap();
    assert_eq!(heap.usage().live(), 100);
    heap.verify().unwrap();
}

/// A slot that is recycled comes to the generation again in which it was a symbol, and is
/// none.
#[test]
fn a_recycled_slot_is_no_symbol() {
    let mut heap = heap(5);
    let symbol = heap.intern("a name").unwrap();
    while !heap.step([Cell::NULL], 1 << 20).unwrap().finished {}
    assert!(!heap.contains(symbol));
    let next = |heap: &mut Heap| heap.alloc(Str::new("a text")).unwrap().cell();
    let mut text = next(&mut heap);
    while segheap::abi::bits(text) as u32 == segheap::abi::bits(symbol) as u32 {
        heap.free(text).unwrap();
        text = next(&mut heap);
    }
    heap.free(text).unwrap();
    let none: [Cell; 0] = [];
    assert_eq!(heap.collect_and_recycle(none, none).unwrap().recycled, 1);
    let mut met = false;
    for _ in 0..4096 {
        let text = next(&mut heap);
        met |= text == symbol;
        assert!(!heap.is_symbol(text));
        heap.free(text).unwrap();
    }
    assert!(met, "the generation came again");
    heap.verify().unwrap();
}

/// What is known of a slot without a symbol is that of no cell: not of floats whose low bits are
/// its number either.
#[test]
fn floats_are_no_symbols() -> Result<(), Error> {
    const KEYS: u64 = 64;
    let mut heap = heap(1);
    for n in 0..KEYS {
        heap.string(&text(n as usize))?;
    }
    heap.intern("the last text of all")?;
    let map = heap.alloc(Map::new())?;
    let key = |n| Cell::from(f64::from_bits(n));
    for n in 1..KEYS {
        assert!(!heap.is_symbol(key(n)));
        assert_eq!(heap.map_insert(map, key(n), Cell::TRUE)?, None);
    }
    for n in 1..KEYS {
        assert_eq!(heap.map_get(map, key(n))?, Some(Cell::TRUE), "{n}");
    }
    Ok(())
}
