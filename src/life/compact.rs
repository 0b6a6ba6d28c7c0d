//! Compaction in steps.

use super::inspect::Fault;
use crate::arena::{Evacuated, Progress};
use crate::heap::{Heap, Stage, StoreParts};
#[cfg(doc)]
use crate::words::{Error, Policy};
use crate::words::{EventKind, Result};

/// What a step of a compaction has done; returned by [`Heap::compact_step`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactStep {
    /// Whether no compaction is under way afterwards.
    pub finished: bool,
    /// The bytes that were moved, and 32 for each object moved, 10 for each slot looked at,
    /// 65,536 for each page of 64 KiB added, 4,096 for each given back.
    pub work: u64,
    /// Objects that were moved. One may be moved twice.
    pub moved: u64,
    /// Bytes that were given back to the allocator.
    pub given_back: u64,
    /// Bytes of the gaps that were left in the arenas that this step has come to an end with.
    pub left: u64,
}

impl Heap {
    /// Does a step of a compaction of all arenas, and begins one if none is under way. The
    /// steps do what [`Heap::compact`] does, without its pause: they close the gaps between
    /// blocks, cut the capacity of the objects that they move back to their length, and give free
    /// pages back to the allocator. Handles stay valid; range hints are checked again at their
    /// next use. Frees no object. Anything may be done with the heap between two steps.
    ///
    /// A step takes O(`work`), and O(n) for the last object that it moves, of n bytes: an
    /// object is moved in one piece. Bytes are as in [`CompactStep::work`]; 256 KiB take some
    /// 0.1 ms. What is added to `work` beyond that is one page at most. All steps together take
    /// O(payload + slots), with a factor for the slots of 5 to 20: the fewer bytes lie in
    /// gaps, the larger.
    ///
    /// It differs from [`Heap::compact`] in this:
    ///
    /// - An arena of which less than 1/32 lies in gaps is left as it is, but for free pages
    ///   beyond its last block.
    /// - Blocks that versions share (`append`) stay where they are. Other blocks move below
    ///   them, so that the gaps become free blocks; an arena with more than a few in its way is
    ///   left. Tables of slots, spare capacity of maps and sets, and scratch memory stay.
    /// - Memory grows by 1/16 of an arena while that is compacted, unless as much is free
    ///   beyond its blocks. If the limits or the allocator do not leave that, the step compacts
    ///   the arena at once. This is no refusal that would make a collection due.
    /// - Where the program allocates more between the steps than there is room for, the memory
    ///   does not grow: the compaction of that arena ends. Its gaps become free blocks then.
    ///
    /// [`CompactStep::left`] tells what was left for these reasons. A collection that compacts
    /// an arena, or empties it, ends the compaction of that arena as well;
    /// [`Policy::with_compact_percent`] of 100 leaves it to the steps, unless a limit is near.
    ///
    /// ```
    /// use segheap::{Bytes, Heap};
    /// let mut heap = Heap::new();
    /// let mut made = Vec::new();
    /// for n in 0..100_000_u32 {
    ///     made.push(heap.alloc(Bytes::of(&n.to_le_bytes()))?);
    /// }
    /// for &bytes in made.iter().skip(1_000) {
    ///     heap.free(bytes)?;
    /// }
    /// while !heap.compact_step(64 << 10)?.finished {
    ///     // The program goes on.
    /// }
    /// assert_eq!(heap.usage().pages(), 1);
    /// assert_eq!(heap.get(made[999])?.as_slice(), 999_u32.to_le_bytes());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug: [`Policy::stress`] verifies the heap
    /// after each step.
    pub fn compact_step(&mut self, work: u64) -> Result<CompactStep> {
        let mut done = Evacuated { most: work.max(1), ..Evacuated::default() };
        let mut left = 0_u64;
        self.compaction.is_under_way = true;
        while self.compaction.arena().is_some() && !done.is_spent() {
            left = left.saturating_add(self.compact_arena(&mut done));
        }
        if self.compaction.arena().is_none() {
            self.compaction.end();
        }
        self.verify_if_stressed()?;
        let Evacuated { work, moved, given_back, .. } = done;
        let finished = !self.compaction.is_under_way;
        Ok(CompactStep { finished, work, moved, given_back, left })
    }

    /// Does the next part of the compaction of an arena. Returns the bytes of gaps that are
    /// left in it if that has ended.
    fn compact_arena(&mut self, done: &mut Evacuated) -> u64 {
        let compaction = &mut self.compaction;
        let StoreParts { arenas, resources, .. } = self.store.parts();
        let Some(arena) = compaction.arena().and_then(|place| arenas.iter_mut().nth(place)) else {
            return 0;
        };
        match compaction.stage {
            Stage::Choosing => {
                done.spend(1);
                compaction.pages = arena.memory().size();
                compaction.stage = if !arena.is_worth_compacting() {
                    Stage::GivingBack
                } else if arena.work_at_once() <= done.left() {
                    done.compact(arena, resources);
                    Stage::GivingBack
                } else {
                    Stage::Reserving
                };
            }
            Stage::Reserving => match arena.reserve_tail(resources, done) {
                Some(false) => {}
                Some(true) => {
                    compaction.evacuation = arena.begin_evacuation();
                    compaction.stage = Stage::Evacuating;
                }
                None => {
                    done.compact(arena, resources);
                    compaction.stage = Stage::GivingBack;
                }
            },
            Stage::Evacuating => match arena.evacuate(&mut compaction.evacuation, done) {
                Progress::UnderWay => {}
                Progress::Done => compaction.stage = Stage::GivingBack,
                Progress::Ended => {
                    compaction.next_arena();
                    return arena.gap_bytes();
                }
            },
            Stage::GivingBack => {
                if arena.give_pages_back(resources, done) {
                    let (from, to) = (compaction.pages, arena.memory().size());
                    if from != to {
                        let kind = EventKind::Compaction { arena: arena.kind(), from, to };
                        resources.account.note_event(kind);
                    }
                    compaction.next_arena();
                    return arena.gap_bytes();
                }
            }
        }
        0
    }

    /// Checks that a compaction in steps is under way in no other arena than that which it has
    /// come to, and has left no block behind there.
    pub(super) fn verify_compaction(&self) -> Result<(), Fault> {
        let here = self.compaction.arena().filter(|_| self.compaction.stage == Stage::Evacuating);
        for (place, arena) in self.store.arenas().iter().enumerate() {
            let fault = |(slot, what)| Fault { kind: Some(arena.kind()), slot, what };
            if Some(place) == here {
                arena.verify_evacuation(&self.compaction.evacuation).map_err(fault)?;
            } else if arena.is_compacting() {
                return Err(fault((None, "an arena is compacted that no step has come to")));
            }
        }
        Ok(())
    }
}
