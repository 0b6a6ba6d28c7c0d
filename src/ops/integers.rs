//! Integers as values: in a cell up to 48 bits, a [`Bignum`] beyond. Arithmetic
//! beyond `i64` is by `num-bigint`, whose own memory is not on the heap's
//! account; the size of a result is held to the limits before it is called.

use num_bigint::{BigInt, Sign};

use crate::heap::Heap;
use crate::kinds::Bignum;
use crate::object::Integer;
use crate::words::{Cell, Error, HasKind, Resource, Result, Unpacked, wide};

use core::cmp::Ordering;

enum Operand<'h> {
    Small(i64),
    Large(Integer<'h>),
}

impl Operand<'_> {
    fn big(&self) -> BigInt {
        match self {
            Operand::Small(small) => BigInt::from(*small),
            Operand::Large(large) => large.to_big(),
        }
    }

    fn limbs(&self) -> u64 {
        match self {
            Operand::Small(_) => 1,
            Operand::Large(large) => wide(large.limbs.len()),
        }
    }
}

#[allow(clippy::arithmetic_side_effects, reason = "checked forms, or integers of any size")]
impl Heap {
    /// An integer as a value; never loses a bit. O(1).
    ///
    /// # Errors
    /// A limit or no memory; the heap is as it was then.
    #[inline]
    pub fn int(&mut self, value: i64) -> Result<Cell> {
        match Cell::int(value) {
            Some(cell) => Ok(cell),
            None => self.alloc(Bignum::of(value < 0, &[value.unsigned_abs()])).map(Cell::from),
        }
    }

    /// A wide integer as a value. O(1).
    ///
    /// # Errors
    /// A limit or no memory; the heap is as it was then.
    pub fn int128(&mut self, value: i128) -> Result<Cell> {
        match i64::try_from(value) {
            Ok(small) => self.int(small),
            Err(_) => self.integer(&BigInt::from(value)),
        }
    }

    /// The integer that decimal text says: an optional sign, and digits.
    /// O(n^2) beyond 18 digits.
    ///
    /// # Errors
    /// [`Error::NotDecimal`]; a limit or no memory. The heap is as it was then.
    pub fn parse_int(&mut self, text: &str) -> Result<Cell> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::NotDecimal);
        }
        if let Ok(small) = text.parse() {
            return self.int(small);
        }
        // 19 digits fit into a limb.
        self.room_for(wide(digits.trim_start_matches('0').len()) / 19)?;
        let value = BigInt::parse_bytes(text.as_bytes(), 10).ok_or(Error::NotDecimal)?;
        self.integer(&value)
    }

    /// The value of an integer of either form, `None` if it does not fit.
    ///
    /// # Errors
    /// [`Error::NotAnInteger`] for a cell that is neither a handle nor an
    /// integer; [`Error::WrongKind`] or [`Error::Stale`] for a handle.
    #[inline]
    pub fn as_int(&self, cell: Cell) -> Result<Option<i64>> {
        Ok(if let Operand::Small(small) = self.operand(cell)? { Some(small) } else { None })
    }

    #[inline]
    fn operand(&self, cell: Cell) -> Result<Operand<'_>> {
        match cell.unpack() {
            Unpacked::Int(int) => Ok(Operand::Small(int)),
            Unpacked::Sealed => Err(Error::Sealed),
            Unpacked::Object(_) => {
                let integer = Integer::of(self.get::<Bignum>(cell)?.words);
                Ok(integer.to_i64().map_or(Operand::Large(integer), Operand::Small))
            }
            _ => Err(Error::NotAnInteger),
        }
    }

    /// Refuses a result that could not be held even by an empty heap.
    fn room_for(&self, limbs: u64) -> Result<()> {
        let bytes = limbs.saturating_mul(8);
        if limbs > u64::from(u32::MAX) {
            return Err(Error::ObjectTooLarge);
        }
        let limits = self.limits();
        if bytes > wide(limits.bytes) {
            return Err(Error::Limit(Resource::Bytes));
        }
        if bytes > u64::from(limits.pages).saturating_mul(crate::words::PAGE_BYTES) {
            return Err(Error::Limit(Resource::Pages(Bignum::KIND)));
        }
        Ok(())
    }

    fn integer(&mut self, value: &BigInt) -> Result<Cell> {
        if let Ok(small) = i64::try_from(value) {
            return self.int(small);
        }
        let (sign, limbs) = value.to_u64_digits();
        self.alloc(Bignum::of(sign == Sign::Minus, &limbs)).map(Cell::from)
    }

    /// What to do with small operands; how many limbs the result has at most;
    /// what to do with large ones.
    #[inline]
    fn arithmetic(
        &mut self,
        (a, b): (Cell, Cell),
        small: fn(i64, i64) -> Option<i64>,
        limbs: fn(u64, u64) -> u64,
        large: fn(&BigInt, &BigInt) -> BigInt,
    ) -> Result<Cell> {
        let (a, b) = (self.operand(a)?, self.operand(b)?);
        if let (Operand::Small(a), Operand::Small(b)) = (&a, &b)
            && let Some(small) = small(*a, *b)
        {
            return self.int(small);
        }
        self.room_for(limbs(a.limbs(), b.limbs()))?;
        self.integer(&large(&a.big(), &b.big()))
    }

    /// The sum of two integers of either form.
    ///
    /// # Errors
    /// Those of [`Heap::as_int`]; a limit or no memory. The heap is as it was
    /// then. The same holds for all arithmetic below.
    ///
    /// ```
    /// # use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let mut product = heap.int(1)?;
    /// for n in 1..=25 {
    ///     product = heap.mul(product, n.into())?;
    /// }
    /// assert_eq!(heap.display(product).to_string(), "15511210043330985984000000");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn add(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.arithmetic((a, b), i64::checked_add, u64::max, |a, b| a + b)
    }

    /// The difference of two integers of either form.
    ///
    /// # Errors
    /// As [`Heap::add`].
    pub fn sub(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.arithmetic((a, b), i64::checked_sub, u64::max, |a, b| a - b)
    }

    /// The product of two integers of either form.
    ///
    /// # Errors
    /// As [`Heap::add`].
    pub fn mul(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.arithmetic((a, b), i64::checked_mul, |a, b| a + b - 1, |a, b| a * b)
    }

    fn check_divisor(&self, a: Cell, b: Cell) -> Result<()> {
        self.operand(a)?;
        let is_zero = matches!(self.operand(b)?, Operand::Small(0));
        if is_zero { Err(Error::DivisionByZero) } else { Ok(()) }
    }

    /// The quotient of two integers of either form, cut off towards zero.
    ///
    /// # Errors
    /// As [`Heap::add`]; [`Error::DivisionByZero`].
    pub fn div(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.check_divisor(a, b)?;
        self.arithmetic((a, b), i64::checked_div, |a, _| a, |a, b| a / b)
    }

    /// What [`Heap::div`] leaves; its sign is that of `a`.
    ///
    /// # Errors
    /// As [`Heap::add`]; [`Error::DivisionByZero`].
    pub fn rem(&mut self, a: Cell, b: Cell) -> Result<Cell> {
        self.check_divisor(a, b)?;
        self.arithmetic((a, b), i64::checked_rem, |_, b| b, |a, b| a % b)
    }

    /// `base` to the power of `exponent`.
    ///
    /// # Errors
    /// As [`Heap::add`]; [`Error::NegativeExponent`].
    pub fn pow(&mut self, base: Cell, exponent: Cell) -> Result<Cell> {
        let (base, exponent) = (self.operand(base)?, self.operand(exponent)?);
        let exponent = match exponent {
            Operand::Small(exponent) if exponent >= 0 => exponent.unsigned_abs(),
            Operand::Small(_) | Operand::Large(Integer { negative: true, .. }) => {
                return Err(Error::NegativeExponent);
            }
            Operand::Large(even) => u64::MAX ^ (even.limbs.first().copied().unwrap_or(0) & 1 ^ 1),
        };
        // Their powers come again, at 1 and 2.
        let comes_again = matches!(base, Operand::Small(-1..=1));
        let exponent = if comes_again { exponent.min(2 - exponent % 2) } else { exponent };
        if let (Operand::Small(small), Ok(exponent)) = (&base, u32::try_from(exponent))
            && let Some(power) = small.checked_pow(exponent)
        {
            return self.int(power);
        }
        let base = base.big();
        // At least bits - 1 bits an exponent.
        let bits = base.bits().saturating_sub(1).saturating_mul(exponent);
        self.room_for(bits / 64)?;
        let exponent = u32::try_from(exponent).map_err(|_| Error::ObjectTooLarge)?;
        self.integer(&base.pow(exponent))
    }

    /// The integer with the other sign.
    ///
    /// # Errors
    /// As [`Heap::add`].
    pub fn neg(&mut self, a: Cell) -> Result<Cell> {
        self.sub(Cell::from(0), a)
    }

    /// The order of two integers of either form. O(n), and allocates for large ones.
    ///
    /// # Errors
    /// Those of [`Heap::as_int`].
    pub fn cmp_int(&self, a: Cell, b: Cell) -> Result<Ordering> {
        Ok(match (self.operand(a)?, self.operand(b)?) {
            (Operand::Small(a), Operand::Small(b)) => a.cmp(&b),
            (a, b) => a.big().cmp(&b.big()),
        })
    }
}
