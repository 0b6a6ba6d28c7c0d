//! The measured work. Each file has the comparisons of one subject.
//! `cargo bench --bench scoreboard` compares segheap with its peers,
//! `cargo bench --bench comparisons` times every contender by itself.

pub(crate) mod access;
pub(crate) mod alloc;
pub(crate) mod collect;
pub(crate) mod comparison;
pub(crate) mod copies;
pub(crate) mod fresh;
pub(crate) mod images;
pub(crate) mod key_maps;
pub(crate) mod maps;
mod numbers;
mod observe;
pub(crate) mod overheads;
pub(crate) mod pauses;
pub(crate) mod push;
pub(crate) mod reclaim;
pub(crate) mod records;
pub(crate) mod text_maps;
mod texts;
pub(crate) mod values;

use std::hint::black_box;
use std::time::Instant;

use segheap::abi::bits;
use segheap::{Cell, Heap, Settings};
use slotmap::{DefaultKey, SlotMap};

use comparison::{Comparison, Outcome, Pass};

/// A comparison by name. It is built on demand, as many take memory and time.
pub(crate) type Entry = (&'static str, fn() -> Comparison);

/// All comparisons.
pub(crate) fn comparisons() -> impl Iterator<Item = Entry> {
    [
        access::COMPARISONS,
        push::COMPARISONS,
        alloc::COMPARISONS,
        texts::COMPARISONS,
        reclaim::COMPARISONS,
        copies::COMPARISONS,
        maps::COMPARISONS,
        text_maps::COMPARISONS,
        key_maps::COMPARISONS,
        values::COMPARISONS,
        numbers::COMPARISONS,
        records::COMPARISONS,
        collect::COMPARISONS,
        pauses::COMPARISONS,
        images::COMPARISONS,
        overheads::COMPARISONS,
        observe::COMPARISONS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Finds a comparison by its name.
pub(crate) fn find(wanted: &str) -> Option<Entry> {
    comparisons().find(|(name, _)| *name == wanted)
}

/// Builds a comparison. Its contenders run in child processes if it asks for that.
pub(crate) fn open((name, make): Entry) -> Comparison {
    let mut comparison = make();
    if comparison.fresh {
        for contender in &mut comparison.contenders {
            let contender_name = contender.name;
            contender.make = Box::new(move || fresh::in_child(name, contender_name));
        }
    }
    comparison
}

/// A slot map in the role of a heap of lists.
type Slots = SlotMap<DefaultKey, Vec<u64>>;

/// Does what the arguments ask for if this process is a child that makes one pass or one
/// run, and returns whether it is.
pub(crate) fn is_child() -> bool {
    fresh::is_child() || pauses::is_child()
}

fn timed<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let start = Instant::now();
    let result = black_box(work());
    (start.elapsed().as_nanos() as u64, result)
}

/// A pass that reads, and whose work computes its result.
fn reading(mut pass: impl FnMut() -> u64 + 'static) -> Pass {
    Box::new(move |_| {
        let (cost, result) = timed(&mut pass);
        Outcome { cost, result }
    })
}

/// A pass so short that the clock would show: runs `times` times and returns the
/// result of the last run.
fn repeating(times: usize, mut pass: impl FnMut() -> u64 + 'static) -> Pass {
    reading(move || (0..times).fold(0, |_, _| black_box(pass())))
}

/// A pass that writes. `result` reads what was written, `undo` clears it and keeps
/// the capacity. Neither is timed.
fn writing<S: 'static>(
    mut state: S,
    mut pass: impl FnMut(&mut S) + 'static,
    mut result: impl FnMut(&S) -> u64 + 'static,
    mut undo: impl FnMut(&mut S) + 'static,
) -> Pass {
    Box::new(move |wanted| {
        let (cost, ()) = timed(|| pass(&mut state));
        let result = if wanted { result(&state) } else { 0 };
        undo(&mut state);
        Outcome { cost, result }
    })
}

/// A small linear congruential generator.
struct Random(u64);

impl Random {
    /// Returns a number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        ((self.0 >> 32) as usize * n) >> 32
    }

    /// Returns the numbers below `n` in random order.
    fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

fn heap() -> Heap {
    Heap::with(Settings::seeded(1))
}

fn cells(n: usize) -> Vec<Cell> {
    (0..n as u32).map(Cell::from).collect()
}

fn words(cells: &[Cell]) -> Vec<u64> {
    cells.iter().map(|&cell| bits(cell)).collect()
}

fn total<'a>(words: impl IntoIterator<Item = &'a u64>) -> u64 {
    words.into_iter().fold(0, |sum, &word| sum.wrapping_add(word))
}
