//! The index of a table by hash: open addressing over groups of four buckets.
//!
//! A bucket has 32 bits: 0 if it is free, else the position of an entry + 1 in as many
//! low bits as the number of buckets has, and the high bits of the hash above. The low
//! bits of the hash choose the group where the probe sequence begins; it goes on to the
//! next groups, and ends at the first one with a free bucket.
//!
//! The bucket of a removed entry is freed only if its group has another free one, since
//! no probe sequence goes on past such a group. Otherwise it stays, and refers to a hole.
//! No more than one bucket is used for each position, so that half of them are free; in a
//! dense index, which a table has where memory is refused for another, a quarter.
//!
//! No entry lies more than [`PROBES_MAX`] groups away from the group of its hash: a key
//! for which there is no bucket turns the table into an ordered one, for which a dense one
//! needs more memory. Random hashes do not come near; chosen keys cost no more than that
//! many groups.

use super::layout::{COUNTS, FLAGS, INDEX, Layout, NEXT, start};
use super::{Entry, Probe, Table, copied};
use crate::arena::halves;
use crate::words::{Cell, to_u64, to_usize};

/// Buckets in a group.
const GROUP: usize = 4;
/// The number of buckets in a group, as the position of a bit.
const GROUP_SHIFT: u32 = GROUP.ilog2();
/// The groups of the longest probe sequence.
pub(super) const PROBES_MAX: usize = 32;

const NOWHERE: Probe = Err(usize::MAX);

/// The index of the table in `words`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index<'h> {
    words: &'h [u64],
    /// The first word of the index.
    start: usize,
    /// The bits of a position in a bucket: one less than the number of buckets.
    positions: u32,
}

impl<'h> Index<'h> {
    /// No group of it is found in an ordered table. `None` without a block.
    #[inline(always)]
    pub(super) fn of(words: &'h [u64]) -> Option<Index<'h>> {
        let (start, word) = halves(*words.get(INDEX)?);
        let positions = (word & !FLAGS).wrapping_sub(1);
        Some(Index { words, start: to_usize(start), positions })
    }

    /// The group where the probe sequence of a hash begins.
    #[inline(always)]
    fn home(&self, hash: u32) -> u32 {
        (hash & self.positions) >> GROUP_SHIFT
    }

    #[inline(always)]
    fn group(&self, n: u32) -> Option<&'h [u32; GROUP]> {
        let start = self.start.saturating_add(to_usize(n).wrapping_mul(2));
        let words = self.words.get(start..start.saturating_add(2))?;
        bytemuck::cast_slice::<u64, u32>(words).first_chunk()
    }

    /// Finds the first bucket of the hash whose position is a `hit`, or a free one.
    #[inline(always)]
    fn probe(&self, hash: u32, hit: impl Fn(u32) -> bool + Copy) -> Probe {
        let mut n = self.home(hash);
        for _ in 0..PROBES_MAX {
            match self.look(n, hash, hit) {
                Err(usize::MAX) => n = n.wrapping_add(1) & (self.positions >> GROUP_SHIFT),
                found => return found,
            }
        }
        NOWHERE
    }

    /// [`Index::probe`] in group `n` alone; nowhere if the probe sequence goes on.
    #[inline(always)]
    fn look(&self, n: u32, hash: u32, hit: impl Fn(u32) -> bool + Copy) -> Probe {
        let Some(group) = self.group(n) else { return NOWHERE };
        let first = to_usize(n).wrapping_mul(GROUP);
        let bucket = |lanes: u32| first.wrapping_add(to_usize(lanes.trailing_zeros()));
        let mut hits = equal_lanes(group, hash, !self.positions);
        while hits != 0 {
            let lane = to_usize(hits.trailing_zeros()) % GROUP;
            let link = group.get(lane).copied().unwrap_or(0);
            let position = (link & self.positions).wrapping_sub(1);
            if hit(position) {
                return Ok((bucket(hits), position));
            }
            hits &= hits.wrapping_sub(1);
        }
        let free = equal_lanes(group, 0, self.positions);
        if free == 0 { NOWHERE } else { Err(bucket(free)) }
    }

    /// All buckets in use, each with its number, and the position to which it refers.
    pub(super) fn links(self) -> impl Iterator<Item = (usize, u32)> + 'h {
        let groups = (0..=self.positions >> GROUP_SHIFT).map_while(move |n| self.group(n));
        let buckets = groups.flatten().enumerate().filter(|&(_, &bucket)| bucket != 0);
        buckets.map(move |(n, &bucket)| (n, (bucket & self.positions).wrapping_sub(1)))
    }
}

/// The buckets of a group that equal `value` in the bits of a mask, as bits. A comparison
/// of vectors, for which the mask has to be a variable: a branch for each bucket would
/// mispredict.
#[inline(always)]
fn equal_lanes(group: &[u32; GROUP], value: u32, mask: u32) -> u32 {
    let mut lanes = 0_u32;
    for (lane, &bucket) in group.iter().enumerate() {
        lanes |= u32::from((bucket ^ value) & mask == 0) << lane;
    }
    lanes
}

impl Table<&[u64]> {
    /// [`Table::find`] of an integer in a cell, in the first group of its probe sequence;
    /// `Err(usize::MAX)` if it may be elsewhere.
    #[inline(always)]
    pub(crate) fn find_near(&self, hash: u32, key: Cell) -> Probe {
        let Some(index) = Index::of(self.words) else { return NOWHERE };
        index.look(index.home(hash), hash, |position| self.key(position) == Some(key))
    }

    /// Finds the entry of this hash whose key is `same`, or the free bucket where it
    /// belongs. O(1); expected O(1) calls of `same`.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, same: impl Fn(Cell) -> bool + Copy) -> Probe {
        self.probe(hash, move |position| self.key(position).is_some_and(same))
    }

    /// [`Table::find`] by position.
    #[inline(always)]
    pub(super) fn probe(&self, hash: u32, hit: impl Fn(u32) -> bool + Copy) -> Probe {
        let Some(index) = Index::of(self.words) else { return NOWHERE };
        index.probe(hash, hit)
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
    #[inline(always)]
    pub(crate) fn remove(&mut self, bucket: usize, position: u32) -> Option<(Entry, u32)> {
        let (first, word) = halves(self.read().header(INDEX));
        let start = to_usize(first).saturating_add((bucket / GROUP).wrapping_mul(2));
        let words = self.words.get_mut(start..start.saturating_add(2))?;
        let group = bytemuck::cast_slice_mut::<u64, u32>(words).first_chunk_mut()?;
        if equal_lanes(group, 0, (word & !FLAGS).wrapping_sub(1)) != 0 {
            *group.get_mut(bucket % GROUP)? = 0;
        }
        self.remove_unlinked(position)
    }

    /// [`Table::remove`] of an entry to which no bucket refers, or none that is freed.
    #[inline(always)]
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
        let Some(index) = Index::of(self.words) else { return };
        let mut n = to_usize(index.home(self.read().hash(position)));
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
    /// whether there is one for each: there is if the index was as large before. For in a
    /// group that was once full, removed entries keep their buckets, so an entry linked
    /// after those that are left of the ones before it lies no further away than it did.
    /// O(positions).
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
            let mut n = (to_usize(hash) / GROUP) & mask;
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
