//! [`Shape`]: how the objects of a kind lie in their blocks.

use super::element::{Element, Elements};

/// How the objects of a kind lie in their blocks, which is all that tracing,
/// comparing and printing need: `header` words, then the elements.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Shape {
    pub(crate) header: u32,
    pub(crate) elements: Elements,
    pub(crate) key: KeyBy,
    pub(crate) class: CopyClass,
    pub(crate) open: &'static str,
    pub(crate) close: &'static str,
}

/// How a kind takes part in bulk copies (`ops/copies`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyClass {
    /// Not at all.
    Excluded,
    /// Text: bytes that are UTF-8.
    Text,
    /// Data: bytes, which are no floats.
    Data,
    /// Values: numbers or cells.
    Values,
}

/// What makes two objects the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyBy {
    Identity,
    /// The bytes, equal to text held in a cell.
    Text,
    /// Sign and limbs, equal to an integer held in a cell.
    Integer,
}

impl Shape {
    /// A seal: one cell, under a header word that says which key.
    pub(crate) const SEAL: Shape = Shape::new(Elements::Cells, "<", ">").header(1);

    pub(crate) const fn new(elements: Elements, open: &'static str, close: &'static str) -> Shape {
        let (key, class) = (KeyBy::Identity, CopyClass::Excluded);
        Shape { header: 0, elements, key, class, open, close }
    }

    /// The shape of a sequence of `T`.
    pub(crate) const fn of<T: Element>(open: &'static str, close: &'static str) -> Shape {
        Shape::new(T::ELEMENTS, open, close)
    }

    pub(crate) const fn copied_as(self, class: CopyClass) -> Shape {
        Shape { class, ..self }
    }

    pub(crate) const fn header(self, header: u32) -> Shape {
        Shape { header, ..self }
    }

    pub(crate) const fn key(self, key: KeyBy) -> Shape {
        Shape { key, ..self }
    }

    /// How many words of the block are cells (or holes), from `header` on.
    #[inline]
    pub(crate) const fn cells(&self, len: u32) -> usize {
        match self.elements {
            Elements::Cells => len as usize,
            Elements::Entries(stride) => (len as usize).saturating_mul(stride as usize),
            _ => 0,
        }
    }

    /// Words that an object of `len` elements needs; tables know better.
    #[inline(always)]
    pub(crate) const fn words_for(&self, len: usize) -> usize {
        let body = match self.elements {
            Elements::Bytes => len.div_ceil(8),
            _ => len,
        };
        body.saturating_add(self.header as usize)
    }

    /// Bytes of an element; tables have none.
    #[inline(always)]
    pub(crate) const fn element_bytes(&self) -> usize {
        if matches!(self.elements, Elements::Bytes) { 1 } else { 8 }
    }

    /// How many words of a block of `cap` words are in use at `len` elements.
    #[inline(always)]
    pub(crate) const fn words(&self, len: u32, cap: u32) -> usize {
        let body = match self.elements {
            Elements::Bytes => (len as usize).div_ceil(8),
            Elements::Ints | Elements::Floats | Elements::Cells => len as usize,
            Elements::Entries(_) => return cap as usize,
        };
        body.saturating_add(if cap == 0 { 0 } else { self.header as usize })
    }
}
