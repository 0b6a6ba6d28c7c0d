//! Weak tables: what their entries keep, by any collection, in any order and with any growth
//! refused; callbacks between marking and sweeping.

use std::panic::{AssertUnwindSafe, catch_unwind};

use segheap::{
    Cell, Error, Handle, Heap, Kind, List, Map, MarkReader, Pair, Policy, Set, Settings, abi,
};

use super::{NONE, heap, pair};

fn weak_map(heap: &mut Heap) -> Cell {
    heap.alloc(Map::new().weak()).unwrap().cell()
}

fn len(heap: &Heap, map: Cell) -> usize {
    heap.get::<Map>(map).unwrap().len()
}

/// A weak map whose entries lead from each of `n` pairs to the next, from the last to the
/// first or the other way; and the pairs.
fn chain_of_entries(heap: &mut Heap, n: usize, backwards: bool) -> (Cell, Vec<Cell>) {
    let map = weak_map(heap);
    let keys: Vec<Cell> = (0..n).map(|_| pair(heap)).collect();
    let mut places: Vec<usize> = (1..n).collect();
    if backwards {
        places.reverse();
    }
    for n in places {
        heap.map_insert(map, keys[n - 1], keys[n]).unwrap();
    }
    (map, keys)
}

/// `n` weak maps of one entry each, whose value is the next map, and whose keys a list holds.
fn chain_of_tables(heap: &mut Heap, n: usize, backwards: bool) -> (Cell, Vec<Cell>) {
    let mut maps: Vec<Cell> = (0..n).map(|_| weak_map(heap)).collect();
    let keys: Vec<Cell> = (0..n).map(|_| pair(heap)).collect();
    if backwards {
        maps.reverse();
    }
    for n in 1..n {
        heap.map_insert(maps[n - 1], keys[n], maps[n]).unwrap();
    }
    let keys = heap.alloc(List::of(&keys)).unwrap().cell();
    (heap.alloc(Pair::of(keys, maps[0])).unwrap().cell(), maps)
}

/// Ends a cycle in steps of `work`; returns the work done.
fn cycle(heap: &mut Heap, roots: &[Cell], work: u64) -> u64 {
    let mut done = 0;
    loop {
        let step = heap.step(roots.iter().copied(), work).unwrap();
        done += step.work;
        if step.finished {
            return done;
        }
    }
}

/// Collects by each way there is, young objects first; returns the work of each.
fn work_of_each(heap: &mut Heap, roots: &[Cell]) -> [u64; 4] {
    let young = heap.collect_young(roots.iter().copied()).unwrap().work;
    let small = cycle(heap, roots, 256);
    let large = cycle(heap, roots, 1 << 20);
    [young, small, large, heap.collect(roots.iter().copied()).unwrap().work]
}

type Chain = fn(&mut Heap, usize, bool) -> (Cell, Vec<Cell>);

#[test]
fn chains_take_linear_work_in_any_order() {
    const N: usize = 4_000;
    for chain in [chain_of_entries as Chain, chain_of_tables] {
        for backwards in [false, true] {
            let work = |n| {
                let mut heap = heap();
                // From here on, objects are young at first.
                heap.collect_young(NONE).unwrap();
                let (root, objects) = chain(&mut heap, n, backwards);
                let work = work_of_each(&mut heap, &[root, objects[0]]);
                assert!(objects.iter().all(|&cell| heap.contains(cell)));
                heap.verify().unwrap();
                work
            };
            for (short, long) in work(N).into_iter().zip(work(4 * N)) {
                assert!(long < 6 * short, "{short}, {long}");
                assert!(long < 4 * N as u64 * 250, "{long}");
            }
        }
    }
}

#[test]
fn entries_are_kept_and_removed_where_growth_is_refused() {
    for chain in [chain_of_entries as Chain, chain_of_tables] {
        for backwards in [false, true] {
            for growths in 0..8 {
                for way in 0..4 {
                    let mut heap = heap();
                    heap.collect_young(NONE).unwrap();
                    let (root, objects) = chain(&mut heap, 300, backwards);
                    let other = weak_map(&mut heap);
                    let garbage = pair(&mut heap);
                    heap.map_insert(other, garbage, root).unwrap();
                    // What was freed is reached by no round.
                    let freed = pair(&mut heap);
                    heap.map_insert(other, objects[0], freed).unwrap();
                    heap.free(freed).unwrap();
                    let roots = [root, objects[0], other];
                    if way == 1 {
                        heap.collect(roots.into_iter().chain([garbage])).unwrap();
                    }
                    heap.fail_growth_after(Some(growths));
                    match way {
                        0 => _ = heap.collect_young(roots).unwrap(),
                        1 => _ = cycle(&mut heap, &roots, 300),
                        2 => _ = heap.collect(roots).unwrap(),
                        _ => _ = heap.collect_with(roots, |_| {}).unwrap(),
                    }
                    heap.verify().unwrap();
                    assert!(objects.iter().all(|&cell| heap.contains(cell)));
                    assert!(!heap.contains(garbage) && len(&heap, other) == 1, "{way}");
                    heap.fail_growth_after(None);
                    heap.collect(roots).unwrap();
                    heap.verify().unwrap();
                }
            }
        }
    }
}

/// A weak table is scanned after all that leads to keys otherwise.
#[test]
fn keys_that_are_reached_need_no_notes() {
    let mut heap = heap();
    let map = weak_map(&mut heap);
    let keys: Vec<Cell> = (0..5_000).map(|_| pair(&mut heap)).collect();
    for &key in &keys {
        heap.map_insert(map, key, key).unwrap();
    }
    let list = heap.alloc(List::of(&keys)).unwrap().cell();
    let usage = heap.usage();
    let payload = Kind::ALL.map(|kind| usage.arena(kind).unwrap().payload_bytes);
    let bytes = payload.iter().sum::<u64>() + 16 * usage.live();
    // And one pass over the bits of tables to be scanned: one of each object.
    let most = bytes + 16 * 5_000 + 5_002 / 8;
    let work = heap.collect([map, list]).unwrap().work;
    assert!(most - 5_002 / 8 <= work && work <= most, "{work}, {most}");
    let in_steps = cycle(&mut heap, &[map, list], 1 << 10);
    assert!(in_steps < bytes + 16 * 5_000 + 16 * 5_000, "{in_steps}");
}

#[test]
fn steps_are_bounded_by_their_work() {
    let mut heap = heap();
    let (map, keys) = chain_of_entries(&mut heap, 50_000, true);
    let dead: Vec<Cell> = (0..50_000).map(|_| pair(&mut heap)).collect();
    for &key in &dead {
        heap.map_insert(map, key, key).unwrap();
    }
    let (mut steps, mut cleared) = (0, 0);
    loop {
        let step = heap.step([map, keys[0]], 1 << 10).unwrap();
        assert!(step.work <= 40_000, "{}", step.work);
        (steps, cleared) = (steps + 1, cleared + step.cleared);
        if step.finished {
            break;
        }
    }
    assert!(steps > 2_000 && cleared == 50_000 && len(&heap, map) == 49_999);
}

#[test]
fn a_young_key_in_an_old_table() {
    let mut heap = heap();
    let map = weak_map(&mut heap);
    let set = heap.alloc(Set::new().weak()).unwrap().cell();
    heap.collect_young([map, set]).unwrap();
    for round in 1..5 {
        let (kept, garbage) = (pair(&mut heap), pair(&mut heap));
        let (value, lost) = (pair(&mut heap), pair(&mut heap));
        heap.map_insert(map, kept, value).unwrap();
        heap.map_insert(map, garbage, lost).unwrap();
        heap.get_mut::<Set>(set).unwrap().extend(&[garbage, kept]).unwrap();
        heap.pin(kept).unwrap();
        let done = heap.collect_young(NONE).unwrap();
        assert_eq!((done.freed, done.cleared), (2, 2));
        assert!(heap.contains(value) && !heap.contains(garbage) && !heap.contains(lost));
        assert_eq!((len(&heap, map), heap.get::<Set>(set).unwrap().len()), (round, round));
        assert_eq!(heap.map_get(map, kept), Ok(Some(value)));
        heap.verify().unwrap();
        // An old key gets a young value.
        let value = pair(&mut heap);
        heap.map_insert(map, kept, value).unwrap();
        heap.collect_young(NONE).unwrap();
        assert_eq!(heap.map_get(map, kept), Ok(Some(value)));
        assert!(heap.contains(value));
    }
}

/// Steps until the objects that a cycle has found to be garbage are known, and not freed.
fn sweep_begins(heap: &mut Heap, roots: &[Cell], garbage: Cell) {
    while heap.contains(garbage) {
        assert!(!heap.step(roots.iter().copied(), 1).unwrap().finished);
    }
}

#[test]
fn a_key_that_is_garbage_is_absent_while_it_is_not_freed() {
    for more in [0, 20] {
        let mut heap = heap();
        let map = weak_map(&mut heap);
        let set = heap.alloc(Set::new().weak()).unwrap().cell();
        let (kept, garbage) = (pair(&mut heap), pair(&mut heap));
        for cell in (0..more).map(Cell::from).chain([kept, garbage]) {
            heap.map_insert(map, cell, 7.into()).unwrap();
            heap.get_mut::<Set>(set).unwrap().insert(cell).unwrap();
        }
        let mut hint = Default::default();
        heap.map_get_with(map, garbage, &mut hint).unwrap();
        let roots = [map, set, kept];
        sweep_begins(&mut heap, &roots, garbage);
        assert!(heap.get::<Pair>(garbage).is_ok(), "it is not freed yet");
        let stale = Error::Stale { kind: Kind::PAIR };
        let capacity = heap.capacity(map).unwrap();
        assert_eq!(heap.map_get(map, garbage), Err(stale));
        assert_eq!(heap.map_get_with(map, garbage, &mut hint), Err(stale));
        assert_eq!(heap.set_contains(set, garbage), Err(stale));
        assert_eq!(heap.map_insert(map, garbage, 8.into()), Err(stale));
        let mut view = heap.get_mut::<Map>(map).unwrap();
        assert_eq!(view.get_or_insert(garbage, 8.into()), Err(stale));
        assert_eq!(view.update(garbage, |_| 8.into()), Err(stale));
        assert_eq!(view.remove(garbage), Err(stale));
        assert_eq!(view.extend(&[(garbage, 8.into()); 100]), Err(stale));
        assert_eq!(heap.capacity(map), Ok(capacity), "it has not grown for that");
        assert_eq!(heap.map_get(map, kept), Ok(Some(7.into())));
        // Other tables look such a key up as `get` opens it.
        let strong = heap.alloc(Map::new()).unwrap();
        assert_eq!(heap.map_get(strong, garbage), Ok(None));
        cycle(&mut heap, &roots, 64);
        assert_eq!(len(&heap, map), more as usize + 1);
        heap.verify().unwrap();
    }
}

#[test]
fn keys_by_value_are_held() {
    let mut heap = heap();
    let map = weak_map(&mut heap);
    let large = heap.int(i64::MAX).unwrap();
    let large = heap.mul(large, large).unwrap();
    let (text, symbol) = (heap.string("a longer text").unwrap(), heap.intern("a symbol").unwrap());
    let keys = [Cell::NULL, 1.into(), 1.5.into(), Cell::TRUE, text, symbol, large];
    for key in keys {
        let value = pair(&mut heap);
        heap.map_insert(map, key, value).unwrap();
    }
    heap.collect_young([map]).unwrap();
    cycle(&mut heap, &[map], 64);
    assert_eq!(heap.collect([map]).unwrap().cleared, 0);
    assert_eq!(len(&heap, map), keys.len());
    for (key, value) in heap.get::<Map>(map).unwrap().iter() {
        assert!(heap.contains(value) && (key.kind().is_none() || heap.contains(key)));
    }
    // A seal and a host object have an identity.
    let seal_key = heap.new_seal_key().unwrap();
    let sealed = heap.seal(map, &seal_key).unwrap();
    let host = heap.host(7).unwrap();
    heap.map_insert(map, sealed, Cell::NULL).unwrap();
    heap.map_insert(map, host, Cell::NULL).unwrap();
    assert_eq!(heap.collect([map, sealed]).unwrap().cleared, 1);
    assert_eq!(heap.collect([map]).unwrap().cleared, 1);
}

#[test]
fn a_freed_key_is_absent_and_removed_by_the_next_collection() {
    for way in 0..3 {
        let mut heap = heap();
        let map = weak_map(&mut heap);
        let region = heap.open_region().unwrap();
        let (freed, local, kept) = (pair(&mut heap), pair(&mut heap), pair(&mut heap));
        for key in [freed, local, kept] {
            heap.map_insert(map, key, key).unwrap();
        }
        heap.free(freed).unwrap();
        heap.close_region(region, [kept]).unwrap();
        assert!(!heap.contains(local));
        assert_eq!(heap.map_get(map, local), Err(Error::Stale { kind: Kind::PAIR }));
        // In the same slots as the others.
        let new = [pair(&mut heap), pair(&mut heap)];
        assert!(new.iter().all(|&key| heap.map_get(map, key) == Ok(None)));
        assert_eq!(len(&heap, map), 3);
        let cleared = match way {
            0 => heap.collect([map, kept]).unwrap().cleared,
            1 => {
                cycle(&mut heap, &[map, kept], 16);
                2
            }
            _ => heap.collect_and_recycle([map, kept], NONE).unwrap().cleared,
        };
        assert_eq!((cleared, len(&heap, map)), (2, 1));
        assert_eq!(heap.map_get(map, kept), Ok(Some(kept)));
        heap.verify().unwrap();
    }
}

#[test]
fn a_region_holds_what_its_weak_tables_hold() {
    let mut heap = heap();
    let region = heap.open_region().unwrap();
    let map = weak_map(&mut heap);
    let (key, value) = (pair(&mut heap), pair(&mut heap));
    heap.map_insert(map, key, value).unwrap();
    assert_eq!(heap.close_region(region, [map]).unwrap(), 0);
    assert_eq!(heap.collect([map]).unwrap().freed, 2);
}

/// Dead entries make room for new ones, so that a table does not grow by them.
#[test]
fn a_table_does_not_grow_by_entries_of_freed_keys() {
    let mut heap = heap();
    let map = weak_map(&mut heap);
    for _ in 0..50_000 {
        let key = pair(&mut heap);
        heap.map_insert(map, key, key).unwrap();
        heap.free(key).unwrap();
    }
    let bytes = heap.usage().arena(Kind::MAP).unwrap().payload_bytes;
    assert!(bytes < 2_000, "{bytes}");
    heap.verify().unwrap();
}

/// A slot that is used again with a generation that an entry of a freed key had.
#[test]
fn a_recycled_slot_matches_no_entry() {
    let mut heap = heap();
    let map = heap.alloc(Map::with_capacity(64).weak()).unwrap().cell();
    for n in 0..4_096 * 4 {
        let key = pair(&mut heap);
        if n % 1_024 == 5 {
            heap.map_insert(map, key, 0.into()).unwrap();
        }
        heap.free(key).unwrap();
    }
    assert_eq!(len(&heap, map), 16);
    let done = heap.collect_and_recycle([map], NONE).unwrap();
    assert_eq!((done.recycled, done.cleared, len(&heap, map)), (4, 16, 0));
    for _ in 0..4_096 * 5 {
        let new = pair(&mut heap);
        assert_eq!(heap.map_get(map, new), Ok(None));
        heap.free(new).unwrap();
    }
}

#[test]
fn tables_stay_weak() {
    let mut heap = heap();
    let map = heap.alloc(Map::with_capacity(100).weak()).unwrap();
    let key = pair(&mut heap);
    let is_weak = |heap: &Heap, map: Handle<Map>| heap.get(map).unwrap().is_weak();
    heap.map_insert(map, key, 0.into()).unwrap();
    heap.get_mut(map).unwrap().shrink_to_fit().unwrap();
    assert!(is_weak(&heap, map));
    for n in 0..3_000 {
        heap.map_insert(map, n.into(), n.into()).unwrap();
    }
    assert!(is_weak(&heap, map));
    for n in 0..3_000 {
        heap.get_mut(map).unwrap().remove(n.into()).unwrap();
    }
    assert!(is_weak(&heap, map) && len(&heap, map.cell()) == 1);
    heap.compact();
    assert!(is_weak(&heap, map));
    let fork = heap.try_clone().unwrap();
    assert!(is_weak(&fork, map));
    let mut other = super::heap();
    let dead = pair(&mut heap);
    heap.map_insert(map, dead, 0.into()).unwrap();
    heap.free(dead).unwrap();
    let copy = other.transplant(&heap, map.cell()).unwrap();
    assert_eq!(len(&other, copy), 1, "not that of a freed key");
    assert_eq!(other.collect([copy]).unwrap().cleared, 1);
    heap.get_mut(map).unwrap().clear().unwrap();
    assert!(is_weak(&heap, map));
    let many = heap.alloc(Map::with_capacity(1).weak()).unwrap();
    heap.map_insert(many, key, 0.into()).unwrap();
    heap.get_mut(many).unwrap().clear().unwrap();
    assert!(is_weak(&heap, many));
    let empty = other.transplant(&heap, many.cell()).unwrap();
    assert!(other.get::<Map>(empty).unwrap().is_weak());
    other.verify().unwrap();
}

/// A fork has the entries, whatever a cycle has done; those of keys that the cycle has found
/// to be garbage are removed in it.
#[test]
fn a_fork_in_each_state_of_a_cycle() {
    let mut heap = heap();
    let (map, keys) = chain_of_entries(&mut heap, 100, true);
    let roots = [map, keys[50]];
    loop {
        let is_found = !heap.contains(keys[0]);
        let mut fork = heap.try_clone().unwrap();
        fork.verify().unwrap();
        assert!(keys[50..].iter().all(|&key| fork.contains(key)));
        if is_found {
            assert_eq!(len(&fork, map), 49);
        }
        fork.collect(roots).unwrap();
        assert_eq!(len(&fork, map), 49);
        if heap.step(roots, 16).unwrap().finished {
            return;
        }
    }
}

#[test]
fn paths_go_through_entries_of_reachable_keys() {
    let mut heap = heap();
    let map = weak_map(&mut heap);
    let (key, value) = (pair(&mut heap), pair(&mut heap));
    heap.map_insert(map, key, value).unwrap();
    assert_eq!(heap.path_from_roots([map], value), Ok(None));
    assert_eq!(heap.path_from_roots([map], key), Ok(None));
    let inner = heap.alloc(Pair::of(key, Cell::NULL)).unwrap().cell();
    let outer = heap.alloc(Pair::of(inner, Cell::NULL)).unwrap().cell();
    let path = heap.path_from_roots([map, outer], value).unwrap().unwrap();
    assert_eq!(*path, [map, value]);
}

#[test]
fn what_is_rescued_keeps_its_entries() {
    let mut heap = heap();
    let map = weak_map(&mut heap);
    let (rescued, garbage) = (pair(&mut heap), pair(&mut heap));
    let (value, lost) = (pair(&mut heap), pair(&mut heap));
    let inner = heap.alloc(List::of(&[rescued])).unwrap().cell();
    for (key, value) in [(rescued, value), (garbage, lost)] {
        heap.map_insert(map, key, value).unwrap();
    }
    let notice = |reader: &mut MarkReader<'_>| {
        assert!(reader.is_marked(map) && reader.is_marked(Cell::TRUE));
        assert!([rescued, value, inner].iter().all(|&cell| !reader.is_marked(cell)));
        assert!(reader.rescue(inner) && !reader.rescue(inner) && !reader.rescue(map));
        assert!(reader.is_marked(inner) && !reader.is_marked(rescued));
        assert!(!reader.rescue(Cell::NULL));
    };
    for way in 0..2 {
        let mut heap = heap.try_clone().unwrap();
        if way == 0 {
            assert_eq!(heap.collect_with([map], notice).unwrap().cleared, 1);
        } else {
            assert_eq!(heap.step_with([map], u64::MAX, notice).unwrap().cleared, 1);
        }
        assert_eq!(heap.map_get(map, rescued), Ok(Some(value)));
        assert!(heap.contains(value) && heap.contains(inner));
        assert!(!heap.contains(garbage) && !heap.contains(lost) && len(&heap, map) == 1);
        heap.verify().unwrap();
        assert_eq!(heap.collect([map]).unwrap().freed, 3);
    }
}

/// A key that was noted becomes grey, without a reference that leads to it.
#[test]
fn a_key_is_rescued_itself() {
    for way in 0..3 {
        let mut heap = heap();
        let map = weak_map(&mut heap);
        heap.collect_young([map]).unwrap();
        let (key, value) = (pair(&mut heap), pair(&mut heap));
        heap.map_insert(map, key, value).unwrap();
        let notice = |reader: &mut MarkReader<'_>| assert!(reader.rescue(key));
        match way {
            0 => _ = heap.collect_with([map], notice).unwrap(),
            1 => _ = heap.collect_young_with([map], notice).unwrap(),
            _ => _ = heap.step_with([map], u64::MAX, notice).unwrap(),
        }
        assert!(heap.contains(key) && heap.contains(value), "{way}");
        heap.verify().unwrap();
    }
}

/// Each object with a finalizer is seen once, by whatever collections.
#[test]
fn a_finalizer_sees_its_object_once() {
    let mut heap = heap();
    heap.set_policy(
        Policy::DEFAULT.with_bytes_min(1 << 12).with_young_bytes(1 << 10).with_step_bytes(256),
    );
    let (mut waiting, mut seen) = (Vec::new(), Vec::new());
    let mut queue = Vec::new();
    for n in 0..20_000_i32 {
        let child = pair(&mut heap);
        let cell = heap.alloc(Pair::of(n.into(), child)).unwrap().cell();
        if n % 5 == 0 {
            waiting.push(cell);
        }
        let mut notice = |reader: &mut MarkReader<'_>| {
            queue.extend(waiting.extract_if(.., |cell| reader.rescue(*cell)));
        };
        match n % 1_000 {
            999 => _ = heap.collect_with(NONE, &mut notice).unwrap(),
            499 => _ = heap.collect_young_with(NONE, &mut notice).unwrap(),
            100..200 => _ = heap.step_with(NONE, 200, &mut notice).unwrap(),
            _ if heap.has_debt() => _ = heap.collect_debt_with(NONE, &mut notice).unwrap(),
            _ => continue,
        }
        for cell in queue.drain(..) {
            let [number, child] = [0, 1].map(|n| heap.element::<Pair>(cell, n).unwrap());
            seen.push(number.as_int().unwrap());
            assert!(heap.get::<Pair>(child).is_ok() || !heap.contains(cell));
        }
        if n % 1_000 == 999 {
            heap.verify().unwrap();
        }
    }
    heap.collect_with(NONE, |reader| {
        seen.extend(waiting.drain(..).filter(|&cell| reader.rescue(cell)).map(|_| -1));
    })
    .unwrap();
    heap.collect(NONE).unwrap();
    assert_eq!((heap.usage().live(), seen.len()), (0, 4_000));
    seen.retain(|&n| n >= 0);
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]) && seen.len() > 3_900);
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 3_900);
}

/// Rescuing something large does not make a step long.
#[test]
fn what_is_rescued_is_marked_in_steps() {
    let mut heap = heap();
    let pairs: Vec<Cell> = (0..20_000).map(|_| pair(&mut heap)).collect();
    let list = heap.alloc(List::of(&pairs)).unwrap().cell();
    let (mut calls, mut rescued) = (0, 0);
    loop {
        let step = heap
            .step_with(NONE, 1 << 10, |reader| {
                calls += 1;
                rescued += u32::from(reader.rescue(list));
            })
            .unwrap();
        assert!(step.work <= 40_000, "{}", step.work);
        if step.finished {
            break;
        }
    }
    assert_eq!((calls, rescued, heap.usage().live()), (2, 1, 20_001));
    // Without the callback, it is garbage.
    assert_eq!(heap.collect_with(NONE, |_| {}).unwrap().freed, 20_001);
}

#[test]
fn a_callback_that_panics_leaves_everything() {
    for way in 0..3 {
        let mut heap = heap();
        heap.collect_young(NONE).unwrap();
        let (map, keys) = chain_of_entries(&mut heap, 200, true);
        let before = heap.dump().to_string();
        let panics = |reader: &mut MarkReader<'_>| {
            reader.rescue(keys[3]);
            panic!("by the callback");
        };
        let roots = [map, keys[100]];
        let result = catch_unwind(AssertUnwindSafe(|| match way {
            0 => heap.collect_with(roots, panics).map(drop),
            1 => heap.collect_young_with(roots, panics).map(drop),
            _ => (0..100_000).try_for_each(|_| heap.step_with(roots, 64, panics).map(drop)),
        }));
        assert!(result.is_err());
        heap.verify().unwrap();
        assert_eq!(heap.dump().to_string(), before);
        // What was rescued may stay for now.
        cycle(&mut heap, &roots, 64);
        heap.verify().unwrap();
        assert!(keys[100..].iter().all(|&key| heap.contains(key)));
        let live = heap.collect(roots).unwrap().live;
        assert_eq!((live, len(&heap, map)), (101, 99));
        heap.verify().unwrap();
    }
}

#[test]
fn capacity_of_a_large_weak_table_is_given_back() {
    let mut heap = Heap::with(Settings::seeded(9));
    let map = weak_map(&mut heap);
    for _ in 0..10_000 {
        let key = pair(&mut heap);
        heap.map_insert(map, key, Cell::NULL).unwrap();
    }
    let before = heap.usage().arena(Kind::MAP).unwrap().payload_bytes;
    assert_eq!(heap.collect([map]).unwrap().cleared, 10_000);
    assert!(heap.usage().arena(Kind::MAP).unwrap().payload_bytes < before / 50);
    heap.verify().unwrap();
}

/// A value is no object that could be garbage while an equal one is not; and what a VM takes for
/// equal is not known to a collection.
#[test]
fn values_are_held_and_hashes_of_the_vm_refused() {
    let mut heap = heap();
    let map = weak_map(&mut heap);
    let square = |heap: &mut Heap| heap.alloc_value(Pair::of(4.into(), 7.into())).unwrap().cell();
    let (key, value) = (square(&mut heap), pair(&mut heap));
    heap.map_insert(map, key, value).unwrap();
    for young in [true, false] {
        let collect = if young { Heap::collect_young } else { Heap::collect };
        assert_eq!(collect(&mut heap, [map]).unwrap().cleared, 0);
        let same = square(&mut heap);
        assert_eq!(heap.map_get(map, same).unwrap(), Some(value));
    }
    let empty = weak_map(&mut heap);
    let inserted = heap.map_insert_by(empty, 1.into(), 2.into(), 3, |_, _, _| Ok::<_, Error>(true));
    assert_eq!(inserted, Err(Error::OtherHash));
    assert_eq!(len(&heap, empty), 0);
}

/// What looks for retained sizes meets entries of keys that it does not reach.
#[test]
fn sizes_give_the_memory_of_notes_back() {
    let mut heap = heap();
    let (map, key) = (weak_map(&mut heap), pair(&mut heap));
    heap.map_insert(map, key, Cell::TRUE).unwrap();
    let holder = heap.alloc(List::of(&[map])).unwrap().cell();
    for object in [map, holder, key] {
        assert!(heap.retained_size([map], object).unwrap() > 0);
        heap.verify().unwrap();
    }
}

/// Collects in one of three ways; in the last, by steps.
fn collect_in_way(heap: &mut Heap, way: usize, roots: &[Cell]) {
    match way {
        0 => _ = heap.collect(roots.iter().copied()).unwrap(),
        1 => _ = heap.collect_young(roots.iter().copied()).unwrap(),
        _ => _ = cycle(heap, roots, 16),
    }
}

/// A key that is reached late, by an entry of another, has values in several tables.
#[test]
fn all_entries_of_a_key_that_is_reached_late_are_kept() {
    for way in 0..3 {
        for first in [false, true] {
            let mut heap = heap();
            heap.collect_young(NONE).unwrap();
            let early = pair(&mut heap);
            let key = pair(&mut heap);
            // Tables are looked at in the order of their slots.
            let mut maps: Vec<Cell> = (0..6).map(|_| weak_map(&mut heap)).collect();
            let leads = maps.remove(if first { 0 } else { 5 });
            let values: Vec<Cell> = (0..5).map(|_| pair(&mut heap)).collect();
            for (&map, &value) in maps.iter().zip(&values) {
                heap.map_insert(map, key, value).unwrap();
            }
            heap.map_insert(leads, early, key).unwrap();
            let mut roots = maps.clone();
            roots.insert(if first { 0 } else { maps.len() }, leads);
            // The last one that is reached.
            let held = heap.alloc(List::of(&[early])).unwrap().cell();
            roots.push(heap.alloc(List::of(&[held])).unwrap().cell());
            collect_in_way(&mut heap, way, &roots);
            for (&map, &value) in maps.iter().zip(&values) {
                assert_eq!(heap.map_get(map, key), Ok(Some(value)), "{way}");
                assert!(heap.contains(value), "{way}");
            }
            heap.verify().unwrap();
        }
    }
}

/// An entry of a freed key holds nothing, whatever lies in the slot of the key now; nor is the
/// key marked, or rescued.
#[test]
fn a_freed_key_is_not_the_next_object_in_its_slot() {
    for way in 0..3 {
        let mut heap = heap();
        let map = weak_map(&mut heap);
        heap.collect_young([map]).unwrap();
        let (key, value) = (pair(&mut heap), heap.alloc(List::new()).unwrap().cell());
        heap.map_insert(map, key, value).unwrap();
        heap.free(key).unwrap();
        let next = pair(&mut heap);
        assert_eq!(abi::bits(next) as u32, abi::bits(key) as u32, "the same slot");
        let mut fork = heap.try_clone().unwrap();
        collect_in_way(&mut heap, way, &[map, next]);
        assert!(!heap.contains(value) && len(&heap, map) == 0, "{way}");
        heap.verify().unwrap();
        let notice = |reader: &mut MarkReader<'_>| {
            assert!(reader.is_marked(next) && !reader.is_marked(key) && !reader.rescue(key));
        };
        match way {
            0 => _ = fork.collect_with([map, next], notice).unwrap(),
            1 => _ = fork.collect_young_with([map, next], notice).unwrap(),
            _ => while !fork.step_with([map, next], 16, notice).unwrap().finished {},
        }
    }
}
