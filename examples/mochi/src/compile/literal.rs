//! Literals of lists, maps and structs.

use std::rc::Rc;

use super::{ANY, Compiler, Dest, Val};
use crate::bytecode::{Idx, Op, Reg};
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Record, Type};

/// Elements of a list literal that are computed before the list is allocated. The rest is pushed.
const CHUNK: usize = 32;

/// A struct or a variant, and the initializers of its fields, with their numbers.
type FieldInits<'e> = (Rc<Record>, Vec<(usize, &'e Expr)>);

/// The instruction that creates a list, or an array of numbers, from registers of a bank.
pub(super) fn new_list(bank: Bank, list: Reg, from: Reg, count: usize) -> Op {
    [Op::NewI, Op::NewF, Op::NewList][bank as usize](list, from, count as Reg)
}

impl Compiler<'_> {
    /// The value of a variable or a field without an initializer.
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

    /// An integer literal beyond 64 bits.
    pub(super) fn big_literal(&mut self, digits: &str, dest: Dest) -> Result<Val> {
        match dest.expected {
            Type::BigInt => {
                let (k, ty) = (self.constant(digits)?, Type::BigInt);
                let index = self.type_index(&ty)?;
                let text = self.emit_result(dest, ty, |reg| Op::ConstC(reg, k))?;
                self.emit(Op::Cast(text.reg, text.reg, index));
                Ok(text)
            }
            Type::Float => {
                let value = ExprKind::Float(digits.parse().unwrap_or(f64::INFINITY));
                self.expr(&Expr { pos: self.pos, kind: value }, dest.expected, dest.reg)
            }
            _ => error_at(self.pos, "integer literal does not fit in 64 bits"),
        }
    }

    /// The element type of a literal: the expected one, or the join of the types of its elements.
    fn element_type(&mut self, expected: Option<&Type>, items: &[&Expr]) -> Result<Type> {
        if let Some(expected) = expected {
            return Ok(expected.clone());
        }
        let types = items.iter().map(|item| self.infer(item, ANY)).collect::<Result<Vec<_>>>()?;
        let common = types.into_iter().reduce(|a, b| a.join(&b));
        Ok(common.filter(|ty| *ty != Type::Null).unwrap_or(Type::Any))
    }

    pub(super) fn list(&mut self, items: &[Expr], dest: Dest) -> Result<Val> {
        let expected = match dest.expected {
            Type::List(element) => Some(&**element),
            _ => None,
        };
        let element = self.element_type(expected, &items.iter().collect::<Vec<_>>())?;
        let bank = element.element_bank();
        let (first, rest) = items.split_at(items.len().min(CHUNK));
        // The wanted register may be a variable that later elements read.
        let list = dest.reg_in(Bank::C).filter(|_| rest.is_empty());
        let list = list.map_or_else(|| self.alloc_reg(Bank::C), Ok)?;
        let inner = self.mark();
        for item in first {
            self.expr_to_next(bank, item, &element)?;
        }
        let from = inner[bank as usize] as Reg;
        self.emit(new_list(bank, list, from, first.len()));
        if !rest.is_empty() {
            self.emit(Op::Reserve(list, Idx::try_from(rest.len()).unwrap_or(Idx::MAX)));
        }
        for item in rest {
            self.release(inner);
            let reg = self.expr_to_next(Bank::C, item, &element)?;
            self.emit(Op::Push(list, reg));
        }
        Ok(Val { ty: Type::list(element), reg: list })
    }

    pub(super) fn map(&mut self, items: &[(Expr, Expr)], dest: Dest) -> Result<Val> {
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

    /// A struct literal.
    pub(super) fn record(
        &mut self,
        name: &str,
        fields: &[(String, Expr)],
        dest: Dest,
    ) -> Result<Val> {
        let (record, given) = self.fields_of(name, fields)?;
        let value = |n| given.iter().rev().find(|it| it.0 == n).map(|it| it.1);
        let values: Vec<_> = (0..self.shape(record.shape).fields.len()).map(value).collect();
        self.construct(record, &values, dest)
    }

    /// Resolves the fields of a struct literal or pattern.
    pub(super) fn fields_of<'e>(
        &self,
        name: &str,
        of: &'e [(String, Expr)],
    ) -> Result<FieldInits<'e>> {
        let Some(record) = self.env.records.get(name).cloned() else {
            return error_at(self.pos, format!("undefined struct `{name}`"));
        };
        let number =
            |(field, value): &'e (String, Expr)| match self.shape(record.shape).field(field) {
                Some(n) => Ok((n, value)),
                None => error_at(value.pos, format!("no field `{field}` on type `{name}`")),
            };
        let numbers = of.iter().map(number).collect::<Result<_>>()?;
        Ok((record, numbers))
    }

    /// Compiles a value for a field. It may be null whatever the type of the field, which is checked
    /// where the field is read.
    pub(super) fn field_value(
        &mut self,
        value: &Expr,
        (shape, n): (u16, usize),
        ty: &Type,
    ) -> Result<Val> {
        let optional = self.shape(shape).optional.get(n).is_some_and(|it| *it);
        let ty = if self.is_null(value) { ANY } else { ty };
        self.expr_for(value, ty, optional, None)
    }

    /// Creates a struct from initializers of all its fields.
    pub(super) fn construct(
        &mut self,
        record: Rc<Record>,
        values: &[Option<&Expr>],
        dest: Dest,
    ) -> Result<Val> {
        let (shape, fields) = (record.shape, self.shape(record.shape).fields.clone());
        let first = self.mark()[2] as Reg;
        for (n, (value, (_, ty))) in values.iter().zip(&fields).enumerate() {
            let mark = self.mark();
            let value = match value {
                Some(value) => self.field_value(value, (shape, n), ty)?,
                None => self.default_value(ty)?,
            };
            self.move_to_mark(mark, Bank::C, value)?;
        }
        let count = fields.len() as Reg;
        self.emit_result(dest, Type::Struct(record), |reg| Op::NewStruct(reg, first, count, shape))
    }
}
