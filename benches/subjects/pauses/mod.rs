//! How long collections stop a program that allocates 10M pairs beside other live ones:
//! collections at once, in steps, of young objects, and as the default policy has them,
//! beside gc-arena in steps and Lua 5.4. Times are CPU time of the thread, so that other
//! programs on the machine do not count as pauses.
//!
//! A run takes a second or more and yields several figures, so comparisons share runs,
//! each in a process of its own.

mod gc_arena;
mod growth;
mod lua;
mod run;
mod segheap;

use std::sync::atomic::{AtomicBool, Ordering};

use super::Entry;
use super::comparison::{Comparison, Contender, Outcome, Unit};

pub(crate) use lua::LUA_IS_MISSING;
pub(crate) use run::{BUCKETS_PER_OCTAVE, Run, is_child};
use run::{Extra, Scene, run};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("longest pause, steps, 100,000 live", || longest(Mode::Steps, Scene::of(100_000))),
    ("longest pause, steps, 1M live", || longest(Mode::Steps, Scene::of(1_000_000))),
    ("longest pause, steps, 8M live", || longest(Mode::Steps, Scene::of(8_000_000))),
    ("longest pause, young, 100,000 live", || longest(Mode::Young, Scene::of(100_000))),
    ("longest pause, young, 1M live", || longest(Mode::Young, Scene::of(1_000_000))),
    ("longest pause, young, 8M live", || longest(Mode::Young, Scene::of(8_000_000))),
    ("longest pause, default, 100,000 live", || longest(Mode::Default, Scene::of(100_000))),
    ("longest pause, default, 1M live", || longest(Mode::Default, Scene::of(1_000_000))),
    ("longest pause, default, 8M live", || longest(Mode::Default, Scene::of(8_000_000))),
    ("longest pause, steps, 1M roots", || longest(Mode::Steps, Scene::with(Extra::Roots))),
    ("longest pause, steps, 1M pins", || longest(Mode::Steps, Scene::with(Extra::Pins))),
    ("longest pause, steps, map of 10M entries", || longest(Mode::Steps, Scene::with(Extra::Map))),
    ("longest pause, steps, list of 10M cells", || longest(Mode::Steps, Scene::with(Extra::List))),
    ("allocation with steps, 100,000 live", || cost(Mode::Steps, Scene::of(100_000))),
    ("allocation with steps, 1M live", || cost(Mode::Steps, Scene::of(1_000_000))),
    ("allocation with steps, 8M live", || cost(Mode::Steps, Scene::of(8_000_000))),
    ("allocation, young, 1M live", || cost(Mode::Young, Scene::of(1_000_000))),
    ("allocation, young, 8M live", || cost(Mode::Young, Scene::of(8_000_000))),
    ("allocation, default, 1M live", || cost(Mode::Default, Scene::of(1_000_000))),
    ("allocation, default, 8M live", || cost(Mode::Default, Scene::of(8_000_000))),
    ("second collection with 10 live after 8M", || longest(Mode::Peak, Scene::of(8_000_000))),
    ("longest insertion until a map has 10M entries", || longest(Mode::Insert, Scene::of(0))),
    ("longest push until a list has 1 GiB", || longest(Mode::Push, Scene::of(0))),
];

/// Who does the work, and how garbage is collected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `collect` where the policy says that it is due.
    AtOnce,
    /// `collect_debt` without young collections.
    Steps,
    /// `collect_debt`, young collections of 2 MiB only.
    Young,
    /// `collect_debt` by the default policy.
    Default,
    /// Nothing but a collection after a peak.
    Peak,
    PeakOfArena,
    Insert,
    InsertToIndexmap,
    Push,
    PushToVec,
    Arena,
    LuaIncremental,
    LuaGenerational,
}

impl Mode {
    /// All of them, with names for child processes.
    const ALL: [(Mode, &str); 13] = [
        (Mode::AtOnce, "collect"),
        (Mode::Steps, "steps"),
        (Mode::Young, "young"),
        (Mode::Default, "default"),
        (Mode::Peak, "peak"),
        (Mode::PeakOfArena, "peak of an arena"),
        (Mode::Insert, "insert"),
        (Mode::InsertToIndexmap, "insert to indexmap"),
        (Mode::Push, "push"),
        (Mode::PushToVec, "push to Vec"),
        (Mode::Arena, "gc-arena"),
        (Mode::LuaIncremental, "Lua, incremental"),
        (Mode::LuaGenerational, "Lua, generational"),
    ];

    fn name(self) -> &'static str {
        Mode::ALL.iter().find(|(mode, _)| *mode == self).unwrap().1
    }

    /// The contenders of a comparison in which segheap does this.
    fn contenders(self) -> &'static [(&'static str, Mode)] {
        match self {
            Mode::Peak => &[("gc-arena", Mode::PeakOfArena)],
            Mode::Insert => &[("indexmap", Mode::InsertToIndexmap)],
            Mode::Push => &[("Vec", Mode::PushToVec)],
            _ => &[
                ("collect", Mode::AtOnce),
                ("gc-arena", Mode::Arena),
                ("Lua 5.4, incremental", Mode::LuaIncremental),
                ("Lua 5.4, generational", Mode::LuaGenerational),
            ],
        }
    }
}

/// Compares the longest pauses.
fn longest(mode: Mode, scene: Scene) -> Comparison {
    of_runs(mode, scene, 1, |run| run.longest)
}

/// Compares the time of an allocation, collections included.
fn cost(mode: Mode, scene: Scene) -> Comparison {
    of_runs(mode, scene, scene.allocations, |run| run.cost)
}

fn of_runs(mode: Mode, scene: Scene, operations: usize, figure: fn(&Run) -> u64) -> Comparison {
    let all = [("segheap", mode)].into_iter().chain(mode.contenders().iter().copied());
    let contenders = all.map(|(name, mode)| {
        let make = move || {
            let mut round = 0;
            let pass = move |_| {
                round += 1;
                let run = run(mode, scene, round);
                Outcome { cost: figure(&run), result: run.result }
            };
            Box::new(pass) as super::comparison::Pass
        };
        Contender { name, make: Box::new(make) }
    });
    // Seconds a run beside 8M objects.
    let rounds = if scene.live > 1_000_000 || scene.extra != Extra::None { 1 } else { 3 };
    Comparison {
        operations,
        unit: Unit::Nanoseconds,
        fresh: false,
        rounds: Some(rounds),
        contenders: contenders.collect(),
    }
}

/// Whether runs are a hundredth of their size, and only check results.
static IS_SMALL: AtomicBool = AtomicBool::new(false);

/// Makes runs a hundredth of their size from now on.
pub(crate) fn make_small() {
    IS_SMALL.store(true, Ordering::Relaxed);
}

fn scaled(number: usize) -> usize {
    if IS_SMALL.load(Ordering::Relaxed) { number / 100 } else { number }
}

/// Whether a contender cannot run on this machine.
pub(crate) fn is_missing(contender: &str) -> bool {
    contender.starts_with("Lua ") && lua::command().is_none()
}

/// The runs beside 8M pairs so far, for the picture: names and runs.
pub(crate) fn measured() -> Vec<(&'static str, Run)> {
    let scene = Scene::of(8_000_000);
    let modes = [
        ("stop the world (collect)", Mode::AtOnce),
        ("steps only", Mode::Steps),
        ("young collections only", Mode::Young),
        ("default policy", Mode::Default),
        ("gc-arena, in steps", Mode::Arena),
    ];
    let found = |(name, mode)| run::known(mode, scene, 1).map(|run| (name, run));
    modes.into_iter().filter_map(found).collect()
}
