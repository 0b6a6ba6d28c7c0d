//! Conditions, `if` and `match` as expressions.

use super::{Compiler, Val};
use crate::bytecode::{Compare, Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

type Wanted = Option<(Bank, Reg)>;

impl Compiler<'_> {
    /// Jumps if the condition is `sense`, else goes on. Answers the jumps.
    pub(super) fn condition(&mut self, expr: &Expr, sense: bool) -> Result<Vec<usize>> {
        let at = std::mem::replace(&mut self.at, expr.at);
        let mark = self.mark();
        let jumps = self.condition_kind(expr, sense)?;
        self.release(mark);
        self.at = at;
        Ok(jumps)
    }

    fn condition_kind(&mut self, expr: &Expr, sense: bool) -> Result<Vec<usize>> {
        match &expr.kind {
            ExprKind::Bool(value) => {
                return Ok(if *value == sense { vec![self.emit(Op::Jump(0))] } else { Vec::new() });
            }
            ExprKind::Not(inner) => return self.condition(inner, !sense),
            ExprKind::Binary(op @ (Binary::And | Binary::Or), a, b) => {
                // `and` is decided by a false part, `or` by a true one.
                let decisive = *op == Binary::Or;
                let mut jumps = self.condition(a, decisive)?;
                if decisive == sense {
                    jumps.extend(self.condition(b, sense)?);
                    return Ok(jumps);
                }
                let rest = self.condition(b, sense)?;
                self.land_all(jumps);
                return Ok(rest);
            }
            ExprKind::Binary(
                op @ (Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge),
                a,
                b,
            ) => return self.compare_and_jump(*op, a, b, sense),
            _ => {}
        }
        let value = match &expr.kind {
            // A key that is missing is no reason to stop here.
            ExprKind::Index(base, index) if self.may_be_map(base)? => {
                self.index(base, index, None, true)?
            }
            _ => self.borrowed(expr, &Type::Any)?,
        };
        let reg = match value.ty {
            Type::Bool => value.reg,
            _ => {
                let cell = self.as_cell(value)?;
                let reg = self.take(Bank::I)?;
                self.emit(Op::Truthy(reg, cell));
                reg
            }
        };
        let jump = if sense { Op::JumpIf(reg, 0) } else { Op::JumpIfNot(reg, 0) };
        Ok(vec![self.emit(jump)])
    }

    fn may_be_map(&mut self, base: &Expr) -> Result<bool> {
        Ok(matches!(self.probe(base, &Type::Any)?, Type::Map(..) | Type::Any | Type::Null))
    }

    fn compare_and_jump(
        &mut self,
        op: Binary,
        a: &Expr,
        b: &Expr,
        sense: bool,
    ) -> Result<Vec<usize>> {
        let null = |expr: &Expr| matches!(expr.kind, ExprKind::Null);
        if (null(a) || null(b)) && matches!(op, Binary::Eq | Binary::Ne) {
            let other = if null(a) { b } else { a };
            let cell = self.nullable(other)?;
            let equal = (op == Binary::Eq) == sense;
            return Ok(vec![self.emit(if equal {
                Op::JNull(cell, 0)
            } else {
                Op::JNotNull(cell, 0)
            })]);
        }
        let negated = match op {
            Binary::Eq => Binary::Ne,
            Binary::Ne => Binary::Eq,
            Binary::Lt => Binary::Ge,
            Binary::Le => Binary::Gt,
            Binary::Gt => Binary::Le,
            _ => Binary::Lt,
        };
        if let ExprKind::Int(value) = b.kind
            && let Ok(k) = i16::try_from(value)
            && self.probe(a, &Type::Any)? == Type::Int
        {
            let left = self.borrowed(a, &Type::Any)?.reg;
            let op = if sense { op } else { negated };
            return Ok(vec![self.emit(match op {
                Binary::Eq => Op::JEqIK(left, k, 0),
                Binary::Ne => Op::JNeIK(left, k, 0),
                Binary::Lt => Op::JLtIK(left, k, 0),
                Binary::Le => Op::JLeIK(left, k, 0),
                Binary::Gt => Op::JGtIK(left, k, 0),
                _ => Op::JGeIK(left, k, 0),
            })]);
        }
        let (left, right) = self.compared(op, a, b)?;
        let (x, y) = (left.reg, right.reg);
        let jump = match left.ty.bank() {
            Bank::I => match if sense { op } else { negated } {
                Binary::Eq => Op::JEqI(x, y, 0),
                Binary::Ne => Op::JNeI(x, y, 0),
                Binary::Lt => Op::JLtI(x, y, 0),
                Binary::Le => Op::JLeI(x, y, 0),
                Binary::Gt => Op::JLtI(y, x, 0),
                _ => Op::JLeI(y, x, 0),
            },
            // No float but NaN is neither below nor above: what is not `<` is not `>=`.
            Bank::F => match (op, sense) {
                (Binary::Lt, true) => Op::JLtF(x, y, 0),
                (Binary::Lt, false) => Op::JNotLtF(x, y, 0),
                (Binary::Gt, true) => Op::JLtF(y, x, 0),
                (Binary::Gt, false) => Op::JNotLtF(y, x, 0),
                (Binary::Le, true) => Op::JLeF(x, y, 0),
                (Binary::Le, false) => Op::JNotLeF(x, y, 0),
                (Binary::Ge, true) => Op::JLeF(y, x, 0),
                (Binary::Ge, false) => Op::JNotLeF(y, x, 0),
                _ => {
                    let reg = self.take(Bank::I)?;
                    self.emit(Op::EqF(reg, x, y));
                    let equal = (op == Binary::Eq) == sense;
                    if equal { Op::JumpIf(reg, 0) } else { Op::JumpIfNot(reg, 0) }
                }
            },
            Bank::C => {
                let (compare, swap) = match op {
                    Binary::Eq | Binary::Ne => {
                        let equal = (op == Binary::Eq) == sense;
                        let jump = if equal { Op::JEqC(x, y, 0) } else { Op::JNeC(x, y, 0) };
                        return Ok(vec![self.emit(jump)]);
                    }
                    Binary::Lt => (Compare::Lt, false),
                    Binary::Gt => (Compare::Lt, true),
                    Binary::Le => (Compare::Le, false),
                    _ => (Compare::Le, true),
                };
                let reg = self.take(Bank::I)?;
                let (x, y) = if swap { (y, x) } else { (x, y) };
                self.emit(Op::CmpC(compare, reg, x, y));
                if sense { Op::JumpIf(reg, 0) } else { Op::JumpIfNot(reg, 0) }
            }
        };
        Ok(vec![self.emit(jump)])
    }

    /// A condition as a value.
    pub(super) fn truth(&mut self, expr: &Expr, wanted: Wanted) -> Result<Val> {
        if let ExprKind::Not(inner) = &expr.kind
            && !matches!(inner.kind, ExprKind::Index(..))
            && self.probe(inner, &Type::Any)? == Type::Bool
        {
            let mark = self.mark();
            let value = self.expr(inner, None, &Type::Bool)?;
            self.release(mark);
            let reg = self.target(wanted, &Type::Bool)?;
            self.emit(Op::Not(reg, value.reg));
            return Ok(Val { ty: Type::Bool, reg });
        }
        // The wanted register may be a variable of the condition.
        let reg = self.take(Bank::I)?;
        let jumps = self.condition(expr, false)?;
        self.emit(Op::LoadI(reg, 1));
        let end = self.emit(Op::Jump(0));
        self.land_all(jumps);
        self.emit(Op::LoadI(reg, 0));
        self.land(end);
        Ok(Val { ty: Type::Bool, reg: self.deliver(reg, wanted) })
    }

    fn deliver(&mut self, reg: Reg, wanted: Wanted) -> Reg {
        match wanted {
            Some((Bank::I, to)) => {
                self.move_to(Bank::I, to, reg);
                to
            }
            _ => reg,
        }
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
        let reg = self.take(ty.bank())?;
        let skip = self.condition(condition, false)?;
        self.expr_into(then, reg, &ty)?;
        let end = self.emit(Op::Jump(0));
        self.land_all(skip);
        match otherwise {
            Some(otherwise) => self.expr_into(otherwise, reg, &ty)?,
            None => {
                self.emit(Op::Null(reg));
            }
        }
        self.land(end);
        let mut value = Val { ty, reg };
        if let Some((bank, to)) = wanted
            && bank == value.ty.bank()
        {
            self.move_to(bank, to, reg);
            value.reg = to;
        }
        Ok(self.keep(mark, value))
    }

    /// The type of what comes from one of several branches.
    fn joined(&self, a: Type, b: Type, expected: &Type) -> Type {
        match (&a, &b) {
            _ if a == b => a,
            (Type::Null, other) | (other, Type::Null) => {
                if other.bank() == Bank::C {
                    other.clone()
                } else {
                    Type::Any
                }
            }
            _ if *expected != Type::Any
                && a.fits(expected, &self.world.program.shapes)
                && b.fits(expected, &self.world.program.shapes) =>
            {
                expected.clone()
            }
            (Type::Struct(x), Type::Struct(y)) => {
                match (self.shape(*x).union, self.shape(*y).union) {
                    (Some(x), Some(y)) if x == y => Type::Union(x),
                    _ => Type::Any,
                }
            }
            (Type::Union(x), Type::Struct(y)) | (Type::Struct(y), Type::Union(x))
                if self.shape(*y).union == Some(*x) =>
            {
                Type::Union(*x)
            }
            _ => a.join(&b),
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
            let found = match &case.body {
                CaseBody::Block(_) => Type::Any,
                CaseBody::Value(value) => match self.probed.get(&std::ptr::from_ref(value)) {
                    Some(ty) => ty.clone(),
                    None => self.probe_case(case, value, &target_type, expected)?,
                },
            };
            ty = Some(match ty {
                None => found,
                Some(ty) => self.joined(ty, found, expected),
            });
        }
        let ty = match ty {
            None | Some(Type::Null) => Type::Any,
            Some(ty) => ty,
        };
        let result = self.take(ty.bank())?;
        let target = self.expr(target, None, &Type::Any)?;
        let mut ends = Vec::new();
        let mut certain = false;
        for case in cases {
            let inner = self.mark();
            self.open();
            self.at = case.pattern.at;
            let fails = self.pattern(&case.pattern, &target)?;
            match &case.body {
                CaseBody::Value(value) => self.expr_into(value, result, &ty)?,
                CaseBody::Block(body) => {
                    self.block(body)?;
                    self.emit(Op::Null(result));
                }
            }
            self.close(inner);
            certain |= fails.is_empty();
            ends.push(self.emit(Op::Jump(0)));
            self.land_all(fails);
        }
        self.at = at;
        if !certain {
            self.emit(if ty.bank() == Bank::C { Op::Null(result) } else { Op::NoMatch });
        }
        self.land_all(ends);
        let mut value = Val { ty, reg: result };
        if let Some((bank, to)) = wanted
            && bank == value.ty.bank()
        {
            self.move_to(bank, to, result);
            value.reg = to;
        }
        Ok(self.keep(mark, value))
    }

    /// The type of a branch, with the variables of its pattern.
    fn probe_case(
        &mut self,
        case: &Case,
        value: &Expr,
        target: &Type,
        expected: &Type,
    ) -> Result<Type> {
        let mark = self.mark();
        let code = self.here().code.len();
        let target = self.take_for(target)?;
        self.open();
        self.at = case.pattern.at;
        self.pattern(&case.pattern, &target)?;
        let ty = self.probe(value, expected)?;
        self.close(mark);
        let frame = self.frame();
        frame.code.truncate(code);
        frame.places.truncate(code);
        Ok(ty)
    }

    /// Tests whether a value fits a pattern and binds its variables; answers the jumps that are
    /// taken if it does not.
    fn pattern(&mut self, pattern: &Expr, target: &Val) -> Result<Vec<usize>> {
        let variant = |compiler: &Self, name: &str| match compiler.world.types.get(name) {
            Some(Type::Struct(shape)) => Some(*shape),
            // A union may have a variant of its own name.
            Some(Type::Union(union)) => {
                let shapes = &compiler.world.program.shapes;
                let same = |it: &crate::types::Shape| it.union == Some(*union) && it.name == name;
                shapes.iter().position(same).map(|n| n as u16)
            }
            _ => None,
        };
        match &pattern.kind {
            ExprKind::Name(name) if name == "_" => Ok(Vec::new()),
            ExprKind::Name(name) => {
                if let Some(shape) = variant(self, name) {
                    return self.shape_test(target, shape);
                }
                if self.find(name).is_some() {
                    return self.equality(pattern, target);
                }
                // A new name takes the whole value.
                let reg = self.take(target.ty.bank())?;
                self.move_to(target.ty.bank(), reg, target.reg);
                let value = Val { ty: target.ty.clone(), reg };
                self.declare_in(name, value)?;
                Ok(Vec::new())
            }
            ExprKind::Call(callee, args) => {
                let ExprKind::Name(name) = &callee.kind else {
                    return self.equality(pattern, target);
                };
                let Some(shape) = variant(self, name) else {
                    return self.equality(pattern, target);
                };
                let fields = self.shape(shape).fields.clone();
                if fields.len() != args.len() {
                    let message = format!("{name} has {} fields, not {}", fields.len(), args.len());
                    return fault(pattern.at, message);
                }
                let parts: Vec<_> = args.iter().enumerate().collect();
                self.parts(target, shape, &parts)
            }
            ExprKind::Struct(name, fields) => {
                let Some(shape) = variant(self, name) else {
                    return fault(pattern.at, format!("there is no struct `{name}`"));
                };
                let mut parts = Vec::new();
                for (field, pattern) in fields {
                    match self.shape(shape).field(field) {
                        Some(n) => parts.push((n, pattern)),
                        None => return fault(pattern.at, format!("{name} has no field `{field}`")),
                    }
                }
                self.parts(target, shape, &parts)
            }
            _ => self.equality(pattern, target),
        }
    }

    fn parts(&mut self, target: &Val, shape: u16, parts: &[(usize, &Expr)]) -> Result<Vec<usize>> {
        let mut fails = self.shape_test(target, shape)?;
        for (n, part) in parts {
            if matches!(&part.kind, ExprKind::Name(name) if name == "_") {
                continue;
            }
            let ty = self.shape(shape).fields[*n].1.clone();
            let value = self.get_field(target.reg, shape, *n, &ty, None)?;
            fails.extend(self.pattern_part(part, value)?);
        }
        Ok(fails)
    }

    /// A part of a value, which has a register of its own already.
    fn pattern_part(&mut self, part: &Expr, value: Val) -> Result<Vec<usize>> {
        if let ExprKind::Name(name) = &part.kind
            && !self.world.types.contains_key(name)
        {
            self.declare_in(name, value)?;
            return Ok(Vec::new());
        }
        self.pattern(part, &value)
    }

    fn shape_test(&mut self, target: &Val, shape: u16) -> Result<Vec<usize>> {
        if target.ty.bank() != Bank::C {
            let (found, wanted) = (self.shown(&target.ty), self.shown(&Type::Struct(shape)));
            return fault(self.at, format!("type mismatch: {found} is no {wanted}"));
        }
        let reg = self.take(Bank::I)?;
        self.emit(Op::IsShape(reg, target.reg, shape));
        Ok(vec![self.emit(Op::JumpIfNot(reg, 0))])
    }

    fn equality(&mut self, pattern: &Expr, target: &Val) -> Result<Vec<usize>> {
        let value = self.expr(pattern, None, &target.ty)?;
        let jump = match (&value.ty, &target.ty) {
            (a, b) if a == b && a.bank() == Bank::I => Op::JNeI(value.reg, target.reg, 0),
            _ => {
                let (a, b) = (self.as_cell(value)?, self.as_cell(target.clone())?);
                Op::JNeC(a, b, 0)
            }
        };
        Ok(vec![self.emit(jump)])
    }
}
