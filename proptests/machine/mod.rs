//! A small VM whose instructions are the operations of the crate. Each operation
//! declares what it may write. Properties of operations in general are tested
//! with programs of this VM. Arguments are valid and invalid: most cells refer to
//! live objects of the kind that the operation takes, some are stale, some are
//! arbitrary.
//!
//! Depends on `std` and `segheap` only, so that a fuzz target can include it by
//! `#[path]`. [`Step::read`] decodes bytes to a program, [`Machine::run`] runs an
//! instruction, and [`frame::Monitor`] checks it against its declaration.

use std::any::Any;
use std::ops::Bound;
use std::sync::OnceLock;

use crate::support::beyond_bits;
use segheap::testing::ObjectRecipe;
use segheap::{
    Cell, Error, Heap, Kind, Limits, List, Map, RangeHint, Region, SealKey, Sequence, Settings,
    Unpacked, abi,
};

pub mod frame;
pub mod operations;

pub use operations::{Operation, table};
pub use segheap::testing::Instruction as Step;

/// What an operation accepts as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A live object of this kind.
    Of(Kind),
    /// A text: immediate or allocated.
    Text,
    /// An integer: immediate or allocated.
    Integer,
    /// A live object of any kind.
    Object,
    /// A live object of any kind, or a live seal.
    ObjectOrSeal,
    /// A live seal.
    Seal,
    /// Any cell. The operation decides whether a stale one is an error.
    Value,
    /// Any cell of the other heap.
    Foreign,
}

/// What an operation may do. An operation that fails does none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Writes the object that this argument refers to.
    Changes(usize),
    /// Frees the object that this argument refers to.
    Frees(usize),
    /// Allocates objects of this kind.
    Allocates(Kind),
    /// Allocates objects of the kinds reachable from this argument, a foreign cell.
    Transplants(usize),
    /// May free objects of all kinds; writes none.
    Sweeps,
    /// May move objects of all kinds; writes none.
    Moves,
    /// The result depends on objects of this kind that no argument refers to.
    Reads(Kind),
    /// The result, or the success of later operations, depends on memory usage.
    ReadsUsage,
}

/// The result of an operation: its value as text, or its error.
pub type Outcome = Result<String, Error>;

/// The operation that a step chooses.
pub fn operation(step: &Step) -> &'static Operation {
    table().pick(step.op)
}

/// An instruction: an operation with its arguments.
#[derive(Clone, Debug)]
pub struct Call {
    pub op: &'static Operation,
    pub cells: Vec<Cell>,
    pub numbers: [u16; 2],
}

/// Numbers beyond every valid index and size.
const OUT_OF_BOUNDS: [usize; 8] = [
    u32::MAX as usize,
    usize::MAX,
    1 << 31,
    beyond_bits(32),
    beyond_bits(47),
    usize::MAX - 1,
    u32::MAX as usize - 1,
    usize::MAX / 8,
];

fn number(n: u16) -> usize {
    let n = usize::from(n);
    if n % 32 == 31 { OUT_OF_BOUNDS[n / 32 % OUT_OF_BOUNDS.len()] } else { n % 32 % 11 }
}

impl Call {
    pub fn cell(&self, n: usize) -> Cell {
        self.cells.get(n).copied().unwrap_or(Cell::NULL)
    }

    /// An index or a size: mostly small, sometimes far out of bounds.
    pub fn index(&self) -> usize {
        number(self.numbers[0])
    }

    /// A size that is always small.
    pub fn small(&self) -> usize {
        usize::from(self.numbers[1] % 19)
    }

    /// A range of any form, mostly a short one near the start.
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

    /// An integer; those near the bounds of 48 and 64 bits are frequent.
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

    /// A float of any bits; NaNs are frequent.
    pub fn float(&self) -> f64 {
        let [high, low] = self.numbers;
        match high % 4 {
            0 => f64::from(low) / 2.0,
            1 => f64::from_bits(0x7FF0 << 48 | u64::from(low)),
            _ => f64::from_bits(u64::from(high) << 48 | u64::from(low)),
        }
    }

    /// Text of characters of one to four bytes, short enough for a cell or longer.
    pub fn text(&self) -> String {
        const CHARS: [char; 7] = ['a', 'b', '1', '"', 'é', '☃', '🦀'];
        let [from, len] = self.numbers.map(usize::from);
        (0..len % 13).map(|n| CHARS[(from + n * (1 + from % 3)) % CHARS.len()]).collect()
    }
}

/// The selector of the handles that unpack to this, as a kind.
fn selector(unpacked: Unpacked) -> Kind {
    let mut handles = (0..16).filter_map(|selector| abi::cell(0xFFFF << 48 | selector << 44));
    handles.find(|cell| cell.unpack() == unpacked).and_then(Cell::kind).unwrap()
}

/// The selector of seals, as a kind.
pub fn sealed() -> Kind {
    static SEALED: OnceLock<Kind> = OnceLock::new();
    *SEALED.get_or_init(|| selector(Unpacked::Sealed))
}

/// The selector of host objects, as a kind.
pub fn host() -> Kind {
    static HOST: OnceLock<Kind> = OnceLock::new();
    *HOST.get_or_init(|| selector(Unpacked::Host))
}

/// The kinds that operations of the table take.
pub fn kinds() -> impl Iterator<Item = Kind> {
    let is_taken = |kind: &Kind| table().rows().any(|op| op.takes.contains(&Takes::Of(*kind)));
    Kind::ALL.into_iter().filter(is_taken)
}

/// All arenas: one for each kind, that of host objects, and that of seals.
pub fn arenas() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().chain([host(), sealed()])
}

/// Immediate values, few enough that equal ones are frequent.
fn immediates() -> Vec<Cell> {
    let mut cells = vec![Cell::NULL, Cell::TRUE, Cell::FALSE, Cell::deopt(7).unwrap()];
    cells.extend([Cell::ABSENT, Cell::immediate(0), Cell::immediate(u32::MAX)]);
    cells.extend([0, 1, -1, 7, 255, 256].map(|n: i32| Cell::from(n)));
    cells.extend([0.0, -0.0, 1.0, 2.5, f64::NAN, f64::INFINITY].map(Cell::from));
    cells.extend(["", "a", "é", "12", "abcde"].map(|text| Cell::short_str(text).unwrap()));
    cells
}

/// Allocates an initial object of a kind; `n` selects a variant.
pub fn example(heap: &mut Heap, kind: Kind, n: usize) -> Result<Cell, Error> {
    let cells = vec![1.into(), Cell::short_str("a").unwrap(), 2.5.into(), Cell::NULL];
    let text = ["text é", "a longer text ☃"][n % 2].to_owned();
    ObjectRecipe { kind, cells, number: n as u32, text }.build(heap, &[])
}

/// Allocates two objects of each kind.
fn initial_objects(heap: &mut Heap) -> Result<Vec<Cell>, Error> {
    (0..2)
        .flat_map(|n| kinds().map(move |kind| (kind, n)))
        .map(|(kind, n)| example(heap, kind, n))
        .collect()
}

/// A heap, and the cells and tokens that a program holds.
pub struct Machine {
    pub heap: Heap,
    /// The heap of foreign cells, seal keys and regions.
    pub other: Heap,
    pub immediates: Vec<Cell>,
    /// All handles that operations returned.
    pub handles: Vec<Cell>,
    pub foreign: Vec<Cell>,
    keys: Vec<SealKey>,
    regions: Vec<Region>,
    hints: Vec<(Cell, Box<dyn Any>)>,
    /// Instructions until the limits that one of them set are lifted.
    limited: u8,
}

impl Machine {
    /// Arenas of at most a mebibyte, so that large sizes fail.
    pub const LIMITS: Limits = Limits::NONE.with_pages(16);

    pub fn new(seed: u64) -> Machine {
        let heap = Heap::with(Settings::seeded(seed).limits(Machine::LIMITS));
        Machine::on(heap).expect("the limits admit the initial objects")
    }

    pub fn on(mut heap: Heap) -> Result<Machine, Error> {
        let mut other = Heap::with(Settings::seeded(11).limits(Machine::LIMITS));
        let keys = vec![heap.new_seal_key()?, other.new_seal_key()?];
        let mut handles = initial_objects(&mut heap)?;
        let mut foreign = initial_objects(&mut other)?;
        let regions = vec![heap.open_region()?, other.open_region()?];
        handles.push(heap.host(7_u32)?);
        handles.push(heap.seal(handles[1], &keys[0])?);
        foreign.push(other.seal(foreign[1], &keys[1])?);
        // A graph of several kinds, with a cycle.
        let (text, list, map) = (foreign[0], foreign[1], foreign[2]);
        other.get_mut::<Map>(map)?.insert(text, list)?;
        other.get_mut::<List>(list)?.push(map)?;
        // A graph that cannot be transplanted: its last element is a seal.
        let (arrays, seal) = (foreign[10], foreign[foreign.len() - 1]);
        foreign.push(other.alloc(List::of(&[arrays, text, list, seal]))?.cell());
        // One that a hook is needed for, and an object that both graphs share.
        let value = other.host(8_u32)?;
        other.set_host_bytes(value, 100)?;
        let graph = other.alloc(List::of(&[value, list, value]))?.cell();
        foreign.extend([value, graph, other.alloc(List::of(&[graph, value]))?.cell()]);
        let (immediates, hints) = (immediates(), Vec::new());
        let limited = 0;
        Ok(Machine { heap, other, immediates, handles, foreign, keys, regions, hints, limited })
    }

    /// Resolves the arguments of a step against the current state.
    pub fn resolve(&self, step: &Step) -> Call {
        self.call(operation(step), step)
    }

    /// Builds a call of this operation with the arguments of a step.
    pub fn call(&self, op: &'static Operation, step: &Step) -> Call {
        let cells = op.takes.iter().zip(step.cells).map(|(&takes, n)| self.pick(takes, n));
        Call { op, cells: cells.collect(), numbers: step.numbers }
    }

    /// Selects a cell for an argument: mostly a valid one, at times a stale or
    /// foreign handle or an immediate.
    pub fn pick(&self, takes: Takes, n: u16) -> Cell {
        let live = |cell: &Cell| self.heap.contains(*cell);
        let nth = |cells: Vec<Cell>| {
            let n = usize::from(n / 16).checked_rem(cells.len());
            n.map_or(Cell::NULL, |n| cells[n])
        };
        let filtered = |matches: &dyn Fn(&Cell) -> bool| {
            nth(self.handles.iter().copied().filter(matches).collect())
        };
        let matches = |cell: &Cell| match takes {
            Takes::Of(kind) => cell.kind() == Some(kind),
            Takes::Text => cell.kind() == Some(Kind::STR),
            Takes::Integer => cell.kind() == Some(Kind::BIGNUM),
            Takes::Seal => cell.kind() == Some(sealed()),
            Takes::Object => cell.kind() != Some(sealed()),
            Takes::ObjectOrSeal | Takes::Value | Takes::Foreign => true,
        };
        match (n % 16, takes) {
            (_, Takes::Foreign) => nth(self.foreign.clone()),
            (0, _) | (3..10, Takes::Value) => nth(self.immediates.clone()),
            (1, _) => nth(self.handles.iter().chain(&self.foreign).copied().collect()),
            (2, _) => filtered(&|cell| matches(cell) && !live(cell)),
            (3..6, Takes::Text) => nth(self
                .immediates
                .iter()
                .copied()
                .filter(|cell| cell.as_short_str().is_some())
                .collect()),
            (3..9, Takes::Integer) => nth(self
                .immediates
                .iter()
                .copied()
                .filter(|cell| cell.as_int().is_some())
                .collect()),
            _ => filtered(&|cell| matches(cell) && live(cell)),
        }
    }

    /// Runs one instruction.
    pub fn run(&mut self, call: &Call) -> Outcome {
        let outcome = (call.op.run)(self, call);
        if self.limited > 0 {
            self.limited -= 1;
            if self.limited == 0 {
                self.heap.fail_growth_after(None);
                self.heap.set_limits(Machine::LIMITS);
            }
        }
        outcome
    }

    /// Keeps a cell that an operation returned.
    fn keep(&mut self, cell: impl Into<Cell>) -> Outcome {
        let cell = cell.into();
        if cell.kind().is_some() && !self.handles.contains(&cell) {
            self.handles.push(cell);
        }
        Ok(format!("{cell:?}"))
    }

    /// Returns a hint for an object: the latest one, or a new one.
    fn hint<K: Sequence>(&mut self, object: Cell) -> Result<RangeHint<K>, Error> {
        let hints = self.hints.iter().rev().filter(|(cell, _)| *cell == object);
        match hints.filter_map(|(_, hint)| hint.downcast_ref()).next() {
            Some(hint) => Ok(*hint),
            None => self.heap.hint(object, ..),
        }
    }

    /// Drops all cells and hints from which objects of a kind can be reached.
    pub fn forget(&mut self, kind: Kind) {
        let of_kind = |cell: Cell| cell.kind() == Some(kind);
        self.handles.retain(|&cell| !of_kind(cell));
        self.hints.retain(|&(cell, _)| !of_kind(cell));
        self.foreign.retain(|&cell| !frame::reachable_kinds(&self.other, cell).contains(&kind));
    }

    /// Returns the handles that the program holds, or all but an eighth of them.
    fn roots(&self, call: &Call) -> Vec<Cell> {
        let dropped = usize::from(call.numbers[0] % 9);
        let kept = self.handles.iter().enumerate().filter(|(n, _)| n % 8 != dropped);
        kept.map(|(_, cell)| *cell).collect()
    }
}
