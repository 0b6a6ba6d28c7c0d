//! The interactive prompt (REPL). All inputs share one environment and one VM.

use std::io::{IsTerminal, Write};

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{CompletionType, Config, DefaultEditor, Editor};

use crate::cli::report;
use crate::compile::{Env, compile};
use crate::completion::Names;
use crate::diagnostics::{Diagnostic, Result, render};
use crate::format::Style;
use crate::interrupt;
use crate::syntax::lexer::tokens;
use crate::syntax::parser::parse;

use crate::values::{Outcome, Trap, trap};
use crate::vm::{Vm, message};

/// The name of the prompt's source in error messages. Its lines are counted from the first input
/// on, so that an error in a function points at the input that declares it.
const NAME: &str = "<prompt>";

const BANNER: &str = "Mochi on segheap. :help tells how to use this prompt.\n";

const HELP: &str = "\
An input is a program: declarations, statements, or an expression whose value is printed.
What it declares stays. An input with an open bracket goes on in the next line.
  Tab              completes a name
  Up, Down         earlier inputs; Ctrl-R searches them
  Ctrl-C           stops the running program, and keeps the variables; clears the input
  Ctrl-D           ends the prompt
  :help            prints this
";

/// Reads and evaluates inputs until the end of input. Returns whether the process succeeds:
/// at a terminal always, in a script if no input failed.
pub(crate) fn run(env: &mut Env, vm: &mut Vm) -> bool {
    let config = Config::builder().auto_add_history(true).completion_type(CompletionType::List);
    let Ok(mut editor) = Editor::with_history(config.build(), MemHistory::new()) else {
        return false;
    };
    let at_terminal = std::io::stdin().is_terminal();
    if at_terminal {
        report(BANNER);
    }
    if let Err(error) = interrupt::handle_ctrl_c() {
        report(&format!("mochi: Ctrl-C will end the prompt: {error}\n"));
    }
    // All inputs, and where the current one starts.
    let (mut source, mut start) = (String::new(), 0);
    let (mut eof, mut success) = (false, true);
    while !eof {
        if at_terminal {
            editor.set_helper(Some(Names::of(env)));
        }
        match editor.readline(if source.len() == start { "mochi> " } else { "  ...> " }) {
            Ok(line) => source += &(line + "\n"),
            Err(ReadlineError::Interrupted) => {
                source.truncate(start);
                report("Ctrl-D ends the prompt\n");
                continue;
            }
            Err(_) => eof = true,
        }
        if let Some(command) = source.get(start..).and_then(|input| input.trim().strip_prefix(':'))
        {
            report(if command == "help" { HELP } else { "no such command; :help lists them\n" });
            source.truncate(start);
            continue;
        }
        if !eof && has_open_bracket(&source, start) {
            continue;
        }
        let result = interrupt::running(vm.time_limit, || evaluate(env, vm, &source, start));
        if let Err(diagnostic) = result {
            success = false;
            let _ = vm.context.out.flush();
            report(&render(&diagnostic, NAME, &source));
        }
        start = source.len();
    }
    success || at_terminal
}

/// Whether the input from `start` on continues on the next line.
fn has_open_bracket(source: &str, start: usize) -> bool {
    let Ok(tokens) = tokens(source, start) else { return false };
    let count =
        |brackets: [&str; 3]| tokens.iter().filter(|it| brackets.contains(&it.text)).count();
    count(["{", "(", "["]) > count(["}", ")", "]"])
}

/// Compiles and runs the input from `start` on, and prints the value of its last expression.
fn evaluate(env: &mut Env, vm: &mut Vm, source: &str, start: usize) -> Result<()> {
    let entry = compile(env, &parse(source, start)?, true)?;
    let value = vm.run(&env.program, entry)?;
    if !value.is_null() {
        let text = vm.context.format(value, Style::Quoted);
        let text = text.map_err(|trap| Diagnostic::new(start as u32, message(trap)))?;
        let _ = writeln!(vm.context.out, "{text}");
    }
    let _ = vm.context.out.flush();
    Ok(())
}

/// Reads a line that the program asks for. It is empty at the end of the input.
pub(crate) fn read_line() -> Outcome<String> {
    match DefaultEditor::new().and_then(|mut editor| editor.readline("")) {
        Ok(line) => Ok(line),
        Err(ReadlineError::Eof) => Ok(String::new()),
        Err(ReadlineError::Interrupted) => Err(Trap::Stopped),
        Err(error) => trap(format!("cannot read standard input: {error}")),
    }
}
