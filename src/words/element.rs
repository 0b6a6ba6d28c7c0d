//! [`Element`]: the types that the words of an object can be read as.

use core::convert::identity;

use bstr::ByteSlice;
use bytemuck::Pod;

use super::cell::Cell;

/// The elements of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Elements {
    Bytes,
    Ints,
    Floats,
    Cells,
    /// Entries of a hash table (`object/table`), of this many cells each.
    Entries(u32),
}

/// A type that the words of an object can be read as.
#[doc(hidden)]
pub trait Element: Copy + PartialEq + 'static {
    /// The type that `bytemuck` casts the words to: for cells `u64`, for others
    /// the type itself.
    type Plain: Pod;
    /// Number of elements in a word.
    const PER_WORD: u32 = if size_of::<Self>() == 1 { 8 } else { 1 };
    /// How tracing, comparison and printing treat the elements.
    const ELEMENTS: Elements;
    /// Whether an element may refer to an object.
    const TRACED: bool = matches!(Self::ELEMENTS, Elements::Cells);
    /// The element that fills a zeroed object.
    const ZERO: Self;
    /// The index of the first element that equals `wanted`.
    fn position(elements: &[Self], wanted: Self) -> Option<usize> {
        elements.iter().position(|&element| element == wanted)
    }
    fn wrap(plain: &[Self::Plain]) -> &[Self];
    fn wrap_mut(plain: &mut [Self::Plain]) -> &mut [Self];
    /// Words as elements.
    #[inline(always)]
    fn slice(words: &[u64]) -> &[Self] {
        Self::wrap(bytemuck::cast_slice(words))
    }
    /// Words as elements.
    #[inline(always)]
    fn slice_mut(words: &mut [u64]) -> &mut [Self] {
        Self::wrap_mut(bytemuck::cast_slice_mut(words))
    }
    /// Bytes as elements; `None` if they are not aligned for them. An empty slice
    /// always is.
    #[inline]
    fn bytes(bytes: &[u8]) -> Option<&[Self]> {
        if bytes.is_empty() {
            return Some(&[]);
        }
        bytemuck::try_cast_slice(bytes).ok().map(Self::wrap)
    }
    /// As [`Element::bytes`].
    #[inline]
    fn bytes_mut(bytes: &mut [u8]) -> Option<&mut [Self]> {
        if bytes.is_empty() {
            return Some(&mut []);
        }
        bytemuck::try_cast_slice_mut(bytes).ok().map(Self::wrap_mut)
    }
}

/// Copies `from` to `to`, which is of the same length. The smallest copies are two
/// chunks that may overlap: faster than a call.
#[inline(always)]
pub(crate) fn copy<T: Element>(to: &mut [T], from: &[T]) {
    let small = match T::PER_WORD {
        1 => copy_chunks::<T, 2>(to, from),
        _ => copy_chunks::<T, 8>(to, from)
            .or_else(|| copy_chunks::<T, 16>(to, from))
            .or_else(|| copy_chunks::<T, 32>(to, from)),
    };
    debug_assert_eq!(to.len(), from.len());
    if small.is_none() && to.len() == from.len() {
        to.copy_from_slice(from);
    }
}

/// Copies 4 to 64 bytes to as many; `None`, without a copy, for any other number.
#[inline(always)]
pub(crate) fn copy_few(to: &mut [u8], from: &[u8]) -> Option<()> {
    let few = copy_chunks::<u8, 8>(to, from).or_else(|| copy_chunks::<u8, 16>(to, from));
    let few = few.or_else(|| copy_chunks::<u8, 32>(to, from));
    few.or_else(|| copy_chunks::<u8, 4>(to, from))
}

/// Whether 4 to 64 bytes are ASCII; false for any other number.
#[inline(always)]
pub(crate) fn is_ascii_few(bytes: &[u8]) -> bool {
    #[inline(always)]
    fn high<const N: usize>(bytes: &[u8]) -> Option<u8> {
        let ends = (bytes.first_chunk::<N>()?, bytes.last_chunk::<N>()?);
        Some(ends.0.iter().zip(ends.1).fold(0, |bits, (a, b)| bits | a | b))
    }
    let bits = match bytes.len() {
        8..=16 => high::<8>(bytes),
        17..=32 => high::<16>(bytes),
        33..=64 => high::<32>(bytes),
        4..=7 => high::<4>(bytes),
        _ => None,
    };
    bits.is_some_and(|bits| bits < 0x80)
}

/// Copies `N` to `2 * N` elements; `None` for any other number.
#[inline(always)]
fn copy_chunks<T: Copy, const N: usize>(to: &mut [T], from: &[T]) -> Option<()> {
    let fits = from.len() <= 2_usize.saturating_mul(N) && to.len() == from.len();
    let (first, last) = (from.first_chunk::<N>().filter(|_| fits)?, from.last_chunk::<N>()?);
    *to.first_chunk_mut()? = *first;
    *to.last_chunk_mut()? = *last;
    Some(())
}

macro_rules! elements {
    ($($type:ty as $plain:ty, $elements:ident, $zero:expr, $wrap:path, $wrap_mut:path
        $(, $position:expr)?;)*) => {$(
        impl Element for $type {
            type Plain = $plain;
            const ELEMENTS: Elements = Elements::$elements;
            const ZERO: Self = $zero;
            #[inline(always)]
            fn wrap(plain: &[$plain]) -> &[Self] {
                $wrap(plain)
            }
            #[inline(always)]
            fn wrap_mut(plain: &mut [$plain]) -> &mut [Self] {
                $wrap_mut(plain)
            }
            $(fn position(elements: &[Self], wanted: Self) -> Option<usize> {
                $position(elements, wanted)
            })?
        }
    )*};
}
elements! {
    u8 as u8, Bytes, 0, identity, identity, |bytes: &[u8], byte| bytes.find_byte(byte);
    u64 as u64, Ints, 0, identity, identity;
    i64 as i64, Ints, 0, identity, identity;
    f64 as f64, Floats, 0.0, identity, identity;
    Cell as u64, Cells, Cell::NULL, Cell::slice, Cell::slice_mut;
}
