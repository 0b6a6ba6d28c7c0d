//! Conditions, and the branches of `if` and `match`.
//!
//! A condition is compiled to conditional jumps; only where it is used as a value is it materialized
//! as a boolean.

use super::{ANY, Compiler, Dest, Val};
use crate::bytecode::{Op, Reg};
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// A jump that compares two registers, and one that compares a register with an immediate.
type Jump = fn(Reg, Reg, u32) -> Op;
type ImmJump = fn(Reg, i16, u32) -> Op;

/// The comparison operators, and the jumps that compare with an immediate: if true, and if false.
const COMPARISONS: [(BinaryOp, [ImmJump; 2]); 6] = [
    (BinaryOp::Eq, [Op::JEqIK, Op::JNeIK]),
    (BinaryOp::Ne, [Op::JNeIK, Op::JEqIK]),
    (BinaryOp::Lt, [Op::JLtIK, Op::JGeIK]),
    (BinaryOp::Le, [Op::JLeIK, Op::JGtIK]),
    (BinaryOp::Gt, [Op::JGtIK, Op::JLeIK]),
    (BinaryOp::Ge, [Op::JGeIK, Op::JLtIK]),
];

impl Compiler<'_> {
    /// Compiles a condition to code that jumps if it is `sense` and falls through otherwise. Returns
    /// the jumps, to be patched.
    pub(super) fn condition(&mut self, expr: &Expr, sense: bool) -> Result<Vec<usize>> {
        let mark = self.mark();
        let jumps = self.with_pos(expr.pos, |compiler| compiler.condition_kind(expr, sense))?;
        self.release(mark);
        Ok(jumps)
    }

    fn condition_kind(&mut self, expr: &Expr, sense: bool) -> Result<Vec<usize>> {
        match &expr.kind {
            ExprKind::Bool(value) if *value == sense => return Ok(vec![self.emit(Op::Jump(0))]),
            ExprKind::Bool(_) => return Ok(Vec::new()),
            ExprKind::Not(inner) => return self.condition(inner, !sense),
            ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), a, b) => {
                // A false operand decides `&&`, a true one `||`.
                let decisive = *op == BinaryOp::Or;
                let mut decided = self.condition(a, decisive)?;
                let mut jumps = self.condition(b, sense)?;
                if decisive == sense {
                    jumps.append(&mut decided);
                }
                self.patch_here(decided);
                return Ok(jumps);
            }
            ExprKind::Binary(op, a, b) if COMPARISONS.iter().any(|row| row.0 == *op) => {
                return Ok(vec![self.comparison(*op, a, b, sense)?]);
            }
            _ => {}
        }
        let value = match &expr.kind {
            // In a condition a missing key is false.
            ExprKind::Index(base, _) if self.may_lack_key(base)? => {
                Val::cell(self.expr_or_null(expr)?)
            }
            _ => self.expr_borrowed(expr, ANY)?,
        };
        let mut reg = value.reg;
        if value.ty != Type::Bool {
            let cell = self.box_value(value)?;
            reg = self.alloc_reg(Bank::I)?;
            self.emit(Op::Truthy(reg, cell));
        }
        Ok(vec![self.jump_on(reg, sense)])
    }

    /// Whether an operand may be a missing key beside `true` or `false`: then it is neither.
    fn may_be_missing(&mut self, operand: &Expr, other: &Expr) -> Result<bool> {
        match (&operand.kind, &other.kind) {
            (ExprKind::Index(base, _), ExprKind::Bool(_)) => self.may_lack_key(base),
            _ => Ok(false),
        }
    }

    /// Whether an index into this container may find no key.
    fn may_lack_key(&mut self, base: &Expr) -> Result<bool> {
        Ok(matches!(self.infer(base, ANY)?, Type::Map(..) | Type::Any | Type::Null))
    }

    pub(super) fn jump_on(&mut self, reg: Reg, sense: bool) -> usize {
        self.emit(if sense { Op::JumpIf(reg, 0) } else { Op::JumpIfNot(reg, 0) })
    }

    /// Compiles a comparison of expressions. Returns the jump.
    fn comparison(&mut self, op: BinaryOp, a: &Expr, b: &Expr, sense: bool) -> Result<usize> {
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let (a_null, b_null) = (self.is_null(a), self.is_null(b));
        if equality && (a_null || b_null) {
            let cell = self.expr_or_null(if a_null { b } else { a })?;
            let equal = (op == BinaryOp::Eq) == sense;
            return Ok(self.emit(if equal { Op::JNull(cell, 0) } else { Op::JNotNull(cell, 0) }));
        }
        if equality && (self.may_be_missing(a, b)? || self.may_be_missing(b, a)?) {
            let (x, y) = (Val::cell(self.expr_or_null(a)?), Val::cell(self.expr_or_null(b)?));
            return self.compare_and_jump(op, x, y, sense);
        }
        let left = self.expr_borrowed(a, ANY)?;
        if left.ty == Type::Int
            && let ExprKind::Int(value) = b.kind
            && let Ok(k) = i16::try_from(value)
            && let Some((_, [if_true, if_false])) = COMPARISONS.iter().find(|row| row.0 == op)
        {
            return Ok(self.emit(if sense { if_true } else { if_false }(left.reg, k, 0)));
        }
        let right = self.expr_borrowed(b, &left.ty)?;
        let (l, r) = (&left.ty, &right.ty);
        let orderable = |ty: &Type| match ty {
            Type::Any | Type::Null | Type::String | Type::BigInt | Type::List(_) => true,
            ty => ty.bank() != Bank::C,
        };
        let fits = [l, r].contains(&&Type::Null) || l.is_compatible(r) || r.is_compatible(l);
        let ordered = orderable(l) && orderable(r);
        if !fits || !(equality || ordered) {
            return error_at(self.pos, format!("cannot compare `{l}` with `{r}`"));
        }
        self.compare_and_jump(op, left, right, sense)
    }

    /// Compares two values. Returns the jump that is taken if the result is `sense`.
    pub(super) fn compare_and_jump(
        &mut self,
        op: BinaryOp,
        a: Val,
        b: Val,
        sense: bool,
    ) -> Result<usize> {
        // Both operands move to one bank, which determines the instruction.
        let ty = match (&a.ty, &b.ty) {
            (a, b) if a == b && a.bank() != Bank::C => a.clone(),
            (Type::Int, Type::Float) | (Type::Float, Type::Int) => Type::Float,
            _ => Type::Any,
        };
        let (mut x, mut y) = (self.coerce(a, &ty, None)?.reg, self.coerce(b, &ty, None)?.reg);
        // `a > b` is `b < a`, with `a` evaluated first. `a != b` is the negation of `a == b`.
        if matches!(op, BinaryOp::Gt | BinaryOp::Ge) {
            (x, y) = (y, x);
        }
        let sense = sense == (op != BinaryOp::Ne);
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let below = matches!(op, BinaryOp::Lt | BinaryOp::Gt);
        let [if_true, if_false]: [Jump; 2] = match (ty.bank(), below) {
            (Bank::I, _) if equality => [Op::JEqI, Op::JNeI],
            (Bank::I, true) => [Op::JLtI, |x, y, to| Op::JLeI(y, x, to)],
            (Bank::I, false) => [Op::JLeI, |x, y, to| Op::JLtI(y, x, to)],
            (Bank::C, _) if equality => [Op::JEqC, Op::JNeC],
            // With NaN, the negation of `<` is not `>=`.
            (Bank::F, true) => [Op::JLtF, Op::JNotLtF],
            (Bank::F, false) if !equality => [Op::JLeF, Op::JNotLeF],
            (bank, _) => {
                let reg = self.alloc_reg(Bank::I)?;
                let float = bank == Bank::F;
                self.emit(if float { Op::EqF(reg, x, y) } else { Op::LessC(!below, reg, x, y) });
                return Ok(self.jump_on(reg, sense));
            }
        };
        Ok(self.emit(if sense { if_true } else { if_false }(x, y, 0)))
    }

    /// Materializes a condition as a boolean.
    pub(super) fn condition_value(&mut self, expr: &Expr) -> Result<Val> {
        // Not in the wanted register: it may be a variable of the condition.
        let value = self.alloc_for(&Type::Bool)?;
        let jumps = self.condition(expr, false)?;
        self.emit(Op::LoadI(value.reg, 1));
        let end = self.emit(Op::Jump(0));
        self.patch_here(jumps);
        self.emit(Op::LoadI(value.reg, 0));
        self.patch_here([end]);
        Ok(value)
    }

    /// Compiles an `if` or a `match` as an expression.
    pub(super) fn match_expr(&mut self, cases: &Match, dest: Dest) -> Result<Val> {
        let ty = self.match_type(cases, dest.expected)?;
        let has_else =
            matches!(cases.cases.last(), Some((Expr { kind: ExprKind::Bool(true), .. }, _)));
        // An `if` without `else` may yield null.
        let may_be_null = cases.scrutinee.is_none() && !has_else;
        let ty = ty.filter(|ty| !may_be_null && *ty != Type::Null).unwrap_or(Type::Any);
        let result = self.alloc_for(&ty)?;
        self.match_cases(cases, Some(&result))?;
        Ok(result)
    }

    /// Infers the type of the result: the expected one if all branches fit it, else their join.
    fn match_type(
        &mut self,
        Match { scrutinee, cases }: &Match,
        expected: &Type,
    ) -> Result<Option<Type>> {
        let scrutinee = scrutinee.as_ref().map(|it| self.infer(it, ANY)).transpose()?;
        let mut types = Vec::new();
        for (pattern, body) in cases {
            types.push(match body.kind {
                ExprKind::Block(_) => Type::Any,
                // With the variables of the pattern in scope.
                _ => self.infer_with(body, |compiler| {
                    compiler.open_scope();
                    if let Some(scrutinee) = &scrutinee {
                        let scrutinee = compiler.alloc_for(scrutinee)?;
                        compiler.case_test(pattern, Some(&scrutinee))?;
                    }
                    let ty = compiler.expr(body, expected, None)?.ty;
                    compiler.pop_scope();
                    Ok(ty)
                })?,
            });
        }
        let fits = |ty: &Type| *expected != Type::Any && ty.is_compatible(expected);
        Ok(types.into_iter().reduce(|a, b| match a == b || !fits(&a) || !fits(&b) {
            true => a.join(&b),
            false => expected.clone(),
        }))
    }

    /// Compiles the cases in order. The value of the first that matches goes into `result`, if given.
    pub(super) fn match_cases(&mut self, matching: &Match, result: Option<&Val>) -> Result<()> {
        let Match { scrutinee, cases } = matching;
        let pos = self.pos;
        let target = scrutinee.as_ref().map(|it| self.expr(it, ANY, None)).transpose()?;
        let (mut ends, mut exhaustive) = (Vec::new(), false);
        for (n, (pattern, body)) in cases.iter().enumerate() {
            let mark = self.mark();
            self.open_scope();
            let fails = self.case_test(pattern, target.as_ref())?;
            match (&body.kind, result) {
                (_, Some(result)) => drop(self.expr_as(body, &result.ty, Some(result.reg))?),
                (ExprKind::Block(body), None) => self.block(body)?,
                (_, None) => drop(self.expr(body, ANY, None)?),
            }
            self.close_scope(mark);
            exhaustive |= fails.is_empty();
            if n + 1 < cases.len() || result.is_some() && !exhaustive {
                ends.push(self.emit(Op::Jump(0)));
            }
            self.patch_here(fails);
        }
        self.pos = pos;
        if let (Some(result), false) = (result, exhaustive) {
            let null = result.ty.bank() == Bank::C;
            self.emit(if null { Op::LoadNull(result.reg) } else { Op::NoMatch });
        }
        self.patch_here(ends);
        Ok(())
    }

    /// Compiles the test of a case. Returns the jumps that are taken if it fails.
    fn case_test(&mut self, pattern: &Expr, target: Option<&Val>) -> Result<Vec<usize>> {
        self.pos = pattern.pos;
        match target {
            Some(target) => self.pattern(pattern, target, false),
            None => self.condition(pattern, false),
        }
    }
}
