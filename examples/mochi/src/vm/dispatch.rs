//! The dispatch loop.

use std::io::Write;

use segheap::{Cell, Closure, Error, F64Arr, I64Arr, List, Map, Pair, Struct};

use super::ops::*;
use super::{Frame, Hint, STACK_OVERFLOW, Vm, WINDOW, collect_debt, grow, window};
use crate::builtins::to_list;
use crate::bytecode::{Op, Program};
use crate::interrupt;
use crate::values::*;

const INTEGER_OVERFLOW: &str = "integer overflow: result does not fit in 64 bits";

#[cold]
fn failure(message: &str) -> Trap {
    Trap::Message(message.to_owned())
}

impl Vm {
    /// Runs from [`Vm::at`] on until the call stack is empty, or an instruction fails; that one is
    /// then in [`Vm::at`], and runs again if it goes on from there. With `METERED`, each
    /// instruction takes one of [`Vm::fuel`].
    ///
    /// This is the one long function of the VM: the windows, the code and the program counter are
    /// its locals, so that the compiler can keep them in machine registers. The macros are its
    /// subroutines.
    ///
    /// An instruction that allocates starts with a safe point: all live objects are reachable from
    /// registers, globals and constants, so a collection may run, or a step of one. An instruction
    /// that fails for want of memory may run again after a collection, as a failed operation of
    /// the heap has no effect.
    pub(super) fn execute<const METERED: bool>(&mut self, program: &Program) -> Outcome<Cell> {
        let cx = &mut self.context;
        let functions = program.functions.as_slice();
        let (mut current, mut function, mut code, mut pc);
        macro_rules! load_code {
            ($function:expr, $pc:expr) => {
                current = u32::from($function);
                function = &*functions[current as usize];
                (code, pc) = (function.code.as_slice(), $pc as usize);
            };
        }
        load_code!(self.at.function, self.at.pc);
        // The start of the windows: banks i, f and c, and hints.
        let mut base = self.at.base.map(|n| n as usize);
        self.hints.resize(
            self.hints.len().max(base[3] + usize::from(function.frame_size[3])),
            Hint::None,
        );
        macro_rules! windows {
            () => {{
                let (i, f) = (window(&mut self.ints, base[0]), window(&mut self.floats, base[1]));
                (i, f, window(&mut self.cells, base[2]))
            }};
        }
        let (mut i, mut f, mut c) = windows!();
        #[rustfmt::skip]
        let trap: Trap = 'dispatch: loop {
            macro_rules! attempt {
                ($outcome:expr) => { match $outcome { Ok(value) => value, Err(error) => break 'dispatch error.into() } };
            }
            macro_rules! r { ($bank:ident[$reg:expr]) => { $bank[usize::from($reg)] }; }
            macro_rules! regs {
                ($bank:ident, $first:expr, $count:expr) => {
                    &$bank[usize::from($first)..usize::from($first) + usize::from($count)]
                };
            }
            macro_rules! safe_point {
                () => {
                    if cx.has_debt() {
                        let registers = &self.cells[..base[2] + usize::from(function.frame_size[2])];
                        let roots = [registers, &self.globals.cells, &self.constants];
                        attempt!(collect_debt(cx, &mut self.gc_stats, roots));
                        c = window(&mut self.cells, base[2]);
                    }
                };
            }
            // A request to stop takes the program counter out of range.
            macro_rules! jump { ($to:expr) => { pc = $to as usize | interrupt::requested() }; }
            macro_rules! jump_if { ($condition:expr, $to:expr) => { if $condition { jump!($to) } }; }
            macro_rules! set_i { ($d:expr, $value:expr) => { r!(i[$d]) = i64::from($value) }; }
            macro_rules! checked {
                ($d:expr, $value:expr) => {
                    match $value { Some(value) => r!(i[$d]) = value, None => break 'dispatch failure(INTEGER_OVERFLOW) }
                };
            }
            // Evaluates an operation that may allocate.
            macro_rules! alloc_into {
                ($d:expr, $value:expr) => {{ safe_point!(); r!(c[$d]) = Cell::from(attempt!($value)); }};
            }
            // Typed lists: the fast path is the kind that the static type suggests; the slow path
            // takes any kind.
            macro_rules! append {
                ($Kind:ty, $list:expr, $owned:expr, $value:expr) => {{
                    safe_point!();
                    let owned = r!(i[$owned]) != 0;
                    if owned && let Ok(mut list) = cx.get_mut::<$Kind>(r!(c[$list])) {
                        attempt!(list.push($value));
                    } else {
                        let cell = attempt!($value.to_cell(cx));
                        let (list, owned) = attempt!(append_slow(cx, r!(c[$list]), cell, owned));
                        r!(c[$list]) = list;
                        r!(i[$owned]) = owned.into();
                    }
                }};
            }
            macro_rules! get_element {
                ($Kind:ty, $list:expr, $n:expr) => {{
                    let (list, index) = (r!(c[$list]), r!(i[$n]));
                    match cx.get::<$Kind>(list).ok().and_then(|it| it.as_slice().get(index as usize).copied()) {
                        Some(value) => value,
                        None => { safe_point!(); let cell = attempt!(cx.element(list, index)); attempt!(Native::from_cell(cx, cell)) }
                    }
                }};
            }
            macro_rules! set_element {
                ($Kind:ty, $list:expr, $n:expr, $value:expr) => {{
                    let (list, index) = (r!(c[$list]), r!(i[$n]));
                    if let Ok(mut view) = cx.get_mut::<$Kind>(list)
                        && let Some(element) = view.as_mut_slice().get_mut(index as usize)
                    {
                        *element = $value;
                    } else {
                        let cell = attempt!($value.to_cell(cx));
                        attempt!(set_element(cx, list, index, cell));
                    }
                }};
            }
            macro_rules! get_hinted {
                ($Kind:ident, $hint:expr, $n:expr) => {
                    match &mut self.hints[base[3] + usize::from($hint)] {
                        Hint::$Kind(hint) => attempt!(hint.get(cx, r!(i[$n]) as usize)),
                        hint => { safe_point!(); let cell = attempt!(get_hinted(cx, hint, r!(i[$n]))); attempt!(Native::from_cell(cx, cell)) }
                    }
                };
            }
            macro_rules! call {
                ($function:expr, $i:expr, $f:expr, $c:expr) => {{
                    if self.frames.len() >= self.frames_max { break 'dispatch failure(STACK_OVERFLOW); }
                    self.frames.push(Frame { function: current, pc: pc as u32, base: base.map(|n| n as u32) });
                    base[0] += usize::from($i);
                    base[1] += usize::from($f);
                    base[2] += usize::from($c);
                    base[3] += usize::from(function.frame_size[3]);
                    load_code!($function, interrupt::requested());
                    if base[0] + WINDOW > self.ints.len() || base[1] + WINDOW > self.floats.len() || base[2] + WINDOW > self.cells.len() {
                        if base[0].max(base[1]).max(base[2]) > self.registers_max { break 'dispatch failure(STACK_OVERFLOW); }
                        grow(&mut self.ints, base[0], 0);
                        grow(&mut self.floats, base[1], 0.0);
                        grow(&mut self.cells, base[2], Cell::NULL);
                    }
                    if function.frame_size[3] > 0 { grow(&mut self.hints, base[3], Hint::None); }
                    (i, f, c) = windows!();
                }};
            }
            macro_rules! ret {
                () => {{
                    let Some(frame) = self.frames.pop() else { break 'dispatch failure("internal error: call stack underflow") };
                    base = frame.base.map(|n| n as usize);
                    load_code!(frame.function, frame.pc);
                    (i, f, c) = windows!();
                }};
            }

            let Some(&op) = code.get(pc) else { break 'dispatch failure("internal error: program counter out of range") };
            if METERED {
                let Some(left) = self.fuel.checked_sub(1) else { break 'dispatch Trap::OutOfFuel };
                self.fuel = left;
            }
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
                Op::DivI(_, _, b) | Op::ModI(_, _, b) if r!(i[b]) == 0 => break 'dispatch Error::DivisionByZero.into(),
                Op::DivI(d, a, b) => checked!(d, r!(i[a]).checked_div(r!(i[b]))),
                Op::ModI(d, a, b) => r!(i[d]) = r!(i[a]).wrapping_rem(r!(i[b])),
                Op::AddIK(d, a, k) => checked!(d, r!(i[a]).checked_add(i64::from(k))),
                Op::MulIK(d, a, k) => checked!(d, r!(i[a]).checked_mul(i64::from(k))),
                // The compiler emits these with a positive immediate only.
                Op::DivIK(d, a, k) => checked!(d, r!(i[a]).checked_div(i64::from(k))),
                Op::ModIK(d, a, k) => checked!(d, r!(i[a]).checked_rem(i64::from(k))),

                Op::AddF(d, a, b) => r!(f[d]) = r!(f[a]) + r!(f[b]),
                Op::SubF(d, a, b) => r!(f[d]) = r!(f[a]) - r!(f[b]),
                Op::MulF(d, a, b) => r!(f[d]) = r!(f[a]) * r!(f[b]),
                Op::DivF(_, _, b) | Op::ModF(_, _, b) if r!(f[b]) == 0.0 => break 'dispatch Error::DivisionByZero.into(),
                Op::DivF(d, a, b) => r!(f[d]) = r!(f[a]) / r!(f[b]),
                Op::ModF(d, a, b) => r!(f[d]) = r!(f[a]) % r!(f[b]),
                Op::SqrtF(d, a) => r!(f[d]) = r!(f[a]).sqrt(),
                Op::IToF(d, a) => r!(f[d]) = r!(i[a]) as f64,
                Op::FToI(d, a) => r!(i[d]) = r!(f[a]) as i64,
                Op::EqF(d, a, b) => set_i!(d, r!(f[a]) == r!(f[b])),

                Op::Jump(to) => jump!(to),
                Op::JumpIf(a, to) => jump_if!(r!(i[a]) != 0, to),
                Op::JumpIfNot(a, to) => jump_if!(r!(i[a]) == 0, to),
                Op::JLtI(a, b, to) => jump_if!(r!(i[a]) < r!(i[b]), to),
                Op::JLeI(a, b, to) => jump_if!(r!(i[a]) <= r!(i[b]), to),
                Op::JEqI(a, b, to) => jump_if!(r!(i[a]) == r!(i[b]), to),
                Op::JNeI(a, b, to) => jump_if!(r!(i[a]) != r!(i[b]), to),
                Op::JLtIK(a, k, to) => jump_if!(r!(i[a]) < i64::from(k), to),
                Op::JLeIK(a, k, to) => jump_if!(r!(i[a]) <= i64::from(k), to),
                Op::JGtIK(a, k, to) => jump_if!(r!(i[a]) > i64::from(k), to),
                Op::JGeIK(a, k, to) => jump_if!(r!(i[a]) >= i64::from(k), to),
                Op::JEqIK(a, k, to) => jump_if!(r!(i[a]) == i64::from(k), to),
                Op::JNeIK(a, k, to) => jump_if!(r!(i[a]) != i64::from(k), to),
                Op::JLtF(a, b, to) => jump_if!(r!(f[a]) < r!(f[b]), to),
                Op::JLeF(a, b, to) => jump_if!(r!(f[a]) <= r!(f[b]), to),
                Op::JNotLtF(a, b, to) => if r!(f[a]) < r!(f[b]) {} else { jump!(to) },
                Op::JNotLeF(a, b, to) => if r!(f[a]) <= r!(f[b]) {} else { jump!(to) },
                Op::JEqC(a, b, to) => jump_if!(attempt!(equal(cx, r!(c[a]), r!(c[b]))), to),
                Op::JNeC(a, b, to) => jump_if!(!attempt!(equal(cx, r!(c[a]), r!(c[b]))), to),
                Op::JNull(a, to) => jump_if!(r!(c[a]).is_null(), to),
                Op::JNotNull(a, to) => jump_if!(!r!(c[a]).is_null(), to),
                // A counter that the body sets to the greatest integer ends the loop.
                Op::ForLoop(a, end, to) => if let Some(next) = r!(i[a]).checked_add(1) {
                    r!(i[a]) = next;
                    jump_if!(next < r!(i[end]), to);
                },

                Op::BoxI(d, a) => match Cell::int(r!(i[a])) {
                    Some(cell) => r!(c[d]) = cell,
                    None => alloc_into!(d, cx.int(r!(i[a]))),
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

                Op::GetGI(d, slot) => r!(i[d]) = self.globals.ints[usize::from(slot)],
                Op::GetGF(d, slot) => r!(f[d]) = self.globals.floats[usize::from(slot)],
                Op::GetGC(d, slot) => r!(c[d]) = self.globals.cells[usize::from(slot)],
                Op::SetGI(slot, a) => self.globals.ints[usize::from(slot)] = r!(i[a]),
                Op::SetGF(slot, a) => self.globals.floats[usize::from(slot)] = r!(f[a]),
                Op::SetGC(slot, a) => self.globals.cells[usize::from(slot)] = r!(c[a]),

                Op::Call(callee, wi, wf, wc) => call!(callee, wi, wf, wc),
                Op::CallValue(a, count) => {
                    safe_point!();
                    // With too few arguments the result is a partial application: no call.
                    if let Some(callee) = attempt!(resolve_callee(cx, functions, &mut c[usize::from(a)..], count)) {
                        call!(callee, function.frame_size[0], function.frame_size[1], a)
                    }
                }
                Op::RetI(a) => { i[0] = r!(i[a]); ret!() }
                Op::RetF(a) => { f[0] = r!(f[a]); ret!() }
                Op::RetC(a) => {
                    let result = r!(c[a]);
                    // The variables of the program stay as they are.
                    if self.frames.is_empty() { return Ok(result); }
                    c[0] = result;
                    ret!()
                }

                Op::Closure(d, first, n, callee) => alloc_into!(d, cx.alloc(Closure::of(u32::from(callee), regs!(c, first, n)))),
                Op::GetUpvalue(d, n) => r!(c[d]) = attempt!(cx.get::<Closure>(c[0]).and_then(|it| it.get(usize::from(n)))),
                Op::NewBox(d, a) => alloc_into!(d, cx.alloc(Pair::of(r!(c[a]), Cell::NULL))),
                Op::GetBox(d, a) => r!(c[d]) = attempt!(cx.get::<Pair>(r!(c[a])).and_then(|it| it.first())),
                Op::SetBox(a, v) => attempt!(attempt!(cx.get_mut::<Pair>(r!(c[a]))).set(0, r!(c[v]))),

                Op::NewList(d, first, n) => alloc_into!(d, cx.alloc(List::of(regs!(c, first, n)))),
                Op::NewI(d, first, n) => alloc_into!(d, cx.alloc(I64Arr::of(regs!(i, first, n)))),
                Op::NewF(d, first, n) => alloc_into!(d, cx.alloc(F64Arr::of(regs!(f, first, n)))),
                Op::Reserve(list, n) => { safe_point!(); attempt!(reserve(cx, r!(c[list]), n.into())) }
                Op::Push(list, a) => alloc_into!(list, append(cx, r!(c[list]), r!(c[a]), true)),
                Op::AppendC(list, a, owned) => append!(List, list, owned, r!(c[a])),
                Op::AppendI(list, a, owned) => append!(I64Arr, list, owned, r!(i[a])),
                Op::AppendF(list, a, owned) => append!(F64Arr, list, owned, r!(f[a])),
                Op::GetI(d, list, n) => r!(i[d]) = get_element!(I64Arr, list, n),
                Op::GetF(d, list, n) => r!(f[d]) = get_element!(F64Arr, list, n),
                Op::GetB(d, list, n) => { let cell = get_element!(List, list, n); set_i!(d, attempt!(expect_bool(cx, cell))) }
                Op::GetC(d, list, n) => r!(c[d]) = get_element!(List, list, n),
                Op::SetI(list, n, a) => set_element!(I64Arr, list, n, r!(i[a])),
                Op::SetF(list, n, a) => set_element!(F64Arr, list, n, r!(f[a])),
                Op::SetB(list, n, a) => set_element!(List, list, n, Cell::bool(r!(i[a]) != 0)),
                Op::SetC(list, n, a) => set_element!(List, list, n, r!(c[a])),
                Op::GetKey(d, container, key) => alloc_into!(d, cx.index(r!(c[container]), r!(c[key]))),
                Op::GetKeyOrNull(d, container, key) => alloc_into!(d, cx.lookup_or_null(r!(c[container]), r!(c[key]))),
                Op::SetKey(container, key, a) => { safe_point!(); attempt!(cx.set_index(r!(c[container]), r!(c[key]), r!(c[a]))) }
                Op::Len(d, a) => r!(i[d]) = attempt!(len(cx, r!(c[a]))) as i64,
                Op::ToList(d, a) => alloc_into!(d, to_list(cx, r!(c[a]))),
                Op::MakeHint(h, list) => self.hints[base[3] + usize::from(h)] = attempt!(make_hint(cx, r!(c[list]))),
                Op::GetHintedI(d, h, n) => r!(i[d]) = get_hinted!(Ints, h, n),
                Op::GetHintedF(d, h, n) => r!(f[d]) = get_hinted!(Floats, h, n),
                Op::GetHintedC(d, h, n) => r!(c[d]) = get_hinted!(Cells, h, n),

                Op::NewMap(d) => alloc_into!(d, cx.alloc(Map::new())),
                Op::NewStruct(d, first, n, shape) => alloc_into!(d, cx.alloc(Struct::of(u32::from(shape), regs!(c, first, n)))),
                Op::GetField(d, a, n, shape) => match cx.get::<Struct>(r!(c[a])) {
                    Ok(view) if view.shape() == u32::from(shape) => r!(c[d]) = attempt!(view.get(usize::from(n))),
                    _ => alloc_into!(d, cx.field_slow(r!(c[a]), shape, n)),
                },
                Op::SetField(a, n, v, shape) => if is_shape(cx, r!(c[a]), shape) {
                    attempt!(attempt!(cx.get_mut::<Struct>(r!(c[a]))).set(usize::from(n), r!(c[v])));
                } else {
                    let name = attempt!(cx.field_name(shape, n));
                    attempt!(cx.set_index(r!(c[a]), name, r!(c[v])));
                },
                Op::GetNamed(d, a, name) => {
                    let place = &mut self.field_places[usize::from(name)];
                    match cx.get::<Struct>(r!(c[a])) {
                        Ok(view) if view.shape() == place.0 => r!(c[d]) = attempt!(view.get(place.1)),
                        _ => r!(c[d]) = attempt!(field_by_name(cx, r!(c[a]), self.constants[usize::from(name)], place)),
                    }
                }
                Op::SetNamed(a, v, name) => { safe_point!(); attempt!(cx.set_index(r!(c[a]), self.constants[usize::from(name)], r!(c[v]))) }
                Op::IsShape(d, a, shape) => set_i!(d, is_shape(cx, r!(c[a]), shape)),

                Op::Concat(d, first, n) => alloc_into!(d, concat(cx, regs!(c, first, n))),
                Op::Substring(d, a, n) => alloc_into!(d, cx.substring(r!(c[a]), r!(i[n]), i[(usize::from(n) + 1) % WINDOW])),

                Op::Arith(op, d, a, b) => alloc_into!(d, cx.arith(op, r!(c[a]), r!(c[b]))),
                Op::LessC(or_equal, d, a, b) => set_i!(d, attempt!(less_than(cx, r!(c[a]), r!(c[b]), or_equal))),
                Op::Truthy(d, a) => set_i!(d, attempt!(is_truthy(cx, r!(c[a])))),
                Op::In(d, item, container) => { safe_point!(); set_i!(d, attempt!(cx.contains(r!(c[container]), r!(c[item])))) }
                Op::Slice(d, a, first) => alloc_into!(d, slice_with_step(cx, r!(c[a]), regs!(c, first, 3_u8))),
                Op::Cast(d, a, ty) => alloc_into!(d, cx.cast(r!(c[a]), &program.types[usize::from(ty)])),
                Op::Builtin(builtin, d, first, n) => alloc_into!(d, builtin.call(cx, regs!(c, first, n))),
                Op::Expect(a) => if r!(i[a]) == 0 { break 'dispatch failure("expectation failed") },
                Op::TestBegin(name, to) => self.test = Some((to, self.constants[usize::from(name)])),
                Op::TestPassed => if let Some((_, name)) = self.test.take() {
                    self.tests.passed += 1;
                    let _ = writeln!(cx.out, "ok      {}", cx.heap.display(name));
                },
                Op::NoMatch => break 'dispatch failure("no pattern matches this value"),
            }
        };

        // A request was mixed into the program counter: it is the target of a jump.
        let (trap, at) = match interrupt::without_request(pc) {
            Some(target) => (Trap::Stopped, target),
            None if matches!(trap, Trap::OutOfFuel) => (trap, pc),
            None => (trap, pc.saturating_sub(1)),
        };
        self.at = Frame { function: current, pc: at as u32, base: base.map(|n| n as u32) };
        Err(trap)
    }
}
