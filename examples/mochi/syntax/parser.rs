//! The parser: recursive descent, and precedence climbing for operators.
//!
//! Depth is bounded: the tree of a program is at most [`DEPTH_MAX`] high, so what recurs over it
//! later needs a bounded stack.

use std::rc::Rc;

use super::ast::*;
use super::lexer::{Spanned, Token, tokens, unquote};
use crate::errors::{Result, fault};

const DEPTH_MAX: u32 = 1000;

/// Words that are never names of variables.
const RESERVED: &[&str] = &[
    "test", "expect", "agent", "intent", "on", "stream", "emit", "type", "fun", "extern", "import",
    "return", "break", "continue", "let", "var", "if", "else", "then", "for", "while", "in",
    "generate", "match", "fetch", "load", "save", "package", "export", "fact", "rule", "all",
    "none", "true", "false",
];

/// What the language has and this VM does not.
const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("agent", "agents"),
    ("stream", "streams"),
    ("on", "stream handlers"),
    ("emit", "streams"),
    ("intent", "agents"),
    ("model", "language models"),
    ("generate", "generative calls"),
    ("fetch", "network access"),
    ("load", "loading of files"),
    ("save", "saving of files"),
    ("import", "imports of foreign modules"),
    ("extern", "foreign functions"),
    ("fact", "logic programs"),
    ("rule", "logic programs"),
];

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Spanned>,
    next: usize,
    depth: u32,
    /// Inside the head of an `if`, a `while`, a `for` or a `match`, where `x {` begins the body.
    head: bool,
}

/// Parses a whole program.
pub(crate) fn parse(source: &str) -> Result<Vec<Stmt>> {
    let mut parser = Parser { source, tokens: tokens(source)?, next: 0, depth: 0, head: false };
    if parser.accept("package") {
        parser.name()?;
    }
    let mut program = Vec::new();
    while parser.peek().token != Token::End {
        program.push(parser.statement()?);
    }
    Ok(program)
}

impl<'s> Parser<'s> {
    fn ahead(&self, n: usize) -> Spanned {
        let last = self.tokens.len() - 1;
        self.tokens[(self.next + n).min(last)]
    }

    fn peek(&self) -> Spanned {
        self.ahead(0)
    }

    fn text_ahead(&self, n: usize) -> &'s str {
        let token = self.ahead(n);
        self.source.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    fn text(&self) -> &'s str {
        self.text_ahead(0)
    }

    fn at(&self) -> At {
        self.peek().start
    }

    fn is(&self, text: &str) -> bool {
        self.is_ahead(0, text)
    }

    fn is_ahead(&self, n: usize, text: &str) -> bool {
        let token = self.ahead(n).token;
        matches!(token, Token::Name | Token::Sign) && self.text_ahead(n) == text
    }

    fn is_name(&self, n: usize) -> bool {
        self.ahead(n).token == Token::Name && !RESERVED.contains(&self.text_ahead(n))
    }

    fn accept(&mut self, text: &str) -> bool {
        let found = self.is(text);
        self.next += usize::from(found);
        found
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T> {
        match self.peek().token {
            Token::End => fault(self.at(), format!("expected {wanted}, found the end")),
            _ => fault(self.at(), format!("expected {wanted}, found `{}`", self.text())),
        }
    }

    fn expect(&mut self, text: &str) -> Result<At> {
        let at = self.at();
        if self.accept(text) { Ok(at) } else { self.unexpected(&format!("`{text}`")) }
    }

    fn name(&mut self) -> Result<String> {
        if !self.is_name(0) {
            return self.unexpected("a name");
        }
        let name = self.text().to_owned();
        self.next += 1;
        Ok(name)
    }

    /// A name behind a point or before a colon, where every word may stand.
    fn label(&mut self) -> Result<String> {
        if self.peek().token != Token::Name {
            return self.unexpected("a name");
        }
        let name = self.text().to_owned();
        self.next += 1;
        Ok(name)
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= DEPTH_MAX {
            return fault(self.at(), "nested too deeply");
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// What stands in the head of a statement.
    fn headed<T>(&mut self, head: bool, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = std::mem::replace(&mut self.head, head);
        let parsed = parse(self);
        self.head = before;
        parsed
    }

    fn list<T>(
        &mut self,
        end: &str,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.headed(false, |p| {
            let mut items = Vec::new();
            while !p.accept(end) {
                items.push(item(p)?);
                if !p.accept(",") {
                    p.expect(end)?;
                    break;
                }
            }
            Ok(items)
        })
    }

    // Statements.

    fn block(&mut self) -> Result<Vec<Stmt>> {
        self.expect("{")?;
        self.headed(false, |p| {
            let mut body = Vec::new();
            while !p.accept("}") {
                if p.peek().token == Token::End {
                    return p.unexpected("`}`");
                }
                body.push(p.statement()?);
            }
            Ok(body)
        })
    }

    fn statement(&mut self) -> Result<Stmt> {
        self.deeper(|p| {
            let at = p.at();
            Ok(Stmt { at, kind: p.statement_kind()? })
        })
    }

    fn statement_kind(&mut self) -> Result<StmtKind> {
        let word = if self.peek().token == Token::Name { self.text() } else { "" };
        let named = self.is_name(1);
        if let Some((_, what)) = OUT_OF_SCOPE.iter().find(|(it, _)| *it == word)
            && (word != "model" || named)
        {
            return fault(self.at(), format!("{what} are not part of this VM"));
        }
        match word {
            "let" | "var" => {
                self.next += 1;
                let name = self.name()?;
                let ty = if self.accept(":") { Some(self.type_ref()?) } else { None };
                let value = if self.accept("=") { Some(self.expr()?) } else { None };
                Ok(StmtKind::Bind { name, ty, value, mutable: word == "var" })
            }
            "export" => {
                self.next += 1;
                self.statement_kind()
            }
            "fun" if named => {
                self.next += 1;
                let at = self.at();
                let name = self.name()?;
                Ok(StmtKind::Fun(Rc::new(self.function(name, at)?)))
            }
            "return" => {
                self.next += 1;
                let ends =
                    self.is("}") || self.peek().token == Token::End || self.starts_statement();
                Ok(StmtKind::Return(if ends { None } else { Some(self.expr()?) }))
            }
            "if" => self.if_statement(),
            "while" => {
                self.next += 1;
                let condition = self.headed(true, Self::expr)?;
                Ok(StmtKind::While(condition, self.block()?))
            }
            "for" => {
                self.next += 1;
                let name = self.name()?;
                self.expect("in")?;
                let from = self.headed(true, Self::expr)?;
                let to =
                    if self.accept("..") { Some(self.headed(true, Self::expr)?) } else { None };
                Ok(StmtKind::For { name, from, to, body: self.block()? })
            }
            "break" => {
                self.next += 1;
                Ok(StmtKind::Break)
            }
            "continue" => {
                self.next += 1;
                Ok(StmtKind::Continue)
            }
            "type" => self.type_declaration(),
            "test" | "bench" if self.ahead(1).token == Token::Text => {
                self.next += 1;
                let name = unquote(self.text(), self.at())?;
                self.next += 1;
                let body = self.block()?;
                Ok(if word == "test" {
                    StmtKind::Test(name, body)
                } else {
                    StmtKind::Bench(name, body)
                })
            }
            "expect" => {
                self.next += 1;
                Ok(StmtKind::Expect(self.expr()?))
            }
            "update" if named && self.is_ahead(2, "set") => {
                self.next += 1;
                let target = self.name()?;
                self.next += 1;
                self.expect("{")?;
                let set = self.list("}", |p| {
                    let name = p.label()?;
                    p.expect(":")?;
                    Ok((name, p.expr()?))
                })?;
                let condition = if self.accept("where") { Some(self.expr()?) } else { None };
                Ok(StmtKind::Update { target, set, condition })
            }
            _ => {
                let expr = self.expr()?;
                if !self.is("=") {
                    return Ok(StmtKind::Expr(expr));
                }
                match expr.kind {
                    ExprKind::Name(_) | ExprKind::Index(..) | ExprKind::Field(..) => {}
                    _ => {
                        return fault(
                            expr.at,
                            "only variables, elements and fields can be assigned to",
                        );
                    }
                }
                self.next += 1;
                Ok(StmtKind::Assign(expr, self.expr()?))
            }
        }
    }

    /// Whether the next token can only begin a statement.
    fn starts_statement(&self) -> bool {
        const WORDS: &[&str] = &[
            "let", "var", "return", "while", "for", "break", "continue", "type", "expect", "test",
        ];
        self.peek().token == Token::Name && WORDS.contains(&self.text())
    }

    fn if_statement(&mut self) -> Result<StmtKind> {
        self.expect("if")?;
        let condition = self.headed(true, Self::expr)?;
        let then = self.block()?;
        let otherwise = if !self.accept("else") {
            Vec::new()
        } else if self.is("if") {
            vec![self.statement()?]
        } else {
            self.block()?
        };
        Ok(StmtKind::If(condition, then, otherwise))
    }

    fn function(&mut self, name: String, at: At) -> Result<Fun> {
        let mut generics = Vec::new();
        if self.accept("<") {
            generics = self.list(">", Self::name)?;
        }
        self.expect("(")?;
        let params = self.list(")", |p| {
            let name = p.name()?;
            let ty = if p.accept(":") { Some(p.type_ref()?) } else { None };
            Ok(Param { name, ty })
        })?;
        let result = if self.accept(":") { Some(self.type_ref()?) } else { None };
        if self.accept("!") {
            self.name()?; // effects are not looked at
            while self.accept(",") {
                self.name()?;
            }
        }
        let body = if self.is("=>") {
            let at = self.expect("=>")?;
            let value = self.expr()?;
            vec![Stmt { at, kind: StmtKind::Return(Some(value)) }]
        } else {
            self.block()?
        };
        Ok(Fun { name, params, result, body, generics, at })
    }

    fn type_declaration(&mut self) -> Result<StmtKind> {
        self.expect("type")?;
        let name = self.name()?;
        let equals = self.accept("=");
        if self.is("{") {
            self.expect("{")?;
            let (mut fields, mut methods) = (Vec::new(), Vec::new());
            while !self.accept("}") {
                if self.accept("fun") {
                    let at = self.at();
                    let name = self.name()?;
                    methods.push(Rc::new(self.function(name, at)?));
                } else {
                    fields.push(self.field()?);
                }
                self.accept(",");
            }
            return Ok(StmtKind::Type(name, TypeBody::Struct(fields, methods)));
        }
        if !equals {
            return self.unexpected("`{` or `=`");
        }
        self.accept("|");
        let body = self.is_name(0) && {
            let next = self.text_ahead(1);
            next == "|" || next == "(" || next == "{"
        };
        if !body {
            return Ok(StmtKind::Type(name, TypeBody::Alias(self.type_ref()?)));
        }
        let mut variants = vec![self.variant()?];
        while self.accept("|") {
            variants.push(self.variant()?);
        }
        Ok(StmtKind::Type(name, TypeBody::Union(variants)))
    }

    fn field(&mut self) -> Result<(String, TypeRef)> {
        let name = self.label()?;
        self.expect(":")?;
        Ok((name, self.type_ref()?))
    }

    fn variant(&mut self) -> Result<Variant> {
        let at = self.at();
        let name = self.name()?;
        let mut fields = Vec::new();
        if self.accept("(") {
            fields = self.list(")", Self::field)?;
        } else if self.accept("{") {
            while !self.accept("}") {
                fields.push(self.field()?);
                self.accept(",");
            }
        }
        Ok(Variant { name, fields, at })
    }

    fn type_ref(&mut self) -> Result<TypeRef> {
        let ty = self.deeper(|p| {
            let at = p.at();
            if p.accept("fun") {
                p.expect("(")?;
                let params = p.list(")", Self::type_ref)?;
                let result = if p.accept(":") { Some(Box::new(p.type_ref()?)) } else { None };
                return Ok(TypeRef::Fun(params, result));
            }
            if p.accept("{") {
                p.list("}", Self::field)?;
                return Ok(TypeRef::Record);
            }
            let name = p.name()?;
            if p.accept("<") {
                return Ok(TypeRef::Generic(name, p.list(">", Self::type_ref)?, at));
            }
            Ok(TypeRef::Name(name, at))
        })?;
        Ok(if self.accept("?") { TypeRef::Optional(Box::new(ty)) } else { ty })
    }

    // Expressions.

    fn expr(&mut self) -> Result<Expr> {
        self.deeper(|p| p.binary(0))
    }

    fn operator(&self) -> Option<(Binary, u32)> {
        if !matches!(self.peek().token, Token::Name | Token::Sign) {
            return None;
        }
        Some(match self.text() {
            "union" if self.is_ahead(1, "all") => (Binary::UnionAll, 1),
            "union" => (Binary::Union, 1),
            "except" => (Binary::Except, 1),
            "intersect" => (Binary::Intersect, 1),
            "??" => (Binary::Coalesce, 2),
            "||" => (Binary::Or, 3),
            "&&" => (Binary::And, 4),
            "==" => (Binary::Eq, 5),
            "!=" => (Binary::Ne, 5),
            "in" => (Binary::In, 5),
            "<" => (Binary::Lt, 6),
            "<=" => (Binary::Le, 6),
            ">" => (Binary::Gt, 6),
            ">=" => (Binary::Ge, 6),
            "+" => (Binary::Add, 7),
            "-" => (Binary::Sub, 7),
            "*" => (Binary::Mul, 8),
            "/" => (Binary::Div, 8),
            "%" => (Binary::Mod, 8),
            _ => return None,
        })
    }

    fn binary(&mut self, least: u32) -> Result<Expr> {
        let mut left = self.unary()?;
        let depth = self.depth;
        while let Some((operator, level)) = self.operator()
            && level > least
        {
            // A chain leans to the left: each link makes the tree one higher.
            self.depth += 1;
            if self.depth >= DEPTH_MAX {
                return fault(self.at(), "too many operators in one expression");
            }
            let at = self.at();
            self.next += if operator == Binary::UnionAll { 2 } else { 1 };
            let right = self.deeper(|p| p.binary(level))?;
            left = Expr { at, kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)) };
        }
        self.depth = depth;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr> {
        let at = self.at();
        if self.accept("-") {
            let inner = self.deeper(Self::unary)?;
            let kind = match inner.kind {
                ExprKind::Int(value) => ExprKind::Int(value.wrapping_neg()),
                ExprKind::Float(value) => ExprKind::Float(-value),
                _ => ExprKind::Neg(Box::new(inner)),
            };
            return Ok(Expr { at, kind });
        }
        if self.accept("!") {
            let inner = self.deeper(Self::unary)?;
            return Ok(Expr { at, kind: ExprKind::Not(Box::new(inner)) });
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Expr> {
        let mut expr = self.primary()?;
        let depth = self.depth;
        loop {
            self.depth += 1;
            if self.depth >= DEPTH_MAX {
                return fault(self.at(), "too many calls and selections in one expression");
            }
            let at = self.at();
            let kind = if self.accept("(") {
                ExprKind::Call(Box::new(expr), self.list(")", Self::expr)?)
            } else if self.is("?") && self.is_ahead(1, ".") {
                self.next += 2;
                ExprKind::SafeField(Box::new(expr), self.label()?)
            } else if self.is("?") && self.is_ahead(1, "[") {
                self.next += 2;
                let index = self.headed(false, Self::expr)?;
                self.expect("]")?;
                ExprKind::SafeIndex(Box::new(expr), Box::new(index))
            } else if self.accept("[") {
                self.headed(false, |p| p.index(expr))?
            } else if self.accept(".") {
                ExprKind::Field(Box::new(expr), self.label()?)
            } else if self.accept("as") {
                ExprKind::Cast(Box::new(expr), self.type_ref()?)
            } else {
                self.depth = depth;
                return Ok(expr);
            };
            expr = Expr { at, kind };
        }
    }

    fn index(&mut self, base: Expr) -> Result<ExprKind> {
        let part = |p: &mut Self| -> Result<Option<Box<Expr>>> {
            if p.is(":") || p.is("]") { Ok(None) } else { Ok(Some(Box::new(p.expr()?))) }
        };
        let start = part(self)?;
        let kind = match (start, self.accept(":")) {
            (Some(index), false) => ExprKind::Index(Box::new(base), index),
            (None, false) => return self.unexpected("an index"),
            (start, true) => {
                let end = part(self)?;
                let step = if self.accept(":") { part(self)? } else { None };
                ExprKind::Slice(Box::new(base), start, end, step)
            }
        };
        self.expect("]")?;
        Ok(kind)
    }

    fn primary(&mut self) -> Result<Expr> {
        let at = self.at();
        let kind = match self.peek().token {
            Token::Int => {
                let value = int(self.text());
                let Some(value) = value else {
                    return fault(at, "this number does not fit into 64 bits");
                };
                self.next += 1;
                ExprKind::Int(value)
            }
            Token::Float => {
                let value = self.text().parse().unwrap_or(f64::NAN);
                self.next += 1;
                ExprKind::Float(value)
            }
            Token::Text => {
                let text = unquote(self.text(), at)?;
                self.next += 1;
                ExprKind::Text(text)
            }
            Token::Sign => match self.text() {
                "(" => {
                    self.next += 1;
                    let inner = self.headed(false, Self::expr)?;
                    self.expect(")")?;
                    return Ok(inner);
                }
                "[" => {
                    self.next += 1;
                    ExprKind::List(self.list("]", Self::expr)?)
                }
                "{" => {
                    self.next += 1;
                    ExprKind::Map(self.list("}", |p| {
                        let key = p.map_key()?;
                        p.expect(":")?;
                        Ok((key, p.expr()?))
                    })?)
                }
                _ => return self.unexpected("an expression"),
            },
            Token::Name => return self.word(),
            Token::Unclosed | Token::End => return self.unexpected("an expression"),
        };
        Ok(Expr { at, kind })
    }

    /// A name before a colon is a text.
    fn map_key(&mut self) -> Result<Expr> {
        let value = matches!(self.text(), "true" | "false" | "none");
        if self.peek().token == Token::Name && self.is_ahead(1, ":") && !value {
            let at = self.at();
            return Ok(Expr { at, kind: ExprKind::Text(self.label()?) });
        }
        self.expr()
    }

    fn word(&mut self) -> Result<Expr> {
        let at = self.at();
        let word = self.text();
        let kind = match word {
            "true" | "false" => {
                self.next += 1;
                ExprKind::Bool(word == "true")
            }
            "none" => {
                self.next += 1;
                ExprKind::Null
            }
            "fun" => {
                self.next += 1;
                ExprKind::Fun(Rc::new(self.function(String::new(), at)?))
            }
            "if" => return self.deeper(Self::if_expr),
            "match" => self.match_expr()?,
            "from" if self.is_name(1) && self.is_ahead(2, "in") => {
                ExprKind::Query(Box::new(self.query()?))
            }
            "generate" | "fetch" | "load" | "save" => return self.out_of_scope(word),
            _ if RESERVED.contains(&word) => return self.unexpected("an expression"),
            _ => {
                self.next += 1;
                let literal = self.is("{")
                    && (self.ahead(1).token == Token::Name && self.is_ahead(2, ":")
                        || !self.head && self.is_ahead(1, "}"));
                if literal {
                    self.next += 1;
                    let fields = self.list("}", |p| {
                        let name = p.label()?;
                        p.expect(":")?;
                        Ok((name, p.expr()?))
                    })?;
                    ExprKind::Struct(word.to_owned(), fields)
                } else {
                    ExprKind::Name(word.to_owned())
                }
            }
        };
        Ok(Expr { at, kind })
    }

    fn out_of_scope(&self, word: &str) -> Result<Expr> {
        let what = OUT_OF_SCOPE.iter().find(|(it, _)| *it == word).map_or("this", |(_, what)| what);
        fault(self.at(), format!("{what} are not part of this VM"))
    }

    fn if_expr(&mut self) -> Result<Expr> {
        let at = self.expect("if")?;
        let condition = self.headed(true, Self::expr)?;
        let then = if self.accept("then") { self.expr()? } else { self.braced()? };
        let otherwise = if !self.accept("else") {
            None
        } else if self.is("if") {
            Some(Box::new(self.deeper(Self::if_expr)?))
        } else if self.is("{") {
            Some(Box::new(self.braced()?))
        } else {
            Some(Box::new(self.expr()?))
        };
        Ok(Expr { at, kind: ExprKind::If(Box::new(condition), Box::new(then), otherwise) })
    }

    fn braced(&mut self) -> Result<Expr> {
        self.expect("{")?;
        let inner = self.headed(false, Self::expr)?;
        self.expect("}")?;
        Ok(inner)
    }

    fn match_expr(&mut self) -> Result<ExprKind> {
        self.expect("match")?;
        let target = self.headed(true, Self::expr)?;
        self.expect("{")?;
        self.headed(false, |p| {
            let mut cases = Vec::new();
            while !p.accept("}") {
                let pattern = p.expr()?;
                p.expect("=>")?;
                // `{ name:` and `{ "text":` begin a map, all else a block.
                let map = p.is("{") && (p.is_ahead(1, "}") || p.is_ahead(2, ":"));
                let body = if p.is("{") && !map {
                    CaseBody::Block(p.block()?)
                } else {
                    CaseBody::Value(p.expr()?)
                };
                p.accept(",");
                cases.push(Case { pattern, body });
            }
            Ok(ExprKind::Match(Box::new(target), cases))
        })
    }

    fn from(&mut self) -> Result<(String, Expr)> {
        self.expect("from")?;
        let name = self.name()?;
        self.expect("in")?;
        Ok((name, self.expr()?))
    }

    fn query(&mut self) -> Result<Query> {
        let mut froms = vec![self.from()?];
        while self.is("from") {
            froms.push(self.from()?);
        }
        let mut joins = Vec::new();
        while let Some(side) = self.join_side() {
            self.expect("join")?;
            self.accept("from");
            let name = self.name()?;
            self.expect("in")?;
            let source = self.expr()?;
            self.expect("on")?;
            joins.push(Join { side, name, source, on: self.expr()? });
        }
        let clause = |p: &mut Self, word: &str| -> Result<Option<Expr>> {
            if p.accept(word) { Ok(Some(p.expr()?)) } else { Ok(None) }
        };
        let condition = clause(self, "where")?;
        let mut group = None;
        if self.accept("group") {
            self.expect("by")?;
            let mut keys = vec![self.expr()?];
            while self.accept(",") {
                keys.push(self.expr()?);
            }
            self.expect("into")?;
            let name = self.name()?;
            group = Some(Group { keys, name, having: clause(self, "having")? });
        }
        let mut sort = None;
        if self.accept("sort") || self.accept("order") {
            self.expect("by")?;
            sort = Some(self.expr()?);
        }
        let (skip, take) = (clause(self, "skip")?, clause(self, "take")?);
        self.expect("select")?;
        let distinct = self.accept("distinct");
        let select = self.expr()?;
        Ok(Query { froms, joins, condition, group, sort, skip, take, distinct, select })
    }

    fn join_side(&mut self) -> Option<Side> {
        if self.is("join") {
            return Some(Side::Inner);
        }
        let side = match self.text() {
            "left" => Side::Left,
            "right" => Side::Right,
            "outer" => Side::Outer,
            _ => return None,
        };
        if !self.is_ahead(1, "join") {
            return None;
        }
        self.next += 1;
        Some(side)
    }
}

fn int(text: &str) -> Option<i64> {
    let radix = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => 16,
        [b'0', b'b' | b'B', ..] => 2,
        [b'0', b'o' | b'O', ..] => 8,
        _ => return text.parse().ok(),
    };
    i64::from_str_radix(text.get(2..)?, radix).ok()
}
