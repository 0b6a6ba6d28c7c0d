//! Allocating objects, in a warm and in a fresh process, and whole heaps. Warm contenders keep their capacity from pass to pass.

use std::cell::RefCell;
use std::rc::Rc;

use bumpalo::Bump;
use segheap::{Cell, Error, Handle, Heap, Kind, List};

use super::comparison::{Comparison, Outcome, Pass, comparison};
use super::fresh::resident;
use super::{Entry, Slots, heap, timed, writing};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("objects of 16 bytes, warm", || objects(100_000, 2)),
    ("objects of 104 bytes, warm", || objects(100_000, 13)),
    ("1M objects of 16 bytes, fresh process", || objects(1_000_000, 2).fresh()),
    ("1M objects of 104 bytes, fresh process", || objects(1_000_000, 13).fresh()),
    ("1M objects of 16 bytes, resident", || resident_bytes(1_000_000)),
    ("1M objects of 16 bytes, by usage()", || usage_bytes(1_000_000)),
    ("10,000 empty heaps", heaps),
    ("10,000 empty heaps, bytes each", heap_bytes),
];

// Objects.

type Objects = (Heap, Vec<Handle<List>>);

fn fill((heap, lists): &mut Objects, cells: &mut [Cell], n: usize) -> Result<(), Error> {
    let last = cells.len() - 1;
    for i in 0..n {
        cells[last] = Cell::from(i as u32);
        lists.push(heap.alloc(List::of(cells))?);
    }
    Ok(())
}

/// `n` vectors of `words` words, the last of which counts up.
fn vecs(n: usize, words: usize) -> impl Iterator<Item = Vec<u64>> {
    (0..n).map(move |i| {
        let mut vec = vec![0; words];
        vec[words - 1] = i as u64;
        vec
    })
}

/// `n` objects of `words` words. The result is the sum of their last words.
fn objects(n: usize, words: usize) -> Comparison {
    comparison(
        n,
        (n, words),
        [
            ("segheap", heap_objects),
            ("Vec of Vec", |size| {
                let (n, words) = *size;
                writing(
                    Vec::new(),
                    move |all| all.extend(vecs(n, words)),
                    move |all| all.iter().map(|vec: &Vec<u64>| vec[words - 1]).sum(),
                    Vec::clear,
                )
            }),
            ("slotmap", slotmap_objects),
            ("thunderdome", thunderdome_objects),
            ("Rc of RefCell", |size| {
                let (n, words) = *size;
                writing(
                    Vec::new(),
                    move |all| all.extend(vecs(n, words).map(|vec| Rc::new(RefCell::new(vec)))),
                    move |all| all.iter().map(|vec| vec.borrow()[words - 1]).sum(),
                    Vec::clear,
                )
            }),
            ("Box", |size| {
                let (n, words) = *size;
                writing(
                    Vec::<Box<[u64]>>::new(),
                    move |all| all.extend(vecs(n, words).map(Vec::into_boxed_slice)),
                    move |all| all.iter().map(|object| object[words - 1]).sum(),
                    Vec::clear,
                )
            }),
            ("bumpalo", bump_objects),
        ],
    )
}

fn heap_objects(size: Rc<(usize, usize)>) -> Pass {
    let (n, words) = *size;
    let mut cells = vec![Cell::from(0_u32); words];
    writing(
        (heap(), Vec::new()),
        move |objects| fill(objects, &mut cells, n).unwrap(),
        move |(heap, lists)| {
            let last = |&list| heap.get::<List>(list).unwrap().get(words - 1).unwrap();
            lists.iter().map(|list| last(list).as_int().unwrap().cast_unsigned()).sum()
        },
        |(heap, lists): &mut Objects| {
            heap.clear();
            lists.clear();
        },
    )
}

fn slotmap_objects(size: Rc<(usize, usize)>) -> Pass {
    let (n, words) = *size;
    writing(
        (Slots::new(), Vec::new()),
        move |(slots, keys)| keys.extend(vecs(n, words).map(|vec| slots.insert(vec))),
        move |(slots, keys)| keys.iter().map(|&key| slots[key][words - 1]).sum(),
        |(slots, keys)| {
            slots.clear();
            keys.clear();
        },
    )
}

fn thunderdome_objects(size: Rc<(usize, usize)>) -> Pass {
    let (n, words) = *size;
    writing(
        (thunderdome::Arena::new(), Vec::new()),
        move |(arena, keys)| keys.extend(vecs(n, words).map(|vec| arena.insert(vec))),
        move |(arena, keys)| keys.iter().map(|&key| arena[key][words - 1]).sum(),
        |(arena, keys)| {
            arena.clear();
            keys.clear();
        },
    )
}

fn bump_objects(size: Rc<(usize, usize)>) -> Pass {
    let (n, words) = *size;
    let mut bump = Bump::new();
    Box::new(move |_| {
        bump.reset();
        let mut all: Vec<&[u64]> = Vec::new();
        let (cost, ()) = timed(|| {
            for i in 0..n {
                let object = bump.alloc_slice_fill_copy(words, 0);
                object[words - 1] = i as u64;
                all.push(object);
            }
        });
        Outcome { cost, result: all.iter().map(|object| object[words - 1]).sum() }
    })
}

/// The growth of the process without the handles of 8 bytes that both contenders
/// keep.
fn resident_bytes(n: usize) -> Comparison {
    fn grown<T>(n: usize, fill: impl FnOnce() -> T, result: impl FnOnce(&T) -> usize) -> Outcome {
        let before = resident();
        let filled = fill();
        let cost = resident().saturating_sub(before).saturating_sub(n as u64 * 8);
        Outcome { cost, result: result(&filled) as u64 }
    }
    let comparison = comparison(
        n,
        n,
        [
            ("segheap", |n| {
                let mut cells = [Cell::from(0_u32); 2];
                Box::new(move |_| {
                    let fill = || {
                        let mut objects = (heap(), Vec::new());
                        fill(&mut objects, &mut cells, *n).unwrap();
                        objects
                    };
                    grown(*n, fill, |(heap, _)| heap.usage().live() as usize)
                })
            }),
            ("slotmap", |n| {
                Box::new(move |_| {
                    let fill = || {
                        let mut slots = Slots::new();
                        let keys: Vec<_> = vecs(*n, 2).map(|vec| slots.insert(vec)).collect();
                        (slots, keys)
                    };
                    grown(*n, fill, |(slots, _)| slots.len())
                })
            }),
        ],
    );
    comparison.in_bytes().fresh()
}

/// A comparison of segheap alone: the `bytes` that it reports of `n` things.
fn reported(n: usize, bytes: fn(n: usize) -> u64) -> Comparison {
    let reported = comparison(
        n,
        (n, bytes),
        [("segheap", |input| {
            Box::new(move |_| Outcome { cost: (input.1)(input.0), result: input.0 as u64 })
        })],
    );
    reported.in_bytes()
}

fn usage_bytes(n: usize) -> Comparison {
    reported(n, |n| {
        let mut objects = (heap(), Vec::new());
        fill(&mut objects, &mut [Cell::from(0_u32); 2], n).unwrap();
        objects.0.usage().arenas().iter().map(|arena| arena.bytes).sum()
    })
}

// Heaps.

fn heaps() -> Comparison {
    let n = 10_000;
    comparison(
        n,
        n,
        [
            ("segheap", |n| {
                writing(
                    Vec::with_capacity(*n),
                    move |heaps| heaps.extend((0..*n).map(|_| heap())),
                    |heaps: &Vec<Heap>| heaps.iter().map(|heap| 1 + heap.usage().live()).sum(),
                    Vec::clear,
                )
            }),
            ("slotmap", |n| {
                writing(
                    Vec::with_capacity(*n),
                    move |maps| maps.extend((0..*n).map(|_| Slots::new())),
                    |maps: &Vec<Slots>| maps.iter().map(|map| 1 + map.len() as u64).sum(),
                    Vec::clear,
                )
            }),
            ("a slotmap per kind", |n| {
                let slot_maps = |_| std::array::from_fn(|_| Slots::new());
                writing(
                    Vec::with_capacity(*n),
                    move |maps| maps.extend((0..*n).map(slot_maps)),
                    |maps: &Vec<[Slots; Kind::COUNT]>| {
                        maps.iter()
                            .map(|maps| 1 + maps.iter().map(Slots::len).sum::<usize>() as u64)
                            .sum()
                    },
                    Vec::clear,
                )
            }),
        ],
    )
}

/// The size of the value and what it has requested from the allocator.
fn heap_bytes() -> Comparison {
    reported(10_000, |n| {
        let bytes = |heap: Heap| size_of::<Heap>() as u64 + heap.usage().total_bytes;
        (0..n).map(|_| bytes(heap())).sum()
    })
}
