//! Integers as values: in the cell up to 48 bits, a [`Bignum`] beyond.

use core::cmp::Ordering;

use bumpalo::collections::Vec;
#[cfg(feature = "bigint")]
use num_bigint::{BigInt, Sign};

#[cfg(feature = "bigint")]
use super::big::{self, Estimate};
use crate::arena::reserve;
use crate::heap::Heap;
use crate::heap::Store;
use crate::kinds::Bignum;
use crate::object::{Integer, Object};
use crate::words::{
    Cell, Error, HasKind, Resource, Result, Unpacked, object_len, to_u64, to_usize,
};

/// Decimal digits that always fit into a limb.
const CHUNK: usize = 19;
/// 10 to the power of [`CHUNK`].
const CHUNK_BASE: u64 = 10_000_000_000_000_000_000;

/// An integer of either form. A [`Bignum`] that fits into 64 bits is `Small`, too.
#[derive(Clone, Copy)]
pub(super) enum Operand<'h> {
    Small(i64),
    Large(Integer<'h>),
}

impl Operand<'_> {
    pub(super) fn to_i128(self) -> Option<i128> {
        match self {
            Operand::Small(small) => Some(i128::from(small)),
            Operand::Large(large) => large.to_i128(),
        }
    }

    /// Calls `work` with the integer as sign and magnitude.
    pub(super) fn with_integer<T>(self, work: impl FnOnce(Integer<'_>) -> T) -> T {
        match self {
            Operand::Small(0) => work(Integer { negative: false, limbs: &[] }),
            Operand::Small(small) => {
                work(Integer { negative: small < 0, limbs: &[small.unsigned_abs()] })
            }
            Operand::Large(large) => work(large),
        }
    }

    #[cfg(feature = "bigint")]
    pub(super) fn to_big(self) -> BigInt {
        self.with_integer(|integer| integer.to_big())
    }
}

/// The integer that a cell holds or refers to.
///
/// # Errors
/// [`Error::NotAnInteger`] if the cell is neither a handle nor an integer;
/// [`Error::Sealed`], [`Error::WrongKind`] or [`Error::Stale`] if it is no handle of a
/// live [`Bignum`].
#[inline]
pub(super) fn operand(store: &Store, cell: Cell) -> Result<Operand<'_>> {
    match cell.unpack() {
        Unpacked::Int(int) => Ok(Operand::Small(int)),
        Unpacked::Sealed => Err(Error::Sealed),
        Unpacked::Object(_) | Unpacked::Host => {
            let integer = Integer::of(store.get::<Bignum>(cell)?.words());
            Ok(integer.to_i64().map_or(Operand::Large(integer), Operand::Small))
        }
        _ => Err(Error::NotAnInteger),
    }
}

impl Heap {
    /// Returns an integer as a value: in the cell up to 48 bits (two's complement), a
    /// new [`Bignum`] beyond. Exact. Amortised O(1).
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
    /// If a [`Bignum`] cannot be allocated, as for [`Heap::alloc`]: [`Error::Limit`],
    /// [`Error::ArenaFull`] or [`Error::OutOfMemory`]. The heap is unchanged.
    #[inline]
    pub fn int(&mut self, value: i64) -> Result<Cell> {
        match Cell::int(value) {
            Some(cell) => Ok(cell),
            None => self.alloc(Bignum::of(value < 0, &[value.unsigned_abs()])).map(Cell::from),
        }
    }

    /// Returns an integer of up to 128 bits as a value, as [`Heap::int`] does.
    /// Amortised O(1).
    ///
    /// ```
    /// use segheap::{Cell, Heap};
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.int128(-5)?, Cell::from(-5));
    /// let large = heap.int128(i128::MIN)?;
    /// assert_eq!(heap.as_int(large)?, None);
    /// assert_eq!(heap.display(large).to_string(), i128::MIN.to_string());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a [`Bignum`] cannot be allocated, as for [`Heap::alloc`]: [`Error::Limit`],
    /// [`Error::ArenaFull`] or [`Error::OutOfMemory`]. The heap is unchanged.
    #[allow(clippy::cast_possible_truncation, reason = "splits the magnitude into limbs")]
    pub fn int128(&mut self, value: i128) -> Result<Cell> {
        if let Ok(small) = i64::try_from(value) {
            return self.int(small);
        }
        let magnitude = value.unsigned_abs();
        let limbs = [magnitude as u64, (magnitude >> 64) as u64];
        self.alloc(Bignum::of(value < 0, &limbs)).map(Cell::from)
    }

    /// Parses a decimal integer: an optional sign `+` or `-`, then one or more ASCII
    /// digits, nothing else. Exact at any size, also without the feature `bigint`. O(n)
    /// for n digits up to 38, O(n^2) beyond, in scratch memory for the result; O(n) if a
    /// limit refuses the result, whose size is known before.
    /// [`Limits::integer_bits`](crate::Limits::integer_bits) bounds the time.
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
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::NotDecimal);
        }
        match text.parse() {
            Ok(value) => self.int128(value),
            Err(_) => self.parse_large(text.starts_with('-'), digits.trim_start_matches('0')),
        }
    }

    /// Parses digits, of which the first is not 0, for an integer beyond 64 bits.
    #[cold]
    fn parse_large(&mut self, negative: bool, digits: &str) -> Result<Cell> {
        let (bits_min, bits_max) = decimal_bits(to_u64(digits.len()));
        self.check_result(bits_min)?;
        self.with_scratch(|heap, scratch| {
            let mut limbs: Vec<'_, u64> = Vec::new_in(scratch.bump);
            let room = usize::try_from(bits_max.div_ceil(64)).map_err(|_| Error::ObjectTooLarge)?;
            reserve(&mut limbs, room)?;
            let (first, rest) = digits.as_bytes().split_at(digits.len() % CHUNK);
            for chunk in core::iter::once(first).chain(rest.chunks(CHUNK)) {
                let digit = |byte: &u8| u64::from(byte.wrapping_sub(b'0'));
                let chunk = chunk
                    .iter()
                    .fold(0, |number: u64, byte| number.wrapping_mul(10).wrapping_add(digit(byte)));
                let carry = limbs.iter_mut().fold(chunk, |carry, limb| {
                    let wide = u128::from(*limb).wrapping_mul(u128::from(CHUNK_BASE));
                    let (high, low) = halves(wide.wrapping_add(u128::from(carry)));
                    *limb = low;
                    high
                });
                if carry > 0 {
                    limbs.push(carry);
                }
            }
            scratch.charge(heap.store.account_mut());
            let parsed = Integer { negative, limbs: &limbs };
            heap.check_bits(parsed.bits())?;
            heap.alloc(Bignum::of(negative, &limbs)).map(Cell::from)
        })
    }

    /// Returns the value of an integer of either form, or `None` if it does not fit
    /// into an `i64`. O(1). [`Cell::as_int`] reads integers in the cell only.
    ///
    /// ```
    /// use segheap::{Error, Heap};
    /// let mut heap = Heap::new();
    /// let large = heap.int(i64::MIN)?;
    /// assert_eq!((large.as_int(), heap.as_int(large)?), (None, Some(i64::MIN)));
    /// assert_eq!(heap.as_int(1.0.into()), Err(Error::NotAnInteger));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAnInteger`] if the cell is neither a handle nor an integer;
    /// [`Error::Sealed`] if it is sealed; [`Error::WrongKind`] if it is a handle of
    /// another kind; [`Error::Stale`] if the object was freed.
    #[inline]
    pub fn as_int(&self, cell: Cell) -> Result<Option<i64>> {
        let operand = operand(&self.store, cell)?;
        Ok(if let Operand::Small(small) = operand { Some(small) } else { None })
    }

    /// Checks that the limits allow a result of at least `bits_min` bits, before it is
    /// computed. Returns the least number of its limbs. O(1).
    pub(super) fn check_result(&mut self, bits_min: u64) -> Result<usize> {
        let len = object_len(usize::try_from(bits_min.div_ceil(64)).unwrap_or(usize::MAX))?;
        self.check_bits(bits_min)?;
        let words = to_usize(len).saturating_add(to_usize(Bignum::SHAPE.header));
        self.store.check_room(Bignum::KIND, words)?;
        Ok(to_usize(len))
    }

    /// Checks that the limits allow a result of so many bits.
    pub(super) fn check_bits(&self, bits: u64) -> Result<()> {
        let limit = self.limits().integer_bits.max(128);
        if bits > limit { Err(Error::Limit(Resource::IntegerBits)) } else { Ok(()) }
    }

    /// Returns a result of `num-bigint` as a value. What that allocates is on the
    /// account meanwhile.
    #[cfg(feature = "bigint")]
    pub(super) fn compute(
        &mut self,
        estimate: Estimate,
        work: impl FnOnce(&Store) -> Result<BigInt>,
    ) -> Result<Cell> {
        let held = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        // The result lies beside its copy in the arena.
        let result = held(big::result_bytes(estimate.bits_min));
        self.store.account_mut().hold(result)?;
        let checked = self.check_result(estimate.bits_min);
        self.store.account_mut().replace(result, 0);
        checked?;
        let bytes = held(estimate.bytes_max);
        self.store.account_mut().hold(bytes)?;
        let value = work(&self.store);
        let result = value.as_ref().map_or(0, |value| held(big::result_bytes(value.bits())));
        let result = result.min(bytes);
        self.store.account_mut().replace(bytes, result);
        let cell = value.and_then(|value| self.alloc_big(&value));
        self.store.account_mut().replace(result, 0);
        cell
    }

    /// Returns an integer of `num-bigint` as a value.
    #[cfg(feature = "bigint")]
    fn alloc_big(&mut self, value: &BigInt) -> Result<Cell> {
        if let Ok(small) = i64::try_from(value) {
            return self.int(small);
        }
        self.check_bits(value.bits())?;
        let limbs = value.iter_u64_digits();
        self.alloc_limbs(value.sign() == Sign::Minus, limbs.len(), limbs)
    }

    /// Allocates an integer of `len` limbs, of which the last one is not zero.
    #[cfg(feature = "bigint")]
    pub(super) fn alloc_limbs(
        &mut self,
        negative: bool,
        len: usize,
        limbs: impl Iterator<Item = u64>,
    ) -> Result<Cell> {
        let words = len.saturating_add(to_usize(Bignum::SHAPE.header));
        self.store.alloc_with(Bignum::KIND, object_len(len)?, words, |words| {
            let words = words.iter_mut();
            words.zip([u64::from(negative)].into_iter().chain(limbs)).for_each(|(to, from)| {
                *to = from;
            });
            Ok(())
        })
    }

    /// Compares two integers of either form. O(1) up to 64 bits, O(n) for n limbs
    /// beyond. Allocates nothing.
    ///
    /// ```
    /// use core::cmp::Ordering;
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let large = heap.int(i64::MAX)?;
    /// assert_eq!(heap.cmp_int(large, 1.into())?, Ordering::Greater);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// For the first operand that they apply to, as for [`Heap::as_int`]:
    /// [`Error::NotAnInteger`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`].
    #[inline]
    pub fn cmp_int(&self, a: Cell, b: Cell) -> Result<Ordering> {
        match Cell::cmp_ints(a, b) {
            Some(order) => Ok(order),
            None => self.cmp_objects(a, b),
        }
    }

    /// [`Heap::cmp_int`] where one of the integers lies in an arena, or is none.
    #[cold]
    fn cmp_objects(&self, a: Cell, b: Cell) -> Result<Ordering> {
        Ok(match (operand(&self.store, a)?, operand(&self.store, b)?) {
            (Operand::Small(a), Operand::Small(b)) => a.cmp(&b),
            (a, b) => a.with_integer(|a| b.with_integer(|b| a.cmp(&b))),
        })
    }
}

/// The high and the low half of a number.
#[allow(clippy::cast_possible_truncation, reason = "splits it")]
const fn halves(number: u128) -> (u64, u64) {
    ((number >> 64) as u64, number as u64)
}

/// Bounds on the bits of an integer of so many decimal digits, of which the first is not
/// 0.
fn decimal_bits(digits: u64) -> (u64, u64) {
    // A digit has log2(10) = 3.3219280948873623... bits.
    let bits = |digits: u64, bits: u128| {
        let bits = u128::from(digits).wrapping_mul(bits) / 10_000_000_000_000_000;
        u64::try_from(bits).unwrap_or(u64::MAX).saturating_add(1)
    };
    let least = bits(digits.saturating_sub(1), 33_219_280_948_873_623);
    (least, bits(digits, 33_219_280_948_873_624))
}
