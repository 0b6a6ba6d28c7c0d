//! [`Hosts`]: values of the host that objects own.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;

use crate::arena::{Account, Arena, Arenas, Tally};
use crate::words::{Cell, Error, Kind, Result, corrupt, to_u64, to_usize};

/// No entry.
const NONE: u32 = u32::MAX;
/// Slots that an arena may grow by for one object.
const BATCH: usize = 64;

/// A value: an array of one, since a `Vec` of one is what can be allocated fallibly, and
/// becomes a boxed array.
pub(crate) type Value = Box<dyn Any + Send + Sync>;

/// The value of the object in a slot.
#[derive(Default)]
struct Entry {
    value: Option<Value>,
    /// The bytes that the host has declared, beyond those of the box.
    declared: usize,
    /// The next value whose object was freed.
    next: u32,
    /// Whether the object was freed.
    is_dead: bool,
}

impl Entry {
    /// The bytes of the value that are on the account.
    fn bytes(&self) -> usize {
        let boxed = self.value.as_deref().map_or(0, size_of_val);
        boxed.saturating_add(self.declared)
    }
}

/// A value that no object owns yet. Its bytes are on an account.
pub(crate) struct NewValue {
    value: Value,
    declared: usize,
}

impl NewValue {
    /// Boxes a value, for which the host has declared more bytes.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::OutOfMemory`]. The value is dropped then.
    pub(crate) fn new<T: Any + Send + Sync>(
        account: &mut Account,
        declared: usize,
        value: T,
    ) -> Result<NewValue> {
        let mut room = Vec::new();
        let reserved = account.reserve(&mut room, 1);
        let held = reserved.and_then(|()| match declared {
            0 => Ok(()),
            bytes => account.hold(bytes),
        });
        if let Err(error) = held {
            account.shrink(&mut room, 0);
            return Err(error);
        }
        Ok(NewValue { value: boxed(room, value), declared })
    }

    /// The bytes on the account.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.value).saturating_add(self.declared)
    }

    /// The value, to be dropped.
    pub(crate) fn into_value(self) -> Value {
        self.value
    }
}

/// Puts a value into the memory for it.
fn boxed<T: Any + Send + Sync>(mut room: Vec<T>, value: T) -> Value {
    room.push(value);
    // As large as its capacity, it does not move.
    let boxed: core::result::Result<Box<[T; 1]>, _> = room.into_boxed_slice().try_into();
    debug_assert!(boxed.is_ok(), "it has one element");
    match boxed {
        Ok(boxed) => boxed,
        Err(values) => Box::new(values),
    }
}

/// Memory for a host object, and nothing else of it yet.
pub(crate) struct Room<T> {
    value: Vec<T>,
    /// The capacity of the table before.
    capacity: usize,
}

/// The values of the host.
pub(crate) struct Hosts {
    /// By the slot of the object.
    entries: Vec<Entry>,
    /// The values in the table.
    len: usize,
    /// The last value whose object was freed.
    dead: u32,
    /// The bytes of all values.
    bytes: usize,
}

/// Shows no value.
impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosts").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Hosts {
    pub(super) const fn new() -> Hosts {
        Hosts { entries: Vec::new(), len: 0, dead: NONE, bytes: 0 }
    }

    /// Whether there is a value.
    #[inline(always)]
    pub(crate) const fn is_any(&self) -> bool {
        self.len > 0
    }

    /// The bytes of all values.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes of the value of the object in a slot.
    pub(crate) fn bytes_at(&self, index: u32) -> usize {
        self.entries.get(to_usize(index)).map_or(0, Entry::bytes)
    }

    /// Reserves memory for a value, and for its entry in the table. Amortised O(1).
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::OutOfMemory`]. Nothing has changed then.
    pub(crate) fn reserve<T>(&mut self, account: &mut Account, arena: &Arena) -> Result<Room<T>> {
        let capacity = self.reserve_entries(account, arena.indices().saturating_add(BATCH))?;
        let mut room = Room { value: Vec::new(), capacity };
        match account.reserve(&mut room.value, 1) {
            Ok(()) => Ok(room),
            Err(error) => {
                self.give_back(account, room);
                Err(error)
            }
        }
    }

    /// Gives the memory back.
    pub(crate) fn give_back<T>(&mut self, account: &mut Account, mut room: Room<T>) {
        account.shrink(&mut room.value, 0);
        self.shrink_entries(account, room.capacity);
    }

    /// Reserves memory for the values of `slots` slots; returns the capacity before, for
    /// [`Hosts::shrink_entries`].
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::OutOfMemory`]. Nothing has changed then.
    pub(crate) fn reserve_entries(&mut self, account: &mut Account, slots: usize) -> Result<usize> {
        let capacity = self.entries.capacity();
        account.reserve(&mut self.entries, slots)?;
        Ok(capacity)
    }

    /// Gives memory beyond that for `capacity` values back.
    pub(crate) fn shrink_entries(&mut self, account: &mut Account, capacity: usize) {
        account.shrink(&mut self.entries, capacity);
    }

    /// Puts a value into the memory reserved for it, as that of a new object.
    pub(crate) fn put<T: Any + Send + Sync>(
        &mut self,
        tally: &mut Tally,
        cell: Cell,
        room: Room<T>,
        value: T,
    ) {
        let value = NewValue { value: boxed(room.value, value), declared: 0 };
        tally.foreign(value.bytes());
        self.adopt(cell, value);
    }

    /// Makes a value that of a new object, for whose slot there is an entry, or room for it.
    pub(crate) fn adopt(&mut self, cell: Cell, value: NewValue) {
        let index = to_usize(cell.slot());
        debug_assert!(index < self.entries.capacity(), "room has been reserved");
        if index >= self.entries.len() && index < self.entries.capacity() {
            self.entries.resize_with(index.saturating_add(1), Entry::default);
        }
        if let Some(entry) = self.entries.get_mut(index) {
            debug_assert!(entry.value.is_none(), "the slot was free");
            self.len = self.len.saturating_add(1);
            self.bytes = self.bytes.saturating_add(value.bytes());
            let NewValue { value, declared } = value;
            *entry = Entry { value: Some(value), declared, ..Entry::default() };
        }
    }

    /// The bytes that the host has declared for the value of a live object.
    pub(crate) fn declared(&self, cell: Cell) -> usize {
        self.entries.get(to_usize(cell.slot())).map_or(0, |entry| entry.declared)
    }

    /// The value of a live object.
    pub(crate) fn get<T: Any>(&self, cell: Cell) -> Result<&T> {
        let value =
            self.entries.get(to_usize(cell.slot())).and_then(|entry| entry.value.as_deref());
        let value = value.ok_or_else(corrupt)?.downcast_ref::<[T; 1]>();
        value.and_then(|value| value.first()).ok_or(Error::WrongHostType)
    }

    /// The value of a live object, to change.
    pub(crate) fn get_mut<T: Any>(&mut self, cell: Cell) -> Result<&mut T> {
        let entry = self.entries.get_mut(to_usize(cell.slot()));
        let value = entry.and_then(|entry| entry.value.as_deref_mut()).ok_or_else(corrupt)?;
        let value = value.downcast_mut::<[T; 1]>().and_then(|value| value.first_mut());
        value.ok_or(Error::WrongHostType)
    }

    /// Takes the value of a live object, which is freed next.
    pub(crate) fn take<T: Any>(&mut self, account: &mut Account, cell: Cell) -> Result<T> {
        self.get::<T>(cell)?;
        let value = self.take_at(account, cell.slot()).ok_or_else(corrupt)?;
        let value = value.downcast::<[T; 1]>().map_err(|_| corrupt())?;
        let [value] = *value;
        Ok(value)
    }

    fn take_at(&mut self, account: &mut Account, index: u32) -> Option<Value> {
        let entry = core::mem::take(self.entries.get_mut(to_usize(index))?);
        let bytes = entry.bytes();
        let value = entry.value?;
        self.len = self.len.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        account.replace(bytes, 0);
        Some(value)
    }

    /// Declares the bytes of a live object's value beyond those of the box.
    ///
    /// # Errors
    /// [`Error::Limit`]; [`Error::OutOfMemory`] by fault injection. Nothing has changed
    /// then.
    pub(crate) fn declare(
        &mut self,
        account: &mut Account,
        tally: &mut Tally,
        cell: Cell,
        bytes: usize,
    ) -> Result<()> {
        let entry = self.entries.get_mut(to_usize(cell.slot())).ok_or_else(corrupt)?;
        let growth = bytes.saturating_sub(entry.declared);
        if growth > 0 {
            account.hold(growth)?;
            tally.foreign(growth);
        }
        let before = core::mem::replace(&mut entry.declared, bytes);
        account.replace(before.saturating_sub(bytes), 0);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(bytes);
        Ok(())
    }

    /// Takes note that an object was freed. O(1).
    pub(super) fn note_freed(&mut self, cell: Cell) {
        if cell.kind() == Some(Kind::HOST) {
            self.bury(cell.slot());
        }
    }

    /// Takes note that any number of objects were freed. O(slots of host objects).
    pub(super) fn note_all_freed(&mut self, arenas: &Arenas) {
        let Some(arena) = arenas.get(Kind::HOST).filter(|_| self.is_any()) else { return };
        for index in 0..u32::try_from(self.entries.len()).unwrap_or(NONE) {
            if arena.live_at(index).is_none() {
                self.bury(index);
            }
        }
    }

    /// Adds the value of a freed object to those that are to be dropped.
    fn bury(&mut self, index: u32) {
        let entry = self.entries.get_mut(to_usize(index));
        if let Some(entry) = entry.filter(|entry| entry.value.is_some() && !entry.is_dead) {
            entry.is_dead = true;
            entry.next = core::mem::replace(&mut self.dead, index);
        }
    }

    /// Whether there are values of freed objects.
    #[inline(always)]
    pub(crate) const fn has_dead(&self) -> bool {
        self.dead != NONE
    }

    /// Takes the value of a freed object, for the caller to drop.
    pub(crate) fn take_dead(&mut self, account: &mut Account) -> Option<Value> {
        let index = self.dead;
        self.dead = self.entries.get(to_usize(index))?.next;
        self.take_at(account, index)
    }

    /// Gives spare capacity back.
    pub(super) fn trim(&mut self, account: &mut Account) {
        let used = self.entries.iter().rposition(|entry| entry.value.is_some());
        self.entries.truncate(used.map_or(0, |last| last.saturating_add(1)));
        account.shrink(&mut self.entries, 0);
    }

    /// Bytes on the account.
    pub(super) fn reserved_bytes(&self) -> u64 {
        let table = self.entries.capacity().saturating_mul(size_of::<Entry>());
        to_u64(table.saturating_add(self.bytes))
    }

    /// Whether each live host object has a value, and no other.
    pub(super) fn is_consistent(&self, arena: &Arena) -> bool {
        let (mut len, mut bytes) = (0_usize, 0_usize);
        let owned = self.entries.iter().zip(0_u32..).all(|(entry, index)| {
            let is_owned = entry.value.is_some();
            len = len.saturating_add(usize::from(is_owned));
            bytes = bytes.saturating_add(entry.bytes());
            is_owned == arena.live_at(index).is_some() && !entry.is_dead
        });
        let live = arena.live().count();
        owned && !self.has_dead() && (len, bytes) == (self.len, self.bytes) && live == len
    }
}
