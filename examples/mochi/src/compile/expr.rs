//! Expressions.

use std::rc::Rc;

use super::{ANY, Compiler, Dest, GROUP, Mark, Val, intern};
use crate::builtins::Builtin;
use crate::bytecode::{ArithOp, Op, Reg};
use crate::errors::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Record, Type};

/// Elements of a literal, or parts of a text, that are computed before they are put together.
const CHUNK: usize = 32;

type ThreeRegs = fn(Reg, Reg, Reg) -> Op;

/// A struct or a variant, and values of its fields with the numbers of these.
type FieldInits<'e> = (Rc<Record>, Vec<(usize, &'e Expr)>);

/// What is left to do in a chain of calculations: the operator, its right side and its place.
type Step<'e> = (ArithOp, &'e Expr, Pos);

/// An instruction with a small constant.
type RegImm = fn(Reg, Reg, i16) -> Op;

/// The calculations in the order of [`ArithOp`]: of integers, of floats, with a constant.
const ARITHMETIC: [(char, ThreeRegs, ThreeRegs, RegImm); 5] = [
    ('+', Op::AddI, Op::AddF, Op::AddIK),
    ('-', Op::SubI, Op::SubF, |d, a, k| Op::AddIK(d, a, -k)),
    ('*', Op::MulI, Op::MulF, Op::MulIK),
    ('/', Op::DivI, Op::DivF, Op::DivIK),
    ('%', Op::ModI, Op::ModF, Op::ModIK),
];

/// The one of four instructions that is for elements of this type.
pub(super) fn op_for_element<T>(element: &Type, [int, float, truth, cell]: [T; 4]) -> T {
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
        let dest = Dest { reg: to, ..self.dest(expected) };
        let mut value = self.with_pos(expr.pos, |compiler| compiler.expr_kind(expr, dest))?;
        let bank = value.ty.bank();
        if let Some(reg) = dest.reg_in(bank) {
            self.move_to(bank, reg, value.reg);
            value.reg = reg;
        }
        // All registers taken since are given back, save that of the value.
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
                    let k = intern(self.pos, &mut self.env.program.numbers, *value)?;
                    self.emit_result(dest, Type::Int, |reg| Op::ConstI(reg, k))
                }
            },
            ExprKind::Float(value) => {
                let bits = value.to_bits() as i64;
                let k = intern(self.pos, &mut self.env.program.numbers, bits)?;
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
            ExprKind::Slice(base, parts) => {
                self.slice(base, parts.each_ref().map(Option::as_deref), dest)
            }
            ExprKind::Field(base, name) => self.field(base, name, dest),
            ExprKind::Cast(inner, ty) => {
                let ty = self.resolve_type(ty)?;
                let value = self.expr(inner, &ty, None)?;
                self.cast_to(value, &ty, dest)
            }
            ExprKind::Match(choice) => self.match_expr(choice, dest),
            ExprKind::Block(body) => {
                self.block(body)?;
                self.emit_result(dest, Type::Null, Op::LoadNull)
            }
            ExprKind::Fun(fun) => self.closure(fun, dest),
            ExprKind::Query(query) => self.query(query, dest),
        }
    }

    // Where values and errors belong.

    pub(super) fn type_error<T>(&self, ty: &Type, why: &str) -> Result<T> {
        error_at(self.pos, format!("{ty} {why}"))
    }

    pub(super) fn ascribe(&mut self, value: Val, ty: &Type, to: Option<Reg>) -> Result<Val> {
        Ok(Val { ty: ty.clone(), ..self.coerce(value, ty, to)? })
    }

    /// Puts a value computed since the mark into the first register that was free then. Arguments
    /// and elements come to stand in a row that way.
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

    pub(super) fn expr_to_next(&mut self, bank: Bank, expr: &Expr, ty: &Type) -> Result<Reg> {
        let mark = self.mark();
        let value = self.expr_as(expr, ty, None)?;
        self.move_to_mark(mark, bank, value)
    }

    /// The value as one of this type, in a given register or in any of the bank of the type.
    pub(super) fn expr_as(&mut self, expr: &Expr, ty: &Type, to: Option<Reg>) -> Result<Val> {
        let value = self.expr(expr, ty, to)?;
        self.with_pos(expr.pos, |compiler| compiler.coerce(value, ty, to))
    }

    /// The register of a value of this type, as a cell where one is asked for.
    pub(super) fn operand(&mut self, bank: Bank, expr: &Expr, ty: &Type) -> Result<Reg> {
        let value = self.expr_as(expr, ty, None)?;
        if bank == Bank::C { self.to_cell(value) } else { Ok(value.reg) }
    }

    pub(super) fn to_cell(&mut self, value: Val) -> Result<Reg> {
        Ok(self.coerce(value, ANY, None)?.reg)
    }

    /// A value that is only looked at: a list stays its variable's own.
    pub(super) fn expr_borrowed(&mut self, expr: &Expr, expected: &Type) -> Result<Val> {
        match &expr.kind {
            ExprKind::Name(name) => {
                let dest = self.dest(expected);
                self.with_pos(expr.pos, |compiler| compiler.load_name(name, dest, false))
            }
            _ => self.expr(expr, expected, None),
        }
    }

    /// A cell where a key that is missing gives null.
    pub(super) fn expr_or_null(&mut self, expr: &Expr) -> Result<Reg> {
        let dest = self.dest(ANY);
        let value = match &expr.kind {
            ExprKind::Index(base, index) => {
                self.with_pos(expr.pos, |compiler| compiler.index(base, index, dest, true))?
            }
            _ => self.expr_borrowed(expr, ANY)?,
        };
        self.to_cell(value)
    }

    /// Whether the value of an expression is a list that was just made.
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

    // Literals.

    /// What a variable without a value holds, and a field that is left out.
    pub(super) fn default_value(&mut self, ty: &Type) -> Result<Val> {
        let kind = match ty {
            Type::Int => ExprKind::Int(0),
            Type::Float => ExprKind::Float(0.0),
            Type::Bool => ExprKind::Bool(false),
            Type::String => ExprKind::String(String::new()),
            Type::List(_) => ExprKind::List(Vec::new()),
            Type::Map(..) => ExprKind::Map(Vec::new()),
            _ => ExprKind::Null,
        };
        let value = self.expr(&Expr { pos: self.pos, kind }, ty, None)?;
        self.ascribe(value, ty, None)
    }

    /// The type of all elements: the declared one, or what they have in common.
    fn element_type(&mut self, declared: Option<&Type>, items: &[&Expr]) -> Result<Type> {
        if let Some(declared) = declared {
            return Ok(declared.clone());
        }
        let types = items.iter().map(|item| self.infer(item, ANY)).collect::<Result<Vec<_>>>()?;
        let common = types.into_iter().reduce(|a, b| a.join(&b));
        Ok(common.filter(|ty| *ty != Type::Null).unwrap_or(Type::Any))
    }

    fn list(&mut self, items: &[Expr], dest: Dest) -> Result<Val> {
        let declared = match dest.expected {
            Type::List(element) => Some(&**element),
            _ => None,
        };
        let element = self.element_type(declared, &items.iter().collect::<Vec<_>>())?;
        let bank = element.element_bank();
        let (first, rest) = items.split_at(items.len().min(CHUNK));
        // The wanted register may be a variable that the later elements read.
        let list = dest.reg_in(Bank::C).filter(|_| rest.is_empty());
        let list = list.map_or_else(|| self.alloc_reg(Bank::C), Ok)?;
        let inner = self.mark();
        for item in first {
            self.expr_to_next(bank, item, &element)?;
        }
        let from = inner[bank as usize] as Reg;
        self.emit(new_list(bank, list, from, first.len()));
        for item in rest {
            self.release(inner);
            let reg = self.expr_to_next(Bank::C, item, &element)?;
            self.emit(Op::Push(list, reg));
        }
        Ok(Val { ty: Type::list(element), reg: list })
    }

    fn map(&mut self, items: &[(Expr, Expr)], dest: Dest) -> Result<Val> {
        let (key, value) = match dest.expected {
            Type::Map(key, value) => (Some(&**key), Some(&**value)),
            _ => (None, None),
        };
        let (keys, values): (Vec<_>, Vec<_>) = items.iter().map(|(k, v)| (k, v)).unzip();
        let (key, value) = (self.element_type(key, &keys)?, self.element_type(value, &values)?);
        let map = self.alloc_reg(Bank::C)?;
        self.emit(Op::NewMap(map));
        let inner = self.mark();
        for (k, v) in items {
            let k = self.operand(Bank::C, k, &key)?;
            let v = self.operand(Bank::C, v, &value)?;
            self.emit(Op::SetKey(map, k, v));
            self.release(inner);
        }
        Ok(Val { ty: Type::map(key, value), reg: map })
    }

    /// A struct or a variant by the names of its fields.
    fn record(&mut self, name: &str, fields: &[(String, Expr)], dest: Dest) -> Result<Val> {
        let (record, given) = self.fields_of(name, fields)?;
        let value = |n| given.iter().rev().find(|it| it.0 == n).map(|it| it.1);
        let values: Vec<_> = (0..self.shape(record.shape).fields.len()).map(value).collect();
        self.construct(record, &values, dest)
    }

    /// The shape of a struct or a variant, and the numbers of fields that are named.
    pub(super) fn fields_of<'e>(
        &self,
        name: &str,
        of: &'e [(String, Expr)],
    ) -> Result<FieldInits<'e>> {
        let Some(record) = self.env.records.get(name).cloned() else {
            return error_at(self.pos, format!("there is no struct `{name}`"));
        };
        let number =
            |(field, value): &'e (String, Expr)| match self.shape(record.shape).field(field) {
                Some(n) => Ok((n, value)),
                None => error_at(value.pos, format!("{name} has no field `{field}`")),
            };
        let numbers = of.iter().map(number).collect::<Result<_>>()?;
        Ok((record, numbers))
    }

    pub(super) fn construct(
        &mut self,
        record: Rc<Record>,
        values: &[Option<&Expr>],
        dest: Dest,
    ) -> Result<Val> {
        let (shape, fields) = (record.shape, self.shape(record.shape).fields.clone());
        let first = self.mark()[2] as Reg;
        for (value, (_, ty)) in values.iter().zip(&fields) {
            let mark = self.mark();
            let value = match value {
                Some(value) => self.expr_as(value, ty, None)?,
                None => self.default_value(ty)?,
            };
            self.move_to_mark(mark, Bank::C, value)?;
        }
        let count = fields.len() as Reg;
        self.emit_result(dest, Type::Struct(record), |reg| Op::NewStruct(reg, first, count, shape))
    }

    // Operators.

    fn binary(
        &mut self,
        op: BinaryOp,
        whole: &Expr,
        a: &Expr,
        b: &Expr,
        dest: Dest,
    ) -> Result<Val> {
        let lists = match op {
            BinaryOp::Arith(op) if (op as usize) < ARITHMETIC.len() => {
                return self.chain(whole, dest);
            }
            BinaryOp::Arith(op) => op,
            BinaryOp::In => {
                let item = self.operand(Bank::C, a, ANY)?;
                let all = self.expr_borrowed(b, ANY)?;
                if all.ty.bank() != Bank::C {
                    return self.type_error(&all.ty, "has no elements");
                }
                return self.emit_result(dest, Type::Bool, |reg| Op::In(reg, item, all.reg));
            }
            BinaryOp::Coalesce => {
                let (first, other) = (self.infer(a, dest.expected)?, self.infer(b, dest.expected)?);
                let ty = if first.bank() == Bank::C { first.join(&other) } else { first };
                let ty = if ty == Type::Any { other } else { ty };
                let reg = self.alloc_reg(Bank::C)?;
                let first = self.expr_or_null(a)?;
                self.move_to(Bank::C, reg, first);
                let skip = self.emit(Op::JNotNull(reg, 0));
                self.expr_as(b, ANY, Some(reg))?;
                self.patch_here([skip]);
                return self.ascribe(Val::cell(reg), &ty, dest.reg_in(ty.bank()));
            }
            _ => return self.condition_value(whole),
        };
        let (left, right) =
            (self.expr_borrowed(a, dest.expected)?, self.expr_borrowed(b, dest.expected)?);
        for ty in [&left.ty, &right.ty] {
            if !matches!(ty, Type::List(_) | Type::Any | Type::Null | Type::Group(_)) {
                return self.type_error(ty, "is no list");
            }
        }
        let ty = match left.ty.join(&right.ty) {
            ty @ Type::List(_) => ty,
            _ => Type::list(Type::Any),
        };
        self.emit_result(dest, ty, |reg| Op::Arith(lists, reg, left.reg, right.reg))
    }

    /// A chain of calculations like `a + b - c`, from the left. All that is added to a text is put
    /// together by one instruction.
    fn chain(&mut self, whole: &Expr, dest: Dest) -> Result<Val> {
        let (mut steps, mut rest): (Vec<Step<'_>>, _) = (Vec::new(), whole);
        while let ExprKind::Binary(BinaryOp::Arith(op), a, b) = &rest.kind
            && (*op as usize) < ARITHMETIC.len()
        {
            steps.push((*op, &**b, rest.pos));
            rest = a;
        }
        let mut total = self.string_operand(rest, ANY)?;
        while let Some((op, part, at)) = steps.pop() {
            if op == ArithOp::Add && total.ty == Type::String {
                steps.push((op, part, at));
                total = self.concat(total, &mut steps, dest)?;
                continue;
            }
            // Only the last result lands where it is wanted: that may be a variable of the chain.
            let dest = Dest { reg: dest.reg.filter(|_| steps.is_empty()), ..dest };
            total = self.with_pos(at, |compiler| compiler.step(op, total, part, dest))?;
        }
        Ok(total)
    }

    /// One calculation; its left side was computed since the mark.
    fn step(&mut self, op: ArithOp, left: Val, part: &Expr, dest: Dest) -> Result<Val> {
        let (sign, ints, floats, short) = ARITHMETIC[op as usize];
        let least = if matches!(op, ArithOp::Div | ArithOp::Mod) { 1 } else { -i16::MAX };
        if left.ty == Type::Int
            && let ExprKind::Int(value) = part.kind
            && let Some(k) = i16::try_from(value).ok().filter(|k| *k >= least)
        {
            return self.emit_result(dest, Type::Int, |reg| short(reg, left.reg, k));
        }
        // A literal beside a float is one.
        let hint = if left.ty == Type::Float { &left.ty } else { ANY };
        let right = self.expr_borrowed(part, hint)?;
        // `-x` is `x * -1`, and both signs have one place.
        let sign = if part.pos == self.pos { '-' } else { sign };
        let number = |ty: &Type| matches!(ty, Type::Int | Type::Float | Type::BigInt | Type::Any);
        let (l, r, sum) = (&left.ty, &right.ty, op == ArithOp::Add);
        let ty = match (l, r) {
            (Type::Null, _) | (_, Type::Null) => Type::Any,
            (Type::Int, Type::Int) => Type::Int,
            (Type::Float, other) | (other, Type::Float) if number(other) => Type::Float,
            (Type::BigInt, Type::BigInt | Type::Int) | (Type::Int, Type::BigInt) => Type::BigInt,
            (Type::Any, other) | (other, Type::Any) if number(other) => Type::Any,
            (Type::Any, Type::List(_) | Type::String) if sum => Type::Any,
            (Type::List(_) | Type::String, Type::Any) if sum => Type::Any,
            (Type::List(_), Type::List(_)) | (Type::String, Type::String) if sum => l.join(r),
            _ => return error_at(self.pos, format!("type mismatch: {sign} of {l} and {r}")),
        };
        let bank = ty.bank();
        let operand = if bank == Bank::C { ANY } else { &ty };
        let a = self.coerce(left, operand, None)?.reg;
        let b = self.coerce(right, operand, None)?.reg;
        self.emit_result(dest, ty, |reg| match bank {
            Bank::I => ints(reg, a, b),
            Bank::F => floats(reg, a, b),
            Bank::C => Op::Arith(op, reg, a, b),
        })
    }

    /// Adds to a text what the next steps add.
    fn concat(&mut self, first: Val, steps: &mut Vec<Step<'_>>, dest: Dest) -> Result<Val> {
        let base = self.move_to_mark(dest.mark, Bank::C, first)?;
        let start = self.mark();
        let mut count = 1;
        while let Some((_, part, pos)) = steps.pop_if(|step| step.0 == ArithOp::Add) {
            if count == CHUNK {
                self.emit(Op::Concat(base, base, CHUNK as Reg));
                self.release(start);
                count = 1;
            }
            let inner = self.mark();
            let value = self.string_operand(part, &Type::String)?;
            let certain = value.ty == Type::String;
            if !certain && !matches!(value.ty, Type::Any | Type::Null) {
                return error_at(pos, format!("type mismatch: + of string and {}", value.ty));
            }
            let reg = self.move_to_mark(inner, Bank::C, value)?;
            if !certain {
                self.emit(Op::Builtin(Builtin::CheckString, reg, reg, 1));
            }
            count += 1;
        }
        self.emit_result(dest, Type::String, |reg| Op::Concat(reg, base, count as Reg))
    }

    /// A part of a text that is put together: integers need not become text first.
    fn string_operand(&mut self, part: &Expr, expected: &Type) -> Result<Val> {
        if let Some((name @ "str", [arg])) = part.named_call()
            && self.builtin(name).is_some()
        {
            let dest = self.dest(ANY);
            let inner = self.expr_borrowed(arg, ANY)?;
            let whole = matches!(inner.ty, Type::Int | Type::BigInt | Type::String);
            let reg = self.to_cell(inner)?;
            if whole {
                return Ok(Val { ty: Type::String, reg });
            }
            return self
                .emit_result(dest, Type::String, |to| Op::Builtin(Builtin::Str, to, reg, 1));
        }
        self.expr_borrowed(part, expected)
    }

    // Elements and fields.

    /// An element of a list, a map or a text; if it is `safe`, null where there is none.
    fn index(&mut self, base: &Expr, index: &Expr, dest: Dest, safe: bool) -> Result<Val> {
        let base = self.expr_borrowed(base, ANY)?;
        let any = (Type::Any, Type::Any);
        let (key, ty) = if safe { any } else { self.element_types(&base.ty)? };
        let get = match &base.ty {
            _ if safe => Op::GetKeyOrNull,
            Type::String => Op::GetC,
            Type::List(_) => op_for_element(&ty, [Op::GetI, Op::GetF, Op::GetB, Op::GetC]),
            _ => Op::GetKey,
        };
        if !safe && matches!(base.ty, Type::List(_) | Type::String) {
            let index = self.expr_as(index, &key, None)?.reg;
            return self.emit_result(dest, ty, |reg| get(reg, base.reg, index));
        }
        let key = self.operand(Bank::C, index, &key)?;
        let base = self.to_cell(base)?;
        self.emit_unboxed(dest, &ty, |cell| get(cell, base, key))
    }

    pub(super) fn element_types(&self, base: &Type) -> Result<(Type, Type)> {
        base.index_types().map_or_else(|| self.type_error(base, "has no elements"), Ok)
    }

    pub(super) fn slice(
        &mut self,
        base: &Expr,
        parts: [Option<&Expr>; 3],
        dest: Dest,
    ) -> Result<Val> {
        let base = self.expr_borrowed(base, ANY)?;
        let ty = match base.ty {
            Type::List(_) | Type::String | Type::Bytes => base.ty,
            Type::Any | Type::Null => Type::Any,
            ty => return self.type_error(&ty, "cannot be sliced"),
        };
        if let (Type::String, [Some(start), Some(end), None]) = (&ty, parts) {
            let first = self.expr_to_next(Bank::I, start, &Type::Int)?;
            self.expr_to_next(Bank::I, end, &Type::Int)?;
            return self.emit_result(dest, ty, |reg| Op::Substring(reg, base.reg, first));
        }
        let first = self.mark()[2] as Reg;
        for part in parts {
            self.expr_or_null_to_next(part, &Type::Int)?;
        }
        self.emit_result(dest, ty, |reg| Op::Slice(reg, base.reg, first))
    }

    fn field(&mut self, base: &Expr, name: &str, dest: Dest) -> Result<Val> {
        if let Type::Struct(record) = self.infer(base, ANY)?
            && self.field_named(record.shape, name).is_none()
            && let Some(method) = self.method(&record, name)
        {
            return self.partial(&method, &[base]);
        }
        let base = self.expr_borrowed(base, ANY)?;
        let (field, ty) = self.field_of(&base.ty, name)?;
        let Some((shape, n)) = field else {
            let name = self.constant(name)?;
            return self.emit_unboxed(dest, &ty, |cell| Op::GetNamed(cell, base.reg, name));
        };
        self.emit_unboxed(dest, &ty, |cell| Op::GetField(cell, base.reg, n as Reg, shape))
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
            Type::Map(key, ty) if matches!(**key, Type::String | Type::Any) => {
                Some((None, (**ty).clone()))
            }
            Type::Any | Type::Null | Type::Map(..) | Type::Union(_) => Some((None, Type::Any)),
            _ => None,
        };
        found.map_or_else(|| self.type_error(base, &format!("has no field `{name}`")), Ok)
    }

    pub(super) fn cast_to(&mut self, value: Val, ty: &Type, dest: Dest) -> Result<Val> {
        match (&value.ty, ty) {
            (from, to) if from == to => Ok(value),
            (Type::Float, Type::Int) => {
                self.emit_result(dest, Type::Int, |reg| Op::FToI(reg, value.reg))
            }
            (Type::Int, Type::Float) | (_, Type::Any) => {
                self.ascribe(value, ty, dest.reg_in(ty.bank()))
            }
            _ => {
                let cell = self.to_cell(value)?;
                let index = intern(self.pos, &mut self.env.program.types, ty.clone())?;
                self.emit_unboxed(dest, ty, |reg| Op::Cast(reg, cell, index))
            }
        }
    }
}
