//! [`Cycle`]: how far a collection in steps has come.

use alloc::vec::Vec;

use super::ephemerons::Ephemerons;
use crate::arena::Account;
use crate::words::{Cell, to_u64, to_usize};

/// What the next step of a cycle does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No cycle is under way.
    #[default]
    Idle,
    /// All objects become white: nothing has been marked yet.
    Whitening,
    /// Objects are marked: white ones have not been reached.
    Marking,
    /// White objects are garbage, and freed.
    Sweeping,
}

/// How far a pass over the states of all arenas has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Position {
    place: u32,
    n: u32,
}

impl Position {
    /// An arena, and the words or groups of its states, which have 32 slots or more each.
    pub(crate) fn new(place: usize, n: usize) -> Position {
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position { place: short(place), n: short(n) }
    }

    pub(crate) const fn get(self) -> (usize, usize) {
        (to_usize(self.place), to_usize(self.n))
    }
}

/// A large object of which the cells before a position have been scanned, or none.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    /// No handle, for none.
    object: Cell,
    start: usize,
}

impl Partial {
    pub(crate) const fn new(object: Cell, start: usize) -> Partial {
        Partial { object, start }
    }

    pub(crate) const fn is_some(&self) -> bool {
        self.object.is_handle()
    }

    pub(crate) fn get(&self) -> Option<(Cell, usize)> {
        self.is_some().then_some((self.object, self.start))
    }

    pub(crate) fn take(&mut self) -> Option<(Cell, usize)> {
        core::mem::take(self).get()
    }
}

/// A cycle: all objects become white; marking; sweeping.
#[derive(Debug, Default)]
pub(crate) struct Cycle {
    pub(crate) phase: Phase,
    /// White objects that were reached, and will be scanned. Those that it has no room for
    /// are grey instead.
    pub(crate) work: Vec<Cell>,
    /// A large object of which the cells before a position have been scanned.
    pub(crate) partial: Partial,
    /// The pins that have been taken for roots.
    pub(crate) pins: usize,
    /// The arena that is swept, and the words of states of it that are not swept yet; or
    /// that is made white, and the words that are.
    pub(crate) sweep: Position,
    /// The arena whose grey objects become black after the sweep, and the groups of words
    /// before which there are none.
    pub(crate) cleaned: Position,
    /// The bytes that were marked so far.
    pub(crate) marked: u64,
    /// The steps since more bytes were marked than there are: the program writes to objects
    /// faster than steps scan them again.
    pub(crate) rescans: u32,
    /// The entries of weak tables that wait for their keys.
    pub(crate) ephemerons: Ephemerons,
    /// Whether the sweep has freed anything so far.
    pub(crate) has_freed: bool,
    /// Whether states are kept after collections of the whole heap, for young ones: from
    /// the first young collection on.
    pub(crate) keeps_states: bool,
}

impl Cycle {
    /// Bytes requested for the work list and for entries of weak tables.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        let work = self.work.capacity().saturating_mul(size_of::<Cell>());
        to_u64(work).saturating_add(self.ephemerons.reserved_bytes())
    }

    /// Ends the cycle, wherever it stands, and gives its memory back.
    pub(crate) fn end(&mut self, account: &mut Account) {
        self.work.clear();
        account.shrink(&mut self.work, 0);
        self.ephemerons.end(account);
        *self = Cycle { keeps_states: self.keeps_states, ..Cycle::default() };
    }
}
