//! [`U8Arr`].

super::array! {
    /// A growable array of `u8` that are numbers: it converts to and from all arrays of
    /// numbers, where [`Bytes`](crate::Bytes) are data and do not convert to floats.
    ///
    /// ```
    /// use segheap::{F64Arr, Heap, U8Arr};
    /// let mut heap = Heap::new();
    /// let levels = heap.alloc(U8Arr::of(&[0, 128, 255]))?;
    /// let floats = heap.convert_across::<F64Arr>(levels, ..)?;
    /// assert_eq!(heap.get(floats)?.as_slice(), [0.0, 128.0, 255.0]);
    /// assert_eq!(heap.get(levels)?.sum(..)?, 383);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    U8Arr of u8
}
