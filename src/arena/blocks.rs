//! Where payload lies: blocks of whole words in one arena's [`Memory`].
//!
//! The memory begins with the heads of the free lists, one word a size class;
//! then come the blocks, up to `top`. A free block's first word is the offset of
//! the next one of its class (0: none). Sizes are exact up to 8 words and then
//! four classes to a doubling. The last block grows in place and goes back to
//! the top when it is freed, so stack-like use leaves no gaps at all.

use super::memory::{IndexType, Memory, MemoryType};
use super::slot::{Block, Slot};
use super::{Account, Resources};
use crate::words::{Error, Kind, PAGE_BYTES, Result, to_u64, to_usize};

const CLASSES: usize = 124;
/// First word of the first block: of a memory that the allocator has mapped, 16
/// bytes behind the beginning of a page, the first one of a cache line.
const START: usize = 126;
const EXACT: u32 = 8;

/// High and low half of a word.
#[allow(clippy::cast_possible_truncation, reason = "halves are what is asked for")]
pub(crate) const fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// A size of blocks: its number, and its words.
#[derive(Clone, Copy, Debug)]
struct Class {
    number: usize,
    words: u32,
}

/// Classes of the smaller sizes, number and words: sizes vary from one object
/// to the next, and branches on them are mispredicted.
#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "at compile time"
)]
const SMALL: [(u8, u16); 256] = {
    let mut classes = [(0, 0); 256];
    let mut last = 0;
    while last < classes.len() {
        let class = computed_class(last as u32);
        classes[last] = (class as u8, computed_words(class) as u16);
        last += 1;
    }
    classes
};

/// Words in a block of each class.
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "at compile time")]
const WORDS: [u32; CLASSES] = {
    let mut words = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        words[class] = computed_words(class);
        class += 1;
    }
    words
};

/// The smallest class of at least so many (1 ..= u32::MAX) words.
#[inline(always)]
fn class_of(words: u32) -> Class {
    let last = words.wrapping_sub(1);
    match SMALL.get(to_usize(last)) {
        Some(&(number, words)) => Class { number: usize::from(number), words: u32::from(words) },
        // In line: around a call, registers would have to be saved for all.
        None => {
            let number = computed_class(last);
            Class { number, words: class_words(number) }
        }
    }
}

/// Words in a block of `class`.
#[inline(always)]
fn class_words(class: usize) -> u32 {
    WORDS.get(class).copied().unwrap_or(u32::MAX)
}

/// Class of blocks of more than `last` words.
#[inline(always)]
const fn computed_class(last: u32) -> usize {
    if last < EXACT {
        return to_usize(last);
    }
    let exponent = last.ilog2();
    let quarter = (last >> exponent.wrapping_sub(2)) & 3;
    to_usize(exponent.wrapping_sub(1).wrapping_mul(4).wrapping_add(quarter))
}

/// Words in a block of `class`; the last class is cut to `u32::MAX`.
#[allow(clippy::cast_possible_truncation, reason = "classes are few, words are cut")]
const fn computed_words(class: usize) -> u32 {
    let class = class as u32;
    if class < EXACT {
        return class.wrapping_add(1);
    }
    let quarter = (class & 3).wrapping_add(5) as u64;
    let words = quarter << (class >> 2).wrapping_sub(1);
    if words > u32::MAX as u64 { u32::MAX } else { words as u32 }
}

/// Pages and capacity of the blocks' memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlocksExtent((u64, usize));

/// The blocks of one arena.
#[derive(Debug)]
pub(crate) struct Blocks {
    memory: Memory,
    /// First word that belongs to no block and to no gap.
    top: u64,
    /// Words in blocks that live objects own.
    used: u64,
}

impl Blocks {
    pub(crate) const fn new() -> Blocks {
        let ty = MemoryType::new(IndexType::I64, 0, None);
        Blocks { memory: Memory::empty(ty), top: to_u64(START), used: 0 }
    }

    /// Where the payload lies.
    #[inline(always)]
    pub(super) const fn memory(&self) -> &Memory {
        &self.memory
    }

    #[inline(always)]
    pub(super) fn words_mut(&mut self) -> &mut [u64] {
        self.memory.words_mut()
    }

    #[inline(always)]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.bytes_mut()
    }

    /// Words in blocks that live objects own.
    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn extent(&self) -> BlocksExtent {
        BlocksExtent(self.memory.extent())
    }

    /// Goes back to an earlier extent; blocks beyond it have been freed.
    pub(super) fn give_back(&mut self, account: &mut Account, extent: BlocksExtent) {
        self.memory.give_back(account, extent.0);
    }

    /// A block that is there to be taken, free or at the top; its content is
    /// unspecified.
    #[inline(always)]
    pub(crate) fn ready(&mut self, words: usize) -> Option<Block> {
        if words == 0 {
            return Some(Block::default());
        }
        self.take(class_of(u32::try_from(words).ok()?))
    }

    /// Whether [`Blocks::ready`] has one.
    #[inline]
    pub(crate) fn is_ready(&self, words: usize) -> bool {
        let class = class_of(u32::try_from(words).unwrap_or(u32::MAX));
        let end = self.top.saturating_add(u64::from(class.words));
        let free = self.memory.words().get(class.number).is_some_and(|&head| head != 0);
        words == 0 || free || end <= to_u64(self.memory.words().len())
    }

    /// A block of a class that is there to be taken, free or at the top.
    #[inline(always)]
    fn take(&mut self, class: Class) -> Option<Block> {
        let block = match self.pop(class) {
            Some(block) => block,
            None => {
                let cap = class.words;
                let end = self.top.wrapping_add(u64::from(cap));
                let off = u32::try_from(self.top).ok()?;
                if end > to_u64(self.memory.words().len()) {
                    return None;
                }
                self.top = end;
                Block { off, cap }
            }
        };
        self.used = self.used.wrapping_add(u64::from(block.cap));
        Some(block)
    }

    /// A block of at least `words` words; its content is unspecified.
    ///
    /// # Errors
    /// [`Error::ObjectTooLarge`], or what a growing memory answers; nothing has
    /// changed then.
    pub(crate) fn alloc(
        &mut self,
        resources: &mut Resources,
        kind: Kind,
        words: usize,
    ) -> Result<Block> {
        if words == 0 {
            return Ok(Block::default());
        }
        let class = class_of(u32::try_from(words).map_err(|_| Error::ObjectTooLarge)?);
        if let Some(block) = self.take(class) {
            return Ok(block);
        }
        if let Some(block) = self.split(class) {
            self.used = self.used.wrapping_add(u64::from(block.cap));
            return Ok(block);
        }
        self.extend_to(resources, kind, self.top.saturating_add(u64::from(class.words)))?;
        self.take(class).ok_or(Error::ArenaFull { kind })
    }

    /// Takes the first free block of a class.
    #[inline(always)]
    fn pop(&mut self, class: Class) -> Option<Block> {
        let words = self.memory.words_mut();
        let (_, off) = halves(*words.get(class.number)?);
        if off == 0 {
            return None;
        }
        let next = *words.get(to_usize(off))?;
        *words.get_mut(class.number)? = next;
        Some(Block { off, cap: class.words })
    }

    /// Cuts a block of `class` off a larger free one.
    #[cold]
    fn split(&mut self, class: Class) -> Option<Block> {
        let is_there =
            |number: &usize| self.memory.words().get(*number).is_some_and(|&head| head != 0);
        let number = (class.number.saturating_add(1)..CLASSES).find(is_there)?;
        let whole = self.pop(Class { number, words: class_words(number) })?;
        let cap = class.words;
        let mut rest = Block { off: whole.off.wrapping_add(cap), cap: whole.cap.wrapping_sub(cap) };
        while rest.cap > 0 {
            let Class { number, words } = class_of(rest.cap);
            let class = if words > rest.cap { number.wrapping_sub(1) } else { number };
            let piece = class_words(class);
            self.push(Block { off: rest.off, cap: piece }, class);
            rest = Block { off: rest.off.wrapping_add(piece), cap: rest.cap.wrapping_sub(piece) };
        }
        Some(Block { off: whole.off, cap })
    }

    /// Makes the pages up to word `end` live.
    #[cold]
    fn extend_to(&mut self, resources: &mut Resources, kind: Kind, end: u64) -> Result<()> {
        let pages = end.saturating_mul(8).div_ceil(PAGE_BYTES);
        resources.account.check_pages(kind, pages)?;
        let bits = resources.bitmap_words();
        // For every word of the pages: `top` moves on to their end without coming here.
        let words = pages.saturating_mul(PAGE_BYTES / 8);
        resources.reserve_bits(usize::try_from(words).map_err(|_| Error::OutOfMemory)?)?;
        let delta = pages.saturating_sub(self.memory.size());
        let grown = self.memory.grow_within(&mut resources.account, delta);
        grown.map(drop).inspect_err(|_| resources.shrink_bitmap(bits))
    }

    #[inline(always)]
    fn push(&mut self, block: Block, class: usize) {
        let words = self.memory.words_mut();
        let Some(head) = words.get_mut(class) else { return };
        let next = core::mem::replace(head, u64::from(block.off));
        if let Some(link) = words.get_mut(to_usize(block.off)) {
            *link = next;
        }
    }

    /// Takes a block back.
    #[inline]
    pub(crate) fn free(&mut self, block: Block) {
        if block.cap == 0 {
            return;
        }
        self.used = self.used.wrapping_sub(u64::from(block.cap));
        if u64::from(block.off).wrapping_add(u64::from(block.cap)) == self.top {
            self.top = u64::from(block.off);
        } else {
            self.push(block, class_of(block.cap).number);
        }
    }

    /// The block with room for `words` words: larger in place or moved, its
    /// first `keep` words kept.
    ///
    /// # Errors
    /// As [`Blocks::alloc`]; nothing has changed then.
    #[inline(always)]
    pub(crate) fn grow(
        &mut self,
        resources: &mut Resources,
        kind: Kind,
        block: Block,
        keep: usize,
        words: usize,
    ) -> Result<Block> {
        let cap = class_of(u32::try_from(words).map_err(|_| Error::ObjectTooLarge)?).words;
        if block.cap != 0 && u64::from(block.off).wrapping_add(u64::from(block.cap)) == self.top {
            let end = u64::from(block.off).wrapping_add(u64::from(cap));
            if end > to_u64(self.memory.words().len()) {
                self.extend_to(resources, kind, end)?;
            }
            self.top = end;
            let added = cap.wrapping_sub(block.cap);
            self.used = self.used.wrapping_add(u64::from(added));
            resources.tally.growth(added);
            return Ok(Block { off: block.off, cap });
        }
        let moved = self.alloc(resources, kind, words)?;
        resources.tally.growth(moved.cap);
        let (from, to) = (to_usize(block.off), to_usize(moved.off));
        let end = from.saturating_add(keep);
        if keep > 0 && end <= self.memory.words().len() {
            self.memory.words_mut().copy_within(from..end, to);
        }
        self.free(block);
        Ok(moved)
    }

    /// Closes the gaps: blocks move down in the order they lie in, each cut to
    /// the words it needs; then the free pages go back. `slots` has the live
    /// objects' blocks; `words_of` tells the words in use. O(slots + payload).
    ///
    /// Which slot a block belongs to has to be found in the order of memory,
    /// without memory to sort in: for the time being, a bit marks where a block
    /// begins, the low half of its first word is the slot's index, and the slot
    /// keeps that half in place of the offset.
    pub(crate) fn compact(
        &mut self,
        resources: &mut Resources,
        slots: &mut [Slot],
        is_live: impl Fn(&Slot) -> bool,
        words_of: impl Fn(&Slot) -> usize,
    ) {
        let Ok(end) = usize::try_from(self.top) else { return };
        self.used = 0;
        let top = resources.with_bits(end, |_, _, bits| {
            let words = self.memory.words_mut();
            for (index, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| is_live(slot)) {
                if words_of(slot) == 0 {
                    (slot.off, slot.cap) = (0, 0);
                    continue;
                }
                let start = to_usize(slot.off);
                if let (Some(word), Some(bit)) = (words.get_mut(start), bits.get_mut(start / 64)) {
                    *bit |= 1 << (start % 64);
                    let (high, low) = halves(*word);
                    *word = u64::from(high) << 32 | to_u64(index);
                    slot.off = low;
                }
            }
            let mut top = START;
            for (n, bits) in bits.iter_mut().enumerate() {
                let mut bits = core::mem::take(bits);
                while bits != 0 {
                    let from = n.saturating_mul(64).saturating_add(to_usize(bits.trailing_zeros()));
                    bits &= bits.wrapping_sub(1);
                    let Some(word) = words.get_mut(from) else { continue };
                    let (high, index) = halves(*word);
                    let Some(slot) = slots.get_mut(to_usize(index)) else { continue };
                    *word = u64::from(high) << 32 | u64::from(slot.off);
                    let used = words_of(slot);
                    let end = from.saturating_add(used);
                    if end <= words.len() && top <= from {
                        words.copy_within(from..end, top);
                    }
                    slot.off = u32::try_from(top).unwrap_or(0);
                    slot.cap = class_of(u32::try_from(used).unwrap_or(u32::MAX)).words;
                    self.used = self.used.wrapping_add(u64::from(slot.cap));
                    top = top.saturating_add(to_usize(slot.cap));
                }
            }
            words.iter_mut().take(CLASSES).for_each(|head| *head = 0);
            top
        });
        self.top = to_u64(top);
        let empty = top == START;
        let pages = if empty { 0 } else { self.top.saturating_mul(8).div_ceil(PAGE_BYTES) };
        self.memory.give_back(&mut resources.account, (pages, 0));
    }

    /// Whether a block lies in memory, and no word of it has its bit set; sets
    /// the bits.
    pub(crate) fn verify(&self, block: Block, bits: &mut [u64]) -> Result<(), &'static str> {
        let (start, cap) = (to_usize(block.off), to_usize(block.cap));
        if cap == 0 {
            return Ok(());
        }
        let end = to_u64(start).saturating_add(to_u64(cap));
        if start < START || end > self.top || end > to_u64(self.memory.words().len()) {
            return Err("a block lies outside the memory in use");
        }
        if class_of(block.cap).words != block.cap {
            return Err("a block has no size of a class");
        }
        for word in start..start.saturating_add(cap) {
            match bits.get_mut(word / 64) {
                Some(bits) if *bits >> (word % 64) & 1 == 0 => *bits |= 1 << (word % 64),
                _ => return Err("two blocks overlap"),
            }
        }
        Ok(())
    }

    /// Whether the free lists are in order.
    pub(crate) fn verify_free(&self, bits: &mut [u64]) -> Result<(), &'static str> {
        for (class, &head) in self.memory.words().iter().take(CLASSES).enumerate() {
            let mut next = head;
            while next != 0 {
                let off = u32::try_from(next).map_err(|_| "a free list leads nowhere")?;
                self.verify(Block { off, cap: class_words(class) }, bits)?;
                next = self.memory.words().get(to_usize(off)).copied().unwrap_or(0);
            }
        }
        Ok(())
    }

    /// Takes all blocks back; pages stay.
    pub(crate) fn clear(&mut self) {
        self.memory.words_mut().iter_mut().take(CLASSES).for_each(|head| *head = 0);
        (self.top, self.used) = (to_u64(START), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Limits;

    #[test]
    fn classes_round_up_by_a_quarter_at_most() {
        let mut last = 0;
        for class in 0..CLASSES {
            let words = class_words(class);
            assert!(
                words > last && words == class_of(words).words && words == class_of(last + 1).words
            );
            assert!(class_of(words).number == class && class_of(last + 1).number == class);
            assert!(class < to_usize(EXACT) || u64::from(words) * 4 <= (u64::from(last) + 1) * 5);
            last = words;
        }
        assert_eq!(last, u32::MAX);
    }

    #[test]
    fn a_split_block_is_handed_out_in_pieces() {
        let limits = Limits::NONE.with_pages(1);
        let (mut blocks, mut resources) = (Blocks::new(), Resources::new(Account::new(limits)));
        let kind = Kind::from_selector(0);
        let mut alloc = |blocks: &mut Blocks, words| blocks.alloc(&mut resources, kind, words);
        let large = alloc(&mut blocks, 4096).unwrap();
        let rest = alloc(&mut blocks, 3584).unwrap();
        assert!(alloc(&mut blocks, 4096).is_err());
        blocks.free(large);
        let mut taken = 0;
        while let Ok(block) = alloc(&mut blocks, 7) {
            assert!(block.off >= large.off && block.off + block.cap <= 8192);
            assert!(block.off + block.cap <= rest.off || block.off >= rest.off + rest.cap);
            taken += block.cap;
        }
        assert!(taken > 4096 * 9 / 10, "{taken}");
    }
}
