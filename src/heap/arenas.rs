//! [`Arenas`]: one arena for each kind, and one for seals.

use super::SHAPES;
use crate::arena::{Arena, Slot};
use crate::words::{Cell, Error, Kind, Result, Shape, corrupt};

/// The arenas of a heap, in the order of [`Kind::place`]: the arena of seals is the
/// first.
#[derive(Debug)]
pub(crate) struct Arenas([Arena; Arenas::COUNT]);

/// One arena to write, the others to read: those before it and those after.
pub(crate) type Split<'a> = (&'a [Arena], &'a mut Arena, &'a [Arena]);

impl Arenas {
    pub(crate) const COUNT: usize = Kind::COUNT + 1;

    /// Empty arenas, whose slots start at generations that depend on `seed`. Each arena
    /// gets a number of a linear congruential generator.
    pub(super) fn new(mut seed: u64) -> Arenas {
        Arenas(core::array::from_fn(|place| {
            let kind = Kind::from_place(place);
            let shape = SHAPES.get(kind.index()).copied().unwrap_or(&Shape::SEAL);
            seed = seed.wrapping_mul(0xD120_2E6F_7653_4E4D).wrapping_add(0x9E37_79B9_7F4A_7C15);
            let seed = u32::try_from(seed >> 32).unwrap_or(0);
            Arena::new(kind, shape, seed)
        }))
    }

    /// The arena of a kind; `None` for a spare selector.
    #[inline(always)]
    pub(crate) fn get(&self, kind: Kind) -> Option<&Arena> {
        self.0.get(kind.place())
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, kind: Kind) -> Option<&mut Arena> {
        self.0.get_mut(kind.place())
    }

    /// The arena that a handle refers to; unspecified for other cells.
    #[inline(always)]
    pub(crate) fn of(&self, cell: Cell) -> Option<&Arena> {
        self.get(cell.selector())
    }

    #[inline]
    pub(crate) const fn as_slice(&self) -> &[Arena] {
        &self.0
    }

    pub(crate) fn iter(&self) -> core::slice::Iter<'_, Arena> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> core::slice::IterMut<'_, Arena> {
        self.0.iter_mut()
    }

    /// What `each` returns of every arena.
    pub(crate) fn each<T>(&self, each: impl FnMut(&Arena) -> T) -> [T; Arenas::COUNT] {
        self.0.each_ref().map(each)
    }

    /// The arena of a kind to write, the others to read.
    ///
    /// # Errors
    /// [`Error::NotAHandle`] for a spare selector.
    #[inline(always)]
    pub(crate) fn split(&mut self, kind: Kind) -> Result<Split<'_>> {
        let halves = self.0.split_at_mut_checked(kind.place());
        let (before, rest) = halves.ok_or(Error::NotAHandle)?;
        let (arena, after) = rest.split_first_mut().ok_or(Error::NotAHandle)?;
        Ok((before, arena, after))
    }

    /// The arenas of two different kinds: one to read, one to write.
    #[inline(always)]
    pub(crate) fn read_and_write(&mut self, from: Kind, to: Kind) -> Result<(&Arena, &mut Arena)> {
        let both = self.0.get_disjoint_mut([from.place(), to.place()]);
        let [from, to] = both.map_err(|_| corrupt())?;
        Ok((from, to))
    }

    /// Whether a cell is the handle of a live object or of a live seal.
    #[inline(always)]
    pub(crate) fn contains(&self, cell: Cell) -> bool {
        self.of(cell).is_some_and(|arena| arena.contains(cell))
    }

    /// The arena of a live object, and its slot.
    ///
    /// # Errors
    /// [`Error::NotAHandle`] if the cell is no handle; [`Error::Stale`] if the object
    /// was freed.
    #[inline]
    pub(crate) fn open(&self, cell: Cell) -> Result<(&Arena, Slot)> {
        let kind = cell.kind().ok_or(Error::NotAHandle)?;
        let arena = self.get(kind).ok_or(Error::Stale { kind })?;
        let slot = arena.find(cell).ok_or(Error::Stale { kind })?;
        Ok((arena, slot))
    }

    /// Bytes in blocks of live objects.
    pub(crate) fn payload_bytes(&self) -> u64 {
        self.iter().map(|arena| arena.usage().payload_bytes).sum()
    }
}
