//! A program cannot observe the contents of an arena that it never accesses, nor
//! where generations start.

use proptest::prelude::*;
use segheap::{Cell, Heap, Kind, Settings, abi};

use crate::counters;
use crate::machine::frame::Monitor;
use crate::machine::{
    Effect, Machine, Operation, Outcome, Step, Takes, host, kinds, operation, sealed, table,
};
use crate::support::{config, programs};

/// Whether an operation takes handles of this arena, writes it, or depends on it
/// or on all arenas.
fn accesses(op: &Operation, kind: Kind) -> bool {
    let taken = op.takes.iter().any(|&takes| match takes {
        Takes::Of(other) => other == kind,
        Takes::Text => kind == Kind::STR,
        Takes::Integer => kind == Kind::BIGNUM,
        Takes::Seal => kind == sealed(),
        // The machine holds no handle of this kind.
        Takes::Object | Takes::ObjectOrSeal | Takes::Value | Takes::Foreign => false,
    });
    let affected = op.effects.iter().any(|&effect| match effect {
        Effect::Allocates(other) | Effect::Reads(other) => other == kind,
        Effect::Sweeps | Effect::ReadsUsage => true,
        Effect::Changes(_) | Effect::Frees(_) | Effect::Transplants(_) | Effect::Moves => false,
    });
    taken || affected
}

/// The operations that write this arena and no other.
fn writers(kind: Kind) -> Vec<&'static Operation> {
    let writes = |op: &&Operation| {
        let writes = |effect: &Effect| match *effect {
            Effect::Allocates(other) => other == kind,
            Effect::Changes(n) => op.takes[n] == Takes::Of(kind),
            _ => false,
        };
        !op.effects.is_empty() && op.effects.iter().all(writes)
    };
    table().rows().filter(writes).collect()
}

/// A machine that ran these steps on the arena of this kind and then dropped all
/// handles of the arena.
fn prepared(seed: u64, kind: Kind, steps: &[Step]) -> Machine {
    let mut machine = Machine::new(seed);
    let (before, writers) = (machine.handles.clone(), writers(kind));
    for step in steps {
        let call = machine.call(writers[usize::from(step.op) % writers.len()], step);
        let _ = machine.run(&call);
    }
    machine.handles = before;
    machine.forget(kind);
    machine
}

/// Runs a program. Returns the outcomes and the cells that the program holds then.
fn observe(machine: &mut Machine, steps: &[Step]) -> (Vec<Outcome>, Vec<Cell>) {
    counters::program(steps.len());
    let run = |step| {
        let call = machine.resolve(step);
        machine.run(&call)
    };
    (steps.iter().map(run).collect(), machine.handles.clone())
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn arenas_that_a_program_never_accesses(
        seed in any::<u64>(),
        arena in 0..kinds().count() + 2,
        first in programs(40),
        other in programs(40),
        program in programs(120),
    ) {
        let kind = kinds().chain([host(), sealed()]).nth(arena).unwrap();
        let program: Vec<Step> =
            program.into_iter().filter(|step| !accesses(operation(step), kind)).collect();
        let mut machines = [first, other].map(|steps| prepared(seed, kind, &steps));
        let [one, other] = machines.each_mut().map(|machine| observe(machine, &program));
        for (n, (one, other)) in one.0.iter().zip(&other.0).enumerate() {
            assert_eq!(one, other, "{:?} depends on the arena of {kind}", program[n]);
        }
        let bits = |cells: &[Cell]| cells.iter().map(|&cell| abi::bits(cell)).collect::<Vec<_>>();
        assert_eq!(bits(&one.1), bits(&other.1));
        // All other arenas have the same bytes.
        for (arena, same) in Monitor::of(&machines[0].heap).compare(&machines[1].heap) {
            assert!(same || arena == kind, "the arena of {arena} depends on that of {kind}");
        }
    }

    #[test]
    fn initial_generations(
        seeds in any::<[u64; 2]>(),
        program in programs(160),
    ) {
        let [one, other] = seeds.map(|seed| {
            let settings = Settings::seeded(7).generation_seed(seed).limits(Machine::LIMITS);
            let mut machine = Machine::on(Heap::with(settings)).unwrap();
            // Whether a handle of another heap is accepted does depend on them.
            machine.foreign.clear();
            let (outcomes, held) = observe(&mut machine, &program);
            (outcomes, held.iter().map(|cell| format!("{cell:?}")).collect::<Vec<_>>())
        });
        for (n, (one, other)) in one.0.iter().zip(&other.0).enumerate() {
            assert_eq!(one, other, "{:?} depends on generations", program[n]);
        }
        assert_eq!(one.1, other.1);
    }
}
