//! [`Roots`]: what the host registers with a heap. Pins are roots; watches report
//! freed objects; values of the host are dropped after the objects that own them.

use alloc::vec::Vec;

use super::hosts::Hosts;
use super::watches::Watches;
use crate::arena::{Account, Arena, Arenas, Index, Indexed};
use crate::words::{Cell, Result, to_u64};

/// The pins that are taken for roots at a time.
const PINS: usize = 32;

/// The pins, watches and host values of a heap.
#[derive(Debug)]
pub(crate) struct Roots {
    /// The last pin of an object that is unpinned leaves its place to the last one in
    /// the list. The order shows in paths; neither slots nor generations affect it.
    pins: Vec<Pin>,
    index: Index,
    watches: Watches,
    hosts: Hosts,
    /// Whether there may be a watched object, a host object or a symbol.
    is_watching: bool,
}

/// A pinned object, and how many times it is pinned.
#[derive(Clone, Copy, Debug)]
struct Pin {
    cell: Cell,
    count: u64,
}

impl Indexed for Pin {
    fn key(&self) -> Option<Cell> {
        Some(self.cell)
    }
}

impl Roots {
    /// `seed` decides which handles collide in the indices of pins and watches.
    pub(super) const fn new(seed: u64) -> Roots {
        Roots {
            pins: Vec::new(),
            index: Index::new(seed),
            watches: Watches::new(seed),
            hosts: Hosts::new(),
            is_watching: false,
        }
    }

    /// A copy on this account, without values of the host.
    pub(crate) fn try_clone(&self, account: &mut Account) -> Result<Roots> {
        Ok(Roots {
            pins: account.copied(&self.pins)?,
            index: self.index.try_clone(account)?,
            watches: self.watches.try_clone(account)?,
            hosts: Hosts::new(),
            is_watching: self.is_watching,
        })
    }

    /// A seed that code of the VM cannot know.
    pub(crate) const fn index_seed(&self) -> u64 {
        self.index.seed()
    }

    /// Pinned objects, each once.
    pub(crate) fn pins(&self) -> impl Iterator<Item = Cell> {
        self.pins.iter().map(|pin| pin.cell)
    }

    /// Pinned objects, each once, and how many times it is pinned.
    pub(crate) fn pin_counts(&self) -> impl Iterator<Item = (Cell, u64)> {
        self.pins.iter().map(|pin| (pin.cell, pin.count))
    }

    /// Adds a handle that was pinned so many times; returns whether it was none yet.
    pub(crate) fn restore_pin(
        &mut self,
        account: &mut Account,
        cell: Cell,
        count: u64,
    ) -> Result<bool> {
        if self.index.find(&self.pins, cell).is_some() {
            return Ok(false);
        }
        self.pin(account, cell)?;
        if let Some(pin) = self.pins.last_mut() {
            pin.count = count;
        }
        Ok(true)
    }

    /// Some of the pinned objects, from the one at `place` on; `None` if there is none.
    pub(crate) fn pins_from(&self, place: usize) -> Option<impl ExactSizeIterator<Item = Cell>> {
        let pins = self.pins.get(place..).filter(|pins| !pins.is_empty())?;
        Some(pins.iter().take(PINS).map(|pin| pin.cell))
    }

    /// Watched objects, and freed ones whose tokens were not drained.
    pub(crate) fn watched(&self) -> impl Iterator<Item = Cell> {
        self.watches.cells()
    }

    /// Tokens that were not drained, each with its object, in the order of attachment.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (Cell, u64)> {
        self.watches.tokens()
    }

    /// Adds a pin of a live object.
    pub(crate) fn pin(&mut self, account: &mut Account, cell: Cell) -> Result<()> {
        let found = self.index.find(&self.pins, cell);
        if let Some(pin) = found.and_then(|place| self.pins.get_mut(place)) {
            pin.count = pin.count.saturating_add(1);
            return Ok(());
        }
        let (place, capacity) = (self.pins.len(), self.pins.capacity());
        account.reserve(&mut self.pins, place.saturating_add(1))?;
        let room = self.index.reserve_one(&self.pins, |buckets, len| account.reserve(buckets, len));
        if let Err(error) = room {
            account.shrink(&mut self.pins, capacity);
            return Err(error);
        }
        self.pins.push(Pin { cell, count: 1 });
        self.index.put(&self.pins, cell, place);
        Ok(())
    }

    /// Removes a pin; returns whether there was one, and the pinned object that has got an
    /// earlier place by that.
    pub(crate) fn unpin(&mut self, cell: Cell) -> (bool, Option<Cell>) {
        let Some(place) = self.index.find(&self.pins, cell) else { return (false, None) };
        match self.pins.get_mut(place) {
            Some(pin) if pin.count > 1 => {
                pin.count = pin.count.saturating_sub(1);
                (true, None)
            }
            _ => (true, self.remove_pin(place, cell)),
        }
    }

    fn remove_pin(&mut self, place: usize, cell: Cell) -> Option<Cell> {
        self.index.remove(&self.pins, cell);
        let last = self.pins.last().map(|last| last.cell).filter(|&last| last != cell);
        if let Some(last) = last {
            self.index.put(&self.pins, last, place);
        }
        self.pins.swap_remove(place);
        last
    }

    /// Attaches a token to a live object.
    pub(crate) fn watch(&mut self, account: &mut Account, cell: Cell, token: u64) -> Result<()> {
        self.note_frees();
        self.watches.add(account, cell, token)
    }

    /// Removes a token of a live object; returns whether there was one.
    pub(crate) fn unwatch(&mut self, cell: Cell, token: u64) -> bool {
        self.watches.remove(cell, token)
    }

    /// The values of the host.
    #[inline(always)]
    pub(crate) const fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    #[inline(always)]
    pub(crate) const fn hosts_mut(&mut self) -> &mut Hosts {
        // There may be one afterwards.
        self.is_watching = true;
        &mut self.hosts
    }

    /// Whether the freeing of an object may have to be noted, or prevented.
    #[inline(always)]
    pub(crate) const fn is_watching(&self) -> bool {
        self.is_watching
    }

    /// Has the freeing of objects noted from here on.
    pub(crate) const fn note_frees(&mut self) {
        self.is_watching = true;
    }

    /// Takes note that an object was freed.
    #[inline(always)]
    pub(crate) fn note_freed(&mut self, cell: Cell) {
        if self.is_watching() {
            self.hosts.note_freed(cell);
            self.watches.note_freed(cell);
        }
    }

    /// Takes note that any number of objects were freed. O(watches + slots of host
    /// objects).
    pub(crate) fn note_all_freed(&mut self, arenas: &Arenas) {
        self.hosts.note_all_freed(arenas);
        self.watches.note_all_freed(arenas);
        let has_symbols = arenas.symbols().is_any();
        self.is_watching = self.watches.is_any() || self.hosts.is_any() || has_symbols;
    }

    /// Removes the watches of freed objects; returns their tokens.
    pub(crate) fn drain_dead(&mut self) -> impl Iterator<Item = u64> {
        self.watches.drain()
    }

    /// Gives spare capacity back.
    pub(super) fn trim(&mut self, account: &mut Account) {
        self.index.trim(&self.pins, |buckets| account.shrink(buckets, 0));
        account.shrink(&mut self.pins, 0);
        self.watches.trim(account);
        self.hosts.trim(account);
    }

    /// Bytes requested for pins and watches, and those of host values.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        let pins = self.pins.capacity().saturating_mul(size_of::<Pin>());
        let index = self.index.reserved_bytes();
        let hosts = self.hosts.reserved_bytes();
        let registered = to_u64(pins.saturating_add(index)).saturating_add(hosts);
        registered.saturating_add(self.watches.reserved_bytes())
    }

    /// Whether the indices find every pin and every watch, and host objects have values.
    pub(crate) fn is_consistent(&self, hosts: &Arena) -> bool {
        let mut pins = self.pins.iter().enumerate();
        self.index.len() == self.pins.len()
            && pins.all(|(place, pin)| self.index.find(&self.pins, pin.cell) == Some(place))
            && self.watches.is_consistent()
            && self.hosts.is_consistent(hosts)
    }
}
