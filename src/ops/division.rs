//! Quotients and remainders of integers of either form, and what follows from them.

use super::integers::{FEW_LIMBS, Operand, operand, wide_operand};
use super::magnitudes::{copied, divide, zeroed};
use crate::heap::{Heap, Store};
use crate::object::Integer;
use crate::object::limbs::{self, Divisor, wide};
use crate::words::{Cell, Error, Result, corrupt};

/// How a quotient is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    TowardZero,
    Down,
}

/// A division of magnitudes, and what is left of it.
#[derive(Debug)]
struct Division<'b> {
    /// The dividend, then the remainder; as many limbs as the longer operand, and one more.
    rest: &'b mut [u64],
    /// As many limbs as the divisor has, which is not zero.
    divisor: &'b mut [u64],
    /// Zero, then the quotient; as many limbs as the dividend, and one more.
    quotient: &'b mut [u64],
    /// Whether dividend and divisor are negative.
    negative: (bool, bool),
    /// Whether the quotient was rounded down, so that the remainder has the other sign.
    rounded: bool,
}

impl Division<'_> {
    /// Divides. `long` divides by a divisor of two limbs or more.
    fn run(
        &mut self,
        round: Round,
        long: impl FnOnce(&mut [u64], &Divisor<'_>, &mut [u64]) -> Result<()>,
    ) -> Result<()> {
        let len = limbs::trimmed(self.rest).len();
        match *self.divisor {
            _ if len <= 2 && self.divisor.len() <= 2 => self.run_wide(),
            [only] => {
                let Some(quotient) = self.quotient.get_mut(..len) else { return Err(corrupt()) };
                quotient.iter_mut().zip(&*self.rest).for_each(|(to, &limb)| *to = limb);
                let rest = limbs::divide_by_limb(quotient, only);
                self.rest.fill(0);
                *self.rest.first_mut().ok_or_else(corrupt)? = rest;
            }
            _ if len < self.divisor.len() => {}
            [.., high] => {
                let shift = high.leading_zeros();
                limbs::shift_left(self.divisor, shift);
                let rest = self.rest.get_mut(..=len).ok_or_else(corrupt)?;
                limbs::shift_left(rest, shift);
                let places = rest.len().saturating_sub(self.divisor.len());
                let quotient = self.quotient.get_mut(..places).ok_or_else(corrupt)?;
                let divisor = Divisor::new(self.divisor).ok_or_else(corrupt)?;
                long(rest, &divisor, quotient)?;
                limbs::shift_right(rest, shift);
                limbs::shift_right(self.divisor, shift);
            }
            [] => return Err(corrupt()),
        }
        if round == Round::Down && self.negative.0 != self.negative.1 {
            self.round_down()?;
        }
        Ok(())
    }

    /// Divides two limbs by two.
    fn run_wide(&mut self) {
        let number = |limbs: &[u64]| {
            let limb = |n: usize| limbs.get(n).copied().unwrap_or(0);
            wide(limb(1), limb(0))
        };
        let (dividend, divisor) = (number(self.rest), number(self.divisor));
        let quotient = dividend.checked_div(divisor).unwrap_or(0);
        let rest = dividend.wrapping_sub(quotient.wrapping_mul(divisor));
        for (limbs, number) in [(&mut *self.quotient, quotient), (&mut *self.rest, rest)] {
            let both = [limbs::low(number), limbs::high(number)];
            limbs.iter_mut().zip(both).for_each(|(to, limb)| *to = limb);
        }
    }

    /// Rounds a negative quotient down, whose remainder has the sign of the dividend.
    fn round_down(&mut self) -> Result<()> {
        let is_exact = limbs::trimmed(self.rest).is_empty();
        if !is_exact {
            limbs::increment(self.quotient);
            let rest = self.rest.get_mut(..self.divisor.len()).ok_or_else(corrupt)?;
            limbs::subtract_from(rest, self.divisor);
        }
        self.rounded = !is_exact;
        Ok(())
    }

    /// The quotient and the remainder.
    fn results(&self) -> (Integer<'_>, Integer<'_>) {
        let integer = |negative, limbs| Integer { negative, limbs: limbs::trimmed(limbs) };
        let (dividend, divisor) = self.negative;
        (integer(dividend != divisor, self.quotient), integer(dividend ^ self.rounded, self.rest))
    }
}

/// Quotient and remainder of integers in cells, if they are in cells, too.
#[inline(always)]
fn divided_in_cells(a: Cell, b: Cell, round: Round) -> Option<(Cell, Cell)> {
    let (a, b) = (a.as_int()?, b.as_int()?);
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let (quotient, rest) = if round == Round::Down && rest != 0 && (a < 0) != (b < 0) {
        (quotient.wrapping_sub(1), rest.wrapping_add(b))
    } else {
        (quotient, rest)
    };
    Some((Cell::int(quotient)?, Cell::int(rest)?))
}

/// Quotient and remainder of integers of up to 127 bits and a sign.
#[inline(always)]
fn divided_wide(store: &Store, a: Cell, b: Cell, round: Round) -> Option<(i128, i128)> {
    let (a, b) = (wide_operand(store, a)?, wide_operand(store, b)?);
    let quotient = a.checked_div(b)?;
    let rest = a.wrapping_sub(quotient.wrapping_mul(b));
    Some(if round == Round::Down && rest != 0 && (a < 0) != (b < 0) {
        (quotient.wrapping_sub(1), rest.wrapping_add(b))
    } else {
        (quotient, rest)
    })
}

impl Heap {
    /// Divides, and returns what `finish` makes of quotient and remainder.
    #[inline(always)]
    fn divided<T>(
        &mut self,
        (a, b): (Cell, Cell),
        round: Round,
        wants_quotient: bool,
        finish: impl FnOnce(&mut Heap, (Integer<'_>, Integer<'_>)) -> Result<T>,
    ) -> Result<T> {
        let (x, y) = (operand(&self.store, a)?, operand(&self.store, b)?);
        if matches!(y, Operand::Small(0)) {
            return Err(Error::DivisionByZero);
        }
        let (mut rest, mut divisor) = ([0; FEW_LIMBS + 1], [0; FEW_LIMBS]);
        let few = x.with_integer(|a| {
            y.with_integer(|b| {
                let few = a.limbs.len().max(b.limbs.len()) <= FEW_LIMBS;
                rest.iter_mut().zip(a.limbs).for_each(|(to, &limb)| *to = limb);
                divisor.iter_mut().zip(b.limbs).for_each(|(to, &limb)| *to = limb);
                few.then_some((b.limbs.len(), (a.negative, b.negative)))
            })
        });
        let Some((len, negative)) = few else {
            return self.divided_in_scratch((a, b), round, wants_quotient, finish);
        };
        let mut division = Division {
            rest: &mut rest,
            divisor: divisor.get_mut(..len).ok_or_else(corrupt)?,
            quotient: &mut [0; FEW_LIMBS + 1],
            negative,
            rounded: false,
        };
        division.run(round, |rest, divisor, quotient| {
            divisor.divide(rest, quotient);
            Ok(())
        })?;
        finish(self, division.results())
    }

    /// [`Heap::divided`] for integers of many limbs.
    #[cold]
    fn divided_in_scratch<T>(
        &mut self,
        (a, b): (Cell, Cell),
        round: Round,
        wants_quotient: bool,
        finish: impl FnOnce(&mut Heap, (Integer<'_>, Integer<'_>)) -> Result<T>,
    ) -> Result<T> {
        let size = |cell| {
            Ok::<_, Error>(
                operand(&self.store, cell)?.with_integer(|int| (int.bits(), int.limbs.len())),
            )
        };
        let ((a_bits, a_len), (b_bits, b_len)) = (size(a)?, size(b)?);
        if wants_quotient {
            self.check_result(a_bits.saturating_sub(b_bits))?;
        }
        self.with_scratch(|heap, scratch| {
            let copy = |cell, len| {
                operand(&heap.store, cell)?.with_integer(|int| {
                    Ok::<_, Error>((copied(scratch.bump, int.limbs, len)?, int.negative))
                })
            };
            let (rest, a_negative) = copy(a, a_len.max(b_len).saturating_add(1))?;
            let (divisor, b_negative) = copy(b, b_len)?;
            let quotient = zeroed(scratch.bump, a_len.saturating_add(1))?;
            let negative = (a_negative, b_negative);
            let mut division = Division { rest, divisor, quotient, negative, rounded: false };
            let account = heap.store.account_mut();
            scratch.charge(account);
            division
                .run(round, |rest, divisor, quotient| divide(account, rest, divisor, quotient))?;
            finish(heap, division.results())
        })
    }

    /// Returns the quotient `a / b` of two integers of either form, truncated towards
    /// zero. Exact at any size. O(1) for operands of up to 512 bits. Beyond that, O(n m) for
    /// n limbs of the quotient and m of the divisor, up to 4,096 bits of one of them; for
    /// larger ones the time of `num-bigint` (Burnikel-Ziegler division), O(n^1.58 log n) or
    /// better, or O(n m) without the feature `bigint`. Takes O(n + m) bytes of memory
    /// meanwhile, up to 25 times the operands'. O(1) if a limit refuses the result.
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
    /// The same as [`Heap::add`]; [`Error::DivisionByZero`] if `b` is zero.
    pub fn div(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        match divided_in_cells(a, b, Round::TowardZero) {
            Some((quotient, _)) => Ok(quotient),
            None => self.quotient(a, b, Round::TowardZero),
        }
    }

    #[inline(never)]
    fn quotient(&mut self, a: Cell, b: Cell, round: Round) -> Result<Cell> {
        if let Some((quotient, _)) = divided_wide(&self.store, a, b, round) {
            return self.int128(quotient);
        }
        self.divided((a, b), round, true, |heap, (quotient, _)| {
            heap.int_of_limbs(quotient.negative, quotient.limbs)
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
    pub fn rem(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        match divided_in_cells(a, b, Round::TowardZero) {
            Some((_, rest)) => Ok(rest),
            None => self.remainder(a, b, Round::TowardZero),
        }
    }

    #[inline(never)]
    fn remainder(&mut self, a: Cell, b: Cell, round: Round) -> Result<Cell> {
        if let Some((_, rest)) = divided_wide(&self.store, a, b, round) {
            return self.int128(rest);
        }
        self.divided((a, b), round, false, |heap, (_, rest)| {
            heap.int_of_limbs(rest.negative, rest.limbs)
        })
    }

    /// Returns [`Heap::div`] and [`Heap::rem`] at once, at the cost of one of them: the
    /// quotient truncated towards zero, and the remainder with the sign of `a`.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.div_rem((-7).into(), 2.into())?, ((-3).into(), (-1).into()));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::div`]; neither result is allocated then.
    pub fn div_rem(&mut self, a: Cell, b: Cell) -> Result<(Cell, Cell)> {
        self.both(a, b, Round::TowardZero)
    }

    #[inline(always)]
    fn both(&mut self, a: Cell, b: Cell, round: Round) -> Result<(Cell, Cell)> {
        match divided_in_cells(a, b, round) {
            Some(results) => Ok(results),
            None => self.divided((a, b), round, true, |heap, (quotient, rest)| {
                heap.two_ints(quotient, rest)
            }),
        }
    }

    /// Returns the quotient `a / b` of two integers of either form, rounded down, as `//`
    /// of Python has it. Cost as for [`Heap::div`].
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.div_floor((-7).into(), 2.into())?, (-4).into());
    /// assert_eq!(heap.mod_floor((-7).into(), 2.into())?, 1.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::div`].
    pub fn div_floor(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        match divided_in_cells(a, b, Round::Down) {
            Some((quotient, _)) => Ok(quotient),
            None => self.quotient(a, b, Round::Down),
        }
    }

    /// Returns the remainder of [`Heap::div_floor`], which is zero or has the sign of `b`,
    /// as `%` of Python has it. Cost as for [`Heap::div`].
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.mod_floor((-7).into(), 3.into())?, 2.into());
    /// assert_eq!(heap.mod_floor(7.into(), (-3).into())?, (-2).into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::div`].
    pub fn mod_floor(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        match divided_in_cells(a, b, Round::Down) {
            Some((_, rest)) => Ok(rest),
            None => self.remainder(a, b, Round::Down),
        }
    }

    /// Returns [`Heap::div_floor`] and [`Heap::mod_floor`] at once, at the cost of one of
    /// them: the quotient rounded down, and the remainder with the sign of `b`.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.div_mod_floor((-7).into(), 2.into())?, ((-4).into(), 1.into()));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::div`]; neither result is allocated then.
    pub fn div_mod_floor(&mut self, a: Cell, b: Cell) -> Result<(Cell, Cell)> {
        self.both(a, b, Round::Down)
    }

    /// Returns the greatest common divisor of two integers of either form, which is not
    /// negative; of zero and another one, the magnitude of the other. O(1) up to 128 bits,
    /// O(n^2) for n limbs beyond, in scratch memory for both.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.gcd((-12).into(), 18.into())?, 6.into());
    /// assert_eq!(heap.gcd(0.into(), (-5).into())?, 5.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn gcd(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        let (x, y) = (operand(&self.store, a)?, operand(&self.store, b)?);
        let number = |int: Integer<'_>| match *int.limbs {
            [] => Some(0),
            [low] => Some(u128::from(low)),
            [low, high] => Some(wide(high, low)),
            _ => None,
        };
        match (x.with_integer(number), y.with_integer(number)) {
            (Some(a), Some(b)) => {
                let divisor = limbs::gcd_wide(a, b);
                self.int_of_limbs(false, &[limbs::low(divisor), limbs::high(divisor)])
            }
            _ => self.large_gcd(a, b),
        }
    }

    /// [`Heap::gcd`] beyond 128 bits.
    fn large_gcd(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        let len = self.limbs(a)?.max(self.limbs(b)?);
        self.with_scratch(|heap, scratch| {
            let copy = |cell| {
                operand(&heap.store, cell)?.with_integer(|int| copied(scratch.bump, int.limbs, len))
            };
            let (mut a, mut b) = (copy(a)?, copy(b)?);
            if limbs::compare(limbs::trimmed(a), limbs::trimmed(b)).is_lt() {
                core::mem::swap(&mut a, &mut b);
            }
            let spare = zeroed(scratch.bump, len.saturating_add(1))?;
            let divisor = limbs::gcd(a, b, spare);
            scratch.charge(heap.store.account_mut());
            heap.int_of_limbs(false, divisor)
        })
    }
}
