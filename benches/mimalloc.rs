//! Rows of allocation with mimalloc as the global allocator, of segheap as well as of its
//! peers: beside the same rows of the scoreboard, which has the allocator of the system.
//! A program has one global allocator, so this is a program of its own.
//!
//! ```text
//! cargo bench --bench mimalloc             all rows, under two minutes
//! cargo bench --bench mimalloc -- text     rows whose name contains it
//! ```

mod arguments;
#[path = "scoreboard/measure.rs"]
#[expect(dead_code, reason = "the scoreboard shows more of a cost")]
mod measure;
mod plain;
#[expect(dead_code, unused_imports, reason = "only a few subjects are of interest here")]
mod subjects;

use arguments::Arguments;
use clap::Command;
use mimalloc::MiMalloc;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// Rows in which peers use the global allocator.
const ROWS: [(&str, &[&str]); 12] = [
    ("objects of 16 bytes, warm", &["slotmap"]),
    ("text of 5 bytes, alloc", &["Box of str"]),
    ("text of 16 bytes, alloc", &["Box of str"]),
    ("text of 16 bytes, alloc and free", &["Box of str"]),
    ("text of 16 bytes, alloc all, free all", &["Box of str"]),
    ("churn of 16 to 128 bytes, 100,000 live", &["Vec of Vec", "slotmap", "thunderdome"]),
    ("a region with four small objects", &["four Box"]),
    ("a region with 1,000 small objects", &["Box"]),
    ("push to 62,500 lists of 16, list by list", &["Vec of Vec"]),
    ("push to 62,500 lists of 16, round-robin", &["Vec of Vec"]),
    ("concat of two texts of 16 bytes", &["String"]),
    ("binary trees of depth 14", &["Box", "gc-arena"]),
];

fn main() {
    let about = "Rows of allocation with mimalloc as the global allocator";
    let arguments = Arguments::parse(Command::new("mimalloc").about(about));
    let entries = ROWS.map(|(name, peers)| {
        let (name, make) = subjects::find(name).expect("a comparison has this name");
        plain::Entry { name, make, peers }
    });
    plain::run(&arguments, &entries, "Peer, with mimalloc");
}
