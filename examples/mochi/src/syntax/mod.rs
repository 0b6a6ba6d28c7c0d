//! From source text to an AST: `lexer` splits the text into tokens, `parser` builds the AST.

pub(crate) mod ast;
pub(crate) mod lexer;
pub(crate) mod parser;
