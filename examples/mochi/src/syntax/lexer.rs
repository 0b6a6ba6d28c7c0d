//! Tokens, by the crate `logos`.

use std::str::Chars;

use logos::Logos;

use crate::errors::{Result, error_at};

/// A token; the words that are no names are told apart by the parser.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
#[logos(skip r"[ \t\r\n;\u{feff}]+")]
#[logos(skip(r"(//|#)[^\n]*", allow_greedy = true))]
#[logos(skip r"/\*[^*]*\*+([^/*][^*]*\*+)*/")]
pub(crate) enum Token {
    #[regex(r"[\p{L}\p{So}_][\p{L}\p{So}\p{N}_]*")]
    Name,
    #[regex(r"[0-9]+")]
    #[regex(r"0[xX][0-9a-fA-F]+")]
    #[regex(r"0[bB][01]+")]
    #[regex(r"0[oO][0-7]+")]
    Int,
    #[regex(r"[0-9]+\.[0-9]+([eE][+-]?[0-9]+)?")]
    #[regex(r"[0-9]+[eE][+-]?[0-9]+")]
    Float,
    #[regex(r#""(\\[^\n]|[^"\\])*""#)]
    String,
    #[regex(r"==|!=|<=|>=|&&|\|\||=>|\.\.|\?\?|[-+*/%=<>!|{}\[\](),.:?]")]
    Sign,
    /// The beginning of a comment that has no end.
    #[token("/*")]
    Unclosed,
    End,
}

/// A token with its text and its place in the source.
#[derive(Clone, Copy)]
pub(crate) struct Spanned<'s> {
    pub(crate) token: Token,
    pub(crate) text: &'s str,
    pub(crate) pos: u32,
}

/// Cuts the source into tokens, with one `End` at the end.
pub(crate) fn tokens(source: &str) -> Result<Vec<Spanned<'_>>> {
    if u32::try_from(source.len()).is_err() {
        return error_at(0, "the source is longer than 4 GiB");
    }
    let mut found = Vec::new();
    for (token, span) in Token::lexer(source).spanned() {
        let (pos, text) = (span.start as u32, &source[span]);
        match token {
            Ok(Token::Unclosed) => {
                return error_at(pos, "this comment has no end: a */ is missing");
            }
            Ok(token) => found.push(Spanned { token, text, pos }),
            Err(()) if text.starts_with('"') => {
                return error_at(pos, "this text has no end: a \" is missing");
            }
            Err(()) => return error_at(pos, format!("{text:?} begins no token")),
        }
    }
    found.push(Spanned { token: Token::End, text: "", pos: source.trim_end().len() as u32 });
    Ok(found)
}

/// What may stand behind a backslash, and what each of it means.
const ESCAPES: (&str, &str) = ("ntrabfv\\\"'", "\n\t\r\x07\x08\x0c\x0b\\\"'");

/// What a literal in quotes says.
pub(crate) fn unquote(quoted: &str, pos: u32) -> Result<String> {
    let mut text = String::with_capacity(quoted.len());
    let mut chars = quoted.get(1..quoted.len() - 1).unwrap_or_default().chars();
    while let Some(c) = chars.next() {
        match if c == '\\' { escaped(&mut chars) } else { Some(c) } {
            Some(c) => text.push(c),
            None => return error_at(pos, "this text has an escape that means nothing"),
        }
    }
    Ok(text)
}

/// The character that an escape stands for: a letter or sign, or a code of so many digits.
fn escaped(chars: &mut Chars<'_>) -> Option<char> {
    let first = chars.next()?;
    let (count, radix) = match first {
        '0'..='7' => (3, 8),
        'x' => (2, 16),
        'u' => (4, 16),
        'U' => (8, 16),
        c => return ESCAPES.0.find(c).and_then(|n| ESCAPES.1.chars().nth(n)),
    };
    let octal = (radix == 8).then_some(first);
    let digits: String = octal.into_iter().chain(chars).take(count).collect();
    let code = u32::from_str_radix(&digits, radix).ok().filter(|_| digits.len() == count)?;
    char::from_u32(code)
}

/// The length of the token at the start of `source`.
pub(crate) fn first_len(source: &str) -> usize {
    let first = Token::lexer(source).spanned().next();
    first.filter(|(_, span)| span.start == 0).map_or(0, |(_, span)| span.end)
}
