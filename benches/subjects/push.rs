//! Push, compared with a `Vec<Vec<u64>>` and a `SlotMap<DefaultKey, Vec<u64>>`. Lists
//! and vectors hold the same 64 bits per element.

use std::hint::black_box;

use segheap::abi::bits;
use segheap::{Cell, Error, Handle, Heap, List};
use slotmap::DefaultKey;

use super::comparison::{Comparison, Pass, comparison};
use super::{Entry, Slots, cells, heap, total, words, writing};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("push 1M to one list", push),
    ("extend one list to 1M, by 64", extend),
    ("append to a list as a value, 100,000 times", append),
    ("push to 62,500 lists of 16, list by list", || grow(62_500)),
    ("push to 62,500 lists of 16, round-robin", || round_robin(62_500, 16)),
    ("push to 1,000 lists of 1,000, round-robin", || round_robin(1_000, 1_000)),
];

#[inline(never)]
fn push_heap(heap: &mut Heap, list: Handle<List>, n: u32) -> Result<(), Error> {
    for i in 0..n {
        heap.get_mut(list)?.push(Cell::from(i))?;
    }
    Ok(())
}

#[inline(never)]
fn push_view(heap: &mut Heap, list: Handle<List>, n: u32) -> Result<(), Error> {
    let mut view = heap.get_mut(list)?;
    for i in 0..n {
        view.push(Cell::from(i))?;
    }
    Ok(())
}

#[inline(never)]
fn push_vec(vec: &mut Vec<u64>, n: u32) {
    for i in 0..n {
        vec.push(bits(Cell::from(i)));
    }
}

#[inline(never)]
fn push_slots(slots: &mut Slots, key: DefaultKey, n: u32) -> Option<()> {
    for i in 0..n {
        slots.get_mut(key)?.push(bits(Cell::from(i)));
    }
    Some(())
}

#[inline(never)]
fn grow_heap(heap: &mut Heap, lists: &mut Vec<Handle<List>>, n: usize) -> Result<(), Error> {
    for _ in 0..n {
        let list = heap.alloc(List::of(&[]))?;
        push_heap(heap, list, 16)?;
        lists.push(list);
    }
    Ok(())
}

#[inline(never)]
fn grow_vecs(vecs: &mut Vec<Vec<u64>>, n: usize) {
    for _ in 0..n {
        let mut vec = Vec::new();
        push_vec(&mut vec, 16);
        vecs.push(vec);
    }
}

#[inline(never)]
fn grow_slots(slots: &mut Slots, keys: &mut Vec<DefaultKey>, n: usize) -> Option<()> {
    for _ in 0..n {
        let key = slots.insert(Vec::new());
        push_slots(slots, key, 16)?;
        keys.push(key);
    }
    Some(())
}

#[inline(never)]
fn round_robin_heap(heap: &mut Heap, lists: &[Handle<List>], len: u32) -> Result<(), Error> {
    for i in 0..len {
        for &list in lists {
            heap.get_mut(list)?.push(Cell::from(i))?;
        }
    }
    Ok(())
}

#[inline(never)]
fn round_robin_vecs(vecs: &mut [Vec<u64>], len: u32) {
    for i in 0..len {
        for vec in &mut *vecs {
            vec.push(bits(Cell::from(i)));
        }
    }
}

#[inline(never)]
fn round_robin_slots(slots: &mut Slots, keys: &[DefaultKey], len: u32) -> Option<()> {
    for i in 0..len {
        for &key in keys {
            slots.get_mut(key)?.push(bits(Cell::from(i)));
        }
    }
    Some(())
}

fn list_bits(heap: &Heap, list: Handle<List>) -> u64 {
    total(&words(heap.get(list).unwrap().as_slice()))
}

/// A heap with an empty list that a pass fills and `undo` truncates.
fn push_through(push: fn(&mut Heap, Handle<List>, u32) -> Result<(), Error>, n: u32) -> Pass {
    let mut heap = heap();
    let list = heap.alloc(List::of(&[])).unwrap();
    writing(
        heap,
        move |heap| push(heap, black_box(list), black_box(n)).unwrap(),
        move |heap| list_bits(heap, list),
        move |heap| heap.get_mut(list).unwrap().truncate(0).unwrap(),
    )
}

fn push() -> Comparison {
    let n = 1_000_000;
    comparison(
        n as usize,
        n,
        [
            ("segheap", |n| push_through(push_heap, *n)),
            ("segheap, one view", |n| push_through(push_view, *n)),
            ("Vec", |n| {
                writing(
                    Vec::new(),
                    move |vec| push_vec(vec, black_box(*n)),
                    |vec| total(vec),
                    Vec::clear,
                )
            }),
            ("slotmap", |n| {
                let mut slots = Slots::new();
                let key = slots.insert(Vec::new());
                writing(
                    slots,
                    move |slots| push_slots(slots, black_box(key), black_box(*n)).unwrap(),
                    move |slots| total(&slots[key]),
                    move |slots| slots[key].clear(),
                )
            }),
        ],
    )
}

#[inline(never)]
fn extend_heap(heap: &mut Heap, list: Handle<List>, cells: &[Cell]) -> Result<(), Error> {
    for cells in cells.chunks(64) {
        heap.get_mut(list)?.extend(cells)?;
    }
    Ok(())
}

#[inline(never)]
fn extend_vec(vec: &mut Vec<u64>, words: &[u64]) {
    for words in words.chunks(64) {
        vec.extend_from_slice(words);
    }
}

/// By a run of elements at a time, as bulk instructions of a VM do.
fn extend() -> Comparison {
    let cells = cells(1_000_000);
    comparison(
        cells.len(),
        cells,
        [
            ("segheap", |cells| {
                let mut heap = heap();
                let list = heap.alloc(List::of(&[])).unwrap();
                writing(
                    heap,
                    move |heap| extend_heap(heap, black_box(list), black_box(&cells)).unwrap(),
                    move |heap| list_bits(heap, list),
                    move |heap| heap.get_mut(list).unwrap().truncate(0).unwrap(),
                )
            }),
            ("Vec", |cells| {
                let words = words(&cells);
                writing(
                    Vec::new(),
                    move |vec| extend_vec(vec, black_box(&words)),
                    |vec| total(vec),
                    Vec::clear,
                )
            }),
        ],
    )
}

fn grow(lists: usize) -> Comparison {
    comparison(
        lists * 16,
        lists,
        [
            ("segheap", |n| {
                writing(
                    (heap(), Vec::new()),
                    move |(heap, lists)| grow_heap(heap, lists, *n).unwrap(),
                    all_lists,
                    |(heap, lists)| {
                        heap.clear();
                        lists.clear();
                    },
                )
            }),
            ("Vec of Vec", |n| {
                writing(
                    Vec::new(),
                    move |vecs| grow_vecs(vecs, *n),
                    |vecs| total(vecs.iter().flatten()),
                    Vec::clear,
                )
            }),
            ("slotmap", |n| {
                writing(
                    (Slots::new(), Vec::new()),
                    move |(slots, keys)| grow_slots(slots, keys, *n).unwrap(),
                    |(slots, _)| total(slots.values().flatten()),
                    |(slots, keys)| {
                        slots.clear();
                        keys.clear();
                    },
                )
            }),
        ],
    )
}

fn round_robin(lists: usize, len: u32) -> Comparison {
    comparison(
        lists * len as usize,
        (lists, len),
        [
            ("segheap", |input| {
                let (n, len) = *input;
                let empty = move |heap: &mut Heap| {
                    (0..n).map(|_| heap.alloc(List::of(&[])).unwrap()).collect::<Vec<_>>()
                };
                let mut heap = heap();
                let lists = empty(&mut heap);
                writing(
                    (heap, lists),
                    move |(heap, lists)| round_robin_heap(heap, lists, len).unwrap(),
                    all_lists,
                    move |(heap, lists)| {
                        heap.clear();
                        *lists = empty(heap);
                    },
                )
            }),
            ("Vec of Vec", |input| {
                let (n, len) = *input;
                writing(
                    vec![Vec::new(); n],
                    move |vecs| round_robin_vecs(vecs, len),
                    |vecs| total(vecs.iter().flatten()),
                    |vecs| vecs.fill(Vec::new()),
                )
            }),
            ("slotmap", |input| {
                let (n, len) = *input;
                let mut slots = Slots::new();
                let keys = (0..n).map(|_| slots.insert(Vec::new())).collect::<Vec<_>>();
                writing(
                    (slots, keys),
                    move |(slots, keys)| round_robin_slots(slots, keys, len).unwrap(),
                    |(slots, _)| total(slots.values().flatten()),
                    |(slots, _)| slots.values_mut().for_each(|vec| *vec = Vec::new()),
                )
            }),
        ],
    )
}

pub(super) fn all_lists((heap, lists): &(Heap, Vec<Handle<List>>)) -> u64 {
    lists.iter().fold(0, |sum, &list| sum.wrapping_add(list_bits(heap, list)))
}

#[inline(never)]
fn append_heap(heap: &mut Heap, n: u32) -> Result<Handle<List>, Error> {
    let mut list = heap.alloc(List::of(&[]))?;
    for i in 0..n {
        let longer = heap.append(list, Cell::from(i))?;
        heap.free(list)?;
        list = longer;
    }
    Ok(list)
}

/// A list that grows as a value, and the one before is garbage: `xs = append(xs, x)`.
fn append() -> Comparison {
    comparison(
        100_000,
        100_000_u32,
        [
            ("segheap", |n| {
                writing(
                    {
                        let mut heap = heap();
                        let list = heap.alloc(List::of(&[])).unwrap();
                        (heap, list)
                    },
                    move |(heap, list)| *list = append_heap(heap, *n).unwrap(),
                    |(heap, list)| total(&words(heap.get(*list).unwrap().as_slice())),
                    |(heap, _): &mut (Heap, Handle<List>)| heap.clear(),
                )
            }),
            ("Vec", |n| {
                writing(
                    Vec::new(),
                    move |vec| push_vec(vec, *n),
                    |vec| total(vec),
                    |vec| *vec = Vec::new(),
                )
            }),
        ],
    )
}
