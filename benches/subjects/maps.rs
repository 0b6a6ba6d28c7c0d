//! Maps, compared with indexmap, which keeps insertion order as well, and hashbrown,
//! which does not. All hash with foldhash unless the name says otherwise. Keys and
//! values are the integers of the language: cells here, an `i64` there.

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
    ("map of i64, fill, 8", || fill_ints(8)),
    ("map of i64, fill, 100", || fill_ints(100)),
    ("map of i64, fill, 10,000", || fill_ints(10_000)),
    ("map of i64, fill, 1M", || fill_ints(1_000_000)),
    ("map of i64, look up, 8", || look_up_ints(8)),
    ("map of i64, look up, 100", || look_up_ints(100)),
    ("map of i64, look up, 10,000", || look_up_ints(10_000)),
    ("map of i64, look up, 1M", || look_up_ints(1_000_000)),
    ("map of i64, look up what is missing, 8", || miss_ints(8)),
    ("map of i64, look up what is missing, 100", || miss_ints(100)),
    ("map of i64, look up what is missing, 10,000", || miss_ints(10_000)),
    ("map of i64, look up what is missing, 1M", || miss_ints(1_000_000)),
    ("map of i64, update, 8", || update_ints(8)),
    ("map of i64, update, 100", || update_ints(100)),
    ("map of i64, update, 10,000", || update_ints(10_000)),
    ("map of i64, update, 1M", || update_ints(1_000_000)),
    ("map of i64, remove half, 8", || remove_ints(8)),
    ("map of i64, remove half, 100", || remove_ints(100)),
    ("map of i64, remove half, 10,000", || remove_ints(10_000)),
    ("map of i64, remove half, 1M", || remove_ints(1_000_000)),
    ("map of i64, iterate, 8", || iterate_ints(8)),
    ("map of i64, iterate, 100", || iterate_ints(100)),
    ("map of i64, iterate, 10,000", || iterate_ints(10_000)),
    ("map of i64, iterate, 1M", || iterate_ints(1_000_000)),
    ("map of i64, look up, 10,000, default hashers", || default_hashers(10_000)),
];

/// Operations of a pass, in as many rounds as a small map needs.
const OPERATIONS: usize = 10_000;

/// The maps of `n` entries in a pass, or the rounds over one map.
pub(super) fn rounds(n: usize) -> usize {
    OPERATIONS.div_ceil(n)
}

/// Keys in the order of insertion and in the order of look-ups, of which there are
/// [`OPERATIONS`] at least.
pub(super) struct Keys<K> {
    pub(super) keys: Vec<K>,
    pub(super) looked_up: Vec<K>,
}

/// Number `i` of 2^47 distinct ones without order: multiples of an odd number.
fn number(i: usize) -> usize {
    i.wrapping_mul(0x9E37_79B1) & 0x7FFF_FFFF_FFFF
}

impl<K: Clone> Keys<K> {
    pub(super) fn random(n: usize, key: impl FnMut(usize) -> K) -> Keys<K> {
        let mut random = Random(n as u64);
        let keys: Vec<K> = (0..n).map(number).map(key).collect();
        let order = (0..rounds(n)).flat_map(|_| random.order(n));
        let looked_up = order.map(|i| keys[i].clone()).collect();
        Keys { keys, looked_up }
    }
}

fn ints(n: usize) -> Keys<i64> {
    Keys::random(n, |key| key as i64)
}

fn int(n: i64) -> Cell {
    Cell::int(n).unwrap()
}

pub(super) fn hasher() -> FixedState {
    FixedState::with_seed(1)
}

pub(super) type Indexed<K> = IndexMap<K, i64, FixedState>;
type Brown<K> = HashMap<K, i64, FixedState>;

/// What a map of integers of another crate does.
trait Peer: Sized + 'static {
    fn empty() -> Self;
    fn put(&mut self, key: i64, value: i64);
    fn take(&mut self, key: i64);
    fn count(&self) -> usize;
    fn values(&self) -> impl Iterator<Item = i64>;

    fn filled(keys: &Keys<i64>) -> Self {
        let mut map = Self::empty();
        pairs(keys).for_each(|(key, value)| map.put(key, value));
        map
    }
}

impl Peer for Indexed<i64> {
    fn empty() -> Self {
        Indexed::with_hasher(hasher())
    }
    #[inline(always)]
    fn put(&mut self, key: i64, value: i64) {
        self.insert(key, value);
    }
    /// In constant time, which moves the last entry. The other removal keeps the order, as
    /// segheap does, in linear time.
    #[inline(always)]
    fn take(&mut self, key: i64) {
        self.swap_remove(&key);
    }
    fn count(&self) -> usize {
        self.len()
    }
    #[inline(always)]
    fn values(&self) -> impl Iterator<Item = i64> {
        self.iter().map(|(_, &value)| value)
    }
}

impl Peer for Brown<i64> {
    fn empty() -> Self {
        Brown::with_hasher(hasher())
    }
    #[inline(always)]
    fn put(&mut self, key: i64, value: i64) {
        self.insert(key, value);
    }
    #[inline(always)]
    fn take(&mut self, key: i64) {
        self.remove(&key);
    }
    fn count(&self) -> usize {
        self.len()
    }
    #[inline(always)]
    fn values(&self) -> impl Iterator<Item = i64> {
        self.iter().map(|(_, &value)| value)
    }
}

#[inline(never)]
pub(super) fn insert_cells(heap: &mut Heap, map: Handle<Map>, keys: &[Cell]) -> Result<(), Error> {
    for (i, &key) in keys.iter().enumerate() {
        heap.map_insert(map, key, Cell::from(i as u32))?;
    }
    Ok(())
}

#[inline(never)]
pub(super) fn get_cells(heap: &Heap, map: Handle<Map>, keys: &[Cell]) -> Result<u64, Error> {
    let mut sum = 0_i64;
    for &key in keys {
        let value = heap.map_get(map, key)?.and_then(Cell::as_int);
        sum = sum.wrapping_add(value.unwrap_or(-1));
    }
    Ok(sum.cast_unsigned())
}

/// A heap with a map, and the keys to look up.
pub(super) fn filled(
    mut heap: Heap,
    keys: Vec<Cell>,
    looked_up: Vec<Cell>,
) -> (Heap, Handle<Map>, Vec<Cell>) {
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

/// Fills new maps.
fn fill_ints(n: usize) -> Comparison {
    fn of_peer<M: Peer>(keys: Rc<Keys<i64>>) -> Pass {
        writing(
            Vec::with_capacity(rounds(keys.keys.len())),
            move |maps| {
                for _ in 0..rounds(keys.keys.len()) {
                    maps.push(M::filled(black_box(&keys)));
                }
            },
            |maps| maps.iter().map(|map: &M| map.count() as u64).sum(),
            Vec::clear,
        )
    }
    comparison(
        n * rounds(n),
        ints(n),
        [
            ("segheap", |keys| {
                let cells: Vec<Cell> = keys.keys.iter().map(|&key| int(key)).collect();
                writing(
                    (heap(), Vec::with_capacity(rounds(cells.len()))),
                    move |(heap, maps)| {
                        for _ in 0..rounds(cells.len()) {
                            let map = heap.alloc(Map::new()).unwrap();
                            insert_cells(heap, map, black_box(&cells)).unwrap();
                            maps.push(map);
                        }
                    },
                    |(heap, maps)| entries(heap, maps),
                    |(heap, maps)| {
                        heap.clear();
                        maps.clear();
                    },
                )
            }),
            ("indexmap", of_peer::<Indexed<i64>>),
            ("hashbrown", of_peer::<Brown<i64>>),
        ],
    )
}

/// The number of entries of all maps.
fn entries(heap: &Heap, maps: &[Handle<Map>]) -> u64 {
    maps.iter().map(|&map| heap.get(map).unwrap().len() as u64).sum()
}

pub(super) fn look_up_heap((heap, map, looked_up): (Heap, Handle<Map>, Vec<Cell>)) -> Pass {
    reading(move || get_cells(&heap, black_box(map), black_box(&looked_up)).unwrap())
}

pub(super) fn sum<'m>(values: impl Iterator<Item = Option<&'m i64>>) -> u64 {
    let values = values.map(|value| value.copied().unwrap_or(-1));
    values.fold(0, i64::wrapping_add).cast_unsigned()
}

pub(super) fn look_up_indexed<K, S>(keys: Rc<Keys<K>>, hasher: S) -> Pass
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
        n * rounds(n),
        ints(n),
        [
            ("segheap", |keys| look_up_heap(of_ints(heap(), &keys))),
            ("indexmap", |keys| look_up_indexed(keys, hasher())),
            ("hashbrown", |keys| look_up_brown(keys, hasher())),
        ],
    )
}

/// Looks up as many other keys, which are not there.
fn miss_ints(n: usize) -> Comparison {
    let mut keys = ints(n);
    keys.looked_up.iter_mut().zip((n..2 * n).cycle()).for_each(|(key, i)| *key = number(i) as i64);
    comparison(
        keys.looked_up.len(),
        keys,
        [
            ("segheap", |keys| look_up_heap(of_ints(heap(), &keys))),
            ("indexmap", |keys| look_up_indexed(keys, hasher())),
            ("hashbrown", |keys| look_up_brown(keys, hasher())),
        ],
    )
}

/// Inserts values for keys that are there.
fn update_ints(n: usize) -> Comparison {
    fn of_peer<M: Peer>(keys: Rc<Keys<i64>>) -> Pass {
        writing(
            M::filled(&keys),
            move |map| {
                for (i, &key) in black_box(&keys.looked_up).iter().enumerate() {
                    map.put(key, i as i64);
                }
            },
            |map| map.count() as u64,
            |_| {},
        )
    }
    comparison(
        n * rounds(n),
        ints(n),
        [
            ("segheap", |keys| {
                let (heap, map, looked_up) = of_ints(heap(), &keys);
                writing(
                    heap,
                    move |heap| insert_cells(heap, map, black_box(&looked_up)).unwrap(),
                    move |heap| heap.get(map).unwrap().len() as u64,
                    |_| {},
                )
            }),
            ("indexmap", of_peer::<Indexed<i64>>),
            ("hashbrown", of_peer::<Brown<i64>>),
        ],
    )
}

/// Each crate with its default hasher.
fn default_hashers(n: usize) -> Comparison {
    comparison(
        n * rounds(n),
        ints(n),
        [
            ("segheap", |keys| look_up_heap(of_ints(Heap::new(), &keys))),
            ("indexmap", |keys| look_up_indexed(keys, std::hash::RandomState::default())),
            ("hashbrown", |keys| look_up_brown(keys, hashbrown::DefaultHashBuilder::default())),
        ],
    )
}

/// Removes half of the keys of maps in random order; they return before the next pass.
fn remove_ints(n: usize) -> Comparison {
    fn of_peer<M: Peer>(keys: Rc<Keys<i64>>) -> Pass {
        let maps: Vec<M> = (0..rounds(keys.keys.len())).map(|_| M::filled(&keys)).collect();
        let half = keys.looked_up[..keys.keys.len() / 2].to_vec();
        let back = half.clone();
        writing(
            maps,
            move |maps| {
                for map in maps {
                    black_box(&half).iter().for_each(|&key| map.take(key));
                }
            },
            |maps| maps.iter().map(|map| map.count() as u64).sum(),
            move |maps| {
                for map in maps {
                    back.iter().zip(0..).for_each(|(&key, value)| map.put(key, value));
                }
            },
        )
    }
    comparison(
        n / 2 * rounds(n),
        ints(n),
        [
            ("segheap", |keys| {
                let mut heap = heap();
                let cells: Vec<Cell> = keys.keys.iter().map(|&key| int(key)).collect();
                let map = |_| {
                    let map = heap.alloc(Map::new()).unwrap();
                    insert_cells(&mut heap, map, &cells).unwrap();
                    map
                };
                let maps: Vec<_> = (0..rounds(cells.len())).map(map).collect();
                let half = keys.looked_up[..cells.len() / 2].iter().map(|&key| int(key));
                let half: Vec<Cell> = half.collect();
                let (all, back) = (maps.clone(), half.clone());
                writing(
                    (heap, maps),
                    move |(heap, maps)| {
                        for &map in maps.iter() {
                            for &key in black_box(&half) {
                                heap.get_mut(map).unwrap().remove(key).unwrap();
                            }
                        }
                    },
                    |(heap, maps)| entries(heap, maps),
                    move |(heap, _)| {
                        all.iter().for_each(|&map| insert_cells(heap, map, &back).unwrap());
                    },
                )
            }),
            ("indexmap", of_peer::<Indexed<i64>>),
            ("hashbrown", of_peer::<Brown<i64>>),
        ],
    )
}

/// Runs passes over a map of `n` entries, each of which adds to a sum.
fn in_rounds(n: usize, pass: impl Fn(u64) -> u64) -> u64 {
    (0..rounds(n)).fold(0, |sum, _| pass(sum))
}

fn iterate_ints(n: usize) -> Comparison {
    fn of_peer<M: Peer>(keys: Rc<Keys<i64>>) -> Pass {
        let map = M::filled(&keys);
        reading(move || {
            in_rounds(keys.keys.len(), |sum| {
                black_box(&map).values().fold(sum, |sum, value| sum.wrapping_add(value as u64))
            })
        })
    }
    comparison(
        n * rounds(n),
        ints(n),
        [
            ("segheap", |keys| {
                let (heap, map, _) = of_ints(heap(), &keys);
                reading(move || {
                    in_rounds(keys.keys.len(), |sum| {
                        let entries = heap.get(black_box(map)).unwrap().iter();
                        let ints = entries.map(|(_, value)| value.as_int().unwrap_or(-1) as u64);
                        ints.fold(sum, u64::wrapping_add)
                    })
                })
            }),
            ("segheap, cursor", |keys| {
                let (heap, map, _) = of_ints(heap(), &keys);
                reading(move || {
                    in_rounds(keys.keys.len(), |mut sum: u64| {
                        let mut cursor = Cursor::default();
                        while let Some((_, value)) =
                            heap.get(black_box(map)).unwrap().next(&mut cursor)
                        {
                            sum = sum.wrapping_add(value.as_int().unwrap_or(-1) as u64);
                        }
                        sum
                    })
                })
            }),
            ("indexmap", of_peer::<Indexed<i64>>),
            ("hashbrown", of_peer::<Brown<i64>>),
        ],
    )
}
