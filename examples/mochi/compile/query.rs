//! Queries become loops. A group is a record of shape [`GROUP`]; a sorted query makes pairs of a
//! key and a value, and sorts those.

use super::{Compiler, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::Result;
use crate::syntax::ast::*;
use crate::types::{Bank, Type};
use std::rc::Rc;

type Body<'b, 'w> = &'b mut dyn FnMut(&mut Compiler<'w>) -> Result<()>;

impl<'w> Compiler<'w> {
    pub(super) fn query(&mut self, query: &Query, wanted: Option<(Bank, Reg)>) -> Result<Val> {
        let mark = self.mark();
        let out = self.take(Bank::C)?;
        let made = self.emit(Op::NewList(out, 0, 0));
        // `select sum(x)` without groups is the sum of all rows.
        let whole = if query.group.is_none() { self.aggregate(&query.select) } else { None };
        let select = whole.map_or(&query.select, |(_, inner)| inner);
        self.open();
        let mut element = Type::Any;
        if let Some(group) = &query.group {
            let groups = self.take(Bank::C)?;
            self.emit(Op::NewMap(groups, 0, 0));
            let mut item_type = Type::Any;
            self.rows(query, &mut |compiler| {
                item_type = compiler.group_row(query, group, groups)?;
                Ok(())
            })?;
            self.emit(Op::Builtin(Builtin::Groups, groups, groups, 1));
            let group_type = Type::Group(Rc::new(item_type));
            self.loop_over(&group.name, groups, &group_type, &mut |compiler| {
                let skip = match &group.having {
                    Some(having) => compiler.condition(having, false)?,
                    None => Vec::new(),
                };
                element = compiler.push_row(query, select, out, made)?;
                compiler.land_all(skip);
                Ok(())
            })?;
        } else {
            self.rows(query, &mut |compiler| {
                element = compiler.push_row(query, select, out, made)?;
                Ok(())
            })?;
        }
        self.frame().scopes.pop();
        if query.sort.is_some() {
            self.emit(Op::Builtin(Builtin::SortPairs, out, out, 1));
        }
        if query.distinct {
            self.emit(Op::Builtin(Builtin::Distinct, out, out, 1));
        }
        if query.skip.is_some() || query.take.is_some() {
            self.release([mark[0], mark[1], mark[2] + 1]);
            for part in [&query.skip, &query.take] {
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
                self.release([mark[0], mark[1], u16::from(reg) + 1]);
            }
            self.emit(Op::Builtin(Builtin::SkipTake, out, out, 3));
        }
        let mut ty = Type::list(element.clone());
        if let Some((builtin, _)) = whole {
            self.emit(Op::Builtin(builtin, out, out, 1));
            ty = builtin.result(&[ty]);
            let value = self.unbox(out, &ty, wanted)?;
            return Ok(self.keep(mark, value));
        }
        let mut value = Val { ty, reg: out };
        if let Some((Bank::C, to)) = wanted {
            self.move_to(Bank::C, to, out);
            value.reg = to;
        }
        Ok(self.keep(mark, value))
    }

    fn aggregate<'e>(&mut self, select: &'e Expr) -> Option<(Builtin, &'e Expr)> {
        let ExprKind::Call(callee, args) = &select.kind else { return None };
        let (ExprKind::Name(name), [arg]) = (&callee.kind, args.as_slice()) else { return None };
        if matches!(arg.kind, ExprKind::Query(_)) || !self.is_builtin(name) {
            return None;
        }
        let builtin = Builtin::named(name)?;
        let sums = [Builtin::Sum, Builtin::Avg, Builtin::Min, Builtin::Max, Builtin::Count];
        sums.contains(&builtin).then_some((builtin, arg))
    }

    /// Puts what a row selects into the result; answers its type.
    fn push_row(&mut self, query: &Query, select: &Expr, out: Reg, made: usize) -> Result<Type> {
        let mark = self.mark();
        let ty;
        if let Some(sort) = &query.sort {
            let pair = self.take(Bank::C)?;
            let second = self.take(Bank::C)?;
            self.boxed(sort, Some(pair))?;
            let value = self.expr(select, Some((Bank::C, second)), &Type::Any)?;
            ty = value.ty.clone();
            let cell = self.as_cell(value)?;
            self.move_to(Bank::C, second, cell);
            self.emit(Op::Builtin(Builtin::Pair, pair, pair, 2));
            self.emit(Op::PushC(out, pair));
        } else {
            let value = self.expr(select, None, &Type::Any)?;
            ty = value.ty.clone();
            match value.ty {
                Type::Int => {
                    self.frame().code[made] = Op::NewI(out, 0, 0);
                    self.emit(Op::PushI(out, value.reg));
                }
                Type::Float => {
                    self.frame().code[made] = Op::NewF(out, 0, 0);
                    self.emit(Op::PushF(out, value.reg));
                }
                _ => {
                    let cell = self.as_cell(value)?;
                    self.emit(Op::PushC(out, cell));
                }
            }
        }
        self.release(mark);
        Ok(ty)
    }

    /// Puts a row into its group; answers the type of the items.
    fn group_row(&mut self, query: &Query, group: &Group, groups: Reg) -> Result<Type> {
        let mark = self.mark();
        let base = self.take(Bank::C)?;
        self.move_to(Bank::C, base, groups);
        let key = self.take(Bank::C)?;
        match group.keys.as_slice() {
            [only] => {
                self.boxed(only, Some(key))?;
            }
            keys => {
                // Several keys make a record, by the last of their names.
                let first = self.here().next[2] as Reg;
                for (n, expr) in keys.iter().enumerate() {
                    let name = match &expr.kind {
                        ExprKind::Field(_, name) | ExprKind::Name(name) => name.clone(),
                        _ => format!("key{n}"),
                    };
                    let at = self.take(Bank::C)?;
                    self.load_text(at, &name)?;
                    let at = self.take(Bank::C)?;
                    self.boxed(expr, Some(at))?;
                    self.release([mark[0], mark[1], u16::from(at) + 1]);
                }
                self.emit(Op::NewMap(key, first, keys.len() as Reg));
            }
        }
        self.release([mark[0], mark[1], u16::from(key) + 1]);
        let item = self.take(Bank::C)?;
        let froms = query.froms.iter().map(|(name, _)| name);
        let joins = query.joins.iter().map(|join| &join.name);
        let names: Vec<String> = froms.chain(joins).cloned().collect();
        let ty;
        if let [name] = names.as_slice() {
            let value = self.load(name, self.at, Some((Bank::C, item)), true)?;
            ty = value.ty.clone();
            let cell = self.as_cell(value)?;
            self.move_to(Bank::C, item, cell);
        } else {
            ty = Type::map(Type::Text, Type::Any);
            let first = self.here().next[2] as Reg;
            for name in &names {
                let at = self.take(Bank::C)?;
                self.load_text(at, name)?;
                let at = self.take(Bank::C)?;
                let value = self.load(name, self.at, Some((Bank::C, at)), true)?;
                let cell = self.as_cell(value)?;
                self.move_to(Bank::C, at, cell);
                self.release([mark[0], mark[1], u16::from(at) + 1]);
            }
            self.emit(Op::NewMap(item, first, names.len() as Reg));
        }
        self.emit(Op::Builtin(Builtin::GroupAdd, base, base, 3));
        self.release(mark);
        Ok(ty)
    }

    /// Does the body for every row.
    fn rows(&mut self, query: &Query, body: Body<'_, 'w>) -> Result<()> {
        if query.joins.iter().all(|join| join.side == Side::Inner) {
            return self.nested(query, 0, body);
        }
        // Rows that have no partner cannot come out of nested loops: all rows are put into a
        // list, join by join.
        let mut rows = self.take(Bank::C)?;
        self.emit(Op::NewList(rows, 0, 0));
        let mut vars: Vec<(String, Type)> = Vec::new();
        self.cross(query, 0, &mut vars, rows)?;
        for join in &query.joins {
            rows = self.join(join, rows, &mut vars)?;
        }
        let condition = query.condition.as_ref();
        self.loop_over(" row", rows, &Self::list_of_any(), &mut |compiler| {
            compiler.unpack(&vars)?;
            let skip = match condition {
                Some(condition) => compiler.condition(condition, false)?,
                None => Vec::new(),
            };
            body(compiler)?;
            compiler.land_all(skip);
            Ok(())
        })
    }

    fn nested(&mut self, query: &Query, level: usize, body: Body<'_, 'w>) -> Result<()> {
        if let Some((name, source)) = query.froms.get(level) {
            return self
                .each_loop(name, source, &mut |compiler| compiler.nested(query, level + 1, body));
        }
        if let Some(join) = query.joins.get(level - query.froms.len()) {
            return self.each_loop(&join.name, &join.source, &mut |compiler| {
                let skip = compiler.condition(&join.on, false)?;
                compiler.nested(query, level + 1, body)?;
                compiler.land_all(skip);
                Ok(())
            });
        }
        let skip = match &query.condition {
            Some(condition) => self.condition(condition, false)?,
            None => Vec::new(),
        };
        body(self)?;
        self.land_all(skip);
        Ok(())
    }

    /// All combinations of what the `from`s give, as lists.
    fn cross(
        &mut self,
        query: &Query,
        level: usize,
        vars: &mut Vec<(String, Type)>,
        rows: Reg,
    ) -> Result<()> {
        let Some((name, source)) = query.froms.get(level) else {
            return self.push_vars(vars, rows, None, None);
        };
        self.each_loop(name, source, &mut |compiler| {
            let at = compiler.at;
            let ty = compiler.load(name, at, None, true)?.ty;
            vars.truncate(level);
            vars.push((name.clone(), ty));
            compiler.cross(query, level + 1, vars, rows)
        })
    }

    /// Adds a row: the variables, or as many nulls, and perhaps one value more.
    fn push_vars(
        &mut self,
        vars: &[(String, Type)],
        rows: Reg,
        nulls: Option<()>,
        extra: Option<Option<&str>>,
    ) -> Result<()> {
        let mark = self.mark();
        let row = self.take(Bank::C)?;
        let first = self.here().next[2] as Reg;
        let names =
            vars.iter().map(|(name, _)| if nulls.is_some() { None } else { Some(name.as_str()) });
        let mut count = 0;
        for name in names.chain(extra) {
            let at = self.take(Bank::C)?;
            match name {
                Some(name) => {
                    let value = self.load(name, self.at, Some((Bank::C, at)), true)?;
                    let cell = self.as_cell(value)?;
                    self.move_to(Bank::C, at, cell);
                }
                None => {
                    self.emit(Op::Null(at));
                }
            }
            self.release([mark[0], mark[1], u16::from(at) + 1]);
            count += 1;
        }
        self.emit(Op::NewList(row, first, count));
        self.emit(Op::PushC(rows, row));
        self.release(mark);
        Ok(())
    }

    /// Makes variables of the values of a row.
    fn unpack(&mut self, vars: &[(String, Type)]) -> Result<()> {
        let at = self.at;
        let row = self.load(" row", at, None, false)?.reg;
        for (n, (name, ty)) in vars.iter().enumerate() {
            let mark = self.mark();
            let value = self.take_for(ty)?;
            let index = self.take(Bank::I)?;
            self.load_int(index, n as i64)?;
            let cell = if ty.bank() == Bank::C { value.reg } else { self.take(Bank::C)? };
            self.emit(Op::GetC(cell, row, index));
            self.coerce(Val { ty: Type::Any, reg: cell }, ty, Some(value.reg))?;
            let value = self.keep(mark, value);
            self.declare_in(name, value)?;
        }
        Ok(())
    }

    fn join(&mut self, join: &Join, rows: Reg, vars: &mut Vec<(String, Type)>) -> Result<Reg> {
        let joined = self.take(Bank::C)?;
        self.emit(Op::NewList(joined, 0, 0));
        let source = self.borrowed(&join.source, &Type::Any)?;
        let element = source.ty.element().unwrap_or(Type::Any);
        let right = self.take(Bank::C)?;
        self.emit(Op::Iter(right, source.reg));
        let matched = self.take(Bank::I)?;
        let before = vars.clone();
        let row_type = Self::list_of_any();
        let name = join.name.as_str();
        if join.side != Side::Right {
            self.loop_over(" row", rows, &row_type, &mut |compiler| {
                compiler.unpack(&before)?;
                compiler.emit(Op::LoadI(matched, 0));
                compiler.loop_over(name, right, &element, &mut |compiler| {
                    let skip = compiler.condition(&join.on, false)?;
                    compiler.emit(Op::LoadI(matched, 1));
                    compiler.push_vars(&before, joined, None, Some(Some(name)))?;
                    compiler.land_all(skip);
                    Ok(())
                })?;
                if join.side != Side::Inner {
                    let skip = compiler.emit(Op::JumpIf(matched, 0));
                    compiler.push_vars(&before, joined, None, Some(None))?;
                    compiler.land(skip);
                }
                Ok(())
            })?;
        }
        if matches!(join.side, Side::Right | Side::Outer) {
            let pairs = join.side == Side::Right;
            self.loop_over(name, right, &element, &mut |compiler| {
                compiler.emit(Op::LoadI(matched, 0));
                compiler.loop_over(" row", rows, &row_type, &mut |compiler| {
                    compiler.unpack(&before)?;
                    let skip = compiler.condition(&join.on, false)?;
                    compiler.emit(Op::LoadI(matched, 1));
                    if pairs {
                        compiler.push_vars(&before, joined, None, Some(Some(name)))?;
                    }
                    compiler.land_all(skip);
                    Ok(())
                })?;
                let skip = compiler.emit(Op::JumpIf(matched, 0));
                compiler.push_vars(&before, joined, Some(()), Some(Some(name)))?;
                compiler.land(skip);
                Ok(())
            })?;
            vars.iter_mut().for_each(|(_, ty)| *ty = Type::Any);
        }
        let nullable = matches!(join.side, Side::Left | Side::Outer);
        vars.push((join.name.clone(), if nullable { Type::Any } else { element }));
        Ok(joined)
    }
}
