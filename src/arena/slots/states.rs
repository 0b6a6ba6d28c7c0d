//! [`States`]: what collections that do not look at the whole heap at once know about
//! each object: two bits for each slot.
//!
//! The words of 32 slots each come first, 64 of them a group. For each group, a word follows
//! whose bits say which words of the group may have a grey slot, and at the end, from the last
//! to the first, one whose bits say which may have a white one. So neither is looked for in
//! all words. Without words, nothing is known of any object.

use alloc::vec::Vec;
use core::ops::Range;

use crate::arena::Account;
use crate::words::{Result, to_usize};

/// A slot's bits: an object is white, black or grey. Of a slot without one, all are right.
///
/// | | between cycles | while one marks | while it sweeps |
/// |---|---|---|---|
/// | white | allocated since the last collection | not reached yet | garbage |
/// | black | old, not written since | scanned, not written since | live |
/// | grey | old, written since | to be scanned, again or at all | live, written since |
const BLACK: u64 = 1;
const GREY: u64 = 2;

/// The slots of a word.
const SLOTS: usize = 32;
/// The words of a group.
const GROUP: usize = 64;
/// The low bits of all slots of a word.
const LOW: u64 = 0x5555_5555_5555_5555;

/// The words for each group: those of its slots, and one for grey and for white ones each.
const GROUP_AND_SUMMARIES: usize = GROUP + 2;

/// White slots, from the last to the first, which are black from here on.
#[derive(Debug)]
pub(crate) struct Whites {
    slots: [u32; Whites::MOST],
    len: usize,
    /// Once there are so many, no further word is looked at.
    enough: usize,
}

impl Whites {
    /// As many cache misses as overlap, and a word.
    const MOST: usize = 2 * SLOTS;

    /// No slots, with room for `enough` and those of a word, or for [`Whites::MOST`].
    pub(crate) const fn new(enough: usize) -> Whites {
        let most = Whites::MOST - SLOTS + 1;
        let enough = if enough < most { enough } else { most };
        Whites { slots: [0; Whites::MOST], len: 0, enough }
    }

    pub(crate) fn as_slice(&self) -> &[u32] {
        self.slots.get(..self.len).unwrap_or_default()
    }

    /// Whether there is room for the slots of a word.
    const fn has_room(&self) -> bool {
        self.len < self.enough
    }

    /// Adds the slots from `first` on whose low bits are set.
    fn add(&mut self, first: u32, mut bits: u64) {
        while let Some(bit) = bits.checked_ilog2() {
            bits ^= 1 << bit;
            if let Some(place) = self.slots.get_mut(self.len) {
                *place = first.saturating_add(bit / 2);
                self.len = self.len.wrapping_add(1);
            }
        }
    }
}

/// The states of the slots of an arena.
#[derive(Debug, Default)]
pub(crate) struct States {
    words: Vec<u64>,
}

/// A capacity and a length, to return to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatesExtent {
    len: usize,
    capacity: usize,
}

/// The place of a slot's bits in its word.
#[inline(always)]
const fn shift(index: u32) -> u32 {
    (index & 31) << 1
}

/// The groups for so many slots, one at least.
const fn groups_for(slots: usize) -> usize {
    let groups = slots.div_ceil(SLOTS.saturating_mul(GROUP));
    if groups > 0 { groups } else { 1 }
}

/// The bits of the states of a slot that has an object when it is born.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Born(u64);

impl Born {
    pub(crate) const WHITE: Born = Born(0);
    pub(crate) const BLACK: Born = Born(LOW);
}

impl States {
    pub(super) const fn new() -> States {
        States { words: Vec::new() }
    }

    /// A copy on this account.
    pub(super) fn try_clone(&self, account: &mut Account) -> Result<States> {
        Ok(States { words: account.copied(&self.words)? })
    }

    /// Whether states are kept.
    #[inline]
    pub(crate) fn is_kept(&self) -> bool {
        !self.words.is_empty()
    }

    fn groups(&self) -> usize {
        self.words.len() / GROUP_AND_SUMMARIES
    }

    /// The place of the word that says which words of a group may have a white slot.
    #[inline(always)]
    fn place_of_whites(&self, group: usize) -> usize {
        self.words.len().wrapping_sub(group).wrapping_sub(1)
    }

    /// The words of states of so many slots.
    pub(crate) const fn words_for(slots: usize) -> usize {
        slots.div_ceil(SLOTS)
    }

    /// The slots of so many words of states.
    pub(crate) const fn words_to_slots(words: usize) -> usize {
        words.saturating_mul(SLOTS)
    }

    /// The words of states that are kept of so many slots.
    pub(crate) const fn words_to_keep(slots: usize) -> usize {
        groups_for(slots).saturating_mul(GROUP)
    }

    /// The word with the state of a slot.
    pub(crate) const fn word_of(slot: usize) -> usize {
        slot / SLOTS
    }

    /// The number of words with states.
    pub(crate) fn len(&self) -> usize {
        self.groups().saturating_mul(GROUP)
    }

    /// Whether the object in a slot is black.
    #[inline(always)]
    pub(crate) fn is_black(&self, index: u32) -> bool {
        // Fewer instructions where states are not kept than the bound of the index alone. The
        // capacity is read for nothing else, so that it is compared in memory.
        if self.words.capacity() == 0 {
            return false;
        }
        let word = self.words.get(to_usize(index) / SLOTS);
        word.is_some_and(|word| word >> shift(index) & BLACK != 0)
    }

    /// Whether the object in a slot is white, or states are not kept.
    #[inline(always)]
    pub(crate) fn is_white(&self, index: u32) -> bool {
        let word = self.words.get(to_usize(index) / SLOTS).copied().unwrap_or(0);
        word >> shift(index) & 3 == 0
    }

    /// Whether a slot has a state, which is white. Others may be missing while a cycle
    /// sweeps.
    pub(crate) fn is_known_white(&self, index: u32) -> bool {
        to_usize(index) / SLOTS < self.len() && self.is_white(index)
    }

    /// Notes that a slot has a new object.
    #[inline(always)]
    pub(super) fn note_born(&mut self, index: u32, born: Born) {
        let place = to_usize(index) / SLOTS;
        let group = place / GROUP;
        // States may be missing, or those of new slots only.
        if group.wrapping_mul(GROUP_AND_SUMMARIES) >= self.words.len() {
            return;
        }
        let whites = self.place_of_whites(group);
        if let Some(word) = self.words.get_mut(place) {
            let slot = 3 << shift(index);
            *word = *word & !slot | born.0 & slot;
        }
        if let Some(word) = self.words.get_mut(whites) {
            *word |= 1 << (place % GROUP);
        }
    }

    /// Makes the object in a slot black.
    #[inline(always)]
    pub(crate) fn blacken(&mut self, index: u32) {
        if let Some(word) = self.words.get_mut(to_usize(index) / SLOTS) {
            let slot = 3 << shift(index);
            *word = *word & !slot | LOW & slot;
        }
    }

    /// Makes the object in a slot grey.
    pub(crate) fn shade(&mut self, index: u32) {
        let place = to_usize(index) / SLOTS;
        let summary = self.len().saturating_add(place / GROUP);
        if place >= self.len() {
            return;
        }
        if let Some(word) = self.words.get_mut(place) {
            let slot = shift(index);
            *word = *word & !(3 << slot) | GREY << slot;
        }
        if let Some(word) = self.words.get_mut(summary) {
            *word |= 1 << (place % GROUP);
        }
    }

    /// The first grey slot of the groups from `group` on, which moves on to its group. Adds
    /// the words that it has looked at to `passed`.
    pub(crate) fn next_grey(&mut self, group: &mut usize, passed: &mut usize) -> Option<u32> {
        let len = self.len();
        while *group < self.groups() {
            *passed = passed.saturating_add(1);
            let bits = *self.words.get(len.saturating_add(*group))?;
            if bits == 0 {
                *group = group.saturating_add(1);
                continue;
            }
            let bit = to_usize(bits.trailing_zeros());
            let place = group.saturating_mul(GROUP).saturating_add(bit);
            let grey = self.words.get(place)? >> 1 & LOW;
            if grey != 0 {
                let slot = place.saturating_mul(SLOTS);
                let slot = slot.saturating_add(to_usize(grey.trailing_zeros() / 2));
                return u32::try_from(slot).ok();
            }
            *self.words.get_mut(len.saturating_add(*group))? &= bits.wrapping_sub(1);
        }
        None
    }

    /// Takes white slots of a range of words, from the last to the first, until `taken` has no
    /// room for those of a word, or `most` words were looked at; slots without an object may be
    /// among them. Returns the end of the rest of the range, and the words looked at.
    pub(crate) fn take_white(
        &mut self,
        range: Range<usize>,
        most: usize,
        taken: &mut Whites,
    ) -> (usize, usize) {
        let (mut end, mut passed) = (range.end.min(self.len()), 0_usize);
        while range.start < end && passed < most && taken.has_room() {
            let last = end.wrapping_sub(1);
            let group = last / GROUP;
            let first = group.wrapping_mul(GROUP);
            passed = passed.saturating_add(1);
            let whites = self.place_of_whites(group);
            let Some(summary) = self.words.get_mut(whites) else { break };
            // Those of the words before `end`.
            let bits = *summary & u64::MAX >> (GROUP - 1).wrapping_sub(last % GROUP);
            let Some(bit) = bits.checked_ilog2() else {
                end = first.max(range.start);
                continue;
            };
            let place = first.saturating_add(to_usize(bit));
            if place < range.start {
                end = range.start;
                continue;
            }
            *summary &= !(1 << bit);
            passed = passed.saturating_add(1);
            end = place;
            if let Some(word) = self.words.get_mut(place) {
                let white = !(*word | *word >> 1) & LOW;
                *word |= white;
                taken.add(u32::try_from(place.saturating_mul(SLOTS)).unwrap_or(u32::MAX), white);
            }
        }
        (end, passed)
    }

    /// Makes the slots of the first `n` words black, and all others white, of which none has
    /// an object.
    pub(crate) fn blacken_first(&mut self, n: usize) {
        self.words.fill(0);
        let len = self.len().min(n);
        self.words.get_mut(..len).unwrap_or_default().fill(LOW);
    }

    /// Keeps states of the slots of a range of words, and makes them white. Returns whether
    /// there is memory for that, which [`States::reserve`] provides. O(words).
    pub(crate) fn whiten(&mut self, account: &mut Account, range: Range<usize>) -> bool {
        let (old, groups) = (self.groups(), range.end.div_ceil(GROUP));
        if groups > old {
            if !self.has_room(account, groups) {
                return false;
            }
            self.resize(groups);
        }
        let range = range.start..range.end.min(old.saturating_mul(GROUP));
        self.words.get_mut(range.clone()).unwrap_or_default().fill(0);
        // Of other words of the groups at its ends, they only may have white slots.
        let groups = range.start / GROUP..range.end.div_ceil(GROUP);
        let whites = self.words.len().saturating_sub(groups.end)
            ..self.words.len().saturating_sub(groups.start);
        self.words.get_mut(whites).unwrap_or_default().fill(u64::MAX);
        self.note_white_from(old);
        true
    }

    /// Reserves memory for states of `slots` slots. Returns whether there is.
    pub(crate) fn reserve(&mut self, account: &mut Account, slots: usize) -> bool {
        self.has_room(account, groups_for(slots))
    }

    /// Whether there is memory for so many groups; reserves it. That a limit refused it is not
    /// noted.
    fn has_room(&mut self, account: &mut Account, groups: usize) -> bool {
        let len = groups.saturating_mul(GROUP_AND_SUMMARIES);
        let missing = len.saturating_sub(self.words.capacity()).saturating_mul(8);
        missing <= account.left() && account.reserve(&mut self.words, len).is_ok()
    }

    /// Makes grey slots black, from group `group` on, which moves on with the words that
    /// were looked at, no more than `most` and a group. Returns their number.
    pub(crate) fn blacken_grey(&mut self, group: &mut usize, most: usize) -> usize {
        let (len, mut passed) = (self.len(), 0_usize);
        while *group < self.groups() && passed < most {
            let summary = self.words.get_mut(len.saturating_add(*group)).map_or(0, core::mem::take);
            passed = passed.saturating_add(1);
            let mut bits = summary;
            while bits != 0 {
                let place = group.saturating_mul(GROUP);
                let place = place.saturating_add(to_usize(bits.trailing_zeros()));
                bits &= bits.wrapping_sub(1);
                if let Some(word) = self.words.get_mut(place) {
                    let grey = *word >> 1 & LOW;
                    *word = *word & LOW | grey;
                }
                passed = passed.saturating_add(1);
            }
            *group = group.saturating_add(1);
        }
        passed
    }

    /// Keeps states of `slots` slots. New ones are white. Returns whether there is memory
    /// for that. Nothing has changed if not; nor is it noted that a limit refused it.
    pub(crate) fn keep(&mut self, account: &mut Account, slots: usize) -> bool {
        let (old, groups) = (self.groups(), groups_for(slots));
        if groups <= old {
            return true;
        }
        let len = groups.saturating_mul(GROUP_AND_SUMMARIES);
        if self.words.capacity() == 0 && len.saturating_mul(8) <= account.left() {
            // Zeroed by the allocator: no page of it is written before it is needed.
            let done = account.replace_zeroed(&mut self.words, len, |_, _| {}).unwrap_or(false);
            self.note_white_from(0);
            return done;
        }
        if !self.has_room(account, groups) {
            return false;
        }
        self.resize(groups);
        self.note_white_from(old);
        true
    }

    /// Notes that all slots of the groups from `group` on may be white.
    fn note_white_from(&mut self, group: usize) {
        let first = self.groups().saturating_mul(GROUP + 1);
        let end = self.words.len().saturating_sub(group);
        self.words.get_mut(first..end).unwrap_or_default().fill(u64::MAX);
    }

    /// Moves the words that belong to groups as a whole to where they are with so many groups,
    /// for which there is capacity.
    fn resize(&mut self, groups: usize) {
        let old = self.groups();
        let kept = groups.min(old);
        let longer = groups.max(old).saturating_mul(GROUP_AND_SUMMARIES);
        self.words.resize(longer, 0);
        let grey = |groups: usize| groups.saturating_mul(GROUP);
        let white = |groups: usize| groups.saturating_mul(GROUP_AND_SUMMARIES).wrapping_sub(kept);
        let copies = [(grey(old), grey(groups)), (white(old), white(groups))];
        // Neither is written before it was read.
        let order = if groups > old { [1, 0] } else { [0, 1] };
        for (from, to) in order.into_iter().filter_map(|n: usize| copies.get(n).copied()) {
            self.words.copy_within(from..from.saturating_add(kept), to);
        }
        if groups > old {
            // What lay there before is that of new slots, which are white, or was moved.
            let (from, to) = (grey(old), grey(groups));
            self.words.get_mut(from..to).unwrap_or_default().fill(0);
            let (from, to) = (to.saturating_add(kept), white(groups));
            self.words.get_mut(from..to).unwrap_or_default().fill(0);
        } else {
            self.words.truncate(groups.saturating_mul(GROUP_AND_SUMMARIES));
        }
    }

    /// Keeps no states from here on.
    pub(crate) fn forget(&mut self) {
        self.words.clear();
    }

    /// Gives back memory that is not in use.
    pub(crate) fn trim(&mut self, account: &mut Account) {
        account.shrink(&mut self.words, 0);
    }

    pub(super) fn extent(&self) -> StatesExtent {
        StatesExtent { len: self.words.len(), capacity: self.words.capacity() }
    }

    /// Shrinks to an earlier extent, unless states are no longer kept.
    pub(super) fn shrink(&mut self, account: &mut Account, extent: StatesExtent) {
        let old = extent.len / GROUP_AND_SUMMARIES;
        if old < self.groups() {
            self.resize(old);
        }
        account.shrink(&mut self.words, extent.capacity);
    }

    /// The bytes requested.
    pub(super) fn reserved_bytes(&self) -> usize {
        self.words.capacity().saturating_mul(8)
    }
}

#[cfg(test)]
#[path = "states/tests.rs"]
mod tests;
