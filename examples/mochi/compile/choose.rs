//! Conditions, `if` and `match` as expressions.

use super::{Compiler, Val, Wanted};
use crate::bytecode::{Compare, Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// A jump that compares two registers, and one that compares a register with a number.
type Jump = fn(Reg, Reg, u32) -> Op;
type ShortJump = fn(Reg, i16, u32) -> Op;

impl Compiler<'_> {
    /// Jumps if the condition is `sense`, else goes on. Answers the jumps.
    pub(super) fn condition(&mut self, expr: &Expr, sense: bool) -> Result<Vec<usize>> {
        let mark = self.mark();
        let jumps = self.placed(expr.at, |compiler| compiler.condition_kind(expr, sense))?;
        self.release(mark);
        Ok(jumps)
    }

    fn condition_kind(&mut self, expr: &Expr, sense: bool) -> Result<Vec<usize>> {
        match &expr.kind {
            ExprKind::Bool(value) if *value == sense => return Ok(vec![self.emit(Op::Jump(0))]),
            ExprKind::Bool(_) => return Ok(Vec::new()),
            ExprKind::Not(inner) => return self.condition(inner, !sense),
            ExprKind::Binary(op @ (Binary::And | Binary::Or), a, b) => {
                // `and` is decided by a false part, `or` by a true one.
                let decisive = *op == Binary::Or;
                let mut decided = self.condition(a, decisive)?;
                let mut jumps = self.condition(b, sense)?;
                if decisive == sense {
                    jumps.append(&mut decided);
                }
                self.land_all(decided);
                return Ok(jumps);
            }
            ExprKind::Binary(
                op @ (Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge),
                a,
                b,
            ) => return Ok(vec![self.comparison(*op, a, b, sense)?]),
            _ => {}
        }
        let value = match &expr.kind {
            // A key that is missing is no reason to stop here.
            ExprKind::Index(base, _) if self.may_miss(base)? => {
                Val { ty: Type::Any, reg: self.nullable(expr)? }
            }
            _ => self.borrowed(expr, &Type::Any)?,
        };
        let mut reg = value.reg;
        if value.ty != Type::Bool {
            let cell = self.as_cell(value)?;
            reg = self.take(Bank::I)?;
            self.emit(Op::Truthy(reg, cell));
        }
        Ok(vec![self.jump_on(reg, sense)])
    }

    fn may_miss(&mut self, base: &Expr) -> Result<bool> {
        Ok(matches!(self.probe(base, &Type::Any)?, Type::Map(..) | Type::Any | Type::Null))
    }

    fn jump_on(&mut self, reg: Reg, sense: bool) -> usize {
        self.emit(if sense { Op::JumpIf(reg, 0) } else { Op::JumpIfNot(reg, 0) })
    }

    fn comparison(&mut self, op: Binary, a: &Expr, b: &Expr, sense: bool) -> Result<usize> {
        let equality = matches!(op, Binary::Eq | Binary::Ne);
        let null = |expr: &Expr| matches!(expr.kind, ExprKind::Null);
        if equality && (null(a) || null(b)) {
            let cell = self.nullable(if null(a) { b } else { a })?;
            let equal = (op == Binary::Eq) == sense;
            return Ok(self.emit(if equal { Op::JNull(cell, 0) } else { Op::JNotNull(cell, 0) }));
        }
        let left = self.borrowed(a, &Type::Any)?;
        if left.ty == Type::Int
            && let ExprKind::Int(value) = b.kind
            && let Ok(k) = i16::try_from(value)
        {
            let (yes, no): (ShortJump, ShortJump) = match op {
                Binary::Eq => (Op::JEqIK, Op::JNeIK),
                Binary::Ne => (Op::JNeIK, Op::JEqIK),
                Binary::Lt => (Op::JLtIK, Op::JGeIK),
                Binary::Le => (Op::JLeIK, Op::JGtIK),
                Binary::Gt => (Op::JGtIK, Op::JLeIK),
                _ => (Op::JGeIK, Op::JLtIK),
            };
            let jump = if sense { yes } else { no };
            return Ok(self.emit(jump(left.reg, k, 0)));
        }
        let right = self.borrowed(b, &left.ty)?;
        let shapes = &self.world.program.shapes;
        let (l, r) = (&left.ty, &right.ty);
        let orderable = |ty: &Type| {
            !matches!(ty, Type::Map(..) | Type::Struct(_) | Type::Union(_) | Type::Bytes)
                && !matches!(ty, Type::Fun(_) | Type::Group(_))
        };
        let null = *l == Type::Null || *r == Type::Null;
        let fits = null || l.fits(r, shapes) || r.fits(l, shapes);
        let ordered = orderable(l) && orderable(r);
        if !fits || !(equality || ordered) {
            let (l, r) = (self.shown(l), self.shown(r));
            return fault(self.at, format!("type mismatch: {l} and {r} cannot be compared"));
        }
        self.compare_and_jump(op, left, right, sense)
    }

    /// Jumps if two values compare so, or if they do not.
    fn compare_and_jump(&mut self, op: Binary, a: Val, b: Val, sense: bool) -> Result<usize> {
        // Both sides in one bank, which decides how they are compared.
        let ty = match (&a.ty, &b.ty) {
            (a, b) if a == b && a.bank() != Bank::C => a.clone(),
            (Type::Int, Type::Float) | (Type::Float, Type::Int) => Type::Float,
            _ => Type::Any,
        };
        let (mut x, mut y) = (self.coerce(a, &ty, None)?.reg, self.coerce(b, &ty, None)?.reg);
        // `a > b` is `b < a`, with a computed first.
        if matches!(op, Binary::Gt | Binary::Ge) {
            (x, y) = (y, x);
        }
        let below = matches!(op, Binary::Lt | Binary::Gt);
        let (yes, no): (Jump, Jump) = match (ty.bank(), op) {
            (Bank::I, Binary::Eq) => (Op::JEqI, Op::JNeI),
            (Bank::I, Binary::Ne) => (Op::JNeI, Op::JEqI),
            (Bank::I, _) if below => (Op::JLtI, |x, y, to| Op::JLeI(y, x, to)),
            (Bank::I, _) => (Op::JLeI, |x, y, to| Op::JLtI(y, x, to)),
            (Bank::C, Binary::Eq) => (Op::JEqC, Op::JNeC),
            (Bank::C, Binary::Ne) => (Op::JNeC, Op::JEqC),
            (Bank::C, _) => {
                let reg = self.take(Bank::I)?;
                let compare = if below { Compare::Lt } else { Compare::Le };
                self.emit(Op::CmpC(compare, reg, x, y));
                return Ok(self.jump_on(reg, sense));
            }
            (Bank::F, Binary::Eq | Binary::Ne) => {
                let reg = self.take(Bank::I)?;
                self.emit(Op::EqF(reg, x, y));
                return Ok(self.jump_on(reg, (op == Binary::Eq) == sense));
            }
            // NaN is neither below nor above: what is not `<` is not `>=`.
            (Bank::F, _) if below => (Op::JLtF, Op::JNotLtF),
            (Bank::F, _) => (Op::JLeF, Op::JNotLeF),
        };
        let jump = if sense { yes } else { no };
        Ok(self.emit(jump(x, y, 0)))
    }

    /// A condition as a value.
    pub(super) fn truth(&mut self, expr: &Expr, wanted: Wanted) -> Result<Val> {
        // The wanted register may be a variable of the condition.
        let value = self.take_for(&Type::Bool)?;
        let jumps = self.condition(expr, false)?;
        self.emit(Op::LoadI(value.reg, 1));
        let end = self.emit(Op::Jump(0));
        self.land_all(jumps);
        self.emit(Op::LoadI(value.reg, 0));
        self.land(end);
        Ok(self.deliver(value, wanted))
    }

    pub(super) fn if_expr(
        &mut self,
        condition: &Expr,
        then: &Expr,
        otherwise: Option<&Expr>,
        wanted: Wanted,
        expected: &Type,
    ) -> Result<Val> {
        let mut ty = self.probe(then, expected)?;
        match otherwise {
            Some(otherwise) => {
                let other = self.probe(otherwise, expected)?;
                ty = self.joined(ty, other, expected);
            }
            None => ty = Type::Any,
        }
        let mark = self.mark();
        let value = self.take_for(&ty)?;
        let skip = self.condition(condition, false)?;
        self.expr_into(then, value.reg, &ty)?;
        let end = self.emit(Op::Jump(0));
        self.land_all(skip);
        match otherwise {
            Some(otherwise) => self.expr_into(otherwise, value.reg, &ty)?,
            None => drop(self.emit(Op::Null(value.reg))),
        }
        self.land(end);
        let value = self.deliver(value, wanted);
        Ok(self.keep(mark, value))
    }

    /// The type of what comes from one of several branches.
    fn joined(&self, a: Type, b: Type, expected: &Type) -> Type {
        let fits = |ty: &Type| ty.fits(expected, &self.world.program.shapes);
        let union = |ty: &Type| match ty {
            Type::Struct(shape) => self.shape(*shape).union,
            Type::Union(union) => Some(*union),
            _ => None,
        };
        match (&a, &b) {
            _ if a == b => a,
            (Type::Null, other) | (other, Type::Null) if other.bank() == Bank::C => other.clone(),
            (Type::Null, _) | (_, Type::Null) => Type::Any,
            _ if *expected != Type::Any && fits(&a) && fits(&b) => expected.clone(),
            _ => match union(&a) {
                Some(common) if union(&b) == Some(common) => Type::Union(common),
                _ => a.join(&b),
            },
        }
    }

    pub(super) fn match_expr(
        &mut self,
        target: &Expr,
        cases: &[Case],
        wanted: Wanted,
        expected: &Type,
    ) -> Result<Val> {
        let mark = self.mark();
        let at = self.at;
        // The type of the result: that of all branches together.
        let target_type = self.probe(target, &Type::Any)?;
        let mut ty: Option<Type> = None;
        for case in cases {
            let found = self.case_type(case, &target_type, expected)?;
            ty = Some(match ty {
                None => found,
                Some(ty) => self.joined(ty, found, expected),
            });
        }
        let result = self.take_for(&ty.filter(|ty| *ty != Type::Null).unwrap_or(Type::Any))?;
        let target = self.expr(target, None, &Type::Any)?;
        let mut ends = Vec::new();
        let mut certain = false;
        for case in cases {
            let inner = self.mark();
            self.open();
            self.at = case.pattern.at;
            let fails = self.pattern(&case.pattern, &target, false)?;
            match &case.body {
                CaseBody::Value(value) => self.expr_into(value, result.reg, &result.ty)?,
                CaseBody::Block(body) => {
                    self.block(body)?;
                    self.emit(Op::Null(result.reg));
                }
            }
            self.close(inner);
            certain |= fails.is_empty();
            ends.push(self.emit(Op::Jump(0)));
            self.land_all(fails);
        }
        self.at = at;
        if !certain {
            let null = result.ty.bank() == Bank::C;
            self.emit(if null { Op::Null(result.reg) } else { Op::NoMatch });
        }
        self.land_all(ends);
        let value = self.deliver(result, wanted);
        Ok(self.keep(mark, value))
    }

    /// The type of a branch, with the variables of its pattern; the code is forgotten.
    fn case_type(&mut self, case: &Case, target: &Type, expected: &Type) -> Result<Type> {
        let CaseBody::Value(value) = &case.body else { return Ok(Type::Any) };
        if let Some(ty) = self.probed.get(&std::ptr::from_ref(value)) {
            return Ok(ty.clone());
        }
        let mark = self.mark();
        let code = self.here().code.len();
        let target = self.take_for(target)?;
        self.open();
        self.at = case.pattern.at;
        self.pattern(&case.pattern, &target, false)?;
        let ty = self.probe(value, expected)?;
        self.close(mark);
        let frame = self.frame();
        frame.code.truncate(code);
        frame.places.truncate(code);
        Ok(ty)
    }

    /// Tests whether a value fits a pattern and binds its variables; answers the jumps that are
    /// taken if it does not. A `part` of a value has a register of its own already.
    fn pattern(&mut self, pattern: &Expr, target: &Val, part: bool) -> Result<Vec<usize>> {
        let mut parts = Vec::new();
        let shape = match &pattern.kind {
            ExprKind::Name(name) if name == "_" => return Ok(Vec::new()),
            ExprKind::Name(name) => {
                let shape = self.shape_named(name);
                if shape.is_none() && (part || self.find(name).is_none()) {
                    // A new name takes the whole value.
                    let mut value = target.clone();
                    if !part {
                        value = self.take_for(&target.ty)?;
                        self.move_to(target.ty.bank(), value.reg, target.reg);
                    }
                    self.declare_in(name, value)?;
                    return Ok(Vec::new());
                }
                shape
            }
            ExprKind::Call(callee, args) => {
                let shape = match &callee.kind {
                    ExprKind::Name(name) => self.shape_named(name).map(|shape| (shape, name)),
                    _ => None,
                };
                if let Some((shape, name)) = shape {
                    self.placed(pattern.at, |it| it.check_fields(name, shape, args.len()))?;
                    parts.extend(args.iter().enumerate());
                }
                shape.map(|it| it.0)
            }
            ExprKind::Struct(name, fields) => {
                let Some(shape) = self.shape_named(name) else {
                    return fault(pattern.at, format!("there is no struct `{name}`"));
                };
                for (field, part) in fields {
                    match self.shape(shape).field(field) {
                        Some(n) => parts.push((n, part)),
                        None => return fault(pattern.at, format!("{name} has no field `{field}`")),
                    }
                }
                Some(shape)
            }
            _ => None,
        };
        let Some(shape) = shape else {
            let value = self.expr(pattern, None, &target.ty)?;
            return Ok(vec![self.compare_and_jump(Binary::Eq, value, target.clone(), false)?]);
        };
        if target.ty.bank() != Bank::C {
            let wanted = self.shown(&Type::Struct(shape));
            let found = self.shown(&target.ty);
            return fault(self.at, format!("type mismatch: {found} is no {wanted}"));
        }
        let reg = self.take(Bank::I)?;
        self.emit(Op::IsShape(reg, target.reg, shape));
        let mut fails = vec![self.jump_on(reg, false)];
        for (n, part) in parts {
            if !matches!(&part.kind, ExprKind::Name(name) if name == "_") {
                let ty = self.shape(shape).fields[n].1.clone();
                let value = self.get_field(target.reg, shape, n, &ty, None)?;
                fails.extend(self.pattern(part, &value, true)?);
            }
        }
        Ok(fails)
    }
}
