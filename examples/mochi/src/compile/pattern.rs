//! Patterns of `match`.

use std::rc::Rc;

use super::{ANY, Compiler, Val};
use crate::bytecode::{Op, Reg};
use crate::diagnostics::Result;
use crate::syntax::ast::*;
use crate::types::{Bank, Record, Type};

/// The struct or variant that a pattern matches, if any, and the patterns of its fields, with their
/// numbers.
type StructPattern<'e> = (Option<Rc<Record>>, Vec<(usize, &'e Expr)>);

impl Compiler<'_> {
    /// Tests a value against a pattern and binds the variables of the pattern. Returns the jumps that
    /// are taken if it does not match. A field of a struct is `nested`: its register is not shared.
    pub(super) fn pattern(
        &mut self,
        pattern: &Expr,
        target: &Val,
        nested: bool,
    ) -> Result<Vec<usize>> {
        let (record, fields) = self.struct_pattern(pattern)?;
        let Some(record) = record else { return self.name_or_value(pattern, target, nested) };
        let shape = record.shape;
        if target.ty.bank() != Bank::C {
            // A number is not a struct: this is a type error.
            self.coerce(target.clone(), &Type::Struct(record), None)?;
        }
        let reg = self.alloc_reg(Bank::I)?;
        self.emit(Op::IsShape(reg, target.reg, shape));
        let mut fails = vec![self.jump_on(reg, false)];
        for (n, field) in fields {
            if field.name() != Some("_") {
                let ty = self.shape(shape).fields[n].1.clone();
                let get = |cell| Op::GetField(cell, target.reg, n as Reg, shape);
                let value = self.emit_unboxed(self.dest(ANY), &ty, get)?;
                fails.extend(self.pattern(field, &value, true)?);
            }
        }
        Ok(fails)
    }

    /// Resolves the struct or variant that a pattern names, and its field patterns.
    fn struct_pattern<'e>(&mut self, pattern: &'e Expr) -> Result<StructPattern<'e>> {
        let named = |name: &str| self.env.records.get(name).cloned();
        if let Some((name, args)) = pattern.named_call()
            && let Some(record) = named(name)
        {
            self.with_pos(pattern.pos, |it| it.check_fields(&record, args.len()))?;
            return Ok((Some(record), args.iter().enumerate().collect()));
        }
        if let ExprKind::Struct(name, fields) = &pattern.kind {
            let (record, fields) = self.with_pos(pattern.pos, |it| it.fields_of(name, fields))?;
            return Ok((Some(record), fields));
        }
        Ok((pattern.name().and_then(named), Vec::new()))
    }

    /// A pattern that is no struct: `_`, a new variable, or a value to compare with.
    fn name_or_value(&mut self, pattern: &Expr, target: &Val, nested: bool) -> Result<Vec<usize>> {
        match pattern.name() {
            Some("_") => Ok(Vec::new()),
            Some(name) if nested || self.resolve(name).is_none_or(|it| it.is_function()) => {
                let mut value = target.clone();
                if !nested {
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
        }
    }
}
