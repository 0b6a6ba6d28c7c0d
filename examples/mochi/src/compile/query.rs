//! Queries, lowered to nested loops.
//!
//! A query with a `sort` collects pairs of a key and a value, and sorts those. A group is a struct of
//! shape [`GROUP`](super::GROUP).

use std::rc::Rc;

use super::literal::new_list;
use super::{ANY, BodyFn, Compiler, Dest, GROUP, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::diagnostics::Result;
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// The loop variable over rows of a join. No identifier has a space.
const ROW: &str = " row";

/// A list of rows, in a register, and the names of the variables in each row.
type Rows<'n> = (Reg, &'n [&'n str]);

impl<'w> Compiler<'w> {
    pub(super) fn query(&mut self, query: &Query, dest: Dest) -> Result<Val> {
        let out = self.alloc_reg(Bank::C)?;
        let created = self.emit(Op::NewList(out, 0, 0));
        // Without groups, an aggregate like `select sum(x)` folds all rows.
        let aggregate = if query.group.is_none() { self.aggregate(&query.select) } else { None };
        let select = aggregate.map_or(&query.select, |(_, arg)| arg);
        let mut element = Type::Any;
        let mut select_row = |compiler: &mut Compiler<'w>| {
            element = compiler.select_row(query, select, out, created)?;
            Ok(())
        };
        self.open_scope();
        match &query.group {
            Some(group) => self.groups(query, group, &mut select_row)?,
            None => self.rows(query, &mut select_row)?,
        }
        self.pop_scope();
        self.finish_rows(query, dest, out)?;
        let ty = Type::list(element);
        let Some((builtin, _)) = aggregate else { return Ok(Val { ty, reg: out }) };
        self.emit(Op::Builtin(builtin, out, out, 1));
        let ty = builtin.result(&[ty]);
        self.ascribe(Val::cell(out), &ty, dest.reg_in(ty.bank()))
    }

    /// Appends what a row selects to the result. Returns its type. If that is a number, the
    /// instruction that created the result is patched to create an array.
    fn select_row(
        &mut self,
        query: &Query,
        select: &Expr,
        out: Reg,
        created: usize,
    ) -> Result<Type> {
        let mark = self.mark();
        let key =
            query.sort.as_ref().map(|key| self.expr_to_next(Bank::C, key, ANY)).transpose()?;
        let cell = self.mark()[2] as Reg;
        let value = self.expr_to_next_cell(select)?;
        match key {
            Some(key) => drop(self.emit(Op::Builtin(Builtin::Pair, cell, key, 2))),
            None => {
                let create = new_list(value.ty.element_bank(), out, 0, 0);
                self.current.function.code[created] = create;
            }
        }
        self.emit(Op::Push(out, cell));
        self.release(mark);
        Ok(value.ty)
    }

    /// Emits a loop that builds a map of groups, and a loop over the groups.
    fn groups(&mut self, query: &Query, group: &Group, body: BodyFn<'_, 'w>) -> Result<()> {
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
            if query.sort.is_some() {
                compiler.key_names(group)?;
            }
            compiler.if_condition(group.having.as_ref(), body)
        })
    }

    /// Declares the names of a group's key, for a `sort`, where nothing else has these names.
    fn key_names(&mut self, group: &Group) -> Result<()> {
        let names: Vec<&str> = match &group.key.kind {
            ExprKind::Map(entries) => entries
                .iter()
                .filter_map(|(key, _)| match &key.kind {
                    ExprKind::String(name) => Some(name.as_str()),
                    _ => None,
                })
                .collect(),
            ExprKind::Field(_, name) | ExprKind::Name(name) => vec![name],
            _ => Vec::new(),
        };
        let is_map = matches!(group.key.kind, ExprKind::Map(_));
        for name in names {
            if self.resolve(name).is_some() || Builtin::named(name).is_some() {
                continue;
            }
            let value = self.alloc_for(ANY)?;
            let item = self.load_name(&group.name, self.dest(ANY), false)?.reg;
            self.emit(Op::GetField(value.reg, item, 0, GROUP));
            if is_map {
                let name = self.constant(name)?;
                self.emit(Op::GetNamed(value.reg, value.reg, name));
            }
            self.release([self.mark()[0], self.mark()[1], u16::from(value.reg) + 1]);
            self.declare_local(name, value)?;
        }
        Ok(())
    }

    /// `sort`, `distinct`, `skip` and `take`.
    fn finish_rows(&mut self, query: &Query, dest: Dest, out: Reg) -> Result<()> {
        if query.sort.is_some() {
            self.emit(Op::Builtin(Builtin::SortPairs, out, out, 1));
        }
        if query.distinct {
            self.emit(Op::Builtin(Builtin::Distinct, out, out, 1));
        }
        if query.skip.is_some() || query.take.is_some() {
            self.release([dest.mark[0], dest.mark[1], u16::from(out) + 1]);
            for count in [&query.skip, &query.take] {
                self.expr_or_null_to_next(count.as_ref(), &Type::Int)?;
            }
            self.emit(Op::Builtin(Builtin::SkipTake, out, out, 3));
        }
        Ok(())
    }

    /// The aggregate function and its argument, if a query selects one.
    fn aggregate<'e>(&mut self, select: &'e Expr) -> Option<(Builtin, &'e Expr)> {
        let (name, [arg]) = select.named_call()? else { return None };
        let builtin = self.builtin(name).filter(|_| !matches!(arg.kind, ExprKind::Query(_)))?;
        let aggregates = [Builtin::Sum, Builtin::Avg, Builtin::Min, Builtin::Max, Builtin::Count];
        aggregates.contains(&builtin).then_some((builtin, arg))
    }

    /// Compiles an expression into the next register of bank C. Returns the value before boxing.
    fn expr_to_next_cell(&mut self, expr: &Expr) -> Result<Val> {
        let cell = self.alloc_reg(Bank::C)?;
        let value = self.expr(expr, ANY, Some(cell))?;
        self.coerce(value.clone(), ANY, Some(cell))?;
        Ok(value)
    }

    /// Emits a loop over the rows that the sources and the condition of a query yield.
    fn rows(&mut self, query: &Query, body: BodyFn<'_, 'w>) -> Result<()> {
        let mut body = |it: &mut Compiler<'w>| it.if_condition(query.condition.as_ref(), body);
        if query.sources.iter().all(|source| !source.left && !source.right) {
            return self.inner_joins(&query.sources, &mut body);
        }
        // Nested loops do not yield rows without a match. An outer join materializes all rows, source
        // by source, starting from one empty row.
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

    /// Emits code that runs if a condition holds, or always if there is none.
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

    /// Appends a row: the values of the known variables, and null for the others.
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

    /// Emits a loop over the elements of a source, or over rows, whose values become variables.
    fn each(&mut self, source: Option<&Source>, rows: Rows, body: BodyFn<'_, 'w>) -> Result<()> {
        if let Some(source) = source {
            return self.for_each(&source.name, &source.list, body);
        }
        let list = Val { ty: Type::list(Type::list(Type::Any)), reg: rows.0 };
        self.loop_over(ROW, list, &mut |compiler| {
            let row = compiler.load_name(ROW, compiler.dest(ANY), false)?.reg;
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

    /// Joins rows with a source. Returns the list of the joined rows.
    fn join(&mut self, source: &Source, rows: Rows) -> Result<Reg> {
        let joined = self.alloc_reg(Bank::C)?;
        self.emit(Op::NewList(joined, 0, 0));
        let matched = self.alloc_reg(Bank::I)?;
        let all = [rows.1, &[source.name.as_str()]].concat();
        // Each pass loops over one side and, inside, over the other. In the second pass, the
        // swapped one, the source is outside.
        for swapped in [false, true] {
            let Source { left, right, .. } = *source;
            if swapped && !right || !swapped && right && !left {
                continue;
            }
            let (emit_matches, emit_unmatched) =
                if swapped { (!left, right) } else { (true, left) };
            let (outer, inner) = if swapped { (Some(source), None) } else { (None, Some(source)) };
            self.each(outer, rows, &mut |compiler| {
                compiler.emit(Op::LoadI(matched, 0));
                compiler.each(inner, rows, &mut |compiler| {
                    compiler.if_condition(source.on.as_ref(), &mut |compiler| {
                        compiler.emit(Op::LoadI(matched, 1));
                        if emit_matches {
                            compiler.push_row(&all, |_| true, joined)
                        } else {
                            Ok(())
                        }
                    })
                })?;
                if emit_unmatched {
                    let skip = compiler.emit(Op::JumpIf(matched, 0));
                    compiler.push_row(&all, |n| (n == rows.1.len()) == swapped, joined)?;
                    compiler.patch_here([skip]);
                }
                Ok(())
            })?;
        }
        Ok(joined)
    }
}
