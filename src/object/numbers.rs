//! Operations on whole ranges of numbers, where one check serves a loop.

use core::cmp::Ordering;
use core::ops::RangeBounds;

use super::view::{Sequence, View};
use crate::words::{Element, Error, Private, Result};

/// Elements that are numbers.
pub trait Number: Element + PartialOrd + Private {
    /// What sums of them are: wide enough for as many as an object can hold.
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

    /// Halves spill: fewer than 2^32 of either fit into 64 bits.
    fn sum(numbers: &[i64]) -> i128 {
        let (high, low) = numbers.iter().fold((0_i64, 0_u64), |(high, low), &number| {
            let half = number.cast_unsigned() & 0xFFFF_FFFF;
            (high.wrapping_add(number >> 32), low.wrapping_add(half))
        });
        (i128::from(high) << 32).wrapping_add(i128::from(low))
    }
    fn dot(a: &[i64], b: &[i64]) -> Option<i128> {
        let mut products =
            a.iter().zip(b).map(|(&a, &b)| i128::from(a).wrapping_mul(i128::from(b)));
        products.try_fold(0, i128::checked_add)
    }
}

/// Running sums of floats: so many that additions need not wait for each other.
const LANES: usize = 32;

// The compiler knows AVX-512 since 1.89.
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

#[allow(clippy::eq_op, reason = "what a NaN is")]
fn is_nan<T: Number>(number: T) -> bool {
    number != number
}

impl<'h, K: Sequence<Element: Number>> View<'h, K> {
    /// The sum of the elements in `range`: exact for integers; floats are added
    /// in 32 interleaved running sums, the same on every machine. O(n).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn sum(self, range: impl RangeBounds<usize>) -> Result<<K::Element as Number>::Sum> {
        self.slice(range).map(K::Element::sum)
    }

    /// The least element in `range`, `None` in an empty one; NaNs are passed
    /// over where there is a number. O(n).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn min(self, range: impl RangeBounds<usize>) -> Result<Option<K::Element>> {
        let numbers = self.slice(range)?.iter().copied();
        Ok(numbers.reduce(|a, b| if a <= b || is_nan(b) { a } else { b }))
    }

    /// The greatest element in `range`, as [`View::min`]. O(n).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn max(self, range: impl RangeBounds<usize>) -> Result<Option<K::Element>> {
        let numbers = self.slice(range)?.iter().copied();
        Ok(numbers.reduce(|a, b| if a >= b || is_nan(b) { a } else { b }))
    }

    /// The sum of the products of the elements in `range` with as many of
    /// `other`, from index `from` on; floats are added as in [`View::sum`]. O(n).
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; [`Error::Overflow`] beyond 128 bits.
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
    /// The order of the elements in `range` and those of `other` in its range:
    /// by the first that differ, then by length; `None` where that is a NaN.
    /// O(n).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
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
    /// Index in the object of the first element in `range` that is `wanted`
    /// (bits for cells, `==` for floats). O(n).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn find(self, range: impl RangeBounds<usize>, wanted: K::Element) -> Result<Option<usize>> {
        let range = crate::words::range(range, self.len())?;
        let found = K::Element::position(self.slice(range.clone())?, wanted);
        Ok(found.map(|index| range.start.saturating_add(index)))
    }
}
