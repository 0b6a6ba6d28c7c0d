//! [`U8Arr`].

super::array! {
    /// A growable array of `u8`, for numbers where [`Bytes`](crate::Bytes) is
    /// for data.
    U8Arr of u8
}
