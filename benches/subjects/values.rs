//! Operations on whole values: sorting, deep comparison, copies of graphs, ranges,
//! fields and concatenation, compared with the same on vectors.

use std::hint::black_box;

use segheap::{Bytes, Cell, Error, F64Arr, Handle, Heap, List, Struct, TextPart};

use slotmap::{DefaultKey, SlotMap};

use super::comparison::{Comparison, Pass, comparison};
use super::{Entry, Random, cells, heap, reading, repeating, words, writing};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("sort 10,000 integers", sort),
    ("sort 10,000 integers by a comparison", sort_by),
    ("deep_eq of 10,000 lists of 8", deep_eq),
    ("deep_eq of 10,000 lists of 8, shuffled", deep_eq_shuffled),
    ("deep copy of 10,000 lists of 8", transplant),
    ("fill 4,096 bytes", fill),
    ("dot product of 4,096 f64", dot),
    ("find in 4,096 bytes", find),
    ("read and write a field, 1,000 records", fields),
    ("concat of two texts of 16 bytes", concat),
];

/// In their natural order.
fn sort() -> Comparison {
    let n = 10_000;
    comparison(
        n,
        Random(1).order(n),
        [
            ("segheap", |numbers| {
                sort_list(&numbers, |heap, list| heap.sort(black_box(list)).unwrap())
            }),
            ("Vec", |numbers| sort_vec(&numbers, |sorted| black_box(sorted).sort())),
        ],
    )
}

/// By a function that a program of the language could have written: it gets the heap.
fn sort_by() -> Comparison {
    let n = 10_000;
    comparison(
        n,
        Random(1).order(n),
        [
            ("segheap", |numbers| {
                sort_list(&numbers, |heap, list| {
                    heap.sort_by(list, |heap, a, b| heap.cmp_int(a, b)).unwrap()
                })
            }),
            ("Vec", |numbers| {
                sort_vec(&numbers, |sorted| {
                    black_box(sorted).sort_by(|a, b| black_box(a).cmp(black_box(b)))
                })
            }),
        ],
    )
}

fn sort_list(numbers: &[usize], sort: impl Fn(&mut Heap, Handle<List>) + 'static) -> Pass {
    let mut heap = heap();
    let cells: Vec<Cell> = numbers.iter().map(|&n| Cell::from(n as u32)).collect();
    let list = heap.alloc(List::of(&cells)).unwrap();
    writing(
        heap,
        move |heap| sort(heap, list),
        move |heap| {
            let list = heap.get(list).unwrap().as_slice();
            u64::from(list.is_sorted_by_key(|cell| cell.as_int()))
        },
        move |heap| heap.get_mut(list).unwrap().as_mut_slice().copy_from_slice(&cells),
    )
}

fn sort_vec(numbers: &[usize], sort: impl Fn(&mut [i64]) + 'static) -> Pass {
    let numbers: Vec<i64> = numbers.iter().map(|&n| n as i64).collect();
    writing(
        numbers.clone(),
        move |sorted| sort(sorted),
        |sorted| u64::from(sorted.is_sorted()),
        move |sorted| sorted.copy_from_slice(&numbers),
    )
}

/// A list of lists of 8 integers.
fn nested(heap: &mut Heap, lists: usize) -> Result<Handle<List>, Error> {
    let mut inner = Vec::new();
    for cells in cells(lists * 8).chunks(8) {
        inner.push(Cell::from(heap.alloc(List::of(cells))?));
    }
    heap.alloc(List::of(&inner))
}

fn nested_vecs(lists: usize) -> Vec<Vec<u64>> {
    cells(lists * 8).chunks(8).map(words).collect()
}

/// Of equal values. segheap detects cycles.
fn deep_eq() -> Comparison {
    let n = 10_000;
    comparison(
        n,
        n,
        [
            ("segheap", |n| {
                let mut heap = heap();
                let (a, b) = (nested(&mut heap, *n).unwrap(), nested(&mut heap, *n).unwrap());
                reading(move || heap.deep_eq(black_box(a).into(), b.into()).unwrap().into())
            }),
            ("Vec of Vec", |n| {
                let (a, b) = (nested_vecs(*n), nested_vecs(*n));
                reading(move || (black_box(&a) == black_box(&b)).into())
            }),
        ],
    )
}

/// Of equal values that were allocated in two other orders than they are compared in.
fn deep_eq_shuffled() -> Comparison {
    let n = 10_000;
    comparison(
        n,
        [1, 2].map(|seed| Random(seed).order(n)),
        [
            ("segheap", |orders| {
                let mut heap = heap();
                let cells = cells(orders[0].len() * 8);
                let [a, b] = orders.each_ref().map(|order| {
                    let mut inner = vec![Cell::NULL; order.len()];
                    for &n in order {
                        let list = List::of(&cells[n * 8..][..8]);
                        inner[n] = heap.alloc(list).unwrap().into();
                    }
                    heap.alloc(List::of(&inner)).unwrap()
                });
                reading(move || heap.deep_eq(black_box(a).into(), b.into()).unwrap().into())
            }),
            ("Vec of Vec", |orders| {
                let cells = cells(orders[0].len() * 8);
                let [a, b] = orders.each_ref().map(|order| {
                    let mut inner = vec![Vec::new(); order.len()];
                    for &n in order {
                        inner[n] = words(&cells[n * 8..][..8]);
                    }
                    inner
                });
                reading(move || (black_box(&a) == black_box(&b)).into())
            }),
        ],
    )
}

/// To another heap. segheap preserves sharing and cycles.
fn transplant() -> Comparison {
    let n = 10_000;
    comparison(
        n,
        n,
        [
            ("segheap", |n| {
                let mut source = heap();
                let list = nested(&mut source, *n).unwrap();
                writing(
                    heap(),
                    move |target| _ = target.transplant(&source, black_box(list).into()).unwrap(),
                    |target| target.usage().live() - 1,
                    Heap::clear,
                )
            }),
            ("Vec of Vec", |n| {
                let source = nested_vecs(*n);
                writing(
                    Vec::new(),
                    move |target| *target = black_box(&source).clone(),
                    |target| target.len() as u64,
                    Vec::clear,
                )
            }),
        ],
    )
}

// Ranges.

const LEN: usize = 4_096;

fn fill() -> Comparison {
    comparison(
        256,
        (),
        [
            ("segheap", |_| {
                let mut heap = heap();
                let bytes = heap.alloc(Bytes::zeroed(LEN)).unwrap();
                repeating(256, move || {
                    heap.get_mut(black_box(bytes)).unwrap().fill(.., black_box(7)).unwrap();
                    heap.get(bytes).unwrap().get(LEN / 2).unwrap().into()
                })
            }),
            ("slice", |_| {
                let mut bytes = vec![0_u8; LEN];
                repeating(256, move || {
                    black_box(&mut bytes).fill(black_box(7));
                    bytes[LEN / 2].into()
                })
            }),
        ],
    )
}

fn dot() -> Comparison {
    let floats: Vec<f64> = (0..LEN as u32).map(f64::from).collect();
    comparison(
        64,
        floats,
        [
            ("segheap", |floats| {
                let mut heap = heap();
                let (a, b) = (F64Arr::of(&floats), F64Arr::of(&floats));
                let (a, b) = (heap.alloc(a).unwrap(), heap.alloc(b).unwrap());
                repeating(64, move || {
                    let b = heap.get(black_box(b)).unwrap();
                    heap.get(black_box(a)).unwrap().dot(.., b, 0).unwrap() as u64
                })
            }),
            // In order, as the compiler may not reassociate floats.
            ("loop", |floats| {
                let other = floats.to_vec();
                repeating(64, move || {
                    let (a, b) = (black_box(&floats), black_box(&other));
                    a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() as u64
                })
            }),
        ],
    )
}

fn find() -> Comparison {
    let mut bytes = vec![1_u8; LEN];
    bytes[LEN - 1] = 0;
    comparison(
        64,
        bytes,
        [
            ("segheap", |bytes| {
                let mut heap = heap();
                let bytes = heap.alloc(Bytes::of(&bytes)).unwrap();
                repeating(64, move || {
                    heap.get(black_box(bytes)).unwrap().find(.., 0).unwrap().unwrap() as u64
                })
            }),
            ("position", |bytes| {
                repeating(64, move || {
                    black_box(&bytes).iter().position(|&byte| byte == 0).unwrap() as u64
                })
            }),
        ],
    )
}

// Objects.

/// The fields of a record. All contenders hold cells: what a VM has is boxed in each.
const FIELDS: [Cell; 3] = [Cell::NULL; 3];

/// The counter in a field, and the field once it is incremented.
fn incremented(field: Cell) -> (u64, Cell) {
    let count = field.as_int().unwrap_or(0);
    (count as u64, Cell::from(count as u32 + 1))
}

/// Increments a counter in each of many records of three fields.
fn fields() -> Comparison {
    let n = 1_000;
    comparison(
        n,
        n,
        [
            ("segheap", |n| {
                let mut heap = heap();
                let new = |_| heap.alloc(Struct::of(7, &FIELDS)).unwrap();
                let records: Vec<Handle<Struct>> = (0..*n).map(new).collect();
                let mut count = move |record| -> Result<u64, Error> {
                    let mut count = 0;
                    heap.update_element::<Struct>(record, 0, |field| {
                        let (old, new) = incremented(field);
                        count = old;
                        new
                    })?;
                    Ok(count)
                };
                reading(move || black_box(&records).iter().map(|&r| count(r).unwrap()).sum())
            }),
            ("slotmap of Box", |n| {
                let mut slots: SlotMap<DefaultKey, Box<[Cell]>> = SlotMap::new();
                let records: Vec<_> = (0..*n).map(|_| slots.insert(Box::new(FIELDS))).collect();
                let mut count = move |record| -> Option<u64> {
                    let field = slots.get_mut(record)?.get_mut(0)?;
                    let (count, new) = incremented(*field);
                    *field = new;
                    Some(count)
                };
                reading(move || black_box(&records).iter().map(|&r| count(r).unwrap()).sum())
            }),
            ("Vec of Box", |n| {
                let mut records: Vec<Box<[Cell]>> =
                    (0..*n).map(|_| Box::<[Cell]>::from(FIELDS)).collect();
                reading(move || {
                    let mut sum = 0;
                    for record in black_box(&mut records) {
                        let (count, new) = incremented(record[0]);
                        record[0] = new;
                        sum += count;
                    }
                    sum
                })
            }),
        ],
    )
}

/// Concatenates and frees.
fn concat() -> Comparison {
    let n = 1_024;
    comparison(
        n,
        ["sixteen bytes :)", "another sixteen."],
        [
            ("segheap", |texts| {
                let mut heap = heap();
                let [a, b] = texts.map(|text| heap.string(text).unwrap());
                repeating(1_024, move || {
                    let text = heap
                        .concat(&[TextPart::Whole(black_box(a)), TextPart::Whole(black_box(b))]);
                    let text = text.unwrap();
                    let len = heap.text(text).unwrap().len() as u64;
                    heap.free(text).unwrap();
                    len
                })
            }),
            ("String", |texts| {
                let [a, b] = texts.map(String::from);
                repeating(1_024, move || {
                    black_box([black_box(&*a), black_box(&*b)].concat()).len() as u64
                })
            }),
        ],
    )
}
