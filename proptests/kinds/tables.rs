//! Maps and sets against an association list. Keys are cells of every kind: equal
//! ones in different forms, objects that are freed, the tables themselves.

use proptest::prelude::*;
use segheap::{Bignum, Cell, Cursor, Error, Handle, Heap, Kind, List, Map, Object, Set, Str, abi};

use crate::reference::{Model, ReferenceHeap};
use crate::support::{config, heap, immediate, out_of_range};

/// The common interface of maps and sets. The value of an entry of a set is null.
trait Keyed: Object {
    const VALUES: bool;
    fn make(heap: &mut Heap, capacity: usize) -> Handle<Self>;
    fn insert(heap: &mut Heap, table: Handle<Self>, entry: Entry) -> Result<Option<Cell>, Error>;
    fn get(heap: &Heap, table: Handle<Self>, key: Cell) -> Result<Option<Cell>, Error>;
    fn contains(heap: &Heap, table: Handle<Self>, key: Cell) -> Result<bool, Error>;
    fn remove(heap: &mut Heap, table: Handle<Self>, key: Cell) -> Result<Option<Entry>, Error>;
    fn nth(heap: &Heap, table: Handle<Self>, n: usize) -> Result<Entry, Error>;
    fn remove_nth(heap: &mut Heap, table: Handle<Self>, n: usize) -> Result<Entry, Error>;
    fn clear(heap: &mut Heap, table: Handle<Self>) -> Result<(), Error>;
    fn pop(heap: &mut Heap, table: Handle<Self>) -> Result<Option<Entry>, Error>;
    fn pop_front(heap: &mut Heap, table: Handle<Self>) -> Result<Option<Entry>, Error>;
    fn index_of(heap: &Heap, table: Handle<Self>, key: Cell) -> Result<Option<usize>, Error>;
    fn reserve(heap: &mut Heap, table: Handle<Self>, additional: usize) -> Result<(), Error>;
    fn shrink(heap: &mut Heap, table: Handle<Self>) -> Result<(), Error>;
    fn get_or_insert(heap: &mut Heap, table: Handle<Self>, entry: Entry) -> Result<Entry, Error>;
    fn extend(heap: &mut Heap, table: Handle<Self>, entries: &[Entry]) -> Result<(), Error>;
    /// The entries of another table.
    fn extend_from(heap: &mut Heap, table: Handle<Self>, other: Handle<Self>) -> Result<(), Error>;
    fn retain(
        heap: &mut Heap,
        table: Handle<Self>,
        keeps: impl FnMut(&mut Heap, Entry) -> Result<bool, Error>,
    ) -> Result<(), Error>;
    fn next(heap: &Heap, table: Handle<Self>, cursor: &mut Cursor) -> Option<Entry>;
    fn entries(heap: &Heap, table: Handle<Self>) -> (usize, Vec<Entry>);
}

type Entry = (Cell, Cell);

macro_rules! keyed {
    ($Kind:ident, $values:literal, $entry:expr, $insert:expr, $get:expr, $($more:tt)*) => {
        impl Keyed for $Kind {
            const VALUES: bool = $values;
            fn make(heap: &mut Heap, capacity: usize) -> Handle<Self> {
                let made =
                    if capacity == 0 { $Kind::new() } else { $Kind::with_capacity(capacity) };
                heap.alloc(made).unwrap()
            }
            fn insert(
                heap: &mut Heap,
                table: Handle<Self>,
                entry: Entry,
            ) -> Result<Option<Cell>, Error> {
                $insert(heap, table, entry)
            }
            fn get(heap: &Heap, table: Handle<Self>, key: Cell) -> Result<Option<Cell>, Error> {
                $get(heap, table, key)
            }
            fn contains(heap: &Heap, table: Handle<Self>, key: Cell) -> Result<bool, Error> {
                heap.get(table)?.contains(key)
            }
            fn remove(
                heap: &mut Heap,
                table: Handle<Self>,
                key: Cell,
            ) -> Result<Option<Entry>, Error> {
                Ok(heap.get_mut(table)?.remove(key)?.map($entry))
            }
            fn nth(heap: &Heap, table: Handle<Self>, n: usize) -> Result<Entry, Error> {
                heap.get(table)?.nth(n).map($entry)
            }
            fn remove_nth(heap: &mut Heap, table: Handle<Self>, n: usize) -> Result<Entry, Error> {
                heap.get_mut(table)?.remove_nth(n).map($entry)
            }
            fn clear(heap: &mut Heap, table: Handle<Self>) -> Result<(), Error> {
                heap.get_mut(table)?.clear()
            }
            fn pop(heap: &mut Heap, table: Handle<Self>) -> Result<Option<Entry>, Error> {
                Ok(heap.get_mut(table)?.pop()?.map($entry))
            }
            fn pop_front(heap: &mut Heap, table: Handle<Self>) -> Result<Option<Entry>, Error> {
                Ok(heap.get_mut(table)?.pop_front()?.map($entry))
            }
            fn index_of(
                heap: &Heap,
                table: Handle<Self>,
                key: Cell,
            ) -> Result<Option<usize>, Error> {
                heap.get(table)?.index_of(key)
            }
            fn reserve(heap: &mut Heap, table: Handle<Self>, more: usize) -> Result<(), Error> {
                heap.get_mut(table)?.reserve(more)
            }
            fn shrink(heap: &mut Heap, table: Handle<Self>) -> Result<(), Error> {
                heap.get_mut(table)?.shrink_to_fit()
            }
            $($more)*
            fn next(heap: &Heap, table: Handle<Self>, cursor: &mut Cursor) -> Option<Entry> {
                heap.get(table).unwrap().next(cursor).map($entry)
            }
            fn entries(heap: &Heap, table: Handle<Self>) -> (usize, Vec<Entry>) {
                let view = heap.get(table).unwrap();
                assert_eq!(view.is_empty(), view.len() == 0);
                (view.len(), view.iter().map($entry).collect())
            }
        }
    };
}
keyed! {
    Map,
    true,
    |entry| entry,
    |heap: &mut Heap, table: Handle<Map>, (key, value)| heap.get_mut(table)?.insert(key, value),
    |heap: &Heap, table: Handle<Map>, key| heap.get(table)?.get(key),
    fn get_or_insert(heap: &mut Heap, table: Handle<Map>, entry: Entry) -> Result<Entry, Error> {
        Ok((entry.0, heap.get_mut(table)?.get_or_insert(entry.0, entry.1)?))
    }
    fn extend(heap: &mut Heap, table: Handle<Map>, entries: &[Entry]) -> Result<(), Error> {
        heap.get_mut(table)?.extend(entries)
    }
    fn extend_from(heap: &mut Heap, table: Handle<Map>, other: Handle<Map>) -> Result<(), Error> {
        heap.map_extend(table, other)
    }
    fn retain(
        heap: &mut Heap,
        table: Handle<Map>,
        mut keeps: impl FnMut(&mut Heap, Entry) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        heap.map_retain(table, |heap, key, value| keeps(heap, (key, value)))
    }
}
keyed! {
    Set,
    false,
    |key| (key, Cell::NULL),
    |heap: &mut Heap, table: Handle<Set>, (key, _): Entry| {
        let new = heap.get_mut(table)?.insert(key)?;
        Ok((!new).then_some(Cell::NULL))
    },
    |heap: &Heap, table: Handle<Set>, key| {
        let found = heap.get(table)?.get(key)?;
        assert_eq!(heap.get(table)?.contains(key)?, found.is_some());
        Ok(found.map(|_| Cell::NULL))
    },
    fn get_or_insert(heap: &mut Heap, table: Handle<Set>, entry: Entry) -> Result<Entry, Error> {
        let first = heap.get_mut(table)?.get_or_insert(entry.0)?;
        assert_eq!(heap.get(table)?.get(entry.0), Ok(Some(first)));
        Ok((entry.0, Cell::NULL))
    }
    fn extend(heap: &mut Heap, table: Handle<Set>, entries: &[Entry]) -> Result<(), Error> {
        let cells: Vec<Cell> = entries.iter().map(|entry| entry.0).collect();
        heap.get_mut(table)?.extend(&cells)
    }
    fn extend_from(heap: &mut Heap, table: Handle<Set>, other: Handle<Set>) -> Result<(), Error> {
        heap.set_extend(table, other)
    }
    fn retain(
        heap: &mut Heap,
        table: Handle<Set>,
        mut keeps: impl FnMut(&mut Heap, Entry) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        heap.set_retain(table, |heap, cell| keeps(heap, (cell, Cell::NULL)))
    }
}

#[derive(Clone, Copy, Debug)]
enum Key {
    Immediate(Cell),
    /// One of many integers, so that tables grow.
    Number(i32),
    /// One of the objects, live or freed.
    Object(usize),
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Key, Key),
    Get(Key),
    Remove(Key),
    Nth(usize),
    RemoveNth(usize),
    Pop,
    PopFront,
    IndexOf(Key),
    GetOrInsert(Key, Key),
    Update(Key, Key),
    Replace(Key, Key),
    Reserve(usize),
    Shrink,
    Compact,
    Extend(Vec<(Key, Key)>, bool),
    /// Keeps every entry but each `n`-th one.
    Retain(usize),
    Clear,
    Next(usize),
    Restart(usize),
    /// Frees an object and allocates one with equal contents in its slot.
    Free(usize),
}

fn resolve(key: Key, objects: &[Cell]) -> Cell {
    match key {
        Key::Immediate(cell) => cell,
        Key::Number(n) => n.into(),
        Key::Object(n) => objects[n % objects.len()],
    }
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        2 => immediate().prop_map(Key::Immediate),
        3 => (0_i32..60).prop_map(Key::Number),
        3 => any::<usize>().prop_map(Key::Object),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let n = || prop_oneof![8 => 0_usize..30, 1 => Just(usize::MAX)];
    prop_oneof![
        12 => (key(), key()).prop_map(|(key, value)| Op::Insert(key, value)),
        4 => key().prop_map(Op::Get),
        6 => key().prop_map(Op::Remove),
        2 => n().prop_map(Op::Nth),
        2 => n().prop_map(Op::RemoveNth),
        1 => Just(Op::Clear),
        2 => Just(Op::Pop),
        3 => Just(Op::PopFront),
        2 => key().prop_map(Op::IndexOf),
        2 => (key(), key()).prop_map(|(key, value)| Op::GetOrInsert(key, value)),
        2 => (key(), key()).prop_map(|(key, value)| Op::Update(key, value)),
        2 => (key(), key()).prop_map(|(key, value)| Op::Replace(key, value)),
        1 => (0_usize..200).prop_map(Op::Reserve),
        1 => Just(Op::Shrink),
        1 => Just(Op::Compact),
        2 => (prop::collection::vec((key(), key()), 0..30), any::<bool>())
            .prop_map(|(entries, table)| Op::Extend(entries, table)),
        1 => (1_usize..5).prop_map(Op::Retain),
        8 => (0_usize..3).prop_map(Op::Next),
        1 => (0_usize..3).prop_map(Op::Restart),
        1 => any::<usize>().prop_map(Op::Free),
    ]
}

/// The reference model of a table: entries in insertion order, each with its serial
/// number.
struct TableModel {
    reference: ReferenceHeap,
    entries: Vec<(u64, Entry)>,
    added: u64,
}

impl TableModel {
    fn position(&self, key: Cell) -> Result<Option<usize>, Error> {
        let key = self.reference.key(key)?;
        let same = |(_, (other, _)): &(u64, Entry)| self.reference.key(*other).as_ref() == Ok(&key);
        Ok(self.entries.iter().position(same))
    }

    fn insert(&mut self, (key, value): Entry) -> Result<Option<Cell>, Error> {
        if let Some(position) = self.position(key)? {
            let old = &mut self.entries[position].1.1;
            return Ok(Some(std::mem::replace(old, value)));
        }
        self.entries.push((self.added, (key, value)));
        self.added += 1;
        Ok(None)
    }

    /// The first entry whose serial number is `cursor` or greater.
    fn next(&self, cursor: &mut u64) -> Option<Entry> {
        let (number, entry) = self.entries.iter().find(|(number, _)| *number >= *cursor)?;
        *cursor = number + 1;
        Some(*entry)
    }
}

/// Allocates objects to use as keys: equal texts and integers in both forms, lists
/// and tables.
fn objects(heap: &mut Heap, reference: &mut ReferenceHeap) -> Vec<Cell> {
    let mut made = Vec::new();
    for text in ["a", "a", "a long text", "a long text", ""] {
        let cell = heap.alloc(Str::new(text)).unwrap().cell();
        reference.objects.insert(cell, Model::Str(text.into()));
        made.push(cell);
    }
    for limbs in [&[3][..], &[0], &[1 << 47], &[1 << 47], &[7, 7], &[7, 7]] {
        let cell = heap.alloc(Bignum::of(false, limbs)).unwrap().cell();
        reference.objects.insert(cell, Model::Bignum(crate::reference::big(false, limbs)));
        made.push(cell);
    }
    for _ in 0..2 {
        let cell = heap.alloc(List::of(&[])).unwrap().cell();
        reference.objects.insert(cell, Model::List(vec![]));
        made.push(cell);
        let cell = heap.alloc(Map::new()).unwrap().cell();
        reference.objects.insert(cell, Model::Map(vec![]));
        made.push(cell);
        let cell = heap.alloc(Set::new()).unwrap().cell();
        reference.objects.insert(cell, Model::Set(vec![]));
        made.push(cell);
    }
    made
}

/// A table, its model, the objects that serve as keys, and cursors over both.
struct Subject<K> {
    heap: Heap,
    table: Handle<K>,
    /// All handles that were keys, stale ones included; one of them is the table.
    objects: Vec<Cell>,
    model: TableModel,
    cursors: [(Cursor, u64); 3],
}

impl<K: Keyed> Subject<K> {
    fn new(seed: u64, capacity: usize) -> Self {
        let mut heap = heap(seed);
        let mut reference = ReferenceHeap::default();
        let mut objects = objects(&mut heap, &mut reference);
        let table = K::make(&mut heap, capacity);
        reference.objects.insert(table.cell(), Model::Pair([Cell::NULL; 2]));
        objects.push(table.cell());
        let model = TableModel { reference, entries: Vec::new(), added: 0 };
        Subject { heap, table, objects, model, cursors: [(Cursor::default(), 0); 3] }
    }

    fn cell(&self, key: Key) -> Cell {
        resolve(key, &self.objects)
    }

    fn run(&mut self, op: &Op) {
        let len = self.model.entries.len();
        match *op {
            Op::Insert(key, value) => {
                let value = if K::VALUES { self.cell(value) } else { Cell::NULL };
                let entry = (self.cell(key), value);
                let got = K::insert(&mut self.heap, self.table, entry);
                assert_eq!(got, self.model.insert(entry));
            }
            Op::Get(key) => {
                let key = self.cell(key);
                let found = self.model.position(key);
                let expected = found.map(|found| found.map(|n| self.model.entries[n].1.1));
                assert_eq!(K::get(&self.heap, self.table, key), expected);
                let found = expected.map(|found| found.is_some());
                assert_eq!(K::contains(&self.heap, self.table, key), found);
            }
            Op::Remove(key) => {
                let key = self.cell(key);
                let got = K::remove(&mut self.heap, self.table, key);
                let found = self.model.position(key);
                let entries = &mut self.model.entries;
                assert_eq!(got, found.map(|found| found.map(|n| entries.remove(n).1)));
            }
            Op::Nth(n) => {
                let expected = self.model.entries.get(n).map(|(_, entry)| *entry);
                let got = K::nth(&self.heap, self.table, n);
                assert_eq!(got, expected.ok_or(out_of_range(n, len)));
            }
            Op::RemoveNth(n) => {
                let got = K::remove_nth(&mut self.heap, self.table, n);
                let entries = &mut self.model.entries;
                let expected =
                    if n < len { Ok(entries.remove(n).1) } else { Err(out_of_range(n, len)) };
                assert_eq!(got, expected);
            }
            Op::Pop => {
                let popped = self.model.entries.pop().map(|(_, entry)| entry);
                assert_eq!(K::pop(&mut self.heap, self.table), Ok(popped));
            }
            Op::PopFront => {
                let popped = (len > 0).then(|| self.model.entries.remove(0).1);
                assert_eq!(K::pop_front(&mut self.heap, self.table), Ok(popped));
            }
            Op::IndexOf(key) => {
                let key = self.cell(key);
                let found = K::index_of(&self.heap, self.table, key);
                assert_eq!(found, self.model.position(key));
            }
            Op::Reserve(more) => {
                assert_eq!(K::reserve(&mut self.heap, self.table, more), Ok(()));
                self.heap.fail_growth_after(Some(0));
                for n in 0..more {
                    let entry = (Cell::from(1000 + n as i32), Cell::NULL);
                    assert_eq!(
                        K::insert(&mut self.heap, self.table, entry),
                        self.model.insert(entry)
                    );
                }
                self.heap.fail_growth_after(None);
            }
            Op::Shrink => assert_eq!(K::shrink(&mut self.heap, self.table), Ok(())),
            Op::Compact => self.heap.compact(),
            Op::Extend(ref entries, through_a_table) => {
                let entries: Vec<Entry> = entries
                    .iter()
                    .map(|&(key, value)| (self.cell(key), self.value(value)))
                    .collect();
                self.extend(&entries, through_a_table);
            }
            Op::Retain(n) => self.retain(n),
            Op::GetOrInsert(..) | Op::Update(..) | Op::Replace(..) => self.run_entry(op),
            Op::Clear => {
                assert_eq!(K::clear(&mut self.heap, self.table), Ok(()));
                self.model.entries.clear();
            }
            Op::Next(n) => {
                let (cursor, number) = &mut self.cursors[n];
                let got = K::next(&self.heap, self.table, cursor);
                assert_eq!(got, self.model.next(number));
            }
            Op::Restart(n) => self.cursors[n] = (Cursor::default(), 0),
            Op::Free(n) => return self.free(n),
        }
        self.compare();
    }

    fn value(&self, key: Key) -> Cell {
        if K::VALUES { self.cell(key) } else { Cell::NULL }
    }

    /// The operations that look a key up once and may add its entry.
    fn run_entry(&mut self, op: &Op) {
        match *op {
            Op::GetOrInsert(key, value) => {
                let entry = (self.cell(key), self.value(value));
                let expected = self.model.position(entry.0).map(|found| match found {
                    Some(n) => (entry.0, self.model.entries[n].1.1),
                    None => entry,
                });
                if let Ok(expected) = expected {
                    self.model.insert(expected).unwrap();
                }
                assert_eq!(K::get_or_insert(&mut self.heap, self.table, entry), expected);
            }
            Op::Update(key, value) if K::VALUES => {
                let (key, value) = (self.cell(key), self.cell(value));
                let map: Cell = self.table.into();
                let mut old = None;
                let got = self.heap.get_mut::<Map>(map).unwrap().update(key, |found| {
                    old = found;
                    value
                });
                let expected = self.model.insert((key, value));
                assert_eq!(expected.is_ok().then_some(old), expected.ok());
                assert_eq!(got, expected.map(|_| value));
            }
            Op::Replace(key, value) if K::VALUES => {
                let (key, value) = (self.cell(key), self.cell(value));
                let map: Cell = self.table.into();
                let got = self.heap.get_mut::<Map>(map).unwrap().replace(key, value);
                let expected = match self.model.position(key) {
                    Ok(Some(_)) => self.model.insert((key, value)),
                    found => found.map(|_| None),
                };
                assert_eq!(got, expected);
            }
            _ => {}
        }
    }

    /// Adds entries, all or none of them: from a slice, or from another table.
    fn extend(&mut self, entries: &[Entry], through_a_table: bool) {
        if through_a_table {
            let other = K::make(&mut self.heap, 0);
            let added: Vec<Entry> = entries
                .iter()
                .copied()
                .filter(|&entry| K::insert(&mut self.heap, other, entry).is_ok())
                .collect();
            // Of equal keys, the first cell and the last value are those of the table.
            let (_, added_once) = K::entries(&self.heap, other);
            assert!(added_once.len() <= added.len());
            assert_eq!(K::extend_from(&mut self.heap, self.table, other), Ok(()));
            for entry in added_once {
                self.model.insert(entry).unwrap();
            }
            assert_eq!(self.heap.free(other), Ok(()));
            return;
        }
        let stale = entries.iter().find_map(|entry| self.model.position(entry.0).err());
        self.heap.fail_growth_after(Some(0));
        let mut got = K::extend(&mut self.heap, self.table, entries);
        self.heap.fail_growth_after(None);
        if got == Err(Error::OutOfMemory) {
            // All or nothing.
            self.compare();
            got = K::extend(&mut self.heap, self.table, entries);
        }
        assert_eq!(got, stale.map_or(Ok(()), Err));
        if got.is_ok() {
            for &entry in entries {
                self.model.insert(entry).unwrap();
            }
        }
    }

    fn retain(&mut self, nth: usize) {
        let (mut asked, mut count) = (Vec::new(), 0);
        let got = K::retain(&mut self.heap, self.table, |heap, entry| {
            heap.alloc(Str::new("garbage"))?;
            asked.push(entry);
            count += 1;
            Ok(count % nth != 0)
        });
        assert_eq!(got, Ok(()));
        let entries: Vec<Entry> = self.model.entries.iter().map(|(_, entry)| *entry).collect();
        assert_eq!(asked, entries);
        let mut count = 0;
        self.model.entries.retain(|_| {
            count += 1;
            count % nth != 0
        });
    }

    fn compare(&mut self) {
        let entries: Vec<Entry> = self.model.entries.iter().map(|(_, entry)| *entry).collect();
        assert_eq!(K::entries(&self.heap, self.table), (entries.len(), entries));
        assert_eq!(self.heap.verify(), Ok(()));
    }

    fn free(&mut self, n: usize) {
        let cell = self.objects[n % self.objects.len()];
        if cell == self.table.cell() || self.heap.free(cell).is_err() {
            return;
        }
        let object = self.model.reference.objects.remove(&cell).unwrap();
        // The stale handle stays in the pool. An object with equal contents
        // reuses the slot: the handles differ in their generation alone.
        let next = match &object {
            Model::Str(text) => self.heap.alloc(Str::new(text)).unwrap().cell(),
            Model::List(_) => self.heap.alloc(List::of(&[])).unwrap().cell(),
            Model::Map(_) => self.heap.alloc(Map::new()).unwrap().cell(),
            Model::Set(_) => self.heap.alloc(Set::new()).unwrap().cell(),
            _ => return,
        };
        self.model.reference.objects.insert(next, object);
        self.objects.push(next);
        self.compare();
    }
}

fn program<K: Keyed>(seed: u64, capacity: usize, ops: &[Op]) {
    let mut subject = Subject::<K>::new(seed, capacity);
    for op in ops {
        subject.run(op);
    }
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn maps(
        seed in any::<u64>(),
        capacity in prop_oneof![2 => Just(0), 1 => 0_usize..20],
        ops in prop::collection::vec(op(), 1..120),
    ) {
        program::<Map>(seed, capacity, &ops);
    }

    #[test]
    fn sets(
        seed in any::<u64>(),
        capacity in prop_oneof![2 => Just(0), 1 => 0_usize..20],
        ops in prop::collection::vec(op(), 1..120),
    ) {
        program::<Set>(seed, capacity, &ops);
    }

    /// A cursor of another object or beyond the end returns entries or none.
    #[test]
    fn foreign_cursors(steps in 0_usize..40, keys in prop::collection::vec(0_i32..50, 0..40)) {
        let mut heap = heap(5);
        let (map, list) = (heap.alloc(Map::new()).unwrap(), heap.alloc(List::zeroed(40)).unwrap());
        let mut cursor = Cursor::default();
        for _ in 0..steps {
            heap.get(list).unwrap().next(&mut cursor).unwrap();
        }
        for (n, &key) in keys.iter().enumerate() {
            heap.get_mut(map).unwrap().insert(key.into(), Cell::NULL).unwrap();
            if n % 3 == 0 {
                heap.get_mut(map).unwrap().remove(keys[n / 2].into()).unwrap();
            }
        }
        let view = heap.get(map).unwrap();
        let rest: Vec<_> = std::iter::from_fn(|| view.next(&mut cursor)).collect();
        prop_assert!(view.iter().collect::<Vec<_>>().ends_with(&rest));
    }

    /// Equal keys have equal hashes; key equality is symmetric.
    #[test]
    fn hashes_agree_with_key_equality(a in key(), b in key()) {
        let mut heap = heap(5);
        let mut reference = ReferenceHeap::default();
        let objects = objects(&mut heap, &mut reference);
        let (a, b) = (resolve(a, &objects), resolve(b, &objects));
        let same = reference.key(a) == reference.key(b);
        prop_assert_eq!(heap.key_eq(a, b), Ok(same));
        prop_assert_eq!(heap.key_eq(b, a), Ok(same));
        if same {
            prop_assert_eq!(heap.hash(a), heap.hash(b));
        }
    }
}

/// A view borrowed from a mutable view returns the same results as `Heap::get`.
#[test]
fn tables_are_keys_through_a_mutable_view() {
    let mut heap = heap(5);
    let (map, other) = (heap.alloc(Map::new()).unwrap(), heap.alloc(Map::new()).unwrap());
    heap.get_mut(map).unwrap().insert(other.into(), 1.into()).unwrap();
    assert_eq!(heap.get(map).unwrap().get(other.into()), Ok(Some(1.into())));
    let open = heap.get_mut(map).unwrap();
    assert_eq!(open.view().contains(other.into()), Ok(true));
    assert_eq!(open.view().get(other.into()), Ok(Some(1.into())));

    let (set, other) = (heap.alloc(Set::new()).unwrap(), heap.alloc(Set::new()).unwrap());
    heap.get_mut(set).unwrap().insert(other.into()).unwrap();
    let open = heap.get_mut(set).unwrap();
    assert_eq!(open.view().contains(other.into()), Ok(true));
}

/// A view shows the entries of a table, not the positions that they and removed ones take.
#[test]
fn the_debug_form_of_a_view_counts_entries() {
    let mut heap = heap(5);
    let (map, set) = (heap.alloc(Map::new()).unwrap(), heap.alloc(Set::new()).unwrap());
    for n in 0..2 {
        heap.get_mut(map).unwrap().insert(n.into(), Cell::NULL).unwrap();
        heap.get_mut(set).unwrap().insert(n.into()).unwrap();
    }
    heap.get_mut(map).unwrap().remove(0.into()).unwrap();
    assert_eq!(format!("{:?}", heap.get(map).unwrap()), "View(Map, len 1)");
    assert_eq!(format!("{:?}", heap.get(set).unwrap()), "View(Set, len 2)");
    let list = heap.alloc(List::zeroed(3)).unwrap();
    assert_eq!(format!("{:?}", heap.get(list).unwrap()), "View(List, len 3)");
}

/// A table that entries pass through has room for them without growth.
#[test]
fn a_queue_of_entries_does_not_grow() {
    let mut heap = heap(5);
    let map = heap.alloc(Map::new()).unwrap();
    let mut most = 0;
    for n in 0..5_000_i64 {
        heap.get_mut(map).unwrap().insert(heap_int(n), Cell::NULL).unwrap();
        if n >= 100 {
            heap.get_mut(map).unwrap().remove_nth(0).unwrap();
        }
        most = most.max(payload_words(&heap));
    }
    // 256 positions: more than one and a half for each entry.
    assert!(most <= 1_280, "{most} words");
}

fn heap_int(n: i64) -> Cell {
    Cell::int(n).unwrap()
}

fn payload_words(heap: &Heap) -> u64 {
    heap.usage().arena(Kind::MAP).unwrap().payload_bytes / 8
}

/// A table from which most entries were removed frees most of its block, whether they were
/// removed by key or by position.
#[test]
fn a_table_of_few_entries_shrinks() {
    let by_key: fn(&mut Heap, Handle<Map>, i64) =
        |heap, map, n| assert!(heap.get_mut(map).unwrap().remove(heap_int(n)).unwrap().is_some());
    let by_float: fn(&mut Heap, Handle<Map>, i64) = |heap, map, n| {
        let key = Cell::float(n as f64);
        assert!(heap.get_mut(map).unwrap().remove(key).unwrap().is_some());
    };
    let by_position: fn(&mut Heap, Handle<Map>, i64) =
        |heap, map, _| assert!(heap.get_mut(map).unwrap().remove_nth(5).is_ok());
    for (remove, float) in [(by_key, false), (by_float, true), (by_position, false)] {
        for last in [false, true] {
            let mut heap = heap(5);
            let map = heap.alloc(Map::new()).unwrap();
            for n in 0..1_000 {
                let key = if float { Cell::float(n as f64) } else { heap_int(n) };
                heap.get_mut(map).unwrap().insert(key, Cell::NULL).unwrap();
            }
            let next = if last { None } else { Some(heap.alloc(Map::with_capacity(8)).unwrap()) };
            (5..1_000).for_each(|n| remove(&mut heap, map, n));
            let words = payload_words(&heap);
            assert!(words < 256, "{words} words");
            assert_eq!(heap.get(map).unwrap().len(), 5);
            heap.verify().unwrap();
            assert!(next.is_none_or(|next| heap.get(next).unwrap().is_empty()));
        }
    }
}

/// A table for which there is no memory to double still grows, and closes holes.
#[test]
fn a_table_uses_the_memory_that_is_left() {
    let limits = segheap::Limits::NONE.with_pages(1);
    let mut heap = Heap::with(segheap::Settings::seeded(5).limits(limits));
    let map = heap.alloc(Map::new()).unwrap();
    let mut insert = |n| heap.get_mut(map).unwrap().insert(heap_int(n), Cell::NULL);
    let full = (0..4_000).find(|&n| insert(n).is_err()).unwrap();
    // 1,024 positions fit, 2,048 do not.
    assert!(full > 1_500, "{full} entries");
    heap.get_mut(map).unwrap().remove_nth(0).unwrap();
    let mut insert = |n| heap.get_mut(map).unwrap().insert(heap_int(n), Cell::NULL);
    assert_eq!(insert(full), Ok(None));
    let refused = (full + 1..4_000).find_map(|n| insert(n).err());
    assert!(matches!(refused, Some(Error::Limit(_))), "{refused:?}");
    heap.verify().unwrap();
}

#[test]
fn an_entry_with_a_stale_key_stays_until_it_is_removed() {
    let text: fn(&mut Heap) -> Cell = |heap| heap.alloc(Str::new("a long text")).unwrap().into();
    let int: fn(&mut Heap) -> Cell = |heap| heap.int(i64::MAX).unwrap();
    let int128: fn(&mut Heap) -> Cell = |heap| heap.int128(i128::MIN).unwrap();
    for (make, kind) in [(text, Kind::STR), (int, Kind::BIGNUM), (int128, Kind::BIGNUM)] {
        let mut heap = heap(5);
        let map = heap.alloc(Map::new()).unwrap();
        let key = make(&mut heap);
        heap.get_mut(map).unwrap().insert(key, 1.into()).unwrap();
        heap.free(key).unwrap();
        let stale = Error::Stale { kind };
        assert_eq!(heap.get(map).unwrap().get(key), Err(stale));
        assert_eq!(heap.get_mut(map).unwrap().remove(key), Err(stale));
        assert_eq!(heap.get_mut(map).unwrap().insert(key, 2.into()), Err(stale));
        // Equal contents in the same slot.
        let again = make(&mut heap);
        assert_ne!(abi::bits(again), abi::bits(key));
        assert_eq!(abi::bits(again) as u32, abi::bits(key) as u32);
        assert_eq!(heap.get(map).unwrap().get(again), Ok(None));
        assert_eq!(heap.get(map).unwrap().nth(0), Ok((key, 1.into())));
        assert_eq!(heap.get_mut(map).unwrap().remove_nth(0), Ok((key, 1.into())));
        assert!(heap.get(map).unwrap().is_empty());
    }
}

/// Removal keeps the probe sequences of the remaining entries intact, even in a
/// full table whose entries are displaced.
#[test]
fn a_full_table_finds_the_remaining_entries() {
    for seed in 0..8_u64 {
        let mut heap = heap(seed);
        let map = heap.alloc(Map::new()).unwrap();
        let keys: Vec<Cell> = (0..1536_u32).map(|n| n.wrapping_mul(0x9E37_79B1).into()).collect();
        for &key in &keys {
            heap.get_mut(map).unwrap().insert(key, key).unwrap();
        }
        for n in 0..keys.len() {
            // In the order of a permutation.
            let key = keys[n * 577 % keys.len()];
            assert_eq!(heap.get_mut(map).unwrap().remove(key), Ok(Some((key, key))));
            if n % 64 == 0 || n + 64 > keys.len() {
                heap.verify().unwrap();
            }
        }
        assert!(heap.get(map).unwrap().is_empty());
    }
}

/// `extend` inserts all entries or none, whichever growth fails.
#[test]
fn an_extension_is_all_or_nothing() {
    let entries: Vec<Entry> = (8..20_000_u32).map(|n| (n.into(), Cell::TRUE)).collect();
    let mut failures = 0;
    for growths in 0.. {
        let mut heap = heap(5);
        let map = heap.alloc(Map::new()).unwrap();
        for n in 0..8_u32 {
            heap.map_insert(map, n.into(), Cell::NULL).unwrap();
        }
        // So that memory has to grow for every larger table, and slots do not.
        let spare: Vec<_> = (0..60).map(|_| heap.alloc(Map::new()).unwrap()).collect();
        spare.into_iter().for_each(|map| heap.free(map).unwrap());
        heap.fail_growth_after(Some(0));
        for capacity in [800, 100, 8] {
            while heap.alloc(Map::with_capacity(capacity)).is_ok() {}
        }
        heap.fail_growth_after(Some(growths));
        let extended = heap.get_mut(map).unwrap().extend(&entries);
        heap.fail_growth_after(None);
        let len = heap.get(map).unwrap().len();
        if extended.is_ok() {
            assert_eq!(len, 20_000);
            break;
        }
        assert_eq!(len, 8, "after {growths} growths");
        failures += 1;
    }
    assert!(failures > 0, "the table grows");
}
