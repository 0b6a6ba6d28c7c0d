//! Running an operation again after a collection, once.

use super::Collected;
use crate::heap::Heap;
use crate::words::{Cell, Error, Resource, Result, to_u64};

impl Heap {
    /// Runs an operation. If it fails for want of memory
    /// ([`Error::is_memory_error`]), collects what the roots do not reach, and runs it once
    /// more, if the collection has made room: for the bytes that were refused, and for
    /// 1/32 of those that are live, so that a program at its limit spends no more than a
    /// collection for that much. Never runs it a third time, so that what asks for more than
    /// the limit leaves comes to an end, also if it leaves garbage each time.
    ///
    /// The operation runs from its beginning: what it has changed before it failed is its own
    /// concern. A single operation of the heap that fails has changed nothing. One that adds
    /// many elements reserves room for all of them first: what is refused is then all that it
    /// needs. Objects that the operation uses have to be reachable from the roots.
    ///
    /// O(the operation), and twice that and [`Heap::collect`] if it fails.
    ///
    /// ```
    /// use segheap::{Cell, Error, Heap, Limits, List, Settings};
    /// let limits = Limits::NONE.with_bytes(1 << 20);
    /// let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    /// let mut register = Cell::NULL;
    /// for _ in 0..100 {
    ///     // 400 KB: two of them fit, and all but the last are garbage.
    ///     let list = heap.retry_after_collect([register], |heap| heap.alloc(List::zeroed(50_000)))?;
    ///     register = list.into();
    /// }
    /// let too_large = heap.retry_after_collect([register], |heap| heap.alloc(List::zeroed(1 << 20)));
    /// assert!(matches!(too_large, Err(Error::Limit(_))));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What the operation fails with, the second time if there is one. [`Error::Corrupt`] only if
    /// this crate has a bug.
    pub fn retry_after_collect<I, T>(
        &mut self,
        roots: I,
        mut operation: impl FnMut(&mut Heap) -> Result<T>,
    ) -> Result<T>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        match operation(self) {
            Err(error) if error.is_memory_error() => {
                self.collect_to_retry(error, roots)?;
                operation(self)
            }
            result => result,
        }
    }

    /// Collects after an operation failed with `error`, the last operation of this heap that a
    /// limit refused something. Returns if the collection has made room, as
    /// [`Heap::retry_after_collect`] describes it: run the operation again then, and take a
    /// second failure as final.
    ///
    /// For an interpreter whose loop runs an instruction again, and so cannot pass it as a
    /// closure. It has to know when that instruction has ended: a VM that calls this function
    /// each time that the instruction fails may run it for ever.
    ///
    /// ```
    /// use segheap::{Cell, Error, Heap, Limits, List, Settings};
    /// let limits = Limits::NONE.with_bytes(1 << 20);
    /// let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    /// let list = heap.alloc(List::zeroed(100_000))?;
    /// let error = heap.alloc(List::zeroed(100_000)).unwrap_err();
    /// // The list is live: there is no room for another one.
    /// assert_eq!(heap.collect_to_retry(error, [list]), Err(error));
    /// let none: [Cell; 0] = [];
    /// assert_eq!(heap.collect_to_retry(error, none)?.freed, 1);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// `error`, if it is not for want of memory, or if there is no room. [`Error::Corrupt`] only
    /// if this crate has a bug.
    #[cold]
    pub fn collect_to_retry<I>(&mut self, error: Error, roots: I) -> Result<Collected>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        if !error.is_memory_error() {
            return Err(error);
        }
        let wanted = to_u64(self.store.account().pressure().wanted);
        let before = self.store.account().used();
        let collected = self.collect(roots)?;
        let live = self.store.live_bytes();
        let left = to_u64(self.store.account().left());
        let given_back = to_u64(before.saturating_sub(self.store.account().used()));
        // A freed object leaves its block and its slot.
        let gained = collected.freed.saturating_mul(16).saturating_add(collected.freed_bytes);
        let gained = gained.saturating_add(given_back);
        let (is_room, is_much) = match error {
            Error::Limit(Resource::Bytes) => {
                let spare = self.store.reserved_bytes().saturating_sub(live);
                let is_room = left.saturating_add(spare) >= wanted;
                (is_room, gained >= live / 32 || left >= wanted.saturating_add(live / 32))
            }
            _ => (true, gained >= live / 32),
        };
        if gained > 0 && is_room && is_much { Ok(collected) } else { Err(error) }
    }
}
