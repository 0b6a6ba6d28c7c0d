//! An operation writes the arenas that it declares and no other; in those, the
//! objects that it declares and no other; and one that fails writes nothing.

use proptest::prelude::*;

use crate::machine::frame::Watch;
use crate::machine::{Call, Machine, Step, table};
use crate::support::{config, programs};
use crate::tally;

/// Runs a program; each instruction is held against its declaration.
fn run(seed: u64, program: &[Step]) {
    let mut machine = Machine::new(seed);
    let mut watch = Watch::of(&machine.heap);
    tally::program(program.len());
    for step in program {
        let call = machine.resolve(step);
        let (_, kept) = watch.run(&mut machine, &call);
        tally::assertions(kept.arenas + kept.objects);
    }
    machine.heap.verify().unwrap();
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn operations_write_what_they_declare(seed in any::<u64>(), program in programs(160)) {
        run(seed, &program);
    }

    #[test]
    fn any_bytes_are_a_program(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        run(7, &Step::read(&bytes));
    }
}

/// No row of the table is out of a program's reach: each succeeds on what a
/// machine begins with.
#[test]
fn every_operation_can_succeed() {
    for op in table().rows() {
        let mut machine = Machine::new(1);
        let mut watch = Watch::of(&machine.heap);
        let mut succeeds = |n: u16| {
            // Live objects, and in every other try what needs none.
            let nth = |&takes| machine.pick(takes, [15, 3][usize::from(n % 2)] + n / 2 % 23 * 16);
            let cells = op.takes.iter().map(nth).collect();
            let call = Call { op, cells, numbers: [n * 7, n * 3] };
            watch.run(&mut machine, &call).0.is_ok()
        };
        assert!((0..256).any(&mut succeeds), "{} of {:?} never succeeds", op.name, op.takes);
    }
}
