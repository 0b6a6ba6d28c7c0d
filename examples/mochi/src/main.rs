//! A VM for the language Mochi whose only heap is segheap.
//!
//! ```text
//! cargo run --release --bin mochi -- [OPTIONS] [FILE.mochi]
//! ```
//!
//! README.md beside this folder is the way through the files.

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

use clap::{ArgMatches, Command, arg, value_parser};
use parse_size::parse_size;
use segheap::{Heap, Limits, Settings};

use crate::compile::{Env, compile};
use crate::errors::{Diagnostic, render};
use crate::machine::Machine;
use crate::syntax::parser::parse;

/// The stack of the thread that does all the work: deep enough for the highest tree that the
/// parser lets through.
const STACK: usize = 256 << 20;

fn main() -> ExitCode {
    let test = Command::new("test").about("Report the test blocks of a program one by one");
    let options = [
        arg!(--stats "Print what the heap holds when the program ends"),
        arg!(--"max-memory" <SIZE> "Hold the program to so much memory: 64MiB, 1GiB, 500000")
            .value_parser(|text: &str| parse_size(text)),
        arg!(--"gc-stress" <N> "Collect and verify the heap at every N-th allocation")
            .value_parser(value_parser!(u32)),
        arg!(--emit "Print the bytecode, and do not run it"),
    ];
    let args = Command::new("mochi")
        .about("Runs a program of the language Mochi. Without a file it is a prompt.")
        .args(options.map(|option| option.global(true)))
        .arg(arg!([FILE] "The program"))
        .disable_help_subcommand(true)
        .subcommand(test.arg(arg!(<FILE> "The program")))
        .get_matches();
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || start(&args));
    thread.ok().and_then(|thread| thread.join().ok()).unwrap_or(ExitCode::FAILURE)
}

/// Nobody is left to tell if this cannot be written.
pub(crate) fn report(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn start(args: &ArgMatches) -> ExitCode {
    let (testing, args) = args.subcommand().map_or((false, args), |(_, args)| (true, args));
    let memory = args.get_one("max-memory").map_or(u64::MAX, |bytes| *bytes);
    let memory = usize::try_from(memory).unwrap_or(usize::MAX);
    let limits = Limits::NONE.with_bytes(memory);
    let heap = Heap::with(Settings::random().limits(limits));
    let mut machine = Machine::new(heap, Box::new(BufWriter::with_capacity(1 << 16, io::stdout())));
    machine.stress(args.get_one("gc-stress").copied().unwrap_or(0));
    machine.limit_stack(memory);
    let mut env = Env::default();
    env.testing = testing;
    let fine = match args.get_one::<String>("FILE") {
        None => prompt::run(&mut env, &mut machine),
        Some(file) => match std::fs::read_to_string(file) {
            Err(error) => {
                report(&format!("mochi: {file}: {error}\n"));
                false
            }
            Ok(source) => {
                let done = run(&mut env, &mut machine, &source, args.get_flag("emit"));
                let (passed, failed) = &machine.tests;
                let diagnostics = failed.iter().chain(done.as_ref().err());
                diagnostics.for_each(|diagnostic| report(&render(diagnostic, file, &source)));
                if testing {
                    report(&format!("{passed} passed, {} failed\n", failed.len()));
                }
                done.is_ok() && failed.is_empty()
            }
        },
    };
    if args.get_flag("stats") {
        report(&stats::table(&machine));
    }
    // The process ends here: the memory need not be given back piece by piece.
    std::mem::forget(machine);
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(env: &mut Env, machine: &mut Machine, source: &str, emit: bool) -> Result<(), Diagnostic> {
    let entry = compile(env, &parse(source)?, false)?;
    if !emit {
        return machine.run(&env.program, entry).map(drop);
    }
    let written = machine.context.out.write_all(env.program.listing().as_bytes());
    let written = written.and_then(|()| machine.context.out.flush());
    written.map_err(|error| Diagnostic::new(0, format!("cannot write: {error}")))
}
