//! Expressions.

use super::{Compiler, GROUP, Val, Wanted};
use crate::builtins::Builtin;
use crate::bytecode::{AnyOp, Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// Elements of a literal, or parts of a text, that are computed before they are put together.
const CHUNK: usize = 32;

type Two = fn(Reg, Reg) -> Op;
type Three = fn(Reg, Reg, Reg) -> Op;

/// What is left to do in a chain of calculations: the operator, its right side and its place.
type Step<'e> = (Binary, &'e Expr, At);

/// The calculations in the order of [`Binary`]: of integers, of floats, and of anything.
const ARITHMETIC: [(char, Three, Three, AnyOp); 5] = [
    ('+', Op::AddI, Op::AddF, AnyOp::Add),
    ('-', Op::SubI, Op::SubF, AnyOp::Sub),
    ('*', Op::MulI, Op::MulF, AnyOp::Mul),
    ('/', Op::DivI, Op::DivF, AnyOp::Div),
    ('%', Op::ModI, Op::ModF, AnyOp::Mod),
];

/// An instruction with a small constant.
type Short = fn(Reg, Reg, i16) -> Op;

impl Compiler<'_> {
    /// Compiles an expression; its value lands in the wanted register if that suits it.
    /// `expected` is a type that the value will have to fit.
    pub(super) fn expr(&mut self, expr: &Expr, wanted: Wanted, expected: &Type) -> Result<Val> {
        self.placed(expr.at, |compiler| compiler.expr_kind(expr, wanted, expected))
    }

    fn expr_kind(&mut self, expr: &Expr, wanted: Wanted, expected: &Type) -> Result<Val> {
        let mark = self.mark();
        match &expr.kind {
            ExprKind::Null => self.done(mark, Type::Null, wanted, Op::Null),
            ExprKind::Bool(value) => {
                self.done(mark, Type::Bool, wanted, |reg| Op::LoadI(reg, i32::from(*value)))
            }
            ExprKind::Int(value) if *expected == Type::Float => {
                self.literal(Type::Float, wanted, |it, reg| it.load_float(reg, *value as f64))
            }
            ExprKind::Int(value) => {
                self.literal(Type::Int, wanted, |it, reg| it.load_int(reg, *value))
            }
            ExprKind::Float(value) => {
                self.literal(Type::Float, wanted, |it, reg| it.load_float(reg, *value))
            }
            ExprKind::Text(text) => {
                self.literal(Type::Text, wanted, |it, reg| it.load_text(reg, text))
            }
            ExprKind::Name(name) => self.load(name, expr.at, wanted, true),
            ExprKind::List(items) => self.list(items, wanted, expected),
            ExprKind::Map(items) => self.map(items, wanted, expected),
            ExprKind::Struct(name, fields) => self.record(name, fields, wanted),
            ExprKind::Neg(inner) => self.negative(inner, wanted),
            ExprKind::Not(_) => self.truth(expr, wanted),
            ExprKind::Binary(op, a, b) => self.binary(*op, expr, a, b, wanted, expected),
            ExprKind::Call(callee, args) => self.call(callee, args, wanted),
            ExprKind::Index(base, index) => self.index(base, index, wanted, false),
            ExprKind::SafeIndex(base, index) => self.index(base, index, wanted, true),
            ExprKind::Slice(base, start, end, step) => self.slice(base, [start, end, step], wanted),
            ExprKind::Field(base, name) => self.field(base, name, wanted),
            ExprKind::SafeField(base, name) => {
                let value = self.take_for(&Type::Any)?;
                self.boxed(base, Some(value.reg))?;
                let skip = self.emit(Op::JNull(value.reg, 0));
                let name = self.name(name)?;
                self.emit(Op::GetName(value.reg, value.reg, name));
                self.land(skip);
                let value = self.deliver(value, wanted);
                Ok(self.keep(mark, value))
            }
            ExprKind::Cast(inner, ty) => {
                let ty = self.resolve(ty)?;
                let value = self.expr(inner, None, &ty)?;
                self.cast_to(value, &ty, mark, wanted)
            }
            ExprKind::If(condition, then, otherwise) => {
                self.if_expr(condition, then, otherwise.as_deref(), wanted, expected)
            }
            ExprKind::Match(target, cases) => self.match_expr(target, cases, wanted, expected),
            ExprKind::Fun(fun) => self.lambda(fun, wanted, expected),
            ExprKind::Query(query) => self.query(query, wanted),
        }
    }

    // Where code, values and errors belong.

    /// Does something whose errors are those of another place in the source.
    pub(super) fn placed<T>(
        &mut self,
        at: At,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let outer = std::mem::replace(&mut self.at, at);
        let result = body(self);
        self.at = outer;
        result
    }

    /// Refuses a value for its type.
    pub(super) fn refuse<T>(&self, ty: &Type, why: &str) -> Result<T> {
        fault(self.at, format!("{} {why}", self.shown(ty)))
    }

    fn literal(
        &mut self,
        ty: Type,
        wanted: Wanted,
        load: impl FnOnce(&mut Self, Reg) -> Result<()>,
    ) -> Result<Val> {
        let reg = self.target(wanted, &ty)?;
        load(self, reg)?;
        Ok(Val { ty, reg })
    }

    /// Like `done`, for an instruction whose result is a cell that holds a value of this type.
    pub(super) fn emit_unboxed(
        &mut self,
        mark: [u16; 3],
        wanted: Wanted,
        ty: &Type,
        op: impl FnOnce(Reg) -> Op,
    ) -> Result<Val> {
        let cell = self.done(mark, Type::Any, wanted, op)?.reg;
        let value = self.unbox(cell, ty, wanted)?;
        Ok(self.keep(mark, value))
    }

    /// A cell as a value of this type, in its bank.
    pub(super) fn unbox(&mut self, cell: Reg, ty: &Type, wanted: Wanted) -> Result<Val> {
        self.fit(Val { ty: Type::Any, reg: cell }, ty, wanted)
    }

    /// The value as one of this type, in the wanted register if that suits it.
    fn fit(&mut self, value: Val, ty: &Type, wanted: Wanted) -> Result<Val> {
        let to = wanted.filter(|it| it.0 == ty.bank()).map(|it| it.1);
        Ok(Val { ty: ty.clone(), ..self.coerce(value, ty, to)? })
    }

    /// Moves a value that could not be computed where it is wanted.
    pub(super) fn deliver(&mut self, value: Val, wanted: Wanted) -> Val {
        match wanted {
            Some((bank, reg)) if bank == value.ty.bank() => {
                self.move_to(bank, reg, value.reg);
                Val { reg, ..value }
            }
            _ => value,
        }
    }

    /// Gives back all registers taken since, save that of the value.
    pub(super) fn keep(&mut self, mark: [u16; 3], value: Val) -> Val {
        self.release(mark);
        let next = &mut self.frame().next[value.ty.bank() as usize];
        *next = (*next).max(u16::from(value.reg) + 1);
        value
    }

    /// Puts a value computed since the mark into the first register that was free then. Arguments
    /// and elements come to stand in a row that way.
    pub(super) fn settle(&mut self, mark: [u16; 3], bank: Bank, value: Val) -> Result<Reg> {
        self.release(mark);
        let reg = self.take(bank)?;
        match bank {
            Bank::C => {
                self.coerce(value, &Type::Any, Some(reg))?;
            }
            _ => self.move_to(bank, reg, value.reg),
        }
        Ok(reg)
    }

    /// Puts the value of an expression into the next register of a bank.
    pub(super) fn next(&mut self, bank: Bank, expr: &Expr, ty: &Type) -> Result<Reg> {
        let mark = self.mark();
        let value = self.typed(expr, ty)?;
        self.settle(mark, bank, value)
    }

    /// The value as one of this type.
    pub(super) fn typed(&mut self, expr: &Expr, ty: &Type) -> Result<Val> {
        let value = self.expr(expr, None, ty)?;
        self.placed(expr.at, |compiler| compiler.coerce(value, ty, None))
    }

    /// The value as one of this type, in this register.
    pub(super) fn expr_into(&mut self, expr: &Expr, reg: Reg, ty: &Type) -> Result<()> {
        let mark = self.mark();
        let value = self.expr(expr, Some((ty.bank(), reg)), ty)?;
        self.placed(expr.at, |compiler| compiler.coerce(value, ty, Some(reg)))?;
        self.release(mark);
        Ok(())
    }

    /// The value as a cell.
    pub(super) fn boxed(&mut self, expr: &Expr, to: Option<Reg>) -> Result<Reg> {
        let value = self.expr(expr, to.map(|reg| (Bank::C, reg)), &Type::Any)?;
        Ok(self.coerce(value, &Type::Any, to)?.reg)
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

    /// A cell where a key that is missing gives null.
    pub(super) fn nullable(&mut self, expr: &Expr) -> Result<Reg> {
        let value = match &expr.kind {
            ExprKind::Index(base, index) => {
                self.placed(expr.at, |compiler| compiler.index(base, index, None, true))?
            }
            _ => self.borrowed(expr, &Type::Any)?,
        };
        self.as_cell(value)
    }

    /// Whether the value of an expression is a list that was just made.
    pub(super) fn is_fresh(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::List(_) | ExprKind::Slice(..) | ExprKind::Query(_) => true,
            ExprKind::Binary(op, ..) => !matches!(op, Binary::Coalesce),
            ExprKind::Call(callee, _) => matches!(&callee.kind, ExprKind::Name(name)
                if !self.world.functions.contains_key(name) && Builtin::makes_list(name)),
            _ => false,
        }
    }

    // Literals.

    /// The type of all elements: the declared one, or what they have in common.
    fn element_type<'e>(
        &mut self,
        declared: Option<&Type>,
        items: impl Iterator<Item = &'e Expr>,
    ) -> Result<Type> {
        let mut element = declared.cloned();
        if declared.is_none() {
            for item in items {
                let ty = self.probe(item, &Type::Any)?;
                element = Some(element.map_or(ty.clone(), |known| known.join(&ty)));
            }
        }
        Ok(element.filter(|ty| *ty != Type::Null).unwrap_or(Type::Any))
    }

    fn list(&mut self, items: &[Expr], wanted: Wanted, expected: &Type) -> Result<Val> {
        let declared = match expected {
            Type::List(element) => Some(&**element),
            _ => None,
        };
        let element = self.element_type(declared, items.iter())?;
        let (bank, new, push): (Bank, Three, Two) = match element {
            Type::Int => (Bank::I, Op::NewI, Op::PushI),
            Type::Float => (Bank::F, Op::NewF, Op::PushF),
            _ => (Bank::C, Op::NewList, Op::PushC),
        };
        let (first, rest) = items.split_at(items.len().min(CHUNK));
        let mark = self.mark();
        // The wanted register may be a variable that the later elements read.
        let ty = Type::list(element.clone());
        let list = self.target(wanted.filter(|_| rest.is_empty()), &ty)?;
        let inner = self.mark();
        for item in first {
            self.next(bank, item, &element)?;
        }
        self.emit(new(list, inner[bank as usize] as Reg, first.len() as Reg));
        for item in rest {
            self.release(inner);
            let reg = self.next(bank, item, &element)?;
            self.emit(push(list, reg));
        }
        let value = self.deliver(Val { ty, reg: list }, wanted);
        Ok(self.keep(mark, value))
    }

    fn map(&mut self, items: &[(Expr, Expr)], wanted: Wanted, expected: &Type) -> Result<Val> {
        let (key, value) = match expected {
            Type::Map(key, value) => (Some(&**key), Some(&**value)),
            _ => (None, None),
        };
        let key = self.element_type(key, items.iter().map(|item| &item.0))?;
        let value = self.element_type(value, items.iter().map(|item| &item.1))?;
        let mark = self.mark();
        let ty = Type::map(key.clone(), value.clone());
        let map = self.target(wanted.filter(|_| items.is_empty()), &ty)?;
        self.emit(Op::NewMap(map, 0, 0));
        let inner = self.mark();
        for (k, v) in items {
            let k = self.next(Bank::C, k, &key)?;
            let v = self.next(Bank::C, v, &value)?;
            self.emit(Op::Set(map, k, v));
            self.release(inner);
        }
        let value = self.deliver(Val { ty, reg: map }, wanted);
        Ok(self.keep(mark, value))
    }

    /// The shape of a struct or of a variant.
    pub(super) fn shape_named(&self, name: &str) -> Option<u16> {
        match self.world.types.get(name)? {
            Type::Struct(shape) => Some(*shape),
            // A union may have a variant of its own name.
            Type::Union(union) => {
                let mut shapes = self.world.program.shapes.iter();
                let shape = shapes.position(|it| it.union == Some(*union) && it.name == name)?;
                Some(shape as u16)
            }
            _ => None,
        }
    }

    /// A struct or a variant by the names of its fields.
    fn record(&mut self, name: &str, fields: &[(String, Expr)], wanted: Wanted) -> Result<Val> {
        let Some(shape) = self.shape_named(name) else {
            return fault(self.at, format!("there is no struct `{name}`"));
        };
        let declared = self.shape(shape);
        for (field, value) in fields {
            if declared.field(field).is_none() {
                return fault(value.at, format!("{name} has no field `{field}`"));
            }
        }
        let value = |field: &str| fields.iter().rev().find(|it| it.0 == field).map(|it| &it.1);
        let values: Vec<_> = declared.fields.iter().map(|(field, _)| value(field)).collect();
        self.construct(shape, &values, wanted)
    }

    /// A record of the values of all its fields.
    pub(super) fn construct(
        &mut self,
        shape: u16,
        values: &[Option<&Expr>],
        wanted: Wanted,
    ) -> Result<Val> {
        let mark = self.mark();
        let fields = self.shape(shape).fields.clone();
        for (value, (_, ty)) in values.iter().zip(&fields) {
            match value {
                Some(value) => self.next(Bank::C, value, ty)?,
                None => {
                    let inner = self.mark();
                    let value = self.default_field(ty)?;
                    self.settle(inner, Bank::C, value)?
                }
            };
        }
        let (first, count) = (mark[2] as Reg, fields.len() as Reg);
        let ty = Type::Struct(shape);
        self.done(mark, ty, wanted, |reg| Op::NewStruct(reg, first, count, shape))
    }

    /// What a field that is left out holds, and what a function answers that returns nothing.
    pub(super) fn default_field(&mut self, ty: &Type) -> Result<Val> {
        let value = self.take_for(ty)?;
        match ty.bank() {
            Bank::I => self.load_int(value.reg, 0)?,
            Bank::F => self.load_float(value.reg, 0.0)?,
            Bank::C => drop(self.emit(Op::Null(value.reg))),
        }
        Ok(value)
    }

    // Operators.

    fn negative(&mut self, inner: &Expr, wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        let value = self.expr(inner, None, &Type::Any)?;
        let (op, ty): (Two, Type) = match value.ty {
            Type::Int => (Op::NegI, Type::Int),
            Type::Float => (Op::NegF, Type::Float),
            Type::BigInt => (Op::NegAny, Type::BigInt),
            Type::Any | Type::Null => (Op::NegAny, Type::Any),
            ty => return self.refuse(&ty, "has no negative"),
        };
        self.done(mark, ty, wanted, |reg| op(reg, value.reg))
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
        let lists = match op {
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Mod => {
                return self.chain(whole, wanted);
            }
            Binary::In => {
                let item = self.boxed(a, None)?;
                let all = self.borrowed(b, &Type::Any)?;
                if all.ty.bank() != Bank::C {
                    let ty = self.shown(&all.ty);
                    return fault(self.at, format!("nothing can be in {ty}"));
                }
                return self.done(mark, Type::Bool, wanted, |reg| Op::In(reg, item, all.reg));
            }
            Binary::Coalesce => {
                let first = self.probe(a, expected)?;
                let other = self.probe(b, expected)?;
                let ty = match first.bank() {
                    Bank::C => first.join(&other),
                    _ => first,
                };
                let ty = if ty == Type::Any { other } else { ty };
                let reg = self.take(Bank::C)?;
                let first = self.nullable(a)?;
                self.move_to(Bank::C, reg, first);
                let skip = self.emit(Op::JNotNull(reg, 0));
                self.boxed(b, Some(reg))?;
                self.land(skip);
                let value = self.fit(Val { ty: Type::Any, reg }, &ty, wanted)?;
                return Ok(self.keep(mark, value));
            }
            Binary::Union => AnyOp::Union,
            Binary::UnionAll => AnyOp::UnionAll,
            Binary::Except => AnyOp::Except,
            Binary::Intersect => AnyOp::Intersect,
            _ => return self.truth(whole, wanted),
        };
        let (left, right) = (self.borrowed(a, expected)?, self.borrowed(b, expected)?);
        for ty in [&left.ty, &right.ty] {
            if !matches!(ty, Type::List(_) | Type::Any | Type::Null | Type::Group(_)) {
                return fault(self.at, format!("expected lists, found {}", self.shown(ty)));
            }
        }
        let ty = match left.ty.join(&right.ty) {
            ty @ Type::List(_) => ty,
            _ => Self::list_of_any(),
        };
        self.done(mark, ty, wanted, |reg| Op::Any(lists, reg, left.reg, right.reg))
    }

    /// A chain of calculations like `a + b - c`, from the left. All that is added to a text is put
    /// together by one instruction.
    fn chain(&mut self, whole: &Expr, wanted: Wanted) -> Result<Val> {
        let (mut steps, mut rest): (Vec<Step<'_>>, _) = (Vec::new(), whole);
        while let ExprKind::Binary(op, a, b) = &rest.kind
            && (*op as usize) < ARITHMETIC.len()
        {
            steps.push((*op, &**b, rest.at));
            rest = a;
        }
        let mark = self.mark();
        let mut total = self.text_part(rest, &Type::Any)?;
        while let Some((op, part, at)) = steps.pop() {
            if op == Binary::Add && total.ty == Type::Text {
                steps.push((op, part, at));
                total = self.concat(total, &mut steps, mark, wanted)?;
                continue;
            }
            let last = wanted.filter(|_| steps.is_empty());
            total = self.placed(at, |compiler| compiler.step(op, total, part, mark, last))?;
        }
        Ok(total)
    }

    /// One calculation; its left side was computed since the mark.
    fn step(
        &mut self,
        op: Binary,
        left: Val,
        part: &Expr,
        mark: [u16; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        if left.ty == Type::Int
            && let ExprKind::Int(value) = part.kind
            && let Ok(k) = i16::try_from(value)
        {
            let short: Option<(Short, i16)> = match op {
                Binary::Add => Some((Op::AddIK, k)),
                Binary::Sub => k.checked_neg().map(|k| (Op::AddIK as _, k)),
                Binary::Mul => Some((Op::MulIK, k)),
                Binary::Div if k > 0 => Some((Op::DivIK, k)),
                Binary::Mod if k > 0 => Some((Op::ModIK, k)),
                _ => None,
            };
            if let Some((short, k)) = short {
                return self.done(mark, Type::Int, wanted, |reg| short(reg, left.reg, k));
            }
        }
        // A literal beside a float is one.
        let hint = if left.ty == Type::Float { Type::Float } else { Type::Any };
        let right = self.borrowed(part, &hint)?;
        let number = |ty: &Type| matches!(ty, Type::Int | Type::Float | Type::BigInt | Type::Any);
        let (sign, ints, floats, any) = ARITHMETIC[op as usize];
        let (l, r, sum) = (&left.ty, &right.ty, op == Binary::Add);
        let ty = match (l, r) {
            (Type::Null, _) | (_, Type::Null) => Type::Any,
            (Type::Int, Type::Int) => Type::Int,
            (Type::Float, other) | (other, Type::Float) if number(other) => Type::Float,
            (Type::BigInt, Type::BigInt | Type::Int) | (Type::Int, Type::BigInt) => Type::BigInt,
            (Type::Any, other) | (other, Type::Any) if number(other) => Type::Any,
            (Type::Any, Type::List(_) | Type::Text) if sum => Type::Any,
            (Type::List(_) | Type::Text, Type::Any) if sum => Type::Any,
            (Type::List(_), Type::List(_)) | (Type::Text, Type::Text) if sum => l.join(r),
            _ => {
                let (l, r) = (self.shown(l), self.shown(r));
                return fault(self.at, format!("type mismatch: {sign} of {l} and {r}"));
            }
        };
        let (bank, cell) = (ty.bank(), Type::Any);
        let operand = if bank == Bank::C { &cell } else { &ty };
        let a = self.coerce(left, operand, None)?.reg;
        let b = self.coerce(right, operand, None)?.reg;
        self.done(mark, ty, wanted, |reg| match bank {
            Bank::I => ints(reg, a, b),
            Bank::F => floats(reg, a, b),
            Bank::C => Op::Any(any, reg, a, b),
        })
    }

    /// Adds to a text what the next steps add.
    fn concat(
        &mut self,
        first: Val,
        steps: &mut Vec<Step<'_>>,
        mark: [u16; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        let base = self.settle(mark, Bank::C, first)?;
        let start = self.mark();
        let mut count = 1;
        while let Some((_, part, at)) = steps.pop_if(|step| step.0 == Binary::Add) {
            if count == CHUNK {
                self.emit(Op::Concat(base, base, CHUNK as Reg));
                self.release(start);
                count = 1;
            }
            let inner = self.mark();
            let value = self.text_part(part, &Type::Text)?;
            let certain = value.ty == Type::Text;
            if !certain && !matches!(value.ty, Type::Any | Type::Null) {
                let ty = self.shown(&value.ty);
                return fault(at, format!("type mismatch: + of string and {ty}"));
            }
            let reg = self.settle(inner, Bank::C, value)?;
            if !certain {
                self.emit(Op::Builtin(Builtin::CheckText, reg, reg, 1));
            }
            count += 1;
        }
        self.done(mark, Type::Text, wanted, |reg| Op::Concat(reg, base, count as Reg))
    }

    /// A part of a text that is put together: integers need not become text first.
    fn text_part(&mut self, part: &Expr, expected: &Type) -> Result<Val> {
        if let ExprKind::Call(callee, args) = &part.kind
            && let (ExprKind::Name(name), [arg]) = (&callee.kind, args.as_slice())
            && name == "str"
            && self.is_builtin(name)
        {
            let mark = self.mark();
            let inner = self.borrowed(arg, &Type::Any)?;
            let whole = matches!(inner.ty, Type::Int | Type::BigInt | Type::Text);
            let reg = self.as_cell(inner)?;
            if whole {
                return Ok(Val { ty: Type::Text, reg });
            }
            return self.done(mark, Type::Text, None, |to| Op::Builtin(Builtin::Str, to, reg, 1));
        }
        self.borrowed(part, expected)
    }

    // Elements and fields.

    /// An element of a list, a map or a text; if it is `safe`, null where there is none.
    pub(super) fn index(
        &mut self,
        base: &Expr,
        index: &Expr,
        wanted: Wanted,
        safe: bool,
    ) -> Result<Val> {
        let mark = self.mark();
        let base = self.borrowed(base, &Type::Any)?;
        let (get, key, ty): (Three, Type, Type) = match &base.ty {
            _ if safe => (Op::GetOrNull, Type::Any, Type::Any),
            Type::Text => (Op::TextAt, Type::Int, Type::Text),
            Type::List(element) => {
                let get = match **element {
                    Type::Int => Op::GetI,
                    Type::Float => Op::GetF,
                    Type::Bool => Op::GetB,
                    _ => Op::GetC,
                };
                (get, Type::Int, (**element).clone())
            }
            Type::Map(key, value) => (Op::Get, (**key).clone(), (**value).clone()),
            Type::Bytes => (Op::Get, Type::Int, Type::Int),
            Type::Any | Type::Null | Type::Struct(_) | Type::Union(_) | Type::Group(_) => {
                (Op::Get, Type::Any, Type::Any)
            }
            ty => return self.refuse(ty, "has no elements"),
        };
        if !safe && matches!(base.ty, Type::List(_) | Type::Text) {
            let index = self.typed(index, &key)?.reg;
            return self.done(mark, ty, wanted, |reg| get(reg, base.reg, index));
        }
        let key = self.boxed_typed(index, &key)?.reg;
        let base = self.as_cell(base)?;
        self.emit_unboxed(mark, wanted, &ty, |cell| get(cell, base, key))
    }

    fn slice(
        &mut self,
        base: &Expr,
        parts: [&Option<Box<Expr>>; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        let mark = self.mark();
        let base = self.borrowed(base, &Type::Any)?;
        let ty = match base.ty {
            Type::List(_) | Type::Text | Type::Bytes => base.ty,
            Type::Any | Type::Null => Type::Any,
            ty => return self.refuse(&ty, "cannot be sliced"),
        };
        if let (Type::Text, [Some(start), Some(end), None]) = (&ty, &parts) {
            let first = self.next(Bank::I, start, &Type::Int)?;
            self.next(Bank::I, end, &Type::Int)?;
            return self.done(mark, ty, wanted, |reg| Op::SubText(reg, base.reg, first));
        }
        let first = self.mark()[2] as Reg;
        for part in parts {
            self.optional_argument(part.as_deref(), &Type::Int)?;
        }
        self.done(mark, ty, wanted, |reg| Op::Slice(reg, base.reg, first))
    }

    fn field(&mut self, base: &Expr, name: &str, wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        let base = self.borrowed(base, &Type::Any)?;
        let found = match &base.ty {
            Type::Struct(shape) => {
                let known = self.shape(*shape);
                if let Some(method) = self.method(*shape, name)
                    && known.field(name).is_none()
                {
                    let name = format!("{}.{name}", known.name);
                    return self.partial(&name, &method, Some(base.reg), &[], mark, wanted);
                }
                known.field(name).map(|n| (*shape, n, known.fields[n].1.clone()))
            }
            Type::Group(_) if name == "key" => Some((GROUP, 0, Type::Any)),
            Type::Group(item) if name == "items" => Some((GROUP, 1, Type::List(item.clone()))),
            Type::Any | Type::Null | Type::Map(..) | Type::Union(_) => {
                let ty = match &base.ty {
                    Type::Map(key, ty) if matches!(**key, Type::Text | Type::Any) => (**ty).clone(),
                    _ => Type::Any,
                };
                let name = self.name(name)?;
                return self
                    .emit_unboxed(mark, wanted, &ty, |cell| Op::GetName(cell, base.reg, name));
            }
            _ => None,
        };
        let Some((shape, n, ty)) = found else {
            return self.refuse(&base.ty, &format!("has no field `{name}`"));
        };
        self.release(mark);
        self.get_field(base.reg, shape, n, &ty, wanted)
    }

    pub(super) fn get_field(
        &mut self,
        record: Reg,
        shape: u16,
        field: usize,
        ty: &Type,
        wanted: Wanted,
    ) -> Result<Val> {
        let get = |cell| Op::GetField(cell, record, field as Reg, shape);
        self.emit_unboxed(self.mark(), wanted, ty, get)
    }

    /// The value as one of another type.
    pub(super) fn cast_to(
        &mut self,
        value: Val,
        ty: &Type,
        mark: [u16; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        match (&value.ty, ty) {
            (from, to) if from == to => Ok(value),
            (Type::Float, Type::Int) => {
                self.done(mark, Type::Int, wanted, |reg| Op::IntOf(reg, value.reg))
            }
            (Type::Int, Type::Float) | (_, Type::Any) => self.fit(value, ty, wanted),
            _ => {
                let cell = self.as_cell(value)?;
                let index = self.type_index(ty)?;
                self.emit_unboxed(mark, wanted, ty, |reg| Op::Cast(reg, cell, index))
            }
        }
    }

    pub(super) fn list_of_any() -> Type {
        Type::list(Type::Any)
    }
}
