//! Runs, each in a child process, and what is measured in them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use cpu_time::ThreadTime;

use super::{Mode, gc_arena, growth, lua, scaled, segheap};

/// Pairs in each list of live ones, and allocations between two safe points.
pub(super) const BATCH: usize = 64;

/// What is live beside the pairs that are allocated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scene {
    pub(super) live: usize,
    pub(super) extra: Extra,
    pub(super) allocations: usize,
}

/// What else is live, beside 100,000 pairs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    None,
    Roots,
    Pins,
    Map,
    List,
}

impl Extra {
    const ALL: [Extra; 5] = [Extra::None, Extra::Roots, Extra::Pins, Extra::Map, Extra::List];
}

impl Scene {
    pub(super) fn of(live: usize) -> Scene {
        let (live, allocations) = (scaled(live), scaled(10_000_000));
        Scene { live: live / BATCH * BATCH, extra: Extra::None, allocations }
    }

    pub(super) fn with(extra: Extra) -> Scene {
        Scene { extra, ..Scene::of(100_000) }
    }

    /// The number of things of the extra kind.
    pub(super) fn extras(&self) -> usize {
        match self.extra {
            Extra::None => 0,
            Extra::Roots | Extra::Pins => self.allocations / 10,
            Extra::Map | Extra::List => self.allocations,
        }
    }
}

/// The pauses of a run, by length: place `n` counts those of `2^(n / 2)` ns and more.
pub(crate) const BUCKETS_PER_OCTAVE: usize = 2;

/// What a run measured, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// Equal for all modes.
    pub(crate) result: u64,
    pub(crate) longest: u64,
    /// Of the allocations and the collections.
    pub(crate) cost: u64,
    /// The numbers of pauses by length.
    pub(crate) pauses: Vec<u64>,
}

impl Run {
    /// Measures a pause.
    pub(super) fn pause<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = ThreadTime::now();
        let result = work();
        let nanoseconds = nanoseconds(start.elapsed());
        self.longest = self.longest.max(nanoseconds);
        let octaves = (nanoseconds.max(1) as f64).log2();
        let place = (octaves * BUCKETS_PER_OCTAVE as f64) as usize;
        self.pauses.resize(self.pauses.len().max(place + 1), 0);
        self.pauses[place] += 1;
        result
    }

    /// The work is done, which began at `start`.
    pub(super) fn done(mut self, start: ThreadTime, result: u64) -> Run {
        (self.cost, self.result) = (nanoseconds(start.elapsed()), result);
        self
    }

    fn print(&self) -> String {
        let pauses: Vec<String> = self.pauses.iter().map(u64::to_string).collect();
        format!("{} {} {} {}", self.result, self.longest, self.cost, pauses.join(" "))
    }

    /// Reads what [`Run::print`] or the script in Lua has printed.
    pub(super) fn parse(text: &str) -> Option<Run> {
        let numbers: Option<Vec<u64>> = text.split_whitespace().map(|n| n.parse().ok()).collect();
        let numbers = numbers?;
        let [result, longest, cost, ref pauses @ ..] = numbers[..] else { return None };
        Some(Run { result, longest, cost, pauses: pauses.to_vec() })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}

/// Mode, scene and round.
type Key = (&'static str, usize, usize, usize, usize);

thread_local! {
    static RUNS: RefCell<BTreeMap<Key, Run>> = const { RefCell::new(BTreeMap::new()) };
}

fn key(mode: Mode, scene: Scene, round: usize) -> Key {
    (mode.name(), scene.live, scene.extra as usize, scene.allocations, round)
}

/// A run that was made before.
pub(super) fn known(mode: Mode, scene: Scene, round: usize) -> Option<Run> {
    RUNS.with_borrow(|runs| runs.get(&key(mode, scene, round)).cloned())
}

/// Makes a run, unless it was made before.
pub(super) fn run(mode: Mode, scene: Scene, round: usize) -> Run {
    let key = key(mode, scene, round);
    if let Some(run) = known(mode, scene, round) {
        return run;
    }
    let mut command = match mode {
        Mode::LuaIncremental => lua::script("incremental", &scene),
        Mode::LuaGenerational => lua::script("generational", &scene),
        _ => {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let numbers = [scene.live, scene.extra as usize, scene.allocations];
            command.args([ARGUMENT, mode.name()]).args(numbers.map(|n| n.to_string()));
            command
        }
    };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let run = Run::parse(&text).unwrap_or_else(|| {
        panic!("{}: {text}{}", mode.name(), String::from_utf8_lossy(&output.stderr))
    });
    RUNS.with_borrow_mut(|runs| runs.insert(key, run.clone()));
    run
}

/// Makes this program do one run and print it.
const ARGUMENT: &str = "--one-run-with-pauses";

/// Does the run if this process is such a child, and returns whether it is.
pub(crate) fn is_child() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [argument, mode, live, extra, allocations] = &arguments[..] else { return false };
    if argument != ARGUMENT {
        return false;
    }
    let (mode, _) = *Mode::ALL.iter().find(|(_, name)| name == mode).unwrap();
    let [live, extra, allocations] = [live, extra, allocations].map(|n| n.parse().unwrap());
    let scene = Scene { live, extra: Extra::ALL[extra], allocations };
    let run = match mode {
        Mode::Peak => segheap::peak(&scene).unwrap(),
        Mode::PeakOfArena => gc_arena::peak(&scene),
        Mode::Insert => growth::insert(&scene).unwrap(),
        Mode::InsertToIndexmap => growth::insert_to_indexmap(&scene),
        Mode::Push => growth::push(&scene).unwrap(),
        Mode::PushToVec => growth::push_to_vec(&scene),
        Mode::Arena => gc_arena::run(&scene),
        _ => segheap::run(mode, &scene).unwrap(),
    };
    println!("{}", run.print());
    true
}
