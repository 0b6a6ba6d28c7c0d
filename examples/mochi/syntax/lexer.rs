//! Tokens, by the crate `logos`.

use logos::Logos;

use crate::errors::{Fault, Result, fault};

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
    Text,
    #[regex(r"==|!=|<=|>=|&&|\|\||=>|\.\.|\?\?|[-+*/%=<>!|{}\[\](),.:?]")]
    Sign,
    /// The beginning of a comment that has no end.
    #[token("/*")]
    Unclosed,
    End,
}

/// Where a token lies in the source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Cuts the source into tokens, with one `End` at the end.
pub(crate) fn tokens(source: &str) -> Result<Vec<Spanned>> {
    if u32::try_from(source.len()).is_err() {
        return fault(0, "the source is longer than 4 GiB");
    }
    let mut found = Vec::new();
    for (token, span) in Token::lexer(source).spanned() {
        let (start, end) = (span.start as u32, span.end as u32);
        match token {
            Ok(Token::Unclosed) | Err(()) => return Err(unknown(source, start)),
            Ok(token) => found.push(Spanned { token, start, end }),
        }
    }
    let end = source.trim_end().len() as u32;
    found.push(Spanned { token: Token::End, start: end, end });
    Ok(found)
}

fn unknown(source: &str, start: u32) -> Fault {
    let rest = source.get(start as usize..).unwrap_or_default();
    let message = if rest.starts_with('"') {
        "this text has no end: a \" is missing".to_owned()
    } else if rest.starts_with("/*") {
        "this comment has no end: a */ is missing".to_owned()
    } else {
        format!("{:?} begins no token", rest.chars().next().unwrap_or(' '))
    };
    Fault::new(start, message)
}

/// What a literal in quotes says.
pub(crate) fn unquote(quoted: &str, at: u32) -> Result<String> {
    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        let code = |chars: &mut std::str::Chars<'_>, digits: usize| {
            let digits: String = chars.by_ref().take(digits).collect();
            u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
        };
        let octal = |first: char, chars: &mut std::str::Chars<'_>| {
            let digits: String = std::iter::once(first).chain(chars.by_ref().take(2)).collect();
            u32::from_str_radix(&digits, 8)
                .ok()
                .filter(|_| digits.len() == 3)
                .and_then(char::from_u32)
        };
        let escaped = match chars.next() {
            Some('n') => Some('\n'),
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('a') => Some('\x07'),
            Some('b') => Some('\x08'),
            Some('f') => Some('\x0c'),
            Some('v') => Some('\x0b'),
            Some(first @ '0'..='7') => octal(first, &mut chars),
            Some(c @ ('\\' | '"' | '\'')) => Some(c),
            Some('x') => code(&mut chars, 2),
            Some('u') => code(&mut chars, 4),
            Some('U') => code(&mut chars, 8),
            _ => None,
        };
        match escaped {
            Some(c) => text.push(c),
            None => return fault(at, "this text has an escape that means nothing"),
        }
    }
    Ok(text)
}

/// The length of the token at the start of `source`.
pub(crate) fn first_len(source: &str) -> Option<usize> {
    Token::lexer(source)
        .spanned()
        .next()
        .filter(|(_, span)| span.start == 0)
        .map(|(_, span)| span.end)
}
