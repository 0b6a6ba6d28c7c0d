//! The virtual machine: register banks, call frames, globals, and the collector's roots.
//!
//! Each bank is one vector for all frames. A frame sees a window of 256 registers of it, as an
//! array: a register operand is one byte, so no register access needs a bounds check. The windows
//! move at calls and returns; they are borrowed again after a collection.
//!
//! `dispatch` has the dispatch loop, `ops` the instructions that are too long for it, `run` what
//! happens when an instruction fails.

mod dispatch;
mod ops;
mod roots;
mod run;

use std::io::Write;
use std::time::{Duration, Instant};

use segheap::{Cell, F64Arr, Heap, I64Arr, List, RangeHint};

use crate::diagnostics::Diagnostic;
use crate::values::{Context, Outcome};

#[cfg(feature = "cli")]
pub(crate) use run::message;

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

/// The place of a field that was not found yet. No shape has this number.
const NOWHERE: (u32, usize) = (u32::MAX, 0);

const STACK_OVERFLOW: &str = "stack overflow";

/// Where a function goes on: the caller's state, saved by a call.
#[derive(Clone, Copy, Default)]
struct Frame {
    function: u32,
    /// The next instruction.
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
    /// The running function, as far as it has run when [`Vm::execute`] returned last.
    at: Frame,
    /// The running test block: where to resume if it fails, and its name.
    test: Option<(u32, Cell)>,
    /// The instructions that a program may run, and those that it may still run. `u64::MAX` for
    /// no limit.
    fuel_limit: u64,
    fuel: u64,
    globals: Globals,
    /// The strings of the constant pool.
    constants: Vec<Cell>,
    /// For each constant that names a field: the shape in which it was found last, and its number
    /// there.
    field_places: Vec<(u32, usize)>,
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
            at: Frame::default(),
            test: None,
            fuel_limit: u64::MAX,
            fuel: u64::MAX,
            globals: Globals::default(),
            constants: Vec::new(),
            field_places: Vec::new(),
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

    /// Limits the instructions of a program, or of an input of the prompt.
    pub(crate) fn limit_fuel(&mut self, instructions: Option<u64>) {
        self.fuel_limit = instructions.unwrap_or(u64::MAX);
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
