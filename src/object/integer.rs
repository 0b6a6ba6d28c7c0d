//! [`Integer`]: sign and magnitude of an integer that lies in an arena.

#[cfg(feature = "bigint")]
use alloc::string::ToString;
use core::cmp::Ordering;
use core::fmt;

use super::limbs;

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

    /// The bits of the magnitude, 0 for zero.
    pub(crate) fn bits(self) -> u64 {
        limbs::bits(self.limbs)
    }

    /// The exponent, if the magnitude is a power of two.
    pub(crate) fn log2_exact(self) -> Option<u64> {
        let (high, rest) = self.limbs.split_last()?;
        let is_power = high.is_power_of_two() && rest.iter().all(|&limb| limb == 0);
        is_power.then(|| self.bits().saturating_sub(1))
    }

    /// The integer with the other sign.
    pub(crate) fn negated(self) -> Integer<'h> {
        Integer { negative: !self.negative && !self.limbs.is_empty(), ..self }
    }

    /// The bits from bit `shift` on, 64 of them, and whether any below is set.
    fn window(self, shift: u64) -> (u64, bool) {
        let (limb, offset) = (usize::try_from(shift / 64).unwrap_or(usize::MAX), shift % 64);
        let word = |n: usize| self.limbs.get(n).copied().unwrap_or(0);
        let window = limbs::wide(word(limb.saturating_add(1)), word(limb));
        let below = self.limbs.iter().take(limb).any(|&word| word != 0)
            || window & ((1_u128 << offset).wrapping_sub(1)) != 0;
        (limbs::low(window >> offset), below)
    }

    /// The float next to the integer, not beyond it, and whether it is the integer.
    pub(crate) fn toward_zero(self) -> (f64, bool) {
        const DIGITS: u64 = f64::MANTISSA_DIGITS as u64;
        let shift = self.bits().saturating_sub(DIGITS);
        let (magnitude, exact) = if self.bits() > 1024 {
            (f64::MAX, false)
        } else {
            let (digits, below) = self.window(shift);
            (digits as f64 * power_of_two(shift), !below)
        };
        (if self.negative { -magnitude } else { magnitude }, exact)
    }

    /// The float next to the integer, of two the even one; infinite beyond the greatest.
    pub(crate) fn to_f64(self) -> f64 {
        let shift = self.bits().saturating_sub(64);
        let magnitude = if self.bits() > 1024 {
            f64::INFINITY
        } else {
            // The lowest bit stands for all below: it decides between halves only.
            let (digits, below) = self.window(shift);
            (digits | u64::from(below)) as f64 * power_of_two(shift)
        };
        if self.negative { -magnitude } else { magnitude }
    }

    /// The sum: its sign, and its limbs, of which the most significant ones may be
    /// zero. O(limbs), as the limbs are iterated.
    pub(crate) fn sum(self, other: Integer<'h>) -> (bool, Limbs<'h>) {
        if self.negative == other.negative {
            return (self.negative, Limbs::new(self.limbs, other.limbs, false));
        }
        match limbs::compare(self.limbs, other.limbs) {
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
            (false, false) => limbs::compare(self.limbs, other.limbs),
            (true, true) => limbs::compare(other.limbs, self.limbs),
        }
    }
}

impl PartialOrd for Integer<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A power of two of 971 at most: exact, as products with it are.
fn power_of_two(exponent: u64) -> f64 {
    f64::from_bits(exponent.wrapping_add(1023) << 52)
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

/// In decimal; allocates. O(limbs^2), or less by `num-bigint`.
impl fmt::Display for Integer<'_> {
    #[cfg(feature = "bigint")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(!self.negative, "", &limbs::to_big(self.limbs).to_string())
    }

    #[cfg(not(feature = "bigint"))]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use alloc::string::String;
        use core::fmt::Write;
        /// The largest power of ten in a limb.
        const CHUNK: u64 = 10_000_000_000_000_000_000;
        let (mut rest, mut chunks) = (self.limbs.to_vec(), alloc::vec::Vec::new());
        while let Some(last) = rest.last() {
            if *last == 0 {
                rest.pop();
            } else {
                chunks.push(limbs::divide_by_limb(&mut rest, CHUNK));
            }
        }
        let mut digits = String::new();
        let mut chunks = chunks.iter().rev();
        write!(digits, "{}", chunks.next().unwrap_or(&0))?;
        chunks.try_for_each(|chunk| write!(digits, "{chunk:019}"))?;
        f.pad_integral(!self.negative, "", &digits)
    }
}
