//! The generation counter of a slot: where it starts, how it advances, when it is
//! used up.

use super::cell::{Cell, GENERATION_MASK, SELECTOR_SHIFT, TAG_FREE, TAG_HANDLE, TAG_SHIFT};
use super::kind::Kind;

/// The bits of a key that are the generation.
pub(crate) const GENERATION_IN_KEY: u32 = Cell::raw(GENERATION_MASK).key();
/// The key of a retired slot, which no cell has.
pub(crate) const RETIRED: u32 = key_of(TAG_FREE, 1);

/// The key of a free slot without its generation.
pub(crate) const FREE: u32 = key_of(TAG_FREE, 0);
/// The smallest key of a live slot.
pub(crate) const LIVE: u32 = key_of(TAG_HANDLE, 0);

const fn key_of(tag: u64, selector: u64) -> u32 {
    Cell::raw(tag << TAG_SHIFT | selector << SELECTOR_SHIFT).key()
}

/// The keys of one arena's slots, with generations of `BITS` bits (12 in a heap,
/// fewer in exhaustive tests).
///
/// The key of a live slot is the high half of its handle, so that one compare
/// proves kind, generation and liveness. The keys of free and retired slots have a
/// tag that no cell has. The first generation of a slot depends on the seed and
/// the slot's index; the slot is used 2^`BITS` times, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generations<const BITS: u32> {
    live: u32,
    seed: u32,
}

impl<const BITS: u32> Generations<BITS> {
    const MASK: u32 = {
        assert!(BITS >= 1 && BITS <= 12);
        GENERATION_IN_KEY >> 12_u32.saturating_sub(BITS)
    };

    pub(crate) const fn new(kind: Kind, seed: u32) -> Self {
        Generations { live: key_of(TAG_HANDLE, kind.selector()), seed }
    }

    pub(crate) const fn seed(&self) -> u32 {
        self.seed
    }

    /// The generation of the first object in a slot.
    #[allow(clippy::cast_possible_truncation, reason = "the high bits, shifted down")]
    const fn offset(&self, index: u32) -> u32 {
        let mixed = (self.seed ^ index) as u64;
        let mixed = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 32) as u32 & Self::MASK
    }

    /// The key of a free slot that has used `used` of its generations, which are not all
    /// of them; 0 for a slot that has not held an object yet.
    pub(crate) const fn advanced(&self, index: u32, used: u32) -> u32 {
        FREE | self.offset(index).wrapping_add(used) & Self::MASK
    }

    /// The generations that a free slot has used.
    pub(crate) const fn used(&self, free: u32, index: u32) -> u32 {
        (free & GENERATION_IN_KEY).wrapping_sub(self.offset(index)) & Self::MASK
    }

    /// The key of a free slot once it is live.
    #[inline(always)]
    pub(crate) const fn live_key(&self, free: u32) -> u32 {
        self.live | (free & GENERATION_IN_KEY)
    }

    /// The key of a live slot once it is free, in its next generation; or once it
    /// is retired, after the last.
    #[inline]
    pub(crate) const fn next_free_key(&self, live: u32, index: u32) -> u32 {
        let next = live.wrapping_add(1) & Self::MASK;
        if next == self.offset(index) { RETIRED } else { FREE | next }
    }

    /// The key that a live slot had before it was live.
    pub(crate) const fn rolled_back_key(&self, live: u32) -> u32 {
        FREE | (live & GENERATION_IN_KEY)
    }

    /// Whether a slot with the key, that has been in use or is, had or has this one when it
    /// was live.
    pub(crate) const fn has_had(&self, key: u32, live: u32, index: u32) -> bool {
        let of = self.used(live, index);
        let used = self.used(key, index);
        Self::is_retired(key) || of < used || Self::is_live(key) && of == used
    }

    /// The most generations that a slot has used which is not retired.
    pub(crate) const USED_MAX: u32 = Self::MASK;

    /// Whether a slot of this arena can have the key.
    pub(crate) const fn is_key(&self, key: u32) -> bool {
        let of = key & !Self::MASK;
        of == self.live || of == FREE || key == RETIRED
    }

    /// Whether the key is that of a live slot.
    #[inline(always)]
    pub(crate) const fn is_live(key: u32) -> bool {
        key >= LIVE
    }

    /// Whether the key is that of a retired slot.
    #[inline(always)]
    pub(crate) const fn is_retired(key: u32) -> bool {
        key == RETIRED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generation_once() {
        fn count<const BITS: u32>(seed: u32, index: u32) -> u32 {
            let all = Generations::<BITS>::new(Kind::from_selector(3), seed);
            let (mut key, mut generations) = (all.advanced(index, 0), 0);
            let mut seen = [false; 4096];
            while !Generations::<BITS>::is_retired(key) {
                assert_eq!(all.used(key, index), generations);
                assert_eq!(all.advanced(index, generations), key);
                let live = all.live_key(key);
                let first = all.live_key(all.advanced(index, 0));
                assert_eq!(all.has_had(key, first, index), generations > 0);
                assert!(!all.has_had(key, live, index) && all.has_had(live, live, index));
                assert!(all.has_had(all.next_free_key(live, index), live, index));
                assert!(Generations::<BITS>::is_live(live) && !Generations::<BITS>::is_live(key));
                assert!(!core::mem::replace(&mut seen[(live & 0xFFF) as usize], true));
                key = all.next_free_key(live, index);
                generations += 1;
            }
            generations
        }
        for seed in [0, 1, u32::MAX, 0x1234_5678] {
            for index in [0, 1, 17, u32::MAX] {
                assert_eq!(count::<12>(seed, index), 4096);
                assert_eq!(count::<2>(seed, index), 4);
                assert_eq!(count::<1>(seed, index), 2);
            }
        }
    }
}
