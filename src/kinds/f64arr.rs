//! [`F64Arr`].

super::array! {
    /// A growable array of `f64`, every bit of each, NaN payloads included.
    F64Arr of f64
}
