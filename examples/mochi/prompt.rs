//! The prompt: each input is compiled into the same world, and runs on the same machine.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::compile::{World, compile};
use crate::errors::{Result, show};
use crate::machine::Machine;
use crate::show::Style;
use crate::syntax::parser::parse;

const NAME: &str = "<prompt>";

/// Where lines come from: a person, or a pipe.
enum Lines {
    Editor(Box<DefaultEditor>),
    Pipe(std::io::Lines<std::io::StdinLock<'static>>),
}

impl Lines {
    fn next(&mut self, prompt: &str) -> Option<String> {
        match self {
            Lines::Editor(editor) => loop {
                match editor.readline(prompt) {
                    Ok(line) => {
                        let _ = editor.add_history_entry(&line);
                        return Some(line);
                    }
                    Err(ReadlineError::Interrupted) => {}
                    Err(_) => return None,
                }
            },
            Lines::Pipe(lines) => lines.next()?.ok(),
        }
    }
}

pub(crate) fn run(world: &mut World, machine: &mut Machine) -> ExitCode {
    let terminal = std::io::stdin().is_terminal();
    let mut lines = match DefaultEditor::new() {
        Ok(editor) if terminal => Lines::Editor(Box::new(editor)),
        _ => Lines::Pipe(std::io::stdin().lock().lines()),
    };
    let mut failed = false;
    while let Some(mut source) = lines.next("mochi> ") {
        // An input goes on until its brackets are closed.
        while open_brackets(&source) > 0 {
            let Some(line) = lines.next("  ...> ") else { break };
            source.push('\n');
            source.push_str(&line);
        }
        if source.trim().is_empty() {
            continue;
        }
        if let Err(fault) = input(world, machine, &source) {
            failed = true;
            let _ = machine.context.out.flush();
            crate::complain(&show(&fault, NAME, &source));
        }
    }
    if failed && !terminal { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn input(world: &mut World, machine: &mut Machine, source: &str) -> Result<()> {
    let program = parse(source)?;
    let entry = compile(world, &program, true, false)?;
    let value = machine.run(&world.program, entry)?;
    if !value.is_null() {
        let text = machine.context.shown(value, Style::Quoted);
        let _ = writeln!(machine.context.out, "{text}");
    }
    let _ = machine.context.out.flush();
    Ok(())
}

/// How many brackets are open at the end; those in texts and comments count too, which asks for
/// one line more at worst.
fn open_brackets(source: &str) -> i32 {
    source.chars().fold(0, |open, c| match c {
        '{' | '(' | '[' => open + 1,
        '}' | ')' | ']' => open - 1,
        _ => open,
    })
}
