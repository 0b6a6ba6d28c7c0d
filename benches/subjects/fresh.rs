//! Passes that each run in a process of their own: peers on a global allocator
//! reuse pages that earlier rounds faulted in.

use std::process::Command;

use super::contest::{Outcome, Pass};

/// The argument that makes this program run one pass and print its outcome.
const ARGUMENT: &str = "--one-fresh-pass";

/// A pass of a contestant, run in a child.
pub(crate) fn apart(contest: &'static str, contestant: &'static str) -> Pass {
    Box::new(move |_| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args([ARGUMENT, contest, contestant]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (cost, answer) = text.split_once(' ').unwrap_or_else(|| {
            panic!("{contest}, {contestant}: {}", String::from_utf8_lossy(&output.stderr))
        });
        Outcome { cost: cost.parse().unwrap(), answer: answer.parse().unwrap() }
    })
}

/// The child's side. True if this process is such a child, and done.
pub(crate) fn is_child() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [argument, contest, contestant] = &arguments[..] else { return false };
    if argument != ARGUMENT {
        return false;
    }
    let (_, make) = super::find(contest).unwrap();
    let mut contestants = make().contestants.into_iter();
    let contestant = contestants.find(|found| found.name == contestant).unwrap();
    let Outcome { cost, answer } = (contestant.make)()(true);
    print!("{cost} {answer}");
    true
}

/// Resident bytes of this process; 0 where there is no `/proc`.
pub(super) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0_u64) * 4096
}
