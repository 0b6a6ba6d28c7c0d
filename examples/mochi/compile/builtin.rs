//! Calls of built-in functions: those with instructions of their own, and all others.

use super::{Compiler, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

type Wanted = Option<(Bank, Reg)>;

impl Compiler<'_> {
    pub(super) fn call_builtin(
        &mut self,
        name: &str,
        args: &[Expr],
        wanted: Wanted,
        at: At,
    ) -> Result<Val> {
        let args: Vec<&Expr> = args.iter().collect();
        if Builtin::named(name).is_none() {
            return fault(at, format!("there is no function `{name}`"));
        }
        self.call_builtin_with(name, &args, wanted)
    }

    pub(super) fn call_builtin_with(
        &mut self,
        name: &str,
        args: &[&Expr],
        wanted: Wanted,
    ) -> Result<Val> {
        let Some(builtin) = Builtin::named(name) else {
            return fault(self.at, format!("there is no function `{name}`"));
        };
        let (least, most) = builtin.arity();
        if args.len() < least || args.len() > most {
            let wanted =
                if least == most { least.to_string() } else { format!("{least} to {most}") };
            return fault(self.at, format!("{name} takes {wanted} arguments, not {}", args.len()));
        }
        let mark = self.mark();
        let at = self.at;
        match (builtin, args) {
            (Builtin::Len, [arg]) => {
                let value = self.borrowed(arg, &Type::Any)?;
                let cell = self.as_cell(value)?;
                self.release(mark);
                let reg = self.target(wanted, &Type::Int)?;
                self.at = at;
                self.emit(Op::Len(reg, cell));
                return Ok(Val { ty: Type::Int, reg });
            }
            (Builtin::Int | Builtin::Float, [arg]) => {
                let ty = if builtin == Builtin::Int { Type::Int } else { Type::Float };
                let value = self.expr(arg, None, &Type::Any)?;
                self.at = at;
                return self.cast_to(value, &ty, mark, wanted);
            }
            (Builtin::Str, [arg]) => {
                let value = self.borrowed(arg, &Type::Any)?;
                if value.ty == Type::Text {
                    return Ok(value);
                }
                let cell = self.as_cell(value)?;
                self.release(mark);
                let reg = self.target(wanted, &Type::Text)?;
                self.at = at;
                self.emit(Op::Builtin(builtin, reg, cell, 1));
                return Ok(Val { ty: Type::Text, reg });
            }
            (Builtin::Substring, [text, start, end]) => {
                let text = self.borrowed(text, &Type::Text)?;
                if text.ty == Type::Text {
                    let first = self.take(Bank::I)?;
                    self.expr_into(start, first, &Type::Int)?;
                    let last = self.take(Bank::I)?;
                    self.expr_into(end, last, &Type::Int)?;
                    self.release(mark);
                    let reg = self.target(wanted, &Type::Text)?;
                    self.at = at;
                    self.emit(Op::SubText(reg, text.reg, first));
                    return Ok(Val { ty: Type::Text, reg });
                }
                self.release(mark);
            }
            (Builtin::Sqrt, [arg]) => {
                let value = self.typed(arg, &Type::Float)?;
                self.release(mark);
                let reg = self.target(wanted, &Type::Float)?;
                self.emit(Op::SqrtF(reg, value.reg));
                return Ok(Val { ty: Type::Float, reg });
            }
            (Builtin::Pow, [base, exponent]) => {
                let types = [self.probe(base, &Type::Any)?, self.probe(exponent, &Type::Any)?];
                if types.contains(&Type::Float) {
                    let a = self.typed(base, &Type::Float)?;
                    let b = self.typed(exponent, &Type::Float)?;
                    self.release(mark);
                    let reg = self.target(wanted, &Type::Float)?;
                    self.emit(Op::PowF(reg, a.reg, b.reg));
                    return Ok(Val { ty: Type::Float, reg });
                }
            }
            _ => {}
        }
        let keeps = matches!(
            builtin,
            Builtin::Append | Builtin::First | Builtin::Last | Builtin::Min | Builtin::Max
        );
        let mut types = Vec::new();
        let first = self.here().next[2] as Reg;
        for (n, arg) in args.iter().enumerate() {
            let reg = self.take(Bank::C)?;
            // What is appended is held by the list; what is only looked at is not.
            let value = if keeps && n > 0 || !keeps && !matches!(arg.kind, ExprKind::Name(_)) {
                self.expr(arg, Some((Bank::C, reg)), &Type::Any)?
            } else {
                self.borrowed(arg, &Type::Any)?
            };
            types.push(value.ty.clone());
            self.coerce(value, &Type::Any, Some(reg))?;
            self.release([mark[0], mark[1], u16::from(reg) + 1]);
        }
        self.at = at;
        self.check_arguments(name, builtin, &types)?;
        self.release(mark);
        let ty = builtin.result(&types);
        if builtin == Builtin::Print {
            self.emit(Op::Print(first, args.len() as Reg));
            let reg = self.target(wanted, &Type::Null)?;
            self.emit(Op::Null(reg));
            return Ok(Val { ty: Type::Null, reg });
        }
        let cell = match wanted {
            Some((Bank::C, reg)) => reg,
            _ => self.take(Bank::C)?,
        };
        self.emit(Op::Builtin(builtin, cell, first, args.len() as Reg));
        let value = self.unbox(cell, &ty, wanted)?;
        Ok(self.keep(mark, value))
    }

    /// Refuses arguments whose types are known to be wrong.
    fn check_arguments(&mut self, name: &str, builtin: Builtin, types: &[Type]) -> Result<()> {
        let list =
            |ty: &Type| matches!(ty, Type::List(_) | Type::Group(_) | Type::Any | Type::Null);
        let text = |ty: &Type| matches!(ty, Type::Text | Type::Any | Type::Null);
        let fine = match builtin {
            Builtin::Append => list(&types[0]) || types[0] == Type::Bytes,
            Builtin::Sum
            | Builtin::Avg
            | Builtin::Distinct
            | Builtin::Sort
            | Builtin::First
            | Builtin::Last => list(&types[0]),
            Builtin::Upper | Builtin::Lower | Builtin::Split | Builtin::Trim | Builtin::Ord => {
                text(&types[0])
            }
            Builtin::Keys | Builtin::Values => {
                matches!(types[0], Type::Map(..) | Type::Any | Type::Null)
            }
            _ => true,
        };
        if fine {
            return Ok(());
        }
        let ty = self.shown(&types[0]);
        fault(self.at, format!("type mismatch: {name} of {ty}"))
    }
}
