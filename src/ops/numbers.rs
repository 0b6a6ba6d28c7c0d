//! Integers of either form and floats together: comparison, conversion, text.

use core::cmp::Ordering;
use core::fmt::{self, Write};

use super::integers::operand;
use crate::heap::Heap;
use crate::kinds::Bignum;
use crate::object::{Integer, limbs};
use crate::words::{Cell, Error, HasKind, Result, Unpacked, corrupt, utf8};

/// A float as text has fewer bytes.
const FLOAT_BYTES: usize = 32;

/// A buffer of text.
struct Buffer {
    bytes: [u8; FLOAT_BYTES],
    len: usize,
}

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.saturating_add(text.len());
        let place = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// How an integer compares to a float.
fn compare_to_float(integer: Integer<'_>, float: f64) -> Option<Ordering> {
    let (next, exact) = integer.toward_zero();
    Some(match next.partial_cmp(&float)? {
        Ordering::Equal if !exact && integer.negative => Ordering::Less,
        Ordering::Equal if !exact => Ordering::Greater,
        order => order,
    })
}

impl Heap {
    /// Compares two numbers exactly, integers of either form with floats, too: `None` if
    /// one is NaN. -0.0 equals 0.0. O(1), and O(n) for integers of n limbs. Allocates
    /// nothing.
    ///
    /// ```
    /// use core::cmp::Ordering;
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let int = heap.int((1 << 53) + 1)?; // which no float equals
    /// assert_eq!(heap.cmp_num(int, 9_007_199_254_740_992.0.into())?, Some(Ordering::Greater));
    /// assert_eq!(heap.cmp_num(1.into(), 1.0.into())?, Some(Ordering::Equal));
    /// assert_eq!(heap.cmp_num(1.into(), f64::NAN.into())?, None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// For the first operand that they apply to: [`Error::NotANumber`] if the cell is
    /// neither a handle nor a number; [`Error::Sealed`] if it is sealed;
    /// [`Error::WrongKind`] if it is a handle of another kind; [`Error::Stale`] if the
    /// object was freed.
    pub fn cmp_num(&self, a: Cell, b: Cell) -> Result<Option<Ordering>> {
        if let Some(order) = Cell::cmp_ints(a, b) {
            return Ok(Some(order));
        }
        self.check_number(a)?;
        self.check_number(b)?;
        let with = |int: Cell, float: f64| {
            Ok(operand(&self.store, int)?.with_integer(|int| compare_to_float(int, float)))
        };
        match (a.as_float(), b.as_float()) {
            (Some(a), Some(b)) => Ok(a.partial_cmp(&b)),
            (Some(a), None) => Ok(with(b, a)?.map(Ordering::reverse)),
            (None, Some(b)) => with(a, b),
            (None, None) => self.cmp_int(a, b).map(Some),
        }
    }

    /// Checks that a cell is a number.
    fn check_number(&self, cell: Cell) -> Result<()> {
        match cell.unpack() {
            Unpacked::Int(_) | Unpacked::Float(_) => Ok(()),
            Unpacked::Sealed => Err(Error::Sealed),
            Unpacked::Object(_) | Unpacked::Host => {
                self.store.arena(Bignum::KIND)?.check_handle(cell)
            }
            _ => Err(Error::NotANumber),
        }
    }

    /// Returns the float next to a number: of an integer of either form, rounded to the
    /// nearest one, of two to the even one, and infinite beyond the greatest; a float as it
    /// is. O(1), and O(n) for integers of n limbs.
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let int = heap.int((1 << 53) + 1)?;
    /// assert_eq!(heap.as_f64(int)?, 9_007_199_254_740_992.0);
    /// let large = heap.shl(1.into(), 2_000.into())?;
    /// assert_eq!(heap.as_f64(large)?, f64::INFINITY);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotANumber`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`], as for [`Heap::cmp_num`].
    pub fn as_f64(&self, number: Cell) -> Result<f64> {
        match number.as_float() {
            Some(float) => Ok(float),
            None => {
                self.check_number(number)?;
                Ok(operand(&self.store, number)?.with_integer(|int| int.to_f64()))
            }
        }
    }

    /// Returns a float as an integer, rounded towards zero. Exact. Amortised O(1).
    ///
    /// ```
    /// use segheap::{Error, Heap};
    /// let mut heap = Heap::new();
    /// assert_eq!(heap.int_from_f64(-2.7)?, (-2).into());
    /// let large = heap.int_from_f64(1e22)?;
    /// assert_eq!(heap.display(large).to_string(), "10000000000000000000000");
    /// assert_eq!(heap.int_from_f64(f64::NAN), Err(Error::NotAnInteger));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAnInteger`] if the float is infinite or NaN. If a [`Bignum`] cannot be
    /// allocated, as for [`Heap::alloc`]: [`Error::Limit`], [`Error::ArenaFull`] or
    /// [`Error::OutOfMemory`]. The heap is unchanged.
    #[allow(clippy::cast_possible_truncation, reason = "rounds towards zero, within 64 bits")]
    pub fn int_from_f64(&mut self, float: f64) -> Result<Cell> {
        const LEAST: f64 = i64::MIN as f64;
        const DIGITS: u32 = f64::MANTISSA_DIGITS;
        if (LEAST..-LEAST).contains(&float) {
            return self.int(float as i64);
        }
        if !float.is_finite() {
            return Err(Error::NotAnInteger);
        }
        // At least 2^63: all digits are before the point.
        let bits = float.to_bits();
        let digits = bits & ((1 << (DIGITS - 1)) - 1) | 1 << (DIGITS - 1);
        let exponent = u32::try_from(bits << 1 >> DIGITS).map_err(|_| corrupt())?;
        let shift = exponent.saturating_sub(1023).saturating_sub(DIGITS - 1);
        let (skip, by) = (crate::words::to_usize(shift / 64), shift % 64);
        self.with_limbs(skip.saturating_add(2), |_, limbs| {
            *limbs.get_mut(skip).ok_or_else(corrupt)? = digits;
            limbs::shift_left(limbs.get_mut(skip..).unwrap_or_default(), by);
            Ok(float < 0.0)
        })
    }

    /// Returns a number as a text, as [`Heap::string`] does: the one that [`Heap::display`]
    /// shows. O(1) for floats; for integers, as [`Heap::int_to_text`].
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let text = heap.number_to_text(0.25.into())?;
    /// assert_eq!(heap.text(text)?.to_string(), "0.25");
    /// assert_eq!(heap.number_to_text(7.into())?.as_short_str().unwrap().as_str(), "7");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotANumber`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`], as for [`Heap::cmp_num`]; else the same as
    /// [`Heap::int_to_text`].
    pub fn number_to_text(&mut self, number: Cell) -> Result<Cell> {
        self.check_number(number)?;
        let Some(float) = number.as_float() else { return self.int_to_text(number, 10) };
        let mut buffer = Buffer { bytes: [0; FLOAT_BYTES], len: 0 };
        write!(buffer, "{float:?}").map_err(|_| corrupt())?;
        self.string_of_bytes(buffer.bytes.get(..buffer.len).ok_or_else(corrupt)?)
    }

    /// Parses a number from a text of the heap, without a copy of it: an integer as
    /// [`Heap::parse_int`] does, else a float as `f64::from_str` does (`0.5`, `1e9`, `inf`,
    /// `nan`), rounded to the nearest one. Cost as for [`Heap::parse_int`]; O(n) for n
    /// bytes of a float.
    ///
    /// ```
    /// use segheap::{Error, Heap};
    /// let mut heap = Heap::new();
    /// let (int, float) = (heap.string("12")?, heap.string("12.5")?);
    /// assert_eq!(heap.number_from_text(int)?, 12.into());
    /// assert_eq!(heap.number_from_text(float)?, 12.5.into());
    /// let word = heap.string("twelve")?;
    /// assert_eq!(heap.number_from_text(word), Err(Error::NotDecimal));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotText`], [`Error::Sealed`], [`Error::WrongKind`] or
    /// [`Error::Stale`], as for [`Heap::text`]; [`Error::NotDecimal`] if the text is no
    /// number; else the same as [`Heap::parse_int`].
    pub fn number_from_text(&mut self, text: Cell) -> Result<Cell> {
        match self.int_from_text(text, 10) {
            Err(Error::NotDecimal) => {}
            result => return result,
        }
        let text = self.text(text)?;
        let float: Option<f64> = utf8::to_str(&text).and_then(|text| text.parse().ok());
        float.map(Cell::from).ok_or(Error::NotDecimal)
    }
}
