//! A VM for the language Mochi whose only heap is segheap.
//!
//! ```text
//! cargo run --release --example mochi -- [OPTIONS] [FILE.mochi]
//! ```
//!
//! README.md in this folder is the way through the files.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "the compiler keeps registers, constants and jumps in range; lengths fit into memory"
)]

mod builtins;
mod bytecode;
mod compile;
mod errors;
mod machine;
mod prompt;
mod show;
mod stats;
mod syntax;
mod types;
mod values;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use segheap::{Heap, Limits, Settings};

use crate::compile::{World, compile};
use crate::errors::{Fault, show};
use crate::machine::Machine;
use crate::syntax::parser::parse;

/// The stack of the thread that does all the work: deep enough for the highest tree that the
/// parser lets through.
const STACK: usize = 256 << 20;

const USAGE: &str = "usage: mochi [OPTIONS] [FILE.mochi]
       mochi test FILE.mochi

Without a file it is a prompt.

  --stats            print what the heap holds when the program ends
  --max-memory SIZE  hold the program to so much memory: 64MiB, 1GiB, 500000
  --gc-stress N      collect and verify the heap at every N-th allocation
  --emit             print the bytecode, and do not run it
";

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    file: Option<String>,
    stats: bool,
    emit: bool,
    testing: bool,
    memory: Option<usize>,
    stress: u32,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = io::stdout().write_all(USAGE.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            complain(&format!("{message}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || start(&options));
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        _ => ExitCode::FAILURE,
    }
}

/// Nobody is left to tell if this cannot be written.
pub(crate) fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--help" | "-h" => return Ok(None),
            "--stats" => options.stats = true,
            "--emit" => options.emit = true,
            "--max-memory" => options.memory = Some(size(&value()?)?),
            "--gc-stress" => {
                options.stress = value()?.parse().map_err(|_| "--gc-stress needs a number")?;
            }
            "test" if options.file.is_none() && !options.testing => options.testing = true,
            _ if arg.starts_with('-') => return Err(format!("there is no option {arg}")),
            _ if options.file.is_some() => return Err("one file at a time".to_owned()),
            _ => options.file = Some(arg),
        }
    }
    if options.testing && options.file.is_none() {
        return Err("test needs a file".to_owned());
    }
    Ok(Some(options))
}

fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(format!("{text} is no size")),
    };
    let number: Option<usize> = digits.parse().ok();
    number.and_then(|number| number.checked_mul(1 << shift)).ok_or(format!("{text} is no size"))
}

fn start(options: &Options) -> ExitCode {
    let limits = Limits { bytes: options.memory.unwrap_or(usize::MAX), ..Limits::default() };
    let heap = Heap::with(Settings::random().limits(limits));
    let mut machine = Machine::new(heap, Box::new(BufWriter::with_capacity(1 << 16, io::stdout())));
    machine.stress(options.stress);
    machine.limit_stack(options.memory.unwrap_or(usize::MAX));
    let mut world = World::default();
    let code = match &options.file {
        None => prompt::run(&mut world, &mut machine),
        Some(file) => match std::fs::read_to_string(file) {
            Ok(source) => match run(&mut world, &mut machine, &source, options) {
                Ok(()) if options.testing => tested(&machine, file, &source),
                Ok(()) => ExitCode::SUCCESS,
                Err(fault) => {
                    complain(&show(&fault, file, &source));
                    ExitCode::FAILURE
                }
            },
            Err(error) => {
                complain(&format!("mochi: {file}: {error}\n"));
                ExitCode::FAILURE
            }
        },
    };
    if options.stats {
        complain(&stats::table(&machine));
    }
    // The process ends here: the memory need not be given back piece by piece.
    std::mem::forget(machine);
    code
}

/// Says what came of the tests.
fn tested(machine: &Machine, file: &str, source: &str) -> ExitCode {
    let (passed, failed) = &machine.tests;
    failed.iter().for_each(|fault| complain(&show(fault, file, source)));
    complain(&format!("{passed} passed, {} failed\n", failed.len()));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(
    world: &mut World,
    machine: &mut Machine,
    source: &str,
    options: &Options,
) -> Result<(), Fault> {
    let program = parse(source)?;
    let entry = compile(world, &program, false, options.testing)?;
    if options.emit {
        let listing = world.program.listing();
        return machine
            .context
            .out
            .write_all(listing.as_bytes())
            .and_then(|()| machine.context.out.flush())
            .map_err(|error| Fault::new(0, format!("cannot write: {error}")));
    }
    machine.run(&world.program, entry)?;
    Ok(())
}
