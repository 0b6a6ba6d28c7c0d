//! [`Bignum`].

use core::fmt;

use crate::object::{Integer, SequenceInit, View};
use crate::words::KeyBy;

super::sequence! {
    /// An integer of any size, never changed in place: a sign, and limbs of 64 bits,
    /// least significant first, the last one not zero. Its elements are the limbs.
    ///
    /// [`Heap::int`](crate::Heap::int) makes one only where an integer does not fit
    /// into a cell; arithmetic on integers of either form is with the heap, too.
    ///
    /// ```
    /// use segheap::{Bignum, Heap};
    /// let mut heap = Heap::new();
    /// let big = heap.alloc(Bignum::of(true, &[0, 1, 0]))?;
    /// assert_eq!(heap.get(big)?.to_i128(), Some(-(1 << 64)));
    /// assert_eq!(heap.get(big)?.limbs(), [0, 1]);
    /// assert_eq!(heap.get(big)?.to_string(), "-18446744073709551616");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    Bignum of u64, "" "", header(1), key(KeyBy::Integer)
}

impl Bignum {
    /// Of a sign and limbs, least significant first; zeroes at the end are cut
    /// off, and zero has no sign.
    pub fn of(negative: bool, limbs: &[u64]) -> SequenceInit<'_, Bignum> {
        let len =
            limbs.iter().rposition(|&limb| limb != 0).map_or(0, |last| last.saturating_add(1));
        SequenceInit::of(u64::from(negative && len > 0), limbs.get(..len).unwrap_or_default())
    }
}

impl<'h> View<'h, Bignum> {
    fn integer(self) -> Integer<'h> {
        Integer::of(self.words)
    }

    /// Whether the integer is below zero.
    pub fn is_negative(self) -> bool {
        self.integer().negative
    }

    /// The limbs, least significant first; none for zero.
    pub fn limbs(self) -> &'h [u64] {
        self.as_slice()
    }

    /// The value, if it fits.
    pub fn to_i64(self) -> Option<i64> {
        self.integer().to_i64()
    }

    /// The value, if it fits.
    pub fn to_i128(self) -> Option<i128> {
        self.integer().to_i128()
    }
}

/// Decimal. O(n^2) in the number of limbs, and allocates.
impl fmt::Display for View<'_, Bignum> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.integer(), f)
    }
}
