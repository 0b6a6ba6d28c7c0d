//! Queries.

use super::Parser;
use crate::diagnostics::Result;
use crate::syntax::ast::*;

impl Parser<'_> {
    fn query_source(&mut self, side: &str, join: bool) -> Result<Source> {
        let name = self.ident()?;
        self.expect("in")?;
        let list = self.expr()?;
        let on = if join { self.expect("on").and_then(|()| self.expr().map(Some))? } else { None };
        let (left, right) = (["left", "outer"].contains(&side), ["right", "outer"].contains(&side));
        Ok(Source { left, right, name, list, on })
    }

    pub(super) fn query(&mut self) -> Result<Query> {
        let mut sources = vec![self.query_source("", false)?];
        loop {
            let side = if self.peek_is(1, "join") { self.peek().text } else { "" };
            self.cursor += usize::from(["left", "right", "outer"].contains(&side));
            let join = self.eat("join");
            if !self.eat("from") && !join {
                break;
            }
            sources.push(self.query_source(side, join)?);
        }
        let condition = self.eat_then("where", Self::expr)?;
        let group = if self.eat("group") { Some(self.group(&sources)?) } else { None };
        let sorted = self.eat("sort") || self.eat("order");
        let sort = if sorted { self.eat_then("by", Self::expr)? } else { None };
        let (skip, take) = (self.eat_then("skip", Self::expr)?, self.eat_then("take", Self::expr)?);
        self.expect("select")?;
        let distinct = self.eat("distinct");
        let select = self.expr()?;
        Ok(Query { sources, condition, group, sort, skip, take, distinct, select })
    }

    fn group(&mut self, sources: &[Source]) -> Result<Group> {
        self.expect("by")?;
        let mut keys = vec![self.expr()?];
        while self.eat(",") {
            keys.push(self.expr()?);
        }
        self.expect("into")?;
        let item = |it: &Source| Expr { pos: it.list.pos, kind: ExprKind::Name(it.name.clone()) };
        let (key, item) = (single_or_map(keys), single_or_map(sources.iter().map(item).collect()));
        Ok(Group { key, item, name: self.ident()?, having: self.eat_then("having", Self::expr)? })
    }
}

/// Combines several keys or variables into one value, a map by their names.
fn single_or_map(mut parts: Vec<Expr>) -> Expr {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let pos = parts[0].pos;
    let entry = |(n, part): (usize, Expr)| {
        let name = match &part.kind {
            ExprKind::Field(_, name) | ExprKind::Name(name) => name.clone(),
            _ => format!("key{n}"),
        };
        (Expr { pos, kind: ExprKind::String(name) }, part)
    };
    Expr { pos, kind: ExprKind::Map(parts.into_iter().enumerate().map(entry).collect()) }
}
