//! What a heap may hold ([`Limits`]), when it collects ([`Policy`]), and what
//! an arena holds ([`ArenaUsage`]).

use super::kind::Kind;

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
