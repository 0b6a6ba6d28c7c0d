//! [`Layout`]: where the parts of a table lie in its block.

use core::ops::Range;

use crate::arena::halves;
use crate::words::{Error, Result, to_u64, to_usize};

/// The words of the header.
pub(crate) const HEADER: u32 = 3;
/// The header word that counts entries.
pub(super) const LIVE: usize = 0;
/// The header word with the sequence number of the next entry.
pub(super) const NEXT: usize = 1;
/// The header word with the layout.
pub(super) const LAYOUT: usize = 2;
/// The bit of the layout's word that says that sequence numbers are stored.
pub(super) const SEQUENCED: u64 = 1;
/// Buckets in a group. A probe sequence goes from group to group.
pub(super) const GROUP: usize = 4;
pub(super) const BUCKETS_MIN: usize = 8;
pub(super) const BUCKETS_MAX: usize = 1 << 31;

/// Where the parts of a table lie in its block.
///
/// In order: the header, the entries, the sequence numbers if they are stored, the
/// index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// The first word of the index.
    pub(super) index: usize,
    /// The buckets of the index, a power of two; 0 in a table without a block.
    pub(super) buckets: usize,
    /// Whether sequence numbers are stored.
    pub(super) sequenced: bool,
    stride: usize,
}

impl Layout {
    /// The smallest layout for `entries` entries.
    ///
    /// # Errors
    /// [`Error::ObjectTooLarge`].
    pub(super) fn for_entries(entries: usize, sequenced: bool, stride: usize) -> Result<Layout> {
        let buckets = entries.saturating_mul(4).div_ceil(3).max(BUCKETS_MIN);
        let buckets = buckets.checked_next_power_of_two().filter(|&buckets| buckets <= BUCKETS_MAX);
        let buckets = buckets.ok_or(Error::ObjectTooLarge)?;
        let mut layout = Layout { index: 0, buckets, sequenced, stride };
        let numbers = if sequenced { layout.capacity() } else { 0 };
        layout.index = layout.sequence().saturating_add(numbers);
        Ok(layout)
    }

    /// The layout of the table in `words`.
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

    /// The layout's header word. Both numbers fit, as no block has 2^32 words; the
    /// number of buckets is even and leaves its lowest bit to the flag.
    pub(super) fn word(self) -> u64 {
        to_u64(self.index) << 32 | to_u64(self.buckets) | u64::from(self.sequenced)
    }

    /// The positions for entries: three for four buckets.
    pub(super) fn capacity(self) -> usize {
        (self.buckets / 4).wrapping_mul(3)
    }

    /// The first word of the sequence numbers.
    pub(super) fn sequence(self) -> usize {
        self.capacity().saturating_mul(self.stride).saturating_add(to_usize(HEADER))
    }

    /// The words of the whole table.
    pub(super) fn words(self) -> usize {
        self.range().end
    }

    /// The words of the index.
    #[inline(always)]
    pub(super) fn range(self) -> Range<usize> {
        self.index..self.index.saturating_add(self.buckets)
    }
}

/// The words of a table of `entries` entries; 0 for none, `usize::MAX` for too many.
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

/// Writes the header of an empty table, and frees all buckets.
pub(super) fn start(words: &mut [u64], layout: Layout, next: u64) {
    for (word, value) in words.iter_mut().zip([0, next, layout.word()]) {
        *word = value;
    }
    debug_assert!(layout.words() <= words.len(), "a table is larger than its block");
    if let Some(buckets) = words.get_mut(layout.range()) {
        buckets.fill(0);
    }
}

/// The first group of a hash's probe sequence. The number of groups is a power of
/// two.
#[inline(always)]
pub(super) fn home(hash: u32, groups: usize) -> usize {
    (to_usize(hash) / GROUP) & groups.wrapping_sub(1)
}

/// The number of buckets of a group that are in use: the first ones.
#[inline(always)]
pub(super) fn filled(group: &[u64; GROUP]) -> usize {
    group.iter().filter(|&&bucket| bucket != 0).count()
}

/// The bucket that refers to the entry at `position`.
pub(super) const fn bucket_of(hash: u32, position: u32) -> u64 {
    (hash as u64) << 32 | (position as u64).wrapping_add(1)
}
