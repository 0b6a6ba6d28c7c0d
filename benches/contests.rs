//! Every contest of `benches/subjects`, and every contestant in it, timed by criterion:
//! to look closely at one work, at peers that the scoreboard leaves out, and at what
//! a change does to a contestant.
//!
//! ```text
//! cargo bench --bench contests -- 'get, random'           contests by a pattern
//! cargo bench --bench contests -- --save-baseline before  and later: --baseline before
//! cargo bench --bench contests -- --test                  answers only, no timing
//! ```
//!
//! All of them take about ten minutes. Compare contestants of one contest of one
//! run, by their medians: the same loop moves by 10 % with its alignment, and more
//! where it misses caches.

mod subjects;

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use subjects::contest::{Contest, Unit};

fn main() {
    if subjects::fresh::is_child() {
        return;
    }
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for entry in subjects::contests() {
        let (name, contest) = (entry.0, subjects::open(entry));
        if contest.unit == Unit::Nanoseconds {
            bench(&mut criterion, name, contest);
        }
    }
    criterion.final_summary();
}

/// Each contestant is set up when criterion wants it, and has to come to the answer
/// of those before it.
fn bench(criterion: &mut Criterion, name: &str, contest: Contest) {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(contest.operations as u64));
    let mut agreed = None;
    for contestant in contest.contestants {
        let (mut make, mut pass) = (Some(contestant.make), None);
        group.bench_function(contestant.name, |bencher| {
            let pass = pass.get_or_insert_with(|| {
                let mut pass = make.take().unwrap()();
                let answer = pass(true).answer;
                assert_eq!(answer, *agreed.get_or_insert(answer), "{name}");
                pass
            });
            bencher.iter_custom(|passes| {
                Duration::from_nanos((0..passes).map(|_| pass(false).cost).sum())
            });
        });
    }
    group.finish();
}
