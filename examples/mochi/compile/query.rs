//! Queries become loops. A group is a record of shape [`GROUP`](super::GROUP); a sorted query makes
//! pairs of a key and a value, and sorts those.

use super::{Compiler, Val, Wanted};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::Result;
use crate::syntax::ast::*;
use crate::types::{Bank, Type};
use std::rc::Rc;

type Body<'b, 'w> = &'b mut dyn FnMut(&mut Compiler<'w>) -> Result<()>;

impl<'w> Compiler<'w> {
    pub(super) fn query(&mut self, query: &Query, wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        let out = self.take(Bank::C)?;
        let made = self.emit(Op::NewList(out, 0, 0));
        // `select sum(x)` without groups is the sum of all rows.
        let whole = if query.group.is_none() { self.aggregate(&query.select) } else { None };
        let select = whole.map_or(&query.select, |(_, inner)| inner);
        let mut element = Type::Any;
        let mut push = |compiler: &mut Compiler<'w>| {
            element = compiler.push_selected(query, select, out, made)?;
            Ok(())
        };
        self.open();
        if let Some(group) = &query.group {
            let groups = self.take(Bank::C)?;
            self.emit(Op::NewMap(groups, 0, 0));
            let mut item_type = Type::Any;
            self.rows(query, &mut |compiler| {
                item_type = compiler.group_row(group, groups)?;
                Ok(())
            })?;
            self.emit(Op::Builtin(Builtin::Groups, groups, groups, 1));
            let group_type = Type::Group(Rc::new(item_type));
            let having = group.having.as_ref();
            self.loop_over(&group.name, groups, &group_type, &mut |compiler| {
                compiler.guarded(having, &mut push)
            })?;
        } else {
            self.rows(query, &mut push)?;
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
                self.optional_argument(part.as_ref(), &Type::Int)?;
            }
            self.emit(Op::Builtin(Builtin::SkipTake, out, out, 3));
        }
        let mut value = Val { ty: Type::list(element), reg: out };
        if let Some((builtin, _)) = whole {
            self.emit(Op::Builtin(builtin, out, out, 1));
            let ty = builtin.result(&[value.ty]);
            value = self.unbox(out, &ty, wanted)?;
        } else {
            value = self.deliver(value, wanted);
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

    /// Puts what a row selects into the result; answers its type. Numbers go into an array: then
    /// the instruction that made the result is changed.
    fn push_selected(
        &mut self,
        query: &Query,
        select: &Expr,
        out: Reg,
        made: usize,
    ) -> Result<Type> {
        let mark = self.mark();
        let value;
        if let Some(sort) = &query.sort {
            let pair = self.argument(sort, &Type::Any)?;
            let second = self.take(Bank::C)?;
            value = self.expr(select, Some((Bank::C, second)), &Type::Any)?;
            self.coerce(value.clone(), &Type::Any, Some(second))?;
            self.emit(Op::Builtin(Builtin::Pair, pair, pair, 2));
            self.emit(Op::PushC(out, pair));
        } else {
            value = self.expr(select, None, &Type::Any)?;
            let (new, push) = match value.ty {
                Type::Int => (Op::NewI(out, 0, 0), Op::PushI(out, value.reg)),
                Type::Float => (Op::NewF(out, 0, 0), Op::PushF(out, value.reg)),
                _ => (Op::NewList(out, 0, 0), Op::PushC(out, self.as_cell(value.clone())?)),
            };
            self.frame().code[made] = new;
            self.emit(push);
        }
        self.release(mark);
        Ok(value.ty)
    }

    /// Puts a row into its group; answers the type of the items.
    fn group_row(&mut self, group: &Group, groups: Reg) -> Result<Type> {
        let mark = self.mark();
        let base = self.take(Bank::C)?;
        self.move_to(Bank::C, base, groups);
        self.argument(&group.key, &Type::Any)?;
        let item = self.take(Bank::C)?;
        let value = self.expr(&group.item, Some((Bank::C, item)), &Type::Any)?;
        let ty = value.ty.clone();
        self.coerce(value, &Type::Any, Some(item))?;
        self.emit(Op::Builtin(Builtin::GroupAdd, base, base, 3));
        self.release(mark);
        Ok(ty)
    }

    /// Does the body for every row.
    fn rows(&mut self, query: &Query, body: Body<'_, 'w>) -> Result<()> {
        let condition = query.condition.as_ref();
        if query.sources.iter().all(|source| source.side == Side::Inner) {
            return self.nested(&query.sources, condition, body);
        }
        // Rows that have no partner cannot come out of nested loops: all rows are put into a
        // list, source by source. It begins with a row of nothing.
        let mut rows = self.take(Bank::C)?;
        self.emit(Op::NewList(rows, 0, 0));
        self.push_row(&[], rows)?;
        let mut names = Vec::new();
        for source in &query.sources {
            rows = self.join(source, rows, &names)?;
            names.push(source.name.as_str());
        }
        self.each_row(rows, &names, &mut |compiler| compiler.guarded(condition, &mut *body))
    }

    fn nested(
        &mut self,
        sources: &[Source],
        condition: Option<&Expr>,
        body: Body<'_, 'w>,
    ) -> Result<()> {
        let [source, rest @ ..] = sources else { return self.guarded(condition, body) };
        self.each_loop(&source.name, &source.list, &mut |compiler| {
            compiler.guarded(source.on.as_ref(), |compiler| compiler.nested(rest, condition, body))
        })
    }

    /// Adds a row: the values of variables, and null where there is no name.
    fn push_row(&mut self, names: &[Option<&str>], rows: Reg) -> Result<()> {
        let at = self.at;
        let item = |name: &Option<&str>| match name {
            Some(name) => Expr { at, kind: ExprKind::Name((*name).to_owned()) },
            None => Expr { at, kind: ExprKind::Null },
        };
        let row = Expr { at, kind: ExprKind::List(names.iter().map(item).collect()) };
        let mark = self.mark();
        let row = self.expr(&row, None, &Self::list_of_any())?;
        self.emit(Op::PushC(rows, row.reg));
        self.release(mark);
        Ok(())
    }

    /// Does the body for every row of a list, with the values of the row as variables.
    fn each_row(&mut self, rows: Reg, names: &[&str], body: Body<'_, 'w>) -> Result<()> {
        self.loop_over(" row", rows, &Self::list_of_any(), &mut |compiler| {
            let row = compiler.load(" row", compiler.at, None, false)?.reg;
            let index = compiler.take(Bank::I)?;
            for (n, name) in names.iter().enumerate() {
                let value = compiler.take_for(&Type::Any)?;
                compiler.load_int(index, n as i64)?;
                compiler.emit(Op::GetC(value.reg, row, index));
                compiler.declare_in(name, value)?;
            }
            body(compiler)
        })
    }

    /// Rows with one source more; answers the list of those.
    fn join(&mut self, source: &Source, rows: Reg, names: &[&str]) -> Result<Reg> {
        let (side, name, on) = (source.side, source.name.as_str(), source.on.as_ref());
        let joined = self.take(Bank::C)?;
        self.emit(Op::NewList(joined, 0, 0));
        let matched = self.take(Bank::I)?;
        let left: Vec<Option<&str>> = names.iter().copied().map(Some).collect();
        let both = [left.as_slice(), &[Some(name)]].concat();
        if side != Side::Right {
            self.each_row(rows, names, &mut |compiler| {
                compiler.emit(Op::LoadI(matched, 0));
                compiler.each_loop(name, &source.list, &mut |compiler| {
                    compiler.guarded(on, |compiler| {
                        compiler.emit(Op::LoadI(matched, 1));
                        compiler.push_row(&both, joined)
                    })
                })?;
                if side != Side::Inner {
                    let alone = [left.as_slice(), &[None]].concat();
                    compiler.push_unless(matched, &alone, joined)?;
                }
                Ok(())
            })?;
        }
        if matches!(side, Side::Right | Side::Outer) {
            self.each_loop(name, &source.list, &mut |compiler| {
                compiler.emit(Op::LoadI(matched, 0));
                compiler.each_row(rows, names, &mut |compiler| {
                    compiler.guarded(on, |compiler| {
                        compiler.emit(Op::LoadI(matched, 1));
                        if side == Side::Right { compiler.push_row(&both, joined) } else { Ok(()) }
                    })
                })?;
                let mut alone = vec![None; names.len()];
                alone.push(Some(name));
                compiler.push_unless(matched, &alone, joined)
            })?;
        }
        Ok(joined)
    }

    fn push_unless(&mut self, matched: Reg, names: &[Option<&str>], rows: Reg) -> Result<()> {
        let skip = self.emit(Op::JumpIf(matched, 0));
        self.push_row(names, rows)?;
        self.land(skip);
        Ok(())
    }
}
