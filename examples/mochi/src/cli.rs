//! The command line.
//!
//! ```text
//! cargo run --release -p segheap-mochi -- [OPTIONS] [FILE.mochi]
//! ```

use std::error::Error;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::{self, ExitCode};
use std::time::Duration;

use clap::{ArgMatches, Command, arg, value_parser};
use parse_size::parse_size;
use segheap::{Heap, Limits, Settings};

use crate::compile::{Env, compile};
use crate::diagnostics::{Diagnostic, render};
use crate::syntax::parser::parse;
use crate::vm::Vm;
use crate::{interrupt, repl, stats};

/// Native stack of the thread that parses, compiles and runs. The compiler recurses over the AST,
/// whose height the parser bounds; this is enough for the highest AST in a debug build.
const NATIVE_STACK: usize = 256 << 20;

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let args = command().get_matches();
    let thread = std::thread::Builder::new().stack_size(NATIVE_STACK).spawn(move || start(&args));
    match thread {
        Ok(thread) => thread.join().unwrap_or(ExitCode::FAILURE),
        Err(error) => {
            report(&format!("mochi: cannot start a thread: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let options = [
        arg!(--stats "Print heap usage and collector statistics at exit"),
        arg!(--"max-memory" <SIZE> "Limit the heap and the stack, e.g. to 64MiB or 1GiB")
            .value_parser(|text: &str| parse_size(text)),
        arg!(--"gc-stress" <N> "Do a step of a collection and verify the heap at every N-th allocation")
            .value_parser(value_parser!(u32)),
        arg!(--timeout <SECONDS> "Stop a program, or an input of the prompt, after this time")
            .value_parser(seconds),
        arg!(--fuel <N> "Stop a program, or an input of the prompt, after so many instructions")
            .value_parser(value_parser!(u64)),
        arg!(--emit "Print the bytecode instead of running it"),
    ];
    let test = Command::new("test")
        .about("Runs a program and reports each of its test blocks")
        .arg(arg!(<FILE> "The program to test"));
    Command::new("mochi")
        .about("Runs a Mochi program, or an interactive prompt if there is no FILE")
        .args(options.map(|option| option.global(true)))
        .arg(arg!([FILE] "The program to run"))
        .disable_help_subcommand(true)
        .subcommand(test)
}

fn seconds(text: &str) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

/// Writes to standard error. There is nowhere left to report a failure to.
pub(crate) fn report(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Standard output. A reader that closes its end of the pipe, as `head` does, has seen enough:
/// the process ends there, and it is no error.
struct Stdout(io::Stdout);

impl Stdout {
    fn exit_if_closed<T>(result: io::Result<T>) -> io::Result<T> {
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            process::exit(0);
        }
        result
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Stdout::exit_if_closed(self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Stdout::exit_if_closed(self.0.flush())
    }
}

fn start(args: &ArgMatches) -> ExitCode {
    let (testing, args) = args.subcommand().map_or((false, args), |(_, args)| (true, args));
    let memory = args.get_one("max-memory").map_or(u64::MAX, |bytes| *bytes);
    let memory = usize::try_from(memory).unwrap_or(usize::MAX);
    let heap = Heap::with(Settings::random().limits(Limits::NONE.with_bytes(memory)));
    let out = BufWriter::with_capacity(1 << 16, Stdout(io::stdout()));
    let mut vm = Vm::new(heap, Box::new(out));
    vm.set_gc_stress(args.get_one("gc-stress").copied().unwrap_or(0));
    vm.limit_stack(memory);
    vm.time_limit = args.get_one("timeout").copied();
    vm.limit_fuel(args.get_one("fuel").copied());
    let mut env = Env::default();
    env.testing = testing;
    let success = match args.get_one::<String>("FILE") {
        None => repl::run(&mut env, &mut vm),
        Some(file) => run_file(&mut env, &mut vm, file, args.get_flag("emit")),
    };
    if args.get_flag("stats") {
        report(&stats::table(&vm));
    }
    // The process is about to exit: freeing the heap page by page would be wasted time.
    std::mem::forget(vm);
    if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a program and reports its errors. Returns whether there were none.
fn run_file(env: &mut Env, vm: &mut Vm, file: &str, emit: bool) -> bool {
    let source = match std::fs::read_to_string(file) {
        Ok(source) => source,
        Err(error) => {
            report(&format!("mochi: {file}: {error}\n"));
            return false;
        }
    };
    let result = run(env, vm, &source, emit);
    for diagnostic in vm.tests.failed.iter().chain(result.as_ref().err()) {
        report(&render(diagnostic, file, &source));
    }
    if env.testing {
        report(&format!("{} passed, {} failed\n", vm.tests.passed, vm.tests.failed.len()));
    }
    result.is_ok() && vm.tests.failed.is_empty()
}

fn run(env: &mut Env, vm: &mut Vm, source: &str, emit: bool) -> Result<(), Diagnostic> {
    let entry = compile(env, &parse(source, 0)?, false)?;
    if !emit {
        return interrupt::running(vm.time_limit, || vm.run(&env.program, entry).map(drop));
    }
    let written = vm.context.out.write_all(env.program.listing().as_bytes());
    let written = written.and_then(|()| vm.context.out.flush());
    written.map_err(|error| Diagnostic::new(0, format!("cannot write output: {error}")))
}
