//! Regions: frames of a VM that free what was allocated inside when they close.

use super::trace::{Bases, Marks, Trace};
use crate::arena::Tally;
use crate::heap::{Arenas, Heap, OpenRegion, Store, StoreParts};
use crate::words::{Cell, Epoch, Error, Result};

/// An open region; closed by [`Heap::close_region`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a region stays open until it is closed"]
pub struct Region {
    heap: Epoch,
    serial: u64,
    depth: usize,
}

impl Heap {
    /// Opens a region: what is allocated from here on is allocated inside it.
    /// Regions nest. O(1).
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`] if the list of open regions
    /// cannot grow; [`Error::IdsExhausted`]. Nothing has changed then.
    #[inline]
    pub fn open_region(&mut self) -> Result<Region> {
        let heap = self.ids.identify()?;
        let StoreParts { resources, log, .. } = self.store.parts();
        let (depth, serial) = (log.depth(), self.ids.next_serial());
        log.open(&mut resources.account, serial)?;
        Ok(Region { heap, serial, depth })
    }

    /// Closes a region, and those still open inside it: frees what was allocated
    /// inside and is still live, except what the cells of `keep` reach through
    /// objects allocated inside. What is kept counts as allocated in the enclosing
    /// region. A cell that was written into an older object keeps nothing alive:
    /// unless its object is kept for another reason, it turns stale. Returns the
    /// number of objects freed. O(1) if nothing was allocated inside, O(allocated
    /// inside) otherwise; needs no memory that could be refused.
    ///
    /// ```
    /// use segheap::{Heap, List, Pair};
    /// let mut heap = Heap::new();
    /// let frame = heap.open_region()?;
    /// let local = heap.alloc(List::of(&[]))?;
    /// let text = heap.string("a longer text")?;
    /// let result = heap.alloc(Pair::of(text, 1.into()))?;
    /// assert_eq!(heap.close_region(frame, [result.cell()])?, 1);
    /// assert!(heap.contains(result) && heap.contains(text) && !heap.contains(local));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RegionClosed`] for a region that was closed before or belongs to
    /// another heap; nothing has changed then.
    pub fn close_region<I>(&mut self, region: Region, keep: I) -> Result<u64>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        let StoreParts { log, .. } = self.store.parts();
        let same =
            |open: &OpenRegion| region.heap == self.ids.heap() && open.serial == region.serial;
        let open = log.region(region.depth).filter(same).ok_or(Error::RegionClosed)?;
        if !log.close(region.depth, open) {
            return Ok(0);
        }
        let keep = keep.into_iter().map(Into::into).filter(|cell| cell.is_handle());
        Ok(free_region(&mut self.store, open.start, keep))
    }
}

/// Frees an object, if it is live; returns how many were.
#[inline(always)]
fn free_live(arenas: &mut Arenas, tally: &mut Tally, cell: Cell) -> u64 {
    let arena = arenas.get_mut(cell.selector());
    u64::from(arena.is_some_and(|arena| arena.free(tally, cell).is_ok()))
}

/// Frees what the log has from `start` on and `keep` does not reach. The newest
/// goes first, so that the top of the memory falls with them.
fn free_region(store: &mut Store, start: usize, keep: impl Iterator<Item = Cell>) -> u64 {
    let StoreParts { arenas, resources, log } = store.parts();
    let mut keep = keep.peekable();
    if keep.peek().is_none() {
        let all = log.drain(start).rev();
        return all.fold(0, |freed, cell| {
            freed.wrapping_add(free_live(arenas, &mut resources.tally, cell))
        });
    }
    let (bases, bits) = Bases::new(arenas);
    // Pending are the live objects of the region; what the trace does not reach
    // stays pending.
    let freed = resources.with_bits(bits, |account, tally, bits| {
        let mut trace = Trace::<true>::new(bits, bases);
        let inside = log.since(start).iter().filter(|cell| arenas.contains(**cell));
        inside.for_each(|&cell| trace.marks.set(cell, true));
        keep.for_each(|cell| trace.add(arenas, account, cell));
        trace.finish(arenas, account);
        let mut pending = Marks::new(bits, bases);
        let mut freed = 0_u64;
        for &cell in log.since(start).iter().rev() {
            if pending.get(cell) {
                pending.set(cell, false);
                freed = freed.wrapping_add(free_live(arenas, tally, cell));
            }
        }
        freed
    });
    log.end_region(start, arenas);
    freed
}
