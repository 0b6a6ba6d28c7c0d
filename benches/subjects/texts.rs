//! Allocating and freeing texts, compared with `Box<str>` and bumpalo.

use std::hint::black_box;

use bumpalo::Bump;
use segheap::{Cell, Error, Handle, Heap, Str};

use super::comparison::{Comparison, Outcome, comparison};
use super::{Entry, heap, reading, timed, writing};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("text of 5 bytes, alloc", || texts(5)),
    ("text of 16 bytes, alloc", || texts(16)),
    ("text of 64 bytes, alloc", || texts(64)),
    ("text of 1,024 bytes, alloc", || texts(1_024)),
    ("text of 16 bytes, alloc and free", alloc_free),
    ("text of 16 bytes, alloc all, free all", alloc_all_free_all),
    ("append a byte to a text as a value, 100,000 times", growing),
];

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

/// A text that grows by a byte as a value, and the one before is garbage: `s = s + "x"`.
fn growing() -> Comparison {
    comparison(
        100_000,
        100_000,
        [
            ("segheap", |n| {
                writing(
                    (heap(), Cell::NULL),
                    move |(heap, text)| {
                        *text = heap.string("").unwrap();
                        for _ in 0..*n {
                            let old = *text;
                            *text = heap.append_text(old, black_box("x")).unwrap();
                            let _ = heap.free(old);
                        }
                    },
                    |(heap, text)| sum([heap.text(*text).unwrap().to_vec()].iter()),
                    |(heap, _): &mut (Heap, Cell)| heap.clear(),
                )
            }),
            ("String", |n| {
                writing(
                    String::new(),
                    move |text| (0..*n).for_each(|_| text.push_str(black_box("x"))),
                    |text| sum([text.as_bytes()].iter()),
                    |text| *text = String::new(),
                )
            }),
        ],
    )
}
