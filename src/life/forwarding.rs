//! [`Copies`]: the copies that a transplant has made so far, found by their sources.

use bumpalo::collections::Vec;

use super::host_copy::Hook;
use super::hosts::drop_each;
use crate::arena::{SlotNumbers, reserve};
use crate::heap::{Heap, Hosts, NewValue, ScratchSpace, Store};
use crate::words::{Cell, Error, Result, corrupt, to_usize};

/// An object of the source, and its copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct CopiedPair {
    pub(super) source: Cell,
    pub(super) copy: Cell,
}

/// What makes the values of host objects, and the values made so far.
pub(super) struct Values<'b> {
    /// Those of the source.
    pub(super) source: &'b Hosts,
    pub(super) hook: Option<&'b mut Hook<'b>>,
    /// With the copies that they belong to.
    pub(super) list: Vec<'b, (Cell, NewValue)>,
    /// One whose copy is not allocated yet.
    pub(super) made: Option<NewValue>,
}

impl Values<'_> {
    /// The bytes of all values on the account of the target.
    pub(super) fn bytes(&self) -> usize {
        let values = self.list.iter().map(|(_, value)| value).chain(&self.made);
        values.map(NewValue::bytes).fold(0, usize::saturating_add)
    }
}

/// Drops values that no object got.
impl Drop for Values<'_> {
    fn drop(&mut self) {
        let mut next = || self.made.take().or_else(|| Some(self.list.pop()?.1));
        drop_each(|| next().map(NewValue::into_value));
    }
}

/// The objects copied so far, breadth first.
pub(super) struct Copies<'b> {
    scratch: ScratchSpace<'b>,
    pub(super) values: Values<'b>,
    /// All copies.
    pub(super) list: Vec<'b, Cell>,
    /// Whether the source may have symbols.
    pub(super) has_symbols: bool,
    /// The copies of symbols, in the order of all copies.
    pub(super) symbols: Vec<'b, Cell>,
    /// Whether a table is filled last, when the values among its keys are complete.
    pub(super) has_deferred: bool,
    /// The pairs whose cells have to be translated.
    pub(super) pairs: Vec<'b, CopiedPair>,
    /// The forwarding table: by the slot of an object, how many copies there were with its
    /// own.
    numbers: SlotNumbers<'b>,
}

impl<'b> Copies<'b> {
    pub(super) fn new_in(
        scratch: ScratchSpace<'b>,
        source: &'b Heap,
        hook: Option<&'b mut Hook<'b>>,
    ) -> Copies<'b> {
        let (list, source, made) = (Vec::new_in(scratch.bump), source, None);
        let values = Values { source: source.roots.hosts(), hook, list, made };
        Copies {
            scratch,
            values,
            has_symbols: source.store.arenas().symbols().is_any(),
            list: Vec::new_in(scratch.bump),
            symbols: Vec::new_in(scratch.bump),
            has_deferred: false,
            pairs: Vec::new_in(scratch.bump),
            numbers: SlotNumbers::new_in(scratch.bump),
        }
    }

    /// The number of the next copy.
    #[inline(always)]
    pub(super) fn next_number(&self) -> Result<u32> {
        let number = u32::try_from(self.list.len().saturating_add(1));
        number.map_err(|_| Error::OutOfMemory)
    }

    /// The copy of a live object.
    #[inline(always)]
    pub(super) fn find(&self, source: Cell) -> Option<Cell> {
        self.list.get(to_usize(self.numbers.get(source)).checked_sub(1)?).copied()
    }

    /// Where the number of the copy of an object belongs; `None` if there is no room for
    /// a copy.
    #[inline(always)]
    pub(super) fn vacancy(&mut self, source: Cell) -> Option<&mut u32> {
        let is_full =
            self.list.len() == self.list.capacity() || self.pairs.len() == self.pairs.capacity();
        if is_full { None } else { self.numbers.get_mut(source) }
    }

    /// Makes room for the copy of an object. Scratch memory and arenas grow in turns, on
    /// one account.
    #[cold]
    pub(super) fn make_room(&mut self, target: &mut Store, source: Cell) -> Result<&mut u32> {
        self.scratch.let_grow(target.account_mut());
        reserve(&mut self.list, 1)?;
        reserve(&mut self.pairs, 1)?;
        self.numbers.reserve(source)?;
        self.scratch.charge(target.account_mut());
        self.numbers.get_mut(source).ok_or_else(corrupt)
    }

    /// Makes room for the copy of a symbol.
    #[cold]
    pub(super) fn make_room_for_symbol(&mut self, target: &mut Store) -> Result<()> {
        self.scratch.let_grow(target.account_mut());
        let reserved = reserve(&mut self.symbols, 1);
        self.scratch.charge(target.account_mut());
        reserved
    }

    /// Makes room for the value of a host object.
    pub(super) fn make_room_for_value(&mut self, target: &mut Store) -> Result<()> {
        self.scratch.let_grow(target.account_mut());
        let reserved = reserve(&mut self.values.list, 1);
        self.scratch.charge(target.account_mut());
        reserved
    }

    /// Adds a copy, for which there is room.
    #[inline(always)]
    pub(super) fn add(&mut self, pair: CopiedPair, has_cells: bool) {
        self.list.push(pair.copy);
        if has_cells {
            self.pairs.push(pair);
        }
    }
}
