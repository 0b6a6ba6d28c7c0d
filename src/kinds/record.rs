//! [`Struct`].

use crate::object::{Mutable, SequenceInit, View};
use crate::words::Cell;

#[cfg(doc)]
use crate::Heap;

super::sequence! {
    /// A record: a shape id (hidden class), whose meaning the VM defines, and a fixed
    /// number of fields, which are the elements.
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
    Struct of Cell, "{" "}", header_up_to(u32::MAX as u64)
}

impl Mutable for Struct {}

impl Struct {
    /// Describes a record of `fields` fields, all of them null, for [`Heap::alloc`].
    ///
    /// ```
    /// use segheap::{Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::new(7, 2))?;
    /// assert_eq!(heap.display(point).to_string(), "Struct<7>{null, null}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub const fn new(shape: u32, fields: usize) -> SequenceInit<'static, Struct> {
        SequenceInit::repeat(shape as u64, Cell::NULL, fields)
    }

    /// Describes a record with these fields, for [`Heap::alloc`], which copies them.
    ///
    /// ```
    /// use segheap::{Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::of(7, &[1.into(), 2.into()]))?;
    /// assert_eq!(heap.get(point)?.get(1)?, 2.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub const fn of(shape: u32, fields: &[Cell]) -> SequenceInit<'_, Struct> {
        SequenceInit::of(shape as u64, fields)
    }
}

impl View<'_, Struct> {
    /// Returns the shape id. O(1).
    #[inline]
    pub fn shape(self) -> u32 {
        debug_assert!(self.header(0) <= u64::from(u32::MAX), "the header is a shape id");
        u32::try_from(self.header(0)).unwrap_or(0)
    }
}
