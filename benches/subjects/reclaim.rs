//! Freeing objects one by one while others are allocated, and by regions.

use std::hint::black_box;
use std::rc::Rc;

use segheap::{Cell, Error, Handle, Heap, List, Pair};
use slotmap::DefaultKey;

use super::comparison::{Comparison, Pass, comparison};
use super::push::all_lists;
use super::{Entry, Random, Slots, cells, heap, reading, total, words, writing};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("churn of 16 to 128 bytes, 1,000 live", || churn(1_000)),
    ("churn of 16 to 128 bytes, 100,000 live", || churn(100_000)),
    ("an empty region", || regions(0)),
    ("a region with four small objects", || regions(4)),
    ("a region with 1,000 small objects", || regions(1_000)),
];

// Churn.

/// The initial lengths, then for each step the object to free and the length of its
/// repositionment.
struct Churn {
    sizes: Vec<usize>,
    steps: Vec<(usize, usize)>,
}

#[inline(never)]
fn churn_heap(
    heap: &mut Heap,
    lists: &mut [Handle<List>],
    cells: &[Cell],
    steps: &[(usize, usize)],
) -> Result<(), Error> {
    for &(position, len) in steps {
        heap.free(lists[position])?;
        lists[position] = heap.alloc(List::of(&cells[..len]))?;
    }
    Ok(())
}

#[inline(never)]
fn churn_vecs(vecs: &mut [Vec<u64>], words: &[u64], steps: &[(usize, usize)]) {
    for &(position, len) in steps {
        vecs[position] = Vec::new();
        vecs[position] = words[..len].to_vec();
    }
}

#[inline(never)]
fn churn_slots(
    slots: &mut Slots,
    keys: &mut [DefaultKey],
    words: &[u64],
    steps: &[(usize, usize)],
) {
    for &(position, len) in steps {
        slots.remove(keys[position]);
        keys[position] = slots.insert(words[..len].to_vec());
    }
}

fn churn(live: usize) -> Comparison {
    let mut random = Random(3);
    let mut size = move || 2 + random.below(15);
    let sizes: Vec<usize> = (0..live).map(|_| size()).collect();
    let mut random = Random(5);
    let steps: Vec<(usize, usize)> = (0..100_000).map(|_| (random.below(live), size())).collect();
    comparison(
        steps.len(),
        Churn { sizes, steps },
        [
            ("segheap", |churn| {
                let (mut heap, cells) = (heap(), cells(16));
                let lists: Vec<_> = churn
                    .sizes
                    .iter()
                    .map(|&n| heap.alloc(List::of(&cells[..n])).unwrap())
                    .collect();
                writing(
                    (heap, lists),
                    move |(heap, lists)| {
                        churn_heap(heap, lists, &cells, black_box(&churn.steps)).unwrap();
                    },
                    all_lists,
                    |_| (),
                )
            }),
            ("Vec of Vec", |churn| {
                let words = words(&cells(16));
                writing(
                    churn.sizes.iter().map(|&n| words[..n].to_vec()).collect::<Vec<_>>(),
                    move |vecs| churn_vecs(vecs, &words, black_box(&churn.steps)),
                    |vecs| total(vecs.iter().flatten()),
                    |_| (),
                )
            }),
            ("slotmap", |churn| {
                let (mut slots, words) = (Slots::new(), words(&cells(16)));
                let keys: Vec<_> =
                    churn.sizes.iter().map(|&n| slots.insert(words[..n].to_vec())).collect();
                writing(
                    (slots, keys),
                    move |(slots, keys)| churn_slots(slots, keys, &words, black_box(&churn.steps)),
                    |(slots, _)| total(slots.values().flatten()),
                    |_| (),
                )
            }),
            ("thunderdome", churn_thunderdome),
        ],
    )
}

fn churn_thunderdome(churn: Rc<Churn>) -> Pass {
    let (mut arena, words) = (thunderdome::Arena::new(), words(&cells(16)));
    let keys: Vec<_> = churn.sizes.iter().map(|&n| arena.insert(words[..n].to_vec())).collect();
    writing(
        (arena, keys),
        move |(arena, keys)| {
            for &(position, len) in black_box(&churn.steps) {
                arena.remove(keys[position]);
                keys[position] = arena.insert(words[..len].to_vec());
            }
        },
        |(arena, _)| total(arena.iter().flat_map(|(_, vec)| vec)),
        |_| (),
    )
}

// Regions.

/// Closing a region frees what was allocated inside.
fn regions(objects: u32) -> Comparison {
    let n = 10_000 / (objects as usize / 4).max(1);
    let mut comparison = comparison(
        n,
        (n as u64, objects),
        [
            ("segheap", |input| in_regions(input, false)),
            ("segheap, one kept", |input| in_regions(input, true)),
            ("Box", |input| {
                let (n, objects) = *input;
                let mut boxes: Vec<Box<[u64; 2]>> = Vec::new();
                reading(move || {
                    (0..n).fold(0, |sum, _| {
                        boxes.extend((0..objects).map(|i| black_box(Box::new([u64::from(i), 0]))));
                        let freed = boxes.len() as u64;
                        boxes.clear();
                        sum + freed
                    })
                })
            }),
            ("four Box", |input| {
                let n = input.0;
                reading(move || {
                    (0..n).fold(0, |sum, _| {
                        let boxes = [0_u64, 1, 2, 3].map(|i| black_box(Box::new([i, 0])));
                        sum + boxes.len() as u64
                    })
                })
            }),
        ],
    );
    let four = objects == 4;
    comparison.contenders.retain(|contender| match contender.name {
        "four Box" => four,
        "segheap, one kept" => objects > 0,
        _ => true,
    });
    comparison
}

fn in_regions(input: Rc<(u64, u32)>, keep: bool) -> Pass {
    let (n, objects) = *input;
    let mut heap = heap();
    let mut pass = move || {
        let region = heap.open_region()?;
        let mut last = None;
        for i in 0..objects {
            last = Some(black_box(heap.alloc(Pair::of(i.into(), Cell::NULL))?));
        }
        let kept = last.filter(|_| keep);
        let freed = heap.close_region(black_box(region), kept)?;
        kept.map_or(Ok(freed), |kept| heap.free(kept).map(|()| freed + 1))
    };
    reading(move || (0..n).fold(0, |sum, _| sum + pass().unwrap()))
}
