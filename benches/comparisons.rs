//! Every comparison of `benches/subjects` with all contenders, timed by criterion: a
//! closer look at some work, at peers that the scoreboard leaves out, and at the
//! effect of a change on a contender.
//!
//! ```text
//! cargo bench --bench comparisons -- 'get, random'           comparisons that match a pattern
//! cargo bench --bench comparisons -- --save-baseline before  then --baseline before
//! cargo test --bench comparisons                             one pass that checks the results
//! ```
//!
//! All of them take about ten minutes. Compare contenders of one comparison in one
//! run, by their medians: the same loop varies by 10 % with its alignment, and by more
//! where it misses caches.

#[expect(dead_code, reason = "criterion decides whether to measure")]
mod arguments;
#[expect(dead_code, unused_imports, reason = "only the scoreboard has rows of pauses")]
mod subjects;

use std::time::Duration;

use arguments::Arguments;
use clap::Command;
use criterion::{Criterion, SamplingMode, Throughput};
use subjects::comparison::{Comparison, Unit};

fn main() {
    if subjects::is_child() {
        return;
    }
    // criterion would print a blank line for each comparison.
    if std::env::args().any(|argument| argument == "--list") {
        Arguments::parse(Command::new("comparisons")).list(names());
        return;
    }
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for (name, comparison) in comparisons() {
        bench(&mut criterion, name, comparison);
    }
    criterion.final_summary();
}

/// criterion measures nothing but time, in many passes.
fn comparisons() -> impl Iterator<Item = (&'static str, Comparison)> {
    let all = subjects::comparisons().map(|entry| (entry.0, subjects::open(entry)));
    all.filter(|(_, comparison)| {
        comparison.unit == Unit::Nanoseconds && comparison.rounds.is_none()
    })
}

fn names() -> impl Iterator<Item = String> {
    comparisons().flat_map(|(name, comparison)| {
        comparison.contenders.into_iter().map(move |one| format!("{name}/{}", one.name))
    })
}

/// Builds each contender on demand, and checks that it returns the same result as
/// those before it.
fn bench(criterion: &mut Criterion, name: &str, comparison: Comparison) {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(comparison.operations as u64));
    let mut agreed = None;
    for contender in comparison.contenders {
        let (mut make, mut pass) = (Some(contender.make), None);
        group.bench_function(contender.name, |bencher| {
            let pass = pass.get_or_insert_with(|| {
                let mut pass = make.take().unwrap()();
                let result = pass(true).result;
                assert_eq!(result, *agreed.get_or_insert(result), "{name}");
                pass
            });
            bencher.iter_custom(|passes| {
                Duration::from_nanos((0..passes).map(|_| pass(false).cost).sum())
            });
        });
    }
    group.finish();
}
