//! A heap from the memories of a module: the words of an image, made as they are read.

use segheap::{Kind, abi};

use crate::layout::{
    ARENAS, BASE, CAP, COUNT, DENSE_SLOTS, FREE, GENERATION, HEADER, KEY_FREE, MEMORIES, NONE,
    PAGE_SLOTS, PAGES, RETIRED, SEED, SLOT, STATE, STATE_TAIL, STATE_VERSION, VERSION,
    first_generation, halves, is_live, memory_of, selector, slots_of, state, word,
};

/// The words that are read at a time.
const PART: u64 = 512;

/// The bytes of memories, wherever they are.
pub(crate) trait Source {
    /// The bytes of a memory.
    fn len(&self, memory: u32) -> u64;
    /// Fills bytes with those of a memory from `at` on, all of which it has.
    fn read(&self, memory: u32, at: u64, to: &mut [u8]);
}

/// What is wrong with memories.
pub(crate) type Fault = &'static str;

/// The heap reads whole words: this is a bug of this crate.
const NOT_WHOLE: Fault = "an image has whole words";

/// Where the image goes on.
#[derive(Clone, Copy, Debug)]
enum Next {
    Header,
    /// The numbers before the slots of an arena, by its place in [`ARENAS`].
    Arena(usize),
    /// The slots of an arena from one on.
    Slots(Arena, u32),
    /// The block of the first live slot from one on.
    Blocks(Arena, u32),
    /// The words after the last arena, from one on.
    Tail(u64),
}

/// An arena whose slots are being read.
#[derive(Clone, Copy, Debug)]
struct Arena {
    number: usize,
    selector: u64,
    count: u32,
    /// The slot of a page that the next one is linked to.
    link: u32,
    /// The words that blocks may still take.
    left: u64,
}

/// The words of an image.
pub(crate) struct Image<S> {
    source: S,
    next: Next,
    /// Words that were made and not read yet, the first of them last.
    words: Vec<u64>,
    /// A block that follows them: its memory, first byte, and bytes.
    block: (u32, u64, u64),
    /// Zero bytes that follow it.
    zeros: u64,
}

impl<S: Source> Image<S> {
    /// The image of memories.
    ///
    /// # Errors
    /// If the state is none that this crate writes.
    pub(crate) fn new(source: S) -> Result<Image<S>, Fault> {
        let image =
            Image { source, next: Next::Header, words: Vec::new(), block: (0, 0, 0), zeros: 0 };
        if image.word(STATE, STATE_VERSION)? != VERSION {
            return Err("the state is of another version, or none");
        }
        Ok(image)
    }

    fn bytes(&self, memory: u32, at: u64, to: &mut [u8]) -> Result<(), Fault> {
        let end = u64::try_from(to.len()).ok().and_then(|len| at.checked_add(len));
        if memory >= MEMORIES || end.is_none_or(|end| end > self.source.len(memory)) {
            return Err("a memory is too short");
        }
        self.source.read(memory, at, to);
        Ok(())
    }

    fn word(&self, memory: u32, at: u64) -> Result<u64, Fault> {
        let mut bytes = [0; 8];
        self.bytes(memory, at.saturating_mul(8), &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn state(&self, selector: u64, field: u64) -> Result<u64, Fault> {
        self.word(STATE, state(selector, field))
    }

    fn half(&self, selector: u64, field: u64) -> Result<u32, Fault> {
        Ok(halves(self.state(selector, field)?)[0])
    }

    fn slot(&self, selector: u64, index: u32) -> Result<[u32; 4], Fault> {
        let at = u64::from(index).saturating_mul(SLOT);
        let at = self.state(selector, BASE)?.saturating_add(at);
        let mut bytes = [0; 16];
        self.bytes(slots_of(selector), at, &mut bytes)?;
        let [a, b] = u128_words(bytes);
        let ([key, len], [off, room]) = (halves(a), halves(b));
        Ok([key, len, off, room])
    }

    /// Fills bytes with those of the image that come next.
    pub(crate) fn fill(&mut self, mut bytes: &mut [u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if !self.has_word() && self.block.2 == 0 && self.zeros == 0 {
                self.make()?;
                continue;
            }
            let (memory, at, len) = self.block;
            let left = if self.has_word() {
                8
            } else if len > 0 {
                len
            } else {
                self.zeros
            };
            let part = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let (to, rest) = bytes.split_at_mut_checked(part).ok_or(NOT_WHOLE)?;
            bytes = rest;
            let done = u64::try_from(part).unwrap_or(u64::MAX);
            if let Some(word) = self.words.pop() {
                *to.first_chunk_mut::<8>().ok_or(NOT_WHOLE)? = word.to_le_bytes();
            } else if len > 0 {
                self.bytes(memory, at, to)?;
                self.block = (memory, at.saturating_add(done), len.saturating_sub(done));
            } else {
                to.fill(0);
                self.zeros = left.saturating_sub(done);
            }
        }
        Ok(())
    }

    fn has_word(&self) -> bool {
        !self.words.is_empty()
    }

    /// Makes what comes next, once all that was made has been read.
    fn make(&mut self) -> Result<(), Fault> {
        match self.next {
            Next::Header => {
                self.block = (STATE, 0, HEADER.saturating_mul(8));
                self.next = Next::Arena(0);
            }
            Next::Arena(number) => match ARENAS.get(number) {
                Some(&selector) => self.make_arena(number, selector)?,
                None => self.next = Next::Tail(0),
            },
            Next::Slots(arena, first) if first >= arena.count => {
                self.next = Next::Blocks(arena, 0);
            }
            Next::Slots(arena, first) => self.make_slots(arena, first)?,
            Next::Blocks(arena, first) => self.make_block(arena, first)?,
            Next::Tail(done) => {
                let first = self.word(STATE, STATE_TAIL)?.saturating_add(done);
                let end = self.word(STATE, STATE_TAIL.saturating_add(1))?;
                if done >= end {
                    return Err("the image ends too early");
                }
                let part = end.saturating_sub(done).min(PART);
                self.block = (STATE, first.saturating_mul(8), part.saturating_mul(8));
                self.next = Next::Tail(done.saturating_add(part));
            }
        }
        Ok(())
    }

    fn make_arena(&mut self, number: usize, selector: u64) -> Result<(), Fault> {
        let count = self.half(selector, COUNT)?;
        let slots = self.source.len(slots_of(selector));
        if u64::from(count).saturating_mul(SLOT) > slots {
            return Err("a memory has fewer slots than the state says");
        }
        let free = self.half(selector, FREE)?;
        // Free slots of pages go to the end of the free list's beginning: the last one first.
        let mut head = free;
        let dense = self.half(selector, DENSE_SLOTS)?;
        for index in (dense..count).rev() {
            if is_spare(self.slot(selector, index)?[0]) {
                head = index;
                break;
            }
        }
        let left = self.source.len(memory_of(selector)) / 8;
        self.next = Next::Slots(Arena { number, selector, count, link: free, left }, 0);
        self.words.extend([u64::from(head), u64::from(count), u64::from(count), selector]);
        Ok(())
    }

    fn make_slots(&mut self, mut arena: Arena, first: u32) -> Result<(), Fault> {
        let Arena { selector, count, .. } = arena;
        let end = first.saturating_add(u32::try_from(PART).unwrap_or(1)).min(count);
        let dense = self.half(selector, DENSE_SLOTS)?;
        for index in first..end {
            let [mut key, len, mut off, room] = self.slot(selector, index)?;
            if is_live(key) {
                off = 0;
            } else if index >= dense && is_spare(key) {
                off = core::mem::replace(&mut arena.link, index);
                key = if key == 0 { self.dropped_key(selector, index)? } else { key };
            }
            let room = if is_live(key) { room & !CAP | capacity(selector, room)? } else { room };
            self.words.extend([word([key, len]), word([off, room])]);
        }
        self.words.reverse();
        self.next = Next::Slots(arena, end);
        Ok(())
    }

    /// The key of a slot of a page that was dropped.
    fn dropped_key(&self, selector: u64, index: u32) -> Result<u32, Fault> {
        let page = u64::from(index) / PAGE_SLOTS;
        let used = self.word(STATE, self.state(selector, PAGES)?.saturating_add(page))?;
        let first = first_generation(self.half(selector, SEED)?, index);
        Ok(KEY_FREE | first.wrapping_add(halves(used)[0]) & GENERATION)
    }

    fn make_block(&mut self, mut arena: Arena, first: u32) -> Result<(), Fault> {
        let Arena { number, selector, count, .. } = arena;
        for index in first..count {
            let [key, _, off, room] = self.slot(selector, index)?;
            let words = u64::from(room & CAP);
            if !is_live(key) || words == 0 {
                continue;
            }
            // Blocks of a heap do not overlap: no more than a memory is read from it.
            arena.left = arena.left.checked_sub(words).ok_or("blocks overlap")?;
            let at = u64::from(off).saturating_mul(8);
            self.block = (memory_of(selector), at, words.saturating_mul(8));
            let whole = u64::from(capacity(selector, room)?);
            self.zeros = whole.saturating_sub(words).saturating_mul(8);
            self.next = Next::Blocks(arena, index.saturating_add(1));
            return Ok(());
        }
        self.next = Next::Arena(number.saturating_add(1));
        Ok(())
    }
}

/// Whether a slot with this key is free.
const fn is_spare(key: u32) -> bool {
    !is_live(key) && key != RETIRED
}

/// The words of the block of an object: the guest makes blocks of texts and maps as large as
/// they need to be, and in a heap they have the size of a class.
fn capacity(of: u64, room: u32) -> Result<u32, Fault> {
    let words = room & CAP;
    if of == selector(Kind::STR) || of == selector(Kind::MAP) {
        abi::block_words(words).ok_or("an object is too large")
    } else {
        Ok(words)
    }
}

/// The two words of 16 bytes.
fn u128_words(bytes: [u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(bytes);
    let low = u64::try_from(both & u128::from(u64::MAX)).unwrap_or(0);
    [low, u64::try_from(both >> 64).unwrap_or(0)]
}

/// [`NONE`] ends a free list in both.
const _: u32 = NONE;
