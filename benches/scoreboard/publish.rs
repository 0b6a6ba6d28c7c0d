//! Writes a record to the committed tables and pictures.

use std::error::Error;
use std::path::Path;

use crate::histogram::Histogram;
use crate::picture::Picture;
use crate::record::Record;
use crate::report::{Line, readme, sections, summary};
use crate::table::{README_PICTURE, README_TABLE};

/// Writes the tables and pictures of `benches` and of README.md.
pub(crate) fn publish(record: &Record) -> Result<(), Box<dyn Error>> {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines = record.lines()?;
    let Record { date, machine, rustc, command, .. } = record;
    let heading = format!("{date}, {machine}, {rustc}, `{command}`: {}.", summary(&lines));
    let tables = sections(&lines);
    replace(&benches.join("README.md"), &format!("{heading}\n{tables}"))?;
    replace(&benches.join("../README.md"), &readme(&choose(&lines, &README_TABLE)?))?;

    Picture::full(record, &lines).save(&benches.join("scoreboard.svg"))?;
    // Records of earlier versions have none.
    if !record.pauses.is_empty() {
        Histogram::of(record).save(&benches.join("pauses.svg"))?;
    }
    let chosen = choose(&lines, &README_PICTURE)?;
    Picture::readme(record, &chosen).save(&benches.join("scoreboard-readme.svg"))
}

/// Returns the lines of these names and peers, in this order.
fn choose(lines: &[Line], rows: &[(&str, &str)]) -> Result<Vec<Line>, String> {
    let find = |&(name, peer): &(&str, &str)| {
        let line = lines.iter().find(|line| (line.name, line.peer) == (name, peer));
        line.copied().ok_or_else(|| format!("the record has no row \"{name}\" with {peer}"))
    };
    rows.iter().map(find).collect()
}

const BEGIN: &str = "<!-- scoreboard: written by a recorded run -->\n";
const END: &str = "<!-- end of scoreboard -->";

/// Replaces the text between the markers of a file.
fn replace(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    let old = std::fs::read_to_string(path)?;
    let parts = old.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or_else(|| format!("{}: no markers", path.display()))?;
    std::fs::write(path, format!("{before}{BEGIN}\n{}\n\n{END}{after}", text.trim()))?;
    Ok(())
}
