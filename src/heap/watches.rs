//! [`Watches`]: tokens of objects, which are returned after the objects were freed.

use alloc::vec::Vec;

use crate::arena::{Account, Arenas, Index, Indexed};
use crate::words::{Cell, Result, to_u64, to_usize};

/// No watch.
const NONE: u32 = u32::MAX;

/// A token of an object.
#[derive(Clone, Copy, Debug)]
struct Watch {
    /// The object; `Cell::NULL` once the token was drained.
    cell: Cell,
    token: u64,
    /// The watch of the same object before this one.
    previous: u32,
    /// Whether the object was freed.
    freed: bool,
}

impl Watch {
    const fn is_drained(&self) -> bool {
        self.cell.bits() == Cell::NULL.bits()
    }
}

impl Indexed for Watch {
    fn key(&self) -> Option<Cell> {
        (!self.freed).then_some(self.cell)
    }
}

/// The watches of a heap.
#[derive(Debug)]
pub(super) struct Watches {
    /// In the order of attachment.
    list: Vec<Watch>,
    /// The drained ones in the list.
    drained: usize,
    /// The newest watch of each live object.
    index: Index,
    /// Positions of watches of freed objects. Capacity is reserved for all watches, so
    /// that freeing needs no memory.
    dead: Vec<u32>,
    /// How many of `dead` were drained. They come first.
    taken: usize,
    /// Whether `dead` is in order.
    sorted: bool,
    /// A bit for each arena that may have a watched object.
    arenas: u16,
}

/// The bit of the arena that a handle refers to.
const fn arena_bit(cell: Cell) -> u16 {
    1 << cell.selector().index()
}

impl Watches {
    pub(super) const fn new(seed: u64) -> Watches {
        Watches {
            list: Vec::new(),
            drained: 0,
            index: Index::new(seed),
            dead: Vec::new(),
            taken: 0,
            sorted: true,
            arenas: 0,
        }
    }

    /// A copy on this account.
    pub(super) fn try_clone(&self, account: &mut Account) -> Result<Watches> {
        let list = account.copied(&self.list)?;
        let mut dead = Vec::new();
        account.reserve(&mut dead, list.len())?;
        dead.extend_from_slice(&self.dead);
        Ok(Watches {
            list,
            drained: self.drained,
            index: self.index.try_clone(account)?,
            dead,
            taken: self.taken,
            sorted: self.sorted,
            arenas: self.arenas,
        })
    }

    /// Objects whose tokens were not drained.
    pub(super) fn cells(&self) -> impl Iterator<Item = Cell> {
        self.tokens().map(|(cell, _)| cell)
    }

    /// Tokens that were not drained, with their objects, in the order of attachment.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (Cell, u64)> {
        let watches = self.list.iter().filter(|watch| !watch.is_drained());
        watches.map(|watch| (watch.cell, watch.token))
    }

    /// Attaches a token to a live object. Amortised O(1).
    pub(super) fn add(&mut self, account: &mut Account, cell: Cell, token: u64) -> Result<()> {
        // Compaction is amortised over the half of the list that it frees.
        if self.list.len() == self.list.capacity() && self.drained > self.list.len() / 2 {
            self.compact();
        }
        let place = self.list.len();
        let capacities = (self.list.capacity(), self.dead.capacity());
        if let Err(error) = self.reserve_one(account) {
            account.shrink(&mut self.list, capacities.0);
            account.shrink(&mut self.dead, capacities.1);
            return Err(error);
        }
        self.list.push(Watch { cell, token, previous: NONE, freed: false });
        self.enter(place, cell);
        self.arenas |= arena_bit(cell);
        Ok(())
    }

    fn reserve_one(&mut self, account: &mut Account) -> Result<()> {
        let len = self.list.len().saturating_add(1);
        account.reserve(&mut self.list, len)?;
        account.reserve(&mut self.dead, len)?;
        self.index.reserve_one(&self.list, |buckets, len| account.reserve(buckets, len))
    }

    /// Removes the newest watch of a live object with this token; returns whether there was
    /// one. Expected O(tokens of the object).
    pub(super) fn remove(&mut self, cell: Cell, token: u64) -> bool {
        let Some(newest) = self.index.find(&self.list, cell) else { return false };
        let (mut place, mut newer) = (newest, None);
        loop {
            let Some(watch) = self.list.get(place) else { return false };
            if watch.token == token {
                break;
            }
            (newer, place) = (Some(place), to_usize(watch.previous));
        }
        self.unlink(cell, place, newer);
        true
    }

    /// Removes the watch at `place`, which follows the one at `newer`, or is the newest.
    fn unlink(&mut self, cell: Cell, place: usize, newer: Option<usize>) {
        let previous = self.list.get(place).map_or(NONE, |watch| watch.previous);
        match newer {
            Some(newer) => {
                if let Some(watch) = self.list.get_mut(newer) {
                    watch.previous = previous;
                }
            }
            None if previous == NONE => drop(self.index.remove(&self.list, cell)),
            None => drop(self.index.put(&self.list, cell, to_usize(previous))),
        }
        // The index finds watches by their cells until here.
        if let Some(watch) = self.list.get_mut(place) {
            (watch.cell, watch.freed) = (Cell::NULL, true);
        }
        self.note_drained();
    }

    /// Takes note that a watch has left its place in the list.
    fn note_drained(&mut self) {
        self.drained = self.drained.saturating_add(1);
        if self.drained == self.list.len() {
            self.list.clear();
            self.drained = 0;
        }
    }

    /// Makes the watch at `place` the newest of its object.
    fn enter(&mut self, place: usize, cell: Cell) {
        let previous = self.index.put(&self.list, cell, place);
        let previous = previous.and_then(|place| u32::try_from(place).ok());
        if let Some(watch) = self.list.get_mut(place) {
            watch.previous = previous.unwrap_or(NONE);
        }
    }

    /// Whether there may be a watched object.
    #[inline(always)]
    pub(super) const fn is_any(&self) -> bool {
        self.arenas != 0
    }

    /// Takes note that an object was freed. Expected O(1 + its tokens).
    #[cold]
    #[inline(never)]
    pub(super) fn note_freed(&mut self, cell: Cell) {
        if self.arenas & arena_bit(cell) == 0 {
            return;
        }
        let newest = self.index.remove(&self.list, cell);
        let mut next = newest.and_then(|place| u32::try_from(place).ok()).unwrap_or(NONE);
        while let Some(watch) = self.list.get_mut(to_usize(next)) {
            watch.freed = true;
            let previous = watch.previous;
            self.push_dead(next);
            next = previous;
        }
    }

    /// Takes note that any number of objects were freed. O(watches).
    pub(super) fn note_all_freed(&mut self, arenas: &Arenas) {
        if self.index.len() == 0 {
            self.arenas = 0;
            return;
        }
        let mut left = 0_u16;
        for place in 0..u32::try_from(self.list.len()).unwrap_or(NONE) {
            let watch = self.list.get(to_usize(place));
            let Some(cell) = watch.and_then(Indexed::key) else { continue };
            if arenas.contains(cell) {
                left |= arena_bit(cell);
                continue;
            }
            // Before the watch is marked, or the index would not find it.
            self.index.remove(&self.list, cell);
            if let Some(watch) = self.list.get_mut(to_usize(place)) {
                watch.freed = true;
            }
            self.push_dead(place);
        }
        self.arenas = left;
    }

    fn push_dead(&mut self, place: u32) {
        debug_assert!(self.dead.len() < self.dead.capacity(), "room has been reserved");
        self.sorted &= self.dead.last().is_none_or(|&last| last < place);
        self.dead.push(place);
    }

    /// Brings the tokens of freed objects into the order of attachment.
    fn sort(&mut self) {
        if !self.sorted {
            self.dead.get_mut(self.taken..).unwrap_or_default().sort_unstable();
            self.sorted = true;
        }
    }

    /// Removes tokens of freed objects, one each time that the iterator is advanced.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = u64> {
        self.sort();
        core::iter::from_fn(move || self.take())
    }

    fn take(&mut self) -> Option<u64> {
        let place = self.dead.get(self.taken).copied()?;
        self.taken = self.taken.saturating_add(1);
        let watch = self.list.get_mut(to_usize(place))?;
        watch.cell = Cell::NULL;
        let token = watch.token;
        if self.taken == self.dead.len() {
            (self.taken, self.sorted) = (0, true);
            self.dead.clear();
        }
        self.note_drained();
        Some(token)
    }

    /// Removes drained watches from the list. O(watches).
    fn compact(&mut self) {
        self.sort();
        self.dead.drain(..self.taken);
        self.taken = 0;
        let (mut place, mut kept) = (0_u32, 0_u32);
        let mut dead = self.dead.iter_mut().peekable();
        self.list.retain(|watch| {
            if let Some(dead) = dead.next_if(|dead| **dead == place) {
                *dead = kept;
            }
            place = place.wrapping_add(1);
            kept = kept.wrapping_add(u32::from(!watch.is_drained()));
            !watch.is_drained()
        });
        self.drained = 0;
        self.index.clear();
        for place in 0..self.list.len() {
            if let Some(cell) = self.list.get(place).and_then(Indexed::key) {
                self.enter(place, cell);
            }
        }
    }

    /// Gives spare capacity back.
    pub(super) fn trim(&mut self, account: &mut Account) {
        self.compact();
        self.index.trim(&self.list, |buckets| account.shrink(buckets, 0));
        account.shrink(&mut self.list, 0);
        account.shrink(&mut self.dead, self.list.len());
    }

    /// Bytes requested for watches.
    pub(super) fn reserved_bytes(&self) -> u64 {
        let list = self.list.capacity().saturating_mul(size_of::<Watch>());
        let dead = self.dead.capacity().saturating_mul(size_of::<u32>());
        to_u64(list.saturating_add(dead).saturating_add(self.index.reserved_bytes()))
    }

    /// Whether each watch is found, or waits to be drained, or was drained.
    pub(super) fn is_consistent(&self) -> bool {
        let (mut live, mut drained, mut first) = (0_usize, 0_usize, 0_usize);
        for watch in &self.list {
            let previous = self.list.get(to_usize(watch.previous));
            let newest = watch.key().and_then(|cell| self.index.find(&self.list, cell));
            let found = newest.and_then(|place| self.list.get(place));
            let sound = match watch.key() {
                Some(cell) => {
                    first = first.saturating_add(usize::from(watch.previous == NONE));
                    self.arenas & arena_bit(cell) != 0
                        && found.is_some_and(|newest| newest.cell == cell)
                        && (watch.previous == NONE || previous.is_some_and(|p| p.cell == cell))
                }
                None => true,
            };
            if !sound {
                return false;
            }
            live = live.saturating_add(usize::from(!watch.freed));
            drained = drained.saturating_add(usize::from(watch.is_drained()));
        }
        let waiting = self.dead.len().saturating_sub(self.taken);
        drained == self.drained
            && first == self.index.len()
            && live.saturating_add(drained).saturating_add(waiting) == self.list.len()
            && self.dead.capacity() >= self.list.len()
    }
}
