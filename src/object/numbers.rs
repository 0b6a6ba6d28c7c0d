//! Operations on ranges of elements, checked once for a whole loop: sums, extremes,
//! order, search.

use core::cmp::Ordering;
use core::ops::RangeBounds;

use super::view::{Sequence, View};
use crate::words::{Element, Error, Private, Result};

/// An element that is a number: `u8`, `i64` or `f64`.
pub trait Number: Element + PartialOrd + Private {
    /// The type of sums: `u64` of `u8`, `i128` of `i64`, `f64` of `f64`. No sum of the
    /// integers of one object overflows it.
    type Sum;
    #[doc(hidden)]
    fn sum(numbers: &[Self]) -> Self::Sum;
    #[doc(hidden)]
    fn dot(a: &[Self], b: &[Self]) -> Option<Self::Sum>;
}

impl Private for u8 {}
impl Private for i64 {}
impl Private for f64 {}

impl Number for u8 {
    type Sum = u64;

    fn sum(numbers: &[u8]) -> u64 {
        numbers.iter().fold(0, |sum, &number| sum.wrapping_add(u64::from(number)))
    }
    fn dot(a: &[u8], b: &[u8]) -> Option<u64> {
        let products = a.iter().zip(b).map(|(&a, &b)| u64::from(a).wrapping_mul(u64::from(b)));
        Some(products.fold(0, u64::wrapping_add))
    }
}

impl Number for i64 {
    type Sum = i128;

    /// Sums the halves apart: the sum of fewer than 2^32 of either fits into 64 bits.
    fn sum(numbers: &[i64]) -> i128 {
        let (high, low) = numbers.iter().fold((0_i64, 0_u64), |(high, low), &number| {
            let half = number.cast_unsigned() & 0xFFFF_FFFF;
            (high.wrapping_add(number >> 32), low.wrapping_add(half))
        });
        (i128::from(high) << 32).wrapping_add(i128::from(low))
    }
    fn dot(a: &[i64], b: &[i64]) -> Option<i128> {
        let products = a.iter().zip(b).map(|(&a, &b)| i128::from(a).wrapping_mul(i128::from(b)));
        // Only the whole sum has to fit: counts how often it has left the range upwards.
        let (sum, left) = products.fold((0_i128, 0_i64), |(sum, left), product| {
            let (sum, overflows) = sum.overflowing_add(product);
            let direction = if product < 0 { -1 } else { 1 };
            (sum, left.wrapping_add(if overflows { direction } else { 0 }))
        });
        (left == 0).then_some(sum)
    }
}

/// Running sums of floats: enough for additions not to wait for each other.
const LANES: usize = 32;

/// The sum of `term` over pairs of `a` and `b`, in [`LANES`] running sums.
// Rust supports AVX-512 since 1.89.
#[cfg_attr(
    feature = "simd",
    rustversion::attr(before(1.89), multiversion::multiversion(targets("x86_64+avx2")))
)]
#[cfg_attr(
    feature = "simd",
    rustversion::attr(
        since(1.89),
        multiversion::multiversion(targets("x86_64+avx512f+avx512vl+avx2", "x86_64+avx2"))
    )
)]
fn lanes<F: Fn(f64, f64) -> f64>(a: &[f64], b: &[f64], term: F) -> f64 {
    let mut sums = [0.0; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(*a, *b);
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += term(*a, *b);
    }
    sums.iter().sum()
}

impl Number for f64 {
    type Sum = f64;

    fn sum(numbers: &[f64]) -> f64 {
        lanes(numbers, numbers, |a, _| a)
    }
    fn dot(a: &[f64], b: &[f64]) -> Option<f64> {
        Some(lanes(a, b, |a, b| a * b))
    }
}

#[allow(clippy::eq_op, reason = "only a NaN differs from itself")]
fn is_nan<T: Number>(number: T) -> bool {
    number != number
}

impl<'h, K: Sequence<Element: Number>> View<'h, K> {
    /// Returns the sum of the elements in `range`. Sums of integers are exact. Floats
    /// are added in 32 interleaved running sums, with the same result on every
    /// machine. O(length of `range`).
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::of(&[i64::MAX, i64::MAX, 1]))?;
    /// assert_eq!(heap.get(array)?.sum(..2)?, (1 << 64) - 2); // an `i128`
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range` ends beyond the length or before it starts.
    pub fn sum(self, range: impl RangeBounds<usize>) -> Result<<K::Element as Number>::Sum> {
        self.slice(range).map(K::Element::sum)
    }

    /// Returns the least element in `range`, or `None` if it is empty. A NaN is
    /// returned only if there is nothing else. O(length of `range`).
    ///
    /// ```
    /// use segheap::{F64Arr, Heap};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(F64Arr::of(&[f64::NAN, 2.0, 1.0]))?;
    /// assert_eq!(heap.get(array)?.min(..)?, Some(1.0));
    /// assert_eq!(heap.get(array)?.min(3..)?, None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range` ends beyond the length or before it starts.
    pub fn min(self, range: impl RangeBounds<usize>) -> Result<Option<K::Element>> {
        let numbers = self.slice(range)?.iter().copied();
        Ok(numbers.reduce(|a, b| if a <= b || is_nan(b) { a } else { b }))
    }

    /// Returns the greatest element in `range`, or `None` if it is empty. A NaN is
    /// returned only if there is nothing else. O(length of `range`).
    ///
    /// ```
    /// use segheap::{Heap, U8Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(U8Arr::of(&[3, 9, 200]))?;
    /// assert_eq!(heap.get(array)?.max(..2)?, Some(9));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range` ends beyond the length or before it starts.
    pub fn max(self, range: impl RangeBounds<usize>) -> Result<Option<K::Element>> {
        let numbers = self.slice(range)?.iter().copied();
        Ok(numbers.reduce(|a, b| if a >= b || is_nan(b) { a } else { b }))
    }

    /// Returns the dot product of the elements in `range` and as many of `other` from
    /// index `from` on. Floats are added as in [`View::sum`]. O(length of `range`).
    ///
    /// ```
    /// use segheap::{F64Arr, Heap};
    /// let mut heap = Heap::new();
    /// let a = heap.alloc(F64Arr::of(&[1.0, 2.0, 3.0]))?;
    /// let b = heap.alloc(F64Arr::of(&[10.0, 100.0]))?;
    /// assert_eq!(heap.get(a)?.dot(1.., heap.get(b)?, 0)?, 320.0);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range`, or as many elements of `other` from `from`
    /// on, are not all within the length; [`Error::Overflow`] if the sum of products
    /// of `i64` does not fit into an `i128`.
    pub fn dot(
        self,
        range: impl RangeBounds<usize>,
        other: View<'_, K>,
        from: usize,
    ) -> Result<<K::Element as Number>::Sum> {
        let a = self.slice(range)?;
        let b = other.slice(from..from.saturating_add(a.len()))?;
        K::Element::dot(a, b).ok_or(Error::Overflow)
    }
}

impl<'h, K: Sequence<Element: PartialOrd>> View<'h, K> {
    /// Returns the lexicographic order of the elements in `range` and those of
    /// `other` in `other_range`, or `None` if a NaN is compared before the order is
    /// known. O(length of the shorter range).
    ///
    /// ```
    /// use core::cmp::Ordering;
    /// use segheap::{Bytes, Heap};
    /// let mut heap = Heap::new();
    /// let a = heap.alloc(Bytes::of(b"abc"))?;
    /// let b = heap.alloc(Bytes::of(b"xab"))?;
    /// assert_eq!(heap.get(a)?.compare(..2, heap.get(b)?, 1..)?, Some(Ordering::Equal));
    /// assert_eq!(heap.get(a)?.compare(.., heap.get(b)?, 1..)?, Some(Ordering::Greater));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a range ends beyond its object's length or before it
    /// starts.
    pub fn compare(
        self,
        range: impl RangeBounds<usize>,
        other: View<'_, K>,
        other_range: impl RangeBounds<usize>,
    ) -> Result<Option<Ordering>, Error> {
        Ok(self.slice(range)?.partial_cmp(other.slice(other_range)?))
    }
}

impl<'h, K: Sequence> View<'h, K> {
    /// Returns the index, in the object, of the first element in `range` that equals
    /// `wanted`, or `None` if there is none. Cells are compared by bits: texts of
    /// equal content in different objects differ, and NaN equals itself. In arrays of
    /// floats it equals nothing. O(length of `range`).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[7.into(), 8.into(), 7.into()]))?;
    /// assert_eq!(heap.get(list)?.find(1.., 7.into())?, Some(2));
    /// assert_eq!(heap.get(list)?.find(.., 7.0.into())?, None); // 7.0 is not 7
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range` ends beyond the length or before it starts.
    pub fn find(self, range: impl RangeBounds<usize>, wanted: K::Element) -> Result<Option<usize>> {
        let range = crate::words::range(range, self.len())?;
        let found = K::Element::position(self.slice(range.clone())?, wanted);
        Ok(found.map(|index| range.start.saturating_add(index)))
    }
}
