//! Forks and images, compared with a copy of as many bytes into new memory.

use std::hint::black_box;

use segheap::{Cell, Closure, Heap, List, Map, Settings};

use super::comparison::{Comparison, Outcome, Pass, comparison};
use super::{Entry, heap, timed};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("fork 1.25M lists of 8", fork),
    ("save 1.25M lists of 8", save),
    ("load 1.25M lists of 8", load),
    ("load 100,000 maps of 20", load_maps),
    ("verify 1.25M lists of 8", verify),
    ("load the names and functions of 10 MB", start),
];

/// 100 MB: each list has ints, a float, a boolean and two handles.
fn lists() -> Heap {
    let mut heap = heap();
    let mut last = Cell::NULL;
    for n in 0..1_250_000_u32 {
        let (int, float) = (Cell::from(n), Cell::from(2.5));
        let cells = [int, last, float, Cell::TRUE, int, last, int, int];
        last = heap.alloc(List::of(&cells)).unwrap().into();
    }
    heap.compact();
    heap
}

/// 104 MB, of which a third are hashes and indices.
fn maps() -> Heap {
    let mut heap = heap();
    for n in 0..100_000_u32 {
        let map = heap.alloc(Map::new()).unwrap();
        for key in 0..20 {
            heap.map_insert(map, (key * n).wrapping_add(key).into(), n.into()).unwrap();
        }
    }
    heap.compact();
    heap
}

/// What a language has before its program starts: symbols, functions, constants.
fn prelude() -> Heap {
    let mut heap = heap();
    let globals = heap.alloc(Map::new()).unwrap();
    for n in 0..40_000_u32 {
        let name = heap.intern(&format!("the name of global {n}")).unwrap();
        let function = heap.alloc(Closure::of(n, &[n.into(), 2.into()])).unwrap();
        heap.map_insert(globals, name, function.into()).unwrap();
        heap.alloc(List::of(&[n.into(); 8])).unwrap();
    }
    heap.compact();
    heap
}

fn image_of(heap: &mut Heap) -> Vec<u8> {
    let mut image = Vec::new();
    heap.save(&mut image).unwrap();
    image
}

/// A copy of an image into new memory, as often as an image is saved or loaded.
fn copy(image: &[u8], result: u64) -> Pass {
    let image = image.to_vec();
    Box::new(move |_| {
        let (cost, copy) = timed(|| black_box(&image).clone());
        assert_eq!(copy.len(), image.len());
        Outcome { cost, result }
    })
}

fn load_from(mut heap: Heap) -> Comparison {
    let image = image_of(&mut heap);
    comparison(
        1,
        (image, heap.usage().live()),
        [
            ("segheap", |input| {
                Box::new(move |_| {
                    let (image, _) = &*input;
                    let load = || Heap::load(&black_box(image)[..], Settings::seeded(7)).unwrap();
                    let (cost, loaded) = timed(load);
                    Outcome { cost, result: loaded.usage().live() }
                })
            }),
            ("copy", |input| copy(&input.0, input.1)),
        ],
    )
}

fn load() -> Comparison {
    load_from(lists())
}

fn load_maps() -> Comparison {
    load_from(maps())
}

fn start() -> Comparison {
    load_from(prelude())
}

fn save() -> Comparison {
    comparison(
        1,
        (),
        [
            ("segheap", |_| {
                let mut heap = lists();
                let len = image_of(&mut heap).len();
                Box::new(move |_| {
                    let (cost, image) = timed(|| {
                        let mut image = Vec::with_capacity(len);
                        heap.save(&mut image).unwrap();
                        image
                    });
                    Outcome { cost, result: image.len() as u64 }
                })
            }),
            ("copy", |_| {
                let image = image_of(&mut lists());
                copy(&image, image.len() as u64)
            }),
        ],
    )
}

fn fork() -> Comparison {
    comparison(
        1,
        (),
        [
            ("segheap", |_| {
                let heap = lists();
                Box::new(move |_| {
                    let (cost, fork) = timed(|| black_box(&heap).try_clone().unwrap());
                    Outcome { cost, result: fork.usage().live() }
                })
            }),
            ("copy", |_| {
                let mut heap = lists();
                copy(&image_of(&mut heap), heap.usage().live())
            }),
        ],
    )
}

fn verify() -> Comparison {
    comparison(
        1,
        (),
        [
            ("segheap", |_| {
                let mut heap = lists();
                Box::new(move |_| {
                    let (cost, verified) = timed(|| black_box(&mut heap).verify());
                    verified.unwrap();
                    Outcome { cost, result: heap.usage().live() }
                })
            }),
            ("copy", |_| {
                let mut heap = lists();
                copy(&image_of(&mut heap), heap.usage().live())
            }),
        ],
    )
}
