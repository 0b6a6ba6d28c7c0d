//! [`Bytes`].

super::array! {
    /// A growable array of bytes: raw input, buffers, text under construction.
    /// [`U8Arr`](crate::U8Arr) is its counterpart for numbers.
    ///
    /// ```
    /// use segheap::{Bytes, Heap};
    /// let mut heap = Heap::new();
    /// let bytes = heap.alloc(Bytes::of(b"ab"))?;
    /// heap.get_mut(bytes)?.extend(b"cd")?;
    /// assert_eq!(heap.get(bytes)?.slice(1..3)?, b"bc");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    Bytes of u8, Data
}
