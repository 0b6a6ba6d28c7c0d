//! A reader of objects that knows the words of slots and of memories, the constants of
//! `abi::layout`, and nothing else of a heap.

use segheap::abi::layout::object::{self, Elements, Layout};
use segheap::abi::layout::{cell, key, slot, table};
use segheap::{Heap, Kind, abi};

/// The words of one arena.
pub struct Facts<'h> {
    heap: &'h Heap,
    pub kind: Kind,
    pub layout: Layout,
    slots: &'h [[u32; 4]],
    words: Vec<u64>,
}

/// An object: its fields, and its words in use.
pub struct Object<'f> {
    pub header: &'f [u64],
    pub len: usize,
    pub flags: u32,
    /// The words of the block after the header.
    pub body: &'f [u64],
    /// All words of the block.
    pub block: &'f [u64],
}

/// What a slot is, by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Live,
    Free,
    Retired,
}

/// A table, by the words of its block.
pub struct Table<'f> {
    block: &'f [u64],
    used: usize,
    stride: usize,
    capacity: usize,
    pub len: usize,
    pub flags: u32,
    halves: Vec<u32>,
}

/// The field of a slot with this byte offset.
fn field(of: [u32; 4], offset: usize) -> u32 {
    of[offset / 4]
}

fn halves(words: &[u64]) -> Vec<u32> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes.chunks(4).map(|half| u32::from_ne_bytes(half.try_into().unwrap())).collect()
}

/// The words of `bytes`.
pub fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect()
}

impl<'h> Facts<'h> {
    pub fn of(heap: &'h Heap, kind: Kind) -> Facts<'h> {
        assert_eq!(slot::BYTES, size_of::<[u32; 4]>());
        let (slots, memory) = (abi::slots(heap, kind).unwrap(), abi::memory(heap, kind).unwrap());
        let layout = object::layout(kind).unwrap();
        Facts { heap, kind, layout, slots, words: words(memory.bytes()) }
    }

    fn slot(&self, index: u64) -> Option<[u32; 4]> {
        let dense = self.slots.get(index as usize).copied();
        dense.or_else(|| abi::slot(self.heap, self.kind, index as u32))
    }

    /// What the dense slots are.
    pub fn states(&self) -> impl Iterator<Item = State> {
        self.slots.iter().map(|&of| state(field(of, slot::KEY), self.kind))
    }

    /// The fields of the slot that a handle refers to, if that is open to it.
    pub fn open(&self, handle: u64) -> Option<[u32; 4]> {
        let of = self.slot(handle & cell::SLOT_MASK)?;
        let is_open = u64::from(field(of, slot::KEY)) == handle >> cell::KEY_SHIFT;
        (is_open && handle >> cell::TAG_SHIFT == cell::HANDLE).then_some(of)
    }

    /// The object that a handle refers to.
    pub fn read(&self, handle: u64) -> Option<Object<'_>> {
        let of = self.open(handle)?;
        let (off, cap) = (field(of, slot::OFF) as usize, field(of, slot::CAP));
        let block = &self.words[off..off + (cap & slot::CAP_MASK) as usize];
        let header = if cap == 0 || block.is_empty() { 0 } else { self.layout.header as usize };
        let (header, body) = block.split_at(header);
        let flags = cap & !slot::CAP_MASK;
        Some(Object { header, len: field(of, slot::LEN) as usize, flags, body, block })
    }
}

fn state(of: u32, kind: Kind) -> State {
    if of >= key::LIVE {
        let selector = (of >> key::SELECTOR_SHIFT) & 0xF;
        assert_eq!(u64::from(selector), kind.selector(), "the key of a live slot has its kind");
        State::Live
    } else if of == key::RETIRED {
        State::Retired
    } else {
        assert_eq!(of & !key::GENERATION, key::FREE);
        State::Free
    }
}

impl Object<'_> {
    /// The elements that are a word each.
    pub fn elements(&self) -> &[u64] {
        &self.body[..self.len]
    }

    pub fn bytes(&self) -> Vec<u8> {
        let bytes = self.body.iter().flat_map(|word| word.to_ne_bytes());
        bytes.take(self.len).collect()
    }

    pub fn table(&self, elements: Elements) -> Option<Table<'_>> {
        let Elements::Entries { cells } = elements else { return None };
        let counts = self.block.get(table::COUNTS).copied().unwrap_or(0);
        let (high, len) = ((counts >> 32) as u32, counts as u32 as usize);
        let (capacity, flags) = ((high & table::CAPACITY) as usize, high & !table::CAPACITY);
        let (used, stride) = (self.len, cells as usize);
        let halves = halves(self.block);
        Some(Table { block: self.block, used, stride, capacity, len, flags, halves })
    }
}

/// The bits of a removed entry's key, or those of any other cell.
fn is_hole(key: u64) -> bool {
    key >> cell::TAG_SHIFT == cell::HOLE
}

impl Table<'_> {
    fn key(&self, position: usize) -> u64 {
        self.block[table::HEADER + position * self.stride]
    }

    /// The positions of entries. A run of holes is passed by its length.
    fn positions(&self) -> Vec<usize> {
        let (mut positions, mut position) = (Vec::new(), 0);
        while position < self.used {
            let key = self.key(position);
            if is_hole(key) {
                let payload = key & cell::PAYLOAD;
                assert_eq!(payload & table::HOLE_BACKWARDS, 0, "the first hole reads forwards");
                position += (payload >> table::HOLE_LEN_SHIFT) as usize;
            } else {
                positions.push(position);
                position += 1;
            }
        }
        assert_eq!(position, self.used, "the last run of holes ends at the last used position");
        positions
    }

    /// The cells of all entries, in order.
    pub fn entries(&self) -> Vec<Vec<u64>> {
        let entry = |position: usize| {
            let start = table::HEADER + position * self.stride;
            self.block[start..start + self.stride].to_vec()
        };
        self.positions().into_iter().map(entry).collect()
    }

    fn words_before_index(&self) -> (usize, usize) {
        let hashes = table::HEADER + self.capacity * self.stride;
        let sequence = hashes + self.capacity.div_ceil(2);
        let numbers = if self.flags & table::SEQUENCED != 0 { self.capacity } else { 0 };
        (hashes, sequence + numbers)
    }

    /// Checks that the index leads from the hash of each entry to its position. Returns whether
    /// there is an index by hash.
    pub fn check_index(&self) -> bool {
        if self.block.is_empty() {
            return false;
        }
        let (hashes, index) = self.words_before_index();
        let start = self.halves[table::INDEX];
        if self.flags & table::OWN == 0 {
            if start == table::NO_INDEX {
                return false;
            }
            assert_eq!(start as usize, index, "the index follows the other parts");
        } else if start == table::SCATTERED {
            return false;
        } else {
            assert_eq!(start, table::NO_INDEX, "own hashes are found by no hash of the heap");
        }
        let mask = self.halves[table::MASK];
        let buckets = &self.halves[2 * index..][..mask as usize + 1];
        let ratio = 2 * self.capacity <= buckets.len();
        assert_eq!(ratio, self.flags & table::DENSE == 0, "the flag says how full the index is");
        for position in self.positions() {
            let hash = self.halves[2 * hashes + position];
            assert!(finds(buckets, hash, position as u32 + 1), "no bucket of position {position}");
        }
        true
    }

    /// Checks that sequence numbers ascend up to the next one.
    pub fn check_sequence(&self) {
        if self.block.is_empty() {
            return;
        }
        let next = self.block[table::NEXT];
        assert!(self.used as u64 <= next);
        if self.flags & table::SEQUENCED != 0 {
            let end = self.words_before_index().1;
            let numbers = &self.block[end - self.capacity..][..self.used];
            assert!(numbers.is_sorted_by(|a, b| a < b));
            assert!(numbers.last().is_none_or(|&last| last < next));
        }
    }
}

/// Whether the probe sequence of a hash meets a bucket that refers to position `link` - 1.
fn finds(buckets: &[u32], hash: u32, link: u32) -> bool {
    let mask = buckets.len() as u32 - 1;
    let groups: Vec<&[u32]> = buckets.chunks(table::GROUP).collect();
    let first = (hash & mask) as usize / table::GROUP;
    for n in 0..table::PROBES_MAX {
        let group = groups[(first + n) % groups.len()];
        let of_hash = |bucket: &u32| bucket & !mask == hash & !mask;
        if group.iter().any(|bucket| of_hash(bucket) && bucket & mask == link) {
            return true;
        }
        if group.contains(&0) {
            return false;
        }
    }
    false
}
