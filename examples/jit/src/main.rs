//! What an access costs in compiled code: a table of nanoseconds an element.
//!
//! ```text
//! segheap-jit              prints the table
//! segheap-jit --count      the same with instructions, counted by valgrind
//! segheap-jit ROW TURNS    runs one row so often, to be counted
//! ```

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use segheap::{Cell, F64Arr, Heap, I64Arr, List, abi};
use segheap_jit::compile::Code;
use segheap_jit::{Array, Vm, Work};

type Anything = Box<dyn std::error::Error>;

/// Elements of the array whose accesses are timed: they fit into the first cache.
const LEN: u64 = 1 << 10;
/// Timed in a batch, and batches, of which the fastest counts.
const TURNS: u32 = 1_000;
const BATCHES: u32 = 60;

/// How a loop is done.
#[derive(Clone, Copy)]
enum How {
    Compiled(Work),
    /// By Rust code, on a slice that was checked once: a loop that adds or writes.
    Native {
        writes: bool,
    },
    /// By Rust code, each element by `Heap::element` and `Heap::set_element`.
    Each {
        writes: bool,
    },
}

const ROWS: [(&str, How); 10] = [
    ("a: read, each checked", How::Compiled(Work::SumChecked)),
    ("b: read, range proved once", How::Compiled(Work::SumHinted)),
    ("c: read, bulk operation", How::Compiled(Work::SumBulk)),
    ("   read in Rust, each checked", How::Each { writes: false }),
    ("   read in Rust, a window", How::Native { writes: false }),
    ("a: write, each checked", How::Compiled(Work::FillChecked)),
    ("b: write, range proved once", How::Compiled(Work::FillHinted)),
    ("c: write, bulk operation", How::Compiled(Work::FillBulk)),
    ("   write in Rust, each checked", How::Each { writes: true }),
    ("   write in Rust, a window", How::Native { writes: true }),
];

/// A loop over an array, ready to run.
struct Case {
    vm: Vm,
    code: Code,
    array: Array,
    how: How,
    object: Cell,
}

impl Case {
    fn new(row: usize) -> Result<Case, Anything> {
        let array = *Array::ALL.get(row / ROWS.len()).ok_or("no such row")?;
        let (_, how) = ROWS[row % ROWS.len()];
        let wanted = match how {
            How::Compiled(work) => vec![(array, work)],
            How::Native { .. } | How::Each { .. } => Vec::new(),
        };
        let mut vm = Vm::new(Heap::new());
        let count = usize::try_from(LEN)?;
        let object = vm.change(|heap| match array {
            Array::Ints => heap.alloc(I64Arr::zeroed(count)).map(|made| made.cell()),
            Array::Floats => heap.alloc(F64Arr::zeroed(count)).map(|made| made.cell()),
            Array::List => {
                heap.alloc(List::of(&vec![Cell::from(1); count])).map(|made| made.cell())
            }
        })?;
        Ok(Case { vm, code: Code::of(wanted)?, array, how, object })
    }

    fn run(&mut self) -> Result<u64, Anything> {
        let value = abi::bits(Cell::from(1));
        let (object, len) = (black_box(self.object), black_box(LEN));
        match self.how {
            How::Compiled(work) => {
                let object = abi::bits(object);
                let done = self.code.run(&mut self.vm, self.array, work, object, [len, value]);
                done.ok_or_else(|| "compiled code has left the work".into())
            }
            How::Native { writes } => {
                let array = self.array;
                Ok(self.vm.change(|heap| native(heap, array, object, len, writes))?)
            }
            How::Each { writes } => {
                let array = self.array;
                Ok(self.vm.change(|heap| each(heap, array, object, len, writes))?)
            }
        }
    }
}

fn native(
    heap: &mut Heap,
    array: Array,
    object: Cell,
    len: u64,
    writes: bool,
) -> Result<u64, segheap::Error> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    match (array, writes) {
        (Array::Ints, false) => {
            Ok(heap.window::<I64Arr>(object, ..len)?.iter().sum::<i64>().cast_unsigned())
        }
        (Array::Floats, false) => {
            Ok(heap.window::<F64Arr>(object, ..len)?.iter().sum::<f64>().to_bits())
        }
        (Array::List, false) => {
            let ints = heap.window::<List>(object, ..len)?.iter().map(|cell| cell.as_int());
            Ok(ints.sum::<Option<i64>>().unwrap_or(0).cast_unsigned())
        }
        (Array::Ints, true) => {
            heap.window_mut::<I64Arr>(object, ..len)?.fill(black_box(1));
            Ok(0)
        }
        (Array::Floats, true) => {
            heap.window_mut::<F64Arr>(object, ..len)?.fill(black_box(1.0));
            Ok(0)
        }
        (Array::List, true) => {
            heap.window_mut::<List>(object, ..len)?.fill(black_box(1.into()));
            Ok(0)
        }
    }
}

fn each(
    heap: &mut Heap,
    array: Array,
    object: Cell,
    len: u64,
    writes: bool,
) -> Result<u64, segheap::Error> {
    let indices = 0..usize::try_from(len).unwrap_or(usize::MAX);
    let (mut ints, mut floats) = (0_i64, 0.0);
    for n in indices {
        match (array, writes) {
            (Array::Ints, false) => ints = ints.wrapping_add(heap.element::<I64Arr>(object, n)?),
            (Array::Floats, false) => floats += heap.element::<F64Arr>(object, n)?,
            (Array::List, false) => {
                let element = heap.element::<List>(object, n)?;
                ints = ints.wrapping_add(element.as_int().unwrap_or(0));
            }
            (Array::Ints, true) => drop(heap.set_element::<I64Arr>(object, n, 1)?),
            (Array::Floats, true) => drop(heap.set_element::<F64Arr>(object, n, 1.0)?),
            (Array::List, true) => drop(heap.set_element::<List>(object, n, 1.into())?),
        }
    }
    Ok(if array == Array::Floats { floats.to_bits() } else { ints.cast_unsigned() })
}

/// The nanoseconds an element: the least of many batches.
fn nanoseconds(row: usize) -> Result<f64, Anything> {
    let mut case = Case::new(row)?;
    let mut least = f64::INFINITY;
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..TURNS {
            black_box(case.run()?);
        }
        least = least.min(start.elapsed().as_secs_f64());
    }
    Ok(least * 1e9 / f64::from(TURNS) / LEN as f64)
}

/// The instructions an element: the difference of two runs of this program that differ in the
/// number of turns. `None` without valgrind.
fn instructions(row: usize) -> Option<f64> {
    const TURNS: [u64; 2] = [10, 110];
    let [few, many] = TURNS.map(|turns| {
        let program = std::env::current_exe().ok()?;
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
        let output = valgrind.arg(program).args([row.to_string(), turns.to_string()]).output();
        let text = String::from_utf8_lossy(&output.ok()?.stderr).into_owned();
        let (_, count) = text.lines().find(|line| line.contains("refs:"))?.rsplit_once(':')?;
        let digits: String = count.chars().filter(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    });
    let difference = many?.checked_sub(few?)?;
    Some(difference as f64 / ((TURNS[1] - TURNS[0]) * LEN) as f64)
}

fn table(counts: bool) -> Result<(), Anything> {
    let unit = if counts { "ns, instructions" } else { "ns" };
    println!("| {unit} an element | I64Arr | F64Arr | List |");
    println!("|---|---|---|---|");
    for (n, (name, _)) in ROWS.iter().enumerate() {
        let mut line = format!("| {name} |");
        for array in 0..Array::ALL.len() {
            let row = array * ROWS.len() + n;
            let counted = if counts { instructions(row) } else { None };
            let counted = counted.map_or_else(String::new, |n| format!(", {n:.1}"));
            line += &format!(" {:.2}{counted} |", nanoseconds(row)?);
        }
        println!("{line}");
    }
    Ok(())
}

fn main() -> Result<(), Anything> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => table(false),
        [count] if count == "--count" => table(true),
        [row, turns] => {
            let mut case = Case::new(row.parse()?)?;
            for _ in 0..turns.parse::<u64>()? {
                black_box(case.run()?);
            }
            Ok(())
        }
        _ => Err("usage: segheap-jit [--count | ROW TURNS]".into()),
    }
}
