//! Range hints and windows eliminate checks from machine code. `probe.rs` is
//! compiled as in a release build, and the tests read the loops of its functions.
//!
//! Conditional jumps of one iteration, compiled by rustc 1.95 for x86-64:
//!
//! | probe | jumps |
//! |---|---|
//! | checked get | 5: slot index, key, block in memory, element index, loop |
//! | hinted get | 4: epoch, index in the range, address in memory, loop |
//! | windows | 1: loop |
//!
//! The first two pass the heap through `black_box` on each iteration, so nothing
//! can be hoisted out of their loops. Both read address and length of the memory.
//! Only the checked loop reads address and length of the slot table; only the
//! hinted one reads the epoch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The instructions of a loop, in any order.
#[derive(Debug)]
struct Loop {
    instructions: Vec<String>,
}

impl Loop {
    fn conditional_jumps(&self) -> usize {
        self.instructions.iter().filter(|line| is_conditional(line)).count()
    }

    /// Displacements of fields of the heap. They are large, since the heap is larger
    /// than everything else that a register points to.
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

    /// 32-bit compares with memory: the keys of slots.
    fn key_compares(&self) -> usize {
        let is_key = |line: &&String| line.starts_with("cmpl") && line.contains('(');
        self.instructions.iter().filter(is_key).count()
    }
}

fn is_conditional(line: &str) -> bool {
    line.starts_with('j') && !line.starts_with("jmp")
}

/// The instructions and labels of a function. Its mangled name ends in this name,
/// which a hash may follow.
fn function<'a>(assembly: &'a str, name: &str) -> Vec<&'a str> {
    // A mangled name is preceded by its length.
    let mangled = format!("{}{name}", name.len());
    let is_start = |line: &&str| {
        let label = line.strip_suffix(':').filter(|label| !label.starts_with('.'));
        label.and_then(|label| label.split_once(&mangled)).is_some_and(|(_, rest)| {
            // Legacy mangling appends a hash, v0 mangling nothing.
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

/// The basic blocks of a function, and the block of each label.
fn basic_blocks<'a>(function: &[&'a str]) -> (Vec<Vec<&'a str>>, BTreeMap<&'a str, usize>) {
    // A block starts at a label or after a jump.
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
    (blocks, labels)
}

/// The loops of a function that contain no call. Calls are on slow paths, such as
/// the one that proves a hint again.
fn loops(function: &[&str]) -> Vec<Loop> {
    let (blocks, labels) = basic_blocks(function);
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
    // A loop is a set of blocks that reach each other.
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

/// Compiles the probe in a package and target folder of its own, so that a build
/// that is running does not block it. Returns the assembly.
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

# The loops contain no code of these.
[profile.release.package."*"]
opt-level = 0

[profile.release.package.segheap]
opt-level = 3

[workspace]
"#,
        probe = tests.join("probe.rs"),
    );
    std::fs::write(package.join("Cargo.toml"), manifest).unwrap();
    // The same versions as the tests, so that nothing is downloaded.
    if root.join("Cargo.lock").exists() {
        std::fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    }
    let asm = package.join("probe.s");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&package).args(["rustc", "--release", "--offline", "--quiet"]);
    cargo.arg("--target-dir").arg(package.join("target"));
    cargo.arg("--").arg("--emit").arg(format!("asm={}", asm.display()));
    // The flags of a default release build.
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
fn hints_and_windows_eliminate_checks() {
    let assembly = assembly();
    let only_loop = |name: &str| {
        let mut found = loops(&function(&assembly, name));
        assert_eq!(found.len(), 1, "loops of {name} without calls: {found:#?}");
        found.remove(0)
    };
    let checked = only_loop("probe_checked_get");
    let hinted = only_loop("probe_hinted_get");

    let (checked_fields, hinted_fields) = (checked.fields(), hinted.fields());
    let memory = checked_fields.intersection(&hinted_fields).count();
    assert_eq!(memory, 2, "address and length of the memory: {checked:#?} {hinted:#?}");
    assert_eq!(
        checked_fields.difference(&hinted_fields).count(),
        2,
        "the slot table: {checked:#?} {hinted:#?}"
    );
    assert_eq!(
        hinted_fields.difference(&checked_fields).count(),
        1,
        "the epoch: {checked:#?} {hinted:#?}"
    );
    assert_eq!(checked.key_compares(), 1, "the key of the slot: {checked:#?}");
    assert_eq!(hinted.key_compares(), 0, "the hint reads no key: {hinted:#?}");
    assert!(checked.conditional_jumps() <= 5, "{checked:#?}");
    assert!(hinted.conditional_jumps() <= 4, "{hinted:#?}");
    assert!(hinted.conditional_jumps() < checked.conditional_jumps());

    // However the compiler unrolls or vectorizes them, these loops have one jump,
    // back to their start, and do not access the heap.
    for name in ["probe_window", "probe_window_of_len", "probe_window_mut"] {
        let found = loops(&function(&assembly, name));
        assert!(!found.is_empty(), "{name} has no loop");
        for body in found {
            assert_eq!(body.conditional_jumps(), 1, "{name}: {body:#?}");
            assert!(body.fields().is_empty(), "{name}: {body:#?}");
        }
    }
}

/// The parser of assembly finds the loop, its jumps and its fields.
#[test]
fn the_assembly_parser_finds_loops() {
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
