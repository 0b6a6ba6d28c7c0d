//! Scratch memory: staging buffers and work lists of one operation, in a `bumpalo`
//! arena. The arena is reset after the operation but not freed, so that a warm heap
//! requests nothing from the global allocator.

use alloc::vec::Vec;

use bumpalo::Bump;
use bumpalo::collections::Vec as List;
use spin::Mutex;

use super::{Account, halves};
use crate::words::{Error, Resource, Result, corrupt, to_usize};

/// One `Bump` at most. It is reached through `&mut` only, so that the mutex around
/// it, which makes the heap `Sync`, is never locked. It lies in a `Vec`, which keeps
/// interior mutability out of the heap itself: the compiler may keep what it reads
/// through a `&Heap` in registers.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Vec<Mutex<Bump>>);

/// The bytes that `bumpalo` adds to a chunk.
const CHUNK_OVERHEAD: usize = 64;
/// The bytes of a `Bump` in the `Vec`.
const PLACE_BYTES: usize = size_of::<Mutex<Bump>>();

impl Scratch {
    /// The bytes requested from the global allocator.
    pub(crate) fn bytes(&mut self) -> usize {
        let place = self.0.capacity().saturating_mul(PLACE_BYTES);
        let bump = self.0.first_mut().map(Mutex::get_mut);
        place.saturating_add(bump.map_or(0, |bump| bump.allocated_bytes_including_metadata()))
    }

    /// The memory, limited to the bytes that the account leaves.
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`], the first time only.
    pub(crate) fn start(&mut self, account: &mut Account) -> Result<&Bump> {
        if self.0.is_empty() {
            account.reserve(&mut self.0, 1)?;
            // It is counted when the operation ends, with the bytes in it.
            account.replace(PLACE_BYTES, 0);
            self.0.push(Mutex::new(Bump::new()));
        }
        let used = CHUNK_OVERHEAD.saturating_add(PLACE_BYTES);
        let more = if account.injects_failure() { 0 } else { account.left().saturating_sub(used) };
        let bump = self.0.first_mut().ok_or_else(corrupt)?.get_mut();
        bump.set_allocation_limit(Some(bump.allocated_bytes().saturating_add(more)));
        Ok(bump)
    }

    /// Frees everything in the memory, and keeps the memory.
    pub(crate) fn reset(&mut self) {
        self.0.iter_mut().for_each(|bump| bump.get_mut().reset());
    }
}

/// Appends to a list in scratch memory.
///
/// # Errors
/// As [`reserve`].
pub(crate) fn push<T>(list: &mut List<'_, T>, item: T) -> Result<()> {
    reserve(list, 1)?;
    list.push(item);
    Ok(())
}

/// Reserves capacity for `additional` more elements in a list in scratch memory.
///
/// # Errors
/// [`Error::Limit`]: scratch memory is limited to what the account leaves.
pub(crate) fn reserve<T>(list: &mut List<'_, T>, additional: usize) -> Result<()> {
    list.try_reserve(additional).map_err(|_| Error::Limit(Resource::Bytes))
}

/// A hash table in scratch memory: from pairs of words, which are not both zero, to
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

    /// The slot of a pair, or the empty one where it belongs; `None` if the table
    /// has no slots. Linear probing.
    fn place(&self, key: [u64; 2]) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let [a, b] = key;
        let mixed = (a ^ b.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut place = to_usize(halves(mixed).0) & mask;
        while self.slots.get(place).is_some_and(|(other, _)| *other != [0, 0] && *other != key) {
            place = place.wrapping_add(1) & mask;
        }
        Some(place)
    }

    /// The word of a pair, if it was inserted. Expected O(1).
    pub(crate) fn get(&self, key: [u64; 2]) -> Option<u64> {
        let slot = self.slots.get(self.place(key)?)?;
        if slot.0 == key { Some(slot.1) } else { None }
    }

    /// Reserves capacity for one more pair. Amortised O(1).
    ///
    /// # Errors
    /// [`Error::Limit`].
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
            let place = larger.place(key).ok_or_else(corrupt)?;
            *larger.slots.get_mut(place).ok_or_else(corrupt)? = (key, value);
        }
        *self = larger;
        Ok(())
    }

    /// Inserts a word for a pair. If the pair has one, that stays, and is returned.
    /// Expected amortised O(1).
    ///
    /// # Errors
    /// [`Error::Limit`].
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
