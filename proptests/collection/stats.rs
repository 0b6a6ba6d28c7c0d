//! What `collector_stats` counts.

#[cfg(feature = "std")]
use core::time::Duration;

#[cfg(feature = "std")]
use segheap::List;
use segheap::{Cell, Heap, Limits, Pair, Policy};

use super::heap;
#[cfg(feature = "std")]
use super::{NONE, pair};

#[test]
#[cfg(feature = "std")]
fn each_collection_is_counted_once() {
    let mut heap = heap();
    heap.collect_young(NONE).unwrap();
    let stats = heap.collector_stats();
    assert_eq!((stats.collections, stats.young), (1, 0), "the first is of the whole heap");
    let old = heap.alloc(List::of(&[])).unwrap();
    heap.collect_young([old]).unwrap();
    let kept = pair(&mut heap);
    heap.get_mut(old).unwrap().push(kept).unwrap();
    pair(&mut heap);
    let done = heap.collect_young(NONE).unwrap();
    assert_eq!((done.promoted, done.remembered, done.freed), (1, 1, 1));
    assert!(done.work >= 32 + 32 && done.work < 10_000, "{}", done.work);
    let mut steps = 0;
    loop {
        steps += 1;
        if heap.step([old], 16).unwrap().finished {
            break;
        }
    }
    let freed = heap.collect(NONE).unwrap().freed;
    let stats = heap.collector_stats();
    assert_eq!((stats.collections, stats.young, stats.cycles), (2, 2, 1));
    assert_eq!((stats.steps, stats.promoted, stats.remembered), (steps, 2, 1));
    assert_eq!(stats.freed, 1 + freed);
    assert!(stats.pauses() == 4 + steps && stats.longest_pause() > Duration::ZERO);
    assert!(stats.pause_quantile(0.5) <= stats.pause_quantile(0.99));
    assert!(stats.pause_quantile(1.0) <= stats.longest_pause());
}

#[test]
#[cfg(feature = "std")]
fn steps_by_the_clock_end_a_cycle() {
    let mut heap = heap();
    let mut root = Cell::NULL;
    for _ in 0..20_000 {
        root = heap.alloc(Pair::of(root, Cell::NULL)).unwrap().cell();
        pair(&mut heap);
    }
    let mut steps = 0;
    while !heap.step_for([root], Duration::ZERO).unwrap().finished {
        steps += 1;
    }
    assert!(steps > 20, "{steps}");
    assert_eq!(heap.usage().live(), 20_000);
    // One is enough if there is time for that.
    assert!(heap.step_for([root], Duration::MAX).unwrap().finished);
    let stats = heap.collector_stats();
    assert_eq!((stats.cycles, stats.steps, stats.collections), (2, steps + 2, 0));
}

/// Near a limit, most cycles end in steps before the limit refuses anything.
#[test]
fn near_a_limit_cycles_are_faster() {
    let mut heap = heap();
    heap.set_policy(Policy::DEFAULT.with_young_bytes(0).with_step_bytes(2 << 10));
    let mut root = Cell::NULL;
    for _ in 0..60_000 {
        root = heap.alloc(Pair::of(root, Cell::NULL)).unwrap().cell();
    }
    heap.collect([root]).unwrap();
    heap.compact();
    while !heap.step([root], 1 << 20).unwrap().finished {}
    let before = heap.collector_stats();
    let used = usize::try_from(heap.usage().total_bytes).unwrap();
    heap.set_limits(Limits::NONE.with_bytes(used + used / 4));
    for _ in 0..200_000 {
        if heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).is_err() {
            heap.collect_debt([root]).unwrap();
            heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).expect("there is room again");
        }
        if heap.has_debt() {
            heap.collect_debt([root]).unwrap();
        }
    }
    let stats = heap.collector_stats();
    let (cycles, at_once) = (stats.cycles - before.cycles, stats.collections - before.collections);
    assert!(cycles > 10 && at_once <= cycles / 2, "{at_once} at once, {cycles} in steps");
}

/// Steps that were asked to keep up with allocations never fall so far behind that the rest
/// is done at once.
#[test]
fn a_cycle_that_keeps_up_is_not_ended_at_once() {
    let mut heap: Heap = heap();
    heap.set_policy(Policy::DEFAULT.with_young_bytes(0).with_bytes_min(1 << 16));
    let mut registers = [Cell::NULL; 64];
    for n in 0..300_000 {
        let made = heap.alloc(Pair::of(registers[n % 64], Cell::NULL)).unwrap().cell();
        registers[n * 7 % 64] = if n % 50 == 0 { Cell::NULL } else { made };
        if heap.has_debt() {
            heap.collect_debt(registers).unwrap();
        }
    }
    let stats = heap.collector_stats();
    assert!(stats.collections == 0 && stats.cycles > 5, "{stats:?}");
}
