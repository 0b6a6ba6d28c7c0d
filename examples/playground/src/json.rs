//! JSON: what is sent to the page.

use std::fmt::Write as _;
use std::io::Write as _;

/// Sends a message: a line of standard output. There is nowhere to report a failure to.
pub(crate) fn send(message: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{message}");
}

/// A string.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            _ if c.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// An array.
pub(crate) fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from("[");
    for (n, item) in items.into_iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text.push(']');
    text
}
