//! [`Str`].

use core::ops::RangeBounds;

use bstr::{BStr, ByteSlice};

use crate::object::{SequenceInit, View};
use crate::words::utf8;
use crate::words::{
    Cell, CopyClass, Error, HasKind, KeyBy, Result, char_range, corrupt, object_len,
};

#[cfg(doc)]
use crate::Heap;

super::sequence! {
    /// Immutable text in valid UTF-8. Its elements are its bytes.
    ///
    /// Lengths and indices count bytes. [`View::text`] returns the text as a
    /// [`bstr::BStr`], with `find`, `chars`, comparison and the rest of `bstr`, without
    /// validation; [`View::to_str`] validates. [`Heap::string`] keeps up to 5 bytes in
    /// the cell instead of allocating a `Str`.
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
    /// Describes a text, for [`Heap::alloc`], which copies it.
    ///
    /// [`Heap::string`] is the function for values of a VM; this one allocates an
    /// object even for a text that fits into a cell.
    ///
    /// ```
    /// use segheap::{Heap, Str};
    /// let mut heap = Heap::new();
    /// let object = heap.alloc(Str::new("ab"))?;
    /// let value = heap.string("ab")?;
    /// assert_eq!(value.kind(), None);
    /// assert!(value != object.cell() && heap.key_eq(value, object.into())?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[allow(clippy::new_ret_no_self, reason = "what `Heap::alloc` takes")]
    pub const fn new(text: &str) -> SequenceInit<'_, Str> {
        SequenceInit::of(0, text.as_bytes())
    }

    /// Describes a text with these bytes, for [`Heap::alloc`], if they are UTF-8. O(n),
    /// by SIMD with the feature `simd` (simdutf8: J. Keiser and D. Lemire, "Validating
    /// UTF-8 in less than one instruction per byte").
    ///
    /// ```
    /// use segheap::{Error, Heap, Str};
    /// let mut heap = Heap::new();
    /// let text = heap.alloc(Str::from_utf8("año".as_bytes())?)?;
    /// assert_eq!(heap.get(text)?.text(), "año");
    /// let error = Str::from_utf8(b"ab\xFFc").err();
    /// assert_eq!(error, Some(Error::NotUtf8 { valid_up_to: 2 }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotUtf8`] with the length of the longest valid prefix;
    /// [`Error::ObjectTooLarge`] if that length exceeds 2^32 - 1.
    pub fn from_utf8(bytes: &[u8]) -> Result<SequenceInit<'_, Str>> {
        match utf8::to_str(bytes) {
            Some(text) => Ok(Str::new(text)),
            None => Err(Error::NotUtf8 { valid_up_to: object_len(utf8::valid_up_to(bytes))? }),
        }
    }
}

impl Cell {
    /// Returns whether the cell is a text, or the handle of one, live or freed; O(1).
    /// [`Heap::text`] reads either.
    ///
    /// ```
    /// use segheap::{Cell, Heap};
    /// let mut heap = Heap::new();
    /// let (short, long) = (heap.string("short")?, heap.string("longer")?);
    /// assert!(short.is_text() && long.is_text());
    /// assert!(!Cell::NULL.is_text());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline]
    pub fn is_text(self) -> bool {
        self.as_short_str().is_some() || self.kind() == Some(Str::KIND)
    }
}

impl<'h> View<'h, Str> {
    /// Returns the text as a byte string that is known to be UTF-8. O(1).
    #[inline]
    pub fn text(self) -> &'h BStr {
        self.as_slice().as_bstr()
    }

    /// Returns the text as `&str`. O(n): safe Rust makes a `str` of bytes by validation
    /// only, here by SIMD with the feature `simd`. [`View::text`] is O(1).
    ///
    /// ```
    /// use segheap::{Heap, Str};
    /// let mut heap = Heap::new();
    /// let text = heap.alloc(Str::new("größer"))?;
    /// assert_eq!(heap.get(text)?.to_str()?.to_uppercase(), "GRÖSSER");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn to_str(self) -> Result<&'h str> {
        utf8::to_str(self.as_slice()).ok_or_else(corrupt)
    }

    /// Returns the part of the text in `bounds`, which count bytes. O(1).
    ///
    /// ```
    /// use segheap::{Error, Heap, Str};
    /// let mut heap = Heap::new();
    /// let text = heap.alloc(Str::new("año"))?;
    /// assert_eq!(heap.get(text)?.substr(1..3)?, "ñ");
    /// assert_eq!(heap.get(text)?.substr(..2), Err(Error::NotACharBoundary { index: 2 }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the range leaves the text or its start is after its
    /// end; [`Error::NotACharBoundary`] if a bound lies inside a character.
    pub fn substr(self, bounds: impl RangeBounds<usize>) -> Result<&'h BStr> {
        let range = char_range(self.as_slice(), bounds)?;
        self.as_slice().get(range).map(ByteSlice::as_bstr).ok_or_else(corrupt)
    }
}
