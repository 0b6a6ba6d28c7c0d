//! [`Pair`].

use crate::object::{Mutable, SequenceInit, View};
use crate::words::{Cell, Result};

#[cfg(doc)]
use crate::{Error, Heap};

super::sequence! {
    /// Two cells; element 0 is the first, element 1 the second.
    ///
    /// ```
    /// use segheap::{Cell, Heap, Pair};
    /// let mut heap = Heap::new();
    /// let pair = heap.alloc(Pair::of(1.into(), Cell::NULL))?;
    /// heap.get_mut(pair)?.set(1, pair.into())?;
    /// assert_eq!(heap.get(pair)?.first()?, 1.into());
    /// assert_eq!(heap.get(pair)?.second()?, pair.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    Pair of Cell, "(" ")", len(2)
}

impl Mutable for Pair {}

impl Pair {
    /// Describes a pair of two cells, for [`Heap::alloc`].
    ///
    /// ```
    /// use segheap::{Heap, Pair};
    /// let mut heap = Heap::new();
    /// let pair = heap.alloc(Pair::of(1.into(), 2.into()))?;
    /// let view = heap.get(pair)?;
    /// assert_eq!((view.first()?, view.second()?), (1.into(), 2.into()));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub const fn of(first: Cell, second: Cell) -> SequenceInit<'static, Pair> {
        SequenceInit::two(0, [first, second])
    }
}

impl View<'_, Pair> {
    /// Returns both cells. O(1).
    ///
    /// ```
    /// use segheap::{Heap, Pair};
    /// let mut heap = Heap::new();
    /// let pair = heap.alloc(Pair::of(1.into(), 2.into()))?;
    /// let [first, second] = heap.get(pair)?.cells();
    /// assert_eq!((first, second), (1.into(), 2.into()));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline]
    pub fn cells(self) -> [Cell; 2] {
        let cells = self.as_slice().first_chunk();
        debug_assert!(cells.is_some(), "a pair has two cells");
        cells.copied().unwrap_or_default()
    }

    /// Returns the first cell. O(1).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] only if this crate has a bug.
    #[inline]
    pub fn first(self) -> Result<Cell> {
        self.get(0)
    }

    /// Returns the second cell. O(1).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] only if this crate has a bug.
    #[inline]
    pub fn second(self) -> Result<Cell> {
        self.get(1)
    }
}
