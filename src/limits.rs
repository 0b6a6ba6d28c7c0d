//! What a heap may use ([`Limits`]), what it does use ([`Usage`]), and the one
//! place where memory grows ([`Budget`]).

use alloc::vec::Vec;

use crate::error::{Error, Resource};
use crate::kind::Kind;
use crate::range::at;

/// Bytes of a Wasm page.
pub(crate) const PAGE_BYTES: u64 = 65_536;
/// Pages an arena can address: `u32` offsets in words of 8 bytes.
pub(crate) const ARENA_PAGES_MAX: u32 = 1 << 19;

/// Bounds that no operation passes. The default is none but the built-in ones:
/// 2^19 pages (32 GiB) and 2^32 - 1 slots for each arena.
///
/// ```
/// use segheap::{Heap, Limits, List, Settings, Error};
/// let limits = Limits { bytes: 1 << 20, ..Limits::default() };
/// let mut heap = Heap::with(Settings::seeded(1).limits(limits));
/// assert!(matches!(heap.alloc(List::with_capacity(1 << 20)), Err(Error::Limit(_))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::NONE
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
    /// Slots that wait for their next object.
    pub free: u32,
    /// Slots that have used up their generations.
    pub retired: u32,
}

/// What a heap uses: one row for each arena, in the order of the selectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage<const ARENAS: usize = 12> {
    /// One row for each arena.
    pub arenas: [ArenaUsage; ARENAS],
    /// Bytes of scratch memory.
    pub scratch_bytes: u64,
    /// Bytes asked of the global allocator; what [`Limits::bytes`] bounds.
    pub total_bytes: u64,
}

impl<const ARENAS: usize> Usage<ARENAS> {
    /// Live objects of all kinds.
    pub fn live(&self) -> u64 {
        self.arenas.iter().map(|arena| u64::from(arena.live)).sum()
    }

    /// Live pages of all arenas.
    pub fn pages(&self) -> u64 {
        self.arenas.iter().map(|arena| arena.pages).sum()
    }

    /// The row of one arena; `None` for a spare selector.
    pub fn of(&self, kind: Kind) -> Option<&ArenaUsage> {
        self.arenas.get(kind.index())
    }
}

/// The account of everything the heap asks of the global allocator, and the
/// only code that asks.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    limits: Limits,
    used: usize,
    refuse_at: Option<u64>,
}

impl Budget {
    pub(crate) const fn new(limits: Limits) -> Budget {
        Budget { limits, used: 0, refuse_at: None }
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Whether an arena may have so many slots.
    pub(crate) fn slots(&self, kind: Kind, slots: usize) -> Result<(), Error> {
        if slots > at(u32::MAX) {
            return Err(Error::ArenaFull { kind });
        }
        if slots > at(self.limits.slots) {
            Err(Error::Limit(Resource::Slots(kind)))
        } else {
            Ok(())
        }
    }

    /// Whether an arena may have so many pages.
    pub(crate) fn pages(&self, kind: Kind, pages: u64) -> Result<(), Error> {
        if pages > u64::from(ARENA_PAGES_MAX) {
            return Err(Error::ArenaFull { kind });
        }
        if pages > u64::from(self.limits.pages) {
            Err(Error::Limit(Resource::Pages(kind)))
        } else {
            Ok(())
        }
    }

    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    /// What the limit leaves.
    pub(crate) const fn left(&self) -> usize {
        self.limits.bytes.saturating_sub(self.used)
    }

    /// The `n`-th growth from now on (0: the next one) fails as if the global
    /// allocator had refused; `None` ends it.
    pub(crate) fn refuse_growth(&mut self, n: Option<u64>) {
        self.refuse_at = n;
    }

    /// Whether this growth is one that is to fail.
    pub(crate) fn refused(&mut self) -> bool {
        match &mut self.refuse_at {
            Some(0) => true,
            Some(n) => {
                *n = n.saturating_sub(1);
                false
            }
            None => false,
        }
    }

    /// Makes room for `len` elements in all, and for as many again where the
    /// limit allows. `vec` keeps its elements; an error changes nothing.
    pub(crate) fn reserve<T>(&mut self, vec: &mut Vec<T>, len: usize) -> Result<(), Error> {
        let size = size_of::<T>();
        let old = vec.capacity();
        if len <= old {
            return Ok(());
        }
        let needed = len.saturating_sub(old).saturating_mul(size);
        let left = self.left().checked_sub(needed).ok_or(Error::Limit(Resource::Bytes))?;
        if self.refused() {
            return Err(Error::OutOfMemory);
        }
        // Near the limit, take half of what is left: other arenas want some,
        // and the number of moves stays logarithmic.
        let spare = old
            .saturating_mul(2)
            .saturating_sub(len)
            .min((left / 2).checked_div(size).unwrap_or(0));
        let additional = |target: usize, vec: &Vec<T>| target.saturating_sub(vec.len());
        let wanted = additional(len.saturating_add(spare), vec);
        if vec.try_reserve_exact(wanted).is_err() {
            vec.try_reserve_exact(additional(len, vec)).map_err(|_| Error::OutOfMemory)?;
        }
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
        self.replace(
            old.saturating_mul(size_of::<T>()),
            vec.capacity().saturating_mul(size_of::<T>()),
        );
    }

    /// An account of `old` bytes is now one of `new`.
    pub(crate) fn replace(&mut self, old: usize, new: usize) {
        self.used = self.used.saturating_sub(old).saturating_add(new);
    }
}
