//! Compaction: closing the gaps between blocks.

use super::sharing::{Versions, place_of, shared_cap};
use super::{Block, Blocks, FIRST, START, class_of, halves};
use crate::arena::slots::Slots;
use crate::arena::{Resources, Slot};
use crate::words::{PAGE_BYTES, to_usize};

impl Blocks {
    /// Closes the gaps: moves blocks down in the order of memory, each cut to the
    /// words that it needs, and gives free pages back. `slots` hold the blocks of
    /// the live objects; `words_of` returns the words in use of a slot's
    /// block. O(slots + payload).
    ///
    /// The slot of a block has to be found in the order of memory, without memory
    /// to sort in. Until the block has moved, a bit marks its first word, the low
    /// half of that word is the slot's index, and the slot keeps that half in place
    /// of the offset. Versions of a sequence, which share a block, form a chain: each keeps
    /// what was there when it was linked, the index of the one before.
    pub(crate) fn compact<const BITS: u32>(
        &mut self,
        resources: &mut Resources,
        slots: &mut Slots<BITS>,
        words_of: impl Fn(&Slot) -> usize,
    ) {
        self.end_early();
        let end = to_usize(self.top);
        let (top, used) = resources.with_bits(end, |_, _, bits| {
            let words = self.memory.words_mut();
            link_blocks(words, slots, bits, &words_of);
            let moved = slide_blocks(words, slots, bits, &words_of);
            words.iter_mut().take(START).for_each(|head| *head = 0);
            moved
        });
        (self.top, self.used) = (top, used);
        let empty = top == FIRST;
        let pages = if empty { 0 } else { self.top().saturating_mul(8).div_ceil(PAGE_BYTES) };
        self.memory.give_back(&mut resources.account, (pages, 0));
        self.open();
    }
}

/// Marks the first word of each live block in `bits`, and swaps its low half with
/// the slot: the word gets the slot's index, the slot keeps the half. Slots without
/// words in use lose their blocks.
fn link_blocks<const BITS: u32>(
    words: &mut [u64],
    slots: &mut Slots<BITS>,
    bits: &mut [u64],
    words_of: impl Fn(&Slot) -> usize,
) {
    for (index, slot) in slots.live_mut() {
        if words_of(slot) == 0 {
            slot.set_block(Block::default());
            continue;
        }
        let start = to_usize(slot.off);
        if let (Some(word), Some(bit)) = (words.get_mut(start), bits.get_mut(start / 64)) {
            *bit |= 1 << (start % 64);
            let (high, low) = halves(*word);
            *word = u64::from(high) << 32 | u64::from(index);
            slot.off = low;
        } else {
            debug_assert!(false, "a block lies outside of memory");
        }
    }
}

/// Moves the blocks that [`link_blocks`] linked down, and restores their first
/// words and their slots; clears the bits. Returns the first word that belongs to
/// no block, and the number of words in blocks.
fn slide_blocks<const BITS: u32>(
    words: &mut [u64],
    slots: &mut Slots<BITS>,
    bits: &mut [u64],
    words_of: impl Fn(&Slot) -> usize,
) -> (u32, u32) {
    let (mut top, mut total) = (START, 0_u32);
    for (n, bits) in bits.iter_mut().enumerate() {
        let mut bits = core::mem::take(bits);
        while bits != 0 {
            let from = n.saturating_mul(64).saturating_add(to_usize(bits.trailing_zeros()));
            bits &= bits.wrapping_sub(1);
            let Some(word) = words.get_mut(from) else { continue };
            let (high, index) = halves(*word);
            let Some(slot) = slots.get_mut(index) else {
                debug_assert!(false, "a block is linked to no slot");
                continue;
            };
            if slot.is_shared() {
                let cap = slide_versions(words, slots, (from, top, index), &words_of);
                total = total.wrapping_add(cap);
                top = top.saturating_add(to_usize(cap));
                continue;
            }
            *word = u64::from(high) << 32 | u64::from(slot.off);
            let used = words_of(slot);
            let end = from.saturating_add(used);
            debug_assert!(end <= words.len() && top <= from, "blocks overlap");
            if end <= words.len() && top <= from {
                words.copy_within(from..end, top);
            }
            // A block whose front was cut may be smaller than the class of its words.
            let cap = class_of(u32::try_from(used).unwrap_or(u32::MAX)).words.min(slot.cap());
            slot.set_block(Block { off: u32::try_from(top).unwrap_or(0), cap });
            total = total.wrapping_add(cap);
            top = top.saturating_add(to_usize(cap));
        }
    }
    (u32::try_from(top).unwrap_or(u32::MAX), total)
}

/// Moves a block that versions share from word `from` to `top`, cut to what the longest of them
/// has, and restores its first word and the slots of them all, from the one that was linked
/// last on. Returns the words of the block.
fn slide_versions<const BITS: u32>(
    words: &mut [u64],
    slots: &mut Slots<BITS>,
    (from, top, last): (usize, usize, u32),
    words_of: impl Fn(&Slot) -> usize,
) -> u32 {
    let Some(&first) = slots.get(last) else { return 0 };
    let tail = place_of(Block { off: 0, cap: first.cap() }).saturating_add(from);
    let count = words.get(tail).map_or(0, |&word| Versions::of(word).count);
    let (mut longest, mut link) = (first, last);
    for _ in 0..count {
        let Some(slot) = slots.get(link) else {
            debug_assert!(false, "a block has fewer versions than were counted");
            return 0;
        };
        longest = if slot.len > longest.len { *slot } else { longest };
        link = slot.off;
    }
    if let Some(word) = words.get_mut(from) {
        *word = u64::from(halves(*word).0) << 32 | u64::from(link);
    }
    let used = words_of(&longest);
    let moved = from..from.saturating_add(used);
    debug_assert!(moved.end <= words.len() && top <= from, "blocks overlap");
    if moved.end <= words.len() && top <= from {
        words.copy_within(moved, top);
    }
    let cap = shared_cap(used, first.cap());
    let block = Block { off: u32::try_from(top).unwrap_or(0), cap };
    if let Some(tail) = words.get_mut(place_of(block)) {
        *tail = Versions { count, used: longest.len }.word();
    }
    let mut link = last;
    for _ in 0..count {
        let Some(slot) = slots.get_mut(link) else { break };
        link = slot.off;
        slot.set_block(block);
    }
    cap
}
