//! What the host holds on to: weak references, pins, and tokens that come back
//! when an object was freed.

use crate::heap::Heap;
use crate::words::{Cell, Result};

impl Heap {
    /// Returns the cell, if it is the handle of a live object: what to ask a weak
    /// reference. O(1).
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

    /// Makes an object a root of every collection until it is unpinned as many
    /// times. [`Heap::free`], [`Heap::clear`] and the end of a region free it all
    /// the same. O(log pins); O(pins) for the first pin of an object.
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
    /// [`Error::NotAHandle`](crate::Error::NotAHandle);
    /// [`Error::Stale`](crate::Error::Stale) if the object was freed;
    /// [`Error::Limit`](crate::Error::Limit) or
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if the list of pins cannot
    /// grow. Nothing has changed then. Sealed cells can be pinned.
    pub fn pin(&mut self, object: impl Into<Cell>) -> Result<()> {
        let cell = object.into();
        self.store.open(cell)?;
        self.roots.pin(self.store.account_mut(), cell)
    }

    /// Takes one pin of an object back, also of one that was freed. Returns
    /// whether there was one. O(pins).
    pub fn unpin(&mut self, object: impl Into<Cell>) -> bool {
        self.roots.unpin(object.into())
    }

    /// Attaches a token to an object. When the object is freed, by whatever route,
    /// [`Heap::drain_dead`] returns the token once. An object can have several.
    /// This is how a VM closes files and drops host objects. Amortised O(1).
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
    /// As [`Heap::pin`]: room for the token is taken now, so that freeing the
    /// object cannot fail.
    pub fn watch(&mut self, object: impl Into<Cell>, token: u64) -> Result<()> {
        let cell = object.into();
        self.store.open(cell)?;
        self.roots.watch(self.store.account_mut(), cell, token)
    }

    /// Returns the tokens of watched objects that were freed, in the order in
    /// which they were attached, each once. A token that is not taken out of the
    /// iterator comes next time. O(watched).
    pub fn drain_dead(&mut self) -> impl Iterator<Item = u64> {
        self.roots.drain_dead(self.store.arenas())
    }
}
