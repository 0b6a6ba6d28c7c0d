//! [`Element`]: what payload words can be read as.

use super::cell::Cell;

/// A type that payload words can be read as.
#[doc(hidden)]
pub trait Element: Copy + PartialEq + 'static {
    /// Elements in a word.
    const PER_WORD: u32;
    /// The element a fresh object is filled with.
    const ZERO: Self;
    /// The words as elements.
    fn slice(words: &[u64]) -> &[Self];
    /// The words as elements.
    fn slice_mut(words: &mut [u64]) -> &mut [Self];
    /// The bytes as elements; `None` where they are not aligned.
    fn bytes(bytes: &[u8]) -> Option<&[Self]>;
    /// The bytes as elements; `None` where they are not aligned.
    fn bytes_mut(bytes: &mut [u8]) -> Option<&mut [Self]>;
}

macro_rules! plain_element {
    ($($type:ty: $per_word:literal, $zero:literal;)*) => {$(
        impl Element for $type {
            const PER_WORD: u32 = $per_word;
            const ZERO: Self = $zero;
            #[inline(always)]
            fn slice(words: &[u64]) -> &[Self] {
                bytemuck::cast_slice(words)
            }
            #[inline(always)]
            fn slice_mut(words: &mut [u64]) -> &mut [Self] {
                bytemuck::cast_slice_mut(words)
            }
            #[inline]
            fn bytes(bytes: &[u8]) -> Option<&[Self]> {
                // An empty slice may lie anywhere.
                if bytes.is_empty() {
                    return Some(&[]);
                }
                bytemuck::try_cast_slice(bytes).ok()
            }
            #[inline]
            fn bytes_mut(bytes: &mut [u8]) -> Option<&mut [Self]> {
                if bytes.is_empty() {
                    return Some(&mut []);
                }
                bytemuck::try_cast_slice_mut(bytes).ok()
            }
        }
    )*};
}
plain_element!(u8: 8, 0; u64: 1, 0; i64: 1, 0; f64: 1, 0.0;);

impl Element for Cell {
    const PER_WORD: u32 = 1;
    const ZERO: Cell = Cell::NULL;
    #[inline(always)]
    fn slice(words: &[u64]) -> &[Cell] {
        Cell::slice(words)
    }
    #[inline(always)]
    fn slice_mut(words: &mut [u64]) -> &mut [Cell] {
        Cell::slice_mut(words)
    }
    #[inline]
    fn bytes(bytes: &[u8]) -> Option<&[Cell]> {
        u64::bytes(bytes).map(Cell::slice)
    }
    #[inline]
    fn bytes_mut(bytes: &mut [u8]) -> Option<&mut [Cell]> {
        u64::bytes_mut(bytes).map(Cell::slice_mut)
    }
}
