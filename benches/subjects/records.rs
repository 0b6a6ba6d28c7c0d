//! Records whose fields instructions find by inline caches, and that grow; and what a host has
//! registered of many objects: pins, tokens, members of a region.

use std::hint::black_box;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use segheap::abi::bits;
use segheap::{Cell, Error, Handle, Heap, Pair, Struct};
use slotmap::{DefaultKey, SlotMap};

use super::comparison::{Comparison, comparison};
use super::{Entry, Random, heap, reading};

const RECORDS: usize = 1_000;
const FIELDS: u32 = 8;
/// Objects that a host has registered.
const MANY: usize = 80_000;
const PICKED: usize = 10_000;

pub(crate) const COMPARISONS: &[Entry] = &[
    ("read a field by an inline cache, 1,000 records", cached),
    ("a record that grows to 8 fields", growing),
    ("unpin and pin one of 80,000", pinned),
    ("free a watched object, 80,000 watched", watched),
    ("look for an object in a region of 80,000", members),
];

/// A record of a peer.
struct Record {
    shape: u32,
    fields: Vec<u64>,
}

impl Record {
    fn new(n: u64) -> Box<Record> {
        Box::new(Record { shape: 7, fields: vec![n, n + 1, n + 2] })
    }

    fn field(&self, shape: u32, index: usize) -> Option<u64> {
        if self.shape == shape { self.fields.get(index).copied() } else { None }
    }
}

#[inline(never)]
fn read_all(heap: &Heap, records: &[Handle<Struct>], shape: u32, at: usize) -> Result<u64, Error> {
    let mut sum = 0_u64;
    for &record in records {
        sum = sum.wrapping_add(heap.field(record, shape, at)?.map_or(0, bits));
    }
    Ok(sum)
}

/// Each field after a comparison of the record's shape.
fn cached() -> Comparison {
    let order = Random(9).order(RECORDS);
    comparison(
        RECORDS,
        order,
        [
            ("segheap", |order| {
                let mut heap = heap();
                let cells = |n: u64| [n, n + 1, n + 2].map(|n| Cell::from(n as u32));
                let of = |n| heap.alloc(Struct::of(7, &cells(n))).unwrap();
                let records: Vec<_> = (0..RECORDS as u64).map(of).collect();
                let records: Vec<_> = order.iter().map(|&n| records[n]).collect();
                reading(move || {
                    read_all(&heap, black_box(&records), black_box(7), black_box(1)).unwrap()
                })
            }),
            ("Vec of Box", |order| {
                let records: Vec<_> = (0..RECORDS as u64).map(|n| Record::new(word(n))).collect();
                let order = order.clone();
                reading(move || {
                    let (shape, at) = (black_box(7), black_box(1));
                    let field = |&n: &usize| records[n].field(shape, at).unwrap_or(0);
                    black_box(&order).iter().map(field).fold(0, u64::wrapping_add)
                })
            }),
            ("slotmap of Box", |order| {
                let mut records = SlotMap::new();
                let of = |n: u64| records.insert(Record::new(word(n)));
                let keys: Vec<DefaultKey> = (0..RECORDS as u64).map(of).collect();
                let keys: Vec<_> = order.iter().map(|&n| keys[n]).collect();
                reading(move || {
                    let (shape, at) = (black_box(7), black_box(1));
                    let field = |&key| records.get(key)?.field(shape, at);
                    let fields = black_box(&keys).iter().map(|key| field(key).unwrap_or(0));
                    fields.fold(0, u64::wrapping_add)
                })
            }),
        ],
    )
}

/// The bits of an integer, without those that tell it from its successors.
fn word(n: u64) -> u64 {
    bits(Cell::from(n as u32))
}

/// A constructor that adds its fields one by one.
fn growing() -> Comparison {
    comparison(
        RECORDS,
        (),
        [
            ("segheap", |_| {
                let mut heap = heap();
                reading(move || {
                    for _ in 0..RECORDS {
                        let record = heap.alloc(Struct::new(0, 0)).unwrap();
                        for n in 0..FIELDS {
                            let mut open = heap.get_mut(black_box(record)).unwrap();
                            open.push_field(n.into(), n + 1).unwrap();
                        }
                        heap.free(record).unwrap();
                    }
                    0
                })
            }),
            ("Box", |_| {
                reading(move || {
                    for _ in 0..RECORDS {
                        let mut record = Box::new(Record { shape: 0, fields: Vec::new() });
                        for n in 0..FIELDS {
                            let record = black_box(&mut record);
                            record.fields.push(n.into());
                            record.shape = n + 1;
                        }
                        black_box(record);
                    }
                    0
                })
            }),
        ],
    )
}

fn objects(heap: &mut Heap) -> Vec<Cell> {
    let pair = |n: usize| heap.alloc(Pair::of(Cell::from(n as u32), Cell::NULL)).unwrap();
    (0..MANY).map(pair).map(Cell::from).collect()
}

fn picked(count: usize) -> Vec<usize> {
    let mut random = Random(11);
    (0..count).map(|_| random.below(MANY)).collect()
}

fn pinned() -> Comparison {
    comparison(
        PICKED,
        picked(PICKED),
        [
            ("segheap", |picked| {
                let mut heap = heap();
                let objects = objects(&mut heap);
                objects.iter().for_each(|&object| heap.pin(object).unwrap());
                reading(move || {
                    for &n in black_box(&*picked) {
                        assert!(heap.unpin(objects[n]));
                        heap.pin(objects[n]).unwrap();
                    }
                    0
                })
            }),
            ("hashbrown", |picked| {
                let cells: Vec<u64> = objects(&mut heap()).into_iter().map(bits).collect();
                let mut pins = HashMap::with_hasher(FixedState::default());
                pins.extend(cells.iter().map(|&cell| (cell, 1_u64)));
                reading(move || {
                    for &n in black_box(&*picked) {
                        assert!(pins.remove(&cells[n]).is_some());
                        pins.insert(cells[n], 1);
                    }
                    0
                })
            }),
        ],
    )
}

/// Beside many watched objects, or none.
fn watched() -> Comparison {
    fn pass(others: usize) -> super::comparison::Pass {
        let mut heap = heap();
        let objects = objects(&mut heap);
        for (&object, token) in objects.iter().take(others).zip(0..) {
            heap.watch(object, token).unwrap();
        }
        reading(move || {
            (0..PICKED as u64).fold(0, |sum, token| {
                let pair = heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap();
                heap.watch(pair, token).unwrap();
                heap.free(black_box(pair)).unwrap();
                heap.drain_dead().fold(sum, u64::wrapping_add)
            })
        })
    }
    comparison(PICKED, (), [("segheap", |_| pass(MANY)), ("no other", |_| pass(0))])
}

fn members() -> Comparison {
    let count = PICKED / 100;
    comparison(
        count,
        picked(count),
        [
            ("segheap", |picked| {
                let mut heap = heap();
                let region = heap.open_region().unwrap();
                let objects = objects(&mut heap);
                reading(move || {
                    let is_inside = |&&n: &&usize| heap.allocated_in(&region, objects[n]).unwrap();
                    black_box(&*picked).iter().filter(is_inside).count() as u64
                })
            }),
            ("hashbrown", |picked| {
                let cells: Vec<u64> = objects(&mut heap()).into_iter().map(bits).collect();
                let mut inside = HashMap::with_hasher(FixedState::default());
                inside.extend(cells.iter().map(|&cell| (cell, ())));
                reading(move || {
                    let is_inside = |&&n: &&usize| inside.contains_key(&cells[n]);
                    black_box(&*picked).iter().filter(is_inside).count() as u64
                })
            }),
            // Of a list of them, as the log of a region is one.
            ("search", |picked| {
                let cells: Vec<u64> = objects(&mut heap()).into_iter().map(bits).collect();
                reading(move || {
                    let is_inside = |&&n: &&usize| black_box(&*cells).contains(&cells[n]);
                    black_box(&*picked).iter().filter(is_inside).count() as u64
                })
            }),
        ],
    )
}
