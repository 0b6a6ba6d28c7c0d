//! Expressions.

use std::rc::Rc;

use super::{ANY, Compiler, GROUP, Mark, Val, Want, intern};
use crate::builtins::Builtin;
use crate::bytecode::{AnyOp, Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Record, Type};

/// Elements of a literal, or parts of a text, that are computed before they are put together.
const CHUNK: usize = 32;

type Three = fn(Reg, Reg, Reg) -> Op;

/// A struct or a variant, and values of its fields with the numbers of these.
type Given<'e> = (Rc<Record>, Vec<(usize, &'e Expr)>);

/// What is left to do in a chain of calculations: the operator, its right side and its place.
type Step<'e> = (AnyOp, &'e Expr, At);

/// An instruction with a small constant.
type Short = fn(Reg, Reg, i16) -> Op;

/// The calculations in the order of [`AnyOp`]: of integers, of floats, with a constant.
const ARITHMETIC: [(char, Three, Three, Short); 5] = [
    ('+', Op::AddI, Op::AddF, Op::AddIK),
    ('-', Op::SubI, Op::SubF, |d, a, k| Op::AddIK(d, a, -k)),
    ('*', Op::MulI, Op::MulF, Op::MulIK),
    ('/', Op::DivI, Op::DivF, Op::DivIK),
    ('%', Op::ModI, Op::ModF, Op::ModIK),
];

/// The one of four instructions that is for elements of this type.
pub(super) fn by_element<T>(element: &Type, [int, float, truth, cell]: [T; 4]) -> T {
    match element {
        Type::Int => int,
        Type::Float => float,
        Type::Bool => truth,
        _ => cell,
    }
}

/// A list, or an array of numbers, of what is in registers of a bank.
pub(super) fn new_list(bank: Bank, list: Reg, from: Reg, count: usize) -> Op {
    [Op::NewI, Op::NewF, Op::NewList][bank as usize](list, from, count as Reg)
}

impl Compiler<'_> {
    /// Compiles an expression. Its value lands in the register `to`, if one is given and of the
    /// bank that the value needs. `expected` is a type that the value will have to fit.
    pub(super) fn expr(&mut self, expr: &Expr, expected: &Type, to: Option<Reg>) -> Result<Val> {
        let want = Want { to, ..self.want(expected) };
        let mut value = self.placed(expr.at, |compiler| compiler.expr_kind(expr, want))?;
        let bank = value.ty.bank();
        if let Some(reg) = want.reg(bank) {
            self.move_to(bank, reg, value.reg);
            value.reg = reg;
        }
        // All registers taken since are given back, save that of the value.
        self.release(want.mark);
        let next = &mut self.frame.next[bank as usize];
        *next = (*next).max(u16::from(value.reg) + 1);
        Ok(value)
    }

    fn expr_kind(&mut self, expr: &Expr, want: Want) -> Result<Val> {
        match &expr.kind {
            ExprKind::Null => self.done(want, Type::Null, Op::Null),
            ExprKind::Bool(value) => {
                self.done(want, Type::Bool, |reg| Op::LoadI(reg, i32::from(*value)))
            }
            ExprKind::Int(value) if *want.ty == Type::Float => {
                let kind = ExprKind::Float(*value as f64);
                self.expr_kind(&Expr { at: expr.at, kind }, want)
            }
            ExprKind::Int(value) => match i32::try_from(*value) {
                Ok(value) => self.done(want, Type::Int, |reg| Op::LoadI(reg, value)),
                Err(_) => {
                    let k = intern(self.at, &mut self.world.program.numbers, *value)?;
                    self.done(want, Type::Int, |reg| Op::WideI(reg, k))
                }
            },
            ExprKind::Float(value) => {
                let bits = value.to_bits() as i64;
                let k = intern(self.at, &mut self.world.program.numbers, bits)?;
                self.done(want, Type::Float, |reg| Op::LoadF(reg, k))
            }
            ExprKind::Text(text) => {
                let k = self.constant(text)?;
                self.done(want, Type::Text, |reg| Op::Const(reg, k))
            }
            ExprKind::Name(name) => self.load(name, want, true),
            ExprKind::List(items) => self.list(items, want),
            ExprKind::Map(items) => self.map(items, want),
            ExprKind::Struct(name, fields) => self.record(name, fields, want),
            ExprKind::Not(_) => self.truth(expr),
            ExprKind::Binary(op, a, b) => self.binary(*op, expr, a, b, want),
            ExprKind::Call(callee, args) => self.call(callee, args, want),
            ExprKind::Index(base, index) => self.index(base, index, want, false),
            ExprKind::Slice(base, parts) => {
                self.slice(base, parts.each_ref().map(Option::as_deref), want)
            }
            ExprKind::Field(base, name) => self.field(base, name, want),
            ExprKind::Cast(inner, ty) => {
                let ty = self.resolve(ty)?;
                let value = self.expr(inner, &ty, None)?;
                self.cast_to(value, &ty, want)
            }
            ExprKind::Match(choice) => self.match_expr(choice, want),
            ExprKind::Block(body) => {
                self.block(body)?;
                self.done(want, Type::Null, Op::Null)
            }
            ExprKind::Fun(fun) => self.closure(fun, want),
            ExprKind::Query(query) => self.query(query, want),
        }
    }

    // Where values and errors belong.

    pub(super) fn refuse<T>(&self, ty: &Type, why: &str) -> Result<T> {
        fault(self.at, format!("{ty} {why}"))
    }

    pub(super) fn fit(&mut self, value: Val, ty: &Type, to: Option<Reg>) -> Result<Val> {
        Ok(Val { ty: ty.clone(), ..self.coerce(value, ty, to)? })
    }

    /// Puts a value computed since the mark into the first register that was free then. Arguments
    /// and elements come to stand in a row that way.
    pub(super) fn settle(&mut self, mark: Mark, bank: Bank, value: Val) -> Result<Reg> {
        self.release(mark);
        let reg = self.take(bank)?;
        if bank == Bank::C {
            self.coerce(value, ANY, Some(reg))?;
        } else {
            self.move_to(bank, reg, value.reg);
        }
        Ok(reg)
    }

    pub(super) fn next(&mut self, bank: Bank, expr: &Expr, ty: &Type) -> Result<Reg> {
        let mark = self.mark();
        let value = self.typed(expr, ty, None)?;
        self.settle(mark, bank, value)
    }

    /// The value as one of this type, in a given register or in any of the bank of the type.
    pub(super) fn typed(&mut self, expr: &Expr, ty: &Type, to: Option<Reg>) -> Result<Val> {
        let value = self.expr(expr, ty, to)?;
        self.placed(expr.at, |compiler| compiler.coerce(value, ty, to))
    }

    /// The register of a value of this type, as a cell where one is asked for.
    pub(super) fn operand(&mut self, bank: Bank, expr: &Expr, ty: &Type) -> Result<Reg> {
        let value = self.typed(expr, ty, None)?;
        if bank == Bank::C { self.as_cell(value) } else { Ok(value.reg) }
    }

    pub(super) fn as_cell(&mut self, value: Val) -> Result<Reg> {
        Ok(self.coerce(value, ANY, None)?.reg)
    }

    /// A value that is only looked at: a list stays its variable's own.
    pub(super) fn borrowed(&mut self, expr: &Expr, expected: &Type) -> Result<Val> {
        match &expr.kind {
            ExprKind::Name(name) => {
                let want = self.want(expected);
                self.placed(expr.at, |compiler| compiler.load(name, want, false))
            }
            _ => self.expr(expr, expected, None),
        }
    }

    /// A cell where a key that is missing gives null.
    pub(super) fn nullable(&mut self, expr: &Expr) -> Result<Reg> {
        let want = self.want(ANY);
        let value = match &expr.kind {
            ExprKind::Index(base, index) => {
                self.placed(expr.at, |compiler| compiler.index(base, index, want, true))?
            }
            _ => self.borrowed(expr, ANY)?,
        };
        self.as_cell(value)
    }

    /// Whether the value of an expression is a list that was just made.
    pub(super) fn is_fresh(&mut self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::List(_) | ExprKind::Slice(..) | ExprKind::Query(_) => true,
            ExprKind::Binary(op, ..) => !matches!(op, Binary::Coalesce),
            ExprKind::Call(callee, _) => callee
                .name()
                .is_some_and(|name| self.builtin(name).is_some() && Builtin::makes_list(name)),
            _ => false,
        }
    }

    // Literals.

    /// What a variable without a value holds, and a field that is left out.
    pub(super) fn default_value(&mut self, ty: &Type) -> Result<Val> {
        let kind = match ty {
            Type::Int => ExprKind::Int(0),
            Type::Float => ExprKind::Float(0.0),
            Type::Bool => ExprKind::Bool(false),
            Type::Text => ExprKind::Text(String::new()),
            Type::List(_) => ExprKind::List(Vec::new()),
            Type::Map(..) => ExprKind::Map(Vec::new()),
            _ => ExprKind::Null,
        };
        let value = self.expr(&Expr { at: self.at, kind }, ty, None)?;
        self.fit(value, ty, None)
    }

    /// The type of all elements: the declared one, or what they have in common.
    fn element_type(&mut self, declared: Option<&Type>, items: &[&Expr]) -> Result<Type> {
        if let Some(declared) = declared {
            return Ok(declared.clone());
        }
        let types = items.iter().map(|item| self.probe(item, ANY)).collect::<Result<Vec<_>>>()?;
        let common = types.into_iter().reduce(|a, b| a.join(&b));
        Ok(common.filter(|ty| *ty != Type::Null).unwrap_or(Type::Any))
    }

    fn list(&mut self, items: &[Expr], want: Want) -> Result<Val> {
        let declared = match want.ty {
            Type::List(element) => Some(&**element),
            _ => None,
        };
        let element = self.element_type(declared, &items.iter().collect::<Vec<_>>())?;
        let bank = element.stored();
        let (first, rest) = items.split_at(items.len().min(CHUNK));
        // The wanted register may be a variable that the later elements read.
        let list = want.reg(Bank::C).filter(|_| rest.is_empty());
        let list = list.map_or_else(|| self.take(Bank::C), Ok)?;
        let inner = self.mark();
        for item in first {
            self.next(bank, item, &element)?;
        }
        let from = inner[bank as usize] as Reg;
        self.emit(new_list(bank, list, from, first.len()));
        for item in rest {
            self.release(inner);
            let reg = self.next(Bank::C, item, &element)?;
            self.emit(Op::Push(list, reg));
        }
        Ok(Val { ty: Type::list(element), reg: list })
    }

    fn map(&mut self, items: &[(Expr, Expr)], want: Want) -> Result<Val> {
        let (key, value) = match want.ty {
            Type::Map(key, value) => (Some(&**key), Some(&**value)),
            _ => (None, None),
        };
        let (keys, values): (Vec<_>, Vec<_>) = items.iter().map(|(k, v)| (k, v)).unzip();
        let (key, value) = (self.element_type(key, &keys)?, self.element_type(value, &values)?);
        let map = self.take(Bank::C)?;
        self.emit(Op::NewMap(map));
        let inner = self.mark();
        for (k, v) in items {
            let k = self.operand(Bank::C, k, &key)?;
            let v = self.operand(Bank::C, v, &value)?;
            self.emit(Op::Set(map, k, v));
            self.release(inner);
        }
        Ok(Val { ty: Type::map(key, value), reg: map })
    }

    /// A struct or a variant by the names of its fields.
    fn record(&mut self, name: &str, fields: &[(String, Expr)], want: Want) -> Result<Val> {
        let (record, given) = self.fields_of(name, fields)?;
        let value = |n| given.iter().rev().find(|it| it.0 == n).map(|it| it.1);
        let values: Vec<_> = (0..self.shape(record.shape).fields.len()).map(value).collect();
        self.construct(record, &values, want)
    }

    /// The shape of a struct or a variant, and the numbers of fields that are named.
    pub(super) fn fields_of<'e>(&self, name: &str, of: &'e [(String, Expr)]) -> Result<Given<'e>> {
        let Some(record) = self.world.records.get(name).cloned() else {
            return fault(self.at, format!("there is no struct `{name}`"));
        };
        let number =
            |(field, value): &'e (String, Expr)| match self.shape(record.shape).field(field) {
                Some(n) => Ok((n, value)),
                None => fault(value.at, format!("{name} has no field `{field}`")),
            };
        let numbers = of.iter().map(number).collect::<Result<_>>()?;
        Ok((record, numbers))
    }

    pub(super) fn construct(
        &mut self,
        record: Rc<Record>,
        values: &[Option<&Expr>],
        want: Want,
    ) -> Result<Val> {
        let (shape, fields) = (record.shape, self.shape(record.shape).fields.clone());
        let first = self.mark()[2] as Reg;
        for (value, (_, ty)) in values.iter().zip(&fields) {
            let mark = self.mark();
            let value = match value {
                Some(value) => self.typed(value, ty, None)?,
                None => self.default_value(ty)?,
            };
            self.settle(mark, Bank::C, value)?;
        }
        let count = fields.len() as Reg;
        self.done(want, Type::Struct(record), |reg| Op::NewStruct(reg, first, count, shape))
    }

    // Operators.

    fn binary(&mut self, op: Binary, whole: &Expr, a: &Expr, b: &Expr, want: Want) -> Result<Val> {
        let lists = match op {
            Binary::Any(op) if (op as usize) < ARITHMETIC.len() => return self.chain(whole, want),
            Binary::Any(op) => op,
            Binary::In => {
                let item = self.operand(Bank::C, a, ANY)?;
                let all = self.borrowed(b, ANY)?;
                if all.ty.bank() != Bank::C {
                    return self.refuse(&all.ty, "has no elements");
                }
                return self.done(want, Type::Bool, |reg| Op::In(reg, item, all.reg));
            }
            Binary::Coalesce => {
                let (first, other) = (self.probe(a, want.ty)?, self.probe(b, want.ty)?);
                let ty = if first.bank() == Bank::C { first.join(&other) } else { first };
                let ty = if ty == Type::Any { other } else { ty };
                let reg = self.take(Bank::C)?;
                let first = self.nullable(a)?;
                self.move_to(Bank::C, reg, first);
                let skip = self.emit(Op::JNotNull(reg, 0));
                self.typed(b, ANY, Some(reg))?;
                self.land([skip]);
                return self.fit(Val::cell(reg), &ty, want.reg(ty.bank()));
            }
            _ => return self.truth(whole),
        };
        let (left, right) = (self.borrowed(a, want.ty)?, self.borrowed(b, want.ty)?);
        for ty in [&left.ty, &right.ty] {
            if !matches!(ty, Type::List(_) | Type::Any | Type::Null | Type::Group(_)) {
                return self.refuse(ty, "is no list");
            }
        }
        let ty = match left.ty.join(&right.ty) {
            ty @ Type::List(_) => ty,
            _ => Type::list(Type::Any),
        };
        self.done(want, ty, |reg| Op::Any(lists, reg, left.reg, right.reg))
    }

    /// A chain of calculations like `a + b - c`, from the left. All that is added to a text is put
    /// together by one instruction.
    fn chain(&mut self, whole: &Expr, want: Want) -> Result<Val> {
        let (mut steps, mut rest): (Vec<Step<'_>>, _) = (Vec::new(), whole);
        while let ExprKind::Binary(Binary::Any(op), a, b) = &rest.kind
            && (*op as usize) < ARITHMETIC.len()
        {
            steps.push((*op, &**b, rest.at));
            rest = a;
        }
        let mut total = self.text_part(rest, ANY)?;
        while let Some((op, part, at)) = steps.pop() {
            if op == AnyOp::Add && total.ty == Type::Text {
                steps.push((op, part, at));
                total = self.concat(total, &mut steps, want)?;
                continue;
            }
            // Only the last result lands where it is wanted: that may be a variable of the chain.
            let want = Want { to: want.to.filter(|_| steps.is_empty()), ..want };
            total = self.placed(at, |compiler| compiler.step(op, total, part, want))?;
        }
        Ok(total)
    }

    /// One calculation; its left side was computed since the mark.
    fn step(&mut self, op: AnyOp, left: Val, part: &Expr, want: Want) -> Result<Val> {
        let (sign, ints, floats, short) = ARITHMETIC[op as usize];
        let least = if matches!(op, AnyOp::Div | AnyOp::Mod) { 1 } else { -i16::MAX };
        if left.ty == Type::Int
            && let ExprKind::Int(value) = part.kind
            && let Some(k) = i16::try_from(value).ok().filter(|k| *k >= least)
        {
            return self.done(want, Type::Int, |reg| short(reg, left.reg, k));
        }
        // A literal beside a float is one.
        let hint = if left.ty == Type::Float { &left.ty } else { ANY };
        let right = self.borrowed(part, hint)?;
        // `-x` is `x * -1`, and both signs have one place.
        let sign = if part.at == self.at { '-' } else { sign };
        let number = |ty: &Type| matches!(ty, Type::Int | Type::Float | Type::BigInt | Type::Any);
        let (l, r, sum) = (&left.ty, &right.ty, op == AnyOp::Add);
        let ty = match (l, r) {
            (Type::Null, _) | (_, Type::Null) => Type::Any,
            (Type::Int, Type::Int) => Type::Int,
            (Type::Float, other) | (other, Type::Float) if number(other) => Type::Float,
            (Type::BigInt, Type::BigInt | Type::Int) | (Type::Int, Type::BigInt) => Type::BigInt,
            (Type::Any, other) | (other, Type::Any) if number(other) => Type::Any,
            (Type::Any, Type::List(_) | Type::Text) if sum => Type::Any,
            (Type::List(_) | Type::Text, Type::Any) if sum => Type::Any,
            (Type::List(_), Type::List(_)) | (Type::Text, Type::Text) if sum => l.join(r),
            _ => return fault(self.at, format!("type mismatch: {sign} of {l} and {r}")),
        };
        let bank = ty.bank();
        let operand = if bank == Bank::C { ANY } else { &ty };
        let a = self.coerce(left, operand, None)?.reg;
        let b = self.coerce(right, operand, None)?.reg;
        self.done(want, ty, |reg| match bank {
            Bank::I => ints(reg, a, b),
            Bank::F => floats(reg, a, b),
            Bank::C => Op::Any(op, reg, a, b),
        })
    }

    /// Adds to a text what the next steps add.
    fn concat(&mut self, first: Val, steps: &mut Vec<Step<'_>>, want: Want) -> Result<Val> {
        let base = self.settle(want.mark, Bank::C, first)?;
        let start = self.mark();
        let mut count = 1;
        while let Some((_, part, at)) = steps.pop_if(|step| step.0 == AnyOp::Add) {
            if count == CHUNK {
                self.emit(Op::Concat(base, base, CHUNK as Reg));
                self.release(start);
                count = 1;
            }
            let inner = self.mark();
            let value = self.text_part(part, &Type::Text)?;
            let certain = value.ty == Type::Text;
            if !certain && !matches!(value.ty, Type::Any | Type::Null) {
                return fault(at, format!("type mismatch: + of string and {}", value.ty));
            }
            let reg = self.settle(inner, Bank::C, value)?;
            if !certain {
                self.emit(Op::Builtin(Builtin::CheckText, reg, reg, 1));
            }
            count += 1;
        }
        self.done(want, Type::Text, |reg| Op::Concat(reg, base, count as Reg))
    }

    /// A part of a text that is put together: integers need not become text first.
    fn text_part(&mut self, part: &Expr, expected: &Type) -> Result<Val> {
        if let Some((name @ "str", [arg])) = part.named_call()
            && self.builtin(name).is_some()
        {
            let want = self.want(ANY);
            let inner = self.borrowed(arg, ANY)?;
            let whole = matches!(inner.ty, Type::Int | Type::BigInt | Type::Text);
            let reg = self.as_cell(inner)?;
            if whole {
                return Ok(Val { ty: Type::Text, reg });
            }
            return self.done(want, Type::Text, |to| Op::Builtin(Builtin::Str, to, reg, 1));
        }
        self.borrowed(part, expected)
    }

    // Elements and fields.

    /// An element of a list, a map or a text; if it is `safe`, null where there is none.
    fn index(&mut self, base: &Expr, index: &Expr, want: Want, safe: bool) -> Result<Val> {
        let base = self.borrowed(base, ANY)?;
        let any = (Type::Any, Type::Any);
        let (key, ty) = if safe { any } else { self.elements(&base.ty)? };
        let get = match &base.ty {
            _ if safe => Op::GetOrNull,
            Type::Text => Op::GetC,
            Type::List(_) => by_element(&ty, [Op::GetI, Op::GetF, Op::GetB, Op::GetC]),
            _ => Op::Get,
        };
        if !safe && matches!(base.ty, Type::List(_) | Type::Text) {
            let index = self.typed(index, &key, None)?.reg;
            return self.done(want, ty, |reg| get(reg, base.reg, index));
        }
        let key = self.operand(Bank::C, index, &key)?;
        let base = self.as_cell(base)?;
        self.unboxed(want, &ty, |cell| get(cell, base, key))
    }

    pub(super) fn elements(&self, base: &Type) -> Result<(Type, Type)> {
        base.elements().map_or_else(|| self.refuse(base, "has no elements"), Ok)
    }

    pub(super) fn slice(
        &mut self,
        base: &Expr,
        parts: [Option<&Expr>; 3],
        want: Want,
    ) -> Result<Val> {
        let base = self.borrowed(base, ANY)?;
        let ty = match base.ty {
            Type::List(_) | Type::Text | Type::Bytes => base.ty,
            Type::Any | Type::Null => Type::Any,
            ty => return self.refuse(&ty, "cannot be sliced"),
        };
        if let (Type::Text, [Some(start), Some(end), None]) = (&ty, parts) {
            let first = self.next(Bank::I, start, &Type::Int)?;
            self.next(Bank::I, end, &Type::Int)?;
            return self.done(want, ty, |reg| Op::SubText(reg, base.reg, first));
        }
        let first = self.mark()[2] as Reg;
        for part in parts {
            self.next_or_null(part, &Type::Int)?;
        }
        self.done(want, ty, |reg| Op::Slice(reg, base.reg, first))
    }

    fn field(&mut self, base: &Expr, name: &str, want: Want) -> Result<Val> {
        if let Type::Struct(record) = self.probe(base, ANY)?
            && self.field_named(record.shape, name).is_none()
            && let Some(method) = self.method(&record, name)
        {
            return self.partial(&method, &[base]);
        }
        let base = self.borrowed(base, ANY)?;
        let (field, ty) = self.field_of(&base.ty, name)?;
        let Some((shape, n)) = field else {
            let name = self.constant(name)?;
            return self.unboxed(want, &ty, |cell| Op::GetName(cell, base.reg, name));
        };
        self.unboxed(want, &ty, |cell| Op::GetField(cell, base.reg, n as Reg, shape))
    }

    /// A field of a value of this type: its shape and which one, if that is known, and its type.
    pub(super) fn field_of(&self, base: &Type, name: &str) -> Result<(Option<(u16, usize)>, Type)> {
        let found = match base {
            Type::Struct(record) => {
                self.field_named(record.shape, name).map(|(n, ty)| (Some((record.shape, n)), ty))
            }
            Type::Group(_) if name == "key" => Some((Some((GROUP, 0)), Type::Any)),
            Type::Group(item) if name == "items" => {
                Some((Some((GROUP, 1)), Type::List(item.clone())))
            }
            Type::Map(key, ty) if matches!(**key, Type::Text | Type::Any) => {
                Some((None, (**ty).clone()))
            }
            Type::Any | Type::Null | Type::Map(..) | Type::Union(_) => Some((None, Type::Any)),
            _ => None,
        };
        found.map_or_else(|| self.refuse(base, &format!("has no field `{name}`")), Ok)
    }

    pub(super) fn cast_to(&mut self, value: Val, ty: &Type, want: Want) -> Result<Val> {
        match (&value.ty, ty) {
            (from, to) if from == to => Ok(value),
            (Type::Float, Type::Int) => self.done(want, Type::Int, |reg| Op::IntOf(reg, value.reg)),
            (Type::Int, Type::Float) | (_, Type::Any) => self.fit(value, ty, want.reg(ty.bank())),
            _ => {
                let cell = self.as_cell(value)?;
                let index = intern(self.at, &mut self.world.program.types, ty.clone())?;
                self.unboxed(want, ty, |reg| Op::Cast(reg, cell, index))
            }
        }
    }
}
