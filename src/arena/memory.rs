//! [`Memory`]: a linear memory with the semantics of Wasm 3.0. Each arena keeps its
//! payload in one; a VM may use others as Wasm memories.
//!
//! Addresses count bytes. An access checks its ranges against their own memories
//! before it writes the first byte, and sums of addresses never wrap.

mod address;
mod image;
mod reserve;

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use bytemuck::allocation::try_zeroed_vec;

use super::{Account, halves};
use crate::words::{Error, Limits, PAGE_BYTES, Result, to_u64, to_usize};

/// Words of 8 bytes in a page.
const PAGE_WORDS: usize = 8192;
const _: () = assert!(to_u64(PAGE_WORDS) * 8 == PAGE_BYTES);

/// Growth by this many words, 1 MiB, is left to the host to map page by page.
const LAZY_WORDS: usize = 1 << 17;
/// Words copied or skipped at a time: a page of most hosts.
const HOST_PAGE_WORDS: usize = 512;

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
    /// Returns the most pages that a memory of this type may declare. [`Memory`] has at
    /// most 2^32 - 1, which are 256 TiB.
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
    /// The words of the pages. Spare ones may follow, which are zero and were never
    /// written, in a memory that [`Memory::grow`] has grown; there are none in that of
    /// an arena.
    words: Vec<u64>,
    /// The declared maximum, or [`NO_MAX`], with the bit [`WIDE`] for memory64: as each
    /// heap has a memory for every kind, fields are small.
    max: u64,
    /// The size.
    pages: u32,
    /// The declared minimum.
    min: u32,
}

/// A bit that no number of pages has.
const WIDE: u64 = 1 << 63;
/// The maximum of a memory that declares none.
const NO_MAX: u64 = WIDE - 1;

impl Memory {
    /// Creates a memory of `ty.min` zeroed pages. Returns `None` if the minimum
    /// exceeds the maximum, if either exceeds what the index type allows, or if the
    /// global allocator fails. O(bytes); from 1 MiB on, the allocator is asked for zeroed
    /// memory, which most hosts map page by page as it is used.
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

    /// Creates a memory of no pages. A minimum of 2^32 pages is not kept: none grows to it.
    pub(crate) const fn empty(ty: MemoryType) -> Memory {
        let max = if let Some(max) = ty.max { max } else { NO_MAX };
        let wide = if matches!(ty.index, IndexType::I64) { WIDE } else { 0 };
        let (_, min) = halves(ty.min);
        Memory { words: Vec::new(), max: max | wide, pages: 0, min }
    }

    /// A copy on this account. O(bytes).
    pub(super) fn try_clone(&self, account: &mut Account) -> Result<Memory> {
        let words = account.copied(&self.words)?;
        Ok(Memory { words, max: self.max, pages: self.pages, min: self.min })
    }

    /// Returns the type: the minimum as declared, not the size that was grown to.
    pub const fn ty(&self) -> MemoryType {
        let max = self.max & !WIDE;
        let max = if max == NO_MAX { None } else { Some(max) };
        MemoryType { index: self.index(), min: self.min as u64, max }
    }

    const fn index(&self) -> IndexType {
        if self.max & WIDE == 0 { IndexType::I32 } else { IndexType::I64 }
    }

    /// Returns the size in pages: `memory.size`.
    pub const fn size(&self) -> u64 {
        self.pages as u64
    }

    /// Adds `delta` zeroed pages: `memory.grow`. Returns the old size in pages, or
    /// `None` (-1 in Wasm) and changes nothing if the maximum or 2^32 - 1 pages would be
    /// exceeded or the global allocator fails.
    ///
    /// Amortised O(bytes added). Growth by 1 MiB or more touches only the pages that are
    /// in use: the allocator is asked for zeroed memory of up to twice the size, which
    /// most hosts map page by page as it is used, and holds old and new memory at once.
    ///
    /// ```
    /// use segheap::memory::{IndexType, Memory, MemoryType};
    /// let mut memory = Memory::new(MemoryType::new(IndexType::I32, 1, Some(3))).unwrap();
    /// assert_eq!(memory.grow(2), Some(1));
    /// assert_eq!(memory.grow(1), None);
    /// assert_eq!(memory.size(), 3);
    /// ```
    pub fn grow(&mut self, delta: u64) -> Option<u64> {
        let (pages, words) = self.grown(delta)?;
        let spare = self.words.len().saturating_sub(self.used_words());
        if words > self.words.len() {
            if spare == 0 && words.saturating_sub(self.words.len()) < LAZY_WORDS {
                let mut account = Account::new(Limits::NONE);
                account.replace(0, self.words.capacity().saturating_mul(8));
                return self.grow_within(&mut account, delta).ok();
            }
            self.reallocate(words)?;
        }
        let old = core::mem::replace(&mut self.pages, pages);
        Some(u64::from(old))
    }

    /// The size in pages and in words after growth by `delta` pages.
    fn grown(&self, delta: u64) -> Option<(u32, usize)> {
        let max = self.pages_max();
        let pages = self.size().checked_add(delta).filter(|&pages| pages <= max)?;
        let words = usize::try_from(pages).ok()?.checked_mul(PAGE_WORDS)?;
        Some((u32::try_from(pages).ok()?, words))
    }

    /// The most pages that the type allows.
    fn pages_max(&self) -> u64 {
        (self.max & !WIDE).min(self.index().pages_max())
    }

    /// The words of the pages.
    const fn used_words(&self) -> usize {
        to_usize(self.pages).saturating_mul(PAGE_WORDS)
    }

    /// Moves the pages to zeroed memory of at least `words` words: twice as large if
    /// that can be had, so that the cost of moving is amortised.
    #[cold]
    fn reallocate(&mut self, words: usize) -> Option<()> {
        let max = usize::try_from(self.pages_max()).unwrap_or(usize::MAX);
        let roomy = self.words.len().saturating_mul(2).min(max.saturating_mul(PAGE_WORDS));
        let larger = try_zeroed_vec(words.max(roomy)).or_else(|()| try_zeroed_vec(words));
        let mut larger = larger.ok()?;
        copy_words(&self.words, &mut larger);
        self.words = larger;
        Some(())
    }

    /// [`Memory::grow`] of the memory of an arena, on an account.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] also beyond the maximum; [`Error::Limit`].
    pub(crate) fn grow_within(&mut self, account: &mut Account, delta: u64) -> Result<u64> {
        let (pages, words) = self.grown(delta).ok_or(Error::OutOfMemory)?;
        let added = words.saturating_sub(self.words.len());
        let lazy = words > self.words.capacity() && added >= LAZY_WORDS.max(self.words.len());
        if !(lazy && account.replace_zeroed(&mut self.words, words, copy_words)?) {
            account.reserve(&mut self.words, words)?;
            self.words.resize(words, 0);
            account.note_moved();
        }
        Ok(u64::from(core::mem::replace(&mut self.pages, pages)))
    }

    /// The pages, and the capacity in words.
    pub(crate) fn extent(&self) -> (u64, usize) {
        (self.size(), self.words.capacity())
    }

    /// Shrinks to an extent: for arenas, as Wasm memories never shrink.
    pub(crate) fn give_back(&mut self, account: &mut Account, (pages, capacity): (u64, usize)) {
        self.pages = self.pages.min(u32::try_from(pages).unwrap_or(u32::MAX));
        if self.used_words() < self.words.len() {
            self.words.truncate(self.used_words());
            account.note_moved();
        }
        account.shrink(&mut self.words, capacity);
    }

    /// The bytes requested from the global allocator.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        to_u64(self.words.capacity()).saturating_mul(8)
    }

    /// The words of the memory of an arena.
    #[inline(always)]
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    #[inline(always)]
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// The bytes of the memory of an arena.
    #[inline]
    pub(crate) fn payload(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    #[inline(always)]
    pub(crate) fn payload_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.words)
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
        bytemuck::cast_slice(self.words.get(..self.used_words()).unwrap_or(&self.words))
    }

    /// The bytes of an access, checked to lie in the pages.
    #[inline]
    fn range(&self, address: u64, len: u64) -> Checked<Range<usize>> {
        range_in(u64::from(self.pages).saturating_mul(PAGE_BYTES), address, len)
    }

    #[inline]
    fn load<const N: usize>(&self, address: u64, offset: u64) -> Checked<[u8; N]> {
        let start = address.checked_add(offset).ok_or(OutOfBounds)?;
        let range = self.range(start, to_u64(N))?;
        self.payload().get(range).and_then(|bytes| bytes.try_into().ok()).ok_or(OutOfBounds)
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
        let range = self.range(address, len)?;
        self.payload_mut().get_mut(range).ok_or(OutOfBounds)?.fill(value);
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
        let to = self.range(address, len)?;
        let from = segment.get(range_in(to_u64(segment.len()), source, len)?).ok_or(OutOfBounds)?;
        self.payload_mut().get_mut(to).ok_or(OutOfBounds)?.copy_from_slice(from);
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
        let to = self.range(address, len)?;
        let from = self.range(source, len)?;
        self.payload_mut().copy_within(from, to.start);
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

/// Copies words to a longer slice of zeros. Leaves host pages alone that are zero in
/// both, so that the host need not map them.
fn copy_words(from: &[u64], to: &mut [u64]) {
    for (from, to) in from.chunks(HOST_PAGE_WORDS).zip(to.chunks_mut(HOST_PAGE_WORDS)) {
        if from.iter().any(|&word| word != 0)
            && let Some(to) = to.get_mut(..from.len())
        {
            to.copy_from_slice(from);
        }
    }
}

/// Returns the range of `len` bytes from `address` on, checked to lie in `size` bytes.
///
/// # Errors
/// [`OutOfBounds`].
#[inline]
fn range_in(size: u64, address: u64, len: u64) -> Checked<Range<usize>> {
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
