//! Heap usage and collector statistics as a table (`--stats`).

use std::fmt::Write;

use crate::vm::Vm;

pub(crate) fn table(vm: &Vm) -> String {
    let (usage, gc) = (vm.context.usage(), vm.gc_stats);
    let mut text = String::from("arena      pages      live      free  payload bytes\n");
    for arena in usage.arenas() {
        let (kind, bytes) = (arena.kind.to_string(), arena.payload_bytes);
        let (pages, live, free) = (arena.pages, arena.live, arena.free);
        let _ = writeln!(text, "{kind:<8} {pages:>7} {live:>9} {free:>9} {bytes:>14}");
    }
    let (pages, live, bytes) = (usage.pages(), usage.live(), usage.total_bytes);
    let _ = writeln!(text, "total    {pages:>7} {live:>9}   {bytes} bytes from the allocator");
    let [total, longest] = [gc.total, gc.longest].map(|pause| pause.as_secs_f64() * 1e3);
    let (pauses, freed) = (gc.pauses, gc.freed);
    let _ =
        write!(text, "{pauses} pauses for collections freed {freed} objects in {total:.3} ms, ");
    let _ = writeln!(text, "longest pause {longest:.3} ms");
    text
}
