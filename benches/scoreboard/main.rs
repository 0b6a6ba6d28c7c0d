//! Compares segheap with its peers and with physical limits, in one run.
//!
//! ```text
//! cargo bench --bench scoreboard               all rows, under ten minutes
//! cargo bench --bench scoreboard -- --quick    all rows, under 40 seconds
//! cargo bench --bench scoreboard -- map        rows whose name contains it
//! cargo bench --bench scoreboard -- --record   all rows; writes and publishes a record
//! cargo bench --bench scoreboard -- --redraw   publishes the newest record, no measurement
//! cargo test --bench scoreboard                one pass that checks the results
//! ```
//!
//! Every comparison first checks that all contenders return the same result, then
//! measures them in alternating rounds. The costs go to standard output as a table, and
//! to `target/scoreboard.json` and `target/scoreboard.svg`, and pauses beside 8M objects to
//! `target/pauses.svg`. A target is met if the ratio
//! is at most the target plus the noise, which is segheap compared with itself. The
//! exit code is 0 unless results differ.
//!
//! `table.rs` has the rows and their targets, `benches/subjects` the measured work.

#[path = "../arguments.rs"]
mod arguments;
mod histogram;
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

use arguments::Arguments;
use clap::{Command, arg};
use histogram::Histogram;
use measure::{Effort, Mismatch, measure};
use picture::Picture;
use publish::publish;
use record::Record;
use report::Line;
use subjects::comparison::Comparison;
use subjects::pauses;
use table::{Peer, Row, TABLE};

/// Own options; `benches/arguments.rs` has those of every target.
fn arguments() -> Arguments {
    let command = Command::new("scoreboard")
        .about("Compares segheap with its peers and with physical limits")
        .arg(arg!(--quick "Measure fewer rounds"))
        .arg(arg!(--record "Write and publish a record").conflicts_with_all(["FILTERS", "skip"]))
        .arg(arg!(--redraw "Publish the newest record, without measurement"));
    Arguments::parse(command)
}

fn main() -> ExitCode {
    if subjects::is_child() {
        return ExitCode::SUCCESS;
    }
    match run(&arguments()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("scoreboard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    if arguments.0.get_flag("redraw") {
        publish(&Record::newest()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let groups: Vec<Group> = groups().collect();
    if arguments.list(groups.iter().map(Group::name)) {
        return Ok(ExitCode::SUCCESS);
    }
    let groups: Vec<Group> =
        groups.into_iter().filter(|group| arguments.selects(group.name())).collect();
    if arguments.measures() { compare(arguments, &groups) } else { verify(&groups) }
}

/// The rows of one comparison, which are measured together.
struct Group {
    section: &'static str,
    rows: &'static [Row],
}

fn groups() -> impl Iterator<Item = Group> {
    TABLE.iter().flat_map(|section| {
        let groups = section.rows.chunk_by(|a, b| a.comparison == b.comparison);
        groups.map(|rows| Group { section: section.name, rows })
    })
}

impl Group {
    fn name(&self) -> &'static str {
        self.rows[0].comparison
    }

    /// Returns the comparison, and its peers in the rows.
    fn open(&self) -> Result<(Comparison, Vec<&'static str>), String> {
        let name = self.name();
        let entry = subjects::find(name).ok_or_else(|| format!("no comparison {name}"))?;
        Ok((subjects::open(entry), self.rows().filter_map(contender).collect()))
    }

    /// The rows whose peers are installed.
    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.rows.iter().filter(|row| !pauses::is_missing(row.peer.name()))
    }
}

/// Makes one pass, whose results are checked.
fn verify(groups: &[Group]) -> Result<ExitCode, Box<dyn Error>> {
    let mut code = ExitCode::SUCCESS;
    pauses::make_small();
    for group in groups {
        let (comparison, peers) = group.open()?;
        match measure::verify(comparison, &peers) {
            Ok(()) => println!("test {} ... ok", group.name()),
            Err(Mismatch(results)) => {
                println!("test {} ... FAILED: results differ: {results}", group.name());
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// Measures, prints and writes.
fn compare(arguments: &Arguments, groups: &[Group]) -> Result<ExitCode, Box<dyn Error>> {
    if groups.is_empty() {
        println!("no row has such a name");
        return Ok(ExitCode::SUCCESS);
    }
    let (start, progress) = (Instant::now(), stderr().is_terminal());
    let quick = arguments.0.get_flag("quick");
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    if quick {
        pauses::make_small();
    }
    let (mut lines, mut mismatches, mut unmeasured) = (Vec::new(), 0, 0);
    for (done, group) in groups.iter().enumerate() {
        if progress {
            eprint!("\r\x1b[K[{done}/{}] {}", groups.len(), group.name());
        }
        let (comparison, peers) = group.open()?;
        let unit = comparison.unit;
        let measured = if quick && comparison.rounds.is_some() {
            unmeasured += 1;
            measure::verify(comparison, &peers).map(|()| None)
        } else {
            measure(comparison, &peers, effort).map(Some)
        };
        match measured {
            Ok(measured) => {
                let measured = measured.iter();
                lines.extend(measured.flat_map(|measured| {
                    group.rows().map(|row| Line::new(group.section, row, unit, measured))
                }));
            }
            Err(Mismatch(results)) => {
                eprintln!("\n{}: results differ: {results}", group.name());
                mismatches += 1;
            }
        }
    }
    if progress {
        eprint!("\r\x1b[K");
    }
    let table = report::terminal(&lines, width());
    let (summary, seconds) = (report::summary(&lines), start.elapsed().as_secs());
    print(&format!("{table}\n{summary}, in {seconds} s.\n"))?;
    if unmeasured > 0 {
        println!("{unmeasured} comparisons that take seconds were only checked, at a small size.");
    }
    if groups.iter().any(|group| group.rows().count() < group.rows.len()) {
        println!("{}.", pauses::LUA_IS_MISSING);
    }
    if mismatches > 0 {
        println!("{mismatches} comparisons with different results");
        return Ok(ExitCode::FAILURE);
    }
    write(arguments, &lines)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes to standard output. A closed pipe is not an error.
fn print(text: &str) -> io::Result<()> {
    match stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes the record and the picture of a run; publishes them if that is asked for.
fn write(arguments: &Arguments, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let target = target();
    std::fs::create_dir_all(&target)?;
    let record = Record::new(lines, pauses::measured(), command(arguments))?;
    record.write(&target.join("scoreboard.json"))?;
    Picture::full(&record, lines).save(&target.join("scoreboard.svg"))?;
    if !record.pauses.is_empty() {
        Histogram::of(&record).save(&target.join("pauses.svg"))?;
    }
    if arguments.0.get_flag("record") {
        record.save()?;
        publish(&record)?;
    }
    Ok(())
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
fn command(arguments: &Arguments) -> String {
    let given = |option: &&str| arguments.0.get_flag(option);
    let options = ["quick", "record"].into_iter().filter(given);
    let options: String = options.map(|option| format!(" --{option}")).collect();
    format!("cargo bench --bench scoreboard --{options}")
}

/// Columns of the output.
fn width() -> u16 {
    let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size().map(|(width, _)| width.0);
    named.or_else(|| stdout().is_terminal().then(terminal).flatten()).unwrap_or(80)
}
