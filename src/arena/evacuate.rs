//! Compaction of an arena in steps: see `blocks/evacuate` for the memory.
//!
//! A pass over the slots evacuates the blocks that begin in one stretch of memory. No block is
//! allocated in a stretch that is not compacted, so that none is left behind the pass. Blocks
//! that cannot be evacuated are remembered, a few of them, and slide down or stay at the end of
//! the pass; if there are more, the stretch ends before the first that is not remembered.

use super::slot::Block;
use super::slots::Slots;
use super::{Arena, Resources, Slot};
use crate::words::{SHARED, to_u64, to_usize};

/// Blocks of a stretch that are remembered as not evacuated.
const LEFT_MAX: usize = 8;
/// Slots looked at in a row, and objects found whose payload is prefetched.
const SLOTS: usize = 256;
const FOUND: usize = 16;
/// The work of looking at a slot, of moving an object, and of giving back a page.
const LOOK: u64 = 10;
const MOVE: u64 = 32;
const PAGE: u64 = 4096;
/// The tail for the first stretch is this part of the blocks.
const PARTS: u32 = 16;

/// The work of a step, and what it has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evacuated {
    pub(crate) most: u64,
    pub(crate) work: u64,
    /// The objects that were moved.
    pub(crate) moved: u64,
    /// The bytes of memory that were given back.
    pub(crate) given_back: u64,
}

impl Evacuated {
    pub(crate) const fn spend(&mut self, work: u64) {
        self.work = self.work.saturating_add(work);
    }

    pub(crate) const fn is_spent(&self) -> bool {
        self.work >= self.most
    }

    /// The work that is left.
    pub(crate) const fn left(&self) -> u64 {
        self.most.saturating_sub(self.work)
    }

    /// Compacts an arena at once.
    pub(crate) fn compact<const BITS: u32>(
        &mut self,
        arena: &mut Arena<BITS>,
        resources: &mut Resources,
    ) {
        self.spend(arena.work_at_once());
        let (live, before) = (arena.slots.counts().live, arena.memory().reserved_bytes());
        arena.compact(resources);
        self.moved = self.moved.saturating_add(u64::from(live));
        let given = before.saturating_sub(arena.memory().reserved_bytes());
        self.given_back = self.given_back.saturating_add(given);
    }
}

/// How far the compaction of an arena has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    UnderWay,
    /// Nothing is left to be moved, or it is not worth it.
    Done,
    /// The program has ended it: see `Blocks::end_early`.
    Ended,
}

/// A block that was not evacuated: where it lay then, with the flags of the slot above the
/// size, and the slot.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    off: u32,
    room: u32,
    slot: u32,
}

impl Left {
    const fn is_shared(self) -> bool {
        self.room & SHARED != 0
    }

    const fn block(self) -> Block {
        Slot { key: 0, len: 0, off: self.off, room: self.room }.block()
    }

    /// Whether a block lies within this one, whose front may have been cut since.
    const fn has(self, block: Block) -> bool {
        block.off >= self.off && block.off.wrapping_sub(self.off) < self.block().cap
    }
}

/// The stretch that is evacuated, and how far the pass over the slots has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evacuation {
    start: u32,
    end: u32,
    planned_end: u32,
    /// The slots before this one were looked at.
    next: u32,
    /// Blocks that were not evacuated, in the order of memory.
    left: [Left; LEFT_MAX],
    count: u8,
    /// Those of them that have been dealt with; the pass has ended then.
    settled: Option<u8>,
}

impl Evacuation {
    /// Remembers a block that cannot be evacuated.
    fn leave(&mut self, slot: u32, object: Slot) {
        let count = usize::from(self.count);
        let known = self.left.get(..count).unwrap_or_default();
        let at = known.partition_point(|left| left.off < object.off);
        if known.get(at).is_some_and(|left| left.off == object.off) {
            return;
        }
        let left = Left { off: object.off, room: object.room, slot };
        if count < LEFT_MAX {
            self.count = self.count.saturating_add(1);
        } else if at < LEFT_MAX {
            self.end = self.left.last().map_or(self.end, |left| left.off);
        } else {
            self.end = left.off;
            return;
        }
        if let Some(from) = self.left.get_mut(at..) {
            from.rotate_right(1);
            if let Some(place) = from.first_mut() {
                *place = left;
            }
        }
    }

    const fn has(&self, off: u32) -> bool {
        off >= self.start && off < self.end
    }

    /// The blocks that were left below the end.
    fn left(&self) -> impl Iterator<Item = Left> + use<> {
        let end = self.end;
        self.left.into_iter().take(usize::from(self.count)).filter(move |left| left.off < end)
    }
}

/// Choosing how to compact.
impl<const BITS: u32> Arena<BITS> {
    /// Whether closing the gaps gains enough: a 32nd of the memory up to the top.
    pub(crate) fn is_worth_compacting(&self) -> bool {
        let gaps = self.blocks.gaps();
        gaps > 0 && gaps.saturating_mul(32) >= self.blocks.top()
    }

    /// The bytes of the gaps between blocks.
    pub(crate) fn gap_bytes(&self) -> u64 {
        self.blocks.gaps().saturating_mul(8)
    }

    /// The work of [`Arena::compact`].
    pub(crate) fn work_at_once(&self) -> u64 {
        let slots = to_u64(self.slots.len()).saturating_mul(LOOK.saturating_mul(2));
        let objects = u64::from(self.slots.counts().live).saturating_mul(MOVE);
        slots.saturating_add(objects).saturating_add(self.blocks.top().saturating_mul(8))
    }

    /// Reserves a tail for the first stretch, as far as the work allows. Returns whether there
    /// is one, or `None` if there is no memory for it.
    pub(crate) fn reserve_tail(
        &mut self,
        resources: &mut Resources,
        done: &mut Evacuated,
    ) -> Option<bool> {
        let top = u32::try_from(self.blocks.top()).unwrap_or(u32::MAX);
        let wanted = (top / PARTS).max(64);
        while self.blocks.tail() < wanted / 2 {
            if done.is_spent() {
                return Some(false);
            }
            let before = self.memory().size();
            let kind = self.kind();
            if !self.blocks.grow_tail(resources, kind, wanted, done.left() >> 16) {
                return (self.blocks.tail() >= wanted / 16).then_some(true);
            }
            let pages = self.memory().size().saturating_sub(before);
            done.spend(pages.saturating_mul(PAGE.saturating_mul(16)));
        }
        Some(true)
    }

    /// Gives pages that no block needs back, as far as the work allows, and spare capacity.
    /// Returns whether nothing is left to be given back.
    pub(crate) fn give_pages_back(
        &mut self,
        resources: &mut Resources,
        done: &mut Evacuated,
    ) -> bool {
        let (size, wanted) = (self.memory().size(), self.blocks.pages_needed());
        let pages = size.saturating_sub(wanted).min((done.left() / PAGE).max(1));
        let before = self.memory().reserved_bytes();
        let target = size.saturating_sub(pages);
        self.blocks.give_pages_back(&mut resources.account, target);
        let given = before.saturating_sub(self.memory().reserved_bytes());
        done.given_back = done.given_back.saturating_add(given);
        done.spend(pages.saturating_mul(PAGE));
        target <= wanted
    }
}

/// Evacuating.
impl<const BITS: u32> Arena<BITS> {
    /// Begins to evacuate the blocks.
    pub(crate) fn begin_evacuation(&mut self) -> Evacuation {
        self.blocks.begin_compaction();
        self.next_stretch()
    }

    /// The next stretch: as long as the room for its blocks, so that they all fit, whatever
    /// part of it they are. The first one has the tail for its room.
    fn next_stretch(&self) -> Evacuation {
        let (start, high) = (self.blocks.bound(), self.blocks.high());
        let all = high.saturating_sub(start);
        let (room, tail) = (self.blocks.room(), self.blocks.tail().min(all / (PARTS / 2)));
        let len = room.max(tail).max(all / 64).max(1).min(all);
        let end = start.saturating_add(len);
        Evacuation { start, end, planned_end: end, ..Evacuation::default() }
    }

    /// Goes on evacuating, as far as the work allows. O(work), and O(len) for one object.
    pub(crate) fn evacuate(&mut self, at: &mut Evacuation, done: &mut Evacuated) -> Progress {
        let moved = done.moved;
        let progress = self.evacuate_stretches(at, done);
        if done.moved != moved {
            self.epoch.advance();
        }
        progress
    }

    fn evacuate_stretches(&mut self, at: &mut Evacuation, done: &mut Evacuated) -> Progress {
        loop {
            if !self.blocks.is_compacting() {
                return Progress::Ended;
            }
            let Some(settled) = at.settled else {
                if !self.evacuate_stretch(at, done) {
                    return Progress::UnderWay;
                }
                self.blocks.close_room();
                at.settled = Some(0);
                continue;
            };
            if let Some(left) = at.left().nth(usize::from(settled)) {
                if done.is_spent() {
                    return Progress::UnderWay;
                }
                self.settle(left, done);
                at.settled = Some(settled.saturating_add(1));
                continue;
            }
            self.blocks.open_room(at.end);
            let advance = self.blocks.bound().saturating_sub(at.start);
            if self.blocks.bound() >= self.blocks.high() {
                self.blocks.finish_compaction();
                return Progress::Done;
            }
            if advance < at.planned_end.saturating_sub(at.start) / 8 {
                self.blocks.end_early();
                return Progress::Done;
            }
            *at = self.next_stretch();
        }
    }

    /// Goes on with the pass over the slots. Returns whether it has ended.
    fn evacuate_stretch(&mut self, at: &mut Evacuation, done: &mut Evacuated) -> bool {
        loop {
            if done.is_spent() {
                return false;
            }
            let Some(range) = self.slots.range_from(to_usize(at.next)) else { return true };
            let first = u32::try_from(range.start).unwrap_or(u32::MAX);
            let end = range.end.min(range.start.saturating_add(SLOTS));
            let mut found = [0_u32; FOUND];
            let (mut count, mut next) = (0_usize, first);
            for slot in self.slots.stored_in(range.start..end) {
                let index = next;
                next = next.wrapping_add(1);
                if at.has(slot.off) && Slots::<BITS>::is_live(slot) {
                    if let Some(place) = found.get_mut(count) {
                        *place = index;
                    }
                    count = count.wrapping_add(1);
                    if count == FOUND {
                        break;
                    }
                }
            }
            done.spend(u64::from(next.wrapping_sub(first)).saturating_mul(LOOK));
            at.next = next;
            let found = found.get(..count).unwrap_or_default();
            found.iter().for_each(|&index| self.prefetch_payload(index));
            // At least one, so that a step of any size gets on.
            for (n, &index) in found.iter().enumerate() {
                if n > 0 && done.is_spent() {
                    at.next = index;
                    return false;
                }
                self.move_out(index, at, done);
            }
        }
    }

    /// Evacuates the block of an object, cut to what the object needs.
    fn move_out(&mut self, index: u32, at: &mut Evacuation, done: &mut Evacuated) {
        let Some(&slot) = self.slots.get(index) else { return };
        // The stretch may have become shorter meanwhile.
        if !at.has(slot.off) {
            return;
        }
        if slot.is_shared() {
            at.leave(index, slot);
            return;
        }
        let (block, words) = (slot.block(), self.shape.words(slot.len, slot.room));
        let target =
            if words == 0 { Some(Block::default()) } else { self.blocks.take_target(words) };
        let Some(target) = target else {
            at.leave(index, slot);
            return;
        };
        self.blocks.copy_words(block, words, target);
        self.blocks.free(block);
        self.note_moved_to(index, words, target, done);
    }

    /// Deals with a block that was not evacuated: slides it down, or leaves it if versions
    /// share it.
    fn settle(&mut self, left: Left, done: &mut Evacuated) {
        done.spend(LOOK);
        if left.is_shared() {
            self.blocks.pass(left.block());
            return;
        }
        let slot = self.slots.get(left.slot).copied();
        // It may have been freed or moved since, or be another one's slot.
        let live = slot.filter(|slot| Slots::<BITS>::is_live(slot) && left.has(slot.block()));
        let Some(slot) = live else { return };
        let (block, words) = (slot.block(), self.shape.words(slot.len, slot.room));
        if words == 0 {
            self.blocks.free(block);
            self.note_moved_to(left.slot, 0, Block::default(), done);
            return;
        }
        let moved = self.blocks.slide(block, words);
        self.note_moved_to(left.slot, words, moved, done);
    }

    fn note_moved_to(&mut self, index: u32, words: usize, block: Block, done: &mut Evacuated) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.set_block(block);
        }
        done.spend(to_u64(words).saturating_mul(8).saturating_add(MOVE));
        done.moved = done.moved.saturating_add(1);
    }

    /// Checks that no block was left behind the pass but those that are remembered.
    ///
    /// # Errors
    /// The first fault: the slot, and a description.
    pub(crate) fn verify_evacuation(
        &self,
        at: &Evacuation,
    ) -> Result<(), (Option<u32>, &'static str)> {
        if !self.blocks.is_compacting() {
            return Ok(());
        }
        let settled = usize::from(at.settled.unwrap_or(0));
        for (cell, slot) in self.live().filter(|(_, slot)| slot.cap() > 0) {
            let passed = cell.slot() < at.next || at.settled.is_some();
            let is_left = |slot: Slot| at.left().skip(settled).any(|left| left.has(slot.block()));
            let is_due = at.has(slot.off) && self.blocks.is_to_be_moved(slot.block());
            if is_due && passed && !is_left(slot) {
                return Err((Some(cell.slot()), "a block was left behind a compaction"));
            }
        }
        Ok(())
    }

    /// Whether a compaction in steps is under way.
    pub(crate) const fn is_compacting(&self) -> bool {
        self.blocks.is_compacting()
    }
}
