//! [`List`].

use crate::words::Cell;

super::array! {
    /// A growable array of cells.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[Cell::TRUE, 2.into()]))?;
    /// heap.get_mut(list)?.push(list.into())?;
    /// assert_eq!(heap.get(list)?.get(1)?.as_int(), Some(2));
    /// assert_eq!(heap.get(list)?.as_slice().len(), 3);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    List of Cell
}
