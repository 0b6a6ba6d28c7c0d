//! From text to a tree: `lexer` cuts the text into tokens, `parser` builds the tree of `ast`.

pub(crate) mod ast;
pub(crate) mod lexer;
pub(crate) mod parser;
