//! [`Str`].

use core::ops::RangeBounds;

use bstr::{BStr, ByteSlice};

use crate::object::{SequenceInit, View};
use crate::words::utf8;
use crate::words::{CopyClass, Error, KeyBy, Result, char_range, corrupt, object_len};

super::sequence! {
    /// Text: valid UTF-8, never changed in place. Its elements are its bytes.
    ///
    /// Lengths and indices count bytes. [`View::text`] gives the bytes as
    /// [`bstr::BStr`], with `find`, `chars`, comparison and the rest of `bstr`,
    /// none of which validates again; [`View::to_str`] validates.
    ///
    /// ```
    /// use segheap::{Error, Heap, Str, bstr::ByteSlice};
    /// let mut heap = Heap::new();
    /// let text = heap.alloc(Str::new("größer"))?;
    /// assert_eq!(heap.get(text)?.text().find("öß"), Some(2));
    /// assert_eq!(heap.get(text)?.substr(2..6)?, "öß");
    /// assert_eq!(heap.get(text)?.substr(3..), Err(Error::NotACharBoundary { index: 3 }));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    Str of u8, "\"" "\"", key(KeyBy::Text), copied_as(CopyClass::Text)
}

impl Str {
    /// With this text.
    #[allow(clippy::new_ret_no_self, reason = "an object yet to be made")]
    pub const fn new(text: &str) -> SequenceInit<'_, Str> {
        SequenceInit::of(0, text.as_bytes())
    }

    /// With these bytes. O(n), by SIMD.
    ///
    /// # Errors
    /// [`Error::NotUtf8`] with the length of the valid beginning.
    pub fn from_utf8(bytes: &[u8]) -> Result<SequenceInit<'_, Str>> {
        match utf8::to_str(bytes) {
            Some(text) => Ok(Str::new(text)),
            None => Err(Error::NotUtf8 { valid_up_to: object_len(utf8::valid_up_to(bytes))? }),
        }
    }
}

impl<'h> View<'h, Str> {
    /// The text as bytes that are known to be UTF-8. O(1).
    #[inline]
    pub fn text(self) -> &'h BStr {
        self.as_slice().as_bstr()
    }

    /// The text as `&str`. O(n): it is validated, by SIMD, since nothing but
    /// validation makes a `str` of bytes in safe Rust.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn to_str(self) -> Result<&'h str> {
        utf8::to_str(self.as_slice()).ok_or_else(corrupt)
    }

    /// The text in `range`, which counts bytes. O(1).
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; [`Error::NotACharBoundary`] for a start or an end
    /// inside a character.
    pub fn substr(self, bounds: impl RangeBounds<usize>) -> Result<&'h BStr> {
        let range = char_range(self.as_slice(), bounds)?;
        self.as_slice().get(range).map(ByteSlice::as_bstr).ok_or_else(corrupt)
    }
}
