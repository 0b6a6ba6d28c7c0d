//! Every short program of a VM with two registers and a weak handle that collects in steps,
//! or young objects, between any two instructions.

use segheap::{Cell, Pair, abi};

use super::heap;

/// The number of instructions in a program, and of those to choose from. Every such
/// program is run in each of the states that [`Vm::begin`] makes.
const LENGTH: u32 = if cfg!(debug_assertions) { 4 } else { 6 };
const INSTRUCTIONS: u32 = 9;
const BEGINNINGS: u32 = 4;
/// The bytes of a step: one object is marked.
const WORK: u64 = 8;

/// A heap, and what it holds: every handle that was ever returned, with the second cell of
/// its pair.
struct Vm {
    heap: segheap::Heap,
    pairs: Vec<(Cell, Cell)>,
    registers: [Cell; 2],
    weak: Cell,
    /// Handles that were found to be stale.
    stale: Vec<Cell>,
    /// Which function stores a cell.
    path: u32,
}

impl Vm {
    fn begin(state: u32, path: u32) -> Vm {
        let (registers, stale) = ([Cell::NULL; 2], Vec::new());
        let mut vm =
            Vm { heap: heap(), pairs: Vec::new(), registers, weak: Cell::NULL, stale, path };
        for instruction in match state {
            0 => &[][..],
            // A pair refers to another.
            1 => &[0, 6, 0, 1],
            // The same, and they are old.
            2 => &[0, 6, 0, 1, 8, 8],
            // The same, and a cycle has scanned some of it.
            _ => &[0, 6, 0, 1, 8, 8, 7],
        } {
            vm.run(*instruction);
        }
        vm
    }

    /// The second cell of a pair, by the model.
    fn second(&mut self, pair: Cell) -> Option<&mut Cell> {
        let found = self.pairs.iter_mut().find(|(cell, _)| *cell == pair);
        found.map(|(_, second)| second)
    }

    fn store(&mut self, value: Cell) {
        let target = self.registers[1];
        let Some(second) = self.second(target) else { return };
        *second = value;
        let heap = &mut self.heap;
        match self.path % 3 {
            0 => heap.get_mut::<Pair>(target).unwrap().set(1, value).unwrap(),
            1 => heap.set_element::<Pair>(target, 1, value).unwrap(),
            _ => abi::write_barrier(heap, target).unwrap()[1] = value,
        }
    }

    fn run(&mut self, instruction: u32) {
        match instruction {
            0 => {
                let pair = self.heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell();
                assert!(self.second(pair).is_none(), "returned twice");
                self.pairs.push((pair, Cell::NULL));
                self.registers[0] = pair;
            }
            1 => self.store(self.registers[0]),
            2 => {
                let source = self.registers[1];
                if let Some(&mut second) = self.second(source) {
                    self.registers[0] = second;
                }
            }
            3 => self.store(Cell::NULL),
            4 => self.weak = std::mem::take(&mut self.registers[0]),
            5 => self.registers[0] = self.heap.upgrade(self.weak).unwrap_or_default(),
            6 => self.registers.swap(0, 1),
            7 => _ = self.heap.step(self.registers, WORK).unwrap(),
            _ => _ = self.heap.collect_young(self.registers).unwrap(),
        }
        self.check();
    }

    fn reachable(&mut self) -> Vec<Cell> {
        let mut found: Vec<Cell> = Vec::new();
        let mut work = self.registers.to_vec();
        while let Some(cell) = work.pop() {
            if !found.contains(&cell)
                && let Some(&mut second) = self.second(cell)
            {
                found.push(cell);
                work.push(second);
            }
        }
        found
    }

    /// What the registers reach is there, and no other object; what was freed stays stale.
    fn check(&mut self) {
        for cell in self.reachable() {
            let second = *self.second(cell).unwrap();
            assert!(self.heap.contains(cell), "{cell:?} was freed");
            assert_eq!(self.heap.get::<Pair>(cell).unwrap().second(), Ok(second));
        }
        let gone = |&(cell, _): &(Cell, Cell)| (!self.heap.contains(cell)).then_some(cell);
        let gone: Vec<Cell> = self.pairs.iter().filter_map(gone).collect();
        assert!(self.stale.iter().all(|cell| gone.contains(cell)), "it came back");
        self.stale = gone;
        self.heap.verify().unwrap();
    }

    /// After two cycles, the first of which may have begun before, no garbage is left.
    fn end(mut self) {
        for _ in 0..2 {
            while !self.heap.step(self.registers, WORK).unwrap().finished {}
            self.check();
        }
        let live = self.reachable().len();
        assert_eq!(self.heap.usage().live(), live as u64);
        assert_eq!(self.stale.len(), self.pairs.len() - live);
    }
}

#[test]
fn every_short_program_keeps_what_it_reaches() {
    let mut programs = 0_u32;
    for beginning in 0..BEGINNINGS {
        for number in 0..INSTRUCTIONS.pow(LENGTH) {
            let mut vm = Vm::begin(beginning, number);
            (0..LENGTH).fold(number, |rest, _| {
                vm.run(rest % INSTRUCTIONS);
                rest / INSTRUCTIONS
            });
            vm.end();
            programs += 1;
        }
    }
    assert_eq!(programs, BEGINNINGS * INSTRUCTIONS.pow(LENGTH));
}
