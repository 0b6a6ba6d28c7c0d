//! [`I64Arr`].

super::array! {
    /// A growable array of `i64`. All 64 bits of each element are kept, where a cell
    /// has room for 48.
    ///
    /// ```
    /// use segheap::{Heap, I64Arr};
    /// let mut heap = Heap::new();
    /// let array = heap.alloc(I64Arr::zeroed(3))?;
    /// heap.get_mut(array)?.set(2, i64::MIN)?;
    /// assert_eq!(heap.get(array)?.as_slice(), [0, 0, i64::MIN]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    I64Arr of i64
}
