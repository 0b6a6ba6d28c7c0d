//! Weak tables: removing the entries of freed keys.

use super::keys::Keys;
use super::table_mut::TableMut;
use crate::arena::{Arenas, Resources};
use crate::words::{Cell, Elements, Result, to_usize};

/// Opens a table if it is live and weak.
fn open<'a>(
    arenas: &'a mut Arenas,
    resources: &'a mut Resources,
    table: Cell,
) -> Option<TableMut<'a>> {
    let arena = arenas.of(table).filter(|_| table.is_handle())?;
    let Elements::Entries(stride) = arena.shape().elements else { return None };
    arena.find(table).filter(|&slot| arena.is_weak(slot))?;
    let (kind, index, stride) = (table.selector(), table.slot(), to_usize(stride));
    Some(TableMut { arenas, resources, kind, index, stride })
}

/// Removes the entry of a key from a weak table, if both are there and the key was freed;
/// returns whether. Expected O(1), and O(entries) where the table shrinks. Needs no memory.
pub(crate) fn remove_freed(
    arenas: &mut Arenas,
    resources: &mut Resources,
    table: Cell,
    key: Cell,
) -> bool {
    if arenas.contains(key) {
        return false;
    }
    let removed = open(arenas, resources, table).map(|mut table| table.remove_freed(key));
    removed.is_some_and(|removed| removed.unwrap_or(false))
}

/// Removes all entries of freed keys from a weak table; returns how many. O(positions), and
/// O(n log n) in an ordered table. Needs no memory.
pub(crate) fn remove_all_freed(arenas: &mut Arenas, resources: &mut Resources, table: Cell) -> u64 {
    let removed = open(arenas, resources, table).map(|mut table| table.remove_all_freed());
    removed.map_or(0, |removed| removed.unwrap_or(0))
}

impl TableMut<'_> {
    fn remove_freed(&mut self, key: Cell) -> Result<bool> {
        let (table, keys) = self.read()?;
        let hash = keys.hash_identity(key);
        let position = if table.is_ordered() {
            (0..table.used())
                .find(|&n| table.hash(n) == hash && table.key(n).is_some_and(|entry| entry == key))
        } else {
            table.find(hash, |entry| entry == key).ok().map(|(_, position)| position)
        };
        match position {
            Some(position) => self.remove_at(position).map(|_| true),
            None => Ok(false),
        }
    }

    /// [`remove_all_freed`], of a table that may be none that is weak.
    pub(super) fn remove_all_freed(&mut self) -> Result<u64> {
        let mut removed = 0_u64;
        if !self.read()?.0.is_weak() {
            return Ok(removed);
        }
        let mut position = 0_u32;
        loop {
            let (table, keys) = self.read()?;
            let mut rest = position..table.used();
            let found = rest.find(|&n| table.entry(n).is_some_and(|entry| is_freed(keys, entry)));
            let Some(found) = found else { break };
            self.take(found)?;
            removed = removed.saturating_add(1);
            position = found.saturating_add(1);
        }
        self.shrink_if_sparse()?;
        Ok(removed)
    }
}

/// Whether the key of an entry is an object with an identity that was freed.
fn is_freed(keys: Keys<'_>, entry: &[Cell]) -> bool {
    entry.first().is_some_and(|&key| !keys.is_usable(key) && keys.is_weak_key(key))
}
