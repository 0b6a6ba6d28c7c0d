//! Conditions, `if` and `match`.

use super::{ANY, Compiler, Dest, Val};
use crate::bytecode::{Op, Reg};
use crate::errors::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// A jump that compares two registers, and one that compares a register with a number.
type Jump = fn(Reg, Reg, u32) -> Op;
type ImmJump = fn(Reg, i16, u32) -> Op;

/// The comparisons, and the jumps that compare with a number: if it is so, and if not.
const COMPARISONS: [(BinaryOp, [ImmJump; 2]); 6] = [
    (BinaryOp::Eq, [Op::JEqIK, Op::JNeIK]),
    (BinaryOp::Ne, [Op::JNeIK, Op::JEqIK]),
    (BinaryOp::Lt, [Op::JLtIK, Op::JGeIK]),
    (BinaryOp::Le, [Op::JLeIK, Op::JGtIK]),
    (BinaryOp::Gt, [Op::JGtIK, Op::JLeIK]),
    (BinaryOp::Ge, [Op::JGeIK, Op::JLtIK]),
];

impl Compiler<'_> {
    /// Jumps if the condition is `sense`, else goes on. Answers the jumps.
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
                // `and` is decided by a false part, `or` by a true one.
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
            // A key that is missing is no reason to stop here.
            ExprKind::Index(base, _) if self.may_miss(base)? => Val::cell(self.expr_or_null(expr)?),
            _ => self.expr_borrowed(expr, ANY)?,
        };
        let mut reg = value.reg;
        if value.ty != Type::Bool {
            let cell = self.to_cell(value)?;
            reg = self.alloc_reg(Bank::I)?;
            self.emit(Op::Truthy(reg, cell));
        }
        Ok(vec![self.jump_on(reg, sense)])
    }

    fn may_miss(&mut self, base: &Expr) -> Result<bool> {
        Ok(matches!(self.infer(base, ANY)?, Type::Map(..) | Type::Any | Type::Null))
    }

    fn jump_on(&mut self, reg: Reg, sense: bool) -> usize {
        self.emit(if sense { Op::JumpIf(reg, 0) } else { Op::JumpIfNot(reg, 0) })
    }

    fn comparison(&mut self, op: BinaryOp, a: &Expr, b: &Expr, sense: bool) -> Result<usize> {
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let null = |expr: &Expr| matches!(expr.kind, ExprKind::Null);
        if equality && (null(a) || null(b)) {
            let cell = self.expr_or_null(if null(a) { b } else { a })?;
            let equal = (op == BinaryOp::Eq) == sense;
            return Ok(self.emit(if equal { Op::JNull(cell, 0) } else { Op::JNotNull(cell, 0) }));
        }
        let left = self.expr_borrowed(a, ANY)?;
        if left.ty == Type::Int
            && let ExprKind::Int(value) = b.kind
            && let Ok(k) = i16::try_from(value)
            && let Some((_, [yes, no])) = COMPARISONS.iter().find(|row| row.0 == op)
        {
            return Ok(self.emit(if sense { yes } else { no }(left.reg, k, 0)));
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
            return error_at(self.pos, format!("type mismatch: {l} and {r} cannot be compared"));
        }
        self.compare_and_jump(op, left, right, sense)
    }

    /// Jumps if two values compare so, or if they do not.
    fn compare_and_jump(&mut self, op: BinaryOp, a: Val, b: Val, sense: bool) -> Result<usize> {
        // Both sides in one bank, which decides how they are compared.
        let ty = match (&a.ty, &b.ty) {
            (a, b) if a == b && a.bank() != Bank::C => a.clone(),
            (Type::Int, Type::Float) | (Type::Float, Type::Int) => Type::Float,
            _ => Type::Any,
        };
        let (mut x, mut y) = (self.coerce(a, &ty, None)?.reg, self.coerce(b, &ty, None)?.reg);
        // `a > b` is `b < a`, with a computed first, and `a != b` is not `a == b`.
        if matches!(op, BinaryOp::Gt | BinaryOp::Ge) {
            (x, y) = (y, x);
        }
        let sense = sense == (op != BinaryOp::Ne);
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let below = matches!(op, BinaryOp::Lt | BinaryOp::Gt);
        let [yes, no]: [Jump; 2] = match (ty.bank(), below) {
            (Bank::I, _) if equality => [Op::JEqI, Op::JNeI],
            (Bank::I, true) => [Op::JLtI, |x, y, to| Op::JLeI(y, x, to)],
            (Bank::I, false) => [Op::JLeI, |x, y, to| Op::JLtI(y, x, to)],
            (Bank::C, _) if equality => [Op::JEqC, Op::JNeC],
            // NaN is neither below nor above: what is not `<` is not `>=`.
            (Bank::F, true) => [Op::JLtF, Op::JNotLtF],
            (Bank::F, false) if !equality => [Op::JLeF, Op::JNotLeF],
            (bank, _) => {
                let reg = self.alloc_reg(Bank::I)?;
                let float = bank == Bank::F;
                self.emit(if float { Op::EqF(reg, x, y) } else { Op::LessC(!below, reg, x, y) });
                return Ok(self.jump_on(reg, sense));
            }
        };
        Ok(self.emit(if sense { yes } else { no }(x, y, 0)))
    }

    /// A condition as a value.
    pub(super) fn condition_value(&mut self, expr: &Expr) -> Result<Val> {
        // The wanted register may be a variable of the condition.
        let value = self.alloc_for(&Type::Bool)?;
        let jumps = self.condition(expr, false)?;
        self.emit(Op::LoadI(value.reg, 1));
        let end = self.emit(Op::Jump(0));
        self.patch_here(jumps);
        self.emit(Op::LoadI(value.reg, 0));
        self.patch_here([end]);
        Ok(value)
    }

    pub(super) fn match_expr(&mut self, choice: &Match, dest: Dest) -> Result<Val> {
        let Match { target, cases } = choice;
        // The type of the result: that of all branches together.
        let target_type = target.as_ref().map(|target| self.infer(target, ANY)).transpose()?;
        let mut types = Vec::new();
        for (pattern, body) in cases {
            types.push(match body.kind {
                ExprKind::Block(_) => Type::Any,
                // With the variables of its pattern; the code is forgotten.
                _ => self.infer_with(body, |compiler| {
                    compiler.open_scope();
                    if let Some(target) = &target_type {
                        let target = compiler.alloc_for(target)?;
                        compiler.case_test(pattern, Some(&target))?;
                    }
                    let ty = compiler.expr(body, dest.expected, None)?.ty;
                    compiler.current.scopes.pop();
                    Ok(ty)
                })?,
            });
        }
        let fits = |ty: &Type| *dest.expected != Type::Any && ty.is_compatible(dest.expected);
        let ty = types.into_iter().reduce(|a, b| match a == b || !fits(&a) || !fits(&b) {
            true => a.join(&b),
            false => dest.expected.clone(),
        });
        let has_else = matches!(cases.last(), Some((Expr { kind: ExprKind::Bool(true), .. }, _)));
        let open = target.is_none() && !has_else;
        let result =
            self.alloc_for(&ty.filter(|ty| !open && *ty != Type::Null).unwrap_or(Type::Any))?;
        self.match_cases(choice, Some(&result))?;
        Ok(result)
    }

    /// Does what the first case says that fits; its value goes into `result`, if there is one.
    pub(super) fn match_cases(&mut self, choice: &Match, result: Option<&Val>) -> Result<()> {
        let Match { target, cases } = choice;
        let pos = self.pos;
        let target = target.as_ref().map(|it| self.expr(it, ANY, None)).transpose()?;
        let (mut ends, mut certain) = (Vec::new(), false);
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
            certain |= fails.is_empty();
            if n + 1 < cases.len() || result.is_some() && !certain {
                ends.push(self.emit(Op::Jump(0)));
            }
            self.patch_here(fails);
        }
        self.pos = pos;
        if let (Some(result), false) = (result, certain) {
            let null = result.ty.bank() == Bank::C;
            self.emit(if null { Op::LoadNull(result.reg) } else { Op::NoMatch });
        }
        self.patch_here(ends);
        Ok(())
    }

    /// The jumps that are taken if a case is not the one.
    fn case_test(&mut self, pattern: &Expr, target: Option<&Val>) -> Result<Vec<usize>> {
        self.pos = pattern.pos;
        match target {
            Some(target) => self.pattern(pattern, target, false),
            None => self.condition(pattern, false),
        }
    }

    /// Tests whether a value fits a pattern and binds its variables; answers the jumps that are
    /// taken if it does not. A `part` of a value has a register of its own already.
    fn pattern(&mut self, pattern: &Expr, target: &Val, part: bool) -> Result<Vec<usize>> {
        let named = |name: &str| self.env.records.get(name).cloned();
        let (record, parts) = if let Some((name, args)) = pattern.named_call()
            && let Some(record) = named(name)
        {
            self.with_pos(pattern.pos, |it| it.check_fields(&record, args.len()))?;
            (Some(record), args.iter().enumerate().collect())
        } else if let ExprKind::Struct(name, fields) = &pattern.kind {
            let (record, parts) = self.with_pos(pattern.pos, |it| it.fields_of(name, fields))?;
            (Some(record), parts)
        } else {
            (pattern.name().and_then(named), Vec::new())
        };
        let Some(record) = record else {
            return match pattern.name() {
                Some("_") => Ok(Vec::new()),
                Some(name) if part || self.resolve(name).is_none_or(|it| it.is_function()) => {
                    // A new name takes the whole value.
                    let mut value = target.clone();
                    if !part {
                        value = self.alloc_for(&target.ty)?;
                        self.move_to(target.ty.bank(), value.reg, target.reg);
                    }
                    self.declare_local(name, value)?;
                    Ok(Vec::new())
                }
                _ => {
                    let value = self.expr(pattern, &target.ty, None)?;
                    Ok(vec![self.compare_and_jump(BinaryOp::Eq, value, target.clone(), false)?])
                }
            };
        };
        let shape = record.shape;
        if target.ty.bank() != Bank::C {
            // A number is no record, which an error says.
            self.coerce(target.clone(), &Type::Struct(record), None)?;
        }
        let reg = self.alloc_reg(Bank::I)?;
        self.emit(Op::IsShape(reg, target.reg, shape));
        let mut fails = vec![self.jump_on(reg, false)];
        for (n, part) in parts {
            if part.name() != Some("_") {
                let ty = self.shape(shape).fields[n].1.clone();
                let get = |cell| Op::GetField(cell, target.reg, n as Reg, shape);
                let value = self.emit_unboxed(self.dest(ANY), &ty, get)?;
                fails.extend(self.pattern(part, &value, true)?);
            }
        }
        Ok(fails)
    }
}
