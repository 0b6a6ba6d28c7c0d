//! What keeps objects live: containers, regions, pins.

use segheap::{Bytes, Cell, Closure, Error, Heap, List, Map, Pair, Set, Settings, Struct, abi};

/// Only the heap that opened a region closes it, even if a region of another heap has
/// the same depth and number.
#[test]
fn a_region_of_another_heap_frees_nothing() {
    let [mut heap, mut other] = [1, 2].map(|seed| Heap::with(Settings::seeded(seed)));
    let (region, foreign) = (heap.open_region().unwrap(), other.open_region().unwrap());
    let list = heap.alloc(List::of(&[])).unwrap();
    let none = [Cell::NULL; 0];
    assert_eq!(heap.close_region(foreign, none), Err(Error::RegionClosed));
    assert!(heap.contains(list));
    assert_eq!(heap.close_region(region, none), Ok(1));
}

/// Objects of each kind with cells keep these live, and a transplant copies them.
#[test]
fn containers_keep_their_elements_live() {
    fn map(heap: &mut Heap, key: Cell, value: Cell) -> Cell {
        let map = heap.alloc(Map::new()).unwrap();
        heap.get_mut(map).unwrap().insert(key, value).unwrap();
        map.cell()
    }
    let containers: [fn(&mut Heap, Cell) -> Cell; 8] = [
        |heap, cell| heap.alloc(List::of(&[1.into(), cell])).unwrap().cell(),
        |heap, cell| map(heap, cell, Cell::NULL),
        |heap, cell| map(heap, Cell::NULL, cell),
        |heap, cell| {
            let set = heap.alloc(Set::new()).unwrap();
            heap.get_mut(set).unwrap().insert(cell).unwrap();
            set.cell()
        },
        |heap, cell| heap.alloc(Struct::of(1, &[1.into(), cell])).unwrap().cell(),
        |heap, cell| heap.alloc(Closure::of(1, &[1.into(), cell])).unwrap().cell(),
        |heap, cell| heap.alloc(Pair::of(cell, Cell::NULL)).unwrap().cell(),
        |heap, cell| heap.alloc(Pair::of(Cell::NULL, cell)).unwrap().cell(),
    ];
    for container in containers {
        let [mut heap, mut other] = [1, 2].map(|seed| Heap::with(Settings::seeded(seed)));
        let region = heap.open_region().unwrap();
        let held = heap.alloc(Bytes::of(b"held")).unwrap().cell();
        let root = container(&mut heap, held);
        assert_eq!(heap.collect([root]).unwrap().live, 2, "{root:?}");
        assert_eq!(heap.close_region(region, [root]), Ok(0), "{root:?}");
        assert!(heap.contains(held), "{root:?}");
        // The copy refers to a copy of the element.
        other.alloc(Bytes::of(b"another")).unwrap();
        let copy = other.transplant(&heap, root).unwrap();
        let copies: Vec<Cell> = other.edges(copy).unwrap().collect();
        assert_eq!(other.get::<Bytes>(copies[0]).unwrap().as_slice(), b"held", "{root:?}");
        assert_eq!(copies.len(), 1);
    }
}

/// An object pinned twice stays live until it is unpinned twice.
#[test]
fn pins_are_counted() {
    let mut heap = Heap::with(Settings::seeded(1));
    let list = heap.alloc(List::of(&[])).unwrap().cell();
    heap.pin(list).unwrap();
    heap.pin(list).unwrap();
    for live in [1, 0] {
        assert!(heap.unpin(list));
        assert_eq!(heap.collect([Cell::NULL]).unwrap().live, live);
    }
    assert!(!heap.unpin(list));
}

/// A pin of a freed object does not count for the object that reuses its slot.
#[test]
fn pins_of_two_objects_in_one_slot_are_two_pins() {
    let mut heap = Heap::with(Settings::seeded(1));
    let old = heap.alloc(List::of(&[])).unwrap().cell();
    heap.pin(old).unwrap();
    heap.free(old).unwrap();
    let new = heap.alloc(List::of(&[])).unwrap().cell();
    assert_eq!(abi::bits(new) as u32, abi::bits(old) as u32);
    heap.pin(new).unwrap();
    assert!(heap.unpin(old) && !heap.unpin(old));
    assert_eq!(heap.collect([Cell::NULL]).unwrap().live, 1);
    assert!(heap.unpin(new) && !heap.unpin(new));
    assert_eq!(heap.collect([Cell::NULL]).unwrap().live, 0);
}

#[test]
fn pins_are_found_in_any_order() {
    let mut heap = Heap::with(Settings::seeded(1));
    let cells: [Cell; 5] = std::array::from_fn(|_| heap.alloc(List::of(&[])).unwrap().cell());
    for n in [3, 0, 4, 1, 2] {
        heap.pin(cells[n]).unwrap();
    }
    for (n, live) in [(4, 4), (0, 3), (2, 2), (3, 1), (1, 0)] {
        assert!(heap.unpin(cells[n]));
        assert_eq!(heap.collect([Cell::NULL]).unwrap().live, live);
    }
}
