//! Queries become loops. A group is a record of shape [`GROUP`](super::GROUP); a sorted query makes
//! pairs of a key and a value, and sorts those.

use super::expr::new_list;
use super::{ANY, BodyFn, Compiler, Dest, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::Result;
use crate::syntax::ast::*;
use crate::types::{Bank, Type};
use std::rc::Rc;

/// A list of rows, and the variables that stand in each.
type Rows<'n> = (Reg, &'n [&'n str]);

impl<'w> Compiler<'w> {
    pub(super) fn query(&mut self, query: &Query, dest: Dest) -> Result<Val> {
        let out = self.alloc_reg(Bank::C)?;
        let made = self.emit(Op::NewList(out, 0, 0));
        // `select sum(x)` without groups is the sum of all rows.
        let whole = if query.group.is_none() { self.aggregate(&query.select) } else { None };
        let select = whole.map_or(&query.select, |(_, inner)| inner);
        let mut element = Type::Any;
        // Puts what a row selects into the result. Numbers go into an array: then the instruction
        // that made the result is changed.
        let mut select_row = |it: &mut Compiler<'w>| {
            let mark = it.mark();
            let key =
                query.sort.as_ref().map(|sort| it.expr_to_next(Bank::C, sort, ANY)).transpose()?;
            let cell = it.mark()[2] as Reg;
            let value = it.expr_to_next_cell(select)?;
            match key {
                Some(key) => drop(it.emit(Op::Builtin(Builtin::Pair, cell, key, 2))),
                None => {
                    it.current.function.code[made] = new_list(value.ty.element_bank(), out, 0, 0)
                }
            }
            it.emit(Op::Push(out, cell));
            it.release(mark);
            element = value.ty;
            Ok(())
        };
        self.open_scope();
        if let Some(group) = &query.group {
            let groups = self.alloc_reg(Bank::C)?;
            self.emit(Op::NewMap(groups));
            let mut item_type = Type::Any;
            self.rows(query, &mut |compiler| {
                let mark = compiler.mark();
                let base = compiler.alloc_reg(Bank::C)?;
                compiler.move_to(Bank::C, base, groups);
                compiler.expr_to_next(Bank::C, &group.key, ANY)?;
                item_type = compiler.expr_to_next_cell(&group.item)?.ty;
                compiler.emit(Op::Builtin(Builtin::GroupAdd, base, base, 3));
                compiler.release(mark);
                Ok(())
            })?;
            self.emit(Op::Builtin(Builtin::Values, groups, groups, 1));
            let list = Val { ty: Type::list(Type::Group(Rc::new(item_type))), reg: groups };
            self.loop_over(&group.name, list, &mut |compiler| {
                compiler.if_condition(group.having.as_ref(), &mut select_row)
            })?;
        } else {
            self.rows(query, &mut select_row)?;
        }
        self.current.scopes.pop();
        if query.sort.is_some() {
            self.emit(Op::Builtin(Builtin::SortPairs, out, out, 1));
        }
        if query.distinct {
            self.emit(Op::Builtin(Builtin::Distinct, out, out, 1));
        }
        if query.skip.is_some() || query.take.is_some() {
            self.release([dest.mark[0], dest.mark[1], u16::from(out) + 1]);
            for part in [&query.skip, &query.take] {
                self.expr_or_null_to_next(part.as_ref(), &Type::Int)?;
            }
            self.emit(Op::Builtin(Builtin::SkipTake, out, out, 3));
        }
        let ty = Type::list(element);
        let Some((builtin, _)) = whole else { return Ok(Val { ty, reg: out }) };
        self.emit(Op::Builtin(builtin, out, out, 1));
        let ty = builtin.result(&[ty]);
        self.ascribe(Val::cell(out), &ty, dest.reg_in(ty.bank()))
    }

    fn aggregate<'e>(&mut self, select: &'e Expr) -> Option<(Builtin, &'e Expr)> {
        let (name, [arg]) = select.named_call()? else { return None };
        let builtin = self.builtin(name).filter(|_| !matches!(arg.kind, ExprKind::Query(_)))?;
        let sums = [Builtin::Sum, Builtin::Avg, Builtin::Min, Builtin::Max, Builtin::Count];
        sums.contains(&builtin).then_some((builtin, arg))
    }

    /// Puts a value into the next cell; answers what it was.
    fn expr_to_next_cell(&mut self, expr: &Expr) -> Result<Val> {
        let cell = self.alloc_reg(Bank::C)?;
        let value = self.expr(expr, ANY, Some(cell))?;
        self.coerce(value.clone(), ANY, Some(cell))?;
        Ok(value)
    }

    fn rows(&mut self, query: &Query, body: BodyFn<'_, 'w>) -> Result<()> {
        let mut body = |it: &mut Compiler<'w>| it.if_condition(query.condition.as_ref(), body);
        if query.sources.iter().all(|source| !source.left && !source.right) {
            return self.nested(&query.sources, &mut body);
        }
        // Rows that have no partner cannot come out of nested loops: all rows are put into a
        // list, source by source. It begins with a row of nothing.
        let mut rows = self.alloc_reg(Bank::C)?;
        self.emit(Op::NewList(rows, 0, 0));
        self.push_row(&[], |_| true, rows)?;
        let mut names = Vec::new();
        for source in &query.sources {
            rows = self.join(source, (rows, &names))?;
            names.push(source.name.as_str());
        }
        self.each(None, (rows, &names), &mut body)
    }

    fn nested(&mut self, sources: &[Source], body: BodyFn<'_, 'w>) -> Result<()> {
        let [source, rest @ ..] = sources else { return body(self) };
        self.for_each(&source.name, &source.list, &mut |compiler| {
            compiler.if_condition(source.on.as_ref(), &mut |compiler| compiler.nested(rest, body))
        })
    }

    /// Does something if a condition holds, or if there is none.
    pub(super) fn if_condition(
        &mut self,
        condition: Option<&Expr>,
        body: BodyFn<'_, 'w>,
    ) -> Result<()> {
        let skip = condition.map_or(Ok(Vec::new()), |it| self.condition(it, false))?;
        body(self)?;
        self.patch_here(skip);
        Ok(())
    }

    /// Adds a row: the values of the variables that are known, and null for the others.
    fn push_row(&mut self, names: &[&str], known: impl Fn(usize) -> bool, rows: Reg) -> Result<()> {
        let (mark, pos) = (self.mark(), self.pos);
        for (n, name) in names.iter().enumerate() {
            let value = Expr { pos, kind: ExprKind::Name((*name).to_owned()) };
            self.expr_or_null_to_next(Some(&value).filter(|_| known(n)), ANY)?;
        }
        let (first, row) = (mark[2] as Reg, self.alloc_reg(Bank::C)?);
        self.emit(Op::NewList(row, first, names.len() as Reg));
        self.emit(Op::Push(rows, row));
        self.release(mark);
        Ok(())
    }

    /// Does the body for every row of a list, with the values of the row as variables; or for
    /// every element of a source.
    fn each(&mut self, source: Option<&Source>, rows: Rows, body: BodyFn<'_, 'w>) -> Result<()> {
        if let Some(source) = source {
            return self.for_each(&source.name, &source.list, body);
        }
        let list = Val { ty: Type::list(Type::list(Type::Any)), reg: rows.0 };
        self.loop_over(" row", list, &mut |compiler| {
            let row = compiler.load_name(" row", compiler.dest(ANY), false)?.reg;
            let index = compiler.alloc_reg(Bank::I)?;
            for (n, name) in rows.1.iter().enumerate() {
                let value = compiler.alloc_for(ANY)?;
                compiler.emit(Op::LoadI(index, n as i32));
                compiler.emit(Op::GetC(value.reg, row, index));
                compiler.declare_local(name, value)?;
            }
            body(compiler)
        })
    }

    /// Rows with one source more; answers the list of those.
    fn join(&mut self, source: &Source, rows: Rows) -> Result<Reg> {
        let joined = self.alloc_reg(Bank::C)?;
        self.emit(Op::NewList(joined, 0, 0));
        let matched = self.alloc_reg(Bank::I)?;
        let all = [rows.1, &[source.name.as_str()]].concat();
        // Each pass goes over one side, and inside over the other: `turned`, the source is outside.
        for turned in [false, true] {
            let Source { left, right, .. } = *source;
            if turned && !right || !turned && right && !left {
                continue;
            }
            let (pairs, alone) = if turned { (!left, right) } else { (true, left) };
            let (outer, inner) = if turned { (Some(source), None) } else { (None, Some(source)) };
            self.each(outer, rows, &mut |compiler| {
                compiler.emit(Op::LoadI(matched, 0));
                compiler.each(inner, rows, &mut |compiler| {
                    compiler.if_condition(source.on.as_ref(), &mut |compiler| {
                        compiler.emit(Op::LoadI(matched, 1));
                        if pairs { compiler.push_row(&all, |_| true, joined) } else { Ok(()) }
                    })
                })?;
                if alone {
                    let skip = compiler.emit(Op::JumpIf(matched, 0));
                    compiler.push_row(&all, |n| (n == rows.1.len()) == turned, joined)?;
                    compiler.patch_here([skip]);
                }
                Ok(())
            })?;
        }
        Ok(joined)
    }
}
