//! Errors in a program, at compile time and at run time, and how they are rendered.

#[cfg(feature = "cli")]
use ariadne::{Color, Config, IndexType, Label, Report, ReportKind, Source};

use crate::syntax::lexer;

/// Calls of a stack trace that are rendered.
#[cfg(feature = "cli")]
const TRACE_MAX: usize = 8;

/// The characters of a source line that are rendered, if it has more.
#[cfg(feature = "cli")]
const LINE_MAX: usize = 100;
/// Those before the position.
#[cfg(feature = "cli")]
const BEFORE: usize = 40;

/// An error message and its position in the source.
#[derive(Debug, Clone)]
pub(crate) struct Diagnostic {
    /// A byte offset.
    pub(crate) pos: u32,
    pub(crate) message: String,
    /// The call stack, innermost call first: the function called, and the position of the call.
    pub(crate) trace: Vec<(String, u32)>,
}

pub(crate) type Result<T> = std::result::Result<T, Diagnostic>;

impl Diagnostic {
    pub(crate) fn new(pos: u32, message: impl Into<String>) -> Diagnostic {
        Diagnostic { pos, message: message.into(), trace: Vec::new() }
    }
}

/// Fails with a diagnostic.
pub(crate) fn error_at<T>(pos: u32, message: impl Into<String>) -> Result<T> {
    Err(Diagnostic::new(pos, message))
}

/// The message for a call that passes too few or too many arguments.
pub(crate) fn wrong_arity(callee: &str, (min, max): (usize, usize), given: usize) -> String {
    let takes = if min == max { min.to_string() } else { format!("{min} to {max}") };
    let arguments = if (min, max) == (1, 1) { "argument" } else { "arguments" };
    let were = if given == 1 { "was" } else { "were" };
    format!("{callee} takes {takes} {arguments} but {given} {were} given")
}

/// The line and the column of a position, both counted from 1.
pub(crate) fn line_and_column(source: &str, pos: u32) -> (usize, usize) {
    let before = source.get(..pos as usize).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

/// The token at a position, as a range of bytes.
pub(crate) fn token_at(source: &str, pos: u32) -> std::ops::Range<usize> {
    let start = (pos as usize).min(source.len());
    start..start + source.get(start..).map_or(0, lexer::first_token_len)
}

/// A position as `file:line:column`.
#[cfg(feature = "cli")]
fn location(file: &str, source: &str, pos: u32) -> String {
    let (line, column) = line_and_column(source, pos);
    format!("{file}:{line}:{column}")
}

/// Cuts a line of a snippet to what is near a column of the source.
#[cfg(feature = "cli")]
fn cut_line(line: &str, column: usize) -> String {
    let Some((margin, content)) = line.split_once("│ ") else { return format!("{line}\n") };
    let start = column.saturating_sub(BEFORE);
    let shown: String = content.chars().skip(start).take(LINE_MAX).collect();
    let is_source = margin.contains(|c: char| c.is_ascii_digit());
    let mark = |cut: bool| {
        if cut && is_source {
            "..."
        } else if cut {
            "   "
        } else {
            ""
        }
    };
    let (before, after) = (mark(start > 0), mark(content.chars().count() > start + LINE_MAX));
    format!("{margin}│ {}\n", format!("{before}{shown}{after}").trim_end())
}

/// Renders a diagnostic: `file:line:column: message`, the source line, and the stack trace.
#[cfg(feature = "cli")]
pub(crate) fn render(diagnostic: &Diagnostic, file: &str, source: &str) -> String {
    let Diagnostic { pos, message, trace } = diagnostic;
    let mut text = format!("{}: {message}\n", location(file, source, *pos));
    let (line, column) = line_and_column(source, *pos);
    let len = source.lines().nth(line.saturating_sub(1)).map_or(0, |line| line.chars().count());
    let is_long = len > LINE_MAX;
    // Escape sequences for colors would count as characters of a line that is cut.
    let color = !is_long && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let config = Config::default().with_color(color).with_index_type(IndexType::Byte);
    let token = token_at(source, *pos);
    let shown = source[token.clone()].char_indices().nth(LINE_MAX / 4);
    let end = shown.map_or(token.end, |(len, _)| token.start + len);
    let span = (file, token.start..end);
    let report = Report::build(ReportKind::Error, span.clone())
        .with_config(config)
        .with_label(Label::new(span).with_message("here").with_color(Color::Red))
        .finish();
    let mut rendered = Vec::new();
    if report.write((file, Source::from(source)), &mut rendered).is_ok() {
        // The first line would be the message once more.
        let rendered = String::from_utf8_lossy(&rendered);
        let snippet = rendered.split_once('\n').map_or("", |(_, snippet)| snippet);
        if is_long {
            snippet.lines().for_each(|line| text.push_str(&cut_line(line, column)));
        } else {
            text.push_str(snippet);
        }
    }
    for (function, call) in trace.iter().take(TRACE_MAX) {
        text.push_str(&format!("  in {function}, called at {}\n", location(file, source, *call)));
    }
    if let more @ 1.. = trace.len().saturating_sub(TRACE_MAX) {
        text.push_str(&format!("  ... {more} more calls\n"));
    }
    text
}
