//! Slots used several times 4,096 lives: no handle that anybody still holds is
//! accepted again, and what names a retired slot holds its revival back.

use std::collections::HashSet;

use segheap::{Cell, Error, Heap, Kind, List, Pair, Settings, abi};

const LIVES: usize = 4096;
const NOTHING: [Cell; 0] = [];

fn heap() -> Heap {
    Heap::with(Settings::seeded(7))
}

fn pair(heap: &mut Heap) -> Cell {
    heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell()
}

/// Makes and frees a pair so often; answers their handles.
fn burn(heap: &mut Heap, lives: usize) -> HashSet<u64> {
    let mut given = HashSet::new();
    for _ in 0..lives {
        let cell = pair(heap);
        heap.free(cell).unwrap();
        assert!(given.insert(abi::bits(cell)), "given twice");
    }
    given
}

/// A heap with one pair in the last life of its slot, and an older handle.
fn last_life() -> (Heap, Cell, Cell) {
    let mut heap = heap();
    let old = pair(&mut heap);
    heap.free(old).unwrap();
    burn(&mut heap, LIVES - 2);
    let last = pair(&mut heap);
    assert_eq!(abi::bits(old) as u32, abi::bits(last) as u32);
    (heap, old, last)
}

/// Uses up all lives that there are, and more; `held` is given to nobody.
fn never_again(heap: &mut Heap, held: Cell) {
    for _ in 0..2 * LIVES {
        let cell = pair(heap);
        assert_ne!(cell, held, "a handle that is held was given out again");
        assert!(!heap.contains(held));
        heap.free(cell).unwrap();
    }
}

#[test]
fn a_weak_root_that_dies_in_the_collection_holds_its_slot() {
    let (mut heap, _, last) = last_life();
    heap.collect_and_recycle(NOTHING, [last]).unwrap();
    never_again(&mut heap, last);
}

#[test]
fn a_watch_of_what_dies_in_the_collection_holds_its_slot() {
    let (mut heap, _, last) = last_life();
    heap.watch(last, 5).unwrap();
    heap.collect_and_recycle(NOTHING, NOTHING).unwrap();
    never_again(&mut heap, last);
    assert_eq!(heap.drain_dead().collect::<Vec<_>>(), [5]);
}

#[test]
fn a_stale_cell_in_a_live_object_holds_a_slot_that_the_collection_retires() {
    let (mut heap, old, _) = last_life();
    let list = heap.alloc(List::of(&[old])).unwrap();
    heap.collect_and_recycle([list.cell()], NOTHING).unwrap();
    never_again(&mut heap, old);
}

#[test]
fn a_stale_root_and_a_dead_pin_hold_a_slot_that_the_collection_retires() {
    let (mut heap, old, _) = last_life();
    assert_eq!(heap.collect_and_recycle([old], NOTHING).unwrap().stale_roots, 1);
    never_again(&mut heap, old);

    let mut heap = self::heap();
    let pinned = pair(&mut heap);
    heap.pin(pinned).unwrap();
    heap.free(pinned).unwrap();
    burn(&mut heap, LIVES - 2);
    pair(&mut heap);
    heap.collect_and_recycle(NOTHING, NOTHING).unwrap();
    never_again(&mut heap, pinned);
}

#[test]
fn whatever_names_a_retired_slot_holds_it_and_nothing_else_does() {
    for holder in 0..8 {
        let (mut heap, old, last) = last_life();
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
                // A root leads there, by way of a pin.
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
            never_again(&mut heap, old);
            never_again(&mut heap, last);
        }
        // Let go, it lives another 4,096 times.
        heap.drain_dead().for_each(drop);
        heap.unpin(last);
        let pinned: Vec<_> = heap.objects::<List>().collect();
        for list in pinned {
            heap.unpin(list);
        }
        heap.collect(NOTHING).unwrap();
        assert!(
            heap.collect_and_recycle(NOTHING, NOTHING).unwrap().recycled >= u64::from(holder != 7)
        );
        assert_eq!(retired(&heap), 0);
        burn(&mut heap, LIVES);
        heap.verify().unwrap();
    }
}

#[test]
fn without_revival_no_handle_comes_twice_however_often_is_collected() {
    let mut heap = heap();
    let mut given = HashSet::new();
    for n in 0..3 * LIVES {
        let cell = pair(&mut heap);
        assert!(given.insert(abi::bits(cell)));
        match n % 3 {
            0 => heap.free(cell).unwrap(),
            1 => assert_eq!(heap.collect(NOTHING).unwrap().freed, 1),
            _ => heap.clear(),
        }
    }
    assert_eq!(heap.usage().arena(Kind::PAIR).unwrap().retired, 3);
    assert!(given.into_iter().all(|bits| !heap.contains(abi::cell(bits).unwrap())));
}

#[test]
fn hints_from_before_a_revival_are_refused() {
    let mut heap = heap();
    let kept = heap.alloc(List::of(&[1.into()])).unwrap();
    let list = heap.alloc(List::of(&[2.into()])).unwrap();
    let mut hints =
        [heap.hint(list, ..).unwrap(), heap.hint(list, ..).unwrap().narrow(..1).unwrap()];
    let mut of_kept = heap.hint(kept, ..).unwrap();
    heap.free(list).unwrap();
    for _ in 1..LIVES {
        let list = heap.alloc(List::of(&[3.into()])).unwrap();
        heap.free(list).unwrap();
    }
    assert_eq!(of_kept.get(&heap, 0), Ok(1.into()));
    // Hints need not be named.
    assert_eq!(heap.collect_and_recycle([kept.cell()], NOTHING).unwrap().recycled, 1);
    let again = heap.alloc(List::of(&[4.into()])).unwrap();
    assert_eq!(again, list, "first life of the slot again");
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

/// While a list is sorted, its cells are in nobody's hands but the sort's.
#[test]
fn nothing_is_revived_in_a_sort() {
    let mut heap = heap();
    burn(&mut heap, LIVES - 1);
    let retired = pair(&mut heap);
    heap.free(retired).unwrap();
    let list = heap.alloc(List::of(&[2.into(), 1.into(), retired])).unwrap();
    let mut revived = 0;
    let sorted = heap.sort_by::<List, Error>(list, |heap, _, _| {
        let _gone_already = heap.free(list);
        revived += heap.collect_and_recycle(NOTHING, NOTHING)?.recycled;
        Ok(std::cmp::Ordering::Less)
    });
    assert_eq!((sorted, revived), (Err(Error::Stale { kind: Kind::LIST }), 0));
    assert_eq!(heap.collect_and_recycle(NOTHING, NOTHING).unwrap().recycled, 1);
}
