//! Integers as values: in the cell up to 48 bits, a [`Bignum`] beyond.

use core::cmp::Ordering;

use super::magnitudes::zeroed;
use crate::heap::Heap;
use crate::heap::Store;
use crate::kinds::Bignum;
use crate::object::{Integer, Object, limbs};
use crate::words::{
    Cell, Error, HasKind, Resource, Result, Unpacked, corrupt, object_len, to_usize,
};

/// Integers of up to so many limbs, of 512 bits, are computed with on the stack.
pub(super) const FEW_LIMBS: usize = 8;

/// An integer of either form. A [`Bignum`] that fits into 64 bits is `Small`, too.
#[derive(Clone, Copy)]
pub(super) enum Operand<'h> {
    Small(i64),
    Large(Integer<'h>),
}

impl Operand<'_> {
    /// The low 64 bits in two's complement.
    pub(super) fn wrapped(self) -> i64 {
        match self {
            Operand::Small(small) => small,
            Operand::Large(large) => {
                let low = large.limbs.first().map_or(0, |limb| limb.cast_signed());
                if large.negative { low.wrapping_neg() } else { low }
            }
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

/// An integer of up to 127 bits and a sign; `None` for any other cell, and for an integer that a
/// cold path has to open.
#[inline(always)]
pub(super) fn wide_operand(store: &Store, cell: Cell) -> Option<i128> {
    if let Some(int) = cell.as_int() {
        return Some(i128::from(int));
    }
    let arena = store.arenas().get(Bignum::KIND)?;
    let slot = arena.find_dense(cell)?;
    let words = arena.words(slot, to_usize(slot.len).wrapping_add(1)).ok()?;
    let (negative, magnitude) = match *words {
        [negative, low] => (negative, u128::from(low)),
        [negative, low, high] => (negative, limbs::wide(high, low)),
        _ => return None,
    };
    let positive = i128::try_from(magnitude).ok()?;
    Some(if negative == 0 { positive } else { positive.wrapping_neg() })
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
            None => self.alloc_integer([u64::from(value < 0), value.unsigned_abs()]),
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
    #[inline]
    pub fn int128(&mut self, value: i128) -> Result<Cell> {
        if let Some(cell) = i64::try_from(value).ok().and_then(Cell::int) {
            return Ok(cell);
        }
        let (sign, magnitude) = (u64::from(value < 0), value.unsigned_abs());
        let (low, high) = (limbs::low(magnitude), limbs::high(magnitude));
        match high {
            0 => self.alloc_integer([sign, low]),
            _ => self.alloc_integer([sign, low, high]),
        }
    }

    /// Allocates an integer of these words: a sign, and limbs, the last one not zero.
    #[inline(always)]
    fn alloc_integer<const WORDS: usize>(&mut self, words: [u64; WORDS]) -> Result<Cell> {
        let len = object_len(WORDS.saturating_sub(1))?;
        self.store.alloc_with(Bignum::KIND, len, WORDS, |places| {
            *places.first_chunk_mut().ok_or_else(corrupt)? = words;
            Ok(())
        })
    }

    /// An integer as a value. Zeroes at the end of the limbs are cut off.
    pub(super) fn int_of_limbs(&mut self, negative: bool, limbs: &[u64]) -> Result<Cell> {
        let integer = Integer { negative, limbs: limbs::trimmed(limbs) };
        match integer.to_i64().and_then(Cell::int) {
            Some(cell) => Ok(cell),
            None => {
                self.check_bits(integer.bits())?;
                self.alloc(Bignum::of(negative, integer.limbs)).map(Cell::from)
            }
        }
    }

    /// Two integers as values, or neither of them.
    pub(super) fn two_ints(&mut self, a: Integer<'_>, b: Integer<'_>) -> Result<(Cell, Cell)> {
        let small = |integer: Integer<'_>| integer.to_i64().and_then(Cell::int);
        match (small(a), small(b)) {
            (Some(a), Some(b)) => return Ok((a, b)),
            (Some(a), None) => return Ok((a, self.int_of_limbs(b.negative, b.limbs)?)),
            (None, Some(b)) => return Ok((self.int_of_limbs(a.negative, a.limbs)?, b)),
            (None, None) => {}
        }
        self.check_bits(a.bits().max(b.bits()))?;
        let checkpoint = self.store.checkpoint();
        let mut allocated = [None; 2];
        let made = [a, b].into_iter().zip(&mut allocated).try_for_each(|(integer, place)| {
            let len = object_len(integer.limbs.len())?;
            let words = integer.limbs.len().saturating_add(to_usize(Bignum::SHAPE.header));
            let all =
                [u64::from(integer.negative)].into_iter().chain(integer.limbs.iter().copied());
            *place = Some(self.store.alloc_unrecorded(Bignum::KIND, len, words, |words| {
                words.iter_mut().zip(all).for_each(|(to, word)| *to = word);
                Ok(())
            })?);
            Ok(())
        });
        let cells = allocated.map(Option::unwrap_or_default);
        let made = made.and_then(|()| self.store.record_all((cells.len(), 0), cells.into_iter()));
        match made {
            Ok(()) => Ok((cells[0], cells[1])),
            Err(error) => {
                self.store.roll_back(&checkpoint, allocated.into_iter().rev().flatten());
                Err(error)
            }
        }
    }

    /// The integer that `work` writes to `len` limbs, which are zero; it returns the sign. They
    /// lie on the stack, or in scratch memory if they are many.
    #[inline(always)]
    pub(super) fn with_limbs(
        &mut self,
        len: usize,
        work: impl FnOnce(&Store, &mut [u64]) -> Result<bool>,
    ) -> Result<Cell> {
        let mut few = [0; FEW_LIMBS * 2];
        match few.get_mut(..len) {
            Some(limbs) => {
                let negative = work(&self.store, limbs)?;
                self.int_of_limbs(negative, limbs)
            }
            None => self.with_limbs_in_scratch(len, work),
        }
    }

    /// [`Heap::with_limbs`] that are many.
    #[cold]
    fn with_limbs_in_scratch(
        &mut self,
        len: usize,
        work: impl FnOnce(&Store, &mut [u64]) -> Result<bool>,
    ) -> Result<Cell> {
        self.with_scratch(|heap, scratch| {
            let limbs = zeroed(scratch.bump, len)?;
            let negative = work(&heap.store, limbs)?;
            scratch.charge(heap.store.account_mut());
            heap.int_of_limbs(negative, limbs)
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
        let len = u32::try_from(bits_min.div_ceil(64)).map_err(|_| Error::ObjectTooLarge)?;
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
            None => self.cmp_wide(a, b),
        }
    }

    /// [`Heap::cmp_int`] where one of the integers lies in an arena, or is none.
    #[inline(never)]
    fn cmp_wide(&self, a: Cell, b: Cell) -> Result<Ordering> {
        match (wide_operand(&self.store, a), wide_operand(&self.store, b)) {
            (Some(a), Some(b)) => Ok(a.cmp(&b)),
            _ => self.cmp_objects(a, b),
        }
    }

    /// [`Heap::cmp_int`] where one of the integers is beyond 128 bits, or is none.
    #[cold]
    fn cmp_objects(&self, a: Cell, b: Cell) -> Result<Ordering> {
        Ok(match (operand(&self.store, a)?, operand(&self.store, b)?) {
            (Operand::Small(a), Operand::Small(b)) => a.cmp(&b),
            (a, b) => a.with_integer(|a| b.with_integer(|b| a.cmp(&b))),
        })
    }
}
