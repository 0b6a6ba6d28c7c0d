//! Making objects and letting them go, in a process that is warm and in one that
//! is fresh; frames; whole heaps. Beside what is used for the same work.
//!
//! ```text
//! cargo bench --bench alloc                      all of it, about four minutes
//! cargo bench --bench alloc -- frame             groups and rows by name
//! cargo bench --bench alloc -- --test            answers only, no timing
//! ```
//!
//! Rows of one group do the same work and have to come to the same answer before
//! any of them is timed. Compare rows of one group of one run, by their medians.
//! In the warm groups every row keeps its heap, map or allocator from pass to
//! pass. In the fresh groups every pass is a process of its own, as peers on a
//! global allocator reuse pages that earlier rounds faulted in.
#![allow(missing_docs, reason = "nothing here is an interface")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark may panic, and peers are written as their users write them"
)]

use std::cell::RefCell;
use std::hint::black_box;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bumpalo::Bump;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group};
use segheap::{Cell, Handle, Heap, List, Pair, Settings, Str};
use slotmap::{DefaultKey, SlotMap};

type Slots = SlotMap<DefaultKey, Vec<u64>>;

/// One pass: how long it took, and its answer.
type Pass<'a> = Box<dyn FnMut() -> (Duration, u64) + 'a>;

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = black_box(work());
    (start.elapsed(), result)
}

/// Checks that all passes agree, twice, and times them; `n` objects each.
fn compare(c: &mut Criterion, name: &str, n: usize, mut rows: Vec<(&str, Pass<'_>)>) {
    for _ in 0..2 {
        let answers: Vec<u64> = rows.iter_mut().map(|(_, pass)| pass().1).collect();
        assert!(answers.iter().all(|&answer| answer == answers[0]), "{name}: {answers:?}");
    }
    let mut group = c.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(n as u64));
    for (peer, pass) in &mut rows {
        group.bench_function(*peer, |bencher| {
            bencher.iter_custom(|passes| (0..passes).map(|_| pass().0).sum());
        });
    }
    group.finish();
}

fn heap() -> Heap {
    Heap::with(Settings::seeded(1))
}

/// A row that fills a structure and looks at it; filling is timed. `clear` puts
/// the structure back and keeps what it reserved.
fn filling<'a, S: 'a>(
    mut state: S,
    mut fill: impl FnMut(&mut S) + 'a,
    mut answer: impl FnMut(&S) -> u64 + 'a,
    mut clear: impl FnMut(&mut S) + 'a,
) -> Pass<'a> {
    Box::new(move || {
        clear(&mut state);
        let (time, ()) = timed(|| fill(&mut state));
        (time, answer(&state))
    })
}

/// A small generator of numbers below `n`.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        ((self.0 >> 32) as usize * n) >> 32
    }
}

// -------------------------------------------------------------------- objects

const PEERS: [&str; 7] =
    ["segheap", "Vec<Vec>", "slotmap", "thunderdome", "Rc<RefCell>", "Box", "bumpalo"];

/// Fills what `peer` names with `n` objects of `words` words, counted from 0, in
/// one pass after the other, and answers the sum of their last words.
fn objects<'a>(peer: &str, n: usize, words: usize) -> Pass<'a> {
    let new = move |i: usize| {
        let mut vec = vec![0_u64; words];
        vec[words - 1] = i as u64;
        vec
    };
    match peer {
        "segheap" => {
            let cells = vec![Cell::from(0_u32); words];
            filling(
                (heap(), Vec::<Handle<List>>::new(), cells),
                move |(heap, lists, cells)| {
                    for i in 0..n {
                        cells[words - 1] = Cell::from(i as u32);
                        lists.push(heap.alloc(List::of(cells)).unwrap());
                    }
                },
                move |(heap, lists, _)| {
                    let last =
                        |&list: &Handle<List>| heap.get(list).unwrap().get(words - 1).unwrap();
                    lists.iter().map(|list| last(list).as_int().unwrap().cast_unsigned()).sum()
                },
                |(heap, lists, _)| {
                    heap.clear();
                    lists.clear();
                },
            )
        }
        "Vec<Vec>" => filling(
            Vec::new(),
            move |vecs| vecs.extend((0..n).map(new)),
            move |vecs| vecs.iter().map(|vec| vec[words - 1]).sum(),
            Vec::clear,
        ),
        "slotmap" => filling(
            (Slots::new(), Vec::new()),
            move |(slots, keys)| keys.extend((0..n).map(|i| slots.insert(new(i)))),
            move |(slots, keys)| keys.iter().map(|&key| slots[key][words - 1]).sum(),
            |(slots, keys)| {
                slots.clear();
                keys.clear();
            },
        ),
        "thunderdome" => filling(
            (thunderdome::Arena::new(), Vec::new()),
            move |(arena, keys)| keys.extend((0..n).map(|i| arena.insert(new(i)))),
            move |(arena, keys)| keys.iter().map(|&key| arena[key][words - 1]).sum(),
            |(arena, keys)| {
                arena.clear();
                keys.clear();
            },
        ),
        "Rc<RefCell>" => filling(
            Vec::new(),
            move |all| all.extend((0..n).map(|i| Rc::new(RefCell::new(new(i))))),
            move |all| all.iter().map(|vec| vec.borrow()[words - 1]).sum(),
            Vec::clear,
        ),
        "Box" => filling(
            Vec::new(),
            move |all| all.extend((0..n).map(|i| new(i).into_boxed_slice())),
            move |all| all.iter().map(|words_of| words_of[words - 1]).sum(),
            Vec::clear,
        ),
        _ => {
            let mut bump = Bump::new();
            Box::new(move || {
                bump.reset();
                let mut all: Vec<&[u64]> = Vec::new();
                let (time, ()) = timed(|| {
                    for i in 0..n {
                        let object = bump.alloc_slice_fill_copy(words, 0);
                        object[words - 1] = i as u64;
                        all.push(object);
                    }
                });
                (time, all.iter().map(|object| object[words - 1]).sum())
            })
        }
    }
}

/// Words of the two sizes: 16 bytes; 100, rounded up as every row but Box does.
const SIZES: [(usize, &str); 2] = [(2, "16"), (13, "100")];

fn warm(c: &mut Criterion) {
    let n = 100_000;
    for (words, name) in SIZES {
        let rows = PEERS.map(|peer| (peer, objects(peer, n, words)));
        compare(c, &format!("{name}-byte objects, warm"), n, rows.into());
    }
}

const FRESH: usize = 1_000_000;

fn fresh(c: &mut Criterion) {
    for (words, name) in SIZES {
        let mut bytes = String::new();
        let rows = PEERS.map(|peer| {
            let (_, _, resident) = child(peer, words);
            bytes += &format!("  {peer}: {:.1}", resident as f64 / FRESH as f64);
            let pass: Pass<'_> = Box::new(move || {
                let (time, answer, _) = child(peer, words);
                (time, answer)
            });
            (peer, pass)
        });
        println!("{name}-byte objects, resident bytes each:{bytes}");
        compare(c, &format!("{name}-byte objects, fresh process"), FRESH, rows.into());
    }
}

/// Runs a pass in a process of its own: its time, answer, and growth in bytes.
fn child(peer: &str, words: usize) -> (Duration, u64, u64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.env(CHILD, format!("{peer} {words}")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u64> = text.split(' ').map(|number| number.trim().parse().unwrap()).collect();
    (Duration::from_nanos(numbers[0]), numbers[1], numbers[2])
}

const CHILD: &str = "SEGHEAP_BENCH_FRESH";

/// The child's side of it. The handles that rows keep, of 8 bytes, are not
/// counted; where there is no `/proc`, growth is 0.
fn run_child(order: &str) {
    let (peer, words) = order.rsplit_once(' ').unwrap();
    let mut pass = objects(peer, FRESH, words.parse().unwrap());
    let before = resident();
    let (time, answer) = pass();
    let handles = if ["Vec<Vec>", "bumpalo"].contains(&peer) { 0 } else { FRESH as u64 * 8 };
    let grown = resident().saturating_sub(before).saturating_sub(handles);
    print!("{} {answer} {grown}", time.as_nanos());
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0_u64) * 4096
}

// ---------------------------------------------------------------------- texts

fn texts(c: &mut Criterion) {
    let n = 10_000;
    for len in [5, 16, 64, 256, 1024] {
        let text = "segmented heap, ".repeat(64);
        let text = black_box(&text[..len]);
        let sum = |text: &str| u64::from(text.as_bytes()[0]) + text.len() as u64;
        let mut bump = Bump::new();
        let rows: Vec<(&str, Pass<'_>)> = vec![
            (
                "segheap",
                filling(
                    (heap(), Vec::new()),
                    |(heap, all)| all.extend((0..n).map(|_| heap.string(text).unwrap())),
                    |(heap, all)| {
                        let text = |&text| heap.text(text).unwrap();
                        all.iter()
                            .map(|cell| u64::from(text(cell)[0]) + text(cell).len() as u64)
                            .sum()
                    },
                    |(heap, all)| {
                        heap.clear();
                        all.clear();
                    },
                ),
            ),
            (
                "segheap, Str",
                filling(
                    (heap(), Vec::new()),
                    |(heap, all)| all.extend((0..n).map(|_| heap.alloc(Str::new(text)).unwrap())),
                    |(heap, all)| {
                        let text = |&text: &Handle<Str>| heap.get(text).unwrap().text();
                        all.iter()
                            .map(|cell| u64::from(text(cell)[0]) + text(cell).len() as u64)
                            .sum()
                    },
                    |(heap, all)| {
                        heap.clear();
                        all.clear();
                    },
                ),
            ),
            (
                "Box<str>",
                filling(
                    Vec::<Box<str>>::new(),
                    |all| all.extend((0..n).map(|_| Box::from(text))),
                    |all| all.iter().map(|text| sum(text)).sum(),
                    Vec::clear,
                ),
            ),
            (
                "bumpalo",
                Box::new(|| {
                    bump.reset();
                    let mut all: Vec<&str> = Vec::with_capacity(n);
                    let (time, ()) = timed(|| all.extend((0..n).map(|_| &*bump.alloc_str(text))));
                    (time, all.iter().map(|text| sum(text)).sum())
                }),
            ),
        ];
        compare(c, &format!("texts of {len} bytes"), n, rows);
    }
}

// ---------------------------------------------------------------- churn, grow

fn churn(c: &mut Criterion) {
    for (live, name) in [(1_000, "1,000"), (100_000, "100,000")] {
        let mut random = Random(5);
        let turns: Vec<(usize, usize)> =
            (0..100_000).map(|_| (random.below(live), 2 + random.below(15))).collect();
        let cells = [Cell::TRUE; 16];
        let boxed = |n: usize| vec![1_u64; n].into_boxed_slice();
        let (mut heap, mut arena) = (heap(), thunderdome::Arena::new());
        let mut lists: Vec<_> =
            (0..live).map(|_| heap.alloc(List::of(&cells[..8])).unwrap()).collect();
        let mut boxes: Vec<_> = (0..live).map(|_| boxed(8)).collect();
        let mut keys: Vec<_> = (0..live).map(|_| arena.insert(boxed(8))).collect();
        let rows: Vec<(&str, Pass<'_>)> = vec![
            (
                "segheap",
                Box::new(|| {
                    let (time, ()) = timed(|| {
                        for &(place, len) in &turns {
                            heap.kill(lists[place]).unwrap();
                            lists[place] = heap.alloc(List::of(&cells[..len])).unwrap();
                        }
                    });
                    let len = |list: &Handle<List>| heap.get(*list).unwrap().len() as u64;
                    (time, lists.iter().map(len).sum())
                }),
            ),
            (
                "Box",
                Box::new(|| {
                    let (time, ()) = timed(|| {
                        for &(place, len) in &turns {
                            boxes[place] = Box::default();
                            boxes[place] = boxed(len);
                        }
                    });
                    (time, boxes.iter().map(|object| object.len() as u64).sum())
                }),
            ),
            (
                "thunderdome",
                Box::new(|| {
                    let (time, ()) = timed(|| {
                        for &(place, len) in &turns {
                            arena.remove(keys[place]).unwrap();
                            keys[place] = arena.insert(boxed(len));
                        }
                    });
                    (time, keys.iter().map(|&key| arena[key].len() as u64).sum())
                }),
            ),
        ];
        compare(c, &format!("churn of 16 to 128 bytes, {name} live"), turns.len(), rows);
    }
}

fn grow(c: &mut Criterion) {
    let (lists, len) = (1_000, 1_000_usize);
    let rows: Vec<(&str, Pass<'_>)> = vec![
        (
            "segheap",
            filling(
                heap(),
                move |heap| {
                    let all: Vec<_> =
                        (0..lists).map(|_| heap.alloc(List::of(&[])).unwrap()).collect();
                    for i in 0..len as u32 {
                        for &list in &all {
                            heap.get_mut(list).unwrap().push(i.into()).unwrap();
                        }
                    }
                },
                |heap| {
                    heap.objects::<List>().map(|list| heap.get(list).unwrap().len() as u64).sum()
                },
                Heap::clear,
            ),
        ),
        (
            "Vec<Vec>",
            filling(
                Vec::new(),
                move |vecs: &mut Vec<Vec<u64>>| {
                    vecs.resize(lists, Vec::new());
                    for i in 0..len as u64 {
                        vecs.iter_mut().for_each(|vec| vec.push(i));
                    }
                },
                |vecs| vecs.iter().map(|vec| vec.len() as u64).sum(),
                Vec::clear,
            ),
        ),
    ];
    compare(c, "growing 1,000 lists to 1,000, in turns", lists * len, rows);
}

// --------------------------------------------------------------------- frames

fn frames(c: &mut Criterion) {
    let n = 10_000;
    let mut heap = heap();
    let none: [Cell; 0] = [];
    let row: Pass<'_> = Box::new(|| {
        timed(|| {
            (0..n as u64).fold(0, |sum, _| {
                let frame = heap.open_region().unwrap();
                sum + heap.close_region(black_box(frame), none).unwrap()
            })
        })
    });
    compare(c, "an empty frame", n, vec![("segheap", row)]);

    let (mut heap, mut keeping) = (self::heap(), self::heap());
    let rows: Vec<(&str, Pass<'_>)> = vec![
        (
            "segheap",
            Box::new(|| {
                timed(|| {
                    (0..n as u64).fold(0, |sum, _| {
                        let frame = heap.open_region().unwrap();
                        for i in 0..4_u32 {
                            black_box(heap.alloc(Pair::of(i.into(), Cell::NULL)).unwrap());
                        }
                        sum + heap.close_region(frame, none).unwrap()
                    })
                })
            }),
        ),
        (
            "segheap, one kept",
            Box::new(|| {
                timed(|| {
                    (0..n as u64).fold(0, |sum, _| {
                        let frame = keeping.open_region().unwrap();
                        let first = keeping.alloc(Pair::of(0.into(), Cell::NULL)).unwrap();
                        for i in 1..4_u32 {
                            black_box(keeping.alloc(Pair::of(i.into(), Cell::NULL)).unwrap());
                        }
                        let freed = keeping.close_region(frame, [first]).unwrap();
                        keeping.kill(first).unwrap();
                        sum + freed + 1
                    })
                })
            }),
        ),
        (
            "four Box",
            Box::new(|| {
                timed(|| {
                    (0..n as u64).fold(0, |sum, _| {
                        let boxes = [0_u64, 1, 2, 3].map(|i| black_box(Box::new([i, 0])));
                        sum + boxes.len() as u64
                    })
                })
            }),
        ),
    ];
    compare(c, "a frame with four small objects", n, rows);
}

fn heaps(c: &mut Criterion) {
    let n = 10_000;
    assert!(size_of::<Heap>() <= 2048);
    let rows: Vec<(&str, Pass<'_>)> = vec![
        (
            "segheap",
            filling(
                Vec::with_capacity(n),
                move |heaps| heaps.extend((0..n).map(|_| heap())),
                |heaps: &Vec<Heap>| heaps.iter().map(|heap| 1 + heap.usage().live()).sum(),
                Vec::clear,
            ),
        ),
        (
            "slotmap",
            filling(
                Vec::with_capacity(n),
                move |maps| maps.extend((0..n).map(|_| Slots::new())),
                |maps: &Vec<Slots>| maps.iter().map(|map| 1 + map.len() as u64).sum(),
                Vec::clear,
            ),
        ),
    ];
    compare(c, "empty heaps", n, rows);
}

criterion_group!(benches, warm, fresh, texts, churn, grow, frames, heaps);

fn main() {
    match std::env::var(CHILD) {
        Ok(order) => run_child(&order),
        Err(_) => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}
