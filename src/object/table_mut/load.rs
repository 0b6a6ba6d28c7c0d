//! The index of a table that came without one, from an image.

use super::TableMut;
use crate::arena::Unloadable;
use crate::object::table::Halt;
use crate::words::{Error, Result};

/// The hashes that are computed at a time.
const HASHES: usize = 64;

/// A table has an entry twice: it was not written by a heap.
const TWICE: Unloadable = Unloadable::Broken(None, "a key is in a table twice");

impl TableMut<'_> {
    /// Computes the hashes of a table whose entries have been checked, and rebuilds its
    /// index. Expected O(entries + their text + the parts of their values); O(n log n) for keys
    /// that collide.
    ///
    /// # Errors
    /// [`Unloadable::Broken`] if a key is there twice, or if the table would not find it;
    /// [`Unloadable::Heap`] if the index has to grow and is refused.
    pub(crate) fn load(&mut self) -> Result<(), Unloadable> {
        if self.read()?.0.kept_words() == 0 {
            return Ok(());
        }
        if self.read()?.0.is_own() {
            return Ok(self.edit_links(|table| Some((table.link_own(), table.read().used())))?);
        }
        self.load_hashes()?;
        if self.link_entries()? {
            return Ok(());
        }
        if self.read()?.0.is_dense() {
            // A tree needs the buckets that others have, and with these it may need no tree.
            self.loosen()?;
            if self.link_entries()? {
                return Ok(());
            }
        }
        if self.order()? { Ok(()) } else { Err(TWICE) }
    }

    fn load_hashes(&mut self) -> Result<(), Unloadable> {
        let used = self.read()?.0.used();
        let (mut first, mut hashes) = (0_u32, [0_u32; HASHES]);
        while first < used {
            let (table, keys) = self.read()?;
            let mut len = 0_usize;
            for (position, place) in (first..used).zip(&mut hashes) {
                len = len.saturating_add(1);
                let key = table.entry(position).and_then(|entry| entry.first());
                let Some(&cell) = key else { continue };
                *place = match keys.key(cell) {
                    Ok(key) if key.is_boxed() && !table.has_boxed() => {
                        let what = "an integer that a table would look for in cells only";
                        return Err(Unloadable::Broken(None, what));
                    }
                    Ok(key) => key.hash,
                    // No table has had such a key: hashing it has failed before, too.
                    Err(Error::KeyTooLarge) => {
                        return Err(Unloadable::Broken(None, "a key is too large"));
                    }
                    Err(_) if !keys.is_known(cell) => {
                        return Err(Unloadable::Broken(None, "a key is not allocated yet"));
                    }
                    Err(_) => keys.hash_identity(cell),
                };
            }
            self.edit_links(|table| {
                table.set_hashes(first, hashes.get(..len).unwrap_or_default());
                Some(((), table.read().used()))
            })?;
            first = first.saturating_add(u32::try_from(len).unwrap_or(used));
        }
        Ok(())
    }

    /// Links all entries to buckets; returns whether there is one for each.
    fn link_entries(&mut self) -> Result<bool, Unloadable> {
        self.edit_links(|table| Some((table.restart(), table.read().used())))?;
        let mut from = 0_u32;
        loop {
            let link = self.edit_links(|table| Some((table.link_from(from), table.read().used())));
            match link? {
                Halt::Done => return Ok(true),
                Halt::NoBucket => return Ok(false),
                Halt::SameHash(position) => {
                    if self.is_linked(position)? {
                        return Err(TWICE);
                    }
                    let linked = self.edit_links(|table| {
                        Some((table.link_twin(position), table.read().used()))
                    })?;
                    if !linked {
                        return Ok(false);
                    }
                    from = position.saturating_add(1);
                }
            }
        }
    }

    /// Whether the key at a position is that of an entry that is linked.
    fn is_linked(&self, position: u32) -> Result<bool> {
        let (table, keys) = self.read()?;
        let key = table.entry(position).and_then(|entry| entry.first());
        let Some(key) = key.and_then(|&key| keys.key(key).ok()) else { return Ok(false) };
        Ok(table.find(key.hash, |entry| keys.same(&key, entry)).is_ok())
    }
}
