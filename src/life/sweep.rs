//! What a cycle does to states in the order of slots: it makes objects white before marking,
//! frees white ones after it, and forgets then what was written meanwhile. Young collections
//! sweep the same way.

use super::ephemerons::clear_entries;
use super::steps::{ALL, Step};
use crate::arena::{Arena, Arenas, Swept, Tally};
use crate::heap::{Heap, Phase, Position, StoreParts};
use crate::words::{Kind, to_u64};

/// The bytes that freeing an object counts as.
const FREED: usize = 32;

/// The bytes that sweeping counts as.
fn work_of(swept: Swept) -> u64 {
    let white = to_u64(swept.white).saturating_mul(2);
    let freed = to_u64(swept.freed.saturating_mul(FREED));
    to_u64(swept.passed).max(1).saturating_add(white).saturating_add(freed)
}

impl Heap {
    /// Makes objects white, as far as `work` allows, and begins to mark once all are.
    pub(super) fn whiten_step(&mut self, work: u64, step: &mut Step) {
        let (mut place, mut n) = self.cycle.sweep.get();
        let mut left = usize::try_from(work).unwrap_or(usize::MAX);
        while left > 0 {
            let StoreParts { arenas, resources, .. } = self.store.parts();
            let arena = arenas.get_mut(Kind::from_place(place)).filter(|_| place < Arenas::COUNT);
            let Some(arena) = arena else {
                self.cycle.phase = Phase::Marking;
                break;
            };
            let words = arena.words_to_keep().saturating_sub(n).min(left);
            if !arena.states_mut().whiten(&mut resources.account, n..n.saturating_add(words)) {
                resources.states_lost = true;
                break;
            }
            left = left.saturating_sub(words.max(1));
            n = n.saturating_add(words);
            if n >= arena.words_to_keep() {
                (place, n) = (place.saturating_add(1), 0);
            }
        }
        self.cycle.sweep = Position::new(place, n);
        step.work = work.saturating_sub(to_u64(left));
    }

    /// The words of states of an arena.
    pub(super) fn words_to_sweep(&self, place: usize) -> usize {
        let arena = self.store.arenas().get(Kind::from_place(place));
        arena.filter(|_| place < Arenas::COUNT).map_or(0, Arena::words_of_states)
    }

    /// Frees white objects, as far as `work` allows. Goes from the last slot of each arena
    /// to the first, so that the top of the memory falls.
    pub(super) fn sweep_step(&mut self, work: u64, step: &mut Step) {
        let mut done = 0_u64;
        let (mut place, mut n) = self.cycle.sweep.get();
        while place < Arenas::COUNT && done < work {
            let StoreParts { arenas, resources, .. } = self.store.parts();
            let Some(arena) = arenas.get_mut(Kind::from_place(place)) else { break };
            let tally: &mut Tally = &mut resources.tally;
            let roots = &mut self.roots;
            while n > 0 && done < work {
                // Of an earlier peak, most pages of slots were dropped.
                let stored = arena.stored_words(n);
                n = n.min(stored.end);
                let most = usize::try_from(work.saturating_sub(done)).unwrap_or(usize::MAX);
                let freed = &mut step.freed;
                let limits = (most, most.div_ceil(FREED));
                let swept = arena.sweep_white(tally, stored.start..n, limits, |cell| {
                    *freed = freed.saturating_add(1);
                    roots.note_freed(cell);
                });
                n = swept.end;
                done = done.saturating_add(work_of(swept));
            }
            if n == 0 {
                arena.reset_if_empty();
                place = place.saturating_add(1);
                n = self.words_to_sweep(place);
            }
        }
        self.cycle.sweep = Position::new(place, n);
        self.cycle.has_freed |= step.freed > 0;
        if self.cycle.ephemerons.is_unfinished() {
            let StoreParts { arenas, resources, .. } = self.store.parts();
            let most = work.saturating_sub(done).div_ceil(16);
            let entries = clear_entries(arenas, resources, &mut self.cycle.ephemerons, most);
            step.cleared = step.cleared.saturating_add(entries.0);
            done = done.saturating_add(entries.1.saturating_mul(16));
            done = done.saturating_add(entries.0.saturating_mul(32));
        }
        let is_swept = place >= Arenas::COUNT && !self.cycle.ephemerons.is_unfinished();
        if is_swept && self.cycle.phase == Phase::Sweeping {
            done = done.saturating_add(self.clean_step(work.saturating_sub(done)));
        }
        step.work = step.work.saturating_add(done);
    }

    /// Makes grey objects black after the sweep of a cycle, as far as `work` allows: nothing
    /// white is left that they could refer to. Returns the work done.
    fn clean_step(&mut self, work: u64) -> u64 {
        let (mut place, mut group) = self.cycle.cleaned.get();
        let mut left = usize::try_from(work).unwrap_or(usize::MAX);
        while left > 0 {
            let arenas = self.store.arenas_mut();
            let arena = arenas.get_mut(Kind::from_place(place)).filter(|_| place < Arenas::COUNT);
            let Some(arena) = arena else {
                self.cycle.phase = Phase::Idle;
                break;
            };
            let passed = arena.states_mut().blacken_grey(&mut group, left);
            if passed < left {
                (place, group) = (place.saturating_add(1), 0);
            }
            left = left.saturating_sub(passed.max(1));
        }
        self.cycle.cleaned = Position::new(place, group);
        work.saturating_sub(to_u64(left))
    }

    /// Sweeps what is left to be swept, if a cycle is sweeping.
    pub(super) fn finish_sweep(&mut self) {
        if self.cycle.phase == Phase::Sweeping {
            let mut step = Step::default();
            self.sweep_step(ALL, &mut step);
            self.finish_cycle();
        }
    }
}
