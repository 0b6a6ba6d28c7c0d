//! Built-ins on strings, and output.

use std::io::{self, BufRead, Write};

use segheap::{Bytes, Cell, Heap, Str, TextPart};

use crate::format::Style;
use crate::interrupt;
use crate::values::*;

impl Context {
    /// Writes a line to the output. Returns null.
    pub(super) fn line(&mut self, text: &str) -> Outcome<Cell> {
        let written = writeln!(self.out, "{text}");
        written
            .map_or_else(|error| trap(format!("cannot write output: {error}")), |()| Ok(Cell::NULL))
    }

    pub(crate) fn print(&mut self, args: &[Cell]) -> Outcome<Cell> {
        let texts = args.iter().map(|&cell| self.format(cell, Style::Print));
        let line = texts.collect::<Outcome<Vec<_>>>()?.join(" ");
        self.line(if args.len() > 2 { line.trim() } else { &line })
    }

    pub(super) fn str(&mut self, cell: Cell) -> Outcome<Cell> {
        match cell.to_handle::<Bytes>() {
            Ok(bytes) => {
                // Concatenation puts short strings into the cell.
                let text = self.convert_across::<Str>(bytes, ..)?;
                Ok(self.concat(&[TextPart::Whole(text.into())])?)
            }
            Err(_) if is_string(cell) => Ok(cell),
            Err(_) => self.format(cell, Style::Str)?.to_cell(self),
        }
    }

    /// The slice of a list or a string between two indices, clamped to it. Negative ones count from
    /// the end.
    pub(crate) fn slice(&mut self, base: Cell, start: i64, end: i64) -> Outcome<Cell> {
        let base = unwrap_group(self, base);
        match base.kind() {
            _ if is_string(base) => self.substring(base, start, end),
            Some(kind) if is_list(base) => {
                let (start, end) = clamp_range(len(self, base)?, start, end);
                Ok(self.convert_across_any(kind, base, start..end)?)
            }
            _ => trap(format!("cannot slice a value of type `{}`", type_name(self, base))),
        }
    }
}

/// Reads a line of standard input, without its end. It is empty at the end of the input.
pub(super) fn input() -> Outcome<String> {
    let line = interrupt::waiting(read_line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn read_line() -> Outcome<String> {
    #[cfg(feature = "cli")]
    if interrupt::at_prompt() {
        return crate::repl::read_line();
    }
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(_) => Ok(line),
        Err(error) => trap(format!("cannot read standard input: {error}")),
    }
}

/// Fails if a string of this length cannot exist, before memory for it is allocated.
pub(super) fn check_len(heap: &Heap, len: usize) -> Outcome<()> {
    let max = heap.limits().bytes.min(u32::MAX as usize);
    if len > max { trap("out of memory: string is too long") } else { Ok(()) }
}

/// The padding of a string to a width.
pub(super) fn padding(heap: &Heap, [x, width, pad]: [Cell; 3]) -> Outcome<String> {
    let (width, pad) =
        (usize::try_from(expect_int(heap, width)?).unwrap_or(0), expect_string(heap, pad)?);
    let missing = width.saturating_sub(len(heap, x)?);
    check_len(heap, missing)?;
    let pad = if pad.is_empty() { " " } else { &pad };
    Ok(pad.chars().cycle().take(missing).collect())
}

pub(super) fn split(heap: &mut Heap, string: Cell, separator: Cell) -> Outcome<Cell> {
    let string = expect_string(heap, string)?;
    let separator =
        if separator.is_null() { " ".to_owned() } else { expect_string(heap, separator)? };
    let parts: Outcome<Vec<Cell>> = match separator.as_str() {
        "" => string.chars().map(|c| String::from(c).to_cell(heap)).collect(),
        separator => string.split(separator).map(|part| Ok(heap.string(part)?)).collect(),
    };
    alloc_list(heap, &parts?)
}
