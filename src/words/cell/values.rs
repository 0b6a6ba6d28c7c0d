//! Immediates of the VM, indices, and conversions of Rust's types into cells.

use super::{Cell, SUB_IMMEDIATE, SUB_SHIFT, ShortStr, TAG_INT, TAG_NULL, TAG_SHIFT, low};

impl Cell {
    /// Returns a value of the VM's own, of 32 bits: a character, a type, the number of a
    /// built-in function. The heap gives it no meaning: it is equal to itself alone, and as a
    /// key by value.
    ///
    /// ```
    /// use segheap::{Cell, Unpacked};
    /// let letter = Cell::immediate(u32::from('ñ'));
    /// assert_eq!(letter.as_immediate().and_then(char::from_u32), Some('ñ'));
    /// assert_eq!(Cell::immediate(7).unpack(), Unpacked::Immediate(7));
    /// assert_ne!(Cell::immediate(7), Cell::from(7));
    /// ```
    #[inline]
    pub const fn immediate(value: u32) -> Cell {
        Cell::raw(TAG_NULL << TAG_SHIFT | SUB_IMMEDIATE << SUB_SHIFT | value as u64)
    }

    /// Returns the value of [`Cell::immediate`], or `None` for any other cell.
    #[inline]
    pub const fn as_immediate(self) -> Option<u32> {
        const HIGH: u64 = TAG_NULL << (TAG_SHIFT - SUB_SHIFT) | SUB_IMMEDIATE;
        if self.bits() >> SUB_SHIFT == HIGH { Some(low(self.bits())) } else { None }
    }

    /// Returns the integer held in the cell as an index, or `None` if it is negative or
    /// exceeds `usize`, and for any other cell.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[7.into(), 8.into()]))?;
    /// let index = Cell::from(1);
    /// let element = index.as_index().map(|index| heap.element::<List>(list, index));
    /// assert_eq!(element, Some(Ok(8.into())));
    /// assert_eq!(Cell::from(-1).as_index(), None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "checked")]
    pub const fn as_index(self) -> Option<usize> {
        // Of no other cell are the 17 high bits these.
        let value = self.bits() ^ TAG_INT << TAG_SHIFT;
        let fits = usize::BITS >= TAG_SHIFT || value <= usize::MAX as u64;
        if value >> (TAG_SHIFT - 1) == 0 && fits { Some(value as usize) } else { None }
    }

    /// Returns the integer held in the cell if it fits into a `u32`, or `None`.
    ///
    /// ```
    /// use segheap::Cell;
    /// assert_eq!(Cell::from(7).as_u32(), Some(7));
    /// assert_eq!(Cell::int(1 << 32).and_then(Cell::as_u32), None);
    /// assert_eq!(Cell::from(7.0).as_u32(), None);
    /// ```
    #[inline]
    pub const fn as_u32(self) -> Option<u32> {
        let value = self.bits() ^ TAG_INT << TAG_SHIFT;
        if value >> 32 == 0 { Some(low(value)) } else { None }
    }

    /// Returns whether this is [`Cell::ABSENT`].
    #[inline]
    pub const fn is_absent(self) -> bool {
        self.bits() == Cell::ABSENT.bits()
    }
}

macro_rules! cell_from {
    ($($type:ty)* => $cell:expr) => {$(
        impl From<$type> for Cell {
            #[inline]
            fn from(value: $type) -> Cell {
                $cell(value)
            }
        }
    )*};
}
cell_from!(f64 => Cell::float);
cell_from!(bool => Cell::bool);
cell_from!(ShortStr => |text: ShortStr| Cell::raw(text.0));
cell_from!(i8 u8 i16 u16 i32 u32 => |int| Cell::cut_int(i64::from(int)));
