//! Integers beyond 64 bits, compared with dashu-int; equality and order of texts; both ends
//! of sequences.

use std::collections::VecDeque;
use std::hint::black_box;

use dashu_int::IBig;
use segheap::{Cell, Heap, List, Map};

use super::comparison::{Comparison, comparison};
use super::maps::{Indexed, hasher};
use super::{Entry, Random, heap, reading, repeating, writing};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("sum of two integers of 100 bits", || {
        arithmetic(30, |heap, a, b| heap.add(a, b), |a, b| a + b)
    }),
    ("product of two integers of 100 bits", || {
        arithmetic(30, |heap, a, b| heap.mul(a, b), |a, b| a * b)
    }),
    ("product of two integers of 100,000 digits", || {
        arithmetic(100_000, |heap, a, b| heap.mul(a, b), |a, b| a * b)
    }),
    ("parse 100,000 digits", parse),
    ("write 100,000 digits", write),
    ("equality of two texts of 16 bytes", text_eq),
    ("sort 10,000 texts", sort_texts),
    ("pop all of a map of 40,000", pop_all),
    ("pop_front all of a list of 40,000", pop_front_all),
];

/// A number of so many digits.
fn digits(len: usize, seed: u64) -> String {
    let mut random = Random(seed);
    (0..len).map(|n| char::from(b'1' + random.below(if n == 0 { 8 } else { 9 }) as u8)).collect()
}

/// The last bits of a decimal number, to compare results by.
fn last(text: &str) -> u64 {
    text[text.len().saturating_sub(15)..].parse().unwrap()
}

type OfHeap = fn(&mut Heap, Cell, Cell) -> Result<Cell, segheap::Error>;
type OfPeer = fn(&IBig, &IBig) -> IBig;

/// A new integer of two, which is dropped.
fn arithmetic(len: usize, of_heap: OfHeap, of_peer: OfPeer) -> Comparison {
    let times = (10_000 / len).max(1);
    comparison(
        times,
        (len, of_heap, of_peer),
        [
            ("segheap", |work| {
                let (len, of_heap, times) = (work.0, work.1, (10_000 / work.0).max(1));
                let mut heap = heap();
                let [a, b] = [1, 2].map(|seed| heap.parse_int(&digits(len, seed)).unwrap());
                repeating(times, move || {
                    let result = of_heap(&mut heap, black_box(a), b).unwrap();
                    let hash = heap.cmp_int(result, a).unwrap() as u64;
                    heap.free(result).unwrap();
                    hash
                })
            }),
            ("dashu-int", |work| {
                let (len, of_peer, times) = (work.0, work.2, (10_000 / work.0).max(1));
                let [a, b] = [1, 2].map(|seed| digits(len, seed).parse::<IBig>().unwrap());
                repeating(times, move || of_peer(black_box(&a), &b).cmp(&a) as u64)
            }),
        ],
    )
}

fn parse() -> Comparison {
    comparison(
        1,
        digits(100_000, 1),
        [
            ("segheap", |text| {
                let mut heap = heap();
                let expected = heap.parse_int(&text).unwrap();
                reading(move || {
                    let int = heap.parse_int(black_box(&text)).unwrap();
                    let is_equal = heap.cmp_int(int, expected).unwrap().is_eq();
                    heap.free(int).unwrap();
                    is_equal.into()
                })
            }),
            ("dashu-int", |text| {
                let expected: IBig = text.parse().unwrap();
                reading(move || (black_box(&text).parse::<IBig>().unwrap() == expected).into())
            }),
        ],
    )
}

fn write() -> Comparison {
    comparison(
        1,
        digits(100_000, 1),
        [
            ("segheap", |text| {
                let mut heap = heap();
                let int = heap.parse_int(&text).unwrap();
                reading(move || {
                    let text = heap.int_to_text(black_box(int), 10).unwrap();
                    let last = last(&heap.text(text).unwrap().to_string());
                    heap.free(text).unwrap();
                    last
                })
            }),
            ("dashu-int", |text| {
                let int: IBig = text.parse().unwrap();
                reading(move || last(&black_box(&int).to_string()))
            }),
        ],
    )
}

fn text_eq() -> Comparison {
    const TIMES: usize = 1_000;
    const TEXT: &str = "sixteen letters!";
    comparison(
        TIMES,
        (),
        [
            ("segheap", |_| {
                let mut heap = heap();
                let [a, b] = [0; 2].map(|_| heap.string(TEXT).unwrap());
                repeating(TIMES, move || heap.text_eq(black_box(a), b).unwrap().into())
            }),
            ("String", |_| {
                let [a, b] = [0; 2].map(|_| TEXT.to_owned());
                repeating(TIMES, move || (*black_box(&a) == b).into())
            }),
        ],
    )
}

fn sort_texts() -> Comparison {
    let n = 10_000;
    let texts: Vec<String> =
        Random(1).order(n).into_iter().map(|i| format!("text number {i:05}")).collect();
    comparison(
        n,
        texts,
        [
            ("segheap", |texts| {
                let mut heap = heap();
                let cells: Vec<Cell> =
                    texts.iter().map(|text| heap.string(text).unwrap()).collect();
                let list = heap.alloc(List::of(&cells)).unwrap();
                writing(
                    heap,
                    move |heap| heap.sort(black_box(list)).unwrap(),
                    move |heap| {
                        let list = heap.get(list).unwrap().as_slice();
                        let texts = list.iter().map(|&cell| heap.text(cell).unwrap().to_string());
                        texts.is_sorted().into()
                    },
                    move |heap| heap.get_mut(list).unwrap().as_mut_slice().copy_from_slice(&cells),
                )
            }),
            ("Vec of String", |texts| {
                let texts: Vec<String> = texts.to_vec();
                writing(
                    texts.clone(),
                    |sorted| black_box(sorted).sort(),
                    |sorted| sorted.is_sorted().into(),
                    move |sorted| sorted.clone_from(&texts),
                )
            }),
        ],
    )
}

/// From the end, one by one.
fn pop_all() -> Comparison {
    const LEN: usize = 40_000;
    comparison(
        LEN,
        (),
        [
            ("segheap", |_| {
                let mut heap = heap();
                let map = heap.alloc(Map::new()).unwrap();
                let fill = move |heap: &mut Heap| {
                    for n in 0..LEN as u32 {
                        heap.map_insert(map, n.into(), n.into()).unwrap();
                    }
                };
                fill(&mut heap);
                writing(
                    heap,
                    move |heap| while heap.get_mut(map).unwrap().pop().unwrap().is_some() {},
                    move |heap| heap.get(map).unwrap().len() as u64,
                    fill,
                )
            }),
            ("indexmap", |_| {
                let fill = |map: &mut Indexed<i64>| map.extend((0..LEN as i64).map(|n| (n, n)));
                let mut map = Indexed::with_hasher(hasher());
                fill(&mut map);
                writing(
                    map,
                    |map| while black_box(&mut *map).pop().is_some() {},
                    |map| map.len() as u64,
                    fill,
                )
            }),
        ],
    )
}

fn pop_front_all() -> Comparison {
    const LEN: usize = 40_000;
    comparison(
        LEN,
        (),
        [
            ("segheap", |_| {
                let mut heap = heap();
                let list = heap.alloc(List::new()).unwrap();
                let fill = move |heap: &mut Heap| {
                    heap.get_mut(list).unwrap().resize(LEN, Cell::NULL).unwrap()
                };
                fill(&mut heap);
                writing(
                    heap,
                    move |heap| while heap.get_mut(list).unwrap().pop_front().unwrap().is_some() {},
                    move |heap| heap.get(list).unwrap().len() as u64,
                    fill,
                )
            }),
            ("VecDeque", |_| {
                let fill = |deque: &mut VecDeque<Cell>| deque.resize(LEN, Cell::NULL);
                let mut deque = VecDeque::new();
                fill(&mut deque);
                writing(
                    deque,
                    |deque| while black_box(&mut *deque).pop_front().is_some() {},
                    |deque| deque.len() as u64,
                    fill,
                )
            }),
        ],
    )
}
