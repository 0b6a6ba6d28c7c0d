//! Programs of memory instructions: their generation, their encoding as a module, and
//! how [`Memory`] runs them.

use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use segheap::memory::{IndexType, Memory, MemoryType, OutOfBounds};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ExportKind, ExportSection, Function,
    FunctionSection, InstructionSink, MemArg, MemArgTarget, MemorySection, TypeSection, ValType,
};

const MEMORIES: usize = 12;
pub(super) const SEGMENTS: usize = 3;
const PAGE: u64 = 65_536;

/// An instruction. Numbers have 64 bits and are truncated to the index type.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Load { memory: usize, width: usize, address: u64, offset: u64 },
    Store { memory: usize, width: usize, address: u64, offset: u64, value: u64 },
    Fill { memory: usize, address: u64, value: u32, len: u64 },
    Copy { to: usize, from: usize, address: u64, source: u64, len: u64 },
    Init { memory: usize, segment: usize, address: u64, source: u64, len: u64 },
    Drop { segment: usize },
    Grow { memory: usize, delta: u64 },
}

/// The kinds of copies.
pub(super) const COPIES: [&str; 3] = ["copy inside a memory", "copy between memories", "init"];

pub(super) const KINDS: [&str; 7] = ["load", "store", "fill", "copy", "init", "drop", "grow"];

impl Op {
    pub(super) fn kind(&self) -> usize {
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
pub(super) struct Program {
    pub(super) memories: Vec<MemoryType>,
    /// Lengths of the passive segments.
    segments: Vec<usize>,
    pub(super) ops: Vec<Op>,
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
    let near = (memory.clone(), address(), -200..=200_i64, len()).prop_map(
        |(memory, address, by, len)| {
            let source = address.wrapping_add_signed(by);
            Op::Copy { to: memory, from: memory, address, source, len }
        },
    );
    let inside =
        (memory, address(), address(), len()).prop_map(|(memory, address, source, len)| Op::Copy {
            to: memory,
            from: memory,
            address,
            source,
            len,
        });
    prop_oneof![3 => far, 1 => near, 2 => inside]
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

/// A range at the end of a memory or segment.
#[derive(Clone, Copy, Debug)]
enum Edge {
    /// It starts so many bytes before the end.
    Starts(u64),
    /// It ends so many bytes behind the end.
    Ends(i64),
    /// It is empty, so many bytes behind the end.
    Empty(u64),
    /// It starts so many bytes before the largest address.
    Wraps(u64),
}

impl Edge {
    /// The start and the length of a range of `len` bytes, moved to the end of `size`.
    fn range(self, size: u64, len: u64) -> (u64, u64) {
        match self {
            Edge::Starts(before) => (size.saturating_sub(before), len),
            Edge::Ends(by) => (size.saturating_add_signed(by).saturating_sub(len), len),
            Edge::Empty(behind) => (size + behind, 0),
            Edge::Wraps(before) => (u64::MAX - before, len),
        }
    }
}

/// Whether the source of an instruction is at an edge, or its target.
fn edge() -> impl Strategy<Value = Option<(bool, Edge)>> {
    let edge = prop_oneof![
        3 => (0..300_u64).prop_map(Edge::Starts),
        3 => (-1..=2_i64).prop_map(Edge::Ends),
        1 => (0..=1_u64).prop_map(Edge::Empty),
        1 => (0..20_u64).prop_map(Edge::Wraps),
    ];
    prop::option::weighted(0.5, (any::<bool>(), edge))
}

pub(super) fn program(index: BoxedStrategy<IndexType>) -> impl Strategy<Value = Program> {
    let growth = prop_oneof![3 => (0..=2_u64).prop_map(Some), 1 => Just(None)];
    let min = prop_oneof![1 => Just(0), 8 => 1..=4_u64];
    let memory = (index, min, growth)
        .prop_map(|(index, min, growth)| MemoryType::new(index, min, growth.map(|n| min + n)));
    let segment = prop_oneof![3 => 0..=700_usize, 1 => 65_500..=65_600_usize];
    (vec(memory, MEMORIES), vec(segment, SEGMENTS), vec((op(), edge()), 1..=64)).prop_map(
        |(memories, segments, ops)| {
            let mut program = Program { memories, segments, ops: vec![] };
            program.ops = ops.into_iter().map(|(op, edge)| program.at_edge(op, edge)).collect();
            program
        },
    )
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

    /// Moves the source or the target of an instruction to the end of the memory or
    /// segment that it accesses, as large as that is at first.
    fn at_edge(&self, mut op: Op, edge: Option<(bool, Edge)>) -> Op {
        let Some((at_source, edge)) = edge else { return op };
        let size = |memory: usize| self.memories[memory].min * PAGE;
        match &mut op {
            Op::Copy { from, source, len, .. } if at_source => {
                (*source, *len) = edge.range(size(*from), *len);
            }
            Op::Init { segment, source, len, .. } if at_source => {
                (*source, *len) = edge.range(self.segments[*segment] as u64, *len);
                *source = narrow(IndexType::I32, *source);
            }
            // Most sources are too short.
            Op::Init { memory, segment, address, source, len } => {
                *source = 0;
                let part = (*len).min(self.segments[*segment] as u64);
                (*address, *len) = edge.range(size(*memory), part);
            }
            Op::Copy { to: memory, address, len, .. } | Op::Fill { memory, address, len, .. } => {
                (*address, *len) = edge.range(size(*memory), *len);
            }
            Op::Load { memory, width, address, .. } | Op::Store { memory, width, address, .. } => {
                (*address, _) = edge.range(size(*memory), 1 << *width);
            }
            Op::Drop { .. } | Op::Grow { .. } => {}
        }
        op
    }

    /// For an instruction that copies: its kind in [`COPIES`], and for target and source
    /// whether the range starts inside of its memory and ends outside.
    pub(super) fn overruns(
        &self,
        op: &Op,
        memories: &[Memory],
        segments: &[&[u8]],
    ) -> Option<(usize, [bool; 2])> {
        let (copy, len, ranges) = match *op {
            Op::Copy { to, from, address, source, len } => {
                let target = (self.narrow(to, address), memories[to].size() * PAGE);
                let source = (self.narrow(from, source), memories[from].size() * PAGE);
                let len = narrow(self.shared(to, from), len);
                (usize::from(to != from), len, [target, source])
            }
            Op::Init { memory, segment, address, source, len } => {
                let target = (self.narrow(memory, address), memories[memory].size() * PAGE);
                let source = (source, segments[segment].len() as u64);
                (2, narrow(IndexType::I32, len), [target, source])
            }
            _ => return None,
        };
        let inside =
            |(start, size): (u64, u64)| start.checked_add(len).is_some_and(|end| end <= size);
        let overruns = ranges.map(|range| range.0 < range.1 && !inside(range));
        // The other range is good.
        let one = ranges.iter().filter(|range| inside(**range)).count() == 1;
        one.then_some((copy, overruns))
    }

    pub(super) fn segment(&self, segment: usize) -> &'static [u8] {
        noise(1000 * (segment + 1), self.segments[segment])
    }

    pub(super) fn content(&self, memory: usize) -> &'static [u8] {
        noise(1021 * memory, (self.memories[memory].min * PAGE) as usize)
    }

    /// Encodes a module that exports each memory, and each instruction as a function.
    pub(super) fn module(&self) -> Vec<u8> {
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
    pub(super) fn run(
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
