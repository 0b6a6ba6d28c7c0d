//! What a kind is: a selector at run time ([`Kind`]), a type at compile
//! time ([`HasKind`]), a [`Shape`] that says how its objects lie in memory. The
//! kinds themselves live in `kinds/`.

/// Keeps the crate's traits from being implemented outside.
pub trait Private {}

/// The kind of an object, as its handle tells it: the selector of an arena.
///
/// The twelve kinds are constants of this type (`Kind::LIST`, …), usable in
/// patterns; selectors that belong to no kind print as `Spare`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(u8);

impl Kind {
    pub(crate) const fn from_selector(selector: u64) -> Kind {
        Kind((selector & 0xF) as u8)
    }

    /// The arena selector, 0..=15, as it stands in bits 44..=47 of a handle.
    pub const fn selector(self) -> u64 {
        self.0 as u64
    }

    /// The selector of seals, which belong to no kind: the last one, so that
    /// kinds may take all others.
    pub(crate) const SEALED: Kind = Kind(15);

    /// Place in the list of kinds.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Place of the arena among a heap's arenas: that of seals is the first, so
    /// that no branch is needed to find it.
    #[inline(always)]
    pub(crate) const fn place(self) -> usize {
        (self.0.wrapping_add(1) & 0xF) as usize
    }

    /// The kind, or seals, whose arena has a place.
    pub(crate) const fn from_place(place: usize) -> Kind {
        Kind::from_selector((place as u64).wrapping_sub(1))
    }
}

/// A type that stands for a kind; the list of the twelve gives each its
/// selector. [`Object`](crate::Object) says the rest.
pub trait HasKind: Private + Copy + Eq + 'static {
    /// The same at run time.
    const KIND: Kind;
}
