//! What maps and sets share: operations on hash tables whose keys are cells.

use super::keys::{Key, KeyContext, Keys};
use super::table::{Entry, Plan, Probe, Step, Table, copied};
use super::view::{Cursor, Object, View};
use super::view_mut::ViewMut;
use crate::arena::{Arenas, Resources, Slot};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Cell, Elements, Kind, Result, Shape, corrupt, out_of_range, to_usize};

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
        if let Some(int) = key.as_int() {
            let hash = self.hash_int(int);
            match table.find(hash, |entry| entry == key) {
                Err(bucket) if bucket == usize::MAX || table.has_boxed() => {}
                found => return Ok((hash, found)),
            }
        } else if let Some(text) = self.text(key) {
            let hash = self.hash_text(text);
            match table.find(hash, |entry| entry == key || self.is_text(entry, text)) {
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

    /// [`Keys::locate`] of keys that are no texts in an arena, and in ordered tables.
    #[inline(never)]
    fn locate_any(self, table: Table<&[u64]>, key: Cell) -> Result<Located> {
        let key = self.key(key)?;
        if table.is_ordered() {
            let found = self.locate_ordered(table, &key);
            let found = found.map(|position| (usize::MAX, position)).ok_or(usize::MAX);
            return Ok((key.hash, found));
        }
        Ok((key.hash, table.find(key.hash, |entry| self.same(&key, entry))))
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
        if let Some(int) = key.as_int() {
            let table = self.table();
            match table.find_near(self.context.hash_int(int), key) {
                Ok((_, position)) => return Ok(table.cells(position).map(copied)),
                Err(bucket) if bucket != usize::MAX && !table.has_boxed() => return Ok(None),
                Err(_) => {}
            }
        }
        let few = self.table().find_among_few(key).filter(|_| self.context.is_usable(key));
        if let Some(position) = few {
            return Ok(self.table().cells(position).map(copied));
        }
        find_any::<K>(self.words, self.len, self.context, key)
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
    pub(crate) fn entries(self) -> impl Iterator<Item = K::Entry> + use<'h, K> {
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
        if let Some(int) = key.as_int() {
            let hash = Keys::new(self.arenas).hash_int(int);
            let index = self.index;
            let (slot, words) = self.arena_mut()?.write(index).ok_or_else(corrupt)?;
            let mut table = Table::new_mut(words, slot.len, K::STRIDE);
            let read = table.read();
            match read.find_near(hash, key) {
                Ok((_, position)) => {
                    return table.replace(position, entry).ok_or_else(corrupt).map(Some);
                }
                Err(bucket) if bucket != usize::MAX && !read.is_full() && !read.has_boxed() => {
                    slot.len = table.append(hash, bucket, entry);
                    return Ok(None);
                }
                Err(_) => {}
            }
        }
        self.table_mut().insert(key, entry)
    }

    /// Removes the entry of a key, and returns it.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub(crate) fn remove_key(&mut self, key: Cell) -> Result<Option<K::Entry>> {
        if let Some(int) = key.as_int() {
            let hash = Keys::new(self.arenas).hash_int(int);
            let index = self.index;
            let (slot, words) = self.arena_mut()?.write(index).ok_or_else(corrupt)?;
            let mut table = Table::new_mut(words, slot.len, K::STRIDE);
            if let Ok((bucket, position)) = table.read().find_near(hash, key) {
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
        let view = self.view()?;
        let position = view.table().nth(n).ok_or_else(|| out_of_range(n, view.entry_count()))?;
        self.table_mut().remove_at(position).map(K::entry)
    }

    /// Removes all entries.
    pub(crate) fn clear_table(&mut self) -> Result<()> {
        self.table_mut().edit(|table| Some(((), table.clear())))
    }

    #[inline(always)]
    fn table_mut(&mut self) -> TableMut<'_> {
        let (arenas, resources) = (&mut *self.arenas, &mut *self.resources);
        TableMut { arenas, resources, kind: K::KIND, index: self.index, stride: K::STRIDE }
    }
}

/// A table of a heap to change: of any kind, so that what is rare exists once.
#[derive(Debug)]
pub(crate) struct TableMut<'a> {
    pub(crate) arenas: &'a mut Arenas,
    pub(crate) resources: &'a mut Resources,
    pub(crate) kind: Kind,
    pub(crate) index: u32,
    pub(crate) stride: usize,
}

impl TableMut<'_> {
    /// The table to read, and the keys of the heap.
    fn read(&self) -> Result<(Table<&[u64]>, Keys<'_>)> {
        let arena = self.arenas.get(self.kind).ok_or_else(corrupt)?;
        let slot = arena.slot(self.index)?;
        Ok((Table::new(arena.used(slot)?, slot.len, self.stride), Keys::new(self.arenas)))
    }

    fn write(&mut self) -> Result<(&mut Slot, &mut [u64])> {
        let arena = self.arenas.get_mut(self.kind).ok_or_else(corrupt)?;
        arena.write(self.index).ok_or_else(corrupt)
    }

    /// Runs `change` on the table, and stores the used positions that it returns.
    fn edit<T>(
        &mut self,
        change: impl FnOnce(&mut Table<&mut [u64]>) -> Option<(T, u32)>,
    ) -> Result<T> {
        let stride = self.stride;
        let (slot, words) = self.write()?;
        let mut table = Table::new_mut(words, slot.len, stride);
        let (result, used) = change(&mut table).ok_or_else(corrupt)?;
        slot.len = used;
        Ok(result)
    }

    /// [`ViewMut::insert_entry`].
    #[inline(never)]
    fn insert(&mut self, key: Cell, entry: &[Cell]) -> Result<Option<Cell>> {
        let (table, keys) = self.read()?;
        let (hash, found) = keys.locate(table, key)?;
        let is_ready = !table.is_full() && !keys.is_integer(key);
        match found {
            Ok((_, position)) => {
                let stride = self.stride;
                let (slot, words) = self.write()?;
                let replaced = Table::new_mut(words, slot.len, stride).replace(position, entry);
                replaced.ok_or_else(corrupt).map(Some)
            }
            Err(bucket) if bucket != usize::MAX && is_ready => {
                self.edit(|table| Some((None, table.append(hash, bucket, entry))))
            }
            Err(_) => self.append(key, hash, entry).map(|()| None),
        }
    }

    /// Appends an entry, of a key of this hash that the table does not have.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`] if the table cannot grow. Nothing has changed then.
    pub(crate) fn append(&mut self, key: Cell, hash: u32, entry: &[Cell]) -> Result<()> {
        if self.read()?.0.is_full() {
            self.grow()?;
        }
        let (table, keys) = self.read()?;
        let (is_ordered, bucket) = (table.is_ordered(), table.vacancy(hash));
        if keys.is_integer(key) && keys.key(key)?.is_boxed() {
            // Also of an ordered table, which may become another again.
            self.edit(|table| Some((table.set_boxed(), table.read().used())))?;
        }
        if bucket != usize::MAX {
            return self.edit(|table| Some(((), table.append(hash, bucket, entry))));
        }
        if !is_ordered {
            self.order()?;
        }
        let descent = self.descend(key, hash)?;
        self.edit(|table| Some(((), table.append_ordered(hash, &descent, entry))))
    }

    /// Rebuilds a full table with room for another entry.
    #[cold]
    fn grow(&mut self) -> Result<()> {
        let (table, _) = self.read()?;
        let (kept, plans) = (table.kept_words(), table.plans_to_grow());
        let mut refused = None;
        for plan in plans {
            let plan = match plan {
                Ok(plan) => plan,
                Err(error) => {
                    refused = refused.or(Some(error));
                    continue;
                }
            };
            let arena = self.arenas.get_mut(self.kind).ok_or_else(corrupt)?;
            match arena.grow_to(self.resources, self.index, kept, plan.words) {
                Ok(()) => {
                    let plan = plan.fill(to_usize(arena.slot(self.index)?.cap));
                    return if kept == 0 { self.start(plan) } else { self.rebuild(plan) };
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(corrupt))
    }

    /// Makes an empty table of a new block.
    fn start(&mut self, plan: Plan) -> Result<()> {
        self.edit(|table| {
            table.start(plan);
            Some(((), 0))
        })
    }

    fn rebuild(&mut self, plan: Plan) -> Result<()> {
        let linked = self.edit(|table| {
            let (used, linked) = table.rebuild(plan);
            Some((linked, used))
        })?;
        if linked { Ok(()) } else { self.link_all() }
    }

    /// Makes the table an ordered one.
    #[cold]
    fn order(&mut self) -> Result<()> {
        let used = self.read()?.0.used();
        self.edit(|table| {
            table.order();
            Some(((), used))
        })?;
        self.link_all()
    }

    /// Links the entries of an ordered table whose tree is empty, but for those of freed
    /// objects. O(n log n).
    #[cold]
    fn link_all(&mut self) -> Result<()> {
        let used = self.read()?.0.used();
        for position in 0..used {
            let (table, keys) = self.read()?;
            let key = table.entry(position).and_then(|entry| entry.first()).copied();
            let Some(key) = key.filter(|&key| keys.key(key).is_ok()) else { continue };
            let hash = table.hash(position);
            let descent = self.descend(key, hash)?;
            self.edit(|table| {
                table.link_ordered(position, &descent);
                Some(((), used))
            })?;
        }
        Ok(())
    }

    /// Where a key belongs in an ordered table, or is. Takes entries of freed objects that
    /// it meets out of the tree.
    fn descend(&mut self, key: Cell, hash: u32) -> Result<super::table::Descent> {
        loop {
            let (table, keys) = self.read()?;
            let (key, used) = (keys.key(key)?, table.used());
            let descent = table.descend(hash, |entry| keys.compare(&key, entry));
            if !matches!(descent.end, Step::Freed(_)) {
                return Ok(descent);
            }
            self.edit(|table| {
                table.unlink(descent.last());
                Some(((), used))
            })?;
        }
    }

    /// [`ViewMut::remove_key`].
    fn remove(&mut self, key: Cell) -> Result<Option<Entry>> {
        let (table, keys) = self.read()?;
        match keys.locate(table, key)?.1 {
            Ok((bucket, position)) if bucket != usize::MAX => {
                let removed = self.edit(|table| table.remove(bucket, position))?;
                self.shrink_if_sparse()?;
                Ok(Some(removed))
            }
            Ok((_, position)) => self.remove_at(position).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Removes the entry at a position; shrinks the table if few are left.
    fn remove_at(&mut self, position: u32) -> Result<Entry> {
        let (table, keys) = self.read()?;
        let removed = if table.is_ordered() {
            let key = table.key(position).filter(|&key| keys.key(key).is_ok());
            let hash = table.hash(position);
            let branch = match key {
                Some(key) => {
                    let descent = self.descend(key, hash)?;
                    (descent.end == Step::Found(position)).then(|| descent.last())
                }
                None => table.branch_to(position),
            };
            self.edit(|table| table.remove_ordered(branch, position))?
        } else {
            self.edit(|table| table.remove_at(position))?
        };
        self.shrink_if_sparse()?;
        Ok(removed)
    }

    #[inline]
    fn shrink_if_sparse(&mut self) -> Result<()> {
        if self.read()?.0.is_sparse() { self.shrink() } else { Ok(()) }
    }

    /// Rebuilds a sparse table in its block, and frees the rest of the block.
    #[cold]
    fn shrink(&mut self) -> Result<()> {
        let (table, _) = self.read()?;
        let plan = table.plan_to_shrink()?;
        let arena = self.arenas.get(self.kind).ok_or_else(corrupt)?;
        if plan.words >= to_usize(arena.slot(self.index)?.cap) {
            return Ok(());
        }
        self.rebuild(plan)?;
        let arena = self.arenas.get_mut(self.kind).ok_or_else(corrupt)?;
        arena.shrink_to(self.index, plan.words)
    }
}
