//! Collection, regions and compaction: deep graphs, lack of memory, and costs.

mod compaction;
mod compaction_steps;
mod depth;
mod exhaustive;
mod large;
mod pacing;
mod pressure;
mod regions;
mod retries;
mod rollback;
mod roots;
mod stats;
mod steps;
mod steps_more;
mod weak;
mod weak_programs;

use segheap::{Cell, Heap, Limits, List, Pair, Settings};

const NONE: [Cell; 0] = [];

fn heap() -> Heap {
    Heap::with(Settings::seeded(3))
}

fn limited(limits: Limits) -> Heap {
    Heap::with(Settings::seeded(3).limits(limits))
}

fn pair(heap: &mut Heap) -> Cell {
    heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell()
}

/// A chain of lists and pairs; returns its head.
fn chain(heap: &mut Heap, len: u64) -> Cell {
    let mut cell = Cell::NULL;
    for n in 0..len {
        cell = match n % 2 {
            0 => heap.alloc(Pair::of(Cell::NULL, cell)).unwrap().into(),
            _ => heap.alloc(List::of(&[cell])).unwrap().into(),
        };
    }
    cell
}
