//! How much a heap may hold ([`Limits`]), when a collection is due ([`Policy`]),
//! and what an arena holds ([`ArenaUsage`]).

use super::kind::Kind;

/// Bytes of a Wasm page.
pub(crate) const PAGE_BYTES: u64 = 65_536;
/// The most pages of an arena: as many as `u32` offsets in words of 8 bytes reach.
pub(crate) const ARENA_PAGES_MAX: u32 = 1 << 19;

/// Bounds on what a heap holds. An operation that would exceed one fails with
/// [`Error::Limit`](crate::Error::Limit) and changes nothing. The default is
/// [`Limits::NONE`].
///
/// ```
/// use segheap::{Heap, Limits, List, Settings, Error};
/// let limits = Limits::NONE.with_bytes(1 << 20);
/// let mut heap = Heap::with(Settings::seeded(1).limits(limits));
/// assert!(matches!(heap.alloc(List::with_capacity(1 << 20)), Err(Error::Limit(_))));
/// assert!(heap.alloc(List::with_capacity(1 << 10)).is_ok());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most pages of 64 KiB in each arena.
    pub pages: u32,
    /// The most slots that are live or free, and so the most objects, in each arena.
    /// A retired slot does not count; it takes 16 of the [`bytes`](Limits::bytes).
    pub slots: u32,
    /// The most bytes that the heap requests from the global allocator: all that it
    /// holds, spare capacity and scratch memory included, and what `num-bigint` may
    /// need during an operation, but for the `Heap` value itself. A block that grows
    /// counts by its new size, also while an allocator that moves it holds the old one.
    /// [`Usage::total_bytes`](crate::Usage::total_bytes) is how many it has.
    pub bytes: usize,
    /// The most bits in the magnitude of an integer that
    /// [`Heap::parse_int`](crate::Heap::parse_int) and arithmetic return, beyond 128
    /// bits, which are always allowed. It bounds the time of one such operation, where
    /// [`bytes`](Limits::bytes) would allow a result that takes seconds.
    pub integer_bits: u64,
}

impl Limits {
    /// No bounds but those of addresses: for each arena, 2^19 pages (32 GiB) and
    /// 2^32 - 1 slots. Beyond them, operations fail with
    /// [`Error::ArenaFull`](crate::Error::ArenaFull).
    pub const NONE: Limits = Limits {
        pages: ARENA_PAGES_MAX,
        slots: u32::MAX,
        bytes: usize::MAX,
        integer_bits: u64::MAX,
    };

    /// Returns these limits with other [`pages`](Limits::pages).
    #[must_use]
    pub const fn with_pages(self, pages: u32) -> Limits {
        Limits { pages, ..self }
    }

    /// Returns these limits with other [`slots`](Limits::slots).
    #[must_use]
    pub const fn with_slots(self, slots: u32) -> Limits {
        Limits { slots, ..self }
    }

    /// Returns these limits with other [`bytes`](Limits::bytes).
    #[must_use]
    pub const fn with_bytes(self, bytes: usize) -> Limits {
        Limits { bytes, ..self }
    }

    /// Returns these limits with another [`integer_bits`](Limits::integer_bits).
    ///
    /// ```
    /// use segheap::{Error, Heap, Limits, Resource, Settings};
    /// let limits = Limits::NONE.with_integer_bits(1 << 20);
    /// let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    /// assert_eq!(heap.pow(7.into(), 20_000_000.into()), Err(Error::Limit(Resource::IntegerBits)));
    /// ```
    #[must_use]
    pub const fn with_integer_bits(self, integer_bits: u64) -> Limits {
        Limits { integer_bits, ..self }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::NONE
    }
}

/// When a collection is due, as [`Heap::should_collect`](crate::Heap::should_collect)
/// returns it, and when it compacts. The default is [`Policy::DEFAULT`].
///
/// ```
/// use segheap::{Heap, List, Policy};
/// let mut heap = Heap::new();
/// heap.set_policy(Policy::DEFAULT.with_bytes_min(64 << 10));
/// let mut allocated = 0;
/// while !heap.should_collect() {
///     heap.alloc(List::zeroed(128))?;
///     allocated += 1;
/// }
/// assert_eq!(allocated, 64); // of 1 KiB, and 16 bytes for the slot
/// # Ok::<(), segheap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// A collection is due once the bytes allocated since the last one reach this
    /// percentage of the bytes that it left live. 100 keeps a heap below twice its
    /// live size.
    pub growth_percent: u16,
    /// A collection is not due before this many bytes have been allocated since
    /// the last one, unless a limit is near.
    pub bytes_min: u64,
    /// A collection compacts each arena of whose memory more than this percentage,
    /// and a page at least, was unused before the collection freed anything. 100
    /// turns that off. A collection near a limit compacts every arena whatever
    /// this is.
    pub compact_percent: u8,
    /// [`Heap::collect_debt`](crate::Heap::collect_debt) collects young objects once this
    /// many bytes were allocated. 0 turns young collections off.
    pub young_bytes: u64,
    /// While a cycle is under way, `collect_debt` does a step of it once this many bytes
    /// were allocated: it marks or sweeps eight times as many. 0 turns steps off:
    /// collections of the whole heap stop the program.
    pub step_bytes: u64,
    /// For tests of a VM: a collection is due after this many allocations, and
    /// ends with [`Heap::verify`](crate::Heap::verify). 0 turns that off.
    pub stress: u32,
}

impl Policy {
    /// A collection is due at a growth of 100 percent, but not before 1 MiB; it
    /// compacts arenas of which more than half was unused.
    /// By `collect_debt`, young objects are collected after 1 MiB, and steps follow
    /// each other after 8 KiB.
    pub const DEFAULT: Policy = Policy {
        growth_percent: 100,
        bytes_min: 1 << 20,
        compact_percent: 50,
        young_bytes: 1 << 20,
        step_bytes: 8 << 10,
        stress: 0,
    };

    /// Returns this policy with another [`growth_percent`](Policy::growth_percent).
    #[must_use]
    pub const fn with_growth_percent(self, growth_percent: u16) -> Policy {
        Policy { growth_percent, ..self }
    }

    /// Returns this policy with another [`bytes_min`](Policy::bytes_min).
    #[must_use]
    pub const fn with_bytes_min(self, bytes_min: u64) -> Policy {
        Policy { bytes_min, ..self }
    }

    /// Returns this policy with another [`compact_percent`](Policy::compact_percent).
    #[must_use]
    pub const fn with_compact_percent(self, compact_percent: u8) -> Policy {
        Policy { compact_percent, ..self }
    }

    /// Returns this policy with another [`young_bytes`](Policy::young_bytes).
    #[must_use]
    pub const fn with_young_bytes(self, young_bytes: u64) -> Policy {
        Policy { young_bytes, ..self }
    }

    /// Returns this policy with another [`step_bytes`](Policy::step_bytes).
    #[must_use]
    pub const fn with_step_bytes(self, step_bytes: u64) -> Policy {
        Policy { step_bytes, ..self }
    }

    /// Returns this policy with another [`stress`](Policy::stress).
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

/// The memory and the slots of one arena; part of [`Usage`](crate::Usage).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArenaUsage {
    /// The kind whose objects the arena holds.
    pub kind: Kind,
    /// Pages of 64 KiB in the arena's memory.
    pub pages: u64,
    /// Bytes in the blocks of live objects, spare capacity of the objects included.
    pub payload_bytes: u64,
    /// Bytes of the pages and of the slots.
    pub bytes: u64,
    /// Bytes requested from the global allocator for pages and slots, spare
    /// capacity included.
    pub reserved_bytes: u64,
    /// Slots of live objects.
    pub live: u32,
    /// Slots without an object: recycled ones, and ones added in advance.
    pub free: u32,
    /// Slots that have used all their generations.
    /// [`Heap::collect_and_recycle`](crate::Heap::collect_and_recycle) can recycle
    /// them.
    pub retired: u32,
}
