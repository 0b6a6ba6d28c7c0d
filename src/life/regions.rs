//! Regions: closing one frees the objects that were allocated while it was open.

use super::trace::{Bases, Marks, Trace};
use crate::arena::{Arenas, Tally};
use crate::heap::{Heap, OpenRegion, Roots, Store, StoreParts};
use crate::words::{Cell, Epoch, Error, Result};

/// A token of an open region; [`Heap::close_region`] consumes it.
///
/// Regions are for frames of a VM and for phases of a host: most objects of a frame are
/// garbage when it returns, and closing its region frees them without a collection.
/// Dropping the token leaves the region open until an outer one closes.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a region stays open until it is closed"]
pub struct Region {
    heap: Epoch,
    serial: u64,
    depth: usize,
}

impl Heap {
    /// Opens a region. Objects allocated from here on belong to the innermost open
    /// region. Regions nest. Amortised O(1).
    ///
    /// Each allocation in a region is recorded in a log, of 8 bytes for an object and a
    /// seventh more at least. A record costs amortised O(1), also where a limit refuses
    /// the log growth: allocations fail then with [`Error::Limit`] before the log is
    /// full of live objects.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let outer = heap.open_region()?;
    /// let a = heap.alloc(List::new())?;
    /// let inner = heap.open_region()?;
    /// let b = heap.alloc(List::new())?;
    /// heap.close_region(inner, [Cell::NULL])?;
    /// assert!(heap.contains(a) && !heap.contains(b));
    /// heap.close_region(outer, [Cell::NULL])?;
    /// assert!(!heap.contains(a));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`] if the list of open regions cannot
    /// grow; [`Error::IdsExhausted`] if the process has used up the identities of
    /// heaps. The heap is unchanged.
    #[inline]
    pub fn open_region(&mut self) -> Result<Region> {
        let heap = self.ids.identify()?;
        let StoreParts { resources, log, .. } = self.store.parts();
        let (depth, serial) = (log.depth(), self.ids.next_serial());
        log.open(&mut resources.account, serial)?;
        Ok(Region { heap, serial, depth })
    }

    /// Closes a region and those still open inside it: frees the live objects that were
    /// allocated in them, except those that the cells of `keep` reach by paths through
    /// such objects. Returns the number of objects freed.
    ///
    /// Objects that are kept belong to the enclosing region from here on. Regions do not
    /// track writes: a cell in an older object, a pin or a register does not keep an
    /// object of the region live, and becomes stale with it, unless `keep` reaches the
    /// object. That it survived a collection does not keep it either.
    ///
    /// O(1) if nothing was allocated in the region, O(allocated objects) if `keep` is
    /// empty, O(allocated objects and their cells + slots) otherwise. Needs no memory
    /// that a limit or the allocator could refuse.
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
    /// [`Error::RegionClosed`] if the region was closed with an outer one, or belongs
    /// to another heap. The heap is unchanged.
    #[inline(always)]
    pub fn close_region<I>(&mut self, region: Region, keep: I) -> Result<u64>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        let open = self.find_region(&region)?;
        let StoreParts { log, .. } = self.store.parts();
        if !log.close(region.depth, open) {
            return Ok(0);
        }
        let (store, roots) = (&mut self.store, &mut self.roots);
        let mut keep = keep.into_iter().map(Into::into).filter(|cell| cell.is_handle());
        let freed = match keep.next() {
            None => free_all(store, roots, open.start),
            Some(first) => {
                free_region(store, roots, open.start, core::iter::once(first).chain(keep))
            }
        };
        self.drop_dead_values();
        Ok(freed)
    }

    /// Returns whether an object belongs to an open region: whether it is live, and was
    /// allocated in the region or in one inside it, so that closing the region frees it unless
    /// it is kept. Returns `false` for a symbol, and for a cell that is no handle. A VM asks
    /// before it stores a cell where it outlives the region, and copies or keeps what would
    /// become stale.
    ///
    /// Expected O(1); the first look-up since an object was allocated in an open region adds
    /// amortised O(1) for each such object. They are in a table of 11 to 22 bytes for each,
    /// from the first call on for a region of more than 64 objects; O(objects of the region)
    /// while memory for the table is refused. A compaction gives the table back.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let global = heap.alloc(List::new())?;
    /// let frame = heap.open_region()?;
    /// let local = heap.alloc(List::of(&[1.into()]))?;
    ///
    /// // `global.push(local)`: the element would become stale with the frame.
    /// let escapes = heap.allocated_in(&frame, local)? && !heap.allocated_in(&frame, global)?;
    /// assert!(escapes);
    /// heap.get_mut(global)?.push(local.into())?;
    /// heap.close_region(frame, [local])?;
    /// assert_eq!(heap.display(global).to_string(), "[[1]]");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RegionClosed`] if the region was closed with an outer one, or belongs
    /// to another heap.
    pub fn allocated_in(&mut self, region: &Region, object: impl Into<Cell>) -> Result<bool> {
        let (open, cell) = (self.find_region(region)?, object.into());
        if !self.store.is_usable(cell) {
            return Ok(false);
        }
        let seed = self.roots.index_seed();
        let StoreParts { resources, log, .. } = self.store.parts();
        Ok(log.has_since(&mut resources.account, seed, open.start, cell))
    }

    /// The region that a token is of.
    ///
    /// # Errors
    /// [`Error::RegionClosed`].
    #[inline]
    fn find_region(&self, region: &Region) -> Result<OpenRegion> {
        let same =
            |open: &OpenRegion| region.heap == self.ids.heap() && open.serial == region.serial;
        self.store.log().region(region.depth).filter(same).ok_or(Error::RegionClosed)
    }
}

/// Frees an object if it is live; returns the number of objects freed.
#[inline]
fn free_live(arenas: &mut Arenas, tally: &mut Tally, roots: &mut Roots, cell: Cell) -> u64 {
    let arena = arenas.get_mut(cell.selector());
    let freed = arena.is_some_and(|arena| arena.free(tally, cell).is_ok());
    if freed {
        roots.note_freed(cell);
    }
    u64::from(freed)
}

/// Frees the objects in the log from `start` on, the newest first.
#[inline(never)]
fn free_all(store: &mut Store, roots: &mut Roots, start: usize) -> u64 {
    let StoreParts { arenas, resources, log } = store.parts();
    let mut freed = 0_u64;
    while let Some(cell) = log.pop(start) {
        let is_freed = arenas.of_handle_mut(cell).and_then(|arena| arena.free_ready(cell));
        freed = freed.wrapping_add(match is_freed {
            Some(()) if !roots.is_watching() => 1,
            Some(()) => note_freed(roots, cell),
            None => free_live(arenas, &mut resources.tally, roots, cell),
        });
    }
    freed
}

/// Notes that an object was freed that may be watched.
#[cold]
fn note_freed(roots: &mut Roots, cell: Cell) -> u64 {
    roots.note_freed(cell);
    1
}

/// Frees the objects in the log from `start` on that `keep` does not reach. The newest
/// are freed first, so that the top of the memory falls with them.
#[inline(never)]
fn free_region(
    store: &mut Store,
    roots: &mut Roots,
    start: usize,
    keep: impl Iterator<Item = Cell>,
) -> u64 {
    let StoreParts { arenas, resources, log } = store.parts();
    let (bases, bits) = Bases::new(arenas);
    // All live objects of the region are pending; those that the trace does not reach
    // stay so.
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
                freed = freed.wrapping_add(free_live(arenas, tally, roots, cell));
            }
        }
        freed
    });
    log.end_region(start, arenas);
    freed
}
