//! Completion of names at the prompt.

use rustyline::completion::{Completer, extract_word};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use crate::builtins::Builtin;
use crate::compile::Env;
use crate::syntax::parser::KEYWORDS;

/// The names that an input may mention, sorted: of the program so far, of built-in functions, and
/// keywords.
pub(crate) struct Names(Vec<String>);

impl Names {
    pub(crate) fn of(env: &Env) -> Names {
        let known = Builtin::names().chain(KEYWORDS.iter().copied()).map(str::to_owned);
        let mut names: Vec<String> = known.chain(env.names().map(str::to_owned)).collect();
        names.push(":help".to_owned());
        names.sort_unstable();
        names.dedup();
        Names(names)
    }

    /// The start of the name before a position, and the names that begin so.
    fn candidates(&self, line: &str, position: usize) -> (usize, Vec<String>) {
        let is_break = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
        let (start, word) = extract_word(line, position, None, is_break);
        let fitting = self.0.iter().filter(|name| !word.is_empty() && name.starts_with(word));
        (start, fitting.cloned().collect())
    }
}

impl Completer for Names {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line, position))
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}

impl Validator for Names {}

impl Helper for Names {}
