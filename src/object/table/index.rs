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

use super::layout::{COUNTS, HEADER, Layout, NEXT, OWN, POSITIONS, START, WEAK, start};
use super::{Entry, Probe, Table, copied};
use crate::arena::halves;
use crate::words::{Cell, to_usize};

/// Buckets in a group.
pub(crate) const GROUP: usize = 4;
/// The bits of the number of a bucket that choose it in its group.
const LANES: u32 = 3;
const _: () = assert!(to_usize(LANES) + 1 == GROUP);
/// The groups of the longest probe sequence.
pub(crate) const PROBES_MAX: usize = 32;

const NOWHERE: Probe = Err(usize::MAX);

/// The index of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index<'h> {
    words: &'h [u64],
    /// The first word of the index.
    start: u32,
    /// The bits of a position in a bucket: one less than the number of buckets.
    positions: u32,
}

/// The entry of an integer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Near<'h> {
    /// Its position + 1.
    link: u32,
    pub(crate) cells: &'h [Cell],
}

impl Near<'_> {
    pub(crate) const fn position(self) -> u32 {
        self.link.wrapping_sub(1)
    }
}

impl<'h> Index<'h> {
    /// No group of it is found in an ordered table. `None` without a block.
    #[inline(always)]
    pub(super) fn of(words: &'h [u64]) -> Option<Index<'h>> {
        let halves = bytemuck::cast_slice::<u64, u32>(words);
        let &[positions, start] = halves.get(POSITIONS..=START)? else { return None };
        Some(Index { words, start, positions })
    }

    /// The index that begins at word `start`, with the mask `positions`.
    pub(super) const fn at(words: &'h [u64], start: u32, positions: u32) -> Index<'h> {
        Index { words, start, positions }
    }

    /// The first bucket of the group where the probe sequence of a hash begins.
    #[inline(always)]
    fn home(&self, hash: u32) -> u32 {
        hash & self.positions & !LANES
    }

    /// The first bucket of the next group.
    #[inline(always)]
    fn next(&self, first: u32) -> u32 {
        first.wrapping_add(LANES).wrapping_add(1) & self.positions & !LANES
    }

    /// The group that begins with a bucket.
    #[inline(always)]
    fn group(&self, first: u32) -> Option<&'h [u32; GROUP]> {
        let start = to_usize(self.start).saturating_add(to_usize(first / 2));
        let words = self.words.get(start..start.saturating_add(2))?;
        bytemuck::cast_slice::<u64, u32>(words).first_chunk()
    }

    /// Finds the first bucket of the hash whose position is a `hit`, or a free one.
    #[inline(always)]
    pub(super) fn probe(&self, hash: u32, hit: impl Fn(u32) -> bool + Copy) -> Probe {
        // A free bucket, too, may have the hash of a key.
        let hit = |link: u32| link.checked_sub(1).filter(|&position| hit(position));
        let mut first = self.home(hash);
        for _ in 0..PROBES_MAX {
            match self.look(first, hash, hit) {
                Err(usize::MAX) => first = self.next(first),
                found => return found,
            }
        }
        NOWHERE
    }

    /// The bucket that refers to a position, of an entry of this hash.
    #[inline(always)]
    pub(super) fn bucket_of(&self, hash: u32, position: u32) -> Option<usize> {
        let link = hash & !self.positions | position.wrapping_add(1);
        let mut first = self.home(hash);
        for _ in 0..PROBES_MAX {
            let hits = lanes(self.group(first)?, |bucket| bucket == link);
            if hits != 0 {
                return Some(to_usize(first).wrapping_add(to_usize(hits.trailing_zeros())));
            }
            first = self.next(first);
        }
        None
    }

    /// Visits the positions of all buckets of a hash.
    #[inline]
    pub(super) fn each(&self, hash: u32, mut visit: impl FnMut(u32)) {
        let mut first = self.home(hash);
        for _ in 0..PROBES_MAX {
            let Some(group) = self.group(first) else { return };
            let hits = self.hits(group, hash);
            for (lane, bucket) in group.iter().enumerate() {
                // That of a free bucket is none.
                let position = (bucket & self.positions).checked_sub(1);
                if let Some(position) = position.filter(|_| hits >> lane & 1 == 1) {
                    visit(position);
                }
            }
            if self.free(first) != usize::MAX {
                return;
            }
            first = self.next(first);
        }
    }

    /// What `hit` returns of the first position of a hash of which it is something, in the first
    /// group of its probe sequence, or that the sequence ends there; `None` if it goes on.
    #[inline(always)]
    pub(super) fn near<T>(
        &self,
        hash: u32,
        hit: impl Fn(u32) -> Option<T> + Copy,
    ) -> Option<Option<T>> {
        let first = self.home(hash);
        match self.hit(first, hash, |link| hit(link.checked_sub(1)?)) {
            Some((_, found)) => Some(Some(found)),
            None => (self.free(first) != usize::MAX).then_some(None),
        }
    }

    /// [`Index::probe`] in one group, with what `hit` returns of a position + 1; nowhere if
    /// the probe sequence goes on.
    #[inline(always)]
    fn look<T>(
        &self,
        first: u32,
        hash: u32,
        hit: impl Fn(u32) -> Option<T> + Copy,
    ) -> core::result::Result<(usize, T), usize> {
        self.hit(first, hash, hit).ok_or_else(|| self.free(first))
    }

    /// Finds the bucket of the hash in one group of which `hit` is something.
    #[inline(always)]
    fn hit<T>(
        &self,
        first: u32,
        hash: u32,
        hit: impl Fn(u32) -> Option<T> + Copy,
    ) -> Option<(usize, T)> {
        let group = self.group(first)?;
        let mut hits = self.hits(group, hash);
        while hits != 0 {
            let lane = to_usize(hits.trailing_zeros()) % GROUP;
            let link = group.get(lane).copied().unwrap_or(0) & self.positions;
            if let Some(found) = hit(link) {
                return Some((to_usize(first).wrapping_add(lane), found));
            }
            hits &= hits.wrapping_sub(1);
        }
        None
    }

    /// The buckets of a group that do not differ from a hash in its bits.
    #[inline(always)]
    fn hits(&self, group: &[u32; GROUP], hash: u32) -> u32 {
        lanes(group, |bucket| (bucket | self.positions) == (hash | self.positions))
    }

    /// The first free bucket of a group; `usize::MAX` if there is none.
    #[inline(always)]
    fn free(&self, first: u32) -> usize {
        let Some(group) = self.group(first) else { return usize::MAX };
        let free = lanes(group, |bucket| bucket & self.positions == 0);
        let bucket = to_usize(first).wrapping_add(to_usize(free.trailing_zeros()));
        if free == 0 { usize::MAX } else { bucket }
    }

    /// All buckets in use, each with its number, and the position to which it refers.
    pub(super) fn links(self) -> impl Iterator<Item = (usize, u32)> + 'h {
        let groups = (0..=self.positions).step_by(GROUP).map_while(move |n| self.group(n));
        let buckets = groups.flatten().enumerate().filter(|&(_, &bucket)| bucket != 0);
        buckets.map(move |(n, &bucket)| (n, (bucket & self.positions).wrapping_sub(1)))
    }
}

/// The buckets of a group for which a comparison holds, as bits. Compared as a vector, for
/// which a mask has to be a variable: a branch for each bucket would mispredict.
#[inline(always)]
fn lanes(group: &[u32; GROUP], holds: impl Fn(u32) -> bool) -> u32 {
    let mut lanes = 0_u32;
    for (lane, &bucket) in group.iter().enumerate() {
        lanes |= u32::from(holds(bucket)) << lane;
    }
    lanes
}

impl<'h> Table<&'h [u64]> {
    /// The bucket and the entry of a key that is found by its bits, an integer in a cell or a
    /// symbol, if it lies in the first group of its probe sequence.
    #[inline(always)]
    pub(crate) fn hit_near(&self, hash: u32, key: Cell) -> Option<(usize, Near<'h>)> {
        debug_assert!(key.as_int().is_some() || key.is_handle());
        let index = Index::of(self.words)?;
        let before = to_usize(HEADER).saturating_sub(self.stride);
        index.hit(index.home(hash), hash, |link| {
            // That of a free bucket refers to words of the header, which are neither.
            let start = to_usize(link).saturating_mul(self.stride).saturating_add(before);
            let cells = Cell::slice(self.words.get(start..start.saturating_add(self.stride))?);
            let near = Near { link, cells };
            cells.first().is_some_and(|&entry| entry == key).then_some(near)
        })
    }

    /// The first bucket in use of this hash in the first group of its probe sequence, the
    /// position to which it refers, and the key there: most likely the only one.
    #[inline(always)]
    pub(crate) fn candidate(&self, hash: u32) -> Option<(usize, u32, Cell)> {
        let index = Index::of(self.words)?;
        // A free bucket, too, may have the hash.
        let used = |link: u32| link.checked_sub(1);
        let (bucket, position) = index.hit(index.home(hash), hash, used)?;
        Some((bucket, position, self.key(position)?))
    }

    /// The first free bucket in the first group of the probe sequence of a hash;
    /// `usize::MAX` if there is none.
    #[inline(always)]
    pub(crate) fn free_near(&self, hash: u32) -> usize {
        Index::of(self.words).map_or(usize::MAX, |index| index.free(index.home(hash)))
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
        let start = to_usize(self.read().half(START));
        self.link(start, bucket, hash, self.used);
        self.append_unlinked(hash, entry)
    }

    /// Has a bucket of the index that begins at word `start` refer to the entry of this hash at
    /// a position.
    #[inline(always)]
    pub(super) fn link(&mut self, start: usize, bucket: usize, hash: u32, position: u32) {
        let positions = self.read().half(POSITIONS);
        let link = hash & !positions | position.wrapping_add(1);
        self.put_half(start, bucket, link);
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
        let first = to_usize(self.read().half(START));
        self.remove_from(first, bucket, position)
    }

    /// [`Table::remove`] where the index begins at word `first`.
    #[inline(always)]
    pub(super) fn remove_from(
        &mut self,
        first: usize,
        bucket: usize,
        position: u32,
    ) -> Option<(Entry, u32)> {
        let positions = self.read().half(POSITIONS);
        let start = first.saturating_add((bucket / GROUP).wrapping_mul(2));
        let words = self.words.get_mut(start..start.saturating_add(2))?;
        let group = bytemuck::cast_slice_mut::<u64, u32>(words).first_chunk_mut()?;
        if lanes(group, |bucket| bucket & positions == 0) != 0 {
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
    #[inline(always)]
    pub(crate) fn remove_at(&mut self, position: u32) -> Option<(Entry, u32)> {
        if self.read().is_own() {
            return self.remove_own(position);
        }
        let hash = self.read().hash(position);
        let bucket = Index::of(self.words)?.bucket_of(hash, position)?;
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
        let flags = self.read().flags(WEAK | OWN);
        let (used, is_own) = (to_usize(self.used), flags & OWN != 0);
        if is_own || self.read().is_ordered() || used >= layout.buckets() / FOUND {
            start(self.words, layout, 0, next);
            self.set_flags(flags);
            if is_own {
                self.set_own(true);
            }
        } else {
            (0..self.used).for_each(|position| self.free_groups(position));
            let (high, _) = halves(self.read().header(COUNTS));
            self.put(COUNTS, u64::from(high) << 32);
        }
        self.used = 0;
        0
    }

    /// Frees the buckets of the probe sequence on which the entry or hole at a position
    /// lies, to the first group with a free one.
    fn free_groups(&mut self, position: u32) {
        let Some(index) = Index::of(self.words) else { return };
        let mut n = to_usize(index.home(self.read().hash(position))) / GROUP;
        let (first, buckets) = (to_usize(index.start), to_usize(index.positions).wrapping_add(1));
        let words = self.words.get_mut(first..first.saturating_add(buckets / 2));
        let buckets = bytemuck::cast_slice_mut::<u64, u32>(words.unwrap_or_default());
        let (groups, _) = buckets.as_chunks_mut::<GROUP>();
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
                let Some(group) = groups.get_mut(n) else { break };
                let free = lanes(group, |bucket| bucket & positions == 0).trailing_zeros();
                if let Some(bucket) = group.get_mut(to_usize(free)) {
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
