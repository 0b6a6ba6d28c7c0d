//! Limits and injected failures, and what holds after each operation.

use segheap::{Limits, Usage};

use crate::world::{Check, Outcome, World};

/// Sets other limits.
pub(crate) fn set(w: &mut World) -> Check {
    let usage = w.heap().usage();
    let near = usage.total_bytes as usize;
    let most = usage.arenas().iter().map(|arena| arena.live + arena.free).max().unwrap_or(0);
    let pages = usage.arenas().iter().map(|arena| arena.pages as u32).max().unwrap_or(0);
    let mut limits = Limits::NONE;
    if w.dice.percent(50) {
        let more = w.dice.one(&[0, 64, 4096, 70_000, 200_000]);
        limits = limits.with_bytes(if w.dice.percent(5) { near / 2 } else { near + more });
    }
    if w.dice.percent(30) {
        limits = limits.with_slots(most / 2 + w.dice.below(most as usize + 2) as u32);
    }
    if w.dice.percent(30) {
        limits = limits.with_pages(pages + w.dice.below(2) as u32);
    }
    if w.dice.percent(30) {
        limits = limits.with_integer_bits(w.dice.one(&[0, 127, 128, 200, 1000]));
    }
    if w.dice.percent(40) {
        limits = Limits::NONE;
    }
    w.note(|| format!("set_limits {limits:?}"));
    w.heap().set_limits(limits);
    let got = w.heap().limits();
    w.settle(Ok(got), Ok(limits)).map(drop)
}

/// Makes growth fail, or ends that.
pub(crate) fn inject(w: &mut World) -> Check {
    let after = if w.side().injected { None } else { Some(w.dice.below(6) as u64) };
    w.note(|| format!("fail_growth_after {after:?}"));
    w.heap().fail_growth_after(after);
    w.side().injected = after.is_some();
    w.settle(Ok(()), Ok(())).map(drop)
}

/// Checks limits and counts after an operation, and that nothing has changed if it failed.
pub(crate) fn check(w: &World, after: &Usage) -> Check {
    let (before, side) = (&w.before, &w.sides[w.me]);
    let limits = side.heap.limits();
    if after.total_bytes > (limits.bytes as u64).max(before.total_bytes) {
        return Err(format!("{} bytes, limit {}", after.total_bytes, limits.bytes));
    }
    for (old, new) in arenas(before).zip(arenas(after)) {
        let slots = new.live + new.free;
        if slots > limits.slots.max(old.live + old.free) {
            return Err(format!("{slots} slots of {}, limit {}", new.kind, limits.slots));
        }
        if new.pages > u64::from(limits.pages).max(old.pages) {
            return Err(format!("{} pages of {}, limit {}", new.pages, new.kind, limits.pages));
        }
    }
    if after.live() != side.model.live {
        return Err(format!("{} objects are live, expected {}", after.live(), side.model.live));
    }
    let seals = side.model.objects.len() as u64 - side.model.live;
    if u64::from(after.seals.live) != seals {
        return Err(format!("{} seals are live, expected {seals}", after.seals.live));
    }
    let failed = matches!(w.outcome, Outcome::Failed | Outcome::Refused);
    let changed = arenas(before).zip(arenas(after)).find(|(old, new)| old != new);
    if let Some((old, new)) = changed.filter(|_| failed) {
        return Err(format!("failed ({:?}) and changed {old:?} to {new:?}", w.outcome));
    }
    Ok(())
}

fn arenas(usage: &Usage) -> impl Iterator<Item = &segheap::ArenaUsage> {
    usage.arenas().iter().chain([&usage.seals])
}
