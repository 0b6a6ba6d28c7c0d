//! Collection, compaction, and trees from allocation to reclamation, compared with
//! gc-arena, `Box`, `Rc`, a slot map, bumpalo and a plain copy. Every contender keeps
//! its heap, arena or allocator from pass to pass, so that none pays for pages that
//! another finds faulted in.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use bumpalo::Bump;
use cpu_time::ThreadTime;
use gc_arena::lock::RefLock;
use gc_arena::{Arena, Collect, Gc, Mutation, Rootable};
use segheap::{Cell, Error, Handle, Heap, List, Map, Pair, TableInit};
use slotmap::{DefaultKey, SlotMap};

use super::comparison::{Comparison, Outcome, Pass, comparison};
use super::{Entry, Random, heap, reading, timed};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("collect 20,000 lists of 8 random references", || mark(20_000)),
    ("collect 1M lists of 8 random references", || mark(1_000_000)),
    ("collect 200,000 lists, every other dead", sweep),
    ("collect a weak map of 100,000 live keys", || weak(false)),
    ("collect a chain of 100,000 weak entries", || weak(true)),
    ("compact 100 MiB, every other object of 64 B dead", || compact(64)),
    ("compact 100 MiB, every other object of 4 KiB dead", || compact(4_096)),
    ("longest step of a compaction of 100 MiB, objects of 64 B", compact_in_steps),
    ("binary trees of depth 14", || trees(14)),
    ("binary trees of depth 18", || trees(18)),
    ("binary trees of depth 14 beside one", || trees_beside_one(14)),
];

// Graphs.

/// Eight references from each of `n` lists: one to the next on a cycle through all
/// lists in random order, so that each reaches all, and seven random ones.
fn graph(n: usize) -> Vec<[u32; 8]> {
    let mut random = Random(n as u64);
    let order = random.order(n);
    let mut edges: Vec<[u32; 8]> =
        (0..n).map(|_| std::array::from_fn(|_| random.below(n) as u32)).collect();
    for (i, &from) in order.iter().enumerate() {
        edges[from][random.below(8)] = order[(i + 1) % n] as u32;
    }
    edges
}

/// Allocates the graph in a heap.
fn lists(heap: &mut Heap, edges: &[[u32; 8]]) -> Result<Vec<Handle<List>>, Error> {
    let list = |_| heap.alloc(List::zeroed(8));
    let lists = (0..edges.len()).map(list).collect::<Result<Vec<_>, _>>()?;
    for (edges, &list) in edges.iter().zip(&lists) {
        for (place, &to) in heap.get_mut(list)?.as_mut_slice().iter_mut().zip(edges) {
            *place = lists[to as usize].into();
        }
    }
    Ok(lists)
}

/// A list as users of gc-arena define one.
#[derive(Clone, Copy, Collect)]
#[collect(no_drop)]
struct Node<'gc>(Gc<'gc, RefLock<Vec<Node<'gc>>>>);

type Graph = Arena<Rootable![Option<Node<'_>>]>;

fn nodes<'gc>(mc: &Mutation<'gc>, edges: &[[u32; 8]]) -> Node<'gc> {
    let node = |_| Node(Gc::new(mc, RefLock::new(Vec::with_capacity(8))));
    let nodes: Vec<_> = (0..edges.len()).map(node).collect();
    for (edges, node) in edges.iter().zip(&nodes) {
        node.0.borrow_mut(mc).extend(edges.iter().map(|&to| nodes[to as usize]));
    }
    nodes[0]
}

type Edges = Vec<[u32; 8]>;

/// All objects are live.
fn mark(n: usize) -> Comparison {
    comparison(
        n,
        graph(n),
        [
            ("segheap", |edges: Rc<Edges>| {
                let mut heap = heap();
                let root = lists(&mut heap, &edges).unwrap()[0];
                reading(move || heap.collect([black_box(root)]).unwrap().live)
            }),
            ("gc-arena", |edges| {
                let mut arena = Graph::new(|mc| Some(nodes(mc, &edges)));
                let size = arena.metrics().total_gc_count();
                Box::new(move |_| {
                    let (cost, ()) = timed(|| arena.finish_cycle());
                    assert_eq!(arena.metrics().total_gc_count(), size);
                    Outcome { cost, result: edges.len() as u64 }
                })
            }),
        ],
    )
}

/// A map from each of 100,000 pairs to another, inserted in random order. A list holds all
/// pairs, or the first one: then each is reached as the value of the one before.
fn collect_map(init: TableInit<Map>, order: &[usize], chained: bool) -> Result<Pass, Error> {
    let mut heap = heap();
    let map = heap.alloc(init)?;
    let pair = |_| heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).map(Cell::from);
    let pairs = (0..order.len()).map(pair).collect::<Result<Vec<_>, _>>()?;
    for &n in order {
        heap.map_insert(map, pairs[n], pairs[(n + 1) % pairs.len()])?;
    }
    let held = heap.alloc(List::of(if chained { &pairs[..1] } else { &pairs }))?;
    let roots = [map.cell(), held.cell()];
    Ok(reading(move || heap.collect(black_box(roots)).unwrap().live))
}

fn weak(chained: bool) -> Comparison {
    const N: usize = 100_000;
    comparison(
        N,
        (Random(7).order(N), chained),
        [
            ("segheap", |input: Rc<(Vec<usize>, bool)>| {
                collect_map(Map::new().weak(), &input.0, input.1).unwrap()
            }),
            ("a map", |input| collect_map(Map::new(), &input.0, input.1).unwrap()),
        ],
    )
}

fn sweep() -> Comparison {
    let n = 200_000;
    comparison(
        n,
        graph(n / 2),
        [
            ("segheap", |edges: Rc<Edges>| {
                let mut heap = heap();
                let root = lists(&mut heap, &edges).unwrap()[0];
                Box::new(move |_| {
                    lists(&mut heap, &edges).unwrap();
                    let (cost, done) = timed(|| heap.collect([black_box(root)]).unwrap());
                    Outcome { cost, result: done.live + done.freed }
                })
            }),
            ("gc-arena", |edges| {
                let mut arena = Graph::new(|mc| Some(nodes(mc, &edges)));
                Box::new(move |_| {
                    let live = arena.metrics().total_gc_count();
                    arena.mutate(|mc, _| _ = nodes(mc, &edges));
                    let (cost, ()) = timed(|| arena.finish_cycle());
                    // What was allocated since the last cycle may survive one.
                    arena.finish_cycle();
                    assert!(arena.metrics().total_gc_count() <= live);
                    Outcome { cost, result: 2 * edges.len() as u64 }
                })
            }),
        ],
    )
}

// Compaction.

/// 100 MiB of objects of one size, every other one of them freed.
fn compact(size: usize) -> Comparison {
    const BYTES: usize = 100 << 20;
    comparison(
        BYTES / size / 2,
        (BYTES / size, size / 8),
        [
            ("segheap", |input| {
                let (n, words) = *input;
                let (mut heap, mut handles) = (heap(), Vec::with_capacity(n));
                Box::new(move |_| {
                    heap.clear();
                    handles.clear();
                    for i in 0..n as u32 {
                        let list = heap.alloc(List::zeroed(words)).unwrap();
                        heap.get_mut(list).unwrap().set(words - 1, i.into()).unwrap();
                        handles.push(list);
                    }
                    handles.iter().step_by(2).for_each(|&dead| heap.free(dead).unwrap());
                    let (cost, ()) = timed(|| heap.compact());
                    for (i, &list) in handles.iter().enumerate().skip(1).step_by(2) {
                        assert_eq!(heap.get(list).unwrap().get(words - 1), Ok((i as u32).into()));
                    }
                    let usage = heap.usage();
                    // Blocks of 2 KiB and more are a cache line larger than their objects.
                    let skew = if words >= 256 { n as u64 / 2 * 64 } else { 0 };
                    assert!(usage.pages() <= (BYTES as u64 / 2 + skew).div_ceil(65_536) + 1);
                    Outcome { cost, result: usage.live() }
                })
            }),
            ("copy", |input| {
                let (n, words) = *input;
                let (source, mut target) = (vec![1_u64; n / 2 * words], vec![0_u64; n / 2 * words]);
                Box::new(move |_| {
                    let (cost, ()) = timed(|| black_box(&mut target).copy_from_slice(&source));
                    Outcome { cost, result: (target.iter().sum::<u64>() as usize / words) as u64 }
                })
            }),
        ],
    )
}

/// The bytes that a step of a compaction works on: some 0.1 ms.
const STEP: u64 = 256 << 10;

/// 100 MiB of lists of 8, every other one of them freed.
fn half_dead(heap: &mut Heap, handles: &mut Vec<Handle<List>>) {
    heap.clear();
    handles.clear();
    for i in 0..(100 << 20) / 64_u32 {
        let list = heap.alloc(List::zeroed(8)).unwrap();
        heap.get_mut(list).unwrap().set(7, i.into()).unwrap();
        handles.push(list);
    }
    handles.iter().step_by(2).for_each(|&dead| heap.free(dead).unwrap());
}

fn check_half(heap: &Heap, handles: &[Handle<List>]) {
    for (i, &list) in handles.iter().enumerate().skip(1).step_by(2) {
        assert_eq!(heap.get(list).unwrap().get(7), Ok((i as u32).into()));
    }
    assert!(heap.usage().pages() <= (50 << 20) / 65_536 + 1);
}

/// The longest pause, in CPU time of the thread.
fn compact_in_steps() -> Comparison {
    let comparison = comparison(
        1,
        (),
        [
            ("segheap", |_| {
                let (mut heap, mut handles) = (heap(), Vec::new());
                Box::new(move |_| {
                    half_dead(&mut heap, &mut handles);
                    let mut longest = 0;
                    loop {
                        let start = ThreadTime::now();
                        let step = heap.compact_step(STEP).unwrap();
                        longest = start.elapsed().as_nanos().max(longest);
                        if step.finished {
                            break;
                        }
                    }
                    check_half(&heap, &handles);
                    Outcome { cost: longest as u64, result: heap.usage().live() }
                })
            }),
            ("compact", |_| {
                let (mut heap, mut handles) = (heap(), Vec::new());
                Box::new(move |_| {
                    half_dead(&mut heap, &mut handles);
                    let start = ThreadTime::now();
                    heap.compact();
                    let cost = start.elapsed().as_nanos() as u64;
                    check_half(&heap, &handles);
                    Outcome { cost, result: heap.usage().live() }
                })
            }),
        ],
    );
    Comparison { rounds: Some(5), ..comparison }
}

// Trees.

fn heap_tree(heap: &mut Heap, depth: u32) -> Result<Cell, Error> {
    let (mut left, mut right) = (Cell::NULL, Cell::NULL);
    if depth > 0 {
        (left, right) = (heap_tree(heap, depth - 1)?, heap_tree(heap, depth - 1)?);
    }
    Ok(heap.alloc(Pair::of(left, right))?.into())
}

fn heap_walk(heap: &Heap, tree: Cell) -> Result<u64, Error> {
    let pair = heap.get::<Pair>(tree)?;
    let (left, right) = (pair.first()?, pair.second()?);
    let mut nodes = 1;
    if !left.is_null() {
        nodes += heap_walk(heap, left)? + heap_walk(heap, right)?;
    }
    Ok(nodes)
}

struct Tree(Option<[Box<Tree>; 2]>);

fn box_tree(depth: u32) -> Box<Tree> {
    Box::new(Tree((depth > 0).then(|| [box_tree(depth - 1), box_tree(depth - 1)])))
}

fn box_walk(tree: &Tree) -> u64 {
    tree.0.as_ref().map_or(1, |[left, right]| 1 + box_walk(left) + box_walk(right))
}

/// Two children, mutable as those of a VM.
struct Shared(RefCell<Option<[Rc<Shared>; 2]>>);

fn rc_tree(depth: u32) -> Rc<Shared> {
    let children = (depth > 0).then(|| [rc_tree(depth - 1), rc_tree(depth - 1)]);
    Rc::new(Shared(RefCell::new(children)))
}

fn rc_walk(tree: &Shared) -> u64 {
    tree.0.borrow().as_ref().map_or(1, |[left, right]| 1 + rc_walk(left) + rc_walk(right))
}

type Slots = SlotMap<DefaultKey, Option<[DefaultKey; 2]>>;

fn slot_tree(slots: &mut Slots, depth: u32) -> DefaultKey {
    let children = (depth > 0).then(|| [slot_tree(slots, depth - 1), slot_tree(slots, depth - 1)]);
    slots.insert(children)
}

fn slot_walk(slots: &Slots, tree: DefaultKey) -> u64 {
    slots[tree].map_or(1, |[left, right]| 1 + slot_walk(slots, left) + slot_walk(slots, right))
}

fn slot_drop(slots: &mut Slots, tree: DefaultKey) {
    if let Some(Some(children)) = slots.remove(tree) {
        for child in children {
            slot_drop(slots, child);
        }
    }
}

#[derive(Collect)]
#[collect(no_drop)]
struct GcTree<'gc>(Option<[Gc<'gc, GcTree<'gc>>; 2]>);

fn gc_tree<'gc>(mc: &Mutation<'gc>, depth: u32) -> Gc<'gc, GcTree<'gc>> {
    Gc::new(mc, GcTree((depth > 0).then(|| [gc_tree(mc, depth - 1), gc_tree(mc, depth - 1)])))
}

fn gc_walk(tree: &GcTree<'_>) -> u64 {
    tree.0.as_ref().map_or(1, |[left, right]| 1 + gc_walk(left) + gc_walk(right))
}

struct BumpTree<'b>(Option<[&'b BumpTree<'b>; 2]>);

fn bump_tree(bump: &Bump, depth: u32) -> &BumpTree<'_> {
    bump.alloc(BumpTree(
        (depth > 0).then(|| [bump_tree(bump, depth - 1), bump_tree(bump, depth - 1)]),
    ))
}

fn bump_walk(tree: &BumpTree<'_>) -> u64 {
    tree.0.map_or(1, |[left, right]| 1 + bump_walk(left) + bump_walk(right))
}

/// Builds, walks and reclaims trees.
fn trees(depth: u32) -> Comparison {
    comparison(
        2 << depth,
        black_box(depth),
        [
            ("segheap", |depth| {
                let mut heap = heap();
                reading(move || {
                    let tree = heap_tree(&mut heap, *depth).unwrap();
                    let nodes = heap_walk(&heap, tree).unwrap();
                    assert_eq!(nodes, heap.collect([Cell::NULL]).unwrap().freed);
                    nodes
                })
            }),
            ("Box", |depth| reading(move || box_walk(&box_tree(*depth)))),
            ("Rc of RefCell", |depth| reading(move || rc_walk(&rc_tree(*depth)))),
            ("slotmap, freed explicitly", |depth| {
                let mut slots = Slots::new();
                reading(move || {
                    let tree = slot_tree(&mut slots, *depth);
                    let nodes = slot_walk(&slots, tree);
                    slot_drop(&mut slots, tree);
                    nodes
                })
            }),
            ("gc-arena", |depth| {
                let mut arena = Arena::<Rootable![()]>::new(|_| ());
                reading(move || {
                    let nodes = arena.mutate(|mc, ()| gc_walk(&gc_tree(mc, *depth)));
                    arena.finish_cycle();
                    assert_eq!(arena.metrics().total_gc_count(), 0);
                    nodes
                })
            }),
            ("bumpalo, reset", |depth| {
                let mut bump = Bump::new();
                reading(move || {
                    let nodes = bump_walk(bump_tree(&bump, *depth));
                    bump.reset();
                    nodes
                })
            }),
        ],
    )
}

/// Builds, walks and reclaims trees while an equal one is live.
fn trees_beside_one(depth: u32) -> Comparison {
    comparison(
        2 << depth,
        black_box(depth),
        [
            ("segheap", |depth| {
                let mut heap = heap();
                let kept = heap_tree(&mut heap, *depth).unwrap();
                heap.collect_young([kept]).unwrap();
                reading(move || {
                    let tree = heap_tree(&mut heap, *depth).unwrap();
                    let nodes = heap_walk(&heap, tree).unwrap();
                    assert_eq!(nodes, heap.collect_young([kept]).unwrap().freed);
                    nodes
                })
            }),
            ("collect", |depth| {
                let mut heap = heap();
                let kept = heap_tree(&mut heap, *depth).unwrap();
                reading(move || {
                    let tree = heap_tree(&mut heap, *depth).unwrap();
                    let nodes = heap_walk(&heap, tree).unwrap();
                    assert_eq!(nodes, heap.collect([kept]).unwrap().freed);
                    nodes
                })
            }),
            ("gc-arena", |depth| {
                type Kept = Arena<Rootable![Gc<'_, GcTree<'_>>]>;
                let mut arena = Kept::new(|mc| gc_tree(mc, *depth));
                let live = arena.metrics().total_gc_count();
                reading(move || {
                    let nodes = arena.mutate(|mc, _| gc_walk(&gc_tree(mc, *depth)));
                    arena.finish_cycle();
                    // What was allocated since the last cycle may survive one.
                    assert!(arena.metrics().total_gc_count() <= 2 * live);
                    nodes
                })
            }),
        ],
    )
}
