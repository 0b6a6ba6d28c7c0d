//! The machine: a loop over instructions.
//!
//! Each bank of registers is one vector. A frame sees 256 of it, as an array: a register is one
//! byte, so no access needs a check. The windows are made anew when a frame begins or ends, and
//! after a collection.
//!
//! Before an instruction that allocates, the machine is at a safe point: all that is alive is in
//! registers, globals or constants, and a collection may run. When the heap refuses memory, it is
//! collected and the instruction tried once more.

use std::io::Write;
use std::time::{Duration, Instant};

use segheap::bstr::ByteSlice;
use segheap::{
    Cell, Closure, Error, F64Arr, Handle, Heap, I64Arr, Kind, List, Map, Pair, Piece, Policy,
    RangeHint, Str, Struct,
};

use crate::builtins::{self, Context};
use crate::bytecode::{AnyOp, Compare, Op, Program};
use crate::errors::{Fault, Result};
use crate::values::{self, Outcome, Trap, trap};

/// Registers that a frame can see.
const WINDOW: usize = 256;
/// Calls within calls.
const FRAMES_MAX: usize = 1 << 20;
/// The same where every allocation collects.
const STRESSED_FRAMES: usize = 10_000;
/// Registers of one bank, of all frames together, if nothing else is said.
const REGISTERS_MAX: usize = 1 << 24;
/// The function number of a closure that keeps a function and some of its arguments.
const PARTIAL: u32 = u32::MAX;

/// What returns to where.
#[derive(Clone, Copy)]
struct Frame {
    function: u32,
    pc: u32,
    base: [u32; 4],
}

/// A hint for a loop: for one of the three kinds that lists come in.
#[derive(Clone, Copy)]
enum Hint {
    None,
    Ints(RangeHint<I64Arr>),
    Floats(RangeHint<F64Arr>),
    Cells(RangeHint<List>),
}

/// What collections cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pauses {
    pub(crate) count: u64,
    pub(crate) total: Duration,
    pub(crate) longest: Duration,
    pub(crate) freed: u64,
    /// Safe points to pass before the next one: near a limit the heap asks for a collection at
    /// every step, and each would cost as much as what is alive.
    rest: u64,
}

pub(crate) struct Machine {
    pub(crate) heap: Heap,
    pub(crate) pauses: Pauses,
    pub(crate) out: Box<dyn Write>,
    ints: Vec<i64>,
    floats: Vec<f64>,
    cells: Vec<Cell>,
    hints: Vec<Hint>,
    frames: Vec<Frame>,
    globals: (Vec<i64>, Vec<f64>, Vec<Cell>),
    constants: Vec<Cell>,
    /// Names as keys of maps.
    names: Vec<Cell>,
    ascii: Ascii,
    started: Instant,
    registers_max: usize,
    frames_max: usize,
    /// How many tests passed, and why the others failed.
    pub(crate) tests: (usize, Vec<Fault>),
}

/// Which of the texts that were looked at last are all ASCII: their characters are their bytes.
/// A text is never changed, and no two have had the same cell.
#[derive(Default)]
struct Ascii {
    known: [(Cell, bool); 4],
    next: usize,
}

impl Ascii {
    fn is(&mut self, heap: &Heap, text: Cell) -> Outcome<bool> {
        if let Some((_, ascii)) = self.known.iter().find(|(cell, _)| *cell == text) {
            return Ok(*ascii);
        }
        let ascii = heap.get::<Str>(text)?.text().is_ascii();
        self.known[self.next % 4] = (text, ascii);
        self.next += 1;
        Ok(ascii)
    }
}

#[inline(always)]
fn window<T>(bank: &mut [T], base: usize) -> &mut [T; WINDOW] {
    // Frames are made only where the bank is long enough: the fallback is never taken.
    let len = bank.len();
    let base = if base + WINDOW <= len { base } else { len.saturating_sub(WINDOW) };
    match bank.get_mut(base..).and_then(|rest| rest.first_chunk_mut()) {
        Some(window) => window,
        None => unreachable!("a bank is never shorter than a window"),
    }
}

impl Machine {
    pub(crate) fn new(heap: Heap, out: Box<dyn Write>) -> Machine {
        Machine {
            heap,
            pauses: Pauses::default(),
            out,
            ints: vec![0; 4 * WINDOW],
            floats: vec![0.0; 4 * WINDOW],
            cells: vec![Cell::NULL; 4 * WINDOW],
            hints: vec![Hint::None; WINDOW],
            frames: Vec::new(),
            globals: Default::default(),
            constants: Vec::new(),
            names: Vec::new(),
            ascii: Ascii::default(),
            started: Instant::now(),
            registers_max: REGISTERS_MAX,
            frames_max: FRAMES_MAX,
            tests: (0, Vec::new()),
        }
    }

    /// Holds the stack to about so many bytes: a third for each bank.
    pub(crate) fn limit_stack(&mut self, bytes: usize) {
        self.registers_max = (bytes / 64).clamp(WINDOW, REGISTERS_MAX);
    }

    /// Collects and verifies at every so many allocations. Each costs as much as the stack is
    /// deep, so the stack is held to where recursion without end is found in seconds.
    pub(crate) fn stress(&mut self, every: u32) {
        if every > 0 {
            self.frames_max = FRAMES_MAX.min(STRESSED_FRAMES * every.isqrt() as usize);
        }
        self.heap.set_policy(Policy { stress: every, ..self.heap.policy() });
    }

    /// Makes cells of what the program has in its tables.
    fn load(&mut self, program: &Program) -> Outcome<()> {
        for constant in &program.constants[self.constants.len()..] {
            let cell = self.heap.string(constant)?;
            self.constants.push(cell);
        }
        for name in &program.names[self.names.len()..] {
            let cell = self.heap.string(name)?;
            self.names.push(cell);
        }
        let [i, f, c] = program.globals;
        self.globals.0.resize(i, 0);
        self.globals.1.resize(f, 0.0);
        self.globals.2.resize(c, Cell::NULL);
        Ok(())
    }

    /// Runs a function without parameters; answers its value.
    pub(crate) fn run(&mut self, program: &Program, entry: u16) -> Result<Cell> {
        if let Err(error) = self.load(program) {
            return Err(Fault::new(0, message(error)));
        }
        self.frames.clear();
        let result = self.execute(program, entry);
        let flushed = self.out.flush();
        match (result, flushed) {
            (Ok(_), Err(error)) => Err(Fault::new(0, format!("cannot write: {error}"))),
            (result, _) => result,
        }
    }

    fn execute(&mut self, program: &Program, entry: u16) -> Result<Cell> {
        let Machine {
            heap,
            pauses,
            out,
            ints,
            floats,
            cells,
            hints,
            frames,
            globals,
            constants,
            names,
            ascii,
            started,
            registers_max,
            frames_max,
            tests,
        } = self;
        let functions = program.functions.as_slice();
        let shapes = program.shapes.as_slice();
        let mut current = u32::from(entry);
        let mut function = &*functions[usize::from(entry)];
        let mut code = function.code.as_slice();
        let mut pc = 0_usize;
        // Where the windows begin: i, f, c, hints.
        let mut base = [0_usize; 4];
        // The test that is running: where to go on, and its name. Tests are at the top level.
        let mut test: Option<(usize, Cell)> = None;
        hints.resize(hints.len().max(usize::from(function.frame[3])), Hint::None);

        'again: loop {
            let mut i = window(ints, base[0]);
            let mut f = window(floats, base[1]);
            let mut c = window(cells, base[2]);
            #[rustfmt::skip]
            let failed: Trap = 'run: loop {
                macro_rules! attempt {
                    ($outcome:expr) => { match $outcome { Ok(value) => value, Err(error) => break 'run error.into() } };
                }
                macro_rules! r { ($bank:ident[$reg:expr]) => { $bank[usize::from($reg)] }; }
                macro_rules! some {
                    ($bank:ident, $first:expr, $count:expr) => {
                        &$bank[usize::from($first)..usize::from($first) + usize::from($count)]
                    };
                }
                macro_rules! windows {
                    () => { (i, f, c) = (window(ints, base[0]), window(floats, base[1]), window(cells, base[2])) };
                }
                macro_rules! safe_point {
                    () => {
                        if heap.should_collect() {
                            if pauses.rest > 0 {
                                pauses.rest -= 1;
                            } else {
                                let top = base[2] + usize::from(function.frame[2]);
                                attempt!(collect(heap, pauses, &cells[..top], [&globals.2, constants, names]));
                                c = window(cells, base[2]);
                            }
                        }
                    };
                }
                macro_rules! when { ($condition:expr, $to:expr) => { if $condition { pc = $to as usize } }; }
                macro_rules! set_i { ($d:expr, $value:expr) => { r!(i[$d]) = i64::from($value) }; }
                macro_rules! checked {
                    ($d:expr, $value:expr) => {
                        match $value { Some(value) => r!(i[$d]) = value, None => break 'run overflow() }
                    };
                }
                macro_rules! divided {
                    ($d:expr, $value:expr, $by:expr) => {{
                        if $by == 0.0 { break 'run Trap::Heap(Error::DivisionByZero); }
                        r!(f[$d]) = $value;
                    }};
                }
                // An operation that may allocate, and its value.
                macro_rules! made {
                    ($d:expr, $value:expr) => {{ safe_point!(); r!(c[$d]) = Cell::from(attempt!($value)); }};
                }
                macro_rules! push {
                    ($Kind:ty, $list:expr, $value:expr) => {{
                        safe_point!();
                        let mut list = attempt!(heap.get_mut::<$Kind>(r!(c[$list])));
                        attempt!(list.push($value));
                    }};
                }
                macro_rules! append {
                    ($Kind:ty, $list:expr, $own:expr, $value:expr, $cell:expr) => {{
                        safe_point!();
                        let own = r!(i[$own]) != 0;
                        if own && let Ok(mut list) = heap.get_mut::<$Kind>(r!(c[$list])) {
                            attempt!(list.push($value));
                        } else {
                            let cell = $cell;
                            r!(c[$list]) = attempt!(append(heap, r!(c[$list]), cell, own));
                            r!(i[$own]) = 1;
                        }
                    }};
                }
                macro_rules! get {
                    ($Kind:ty, $list:expr, $n:expr, $value:ident => $found:expr, $cell:ident => $other:expr) => {{
                        let (list, at) = (r!(c[$list]), r!(i[$n]));
                        match heap.get::<$Kind>(list).ok().and_then(|it| it.as_slice().get(at as usize).copied()) {
                            Some($value) => $found,
                            None => { safe_point!(); let $cell = attempt!(values::element(heap, list, at)); $other }
                        }
                    }};
                }
                macro_rules! put {
                    ($Kind:ty, $list:expr, $n:expr, $value:expr, $cell:expr) => {{
                        let (list, at) = (r!(c[$list]), r!(i[$n]));
                        if let Ok(mut view) = heap.get_mut::<$Kind>(list)
                            && let Some(place) = attempt!(view.as_mut_slice()).get_mut(at as usize)
                        {
                            *place = $value;
                        } else {
                            let cell = $cell;
                            attempt!(values::set_element(heap, list, at, cell));
                        }
                    }};
                }
                macro_rules! enter {
                    ($function:expr, $i:expr, $f:expr, $c:expr) => {{
                        if frames.len() >= *frames_max { break 'run too_deep(); }
                        frames.push(Frame { function: current, pc: pc as u32, base: base.map(|n| n as u32) });
                        base[0] += usize::from($i);
                        base[1] += usize::from($f);
                        base[2] += usize::from($c);
                        base[3] += usize::from(function.frame[3]);
                        current = u32::from($function);
                        function = &*functions[current as usize];
                        (code, pc) = (function.code.as_slice(), 0);
                        if base[0] + WINDOW > ints.len() || base[1] + WINDOW > floats.len() || base[2] + WINDOW > cells.len() {
                            if base[0].max(base[1]).max(base[2]) > *registers_max { break 'run too_deep(); }
                            grow(ints, base[0], 0);
                            grow(floats, base[1], 0.0);
                            grow(cells, base[2], Cell::NULL);
                        }
                        if function.frame[3] > 0 { grow(hints, base[3], Hint::None); }
                        windows!();
                    }};
                }
                macro_rules! leave {
                    () => {{
                        let Some(frame) = frames.pop() else { break 'run Trap::Message("no frame".to_owned()) };
                        base = frame.base.map(|n| n as usize);
                        current = frame.function;
                        function = &*functions[current as usize];
                        (code, pc) = (function.code.as_slice(), frame.pc as usize);
                        windows!();
                    }};
                }

                let Some(&op) = code.get(pc) else { break 'run Trap::Message("the code has no end".to_owned()) };
                pc += 1;
                match op {
                    Op::LoadI(d, value) => set_i!(d, value),
                    Op::WideI(d, k) => r!(i[d]) = program.ints[usize::from(k)],
                    Op::LoadF(d, k) => r!(f[d]) = program.floats[usize::from(k)],
                    Op::Const(d, k) => r!(c[d]) = constants[usize::from(k)],
                    Op::Null(d) => r!(c[d]) = Cell::NULL,
                    Op::MoveI(d, a) => r!(i[d]) = r!(i[a]),
                    Op::MoveF(d, a) => r!(f[d]) = r!(f[a]),
                    Op::MoveC(d, a) => r!(c[d]) = r!(c[a]),

                    Op::AddI(d, a, b) => checked!(d, r!(i[a]).checked_add(r!(i[b]))),
                    Op::SubI(d, a, b) => checked!(d, r!(i[a]).checked_sub(r!(i[b]))),
                    Op::MulI(d, a, b) => checked!(d, r!(i[a]).checked_mul(r!(i[b]))),
                    Op::DivI(d, a, b) => match r!(i[a]).checked_div(r!(i[b])) {
                        Some(value) => r!(i[d]) = value,
                        None => break 'run bad_division(r!(i[b])),
                    },
                    Op::ModI(d, _, b) if r!(i[b]) == -1 => r!(i[d]) = 0,
                    Op::ModI(d, a, b) => match r!(i[a]).checked_rem(r!(i[b])) {
                        Some(value) => r!(i[d]) = value,
                        None => break 'run bad_division(r!(i[b])),
                    },
                    Op::AddIK(d, a, k) => checked!(d, r!(i[a]).checked_add(i64::from(k))),
                    Op::MulIK(d, a, k) => checked!(d, r!(i[a]).checked_mul(i64::from(k))),
                    // The compiler makes these with a positive constant only.
                    Op::DivIK(d, a, k) => checked!(d, r!(i[a]).checked_div(i64::from(k))),
                    Op::ModIK(d, a, k) => checked!(d, r!(i[a]).checked_rem(i64::from(k))),
                    Op::NegI(d, a) => checked!(d, r!(i[a]).checked_neg()),

                    Op::AddF(d, a, b) => r!(f[d]) = r!(f[a]) + r!(f[b]),
                    Op::SubF(d, a, b) => r!(f[d]) = r!(f[a]) - r!(f[b]),
                    Op::MulF(d, a, b) => r!(f[d]) = r!(f[a]) * r!(f[b]),
                    Op::DivF(d, a, b) => divided!(d, r!(f[a]) / r!(f[b]), r!(f[b])),
                    Op::ModF(d, a, b) => divided!(d, r!(f[a]) % r!(f[b]), r!(f[b])),
                    Op::PowF(d, a, b) => r!(f[d]) = r!(f[a]).powf(r!(f[b])),
                    Op::NegF(d, a) => r!(f[d]) = -r!(f[a]),
                    Op::SqrtF(d, a) => r!(f[d]) = r!(f[a]).sqrt(),
                    Op::FloatOf(d, a) => r!(f[d]) = r!(i[a]) as f64,
                    Op::IntOf(d, a) => r!(i[d]) = r!(f[a]) as i64,
                    Op::EqF(d, a, b) => set_i!(d, r!(f[a]) == r!(f[b])),

                    Op::Jump(to) => pc = to as usize,
                    Op::JumpIf(a, to) => when!(r!(i[a]) != 0, to),
                    Op::JumpIfNot(a, to) => when!(r!(i[a]) == 0, to),
                    Op::JLtI(a, b, to) => when!(r!(i[a]) < r!(i[b]), to),
                    Op::JLeI(a, b, to) => when!(r!(i[a]) <= r!(i[b]), to),
                    Op::JEqI(a, b, to) => when!(r!(i[a]) == r!(i[b]), to),
                    Op::JNeI(a, b, to) => when!(r!(i[a]) != r!(i[b]), to),
                    Op::JLtIK(a, k, to) => when!(r!(i[a]) < i64::from(k), to),
                    Op::JLeIK(a, k, to) => when!(r!(i[a]) <= i64::from(k), to),
                    Op::JGtIK(a, k, to) => when!(r!(i[a]) > i64::from(k), to),
                    Op::JGeIK(a, k, to) => when!(r!(i[a]) >= i64::from(k), to),
                    Op::JEqIK(a, k, to) => when!(r!(i[a]) == i64::from(k), to),
                    Op::JNeIK(a, k, to) => when!(r!(i[a]) != i64::from(k), to),
                    Op::JLtF(a, b, to) => when!(r!(f[a]) < r!(f[b]), to),
                    Op::JLeF(a, b, to) => when!(r!(f[a]) <= r!(f[b]), to),
                    Op::JNotLtF(a, b, to) => if r!(f[a]) < r!(f[b]) {} else { pc = to as usize },
                    Op::JNotLeF(a, b, to) => if r!(f[a]) <= r!(f[b]) {} else { pc = to as usize },
                    Op::JEqC(a, b, to) => when!(attempt!(same(heap, r!(c[a]), r!(c[b]))), to),
                    Op::JNeC(a, b, to) => when!(!attempt!(same(heap, r!(c[a]), r!(c[b]))), to),
                    Op::JNull(a, to) => when!(r!(c[a]).is_null(), to),
                    Op::JNotNull(a, to) => when!(!r!(c[a]).is_null(), to),
                    Op::Loop(a, end, to) => {
                        r!(i[a]) = r!(i[a]).saturating_add(1);
                        when!(r!(i[a]) < r!(i[end]), to);
                    }

                    Op::BoxI(d, a) => match Cell::int(r!(i[a])) {
                        Some(cell) => r!(c[d]) = cell,
                        None => made!(d, heap.int(r!(i[a]))),
                    },
                    Op::BoxF(d, a) => r!(c[d]) = Cell::float(r!(f[a])),
                    Op::BoxB(d, a) => r!(c[d]) = Cell::bool(r!(i[a]) != 0),
                    Op::UnboxI(d, a) => match r!(c[a]).as_int() {
                        Some(value) => r!(i[d]) = value,
                        None => r!(i[d]) = attempt!(values::int(heap, r!(c[a]))),
                    },
                    Op::UnboxF(d, a) => match r!(c[a]).as_float() {
                        Some(value) => r!(f[d]) = value,
                        None => r!(f[d]) = attempt!(values::float(heap, r!(c[a]))),
                    },
                    Op::UnboxB(d, a) => set_i!(d, attempt!(values::boolean(heap, r!(c[a])))),

                    Op::GetGI(d, slot) => r!(i[d]) = globals.0[usize::from(slot)],
                    Op::GetGF(d, slot) => r!(f[d]) = globals.1[usize::from(slot)],
                    Op::GetGC(d, slot) => r!(c[d]) = globals.2[usize::from(slot)],
                    Op::SetGI(slot, a) => globals.0[usize::from(slot)] = r!(i[a]),
                    Op::SetGF(slot, a) => globals.1[usize::from(slot)] = r!(f[a]),
                    Op::SetGC(slot, a) => globals.2[usize::from(slot)] = r!(c[a]),

                    Op::Call(callee, wi, wf, wc) => enter!(callee, wi, wf, wc),
                    Op::CallV(a, count) => {
                        safe_point!();
                        // Of too few arguments a closure was made.
                        if let Some(callee) = attempt!(callee(heap, functions, c, a, count)) {
                            enter!(callee, function.frame[0], function.frame[1], a)
                        }
                    }
                    Op::RetI(a) => { i[0] = r!(i[a]); leave!() }
                    Op::RetF(a) => { f[0] = r!(f[a]); leave!() }
                    Op::RetC(a) => {
                        c[0] = r!(c[a]);
                        if frames.is_empty() { return Ok(c[0]); }
                        leave!()
                    }

                    Op::Closure(d, first, n, callee) => made!(d, heap.alloc(Closure::of(u32::from(callee), some!(c, first, n)))),
                    Op::Up(d, n) => r!(c[d]) = attempt!(heap.get::<Closure>(c[0]).and_then(|it| it.get(usize::from(n)))),
                    Op::NewBox(d, a) => made!(d, heap.alloc(Pair::of(r!(c[a]), Cell::NULL))),
                    Op::GetBox(d, a) => r!(c[d]) = attempt!(heap.get::<Pair>(r!(c[a])).and_then(|it| it.first())),
                    Op::SetBox(a, v) => attempt!(attempt!(heap.get_mut::<Pair>(r!(c[a]))).set(0, r!(c[v]))),

                    Op::NewList(d, first, n) => made!(d, heap.alloc(List::of(some!(c, first, n)))),
                    Op::NewI(d, first, n) => made!(d, heap.alloc(I64Arr::of(some!(i, first, n)))),
                    Op::NewF(d, first, n) => made!(d, heap.alloc(F64Arr::of(some!(f, first, n)))),
                    Op::PushC(list, a) => push!(List, list, r!(c[a])),
                    Op::PushI(list, a) => push!(I64Arr, list, r!(i[a])),
                    Op::PushF(list, a) => push!(F64Arr, list, r!(f[a])),
                    Op::AppendC(list, a, own) => append!(List, list, own, r!(c[a]), r!(c[a])),
                    Op::AppendI(list, a, own) => append!(I64Arr, list, own, r!(i[a]), attempt!(heap.int(r!(i[a])))),
                    Op::AppendF(list, a, own) => append!(F64Arr, list, own, r!(f[a]), Cell::float(r!(f[a]))),
                    Op::GetI(d, list, n) => get!(I64Arr, list, n, value => r!(i[d]) = value, cell => r!(i[d]) = attempt!(values::int(heap, cell))),
                    Op::GetF(d, list, n) => get!(F64Arr, list, n, value => r!(f[d]) = value, cell => r!(f[d]) = attempt!(values::float(heap, cell))),
                    Op::GetB(d, list, n) => get!(List, list, n, cell => set_i!(d, attempt!(values::boolean(heap, cell))), cell => set_i!(d, attempt!(values::boolean(heap, cell)))),
                    Op::GetC(d, list, n) => get!(List, list, n, cell => r!(c[d]) = cell, cell => r!(c[d]) = cell),
                    Op::SetI(list, n, a) => put!(I64Arr, list, n, r!(i[a]), attempt!(heap.int(r!(i[a])))),
                    Op::SetF(list, n, a) => put!(F64Arr, list, n, r!(f[a]), Cell::float(r!(f[a]))),
                    Op::SetB(list, n, a) => put!(List, list, n, Cell::bool(r!(i[a]) != 0), Cell::bool(r!(i[a]) != 0)),
                    Op::SetC(list, n, a) => put!(List, list, n, r!(c[a]), r!(c[a])),
                    Op::Get(d, all, key) => {
                        let (all, key) = (r!(c[all]), r!(c[key]));
                        let found = match heap.get::<Map>(all) {
                            Ok(map) if is_plain_key(key) => attempt!(map.get(key)),
                            _ => { safe_point!(); attempt!(get(heap, shapes, ascii, all, key)) }
                        };
                        match found {
                            Some(cell) => r!(c[d]) = cell,
                            None => break 'run missing(heap, shapes, key),
                        }
                    }
                    Op::GetOrNull(d, all, key) => made!(d, get_or_null(heap, shapes, ascii, r!(c[all]), r!(c[key]))),
                    Op::Set(all, key, a) => {
                        safe_point!();
                        let (all, key, value) = (r!(c[all]), r!(c[key]), r!(c[a]));
                        if is_plain_key(key) && let Ok(mut map) = heap.get_mut::<Map>(all) {
                            attempt!(map.insert(key, value));
                        } else {
                            attempt!(set(heap, shapes, all, key, value));
                        }
                    }
                    Op::Len(d, a) => r!(i[d]) = attempt!(values::len(heap, r!(c[a]))) as i64,
                    Op::Iter(d, a) => made!(d, builtins::iterated(heap, r!(c[a]))),
                    Op::Hint(h, list) => hints[base[3] + usize::from(h)] = attempt!(hint(heap, r!(c[list]))),
                    Op::HintI(d, h, n) => match &mut hints[base[3] + usize::from(h)] {
                        Hint::Ints(hint) => r!(i[d]) = attempt!(hint.get(heap, r!(i[n]) as usize)),
                        hint => { let cell = attempt!(hinted(heap, hint, r!(i[n]))); r!(i[d]) = attempt!(values::int(heap, cell)) }
                    },
                    Op::HintF(d, h, n) => match &mut hints[base[3] + usize::from(h)] {
                        Hint::Floats(hint) => r!(f[d]) = attempt!(hint.get(heap, r!(i[n]) as usize)),
                        hint => { let cell = attempt!(hinted(heap, hint, r!(i[n]))); r!(f[d]) = attempt!(values::float(heap, cell)) }
                    },
                    Op::HintC(d, h, n) => match &mut hints[base[3] + usize::from(h)] {
                        Hint::Cells(hint) => r!(c[d]) = attempt!(hint.get(heap, r!(i[n]) as usize)),
                        hint => made!(d, hinted(heap, hint, r!(i[n]))),
                    },

                    Op::NewMap(d, first, n) => made!(d, new_map(heap, shapes, some!(c, first, 2 * u16::from(n)))),
                    Op::NewStruct(d, first, n, shape) => made!(d, heap.alloc(Struct::of(u32::from(shape), some!(c, first, n)))),
                    Op::GetField(d, a, n, shape) => match heap.get::<Struct>(r!(c[a])) {
                        Ok(view) if view.shape() == u32::from(shape) => r!(c[d]) = attempt!(view.get(usize::from(n))),
                        _ => made!(d, other_field(heap, shapes, r!(c[a]), shape, n)),
                    },
                    Op::SetField(a, n, v, shape) => {
                        if heap.get::<Struct>(r!(c[a])).is_ok_and(|view| view.shape() == u32::from(shape)) {
                            attempt!(attempt!(heap.get_mut::<Struct>(r!(c[a]))).set(usize::from(n), r!(c[v])));
                        } else {
                            let name = &shapes[usize::from(shape)].fields[usize::from(n)].0;
                            let key = attempt!(heap.string(name));
                            attempt!(set_field(heap, shapes, r!(c[a]), name, key, r!(c[v])));
                        }
                    }
                    Op::GetName(d, a, name) => {
                        let (text, key) = (&program.names[usize::from(name)], names[usize::from(name)]);
                        match attempt!(values::field(heap, shapes, r!(c[a]), text, key)) {
                            Some(cell) => r!(c[d]) = cell,
                            None => break 'run Trap::Message(format!("there is no field `{text}`")),
                        }
                    }
                    Op::SetName(a, v, name) => {
                        safe_point!();
                        let (text, key) = (&program.names[usize::from(name)], names[usize::from(name)]);
                        attempt!(set_field(heap, shapes, r!(c[a]), text, key, r!(c[v])));
                    }
                    Op::IsShape(d, a, shape) => {
                        set_i!(d, heap.get::<Struct>(r!(c[a])).is_ok_and(|view| view.shape() == u32::from(shape)));
                    }

                    Op::Concat(d, first, n) => made!(d, concat(heap, some!(c, first, n))),
                    Op::TextAt(d, a, n) => made!(d, text_at(heap, ascii, r!(c[a]), r!(i[n]))),
                    Op::SubText(d, a, n) => made!(d, sub_text(heap, ascii, r!(c[a]), r!(i[n]), i[(usize::from(n) + 1) % WINDOW])),

                    Op::Any(op, d, a, b) => made!(d, match op {
                        AnyOp::Union | AnyOp::UnionAll | AnyOp::Except | AnyOp::Intersect => {
                            set_operation(heap, shapes, op, r!(c[a]), r!(c[b]))
                        }
                        _ => values::arithmetic(heap, op, r!(c[a]), r!(c[b])),
                    }),
                    Op::NegAny(d, a) => match r!(c[a]).as_float() {
                        Some(float) => r!(c[d]) = Cell::float(-float),
                        None => made!(d, values::arithmetic(heap, AnyOp::Sub, Cell::from(0), r!(c[a]))),
                    },
                    Op::CmpC(compare, d, a, b) => set_i!(d, match compare {
                        Compare::Lt => attempt!(values::below(heap, r!(c[a]), r!(c[b]), false)),
                        Compare::Le => attempt!(values::below(heap, r!(c[a]), r!(c[b]), true)),
                    }),
                    Op::Truthy(d, a) => set_i!(d, attempt!(values::truthy(heap, r!(c[a])))),
                    Op::In(d, item, all) => {
                        safe_point!();
                        let (item, all) = (r!(c[item]), r!(c[all]));
                        set_i!(d, match heap.get::<Map>(all) {
                            Ok(map) if is_plain_key(item) => attempt!(map.contains(item)),
                            _ => attempt!(values::contains(heap, shapes, all, item)),
                        });
                    }
                    Op::Slice(d, a, first) => {
                        let parts = [0, 1, 2].map(|n| c[(usize::from(first) + n) % WINDOW]);
                        made!(d, stepped(heap, r!(c[a]), parts));
                    }
                    Op::Cast(d, a, ty) => made!(d, builtins::cast(heap, shapes, r!(c[a]), &program.types[usize::from(ty)])),
                    Op::Builtin(builtin, d, first, n) => made!(d, {
                        let mut context = Context { heap, shapes, out: &mut **out, started: *started };
                        builtin.call(&mut context, some!(c, first, n))
                    }),
                    Op::Print(first, n) => {
                        let mut context = Context { heap, shapes, out: &mut **out, started: *started };
                        attempt!(context.print(some!(c, first, n)));
                    }
                    Op::Expect(a) => if r!(i[a]) == 0 {
                        break 'run Trap::Message("this expectation is not met".to_owned());
                    },
                    Op::Test(name, to) => test = Some((to as usize, constants[usize::from(name)])),
                    Op::Passed => if let Some((_, name)) = test.take() {
                        tests.0 += 1;
                        let _ = writeln!(out, "ok      {}", values::text(heap, shapes, name));
                    },
                    Op::NoMatch => break 'run Trap::Message("no pattern fits this value".to_owned()),
                }
            };

            // Memory that was refused may be there after a collection.
            let refused = matches!(
                failed,
                Trap::Heap(Error::Limit(_) | Error::OutOfMemory | Error::ArenaFull { .. })
            );
            pc = pc.saturating_sub(1);
            if refused {
                let top = base[2] + usize::from(function.frame[2]);
                let others = [&globals.2, constants, names];
                if collect(heap, pauses, &cells[..top], others).is_ok_and(|worth| worth) {
                    continue 'again;
                }
            }
            let fault = describe(failed, program, current, pc, frames);
            // A test that fails is reported, and the program goes on behind it.
            if let Some((to, name)) = test.take() {
                let _ = writeln!(out, "FAILED  {}", values::text(heap, shapes, name));
                tests.1.push(fault);
                frames.clear();
                base = [0; 4];
                current = u32::from(entry);
                function = &*functions[usize::from(entry)];
                code = function.code.as_slice();
                pc = to;
                continue 'again;
            }
            return Err(fault);
        }
    }
}

/// The failure with its place, and the calls that led to it.
fn describe(trap: Trap, program: &Program, current: u32, pc: usize, frames: &[Frame]) -> Fault {
    let place = |function: u32, pc: usize| {
        program
            .functions
            .get(function as usize)
            .and_then(|it| it.places.get(pc))
            .copied()
            .unwrap_or(0)
    };
    let name = |function: u32| {
        program.functions.get(function as usize).map_or(String::new(), |it| it.name.clone())
    };
    let mut fault = Fault::new(place(current, pc), message(trap));
    let mut callee = current;
    for frame in frames.iter().rev() {
        let at = place(frame.function, (frame.pc as usize).saturating_sub(1));
        fault.trace.push((name(callee), at));
        callee = frame.function;
        if fault.trace.len() > 1000 {
            break;
        }
    }
    fault
}

fn message(trap: Trap) -> String {
    match trap {
        Trap::Message(message) => message,
        Trap::Heap(Error::DivisionByZero) => "division by zero".to_owned(),
        Trap::Heap(Error::OutOfRange { index, len }) => {
            format!("index out of range: index {index}, length {len}")
        }
        Trap::Heap(Error::Limit(_)) => "out of memory: the limit is reached".to_owned(),
        Trap::Heap(error) => error.to_string(),
    }
}

#[cold]
fn overflow() -> Trap {
    Trap::Message("integer overflow: the result does not fit into 64 bits".to_owned())
}

#[cold]
fn too_deep() -> Trap {
    Trap::Message("stack too deep".to_owned())
}

#[cold]
fn bad_division(divisor: i64) -> Trap {
    if divisor == 0 { Trap::Heap(Error::DivisionByZero) } else { overflow() }
}

#[cold]
fn missing(heap: &Heap, shapes: &[crate::types::Shape], key: Cell) -> Trap {
    let key = values::shown(heap, shapes, key, values::Style::Quoted);
    Trap::Message(format!("there is no key {key} in this map"))
}

#[cold]
fn grow<T: Clone>(bank: &mut Vec<T>, base: usize, value: T) {
    if base + WINDOW > bank.len() {
        bank.resize((base + WINDOW) * 2, value);
    }
}

/// Collects; answers whether that was worth it.
#[cold]
fn collect(
    heap: &mut Heap,
    pauses: &mut Pauses,
    registers: &[Cell],
    others: [&Vec<Cell>; 3],
) -> Outcome<bool> {
    let start = Instant::now();
    let roots = registers.iter().chain(others.into_iter().flatten()).copied();
    let collected = heap.collect(roots)?;
    let took = start.elapsed();
    pauses.count += 1;
    pauses.total += took;
    pauses.longest = pauses.longest.max(took);
    pauses.freed += collected.freed;
    pauses.rest = if heap.policy().stress > 0 { 0 } else { collected.live / 8 };
    Ok(collected.freed > collected.live / 16)
}

/// Whether a cell is a key by itself: no list, map or record.
#[inline(always)]
fn is_plain_key(key: Cell) -> bool {
    matches!(key.kind(), None | Some(Kind::STR | Kind::BIGNUM))
}

#[inline(always)]
fn same(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<bool> {
    // Texts of up to five bytes are in the cell: equal texts are equal cells.
    if x == y && x.as_float().is_none() {
        return Ok(true);
    }
    if x.as_short_str().is_some() && values::is_text(y)
        || x.as_int().is_some() && y.as_int().is_some()
    {
        return Ok(false);
    }
    values::equal(heap, x, y)
}

/// The function that a closure calls, with its arguments laid out behind it. None if there were
/// too few: then their place is taken by a closure that keeps them.
fn callee(
    heap: &mut Heap,
    functions: &[std::rc::Rc<crate::bytecode::Function>],
    c: &mut [Cell; WINDOW],
    at: u8,
    count: u8,
) -> Outcome<Option<u16>> {
    let at = usize::from(at);
    let mut count = usize::from(count);
    loop {
        let Ok(view) = heap.get::<Closure>(c[at]) else {
            return trap(format!("{} cannot be called", values::type_name(heap, c[at])));
        };
        if view.function() != PARTIAL {
            let index = view.function();
            let arity = functions.get(index as usize).map_or(0, |it| it.arity);
            if count == arity {
                return Ok(Some(index as u16));
            }
            if count > arity {
                return trap(format!("this function takes {arity} arguments, not {count}"));
            }
            if count == 0 {
                return trap(format!("this function takes {arity} arguments"));
            }
            let kept = heap.alloc(Closure::of(PARTIAL, &c[at..=at + count]))?;
            c[at] = kept.into();
            return Ok(None);
        }
        // The function and the first arguments come from the closure.
        let kept = view.as_slice().to_vec();
        let first = kept.len() - 1;
        if at + count + first >= WINDOW {
            return trap("too many arguments");
        }
        c.copy_within(at + 1..at + 1 + count, at + 1 + first);
        c[at..=at + first].copy_from_slice(&kept);
        count += first;
    }
}

/// `append` to a variable's list: in place if it is the variable's own.
#[cold]
fn append(heap: &mut Heap, list: Cell, value: Cell, own: bool) -> Outcome<Cell> {
    let list = if list.is_null() {
        heap.alloc(List::of(&[]))?.into()
    } else if own {
        list
    } else {
        if !values::is_list(list) && list.kind() != Some(Kind::BYTES) {
            return trap(format!("append expects a list, found {}", values::type_name(heap, list)));
        }
        values::copied(heap, list)?
    };
    values::push(heap, list, value)
}

fn hint(heap: &mut Heap, list: Cell) -> Outcome<Hint> {
    Ok(match list.kind() {
        Some(Kind::I64ARR) => Hint::Ints(heap.hint::<I64Arr>(list, ..)?),
        Some(Kind::F64ARR) => Hint::Floats(heap.hint::<F64Arr>(list, ..)?),
        _ => Hint::Cells(heap.hint::<List>(list, ..)?),
    })
}

fn hinted(heap: &mut Heap, hint: &mut Hint, at: i64) -> Outcome<Cell> {
    match hint {
        Hint::Ints(hint) => {
            let value = hint.get(heap, at as usize)?;
            Ok(heap.int(value)?)
        }
        Hint::Floats(hint) => Ok(Cell::float(hint.get(heap, at as usize)?)),
        Hint::Cells(hint) => Ok(hint.get(heap, at as usize)?),
        Hint::None => trap("there is no hint here"),
    }
}

fn get(
    heap: &mut Heap,
    shapes: &[crate::types::Shape],
    ascii: &mut Ascii,
    all: Cell,
    key: Cell,
) -> Outcome<Option<Cell>> {
    match all.kind() {
        Some(Kind::MAP) => values::entry(heap, shapes, all, key),
        Some(Kind::STRUCT) if values::is_text(key) => {
            let name = heap.text(key)?.to_str_lossy().into_owned();
            values::field(heap, shapes, all, &name, key)
        }
        _ if all.is_null() => Ok(Some(Cell::NULL)),
        _ if values::is_text(all) => {
            let at = values::int(heap, key)?;
            text_at(heap, ascii, all, at).map(Some)
        }
        _ => {
            let at = values::int(heap, key)?;
            values::element(heap, all, at).map(Some)
        }
    }
}

fn get_or_null(
    heap: &mut Heap,
    shapes: &[crate::types::Shape],
    ascii: &mut Ascii,
    all: Cell,
    key: Cell,
) -> Outcome<Cell> {
    if values::is_list(all) {
        let (at, len) = (values::int(heap, key)?, values::len(heap, all)? as i64);
        if at >= len || at < -len {
            return Ok(Cell::NULL);
        }
    }
    Ok(get(heap, shapes, ascii, all, key)?.unwrap_or(Cell::NULL))
}

fn set(
    heap: &mut Heap,
    shapes: &[crate::types::Shape],
    all: Cell,
    key: Cell,
    value: Cell,
) -> Outcome<()> {
    match all.kind() {
        Some(Kind::MAP) => {
            let key = values::key(heap, shapes, key)?;
            heap.get_mut::<Map>(all)?.insert(key, value)?;
            Ok(())
        }
        Some(Kind::STRUCT) => {
            let name = heap.text(key)?.to_str_lossy().into_owned();
            set_field(heap, shapes, all, &name, key, value)
        }
        _ => {
            let at = values::int(heap, key)?;
            values::set_element(heap, all, at, value)
        }
    }
}

fn set_field(
    heap: &mut Heap,
    shapes: &[crate::types::Shape],
    base: Cell,
    name: &str,
    key: Cell,
    value: Cell,
) -> Outcome<()> {
    match base.kind() {
        Some(Kind::STRUCT) => {
            let shape = heap.get::<Struct>(base)?.shape() as usize;
            match shapes.get(shape).and_then(|shape| shape.field(name)) {
                Some(n) => Ok(heap.get_mut::<Struct>(base)?.set(n, value)?),
                None => trap(format!("there is no field `{name}`")),
            }
        }
        Some(Kind::MAP) => {
            heap.get_mut::<Map>(base)?.insert(key, value)?;
            Ok(())
        }
        _ => trap(format!("{} has no field `{name}`", values::type_name(heap, base))),
    }
}

/// A field of something that is not of the shape that its type says.
#[cold]
fn other_field(
    heap: &mut Heap,
    shapes: &[crate::types::Shape],
    base: Cell,
    shape: u16,
    n: u8,
) -> Outcome<Cell> {
    let Some((name, _)) =
        shapes.get(usize::from(shape)).and_then(|it| it.fields.get(usize::from(n)))
    else {
        return trap("there is no such field");
    };
    if base.is_null() {
        return trap(format!("null has no field `{name}`"));
    }
    let key = heap.string(name)?;
    match values::field(heap, shapes, base, name, key)? {
        Some(value) => Ok(value),
        None => trap(format!("there is no field `{name}`")),
    }
}

fn new_map(heap: &mut Heap, shapes: &[crate::types::Shape], entries: &[Cell]) -> Outcome<Cell> {
    let map = heap.alloc(Map::with_capacity(entries.len() / 2))?;
    for entry in entries.chunks_exact(2) {
        let key = values::key(heap, shapes, entry[0])?;
        heap.get_mut(map)?.insert(key, entry[1])?;
    }
    Ok(map.into())
}

/// Texts and integers put together.
fn concat(heap: &mut Heap, parts: &[Cell]) -> Outcome<Cell> {
    let mut digits = [[0_u8; 20]; 2];
    let [first, second] = &mut digits;
    if let [a, b] = *parts
        && let (Some(a), Some(b)) = (piece(a, first), piece(b, second))
    {
        return Ok(heap.concat(&[a, b])?);
    }
    let mut texts: Vec<String> = Vec::new();
    for &part in parts {
        if !values::is_text(part) {
            texts.push(heap.display(part).limit(usize::MAX).to_string());
        }
    }
    let mut numbers = texts.iter();
    let pieces: Vec<Piece<'_>> = parts
        .iter()
        .map(|&part| match values::is_text(part) {
            true => Piece::All(part),
            false => Piece::Str(numbers.next().map_or("", String::as_str)),
        })
        .collect();
    Ok(heap.concat(&pieces)?)
}

/// A part of a text that is put together, if it is a text or a small integer.
fn piece(cell: Cell, digits: &mut [u8; 20]) -> Option<Piece<'_>> {
    let Some(int) = cell.as_int() else {
        return values::is_text(cell).then_some(Piece::All(cell));
    };
    let mut rest = int.unsigned_abs();
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if int < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    std::str::from_utf8(&digits[at..]).ok().map(Piece::Str)
}

/// The character of a text at a place.
fn text_at(heap: &mut Heap, ascii: &mut Ascii, text: Cell, at: i64) -> Outcome<Cell> {
    let c = if text.kind() == Some(Kind::STR) && ascii.is(heap, text)? {
        let bytes = heap.get::<Str>(text)?.as_slice();
        char::from(bytes[values::position(at, bytes.len())?])
    } else {
        let text = heap.text(text)?;
        let at = values::position(at, text.chars().count())?;
        text.chars().nth(at).unwrap_or_default()
    };
    Ok(Cell::short_str(c.encode_utf8(&mut [0; 4])).unwrap_or_default())
}

/// The part of a text between two places.
fn sub_text(heap: &mut Heap, ascii: &mut Ascii, text: Cell, start: i64, end: i64) -> Outcome<Cell> {
    if text.kind() == Some(Kind::STR) && ascii.is(heap, text)? {
        let bytes = heap.get::<Str>(text)?.as_slice();
        let (start, end) = builtins::clamp(bytes.len() as i64, start, end);
        let part = &bytes[start..end];
        if part.len() <= 5
            && let Some(cell) = std::str::from_utf8(part).ok().and_then(Cell::short_str)
        {
            return Ok(cell);
        }
        return Ok(heap.concat(&[Piece::Part(text, start..end)])?);
    }
    let (start, end) = (heap.int(start)?, heap.int(end)?);
    builtins::slice(heap, text, start, end)
}

/// A slice with a step.
fn stepped(heap: &mut Heap, base: Cell, [start, end, step]: [Cell; 3]) -> Outcome<Cell> {
    let part = builtins::slice(heap, base, start, end)?;
    if step.is_null() {
        return Ok(part);
    }
    let step = values::int(heap, step)?;
    let Some(by) = usize::try_from(step.unsigned_abs()).ok().filter(|&by| by > 0) else {
        return trap("a slice needs a step that is not 0");
    };
    if values::is_text(part) {
        let text = heap.text(part)?.to_str_lossy().into_owned();
        let kept: String = every(text.chars().collect(), by, step < 0).into_iter().collect();
        return Ok(heap.string(&kept)?);
    }
    let kept = every(values::elements(heap, part)?, by, step < 0);
    Ok(heap.alloc(List::of(&kept))?.into())
}

fn every<T>(mut all: Vec<T>, by: usize, backwards: bool) -> Vec<T> {
    if backwards {
        all.reverse();
    }
    all.into_iter().step_by(by).collect()
}

/// Operations on lists as sets.
fn set_operation(
    heap: &mut Heap,
    shapes: &[crate::types::Shape],
    op: AnyOp,
    x: Cell,
    y: Cell,
) -> Outcome<Cell> {
    use segheap::Set;
    if op == AnyOp::UnionAll {
        return values::joined(heap, x, y);
    }
    let (a, b) = (values::elements(heap, x)?, values::elements(heap, y)?);
    let seen: Handle<Set> = heap.alloc(Set::new())?;
    let other: Handle<Set> = heap.alloc(Set::new())?;
    let kept = heap.alloc(List::of(&[]))?;
    let (source, filter) = match op {
        AnyOp::Union => ([a, b].concat(), Vec::new()),
        AnyOp::Except => (a, b),
        _ => (b, a),
    };
    for cell in filter {
        let key = values::key(heap, shapes, cell)?;
        heap.get_mut(other)?.insert(key)?;
    }
    for cell in source {
        let key = values::key(heap, shapes, cell)?;
        let keep = match op {
            AnyOp::Except => !heap.get(other)?.contains(key)?,
            AnyOp::Intersect => {
                heap.get(other)?.contains(key)? && heap.get_mut(seen)?.insert(key)?
            }
            _ => heap.get_mut(seen)?.insert(key)?,
        };
        if keep {
            heap.get_mut(kept)?.push(cell)?;
        }
    }
    heap.kill(seen)?;
    heap.kill(other)?;
    match (x.kind(), y.kind()) {
        (Some(kind @ (Kind::I64ARR | Kind::F64ARR)), other) if other == Some(kind) => {
            let made = heap.convert_across_any(kind, kept.into(), ..)?;
            heap.kill(kept)?;
            Ok(made)
        }
        _ => Ok(kept.into()),
    }
}
