//! [`Slot`] and [`Block`]: what a handle refers to, and where its payload lies.

use core::ops::Range;

use crate::words::{CAP_MAX, Element, FROZEN, SHARED, Shape, VALUE, to_usize};

/// What the index of a handle refers to. `off` of a free slot is the index of the
/// next one in the free list.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Slot {
    /// The high half of the one handle that refers to the object in this slot.
    pub(crate) key: u32,
    /// The length of the object in elements; of a table, its used positions.
    pub(crate) len: u32,
    /// The first word of the block.
    pub(crate) off: u32,
    /// The words of the block, and the flags [`FROZEN`], [`VALUE`] and [`SHARED`] above them.
    pub(crate) room: u32,
}

const _: () = assert!(size_of::<Slot>() == 16);

impl Slot {
    #[inline(always)]
    pub(crate) const fn block(self) -> Block {
        Block { off: self.off, cap: self.cap() }
    }

    /// [`Slot::block`] of an object that [`Slot::can_change`].
    #[inline(always)]
    pub(super) const fn block_to_change(self) -> Block {
        Block { off: self.off, cap: self.room }
    }

    /// The words of the block.
    #[inline(always)]
    pub(crate) const fn cap(self) -> u32 {
        self.room & CAP_MAX
    }

    /// The flags [`FROZEN`] and [`VALUE`].
    pub(crate) const fn flags(self) -> u32 {
        self.room & (FROZEN | VALUE)
    }

    /// Whether the object can change where it lies: it is not frozen, and no version.
    #[inline(always)]
    pub(crate) const fn can_change(self) -> bool {
        self.room <= CAP_MAX
    }

    /// Whether the object is a version: its block may have others.
    #[inline(always)]
    pub(crate) const fn is_shared(self) -> bool {
        self.room & SHARED != 0
    }

    /// Notes that the object has another block.
    #[inline(always)]
    pub(super) const fn set_block(&mut self, block: Block) {
        self.off = block.off;
        self.room = self.room & !CAP_MAX | block.cap;
    }

    /// Whether the object can never change again.
    #[inline(always)]
    pub(crate) const fn is_frozen(self) -> bool {
        self.room >= FROZEN
    }

    /// Whether the object is a key by its content.
    #[inline(always)]
    pub(crate) const fn is_value(self) -> bool {
        self.room >= FROZEN | VALUE
    }

    /// The position of element `at`, after `header` words, among the elements that the
    /// whole memory could hold. Nothing wraps, as for [`Slot::span`].
    #[inline(always)]
    pub(crate) fn element<T: Element>(self, header: usize, at: usize) -> usize {
        let first = to_usize(self.off).wrapping_add(header);
        first.wrapping_mul(to_usize(T::PER_WORD)).wrapping_add(at)
    }

    /// The bytes of memory that `elements` of the slot's object take. Elements of an
    /// object lie in a block, whose bytes fit into a `usize`: nothing wraps.
    #[inline(always)]
    pub(crate) const fn span(self, shape: &Shape, elements: Range<usize>) -> Range<usize> {
        let first = to_usize(self.off).wrapping_add(to_usize(shape.header)).wrapping_mul(8);
        let size = shape.element_bytes();
        first.wrapping_add(elements.start.wrapping_mul(size))
            ..first.wrapping_add(elements.end.wrapping_mul(size))
    }
}

/// A block: offset and size in words, both 0 for the empty block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) off: u32,
    pub(crate) cap: u32,
}

impl Block {
    /// The words of the block in memory.
    #[inline(always)]
    pub(crate) fn range(self) -> Range<usize> {
        to_usize(self.off)..to_usize(self.off).saturating_add(to_usize(self.cap))
    }
}
