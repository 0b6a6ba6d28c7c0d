//! Formatting of values: `print`, `str` and JSON.

use std::fmt::Write;
use std::ops::Range;

use segheap::bstr::ByteSlice;
use segheap::{Cell, Kind, Map, Struct, Unpacked};

use crate::compile::GROUP;
use crate::interrupt;
use crate::values::{Context, Native, Outcome, decimal, dispatch_list};

/// The nesting of containers that is formatted.
const DEPTH_MAX: usize = 10_000;

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As `print` does: a string as it is, a list as `[1, "a"]`.
    Print,
    /// As inside a printed list: a string is quoted.
    Quoted,
    /// As `str` does: a list as `[1 a]`, a map as `map[k:v]`.
    Str,
    /// Indented JSON.
    Json,
    /// JSON on one line.
    Compact,
}

impl Style {
    fn is_json(self) -> bool {
        matches!(self, Style::Json | Style::Compact)
    }

    /// Null, and the punctuation of maps: open, separator, key separator, close.
    fn punctuation(self) -> [&'static str; 5] {
        match self {
            Style::Print | Style::Quoted => ["nil", "{", ", ", ": ", "}"],
            Style::Str => ["<nil>", "map[", " ", ":", "]"],
            Style::Json => ["null", "{", ",", ": ", "}"],
            Style::Compact => ["null", "{", ",", ":", "}"],
        }
    }
}

/// A piece of pending output.
pub(crate) enum Fragment {
    /// A value, and whether it is an argument of `print`.
    Value(Cell, bool),
    Static(&'static str),
    Owned(String),
    NewLine,
    /// The end of the innermost open container.
    Close,
}

impl Context {
    /// Formats a value. Pending output is on an explicit stack, so deep values need no recursion.
    /// A value that contains another many times may take for ever, so this polls.
    pub(crate) fn format(&self, cell: Cell, style: Style) -> Outcome<String> {
        let mut out = String::new();
        let mut pending = vec![Fragment::Value(cell, style == Style::Print)];
        let mut open = Vec::new();
        while let Some(fragment) = pending.pop() {
            interrupt::poll()?;
            match fragment {
                Fragment::Static(text) => out.push_str(text),
                Fragment::Owned(text) => out.push_str(&text),
                Fragment::NewLine => {
                    out.push('\n');
                    out.push_str(&"  ".repeat(open.len()));
                }
                Fragment::Close => drop(open.pop()),
                Fragment::Value(cell, _)
                    if cell.kind().is_some() && open.contains(&cell) || open.len() > DEPTH_MAX =>
                {
                    out.push_str(if cell.kind() == Some(Kind::MAP) { "{...}" } else { "[...]" });
                }
                Fragment::Value(cell, alone) => match self.fragments(cell, style)? {
                    Some(fragments) => {
                        open.push(cell);
                        pending.extend(fragments);
                    }
                    None => self.scalar(cell, style, alone, &mut out),
                },
            }
        }
        Ok(out)
    }

    /// Formats a value that is no container.
    fn scalar(&self, cell: Cell, style: Style, alone: bool, out: &mut String) {
        match cell.unpack() {
            Unpacked::Null => out.push_str(style.punctuation()[0]),
            Unpacked::Float(float) if style == Style::Str || alone => {
                out.push_str(&go_float(float, -4..6));
            }
            Unpacked::Float(float) if style.is_json() => out.push_str(&go_float(float, -6..21)),
            Unpacked::Float(float) => {
                let text = plain_float(float);
                out.push_str(&text);
                out.push_str(if text.contains('.') { "" } else { ".0" });
            }
            Unpacked::Object(Kind::CLOSURE) => out.push_str("<function>"),
            _ => match self.heap.text(cell) {
                Ok(text) if alone || style == Style::Str => out.push_str(&text.to_str_lossy()),
                Ok(text) => out.push_str(&quoted(&text.to_str_lossy(), style.is_json())),
                Err(_) => out.push_str(&decimal(self, cell)),
            },
        }
    }

    /// The output for a list, a map or a struct, in reverse; `None` for other values.
    fn fragments(&self, cell: Cell, style: Style) -> Outcome<Option<Vec<Fragment>>> {
        let [_, open, comma, _, close] = style.punctuation();
        let mut brackets = ["[", "]"];
        let items: Vec<Vec<Fragment>> = dispatch_list!(cell, K => {
            let items = self.get::<K>(cell)?.as_slice();
            items.iter().map(|item| vec![item.fragment()]).collect()
        }, {
            brackets = [open, close];
            match self.entries(cell, style)? {
                Some(entries) => entries,
                None => return Ok(None),
            }
        });
        let lines = style == Style::Json && !items.is_empty();
        let mut all = vec![Fragment::Static(brackets[0])];
        for (n, item) in items.into_iter().enumerate() {
            all.extend((n > 0).then_some(Fragment::Static(comma)));
            all.extend(lines.then_some(Fragment::NewLine));
            all.extend(item);
        }
        all.push(Fragment::Close);
        all.extend(lines.then_some(Fragment::NewLine));
        all.push(Fragment::Static(brackets[1]));
        all.reverse();
        Ok(Some(all))
    }

    /// The output for each entry of a map or field of a struct, in the order of their keys.
    fn entries(&self, cell: Cell, style: Style) -> Outcome<Option<Vec<Vec<Fragment>>>> {
        let key_of = |key: &str| match style {
            Style::Str => key.to_owned(),
            _ => quoted(key, style.is_json()),
        };
        let mut entries: Vec<(String, Fragment)> = Vec::new();
        if let Ok(map) = self.get::<Map>(cell) {
            for (key, value) in map.iter() {
                entries.push((self.format(key, Style::Str)?, value.fragment()));
            }
        } else {
            let Ok(record) = self.get::<Struct>(cell) else { return Ok(None) };
            let shape = &self.shapes[record.shape() as usize];
            if record.shape() != u32::from(GROUP) {
                entries.push(("__name".to_owned(), Fragment::Owned(key_of(&shape.name))));
            }
            let fields = shape.fields.iter().zip(record.as_slice());
            entries.extend(fields.map(|((field, _), value)| (field.clone(), value.fragment())));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        let [_, _, _, colon, _] = style.punctuation();
        let parts = |(key, value): (String, _)| {
            vec![Fragment::Owned(key_of(&key)), Fragment::Static(colon), value]
        };
        Ok(Some(entries.into_iter().map(parts).collect()))
    }
}

/// Quotes and escapes a string. JSON has the first seven of the short escapes only.
fn quoted(text: &str, json: bool) -> String {
    let (special, letters) = ("\"\\\n\r\t\u{8}\u{c}\u{7}\u{b}", "\"\\nrtbfav");
    let mut out = String::from('"');
    for c in text.chars() {
        let escape = special.chars().take(if json { 7 } else { 9 }).position(|it| it == c);
        let _ = match escape.and_then(|n| letters.chars().nth(n)) {
            Some(letter) => write!(out, "\\{letter}"),
            None if json && (c < ' ' || "<>&\u{2028}\u{2029}".contains(c)) => {
                write!(out, "\\u{:04x}", u32::from(c))
            }
            None if !json && c.is_control() && c < '\u{100}' => {
                write!(out, "\\x{:02x}", u32::from(c))
            }
            None => out.write_char(c),
        };
    }
    out.push('"');
    out
}

fn plain_float(float: f64) -> String {
    if float.is_infinite() { format!("{float:+}").replace("inf", "Inf") } else { float.to_string() }
}

/// The shortest digits that round-trip, as Go prints them: with an exponent outside of this range.
fn go_float(float: f64, exponents: Range<i32>) -> String {
    let scientific = format!("{float:e}");
    let Some((decimal, exponent)) = scientific.split_once('e') else { return plain_float(float) };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponents.contains(&exponent) {
        return plain_float(float);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{decimal}e{sign}{:02}", exponent.abs())
}
