//! A fork has the same objects under the same handles, and is another heap.

use std::sync::Arc;

use proptest::prelude::*;
use segheap::{Cell, Error, Heap, Limits, List, Settings, abi};

use crate::images::{load, save};
use crate::machine::frame::Monitor;
use crate::machine::{Machine, Step};
use crate::support::{config, fork_with_hosts, programs};

/// Runs a program, then frees the host objects, with which no heap can be forked.
pub fn run(machine: &mut Machine, program: &[Step]) {
    for step in program {
        let call = machine.resolve(step);
        let _ = machine.run(&call);
    }
    machine.heap.fail_growth_after(None);
    machine.heap.set_limits(Limits::NONE);
    let (_, hosts) = fork_with_hosts(&machine.heap).unwrap();
    for host in hosts {
        assert_eq!(machine.heap.try_clone().err(), Some(Error::NoHostCopy));
        machine.heap.free(host).unwrap();
    }
    machine.heap.set_limits(Machine::LIMITS);
}

/// A fork of the machine's heap after [`run`]; `None` if the limits have no room for one.
pub fn fork(machine: &Machine) -> Option<Heap> {
    match machine.heap.try_clone() {
        Ok(fork) => Some(fork),
        Err(Error::Limit(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(config(96))]

    /// Every cell opens the same object in the fork, or is stale in both.
    #[test]
    fn a_fork_has_the_same_objects(seed in any::<u64>(), program in programs(200)) {
        let mut machine = Machine::new(seed);
        run(&mut machine, &program);
        let Some(mut fork) = fork(&machine) else { return Ok(()) };
        fork.verify().unwrap();
        machine.heap.verify().unwrap();
        for &cell in &machine.handles {
            let usable = machine.heap.contains(cell);
            prop_assert_eq!(fork.contains(cell), usable);
            let shown = fork.display(cell).quoted().to_string();
            // Garbage that a cycle had found is freed in the fork, and may be opened here.
            if usable && !shown.contains("gone") {
                prop_assert_eq!(shown, machine.heap.display(cell).quoted().to_string());
                prop_assert_eq!(fork.hash(cell), machine.heap.hash(cell));
                prop_assert_eq!(fork.is_symbol(cell), machine.heap.is_symbol(cell));
            }
        }
    }

    /// What happens to one is not seen by the other, and both go on as heaps do.
    #[test]
    fn forks_are_independent(
        seed in any::<u64>(),
        first in programs(120),
        then in programs(120),
    ) {
        let mut machine = Machine::new(seed);
        run(&mut machine, &first);
        let Some(fork) = fork(&machine) else { return Ok(()) };
        let before = Monitor::of(&machine.heap);
        let original = std::mem::replace(&mut machine.heap, fork);
        let handles = machine.handles.clone();
        run(&mut machine, &then);
        machine.heap.verify().unwrap();
        prop_assert!(before.equals(&original));
        let of_fork = Monitor::of(&machine.heap);
        let fork = std::mem::replace(&mut machine.heap, original);
        // Those of the fork may open later objects here, of which no write barrier knows.
        machine.handles = handles;
        run(&mut machine, &then);
        machine.heap.verify().unwrap();
        prop_assert!(of_fork.equals(&fork));
    }
}

/// A collection in steps may be under way: what it found to be garbage is so in the fork.
#[test]
fn garbage_stays_garbage() {
    let mut heap = Heap::with(Settings::seeded(5));
    let lists: Vec<Cell> = (0..4000).map(|_| heap.alloc(List::of(&[])).unwrap().cell()).collect();
    let roots = || lists.iter().copied().step_by(2);
    let (mut found, mut finished) = (0, false);
    while !finished {
        finished = heap.step(roots(), 64).unwrap().finished;
        let mut fork = heap.try_clone().unwrap();
        fork.verify().unwrap();
        let usable = lists.iter().filter(|&&list| heap.contains(list)).count();
        assert!(lists.iter().all(|&list| fork.contains(list) == heap.contains(list)));
        assert_eq!(fork.usage().live(), usable as u64);
        found += usize::from(usable == 2000);
    }
    assert!(found > 10, "forks while it swept");
}

/// The hook is called for each live host object, in order, and not for garbage. A fork that
/// fails drops what was made.
#[test]
fn a_hook_makes_the_values_of_a_fork() {
    let mut heap = Heap::with(Settings::seeded(5));
    let objects: Vec<Cell> = (0..200_u32).map(|n| heap.host(n).unwrap()).collect();
    heap.set_host_bytes(objects[0], 1_000).unwrap();
    heap.free(objects[1]).unwrap();
    let live = |n: u32| n != 1 && n.is_multiple_of(2);
    let roots = || objects.iter().copied().step_by(2);
    let mut forks = 0;
    let mut finished = false;
    while !finished {
        finished = heap.step(roots(), 64).unwrap().finished;
        let mut asked = Vec::new();
        let fork = heap.try_clone_with(|object| {
            asked.push(object.object());
            object.put(object.get::<u32>()?.to_string())
        });
        let mut fork = fork.unwrap();
        fork.verify().unwrap();
        let usable: Vec<Cell> =
            objects.iter().copied().filter(|&object| heap.contains(object)).collect();
        assert_eq!(asked, usable);
        let is_right = |(n, object): (u32, &Cell)| {
            fork.host_ref::<String>(*object).is_ok_and(|value| *value == n.to_string())
        };
        assert!((0..).zip(&objects).filter(|(n, _)| live(*n)).all(is_right));
        forks += usize::from(usable.len() == 100);
        assert_eq!(fork.usage().host_bytes, 1_000 + (size_of::<String>() * usable.len()) as u64);
        let value: String = fork.take_host(objects[4]).unwrap();
        assert_eq!((value.as_str(), heap.host_ref::<u32>(objects[4])), ("4", Ok(&4)));
    }
    assert!(forks > 0, "forks while it swept");

    let value = Arc::new(());
    for failing in 0..100 {
        let mut calls = 0;
        let fork = heap.try_clone_with(|object| {
            calls += 1;
            if calls == failing { Err(Error::NotText) } else { object.put(value.clone()) }
        });
        assert_eq!(fork.is_err(), failing > 0);
        drop(fork);
        assert_eq!(Arc::strong_count(&value), 1);
    }
    let none = heap.try_clone_with(|_| Ok::<(), Error>(()));
    assert_eq!(none.err(), Some(Error::NoHostCopy));
}

#[test]
fn what_belongs_to_one_is_not_accepted_by_the_other() {
    let mut heap = Heap::with(Settings::seeded(5));
    let list = heap.alloc(List::of(&[7.into()])).unwrap();
    let mut hint = heap.hint::<List>(list, ..).unwrap();
    let key = heap.new_seal_key().unwrap();
    let sealed = heap.seal(list, &key).unwrap();
    let region = heap.open_region().unwrap();
    heap.watch(list, 3).unwrap();
    heap.pin(list).unwrap();
    let mut fork = heap.try_clone().unwrap();
    let fork_key = fork.new_seal_key().unwrap();
    assert_eq!(hint.get(&heap, 0), Ok(7.into()));
    assert!(matches!(hint.get(&fork, 0), Err(Error::Stale { .. })));
    assert_eq!(fork.unseal(sealed, &key), Err(Error::WrongKey));
    // Nor by a key that the fork makes later.
    assert_eq!(fork.unseal(sealed, &fork_key), Err(Error::WrongKey));
    let sealed = fork.seal(list, &fork_key).unwrap();
    assert_eq!(heap.unseal(sealed, &fork_key).is_ok(), false);
    assert_eq!(fork.close_region(region, [Cell::NULL]), Err(Error::RegionClosed));
    // Pins and tokens are copied.
    fork.collect([Cell::NULL]).unwrap();
    assert_eq!(fork.get(list).unwrap().get(0), Ok(7.into()));
    fork.free(list).unwrap();
    assert_eq!(fork.drain_dead().collect::<Vec<_>>(), [3]);
    assert!(heap.contains(list) && heap.drain_dead().count() == 0);
}

/// One trust domain: the next object of each takes the same slot in the same generation.
#[test]
fn a_cell_made_after_a_fork_may_open_an_object_of_the_other() {
    let mut heap = Heap::with(Settings::seeded(5));
    let mut fork = heap.try_clone().unwrap();
    let (one, other) =
        (heap.alloc(List::of(&[1.into()])).unwrap(), fork.alloc(List::of(&[2.into()])).unwrap());
    assert_eq!(abi::bits(one.into()), abi::bits(other.into()));
    assert_eq!(fork.get(one).unwrap().get(0), Ok(2.into()));
}

/// So may one of a heap that was loaded from the same image.
#[test]
fn a_cell_of_one_loaded_heap_may_open_an_object_of_another() {
    let image = save(&mut Heap::with(Settings::seeded(5))).unwrap();
    let [mut one, mut other] = [7, 8].map(|seed| load(&image, Settings::seeded(seed)).unwrap());
    let (cell, own) =
        (one.alloc(List::of(&[1.into()])).unwrap(), other.alloc(List::of(&[2.into()])).unwrap());
    assert_eq!(abi::bits(cell.into()), abi::bits(own.into()));
    assert_eq!(other.get(cell).unwrap().get(0), Ok(2.into()));
}

/// A fork is refused where the limit or the allocator refuses its memory, and the heap goes
/// on.
#[test]
fn a_fork_is_all_or_nothing() {
    let mut heap = Heap::with(Settings::seeded(5));
    let list = heap.alloc(List::zeroed(100_000)).unwrap();
    heap.set_limits(Limits::NONE.with_bytes(1 << 16));
    assert!(matches!(heap.try_clone(), Err(Error::Limit(_))));
    heap.set_limits(Limits::NONE.with_bytes(1 << 20));
    let fork = heap.try_clone().unwrap();
    assert!(fork.usage().total_bytes <= heap.usage().total_bytes);
    assert_eq!(fork.get(list).unwrap().len(), 100_000);
    heap.verify().unwrap();
}

/// A fork has what collections need for all of its slots, also if these have no payload.
#[test]
fn a_fork_collects_objects_without_payload() {
    let mut heap = Heap::with(Settings::seeded(5));
    let lists: Vec<Cell> =
        (0..100_000).map(|_| heap.alloc(List::of(&[])).unwrap().cell()).collect();
    let mut fork = heap.try_clone().unwrap();
    let collected = fork.collect(lists.iter().copied().skip(1)).unwrap();
    assert_eq!((collected.live, collected.freed), (99_999, 1));
    assert!(lists.iter().skip(1).all(|&list| fork.contains(list)));
    fork.verify().unwrap();
}
