//! Where the parts of a table lie in its block, and the words that they consist of.

use core::ops::Range;

use crate::arena::halves;
use crate::words::{Error, Result, to_u64, to_usize};

/// Words of the header.
pub(crate) const HEADER: u32 = 3;
pub(super) const LIVE: usize = 0;
pub(super) const NEXT: usize = 1;
pub(super) const LAYOUT: usize = 2;
pub(super) const SEQUENCED: u64 = 1;
/// Buckets in a group; the way of an entry begins with one.
pub(super) const GROUP: usize = 4;
pub(super) const BUCKETS_MIN: usize = 8;
pub(super) const BUCKETS_MAX: usize = 1 << 31;

/// Where the parts of a table lie in its block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// First word of the index.
    pub(super) index: usize,
    pub(super) buckets: usize,
    pub(super) sequenced: bool,
    stride: usize,
}

impl Layout {
    /// The smallest index for so many entries.
    pub(super) fn for_entries(entries: usize, sequenced: bool, stride: usize) -> Result<Layout> {
        let buckets = entries.saturating_mul(4).div_ceil(3).max(BUCKETS_MIN);
        let buckets = buckets.checked_next_power_of_two().filter(|&buckets| buckets <= BUCKETS_MAX);
        let buckets = buckets.ok_or(Error::ObjectTooLarge)?;
        let mut layout = Layout { index: 0, buckets, sequenced, stride };
        let numbers = if sequenced { layout.capacity() } else { 0 };
        layout.index = layout.sequence().saturating_add(numbers);
        Ok(layout)
    }

    #[inline(always)]
    pub(super) fn of(words: &[u64], stride: usize) -> Layout {
        let word = words.get(LAYOUT).copied().unwrap_or(0);
        let (index, buckets) = halves(word & !SEQUENCED);
        Layout {
            index: to_usize(index),
            buckets: to_usize(buckets),
            sequenced: word & SEQUENCED != 0,
            stride,
        }
    }

    /// It in one word: no block is 2^32 words long.
    pub(super) fn word(self) -> u64 {
        to_u64(self.index) << 32 | to_u64(self.buckets) | u64::from(self.sequenced)
    }

    pub(super) fn capacity(self) -> usize {
        (self.buckets / 4).wrapping_mul(3)
    }

    /// First word of the sequence numbers.
    pub(super) fn sequence(self) -> usize {
        self.capacity().saturating_mul(self.stride).saturating_add(to_usize(HEADER))
    }

    pub(super) fn words(self) -> usize {
        self.range().end
    }

    /// Where the index lies.
    #[inline(always)]
    pub(super) fn range(self) -> Range<usize> {
        self.index..self.index.saturating_add(self.buckets)
    }
}

/// Words for a table of `entries` entries; 0 for none.
pub(crate) fn words_for(entries: usize, stride: usize) -> usize {
    let layout = Layout::for_entries(entries, false, stride);
    if entries == 0 { 0 } else { layout.map_or(usize::MAX, Layout::words) }
}

/// Writes an empty table with room for `entries` entries.
pub(crate) fn fill(words: &mut [u64], entries: usize, stride: usize) {
    if let (Ok(layout), false) = (Layout::for_entries(entries, false, stride), words.is_empty()) {
        start(words, layout, 0);
    }
}

pub(super) fn start(words: &mut [u64], layout: Layout, next: u64) {
    for (word, value) in words.iter_mut().zip([0, next, layout.word()]) {
        *word = value;
    }
    if let Some(buckets) = words.get_mut(layout.range()) {
        buckets.fill(0);
    }
}

/// The first group on the way of a hash; there are a power of two.
#[inline(always)]
pub(super) fn home(hash: u32, groups: usize) -> usize {
    (to_usize(hash) / GROUP) & groups.wrapping_sub(1)
}

/// Buckets of a group that are not free.
#[inline(always)]
pub(super) fn filled(group: &[u64; GROUP]) -> usize {
    group.iter().filter(|&&bucket| bucket != 0).count()
}

pub(super) const fn bucket_of(hash: u32, position: u32) -> u64 {
    (hash as u64) << 32 | (position as u64).wrapping_add(1)
}
