//! [`Usage`]: counts and bytes of a heap, arena by arena.

use crate::words::{ArenaUsage, Kind};

#[cfg(doc)]
use crate::{Heap, Limits};

/// Counts and bytes of a heap, arena by arena; returned by [`Heap::usage`].
///
/// ```
/// use segheap::{Heap, Kind, List};
/// let mut heap = Heap::new();
/// heap.alloc(List::of(&[1.into(), 2.into()]))?;
/// let usage = heap.usage();
/// assert_eq!((usage.live(), usage.pages()), (1, 1));
/// assert_eq!(usage.arena(Kind::LIST).map(|arena| arena.payload_bytes), Some(16));
/// # Ok::<(), segheap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    pub(crate) arenas: [ArenaUsage; Kind::COUNT],
    /// The arena of host objects.
    pub hosts: ArenaUsage,
    /// The arena of seals.
    pub seals: ArenaUsage,
    /// Bytes of the values of host objects: of the boxes, and those that the host has declared.
    pub host_bytes: u64,
    /// Bytes of scratch memory, of which up to 256 KiB are kept between operations. A
    /// failed operation may leave it larger.
    pub scratch_bytes: u64,
    /// Bytes requested from the global allocator: reserved capacity, slots, mark bits,
    /// logs and scratch memory included. [`Limits::bytes`] bounds them.
    pub total_bytes: u64,
}

impl Usage {
    /// Returns the usage of the arenas of the kinds, in the order of [`Kind::ALL`].
    ///
    /// ```
    /// use segheap::Heap;
    /// for arena in Heap::new().usage().arenas() {
    ///     println!("{:8} {:6} live {:4} pages", arena.kind, arena.live, arena.pages);
    /// }
    /// ```
    pub const fn arenas(&self) -> &[ArenaUsage] {
        &self.arenas
    }

    /// Returns the usage of the arena of one kind; `None` for a selector that belongs
    /// to no kind.
    pub fn arena(&self, kind: Kind) -> Option<&ArenaUsage> {
        self.arenas.get(kind.index())
    }

    /// Returns the number of live objects of all kinds, without host objects and seals.
    /// O(kinds).
    pub fn live(&self) -> u64 {
        self.arenas.iter().map(|arena| u64::from(arena.live)).sum()
    }

    /// Returns the number of pages of the arenas of all kinds, without those of host
    /// objects and seals. O(kinds).
    pub fn pages(&self) -> u64 {
        self.arenas.iter().map(|arena| arena.pages).sum()
    }

    /// The live objects of all arenas.
    pub(crate) fn all_live(&self) -> u64 {
        let others = u64::from(self.seals.live).saturating_add(u64::from(self.hosts.live));
        self.live().saturating_add(others)
    }
}
