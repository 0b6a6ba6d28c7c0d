//! The calls of `guest.rs` in V8. `SEGHEAP_NODE` names a Node.js whose V8 has multiple memories
//! with addresses of 64 bits; without it, nothing is tested.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use segheap::Settings;
use segheap_wasm::{Options, from_memories, memory_names};
use support::calls::{FUNCTIONS, call};
use support::compare::assert_same;
use support::heap::subject;
use support::rng::Rng;

/// Replays random calls in V8, and compares what they leave.
fn replay(node: &str, options: Options, seed: u64, calls: usize) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("v8-{seed}"));
    fs::create_dir_all(&folder).unwrap();
    let mut subject = subject(seed, 600);
    let module = options.to_module(&mut subject.heap).unwrap();
    let rng = &mut Rng(seed);
    let mut words = Vec::new();
    for _ in 0..calls {
        let call = call(&mut subject, rng);
        words.push(call.function as u64);
        words.extend(call.arguments);
        words.extend([u64::from(call.status), call.result]);
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let functions: Vec<String> =
        FUNCTIONS.iter().map(|(name, of, result)| format!("{name} {of} {result}\n")).collect();
    fs::write(folder.join("heap.wasm"), module).unwrap();
    fs::write(folder.join("functions"), functions.concat()).unwrap();
    fs::write(folder.join("calls"), bytes).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/v8.mjs");
    let paths = ["heap.wasm", "functions", "calls", ""].map(|name| folder.join(name));
    let status = Command::new(node).arg(script).args(paths).status().unwrap();
    assert!(status.success(), "V8 returns what the heap returns");
    let memories: Vec<Vec<u8>> =
        memory_names().map(|name| fs::read(folder.join(name)).unwrap()).collect();
    let mut read = from_memories(&memories, Settings::seeded(3)).unwrap();
    read.verify().unwrap();
    assert_same(&subject.heap, &read);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn calls_in_v8_return_what_the_heap_returns() {
    let Ok(node) = std::env::var("SEGHEAP_NODE") else {
        println!("not tested: SEGHEAP_NODE is not set");
        return;
    };
    for seed in 50..52 {
        replay(&node, Options::new().hash_seed(seed), seed, 300_000);
        replay(&node, Options::new().hash_seed(seed).wide(), seed, 300_000);
    }
}
