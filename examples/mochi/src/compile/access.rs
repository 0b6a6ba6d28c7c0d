//! Elements, slices, fields and casts.

use super::{ANY, Compiler, Dest, GROUP, Val};
use crate::bytecode::{Op, Reg};
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// One of four instructions, by the element type of a list.
pub(super) fn op_for_element<T>(element: &Type, [int, float, boolean, cell]: [T; 4]) -> T {
    match element {
        Type::Int => int,
        Type::Float => float,
        Type::Bool => boolean,
        _ => cell,
    }
}

impl Compiler<'_> {
    /// Compiles an index expression. If `or_null` is set, a missing element yields null.
    pub(super) fn index(
        &mut self,
        base: &Expr,
        index: &Expr,
        dest: Dest,
        or_null: bool,
    ) -> Result<Val> {
        let base = self.expr_borrowed(base, ANY)?;
        let any = (Type::Any, Type::Any);
        let (key, ty) = if or_null { any } else { self.element_types(&base.ty)? };
        let get = match &base.ty {
            _ if or_null => Op::GetKeyOrNull,
            Type::String => Op::GetC,
            Type::List(_) => op_for_element(&ty, [Op::GetI, Op::GetF, Op::GetB, Op::GetC]),
            _ => Op::GetKey,
        };
        if !or_null && matches!(base.ty, Type::List(_) | Type::String) {
            let index = self.expr_as(index, &key, None)?.reg;
            return self.emit_result(dest, ty, |reg| get(reg, base.reg, index));
        }
        let key = self.operand(Bank::C, index, &key)?;
        let base = self.box_value(base)?;
        self.emit_unboxed(dest, &ty, |cell| get(cell, base, key))
    }

    /// The key and element types of a container.
    pub(super) fn element_types(&self, base: &Type) -> Result<(Type, Type)> {
        let error = || error_at(self.pos, format!("cannot index into a value of type `{base}`"));
        base.index_types().map_or_else(error, Ok)
    }

    pub(super) fn slice(
        &mut self,
        base: &Expr,
        bounds: [Option<&Expr>; 3],
        dest: Dest,
    ) -> Result<Val> {
        let base = self.expr_borrowed(base, ANY)?;
        let ty = match base.ty {
            Type::List(_) | Type::String | Type::Bytes => base.ty,
            Type::Any | Type::Null => Type::Any,
            ty => {
                return error_at(self.pos, format!("cannot slice a value of type `{ty}`"));
            }
        };
        if let (Type::String, [Some(start), Some(end), None]) = (&ty, bounds) {
            let first = self.expr_to_next(Bank::I, start, &Type::Int)?;
            self.expr_to_next(Bank::I, end, &Type::Int)?;
            return self.emit_result(dest, ty, |reg| Op::Substring(reg, base.reg, first));
        }
        let first = self.mark()[2] as Reg;
        for bound in bounds {
            self.expr_or_null_to_next(bound, &Type::Int)?;
        }
        self.emit_result(dest, ty, |reg| Op::Slice(reg, base.reg, first))
    }

    /// Compiles a field. If `boxed` is set, the value is a cell, and may be null whatever the type of
    /// the field.
    pub(super) fn field(
        &mut self,
        base: &Expr,
        name: &str,
        dest: Dest,
        boxed: bool,
    ) -> Result<Val> {
        if let Type::Struct(record) = self.infer(base, ANY)?
            && self.field_named(record.shape, name).is_none()
            && let Some(method) = self.method(&record, name)
        {
            return self.partial(&method, &[base]);
        }
        let base = self.expr_borrowed(base, ANY)?;
        let (field, ty) = self.field_of(&base.ty, name)?;
        let ty = if boxed { Type::Any } else { ty };
        let Some((shape, n)) = field else {
            let name = self.constant(name)?;
            return self.emit_unboxed(dest, &ty, |cell| Op::GetNamed(cell, base.reg, name));
        };
        self.emit_unboxed(dest, &ty, |cell| Op::GetField(cell, base.reg, n as Reg, shape))
    }

    /// Resolves a field of a type: its shape and number, unless it is looked up by name at run time,
    /// and its type.
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
        let error = || error_at(self.pos, format!("no field `{name}` on type `{base}`"));
        found.map_or_else(error, Ok)
    }

    /// Compiles a cast.
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
                let cell = self.box_value(value)?;
                let index = self.type_index(ty)?;
                self.emit_unboxed(dest, ty, |reg| Op::Cast(reg, cell, index))
            }
        }
    }
}
