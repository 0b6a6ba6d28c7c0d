//! Integers to digits.

use bumpalo::Bump;
use bumpalo::collections::Vec;

use super::{LEAF_CHUNKS, Radix};
use crate::arena::{Account, reserve};
use crate::heap::Heap;
use crate::kinds::Str;
use crate::object::limbs::{self, Divisor, trimmed};
use crate::ops::integers::operand;
use crate::ops::magnitudes::{copied, divide, multiply, zeroed};
use crate::words::{Cell, Error, HasKind, Result, corrupt, to_usize};

/// The digits of an integer of two limbs and a sign, in any radix.
const SMALL_DIGITS: usize = 129;

impl Heap {
    /// Returns the digits of an integer of either form in a radix of 2 to 36 as a text, as
    /// [`Heap::string`] does: a `-` if it is negative, then digits `0` to `9` and `a` to
    /// `z`. O(n) for n digits up to 128 bits, and of a radix that is a power of two;
    /// beyond, O(n^2), or with the feature `bigint` the time of a few quotients of that
    /// size, in scratch memory for a few times the text.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let text = heap.int_to_text((-255).into(), 16)?;
    /// assert_eq!(heap.text(text)?.to_string(), "-ff");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidRadix`](crate::Error::InvalidRadix);
    /// [`Error::NotAnInteger`](crate::Error::NotAnInteger),
    /// [`Error::Sealed`](crate::Error::Sealed),
    /// [`Error::WrongKind`](crate::Error::WrongKind) or
    /// [`Error::Stale`](crate::Error::Stale), as for [`Heap::as_int`]. If the text or
    /// scratch memory cannot be allocated, as for [`Heap::alloc`]:
    /// [`Error::Limit`](crate::Error::Limit), [`Error::ArenaFull`](crate::Error::ArenaFull),
    /// [`Error::ObjectTooLarge`](crate::Error::ObjectTooLarge) or
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory). The heap is unchanged, but for
    /// scratch memory.
    pub fn int_to_text(&mut self, int: Cell, radix: u32) -> Result<Cell> {
        let radix = Radix::new(radix)?;
        let mut digits = [b'0'; SMALL_DIGITS];
        let written = operand(&self.store, int)?.with_integer(|int| match *int.limbs {
            [] => Some(write_small(&mut digits, [0, 0], false, radix)),
            [low] => Some(write_small(&mut digits, [low, 0], int.negative, radix)),
            [low, high] => Some(write_small(&mut digits, [low, high], int.negative, radix)),
            _ => None,
        });
        match written {
            Some(len) => {
                let digits = digits.get(SMALL_DIGITS.saturating_sub(len)..).ok_or_else(corrupt)?;
                self.string_of_bytes(digits)
            }
            None => self.large_to_text(int, radix),
        }
    }

    /// [`Heap::int_to_text`] beyond 128 bits.
    #[cold]
    fn large_to_text(&mut self, int: Cell, radix: Radix) -> Result<Cell> {
        let bits = operand(&self.store, int)?.with_integer(|int| int.bits());
        // No digit has more bits than this.
        let bits_of_digit = radix.radix.next_power_of_two().trailing_zeros().max(1);
        let least = bits.div_ceil(u64::from(bits_of_digit)).div_ceil(8);
        self.store.check_room(Str::KIND, usize::try_from(least).unwrap_or(usize::MAX))?;
        self.with_scratch(|heap, scratch| {
            let bump = scratch.bump;
            let (negative, number) = operand(&heap.store, int)?.with_integer(|int| {
                Ok::<_, Error>((int.negative, copied(bump, int.limbs, int.limbs.len())?))
            })?;
            let mut digits = Vec::new_in(bump);
            if let Some(bits) = radix.bits() {
                // A place for the sign.
                let len = usize::try_from(least.saturating_mul(8)).unwrap_or(usize::MAX);
                let len = len.saturating_add(1);
                reserve(&mut digits, len)?;
                digits.resize(len, b'0');
                write_packed(&mut digits, number, bits);
                scratch.charge(heap.store.account_mut());
            } else {
                let mut split = Split::new(bump, number, radix)?;
                let len = split.parts.saturating_mul(radix.leaf()).saturating_add(1);
                reserve(&mut digits, len)?;
                digits.resize(len, b'0');
                let account = heap.store.account_mut();
                scratch.charge(account);
                split.run(account)?;
                let mut places = digits.rchunks_exact_mut(radix.leaf());
                for part in split.from.chunks_mut(LEAF_CHUNKS) {
                    write_leaf(places.next().ok_or_else(corrupt)?, part, radix);
                }
            }
            let first = digits.iter().position(|&digit| digit != b'0').ok_or_else(corrupt)?;
            let first = match first.checked_sub(1).filter(|_| negative) {
                Some(sign) => {
                    *digits.get_mut(sign).ok_or_else(corrupt)? = b'-';
                    sign
                }
                None => first,
            };
            heap.string_of_bytes(digits.get(first..).ok_or_else(corrupt)?)
        })
    }
}

/// The digit of a value below 36.
const fn digit(value: u64) -> u8 {
    let value = value.to_le_bytes()[0];
    if value < 10 { b'0'.wrapping_add(value) } else { b'a'.wrapping_add(value).wrapping_sub(10) }
}

/// Writes the digits of a limb at the end of `places`, which are zeroes before them. Returns
/// their number.
fn write_limb(places: &mut [u8], mut limb: u64, radix: u32) -> usize {
    let mut written = 0_usize;
    for place in places.iter_mut().rev() {
        if limb == 0 {
            break;
        }
        let (rest, value) = match radix {
            10 => (limb / 10, limb % 10),
            _ => {
                let radix = u64::from(radix);
                (limb.checked_div(radix).unwrap_or(0), limb.checked_rem(radix).unwrap_or(0))
            }
        };
        *place = digit(value);
        limb = rest;
        written = written.saturating_add(1);
    }
    written
}

/// Writes an integer of two limbs at the end of `places`. Returns the number of characters.
fn write_small(
    places: &mut [u8; SMALL_DIGITS],
    mut limbs: [u64; 2],
    negative: bool,
    radix: Radix,
) -> usize {
    let mut end = SMALL_DIGITS;
    while limbs[1] != 0 {
        let chunk = limbs::divide_by_limb(&mut limbs, radix.power);
        let places = places.get_mut(..end).unwrap_or_default();
        let start = places.len().saturating_sub(radix.chunk);
        write_limb(places.get_mut(start..).unwrap_or_default(), chunk, radix.radix);
        end = start;
    }
    let first = places.get_mut(..end).unwrap_or_default();
    // Of zero, one digit is left.
    end = end.saturating_sub(write_limb(first, limbs[0], radix.radix)).min(SMALL_DIGITS - 1);
    if negative {
        end = end.saturating_sub(1);
        places.iter_mut().skip(end).take(1).for_each(|place| *place = b'-');
    }
    SMALL_DIGITS.saturating_sub(end)
}

/// Writes digits of so many bits each.
fn write_packed(places: &mut [u8], limbs: &[u64], bits: u32) {
    let bits = to_usize(bits);
    for (n, place) in places.iter_mut().rev().enumerate() {
        let (at, by) = (n.wrapping_mul(bits) / 64, n.wrapping_mul(bits) % 64);
        let limb = |at: usize| limbs.get(at).copied().unwrap_or(0);
        let window = limbs::low(limbs::wide(limb(at.wrapping_add(1)), limb(at)) >> by);
        *place = digit(window & ((1_u64 << bits).wrapping_sub(1)));
    }
}

/// Writes the digits of a part into all places.
fn write_leaf(places: &mut [u8], part: &mut [u64], radix: Radix) {
    let mut len = trimmed(part).len();
    for places in places.rchunks_mut(radix.chunk) {
        let limbs = part.get_mut(..len).unwrap_or_default();
        let chunk = if limbs.is_empty() { 0 } else { limbs::divide_by_limb(limbs, radix.power) };
        len = trimmed(limbs).len();
        write_limb(places, chunk, radix.radix);
    }
}

/// A power of the radix by which parts are divided: shifted so that its highest bit is set.
struct Power<'b> {
    limbs: &'b mut [u64],
    shift: u32,
}

/// An integer in parts, the lowest first, which are split until they are short.
struct Split<'b> {
    /// How many they are in the end: a power of two.
    parts: usize,
    from: &'b mut [u64],
    to: &'b mut [u64],
    /// What splits the parts, those of the last level first.
    powers: Vec<'b, Power<'b>>,
    rest: &'b mut [u64],
    quotient: &'b mut [u64],
}

impl<'b> Split<'b> {
    fn new(bump: &'b Bump, number: &[u64], radix: Radix) -> Result<Split<'b>> {
        // A chunk has more than 58 bits, as one digit more would exceed 64.
        let parts = number.len().div_ceil(LEAF_CHUNKS * 58 / 64).next_power_of_two();
        let len = parts.saturating_mul(LEAF_CHUNKS);
        let mut powers = Vec::new_in(bump);
        reserve(&mut powers, to_usize(parts.trailing_zeros()))?;
        let mut power_len = LEAF_CHUNKS;
        for _ in 0..parts.trailing_zeros() {
            powers.push(Power { limbs: zeroed(bump, power_len)?, shift: 0 });
            power_len = power_len.saturating_mul(2);
        }
        if let Some(Power { limbs, .. }) = powers.first_mut() {
            limbs.iter_mut().take(1).for_each(|limb| *limb = 1);
            for _ in 0..LEAF_CHUNKS {
                limbs::multiply_add(limbs, radix.power, 0);
            }
        }
        let from = copied(bump, number, len)?;
        let spare = if parts > 1 { len.saturating_add(2) } else { 0 };
        let (to, rest) = (zeroed(bump, len)?, zeroed(bump, spare)?);
        Ok(Split { parts, from, to, powers, rest, quotient: zeroed(bump, spare)? })
    }

    /// Splits the parts to the end.
    fn run(&mut self, account: &mut Account) -> Result<()> {
        for level in 1..self.powers.len() {
            let (lower, higher) = self.powers.split_at_mut_checked(level).ok_or_else(corrupt)?;
            let (root, square) = lower.last().zip(higher.first_mut()).ok_or_else(corrupt)?;
            let root = trimmed(root.limbs);
            multiply(account, square.limbs, root, root)?;
        }
        for power in &mut self.powers {
            let high = trimmed(power.limbs).last().ok_or_else(corrupt)?;
            power.shift = high.leading_zeros();
            limbs::shift_left(power.limbs, power.shift);
        }
        let Split { powers, rest, quotient, .. } = self;
        let mut width = LEAF_CHUNKS.saturating_mul(self.parts) / 2;
        for power in powers.iter().rev() {
            let halves = self.from.chunks(width.saturating_mul(2));
            for (from, to) in halves.zip(self.to.chunks_mut(width.saturating_mul(2))) {
                let (low, high) = to.split_at_mut_checked(width).ok_or_else(corrupt)?;
                power.split(account, from, (low, high), (rest, quotient))?;
            }
            core::mem::swap(&mut self.from, &mut self.to);
            width /= 2;
        }
        Ok(())
    }
}

impl Power<'_> {
    /// Writes the remainder and the quotient of a part to `low` and `high`.
    fn split(
        &self,
        account: &mut Account,
        from: &[u64],
        (low, high): (&mut [u64], &mut [u64]),
        (rest, quotient): (&mut [u64], &mut [u64]),
    ) -> Result<()> {
        let copy = |to: &mut [u64], from: &[u64]| {
            let all = from.iter().copied().chain(core::iter::repeat(0));
            to.iter_mut().zip(all).for_each(|(to, limb)| *to = limb);
        };
        let (from, power) = (trimmed(from), trimmed(self.limbs));
        high.fill(0);
        if from.len() < power.len() {
            copy(low, from);
            return Ok(());
        }
        // Shifted, and a limb that is zero.
        let len = from.len().saturating_add(2);
        let rest = rest.get_mut(..len).ok_or_else(corrupt)?;
        copy(rest, from);
        limbs::shift_left(rest, self.shift);
        let places = len.saturating_sub(power.len());
        let quotient = quotient.get_mut(..places).ok_or_else(corrupt)?;
        quotient.fill(0);
        divide(account, rest, &Divisor::new(power).ok_or_else(corrupt)?, quotient)?;
        limbs::shift_right(rest, self.shift);
        copy(low, rest);
        copy(high, quotient);
        Ok(())
    }
}
