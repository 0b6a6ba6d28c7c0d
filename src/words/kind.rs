//! What a kind is: a selector at run time ([`Kind`]), a type at compile time
//! ([`HasKind`]), and a [`Shape`], the layout of its objects in memory. The kinds
//! themselves are defined in `kinds/`.

/// Seals the crate's traits: no type outside can implement them.
pub trait Private {}

/// The kind of an object at run time: the selector of its arena, which every
/// handle carries.
///
/// Each kind is a constant of this type (`Kind::LIST`, …) that can be used as a
/// pattern; [`Kind::ALL`] lists them. [`Cell::kind`](crate::Cell::kind) of a sealed
/// cell displays as `Sealed`, of a host object as `Host`, a selector that belongs to
/// neither as `Spare`.
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

    /// The selector of host objects, which belong to no kind.
    pub(crate) const HOST: Kind = Kind(14);

    /// The arenas of no kind.
    pub(crate) const OTHERS: usize = 2;

    /// The index of the arena among a heap's arenas. Those of no kind come first, so
    /// that finding it takes no branch.
    #[inline(always)]
    pub(crate) const fn place(self) -> usize {
        (self.0.wrapping_add(2) & 0xF) as usize
    }

    /// The kind whose arena has an index among a heap's arenas, or that of host objects
    /// or seals.
    pub(crate) const fn from_place(place: usize) -> Kind {
        Kind::from_selector((place as u64).wrapping_sub(2))
    }
}

/// A type that stands for a kind, such as [`List`](crate::List). Each of them is an
/// [`Object`](crate::Object) as well; no other types can be.
pub trait HasKind: Private + Copy + Eq + 'static {
    /// The kind at run time.
    const KIND: Kind;
}
