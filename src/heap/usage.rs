//! [`Usage`]: what a heap holds, arena by arena.

use crate::words::{ArenaUsage, Kind};

/// What a heap holds; returned by [`Heap::usage`](crate::Heap::usage).
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
    /// The arena of seals.
    pub seals: ArenaUsage,
    /// Bytes of scratch memory: a cache, which a failed operation may leave
    /// larger.
    pub scratch_bytes: u64,
    /// Bytes requested from the global allocator; [`Limits::bytes`] bounds them.
    ///
    /// [`Limits::bytes`]: crate::Limits::bytes
    pub total_bytes: u64,
}

impl Usage {
    /// The arenas of the kinds, in the order of [`Kind::ALL`].
    pub const fn arenas(&self) -> &[ArenaUsage] {
        &self.arenas
    }

    /// The arena of one kind; `None` for a selector that belongs to no kind.
    pub fn arena(&self, kind: Kind) -> Option<&ArenaUsage> {
        self.arenas.get(kind.index())
    }

    /// Live objects of all kinds; seals are not counted.
    pub fn live(&self) -> u64 {
        self.arenas.iter().map(|arena| u64::from(arena.live)).sum()
    }

    /// Pages of the arenas of all kinds; those of seals are not counted.
    pub fn pages(&self) -> u64 {
        self.arenas.iter().map(|arena| arena.pages).sum()
    }
}
