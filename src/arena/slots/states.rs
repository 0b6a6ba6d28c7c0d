//! [`States`]: what collections that do not look at the whole heap at once know about
//! each object: two bits for each slot.
//!
//! The words of 32 slots each come first, 64 of them a group; then, for each group, a
//! word whose bits say which words of the group may have a grey slot. So grey slots are
//! found without a look at all words. Without words, nothing is known of any object.

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

/// The groups for so many slots.
const fn groups_for(slots: usize) -> usize {
    slots.div_ceil(SLOTS.saturating_mul(GROUP))
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
        self.words.len() / (GROUP + 1)
    }

    /// The words of states of so many slots.
    pub(crate) const fn words_for(slots: usize) -> usize {
        slots.div_ceil(SLOTS)
    }

    /// The slots of so many words of states.
    pub(crate) const fn words_to_slots(words: usize) -> usize {
        words.saturating_mul(SLOTS)
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
        if self.words.is_empty() {
            return;
        }
        if let Some(word) = self.words.get_mut(to_usize(index) / SLOTS) {
            let slot = 3 << shift(index);
            *word = *word & !slot | born.0 & slot;
        }
    }

    /// Makes the object in a slot black.
    #[inline(always)]
    pub(crate) fn blacken(&mut self, index: u32) {
        self.note_born(index, Born::BLACK);
    }

    /// Makes the object in a slot grey.
    pub(crate) fn shade(&mut self, index: u32) {
        let place = to_usize(index) / SLOTS;
        let summary = self.len().saturating_add(place / GROUP);
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

    /// The last word of a range that has a white slot. O(words passed).
    pub(crate) fn last_white(&self, range: Range<usize>) -> Option<usize> {
        /// Words that are tested at once.
        const CHUNK: usize = 16;
        let has_white = |word: &u64| !(word | word >> 1) & LOW != 0;
        let end = range.end.min(self.len());
        let words = self.words.get(range.start..end)?;
        let (rest, chunks) = words.as_rchunks::<CHUNK>();
        let any = |chunk: &[u64; CHUNK]| {
            chunk.iter().fold(0, |white, word| white | !(word | word >> 1)) & LOW != 0
        };
        let place = match chunks.iter().rposition(any) {
            Some(n) => {
                let first = rest.len().saturating_add(n.saturating_mul(CHUNK));
                first.saturating_add(chunks.get(n)?.iter().rposition(has_white)?)
            }
            None => rest.iter().rposition(has_white)?,
        };
        Some(range.start.saturating_add(place))
    }

    /// The white slots of word `n`, from the last to the first; those without an object
    /// may be among them.
    pub(crate) fn white(&self, n: usize) -> impl Iterator<Item = u32> + use<> {
        let word = self.words.get(n).filter(|_| n < self.len()).copied().unwrap_or(LOW);
        let mut white = !(word | word >> 1) & LOW;
        let first = u32::try_from(n.saturating_mul(SLOTS)).unwrap_or(u32::MAX);
        core::iter::from_fn(move || {
            let bit = white.checked_ilog2()?;
            white ^= 1 << bit;
            Some(first.saturating_add(bit / 2))
        })
    }

    /// Makes all slots of word `n` black that are white.
    pub(crate) fn blacken_white(&mut self, n: usize) {
        if let Some(word) = self.words.get_mut(n) {
            *word |= !(*word | *word >> 1) & LOW;
        }
    }

    /// Makes the slots of the first `n` words black, and all others white.
    pub(crate) fn blacken_first(&mut self, n: usize) {
        self.words.fill(0);
        let len = self.len().min(n);
        self.words.get_mut(..len).unwrap_or_default().fill(LOW);
    }

    /// Makes the slots of a range of words white. O(words).
    pub(crate) fn whiten(&mut self, range: Range<usize>) {
        let end = range.end.min(self.len());
        self.words.get_mut(range.start..end).unwrap_or_default().fill(0);
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
        let (old, groups) = (self.groups(), groups_for(slots).max(1));
        if groups <= old {
            return true;
        }
        let len = groups.saturating_mul(GROUP + 1);
        let missing = len.saturating_sub(self.words.capacity()).saturating_mul(8);
        if missing > account.left() {
            return false;
        }
        if self.words.capacity() == 0 {
            // Zeroed by the allocator: no page of it is written before it is needed.
            return account.replace_zeroed(&mut self.words, len, |_, _| {}).unwrap_or(false);
        }
        if account.reserve(&mut self.words, len).is_err() {
            return false;
        }
        self.words.resize(len, 0);
        let (from, to) = (old.saturating_mul(GROUP), groups.saturating_mul(GROUP));
        self.words.copy_within(from..from.saturating_add(old), to);
        self.words.get_mut(from..to.min(from.saturating_add(old))).unwrap_or_default().fill(0);
        true
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
        let (old, groups) = (extent.len / (GROUP + 1), self.groups());
        if old < groups {
            let (from, to) = (groups.saturating_mul(GROUP), old.saturating_mul(GROUP));
            self.words.copy_within(from..from.saturating_add(old), to);
            self.words.truncate(extent.len);
        }
        account.shrink(&mut self.words, extent.capacity);
    }

    /// The bytes requested.
    pub(super) fn reserved_bytes(&self) -> usize {
        self.words.capacity().saturating_mul(8)
    }
}
