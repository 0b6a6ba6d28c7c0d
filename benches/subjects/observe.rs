//! Seeing what a heap does: heap snapshots, allocation profiles.

use std::fmt::{self, Write};

use segheap::{Cell, Heap, Pair};

use super::comparison::{Comparison, comparison};
use super::{Entry, heap, reading};

const OBJECTS: usize = 1_000_000;
const PAIRS: usize = 1_000;

pub(crate) const COMPARISONS: &[Entry] =
    &[("heap snapshot of 1M pairs", snapshot), ("allocation profile: 1,000 pairs", profile)];

/// Counts bytes.
struct Counting(u64);

impl Write for Counting {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len() as u64;
        Ok(())
    }
}

/// A list of pairs.
fn snapshot() -> Comparison {
    comparison(
        OBJECTS,
        (),
        [("segheap", |_| {
            let mut heap = heap();
            let mut list = Cell::NULL;
            for n in 0..OBJECTS as u32 {
                list = heap.alloc(Pair::of(n.into(), list)).unwrap().cell();
            }
            reading(move || {
                let mut out = Counting(0);
                let totals = heap.write_heap_snapshot(&mut out, [list], &()).unwrap();
                assert!(out.0 > totals.nodes * 20);
                totals.nodes
            })
        })],
    )
}

fn pairs(heap: &mut Heap) -> u64 {
    for n in 0..PAIRS as u32 {
        heap.set_site(n % 16);
        heap.alloc(Pair::of(n.into(), Cell::NULL)).unwrap();
    }
    let live = heap.usage().live();
    heap.clear();
    live
}

/// Counted by site and kind, or not.
fn profile() -> Comparison {
    comparison(
        PAIRS,
        (),
        [
            ("segheap", |_| {
                let mut heap = heap();
                heap.start_profile().unwrap();
                reading(move || pairs(&mut heap))
            }),
            ("without", |_| {
                let mut heap = heap();
                reading(move || pairs(&mut heap))
            }),
        ],
    )
}
