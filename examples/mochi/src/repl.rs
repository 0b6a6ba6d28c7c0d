//! The interactive prompt (REPL). All inputs share one environment and one VM.

use std::io::{IsTerminal, Write};

use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor};

use crate::compile::{Env, compile};
use crate::diagnostics::{Result, render};
use crate::format::Style;
use crate::syntax::lexer::tokens;
use crate::syntax::parser::parse;
use crate::vm::Vm;

/// Reads and evaluates inputs until the end of input. Returns whether the process succeeds:
/// at a terminal always, in a script if no input failed.
pub(crate) fn run(env: &mut Env, vm: &mut Vm) -> bool {
    let config = Config::builder().auto_add_history(true).build();
    let Ok(mut editor) = DefaultEditor::with_config(config) else { return false };
    let (mut source, mut eof, mut success) = (String::new(), false, true);
    while !eof {
        match editor.readline(if source.is_empty() { "mochi> " } else { "  ...> " }) {
            Ok(line) => source += &(line + "\n"),
            Err(ReadlineError::Interrupted) => source.clear(),
            Err(_) => eof = true,
        }
        if !eof && has_open_bracket(&source) {
            continue;
        }
        if let Err(diagnostic) = evaluate(env, vm, &source) {
            success = false;
            let _ = vm.context.out.flush();
            crate::report(&render(&diagnostic, "<prompt>", &source));
        }
        source.clear();
    }
    success || std::io::stdin().is_terminal()
}

/// Whether the input continues on the next line.
fn has_open_bracket(source: &str) -> bool {
    let Ok(tokens) = tokens(source) else { return false };
    let count =
        |brackets: [&str; 3]| tokens.iter().filter(|it| brackets.contains(&it.text)).count();
    count(["{", "(", "["]) > count(["}", ")", "]"])
}

/// Compiles and runs an input, and prints the value of its last expression.
fn evaluate(env: &mut Env, vm: &mut Vm, source: &str) -> Result<()> {
    let entry = compile(env, &parse(source)?, true)?;
    let value = vm.run(&env.program, entry)?;
    if !value.is_null() {
        let text = vm.context.format(value, Style::Quoted);
        let _ = writeln!(vm.context.out, "{text}");
    }
    let _ = vm.context.out.flush();
    Ok(())
}
