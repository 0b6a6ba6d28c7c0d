//! [`HashSeeds`]: the seeded hash of keys.
//!
//! The hash is [`foldhash`](https://github.com/orlp/foldhash) by Orson Peters: it is
//! fast, its seeds are secret, and it is not cryptographic. Tables bound what keys that
//! collide all the same cost.

use core::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

/// The seeds of a heap's hashes. All of them are secret: with a public one, a key can
/// cancel what it is multiplied by.
#[derive(Clone)]
pub(crate) struct HashSeeds {
    start: u64,
    shared: SharedSeed,
}

impl HashSeeds {
    pub(crate) const fn new(seed: u64) -> HashSeeds {
        let start = seed.wrapping_mul(0x9E6C_63D0_876A_9A35).rotate_left(29);
        HashSeeds { start, shared: SharedSeed::from_u64(!seed) }
    }

    /// The hash of a word. Equal words of different classes have different hashes.
    #[inline(always)]
    pub(crate) fn word(&self, class: u64, word: u64) -> u32 {
        let mut hasher = FoldHasher::with_seed(self.start, &self.shared);
        hasher.write_u64(word.wrapping_add(class.rotate_right(8)));
        low(hasher.finish())
    }

    /// The hash of bytes, with their class.
    #[inline(always)]
    pub(crate) fn bytes(&self, class: u64, bytes: &[u8]) -> u32 {
        let mut hasher = FoldHasher::with_seed(self.start, &self.shared);
        hasher.write(bytes);
        low(hasher.finish() ^ class)
    }
}

/// Shows no seed.
impl core::fmt::Debug for HashSeeds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashSeeds")
    }
}

/// The low half of a hash. It is the better one: the hashes of successive integers
/// differ by an odd factor there, and so spread evenly.
#[allow(clippy::cast_possible_truncation, reason = "truncates on purpose")]
const fn low(hash: u64) -> u32 {
    hash as u32
}
