//! A small VM whose instructions are the operations of the crate, each with what
//! it may write: the program type of all properties that are about operations in
//! general. Legal and illegal arguments are mixed: most cells that an instruction
//! gets are live objects of the kind it is for, some are dead, some are anything.
//!
//! Needs `std` and `segheap` only, so that a fuzzer can include it by `#[path]`:
//! [`Step::read`] makes programs of bytes, [`Machine::run`] runs them, and
//! [`frame::Watch`] checks each instruction against its declaration.

use std::any::Any;
use std::fmt;
use std::ops::Bound;

use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Heap, I64Arr, Kind, Limits, List, Map, Pair,
    RangeHint, Region, SealKey, Sequence, Set, Settings, Str, Struct, U8Arr, abi,
};

pub mod frame;
pub mod operations;

pub use operations::{Operation, table};

/// What an argument of an operation has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A live object of this kind.
    Of(Kind),
    /// Text in a cell or in an arena.
    Text,
    /// An integer in a cell or in an arena.
    Integer,
    /// A live object of any kind.
    Object,
    /// A live object of any kind, or a seal.
    Alive,
    /// A seal.
    Seal,
    /// Any cell; whether its object has to be alive is the operation's affair.
    Value,
    /// Any cell of the other heap.
    Foreign,
}

/// What an operation may do. One that answers an error has done nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The object in this argument changes.
    Changes(usize),
    /// The object in this argument dies.
    Frees(usize),
    /// Objects of this kind are made.
    Makes(Kind),
    /// Objects are made of the kinds that the foreign cell in this argument leads to.
    Copies(usize),
    /// Objects of all kinds may die, and none changes.
    Sweeps,
    /// Objects of all kinds may move, and none changes.
    Moves,
    /// The answer depends on the objects of this kind, named or not.
    Reads(Kind),
    /// The answer, or what comes after, depends on how full the heap is.
    Measures,
}

/// The value of an operation as text, or its error.
pub type Answer = Result<String, Error>;

/// An instruction before its arguments are known: a number for the operation,
/// one for each cell, two for everything else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    pub op: u16,
    pub cells: [u16; 3],
    pub numbers: [u16; 2],
}

impl Step {
    /// The program in these bytes: twelve a step, and a rest that says nothing.
    pub fn read(bytes: &[u8]) -> Vec<Step> {
        let number = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
        let step = |bytes: &[u8]| Step {
            op: number(bytes),
            cells: [number(&bytes[2..]), number(&bytes[4..]), number(&bytes[6..])],
            numbers: [number(&bytes[8..]), number(&bytes[10..])],
        };
        bytes.chunks_exact(12).map(step).collect()
    }

    pub fn operation(&self) -> &'static Operation {
        table().pick(self.op)
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Operation { name, takes, .. } = self.operation();
        write!(f, "{name}{takes:?}, by {:?} {:?} {:?}", self.op, self.cells, self.numbers)
    }
}

/// An instruction: an operation and its arguments.
#[derive(Clone, Debug)]
pub struct Call {
    pub op: &'static Operation,
    pub cells: Vec<Cell>,
    pub numbers: [u16; 2],
}

/// Numbers that no index or size should reach.
const ABSURD: [usize; 8] = [
    u32::MAX as usize,
    usize::MAX,
    1 << 31,
    1 << 32,
    1 << 47,
    usize::MAX - 1,
    u32::MAX as usize - 1,
    usize::MAX / 8,
];

fn number(n: u16) -> usize {
    let n = usize::from(n);
    if n % 32 == 31 { ABSURD[n / 32 % ABSURD.len()] } else { n % 32 % 11 }
}

impl Call {
    pub fn cell(&self, n: usize) -> Cell {
        self.cells.get(n).copied().unwrap_or(Cell::NULL)
    }

    /// An index, or a size: mostly small, sometimes absurd.
    pub fn index(&self) -> usize {
        number(self.numbers[0])
    }

    /// A size that is never absurd.
    pub fn small(&self) -> usize {
        usize::from(self.numbers[1] % 19)
    }

    /// A range of any form, mostly a short one near the beginning.
    pub fn range(&self) -> (Bound<usize>, Bound<usize>) {
        let [from, len] = self.numbers;
        let start = number(from / 4);
        let start = match from % 4 {
            0 => Bound::Unbounded,
            1 => Bound::Excluded(start),
            _ => Bound::Included(start % 4),
        };
        let end = number(len / 4);
        let end = match len % 4 {
            0 | 1 => Bound::Unbounded,
            2 => Bound::Included(end),
            _ => Bound::Excluded(end),
        };
        (start, end)
    }

    /// Integers, with those at the edges of 48 and 64 bits often.
    pub fn int(&self) -> i64 {
        const EDGES: [i64; 6] = [0, 1 << 47, -1 << 47, 1 << 60, i64::MAX, i64::MIN];
        let [which, near] = self.numbers;
        let near = i64::from(near % 9) - 4;
        match which % 3 {
            0 => near,
            1 => EDGES[usize::from(which / 3) % EDGES.len()].saturating_add(near),
            _ => i64::from(which) << (near + 4),
        }
    }

    /// Floats of any bits, NaNs often.
    pub fn float(&self) -> f64 {
        let [high, low] = self.numbers;
        match high % 4 {
            0 => f64::from(low) / 2.0,
            1 => f64::from_bits(0x7FF0 << 48 | u64::from(low)),
            _ => f64::from_bits(u64::from(high) << 48 | u64::from(low)),
        }
    }

    /// Text of one to four bytes a character, in a cell or longer.
    pub fn text(&self) -> String {
        const CHARS: [char; 7] = ['a', 'b', '1', '"', 'é', '☃', '🦀'];
        let [from, len] = self.numbers.map(usize::from);
        (0..len % 13).map(|n| CHARS[(from + n * (1 + from % 3)) % CHARS.len()]).collect()
    }
}

/// The selector behind the kinds, which is that of seals.
pub fn sealed() -> Kind {
    abi::cell(0xFFFF_F000_0000_0000).and_then(Cell::kind).unwrap()
}

/// Every arena: those of the kinds, and that of seals.
pub fn arenas() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().chain([sealed()])
}

/// Cells that are no handles, few enough for equal ones to meet.
fn plain() -> Vec<Cell> {
    let mut cells = vec![Cell::NULL, Cell::TRUE, Cell::FALSE, Cell::deopt(7).unwrap()];
    cells.extend([0, 1, -1, 7, 255, 256].map(|n: i32| Cell::from(n)));
    cells.extend([0.0, -0.0, 1.0, 2.5, f64::NAN, f64::INFINITY].map(Cell::from));
    cells.extend(["", "a", "é", "abcde"].map(|text| Cell::short_str(text).unwrap()));
    cells
}

/// An object to begin with.
pub fn example(heap: &mut Heap, kind: Kind, n: usize) -> Result<Cell, Error> {
    let cells = [1.into(), Cell::short_str("a").unwrap(), 2.5.into(), Cell::NULL];
    Ok(match kind {
        Kind::STR => heap.alloc(Str::new(["text é", "a longer text ☃"][n % 2]))?.cell(),
        Kind::LIST => heap.alloc(List::of(&cells))?.cell(),
        Kind::MAP => {
            let map = heap.alloc(Map::with_capacity(n))?;
            heap.get_mut(map)?.insert(cells[0], cells[1])?;
            map.cell()
        }
        Kind::SET => {
            let set = heap.alloc(Set::with_capacity(n))?;
            heap.get_mut(set)?.insert(cells[1])?;
            set.cell()
        }
        Kind::STRUCT => heap.alloc(Struct::of(3, &cells))?.cell(),
        Kind::CLOSURE => heap.alloc(Closure::of(4, &cells))?.cell(),
        Kind::BIGNUM => heap.alloc(Bignum::of(n == 1, &[5, 1]))?.cell(),
        Kind::BYTES => heap.alloc(Bytes::of(b"bytes"))?.cell(),
        Kind::PAIR => heap.alloc(Pair::of(cells[0], cells[1]))?.cell(),
        Kind::F64ARR => heap.alloc(F64Arr::of(&[1.0, 2.5, 3.0, -4.0]))?.cell(),
        Kind::I64ARR => heap.alloc(I64Arr::of(&[1, -2, 300, i64::MAX]))?.cell(),
        _ => heap.alloc(U8Arr::of(&[1, 2, 3, 255]))?.cell(),
    })
}

/// Two objects of every kind.
fn stock(heap: &mut Heap) -> Result<Vec<Cell>, Error> {
    (0..2)
        .flat_map(|n| Kind::ALL.map(|kind| (kind, n)))
        .map(|(kind, n)| example(heap, kind, n))
        .collect()
}

/// A heap, and what a program holds of it.
pub struct Machine {
    pub heap: Heap,
    /// Where foreign cells, keys and regions come from.
    pub other: Heap,
    pub plain: Vec<Cell>,
    /// Every handle that was ever seen.
    pub handles: Vec<Cell>,
    pub foreign: Vec<Cell>,
    keys: Vec<SealKey>,
    regions: Vec<Region>,
    hints: Vec<(Cell, Box<dyn Any>)>,
    /// Steps until the heap may grow again as it likes.
    short: u8,
}

impl Machine {
    /// Arenas of at most a mebibyte, so that absurd sizes are refused.
    pub const LIMITS: Limits = Limits::NONE.with_pages(16);

    pub fn new(seed: u64) -> Machine {
        let heap = Heap::with(Settings::seeded(seed).limits(Machine::LIMITS));
        Machine::on(heap).expect("room for what a machine begins with")
    }

    pub fn on(mut heap: Heap) -> Result<Machine, Error> {
        let mut other = Heap::with(Settings::seeded(11).limits(Machine::LIMITS));
        let keys = vec![heap.new_seal_key()?, other.new_seal_key()?];
        let (mut handles, mut foreign) = (stock(&mut heap)?, stock(&mut other)?);
        let regions = vec![heap.open_region()?, other.open_region()?];
        handles.push(heap.seal(handles[1], &keys[0])?);
        foreign.push(other.seal(foreign[1], &keys[1])?);
        // A graph of several kinds, with a cycle.
        let (text, list, map) = (foreign[0], foreign[1], foreign[2]);
        other.get_mut::<Map>(map)?.insert(text, list)?;
        other.get_mut::<List>(list)?.push(map)?;
        // And one that does not travel, for the sake of what is in it last.
        let (arrays, seal) = (foreign[10], foreign[foreign.len() - 1]);
        foreign.push(other.alloc(List::of(&[arrays, text, list, seal]))?.cell());
        let (plain, hints) = (plain(), Vec::new());
        Ok(Machine { heap, other, plain, handles, foreign, keys, regions, hints, short: 0 })
    }

    /// The arguments of a step as things stand.
    pub fn resolve(&self, step: &Step) -> Call {
        self.call(step.operation(), step)
    }

    /// This operation with the arguments of a step.
    pub fn call(&self, op: &'static Operation, step: &Step) -> Call {
        let cells = op.takes.iter().zip(step.cells).map(|(&takes, n)| self.pick(takes, n));
        Call { op, cells: cells.collect(), numbers: step.numbers }
    }

    pub fn pick(&self, takes: Takes, n: u16) -> Cell {
        let live = |cell: &Cell| self.heap.contains(*cell);
        let nth = |cells: Vec<Cell>| {
            let n = usize::from(n / 16).checked_rem(cells.len());
            n.map_or(Cell::NULL, |n| cells[n])
        };
        let filtered = |wanted: &dyn Fn(&Cell) -> bool| {
            nth(self.handles.iter().copied().filter(wanted).collect())
        };
        let wanted = |cell: &Cell| match takes {
            Takes::Of(kind) => cell.kind() == Some(kind),
            Takes::Text => cell.kind() == Some(Kind::STR),
            Takes::Integer => cell.kind() == Some(Kind::BIGNUM),
            Takes::Seal => cell.kind() == Some(sealed()),
            Takes::Object => cell.kind() != Some(sealed()),
            Takes::Alive | Takes::Value | Takes::Foreign => true,
        };
        match (n % 16, takes) {
            (_, Takes::Foreign) => nth(self.foreign.clone()),
            (0, _) | (3..10, Takes::Value) => nth(self.plain.clone()),
            (1, _) => nth(self.handles.iter().chain(&self.foreign).copied().collect()),
            (2, _) => filtered(&|cell| wanted(cell) && !live(cell)),
            (3..6, Takes::Text) => nth(self
                .plain
                .iter()
                .copied()
                .filter(|cell| cell.as_short_str().is_some())
                .collect()),
            (3..9, Takes::Integer) => {
                nth(self.plain.iter().copied().filter(|cell| cell.as_int().is_some()).collect())
            }
            _ => filtered(&|cell| wanted(cell) && live(cell)),
        }
    }

    /// Runs one instruction.
    pub fn run(&mut self, call: &Call) -> Answer {
        let answer = (call.op.run)(self, call);
        if self.short > 0 {
            self.short -= 1;
            if self.short == 0 {
                self.heap.fail_growth_after(None);
                self.heap.set_limits(Machine::LIMITS);
            }
        }
        answer
    }

    /// Keeps a cell that an operation answered.
    fn keep(&mut self, cell: impl Into<Cell>) -> Answer {
        let cell = cell.into();
        if cell.kind().is_some() && !self.handles.contains(&cell) {
            self.handles.push(cell);
        }
        Ok(format!("{cell:?}"))
    }

    /// A hint for an object: the last one that was made, or a new one.
    fn hint<K: Sequence>(&mut self, object: Cell) -> Result<RangeHint<K>, Error> {
        let hints = self.hints.iter().rev().filter(|(cell, _)| *cell == object);
        match hints.filter_map(|(_, hint)| hint.downcast_ref()).next() {
            Some(hint) => Ok(*hint),
            None => self.heap.hint(object, ..),
        }
    }

    /// Gives up whatever leads to objects of a kind.
    pub fn forget(&mut self, kind: Kind) {
        let of_kind = |cell: Cell| cell.kind() == Some(kind);
        self.handles.retain(|&cell| !of_kind(cell));
        self.hints.retain(|&(cell, _)| !of_kind(cell));
        self.foreign.retain(|&cell| !frame::graph(&self.other, cell).contains(&kind));
    }

    /// All that the program holds, but for a few that it gives up.
    fn roots(&self, call: &Call) -> Vec<Cell> {
        let given_up = usize::from(call.numbers[0] % 9);
        let kept = self.handles.iter().enumerate().filter(|(n, _)| n % 8 != given_up);
        kept.map(|(_, cell)| *cell).collect()
    }
}
