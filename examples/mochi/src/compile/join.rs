//! Joins by hash.
//!
//! An inner join `join c in cs on o.key == c.id` loops, for each row so far, over the elements of `cs`
//! with the same key only, which are found in an index: a map from keys to lists. The index is made
//! when the first row needs it. Its keys tell apart less than `==` does, and the condition is tested
//! for each element that is found, so that the rows, and their order, are those of nested loops. What
//! the rest of the query does to the list meanwhile is not seen.

use super::{ANY, BodyFn, Compiler, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::diagnostics::Result;
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// The name at the beginning of `a.b.c`; `None` for any other expression.
fn root(mut expr: &Expr) -> Option<&str> {
    while let ExprKind::Field(base, _) = &expr.kind {
        expr = base;
    }
    expr.name()
}

/// The key of the rows so far, and that of the elements of the source, if its condition compares
/// such keys and its list is a variable.
fn keys(source: &Source) -> Option<(&Expr, &Expr)> {
    source.list.name()?;
    let ExprKind::Binary(BinaryOp::Eq, a, b) = &source.on.as_ref()?.kind else { return None };
    match (root(a)? == source.name, root(b)? == source.name) {
        (false, true) => Some((a, b)),
        (true, false) => Some((b, a)),
        _ => None,
    }
}

impl<'w> Compiler<'w> {
    /// Emits nested loops over the sources of inner joins.
    pub(super) fn inner_joins(&mut self, sources: &[Source], body: BodyFn<'_, 'w>) -> Result<()> {
        let mut indices = Vec::new();
        for (n, source) in sources.iter().enumerate() {
            // The list of a later source may depend on an earlier one.
            let is_row = sources[..n].iter().any(|it| Some(it.name.as_str()) == source.list.name());
            indices.push(match keys(source).filter(|_| n > 0 && !is_row) {
                Some(_) => {
                    let index = self.alloc_reg(Bank::C)?;
                    self.emit(Op::LoadNull(index));
                    Some(index)
                }
                None => None,
            });
        }
        self.nested(sources, &indices, body)
    }

    fn nested(
        &mut self,
        sources: &[Source],
        indices: &[Option<Reg>],
        body: BodyFn<'_, 'w>,
    ) -> Result<()> {
        let ([source, sources @ ..], [index, indices @ ..]) = (sources, indices) else {
            return body(self);
        };
        let mut rest = |compiler: &mut Compiler<'w>| {
            compiler.if_condition(source.on.as_ref(), &mut |it| it.nested(sources, indices, body))
        };
        match (index, keys(source)) {
            (Some(index), Some(keys)) => self.join_by_hash(source, keys, *index, &mut rest),
            _ => self.for_each(&source.name, &source.list, &mut rest),
        }
    }

    /// Emits a loop over the elements of a source that may have the key of the row.
    fn join_by_hash(
        &mut self,
        source: &Source,
        (outer, inner): (&Expr, &Expr),
        index: Reg,
        body: BodyFn<'_, 'w>,
    ) -> Result<()> {
        let element = self.infer(&source.list, ANY)?.iter_type().unwrap_or(Type::Any);
        let made = self.emit(Op::JNotNull(index, 0));
        self.emit(Op::NewMap(index));
        self.for_each(&source.name, &source.list, &mut |compiler| {
            let mark = compiler.mark();
            let base = compiler.alloc_reg(Bank::C)?;
            compiler.move_to(Bank::C, base, index);
            compiler.expr_to_next(Bank::C, inner, ANY)?;
            let item = Expr { pos: compiler.pos, kind: ExprKind::Name(source.name.clone()) };
            compiler.expr_or_null_to_next(Some(&item), ANY)?;
            compiler.emit(Op::Builtin(Builtin::IndexAdd, base, base, 3));
            compiler.release(mark);
            Ok(())
        })?;
        self.patch_here([made]);
        let base = self.alloc_reg(Bank::C)?;
        self.move_to(Bank::C, base, index);
        self.expr_to_next(Bank::C, outer, ANY)?;
        self.emit(Op::Builtin(Builtin::IndexGet, base, base, 2));
        let found = Val { ty: Type::list(element), reg: base };
        self.loop_over(&source.name, found, body)
    }
}
