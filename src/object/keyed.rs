//! What maps and sets share: operations on hash tables whose keys are cells.

use super::keys::{KeyContext, Keys};
use super::table::{Entry, Probe, Table, copied};
use super::view::{Cursor, Object, View};
use super::view_mut::ViewMut;
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Cell, Elements, Result, Shape, corrupt, out_of_range, to_usize};

/// A kind that is a hash table.
#[doc(hidden)]
pub trait Keyed: Object<Context = KeyContext> {
    /// The cells of an entry in the table.
    const STRIDE: usize;
    /// An entry in the public interface.
    type Entry;
    /// Converts a key and its value, which is null in tables without values.
    fn entry(entry: Entry) -> Self::Entry;
}

/// The shape of a table with `stride` cells for each entry.
pub(crate) const fn shape(stride: u32, open: &'static str, close: &'static str) -> Shape {
    Shape::new(Elements::Entries(stride), open, close).header(super::table::HEADER)
}

/// The hash of a key, and where the key is or belongs.
type Located = (u32, Probe);

impl<'h, K: Keyed> View<'h, K> {
    #[inline(always)]
    fn keys(&self) -> Keys<'h> {
        self.context
    }

    #[inline(always)]
    pub(crate) fn table(&self) -> Table<&'h [u64]> {
        Table::new(self.words, self.len, K::STRIDE)
    }

    /// The entry of `key`. Expected O(1), and O(length) of the text of a key.
    ///
    /// # Errors
    /// [`Error::Stale`].
    #[inline(always)]
    pub(crate) fn find_key(self, key: Cell) -> Result<Option<Entry>> {
        let Ok((_, position)) = self.locate(key)?.1 else { return Ok(None) };
        debug_assert!(self.table().entry(position).is_some(), "a bucket refers to no entry");
        Ok(self.table().entry(position).map(copied))
    }

    /// Finds where `key` is or belongs.
    ///
    /// # Errors
    /// [`Error::Stale`].
    #[inline(always)]
    pub(crate) fn locate(self, key: Cell) -> Result<Located> {
        if let Some(int) = key.as_int() {
            let found = self.guess(self.keys().hash_int(int), |entry| entry == key);
            return found.map_or_else(|| self.spill().locate_any(key), Ok);
        }
        self.spill().locate_text(key)
    }

    /// [`View::locate`] for keys that are no integers in a cell: text first.
    fn locate_text(self, key: Cell) -> Result<Located> {
        let keys = self.keys();
        let found = if let Some(text) = key.as_short_str() {
            self.guess(keys.hash_text(text.as_bytes()), |entry| entry == key)
        } else {
            keys.text(key).and_then(|text| {
                let same = |entry| entry == key || keys.is_text(entry, text);
                self.guess(keys.hash_text(text), same)
            })
        };
        found.map_or_else(|| self.locate_any(key), Ok)
    }

    /// [`View::locate`] by comparison with the first entry of the hash alone; `None`
    /// if that is another key.
    #[inline(always)]
    fn guess(self, hash: u32, same: impl Fn(Cell) -> bool) -> Option<Located> {
        let found = self.table().probe(hash, |_| true);
        let right = |position| self.table().key(position).is_some_and(same);
        let wrong = found.is_ok_and(|(_, position)| !right(position));
        if wrong { None } else { Some((hash, found)) }
    }

    /// [`View::locate`] for any key.
    #[cold]
    fn locate_any(self, key: Cell) -> Result<Located> {
        let keys = self.keys();
        let key = keys.key(key)?;
        let found = self.table().find(key.hash, |entry| keys.same(&key, entry));
        Ok((key.hash, found))
    }

    /// The number of entries.
    #[inline(always)]
    pub(crate) fn entry_count(self) -> usize {
        to_usize(self.table().len())
    }

    /// Entry `n` in insertion order.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub(crate) fn entry_at(self, n: usize) -> Result<K::Entry> {
        let entry = self.table().nth(n).and_then(|position| self.table().entry(position));
        entry.map(copied).map(K::entry).ok_or_else(|| out_of_range(n, self.entry_count()))
    }

    /// The entry at the cursor, which advances.
    #[inline(always)]
    pub(crate) fn next_entry(self, cursor: &mut Cursor) -> Option<K::Entry> {
        self.table().next(cursor).map(copied).map(K::entry)
    }

    /// The entries, in insertion order.
    pub(crate) fn entries(self) -> impl Iterator<Item = K::Entry> + use<'h, K> {
        self.table().iter().map(copied).map(K::entry)
    }
}

impl<K: Keyed> ViewMut<'_, K> {
    /// Finds `key`, or appends `entry` for it. Returns the position of the entry, and
    /// whether that is new.
    ///
    /// # Errors
    /// [`Error::Stale`]; [`Error::Limit`], [`Error::ArenaFull`],
    /// [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`] if the table cannot grow.
    /// Nothing has changed then.
    #[inline]
    pub(crate) fn find_or_insert(&mut self, key: Cell, entry: &[Cell]) -> Result<(u32, bool)> {
        let view = self.view()?;
        let (hash, mut bucket) = match view.locate(key)? {
            (_, Ok((_, old))) => return Ok((old, false)),
            (hash, Err(bucket)) => (hash, bucket),
        };
        if view.table().is_full() {
            self.grow_table()?;
            bucket = self.view()?.table().vacancy(hash);
        }
        let (slot, words) = self.arena.write(self.index).ok_or_else(corrupt)?;
        let position = slot.len;
        slot.len = Table::new_mut(words, position, K::STRIDE).append(hash, bucket, entry);
        Ok((position, true))
    }

    /// Rebuilds the table with room for another entry.
    #[cold]
    fn grow_table(&mut self) -> Result<()> {
        let view = self.view()?;
        let (plan, used) = (view.table().plan()?, view.len);
        self.arena.replace_block(self.resources, self.index, plan.words, |old, new| {
            Table::new_mut(old, used, K::STRIDE).rebuild(plan, new)
        })
    }

    /// Removes the entry of a key, and returns it.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub(crate) fn remove_key(&mut self, key: Cell) -> Result<Option<K::Entry>> {
        let (_, found) = self.view()?.locate(key)?;
        let Ok((bucket, position)) = found else { return Ok(None) };
        self.edit(|table| table.remove(bucket, position)).map(K::entry).map(Some)
    }

    /// Removes entry `n` in insertion order, and returns it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub(crate) fn remove_entry_at(&mut self, n: usize) -> Result<K::Entry> {
        let view = self.view()?;
        let position = view.table().nth(n).ok_or_else(|| out_of_range(n, view.entry_count()))?;
        self.edit(|table| table.remove_at(position)).map(K::entry)
    }

    /// Removes all entries.
    pub(crate) fn clear_table(&mut self) -> Result<()> {
        self.edit(|table| Some(((), table.clear())))
    }

    /// The value of the entry at a position.
    #[inline(always)]
    pub(crate) fn value_mut(&mut self, position: u32) -> Result<&mut Cell> {
        let (slot, words) = self.arena.write(self.index).ok_or_else(corrupt)?;
        let entry = Table::new_mut(words, slot.len, K::STRIDE).into_entry_mut(position);
        entry.and_then(|entry| entry.last_mut()).ok_or_else(corrupt)
    }

    /// Runs `change` on the table, and stores the used positions that it returns.
    fn edit<T>(
        &mut self,
        change: impl FnOnce(&mut Table<&mut [u64]>) -> Option<(T, u32)>,
    ) -> Result<T> {
        let (slot, words) = self.arena.write(self.index).ok_or_else(corrupt)?;
        let mut table = Table::new_mut(words, slot.len, K::STRIDE);
        let (result, used) = change(&mut table).ok_or_else(corrupt)?;
        slot.len = used;
        Ok(result)
    }
}
