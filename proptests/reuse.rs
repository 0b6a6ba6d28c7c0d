//! A slot has 4,096 generations and is then retired; all its handles stay stale.
//! Nothing that a program observes depends on where generations start.

use std::collections::HashSet;

use proptest::prelude::*;
use segheap::{Cell, Error, Heap, Kind, Limits, List, Pair, Resource, Settings, Str};

use crate::programs::{Harness, op};
use crate::support::{config, heap};

const GENERATIONS: u32 = 4096;

/// The numbers of live and retired slots.
fn slots(heap: &Heap, kind: Kind) -> (u32, u32) {
    let usage = heap.usage();
    let row = usage.arena(kind).unwrap();
    (row.live, row.retired)
}

/// Retires three slots one after the other; `free` frees the only object.
fn retire_three_slots(seed: u64, free: impl Fn(&mut Heap, Cell)) {
    let mut heap = heap(seed);
    let (mut handles, mut known) = (Vec::new(), HashSet::new());
    for slot in 0..3 {
        for generation in 0..GENERATIONS {
            let handle = heap.alloc(Pair::of(generation.into(), slot.into())).unwrap();
            assert!(known.insert(handle), "generation {generation} repeats a handle");
            assert_eq!(format!("{handle:?}"), format!("Pair#{slot}"));
            // The slot retires after the last generation, not before.
            assert_eq!(slots(&heap, Kind::PAIR), (1, slot));
            if let Some(&last) = handles.last() {
                assert_eq!(heap.get::<Pair>(last).err(), Some(Error::Stale { kind: Kind::PAIR }));
            }
            free(&mut heap, handle.cell());
            handles.push(handle.cell());
        }
        assert_eq!(slots(&heap, Kind::PAIR), (0, slot + 1));
    }
    // All of them stay stale, whatever is allocated next.
    let fourth = heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap();
    assert_eq!(format!("{fourth:?}"), "Pair#3");
    for &cell in &handles {
        assert_eq!(heap.get::<Pair>(cell).err(), Some(Error::Stale { kind: Kind::PAIR }));
        assert_eq!(heap.free(cell), Err(Error::Stale { kind: Kind::PAIR }));
        assert!(!heap.contains(cell));
    }
    assert_eq!(heap.get(fourth).unwrap().as_slice(), [Cell::NULL; 2]);
}

#[test]
fn freed() {
    for seed in [0, 1, 0xDEAD_BEEF, u64::MAX] {
        retire_three_slots(seed, |heap, cell| heap.free(cell).unwrap());
    }
}

#[test]
fn cleared() {
    retire_three_slots(2, |heap, _| heap.clear());
}

#[test]
fn freed_and_cleared_in_turn() {
    retire_three_slots(3, |heap, cell| {
        if format!("{:?}", heap.get::<Pair>(cell).unwrap().first()).ends_with("7)") {
            heap.clear();
        } else {
            heap.free(cell).unwrap();
        }
    });
}

/// Retired slots take bytes, and no share of the limit on slots. Recycling stays within
/// that limit, too.
#[test]
fn retired_slots_do_not_count_against_the_limit() {
    let limits = Limits::NONE.with_slots(2);
    let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    for n in 1..=7_u32 {
        for _ in 0..GENERATIONS {
            let list = heap.alloc(List::of(&[])).unwrap();
            heap.free(list).unwrap();
        }
        assert_eq!(slots(&heap, Kind::LIST).1, n);
        let bytes = heap.usage().arena(Kind::LIST).unwrap().bytes;
        assert!((16 * u64::from(n)..=16 * u64::from(n + 2)).contains(&bytes), "{bytes} bytes");
    }
    heap.clear();
    assert_eq!(slots(&heap, Kind::LIST), (0, 7));
    let fill = |heap: &mut Heap| {
        let lists: Vec<_> = (0..2).map(|_| heap.alloc(List::of(&[])).unwrap()).collect();
        assert_eq!(
            heap.alloc(List::of(&[])).err(),
            Some(Error::Limit(Resource::Slots(Kind::LIST)))
        );
        lists.iter().for_each(|&list| heap.free(list).unwrap());
    };
    fill(&mut heap);
    // No more slots become usable than the limit allows.
    let none: [Cell; 0] = [];
    let mut retired = 7;
    for limit in [2, 1, 4, 5, 100] {
        heap.set_limits(limits.with_slots(limit));
        let usable = heap.usage().arena(Kind::LIST).unwrap().free;
        let recycled = retired.min(limit.saturating_sub(usable));
        let collected = heap.collect_and_recycle(none, none).unwrap();
        assert_eq!(collected.recycled, recycled.into());
        retired -= recycled;
        assert_eq!(slots(&heap, Kind::LIST), (0, retired));
    }
    assert_eq!(retired, 0);
}

#[test]
fn clear_keeps_the_generations_of_free_slots() {
    let mut heap = heap(9);
    let old: Vec<_> = (0..8).map(|_| heap.alloc(Str::new("a longer text")).unwrap()).collect();
    for handle in old.iter().step_by(2) {
        heap.free(*handle).unwrap();
    }
    heap.clear();
    assert_eq!(slots(&heap, Kind::STR), (0, 0));
    let new: Vec<_> = (0..8).map(|_| heap.alloc(Str::new("another text")).unwrap()).collect();
    assert_eq!(slots(&heap, Kind::STR), (8, 0));
    for handle in old {
        assert!(!new.contains(&handle) && !heap.contains(handle));
    }
}

/// Everything that a program observes of its values, as text.
fn observe(seed: u64, ops: &[crate::programs::Op]) -> Vec<String> {
    let settings = Settings::seeded(11).generation_seed(seed);
    let mut harness = Harness::new(Heap::with(settings), false);
    let mut observed: Vec<String> = ops.iter().map(|op| format!("{:?}", harness.run(op))).collect();
    let mut rows: Vec<_> = harness
        .reference
        .objects
        .keys()
        .map(|&cell| {
            let heap = &harness.heap;
            format!("{cell:?} {} {:?}", heap.display(cell), heap.hash(cell))
        })
        .collect();
    rows.sort();
    observed.extend(rows);
    observed.push(format!("{:?}", harness.heap.usage()));
    observed
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn generations_cannot_be_observed(
        one in any::<u64>(),
        other in any::<u64>(),
        ops in prop::collection::vec(op(), 1..100),
    ) {
        prop_assert_eq!(observe(one, &ops), observe(other, &ops));
    }

    /// A handle of another heap is rejected, except for one slot in 4,096 whose
    /// generation is the same by chance.
    #[test]
    fn handles_of_another_heap(seed in any::<u64>()) {
        let (mut heap, mut other) = (heap(seed), heap(seed ^ 1));
        let mut accepted = 0;
        for _ in 0..64 {
            let foreign = other.alloc(List::of(&[])).unwrap();
            heap.alloc(List::of(&[])).unwrap();
            accepted += u32::from(heap.contains(foreign));
        }
        prop_assert!(accepted < 64);
    }
}

/// The order of pins as roots does not depend on generations.
#[test]
fn paths_from_pins_do_not_depend_on_the_seed() {
    let run = |seed| {
        let mut heap = Heap::with(Settings::seeded(1).generation_seed(seed));
        let object = heap.alloc(List::new()).unwrap().cell();
        let holders = [(); 4].map(|()| heap.alloc(List::of(&[object])).unwrap());
        holders.iter().rev().for_each(|&holder| heap.pin(holder).unwrap());
        format!("{:?}", heap.path_from_roots(std::iter::empty::<Cell>(), object).unwrap())
    };
    assert!((1..20).all(|seed| run(seed) == run(0)));
}
