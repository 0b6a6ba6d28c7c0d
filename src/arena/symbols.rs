//! [`Symbols`]: which texts are symbols, their hashes, and a hash table that finds them.

use alloc::vec::Vec;

use super::{Account, Arena};
use crate::words::{Cell, RETIRED, Result, to_u64, to_usize};

/// Buckets of the smallest table.
const FIRST_BUCKETS: usize = 8;

/// What is known of the text in a slot, if the key is that of its handle.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u32,
    hash: u32,
}

impl Entry {
    /// That of no symbol: no cell has this key.
    const NONE: Entry = Entry { key: RETIRED, hash: 0 };
}

/// The symbols of a heap. It does not keep them live: an entry is that of a live text as
/// long as its key is the one in the slot, and others are left out when the table is rebuilt.
#[derive(Debug)]
pub(crate) struct Symbols {
    /// By slot.
    entries: Vec<Entry>,
    /// The slots of symbols, dead ones included, in the order of their allocation. A slot
    /// may be in it twice.
    list: Vec<u32>,
    /// A slot + 1, or 0: open addressing with linear probing. A power of two of them, at
    /// most three quarters in use; or none.
    buckets: Vec<u32>,
}

/// What the table has reserved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SymbolsExtent {
    entries: usize,
    list: usize,
    /// Length and capacity.
    buckets: (usize, usize),
}

impl Symbols {
    pub(super) const fn new() -> Symbols {
        Symbols { entries: Vec::new(), list: Vec::new(), buckets: Vec::new() }
    }

    /// A copy on this account.
    pub(super) fn try_clone(&self, account: &mut Account) -> Result<Symbols> {
        Ok(Symbols {
            entries: account.copied(&self.entries)?,
            list: account.copied(&self.list)?,
            buckets: account.copied(&self.buckets)?,
        })
    }

    /// Whether there may be symbols.
    #[inline(always)]
    pub(crate) const fn is_any(&self) -> bool {
        !self.list.is_empty()
    }

    /// The hash of a live text, if that is a symbol. For other cells, any or none.
    #[inline(always)]
    pub(crate) fn hash(&self, cell: Cell) -> Option<u32> {
        let entry = self.entries.get(to_usize(cell.slot()))?;
        if entry.key == cell.key() { Some(entry.hash) } else { None }
    }

    /// The handle of the text in a slot when it became a symbol.
    fn cell(&self, slot: u32) -> Option<Cell> {
        let entry =
            self.entries.get(to_usize(slot)).filter(|entry| entry.key != Entry::NONE.key)?;
        Some(Cell::of_slot(entry.key, slot))
    }

    /// Finds the symbol of this hash that is `same`, or else the bucket for a new one.
    /// Expected O(1).
    pub(crate) fn find(
        &self,
        hash: u32,
        same: impl Fn(Cell) -> bool,
    ) -> core::result::Result<Cell, usize> {
        let Some(mask) = self.buckets.len().checked_sub(1) else { return Err(0) };
        let mut bucket = to_usize(hash) & mask;
        while let Some(slot) = self.buckets.get(bucket).and_then(|slot| slot.checked_sub(1)) {
            let found = self.cell(slot).filter(|&cell| self.hash(cell) == Some(hash) && same(cell));
            if let Some(cell) = found {
                return Ok(cell);
            }
            bucket = bucket.wrapping_add(1) & mask;
        }
        Err(bucket)
    }

    /// Reserves memory for `count` new symbols, in slots up to `last`. Amortised O(count +
    /// slots that are new). Returns what was reserved before, for [`Symbols::give_back`].
    ///
    /// # Errors
    /// [`Error::Limit`](crate::words::Error::Limit),
    /// [`Error::OutOfMemory`](crate::words::Error::OutOfMemory). Nothing has changed then.
    pub(crate) fn reserve(
        &mut self,
        account: &mut Account,
        texts: &Arena,
        last: u32,
        count: usize,
    ) -> Result<SymbolsExtent> {
        let before = SymbolsExtent {
            entries: self.entries.capacity(),
            list: self.list.capacity(),
            buckets: (self.buckets.len(), self.buckets.capacity()),
        };
        let reserved = self.reserve_all(account, texts, last, count);
        if let Err(error) = reserved {
            self.give_back(account, texts, before);
            return Err(error);
        }
        Ok(before)
    }

    fn reserve_all(
        &mut self,
        account: &mut Account,
        texts: &Arena,
        last: u32,
        count: usize,
    ) -> Result<()> {
        let len = self.list.len().saturating_add(count);
        account.reserve(&mut self.entries, to_usize(last).saturating_add(1))?;
        account.reserve(&mut self.list, len)?;
        let buckets = self.buckets.len();
        if len <= buckets.saturating_sub(buckets / 4) {
            return Ok(());
        }
        let wanted = buckets_for(self.count_live(texts).saturating_add(count)).max(buckets);
        account.reserve(&mut self.buckets, wanted)?;
        self.rebuild(texts, wanted);
        Ok(())
    }

    /// Gives back what was reserved and not used.
    pub(crate) fn give_back(
        &mut self,
        account: &mut Account,
        texts: &Arena,
        before: SymbolsExtent,
    ) {
        if self.buckets.len() != before.buckets.0 {
            self.rebuild(texts, before.buckets.0);
        }
        account.shrink(&mut self.entries, before.entries);
        account.shrink(&mut self.list, before.list);
        account.shrink(&mut self.buckets, before.buckets.1);
    }

    /// Makes a new text a symbol, for which memory was reserved. There was no other with the
    /// same content. Expected O(1).
    pub(crate) fn insert(&mut self, cell: Cell, hash: u32) {
        let index = to_usize(cell.slot());
        debug_assert!(index < self.entries.capacity(), "room has been reserved");
        debug_assert!(self.list.len() < self.list.capacity(), "room has been reserved");
        let bucket = self.find(hash, |_| false).err();
        if index >= self.entries.len() {
            self.entries.resize(index.saturating_add(1), Entry::NONE);
        }
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = Entry { key: cell.key(), hash };
        }
        self.list.push(cell.slot());
        if let Some(place) = bucket.and_then(|bucket| self.buckets.get_mut(bucket)) {
            *place = cell.slot().wrapping_add(1);
        }
    }

    fn count_live(&self, texts: &Arena) -> usize {
        self.list.iter().filter(|&&slot| self.is_live(texts, slot)).count()
    }

    fn is_live(&self, texts: &Arena, slot: u32) -> bool {
        self.cell(slot).is_some_and(|cell| texts.contains(cell))
    }

    /// Leaves out what is dead, and has `buckets` buckets find the others.
    fn rebuild(&mut self, texts: &Arena, buckets: usize) {
        self.buckets.clear();
        self.buckets.resize(buckets, 0);
        let mask = buckets.wrapping_sub(1);
        let mut list = core::mem::take(&mut self.list);
        list.retain(|&slot| {
            if !self.is_live(texts, slot) {
                if let Some(entry) = self.entries.get_mut(to_usize(slot)) {
                    *entry = Entry::NONE;
                }
                return false;
            }
            let hash = self.entries.get(to_usize(slot)).map_or(0, |entry| entry.hash);
            let mut bucket = to_usize(hash) & mask;
            while let Some(place) = self.buckets.get_mut(bucket) {
                if *place == 0 {
                    *place = slot.wrapping_add(1);
                    return true;
                }
                if *place == slot.wrapping_add(1) {
                    return false;
                }
                bucket = bucket.wrapping_add(1) & mask;
            }
            false
        });
        self.list = list;
    }

    /// Leaves out what is dead, and gives memory back. O(symbols, dead ones included).
    pub(crate) fn purge(&mut self, account: &mut Account, texts: &Arena) {
        if self.buckets.is_empty() {
            return;
        }
        let live = self.count_live(texts);
        let wanted = if live == 0 { 0 } else { buckets_for(live) };
        self.rebuild(texts, wanted.min(self.buckets.len()));
        let last = self.list.iter().max().map_or(0, |&last| to_usize(last).saturating_add(1));
        self.entries.truncate(last);
        trim(account, &mut self.entries);
        trim(account, &mut self.list);
        trim(account, &mut self.buckets);
    }

    /// Forgets all symbols.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.list.clear();
        self.buckets.clear();
    }

    /// Bytes requested.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        let words = self.list.capacity().saturating_add(self.buckets.capacity());
        let entries = self.entries.capacity().saturating_mul(size_of::<Entry>());
        to_u64(words.saturating_mul(size_of::<u32>()).saturating_add(entries))
    }

    /// The symbols that are live.
    pub(crate) fn live<'s>(&'s self, texts: &'s Arena) -> impl Iterator<Item = (Cell, u32)> + 's {
        let slots = self.list.iter().filter(|&&slot| self.is_live(texts, slot));
        slots.filter_map(|&slot| self.cell(slot)).map(|cell| (cell, self.hash(cell).unwrap_or(0)))
    }
}

/// Gives capacity back of which less than a quarter is used.
fn trim<T>(account: &mut Account, vec: &mut Vec<T>) {
    if vec.len() < vec.capacity() / 4 {
        account.shrink(vec, vec.len().saturating_mul(2));
    }
}

/// The buckets of a table of `len` symbols.
fn buckets_for(len: usize) -> usize {
    let buckets = len.saturating_mul(2);
    buckets.checked_next_power_of_two().unwrap_or(usize::MAX).max(FIRST_BUCKETS)
}
