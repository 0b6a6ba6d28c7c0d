//! Checks of a whole table, for [`Heap::verify`](crate::Heap::verify).

use core::cmp::Ordering;

use super::Table;
use super::layout::NEXT;
use crate::object::keys::Keys;
use crate::words::{Cell, to_u64, to_usize};

/// The sequence number of the next entry at most: none gets near it by insertions.
const NEXT_MAX: u64 = 1 << 62;

impl Table<&[u64]> {
    /// Checks that header, entries and holes agree. O(positions).
    ///
    /// # Errors
    /// The first fault, as a description.
    pub(crate) fn verify_entries(&self) -> Result<(), &'static str> {
        let layout = self.layout();
        if self.words.is_empty() {
            return if self.used == 0 { Ok(()) } else { Err("entries without a table") };
        }
        if to_usize(self.used) > layout.capacity || layout.words() > self.words.len() {
            return Err("a table is larger than its block");
        }
        if layout.capacity > layout.capacity_max() {
            return Err("a table has too few buckets");
        }
        if self.is_own() && self.is_weak() {
            return Err("hashes of a VM in a weak table");
        }
        let live = (0..self.used).filter(|&position| self.entry(position).is_some()).count();
        if to_u64(live) != u64::from(self.len()) || self.iter().count() != live {
            return Err("the entries are miscounted");
        }
        let next = self.header(NEXT);
        let ordered = (1..self.used)
            .all(|position| self.sequence(position.wrapping_sub(1)) < self.sequence(position));
        let last = self.used.checked_sub(1).map(|last| self.sequence(last));
        if !ordered || last.is_some_and(|last| last >= next) || next > NEXT_MAX {
            return Err("the sequence numbers do not rise");
        }
        self.verify_holes()
    }

    /// Whether all cells of entries are of a sort, and those of holes the ones that a
    /// removed entry leaves.
    pub(crate) fn has_only(&self, is_cell: impl Fn(Cell) -> bool) -> bool {
        (0..self.used).all(|position| match self.cells(position) {
            Some([key, rest @ ..]) if key.as_hole().is_some() => {
                rest.iter().all(|&cell| cell == Cell::NULL)
            }
            Some(cells) => cells.iter().all(|&cell| is_cell(cell)),
            None => false,
        })
    }

    /// Checks the hashes, and that the index agrees with the entries. O(buckets).
    ///
    /// # Errors
    /// The first fault, as a description.
    pub(crate) fn verify_index(&self, keys: Keys<'_>) -> Result<(), &'static str> {
        if self.words.is_empty() {
            return Ok(());
        }
        for position in 0..self.used {
            let key = self.entry(position).and_then(|entry| entry.first());
            let key = key.filter(|_| !self.is_own());
            let key = key.and_then(|&key| keys.key(key).ok());
            if key.is_some_and(|key| key.hash != self.hash(position)) {
                return Err("an entry has another hash");
            }
            if key.is_some_and(|key| key.is_boxed()) && !self.has_boxed() {
                return Err("an integer that a table would look for in cells only");
            }
        }
        if self.is_ordered() { self.verify_tree(keys) } else { self.verify_buckets() }
    }

    /// Checks that each run of holes is reached and passed by both of its ends.
    fn verify_holes(&self) -> Result<(), &'static str> {
        let mut position = 0_u32;
        while position < self.used {
            let end = (position..self.used).find(|&hole| self.entry(hole).is_some());
            let len = end.unwrap_or(self.used).saturating_sub(position);
            if len == 0 {
                position = position.saturating_add(1);
                continue;
            }
            let hole = |position| self.key(position).and_then(super::layout::Hole::of);
            let last = position.saturating_add(len).saturating_sub(1);
            let (first, last) = (hole(position), hole(last));
            let first = first.is_some_and(|hole| hole.ahead() == len);
            if !first || last.is_none_or(|hole| hole.len != len) {
                return Err("a run of holes has another length");
            }
            position = position.saturating_add(len);
        }
        Ok(())
    }

    /// Checks that each entry is found, and that each bucket refers to a position.
    fn verify_buckets(&self) -> Result<(), &'static str> {
        let mut linked = 0_u32;
        let Some(index) = self.any_index() else { return Ok(()) };
        for (bucket, position) in index.links() {
            if position >= self.used {
                return Err("a bucket refers to no position");
            }
            if self.entry(position).is_none() {
                continue;
            }
            linked = linked.saturating_add(1);
            let found = index.probe(self.hash(position), |found| found == position);
            if found != Ok((bucket, position)) {
                return Err("an entry is not found");
            }
        }
        if linked == self.len() { Ok(()) } else { Err("an entry has no bucket") }
    }

    /// Checks that the tree has every entry whose key can be compared, in order.
    fn verify_tree(&self, keys: Keys<'_>) -> Result<(), &'static str> {
        let (mut linked, mut last) = (0_usize, None);
        for position in self.in_order().take(to_usize(self.used).saturating_add(1)) {
            let key = self.entry(position).and_then(|entry| entry.first());
            let key = *key.ok_or("a tree refers to no entry")?;
            let hash = self.hash(position);
            if let Some((other, other_hash)) = last {
                let order = || keys.key(other).ok().and_then(|other| keys.compare(&other, key));
                let order =
                    u32::cmp(&other_hash, &hash).then_with(|| order().unwrap_or(Ordering::Less));
                if order.is_ge() {
                    return Err("a tree is out of order");
                }
            }
            linked = linked.saturating_add(1);
            last = Some((key, hash));
        }
        let entries = self.iter().filter_map(|entry| entry.first());
        let comparable = entries.filter(|&&key| keys.key(key).is_ok()).count();
        if linked < comparable || linked > to_usize(self.len()) {
            return Err("an entry is not in the tree");
        }
        Ok(())
    }
}
