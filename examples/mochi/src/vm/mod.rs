//! The virtual machine: register banks, call frames, globals, and the collector's roots.
//!
//! Each bank is one vector for all frames. A frame sees a window of 256 registers of it, as an
//! array: a register operand is one byte, so no register access needs a bounds check. The windows
//! move at calls and returns; they are borrowed again after a collection.
//!
//! `dispatch` has the dispatch loop, `ops` the instructions that are too long for it.

mod dispatch;
mod ops;
mod roots;

use std::io::Write;
use std::time::{Duration, Instant};

use segheap::{Cell, Error, F64Arr, Heap, I64Arr, List, RangeHint};

use crate::bytecode::Program;
use crate::diagnostics::{Diagnostic, Result};
use crate::interrupt;
use crate::values::{Context, Outcome, Trap};

/// The registers of a bank that a frame sees.
const WINDOW: usize = 256;
/// The depth of the call stack.
const FRAMES_MAX: usize = 1 << 20;
/// The bytes that a step of a collection marks or sweeps for each allocation under
/// `--gc-stress`: a few objects.
#[cfg(feature = "cli")]
const STRESS_WORK: u64 = 256;
/// The depth of the call stack if every allocation may collect.
#[cfg(feature = "cli")]
const FRAMES_MAX_STRESSED: usize = 10_000;
/// The registers of a bank, over all frames.
const REGISTERS_MAX: usize = 1 << 24;
/// The calls of a stack trace that are recorded.
const TRACE_MAX: usize = 1000;

const STACK_OVERFLOW: &str = "stack overflow";

/// The caller's state, saved by a call.
#[derive(Clone, Copy)]
struct Frame {
    function: u32,
    /// The instruction after the call.
    pc: u32,
    /// The start of the windows: banks i, f and c, and hints.
    base: [u32; 4],
}

/// The range hint of a loop, by the kind of the list.
#[derive(Clone, Copy)]
enum Hint {
    None,
    Ints(RangeHint<I64Arr>),
    Floats(RangeHint<F64Arr>),
    Cells(RangeHint<List>),
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GcStats {
    /// Collections, and steps of collections.
    pub(crate) pauses: u64,
    /// Time in them.
    pub(crate) total: Duration,
    pub(crate) longest: Duration,
    /// Objects freed.
    pub(crate) freed: u64,
    /// The bytes of a step under `--gc-stress`.
    stress_work: u64,
}

impl GcStats {
    /// Counts what has begun at `start` and freed so many objects.
    fn note(&mut self, start: Instant, freed: u64) {
        let pause = start.elapsed();
        self.pauses += 1;
        self.total += pause;
        self.longest = self.longest.max(pause);
        self.freed += freed;
    }
}

/// The results of test blocks.
#[derive(Default)]
pub(crate) struct TestResults {
    pub(crate) passed: usize,
    pub(crate) failed: Vec<Diagnostic>,
}

#[derive(Default)]
struct Globals {
    ints: Vec<i64>,
    floats: Vec<f64>,
    cells: Vec<Cell>,
}

pub(crate) struct Vm {
    pub(crate) context: Context,
    pub(crate) gc_stats: GcStats,
    pub(crate) tests: TestResults,
    ints: Vec<i64>,
    floats: Vec<f64>,
    cells: Vec<Cell>,
    hints: Vec<Hint>,
    /// The call stack, without the running function; once a program has ended, with the function
    /// that ran last.
    frames: Vec<Frame>,
    globals: Globals,
    /// The strings of the constant pool.
    constants: Vec<Cell>,
    registers_max: usize,
    frames_max: usize,
    /// The time that a program may take.
    #[cfg(feature = "cli")]
    pub(crate) time_limit: Option<std::time::Duration>,
}

/// The window of a bank that starts at `base`.
#[inline(always)]
fn window<T>(bank: &mut [T], base: usize) -> &mut [T; WINDOW] {
    // A call grows the banks before it moves the windows, so the window always fits.
    let len = bank.len();
    let base = if base + WINDOW <= len { base } else { len.saturating_sub(WINDOW) };
    match bank.get_mut(base..).and_then(|rest| rest.first_chunk_mut()) {
        Some(window) => window,
        None => unreachable!("a bank is never shorter than a window"),
    }
}

impl Vm {
    pub(crate) fn new(heap: Heap, out: Box<dyn Write>) -> Vm {
        Vm {
            context: Context::new(heap, out),
            gc_stats: GcStats::default(),
            tests: TestResults::default(),
            ints: vec![0; 4 * WINDOW],
            floats: vec![0.0; 4 * WINDOW],
            cells: vec![Cell::NULL; 4 * WINDOW],
            hints: vec![Hint::None; WINDOW],
            frames: Vec::new(),
            globals: Globals::default(),
            constants: Vec::new(),
            registers_max: REGISTERS_MAX,
            frames_max: FRAMES_MAX,
            #[cfg(feature = "cli")]
            time_limit: None,
        }
    }

    /// Limits the live registers of each bank to an eighth of so many bytes.
    pub(crate) fn limit_stack(&mut self, bytes: usize) {
        self.registers_max = (bytes / 64).clamp(WINDOW, REGISTERS_MAX);
    }

    /// Does a small step of a collection, and verifies the heap, at every N-th allocation. Marking
    /// ends in O(stack depth), so the call stack is limited to what lets unbounded recursion fail
    /// within seconds.
    #[cfg(feature = "cli")]
    pub(crate) fn set_gc_stress(&mut self, every: u32) {
        if every > 0 {
            self.frames_max = FRAMES_MAX.min(FRAMES_MAX_STRESSED * every.isqrt() as usize);
        }
        self.gc_stats.stress_work = STRESS_WORK * u64::from(every);
        let policy = self.context.policy().with_stress(every);
        self.context.set_policy(policy);
    }

    /// Allocates new constants and makes room for new globals.
    fn load(&mut self, program: &Program) -> Outcome<()> {
        for text in &program.constants[self.constants.len()..] {
            self.constants.push(self.context.string(text)?);
        }
        self.context.shapes.clone_from(&program.shapes);
        let [i, f, c] = program.globals;
        self.globals.ints.resize(i, 0);
        self.globals.floats.resize(f, 0.0);
        self.globals.cells.resize(c, Cell::NULL);
        Ok(())
    }

    /// Runs a function without parameters and returns its result.
    pub(crate) fn run(&mut self, program: &Program, entry: u16) -> Result<Cell> {
        self.load(program).map_err(|trap| Diagnostic::new(0, message(trap)))?;
        self.frames.clear();
        let result = self.execute(program, entry);
        if result.is_ok() {
            let end = program.functions[usize::from(entry)].code.len() as u32;
            self.frames.push(Frame { function: entry.into(), pc: end, base: [0; 4] });
        }
        let flushed = self.context.out.flush();
        flushed
            .map_err(|error| Diagnostic::new(0, format!("cannot write output: {error}")))
            .and(result)
    }
}

/// The diagnostic of a trap at this instruction, with the stack trace.
fn diagnose(
    trap: Trap,
    program: &Program,
    function: u32,
    pc: usize,
    frames: &[Frame],
) -> Diagnostic {
    let code = |function: u32| &program.functions[function as usize];
    let pos = |function: u32, pc: usize| code(function).positions.get(pc).copied().unwrap_or(0);
    let mut diagnostic = Diagnostic::new(pos(function, pc), message(trap));
    let mut callee = function;
    for frame in frames.iter().rev().take(TRACE_MAX) {
        let call = pos(frame.function, (frame.pc as usize).saturating_sub(1));
        diagnostic.trace.push((code(callee).name.clone(), call));
        callee = frame.function;
    }
    diagnostic
}

pub(crate) fn message(trap: Trap) -> String {
    match trap {
        Trap::Message(message) => message,
        Trap::Stopped => interrupt::reason().to_owned(),
        Trap::Heap(Error::Limit(_)) => "out of memory: limit reached".to_owned(),
        Trap::Heap(error) => error.to_string(),
    }
}

/// Makes room in a bank for a window that starts at `base`.
#[cold]
fn grow<T: Clone>(bank: &mut Vec<T>, base: usize, value: T) {
    if base + WINDOW > bank.len() {
        bank.resize((base + WINDOW) * 2, value);
    }
}

/// Does what is due of collections, at a safe point.
#[cold]
fn collect_debt(cx: &mut Context, stats: &mut GcStats, roots: [&[Cell]; 3]) -> Outcome<()> {
    let start = Instant::now();
    let roots = roots.into_iter().flatten().copied();
    let freed = match (stats.stress_work, stats.pauses % 16) {
        (0, _) => cx.collect_debt(roots)?.freed,
        (_, 15) => cx.collect_young(roots)?.freed,
        (work, _) => cx.step(roots, work)?.freed,
    };
    stats.note(start, freed);
    cx.observe();
    Ok(())
}

/// Collects garbage. Returns whether enough was freed to retry a failed allocation.
#[cold]
fn collect(cx: &mut Context, stats: &mut GcStats, roots: [&[Cell]; 3]) -> Outcome<bool> {
    let start = Instant::now();
    let collected = cx.collect(roots.into_iter().flatten().copied())?;
    stats.note(start, collected.freed);
    cx.observe();
    Ok(collected.freed > collected.live / 16)
}
