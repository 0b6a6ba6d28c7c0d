//! Roots that are stale, and iterators of roots that panic.

use segheap::{Cell, List};

use super::{heap, pair};

#[test]
fn stale_roots_are_reported_and_keep_nothing_live() {
    let mut heap = heap();
    let old = pair(&mut heap);
    heap.free(old).unwrap();
    let new = pair(&mut heap);
    let done = heap.collect([Cell::NULL, new, old, old]).unwrap();
    assert_eq!((done.stale_roots, done.first_stale, done.live), (2, Some(2), 1));
    let done = heap.collect([old]).unwrap();
    assert_eq!((done.freed, done.live), (1, 0));
}

#[test]
fn the_heap_is_consistent_after_roots_panic() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let mut heap = heap();
    let kept = heap.alloc(List::of(&[Cell::NULL])).unwrap().cell();
    let broken = || (0..1).map(|_| -> Cell { std::panic::resume_unwind(Box::new(())) });
    let caught = catch_unwind(AssertUnwindSafe(|| heap.collect(broken())));
    assert!(caught.is_err());
    let region = heap.open_region().unwrap();
    pair(&mut heap);
    let caught = catch_unwind(AssertUnwindSafe(|| heap.close_region(region, broken())));
    assert!(caught.is_err());
    heap.verify().unwrap();
    // Also when the work list has spilled to the allocator.
    let many: Vec<Cell> = (0..5000).map(|_| heap.alloc(List::new()).unwrap().cell()).collect();
    let wide = heap.alloc(List::of(&many)).unwrap().cell();
    let roots = || (0..400).map(|n| if n < 399 { wide } else { broken().next().unwrap() });
    let caught = catch_unwind(AssertUnwindSafe(|| heap.collect(roots())));
    assert!(caught.is_err());
    heap.verify().unwrap();
    assert_eq!(heap.collect([kept]).unwrap().live, 1);
    assert!(heap.contains(kept));
}
