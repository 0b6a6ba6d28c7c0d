//! Shifts and bitwise operations on integers of either form, in two's complement with as
//! many sign bits as it takes.

use super::integers::{Operand, operand};
use crate::heap::Heap;
use crate::object::{Integer, limbs};
use crate::words::{Cell, Error, Result};

/// The limbs of an integer in two's complement, without end.
struct TwosComplement<'h> {
    limbs: core::slice::Iter<'h, u64>,
    negative: bool,
    carry: bool,
}

impl<'h> TwosComplement<'h> {
    fn of(integer: Integer<'h>) -> Self {
        let Integer { negative, limbs } = integer;
        TwosComplement { limbs: limbs.iter(), negative, carry: negative }
    }

    fn next(&mut self) -> u64 {
        let limb = self.limbs.next().copied().unwrap_or(0);
        if !self.negative {
            return limb;
        }
        let (limb, carry) = (!limb).overflowing_add(u64::from(self.carry));
        self.carry = carry;
        limb
    }
}

impl Heap {
    /// Returns the bitwise and of two integers of either form, in two's complement with
    /// as many sign bits as it takes. O(1) up to 512 bits, O(n) for n limbs beyond.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.bitand(6.into(), 3.into())?, 2.into());
    /// assert_eq!(heap.bitand((-1).into(), 255.into())?, 255.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn bitand(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.bitwise(a, b, |a, b| a & b)
    }

    /// Returns the bitwise or of two integers of either form, as [`Heap::bitand`] does.
    /// Cost as for [`Heap::bitand`].
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.bitor(6.into(), 3.into())?, 7.into());
    /// assert_eq!(heap.bitor((-4).into(), 1.into())?, (-3).into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn bitor(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.bitwise(a, b, |a, b| a | b)
    }

    /// Returns the bitwise exclusive or of two integers of either form, as
    /// [`Heap::bitand`] does. Cost as for [`Heap::bitand`].
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.bitxor(6.into(), 3.into())?, 5.into());
    /// assert_eq!(heap.bitxor((-1).into(), 5.into())?, (-6).into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn bitxor(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.bitwise(a, b, |a, b| a ^ b)
    }

    /// Returns the bitwise complement of an integer of either form, which is `-a - 1`. Cost
    /// as for [`Heap::bitand`].
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.not(5.into())?, (-6).into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`].
    pub fn not(&mut self, a: Cell) -> Result<Cell> {
        self.sub(Cell::from(-1), a)
    }

    /// An operation that does the same to each bit, the signs included.
    #[inline(always)]
    fn bitwise(&mut self, a: Cell, b: Cell, operation: fn(u64, u64) -> u64) -> Result<Cell> {
        let small = |a: i64, b: i64| operation(a.cast_unsigned(), b.cast_unsigned()).cast_signed();
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int())
            && let Some(result) = Cell::int(small(a, b))
        {
            return Ok(result);
        }
        self.bitwise_of_large(a, b, operation)
    }

    #[inline(never)]
    fn bitwise_of_large(
        &mut self,
        a: Cell,
        b: Cell,
        operation: fn(u64, u64) -> u64,
    ) -> Result<Cell> {
        let len = self.limbs(a)?.max(self.limbs(b)?).saturating_add(1);
        self.with_limbs(len, |store, limbs| {
            let (a, b) = (operand(store, a)?, operand(store, b)?);
            a.with_integer(|a| {
                b.with_integer(|b| {
                    let (mut a, mut b) = (TwosComplement::of(a), TwosComplement::of(b));
                    limbs.iter_mut().for_each(|limb| *limb = operation(a.next(), b.next()));
                });
            });
            let negative = limbs.last().is_some_and(|last| last >> 63 == 1);
            if negative {
                limbs::negate(limbs);
            }
            Ok(negative)
        })
    }

    /// Returns an integer of either form shifted to the left by `bits`, which is `a` times
    /// a power of two. Exact at any size. O(1) up to a result of 1,024 bits, O(n) for its n
    /// limbs beyond; O(1) if a limit refuses it.
    /// [`Limits::integer_bits`](crate::Limits::integer_bits) bounds its size.
    ///
    /// ```
    /// use segheap::{Error, Heap};
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.shl((-3).into(), 4.into())?, (-48).into());
    /// let large = heap.shl(1.into(), 100.into())?;
    /// assert_eq!(heap.shr(large, 98.into())?, 4.into());
    /// assert_eq!(heap.shl(1.into(), (-1).into()), Err(Error::NegativeExponent));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`]; [`Error::NegativeExponent`] if `bits` is negative;
    /// [`Error::ObjectTooLarge`] if the result exceeds 2^29 - 2 limbs.
    pub fn shl(&mut self, a: Cell, bits: Cell) -> Result<Cell> {
        if let (Some(a), Some(bits)) = (a.as_int(), bits.as_int())
            && let Some(bits) = u32::try_from(bits).ok().filter(|&bits| bits < 64)
            && let shifted = a << bits
            && shifted >> bits == a
            && let Some(result) = Cell::int(shifted)
        {
            return Ok(result);
        }
        self.large_shl(a, bits)
    }

    #[inline(never)]
    fn large_shl(&mut self, a: Cell, bits: Cell) -> Result<Cell> {
        let size = operand(&self.store, a)?.with_integer(|integer| integer.bits());
        let by = self.shift(bits)?;
        if size == 0 {
            return Ok(0.into());
        }
        let len = self.check_result(size.saturating_add(by))?;
        let skip = usize::try_from(by / 64).unwrap_or(usize::MAX);
        self.with_limbs(len, |store, limbs| {
            operand(store, a)?.with_integer(|integer| {
                let places = limbs.get_mut(skip..).unwrap_or_default();
                places.iter_mut().zip(integer.limbs).for_each(|(to, &limb)| *to = limb);
                limbs::shift_left(places, rest(by));
                Ok(integer.negative)
            })
        })
    }

    /// Returns an integer of either form shifted to the right by `bits`, which is `a`
    /// divided by a power of two, rounded down: -1 at last for negative ones. O(1) up to a
    /// result of 1,024 bits, O(n) for n limbs beyond.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.shr(13.into(), 2.into())?, 3.into());
    /// assert_eq!(heap.shr((-13).into(), 2.into())?, (-4).into());
    /// assert_eq!(heap.shr((-13).into(), 1_000.into())?, (-1).into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Heap::add`]; [`Error::NegativeExponent`] if `bits` is negative.
    pub fn shr(&mut self, a: Cell, bits: Cell) -> Result<Cell> {
        if let (Some(a), Some(bits)) = (a.as_int(), bits.as_int())
            && let Ok(bits) = u64::try_from(bits)
            && let Some(result) = Cell::int(a >> bits.min(63))
        {
            return Ok(result);
        }
        self.large_shr(a, bits)
    }

    #[inline(never)]
    fn large_shr(&mut self, a: Cell, bits: Cell) -> Result<Cell> {
        let len = self.limbs(a)?;
        let by = self.shift(bits)?;
        let skip = usize::try_from(by / 64).unwrap_or(usize::MAX).min(len);
        // One more, as rounding may carry.
        self.with_limbs(len.saturating_sub(skip).saturating_add(1), |store, limbs| {
            operand(store, a)?.with_integer(|integer| {
                let (below, kept) = integer.limbs.split_at_checked(skip).unwrap_or_default();
                limbs.iter_mut().zip(kept).for_each(|(to, &limb)| *to = limb);
                let lost = limbs::shift_right(limbs, rest(by));
                if integer.negative && (lost || below.iter().any(|&limb| limb != 0)) {
                    limbs::increment(limbs);
                }
                Ok(integer.negative)
            })
        })
    }

    /// The bits of a shift; those beyond 64 bits are more than an integer can have.
    fn shift(&self, bits: Cell) -> Result<u64> {
        match operand(&self.store, bits)? {
            Operand::Small(bits) => u64::try_from(bits).map_err(|_| Error::NegativeExponent),
            Operand::Large(bits) if bits.negative => Err(Error::NegativeExponent),
            Operand::Large(_) => Ok(u64::MAX),
        }
    }
}

/// The bits of a shift by less than a limb.
#[allow(clippy::cast_possible_truncation, reason = "is below 64")]
const fn rest(bits: u64) -> u32 {
    (bits % 64) as u32
}
