//! [`Table`]: the hash table of maps and sets. Entries lie in insertion order; an
//! index with open addressing finds them. Hash and equality are the caller's.
//!
//! The words of a block:
//!
//! 1. the header: the number of entries; the sequence number of the next entry; the
//!    first word of the index, its number of buckets, and a flag;
//! 2. positions for entries of `stride` cells, three for four buckets;
//! 3. the sequence numbers of the entries, in tables that store them;
//! 4. the index, a word for each bucket: the hash in the high half, position + 1 in
//!    the low half; 0 for a free bucket.
//!
//! A removed entry leaves a hole, so that order and positions stay. Its bucket is
//! filled by a later one of the probe sequence: there are no tombstones. A full
//! table is rebuilt into a new block without holes. The index is rebuilt from the
//! hashes in the old one, so that growth does not read the keys.
//!
//! Cursors hold sequence numbers, which no rebuild changes. The position implies the
//! sequence number until a rebuild closes a hole that has an older entry before it;
//! only from then on are they stored.

mod layout;

pub(crate) use layout::{HEADER, fill, words_for};

use super::view::Cursor;
use crate::arena::halves;
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Cell, HOLE, Result, to_u64, to_usize};
use layout::{GROUP, LIVE, Layout, NEXT, bucket_of, filled, home, start};

/// A table in `words`, of whose positions `used` are used, by entries of `stride`
/// cells or by holes. The stride folds away where the kind is known at compile time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<W> {
    words: W,
    used: u32,
    stride: usize,
}

/// The bucket and the position of an entry, or the free bucket where it belongs.
pub(crate) type Probe = core::result::Result<(usize, u32), usize>;

/// A key, and its value or null.
pub(crate) type Entry = (Cell, Cell);

/// The number of entries of the table in `words`; 0 without a block.
#[inline(always)]
pub(crate) fn len(words: &[u64]) -> u32 {
    u32::try_from(words.get(LIVE).copied().unwrap_or(0)).unwrap_or(u32::MAX)
}

/// An entry by value.
#[inline(always)]
pub(crate) fn copied(entry: &[Cell]) -> Entry {
    let cell = |n: usize| entry.get(n).copied().unwrap_or_default();
    (cell(0), cell(1))
}

impl<'h> Table<&'h [u64]> {
    #[inline(always)]
    pub(crate) fn new(words: &'h [u64], used: u32, stride: usize) -> Self {
        Table { words, used, stride }
    }

    #[inline(always)]
    fn layout(&self) -> Layout {
        Layout::of(self.words, self.stride)
    }

    /// Header word `n`, or any other word; 0 beyond the block.
    fn header(&self, n: usize) -> u64 {
        self.words.get(n).copied().unwrap_or(0)
    }

    /// The number of entries.
    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        len(self.words)
    }

    /// The first word of a position.
    #[inline(always)]
    fn place(&self, position: u32) -> usize {
        to_usize(position).saturating_mul(self.stride).saturating_add(to_usize(HEADER))
    }

    /// The cells of the entry at a position; `None` for a hole.
    #[inline(always)]
    pub(crate) fn entry(&self, position: u32) -> Option<&'h [Cell]> {
        let start = self.place(position);
        let entry = self.words.get(start..start.saturating_add(self.stride))?;
        entry.first().filter(|&&key| key != HOLE).map(|_| Cell::slice(entry))
    }

    /// Finds the entry of this hash whose key is `same`, or the bucket where it
    /// belongs. Expected O(1).
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, mut same: impl FnMut(Cell) -> bool) -> Probe {
        self.probe(hash, |position| self.key(position).is_some_and(&mut same))
    }

    /// The key at a position.
    #[inline(always)]
    pub(crate) fn key(&self, position: u32) -> Option<Cell> {
        self.entry(position).and_then(|entry| entry.first()).copied()
    }

    /// [`Table::find`] by position. Compares a group of buckets at a time, as a branch
    /// for each would mispredict. A group's free buckets are its last ones; the probe
    /// sequence ends at the first group that has any.
    #[inline(always)]
    pub(crate) fn probe(&self, hash: u32, mut hit: impl FnMut(u32) -> bool) -> Probe {
        const NOWHERE: Probe = Err(usize::MAX);
        let Some(buckets) = self.words.get(self.layout().range()) else { return NOWHERE };
        let (groups, _) = buckets.as_chunks::<GROUP>();
        let mut n = home(hash, groups.len());
        for _ in 0..groups.len() {
            let Some(group) = groups.get(n) else { return NOWHERE };
            let mut hits = 0_u32;
            for (lane, &bucket) in group.iter().enumerate() {
                hits |= u32::from(halves(bucket).0 == hash) << lane;
            }
            while hits != 0 {
                let lane = to_usize(hits.trailing_zeros()) % GROUP;
                let position = group.get(lane).map_or(0, |&bucket| halves(bucket).1);
                let position = position.wrapping_sub(1);
                if hit(position) {
                    return Ok((n.wrapping_mul(GROUP).wrapping_add(lane), position));
                }
                hits &= hits.wrapping_sub(1);
            }
            if group.last() == Some(&0) {
                return Err(n.wrapping_mul(GROUP).wrapping_add(filled(group)));
            }
            n = n.wrapping_add(1) & groups.len().wrapping_sub(1);
        }
        NOWHERE
    }

    /// The bucket where a new entry of this hash belongs.
    pub(crate) fn vacancy(&self, hash: u32) -> usize {
        self.probe(hash, |_| false).err().unwrap_or(usize::MAX)
    }

    /// The bucket that refers to a position. O(buckets).
    fn bucket(&self, position: u32) -> Option<usize> {
        let buckets = self.words.get(self.layout().range())?;
        buckets.iter().position(|&bucket| halves(bucket).1 == position.wrapping_add(1))
    }

    /// The position of entry `n`. O(1) while the table has no holes, O(n) otherwise.
    pub(crate) fn nth(&self, n: usize) -> Option<u32> {
        if n >= to_usize(self.len()) {
            return None;
        }
        if self.len() == self.used {
            return u32::try_from(n).ok();
        }
        (0..self.used).filter(|&position| self.entry(position).is_some()).nth(n)
    }

    /// The sequence number of the entry at a position.
    fn sequence(&self, position: u32) -> u64 {
        let layout = self.layout();
        if position < self.used && layout.sequenced {
            return self.header(layout.sequence().saturating_add(to_usize(position)));
        }
        let left = self.used.saturating_sub(position);
        self.header(NEXT).wrapping_sub(u64::from(left))
    }

    /// The first position whose sequence number is not below the cursor's. O(1) where
    /// the cursor's hint still holds, O(log used) otherwise.
    fn position(&self, cursor: Cursor) -> u32 {
        let layout = self.layout();
        if !layout.sequenced {
            let first = self.sequence(0);
            return u32::try_from(cursor.next.saturating_sub(first)).unwrap_or(self.used);
        }
        let numbers = self.words.get(layout.sequence()..).unwrap_or_default();
        let numbers = numbers.get(..to_usize(self.used)).unwrap_or_default();
        debug_assert_eq!(numbers.len(), to_usize(self.used));
        let (before, after) = numbers.split_at(to_usize(cursor.hint).min(numbers.len()));
        let passed = |number: &u64| *number < cursor.next;
        if before.last().is_none_or(passed) && !after.first().is_some_and(passed) {
            return cursor.hint.min(self.used);
        }
        u32::try_from(numbers.partition_point(passed)).unwrap_or(self.used)
    }

    /// The first entry at the cursor or after it; the cursor advances past it.
    #[inline]
    pub(crate) fn next(&self, cursor: &mut Cursor) -> Option<&'h [Cell]> {
        let mut positions = self.position(*cursor)..self.used;
        let entry = positions.find_map(|position| self.entry(position))?;
        let hint = positions.start;
        let next = self.sequence(hint.wrapping_sub(1)).wrapping_add(1);
        *cursor = Cursor { next, hint };
        Some(entry)
    }

    /// The entries, in insertion order.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'h [Cell]> {
        let end = self.place(self.used);
        let entries = self.words.get(to_usize(HEADER)..end).unwrap_or_default();
        let entries = entries.chunks_exact(self.stride);
        entries.filter(|entry| entry.first() != Some(&HOLE)).map(Cell::slice)
    }

    /// The layout of a rebuilt table with room for one more entry. The table does not
    /// grow if a third or more of its positions are holes.
    ///
    /// # Errors
    /// [`Error::ObjectTooLarge`].
    pub(crate) fn plan(&self) -> Result<Plan> {
        let (live, used, layout) = (to_usize(self.len()), to_usize(self.used), self.layout());
        let roomy = live.saturating_mul(3) <= used.saturating_mul(2);
        let entries = if roomy { live } else { layout.capacity() };
        let holes_before_all = (0..self.used)
            .find(|&position| self.entry(position).is_some())
            .is_none_or(|first| used.saturating_sub(to_usize(first)) == live);
        let sequenced = live > 0 && (layout.sequenced || !holes_before_all);
        let layout = Layout::for_entries(entries.saturating_add(1), sequenced, self.stride)?;
        Ok(Plan { layout, words: layout.words() })
    }

    /// Checks that header, entries and index agree. `hash` returns the hash of a key
    /// that is not stale. O(buckets).
    ///
    /// # Errors
    /// The first fault, as a description.
    pub(crate) fn verify(&self, hash: impl Fn(Cell) -> Option<u32>) -> Result<(), &'static str> {
        let layout = self.layout();
        if self.words.is_empty() {
            return if self.used == 0 { Ok(()) } else { Err("entries without a table") };
        }
        if !layout.buckets.is_power_of_two()
            || to_usize(self.used) > layout.capacity()
            || layout.words() > self.words.len()
        {
            return Err("a table is larger than its block");
        }
        let buckets = self.words.get(layout.range()).unwrap_or_default();
        let mut linked = 0_u64;
        for (place, (other, position)) in buckets.iter().map(|&bucket| halves(bucket)).enumerate() {
            let Some(position) = position.checked_sub(1) else { continue };
            linked = linked.saturating_add(1);
            let entry = self.entry(position).filter(|_| position < self.used);
            let key = entry.and_then(|entry| entry.first()).ok_or("a bucket refers to no entry")?;
            if hash(*key).is_some_and(|hash| hash != other) {
                return Err("an entry has another hash");
            }
            if self.probe(other, |found| found == position) != Ok((place, position)) {
                return Err("an entry is not found");
            }
        }
        let live =
            to_u64((0..self.used).filter(|&position| self.entry(position).is_some()).count());
        let ordered = (1..self.used)
            .all(|position| self.sequence(position.wrapping_sub(1)) < self.sequence(position));
        if linked != live || u64::from(self.len()) != live || !ordered {
            return Err("the entries are miscounted");
        }
        Ok(())
    }

    /// Whether every position is used.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        to_usize(self.used) >= self.layout().capacity()
    }
}

/// The layout of a table to build.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    layout: Layout,
    /// The words of its block.
    pub(crate) words: usize,
}

impl<'h> Table<&'h mut [u64]> {
    #[inline(always)]
    pub(crate) fn new_mut(words: &'h mut [u64], used: u32, stride: usize) -> Self {
        Table { words, used, stride }
    }

    /// The same table, to read.
    #[inline(always)]
    pub(crate) fn read(&self) -> Table<&[u64]> {
        Table { words: self.words, used: self.used, stride: self.stride }
    }

    fn put(&mut self, index: usize, value: u64) {
        debug_assert!(index < self.words.len(), "a table is larger than its block");
        if let Some(word) = self.words.get_mut(index) {
            *word = value;
        }
    }

    /// The cells at a position.
    #[inline]
    pub(crate) fn entry_mut(&mut self, position: u32) -> Option<&mut [Cell]> {
        let start = self.read().place(position);
        let end = start.saturating_add(self.stride);
        self.words.get_mut(start..end).map(Cell::slice_mut)
    }

    /// [`Table::entry_mut`], while the words are borrowed.
    #[inline(always)]
    pub(crate) fn into_entry_mut(self, position: u32) -> Option<&'h mut [Cell]> {
        let start = self.read().place(position);
        let end = start.saturating_add(self.stride);
        self.words.get_mut(start..end).map(Cell::slice_mut)
    }

    #[inline(always)]
    fn set_entry(&mut self, position: u32, entry: &[Cell]) {
        debug_assert!(self.read().place(position) < self.words.len(), "no position of the table");
        if let Some(place) = self.entry_mut(position) {
            place.iter_mut().zip(entry).for_each(|(to, from)| *to = *from);
        }
    }

    /// Appends an entry of a new key to a table that is not full, in the bucket where
    /// it belongs. Returns how many positions are used then.
    #[inline(always)]
    pub(crate) fn append(&mut self, hash: u32, bucket: usize, entry: &[Cell]) -> u32 {
        let (position, layout) = (self.used, self.read().layout());
        self.set_entry(position, entry);
        let next = self.read().header(NEXT);
        if layout.sequenced {
            self.put(layout.sequence().saturating_add(to_usize(position)), next);
        }
        if let [live, next, ..] = &mut *self.words {
            (*live, *next) = (live.wrapping_add(1), next.wrapping_add(1));
        }
        self.put(layout.range().start.wrapping_add(bucket), bucket_of(hash, position));
        self.used = position.wrapping_add(1);
        self.used
    }

    /// Removes the entry at `position`, to which `bucket` refers. Returns it, and how
    /// many positions are used then. Expected O(1).
    pub(crate) fn remove(&mut self, bucket: usize, position: u32) -> Option<(Entry, u32)> {
        let entry = copied(self.read().entry(position)?);
        let range = self.read().layout().range();
        let (groups, _) = self.words.get_mut(range)?.as_chunks_mut::<GROUP>();
        let mask = groups.len().wrapping_sub(1);
        // Move a later bucket whose probe sequence passes the gap into it, and go on
        // with the gap that this leaves, up to a group with a free bucket.
        let (mut n, mut lane) = (bucket / GROUP, bucket % GROUP);
        let mut here = n;
        for _ in 0..groups.len() {
            if groups.get(here)?.last() == Some(&0) {
                break;
            }
            here = here.wrapping_add(1) & mask;
            let passed = |&bucket: &u64| {
                let home = home(halves(bucket).0, groups.len());
                bucket != 0 && here.wrapping_sub(home) & mask >= here.wrapping_sub(n) & mask
            };
            if let Some(from) = groups.get(here)?.iter().position(passed) {
                *groups.get_mut(n)?.get_mut(lane)? = *groups.get(here)?.get(from)?;
                (n, lane) = (here, from);
            }
        }
        let group = groups.get_mut(n)?;
        let last = filled(group).checked_sub(1)?;
        *group.get_mut(lane)? = *group.get(last)?;
        *group.get_mut(last)? = 0;
        self.set_entry(position, &[Cell::raw(HOLE), Cell::NULL]);
        let live = self.read().header(LIVE).saturating_sub(1);
        self.put(LIVE, live);
        // A table without entries starts again at position 0.
        Some((entry, if live == 0 { 0 } else { self.used }))
    }

    /// Removes the entry at a position, whatever its key. O(buckets).
    pub(crate) fn remove_at(&mut self, position: u32) -> Option<(Entry, u32)> {
        let bucket = self.read().bucket(position)?;
        self.remove(bucket, position)
    }

    /// Removes all entries, and returns that no position is used. Sequence numbers go
    /// on, so that cursors meet the entries that are inserted later. O(buckets).
    pub(crate) fn clear(&mut self) -> u32 {
        let (layout, next) = (self.read().layout(), self.read().header(NEXT));
        if !self.words.is_empty() {
            start(self.words, layout, next);
        }
        0
    }

    /// Moves all entries into the block `target`, with the layout of `plan`. Returns
    /// how many positions are used there. The old block is left unspecified.
    /// O(positions + buckets).
    #[inline(always)]
    pub(crate) fn rebuild(&mut self, plan: Plan, target: &mut [u64]) -> u32 {
        let (old, holes) = (self.read().layout(), self.read().len() != self.used);
        start(target, plan.layout, self.read().header(NEXT));
        let mut new = Table::new_mut(target, 0, self.stride);
        for position in 0..self.used {
            let Some(entry) = self.read().entry(position) else { continue };
            let to = new.used;
            new.set_entry(to, entry);
            if plan.layout.sequenced {
                let place = plan.layout.sequence().saturating_add(to_usize(to));
                new.put(place, self.read().sequence(position));
            }
            // Store a forwarding index for the buckets.
            self.put(self.read().place(position), u64::from(to));
            new.used = to.wrapping_add(1);
        }
        new.put(LIVE, u64::from(new.used));
        let buckets = new.words.get_mut(plan.layout.range()).unwrap_or_default();
        let (groups, _) = buckets.as_chunks_mut::<GROUP>();
        for chunk in self.words.get(old.range()).unwrap_or_default().chunks(64) {
            // A branch on whether a bucket is free would mispredict.
            let (mut taken, mut n) = ([0; 64], 0_usize);
            for &bucket in chunk {
                if let Some(place) = taken.get_mut(n) {
                    *place = bucket;
                }
                n = n.wrapping_add(usize::from(bucket != 0));
            }
            for &bucket in taken.get(..n).unwrap_or_default() {
                let (hash, position) = halves(bucket);
                let mut to = position.wrapping_sub(1);
                if holes {
                    to = halves(self.read().header(self.read().place(to))).1;
                }
                link(groups, bucket_of(hash, to));
            }
        }
        new.used
    }
}

/// Stores a bucket in the first free place of its hash's probe sequence.
#[inline(always)]
fn link(groups: &mut [[u64; GROUP]], word: u64) {
    let mask = groups.len().wrapping_sub(1);
    let mut n = home(halves(word).0, groups.len());
    for _ in 0..groups.len() {
        match groups.get_mut(n) {
            Some(group) if group.last() == Some(&0) => {
                let free = filled(group);
                if let Some(bucket) = group.get_mut(free) {
                    *bucket = word;
                }
                return;
            }
            _ => n = n.wrapping_add(1) & mask,
        }
    }
    debug_assert!(false, "the index is full");
}
