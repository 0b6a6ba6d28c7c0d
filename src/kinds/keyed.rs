//! The public operations that maps and sets share.

/// Defines a kind that is a hash table, of entries of `$stride` cells.
macro_rules! keyed {
    (
        $(#[$doc:meta])*
        $Kind:ident, $stride:literal cells, entries $Entry:ty = $entry:expr, $open:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Kind {}

        impl Object for $Kind {
            const SHAPE: Shape = table_shape($stride, $open, "}");
            type Context = KeyContext;
        }

        impl Keyed for $Kind {
            const STRIDE: usize = $stride;
            type Entry = $Entry;
            #[inline(always)]
            fn entry(entry: (Cell, Cell)) -> $Entry {
                $entry(entry)
            }
        }

        impl $Kind {
            /// An empty table.
            #[allow(clippy::new_ret_no_self, reason = "what `Heap::alloc` takes")]
            pub const fn new() -> TableInit<$Kind> {
                TableInit::with_capacity(0)
            }

            /// An empty table with room for `entries` entries.
            pub const fn with_capacity(entries: usize) -> TableInit<$Kind> {
                TableInit::with_capacity(entries)
            }
        }

        impl<'h> View<'h, $Kind> {
            /// Returns the number of entries. O(1).
            #[inline]
            pub fn len(self) -> usize {
                self.entry_count()
            }

            /// Returns whether there are no entries. O(1).
            #[inline]
            pub fn is_empty(self) -> bool {
                self.len() == 0
            }

            /// Returns whether there is an entry of this key. Expected O(1);
            /// hashing and comparing text is O(length).
            ///
            /// # Errors
            /// [`Error::Stale`](crate::Error::Stale) if the key is an object that
            /// was freed.
            pub fn contains(self, key: Cell) -> Result<bool> {
                Ok(self.find_key(key)?.is_some())
            }

            /// Returns entry `n` in insertion order. O(1) while nothing was
            /// removed since the table last grew, O(n) otherwise.
            ///
            /// # Errors
            /// [`Error::OutOfRange`](crate::Error::OutOfRange) if there are not so
            /// many.
            pub fn nth(self, n: usize) -> Result<$Entry> {
                self.entry_at(n)
            }

            /// Returns the entry at the cursor, which moves on; `None` at the
            /// end. Amortised O(1) over the way of one cursor; removed entries
            /// are stepped over until the table is rebuilt.
            ///
            /// A cursor stays valid while the table changes. It meets every entry
            /// that stays once, in insertion order; no entry that was removed
            /// ahead of it; and every entry that is added, also after it has
            /// come to the end.
            pub fn next(self, cursor: &mut Cursor) -> Option<$Entry> {
                self.next_entry(cursor)
            }

            /// Returns an iterator over the entries, in insertion order.
            /// O(capacity) for all of them.
            pub fn iter(self) -> impl Iterator<Item = $Entry> + use<'h> {
                self.entries()
            }
        }

        impl ViewMut<'_, $Kind> {
            /// Removes the entry of this key, and returns it; `None` if there is
            /// none. The order of the others stays. Expected O(1).
            ///
            /// # Errors
            /// [`Error::Stale`](crate::Error::Stale) if the key is an object that
            /// was freed.
            pub fn remove(&mut self, key: Cell) -> Result<Option<$Entry>> {
                self.remove_key(key)
            }

            /// Removes entry `n` in insertion order, and returns it, even if its
            /// key is an object that was freed. O(capacity).
            ///
            /// # Errors
            /// [`Error::OutOfRange`](crate::Error::OutOfRange) if there are not so
            /// many.
            pub fn remove_nth(&mut self, n: usize) -> Result<$Entry> {
                self.remove_entry_at(n)
            }

            /// Removes all entries; capacity is kept. O(capacity).
            ///
            /// # Errors
            /// [`Error::Corrupt`](crate::Error::Corrupt) only if this crate has a
            /// bug.
            pub fn clear(&mut self) -> Result<()> {
                self.clear_table()
            }
        }
    };
}
pub(super) use keyed;
