//! Digits to integers.

use bumpalo::Bump;

use super::{LEAF_CHUNKS, Radix};
use crate::arena::Account;
use crate::heap::{Heap, ScratchSpace};
use crate::object::Integer;
use crate::object::limbs::{self, trimmed};
use crate::ops::magnitudes::{copied, multiply, zeroed};
use crate::ops::power::power_bits;
use crate::words::{Cell, Error, Result, corrupt, to_u64, to_usize};

/// Where digits lie.
#[derive(Clone, Copy)]
enum Source<'a> {
    Host(&'a str),
    Text(Cell),
}

impl Heap {
    /// Parses a decimal integer: an optional sign `+` or `-`, then one or more ASCII
    /// digits, nothing else. Exact at any size. O(n) for n digits up to 38; beyond, O(n^2),
    /// or with the feature `bigint` the time of a few products of that size, in scratch
    /// memory for a few times the result. O(n) if a limit refuses the result, whose size is
    /// known before. [`Limits::integer_bits`](crate::Limits::integer_bits) bounds the time.
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
    /// [`Error::NotDecimal`] if the text is no decimal integer. If the integer or
    /// scratch memory cannot be allocated, as for [`Heap::alloc`]: [`Error::Limit`],
    /// [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The
    /// heap is unchanged, but for scratch memory.
    pub fn parse_int(&mut self, text: &str) -> Result<Cell> {
        self.parse_source(Source::Host(text), 10)
    }

    /// Parses an integer in a radix of 2 to 36: an optional sign `+` or `-`, then one or
    /// more digits `0` to `9` and letters `a` to `z` of either case, nothing else. Cost as
    /// for [`Heap::parse_int`]; O(n) for n digits of a radix that is a power of two.
    ///
    /// ```
    /// use segheap::{Error, Heap};
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.int_from_str_radix("-fF", 16)?, (-255).into());
    /// assert_eq!(heap.int_from_str_radix("12", 2), Err(Error::NotDecimal));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidRadix`]; [`Error::NotDecimal`] if the text is no integer in this
    /// radix; else the same as [`Heap::parse_int`].
    pub fn int_from_str_radix(&mut self, text: &str, radix: u32) -> Result<Cell> {
        self.parse_source(Source::Host(text), radix)
    }

    /// Parses an integer in a radix of 2 to 36, as [`Heap::int_from_str_radix`] does, from a
    /// text of the heap, without a copy of it. Cost as for
    /// [`Heap::int_from_str_radix`].
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let text = heap.string("1000000000")?;
    /// assert_eq!(heap.int_from_text(text, 2)?, 512.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidRadix`]; [`Error::NotText`], [`Error::Sealed`],
    /// [`Error::WrongKind`] or [`Error::Stale`], as for [`Heap::text`]; else the same as
    /// [`Heap::int_from_str_radix`].
    pub fn int_from_text(&mut self, text: Cell, radix: u32) -> Result<Cell> {
        self.parse_source(Source::Text(text), radix)
    }

    fn parse_source(&mut self, source: Source<'_>, radix: u32) -> Result<Cell> {
        let radix = Radix::new(radix)?;
        let parsed = match source {
            Source::Host(text) => small(text.as_bytes(), radix)?,
            Source::Text(cell) => small(&self.text(cell)?, radix)?,
        };
        match parsed {
            Some(value) => self.int128(value),
            None => self.parse_large(source, radix),
        }
    }

    /// Parses digits for an integer beyond 128 bits.
    #[cold]
    fn parse_large(&mut self, source: Source<'_>, radix: Radix) -> Result<Cell> {
        let digits = to_u64(self.digits(source)?.1.len());
        let base = Integer { negative: false, limbs: &[u64::from(radix.radix)] };
        let (bits_min, _) = power_bits(&base, digits.saturating_sub(1));
        self.check_result(bits_min)?;
        self.with_scratch(|heap, scratch| {
            let (negative, digits) = heap.digits(source)?;
            let limbs = match radix.bits() {
                Some(bits) => packed(scratch.bump, digits, bits)?,
                None => leaves(scratch.bump, digits, radix)?,
            };
            let leaf = if radix.bits().is_some() { usize::MAX } else { radix.leaf() };
            let parts = digits.len().div_ceil(leaf);
            let mut join = Join::new(scratch, radix, limbs, parts)?;
            let account = heap.store.account_mut();
            scratch.charge(account);
            while join.parts > 1 {
                join.pairs(account)?;
            }
            heap.int_of_limbs(negative, join.from)
        })
    }

    /// The sign of an integer beyond 128 bits, and its digits from the first one that is not
    /// 0.
    fn digits<'a>(&'a self, source: Source<'a>) -> Result<(bool, &'a [u8])> {
        let text = match source {
            Source::Host(text) => text.as_bytes(),
            Source::Text(cell) => self.store.keys().text(cell).ok_or_else(corrupt)?,
        };
        let (sign, digits) = split_sign(text);
        let zeroes = digits.iter().take_while(|&&digit| digit == b'0').count();
        Ok((sign == Some(b'-'), digits.get(zeroes..).unwrap_or_default()))
    }
}

/// The sign of an integer, and the rest of the text.
fn split_sign(text: &[u8]) -> (Option<u8>, &[u8]) {
    match *text {
        [sign @ (b'+' | b'-'), ref digits @ ..] => (Some(sign), digits),
        _ => (None, text),
    }
}

/// The value of a digit, if it is one.
#[inline(always)]
fn digit(byte: u8, radix: u32) -> Option<u32> {
    char::from(byte).to_digit(radix)
}

/// Parses an integer; `None` if 128 bits may not hold it.
///
/// # Errors
/// [`Error::NotDecimal`] if the text is no integer in this radix.
fn small(text: &[u8], Radix { radix, chunk, .. }: Radix) -> Result<Option<i128>> {
    let (sign, digits) = split_sign(text);
    if digits.is_empty() {
        return Err(Error::NotDecimal);
    }
    let mut value = Some(0_i128);
    if digits.len() < chunk {
        // Fits into 63 bits: not even a digit more would leave 64.
        let number = digits.iter().try_fold(0_u64, |number, &byte| {
            let digit = u64::from(digit(byte, radix)?);
            Some(number.wrapping_mul(u64::from(radix)).wrapping_add(digit))
        });
        value = Some(i128::from(number.ok_or(Error::NotDecimal)?));
    } else {
        for &byte in digits {
            let digit = digit(byte, radix).ok_or(Error::NotDecimal)?;
            value = value.and_then(|value| value.checked_mul(i128::from(radix)));
            value = value.and_then(|value| value.checked_add(i128::from(digit)));
        }
    }
    Ok(value.map(|value| if sign == Some(b'-') { value.wrapping_neg() } else { value }))
}

/// The limbs of digits of so many bits each.
fn packed<'b>(bump: &'b Bump, digits: &[u8], bits: u32) -> Result<&'b mut [u64]> {
    let bits = to_usize(bits);
    let limbs = zeroed(bump, digits.len().saturating_mul(bits).div_ceil(64))?;
    for (place, &byte) in digits.iter().rev().enumerate() {
        let (at, by) = (place.wrapping_mul(bits) / 64, place.wrapping_mul(bits) % 64);
        let shifted = u128::from(digit(byte, 36).unwrap_or(0)) << by;
        for (at, half) in [(at, limbs::low(shifted)), (at.wrapping_add(1), limbs::high(shifted))] {
            if let Some(limb) = limbs.get_mut(at).filter(|_| half != 0) {
                *limb |= half;
            }
        }
    }
    Ok(limbs)
}

/// The limbs of digits in parts of [`LEAF_CHUNKS`] limbs, the last digits first.
fn leaves<'b>(bump: &'b Bump, digits: &[u8], radix: Radix) -> Result<&'b mut [u64]> {
    let parts = digits.len().div_ceil(radix.leaf());
    let limbs = zeroed(bump, parts.saturating_mul(LEAF_CHUNKS))?;
    let number = |digits: &[u8]| {
        let values = digits.iter().map(|&byte| u64::from(digit(byte, 36).unwrap_or(0)));
        values.fold(0_u64, |number, digit| {
            number.wrapping_mul(u64::from(radix.radix)).wrapping_add(digit)
        })
    };
    for (leaf, digits) in limbs.chunks_exact_mut(LEAF_CHUNKS).zip(digits.rchunks(radix.leaf())) {
        let mut used = 0_usize;
        for chunk in digits.rchunks(radix.chunk).rev() {
            let places = leaf.get_mut(..used).unwrap_or_default();
            let carry = limbs::multiply_add(places, radix.power, number(chunk));
            if let Some(place) = leaf.get_mut(used).filter(|_| carry != 0) {
                (*place, used) = (carry, used.saturating_add(1));
            }
        }
    }
    Ok(limbs)
}

/// Parts of an integer, the lowest first, which are joined to pairs until one is left.
struct Join<'b> {
    parts: usize,
    width: usize,
    from: &'b mut [u64],
    to: &'b mut [u64],
    /// What a part counts in the next one, and place for its square.
    power: &'b mut [u64],
    square: &'b mut [u64],
}

impl<'b> Join<'b> {
    fn new(
        scratch: ScratchSpace<'b>,
        radix: Radix,
        from: &'b mut [u64],
        parts: usize,
    ) -> Result<Join<'b>> {
        let bump = scratch.bump;
        let (mut len, mut power_len) = (0, 0);
        if parts > 1 {
            // Parts of each level are twice as long; the last one may stand alone.
            len = parts.next_power_of_two().saturating_mul(LEAF_CHUNKS);
            power_len = len / 2;
        }
        let power = zeroed(bump, power_len)?;
        if let Some(place) = power.first_mut() {
            *place = 1;
            for _ in 0..LEAF_CHUNKS {
                limbs::multiply_add(power, radix.power, 0);
            }
        }
        let from = if len > from.len() { copied(bump, from, len)? } else { from };
        Ok(Join {
            parts,
            width: LEAF_CHUNKS,
            from,
            to: zeroed(bump, len)?,
            power,
            square: zeroed(bump, power_len)?,
        })
    }

    /// Joins pairs of parts.
    fn pairs(&mut self, account: &mut Account) -> Result<()> {
        let width = self.width;
        self.to.fill(0);
        let power = trimmed(self.power);
        let pairs = self.from.chunks(width.saturating_mul(2));
        for (to, pair) in self.to.chunks_mut(width.saturating_mul(2)).zip(pairs) {
            let (low, high) = pair.split_at_checked(width).ok_or_else(corrupt)?;
            multiply(account, to, trimmed(high), power)?;
            limbs::add(to, low);
        }
        core::mem::swap(&mut self.from, &mut self.to);
        self.parts = self.parts.div_ceil(2);
        self.width = width.saturating_mul(2);
        if self.parts > 1 {
            self.square.fill(0);
            multiply(account, self.square, power, power)?;
            core::mem::swap(&mut self.power, &mut self.square);
        }
        Ok(())
    }
}
