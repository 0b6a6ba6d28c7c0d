//! The size of results of `num-bigint`, and bounds on the memory that it needs for them.
//!
//! `num-bigint` requests its memory from the global allocator, and aborts the process
//! if that fails. So each operation is charged a bound before it starts, which follows
//! from the source of version 0.5: the values that are live at the deepest
//! multiplication or division, each with the capacity that its vector may have. A
//! vector that grows by single digits has a capacity of twice its length at most.
//! `allocator::foreign_memory_stays_within_its_charge` measures what the bounds leave.

use crate::object::Integer;
use crate::words::to_u64;

/// Bytes of a digit of `num-bigint`.
const DIGIT_BYTES: u64 = to_u64(size_of::<usize>());
/// Sizes up to which it multiplies by the schoolbook method, and by Karatsuba's.
const SCHOOLBOOK: u64 = 32;
const KARATSUBA: u64 = 256;
/// Digits of a divisor, and half of those of a dividend, up to which it divides by
/// Knuth's algorithm D.
const KNUTH: u64 = 64;

/// An operation before it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// The result has at least so many bits.
    pub(super) bits_min: u64,
    /// The operation allocates at most so many bytes at a time, its result included.
    pub(super) bytes_max: u64,
}

/// The bytes of so many digits, and of spare ones for constants below.
const fn bytes(digits: u64) -> u64 {
    digits.saturating_add(16).saturating_mul(DIGIT_BYTES)
}

/// The bytes of a result that has `bits` bits: vectors of results are cut to twice
/// their length at most.
pub(super) const fn result_bytes(bits: u64) -> u64 {
    bytes((bits / 8 / DIGIT_BYTES).saturating_add(1).saturating_mul(2))
}

/// The digits of an integer.
fn digits(integer: &Integer<'_>) -> u64 {
    to_u64(integer.limbs.len()).saturating_mul(8 / DIGIT_BYTES)
}

/// What a multiplication allocates besides its factors and the product.
///
/// Factors of very different lengths are split in halves, until the longer one has less
/// than twice the digits of the shorter. With s digits in both, Karatsuba's method
/// holds a product, and two differences, of 2s/3 + 1 digits each or in all: by
/// recursion on these, 4s + 64 suffice. Toom-3 splits the longer factor into three
/// parts of L <= 2s/9 + 1 digits; at most 18L + 21 digits are live while it multiplies
/// two sums of parts, and 20L + 40 afterwards. From M(s) <= 4s + 39 + M(4s/9 + 6)
/// follows M(s) <= 8s + 512 for s > 512.
fn product_scratch(a: u64, b: u64) -> u64 {
    let short = a.min(b);
    let sum = a.saturating_add(b).min(short.saturating_mul(3).saturating_add(2));
    if short <= SCHOOLBOOK {
        0
    } else if short <= KARATSUBA {
        sum.saturating_mul(4).saturating_add(64)
    } else {
        sum.saturating_mul(8).saturating_add(512)
    }
}

/// The product of integers that are not zero: `num-bigint` holds copies of the factors,
/// the product and its scratch memory. A factor of one digit multiplies a copy of the
/// other, which may double; both blocks are allocated while it moves.
pub(super) fn product(a: &Integer<'_>, b: &Integer<'_>) -> Estimate {
    let bits_min = a.bits().saturating_add(b.bits()).saturating_sub(1);
    let (a, b) = (digits(a), digits(b));
    let factors = a.saturating_add(b);
    let one_digit = a.min(b) <= 8 / DIGIT_BYTES;
    let product = if one_digit { a.max(b).saturating_mul(3) } else { factors };
    let all = factors.saturating_add(product).saturating_add(product_scratch(a, b));
    Estimate { bits_min, bytes_max: bytes(all) }
}

/// The digits that a division of `a` digits by `b` digits allocates.
///
/// By Knuth's algorithm: copies of the operands, the shifted ones, of which the
/// dividend may have doubled for a digit, and the quotient. Burnikel and Ziegler's
/// works on numbers of `level` digits, a power of two. It holds three more copies of
/// the dividend. For each level, 3.5 level are held while it divides numbers of half
/// the digits, down to [`KNUTH`]; or 6.5 level, and what a multiplication of halves
/// needs. So T(level) <= 7 level + 512, and that scratch.
fn division(a: u64, b: u64) -> u64 {
    let copies = a.saturating_add(b);
    if a < b || b <= 1 {
        return copies.saturating_add(a);
    }
    let knuth = copies.saturating_add(a.saturating_mul(3)).saturating_add(b);
    if a < KNUTH.saturating_mul(2) || b <= KNUTH {
        return knuth;
    }
    let level = a.saturating_add(1).checked_next_power_of_two().unwrap_or(u64::MAX);
    let held = level.saturating_mul(7).saturating_add(product_scratch(level / 2, level / 2));
    knuth.saturating_add(copies.saturating_mul(2)).saturating_add(held).saturating_add(512)
}

/// The quotient.
pub(super) fn quotient(a: &Integer<'_>, b: &Integer<'_>) -> Estimate {
    let bits_min = a.bits().saturating_sub(b.bits());
    Estimate { bits_min, bytes_max: bytes(division(digits(a), digits(b))) }
}

/// The remainder.
pub(super) fn remainder(a: &Integer<'_>, b: &Integer<'_>) -> Estimate {
    Estimate { bits_min: 0, ..quotient(a, b) }
}

/// The power of a base beyond 1.
///
/// `num-bigint` squares the base, and multiplies the squares for the exponent's bits
/// into an accumulator. Base and accumulator together have the digits of the result
/// at most, and one more; so has a product, or three times as many for a factor of one
/// digit, as in [`product`].
pub(super) fn power(base: &Integer<'_>, exponent: u64) -> Estimate {
    let (low, high) = power_bits(base, exponent);
    let result = (high / 8 / DIGIT_BYTES).saturating_add(1);
    let half = (result / 2).saturating_add(2);
    let all = digits(base).saturating_add(result.saturating_mul(4));
    let all = all.saturating_add(product_scratch(half, half));
    Estimate { bits_min: low, bytes_max: bytes(all) }
}

/// A positive number, rounded: a mantissa whose highest bit is set, times a power of
/// two.
#[derive(Clone, Copy, Debug)]
struct Rounded {
    mantissa: u64,
    exponent: i64,
}

impl Rounded {
    /// `mantissa` times 2 to the power of `exponent`, rounded up or down.
    #[allow(clippy::cast_possible_truncation, reason = "takes halves")]
    fn new(mantissa: u128, exponent: i64, up: bool) -> Rounded {
        let mantissa = mantissa.max(1);
        let shift = mantissa.leading_zeros();
        let shifted = mantissa << shift;
        let (high, rest) = ((shifted >> 64) as u64, shifted as u64);
        let exponent = exponent.saturating_add(64).saturating_sub(i64::from(shift));
        match high.checked_add(u64::from(up && rest != 0)) {
            Some(mantissa) => Rounded { mantissa, exponent },
            None => Rounded { mantissa: 1 << 63, exponent: exponent.saturating_add(1) },
        }
    }

    fn of(integer: &Integer<'_>, up: bool) -> Rounded {
        match *integer.limbs {
            [ref rest @ .., next, high] => {
                // Other limbs matter only for whether there is anything below.
                let below = rest.iter().any(|&limb| limb != 0);
                let mantissa = u128::from(high) << 64 | u128::from(next) | u128::from(below);
                let exponent = to_u64(rest.len()).saturating_mul(64);
                Rounded::new(mantissa, i64::try_from(exponent).unwrap_or(i64::MAX), up)
            }
            [limb] => Rounded::new(u128::from(limb), 0, up),
            [] => Rounded::new(0, 0, up),
        }
    }

    fn times(self, other: Rounded, up: bool) -> Rounded {
        let mantissa = u128::from(self.mantissa).saturating_mul(u128::from(other.mantissa));
        Rounded::new(mantissa, self.exponent.saturating_add(other.exponent), up)
    }

    /// The power of an exponent that is not zero.
    fn power(self, mut exponent: u64, up: bool) -> Rounded {
        let (mut result, mut square) = (None, self);
        loop {
            if exponent & 1 == 1 {
                result = Some(result.map_or(square, |result: Rounded| result.times(square, up)));
            }
            exponent >>= 1;
            if exponent == 0 {
                return result.unwrap_or(square);
            }
            square = square.times(square, up);
        }
    }

    fn bits(self) -> u64 {
        u64::try_from(self.exponent.saturating_add(64)).unwrap_or(0)
    }
}

/// Bounds on the bits of a power. They differ by one at most for exponents below 2^32.
pub(super) fn power_bits(base: &Integer<'_>, exponent: u64) -> (u64, u64) {
    let bits = |up| Rounded::of(base, up).power(exponent, up).bits();
    (bits(false), bits(true))
}
