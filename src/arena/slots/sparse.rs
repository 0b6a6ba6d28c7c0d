//! [`Sparse`]: the slots beyond the dense table, by page, after a peak.
//!
//! A table that has held many more objects than are live is folded: it keeps its
//! first slots, and of the rest those pages in which a slot is live or retired. Slots
//! do not move, as handles are indices. A page that leaves takes its history along:
//! the directory keeps the largest number of generations that a slot of it has used,
//! and all its slots begin there when the page returns, so that no handle of before
//! refers to an object of later.
//!
//! The dense table is searched first, so a heap that has not been folded pays nothing.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::{NONE, Resources, Slot, Slots};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Result, corrupt, object_len, to_u64, to_usize};

/// Tables below this number of slots are not folded: 1 MiB.
const FOLDED_MIN: usize = 1 << 16;
/// The factor by which folding has to shrink a table.
const FOLDED_FACTOR: usize = 4;

/// A `Sparse` on the heap. An array of one, since the allocation of a `Box` cannot fail
/// without an abort, and that of a `Vec` can.
pub(super) type BoxedSparse = Box<[Sparse; 1]>;

/// The pages beyond the dense table.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    /// The stored pages, the last of them padded with zero slots.
    pub(super) slots: Vec<Slot>,
    /// All pages of the arena, those of the dense table among them.
    pub(super) directory: Vec<Page>,
    /// The numbers of the stored pages, by place, ascending.
    pub(super) pages: Vec<u32>,
    /// The slots of all pages.
    pub(super) len: usize,
    /// The slots of stored pages beyond the dense table.
    pub(super) stored: usize,
    /// The free ones among them.
    pub(super) free: u32,
}

/// A page beyond the dense table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// Its position among the stored pages, or `NONE` for a page without slots in use.
    pub(super) place: u32,
    /// The most generations that one of its slots had used when it was dropped last.
    pub(super) used: u32,
}

impl Sparse {
    /// An empty one.
    pub(super) fn boxed(resources: &mut Resources) -> Result<BoxedSparse> {
        resources.account.boxed(Sparse::default())
    }

    /// A copy on this account.
    pub(super) fn try_clone(&self, resources: &mut Resources) -> Result<BoxedSparse> {
        let mut boxed = Sparse::boxed(resources)?;
        let account = &mut resources.account;
        let [copy] = &mut *boxed;
        *copy = Sparse {
            slots: account.copied(&self.slots)?,
            directory: account.copied(&self.directory)?,
            pages: account.copied(&self.pages)?,
            len: self.len,
            stored: self.stored,
            free: self.free,
        };
        Ok(boxed)
    }

    /// Frees all pages.
    fn give_back(&mut self, resources: &mut Resources) {
        self.slots.clear();
        self.directory.clear();
        self.pages.clear();
        resources.account.shrink(&mut self.slots, 0);
        resources.account.shrink(&mut self.pages, 0);
        resources.account.shrink(&mut self.directory, 0);
        (self.len, self.stored, self.free) = (0, 0, 0);
    }

    /// The bytes requested.
    pub(super) fn reserved_bytes(&self) -> u64 {
        let slots = self.slots.capacity().saturating_mul(size_of::<Slot>());
        let directory = self.directory.capacity().saturating_mul(size_of::<Page>());
        let pages = self.pages.capacity().saturating_mul(size_of::<u32>());
        let vectors = slots.saturating_add(directory).saturating_add(pages);
        to_u64(vectors.saturating_add(size_of::<Sparse>()))
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn stored(&self) -> usize {
        self.stored
    }

    pub(super) const fn free(&self) -> u32 {
        self.free
    }

    /// Counts a slot that is free again.
    pub(super) const fn note_free(&mut self) {
        self.free = self.free.wrapping_add(1);
    }

    /// The position of a slot among the stored ones.
    fn position(&self, index: usize, page_len: usize) -> Option<usize> {
        let (page, offset) = (index.checked_div(page_len)?, index.checked_rem(page_len)?);
        let place = self.directory.get(page)?.place;
        let is_stored = index < self.len && place != NONE;
        is_stored.then(|| to_usize(place).saturating_mul(page_len).saturating_add(offset))
    }

    /// The stored slots beyond the first `dense`, with their indices.
    pub(super) fn slots_mut(
        &mut self,
        dense: usize,
        page_len: usize,
    ) -> impl Iterator<Item = (u32, &mut Slot)> {
        let pages = self.pages.iter().map(move |&page| to_usize(page).saturating_mul(page_len));
        let pages = pages.zip(self.slots.chunks_mut(page_len));
        pages
            .filter(move |&(first, _)| first >= dense)
            .flat_map(|(first, slots)| (u32::try_from(first).unwrap_or(NONE)..).zip(slots))
    }

    /// The stored slots of a page; none if it was dropped.
    fn page(&self, page: usize, range: Range<usize>, page_len: usize) -> &[Slot] {
        let place = self.directory.get(page).map_or(NONE, |page| page.place);
        if place == NONE {
            return &[];
        }
        let start = to_usize(place).saturating_mul(page_len);
        self.slots.get(start..start.saturating_add(range.len())).unwrap_or_default()
    }
}

/// Frees the box of a `Sparse` that has no pages.
fn unbox(resources: &mut Resources, boxed: BoxedSparse) {
    resources.account.unbox(boxed);
}

/// The number of free slots.
fn count_free<const BITS: u32>(slots: &[Slot]) -> u32 {
    let free = slots.iter().filter(|slot| Slots::<BITS>::is_free(slot)).count();
    u32::try_from(free).unwrap_or(NONE)
}

/// Slots beyond the dense table.
impl<const BITS: u32> Slots<BITS> {
    /// The slots of a page: 8 KiB. Two in exhaustive tests, whose generations are short.
    pub(in crate::arena) const PAGE: usize = if BITS < 12 { 2 } else { 512 };

    pub(super) fn sparse(&self) -> Option<&Sparse> {
        self.sparse.as_deref().map(|[sparse]| sparse)
    }

    pub(super) fn sparse_mut(&mut self) -> Option<&mut Sparse> {
        self.sparse.as_deref_mut().map(|[sparse]| sparse)
    }

    /// A slot beyond the dense table.
    #[cold]
    #[inline(never)]
    pub(super) fn get_sparse(&self, index: u32) -> Option<&Slot> {
        let sparse = self.sparse()?;
        sparse.slots.get(sparse.position(to_usize(index), Self::PAGE)?)
    }

    /// [`Slots::get_sparse`], to write to.
    #[cold]
    #[inline(never)]
    pub(super) fn get_sparse_mut(&mut self, index: u32) -> Option<&mut Slot> {
        let sparse = self.sparse_mut()?;
        let position = sparse.position(to_usize(index), Self::PAGE)?;
        sparse.slots.get_mut(position)
    }

    /// The indices of a page.
    fn page_range(&self, page: usize) -> Range<usize> {
        let start = page.saturating_mul(Self::PAGE);
        start..start.saturating_add(Self::PAGE).min(self.len())
    }

    /// The slots of a page; none if it was dropped.
    fn page(&self, page: usize) -> &[Slot] {
        let range = self.page_range(page);
        match self.slots.get(range.clone()) {
            Some(slots) => slots,
            None => self.sparse().map_or(&[], |sparse| sparse.page(page, range, Self::PAGE)),
        }
    }

    /// The pages that begin in the dense table or at its end. A page is never cut by the
    /// end of the table while others follow.
    fn dense_pages(&self) -> usize {
        self.slots.len().div_ceil(Self::PAGE)
    }

    fn pages(&self) -> usize {
        self.len().div_ceil(Self::PAGE)
    }

    /// The stored pages beyond the dense table, by number, ascending.
    fn stored_pages(&self) -> &[u32] {
        let pages = self.sparse().map_or(&[][..], |sparse| &sparse.pages);
        let dense = self.dense_pages();
        let first = pages.partition_point(|&page| to_usize(page) < dense);
        pages.get(first..).unwrap_or_default()
    }

    /// The last stored slots that end at `end` or before it: a page, or the dense table.
    pub(in crate::arena) fn range_before(&self, end: usize) -> Option<Range<usize>> {
        let pages = self.stored_pages();
        let before = pages.partition_point(|&page| self.page_range(to_usize(page)).end <= end);
        let page = before.checked_sub(1).and_then(|last| pages.get(last));
        let dense = 0..self.slots.len().min(end);
        let range = page.map_or(dense, |&page| self.page_range(to_usize(page)));
        (!range.is_empty()).then_some(range)
    }

    /// The first stored slots from `start` on: of the dense table, or of a page.
    pub(in crate::arena) fn range_from(&self, start: usize) -> Option<Range<usize>> {
        if start < self.slots.len() {
            return Some(start..self.slots.len());
        }
        let pages = self.stored_pages();
        let before = pages.partition_point(|&page| self.page_range(to_usize(page)).end <= start);
        let range = self.page_range(to_usize(*pages.get(before)?));
        Some(range.start.max(start)..range.end)
    }

    /// The slots of a part of [`Slots::range_from`].
    pub(in crate::arena) fn stored_in(&self, range: Range<usize>) -> &[Slot] {
        if let Some(slots) = self.slots.get(range.clone()) {
            return slots;
        }
        let page = range.start.checked_div(Self::PAGE).unwrap_or(0);
        let first = page.saturating_mul(Self::PAGE);
        let range = range.start.saturating_sub(first)..range.end.saturating_sub(first);
        self.page(page).get(range).unwrap_or_default()
    }

    /// The slots of all stored pages beyond the dense table, with their indices.
    pub(super) fn sparse_slots(&self) -> impl Iterator<Item = (u32, &Slot)> {
        self.stored_pages().iter().flat_map(|&page| {
            let first = u32::try_from(self.page_range(to_usize(page)).start).unwrap_or(NONE);
            (first..).zip(self.page(to_usize(page)))
        })
    }

    /// Gives up what the table does not need after a collection: folds it if it has
    /// grown far beyond the objects that are live. Does nothing if memory for that is
    /// refused. O(1) or O(slots).
    pub(in crate::arena) fn fold(&mut self, resources: &mut Resources) {
        if self.slots.len() == self.len() {
            self.drop_sparse(resources);
        }
        let counts = self.counts();
        let in_use = to_usize(counts.live).saturating_add(to_usize(counts.retired));
        let dense = in_use.saturating_mul(2).max(1).next_multiple_of(Self::PAGE);
        let most = self.stored() / FOLDED_FACTOR;
        if self.stored() >= FOLDED_MIN && dense <= most.min(self.slots.len()) {
            // A table that memory is refused for stays as it is.
            let _ = self.fold_to(resources, dense, most.saturating_sub(dense));
        }
    }

    /// Frees pages that have all returned to the table.
    fn drop_sparse(&mut self, resources: &mut Resources) {
        if let Some(mut boxed) = self.sparse.take() {
            boxed.iter_mut().for_each(|sparse| sparse.give_back(resources));
            unbox(resources, boxed);
        }
    }

    /// Cuts the dense table to its first `dense` slots, a multiple of a page, and moves
    /// later pages in use to sparse ones, unless they have more than `most` slots.
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`]. Nothing has changed then.
    pub(in crate::arena) fn fold_to(
        &mut self,
        resources: &mut Resources,
        dense: usize,
        most: usize,
    ) -> Result<()> {
        if dense > self.slots.len() || dense.checked_rem(Self::PAGE) != Some(0) {
            return Err(corrupt());
        }
        let mut boxed = Sparse::boxed(resources)?;
        let [sparse] = &mut *boxed;
        let filled = self.fill_sparse(resources, sparse, dense, most);
        if filled != Ok(true) {
            sparse.give_back(resources);
            unbox(resources, boxed);
            return filled.map(drop);
        }
        let len = self.len();
        self.drop_sparse(resources);
        self.sparse = Some(boxed);
        self.slots.truncate(dense);
        resources.shrink_slots(&mut self.slots, dense, len);
        (self.free, self.free_len) = (NONE, 0);
        self.link_free(0);
        Ok(())
    }

    /// Fills `sparse` for a dense table of `dense` slots. Returns whether its pages have
    /// no more than `most` slots; it is to be given back otherwise, and after an error.
    fn fill_sparse(
        &self,
        resources: &mut Resources,
        sparse: &mut Sparse,
        dense: usize,
        most: usize,
    ) -> Result<bool> {
        self.list_pages(resources, sparse, dense, most)?;
        let slots = sparse.pages.len().saturating_mul(Self::PAGE);
        if slots > most {
            return Ok(false);
        }
        resources.account.reserve(&mut sparse.slots, slots)?;
        self.copy_pages(sparse);
        Ok(true)
    }

    /// Lists the pages in the directory of `sparse`: those from slot `dense` on that have
    /// slots in use get places. Stops when these have more than `most` slots. O(slots).
    fn list_pages(
        &self,
        resources: &mut Resources,
        sparse: &mut Sparse,
        dense: usize,
        most: usize,
    ) -> Result<()> {
        resources.account.reserve(&mut sparse.directory, self.pages())?;
        sparse.len = self.len();
        for page in 0..self.pages() {
            if sparse.pages.len().saturating_mul(Self::PAGE) > most {
                break;
            }
            let before = self.sparse().and_then(|sparse| sparse.directory.get(page));
            let mut entry = Page { place: NONE, used: before.map_or(0, |page| page.used) };
            if page >= dense.div_ceil(Self::PAGE) {
                let slots = self.page(page);
                let first = object_len(self.page_range(page).start)?;
                if slots.iter().all(Self::is_free) {
                    let used = (first..).zip(slots);
                    let used = used.map(|(index, slot)| self.generations.used(slot.key, index));
                    entry.used = used.fold(entry.used, u32::max);
                } else {
                    entry.place = object_len(sparse.pages.len())?;
                    let len = sparse.pages.len().saturating_add(1);
                    resources.account.reserve(&mut sparse.pages, len)?;
                    sparse.pages.push(object_len(page)?);
                }
            }
            sparse.directory.push(entry);
        }
        Ok(())
    }

    /// Copies the pages that have places in `sparse`, which has room for them.
    fn copy_pages(&self, sparse: &mut Sparse) {
        for &page in &sparse.pages {
            let slots = self.page(to_usize(page));
            sparse.slots.extend_from_slice(slots);
            let end = sparse.slots.len().next_multiple_of(Self::PAGE);
            sparse.slots.resize(end, bytemuck::Zeroable::zeroed());
            sparse.stored = sparse.stored.saturating_add(slots.len());
            sparse.free = sparse.free.wrapping_add(count_free::<BITS>(slots));
        }
    }

    /// Returns the first page beyond the dense table to it.
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`]; what has been reserved by then, the
    /// caller gives back.
    pub(super) fn return_page(&mut self, resources: &mut Resources) -> Result<()> {
        let (page, first, len) = (self.dense_pages(), self.slots.len(), self.len());
        let range = self.page_range(page);
        resources.reserve_slots(&mut self.slots, range.end, len)?;
        let indices = object_len(range.start)?..object_len(range.end)?;
        let Slots { sparse, slots, generations, .. } = self;
        let Some([sparse]) = sparse.as_deref_mut() else { return Err(corrupt()) };
        let stored = sparse.page(page, range, Self::PAGE);
        if stored.is_empty() {
            let used = sparse.directory.get(page).map_or(0, |page| page.used);
            slots.extend(indices.map(|index| {
                let key = generations.advanced(index, used);
                Slot { key, len: 0, off: NONE, room: 0 }
            }));
        } else {
            slots.extend_from_slice(stored);
            let (free, len) = (count_free::<BITS>(stored), stored.len());
            sparse.free = sparse.free.wrapping_sub(free);
            sparse.stored = sparse.stored.saturating_sub(len);
        }
        resources.account.note_moved();
        self.link_free(first);
        Ok(())
    }

    /// Undoes [`Slots::return_page`] for the pages from slot `dense` on.
    pub(super) fn leave_pages(&mut self, dense: usize) {
        let Slots { sparse, slots, .. } = self;
        let Some([sparse]) = sparse.as_deref_mut() else { return };
        // New slots may follow the last page, which may be a part of one.
        let returned = slots.get(dense..sparse.len.min(slots.len())).unwrap_or_default();
        for (page, slots) in (dense.div_ceil(Self::PAGE)..).zip(returned.chunks(Self::PAGE)) {
            let place = sparse.directory.get(page).map_or(NONE, |page| page.place);
            if place == NONE {
                continue;
            }
            let start = to_usize(place).saturating_mul(Self::PAGE);
            if let Some(stored) = sparse.slots.get_mut(start..start.saturating_add(slots.len())) {
                stored.copy_from_slice(slots);
                sparse.stored = sparse.stored.saturating_add(slots.len());
                sparse.free = sparse.free.wrapping_add(count_free::<BITS>(slots));
            }
        }
    }

    /// Checks the pages and their counts.
    ///
    /// # Errors
    /// A description of the first fault.
    pub(super) fn verify_sparse(&self) -> Result<(), &'static str> {
        let Some(sparse) = self.sparse() else { return Ok(()) };
        let pages = sparse.len.div_ceil(Self::PAGE);
        let is_cut =
            self.slots.len() < sparse.len && self.slots.len().checked_rem(Self::PAGE) != Some(0);
        if sparse.directory.len() != pages || is_cut {
            return Err("the directory of slots is damaged");
        }
        let mut stored = 0_usize;
        for page in self.dense_pages()..pages {
            let place = sparse.directory.get(page).map_or(NONE, |page| page.place);
            let range = self.page_range(page);
            if place != NONE && sparse.page(page, range.clone(), Self::PAGE).len() != range.len() {
                return Err("a page of slots is missing");
            }
            stored = stored.saturating_add(self.page(page).len());
        }
        let free = self.sparse_slots().filter(|(_, slot)| Self::is_free(slot)).count();
        if (stored, free) != (sparse.stored, to_usize(sparse.free)) {
            return Err("the slots of pages are miscounted");
        }
        Ok(())
    }
}
