//! [`TableMut`]: what is rare in a change of a hash table: growth, other keys than integers,
//! ordered tables.

mod load;

use super::keys::Keys;
use super::table::{Entry, Plan, Probe, Step, Table, copied};
#[cfg(doc)]
use super::view_mut::ViewMut;
use crate::arena::{Arenas, Resources, Slot};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Cell, Kind, Result, corrupt, to_usize};

/// A table of a heap to change: of any kind, so that what is rare exists once.
#[derive(Debug)]
pub(crate) struct TableMut<'a> {
    pub(crate) arenas: &'a mut Arenas,
    pub(crate) resources: &'a mut Resources,
    pub(crate) kind: Kind,
    pub(crate) index: u32,
    pub(crate) stride: usize,
}

/// Where the entry of a key is or belongs.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    found: Probe,
    /// Whether a new entry can be appended without more ado.
    is_ready: bool,
}

impl TableMut<'_> {
    /// The table to read, and the keys of the heap.
    pub(super) fn read(&self) -> Result<(Table<&[u64]>, Keys<'_>)> {
        let arena = self.arenas.get(self.kind).ok_or_else(corrupt)?;
        let slot = arena.slot(self.index)?;
        Ok((Table::new(arena.used(slot)?, slot.len, self.stride), Keys::new(self.arenas)))
    }

    /// [`TableMut::write`], to store the cells of an entry and move none. Of a table that a
    /// collection scans in parts, these are noted, and not that it was written.
    pub(super) fn write_entry(&mut self, entry: &[Cell]) -> Result<(&mut Slot, &mut [u64])> {
        if !self.arenas.note_stored(self.resources.born, self.kind, self.index, entry) {
            return self.write();
        }
        let arena = self.arenas.get_mut(self.kind).ok_or_else(corrupt)?;
        arena.write::<u8>(self.index).ok_or_else(corrupt)
    }

    #[inline(always)]
    fn write(&mut self) -> Result<(&mut Slot, &mut [u64])> {
        let arena = self.arenas.get_mut(self.kind).ok_or_else(corrupt)?;
        arena.write::<Cell>(self.index).ok_or_else(corrupt)
    }

    /// Runs `change` on the table, and stores the used positions that it returns.
    pub(super) fn edit<T>(
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

    /// [`TableMut::edit`] that stores and moves no cells, of which a collection would have to
    /// know.
    fn edit_links<T>(
        &mut self,
        change: impl FnOnce(&mut Table<&mut [u64]>) -> Option<(T, u32)>,
    ) -> Result<T> {
        let arena = self.arenas.get_mut(self.kind).ok_or_else(corrupt)?;
        let (slot, words) = arena.write::<u8>(self.index).ok_or_else(corrupt)?;
        let mut table = Table::new_mut(words, slot.len, self.stride);
        let (result, used) = change(&mut table).ok_or_else(corrupt)?;
        slot.len = used;
        Ok(result)
    }

    /// [`TableMut::edit`] that stores the cells of an entry and moves none.
    pub(super) fn put(
        &mut self,
        entry: &[Cell],
        change: impl FnOnce(&mut Table<&mut [u64]>) -> Option<u32>,
    ) -> Result<()> {
        let stride = self.stride;
        let (slot, words) = self.write_entry(entry)?;
        let mut table = Table::new_mut(words, slot.len, stride);
        slot.len = change(&mut table).ok_or_else(corrupt)?;
        Ok(())
    }

    /// Where the entry of a key is or belongs. The table must not change before
    /// [`TableMut::store`].
    #[inline(never)]
    fn locate(&self, key: Cell) -> Result<Place> {
        let (table, keys) = self.read()?;
        let (hash, found) = keys.locate(table, key)?;
        Ok(Place { hash, found, is_ready: !table.is_full() && !keys.is_integer(key) })
    }

    /// Sets an entry where its key was located; returns what it replaces.
    #[inline(always)]
    fn store(&mut self, place: Place, key: Cell, entry: &[Cell]) -> Result<Option<Cell>> {
        let Place { hash, found, is_ready } = place;
        match found {
            Ok((_, position)) => {
                let stride = self.stride;
                let (slot, words) = self.write_entry(entry)?;
                let replaced = Table::new_mut(words, slot.len, stride).replace(position, entry);
                replaced.ok_or_else(corrupt).map(Some)
            }
            Err(bucket) if bucket != usize::MAX && is_ready => {
                self.put(entry, |table| Some(table.append(hash, bucket, entry)))?;
                Ok(None)
            }
            Err(_) => self.append(key, hash, entry).map(|()| None),
        }
    }

    /// [`ViewMut::insert_entry`].
    #[inline(never)]
    pub(super) fn insert(&mut self, key: Cell, entry: &[Cell]) -> Result<Option<Cell>> {
        let (table, keys) = self.read()?;
        let (hash, found) = keys.locate(table, key)?;
        let is_ready = !table.is_full() && !keys.is_integer(key);
        self.store(Place { hash, found, is_ready }, key, entry)
    }

    /// [`ViewMut::entry_or_insert`].
    #[inline(never)]
    pub(super) fn get_or_insert(&mut self, key: Cell, entry: &[Cell]) -> Result<Entry> {
        let place = self.locate(key)?;
        if let Ok((_, position)) = place.found {
            return self.read()?.0.cells(position).map(copied).ok_or_else(corrupt);
        }
        self.store(place, key, entry)?;
        Ok(copied(entry))
    }

    /// [`ViewMut::update_entry`].
    pub(super) fn update(
        &mut self,
        key: Cell,
        change: impl FnOnce(Option<Cell>) -> Option<Cell>,
    ) -> Result<Option<Cell>> {
        let place = self.locate(key)?;
        let table = self.read()?.0;
        let entry = place.found.ok().and_then(|(_, position)| table.cells(position));
        let old = entry.map(|entry| copied(entry).1);
        if let Some(value) = change(old) {
            self.store(place, key, &[key, value])?;
        }
        Ok(old)
    }

    /// [`ViewMut::reserve_entries`].
    pub(super) fn reserve(&mut self, additional: usize) -> Result<()> {
        let (table, _) = self.read()?;
        if table.has_room(additional) {
            return Ok(());
        }
        let (kept, plans) = (table.kept_words(), table.plans_to_reserve(additional));
        self.grow_by(kept, plans)
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
        let (table, _) = self.read()?;
        if table.is_dense() && table.vacancy(hash) == usize::MAX {
            self.loosen()?;
        }
        let (table, keys) = self.read()?;
        let (is_ordered, bucket) = (table.is_ordered(), table.vacancy(hash));
        if keys.is_integer(key) && keys.key(key)?.is_boxed() {
            // Also of an ordered table, which may become another again.
            self.edit_links(|table| Some((table.set_boxed(), table.read().used())))?;
        }
        if bucket != usize::MAX {
            return self.put(entry, |table| Some(table.append(hash, bucket, entry)));
        }
        if !is_ordered && !self.order()? {
            return Err(corrupt());
        }
        let descent = self.descend(key, hash)?;
        self.put(entry, |table| Some(table.append_ordered(hash, &descent, entry)))
    }

    /// Rebuilds a full table with room for another entry.
    #[cold]
    pub(super) fn grow(&mut self) -> Result<()> {
        self.remove_all_freed()?;
        if self.read()?.0.is_mostly_holes() {
            self.shrink()?;
        }
        let (table, _) = self.read()?;
        if !table.is_full() {
            return Ok(());
        }
        let (kept, plans) = (table.kept_words(), table.plans_to_grow());
        self.grow_by(kept, plans)
    }

    /// Rebuilds a table, of which `kept` words are kept, by the first plan for which there is
    /// memory.
    #[cold]
    fn grow_by(&mut self, kept: usize, plans: impl Iterator<Item = Result<Plan>>) -> Result<()> {
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
                    let plan = plan.fill(to_usize(arena.slot(self.index)?.cap()));
                    return if kept == 0 { self.start(plan) } else { self.rebuild(plan) };
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(corrupt))
    }

    /// Rebuilds a dense table with as many buckets as others have, so that it can become
    /// an ordered one.
    #[cold]
    fn loosen(&mut self) -> Result<()> {
        let (table, _) = self.read()?;
        let (kept, plan) = (table.kept_words(), table.plan_to_loosen()?);
        let arena = self.arenas.get_mut(self.kind).ok_or_else(corrupt)?;
        arena.grow_to(self.resources, self.index, kept, plan.words)?;
        self.rebuild(plan)
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
        if linked || self.link_all()? { Ok(()) } else { Err(corrupt()) }
    }

    /// Makes the table an ordered one. Returns as [`TableMut::link_all`].
    #[cold]
    fn order(&mut self) -> Result<bool> {
        let used = self.read()?.0.used();
        self.edit(|table| {
            table.order();
            Some(((), used))
        })?;
        self.link_all()
    }

    /// Links the entries of an ordered table whose tree is empty, but for those of freed
    /// objects. Returns whether all keys differ, and ends at one that does not: those of an
    /// image may not. O(n log n).
    #[cold]
    fn link_all(&mut self) -> Result<bool> {
        let used = self.read()?.0.used();
        for position in 0..used {
            let (table, keys) = self.read()?;
            let key = table.entry(position).and_then(|entry| entry.first()).copied();
            let Some(key) = key.filter(|&key| keys.key(key).is_ok()) else { continue };
            let hash = table.hash(position);
            let descent = self.descend(key, hash)?;
            if descent.end != Step::Missing {
                return Ok(false);
            }
            self.edit(|table| {
                table.link_ordered(position, &descent);
                Some(((), used))
            })?;
        }
        Ok(true)
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
            self.edit_links(|table| {
                table.unlink(descent.last());
                Some(((), used))
            })?;
        }
    }

    /// [`ViewMut::remove_key`].
    pub(super) fn remove(&mut self, key: Cell) -> Result<Option<Entry>> {
        let (table, keys) = self.read()?;
        match keys.locate(table, key)?.1 {
            Ok((bucket, position)) if bucket != usize::MAX => {
                let removed = self.edit_links(|table| table.remove(bucket, position))?;
                self.shrink_if_sparse()?;
                Ok(Some(removed))
            }
            Ok((_, position)) => self.remove_at(position).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Removes the entry at a position; shrinks the table if few are left.
    pub(crate) fn remove_at(&mut self, position: u32) -> Result<Entry> {
        let removed = self.take(position)?;
        self.shrink_if_sparse()?;
        Ok(removed)
    }

    /// Removes the entries for which `keeps` returns false; it gets their numbers in
    /// insertion order. O(positions); O(n log n) in an ordered table.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(usize) -> bool) -> Result<()> {
        let (mut position, mut n) = (0_u32, 0_usize);
        while position < self.read()?.0.used() {
            if self.read()?.0.entry(position).is_some() {
                if !keeps(n) {
                    self.take(position)?;
                }
                n = n.saturating_add(1);
            }
            position = position.saturating_add(1);
        }
        self.shrink_if_sparse()
    }

    /// Removes the entry at a position. Positions stay.
    pub(super) fn take(&mut self, position: u32) -> Result<Entry> {
        let (table, keys) = self.read()?;
        if table.is_ordered() {
            let key = table.key(position).filter(|&key| keys.key(key).is_ok());
            let hash = table.hash(position);
            let branch = match key {
                Some(key) => {
                    let descent = self.descend(key, hash)?;
                    (descent.end == Step::Found(position)).then(|| descent.last())
                }
                None => table.branch_to(position),
            };
            self.edit_links(|table| table.remove_ordered(branch, position))
        } else {
            self.edit_links(|table| table.remove_at(position))
        }
    }

    #[inline]
    pub(super) fn shrink_if_sparse(&mut self) -> Result<()> {
        if self.read()?.0.is_sparse() { self.shrink() } else { Ok(()) }
    }

    /// Rebuilds a sparse table in its block, and frees the rest of the block.
    #[cold]
    pub(super) fn shrink(&mut self) -> Result<()> {
        let plan = self.read()?.0.plan_to_shrink()?;
        self.shrink_to(plan)
    }

    /// [`ViewMut::shrink_table`].
    pub(super) fn shrink_to_fit(&mut self) -> Result<()> {
        let (table, _) = self.read()?;
        if table.kept_words() == 0 {
            return Ok(());
        }
        let plan = table.plan_to_fit()?;
        self.shrink_to(plan)
    }

    /// [`TableMut::shrink_to_fit`], if that halves the block at least.
    pub(super) fn shrink_if_spare(&mut self) -> Result<()> {
        let arena = self.arenas.get(self.kind).ok_or_else(corrupt)?;
        let cap = to_usize(arena.slot(self.index)?.cap());
        let (table, _) = self.read()?;
        // The plan costs a look at the entries: most tables have too many.
        let live = to_usize(table.len()).saturating_mul(self.stride);
        if table.kept_words() == 0 || live.saturating_mul(2) > cap {
            return Ok(());
        }
        let plan = table.plan_to_fit()?;
        if plan.words.saturating_mul(2) > cap { Ok(()) } else { self.shrink_to(plan) }
    }

    /// Rebuilds the table by a plan, if that is smaller, and frees the rest of the block.
    fn shrink_to(&mut self, plan: Plan) -> Result<()> {
        let arena = self.arenas.get(self.kind).ok_or_else(corrupt)?;
        if plan.words >= to_usize(arena.slot(self.index)?.cap()) {
            return Ok(());
        }
        self.rebuild(plan)?;
        let arena = self.arenas.get_mut(self.kind).ok_or_else(corrupt)?;
        arena.shrink_to(self.index, plan.words)
    }
}
