//! Reading an image of [`Heap::save`](segheap::Heap::save) into the memories of the module.

use crate::index::{Indexer, Seeds};
use crate::layout::{
    ARENAS, BASE, COUNT, DENSE_SLOTS, FREE, HEADER, MEMORIES, NONE, PAGE_COUNT, PAGE_SLOTS,
    PAGE_STORED, PAGES, SEALED, SEED, STATE, STATE_TAIL, STATE_VERSION, STATE_WORDS, TOP, VERSION,
    halves, is_live, len_of, memory_of, selector, slots_of, state, usize_of, word,
};
use crate::layout::{CAP, SLOT};
use segheap::{Heap, Kind, abi};

/// The memories of a module, in words.
#[derive(Debug)]
pub(crate) struct Memories {
    pub(crate) words: Vec<Vec<u64>>,
}

/// The image is not as this crate expects it: it is of another version of segheap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unexpected;

/// The rest of an image.
struct Reader<'i> {
    words: &'i [u64],
}

impl<'i> Reader<'i> {
    fn take(&mut self, len: u64) -> Result<&'i [u64], Unexpected> {
        let len = usize_of(len).ok_or(Unexpected)?;
        let (taken, rest) = self.words.split_at_checked(len).ok_or(Unexpected)?;
        self.words = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u64; N], Unexpected> {
        let (taken, rest) = self.words.split_first_chunk().ok_or(Unexpected)?;
        self.words = rest;
        Ok(*taken)
    }
}

impl Memories {
    /// The memories with the heap of an image, and the indices of its maps.
    pub(crate) fn of(heap: &Heap, image: &[u64], seeds: Seeds) -> Result<Memories, Unexpected> {
        let count = usize_of(u64::from(MEMORIES)).unwrap_or_default();
        let mut memories = Memories { words: vec![Vec::new(); count] };
        let mut reader = Reader { words: image };
        let header = reader.take(HEADER)?;
        let state_words = usize_of(STATE_WORDS).unwrap_or_default();
        let state = memories.memory(STATE);
        state.extend_from_slice(header);
        state.resize(state_words, 0);
        for selector in ARENAS {
            memories.read_arena(&mut reader, selector)?;
            let kind = usize_of(selector).and_then(|selector| Kind::ALL.get(selector));
            let seed = kind.and_then(|&kind| abi::generation_seed(heap, kind)).unwrap_or(0);
            memories.set_state(selector, SEED, u64::from(seed));
        }
        let tail = reader.take(len_of(reader.words))?;
        let first = len_of(memories.memory(STATE));
        memories.memory(STATE).extend_from_slice(tail);
        memories.set(STATE, STATE_VERSION, VERSION);
        memories.set(STATE, STATE_TAIL, first);
        memories.set(STATE, STATE_TAIL.wrapping_add(1), len_of(tail));
        memories.index_maps(seeds)?;
        Ok(memories)
    }

    fn memory(&mut self, memory: u32) -> &mut Vec<u64> {
        // There are as many as numbers of memories; the last one is the state.
        let last = self.words.len().saturating_sub(1);
        let place = usize_of(u64::from(memory)).unwrap_or(last).min(last);
        #[allow(clippy::indexing_slicing, reason = "at most the last one, and there are some")]
        &mut self.words[place]
    }

    /// A word of a memory; 0 beyond its end.
    pub(crate) fn word(&self, memory: u32, at: u64) -> u64 {
        let words = usize_of(u64::from(memory)).and_then(|memory| self.words.get(memory));
        let at = usize_of(at);
        words.zip(at).and_then(|(words, at)| words.get(at)).copied().unwrap_or(0)
    }

    /// Words of a memory.
    pub(crate) fn range(&self, memory: u32, at: u64, len: u64) -> Option<&[u64]> {
        let (at, end) = (usize_of(at)?, usize_of(at.checked_add(len)?)?);
        self.words.get(usize_of(u64::from(memory))?)?.get(at..end)
    }

    fn set(&mut self, memory: u32, at: u64, value: u64) {
        if let Some(place) = usize_of(at).and_then(|at| self.memory(memory).get_mut(at)) {
            *place = value;
        }
    }

    fn set_state(&mut self, selector: u64, field: u64, value: u64) {
        self.set(STATE, state(selector, field), value);
    }

    /// A word of the state about an arena.
    pub(crate) fn state(&self, selector: u64, field: u64) -> u64 {
        self.word(STATE, state(selector, field))
    }

    /// The slot with an index: key, length, offset and words with flags.
    pub(crate) fn slot(&self, selector: u64, index: u32) -> [u32; 4] {
        let first = self.state(selector, BASE) / 8;
        let first = first.wrapping_add(u64::from(index).wrapping_mul(SLOT / 8));
        let memory = slots_of(selector);
        let [key, len] = halves(self.word(memory, first));
        let [off, room] = halves(self.word(memory, first.wrapping_add(1)));
        [key, len, off, room]
    }

    /// Reads the slots and the blocks of one arena.
    fn read_arena(&mut self, reader: &mut Reader<'_>, selector: u64) -> Result<(), Unexpected> {
        let [found, indices, dense, free] = reader.array()?;
        if found != selector {
            return Err(Unexpected);
        }
        let pages = if dense < indices { indices.div_ceil(PAGE_SLOTS) } else { 0 };
        let directory = reader.take(pages)?;
        let slots = slots_of(selector);
        let base = len_of(self.memory(slots));
        self.set_state(selector, COUNT, indices);
        self.set_state(selector, FREE, free);
        self.set_state(selector, DENSE_SLOTS, dense);
        self.set_state(selector, BASE, base.wrapping_mul(8));
        let first = len_of(self.memory(STATE));
        self.set_state(selector, PAGES, first);
        self.set_state(selector, PAGE_COUNT, pages);
        self.memory(STATE).extend_from_slice(directory);
        // Slots of dropped pages stay zero: no handle has such a key.
        let end = base.wrapping_add(indices.wrapping_mul(2));
        self.memory(slots).resize(usize_of(end).ok_or(Unexpected)?, 0);
        let mut place = |first: u64, len: u64, reader: &mut Reader<'_>| {
            let words = reader.take(len.wrapping_mul(2))?;
            let start = usize_of(base.wrapping_add(first.wrapping_mul(2))).ok_or(Unexpected)?;
            let to = self.memory(slots).get_mut(start..).and_then(|to| to.get_mut(..words.len()));
            to.ok_or(Unexpected)?.copy_from_slice(words);
            Ok(())
        };
        place(0, dense, reader)?;
        for (number, page) in (0..).zip(directory) {
            if page & PAGE_STORED != 0 {
                let first = PAGE_SLOTS.wrapping_mul(number);
                place(first, PAGE_SLOTS.min(indices.saturating_sub(first)), reader)?;
            }
        }
        self.read_blocks(reader, selector, indices)
    }

    /// Reads the blocks of the live objects of an arena, and stores where they are.
    fn read_blocks(
        &mut self,
        reader: &mut Reader<'_>,
        selector: u64,
        indices: u64,
    ) -> Result<(), Unexpected> {
        let (memory, slots) = (memory_of(selector), slots_of(selector));
        let first = self.state(selector, BASE) / 8;
        for index in 0..u32::try_from(indices).map_err(|_| Unexpected)? {
            let [key, _, _, room] = self.slot(selector, index);
            if !is_live(key) {
                continue;
            }
            let block = reader.take(u64::from(room & CAP))?;
            let off = if block.is_empty() { 0 } else { len_of(self.memory(memory)) };
            let off = u32::try_from(off).map_err(|_| Unexpected)?;
            self.memory(memory).extend_from_slice(block);
            let at = first.wrapping_add(u64::from(index).wrapping_mul(2)).wrapping_add(1);
            self.set(slots, at, word([off, room]));
        }
        let top = u32::try_from(len_of(self.memory(memory))).map_err(|_| Unexpected)?;
        if top == NONE {
            return Err(Unexpected);
        }
        if selector != SEALED {
            self.set_state(selector, TOP, u64::from(top));
        }
        Ok(())
    }

    /// Builds the indices of all maps.
    fn index_maps(&mut self, seeds: Seeds) -> Result<(), Unexpected> {
        let map = selector(Kind::MAP);
        let count = u32::try_from(self.state(map, COUNT)).map_err(|_| Unexpected)?;
        let mut buckets = Vec::new();
        for index in 0..count {
            let [key, used, off, room] = self.slot(map, index);
            if !is_live(key) || room & CAP == 0 {
                continue;
            }
            let built = Indexer::new(self, seeds).build(off, used, &mut buckets);
            let Some((start, location)) = built else { continue };
            let memory = memory_of(map);
            self.set(memory, u64::from(off).wrapping_add(2), location);
            let (pairs, _) = buckets.as_chunks::<2>();
            for (at, &pair) in (start..).zip(pairs) {
                self.set(memory, at, word(pair));
            }
        }
        Ok(())
    }
}
