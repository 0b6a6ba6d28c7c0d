//! [`Integer`]: sign and magnitude of an integer that lies in an arena.

use core::cmp::Ordering;
use core::fmt;

use crate::words::to_u64;

/// An integer in an arena. The header word of the object is the sign; the elements
/// are the limbs of 64 bits, least significant first, the last one not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Integer<'h> {
    pub(crate) negative: bool,
    pub(crate) limbs: &'h [u64],
}

impl<'h> Integer<'h> {
    /// The integer in the words of an object.
    pub(crate) fn of(words: &'h [u64]) -> Integer<'h> {
        debug_assert!(!words.is_empty(), "an integer has no header");
        let (sign, limbs) = words.split_first().unwrap_or((&0, &[]));
        Integer { negative: *sign != 0, limbs }
    }

    /// The value, if it fits.
    pub(crate) fn to_i128(self) -> Option<i128> {
        let magnitude = match *self.limbs {
            [] => 0,
            [low] => u128::from(low),
            [low, high] => u128::from(high) << 64 | u128::from(low),
            _ => return None,
        };
        if self.negative {
            0_i128.checked_sub_unsigned(magnitude)
        } else {
            i128::try_from(magnitude).ok()
        }
    }

    /// The value, if it fits.
    #[inline]
    pub(crate) fn to_i64(self) -> Option<i64> {
        match *self.limbs {
            [] => Some(0),
            [limb] if self.negative => 0_i64.checked_sub_unsigned(limb),
            [limb] => i64::try_from(limb).ok(),
            _ => None,
        }
    }

    /// The value as `num-bigint` has it. O(limbs); allocates.
    #[cfg(feature = "bigint")]
    pub(crate) fn to_big(self) -> num_bigint::BigInt {
        use num_bigint::{BigInt, Sign};
        let sign = if self.negative { Sign::Minus } else { Sign::Plus };
        BigInt::from_slice(sign, bytemuck::cast_slice(self.limbs))
    }

    /// The bits of the magnitude, 0 for zero.
    pub(crate) fn bits(self) -> u64 {
        let high = self.limbs.last().map_or(0, |limb| limb.leading_zeros());
        to_u64(self.limbs.len()).saturating_mul(64).saturating_sub(u64::from(high))
    }

    /// The exponent, if the magnitude is a power of two.
    #[cfg(feature = "bigint")]
    pub(crate) fn log2_exact(self) -> Option<u64> {
        let (high, rest) = self.limbs.split_last()?;
        let is_power = high.is_power_of_two() && rest.iter().all(|&limb| limb == 0);
        is_power.then(|| self.bits().saturating_sub(1))
    }

    /// The integer with the other sign.
    pub(crate) fn negated(self) -> Integer<'h> {
        Integer { negative: !self.negative && !self.limbs.is_empty(), ..self }
    }

    /// Writes the magnitude of the product to `limbs`, which are zero, and as many as those
    /// of both factors at least. O(limbs of one * limbs of the other).
    pub(crate) fn product(self, other: Integer<'_>, limbs: &mut [u64]) {
        debug_assert!(limbs.len() >= self.limbs.len().saturating_add(other.limbs.len()));
        for (first, &a) in self.limbs.iter().enumerate() {
            let mut places = limbs.get_mut(first..).unwrap_or_default().iter_mut();
            let mut carry = 0_u128;
            for (&b, place) in other.limbs.iter().zip(&mut places) {
                // At most (2^64 - 1)^2 + 2 * (2^64 - 1), which is 2^128 - 1.
                let wide = u128::from(a).wrapping_mul(u128::from(b));
                let wide = wide.wrapping_add(u128::from(*place)).wrapping_add(carry);
                *place = low(wide);
                carry = wide >> 64;
            }
            if let Some(place) = places.next() {
                *place = low(carry);
            }
        }
    }

    /// The sum: its sign, and its limbs, of which the most significant ones may be
    /// zero. O(limbs), as the limbs are iterated.
    pub(crate) fn sum(self, other: Integer<'h>) -> (bool, Limbs<'h>) {
        if self.negative == other.negative {
            return (self.negative, Limbs::new(self.limbs, other.limbs, false));
        }
        match compare_magnitudes(self.limbs, other.limbs) {
            Ordering::Less => (other.negative, Limbs::new(other.limbs, self.limbs, true)),
            _ => (self.negative, Limbs::new(self.limbs, other.limbs, true)),
        }
    }
}

impl Ord for Integer<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => compare_magnitudes(self.limbs, other.limbs),
            (true, true) => compare_magnitudes(other.limbs, self.limbs),
        }
    }
}

impl PartialOrd for Integer<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The low half.
#[allow(clippy::cast_possible_truncation, reason = "truncates on purpose")]
const fn low(wide: u128) -> u64 {
    wide as u64
}

/// The order of two magnitudes whose last limbs are not zero.
fn compare_magnitudes(a: &[u64], b: &[u64]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

/// The limbs of the sum or the difference of two magnitudes, least significant
/// first.
#[derive(Clone, Debug)]
pub(crate) struct Limbs<'h> {
    a: &'h [u64],
    b: &'h [u64],
    subtract: bool,
    carry: bool,
}

impl<'h> Limbs<'h> {
    /// `a + b`, or `a - b`, for which `b` must not be greater than `a`.
    const fn new(a: &'h [u64], b: &'h [u64], subtract: bool) -> Limbs<'h> {
        Limbs { a, b, subtract, carry: false }
    }
}

impl Iterator for Limbs<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let (a, b) = (self.a.split_first(), self.b.split_first());
        if a.is_none() && b.is_none() {
            return core::mem::take(&mut self.carry).then_some(1);
        }
        let (a, a_rest) = a.unwrap_or((&0, &[]));
        let (b, b_rest) = b.unwrap_or((&0, &[]));
        (self.a, self.b) = (a_rest, b_rest);
        let carry = u64::from(self.carry);
        let ((limb, first), (result, second));
        if self.subtract {
            (limb, first) = a.overflowing_sub(*b);
            (result, second) = limb.overflowing_sub(carry);
        } else {
            (limb, first) = a.overflowing_add(*b);
            (result, second) = limb.overflowing_add(carry);
        }
        self.carry = first | second;
        Some(result)
    }
}

/// In decimal. O(limbs^2); allocates.
impl fmt::Display for Integer<'_> {
    #[cfg(feature = "bigint")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_big(), f)
    }

    #[cfg(not(feature = "bigint"))]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use alloc::string::String;
        use core::fmt::Write;
        /// The largest power of ten in a limb.
        const CHUNK: u128 = 10_000_000_000_000_000_000;
        let (mut limbs, mut chunks) = (self.limbs.to_vec(), alloc::vec::Vec::new());
        while !limbs.iter().all(|&limb| limb == 0) {
            let rest = limbs.iter_mut().rev().fold(0_u128, |rest, limb| {
                // As `rest` is below `CHUNK`, the quotient fits into a limb.
                let wide = rest << 64 | u128::from(*limb);
                *limb = u64::try_from(wide / CHUNK).unwrap_or(0);
                wide % CHUNK
            });
            chunks.push(rest);
        }
        let mut digits = String::new();
        let mut chunks = chunks.iter().rev();
        write!(digits, "{}", chunks.next().unwrap_or(&0))?;
        chunks.try_for_each(|chunk| write!(digits, "{chunk:019}"))?;
        f.pad_integral(!self.negative, "", &digits)
    }
}
