//! Powers, and powers modulo an integer.

use super::integers::{Operand, operand};
use super::magnitudes::{copied, divide, multiply, zeroed};
use crate::arena::Account;
use crate::heap::Heap;
use crate::object::Integer;
use crate::object::limbs::{self, Divisor, trimmed};
use crate::words::{Cell, Error, Result, corrupt, to_u64};

impl Heap {
    /// Returns `base` to the power of `exponent`; 0 to the power of 0 is 1. Exact
    /// at any size. O(n) for n limbs in the result of a power of two; else O(log exponent)
    /// multiplications, of which the last ones take most of the time: see [`Heap::mul`].
    /// O(limbs of the base) if a limit refuses the result, whose size is known before.
    /// [`Limits::integer_bits`](crate::Limits::integer_bits) bounds the time.
    ///
    /// ```
    /// use segheap::{Error, Heap};
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.pow(3.into(), 4.into())?, 81.into());
    /// assert_eq!(heap.pow(2.into(), (-1).into()), Err(Error::NegativeExponent));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::mul`]; [`Error::NegativeExponent`] if the exponent is
    /// negative; [`Error::ObjectTooLarge`] if the result exceeds 2^29 - 2 limbs.
    pub fn pow(&mut self, base: Cell, exponent: Cell) -> Result<Cell> {
        let (operand, power) = (operand(&self.store, base)?, operand(&self.store, exponent)?);
        let (negative, is_odd) = power.with_integer(|power| {
            (power.negative, power.limbs.first().is_some_and(|low| low & 1 == 1))
        });
        let small = match operand {
            _ if negative => return Err(Error::NegativeExponent),
            _ if matches!(power, Operand::Small(0)) => Some(1),
            Operand::Small(0) => Some(0),
            Operand::Small(1) => Some(1),
            Operand::Small(-1) => Some(if is_odd { -1 } else { 1 }),
            base => match power {
                Operand::Small(power) => {
                    let power = u32::try_from(power).ok();
                    base.with_integer(|base| base.to_i128()?.checked_pow(power?))
                }
                Operand::Large(_) => return Err(Error::ObjectTooLarge),
            },
        };
        match small {
            Some(small) => self.int128(small),
            None => self.large_pow(base, exponent),
        }
    }

    /// A power beyond 128 bits of a base that is none of 0, 1 and -1.
    #[inline(never)]
    fn large_pow(&mut self, base: Cell, exponent: Cell) -> Result<Cell> {
        let exponent = self.as_int(exponent)?.map_or(u64::MAX, i64::unsigned_abs);
        let ((least, most), negative, log2) = operand(&self.store, base)?.with_integer(|base| {
            let negative = base.negative && exponent & 1 == 1;
            (power_bits(&base, exponent), negative, base.log2_exact())
        });
        if let Some(log2) = log2 {
            let log2 = log2.saturating_mul(exponent);
            let len = self.check_result(log2.saturating_add(1))?;
            return self.with_limbs(len, |_, limbs| {
                *limbs.last_mut().ok_or_else(corrupt)? = 1 << (log2 % 64);
                Ok(negative)
            });
        }
        self.check_result(least)?;
        // A multiplication writes a limb more than its product has, at most.
        let len = usize::try_from(most / 64).map_err(|_| Error::ObjectTooLarge)?.saturating_add(2);
        self.with_scratch(|heap, scratch| {
            let base = operand(&heap.store, base)?
                .with_integer(|base| copied(scratch.bump, base.limbs, base.limbs.len()))?;
            let mut power = copied(scratch.bump, base, len)?;
            let mut next = zeroed(scratch.bump, len)?;
            let account = heap.store.account_mut();
            scratch.charge(account);
            for bit in (0..exponent.checked_ilog2().unwrap_or(0)).rev() {
                next.fill(0);
                multiply(account, next, trimmed(power), trimmed(power))?;
                core::mem::swap(&mut power, &mut next);
                if exponent >> bit & 1 == 1 {
                    next.fill(0);
                    multiply(account, next, trimmed(power), base)?;
                    core::mem::swap(&mut power, &mut next);
                }
            }
            heap.int_of_limbs(negative, power)
        })
    }

    /// Returns `base` to the power of `exponent`, modulo `modulus`: zero, or with the sign
    /// of `modulus`, as [`Heap::mod_floor`] has it. O(b n^2) for b bits of the exponent and
    /// n limbs of the modulus, plus O(n m) for m limbs of the base, or less where
    /// `num-bigint` multiplies and divides faster. Takes O(n + m) limbs of scratch memory.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let modulus = heap.int(1_000_000_007)?;
    /// // By Fermat's little theorem.
    /// assert_eq!(heap.modpow(3.into(), 1_000_000_006.into(), modulus)?, 1.into());
    /// assert_eq!(heap.modpow((-2).into(), 3.into(), 5.into())?, 2.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`]; [`Error::NegativeExponent`] if the exponent is negative,
    /// else [`Error::DivisionByZero`] if the modulus is zero.
    pub fn modpow(&mut self, base: Cell, exponent: Cell, modulus: Cell) -> Result<Cell> {
        let store = &self.store;
        let negative_base = operand(store, base)?.with_integer(|base| base.negative);
        let (negative, is_odd) = operand(store, exponent)?.with_integer(|exponent| {
            let is_odd = exponent.limbs.first().is_some_and(|low| low & 1 == 1);
            (exponent.negative, is_odd)
        });
        let is_zero = matches!(operand(store, modulus)?, Operand::Small(0));
        if negative {
            return Err(Error::NegativeExponent);
        }
        if is_zero {
            return Err(Error::DivisionByZero);
        }
        let is_negative = negative_base && is_odd;
        if let Some(cell) = self.modpow_of_limb((base, exponent, modulus), is_negative)? {
            return Ok(cell);
        }
        self.large_modpow((base, exponent, modulus), is_negative)
    }

    /// [`Heap::modpow`] for a modulus of one limb.
    fn modpow_of_limb(
        &mut self,
        (base, exponent, modulus): (Cell, Cell, Cell),
        is_negative: bool,
    ) -> Result<Option<Cell>> {
        let store = &self.store;
        let (negative, modulus) = operand(store, modulus)?.with_integer(|modulus| {
            let only = if let [only] = *modulus.limbs { Some(only) } else { None };
            (modulus.negative, only)
        });
        let Some(modulus) = modulus else { return Ok(None) };
        let modulo = |wide: u128| limbs::low(wide.checked_rem(u128::from(modulus)).unwrap_or(0));
        let times = |a: u64, b: u64| modulo(u128::from(a).wrapping_mul(u128::from(b)));
        let base = operand(store, base)?.with_integer(|base| {
            base.limbs.iter().rev().fold(0, |rest, &limb| modulo(limbs::wide(rest, limb)))
        });
        let power = operand(store, exponent)?.with_integer(|exponent| {
            bits_from_highest(exponent.limbs).fold(modulo(1), |power, bit| {
                let square = times(power, power);
                if bit { times(square, base) } else { square }
            })
        });
        let power =
            if is_negative != negative && power != 0 { modulus.wrapping_sub(power) } else { power };
        self.int_of_limbs(negative, &[power]).map(Some)
    }

    /// [`Heap::modpow`] for a modulus of more limbs.
    fn large_modpow(
        &mut self,
        (base, exponent, modulus): (Cell, Cell, Cell),
        is_negative: bool,
    ) -> Result<Cell> {
        self.with_scratch(|heap, scratch| {
            let copy = |cell, len: usize| {
                operand(&heap.store, cell)?.with_integer(|integer| {
                    let len = integer.limbs.len().max(len);
                    Ok::<_, Error>((integer.negative, copied(scratch.bump, integer.limbs, len)?))
                })
            };
            let ((negative, modulus), (_, exponent)) = (copy(modulus, 0)?, copy(exponent, 0)?);
            let len = modulus.len();
            let base = copy(base, len)?.1;
            let base = copied(scratch.bump, base, base.len().saturating_add(1))?;
            // Computes modulo a multiple, whose highest bit is set.
            let multiple = copied(scratch.bump, modulus, len)?;
            limbs::shift_left(multiple, modulus.last().map_or(0, |limb| limb.leading_zeros()));
            let twice = len.saturating_mul(2).saturating_add(1);
            let product = zeroed(scratch.bump, twice)?;
            let quotient = zeroed(scratch.bump, twice.max(base.len()))?;
            let power = zeroed(scratch.bump, len)?;
            let account = heap.store.account_mut();
            scratch.charge(account);
            let divisor = Divisor::new(multiple).ok_or_else(corrupt)?;
            let mut residues = Residues { account, divisor, product, quotient };
            residues.reduce(base)?;
            residues.power(base.get(..len).ok_or_else(corrupt)?, exponent, power)?;
            let spare = product.get_mut(..len.saturating_add(1)).ok_or_else(corrupt)?;
            limbs::remainder(power, modulus, spare);
            if is_negative != negative && power.iter().any(|&limb| limb != 0) {
                limbs::subtract_from(power, modulus);
            }
            heap.int_of_limbs(negative, power)
        })
    }
}

/// The bits of a magnitude, from its highest one on.
fn bits_from_highest(limbs: &[u64]) -> impl Iterator<Item = bool> {
    let bits =
        limbs.iter().rev().flat_map(|&limb| (0..64).rev().map(move |bit| limb >> bit & 1 == 1));
    bits.skip_while(|bit| !bit)
}

/// Multiplication modulo an integer of two limbs or more.
struct Residues<'a> {
    account: &'a mut Account,
    divisor: Divisor<'a>,
    /// A product of two residues, and a limb that is zero.
    product: &'a mut [u64],
    /// As many limbs as the largest dividend.
    quotient: &'a mut [u64],
}

impl Residues<'_> {
    /// Leaves the residue in the first limbs of `number`, whose last limb is zero.
    fn reduce(&mut self, number: &mut [u64]) -> Result<()> {
        let more = number.len().saturating_sub(self.divisor.limbs().len());
        let quotient = self.quotient.get_mut(..more).ok_or_else(corrupt)?;
        divide(self.account, number, &self.divisor, quotient)
    }

    /// Replaces `a` by its product with `b`.
    fn multiply(&mut self, a: &mut [u64], b: Option<&[u64]>) -> Result<()> {
        self.product.fill(0);
        multiply(self.account, self.product, a, b.unwrap_or(a))?;
        let product = core::mem::take(&mut self.product);
        let reduced = self.reduce(product);
        a.iter_mut().zip(&*product).for_each(|(to, &limb)| *to = limb);
        self.product = product;
        reduced
    }

    /// Writes the power of a residue to `power`, which is zero.
    fn power(&mut self, base: &[u64], exponent: &[u64], power: &mut [u64]) -> Result<()> {
        *power.first_mut().ok_or_else(corrupt)? = 1;
        for bit in bits_from_highest(exponent) {
            self.multiply(power, None)?;
            if bit {
                self.multiply(power, Some(base))?;
            }
        }
        Ok(())
    }
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

/// Bounds on the bits of the power of a base beyond 1. They differ by one at most for
/// exponents below 2^32.
pub(super) fn power_bits(base: &Integer<'_>, exponent: u64) -> (u64, u64) {
    let bits = |up| Rounded::of(base, up).power(exponent, up).bits();
    (bits(false), bits(true))
}
