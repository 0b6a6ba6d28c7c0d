//! Maps with texts as keys, compared with indexmap: cells here, a `String` there.

use std::hint::black_box;

use segheap::{Cell, Handle, Heap, KeyHint, Map};

use super::comparison::{Comparison, Pass, comparison};
use super::maps::{
    Indexed, Keys, filled, get_cells, hasher, insert_cells, look_up_heap, look_up_indexed, rounds,
    sum,
};
use super::{Entry, Random, heap, reading, writing};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("map of texts, fill, 100,000", || fill_texts(100_000)),
    ("map of texts, look up, 100,000", || look_up_texts(100_000)),
    ("map of texts, look up by the same cell, 100,000", || look_up_same_texts(100_000)),
    ("1,000 records as maps of 8 texts, look up", || records(1_000)),
    ("1,000 records as maps of 8 texts, look up with a hint", || hinted_records(1_000)),
];

/// Texts of 12 to 20 bytes.
fn names(n: usize) -> Keys<String> {
    Keys::random(n, |key| format!("name_{key:07}"))
}

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
        n * rounds(n),
        names(n),
        [
            ("segheap", |keys| look_up_heap(of_texts(&keys))),
            ("indexmap", |keys| look_up_indexed(keys, hasher())),
        ],
    )
}

/// By the cells that are the keys.
fn look_up_same_texts(n: usize) -> Comparison {
    comparison(
        n,
        names(n),
        [
            ("segheap", |keys| {
                let mut heap = heap();
                let cells = strings(&mut heap, &keys.keys);
                let looked_up =
                    Random(keys.keys.len() as u64).order(cells.len()).into_iter().map(|i| cells[i]);
                let looked_up = looked_up.collect();
                look_up_heap(filled(heap, cells, looked_up))
            }),
            ("indexmap", |keys| look_up_indexed(keys, hasher())),
        ],
    )
}

const FIELDS: [&str; 8] =
    ["id", "name", "kind", "parent", "position", "children", "is_visible", "created_at"];

/// Records of a language without classes: small maps with common keys.
fn heap_records(n: usize) -> (Heap, Vec<Handle<Map>>, [Cell; 8]) {
    let mut heap = heap();
    let keys = FIELDS.map(|field| heap.string(field).unwrap());
    let record = |_| {
        let map = heap.alloc(Map::new()).unwrap();
        insert_cells(&mut heap, map, &keys).unwrap();
        map
    };
    let maps = (0..n).map(record).collect();
    (heap, maps, keys)
}

fn indexed_records(n: usize) -> Pass {
    let keys = FIELDS.map(String::from);
    let record: Indexed<String> = keys.iter().cloned().zip(0..).collect();
    let maps = vec![record; n];
    reading(move || {
        let sum = |map: &Indexed<String>| sum(black_box(&keys).iter().map(|key| map.get(key)));
        maps.iter().map(sum).sum()
    })
}

fn records(n: usize) -> Comparison {
    comparison(
        n * FIELDS.len(),
        n,
        [
            ("segheap", |n| {
                let (heap, maps, keys) = heap_records(*n);
                reading(move || {
                    maps.iter().map(|&map| get_cells(&heap, map, black_box(&keys)).unwrap()).sum()
                })
            }),
            ("indexmap", |n| indexed_records(*n)),
        ],
    )
}

/// As instructions with inline caches do it.
fn hinted_records(n: usize) -> Comparison {
    comparison(
        n * FIELDS.len(),
        n,
        [
            ("segheap", |n| {
                let (heap, maps, keys) = heap_records(*n);
                reading(move || {
                    let (mut hints, mut sum) = ([KeyHint::default(); 8], 0_u64);
                    for &map in &maps {
                        for (&key, hint) in black_box(&keys).iter().zip(&mut hints) {
                            let value = heap.map_get_with(map, key, hint).unwrap();
                            let int = value.and_then(Cell::as_int).unwrap_or(-1);
                            sum = sum.wrapping_add(int.cast_unsigned());
                        }
                    }
                    sum
                })
            }),
            ("indexmap", |n| indexed_records(*n)),
        ],
    )
}
