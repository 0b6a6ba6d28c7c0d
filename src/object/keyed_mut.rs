//! Changes of maps and sets that find a key once, or no key at all.

use super::keyed::{Keyed, entry_of_int};
use super::keys::Keys;
use super::table::{Entry, Table, copied};
use super::table_mut::TableMut;
use super::view_mut::ViewMut;
use crate::arena::{Arenas, Resources};
use crate::words::{Cell, Elements, Error, Kind, Result, corrupt, to_usize};

impl<K: Keyed> ViewMut<'_, K> {
    /// The entry of a key, which is added if there is none.
    ///
    /// # Errors
    /// As [`ViewMut::insert_entry`].
    pub(crate) fn entry_or_insert(&mut self, key: Cell, entry: &[Cell]) -> Result<Entry> {
        if key.as_int().is_some() {
            let view = self.view();
            let hash = view.context.hash_cell(key);
            if let Some(Some(found)) = entry_of_int::<K>(view.words, view.len, hash, key) {
                return Ok(found);
            }
        }
        self.table_mut().get_or_insert(key, entry)
    }

    /// Sets the value of a key to what `change` returns for the old one, unless that is
    /// `None`. Returns the old one.
    ///
    /// # Errors
    /// As [`ViewMut::insert_entry`].
    #[inline(always)]
    pub(crate) fn update_entry(
        &mut self,
        key: Cell,
        change: impl FnOnce(Option<Cell>) -> Option<Cell>,
    ) -> Result<Option<Cell>> {
        if key.as_int().is_some() {
            let hash = Keys::new(self.arenas).hash_cell(key);
            let index = self.index;
            if let Some((slot, words)) = self.arena_mut()?.write_dense::<Cell>(index) {
                let mut table = Table::new_mut(words, slot.len, K::STRIDE);
                if let Some((_, near)) = table.read().hit_near(hash, key) {
                    let (position, old) = (near.position(), copied(near.cells).1);
                    if let Some(value) = change(Some(old)) {
                        table.replace(position, &[key, value]);
                    }
                    return Ok(Some(old));
                }
            }
        }
        self.table_mut().update(key, change)
    }

    /// Removes the first entry, and returns it.
    pub(crate) fn pop_first_entry(&mut self) -> Result<Option<K::Entry>> {
        match self.view().table().nth(0) {
            Some(position) => self.remove_position(position).map(Some),
            None => Ok(None),
        }
    }

    /// Removes the last entry, and returns it.
    pub(crate) fn pop_last_entry(&mut self) -> Result<Option<K::Entry>> {
        let table = self.view().table();
        match table.nth(to_usize(table.len()).saturating_sub(1)) {
            Some(position) => self.remove_position(position).map(Some),
            None => Ok(None),
        }
    }

    /// Removes the entry at a position, and returns it.
    fn remove_position(&mut self, position: u32) -> Result<K::Entry> {
        let index = self.index;
        // A hole holds no cell: nothing of which a collection has to know.
        let (slot, words) = self.arena_mut()?.write::<u8>(index).ok_or_else(corrupt)?;
        let mut table = Table::new_mut(words, slot.len, K::STRIDE);
        if table.read().is_ordered() {
            return self.table_mut().remove_at(position).map(K::entry);
        }
        let (removed, used) = table.remove_at(position).ok_or_else(corrupt)?;
        slot.len = used;
        if table.read().is_sparse() {
            self.table_mut().shrink()?;
        }
        Ok(K::entry(removed))
    }

    /// Removes the entries for which `keeps` returns false; it gets their numbers in
    /// insertion order.
    pub(crate) fn retain_entries(&mut self, keeps: impl FnMut(usize) -> bool) -> Result<()> {
        self.table_mut().retain(keeps)
    }

    /// Reserves room for `additional` more entries.
    ///
    /// # Errors
    /// Of growth.
    pub(crate) fn reserve_entries(&mut self, additional: usize) -> Result<()> {
        self.table_mut().reserve(additional)
    }

    /// Reserves room for entries of these keys, so that inserting them cannot fail.
    ///
    /// # Errors
    /// [`Error::Stale`]; [`Error::OtherHash`] if a VM gives the hashes; of growth.
    pub(crate) fn prepare(&mut self, keys: impl ExactSizeIterator<Item = Cell>) -> Result<()> {
        let (table, additional) = (self.view().table(), keys.len());
        let (is_own, is_weak) = (table.is_own(), table.is_weak());
        if is_own && additional > 0 {
            return Err(Error::OtherHash);
        }
        let all = Keys::new(self.arenas);
        for key in keys {
            if is_weak {
                all.weak_key(key)?;
            } else if !all.is_usable_by_bits(key) {
                all.key(key)?;
            }
        }
        self.reserve_entries(additional)
    }

    /// Cuts the capacity to the number of entries.
    pub(crate) fn shrink_table(&mut self) -> Result<()> {
        self.table_mut().shrink_to_fit()
    }
}

/// Shrinks the tables of an arena of which more than half is spare: before a compaction, for
/// which the spare words of a table are in use. Needs no memory. O(slots + entries of these
/// tables).
pub(crate) fn shrink_spare_tables(arenas: &mut Arenas, resources: &mut Resources, kind: Kind) {
    let Some(Elements::Entries(stride)) = arenas.get(kind).map(|arena| arena.shape().elements)
    else {
        return;
    };
    let mut end = arenas.get(kind).map_or(0, |arena| arena.indices());
    while let Some(range) = arenas.get(kind).and_then(|arena| arena.stored_range_before(end)) {
        end = range.start;
        for index in range {
            let Ok(index) = u32::try_from(index) else { continue };
            if arenas.get(kind).is_none_or(|arena| arena.live_at(index).is_none()) {
                continue;
            }
            let mut table = TableMut { arenas, resources, kind, index, stride: to_usize(stride) };
            let shrunk = table.shrink_if_spare();
            debug_assert!(shrunk.is_ok(), "to shrink a table takes no memory");
        }
    }
}
