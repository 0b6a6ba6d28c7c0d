//! Passes in a process of their own: peers on the global allocator would reuse pages
//! that earlier rounds faulted in.

use std::process::Command;

use super::comparison::{Outcome, Pass};

/// Makes this program run one pass and print its outcome.
const ARGUMENT: &str = "--one-fresh-pass";

/// A pass of a contender in a child process.
pub(crate) fn in_child(comparison: &'static str, contender: &'static str) -> Pass {
    Box::new(move |_| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args([ARGUMENT, comparison, contender]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (cost, result) = text.split_once(' ').unwrap_or_else(|| {
            panic!("{comparison}, {contender}: {}", String::from_utf8_lossy(&output.stderr))
        });
        Outcome { cost: cost.parse().unwrap(), result: result.parse().unwrap() }
    })
}

/// Runs the pass if this process is such a child, and returns whether it is.
pub(super) fn is_child() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [argument, comparison, contender] = &arguments[..] else { return false };
    if argument != ARGUMENT {
        return false;
    }
    let (_, make) = super::find(comparison).unwrap();
    let mut contenders = make().contenders.into_iter();
    let contender = contenders.find(|found| found.name == contender).unwrap();
    let Outcome { cost, result } = (contender.make)()(true);
    print!("{cost} {result}");
    true
}

/// Returns the resident bytes of this process, 0 without `/proc`.
pub(super) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0_u64) * 4096
}
