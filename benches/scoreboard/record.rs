//! What is committed of a run: a dated record, the table in `benches/README.md`, and
//! the rows and the picture that README.md shows.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use crate::picture;
use crate::report::{FEW, Line, json, quoted, summary, table, tables};
use crate::table::FIRST;

/// Writes all of it.
pub(crate) fn record(lines: &[Line], quick: bool) -> Result<(), Box<dyn Error>> {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (date, machine, rustc) = (today()?, machine(), rustc());
    let command = if quick {
        "cargo bench --bench scoreboard -- --quick --record"
    } else {
        "cargo bench --bench scoreboard -- --record"
    };

    let facts = [("date", &*date), ("machine", &machine), ("rustc", &rustc), ("command", command)];
    let facts = facts.map(|(name, fact)| format!("\"{name}\": {},\n", quoted(fact))).concat();
    let records = benches.join("record");
    std::fs::create_dir_all(&records)?;
    let rows = json(lines);
    std::fs::write(
        records.join(format!("{date}.json")),
        format!("{{\n{facts}\"rows\": {}\n}}\n", rows.trim_end()),
    )?;

    let heading = format!("{date}, {machine}, {rustc}, `{command}`: {}.\n", summary(lines));
    let tables = tables(lines);
    replace(&benches.join("README.md"), &format!("{heading}{tables}"))?;
    let first = FIRST.iter().filter_map(|(name, peer)| {
        lines.iter().find(|line| line.name == *name && line.peer == *peer)
    });
    replace(&benches.join("../README.md"), &table(first, FEW))?;
    picture::draw(lines, &benches.join("scoreboard.svg"))
}

const BEGIN: &str = "<!-- scoreboard: written by a recorded run -->\n";
const END: &str = "<!-- end of scoreboard -->";

/// Puts `text` between the markers of a file.
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

/// The processor, as Linux names it, and how many.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.map_or(std::env::consts::ARCH, |model| model.trim_start_matches(['\t', ':', ' ']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores, {}", crate::table::simd_name())
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    version.unwrap_or_else(|_| "rustc".into())
}
