//! Measures contenders in alternating rounds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::subjects::comparison::{Comparison, Pass};

/// How long a comparison may take.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    rounds_min: usize,
    rounds_max: usize,
    /// No round begins after this time if there are `rounds_min`, or after ten times
    /// as long if there are two.
    budget: Duration,
    /// Shorter passes are repeated within their round.
    sample: Duration,
}

impl Effort {
    pub(crate) const FULL: Effort =
        Effort { rounds_min: 12, rounds_max: 400, budget: Duration::from_secs(4), sample: SAMPLE };
    pub(crate) const QUICK: Effort = Effort {
        rounds_min: 4,
        rounds_max: 40,
        budget: Duration::from_millis(150),
        sample: SAMPLE,
    };

    fn continues(&self, rounds: usize, elapsed: Duration) -> bool {
        let enough = if elapsed < self.budget * 10 { self.rounds_min } else { 2 };
        // The noise compares rounds of segheap in pairs.
        let wanted = rounds < enough || rounds % 2 == 1 || elapsed < self.budget;
        wanted && rounds < self.rounds_max
    }
}

/// Short enough that on a busy machine most samples are not preempted.
const SAMPLE: Duration = Duration::from_micros(500);

/// The maximal noise that counts in favour of a row.
const NOISE_MAX: f64 = 0.10;

/// The costs of one operation.
pub(crate) struct Measured {
    pub(crate) rounds: usize,
    /// The median relative difference of segheap from one round to the next.
    pub(crate) noise: f64,
    pub(crate) costs: BTreeMap<&'static str, Cost>,
}

#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) median: f64,
    pub(crate) quartiles: [f64; 2],
}

impl Cost {
    /// Returns half of the interquartile range, relative to the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.quartiles[1] - self.quartiles[0]) / 2.0 / self.median
    }
}

/// The contenders returned different results.
pub(crate) struct Mismatch(pub(crate) String);

struct Runner {
    name: &'static str,
    pass: Pass,
    /// Passes in a round.
    passes: u64,
    costs: Vec<f64>,
}

/// Checks in one pass that segheap and `peers` return the same result.
pub(crate) fn verify(comparison: Comparison, peers: &[&str]) -> Result<(), Mismatch> {
    check(&mut runners(comparison, peers), Effort::QUICK)
}

fn runners(comparison: Comparison, peers: &[&str]) -> Vec<Runner> {
    let wanted = comparison.contenders.into_iter();
    let wanted = wanted.filter(|one| one.name == "segheap" || peers.contains(&one.name));
    let runners: Vec<Runner> = wanted
        .map(|one| Runner { name: one.name, pass: (one.make)(), passes: 1, costs: Vec::new() })
        .collect();
    assert_eq!(runners.len(), 1 + peers.len(), "a peer is missing: {peers:?}");
    runners
}

/// Checks that segheap and `peers` return the same result (twice if that is quick),
/// then measures them: every round takes one sample of each.
pub(crate) fn measure(
    comparison: Comparison,
    peers: &[&str],
    effort: Effort,
) -> Result<Measured, Mismatch> {
    let (operations, fresh) = (comparison.operations as f64, comparison.fresh);
    let rounds = comparison.rounds;
    let mut runners = runners(comparison, peers);
    if let Some(rounds) = rounds {
        measure_rounds(&mut runners, rounds, operations)?;
        return Ok(Measured::new(rounds, runners));
    }
    let start = Instant::now();
    check(&mut runners, effort)?;
    if !fresh && start.elapsed() < effort.budget {
        check(&mut runners, effort)?;
    }

    let start = Instant::now();
    let mut rounds = 0;
    while effort.continues(rounds, start.elapsed()) {
        for Runner { pass, passes, costs, .. } in &mut runners {
            if *passes > 1 {
                pass(false); // loads the caches, which the other contenders have evicted
            }
            let cost: u64 = (0..*passes).map(|_| pass(false).cost).sum();
            costs.push(cost as f64 / *passes as f64 / operations);
        }
        rounds += 1;
    }

    Ok(Measured::new(rounds, runners))
}

/// Measures so many passes of each runner, all of whose results are checked.
fn measure_rounds(runners: &mut [Runner], rounds: usize, operations: f64) -> Result<(), Mismatch> {
    for _ in 0..rounds {
        let mut results = Vec::new();
        for runner in &mut *runners {
            let outcome = (runner.pass)(true);
            results.push((runner.name, outcome.result));
            runner.costs.push(outcome.cost as f64 / operations);
        }
        agree(&results)?;
    }
    Ok(())
}

impl Measured {
    fn new(rounds: usize, runners: Vec<Runner>) -> Measured {
        let noise = noise(&runners[0].costs);
        let costs = runners.into_iter().map(|runner| (runner.name, cost(runner.costs))).collect();
        Measured { rounds, noise, costs }
    }
}

fn check(runners: &mut [Runner], effort: Effort) -> Result<(), Mismatch> {
    let mut results = Vec::new();
    for runner in runners {
        let outcome = (runner.pass)(true);
        results.push((runner.name, outcome.result));
        let sample = effort.sample.as_nanos() as u64;
        runner.passes = sample.div_ceil(outcome.cost.max(100));
    }
    agree(&results)
}

fn agree(results: &[(&str, u64)]) -> Result<(), Mismatch> {
    if results.iter().any(|(_, result)| *result != results[0].1) {
        return Err(Mismatch(format!("{results:?}")));
    }
    Ok(())
}

/// segheap compared with itself, at most `NOISE_MAX`; 0 if there is one round.
fn noise(costs: &[f64]) -> f64 {
    if costs.len() < 2 {
        return 0.0;
    }
    let differences = costs.chunks_exact(2).map(|pair| (pair[0] / pair[1]).ln().abs()).collect();
    cost(differences).median.exp_m1().min(NOISE_MAX)
}

fn cost(mut costs: Vec<f64>) -> Cost {
    costs.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let place = part * (costs.len() - 1) as f64;
        let (low, high) = (costs[place.floor() as usize], costs[place.ceil() as usize]);
        low + (high - low) * place.fract()
    };
    Cost { median: at(0.5), quartiles: [at(0.25), at(0.75)] }
}
