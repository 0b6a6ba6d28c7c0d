//! Collections in steps where memory, policy or roots change in the middle.

use segheap::{
    Bytes, Cell, Closure, Error, Heap, Kind, Limits, List, Map, Pair, Policy, Struct, abi,
};

use super::{NONE, heap, pair};

/// A policy by which a cycle in steps begins after 64 KiB.
const PACED: Policy = Policy::DEFAULT.with_bytes_min(64 << 10).with_young_bytes(0);

/// Steps until a cycle sweeps, and an object that is garbage is not freed yet.
fn sweep_begins(heap: &mut Heap, root: Cell, garbage: Cell) {
    while heap.contains(garbage) {
        assert!(!heap.step([root], 16).unwrap().finished);
    }
    assert!(heap.get::<Pair>(garbage).is_ok(), "it is not freed yet");
}

/// Fills a heap until memory is refused for states of more slots, or of something else,
/// while it sweeps.
fn fill_while_it_sweeps(refuse: impl FnOnce(&mut Heap)) {
    let mut heap = heap();
    let child = heap.alloc(Struct::of(1, &[])).unwrap().cell();
    let garbage = heap.alloc(Pair::of(child, Cell::NULL)).unwrap().cell();
    let kept = heap.alloc(List::of(&[])).unwrap().cell();
    sweep_begins(&mut heap, kept, garbage);
    refuse(&mut heap);
    let mut new = Vec::new();
    while let Ok(cell) = heap.alloc(Pair::of(Cell::NULL, Cell::NULL)) {
        new.push(cell.cell());
    }
    assert_eq!(heap.upgrade(garbage), None, "what was garbage came back");
    assert!(heap.contains(kept) && new.iter().all(|&cell| heap.contains(cell)));
    heap.fail_growth_after(None);
    heap.set_limits(Limits::NONE);
    let root = new.last().copied().unwrap_or_default();
    for _ in 0..2 {
        while !heap.step([root], 1 << 10).unwrap().finished {}
        heap.verify().unwrap();
    }
    assert_eq!(heap.usage().live(), u64::from(root.kind().is_some()));
}

#[test]
fn what_is_garbage_stays_so_where_growth_is_refused() {
    for n in 0..32 {
        fill_while_it_sweeps(|heap| heap.fail_growth_after(Some(n)));
    }
}

#[test]
fn what_is_garbage_stays_so_at_a_limit() {
    for spare in (32_000..33_000).step_by(8) {
        fill_while_it_sweeps(|heap| {
            let used = usize::try_from(heap.usage().total_bytes).unwrap();
            heap.set_limits(Limits::NONE.with_bytes(used + spare));
        });
    }
}

#[test]
fn debt_ends_where_steps_are_turned_off() {
    let mut heap = heap();
    let kept = pair(&mut heap);
    heap.step([kept], 16).unwrap();
    heap.set_policy(PACED.with_step_bytes(0));
    assert!(heap.has_debt());
    assert!(heap.collect_debt([kept]).unwrap().finished);
    assert!(!heap.has_debt());
}

#[test]
fn a_step_of_no_work_gets_ahead() {
    let mut heap = heap();
    let kept = pair(&mut heap);
    let ended = (0..10_000).any(|_| heap.step([kept], 0).unwrap().finished);
    assert!(ended && heap.contains(kept));
}

#[test]
fn a_step_of_little_work_gets_ahead_with_pins() {
    for work in [0, 8, 100] {
        let mut heap = heap();
        let pinned: Vec<Cell> = (0..200).map(|_| pair(&mut heap)).collect();
        pinned.iter().for_each(|&cell| heap.pin(cell).unwrap());
        let ended = (0..10_000).any(|_| heap.step(NONE, work).unwrap().finished);
        assert!(ended && pinned.iter().all(|&cell| heap.contains(cell)));
    }
}

/// Of a heap of 100,000 live objects, steps of 4 KiB each are due after 1 KiB.
/// Pins are taken for roots in steps, also those of objects that were freed, and without a
/// search for what was written after every few of them.
#[test]
fn pins_take_linear_work() {
    let work = |count: usize, are_freed: bool| {
        let mut heap = heap();
        let pinned: Vec<Cell> = (0..count).map(|_| pair(&mut heap)).collect();
        for cell in pinned {
            heap.pin(cell).unwrap();
            if are_freed {
                heap.free(cell).unwrap();
            }
        }
        let mut total = 0;
        loop {
            let step = heap.step(NONE, 1 << 12).unwrap();
            assert!(step.work < 1 << 14, "{}", step.work);
            total += step.work;
            if step.finished {
                return total;
            }
        }
    };
    for are_freed in [false, true] {
        let (few, many) = (work(1 << 17, are_freed), work(1 << 19, are_freed));
        assert!(many < 5 * few, "{few}, {many}");
    }
}

#[test]
fn steps_are_short_and_follow_each_other_after_step_bytes() {
    let mut heap = heap();
    heap.set_policy(PACED.with_step_bytes(1 << 10));
    let mut kept = Cell::NULL;
    for _ in 0..100_000 {
        kept = heap.alloc(Pair::of(kept, Cell::NULL)).unwrap().cell();
    }
    heap.collect([kept]).unwrap();
    let (mut steps, mut allocated) = (0_u64, 0_u64);
    loop {
        heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap();
        allocated += u64::from(steps > 0) * 32;
        if heap.has_debt() {
            let step = heap.collect_debt([kept]).unwrap();
            steps += 1;
            assert!(step.work < 40_000, "step {steps}: {} bytes", step.work);
            if step.finished {
                break;
            }
        }
    }
    assert!(allocated >= (steps - 1) << 10, "{steps} steps for {allocated} bytes");
    assert!(allocated < 3_200_000, "the heap has doubled: {allocated}");
}

/// Marking meets each of a few thousand leaves again and again.
#[test]
fn work_counts_what_was_reached_before() {
    let mut heap = heap();
    let leaves: Vec<Cell> = (0..4_000).map(|_| pair(&mut heap)).collect();
    let mut chain = Cell::NULL;
    for _ in 0..12 {
        let mut cells = leaves.clone();
        cells.push(chain);
        chain = heap.alloc(List::of(&cells)).unwrap().cell();
    }
    // Scanning a list takes 32,000 bytes; those leaves that it finds marked are not added.
    let mut work = 0;
    loop {
        let step = heap.step([chain], 4 << 10).unwrap();
        work += step.work;
        assert!(step.work < 40 << 10, "{}", step.work);
        if step.finished {
            break;
        }
    }
    assert!(work > 12 * 32_000 * 3 / 2, "{work}");
}

#[test]
fn a_step_is_no_longer_for_lists_of_some_length() {
    let mut heap = heap();
    let cells = [Cell::NULL; 4_000];
    let lists: Vec<Cell> = (0..200).map(|_| heap.alloc(List::of(&cells)).unwrap().cell()).collect();
    loop {
        let step = heap.step(lists.iter().copied(), 1 << 10).unwrap();
        assert!(step.work < 40 << 10, "{}", step.work);
        if step.finished {
            return;
        }
    }
}

#[test]
fn a_refusal_is_due_after_a_cycle_that_freed_anything() {
    let mut heap = heap();
    let list = heap.alloc(List::of(&[])).unwrap();
    for _ in 0..1000 {
        pair(&mut heap);
    }
    let mut freed = 0;
    let last = loop {
        let step = heap.step([list.cell()], 256).unwrap();
        freed += step.freed;
        if step.finished {
            break step.freed;
        }
    };
    assert!(freed == 1000 && last == 0);
    heap.set_limits(Limits::NONE.with_bytes(0));
    assert!(heap.get_mut(list).unwrap().reserve(100_000).is_err());
    assert!(heap.should_collect(), "roots may have been dropped");
}

#[test]
fn compaction_gives_the_work_list_back() {
    let mut heap = heap();
    heap.collect_young(NONE).unwrap();
    let leaves: Vec<Cell> = (0..4_000).map(|_| pair(&mut heap)).collect();
    let list = heap.alloc(List::of(&leaves)).unwrap();
    heap.collect_young([list]).unwrap();
    heap.compact();
    let before = heap.usage().total_bytes;
    heap.collect([list]).unwrap();
    heap.compact();
    assert_eq!(heap.usage().total_bytes, before);
}

/// Between two steps, objects of ten times as many bytes are written as a step scans.
#[test]
fn a_cycle_ends_where_much_is_written() {
    let mut heap = heap();
    heap.set_policy(PACED.with_step_bytes(1 << 10));
    let parts: Vec<Cell> = (0..50).map(|_| heap.alloc(List::zeroed(100)).unwrap().cell()).collect();
    let root = heap.alloc(List::of(&parts)).unwrap().cell();
    let mut live = 0;
    for n in 0_usize.. {
        let new = pair(&mut heap);
        let (part, at) = (parts[n % 50], n / 50 % 100);
        heap.set_element::<List>(part, at, new).unwrap();
        if heap.has_debt() {
            let step = heap.collect_debt([root]).unwrap();
            assert_eq!(heap.collector_stats().collections, 0, "at once: {live} objects");
            if step.finished {
                break;
            }
        }
        live = heap.usage().live();
    }
    assert!(live < 20_000);
}

/// An object of each kind whose cells compiled code may write.
fn objects_of_cells(heap: &mut Heap) -> [Cell; 4] {
    let list = heap.alloc(List::zeroed(3)).unwrap().cell();
    let record = heap.alloc(Struct::new(7, 3)).unwrap().cell();
    let closure = heap.alloc(Closure::of(7, &[Cell::NULL; 3])).unwrap().cell();
    [list, record, closure, heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell()]
}

/// Stores as compiled code does.
fn store(heap: &mut Heap, object: Cell, value: Cell) {
    *abi::write_barrier(heap, object).unwrap().last_mut().unwrap() = value;
}

#[test]
fn compiled_code_stores_in_an_object_that_was_scanned() {
    let mut heap = heap();
    let objects = objects_of_cells(&mut heap);
    // A little more of each cycle has passed at each store.
    for steps in 0..150 {
        for object in objects {
            for _ in 0..steps {
                heap.step(objects, 16).unwrap();
            }
            let cell = pair(&mut heap);
            store(&mut heap, object, cell);
            while !heap.step(objects, 16).unwrap().finished {}
            heap.verify().unwrap();
            assert!(heap.contains(cell), "{object:?} holds a freed object after {steps} steps");
        }
    }
    assert_eq!(heap.collect(objects).unwrap().live, 8, "one is stored in each");
}

/// A cell moves from a list that is still to be marked to one that was scanned.
#[test]
fn cells_are_copied_into_a_list_that_was_scanned() {
    for way in 0..2 {
        let mut heap = heap();
        let lists = [0; 4].map(|_| heap.alloc(List::zeroed(3)).unwrap());
        let last = heap.alloc(List::zeroed(1)).unwrap();
        let roots = || lists.into_iter().chain([last]);
        for (steps, list) in (0..150).flat_map(|steps| lists.map(|list| (steps, list))) {
            let cell = pair(&mut heap);
            heap.set_element(last, 0, cell).unwrap();
            for _ in 0..steps {
                heap.step(roots(), 16).unwrap();
            }
            match way {
                0 => heap.copy_across(list, 1, last, ..).unwrap(),
                _ => heap.copy_across_any(list.into(), 1, last.into(), ..).unwrap(),
            }
            heap.set_element(last, 0, Cell::NULL).unwrap();
            while !heap.step(roots(), 16).unwrap().finished {}
            heap.verify().unwrap();
            assert!(heap.contains(cell), "{list:?} holds a freed object after {steps} steps");
        }
    }
}

#[test]
fn compiled_code_stores_a_young_object_in_an_old_one() {
    let mut heap = heap();
    let objects = objects_of_cells(&mut heap);
    for round in 0..4 {
        heap.collect_young(objects).unwrap();
        let new = objects.map(|object| {
            let cell = pair(&mut heap);
            store(&mut heap, object, cell);
            cell
        });
        heap.collect_young(NONE).unwrap();
        heap.verify().unwrap();
        assert!(new.iter().all(|&cell| heap.contains(cell)), "round {round}");
    }
}

#[test]
fn the_barrier_of_compiled_code_returns_cells_and_nothing_else() {
    let mut heap = heap();
    for object in objects_of_cells(&mut heap) {
        let cells = if heap.get::<Pair>(object).is_ok() { 2 } else { 3 };
        assert_eq!(abi::write_barrier(&mut heap, object).unwrap(), vec![Cell::NULL; cells]);
    }
    let map = heap.alloc(Map::new()).unwrap().cell();
    heap.map_insert(map, 1.into(), 2.into()).unwrap();
    let bytes = heap.alloc(Bytes::of(b"bytes")).unwrap().cell();
    for object in [map, bytes] {
        assert_eq!(abi::write_barrier(&mut heap, object).unwrap(), []);
    }
    heap.free(bytes).unwrap();
    let key = heap.new_seal_key().unwrap();
    let sealed = heap.seal(map, &key).unwrap();
    let failures = [(bytes, Error::Stale { kind: Kind::BYTES }), (sealed, Error::Sealed)];
    for (cell, error) in failures.into_iter().chain([(Cell::TRUE, Error::NotAHandle)]) {
        assert_eq!(abi::write_barrier(&mut heap, cell), Err(error));
    }
}

/// A field is added to a record that was scanned, in its block or after a growth.
#[test]
fn fields_of_records_that_were_scanned() {
    for room in [0, 4] {
        let mut young = heap();
        let record = young.alloc(Struct::with_capacity(0, room)).unwrap().cell();
        young.collect_young([record]).unwrap();
        let field = pair(&mut young);
        young.get_mut::<Struct>(record).unwrap().push_field(field, 1).unwrap();
        young.collect_young([record]).unwrap();
        assert!(young.contains(field), "a young object in an old record, room {room}");
        for steps in 0..150 {
            let mut heap = heap();
            let record = heap.alloc(Struct::with_capacity(0, room)).unwrap().cell();
            let others: Vec<Cell> = (0..200).map(|_| pair(&mut heap)).collect();
            let roots = || others.iter().copied().chain([record]);
            let _ = (0..steps).any(|_| heap.step(roots(), 64).unwrap().finished);
            let field = pair(&mut heap);
            heap.get_mut::<Struct>(record).unwrap().push_field(field, 1).unwrap();
            while !heap.step(roots(), 64).unwrap().finished {}
            assert!(heap.contains(field), "{steps} steps, room {room}");
            heap.verify().unwrap();
        }
    }
}
