//! What collections that do not look at the whole heap at once know about its objects.

use super::Store;
use crate::arena::Born;
use crate::words::Cell;

impl Store {
    /// Whether states of the objects are kept.
    pub(crate) fn has_states(&self) -> bool {
        !self.resources.states_lost && self.arenas.iter().all(|arena| arena.states().is_kept())
    }

    /// From here on, a cycle sweeps, or none does: new objects are black or white.
    pub(crate) const fn set_sweeping(&mut self, is_sweeping: bool) {
        self.resources.born = if is_sweeping { Born::BLACK } else { Born::WHITE };
        self.arenas.set_sweeping(is_sweeping);
    }

    /// Keeps states from here on; of slots that have none yet, white ones. Returns whether
    /// there is memory for them; none are kept if not.
    pub(crate) fn keep_states(&mut self) -> bool {
        self.set_sweeping(false);
        self.resources.states_lost = false;
        let account = &mut self.resources.account;
        let kept = self.arenas.iter_mut().all(|arena| arena.keep_states(account));
        if !kept {
            self.forget_states();
        }
        kept
    }

    /// Reserves memory for states, which are kept once they were made white, from white ones of
    /// new slots on. Returns whether there is memory for them; none are kept if not.
    pub(crate) fn begin_states(&mut self) -> bool {
        self.set_sweeping(false);
        self.resources.states_lost = false;
        let account = &mut self.resources.account;
        let reserved = self.arenas.iter_mut().all(|arena| arena.reserve_states(account));
        if !reserved {
            self.forget_states();
        }
        reserved
    }

    /// Makes an object grey if it is white, as something refers to it from here on that is
    /// not scanned again; not while a cycle sweeps, when white objects are garbage. O(1).
    pub(crate) fn note_stored(&mut self, cell: Cell) {
        let born = self.resources.born;
        self.arenas.shade_stored(born, cell);
    }

    /// Keeps no states from here on, but their memory. O(1).
    pub(crate) fn end_states(&mut self) {
        self.set_sweeping(false);
        self.resources.states_lost = false;
        self.arenas.iter_mut().for_each(|arena| arena.states_mut().forget());
    }

    /// Keeps no states from here on.
    pub(crate) fn forget_states(&mut self) {
        self.end_states();
        for arena in self.arenas.iter_mut() {
            arena.states_mut().trim(&mut self.resources.account);
        }
    }
}
