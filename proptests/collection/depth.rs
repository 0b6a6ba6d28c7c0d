//! Deep graphs: no operation recurses over references.

use segheap::Pair;

use super::{NONE, chain, heap};

/// Runs `work` on a stack too small for recursion over a deep graph.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
}

/// Ten million in an optimised build, a million in a debug build.
const DEEP: u64 = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };

#[test]
fn a_chain_of_millions_is_collected() {
    on_a_small_stack(|| {
        let mut heap = heap();
        let head = chain(&mut heap, DEEP);
        assert_eq!(heap.collect([head]).unwrap().live, DEEP);
        let region = heap.open_region().unwrap();
        heap.close_region(region, [head]).unwrap();
        let collected = heap.collect(NONE).unwrap();
        assert_eq!((collected.freed, collected.live), (DEEP, 0));
    });
}

#[test]
fn a_deep_chain_is_compared_displayed_transplanted_and_searched() {
    on_a_small_stack(|| {
        let len = DEEP / 10;
        let mut heap = heap();
        let (head, other) = (chain(&mut heap, len), chain(&mut heap, len));
        assert_eq!(heap.deep_eq(head, other), Ok(true));
        assert_eq!(heap.display(head).to_string().len(), 4096 + "…".len());
        let first = heap.objects::<Pair>().next().unwrap().cell();
        assert_eq!(heap.path_from_roots([head], first).unwrap().unwrap().len() as u64, len);
        let mut copy = super::heap();
        let root = copy.transplant(&heap, head).unwrap();
        assert_eq!(copy.collect([root]).unwrap().live, len);
        let region = copy.open_region().unwrap();
        let root = copy.transplant(&heap, head).unwrap();
        assert_eq!(copy.close_region(region, [root]), Ok(0));
        assert!(copy.contains(root));
    });
}
