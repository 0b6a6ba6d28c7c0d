//! Contestants side by side, in rounds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::subjects::contest::{Contest, Pass};

/// How long a contest may take.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    rounds_min: usize,
    rounds_max: usize,
    /// After so much time no round begins, if there are enough of them. After ten
    /// times as much two are enough.
    budget: Duration,
    /// A pass that is shorter than this is repeated within its round.
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

    fn goes_on(&self, rounds: usize, elapsed: Duration) -> bool {
        let enough = if elapsed < self.budget * 10 { self.rounds_min } else { 2 };
        // Runs of segheap are compared in pairs.
        let wanted = rounds < enough || rounds % 2 == 1 || elapsed < self.budget;
        wanted && rounds < self.rounds_max
    }
}

/// So short that on a busy machine the scheduler leaves most samples alone.
const SAMPLE: Duration = Duration::from_micros(500);

/// The most of a row's noise that counts in its favour.
const NOISE_MAX: f64 = 0.10;

/// The costs of one operation.
pub(crate) struct Measured {
    pub(crate) rounds: usize,
    /// How far two runs of segheap, one round apart, lie from each other: the median.
    pub(crate) noise: f64,
    pub(crate) costs: BTreeMap<&'static str, Cost>,
}

#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) median: f64,
    pub(crate) quartiles: [f64; 2],
}

impl Cost {
    /// Half of the distance of the quartiles, as a part of the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.quartiles[1] - self.quartiles[0]) / 2.0 / self.median
    }
}

/// Contestants came to different answers.
pub(crate) struct Wrong(pub(crate) String);

struct Runner {
    name: &'static str,
    pass: Pass,
    /// Passes in a round.
    passes: u64,
    costs: Vec<f64>,
}

/// Checks that segheap and `peers` agree, twice if that is quick, and sets them against each other:
/// every round is one sample of each of them, in turn.
pub(crate) fn measure(contest: Contest, peers: &[&str], effort: Effort) -> Result<Measured, Wrong> {
    let (operations, fresh) = (contest.operations as f64, contest.fresh);
    let wanted = contest.contestants.into_iter();
    let wanted = wanted.filter(|one| one.name == "segheap" || peers.contains(&one.name));
    let mut runners: Vec<Runner> = wanted
        .map(|one| Runner { name: one.name, pass: (one.make)(), passes: 1, costs: Vec::new() })
        .collect();
    assert_eq!(runners.len(), 1 + peers.len(), "a peer is missing: {peers:?}");
    let start = Instant::now();
    check(&mut runners, effort)?;
    if !fresh && start.elapsed() < effort.budget {
        check(&mut runners, effort)?;
    }

    let start = Instant::now();
    let mut rounds = 0;
    while effort.goes_on(rounds, start.elapsed()) {
        for Runner { pass, passes, costs, .. } in &mut runners {
            if *passes > 1 {
                pass(false); // brings back what the others have put out of the caches
            }
            let cost: u64 = (0..*passes).map(|_| pass(false).cost).sum();
            costs.push(cost as f64 / *passes as f64 / operations);
        }
        rounds += 1;
    }

    let noise = noise(&runners[0].costs);
    let costs = runners.into_iter().map(|runner| (runner.name, cost(runner.costs))).collect();
    Ok(Measured { rounds, noise, costs })
}

fn check(runners: &mut [Runner], effort: Effort) -> Result<(), Wrong> {
    let mut answers = Vec::new();
    for runner in runners {
        let outcome = (runner.pass)(true);
        answers.push((runner.name, outcome.answer));
        let sample = effort.sample.as_nanos() as u64;
        runner.passes = sample.div_ceil(outcome.cost.max(100));
    }
    if answers.iter().any(|(_, answer)| *answer != answers[0].1) {
        return Err(Wrong(format!("{answers:?}")));
    }
    Ok(())
}

/// A against A, at most what may count.
fn noise(costs: &[f64]) -> f64 {
    let apart = costs.chunks_exact(2).map(|pair| (pair[0] / pair[1]).ln().abs()).collect();
    cost(apart).median.exp_m1().min(NOISE_MAX)
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
