//! Maps, compared with indexmap, which keeps insertion order as well, and hashbrown,
//! which does not. All hash with foldhash unless the name says otherwise. Keys and
//! values are the integers and texts of the language: cells here, an `i64` or a
//! `String` there.

use std::hash::{BuildHasher, Hash};
use std::hint::black_box;
use std::rc::Rc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use indexmap::IndexMap;
use segheap::{Cell, Cursor, Error, Handle, Heap, Map};

use super::comparison::{Comparison, Pass, comparison};
use super::{Entry, Random, heap, reading, writing};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("map of i64, fill, 10,000", || fill_ints(10_000)),
    ("map of i64, fill, 1M", || fill_ints(1_000_000)),
    ("map of i64, look up, 10,000", || look_up_ints(10_000)),
    ("map of i64, look up, 1M", || look_up_ints(1_000_000)),
    ("map of i64, remove half, 10,000", || remove_ints(10_000)),
    ("map of i64, iterate, 10,000", || iterate_ints(10_000)),
    ("map of i64, look up, 10,000, default hashers", || default_hashers(10_000)),
    ("map of texts, fill, 100,000", || fill_texts(100_000)),
    ("map of texts, look up, 100,000", || look_up_texts(100_000)),
    ("1,000 records as maps of 8 texts, look up", || records(1_000)),
];

/// Keys in the order of insertion and in the order of look-ups.
struct Keys<K> {
    keys: Vec<K>,
    looked_up: Vec<K>,
}

impl<K: Clone> Keys<K> {
    fn random(n: usize, key: impl FnMut(usize) -> K) -> Keys<K> {
        let mut random = Random(n as u64);
        // Multiples of an odd number: distinct and without order.
        let numbers = (0..n).map(|i| i.wrapping_mul(0x9E37_79B1) & 0x7FFF_FFFF_FFFF);
        let keys: Vec<K> = numbers.map(key).collect();
        let looked_up = random.order(n).into_iter().map(|i| keys[i].clone()).collect();
        Keys { keys, looked_up }
    }
}

fn ints(n: usize) -> Keys<i64> {
    Keys::random(n, |key| key as i64)
}

/// Texts of 12 to 20 bytes.
fn names(n: usize) -> Keys<String> {
    Keys::random(n, |key| format!("name_{key:07}"))
}

fn int(n: i64) -> Cell {
    Cell::int(n).unwrap()
}

fn hasher() -> FixedState {
    FixedState::with_seed(1)
}

type Indexed<K> = IndexMap<K, i64, FixedState>;
type Brown<K> = HashMap<K, i64, FixedState>;

// Integers.

#[inline(never)]
fn insert_cells(heap: &mut Heap, map: Handle<Map>, keys: &[Cell]) -> Result<(), Error> {
    for (i, &key) in keys.iter().enumerate() {
        heap.get_mut(map)?.insert(key, Cell::from(i as u32))?;
    }
    Ok(())
}

#[inline(never)]
fn get_cells(heap: &Heap, map: Handle<Map>, keys: &[Cell]) -> Result<u64, Error> {
    let mut sum = 0_i64;
    for &key in keys {
        let value = heap.get(map)?.get(key)?.and_then(Cell::as_int);
        sum = sum.wrapping_add(value.unwrap_or(-1));
    }
    Ok(sum.cast_unsigned())
}

/// A heap with a map, and the keys to look up.
fn filled(mut heap: Heap, keys: Vec<Cell>, looked_up: Vec<Cell>) -> (Heap, Handle<Map>, Vec<Cell>) {
    let map = heap.alloc(Map::new()).unwrap();
    insert_cells(&mut heap, map, &keys).unwrap();
    (heap, map, looked_up)
}

fn of_ints(heap: Heap, keys: &Keys<i64>) -> (Heap, Handle<Map>, Vec<Cell>) {
    let cells = |keys: &[i64]| keys.iter().map(|&key| int(key)).collect();
    filled(heap, cells(&keys.keys), cells(&keys.looked_up))
}

fn pairs<K: Clone>(keys: &Keys<K>) -> impl Iterator<Item = (K, i64)> {
    keys.keys.iter().cloned().zip(0..)
}

/// Fills a new map.
fn fill_ints(n: usize) -> Comparison {
    comparison(
        n,
        ints(n),
        [
            ("segheap", |keys| {
                let cells: Vec<Cell> = keys.keys.iter().map(|&key| int(key)).collect();
                writing(
                    (heap(), None),
                    move |(heap, map)| {
                        let new = heap.alloc(Map::new()).unwrap();
                        insert_cells(heap, new, black_box(&cells)).unwrap();
                        *map = Some(new);
                    },
                    |(heap, map)| heap.get(map.unwrap()).unwrap().len() as u64,
                    |(heap, _)| heap.clear(),
                )
            }),
            ("indexmap", |keys| {
                writing(
                    Indexed::with_hasher(hasher()),
                    move |map| {
                        for (i, &key) in black_box(&keys.keys).iter().enumerate() {
                            map.insert(key, i as i64);
                        }
                    },
                    |map| map.len() as u64,
                    |map| *map = Indexed::with_hasher(hasher()),
                )
            }),
            ("hashbrown", |keys| {
                writing(
                    Brown::with_hasher(hasher()),
                    move |map| {
                        for (i, &key) in black_box(&keys.keys).iter().enumerate() {
                            map.insert(key, i as i64);
                        }
                    },
                    |map| map.len() as u64,
                    |map| *map = Brown::with_hasher(hasher()),
                )
            }),
        ],
    )
}

fn look_up_heap((heap, map, looked_up): (Heap, Handle<Map>, Vec<Cell>)) -> Pass {
    reading(move || get_cells(&heap, black_box(map), black_box(&looked_up)).unwrap())
}

fn sum<'m>(values: impl Iterator<Item = Option<&'m i64>>) -> u64 {
    let values = values.map(|value| value.copied().unwrap_or(-1));
    values.fold(0, i64::wrapping_add).cast_unsigned()
}

fn look_up_indexed<K, S>(keys: Rc<Keys<K>>, hasher: S) -> Pass
where
    K: Clone + Eq + Hash + 'static,
    S: BuildHasher + 'static,
{
    let mut map = IndexMap::with_hasher(hasher);
    map.extend(pairs(&keys));
    reading(move || sum(black_box(&keys.looked_up).iter().map(|key| map.get(key))))
}

fn look_up_brown<S: BuildHasher + 'static>(keys: Rc<Keys<i64>>, hasher: S) -> Pass {
    let mut map = HashMap::with_hasher(hasher);
    map.extend(pairs(&keys));
    reading(move || sum(black_box(&keys.looked_up).iter().map(|key| map.get(key))))
}

fn look_up_ints(n: usize) -> Comparison {
    comparison(
        n,
        ints(n),
        [
            ("segheap", |keys| look_up_heap(of_ints(heap(), &keys))),
            ("indexmap", |keys| look_up_indexed(keys, hasher())),
            ("hashbrown", |keys| look_up_brown(keys, hasher())),
        ],
    )
}

/// Each crate with its default hasher.
fn default_hashers(n: usize) -> Comparison {
    comparison(
        n,
        ints(n),
        [
            ("segheap", |keys| look_up_heap(of_ints(Heap::new(), &keys))),
            ("indexmap", |keys| look_up_indexed(keys, std::hash::RandomState::default())),
            ("hashbrown", |keys| look_up_brown(keys, hashbrown::DefaultHashBuilder::default())),
        ],
    )
}

/// Removes half of the keys in random order; they return before the next pass.
fn remove_ints(n: usize) -> Comparison {
    comparison(
        n / 2,
        ints(n),
        [
            ("segheap", |keys| {
                let (heap, map, looked_up) = of_ints(heap(), &keys);
                let half = looked_up[..keys.keys.len() / 2].to_vec();
                let back = half.clone();
                writing(
                    heap,
                    move |heap| {
                        for &key in black_box(&half) {
                            heap.get_mut(map).unwrap().remove(key).unwrap();
                        }
                    },
                    move |heap| heap.get(map).unwrap().len() as u64,
                    move |heap| insert_cells(heap, map, &back).unwrap(),
                )
            }),
            // Its removal in constant time moves the last entry. The other one keeps
            // the order, as segheap does, in linear time.
            ("indexmap", |keys| {
                let mut map = Indexed::with_hasher(hasher());
                map.extend(pairs(&keys));
                let half = move || black_box(&keys.looked_up)[..keys.keys.len() / 2].to_vec();
                let gone = half();
                writing(
                    map,
                    move |map| {
                        for key in &gone {
                            map.swap_remove(key);
                        }
                    },
                    |map| map.len() as u64,
                    move |map| map.extend(half().into_iter().zip(0..)),
                )
            }),
            ("hashbrown", |keys| {
                let mut map = Brown::with_hasher(hasher());
                map.extend(pairs(&keys));
                let half = move || black_box(&keys.looked_up)[..keys.keys.len() / 2].to_vec();
                let gone = half();
                writing(
                    map,
                    move |map| {
                        for key in &gone {
                            map.remove(key);
                        }
                    },
                    |map| map.len() as u64,
                    move |map| map.extend(half().into_iter().zip(0..)),
                )
            }),
        ],
    )
}

fn iterate_ints(n: usize) -> Comparison {
    comparison(
        n,
        ints(n),
        [
            ("segheap", |keys| {
                let (heap, map, _) = of_ints(heap(), &keys);
                reading(move || {
                    let entries = heap.get(black_box(map)).unwrap().iter();
                    entries.fold(0, |sum, (_, value)| sum + value.as_int().unwrap_or(-1) as u64)
                })
            }),
            ("segheap, cursor", |keys| {
                let (heap, map, _) = of_ints(heap(), &keys);
                reading(move || {
                    let (mut cursor, mut sum) = (Cursor::default(), 0);
                    while let Some((_, value)) = heap.get(black_box(map)).unwrap().next(&mut cursor)
                    {
                        sum += value.as_int().unwrap_or(-1) as u64;
                    }
                    sum
                })
            }),
            ("indexmap", |keys| {
                let mut map = Indexed::with_hasher(hasher());
                map.extend(pairs(&keys));
                reading(move || {
                    black_box(&map).iter().fold(0, |sum, (_, &value)| sum + value as u64)
                })
            }),
            ("hashbrown", |keys| {
                let mut map = Brown::with_hasher(hasher());
                map.extend(pairs(&keys));
                reading(move || {
                    black_box(&map).iter().fold(0, |sum, (_, &value)| sum + value as u64)
                })
            }),
        ],
    )
}

// Texts.

fn strings(heap: &mut Heap, texts: &[String]) -> Vec<Cell> {
    texts.iter().map(|text| heap.string(text).unwrap()).collect()
}

fn of_texts(keys: &Keys<String>) -> (Heap, Handle<Map>, Vec<Cell>) {
    let mut heap = heap();
    let cells = strings(&mut heap, &keys.keys);
    let looked_up = strings(&mut heap, &keys.looked_up);
    filled(heap, cells, looked_up)
}

/// The keys exist already: cells are copied into the map, a `String` is moved.
fn fill_texts(n: usize) -> Comparison {
    comparison(
        n,
        names(n),
        [
            ("segheap", |keys| {
                let mut heap = heap();
                let cells = strings(&mut heap, &keys.keys);
                writing(
                    (heap, None),
                    move |(heap, map)| {
                        let new = heap.alloc(Map::new()).unwrap();
                        insert_cells(heap, new, black_box(&cells)).unwrap();
                        *map = Some(new);
                    },
                    |(heap, map)| heap.get(map.unwrap()).unwrap().len() as u64,
                    |(heap, map)| heap.free(map.unwrap()).unwrap(),
                )
            }),
            ("indexmap", |keys| {
                let empty = || Indexed::with_hasher(hasher());
                writing(
                    (empty(), keys.keys.clone()),
                    |(map, texts)| {
                        for (i, text) in black_box(texts).drain(..).enumerate() {
                            map.insert(text, i as i64);
                        }
                    },
                    |(map, _)| map.len() as u64,
                    move |(map, texts)| {
                        *map = empty();
                        texts.clone_from(&keys.keys);
                    },
                )
            }),
        ],
    )
}

/// By texts that are equal to the keys, but other objects.
fn look_up_texts(n: usize) -> Comparison {
    comparison(
        n,
        names(n),
        [
            ("segheap", |keys| look_up_heap(of_texts(&keys))),
            ("indexmap", |keys| look_up_indexed(keys, hasher())),
        ],
    )
}

/// Records of a language without classes: small maps with common keys.
fn records(n: usize) -> Comparison {
    const FIELDS: [&str; 8] =
        ["id", "name", "kind", "parent", "position", "children", "is_visible", "created_at"];
    comparison(
        n * FIELDS.len(),
        n,
        [
            ("segheap", |n| {
                let mut heap = heap();
                let keys = FIELDS.map(|field| heap.string(field).unwrap());
                let record = |_| {
                    let map = heap.alloc(Map::new()).unwrap();
                    insert_cells(&mut heap, map, &keys).unwrap();
                    map
                };
                let maps: Vec<_> = (0..*n).map(record).collect();
                reading(move || {
                    maps.iter().map(|&map| get_cells(&heap, map, black_box(&keys)).unwrap()).sum()
                })
            }),
            ("indexmap", |n| {
                let keys = FIELDS.map(String::from);
                let record: Indexed<String> = keys.iter().cloned().zip(0..).collect();
                let maps = vec![record; *n];
                reading(move || {
                    let sum = |map: &Indexed<String>| {
                        sum(black_box(&keys).iter().map(|key| map.get(key)))
                    };
                    maps.iter().map(sum).sum()
                })
            }),
        ],
    )
}
