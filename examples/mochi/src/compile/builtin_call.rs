//! Calls of built-in functions.

use super::{ANY, Compiler, Dest, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::diagnostics::{Result, error_at, wrong_arity};
use crate::syntax::ast::{Expr, ExprKind};
use crate::types::{Bank, Type};

/// Whether the result may reference this argument itself, rather than its elements only.
fn escapes(builtin: Builtin, n: usize) -> bool {
    match builtin {
        Builtin::Append => n == 1,
        Builtin::GetOr => n == 2,
        Builtin::Min | Builtin::Max => true,
        _ => false,
    }
}

impl Compiler<'_> {
    pub(super) fn call_builtin(
        &mut self,
        builtin: Builtin,
        name: &str,
        args: &[&Expr],
        dest: Dest<'_>,
    ) -> Result<Val> {
        let (min, max) = builtin.row().arity;
        if args.len() < min || args.len() > max {
            let message = wrong_arity(&format!("`{name}`"), (min, max), args.len());
            return error_at(self.pos, message);
        }
        // Some have instructions of their own.
        match (builtin, args) {
            (Builtin::Len, [arg]) => {
                let value = self.expr_borrowed(arg, ANY)?;
                let cell = self.box_value(value)?;
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
        let mut types = Vec::new();
        let first = self.current.next_reg[2] as Reg;
        for (n, arg) in args.iter().enumerate() {
            let reg = self.alloc_reg(Bank::C)?;
            let value = if escapes(builtin, n) || !matches!(arg.kind, ExprKind::Name(_)) {
                self.expr(arg, ANY, Some(reg))?
            } else {
                self.expr_borrowed(arg, ANY)?
            };
            types.push(value.ty.clone());
            self.coerce(value, ANY, Some(reg))?;
            self.release([dest.mark[0], dest.mark[1], u16::from(reg) + 1]);
        }
        if let Some(first) = types.first().filter(|first| !builtin.takes(first)) {
            return error_at(self.pos, format!("invalid argument of type `{first}` for `{name}`"));
        }
        self.release(dest.mark);
        let ty = builtin.result(&types);
        let count = args.len() as Reg;
        self.emit_unboxed(dest, &ty, |cell| Op::Builtin(builtin, cell, first, count))
    }
}
