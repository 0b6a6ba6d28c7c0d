//! [`Memory`]: a linear memory that behaves as a Wasm 3.0 memory does.
//!
//! Every arena keeps its payload in one. Addresses are byte addresses; each
//! range is checked against its own memory before the first byte moves, and
//! sums are taken without wrapping. Storage is one `Vec<u64>` seen through
//! `bytemuck`; capacity is reserved by doubling while pages come to life one
//! 64 KiB fill at a time, so that no allocation pays for a fill of its own.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::Account;
use crate::words::{Error, Limits, PAGE_BYTES, Result, to_u64};

/// Words of 8 bytes in a page.
const PAGE_WORDS: u64 = PAGE_BYTES / 8;

/// The width of a memory's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexType {
    /// memory32: at most 2^16 pages.
    I32,
    /// memory64: at most 2^48 pages.
    I64,
}

impl IndexType {
    /// The most pages that a memory of this type may have.
    pub const fn pages_max(self) -> u64 {
        match self {
            IndexType::I32 => 1 << 16,
            IndexType::I64 => 1 << 48,
        }
    }
}

/// The type of a memory: index type, and limits in pages of 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MemoryType {
    /// The width of addresses.
    pub index: IndexType,
    /// Pages a new memory has.
    pub min: u64,
    /// Pages it may grow to; `None`: as many as the index type allows.
    pub max: Option<u64>,
}

impl MemoryType {
    /// A type with an index type, and limits in pages of 64 KiB: how many a new
    /// memory has, and how many it may grow to (`None`: as many as the index
    /// type allows). [`Memory::new`] checks that they agree.
    pub const fn new(index: IndexType, min: u64, max: Option<u64>) -> MemoryType {
        MemoryType { index, min, max }
    }
}

/// An access outside a memory: Wasm's `out of bounds memory access`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutOfBounds;

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of bounds memory access")
    }
}

impl core::error::Error for OutOfBounds {}

/// What an access answers.
type Checked<T> = core::result::Result<T, OutOfBounds>;

/// A byte-addressed linear memory with the semantics of Wasm 3.0.
///
/// Zeroed, sized in 64 KiB pages, little-endian, never shrinking.
///
/// ```
/// use segheap::memory::{IndexType, Memory, MemoryType};
/// let ty = MemoryType::new(IndexType::I32, 1, Some(2));
/// let mut memory = Memory::new(ty).unwrap();
/// memory.store_u32(65_532, 0, 0xCAFE).unwrap();
/// assert_eq!(memory.load_u16(65_530, 2), Ok(0xCAFE));
/// assert!(memory.load_u32(65_533, 0).is_err());
/// assert_eq!((memory.grow(1), memory.grow(1)), (Some(1), None));
/// assert_eq!(memory.size(), 2);
/// ```
pub struct Memory {
    words: Vec<u64>,
    /// The declared minimum, and `WIDE` for memory64.
    min: u64,
    /// No number of pages stands for none.
    max: u64,
}

/// Beyond every number of pages; packed, as a heap holds thirteen memories.
const WIDE: u64 = 1 << 63;

impl Memory {
    /// A memory of `ty.min` zeroed pages, or `None` where the limits contradict
    /// each other or the host has no room.
    pub fn new(ty: MemoryType) -> Option<Memory> {
        let max = ty.max.unwrap_or(ty.index.pages_max());
        if ty.min > max || max > ty.index.pages_max() {
            return None;
        }
        let mut memory = Memory::empty(ty);
        memory.grow(ty.min)?;
        Some(memory)
    }

    /// A memory of no pages, which allocates nothing.
    pub(crate) const fn empty(ty: MemoryType) -> Memory {
        let max = if let Some(max) = ty.max { max } else { u64::MAX };
        let wide = if matches!(ty.index, IndexType::I64) { WIDE } else { 0 };
        Memory { words: Vec::new(), min: ty.min | wide, max }
    }

    /// The type: the minimum as declared, not as grown.
    pub const fn ty(&self) -> MemoryType {
        let max = if self.max == u64::MAX { None } else { Some(self.max) };
        MemoryType { index: self.index(), min: self.min & !WIDE, max }
    }

    const fn index(&self) -> IndexType {
        if self.min & WIDE == 0 { IndexType::I32 } else { IndexType::I64 }
    }

    /// `memory.size`: live pages.
    pub fn size(&self) -> u64 {
        to_u64(self.words.len()) / PAGE_WORDS
    }

    /// `memory.grow`: `delta` zeroed pages more, and the old size; `None`
    /// (Wasm's -1), changing nothing, beyond the maximum or where the host has
    /// no room. Amortised O(bytes added).
    pub fn grow(&mut self, delta: u64) -> Option<u64> {
        self.grow_within(&mut Account::new(Limits::NONE), delta).ok()
    }

    /// [`Memory::grow`] that asks a account.
    pub(crate) fn grow_within(&mut self, account: &mut Account, delta: u64) -> Result<u64> {
        let old = self.size();
        let max = self.max.min(self.index().pages_max());
        let pages = old.checked_add(delta).filter(|&pages| pages <= max);
        let words = pages.and_then(|pages| pages.checked_mul(PAGE_WORDS));
        let words =
            words.and_then(|words| usize::try_from(words).ok()).ok_or(Error::OutOfMemory)?;
        account.reserve(&mut self.words, words)?;
        self.words.resize(words, 0);
        Ok(old)
    }

    /// Pages and capacity.
    pub(crate) fn extent(&self) -> (u64, usize) {
        (self.size(), self.words.capacity())
    }

    /// Goes back to a smaller extent; outside Wasm, for arenas.
    pub(crate) fn give_back(&mut self, account: &mut Account, (pages, capacity): (u64, usize)) {
        let words = usize::try_from(pages.saturating_mul(PAGE_WORDS)).unwrap_or(usize::MAX);
        self.words.truncate(words);
        account.shrink(&mut self.words, capacity);
    }

    /// Bytes asked of the global allocator.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        to_u64(self.words.capacity()).saturating_mul(8)
    }

    #[inline(always)]
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    #[inline(always)]
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// All bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.words)
    }

    fn load<const N: usize>(&self, address: u64, offset: u64) -> Checked<[u8; N]> {
        let start = address.checked_add(offset).ok_or(OutOfBounds)?;
        let range = range_in(self.bytes(), start, to_u64(N))?;
        self.bytes().get(range).and_then(|bytes| bytes.try_into().ok()).ok_or(OutOfBounds)
    }

    fn store<const N: usize>(&mut self, address: u64, offset: u64, value: [u8; N]) -> Checked<()> {
        let start = address.checked_add(offset).ok_or(OutOfBounds)?;
        self.init(start, &value, 0, to_u64(N))
    }

    /// `memory.fill`: `len` bytes at `address` become `value`.
    ///
    /// # Errors
    /// [`OutOfBounds`], and nothing is written.
    pub fn fill(&mut self, address: u64, value: u8, len: u64) -> Checked<()> {
        let range = range_in(self.bytes(), address, len)?;
        self.bytes_mut().get_mut(range).ok_or(OutOfBounds)?.fill(value);
        Ok(())
    }

    /// `memory.init`: `len` bytes of `segment` from `source` on go to `address`.
    /// A deferred segment is an empty slice.
    ///
    /// # Errors
    /// [`OutOfBounds`] for either range, and nothing is written.
    #[inline]
    pub fn init(&mut self, address: u64, segment: &[u8], source: u64, len: u64) -> Checked<()> {
        let to = range_in(self.bytes(), address, len)?;
        let from = segment.get(range_in(segment, source, len)?).ok_or(OutOfBounds)?;
        self.bytes_mut().get_mut(to).ok_or(OutOfBounds)?.copy_from_slice(from);
        Ok(())
    }

    /// `memory.copy` inside this memory; overlap behaves as if through a
    /// temporary.
    ///
    /// # Errors
    /// [`OutOfBounds`] for either range, and nothing is written.
    pub fn copy(&mut self, address: u64, source: u64, len: u64) -> Checked<()> {
        let to = range_in(self.bytes(), address, len)?;
        let from = range_in(self.bytes(), source, len)?;
        self.bytes_mut().copy_within(from, to.start);
        Ok(())
    }

    /// `memory.copy` from another memory into this one.
    ///
    /// # Errors
    /// [`OutOfBounds`] for either range, each against its own memory, and
    /// nothing is written.
    pub fn copy_from(
        &mut self,
        address: u64,
        other: &Memory,
        source: u64,
        len: u64,
    ) -> Checked<()> {
        self.init(address, other.bytes(), source, len)
    }
}

/// `len` bytes at `address`, as a range proved to lie inside.
#[inline]
fn range_in(bytes: &[u8], address: u64, len: u64) -> Checked<Range<usize>> {
    let size = to_u64(bytes.len());
    let end = address.checked_add(len).filter(|&end| end <= size).ok_or(OutOfBounds)?;
    let index = |address: u64| usize::try_from(address).map_err(|_| OutOfBounds);
    Ok(index(address)?..index(end)?)
}

macro_rules! accesses {
    ($($int:ty, $bytes:literal, $load:ident, $store:ident;)*) => {
        /// Loads and stores, little-endian, at `address + offset`; the sum never
        /// wraps.
        impl Memory {$(
            #[doc = concat!("Loads ", $bytes, " at `address + offset`.")]
            ///
            /// # Errors
            /// [`OutOfBounds`].
            #[inline]
            pub fn $load(&self, address: u64, offset: u64) -> Checked<$int> {
                self.load(address, offset).map(<$int>::from_le_bytes)
            }

            #[doc = concat!("Stores ", $bytes, " at `address + offset`.")]
            ///
            /// # Errors
            /// [`OutOfBounds`], and nothing is written.
            #[inline]
            pub fn $store(&mut self, address: u64, offset: u64, value: $int) -> Checked<()> {
                self.store(address, offset, value.to_le_bytes())
            }
        )*}
    };
}
accesses! {
    u8, "1 byte", load_u8, store_u8;
    u16, "2 bytes", load_u16, store_u16;
    u32, "4 bytes", load_u32, store_u32;
    u64, "8 bytes", load_u64, store_u64;
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("pages", &self.size()).field("ty", &self.ty()).finish()
    }
}
