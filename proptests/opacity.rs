//! What cannot be seen: the content of an arena that a program never touches,
//! and where generations start.

use proptest::prelude::*;
use segheap::{Cell, Heap, Kind, Settings, abi};

use crate::machine::frame::Watch;
use crate::machine::{Answer, Effect, Machine, Operation, Step, Takes, arenas, sealed, table};
use crate::support::{config, programs};
use crate::tally;

/// Whether an operation writes this arena, reads it without being given a handle
/// of it, or says something about all arenas.
fn touches(op: &Operation, kind: Kind) -> bool {
    let taken = op.takes.iter().any(|&takes| match takes {
        Takes::Of(of) => of == kind,
        Takes::Text => kind == Kind::STR,
        Takes::Integer => kind == Kind::BIGNUM,
        Takes::Seal => kind == sealed(),
        // What a machine holds is no handle of this kind.
        Takes::Object | Takes::Alive | Takes::Value | Takes::Foreign => false,
    });
    let done = op.effects.iter().any(|&effect| match effect {
        Effect::Makes(of) | Effect::Reads(of) => of == kind,
        Effect::Sweeps | Effect::Measures => true,
        Effect::Changes(_) | Effect::Frees(_) | Effect::Copies(_) | Effect::Moves => false,
    });
    taken || done
}

/// The operations that write this arena and no other.
fn writers(kind: Kind) -> Vec<&'static Operation> {
    let writes = |op: &&Operation| {
        let writes = |effect: &Effect| match *effect {
            Effect::Makes(of) => of == kind,
            Effect::Changes(n) => op.takes[n] == Takes::Of(kind),
            _ => false,
        };
        !op.effects.is_empty() && op.effects.iter().all(writes)
    };
    table().rows().filter(writes).collect()
}

/// A machine whose arena of this kind was changed by these steps, and that holds
/// no handle of it any more.
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

/// Answers, and the bits of everything that the program holds at its end.
fn observe(machine: &mut Machine, steps: &[Step]) -> (Vec<Answer>, Vec<Cell>) {
    tally::program(steps.len());
    let run = |step| {
        let call = machine.resolve(step);
        machine.run(&call)
    };
    (steps.iter().map(run).collect(), machine.handles.clone())
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn arenas_that_are_never_touched(
        seed in any::<u64>(),
        untouched in 0..13_usize,
        first in programs(40),
        other in programs(40),
        program in programs(120),
    ) {
        let kind = arenas().nth(untouched).unwrap();
        let program: Vec<Step> =
            program.into_iter().filter(|step| !touches(step.operation(), kind)).collect();
        let mut machines = [first, other].map(|steps| prepared(seed, kind, &steps));
        let [(answers, held), seen] = machines.each_mut().map(|machine| observe(machine, &program));
        for (n, (one, other)) in answers.iter().zip(&seen.0).enumerate() {
            assert_eq!(one, other, "of {:?}, which tells of the arena of {kind}", program[n]);
        }
        assert_eq!(held.iter().map(|&cell| abi::bits(cell)).collect::<Vec<_>>(),
            seen.1.iter().map(|&cell| abi::bits(cell)).collect::<Vec<_>>());
        // The other arenas are the same to the last byte.
        for (arena, same) in Watch::of(&machines[0].heap).same(&machines[1].heap) {
            assert!(same || arena == kind, "the arena of {arena} tells of that of {kind}");
        }
    }

    #[test]
    fn where_generations_start(
        seeds in any::<[u64; 2]>(),
        program in programs(160),
    ) {
        let [one, other] = seeds.map(|seed| {
            let settings = Settings::seeded(7).generation_seed(seed).limits(Machine::LIMITS);
            let mut machine = Machine::on(Heap::with(settings)).unwrap();
            // Which handles of another heap are refused does depend on them.
            machine.foreign.clear();
            let (answers, held) = observe(&mut machine, &program);
            (answers, held.iter().map(|cell| format!("{cell:?}")).collect::<Vec<_>>())
        });
        for (n, (one, other)) in one.0.iter().zip(&other.0).enumerate() {
            assert_eq!(one, other, "of {:?}", program[n]);
        }
        assert_eq!(one.1, other.1);
    }
}
