//! Numeric instructions.

use wasmparser::Operator;

use super::Stop;

/// A value of a numeric type as a stack slot.
pub(crate) trait Slot {
    fn of(slot: u64) -> Self;
    fn slot(self) -> u64;
}

macro_rules! slots {
    ($($ty:ty: $slot:ident => $of:expr, $value:ident => $to:expr;)*) => {$(
        impl Slot for $ty {
            fn of($slot: u64) -> Self {
                $of
            }
            fn slot(self) -> u64 {
                let $value = self;
                $to
            }
        }
    )*};
}
slots! {
    u32: slot => slot as u32, value => u64::from(value);
    i32: slot => slot as i32, value => u64::from(value as u32);
    u64: slot => slot, value => value;
    i64: slot => slot as i64, value => value as u64;
    f32: slot => f32::from_bits(slot as u32), value => u64::from(value.to_bits());
    f64: slot => f64::from_bits(slot), value => value.to_bits();
    bool: slot => slot as u32 != 0, value => u64::from(value);
}

fn unary<A: Slot, B: Slot>(stack: &mut Vec<u64>, f: impl Fn(A) -> B) {
    let a = A::of(stack.pop().unwrap());
    stack.push(f(a).slot());
}

fn binary<A: Slot, B: Slot>(stack: &mut Vec<u64>, f: impl Fn(A, A) -> B) {
    let b = A::of(stack.pop().unwrap());
    let a = A::of(stack.pop().unwrap());
    stack.push(f(a, b).slot());
}

/// Runs a division, whose failures trap.
fn divide<A: Slot + PartialEq + Default>(
    stack: &mut Vec<u64>,
    f: impl Fn(A, A) -> Option<A>,
) -> Result<(), Stop> {
    let b = A::of(stack.pop().unwrap());
    let a = A::of(stack.pop().unwrap());
    if b == A::default() {
        return Err(Stop::Trap("integer divide by zero"));
    }
    stack.push(f(a, b).ok_or(Stop::Trap("integer overflow"))?.slot());
    Ok(())
}

/// Truncates a float to an integer in `low..high`.
fn truncate<A: Slot + Into<f64>, B: Slot>(
    stack: &mut Vec<u64>,
    (low, high): (f64, f64),
    f: impl Fn(f64) -> B,
) -> Result<(), Stop> {
    let a: f64 = A::of(stack.pop().unwrap()).into();
    if a.is_nan() {
        return Err(Stop::Trap("invalid conversion to integer"));
    }
    if a.trunc() < low || a.trunc() >= high {
        return Err(Stop::Trap("integer overflow"));
    }
    stack.push(f(a).slot());
    Ok(())
}

/// Runs a numeric instruction; false if `operator` is none.
pub(super) fn numeric(operator: &Operator<'_>, stack: &mut Vec<u64>) -> Result<bool, Stop> {
    use Operator as O;
    match *operator {
        O::I32Const { value } => stack.push(value.slot()),
        O::I64Const { value } => stack.push(value.slot()),
        O::F32Const { value } => stack.push(u64::from(value.bits())),
        O::F64Const { value } => stack.push(value.bits()),
        _ => {
            return Ok(numeric_i32(operator, stack)?
                || numeric_i64(operator, stack)?
                || numeric_float(operator, stack)
                || conversion(operator, stack)?);
        }
    }
    Ok(true)
}

fn numeric_i32(operator: &Operator<'_>, stack: &mut Vec<u64>) -> Result<bool, Stop> {
    use Operator as O;
    match *operator {
        O::I32Eqz => unary(stack, |a: u32| a == 0),
        O::I32Eq => binary(stack, |a: u32, b| a == b),
        O::I32Ne => binary(stack, |a: u32, b| a != b),
        O::I32LtS => binary(stack, |a: i32, b| a < b),
        O::I32LtU => binary(stack, |a: u32, b| a < b),
        O::I32GtS => binary(stack, |a: i32, b| a > b),
        O::I32GtU => binary(stack, |a: u32, b| a > b),
        O::I32LeS => binary(stack, |a: i32, b| a <= b),
        O::I32LeU => binary(stack, |a: u32, b| a <= b),
        O::I32GeS => binary(stack, |a: i32, b| a >= b),
        O::I32GeU => binary(stack, |a: u32, b| a >= b),
        O::I32Clz => unary(stack, u32::leading_zeros),
        O::I32Ctz => unary(stack, u32::trailing_zeros),
        O::I32Popcnt => unary(stack, u32::count_ones),
        O::I32Add => binary(stack, u32::wrapping_add),
        O::I32Sub => binary(stack, u32::wrapping_sub),
        O::I32Mul => binary(stack, u32::wrapping_mul),
        O::I32DivS => divide(stack, i32::checked_div)?,
        O::I32DivU => divide(stack, u32::checked_div)?,
        O::I32RemS => divide(stack, |a: i32, b| Some(a.wrapping_rem(b)))?,
        O::I32RemU => divide(stack, u32::checked_rem)?,
        O::I32And => binary(stack, |a: u32, b| a & b),
        O::I32Or => binary(stack, |a: u32, b| a | b),
        O::I32Xor => binary(stack, |a: u32, b| a ^ b),
        O::I32Shl => binary(stack, u32::wrapping_shl),
        O::I32ShrS => binary(stack, |a: i32, b| a.wrapping_shr(b as u32)),
        O::I32ShrU => binary(stack, u32::wrapping_shr),
        O::I32Rotl => binary(stack, |a: u32, b| a.rotate_left(b & 31)),
        O::I32Rotr => binary(stack, |a: u32, b| a.rotate_right(b & 31)),
        _ => return Ok(false),
    }
    Ok(true)
}

fn numeric_i64(operator: &Operator<'_>, stack: &mut Vec<u64>) -> Result<bool, Stop> {
    use Operator as O;
    match *operator {
        O::I64Eqz => unary(stack, |a: u64| a == 0),
        O::I64Eq => binary(stack, |a: u64, b| a == b),
        O::I64Ne => binary(stack, |a: u64, b| a != b),
        O::I64LtS => binary(stack, |a: i64, b| a < b),
        O::I64LtU => binary(stack, |a: u64, b| a < b),
        O::I64GtS => binary(stack, |a: i64, b| a > b),
        O::I64GtU => binary(stack, |a: u64, b| a > b),
        O::I64LeS => binary(stack, |a: i64, b| a <= b),
        O::I64LeU => binary(stack, |a: u64, b| a <= b),
        O::I64GeS => binary(stack, |a: i64, b| a >= b),
        O::I64GeU => binary(stack, |a: u64, b| a >= b),
        O::I64Clz => unary(stack, |a: u64| u64::from(a.leading_zeros())),
        O::I64Ctz => unary(stack, |a: u64| u64::from(a.trailing_zeros())),
        O::I64Popcnt => unary(stack, |a: u64| u64::from(a.count_ones())),
        O::I64Add => binary(stack, u64::wrapping_add),
        O::I64Sub => binary(stack, u64::wrapping_sub),
        O::I64Mul => binary(stack, u64::wrapping_mul),
        O::I64DivS => divide(stack, i64::checked_div)?,
        O::I64DivU => divide(stack, u64::checked_div)?,
        O::I64RemS => divide(stack, |a: i64, b| Some(a.wrapping_rem(b)))?,
        O::I64RemU => divide(stack, u64::checked_rem)?,
        O::I64And => binary(stack, |a: u64, b| a & b),
        O::I64Or => binary(stack, |a: u64, b| a | b),
        O::I64Xor => binary(stack, |a: u64, b| a ^ b),
        O::I64Shl => binary(stack, |a: u64, b| a.wrapping_shl(b as u32)),
        O::I64ShrS => binary(stack, |a: i64, b| a.wrapping_shr(b as u32)),
        O::I64ShrU => binary(stack, |a: u64, b| a.wrapping_shr(b as u32)),
        O::I64Rotl => binary(stack, |a: u64, b| a.rotate_left((b & 63) as u32)),
        O::I64Rotr => binary(stack, |a: u64, b| a.rotate_right((b & 63) as u32)),
        _ => return Ok(false),
    }
    Ok(true)
}

fn numeric_float(operator: &Operator<'_>, stack: &mut Vec<u64>) -> bool {
    use Operator as O;
    match *operator {
        O::F32Eq => binary(stack, |a: f32, b| a == b),
        O::F32Ne => binary(stack, |a: f32, b| a != b),
        O::F32Lt => binary(stack, |a: f32, b| a < b),
        O::F32Gt => binary(stack, |a: f32, b| a > b),
        O::F32Le => binary(stack, |a: f32, b| a <= b),
        O::F32Ge => binary(stack, |a: f32, b| a >= b),
        O::F32Neg => unary(stack, |a: u32| a ^ 1 << 31),
        O::F32Sqrt => unary(stack, f32::sqrt),
        O::F32Add => binary(stack, |a: f32, b| a + b),
        O::F32Sub => binary(stack, |a: f32, b| a - b),
        O::F32Mul => binary(stack, |a: f32, b| a * b),
        O::F32Div => binary(stack, |a: f32, b| a / b),

        O::F64Eq => binary(stack, |a: f64, b| a == b),
        O::F64Ne => binary(stack, |a: f64, b| a != b),
        O::F64Lt => binary(stack, |a: f64, b| a < b),
        O::F64Gt => binary(stack, |a: f64, b| a > b),
        O::F64Le => binary(stack, |a: f64, b| a <= b),
        O::F64Ge => binary(stack, |a: f64, b| a >= b),
        O::F64Neg => unary(stack, |a: u64| a ^ 1 << 63),
        O::F64Sqrt => unary(stack, f64::sqrt),
        O::F64Add => binary(stack, |a: f64, b| a + b),
        O::F64Sub => binary(stack, |a: f64, b| a - b),
        O::F64Mul => binary(stack, |a: f64, b| a * b),
        O::F64Div => binary(stack, |a: f64, b| a / b),
        _ => return false,
    }
    true
}

fn conversion(operator: &Operator<'_>, stack: &mut Vec<u64>) -> Result<bool, Stop> {
    use Operator as O;
    const I32: (f64, f64) = (-2_147_483_648.0, 2_147_483_648.0);
    const U32: (f64, f64) = (0.0, 4_294_967_296.0);
    const I64: (f64, f64) = (-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0);
    const U64: (f64, f64) = (0.0, 18_446_744_073_709_551_616.0);
    match *operator {
        O::I32WrapI64 => unary(stack, |a: u64| a as u32),
        O::I64ExtendI32S => unary(stack, |a: i32| i64::from(a)),
        O::I64ExtendI32U => unary(stack, |a: u32| u64::from(a)),
        O::I32TruncF32S => truncate::<f32, _>(stack, I32, |a| a as i32)?,
        O::I32TruncF32U => truncate::<f32, _>(stack, U32, |a| a as u32)?,
        O::I32TruncF64S => truncate::<f64, _>(stack, I32, |a| a as i32)?,
        O::I32TruncF64U => truncate::<f64, _>(stack, U32, |a| a as u32)?,
        O::I64TruncF32S => truncate::<f32, _>(stack, I64, |a| a as i64)?,
        O::I64TruncF32U => truncate::<f32, _>(stack, U64, |a| a as u64)?,
        O::I64TruncF64S => truncate::<f64, _>(stack, I64, |a| a as i64)?,
        O::I64TruncF64U => truncate::<f64, _>(stack, U64, |a| a as u64)?,
        O::F32ConvertI32S => unary(stack, |a: i32| a as f32),
        O::F32ConvertI32U => unary(stack, |a: u32| a as f32),
        O::F32ConvertI64S => unary(stack, |a: i64| a as f32),
        O::F32ConvertI64U => unary(stack, |a: u64| a as f32),
        O::F64ConvertI32S => unary(stack, |a: i32| f64::from(a)),
        O::F64ConvertI32U => unary(stack, |a: u32| f64::from(a)),
        O::F64ConvertI64S => unary(stack, |a: i64| a as f64),
        O::F64ConvertI64U => unary(stack, |a: u64| a as f64),
        O::F32DemoteF64 => unary(stack, |a: f64| a as f32),
        O::F64PromoteF32 => unary(stack, |a: f32| f64::from(a)),
        O::I32ReinterpretF32
        | O::I64ReinterpretF64
        | O::F32ReinterpretI32
        | O::F64ReinterpretI64 => (),
        O::I32Extend8S => unary(stack, |a: u32| i32::from(a as i8)),
        O::I32Extend16S => unary(stack, |a: u32| i32::from(a as i16)),
        O::I64Extend8S => unary(stack, |a: u64| i64::from(a as i8)),
        O::I64Extend16S => unary(stack, |a: u64| i64::from(a as i16)),
        O::I64Extend32S => unary(stack, |a: u64| i64::from(a as i32)),
        _ => return Ok(false),
    }
    Ok(true)
}
