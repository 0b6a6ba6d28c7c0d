//! What the fuzz targets (`fuzz/`) run: programs of the properties, made of
//! bytes. Their seeds run here too, and so do long runs of random programs that
//! verify the heap after every operation.

use std::fs;
use std::path::Path;
use std::time::Instant;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use segheap::{Heap, Limits, Settings};

use crate::machine::frame::Watch;
use crate::machine::{Machine, Step as Instruction};
use crate::programs::{Op, World, op};
use crate::{copies, limits, memory, support};

type Target = fn(&[u8]);

/// The targets, by name.
pub const TARGETS: [(&str, Target); 4] =
    [("operations", operations), ("programs", programs), ("memory", memory), ("copies", copies)];

/// Bytes that an operation of the other three is made of. They are a seed: a change of one changes
/// the whole operation and no other, and any bytes are a program.
const BYTES: usize = 4;

type Setting = (u64, Option<Limits>);
type Step = (Op, Option<u64>);

fn setting() -> impl Strategy<Value = Setting> {
    let limits = prop_oneof![3 => Just(None), 1 => limits::limits().prop_map(Some)];
    (any::<u64>(), limits)
}

/// An operation, and how often memory may grow in it.
fn step() -> impl Strategy<Value = Step> {
    (op(), prop_oneof![7 => Just(None), 1 => (0_u64..4).prop_map(Some)])
}

fn run((seed, limits): Setting, steps: &[Step]) {
    if let Some(limits) = limits {
        let heap = Heap::with(Settings::seeded(seed).limits(limits));
        return limits::program(&mut World::new(heap, true), steps, limits);
    }
    let mut world = World::new(support::heap(seed), false);
    for (op, _) in steps {
        // An error is one that the twin answered as well.
        let _ = world.run(op);
        assert_eq!(world.heap.verify(), Ok(()), "{op:?}");
    }
    world.compare_all();
}

fn random<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>, seed: &[u8]) -> T {
    let mut whole = [0; 32];
    whole[..seed.len()].copy_from_slice(seed);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &whole);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).unwrap().current()
}

/// What comes first, and the operations.
fn split(bytes: &[u8]) -> (&[u8], std::slice::Chunks<'_, u8>) {
    let (first, rest) = bytes.split_at(bytes.len().min(BYTES));
    (first, rest.chunks(BYTES))
}

/// Every operation writes what it declares, and leaves the heap sound.
pub fn operations(bytes: &[u8]) {
    let mut machine = Machine::new(7);
    let mut watch = Watch::of(&machine.heap);
    for instruction in Instruction::read(bytes) {
        let call = machine.resolve(&instruction);
        let _ = watch.run(&mut machine, &call);
        assert_eq!(machine.heap.verify(), Ok(()), "{instruction:?}");
    }
}

/// A heap is the naive heap.
pub fn programs(bytes: &[u8]) {
    thread_local!(static PARTS: (BoxedStrategy<Setting>, BoxedStrategy<Step>) =
        (setting().boxed(), step().boxed()));
    let (first, rest) = split(bytes);
    PARTS.with(|(setting, step)| {
        let steps: Vec<Step> = rest.map(|seed| random(step, seed)).collect();
        run(random(setting, first), &steps);
    });
}

/// A memory is a vector of bytes.
pub fn memory(bytes: &[u8]) {
    thread_local!(static PARTS: (BoxedStrategy<memory::Extent>, BoxedStrategy<memory::Op>) =
        (memory::extent().boxed(), memory::op().boxed()));
    let (first, rest) = split(bytes);
    PARTS.with(|(extent, op)| {
        let ops: Vec<memory::Op> = rest.map(|seed| random(op, seed)).collect();
        memory::run(random(extent, first), &ops);
    });
}

/// A bulk copy is one element at a time.
pub fn copies(bytes: &[u8]) {
    thread_local!(static COPY: BoxedStrategy<copies::Copy> = copies::copy().boxed());
    COPY.with(|copy| {
        let copies: Vec<copies::Copy> =
            bytes.chunks(BYTES).map(|seed| random(copy, seed)).collect();
        copies::run(&copies);
    });
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

/// Random programs, verified after every operation. `STRESS_PROGRAMS` says how
/// many, `STRESS_SEED` where they begin.
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
