//! [`Roots`]: what the host registers with a heap. Pins are roots; watches report
//! freed objects.

use alloc::vec::Vec;

use crate::arena::{Account, Arenas};
use crate::words::{Cell, GENERATION_MASK, Result, to_u64};

/// The pins and watches of a heap.
#[derive(Debug)]
pub(crate) struct Roots {
    /// Pinned objects with their pin counts, sorted by [`order`].
    pins: Vec<(Cell, u32)>,
    /// Watched objects with their tokens, in the order of attachment.
    watches: Vec<(Cell, u64)>,
}

/// The sort key of pins: slot before generation, since the order of roots shows in
/// paths, and generations must not be observable.
const fn order(cell: Cell) -> (u64, u64) {
    (cell.bits() & !GENERATION_MASK, cell.bits())
}

impl Roots {
    pub(super) const fn new() -> Roots {
        Roots { pins: Vec::new(), watches: Vec::new() }
    }

    /// Pinned objects, each once, in the order of their slots.
    pub(crate) fn pins(&self) -> impl Iterator<Item = Cell> {
        self.pins.iter().map(|&(cell, _)| cell)
    }

    /// Watched objects.
    pub(crate) fn watched(&self) -> impl Iterator<Item = Cell> {
        self.watches.iter().map(|&(cell, _)| cell)
    }

    fn find_pin(&self, cell: Cell) -> Result<usize, usize> {
        self.pins.binary_search_by_key(&order(cell), |(pinned, _)| order(*pinned))
    }

    /// Adds a pin of a live object.
    pub(crate) fn pin(&mut self, account: &mut Account, cell: Cell) -> Result<()> {
        match self.find_pin(cell) {
            Ok(place) => {
                if let Some((_, count)) = self.pins.get_mut(place) {
                    *count = count.saturating_add(1);
                }
            }
            Err(place) => {
                let len = self.pins.len().saturating_add(1);
                account.reserve(&mut self.pins, len)?;
                self.pins.insert(place, (cell, 1));
            }
        }
        Ok(())
    }

    /// Removes a pin; returns whether there was one.
    pub(crate) fn unpin(&mut self, cell: Cell) -> bool {
        let Ok(place) = self.find_pin(cell) else { return false };
        match self.pins.get_mut(place) {
            Some((_, count)) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(self.pins.remove(place)),
        }
        true
    }

    /// Attaches a token to a live object.
    pub(crate) fn watch(&mut self, account: &mut Account, cell: Cell, token: u64) -> Result<()> {
        let len = self.watches.len().saturating_add(1);
        account.reserve(&mut self.watches, len)?;
        self.watches.push((cell, token));
        Ok(())
    }

    /// Removes the watches of freed objects; returns their tokens.
    pub(crate) fn drain_dead(&mut self, arenas: &Arenas) -> impl Iterator<Item = u64> {
        let dead = self.watches.extract_if(.., |(cell, _)| !arenas.contains(*cell));
        dead.map(|(_, token)| token)
    }

    /// Gives spare capacity back.
    pub(super) fn trim(&mut self, account: &mut Account) {
        account.shrink(&mut self.pins, 0);
        account.shrink(&mut self.watches, 0);
    }

    /// Bytes requested for pins and watches.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        let pins = self.pins.capacity().saturating_mul(size_of::<(Cell, u32)>());
        let watches = self.watches.capacity().saturating_mul(size_of::<(Cell, u64)>());
        to_u64(pins.saturating_add(watches))
    }
}
