//! Expressions, and the ways to compile one: into a wanted register, into the next register, as a
//! value of a type, or borrowed.

use super::{ANY, Compiler, Dest, Mark, NULLS, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::diagnostics::Result;
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

impl Compiler<'_> {
    /// Compiles an expression, into the register `to` if it is of the bank of the value. `expected`
    /// is the type that the value will be coerced to; it guides inference. The value escapes.
    pub(super) fn expr(&mut self, expr: &Expr, expected: &Type, to: Option<Reg>) -> Result<Val> {
        let dest = Dest { reg: to, ..self.dest(expected) };
        let mut value = self.with_pos(expr.pos, |compiler| compiler.expr_kind(expr, dest))?;
        let bank = value.ty.bank();
        if let Some(reg) = dest.reg_in(bank) {
            self.move_to(bank, reg, value.reg);
            value.reg = reg;
        }
        // Release all registers allocated since, except that of the value.
        self.release(dest.mark);
        let next = &mut self.current.next_reg[bank as usize];
        *next = (*next).max(u16::from(value.reg) + 1);
        Ok(value)
    }

    fn expr_kind(&mut self, expr: &Expr, dest: Dest) -> Result<Val> {
        match &expr.kind {
            ExprKind::Null => self.emit_result(dest, Type::Null, Op::LoadNull),
            ExprKind::Bool(value) => {
                self.emit_result(dest, Type::Bool, |reg| Op::LoadI(reg, i32::from(*value)))
            }
            ExprKind::Int(value) if *dest.expected == Type::Float => {
                let kind = ExprKind::Float(*value as f64);
                self.expr_kind(&Expr { pos: expr.pos, kind }, dest)
            }
            ExprKind::Int(value) => match i32::try_from(*value) {
                Ok(value) => self.emit_result(dest, Type::Int, |reg| Op::LoadI(reg, value)),
                Err(_) => {
                    let k = self.number(*value)?;
                    self.emit_result(dest, Type::Int, |reg| Op::ConstI(reg, k))
                }
            },
            ExprKind::BigInt(digits) => self.big_literal(digits, dest),
            ExprKind::Float(value) => {
                let bits = value.to_bits() as i64;
                let k = self.number(bits)?;
                self.emit_result(dest, Type::Float, |reg| Op::ConstF(reg, k))
            }
            ExprKind::String(text) => {
                let k = self.constant(text)?;
                self.emit_result(dest, Type::String, |reg| Op::ConstC(reg, k))
            }
            ExprKind::Name(name) => self.load_name(name, dest, true),
            ExprKind::List(items) => self.list(items, dest),
            ExprKind::Map(items) => self.map(items, dest),
            ExprKind::Struct(name, fields) => self.record(name, fields, dest),
            ExprKind::Not(_) => self.condition_value(expr),
            ExprKind::Binary(op, a, b) => self.binary(*op, expr, a, b, dest),
            ExprKind::Call(callee, args) => self.call(callee, args, dest),
            ExprKind::Index(base, index) => self.index(base, index, dest, false),
            ExprKind::Slice(base, bounds) => {
                self.slice(base, bounds.each_ref().map(Option::as_deref), dest)
            }
            ExprKind::Field(base, name) => self.field(base, name, dest, false),
            ExprKind::Cast(inner, ty) => {
                let ty = self.resolve_type(ty)?;
                let value = self.expr(inner, &ty, None)?;
                self.cast_to(value, &ty, dest)
            }
            ExprKind::Match(cases) => self.match_expr(cases, dest),
            ExprKind::Block(body) => {
                self.block(body)?;
                self.emit_result(dest, Type::Null, Op::LoadNull)
            }
            ExprKind::Fun(fun) => self.closure(fun, dest),
            ExprKind::Query(query) => self.query(query, dest),
        }
    }

    /// Coerces a value to a type, which becomes its static type.
    pub(super) fn ascribe(&mut self, value: Val, ty: &Type, to: Option<Reg>) -> Result<Val> {
        Ok(Val { ty: ty.clone(), ..self.coerce(value, ty, to)? })
    }

    /// Moves a value computed since the mark into the first register above it. Operands that an
    /// instruction wants in consecutive registers are computed this way.
    pub(super) fn move_to_mark(&mut self, mark: Mark, bank: Bank, value: Val) -> Result<Reg> {
        self.release(mark);
        let reg = self.alloc_reg(bank)?;
        if bank == Bank::C {
            self.coerce(value, ANY, Some(reg))?;
        } else {
            self.move_to(bank, reg, value.reg);
        }
        Ok(reg)
    }

    /// Compiles an expression, as a value of this type, into the next register.
    pub(super) fn expr_to_next(&mut self, bank: Bank, expr: &Expr, ty: &Type) -> Result<Reg> {
        let mark = self.mark();
        let value = self.expr_as(expr, ty, None)?;
        self.move_to_mark(mark, bank, value)
    }

    /// Compiles an expression, as a value of this type, into a given register or any.
    pub(super) fn expr_as(&mut self, expr: &Expr, ty: &Type, to: Option<Reg>) -> Result<Val> {
        let value = self.expr(expr, ty, to)?;
        self.with_pos(expr.pos, |compiler| compiler.coerce(value, ty, to))
    }

    /// Compiles an operand, as a value of this type. In bank C it is boxed.
    pub(super) fn operand(&mut self, bank: Bank, expr: &Expr, ty: &Type) -> Result<Reg> {
        let value = self.expr_as(expr, ty, None)?;
        if bank == Bank::C { self.box_value(value) } else { Ok(value.reg) }
    }

    /// Boxes a value.
    pub(super) fn box_value(&mut self, value: Val) -> Result<Reg> {
        Ok(self.coerce(value, ANY, None)?.reg)
    }

    /// Compiles an expression whose value does not escape: a variable still owns its list.
    pub(super) fn expr_borrowed(&mut self, expr: &Expr, expected: &Type) -> Result<Val> {
        match &expr.kind {
            ExprKind::Name(name) => {
                let dest = self.dest(expected);
                self.with_pos(expr.pos, |compiler| compiler.load_name(name, dest, false))
            }
            _ => self.expr(expr, expected, None),
        }
    }

    /// Compiles a borrowed expression as a cell. A missing key yields null instead of an error, and so
    /// does a field that holds null, whatever its type.
    pub(super) fn expr_or_null(&mut self, expr: &Expr) -> Result<Reg> {
        let dest = self.dest(ANY);
        let value = match &expr.kind {
            ExprKind::Index(base, index) => {
                self.with_pos(expr.pos, |compiler| compiler.index(base, index, dest, true))?
            }
            ExprKind::Field(base, name) => {
                self.with_pos(expr.pos, |compiler| compiler.field(base, name, dest, true))?
            }
            _ => self.expr_borrowed(expr, ANY)?,
        };
        self.box_value(value)
    }

    /// Compiles a value for a place of this type. Where that is optional, a missing key is null.
    pub(super) fn expr_for(
        &mut self,
        expr: &Expr,
        ty: &Type,
        optional: bool,
        to: Option<Reg>,
    ) -> Result<Val> {
        if !optional || !matches!(expr.kind, ExprKind::Index(..)) {
            return self.expr_as(expr, ty, to);
        }
        let cell = self.expr_or_null(expr)?;
        self.coerce(Val::cell(cell), ty, to)
    }

    /// Whether an expression is null as written.
    pub(super) fn is_null(&mut self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Null => true,
            ExprKind::Name(name) if NULLS.contains(&name.as_str()) => self.resolve(name).is_none(),
            _ => false,
        }
    }

    /// Whether the value of an expression is a new list, which nothing else references.
    pub(super) fn is_fresh(&mut self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::List(_) | ExprKind::Slice(..) | ExprKind::Query(_) => true,
            ExprKind::Binary(op, ..) => !matches!(op, BinaryOp::Coalesce),
            ExprKind::Call(callee, _) => callee
                .name()
                .is_some_and(|name| self.builtin(name).is_some() && Builtin::makes_list(name)),
            _ => false,
        }
    }
}
