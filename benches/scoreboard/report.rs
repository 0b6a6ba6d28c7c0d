//! Lines of the scoreboard, as a table for people and as JSON for programs.

use std::fmt::Write as _;

use crate::measure::{Cost, Measured};
use crate::subjects::contest::Unit;
use crate::table::{Peer, Row};

/// A row that has been measured.
pub(crate) struct Line {
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) segheap: Cost,
    pub(crate) peer: &'static str,
    pub(crate) peer_cost: Cost,
    pub(crate) rounds: usize,
    pub(crate) noise: f64,
    pub(crate) target: f64,
}

impl Line {
    pub(crate) fn new(section: &'static str, row: &Row, unit: Unit, measured: &Measured) -> Line {
        let peer_cost = match row.peer {
            Peer::Contestant(name) => measured.costs[name],
            Peer::Limit(limit) => Cost { median: limit, quartiles: [limit; 2] },
        };
        Line {
            section,
            name: row.contest,
            unit,
            segheap: measured.costs["segheap"],
            peer: row.peer.name(),
            peer_cost,
            rounds: measured.rounds,
            noise: measured.noise,
            target: row.target(),
        }
    }

    pub(crate) fn ratio(&self) -> f64 {
        self.segheap.median / self.peer_cost.median
    }

    pub(crate) fn held(&self) -> bool {
        self.ratio() <= self.target + self.noise
    }

    pub(crate) fn verdict(&self) -> &'static str {
        if self.held() { "held" } else { "short" }
    }

    fn cells(&self) -> [String; 9] {
        [
            self.name.to_owned(),
            shown(self.segheap.median, self.unit),
            format!("{:.0} %", self.segheap.spread() * 100.0),
            self.peer.to_owned(),
            shown(self.peer_cost.median, self.unit),
            format!("{:.2}", self.ratio()),
            format!("{:.2}", self.target),
            format!("{:.0} %", self.noise * 100.0),
            self.verdict().to_owned(),
        ]
    }
}

const HEADS: [&str; 9] =
    ["Work", "segheap", "spread", "Peer or limit", "its cost", "ratio", "target", "noise", ""];
/// Columns that are read from the right.
const NUMBERS: [bool; 9] = [false, true, true, false, true, true, true, true, false];

/// Three digits that count, and a unit.
fn shown(cost: f64, unit: Unit) -> String {
    let (number, unit) = match unit {
        Unit::Bytes => (cost, "B"),
        Unit::Nanoseconds if cost < 1e3 => (cost, "ns"),
        Unit::Nanoseconds if cost < 1e6 => (cost / 1e3, "µs"),
        Unit::Nanoseconds => (cost / 1e6, "ms"),
    };
    let digits = if number < 9.995 {
        2
    } else if number < 99.95 {
        1
    } else {
        0
    };
    format!("{number:.digits$} {unit}")
}

/// The columns of the whole table.
const ALL: [usize; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
/// Those for a first look.
pub(crate) const FEW: [usize; 6] = [0, 1, 3, 4, 5, 6];

/// The table as text with aligned columns, which is Markdown as well.
pub(crate) fn table<'a, const N: usize>(
    lines: impl IntoIterator<Item = &'a Line>,
    columns: [usize; N],
) -> String {
    let rows = lines.into_iter().map(|line| columns.map(|column| line.cells()[column].clone()));
    let rows: Vec<[String; N]> = rows.collect();
    let (heads, numbers) = (columns.map(|at| HEADS[at].to_owned()), columns.map(|at| NUMBERS[at]));
    let all = || [&heads].into_iter().chain(&rows);
    let widths: [usize; N] = std::array::from_fn(|column| {
        all().map(|row| row[column].chars().count()).max().unwrap_or(0).max(2)
    });
    let mut text = String::new();
    for (at, row) in all().enumerate() {
        for ((cell, width), number) in row.iter().zip(widths).zip(numbers) {
            text += "| ";
            let pad = width - cell.chars().count();
            let (before, after) = if number { (pad, 0) } else { (0, pad) };
            write!(text, "{:before$}{cell}{:after$} ", "", "").unwrap();
        }
        text += "|\n";
        if at == 0 {
            for (width, number) in widths.into_iter().zip(numbers) {
                let (dashes, end) = ("-".repeat(width + 1), if number { ":" } else { "-" });
                write!(text, "|{dashes}{end}").unwrap();
            }
            text += "|\n";
        }
    }
    text
}

/// The table under the heading of each section.
pub(crate) fn tables(lines: &[Line]) -> String {
    let mut text = String::new();
    for section in lines.chunk_by(|a, b| a.section == b.section) {
        write!(text, "\n### {}\n\n{}", section[0].section, table(section, ALL)).unwrap();
    }
    text
}

/// "71 of 80 rows held".
pub(crate) fn summary(lines: &[Line]) -> String {
    let held = lines.iter().filter(|line| line.held()).count();
    format!("{held} of {} rows held", lines.len())
}

/// A list of rows. Costs are those of one operation, medians, in nanoseconds
/// unless `unit` is bytes.
pub(crate) fn json(lines: &[Line]) -> String {
    let rows: Vec<String> = lines.iter().map(json_row).collect();
    format!("[\n{}\n]\n", rows.join(",\n"))
}

fn json_row(line: &Line) -> String {
    let unit = if line.unit == Unit::Bytes { "bytes" } else { "ns" };
    format!(
        concat!(
            "  {{\"name\": {}, \"segheap_ns\": {:.4}, \"peer\": {}, \"peer_ns\": {:.4}, ",
            "\"ratio\": {:.4}, \"target\": {}, \"held\": {}, \"unit\": \"{}\", ",
            "\"segheap_spread\": {:.4}, \"peer_spread\": {:.4}, \"noise\": {:.4}, \"rounds\": {}}}"
        ),
        quoted(line.name),
        line.segheap.median,
        quoted(line.peer),
        line.peer_cost.median,
        line.ratio(),
        line.target,
        line.held(),
        unit,
        line.segheap.spread(),
        line.peer_cost.spread(),
        line.noise,
        line.rounds,
    )
}

/// A text as JSON has it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\0'..' ' => write!(quoted, "\\u{:04x}", u32::from(c)).unwrap(),
            _ => quoted.push(c),
        }
    }
    quoted + "\""
}
