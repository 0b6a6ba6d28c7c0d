//! [`Arenas`]: one arena for each kind, one for host objects, and one for seals.

use super::{Arena, Born, Resources, Slot, Symbols, halves};
use crate::words::{Cell, Error, HashSeeds, KeyBy, Kind, Result, Shape, corrupt};

/// The factor of the linear congruential generator whose numbers are the seeds of generations.
const FACTOR: u64 = 0xD120_2E6F_7653_4E4D;
/// The inverse of the factor modulo 2^64: by Newton's method, which doubles the right bits.
const INVERSE: u64 = {
    let (mut inverse, mut bits) = (FACTOR, 3_u32);
    while bits < 64 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(inverse)));
        bits = bits.saturating_mul(2);
    }
    inverse
};
const _: () = assert!(FACTOR.wrapping_mul(INVERSE) == 1);
/// What the generator adds.
const INCREMENT: u64 = 0x9E37_79B9_7F4A_7C15;

/// The numbers of the generator after a seed. The high halves of the first ones are the seeds
/// of the generations in each arena.
fn numbers(mut seed: u64) -> impl Iterator<Item = (u32, u32)> {
    core::iter::repeat_with(move || {
        seed = seed.wrapping_mul(FACTOR).wrapping_add(INCREMENT);
        halves(seed)
    })
}

/// The arenas of a heap, in the order of [`Kind::place`]: those of host objects and of
/// seals come first. With them what hashes of keys need, which may lie in any arena.
#[derive(Debug)]
pub(crate) struct Arenas {
    arenas: [Arena; Arenas::COUNT],
    hash_seeds: HashSeeds,
    symbols: Symbols,
    /// Whether a cycle sweeps: white objects are garbage.
    is_sweeping: bool,
    /// The low half of the number of which the first arena has the high one: from both the
    /// seed follows of which all seeds of generations are made.
    seed_rest: u32,
}

impl Arenas {
    pub(crate) const COUNT: usize = Kind::COUNT + Kind::OTHERS;

    /// Empty arenas of the kinds of these shapes, of host objects and of seals. Their slots
    /// start at generations that depend on the seed.
    pub(crate) fn new(
        shapes: &[&'static Shape; Kind::COUNT],
        generation_seed: u64,
        hash_seeds: HashSeeds,
    ) -> Arenas {
        let mut seeds = numbers(generation_seed).map(|(high, _)| high);
        let arenas = core::array::from_fn(|place| {
            let kind = Kind::from_place(place);
            let shape = match kind {
                Kind::HOST => &Shape::HOST,
                Kind::SEALED => &Shape::SEAL,
                _ => shapes.get(kind.index()).copied().unwrap_or(&Shape::SEAL),
            };
            Arena::new(kind, shape, seeds.next().unwrap_or(0))
        });
        let seed_rest = numbers(generation_seed).next().map_or(0, |(_, low)| low);
        Arenas { arenas, hash_seeds, symbols: Symbols::new(), is_sweeping: false, seed_rest }
    }

    /// The seed that says where generations start.
    pub(crate) fn generation_seed(&self) -> u64 {
        let high = self.arenas.first().map_or(0, Arena::seed);
        let number = u64::from(high) << 32 | u64::from(self.seed_rest);
        number.wrapping_sub(INCREMENT).wrapping_mul(INVERSE)
    }

    /// Whether the generations of each arena start where that seed says: where slots retire
    /// depends on it, so under another one a handle of before might open a later object.
    pub(crate) fn have_seed(&self) -> bool {
        let seeds = numbers(self.generation_seed());
        self.arenas.iter().zip(seeds).all(|(arena, (seed, _))| arena.seed() == seed)
    }

    /// A copy with the same handles and the same hashes. `copy` has been made with the same
    /// seeds, and is empty.
    pub(crate) fn clone_to(&self, copy: &mut Arenas, resources: &mut Resources) -> Result<()> {
        copy.seed_rest = self.seed_rest;
        copy.symbols = self.symbols.try_clone(&mut resources.account)?;
        copy.is_sweeping = self.is_sweeping;
        for (from, to) in self.arenas.iter().zip(&mut copy.arenas) {
            *to = from.try_clone(resources)?;
        }
        Ok(())
    }

    /// The seeds of the hashes of keys.
    #[inline(always)]
    pub(crate) const fn hash_seeds(&self) -> &HashSeeds {
        &self.hash_seeds
    }

    /// The texts that are symbols.
    #[inline(always)]
    pub(crate) const fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The texts that are symbols, and the arena of their kind.
    pub(crate) fn symbols_mut(&mut self, texts: Kind) -> Result<(&mut Symbols, &Arena)> {
        let arena = self.arenas.get(texts.place()).ok_or_else(corrupt)?;
        Ok((&mut self.symbols, arena))
    }

    /// Forgets the symbols, all of which were freed.
    pub(crate) fn clear_symbols(&mut self) {
        self.symbols.clear();
    }

    /// The arena of a kind; `None` for a spare selector.
    #[inline(always)]
    pub(crate) fn get(&self, kind: Kind) -> Option<&Arena> {
        self.arenas.get(kind.place())
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, kind: Kind) -> Option<&mut Arena> {
        self.arenas.get_mut(kind.place())
    }

    /// The arena that the handle of an object refers to; `None` for other cells, and for
    /// spare selectors. One compare.
    #[inline(always)]
    pub(crate) fn of_handle_mut(&mut self, cell: Cell) -> Option<&mut Arena> {
        let [_hosts, _seals, kinds @ ..] = &mut self.arenas;
        kinds.get_mut(cell.index_of_kind())
    }

    /// The arena that a handle refers to; unspecified for other cells.
    #[inline(always)]
    pub(crate) fn of(&self, cell: Cell) -> Option<&Arena> {
        self.get(cell.selector())
    }

    pub(crate) fn iter(&self) -> core::slice::Iter<'_, Arena> {
        self.arenas.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> core::slice::IterMut<'_, Arena> {
        self.arenas.iter_mut()
    }

    /// What `each` returns of every arena.
    pub(crate) fn each<T>(&self, each: impl FnMut(&Arena) -> T) -> [T; Arenas::COUNT] {
        self.arenas.each_ref().map(each)
    }

    /// The arenas of two different kinds: one to read, one to write.
    #[inline(always)]
    pub(crate) fn read_and_write(&mut self, from: Kind, to: Kind) -> Result<(&Arena, &mut Arena)> {
        let both = self.arenas.get_disjoint_mut([from.place(), to.place()]);
        let [from, to] = both.map_err(|_| corrupt())?;
        Ok((from, to))
    }

    /// Notes that cells are stored in the object in slot `index` if a collection scans that
    /// in parts and has scanned it: the objects stored become grey, instead of this one,
    /// which would be scanned anew. Returns whether it is such an object. `born` is the state
    /// of new objects.
    #[inline(always)]
    pub(crate) fn note_stored(
        &mut self,
        born: Born,
        kind: Kind,
        index: u32,
        cells: &[Cell],
    ) -> bool {
        let is_black = self.get(kind).is_some_and(|arena| arena.states().is_black(index));
        is_black && self.note_stored_in_black(born, kind, index, cells)
    }

    /// [`Arenas::note_stored`] in a black object.
    #[cold]
    #[inline(never)]
    fn note_stored_in_black(&mut self, born: Born, kind: Kind, index: u32, cells: &[Cell]) -> bool {
        let in_parts = self.get(kind).is_some_and(|arena| arena.is_scanned_in_parts(index));
        if in_parts {
            cells.iter().for_each(|&cell| self.shade_stored(born, cell));
        }
        in_parts
    }

    /// Makes an object grey if it is white; not while a cycle sweeps, when white objects are
    /// garbage.
    pub(crate) fn shade_stored(&mut self, born: Born, cell: Cell) {
        let arena = self.get_mut(cell.selector());
        let arena = arena.filter(|_| cell.is_handle() && born == Born::WHITE);
        if let Some(arena) = arena.filter(|arena| arena.states().is_kept() && arena.contains(cell))
            && arena.states().is_white(cell.slot())
        {
            arena.states_mut().shade(cell.slot());
        }
    }

    /// Whether a cell is the handle of a live object or of a live seal.
    #[inline(always)]
    pub(crate) fn contains(&self, cell: Cell) -> bool {
        self.of(cell).is_some_and(|arena| arena.contains(cell))
    }

    /// Has white objects be garbage from here on, or not.
    pub(crate) const fn set_sweeping(&mut self, is_sweeping: bool) {
        self.is_sweeping = is_sweeping;
    }

    /// Whether a cycle that is sweeping has found the live object of a handle to be
    /// garbage.
    #[inline]
    pub(crate) fn is_doomed(&self, cell: Cell) -> bool {
        let is_white = |arena: &Arena| arena.states().is_known_white(cell.slot());
        self.is_sweeping && self.of(cell).is_some_and(is_white)
    }

    /// Whether a handle is that of an object which is live or was freed: none that is allocated
    /// later has it.
    pub(crate) fn is_known(&self, handle: Cell) -> bool {
        self.of(handle).is_some_and(|arena| arena.is_known(handle))
    }

    /// Whether a weak table holds this key weakly: an object with an identity. Others are
    /// values, which no collection tells from an equal one.
    #[inline]
    pub(crate) fn is_weak_key(&self, key: Cell) -> bool {
        let arena = self.of(key).filter(|_| key.is_handle());
        let by_identity = arena.filter(|arena| arena.shape().key == KeyBy::Identity);
        by_identity.is_some_and(|arena| arena.find(key).is_none_or(|slot| !slot.is_value()))
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

    /// Bytes of the slots of live objects, those of seals included.
    pub(crate) fn used_slot_bytes(&self) -> u64 {
        let live: u64 = self.iter().map(|arena| u64::from(arena.usage().live)).sum();
        live.saturating_mul(16)
    }

    /// Bytes of the slots in memory.
    pub(crate) fn slot_bytes(&self) -> u64 {
        self.iter().map(Arena::slot_bytes).sum()
    }
}
