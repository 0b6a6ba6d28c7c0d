//! [`Closure`].

use crate::object::{Mutable, SequenceInit, View};
use crate::words::Cell;

#[cfg(doc)]
use crate::Heap;

super::sequence! {
    /// A function id, whose meaning the VM defines, and a fixed number of captured
    /// variables (upvalues), which are the elements.
    ///
    /// ```
    /// use segheap::{Closure, Heap};
    /// let mut heap = Heap::new();
    /// let counter = heap.alloc(Closure::of(12, &[0.into()]))?;
    /// heap.get_mut(counter)?.set(0, 1.into())?;
    /// assert_eq!(heap.get(counter)?.function(), 12);
    /// assert_eq!(heap.get(counter)?.get(0)?, 1.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    Closure of Cell, "(" ")", header_up_to(u32::MAX as u64)
}

impl Mutable for Closure {}

impl Closure {
    /// Describes a closure of a function with these upvalues, for [`Heap::alloc`],
    /// which copies them.
    ///
    /// ```
    /// use segheap::{Closure, Heap};
    /// let mut heap = Heap::new();
    /// let add = heap.alloc(Closure::of(12, &[5.into()]))?;
    /// assert_eq!(heap.display(add).to_string(), "Closure<12>(5)");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub const fn of(function: u32, upvalues: &[Cell]) -> SequenceInit<'_, Closure> {
        SequenceInit::of(function as u64, upvalues)
    }
}

impl View<'_, Closure> {
    /// Returns the function id. O(1).
    #[inline]
    pub fn function(self) -> u32 {
        debug_assert!(self.header(0) <= u64::from(u32::MAX), "the header is a function id");
        u32::try_from(self.header(0)).unwrap_or(0)
    }
}
