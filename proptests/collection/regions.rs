//! Regions: what they free, what they keep, and what they cost.

use segheap::{Cell, Error, Heap, Kind, List, Map, abi};

use super::{NONE, heap, pair};

#[test]
fn a_local_text_in_an_outer_list_becomes_stale() {
    let mut heap = heap();
    let outer = heap.alloc(List::of(&[])).unwrap();
    let frame = heap.open_region().unwrap();
    let local = heap.string("a local text").unwrap();
    heap.get_mut(outer).unwrap().push(local).unwrap();
    assert_eq!(heap.close_region(frame, [Cell::from(7)]), Ok(1));
    let other = heap.string("another text").unwrap();
    assert_eq!(heap.text(local).err(), Some(Error::Stale { kind: Kind::STR }));
    assert_eq!(heap.display(outer).to_string(), "[gone]");
    assert_eq!(heap.collect([outer.cell(), other]).unwrap().live, 2);
}

#[test]
fn a_kept_list_in_a_reused_slot_keeps_its_elements() {
    let mut heap = heap();
    let old = heap.alloc(List::of(&[])).unwrap();
    heap.free(old).unwrap();
    let frame = heap.open_region().unwrap();
    let local = heap.string("a local text").unwrap();
    let list = heap.alloc(List::of(&[local])).unwrap();
    assert_eq!(heap.close_region(frame, [list.cell()]), Ok(0));
    heap.string("another text").unwrap();
    assert_eq!(heap.display(list).to_string(), r#"["a local text"]"#);
}

#[test]
fn a_kept_object_keeps_its_slot() {
    let mut heap = heap();
    let frame = heap.open_region().unwrap();
    let a = heap.alloc(List::of(&[1.into()])).unwrap();
    let b = heap.alloc(List::of(&[2.into()])).unwrap();
    heap.free(a).unwrap();
    assert_eq!(heap.close_region(frame, [b.cell()]), Ok(0));
    let next = [heap.alloc(List::of(&[])).unwrap(), heap.alloc(List::of(&[])).unwrap()];
    assert!(!next.contains(&b) && next[0] != next[1]);
    assert_eq!(heap.get(b).unwrap().as_slice(), [2.into()]);
}

#[test]
fn a_reused_slot_is_freed_when_its_region_closes() {
    let mut heap = heap();
    let old = pair(&mut heap);
    heap.free(old).unwrap();
    let free = heap.usage().arena(Kind::PAIR).unwrap().free;
    let frame = heap.open_region().unwrap();
    let inside = pair(&mut heap);
    heap.close_region(frame, NONE).unwrap();
    assert!(!heap.contains(inside) && !heap.contains(old));
    assert_eq!(heap.usage().arena(Kind::PAIR).unwrap().free, free);
    assert_eq!(abi::bits(pair(&mut heap)) as u32, abi::bits(old) as u32);
}

#[test]
fn the_log_of_a_region_holds_live_objects_only() {
    let mut heap = heap();
    let region = heap.open_region().unwrap();
    for _ in 0..1000 {
        let cell = pair(&mut heap);
        heap.free(cell).unwrap();
    }
    let before = heap.usage().total_bytes;
    // Slots retire after 4,096 generations.
    let allocations = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    for _ in 0..allocations {
        let cell = pair(&mut heap);
        heap.free(cell).unwrap();
    }
    assert!(heap.usage().total_bytes <= before + 16 * 2 * allocations / 4096 + 1024);
    assert_eq!(heap.close_region(region, NONE), Ok(0));
}

/// Takes minutes if closing a region scans the log of the regions around it.
#[test]
fn closing_a_region_is_linear_in_its_own_allocations() {
    let mut heap = heap();
    let outer = heap.open_region().unwrap();
    for _ in 0..200_000 {
        pair(&mut heap);
    }
    for _ in 0..2_000 {
        let inner = heap.open_region().unwrap();
        pair(&mut heap);
        assert_eq!(heap.close_region(inner, NONE), Ok(1));
    }
    assert_eq!(heap.close_region(outer, NONE), Ok(200_000));
}

/// Takes minutes if each allocation with a full log scans it for freed objects.
#[test]
fn allocation_with_a_full_log_is_amortised() {
    let mut heap = heap();
    let region = heap.open_region().unwrap();
    for _ in 0..(1 << 17) - 1 {
        pair(&mut heap);
    }
    for _ in 0..400_000 {
        let cell = pair(&mut heap);
        heap.free(cell).unwrap();
    }
    assert_eq!(heap.close_region(region, NONE), Ok((1 << 17) - 1));
}

#[test]
fn an_empty_region_changes_nothing() {
    let mut heap = heap();
    for _ in 0..100_000 {
        pair(&mut heap);
    }
    let warm = heap.open_region().unwrap();
    heap.close_region(warm, NONE).unwrap();
    let before = heap.usage();
    for _ in 0..100_000 {
        let region = heap.open_region().unwrap();
        assert_eq!(heap.close_region(region, NONE), Ok(0));
    }
    assert_eq!(heap.usage(), before);
}

#[test]
fn the_memory_of_a_freed_map_is_reused_and_released() {
    let entries = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let mut heap = heap();
    let frame = heap.open_region().unwrap();
    let fill = |heap: &mut Heap| {
        let map = heap.alloc(Map::new()).unwrap();
        for n in 0..entries {
            heap.get_mut(map)
                .unwrap()
                .insert(Cell::int(n).unwrap(), n.rem_euclid(7).eq(&0).into())
                .unwrap();
        }
    };
    fill(&mut heap);
    let full = heap.usage().total_bytes;
    heap.close_region(frame, NONE).unwrap();
    fill(&mut heap);
    assert!(heap.usage().total_bytes <= full, "freed memory is not reused");
    heap.clear();
    heap.compact();
    assert!(heap.usage().total_bytes <= full / 32);
}

/// A collection removes stale entries from the log: each of several regions opened
/// at one position still starts there.
#[test]
fn nested_regions_keep_their_starts_when_the_log_is_pruned() {
    let mut heap = heap();
    let outer = heap.open_region().unwrap();
    let stale = pair(&mut heap);
    heap.free(stale).unwrap();
    let middle = heap.open_region().unwrap();
    let inner = heap.open_region().unwrap();
    let cell = pair(&mut heap);
    heap.collect([cell]).unwrap();
    assert_eq!(heap.close_region(inner, NONE), Ok(1));
    assert_eq!(heap.close_region(middle, NONE), Ok(0));
    assert_eq!(heap.close_region(outer, NONE), Ok(0));
}

#[test]
fn open_regions_survive_clear() {
    let mut heap = heap();
    let outer = heap.open_region().unwrap();
    for _ in 0..10 {
        pair(&mut heap);
    }
    let inner = heap.open_region().unwrap();
    heap.clear();
    heap.verify().unwrap();
    pair(&mut heap);
    assert_eq!(heap.close_region(inner, NONE), Ok(1));
    assert_eq!(heap.close_region(outer, NONE), Ok(0));
}
