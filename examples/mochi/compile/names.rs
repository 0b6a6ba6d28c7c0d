//! What can be told from names alone, before anything is compiled.

use std::collections::HashSet;

use crate::syntax::ast::*;

/// Walks over statements and expressions; functions inside are told apart by their depth.
struct Walk<'a> {
    depth: usize,
    used: &'a mut dyn FnMut(&str, usize),
    assigned: &'a mut dyn FnMut(&str, &Expr),
}

/// The names that occur inside functions.
pub(super) fn used_in_functions(body: &[Stmt], names: &mut HashSet<String>) {
    let mut used = |name: &str, depth: usize| {
        if depth > 0 {
            names.insert(name.to_owned());
        }
    };
    Walk { depth: 0, used: &mut used, assigned: &mut |_, _| {} }.stmts(body);
}

/// All names that occur in a function.
pub(super) fn used(fun: &Fun, names: &mut HashSet<String>) {
    let mut used = |name: &str, _: usize| {
        names.insert(name.to_owned());
    };
    Walk { depth: 0, used: &mut used, assigned: &mut |_, _| {} }.stmts(&fun.body);
}

/// Finds the variables of a body that inner functions share with it and somebody assigns to, and
/// those that are appended to by `xs = append(xs, x)`.
pub(super) fn analyse(body: &[Stmt], shared: &mut HashSet<String>, appended: &mut HashSet<String>) {
    let (mut inside, mut targets) = (HashSet::new(), HashSet::new());
    let mut used = |name: &str, depth: usize| {
        if depth > 0 {
            inside.insert(name.to_owned());
        }
    };
    let mut assigned = |name: &str, value: &Expr| {
        targets.insert(name.to_owned());
        if appends_to(name, value) {
            appended.insert(name.to_owned());
        }
    };
    Walk { depth: 0, used: &mut used, assigned: &mut assigned }.stmts(body);
    shared.extend(targets.intersection(&inside).cloned());
}

/// Whether `value` is `append(name, _)`.
pub(super) fn appends_to(name: &str, value: &Expr) -> bool {
    let ExprKind::Call(callee, args) = &value.kind else { return false };
    let is = |expr: &Expr, wanted: &str| matches!(&expr.kind, ExprKind::Name(it) if it == wanted);
    args.len() == 2 && is(callee, "append") && is(&args[0], name)
}

impl Walk<'_> {
    fn stmts(&mut self, body: &[Stmt]) {
        body.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn function(&mut self, fun: &Fun) {
        self.depth += 1;
        self.stmts(&fun.body);
        self.depth -= 1;
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Bind { value, .. } | StmtKind::Return(value) => {
                value.iter().for_each(|value| self.expr(value));
            }
            StmtKind::Assign(place, value) => {
                if let ExprKind::Name(name) = &place.kind {
                    (self.assigned)(name, value);
                }
                self.expr(place);
                self.expr(value);
            }
            StmtKind::Fun(fun) => self.function(fun),
            StmtKind::If(condition, then, otherwise) => {
                self.expr(condition);
                self.stmts(then);
                self.stmts(otherwise);
            }
            StmtKind::While(condition, body) => {
                self.expr(condition);
                self.stmts(body);
            }
            StmtKind::For { from, to, body, .. } => {
                self.expr(from);
                to.iter().for_each(|to| self.expr(to));
                self.stmts(body);
            }
            StmtKind::Expr(expr) | StmtKind::Expect(expr) => self.expr(expr),
            StmtKind::Test(_, body) | StmtKind::Bench(_, body) => self.stmts(body),
            StmtKind::Update { target, set, condition } => {
                (self.used)(target, self.depth);
                set.iter().for_each(|(_, value)| self.expr(value));
                condition.iter().for_each(|condition| self.expr(condition));
            }
            StmtKind::Type(_, TypeBody::Struct(_, methods)) => {
                methods.iter().for_each(|method| self.function(method));
            }
            StmtKind::Type(..) | StmtKind::Break | StmtKind::Continue => {}
        }
    }

    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        exprs.into_iter().for_each(|expr| self.expr(expr));
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Null
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Text(_) => {}
            ExprKind::Name(name) => (self.used)(name, self.depth),
            ExprKind::List(items) => self.exprs(items),
            ExprKind::Map(items) => {
                items.iter().for_each(|(key, value)| self.exprs([key, value]));
            }
            ExprKind::Struct(_, fields) => self.exprs(fields.iter().map(|(_, value)| value)),
            ExprKind::Neg(inner)
            | ExprKind::Not(inner)
            | ExprKind::Field(inner, _)
            | ExprKind::SafeField(inner, _)
            | ExprKind::Cast(inner, _) => self.expr(inner),
            ExprKind::Binary(_, a, b) | ExprKind::Index(a, b) | ExprKind::SafeIndex(a, b) => {
                self.expr(a);
                self.expr(b);
            }
            ExprKind::Call(callee, args) => {
                self.expr(callee);
                self.exprs(args);
            }
            ExprKind::Slice(base, start, end, step) => {
                self.expr(base);
                self.exprs([start, end, step].into_iter().flatten().map(|part| &**part));
            }
            ExprKind::If(condition, then, otherwise) => {
                self.exprs([&**condition, &**then]);
                self.exprs(otherwise.iter().map(|it| &**it));
            }
            ExprKind::Match(target, cases) => {
                self.expr(target);
                for case in cases {
                    self.expr(&case.pattern);
                    match &case.body {
                        CaseBody::Value(value) => self.expr(value),
                        CaseBody::Block(body) => self.stmts(body),
                    }
                }
            }
            ExprKind::Fun(fun) => self.function(fun),
            ExprKind::Query(query) => {
                self.exprs(query.froms.iter().map(|(_, source)| source));
                self.exprs(query.joins.iter().flat_map(|join| [&join.source, &join.on]));
                self.exprs(
                    query.group.iter().flat_map(|group| group.keys.iter().chain(&group.having)),
                );
                let rest = [&query.condition, &query.sort, &query.skip, &query.take];
                self.exprs(rest.into_iter().flatten());
                self.expr(&query.select);
            }
        }
    }
}
