//! Arithmetic on integers of either form.
//!
//! Sums and differences are exact on integers of any size, products on integers of up
//! to 512 bits. Other operations beyond 128 bits are done by `num-bigint` (feature
//! `bigint`). The size of a result is checked against what the limits leave before it
//! is computed, and the memory that `num-bigint` may need is on the heap's account
//! while it computes.

use bumpalo::collections::Vec;

#[cfg(feature = "bigint")]
use num_bigint::BigInt;

#[cfg(feature = "bigint")]
use super::big::{self, Estimate};
use super::integers::{Operand, operand};
use crate::arena::reserve;
use crate::heap::Heap;
use crate::kinds::Bignum;
use crate::object::Integer;
use crate::words::{Cell, Error, Result};

/// Integers of up to so many limbs, of 512 bits, are added and multiplied on the stack.
const FEW_LIMBS: usize = 8;

/// The limbs without zeroes at the end.
fn trimmed(limbs: &[u64]) -> &[u64] {
    let len = limbs.iter().rposition(|&limb| limb != 0).map_or(0, |last| last.saturating_add(1));
    limbs.get(..len).unwrap_or_default()
}

/// [`Heap::arithmetic_by_big`] with the feature `bigint`, [`Error::NoBigint`] without
/// it.
#[cfg(feature = "bigint")]
macro_rules! large {
    ($heap:expr, $operands:expr, $estimate:ident, $operation:expr) => {
        $heap.arithmetic_by_big($operands, big::$estimate, $operation)
    };
}
#[cfg(not(feature = "bigint"))]
macro_rules! large {
    ($heap:expr, $operands:expr, $estimate:ident, $operation:expr) => {{
        let _ = ($heap, $operands);
        Err(Error::NoBigint)
    }};
}

/// An operation in 64 and in 128 bits; `None` if the result does not fit.
type Checked = (fn(i64, i64) -> Option<i64>, fn(i128, i128) -> Option<i128>);

impl Heap {
    /// An operation in 64 bits if the result fits, else in 128, else by `large`.
    #[inline(always)]
    fn arithmetic(
        &mut self,
        (a, b): (Cell, Cell),
        checked: Checked,
        large: impl FnOnce(&mut Heap) -> Result<Cell>,
    ) -> Result<Cell> {
        if let (Some(x), Some(y)) = (a.as_int(), b.as_int())
            && let Some(result) = (checked.0)(x, y).and_then(Cell::int)
        {
            return Ok(result);
        }
        self.arithmetic_in_heap((a, b), checked, large)
    }

    /// [`Heap::arithmetic`] where an operand or the result does not fit into a cell.
    #[inline(never)]
    fn arithmetic_in_heap(
        &mut self,
        (a, b): (Cell, Cell),
        (small, wide): Checked,
        large: impl FnOnce(&mut Heap) -> Result<Cell>,
    ) -> Result<Cell> {
        let operands = (operand(&self.store, a)?, operand(&self.store, b)?);
        if let (Operand::Small(a), Operand::Small(b)) = operands
            && let Some(small) = small(a, b)
        {
            return self.int(small);
        }
        let wide = operands.0.to_i128().zip(operands.1.to_i128()).and_then(|(a, b)| wide(a, b));
        match wide {
            Some(value) => self.int128(value),
            None => large(self),
        }
    }

    /// An operation by `num-bigint`.
    #[cfg(feature = "bigint")]
    fn arithmetic_by_big(
        &mut self,
        (a, b): (Cell, Cell),
        estimate: fn(&Integer<'_>, &Integer<'_>) -> Estimate,
        large: fn(&BigInt, &BigInt) -> BigInt,
    ) -> Result<Cell> {
        let (x, y) = (operand(&self.store, a)?, operand(&self.store, b)?);
        let estimate = x.with_integer(|x| y.with_integer(|y| estimate(&x, &y)));
        self.compute(estimate, |store| {
            Ok(large(&operand(store, a)?.to_big(), &operand(store, b)?.to_big()))
        })
    }

    /// The result of an operation on integers of few limbs, which `work` writes to the
    /// limbs that it gets; it returns the sign. `None` if an operand has more.
    #[inline(always)]
    fn of_few_limbs(
        &mut self,
        (a, b): (Cell, Cell),
        work: impl FnOnce(Integer<'_>, Integer<'_>, &mut [u64; FEW_LIMBS * 2]) -> bool,
    ) -> Result<Option<Cell>> {
        let mut limbs = [0; FEW_LIMBS * 2];
        let (a, b) = (operand(&self.store, a)?, operand(&self.store, b)?);
        let negative = a.with_integer(|a| {
            b.with_integer(|b| {
                let few = a.limbs.len() <= FEW_LIMBS && b.limbs.len() <= FEW_LIMBS;
                few.then(|| work(a, b, &mut limbs))
            })
        });
        negative.map(|negative| self.int_of_limbs(negative, &limbs)).transpose()
    }

    /// An integer as a value. Zeroes at the end of the limbs are cut off.
    fn int_of_limbs(&mut self, negative: bool, limbs: &[u64]) -> Result<Cell> {
        let integer = Integer { negative, limbs: trimmed(limbs) };
        self.check_bits(integer.bits())?;
        match integer.to_i64() {
            Some(small) => self.int(small),
            None => self.alloc(Bignum::of(negative, integer.limbs)).map(Cell::from),
        }
    }

    /// The sum or the difference of two integers beyond 128 bits.
    #[inline(never)]
    fn sum_of_large(&mut self, a: Cell, b: Cell, subtract: bool) -> Result<Cell> {
        let sum = self.of_few_limbs((a, b), |a, b, limbs| {
            let (negative, sum) = a.sum(if subtract { b.negated() } else { b });
            limbs.iter_mut().zip(sum).for_each(|(to, limb)| *to = limb);
            negative
        });
        match sum? {
            Some(sum) => Ok(sum),
            None => self.sum_in_scratch(a, b, subtract),
        }
    }

    /// The sum or the difference of two integers, limb by limb, in scratch memory.
    #[cold]
    fn sum_in_scratch(&mut self, a: Cell, b: Cell, subtract: bool) -> Result<Cell> {
        self.with_scratch(|heap, scratch| {
            let mut limbs = Vec::new_in(scratch.bump);
            let (a, b) = (operand(&heap.store, a)?, operand(&heap.store, b)?);
            let negative = a.with_integer(|a| {
                b.with_integer(|b| {
                    let (negative, sum) = a.sum(if subtract { b.negated() } else { b });
                    let room = a.limbs.len().max(b.limbs.len()).saturating_add(1);
                    reserve(&mut limbs, room)?;
                    limbs.extend(sum);
                    Ok::<_, Error>(negative)
                })
            })?;
            scratch.charge(heap.store.account_mut());
            heap.int_of_limbs(negative, &limbs)
        })
    }

    /// Returns the sum of two integers of either form. Exact at any size, also without
    /// the feature `bigint`. O(n) for n limbs.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let mut sum = heap.int(i64::MAX)?;
    /// sum = heap.add(sum, 1.into())?;
    /// assert_eq!(heap.display(sum).to_string(), "9223372036854775808");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// For the first operand that they apply to, as for [`Heap::as_int`]:
    /// [`Error::NotAnInteger`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`]. If the result cannot be allocated, as for [`Heap::alloc`]:
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]. The heap is unchanged.
    pub fn add(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.arithmetic((a, b), (i64::checked_add, i128::checked_add), |heap| {
            heap.sum_of_large(a, b, false)
        })
    }

    /// Returns the difference `a - b` of two integers of either form. Exact at any
    /// size, also without the feature `bigint`. O(1) up to 128 bits, O(n) for n limbs
    /// beyond.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let least = heap.int(i64::MIN)?;
    /// let difference = heap.sub(least, 1.into())?;
    /// assert_eq!(heap.display(difference).to_string(), "-9223372036854775809");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn sub(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.arithmetic((a, b), (i64::checked_sub, i128::checked_sub), |heap| {
            heap.sum_of_large(a, b, true)
        })
    }

    /// Returns the product of two integers of either form. O(1) for operands of up to
    /// 512 bits, which are multiplied without the feature `bigint`, too; beyond that, the
    /// time of `num-bigint` (schoolbook, Karatsuba and
    /// Toom-3 multiplication by size): O(n^1.58) or better for n limbs, and O(n) bytes
    /// of memory meanwhile, up to ten times the result's. O(1) if a limit refuses that,
    /// or the result; [`Limits::integer_bits`](crate::Limits::integer_bits) bounds the
    /// time.
    ///
    /// ```
    /// # #[cfg(feature = "bigint")] {
    /// # use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let mut product = heap.int(1)?;
    /// for n in 1..=40 {
    ///     product = heap.mul(product, n.into())?;
    /// }
    /// let factorial = "815915283247897734345611269596115894272000000000";
    /// assert_eq!(heap.display(product).to_string(), factorial);
    /// # }
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`]; [`Error::NoBigint`] if an operand exceeds 512 bits, the
    /// product 128 bits, and the feature `bigint` is off.
    #[allow(clippy::arithmetic_side_effects, reason = "integers of any size")]
    pub fn mul(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.arithmetic((a, b), (i64::checked_mul, i128::checked_mul), |heap| {
            if let Some(product) = heap.product_of_few((a, b))? {
                return Ok(product);
            }
            if heap.is_zero(a)? || heap.is_zero(b)? {
                return Ok(0.into());
            }
            large!(heap, (a, b), product, |a, b| a * b)
        })
    }

    /// The product of integers of few limbs.
    #[inline(never)]
    fn product_of_few(&mut self, operands: (Cell, Cell)) -> Result<Option<Cell>> {
        self.of_few_limbs(operands, |a, b, limbs| {
            a.product(b, limbs);
            a.negative != b.negative
        })
    }

    /// Whether an integer of either form is zero.
    fn is_zero(&self, integer: Cell) -> Result<bool> {
        Ok(matches!(operand(&self.store, integer)?, Operand::Small(0)))
    }

    /// Checks that both operands are integers and that the second is not zero.
    fn check_divisor(&self, a: Cell, b: Cell) -> Result<()> {
        operand(&self.store, a)?;
        if self.is_zero(b)? { Err(Error::DivisionByZero) } else { Ok(()) }
    }

    /// Returns the quotient `a / b` of two integers of either form, truncated towards
    /// zero. O(1) for operands of up to 128 bits; beyond that, the time of `num-bigint`
    /// (Knuth's algorithm D, Burnikel-Ziegler division for large operands): O(n^2) or
    /// better for n limbs, and O(n) bytes of memory meanwhile. O(1) if a limit refuses
    /// that.
    ///
    /// ```
    /// use segheap::{Error, Heap};
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.div((-7).into(), 2.into())?, (-3).into());
    /// assert_eq!(heap.rem((-7).into(), 2.into())?, (-1).into());
    /// assert_eq!(heap.div(1.into(), 0.into()), Err(Error::DivisionByZero));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`]; [`Error::DivisionByZero`] if `b` is zero;
    /// [`Error::NoBigint`] if an operand or the result exceeds 128 bits and the feature
    /// `bigint` is off.
    #[allow(clippy::arithmetic_side_effects, reason = "integers of any size")]
    pub fn div(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.check_divisor(a, b)?;
        self.arithmetic((a, b), (i64::checked_div, i128::checked_div), |heap| {
            large!(heap, (a, b), quotient, |a, b| a / b)
        })
    }

    /// Returns the remainder of `a / b`, which is zero or has the sign of `a`: the
    /// quotient times `b` plus the remainder is `a`. Cost as for [`Heap::div`].
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.rem(7.into(), (-2).into())?, 1.into());
    /// assert_eq!(heap.rem((-7).into(), 2.into())?, (-1).into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::div`].
    #[allow(clippy::arithmetic_side_effects, reason = "integers of any size")]
    pub fn rem(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.check_divisor(a, b)?;
        self.arithmetic((a, b), (i64::checked_rem, i128::checked_rem), |heap| {
            large!(heap, (a, b), remainder, |a, b| a % b)
        })
    }

    /// Returns `base` to the power of `exponent`; 0 to the power of 0 is 1. O(n) for n
    /// limbs in the result of a power of two; else O(log exponent) multiplications, of
    /// which the last ones take most of the time: see [`Heap::mul`]. O(limbs of the
    /// base) if a limit refuses the result, whose size is known before.
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
    /// negative; [`Error::ObjectTooLarge`] if the result exceeds 2^32 - 1 limbs.
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
                    base.to_i128().zip(power).and_then(|(base, power)| base.checked_pow(power))
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
    #[cfg(feature = "bigint")]
    fn large_pow(&mut self, base: Cell, exponent: Cell) -> Result<Cell> {
        let exponent = self.as_int(exponent)?.map_or(u64::MAX, i64::unsigned_abs);
        let (estimate, negative, log2) = operand(&self.store, base)?.with_integer(|base| {
            let negative = base.negative && exponent & 1 == 1;
            (big::power(&base, exponent), negative, base.log2_exact())
        });
        if let Some(log2) = log2 {
            return self.power_of_two(negative, log2.saturating_mul(exponent));
        }
        let exponent = u32::try_from(exponent);
        self.compute(estimate, |store| {
            let exponent = exponent.map_err(|_| Error::ObjectTooLarge)?;
            Ok(operand(store, base)?.to_big().pow(exponent))
        })
    }

    /// 2 to the power of `exponent`, which is 64 at least, or its negation.
    #[cfg(feature = "bigint")]
    fn power_of_two(&mut self, negative: bool, exponent: u64) -> Result<Cell> {
        let len = self.check_result(exponent.saturating_add(1))?;
        let zeroes = core::iter::repeat_n(0, len.saturating_sub(1));
        self.alloc_limbs(negative, len, zeroes.chain([1 << (exponent % 64)]))
    }

    #[cfg(not(feature = "bigint"))]
    fn large_pow(&mut self, _: Cell, _: Cell) -> Result<Cell> {
        Err(Error::NoBigint)
    }

    /// Returns the negation of an integer of either form. Cost as for [`Heap::add`].
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.neg(7.into())?, (-7).into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn neg(&mut self, a: Cell) -> Result<Cell> {
        self.sub(Cell::from(0), a)
    }
}
