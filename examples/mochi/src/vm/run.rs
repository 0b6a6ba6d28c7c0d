//! Running a program: what happens when an instruction fails.

use std::io::Write;
use std::time::Instant;

use segheap::{Cell, Error, Resource};

use super::{Frame, NOWHERE, Vm};
use crate::bytecode::Program;
use crate::diagnostics::{Diagnostic, Result};
use crate::interrupt;
use crate::values::{Outcome, Trap};

/// The calls of a stack trace that are recorded.
const TRACE_MAX: usize = 1000;

impl Vm {
    /// Allocates new constants and makes room for new globals.
    fn load(&mut self, program: &Program) -> Outcome<()> {
        let heap = &mut self.context.heap;
        for text in &program.constants[self.constants.len()..] {
            let roots = self.globals.cells.iter().chain(&self.constants).copied();
            let cell = heap.retry_after_collect(roots, |heap| heap.string(text))?;
            self.constants.push(cell);
        }
        self.field_places.resize(self.constants.len(), NOWHERE);
        self.context.shapes.clone_from(&program.shapes);
        let [i, f, c] = program.globals;
        self.globals.ints.resize(i, 0);
        self.globals.floats.resize(f, 0.0);
        self.globals.cells.resize(c, Cell::NULL);
        Ok(())
    }

    /// Runs a function without parameters and returns its result.
    pub(crate) fn run(&mut self, program: &Program, entry: u16) -> Result<Cell> {
        self.frames.clear();
        self.load(program).map_err(|trap| Diagnostic::new(0, message(trap)))?;
        self.at = Frame { function: entry.into(), ..Frame::default() };
        (self.test, self.fuel) = (None, self.fuel_limit);
        let result = self.run_to_end(program, entry);
        let end = match &result {
            Ok(_) => Frame {
                function: entry.into(),
                pc: program.functions[usize::from(entry)].code.len() as u32,
                base: [0; 4],
            },
            Err(_) => Frame { pc: self.at.pc.saturating_add(1), ..self.at },
        };
        self.frames.push(end);
        let flushed = self.context.out.flush();
        flushed
            .map_err(|error| Diagnostic::new(0, format!("cannot write output: {error}")))
            .and(result)
    }

    fn run_to_end(&mut self, program: &Program, entry: u16) -> Result<Cell> {
        loop {
            let outcome = match self.fuel {
                u64::MAX => self.execute::<false>(program),
                _ => self.execute::<true>(program),
            };
            let outcome = match outcome {
                Err(Trap::Heap(error)) if error.is_memory_error() => self.retry(program, error),
                outcome => outcome.map(Some),
            };
            let trap = match outcome {
                Ok(Some(result)) => return Ok(result),
                Ok(None) => continue,
                Err(trap) => trap,
            };
            let stopped = matches!(trap, Trap::Stopped | Trap::OutOfFuel);
            let diagnostic = self.diagnose(trap, program);
            // A failed test block is reported; execution resumes after it.
            let Some((to, name)) = self.test.take().filter(|_| !stopped) else {
                return Err(diagnostic);
            };
            let _ = writeln!(self.context.out, "FAILED  {}", self.context.heap.display(name));
            self.tests.failed.push(diagnostic);
            self.frames.clear();
            self.at = Frame { function: entry.into(), pc: to, base: [0; 4] };
        }
    }

    /// Runs the instruction that has failed with this error once more, if a collection has made
    /// room for it. Its end is the end of its fuel, which is for one instruction; a second
    /// failure is final. Returns the result of the program if the instruction is its last.
    #[cold]
    fn retry(&mut self, program: &Program, error: Error) -> Outcome<Option<Cell>> {
        let function = &program.functions[self.at.function as usize];
        let top = self.at.base[2] as usize + usize::from(function.frame_size[2]);
        let roots = [&self.cells[..top], &self.globals.cells, &self.constants];
        let start = Instant::now();
        let roots = roots.into_iter().flatten().copied();
        let collected = self.context.heap.collect_to_retry(error, roots)?;
        self.gc_stats.note(start, collected.freed);
        self.context.observe();
        interrupt::poll()?;
        let left = std::mem::replace(&mut self.fuel, 1);
        let outcome = self.execute::<true>(program);
        self.fuel = left;
        match outcome {
            Err(Trap::OutOfFuel) => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// The diagnostic of a trap at the instruction that ran last, with the stack trace.
    fn diagnose(&self, trap: Trap, program: &Program) -> Diagnostic {
        let code = |function: u32| &program.functions[function as usize];
        let pos = |function: u32, pc: u32| {
            code(function).positions.get(pc as usize).copied().unwrap_or(0)
        };
        let Frame { function, pc, .. } = self.at;
        let mut diagnostic = Diagnostic::new(pos(function, pc), message(trap));
        let mut callee = function;
        for frame in self.frames.iter().rev().take(TRACE_MAX) {
            let call = pos(frame.function, frame.pc.saturating_sub(1));
            diagnostic.trace.push((code(callee).name.clone(), call));
            callee = frame.function;
        }
        diagnostic
    }
}

pub(crate) fn message(trap: Trap) -> String {
    match trap {
        Trap::Message(message) => message,
        Trap::Stopped => interrupt::reason().to_owned(),
        Trap::OutOfFuel => "out of fuel: limit reached".to_owned(),
        Trap::Heap(Error::Limit(Resource::IntegerBits)) => "integer is too large".to_owned(),
        Trap::Heap(Error::ObjectTooLarge) => "out of memory: value is too large".to_owned(),
        Trap::Heap(Error::Limit(_)) => "out of memory: limit reached".to_owned(),
        Trap::Heap(error) => error.to_string(),
    }
}
