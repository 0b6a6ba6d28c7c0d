//! Random programs of memory instructions, on [`Memory`] and in `wasmi`.
//!
//! The official tests cover copies between memories poorly: their memories have
//! equal sizes, which hides a source checked against the size of the target, or a
//! write before a trap. Here a program has twelve memories of random sizes, limits
//! and index types, each with different bytes. It runs loads, stores, fills, copies,
//! inits, drops and grows, with addresses near the ends of pages, of memories and of
//! the index types. After each instruction, results, traps, sizes and bytes of both
//! implementations must be equal.

use std::cell::RefCell;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use segheap::memory::{IndexType, Memory, MemoryType, OutOfBounds};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ExportKind, ExportSection, Function,
    FunctionSection, InstructionSink, MemArg, MemArgTarget, MemorySection, TypeSection, ValType,
};

const MEMORIES: usize = 12;
const SEGMENTS: usize = 3;
const PAGE: u64 = 65_536;

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

/// An instruction. Numbers have 64 bits and are truncated to the index type.
#[derive(Clone, Debug)]
enum Op {
    Load { memory: usize, width: usize, address: u64, offset: u64 },
    Store { memory: usize, width: usize, address: u64, offset: u64, value: u64 },
    Fill { memory: usize, address: u64, value: u32, len: u64 },
    Copy { to: usize, from: usize, address: u64, source: u64, len: u64 },
    Init { memory: usize, segment: usize, address: u64, source: u64, len: u64 },
    Drop { segment: usize },
    Grow { memory: usize, delta: u64 },
}

const KINDS: [&str; 7] = ["load", "store", "fill", "copy", "init", "drop", "grow"];

impl Op {
    fn kind(&self) -> usize {
        match self {
            Op::Load { .. } => 0,
            Op::Store { .. } => 1,
            Op::Fill { .. } => 2,
            Op::Copy { .. } => 3,
            Op::Init { .. } => 4,
            Op::Drop { .. } => 5,
            Op::Grow { .. } => 6,
        }
    }
}

#[derive(Clone, Debug)]
struct Program {
    memories: Vec<MemoryType>,
    /// Lengths of the passive segments.
    segments: Vec<usize>,
    ops: Vec<Op>,
}

/// Addresses near multiples of the page size.
fn near_pages() -> impl Strategy<Value = u64> {
    (0..=4_u64, -9..=9_i64).prop_map(|(page, by)| (page * PAGE).wrapping_add_signed(by))
}

/// Numbers whose sums overflow in 32 or 64 bits.
fn extreme() -> impl Strategy<Value = u64> {
    let edge = prop_oneof![Just(1 << 31), Just(1 << 32), Just(1 << 63), Just(0)];
    (edge, prop_oneof![-9..=9_i64, -300_000..=0_i64])
        .prop_map(|(edge, by): (u64, i64)| edge.wrapping_add_signed(by))
}

fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        12 => 0..PAGE,
        4 => 0..4 * PAGE,
        4 => near_pages(),
        1 => extreme(),
    ]
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![12 => 0..64_u64, 3 => near_pages(), 1 => extreme()]
}

/// Address and offset of a load or store: half of them near the end of a page.
fn access() -> impl Strategy<Value = (u64, u64)> {
    let end = (1..=4_u64, 0..=9_u64, 0..=9_u64)
        .prop_map(|(page, before, offset)| (page * PAGE - before, offset.saturating_sub(4)));
    prop_oneof![end, (address(), offset())]
}

fn len() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        6 => 1..64_u64,
        8 => 1..600_u64,
        4 => 0..2 * PAGE,
        2 => near_pages(),
        1 => extreme(),
    ]
}

fn copy() -> impl Strategy<Value = Op> {
    let memory = 0..MEMORIES;
    let far = (memory.clone(), memory.clone(), address(), address(), len())
        .prop_map(|(to, from, address, source, len)| Op::Copy { to, from, address, source, len });
    // Overlapping ranges of one memory, in both directions.
    let near = (memory, address(), -200..=200_i64, len()).prop_map(|(memory, address, by, len)| {
        Op::Copy { to: memory, from: memory, address, source: address.wrapping_add_signed(by), len }
    });
    prop_oneof![3 => far, 1 => near]
}

fn op() -> impl Strategy<Value = Op> {
    let (memory, width) = (0..MEMORIES, 0..4_usize);
    let access = (memory.clone(), width, access()).boxed();
    // Sizes beyond the limits are too large for an allocation to be tried.
    let delta = prop_oneof![6 => 0..=2_u64, 1 => Just(u64::MAX), 1 => Just((1 << 48) + 65_537)];
    prop_oneof![
        2 => access.clone().prop_map(|(memory, width, (address, offset))| {
            Op::Load { memory, width, address, offset }
        }),
        4 => (access, any::<u64>()).prop_map(|((memory, width, (address, offset)), value)| {
            Op::Store { memory, width, address, offset, value }
        }),
        3 => (memory.clone(), address(), any::<u32>(), len()).prop_map(
            |(memory, address, value, len)| Op::Fill { memory, address, value, len }
        ),
        8 => copy(),
        4 => (memory.clone(), 0..SEGMENTS, address(), 0..100_u64, len()).prop_map(
            |(memory, segment, address, source, len)| {
                Op::Init { memory, segment, address, source, len }
            }
        ),
        1 => (0..SEGMENTS).prop_map(|segment| Op::Drop { segment }),
        2 => (memory, delta).prop_map(|(memory, delta)| Op::Grow { memory, delta }),
    ]
}

fn program(index: BoxedStrategy<IndexType>) -> impl Strategy<Value = Program> {
    let growth = prop_oneof![3 => (0..=2_u64).prop_map(Some), 1 => Just(None)];
    let min = prop_oneof![1 => Just(0), 8 => 1..=4_u64];
    let memory = (index, min, growth)
        .prop_map(|(index, min, growth)| MemoryType::new(index, min, growth.map(|n| min + n)));
    let segment = prop_oneof![3 => 0..=700_usize, 1 => 65_500..=65_600_usize];
    (vec(memory, MEMORIES), vec(segment, SEGMENTS), vec(op(), 1..=64))
        .prop_map(|(memories, segments, ops)| Program { memories, segments, ops })
}

/// Bytes without a short period, so that misplaced ones are detected.
fn noise(from: usize, len: usize) -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..6 * PAGE).map(|_| next()).collect()
    });
    &noise[from..from + len]
}

impl Program {
    fn index(&self, memory: usize) -> IndexType {
        self.memories[memory].index
    }

    /// The number, truncated to the index type of a memory.
    fn narrow(&self, memory: usize, number: u64) -> u64 {
        narrow(self.index(memory), number)
    }

    /// The index type of the length of a copy between two memories.
    fn shared(&self, to: usize, from: usize) -> IndexType {
        match (self.index(to), self.index(from)) {
            (IndexType::I64, IndexType::I64) => IndexType::I64,
            _ => IndexType::I32,
        }
    }

    fn segment(&self, segment: usize) -> &'static [u8] {
        noise(1000 * (segment + 1), self.segments[segment])
    }

    fn content(&self, memory: usize) -> &'static [u8] {
        noise(1021 * memory, (self.memories[memory].min * PAGE) as usize)
    }

    /// Encodes a module that exports each memory, and each instruction as a function.
    fn module(&self) -> Vec<u8> {
        let (mut types, mut functions) = (TypeSection::new(), FunctionSection::new());
        let (mut memories, mut exports) = (MemorySection::new(), ExportSection::new());
        let (mut code, mut data) = (CodeSection::new(), DataSection::new());
        types.ty().function([], [ValType::I64]);
        for (n, ty) in self.memories.iter().enumerate() {
            memories.memory(wasm_encoder::MemoryType {
                minimum: ty.min,
                maximum: ty.max,
                memory64: ty.index == IndexType::I64,
                shared: false,
                page_size_log2: None,
            });
            exports.export(&format!("memory {n}"), ExportKind::Memory, n as u32);
        }
        for (n, op) in self.ops.iter().enumerate() {
            functions.function(0);
            exports.export(&format!("op {n}"), ExportKind::Func, n as u32);
            let mut function = Function::new([]);
            self.encode(op, &mut function.instructions());
            function.instructions().end();
            code.function(&function);
        }
        for segment in 0..self.segments.len() {
            data.passive(self.segment(segment).iter().copied());
        }
        let mut module = wasm_encoder::Module::new();
        module.section(&types).section(&functions).section(&memories).section(&exports);
        module.section(&DataCountSection { count: data.len() }).section(&code).section(&data);
        module.finish()
    }

    fn mem_arg(&self, memory: usize, width: usize, offset: u64) -> MemArg {
        MemArg {
            offset: self.narrow(memory, offset),
            align: width as u32,
            target: MemArgTarget::Memory(memory as u32),
            ordering: None,
        }
    }

    fn encode(&self, op: &Op, code: &mut InstructionSink<'_>) {
        match *op {
            Op::Load { memory, width, address, offset } => {
                number(code, self.index(memory), address);
                let arg = self.mem_arg(memory, width, offset);
                match width {
                    0 => code.i64_load8_u(arg),
                    1 => code.i64_load16_u(arg),
                    2 => code.i64_load32_u(arg),
                    _ => code.i64_load(arg),
                };
                return;
            }
            Op::Store { memory, width, address, offset, value } => {
                number(code, self.index(memory), address);
                code.i64_const(value as i64);
                let arg = self.mem_arg(memory, width, offset);
                match width {
                    0 => code.i64_store8(arg),
                    1 => code.i64_store16(arg),
                    2 => code.i64_store32(arg),
                    _ => code.i64_store(arg),
                };
            }
            Op::Fill { memory, address, value, len } => {
                number(code, self.index(memory), address);
                code.i32_const(value as i32);
                number(code, self.index(memory), len);
                code.memory_fill(memory as u32);
            }
            Op::Copy { to, from, address, source, len } => {
                number(code, self.index(to), address);
                number(code, self.index(from), source);
                number(code, self.shared(to, from), len);
                code.memory_copy(to as u32, from as u32);
            }
            Op::Init { memory, segment, address, source, len } => {
                number(code, self.index(memory), address);
                number(code, IndexType::I32, source);
                number(code, IndexType::I32, len);
                code.memory_init(memory as u32, segment as u32);
            }
            Op::Drop { segment } => {
                code.data_drop(segment as u32);
            }
            Op::Grow { memory, delta } => {
                number(code, self.index(memory), delta);
                code.memory_grow(memory as u32);
                if self.index(memory) == IndexType::I32 {
                    code.i64_extend_i32_s();
                }
                return;
            }
        }
        code.i64_const(0);
    }

    /// Runs an instruction on [`Memory`]; a failed growth returns -1.
    fn run(
        &self,
        op: &Op,
        memories: &mut [Memory],
        segments: &mut [&'static [u8]],
    ) -> Result<u64, OutOfBounds> {
        match *op {
            Op::Load { memory, width, address, offset } => {
                let (address, offset) = (self.narrow(memory, address), self.narrow(memory, offset));
                let memory = &memories[memory];
                match width {
                    0 => memory.load_u8(address, offset).map(u64::from),
                    1 => memory.load_u16(address, offset).map(u64::from),
                    2 => memory.load_u32(address, offset).map(u64::from),
                    _ => memory.load_u64(address, offset),
                }
            }
            Op::Store { memory, width, address, offset, value } => {
                let (address, offset) = (self.narrow(memory, address), self.narrow(memory, offset));
                let memory = &mut memories[memory];
                match width {
                    0 => memory.store_u8(address, offset, value as u8),
                    1 => memory.store_u16(address, offset, value as u16),
                    2 => memory.store_u32(address, offset, value as u32),
                    _ => memory.store_u64(address, offset, value),
                }
                .map(|()| 0)
            }
            Op::Fill { memory, address, value, len } => {
                let (address, len) = (self.narrow(memory, address), self.narrow(memory, len));
                memories[memory].fill(address, value as u8, len).map(|()| 0)
            }
            Op::Copy { to, from, address, source, len } => {
                let (address, source) = (self.narrow(to, address), self.narrow(from, source));
                let len = narrow(self.shared(to, from), len);
                if to == from {
                    return memories[to].copy(address, source, len).map(|()| 0);
                }
                let [to, from] = memories.get_disjoint_mut([to, from]).unwrap();
                to.copy_from(address, from, source, len).map(|()| 0)
            }
            Op::Init { memory, segment, address, source, len } => {
                let len = narrow(IndexType::I32, len);
                let address = self.narrow(memory, address);
                memories[memory].init(address, segments[segment], source, len).map(|()| 0)
            }
            Op::Drop { segment } => {
                segments[segment] = &[];
                Ok(0)
            }
            Op::Grow { memory, delta } => {
                let delta = self.narrow(memory, delta);
                Ok(memories[memory].grow(delta).unwrap_or(u64::MAX))
            }
        }
    }
}

/// Encodes a constant of an index type.
fn number(code: &mut InstructionSink<'_>, index: IndexType, number: u64) {
    match index {
        IndexType::I32 => code.i32_const(number as u32 as i32),
        _ => code.i64_const(number as i64),
    };
}

fn narrow(index: IndexType, number: u64) -> u64 {
    match index {
        IndexType::I32 => u64::from(number as u32),
        _ => number,
    }
}

/// For each kind of instruction, how many succeeded, and how many trapped or returned
/// -1.
type Counts = [[usize; 2]; KINDS.len()];

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
    let counts = RefCell::new(Counts::default());
    let outcome = TestRunner::new(config)
        .run(&program(index), |program| agree(&engine, &program, &mut counts.borrow_mut()));
    if let Err(failure) = outcome {
        panic!("{title}: {failure}");
    }
    let counts = counts.into_inner();
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
    counts: &mut Counts,
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
