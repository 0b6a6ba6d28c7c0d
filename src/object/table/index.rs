//! The index of a table by hash: open addressing over groups of four buckets.
//!
//! A bucket has 32 bits: 0 if it is free, else the position of an entry + 1 in as many
//! low bits as the number of buckets has, and the high bits of the hash above. The low
//! bits of the hash choose the group where the probe sequence begins; it goes on to the
//! next groups, and ends at the first one with a free bucket.
//!
//! The bucket of a removed entry is freed only if its group has another free one, since
//! no probe sequence goes on past such a group. Otherwise it stays, and refers to a hole.
//! No more than one bucket is used for each position, so that half of them are free.
//!
//! No entry lies more than [`PROBES_MAX`] groups away from the group of its hash: a key
//! for which there is no bucket turns the table into an ordered one. Random hashes do not
//! come near; chosen keys cost no more than that many groups.

use super::layout::{COUNTS, FLAGS, INDEX, Layout, NEXT, start};
use super::{Entry, Probe, Table, copied};
use crate::arena::halves;
use crate::words::{Cell, to_u64, to_usize};

/// Buckets in a group.
const GROUP: usize = 4;
/// The groups of the longest probe sequence.
pub(super) const PROBES_MAX: usize = 32;

const NOWHERE: Probe = Err(usize::MAX);

/// The buckets of a table, in groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index<'h> {
    groups: &'h [[u32; GROUP]],
    /// The bits of a position in a bucket: one less than the number of buckets.
    positions: u32,
}

impl<'h> Index<'h> {
    /// The index of the table in `words`; without a group in an ordered table.
    #[inline(always)]
    pub(super) fn of(words: &'h [u64]) -> Index<'h> {
        let (start, word) = halves(words.get(INDEX).copied().unwrap_or(0));
        let buckets = word & !FLAGS;
        let start = to_usize(start);
        let end = start.saturating_add(to_usize(buckets) / 2);
        let words = words.get(start..end).unwrap_or_default();
        let (groups, _) = bytemuck::cast_slice::<u64, u32>(words).as_chunks();
        Index { groups, positions: buckets.wrapping_sub(1) }
    }

    /// The group where the probe sequence of a hash begins.
    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        (to_usize(hash) / GROUP) & self.groups.len().wrapping_sub(1)
    }

    /// Finds the first bucket of the hash whose position is a `hit`, or a free one.
    /// Compares a group at a time, as a branch for each bucket would mispredict.
    #[inline(always)]
    fn probe(&self, hash: u32, mut hit: impl FnMut(u32) -> bool) -> Probe {
        let mut n = self.home(hash);
        for _ in 0..PROBES_MAX {
            let Some(group) = self.groups.get(n) else { return NOWHERE };
            let (mut hits, mut free) = (0_u32, 0_u32);
            for (lane, &bucket) in group.iter().enumerate() {
                hits |= u32::from((bucket ^ hash) & !self.positions == 0) << lane;
                free |= u32::from(bucket == 0) << lane;
            }
            while hits != 0 {
                let lane = to_usize(hits.trailing_zeros()) % GROUP;
                let bucket = group.get(lane).copied().unwrap_or(0);
                let position = (bucket & self.positions).wrapping_sub(1);
                if hit(position) {
                    return Ok((n.wrapping_mul(GROUP).wrapping_add(lane), position));
                }
                hits &= hits.wrapping_sub(1);
            }
            if free != 0 {
                return Err(n.wrapping_mul(GROUP).wrapping_add(to_usize(free.trailing_zeros())));
            }
            n = n.wrapping_add(1) & self.groups.len().wrapping_sub(1);
        }
        NOWHERE
    }

    /// All buckets in use, each with its number, and the position to which it refers.
    pub(super) fn links(self) -> impl Iterator<Item = (usize, u32)> + 'h {
        let buckets = self.groups.as_flattened().iter().enumerate();
        let links = buckets.filter(|&(_, &bucket)| bucket != 0);
        links.map(move |(n, &bucket)| (n, (bucket & self.positions).wrapping_sub(1)))
    }
}

impl<'h> Table<&'h [u64]> {
    /// Finds the entry of this hash whose key is `same`, or the free bucket where it
    /// belongs. O(1); expected O(1) calls of `same`.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, mut same: impl FnMut(Cell) -> bool) -> Probe {
        self.probe(hash, |position| self.key(position).is_some_and(&mut same))
    }

    /// [`Table::find`] by position.
    #[inline(always)]
    pub(super) fn probe(&self, hash: u32, hit: impl FnMut(u32) -> bool) -> Probe {
        Index::of(self.words).probe(hash, hit)
    }

    /// The free bucket where a new entry of this hash belongs. O(1).
    pub(crate) fn vacancy(&self, hash: u32) -> usize {
        self.probe(hash, |_| false).err().unwrap_or(usize::MAX)
    }
}

impl Table<&mut [u64]> {
    /// Appends an entry of a new key to a table that is not full; `bucket` is where it
    /// belongs. Returns how many positions are used then.
    #[inline(always)]
    pub(crate) fn append(&mut self, hash: u32, bucket: usize, entry: &[Cell]) -> u32 {
        let position = self.used;
        let (start, word) = halves(self.read().header(INDEX));
        let positions = (word & !FLAGS).wrapping_sub(1);
        let link = hash & !positions | position.wrapping_add(1);
        self.put_half(to_usize(start), bucket, link);
        self.append_unlinked(hash, entry)
    }

    /// [`Table::append`] without a bucket.
    #[inline(always)]
    pub(super) fn append_unlinked(&mut self, hash: u32, entry: &[Cell]) -> u32 {
        let (position, layout) = (self.used, self.read().layout());
        debug_assert!(to_usize(position) < layout.capacity, "a full table");
        self.set_entry(position, entry);
        self.put_half(layout.hashes(), to_usize(position), hash);
        let next = self.read().header(NEXT);
        if layout.sequenced {
            self.put(layout.sequence().wrapping_add(to_usize(position)), next);
        }
        if let [counts, next, ..] = &mut *self.words {
            (*counts, *next) = (counts.wrapping_add(1), next.wrapping_add(1));
        }
        self.used = position.wrapping_add(1);
        self.used
    }

    /// Removes the entry at `position`, to which `bucket` refers. Returns it, and how
    /// many positions are used then. O(1), amortised.
    pub(crate) fn remove(&mut self, bucket: usize, position: u32) -> Option<(Entry, u32)> {
        let (first, word) = halves(self.read().header(INDEX));
        let (first, buckets) = (to_usize(first), to_usize(word & !FLAGS));
        let words = self.words.get_mut(first..first.saturating_add(buckets / 2))?;
        let (groups, _) = bytemuck::cast_slice_mut::<u64, u32>(words).as_chunks_mut::<GROUP>();
        let group = groups.get_mut(bucket / GROUP)?;
        if group.contains(&0) {
            *group.get_mut(bucket % GROUP)? = 0;
        }
        self.remove_unlinked(position)
    }

    /// [`Table::remove`] of an entry to which no bucket refers, or none that is freed.
    pub(super) fn remove_unlinked(&mut self, position: u32) -> Option<(Entry, u32)> {
        let entry = copied(self.read().entry(position)?);
        self.punch(position);
        let counts = self.read().header(COUNTS).wrapping_sub(1);
        self.put(COUNTS, counts);
        // A table without entries starts again at position 0.
        let used = if halves(counts).1 == 0 { self.clear() } else { self.used };
        Some((entry, used))
    }

    /// Removes the entry at a position from a table that is not ordered, whatever its
    /// key. O(1), amortised.
    pub(crate) fn remove_at(&mut self, position: u32) -> Option<(Entry, u32)> {
        let hash = self.read().hash(position);
        let (bucket, _) = self.read().probe(hash, |found| found == position).ok()?;
        self.remove(bucket, position)
    }

    /// Removes all entries, and returns that no position is used. Sequence numbers go
    /// on, so that cursors meet the entries that are inserted later. O(used).
    pub(crate) fn clear(&mut self) -> u32 {
        /// Buckets that are freed in the time in which one is found.
        const FOUND: usize = 16;
        if self.used == 0 {
            return 0;
        }
        let (layout, next) = (self.read().layout(), self.read().header(NEXT));
        let used = to_usize(self.used);
        if self.read().is_ordered() || used >= layout.buckets() / FOUND {
            start(self.words, layout, 0, next);
        } else {
            (0..self.used).for_each(|position| self.free_groups(position));
            let counts = to_u64(layout.capacity) << 32;
            self.put(COUNTS, counts);
        }
        self.used = 0;
        0
    }

    /// Frees the buckets of the probe sequence on which the entry or hole at a position
    /// lies, to the first group with a free one.
    fn free_groups(&mut self, position: u32) {
        let hash = self.read().hash(position);
        let mut n = Index::of(self.words).home(hash);
        let (first, word) = halves(self.read().header(INDEX));
        let (first, buckets) = (to_usize(first), to_usize(word & !FLAGS));
        let words = self.words.get_mut(first..first.saturating_add(buckets / 2));
        let halves = bytemuck::cast_slice_mut::<u64, u32>(words.unwrap_or_default());
        let (groups, _) = halves.as_chunks_mut::<GROUP>();
        let mask = groups.len().wrapping_sub(1);
        while let Some(group) = groups.get_mut(n) {
            let last = group.contains(&0);
            *group = [0; GROUP];
            if last {
                break;
            }
            n = n.wrapping_add(1) & mask;
        }
    }

    /// Links every entry of a table without holes to a bucket, of a free index. Returns
    /// whether there is one for each. O(positions).
    pub(super) fn link_all(&mut self, layout: Layout) -> bool {
        let used = to_usize(self.used);
        let Some((front, index)) = self.words.split_at_mut_checked(layout.index()) else {
            return used == 0;
        };
        let hashes = front.get(layout.hashes()..).unwrap_or_default();
        let hashes = bytemuck::cast_slice::<u64, u32>(hashes).get(..used).unwrap_or_default();
        let index = index.get_mut(..layout.buckets() / 2).unwrap_or_default();
        let (groups, _) = bytemuck::cast_slice_mut::<u64, u32>(index).as_chunks_mut::<GROUP>();
        let mask = groups.len().wrapping_sub(1);
        let positions = u32::try_from(layout.buckets()).unwrap_or(0).wrapping_sub(1);
        for (&hash, position) in hashes.iter().zip(1_u32..) {
            let link = hash & !positions | position;
            let mut n = to_usize(hash) / GROUP & mask;
            let mut linked = false;
            for _ in 0..PROBES_MAX {
                let bucket =
                    groups.get_mut(n).and_then(|group| group.iter_mut().find(|b| **b == 0));
                if let Some(bucket) = bucket {
                    *bucket = link;
                    linked = true;
                    break;
                }
                n = n.wrapping_add(1) & mask;
            }
            if !linked {
                return false;
            }
        }
        true
    }
}
