//! What keeps objects alive once a program has ended, or failed.

use segheap::Cell;

use super::Vm;
use crate::bytecode::{Function, Program};

/// A register of bank c of a frame.
pub(crate) struct Register<'p> {
    /// The number of the frame, from the first call on.
    pub(crate) depth: usize,
    pub(crate) function: &'p Function,
    pub(crate) number: usize,
    /// The variable in it.
    pub(crate) variable: Option<&'p str>,
    pub(crate) cell: Cell,
}

impl Vm {
    /// The registers of all frames, in the order of their calls.
    pub(crate) fn registers<'p>(
        &'p self,
        program: &'p Program,
    ) -> impl Iterator<Item = Register<'p>> {
        self.frames.iter().enumerate().flat_map(move |(depth, frame)| {
            let function = &*program.functions[frame.function as usize];
            let start = frame.base[2] as usize;
            // The arguments of a call are in the registers of both: they belong to the callee.
            let callee = self.frames.get(depth + 1).map(|callee| callee.base[2] as usize);
            let end = start + usize::from(function.frame_size[2]);
            let end = callee.map_or(end, |callee| end.min(callee)).min(self.cells.len());
            let registers = self.cells.get(start..end).unwrap_or_default();
            registers.iter().enumerate().map(move |(number, &cell)| Register {
                depth,
                function,
                number,
                variable: variable(function, number, frame.pc.saturating_sub(1)),
                cell,
            })
        })
    }

    pub(crate) fn global_cells(&self) -> &[Cell] {
        &self.globals.cells
    }

    pub(crate) fn constant_cells(&self) -> &[Cell] {
        &self.constants
    }
}

/// The variable in a register at an instruction.
fn variable(function: &Function, number: usize, pc: u32) -> Option<&str> {
    let here =
        |it: &&crate::bytecode::Variable| usize::from(it.reg) == number && it.scope.contains(&pc);
    function.variables.iter().rev().find(here).map(|variable| variable.name.as_str())
}
