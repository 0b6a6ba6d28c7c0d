//! Calls of built-in functions: those with instructions of their own, and all others.

use super::{ANY, Compiler, Val, Want};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::{Expr, ExprKind};
use crate::types::{Bank, Type};

impl Compiler<'_> {
    pub(super) fn call_builtin(
        &mut self,
        builtin: Builtin,
        name: &str,
        args: &[&Expr],
        want: Want<'_>,
    ) -> Result<Val> {
        let (least, most) = builtin.row().arity;
        if args.len() < least || args.len() > most {
            let wanted =
                if least == most { least.to_string() } else { format!("{least} to {most}") };
            return fault(self.at, format!("{name} takes {wanted} arguments, not {}", args.len()));
        }
        match (builtin, args) {
            (Builtin::Len, [arg]) => {
                let value = self.borrowed(arg, ANY)?;
                let cell = self.as_cell(value)?;
                return self.done(want, Type::Int, |reg| Op::Len(reg, cell));
            }
            (Builtin::Int | Builtin::Float, [arg]) => {
                let value = self.expr(arg, ANY, None)?;
                return self.cast_to(value, &builtin.result(&[]), want);
            }
            (Builtin::Substring, [text, start, end]) if self.probe(text, ANY)? == Type::Text => {
                return self.slice(text, [Some(start), Some(end), None], want);
            }
            (Builtin::Sqrt, [arg]) => {
                let value = self.typed(arg, &Type::Float, None)?;
                return self.done(want, Type::Float, |reg| Op::SqrtF(reg, value.reg));
            }
            _ => {}
        }
        let keeps = [Builtin::Append, Builtin::First, Builtin::Last, Builtin::Min, Builtin::Max]
            .contains(&builtin);
        let mut types = Vec::new();
        let first = self.frame.next[2] as Reg;
        for (n, arg) in args.iter().enumerate() {
            let reg = self.take(Bank::C)?;
            // What is appended is held by the list; what is only looked at is not.
            let value = if keeps && n > 0 || !matches!(arg.kind, ExprKind::Name(_)) {
                self.expr(arg, ANY, Some(reg))?
            } else {
                self.borrowed(arg, ANY)?
            };
            types.push(value.ty.clone());
            self.coerce(value, ANY, Some(reg))?;
            self.release([want.mark[0], want.mark[1], u16::from(reg) + 1]);
        }
        if let Some(first) = types.first().filter(|first| !builtin.takes(first)) {
            return fault(self.at, format!("type mismatch: {name} of {first}"));
        }
        self.release(want.mark);
        let ty = builtin.result(&types);
        let count = args.len() as Reg;
        self.unboxed(want, &ty, |cell| Op::Builtin(builtin, cell, first, count))
    }
}
