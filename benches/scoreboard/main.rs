//! segheap beside its peers and physical limits, in one run.
//!
//! ```text
//! cargo bench --bench scoreboard               all rows, under ten minutes
//! cargo bench --bench scoreboard -- --quick    all rows, under 40 seconds
//! cargo bench --bench scoreboard -- map        rows whose name contains it
//! cargo bench --bench scoreboard -- --record   all rows, and what is committed of them
//! ```
//!
//! Every contest starts with a check that all contestants come to the same answer;
//! then they take turns. What was measured goes to standard output as a table, and
//! to `target/scoreboard.json` and `target/scoreboard.svg`. A row is held when its
//! ratio is at most its target and its own noise, which is measured by segheap
//! against itself. The exit code is 0 unless an answer was wrong.
//!
//! `table.rs` has the rows and their targets, `benches/subjects` what they measure.

mod measure;
mod picture;
mod record;
mod report;
#[path = "../subjects/mod.rs"]
mod subjects;
mod table;

use std::error::Error;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use measure::{Effort, Wrong, measure};
use report::Line;
use table::{Peer, Row, TABLE};

struct Options {
    effort: Effort,
    quick: bool,
    record: bool,
    filter: Option<String>,
}

fn options() -> Result<Options, String> {
    let (mut quick, mut record, mut filter) = (false, false, None);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--bench" => (), // cargo's
            "--quick" => quick = true,
            "--record" => record = true,
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            _ => filter = Some(argument),
        }
    }
    if record && filter.is_some() {
        return Err("only a run of all rows can be recorded".into());
    }
    Ok(Options { effort: if quick { Effort::QUICK } else { Effort::FULL }, quick, record, filter })
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

/// Rows of one section and one contest: measured together.
fn groups(filter: &str) -> Vec<(&'static str, &'static [Row])> {
    let groups = TABLE.iter().flat_map(|section| {
        let groups = section.rows.chunk_by(|a, b| a.contest == b.contest);
        groups.map(|rows| (section.name, rows))
    });
    groups.filter(|(_, rows)| rows[0].contest.contains(filter)).collect()
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let start = Instant::now();
    let groups = groups(options.filter.as_deref().unwrap_or(""));
    if groups.is_empty() {
        println!("no row has such a name");
        return Ok(ExitCode::SUCCESS);
    }
    let (mut lines, mut wrong) = (Vec::new(), 0);
    for (done, (section, rows)) in groups.iter().enumerate() {
        let name = rows[0].contest;
        if stderr().is_terminal() {
            eprint!("\r\x1b[K[{done}/{}] {name}", groups.len());
        }
        let contest =
            subjects::open(subjects::find(name).ok_or_else(|| format!("no contest {name}"))?);
        let peers: Vec<&str> = rows.iter().filter_map(contestant).collect();
        let unit = contest.unit;
        match measure(contest, &peers, options.effort) {
            Ok(measured) => {
                lines.extend(rows.iter().map(|row| Line::new(section, row, unit, &measured)));
            }
            Err(Wrong(answers)) => {
                eprintln!("\n{name}: answers differ: {answers}");
                wrong += 1;
            }
        }
    }
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    println!("{}", report::tables(&lines));
    println!("{}, in {} s.", report::summary(&lines), start.elapsed().as_secs());
    if wrong > 0 {
        println!("{wrong} contests with wrong answers");
        return Ok(ExitCode::FAILURE);
    }
    let target = target();
    std::fs::create_dir_all(&target)?;
    std::fs::write(target.join("scoreboard.json"), report::json(&lines))?;
    picture::draw(&lines, &target.join("scoreboard.svg"))?;
    if options.record {
        record::record(&lines, options.quick)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn contestant(row: &Row) -> Option<&'static str> {
    match row.peer {
        Peer::Contestant(name) => Some(name),
        Peer::Limit(_) => None,
    }
}

/// Cargo's folder of things that are built.
fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(target)
}
