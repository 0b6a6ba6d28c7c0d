//! Calls of built-in functions: those with instructions of their own, and all others.

use super::{ANY, Compiler, Dest, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::{Result, error_at};
use crate::syntax::ast::{Expr, ExprKind};
use crate::types::{Bank, Type};

impl Compiler<'_> {
    pub(super) fn call_builtin(
        &mut self,
        builtin: Builtin,
        name: &str,
        args: &[&Expr],
        dest: Dest<'_>,
    ) -> Result<Val> {
        let (least, most) = builtin.row().arity;
        if args.len() < least || args.len() > most {
            let wanted =
                if least == most { least.to_string() } else { format!("{least} to {most}") };
            return error_at(
                self.pos,
                format!("{name} takes {wanted} arguments, not {}", args.len()),
            );
        }
        match (builtin, args) {
            (Builtin::Len, [arg]) => {
                let value = self.expr_borrowed(arg, ANY)?;
                let cell = self.to_cell(value)?;
                return self.emit_result(dest, Type::Int, |reg| Op::Len(reg, cell));
            }
            (Builtin::Int | Builtin::Float, [arg]) => {
                let value = self.expr(arg, ANY, None)?;
                return self.cast_to(value, &builtin.result(&[]), dest);
            }
            (Builtin::Substring, [text, start, end]) if self.infer(text, ANY)? == Type::String => {
                return self.slice(text, [Some(start), Some(end), None], dest);
            }
            (Builtin::Sqrt, [arg]) => {
                let value = self.expr_as(arg, &Type::Float, None)?;
                return self.emit_result(dest, Type::Float, |reg| Op::SqrtF(reg, value.reg));
            }
            _ => {}
        }
        let keeps = [Builtin::Append, Builtin::First, Builtin::Last, Builtin::Min, Builtin::Max]
            .contains(&builtin);
        let mut types = Vec::new();
        let first = self.current.next_reg[2] as Reg;
        for (n, arg) in args.iter().enumerate() {
            let reg = self.alloc_reg(Bank::C)?;
            // What is appended is held by the list; what is only looked at is not.
            let value = if keeps && n > 0 || !matches!(arg.kind, ExprKind::Name(_)) {
                self.expr(arg, ANY, Some(reg))?
            } else {
                self.expr_borrowed(arg, ANY)?
            };
            types.push(value.ty.clone());
            self.coerce(value, ANY, Some(reg))?;
            self.release([dest.mark[0], dest.mark[1], u16::from(reg) + 1]);
        }
        if let Some(first) = types.first().filter(|first| !builtin.takes(first)) {
            return error_at(self.pos, format!("type mismatch: {name} of {first}"));
        }
        self.release(dest.mark);
        let ty = builtin.result(&types);
        let count = args.len() as Reg;
        self.emit_unboxed(dest, &ty, |cell| Op::Builtin(builtin, cell, first, count))
    }
}
