//! [`Bignum`].

use core::fmt;

use crate::object::{Integer, SequenceInit, View};
use crate::words::KeyBy;

#[cfg(doc)]
use crate::Heap;

super::sequence! {
    /// An immutable integer of any size: a sign, and limbs of 64 bits, least
    /// significant first, the last one not zero. Its elements are the limbs.
    ///
    /// [`Heap::int`] allocates one only if an integer does not fit into a cell.
    /// [`Heap::add`] and the other operations on integers take and return either form.
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
    Bignum of u64, "" "", header_up_to(1), key(KeyBy::Integer)
}

impl Bignum {
    /// Describes an integer of a sign and limbs, least significant first, for
    /// [`Heap::alloc`]. Zeroes at the end are cut off, and zero is never negative.
    /// O(limbs).
    ///
    /// ```
    /// use segheap::{Bignum, Heap};
    /// let mut heap = Heap::new();
    /// let zero = heap.alloc(Bignum::of(true, &[0, 0]))?;
    /// assert!(heap.get(zero)?.limbs().is_empty() && !heap.get(zero)?.is_negative());
    /// # Ok::<(), segheap::Error>(())
    /// ```
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

    /// Returns whether the integer is below zero. O(1).
    pub fn is_negative(self) -> bool {
        self.integer().negative
    }

    /// Returns the limbs of the magnitude, least significant first; none for zero.
    /// O(1).
    pub fn limbs(self) -> &'h [u64] {
        self.as_slice()
    }

    /// Returns the value, or `None` if it does not fit into an `i64`. O(1).
    ///
    /// ```
    /// use segheap::{Bignum, Heap};
    /// let mut heap = Heap::new();
    /// let least = heap.alloc(Bignum::of(true, &[1 << 63]))?;
    /// let large = heap.alloc(Bignum::of(false, &[1 << 63]))?;
    /// assert_eq!(heap.get(least)?.to_i64(), Some(i64::MIN));
    /// assert_eq!(heap.get(large)?.to_i64(), None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn to_i64(self) -> Option<i64> {
        self.integer().to_i64()
    }

    /// Returns the value, or `None` if it does not fit into an `i128`. O(1).
    pub fn to_i128(self) -> Option<i128> {
        self.integer().to_i128()
    }
}

/// Decimal digits. O(n^2) in the number of limbs n; allocates from the global
/// allocator, outside of the heap's account.
impl fmt::Display for View<'_, Bignum> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.integer(), f)
    }
}
