//! Frame conditions: an operation writes only the arenas it declares and, within
//! them, only the objects it declares; an operation that fails writes nothing.

use proptest::prelude::*;

use crate::counters;
use crate::machine::frame::Monitor;
use crate::machine::{Call, Machine, Step, table};
use crate::support::{config, programs};

/// Runs a program and checks each instruction against its declaration.
fn run(seed: u64, program: &[Step]) {
    let mut machine = Machine::new(seed);
    let mut monitor = Monitor::of(&machine.heap);
    counters::program(program.len());
    for step in program {
        let call = machine.resolve(step);
        let (_, untouched) = monitor.run(&mut machine, &call);
        counters::assertions((untouched.arenas + untouched.objects) as usize);
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

/// Each operation succeeds on the initial state of a machine for some arguments,
/// so random programs can reach the success path of every row.
#[test]
fn every_operation_can_succeed() {
    for op in table().rows() {
        let mut machine = Machine::new(1);
        let mut monitor = Monitor::of(&machine.heap);
        let mut succeeds = |n: u16| {
            // Live objects; on odd attempts, immediates where they are accepted.
            let nth = |&takes| machine.pick(takes, [15, 3][usize::from(n % 2)] + n / 2 % 23 * 16);
            let cells = op.takes.iter().map(nth).collect();
            let call = Call { op, cells, numbers: [n * 7, n * 3] };
            monitor.run(&mut machine, &call).0.is_ok()
        };
        assert!((0..256).any(&mut succeeds), "{} of {:?} never succeeds", op.name, op.takes);
    }
}
