//! Expressions.

use std::rc::Rc;

use super::{Compiler, GROUP, Val};
use crate::builtins::Builtin;
use crate::bytecode::{AnyOp, Compare, Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// Elements of a literal that are computed before they are put in.
const CHUNK: usize = 32;

type Wanted = Option<(Bank, Reg)>;

impl Compiler<'_> {
    /// Compiles an expression; its value lands in the wanted register if that suits it.
    /// `expected` is a type that the value will have to fit.
    pub(super) fn expr(&mut self, expr: &Expr, wanted: Wanted, expected: &Type) -> Result<Val> {
        let at = std::mem::replace(&mut self.at, expr.at);
        let value = self.expr_kind(expr, wanted, expected)?;
        self.at = at;
        Ok(value)
    }

    fn expr_kind(&mut self, expr: &Expr, wanted: Wanted, expected: &Type) -> Result<Val> {
        match &expr.kind {
            ExprKind::Null => {
                let reg = self.target(wanted, &Type::Null)?;
                self.emit(Op::Null(reg));
                Ok(Val { ty: Type::Null, reg })
            }
            ExprKind::Int(value) => {
                if *expected == Type::Float {
                    let reg = self.target(wanted, expected)?;
                    self.load_float(reg, *value as f64)?;
                    return Ok(Val { ty: Type::Float, reg });
                }
                let reg = self.target(wanted, &Type::Int)?;
                self.load_int(reg, *value)?;
                Ok(Val { ty: Type::Int, reg })
            }
            ExprKind::Float(value) => {
                let reg = self.target(wanted, &Type::Float)?;
                self.load_float(reg, *value)?;
                Ok(Val { ty: Type::Float, reg })
            }
            ExprKind::Bool(value) => {
                let reg = self.target(wanted, &Type::Bool)?;
                self.emit(Op::LoadI(reg, i32::from(*value)));
                Ok(Val { ty: Type::Bool, reg })
            }
            ExprKind::Text(text) => {
                let reg = self.target(wanted, &Type::Text)?;
                self.load_text(reg, text)?;
                Ok(Val { ty: Type::Text, reg })
            }
            ExprKind::Name(name) => self.load(name, expr.at, wanted, true),
            ExprKind::List(items) => self.list(items, wanted, expected),
            ExprKind::Map(items) => self.map(items, wanted, expected),
            ExprKind::Struct(name, fields) => self.record(name, fields, wanted),
            ExprKind::Neg(inner) => self.negative(inner, wanted),
            ExprKind::Not(_) | ExprKind::Binary(Binary::And | Binary::Or, ..) => {
                self.truth(expr, wanted)
            }
            ExprKind::Binary(op, a, b) => self.binary(*op, expr, a, b, wanted, expected),
            ExprKind::Call(callee, args) => self.call(callee, args, wanted),
            ExprKind::Index(base, index) => self.index(base, index, wanted, false),
            ExprKind::SafeIndex(base, index) => self.index(base, index, wanted, true),
            ExprKind::Slice(base, start, end, step) => self.slice(base, [start, end, step], wanted),
            ExprKind::Field(base, name) => self.field(base, name, wanted),
            ExprKind::SafeField(base, name) => {
                let mark = self.mark();
                let reg = self.target(wanted, &Type::Any)?;
                let base = self.boxed(base, None)?;
                self.emit(Op::Null(reg));
                let skip = self.emit(Op::JNull(base, 0));
                let name = self.name(name)?;
                self.emit(Op::GetName(reg, base, name));
                self.land(skip);
                Ok(self.keep(mark, Val { ty: Type::Any, reg }))
            }
            ExprKind::Cast(inner, ty) => self.cast(inner, ty, wanted),
            ExprKind::If(condition, then, otherwise) => {
                self.if_expr(condition, then, otherwise.as_deref(), wanted, expected)
            }
            ExprKind::Match(target, cases) => self.match_expr(target, cases, wanted, expected),
            ExprKind::Fun(fun) => self.lambda(fun, wanted, expected),
            ExprKind::Query(query) => self.query(query, wanted),
        }
    }

    /// Gives back all registers taken since, save that of the value.
    pub(super) fn keep(&mut self, mark: [u16; 3], value: Val) -> Val {
        self.release(mark);
        let next = &mut self.frame().next[value.ty.bank() as usize];
        *next = (*next).max(u16::from(value.reg) + 1);
        value
    }

    /// The value as one of this type.
    pub(super) fn typed(&mut self, expr: &Expr, ty: &Type) -> Result<Val> {
        let value = self.expr(expr, None, ty)?;
        let at = std::mem::replace(&mut self.at, expr.at);
        let value = self.coerce(value, ty, None)?;
        self.at = at;
        Ok(value)
    }

    /// The value as one of this type, in this register.
    pub(super) fn expr_into(&mut self, expr: &Expr, reg: Reg, ty: &Type) -> Result<()> {
        let mark = self.mark();
        let value = self.expr(expr, Some((ty.bank(), reg)), ty)?;
        let at = std::mem::replace(&mut self.at, expr.at);
        self.coerce(value, ty, Some(reg))?;
        self.at = at;
        self.release(mark);
        Ok(())
    }

    /// The value as a cell.
    pub(super) fn boxed(&mut self, expr: &Expr, to: Option<Reg>) -> Result<Reg> {
        let value = self.expr(expr, to.map(|reg| (Bank::C, reg)), &Type::Any)?;
        Ok(self.coerce(value, &Type::Any, to).and_then(|value| self.moved(value, to))?.reg)
    }

    fn moved(&mut self, value: Val, to: Option<Reg>) -> Result<Val> {
        match to {
            Some(to) if to != value.reg => {
                self.move_to(Bank::C, to, value.reg);
                Ok(Val { reg: to, ..value })
            }
            _ => Ok(value),
        }
    }

    pub(super) fn as_cell(&mut self, value: Val) -> Result<Reg> {
        Ok(self.coerce(value, &Type::Any, None)?.reg)
    }

    /// The value as a cell, checked to fit a type.
    pub(super) fn boxed_typed(&mut self, expr: &Expr, ty: &Type) -> Result<Val> {
        let value = self.typed(expr, ty)?;
        self.coerce(value, &Type::Any, None)
    }

    /// A value that is only looked at: a list stays its variable's own.
    pub(super) fn borrowed(&mut self, expr: &Expr, expected: &Type) -> Result<Val> {
        match &expr.kind {
            ExprKind::Name(name) => self.load(name, expr.at, None, false),
            _ => self.expr(expr, None, expected),
        }
    }

    /// Whether the value of an expression is a list that was just made.
    pub(super) fn is_fresh(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::List(_) | ExprKind::Slice(..) | ExprKind::Query(_) => true,
            ExprKind::Binary(op, ..) => !matches!(op, Binary::Coalesce),
            ExprKind::Call(callee, _) => match &callee.kind {
                ExprKind::Name(name) => {
                    !self.world.functions.contains_key(name) && Builtin::makes_list(name)
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn list(&mut self, items: &[Expr], wanted: Wanted, expected: &Type) -> Result<Val> {
        let mut element = match expected {
            Type::List(element) => Some((**element).clone()),
            _ => None,
        };
        if element.is_none() {
            for item in items {
                let ty = self.probe(item, &Type::Any)?;
                element = Some(element.map_or(ty.clone(), |known: Type| known.join(&ty)));
            }
        }
        let element = match element {
            None | Some(Type::Null) => Type::Any,
            Some(element) => element,
        };
        let ty = Type::list(element.clone());
        let mark = self.mark();
        let reg = self.target(wanted, &ty)?;
        // The target may be a variable that the elements read.
        let list = if items.len() > CHUNK { self.take(Bank::C)? } else { reg };
        let bank = if element == Type::Bool { Bank::C } else { element.bank() };
        let inner = self.mark();
        for (n, chunk) in items.chunks(CHUNK).enumerate() {
            let first = self.here().next[bank as usize] as Reg;
            for item in chunk {
                let at = self.take(bank)?;
                if bank == Bank::C {
                    let value = self.boxed_typed(item, &element)?;
                    self.move_to(bank, at, value.reg);
                } else {
                    self.expr_into(item, at, &element)?;
                }
                let mut next = inner;
                next[bank as usize] = u16::from(at) + 1;
                self.release(next);
            }
            if n == 0 {
                let count = chunk.len() as Reg;
                self.emit(match bank {
                    Bank::I => Op::NewI(list, first, count),
                    Bank::F => Op::NewF(list, first, count),
                    Bank::C => Op::NewList(list, first, count),
                });
            } else {
                for k in 0..chunk.len() as Reg {
                    self.emit(match bank {
                        Bank::I => Op::PushI(list, first + k),
                        Bank::F => Op::PushF(list, first + k),
                        Bank::C => Op::PushC(list, first + k),
                    });
                }
            }
            self.release(inner);
        }
        if items.is_empty() {
            self.emit(match bank {
                Bank::I => Op::NewI(list, 0, 0),
                Bank::F => Op::NewF(list, 0, 0),
                Bank::C => Op::NewList(list, 0, 0),
            });
        }
        self.move_to(Bank::C, reg, list);
        Ok(self.keep(mark, Val { ty, reg }))
    }

    fn map(&mut self, items: &[(Expr, Expr)], wanted: Wanted, expected: &Type) -> Result<Val> {
        let (mut key, mut value) = match expected {
            Type::Map(key, value) => (Some((**key).clone()), Some((**value).clone())),
            _ => (None, None),
        };
        if value.as_ref().is_none_or(|ty| *ty == Type::Any) {
            let known = value.is_some();
            for (k, v) in items {
                let k = self.probe(k, &Type::Any)?;
                key = Some(key.map_or(k.clone(), |known: Type| known.join(&k)));
                if !known {
                    let v = self.probe(v, &Type::Any)?;
                    value = Some(value.map_or(v.clone(), |known: Type| known.join(&v)));
                }
            }
        }
        let (key, value) = (key.unwrap_or(Type::Any), value.unwrap_or(Type::Any));
        let value = if value == Type::Null { Type::Any } else { value };
        let ty = Type::map(key.clone(), value.clone());
        let mark = self.mark();
        let reg = self.target(wanted, &ty)?;
        let map = if items.len() > CHUNK { self.take(Bank::C)? } else { reg };
        let inner = self.mark();
        for (n, chunk) in items.chunks(CHUNK).enumerate() {
            let first = self.here().next[2] as Reg;
            for (k, v) in chunk {
                for (item, ty) in [(k, &key), (v, &value)] {
                    let at = self.take(Bank::C)?;
                    let cell = self.boxed_typed(item, ty)?;
                    self.move_to(Bank::C, at, cell.reg);
                    self.release([inner[0], inner[1], u16::from(at) + 1]);
                }
            }
            if n == 0 {
                self.emit(Op::NewMap(map, first, chunk.len() as Reg));
            } else {
                for k in 0..chunk.len() as Reg {
                    self.emit(Op::Set(map, first + 2 * k, first + 2 * k + 1));
                }
            }
            self.release(inner);
        }
        if items.is_empty() {
            self.emit(Op::NewMap(map, 0, 0));
        }
        self.move_to(Bank::C, reg, map);
        Ok(self.keep(mark, Val { ty, reg }))
    }

    /// A struct or a variant by the names of its fields.
    fn record(&mut self, name: &str, fields: &[(String, Expr)], wanted: Wanted) -> Result<Val> {
        let shape = match self.world.types.get(name) {
            Some(Type::Struct(shape)) => *shape,
            Some(Type::Union(union)) => {
                let union = Some(*union);
                let same = |shape: &crate::types::Shape| shape.union == union && shape.name == name;
                match self.world.program.shapes.iter().position(same) {
                    Some(shape) => shape as u16,
                    None => return fault(self.at, format!("`{name}` is no struct")),
                }
            }
            _ => return fault(self.at, format!("there is no struct `{name}`")),
        };
        let declared = self.shape(shape).fields.clone();
        for (field, value) in fields {
            if !declared.iter().any(|(name, _)| name == field) {
                return fault(value.at, format!("{name} has no field `{field}`"));
            }
        }
        let values = declared.iter().map(|(field, ty)| {
            (
                fields.iter().rev().find(|(name, _)| name == field).map(|(_, value)| value),
                ty.clone(),
            )
        });
        self.construct(shape, values.collect(), wanted)
    }

    pub(super) fn construct(
        &mut self,
        shape: u16,
        values: Vec<(Option<&Expr>, Type)>,
        wanted: Wanted,
    ) -> Result<Val> {
        let ty = Type::Struct(shape);
        let mark = self.mark();
        let reg = self.target(wanted, &ty)?;
        let inner = self.mark();
        let (first, count) = (inner[2] as Reg, values.len() as Reg);
        for (value, ty) in values {
            let at = self.take(Bank::C)?;
            match value {
                Some(value) => {
                    let cell = self.boxed_typed(value, &ty)?;
                    self.move_to(Bank::C, at, cell.reg);
                }
                None => {
                    let value = self.default_field(&ty)?;
                    let cell = self.as_cell(value)?;
                    self.move_to(Bank::C, at, cell);
                }
            }
            self.release([inner[0], inner[1], u16::from(at) + 1]);
        }
        self.emit(Op::NewStruct(reg, first, count, shape));
        Ok(self.keep(mark, Val { ty, reg }))
    }

    /// What a field that is left out holds.
    pub(super) fn default_field(&mut self, ty: &Type) -> Result<Val> {
        let value = self.take_for(ty)?;
        match ty.bank() {
            Bank::I => {
                self.emit(Op::LoadI(value.reg, 0));
            }
            Bank::F => self.load_float(value.reg, 0.0)?,
            Bank::C => {
                self.emit(Op::Null(value.reg));
            }
        }
        Ok(value)
    }

    fn negative(&mut self, inner: &Expr, wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        let value = self.expr(inner, None, &Type::Any)?;
        let ty = match value.ty {
            Type::Int | Type::Float | Type::BigInt => value.ty.clone(),
            Type::Any | Type::Null => Type::Any,
            ref ty => {
                let ty = self.shown(ty);
                return fault(self.at, format!("{ty} has no negative"));
            }
        };
        self.release(mark);
        let reg = self.target(wanted, &ty)?;
        self.emit(match ty {
            Type::Int => Op::NegI(reg, value.reg),
            Type::Float => Op::NegF(reg, value.reg),
            _ => Op::NegAny(reg, value.reg),
        });
        Ok(Val { ty, reg })
    }

    fn binary(
        &mut self,
        op: Binary,
        whole: &Expr,
        a: &Expr,
        b: &Expr,
        wanted: Wanted,
        expected: &Type,
    ) -> Result<Val> {
        let mark = self.mark();
        match op {
            Binary::Add => self.sum(whole, wanted),
            Binary::Sub | Binary::Mul | Binary::Div | Binary::Mod => {
                let left = self.borrowed(a, &Type::Any)?;
                // A literal beside a float is one.
                let hint = &if left.ty == Type::Float { Type::Float } else { Type::Any };
                if left.ty == Type::Int
                    && let ExprKind::Int(value) = b.kind
                    && let Ok(k) = i16::try_from(value)
                    && k != i16::MIN
                {
                    let k = if op == Binary::Sub { -k } else { k };
                    self.release(mark);
                    let reg = self.target(wanted, &Type::Int)?;
                    let instruction = match op {
                        Binary::Sub => Op::AddIK(reg, left.reg, k),
                        Binary::Mul => Op::MulIK(reg, left.reg, k),
                        Binary::Div if k > 0 => Op::DivIK(reg, left.reg, k),
                        Binary::Mod if k > 0 => Op::ModIK(reg, left.reg, k),
                        _ => {
                            let value = self.borrowed(b, hint)?;
                            return self.arithmetic(op, left, value, mark, wanted);
                        }
                    };
                    self.emit(instruction);
                    return Ok(Val { ty: Type::Int, reg });
                }
                let right = self.borrowed(b, hint)?;
                self.arithmetic(op, left, right, mark, wanted)
            }
            Binary::Coalesce => {
                let ty = self.probe(a, expected)?;
                let other = self.probe(b, expected)?;
                let ty = if ty.bank() == Bank::C { ty.join(&other) } else { ty };
                let ty = if matches!(ty, Type::Any) { other } else { ty };
                let reg = self.take(Bank::C)?;
                let first = self.nullable(a)?;
                self.move_to(Bank::C, reg, first);
                let skip = self.emit(Op::JNotNull(reg, 0));
                self.boxed(b, Some(reg))?;
                self.land(skip);
                let ty_any = Val { ty: Type::Any, reg };
                let wanted = wanted.filter(|it| it.0 == ty.bank()).map(|it| it.1);
                let mut value = self.coerce(ty_any, &ty, wanted)?;
                value.ty = ty;
                Ok(self.keep(mark, value))
            }
            Binary::Union | Binary::UnionAll | Binary::Except | Binary::Intersect => {
                let (left, right) = (self.borrowed(a, expected)?, self.borrowed(b, expected)?);
                let ty = left.ty.join(&right.ty);
                for value in [&left, &right] {
                    if !matches!(value.ty, Type::List(_) | Type::Any | Type::Null | Type::Group(_))
                    {
                        let ty = self.shown(&value.ty);
                        return fault(self.at, format!("expected lists, found {ty}"));
                    }
                }
                let ty = if matches!(ty, Type::List(_)) { ty } else { Type::list(Type::Any) };
                self.release(mark);
                let reg = self.target(wanted, &ty)?;
                let op = match op {
                    Binary::Union => AnyOp::Union,
                    Binary::UnionAll => AnyOp::UnionAll,
                    Binary::Except => AnyOp::Except,
                    _ => AnyOp::Intersect,
                };
                self.emit(Op::Any(op, reg, left.reg, right.reg));
                Ok(Val { ty, reg })
            }
            _ => self.comparison(op, a, b, wanted),
        }
    }

    /// A chain of `+`: a sum, or texts put together by one instruction.
    fn sum(&mut self, whole: &Expr, wanted: Wanted) -> Result<Val> {
        let mut parts = Vec::new();
        let mut rest = whole;
        while let ExprKind::Binary(Binary::Add, a, b) = &rest.kind {
            parts.push((&**b, rest.at));
            rest = a;
        }
        parts.push((rest, rest.at));
        parts.reverse();
        let mark = self.mark();
        let base = self.take(Bank::C)?;
        let first = self.text_part(parts[0].0, base, &Type::Any)?;
        if first.ty == Type::Text {
            return self.text_chain(&parts, base, first, mark, wanted);
        }
        let mut total = first;
        if total.reg != base || total.ty.bank() != Bank::C {
            // The register for a text is not needed.
            let next = self.here().next;
            if next[2] == mark[2] + 1 {
                self.release([next[0], next[1], mark[2]]);
            }
        }
        let count = parts.len();
        for (n, (part, at)) in parts.into_iter().enumerate().skip(1) {
            self.at = at;
            let last = if n + 1 == count { wanted } else { None };
            if total.ty == Type::Int
                && let ExprKind::Int(value) = part.kind
                && let Ok(k) = i16::try_from(value)
            {
                let from = total.reg;
                self.release(mark);
                let reg = self.target(last, &Type::Int)?;
                self.emit(Op::AddIK(reg, from, k));
                total.reg = reg;
                continue;
            }
            let hint = if total.ty == Type::Float { Type::Float } else { Type::Any };
            let right = self.borrowed(part, &hint)?;
            total = self.arithmetic(Binary::Add, total, right, mark, last)?;
        }
        Ok(total)
    }

    /// A part of a text that is put together: integers need not become text first.
    fn text_part(&mut self, part: &Expr, to: Reg, hint: &Type) -> Result<Val> {
        if let ExprKind::Call(callee, args) = &part.kind
            && let (ExprKind::Name(name), [arg]) = (&callee.kind, args.as_slice())
            && name == "str"
            && self.is_builtin(name)
        {
            let inner = self.borrowed(arg, &Type::Any)?;
            if matches!(inner.ty, Type::Int | Type::BigInt | Type::Text) {
                let cell = self.coerce(inner, &Type::Any, Some(to))?;
                return self.moved(Val { ty: Type::Text, reg: cell.reg }, Some(to));
            }
            let cell = self.as_cell(inner)?;
            self.emit(Op::Builtin(Builtin::Str, to, cell, 1));
            return Ok(Val { ty: Type::Text, reg: to });
        }
        match &part.kind {
            ExprKind::Name(name) => self.load(name, part.at, Some((Bank::C, to)), false),
            _ => self.expr(part, Some((Bank::C, to)), hint),
        }
    }

    fn text_chain(
        &mut self,
        parts: &[(&Expr, At)],
        base: Reg,
        first: Val,
        mark: [u16; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        self.move_to(Bank::C, base, first.reg);
        self.release([mark[0], mark[1], u16::from(base) + 1]);
        let mut count = 1;
        for (part, at) in &parts[1..] {
            if count == CHUNK as Reg {
                self.emit(Op::Concat(base, base, count));
                self.release([mark[0], mark[1], u16::from(base) + 1]);
                count = 1;
            }
            let to = self.take(Bank::C)?;
            let value = self.text_part(part, to, &Type::Text)?;
            if !matches!(value.ty, Type::Text | Type::Any | Type::Null) {
                let ty = self.shown(&value.ty);
                return fault(*at, format!("type mismatch: + of string and {ty}"));
            }
            self.move_to(Bank::C, to, value.reg);
            if value.ty != Type::Text {
                // Numbers whose type is not known here are no text.
                self.emit(Op::Builtin(Builtin::CheckText, to, to, 1));
            }
            self.release([mark[0], mark[1], u16::from(to) + 1]);
            count += 1;
        }
        self.release(mark);
        let reg = self.target(wanted, &Type::Text)?;
        self.at = parts[parts.len() - 1].1;
        self.emit(Op::Concat(reg, base, count));
        Ok(Val { ty: Type::Text, reg })
    }

    /// Emits `left op right`; both were computed since the mark.
    pub(super) fn arithmetic(
        &mut self,
        op: Binary,
        left: Val,
        right: Val,
        mark: [u16; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        let number = |ty: &Type| matches!(ty, Type::Int | Type::Float | Type::BigInt | Type::Any);
        let list = |ty: &Type| matches!(ty, Type::List(_) | Type::Any);
        let text = |ty: &Type| matches!(ty, Type::Text | Type::Any);
        let open = |ty: &Type| matches!(ty, Type::Null);
        let (l, r) = (&left.ty, &right.ty);
        let fine = number(l) && number(r)
            || op == Binary::Add && (list(l) && list(r) || text(l) && text(r))
            || open(l)
            || open(r);
        if !fine {
            let sign = match op {
                Binary::Add => '+',
                Binary::Sub => '-',
                Binary::Mul => '*',
                Binary::Div => '/',
                _ => '%',
            };
            let (l, r) = (self.shown(l), self.shown(r));
            return fault(self.at, format!("type mismatch: {sign} of {l} and {r}"));
        }
        let float = number(l) && number(r) && (*l == Type::Float || *r == Type::Float);
        if float {
            let left = self.coerce(left, &Type::Float, None)?;
            let right = self.coerce(right, &Type::Float, None)?;
            self.release(mark);
            let reg = self.target(wanted, &Type::Float)?;
            let (a, b) = (left.reg, right.reg);
            self.emit(match op {
                Binary::Add => Op::AddF(reg, a, b),
                Binary::Sub => Op::SubF(reg, a, b),
                Binary::Mul => Op::MulF(reg, a, b),
                Binary::Div => Op::DivF(reg, a, b),
                _ => Op::ModF(reg, a, b),
            });
            return Ok(Val { ty: Type::Float, reg });
        }
        if *l == Type::Int && *r == Type::Int {
            self.release(mark);
            let reg = self.target(wanted, &Type::Int)?;
            let (a, b) = (left.reg, right.reg);
            self.emit(match op {
                Binary::Add => Op::AddI(reg, a, b),
                Binary::Sub => Op::SubI(reg, a, b),
                Binary::Mul => Op::MulI(reg, a, b),
                Binary::Div => Op::DivI(reg, a, b),
                _ => Op::ModI(reg, a, b),
            });
            return Ok(Val { ty: Type::Int, reg });
        }
        let ty = match (l, r) {
            (Type::BigInt, Type::BigInt | Type::Int) | (Type::Int, Type::BigInt) => Type::BigInt,
            (Type::List(_), Type::List(_)) => l.join(r),
            (Type::Text, Type::Text) => Type::Text,
            _ => Type::Any,
        };
        let (a, b) = (self.as_cell(left)?, self.as_cell(right)?);
        self.release(mark);
        let reg = self.target(wanted, &ty)?;
        let op = match op {
            Binary::Add => AnyOp::Add,
            Binary::Sub => AnyOp::Sub,
            Binary::Mul => AnyOp::Mul,
            Binary::Div => AnyOp::Div,
            _ => AnyOp::Mod,
        };
        self.emit(Op::Any(op, reg, a, b));
        Ok(Val { ty, reg })
    }

    /// A comparison as a value.
    fn comparison(&mut self, op: Binary, a: &Expr, b: &Expr, wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        let ty = Type::Bool;
        if op == Binary::In {
            let item = self.boxed(a, None)?;
            let all = self.borrowed(b, &Type::Any)?;
            if all.ty.bank() != Bank::C {
                let ty = self.shown(&all.ty);
                return fault(self.at, format!("nothing can be in {ty}"));
            }
            self.release(mark);
            let reg = self.target(wanted, &ty)?;
            self.emit(Op::In(reg, item, all.reg));
            return Ok(Val { ty, reg });
        }
        // `a > b` is `b < a`, with a computed first.
        let (left, right) = self.compared(op, a, b)?;
        let swap = matches!(op, Binary::Gt | Binary::Ge);
        let (x, y) = if swap { (right.reg, left.reg) } else { (left.reg, right.reg) };
        let bank = left.ty.bank();
        self.release(mark);
        let reg = self.target(wanted, &ty)?;
        self.emit(match (op, bank) {
            (Binary::Eq, Bank::I) => Op::EqI(reg, x, y),
            (Binary::Ne, Bank::I) => Op::NeI(reg, x, y),
            (Binary::Lt | Binary::Gt, Bank::I) => Op::LtI(reg, x, y),
            (_, Bank::I) => Op::LeI(reg, x, y),
            (Binary::Eq, Bank::F) => Op::EqF(reg, x, y),
            (Binary::Ne, Bank::F) => Op::NeF(reg, x, y),
            (Binary::Lt | Binary::Gt, Bank::F) => Op::LtF(reg, x, y),
            (_, Bank::F) => Op::LeF(reg, x, y),
            (Binary::Eq, Bank::C) => Op::CmpC(Compare::Eq, reg, x, y),
            (Binary::Ne, Bank::C) => Op::CmpC(Compare::Ne, reg, x, y),
            (Binary::Lt | Binary::Gt, Bank::C) => Op::CmpC(Compare::Lt, reg, x, y),
            (_, Bank::C) => Op::CmpC(Compare::Le, reg, x, y),
        });
        Ok(Val { ty, reg })
    }

    /// Both sides of a comparison, in one bank.
    pub(super) fn compared(&mut self, op: Binary, a: &Expr, b: &Expr) -> Result<(Val, Val)> {
        let null = |expr: &Expr| matches!(expr.kind, ExprKind::Null);
        let left = if null(b) { self.nullable_value(a)? } else { self.borrowed(a, &Type::Any)? };
        let right = if null(a) { self.nullable_value(b)? } else { self.borrowed(b, &left.ty)? };
        let at = self.at;
        let ordered = !matches!(op, Binary::Eq | Binary::Ne);
        let (l, r) = (&left.ty, &right.ty);
        let number = |ty: &Type| matches!(ty, Type::Int | Type::Float | Type::BigInt);
        let some = |ty: &Type| matches!(ty, Type::Any | Type::Null);
        let fits = some(l)
            || some(r)
            || number(l) && number(r)
            || l.fits(r, &self.world.program.shapes)
            || r.fits(l, &self.world.program.shapes);
        let orderable = |ty: &Type| {
            number(ty) || some(ty) || matches!(ty, Type::Text | Type::Bool | Type::List(_))
        };
        if !fits || ordered && !(orderable(l) && orderable(r)) {
            let (l, r) = (self.shown(l), self.shown(r));
            return fault(at, format!("type mismatch: {l} and {r} cannot be compared"));
        }
        if l == r && l.bank() != Bank::C {
            return Ok((left, right));
        }
        if matches!((l, r), (Type::Int, Type::Float) | (Type::Float, Type::Int)) {
            let left = self.coerce(left, &Type::Float, None)?;
            return Ok((left, self.coerce(right, &Type::Float, None)?));
        }
        let left = Val { ty: Type::Any, reg: self.as_cell(left)? };
        Ok((left, Val { ty: Type::Any, reg: self.as_cell(right)? }))
    }

    /// A value where a key that is missing gives null.
    fn nullable_value(&mut self, expr: &Expr) -> Result<Val> {
        match &expr.kind {
            ExprKind::Index(base, index) => {
                let at = std::mem::replace(&mut self.at, expr.at);
                let value = self.index(base, index, None, true);
                self.at = at;
                value
            }
            ExprKind::Name(_) => {
                let value = self.borrowed(expr, &Type::Any)?;
                self.coerce(value, &Type::Any, None)
            }
            _ => {
                let value = self.expr(expr, None, &Type::Any)?;
                self.coerce(value, &Type::Any, None)
            }
        }
    }

    pub(super) fn nullable(&mut self, expr: &Expr) -> Result<Reg> {
        let value = self.nullable_value(expr)?;
        self.as_cell(value)
    }

    pub(super) fn index(
        &mut self,
        base: &Expr,
        index: &Expr,
        wanted: Wanted,
        safe: bool,
    ) -> Result<Val> {
        let mark = self.mark();
        let at = self.at;
        let base = self.borrowed(base, &Type::Any)?;
        self.at = at;
        if safe {
            let key = self.boxed(index, None)?;
            let base = self.as_cell(base)?;
            self.release(mark);
            let reg = self.target(wanted, &Type::Any)?;
            self.at = at;
            self.emit(Op::GetOrNull(reg, base, key));
            return Ok(Val { ty: Type::Any, reg });
        }
        match &base.ty {
            Type::List(element) => {
                let ty = (**element).clone();
                let index = self.typed(index, &Type::Int)?;
                self.release(mark);
                let reg = self.target(wanted, &ty)?;
                self.at = at;
                let (b, i) = (base.reg, index.reg);
                self.emit(match ty {
                    Type::Int => Op::GetI(reg, b, i),
                    Type::Float => Op::GetF(reg, b, i),
                    Type::Bool => Op::GetB(reg, b, i),
                    _ => Op::GetC(reg, b, i),
                });
                Ok(Val { ty, reg })
            }
            Type::Text => {
                let index = self.typed(index, &Type::Int)?;
                self.release(mark);
                let reg = self.target(wanted, &Type::Text)?;
                self.at = at;
                self.emit(Op::TextAt(reg, base.reg, index.reg));
                Ok(Val { ty: Type::Text, reg })
            }
            Type::Map(..)
            | Type::Any
            | Type::Null
            | Type::Bytes
            | Type::Struct(_)
            | Type::Union(_)
            | Type::Group(_) => {
                let (key, ty) = match &base.ty {
                    Type::Map(key, value) => ((**key).clone(), (**value).clone()),
                    Type::Bytes => (Type::Int, Type::Int),
                    _ => (Type::Any, Type::Any),
                };
                let key = self.boxed_typed(index, &key)?;
                let cell = match wanted {
                    Some((Bank::C, reg)) => reg,
                    _ => self.take(Bank::C)?,
                };
                self.at = at;
                self.emit(Op::Get(cell, base.reg, key.reg));
                let value = self.unbox(cell, &ty, wanted)?;
                Ok(self.keep(mark, value))
            }
            ty => {
                let ty = self.shown(ty);
                fault(at, format!("{ty} has no elements"))
            }
        }
    }

    /// A cell as a value of this type, in its bank.
    pub(super) fn unbox(&mut self, cell: Reg, ty: &Type, wanted: Wanted) -> Result<Val> {
        if ty.bank() == Bank::C {
            return Ok(Val { ty: ty.clone(), reg: cell });
        }
        let to = wanted.filter(|it| it.0 == ty.bank()).map(|it| it.1);
        self.coerce(Val { ty: Type::Any, reg: cell }, ty, to)
    }

    fn slice(
        &mut self,
        base: &Expr,
        parts: [&Option<Box<Expr>>; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        let mark = self.mark();
        let at = self.at;
        let base = self.borrowed(base, &Type::Any)?;
        let ty = match &base.ty {
            Type::List(_) | Type::Text | Type::Bytes => base.ty.clone(),
            Type::Any | Type::Null => Type::Any,
            ty => {
                let ty = self.shown(ty);
                return fault(at, format!("{ty} cannot be sliced"));
            }
        };
        if let (Type::Text, [Some(start), Some(end), None]) = (&ty, &parts) {
            let first = self.take(Bank::I)?;
            self.expr_into(start, first, &Type::Int)?;
            let last = self.take(Bank::I)?;
            self.expr_into(end, last, &Type::Int)?;
            self.release(mark);
            let reg = self.target(wanted, &ty)?;
            self.at = at;
            self.emit(Op::SubText(reg, base.reg, first));
            return Ok(Val { ty, reg });
        }
        let first = self.here().next[2] as Reg;
        for part in parts {
            let reg = self.take(Bank::C)?;
            match part {
                Some(part) => {
                    let value = self.boxed_typed(part, &Type::Int)?;
                    self.move_to(Bank::C, reg, value.reg);
                }
                None => {
                    self.emit(Op::Null(reg));
                }
            }
            let next = self.here().next;
            self.release([next[0], next[1], u16::from(reg) + 1]);
        }
        self.release(mark);
        let reg = self.target(wanted, &ty)?;
        self.at = at;
        self.emit(Op::Slice(reg, base.reg, first));
        Ok(Val { ty, reg })
    }

    fn field(&mut self, base: &Expr, name: &str, wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        let at = self.at;
        let base = self.borrowed(base, &Type::Any)?;
        self.at = at;
        let (shape, ty) = match &base.ty {
            Type::Struct(shape) => (*shape, base.ty.clone()),
            Type::Group(item) => {
                let field = match name {
                    "key" => Some((0, Type::Any)),
                    "items" => Some((1, Type::List(item.clone()))),
                    _ => None,
                };
                let Some((n, ty)) = field else {
                    return fault(at, format!("a group has no field `{name}`"));
                };
                let value = self.get_field(base.reg, GROUP, n, &ty, wanted)?;
                return Ok(self.keep(mark, value));
            }
            Type::Any | Type::Null | Type::Map(..) | Type::Union(_) => {
                let ty = match &base.ty {
                    Type::Map(key, value) if matches!(**key, Type::Text | Type::Any) => {
                        (**value).clone()
                    }
                    _ => Type::Any,
                };
                let name = self.name(name)?;
                let cell = match wanted {
                    Some((Bank::C, reg)) => reg,
                    _ => self.take(Bank::C)?,
                };
                self.emit(Op::GetName(cell, base.reg, name));
                let value = self.unbox(cell, &ty, wanted)?;
                return Ok(self.keep(mark, value));
            }
            ty => {
                let ty = self.shown(ty);
                return fault(at, format!("{ty} has no field `{name}`"));
            }
        };
        if let Some(n) = self.shape(shape).field(name) {
            let field = self.shape(shape).fields[n].1.clone();
            let value = self.get_field(base.reg, shape, n, &field, wanted)?;
            return Ok(self.keep(mark, value));
        }
        if let Some(method) = self.shape(shape).methods.get(name).copied() {
            return self.bound_method(base.reg, shape, name, method, mark, wanted);
        }
        let ty = self.shown(&ty);
        fault(at, format!("{ty} has no field `{name}`"))
    }

    pub(super) fn get_field(
        &mut self,
        record: Reg,
        shape: u16,
        field: usize,
        ty: &Type,
        wanted: Wanted,
    ) -> Result<Val> {
        let cell = match wanted {
            Some((Bank::C, reg)) => reg,
            _ => self.take(Bank::C)?,
        };
        self.emit(Op::GetField(cell, record, field as Reg, shape));
        self.unbox(cell, ty, wanted)
    }

    fn cast(&mut self, inner: &Expr, ty: &TypeRef, wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        let at = self.at;
        let ty = self.resolve(ty)?;
        let value = self.expr(inner, None, &ty)?;
        self.at = at;
        self.cast_to(value, &ty, mark, wanted)
    }

    pub(super) fn cast_to(
        &mut self,
        value: Val,
        ty: &Type,
        mark: [u16; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        if value.ty == *ty {
            return Ok(value);
        }
        match (&value.ty, ty) {
            (Type::Float, Type::Int) => {
                self.release(mark);
                let reg = self.target(wanted, ty)?;
                self.emit(Op::IntOf(reg, value.reg));
                return Ok(Val { ty: Type::Int, reg });
            }
            (Type::Int, Type::Float) => {
                self.release(mark);
                let reg = self.target(wanted, ty)?;
                self.emit(Op::FloatOf(reg, value.reg));
                return Ok(Val { ty: Type::Float, reg });
            }
            (_, Type::Any) => {
                let mut value = self.coerce(value, ty, None)?;
                value.ty = Type::Any;
                return Ok(value);
            }
            _ => {}
        }
        let cell = self.as_cell(value)?;
        let index = self.type_index(ty)?;
        let reg = self.take(Bank::C)?;
        self.emit(Op::Cast(reg, cell, index));
        let mut value = self.unbox(reg, ty, wanted)?;
        value.ty = ty.clone();
        Ok(self.keep(mark, value))
    }

    pub(super) fn list_of_any() -> Type {
        Type::List(Rc::new(Type::Any))
    }
}
