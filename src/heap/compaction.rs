//! [`Compaction`]: how far a compaction in steps has come.

use crate::arena::{Arenas, Evacuation};
use crate::words::to_usize;

/// What the next step does with the arena at [`Compaction::arena`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has not been looked at.
    #[default]
    Choosing,
    /// It gets a tail for the first blocks that are evacuated.
    Reserving,
    /// Its blocks are evacuated.
    Evacuating,
    /// Pages are given back.
    GivingBack,
}

/// A compaction of all arenas, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Compaction {
    /// Whether one is under way.
    pub(crate) is_under_way: bool,
    pub(crate) stage: Stage,
    /// The arena that is compacted, by its place.
    arena: u8,
    /// The pages that it had.
    pub(crate) pages: u64,
    pub(crate) evacuation: Evacuation,
}

impl Compaction {
    /// The place of the arena that is compacted; `None` after the last one.
    pub(crate) fn arena(&self) -> Option<usize> {
        Some(to_usize(self.arena.into())).filter(|&arena| arena < Arenas::COUNT)
    }

    /// Goes on to the next arena.
    pub(crate) const fn next_arena(&mut self) {
        self.arena = self.arena.saturating_add(1);
        self.stage = Stage::Choosing;
    }

    /// Ends the compaction, wherever it stands. The caller ends that of the arena.
    pub(crate) fn end(&mut self) {
        *self = Compaction::default();
    }
}
