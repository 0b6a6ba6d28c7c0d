//! Deep equality of graphs that are too large to be compared as trees: they are equal to
//! coverings of themselves, in which each object has several copies, unless a label
//! differs that a path leads to.

use proptest::prelude::*;
use segheap::{Cell, Error, Heap, Limits, List, Map, Resource, Str, Struct};

use crate::limits::assert_accounting;
use crate::support::{config, heap};

/// A linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % n
    }
}

/// The children of each node. The label of a node is its number modulo a few.
struct Graph {
    nodes: Vec<Vec<usize>>,
    labels: u32,
}

impl Graph {
    fn new(nodes: usize, degree: usize, labels: u32, random: &mut Random) -> Graph {
        let node = |_| (0..random.below(degree + 1)).map(|_| random.below(nodes)).collect();
        // Each node but the last leads to the next one.
        let mut nodes: Vec<Vec<usize>> = (0..nodes).map(node).collect();
        let len = nodes.len();
        nodes.iter_mut().zip(1..len).for_each(|(node, next)| node.push(next));
        Graph { nodes, labels }
    }

    /// Builds a graph with `copies` objects for each node, of which any is the child of a
    /// parent. Returns them, node by node.
    fn build(&self, heap: &mut Heap, copies: usize, random: &mut Random) -> Vec<Cell> {
        let mut objects = Vec::new();
        for (n, node) in self.nodes.iter().enumerate() {
            let cells = vec![Cell::from(n as u32 % self.labels); node.len() + 1];
            for _ in 0..copies {
                objects.push(match n % 3 {
                    0 => heap.alloc(List::of(&cells)).unwrap().cell(),
                    1 => heap.alloc(Struct::of(7, &cells)).unwrap().cell(),
                    _ => heap.alloc(Map::new()).unwrap().cell(),
                });
            }
        }
        for (n, node) in self.nodes.iter().enumerate() {
            for copy in 0..copies {
                let object = objects[n * copies + copy];
                for (place, &child) in node.iter().enumerate() {
                    let child = objects[child * copies + random.below(copies)];
                    set(heap, n, object, place + 1, child);
                }
                set(heap, n, object, 0, Cell::from(n as u32 % self.labels));
            }
        }
        objects
    }
}

/// Sets a cell of the object of node `n`.
fn set(heap: &mut Heap, n: usize, object: Cell, place: usize, cell: Cell) {
    match n % 3 {
        0 => heap.get_mut::<List>(object).unwrap().set(place, cell).unwrap(),
        1 => heap.get_mut::<Struct>(object).unwrap().set(place, cell).unwrap(),
        _ => _ = heap.get_mut::<Map>(object).unwrap().insert((place as u32).into(), cell).unwrap(),
    }
}

/// The objects that paths from `root` lead to.
fn reached(heap: &Heap, root: Cell) -> std::collections::HashSet<Cell> {
    let mut reached = std::collections::HashSet::from([root]);
    let mut work = vec![root];
    while let Some(cell) = work.pop() {
        work.extend(heap.edges(cell).unwrap().filter(|&child| reached.insert(child)));
    }
    reached
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn coverings_are_equal(
        nodes in prop_oneof![1_usize..50, 1_usize..4_000],
        degree in 0_usize..4,
        labels in 1_u32..4,
        copies in (1_usize..3, 1_usize..4),
        seed in any::<u64>(),
    ) {
        let (mut heap, mut random) = (heap(5), Random(seed));
        let graph = Graph::new(nodes, degree, labels, &mut random);
        let one = graph.build(&mut heap, copies.0, &mut random);
        let other = graph.build(&mut heap, copies.1, &mut random);
        prop_assert_eq!(heap.deep_eq(one[0], other[0]), Ok(true));
        prop_assert_eq!(heap.deep_eq(other[0], one[0]), Ok(true));
        // Another label somewhere.
        let changed = random.below(other.len());
        let n = changed / copies.1;
        set(&mut heap, n, other[changed], 0, Cell::TRUE);
        let differ = reached(&heap, other[0]).contains(&other[changed]);
        prop_assert_eq!(heap.deep_eq(one[0], other[0]), Ok(!differ));
        prop_assert_eq!(heap.deep_eq(other[0], one[0]), Ok(!differ));
        assert_accounting(&heap);
    }
}

/// A ring of lists.
fn ring(heap: &mut Heap, len: usize) -> Cell {
    let lists: Vec<_> = (0..len).map(|_| heap.alloc(List::zeroed(1)).unwrap()).collect();
    for (list, next) in lists.iter().zip(lists.iter().cycle().skip(1)) {
        heap.get_mut(*list).unwrap().set(0, next.cell()).unwrap();
    }
    lists[0].cell()
}

/// Rings of any lengths are equal. There are 10^10 pairs of objects.
#[test]
fn the_product_of_two_rings_is_not_visited() {
    let mut heap = heap(1);
    let (one, other) = (ring(&mut heap, 100_003), ring(&mut heap, 99_991));
    assert_eq!(heap.deep_eq(one, other), Ok(true));
    let last = heap.get::<List>(one).unwrap().get(0).unwrap();
    heap.get_mut::<List>(last).unwrap().set(0, Cell::NULL).unwrap();
    assert_eq!(heap.deep_eq(one, other), Ok(false));
}

/// Large objects that are referred to often are compared once.
#[test]
fn large_shared_objects_are_compared_once() {
    const LEN: usize = 100_000;
    let mut heap = heap(1);
    let mut lists = |end: Cell| {
        let wide = heap.alloc(List::of(&[Cell::NULL; LEN])).unwrap().cell();
        let text = heap.alloc(Str::new(&"x".repeat(LEN))).unwrap().cell();
        let bytes = heap.alloc(segheap::Bytes::zeroed(LEN)).unwrap().cell();
        let objects: Vec<Cell> = [wide, text, bytes].into_iter().cycle().take(LEN).collect();
        let list = heap.alloc(List::of(&objects)).unwrap();
        heap.get_mut(list).unwrap().push(end).unwrap();
        list.cell()
    };
    let (one, same, other) = (lists(1.into()), lists(1.into()), lists(2.into()));
    assert_eq!(heap.deep_eq(one, same), Ok(true));
    assert_eq!(heap.deep_eq(one, other), Ok(false));
}

/// What classes take is within the limit, and is given back.
#[test]
fn scratch_memory_is_limited() {
    let mut heap = heap(1);
    let (one, other) = (ring(&mut heap, 50_000), ring(&mut heap, 50_001));
    let used = heap.usage().total_bytes;
    let limit = |heap: &mut Heap, bytes| heap.set_limits(Limits::NONE.with_bytes(bytes));
    limit(&mut heap, used as usize + 100_000);
    assert_eq!(heap.deep_eq(one, other), Err(Error::Limit(Resource::Bytes)));
    limit(&mut heap, used as usize + 4_000_000);
    assert_eq!(heap.deep_eq(one, other), Ok(true));
    assert!(heap.usage().total_bytes <= used + (256 << 10) + 256);
    assert_accounting(&heap);
}
