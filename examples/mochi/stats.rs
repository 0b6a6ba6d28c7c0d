//! What the heap holds, as a table.

use std::fmt::Write;

use crate::machine::Machine;

pub(crate) fn table(machine: &Machine) -> String {
    let usage = machine.context.usage();
    let mut text = String::from("arena      pages      live      free  payload bytes\n");
    for arena in &usage.arenas {
        let _ = writeln!(
            text,
            "{:<8} {:>7} {:>9} {:>9} {:>14}",
            arena.kind.to_string(),
            arena.pages,
            arena.live,
            arena.free,
            arena.payload_bytes
        );
    }
    let _ = writeln!(
        text,
        "all      {:>7} {:>9}   {} bytes asked of the allocator",
        usage.pages(),
        usage.live(),
        usage.total_bytes
    );
    let pauses = machine.pauses;
    let _ = writeln!(
        text,
        "{} collections freed {} objects in {:.3} ms, the longest pause {:.3} ms",
        pauses.count,
        pauses.freed,
        pauses.total.as_secs_f64() * 1e3,
        pauses.longest.as_secs_f64() * 1e3
    );
    text
}
