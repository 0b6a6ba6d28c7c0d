//! The parser: recursive descent, with precedence climbing for binary operators.
//!
//! The height of the AST is bounded by [`DEPTH_MAX`], so that passes which recurse over it need a
//! bounded native stack.

mod expr;
mod query;
mod stmt;

use super::ast::*;
use super::lexer::{Spanned, Token, tokens};
use crate::bytecode::ArithOp;
use crate::diagnostics::{Result, error_at};

/// Engines of Wasm give a module a native stack of their own choice, of about a megabyte.
const DEPTH_MAX: u32 = if cfg!(target_family = "wasm") { 200 } else { 1000 };

/// Reserved words: never identifiers.
pub(crate) const KEYWORDS: &[&str] = &[
    "test", "expect", "agent", "intent", "on", "stream", "emit", "type", "fun", "extern", "import",
    "return", "break", "continue", "let", "var", "if", "else", "then", "for", "while", "in",
    "generate", "match", "fetch", "load", "save", "package", "export", "fact", "rule", "all",
    "none", "true", "false",
];

/// Keywords that only start statements: a `return` before one of them has no value.
const STATEMENT_KEYWORDS: &[&str] =
    &["let", "var", "return", "while", "for", "break", "continue", "type", "expect", "test"];

/// The list of what this VM does not support.
const OUT_OF_SCOPE: &str = "`Out of scope` in examples/mochi/README.md";

/// Keywords of language features that this VM does not support.
const UNSUPPORTED: &[&str] = &[
    "agent", "intent", "stream", "emit", "on", "model", "generate", "fetch", "load", "save",
    "import", "extern", "fact", "rule",
];

/// The binary operators by precedence, loosest first.
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
    /// The index of the next token.
    cursor: usize,
    /// The height of the AST above the next node.
    depth: u32,
    /// Whether `Name {` starts a struct literal. In the head of an `if`, `while`, `for` or `match`
    /// the brace starts the body.
    struct_literals: bool,
    /// The methods so far. They are compiled as functions of the program.
    methods: Vec<Stmt>,
    /// Name uses of the functions being parsed, the program first.
    uses: Vec<Uses>,
    /// The type parameters in scope. They stand for `any`.
    generics: Vec<String>,
}

/// Parses the source from `start` on: a program, which is a function without parameters.
pub(crate) fn parse(source: &str, start: usize) -> Result<Fun> {
    let mut parser = Parser {
        tokens: tokens(source, start)?,
        cursor: 0,
        depth: 0,
        struct_literals: true,
        methods: Vec::new(),
        uses: vec![Uses::default()],
        generics: Vec::new(),
    };
    parser.eat_then("package", Parser::ident)?;
    let mut body = Vec::new();
    while parser.peek().token != Token::Eof {
        body.push(parser.statement()?);
    }
    body.append(&mut parser.methods);
    let uses = parser.uses.pop().unwrap_or_default();
    Ok(Fun { body, uses, name: "<program>".to_owned(), ..Fun::default() })
}

impl<'s> Parser<'s> {
    fn peek_at(&self, n: usize) -> Spanned<'s> {
        let last = self.tokens.len() - 1;
        self.tokens[(self.cursor + n).min(last)]
    }

    fn peek(&self) -> Spanned<'s> {
        self.peek_at(0)
    }

    /// Whether a token is this keyword or punctuation. The text of a literal starts with a digit or
    /// a quote, so it is neither.
    fn peek_is(&self, n: usize, text: &str) -> bool {
        self.peek_at(n).text == text
    }

    fn check(&self, text: &str) -> bool {
        self.peek_is(0, text)
    }

    fn is_ident(&self, n: usize) -> bool {
        self.peek_at(n).token == Token::Name && !KEYWORDS.contains(&self.peek_at(n).text)
    }

    /// Consumes the next token if it is this one.
    fn eat(&mut self, text: &str) -> bool {
        let found = self.check(text);
        self.cursor += usize::from(found);
        found
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T> {
        let Spanned { token, text, pos } = self.peek();
        if UNSUPPORTED.contains(&text) {
            let message = format!("`{text}` is not supported by this VM, see {OUT_OF_SCOPE}");
            return error_at(pos, message);
        }
        let found = if token == Token::Eof { "end of file" } else { &format!("`{text}`") };
        error_at(pos, format!("expected {wanted}, found {found}"))
    }

    fn expect(&mut self, text: &str) -> Result<()> {
        if self.eat(text) { Ok(()) } else { self.unexpected(&format!("`{text}`")) }
    }

    fn ident(&mut self) -> Result<String> {
        if self.is_ident(0) { self.word() } else { self.unexpected("identifier") }
    }

    /// An identifier or a keyword: a name after `.` or before `:` may be either.
    fn word(&mut self) -> Result<String> {
        if self.peek().token != Token::Name {
            return self.unexpected("identifier");
        }
        self.cursor += 1;
        Ok(self.tokens[self.cursor - 1].text.to_owned())
    }

    /// Parses an optional part that this token introduces.
    fn eat_then<T>(&mut self, token: &str, part: fn(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.eat(token) { part(self).map(Some) } else { Ok(None) }
    }

    /// `name: value`.
    fn labelled<T>(&mut self, parse: fn(&mut Self) -> Result<T>) -> Result<(String, T)> {
        let name = self.word()?;
        self.expect(":")?;
        Ok((name, parse(self)?))
    }

    /// Counts a node of the AST on the path to the next.
    fn add_level(&mut self, message: &str) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { error_at(self.peek().pos, message) } else { Ok(()) }
    }

    /// Parses a child node.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.add_level("nesting is too deep")?;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Parses where struct literals are allowed, or where they are not.
    fn with_struct_literals<T>(
        &mut self,
        allowed: bool,
        parse: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let before = std::mem::replace(&mut self.struct_literals, allowed);
        let parsed = parse(self);
        self.struct_literals = before;
        parsed
    }

    /// Parses the expression before the body of a statement.
    fn head_expr(&mut self) -> Result<Expr> {
        self.with_struct_literals(false, Self::expr)
    }

    /// Parses an expression and the closing bracket.
    fn enclosed_expr(&mut self, end: &str) -> Result<Expr> {
        let inner = self.with_struct_literals(true, Self::expr)?;
        self.expect(end)?;
        Ok(inner)
    }

    /// Parses items separated by commas, and the closing bracket.
    fn comma_list<T>(&mut self, end: &str, item: fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.with_struct_literals(true, |p| {
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

    /// Parses items in braces.
    fn braced<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect("{")?;
        self.with_struct_literals(true, |p| {
            let mut items = Vec::new();
            while !p.eat("}") {
                if p.peek().token == Token::Eof {
                    return p.unexpected("`}`");
                }
                items.push(item(p)?);
            }
            Ok(items)
        })
    }
}
