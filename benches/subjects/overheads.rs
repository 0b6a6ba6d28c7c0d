//! Overhead of guarantees: work with a guarantee, compared with the same work without
//! it ("without"), which is done by this crate as well where possible.

use std::hint::black_box;

use segheap::{Bytes, Handle, Heap, I64Arr, Limits, List, Pair, Str, U8Arr};

use super::comparison::{Comparison, Pass, comparison};
use super::{Entry, Random, cells, heap, reading, repeating, total, words};

const KIB: usize = 1 << 10;
const READS: usize = 10_000;
const PAIRS: usize = 1_000;

pub(crate) const COMPARISONS: &[Entry] = &[
    ("overhead of handles: 10,000 gets", handles),
    ("overhead of UTF-8: 4 KiB into a new object", utf8),
    ("overhead of all or nothing: 4,096 numbers", all_or_nothing),
    ("overhead of separate arenas: copy of 4 KiB", separate),
    ("overhead of limits: 1,000 pairs", limits),
    ("overhead of a region: 1,000 pairs", region),
];

/// Elements of one array at indices that are loaded from memory: each through the
/// handle, or from one window, where only the index is checked.
fn handles() -> Comparison {
    let mut random = Random(7);
    let indices: Vec<usize> = (0..READS).map(|_| random.below(1_000)).collect();
    comparison(
        READS,
        indices,
        [
            ("segheap", |indices| {
                let mut heap = heap();
                let array = numbers(&mut heap);
                reading(move || {
                    let get = |&i: &usize| black_box(&heap).get(black_box(array)).unwrap().get(i);
                    indices.iter().map(|i| get(i).unwrap().cast_unsigned()).sum()
                })
            }),
            ("without", |indices| {
                let mut heap = heap();
                let array = numbers(&mut heap);
                reading(move || {
                    let window = heap.window(array, ..).unwrap();
                    indices.iter().map(|&i| black_box(window)[i].cast_unsigned()).sum()
                })
            }),
        ],
    )
}

fn numbers(heap: &mut Heap) -> Handle<I64Arr> {
    let numbers: Vec<i64> = (0..1_000).collect();
    heap.alloc(I64Arr::of(&numbers)).unwrap()
}

/// Validated and copied, or only copied.
fn utf8() -> Comparison {
    fn pass(convert: impl Fn(&mut Heap, Handle<Bytes>) + 'static) -> Pass {
        let mut heap = super::heap();
        let source = heap.alloc(Bytes::of(&[b'a'; 4 * KIB])).unwrap();
        repeating(16, move || {
            convert(&mut heap, black_box(source));
            4 * KIB as u64
        })
    }
    comparison(
        16,
        (),
        [
            ("segheap", |_| {
                pass(|heap, source| {
                    let made = heap.convert_across::<Str>(source, ..).unwrap();
                    heap.free(black_box(made)).unwrap();
                })
            }),
            ("without", |_| {
                pass(|heap, source| {
                    let made = heap.convert_across::<U8Arr>(source, ..).unwrap();
                    heap.free(black_box(made)).unwrap();
                })
            }),
        ],
    )
}

/// Into an existing object, which must not change if an element does not convert, so
/// that all are checked first; or into a new one, which can be dropped.
fn all_or_nothing() -> Comparison {
    comparison(
        16,
        cells(4_096),
        [
            ("segheap", |cells| {
                let mut heap = heap();
                let source = heap.alloc(List::of(&cells)).unwrap();
                let target = heap.alloc(I64Arr::zeroed(cells.len())).unwrap();
                let result = total(&words(&cells));
                repeating(16, move || {
                    heap.copy_across(target, 0, black_box(source), ..).unwrap();
                    result
                })
            }),
            ("without", |cells| {
                let mut heap = heap();
                let source = heap.alloc(List::of(&cells)).unwrap();
                let result = total(&words(&cells));
                repeating(16, move || {
                    let made = heap.convert_across::<I64Arr>(black_box(source), ..).unwrap();
                    heap.free(black_box(made)).unwrap();
                    result
                })
            }),
        ],
    )
}

/// From one arena to another, or inside of one object.
fn separate() -> Comparison {
    comparison(
        16,
        (),
        [
            ("segheap", |_| {
                let mut heap = heap();
                let source = heap.alloc(Bytes::zeroed(4 * KIB)).unwrap();
                let target = heap.alloc(U8Arr::zeroed(4 * KIB)).unwrap();
                repeating(16, move || {
                    heap.copy_across(black_box(target), 0, black_box(source), ..).unwrap();
                    0
                })
            }),
            ("without", |_| {
                let mut heap = heap();
                let both = heap.alloc(Bytes::zeroed(8 * KIB)).unwrap();
                repeating(16, move || {
                    let mut bytes = heap.get_mut(black_box(both)).unwrap();
                    bytes.copy_within(..4 * KIB, 4 * KIB).unwrap();
                    0
                })
            }),
        ],
    )
}

fn pairs(heap: &mut Heap) -> u64 {
    for n in 0..PAIRS as u32 {
        heap.alloc(Pair::of(n.into(), n.into())).unwrap();
    }
    PAIRS as u64
}

/// With all limits, or with none.
fn limits() -> Comparison {
    fn pass(limits: Limits) -> Pass {
        let mut heap = super::heap();
        heap.set_limits(limits);
        reading(move || {
            let made = pairs(black_box(&mut heap));
            heap.clear();
            made
        })
    }
    comparison(
        PAIRS,
        (),
        [
            ("segheap", |_| {
                pass(Limits::NONE.with_pages(1 << 10).with_slots(1 << 24).with_bytes(1 << 30))
            }),
            ("without", |_| pass(Limits::default())),
        ],
    )
}

/// In a region that frees them, or freed by `clear`.
fn region() -> Comparison {
    comparison(
        PAIRS,
        (),
        [
            ("segheap", |_| {
                let mut heap = heap();
                reading(move || {
                    let region = heap.open_region().unwrap();
                    pairs(&mut heap);
                    heap.close_region(region, [] as [segheap::Cell; 0]).unwrap()
                })
            }),
            ("without", |_| {
                let mut heap = heap();
                reading(move || {
                    let made = pairs(&mut heap);
                    heap.clear();
                    made
                })
            }),
        ],
    )
}
