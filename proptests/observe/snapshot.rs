//! Heap snapshots: JSON that holds each live object, its size and its references, and a heap
//! that is the same afterwards.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use segheap::{
    Cell, Closure, Heap, Limits, List, Map, Pair, Settings, SnapshotNames, SnapshotTotals, Str,
    Struct,
};
use tinyjson::JsonValue;

use crate::machine::frame::Monitor;
use crate::machine::{Machine, Step};
use crate::support::{config, heap, programs};

/// A node, and its edges: type, name or index, and the node that each refers to.
#[derive(Debug)]
struct Node {
    of_type: String,
    name: String,
    size: u64,
    edges: Vec<(String, String, usize)>,
}

/// A snapshot, with nodes by their place.
#[derive(Debug)]
struct Snapshot {
    nodes: Vec<Node>,
    /// By the numbers that nodes show.
    ids: BTreeMap<u64, usize>,
}

type Array = Vec<JsonValue>;

fn number(value: &JsonValue) -> u64 {
    let number: f64 = *value.get().unwrap();
    assert!(number >= 0.0 && number.fract() == 0.0 && number < (1_u64 << 53) as f64);
    number as u64
}

fn numbers(value: &JsonValue) -> Vec<u64> {
    value.get::<Array>().unwrap().iter().map(number).collect()
}

fn names(value: &JsonValue) -> Vec<String> {
    value.get::<Array>().unwrap().iter().map(|name| name.get::<String>().unwrap().clone()).collect()
}

impl Snapshot {
    /// Parses a snapshot by the fields that it declares, and checks all that the format says
    /// about counts and references.
    fn parse(json: &str) -> Snapshot {
        let json: JsonValue = json.parse().unwrap();
        let (head, meta) = (&json["snapshot"], &json["snapshot"]["meta"]);
        let (node_fields, edge_fields) = (names(&meta["node_fields"]), names(&meta["edge_fields"]));
        let place =
            |fields: &[String], name| fields.iter().position(|field| field == name).unwrap();
        let node_types = names(&meta["node_types"][0]);
        let edge_types = names(&meta["edge_types"][0]);
        let (nodes, edges) = (numbers(&json["nodes"]), numbers(&json["edges"]));
        let strings = names(&json["strings"]);
        let width = node_fields.len();
        assert_eq!(number(&head["node_count"]) as usize * width, nodes.len());
        assert_eq!(number(&head["edge_count"]) as usize * edge_fields.len(), edges.len());
        assert_eq!(meta["node_types"].get::<Array>().unwrap().len(), width);
        for empty in ["trace_function_infos", "trace_tree", "samples", "locations"] {
            assert_eq!(numbers(&json[empty]), []);
        }
        let mut used = vec![false; strings.len()];
        let mut rest = edges.chunks_exact(edge_fields.len());
        let mut snapshot = Snapshot { nodes: Vec::new(), ids: BTreeMap::new() };
        for (number, node) in nodes.chunks_exact(width).enumerate() {
            let field = |name| node[place(&node_fields, name)];
            let mut edge = |edge: &[u64]| {
                let field = |name| edge[place(&edge_fields, name)];
                let of_type = edge_types[field("type") as usize].clone();
                let target = field("to_node") as usize;
                assert!(target.is_multiple_of(width) && target < nodes.len());
                let name = field("name_or_index");
                let name = match of_type.as_str() {
                    "element" | "hidden" => name.to_string(),
                    _ => {
                        used[name as usize] = true;
                        strings[name as usize].clone()
                    }
                };
                (of_type, name, target / width)
            };
            let count = field("edge_count") as usize;
            let edges = rest.by_ref().take(count).map(&mut edge).collect::<Vec<_>>();
            assert_eq!(edges.len(), count);
            used[field("name") as usize] = true;
            let id = snapshot.ids.insert(field("id"), number);
            assert_eq!(id, None, "each node has a number of its own");
            snapshot.nodes.push(Node {
                of_type: node_types[field("type") as usize].clone(),
                name: strings[field("name") as usize].clone(),
                size: field("self_size"),
                edges,
            });
        }
        assert_eq!(rest.next(), None, "each edge is that of a node");
        // Of the strings that are always there, some may not be needed.
        let unused = used.iter().skip(30).filter(|used| !**used).count();
        assert_eq!(unused, 0, "strings that nothing shows");
        snapshot
    }

    fn of(
        heap: &mut Heap,
        roots: &[Cell],
        names: &impl SnapshotNames,
    ) -> (Snapshot, SnapshotTotals) {
        let mut json = String::new();
        let totals = heap.write_heap_snapshot(&mut json, roots.iter().copied(), names).unwrap();
        let snapshot = Snapshot::parse(&json);
        assert_eq!(snapshot.nodes.len() as u64, totals.nodes);
        assert_eq!(
            snapshot.nodes.iter().map(|node| node.edges.len() as u64).sum::<u64>(),
            totals.edges
        );
        assert_eq!(snapshot.nodes.iter().map(|node| node.size).sum::<u64>(), totals.bytes);
        (snapshot, totals)
    }

    /// The node of an object.
    fn node(&self, cell: Cell) -> &Node {
        &self.nodes[self.place(cell)]
    }

    fn place(&self, cell: Cell) -> usize {
        self.ids[&(u64::from(slot(cell)) * 16 + cell.kind().unwrap().selector() + 5)]
    }
}

fn slot(cell: Cell) -> u32 {
    (segheap::abi::bits(cell) & 0xFFFF_FFFF) as u32
}

/// All live objects of the kinds.
fn objects(heap: &Heap) -> Vec<Cell> {
    let mut objects = Vec::new();
    macro_rules! all {
        ($($Kind:ident as $NAME:ident, $family:ident;)*) => {
            $(objects.extend(heap.objects::<segheap::$Kind>().map(|object| object.cell()));)*
        };
    }
    segheap::for_each_kind!(all);
    objects
}

/// Compares a snapshot with what other functions say about the heap.
fn check(heap: &mut Heap, roots: &[Cell]) {
    let before = Monitor::of(heap);
    let (snapshot, _) = Snapshot::of(heap, roots, &());
    assert!(before.equals(heap), "a snapshot has changed the heap");
    let (objects, usage) = (objects(heap), heap.usage());
    let others = usage.hosts.live + usage.seals.live;
    assert_eq!(snapshot.nodes.len(), 4 + objects.len() + others as usize);
    let host_bytes = usage.host_bytes;
    let arenas = usage.arenas().iter().chain([&usage.hosts, &usage.seals]);
    let bytes: u64 = arenas.map(|arena| arena.payload_bytes + 16 * u64::from(arena.live)).sum();
    assert_eq!(snapshot.nodes.iter().map(|node| node.size).sum::<u64>(), bytes + host_bytes);
    for cell in objects {
        let node = snapshot.node(cell);
        let live = heap.edges(cell).unwrap().filter(|edge| snapshot_contains(heap, *edge));
        let expected: Vec<usize> = live.map(|edge| snapshot.place(edge)).collect();
        let found: Vec<usize> = node.edges.iter().map(|(.., to)| *to).collect();
        assert_eq!(found, expected, "{cell:?}");
        match heap.get::<Str>(cell) {
            Ok(text) => {
                assert_eq!((&*node.of_type, &*node.name), ("string", text.to_str().unwrap()));
            }
            Err(_) => assert_eq!(node.name, cell.kind().unwrap().name()),
        }
    }
    let live = roots.iter().copied().filter(|root| snapshot_contains(heap, *root));
    let expected: BTreeSet<usize> = live.map(|root| snapshot.place(root)).collect();
    let shown: BTreeSet<usize> = snapshot.nodes[2].edges.iter().map(|(.., to)| *to).collect();
    assert_eq!(shown, expected);
}

/// Whether the object is in memory: one that a cycle has found to be garbage is until the
/// sweep frees it, and can be opened.
fn snapshot_contains(heap: &Heap, cell: Cell) -> bool {
    let kind = cell.kind();
    let slot = kind.and_then(|kind| segheap::abi::slot(heap, kind, slot(cell)));
    slot.is_some_and(|[key, ..]| u64::from(key) == segheap::abi::bits(cell) >> 32)
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn a_snapshot_is_what_is_live(seed in any::<u64>(), program in programs(120)) {
        let mut machine = Machine::new(seed);
        for step in &program {
            let call = machine.resolve(step);
            let _ = machine.run(&call);
        }
        let roots: Vec<Cell> = machine.handles.iter().step_by(3).copied().collect();
        check(&mut machine.heap, &roots);
        machine.heap.verify().unwrap();
    }
}

#[test]
fn after_a_peak_objects_are_found_by_page() {
    let mut heap = heap(3);
    let lists: Vec<Cell> = (0..20_000).map(|_| heap.alloc(List::of(&[])).unwrap().cell()).collect();
    let kept: Vec<Cell> = lists.iter().step_by(1_999).copied().collect();
    for pair in kept.windows(2) {
        heap.get_mut::<List>(pair[0]).unwrap().push(pair[1]).unwrap();
    }
    heap.collect(kept.iter().copied()).unwrap();
    check(&mut heap, &kept);
}

/// Names by shape.
struct Names;

impl SnapshotNames for Names {
    fn class(&self, heap: &Heap, object: Cell) -> Option<&str> {
        match heap.get::<Struct>(object) {
            Ok(object) => {
                ["Point", "a \"quoted\"\nname", "Point"].get(object.shape() as usize).copied()
            }
            Err(_) => heap.get::<Closure>(object).ok().map(|_| "adder"),
        }
    }

    fn field(&self, heap: &Heap, object: Cell, index: u32) -> Option<&str> {
        heap.get::<Struct>(object).ok()?;
        ["x", "y"].get(index as usize).copied()
    }

    fn root(&self, position: usize) -> Option<&str> {
        (position == 0).then_some("global")
    }
}

#[test]
fn names_are_those_of_the_vm() {
    let mut heap = heap(1);
    let text = heap.string("a longer text").unwrap();
    let point = heap.alloc(Struct::of(0, &[text, text, text])).unwrap().cell();
    let other = heap.alloc(Struct::of(1, &[point])).unwrap().cell();
    let same = heap.alloc(Struct::of(2, &[])).unwrap().cell();
    let closure = heap.alloc(Closure::of(9, &[other])).unwrap().cell();
    let map = heap.alloc(Map::new()).unwrap();
    let key = heap.alloc(Pair::of(text, 1.into())).unwrap().cell();
    let entries =
        [(Cell::short_str("up").unwrap(), point), (text, same), (7.into(), other), (key, key)];
    for (key, value) in entries {
        heap.get_mut(map).unwrap().insert(key, value).unwrap();
    }
    let (snapshot, totals) = Snapshot::of(&mut heap, &[map.cell(), closure], &Names);
    assert_eq!(totals.names_lost, 0);
    let edges = |cell| {
        let edges = snapshot.node(cell).edges.iter();
        edges.map(|(of_type, name, to)| (&**of_type, &**name, *to)).collect::<Vec<_>>()
    };
    let place = |cell| snapshot.place(cell);
    let names = [point, other, same, closure, key].map(|cell| &*snapshot.node(cell).name);
    assert_eq!(names, ["Point", "a \"quoted\"\nname", "Point", "adder", "Pair"]);
    assert_eq!(snapshot.node(closure).of_type, "closure");
    let texts = [("property", "x"), ("property", "y"), ("element", "2")];
    assert_eq!(edges(point), texts.map(|(of_type, name)| (of_type, name, place(text))));
    assert_eq!(
        edges(map.cell()),
        [
            ("property", "up", place(point)),
            ("internal", "key", place(text)),
            ("property", "a longer text", place(same)),
            ("element", "2", place(other)),
            ("internal", "key", place(key)),
            ("element", "3", place(key)),
        ]
    );
    let root = |n: usize| &snapshot.nodes[n].edges;
    assert_eq!(snapshot.nodes[1].name, "(GC roots)");
    assert_eq!(root(0)[1], ("shortcut".into(), "global".into(), place(map.cell())));
    assert_eq!(root(2)[0], ("internal".into(), "global".into(), place(map.cell())));
    assert_eq!(root(2)[1], ("element".into(), "1".into(), place(closure)));
}

#[test]
fn a_long_text_is_cut_at_a_character() {
    let mut heap = heap(1);
    let text = "é".repeat(600);
    let cell = heap.string(&format!("a{text}")).unwrap();
    let (snapshot, _) = Snapshot::of(&mut heap, &[], &());
    assert_eq!(snapshot.node(cell).name, format!("a{}", "é".repeat(511)));
}

#[test]
fn a_full_heap_has_a_snapshot() {
    let mut heap = heap(5);
    let list = heap.alloc(List::of(&[])).unwrap();
    for n in 0..300 {
        let point = heap.alloc(Struct::of(n, &[list.cell()])).unwrap().cell();
        heap.get_mut(list).unwrap().push(point).unwrap();
    }
    let used = usize::try_from(heap.usage().total_bytes).unwrap();
    heap.set_limits(Limits::NONE.with_bytes(used));
    heap.fail_growth_after(Some(0));
    check(&mut heap, &[list.cell()]);
    let (snapshot, totals) = Snapshot::of(&mut heap, &[list.cell()], &Names);
    assert!(totals.names_lost > 0 && snapshot.nodes.iter().all(|node| node.name != "Point"));
    // With room for few names, the others are left out.
    heap.set_limits(Limits::NONE.with_bytes(used + 100));
    let (snapshot, totals) = Snapshot::of(&mut heap, &[list.cell()], &Names);
    assert!(totals.names_lost > 0 && snapshot.nodes.iter().any(|node| node.name == "Point"));
    heap.verify().unwrap();
}

/// A writer that fails, or panics, at a byte.
struct Failing {
    left: usize,
    panics: bool,
}

impl std::fmt::Write for Failing {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        match self.left.checked_sub(text.len()) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None if self.panics => panic!("a writer of the host"),
            None => Err(std::fmt::Error),
        }
    }
}

#[test]
fn a_writer_that_fails_leaves_the_heap_whole() {
    let mut heap = heap(5);
    let kept = heap.alloc(List::of(&[])).unwrap();
    for _ in 0..2_000 {
        let text = heap.string("a longer text").unwrap();
        heap.get_mut(kept).unwrap().push(text).unwrap();
    }
    let before = Monitor::of(&heap);
    for left in [0, 4_096, 40_000] {
        let failed = heap.write_heap_snapshot(&mut Failing { left, panics: false }, [kept], &());
        assert_eq!(failed, Err(std::fmt::Error));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            heap.write_heap_snapshot(&mut Failing { left, panics: true }, [kept], &())
        }));
        assert!(panicked.is_err() && before.equals(&heap));
        heap.verify().unwrap();
        assert_eq!(heap.collect([kept]).unwrap().freed, 0);
    }
}

#[test]
#[cfg(feature = "std")]
fn a_file_has_the_same_text() {
    let mut heap = heap(5);
    let list = heap.alloc(List::of(&[1.into()])).unwrap();
    let (mut text, mut file) = (String::new(), Vec::new());
    heap.write_heap_snapshot(&mut text, [list], &()).unwrap();
    heap.save_heap_snapshot(&mut file, [list], &()).unwrap();
    assert_eq!(text.into_bytes(), file);
    let mut full = [0_u8; 16];
    let failed = heap.save_heap_snapshot(&mut full[..], [list], &());
    assert_eq!(failed.unwrap_err().kind(), std::io::ErrorKind::WriteZero);
}

/// Bytes as a program, for a look at one snapshot.
#[test]
fn a_heap_without_objects_has_a_snapshot() {
    let mut heap = Heap::with(Settings::seeded(1));
    let (snapshot, totals) = Snapshot::of(&mut heap, &[Cell::NULL], &());
    assert_eq!((snapshot.nodes.len(), totals.bytes), (4, 0));
    let mut machine = Machine::new(1);
    Step::read(&[7; 240]).iter().for_each(|step| {
        let call = machine.resolve(step);
        let _ = machine.run(&call);
    });
    check(&mut machine.heap, &[]);
}
