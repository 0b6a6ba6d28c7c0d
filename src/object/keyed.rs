//! What maps and sets share: operations on hash tables whose keys are cells.

use super::keys::{Key, KeyContext, Keys};
use super::table::{Entry, Probe, Step, Table, copied};
use super::table_mut::TableMut;
use super::view::{Cursor, Object, View};
use super::view_mut::ViewMut;
use crate::arena::Slot;
use crate::words::{Cell, Elements, Error, Result, Shape, corrupt, out_of_range, to_usize};

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

/// Where the entry of a key is or belongs. A bucket may be unknown: `usize::MAX`. The hash
/// of the key, which is unknown where the entry has been found without it.
pub(crate) type Located = (u32, Probe);

impl<'h> Keys<'h> {
    /// Finds the entry of a key in a table. Expected O(1), O(log n) in an ordered table,
    /// and O(length) of the text of a key.
    ///
    /// # Errors
    /// [`Error::Stale`].
    #[inline(always)]
    pub(crate) fn locate(self, table: Table<&[u64]>, key: Cell) -> Result<Located> {
        if key.as_int().is_some() {
            let hash = self.hash_cell(key);
            match table.find(hash, |entry| entry == key) {
                Err(bucket) if bucket == usize::MAX || table.has_boxed() => {}
                found => return Ok((hash, found)),
            }
        } else if let Some(text) = self.text(key) {
            let hash = self.hash_text(text);
            match self.locate_text(table, hash, key, text) {
                Err(usize::MAX) => {}
                found => return Ok((hash, found)),
            }
        } else if let Some(text) = key.as_short_str() {
            let hash = self.hash_text(text.as_bytes());
            // A text in an arena may be as short.
            let same = |entry: Cell| entry.is_handle() && self.is_text(entry, text.as_bytes());
            match table.find(hash, |entry| entry == key || same(entry)) {
                Err(usize::MAX) => {}
                found => return Ok((hash, found)),
            }
        }
        self.locate_any(table, key)
    }

    /// [`Table::find`] of a text in an arena.
    #[inline(always)]
    fn locate_text(self, table: Table<&[u64]>, hash: u32, key: Cell, text: &[u8]) -> Probe {
        // Without a loop around the comparison of texts, at first.
        if let Some((bucket, position, entry)) = table.candidate(hash) {
            if entry == key || self.is_text(entry, text) {
                return Ok((bucket, position));
            }
        } else {
            let free = table.free_near(hash);
            if free != usize::MAX {
                return Err(free);
            }
        }
        table.find(hash, |entry| entry == key || self.is_text(entry, text))
    }

    /// [`Keys::locate`] of keys that are no texts in an arena, and in ordered tables.
    ///
    /// # Errors
    /// [`Error::OtherHash`] if a VM gives the hashes; those of [`Keys::key`].
    #[inline(never)]
    fn locate_any(self, table: Table<&[u64]>, key: Cell) -> Result<Located> {
        if let Some(found) = self.locate_plain(table, key) {
            return Ok(found);
        }
        if table.is_own() {
            return Err(Error::OtherHash);
        }
        let key = if table.is_weak() { self.weak_key(key)? } else { self.key(key)? };
        if table.is_ordered() {
            let found = self.locate_ordered(table, &key);
            let found = found.map(|position| (usize::MAX, position)).ok_or(usize::MAX);
            return Ok((key.hash, found));
        }
        Ok((key.hash, table.find(key.hash, |entry| self.same(&key, entry))))
    }

    /// [`Keys::locate`] of a value of a few integers. `None` for other keys, and if the table
    /// has to be searched further.
    #[inline(always)]
    pub(crate) fn locate_plain(self, table: Table<&[u64]>, key: Cell) -> Option<Located> {
        let (value, hash) = self.plain_value(key)?;
        match table.candidate(hash) {
            Some((bucket, position, entry)) => {
                self.is_plain_value(entry, value).then_some((hash, Ok((bucket, position))))
            }
            None => {
                let free = table.free_near(hash);
                (free != usize::MAX).then_some((hash, Err(free)))
            }
        }
    }

    /// [`Keys::locate`] in an ordered table. O(used) if it meets the entry of a text or an
    /// integer that was freed.
    fn locate_ordered(self, table: Table<&[u64]>, key: &Key<'_>) -> Option<u32> {
        match table.descend(key.hash, |entry| self.compare(key, entry)).end {
            Step::Found(position) => Some(position),
            Step::Missing => None,
            Step::Freed(_) => (0..table.used()).find(|&position| {
                table.hash(position) == key.hash
                    && table.key(position).is_some_and(|entry| self.same(key, entry))
            }),
        }
    }
}

/// The entry of an integer in a table of `used` positions in `words`, or that
/// there is none. `None` if the table has to be searched further.
#[inline(always)]
pub(crate) fn entry_of_int<K: Keyed>(
    words: &[u64],
    used: u32,
    hash: u32,
    key: Cell,
) -> Option<Option<Entry>> {
    let table = Table::new(words, used, K::STRIDE);
    if let Some((_, near)) = table.hit_near(hash, key) {
        return Some(Some(copied(near.cells)));
    }
    (table.free_near(hash) != usize::MAX && !table.has_boxed()).then_some(None)
}

/// [`entry_of_int`] in all groups of a probe sequence.
#[inline(always)]
fn find_int<K: Keyed>(words: &[u64], used: u32, hash: u32, key: Cell) -> Option<Option<Entry>> {
    let table = Table::new(words, used, K::STRIDE);
    match table.find(hash, |entry| entry == key) {
        Ok((_, position)) => Some(table.cells(position).map(copied)),
        Err(bucket) => (bucket != usize::MAX && !table.has_boxed()).then_some(None),
    }
}

/// The bucket and the position of a key that is found by its bits.
#[inline(never)]
fn locate_by_bits(table: Table<&[u64]>, hash: u32, key: Cell) -> Option<(usize, u32)> {
    table.find(hash, |entry| entry == key).ok()
}

/// The entry at a position if it has this key. `None` of a weak table, where the key may be
/// garbage.
#[inline(always)]
pub(crate) fn entry_at<K: Keyed>(
    words: &[u64],
    used: u32,
    position: u32,
    key: Cell,
) -> Option<Entry> {
    let table = Table::new(words, used, K::STRIDE);
    let cells = table.cells(position).filter(|_| position < used)?;
    let is_plain = !table.is_weak() && !table.is_own();
    Some(copied(cells)).filter(|entry| entry.0 == key && is_plain)
}

/// Sets the entry of an integer in an opened table; returns what it replaces. `None`, and
/// nothing has changed, if that takes longer.
#[inline(always)]
pub(crate) fn insert_int<K: Keyed>(
    (slot, words): (&mut Slot, &mut [u64]),
    hash: u32,
    entry: &[Cell],
) -> Option<Option<Cell>> {
    let mut table = Table::new_mut(words, slot.len, K::STRIDE);
    if let Some((_, near)) = table.read().hit_near(hash, *entry.first()?) {
        let position = near.position();
        return table.replace(position, entry).map(Some);
    }
    insert_int_further::<K>(slot, words, hash, copied(entry))
}

/// [`insert_int`] of an integer that is not near, which is a new one if there is a free
/// bucket. Not inline: an update is shorter without it.
#[inline(never)]
fn insert_int_further<K: Keyed>(
    slot: &mut Slot,
    words: &mut [u64],
    hash: u32,
    (key, value): Entry,
) -> Option<Option<Cell>> {
    let mut table = Table::new_mut(words, slot.len, K::STRIDE);
    let mut bucket = table.read().free_near(hash);
    if bucket == usize::MAX {
        match table.read().find(hash, |entry| entry == key) {
            Ok((_, position)) => return table.replace(position, &[key, value]).map(Some),
            Err(free) => bucket = free,
        }
    }
    let read = table.read();
    if bucket == usize::MAX || read.is_full() || read.has_boxed() {
        return None;
    }
    slot.len = table.append(hash, bucket, &[key, value]);
    Some(None)
}

/// The entry of a symbol with this hash, or that there is none. `None` if the table has to be
/// searched further, or the symbol was freed.
#[inline(always)]
pub(crate) fn find_symbol<K: Keyed>(
    words: &[u64],
    used: u32,
    keys: Keys<'_>,
    hash: u32,
    key: Cell,
) -> Option<Option<Entry>> {
    if !keys.is_usable(key) {
        return None;
    }
    let table = Table::new(words, used, K::STRIDE);
    if let Some((_, near)) = table.hit_near(hash, key) {
        return Some(Some(copied(near.cells)));
    }
    find_symbol_further(table, hash, key)
}

/// [`find_symbol`] of one that is not near.
#[inline(never)]
fn find_symbol_further(table: Table<&[u64]>, hash: u32, key: Cell) -> Option<Option<Entry>> {
    if table.free_near(hash) != usize::MAX {
        // An equal text that is no symbol would have the hash.
        return table.candidate(hash).is_none().then_some(None);
    }
    let (_, position) = locate_by_bits(table, hash, key)?;
    table.cells(position).map(|cells| Some(copied(cells)))
}

impl<'h, K: Keyed> View<'h, K> {
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
        if key.as_int().is_some() {
            let hash = self.context.hash_cell(key);
            if let Some(found) = entry_of_int::<K>(self.words, self.len, hash, key) {
                return Ok(found);
            }
        }
        self.find_further(key)
    }

    /// [`View::find_key`] of a key that is no integer, or an integer that is not near.
    ///
    /// # Errors
    /// [`Error::Stale`].
    #[inline(always)]
    pub(crate) fn find_further(self, key: Cell) -> Result<Option<Entry>> {
        if key.as_int().is_some() {
            let hash = self.context.hash_cell(key);
            if let Some(found) = find_int::<K>(self.words, self.len, hash, key) {
                return Ok(found);
            }
        } else if let Some(position) = self.table().find_among_few(key)
            && self.context.is_usable_by_bits(key)
            && !self.table().is_weak()
            && !self.table().is_own()
        {
            return Ok(self.table().cells(position).map(copied));
        } else if let Some(hash) = self.context.symbol_hash(key)
            && let Some(found) = find_symbol::<K>(self.words, self.len, self.context, hash, key)
        {
            return Ok(found);
        }
        find_any::<K>(self.words, self.len, self.context, key)
    }

    /// [`View::find_key`], with the position of the entry.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub(crate) fn locate_key(self, key: Cell) -> Result<Option<(u32, Entry)>> {
        let table = self.table();
        let (_, found) = self.context.locate(table, key)?;
        let position = found.ok().map(|(_, position)| position);
        Ok(position.and_then(|position| Some((position, copied(table.entry(position)?)))))
    }

    /// The place of the entry of `key` in insertion order.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub(crate) fn index_of_key(self, key: Cell) -> Result<Option<usize>> {
        Ok(self.locate_key(key)?.map(|(position, _)| self.table().rank(position)))
    }

    /// Whether the table is weak by its keys.
    pub(crate) fn is_weak_table(self) -> bool {
        self.table().is_weak()
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
    #[inline(always)]
    pub(crate) fn entries(self) -> impl ExactSizeIterator<Item = K::Entry> + use<'h, K> {
        self.table().iter().map(copied).map(K::entry)
    }
}

/// [`View::find_key`] of any key, of a view by its parts: so it can stay in registers.
#[inline(never)]
fn find_any<K: Keyed>(
    words: &[u64],
    used: u32,
    keys: Keys<'_>,
    key: Cell,
) -> Result<Option<Entry>> {
    let table = Table::new(words, used, K::STRIDE);
    let (_, found) = keys.locate(table, key)?;
    Ok(found.ok().and_then(|(_, position)| table.entry(position)).map(copied))
}

impl<K: Keyed> ViewMut<'_, K> {
    /// Sets the entry of `key`, or only its value if there is one; returns the value (of
    /// a set, the key) that was there before.
    ///
    /// # Errors
    /// [`Error::Stale`]; [`Error::Limit`], [`Error::ArenaFull`],
    /// [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`] if the table cannot grow.
    /// Nothing has changed then.
    #[inline(always)]
    pub(crate) fn insert_entry(&mut self, key: Cell, entry: &[Cell]) -> Result<Option<Cell>> {
        if key.as_int().is_some() {
            let hash = Keys::new(self.arenas).hash_cell(key);
            let index = self.index;
            if let Some(opened) = self.arena_mut()?.write_dense::<Cell>(index)
                && let Some(replaced) = insert_int::<K>(opened, hash, entry)
            {
                return Ok(replaced);
            }
        }
        if let Some(replaced) = self.replace_of_symbol(key, entry)? {
            return Ok(Some(replaced));
        }
        self.table_mut().insert(key, entry)
    }

    /// [`ViewMut::insert_entry`] over that of a live symbol, if it lies in the first group of
    /// its probe sequence.
    #[inline(always)]
    fn replace_of_symbol(&mut self, key: Cell, entry: &[Cell]) -> Result<Option<Cell>> {
        let keys = Keys::new(self.arenas);
        let Some(hash) = keys.symbol_hash(key).filter(|_| keys.is_usable(key)) else {
            return Ok(None);
        };
        let index = self.index;
        let Some((slot, words)) = self.arena_mut()?.write_dense::<Cell>(index) else {
            return Ok(None);
        };
        let mut table = Table::new_mut(words, slot.len, K::STRIDE);
        let near = table.read().hit_near(hash, key).map(|(_, near)| near.position());
        Ok(near.and_then(|position| table.replace(position, entry)))
    }

    /// Removes the entry of a key, and returns it.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub(crate) fn remove_key(&mut self, key: Cell) -> Result<Option<K::Entry>> {
        if key.as_int().is_some() {
            let hash = Keys::new(self.arenas).hash_cell(key);
            let index = self.index;
            // A hole holds no cell: nothing of which a collection has to know.
            let (slot, words) = self.arena_mut()?.write::<u8>(index).ok_or_else(corrupt)?;
            let mut table = Table::new_mut(words, slot.len, K::STRIDE);
            let near = table.read().hit_near(hash, key);
            let found = match near.map(|(bucket, near)| (bucket, near.position())) {
                None => locate_by_bits(table.read(), hash, key),
                found => found,
            };
            if let Some((bucket, position)) = found {
                let (removed, used) = table.remove(bucket, position).ok_or_else(corrupt)?;
                slot.len = used;
                if table.read().is_sparse() {
                    self.table_mut().shrink()?;
                }
                return Ok(Some(K::entry(removed)));
            }
        }
        Ok(self.table_mut().remove(key)?.map(K::entry))
    }

    /// Removes entry `n` in insertion order, and returns it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub(crate) fn remove_entry_at(&mut self, n: usize) -> Result<K::Entry> {
        let view = self.view();
        let position = view.table().nth(n).ok_or_else(|| out_of_range(n, view.entry_count()))?;
        self.table_mut().remove_at(position).map(K::entry)
    }

    /// Removes all entries.
    pub(crate) fn clear_table(&mut self) -> Result<()> {
        self.table_mut().edit(|table| Some(((), table.clear())))
    }

    #[inline(always)]
    pub(super) fn table_mut(&mut self) -> TableMut<'_> {
        let (arenas, resources) = (&mut *self.arenas, &mut *self.resources);
        TableMut { arenas, resources, kind: K::KIND, index: self.index, stride: K::STRIDE }
    }
}
