//! [`Memory`]: a linear memory with the semantics of Wasm 3.0. Each arena keeps its
//! payload in one; a VM may use others as Wasm memories.
//!
//! Addresses count bytes. An access checks its ranges against their own memories
//! before it writes the first byte, and sums of addresses never wrap.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::Account;
use crate::words::{Error, Limits, PAGE_BYTES, Result, to_u64};

/// Words of 8 bytes in a page.
const PAGE_WORDS: u64 = PAGE_BYTES / 8;

/// The width of a memory's addresses, which bounds its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexType {
    /// memory32: at most 2^16 pages.
    I32,
    /// memory64: at most 2^48 pages.
    I64,
}

impl IndexType {
    /// Returns the most pages that a memory of this type may have.
    pub const fn pages_max(self) -> u64 {
        match self {
            IndexType::I32 => 1 << 16,
            IndexType::I64 => 1 << 48,
        }
    }
}

/// The type of a memory: the width of its addresses, and limits in pages of 64 KiB.
///
/// ```
/// use segheap::memory::{IndexType, MemoryType};
/// let ty = MemoryType::new(IndexType::I32, 1, None);
/// assert_eq!((ty.min, ty.max), (1, None));
/// assert_eq!(ty.index.pages_max(), 65_536);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MemoryType {
    /// The width of addresses.
    pub index: IndexType,
    /// The pages of a new memory.
    pub min: u64,
    /// The pages that it may grow to; `None` for as many as the index type allows.
    pub max: Option<u64>,
}

impl MemoryType {
    /// Returns a type with these fields. [`Memory::new`] checks that they agree.
    pub const fn new(index: IndexType, min: u64, max: Option<u64>) -> MemoryType {
        MemoryType { index, min, max }
    }
}

/// The error of an access outside of a memory: the trap `out of bounds memory
/// access` of Wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutOfBounds;

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of bounds memory access")
    }
}

impl core::error::Error for OutOfBounds {}

/// The result of an access.
type Checked<T> = core::result::Result<T, OutOfBounds>;

/// A linear memory with the semantics of Wasm 3.0: byte-addressed, little-endian,
/// zeroed, sized in pages of 64 KiB, never shrinking.
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
    /// Capacity doubles, while the length grows page by page: the cost of zeroing
    /// is spread over growths.
    words: Vec<u64>,
    /// The declared minimum, with the bit [`WIDE`] for memory64.
    min: u64,
    /// The declared maximum; `u64::MAX` for none.
    max: u64,
}

/// A bit that no number of pages has. It shares a word with the minimum, as each
/// heap has a memory for every kind.
const WIDE: u64 = 1 << 63;

impl Memory {
    /// Creates a memory of `ty.min` zeroed pages. Returns `None` if the minimum
    /// exceeds the maximum, if either exceeds what the index type allows, or if the
    /// global allocator fails. O(bytes).
    ///
    /// ```
    /// use segheap::memory::{IndexType, Memory, MemoryType};
    /// let memory = Memory::new(MemoryType::new(IndexType::I32, 2, Some(4))).unwrap();
    /// assert_eq!((memory.size(), memory.bytes().len()), (2, 131_072));
    /// assert!(Memory::new(MemoryType::new(IndexType::I32, 2, Some(1))).is_none());
    /// ```
    pub fn new(ty: MemoryType) -> Option<Memory> {
        let max = ty.max.unwrap_or(ty.index.pages_max());
        if ty.min > max || max > ty.index.pages_max() {
            return None;
        }
        let mut memory = Memory::empty(ty);
        memory.grow(ty.min)?;
        Some(memory)
    }

    /// Creates a memory of no pages. Allocates nothing.
    pub(crate) const fn empty(ty: MemoryType) -> Memory {
        let max = if let Some(max) = ty.max { max } else { u64::MAX };
        let wide = if matches!(ty.index, IndexType::I64) { WIDE } else { 0 };
        Memory { words: Vec::new(), min: ty.min | wide, max }
    }

    /// Returns the type: the minimum as declared, not the size that was grown to.
    pub const fn ty(&self) -> MemoryType {
        let max = if self.max == u64::MAX { None } else { Some(self.max) };
        MemoryType { index: self.index(), min: self.min & !WIDE, max }
    }

    const fn index(&self) -> IndexType {
        if self.min & WIDE == 0 { IndexType::I32 } else { IndexType::I64 }
    }

    /// Returns the size in pages: `memory.size`.
    pub fn size(&self) -> u64 {
        to_u64(self.words.len()) / PAGE_WORDS
    }

    /// Adds `delta` zeroed pages: `memory.grow`. Returns the old size in pages, or
    /// `None` (-1 in Wasm) and changes nothing if the maximum would be exceeded or
    /// the global allocator fails. Amortised O(bytes added).
    ///
    /// ```
    /// use segheap::memory::{IndexType, Memory, MemoryType};
    /// let mut memory = Memory::new(MemoryType::new(IndexType::I32, 1, Some(3))).unwrap();
    /// assert_eq!(memory.grow(2), Some(1));
    /// assert_eq!(memory.grow(1), None);
    /// assert_eq!(memory.size(), 3);
    /// ```
    pub fn grow(&mut self, delta: u64) -> Option<u64> {
        let mut account = Account::new(Limits::NONE);
        account.replace(0, self.words.capacity().saturating_mul(8));
        self.grow_within(&mut account, delta).ok()
    }

    /// [`Memory::grow`] on an account.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] also beyond the maximum; [`Error::Limit`].
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

    /// The pages, and the capacity in words.
    pub(crate) fn extent(&self) -> (u64, usize) {
        (self.size(), self.words.capacity())
    }

    /// Shrinks to an extent: for arenas, as Wasm memories never shrink.
    pub(crate) fn give_back(&mut self, account: &mut Account, (pages, capacity): (u64, usize)) {
        let words = usize::try_from(pages.saturating_mul(PAGE_WORDS)).unwrap_or(usize::MAX);
        self.words.truncate(words);
        account.shrink(&mut self.words, capacity);
    }

    /// The bytes requested from the global allocator.
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

    /// Returns all bytes, by address. O(1).
    ///
    /// ```
    /// use segheap::memory::{IndexType, Memory, MemoryType};
    /// let mut memory = Memory::new(MemoryType::new(IndexType::I32, 1, None)).unwrap();
    /// memory.store_u16(6, 1, 0x0201)?;
    /// assert_eq!(memory.bytes()[6..10], [0, 1, 2, 0]);
    /// # Ok::<(), segheap::memory::OutOfBounds>(())
    /// ```
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

    /// Sets `len` bytes from `address` on to `value`: `memory.fill`. O(len).
    ///
    /// ```
    /// use segheap::memory::{IndexType, Memory, MemoryType, OutOfBounds};
    /// let mut memory = Memory::new(MemoryType::new(IndexType::I32, 1, None)).unwrap();
    /// memory.fill(4, 0xFF, 2)?;
    /// assert_eq!(memory.bytes()[3..7], [0, 0xFF, 0xFF, 0]);
    /// assert_eq!(memory.fill(65_535, 0xFF, 2), Err(OutOfBounds));
    /// assert_eq!(memory.fill(65_536, 0xFF, 0), Ok(())); // empty, at the end
    /// # Ok::<(), OutOfBounds>(())
    /// ```
    ///
    /// # Errors
    /// [`OutOfBounds`] if the bytes do not all lie in memory. Nothing is written
    /// then.
    pub fn fill(&mut self, address: u64, value: u8, len: u64) -> Checked<()> {
        let range = range_in(self.bytes(), address, len)?;
        self.bytes_mut().get_mut(range).ok_or(OutOfBounds)?.fill(value);
        Ok(())
    }

    /// Copies `len` bytes of `segment`, from index `source` on, to `address`:
    /// `memory.init`. O(len). A segment that `data.drop` dropped is an empty slice.
    ///
    /// ```
    /// use segheap::memory::{IndexType, Memory, MemoryType, OutOfBounds};
    /// let mut memory = Memory::new(MemoryType::new(IndexType::I32, 1, None)).unwrap();
    /// memory.init(100, b"segment", 3, 4)?;
    /// assert_eq!(memory.bytes()[100..104], *b"ment");
    /// assert_eq!(memory.init(100, b"segment", 3, 5), Err(OutOfBounds));
    /// # Ok::<(), OutOfBounds>(())
    /// ```
    ///
    /// # Errors
    /// [`OutOfBounds`] if the bytes do not all lie in memory, or not all in the
    /// segment. Nothing is written then.
    #[inline]
    pub fn init(&mut self, address: u64, segment: &[u8], source: u64, len: u64) -> Checked<()> {
        let to = range_in(self.bytes(), address, len)?;
        let from = segment.get(range_in(segment, source, len)?).ok_or(OutOfBounds)?;
        self.bytes_mut().get_mut(to).ok_or(OutOfBounds)?.copy_from_slice(from);
        Ok(())
    }

    /// Copies `len` bytes from `source` to `address` in this memory: `memory.copy`.
    /// The ranges may overlap. O(len).
    ///
    /// ```
    /// use segheap::memory::{IndexType, Memory, MemoryType, OutOfBounds};
    /// let mut memory = Memory::new(MemoryType::new(IndexType::I32, 1, None)).unwrap();
    /// memory.init(0, b"abcd", 0, 4)?;
    /// memory.copy(1, 0, 4)?;
    /// assert_eq!(memory.bytes()[..5], *b"aabcd");
    /// # Ok::<(), OutOfBounds>(())
    /// ```
    ///
    /// # Errors
    /// [`OutOfBounds`] if either range does not lie in memory. Nothing is written
    /// then.
    pub fn copy(&mut self, address: u64, source: u64, len: u64) -> Checked<()> {
        let to = range_in(self.bytes(), address, len)?;
        let from = range_in(self.bytes(), source, len)?;
        self.bytes_mut().copy_within(from, to.start);
        Ok(())
    }

    /// Copies `len` bytes from `source` in another memory to `address` in this one:
    /// `memory.copy` between two memories. O(len).
    ///
    /// ```
    /// use segheap::memory::{IndexType, Memory, MemoryType, OutOfBounds};
    /// let ty = MemoryType::new(IndexType::I32, 1, None);
    /// let (mut to, mut from) = (Memory::new(ty).unwrap(), Memory::new(ty).unwrap());
    /// from.store_u32(8, 0, 7)?;
    /// to.copy_from(16, &from, 8, 4)?;
    /// assert_eq!(to.load_u32(16, 0), Ok(7));
    /// # Ok::<(), OutOfBounds>(())
    /// ```
    ///
    /// # Errors
    /// [`OutOfBounds`] if either range does not lie in its own memory. Nothing is
    /// written then.
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

/// Returns the range of `len` bytes from `address` on, checked to lie in `bytes`.
///
/// # Errors
/// [`OutOfBounds`].
#[inline]
fn range_in(bytes: &[u8], address: u64, len: u64) -> Checked<Range<usize>> {
    let size = to_u64(bytes.len());
    let end = address.checked_add(len).filter(|&end| end <= size).ok_or(OutOfBounds)?;
    let index = |address: u64| usize::try_from(address).map_err(|_| OutOfBounds);
    Ok(index(address)?..index(end)?)
}

macro_rules! accesses {
    ($($int:ty, $bytes:literal, $load:ident, $store:ident;)*) => {
        /// Loads and stores: little-endian, at any alignment, at `address + offset`,
        /// a sum that never wraps.
        impl Memory {$(
            #[doc = concat!("Loads ", $bytes, " at `address + offset`.")]
            ///
            /// ```
            /// use segheap::memory::{IndexType, Memory, MemoryType, OutOfBounds};
            /// let ty = MemoryType::new(IndexType::I32, 1, None);
            /// let mut memory = Memory::new(ty).unwrap();
            #[doc = concat!("memory.", stringify!($store), "(100, 3, 7)?;")]
            #[doc = concat!("assert_eq!(memory.", stringify!($load), "(103, 0), Ok(7));")]
            #[doc = concat!("assert!(memory.", stringify!($load), "(u64::MAX, 104).is_err());")]
            /// # Ok::<(), OutOfBounds>(())
            /// ```
            ///
            /// # Errors
            /// [`OutOfBounds`] if the bytes do not all lie in memory.
            #[inline]
            pub fn $load(&self, address: u64, offset: u64) -> Checked<$int> {
                self.load(address, offset).map(<$int>::from_le_bytes)
            }

            #[doc = concat!("Stores ", $bytes, " at `address + offset`.")]
            ///
            /// ```
            /// use segheap::memory::{IndexType, Memory, MemoryType, OutOfBounds};
            /// let ty = MemoryType::new(IndexType::I32, 1, None);
            /// let mut memory = Memory::new(ty).unwrap();
            #[doc = concat!("memory.", stringify!($store), "(100, 3, 7)?;")]
            #[doc = concat!("assert_eq!(memory.", stringify!($load), "(103, 0), Ok(7));")]
            #[doc = concat!("assert!(memory.", stringify!($store), "(65_536, 0, 7).is_err());")]
            /// # Ok::<(), OutOfBounds>(())
            /// ```
            ///
            /// # Errors
            /// [`OutOfBounds`] if the bytes do not all lie in memory. Nothing is
            /// written then.
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
