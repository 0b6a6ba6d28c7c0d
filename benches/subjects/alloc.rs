//! Allocating and freeing objects, in a warm and in a fresh process; regions; whole
//! heaps. Warm contenders keep their capacity from pass to pass.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use bumpalo::Bump;
use segheap::{Cell, Error, Handle, Heap, Kind, List, Pair, Str};
use slotmap::DefaultKey;

use super::access::all_lists;
use super::comparison::{Comparison, Outcome, Pass, comparison};
use super::fresh::resident;
use super::{Entry, Random, Slots, cells, heap, reading, timed, total, words, writing};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("objects of 16 bytes, warm", || objects(100_000, 2)),
    ("objects of 104 bytes, warm", || objects(100_000, 13)),
    ("1M objects of 16 bytes, fresh process", || objects(1_000_000, 2).fresh()),
    ("1M objects of 104 bytes, fresh process", || objects(1_000_000, 13).fresh()),
    ("1M objects of 16 bytes, resident", || resident_bytes(1_000_000)),
    ("1M objects of 16 bytes, by usage()", || usage_bytes(1_000_000)),
    ("text of 5 bytes, alloc", || texts(5)),
    ("text of 16 bytes, alloc", || texts(16)),
    ("text of 64 bytes, alloc", || texts(64)),
    ("text of 1,024 bytes, alloc", || texts(1_024)),
    ("text of 16 bytes, alloc and free", alloc_free),
    ("text of 16 bytes, alloc all, free all", alloc_all_free_all),
    ("churn of 16 to 128 bytes, 1,000 live", || churn(1_000)),
    ("churn of 16 to 128 bytes, 100,000 live", || churn(100_000)),
    ("an empty region", || regions(0)),
    ("a region with four small objects", || regions(4)),
    ("a region with 1,000 small objects", || regions(1_000)),
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
            ("segheap", |size| {
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
            }),
            ("Vec of Vec", |size| {
                let (n, words) = *size;
                writing(
                    Vec::new(),
                    move |all| all.extend(vecs(n, words)),
                    move |all| all.iter().map(|vec: &Vec<u64>| vec[words - 1]).sum(),
                    Vec::clear,
                )
            }),
            ("slotmap", |size| {
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
            }),
            ("thunderdome", |size| {
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
            }),
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
            ("bumpalo", |size| {
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
            }),
        ],
    )
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

// Texts.

fn text(len: usize) -> String {
    "segmented heap, ".repeat(len / 16 + 1)[..len].to_owned()
}

fn sum(texts: impl Iterator<Item = impl AsRef<[u8]>>) -> u64 {
    texts.map(|text| text.as_ref().iter().map(|&b| u64::from(b)).sum::<u64>()).sum()
}

fn texts(len: usize) -> Comparison {
    let n = 10_000;
    comparison(
        n,
        (n, text(len)),
        [
            // Up to 5 bytes are stored in the cell.
            ("segheap", |input| {
                writing(
                    (heap(), Vec::new()),
                    move |(heap, all)| {
                        let new = |_| heap.string(black_box(&input.1)).unwrap();
                        all.extend((0..input.0).map(new));
                    },
                    |(heap, all)| sum(all.iter().map(|&text| heap.text(text).unwrap().to_vec())),
                    |(heap, all): &mut (Heap, Vec<Cell>)| {
                        heap.clear();
                        all.clear();
                    },
                )
            }),
            ("segheap, Str", |input| {
                writing(
                    (heap(), Vec::new()),
                    move |(heap, all)| {
                        let new = |_| heap.alloc(Str::new(black_box(&input.1))).unwrap();
                        all.extend((0..input.0).map(new));
                    },
                    |(heap, all)| sum(all.iter().map(|&text| heap.get(text).unwrap().as_slice())),
                    |(heap, all): &mut (Heap, Vec<Handle<Str>>)| {
                        heap.clear();
                        all.clear();
                    },
                )
            }),
            ("Box of str", |input| {
                writing(
                    Vec::<Box<str>>::new(),
                    move |all| all.extend((0..input.0).map(|_| Box::from(black_box(&*input.1)))),
                    |all| sum(all.iter().map(|text| text.as_bytes())),
                    Vec::clear,
                )
            }),
            ("bumpalo", |input| {
                let mut bump = Bump::new();
                Box::new(move |_| {
                    bump.reset();
                    let mut all: Vec<&str> = Vec::with_capacity(input.0);
                    let new = |_| &*bump.alloc_str(black_box(&input.1));
                    let (cost, ()) = timed(|| all.extend((0..input.0).map(new)));
                    Outcome { cost, result: sum(all.iter()) }
                })
            }),
        ],
    )
}

#[inline(never)]
fn alloc_and_free(heap: &mut Heap, text: &str, n: usize) -> Result<(), Error> {
    for _ in 0..n {
        let text = heap.string(black_box(text))?;
        heap.free(black_box(text))?;
    }
    Ok(())
}

#[inline(never)]
fn box_drop(text: &str, n: usize) {
    for _ in 0..n {
        let text: Box<str> = Box::from(black_box(text));
        drop(black_box(text));
    }
}

/// One text at a time.
fn alloc_free() -> Comparison {
    let n = 10_000;
    comparison(
        n,
        (n, text(16)),
        [
            ("segheap", |input| {
                writing(
                    heap(),
                    move |heap| alloc_and_free(heap, &input.1, black_box(input.0)).unwrap(),
                    |heap| heap.usage().live(),
                    |_| (),
                )
            }),
            ("Box of str", |input| {
                reading(move || {
                    box_drop(&input.1, black_box(input.0));
                    0
                })
            }),
        ],
    )
}

/// All texts are allocated, then all are freed.
fn alloc_all_free_all() -> Comparison {
    let n = 10_000;
    comparison(
        n,
        (n, text(16)),
        [
            ("segheap", |input| {
                let (mut heap, mut texts) = (heap(), Vec::new());
                reading(move || {
                    for _ in 0..black_box(input.0) {
                        texts.push(heap.string(black_box(&input.1)).unwrap());
                    }
                    texts.drain(..).for_each(|text: Cell| heap.free(text).unwrap());
                    0
                })
            }),
            ("Box of str", |input| {
                let mut boxes: Vec<Box<str>> = Vec::new();
                reading(move || {
                    for _ in 0..black_box(input.0) {
                        boxes.push(Box::from(black_box(&*input.1)));
                    }
                    boxes.clear();
                    0
                })
            }),
        ],
    )
}

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
            ("thunderdome", |churn| {
                let (mut arena, words) = (thunderdome::Arena::new(), words(&cells(16)));
                let keys: Vec<_> =
                    churn.sizes.iter().map(|&n| arena.insert(words[..n].to_vec())).collect();
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
            }),
        ],
    )
}

// Frames.

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
