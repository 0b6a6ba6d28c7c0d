//! Loops, and statements that are lowered to loops.

use super::{ANY, BodyFn, Compiler, Loop, Val};
use crate::bytecode::{Op, Reg};
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// The loop variable of an `update`. No identifier has a space.
const ITEM: &str = " item";

impl<'w> Compiler<'w> {
    pub(super) fn while_loop(&mut self, condition: &Expr, body: &[Stmt]) -> Result<()> {
        // The condition follows the body: one jump per iteration.
        let enter = self.emit(Op::Jump(0));
        let start = self.here();
        let jumps = self.loop_body(&mut |compiler| compiler.block(body))?;
        self.patch_here([enter]);
        self.patch_here(jumps.continues);
        for jump in self.condition(condition, true)? {
            self.patch(jump, start);
        }
        self.patch_here(jumps.breaks);
        Ok(())
    }

    /// `for name in start..end`.
    pub(super) fn for_range(
        &mut self,
        name: &str,
        start: &Expr,
        end: &Expr,
        body: &[Stmt],
    ) -> Result<()> {
        let (counter, limit) = (self.alloc_reg(Bank::I)?, self.alloc_reg(Bank::I)?);
        self.expr_as(start, &Type::Int, Some(counter))?;
        self.expr_as(end, &Type::Int, Some(limit))?;
        self.counted(counter, limit, &mut |compiler| {
            compiler.declare_local(name, Val { ty: Type::Int, reg: counter })?;
            compiler.block(body)
        })
    }

    /// Emits a loop that counts up to an exclusive end.
    fn counted(&mut self, counter: Reg, end: Reg, body: BodyFn<'_, 'w>) -> Result<()> {
        let skip = self.emit(Op::JLeI(end, counter, 0));
        let start = self.here();
        let jumps = self.loop_body(body)?;
        self.patch_here(jumps.continues);
        self.emit(Op::ForLoop(counter, end, start));
        self.patch_here(jumps.breaks);
        self.patch_here([skip]);
        Ok(())
    }

    /// Emits the body of a loop. Returns the jumps out of it.
    fn loop_body(&mut self, body: BodyFn<'_, 'w>) -> Result<Loop> {
        self.current.loops.push(Loop::default());
        let mark = self.mark();
        self.open_scope();
        body(self)?;
        self.close_scope(mark);
        Ok(self.current.loops.pop().unwrap_or_default())
    }

    /// Emits a loop over the elements of a list, the keys of a map or the characters of a string.
    pub(super) fn for_each(
        &mut self,
        name: &str,
        source: &Expr,
        body: BodyFn<'_, 'w>,
    ) -> Result<()> {
        let source = self.expr_borrowed(source, ANY)?;
        let list = Val { reg: self.alloc_reg(Bank::C)?, ..source };
        self.emit(Op::ToList(list.reg, source.reg));
        self.loop_over(name, list, body)
    }

    /// Emits a loop over a list in a register.
    pub(super) fn loop_over(&mut self, name: &str, list: Val, body: BodyFn<'_, 'w>) -> Result<()> {
        let Some(element) = list.ty.iter_type() else {
            let message = format!("cannot iterate over a value of type `{}`", list.ty);
            return error_at(self.pos, message);
        };
        let (counter, end) = (self.alloc_reg(Bank::I)?, self.alloc_reg(Bank::I)?);
        // Nested loops have different counters, so the number of the counter serves for the hint.
        let hint = counter;
        let hints = &mut self.current.function.frame_size[3];
        *hints = (*hints).max(u16::from(hint) + 1);
        self.emit(Op::LoadI(counter, 0));
        self.emit(Op::Len(end, list.reg));
        self.emit(Op::MakeHint(hint, list.reg));
        self.counted(counter, end, &mut |compiler| {
            let item = compiler.alloc_for(&element)?;
            let hinted = [Op::GetHintedI, Op::GetHintedF, Op::GetHintedC][item.ty.bank() as usize];
            compiler.emit(match element {
                Type::Bool => Op::GetB(item.reg, list.reg, counter),
                _ => hinted(item.reg, hint, counter),
            });
            compiler.declare_local(name, item)?;
            body(compiler)
        })
    }

    /// `update people set { … } where …`. The fields of each element are in scope.
    pub(super) fn update(
        &mut self,
        target: &str,
        set: &[(String, Expr)],
        on: Option<&Expr>,
    ) -> Result<()> {
        let list = self.load_name(target, self.dest(ANY), false)?;
        let element = list.ty.iter_type().unwrap_or(Type::Any);
        let Type::Struct(record) = &element else {
            let message = format!("`update` needs a list of structs, found `{}`", list.ty);
            return error_at(self.pos, message);
        };
        let (shape, fields) = (record.shape, self.shape(record.shape).fields.clone());
        let source = Val { reg: self.alloc_reg(Bank::C)?, ty: list.ty.clone() };
        self.move_to(Bank::C, source.reg, list.reg);
        self.loop_over(ITEM, source, &mut |compiler| {
            let item = compiler.load_name(ITEM, compiler.dest(ANY), false)?.reg;
            for (n, (name, ty)) in fields.iter().enumerate() {
                let get = |cell| Op::GetField(cell, item, n as Reg, shape);
                let value = compiler.emit_unboxed(compiler.dest(ANY), ty, get)?;
                compiler.declare_local(name, value)?;
            }
            compiler.if_condition(on, &mut |compiler| {
                let (_, set) = compiler.fields_of(&record.name, set)?;
                for (n, value) in set {
                    let value = compiler.operand(Bank::C, value, &fields[n].1)?;
                    compiler.emit(Op::SetField(item, n as Reg, value, shape));
                }
                Ok(())
            })
        })
    }
}
