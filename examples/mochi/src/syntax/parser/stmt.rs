//! Statements, functions and types.

use std::rc::Rc;

use super::{Parser, STATEMENT_KEYWORDS};
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::*;
use crate::syntax::lexer::{Spanned, Token, unquote};

impl Parser<'_> {
    pub(super) fn block(&mut self) -> Result<Vec<Stmt>> {
        self.braced(Self::statement)
    }

    pub(super) fn statement(&mut self) -> Result<Stmt> {
        self.nested(|p| Ok(Stmt { pos: p.peek().pos, kind: p.statement_kind()? }))
    }

    fn statement_kind(&mut self) -> Result<StmtKind> {
        let (Spanned { token, text, pos }, named) = (self.peek(), self.is_ident(1));
        let word = if token == Token::Name { text } else { "" };
        self.cursor += 1;
        Ok(match word {
            "let" | "var" => StmtKind::Bind(Binding {
                name: self.ident()?,
                ty: self.eat_then(":", Self::type_ref)?,
                value: self.eat_then("=", Self::expr)?,
                mutable: word == "var",
            }),
            "export" => self.statement_kind()?,
            "fun" if named => StmtKind::Fun(self.function(true, None)?),
            "return" => {
                let ends = matches!(self.peek().text, "}" | "")
                    || STATEMENT_KEYWORDS.contains(&self.peek().text);
                StmtKind::Return(if ends { None } else { Some(self.expr()?) })
            }
            "if" => StmtKind::Expr(Expr { pos, kind: self.if_kind(Self::block_value)? }),
            "while" => StmtKind::While(self.head_expr()?, self.block()?),
            "for" => {
                let name = self.ident()?;
                self.expect("in")?;
                let (from, to) = (self.head_expr()?, self.eat_then("..", Self::head_expr)?);
                StmtKind::For(name, from, to, self.block()?)
            }
            "break" => StmtKind::Break,
            "continue" => StmtKind::Continue,
            "type" if self.depth == 1 => self.type_decl()?,
            "type" => {
                return error_at(pos, "`type` declarations are only allowed at the top level");
            }
            "test" | "bench" if self.peek().token == Token::String => {
                let name = unquote(self.peek().text, self.peek().pos)?;
                self.cursor += 1;
                let kind = if word == "test" { StmtKind::Test } else { StmtKind::Bench };
                kind(name, self.block()?)
            }
            "expect" => StmtKind::Expect(self.expr()?),
            "update" if named && self.peek_is(1, "set") => self.update()?,
            _ => {
                self.cursor -= 1;
                if word == "model" && named {
                    return self.unexpected("statement");
                }
                self.expr_or_assignment()?
            }
        })
    }

    fn update(&mut self) -> Result<StmtKind> {
        let target = self.ident()?;
        self.uses().mentioned.insert(target.clone());
        self.expect("set")?;
        self.expect("{")?;
        let set = self.comma_list("}", |p| p.labelled(Self::expr))?;
        Ok(StmtKind::Update(target, set, self.eat_then("where", Self::expr)?))
    }

    fn expr_or_assignment(&mut self) -> Result<StmtKind> {
        let place = self.expr()?;
        if !self.eat("=") {
            return Ok(StmtKind::Expr(place));
        }
        let value = self.expr()?;
        if let Some(name) = place.name().filter(|name| value.appended_to(name).is_some()) {
            self.uses().appended.insert(name.to_owned());
        }
        Ok(StmtKind::Assign(place, value))
    }

    /// The name uses of the innermost function.
    pub(super) fn uses(&mut self) -> &mut Uses {
        let last = self.uses.len() - 1;
        &mut self.uses[last]
    }

    /// Parses a function or a closure, after `fun`. A method has an owner, its struct.
    pub(super) fn function(&mut self, named: bool, owner: Option<&str>) -> Result<Rc<Fun>> {
        let pos = self.peek().pos;
        let mut name = if named { self.ident()? } else { String::new() };
        self.uses.push(Uses::default());
        let outer_generics = self.generics.len();
        let generics = self.eat_then("<", |p| p.comma_list(">", Self::ident))?;
        self.generics.extend(generics.unwrap_or_default());
        self.expect("(")?;
        let mut params =
            self.comma_list(")", |p| Ok((p.ident()?, p.eat_then(":", Self::type_ref)?)))?;
        let result = self.eat_then(":", Self::type_ref)?;
        let arrow = self.peek().pos;
        let body = match self.eat_then("=>", Self::expr)? {
            Some(value) => vec![Stmt { pos: arrow, kind: StmtKind::Return(Some(value)) }],
            None => self.block()?,
        };
        self.generics.truncate(outer_generics);
        let mut uses = self.uses.pop().unwrap_or_default();
        uses.mentioned.retain(|name| params.iter().all(|param| param.0 != *name));
        let top_level = owner.is_some() || self.depth == 1 && named;
        let enclosing = self.uses();
        let reached = if top_level { &mut enclosing.global } else { &mut enclosing.captured };
        reached.extend(uses.mentioned.iter().cloned());
        enclosing.mentioned.extend(uses.mentioned.iter().cloned());
        enclosing.appended.extend(uses.appended.iter().cloned());
        if let Some(owner) = owner {
            name = format!("{owner}.{name}");
            let ty = TypeRef::new(owner, Vec::new(), pos);
            params.insert(0, (THIS.to_owned(), Some(ty)));
        }
        Ok(Rc::new(Fun { name, params, result, body, uses, pos }))
    }

    fn type_decl(&mut self) -> Result<StmtKind> {
        let name = self.ident()?;
        let equals = self.eat("=");
        if self.check("{") {
            let fields = self.struct_body(&name)?;
            return Ok(StmtKind::Type(name.clone(), vec![(name, fields)]));
        }
        if !equals {
            return self.unexpected("`{` or `=`");
        }
        self.eat("|");
        if !self.is_ident(0) || !matches!(self.peek_at(1).text, "|" | "(" | "{") {
            return Ok(StmtKind::Alias(name, self.type_ref()?));
        }
        let mut variants = vec![self.variant()?];
        while self.eat("|") {
            variants.push(self.variant()?);
        }
        Ok(StmtKind::Type(name, variants))
    }

    fn variant(&mut self) -> Result<(String, Fields)> {
        let name = self.ident()?;
        let fields = if self.check("{") {
            self.struct_body(&name)?
        } else {
            self.eat_then("(", |p| p.comma_list(")", |p| p.labelled(Self::type_ref)))?
                .unwrap_or_default()
        };
        Ok((name, fields))
    }

    /// Parses the fields and methods of a struct.
    fn struct_body(&mut self, owner: &str) -> Result<Fields> {
        let mut fields = Vec::new();
        self.braced(|p| {
            let pos = p.peek().pos;
            if p.eat("fun") {
                let kind = StmtKind::Fun(p.function(true, Some(owner))?);
                p.methods.push(Stmt { pos, kind });
            } else {
                fields.push(p.labelled(Self::type_ref)?);
            }
            p.eat(",");
            Ok(())
        })?;
        Ok(fields)
    }

    pub(super) fn type_ref(&mut self) -> Result<TypeRef> {
        let pos = self.peek().pos;
        let ty = self.nested(|p| {
            if p.eat("fun") {
                p.expect("(")?;
                let mut types = p.comma_list(")", Self::type_ref)?;
                let none = TypeRef::new("void", Vec::new(), pos);
                types.push(p.eat_then(":", Self::type_ref)?.unwrap_or(none));
                return Ok(TypeRef::new("fun", types, pos));
            }
            if p.eat("{") {
                p.comma_list("}", |p| p.labelled(Self::type_ref))?;
                return Ok(TypeRef::new("any", Vec::new(), pos));
            }
            let (name, args) =
                (p.ident()?, p.eat_then("<", |p| p.comma_list(">", Self::type_ref))?);
            let any = args.is_none() && p.generics.contains(&name);
            Ok(TypeRef::new(if any { "any" } else { &name }, args.unwrap_or_default(), pos))
        })?;
        // `T?` may be null, which is checked at run time.
        Ok(if self.eat("?") { TypeRef::new("option", vec![ty], pos) } else { ty })
    }
}
