//! What the host holds on to: pins, and tokens that come back when an object
//! dies.

use crate::heap::{Heap, alive};
use crate::words::{Cell, GENERATION_MASK, Result};

impl Heap {
    /// The cell, if the object it names is alive; what a weak reference is asked
    /// for. A cell that is no handle is not alive.
    pub fn upgrade(&self, object: impl Into<Cell>) -> Option<Cell> {
        let cell = object.into();
        self.contains(cell).then_some(cell)
    }

    /// Makes an object a root of every collection, until it is unpinned as many
    /// times. Killing, clearing and closing a region free it all the same.
    /// O(log pins), and O(pins) for the first pin of an object.
    ///
    /// # Errors
    /// Those of [`Heap::free`], but sealed cells can be pinned; a limit or no
    /// memory. Nothing has changed then.
    pub fn pin(&mut self, object: impl Into<Cell>) -> Result<()> {
        let cell = object.into();
        self.open(cell)?;
        let (Ok(place) | Err(place)) = self.find_pin(cell);
        match self.pins.get_mut(place) {
            Some((pinned, count)) if *pinned == cell => *count = count.saturating_add(1),
            _ => {
                let len = self.pins.len().saturating_add(1);
                self.budget.reserve(&mut self.pins, len)?;
                self.pins.insert(place, (cell, 1));
            }
        }
        Ok(())
    }

    /// Takes one pin of an object back, also of one that is gone. Answers
    /// whether there was one.
    pub fn unpin(&mut self, object: impl Into<Cell>) -> bool {
        let Ok(place) = self.find_pin(object.into()) else { return false };
        match self.pins.get_mut(place) {
            Some((_, count)) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(self.pins.remove(place)),
        }
        true
    }

    fn find_pin(&self, cell: Cell) -> Result<usize, usize> {
        // By slot first: the order shows in paths, and generations must not.
        let order = |cell: Cell| (cell.bits() & !GENERATION_MASK, cell.bits());
        self.pins.binary_search_by_key(&order(cell), |(pinned, _)| order(*pinned))
    }

    /// Attaches a token to an object; when it dies, by whatever route, the token
    /// comes back once from [`Heap::drain_dead`]. An object can have several.
    /// This is how a VM closes files and drops host objects. O(1).
    ///
    /// # Errors
    /// Those of [`Heap::free`], but sealed cells can be watched; a limit or no memory: room for the token is
    /// taken now, so that dying cannot fail. Nothing has changed then.
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
    pub fn watch(&mut self, object: impl Into<Cell>, token: u64) -> Result<()> {
        let cell = object.into();
        self.open(cell)?;
        let len = self.watches.len().saturating_add(1);
        self.budget.reserve(&mut self.watches, len)?;
        self.watches.push((cell, token));
        Ok(())
    }

    /// The tokens of watched objects that have died, in the order in which they
    /// were attached; each comes once. One that is not taken out of the iterator
    /// comes next time. O(watched).
    pub fn drain_dead(&mut self) -> impl Iterator<Item = u64> {
        let arenas = &self.arenas;
        let dead = self.watches.extract_if(.., |(cell, _)| !alive(arenas, *cell));
        dead.map(|(_, token)| token)
    }
}
