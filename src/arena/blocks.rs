//! [`Blocks`]: allocation of blocks of whole words in an arena's [`Memory`].
//!
//! The memory begins with the heads of the free lists, one word for each size
//! class. The blocks follow, up to `top`. The first word of a free block is the
//! offset of the next free one of its class, or 0. Each size up to 8 words has a
//! class of its own; beyond, there are four classes to a doubling, and eight from 4,096
//! words on.
//!
//! A block is the first free one of its class, or bump-allocated at the top, or
//! split off a larger free one. The last block grows in place, and lowers the top
//! when it is freed, so that stack-like use leaves no gaps.

mod class;
mod coalesce;
mod compact;
mod evacuate;
mod image;
mod sharing;
#[cfg(test)]
mod tests;
mod verify;

use super::memory::{IndexType, Memory, MemoryType};
use super::slot::Block;
use super::{Account, Resources, Tally};
use crate::words::{
    CAP_MAX, Error, EventKind, Kind, PAGE_BYTES, Result, corrupt, to_u64, to_usize,
};
pub(super) use class::doubled;
use class::{CLASSES, Class, EXACT, class_of, class_within, class_words};
pub(super) use sharing::Versions;

/// The first word of the first block. In a memory that the global allocator has
/// mapped, which starts 16 bytes into a page, it starts a cache line.
const START: usize = 206;
/// [`START`], as an offset.
const FIRST: u32 = 206;
const _: () = assert!(to_usize(FIRST) == START);
/// The end of the last block at most: the last word of 2^32 is not used.
const TOP_MAX: u64 = u32::MAX as u64;
/// The high and the low half of a word.
#[allow(clippy::cast_possible_truncation, reason = "truncates on purpose")]
pub(crate) const fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// The class of a block for an object of so many words, at least one: the words fit below the
/// flags of a slot.
///
/// # Errors
/// [`Error::ObjectTooLarge`].
#[inline(always)]
fn class_for(words: usize) -> Result<Class> {
    // The class of more words may have more than 2^32.
    let words = u32::try_from(words).ok().filter(|&words| words <= CAP_MAX);
    let class = class_of(words.ok_or(Error::ObjectTooLarge)?);
    if class.words > CAP_MAX { Err(Error::ObjectTooLarge) } else { Ok(class) }
}

/// The pages of a memory with blocks up to word `end`.
///
/// # Errors
/// [`Error::ArenaFull`] beyond [`TOP_MAX`].
fn pages_for(kind: Kind, end: u64) -> Result<u64> {
    if end > TOP_MAX {
        return Err(Error::ArenaFull { kind });
    }
    Ok(end.saturating_mul(8).div_ceil(PAGE_BYTES))
}

/// Pages of the memory, and its capacity in words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlocksExtent((u64, usize));

/// The blocks of one arena.
#[derive(Debug)]
pub(crate) struct Blocks {
    memory: Memory,
    /// The first word beyond all blocks, free ones included; during a compaction in steps,
    /// beyond those of its compacted part.
    top: u32,
    /// The end of the words at the top that blocks are allocated in: of the memory, or of the
    /// room behind the compacted part.
    bound: u32,
    /// During a compaction in steps, the first word beyond all blocks; 0 otherwise.
    high: u32,
    /// The words in blocks of live objects.
    used: u32,
}

/// The words of the smallest block that has `words` words or more; 0 for none.
pub(crate) fn block_words(words: u32) -> u32 {
    if words == 0 { 0 } else { class_of(words).words }
}

impl Blocks {
    pub(crate) const fn new() -> Blocks {
        let ty = MemoryType::new(IndexType::I64, 0, None);
        Blocks { memory: Memory::empty(ty), top: FIRST, bound: 0, high: 0, used: 0 }
    }

    /// A copy on this account, in which no compaction is under way.
    pub(super) fn try_clone(&self, account: &mut Account) -> Result<Blocks> {
        let memory = self.memory.try_clone(account)?;
        let mut copy = Blocks { memory, ..*self };
        copy.end_early();
        Ok(copy)
    }

    /// The memory that holds the blocks.
    #[inline(always)]
    pub(super) const fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) const fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    #[inline(always)]
    pub(super) fn words_mut(&mut self) -> &mut [u64] {
        self.memory.words_mut()
    }

    #[inline(always)]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.payload_mut()
    }

    /// The first word beyond all blocks.
    pub(super) const fn top(&self) -> u64 {
        to_u64(to_usize(if self.high > self.top { self.high } else { self.top }))
    }

    /// The words in blocks of live objects.
    pub(super) const fn used(&self) -> u64 {
        to_u64(to_usize(self.used))
    }

    /// The end of a block of `class` at the top, which may lie beyond the memory.
    #[inline(always)]
    fn end_at_top(&self, class: Class) -> u64 {
        u64::from(self.top).wrapping_add(u64::from(class.words))
    }

    pub(super) fn extent(&self) -> BlocksExtent {
        BlocksExtent(self.memory.extent())
    }

    /// Shrinks the memory to an earlier extent. Blocks beyond it have been freed.
    pub(super) fn give_back(&mut self, account: &mut Account, extent: BlocksExtent) {
        self.memory.give_back(account, extent.0);
        if !self.is_compacting() {
            self.open();
        }
    }

    /// Lets blocks be allocated up to the end of memory.
    fn open(&mut self) {
        self.bound = self.memory_end();
    }

    /// The end of the last block at most, until the memory grows.
    fn memory_end(&self) -> u32 {
        u32::try_from(self.memory.words().len()).unwrap_or(u32::MAX)
    }

    /// Allocates a block if one is available without growth: a free one, or words
    /// at the top. Its content is unspecified.
    #[inline(always)]
    pub(crate) fn ready(&mut self, words: usize) -> Option<Block> {
        if words == 0 {
            return Some(Block::default());
        }
        self.take(class_for(words).ok()?)
    }

    /// [`Blocks::ready`] of 1 to 8 words, which are classes of their own.
    #[inline(always)]
    pub(super) fn ready_exact(&mut self, words: u32) -> Option<Block> {
        debug_assert!((1..=EXACT).contains(&words), "there is no such exact class");
        self.take(Class { number: to_usize(words.wrapping_sub(1)), words })
    }

    /// Whether [`Blocks::ready`] would return a block.
    #[inline]
    pub(crate) fn is_ready(&self, words: usize) -> bool {
        let class = class_of(u32::try_from(words).unwrap_or(u32::MAX));
        let end = self.end_at_top(class);
        let free = self.memory.words().get(class.number).is_some_and(|&head| head != 0);
        words == 0 || free || end <= u64::from(self.bound)
    }

    /// [`Blocks::ready`], by class.
    #[inline(always)]
    fn take(&mut self, class: Class) -> Option<Block> {
        let block = match self.pop(class) {
            Some(block) => block,
            None => {
                let cap = class.words;
                let (off, end) = (self.top, self.top.checked_add(cap)?);
                if end > self.bound {
                    return None;
                }
                self.top = end;
                Block { off, cap }
            }
        };
        self.used = self.used.wrapping_add(block.cap);
        Some(block)
    }

    /// Allocates a block of at least `words` words. Its content is unspecified.
    ///
    /// # Errors
    /// [`Error::ObjectTooLarge`] beyond 2^29 - 1 words; [`Error::Limit`],
    /// [`Error::ArenaFull`] or [`Error::OutOfMemory`] if the memory cannot grow.
    /// Nothing has changed then.
    pub(crate) fn alloc(
        &mut self,
        resources: &mut Resources,
        kind: Kind,
        words: usize,
    ) -> Result<Block> {
        if words == 0 {
            return Ok(Block::default());
        }
        let class = class_for(words)?;
        if let Some(block) = self.take(class) {
            return Ok(block);
        }
        if let Some(block) = self.split(class) {
            self.used = self.used.wrapping_add(block.cap);
            return Ok(block);
        }
        if self.is_compacting()
            && let Some(block) = self.take_outside(class)
        {
            return Ok(block);
        }
        self.extend_to(resources, kind, self.end_at_top(class))?;
        self.take(class).ok_or_else(corrupt)
    }

    /// The words that the memory has to have for a block of `words` words, and the bytes
    /// by which it has to grow for that. Both are zero if there is room.
    ///
    /// # Errors
    /// [`Error::ObjectTooLarge`], [`Error::Limit`] or [`Error::ArenaFull`].
    pub(super) fn missing(
        &self,
        account: &mut Account,
        kind: Kind,
        words: usize,
    ) -> Result<(usize, usize)> {
        if words == 0 {
            return Ok((0, 0));
        }
        let class = class_for(words)?;
        if self.is_ready(words) || self.can_split(words) || self.has_tail(class) {
            return Ok((0, 0));
        }
        let pages = pages_for(kind, self.top().wrapping_add(u64::from(class.words)))?;
        account.check_pages(kind, pages)?;
        let words = usize::try_from(pages.saturating_mul(PAGE_BYTES / 8));
        let words = words.map_err(|_| Error::OutOfMemory)?;
        let (_, capacity) = self.memory.extent();
        Ok((words, words.saturating_sub(capacity).saturating_mul(8)))
    }

    /// Removes the first free block of a class from its list.
    #[inline(always)]
    fn pop(&mut self, class: Class) -> Option<Block> {
        let words = self.memory.words_mut();
        let (_, off) = halves(*words.get(class.number)?);
        if off == 0 {
            return None;
        }
        debug_assert!(to_usize(off) < words.len(), "a free block lies outside of memory");
        let next = *words.get(to_usize(off))?;
        *words.get_mut(class.number)? = next;
        Some(Block { off, cap: class.words })
    }

    /// Splits a block of `class` off the smallest larger free one, and the rest of
    /// that into free blocks.
    #[cold]
    fn split(&mut self, class: Class) -> Option<Block> {
        let has_block =
            |number: &usize| self.memory.words().get(*number).is_some_and(|&head| head != 0);
        let number = (class.number.saturating_add(1)..CLASSES).find(has_block)?;
        let whole = self.pop(Class { number, words: class_words(number) })?;
        self.note_split(class.words);
        Some(self.cut(whole, class.words))
    }

    /// Cuts a block to `cap` words; the rest becomes free blocks.
    #[cold]
    fn cut(&mut self, whole: Block, cap: u32) -> Block {
        let mut rest = Block { off: whole.off.wrapping_add(cap), cap: whole.cap.wrapping_sub(cap) };
        while rest.cap > 0 {
            let Class { number, words } = class_of(rest.cap);
            let class = if words > rest.cap { number.wrapping_sub(1) } else { number };
            let piece = class_words(class);
            self.push(Block { off: rest.off, cap: piece }, class);
            rest = Block { off: rest.off.wrapping_add(piece), cap: rest.cap.wrapping_sub(piece) };
        }
        Block { off: whole.off, cap }
    }

    /// Shrinks a block in use to the size class of `words` words. The last block lowers
    /// the top; what another one leaves becomes free blocks. O(1).
    pub(crate) fn shrink(&mut self, block: Block, words: usize) -> Block {
        let cap = class_of(u32::try_from(words.max(1)).unwrap_or(u32::MAX)).words;
        if cap >= block.cap {
            return block;
        }
        self.used = self.used.wrapping_sub(block.cap.wrapping_sub(cap));
        if self.is_last(block) {
            self.top = block.off.wrapping_add(cap);
            return Block { off: block.off, cap };
        }
        if block.off >= self.top {
            // A compaction in steps has not come there yet: it finds the gap.
            return Block { off: block.off, cap };
        }
        self.cut(block, cap)
    }

    /// Grows the memory to hold the words below `end`, and the bitmap with it.
    #[cold]
    fn extend_to(&mut self, resources: &mut Resources, kind: Kind, end: u64) -> Result<()> {
        let pages = pages_for(kind, end)?;
        resources.account.check_pages(kind, pages)?;
        let bits = resources.bitmap_words();
        // For all words of the pages: `top` rises to their end without growth.
        let words = pages.saturating_mul(PAGE_BYTES / 8);
        resources.reserve_bits(usize::try_from(words).map_err(|_| Error::OutOfMemory)?)?;
        let delta = pages.saturating_sub(self.memory.size());
        let grown = self.memory.grow_within(&mut resources.account, delta);
        let from = grown.inspect_err(|_| resources.shrink_bitmap(bits))?;
        self.open();
        resources.account.note_event(EventKind::MemoryGrow { arena: kind, from, to: pages });
        Ok(())
    }

    /// Puts a block at the head of the free list of its class.
    #[inline(always)]
    fn push(&mut self, block: Block, class: usize) {
        let words = self.memory.words_mut();
        debug_assert!(class < CLASSES && to_usize(block.off) < words.len(), "no block of memory");
        let Some(head) = words.get_mut(class) else { return };
        let next = core::mem::replace(head, u64::from(block.off));
        if let Some(link) = words.get_mut(to_usize(block.off)) {
            *link = next;
        }
    }

    /// Notes that a block in use has lost its first `words` words, which become a gap:
    /// coalescing and compaction find it. The block need be of no size class then.
    #[inline]
    pub(super) fn note_cut_front(&mut self, words: u32) {
        debug_assert!(words <= self.used, "a block was cut twice");
        self.used = self.used.wrapping_sub(words);
        self.note_split(words);
    }

    /// Frees a block: lowers the top if it is the last one, puts it on the free list
    /// of its class otherwise; one of no size class, except for its last words. O(1).
    #[inline]
    pub(crate) fn free(&mut self, block: Block) {
        if block.cap == 0 {
            return;
        }
        debug_assert!(block.cap <= self.used, "a block was freed twice");
        self.used = self.used.wrapping_sub(block.cap);
        let end = block.off.wrapping_add(block.cap);
        if end >= self.top {
            // Beyond the top, a compaction in steps finds the gap.
            if end == self.top {
                self.top = block.off;
            }
        } else {
            self.push(block, class_within(block.cap));
        }
    }

    /// Whether a block is the one below the top.
    #[inline(always)]
    pub(super) fn is_last(&self, block: Block) -> bool {
        block.cap != 0 && block.off.wrapping_add(block.cap) == self.top
    }

    /// Whether a block is the last one, and can grow to `words` words without more memory.
    pub(super) fn grows_in_place(&self, block: Block, words: usize) -> bool {
        let class = class_of(u32::try_from(words).unwrap_or(u32::MAX));
        let end = u64::from(block.off).wrapping_add(u64::from(class.words));
        self.is_last(block) && end <= u64::from(self.bound)
    }

    /// [`Blocks::grow`] if the memory has room; else `None`, and nothing has changed.
    #[inline(always)]
    pub(super) fn grow_ready(
        &mut self,
        tally: &mut Tally,
        block: Block,
        keep: usize,
        words: usize,
    ) -> Option<Block> {
        let class = class_for(words).ok()?;
        if self.is_last(block) {
            let end = block.off.checked_add(class.words)?;
            if end > self.bound {
                return None;
            }
            let added = class.words.wrapping_sub(block.cap);
            self.top = end;
            self.used = self.used.wrapping_add(added);
            tally.growth(added);
            return Some(Block { off: block.off, cap: class.words });
        }
        let moved = self.take(class)?;
        tally.growth(moved.cap);
        self.copy_words(block, keep, moved);
        self.free(block);
        Some(moved)
    }

    /// Copies the first `keep` words of a block to another one.
    #[inline(always)]
    pub(super) fn copy_words(&mut self, block: Block, keep: usize, moved: Block) {
        let (from, to) = (to_usize(block.off), to_usize(moved.off));
        let end = from.saturating_add(keep);
        debug_assert!(keep == 0 || end <= self.memory.words().len(), "no block of memory");
        if keep > 0 && end <= self.memory.words().len() {
            self.memory.words_mut().copy_within(from..end, to);
        }
    }

    /// Grows a block to at least `words` words: in place if it is the last one, else
    /// by moving its first `keep` words to a new one. O(1) in place, O(keep)
    /// otherwise.
    ///
    /// # Errors
    /// As [`Blocks::alloc`]. Nothing has changed then.
    #[inline(always)]
    pub(crate) fn grow(
        &mut self,
        resources: &mut Resources,
        kind: Kind,
        block: Block,
        keep: usize,
        words: usize,
    ) -> Result<Block> {
        let cap = class_for(words)?.words;
        // During a compaction in steps, the last block of its compacted part is not that of
        // the memory.
        let has_other = || self.is_compacting() || self.is_ready(words) || self.can_split(words);
        if self.is_last(block) && (self.grows_in_place(block, words) || !has_other()) {
            let end = u64::from(block.off).wrapping_add(u64::from(cap));
            if end > u64::from(self.bound) {
                self.extend_to(resources, kind, end)?;
            }
            self.top = block.off.wrapping_add(cap);
            let added = cap.wrapping_sub(block.cap);
            self.used = self.used.wrapping_add(added);
            resources.tally.growth(added);
            return Ok(Block { off: block.off, cap });
        }
        let moved = self.alloc(resources, kind, words)?;
        resources.tally.growth(moved.cap);
        self.copy_words(block, keep, moved);
        self.free(block);
        Ok(moved)
    }

    /// Frees all blocks. Pages are kept. O(1).
    pub(crate) fn clear(&mut self) {
        self.memory.words_mut().iter_mut().take(START).for_each(|head| *head = 0);
        (self.top, self.high, self.used) = (FIRST, 0, 0);
        self.open();
    }
}
