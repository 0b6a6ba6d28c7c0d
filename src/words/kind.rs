//! What a kind is: a selector at run time ([`Kind`]), a type at compile time
//! ([`HasKind`]), and a [`Shape`], the layout of its objects in memory. The kinds
//! themselves are defined in `kinds/`.

use super::element::Element;

/// Seals the crate's traits: no type outside can implement them.
pub trait Private {}

/// The kind of an object at run time: the selector of its arena, which every
/// handle carries.
///
/// Each kind is a constant of this type (`Kind::LIST`, …) that can be used as a
/// pattern; [`Kind::ALL`] lists them. [`Cell::kind`](crate::Cell::kind) of a sealed
/// cell displays as `Sealed`, a selector that belongs to no kind as `Spare`.
///
/// ```
/// use segheap::{Heap, Kind, List};
/// let mut heap = Heap::new();
/// let cell = heap.alloc(List::new())?.cell();
/// assert!(matches!(cell.kind(), Some(Kind::LIST)));
/// assert_eq!(Kind::LIST.name(), "List");
/// # Ok::<(), segheap::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(u8);

impl Kind {
    pub(crate) const fn from_selector(selector: u64) -> Kind {
        Kind((selector & 0xF) as u8)
    }

    /// Returns the arena selector, 0..=15: bits 44..=47 of a handle.
    pub const fn selector(self) -> u64 {
        self.0 as u64
    }

    /// The selector of seals, which belong to no kind: the last one, which leaves
    /// all others to kinds.
    pub(crate) const SEALED: Kind = Kind(15);

    /// The kind's index in the list of kinds.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The index of the arena among a heap's arenas. That of seals comes first, so
    /// that finding it takes no branch.
    #[inline(always)]
    pub(crate) const fn place(self) -> usize {
        (self.0.wrapping_add(1) & 0xF) as usize
    }

    /// The kind whose arena has an index among a heap's arenas, or seals.
    pub(crate) const fn from_place(place: usize) -> Kind {
        Kind::from_selector((place as u64).wrapping_sub(1))
    }
}

/// A type that stands for a kind, such as [`List`](crate::List). Each of them is an
/// [`Object`](crate::Object) as well; no other types can be.
pub trait HasKind: Private + Copy + Eq + 'static {
    /// The kind at run time.
    const KIND: Kind;
}

/// The layout of a kind's objects in their blocks: `header` words, then the
/// elements. Tracing, comparison and printing need nothing else of a kind.
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

/// The elements of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Elements {
    Bytes,
    Ints,
    Floats,
    Cells,
    /// Entries of a hash table (`object/table`), of this many cells each.
    Entries(u32),
}

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

    /// The number of words that are cells (or holes), from `header` on.
    #[inline]
    pub(crate) const fn cells(&self, len: u32) -> usize {
        match self.elements {
            Elements::Cells => len as usize,
            Elements::Entries(stride) => (len as usize).saturating_mul(stride as usize),
            _ => 0,
        }
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

    /// The words in use in a block of `cap` words, at `len` elements.
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
