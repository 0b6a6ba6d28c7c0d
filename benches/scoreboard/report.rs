//! Rows of the scoreboard with their costs, as Markdown and for the terminal.

use std::fmt::Write as _;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use crate::measure::{Cost, Measured};
use crate::subjects::comparison::Unit;
use crate::table::{Peer, Row};

/// A measured row.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) segheap: Figure,
    pub(crate) peer: &'static str,
    pub(crate) peer_cost: Figure,
    pub(crate) rounds: usize,
    pub(crate) noise: f64,
    pub(crate) target: f64,
}

/// The cost of one operation.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    /// Relative to the median.
    pub(crate) spread: f64,
}

impl From<Cost> for Figure {
    fn from(cost: Cost) -> Figure {
        Figure { median: cost.median, spread: cost.spread() }
    }
}

impl Line {
    pub(crate) fn new(section: &'static str, row: &Row, unit: Unit, measured: &Measured) -> Line {
        let peer_cost = match row.peer {
            Peer::Contender(name) => measured.costs[name].into(),
            Peer::Limit(limit) => Figure { median: limit, spread: 0.0 },
        };
        Line {
            section,
            name: row.comparison,
            unit,
            segheap: measured.costs["segheap"].into(),
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

    pub(crate) fn met(&self) -> bool {
        self.ratio() <= self.target + self.noise
    }
}

/// A column of a table.
#[derive(Clone, Copy)]
enum Column {
    Work,
    Segheap,
    Spread,
    Peer,
    PeerCost,
    Ratio,
    Target,
    Noise,
    Verdict,
}
use Column::{Noise, Peer as PeerName, PeerCost, Ratio, Segheap, Spread, Target, Verdict, Work};

/// The columns of the full table, of terminals below 120 and below 100 columns, and of
/// README.md.
const FULL: &[Column] = &[Work, Segheap, Spread, PeerName, PeerCost, Ratio, Target, Noise, Verdict];
const MEDIUM: &[Column] = &[Work, Segheap, PeerName, PeerCost, Ratio, Verdict];
const NARROW: &[Column] = &[Work, Segheap, PeerName, Ratio, Verdict];
const README: &[Column] = &[Work, Segheap, PeerName, PeerCost, Ratio];

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Work => "Work",
            Segheap => "segheap",
            Spread => "Spread",
            PeerName => "Peer",
            PeerCost => "Peer's cost",
            Ratio => "Ratio",
            Target => "Target",
            Noise => "Noise",
            Verdict => "Verdict",
        }
    }

    fn is_number(self) -> bool {
        !matches!(self, Work | PeerName | Verdict)
    }

    fn text(self, line: &Line) -> String {
        match self {
            Work => line.name.to_owned(),
            Segheap => cost(line.segheap.median, line.unit),
            Spread => format!("{:.0} %", line.segheap.spread * 100.0),
            PeerName => line.peer.to_owned(),
            PeerCost => cost(line.peer_cost.median, line.unit),
            Ratio => format!("{:.2}", line.ratio()),
            Target => format!("{:.2}", line.target),
            Noise => format!("{:.0} %", line.noise * 100.0),
            Verdict => if line.met() { "met" } else { "missed" }.to_owned(),
        }
    }
}

/// Three significant digits and a unit.
fn cost(cost: f64, unit: Unit) -> String {
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

fn table<'a>(lines: impl IntoIterator<Item = &'a Line>, columns: &[Column]) -> Table {
    let cell = |column: Column, text: String| {
        let alignment = if column.is_number() { CellAlignment::Right } else { CellAlignment::Left };
        Cell::new(text).set_alignment(alignment)
    };
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(columns.iter().map(|&column| cell(column, column.heading().to_owned())));
    for line in lines {
        table.add_row(columns.iter().map(|&column| cell(column, column.text(line))));
    }
    table
}

fn markdown<'a>(lines: impl IntoIterator<Item = &'a Line>, columns: &[Column]) -> String {
    let mut text = String::new();
    for (n, row) in table(lines, columns).lines().enumerate() {
        if n == 1 {
            // Markdown aligns a column to the right by a colon at the end of its dashes.
            let cells = row.trim_matches('|').split('|').zip(columns);
            let cells = cells.map(|(dashes, column)| {
                let (dashes, end) = dashes.split_at(dashes.len() - 1);
                format!("{dashes}{}", if column.is_number() { ":" } else { end })
            });
            let cells: Vec<String> = cells.collect();
            writeln!(text, "|{}|", cells.join("|")).unwrap();
        } else {
            writeln!(text, "{row}").unwrap();
        }
    }
    text
}

/// The full table in sections, as Markdown.
pub(crate) fn sections(lines: &[Line]) -> String {
    let mut text = String::new();
    for section in lines.chunk_by(|a, b| a.section == b.section) {
        write!(text, "\n### {}\n\n{}", section[0].section, markdown(section, FULL)).unwrap();
    }
    text
}

/// The table of README.md, as Markdown.
pub(crate) fn readme<'a>(lines: impl IntoIterator<Item = &'a Line>) -> String {
    markdown(lines, README)
}

/// The table in sections for a terminal of `width` columns.
pub(crate) fn terminal(lines: &[Line], width: u16) -> String {
    let columns = match width {
        0..100 => NARROW,
        100..120 => MEDIUM,
        _ => FULL,
    };
    let style = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
    let mut text = String::new();
    for section in lines.chunk_by(|a, b| a.section == b.section) {
        let mut table = table(section, columns);
        table.load_style(style).set_width(width);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        for (n, column) in table.column_iter_mut().enumerate() {
            // The style puts one more space between columns.
            column.set_padding((0, u16::from(n + 1 < columns.len())));
        }
        write!(text, "\n{}\n\n{}\n", section[0].section, table.trim_fmt()).unwrap();
    }
    text
}

/// "71 of 80 targets met".
pub(crate) fn summary(lines: &[Line]) -> String {
    let met = lines.iter().filter(|line| line.met()).count();
    format!("{met} of {} targets met", lines.len())
}
