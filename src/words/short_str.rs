//! [`ShortStr`]: text that a cell holds itself.

use core::fmt;

use super::cell::SHORT_LEN_SHIFT;

/// Text of up to 5 bytes of UTF-8, held in a [`Cell`](crate::Cell) itself.
///
/// ```
/// use segheap::Cell;
/// let text = Cell::short_str("grün").unwrap().as_short_str().unwrap();
/// assert_eq!((text.as_str(), text.len()), ("grün", 5));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShortStr(pub(super) u64);

impl ShortStr {
    /// Returns the length in bytes, 0..=5.
    #[inline]
    pub const fn len(self) -> usize {
        ((self.0 >> SHORT_LEN_SHIFT) & 7) as usize
    }

    /// Returns whether the text is empty.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Returns the text, which borrows from this value.
    #[inline]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Returns the bytes of the text, which borrow from this value.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        bytemuck::bytes_of(&self.0).get(..self.len()).unwrap_or_default()
    }
}

impl fmt::Debug for ShortStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
