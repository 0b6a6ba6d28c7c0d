//! What frees objects, keeps them live, or inspects the object graph.

use std::collections::VecDeque;

use segheap::{Cell, Error, Heap, HostCopy, MarkReader, Policy, SaveError, Settings, abi};

use super::{Table, show};
use crate::machine::Effect::{
    Allocates, Changes, Frees, Moves, Reads, ReadsUsage, Sweeps, Transplants,
};
use crate::machine::Takes::{Foreign, ObjectOrSeal, Seal, Value};
use crate::machine::{Call, Machine, Outcome, Takes, host, sealed};
use crate::support::fork_with_hosts;

pub fn rows(t: &mut Table) {
    lifetimes(t);
    host_objects(t);
    copies_of_heaps(t);
    collection(t);
    inspection(t);
    observation(t);
}

fn lifetimes(t: &mut Table) {
    t.row("Heap::free", &[Takes::Object], &[Frees(0)], |m, c| show(m.heap.free(c.cell(0))?));
    t.row("Heap::clear", &[], &[Sweeps], |m, _| {
        m.heap.clear();
        show(())
    });
    t.row("Heap::pin", &[ObjectOrSeal], &[], |m, c| show(m.heap.pin(c.cell(0))?));
    t.row("Heap::unpin", &[Value], &[], |m, c| show(m.heap.unpin(c.cell(0))));
    t.row("Heap::watch", &[ObjectOrSeal], &[], |m, c| {
        show(m.heap.watch(c.cell(0), c.int().cast_unsigned())?)
    });
    t.row("Heap::unwatch", &[Value], &[], |m, c| {
        show(m.heap.unwatch(c.cell(0), c.int().cast_unsigned()))
    });
    t.row("abi::write_barrier", &[Takes::Object, Value], &[Changes(0)], |m, c| {
        let cells = abi::write_barrier(&mut m.heap, c.cell(0))?;
        if let Some(cell) = cells.get_mut(c.index()) {
            *cell = c.cell(1);
        }
        show(cells.to_vec())
    });
    t.row("Heap::freeze", &[Value], &[Changes(0)], |m, c| {
        // Few objects: the program goes on to change the others.
        if c.small() > 0 {
            return show(m.heap.is_frozen(c.cell(0))?);
        }
        m.heap.freeze(c.cell(0))?;
        assert_eq!(m.heap.is_frozen(c.cell(0)), Ok(true));
        show(())
    });
    t.row("Heap::is_frozen", &[Value], &[], |m, c| show(m.heap.is_frozen(c.cell(0))?));
    t.row("Heap::is_shared", &[Value], &[], |m, c| show(m.heap.is_shared(c.cell(0))?));
    t.row("Heap::is_value", &[Value], &[], |m, c| show(m.heap.is_value(c.cell(0))?));
    t.row("Heap::drain_dead", &[], &[], |m, c| {
        show(m.heap.drain_dead().take(c.small()).collect::<Vec<_>>())
    });
    t.row("Heap::new_seal_key", &[], &[], |m, _| {
        let key = m.heap.new_seal_key()?;
        m.keys.push(key);
        show(m.keys.len())
    });
    t.row("Heap::seal", &[Value], &[Allocates(sealed())], |m, c| {
        let key = &m.keys[c.small() % m.keys.len()];
        let seal = m.heap.seal(c.cell(0), key)?;
        m.keep(seal)
    });
    t.row("Heap::unseal", &[Seal], &[], |m, c| {
        let key = &m.keys[c.small() % m.keys.len()];
        show(m.heap.unseal(c.cell(0), key)?)
    });
    t.row("Heap::open_region", &[], &[], |m, _| {
        let region = m.heap.open_region()?;
        m.regions.push(region);
        show(m.regions.len())
    });
    t.row("Heap::allocated_in", &[Value], &[], |m, c| {
        let Some(n) = c.small().checked_rem(m.regions.len()) else { return show(()) };
        show(m.heap.allocated_in(&m.regions[n], c.cell(0))?)
    });
    t.row("Heap::close_region", &[Value, Value], &[Sweeps], |m, c| {
        let Some(n) = c.small().checked_rem(m.regions.len()) else { return show(()) };
        let region = m.regions.swap_remove(n);
        show(m.heap.close_region(region, c.cells.clone())?)
    });
}

fn copies_of_heaps(t: &mut Table) {
    t.row("Heap::try_clone", &[], &[Reads(host())], |m, _| {
        let mut fork = match m.heap.try_clone() {
            Err(Error::NoHostCopy) => m.heap.try_clone_with(copy_number)?,
            fork => fork?,
        };
        fork.verify().expect("a consistent fork");
        show(())
    });
    t.row("Heap::try_clone_with", &[], &[Reads(host())], |m, c| {
        let mut calls = c.small();
        let mut fork = m.heap.try_clone_with(|object| {
            calls = calls.checked_sub(1).ok_or(Error::NotDecimal)?;
            copy_number(object)
        })?;
        fork.verify().expect("a consistent fork");
        show(fork.usage().hosts.live)
    });
    images(t);
    t.row("Heap::transplant", &[Foreign], &[Transplants(0)], |m, c| {
        let copy = m.heap.transplant(&m.other, c.cell(0))?;
        m.keep(copy)
    });
    let (takes, effects) = ([Foreign, Foreign], [Transplants(0), Transplants(1)]);
    t.row("Heap::transplant_all", &takes, &effects, |m, c| {
        let mut cells = [c.cell(0), c.cell(1)];
        let copied = m.heap.transplant_all(&m.other, &mut cells);
        m.keep_copies(c, cells, copied)
    });
    t.row("Heap::transplant_with", &takes, &effects, |m, c| {
        let (mut cells, mut calls) = ([c.cell(0), c.cell(1)], c.small());
        let copied = m.heap.transplant_with(&m.other, &mut cells, |object| {
            calls = calls.checked_sub(1).ok_or(Error::NotDecimal)?;
            copy_number(object)
        });
        m.keep_copies(c, cells, copied)
    });
    t.row("HostCopy::get", &takes, &effects, |m, c| {
        let mut cells = [c.cell(0), c.cell(1)];
        // Without a value.
        let copied =
            m.heap.transplant_with(&m.other, &mut cells, |object| object.get::<u32>().map(drop));
        m.keep_copies(c, cells, copied)
    });
    t.row("HostCopy::object", &takes, &effects, |m, c| {
        let mut cells = [c.cell(0), c.cell(1)];
        let copied = m.heap.transplant_with(&m.other, &mut cells, |object| {
            object.put(*m.other.host_ref::<u32>(object.object())?)
        });
        m.keep_copies(c, cells, copied)
    });
    t.row("HostCopy::put", &takes, &effects, |m, c| {
        let mut cells = [c.cell(0), c.cell(1)];
        let copied = m.heap.transplant_with(&m.other, &mut cells, |object| {
            object.put("of another type")?;
            object.put(u32::from(c.numbers[0]))
        });
        m.keep_copies(c, cells, copied)
    });
    t.row("HostCopy::set_host_bytes", &takes, &effects, |m, c| {
        let mut cells = [c.cell(0), c.cell(1)];
        let copied = m.heap.transplant_with(&m.other, &mut cells, |object| {
            object.set_host_bytes(c.small() * 64);
            copy_number(object)
        });
        m.keep_copies(c, cells, copied)
    });
}

/// The hook for host objects of machines.
fn copy_number(object: &mut HostCopy<'_>) -> Result<(), Error> {
    object.put(*object.get::<u32>()?)
}

impl Machine {
    /// Keeps the copies of foreign cells, which stay what they were if there are none.
    fn keep_copies(&mut self, call: &Call, cells: [Cell; 2], copied: Result<(), Error>) -> Outcome {
        if copied.is_err() {
            assert_eq!(cells, [call.cell(0), call.cell(1)]);
        }
        copied?;
        let [first, second] = cells;
        show((self.keep(first)?, self.keep(second)?))
    }
}

fn host_objects(t: &mut Table) {
    t.row("Heap::host", &[], &[Allocates(host())], |m, c| {
        let object = match m.heap.host(u32::from(c.numbers[0])) {
            Ok(object) => object,
            Err(refused) => {
                assert_eq!(refused.value, u32::from(c.numbers[0]));
                return Err(refused.error);
            }
        };
        m.keep(object)
    });
    t.row("Heap::host_ref", &[Takes::Of(host())], &[], |m, c| match c.numbers[0] % 4 {
        1 => show(m.heap.host_ref::<String>(c.cell(0))?),
        _ => show(m.heap.host_ref::<u32>(c.cell(0))?),
    });
    t.row("Heap::host_mut", &[Takes::Of(host())], &[Changes(0)], |m, c| {
        *m.heap.host_mut::<u32>(c.cell(0))? = u32::from(c.numbers[0]);
        show(())
    });
    t.row("Heap::take_host", &[Takes::Of(host())], &[Frees(0)], |m, c| match c.numbers[0] % 4 {
        1 => show(m.heap.take_host::<i32>(c.cell(0))?),
        _ => show(m.heap.take_host::<u32>(c.cell(0))?),
    });
    t.row("Heap::set_host_bytes", &[Takes::Of(host())], &[], |m, c| {
        show(m.heap.set_host_bytes(c.cell(0), c.small() * 64)?)
    });
}

fn collection(t: &mut Table) {
    t.row("Policy::with_growth_percent", &[], &[], |_, c| {
        show(Policy::DEFAULT.with_growth_percent(c.numbers[0]))
    });
    t.row("Policy::with_bytes_min", &[], &[], |_, c| {
        show(Policy::DEFAULT.with_bytes_min(u64::from(c.numbers[0])))
    });
    t.row("Policy::with_compact_percent", &[], &[], |_, c| {
        show(Policy::DEFAULT.with_compact_percent(c.numbers[0].to_le_bytes()[0]))
    });
    t.row("Policy::with_young_bytes", &[], &[], |_, c| {
        show(Policy::DEFAULT.with_young_bytes(u64::from(c.numbers[0])))
    });
    t.row("Policy::with_step_bytes", &[], &[], |_, c| {
        show(Policy::DEFAULT.with_step_bytes(u64::from(c.numbers[0])))
    });
    t.row("Policy::with_stress", &[], &[], |_, c| {
        show(Policy::DEFAULT.with_stress(u32::from(c.numbers[0])))
    });
    t.row("Heap::should_collect", &[], &[ReadsUsage], |m, _| show(m.heap.should_collect()));
    t.row("Heap::policy", &[], &[], |m, _| show(m.heap.policy()));
    t.row("Heap::set_policy", &[], &[], |m, c| {
        let compact_percent = c.numbers[0].to_le_bytes()[0] % 101;
        let stress = u32::from(c.numbers[1] % 2);
        // Small enough for young collections and steps to be due in a short program.
        let few = |number: u16| u64::from(number % 512);
        let policy = Policy::DEFAULT.with_compact_percent(compact_percent).with_stress(stress);
        let policy = policy.with_bytes_min(few(c.numbers[1])).with_young_bytes(few(c.numbers[0]));
        m.heap.set_policy(policy.with_step_bytes(few(c.numbers[0] / 2)));
        show(())
    });
    t.row("Heap::collect", &[], &[Sweeps, Moves], |m, c| {
        let roots = m.roots(c);
        show(m.heap.collect(roots)?)
    });
    t.row("Heap::collect_and_recycle", &[], &[Sweeps, Moves], |m, c| {
        let roots = m.roots(c);
        show(m.heap.collect_and_recycle(roots, m.handles.iter().copied())?)
    });
    t.row("Heap::step", &[], &[Sweeps, Moves], |m, c| {
        let roots = m.roots(c);
        show(m.heap.step(roots, u64::from(c.numbers[1] % 2048))?)
    });
    #[cfg(feature = "std")]
    t.row("Heap::step_for", &[], &[Sweeps, Moves], |m, c| {
        let roots = m.roots(c);
        // All of it: how far it would come otherwise depends on the clock.
        show(m.heap.step_for(roots, core::time::Duration::MAX)?)
    });
    t.row("Heap::collector_stats", &[], &[ReadsUsage], |m, _| {
        let stats = m.heap.collector_stats();
        show((stats.collections, stats.cycles, stats.steps, stats.young, stats.freed))
    });
    t.row("Heap::collect_young", &[], &[Sweeps, Moves], |m, c| {
        let roots = m.roots(c);
        show(m.heap.collect_young(roots)?)
    });
    t.row("Heap::has_debt", &[], &[ReadsUsage], |m, _| show(m.heap.has_debt()));
    t.row("Heap::collect_debt", &[], &[Sweeps, Moves, ReadsUsage], |m, c| {
        let roots = m.roots(c);
        show(m.heap.collect_debt(roots)?)
    });
    with_callbacks(t);
    t.row("Heap::compact", &[], &[Moves], |m, _| {
        m.heap.compact();
        show(())
    });
    t.row("Heap::compact_step", &[], &[Moves, ReadsUsage], |m, c| {
        show(m.heap.compact_step(u64::from(c.numbers[1] % 2048))?)
    });
    #[cfg(feature = "std")]
    t.row("Heap::compact_step_for", &[], &[Moves, ReadsUsage], |m, _| {
        // All of it: how far it would come otherwise depends on the clock.
        show(m.heap.compact_step_for(core::time::Duration::MAX)?)
    });
}

/// Asks about objects, and rescues every other one that is garbage.
fn ask(reader: &mut MarkReader<'_>, handles: &[Cell]) -> Vec<bool> {
    let mut seen: Vec<bool> = handles.iter().map(|&cell| reader.is_marked(cell)).collect();
    seen.extend(handles.iter().step_by(2).map(|&cell| reader.rescue(cell)));
    seen
}

fn with_callbacks(t: &mut Table) {
    t.row("Heap::collect_with", &[], &[Sweeps, Moves], |m, c| {
        let (roots, handles, mut seen) = (m.roots(c), m.handles.clone(), Vec::new());
        show((m.heap.collect_with(roots, |reader| seen = ask(reader, &handles))?, seen))
    });
    t.row("Heap::step_with", &[], &[Sweeps, Moves], |m, c| {
        let (roots, handles, mut seen) = (m.roots(c), m.handles.clone(), Vec::new());
        let work = u64::from(c.numbers[1] % 2048);
        show((m.heap.step_with(roots, work, |reader| seen = ask(reader, &handles))?, seen))
    });
    t.row("Heap::collect_young_with", &[], &[Sweeps, Moves], |m, c| {
        let (roots, handles, mut seen) = (m.roots(c), m.handles.clone(), Vec::new());
        show((m.heap.collect_young_with(roots, |reader| seen = ask(reader, &handles))?, seen))
    });
    t.row("Heap::collect_debt_with", &[], &[Sweeps, Moves, ReadsUsage], |m, c| {
        let (roots, handles, mut seen) = (m.roots(c), m.handles.clone(), Vec::new());
        show((m.heap.collect_debt_with(roots, |reader| seen = ask(reader, &handles))?, seen))
    });
    t.row("MarkReader::is_marked", &[Value], &[Sweeps, Moves], |m, c| {
        let (roots, cell, mut seen) = (m.roots(c), c.cell(0), false);
        m.heap.collect_with(roots, |reader| seen = reader.is_marked(cell))?;
        show(seen)
    });
    t.row("MarkReader::rescue", &[Value], &[Sweeps, Moves], |m, c| {
        let (roots, cell, mut seen) = (m.roots(c), c.cell(0), false);
        m.heap.collect_with(roots, |reader| seen = reader.rescue(cell))?;
        show(seen)
    });
}

fn observation(t: &mut Table) {
    t.row("Heap::write_heap_snapshot", &[Value], &[ReadsUsage], |m, c| {
        let mut json = String::new();
        let written = m.heap.write_heap_snapshot(&mut json, [c.cell(0)], &());
        show((written.expect("a string takes all"), json))
    });
    #[cfg(feature = "std")]
    t.row("Heap::save_heap_snapshot", &[Value], &[ReadsUsage], |m, c| {
        let mut json = Vec::new();
        let saved = m.heap.save_heap_snapshot(&mut json, [c.cell(0)], &());
        show((saved.expect("a vector takes all"), json.len()))
    });
    t.row("Heap::start_profile", &[], &[ReadsUsage], |m, _| show(m.heap.start_profile()?));
    t.row("Heap::stop_profile", &[], &[ReadsUsage], |m, _| {
        m.heap.stop_profile();
        show(())
    });
    t.row("Heap::set_site", &[], &[ReadsUsage], |m, c| {
        m.heap.set_site(c.small() as u32);
        show(())
    });
    t.row("Heap::allocation_profile", &[], &[ReadsUsage], |m, _| {
        show(m.heap.allocation_profile().to_string())
    });
    t.row("AllocationProfile::sites", &[], &[ReadsUsage], |m, _| {
        show(m.heap.allocation_profile().sites().to_vec())
    });
    t.row("AllocationProfile::lost", &[], &[ReadsUsage], |m, _| {
        show(m.heap.allocation_profile().lost())
    });
    t.row("AllocationProfile::folded", &[], &[ReadsUsage], |m, _| {
        let profile = m.heap.allocation_profile();
        show(profile.folded(|site, out| write!(out, "{site}"), |row| row.live.bytes).to_string())
    });
    t.row("AllocationProfile::pprof", &[], &[ReadsUsage], |m, _| {
        show(m.heap.allocation_profile().pprof(|site, out| write!(out, "{site}"))?)
    });
    t.row("Heap::record_events", &[], &[ReadsUsage], |m, c| show(m.heap.record_events(c.small())?));
    t.row("Heap::drain_events", &[], &[ReadsUsage], |m, _| {
        show(m.heap.drain_events().map(|event| event.kind).collect::<Vec<_>>())
    });
    t.row("Heap::events_lost", &[], &[ReadsUsage], |m, _| show(m.heap.events_lost()));
}

/// A fork of the heap without its host objects, in which no region is open.
fn fork(m: &Machine) -> Result<Heap, Error> {
    let (mut fork, hosts) = fork_with_hosts(&m.heap)?;
    hosts.into_iter().try_for_each(|host| fork.free(host))?;
    Ok(fork)
}

/// A reader of an image of a machine's heap.
fn image(m: &Machine) -> Result<impl FnMut(&mut [u8]) -> Result<(), ()> + use<>, Error> {
    let mut image = VecDeque::new();
    let saved = fork(m)?.save_with(|bytes| {
        image.extend(bytes);
        Ok::<(), ()>(())
    });
    assert_eq!(saved, Ok(()));
    Ok(move |bytes: &mut [u8]| {
        bytes.iter_mut().for_each(|to| *to = image.pop_front().unwrap());
        Ok(())
    })
}

fn images(t: &mut Table) {
    t.row("Heap::save_with", &[], &[Sweeps, Reads(host()), ReadsUsage], |m, c| {
        let mut room = if c.numbers[0] % 4 == 0 { 64 * c.small() } else { usize::MAX };
        let mut write = |bytes: &[u8]| {
            room = room.checked_sub(bytes.len()).ok_or("full")?;
            Ok::<(), &str>(())
        };
        match m.heap.save_with(&mut write) {
            Err(SaveError::Heap(Error::RegionOpen | Error::NoHostCopy)) => {
                show(fork(m)?.save_with(&mut write))
            }
            Err(SaveError::Heap(error)) => Err(error),
            saved => show(saved),
        }
    });
    t.row("Heap::load_with", &[], &[Reads(host()), ReadsUsage], |m, _| {
        let loaded = Heap::load_with(image(m)?, Settings::seeded(3));
        let mut loaded = loaded.expect("an image");
        loaded.verify().expect("a consistent heap");
        show(loaded.usage().live())
    });
    t.row("Heap::load_timed", &[], &[Reads(host()), ReadsUsage], |m, _| {
        let loaded = Heap::load_timed(image(m)?, Settings::seeded(3));
        let (mut loaded, _) = loaded.expect("an image");
        loaded.verify().expect("a consistent heap");
        show(loaded.usage().live())
    });
    #[cfg(feature = "std")]
    t.row("Heap::save", &[], &[Sweeps, Reads(host()), ReadsUsage], |m, _| {
        match m.heap.save(Vec::new()) {
            Err(SaveError::Heap(Error::RegionOpen | Error::NoHostCopy)) => {
                show(fork(m)?.save(Vec::new()).is_ok())
            }
            Err(SaveError::Heap(error)) => Err(error),
            saved => show(saved.is_ok()),
        }
    });
    #[cfg(feature = "std")]
    t.row("Heap::load", &[], &[Reads(host()), ReadsUsage], |m, _| {
        let mut image = Vec::new();
        fork(m)?.save(&mut image).expect("a vector takes all");
        let mut loaded = Heap::load(&image[..], Settings::seeded(3)).expect("an image");
        loaded.verify().expect("a consistent heap");
        show(loaded.usage().live())
    });
}

fn inspection(t: &mut Table) {
    t.row("Heap::edges", &[Takes::Object], &[], |m, c| {
        show(m.heap.edges(c.cell(0))?.collect::<Vec<_>>())
    });
    t.row("Heap::path_from_roots", &[ObjectOrSeal, Value], &[], |m, c| {
        show(m.heap.path_from_roots([c.cell(1)], c.cell(0))?)
    });
    t.row("Heap::capacity", &[ObjectOrSeal], &[], |m, c| show(m.heap.capacity(c.cell(0))?));
    t.row("Heap::shallow_size", &[ObjectOrSeal], &[], |m, c| show(m.heap.shallow_size(c.cell(0))?));
    t.row("Heap::retained_size", &[ObjectOrSeal, Value], &[ReadsUsage], |m, c| {
        show(m.heap.retained_size([c.cell(1)], c.cell(0))?)
    });
    t.row("Heap::dump", &[], &[ReadsUsage], |m, _| Ok(m.heap.dump().to_string()));
    t.row("Heap::graphviz", &[], &[ReadsUsage], |m, _| Ok(m.heap.graphviz().to_string()));
    t.row("Heap::verify", &[], &[], |m, _| {
        m.heap.verify().expect("a consistent heap");
        show(())
    });
}
