//! Maps and sets against an association list. Keys are cells of every kind:
//! equal ones in different forms, objects that die, tables themselves.

use proptest::prelude::*;
use segheap::{Bignum, Cell, Cursor, Error, Handle, Heap, Kind, List, Map, Object, Set, Str, abi};

use crate::naive::{Model, Naive};
use crate::support::{config, heap, out_of_range, plain};

/// Maps and sets alike; the value of a set's entry is null.
trait Keyed: Object {
    const VALUES: bool;
    fn make(heap: &mut Heap, room: usize) -> Handle<Self>;
    fn insert(heap: &mut Heap, table: Handle<Self>, entry: Entry) -> Result<Option<Cell>, Error>;
    fn get(heap: &Heap, table: Handle<Self>, key: Cell) -> Result<Option<Cell>, Error>;
    fn contains(heap: &Heap, table: Handle<Self>, key: Cell) -> Result<bool, Error>;
    fn remove(heap: &mut Heap, table: Handle<Self>, key: Cell) -> Result<Option<Entry>, Error>;
    fn nth(heap: &Heap, table: Handle<Self>, n: usize) -> Result<Entry, Error>;
    fn remove_nth(heap: &mut Heap, table: Handle<Self>, n: usize) -> Result<Entry, Error>;
    fn clear(heap: &mut Heap, table: Handle<Self>) -> Result<(), Error>;
    fn next(heap: &Heap, table: Handle<Self>, cursor: &mut Cursor) -> Option<Entry>;
    fn entries(heap: &Heap, table: Handle<Self>) -> (usize, Vec<Entry>);
}

type Entry = (Cell, Cell);

macro_rules! keyed {
    ($Kind:ident, $values:literal, $entry:expr, $insert:expr, $get:expr) => {
        impl Keyed for $Kind {
            const VALUES: bool = $values;
            fn make(heap: &mut Heap, room: usize) -> Handle<Self> {
                let made = if room == 0 { $Kind::new() } else { $Kind::with_capacity(room) };
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
keyed!(
    Map,
    true,
    |entry| entry,
    |heap: &mut Heap, table: Handle<Map>, (key, value)| heap.get_mut(table)?.insert(key, value),
    |heap: &Heap, table: Handle<Map>, key| heap.get(table)?.get(key)
);
keyed!(
    Set,
    false,
    |key| (key, Cell::NULL),
    |heap: &mut Heap, table: Handle<Set>, (key, _): Entry| {
        let new = heap.get_mut(table)?.insert(key)?;
        Ok((!new).then_some(Cell::NULL))
    },
    |heap: &Heap, table: Handle<Set>, key| {
        Ok(heap.get(table)?.contains(key)?.then_some(Cell::NULL))
    }
);

#[derive(Clone, Copy, Debug)]
enum Key {
    Plain(Cell),
    /// An integer of many, so that tables grow.
    Number(i32),
    /// One of the objects, dead or alive.
    Object(usize),
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Key, Key),
    Get(Key),
    Remove(Key),
    Nth(usize),
    RemoveNth(usize),
    Clear,
    Next(usize),
    Restart(usize),
    /// Kills an object, and makes another of the same content in its slot.
    Free(usize),
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        2 => plain().prop_map(Key::Plain),
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
        8 => (0_usize..3).prop_map(Op::Next),
        1 => (0_usize..3).prop_map(Op::Restart),
        1 => any::<usize>().prop_map(Op::Free),
    ]
}

/// The table's twin: entries in order, each with the number it was added as.
struct Twin {
    naive: Naive,
    entries: Vec<(u64, Entry)>,
    added: u64,
}

impl Twin {
    fn position(&self, key: Cell) -> Result<Option<usize>, Error> {
        let key = self.naive.key(key)?;
        let same = |(_, (other, _)): &(u64, Entry)| self.naive.key(*other).as_ref() == Ok(&key);
        Ok(self.entries.iter().position(same))
    }

    fn insert(&mut self, (key, value): Entry) -> Result<Option<Cell>, Error> {
        if let Some(position) = self.position(key)? {
            let place = &mut self.entries[position].1.1;
            return Ok(Some(std::mem::replace(place, value)));
        }
        self.entries.push((self.added, (key, value)));
        self.added += 1;
        Ok(None)
    }

    /// The first entry that was added as number `cursor` or later.
    fn next(&self, cursor: &mut u64) -> Option<Entry> {
        let (number, entry) = self.entries.iter().find(|(number, _)| *number >= *cursor)?;
        *cursor = number + 1;
        Some(*entry)
    }
}

/// Objects to be keys: equal texts and integers in two forms, two lists, and
/// tables of either kind.
fn objects(heap: &mut Heap, naive: &mut Naive) -> Vec<Cell> {
    let mut made = Vec::new();
    for text in ["a", "a", "a long text", "a long text", ""] {
        let cell = heap.alloc(Str::new(text)).unwrap().cell();
        naive.objects.insert(cell, Model::Str(text.into()));
        made.push(cell);
    }
    for limbs in [&[3][..], &[0], &[1 << 47], &[1 << 47], &[7, 7], &[7, 7]] {
        let cell = heap.alloc(Bignum::of(false, limbs)).unwrap().cell();
        naive.objects.insert(cell, Model::Bignum(crate::naive::big(false, limbs)));
        made.push(cell);
    }
    for _ in 0..2 {
        let cell = heap.alloc(List::of(&[])).unwrap().cell();
        naive.objects.insert(cell, Model::List(vec![]));
        made.push(cell);
        let cell = heap.alloc(Map::new()).unwrap().cell();
        naive.objects.insert(cell, Model::Map(vec![]));
        made.push(cell);
        let cell = heap.alloc(Set::new()).unwrap().cell();
        naive.objects.insert(cell, Model::Set(vec![]));
        made.push(cell);
    }
    made
}

fn program<K: Keyed>(seed: u64, room: usize, ops: &[Op]) {
    let mut heap = heap(seed);
    let mut naive = Naive::default();
    let mut made = objects(&mut heap, &mut naive);
    let table = K::make(&mut heap, room);
    naive.objects.insert(table.cell(), Model::Pair([Cell::NULL; 2]));
    made.push(table.cell());
    let protected = made.len() - 1;
    let mut twin = Twin { naive, entries: Vec::new(), added: 0 };
    let mut cursors = [(Cursor::default(), 0); 3];
    for op in ops {
        let cell = |key: Key| match key {
            Key::Plain(cell) => cell,
            Key::Number(n) => n.into(),
            Key::Object(n) => made[n % made.len()],
        };
        let len = twin.entries.len();
        match *op {
            Op::Insert(key, value) => {
                let value = if K::VALUES { cell(value) } else { Cell::NULL };
                let entry = (cell(key), value);
                assert_eq!(K::insert(&mut heap, table, entry), twin.insert(entry));
            }
            Op::Get(key) => {
                let wanted =
                    twin.position(cell(key)).map(|found| found.map(|n| twin.entries[n].1.1));
                assert_eq!(K::get(&heap, table, cell(key)), wanted);
                let found = wanted.map(|found| found.is_some());
                assert_eq!(K::contains(&heap, table, cell(key)), found);
            }
            Op::Remove(key) => {
                let got = K::remove(&mut heap, table, cell(key));
                let found = twin.position(cell(key));
                assert_eq!(got, found.map(|found| found.map(|n| twin.entries.remove(n).1)));
            }
            Op::Nth(n) => {
                let wanted = twin.entries.get(n).map(|(_, entry)| *entry);
                assert_eq!(K::nth(&heap, table, n), wanted.ok_or(out_of_range(n, len)));
            }
            Op::RemoveNth(n) => {
                let got = K::remove_nth(&mut heap, table, n);
                let wanted =
                    if n < len { Ok(twin.entries.remove(n).1) } else { Err(out_of_range(n, len)) };
                assert_eq!(got, wanted);
            }
            Op::Clear => {
                assert_eq!(K::clear(&mut heap, table), Ok(()));
                twin.entries.clear();
            }
            Op::Next(n) => {
                let (cursor, number) = &mut cursors[n];
                assert_eq!(K::next(&heap, table, cursor), twin.next(number));
            }
            Op::Restart(n) => cursors[n] = (Cursor::default(), 0),
            Op::Free(n) => {
                let n = n % made.len();
                if n == protected || heap.free(made[n]).is_err() {
                    continue;
                }
                let model = twin.naive.objects.remove(&made[n]).unwrap();
                // The dead handle stays in the pool; a fresh object of the same
                // content takes the slot, so that only its generation differs.
                let fresh = match &model {
                    Model::Str(text) => heap.alloc(Str::new(text)).unwrap().cell(),
                    Model::List(_) => heap.alloc(List::of(&[])).unwrap().cell(),
                    Model::Map(_) => heap.alloc(Map::new()).unwrap().cell(),
                    Model::Set(_) => heap.alloc(Set::new()).unwrap().cell(),
                    _ => continue,
                };
                twin.naive.objects.insert(fresh, model);
                made.push(fresh);
            }
        }
        let entries: Vec<Entry> = twin.entries.iter().map(|(_, entry)| *entry).collect();
        assert_eq!(K::entries(&heap, table), (entries.len(), entries));
    }
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn maps(
        seed in any::<u64>(),
        room in prop_oneof![2 => Just(0), 1 => 0_usize..20],
        ops in prop::collection::vec(op(), 1..120),
    ) {
        program::<Map>(seed, room, &ops);
    }

    #[test]
    fn sets(
        seed in any::<u64>(),
        room in prop_oneof![2 => Just(0), 1 => 0_usize..20],
        ops in prop::collection::vec(op(), 1..120),
    ) {
        program::<Set>(seed, room, &ops);
    }

    /// A cursor of something else, or one far ahead, gives entries or none.
    #[test]
    fn strange_cursors(steps in 0_usize..40, keys in prop::collection::vec(0_i32..50, 0..40)) {
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

    /// Equal keys have equal hashes; sameness is symmetric.
    #[test]
    fn hashes_agree_with_sameness(a in key(), b in key()) {
        let mut heap = heap(5);
        let mut naive = Naive::default();
        let made = objects(&mut heap, &mut naive);
        let cell = |key: Key| match key {
            Key::Plain(cell) => cell,
            Key::Number(n) => n.into(),
            Key::Object(n) => made[n % made.len()],
        };
        let (a, b) = (cell(a), cell(b));
        let same = naive.key(a) == naive.key(b);
        prop_assert_eq!(heap.key_eq(a, b), Ok(same));
        prop_assert_eq!(heap.key_eq(b, a), Ok(same));
        if same {
            prop_assert_eq!(heap.hash(a), heap.hash(b));
        }
    }
}

/// The reading view of an open table answers as a view that was opened to read.
#[test]
fn tables_are_keys_through_a_mutable_view() {
    let mut heap = heap(5);
    let (map, other) = (heap.alloc(Map::new()).unwrap(), heap.alloc(Map::new()).unwrap());
    heap.get_mut(map).unwrap().insert(other.into(), 1.into()).unwrap();
    assert_eq!(heap.get(map).unwrap().get(other.into()), Ok(Some(1.into())));
    let open = heap.get_mut(map).unwrap();
    assert_eq!(open.view().unwrap().contains(other.into()), Ok(true));
    assert_eq!(open.view().unwrap().get(other.into()), Ok(Some(1.into())));

    let (set, other) = (heap.alloc(Set::new()).unwrap(), heap.alloc(Set::new()).unwrap());
    heap.get_mut(set).unwrap().insert(other.into()).unwrap();
    let open = heap.get_mut(set).unwrap();
    assert_eq!(open.view().unwrap().contains(other.into()), Ok(true));
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

#[test]
fn an_entry_whose_key_died_stays_until_it_is_taken_out() {
    let text: fn(&mut Heap) -> Cell = |heap| heap.alloc(Str::new("a long text")).unwrap().into();
    let wide: fn(&mut Heap) -> Cell = |heap| heap.int(i64::MAX).unwrap();
    let large: fn(&mut Heap) -> Cell = |heap| heap.int128(i128::MIN).unwrap();
    for (make, kind) in [(text, Kind::STR), (wide, Kind::BIGNUM), (large, Kind::BIGNUM)] {
        let mut heap = heap(5);
        let map = heap.alloc(Map::new()).unwrap();
        let key = make(&mut heap);
        heap.get_mut(map).unwrap().insert(key, 1.into()).unwrap();
        heap.free(key).unwrap();
        let stale = Error::Stale { kind };
        assert_eq!(heap.get(map).unwrap().get(key), Err(stale));
        assert_eq!(heap.get_mut(map).unwrap().remove(key), Err(stale));
        assert_eq!(heap.get_mut(map).unwrap().insert(key, 2.into()), Err(stale));
        // The same content, in the same slot.
        let again = make(&mut heap);
        assert_ne!(abi::bits(again), abi::bits(key));
        assert_eq!(abi::bits(again) as u32, abi::bits(key) as u32);
        assert_eq!(heap.get(map).unwrap().get(again), Ok(None));
        assert_eq!(heap.get(map).unwrap().nth(0), Ok((key, 1.into())));
        assert_eq!(heap.get_mut(map).unwrap().remove_nth(0), Ok((key, 1.into())));
        assert!(heap.get(map).unwrap().is_empty());
    }
}

/// Tables so full that entries lie behind groups that are not theirs: what follows a removed entry
/// is found.
#[test]
fn what_is_left_of_a_full_table_is_found() {
    for seed in 0..8_u64 {
        let mut heap = heap(seed);
        let map = heap.alloc(Map::new()).unwrap();
        let keys: Vec<Cell> = (0..1536_u32).map(|n| n.wrapping_mul(0x9E37_79B1).into()).collect();
        for &key in &keys {
            heap.get_mut(map).unwrap().insert(key, key).unwrap();
        }
        for n in 0..keys.len() {
            // Every n-th of a permutation goes.
            let gone = keys[n * 577 % keys.len()];
            assert_eq!(heap.get_mut(map).unwrap().remove(gone), Ok(Some((gone, gone))));
            if n % 64 == 0 || n + 64 > keys.len() {
                heap.verify().unwrap();
            }
        }
        assert!(heap.get(map).unwrap().is_empty());
    }
}
