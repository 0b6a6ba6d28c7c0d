//! Instructions, registers and destinations.
//!
//! Code generation is destination-driven: the caller of [`expr`](Compiler::expr) passes the register
//! that it wants the value in, so that results rarely have to be moved. Registers are allocated like
//! a stack. A [`Mark`] is the height of that stack; releasing to a mark frees what is above it.

use super::{ANY, Compiler};
use crate::bytecode::{Idx, Op, Reg};
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// The registers that a function may use of each bank. The rest of the 256 is headroom for the
/// windows of callees.
const REGISTERS_MAX: u16 = 250;

/// The number of allocated registers of each bank.
pub(super) type Mark = [u16; 3];

/// The destination of a value.
#[derive(Clone, Copy)]
pub(super) struct Dest<'t> {
    /// The type that the value will be coerced to.
    pub(super) expected: &'t Type,
    /// The wanted register, of the bank of the expected type. A value of another bank goes elsewhere.
    pub(super) reg: Option<Reg>,
    /// The registers allocated before the operands.
    pub(super) mark: Mark,
}

impl Dest<'_> {
    /// The wanted register, if it is of this bank.
    pub(super) fn reg_in(&self, bank: Bank) -> Option<Reg> {
        self.reg.filter(|_| self.expected.bank() == bank)
    }
}

/// A value in a register of the bank of its type.
#[derive(Clone, Debug)]
pub(super) struct Val {
    pub(super) ty: Type,
    pub(super) reg: Reg,
}

impl Val {
    pub(super) fn cell(reg: Reg) -> Val {
        Val { ty: Type::Any, reg }
    }
}

/// An index into a table of the program, as an operand.
pub(super) fn table_index(pos: Pos, n: usize, what: &str) -> Result<Idx> {
    Idx::try_from(n).or_else(|_| {
        error_at(pos, format!("too many {what}: the limit is {}", usize::from(Idx::MAX) + 1))
    })
}

impl Compiler<'_> {
    /// Emits code for another source position.
    pub(super) fn with_pos<T>(
        &mut self,
        pos: Pos,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let outer = std::mem::replace(&mut self.pos, pos);
        let result = body(self);
        self.pos = outer;
        result
    }

    // Instructions.

    /// Emits an instruction. Returns its index, for patching.
    pub(super) fn emit(&mut self, op: Op) -> usize {
        let function = &mut self.current.function;
        function.code.push(op);
        function.positions.push(self.pos);
        function.code.len() - 1
    }

    /// The index of the next instruction, as a jump target.
    pub(super) fn here(&self) -> u32 {
        self.current.function.code.len() as u32
    }

    /// Sets the target of a jump.
    pub(super) fn patch(&mut self, jump: usize, to: u32) {
        if let Some(target) = self.current.function.code[jump].target() {
            *target = to;
        }
    }

    /// Sets the target of jumps to the next instruction.
    pub(super) fn patch_here(&mut self, jumps: impl IntoIterator<Item = usize>) {
        let to = self.here();
        jumps.into_iter().for_each(|jump| self.patch(jump, to));
    }

    // Registers.

    pub(super) fn mark(&self) -> Mark {
        self.current.next_reg
    }

    pub(super) fn release(&mut self, mark: Mark) {
        self.current.next_reg = mark;
    }

    pub(super) fn alloc_reg(&mut self, bank: Bank) -> Result<Reg> {
        let n = self.current.next_reg[bank as usize];
        if n >= REGISTERS_MAX {
            let message = format!(
                "function needs more than {REGISTERS_MAX} registers of one kind; split it up"
            );
            return error_at(self.pos, message);
        }
        self.current.next_reg[bank as usize] = n + 1;
        let size = &mut self.current.function.frame_size[bank as usize];
        *size = (*size).max(n + 1);
        Ok(n as Reg)
    }

    /// Allocates a register for a value of this type.
    pub(super) fn alloc_for(&mut self, ty: &Type) -> Result<Val> {
        Ok(Val { ty: ty.clone(), reg: self.alloc_reg(ty.bank())? })
    }

    /// Any register.
    pub(super) fn dest<'t>(&self, ty: &'t Type) -> Dest<'t> {
        Dest { expected: ty, reg: None, mark: self.mark() }
    }

    /// The wanted register if it is of the bank of this type, else a new one.
    pub(super) fn dest_reg(&mut self, dest: Dest, ty: &Type) -> Result<Reg> {
        dest.reg_in(ty.bank()).map_or_else(|| self.alloc_reg(ty.bank()), Ok)
    }

    /// Releases the operands and emits an instruction with this result. The destination may be the
    /// register of an operand: instructions read before they write.
    pub(super) fn emit_result(
        &mut self,
        dest: Dest,
        ty: Type,
        op: impl FnOnce(Reg) -> Op,
    ) -> Result<Val> {
        self.release(dest.mark);
        let reg = self.dest_reg(dest, &ty)?;
        self.emit(op(reg));
        Ok(Val { ty, reg })
    }

    /// Emits an instruction whose result is a cell, and unboxes it to a value of this type.
    pub(super) fn emit_unboxed(
        &mut self,
        dest: Dest,
        ty: &Type,
        op: impl FnOnce(Reg) -> Op,
    ) -> Result<Val> {
        let cell = self.emit_result(dest, Type::Any, op)?;
        self.ascribe(cell, ty, dest.reg_in(ty.bank()))
    }

    /// Compiles an expression, or null, into the next register of bank C.
    pub(super) fn expr_or_null_to_next(&mut self, expr: Option<&Expr>, ty: &Type) -> Result<Reg> {
        let null = Expr { pos: self.pos, kind: ExprKind::Null };
        let (expr, ty) = expr.map_or((&null, ANY), |expr| (expr, ty));
        self.expr_to_next(Bank::C, expr, ty)
    }

    /// Infers the type of an expression: compiles it and discards the code.
    pub(super) fn infer(&mut self, expr: &Expr, expected: &Type) -> Result<Type> {
        self.infer_with(expr, |compiler| Ok(compiler.expr(expr, expected, None)?.ty))
    }

    pub(super) fn infer_with(
        &mut self,
        expr: &Expr,
        f: impl FnOnce(&mut Self) -> Result<Type>,
    ) -> Result<Type> {
        if let Some(ty) = self.inferred.get(&std::ptr::from_ref(expr)) {
            return Ok(ty.clone());
        }
        let (code, mark, pos) = (self.current.function.code.len(), self.mark(), self.pos);
        let functions = self.env.program.functions.len();
        let variables = self.current.function.variables.len();
        let ty = f(self)?;
        self.env.program.functions.truncate(functions);
        self.pos = pos;
        self.release(mark);
        self.current.function.code.truncate(code);
        self.current.function.positions.truncate(code);
        self.current.function.variables.truncate(variables);
        self.inferred.insert(expr, ty.clone());
        Ok(ty)
    }

    /// The index of a string in the constant pool.
    pub(super) fn constant(&mut self, text: &str) -> Result<Idx> {
        let n = self.env.program.constants.number(text.into());
        table_index(self.pos, n, "constants")
    }

    /// The index of a number in the constant pool.
    pub(super) fn number(&mut self, number: i64) -> Result<Idx> {
        table_index(self.pos, self.env.program.numbers.number(number), "constants")
    }

    /// The index of a type in the table of types, of which casts make few.
    pub(super) fn type_index(&mut self, ty: &Type) -> Result<Idx> {
        let types = &mut self.env.program.types;
        let n = types.iter().position(|it| it == ty).unwrap_or(types.len());
        if n == types.len() {
            types.push(ty.clone());
        }
        table_index(self.pos, n, "types")
    }

    pub(super) fn move_to(&mut self, bank: Bank, to: Reg, from: Reg) {
        if to != from {
            self.emit([Op::MoveI, Op::MoveF, Op::MoveC][bank as usize](to, from));
        }
    }

    /// Coerces a value to a type, in a given register or in any. If the type is `any`, the more
    /// specific static type is kept where the bank allows it.
    pub(super) fn coerce(&mut self, value: Val, wanted: &Type, to: Option<Reg>) -> Result<Val> {
        let (from, bank) = (value.ty.bank(), wanted.bank());
        // Booleans and integers share a bank, but do not convert.
        let distinct = from == Bank::I && bank == Bank::I && value.ty != *wanted;
        if distinct || !value.ty.is_compatible(wanted) {
            let found = &value.ty;
            return error_at(
                self.pos,
                format!("mismatched types: expected `{wanted}`, found `{found}`"),
            );
        }
        let keeps_type = *wanted == Type::Any && bank == from;
        let ty = if keeps_type { value.ty.clone() } else { wanted.clone() };
        let v = value.reg;
        let reg = match to {
            Some(reg) => reg,
            None if from == bank => v,
            None => self.alloc_reg(bank)?,
        };
        if from == bank {
            self.move_to(bank, reg, v);
            return Ok(Val { ty, reg });
        }
        self.emit(match (&value.ty, wanted) {
            (Type::Int, Type::Float) => Op::IToF(reg, v),
            (Type::Int, _) => Op::BoxI(reg, v),
            (Type::Bool, _) => Op::BoxB(reg, v),
            (Type::Float, _) => Op::BoxF(reg, v),
            (_, Type::Int) => Op::UnboxI(reg, v),
            (_, Type::Float) => Op::UnboxF(reg, v),
            _ => Op::UnboxB(reg, v),
        });
        Ok(Val { ty, reg })
    }
}
