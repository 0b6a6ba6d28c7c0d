//! Keys by content, and by hashes and an equality of a VM's own, against naive models.

use std::collections::HashMap;

use proptest::prelude::*;
use segheap::{
    Bytes, Cell, Error, F64Arr, Handle, Heap, I64Arr, Kind, List, Map, Pair, Set, Settings, Str,
    Struct, U8Arr,
};

use crate::images::{load, save};
use crate::support::{config, heap};

/// A key by content. Floats by their bits, with one zero and one NaN.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Int(i64),
    Float(u64),
    Text(String),
    List(Vec<Key>),
    Pair(Box<[Key; 2]>),
    Struct(u32, Vec<Key>),
    Bytes(Vec<u8>),
    Octets(Vec<u8>),
    Ints(Vec<i64>),
    Floats(Vec<u64>),
}

const FLOATS: [f64; 5] = [0.0, -0.0, 1.0, f64::NAN, 2.5];

fn float_key(float: f64) -> u64 {
    if float == 0.0 { 0 } else { float.to_bits() }
}

fn leaf() -> impl Strategy<Value = Key> {
    prop_oneof![
        4 => (0_i64..3).prop_map(Key::Int),
        1 => prop::sample::select(vec![i64::MAX, i64::MIN, 1 << 50]).prop_map(Key::Int),
        1 => prop::sample::select(&FLOATS[..]).prop_map(|float| Key::Float(float.to_bits())),
        2 => prop::sample::select(vec!["", "a", "abcde", "a longer text"])
            .prop_map(|text| Key::Text(text.into())),
        1 => prop::collection::vec(0_u8..2, 0..3).prop_map(Key::Bytes),
        1 => prop::collection::vec(0_u8..2, 0..3).prop_map(Key::Octets),
        1 => prop::collection::vec(0_i64..2, 0..3).prop_map(Key::Ints),
        1 => prop::collection::vec(prop::sample::select(&FLOATS[..]), 0..3)
            .prop_map(|floats| Key::Floats(floats.iter().map(|float| float.to_bits()).collect())),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    leaf().prop_recursive(4, 12, 3, |part| {
        prop_oneof![
            (part.clone(), part.clone()).prop_map(|(a, b)| Key::Pair(Box::new([a, b]))),
            prop::collection::vec(part.clone(), 0..3).prop_map(Key::List),
            (0_u32..2, prop::collection::vec(part, 0..3))
                .prop_map(|(n, parts)| Key::Struct(n, parts)),
        ]
    })
}

impl Key {
    /// What two equal keys have in common.
    fn normal(&self) -> Key {
        let all = |parts: &[Key]| parts.iter().map(Key::normal).collect();
        let float = |&bits: &u64| float_key(f64::from_bits(bits));
        match self {
            Key::Float(bits) => Key::Float(float(bits)),
            Key::Floats(floats) => Key::Floats(floats.iter().map(float).collect()),
            Key::List(parts) => Key::List(all(parts)),
            Key::Pair(pair) => Key::Pair(Box::new([pair[0].normal(), pair[1].normal()])),
            Key::Struct(shape, parts) => Key::Struct(*shape, all(parts)),
            other => other.clone(),
        }
    }

    /// The same key with its zeros negated.
    fn negated(&self) -> Key {
        let all = |parts: &[Key]| parts.iter().map(Key::negated).collect();
        let float = |&bits: &u64| match f64::from_bits(bits) {
            float if float == 0.0 => (-float).to_bits(),
            _ => bits,
        };
        match self {
            Key::Float(bits) => Key::Float(float(bits)),
            Key::Floats(floats) => Key::Floats(floats.iter().map(float).collect()),
            Key::List(parts) => Key::List(all(parts)),
            Key::Pair(pair) => Key::Pair(Box::new([pair[0].negated(), pair[1].negated()])),
            Key::Struct(shape, parts) => Key::Struct(*shape, all(parts)),
            other => other.clone(),
        }
    }

    fn build(&self, heap: &mut Heap) -> Result<Cell, Error> {
        let mut all = |parts: &[Key]| -> Result<Vec<Cell>, Error> {
            parts.iter().map(|part| part.build(heap)).collect()
        };
        Ok(match self {
            Key::Int(int) => heap.int(*int)?,
            Key::Float(bits) => f64::from_bits(*bits).into(),
            Key::Text(text) => heap.string(text)?,
            Key::List(parts) => {
                let parts = all(parts)?;
                heap.alloc_value(List::of(&parts))?.cell()
            }
            Key::Pair(pair) => {
                let (a, b) = (pair[0].build(heap)?, pair[1].build(heap)?);
                heap.alloc_value(Pair::of(a, b))?.cell()
            }
            Key::Struct(shape, parts) => {
                let parts = all(parts)?;
                let object = heap.alloc(Struct::of(*shape, &parts))?;
                heap.value_of(object)?
            }
            Key::Bytes(bytes) => heap.alloc_value(Bytes::of(bytes))?.cell(),
            Key::Octets(bytes) => heap.alloc_value(U8Arr::of(bytes))?.cell(),
            Key::Ints(ints) => heap.alloc_value(I64Arr::of(ints))?.cell(),
            Key::Floats(bits) => {
                let floats: Vec<f64> = bits.iter().map(|&bits| f64::from_bits(bits)).collect();
                let object = heap.alloc(F64Arr::of(&floats))?;
                heap.value_of(object)?
            }
        })
    }
}

/// Whether a map has the entries of a model, by keys that are built anew.
fn agrees(heap: &mut Heap, map: Cell, model: &HashMap<Key, i32>, keys: &[Key]) {
    assert_eq!(heap.get::<Map>(map).unwrap().len(), model.len());
    for key in keys {
        let cell = key.build(heap).unwrap();
        let expected = model.get(&key.normal()).map(|&value| Cell::from(value));
        assert_eq!(heap.map_get(map, cell), Ok(expected), "{key:?}");
        assert_eq!(heap.get::<Map>(map).unwrap().contains(cell), Ok(expected.is_some()));
    }
    assert_eq!(heap.verify(), Ok(()));
}

proptest! {
    #![proptest_config(config(192))]

    /// Maps with values as keys, through collections, forks and transplants.
    #[test]
    fn values_are_keys_by_content(
        steps in prop::collection::vec((key(), 0_u8..5), 1..60),
        seed in any::<u64>(),
    ) {
        let mut heap = heap(seed);
        let map = heap.alloc(Map::new()).unwrap();
        let mut model = HashMap::new();
        let keys: Vec<Key> = steps.iter().map(|(key, _)| key.clone()).collect();
        for (n, (key, action)) in (0_i32..).zip(&steps) {
            let cell = key.build(&mut heap).unwrap();
            prop_assert_eq!(heap.is_value(cell), Ok(true));
            prop_assert_eq!(heap.is_frozen(cell), Ok(true));
            if *action == 0 {
                let removed = heap.get_mut(map).unwrap().remove(cell).unwrap();
                let expected = model.remove(&key.normal());
                prop_assert_eq!(removed.map(|entry| entry.1), expected.map(Cell::from));
            } else {
                let replaced = heap.map_insert(map, cell, n.into()).unwrap();
                prop_assert_eq!(replaced, model.insert(key.normal(), n).map(Cell::from));
            }
            if *action == 1 {
                heap.collect([map]).unwrap();
            }
        }
        agrees(&mut heap, map.cell(), &model, &keys);
        heap.compact();
        agrees(&mut heap, map.cell(), &model, &keys);
        let mut fork = heap.try_clone().unwrap();
        agrees(&mut fork, map.cell(), &model, &keys);
        let mut other = Heap::with(Settings::seeded(!seed));
        // A cycle through the map, which is filled after its keys.
        let around = heap.alloc(List::of(&[map.into()])).unwrap();
        heap.map_insert(map, "end".try_into_cell(), around.into()).unwrap();
        let copy = other.transplant(&heap, around.into()).unwrap();
        let copy = other.element::<List>(copy, 0).unwrap();
        other.get_mut::<Map>(copy).unwrap().pop().unwrap();
        agrees(&mut other, copy, &model, &keys);
    }

    /// Equality and hash of two values are those of the model.
    #[test]
    fn equality_and_hash_agree(a in key(), b in key()) {
        let mut heap = heap(3);
        let cells = [&a, &b, &a, &a.negated()].map(|key| key.build(&mut heap).unwrap());
        let hashes = cells.map(|cell| heap.hash(cell).unwrap());
        for n in [2, 3] {
            prop_assert_eq!(heap.key_eq(cells[0], cells[n]), Ok(true));
            prop_assert_eq!(hashes[0], hashes[n]);
        }
        let equal = a.normal() == b.normal();
        prop_assert_eq!(heap.key_eq(cells[0], cells[1]), Ok(equal));
        prop_assert_eq!(hashes[0] == hashes[1], equal);
    }
}

/// Equal parts have one hash: zeros of either sign, integers and texts in a cell or beside it.
#[test]
fn equal_parts_have_one_hash() {
    let mut heap = heap(1);
    let boxed = heap.alloc(segheap::Bignum::of(true, &[5])).unwrap().cell();
    let large = [0, 1].map(|_| heap.int(1 << 60).unwrap());
    let text = heap.alloc(Str::new("abc")).unwrap().cell();
    let floats = [0.0, -0.0].map(|zero| {
        let zeros = heap.alloc(F64Arr::of(&[1.0, zero])).unwrap();
        heap.value_of(zeros).unwrap()
    });
    let alike = [
        [boxed, Cell::from(-5)],
        large,
        [text, "abc".try_into_cell()],
        [Cell::from(0.0), Cell::from(-0.0)],
        floats,
    ];
    for parts in alike {
        let [a, b] = parts.map(|part| heap.alloc_value(Pair::of(1.into(), part)).unwrap());
        assert_eq!(heap.key_eq(a.into(), b.into()), Ok(true), "{parts:?}");
        assert_eq!(heap.hash(a.into()), heap.hash(b.into()), "{parts:?}");
    }
}

/// Values of other kinds are other keys, also where their words are the same.
#[test]
fn the_kind_is_a_part_of_a_value() -> Result<(), Error> {
    let mut heap = heap(1);
    let parts = [1.into(), 2.into()];
    let pair = heap.alloc_value(Pair::of(parts[0], parts[1]))?.cell();
    let list = heap.alloc_value(List::of(&parts))?.cell();
    assert!(!heap.key_eq(pair, list)? && !heap.key_eq(list, pair)?);
    Ok(())
}

/// A short text in a cell.
trait ShortText {
    fn try_into_cell(self) -> Cell;
}

impl ShortText for &str {
    fn try_into_cell(self) -> Cell {
        Cell::short_str(self).unwrap()
    }
}

/// What is not a value by content is a key by identity, frozen or not, and as a part.
#[test]
fn frozen_objects_are_keys_by_identity() {
    let mut heap = heap(1);
    let map = heap.alloc(Map::new()).unwrap();
    let lists = [0, 1].map(|_| heap.alloc(List::of(&[1.into()])).unwrap());
    heap.map_insert(map, lists[0].into(), 10.into()).unwrap();
    heap.map_insert(map, lists[1].into(), 11.into()).unwrap();
    lists.iter().for_each(|&list| heap.freeze(list).unwrap());
    assert_eq!(heap.map_get(map, lists[0].into()), Ok(Some(10.into())));
    let parts = lists.map(|list| heap.alloc_value(Pair::of(1.into(), list.into())).unwrap());
    assert_eq!(heap.key_eq(parts[0].into(), parts[1].into()), Ok(false));
    let same = heap.alloc_value(Pair::of(1.into(), lists[0].into())).unwrap();
    assert_eq!(heap.key_eq(parts[0].into(), same.into()), Ok(true));
}

/// Parts that can still change are refused; what fails allocates nothing.
#[test]
fn values_reach_only_what_cannot_change() {
    let mut heap = heap(1);
    let list = heap.alloc(List::of(&[1.into()])).unwrap();
    let map = heap.alloc(Map::new()).unwrap();
    let before = heap.usage();
    assert_eq!(heap.alloc_value(Pair::of(1.into(), list.into())), Err(Error::NotAValue));
    assert_eq!(heap.alloc_value(List::of(&[map.into()])), Err(Error::NotAValue));
    assert_eq!(heap.value_of(map), Err(Error::NotAValue));
    assert_eq!(heap.usage(), before);
    heap.get_mut(list).unwrap().push(list.into()).unwrap();
    assert_eq!(heap.value_of(list), Err(Error::NotAValue));
    let text = heap.alloc(Str::new("a longer text")).unwrap();
    heap.free(text).unwrap();
    let stale = Error::Stale { kind: Kind::STR };
    assert_eq!(heap.alloc_value(List::of(&[text.into()])), Err(stale));
}

/// A value with a part that was freed is no key, and matches none, in tables of any size.
#[test]
fn a_freed_part_matches_nothing() {
    for len in [1_i32, 5, 40, 400] {
        let mut heap = heap(1);
        let map = heap.alloc(Map::new()).unwrap();
        let mut texts = Vec::new();
        let mut keys = Vec::new();
        for n in 0..len {
            let text = heap.string(&format!("a longer text {n}")).unwrap();
            let inner = heap.alloc_value(Pair::of(text, n.into())).unwrap();
            let key = heap.alloc_value(List::of(&[1.into(), inner.into(), 2.into()])).unwrap();
            heap.map_insert(map, key.into(), n.into()).unwrap();
            texts.push(text);
            keys.push(key);
        }
        heap.free(texts[0]).unwrap();
        let stale = Error::Stale { kind: Kind::STR };
        assert_eq!(heap.map_get(map, keys[0].into()), Err(stale));
        assert_eq!(heap.map_insert(map, keys[0].into(), 1.into()), Err(stale));
        assert_eq!(heap.get_mut(map).unwrap().extend(&[(keys[0].into(), 1.into())]), Err(stale));
        let mut hint = segheap::KeyHint::default();
        assert_eq!(heap.map_get_with(map, keys[0].into(), &mut hint), Err(stale));
        let text = heap.string("a longer text 0").unwrap();
        let inner = heap.alloc_value(Pair::of(text, 0.into())).unwrap();
        let same = heap.alloc_value(List::of(&[1.into(), inner.into(), 2.into()])).unwrap();
        assert_eq!(heap.map_get(map, same.into()), Ok(None));
        assert_eq!(heap.map_insert(map, same.into(), 7.into()), Ok(None));
        assert_eq!(heap.map_get(map, same.into()), Ok(Some(7.into())));
        assert_eq!(heap.verify(), Ok(()));
        let copy = heap.alloc(Map::new()).unwrap();
        heap.map_extend(copy, map).unwrap();
        assert_eq!(heap.get(copy).unwrap().len(), len as usize);
    }
}

/// Values that share parts are as large as the tree of them; what nests at the end is not deep.
#[test]
fn large_and_deep_values_fail_without_recursion() {
    let mut heap = heap(1);
    let (mut shared, mut left, mut right) = (Cell::NULL, Cell::NULL, Cell::NULL);
    for n in 0..60_000_u32 {
        // 2^21 parts, and less deep than what is an error for that.
        if n < 21 {
            shared = heap.alloc_value(Pair::of(shared, shared)).unwrap().cell();
        }
        left = heap.alloc_value(Pair::of(left, 1.into())).unwrap().cell();
        right = heap.alloc_value(Pair::of(1.into(), right)).unwrap().cell();
    }
    let map = heap.alloc(Map::new()).unwrap();
    for cell in [shared, left] {
        assert_eq!(heap.hash(cell), Err(Error::KeyTooLarge));
        assert_eq!(heap.map_insert(map, cell, Cell::NULL), Err(Error::KeyTooLarge));
    }
    assert_eq!(heap.map_insert(map, right, 1.into()), Ok(None));
    let mut same = Cell::NULL;
    for _ in 0..60_000 {
        same = heap.alloc_value(Pair::of(1.into(), same)).unwrap().cell();
    }
    assert_eq!(heap.map_get(map, same), Ok(Some(1.into())));
}

/// Free buckets are zero, as are the high bits of some hashes: a key of such a hash behind a
/// free bucket of its group is found all the same.
#[test]
fn keys_behind_a_free_bucket_are_found() -> Result<(), Error> {
    const ENTRIES: u32 = 1 << 16;
    // A table has two buckets for a position, in groups of four.
    const BUCKETS: u32 = 2 * ENTRIES;
    type Make = fn(&mut Heap, u32) -> Result<Cell, Error>;
    let makers: [Make; 4] = [
        |heap, n| heap.string(&format!("a longer text {n}")),
        |heap, n| heap.intern(&format!("a symbol {n}")),
        |heap, n| Ok(heap.alloc_value(Pair::of(1.into(), n.into()))?.into()),
        |_, n| Ok(n.into()),
    ];
    for make in makers {
        let mut heap = heap(1);
        let map = heap.alloc(Map::new())?;
        heap.get_mut(map)?.reserve(ENTRIES as usize)?;
        // More entries than are compared one by one.
        for n in 0..16 {
            heap.map_insert(map, f64::from(n).into(), Cell::NULL)?;
        }
        let find = |heap: &mut Heap, wanted: &dyn Fn(u32) -> bool| {
            for n in 0..8 * BUCKETS {
                let key = make(heap, n)?;
                if wanted(heap.hash(key)?) {
                    return Ok((n, key));
                }
            }
            Err(Error::Changed)
        };
        let (n, behind) = find(&mut heap, &|hash| hash < BUCKETS)?;
        let group = heap.hash(behind)? / 4;
        let in_group = |hash: u32| hash >= BUCKETS && hash % BUCKETS / 4 == group;
        let (_, before) = find(&mut heap, &in_group)?;
        heap.map_insert(map, before, 1.into())?;
        heap.map_insert(map, behind, 2.into())?;
        assert_eq!(heap.get_mut(map)?.remove(before)?, Some((before, 1.into())));
        let equal = make(&mut heap, n)?;
        for key in [behind, equal] {
            assert_eq!(heap.map_get(map, key)?, Some(2.into()), "{}", heap.display(key));
            assert_eq!(heap.get(map)?.get(key)?, Some(2.into()), "{}", heap.display(key));
            assert_eq!(heap.map_insert(map, key, 2.into())?, Some(2.into()));
        }
        assert_eq!(heap.get(map)?.len(), 17);
    }
    Ok(())
}

/// An ordered table, whose keys collide, orders values, too.
#[test]
fn values_that_collide_are_found() {
    // The table is ordered once too many hashes share their low bits.
    let mut heap = heap(1);
    let map = heap.alloc(Map::new()).unwrap();
    let mut colliding = Vec::new();
    for n in 0.. {
        let value = heap.alloc_value(Pair::of(Cell::from(n), 1.into())).unwrap();
        if heap.hash(value.cell()).unwrap() & 0x3FF == 0 {
            colliding.push(n);
        } else {
            heap.free(value).unwrap();
        }
        if colliding.len() == 200 {
            break;
        }
    }
    for &n in &colliding {
        let value = heap.alloc_value(Pair::of(Cell::from(n), 1.into())).unwrap();
        heap.map_insert(map, value.into(), Cell::from(n)).unwrap();
    }
    assert!(format!("{:?}", heap.get(map).unwrap()).contains("ordered"));
    for &n in &colliding {
        let value = heap.alloc_value(Pair::of(Cell::from(n), 1.into())).unwrap();
        assert_eq!(heap.map_get(map, value.into()), Ok(Some(Cell::from(n))));
        if n % 2 == 0 {
            assert!(heap.get_mut(map).unwrap().remove(value.into()).unwrap().is_some());
            assert_eq!(heap.map_get(map, value.into()), Ok(None));
        }
    }
    assert_eq!(heap.verify(), Ok(()));
}

/// Two values of one hash are two keys.
#[test]
fn values_of_one_hash_are_told_apart() -> Result<(), Error> {
    const VALUES: u32 = 400_000;
    let mut heap = heap(1);
    let value = |heap: &mut Heap, n: u32| heap.alloc_value(Pair::of(n.into(), 1.into()));
    let mut by_hash = HashMap::new();
    let mut twins = Vec::new();
    for n in 0..VALUES {
        let key = value(&mut heap, n)?;
        if let Some(other) = by_hash.insert(heap.hash(key.cell())?, n) {
            twins.push((other, n));
        }
        heap.free(key)?;
    }
    assert!(twins.len() > 3);
    for (one, other) in twins {
        let map = heap.alloc(Map::new())?;
        for n in 0..16 {
            heap.map_insert(map, n.into(), Cell::NULL)?;
        }
        let [one, other] = [value(&mut heap, one)?.cell(), value(&mut heap, other)?.cell()];
        assert_eq!(heap.map_insert(map, one, 1.into())?, None);
        assert_eq!(heap.map_get(map, other)?, None);
        assert_eq!(heap.map_insert(map, other, 2.into())?, None);
        assert_eq!(
            [heap.map_get(map, one)?, heap.map_get(map, other)?],
            [1, 2].map(|n| Some(n.into()))
        );
        assert_eq!(heap.get_mut(map)?.remove(one)?, Some((one, 1.into())));
        assert_eq!([heap.map_get(map, one)?, heap.map_get(map, other)?], [None, Some(2.into())]);
    }
    Ok(())
}

#[test]
fn own_hashes_ask_about_each_key_once() -> Result<(), Error> {
    for keys in [0, 1, 2, 4, 5, 6, 40] {
        let mut heap = heap(1);
        let map = heap.alloc(Map::new())?;
        let never = |_: &mut Heap, _, _| Ok::<bool, Error>(false);
        for n in 0..keys {
            heap.map_insert_by(map, n.into(), n.into(), 7, never)?;
        }
        let mut asked = Vec::new();
        let found =
            heap.map_get_by(map, 99.into(), 7, |_: &mut Heap, key: Cell, other: Cell| {
                assert_eq!(key, Cell::from(99));
                asked.push(other.as_int());
                Ok::<bool, Error>(false)
            })?;
        asked.sort_unstable();
        assert_eq!((found, asked), (None, (0..keys).map(|n| Some(n.into())).collect()));
    }
    Ok(())
}

/// Keys are equal modulo `modulus`, and so are their hashes, of which there are `hashes`.
fn equal(modulus: i64) -> impl FnMut(&mut Heap, Cell, Cell) -> Result<bool, Error> + Copy {
    move |_, a, b| Ok(a.as_int().unwrap() % modulus == b.as_int().unwrap() % modulus)
}

proptest! {
    #![proptest_config(config(96))]

    /// Maps by a hash of the VM's own, with few hashes or many.
    #[test]
    fn own_hashes_agree_with_a_model(
        steps in prop::collection::vec((0_u8..10, 0_i64..2_000), 1..600),
        modulus in prop::sample::select(vec![7_i64, 150, 1_000]),
        hashes in prop::sample::select(vec![1_u64, 3, 1 << 40]),
    ) {
        let mut heap = heap(5);
        let map = heap.alloc(Map::new()).unwrap();
        let mut model: Vec<(i64, Cell)> = Vec::new();
        for (n, &(action, key)) in (0_u32..).zip(&steps) {
            let hash = (key % modulus).unsigned_abs() % hashes;
            let cell = Cell::int(key).unwrap();
            let place = model.iter().position(|(other, _)| other % modulus == key % modulus);
            match action {
                0..=5 => {
                    let got = heap.map_insert_by(map, cell, n.into(), hash, equal(modulus)).unwrap();
                    prop_assert_eq!(got, place.map(|place| model[place].1));
                    match place {
                        Some(place) => model[place].1 = n.into(),
                        None => model.push((key, n.into())),
                    }
                }
                6 | 7 => {
                    let got = heap.map_remove_by(map, cell, hash, equal(modulus)).unwrap();
                    let expected = place.map(|place| model.remove(place));
                    prop_assert_eq!(got, expected.map(|(key, value)| (Cell::int(key).unwrap(), value)));
                }
                8 if key % 50 == 0 => {
                    let mut open = heap.get_mut(map).unwrap();
                    match key % 200 {
                        0 => open.shrink_to_fit().unwrap(),
                        50 => drop((open.pop_front().unwrap(), (!model.is_empty()).then(|| model.remove(0)))),
                        100 => {
                            heap.map_retain(map, |_, key, _| Ok::<_, Error>(key.as_int().unwrap() % 3 != 0)).unwrap();
                            model.retain(|(key, _)| key % 3 != 0);
                        }
                        _ => {
                            open.clear().unwrap();
                            model.clear();
                        }
                    }
                    heap.compact();
                }
                _ => {}
            }
            let got = heap.map_get_by(map, cell, hash, equal(modulus)).unwrap();
            let place = model.iter().find(|(other, _)| other % modulus == key % modulus);
            prop_assert_eq!(got, place.map(|entry| entry.1));
        }
        let entries: Vec<_> = heap.get(map).unwrap().iter().collect();
        let expected: Vec<_> = model.iter().map(|&(key, value)| (Cell::int(key).unwrap(), value)).collect();
        prop_assert_eq!(&entries, &expected);
        prop_assert_eq!(heap.verify(), Ok(()));
        // Rebuilt, it has the same entries.
        heap.get_mut(map).unwrap().shrink_to_fit().unwrap();
        for &(key, value) in &model {
            let hash = (key % modulus).unsigned_abs() % hashes;
            let got = heap.map_get_by(map, Cell::int(key).unwrap(), hash, equal(modulus));
            prop_assert_eq!(got, Ok(Some(value)));
        }
        // The hashes are the same in another heap.
        let mut other = Heap::with(Settings::seeded(99));
        let copy = other.transplant(&heap, map.into()).unwrap();
        for &(key, value) in &model {
            let hash = (key % modulus).unsigned_abs() % hashes;
            let got = other.map_get_by(copy, Cell::int(key).unwrap(), hash, equal(modulus));
            prop_assert_eq!(got, Ok(Some(value)));
        }
        prop_assert_eq!(other.verify(), Ok(()));
    }
}

/// What an equality does in its first call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Fails,
    Adds,
    Removes,
    Overwrites,
    Clears,
    Frees,
    FreesKey,
    Replaces,
    Collects,
    CollectsAll,
    Freezes,
}

const ACTS: [Act; 11] = [
    Act::Fails,
    Act::Adds,
    Act::Removes,
    Act::Overwrites,
    Act::Clears,
    Act::Frees,
    Act::FreesKey,
    Act::Replaces,
    Act::Collects,
    Act::CollectsAll,
    Act::Freezes,
];

fn act(heap: &mut Heap, map: Handle<Map>, key: Cell, act: Act) -> Result<(), Error> {
    let same = |_: &mut Heap, a, b| Ok::<_, Error>(a == b);
    match act {
        Act::Fails => return Err(Error::NotDecimal),
        Act::Adds => drop(heap.map_insert_by(map, 777.into(), Cell::NULL, 9, same)?),
        Act::Removes => drop(heap.get_mut(map)?.pop_front()?),
        Act::Overwrites => drop(heap.map_insert_by(map, 0.into(), 777.into(), 1, same)?),
        Act::Clears => heap.get_mut(map)?.clear()?,
        Act::Frees => heap.free(map)?,
        Act::FreesKey => heap.free(key)?,
        Act::Replaces => {
            heap.clear();
            heap.alloc(Map::new())?;
        }
        Act::Collects => drop(heap.collect([map.into(), key])?),
        Act::CollectsAll => drop(heap.collect([key])?),
        Act::Freezes => heap.freeze(map)?,
    }
    Ok(())
}

/// An equality that changes the map, frees or collects it is noticed, whatever it returns;
/// nothing is inserted or removed then.
#[test]
fn an_equality_that_changes_the_map_is_noticed() {
    for (action, returns, operation) in ACTS
        .into_iter()
        .flat_map(|act| [false, true].map(|returns| (act, returns)))
        .flat_map(|(act, returns)| [0, 1, 2].map(|operation| (act, returns, operation)))
    {
        let mut heap = heap(5);
        let map = heap.alloc(Map::new()).unwrap();
        for n in 0..20_u32 {
            let never = |_: &mut Heap, _, _| Ok::<_, Error>(false);
            heap.map_insert_by(map, n.into(), n.into(), 1, never).unwrap();
        }
        let key = heap.alloc(List::new()).unwrap().cell();
        let (mut calls, mut left) = (0, None);
        let acts = |heap: &mut Heap, a, b| {
            assert_eq!(a, key);
            assert_ne!(b, key);
            calls += 1;
            if calls == 1 {
                act(heap, map, key, action)?;
                left = heap.get(map).ok().map(|map| map.iter().collect::<Vec<_>>());
                return Ok(returns);
            }
            Ok::<_, Error>(false)
        };
        let got = match operation {
            0 => heap.map_insert_by(map, key, 5.into(), 1, acts),
            1 => heap.map_get_by(map, key, 1, acts),
            _ => heap.map_remove_by(map, key, 1, acts).map(|removed| removed.map(|entry| entry.1)),
        };
        let what = format!("{action:?} {returns} {operation}");
        let overwritten = if action == Act::Overwrites { 777 } else { 0 };
        let expected = match action {
            Act::Fails => Err(Error::NotDecimal),
            Act::Freezes if operation != 1 && (returns || operation == 0) => Err(Error::Frozen),
            Act::Overwrites | Act::Collects | Act::Freezes => {
                Ok(returns.then_some(overwritten.into()))
            }
            _ => Err(Error::Changed),
        };
        assert_eq!(got, expected, "{what}");
        assert_eq!(
            calls == 1,
            returns || expected.is_err() && expected != Err(Error::Frozen),
            "{what}"
        );
        if let (Err(_), Some(left)) = (got, left) {
            assert_eq!(heap.get(map).unwrap().iter().collect::<Vec<_>>(), left, "{what}");
        }
        assert_eq!(heap.verify(), Ok(()), "{what}");
    }
}

/// An equality that has the table rebuilt changes no entry.
#[test]
fn an_equality_may_move_the_entries() {
    // All that are left, as the first one that is asked about moves the others.
    for (removed, first) in [(0, 0), (5, 0), (5, 1), (15, 0), (15, 1)] {
        for wanted in 0..20 - removed {
            let mut heap = heap(5);
            let map = heap.alloc(Map::new()).unwrap();
            let never = |_: &mut Heap, _, _| Ok::<_, Error>(false);
            for n in 0..20_u32 {
                heap.map_insert_by(map, n.into(), (n + 100).into(), 1, never).unwrap();
            }
            for _ in 0..removed {
                heap.get_mut(map).unwrap().remove_nth(first).unwrap();
            }
            let (key, value) = heap.get(map).unwrap().nth(wanted).unwrap();
            let moves = |heap: &mut Heap, a, b| {
                heap.get_mut(map)?.shrink_to_fit()?;
                heap.compact();
                Ok::<_, Error>(a == b)
            };
            assert_eq!(heap.map_get_by(map, key, 1, moves), Ok(Some(value)));
            assert_eq!(heap.map_insert_by(map, key, 7.into(), 1, moves), Ok(Some(value)));
            assert_eq!(heap.map_remove_by(map, key, 1, moves), Ok(Some((key, 7.into()))));
            assert_eq!(heap.map_get_by(map, key, 1, moves), Ok(None));
            assert_eq!(heap.verify(), Ok(()));
        }
    }
}

/// A map has hashes of one sort: operations by another fail, and change nothing.
#[test]
fn hashes_are_never_mixed() {
    for len in [1_u32, 30, 300] {
        let mut heap = heap(5);
        let [own, plain] = [0, 1].map(|_| heap.alloc(Map::new()).unwrap());
        let same = |_: &mut Heap, a, b| Ok::<_, Error>(a == b);
        let text = heap.intern("a symbol").unwrap();
        let keys = |n: u32| if n == 0 { text } else { n.into() };
        for n in 0..len {
            // The own hash of an integer may be that of the heap by chance, or on purpose.
            let hash = u64::from(heap.hash(keys(n)).unwrap());
            heap.map_insert_by(own, keys(n), n.into(), hash, same).unwrap();
            heap.map_insert(plain, keys(n), n.into()).unwrap();
        }
        let other = Err(Error::OtherHash);
        let capacity = heap.capacity(own).unwrap();
        for key in [text, 1.into(), 5_000.into(), Cell::NULL, Cell::short_str("a").unwrap()] {
            assert_eq!(heap.map_get(own, key), other);
            let mut hint = segheap::KeyHint::default();
            assert_eq!(heap.map_get_with(own, key, &mut hint), other);
            assert_eq!(heap.map_insert(own, key, 1.into()), other);
            assert_eq!(heap.get(own).unwrap().get(key), other);
            assert_eq!(heap.get(own).unwrap().contains(key), Err(Error::OtherHash));
            assert_eq!(heap.get(own).unwrap().index_of(key), Err(Error::OtherHash));
            let mut open = heap.get_mut(own).unwrap();
            assert_eq!(open.insert(key, 1.into()), other);
            assert_eq!(open.replace(key, 1.into()), other);
            assert_eq!(open.update(key, |_| 1.into()), Err(Error::OtherHash));
            assert_eq!(open.get_or_insert(key, 1.into()), Err(Error::OtherHash));
            assert_eq!(open.remove(key).err(), Some(Error::OtherHash));
            assert_eq!(open.extend(&[(key, 1.into()); 5_000]), Err(Error::OtherHash));
            assert_eq!(heap.capacity(own).unwrap(), capacity, "it has not grown for that");
            assert_eq!(heap.map_get_by(plain, key, 1, same), other);
            assert_eq!(heap.map_insert_by(plain, key, key, 1, same), other);
            assert_eq!(heap.map_remove_by(plain, key, 1, same), Err(Error::OtherHash));
        }
        let copy = heap.alloc(Map::new()).unwrap();
        heap.map_extend(copy, own).unwrap();
        assert_eq!(heap.deep_eq(copy.into(), plain.into()), Ok(true));
        assert_eq!(heap.deep_eq(copy.into(), own.into()), Err(Error::OtherHash));
        assert_eq!(heap.get(own).unwrap().len(), len as usize);
        heap.get_mut(own).unwrap().clear().unwrap();
        assert_eq!(heap.map_get(own, 1.into()), other);
        assert_eq!(heap.verify(), Ok(()));
    }
}

proptest! {
    #![proptest_config(config(96))]

    /// Sets by a hash of the VM's own, with few hashes or many; images and copies of them.
    #[test]
    fn own_hashes_of_sets_agree_with_a_model(
        steps in prop::collection::vec((0_u8..10, 0_i64..2_000), 1..400),
        modulus in prop::sample::select(vec![7_i64, 150, 1_000]),
        hashes in prop::sample::select(vec![1_u64, 3, 1 << 40]),
    ) {
        let mut heap = heap(5);
        let set = heap.alloc(Set::new()).unwrap();
        let mut model: Vec<i64> = Vec::new();
        let hash = |key: i64| (key % modulus).unsigned_abs() % hashes;
        for &(action, key) in &steps {
            let cell = Cell::int(key).unwrap();
            let place = model.iter().position(|other| other % modulus == key % modulus);
            match action {
                0..=6 => {
                    let new = heap.set_insert_by(set, cell, hash(key), equal(modulus)).unwrap();
                    prop_assert_eq!(new, place.is_none());
                    if new {
                        model.push(key);
                    }
                }
                7 | 8 => {
                    let removed = heap.set_remove_by(set, cell, hash(key), equal(modulus)).unwrap();
                    prop_assert_eq!(removed, place.map(|place| Cell::int(model.remove(place)).unwrap()));
                }
                _ if key % 20 == 0 => {
                    heap.get_mut(set).unwrap().shrink_to_fit().unwrap();
                    heap.compact();
                }
                _ => {}
            }
            let got = heap.set_get_by(set, cell, hash(key), equal(modulus)).unwrap();
            let place = model.iter().find(|&&other| other % modulus == key % modulus);
            prop_assert_eq!(got, place.map(|&key| Cell::int(key).unwrap()));
        }
        prop_assert_eq!(heap.verify(), Ok(()));
        let expected: Vec<_> = model.iter().map(|&key| Cell::int(key).unwrap()).collect();
        let image = save(&mut heap).unwrap();
        let mut other = Heap::with(Settings::seeded(9));
        let copy = other.transplant(&heap, set.cell()).unwrap();
        let loaded = load(&image, Settings::seeded(10)).unwrap();
        for (mut heap, set) in [(heap, set.cell()), (other, copy), (loaded, set.cell())] {
            prop_assert_eq!(heap.get::<Set>(set).unwrap().iter().collect::<Vec<_>>(), expected.clone());
            for &key in &model {
                let cell = Cell::int(key).unwrap();
                let got = heap.set_get_by(set, cell, hash(key), equal(modulus)).unwrap();
                prop_assert_eq!(got, Some(cell));
            }
            prop_assert_eq!(heap.verify(), Ok(()));
        }
    }
}

/// Sets of one sort of hashes are not mixed with those of the other.
#[test]
fn hashes_of_sets_are_never_mixed() -> Result<(), Error> {
    let mut heap = heap(5);
    let [own, plain] = [heap.alloc(Set::new())?, heap.alloc(Set::new())?];
    let same = |_: &mut Heap, a, b| Ok::<_, Error>(a == b);
    for n in 0..30_u32 {
        heap.set_insert_by(own, n.into(), u64::from(n), same)?;
        heap.get_mut(plain)?.insert(n.into())?;
    }
    for key in [5.into(), 5_000.into(), Cell::NULL] {
        assert_eq!(heap.set_contains(own, key), Err(Error::OtherHash));
        assert_eq!(heap.get(own)?.contains(key), Err(Error::OtherHash));
        assert_eq!(heap.get_mut(own)?.insert(key), Err(Error::OtherHash));
        assert_eq!(heap.get_mut(own)?.get_or_insert(key), Err(Error::OtherHash));
        assert_eq!(heap.get_mut(own)?.remove(key), Err(Error::OtherHash));
        assert_eq!(heap.set_get_by(plain, key, 5, same), Err(Error::OtherHash));
        assert_eq!(heap.set_insert_by(plain, key, 5, same), Err(Error::OtherHash));
        assert_eq!(heap.set_remove_by(plain, key, 5, same), Err(Error::OtherHash));
    }
    for (a, b) in [(own, plain), (plain, own), (own, own)] {
        let live = heap.usage().live();
        assert_eq!(heap.union(a, b), Err(Error::OtherHash));
        assert_eq!(heap.intersection(a, b), Err(Error::OtherHash));
        assert_eq!(heap.difference(a, b), Err(Error::OtherHash));
        assert_eq!(heap.usage().live(), live);
    }
    Ok(())
}
