//! What a heap may use ([`Limits`]), what it does use ([`Usage`]), and the one
//! place where memory grows ([`Budget`]).

use alloc::vec::Vec;

use bumpalo::Bump;

use super::error::{Error, Resource, Result};
use super::kind::Kind;
use super::range::{at, wide};

/// Bytes of a Wasm page.
pub(crate) const PAGE_BYTES: u64 = 65_536;
/// Pages an arena can address: `u32` offsets in words of 8 bytes.
pub(crate) const ARENA_PAGES_MAX: u32 = 1 << 19;

/// Bounds that no operation passes. The default is none but the built-in ones:
/// 2^19 pages (32 GiB) and 2^32 - 1 slots for each arena.
///
/// ```
/// use segheap::{Heap, Limits, List, Settings, Error};
/// let limits = Limits::NONE.with_bytes(1 << 20);
/// let mut heap = Heap::with(Settings::seeded(1).limits(limits));
/// assert!(matches!(heap.alloc(List::with_capacity(1 << 20)), Err(Error::Limit(_))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Pages of 64 KiB, for each arena.
    pub pages: u32,
    /// Slots, and so objects, for each arena.
    pub slots: u32,
    /// Bytes in total: everything the heap holds beside the `Heap` value
    /// itself, reserved capacity, tables, logs and scratch included.
    pub bytes: usize,
}

impl Limits {
    /// The built-in bounds only.
    pub const NONE: Limits = Limits { pages: ARENA_PAGES_MAX, slots: u32::MAX, bytes: usize::MAX };

    /// These limits, with another bound on the pages of each arena.
    #[must_use]
    pub const fn with_pages(self, pages: u32) -> Limits {
        Limits { pages, ..self }
    }

    /// These limits, with another bound on the slots of each arena.
    #[must_use]
    pub const fn with_slots(self, slots: u32) -> Limits {
        Limits { slots, ..self }
    }

    /// These limits, with another bound on the bytes of the heap.
    #[must_use]
    pub const fn with_bytes(self, bytes: usize) -> Limits {
        Limits { bytes, ..self }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::NONE
    }
}

/// When a collection pays, and what it does beside. See
/// [`Heap::should_collect`](crate::Heap::should_collect).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// A collection pays once so many percent of what the last one left alive
    /// has been allocated since; 100 keeps a heap below twice its live size.
    pub growth_percent: u16,
    /// It does not pay below so many bytes allocated since the last one.
    pub bytes_min: u64,
    /// A collection compacts an arena of which more than so many percent were
    /// waste already before it freed anything, if that is a page at least; 100
    /// never does. An allocation refused by a limit since the last collection
    /// makes the next one compact.
    pub compact_percent: u8,
    /// For tests of a VM: a collection pays at every so many allocations, and
    /// verifies the heap; 0 turns that off.
    pub stress: u32,
}

impl Policy {
    /// Grows by 100 percent and 1 MiB, compacts at half.
    pub const DEFAULT: Policy =
        Policy { growth_percent: 100, bytes_min: 1 << 20, compact_percent: 50, stress: 0 };

    /// This policy, with another [`growth_percent`](Policy::growth_percent).
    #[must_use]
    pub const fn with_growth_percent(self, growth_percent: u16) -> Policy {
        Policy { growth_percent, ..self }
    }

    /// This policy, with another [`bytes_min`](Policy::bytes_min).
    #[must_use]
    pub const fn with_bytes_min(self, bytes_min: u64) -> Policy {
        Policy { bytes_min, ..self }
    }

    /// This policy, with another [`compact_percent`](Policy::compact_percent).
    #[must_use]
    pub const fn with_compact_percent(self, compact_percent: u8) -> Policy {
        Policy { compact_percent, ..self }
    }

    /// This policy, with another [`stress`](Policy::stress).
    #[must_use]
    pub const fn with_stress(self, stress: u32) -> Policy {
        Policy { stress, ..self }
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy::DEFAULT
    }
}

/// What one arena uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArenaUsage {
    /// The arena.
    pub kind: Kind,
    /// Live pages of 64 KiB.
    pub pages: u64,
    /// Bytes of payload blocks that live objects own.
    pub payload_bytes: u64,
    /// Bytes in live pages and slots.
    pub bytes: u64,
    /// Bytes asked of the global allocator, spare capacity included.
    pub reserved_bytes: u64,
    /// Slots that name a live object.
    pub live: u32,
    /// Slots that wait for an object; some are made in advance.
    pub free: u32,
    /// Slots that have used up their generations.
    pub retired: u32,
}

/// Scratch memory that is in use while the host's code runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loan {
    bytes: usize,
    /// A sort holds cells that its caller cannot name.
    sorting: bool,
}

/// The account of everything the heap asks of the global allocator, and the
/// only code that asks.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) limits: Limits,
    pub(crate) used: usize,
    /// Growths left until they are refused; `u64::MAX`: none is.
    pub(crate) refuse_at: u64,
    /// Capacity for two bits of every slot, and for one of every word of any one
    /// arena: what a collection works with, so that it needs no memory.
    bits: Vec<u64>,
    /// Slots that all arenas have room for.
    slots: usize,
    /// Bytes and objects allocated since the last collection.
    pub(crate) allocated: u64,
    pub(crate) born: u32,
    /// A limit is near: seven eighths are used.
    pub(crate) pressed: bool,
    /// Bytes allocated from which on that makes a collection pay.
    pub(crate) press_at: u64,
    pub(crate) loan: Loan,
}

impl Budget {
    pub(crate) const fn new(limits: Limits) -> Budget {
        Budget {
            limits,
            used: 0,
            refuse_at: u64::MAX,
            bits: Vec::new(),
            slots: 0,
            allocated: 0,
            born: 0,
            pressed: false,
            press_at: 0,
            loan: Loan { bytes: 0, sorting: false },
        }
    }

    /// Whether an arena may have so many slots.
    pub(crate) fn check_slots(&mut self, kind: Kind, slots: usize) -> Result<()> {
        self.check(wide(slots), [self.limits.slots, u32::MAX], Resource::Slots(kind), kind)
    }

    /// Whether an arena may have so many pages.
    pub(crate) fn check_pages(&mut self, kind: Kind, pages: u64) -> Result<()> {
        self.check(pages, [self.limits.pages, ARENA_PAGES_MAX], Resource::Pages(kind), kind)
    }

    fn check(&mut self, n: u64, [limit, max]: [u32; 2], of: Resource, kind: Kind) -> Result<()> {
        if n > u64::from(max) {
            return Err(Error::ArenaFull { kind });
        }
        self.press(n, u64::from(limit));
        if n > u64::from(limit) { Err(self.limit(of)) } else { Ok(()) }
    }

    /// What is refused makes a collection pay at once.
    #[cold]
    fn limit(&mut self, of: Resource) -> Error {
        self.press_at = 0;
        Error::Limit(of)
    }

    /// Slots of an arena from which on the limit is near.
    pub(crate) fn slots_calm(&self) -> usize {
        at(self.limits.slots.saturating_sub(self.limits.slots / 8))
    }

    /// Counts a birth, in a block of so many words.
    #[inline(always)]
    pub(crate) fn bear(&mut self, words: u32) {
        self.born = self.born.wrapping_add(1);
        let bytes = u64::from(words).wrapping_mul(8).wrapping_add(16);
        self.allocated = self.allocated.wrapping_add(bytes);
    }

    /// Where an arena has no slot left to take: its next one may be refused.
    #[cold]
    pub(crate) fn press_slots(&mut self, slots: usize) {
        self.pressed |= slots >= self.slots_calm();
    }

    fn press(&mut self, used: u64, limit: u64) {
        self.pressed |= used >= limit.saturating_sub(limit / 8);
    }

    /// [`Budget::reserve`] for the slots of an arena, with the bits for them; what
    /// an error leaves, [`Budget::shrink_slots`] takes back.
    pub(crate) fn reserve_slots<T>(&mut self, slots: &mut Vec<T>, len: usize) -> Result<()> {
        let old = slots.capacity();
        self.reserve(slots, len)?;
        self.slots = self.slots.saturating_add(slots.capacity().saturating_sub(old));
        self.reserve_bits(self.slots.saturating_mul(2))
    }

    /// [`Budget::shrink`] for the slots of an arena.
    pub(crate) fn shrink_slots<T>(&mut self, slots: &mut Vec<T>, capacity: usize) {
        let old = slots.capacity();
        self.shrink(slots, capacity);
        self.slots = self.slots.saturating_sub(old.saturating_sub(slots.capacity()));
    }

    /// Room for so many bits, and for a word to spare for each selector.
    pub(crate) fn reserve_bits(&mut self, bits: usize) -> Result<()> {
        let mut taken = core::mem::take(&mut self.bits);
        let result = self.reserve(&mut taken, (bits / 64).saturating_add(32));
        self.bits = taken;
        result
    }

    /// Words of bits there is room for.
    pub(crate) fn bits(&self) -> usize {
        self.bits.capacity()
    }

    /// Gives back bits that neither the slots nor so many words need.
    pub(crate) fn trim_bits(&mut self, words: usize) {
        let bits = self.slots.saturating_mul(2).max(words);
        self.bits.clear();
        self.shrink_bits((bits / 64).saturating_add(32));
    }

    pub(crate) fn shrink_bits(&mut self, words: usize) {
        let mut taken = core::mem::take(&mut self.bits);
        self.shrink(&mut taken, words);
        self.bits = taken;
    }

    /// Runs `work` with so many bits, which have been reserved: all zero, and to
    /// be left so.
    pub(crate) fn with_bits<T>(
        &mut self,
        bits: usize,
        work: impl FnOnce(&mut Budget, &mut [u64]) -> T,
    ) -> T {
        /// Gives the bits back, also where the host's code ends by a panic: not
        /// known to be zero then, and the work list, whose bytes had been added
        /// to these, is gone.
        struct Lent<'b>(&'b mut Budget, Vec<u64>, Option<usize>);
        impl Drop for Lent<'_> {
            fn drop(&mut self) {
                if let Some(used) = self.2 {
                    self.0.used = used;
                    self.1.clear();
                }
                self.0.bits = core::mem::take(&mut self.1);
            }
        }
        let taken = core::mem::take(&mut self.bits);
        let words = (bits / 64).saturating_add(1).min(taken.capacity());
        let used = self.used;
        let mut lent = Lent(self, taken, Some(used));
        if lent.1.len() < words {
            lent.1.resize(words, 0);
        }
        let result = work(lent.0, lent.1.get_mut(..words).unwrap_or_default());
        lent.2 = None;
        result
    }

    pub(crate) fn begin_loan(&mut self) -> Loan {
        let loan = Loan { bytes: 0, ..self.loan };
        core::mem::replace(&mut self.loan, loan)
    }

    /// Counts what scratch memory has taken beyond the `warm` bytes it began
    /// with, while arenas may grow, until the loan ends.
    pub(crate) fn lend(&mut self, scratch: &Bump, warm: usize, sorting: bool) {
        let before = self.loan;
        let bytes = scratch.allocated_bytes_including_metadata().saturating_sub(warm);
        self.loan = Loan { bytes: bytes.max(before.bytes), sorting: before.sorting | sorting };
        self.replace(before.bytes, self.loan.bytes);
    }

    pub(crate) fn end_loan(&mut self, before: Loan) {
        self.replace(self.loan.bytes, 0);
        self.loan = before;
    }

    pub(crate) const fn sorting(&self) -> bool {
        self.loan.sorting
    }

    /// What the limit leaves.
    pub(crate) const fn left(&self) -> usize {
        self.limits.bytes.saturating_sub(self.used)
    }

    /// Whether this growth is one that is to fail.
    pub(crate) fn refused(&mut self) -> bool {
        match self.refuse_at {
            0 => true,
            u64::MAX => false,
            n => {
                self.refuse_at = n.wrapping_sub(1);
                false
            }
        }
    }

    /// Makes room for `len` elements in all, and for as many again where the
    /// limit allows. `vec` keeps its elements; an error changes nothing.
    pub(crate) fn reserve<T>(&mut self, vec: &mut Vec<T>, len: usize) -> Result<()> {
        let size = size_of::<T>();
        let old = vec.capacity();
        if len <= old {
            return Ok(());
        }
        let needed = len.saturating_sub(old).saturating_mul(size);
        self.press(wide(self.used.saturating_add(needed)), wide(self.limits.bytes));
        let left = self.left().checked_sub(needed).ok_or_else(|| self.limit(Resource::Bytes))?;
        if self.refused() {
            return Err(Error::OutOfMemory);
        }
        // Near the limit, take half of what is left: other arenas want some,
        // and the number of moves stays logarithmic.
        let most = (left / 2).checked_div(size).unwrap_or(0);
        let spare = old.saturating_mul(2).saturating_sub(len).min(most);
        let wanted = len.saturating_sub(vec.len());
        let roomy = vec.try_reserve_exact(wanted.saturating_add(spare));
        let grown = roomy.or_else(|_| vec.try_reserve_exact(wanted));
        grown.map_err(|_| Error::OutOfMemory)?;
        self.recount(old, vec);
        Ok(())
    }

    /// Gives spare capacity beyond `capacity` back.
    pub(crate) fn shrink<T>(&mut self, vec: &mut Vec<T>, capacity: usize) {
        let old = vec.capacity();
        if old > capacity {
            vec.shrink_to(capacity);
            self.recount(old, vec);
        }
    }

    fn recount<T>(&mut self, old: usize, vec: &Vec<T>) {
        let bytes = |capacity: usize| capacity.saturating_mul(size_of::<T>());
        self.replace(bytes(old), bytes(vec.capacity()));
    }

    /// An account of `old` bytes is now one of `new`.
    pub(crate) fn replace(&mut self, old: usize, new: usize) {
        self.used = self.used.saturating_sub(old).saturating_add(new);
    }
}
