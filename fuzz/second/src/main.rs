//! Compares heaps with a second model by random operations.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

/// Compares heaps with a model, by random operations.
#[derive(Debug, Parser)]
#[command(about)]
struct Arguments {
    /// Operations to run.
    #[arg(long, default_value_t = 1_000_000)]
    operations: u64,
    /// What the operations follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let Arguments { operations, seed } = Arguments::parse();
    let (start, mut shown) = (Instant::now(), Duration::ZERO);
    let result = segheap_second_model::run(seed, operations, |done| {
        let elapsed = start.elapsed();
        if elapsed >= shown + Duration::from_secs(10) {
            shown = elapsed;
            eprintln!("{done} operations in {} s", elapsed.as_secs());
        }
    });
    match result {
        Ok(tally) => {
            println!("{tally}");
            println!("seed {seed}: {operations} operations agree");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}
