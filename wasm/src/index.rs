//! The index of a map in the module: the hash of keys, and the buckets.
//!
//! The guest finds keys by a hash of its own, with random numbers of the module: an image has
//! no hashes. A bucket has 32 bits, as in the heap: 0 if it is free, else the position of an
//! entry + 1 in as many low bits as the number of buckets has, and the high bits of the hash
//! above. Probing is linear. Entries whose key was freed have no bucket.

use std::hash::{BuildHasher, RandomState};

use crate::image::Memories;
use crate::layout::{
    CAP, COUNT, DENSE, OWN, POSITIONS, SEALED, SEQUENCED, TABLE, TAG_HANDLE, TAG_HOLE, TAG_INT,
    TAG_SHORT, VALUE, halves, is_live, memory_of, selector, word,
};
use segheap::Kind;

/// The numbers of a module that its hashes depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeds {
    pub(crate) start: u64,
    /// Odd, so that multiplying by it loses nothing.
    pub(crate) factor: u64,
}

impl Seeds {
    /// Random numbers, as hash tables of `std` have them.
    pub(crate) fn random() -> Seeds {
        Seeds::new(RandomState::new().hash_one(0), RandomState::new().hash_one(1))
    }

    pub(crate) const fn new(start: u64, factor: u64) -> Seeds {
        Seeds { start, factor: factor | 1 }
    }

    /// The hash of words. `emit::map` writes the same function for the guest.
    fn hash(self, words: &[u64]) -> u32 {
        let mix = |hash: u64, word: &u64| {
            let hash = (hash ^ word).wrapping_mul(self.factor);
            hash ^ hash >> 32
        };
        let [_, high] = halves(words.iter().fold(self.start, mix).wrapping_mul(self.factor));
        high
    }
}

/// What builds the index of one map.
pub(crate) struct Indexer<'m> {
    memories: &'m Memories,
    seeds: Seeds,
}

impl<'m> Indexer<'m> {
    pub(crate) const fn new(memories: &'m Memories, seeds: Seeds) -> Indexer<'m> {
        Indexer { memories, seeds }
    }

    /// Fills the buckets of the map with `used` positions whose block begins at word `off`.
    /// Returns the word of the memory where they belong, and the word of the header that says
    /// so; `None` for a map with hashes of the VM's own.
    pub(crate) fn build(&self, off: u32, used: u32, buckets: &mut Vec<u32>) -> Option<(u64, u64)> {
        let memory = memory_of(selector(Kind::MAP));
        let off = u64::from(off);
        let [_, counts] = halves(self.memories.word(memory, off));
        if counts & OWN != 0 {
            return None;
        }
        let capacity = u64::from(counts & POSITIONS);
        let numbers = if counts & SEQUENCED == 0 { 0 } else { capacity };
        let count = capacity.wrapping_mul(2).max(8).next_power_of_two();
        let count = if counts & DENSE == 0 { count } else { count / 2 };
        let start = capacity.wrapping_mul(2).wrapping_add(u64::from(TABLE));
        let start = start.wrapping_add(capacity.div_ceil(2)).wrapping_add(numbers);
        let mask = u32::try_from(count.wrapping_sub(1)).ok()?;
        buckets.clear();
        buckets.resize(usize::try_from(count).ok()?, 0);
        for position in 0..used {
            let at = off.wrapping_add(u64::from(TABLE));
            let at = at.wrapping_add(u64::from(position).wrapping_mul(2));
            let key = self.memories.word(memory, at);
            if key >> 48 != TAG_HOLE
                && let Some(hash) = self.hash_of(key)
            {
                insert(buckets, mask, hash, position);
            }
        }
        let location = word([mask, u32::try_from(start).ok()?]);
        Some((off.wrapping_add(start), location))
    }

    /// The hash of a key of an entry; `None` if no key of the guest is the same.
    fn hash_of(&self, key: u64) -> Option<u32> {
        if key == (-0.0_f64).to_bits() {
            return Some(self.seeds.hash(&[0]));
        }
        if key >> 48 != TAG_HANDLE {
            return Some(self.seeds.hash(&[key]));
        }
        let of = key >> 44 & 15;
        let [index, high] = halves(key);
        let is_there = u64::from(index) < self.memories.state(of, COUNT);
        let [found, len, off, room] = self.memories.slot(of, index);
        if !is_there || found != high || !is_live(high) {
            return None;
        }
        if of == selector(Kind::STR) {
            let words = self.memories.range(memory_of(of), off.into(), len.div_ceil(8).into())?;
            let short = words.first().copied().unwrap_or(0);
            let short = TAG_SHORT << 48 | u64::from(len) << 40 | short;
            return Some(self.seeds.hash(if len <= 5 {
                core::slice::from_ref(&short)
            } else {
                words
            }));
        }
        if of == selector(Kind::BIGNUM) {
            let words = self.memories.range(memory_of(of), off.into(), u64::from(len) + 1)?;
            let small = small_integer(words);
            return Some(self.seeds.hash(small.as_ref().map_or(words, core::slice::from_ref)));
        }
        let is_value = of != SEALED && room & VALUE != 0 && room > CAP;
        (!is_value).then(|| self.seeds.hash(&[key]))
    }
}

/// The cell of an integer in an arena that would fit into one.
fn small_integer(words: &[u64]) -> Option<u64> {
    let payload = (1 << 48) - 1;
    let int = |bits: u64| TAG_INT << 48 | bits & payload;
    match *words {
        [_] => Some(int(0)),
        [0, limb] if limb < 1 << 47 => Some(int(limb)),
        [1, limb] if limb <= 1 << 47 => Some(int(limb.wrapping_neg())),
        _ => None,
    }
}

/// Puts an entry into the first free bucket of its hash: there is one, as an index has more
/// buckets than positions.
fn insert(buckets: &mut [u32], mask: u32, hash: u32, position: u32) {
    let mut bucket = hash & mask;
    for _ in 0..=mask {
        match usize::try_from(bucket).ok().and_then(|bucket| buckets.get_mut(bucket)) {
            Some(free @ 0) => {
                *free = hash & !mask | position.wrapping_add(1) & mask;
                return;
            }
            _ => bucket = bucket.wrapping_add(1) & mask,
        }
    }
}
