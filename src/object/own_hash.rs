//! Changes of tables whose hashes a VM gives.

use super::table::Table;
use super::table_mut::TableMut;
use crate::words::{Cell, Error, Result, corrupt};

impl TableMut<'_> {
    /// Appends an entry of a hash that a VM gives to a table that has such hashes, or no
    /// entries.
    ///
    /// # Errors
    /// [`Error::OtherHash`]; of growth. Nothing has changed then.
    pub(crate) fn append_own(&mut self, hash: u32, entry: &[Cell]) -> Result<()> {
        let (table, _) = self.read()?;
        let is_own = table.is_own();
        if !is_own && table.len() > 0 {
            return Err(Error::OtherHash);
        }
        if table.is_full() {
            self.grow()?;
        }
        self.put(entry, |table| {
            if !is_own {
                table.clear();
                table.set_own(true);
            }
            Some(table.append_own(hash, entry))
        })
    }

    /// Sets the value of the entry at a position; returns the old one.
    pub(crate) fn replace_at(&mut self, position: u32, entry: &[Cell]) -> Result<Cell> {
        let stride = self.stride;
        let (slot, words) = self.write_entry(entry)?;
        Table::new_mut(words, slot.len, stride).replace(position, entry).ok_or_else(corrupt)
    }
}
