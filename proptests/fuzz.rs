//! The fuzz targets (`fuzz/`): programs of the property tests, decoded from bytes.
//! Tests run their seed inputs, and a stress test runs many random programs and
//! verifies the heap after each operation.

use std::fs;
use std::path::Path;
use std::time::Instant;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use segheap::{Heap, Limits, Settings};

use crate::machine::frame::Monitor;
use crate::machine::{Machine, Step as Instruction};
use crate::programs::{Harness, Op, op};
use crate::{copies, images, limits, memory, support};

type Target = fn(&[u8]);

/// The targets, by name.
pub const TARGETS: [(&str, Target); 5] = [
    ("operations", operations),
    ("programs", programs),
    ("memory", memory),
    ("copies", copies),
    ("images", images),
];

/// The bytes of an operation of the targets other than `operations`. They seed a
/// generator: any bytes are a program, and a mutation changes one operation.
const BYTES: usize = 4;

/// The seed of a heap, and its limits.
type Setting = (u64, Option<Limits>);

/// An operation, and after how many growths allocation fails in it.
type Step = (Op, Option<u64>);

fn setting() -> impl Strategy<Value = Setting> {
    let limits = prop_oneof![3 => Just(None), 1 => limits::limits().prop_map(Some)];
    (any::<u64>(), limits)
}

fn step() -> impl Strategy<Value = Step> {
    (op(), prop_oneof![7 => Just(None), 1 => (0_u64..4).prop_map(Some)])
}

fn run((seed, limits): Setting, steps: &[Step]) {
    if let Some(limits) = limits {
        let heap = Heap::with(Settings::seeded(seed).limits(limits));
        return limits::program(&mut Harness::new(heap, true), steps, limits);
    }
    let mut harness = Harness::new(support::heap(seed), false);
    for (op, _) in steps {
        // The reference heap returns the same error.
        let _ = harness.run(op);
        assert_eq!(harness.heap.verify(), Ok(()), "{op:?}");
    }
    harness.compare_all();
}

/// Generates a value from a seed of up to 32 bytes.
fn generate<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>, seed: &[u8]) -> T {
    let mut padded = [0; 32];
    padded[..seed.len()].copy_from_slice(seed);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &padded);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).unwrap().current()
}

/// Splits an input into the seed of the setting and those of the operations.
fn split(bytes: &[u8]) -> (&[u8], std::slice::Chunks<'_, u8>) {
    let (first, rest) = bytes.split_at(bytes.len().min(BYTES));
    (first, rest.chunks(BYTES))
}

/// Each operation writes only what it declares and leaves the heap consistent.
pub fn operations(bytes: &[u8]) {
    let mut machine = Machine::new(7);
    let mut watch = Monitor::of(&machine.heap);
    for instruction in Instruction::read(bytes) {
        let call = machine.resolve(&instruction);
        let _ = watch.run(&mut machine, &call);
        assert_eq!(machine.heap.verify(), Ok(()), "{instruction:?}");
    }
}

/// A heap agrees with the reference heap.
pub fn programs(bytes: &[u8]) {
    thread_local!(static PARTS: (BoxedStrategy<Setting>, BoxedStrategy<Step>) =
        (setting().boxed(), step().boxed()));
    let (first, rest) = split(bytes);
    PARTS.with(|(setting, step)| {
        let steps: Vec<Step> = rest.map(|seed| generate(step, seed)).collect();
        run(generate(setting, first), &steps);
    });
}

/// A memory agrees with a vector of bytes.
pub fn memory(bytes: &[u8]) {
    thread_local!(static PARTS: (BoxedStrategy<memory::Extent>, BoxedStrategy<memory::Op>) =
        (memory::extent().boxed(), memory::op().boxed()));
    let (first, rest) = split(bytes);
    PARTS.with(|(extent, op)| {
        let ops: Vec<memory::Op> = rest.map(|seed| generate(op, seed)).collect();
        memory::run(generate(extent, first), &ops);
    });
}

/// A bulk copy agrees with a copy of one element at a time.
pub fn copies(bytes: &[u8]) {
    thread_local!(static COPY: BoxedStrategy<copies::Copy> = copies::copy().boxed());
    COPY.with(|copy| {
        let copies: Vec<copies::Copy> =
            bytes.chunks(BYTES).map(|seed| generate(copy, seed)).collect();
        copies::run(&copies);
    });
}

/// Damaged images are refused or sound. The first byte says how many words of damage follow, of
/// 16 bytes each: where, and what instead. The rest is a program, which makes the heap.
pub fn images(bytes: &[u8]) {
    let Some((&count, rest)) = bytes.split_first() else { return };
    let (damage, program) = rest.split_at(rest.len().min(16 * usize::from(count % 64)));
    let mut machine = Machine::new(7);
    for instruction in Instruction::read(program) {
        let call = machine.resolve(&instruction);
        let _ = machine.run(&call);
    }
    machine.heap.fail_growth_after(None);
    machine.heap.set_limits(Machine::LIMITS);
    for cell in machine.handles.clone() {
        let _ = machine.heap.take_host::<u32>(cell);
    }
    let Ok(mut fork) = machine.heap.try_clone() else { return };
    let mut image = images::save(&mut fork).unwrap();
    for damage in damage.chunks_exact(16) {
        let (at, word) = damage.split_at(8);
        let words = image.len() / 8;
        let at = u64::from_le_bytes(at.try_into().unwrap()) as usize % words * 8;
        image[at..at + 8].copy_from_slice(word);
    }
    images::is_refused_or_sound(&image);
}

#[test]
fn the_seeds_run() {
    for (name, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(name);
        let mut inputs = 0;
        for file in fs::read_dir(folder).unwrap() {
            run(&fs::read(file.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{name}");
    }
}

/// Runs random programs and verifies the heap after each operation.
/// `STRESS_PROGRAMS` sets how many, `STRESS_SEED` the seed.
#[test]
#[ignore = "takes a minute"]
fn stress() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = number("STRESS_SEED").unwrap_or(clock);
    let programs = number("STRESS_PROGRAMS").unwrap_or(60_000);
    println!("STRESS_SEED={seed}");
    let (started, mut operations) = (Instant::now(), 0);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let program = (setting(), prop::collection::vec(step(), 1..100));
    for _ in 0..programs {
        let (setting, steps) = program.new_tree(&mut runner).unwrap().current();
        operations += steps.len();
        run(setting, &steps);
    }
    println!("{programs} programs, {operations} operations, {:?}", started.elapsed());
}
