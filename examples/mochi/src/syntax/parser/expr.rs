//! Expressions.

use super::{KEYWORDS, OPERATORS, Parser};
use crate::bytecode::ArithOp;
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::*;
use crate::syntax::lexer::{Spanned, Token, unquote};

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.nested(|p| p.binary(0))
    }

    /// The binary operator that is the next token, and its precedence.
    fn operator(&self) -> Option<(BinaryOp, usize)> {
        let here = |(token, operator): &(&str, BinaryOp)| self.check(token).then_some(*operator);
        let mut levels = OPERATORS.iter().enumerate();
        levels.find_map(|(n, level)| Some((level.iter().find_map(here)?, n + 1)))
    }

    /// Parses operands and operators of a precedence above `min`.
    fn binary(&mut self, min: usize) -> Result<Expr> {
        let mut left = self.unary()?;
        let depth = self.depth;
        while let Some((mut operator, level)) = self.operator()
            && level > min
        {
            // Operators are left-associative: each one makes the AST higher.
            self.add_level("expression has too many operators")?;
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
                ExprKind::Int(i64::MIN) => ExprKind::BigInt(i64::MIN.unsigned_abs().to_string()),
                ExprKind::Int(value) => ExprKind::Int(value.wrapping_neg()),
                ExprKind::BigInt(digits) => negated(&digits),
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
            self.add_level("expression has too many calls and selectors")?;
            let pos = self.peek().pos;
            let kind = if self.eat("(") {
                ExprKind::Call(Box::new(expr), self.comma_list(")", Self::expr)?)
            } else if self.eat("[") {
                self.with_struct_literals(true, |p| p.index(expr))?
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

    /// Parses an index or a slice, after `[`.
    fn index(&mut self, base: Expr) -> Result<ExprKind> {
        let part = |p: &mut Self| -> Result<Option<Box<Expr>>> {
            if p.check(":") || p.check("]") { Ok(None) } else { Ok(Some(Box::new(p.expr()?))) }
        };
        let kind = match (part(self)?, self.eat(":")) {
            (Some(index), false) => ExprKind::Index(Box::new(base), index),
            (None, false) => return self.unexpected("index"),
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
                None if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                    ExprKind::BigInt(text.trim_start_matches('0').to_owned())
                }
                None => return error_at(pos, "integer literal does not fit in 64 bits"),
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
                        || self.struct_literals && self.peek_is(1, "}"));
                if literal {
                    self.cursor += 1;
                    let fields = self.comma_list("}", |p| p.labelled(Self::expr))?;
                    ExprKind::Struct(text.to_owned(), fields)
                } else {
                    self.uses().mentioned.insert(text.to_owned());
                    ExprKind::Name(text.to_owned())
                }
            }
            _ => {
                self.cursor -= 1;
                return self.unexpected("expression");
            }
        };
        Ok(Expr { pos, kind })
    }

    /// Parses a map key. A name before `:` is a string.
    fn map_key(&mut self) -> Result<Expr> {
        let Spanned { pos, token, text } = self.peek();
        let value = matches!(text, "true" | "false" | "none");
        if token == Token::Name && self.peek_is(1, ":") && !value {
            return Ok(Expr { pos, kind: ExprKind::String(self.word()?) });
        }
        self.expr()
    }

    /// Parses an `if`: a `match` without a scrutinee, whose `else` is the case `true`.
    pub(super) fn if_kind(&mut self, body: fn(&mut Self) -> Result<Expr>) -> Result<ExprKind> {
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
        Ok(ExprKind::Match(Match { scrutinee: None, cases }))
    }

    fn branch(&mut self) -> Result<Expr> {
        if self.eat("{") {
            return self.enclosed_expr("}");
        }
        self.eat("then");
        self.expr()
    }

    pub(super) fn block_value(&mut self) -> Result<Expr> {
        Ok(Expr { pos: self.peek().pos, kind: ExprKind::Block(self.block()?) })
    }

    fn match_kind(&mut self) -> Result<ExprKind> {
        let scrutinee = Some(Box::new(self.head_expr()?));
        let cases = self.braced(|p| {
            let pattern = p.expr()?;
            p.expect("=>")?;
            // `{ name:` and `{ "string":` start a map literal, every other `{` a block.
            let map = p.peek_is(1, "}") || p.peek_is(2, ":");
            let body = if p.check("{") && !map { p.block_value()? } else { p.expr()? };
            p.eat(",");
            Ok((pattern, body))
        })?;
        Ok(ExprKind::Match(Match { scrutinee, cases }))
    }
}

/// The negation of an integer beyond 64 bits: the smallest integer of 64 bits is one.
fn negated(digits: &str) -> ExprKind {
    let negated = digits.strip_prefix('-').map_or_else(|| format!("-{digits}"), str::to_owned);
    negated.parse().map_or_else(|_| ExprKind::BigInt(negated), ExprKind::Int)
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
