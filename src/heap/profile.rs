//! [`Profile`]: which sites of the program allocate what.
//!
//! A heap without a profile does nothing for it. With one, the allocation log is never
//! ready, so that each allocation takes the path of the few that have to make room in the
//! log. A tag by slot, of the key and the row, tells whether the object of a slot is the one
//! that a row has counted: freeing an object takes no part in that.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::arena::{Account, Arenas, Index, Indexed};
use crate::words::{Cell, Kind, to_u64, to_usize};

/// No row.
const NONE: u32 = u32::MAX;

/// Objects, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SiteCount {
    /// The number of objects.
    pub objects: u64,
    /// Bytes of their blocks, and 16 for the slot of each.
    pub bytes: u64,
}

impl SiteCount {
    fn add(&mut self, words: u32) {
        self.objects = self.objects.saturating_add(1);
        let bytes = u64::from(words).saturating_mul(8).saturating_add(16);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What one site has allocated of one kind; returned by
/// [`AllocationProfile::sites`](crate::AllocationProfile::sites).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SiteUsage {
    /// The number that the VM has set by [`Heap::set_site`](crate::Heap::set_site).
    pub site: u32,
    /// The kind of the objects.
    pub kind: Kind,
    /// All objects that were allocated, of the size that they had then.
    pub allocated: SiteCount,
    /// Those of them that are live, of the size that they have now.
    pub live: SiteCount,
}

impl SiteUsage {
    /// What finds the row of a site and a kind.
    fn cell(site: u32, kind: Kind) -> Cell {
        Cell::raw(u64::from(site) << 4 | kind.selector())
    }
}

impl Indexed for SiteUsage {
    fn key(&self) -> Option<Cell> {
        Some(SiteUsage::cell(self.site, self.kind))
    }
}

/// The counts of all sites.
#[derive(Debug)]
pub(crate) struct Profile {
    rows: Vec<SiteUsage>,
    index: Index,
    /// By arena, the row of the last object.
    last: [u32; Arenas::COUNT],
    /// By arena and slot, the row of the newest object.
    tags: [Vec<u32>; Arenas::COUNT],
    lost: u64,
}

/// An array of one, which can be allocated fallibly.
pub(crate) type BoxedProfile = Box<[Profile; 1]>;

impl Profile {
    /// `seed` decides which sites collide.
    pub(crate) fn new(seed: u64) -> Profile {
        Profile {
            rows: Vec::new(),
            index: Index::new(seed),
            last: [NONE; Arenas::COUNT],
            tags: core::array::from_fn(|_| Vec::new()),
            lost: 0,
        }
    }

    /// Counts a new object, or that it was lost if there is no memory for that. Expected
    /// amortised O(1).
    pub(super) fn note(&mut self, account: &mut Account, arenas: &Arenas, site: u32, cell: Cell) {
        let Ok((arena, slot)) = arenas.open(cell) else { return };
        let place = cell.selector().place();
        let Some(tags) = self.tags.get_mut(place) else { return };
        let index = to_usize(cell.slot());
        if index >= tags.len() && account.reserve_spare(tags, arena.indices()) {
            // Within the capacity: the slot has one of these indices.
            tags.resize(arena.indices(), NONE);
        }
        let row = self.row(account, site, cell.selector());
        let tag = self.tags.get_mut(place).and_then(|tags| tags.get_mut(index));
        match (row, tag) {
            (Some(row), Some(tag)) => {
                *tag = row;
                if let Some(row) = self.rows.get_mut(to_usize(row)) {
                    row.allocated.add(slot.cap());
                }
            }
            (_, tag) => {
                if let Some(tag) = tag {
                    *tag = NONE;
                }
                self.lost = self.lost.saturating_add(1);
            }
        }
    }

    /// The row of a site and a kind.
    fn row(&mut self, account: &mut Account, site: u32, kind: Kind) -> Option<u32> {
        let last = self.last.get_mut(kind.place())?;
        if self.rows.get(to_usize(*last)).is_some_and(|row| row.site == site) {
            return Some(*last);
        }
        let key = SiteUsage::cell(site, kind);
        let place = match self.index.find(&self.rows, key) {
            Some(place) => place,
            None => {
                let place = self.rows.len();
                let reserve = |buckets: &mut Vec<u64>, len| {
                    let grown = account.reserve_spare(buckets, len);
                    if grown { Ok(()) } else { Err(crate::words::Error::OutOfMemory) }
                };
                self.index.reserve_one(&self.rows, reserve).ok()?;
                if !account.reserve_spare(&mut self.rows, place.saturating_add(1)) {
                    return None;
                }
                let (allocated, live) = (SiteCount::default(), SiteCount::default());
                self.rows.push(SiteUsage { site, kind, allocated, live });
                self.index.put(&self.rows, key, place);
                place
            }
        };
        *last = u32::try_from(place).ok()?;
        Some(*last)
    }

    /// Counts the live objects of all rows. O(slots).
    pub(crate) fn count_live(&mut self, arenas: &Arenas) {
        self.rows.iter_mut().for_each(|row| row.live = SiteCount::default());
        for arena in arenas.iter() {
            let tags = self.tags.get(arena.kind().place()).map_or(&[][..], Vec::as_slice);
            // Those that were lost, or are older than the profile, have no row.
            for (cell, slot) in arena.live() {
                let row = tags.get(to_usize(cell.slot())).copied();
                let row = row.and_then(|row| self.rows.get_mut(to_usize(row)));
                if let Some(row) = row {
                    row.live.add(arena.block_words(slot));
                }
            }
        }
    }

    pub(crate) fn rows(&self) -> &[SiteUsage] {
        &self.rows
    }

    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }

    /// Gives spare capacity back.
    pub(super) fn trim(&mut self, account: &mut Account) {
        self.tags.iter_mut().for_each(|tags| account.shrink(tags, 0));
        account.shrink(&mut self.rows, 0);
    }

    /// Gives all memory back.
    pub(super) fn end(&mut self, account: &mut Account) {
        self.tags.iter_mut().for_each(Vec::clear);
        self.rows.clear();
        self.index.clear();
        self.index.trim::<SiteUsage>(&[], |buckets| account.shrink(buckets, 0));
        self.trim(account);
    }

    /// Bytes requested, those of the box included.
    pub(super) fn reserved_bytes(&self) -> u64 {
        let tags = self.tags.iter().map(|tags| tags.capacity().saturating_mul(size_of::<u32>()));
        let rows = self.rows.capacity().saturating_mul(size_of::<SiteUsage>());
        let others =
            rows.saturating_add(self.index.reserved_bytes()).saturating_add(size_of::<Self>());
        to_u64(tags.fold(others, usize::saturating_add))
    }
}
