//! Settings, limits and memory usage of a heap.

use segheap::{Heap, Kind, Limits, Settings};

use super::{Table, show};
use crate::machine::Effect::ReadsUsage;
use crate::machine::Machine;

pub fn rows(t: &mut Table) {
    t.row("Settings::seeded", &[], &[], |_, c| show(Settings::seeded(c.int().cast_unsigned())));
    #[cfg(feature = "std")]
    t.row("Settings::random", &[], &[], |_, _| show(Settings::random()));
    #[cfg(feature = "getrandom")]
    t.row("Settings::try_random", &[], &[], |_, _| show(Settings::try_random().unwrap()));
    t.row("Settings::generation_seed", &[], &[], |_, c| {
        show(Settings::seeded(1).generation_seed(c.int().cast_unsigned()))
    });
    t.row("Settings::hash_seed", &[], &[], |_, c| {
        show(Settings::seeded(1).hash_seed(c.int().cast_unsigned()))
    });
    t.row("Settings::limits", &[], &[], |_, _| show(Settings::seeded(1).limits(Limits::NONE)));
    #[cfg(feature = "std")]
    t.row("Heap::new", &[], &[], |_, _| show(Heap::new()));
    t.row("Heap::with", &[], &[], |_, _| show(Heap::with(Settings::seeded(1))));
    t.row("Heap::limits", &[], &[ReadsUsage], |m, _| show(m.heap.limits()));
    t.row("Heap::set_limits", &[], &[ReadsUsage], |m, c| {
        let usage = m.heap.usage();
        let bytes = usize::try_from(usage.total_bytes).unwrap_or(usize::MAX);
        let limits = Machine::LIMITS;
        m.limited = 4;
        m.heap.set_limits(match c.numbers[0] % 3 {
            0 => limits.with_bytes(bytes + usize::from(c.numbers[1])),
            1 => limits.with_slots(u32::from(c.numbers[1] % 8)),
            _ => limits.with_pages(u32::from(c.numbers[1] % 2)),
        });
        show(())
    });
    t.row("Limits::with_pages", &[], &[], |_, c| show(Limits::NONE.with_pages(c.small() as u32)));
    t.row("Limits::with_integer_bits", &[], &[], |_, c| {
        show(Limits::NONE.with_integer_bits(c.small() as u64))
    });
    t.row("Limits::with_slots", &[], &[], |_, c| show(Limits::NONE.with_slots(c.small() as u32)));
    t.row("Limits::with_bytes", &[], &[], |_, c| show(Limits::NONE.with_bytes(c.small())));
    t.row("Heap::fail_growth_after", &[], &[ReadsUsage], |m, c| {
        m.limited = 4;
        m.heap.fail_growth_after(Some(u64::from(c.numbers[0] % 4)));
        show(())
    });
    t.row("Heap::usage", &[], &[ReadsUsage], |m, _| show(m.heap.usage()));
    t.row("Usage::arenas", &[], &[ReadsUsage], |m, _| show(m.heap.usage().arenas().to_vec()));
    t.row("Usage::live", &[], &[ReadsUsage], |m, _| show(m.heap.usage().live()));
    t.row("Usage::pages", &[], &[ReadsUsage], |m, _| show(m.heap.usage().pages()));
    t.row("Usage::arena", &[], &[ReadsUsage], |m, c| {
        let usage = m.heap.usage();
        show(usage.arena(Kind::ALL[c.small() % Kind::ALL.len()]))
    });
}
