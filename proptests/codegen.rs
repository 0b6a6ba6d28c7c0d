//! That the checks which hints and windows make needless are gone from machine
//! code: `probe.rs` is compiled as a release build would compile it, and the
//! loops of its functions are read.
//!
//! What was read with rustc 1.95 for x86-64, conditional jumps of one turn:
//!
//! | probe | jumps |
//! |---|---|
//! | checked get | 5: slot exists, key, block in memory, index, back |
//! | hinted get | 4: epoch, index in the range, place in memory, back |
//! | windows | 1: back |
//!
//! The heap goes through `black_box` in each turn of the first two, so nothing
//! can be hoisted out of either. Their fields are told apart by what both use:
//! address and length of the memory. What only the checked loop reads is the
//! table of slots, address and length; what only the hinted one reads is the
//! epoch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// A loop: its instructions, in any order.
#[derive(Debug)]
struct Loop {
    instructions: Vec<String>,
}

impl Loop {
    fn conditional_jumps(&self) -> usize {
        self.instructions.iter().filter(|line| is_conditional(line)).count()
    }

    /// Displacements that can only be of fields of the heap, which is larger
    /// than all else that a register points to.
    fn fields(&self) -> BTreeSet<u64> {
        let displacement = |operand: &str| {
            let digits: String = operand.chars().rev().take_while(char::is_ascii_digit).collect();
            digits.chars().rev().collect::<String>().parse().ok()
        };
        let operands = |line: &String| {
            let parts: Vec<&str> = line.split('(').collect();
            let before = parts.iter().take(parts.len() - 1);
            before.filter_map(|before| displacement(before)).collect::<Vec<u64>>()
        };
        self.instructions.iter().flat_map(operands).filter(|&field| field >= 128).collect()
    }

    /// Compares of 32 bits in memory: keys of slots.
    fn key_compares(&self) -> usize {
        let is_key = |line: &&String| line.starts_with("cmpl") && line.contains('(');
        self.instructions.iter().filter(is_key).count()
    }
}

fn is_conditional(line: &str) -> bool {
    line.starts_with('j') && !line.starts_with("jmp")
}

/// The instructions of the function whose mangled name ends in this one and a
/// hash, labels included.
fn function<'a>(assembly: &'a str, name: &str) -> Vec<&'a str> {
    // Names are mangled as their length and themselves.
    let mangled = format!("{}{name}", name.len());
    let is_start = |line: &&str| {
        let label = line.strip_suffix(':').filter(|label| !label.starts_with('.'));
        label.and_then(|label| label.split_once(&mangled)).is_some_and(|(_, rest)| {
            // The hash of the old mangling, or the end of the new one.
            rest.is_empty() || rest.starts_with("17h")
        })
    };
    let mut lines = assembly.lines().map(str::trim).skip_while(|line| !is_start(line));
    assert!(lines.next().is_some(), "{name} is not in the assembly");
    let body = lines.take_while(|line| !line.starts_with(".Lfunc_end"));
    body.filter(|line| line.ends_with(':') || !line.starts_with(['.', '#', '/']))
        .filter(|line| !line.is_empty())
        .collect()
}

/// The loops of a function in which nothing is called: a call leads to what is
/// out of the way, like proving a hint again.
fn loops(function: &[&str]) -> Vec<Loop> {
    // Basic blocks: a label, or what follows a jump, begins one.
    let mut blocks: Vec<Vec<&str>> = vec![Vec::new()];
    let mut labels = BTreeMap::new();
    for line in function {
        if let Some(label) = line.strip_suffix(':') {
            blocks.push(Vec::new());
            labels.insert(label, blocks.len() - 1);
            continue;
        }
        blocks.last_mut().unwrap().push(line);
        if line.starts_with('j') {
            blocks.push(Vec::new());
        }
    }
    let leaves = |line: &str| ["ret", "ud2", "jmp"].iter().any(|end| line.starts_with(end));
    let next = |block: usize| {
        let mut next = Vec::new();
        if blocks[block].iter().any(|line| line.starts_with("call")) {
            return next;
        }
        let last = blocks[block].last().copied().unwrap_or_default();
        if last.starts_with('j') {
            let target = last.split_whitespace().nth(1).unwrap_or_default();
            next.extend(labels.get(target));
        }
        if !leaves(last) && block + 1 < blocks.len() {
            next.push(block + 1);
        }
        next
    };
    // Blocks that lead to themselves, by what else they lead to and come from.
    let reach: Vec<BTreeSet<usize>> = (0..blocks.len())
        .map(|start| {
            let mut reached = BTreeSet::new();
            let mut work = next(start);
            while let Some(block) = work.pop() {
                if reached.insert(block) {
                    work.extend(next(block));
                }
            }
            reached
        })
        .collect();
    let mut found: Vec<Loop> = Vec::new();
    let mut seen = BTreeSet::new();
    for block in 0..blocks.len() {
        if !reach[block].contains(&block) || seen.contains(&block) {
            continue;
        }
        let around: BTreeSet<usize> =
            reach[block].iter().copied().filter(|other| reach[*other].contains(&block)).collect();
        let lines = around.iter().flat_map(|&block| &blocks[block]);
        found.push(Loop { instructions: lines.map(|line| line.replace('\t', " ")).collect() });
        seen.extend(around);
    }
    found
}

/// Compiles the probe, by itself and beside the build that may be going on;
/// answers its assembly.
fn assembly() -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().unwrap();
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("codegen");
    std::fs::create_dir_all(&package).unwrap();
    let manifest = format!(
        r#"[package]
name = "codegen_probe"
version = "0.0.0"
edition = "2024"

[lib]
path = {probe:?}

[dependencies]
segheap = {{ path = {root:?}, default-features = false }}

[profile.release]
codegen-units = 1

# Nothing of these is in the loops.
[profile.release.package."*"]
opt-level = 0

[profile.release.package.segheap]
opt-level = 3

[workspace]
"#,
        probe = tests.join("probe.rs"),
    );
    std::fs::write(package.join("Cargo.toml"), manifest).unwrap();
    // The versions that the tests were built with, so that nothing is fetched.
    if root.join("Cargo.lock").exists() {
        std::fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    }
    let asm = package.join("probe.s");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&package).args(["rustc", "--release", "--offline", "--quiet"]);
    cargo.arg("--target-dir").arg(package.join("target"));
    cargo.arg("--").arg("--emit").arg(format!("asm={}", asm.display()));
    // Only the flags of a plain release build.
    for (name, _) in std::env::vars_os() {
        let flags = ["CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_INCREMENTAL", "RUSTC_W"];
        if name.to_str().is_some_and(|name| flags.iter().any(|flag| name.starts_with(flag))) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "");
    let built = cargo.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    std::fs::read_to_string(asm).unwrap()
}

#[test]
#[cfg_attr(miri, ignore = "runs a compiler")]
fn hints_and_windows_leave_checks_out() {
    let assembly = assembly();
    let the_loop = |name: &str| {
        let mut found = loops(&function(&assembly, name));
        assert_eq!(found.len(), 1, "loops of {name} without calls: {found:#?}");
        found.remove(0)
    };
    let checked = the_loop("probe_checked_get");
    let hinted = the_loop("probe_hinted_get");

    let (all, few) = (checked.fields(), hinted.fields());
    let memory = all.intersection(&few).count();
    assert_eq!(memory, 2, "address and length of the memory: {checked:#?} {hinted:#?}");
    assert_eq!(all.difference(&few).count(), 2, "the table of slots: {checked:#?} {hinted:#?}");
    assert_eq!(few.difference(&all).count(), 1, "the epoch: {checked:#?} {hinted:#?}");
    assert_eq!(checked.key_compares(), 1, "the slot's key: {checked:#?}");
    assert_eq!(hinted.key_compares(), 0, "no slot's key: {hinted:#?}");
    assert!(checked.conditional_jumps() <= 5, "{checked:#?}");
    assert!(hinted.conditional_jumps() <= 4, "{hinted:#?}");
    assert!(hinted.conditional_jumps() < checked.conditional_jumps());

    // Unrolled and vectorized as the compiler likes: each loop jumps back, and
    // nowhere else, and has no business with the heap.
    for name in ["probe_window", "probe_window_of_len", "probe_window_mut"] {
        let found = loops(&function(&assembly, name));
        assert!(!found.is_empty(), "{name} has no loop");
        for window in found {
            assert_eq!(window.conditional_jumps(), 1, "{name}: {window:#?}");
            assert!(window.fields().is_empty(), "{name}: {window:#?}");
        }
    }
}

/// The reader itself: what it calls a loop, a jump and a field.
#[test]
fn the_reader_reads() {
    let listing = "\
_ZN1a5probe17h00E:
	testq	%rax, %rax
	je	.LBB0_3
.LBB0_1:
	cmpq	1536(%rsi), %rcx
	jae	.LBB0_4
.LBB0_2:
	cmpl	%r8d, 4(%rdi,%rcx)
	jne	.LBB0_3
	decq	%rcx
	jne	.LBB0_1
.LBB0_3:
	retq
.LBB0_4:
	callq	prove
	jmp	.LBB0_2
.Lfunc_end0:
";
    let found = loops(&function(listing, "probe"));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].conditional_jumps(), 3);
    assert_eq!(found[0].fields().into_iter().collect::<Vec<_>>(), [1536]);
    assert_eq!(found[0].key_compares(), 1);
}
