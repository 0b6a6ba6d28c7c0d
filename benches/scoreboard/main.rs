//! Compares segheap with its peers and with physical limits, in one run.
//!
//! ```text
//! cargo bench --bench scoreboard               all rows, under ten minutes
//! cargo bench --bench scoreboard -- --quick    all rows, under 40 seconds
//! cargo bench --bench scoreboard -- map        rows whose name contains it
//! cargo bench --bench scoreboard -- --record   all rows; writes and publishes a record
//! cargo bench --bench scoreboard -- --redraw   publishes the newest record, no measurement
//! ```
//!
//! Every comparison first checks that all contenders return the same result, then
//! measures them in alternating rounds. The costs go to standard output as a table, and
//! to `target/scoreboard.json` and `target/scoreboard.svg`. A target is met if the ratio
//! is at most the target plus the noise, which is segheap compared with itself. The
//! exit code is 0 unless results differ.
//!
//! `table.rs` has the rows and their targets, `benches/subjects` the measured work.

mod measure;
mod picture;
mod publish;
mod record;
mod report;
#[path = "../subjects/mod.rs"]
mod subjects;
mod table;

use std::error::Error;
use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use measure::{Effort, Mismatch, measure};
use picture::Picture;
use publish::publish;
use record::Record;
use report::Line;
use table::{Peer, Row, TABLE};

struct Options {
    effort: Effort,
    quick: bool,
    record: bool,
    redraw: bool,
    filter: Option<String>,
}

fn options() -> Result<Options, String> {
    let (mut quick, mut record, mut redraw, mut filter) = (false, false, false, None);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--bench" => (), // cargo's
            "--quick" => quick = true,
            "--record" => record = true,
            "--redraw" => redraw = true,
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            _ => filter = Some(argument),
        }
    }
    if record && filter.is_some() {
        return Err("only a run of all rows can be recorded".into());
    }
    Ok(Options {
        effort: if quick { Effort::QUICK } else { Effort::FULL },
        quick,
        record,
        redraw,
        filter,
    })
}

fn main() -> ExitCode {
    if subjects::fresh::is_child() {
        return ExitCode::SUCCESS;
    }
    match options().map_err(Into::into).and_then(|options| run(&options)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("scoreboard: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the rows by comparison, which are measured together.
fn groups(filter: &str) -> Vec<(&'static str, &'static [Row])> {
    let groups = TABLE.iter().flat_map(|section| {
        let groups = section.rows.chunk_by(|a, b| a.comparison == b.comparison);
        groups.map(|rows| (section.name, rows))
    });
    groups.filter(|(_, rows)| rows[0].comparison.contains(filter)).collect()
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if options.redraw {
        publish(&Record::newest()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let start = Instant::now();
    let filter = options.filter.as_deref().unwrap_or_default();
    let groups = groups(filter);
    if groups.is_empty() {
        return Err(format!("no name of a row contains \"{filter}\"").into());
    }
    let (lines, mismatches) = measure_all(&groups, options.effort)?;
    let table = report::terminal(&lines, width());
    let (summary, seconds) = (report::summary(&lines), start.elapsed().as_secs());
    print(&format!("{table}\n{summary}, in {seconds} s.\n"))?;
    if mismatches > 0 {
        return Err(format!("{mismatches} comparisons with different results").into());
    }
    let target = target();
    std::fs::create_dir_all(&target)?;
    let record = Record::new(&lines, command(options))?;
    record.write(&target.join("scoreboard.json"))?;
    Picture::full(&record, &lines).save(&target.join("scoreboard.svg"))?;
    if options.record {
        record.save()?;
        publish(&record)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the measured rows, and the number of comparisons with different results.
fn measure_all(
    groups: &[(&'static str, &'static [Row])],
    effort: Effort,
) -> Result<(Vec<Line>, usize), Box<dyn Error>> {
    let (mut lines, mut mismatches) = (Vec::new(), 0);
    for (done, (section, rows)) in groups.iter().enumerate() {
        let name = rows[0].comparison;
        if stderr().is_terminal() {
            eprint!("\r\x1b[K[{done}/{}] {name}", groups.len());
        }
        let comparison =
            subjects::open(subjects::find(name).ok_or_else(|| format!("no comparison {name}"))?);
        let peers: Vec<&str> = rows.iter().filter_map(contender).collect();
        let unit = comparison.unit;
        match measure(comparison, &peers, effort) {
            Ok(measured) => {
                lines.extend(rows.iter().map(|row| Line::new(section, row, unit, &measured)));
            }
            Err(Mismatch(results)) => {
                eprintln!("\n{name}: results differ: {results}");
                mismatches += 1;
            }
        }
    }
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    Ok((lines, mismatches))
}

/// Writes to standard output. A closed pipe is not an error.
fn print(text: &str) -> io::Result<()> {
    match stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn contender(row: &Row) -> Option<&'static str> {
    match row.peer {
        Peer::Contender(name) => Some(name),
        Peer::Limit(_) => None,
    }
}

/// Cargo's target folder.
fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(target)
}

/// The command of this run.
fn command(options: &Options) -> String {
    let mut command = vec!["cargo bench --bench scoreboard --"];
    command.extend(options.quick.then_some("--quick"));
    command.extend(options.record.then_some("--record"));
    command.extend(options.filter.as_deref());
    command.join(" ")
}

/// Columns of the output.
fn width() -> u16 {
    let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size().map(|(width, _)| width.0);
    named.or_else(|| stdout().is_terminal().then(terminal).flatten()).unwrap_or(80)
}
