//! Collection, frames' and trees' whole lives, compaction: beside gc-arena,
//! `Box`, `Rc`, a slot map, bumpalo, and a plain copy.
//!
//! ```text
//! cargo bench --bench collect                     all of it, about four minutes
//! cargo bench --bench collect -- trees            groups and rows by name
//! cargo bench --bench collect -- --test           answers only, no timing
//! ```
//!
//! Rows of one group do the same work and have to come to the same answer before
//! any of them is timed. Compare rows of one group of one run, by their medians.
//! Every row keeps its heap, arena or allocator from pass to pass, so that none
//! is charged with pages that another finds faulted in; what restores a
//! structure between two passes is not timed.
#![allow(missing_docs, reason = "nothing here is an interface")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark may panic, and peers are written as their users write them"
)]

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bumpalo::Bump;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use gc_arena::lock::RefLock;
use gc_arena::{Arena, Collect, Gc, Mutation, Rootable};
use segheap::{Cell, Error, Handle, Heap, List, Pair, Settings};
use slotmap::{DefaultKey, SlotMap};

/// One pass: how long it took, and its answer.
type Pass<'a> = Box<dyn FnMut() -> (Duration, u64) + 'a>;

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = black_box(work());
    (start.elapsed(), result)
}

/// Checks that all passes agree, twice, and times them; `n` objects each.
fn compare(c: &mut Criterion, name: &str, n: usize, mut rows: Vec<(&str, Pass<'_>)>) {
    for _ in 0..2 {
        let answers: Vec<u64> = rows.iter_mut().map(|(_, pass)| pass().1).collect();
        assert!(answers.iter().all(|&answer| answer == answers[0]), "{name}: {answers:?}");
    }
    let mut group = c.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(n as u64));
    for (peer, pass) in &mut rows {
        group.bench_function(*peer, |bencher| {
            bencher.iter_custom(|passes| (0..passes).map(|_| pass().0).sum());
        });
    }
    group.finish();
}

fn heap() -> Heap {
    Heap::with(Settings::seeded(1))
}

/// A small generator of numbers below `n`.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        ((self.0 >> 32) as usize * n) >> 32
    }
}

// --------------------------------------------------------------------- graphs

/// Eight references out of each of `n` lists: one to the next on a cycle through
/// all of them in random order, so that any of them leads to all; seven random.
fn graph(n: usize) -> Vec<[u32; 8]> {
    let mut random = Random(n as u64);
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        order.swap(i, random.below(i + 1));
    }
    let mut edges: Vec<[u32; 8]> =
        (0..n).map(|_| std::array::from_fn(|_| random.below(n) as u32)).collect();
    for (i, &from) in order.iter().enumerate() {
        edges[from as usize][random.below(8)] = order[(i + 1) % n];
    }
    edges
}

/// The graph in a heap; the second half is `n` lists that nothing leads to.
fn lists(heap: &mut Heap, edges: &[[u32; 8]]) -> Result<Vec<Handle<List>>, Error> {
    let list = |_| heap.alloc(List::zeroed(8));
    let lists = (0..edges.len()).map(list).collect::<Result<Vec<_>, _>>()?;
    for (edges, &list) in edges.iter().zip(&lists) {
        for (place, &to) in heap.get_mut(list)?.as_mut_slice()?.iter_mut().zip(edges) {
            *place = lists[to as usize].into();
        }
    }
    Ok(lists)
}

/// A list as users of gc-arena make one.
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

fn mark(c: &mut Criterion) {
    for (n, name) in [(20_000, "20,000"), (1_000_000, "1M")] {
        let edges = graph(n);
        let mut heap = heap();
        let root = lists(&mut heap, &edges).unwrap()[0];
        let mut arena = Graph::new(|mc| Some(nodes(mc, &edges)));
        let size = arena.metrics().total_gc_allocation();
        let rows: Vec<(&str, Pass<'_>)> = vec![
            (
                "segheap",
                Box::new(|| {
                    let (time, done) = timed(|| heap.collect([black_box(root)]).unwrap());
                    (time, done.live)
                }),
            ),
            (
                "gc-arena",
                Box::new(|| {
                    let (time, ()) = timed(|| arena.collect_all());
                    assert_eq!(arena.metrics().total_gc_allocation(), size);
                    (time, n as u64)
                }),
            ),
        ];
        compare(c, &format!("collect {name} lists of 8 random references"), n, rows);
    }
}

fn sweep(c: &mut Criterion) {
    let n = 200_000;
    let edges = graph(n / 2);
    let mut heap = heap();
    let root = lists(&mut heap, &edges).unwrap()[0];
    let mut arena = Graph::new(|mc| Some(nodes(mc, &edges)));
    let rows: Vec<(&str, Pass<'_>)> = vec![
        (
            "segheap",
            Box::new(|| {
                lists(&mut heap, &edges).unwrap();
                let (time, done) = timed(|| heap.collect([black_box(root)]).unwrap());
                (time, done.live + done.freed)
            }),
        ),
        (
            "gc-arena",
            Box::new(|| {
                let live = arena.metrics().total_gc_allocation();
                arena.mutate(|mc, _| _ = nodes(mc, &edges));
                let (time, ()) = timed(|| arena.collect_all());
                // What was made since the last cycle may outlive one.
                arena.collect_all();
                assert!(arena.metrics().total_gc_allocation() <= live);
                (time, n as u64)
            }),
        ),
    ];
    compare(c, "collect 200,000 lists, every other dead", n, rows);
}

// ----------------------------------------------------------------- compaction

fn compact(c: &mut Criterion) {
    let bytes: usize = 100 << 20;
    for (size, name) in [(64, "64 B"), (4096, "4 KiB")] {
        let (n, words) = (bytes / size, size / 8);
        let (source, mut target) = (vec![1_u64; n / 2 * words], vec![0_u64; n / 2 * words]);
        let (mut heap, mut handles) = (heap(), Vec::with_capacity(n));
        let rows: Vec<(&str, Pass<'_>)> = vec![
            (
                "segheap",
                Box::new(|| {
                    heap.clear();
                    handles.clear();
                    for i in 0..n as u32 {
                        let list = heap.alloc(List::zeroed(words)).unwrap();
                        heap.get_mut(list).unwrap().set(words - 1, i.into()).unwrap();
                        handles.push(list);
                    }
                    handles.iter().step_by(2).for_each(|&dead| heap.kill(dead).unwrap());
                    let (time, ()) = timed(|| heap.compact());
                    for (i, &list) in handles.iter().enumerate().skip(1).step_by(2) {
                        assert_eq!(heap.get(list).unwrap().get(words - 1), Ok((i as u32).into()));
                    }
                    let usage = heap.usage();
                    assert!(usage.pages() <= (bytes as u64 / 2).div_ceil(65_536) + 1);
                    (time, usage.live())
                }),
            ),
            (
                "copy",
                Box::new(|| {
                    let (time, ()) = timed(|| black_box(&mut target).copy_from_slice(&source));
                    (time, (target.iter().sum::<u64>() as usize / words) as u64)
                }),
            ),
        ];
        compare(c, &format!("compact 100 MiB, every other object of {name} dead"), n / 2, rows);
    }
}

// ---------------------------------------------------------------------- trees

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

/// Two children, changed as a VM's would be.
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

fn trees(c: &mut Criterion) {
    for depth in [14, 18] {
        let depth = black_box(depth);
        let (mut heap, mut slots, mut bump) = (heap(), Slots::new(), Bump::new());
        let mut arena = Arena::<Rootable![()]>::new(|_| ());
        let rows: Vec<(&str, Pass<'_>)> = vec![
            (
                "segheap",
                Box::new(|| {
                    let (time, (nodes, freed)) = timed(|| {
                        let tree = heap_tree(&mut heap, depth).unwrap();
                        let nodes = heap_walk(&heap, tree).unwrap();
                        (nodes, heap.collect([Cell::NULL]).unwrap().freed)
                    });
                    assert_eq!(nodes, freed);
                    (time, nodes)
                }),
            ),
            ("Box", Box::new(|| timed(|| box_walk(&box_tree(depth))))),
            ("Rc<RefCell>", Box::new(|| timed(|| rc_walk(&rc_tree(depth))))),
            (
                "slotmap, freed by hand",
                Box::new(|| {
                    timed(|| {
                        let tree = slot_tree(&mut slots, depth);
                        let nodes = slot_walk(&slots, tree);
                        slot_drop(&mut slots, tree);
                        nodes
                    })
                }),
            ),
            (
                "gc-arena",
                Box::new(|| {
                    let result = timed(|| {
                        let nodes = arena.mutate(|mc, ()| gc_walk(&gc_tree(mc, depth)));
                        arena.collect_all();
                        nodes
                    });
                    assert_eq!(arena.metrics().total_gc_allocation(), 0);
                    result
                }),
            ),
            (
                "bumpalo, reset",
                Box::new(|| {
                    timed(|| {
                        let nodes = bump_walk(bump_tree(&bump, depth));
                        bump.reset();
                        nodes
                    })
                }),
            ),
        ];
        compare(c, &format!("binary trees of depth {depth}"), 2 << depth, rows);
    }
}

criterion_group!(benches, mark, sweep, compact, trees);
criterion_main!(benches);
