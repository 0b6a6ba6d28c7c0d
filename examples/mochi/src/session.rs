//! The VM as a part of another program, which looks at its heap as well.

use std::io::Write;

use segheap::{Cell, Heap};

use crate::compile::{Env, compile};
use crate::diagnostics::{Diagnostic, line_and_column, token_at};
use crate::syntax::parser::parse;
use crate::vm::Vm;

/// A VM and the program that it ran last.
pub struct Session {
    env: Env,
    vm: Vm,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Why a program was not compiled, or did not run to its end.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub at: Position,
    /// The number of characters of the token there.
    pub len: usize,
    /// The calls that were running, innermost first: the function, and where it was called.
    pub trace: Vec<(String, Position)>,
}

/// A position in a source. Both numbers count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A cell outside the heap. What it refers to is live.
#[derive(Clone, Debug)]
pub struct Root {
    /// Where the cell is.
    pub place: Place,
    /// Its value.
    pub cell: Cell,
}

/// A place outside the heap.
#[derive(Clone, Debug)]
pub enum Place {
    /// A global variable.
    Global(String),
    /// A register of a call.
    Register {
        /// The number of the call; 0 is the program itself.
        depth: usize,
        /// The function.
        function: String,
        /// The variable in the register, unless it holds an intermediate result.
        variable: Option<String>,
        /// The number of the register.
        number: usize,
    },
    /// An entry of the constant pool.
    Constant,
}

impl Session {
    /// A session whose programs allocate in this heap, and print to `out`. `limit` bounds the
    /// stack, in bytes.
    pub fn new(heap: Heap, out: Box<dyn Write>, limit: usize) -> Session {
        let mut vm = Vm::new(heap, out);
        vm.limit_stack(limit);
        Session { env: Env::default(), vm }
    }

    /// Calls `observer` after each collection, or step of one.
    pub fn observe(&mut self, observer: impl FnMut(&mut Heap) + 'static) {
        self.vm.context.observer = Some(Box::new(observer));
    }

    /// Limits the instructions of each program from now on, or lifts the limit. A program that
    /// needs more fails with "out of fuel"; its state stays. Which instruction that is depends on
    /// the program alone. One instruction may call a built-in function on a large value.
    pub fn limit_fuel(&mut self, instructions: Option<u64>) {
        self.vm.limit_fuel(instructions);
    }

    /// Compiles and runs a program. The heap and the call stack stay as they are at its end.
    ///
    /// # Errors
    /// A [`Failure`] if the program cannot be compiled, or fails.
    pub fn run(&mut self, source: &str) -> Result<(), Failure> {
        let entry = parse(source, 0).and_then(|program| compile(&mut self.env, &program, false));
        let result = entry.and_then(|entry| self.vm.run(&self.env.program, entry));
        result.map(drop).map_err(|diagnostic| Failure::of(&diagnostic, source))
    }

    /// The heap.
    pub fn heap(&self) -> &Heap {
        &self.vm.context.heap
    }

    /// The heap, to change what a VM may: to collect garbage with [`roots`](Session::roots), to record
    /// events.
    pub fn heap_mut(&mut self) -> &mut Heap {
        &mut self.vm.context.heap
    }

    /// The roots of a collection: globals, registers of all calls, constants.
    pub fn roots(&self) -> Vec<Root> {
        let globals = self.vm.global_cells().iter().enumerate().map(|(slot, &cell)| {
            let name = self.env.global_named(slot).unwrap_or_default().to_owned();
            Root { place: Place::Global(name), cell }
        });
        let registers = self.vm.registers(&self.env.program).map(|register| Root {
            place: Place::Register {
                depth: register.depth,
                function: register.function.name.clone(),
                variable: register.variable.map(str::to_owned),
                number: register.number,
            },
            cell: register.cell,
        });
        let constants = self.vm.constant_cells().iter();
        let constants = constants.map(|&cell| Root { place: Place::Constant, cell });
        globals.chain(registers).chain(constants).collect()
    }

    /// The name of a shape of structs, and the names of its fields.
    pub fn shape(&self, shape: u32) -> Option<(&str, Vec<&str>)> {
        let shape = self.env.program.shapes.get(shape as usize)?;
        Some((&shape.name, shape.fields.iter().map(|(name, _)| name.as_str()).collect()))
    }

    /// The name of a function.
    pub fn function(&self, function: u32) -> Option<&str> {
        self.env.program.functions.get(function as usize).map(|function| function.name.as_str())
    }
}

impl Failure {
    fn of(diagnostic: &Diagnostic, source: &str) -> Failure {
        let at = |pos| {
            let (line, column) = line_and_column(source, pos);
            Position { line, column }
        };
        let token = source.get(token_at(source, diagnostic.pos)).unwrap_or_default();
        Failure {
            message: diagnostic.message.clone(),
            at: at(diagnostic.pos),
            len: token.chars().count(),
            trace: diagnostic.trace.iter().map(|(name, call)| (name.clone(), at(*call))).collect(),
        }
    }
}
