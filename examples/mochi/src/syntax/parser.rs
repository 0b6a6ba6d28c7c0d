//! The parser: recursive descent, and precedence climbing for operators.
//!
//! Depth is bounded: the tree of a program is at most [`DEPTH_MAX`] high, so what recurs over it
//! later needs a bounded stack.

use std::rc::Rc;

use super::ast::*;
use super::lexer::{Spanned, Token, tokens, unquote};
use crate::bytecode::ArithOp;
use crate::errors::{Result, error_at};

const DEPTH_MAX: u32 = 1000;

/// Words that are never names of variables.
const KEYWORDS: &[&str] = &[
    "test", "expect", "agent", "intent", "on", "stream", "emit", "type", "fun", "extern", "import",
    "return", "break", "continue", "let", "var", "if", "else", "then", "for", "while", "in",
    "generate", "match", "fetch", "load", "save", "package", "export", "fact", "rule", "all",
    "none", "true", "false",
];

/// Words that can only begin a statement: `return` has no value before them.
const STATEMENT_KEYWORDS: &[&str] =
    &["let", "var", "return", "while", "for", "break", "continue", "type", "expect", "test"];

/// Words that begin what the language has and this VM does not.
const UNSUPPORTED: &[&str] = &[
    "agent", "intent", "stream", "emit", "on", "model", "generate", "fetch", "load", "save",
    "import", "extern", "fact", "rule",
];

/// The operators, those that bind least first.
const OPERATORS: &[&[(&str, BinaryOp)]] = {
    use ArithOp::*;
    use BinaryOp::*;
    &[
        &[("union", Arith(Union)), ("except", Arith(Except)), ("intersect", Arith(Intersect))],
        &[("??", Coalesce)],
        &[("||", Or)],
        &[("&&", And)],
        &[("==", Eq), ("!=", Ne), ("in", In)],
        &[("<", Lt), ("<=", Le), (">", Gt), (">=", Ge)],
        &[("+", Arith(Add)), ("-", Arith(Sub))],
        &[("*", Arith(Mul)), ("/", Arith(Div)), ("%", Arith(Mod))],
    ]
};

struct Parser<'s> {
    tokens: Vec<Spanned<'s>>,
    cursor: usize,
    depth: u32,
    /// Inside the head of an `if`, a `while`, a `for` or a `match`, where `x {` begins the body.
    no_struct_literal: bool,
    /// Methods of the types so far: they become functions of the program.
    methods: Vec<Stmt>,
    /// What is known of the functions around: the program, and those inside each other.
    uses: Vec<Uses>,
    /// Type parameters of these: they stand for any type.
    generics: Vec<String>,
}

/// Parses a whole program, which is a function without parameters.
pub(crate) fn parse(source: &str) -> Result<Fun> {
    let (tokens, uses) = (tokens(source)?, vec![Uses::default()]);
    let (methods, generics) = (Vec::new(), Vec::new());
    let mut parser =
        Parser { tokens, cursor: 0, depth: 0, no_struct_literal: false, methods, uses, generics };
    parser.eat_then("package", Parser::ident)?;
    let mut body = Vec::new();
    while parser.peek().token != Token::End {
        body.push(parser.statement()?);
    }
    body.append(&mut parser.methods);
    let uses = parser.uses.pop().unwrap_or_default();
    Ok(Fun { body, uses, name: "the program".to_owned(), ..Fun::default() })
}

impl<'s> Parser<'s> {
    fn peek_at(&self, n: usize) -> Spanned<'s> {
        let last = self.tokens.len() - 1;
        self.tokens[(self.cursor + n).min(last)]
    }

    fn peek(&self) -> Spanned<'s> {
        self.peek_at(0)
    }

    /// Whether a token is this word or sign; literals begin with a digit or a quote.
    fn peek_is(&self, n: usize, text: &str) -> bool {
        self.peek_at(n).text == text
    }

    fn check(&self, text: &str) -> bool {
        self.peek_is(0, text)
    }

    fn is_ident(&self, n: usize) -> bool {
        self.peek_at(n).token == Token::Name && !KEYWORDS.contains(&self.peek_at(n).text)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.check(text);
        self.cursor += usize::from(found);
        found
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T> {
        let Spanned { token, text, pos } = self.peek();
        if UNSUPPORTED.contains(&text) {
            return error_at(pos, format!("`{text}` is not part of this VM"));
        }
        let found = if token == Token::End { "the end" } else { &format!("`{text}`") };
        error_at(pos, format!("expected {wanted}, found {found}"))
    }

    fn expect(&mut self, text: &str) -> Result<()> {
        if self.eat(text) { Ok(()) } else { self.unexpected(&format!("`{text}`")) }
    }

    fn ident(&mut self) -> Result<String> {
        if self.is_ident(0) { self.word() } else { self.unexpected("a name") }
    }

    /// A name behind a point or before a colon, where every word may stand.
    fn word(&mut self) -> Result<String> {
        if self.peek().token != Token::Name {
            return self.unexpected("a name");
        }
        self.cursor += 1;
        Ok(self.tokens[self.cursor - 1].text.to_owned())
    }

    /// A part that may be missing: it begins with a sign or a word.
    fn eat_then<T>(&mut self, sign: &str, part: fn(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.eat(sign) { part(self).map(Some) } else { Ok(None) }
    }

    /// `name: value`.
    fn labelled<T>(&mut self, parse: fn(&mut Self) -> Result<T>) -> Result<(String, T)> {
        let name = self.word()?;
        self.expect(":")?;
        Ok((name, parse(self)?))
    }

    /// The tree becomes one higher.
    fn add_level(&mut self, message: &str) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { error_at(self.peek().pos, message) } else { Ok(()) }
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.add_level("nested too deeply")?;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// What stands in the head of a statement, or not.
    fn with_restriction<T>(
        &mut self,
        head: bool,
        parse: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let before = std::mem::replace(&mut self.no_struct_literal, head);
        let parsed = parse(self);
        self.no_struct_literal = before;
        parsed
    }

    fn head_expr(&mut self) -> Result<Expr> {
        self.with_restriction(true, Self::expr)
    }

    /// An expression in brackets that are open.
    fn enclosed_expr(&mut self, end: &str) -> Result<Expr> {
        let inner = self.with_restriction(false, Self::expr)?;
        self.expect(end)?;
        Ok(inner)
    }

    /// Items with commas between them.
    fn comma_list<T>(&mut self, end: &str, item: fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.with_restriction(false, |p| {
            let mut items = Vec::new();
            while !p.eat(end) {
                items.push(item(p)?);
                if !p.eat(",") {
                    p.expect(end)?;
                    break;
                }
            }
            Ok(items)
        })
    }

    /// Items in braces, to their end.
    fn braced<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect("{")?;
        self.with_restriction(false, |p| {
            let mut items = Vec::new();
            while !p.eat("}") {
                if p.peek().token == Token::End {
                    return p.unexpected("`}`");
                }
                items.push(item(p)?);
            }
            Ok(items)
        })
    }

    // Statements.

    fn block(&mut self) -> Result<Vec<Stmt>> {
        self.braced(Self::statement)
    }

    fn statement(&mut self) -> Result<Stmt> {
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
            "type" => return error_at(pos, "types are declared at the top level"),
            "test" | "bench" if self.peek().token == Token::String => {
                let name = unquote(self.peek().text, self.peek().pos)?;
                self.cursor += 1;
                let kind = if word == "test" { StmtKind::Test } else { StmtKind::Bench };
                kind(name, self.block()?)
            }
            "expect" => StmtKind::Expect(self.expr()?),
            "update" if named && self.peek_is(1, "set") => {
                let target = self.ident()?;
                self.uses().names.insert(target.clone());
                self.cursor += 1;
                self.expect("{")?;
                let set = self.comma_list("}", |p| p.labelled(Self::expr))?;
                StmtKind::Update(target, set, self.eat_then("where", Self::expr)?)
            }
            _ => {
                self.cursor -= 1;
                if word == "model" && named {
                    return self.unexpected("a statement");
                }
                let place = self.expr()?;
                if !self.eat("=") {
                    return Ok(StmtKind::Expr(place));
                }
                let value = self.expr()?;
                if let Some(name) = place.name().filter(|name| value.appended_to(name).is_some()) {
                    self.uses().appended.insert(name.to_owned());
                }
                StmtKind::Assign(place, value)
            }
        })
    }

    fn uses(&mut self) -> &mut Uses {
        let last = self.uses.len() - 1;
        &mut self.uses[last]
    }

    fn function(&mut self, named: bool, owner: Option<&str>) -> Result<Rc<Fun>> {
        let pos = self.peek().pos;
        let mut name = if named { self.ident()? } else { String::new() };
        self.uses.push(Uses::default());
        let around = self.generics.len();
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
        self.generics.truncate(around);
        let mut uses = self.uses.pop().unwrap_or_default();
        uses.names.retain(|name| params.iter().all(|param| param.0 != *name));
        let top = owner.is_some() || self.depth == 1 && named;
        let around = self.uses();
        let known = if top { &mut around.top } else { &mut around.inner };
        known.extend(uses.names.iter().cloned());
        around.names.extend(uses.names.iter().cloned());
        around.appended.extend(uses.appended.iter().cloned());
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

    /// The body of a struct: fields, and methods.
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

    fn type_ref(&mut self) -> Result<TypeRef> {
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
        // `T?` may be null: a value whose type shows pos run time.
        Ok(if self.eat("?") { TypeRef::new("any", Vec::new(), pos) } else { ty })
    }

    // Expressions.

    fn expr(&mut self) -> Result<Expr> {
        self.nested(|p| p.binary(0))
    }

    fn operator(&self) -> Option<(BinaryOp, usize)> {
        let here = |(sign, operator): &(&str, BinaryOp)| self.check(sign).then_some(*operator);
        let mut levels = OPERATORS.iter().enumerate();
        levels.find_map(|(n, level)| Some((level.iter().find_map(here)?, n + 1)))
    }

    fn binary(&mut self, least: usize) -> Result<Expr> {
        let mut left = self.unary()?;
        let depth = self.depth;
        while let Some((mut operator, level)) = self.operator()
            && level > least
        {
            // A chain leans to the left: each link makes the tree one higher.
            self.add_level("too many operators in one expression")?;
            let pos = self.peek().pos;
            self.cursor += 1;
            if operator == BinaryOp::Arith(ArithOp::Union) && self.eat("all") {
                operator = BinaryOp::Arith(ArithOp::UnionAll);
            }
            let right = self.nested(|p| p.binary(level))?;
            left = Expr { pos, kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)) };
        }
        self.depth = depth;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr> {
        let pos = self.peek().pos;
        let kind = if self.eat("-") {
            let inner = self.nested(Self::unary)?;
            match inner.kind {
                ExprKind::Int(value) => ExprKind::Int(value.wrapping_neg()),
                ExprKind::Float(value) => ExprKind::Float(-value),
                _ => {
                    let minus = Expr { pos, kind: ExprKind::Int(-1) };
                    ExprKind::Binary(
                        BinaryOp::Arith(ArithOp::Mul),
                        Box::new(inner),
                        Box::new(minus),
                    )
                }
            }
        } else if self.eat("!") {
            ExprKind::Not(Box::new(self.nested(Self::unary)?))
        } else {
            return self.postfix();
        };
        Ok(Expr { pos, kind })
    }

    fn postfix(&mut self) -> Result<Expr> {
        let mut expr = self.primary()?;
        let depth = self.depth;
        loop {
            self.add_level("too many calls and selections in one expression")?;
            let pos = self.peek().pos;
            let kind = if self.eat("(") {
                ExprKind::Call(Box::new(expr), self.comma_list(")", Self::expr)?)
            } else if self.eat("[") {
                self.with_restriction(false, |p| p.index(expr))?
            } else if self.eat(".") {
                ExprKind::Field(Box::new(expr), self.word()?)
            } else if self.eat("as") {
                ExprKind::Cast(Box::new(expr), self.type_ref()?)
            } else {
                self.depth = depth;
                return Ok(expr);
            };
            expr = Expr { pos, kind };
        }
    }

    fn index(&mut self, base: Expr) -> Result<ExprKind> {
        let part = |p: &mut Self| -> Result<Option<Box<Expr>>> {
            if p.check(":") || p.check("]") { Ok(None) } else { Ok(Some(Box::new(p.expr()?))) }
        };
        let kind = match (part(self)?, self.eat(":")) {
            (Some(index), false) => ExprKind::Index(Box::new(base), index),
            (None, false) => return self.unexpected("an index"),
            (start, true) => {
                let end = part(self)?;
                let step = self.eat_then(":", part)?.flatten();
                ExprKind::Slice(Box::new(base), [start, end, step])
            }
        };
        self.expect("]")?;
        Ok(kind)
    }

    fn primary(&mut self) -> Result<Expr> {
        let Spanned { pos, token, text } = self.peek();
        self.cursor += 1;
        let kind = match (token, text) {
            (Token::Int, _) => match parse_int(text) {
                Some(value) => ExprKind::Int(value),
                None => return error_at(pos, "this number does not fit into 64 bits"),
            },
            (Token::Float, _) => ExprKind::Float(text.parse().unwrap_or(f64::NAN)),
            (Token::String, _) => ExprKind::String(unquote(text, pos)?),
            (_, "(") => return self.enclosed_expr(")"),
            (_, "[") => ExprKind::List(self.comma_list("]", Self::expr)?),
            (_, "{") => ExprKind::Map(self.comma_list("}", |p| {
                let key = p.map_key()?;
                p.expect(":")?;
                Ok((key, p.expr()?))
            })?),
            (_, "true" | "false") => ExprKind::Bool(text == "true"),
            (_, "none") => ExprKind::Null,
            (_, "fun") => ExprKind::Fun(self.function(false, None)?),
            (_, "if") => self.nested(|p| p.if_kind(Self::branch))?,
            (_, "match") => self.match_kind()?,
            (_, "from") if self.is_ident(0) && self.peek_is(1, "in") => {
                ExprKind::Query(Box::new(self.query()?))
            }
            (Token::Name, _) if !KEYWORDS.contains(&text) => {
                let literal = self.check("{")
                    && (self.peek_at(1).token == Token::Name && self.peek_is(2, ":")
                        || !self.no_struct_literal && self.peek_is(1, "}"));
                if literal {
                    self.cursor += 1;
                    let fields = self.comma_list("}", |p| p.labelled(Self::expr))?;
                    ExprKind::Struct(text.to_owned(), fields)
                } else {
                    self.uses().names.insert(text.to_owned());
                    ExprKind::Name(text.to_owned())
                }
            }
            _ => {
                self.cursor -= 1;
                return self.unexpected("an expression");
            }
        };
        Ok(Expr { pos, kind })
    }

    /// A name before a colon is a text.
    fn map_key(&mut self) -> Result<Expr> {
        let Spanned { pos, token, text } = self.peek();
        let value = matches!(text, "true" | "false" | "none");
        if token == Token::Name && self.peek_is(1, ":") && !value {
            return Ok(Expr { pos, kind: ExprKind::String(self.word()?) });
        }
        self.expr()
    }

    /// `if` is a `match` without a value: `else` is the case that is always true.
    fn if_kind(&mut self, body: fn(&mut Self) -> Result<Expr>) -> Result<ExprKind> {
        let mut cases = Vec::new();
        loop {
            cases.push((self.head_expr()?, body(self)?));
            let pos = self.peek().pos;
            if !self.eat("else") {
                break;
            } else if !self.eat("if") {
                cases.push((Expr { pos, kind: ExprKind::Bool(true) }, body(self)?));
                break;
            }
        }
        Ok(ExprKind::Match(Match { target: None, cases }))
    }

    fn branch(&mut self) -> Result<Expr> {
        if self.eat("{") {
            return self.enclosed_expr("}");
        }
        self.eat("then");
        self.expr()
    }

    fn block_value(&mut self) -> Result<Expr> {
        Ok(Expr { pos: self.peek().pos, kind: ExprKind::Block(self.block()?) })
    }

    fn match_kind(&mut self) -> Result<ExprKind> {
        let target = Some(Box::new(self.head_expr()?));
        let cases = self.braced(|p| {
            let pattern = p.expr()?;
            p.expect("=>")?;
            // `{ name:` and `{ "text":` begin a map, all else a block.
            let map = p.peek_is(1, "}") || p.peek_is(2, ":");
            let body = if p.check("{") && !map { p.block_value()? } else { p.expr()? };
            p.eat(",");
            Ok((pattern, body))
        })?;
        Ok(ExprKind::Match(Match { target, cases }))
    }

    fn query_source(&mut self, side: &str, join: bool) -> Result<Source> {
        let name = self.ident()?;
        self.expect("in")?;
        let list = self.expr()?;
        let on = if join { self.expect("on").and_then(|()| self.expr().map(Some))? } else { None };
        let (left, right) = (["left", "outer"].contains(&side), ["right", "outer"].contains(&side));
        Ok(Source { left, right, name, list, on })
    }

    fn query(&mut self) -> Result<Query> {
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
        let (key, item) = (row_or_record(keys), row_or_record(sources.iter().map(item).collect()));
        Ok(Group { key, item, name: self.ident()?, having: self.eat_then("having", Self::expr)? })
    }
}

/// Several keys or variables make one value: a map from their names.
fn row_or_record(mut parts: Vec<Expr>) -> Expr {
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

fn parse_int(text: &str) -> Option<i64> {
    let radix = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => 16,
        [b'0', b'b' | b'B', ..] => 2,
        [b'0', b'o' | b'O', ..] => 8,
        _ => return text.parse().ok(),
    };
    i64::from_str_radix(text.get(2..)?, radix).ok()
}
