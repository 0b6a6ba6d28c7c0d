//! [`Arenas`]: one arena for each kind, one for host objects, and one for seals.

use super::{Arena, Born, Resources, Slot, Symbols};
use crate::words::{Cell, Error, HashSeeds, Kind, Result, Shape, corrupt};

/// The seeds of the generations in each arena: numbers of a linear congruential generator.
fn arena_seeds(mut seed: u64) -> impl Iterator<Item = u32> {
    core::iter::repeat_with(move || {
        seed = seed.wrapping_mul(0xD120_2E6F_7653_4E4D).wrapping_add(0x9E37_79B9_7F4A_7C15);
        u32::try_from(seed >> 32).unwrap_or(0)
    })
}

/// The arenas of a heap, in the order of [`Kind::place`]: those of host objects and of
/// seals come first. With them what hashes of keys need, which may lie in any arena.
#[derive(Debug)]
pub(crate) struct Arenas {
    arenas: [Arena; Arenas::COUNT],
    /// From which the seeds of the arenas' generations follow.
    generation_seed: u64,
    hash_seeds: HashSeeds,
    symbols: Symbols,
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
        let mut seeds = arena_seeds(generation_seed);
        let arenas = core::array::from_fn(|place| {
            let kind = Kind::from_place(place);
            let shape = match kind {
                Kind::HOST => &Shape::HOST,
                Kind::SEALED => &Shape::SEAL,
                _ => shapes.get(kind.index()).copied().unwrap_or(&Shape::SEAL),
            };
            Arena::new(kind, shape, seeds.next().unwrap_or(0))
        });
        Arenas { arenas, generation_seed, hash_seeds, symbols: Symbols::new() }
    }

    /// The seed that says where generations start.
    pub(crate) const fn generation_seed(&self) -> u64 {
        self.generation_seed
    }

    /// Whether the generations of each arena start where that seed says: where slots retire
    /// depends on it, so under another one a handle of before might open a later object.
    pub(crate) fn have_seed(&self) -> bool {
        let seeds = arena_seeds(self.generation_seed);
        self.arenas.iter().zip(seeds).all(|(arena, seed)| arena.seed() == seed)
    }

    /// A copy with the same handles and the same hashes. `copy` has been made with the same
    /// seeds, and is empty.
    pub(crate) fn clone_to(&self, copy: &mut Arenas, resources: &mut Resources) -> Result<()> {
        copy.generation_seed = self.generation_seed;
        copy.symbols = self.symbols.try_clone(&mut resources.account)?;
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
