//! The prompt: each input is compiled into the same env, and runs on the same machine.

use std::io::{IsTerminal, Write};

use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor};

use crate::compile::{Env, compile};
use crate::errors::{Result, render};
use crate::machine::Machine;
use crate::show::Style;
use crate::syntax::parser::parse;

/// Answers whether all went well; a person is told of diagnostics and need not hear of them again.
pub(crate) fn run(env: &mut Env, machine: &mut Machine) -> bool {
    let config = Config::builder().auto_add_history(true).build();
    let Ok(mut lines) = DefaultEditor::with_config(config) else { return false };
    let (mut source, mut ended, mut fine) = (String::new(), false, true);
    while !ended {
        match lines.readline(if source.is_empty() { "mochi> " } else { "  ...> " }) {
            Ok(line) => source += &(line + "\n"),
            Err(ReadlineError::Interrupted) => source.clear(),
            Err(_) => ended = true,
        }
        // An input goes on until its brackets are closed. Those in texts and comments count too,
        // which asks for one line more at worst.
        let count = |brackets: &[char]| source.matches(brackets).count();
        if !ended && count(&['{', '(', '[']) > count(&['}', ')', ']']) {
            continue;
        }
        if let Err(diagnostic) = input(env, machine, &source) {
            fine = false;
            let _ = machine.context.out.flush();
            crate::report(&render(&diagnostic, "<prompt>", &source));
        }
        source.clear();
    }
    fine || std::io::stdin().is_terminal()
}

fn input(env: &mut Env, machine: &mut Machine, source: &str) -> Result<()> {
    let entry = compile(env, &parse(source)?, true)?;
    let value = machine.run(&env.program, entry)?;
    if !value.is_null() {
        let text = machine.context.format(value, Style::Quoted);
        let _ = writeln!(machine.context.out, "{text}");
    }
    let _ = machine.context.out.flush();
    Ok(())
}
