//! The work that is measured. Each file holds contests about one subject;
//! `cargo bench --bench scoreboard` sets segheap against its peers in them, and
//! `cargo bench --bench contests` times every contestant by itself.

pub(crate) mod access;
pub(crate) mod alloc;
pub(crate) mod collect;
pub(crate) mod contest;
pub(crate) mod copies;
pub(crate) mod fresh;
pub(crate) mod maps;
pub(crate) mod prices;
pub(crate) mod values;

use std::hint::black_box;
use std::time::Instant;

use segheap::abi::bits;
use segheap::{Cell, Heap, Settings};
use slotmap::{DefaultKey, SlotMap};

use contest::{Contest, Outcome, Pass};

/// A contest by its name. It is made when it is wanted: many take memory and time.
pub(crate) type Entry = (&'static str, fn() -> Contest);

/// All contests.
pub(crate) fn contests() -> impl Iterator<Item = Entry> {
    [
        access::CONTESTS,
        alloc::CONTESTS,
        copies::CONTESTS,
        maps::CONTESTS,
        values::CONTESTS,
        collect::CONTESTS,
        prices::CONTESTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The contest of this name.
pub(crate) fn find(wanted: &str) -> Option<Entry> {
    contests().find(|(name, _)| *name == wanted)
}

/// Makes a contest. Contestants that want a process of their own get one.
pub(crate) fn open((name, make): Entry) -> Contest {
    let mut contest = make();
    if contest.fresh {
        for contestant in &mut contest.contestants {
            let who = contestant.name;
            contestant.make = Box::new(move || fresh::apart(name, who));
        }
    }
    contest
}

/// A slot map as it takes the place of a heap of lists.
type Slots = SlotMap<DefaultKey, Vec<u64>>;

fn timed<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let start = Instant::now();
    let result = black_box(work());
    (start.elapsed().as_nanos() as u64, result)
}

/// A pass that reads, and so is its own answer.
fn reading(mut pass: impl FnMut() -> u64 + 'static) -> Pass {
    Box::new(move |_| {
        let (cost, answer) = timed(&mut pass);
        Outcome { cost, answer }
    })
}

/// A pass so short that the clock would be seen: done `times` times, of which
/// the last one answers.
fn repeating(times: usize, mut pass: impl FnMut() -> u64 + 'static) -> Pass {
    reading(move || (0..times).fold(0, |_, _| black_box(pass())))
}

/// A pass that writes. `answer` looks at what was written, `undo` clears it away
/// and keeps what is reserved; neither is timed.
fn writing<S: 'static>(
    mut state: S,
    mut pass: impl FnMut(&mut S) + 'static,
    mut answer: impl FnMut(&S) -> u64 + 'static,
    mut undo: impl FnMut(&mut S) + 'static,
) -> Pass {
    Box::new(move |asked| {
        let (cost, ()) = timed(|| pass(&mut state));
        let answer = if asked { answer(&state) } else { 0 };
        undo(&mut state);
        Outcome { cost, answer }
    })
}

/// A small generator of numbers below `n`.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        ((self.0 >> 32) as usize * n) >> 32
    }

    /// The numbers below `n`, each once.
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
