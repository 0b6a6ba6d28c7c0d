//! [`Struct`].

use crate::object::{Mutable, SequenceInit, View, ViewMut};
use crate::words::{Cell, Result};

#[cfg(doc)]
use crate::{Error, Heap};

super::sequence! {
    /// A record: a shape id (hidden class), whose meaning the VM defines, and fields, which
    /// are the elements. [`ViewMut::push_field`] adds a field, and changes the shape with it:
    /// the object stays the same.
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

impl Struct {
    /// Describes a record without fields that has room for `fields` fields, for
    /// [`Heap::alloc`]: what a constructor of a language begins with.
    ///
    /// ```
    /// use segheap::{Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::with_capacity(0, 2))?;
    /// assert!(heap.get(point)?.is_empty() && heap.capacity(point)? >= 2);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub const fn with_capacity(shape: u32, fields: usize) -> SequenceInit<'static, Struct> {
        SequenceInit::capacity(shape as u64, fields)
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

impl ViewMut<'_, Struct> {
    /// Changes the shape id, and leaves the fields as they are. O(1).
    ///
    /// ```
    /// use segheap::{Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::of(7, &[1.into()]))?;
    /// heap.get_mut(point)?.set_shape(8)?;
    /// assert_eq!(heap.display(point).to_string(), "Struct<8>{1}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    #[inline]
    pub fn set_shape(&mut self, shape: u32) -> Result<()> {
        self.set_header(u64::from(shape))
    }

    /// Adds a field after the others, and changes the shape id to that of records that have
    /// it. The object stays the same: every handle sees the field, and fields keep their
    /// indices. Amortised O(1); O(fields) when the object moves.
    ///
    /// ```
    /// use segheap::{Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::new(0, 0))?;
    /// heap.get_mut(point)?.push_field(3.into(), 1)?; // shape 1 has one field, x
    /// heap.get_mut(point)?.push_field(4.into(), 2)?; // shape 2 has two fields, x and y
    /// assert_eq!(heap.display(point).to_string(), "Struct<2>{3, 4}");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`] if the object cannot grow. Nothing has changed then, the shape
    /// included.
    #[inline(always)]
    pub fn push_field(&mut self, value: Cell, shape: u32) -> Result<()> {
        self.extend_header(u64::from(shape), value)
    }
}
