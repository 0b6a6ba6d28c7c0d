//! Scratch memory: staging and work lists of one operation, in a `bumpalo`
//! arena that is reset after it and not freed, so that a warm heap asks the
//! global allocator for nothing.

use alloc::vec::Vec;

use bumpalo::Bump;
use bumpalo::collections::Vec as List;
use spin::Mutex;

use super::Account;
use crate::words::{Error, Resource, Result, corrupt};

/// One `Bump` at most. It is reached through `&mut` only, so the mutex around it,
/// which makes the heap `Sync`, is never locked; and it lies behind a pointer,
/// which keeps interior mutability out of the heap: what is read through a
/// `&Heap` may then be kept in registers and read ahead.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Vec<Mutex<Bump>>);

/// Bytes that `bumpalo` adds to a chunk.
const CHUNK_OVERHEAD: usize = 64;
/// Bytes of the place of a `Bump`.
const PLACE_BYTES: usize = size_of::<Mutex<Bump>>();

impl Scratch {
    /// Bytes requested from the global allocator.
    pub(crate) fn bytes(&mut self) -> usize {
        let place = self.0.capacity().saturating_mul(PLACE_BYTES);
        let bump = self.0.first_mut().map(Mutex::get_mut);
        place.saturating_add(bump.map_or(0, |bump| bump.allocated_bytes_including_metadata()))
    }

    /// The memory, held to what the account leaves.
    ///
    /// # Errors
    /// A limit or no memory, the first time.
    pub(crate) fn start(&mut self, account: &mut Account) -> Result<&Bump> {
        if self.0.is_empty() {
            account.reserve(&mut self.0, 1)?;
            // Counted with what it will hold, when the operation ends.
            account.replace(PLACE_BYTES, 0);
            self.0.push(Mutex::new(Bump::new()));
        }
        let used = CHUNK_OVERHEAD.saturating_add(PLACE_BYTES);
        let more = if account.injects_failure() { 0 } else { account.left().saturating_sub(used) };
        let bump = self.0.first_mut().ok_or_else(corrupt)?.get_mut();
        bump.set_allocation_limit(Some(bump.allocated_bytes().saturating_add(more)));
        Ok(bump)
    }

    /// Forgets what was put there.
    pub(crate) fn reset(&mut self) {
        self.0.iter_mut().for_each(|bump| bump.get_mut().reset());
    }
}

/// Adds to a list in scratch memory.
pub(crate) fn push<T>(list: &mut List<'_, T>, item: T) -> Result<()> {
    reserve(list, 1)?;
    list.push(item);
    Ok(())
}

/// Makes room in a list in scratch memory.
pub(crate) fn reserve<T>(list: &mut List<'_, T>, additional: usize) -> Result<()> {
    list.try_reserve(additional).map_err(|_| Error::Limit(Resource::Bytes))
}

/// A hash table in scratch memory, from pairs of words that are not both zero to
/// words.
#[derive(Debug)]
pub(crate) struct Seen<'s> {
    slots: List<'s, ([u64; 2], u64)>,
    len: usize,
}

impl<'s> Seen<'s> {
    pub(crate) fn new_in(bump: &'s Bump) -> Self {
        Seen { slots: List::new_in(bump), len: 0 }
    }

    fn place(&self, key: [u64; 2]) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let [a, b] = key;
        let mixed = (a ^ b.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut place = usize::try_from(mixed >> 32).unwrap_or(0) & mask;
        while self.slots.get(place).is_some_and(|(other, _)| *other != [0, 0] && *other != key) {
            place = place.wrapping_add(1) & mask;
        }
        Some(place)
    }

    /// The word of a pair.
    pub(crate) fn get(&self, key: [u64; 2]) -> Option<u64> {
        let slot = self.slots.get(self.place(key)?)?;
        if slot.0 == key { Some(slot.1) } else { None }
    }

    /// Makes room for another pair.
    pub(crate) fn reserve(&mut self) -> Result<()> {
        if self.len.saturating_mul(4) < self.slots.len().saturating_mul(3) {
            return Ok(());
        }
        let bump = self.slots.bump();
        let len = self.slots.len().saturating_mul(2).max(16);
        let mut larger = Seen { slots: List::new_in(bump), len: self.len };
        reserve(&mut larger.slots, len)?;
        larger.slots.resize(len, ([0, 0], 0));
        for &(key, value) in self.slots.iter().filter(|(key, _)| *key != [0, 0]) {
            if let Some(slot) = larger.place(key).and_then(|place| larger.slots.get_mut(place)) {
                *slot = (key, value);
            }
        }
        *self = larger;
        Ok(())
    }

    /// Inserts a word for a pair; returns the word that was there, which stays.
    pub(crate) fn insert(&mut self, key: [u64; 2], value: u64) -> Result<Option<u64>> {
        self.reserve()?;
        let slot =
            self.place(key).and_then(|place| self.slots.get_mut(place)).ok_or_else(corrupt)?;
        if slot.0 == key {
            return Ok(Some(slot.1));
        }
        *slot = (key, value);
        self.len = self.len.saturating_add(1);
        Ok(None)
    }
}
