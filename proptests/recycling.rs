//! Recycling of retired slots: no handle that is still held becomes valid again,
//! since a retired slot is recycled only when nothing refers to it.

use std::collections::HashSet;

use segheap::{Cell, Error, Heap, Kind, List, Pair, Settings, abi};

const GENERATIONS: usize = 4096;
const NONE: [Cell; 0] = [];

fn heap() -> Heap {
    Heap::with(Settings::seeded(7))
}

fn pair(heap: &mut Heap) -> Cell {
    heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell()
}

/// Allocates and frees a pair `generations` times. All handles differ.
fn advance(heap: &mut Heap, generations: usize) {
    let mut handles = HashSet::new();
    for _ in 0..generations {
        let cell = pair(heap);
        heap.free(cell).unwrap();
        assert!(handles.insert(abi::bits(cell)), "a handle was returned twice");
    }
}

/// A heap with a pair in the last generation of its slot; the first and the last
/// handle of the slot.
fn last_generation() -> (Heap, Cell, Cell) {
    let mut heap = heap();
    let old = pair(&mut heap);
    heap.free(old).unwrap();
    advance(&mut heap, GENERATIONS - 2);
    let last = pair(&mut heap);
    assert_eq!(abi::bits(old) as u32, abi::bits(last) as u32);
    (heap, old, last)
}

/// Asserts that `held` stays stale for more allocations than a slot has
/// generations.
fn assert_stays_stale(heap: &mut Heap, held: Cell) {
    for _ in 0..2 * GENERATIONS {
        let cell = pair(heap);
        assert_ne!(cell, held, "a held handle was returned again");
        assert!(!heap.contains(held));
        heap.free(cell).unwrap();
    }
}

#[test]
fn a_weak_root_freed_by_the_collection_holds_its_slot() {
    let (mut heap, _, last) = last_generation();
    heap.collect_and_recycle(NONE, [last]).unwrap();
    assert_stays_stale(&mut heap, last);
}

#[test]
fn a_watch_on_an_object_freed_by_the_collection_holds_its_slot() {
    let (mut heap, _, last) = last_generation();
    heap.watch(last, 5).unwrap();
    heap.collect_and_recycle(NONE, NONE).unwrap();
    assert_stays_stale(&mut heap, last);
    assert_eq!(heap.drain_dead().collect::<Vec<_>>(), [5]);
}

#[test]
fn a_stale_element_holds_a_slot_that_the_collection_retires() {
    let (mut heap, old, _) = last_generation();
    let list = heap.alloc(List::of(&[old])).unwrap();
    heap.collect_and_recycle([list.cell()], NONE).unwrap();
    assert_stays_stale(&mut heap, old);
}

#[test]
fn a_stale_root_or_pin_holds_a_slot_that_the_collection_retires() {
    let (mut heap, old, _) = last_generation();
    assert_eq!(heap.collect_and_recycle([old], NONE).unwrap().stale_roots, 1);
    assert_stays_stale(&mut heap, old);

    let mut heap = self::heap();
    let pinned = pair(&mut heap);
    heap.pin(pinned).unwrap();
    heap.free(pinned).unwrap();
    advance(&mut heap, GENERATIONS - 2);
    pair(&mut heap);
    heap.collect_and_recycle(NONE, NONE).unwrap();
    assert_stays_stale(&mut heap, pinned);
}

/// The list has more live elements than the work list has room for.
#[test]
fn a_stale_element_deferred_on_overflow_holds_its_slot() {
    let (mut heap, old, last) = last_generation();
    heap.free(last).unwrap();
    let mut cells: Vec<Cell> = (0..1000).map(|_| pair(&mut heap)).collect();
    cells.push(old);
    let list = heap.alloc(List::of(&cells)).unwrap();
    heap.fail_growth_after(Some(0));
    assert_eq!(heap.collect_and_recycle([list.cell()], NONE).unwrap().recycled, 0);
    heap.fail_growth_after(None);
    assert_stays_stale(&mut heap, old);
}

#[test]
fn a_retired_slot_is_recycled_unless_something_refers_to_it() {
    for holder in 0..8 {
        let (mut heap, old, last) = last_generation();
        let key = heap.new_seal_key().unwrap();
        let (mut roots, mut weak) = (vec![], vec![]);
        match holder {
            0 => roots.push(old),
            1 => weak.push(old),
            2 => roots.push(heap.alloc(List::of(&[old])).unwrap().cell()),
            3 => heap.watch(last, 1).unwrap(),
            4 => heap.pin(last).unwrap(),
            5 => roots.push(heap.seal(last, &key).unwrap()),
            6 => {
                // Reachable from a pinned object.
                let list = heap.alloc(List::of(&[old])).unwrap();
                heap.pin(list).unwrap();
            }
            _ => {}
        }
        heap.free(last).unwrap();
        let retired = |heap: &Heap| heap.usage().arena(Kind::PAIR).unwrap().retired;
        assert_eq!(retired(&heap), 1);
        assert_eq!(heap.collect(roots.iter().copied()).unwrap().recycled, 0);
        assert_eq!(retired(&heap), 1);
        let done = heap.collect_and_recycle(roots.iter().copied(), weak.iter().copied()).unwrap();
        assert_eq!(done.recycled, u64::from(holder == 7), "holder {holder}");
        heap.verify().unwrap();
        if holder != 7 {
            assert_stays_stale(&mut heap, old);
            assert_stays_stale(&mut heap, last);
        }
        // Once nothing refers to it, it is recycled and has 4,096 generations.
        heap.drain_dead().for_each(drop);
        heap.unpin(last);
        let pinned: Vec<_> = heap.objects::<List>().collect();
        for list in pinned {
            heap.unpin(list);
        }
        heap.collect(NONE).unwrap();
        assert!(heap.collect_and_recycle(NONE, NONE).unwrap().recycled >= u64::from(holder != 7));
        assert_eq!(retired(&heap), 0);
        advance(&mut heap, GENERATIONS);
        heap.verify().unwrap();
    }
}

#[test]
fn without_recycling_no_handle_is_returned_twice() {
    let mut heap = heap();
    let mut handles = HashSet::new();
    for n in 0..3 * GENERATIONS {
        let cell = pair(&mut heap);
        assert!(handles.insert(abi::bits(cell)));
        match n % 3 {
            0 => heap.free(cell).unwrap(),
            1 => assert_eq!(heap.collect(NONE).unwrap().freed, 1),
            _ => heap.clear(),
        }
    }
    assert_eq!(heap.usage().arena(Kind::PAIR).unwrap().retired, 3);
    assert!(handles.into_iter().all(|bits| !heap.contains(abi::cell(bits).unwrap())));
}

#[test]
fn recycling_invalidates_hints() {
    let mut heap = heap();
    let kept = heap.alloc(List::of(&[1.into()])).unwrap();
    let list = heap.alloc(List::of(&[2.into()])).unwrap();
    let mut hints =
        [heap.hint(list, ..).unwrap(), heap.hint(list, ..).unwrap().narrow(..1).unwrap()];
    let mut of_kept = heap.hint(kept, ..).unwrap();
    heap.free(list).unwrap();
    for _ in 1..GENERATIONS {
        let list = heap.alloc(List::of(&[3.into()])).unwrap();
        heap.free(list).unwrap();
    }
    assert_eq!(of_kept.get(&heap, 0), Ok(1.into()));
    // Hints are no roots and hold no slot.
    assert_eq!(heap.collect_and_recycle([kept.cell()], NONE).unwrap().recycled, 1);
    let again = heap.alloc(List::of(&[4.into()])).unwrap();
    assert_eq!(again, list, "the slot starts over with its first generation");
    for hint in &mut hints {
        assert_eq!(hint.get(&heap, 0), Err(Error::Stale { kind: Kind::LIST }));
        assert_eq!(hint.set(&mut heap, 0, 9.into()), Err(Error::Stale { kind: Kind::LIST }));
    }
    let mut new = heap.hint(again, ..).unwrap();
    assert_eq!(new.get(&heap, 0), Ok(4.into()));
    heap.compact();
    assert_eq!(new.get(&heap, 0), Ok(4.into()));
    assert_eq!(hints[0].get(&heap, 0), Err(Error::Stale { kind: Kind::LIST }));
}

/// During a sort, cells of the list are held by the sort alone.
#[test]
fn no_slot_is_recycled_during_a_sort() {
    let mut heap = heap();
    advance(&mut heap, GENERATIONS - 1);
    let retired = pair(&mut heap);
    heap.free(retired).unwrap();
    let list = heap.alloc(List::of(&[2.into(), 1.into(), retired])).unwrap();
    let mut recycled = 0;
    let sorted = heap.sort_by::<List, Error>(list, |heap, _, _| {
        // Fails with `Stale` from the second call on.
        let _ = heap.free(list);
        recycled += heap.collect_and_recycle(NONE, NONE)?.recycled;
        Ok(std::cmp::Ordering::Less)
    });
    assert_eq!((sorted, recycled), (Err(Error::Stale { kind: Kind::LIST }), 0));
    assert_eq!(heap.collect_and_recycle(NONE, NONE).unwrap().recycled, 1);
}
