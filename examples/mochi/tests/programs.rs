//! Runs the programs of this folder and compares what they print with the `.out` file next to them.
//! `.in` is the standard input. A program with an `.err` file has to fail: its first line is the first
//! line of standard error without the file name, its other lines occur in standard error.
//! Each program runs twice: as it is, and with a step of a collection at every allocation.

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

const TIMEOUT: Duration = Duration::from_secs(60);

fn programs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

struct Run {
    status: ExitStatus,
    out: String,
    err: String,
}

/// Runs `mochi` in the folder of the programs, with this standard input.
fn run(arguments: &[&str], input: &str) -> Result<Run, String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mochi"))
        .args(arguments)
        .current_dir(programs())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may have exited without reading: ignore a broken pipe.
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
        if started.elapsed() > TIMEOUT {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("timed out after {} s", TIMEOUT.as_secs()));
        }
        thread::sleep(Duration::from_millis(1));
    };
    let text =
        |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| "output is not UTF-8".to_owned());
    Ok(Run {
        status,
        out: text(out.join().unwrap().unwrap())?,
        err: text(err.join().unwrap().unwrap())?,
    })
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Runs a program and checks its output and exit code.
fn check(program: &Path, name: &str, options: &[&str]) -> Result<(), String> {
    let file = format!("{name}.mochi");
    let arguments: Vec<&str> = options.iter().copied().chain([file.as_str()]).collect();
    let run = run(&arguments, &read(&program.with_extension("in")).unwrap_or_default())?;
    let output = || format!("exit {:?}\n{}{}", run.status.code(), run.out, run.err);
    let expected = read(&program.with_extension("out"));
    let error = read(&program.with_extension("err"));
    if expected.is_none() && error.is_none() {
        return Err("neither .out nor .err exists".to_owned());
    }
    let expected = expected.unwrap_or_default();
    if run.out != expected {
        let same =
            run.out.lines().zip(expected.lines()).take_while(|(line, expected)| line == expected);
        return Err(format!("line {} of the output differs; {}", same.count() + 1, output()));
    }
    let Some(error) = error else {
        let success = run.status.code() == Some(0) && run.err.is_empty();
        return if success { Ok(()) } else { Err(output()) };
    };
    if run.status.code() != Some(1) {
        return Err(output());
    }
    let mut lines = error.lines();
    let first = lines.next().unwrap();
    if run.err.lines().next() != Some(&format!("{file}:{first}")) {
        return Err(format!("expected the error {first:?}; {}", output()));
    }
    let source = read(program).unwrap_or_default();
    let line: usize = first.split(':').next().and_then(|line| line.parse().ok()).unwrap();
    let source_line = source.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim();
    for part in lines.chain([source_line]) {
        if !run.err.contains(part) {
            return Err(format!("expected {part:?} in the error; {}", output()));
        }
    }
    Ok(())
}

/// Runs all programs. With `stress`, a step is done at every N-th allocation; a program for which
/// that is too slow names its own rate in its first line.
fn run_all(kind: &str, stress: Option<&str>) {
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
    run_all("plain", None);
}

#[test]
fn programs_with_a_step_at_every_allocation() {
    run_all("with a step at every allocation", Some("1"));
}

/// A program in a temporary file, which is removed on drop.
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
fn memory_limit_is_enforced() {
    let keeps_all = "var kept: list<string> = []\n\
        var text = \"0123456789\"\n\
        while true { kept = append(kept, text + str(len(kept))) }\n";
    let source = Source::new("memory", keeps_all);
    let run = source.run(&["--max-memory", "4MiB"]);
    assert_eq!((run.status.code(), run.out.as_str()), (Some(1), ""), "{}", run.err);
    assert!(run.err.to_lowercase().contains("memory"), "{}", run.err);
    assert!(run.err.contains(".mochi:3:"), "{}", run.err);

    // Garbage does not count against the limit.
    let keeps_none = "var n = 0\n\
        for i in 0..100000 { n = n + len(\"0123456789\" + str(i)) }\n\
        print(n)\n";
    let run = Source::new("no-memory", keeps_none).run(&["--max-memory", "4MiB"]);
    assert_eq!((run.status.code(), run.out.as_str()), (Some(0), "1488890\n"), "{}", run.err);
}

/// An instruction that fails for want of memory runs once more. What it leaves each time is garbage,
/// so that each collection frees much.
#[test]
fn a_program_ends_at_its_limit() {
    let programs = [
        "let xs = range(0, 1000000)\nprint(len(xs))\n",
        "let parts = split(repeat(\"abcdefgh,\", 50000), \",\")\nprint(len(parts))\n",
        "var texts: list<string> = []\nfor i in 0..20000 { texts = append(texts, \"0123456789\") }\n\
            let joined = concat(texts, texts, texts, texts, texts, texts)\nprint(len(joined))\n",
        "let t = repeat(\"01234567\", 20000)\nlet pairs = from c in t select [c, c]\nprint(len(pairs))\n",
    ];
    for program in programs {
        let source = Source::new("limit", program);
        let run = source.run(&["--max-memory", "1MiB"]);
        assert_eq!((run.status.code(), run.out.as_str()), (Some(1), ""), "{program}: {}", run.err);
        assert!(run.err.contains("out of memory"), "{program}: {}", run.err);
        let run = source.run(&["--max-memory", "64MiB"]);
        assert_eq!(run.status.code(), Some(0), "{program}: {}", run.err);
    }
}

/// The memory of arithmetic on large integers is within the limit.
#[cfg(target_os = "linux")]
#[test]
fn large_integers_stay_within_the_limit() {
    let source = Source::new("squares", "var b: bigint = 3\nwhile true { b = b * b }\n");
    let mut child = Command::new(env!("CARGO_BIN_EXE_mochi"))
        .args(["--max-memory", "16MiB", "--timeout", "50"])
        .arg(&source.0)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = read(Path::new(&status)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0_u64));
        thread::sleep(Duration::from_millis(1));
    }
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(err.contains("out of memory"), "{err}");
    // The program itself, its stack and what the allocator keeps take the rest.
    assert!((1..32 << 10).contains(&peak), "{peak} kB");
}

/// Each of these instructions succeeds after a collection, also if instructions are counted.
#[test]
fn a_program_goes_on_after_collections_at_its_limit() {
    let text = "var s = 0\n\
        for i in 0..200 { let xs = range(0, 60000) s = s + xs[59999] }\n\
        for i in 0..200 { let t = repeat(\"0123456789\", 60000) s = s + len(t) }\n\
        print(s)\n";
    let source = Source::new("limit-garbage", text);
    for fuel in [&["--fuel", "100000"][..], &[]] {
        let run = source.run(&[&["--max-memory", "1MiB"], fuel].concat());
        assert_eq!((run.status.code(), run.out.as_str()), (Some(0), "131999800\n"), "{}", run.err);
    }
}

#[test]
fn fuel_is_counted_in_instructions() {
    let source = Source::new("fuel", "var s = 0\nfor i in 0..10 { s = s + i }\nprint(s)\n");
    let run_with = |fuel: u32| source.run(&["--fuel", &fuel.to_string()]);
    let enough = (1..200).find(|&fuel| run_with(fuel).status.success()).unwrap();
    assert!((20..100).contains(&enough), "{enough}");
    for fuel in [0, 1, enough / 2, enough - 1] {
        let run = run_with(fuel);
        assert_eq!(run.status.code(), Some(1), "{fuel}");
        assert!(run.err.contains("out of fuel"), "{fuel}: {}", run.err);
    }
    for fuel in [enough, enough + 1, 1_000_000] {
        assert_eq!(run_with(fuel).out, "45\n");
    }

    // At the prompt, each input has as much, and the state stays.
    let inputs = "var a = 1\na = a + 1 while true {}\nprint(a + 40)\n";
    let run = run(&["--fuel", "1000"], inputs).unwrap();
    assert_eq!((run.status.code(), run.out.as_str()), (Some(1), "42\n"), "{}", run.err);
    assert_eq!(run.err.matches("out of fuel").count(), 1, "{}", run.err);
}

/// A join on equal keys does not compare each element with each other one.
#[test]
fn a_join_takes_linear_time() {
    let text = "var a: list<any> = []\nvar b: list<any> = []\n\
        for i in 0..3000 { a = append(a, {k: i, n: i}) b = append(b, {k: 2999 - i, m: i}) }\n\
        let rows = from x in a join y in b on x.k == y.k select x.n + y.m\n\
        print(len(rows), min(rows), max(rows))\n";
    let run = Source::new("join", text).run(&["--fuel", "300000"]);
    assert_eq!(run.out, "3000 2999 2999\n", "{}", run.err);
}

#[test]
fn long_lines_are_cut_to_the_place() {
    let sums = |count| vec!["xs[1]"; count].join(" + ");
    let text = format!("let xs = [1, 2]\nlet y = {} + xs[77] + {}\n", sums(40), sums(40));
    let run = Source::new("long", &text).run(&[]);
    assert!(run.err.contains("index out of range [77]"), "{}", run.err);
    assert!(run.err.contains("│ ...") && run.err.contains("xs[77] + xs[1]"), "{}", run.err);
    assert!(run.err.lines().all(|line| line.chars().count() < 130), "{}", run.err);
    // The mark is below the place.
    let lines: Vec<&str> = run.err.lines().collect();
    let at = lines.iter().position(|line| line.contains("xs[77]")).unwrap();
    let column = |line: &str, c: &str| line.split(c).next().unwrap().chars().count();
    let place = column(lines[at], "xs[77]");
    assert!(column(lines[at + 1], "┬").abs_diff(place) <= 6, "{}", run.err);

    // A token that is long itself.
    let text = format!("let n: int = \"{}\"\n", "x".repeat(5000));
    let run = Source::new("long-token", &text).run(&[]);
    assert!(run.err.lines().all(|line| line.chars().count() < 130), "{}", run.err);
}

/// A program of many texts is compiled in time linear in their number.
#[test]
fn many_constants() {
    let texts: String = (0..60_000).map(|n| format!("\"text {n}\",\n")).collect();
    let source = Source::new("constants", &format!("let xs = [\n{texts}]\nprint(xs[59999])\n"));
    let started = Instant::now();
    let run = source.run(&[]);
    assert_eq!(run.out, "text 59999\n", "{}", run.err);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn statistics_list_the_arenas() {
    let source = Source::new("stats", "let m = {\"a\": [1, 2], \"b\": [3]}\nprint(len(m))\n");
    let run = source.run(&["--stats"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.err);
    let output = format!("{}{}", run.out, run.err);
    assert!(run.out.starts_with("2\n"), "{output}");
    for word in ["Str", "List", "Map", "Struct", "Closure", "I64Arr", "collections"] {
        assert!(output.contains(word), "no {word}: {output}");
    }
}

#[test]
fn bytecode_is_listed() {
    let source = Source::new("emit", "fun twice(n: int): int { return n * 2 }\nprint(twice(4))\n");
    let run = source.run(&["--emit"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.err);
    assert!(run.out.contains("twice"), "{}", run.out);
    assert!(run.out.lines().count() > 4, "{}", run.out);
}

#[test]
fn test_blocks_are_reported_by_name() {
    let text = "fun add(a: int, b: int): int { return a + b }\n\
        test \"sums\" { expect add(1, 2) == 3 }\n\
        test \"differences\" { expect add(1, -2) == 7 }\n\
        test \"zeros\" { expect add(0, 0) == 0 }\n";
    let source = Source::new("tests", text);
    let run = run(&["test", source.0.to_str().unwrap()], "").unwrap();
    let output = format!("{}{}", run.out, run.err);
    assert_eq!(run.status.code(), Some(1), "{output}");
    for word in ["sums", "differences", "zeros", ".mochi:3:", "expect add(1, -2) == 7"] {
        assert!(output.contains(word), "no {word}: {output}");
    }
}

#[test]
fn the_prompt_keeps_its_state() {
    let lines = "let a = 20\nvar b = 1\nfun f(x: int): int { return x * 2 + b }\nb = 2\nprint(f(a))\nprint(nothing)\nprint(a + 1)\n";
    let run = run(&[], lines).unwrap();
    assert!(run.out.contains("42"), "{}", run.out);
    assert!(run.out.contains("21"), "an error ends only its own input: {}{}", run.out, run.err);
    assert!(run.err.contains("nothing"), "{}", run.err);
}

#[test]
fn errors_are_printed_once_and_point_at_their_input() {
    let lines =
        "fun third(xs: list<int>): int {\n  return xs[2]\n}\nlet a = 1\n  print(third([a]))\n";
    let run = run(&[], lines).unwrap();
    assert!(run.err.starts_with("<prompt>:2:12: index out of range [2]"), "{}", run.err);
    assert_eq!(run.err.matches("index out of range").count(), 1, "{}", run.err);
    assert!(run.err.contains("2 │   return xs[2]"), "{}", run.err);
    assert!(run.err.contains("in third, called at <prompt>:5:14"), "{}", run.err);
}

#[test]
fn the_time_limit_stops_a_program() {
    let endless = "test \"endless\" {\n  while true {}\n}\ntest \"next\" { expect true }\n";
    let source = Source::new("timeout", endless);
    let run_test = run(&["test", "--timeout", "0.05", source.0.to_str().unwrap()], "").unwrap();
    assert_eq!(run_test.status.code(), Some(1), "{}", run_test.err);
    assert!(run_test.err.contains(".mochi:2:9: out of time"), "{}", run_test.err);
    assert!(run_test.err.ends_with("0 passed, 0 failed\n"), "{}", run_test.err);

    // At the prompt, each input has as much time.
    let inputs = "let a = 1\nwhile true {}\nwhile true {}\nprint(a + 1)\n";
    let run = run(&["--timeout", "0.05"], inputs).unwrap();
    assert_eq!((run.status.code(), run.out.as_str()), (Some(1), "2\n"), "{}", run.err);
    assert_eq!(run.err.matches("out of time").count(), 2, "{}", run.err);
}

#[test]
fn missing_file_is_reported() {
    let run = run(&["no-such-file.mochi"], "").unwrap();
    assert_eq!((run.status.code(), run.out.as_str()), (Some(1), ""));
    assert!(run.err.contains("no-such-file.mochi"), "{}", run.err);
}

#[test]
fn closed_pipe_is_no_error() {
    let source = Source::new("pipe", "for i in 0..1000000 { print(i) }\n");
    let mut child = Command::new(env!("CARGO_BIN_EXE_mochi"))
        .arg(&source.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0];
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut first).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn help_is_printed() {
    for arguments in [vec!["--help"], vec!["test", "--help"]] {
        let run = run(&arguments, "").unwrap();
        assert_eq!((run.status.code(), run.err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(run.out.contains("Usage: mochi"), "{arguments:?}: {}", run.out);
    }
}

/// The code block of the README that starts with this text.
fn block_of_the_readme(start: &str) -> String {
    let readme = read(&programs().join("../README.md")).unwrap();
    let block = readme.split("```").find_map(|block| {
        block.strip_prefix("text\n").filter(|block| block.starts_with(start)).map(str::to_owned)
    });
    block.unwrap()
}

#[cfg(target_pointer_width = "64")]
#[test]
fn the_statistics_of_the_readme_are_those_of_its_program() {
    let source = Source::new("readme", &block_of_the_readme("type Point"));
    let run = source.run(&["--stats"]);
    let expected = block_of_the_readme("arena ");
    assert_eq!(run.err, expected, "the table in README.md is out of date:\n{}", run.err);
}

#[test]
fn the_bytecode_of_the_readme_is_that_of_its_program() {
    let source = Source::new("readme-fib", &block_of_the_readme("fun fib"));
    let run = source.run(&["--emit"]);
    // The README has remarks in the column of the names.
    let shown = block_of_the_readme("function 0 \"fib\"");
    assert!(run.out.lines().count() > shown.lines().count(), "{}", run.out);
    for (line, shown) in run.out.lines().zip(shown.lines()) {
        let code = line.split("; ").next().unwrap().trim_end();
        assert!(shown.starts_with(code), "{code:?} is {shown:?} in README.md");
    }
}
