//! Integers as values: in a cell up to 48 bits, a [`Bignum`] beyond.
//!
//! Sums, differences and comparisons are exact on integers of any size. Other
//! arithmetic beyond 128 bits is done by `num-bigint` (feature `bigint`), whose
//! temporary memory is not on the heap's account; the size of a result is held to
//! the limits before it is called.

use bumpalo::collections::Vec;
use core::cmp::Ordering;

#[cfg(feature = "bigint")]
use num_bigint::{BigInt, Sign};

use crate::arena::reserve;
use crate::heap::{Heap, Store};
use crate::kinds::Bignum;
use crate::object::Integer;
use crate::words::{Cell, Error, Result, Unpacked};

#[cfg(feature = "bigint")]
use crate::words::{HasKind, Resource, to_u64};

/// An integer, wherever it lies.
#[derive(Clone, Copy)]
enum Operand<'h> {
    Small(i64),
    Large(Integer<'h>),
}

impl Operand<'_> {
    fn to_i128(self) -> Option<i128> {
        match self {
            Operand::Small(small) => Some(i128::from(small)),
            Operand::Large(large) => large.to_i128(),
        }
    }

    /// Calls `work` with the integer by sign and magnitude.
    fn with_integer<T>(self, work: impl FnOnce(Integer<'_>) -> T) -> T {
        match self {
            Operand::Small(0) => work(Integer { negative: false, limbs: &[] }),
            Operand::Small(small) => {
                work(Integer { negative: small < 0, limbs: &[small.unsigned_abs()] })
            }
            Operand::Large(large) => work(large),
        }
    }

    #[cfg(feature = "bigint")]
    fn to_big(self) -> BigInt {
        self.with_integer(|integer| integer.to_big())
    }

    #[cfg(feature = "bigint")]
    fn limbs(self) -> u64 {
        self.with_integer(|integer| to_u64(integer.limbs.len()).max(1))
    }
}

/// Limbs without the zeroes at the end.
fn trimmed(limbs: &[u64]) -> &[u64] {
    let len = limbs.iter().rposition(|&limb| limb != 0).map_or(0, |last| last.saturating_add(1));
    limbs.get(..len).unwrap_or_default()
}

#[inline]
fn operand(store: &Store, cell: Cell) -> Result<Operand<'_>> {
    match cell.unpack() {
        Unpacked::Int(int) => Ok(Operand::Small(int)),
        Unpacked::Sealed => Err(Error::Sealed),
        Unpacked::Object(_) => {
            let integer = Integer::of(store.get::<Bignum>(cell)?.words());
            Ok(integer.to_i64().map_or(Operand::Large(integer), Operand::Small))
        }
        _ => Err(Error::NotAnInteger),
    }
}

/// An operation by `num-bigint` whose result has at most so many limbs; without
/// the feature, its error.
#[cfg(feature = "bigint")]
macro_rules! large {
    ($heap:expr, $operands:expr, $limbs:expr, $operation:expr) => {
        $heap.arithmetic_by_big($operands, $limbs, $operation)
    };
}
#[cfg(not(feature = "bigint"))]
macro_rules! large {
    ($heap:expr, $operands:expr, $limbs:expr, $operation:expr) => {{
        let _ = ($heap, $operands);
        Err(Error::NoBigint)
    }};
}

impl Heap {
    /// Returns an integer as a value; never loses a bit. O(1).
    ///
    /// ```
    /// use segheap::{Cell, Heap};
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.int(-5)?, Cell::from(-5));
    /// let large = heap.int(i64::MAX)?; // 64 bits: a Bignum
    /// assert_eq!(heap.as_int(large)?, Some(i64::MAX));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Heap::alloc`]; nothing has changed then.
    #[inline]
    pub fn int(&mut self, value: i64) -> Result<Cell> {
        match Cell::int(value) {
            Some(cell) => Ok(cell),
            None => self.alloc(Bignum::of(value < 0, &[value.unsigned_abs()])).map(Cell::from),
        }
    }

    /// Returns an integer of up to 128 bits as a value. O(1).
    ///
    /// # Errors
    /// Those of [`Heap::alloc`]; nothing has changed then.
    #[allow(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
    pub fn int128(&mut self, value: i128) -> Result<Cell> {
        if let Ok(small) = i64::try_from(value) {
            return self.int(small);
        }
        let magnitude = value.unsigned_abs();
        let limbs = [magnitude as u64, (magnitude >> 64) as u64];
        self.alloc(Bignum::of(value < 0, &limbs)).map(Cell::from)
    }

    /// Returns the integer that decimal text says: an optional sign, and ASCII
    /// digits. O(n^2) in the number of digits beyond 38.
    ///
    /// ```
    /// use segheap::{Error, Heap};
    /// let mut heap = Heap::new();
    /// let integer = heap.parse_int("-340282366920938463463374607431768")?;
    /// assert_eq!(heap.display(integer).to_string(), "-340282366920938463463374607431768");
    /// assert_eq!(heap.parse_int("12x"), Err(Error::NotDecimal));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotDecimal`] for any other text; [`Error::NoBigint`] for an integer
    /// beyond 128 bits without the feature `bigint`; those of [`Heap::alloc`].
    /// Nothing has changed then.
    pub fn parse_int(&mut self, text: &str) -> Result<Cell> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::NotDecimal);
        }
        match text.parse() {
            Ok(value) => self.int128(value),
            Err(_) => self.parse_large(text, digits),
        }
    }

    #[cfg(feature = "bigint")]
    fn parse_large(&mut self, text: &str, digits: &str) -> Result<Cell> {
        // 19 digits fit into a limb.
        self.check_result(to_u64(digits.trim_start_matches('0').len()) / 19)?;
        let value = BigInt::parse_bytes(text.as_bytes(), 10).ok_or(Error::NotDecimal)?;
        self.alloc_big(&value)
    }

    #[cfg(not(feature = "bigint"))]
    fn parse_large(&mut self, _: &str, _: &str) -> Result<Cell> {
        Err(Error::NoBigint)
    }

    /// Returns the value of an integer of either form; `None` beyond 64 bits.
    /// O(1).
    ///
    /// # Errors
    /// [`Error::NotAnInteger`] for a cell that is neither a handle nor an integer;
    /// [`Error::Sealed`], [`Error::WrongKind`] or [`Error::Stale`] for a handle.
    #[inline]
    pub fn as_int(&self, cell: Cell) -> Result<Option<i64>> {
        let operand = operand(&self.store, cell)?;
        Ok(if let Operand::Small(small) = operand { Some(small) } else { None })
    }

    /// Checks that even an empty heap could hold a result of so many limbs.
    #[cfg(feature = "bigint")]
    fn check_result(&self, limbs: u64) -> Result<()> {
        let bytes = limbs.saturating_mul(8);
        if limbs > u64::from(u32::MAX) {
            return Err(Error::ObjectTooLarge);
        }
        let limits = self.limits();
        if bytes > to_u64(limits.bytes) {
            return Err(Error::Limit(Resource::Bytes));
        }
        if bytes > u64::from(limits.pages).saturating_mul(crate::words::PAGE_BYTES) {
            return Err(Error::Limit(Resource::Pages(Bignum::KIND)));
        }
        Ok(())
    }

    #[cfg(feature = "bigint")]
    fn alloc_big(&mut self, value: &BigInt) -> Result<Cell> {
        if let Ok(small) = i64::try_from(value) {
            return self.int(small);
        }
        let (sign, limbs) = value.to_u64_digits();
        self.alloc(Bignum::of(sign == Sign::Minus, &limbs)).map(Cell::from)
    }

    /// An operation by 64 bits if the result fits, else by 128, else by `large`.
    #[inline]
    fn arithmetic(
        &mut self,
        (a, b): (Cell, Cell),
        small: fn(i64, i64) -> Option<i64>,
        wide: fn(i128, i128) -> Option<i128>,
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

    /// An operation by `num-bigint` whose result has at most `limbs` limbs.
    #[cfg(feature = "bigint")]
    fn arithmetic_by_big(
        &mut self,
        (a, b): (Cell, Cell),
        limbs: fn(u64, u64) -> u64,
        large: fn(&BigInt, &BigInt) -> BigInt,
    ) -> Result<Cell> {
        let (a, b) = (operand(&self.store, a)?, operand(&self.store, b)?);
        self.check_result(limbs(a.limbs(), b.limbs()))?;
        let result = large(&a.to_big(), &b.to_big());
        self.alloc_big(&result)
    }

    /// The sum of two integers, or their difference, by limbs.
    #[cold]
    fn sum_of_large(&mut self, a: Cell, b: Cell, subtract: bool) -> Result<Cell> {
        self.with_scratch(|heap, scratch| {
            let mut limbs = Vec::new_in(scratch.bump);
            let (a, b) = (operand(&heap.store, a)?, operand(&heap.store, b)?);
            let negative = a.with_integer(|a| {
                b.with_integer(|b| {
                    let (negative, sum) = a.sum(if subtract { b.negated() } else { b });
                    let room = a.limbs.len().max(b.limbs.len()).saturating_add(1);
                    reserve(&mut limbs, room)?;
                    limbs.extend(sum);
                    Ok(negative)
                })
            })?;
            scratch.charge(heap.store.account_mut());
            let sum = Integer { negative, limbs: trimmed(&limbs) };
            match sum.to_i64() {
                Some(small) => heap.int(small),
                None => heap.alloc(Bignum::of(negative, &limbs)).map(Cell::from),
            }
        })
    }

    /// Returns the sum of two integers of either form, exact at any size. O(1) for
    /// results of 64 bits, O(limbs) beyond.
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
    /// Those of [`Heap::as_int`] for either operand, and of [`Heap::alloc`] for the
    /// result; nothing has changed then.
    pub fn add(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.arithmetic((a, b), i64::checked_add, i128::checked_add, |heap| {
            heap.sum_of_large(a, b, false)
        })
    }

    /// Returns the difference of two integers of either form, as [`Heap::add`].
    ///
    /// # Errors
    /// As [`Heap::add`].
    pub fn sub(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.arithmetic((a, b), i64::checked_sub, i128::checked_sub, |heap| {
            heap.sum_of_large(a, b, true)
        })
    }

    /// Returns the product of two integers of either form. O(1) for results of 128
    /// bits; beyond, what `num-bigint` takes: O(n^1.58) limbs or better.
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
    /// As [`Heap::add`]; [`Error::NoBigint`] beyond 128 bits without the feature
    /// `bigint`.
    pub fn mul(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.arithmetic((a, b), i64::checked_mul, i128::checked_mul, |heap| {
            large!(heap, (a, b), |a, b| a.saturating_add(b).saturating_sub(1), |a, b| a * b)
        })
    }

    fn check_divisor(&self, a: Cell, b: Cell) -> Result<()> {
        operand(&self.store, a)?;
        let is_zero = matches!(operand(&self.store, b)?, Operand::Small(0));
        if is_zero { Err(Error::DivisionByZero) } else { Ok(()) }
    }

    /// Returns the quotient of two integers of either form, truncated towards zero.
    /// O(1) for operands of 128 bits; O(n^2) limbs beyond.
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
    /// As [`Heap::mul`]; [`Error::DivisionByZero`].
    pub fn div(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.check_divisor(a, b)?;
        self.arithmetic((a, b), i64::checked_div, i128::checked_div, |heap| {
            large!(heap, (a, b), |a, _| a, |a, b| a / b)
        })
    }

    /// Returns the remainder of [`Heap::div`]; its sign is that of `a`.
    ///
    /// # Errors
    /// As [`Heap::div`].
    pub fn rem(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.check_divisor(a, b)?;
        self.arithmetic((a, b), i64::checked_rem, i128::checked_rem, |heap| {
            large!(heap, (a, b), |_, b| b, |a, b| a % b)
        })
    }

    /// Returns `base` to the power of `exponent`; 0 to the power of 0 is 1.
    /// The size of the result is checked before it is computed.
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
    /// As [`Heap::mul`]; [`Error::NegativeExponent`]; [`Error::ObjectTooLarge`] for
    /// a result that no heap could hold.
    pub fn pow(&mut self, base: Cell, exponent: Cell) -> Result<Cell> {
        let power = operand(&self.store, exponent)?;
        let (negative, is_odd) = power.with_integer(|power| {
            (power.negative, power.limbs.first().is_some_and(|low| low & 1 == 1))
        });
        let small = match operand(&self.store, base)? {
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

    #[cfg(feature = "bigint")]
    #[allow(clippy::arithmetic_side_effects, reason = "integers of any size")]
    fn large_pow(&mut self, base: Cell, exponent: Cell) -> Result<Cell> {
        let base = operand(&self.store, base)?.to_big();
        let exponent = self.as_int(exponent)?.map_or(u64::MAX, i64::unsigned_abs);
        // At least bits - 1 bits an exponent.
        let bits = base.bits().saturating_sub(1).saturating_mul(exponent);
        self.check_result(bits / 64)?;
        let exponent = u32::try_from(exponent).map_err(|_| Error::ObjectTooLarge)?;
        self.alloc_big(&base.pow(exponent))
    }

    #[cfg(not(feature = "bigint"))]
    fn large_pow(&mut self, _: Cell, _: Cell) -> Result<Cell> {
        Err(Error::NoBigint)
    }

    /// Returns the integer with the other sign.
    ///
    /// # Errors
    /// As [`Heap::add`].
    pub fn neg(&mut self, a: Cell) -> Result<Cell> {
        self.sub(Cell::from(0), a)
    }

    /// Returns the order of two integers of either form. O(1) for 64 bits,
    /// O(limbs) beyond; allocates nothing.
    ///
    /// # Errors
    /// Those of [`Heap::as_int`].
    pub fn cmp_int(&self, a: Cell, b: Cell) -> Result<Ordering> {
        Ok(match (operand(&self.store, a)?, operand(&self.store, b)?) {
            (Operand::Small(a), Operand::Small(b)) => a.cmp(&b),
            (a, b) => a.with_integer(|a| b.with_integer(|b| a.cmp(&b))),
        })
    }
}
