//! Arithmetic on magnitudes: slices of limbs, least significant first.
//!
//! Division uses the reciprocals of N. Möller and T. Granlund, "Improved division by
//! invariant integers" (2011), in Knuth's algorithm D; the greatest common divisor,
//! Lehmer's algorithm (Knuth, The Art of Computer Programming, 4.5.2).

use core::cmp::Ordering;

use crate::words::to_u64;

/// The low half.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "truncates on purpose")]
pub(crate) const fn low(wide: u128) -> u64 {
    wide as u64
}

/// The high half.
#[inline(always)]
pub(crate) const fn high(wide: u128) -> u64 {
    low(wide >> 64)
}

/// A number of two limbs.
#[inline(always)]
pub(crate) const fn wide(high: u64, low: u64) -> u128 {
    (high as u128) << 64 | low as u128
}

/// The product of two limbs.
#[inline(always)]
const fn times(a: u64, b: u64) -> u128 {
    (a as u128).wrapping_mul(b as u128)
}

/// The limbs without zeroes at the end.
pub(crate) fn trimmed(limbs: &[u64]) -> &[u64] {
    let len = limbs.iter().rposition(|&limb| limb != 0).map_or(0, |last| last.saturating_add(1));
    limbs.get(..len).unwrap_or_default()
}

/// The bits of limbs of which the last one is not zero.
pub(crate) fn bits(limbs: &[u64]) -> u64 {
    let high = limbs.last().map_or(0, |limb| limb.leading_zeros());
    to_u64(limbs.len()).saturating_mul(64).saturating_sub(u64::from(high))
}

/// The magnitude as `num-bigint` has it. O(limbs); allocates.
#[cfg(feature = "bigint")]
pub(crate) fn to_big(limbs: &[u64]) -> num_bigint::BigUint {
    num_bigint::BigUint::from_slice(bytemuck::cast_slice(limbs))
}

/// The order of two magnitudes whose last limbs are not zero.
pub(crate) fn compare(a: &[u64], b: &[u64]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

/// Adds `b`, which has at most as many limbs. Returns the carry.
pub(crate) fn add(a: &mut [u64], b: &[u64]) -> bool {
    debug_assert!(b.len() <= a.len());
    let rest = core::iter::repeat(&0);
    let mut carry = false;
    for ((place, limb), &more) in a.iter_mut().enumerate().zip(b.iter().chain(rest)) {
        if place >= b.len() && !carry {
            return false;
        }
        let (sum, first) = limb.overflowing_add(more);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        (*limb, carry) = (sum, first | second);
    }
    carry
}

/// Adds 1. Returns the carry.
pub(crate) fn increment(limbs: &mut [u64]) -> bool {
    add(limbs, &[1])
}

/// Replaces `a` by `b - a`, where `b` has as many limbs and is not less.
pub(crate) fn subtract_from(a: &mut [u64], b: &[u64]) {
    let mut borrow = false;
    for (limb, &from) in a.iter_mut().zip(b) {
        let (difference, first) = from.overflowing_sub(*limb);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        (*limb, borrow) = (difference, first | second);
    }
    debug_assert!(!borrow);
}

/// Negates the limbs as a number in two's complement.
pub(crate) fn negate(limbs: &mut [u64]) {
    limbs.iter_mut().for_each(|limb| *limb = !*limb);
    increment(limbs);
}

/// Multiplies by `factor` and adds `carry`. Returns the limb that this carries.
pub(crate) fn multiply_add(limbs: &mut [u64], factor: u64, carry: u64) -> u64 {
    limbs.iter_mut().fold(carry, |carry, limb| {
        let product = times(*limb, factor).wrapping_add(u128::from(carry));
        *limb = low(product);
        high(product)
    })
}

/// Writes the product to `out`, which is zero, and has as many limbs as both factors at
/// least. O(limbs of one * limbs of the other).
pub(crate) fn multiply(out: &mut [u64], a: &[u64], b: &[u64]) {
    debug_assert!(out.len() >= a.len().saturating_add(b.len()));
    for (first, &a) in a.iter().enumerate() {
        let mut places = out.get_mut(first..).unwrap_or_default().iter_mut();
        let mut carry = 0;
        for (&b, place) in b.iter().zip(&mut places) {
            // At most (2^64 - 1)^2 + 2 * (2^64 - 1), which is 2^128 - 1.
            let sum = times(a, b).wrapping_add(u128::from(*place)).wrapping_add(u128::from(carry));
            *place = low(sum);
            carry = high(sum);
        }
        if let Some(place) = places.next() {
            *place = carry;
        }
    }
}

/// The product of two numbers of two limbs.
#[inline(always)]
pub(crate) fn product_of_two(a: u128, b: u128) -> [u64; 4] {
    let ((a_low, a_high), (b_low, b_high)) = ((low(a), high(a)), (low(b), high(b)));
    let first = times(a_low, b_low);
    // Each at most (2^64 - 1)^2 + 2^64 - 1.
    let middle = times(a_high, b_low).wrapping_add(u128::from(high(first)));
    let other = times(a_low, b_high).wrapping_add(u128::from(low(middle)));
    let carries = u128::from(high(middle)).wrapping_add(u128::from(high(other)));
    let last = times(a_high, b_high).wrapping_add(carries);
    [low(first), low(other), low(last), high(last)]
}

/// Shifts to the left by fewer than 64 bits. Returns the bits shifted out.
pub(crate) fn shift_left(limbs: &mut [u64], by: u32) -> u64 {
    limbs.iter_mut().fold(0, |carry, limb| {
        let shifted = wide(0, *limb) << by;
        *limb = low(shifted) | carry;
        high(shifted)
    })
}

/// Shifts to the right by fewer than 64 bits. Returns whether bits that are not zero are
/// shifted out.
pub(crate) fn shift_right(limbs: &mut [u64], by: u32) -> bool {
    let carry = limbs.iter_mut().rev().fold(0, |carry, limb| {
        let shifted = wide(*limb, 0) >> by;
        *limb = high(shifted) | carry;
        low(shifted)
    });
    carry != 0
}

/// The reciprocal of a limb whose highest bit is set: (2^128 - 1) / divisor - 2^64.
fn reciprocal(divisor: u64) -> u64 {
    debug_assert!(divisor >> 63 == 1);
    low(wide(!divisor, u64::MAX).checked_div(u128::from(divisor)).unwrap_or(0))
}

/// Divides by one limb, which is not zero. Returns the remainder.
pub(crate) fn divide_by_limb(limbs: &mut [u64], divisor: u64) -> u64 {
    debug_assert!(divisor != 0);
    let shift = divisor.leading_zeros();
    let divisor = divisor.wrapping_shl(shift);
    let inverse = reciprocal(divisor);
    let mut rest = 0;
    // Divides the number shifted to the left, of which each place has bits of two limbs.
    rest = limbs.last().map_or(rest, |&limb| high(wide(0, limb) << shift));
    for place in (0..limbs.len()).rev() {
        let below = place.checked_sub(1).and_then(|below| limbs.get(below)).copied();
        let Some(limb) = limbs.get_mut(place) else { return 0 };
        let next = high(wide(*limb, below.unwrap_or(0)) << shift);
        let product = times(inverse, rest).wrapping_add(wide(rest, next));
        let mut digit = high(product).wrapping_add(1);
        rest = next.wrapping_sub(digit.wrapping_mul(divisor));
        if rest > low(product) {
            digit = digit.wrapping_sub(1);
            rest = rest.wrapping_add(divisor);
        }
        if rest >= divisor {
            digit = digit.wrapping_add(1);
            rest = rest.wrapping_sub(divisor);
        }
        *limb = digit;
    }
    rest >> shift
}

/// A divisor of two limbs or more, of which the highest bit is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor<'d> {
    limbs: &'d [u64],
    /// The two highest limbs, and their reciprocal.
    top: u128,
    inverse: u64,
}

impl<'d> Divisor<'d> {
    /// `None` if the divisor is not of this form.
    pub(crate) fn new(limbs: &'d [u64]) -> Option<Divisor<'d>> {
        let &[.., second, first] = limbs else { return None };
        if first >> 63 == 0 {
            return None;
        }
        let mut inverse = reciprocal(first);
        let mut rest = first.wrapping_mul(inverse).wrapping_add(second);
        if rest < second {
            inverse = inverse.wrapping_sub(1);
            if rest >= first {
                inverse = inverse.wrapping_sub(1);
                rest = rest.wrapping_sub(first);
            }
            rest = rest.wrapping_sub(first);
        }
        let product = times(inverse, second);
        rest = rest.wrapping_add(high(product));
        let top = wide(first, second);
        if rest < high(product) {
            inverse = inverse.wrapping_sub(1);
            if wide(rest, low(product)) >= top {
                inverse = inverse.wrapping_sub(1);
            }
        }
        Some(Divisor { limbs, top, inverse })
    }

    pub(crate) const fn limbs(&self) -> &'d [u64] {
        self.limbs
    }

    /// The quotient of three limbs by the two highest ones, which are greater than the
    /// two highest of the three: exact, or 1 too large for the whole divisor.
    fn digit(&self, [third, second, first]: [u64; 3]) -> u64 {
        if wide(first, second) >= self.top {
            return u64::MAX;
        }
        let product = times(self.inverse, first).wrapping_add(wide(first, second));
        let mut digit = high(product).wrapping_add(1);
        let rest = second.wrapping_sub(high(product).wrapping_mul(high(self.top)));
        let mut rest = wide(rest, third)
            .wrapping_sub(times(low(self.top), high(product)))
            .wrapping_sub(self.top);
        if high(rest) >= low(product) {
            digit = digit.wrapping_sub(1);
            rest = rest.wrapping_add(self.top);
        }
        if rest >= self.top { digit.wrapping_add(1) } else { digit }
    }

    /// Divides `rest`, which has one limb more than the divisor and is less than 2^64
    /// times as large. Leaves the remainder, and returns the quotient.
    fn divide_once(&self, rest: &mut [u64]) -> u64 {
        let &mut [.., third, second, first] = rest else { return 0 };
        let digit = self.digit([third, second, first]);
        let (mut carry, mut borrow) = (0, false);
        for (limb, &divisor) in rest.iter_mut().zip(self.limbs) {
            let product = times(digit, divisor).wrapping_add(u128::from(carry));
            carry = high(product);
            let (difference, once) = limb.overflowing_sub(low(product));
            let (difference, twice) = difference.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (difference, once | twice);
        }
        let missing = u128::from(carry).wrapping_add(u128::from(borrow));
        let Some((top, rest)) = rest.split_last_mut() else { return 0 };
        let is_negative = u128::from(*top) < missing;
        *top = 0;
        if is_negative {
            add(rest, self.limbs);
            digit.wrapping_sub(1)
        } else {
            digit
        }
    }

    /// Divides `rest`, whose last limb is less than the divisor's: leaves the remainder,
    /// and writes the quotient, if it is wanted, to as many limbs as `rest` has more
    /// than the divisor. O(limbs of the quotient * limbs of the divisor).
    pub(crate) fn divide(&self, rest: &mut [u64], quotient: &mut [u64]) {
        let len = self.limbs.len();
        for place in (0..rest.len().saturating_sub(len)).rev() {
            let end = place.saturating_add(len).saturating_add(1);
            let digit = rest.get_mut(place..end).map_or(0, |rest| self.divide_once(rest));
            if let Some(limb) = quotient.get_mut(place) {
                *limb = digit;
            }
        }
    }
}

/// Bits that the steps of [`lehmer`] look at.
const WINDOW: u64 = 62;

/// The `WINDOW` bits of a number from bit `shift` on.
fn window(limbs: &[u64], shift: u64) -> i64 {
    let place = usize::try_from(shift / 64).unwrap_or(usize::MAX);
    let limb = |place: usize| limbs.get(place).copied().unwrap_or(0);
    let bits = wide(limb(place.saturating_add(1)), limb(place)) >> (shift % 64);
    (low(bits) & ((1 << WINDOW) - 1)).cast_signed()
}

/// The steps of Euclid's algorithm on `a >= b` that follow from their highest bits, as
/// factors: the next `a` is `f[0] a + f[1] b`, the next `b` is `f[2] a + f[3] b`.
fn lehmer(a: &[u64], b: &[u64]) -> [i64; 4] {
    let shift = bits(trimmed(a)).saturating_sub(WINDOW);
    let (mut x, mut y) = (window(a, shift), window(b, shift));
    let mut f = [1_i64, 0, 0, 1];
    loop {
        let [p, q, r, s] = f;
        let first = x.wrapping_add(p).checked_div(y.wrapping_add(r));
        let second = x.wrapping_add(q).checked_div(y.wrapping_add(s));
        let Some(quotient) = first.filter(|_| first == second) else { return f };
        let less = |a: i64, b: i64| a.wrapping_sub(quotient.wrapping_mul(b));
        f = [r, s, less(p, r), less(q, s)];
        (x, y) = (y, less(x, y));
    }
}

/// Leaves the greatest common divisor of `a` and `b` in `a`; `a` is not less than `b`,
/// and both have as many limbs. `spare` has as many, and one more. O(limbs^2).
pub(crate) fn gcd<'l>(mut a: &'l mut [u64], mut b: &'l mut [u64], spare: &mut [u64]) -> &'l [u64] {
    while trimmed(b).len() > 1 {
        let [p, q, r, s] = lehmer(a, b);
        if q == 0 {
            remainder(a, b, spare);
            core::mem::swap(&mut a, &mut b);
            continue;
        }
        let (mut carry_a, mut carry_b) = (0_i128, 0_i128);
        for (a, b) in a.iter_mut().zip(b.iter_mut()) {
            let sum = |carry: i128, f: i64, g: i64| {
                // The factors have different signs.
                let of_a = i128::from(f).wrapping_mul(i128::from(*a));
                carry.wrapping_add(of_a).wrapping_add(i128::from(g).wrapping_mul(i128::from(*b)))
            };
            let (next_a, next_b) = (sum(carry_a, p, q), sum(carry_b, r, s));
            (*a, *b) = (low(next_a.cast_unsigned()), low(next_b.cast_unsigned()));
            (carry_a, carry_b) = (next_a >> 64, next_b >> 64);
        }
        debug_assert!(carry_a == 0 && carry_b == 0);
    }
    if let Some(&last) = b.first().filter(|&&last| last != 0) {
        let rest = divide_by_limb(a, last);
        a.fill(0);
        if let Some(place) = a.first_mut() {
            *place = low(gcd_wide(u128::from(last), u128::from(rest)));
        }
    }
    trimmed(a)
}

/// Leaves the remainder of `a` by `b`, which is not zero, in `a`. `spare` has as many limbs
/// as `a`, and one more. O(limbs of `b` * limbs that `a` has more).
pub(crate) fn remainder(a: &mut [u64], b: &mut [u64], spare: &mut [u64]) {
    let len = trimmed(b).len();
    let Some(b) = b.get_mut(..len) else { return };
    if let [divisor] = *b {
        let rest = divide_by_limb(a, divisor);
        a.fill(0);
        a.iter_mut().take(1).for_each(|limb| *limb = rest);
        return;
    }
    let shift = b.last().map_or(0, |limb| limb.leading_zeros());
    shift_left(b, shift);
    let Some((top, rest)) = spare.split_last_mut() else { return };
    rest.copy_from_slice(a);
    *top = shift_left(rest, shift);
    if let Some(divisor) = Divisor::new(b) {
        divisor.divide(spare, &mut []);
    }
    shift_right(b, shift);
    shift_right(spare, shift);
    a.iter_mut().zip(spare.iter()).for_each(|(to, &from)| *to = from);
}

/// The greatest common divisor of two numbers of up to two limbs. O(bits) steps.
pub(crate) fn gcd_wide(mut a: u128, mut b: u128) -> u128 {
    let twos = (a | b).trailing_zeros();
    if a == 0 || b == 0 {
        return a | b;
    }
    a >>= a.trailing_zeros();
    while b != 0 {
        b >>= b.trailing_zeros();
        (a, b) = (a.min(b), a.abs_diff(b));
    }
    a << twos
}

#[cfg(test)]
#[path = "limbs/tests.rs"]
mod tests;
