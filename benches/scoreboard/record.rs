//! Recorded runs: `benches/record/DATE.json`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::report::{Figure, Line};
use crate::subjects::comparison::Unit;
use crate::subjects::pauses::Run;
use crate::table::{TABLE, current_name, simd_name};

/// A run of all rows.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) date: String,
    pub(crate) machine: String,
    pub(crate) rustc: String,
    pub(crate) command: String,
    rows: Vec<RecordedRow>,
    /// The pauses of runs beside 8M objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pauses: Vec<Pauses>,
}

/// The pauses of a run.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pauses {
    pub(crate) name: String,
    pub(crate) longest_ns: u64,
    /// Place `n` counts pauses of `2^(n / 2)` ns and more.
    pub(crate) buckets: Vec<u64>,
}

/// Costs are medians of one operation, in `unit`.
#[derive(Serialize, Deserialize)]
struct RecordedRow {
    name: String,
    #[serde(alias = "segheap_ns")]
    segheap: f64,
    peer: String,
    #[serde(alias = "peer_ns")]
    peer_cost: f64,
    ratio: f64,
    target: f64,
    #[serde(alias = "held")]
    met: bool,
    unit: RecordedUnit,
    segheap_spread: f64,
    peer_spread: f64,
    noise: f64,
    rounds: usize,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RecordedUnit {
    Ns,
    Bytes,
}

impl RecordedRow {
    fn new(line: &Line) -> RecordedRow {
        RecordedRow {
            name: line.name.to_owned(),
            segheap: line.segheap.median,
            peer: line.peer.to_owned(),
            peer_cost: line.peer_cost.median,
            ratio: line.ratio(),
            target: line.target,
            met: line.met(),
            unit: match line.unit {
                Unit::Nanoseconds => RecordedUnit::Ns,
                Unit::Bytes => RecordedUnit::Bytes,
            },
            segheap_spread: line.segheap.spread,
            peer_spread: line.peer_cost.spread,
            noise: line.noise,
            rounds: line.rounds,
        }
    }

    /// With the names of the row as the table has them today.
    fn line(&self, section: &'static str, name: &'static str, peer: &'static str) -> Line {
        Line {
            section,
            name,
            unit: match self.unit {
                RecordedUnit::Ns => Unit::Nanoseconds,
                RecordedUnit::Bytes => Unit::Bytes,
            },
            segheap: Figure { median: self.segheap, spread: self.segheap_spread },
            peer,
            peer_cost: Figure { median: self.peer_cost, spread: self.peer_spread },
            rounds: self.rounds,
            noise: self.noise,
            target: self.target,
        }
    }
}

impl Record {
    /// Creates the record of a run that ends now.
    pub(crate) fn new(
        lines: &[Line],
        runs: Vec<(&str, Run)>,
        command: String,
    ) -> Result<Record, Box<dyn Error>> {
        let rows = lines.iter().map(RecordedRow::new).collect();
        let pauses = runs.into_iter().map(|(name, run)| Pauses {
            name: name.to_owned(),
            longest_ns: run.longest,
            buckets: run.pauses,
        });
        let pauses = pauses.collect();
        Ok(Record { date: today()?, machine: machine(), rustc: rustc(), command, rows, pauses })
    }

    /// Reads the newest record.
    pub(crate) fn newest() -> Result<Record, Box<dyn Error>> {
        let mut newest: Option<PathBuf> = None;
        for entry in std::fs::read_dir(folder())? {
            // Names are dates, so that the newest is the greatest.
            newest = newest.max(Some(entry?.path()));
        }
        let path = newest.ok_or("no run is recorded yet")?;
        let text = std::fs::read_to_string(&path)?;
        Ok(serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
    }

    /// Writes the record to its place in `benches/record`.
    pub(crate) fn save(&self) -> Result<(), Box<dyn Error>> {
        std::fs::create_dir_all(folder())?;
        self.write(&folder().join(format!("{}.json", self.date)))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        Ok(std::fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }

    /// Returns the rows in the order of the table.
    ///
    /// Rows that the table has lost since are an error, rows that it has gained are
    /// left out.
    pub(crate) fn lines(&self) -> Result<Vec<Line>, Box<dyn Error>> {
        let mut lines = Vec::new();
        for section in &TABLE {
            for row in section.rows {
                let is_row = |recorded: &&RecordedRow| {
                    let names = (current_name(&recorded.name), current_name(&recorded.peer));
                    names == (row.comparison, row.peer.name())
                };
                let recorded = self.rows.iter().find(is_row);
                lines.extend(
                    recorded.map(|recorded| {
                        recorded.line(section.name, row.comparison, row.peer.name())
                    }),
                );
            }
        }
        if lines.len() < self.rows.len() {
            let known = |row: &&RecordedRow| {
                let names = (current_name(&row.name), current_name(&row.peer));
                lines.iter().any(|line| (line.name, line.peer) == names)
            };
            let lost = self.rows.iter().find(|row| !known(row));
            let lost = lost.map_or("", |row| row.name.as_str());
            return Err(format!("record {}: no such row now: {lost}", self.date).into());
        }
        Ok(lines)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("record")
}

/// Year, month and day, UTC.
fn today() -> Result<String, Box<dyn Error>> {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let mut day = seconds / 86_400;
    let century = |year: u64| year.is_multiple_of(100) && !year.is_multiple_of(400);
    let leap = |year: u64| year.is_multiple_of(4) && !century(year);
    let mut year = 1970;
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for days in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    Ok(format!("{year}-{month:02}-{:02}", day + 1))
}

/// The processor as Linux names it, the number of cores, the SIMD extensions.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.map_or(std::env::consts::ARCH, |model| model.trim_start_matches(['\t', ':', ' ']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores, {}", simd_name())
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    version.unwrap_or_else(|_| "rustc".into())
}
