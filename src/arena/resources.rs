//! [`Resources`]: what the arenas of a heap share as they grow.

use alloc::vec::Vec;

use super::account::Account;
use super::slot::Slot;
use super::slots::{Born, States};
use crate::words::{Result, to_u64};

/// The allocations since the last collection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) bytes: u64,
    pub(crate) objects: u32,
}

/// The bytes that the slot of an object counts as.
const SLOT_BYTES: u64 = 16;

impl Tally {
    /// The bytes that a slot counts as when it retires.
    pub(crate) const RETIRED_BYTES: u64 = 256;

    /// Counts an object in a block of `words` words.
    #[inline(always)]
    pub(crate) fn object(&mut self, words: u32) {
        self.objects = self.objects.wrapping_add(1);
        let bytes = u64::from(words).wrapping_mul(8).wrapping_add(SLOT_BYTES);
        self.bytes = self.bytes.wrapping_add(bytes);
    }

    /// Counts the `words` words that an object has grown by, or moved to.
    #[inline(always)]
    pub(crate) fn growth(&mut self, words: u32) {
        self.bytes = self.bytes.wrapping_add(u64::from(words).wrapping_mul(8));
    }

    /// Counts bytes outside of arenas, which an object owns.
    pub(crate) fn foreign(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(to_u64(bytes));
    }

    /// Counts a slot that has retired.
    pub(crate) fn retired_slot(&mut self) {
        self.bytes = self.bytes.wrapping_add(Tally::RETIRED_BYTES);
    }
}

/// Words of a bitmap beyond those of its bits: each arena's bits may be rounded up
/// to whole words, twice.
const SPARE_WORDS: usize = 32;

/// Mark bits, reserved along with slots and pages so that a collection needs no
/// memory: two for every slot, or one for every word of the largest arena.
#[derive(Debug, Default)]
pub(crate) struct Bitmap {
    words: Vec<u64>,
    /// The slots that all arenas have capacity for, dropped ones included.
    slots: usize,
}

/// The account of memory, the tally of allocations, and the mark bits.
#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) account: Account,
    pub(crate) tally: Tally,
    bitmap: Bitmap,
    /// The state of objects that are allocated.
    pub(crate) born: Born,
    /// Whether memory was refused for states, so that an arena does not have all: only a
    /// collection of the whole heap is possible.
    pub(crate) states_lost: bool,
}

impl Resources {
    pub(crate) const fn new(account: Account) -> Resources {
        let bitmap = Bitmap { words: Vec::new(), slots: 0 };
        let tally = Tally { bytes: 0, objects: 0 };
        Resources { account, tally, bitmap, born: Born::WHITE, states_lost: false }
    }

    /// [`Account::reserve`] for the dense slots of an arena that has `indices` indices,
    /// and their mark bits. After an error, slots may have been reserved;
    /// [`Resources::shrink_slots`] undoes that.
    pub(super) fn reserve_slots<T>(
        &mut self,
        slots: &mut Vec<T>,
        len: usize,
        indices: usize,
    ) -> Result<()> {
        let old = slots.capacity().max(indices);
        self.account.reserve(slots, len)?;
        let added = slots.capacity().max(indices).saturating_sub(old);
        self.bitmap.slots = self.bitmap.slots.saturating_add(added);
        self.reserve_bits(self.bitmap.slots.saturating_mul(2))
    }

    /// Counts the indices of a table of slots that is about to be filled, and reserves their
    /// mark bits.
    pub(super) fn add_indices(&mut self, indices: usize) -> Result<()> {
        self.bitmap.slots = self.bitmap.slots.saturating_add(indices);
        self.reserve_bits(self.bitmap.slots.saturating_mul(2))
    }

    /// Keeps states of `slots` slots if states are kept; gives them up if memory is refused.
    /// While a cycle sweeps, those of older slots stay: they tell what is garbage.
    pub(super) fn reserve_states(&mut self, states: &mut States, slots: usize) {
        if states.is_kept() && !states.keep(&mut self.account, slots) {
            if self.born == Born::WHITE {
                states.forget();
            }
            self.states_lost = true;
        }
    }

    /// [`Account::shrink`] for the dense slots of an arena that has `indices` indices.
    pub(super) fn shrink_slots<T>(&mut self, slots: &mut Vec<T>, capacity: usize, indices: usize) {
        let old = slots.capacity().max(indices);
        self.account.shrink(slots, capacity);
        let removed = old.saturating_sub(slots.capacity().max(indices));
        self.bitmap.slots = self.bitmap.slots.saturating_sub(removed);
    }

    /// Reserves `bits` mark bits.
    pub(super) fn reserve_bits(&mut self, bits: usize) -> Result<()> {
        self.account.reserve(&mut self.bitmap.words, (bits / 64).saturating_add(SPARE_WORDS))
    }

    /// Checks that memory may grow by `slots` slots, and to `words` words by
    /// `word_bytes` bytes, without growing it.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::words::Error::Limit).
    pub(super) fn check_growth(&mut self, slots: usize, words: usize, bytes: usize) -> Result<()> {
        let bits = self.bitmap.slots.saturating_add(slots).saturating_mul(2).max(words);
        let bitmap_words = (bits / 64).saturating_add(SPARE_WORDS);
        let bitmap_bytes = bitmap_words.saturating_sub(self.bitmap_words()).saturating_mul(8);
        let slot_bytes = slots.saturating_mul(size_of::<Slot>());
        self.account.check_bytes(bytes.saturating_add(slot_bytes).saturating_add(bitmap_bytes))
    }

    /// The words of mark bits that are reserved.
    pub(crate) fn bitmap_words(&self) -> usize {
        self.bitmap.words.capacity()
    }

    /// Gives mark bits beyond `words` words back.
    pub(crate) fn shrink_bitmap(&mut self, words: usize) {
        self.account.shrink(&mut self.bitmap.words, words);
    }

    /// Gives back mark bits that neither the slots nor `memory_words` words need.
    pub(crate) fn trim_bitmap(&mut self, memory_words: usize) {
        let bits = self.bitmap.slots.saturating_mul(2).max(memory_words);
        self.bitmap.words.clear();
        self.shrink_bitmap((bits / 64).saturating_add(SPARE_WORDS));
    }

    /// Takes the mark bits away, of which the first `bits` are zero, until
    /// [`Resources::put_bits`] returns them. No collection may run meanwhile.
    pub(crate) fn take_bits(&mut self, bits: usize) -> Vec<u64> {
        let mut words = core::mem::take(&mut self.bitmap.words);
        let len = (bits / 64).saturating_add(1).min(words.capacity());
        words.clear();
        words.resize(len, 0);
        words
    }

    /// Returns the mark bits to their place, whatever they are.
    pub(crate) fn put_bits(&mut self, mut words: Vec<u64>) {
        words.clear();
        self.bitmap.words = words;
    }

    /// Runs `work` with the first `bits` mark bits, which have been reserved. They
    /// are zero before and have to be after. Costs O(bits) the first time only.
    pub(crate) fn with_bits<T>(
        &mut self,
        bits: usize,
        work: impl FnOnce(&mut Account, &mut Tally, &mut [u64]) -> T,
    ) -> T {
        let words = core::mem::take(&mut self.bitmap.words);
        let used = self.account.used();
        let mut borrowed = BorrowedBits { resources: self, words, unwound: Some(used) };
        let len = (bits / 64).saturating_add(1).min(borrowed.words.capacity());
        if borrowed.words.len() < len {
            borrowed.words.resize(len, 0);
        }
        let BorrowedBits { resources, words, .. } = &mut borrowed;
        let Resources { account, tally, .. } = &mut **resources;
        let result = work(account, tally, words.get_mut(..len).unwrap_or_default());
        debug_assert!(words.iter().all(|&word| word == 0), "mark bits are left set");
        borrowed.unwound = None;
        result
    }
}

/// Returns the mark bits to their place, also when an iterator of the host panics:
/// the bits may be set then, and the work list, whose bytes were counted, has been
/// dropped.
struct BorrowedBits<'r> {
    resources: &'r mut Resources,
    words: Vec<u64>,
    /// The bytes in use before; `None` once `work` has returned.
    unwound: Option<usize>,
}

impl Drop for BorrowedBits<'_> {
    fn drop(&mut self) {
        if let Some(used) = self.unwound {
            self.resources.account.restore_used(used);
            self.words.clear();
        }
        self.resources.bitmap.words = core::mem::take(&mut self.words);
    }
}
