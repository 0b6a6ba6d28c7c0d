//! The parser: recursive descent, and precedence climbing for operators.
//!
//! Depth is bounded: the tree of a program is at most [`DEPTH_MAX`] high, so what recurs over it
//! later needs a bounded stack.

use std::rc::Rc;

use super::ast::*;
use super::lexer::{Spanned, Token, tokens, unquote};
use crate::bytecode::AnyOp;
use crate::errors::{Result, fault};

const DEPTH_MAX: u32 = 1000;

/// Words that are never names of variables.
const RESERVED: &[&str] = &[
    "test", "expect", "agent", "intent", "on", "stream", "emit", "type", "fun", "extern", "import",
    "return", "break", "continue", "let", "var", "if", "else", "then", "for", "while", "in",
    "generate", "match", "fetch", "load", "save", "package", "export", "fact", "rule", "all",
    "none", "true", "false",
];

/// Words that can only begin a statement: `return` has no value before them.
const STARTS: &[&str] =
    &["let", "var", "return", "while", "for", "break", "continue", "type", "expect", "test"];

/// Words that begin what the language has and this VM does not.
const OUT_OF_SCOPE: &[&str] = &[
    "agent", "intent", "stream", "emit", "on", "model", "generate", "fetch", "load", "save",
    "import", "extern", "fact", "rule",
];

/// The operators, those that bind least first.
const OPERATORS: &[&[(&str, Binary)]] = {
    use AnyOp::*;
    use Binary::*;
    &[
        &[("union", Any(Union)), ("except", Any(Except)), ("intersect", Any(Intersect))],
        &[("??", Coalesce)],
        &[("||", Or)],
        &[("&&", And)],
        &[("==", Eq), ("!=", Ne), ("in", In)],
        &[("<", Lt), ("<=", Le), (">", Gt), (">=", Ge)],
        &[("+", Any(Add)), ("-", Any(Sub))],
        &[("*", Any(Mul)), ("/", Any(Div)), ("%", Any(Mod))],
    ]
};

struct Parser<'s> {
    tokens: Vec<Spanned<'s>>,
    next: usize,
    depth: u32,
    /// Inside the head of an `if`, a `while`, a `for` or a `match`, where `x {` begins the body.
    head: bool,
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
    let mut parser = Parser { tokens, next: 0, depth: 0, head: false, methods, uses, generics };
    parser.after("package", Parser::name)?;
    let mut body = Vec::new();
    while parser.now().token != Token::End {
        body.push(parser.statement()?);
    }
    body.append(&mut parser.methods);
    let uses = parser.uses.pop().unwrap_or_default();
    Ok(Fun { body, uses, name: "the program".to_owned(), ..Fun::default() })
}

impl<'s> Parser<'s> {
    fn ahead(&self, n: usize) -> Spanned<'s> {
        let last = self.tokens.len() - 1;
        self.tokens[(self.next + n).min(last)]
    }

    fn now(&self) -> Spanned<'s> {
        self.ahead(0)
    }

    /// Whether a token is this word or sign; literals begin with a digit or a quote.
    fn is_ahead(&self, n: usize, text: &str) -> bool {
        self.ahead(n).text == text
    }

    fn is(&self, text: &str) -> bool {
        self.is_ahead(0, text)
    }

    fn is_name(&self, n: usize) -> bool {
        self.ahead(n).token == Token::Name && !RESERVED.contains(&self.ahead(n).text)
    }

    fn accept(&mut self, text: &str) -> bool {
        let found = self.is(text);
        self.next += usize::from(found);
        found
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T> {
        let Spanned { token, text, at } = self.now();
        if OUT_OF_SCOPE.contains(&text) {
            return fault(at, format!("`{text}` is not part of this VM"));
        }
        let found = if token == Token::End { "the end" } else { &format!("`{text}`") };
        fault(at, format!("expected {wanted}, found {found}"))
    }

    fn expect(&mut self, text: &str) -> Result<()> {
        if self.accept(text) { Ok(()) } else { self.unexpected(&format!("`{text}`")) }
    }

    fn name(&mut self) -> Result<String> {
        if self.is_name(0) { self.label() } else { self.unexpected("a name") }
    }

    /// A name behind a point or before a colon, where every word may stand.
    fn label(&mut self) -> Result<String> {
        if self.now().token != Token::Name {
            return self.unexpected("a name");
        }
        self.next += 1;
        Ok(self.tokens[self.next - 1].text.to_owned())
    }

    /// A part that may be missing: it begins with a sign or a word.
    fn after<T>(&mut self, sign: &str, part: fn(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.accept(sign) { part(self).map(Some) } else { Ok(None) }
    }

    /// `name: value`.
    fn labelled<T>(&mut self, parse: fn(&mut Self) -> Result<T>) -> Result<(String, T)> {
        let name = self.label()?;
        self.expect(":")?;
        Ok((name, parse(self)?))
    }

    /// The tree becomes one higher.
    fn climb(&mut self, message: &str) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { fault(self.now().at, message) } else { Ok(()) }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.climb("nested too deeply")?;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// What stands in the head of a statement, or not.
    fn headed<T>(&mut self, head: bool, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = std::mem::replace(&mut self.head, head);
        let parsed = parse(self);
        self.head = before;
        parsed
    }

    fn head(&mut self) -> Result<Expr> {
        self.headed(true, Self::expr)
    }

    /// An expression in brackets that are open.
    fn inner(&mut self, end: &str) -> Result<Expr> {
        let inner = self.headed(false, Self::expr)?;
        self.expect(end)?;
        Ok(inner)
    }

    /// Items with commas between them.
    fn list<T>(&mut self, end: &str, item: fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
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

    /// Items in braces, to their end.
    fn braces<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect("{")?;
        self.headed(false, |p| {
            let mut items = Vec::new();
            while !p.accept("}") {
                if p.now().token == Token::End {
                    return p.unexpected("`}`");
                }
                items.push(item(p)?);
            }
            Ok(items)
        })
    }

    // Statements.

    fn block(&mut self) -> Result<Vec<Stmt>> {
        self.braces(Self::statement)
    }

    fn statement(&mut self) -> Result<Stmt> {
        self.deeper(|p| Ok(Stmt { at: p.now().at, kind: p.statement_kind()? }))
    }

    fn statement_kind(&mut self) -> Result<StmtKind> {
        let (Spanned { token, text, at }, named) = (self.now(), self.is_name(1));
        let word = if token == Token::Name { text } else { "" };
        self.next += 1;
        Ok(match word {
            "let" | "var" => StmtKind::Bind(Binding {
                name: self.name()?,
                ty: self.after(":", Self::type_ref)?,
                value: self.after("=", Self::expr)?,
                mutable: word == "var",
            }),
            "export" => self.statement_kind()?,
            "fun" if named => StmtKind::Fun(self.function(true, None)?),
            "return" => {
                let ends = matches!(self.now().text, "}" | "") || STARTS.contains(&self.now().text);
                StmtKind::Return(if ends { None } else { Some(self.expr()?) })
            }
            "if" => StmtKind::Expr(Expr { at, kind: self.if_kind(Self::block_value)? }),
            "while" => StmtKind::While(self.head()?, self.block()?),
            "for" => {
                let name = self.name()?;
                self.expect("in")?;
                let (from, to) = (self.head()?, self.after("..", Self::head)?);
                StmtKind::For(name, from, to, self.block()?)
            }
            "break" => StmtKind::Break,
            "continue" => StmtKind::Continue,
            "type" if self.depth == 1 => self.type_body()?,
            "type" => return fault(at, "types are declared at the top level"),
            "test" | "bench" if self.now().token == Token::Text => {
                let name = unquote(self.now().text, self.now().at)?;
                self.next += 1;
                let kind = if word == "test" { StmtKind::Test } else { StmtKind::Bench };
                kind(name, self.block()?)
            }
            "expect" => StmtKind::Expect(self.expr()?),
            "update" if named && self.is_ahead(1, "set") => {
                let target = self.name()?;
                self.uses().names.insert(target.clone());
                self.next += 1;
                self.expect("{")?;
                let set = self.list("}", |p| p.labelled(Self::expr))?;
                StmtKind::Update(target, set, self.after("where", Self::expr)?)
            }
            _ => {
                self.next -= 1;
                if word == "model" && named {
                    return self.unexpected("a statement");
                }
                let place = self.expr()?;
                if !self.accept("=") {
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
        let at = self.now().at;
        let mut name = if named { self.name()? } else { String::new() };
        self.uses.push(Uses::default());
        let around = self.generics.len();
        let generics = self.after("<", |p| p.list(">", Self::name))?;
        self.generics.extend(generics.unwrap_or_default());
        self.expect("(")?;
        let mut params = self.list(")", |p| Ok((p.name()?, p.after(":", Self::type_ref)?)))?;
        let result = self.after(":", Self::type_ref)?;
        let arrow = self.now().at;
        let body = match self.after("=>", Self::expr)? {
            Some(value) => vec![Stmt { at: arrow, kind: StmtKind::Return(Some(value)) }],
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
            let ty = TypeRef::new(owner, Vec::new(), at);
            params.insert(0, (THIS.to_owned(), Some(ty)));
        }
        Ok(Rc::new(Fun { name, params, result, body, uses, at }))
    }

    fn type_body(&mut self) -> Result<StmtKind> {
        let name = self.name()?;
        let equals = self.accept("=");
        if self.is("{") {
            let fields = self.fields(&name)?;
            return Ok(StmtKind::Type(name.clone(), vec![(name, fields)]));
        }
        if !equals {
            return self.unexpected("`{` or `=`");
        }
        self.accept("|");
        if !self.is_name(0) || !matches!(self.ahead(1).text, "|" | "(" | "{") {
            return Ok(StmtKind::Alias(name, self.type_ref()?));
        }
        let mut variants = vec![self.variant()?];
        while self.accept("|") {
            variants.push(self.variant()?);
        }
        Ok(StmtKind::Type(name, variants))
    }

    fn variant(&mut self) -> Result<(String, Fields)> {
        let name = self.name()?;
        let fields = if self.is("{") {
            self.fields(&name)?
        } else {
            self.after("(", |p| p.list(")", |p| p.labelled(Self::type_ref)))?.unwrap_or_default()
        };
        Ok((name, fields))
    }

    /// The body of a struct: fields, and methods.
    fn fields(&mut self, owner: &str) -> Result<Fields> {
        let mut fields = Vec::new();
        self.braces(|p| {
            let at = p.now().at;
            if p.accept("fun") {
                let kind = StmtKind::Fun(p.function(true, Some(owner))?);
                p.methods.push(Stmt { at, kind });
            } else {
                fields.push(p.labelled(Self::type_ref)?);
            }
            p.accept(",");
            Ok(())
        })?;
        Ok(fields)
    }

    fn type_ref(&mut self) -> Result<TypeRef> {
        let at = self.now().at;
        let ty = self.deeper(|p| {
            if p.accept("fun") {
                p.expect("(")?;
                let mut types = p.list(")", Self::type_ref)?;
                let none = TypeRef::new("void", Vec::new(), at);
                types.push(p.after(":", Self::type_ref)?.unwrap_or(none));
                return Ok(TypeRef::new("fun", types, at));
            }
            if p.accept("{") {
                p.list("}", |p| p.labelled(Self::type_ref))?;
                return Ok(TypeRef::new("any", Vec::new(), at));
            }
            let (name, args) = (p.name()?, p.after("<", |p| p.list(">", Self::type_ref))?);
            let any = args.is_none() && p.generics.contains(&name);
            Ok(TypeRef::new(if any { "any" } else { &name }, args.unwrap_or_default(), at))
        })?;
        // `T?` may be null: a value whose type shows at run time.
        Ok(if self.accept("?") { TypeRef::new("any", Vec::new(), at) } else { ty })
    }

    // Expressions.

    fn expr(&mut self) -> Result<Expr> {
        self.deeper(|p| p.binary(0))
    }

    fn operator(&self) -> Option<(Binary, usize)> {
        let here = |(sign, operator): &(&str, Binary)| self.is(sign).then_some(*operator);
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
            self.climb("too many operators in one expression")?;
            let at = self.now().at;
            self.next += 1;
            if operator == Binary::Any(AnyOp::Union) && self.accept("all") {
                operator = Binary::Any(AnyOp::UnionAll);
            }
            let right = self.deeper(|p| p.binary(level))?;
            left = Expr { at, kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)) };
        }
        self.depth = depth;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr> {
        let at = self.now().at;
        let kind = if self.accept("-") {
            let inner = self.deeper(Self::unary)?;
            match inner.kind {
                ExprKind::Int(value) => ExprKind::Int(value.wrapping_neg()),
                ExprKind::Float(value) => ExprKind::Float(-value),
                _ => {
                    let minus = Expr { at, kind: ExprKind::Int(-1) };
                    ExprKind::Binary(Binary::Any(AnyOp::Mul), Box::new(inner), Box::new(minus))
                }
            }
        } else if self.accept("!") {
            ExprKind::Not(Box::new(self.deeper(Self::unary)?))
        } else {
            return self.postfix();
        };
        Ok(Expr { at, kind })
    }

    fn postfix(&mut self) -> Result<Expr> {
        let mut expr = self.primary()?;
        let depth = self.depth;
        loop {
            self.climb("too many calls and selections in one expression")?;
            let at = self.now().at;
            let kind = if self.accept("(") {
                ExprKind::Call(Box::new(expr), self.list(")", Self::expr)?)
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
        let kind = match (part(self)?, self.accept(":")) {
            (Some(index), false) => ExprKind::Index(Box::new(base), index),
            (None, false) => return self.unexpected("an index"),
            (start, true) => {
                let end = part(self)?;
                let step = self.after(":", part)?.flatten();
                ExprKind::Slice(Box::new(base), [start, end, step])
            }
        };
        self.expect("]")?;
        Ok(kind)
    }

    fn primary(&mut self) -> Result<Expr> {
        let Spanned { at, token, text } = self.now();
        self.next += 1;
        let kind = match (token, text) {
            (Token::Int, _) => match int(text) {
                Some(value) => ExprKind::Int(value),
                None => return fault(at, "this number does not fit into 64 bits"),
            },
            (Token::Float, _) => ExprKind::Float(text.parse().unwrap_or(f64::NAN)),
            (Token::Text, _) => ExprKind::Text(unquote(text, at)?),
            (_, "(") => return self.inner(")"),
            (_, "[") => ExprKind::List(self.list("]", Self::expr)?),
            (_, "{") => ExprKind::Map(self.list("}", |p| {
                let key = p.map_key()?;
                p.expect(":")?;
                Ok((key, p.expr()?))
            })?),
            (_, "true" | "false") => ExprKind::Bool(text == "true"),
            (_, "none") => ExprKind::Null,
            (_, "fun") => ExprKind::Fun(self.function(false, None)?),
            (_, "if") => self.deeper(|p| p.if_kind(Self::branch))?,
            (_, "match") => self.match_kind()?,
            (_, "from") if self.is_name(0) && self.is_ahead(1, "in") => {
                ExprKind::Query(Box::new(self.query()?))
            }
            (Token::Name, _) if !RESERVED.contains(&text) => {
                let literal = self.is("{")
                    && (self.ahead(1).token == Token::Name && self.is_ahead(2, ":")
                        || !self.head && self.is_ahead(1, "}"));
                if literal {
                    self.next += 1;
                    let fields = self.list("}", |p| p.labelled(Self::expr))?;
                    ExprKind::Struct(text.to_owned(), fields)
                } else {
                    self.uses().names.insert(text.to_owned());
                    ExprKind::Name(text.to_owned())
                }
            }
            _ => {
                self.next -= 1;
                return self.unexpected("an expression");
            }
        };
        Ok(Expr { at, kind })
    }

    /// A name before a colon is a text.
    fn map_key(&mut self) -> Result<Expr> {
        let Spanned { at, token, text } = self.now();
        let value = matches!(text, "true" | "false" | "none");
        if token == Token::Name && self.is_ahead(1, ":") && !value {
            return Ok(Expr { at, kind: ExprKind::Text(self.label()?) });
        }
        self.expr()
    }

    /// `if` is a `match` without a value: `else` is the case that is always true.
    fn if_kind(&mut self, body: fn(&mut Self) -> Result<Expr>) -> Result<ExprKind> {
        let mut cases = Vec::new();
        loop {
            cases.push((self.head()?, body(self)?));
            let at = self.now().at;
            if !self.accept("else") {
                break;
            } else if !self.accept("if") {
                cases.push((Expr { at, kind: ExprKind::Bool(true) }, body(self)?));
                break;
            }
        }
        Ok(ExprKind::Match(Match { target: None, cases }))
    }

    fn branch(&mut self) -> Result<Expr> {
        if self.accept("{") {
            return self.inner("}");
        }
        self.accept("then");
        self.expr()
    }

    fn block_value(&mut self) -> Result<Expr> {
        Ok(Expr { at: self.now().at, kind: ExprKind::Block(self.block()?) })
    }

    fn match_kind(&mut self) -> Result<ExprKind> {
        let target = Some(Box::new(self.head()?));
        let cases = self.braces(|p| {
            let pattern = p.expr()?;
            p.expect("=>")?;
            // `{ name:` and `{ "text":` begin a map, all else a block.
            let map = p.is_ahead(1, "}") || p.is_ahead(2, ":");
            let body = if p.is("{") && !map { p.block_value()? } else { p.expr()? };
            p.accept(",");
            Ok((pattern, body))
        })?;
        Ok(ExprKind::Match(Match { target, cases }))
    }

    fn source(&mut self, side: &str, join: bool) -> Result<Source> {
        let name = self.name()?;
        self.expect("in")?;
        let list = self.expr()?;
        let on = if join { self.expect("on").and_then(|()| self.expr().map(Some))? } else { None };
        let (left, right) = (["left", "outer"].contains(&side), ["right", "outer"].contains(&side));
        Ok(Source { left, right, name, list, on })
    }

    fn query(&mut self) -> Result<Query> {
        let mut sources = vec![self.source("", false)?];
        loop {
            let side = if self.is_ahead(1, "join") { self.now().text } else { "" };
            self.next += usize::from(["left", "right", "outer"].contains(&side));
            let join = self.accept("join");
            if !self.accept("from") && !join {
                break;
            }
            sources.push(self.source(side, join)?);
        }
        let condition = self.after("where", Self::expr)?;
        let group = if self.accept("group") { Some(self.group(&sources)?) } else { None };
        let sorted = self.accept("sort") || self.accept("order");
        let sort = if sorted { self.after("by", Self::expr)? } else { None };
        let (skip, take) = (self.after("skip", Self::expr)?, self.after("take", Self::expr)?);
        self.expect("select")?;
        let distinct = self.accept("distinct");
        let select = self.expr()?;
        Ok(Query { sources, condition, group, sort, skip, take, distinct, select })
    }

    fn group(&mut self, sources: &[Source]) -> Result<Group> {
        self.expect("by")?;
        let mut keys = vec![self.expr()?];
        while self.accept(",") {
            keys.push(self.expr()?);
        }
        self.expect("into")?;
        let item = |it: &Source| Expr { at: it.list.at, kind: ExprKind::Name(it.name.clone()) };
        let (key, item) = (record(keys), record(sources.iter().map(item).collect()));
        Ok(Group { key, item, name: self.name()?, having: self.after("having", Self::expr)? })
    }
}

/// Several keys or variables make one value: a map from their names.
fn record(mut parts: Vec<Expr>) -> Expr {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let at = parts[0].at;
    let entry = |(n, part): (usize, Expr)| {
        let name = match &part.kind {
            ExprKind::Field(_, name) | ExprKind::Name(name) => name.clone(),
            _ => format!("key{n}"),
        };
        (Expr { at, kind: ExprKind::Text(name) }, part)
    };
    Expr { at, kind: ExprKind::Map(parts.into_iter().enumerate().map(entry).collect()) }
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
