//! Sums, differences and products of integers of either form, exact at any size.
//!
//! The size of a result is checked against what the limits leave before it is computed.

use super::integers::{FEW_LIMBS, operand, wide_operand};
use super::magnitudes::{copied, multiply, zeroed};
use crate::heap::Heap;
use crate::object::limbs;
use crate::words::{Cell, Error, Result};

impl Heap {
    /// An operation in 64 bits if the result fits, else in 128, else by `large`; the first two
    /// return `None` if it does not fit.
    #[inline(always)]
    fn arithmetic(
        &mut self,
        (a, b): (Cell, Cell),
        small: impl Fn(i64, i64) -> Option<i64>,
        wide: impl Fn(i128, i128) -> Option<i128>,
        large: impl FnOnce(&mut Heap) -> Result<Cell>,
    ) -> Result<Cell> {
        if let (Some(x), Some(y)) = (a.as_int(), b.as_int())
            && let Some(result) = small(x, y).and_then(Cell::int)
        {
            return Ok(result);
        }
        self.arithmetic_in_heap((a, b), wide, large)
    }

    /// [`Heap::arithmetic`] where an operand or the result does not fit into a cell.
    #[inline(never)]
    fn arithmetic_in_heap(
        &mut self,
        (a, b): (Cell, Cell),
        wide: impl Fn(i128, i128) -> Option<i128>,
        large: impl FnOnce(&mut Heap) -> Result<Cell>,
    ) -> Result<Cell> {
        let operands = wide_operand(&self.store, a).zip(wide_operand(&self.store, b));
        match operands.and_then(|(a, b)| wide(a, b)) {
            Some(value) => self.int128(value),
            None => large(self),
        }
    }

    /// The sum or the difference of two integers beyond 128 bits.
    #[inline(never)]
    fn sum_of_large(&mut self, a: Cell, b: Cell, subtract: bool) -> Result<Cell> {
        let len = self.limbs(a)?.max(self.limbs(b)?).saturating_add(1);
        self.with_limbs(len, |store, limbs| {
            let (a, b) = (operand(store, a)?, operand(store, b)?);
            Ok(a.with_integer(|a| {
                b.with_integer(|b| {
                    let (negative, sum) = a.sum(if subtract { b.negated() } else { b });
                    limbs.iter_mut().zip(sum).for_each(|(to, limb)| *to = limb);
                    negative
                })
            }))
        })
    }

    /// The limbs of an integer of either form.
    pub(super) fn limbs(&self, integer: Cell) -> Result<usize> {
        Ok(operand(&self.store, integer)?.with_integer(|integer| integer.limbs.len()))
    }

    /// Returns the sum of two integers of either form. Exact at any size. O(1) up to 128
    /// bits, O(n) for n limbs beyond.
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
        self.arithmetic((a, b), i64::checked_add, i128::checked_add, |heap| {
            heap.sum_of_large(a, b, false)
        })
    }

    /// Returns the difference `a - b` of two integers of either form. Exact at any
    /// size. O(1) up to 128 bits, O(n) for n limbs beyond.
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
        self.arithmetic((a, b), i64::checked_sub, i128::checked_sub, |heap| {
            heap.sum_of_large(a, b, true)
        })
    }

    /// Returns the product of two integers of either form. Exact at any size. O(1) for
    /// operands of up to 512 bits. Beyond that, O(n m) for n and m limbs, up to 2,048 bits
    /// of one of them; for larger ones the time of `num-bigint` (Karatsuba and Toom-3
    /// multiplication), O(n^1.58) or better, or O(n m) without the feature `bigint`. Takes
    /// O(n + m) bytes of memory meanwhile, up to ten times the result's. O(1) if a limit
    /// refuses that, or the result; [`Limits::integer_bits`](crate::Limits::integer_bits)
    /// bounds the time.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let mut product = heap.int(1)?;
    /// for n in 1..=40 {
    ///     product = heap.mul(product, n.into())?;
    /// }
    /// let factorial = "815915283247897734345611269596115894272000000000";
    /// assert_eq!(heap.display(product).to_string(), factorial);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn mul(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        let wide = |a: i128, b: i128| match (i64::try_from(a), i64::try_from(b)) {
            (Ok(_), Ok(_)) => Some(a.wrapping_mul(b)),
            _ => a.checked_mul(b),
        };
        self.arithmetic((a, b), i64::checked_mul, wide, |heap| heap.product_of_large(a, b))
    }

    /// The product of two integers, which may be beyond 128 bits.
    #[inline(never)]
    fn product_of_large(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        if let (Some(a), Some(b)) = (wide_operand(&self.store, a), wide_operand(&self.store, b)) {
            let product = limbs::product_of_two(a.unsigned_abs(), b.unsigned_abs());
            return self.int_of_limbs((a < 0) != (b < 0), &product);
        }
        let lens = (self.limbs(a)?, self.limbs(b)?);
        if lens.0.max(lens.1) > FEW_LIMBS {
            return self.product_in_scratch(a, b);
        }
        self.with_limbs(lens.0.saturating_add(lens.1), |store, limbs| {
            let (a, b) = (operand(store, a)?, operand(store, b)?);
            Ok(a.with_integer(|a| {
                b.with_integer(|b| {
                    limbs::multiply(limbs, a.limbs, b.limbs);
                    a.negative != b.negative
                })
            }))
        })
    }

    /// The product of two integers, of which one has many limbs.
    #[cold]
    fn product_in_scratch(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        let bits = |heap: &Heap, integer| {
            Ok::<_, Error>(operand(&heap.store, integer)?.with_integer(|integer| integer.bits()))
        };
        let (a_bits, b_bits) = (bits(self, a)?, bits(self, b)?);
        if a_bits == 0 || b_bits == 0 {
            return Ok(0.into());
        }
        self.check_result(a_bits.saturating_add(b_bits).saturating_sub(1))?;
        self.with_scratch(|heap, scratch| {
            let copy = |cell| {
                operand(&heap.store, cell)?.with_integer(|integer| {
                    let limbs = copied(scratch.bump, integer.limbs, integer.limbs.len())?;
                    Ok::<_, Error>((integer.negative, &*limbs))
                })
            };
            let ((a_negative, a), (b_negative, b)) = (copy(a)?, copy(b)?);
            let product = zeroed(scratch.bump, a.len().saturating_add(b.len()))?;
            scratch.charge(heap.store.account_mut());
            multiply(heap.store.account_mut(), product, a, b)?;
            heap.int_of_limbs(a_negative != b_negative, product)
        })
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

    /// Returns the sum of two integers of either form in 64 bits: what is beyond them is
    /// cut off, of operands and of the sum, in two's complement. Amortised O(1).
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let most = heap.int(i64::MAX)?;
    /// let sum = heap.wrapping_add(most, 1.into())?;
    /// assert_eq!(heap.as_int(sum)?, Some(i64::MIN));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn wrapping_add(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.wrapping(a, b, i64::wrapping_add)
    }

    /// Returns the difference `a - b` of two integers of either form in 64 bits, as
    /// [`Heap::wrapping_add`] does. Amortised O(1).
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let least = heap.int(i64::MIN)?;
    /// let difference = heap.wrapping_sub(least, 1.into())?;
    /// assert_eq!(heap.as_int(difference)?, Some(i64::MAX));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn wrapping_sub(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.wrapping(a, b, i64::wrapping_sub)
    }

    /// Returns the product of two integers of either form in 64 bits, as
    /// [`Heap::wrapping_add`] does: what hash functions and generators of random numbers
    /// compute with. Amortised O(1).
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let most = heap.int(i64::MAX)?;
    /// assert_eq!(heap.wrapping_mul(most, most)?, 1.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn wrapping_mul(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.wrapping(a, b, i64::wrapping_mul)
    }

    #[inline(always)]
    fn wrapping(&mut self, a: Cell, b: Cell, operation: impl Fn(i64, i64) -> i64) -> Result<Cell> {
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int())
            && let Some(result) = Cell::int(operation(a, b))
        {
            return Ok(result);
        }
        self.wrapping_in_heap(a, b, operation)
    }

    /// [`Heap::wrapping`] where an operand or the result does not fit into a cell.
    #[inline(never)]
    fn wrapping_in_heap(
        &mut self,
        a: Cell,
        b: Cell,
        operation: impl Fn(i64, i64) -> i64,
    ) -> Result<Cell> {
        let (a, b) = (operand(&self.store, a)?, operand(&self.store, b)?);
        self.int(operation(a.wrapped(), b.wrapped()))
    }
}
