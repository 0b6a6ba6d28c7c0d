//! Maps whose hashes and equality code of the VM gives. Sets are in `own_sets`.

use bumpalo::collections::Vec;

use crate::arena::push;
use crate::heap::{Heap, Store, StoreParts};
use crate::kinds::Map;
use crate::object::table::{Entry, Table, copied, own_hash};
use crate::object::{Keyed, TableMut};
use crate::words::{AsHandle, Cell, Error, Result};

impl Heap {
    /// Returns the value of a key in a map whose keys are found by hashes and an equality of
    /// the VM's own, such as the `__hash__` and `__eq__` of a language; `None` if the map has
    /// no such key. `hash` is what the VM computed for the key, `equal` compares it with a key
    /// of the map that has this hash. See [`Heap::map_insert_by`].
    ///
    /// Expected O(1), and O(k) calls of `equal` for k keys of one hash. Takes scratch memory
    /// for these k if they are more than 4.
    ///
    /// ```
    /// use segheap::{Error, Heap, Map, Struct};
    /// let mut heap = Heap::new();
    /// // Instances of a class, equal if their first fields are.
    /// let equal = |heap: &mut Heap, a, b| {
    ///     let (a, b) = (heap.element::<Struct>(a, 0)?, heap.element::<Struct>(b, 0)?);
    ///     heap.key_eq(a, b)
    /// };
    /// let map = heap.alloc(Map::new())?;
    /// let one = heap.alloc(Struct::of(7, &[1.into(), true.into()]))?;
    /// let same = heap.alloc(Struct::of(7, &[1.into(), false.into()]))?;
    /// heap.map_insert_by(map, one.into(), 10.into(), 1, equal)?;
    /// assert_eq!(heap.map_get_by(map, same.into(), 1, equal)?, Some(10.into()));
    /// assert_eq!(heap.map_get(map, same.into()), Err(Error::OtherHash));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::map_insert_by`], but for [`Error::Frozen`] and those of growth.
    pub fn map_get_by<E: From<Error>>(
        &mut self,
        map: impl AsHandle<Map>,
        key: Cell,
        hash: u64,
        equal: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
    ) -> Result<Option<Cell>, E> {
        let map = map.into();
        Ok(find::<Map, E>(self, map, key, own_hash(hash), equal)?.map(|(_, (_, value))| value))
    }

    /// Sets the value of a key in a map whose keys are found by hashes and an equality of the
    /// VM's own, and returns the value that it replaces; `None` for a new key. An existing
    /// entry keeps its key cell and its place in the order.
    ///
    /// The first such entry makes an empty map one of this kind, for good. Operations that
    /// look a key up by the hash of the heap fail with [`Error::OtherHash`] from then on, as
    /// do those of this kind on a map that has other keys. All others are as ever: iteration,
    /// removal by place, `retain`, `clear`. The map keeps the hashes: growing it calls no code
    /// of the VM. Its hashes are not seeded; a VM that has to resist chosen keys seeds its
    /// own.
    ///
    /// `equal` gets the heap, the key and a key of the map. It may fail, allocate, collect and
    /// change other objects. If what it returns is contradictory, some entry is taken for that
    /// of the key, or none.
    ///
    /// Amortised expected O(1), and O(k) calls of `equal` for k keys of one hash; O(entries)
    /// when the table is rebuilt, or if more than about 100 keys have one hash.
    ///
    /// ```
    /// use segheap::{Error, Heap, Map};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// // 1 and 1.0 are one key.
    /// let equal = |heap: &mut Heap, a, b| Ok::<_, Error>(heap.cmp_num(a, b)?.is_some_and(|o| o.is_eq()));
    /// assert_eq!(heap.map_insert_by(map, 1.into(), 10.into(), 1, equal)?, None);
    /// assert_eq!(heap.map_insert_by(map, 1.0.into(), 20.into(), 1, equal)?, Some(10.into()));
    /// assert_eq!(heap.display(map).to_string(), "{1: 20}");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`], [`Error::Sealed`], [`Error::WrongKind`] or [`Error::Stale`] if
    /// `map` is no handle of a live map, and [`Error::Stale`] also if the key was freed;
    /// [`Error::Frozen`]; [`Error::OtherHash`] if the map has keys by the hash of the heap;
    /// [`Error::Limit`] or [`Error::OutOfMemory`] if scratch memory cannot grow. The first error of `equal`; [`Error::Changed`] if it has inserted or
    /// removed entries, or freed the map or one of the two keys. If the table cannot grow:
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]. The map is as it was before, or as `equal` left it.
    pub fn map_insert_by<E: From<Error>>(
        &mut self,
        map: impl AsHandle<Map>,
        key: Cell,
        value: Cell,
        hash: u64,
        equal: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
    ) -> Result<Option<Cell>, E> {
        insert_by::<Map, E>(self, map.into(), own_hash(hash), &[key, value], equal)
    }

    /// Removes the entry of a key from a map whose keys are found by hashes and an equality of
    /// the VM's own, and returns it; `None` if there is none. Costs as [`Heap::map_get_by`],
    /// amortised.
    ///
    /// ```
    /// use segheap::{Error, Heap, Map};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(Map::new())?;
    /// let equal = |_: &mut Heap, a, b| Ok::<_, Error>(a == b);
    /// heap.map_insert_by(map, 1.into(), 10.into(), 1, equal)?;
    /// assert_eq!(heap.map_remove_by(map, 1.into(), 1, equal)?, Some((1.into(), 10.into())));
    /// assert_eq!(heap.map_remove_by(map, 1.into(), 1, equal)?, None);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::map_insert_by`], but for those of growth.
    pub fn map_remove_by<E: From<Error>>(
        &mut self,
        map: impl AsHandle<Map>,
        key: Cell,
        hash: u64,
        equal: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
    ) -> Result<Option<(Cell, Cell)>, E> {
        remove_by::<Map, E>(self, map.into(), key, own_hash(hash), equal)
    }
}

/// Inserts an entry; returns what it replaces.
#[inline(always)]
pub(super) fn insert_by<K: Keyed, E: From<Error>>(
    heap: &mut Heap,
    table: Cell,
    hash: u32,
    entry: &[Cell],
    equal: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
) -> Result<Option<Cell>, E> {
    heap.store.get_mut::<K>(table)?;
    let key = entry.first().copied().unwrap_or_default();
    let found = find::<K, E>(heap, table, key, hash, equal)?;
    heap.store.get_mut::<K>(table)?;
    let mut table = table_mut::<K>(&mut heap.store, table);
    Ok(match found {
        Some((position, _)) => Some(table.replace_at(position, entry)?),
        None => table.append_own(hash, entry).map(|()| None)?,
    })
}

/// Removes the entry of a key, and returns it.
#[inline(always)]
pub(super) fn remove_by<K: Keyed, E: From<Error>>(
    heap: &mut Heap,
    table: Cell,
    key: Cell,
    hash: u32,
    equal: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
) -> Result<Option<Entry>, E> {
    heap.store.get_mut::<K>(table)?;
    let found = find::<K, E>(heap, table, key, hash, equal)?;
    let Some((position, _)) = found else { return Ok(None) };
    heap.store.get_mut::<K>(table)?;
    Ok(Some(table_mut::<K>(&mut heap.store, table).remove_at(position)?))
}

/// The table of a map or set.
fn open<K: Keyed>(store: &Store, cell: Cell) -> Result<Table<&[u64]>> {
    let arena = store.arena(K::KIND)?;
    let slot = arena.check(cell)?;
    Ok(Table::new(arena.used(slot)?, slot.len, K::STRIDE))
}

/// [`open`] except where a cold path has to.
#[inline(always)]
fn open_dense<K: Keyed>(store: &Store, cell: Cell) -> Option<Table<&[u64]>> {
    let (words, used) = store.arenas().get(K::KIND)?.table(cell)?;
    Some(Table::new(words, used, K::STRIDE))
}

/// The table of a map or set that is live and may change.
fn table_mut<K: Keyed>(store: &mut Store, cell: Cell) -> TableMut<'_> {
    let StoreParts { arenas, resources, .. } = store.parts();
    TableMut { arenas, resources, kind: K::KIND, index: cell.slot(), stride: K::STRIDE }
}

/// Keys of one hash that are compared without scratch memory.
const FEW: usize = 4;

/// What is looked for.
#[derive(Clone, Copy)]
struct Wanted {
    table: Cell,
    key: Cell,
    hash: u32,
    /// That of the table when its keys were copied.
    stamp: [u64; 2],
}

/// A key of the hash, and its position.
type Candidate = (u32, Cell);

/// The position of an entry, and the entry.
type Found = (u32, Entry);

/// What is looked for, and a key of the hash, or that there is none. `None` if it is not near,
/// and where a cold path finds out what is wrong.
#[inline(always)]
fn near<K: Keyed>(
    store: &Store,
    table: Cell,
    key: Cell,
    hash: u32,
) -> Option<(Wanted, Option<Candidate>)> {
    let open = open_dense::<K>(store, table)?;
    if !open.is_own() || !store.keys().is_usable(key) {
        return None;
    }
    let wanted = Wanted { table, key, hash, stamp: open.stamp() };
    Some((wanted, open.first_of_hash(hash)?))
}

/// The position of the entry of a key and the entry, by its hash and `equal`.
#[inline(always)]
pub(super) fn find<K: Keyed, E: From<Error>>(
    heap: &mut Heap,
    table: Cell,
    key: Cell,
    hash: u32,
    mut equal: impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
) -> Result<Option<Found>, E> {
    let mut asked = None;
    if let Some((wanted, near)) = near::<K>(&heap.store, table, key, hash) {
        let Some(candidate) = near else { return Ok(None) };
        let found = ask::<K, E>(heap, wanted, candidate, &mut equal)?;
        if found.is_some() {
            return Ok(found);
        }
        asked = Some(candidate.1);
    }
    find_among::<K, E>(heap, (table, key, hash), asked, &mut equal)
}

/// [`find`] among all keys of the hash but one that has been `asked` about. The keys to compare
/// with are copied before the first call: it may have the table rebuilt.
#[inline(never)]
fn find_among<K: Keyed, E: From<Error>>(
    heap: &mut Heap,
    (table, key, hash): (Cell, Cell, u32),
    asked: Option<Cell>,
    equal: &mut impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
) -> Result<Option<Found>, E> {
    let found = open::<K>(&heap.store, table)?;
    if !heap.store.keys().is_usable(key) {
        return Err(Error::Stale { kind: key.selector() }.into());
    }
    if !found.is_own() {
        return if found.len() == 0 && !found.is_weak() {
            Ok(None)
        } else {
            Err(Error::OtherHash.into())
        };
    }
    let wanted = Wanted { table, key, hash, stamp: found.stamp() };
    let (mut few, mut count) = ([(0, Cell::NULL); FEW], 0_usize);
    found.each_of_hash(hash, |position, cell| {
        if Some(cell) != asked {
            if let Some(place) = few.get_mut(count) {
                *place = (position, cell);
            }
            count = count.saturating_add(1);
        }
    });
    if let Some(few) = few.get(..count) {
        return ask_each::<K, E>(heap, wanted, few, equal);
    }
    heap.with_scratch(|heap, scratch| {
        let (mut candidates, mut pushed) = (Vec::new_in(scratch.bump), Ok(()));
        open::<K>(&heap.store, table)?.each_of_hash(hash, |position, cell| {
            if pushed.is_ok() && Some(cell) != asked {
                pushed = push(&mut candidates, (position, cell));
            }
        });
        pushed?;
        // What is asked may allocate: scratch memory counts against the limit.
        scratch.charge_callback(heap.store.account_mut());
        Ok(ask_each::<K, E>(heap, wanted, &candidates, equal))
    })?
}

/// [`ask`] about keys in turn; returns the first one that is equal.
fn ask_each<K: Keyed, E: From<Error>>(
    heap: &mut Heap,
    wanted: Wanted,
    candidates: &[Candidate],
    equal: &mut impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
) -> Result<Option<Found>, E> {
    for &candidate in candidates {
        let found = ask::<K, E>(heap, wanted, candidate, equal)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Asks `equal` about a key of the hash; returns what is found if it is equal.
#[inline(always)]
fn ask<K: Keyed, E: From<Error>>(
    heap: &mut Heap,
    Wanted { table, key, hash, stamp }: Wanted,
    candidate: Candidate,
    equal: &mut impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, E>,
) -> Result<Option<Found>, E> {
    // A key that was freed equals none.
    if !heap.store.keys().is_usable(candidate.1) {
        return Ok(None);
    }
    let is_equal = equal(heap, key, candidate.1)?;
    let keys = heap.store.keys();
    let open = match open_dense::<K>(&heap.store, table) {
        Some(open) => open,
        None => open::<K>(&heap.store, table).map_err(|_| Error::Changed)?,
    };
    if open.stamp() != stamp || !keys.is_usable(key) {
        return Err(Error::Changed.into());
    }
    if !is_equal {
        return Ok(None);
    }
    let is_live = keys.is_usable(candidate.1);
    let found = is_live.then(|| locate(open, hash, candidate)).flatten();
    found.map_or_else(|| Err(Error::Changed.into()), |found| Ok(Some(found)))
}

/// The position and the entry of a candidate. A rebuild that changes no entry may have moved
/// it.
#[inline(always)]
fn locate(table: Table<&[u64]>, hash: u32, (place, key): Candidate) -> Option<Found> {
    match table.entry(place).map(copied) {
        Some(entry) if entry.0 == key && place < table.used() => Some((place, entry)),
        _ => locate_moved(table, hash, key),
    }
}

#[cold]
#[inline(never)]
fn locate_moved(table: Table<&[u64]>, hash: u32, key: Cell) -> Option<Found> {
    let mut moved = None;
    table.each_of_hash(hash, |position, found| {
        if found == key {
            moved = moved.or(Some(position));
        }
    });
    let position = moved?;
    Some((position, copied(table.entry(position)?)))
}
