//! Get, set, push and alloc, beside what is used for the same work: a
//! `Vec<Vec<u64>>`, a `SlotMap<DefaultKey, Vec<u64>>`, a slice, a `Box<str>`.
//!
//! ```text
//! cargo bench --bench access                     all of it, about four minutes
//! cargo bench --bench access -- random           groups and rows by name
//! cargo bench --bench access -- --test           answers only, no timing
//! ```
//!
//! Rows of one group do the same work and have to come to the same answer before
//! any of them is timed. Compare the rows of one group of one run, by their
//! medians: the same loop moves by 10 % with its alignment, and more where it
//! misses caches. Lists and vectors hold the same 64 bits an element, so that no
//! row unboxes. Emptying a structure between two passes is not timed unless the
//! group's name says so; heaps, vectors and slot maps keep what they reserved.
#![allow(missing_docs, reason = "nothing here is an interface")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark may panic, and peers are written as their users write them"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segheap::abi::bits;
use segheap::{Cell, Error, Handle, Heap, I64Arr, List, Pair, Settings, Str};
use slotmap::{DefaultKey, SlotMap};

type Slots = SlotMap<DefaultKey, Vec<u64>>;

/// One pass over a structure: how long it took and, if asked for, its answer.
type Pass<'a> = Box<dyn FnMut(bool) -> (Duration, u64) + 'a>;

/// A pass that reads, and so is its own answer.
fn reading<'a>(mut pass: impl FnMut() -> u64 + 'a) -> Pass<'a> {
    Box::new(move |_| timed(&mut pass))
}

/// A pass that writes. `answer` looks at what was written, `undo` clears it
/// away; neither is timed.
fn writing<'a, S: 'a>(
    mut state: S,
    mut pass: impl FnMut(&mut S) + 'a,
    mut answer: impl FnMut(&S) -> u64 + 'a,
    mut undo: impl FnMut(&mut S) + 'a,
) -> Pass<'a> {
    Box::new(move |asked| {
        let (time, ()) = timed(|| pass(&mut state));
        let answer = if asked { answer(&state) } else { 0 };
        undo(&mut state);
        (time, answer)
    })
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = black_box(work());
    (start.elapsed(), result)
}

/// Checks that all passes agree, twice, and times them; `n` operations each.
fn compare(c: &mut Criterion, name: &str, n: usize, mut rows: Vec<(&str, Pass<'_>)>) {
    for _ in 0..2 {
        let answers: Vec<u64> = rows.iter_mut().map(|(_, pass)| pass(true).1).collect();
        assert!(answers.iter().all(|&answer| answer == answers[0]), "{name}: {answers:?}");
    }
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(n as u64));
    for (peer, pass) in &mut rows {
        group.bench_function(*peer, |bencher| {
            bencher.iter_custom(|passes| (0..passes).map(|_| pass(false).0).sum());
        });
    }
    group.finish();
}

/// A small generator of numbers below `n`.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        ((self.0 >> 32) as usize * n) >> 32
    }
}

fn heap() -> Heap {
    Heap::with(Settings::seeded(1))
}

fn cells(n: u32) -> Vec<Cell> {
    (0..n).map(Cell::from).collect()
}

fn words(cells: &[Cell]) -> Vec<u64> {
    cells.iter().map(|&cell| bits(cell)).collect()
}

fn total<'a>(words: impl IntoIterator<Item = &'a u64>) -> u64 {
    words.into_iter().fold(0, |sum, &word| sum.wrapping_add(word))
}

// ---------------------------------------------------------------- one sequence

#[inline(never)]
fn sum_view(heap: &Heap, array: Handle<I64Arr>) -> Result<i64, Error> {
    Ok(heap.get(array)?.as_slice().iter().fold(0, |sum, &n| sum.wrapping_add(n)))
}

#[inline(never)]
fn sum_slice(slice: &[i64]) -> i64 {
    slice.iter().fold(0, |sum, &n| sum.wrapping_add(n))
}

#[inline(never)]
fn walk_heap(heap: &Heap, list: Handle<List>, n: usize) -> Result<u64, Error> {
    let mut sum = 0_u64;
    for i in 0..n {
        sum = sum.wrapping_add(bits(heap.get(list)?.get(i)?));
    }
    Ok(sum)
}

#[inline(never)]
fn walk_view(heap: &Heap, list: Handle<List>, n: usize) -> Result<u64, Error> {
    let (view, mut sum) = (heap.get(list)?, 0_u64);
    for i in 0..n {
        sum = sum.wrapping_add(bits(view.get(i)?));
    }
    Ok(sum)
}

#[inline(never)]
#[allow(clippy::needless_range_loop, reason = "the peer of a get by index")]
fn walk_vec(v: &[u64], n: usize) -> u64 {
    let mut sum = 0_u64;
    for i in 0..n {
        sum = sum.wrapping_add(v[i]);
    }
    sum
}

#[inline(never)]
fn walk_slots(slots: &Slots, key: DefaultKey, n: usize) -> Option<u64> {
    let mut sum = 0_u64;
    for i in 0..n {
        sum = sum.wrapping_add(*slots.get(key)?.get(i)?);
    }
    Some(sum)
}

fn one_sequence(c: &mut Criterion) {
    let n = 1_000_000;
    let numbers: Vec<i64> = (0..).take(n).collect();
    let mut heap = heap();
    let array = heap.alloc(I64Arr::of(&numbers)).unwrap();
    let rows = vec![
        ("segheap", reading(|| sum_view(&heap, black_box(array)).unwrap().cast_unsigned())),
        ("slice", reading(|| sum_slice(black_box(&numbers)).cast_unsigned())),
    ];
    compare(c, "sum of a view, 1M", n, rows);

    let n = 32_768;
    let cells = cells(n as u32);
    let vec = words(&cells);
    let list = heap.alloc(List::of(&cells)).unwrap();
    let mut slots = Slots::new();
    let key = slots.insert(vec.clone());
    let rows = vec![
        ("segheap", reading(|| walk_heap(&heap, black_box(list), black_box(n)).unwrap())),
        ("segheap, one view", reading(|| walk_view(&heap, black_box(list), black_box(n)).unwrap())),
        ("Vec", reading(|| walk_vec(black_box(&vec), black_box(n)))),
        ("slotmap", reading(|| walk_slots(&slots, black_box(key), black_box(n)).unwrap())),
    ];
    compare(c, "get in a loop over one list", n, rows);
}

// ------------------------------------------------------------------ many lists

/// The same lists in each structure, and the same places in them to visit:
/// neither list nor index is known before it is loaded.
struct Lists {
    heap: Heap,
    vecs: Vec<Vec<u64>>,
    slots: Slots,
    in_heap: Vec<(Handle<List>, usize)>,
    in_vecs: Vec<(usize, usize)>,
    in_slots: Vec<(DefaultKey, usize)>,
}

impl Lists {
    fn new(lists: usize, len: usize, places: impl Iterator<Item = (usize, usize)>) -> Lists {
        let (mut heap, mut vecs, mut slots) = (heap(), Vec::new(), Slots::new());
        let (mut handles, mut keys) = (Vec::new(), Vec::new());
        let cells = cells((lists * len) as u32);
        for cells in cells.chunks(len) {
            handles.push(heap.alloc(List::of(cells)).unwrap());
        }
        for cells in cells.chunks(len) {
            vecs.push(words(cells));
        }
        for cells in cells.chunks(len) {
            keys.push(slots.insert(words(cells)));
        }
        let in_vecs: Vec<(usize, usize)> = places.collect();
        Lists {
            heap,
            vecs,
            slots,
            in_heap: in_vecs.iter().map(|&(list, i)| (handles[list], i)).collect(),
            in_slots: in_vecs.iter().map(|&(list, i)| (keys[list], i)).collect(),
            in_vecs,
        }
    }

    fn random(lists: usize, len: usize, n: usize) -> Lists {
        let mut random = Random(lists as u64);
        Lists::new(lists, len, (0..n).map(|_| (random.below(lists), random.below(len))))
    }
}

#[inline(never)]
fn get_heap(heap: &Heap, places: &[(Handle<List>, usize)]) -> Result<u64, Error> {
    let mut sum = 0_u64;
    for &(list, i) in places {
        sum = sum.wrapping_add(bits(heap.get(list)?.get(i)?));
    }
    Ok(sum)
}

#[inline(never)]
fn get_vecs(vecs: &[Vec<u64>], places: &[(usize, usize)]) -> u64 {
    let mut sum = 0_u64;
    for &(list, i) in places {
        sum = sum.wrapping_add(vecs[list][i]);
    }
    sum
}

#[inline(never)]
fn get_slots(slots: &Slots, places: &[(DefaultKey, usize)]) -> Option<u64> {
    let mut sum = 0_u64;
    for &(list, i) in places {
        sum = sum.wrapping_add(*slots.get(list)?.get(i)?);
    }
    Some(sum)
}

#[inline(never)]
fn set_heap(heap: &mut Heap, places: &[(Handle<List>, usize)], cell: Cell) -> Result<(), Error> {
    for &(list, i) in places {
        heap.get_mut(list)?.set(i, cell)?;
    }
    Ok(())
}

#[inline(never)]
fn set_vecs(vecs: &mut [Vec<u64>], places: &[(usize, usize)], word: u64) {
    for &(list, i) in places {
        vecs[list][i] = word;
    }
}

#[inline(never)]
fn set_slots(slots: &mut Slots, places: &[(DefaultKey, usize)], word: u64) -> Option<()> {
    for &(list, i) in places {
        *slots.get_mut(list)?.get_mut(i)? = word;
    }
    Some(())
}

fn many_lists(c: &mut Criterion) {
    let sequence = (0..16_384).map(|n| (n / 64 % 16, n % 64));
    get_set(c, "sequential, all checks forced", Lists::new(16, 64, sequence));
    get_set(c, "random, 1,000 lists", Lists::random(1_000, 8, 16_384));
    get_set(c, "random, 100,000 lists", Lists::random(100_000, 8, 262_144));
}

fn get_set(c: &mut Criterion, name: &str, lists: Lists) {
    let Lists { mut heap, mut vecs, mut slots, in_heap, in_vecs, in_slots } = lists;
    let n = in_heap.len();
    let rows = vec![
        ("segheap", reading(|| get_heap(&heap, black_box(&in_heap)).unwrap())),
        ("Vec<Vec>", reading(|| get_vecs(&vecs, black_box(&in_vecs)))),
        ("slotmap", reading(|| get_slots(&slots, black_box(&in_slots)).unwrap())),
    ];
    compare(c, &format!("get, {name}"), n, rows);

    let value = Cell::from(7_u32);
    let rows = vec![
        (
            "segheap",
            writing(
                &mut heap,
                |heap| set_heap(heap, black_box(&in_heap), black_box(value)).unwrap(),
                |heap| get_heap(heap, &in_heap).unwrap(),
                |_| (),
            ),
        ),
        (
            "Vec<Vec>",
            writing(
                &mut vecs,
                |vecs| set_vecs(vecs, black_box(&in_vecs), black_box(bits(value))),
                |vecs| get_vecs(vecs, &in_vecs),
                |_| (),
            ),
        ),
        (
            "slotmap",
            writing(
                &mut slots,
                |slots| set_slots(slots, black_box(&in_slots), black_box(bits(value))).unwrap(),
                |slots| get_slots(slots, &in_slots).unwrap(),
                |_| (),
            ),
        ),
    ];
    compare(c, &format!("set, {name}"), n, rows);
}

// ------------------------------------------------------------------------ push

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
fn turns_heap(heap: &mut Heap, lists: &[Handle<List>]) -> Result<(), Error> {
    for i in 0..16_u32 {
        for &list in lists {
            heap.get_mut(list)?.push(Cell::from(i))?;
        }
    }
    Ok(())
}

#[inline(never)]
fn turns_vecs(vecs: &mut [Vec<u64>]) {
    for i in 0..16_u32 {
        for vec in &mut *vecs {
            vec.push(bits(Cell::from(i)));
        }
    }
}

#[inline(never)]
fn turns_slots(slots: &mut Slots, keys: &[DefaultKey]) -> Option<()> {
    for i in 0..16_u32 {
        for &key in keys {
            slots.get_mut(key)?.push(bits(Cell::from(i)));
        }
    }
    Some(())
}

fn list_bits(heap: &Heap, list: Handle<List>) -> u64 {
    total(&words(heap.get(list).unwrap().as_slice()))
}

fn push(c: &mut Criterion) {
    type Push = fn(&mut Heap, Handle<List>, u32) -> Result<(), Error>;
    let n = 1_000_000;
    let of_heap = |push: Push| {
        let mut heap = heap();
        let list = heap.alloc(List::of(&[])).unwrap();
        writing(
            heap,
            move |heap| push(heap, black_box(list), black_box(n)).unwrap(),
            move |heap| list_bits(heap, list),
            move |heap| heap.get_mut(list).unwrap().truncate(0).unwrap(),
        )
    };
    let mut slots = Slots::new();
    let key = slots.insert(Vec::new());
    let rows = vec![
        ("segheap", of_heap(push_heap)),
        ("segheap, one view", of_heap(push_view)),
        (
            "Vec",
            writing(Vec::new(), |vec| push_vec(vec, black_box(n)), |vec| total(vec), Vec::clear),
        ),
        (
            "slotmap",
            writing(
                slots,
                move |slots| push_slots(slots, black_box(key), black_box(n)).unwrap(),
                move |slots| total(&slots[key]),
                move |slots| slots[key].clear(),
            ),
        ),
    ];
    compare(c, "push 1M to one list", n as usize, rows);
}

fn grow(c: &mut Criterion) {
    let n = 62_500;
    let rows = vec![
        (
            "segheap",
            writing(
                (heap(), Vec::new()),
                |(heap, lists)| grow_heap(heap, lists, n).unwrap(),
                all_lists,
                |(heap, lists)| {
                    heap.clear();
                    lists.clear();
                },
            ),
        ),
        (
            "Vec<Vec>",
            writing(
                Vec::new(),
                |vecs| grow_vecs(vecs, n),
                |vecs| total(vecs.iter().flatten()),
                Vec::clear,
            ),
        ),
        (
            "slotmap",
            writing(
                (Slots::new(), Vec::new()),
                |(slots, keys)| grow_slots(slots, keys, n).unwrap(),
                |(slots, _)| total(slots.values().flatten()),
                |(slots, keys)| {
                    slots.clear();
                    keys.clear();
                },
            ),
        ),
    ];
    compare(c, "62,500 lists to 16, one after the other", n * 16, rows);

    let empty = |heap: &mut Heap| (0..n).map(|_| heap.alloc(List::of(&[])).unwrap()).collect();
    let mut of_heap = (heap(), Vec::new());
    of_heap.1 = empty(&mut of_heap.0);
    let mut slots = Slots::new();
    let keys = (0..n).map(|_| slots.insert(Vec::new())).collect::<Vec<_>>();
    let rows = vec![
        (
            "segheap",
            writing(
                of_heap,
                |(heap, lists)| turns_heap(heap, lists).unwrap(),
                all_lists,
                move |(heap, lists)| {
                    heap.clear();
                    *lists = empty(heap);
                },
            ),
        ),
        (
            "Vec<Vec>",
            writing(
                vec![Vec::new(); n],
                |vecs| turns_vecs(vecs),
                |vecs| total(vecs.iter().flatten()),
                |vecs| vecs.fill(Vec::new()),
            ),
        ),
        (
            "slotmap",
            writing(
                (slots, keys),
                |(slots, keys)| turns_slots(slots, keys).unwrap(),
                |(slots, _)| total(slots.values().flatten()),
                |(slots, _)| slots.values_mut().for_each(|vec| *vec = Vec::new()),
            ),
        ),
    ];
    compare(c, "62,500 lists to 16, in turns", n * 16, rows);
}

fn all_lists((heap, lists): &(Heap, Vec<Handle<List>>)) -> u64 {
    lists.iter().fold(0, |sum, &list| sum.wrapping_add(list_bits(heap, list)))
}

// ----------------------------------------------------------------------- alloc

#[inline(never)]
fn pairs_heap(heap: &mut Heap, pairs: &mut Vec<Handle<Pair>>, n: u32) -> Result<(), Error> {
    for i in 0..n {
        pairs.push(heap.alloc(Pair::of(Cell::from(i), Cell::NULL))?);
    }
    Ok(())
}

#[inline(never)]
fn pairs_vecs(vecs: &mut Vec<Vec<u64>>, n: u32) {
    for i in 0..n {
        vecs.push(vec![bits(Cell::from(i)), bits(Cell::NULL)]);
    }
}

#[inline(never)]
fn pairs_slots(slots: &mut Slots, keys: &mut Vec<DefaultKey>, n: u32) {
    for i in 0..n {
        keys.push(slots.insert(vec![bits(Cell::from(i)), bits(Cell::NULL)]));
    }
}

fn alloc_pairs(c: &mut Criterion) {
    let n = 100_000;
    let rows = vec![
        (
            "segheap",
            writing(
                (heap(), Vec::<Handle<Pair>>::new()),
                |(heap, pairs)| pairs_heap(heap, pairs, black_box(n)).unwrap(),
                |(heap, pairs)| {
                    let words = pairs.iter().flat_map(|&pair| {
                        let view = heap.get(pair).unwrap();
                        [bits(view.first().unwrap()), bits(view.second().unwrap())]
                    });
                    words.fold(0, u64::wrapping_add)
                },
                |(heap, pairs)| {
                    heap.clear();
                    pairs.clear();
                },
            ),
        ),
        (
            "Vec<Vec>",
            writing(
                Vec::new(),
                |vecs| pairs_vecs(vecs, black_box(n)),
                |vecs| total(vecs.iter().flatten()),
                Vec::clear,
            ),
        ),
        (
            "slotmap",
            writing(
                (Slots::new(), Vec::new()),
                |(slots, keys)| pairs_slots(slots, keys, black_box(n)),
                |(slots, _)| total(slots.values().flatten()),
                |(slots, keys)| {
                    slots.clear();
                    keys.clear();
                },
            ),
        ),
    ];
    compare(c, "alloc of 16-byte objects", n as usize, rows);
}

#[inline(never)]
fn texts_heap(heap: &mut Heap, texts: &mut Vec<Cell>, text: &str, n: u32) -> Result<(), Error> {
    for _ in 0..n {
        texts.push(heap.string(black_box(text))?);
    }
    Ok(())
}

#[inline(never)]
fn strs_heap(heap: &mut Heap, texts: &mut Vec<Cell>, text: &str, n: u32) -> Result<(), Error> {
    for _ in 0..n {
        texts.push(heap.alloc(Str::new(black_box(text)))?.into());
    }
    Ok(())
}

#[inline(never)]
fn texts_boxes(boxes: &mut Vec<Box<str>>, text: &str, n: u32) {
    for _ in 0..n {
        boxes.push(Box::from(black_box(text)));
    }
}

#[inline(never)]
fn kill_each(heap: &mut Heap, texts: &mut Vec<Cell>) -> Result<(), Error> {
    texts.drain(..).filter(|text| text.kind().is_some()).try_for_each(|text| heap.kill(text))
}

fn heap_texts((heap, texts): &(Heap, Vec<Cell>)) -> u64 {
    let lens = texts
        .iter()
        .map(|&text| heap.text(text).unwrap().iter().map(|&b| u64::from(b)).sum::<u64>());
    lens.sum()
}

fn box_texts(boxes: &[Box<str>]) -> u64 {
    boxes.iter().flat_map(|text| text.bytes()).map(u64::from).sum()
}

fn alloc_texts(c: &mut Criterion) {
    type Make = fn(&mut Heap, &mut Vec<Cell>, &str, u32) -> Result<(), Error>;
    let n = 10_000;
    for len in [5, 16, 64, 1024] {
        let text = &"segmented heap, ".repeat(64)[..len];
        let alloc = |make: Make| {
            writing(
                (heap(), Vec::new()),
                move |(heap, texts)| make(heap, texts, text, black_box(n)).unwrap(),
                heap_texts,
                |(heap, texts): &mut (Heap, Vec<Cell>)| {
                    heap.clear();
                    texts.clear();
                },
            )
        };
        let mut rows = vec![
            ("segheap", alloc(texts_heap)),
            (
                "Box<str>",
                writing(
                    Vec::new(),
                    |boxes| texts_boxes(boxes, text, black_box(n)),
                    |boxes| box_texts(boxes),
                    Vec::clear,
                ),
            ),
        ];
        if len == 5 {
            // A text so short lies in the cell; the same in an arena.
            rows.push(("segheap, Str", alloc(strs_heap)));
        }
        compare(c, &format!("alloc of {len}-byte texts"), n as usize, rows);
    }

    let text = "sixteen bytes :)";
    let rows = vec![
        (
            "segheap",
            writing(
                (heap(), Vec::new()),
                |(heap, texts)| {
                    texts_heap(heap, texts, text, black_box(n)).unwrap();
                    kill_each(heap, texts).unwrap();
                },
                |(_, texts)| texts.len() as u64,
                |_| (),
            ),
        ),
        (
            "Box<str>",
            writing(
                Vec::new(),
                |boxes| {
                    texts_boxes(boxes, text, black_box(n));
                    boxes.clear();
                },
                |boxes| boxes.len() as u64,
                |_| (),
            ),
        ),
    ];
    compare(c, "alloc and kill of 16-byte texts, all then all", n as usize, rows);
    let rows = vec![
        (
            "segheap",
            writing(
                heap(),
                |heap| alloc_kill(heap, text, black_box(n)).unwrap(),
                heap_live,
                |_| (),
            ),
        ),
        ("Box<str>", writing((), |()| box_drop(text, black_box(n)), |()| 0, |()| ())),
    ];
    compare(c, "alloc and kill of 16-byte texts, one by one", n as usize, rows);
}

fn heap_live(heap: &Heap) -> u64 {
    heap.usage().live()
}

#[inline(never)]
fn alloc_kill(heap: &mut Heap, text: &str, n: u32) -> Result<(), Error> {
    for _ in 0..n {
        let text = heap.string(black_box(text))?;
        heap.kill(black_box(text))?;
    }
    Ok(())
}

#[inline(never)]
fn box_drop(text: &str, n: u32) {
    for _ in 0..n {
        let text: Box<str> = Box::from(black_box(text));
        drop(black_box(text));
    }
}

// ----------------------------------------------------------------------- churn

#[inline(never)]
fn churn_heap(
    heap: &mut Heap,
    lists: &mut [Handle<List>],
    cells: &[Cell],
    turns: &[(usize, usize)],
) -> Result<(), Error> {
    for &(place, len) in turns {
        heap.kill(lists[place])?;
        lists[place] = heap.alloc(List::of(&cells[..len]))?;
    }
    Ok(())
}

#[inline(never)]
fn churn_vecs(vecs: &mut [Vec<u64>], words: &[u64], turns: &[(usize, usize)]) {
    for &(place, len) in turns {
        vecs[place] = Vec::new();
        vecs[place] = words[..len].to_vec();
    }
}

#[inline(never)]
fn churn_slots(
    slots: &mut Slots,
    keys: &mut [DefaultKey],
    words: &[u64],
    turns: &[(usize, usize)],
) {
    for &(place, len) in turns {
        slots.remove(keys[place]);
        keys[place] = slots.insert(words[..len].to_vec());
    }
}

fn churn(c: &mut Criterion) {
    for (live, name) in [(1_000, "1,000"), (100_000, "100,000")] {
        let mut random = Random(3);
        let mut size = move || 2 + random.below(15);
        let sizes: Vec<usize> = (0..live).map(|_| size()).collect();
        let mut random = Random(5);
        let turns: Vec<(usize, usize)> =
            (0..100_000).map(|_| (random.below(live), size())).collect();
        let (cells, mut heap) = (cells(16), heap());
        let (words, mut slots) = (words(&cells), Slots::new());
        let lists: Vec<_> =
            sizes.iter().map(|&n| heap.alloc(List::of(&cells[..n])).unwrap()).collect();
        let vecs: Vec<_> = sizes.iter().map(|&n| words[..n].to_vec()).collect();
        let keys: Vec<_> = sizes.iter().map(|&n| slots.insert(words[..n].to_vec())).collect();
        let rows = vec![
            (
                "segheap",
                writing(
                    (heap, lists),
                    |(heap, lists)| churn_heap(heap, lists, &cells, black_box(&turns)).unwrap(),
                    all_lists,
                    |_| (),
                ),
            ),
            (
                "Vec<Vec>",
                writing(
                    vecs,
                    |vecs| churn_vecs(vecs, &words, black_box(&turns)),
                    |vecs| total(vecs.iter().flatten()),
                    |_| (),
                ),
            ),
            (
                "slotmap",
                writing(
                    (slots, keys),
                    |(slots, keys)| churn_slots(slots, keys, &words, black_box(&turns)),
                    |(slots, _)| total(slots.values().flatten()),
                    |_| (),
                ),
            ),
        ];
        compare(c, &format!("churn of 16 to 128 bytes, {name} live"), turns.len(), rows);
    }
}

criterion_group! {
    name = access;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1_200));
    targets = one_sequence, many_lists, push, grow, alloc_pairs, alloc_texts, churn
}
criterion_main!(access);
