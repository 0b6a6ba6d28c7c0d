//! What maps and sets share: a hash table, and the operations on it.

use core::fmt;
use core::marker::PhantomData;

use crate::object::{Internal, Object, ObjectInit, table};
use crate::words::Sealed;

/// A table that is yet to be made: [`ObjectInit`] of maps and sets.
pub struct TableInit<K> {
    pub(super) entries: usize,
    pub(super) stride: usize,
    pub(super) kind: PhantomData<K>,
}

impl<K> fmt::Debug for TableInit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableInit(room for {})", self.entries)
    }
}

impl<K> Sealed for TableInit<K> {}

impl<K: Object> ObjectInit for TableInit<K> {
    type Kind = K;

    fn size(&self) -> (usize, usize) {
        (0, table::words_for(self.entries, self.stride))
    }

    fn fill(self, words: &mut [u64], _: Internal) {
        table::fill(words, self.entries, self.stride);
    }
}

/// A kind that is a hash table of entries of so many cells.
macro_rules! keyed {
    (
        $(#[$doc:meta])*
        $Kind:ident, $stride:literal cells, entries $Entry:ty = $entry:expr, $open:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Kind {}

        impl Object for $Kind {
            const SHAPE: Shape =
                Shape::new(Elements::Entries($stride), $open, "}").header(table::HEADER);
            type Sees = KeysOfAll;
        }

        impl $Kind {
            /// Empty.
            #[allow(clippy::new_ret_no_self, reason = "an object yet to be made")]
            pub const fn new() -> TableInit<$Kind> {
                Self::with_capacity(0)
            }

            /// Empty, with room for `entries` entries.
            pub const fn with_capacity(entries: usize) -> TableInit<$Kind> {
                TableInit { entries, stride: $stride, kind: core::marker::PhantomData }
            }
        }

        impl<'h> View<'h, $Kind> {
            #[inline(always)]
            fn table(self) -> Table<&'h [u64]> {
                Table::new(self.words, self.len, $stride)
            }

            /// The entry of `key`.
            #[inline(always)]
            fn find(self, key: Cell) -> Result<Option<Entry>> {
                let Ok((_, position)) = self.locate(key)?.1 else { return Ok(None) };
                Ok(self.table().entry(position).map(copied))
            }

            /// The hash of `key`, and where it is or belongs.
            #[inline(always)]
            fn locate(self, key: Cell) -> Result<(u32, Probe)> {
                if let Some(int) = key.as_int() {
                    let found = self.guess(self.sees.hash_int(int), |entry| entry == key);
                    return found.map_or_else(|| self.apart().locate_any(key), Ok);
                }
                self.apart().locate_text(key)
            }

            fn locate_text(self, key: Cell) -> Result<(u32, Probe)> {
                let found = if let Some(text) = key.as_short_str() {
                    self.guess(self.sees.hash_text(text.as_bytes()), |entry| entry == key)
                } else {
                    self.sees.text(key).and_then(|text| {
                        let same = |entry| entry == key || self.sees.is_text(entry, text);
                        self.guess(self.sees.hash_text(text), same)
                    })
                };
                found.map_or_else(|| self.locate_any(key), Ok)
            }

            /// What [`Self::locate`] finds, unless it is not the first entry of
            /// its hash.
            #[inline(always)]
            fn guess(self, hash: u32, same: impl Fn(Cell) -> bool) -> Option<(u32, Probe)> {
                let found = self.table().probe(hash, |_| true);
                let right = |position| self.table().key(position).is_some_and(same);
                let wrong = found.is_ok_and(|(_, position)| !right(position));
                if wrong { None } else { Some((hash, found)) }
            }

            #[cold]
            fn locate_any(self, key: Cell) -> Result<(u32, Probe)> {
                let key = self.sees.key(key)?;
                let found = self.table().find(key.hash, |entry| self.sees.same(&key, entry));
                Ok((key.hash, found))
            }

            /// Number of entries. O(1).
            #[inline]
            pub fn len(self) -> usize {
                at(self.table().len())
            }

            /// Whether there are no entries.
            #[inline]
            pub fn is_empty(self) -> bool {
                self.len() == 0
            }

            /// Whether there is an entry of this key. O(1) expected.
            ///
            /// # Errors
            /// [`Error::Stale`] for a key whose object is gone.
            pub fn contains(self, key: Cell) -> Result<bool> {
                Ok(self.find(key)?.is_some())
            }

            /// Entry `n` in insertion order. O(1) while nothing was removed
            /// since the table last grew, O(n) otherwise.
            ///
            /// # Errors
            /// [`Error::OutOfRange`].
            pub fn nth(self, n: usize) -> Result<$Entry> {
                let entry = self.table().nth(n).and_then(|position| self.table().entry(position));
                entry.map(copied).map($entry).ok_or_else(|| out_of_range(n, self.len()))
            }

            /// The entry at the cursor, which moves on; `None` at the end.
            /// Amortised O(1) over one cursor's way; removed entries are stepped
            /// over until the table is rebuilt. Every entry that stays is met once, in insertion
            /// order; one removed ahead is not met; one added is met at the end,
            /// also where the cursor had come to the end before.
            pub fn next(self, cursor: &mut Cursor) -> Option<$Entry> {
                self.table().next(cursor).map(copied).map($entry)
            }

            /// The entries, in insertion order.
            pub fn iter(self) -> impl Iterator<Item = $Entry> + use<'h> {
                self.table().iter().map(copied).map($entry)
            }
        }

        impl ViewMut<'_, $Kind> {
            /// Finds `key`, or adds `entry` for it. Answers the position, and
            /// whether it is new.
            #[inline]
            fn entry(&mut self, key: Cell, entry: [Cell; $stride]) -> Result<(u32, bool)> {
                let view = self.view()?;
                let (hash, mut bucket) = match view.locate(key)? {
                    (_, Ok((_, old))) => return Ok((old, false)),
                    (hash, Err(bucket)) => (hash, bucket),
                };
                if view.table().is_full() {
                    self.grow()?;
                    bucket = self.view()?.table().vacancy(hash);
                }
                let (slot, words) = self.arena.open_mut(self.index).ok_or(Error::Corrupt)?;
                let position = slot.len;
                slot.len = Table::new_mut(words, position, $stride).append(hash, bucket, &entry);
                Ok((position, true))
            }

            #[cold]
            fn grow(&mut self) -> Result<()> {
                let view = self.view()?;
                let (plan, used) = (view.table().plan()?, view.len);
                self.arena.rebuild(self.budget, self.index, plan.words, |old, new| {
                    Table::new_mut(old, used, $stride).rebuild(plan, new)
                })
            }

            /// Takes the entry of this key out; the order of the others holds.
            /// `None` if there is none. O(1) expected.
            ///
            /// # Errors
            /// [`Error::Stale`] for a key whose object is gone.
            pub fn remove(&mut self, key: Cell) -> Result<Option<$Entry>> {
                let (_, found) = self.view()?.locate(key)?;
                let Ok((bucket, position)) = found else { return Ok(None) };
                self.edit(|table| table.remove(bucket, position)).map($entry).map(Some)
            }

            /// Takes entry `n` in insertion order out, even if its key has died.
            /// O(capacity).
            ///
            /// # Errors
            /// [`Error::OutOfRange`].
            pub fn remove_nth(&mut self, n: usize) -> Result<$Entry> {
                let view = self.view()?;
                let position = view.table().nth(n).ok_or_else(|| out_of_range(n, view.len()))?;
                self.edit(|table| table.remove_at(position)).map($entry)
            }

            fn edit<T>(
                &mut self,
                change: impl FnOnce(&mut Table<&mut [u64]>) -> Option<(T, u32)>,
            ) -> Result<T> {
                let (slot, words) = self.arena.open_mut(self.index).ok_or(Error::Corrupt)?;
                let mut table = Table::new_mut(words, slot.len, $stride);
                let (answer, used) = change(&mut table).ok_or(Error::Corrupt)?;
                slot.len = used;
                Ok(answer)
            }

            /// Takes all entries out; capacity is kept. O(capacity).
            ///
            /// # Errors
            /// None that a caller could bring about.
            pub fn clear(&mut self) -> Result<()> {
                self.edit(|table| Some(((), table.clear())))
            }
        }
    };
}
pub(super) use keyed;
