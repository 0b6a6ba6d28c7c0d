//! Execution of functions: control, calls and variables.

use wasmparser::{BlockType, Operator};

use super::module::Module;
use super::numeric::numeric;
use super::store::{Function, Store};
use super::{Stop, name, unsupported};

impl Store {
    pub(super) fn run(
        &mut self,
        function: usize,
        instance: usize,
        code: usize,
        args: &[u64],
    ) -> Result<Vec<u64>, Stop> {
        let arity = self.functions[function].ty().results().len();
        let mut frame =
            Frame { next: 0, stack: Vec::new(), labels: Vec::new(), locals: args.into() };
        let code = &self.instances[instance].module.code[code];
        frame.locals.resize(args.len() + code.locals, 0);
        let last = code.operators.len();
        frame.labels.push(Label { to: last, arity, height: 0 });
        loop {
            // Looked up on each iteration, since a call borrows the whole store.
            let Function::Wasm { code, .. } = self.functions[function] else { unreachable!() };
            let code = &self.instances[instance].module.code[code];
            let Some(operator) = code.operators.get(frame.next).cloned() else { break };
            let ends = code.ends[frame.next];
            frame.next += 1;
            self.step(instance, &mut frame, &operator, ends)?;
        }
        Ok(frame.stack.split_off(frame.stack.len() - arity))
    }

    fn step(
        &mut self,
        instance: usize,
        frame: &mut Frame,
        operator: &Operator<'static>,
        (alternative, end): (usize, usize),
    ) -> Result<(), Stop> {
        let module = &self.instances[instance].module;
        match operator {
            Operator::Unreachable => return Err(Stop::Trap("unreachable")),
            Operator::Nop => (),
            Operator::Block { blockty } => {
                let (params, results) = arities(module, *blockty)?;
                frame.enter(end + 1, params, results);
            }
            Operator::Loop { blockty } => {
                let (params, _) = arities(module, *blockty)?;
                frame.enter(frame.next - 1, params, params);
            }
            Operator::If { blockty } => {
                let (params, results) = arities(module, *blockty)?;
                let taken = frame.pop() as u32 != 0;
                frame.enter(end + 1, params, results);
                if !taken {
                    frame.next = alternative;
                }
            }
            Operator::Else => frame.next = end,
            Operator::End => drop(frame.labels.pop()),
            Operator::Br { relative_depth } => frame.branch(*relative_depth),
            Operator::BrIf { relative_depth } => {
                if frame.pop() as u32 != 0 {
                    frame.branch(*relative_depth);
                }
            }
            Operator::BrTable { targets } => {
                let depth = targets.targets().nth(frame.pop() as u32 as usize).transpose()?;
                frame.branch(depth.unwrap_or(targets.default()));
            }
            Operator::Return => frame.branch(frame.labels.len() as u32 - 1),
            Operator::Call { function_index } => {
                let function = self.instances[instance].functions[*function_index as usize];
                self.call_in(frame, function)?;
            }
            Operator::CallIndirect { type_index, table_index } => {
                let function = self.indirect(instance, frame, *type_index, *table_index)?;
                self.call_in(frame, function)?;
            }
            _ => {
                if !self.variable(instance, frame, operator)
                    && !self.memory_access(instance, &mut frame.stack, operator)?
                    && !numeric(operator, &mut frame.stack)?
                {
                    return Err(unsupported(name(operator)));
                }
            }
        }
        Ok(())
    }

    /// The function that an indirect call selects.
    fn indirect(
        &self,
        instance: usize,
        frame: &mut Frame,
        type_index: u32,
        table_index: u32,
    ) -> Result<usize, Stop> {
        let instance = &self.instances[instance];
        let expected = instance.module.ty(type_index)?;
        let table = instance.tables[table_index as usize];
        let entry = self.tables[table].entries.get(frame.pop() as usize);
        let entry = *entry.ok_or(Stop::Trap("undefined element"))?;
        let function = entry.ok_or(Stop::Trap("uninitialized element"))?;
        if self.functions[function].ty() != expected {
            return Err(Stop::Trap("indirect call type mismatch"));
        }
        Ok(function)
    }

    /// Runs a parametric or variable instruction; false if `operator` is none.
    fn variable(
        &mut self,
        instance: usize,
        frame: &mut Frame,
        operator: &Operator<'static>,
    ) -> bool {
        match operator {
            Operator::Drop => {
                frame.pop();
            }
            Operator::Select | Operator::TypedSelect { .. } => {
                let first = frame.pop() as u32 != 0;
                let (b, a) = (frame.pop(), frame.pop());
                frame.push(if first { a } else { b });
            }
            Operator::LocalGet { local_index } => {
                frame.push(frame.locals[*local_index as usize]);
            }
            Operator::LocalSet { local_index } => {
                frame.locals[*local_index as usize] = frame.pop();
            }
            Operator::LocalTee { local_index } => {
                frame.locals[*local_index as usize] = *frame.stack.last().unwrap();
            }
            Operator::GlobalGet { global_index } => {
                let global = self.instances[instance].globals[*global_index as usize];
                frame.push(self.globals[global].1);
            }
            Operator::GlobalSet { global_index } => {
                let global = self.instances[instance].globals[*global_index as usize];
                self.globals[global].1 = frame.pop();
            }
            _ => return false,
        }
        true
    }

    fn call_in(&mut self, frame: &mut Frame, function: usize) -> Result<(), Stop> {
        let params = self.functions[function].ty().params().len();
        let args = frame.stack.split_off(frame.stack.len() - params);
        frame.stack.extend(self.call(function, &args)?);
        Ok(())
    }
}

/// The numbers of parameters and results of a block.
fn arities(module: &Module, block: BlockType) -> Result<(usize, usize), Stop> {
    Ok(match block {
        BlockType::Empty => (0, 0),
        BlockType::Type(_) => (0, 1),
        BlockType::FuncType(ty) => {
            let ty = module.ty(ty)?;
            (ty.params().len(), ty.results().len())
        }
    })
}

/// The target of a branch, and what it leaves on the stack.
struct Label {
    to: usize,
    arity: usize,
    height: usize,
}

/// The state of a function call.
struct Frame {
    /// The position of the next instruction.
    next: usize,
    stack: Vec<u64>,
    labels: Vec<Label>,
    locals: Vec<u64>,
}

impl Frame {
    fn push(&mut self, slot: u64) {
        self.stack.push(slot);
    }

    fn pop(&mut self) -> u64 {
        self.stack.pop().unwrap()
    }

    fn enter(&mut self, to: usize, params: usize, arity: usize) {
        self.labels.push(Label { to, arity, height: self.stack.len() - params });
    }

    fn branch(&mut self, depth: u32) {
        let label = self.labels.len() - 1 - depth as usize;
        let Label { to, arity, height } = self.labels[label];
        let kept = self.stack.split_off(self.stack.len() - arity);
        self.stack.truncate(height);
        self.stack.extend(kept);
        self.labels.truncate(label);
        self.next = to;
    }
}
