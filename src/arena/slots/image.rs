//! A table of slots in an image. In words of 64 bits:
//!
//! 1. the selector of the arena; the indices of all slots; how many are dense; the first
//!    slot of the free list, or 2^32 - 1;
//! 2. if not all are dense, for each page of 512 the generations that its slots had used
//!    when it was dropped, with 2^32 for a page beyond the dense slots that is stored;
//! 3. two words for each dense slot and each slot of a stored page, as in memory, but that
//!    the offset of a live one is 0.

use super::sparse::{Page, Sparse};
use super::{NONE, Slot, Slots};
use crate::arena::Resources;
use crate::arena::image::{NotWritten, Sink, Source, Unloadable};
use crate::words::{Cell, Generations, object_len, to_u64, to_usize};

/// The bit of a page that is stored.
const STORED: u64 = 1 << 32;

/// A slot as it is written.
fn word_pair(slot: &Slot, is_live: bool) -> [u64; 2] {
    let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    let off = if is_live { 0 } else { slot.off };
    [pair(slot.key, slot.len), pair(off, slot.room)]
}

/// How many slots a table has, and where its free list begins.
#[derive(Clone, Copy)]
struct Extent {
    indices: usize,
    dense: usize,
    free: u32,
}

impl<const BITS: u32> Slots<BITS> {
    pub(in crate::arena) const fn seed(&self) -> u32 {
        self.generations.seed()
    }

    /// Whether a handle of this arena was returned: no object that is allocated later has it.
    pub(in crate::arena) fn is_known(&self, handle: Cell) -> bool {
        let (key, index) = (handle.key(), handle.slot());
        if let Some(slot) = self.get(index) {
            return self.generations.has_had(slot.key, key, index);
        }
        // All slots of a dropped page begin after the generations that one of them has used.
        let page = to_usize(index).checked_div(Self::PAGE).unwrap_or(0);
        let sparse = self.sparse().filter(|_| to_usize(index) < self.len());
        let used = sparse.and_then(|sparse| sparse.directory.get(page)).map_or(0, |page| page.used);
        self.generations.used(key, index) < used
    }

    /// Writes the table, each live slot as `as_saved` returns it.
    pub(in crate::arena) fn save(
        &self,
        sink: &mut Sink<'_>,
        as_saved: impl Fn(Slot) -> Slot,
    ) -> Result<(), NotWritten> {
        let (indices, dense) = (self.len(), self.slots.len());
        let free = u64::from(self.free);
        sink.words(&[self.kind.selector(), to_u64(indices), to_u64(dense), free])?;
        if let Some(sparse) = self.sparse().filter(|_| dense < indices) {
            let beyond = dense.div_ceil(Self::PAGE);
            for (number, page) in sparse.directory.iter().enumerate() {
                let stored = number >= beyond && page.place != NONE;
                sink.words(&[u64::from(page.used) | if stored { STORED } else { 0 }])?;
            }
        }
        let sparse = self.sparse_slots().map(|(_, slot)| slot);
        for slot in self.slots.iter().chain(sparse) {
            let is_live = Self::is_live(slot);
            let slot = if is_live { as_saved(*slot) } else { *slot };
            sink.words(&word_pair(&slot, is_live))?;
        }
        Ok(())
    }

    /// Fills an empty table. Checks the keys and the free list, counts the slots, and calls
    /// `place` for each live one, in their order. O(slots).
    pub(in crate::arena) fn load(
        &mut self,
        resources: &mut Resources,
        source: &mut Source<'_>,
        mut place: impl FnMut(&mut Slot) -> Result<(), &'static str>,
    ) -> Result<(), Unloadable> {
        let extent = self.load_extent(source)?;
        self.free = extent.free;
        let is_folded = extent.dense < extent.indices;
        if is_folded {
            self.load_pages(resources, source, extent)?;
        }
        self.load_dense(resources, source, extent.dense, &mut place)?;
        if is_folded {
            self.load_sparse(resources, source, extent, &mut place)?;
        }
        Ok(self.verify_free_list()?)
    }

    fn load_extent(&self, source: &mut Source<'_>) -> Result<Extent, Unloadable> {
        let [selector, indices, dense, free] = source.words()?;
        if selector != self.kind.selector() {
            return Err(Unloadable::Broken(None, "the slots are of another arena"));
        }
        let is_cut = dense < indices && dense.checked_rem(to_u64(Self::PAGE)) != Some(0);
        if dense > indices || is_cut || indices.max(free) > u64::from(u32::MAX) {
            return Err(Unloadable::Broken(None, "a table of slots has no such size"));
        }
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let free = u32::try_from(free).unwrap_or(NONE);
        Ok(Extent { indices: size(indices), dense: size(dense), free })
    }

    /// Reads the directory of pages.
    fn load_pages(
        &mut self,
        resources: &mut Resources,
        source: &mut Source<'_>,
        extent: Extent,
    ) -> Result<(), Unloadable> {
        let mut boxed = Sparse::boxed(resources)?;
        let [sparse] = &mut *boxed;
        sparse.len = extent.indices;
        for number in 0..extent.indices.div_ceil(Self::PAGE) {
            let [page] = source.words()?;
            let (used, is_stored) = (page & !STORED, page & STORED != 0);
            let used =
                u32::try_from(used).ok().filter(|&used| used <= Generations::<BITS>::USED_MAX);
            let Some(used) =
                used.filter(|_| !is_stored || number >= extent.dense.div_ceil(Self::PAGE))
            else {
                return Err(Unloadable::Broken(None, "the directory of slots is damaged"));
            };
            let mut place = NONE;
            if is_stored {
                place = object_len(sparse.pages.len())?;
                resources.account.reserve(&mut sparse.pages, to_usize(place).saturating_add(1))?;
                sparse.pages.push(object_len(number)?);
            }
            resources.account.reserve(&mut sparse.directory, number.saturating_add(1))?;
            sparse.directory.push(Page { place, used });
        }
        self.sparse = Some(boxed);
        Ok(())
    }

    fn load_dense(
        &mut self,
        resources: &mut Resources,
        source: &mut Source<'_>,
        dense: usize,
        place: &mut impl FnMut(&mut Slot) -> Result<(), &'static str>,
    ) -> Result<(), Unloadable> {
        let indices = self.sparse().map_or(0, Sparse::len);
        resources.add_indices(indices)?;
        while self.slots.len() < dense {
            let filled = self.slots.len();
            let read = read_slots(source, dense.saturating_sub(filled))?;
            let is_retired = |slot: &&Slot| Generations::<BITS>::is_retired(slot.key);
            let retired = object_len(read.iter().filter(is_retired).count())?;
            self.retired = self.retired.saturating_add(retired);
            let len = filled.saturating_add(read.len());
            resources.account.check_slots(self.kind, len, self.retired)?;
            resources.reserve_slots(&mut self.slots, len, indices)?;
            self.slots.extend_from_slice(read);
            let Slots { slots, generations, .. } = self;
            let new = slots.get_mut(filled..).unwrap_or_default();
            let free = settle(generations, object_len(filled)?, new, true, place)?;
            self.free_len = self.free_len.saturating_add(free);
        }
        resources.shrink_slots(&mut self.slots, 0, indices);
        Ok(())
    }

    /// Reads the slots of the stored pages.
    fn load_sparse(
        &mut self,
        resources: &mut Resources,
        source: &mut Source<'_>,
        extent: Extent,
        place: &mut impl FnMut(&mut Slot) -> Result<(), &'static str>,
    ) -> Result<(), Unloadable> {
        let Slots { sparse, generations, retired, .. } = self;
        let Some([sparse]) = sparse.as_deref_mut() else { return Ok(()) };
        for number in 0..sparse.pages.len() {
            let page = sparse.pages.get(number).copied().unwrap_or(NONE);
            let first = to_usize(page).saturating_mul(Self::PAGE);
            let len = extent.indices.saturating_sub(first).min(Self::PAGE);
            let filled = sparse.slots.len();
            let end = filled.saturating_add(Self::PAGE);
            let read = read_slots(source, len)?;
            resources.account.reserve(&mut sparse.slots, end)?;
            sparse.slots.extend_from_slice(read);
            let new = sparse.slots.get_mut(filled..).unwrap_or_default();
            let free = settle(generations, object_len(first)?, new, false, place)?;
            let is_retired = |slot: &&Slot| Generations::<BITS>::is_retired(slot.key);
            *retired = retired.saturating_add(object_len(new.iter().filter(is_retired).count())?);
            sparse.free = sparse.free.saturating_add(free);
            sparse.slots.resize(end, bytemuck::Zeroable::zeroed());
            sparse.stored = sparse.stored.saturating_add(len);
        }
        resources.account.shrink(&mut sparse.slots, 0);
        Ok(())
    }
}

/// Reads the next slots: `len` of them, or as many as are read at a time, a page at least.
fn read_slots<'s>(source: &'s mut Source<'_>, len: usize) -> Result<&'s [Slot], Unloadable> {
    source.part(len.saturating_mul(2)).map(bytemuck::cast_slice)
}

/// Checks the keys of slots that were read, from number `first` on, and calls `place` for each
/// live one. Returns how many are free.
fn settle<const BITS: u32>(
    generations: &Generations<BITS>,
    first: u32,
    slots: &mut [Slot],
    are_dense: bool,
    place: &mut impl FnMut(&mut Slot) -> Result<(), &'static str>,
) -> Result<u32, (Option<u32>, &'static str)> {
    let mut free = 0_u32;
    for (index, slot) in (first..).zip(slots) {
        if !generations.is_key(slot.key) {
            return Err((Some(index), "the key is of no slot of this arena"));
        }
        if Slots::<BITS>::is_live(slot) {
            place(slot).map_err(|what| (Some(index), what))?;
            continue;
        }
        let is_free = Slots::<BITS>::is_free(slot);
        // Those of pages are in no list.
        let off = if is_free && are_dense { slot.off } else { NONE };
        *slot = Slot { key: slot.key, len: 0, off, room: 0 };
        free = free.saturating_add(u32::from(is_free));
    }
    Ok(free)
}
