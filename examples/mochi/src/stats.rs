//! What the heap holds, as a table.

use std::fmt::Write;

use crate::machine::Machine;

pub(crate) fn table(machine: &Machine) -> String {
    let (usage, pauses) = (machine.context.usage(), machine.pauses);
    let mut text = String::from("arena      pages      live      free  payload bytes\n");
    for arena in usage.arenas() {
        let (kind, bytes) = (arena.kind.to_string(), arena.payload_bytes);
        let (pages, live, free) = (arena.pages, arena.live, arena.free);
        let _ = writeln!(text, "{kind:<8} {pages:>7} {live:>9} {free:>9} {bytes:>14}");
    }
    let (pages, live, bytes) = (usage.pages(), usage.live(), usage.total_bytes);
    let _ = writeln!(text, "all      {pages:>7} {live:>9}   {bytes} bytes asked of the allocator");
    let [total, longest] = [pauses.total, pauses.longest].map(|it| it.as_secs_f64() * 1e3);
    let (count, freed) = (pauses.count, pauses.freed);
    let _ = write!(text, "{count} collections freed {freed} objects in {total:.3} ms, ");
    let _ = writeln!(text, "the longest pause {longest:.3} ms");
    text
}
