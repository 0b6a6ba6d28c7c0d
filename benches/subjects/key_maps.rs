//! Maps with keys by content, compared with maps of tuples, and by hashes of a VM's own,
//! compared with a table that takes hash and equality as arguments.

use std::hash::BuildHasher;
use std::hint::black_box;

use hashbrown::HashTable;
use segheap::{Cell, Error, Handle, Heap, Map, Pair};

use super::comparison::{Comparison, comparison};
use super::maps::{Keys, filled, hasher, look_up_heap, look_up_indexed, sum};
use super::{Entry, heap, reading};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("map of pairs of i64, look up, 10,000", || look_up_pairs(10_000)),
    ("map by the VM's hash, look up, 10,000", || look_up_own(10_000)),
];

/// By values that are equal to the keys, but other objects.
fn look_up_pairs(n: usize) -> Comparison {
    fn values(heap: &mut Heap, keys: &[(i64, i64)]) -> Vec<Cell> {
        let cell = |n| Cell::int(n).unwrap();
        let mut value = |&(a, b): &(i64, i64)| heap.alloc_value(Pair::of(cell(a), cell(b)));
        keys.iter().map(|key| value(key).unwrap().cell()).collect()
    }
    let keys = Keys::random(n, |key| (key as i64 & 0xFFFF, key as i64 >> 16));
    comparison(
        keys.looked_up.len(),
        keys,
        [
            ("segheap", |keys| {
                let mut heap = heap();
                let cells = values(&mut heap, &keys.keys);
                let looked_up = values(&mut heap, &keys.looked_up);
                look_up_heap(filled(heap, cells, looked_up))
            }),
            ("indexmap", |keys| look_up_indexed(keys, hasher())),
        ],
    )
}

/// The equality of two integers, as code of the VM.
fn same(_: &mut Heap, a: Cell, b: Cell) -> Result<bool, Error> {
    Ok(a == b)
}

fn get_own(heap: &mut Heap, map: Handle<Map>, keys: &[(Cell, u64)]) -> Result<u64, Error> {
    let mut total = 0_i64;
    for &(key, hash) in keys {
        let value = heap.map_get_by(map, key, hash, same)?;
        total = total.wrapping_add(value.and_then(Cell::as_int).unwrap_or(-1));
    }
    Ok(total.cast_unsigned())
}

/// The hashes are known, as those of objects that keep them.
fn look_up_own(n: usize) -> Comparison {
    let keys = Keys::random(n, |key| key as i64);
    comparison(
        keys.looked_up.len(),
        keys,
        [
            ("segheap", |keys| {
                let (mut heap, hasher) = (heap(), hasher());
                let hashed = |&key: &i64| (Cell::int(key).unwrap(), hasher.hash_one(key));
                let map = heap.alloc(Map::new()).unwrap();
                for (i, (key, hash)) in keys.keys.iter().map(hashed).enumerate() {
                    let value = Cell::int(i as i64).unwrap();
                    heap.map_insert_by(map, key, value, hash, same).unwrap();
                }
                let looked_up: Vec<_> = keys.looked_up.iter().map(hashed).collect();
                reading(move || get_own(&mut heap, black_box(map), black_box(&looked_up)).unwrap())
            }),
            ("hashbrown", |keys| {
                let hasher = hasher();
                let hashed = |&key: &i64| (key, hasher.hash_one(key));
                let mut table = HashTable::new();
                for (i, (key, hash)) in keys.keys.iter().map(hashed).enumerate() {
                    let rehash = |entry: &(i64, i64)| hasher.hash_one(entry.0);
                    table.insert_unique(hash, (key, i as i64), rehash);
                }
                let looked_up: Vec<_> = keys.looked_up.iter().map(hashed).collect();
                reading(move || {
                    sum(black_box(&looked_up).iter().map(|&(key, hash)| {
                        table.find(hash, |entry| entry.0 == key).map(|entry| &entry.1)
                    }))
                })
            }),
        ],
    )
}
