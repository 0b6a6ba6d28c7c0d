//! Scratch memory: staging buffers and work lists of one operation, in a `bumpalo`
//! arena. The arena is reset after the operation but not freed, so that a warm heap
//! requests nothing from the global allocator.

use alloc::vec::Vec;

use bumpalo::Bump;
use bumpalo::collections::Vec as List;
use spin::Mutex;

use super::Account;
use super::index::hash;
use crate::words::{Error, Resource, Result, corrupt, to_u64};

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

    /// Makes a place for the memory, which the account counts from here on.
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`], the first time only.
    pub(crate) fn start(&mut self, account: &mut Account) -> Result<()> {
        if self.0.is_empty() {
            account.reserve(&mut self.0, 1)?;
            self.0.push(Mutex::new(Bump::new()));
        }
        Ok(())
    }

    /// The memory, which has been started.
    pub(crate) fn bump(&mut self) -> Result<&Bump> {
        Ok(self.0.first_mut().ok_or_else(corrupt)?.get_mut())
    }

    /// Frees everything in the memory, and keeps the memory.
    pub(crate) fn reset(&mut self) {
        self.0.iter_mut().for_each(|bump| bump.get_mut().reset());
    }
}

/// Lets the memory grow by `bytes` bytes, with what it adds to them.
pub(crate) fn set_room(bump: &Bump, bytes: usize) {
    // Not below what there is, which `bumpalo` takes for no limit.
    let room = bytes.saturating_sub(CHUNK_OVERHEAD);
    bump.set_allocation_limit(Some(bump.allocated_bytes().saturating_add(room)));
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
    if list.capacity().saturating_sub(list.len()) >= additional {
        return Ok(());
    }
    grow(list.bump(), || list.try_reserve(additional))
}

/// Allocates in scratch memory.
///
/// # Errors
/// As [`reserve`].
pub(crate) fn alloc<T>(bump: &Bump, item: impl FnOnce() -> T) -> Result<&mut T> {
    grow(bump, || bump.try_alloc_with(item))
}

/// Runs `request`, which may add a chunk to the memory.
fn grow<T, E>(bump: &Bump, request: impl FnOnce() -> Result<T, E>) -> Result<T> {
    let before = bump.allocated_bytes();
    let result = request();
    let after = bump.allocated_bytes();
    if let Some(limit) = bump.allocation_limit().filter(|_| after > before) {
        // One more chunk: `set_room` had left room for its overhead.
        set_room(bump, limit.saturating_sub(after));
    }
    result.map_err(|_| Error::Limit(Resource::Bytes))
}

/// A hash table in scratch memory: from pairs of words, which are not both zero, to
/// words. Which pairs collide depends on a seed.
#[derive(Debug)]
pub(crate) struct Seen<'s> {
    slots: List<'s, ([u64; 2], u64)>,
    len: usize,
    seed: u64,
}

impl<'s> Seen<'s> {
    pub(crate) fn new_in(bump: &'s Bump, seed: u64) -> Self {
        Seen { slots: List::new_in(bump), len: 0, seed }
    }

    /// The slot where the probe sequence of a pair begins.
    fn home(&self, [a, b]: [u64; 2], mask: usize) -> usize {
        hash(self.seed, to_u64(hash(self.seed, a)).rotate_left(32) ^ b) & mask
    }

    /// The slot of a pair, or the empty one where it belongs; `None` if the table
    /// has no slots. Linear probing.
    fn place(&self, key: [u64; 2]) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut place = self.home(key, mask);
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
        let mut larger = Seen { slots: List::new_in(bump), len: self.len, seed: self.seed };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest distance of a pair from the place where its probe sequence begins.
    fn longest_probe(seed: u64, keys: &[[u64; 2]]) -> usize {
        let bump = Bump::new();
        let mut seen = Seen::new_in(&bump, seed);
        keys.iter().for_each(|&key| assert_eq!(seen.insert(key, 1), Ok(None)));
        let mask = seen.slots.len() - 1;
        let distance = |key| seen.place(key).unwrap().wrapping_sub(seen.home(key, mask)) & mask;
        keys.iter().map(|&key| distance(key)).max().unwrap()
    }

    /// Pairs that crowd a table of one heap spread in that of another.
    #[test]
    fn chosen_pairs_collide_under_one_seed_only() {
        const PAIRS: usize = 3000;
        let bump = Bump::new();
        let table = Seen::new_in(&bump, 7);
        let handle = |slot: u64| 0xFFFF_8123 << 32 | slot;
        let all = (0..400_u64).flat_map(|a| (0..1000).map(move |b| [handle(a), handle(b)]));
        let crowded = all.filter(|&key| table.home(key, 4095) < 32);
        let keys: alloc::vec::Vec<[u64; 2]> = crowded.take(PAIRS).collect();
        assert_eq!(keys.len(), PAIRS);
        assert!(longest_probe(7, &keys) > PAIRS / 2);
        for seed in [0, 1, 8, u64::MAX, 0x1234_5678_9ABC_DEF0] {
            let longest = longest_probe(seed, &keys);
            assert!(longest < 200, "seed {seed}: {longest}");
        }
    }
}
