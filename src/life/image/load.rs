//! Making a heap from an image.

use super::{LoadError, MAGIC, Phase, VERSION, fingerprint, refusal};
use crate::arena::{Arenas, Loaded, Source, Unloadable};
use crate::heap::{Heap, Ids, Settings, StoreParts};
use crate::kinds::Str;
use crate::life::content::{are_elements, is_cell, verify_content, verify_value};
use crate::object::TableMut;
use crate::ops::symbols;
use crate::words::{Cell, Elements, HasKind, Kind, to_usize};

type Result<T, E = LoadError<()>> = core::result::Result<T, E>;

/// The largest last serial number: no heap gets near it.
const SERIAL_MAX: u64 = 1 << 62;

/// Reads an image.
pub(super) struct Loader<'s, 'r> {
    source: &'s mut Source<'r>,
}

impl<'s, 'r> Loader<'s, 'r> {
    pub(super) fn new(source: &'s mut Source<'r>) -> Self {
        Loader { source }
    }

    /// Reads the whole image. What is checked of each object is checked before anything
    /// depends on it: its size as it gets its block, its words before the hashes of keys,
    /// the keys of a table as its index is built. Calls `ended` as each phase ends.
    pub(super) fn load(mut self, settings: Settings, mut ended: impl FnMut(Phase)) -> Result<Heap> {
        let [magic, version] = self.words()?;
        if magic != MAGIC {
            return Err(LoadError::NotAnImage);
        }
        if version != VERSION {
            return Err(LoadError::Version(version));
        }
        let [kinds, seed, serial] = self.words()?;
        let [symbols, pins, tokens] = self.words()?;
        let mut heap = Heap::with(settings.generation_seed(seed));
        if kinds != fingerprint(&heap) {
            return Err(LoadError::OtherKinds);
        }
        if serial > SERIAL_MAX {
            return Err(broken("the serial numbers are used up"));
        }
        heap.ids = Ids::after(serial);
        let loaded = self.read_arenas(&mut heap)?;
        ended(Phase::Slots);
        check_objects(&heap, loaded)?;
        ended(Phase::Verify);
        self.read_symbols(&mut heap, symbols)?;
        index_tables(&mut heap)?;
        self.read_pins(&mut heap, pins)?;
        self.read_tokens(&mut heap, tokens)?;
        heap.restart_pacer(true);
        ended(Phase::Indices);
        Ok(heap)
    }

    fn words<const N: usize>(&mut self) -> Result<[u64; N]> {
        self.source.words().map_err(|refused| refusal(None, refused))
    }

    fn read_arenas(&mut self, heap: &mut Heap) -> Result<[Loaded; Arenas::COUNT]> {
        let mut all = [Loaded::default(); Arenas::COUNT];
        let StoreParts { arenas, resources, .. } = heap.store.parts();
        for (arena, loaded) in arenas.iter_mut().zip(&mut all) {
            let kind = Some(arena.kind());
            let read = arena.load(resources, self.source, are_elements);
            *loaded = read.map_err(|refused| refusal(kind, refused))?;
            if kind == Some(Kind::HOST) && arena.usage().live > 0 {
                return Err(refusal(kind, Unloadable::Broken(None, "a host object has no value")));
            }
        }
        Ok(all)
    }

    /// Calls `each` with the words of a list, `N` for each of its `count` elements.
    fn read_list<const N: usize>(
        &mut self,
        count: u64,
        mut each: impl FnMut(&[[u64; N]]) -> Result<()>,
    ) -> Result<()> {
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        while left > 0 {
            let part = self.source.part(left.saturating_mul(N));
            let (elements, _) = part.map_err(|refused| refusal(None, refused))?.as_chunks();
            each(elements)?;
            left = left.saturating_sub(elements.len());
        }
        Ok(())
    }

    fn read_symbols(&mut self, heap: &mut Heap, count: u64) -> Result<()> {
        self.read_list(count, |slots: &[[u64; 1]]| {
            heap.roots.note_frees();
            let refused = symbols::restore(&mut heap.store, slots.as_flattened());
            let Some(slot) = refused.map_err(LoadError::Heap)? else { return Ok(()) };
            let what = "a symbol is no text, or one that has a symbol";
            let slot = u32::try_from(slot).ok();
            Err(refusal(Some(Str::KIND), Unloadable::Broken(slot, what)))
        })
    }

    fn read_pins(&mut self, heap: &mut Heap, count: u64) -> Result<()> {
        self.read_list(count, |pins| {
            pins.iter().try_for_each(|&[bits, times]| {
                let cell = handle(bits)?;
                let account = heap.store.account_mut();
                let restored = heap.roots.restore_pin(account, cell, times);
                if times == 0 || !restored.map_err(LoadError::Heap)? {
                    return Err(broken("an object is pinned not at all, or listed twice"));
                }
                Ok(())
            })
        })
    }

    fn read_tokens(&mut self, heap: &mut Heap, count: u64) -> Result<()> {
        self.read_list(count, |tokens| {
            tokens.iter().try_for_each(|&[bits, token]| {
                let cell = handle(bits)?;
                let account = heap.store.account_mut();
                heap.roots.watch(account, cell, token).map_err(LoadError::Heap)
            })
        })?;
        // Those of freed objects wait to be drained.
        heap.roots.note_all_freed(heap.store.arenas());
        Ok(())
    }
}

/// A fault of no single object.
const fn broken(what: &'static str) -> LoadError<()> {
    LoadError::Broken(super::Fault { kind: None, slot: None, what })
}

/// The handle with these bits.
fn handle(bits: u64) -> Result<Cell> {
    let cell = Cell::raw(bits);
    let is_handle = cell.is_handle() && is_cell(cell);
    is_handle.then_some(cell).ok_or(broken("what is pinned or watched is no handle"))
}

/// Checks the words of all objects, but for the indices of tables. O(payload).
fn check_objects(heap: &Heap, loaded: [Loaded; Arenas::COUNT]) -> Result<()> {
    let arenas = heap.store.arenas();
    for (arena, Loaded { has_values, are_elements }) in arenas.iter().zip(loaded) {
        if are_elements && arena.shape().header == 0 && !has_values {
            continue;
        }
        arena.live().try_for_each(|(cell, slot)| {
            let known = arena.kind() != Kind::SEALED || heap.knows_key(arena, slot);
            let key = if known { Ok(()) } else { Err("a seal is of a key that does not exist") };
            let content = verify_content(arena, slot, are_elements).and(key);
            let value = content.and_then(|()| verify_value(arenas, arena, slot));
            value.map_err(|what| {
                refusal(Some(arena.kind()), Unloadable::Broken(Some(cell.slot()), what))
            })
        })?;
    }
    Ok(())
}

/// Builds the indices of all tables.
fn index_tables(heap: &mut Heap) -> Result<()> {
    let StoreParts { arenas, resources, .. } = heap.store.parts();
    for kind in Kind::ALL {
        let Some(Elements::Entries(stride)) = arenas.get(kind).map(|a| a.shape().elements) else {
            continue;
        };
        let mut end = usize::MAX;
        while let Some(range) = stored_before(arenas, kind, end) {
            end = range.start;
            for index in range.filter_map(|index| u32::try_from(index).ok()) {
                if arenas.get(kind).is_none_or(|arena| arena.live_at(index).is_none()) {
                    continue;
                }
                let stride = to_usize(stride);
                let mut table = TableMut { arenas, resources, kind, index, stride };
                table.load().map_err(|refused| match refused {
                    Unloadable::Broken(_, what) => {
                        refusal(Some(kind), Unloadable::Broken(Some(index), what))
                    }
                    refused => refusal(Some(kind), refused),
                })?;
            }
        }
    }
    Ok(())
}

/// The last indices below `end` whose slots are in memory.
fn stored_before(arenas: &Arenas, kind: Kind, end: usize) -> Option<core::ops::Range<usize>> {
    arenas.get(kind)?.stored_range_before(end)
}
