//! Random programs of memory instructions, on [`Memory`] and in `wasmi`.
//!
//! The official tests cover copies between memories poorly: their memories have
//! equal sizes, which hides a source checked against the size of the target, or a
//! write before a trap. Here a program has twelve memories of random sizes, limits
//! and index types, each with different bytes. It runs loads, stores, fills, copies,
//! inits, drops and grows, with addresses near the ends of pages, of memories, of
//! segments and of the index types. After each instruction, results, traps, sizes and
//! bytes of both implementations must be equal.
//!
//! An access that writes before it has checked all of its ranges differs only if one
//! range leaves its memory after some bytes and the other one does not leave it. Each
//! run has such cases of each kind, and counts them.

mod program;

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use segheap::memory::{IndexType, Memory, OutOfBounds};

use program::{COPIES, KINDS, Program, SEGMENTS, program};

/// The number of programs of each test, unless `PROPTEST_CASES` sets it.
const CASES: u32 = 64;

#[test]
fn memory32() {
    compare("memory32", Just(IndexType::I32).boxed());
}

#[test]
fn memory64() {
    compare("memory64", Just(IndexType::I64).boxed());
}

#[test]
fn memory32_and_memory64() {
    compare("both", prop_oneof![Just(IndexType::I32), Just(IndexType::I64)].boxed());
}

/// For each kind of instruction, how many succeeded, and how many trapped or returned
/// -1.
type Counts = [[usize; 2]; KINDS.len()];

/// For each kind of copy, how often its target, and its source, left its memory in the
/// middle, while the other one did not.
type Overruns = [[usize; 2]; COPIES.len()];

fn compare(title: &str, index: BoxedStrategy<IndexType>) {
    let mut config = ProptestConfig {
        failure_persistence: None,
        max_shrink_time: 20_000,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let cases = config.cases;
    let mut wasm = wasmi::Config::default();
    wasm.wasm_multi_memory(true).wasm_memory64(true).wasm_bulk_memory(true);
    let engine = wasmi::Engine::new(&wasm);
    let counts = RefCell::new((Counts::default(), Overruns::default()));
    let outcome = TestRunner::new(config)
        .run(&program(index), |program| agree(&engine, &program, &mut counts.borrow_mut()));
    if let Err(failure) = outcome {
        panic!("{title}: {failure}");
    }
    let (counts, overruns) = counts.into_inner();
    for (copy, [target, source]) in COPIES.iter().zip(overruns) {
        println!("{title}: {copy}: {target} left the target, {source} the source");
        assert!(cases < CASES || target > 2 && source > 2, "{title}: {copy}");
    }
    for (kind, [succeeded, failed]) in KINDS.iter().zip(counts) {
        println!("{title}: {kind}: {succeeded} succeeded, {failed} failed");
        // Both outcomes must occur.
        let both = succeeded > 0 && (*kind == "drop" || failed > 0);
        assert!(cases < CASES || both, "{title}: {kind}");
    }
}

fn agree(
    engine: &wasmi::Engine,
    program: &Program,
    (counts, overruns): &mut (Counts, Overruns),
) -> Result<(), TestCaseError> {
    let module = wasmi::Module::new(engine, program.module()).unwrap();
    let mut store = wasmi::Store::new(engine, ());
    let instance = wasmi::Linker::new(engine).instantiate_and_start(&mut store, &module).unwrap();
    let (mut memories, mut theirs) = (Vec::new(), Vec::new());
    for (n, &ty) in program.memories.iter().enumerate() {
        let mut memory = Memory::new(ty).unwrap();
        let content = program.content(n);
        memory.init(0, content, 0, content.len() as u64).unwrap();
        memories.push(memory);
        let memory = instance.get_memory(&store, &format!("memory {n}")).unwrap();
        memory.data_mut(&mut store).copy_from_slice(content);
        theirs.push(memory);
    }
    let mut segments: Vec<_> = (0..SEGMENTS).map(|segment| program.segment(segment)).collect();
    for (n, op) in program.ops.iter().enumerate() {
        if let Some((copy, [target, source])) = program.overruns(op, &memories, &segments) {
            overruns[copy][0] += usize::from(target);
            overruns[copy][1] += usize::from(source);
        }
        let ours = program.run(op, &mut memories, &mut segments);
        let function = instance.get_typed_func::<(), i64>(&store, &format!("op {n}")).unwrap();
        let wasm = function.call(&mut store, ()).map(|result| result as u64).map_err(|error| {
            assert_eq!(error.as_trap_code(), Some(wasmi::TrapCode::MemoryOutOfBounds));
            OutOfBounds
        });
        prop_assert_eq!(&ours, &wasm, "op {}, {:?}", n, op);
        let failed = ours.is_err() || op.kind() == 6 && ours == Ok(u64::MAX);
        counts[op.kind()][usize::from(failed)] += 1;
        for (number, (ours, theirs)) in memories.iter().zip(&theirs).enumerate() {
            prop_assert_eq!(
                ours.size(),
                theirs.size(&store),
                "size of memory {} after op {}",
                number,
                n
            );
            prop_assert_eq!(ours.ty(), program.memories[number], "growth changed the type");
            let (ours, theirs) = (ours.bytes(), theirs.data(&store));
            if ours != theirs {
                let first = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
                prop_assert!(false, "memory {number} differs at {first:?} after op {n}, {op:?}");
            }
        }
    }
    Ok(())
}
