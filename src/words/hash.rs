//! [`HashSeeds`]: the seeded hash of keys.
//!
//! The hash of bytes is [`foldhash`](https://github.com/orlp/foldhash) by Orson Peters, that
//! of a word begins as that does: a product, folded; that of several words chains such
//! products. They are fast, their seeds are secret, and they are not cryptographic. Tables bound what keys that collide all the same
//! cost.

use core::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

/// The seeds of a heap's hashes. All of them are secret: with a public one, a key can
/// cancel what it is multiplied by.
#[derive(Clone)]
pub(crate) struct HashSeeds {
    start: u64,
    /// The factors of the hash of a word, which are odd.
    factors: [u64; 2],
    shared: SharedSeed,
}

impl HashSeeds {
    pub(crate) fn new(seed: u64) -> HashSeeds {
        /// Replaces the bits of the seeds 0 and -1, from which all shared ones would be equal,
        /// and all hashes; and 0 would not tell lengths apart.
        const OTHER: u64 = 0xA076_1D64_78BD_642F;
        let seed = match seed {
            0 | u64::MAX => seed ^ OTHER,
            seed => seed,
        };
        let start = seed.wrapping_mul(0x9E6C_63D0_876A_9A35).rotate_left(29);
        let mut seeds = HashSeeds { start, factors: [0; 2], shared: SharedSeed::from_u64(seed) };
        seeds.factors = [1, 2].map(|n| {
            let mut hasher = seeds.hasher(start.rotate_left(32));
            hasher.write_u64(n);
            hasher.finish() | 1 | 1 << 63
        });
        seeds
    }

    /// The hash of a word: a product with a seed, folded, and that multiplied by another one.
    /// The first products of keys that differ in few bits keep their pattern, under some
    /// seeds in the bits that choose a place.
    #[inline(always)]
    pub(crate) fn word(&self, word: u64) -> u32 {
        self.spread(self.folded(word ^ self.start))
    }

    /// A product with a seed, folded.
    #[inline(always)]
    fn folded(&self, word: u64) -> u64 {
        let product = u128::from(word).wrapping_mul(u128::from(self.factors[0]));
        low(product) ^ low(product >> 64)
    }

    /// The high bits of a product with another seed.
    #[inline(always)]
    fn spread(&self, folded: u64) -> u32 {
        high(folded.wrapping_mul(self.factors[1]))
    }

    /// The hash of bytes, with their class.
    #[inline(always)]
    pub(crate) fn bytes(&self, class: u64, bytes: &[u8]) -> u32 {
        let mut hasher = self.hasher(self.start);
        hasher.write(bytes);
        self.fold(class, hasher)
    }

    /// Begins the hash of a value of several parts.
    pub(crate) fn structure(&self) -> KeyHasher<'_> {
        KeyHasher { seeds: self, state: self.start.rotate_left(16) }
    }

    #[inline(always)]
    fn hasher(&self, start: u64) -> FoldHasher<'_> {
        FoldHasher::with_seed(start, &self.shared)
    }

    /// Folds a hash once more, with the class: the products of keys that differ in few bits
    /// keep their pattern, under some seeds in the bits that choose a place.
    #[inline(always)]
    fn fold(&self, class: u64, hasher: FoldHasher<'_>) -> u32 {
        let mut again = self.hasher(hasher.finish());
        again.write_u64(class);
        high(again.finish())
    }
}

/// The hash of a value of several parts, as it is made: each word is mixed into the state by
/// a product with a seed, folded.
#[allow(missing_debug_implementations, reason = "a seed is secret")]
pub(crate) struct KeyHasher<'s> {
    seeds: &'s HashSeeds,
    state: u64,
}

impl KeyHasher<'_> {
    #[inline(always)]
    pub(crate) fn word(&mut self, word: u64) {
        self.state = self.seeds.folded(self.state ^ word);
    }

    /// Hashes bytes, whose number is hashed before.
    #[inline(always)]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let mut hasher = self.seeds.hasher(self.state);
        hasher.write(bytes);
        self.state = hasher.finish();
    }

    #[inline(always)]
    pub(crate) fn finish(self) -> u32 {
        self.seeds.spread(self.seeds.folded(self.state))
    }
}

/// Shows no seed.
impl core::fmt::Debug for HashSeeds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashSeeds")
    }
}

/// The low half of a product.
#[allow(clippy::cast_possible_truncation, reason = "truncates on purpose")]
const fn low(product: u128) -> u64 {
    product as u64
}

/// The high half of a hash.
#[allow(clippy::cast_possible_truncation, reason = "truncates on purpose")]
const fn high(hash: u64) -> u32 {
    (hash >> 32) as u32
}
