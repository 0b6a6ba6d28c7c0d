//! What an object of many cells, many pins and many slots cost in steps, by the units of work
//! that the heap counts.

use segheap::{Cell, Heap, List, Map, Pair, RangeHint, Step};

use super::{NONE, heap, pair};

/// Cells of a large object.
const CELLS: usize = 200_000;

/// A way to store a cell in a large object.
type Store = fn(&mut Heap, Cell, usize, Cell);

/// Each stores a cell in a list.
const STORES: [Store; 6] = [
    |heap, list, at, cell| heap.set_element::<List>(list, at, cell).unwrap(),
    |heap, list, at, cell| heap.update_element::<List>(list, at, |_| cell).unwrap(),
    |heap, list, at, cell| heap.get_mut::<List>(list).unwrap().set(at, cell).unwrap(),
    |heap, list, _, cell| heap.get_mut::<List>(list).unwrap().push(cell).unwrap(),
    |heap, list, at, cell| heap.get_mut::<List>(list).unwrap().fill(at..=at, cell).unwrap(),
    |heap, list, at, cell| {
        let mut hint: RangeHint<List> = heap.hint(list.to_handle().unwrap(), ..).unwrap();
        hint.set(heap, at, cell).unwrap();
    },
];

/// Each stores a cell in a map, as the value of an integer or of a new text.
const ENTRIES: [Store; 3] = [
    |heap, map, at, cell| {
        heap.map_insert(map, (at as i32).into(), cell).unwrap();
    },
    |heap, map, at, cell| {
        heap.get_mut::<Map>(map).unwrap().insert((at as i32).into(), cell).unwrap();
    },
    |heap, map, at, cell| {
        let key = heap.string(&format!("key {at}")).unwrap();
        heap.get_mut::<Map>(map).unwrap().insert(key, cell).unwrap();
    },
];

fn large_list(heap: &mut Heap) -> Cell {
    heap.alloc(List::zeroed(CELLS)).unwrap().cell()
}

fn large_map(heap: &mut Heap) -> Cell {
    let map = heap.alloc(Map::with_capacity(CELLS)).unwrap();
    (0..CELLS / 2).for_each(|n| {
        heap.map_insert(map, (n as i32).into(), Cell::NULL).unwrap();
    });
    map.cell()
}

/// Stores a new object between any two steps of a cycle: all are there afterwards, and the
/// cells are scanned about once.
fn store_between_steps(large: fn(&mut Heap) -> Cell, store: Store) {
    let mut heap = heap();
    let root = large(&mut heap);
    let (mut work, mut steps, mut stored) = (0, 0, Vec::new());
    loop {
        let step: Step = heap.step([root], 16 << 10).unwrap();
        (work, steps) = (work + step.work, steps + 1);
        assert!(step.work < 80_000, "{}", step.work);
        if step.finished {
            break;
        }
        let new = pair(&mut heap);
        store(&mut heap, root, steps * 1_237 % 90_000, new);
        stored.push(new);
    }
    assert!(work < 12 * CELLS as u64, "{work} for {CELLS} cells");
    assert!(stored.len() > 10 && stored.iter().all(|&new| heap.contains(new)));
    heap.verify().unwrap();
    // Nothing is young, whatever was written while the cycle swept.
    assert_eq!(heap.collect([root]).unwrap().live, heap.usage().live());
}

#[test]
fn a_large_list_is_not_scanned_again_for_each_write() {
    STORES.iter().for_each(|&store| store_between_steps(large_list, store));
}

#[test]
fn a_large_map_is_not_scanned_again_for_each_write() {
    ENTRIES.iter().for_each(|&store| store_between_steps(large_map, store));
}

/// Nor is an old one by a young collection.
#[test]
fn a_young_collection_does_not_scan_a_large_object_for_a_write() {
    let lists = STORES.iter().map(|&store| (large_list as fn(&mut Heap) -> Cell, store));
    let maps = ENTRIES.iter().map(|&store| (large_map as fn(&mut Heap) -> Cell, store));
    for (large, store) in lists.chain(maps) {
        let mut heap = heap();
        let root = large(&mut heap);
        heap.collect_young([root]).unwrap();
        let (kept, inner) = (pair(&mut heap), pair(&mut heap));
        heap.set_element::<Pair>(kept, 0, inner).unwrap();
        store(&mut heap, root, 70_000, kept);
        let garbage = pair(&mut heap);
        let done = heap.collect_young(NONE).unwrap();
        assert!(heap.contains(kept) && heap.contains(inner) && !heap.contains(garbage));
        assert!(done.work < 20_000, "{}", done.work);
        heap.verify().unwrap();
    }
}

/// Cells that move within an object are found wherever they are.
#[test]
fn cells_that_move_in_a_large_list_are_found() {
    let mut heap = heap();
    let root = large_list(&mut heap);
    let moved = pair(&mut heap);
    heap.set_element::<List>(root, CELLS - 1, moved).unwrap();
    heap.step([root], 16 << 10).unwrap();
    heap.step([root], 16 << 10).unwrap();
    let mut list = heap.get_mut::<List>(root).unwrap();
    list.as_mut_slice().swap(0, CELLS - 1);
    while !heap.step([root], 16 << 10).unwrap().finished {}
    assert!(heap.contains(moved));
}

/// What was written while a cycle swept is not scanned by the young collection after it.
#[test]
fn writes_while_a_cycle_sweeps_are_not_remembered() {
    let mut heap = heap();
    heap.collect_young(NONE).unwrap();
    let lists: Vec<Cell> =
        (0..1_000).map(|_| heap.alloc(List::zeroed(1_000)).unwrap().cell()).collect();
    let root = heap.alloc(List::of(&lists)).unwrap().cell();
    let garbage: Vec<Cell> = (0..10_000).map(|_| pair(&mut heap)).collect();
    while heap.contains(garbage[0]) {
        assert!(!heap.step([root], 1 << 10).unwrap().finished);
    }
    lists.iter().for_each(|&list| heap.set_element::<List>(list, 0, root).unwrap());
    while !heap.step([root], 1 << 10).unwrap().finished {}
    let done = heap.collect_young([root]).unwrap();
    assert!(done.work < 100_000, "{}", done.work);
    heap.verify().unwrap();
}

/// Many pins are taken for roots in steps, in whatever order they are removed meanwhile.
#[test]
fn pins_are_marked_in_steps() {
    for removed in [0, 1, 7, 900] {
        let mut heap = heap();
        heap.collect_young(NONE).unwrap();
        let pinned: Vec<Cell> = (0..20_000).map(|_| pair(&mut heap)).collect();
        pinned.iter().for_each(|&cell| heap.pin(cell).unwrap());
        // A young collection finds those that are new.
        heap.collect_young(NONE).unwrap();
        assert!(pinned.iter().all(|&cell| heap.contains(cell)));
        let (mut steps, mut left) = (0, pinned.clone());
        loop {
            let step = heap.step(NONE, 4 << 10).unwrap();
            assert!(step.work < 12_000, "step {steps}: {}", step.work);
            steps += 1;
            if step.finished {
                break;
            }
            for n in 0..removed {
                if !left.is_empty() {
                    let at = (steps * 3 + n) % left.len().min(500);
                    assert!(heap.unpin(left.swap_remove(at)));
                }
            }
            if steps % 5 == 0 {
                let new = pair(&mut heap);
                heap.pin(new).unwrap();
                left.push(new);
            }
        }
        assert!(steps > 50, "{steps}");
        assert!(left.iter().all(|&cell| heap.contains(cell)), "{removed}");
    }
}

/// Nor are many tested at once whose objects were reached before.
#[test]
fn pins_of_marked_objects_are_tested_in_steps() {
    let mut heap = heap();
    let pinned: Vec<Cell> = (0..20_000).map(|_| pair(&mut heap)).collect();
    let list = heap.alloc(List::of(&pinned)).unwrap().cell();
    heap.pin(list).unwrap();
    pinned.iter().for_each(|&cell| heap.pin(cell).unwrap());
    loop {
        let step = heap.step(NONE, 4 << 10).unwrap();
        assert!(step.work < 60_000, "{}", step.work);
        if step.finished {
            break;
        }
    }
    assert_eq!(heap.usage().live(), 20_001);
}

/// Where states are kept, a cycle makes objects white in steps.
#[test]
fn a_cycle_begins_in_steps() {
    let mut heap = heap();
    heap.collect_young(NONE).unwrap();
    let kept: Vec<Cell> = (0..100_000).map(|_| pair(&mut heap)).collect();
    let root = heap.alloc(List::of(&kept)).unwrap().cell();
    heap.collect_young([root]).unwrap();
    // A step of so little makes 64 slots white, and one written meanwhile stays reachable.
    for n in 0..1_000 {
        let step = heap.step([root], 2).unwrap();
        assert!(step.work <= 2, "step {n}: {}", step.work);
        let new = pair(&mut heap);
        heap.set_element::<Pair>(kept[n * 97], 0, new).unwrap();
    }
    while !heap.step([root], 1 << 14).unwrap().finished {}
    assert_eq!(heap.usage().live(), 101_001);
    heap.verify().unwrap();
}

/// Nor does what is stored in a large object come back, if it is garbage already.
#[test]
fn garbage_stored_in_a_large_object_stays_garbage() {
    for store in STORES {
        let mut heap = heap();
        let root = large_list(&mut heap);
        let child = heap.alloc(List::of(&[])).unwrap().cell();
        let garbage = heap.alloc(Pair::of(child, Cell::NULL)).unwrap().cell();
        while heap.contains(garbage) {
            assert!(!heap.step([root], 16).unwrap().finished);
        }
        store(&mut heap, root, 5, garbage);
        assert!(!heap.contains(garbage));
        while !heap.step([root], 16).unwrap().finished {}
        assert!(!heap.contains(garbage) && heap.get::<Pair>(garbage).is_err());
        heap.verify().unwrap();
    }
}

/// After a peak, the collections cost what is there.
#[test]
fn a_cycle_after_a_peak_costs_what_is_there() {
    for at in [0_usize, 150_000, 299_000] {
        let mut heap = heap();
        heap.set_policy(segheap::Policy::DEFAULT.with_bytes_min(64 << 10));
        let made: Vec<Cell> = (0..300_000).map(|_| pair(&mut heap)).collect();
        // In one page of slots, the first of them until the first cycle.
        let (dropped, kept) = made[at.saturating_sub(400)..at + 10].split_at(at.min(400));
        let peak = heap.usage().pages();
        heap.collect(kept.iter().chain(dropped).copied()).unwrap();
        assert!(peak > 70 && heap.usage().pages() <= 2, "the first collection gives pages back");
        let garbage = pair(&mut heap);
        // Steps that end at a page, and inside of one.
        for most in [8, 1 << 12] {
            let mut work = 0;
            loop {
                let step = heap.step(kept.iter().copied(), most).unwrap();
                work += step.work;
                if step.finished {
                    break;
                }
            }
            assert!(work < 40_000, "{work}");
            assert!(kept.iter().all(|&cell| heap.contains(cell)) && !heap.contains(garbage));
            assert!(dropped.iter().all(|&cell| !heap.contains(cell)));
            heap.verify().unwrap();
        }
        heap.collect_young(kept.iter().copied()).unwrap();
        let garbage: Vec<Cell> = (0..100_000).map(|_| pair(&mut heap)).collect();
        let done = heap.collect_young(kept.iter().copied()).unwrap();
        assert!(done.freed == 100_000 && !heap.contains(garbage[0]));
        heap.verify().unwrap();
    }
}
