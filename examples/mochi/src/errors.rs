//! Failures of a program, and how they are shown.

use ariadne::{Color, Config, IndexType, Label, Report, ReportKind, Source};

use crate::syntax::lexer;

/// What is wrong, and where in the source it is.
#[derive(Debug, Clone)]
pub(crate) struct Diagnostic {
    pub(crate) pos: u32,
    pub(crate) message: String,
    /// Calls that led here, the innermost first: a name, and the place of the call.
    pub(crate) trace: Vec<(String, u32)>,
}

pub(crate) type Result<T> = std::result::Result<T, Diagnostic>;

impl Diagnostic {
    pub(crate) fn new(pos: u32, message: impl Into<String>) -> Diagnostic {
        Diagnostic { pos, message: message.into(), trace: Vec::new() }
    }
}

pub(crate) fn error_at<T>(pos: u32, message: impl Into<String>) -> Result<T> {
    Err(Diagnostic::new(pos, message))
}

/// A place by its line and column, both from 1.
fn location(name: &str, source: &str, pos: u32) -> String {
    let before = source.get(..pos as usize).unwrap_or(source);
    let (line, start) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |n| n + 1));
    format!("{name}:{line}:{}", before[start..].chars().count() + 1)
}

/// Shows the diagnostic with the line of the source that it is in.
pub(crate) fn render(diagnostic: &Diagnostic, name: &str, source: &str) -> String {
    let mut text = format!("{}: {}\n", location(name, source, diagnostic.pos), diagnostic.message);
    let start = (diagnostic.pos as usize).min(source.len());
    let end = start + source.get(start..).map_or(0, lexer::first_len);
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let config = Config::default().with_color(colour).with_index_type(IndexType::Byte);
    let span = (name, start..end);
    let report = Report::build(ReportKind::Error, span.clone())
        .with_config(config)
        .with_message(&diagnostic.message)
        .with_label(Label::new(span).with_message("here").with_color(Color::Red))
        .finish();
    let mut shown = Vec::new();
    if report.write((name, Source::from(source)), &mut shown).is_ok() {
        text.push_str(&String::from_utf8_lossy(&shown));
    }
    for (function, at) in diagnostic.trace.iter().take(8) {
        text.push_str(&format!("  in {function}, called at {}\n", location(name, source, *at)));
    }
    if diagnostic.trace.len() > 8 {
        text.push_str(&format!("  and {} calls more\n", diagnostic.trace.len() - 8));
    }
    text
}
