//! Allocation profiles: each object is counted once, for the site that was set; what is live
//! follows from the heap; and nothing that a profile does makes an allocation fail.

use std::collections::BTreeMap;

use proptest::prelude::*;
use segheap::{Bytes, Cell, F64Arr, Heap, Limits, List, Map, Pair, SiteUsage, Struct, abi};

use super::protobuf;
use crate::machine::Machine;
use crate::support::{config, heap, programs};

/// One step of a program.
#[derive(Clone, Debug)]
enum Op {
    Site(u32),
    Pair,
    List(usize),
    Floats(usize),
    Text(usize),
    Intern(usize),
    Integer(u32),
    /// Several objects at once.
    Split(usize),
    Transplant,
    Host,
    Free(usize),
    Push(usize),
    Open,
    Close,
    Collect(usize),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0..40_usize;
    prop_oneof![
        6 => prop_oneof![0..4_u32, any::<u32>()].prop_map(Op::Site),
        4 => Just(Op::Pair),
        4 => n().prop_map(Op::List),
        2 => n().prop_map(Op::Floats),
        3 => n().prop_map(Op::Text),
        2 => n().prop_map(Op::Intern),
        2 => (0..400_u32).prop_map(Op::Integer),
        2 => (1..9_usize).prop_map(Op::Split),
        1 => Just(Op::Transplant),
        1 => Just(Op::Host),
        3 => any::<usize>().prop_map(Op::Free),
        3 => any::<usize>().prop_map(Op::Push),
        2 => Just(Op::Open),
        2 => Just(Op::Close),
        1 => any::<usize>().prop_map(Op::Collect),
        1 => Just(Op::Clear),
    ]
}

/// All live objects of the kinds, and host objects that are known.
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

/// The bytes of an object's block and slot.
fn bytes(heap: &Heap, cell: Cell) -> u64 {
    let slot = (abi::bits(cell) & 0xFFFF_FFFF) as u32;
    let [.., cap] = abi::slot(heap, cell.kind().unwrap(), slot).unwrap();
    u64::from(cap) * 8 + 16
}

/// Counts by site and kind, in order: objects and bytes when allocated, and now.
type Sorted = Vec<((u32, String), [u64; 4])>;

struct Model {
    site: u32,
    /// Each object that was allocated: its site, and its bytes then.
    objects: Vec<(Cell, u32, u64)>,
    regions: Vec<segheap::Region>,
}

impl Model {
    /// Takes note of the objects that were not there before.
    fn note(&mut self, heap: &Heap, before: &[Cell], hosts: &[Cell]) {
        let new = objects(heap).into_iter().chain(hosts.iter().copied());
        for cell in new.filter(|cell| !before.contains(cell)) {
            self.objects.push((cell, self.site, bytes(heap, cell)));
        }
    }

    fn counts(&self, heap: &Heap) -> Sorted {
        let mut counts: BTreeMap<(u32, String), [u64; 4]> = BTreeMap::new();
        for &(cell, site, then) in &self.objects {
            let count = counts.entry((site, cell.kind().unwrap().to_string())).or_default();
            count[0] += 1;
            count[1] += then;
            if heap.contains(cell) {
                count[2] += 1;
                count[3] += bytes(heap, cell);
            }
        }
        counts.into_iter().collect()
    }
}

fn sorted(rows: &[SiteUsage]) -> Sorted {
    let count = |row: &SiteUsage| {
        let (allocated, live) = (row.allocated, row.live);
        let counts = [allocated.objects, allocated.bytes, live.objects, live.bytes];
        ((row.site, row.kind.to_string()), counts)
    };
    let mut rows: Sorted = rows.iter().map(count).collect();
    rows.sort();
    rows
}

fn run(heap: &mut Heap, other: &Heap, foreign: Cell, model: &mut Model, op: &Op) {
    let nth = |heap: &Heap, n: usize| {
        let objects = objects(heap);
        (!objects.is_empty()).then(|| objects[n % objects.len()])
    };
    let before = objects(heap);
    let mut hosts = Vec::new();
    match *op {
        Op::Site(site) => {
            model.site = site;
            heap.set_site(site);
        }
        Op::Pair => _ = heap.alloc(Pair::of(1.into(), 2.into())).unwrap(),
        Op::List(len) => _ = heap.alloc(List::zeroed(len)).unwrap(),
        Op::Floats(len) => _ = heap.alloc(F64Arr::zeroed(len)).unwrap(),
        Op::Text(len) => _ = heap.string(&"x".repeat(len)).unwrap(),
        Op::Intern(len) => _ = heap.intern(&"s".repeat(len)).unwrap(),
        Op::Integer(bits) => _ = heap.pow(2.into(), bits.into()).unwrap(),
        Op::Split(parts) => {
            let text = heap.string(&"a long part,".repeat(parts)).unwrap();
            heap.text_split(text, Cell::short_str(",").unwrap()).unwrap();
        }
        Op::Transplant => _ = heap.transplant(other, foreign).unwrap(),
        Op::Host => hosts.push(heap.host(7_u64).unwrap()),
        // A symbol is freed by a collection only.
        Op::Free(n) => _ = nth(heap, n).map(|cell| heap.free(cell)),
        Op::Push(n) => {
            let lists: Vec<_> = heap.objects::<List>().collect();
            if !lists.is_empty() {
                heap.get_mut(lists[n % lists.len()]).unwrap().push(Cell::TRUE).unwrap();
            }
        }
        Op::Open => model.regions.push(heap.open_region().unwrap()),
        Op::Close => {
            if let Some(region) = model.regions.pop() {
                heap.close_region(region, [Cell::NULL]).unwrap();
            }
        }
        Op::Collect(n) => {
            let root = nth(heap, n).unwrap_or(Cell::NULL);
            if n % 3 == 0 {
                heap.collect_young([root]).unwrap();
            } else {
                heap.collect([root]).unwrap();
            }
        }
        Op::Clear => heap.clear(),
    }
    model.note(heap, &before, &hosts);
}

/// A graph of another heap: a list of a text, a symbol and a record.
fn foreign() -> (Heap, Cell) {
    let mut other = heap(9);
    let text = other.string("a text of another heap").unwrap();
    let symbol = other.intern("a symbol of another heap").unwrap();
    let record = other.alloc(Struct::of(1, &[text, symbol])).unwrap().cell();
    let list = other.alloc(List::of(&[text, symbol, record])).unwrap().cell();
    (other, list)
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn each_object_counts_once(
        seed in any::<u64>(),
        early in prop::collection::vec(op(), 0..10),
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let (other, root) = foreign();
        let mut heap = heap(seed);
        let mut model = Model { site: 0, objects: Vec::new(), regions: Vec::new() };
        for op in &early {
            run(&mut heap, &other, root, &mut model, op);
        }
        // Objects of before the profile are in no row.
        model.objects.clear();
        heap.start_profile().unwrap();
        for op in &ops {
            run(&mut heap, &other, root, &mut model, op);
            heap.verify().unwrap();
        }
        let profile = heap.allocation_profile();
        assert_eq!(profile.lost(), 0);
        let rows = profile.sites().to_vec();
        assert_eq!(sorted(&rows), model.counts(&heap));
        heap.stop_profile();
        heap.verify().unwrap();
        assert!(heap.allocation_profile().sites().is_empty());
    }

    /// Programs whose memory is refused: what they do is what they do without a profile, as
    /// far as they get.
    #[test]
    fn a_profile_makes_no_operation_fail(seed in any::<u64>(), program in programs(80)) {
        let mut machine = Machine::new(seed);
        if machine.heap.start_profile().is_err() {
            return Ok(());
        }
        for step in &program {
            let call = machine.resolve(step);
            let _ = machine.run(&call);
        }
        machine.heap.verify().unwrap();
    }

    #[test]
    fn what_is_not_counted_is_lost(room in 0..20_000_usize, sites in 1..300_u32) {
        let mut heap = heap(1);
        heap.start_profile().unwrap();
        let used = usize::try_from(heap.usage().total_bytes).unwrap();
        heap.set_limits(Limits::NONE.with_bytes(used + 70_000 + room));
        let mut objects = 0;
        for n in 0..3_000_u32 {
            heap.set_site(n % sites);
            match heap.alloc(Pair::of(1.into(), 2.into())) {
                Ok(_) => objects += 1,
                Err(error) => assert_eq!(error, segheap::Error::Limit(segheap::Resource::Bytes)),
            }
        }
        let profile = heap.allocation_profile();
        let counted: u64 = profile.sites().iter().map(|row| row.allocated.objects).sum();
        let live: u64 = profile.sites().iter().map(|row| row.live.objects).sum();
        assert_eq!((counted + profile.lost(), counted), (objects, live));
        heap.verify().unwrap();
    }
}

#[test]
fn growth_that_fails_loses_counts_and_no_object() {
    let mut heap = heap(1);
    heap.start_profile().unwrap();
    let lists: Vec<_> = (0..9).map(|_| heap.alloc(List::zeroed(1)).unwrap()).collect();
    lists.into_iter().for_each(|list| heap.free(list).unwrap());
    heap.set_site(1);
    // Slots and blocks are there; a row of its own is not.
    heap.fail_growth_after(Some(0));
    for _ in 0..8 {
        heap.alloc(List::zeroed(1)).unwrap();
    }
    heap.fail_growth_after(None);
    let profile = heap.allocation_profile();
    let counted: u64 = profile.sites().iter().map(|row| row.allocated.objects).sum();
    assert_eq!((counted, profile.lost()), (9, 8));
    // They lie in the slots of the others, which are freed.
    let live: u64 = profile.sites().iter().map(|row| row.live.objects).sum();
    assert_eq!(live, 0);
    heap.verify().unwrap();
}

#[test]
fn memory_of_a_profile_counts_and_is_given_back() {
    let mut heap = heap(1);
    heap.alloc(Map::new()).unwrap();
    let before = heap.usage().total_bytes;
    heap.start_profile().unwrap();
    for n in 0..40 {
        heap.set_site(n);
        heap.alloc(List::zeroed(1)).unwrap();
    }
    let with = heap.usage().total_bytes;
    heap.stop_profile();
    let without = heap.usage().total_bytes;
    assert!(with > without + 1_000 && without > before, "{before} {with} {without}");
    heap.verify().unwrap();
    heap.set_limits(Limits::NONE.with_bytes(usize::try_from(without).unwrap()));
    assert_eq!(heap.start_profile(), Err(segheap::Error::Limit(segheap::Resource::Bytes)));
    heap.verify().unwrap();
}

#[test]
fn a_profile_is_shown_as_table_stacks_and_pprof() {
    let mut heap = heap(1);
    heap.start_profile().unwrap();
    heap.set_site(300);
    let list = heap.alloc(List::zeroed(6)).unwrap();
    heap.alloc(Pair::of(1.into(), 2.into())).unwrap();
    heap.set_site(2);
    heap.alloc(List::zeroed(2)).unwrap();
    heap.free(list).unwrap();
    let name = |site: u32, out: &mut dyn std::fmt::Write| match site {
        300 => out.write_str("main;inner"),
        site => write!(out, "line {site}"),
    };
    let profile = heap.allocation_profile();
    assert_eq!(
        profile.folded(name, |row| row.allocated.bytes).to_string(),
        "main;inner;List 64\nmain;inner;Pair 32\nline 2;List 32\n"
    );
    assert_eq!(
        profile.folded(name, |row| row.live.objects).to_string(),
        "main;inner;Pair 1\nline 2;List 1\n"
    );
    let samples = protobuf::samples(&profile.pprof(name).unwrap());
    let frames = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        samples,
        [
            (frames(&["List", "inner", "main"]), vec![1, 64, 0, 0]),
            (frames(&["Pair", "inner", "main"]), vec![1, 32, 1, 32]),
            (frames(&["List", "line 2"]), vec![1, 32, 1, 32]),
        ]
    );
    let table = profile.to_string();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = table.lines().map(words).collect();
    assert_eq!(lines[1], ["300", "List", "1", "64", "0", "0"]);
    assert_eq!(lines.len(), 4);
    let failing = profile.pprof(|_, _| Err(std::fmt::Error));
    assert_eq!(failing, Err(segheap::Error::OutOfMemory));
}

/// A fork has no profile, and one that begins anew forgets.
#[test]
fn a_new_profile_is_empty() {
    let mut heap = heap(1);
    heap.start_profile().unwrap();
    heap.alloc(List::zeroed(6)).unwrap();
    let mut fork = heap.try_clone().unwrap();
    assert!(fork.allocation_profile().sites().is_empty());
    heap.start_profile().unwrap();
    assert!(heap.allocation_profile().sites().is_empty());
    heap.verify().unwrap();
    fork.verify().unwrap();
}

/// Numbers around powers of 128, of which each takes one byte more.
#[test]
fn numbers_in_pprof_have_any_size() {
    let mut heap = heap(1);
    heap.start_profile().unwrap();
    for bytes in [99, 111, 112, 113, 200, 239, 240, 300, 16_368, 16_384, 1 << 21] {
        heap.set_site(bytes);
        heap.alloc(Bytes::zeroed(bytes as usize)).unwrap();
        let profile = heap.allocation_profile();
        let row = profile.sites().iter().find(|row| row.site == bytes).unwrap();
        let expected = [1, row.allocated.bytes, 1, row.live.bytes];
        let pprof = profile.pprof(|site, out| write!(out, "{site}")).unwrap();
        let samples = protobuf::samples(&pprof);
        assert!(samples.iter().any(|sample| sample.1 == expected), "{bytes}");
    }
}
