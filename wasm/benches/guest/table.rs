//! The rows of the benchmark as a table.

/// Returns the median of the costs of all rounds.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Nanoseconds,
    Bytes,
}

/// What work costs in the heap, and in a peer.
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) segheap: f64,
    pub(crate) peer: &'static str,
    pub(crate) cost: f64,
    pub(crate) unit: Unit,
}

/// Prints a table.
pub(crate) fn print(rows: &[Row]) {
    println!("| Work | Heap | Guest | Cost | Guest / heap |\n|---|---:|---|---:|---:|");
    for Row { work, segheap, peer, cost, unit } in rows {
        let shown = |cost: &f64| match unit {
            Unit::Nanoseconds => format!("{cost:.2} ns"),
            Unit::Bytes => format!("{cost} B"),
        };
        let ratio = cost / segheap;
        println!("| {work} | {} | {peer} | {} | {ratio:.2} |", shown(segheap), shown(cost));
    }
}
