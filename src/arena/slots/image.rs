//! A table of slots in an image. In words of 64 bits:
//!
//! 1. the selector of the arena; the indices of all slots; how many are dense; the first
//!    slot of the free list, or 2^32 - 1;
//! 2. if not all are dense, for each page of 512 the generations that its slots had used
//!    when it was dropped, with 2^32 for a page beyond the dense slots that is stored;
//! 3. two words for each dense slot and each slot of a stored page, as in memory, but that
//!    the offset of a live one is 0.

use alloc::vec::Vec;

use super::sparse::{Page, Sparse};
use super::{NONE, Slot, Slots};
use crate::arena::Resources;
use crate::arena::image::{CHUNK_WORDS, NotWritten, Sink, Source, Unloadable};
use crate::words::{Cell, Generations, object_len, to_u64, to_usize};

/// The bit of a page that is stored.
const STORED: u64 = 1 << 32;
/// The slots that are read at a time.
const CHUNK: usize = CHUNK_WORDS / 2;

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

    pub(in crate::arena) fn save(&self, sink: &mut Sink<'_>) -> Result<(), NotWritten> {
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
            sink.words(&word_pair(slot, Self::is_live(slot)))?;
        }
        Ok(())
    }

    /// Fills an empty table. Keys are not checked yet: [`Slots::settle`] has to follow.
    pub(in crate::arena) fn load(
        &mut self,
        resources: &mut Resources,
        source: &mut Source<'_>,
    ) -> Result<(), Unloadable> {
        let extent = self.load_extent(source)?;
        self.free = extent.free;
        let is_folded = extent.dense < extent.indices;
        if is_folded {
            self.load_pages(resources, source, extent)?;
        }
        self.load_dense(resources, source, extent.dense)?;
        if is_folded {
            self.load_sparse(resources, source, extent)?;
        }
        Ok(())
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
    ) -> Result<(), Unloadable> {
        let indices = self.sparse().map_or(0, Sparse::len);
        resources.add_indices(indices)?;
        let mut retired = 0_u32;
        while self.slots.len() < dense {
            let filled = self.slots.len();
            let len = filled.saturating_add(CHUNK).min(dense);
            resources.reserve_slots(&mut self.slots, len, indices)?;
            read_slots(source, &mut self.slots, len)?;
            let read = self.slots.get(filled..).unwrap_or_default();
            let is_retired = |slot: &&Slot| Generations::<BITS>::is_retired(slot.key);
            retired = retired.saturating_add(object_len(read.iter().filter(is_retired).count())?);
            resources.account.check_slots(self.kind, len, retired)?;
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
    ) -> Result<(), Unloadable> {
        let Some(sparse) = self.sparse_mut() else { return Ok(()) };
        for place in 0..sparse.pages.len() {
            let number = sparse.pages.get(place).copied().unwrap_or(NONE);
            let first = to_usize(number).saturating_mul(Self::PAGE);
            let len = extent.indices.saturating_sub(first).min(Self::PAGE);
            let filled = sparse.slots.len();
            resources.account.reserve(&mut sparse.slots, filled.saturating_add(Self::PAGE))?;
            read_slots(source, &mut sparse.slots, filled.saturating_add(len))?;
            let end = filled.saturating_add(Self::PAGE);
            sparse.slots.resize(end, bytemuck::Zeroable::zeroed());
            sparse.stored = sparse.stored.saturating_add(len);
        }
        resources.account.shrink(&mut sparse.slots, 0);
        Ok(())
    }

    /// Checks the keys and the free list, counts the slots, and calls `place` for each live
    /// one, in their order. O(slots).
    pub(in crate::arena) fn settle(
        &mut self,
        mut place: impl FnMut(&mut Slot) -> Result<(), &'static str>,
    ) -> Result<(), (Option<u32>, &'static str)> {
        let (indices, dense) = (self.len(), self.slots.len());
        let (mut free, mut free_sparse, mut retired) = (0_u32, 0_u32, 0_u32);
        let Slots { slots, sparse, generations, .. } = self;
        let sparse = sparse.as_deref_mut().into_iter().flatten();
        let sparse = sparse.flat_map(|sparse| sparse.slots_mut(dense, Self::PAGE));
        let all = (0_u32..).zip(slots).chain(sparse);
        for (index, slot) in all.filter(|(index, _)| to_usize(*index) < indices) {
            if !generations.is_key(slot.key) {
                return Err((Some(index), "the key is of no slot of this arena"));
            }
            if Self::is_live(slot) {
                place(slot).map_err(|what| (Some(index), what))?;
                continue;
            }
            let in_list = Self::is_free(slot) && to_usize(index) < dense;
            let off = if in_list { slot.off } else { NONE };
            *slot = Slot { key: slot.key, len: 0, off, room: 0 };
            retired = retired.wrapping_add(u32::from(!Self::is_free(slot)));
            free = free.wrapping_add(u32::from(in_list));
            free_sparse = free_sparse.wrapping_add(u32::from(Self::is_free(slot) && !in_list));
        }
        (self.free_len, self.retired) = (free, retired);
        if let Some(sparse) = self.sparse_mut() {
            sparse.free = free_sparse;
        }
        self.verify_free_list()
    }
}

/// Reads slots up to `len` of them, for which there is room.
fn read_slots(
    source: &mut Source<'_>,
    slots: &mut Vec<Slot>,
    len: usize,
) -> Result<(), Unloadable> {
    let filled = slots.len();
    slots.resize(len, bytemuck::Zeroable::zeroed());
    source.bytes(bytemuck::cast_slice_mut(slots.get_mut(filled..).unwrap_or_default()))
}
