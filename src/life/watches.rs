//! Weak references, pins (roots of the host), and watches (tokens that the heap returns
//! after an object was freed).

use crate::heap::Heap;
use crate::words::{Cell, Result};

#[cfg(doc)]
use crate::Error;

impl Heap {
    /// Returns the cell if it is the handle of a live object, or a sealed cell whose
    /// seal is live. O(1). Every handle that is not among the roots of a collection is
    /// a weak reference; this function tests one. Returns `None` as well for an object that
    /// a collection in steps has found to be garbage, and has yet to free.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let weak = heap.alloc(List::new())?;
    /// assert_eq!(heap.upgrade(weak), Some(weak.cell()));
    /// heap.collect([Cell::NULL])?;
    /// assert_eq!(heap.upgrade(weak), None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn upgrade(&self, object: impl Into<Cell>) -> Option<Cell> {
        let cell = object.into();
        self.contains(cell).then_some(cell)
    }

    /// Makes an object a root of every collection until it is unpinned as many times as
    /// it was pinned. [`Heap::free`], [`Heap::clear`] and [`Heap::close_region`] free
    /// it nevertheless. Sealed cells can be pinned. Amortised O(1).
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// heap.pin(list)?;
    /// heap.collect([Cell::NULL])?;
    /// assert!(heap.contains(list));
    /// assert!(heap.unpin(list));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if the cell is no handle; [`Error::Stale`] if the object
    /// was freed, or a collection in steps has found it to be garbage; [`Error::Limit`] or
    /// [`Error::OutOfMemory`] if the list of pins cannot grow. The heap is unchanged.
    pub fn pin(&mut self, object: impl Into<Cell>) -> Result<()> {
        let cell = object.into();
        self.store.check_usable(cell)?;
        self.roots.pin(self.store.account_mut(), cell)?;
        // No collection looks at a pin again that it knows of.
        self.store.note_stored(cell);
        Ok(())
    }

    /// Removes one pin of an object; returns whether there was one. The pins of an
    /// object that was freed stay until they are removed, and have no effect. O(1).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// heap.pin(list)?;
    /// heap.pin(list)?;
    /// assert!(heap.unpin(list) && heap.unpin(list) && !heap.unpin(list));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn unpin(&mut self, object: impl Into<Cell>) -> bool {
        let (was_pinned, moved) = self.roots.unpin(object.into());
        if let Some(moved) = moved {
            self.store.note_stored(moved);
        }
        was_pinned
    }

    /// Attaches a token to an object, which [`Heap::drain_dead`] returns once after the
    /// object was freed, by whatever operation. An object can have several tokens. They
    /// are the means of finalization: a VM closes files and drops host objects by them.
    /// Amortised O(1), in 28 bytes for a token and 11 to 22 for an index of the objects,
    /// beside spare capacity. A collection that frees objects visits every token.
    ///
    /// ```
    /// use segheap::{Heap, Struct};
    /// let mut heap = Heap::new();
    /// let file = heap.alloc(Struct::new(1, 0))?;
    /// heap.watch(file, 17)?;
    /// assert_eq!(heap.drain_dead().count(), 0);
    /// heap.free(file)?;
    /// assert_eq!(heap.drain_dead().collect::<Vec<_>>(), [17]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if the cell is no handle; [`Error::Stale`] if the object
    /// was freed, or a collection in steps has found it to be garbage; [`Error::Limit`] or
    /// [`Error::OutOfMemory`] if the list of tokens cannot grow, which it does here so that
    /// freeing cannot fail. The heap is unchanged.
    pub fn watch(&mut self, object: impl Into<Cell>, token: u64) -> Result<()> {
        let cell = object.into();
        self.store.check_usable(cell)?;
        self.roots.watch(self.store.account_mut(), cell, token)
    }

    /// Removes a token that [`Heap::watch`] has attached to an object; returns whether there
    /// was one. Of equal tokens, the one that was attached last. A token of an object that was
    /// freed stays, and [`Heap::drain_dead`] returns it: each token is removed by one of the
    /// two. Expected O(tokens of the object).
    ///
    /// ```
    /// use segheap::{Heap, Struct};
    /// let mut heap = Heap::new();
    /// let file = heap.alloc(Struct::new(1, 0))?;
    /// heap.watch(file, 17)?;
    /// // The program closes the file: nothing is left to do when the object is freed.
    /// assert!(heap.unwatch(file, 17) && !heap.unwatch(file, 17));
    /// heap.free(file)?;
    /// assert_eq!(heap.drain_dead().count(), 0);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn unwatch(&mut self, object: impl Into<Cell>, token: u64) -> bool {
        self.roots.unwatch(object.into(), token)
    }

    /// Returns an iterator over the tokens of watched objects that were freed, in the
    /// order of attachment, each once. Tokens that the caller does not take out of the
    /// iterator are returned by the next call, also if the iterator is leaked. O(1) if
    /// there are none, O(d) for d tokens, and O(d log d) if the order in which their
    /// objects were freed was another.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// for token in [1, 2] {
    ///     let list = heap.alloc(List::new())?;
    ///     heap.watch(list, token)?;
    /// }
    /// heap.collect([Cell::NULL])?;
    /// assert_eq!(heap.drain_dead().next(), Some(1));
    /// assert_eq!(heap.drain_dead().collect::<Vec<_>>(), [2]);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn drain_dead(&mut self) -> impl Iterator<Item = u64> {
        self.roots.drain_dead()
    }
}
