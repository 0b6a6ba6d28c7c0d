//! Runs of gc-arena.

use cpu_time::ThreadTime;
use gc_arena::lock::RefLock;
use gc_arena::{Arena, Collect, Gc, Rootable};

use super::run::{BATCH, Run, Scene};
use crate::subjects::Random;

#[derive(Clone, Copy, Collect)]
#[collect(no_drop)]
struct Pair<'gc> {
    number: u64,
    next: Option<Gc<'gc, Pair<'gc>>>,
}

type List<'gc> = Gc<'gc, RefLock<Vec<Gc<'gc, Pair<'gc>>>>>;

/// The table of lists is an object, as in the other runs: the root is traced at once.
#[derive(Collect)]
#[collect(no_drop)]
struct Root<'gc> {
    lists: Gc<'gc, Vec<List<'gc>>>,
    registers: [Option<Gc<'gc, Pair<'gc>>>; 8],
}

type Machine = Arena<Rootable![Root<'_>]>;

fn build(live: usize) -> Machine {
    Machine::new(|mc| {
        let pair = |number| Gc::new(mc, Pair { number, next: None });
        let list = |n: usize| (n * BATCH..(n + 1) * BATCH).map(|n| pair(n as u64)).collect();
        let lists = (0..live / BATCH).map(|n| Gc::new(mc, RefLock::new(list(n)))).collect();
        Root { lists: Gc::new(mc, lists), registers: [None; 8] }
    })
}

/// As [`super::segheap::run`], with the default pacing.
pub(super) fn run(scene: &Scene) -> Run {
    let mut machine = build(scene.live);
    machine.finish_cycle();
    let (mut run, mut random) = (Run::default(), Random(1));
    let start = ThreadTime::now();
    for batch in 0..scene.allocations / BATCH {
        machine.mutate_root(|mc, root| {
            for n in 0..BATCH {
                let number = (batch * BATCH + n) as u64;
                let pair = Gc::new(mc, Pair { number, next: root.registers[n % 8] });
                root.registers[n % 8] = if n % 16 < 8 { None } else { Some(pair) };
                if n == 8 {
                    let list = root.lists[random.below(root.lists.len())];
                    list.borrow_mut(mc)[random.below(BATCH)] = pair;
                }
            }
        });
        if machine.metrics().allocation_debt() > 0.0 {
            run.pause(|| machine.collect_debt());
        }
    }
    let run = run.done(start, 0);
    let result = machine.mutate(|_, root| {
        let numbers = |list: &List<'_>| list.borrow().iter().map(|pair| pair.number).sum::<u64>();
        root.lists.iter().map(numbers).sum()
    });
    Run { result, ..run }
}

/// As [`super::segheap::peak`].
pub(super) fn peak(scene: &Scene) -> Run {
    type Kept = Arena<Rootable![Vec<Gc<'_, Pair<'_>>>]>;
    let mut machine = Kept::new(|mc| {
        let mut kept = Vec::new();
        for n in 0..scene.live {
            let pair = Gc::new(mc, Pair { number: n as u64, next: None });
            if n % (scene.live / 10) == 0 && kept.len() < 10 {
                kept.push(pair);
            }
        }
        kept
    });
    machine.finish_cycle();
    let (mut run, start) = (Run::default(), ThreadTime::now());
    run.pause(|| machine.finish_cycle());
    let live = machine.metrics().total_gc_count();
    run.done(start, live as u64)
}
