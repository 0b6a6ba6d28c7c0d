//! The last word of a block that versions share: how many they are, and how many elements
//! of the block are written.

use super::{Block, Blocks, class_of};
use crate::arena::blocks::halves;
use crate::words::{Result, corrupt, to_usize};

/// What the versions in a block have in common. Both are at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::arena) struct Versions {
    /// The number of live versions.
    pub(in crate::arena) count: u32,
    /// No version has an element from here on: one of this length may be continued.
    pub(in crate::arena) used: u32,
}

impl Versions {
    pub(super) const fn of(word: u64) -> Versions {
        let (used, count) = halves(word);
        Versions { count, used }
    }

    pub(super) const fn word(self) -> u64 {
        (self.used as u64) << 32 | self.count as u64
    }
}

/// The place of the word in memory.
pub(super) fn place_of(block: Block) -> usize {
    block.range().end.saturating_sub(1)
}

/// The words of a block in which `words` words are shared.
pub(super) fn shared_cap(words: usize, cap: u32) -> u32 {
    class_of(u32::try_from(words.saturating_add(1)).unwrap_or(u32::MAX)).words.min(cap)
}

impl Blocks {
    /// The versions in a block that is shared.
    pub(in crate::arena) fn versions(&self, block: Block) -> Result<Versions> {
        let word = self.memory.words().get(place_of(block));
        word.filter(|_| block.cap > 0).map(|&word| Versions::of(word)).ok_or_else(corrupt)
    }

    /// Notes what versions there are in a block. The last word of it is no element's.
    pub(in crate::arena) fn set_versions(
        &mut self,
        block: Block,
        versions: Versions,
    ) -> Result<()> {
        debug_assert!(block.cap > 0 && versions.count > 0 && versions.used > 0);
        let word = self.memory.words_mut().get_mut(place_of(block));
        *word.ok_or_else(corrupt)? = versions.word();
        Ok(())
    }

    /// Frees the part of one version in a block: the block itself with the last one. O(1).
    pub(in crate::arena) fn leave(&mut self, block: Block) {
        let Ok(versions) = self.versions(block) else {
            debug_assert!(false, "a block lies outside of memory");
            return;
        };
        debug_assert!(versions.count > 0, "a block has fewer versions than were counted");
        if versions.count <= 1 {
            self.free(block);
            return;
        }
        let count = versions.count.wrapping_sub(1);
        let left = self.set_versions(block, Versions { count, ..versions });
        debug_assert!(left.is_ok());
    }

    /// The words of the smallest block for `words` words.
    pub(in crate::arena) fn exact_cap(words: usize) -> u32 {
        if words == 0 { 0 } else { class_of(u32::try_from(words).unwrap_or(u32::MAX)).words }
    }

    /// The bits of a word of memory, one for each block, are set where the block lies: the
    /// last one tells whether they are set already. Returns whether they were not.
    pub(super) fn cover(bits: &mut [u64], block: Block) -> bool {
        let (start, last) = (to_usize(block.off), place_of(block));
        if bits.get(last / 64).is_none_or(|word| word >> (last % 64) & 1 != 0) {
            return false;
        }
        for (n, word) in
            (start / 64..).zip(bits.get_mut(start / 64..=last / 64).unwrap_or_default())
        {
            let from = if n == start / 64 { start % 64 } else { 0 };
            let to = if n == last / 64 { last % 64 } else { 63 };
            *word |= (u64::MAX << from) & (u64::MAX >> 63_usize.saturating_sub(to));
        }
        true
    }
}
