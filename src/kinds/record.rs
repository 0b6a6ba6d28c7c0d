//! [`Struct`].

use crate::object::{Mutable, SequenceInit, View};
use crate::words::Cell;

super::sequence! {
    /// A record: a shape id of the VM's own, and a fixed number of fields, which are
    /// its elements.
    ///
    /// ```
    /// use segheap::{Cell, Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::new(7, 2))?;
    /// heap.get_mut(point)?.set(1, 4.5.into())?;
    /// let view = heap.get(point)?;
    /// assert_eq!((view.shape(), view.as_slice()), (7, &[Cell::NULL, Cell::from(4.5)][..]));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    Struct of Cell, "{" "}", header(1)
}

impl Mutable for Struct {}

impl Struct {
    /// With so many fields, all of them null.
    pub const fn new(shape: u32, fields: usize) -> SequenceInit<'static, Struct> {
        SequenceInit::repeat(shape as u64, Cell::NULL, fields)
    }

    /// With these fields.
    pub const fn of(shape: u32, fields: &[Cell]) -> SequenceInit<'_, Struct> {
        SequenceInit::of(shape as u64, fields)
    }
}

impl View<'_, Struct> {
    /// The shape id.
    #[inline]
    pub fn shape(self) -> u32 {
        u32::try_from(self.header(0)).unwrap_or(0)
    }
}
