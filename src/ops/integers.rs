//! Integers as values: in the cell up to 48 bits, a [`Bignum`] beyond.

use core::cmp::Ordering;

#[cfg(feature = "bigint")]
use num_bigint::{BigInt, Sign};

use crate::heap::{Heap, Store};
use crate::kinds::Bignum;
use crate::object::Integer;
use crate::words::{Cell, Error, Result, Unpacked};

#[cfg(feature = "bigint")]
use crate::words::{HasKind, Resource, to_u64};

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

    /// The number of limbs, 1 for zero.
    #[cfg(feature = "bigint")]
    pub(super) fn limbs(self) -> u64 {
        self.with_integer(|integer| to_u64(integer.limbs.len()).max(1))
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
        Unpacked::Object(_) => {
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
    /// digits, nothing else. O(n) for n digits up to 38, O(n^2) beyond.
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
    /// [`Error::NotDecimal`] if the text is no decimal integer; [`Error::NoBigint`] if
    /// the integer exceeds 128 bits and the feature `bigint` is off. If the integer
    /// cannot be allocated, as for [`Heap::alloc`]: [`Error::Limit`],
    /// [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`]. The
    /// heap is unchanged.
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
        // 19 digits fit into a limb: this is at most one limb short.
        self.check_result(to_u64(digits.trim_start_matches('0').len()) / 19)?;
        let value = BigInt::parse_bytes(text.as_bytes(), 10).ok_or(Error::NotDecimal)?;
        self.alloc_big(&value)
    }

    #[cfg(not(feature = "bigint"))]
    fn parse_large(&mut self, _: &str, _: &str) -> Result<Cell> {
        Err(Error::NoBigint)
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

    /// Checks that a result of so many limbs is within the limits, before it is
    /// computed outside of the account.
    #[cfg(feature = "bigint")]
    pub(super) fn check_result(&self, limbs: u64) -> Result<()> {
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

    /// Returns an integer of `num-bigint` as a value.
    #[cfg(feature = "bigint")]
    pub(super) fn alloc_big(&mut self, value: &BigInt) -> Result<Cell> {
        if let Ok(small) = i64::try_from(value) {
            return self.int(small);
        }
        let (sign, limbs) = value.to_u64_digits();
        self.alloc(Bignum::of(sign == Sign::Minus, &limbs)).map(Cell::from)
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
    pub fn cmp_int(&self, a: Cell, b: Cell) -> Result<Ordering> {
        Ok(match (operand(&self.store, a)?, operand(&self.store, b)?) {
            (Operand::Small(a), Operand::Small(b)) => a.cmp(&b),
            (a, b) => a.with_integer(|a| b.with_integer(|b| a.cmp(&b))),
        })
    }
}
