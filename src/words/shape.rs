//! [`Shape`]: how the objects of a kind lie in their blocks.

use core::ops::Range;

use super::element::{Element, Elements};
use super::range::to_usize;

/// The layout of a kind's objects in their blocks: `header` words, then the
/// elements. Tracing, comparison and printing need nothing else of a kind.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Shape {
    pub(crate) header: u32,
    /// The largest word that a header of one word may be.
    pub(crate) header_max: u64,
    /// The length of all objects, if they have the same.
    pub(crate) len: Option<u32>,
    pub(crate) elements: Elements,
    pub(crate) key: KeyBy,
    pub(crate) class: CopyClass,
    pub(crate) open: &'static str,
    pub(crate) close: &'static str,
}

/// Flag beside the words of a block: the object can never change again.
pub(crate) const FROZEN: u32 = 1 << 31;
/// Flag of a frozen object: it is a key by its content.
pub(crate) const VALUE: u32 = 1 << 30;
/// Flag of an object that is a version: it shares its block with longer and shorter ones, and
/// gets a block of its own before it changes.
pub(crate) const SHARED: u32 = 1 << 29;
/// The words of a block, below the flags.
pub(crate) const CAP_MAX: u32 = SHARED - 1;

/// What a kind is in bulk copies (`ops/copies`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyClass {
    /// Neither a source nor a target.
    Excluded,
    /// Bytes that are UTF-8.
    Text,
    /// Any bytes. Floats do not convert to them.
    Data,
    /// Numbers or cells.
    Values,
}

/// What makes two objects of a kind the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyBy {
    Identity,
    /// The bytes; equal to the same text held in a cell.
    Text,
    /// Sign and limbs; equal to the same integer held in a cell.
    Integer,
}

impl Shape {
    /// The shape of a seal: the number of its key as the header, then one cell.
    pub(crate) const SEAL: Shape = Shape::new(Elements::Cells, "<", ">").header(1).len(1);

    /// The shape of a host object, whose value lies elsewhere.
    pub(crate) const HOST: Shape = Shape::new(Elements::Bytes, "<", ">");

    pub(crate) const fn new(elements: Elements, open: &'static str, close: &'static str) -> Shape {
        let (key, class) = (KeyBy::Identity, CopyClass::Excluded);
        let (header, header_max, len) = (0, u64::MAX, None);
        Shape { header, header_max, len, elements, key, class, open, close }
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

    /// With a header word that is at most this.
    pub(crate) const fn header_up_to(self, header_max: u64) -> Shape {
        Shape { header: 1, header_max, ..self }
    }

    /// With this length of all objects.
    pub(crate) const fn len(self, len: u32) -> Shape {
        Shape { len: Some(len), ..self }
    }

    pub(crate) const fn key(self, key: KeyBy) -> Shape {
        Shape { key, ..self }
    }

    /// Whether an object of `len` elements can lie in a block. `room` is that of the slot.
    pub(crate) const fn fits(&self, len: u32, room: u32) -> bool {
        let cap = to_usize(room & CAP_MAX);
        let is_table = matches!(self.elements, Elements::Entries(_));
        let has_header = is_table || self.header == 0 || cap != 0;
        let has_len = match self.len {
            Some(wanted) => wanted == len,
            None => true,
        };
        has_header && has_len && self.words(len, room) <= cap
    }

    /// The number of words that are cells (or holes), from `header` on.
    #[inline]
    pub(crate) const fn cells(&self, len: u32) -> usize {
        match self.elements {
            Elements::Cells => len as usize,
            Elements::Entries(stride) => (len as usize).saturating_mul(stride as usize),
            _ => 0,
        }
    }

    /// Whether objects may refer to others.
    #[inline(always)]
    pub(crate) const fn is_traced(&self) -> bool {
        matches!(self.elements, Elements::Cells | Elements::Entries(_))
    }

    /// Whether objects may share a block as versions: sequences of any length without a
    /// header.
    pub(crate) const fn can_share(&self) -> bool {
        let is_table = matches!(self.elements, Elements::Entries(_));
        let is_integer = matches!(self.key, KeyBy::Integer);
        self.header == 0 && self.len.is_none() && !is_table && !is_integer
    }

    /// Whether elements can be cut off the front of an object by moving where it begins.
    #[inline(always)]
    pub(crate) const fn can_be_cut(&self) -> bool {
        let is_words = matches!(self.elements, Elements::Cells | Elements::Ints | Elements::Floats);
        self.header == 0 && is_words
    }

    /// The words that a sequence of `len` elements needs.
    #[inline(always)]
    pub(crate) const fn words_for(&self, len: usize) -> usize {
        let body = match self.elements {
            Elements::Bytes => len.div_ceil(8),
            _ => len,
        };
        body.saturating_add(self.header as usize)
    }

    /// The bytes of an element of a sequence.
    #[inline(always)]
    pub(crate) const fn element_bytes(&self) -> usize {
        if matches!(self.elements, Elements::Bytes) { 1 } else { 8 }
    }

    /// The bytes of a block that `elements` of a sequence take. They lie in a block, whose
    /// bytes fit into a `usize`: nothing wraps, or the range lies outside.
    #[inline(always)]
    pub(crate) const fn bytes(&self, elements: Range<usize>) -> Range<usize> {
        let (size, header) = (self.element_bytes(), to_usize(self.header).saturating_mul(8));
        header.saturating_add(elements.start.saturating_mul(size))
            ..header.saturating_add(elements.end.saturating_mul(size))
    }

    /// The words in use in a block, at `len` elements. `room` is that of the slot: the words
    /// of the block, with flags. An object with a header has a block if it has flags.
    #[inline(always)]
    pub(crate) const fn words(&self, len: u32, room: u32) -> usize {
        let body = match self.elements {
            Elements::Bytes => (len as usize).div_ceil(8),
            Elements::Ints | Elements::Floats | Elements::Cells => len as usize,
            Elements::Entries(_) => return to_usize(room & CAP_MAX),
        };
        body.saturating_add(if room == 0 { 0 } else { self.header as usize })
    }
}
