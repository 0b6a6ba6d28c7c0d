//! Division, bits, greatest common divisors, powers modulo an integer and digits of any
//! radix: against `BigInt` for the integers of a VM, and against [`Natural`] for those that
//! the crate may leave to `num-bigint`.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};
use proptest::prelude::*;
use segheap::{Bignum, Cell, Error, Heap, Limits, Settings};

use super::integers::{assert_result, assert_value, operand};
use super::naive::Natural;
use crate::support::{config, heap, integer};

/// Quotient and remainder, rounded down.
fn floor(a: &BigInt, b: &BigInt) -> (BigInt, BigInt) {
    let (quotient, rest) = (a / b, a % b);
    if rest != BigInt::ZERO && (rest.sign() == Sign::Minus) != (b.sign() == Sign::Minus) {
        (quotient - 1, rest + b)
    } else {
        (quotient, rest)
    }
}

/// The low 64 bits.
fn wrapped(value: &BigInt) -> i64 {
    let low = value.to_u64_digits().1.first().copied().unwrap_or(0).cast_signed();
    if value.sign() == Sign::Minus { low.wrapping_neg() } else { low }
}

fn naive_gcd(mut a: BigInt, mut b: BigInt) -> BigInt {
    while b != BigInt::ZERO {
        (a, b) = (b.clone(), a % b);
    }
    BigInt::from(a.magnitude().clone())
}

type Binary = fn(&mut Heap, Cell, Cell) -> Result<Cell, Error>;

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn quotients_and_remainders(a in operand(), b in operand()) {
        let mut heap = heap(5);
        let ((a, x), (b, y)) = (a.alloc(&mut heap), b.alloc(&mut heap));
        let live = heap.usage().live();
        if y == BigInt::ZERO {
            for error in [heap.div_floor(a, b), heap.mod_floor(a, b)] {
                prop_assert_eq!(error, Err(Error::DivisionByZero));
            }
            for error in [heap.div_rem(a, b), heap.div_mod_floor(a, b)] {
                prop_assert_eq!(error, Err(Error::DivisionByZero));
            }
            prop_assert_eq!(heap.usage().live(), live);
            return Ok(());
        }
        let (quotient, rest) = heap.div_rem(a, b).unwrap();
        assert_value(&heap, quotient, &(&x / &y));
        assert_value(&heap, rest, &(&x % &y));
        let (quotient, rest) = heap.div_mod_floor(a, b).unwrap();
        let (floor, modulo) = floor(&x, &y);
        assert_value(&heap, quotient, &floor);
        assert_value(&heap, rest, &modulo);
        let (quotient, rest) = (heap.div_floor(a, b), heap.mod_floor(a, b));
        assert_result(&heap, quotient, Ok(floor));
        assert_result(&heap, rest, Ok(modulo));
        heap.verify().unwrap();
    }

    #[test]
    fn bits(a in operand(), b in operand()) {
        let mut heap = heap(5);
        let ((a, x), (b, y)) = (a.alloc(&mut heap), b.alloc(&mut heap));
        let operations: [(Binary, BigInt); 3] = [
            (Heap::bitand, &x & &y),
            (Heap::bitor, &x | &y),
            (Heap::bitxor, &x ^ &y),
        ];
        for (operation, expected) in operations {
            let got = operation(&mut heap, a, b);
            assert_result(&heap, got, Ok(expected));
        }
        let not = heap.not(a);
        assert_result(&heap, not, Ok(-x - 1));
    }

    #[test]
    fn shifts(a in operand(), by in prop_oneof![0_u32..70, 0_u32..700, Just(1 << 20)]) {
        let mut heap = heap(5);
        let (a, x) = a.alloc(&mut heap);
        let (left, right) = (heap.shl(a, by.into()), heap.shr(a, by.into()));
        assert_result(&heap, right, Ok(&x >> by));
        if by < 1 << 20 {
            assert_result(&heap, left, Ok(&x << by));
        } else if x == BigInt::ZERO {
            prop_assert_eq!(left, Ok(0.into()));
        }
        let huge = heap.alloc(Bignum::of(false, &[0, 1])).unwrap().cell();
        let gone = if x.sign() == Sign::Minus { -1 } else { 0 };
        prop_assert_eq!(heap.shr(a, huge), Ok(gone.into()));
        let expected = if x == BigInt::ZERO { Ok(0.into()) } else { Err(Error::ObjectTooLarge) };
        prop_assert_eq!(heap.shl(a, huge), expected);
        let minus = heap.alloc(Bignum::of(true, &[0, 1])).unwrap().cell();
        for negative in [Cell::from(-1), minus] {
            prop_assert_eq!(heap.shl(a, negative), Err(Error::NegativeExponent));
            prop_assert_eq!(heap.shr(a, negative), Err(Error::NegativeExponent));
        }
    }

    #[test]
    fn wrapping(a in operand(), b in operand()) {
        let mut heap = heap(5);
        let ((a, x), (b, y)) = (a.alloc(&mut heap), b.alloc(&mut heap));
        let (low, other) = (wrapped(&x), wrapped(&y));
        let operations: [(Binary, BigInt, i64); 3] = [
            (Heap::wrapping_add, &x + &y, low.wrapping_add(other)),
            (Heap::wrapping_sub, &x - &y, low.wrapping_sub(other)),
            (Heap::wrapping_mul, &x * &y, low.wrapping_mul(other)),
        ];
        for (operation, exact, expected) in operations {
            prop_assert_eq!(wrapped(&exact), expected);
            let got = operation(&mut heap, a, b);
            assert_result(&heap, got, Ok(expected.into()));
        }
    }

    #[test]
    fn divisors(a in operand(), b in operand(), common in operand()) {
        let mut heap = heap(5);
        let ((a, x), (b, y)) = (a.alloc(&mut heap), b.alloc(&mut heap));
        let (common, z) = common.alloc(&mut heap);
        let divisor = heap.gcd(a, b);
        assert_result(&heap, divisor, Ok(naive_gcd(x.clone(), y.clone())));
        let (a, b) = (heap.mul(a, common).unwrap(), heap.mul(b, common).unwrap());
        let divisor = heap.gcd(a, b);
        assert_result(&heap, divisor, Ok(naive_gcd(x * &z, y * z)));
    }

    #[test]
    fn powers_modulo(base in operand(), exponent in operand(), modulus in operand()) {
        let mut heap = heap(5);
        let ((base, x), (exponent, e)) = (base.alloc(&mut heap), exponent.alloc(&mut heap));
        let (modulus, m) = modulus.alloc(&mut heap);
        let got = heap.modpow(base, exponent, modulus);
        if e.sign() == Sign::Minus {
            prop_assert_eq!(got, Err(Error::NegativeExponent));
        } else if m == BigInt::ZERO {
            prop_assert_eq!(got, Err(Error::DivisionByZero));
        } else {
            let mut power = BigInt::from(1);
            for bit in (0..e.bits()).rev() {
                power = &power * &power % &m;
                if e.bit(bit) {
                    power = power * &x % &m;
                }
            }
            assert_result(&heap, got, Ok(floor(&power, &m).1));
        }
    }

    #[test]
    fn digits_of_any_radix(number in operand(), radix in 2_u32..=36, upper in any::<bool>()) {
        let mut heap = heap(5);
        let (cell, value) = number.alloc(&mut heap);
        let text = heap.int_to_text(cell, radix).unwrap();
        let digits = value.to_str_radix(radix);
        prop_assert_eq!(heap.text(text).unwrap().to_string(), digits.as_str());
        prop_assert_eq!(text.kind().is_none(), digits.len() <= 5);
        let digits = if upper { digits.to_uppercase() } else { digits };
        let text = heap.string(&digits).unwrap();
        for got in [heap.int_from_str_radix(&digits, radix), heap.int_from_text(text, radix)] {
            assert_result(&heap, got, Ok(value.clone()));
        }
        for radix in [0, 1, 37, u32::MAX] {
            let invalid = Err(Error::InvalidRadix { radix });
            prop_assert_eq!(heap.int_to_text(cell, radix), invalid);
            prop_assert_eq!(heap.int_from_text(text, radix), invalid);
            prop_assert_eq!(heap.int_from_str_radix(&digits, radix), invalid);
        }
    }

    #[test]
    fn only_digits_of_the_radix_are_parsed(
        text in "[+-]{0,2}[0-9a-zA-Z_ é]{0,30}", small in any::<bool>(), radix in 2_u32..=36,
    ) {
        let text = if small { text.replace(|c: char| c.to_digit(radix).is_none(), "") } else { text };
        let mut heap = heap(5);
        let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
        let is_integer = !digits.is_empty() && digits.chars().all(|char| char.is_digit(radix));
        let cell = heap.string(&text).unwrap();
        for got in [heap.int_from_str_radix(&text, radix), heap.int_from_text(cell, radix)] {
            if is_integer {
                let value = BigInt::parse_bytes(text.as_bytes(), radix).unwrap();
                assert_result(&heap, got, Ok(value));
            } else {
                prop_assert_eq!(got, Err(Error::NotDecimal));
            }
        }
    }

    /// If only one of two results can be allocated, neither is.
    #[test]
    fn both_results_or_neither(growths in 0_u64..4, limbs in 1_usize..4, small in integer()) {
        let mut heap = Heap::with(Settings::seeded(1));
        let a = heap.alloc(Bignum::of(small < 0, &vec![u64::MAX - 1; limbs * 2])).unwrap().cell();
        let b = heap.alloc(Bignum::of(false, &vec![u64::MAX / 3; limbs])).unwrap().cell();
        let _region = heap.open_region().unwrap();
        // Until all slots that were made ahead are in use.
        let mut fillers = vec![heap.int(i64::MIN).unwrap()];
        heap.fail_growth_after(Some(0));
        while let Ok(cell) = heap.int(i64::MIN) {
            fillers.push(cell);
        }
        heap.free(fillers.pop().unwrap()).unwrap();
        heap.fail_growth_after(Some(growths));
        let (live, bytes) = (heap.usage().live(), heap.usage().total_bytes);
        let result = heap.div_mod_floor(a, b);
        heap.fail_growth_after(None);
        heap.verify().unwrap();
        let usage = heap.usage();
        match result {
            Ok((quotient, rest)) => {
                let made = [quotient, rest].iter().filter(|cell| cell.kind().is_some()).count();
                prop_assert_eq!(usage.live(), live + made as u64);
            }
            Err(error) => {
                prop_assert_eq!(error, Error::OutOfMemory);
                let now = (usage.live(), usage.total_bytes - usage.scratch_bytes);
                prop_assert_eq!(now, (live, bytes));
            }
        }
    }
}

/// Limbs of which many carry, borrow or are zero.
fn limbs(len: usize, random: &mut u64) -> Vec<u64> {
    let limb = |_| {
        *random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(99);
        let bits = *random ^ *random >> 33;
        if bits.is_multiple_of(5) { [0, u64::MAX, 1 << 63, 1][bits as usize / 5 % 4] } else { bits }
    };
    let mut limbs: Vec<u64> = (0..len).map(limb).collect();
    *limbs.last_mut().unwrap() |= 1;
    limbs
}

fn natural(heap: &Heap, cell: Cell) -> Natural {
    match heap.as_int(cell).unwrap() {
        Some(small) => Natural::of_limbs(&[small.unsigned_abs()]),
        None => Natural::of_limbs(heap.get::<Bignum>(cell).unwrap().limbs()),
    }
}

/// Integers of so many limbs that they are multiplied and divided by other algorithms.
#[test]
fn large_integers() {
    let mut random = 1;
    let rounds = if cfg!(debug_assertions) { 12 } else { 60 };
    for round in 0..rounds {
        let sizes = [9, 33, 66, 131, 200];
        let (len, other) = (sizes[round % 5], sizes[round / 5 % 5]);
        let (a, b) = (limbs(len + other, &mut random), limbs(other, &mut random));
        let mut heap = Heap::with(Settings::seeded(1).limits(Limits::NONE.with_bytes(1 << 22)));
        let [x, y] = [&a, &b].map(|limbs| heap.alloc(Bignum::of(false, limbs)).unwrap().cell());
        let [a, b] = [&a, &b].map(|limbs| Natural::of_limbs(limbs));
        let product = heap.mul(x, y).unwrap();
        assert_eq!(natural(&heap, product), a.times(&b));
        let (quotient, rest) = heap.div_rem(x, y).unwrap();
        let (naive_quotient, naive_rest) = a.divided(&b);
        assert_eq!(natural(&heap, quotient), naive_quotient);
        assert_eq!(natural(&heap, rest), naive_rest);
        let square = heap.pow(y, 2.into()).unwrap();
        assert_eq!(natural(&heap, square), b.times(&b));
        let negative = heap.neg(x).unwrap();
        let (floor, modulo) = heap.div_mod_floor(negative, y).unwrap();
        let (back, one) = (heap.mul(floor, y).unwrap(), Natural::of_limbs(&[1]));
        assert!(naive_rest.is_zero() || natural(&heap, floor) == naive_quotient.plus(&one));
        assert_eq!(
            heap.add(back, modulo).and_then(|sum| heap.cmp_int(sum, negative)),
            Ok(std::cmp::Ordering::Equal)
        );
    }
}

/// So many digits that they are parsed and written in parts.
#[test]
fn large_integers_in_any_radix() {
    let mut random = 2;
    for (round, radix) in [10, 3, 36, 16, 32, 2, 7, 10].into_iter().enumerate() {
        for len in [30, 59, 131, 240 + round] {
            let limbs = limbs(len, &mut random);
            let mut heap = Heap::with(Settings::seeded(1));
            let number = heap.alloc(Bignum::of(round % 2 == 0, &limbs)).unwrap().cell();
            let sign = if round % 2 == 0 { "-" } else { "" };
            let digits = format!("{sign}{}", Natural::of_limbs(&limbs).digits(radix));
            let text = heap.int_to_text(number, radix).unwrap();
            assert_eq!(heap.text(text).unwrap().to_string(), digits);
            let back = heap.int_from_text(text, radix).unwrap();
            assert_eq!(natural(&heap, back), Natural::parse(&digits[sign.len()..], radix));
            assert_eq!(heap.cmp_int(back, number), Ok(std::cmp::Ordering::Equal));
            assert_eq!(Natural::of_limbs(&limbs).limbs(), limbs);
        }
    }
}

/// Of the bits below those of a float, the last decides where the others are half; and the
/// bits of a float beyond 64 bits are those of the integer.
#[test]
fn large_integers_and_floats() {
    let mut heap = heap(5);
    let float = |exponent: i32| 2_f64.powi(exponent);
    let two = |heap: &mut Heap, exponent: i32| heap.shl(1.into(), exponent.into()).unwrap();
    for high in [63, 100, 127, 128, 700] {
        let (top, half) = (two(&mut heap, high), two(&mut heap, high - 53));
        let middle = heap.add(top, half).unwrap();
        assert_eq!(heap.as_f64(middle), Ok(float(high)), "to the even one");
        if high > 63 {
            let beyond = heap.add(middle, 1.into()).unwrap();
            let next = float(high) + float(high - 52);
            assert_eq!(heap.as_f64(beyond), Ok(next), "2^{high}");
            let back = heap.int_from_f64(next).unwrap();
            let expected = heap.add(top, half).and_then(|sum| heap.add(sum, half)).unwrap();
            assert_eq!(heap.cmp_int(back, expected), Ok(Ordering::Equal), "2^{high}");
        }
    }
}
