//! Where payload lies: blocks of whole words in one arena's [`Memory`].
//!
//! The memory begins with the heads of the free lists, one word a size class;
//! then come the blocks, up to `top`. A free block's first word is the offset of
//! the next one of its class (0: none). Sizes are exact up to 8 words and then
//! four classes to a doubling. The last block grows in place and goes back to
//! the top when it is freed, so stack-like use leaves no gaps at all.

use crate::error::Error;
use crate::kind::Kind;
use crate::limits::{Budget, PAGE_BYTES};
use crate::memory::{IndexType, Memory, MemoryType};
use crate::range::{at, wide};

const CLASSES: usize = 124;
const EXACT: u32 = 8;

/// A block: offset and size in words; an empty one has neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) off: u32,
    pub(crate) cap: u32,
}

/// Class of the smallest blocks of at least `words` (1 ..= u32::MAX) words.
#[inline(always)]
const fn class_of(words: u32) -> usize {
    let last = words.wrapping_sub(1);
    if last < EXACT {
        return at(last);
    }
    let exponent = last.ilog2();
    let quarter = (last >> exponent.wrapping_sub(2)) & 3;
    at(exponent.wrapping_sub(1).wrapping_mul(4).wrapping_add(quarter))
}

/// Words in a block of `class`; the last class is cut to `u32::MAX`.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "classes are few, words are cut")]
const fn class_words(class: usize) -> u32 {
    let class = class as u32;
    if class < EXACT {
        return class.wrapping_add(1);
    }
    let quarter = (class & 3).wrapping_add(5) as u64;
    let words = quarter << (class >> 2).wrapping_sub(1);
    if words > u32::MAX as u64 { u32::MAX } else { words as u32 }
}

/// The blocks of one arena.
#[derive(Debug)]
pub(crate) struct Blocks {
    memory: Memory,
    /// First word that belongs to no block and to no gap.
    top: u64,
    /// Words in blocks that live objects own.
    used: u64,
    /// Classes with a free block.
    free: u128,
}

impl Blocks {
    pub(crate) const fn new() -> Blocks {
        let ty = MemoryType { index: IndexType::I64, min: 0, max: None };
        Blocks { memory: Memory::empty(ty), top: wide(CLASSES), used: 0, free: 0 }
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(crate) fn used_words(&self) -> u64 {
        self.used
    }

    #[inline(always)]
    pub(crate) fn words(&self) -> &[u64] {
        self.memory.words()
    }

    #[inline(always)]
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        self.memory.words_mut()
    }

    /// A block of at least `words` words; its content is arbitrary.
    ///
    /// # Errors
    /// [`Error::ObjectTooLarge`], or what a growing memory answers; nothing has
    /// changed then.
    #[inline]
    pub(crate) fn alloc(
        &mut self,
        budget: &mut Budget,
        kind: Kind,
        words: usize,
    ) -> Result<Block, Error> {
        if words == 0 {
            return Ok(Block::default());
        }
        let class = class_of(u32::try_from(words).map_err(|_| Error::ObjectTooLarge)?);
        let block = match self.pop(class) {
            Some(block) => block,
            None => self.bump(budget, kind, class)?,
        };
        self.used = self.used.wrapping_add(u64::from(block.cap));
        Ok(block)
    }

    /// Takes the first free block of a class.
    #[inline(always)]
    fn pop(&mut self, class: usize) -> Option<Block> {
        let words = self.memory.words_mut();
        let head = *words.get(class)?;
        if head == 0 {
            return None;
        }
        let off = u32::try_from(head).ok()?;
        let next = *words.get(at(off))?;
        *words.get_mut(class)? = next;
        if next == 0 {
            self.free &= !bit(class);
        }
        Some(Block { off, cap: class_words(class) })
    }

    #[inline(always)]
    fn bump(&mut self, budget: &mut Budget, kind: Kind, class: usize) -> Result<Block, Error> {
        let cap = class_words(class);
        let end = self.top.wrapping_add(u64::from(cap));
        if end > wide(self.memory.words().len()) {
            if let Some(block) = self.split(class) {
                return Ok(block);
            }
            self.extend_to(budget, kind, end)?;
        }
        let off = u32::try_from(self.top).map_err(|_| Error::ArenaFull { kind })?;
        self.top = end;
        Ok(Block { off, cap })
    }

    /// Cuts a block of `class` off a larger free one.
    #[cold]
    fn split(&mut self, class: usize) -> Option<Block> {
        let larger = self.free & !(bit(class).wrapping_mul(2).wrapping_sub(1));
        let from = at(larger.trailing_zeros());
        let whole = if larger == 0 { None } else { self.pop(from) }?;
        let cap = class_words(class);
        let mut rest = Block { off: whole.off.wrapping_add(cap), cap: whole.cap.wrapping_sub(cap) };
        while rest.cap > 0 {
            let class = class_of(rest.cap);
            let class = if class_words(class) > rest.cap { class.wrapping_sub(1) } else { class };
            let piece = class_words(class);
            self.push(Block { off: rest.off, cap: piece }, class);
            rest = Block { off: rest.off.wrapping_add(piece), cap: rest.cap.wrapping_sub(piece) };
        }
        Some(Block { off: whole.off, cap })
    }

    /// Makes the pages up to word `end` live.
    #[cold]
    fn extend_to(&mut self, budget: &mut Budget, kind: Kind, end: u64) -> Result<(), Error> {
        let pages = end.saturating_mul(8).div_ceil(PAGE_BYTES);
        budget.pages(kind, pages)?;
        let delta = pages.saturating_sub(self.memory.size());
        self.memory.grow_within(budget, delta).map(drop)
    }

    #[inline(always)]
    fn push(&mut self, block: Block, class: usize) {
        let words = self.memory.words_mut();
        let Some(head) = words.get_mut(class) else {
            return;
        };
        let next = core::mem::replace(head, u64::from(block.off));
        if let Some(link) = words.get_mut(at(block.off)) {
            *link = next;
        }
        self.free |= bit(class);
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
            self.push(block, class_of(block.cap));
        }
    }

    /// The block with room for `words` words: larger in place or moved, its
    /// first `keep` words kept.
    ///
    /// # Errors
    /// As [`Blocks::alloc`]; nothing has changed then.
    pub(crate) fn grow(
        &mut self,
        budget: &mut Budget,
        kind: Kind,
        block: Block,
        keep: usize,
        words: usize,
    ) -> Result<Block, Error> {
        let class = class_of(u32::try_from(words).map_err(|_| Error::ObjectTooLarge)?);
        let cap = class_words(class);
        if cap <= block.cap {
            return Ok(block);
        }
        if block.cap != 0 && u64::from(block.off).wrapping_add(u64::from(block.cap)) == self.top {
            let end = u64::from(block.off).wrapping_add(u64::from(cap));
            if end > wide(self.memory.words().len()) {
                self.extend_to(budget, kind, end)?;
            }
            self.top = end;
            self.used = self.used.wrapping_add(u64::from(cap.wrapping_sub(block.cap)));
            return Ok(Block { off: block.off, cap });
        }
        let moved = self.alloc(budget, kind, words)?;
        let (from, to) = (at(block.off), at(moved.off));
        let end = from.saturating_add(keep);
        if keep > 0 && end <= self.words().len() {
            self.words_mut().copy_within(from..end, to);
        }
        self.free(block);
        Ok(moved)
    }

    /// Gives back the pages that were not there at an earlier
    /// [`Memory::extent`]; the blocks in them are free.
    pub(crate) fn shrink(&mut self, budget: &mut Budget, extent: (u64, usize)) {
        self.memory.give_back(budget, extent);
    }

    /// Takes all blocks back; pages stay.
    pub(crate) fn clear(&mut self) {
        self.memory.words_mut().iter_mut().take(CLASSES).for_each(|head| *head = 0);
        *self = Blocks {
            memory: core::mem::replace(&mut self.memory, Blocks::new().memory),
            ..Blocks::new()
        };
    }
}

#[allow(clippy::cast_possible_truncation, reason = "classes are few")]
const fn bit(class: usize) -> u128 {
    1_u128.wrapping_shl(class as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn classes_round_up_by_a_quarter_at_most() {
        let mut last = 0;
        for class in 0..CLASSES {
            let words = class_words(class);
            assert!(words > last && class_of(words) == class && class_of(last + 1) == class);
            assert!(class < at(EXACT) || u64::from(words) * 4 <= (u64::from(last) + 1) * 5);
            last = words;
        }
        assert_eq!(last, u32::MAX);
    }

    #[test]
    fn a_split_block_is_handed_out_in_pieces() {
        let limits = Limits { pages: 1, ..Limits::NONE };
        let (mut blocks, mut budget) = (Blocks::new(), Budget::new(limits));
        let kind = Kind::from_selector(0);
        let mut alloc = |blocks: &mut Blocks, words| blocks.alloc(&mut budget, kind, words);
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
