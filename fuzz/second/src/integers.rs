//! Integers of any size, by `num-bigint` in the model.

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint, Sign};
use segheap::{Bignum, Cell, Error, Kind, Resource};

use crate::model::{Model, Object};
use crate::value::{Value, decode, fits};
use crate::world::{Check, Made, World};

/// Bits of the largest integers.
const BITS: u64 = 3000;

/// The integer in a cell.
pub(crate) fn integer(model: &Model, cell: Cell) -> Result<BigInt, Error> {
    match decode(cell) {
        Value::Int(int) => Ok(int.into()),
        Value::Handle(_) => match model.open(cell, Kind::BIGNUM)? {
            Object::Integer(int) => Ok(int.clone()),
            other => panic!("{other:?} is no integer"),
        },
        _ => Err(Error::NotAnInteger),
    }
}

/// An integer as a result.
fn result(int: BigInt) -> Made {
    match i64::try_from(&int) {
        Ok(small) if fits(small) => Made::Value(Value::Int(small)),
        _ => Made::Object(Object::Integer(int)),
    }
}

/// An integer as a result, if the limit on its bits allows it.
fn limited(w: &mut World, int: BigInt) -> Result<Made, Vec<Error>> {
    let limit = w.heap().limits().integer_bits.max(128);
    if int.bits() > limit {
        return Err(vec![Error::Limit(Resource::IntegerBits)]);
    }
    Ok(result(int))
}

fn operands(w: &mut World, a: Cell, b: Cell) -> Result<(BigInt, BigInt), Vec<Error>> {
    let model = w.model();
    let a = integer(model, a).map_err(|error| vec![error])?;
    Ok((a, integer(model, b).map_err(|error| vec![error])?))
}

/// Allocates an integer of limbs.
pub(crate) fn alloc(w: &mut World) -> Check {
    let (negative, len) = (w.dice.percent(50), w.dice.below(6));
    let limbs: Vec<u64> = (0..len)
        .map(|_| {
            let word = w.dice.word();
            w.dice.one(&[0, 1, u64::MAX, 1 << 63, word, word])
        })
        .collect();
    let digits = limbs.iter().flat_map(|&limb| [limb as u32, (limb >> 32) as u32]).collect();
    let sign = if negative { Sign::Minus } else { Sign::Plus };
    let int = BigInt::from_biguint(sign, BigUint::new(digits));
    crate::sequences::made(w, Bignum::of(negative, &limbs), Ok(Object::Integer(int)))
}

/// An integer of the host as a value.
pub(crate) fn from_host(w: &mut World) -> Check {
    let (small, wide) = (w.dice.int(), w.dice.percent(50));
    let large = i128::from(small) << w.dice.below(65) | i128::from(w.dice.word() >> 32);
    w.note(|| format!("int {small} or {large}, wide: {wide}"));
    let want = result(if wide { large.into() } else { small.into() });
    let got = if wide { w.heap().int128(large) } else { w.heap().int(small) };
    w.settle_made(got, Ok(want)).map(drop)
}

/// Sums, differences, products, quotients, remainders.
pub(crate) fn arithmetic(w: &mut World) -> Check {
    let (a, b, form) = (w.integer(), w.integer(), w.dice.below(6));
    w.note(|| format!("{} {a:?} {b:?}", ["add", "sub", "mul", "div", "rem", "neg"][form]));
    let b = if form == 5 { a } else { b };
    let zero = BigInt::ZERO;
    let want = operands(w, a, b).and_then(|(a, b)| match form {
        0 => Ok(a + b),
        1 => Ok(a - b),
        2 => Ok(a * b),
        5 => Ok(-a),
        _ if b == zero => Err(vec![Error::DivisionByZero]),
        3 => Ok(a / b),
        _ => Ok(a % b),
    });
    if want.as_ref().is_ok_and(|int| int.bits() > BITS) {
        return Ok(());
    }
    let want = want.and_then(|int| limited(w, int));
    let heap = w.heap();
    let got = match form {
        0 => heap.add(a, b),
        1 => heap.sub(a, b),
        2 => heap.mul(a, b),
        3 => heap.div(a, b),
        4 => heap.rem(a, b),
        _ => heap.neg(a),
    };
    w.settle_made(got, want).map(drop)
}

/// Powers.
pub(crate) fn power(w: &mut World) -> Check {
    let base = if w.dice.percent(50) {
        Cell::int(w.dice.below(7) as i64 - 3).expect("48 bits")
    } else {
        w.integer()
    };
    let exponent = match w.dice.below(8) {
        0 => w.integer(),
        _ => Cell::int(w.dice.below(80) as i64).expect("48 bits"),
    };
    let want = operands(w, base, exponent).and_then(|(base, exponent)| {
        if exponent < BigInt::ZERO {
            return Err(vec![Error::NegativeExponent]);
        }
        let odd = exponent.bit(0);
        if base.bits() <= 1 {
            let zero = base == BigInt::ZERO && exponent != BigInt::ZERO;
            let one = BigInt::from(if zero { 0 } else { 1 });
            return Ok(if odd && base < BigInt::ZERO { -one } else { one });
        }
        let Ok(small) = u32::try_from(&exponent) else {
            return Err(vec![Error::ObjectTooLarge, Error::Limit(Resource::IntegerBits)]);
        };
        let bits = base.bits() * u64::from(small);
        if bits > BITS { Err(Vec::new()) } else { Ok(base.pow(small)) }
    });
    let (limit, vast) = (w.heap().limits().integer_bits, want == Err(Vec::new()));
    let vast_exponent = matches!(&want, Err(errors) if errors.contains(&Error::ObjectTooLarge));
    // A result that no limit refuses, and that takes seconds.
    if vast && limit > BITS || vast_exponent && !exceeds(w, base, exponent) {
        return Ok(());
    }
    w.note(|| format!("pow {base:?} {exponent:?}"));
    let want = match want {
        Err(errors) if errors.is_empty() => match bits_of_power(w, base, exponent) {
            bits if bits > 1 << 37 && bits > limit.max(128) => {
                // Of two reasons, either.
                Err(vec![Error::Limit(Resource::IntegerBits), Error::ObjectTooLarge])
            }
            bits if bits > limit.max(128) => Err(vec![Error::Limit(Resource::IntegerBits)]),
            _ => return Ok(()),
        },
        Ok(int) => limited(w, int),
        Err(errors) => Err(errors),
    };
    let got = w.heap().pow(base, exponent);
    w.settle_made(got, want).map(drop)
}

/// A bound on the bits of a power, from below.
fn bits_of_power(w: &mut World, base: Cell, exponent: Cell) -> u64 {
    let (base, exponent) = operands(w, base, exponent).expect("integers");
    (base.bits() - 1).saturating_mul(u64::try_from(&exponent).unwrap_or(u64::MAX))
}

/// Whether a power has more than 2^32 limbs, or bits than the limit allows.
fn exceeds(w: &mut World, base: Cell, exponent: Cell) -> bool {
    let limit = w.heap().limits().integer_bits.max(128);
    bits_of_power(w, base, exponent) > limit.min(1 << 39)
}

/// Comparison, and conversion to the host.
pub(crate) fn compare(w: &mut World) -> Check {
    let (a, b) = (w.integer(), w.integer());
    w.note(|| format!("cmp_int {a:?} {b:?}"));
    let want = operands(w, a, b).map(|(a, b)| a.cmp(&b));
    let got: Result<Ordering, Error> = w.heap().cmp_int(a, b);
    w.settle(got, want)?;
    let want = integer(w.model(), a).map(|int| i64::try_from(&int).ok());
    let got = w.heap().as_int(a);
    w.settle(got, want.map_err(|error| vec![error])).map(drop)
}

/// Parsing of decimal integers.
pub(crate) fn parse(w: &mut World) -> Check {
    let (digits, sign) = (w.dice.len() % 120, w.dice.one(&["", "+", "-", "", "--", " "]));
    let mut text = sign.to_owned();
    let nines = w.dice.percent(20);
    for _ in 0..digits {
        text.push(if nines { '9' } else { (b'0' + w.dice.below(10) as u8) as char });
    }
    if w.dice.percent(5) {
        text.push(w.dice.one(&['x', '_', ' ', '٣', '\0']));
    }
    w.note(|| format!("parse_int {text:?}"));
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let decimal = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    let want = if decimal {
        let magnitude: BigInt = unsigned.parse().expect("digits");
        limited(w, if text.starts_with('-') { -magnitude } else { magnitude })
    } else {
        Err(vec![Error::NotDecimal])
    };
    let got = w.heap().parse_int(&text);
    w.settle_made(got, want).map(drop)
}
