//! Regions: frames of a VM that free what was born inside when they close.
//!
//! While a region is open, every new object is noted in a log. The log is
//! shared by all open regions, each of which begins at some length of it, so
//! opening and closing an empty region touches no arena. Entries of objects
//! that died are taken out before the log would grow: it is bounded by what is
//! alive, not by what was allocated.

use super::collect::{Marks, Walk, bases};
use crate::arena::Arena;
use crate::heap::{ARENAS, Frame, Heap, alive};
use crate::words::{Budget, Cell, Epoch, Error, Result};

/// An open region; closed by [`Heap::close_region`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a region stays open until it is closed"]
pub struct Region {
    heap: Epoch,
    serial: u64,
    depth: usize,
}

impl Heap {
    /// Opens a region: what is made from here on is born inside it. Regions
    /// nest. O(1).
    ///
    /// # Errors
    /// A limit or no memory; [`Error::IdsExhausted`]. Nothing has changed then.
    #[inline]
    pub fn open_region(&mut self) -> Result<Region> {
        self.identity.start()?;
        let depth = self.frames.len();
        self.budget.reserve(&mut self.frames, depth.saturating_add(1))?;
        self.serial = self.serial.wrapping_add(1);
        self.frames.push(Frame { serial: self.serial, births: self.births.len() });
        Ok(Region { heap: self.identity, serial: self.serial, depth })
    }

    /// Closes a region, and those still open inside it: frees what was born
    /// inside and is still alive, except what the cells of `keep` lead to
    /// through objects born inside. What is kept counts as born in the enclosing
    /// region. A cell that was put into an older object keeps nothing: unless
    /// it is kept for another reason, it turns stale. Answers the number of
    /// objects freed. O(1) if nothing was born inside, O(born inside) otherwise;
    /// needs no memory that can be refused.
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
    /// [`Error::RegionClosed`] for a region that is closed already or belongs to
    /// another heap; nothing has changed then.
    pub fn close_region<I>(&mut self, region: Region, keep: I) -> Result<u64>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        let frame = self.frames.get(region.depth).copied();
        let open = |frame: &Frame| region.heap == self.identity && frame.serial == region.serial;
        let frame = frame.filter(open).ok_or(Error::RegionClosed)?;
        self.frames.truncate(region.depth);
        if self.births.len() == frame.births {
            return Ok(0);
        }
        Ok(self.end_frame(frame, keep))
    }

    fn end_frame<I: IntoIterator<Item: Into<Cell>>>(&mut self, frame: Frame, keep: I) -> u64 {
        let mut keep = keep.into_iter().map(Into::into).filter(|cell| cell.is_handle()).peekable();
        let Heap { arenas, budget, births, .. } = self;
        let first = frame.births.min(births.len());
        let mut freed = 0_u64;
        let mut free = |cell: Cell, arenas: &mut [Arena; ARENAS], budget: &mut Budget| {
            let arena = arenas.get_mut(cell.selector().index());
            let ended = arena.is_some_and(|arena| arena.free(budget, cell).is_ok());
            freed = freed.saturating_add(u64::from(ended));
        };
        // The youngest goes first, so that the top of the memory falls with them.
        if keep.peek().is_none() {
            births.drain(first..).rev().for_each(|cell| free(cell, arenas, budget));
            return freed;
        }
        let (base, total) = bases(arenas);
        budget.with_bits(total, |budget, bits| {
            let inside = births.get(first..).unwrap_or_default();
            let mut walk = Walk::<false>::new(bits, base);
            let alive_inside = inside.iter().filter(|&&cell| alive(arenas, cell));
            alive_inside.for_each(|&cell| walk.marks.set(cell, true));
            keep.for_each(|cell| walk.visit(arenas, budget, cell));
            walk.finish(arenas, budget);
            let mut marks = Marks { bits, base };
            for &cell in inside.iter().rev() {
                if marks.get(cell) {
                    marks.set(cell, false);
                    free(cell, arenas, budget);
                }
            }
        });
        births.extract_if(first.., |cell| !alive(arenas, *cell)).for_each(drop);
        if self.frames.is_empty() {
            self.births.clear();
        }
        freed
    }
}
