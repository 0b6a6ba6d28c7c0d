//! Runs the self-check as a program: prints the report, and fails if it is not as
//! expected. With the argument `hashes`, prints the hash of a text in heaps with
//! random seeds instead.

use std::process::ExitCode;

use segheap::{Error, Heap, Settings};
use segheap_self_check::{first_difference, report};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("hashes") {
        for settings in random_settings() {
            match settings.and_then(hash) {
                Ok(hash) => println!("{hash}"),
                Err(error) => {
                    eprintln!("self-check: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
        return ExitCode::SUCCESS;
    }
    let report = report();
    print!("{report}");
    match first_difference(&report) {
        None => ExitCode::SUCCESS,
        Some(line) => {
            eprintln!("self-check: line {line} is not as expected");
            ExitCode::FAILURE
        }
    }
}

/// Two of each source of entropy.
fn random_settings() -> Vec<Result<Settings, Error>> {
    let sources: &[fn() -> Result<Settings, Error>] = &[
        #[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
        || Ok(Settings::random()),
        #[cfg(feature = "getrandom")]
        Settings::try_random,
    ];
    sources.iter().flat_map(|source| [source(), source()]).collect()
}

fn hash(settings: Settings) -> Result<u32, Error> {
    let mut heap = Heap::with(settings);
    let text = heap.string("segmented")?;
    heap.hash(text)
}
