//! [`F64Arr`].

super::array! {
    /// A growable array of `f64`. All 64 bits of each element are kept, NaN payloads
    /// included.
    ///
    /// ```
    /// use segheap::{F64Arr, Heap};
    /// let mut heap = Heap::new();
    /// let samples = heap.alloc(F64Arr::of(&[1.5, -2.0, f64::NAN]))?;
    /// assert_eq!(heap.get(samples)?.max(..)?, Some(1.5));
    /// assert_eq!(heap.get(samples)?.sum(..2)?, -0.5);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    F64Arr of f64
}
