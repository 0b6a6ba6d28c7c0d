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
use std::rc::Rc;
use std::time::{Duration, Instant};

use segheap::{
    Cell, Closure, Error, F64Arr, Heap, I64Arr, Kind, List, Map, Pair, RangeHint, Struct, TextPart,
};
use smallvec::SmallVec;

use crate::builtins::{iterated, optional};
use crate::bytecode::{Function, Op, Program};
use crate::errors::{Diagnostic, Result};
use crate::values::*;

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
}

pub(crate) struct Machine {
    pub(crate) context: Context,
    pub(crate) pauses: Pauses,
    ints: Vec<i64>,
    floats: Vec<f64>,
    cells: Vec<Cell>,
    hints: Vec<Hint>,
    frames: Vec<Frame>,
    globals: (Vec<i64>, Vec<f64>, Vec<Cell>),
    constants: Vec<Cell>,
    registers_max: usize,
    frames_max: usize,
    /// How many tests passed, and why the others failed.
    pub(crate) tests: (usize, Vec<Diagnostic>),
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
            context: Context::new(heap, out),
            pauses: Pauses::default(),
            ints: vec![0; 4 * WINDOW],
            floats: vec![0.0; 4 * WINDOW],
            cells: vec![Cell::NULL; 4 * WINDOW],
            hints: vec![Hint::None; WINDOW],
            frames: Vec::new(),
            globals: Default::default(),
            constants: Vec::new(),
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
        let policy = self.context.policy().with_stress(every);
        self.context.set_policy(policy);
    }

    /// Makes cells of what the program has in its tables.
    fn load(&mut self, program: &Program) -> Outcome<()> {
        for text in &program.constants[self.constants.len()..] {
            self.constants.push(self.context.string(text)?);
        }
        self.context.shapes.clone_from(&program.shapes);
        let [i, f, c] = program.globals;
        self.globals.0.resize(i, 0);
        self.globals.1.resize(f, 0.0);
        self.globals.2.resize(c, Cell::NULL);
        Ok(())
    }

    /// Runs a function without parameters; answers its value.
    pub(crate) fn run(&mut self, program: &Program, entry: u16) -> Result<Cell> {
        self.load(program).map_err(|error| Diagnostic::new(0, message(error)))?;
        self.frames.clear();
        let result = self.execute(program, entry);
        let flushed = self.context.out.flush();
        flushed.map_err(|error| Diagnostic::new(0, format!("cannot write: {error}"))).and(result)
    }

    fn execute(&mut self, program: &Program, entry: u16) -> Result<Cell> {
        let cx = &mut self.context;
        let functions = program.functions.as_slice();
        let (mut current, mut function, mut code, mut pc);
        macro_rules! begin {
            ($function:expr, $pc:expr) => {
                current = u32::from($function);
                function = &*functions[current as usize];
                (code, pc) = (function.code.as_slice(), $pc as usize);
            };
        }
        begin!(entry, 0);
        // Where the windows begin: i, f, c, hints.
        let mut base = [0_usize; 4];
        // The test that is running: where to go on, and its name. Tests are at the top level.
        let mut test: Option<(u32, Cell)> = None;
        self.hints.resize(self.hints.len().max(usize::from(function.frame_size[3])), Hint::None);

        'again: loop {
            macro_rules! windows {
                () => {{
                    let (i, f) =
                        (window(&mut self.ints, base[0]), window(&mut self.floats, base[1]));
                    (i, f, window(&mut self.cells, base[2]))
                }};
            }
            macro_rules! collect {
                () => {{
                    let registers = &self.cells[..base[2] + usize::from(function.frame_size[2])];
                    collect(cx, &mut self.pauses, [registers, &self.globals.2, &self.constants])
                }};
            }
            let (mut i, mut f, mut c) = windows!();
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
                macro_rules! safe_point {
                    () => {
                        if cx.should_collect() {
                            attempt!(collect!());
                            c = window(&mut self.cells, base[2]);
                        }
                    };
                }
                macro_rules! when { ($condition:expr, $to:expr) => { if $condition { pc = $to as usize } }; }
                macro_rules! set_i { ($d:expr, $value:expr) => { r!(i[$d]) = i64::from($value) }; }
                macro_rules! checked {
                    ($d:expr, $value:expr) => {
                        match $value { Some(value) => r!(i[$d]) = value, None => break 'run failure(OVERFLOW) }
                    };
                }
                // An operation that may allocate, and its value.
                macro_rules! made {
                    ($d:expr, $value:expr) => {{ safe_point!(); r!(c[$d]) = Cell::from(attempt!($value)); }};
                }
                // What an array of numbers holds, with the way round if the list is no array.
                macro_rules! append {
                    ($Kind:ty, $list:expr, $own:expr, $value:expr) => {{
                        safe_point!();
                        let own = r!(i[$own]) != 0;
                        if own && let Ok(mut list) = cx.get_mut::<$Kind>(r!(c[$list])) {
                            attempt!(list.push($value));
                        } else {
                            let cell = attempt!($value.to_cell(cx));
                            r!(c[$list]) = attempt!(append(cx, r!(c[$list]), cell, own));
                            r!(i[$own]) = 1;
                        }
                    }};
                }
                macro_rules! get {
                    ($Kind:ty, $list:expr, $n:expr) => {{
                        let (list, at) = (r!(c[$list]), r!(i[$n]));
                        match cx.get::<$Kind>(list).ok().and_then(|it| it.as_slice().get(at as usize).copied()) {
                            Some(value) => value,
                            None => { safe_point!(); let cell = attempt!(cx.element(list, at)); attempt!(Native::from_cell(cx, cell)) }
                        }
                    }};
                }
                macro_rules! put {
                    ($Kind:ty, $list:expr, $n:expr, $value:expr) => {{
                        let (list, at) = (r!(c[$list]), r!(i[$n]));
                        if let Ok(mut view) = cx.get_mut::<$Kind>(list)
                            && let Some(place) = attempt!(view.as_mut_slice()).get_mut(at as usize)
                        {
                            *place = $value;
                        } else {
                            let cell = attempt!($value.to_cell(cx));
                            attempt!(set_element(cx, list, at, cell));
                        }
                    }};
                }
                macro_rules! by_hint {
                    ($Kind:ident, $hint:expr, $n:expr) => {
                        match &mut self.hints[base[3] + usize::from($hint)] {
                            Hint::$Kind(hint) => attempt!(hint.get(cx, r!(i[$n]) as usize)),
                            hint => { safe_point!(); let cell = attempt!(hinted(cx, hint, r!(i[$n]))); attempt!(Native::from_cell(cx, cell)) }
                        }
                    };
                }
                macro_rules! enter {
                    ($function:expr, $i:expr, $f:expr, $c:expr) => {{
                        if self.frames.len() >= self.frames_max { break 'run failure(TOO_DEEP); }
                        self.frames.push(Frame { function: current, pc: pc as u32, base: base.map(|n| n as u32) });
                        base[0] += usize::from($i);
                        base[1] += usize::from($f);
                        base[2] += usize::from($c);
                        base[3] += usize::from(function.frame_size[3]);
                        begin!($function, 0);
                        if base[0] + WINDOW > self.ints.len() || base[1] + WINDOW > self.floats.len() || base[2] + WINDOW > self.cells.len() {
                            if base[0].max(base[1]).max(base[2]) > self.registers_max { break 'run failure(TOO_DEEP); }
                            grow(&mut self.ints, base[0], 0);
                            grow(&mut self.floats, base[1], 0.0);
                            grow(&mut self.cells, base[2], Cell::NULL);
                        }
                        if function.frame_size[3] > 0 { grow(&mut self.hints, base[3], Hint::None); }
                        (i, f, c) = windows!();
                    }};
                }
                macro_rules! leave {
                    () => {{
                        let Some(frame) = self.frames.pop() else { break 'run failure("no frame") };
                        base = frame.base.map(|n| n as usize);
                        begin!(frame.function, frame.pc);
                        (i, f, c) = windows!();
                    }};
                }

                let Some(&op) = code.get(pc) else { break 'run failure("the code has no end") };
                pc += 1;
                match op {
                    Op::LoadI(d, value) => set_i!(d, value),
                    Op::ConstI(d, k) => r!(i[d]) = program.numbers[usize::from(k)],
                    Op::ConstF(d, k) => r!(f[d]) = f64::from_bits(program.numbers[usize::from(k)] as u64),
                    Op::ConstC(d, k) => r!(c[d]) = self.constants[usize::from(k)],
                    Op::LoadNull(d) => r!(c[d]) = Cell::NULL,
                    Op::MoveI(d, a) => r!(i[d]) = r!(i[a]),
                    Op::MoveF(d, a) => r!(f[d]) = r!(f[a]),
                    Op::MoveC(d, a) => r!(c[d]) = r!(c[a]),

                    Op::AddI(d, a, b) => checked!(d, r!(i[a]).checked_add(r!(i[b]))),
                    Op::SubI(d, a, b) => checked!(d, r!(i[a]).checked_sub(r!(i[b]))),
                    Op::MulI(d, a, b) => checked!(d, r!(i[a]).checked_mul(r!(i[b]))),
                    Op::DivI(_, _, b) | Op::ModI(_, _, b) if r!(i[b]) == 0 => break 'run Error::DivisionByZero.into(),
                    Op::DivI(d, a, b) => checked!(d, r!(i[a]).checked_div(r!(i[b]))),
                    Op::ModI(d, a, b) => r!(i[d]) = r!(i[a]).wrapping_rem(r!(i[b])),
                    Op::AddIK(d, a, k) => checked!(d, r!(i[a]).checked_add(i64::from(k))),
                    Op::MulIK(d, a, k) => checked!(d, r!(i[a]).checked_mul(i64::from(k))),
                    // The compiler makes these with a positive constant only.
                    Op::DivIK(d, a, k) => checked!(d, r!(i[a]).checked_div(i64::from(k))),
                    Op::ModIK(d, a, k) => checked!(d, r!(i[a]).checked_rem(i64::from(k))),

                    Op::AddF(d, a, b) => r!(f[d]) = r!(f[a]) + r!(f[b]),
                    Op::SubF(d, a, b) => r!(f[d]) = r!(f[a]) - r!(f[b]),
                    Op::MulF(d, a, b) => r!(f[d]) = r!(f[a]) * r!(f[b]),
                    Op::DivF(_, _, b) | Op::ModF(_, _, b) if r!(f[b]) == 0.0 => break 'run Error::DivisionByZero.into(),
                    Op::DivF(d, a, b) => r!(f[d]) = r!(f[a]) / r!(f[b]),
                    Op::ModF(d, a, b) => r!(f[d]) = r!(f[a]) % r!(f[b]),
                    Op::SqrtF(d, a) => r!(f[d]) = r!(f[a]).sqrt(),
                    Op::IToF(d, a) => r!(f[d]) = r!(i[a]) as f64,
                    Op::FToI(d, a) => r!(i[d]) = r!(f[a]) as i64,
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
                    Op::JEqC(a, b, to) => when!(attempt!(equal(cx, r!(c[a]), r!(c[b]))), to),
                    Op::JNeC(a, b, to) => when!(!attempt!(equal(cx, r!(c[a]), r!(c[b]))), to),
                    Op::JNull(a, to) => when!(r!(c[a]).is_null(), to),
                    Op::JNotNull(a, to) => when!(!r!(c[a]).is_null(), to),
                    Op::ForLoop(a, end, to) => {
                        r!(i[a]) = r!(i[a]).saturating_add(1);
                        when!(r!(i[a]) < r!(i[end]), to);
                    }

                    Op::BoxI(d, a) => match Cell::int(r!(i[a])) {
                        Some(cell) => r!(c[d]) = cell,
                        None => made!(d, cx.int(r!(i[a]))),
                    },
                    Op::BoxF(d, a) => r!(c[d]) = Cell::float(r!(f[a])),
                    Op::BoxB(d, a) => r!(c[d]) = Cell::bool(r!(i[a]) != 0),
                    Op::UnboxI(d, a) => match r!(c[a]).as_int() {
                        Some(value) => r!(i[d]) = value,
                        None => r!(i[d]) = attempt!(expect_int(cx, r!(c[a]))),
                    },
                    Op::UnboxF(d, a) => match r!(c[a]).as_float() {
                        Some(value) => r!(f[d]) = value,
                        None => r!(f[d]) = attempt!(expect_float(cx, r!(c[a]))),
                    },
                    Op::UnboxB(d, a) => set_i!(d, attempt!(expect_bool(cx, r!(c[a])))),

                    Op::GetGI(d, slot) => r!(i[d]) = self.globals.0[usize::from(slot)],
                    Op::GetGF(d, slot) => r!(f[d]) = self.globals.1[usize::from(slot)],
                    Op::GetGC(d, slot) => r!(c[d]) = self.globals.2[usize::from(slot)],
                    Op::SetGI(slot, a) => self.globals.0[usize::from(slot)] = r!(i[a]),
                    Op::SetGF(slot, a) => self.globals.1[usize::from(slot)] = r!(f[a]),
                    Op::SetGC(slot, a) => self.globals.2[usize::from(slot)] = r!(c[a]),

                    Op::Call(callee, wi, wf, wc) => enter!(callee, wi, wf, wc),
                    Op::CallValue(a, count) => {
                        safe_point!();
                        // Of too few arguments a closure was made.
                        if let Some(callee) = attempt!(callee(cx, functions, &mut c[usize::from(a)..], count)) {
                            enter!(callee, function.frame_size[0], function.frame_size[1], a)
                        }
                    }
                    Op::RetI(a) => { i[0] = r!(i[a]); leave!() }
                    Op::RetF(a) => { f[0] = r!(f[a]); leave!() }
                    Op::RetC(a) => {
                        c[0] = r!(c[a]);
                        if self.frames.is_empty() { return Ok(c[0]); }
                        leave!()
                    }

                    Op::Closure(d, first, n, callee) => made!(d, cx.alloc(Closure::of(u32::from(callee), some!(c, first, n)))),
                    Op::GetUpvalue(d, n) => r!(c[d]) = attempt!(cx.get::<Closure>(c[0]).and_then(|it| it.get(usize::from(n)))),
                    Op::NewBox(d, a) => made!(d, cx.alloc(Pair::of(r!(c[a]), Cell::NULL))),
                    Op::GetBox(d, a) => r!(c[d]) = attempt!(cx.get::<Pair>(r!(c[a])).and_then(|it| it.first())),
                    Op::SetBox(a, v) => attempt!(attempt!(cx.get_mut::<Pair>(r!(c[a]))).set(0, r!(c[v]))),

                    Op::NewList(d, first, n) => made!(d, cx.alloc(List::of(some!(c, first, n)))),
                    Op::NewI(d, first, n) => made!(d, cx.alloc(I64Arr::of(some!(i, first, n)))),
                    Op::NewF(d, first, n) => made!(d, cx.alloc(F64Arr::of(some!(f, first, n)))),
                    Op::Push(list, a) => made!(list, push(cx, r!(c[list]), r!(c[a]))),
                    Op::AppendC(list, a, own) => append!(List, list, own, r!(c[a])),
                    Op::AppendI(list, a, own) => append!(I64Arr, list, own, r!(i[a])),
                    Op::AppendF(list, a, own) => append!(F64Arr, list, own, r!(f[a])),
                    Op::GetI(d, list, n) => r!(i[d]) = get!(I64Arr, list, n),
                    Op::GetF(d, list, n) => r!(f[d]) = get!(F64Arr, list, n),
                    Op::GetB(d, list, n) => { let cell = get!(List, list, n); set_i!(d, attempt!(expect_bool(cx, cell))) }
                    Op::GetC(d, list, n) => r!(c[d]) = get!(List, list, n),
                    Op::SetI(list, n, a) => put!(I64Arr, list, n, r!(i[a])),
                    Op::SetF(list, n, a) => put!(F64Arr, list, n, r!(f[a])),
                    Op::SetB(list, n, a) => put!(List, list, n, Cell::bool(r!(i[a]) != 0)),
                    Op::SetC(list, n, a) => put!(List, list, n, r!(c[a])),
                    Op::GetKey(d, all, key) => made!(d, cx.index(r!(c[all]), r!(c[key]))),
                    Op::GetKeyOrNull(d, all, key) => made!(d, cx.lookup_or_null(r!(c[all]), r!(c[key]))),
                    Op::SetKey(all, key, a) => { safe_point!(); attempt!(cx.set_index(r!(c[all]), r!(c[key]), r!(c[a]))) }
                    Op::Len(d, a) => r!(i[d]) = attempt!(len(cx, r!(c[a]))) as i64,
                    Op::ToList(d, a) => made!(d, iterated(cx, r!(c[a]))),
                    Op::MakeHint(h, list) => self.hints[base[3] + usize::from(h)] = attempt!(hint(cx, r!(c[list]))),
                    Op::GetHintedI(d, h, n) => r!(i[d]) = by_hint!(Ints, h, n),
                    Op::GetHintedF(d, h, n) => r!(f[d]) = by_hint!(Floats, h, n),
                    Op::GetHintedC(d, h, n) => r!(c[d]) = by_hint!(Cells, h, n),

                    Op::NewMap(d) => made!(d, cx.alloc(Map::new())),
                    Op::NewStruct(d, first, n, shape) => made!(d, cx.alloc(Struct::of(u32::from(shape), some!(c, first, n)))),
                    Op::GetField(d, a, n, shape) => match cx.get::<Struct>(r!(c[a])) {
                        Ok(view) if view.shape() == u32::from(shape) => r!(c[d]) = attempt!(view.get(usize::from(n))),
                        _ => made!(d, cx.field_slow(r!(c[a]), shape, n)),
                    },
                    Op::SetField(a, n, v, shape) => if is_shape(cx, r!(c[a]), shape) {
                        attempt!(attempt!(cx.get_mut::<Struct>(r!(c[a]))).set(usize::from(n), r!(c[v])));
                    } else {
                        let name = attempt!(cx.field_name(shape, n));
                        attempt!(cx.set_index(r!(c[a]), name, r!(c[v])));
                    },
                    Op::GetNamed(d, a, name) => r!(c[d]) = attempt!(cx.field_or_error(r!(c[a]), self.constants[usize::from(name)])),
                    Op::SetNamed(a, v, name) => { safe_point!(); attempt!(cx.set_index(r!(c[a]), self.constants[usize::from(name)], r!(c[v]))) }
                    Op::IsShape(d, a, shape) => set_i!(d, is_shape(cx, r!(c[a]), shape)),

                    Op::Concat(d, first, n) => made!(d, concat(cx, some!(c, first, n))),
                    Op::Substring(d, a, n) => made!(d, cx.substring(r!(c[a]), r!(i[n]), i[(usize::from(n) + 1) % WINDOW])),

                    Op::Arith(op, d, a, b) => made!(d, cx.arith(op, r!(c[a]), r!(c[b]))),
                    Op::LessC(or_equal, d, a, b) => set_i!(d, attempt!(less_than(cx, r!(c[a]), r!(c[b]), or_equal))),
                    Op::Truthy(d, a) => set_i!(d, attempt!(is_truthy(cx, r!(c[a])))),
                    Op::In(d, item, all) => { safe_point!(); set_i!(d, attempt!(cx.contains(r!(c[all]), r!(c[item])))) }
                    Op::Slice(d, a, first) => made!(d, slice_with_step(cx, r!(c[a]), some!(c, first, 3_u8))),
                    Op::Cast(d, a, ty) => made!(d, cx.cast(r!(c[a]), &program.types[usize::from(ty)])),
                    Op::Builtin(builtin, d, first, n) => made!(d, builtin.call(cx, some!(c, first, n))),
                    Op::Expect(a) => if r!(i[a]) == 0 { break 'run failure("this expectation is not met") },
                    Op::TestBegin(name, to) => test = Some((to, self.constants[usize::from(name)])),
                    Op::TestPassed => if let Some((_, name)) = test.take() {
                        self.tests.0 += 1;
                        let _ = writeln!(cx.out, "ok      {}", cx.heap.display(name));
                    },
                    Op::NoMatch => break 'run failure("no pattern fits this value"),
                }
            };

            pc = pc.saturating_sub(1);
            // Memory that was refused may be there after a collection.
            if let Trap::Heap(Error::Limit(_) | Error::OutOfMemory | Error::ArenaFull { .. }) =
                failed
                && let Ok(true) = collect!()
            {
                continue 'again;
            }
            let diagnostic = describe(failed, program, current, pc, &self.frames);
            // A test that fails is reported, and the program goes on behind it.
            if let Some((to, name)) = test.take() {
                let _ = writeln!(cx.out, "FAILED  {}", cx.heap.display(name));
                self.tests.1.push(diagnostic);
                self.frames.clear();
                base = [0; 4];
                begin!(entry, to);
                continue 'again;
            }
            return Err(diagnostic);
        }
    }
}

/// The failure with its place, and the calls that led to it.
fn describe(
    trap: Trap,
    program: &Program,
    current: u32,
    pc: usize,
    frames: &[Frame],
) -> Diagnostic {
    let function = |n: u32| &program.functions[n as usize];
    let place = |n: u32, pc: usize| function(n).positions.get(pc).copied().unwrap_or(0);
    let mut diagnostic = Diagnostic::new(place(current, pc), message(trap));
    let mut callee = current;
    for frame in frames.iter().rev().take(1000) {
        let at = place(frame.function, (frame.pc as usize).saturating_sub(1));
        diagnostic.trace.push((function(callee).name.clone(), at));
        callee = frame.function;
    }
    diagnostic
}

fn message(trap: Trap) -> String {
    match trap {
        Trap::Message(message) => message,
        Trap::Heap(Error::Limit(_)) => "out of memory: the limit is reached".to_owned(),
        Trap::Heap(error) => error.to_string(),
    }
}

const OVERFLOW: &str = "integer overflow: the result does not fit into 64 bits";
const TOO_DEEP: &str = "stack too deep";

#[cold]
fn failure(message: &str) -> Trap {
    Trap::Message(message.to_owned())
}

#[cold]
fn grow<T: Clone>(bank: &mut Vec<T>, base: usize, value: T) {
    if base + WINDOW > bank.len() {
        bank.resize((base + WINDOW) * 2, value);
    }
}

/// Collects; answers whether that was worth it.
#[cold]
fn collect(heap: &mut Heap, pauses: &mut Pauses, roots: [&[Cell]; 3]) -> Outcome<bool> {
    let start = Instant::now();
    let collected = heap.collect(roots.into_iter().flatten().copied())?;
    let took = start.elapsed();
    pauses.count += 1;
    pauses.total += took;
    pauses.longest = pauses.longest.max(took);
    pauses.freed += collected.freed;
    Ok(collected.freed > collected.live / 16)
}

/// The function that a closure calls, with its arguments laid out behind it. None if there were
/// too few: then their place is taken by a closure that keeps them.
fn callee(
    heap: &mut Heap,
    all: &[Rc<Function>],
    c: &mut [Cell],
    count: u8,
) -> Outcome<Option<u16>> {
    let mut count = usize::from(count);
    loop {
        let Ok(view) = heap.get::<Closure>(c[0]) else {
            return trap(format!("{} cannot be called", type_name(heap, c[0])));
        };
        let function = view.function();
        if function == PARTIAL {
            // The function and the first arguments come from the closure.
            let kept = view.as_slice().to_vec();
            if count + kept.len() > c.len() {
                return trap("too many arguments");
            }
            c.copy_within(1..=count, kept.len());
            c[..kept.len()].copy_from_slice(&kept);
            count += kept.len() - 1;
            continue;
        }
        let arity = all.get(function as usize).map_or(0, |it| it.arity);
        if count == arity {
            return Ok(Some(function as u16));
        }
        if count > arity || count == 0 {
            return trap(format!("this function takes {arity} arguments, not {count}"));
        }
        c[0] = heap.alloc(Closure::of(PARTIAL, &c[..=count]))?.into();
        return Ok(None);
    }
}

/// `append` to a variable's list: in place if it is the variable's own.
#[cold]
fn append(heap: &mut Heap, list: Cell, value: Cell, own: bool) -> Outcome<Cell> {
    let list = if own { list } else { copy_list(heap, list)? };
    push(heap, list, value)
}

fn hint(heap: &mut Heap, list: Cell) -> Outcome<Hint> {
    Ok(match list.kind() {
        Some(Kind::I64ARR) => Hint::Ints(heap.hint::<I64Arr>(list, ..)?),
        Some(Kind::F64ARR) => Hint::Floats(heap.hint::<F64Arr>(list, ..)?),
        _ => Hint::Cells(heap.hint::<List>(list, ..)?),
    })
}

/// An element by a hint for another kind of list than was thought.
fn hinted(heap: &mut Heap, hint: &mut Hint, at: i64) -> Outcome<Cell> {
    match hint {
        Hint::Ints(hint) => hint.get(heap, at as usize)?.to_cell(heap),
        Hint::Floats(hint) => hint.get(heap, at as usize)?.to_cell(heap),
        Hint::Cells(hint) => Ok(hint.get(heap, at as usize)?),
        Hint::None => trap("there is no hint here"),
    }
}

/// Texts and integers put together.
fn concat(heap: &mut Heap, parts: &[Cell]) -> Outcome<Cell> {
    let mut buffers = SmallVec::<[_; 4]>::from_elem(itoa::Buffer::new(), parts.len());
    let mut pieces = SmallVec::<[TextPart<'_>; 4]>::new();
    for (&part, buffer) in parts.iter().zip(&mut buffers) {
        pieces.push(match part.as_int() {
            Some(int) => TextPart::Str(buffer.format(int)),
            None if is_string(part) => TextPart::Whole(part),
            None => TextPart::Whole(heap.string(&decimal(heap, part))?),
        });
    }
    Ok(heap.concat(&pieces)?)
}

/// A slice with a step.
fn slice_with_step(cx: &mut Context, base: Cell, parts: &[Cell]) -> Outcome<Cell> {
    let part = cx.slice(base, optional(cx, parts[0], 0)?, optional(cx, parts[1], i64::MAX)?)?;
    let by = match optional(cx, parts[2], 1)? {
        0 => return trap("a slice needs a step that is not 0"),
        1 => return Ok(part),
        by => by,
    };
    let list = iterated(cx, part)?;
    let mut cells = elements(cx, list)?;
    if by < 0 {
        cells.reverse();
    }
    let step = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX);
    let kept: Vec<Cell> = cells.into_iter().step_by(step).collect();
    let list = cx.alloc(List::of(&kept))?;
    if is_string(part) { Ok(cx.join(list, .., "")?) } else { convert_like(cx, list.into(), part) }
}
