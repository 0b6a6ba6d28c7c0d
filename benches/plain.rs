//! Measures comparisons and prints their costs as a Markdown table, for benches whose rows
//! have no targets and are not recorded.

use crate::arguments::Arguments;
use crate::measure::{Effort, Mismatch, measure, verify};
use crate::subjects::comparison::Comparison;

/// A comparison by its name, and the peers in it.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) make: fn() -> Comparison,
    pub(crate) peers: &'static [&'static str],
}

/// Measures the selected comparisons, or only checks that all contenders return the same
/// result. `heading` describes the peers.
pub(crate) fn run(arguments: &Arguments, entries: &[Entry], heading: &str) {
    if arguments.list(entries.iter().map(|entry| entry.name)) {
        return;
    }
    let measures = arguments.measures();
    if measures {
        println!("| Work | segheap | {heading} | Cost | Ratio |\n|---|---:|---|---:|---:|");
    }
    for entry in entries.iter().filter(|entry| arguments.selects(entry.name)) {
        if measures {
            rows(entry);
        } else {
            let Entry { name, make, peers } = entry;
            verify(make(), peers).unwrap_or_else(|mismatch| panic!("{name}: {}", mismatch.0));
            println!("test {name} ... ok");
        }
    }
}

fn rows(&Entry { name, make, peers }: &Entry) {
    let measured = match measure(make(), peers, Effort::FULL) {
        Ok(measured) => measured,
        Err(Mismatch(results)) => panic!("{name}: results differ: {results}"),
    };
    let segheap = measured.costs["segheap"].median;
    for peer in peers {
        let cost = measured.costs[peer].median;
        let ratio = segheap / cost;
        println!("| {name} | {segheap:.2} ns | {peer} | {cost:.2} ns | {ratio:.2} |");
    }
}
