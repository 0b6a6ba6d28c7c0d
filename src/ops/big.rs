//! Multiplication and division by `num-bigint`, and bounds on the memory that it needs.
//!
//! `num-bigint` requests its memory from the global allocator, and aborts the process
//! if that fails. So each operation is charged a bound before it starts, which follows
//! from the source of version 0.5: the values that are live at the deepest
//! multiplication or division, each with the capacity that its vector may have. A
//! vector that grows by single digits has a capacity of twice its length at most.
//! `allocator::foreign_memory_stays_within_its_charge` measures what the bounds leave.

use num_bigint::BigUint;
use num_integer::Integer as _;

use crate::arena::Account;
use crate::object::limbs::to_big;
use crate::words::{Result, to_u64};

/// Bytes of a digit of `num-bigint`.
const DIGIT_BYTES: u64 = to_u64(size_of::<usize>());
/// The size up to which it multiplies by Karatsuba's method. Smaller factors than those for
/// the schoolbook method, of 32 digits, do not get here.
const KARATSUBA: u64 = 256;

/// The bytes of so many digits, and of spare ones for constants below.
const fn bytes(digits: u64) -> u64 {
    digits.saturating_add(16).saturating_mul(DIGIT_BYTES)
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
    if short <= KARATSUBA {
        sum.saturating_mul(4).saturating_add(64)
    } else {
        sum.saturating_mul(8).saturating_add(512)
    }
}

/// The digits of a multiplication of `a` digits by `b` digits: copies of the factors, the
/// product and its scratch memory.
fn product(a: u64, b: u64) -> u64 {
    a.saturating_add(b).saturating_mul(2).saturating_add(product_scratch(a, b))
}

/// The digits that a division of `a` digits by `b` digits allocates, of more than 64 each.
///
/// Copies of the operands, the shifted ones, of which the dividend may have doubled for a
/// digit, and the quotient. Burnikel and Ziegler's algorithm works on numbers of `level`
/// digits, a power of two. It holds three more copies of the dividend. For each level,
/// 3.5 level are held while it divides numbers of half the digits, down to 64; or
/// 6.5 level, and what a multiplication of halves needs. So T(level) <= 7 level + 512, and
/// that scratch.
fn division(a: u64, b: u64) -> u64 {
    let operands = a.saturating_mul(6).saturating_add(b.saturating_mul(4));
    let level = a.saturating_add(1).checked_next_power_of_two().unwrap_or(u64::MAX);
    let held = level.saturating_mul(7).saturating_add(product_scratch(level / 2, level / 2));
    operands.saturating_add(held).saturating_add(512)
}

/// The digits of so many limbs.
const fn digits(limbs: &[u64]) -> u64 {
    to_u64(limbs.len()).saturating_mul(8 / DIGIT_BYTES)
}

/// Multiplies `a` by `b` into `out`, as [`limbs::multiply`] does.
#[allow(clippy::arithmetic_side_effects, reason = "integers of any size")]
pub(super) fn multiply(
    account: &mut Account,
    out: &mut [u64],
    (a, b): (&[u64], &[u64]),
) -> Result<()> {
    held(account, product(digits(a), digits(b)), || {
        copy_to(out, &(to_big(a) * to_big(b)));
    })
}

/// Divides `rest` by `divisor`, as [`Divisor::divide`](limbs::Divisor::divide) does.
pub(super) fn divide(
    account: &mut Account,
    rest: &mut [u64],
    divisor: &[u64],
    quotient: &mut [u64],
) -> Result<()> {
    held(account, division(digits(rest), digits(divisor)), || {
        let (whole, left) = to_big(rest).div_rem(&to_big(divisor));
        copy_to(quotient, &whole);
        copy_to(rest, &left);
    })
}

/// Runs `work` while so many digits are on the account.
fn held(account: &mut Account, digits: u64, work: impl FnOnce()) -> Result<()> {
    let bytes = usize::try_from(bytes(digits)).unwrap_or(usize::MAX);
    account.hold(bytes)?;
    work();
    account.replace(bytes, 0);
    Ok(())
}

/// Writes the limbs of a result, and zeroes after them.
fn copy_to(limbs: &mut [u64], number: &BigUint) {
    let zeroes = core::iter::repeat(0);
    limbs.iter_mut().zip(number.iter_u64_digits().chain(zeroes)).for_each(|(to, limb)| *to = limb);
}
