//! The public operations that maps and sets share.

/// Defines a kind that is a hash table, of entries of `$stride` cells. `$example` is an
/// entry, and also the arguments that insert it.
macro_rules! keyed {
    (
        $(#[$doc:meta])*
        $Kind:ident, $stride:literal cells, entries $Entry:ty = $entry:expr, $open:literal,
        example $example:literal
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
            /// Describes an empty table, for [`Heap::alloc`].
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            /// assert!(heap.get(table)?.is_empty());
            /// # Ok::<(), segheap::Error>(())
            /// ```
            #[allow(clippy::new_ret_no_self, reason = "what `Heap::alloc` takes")]
            pub const fn new() -> TableInit<$Kind> {
                TableInit::with_capacity(0)
            }

            /// Describes an empty table with capacity for `entries` entries, for
            /// [`Heap::alloc`]. Inserting that many does not rebuild it.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::with_capacity(100))?;")]
            /// assert_eq!(heap.get(table)?.len(), 0);
            /// # Ok::<(), segheap::Error>(())
            /// ```
            pub const fn with_capacity(entries: usize) -> TableInit<$Kind> {
                TableInit::with_capacity(entries)
            }
        }

        impl<'h> View<'h, $Kind> {
            /// Returns the number of entries, those of freed keys included. O(1).
            #[inline]
            pub fn len(self) -> usize {
                self.entry_count()
            }

            /// Returns whether there are no entries. O(1).
            #[inline]
            pub fn is_empty(self) -> bool {
                self.len() == 0
            }

            /// Returns whether the table is weak by its keys: see [`TableInit::weak`]. O(1).
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("let weak = heap.alloc(", stringify!($Kind), "::new().weak())?;")]
            /// assert!(!heap.get(table)?.is_weak() && heap.get(weak)?.is_weak());
            /// # Ok::<(), segheap::Error>(())
            /// ```
            pub fn is_weak(self) -> bool {
                self.is_weak_table()
            }

            /// Returns whether there is an entry of this key. Expected O(1), and O(n)
            /// to hash and compare a text of n bytes or an integer of n limbs.
            ///
            /// ```
            #[doc = concat!("use segheap::{Cell, Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            /// assert!(heap.get(table)?.contains(7.into())?);
            /// assert!(!heap.get(table)?.contains(Cell::TRUE)?);
            /// # Ok::<(), segheap::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::Stale`] if the key is an object that was freed.
            #[inline]
            pub fn contains(self, key: Cell) -> Result<bool> {
                Ok(self.find_key(key)?.is_some())
            }

            /// Returns entry `n` in insertion order, counted from 0. O(1) for the first
            /// and the last entry, and for any if none was removed since the table was
            /// last rebuilt; O(n) otherwise.
            ///
            /// ```
            #[doc = concat!("use segheap::{Error, Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            #[doc = concat!("assert_eq!(heap.get(table)?.nth(0)?, ", $example, ");")]
            /// let error = Error::OutOfRange { index: 1, len: 1 };
            /// assert_eq!(heap.get(table)?.nth(1), Err(error));
            /// # Ok::<(), Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::OutOfRange`] if `n` is not below the number of entries.
            pub fn nth(self, n: usize) -> Result<$Entry> {
                self.entry_at(n)
            }

            /// Returns the place of the entry of this key in insertion order, counted from
            /// 0: the `n` of [`View::nth`]; `None` if there is none. Expected O(1), O(n) for
            /// place n if an entry that was inserted after the first one was removed since
            /// the table was last rebuilt; a text of n bytes or an integer of n limbs adds
            /// O(n).
            ///
            /// ```
            #[doc = concat!("use segheap::{Cell, Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            /// assert_eq!(heap.get(table)?.index_of(7.into())?, Some(0));
            /// assert_eq!(heap.get(table)?.index_of(Cell::TRUE)?, None);
            /// # Ok::<(), segheap::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::Stale`] if the key is an object that was freed.
            pub fn index_of(self, key: Cell) -> Result<Option<usize>> {
                self.index_of_key(key)
            }

            /// Returns the entry at the cursor and advances it; `None` at the end.
            /// Amortised O(1): removed entries that lie together are passed at once,
            /// except where the cursor stood among them.
            ///
            /// A cursor stays valid when the table changes. It returns each entry
            /// that is not removed exactly once, in insertion order; no entry that
            /// was removed before the cursor reached it; and entries that are
            /// inserted meanwhile, even after it has returned `None`.
            ///
            /// ```
            #[doc = concat!("use segheap::{Cursor, Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            /// let (mut cursor, mut count) = (Cursor::default(), 0);
            /// while let Some(_entry) = heap.get(table)?.next(&mut cursor) {
            ///     heap.string("the heap may change meanwhile")?;
            ///     count += 1;
            /// }
            /// assert_eq!(count, 1);
            /// # Ok::<(), segheap::Error>(())
            /// ```
            pub fn next(self, cursor: &mut Cursor) -> Option<$Entry> {
                self.next_entry(cursor)
            }

            /// Returns an iterator over the entries, in insertion order. It borrows
            /// the heap; [`View::next`] does not. O(capacity) for all entries.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            /// let entries: Vec<_> = heap.get(table)?.iter().collect();
            #[doc = concat!("assert_eq!(entries, [", $example, "]);")]
            /// # Ok::<(), segheap::Error>(())
            /// ```
            #[inline]
            pub fn iter(self) -> impl ExactSizeIterator<Item = $Entry> + use<'h> {
                self.entries()
            }
        }

        impl ViewMut<'_, $Kind> {
            /// Removes the entry of this key and returns it; `None` if there is
            /// none. The order of the others stays. Amortised expected O(1), and O(n)
            /// to hash and compare a text of n bytes or an integer of n limbs. When an
            /// eighth of the entries is left, the table shrinks, in its own block:
            /// O(entries), and no memory is needed.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            #[doc = concat!("assert_eq!(heap.get_mut(table)?.remove(7.into())?, Some(", $example, "));")]
            /// assert_eq!(heap.get_mut(table)?.remove(7.into())?, None);
            /// # Ok::<(), segheap::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::Stale`] if the key is an object that was freed;
            /// [`ViewMut::remove_nth`] removes its entry.
            pub fn remove(&mut self, key: Cell) -> Result<Option<$Entry>> {
                self.remove_key(key)
            }

            /// Removes entry `n` in insertion order, counted from 0, and returns it,
            /// even if its key is an object that was freed. Amortised O(1) for the first
            /// and the last entry, O(n) otherwise; shrinks as [`ViewMut::remove`] does.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            #[doc = concat!("assert_eq!(heap.get_mut(table)?.remove_nth(0)?, ", $example, ");")]
            /// assert!(heap.get(table)?.is_empty());
            /// # Ok::<(), segheap::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::OutOfRange`] if `n` is not below the number of entries.
            pub fn remove_nth(&mut self, n: usize) -> Result<$Entry> {
                self.remove_entry_at(n)
            }

            /// Removes the last entry and returns it, even if its key is an object that was
            /// freed; `None` if there is none. Amortised O(1); shrinks as
            /// [`ViewMut::remove`] does.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            #[doc = concat!("assert_eq!(heap.get_mut(table)?.pop()?, Some(", $example, "));")]
            /// assert_eq!(heap.get_mut(table)?.pop()?, None);
            /// # Ok::<(), segheap::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::Corrupt`] only if this crate has a bug.
            pub fn pop(&mut self) -> Result<Option<$Entry>> {
                self.pop_last_entry()
            }

            /// Removes the first entry and returns it, as [`ViewMut::pop`] does the last
            /// one. Amortised O(1): with insertions, a queue.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            #[doc = concat!("assert_eq!(heap.get_mut(table)?.pop_front()?, Some(", $example, "));")]
            /// assert_eq!(heap.get_mut(table)?.pop_front()?, None);
            /// # Ok::<(), segheap::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::Corrupt`] only if this crate has a bug.
            pub fn pop_front(&mut self) -> Result<Option<$Entry>> {
                self.pop_first_entry()
            }

            /// Reserves capacity for `additional` more entries; doubles the capacity at
            /// least, where the limits allow that. As many insertions need no memory
            /// then, whatever their keys. O(entries) when the table is rebuilt.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, Limits, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            /// heap.get_mut(table)?.reserve(100)?;
            /// heap.set_limits(Limits::NONE.with_bytes(0)); // nothing may grow now
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            /// # Ok::<(), segheap::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
            /// [`Error::OutOfMemory`] if the table cannot grow. Nothing has changed then.
            pub fn reserve(&mut self, additional: usize) -> Result<()> {
                self.reserve_entries(additional)
            }

            /// Cuts the capacity to the number of entries, as far as size classes allow.
            /// O(entries), in the block of the table: no memory is needed. The words go back
            /// to the arena, and to the allocator at the next compaction.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::with_capacity(10_000))?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            /// heap.get_mut(table)?.shrink_to_fit()?;
            /// heap.compact();
            /// assert!(heap.usage().total_bytes < 100_000);
            /// # Ok::<(), segheap::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::Corrupt`] only if this crate has a bug.
            pub fn shrink_to_fit(&mut self) -> Result<()> {
                self.shrink_table()
            }

            /// Removes all entries. Capacity is kept. O(entries and holes), so O(1) for
            /// an empty table.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let table = heap.alloc(", stringify!($Kind), "::new())?;")]
            #[doc = concat!("heap.get_mut(table)?.insert", $example, "?;")]
            /// heap.get_mut(table)?.clear()?;
            /// assert!(heap.get(table)?.is_empty());
            /// # Ok::<(), segheap::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::Corrupt`] only if this crate has a bug.
            pub fn clear(&mut self) -> Result<()> {
                self.clear_table()
            }
        }
    };
}
pub(super) use keyed;
