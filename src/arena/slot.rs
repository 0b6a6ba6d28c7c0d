//! [`Slot`] and [`Block`]: what a handle refers to, and where its payload lies.

use core::ops::Range;

use crate::words::{Shape, to_usize};

/// What a handle's index refers to. A free slot links to the next one by `off`.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Slot {
    /// High half of the one handle that opens this slot.
    pub(crate) key: u32,
    /// Elements.
    pub(crate) len: u32,
    /// First word of the block.
    pub(crate) off: u32,
    /// Words of the block.
    pub(crate) cap: u32,
}

const _: () = assert!(size_of::<Slot>() == 16);

impl Slot {
    pub(crate) const fn block(self) -> Block {
        Block { off: self.off, cap: self.cap }
    }

    /// Where in the payload, in bytes, `elements` of the slot's object lie.
    #[inline(always)]
    pub(crate) const fn span(self, shape: &Shape, elements: Range<usize>) -> Range<usize> {
        let first = to_usize(self.off).saturating_add(to_usize(shape.header)).saturating_mul(8);
        let size = shape.element_bytes();
        first.saturating_add(elements.start.saturating_mul(size))
            ..first.saturating_add(elements.end.saturating_mul(size))
    }
}

/// A block: offset and size in words; an empty one has neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) off: u32,
    pub(crate) cap: u32,
}

impl Block {
    /// Where in the payload its words lie.
    #[inline(always)]
    pub(crate) fn range(self) -> Range<usize> {
        to_usize(self.off)..to_usize(self.off).saturating_add(to_usize(self.cap))
    }
}
