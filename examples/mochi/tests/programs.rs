//! The programs of this folder against the answers written beside
//! them: `.out` is what a program prints, `.in` what it reads. `.err` says that
//! it fails: the position in its first line, parts of the message in the others.
//! Each runs plain and again with a collection at every allocation.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

fn programs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

struct Run {
    status: ExitStatus,
    out: String,
    err: String,
}

/// Runs the example in the folder of the programs, with this text to read.
fn run(arguments: &[&str], input: &str) -> Result<Run, String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mochi"))
        .args(arguments)
        .current_dir(programs())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that reads nothing may have ended: a broken pipe is no failure.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let reader = |mut pipe: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).map(|_| text)
        })
    };
    let out = reader(Box::new(child.stdout.take().unwrap()));
    let err = reader(Box::new(child.stderr.take().unwrap()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("not done after {} s", PATIENCE.as_secs()));
        }
        thread::sleep(Duration::from_millis(1));
    };
    let text =
        |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| "prints what is no text".to_owned());
    Ok(Run {
        status,
        out: text(out.join().unwrap().unwrap())?,
        err: text(err.join().unwrap().unwrap())?,
    })
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// What is wrong with this run, if anything.
fn check(program: &Path, name: &str, options: &[&str]) -> Result<(), String> {
    let file = format!("{name}.mochi");
    let arguments: Vec<&str> = options.iter().copied().chain([file.as_str()]).collect();
    let run = run(&arguments, &read(&program.with_extension("in")).unwrap_or_default())?;
    let said = || format!("exit {:?}\n{}{}", run.status.code(), run.out, run.err);
    let wanted = read(&program.with_extension("out"));
    let failure = read(&program.with_extension("err"));
    if wanted.is_none() && failure.is_none() {
        return Err("there is neither .out nor .err".to_owned());
    }
    let wanted = wanted.unwrap_or_default();
    if run.out != wanted {
        let same = run.out.lines().zip(wanted.lines()).take_while(|(ours, theirs)| ours == theirs);
        return Err(format!("line {} of what it prints is wrong; {}", same.count() + 1, said()));
    }
    let Some(failure) = failure else {
        return if run.status.code() == Some(0) && run.err.is_empty() {
            Ok(())
        } else {
            Err(said())
        };
    };
    if run.status.code() != Some(1) {
        return Err(said());
    }
    let mut parts = failure.lines();
    let position = parts.next().unwrap_or_default();
    let place = format!("{file}:{position}");
    let end = |after: &str| !after.starts_with(|c: char| c.is_ascii_digit());
    if !run.err.match_indices(&place).any(|(at, found)| end(&run.err[at + found.len()..])) {
        return Err(format!("no word of {place}; {}", said()));
    }
    let source = read(program).unwrap_or_default();
    let line: usize = position.split(':').next().and_then(|line| line.parse().ok()).unwrap();
    let shown = source.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim();
    let message = run.err.to_lowercase();
    for part in parts.chain([shown]) {
        if !message.contains(&part.to_lowercase()) {
            return Err(format!("no word of {part:?}; {}", said()));
        }
    }
    Ok(())
}

/// All programs with these options; `stress` is how often to collect, where the
/// program does not name a rate that it can bear.
fn all(kind: &str, stress: Option<&str>) {
    let mut names: Vec<PathBuf> = fs::read_dir(programs())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "mochi"))
        .collect();
    names.sort();
    assert!(names.len() > 100, "{} programs found", names.len());
    let total = names.len();
    let left = Mutex::new(names);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(program) = left.lock().unwrap().pop() else { break };
                    let name = program.file_stem().unwrap().to_str().unwrap().to_owned();
                    let source = read(&program).unwrap();
                    let own_rate =
                        source.lines().next().and_then(|line| line.strip_prefix("// stress: "));
                    let options = stress.map(|rate| ["--gc-stress", own_rate.unwrap_or(rate)]);
                    if let Err(why) = check(&program, &name, options.as_ref().map_or(&[], |o| o)) {
                        failures.lock().unwrap().push(format!("{name}: {why}"));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    println!("mochi programs {kind}: {} of {total} pass", total.saturating_sub(failures.len()));
    assert!(failures.is_empty(), "{} of {total} fail\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn programs_plain() {
    all("plain", None);
}

#[test]
fn programs_collected_at_every_allocation() {
    all("collected at every allocation", Some("1"));
}

/// A program of this text, in a file of its own that goes away with it.
struct Source(PathBuf);

impl Source {
    fn new(name: &str, text: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("segheap-{}-{name}.mochi", std::process::id()));
        File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        Self(path)
    }

    fn run(&self, options: &[&str]) -> Run {
        let arguments: Vec<&str> =
            options.iter().copied().chain([self.0.to_str().unwrap()]).collect();
        run(&arguments, "").unwrap()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn memory_is_held_to_the_limit() {
    let keeps_all = "var kept: list<string> = []\n\
        var text = \"0123456789\"\n\
        while true { kept = append(kept, text + str(len(kept))) }\n";
    let source = Source::new("memory", keeps_all);
    let run = source.run(&["--max-memory", "4MiB"]);
    assert_eq!((run.status.code(), run.out.as_str()), (Some(1), ""), "{}", run.err);
    assert!(run.err.to_lowercase().contains("memory"), "{}", run.err);
    assert!(run.err.contains(".mochi:3:"), "{}", run.err);

    // The same limit is enough for what dies at once.
    let keeps_none = "var n = 0\n\
        for i in 0..100000 { n = n + len(\"0123456789\" + str(i)) }\n\
        print(n)\n";
    let run = Source::new("no-memory", keeps_none).run(&["--max-memory", "4MiB"]);
    assert_eq!((run.status.code(), run.out.as_str()), (Some(0), "1488890\n"), "{}", run.err);
}

#[test]
fn statistics_name_the_arenas() {
    let source = Source::new("stats", "let m = {\"a\": [1, 2], \"b\": [3]}\nprint(len(m))\n");
    let run = source.run(&["--stats"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.err);
    let said = format!("{}{}", run.out, run.err);
    assert!(run.out.starts_with("2\n"), "{said}");
    for word in ["Str", "List", "Map", "Struct", "Closure", "I64Arr", "collections"] {
        assert!(said.contains(word), "no {word}: {said}");
    }
}

#[test]
fn bytecode_is_shown() {
    let source = Source::new("emit", "fun twice(n: int): int { return n * 2 }\nprint(twice(4))\n");
    let run = source.run(&["--emit"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.err);
    assert!(run.out.contains("twice"), "{}", run.out);
    assert!(run.out.lines().count() > 4, "{}", run.out);
}

#[test]
fn test_blocks_are_told_by_name() {
    let text = "fun add(a: int, b: int): int { return a + b }\n\
        test \"sums\" { expect add(1, 2) == 3 }\n\
        test \"differences\" { expect add(1, -2) == 7 }\n\
        test \"zeros\" { expect add(0, 0) == 0 }\n";
    let source = Source::new("tests", text);
    let run = run(&["test", source.0.to_str().unwrap()], "").unwrap();
    let said = format!("{}{}", run.out, run.err);
    assert_eq!(run.status.code(), Some(1), "{said}");
    for word in ["sums", "differences", "zeros", ".mochi:3:", "expect add(1, -2) == 7"] {
        assert!(said.contains(word), "no {word}: {said}");
    }
}

#[test]
fn the_prompt_keeps_its_state() {
    let lines = "let a = 20\nvar b = 1\nfun f(x: int): int { return x * 2 + b }\nb = 2\nprint(f(a))\nprint(nothing)\nprint(a + 1)\n";
    let run = run(&[], lines).unwrap();
    assert!(run.out.contains("42"), "{}", run.out);
    assert!(run.out.contains("21"), "an error ends the line only: {}{}", run.out, run.err);
    assert!(run.err.contains("nothing"), "{}", run.err);
}

#[test]
fn what_is_no_program_is_refused() {
    let run = run(&["no-such-file.mochi"], "").unwrap();
    assert_eq!((run.status.code(), run.out.as_str()), (Some(1), ""));
    assert!(run.err.contains("no-such-file.mochi"), "{}", run.err);
}
