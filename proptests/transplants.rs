//! Transplants of several roots, of graphs with host objects: the copies are one graph of the
//! same form, each host object has a value that the hook made, and a transplant that fails, or
//! whose hook panics, leaves nothing behind.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use segheap::{Cell, Error, Heap, HostCopy, Kind, Limits, List, Map, Struct};

use crate::machine::host;
use crate::support::{config, heap};

/// The numbers of the values that were dropped.
type Dropped = Arc<Mutex<Vec<u32>>>;

/// A value that records when it is dropped, unless it is one of the source.
struct Value {
    number: u32,
    dropped: Option<Dropped>,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.dropped.iter().for_each(|dropped| dropped.lock().unwrap().push(self.number));
    }
}

/// An object of the source: its kind, and what it refers to.
type Node = (u8, Vec<u16>);

/// What goes wrong, at a call of the hook.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Nothing,
    Fails(usize),
    Panics(usize),
    /// Returns without a value.
    Forgets(usize),
    /// Gives each copy two values.
    Twice,
    /// Growths fail after so many.
    Growths(u64),
    /// So many bytes are left.
    Bytes(usize),
}

fn plan() -> impl Strategy<Value = Plan> {
    prop_oneof![
        3 => Just(Plan::Nothing),
        2 => (0_usize..8).prop_map(Plan::Fails),
        2 => (0_usize..8).prop_map(Plan::Panics),
        1 => (0_usize..8).prop_map(Plan::Forgets),
        1 => Just(Plan::Twice),
        2 => (0_u64..8).prop_map(Plan::Growths),
        2 => (0_usize..20_000).prop_map(Plan::Bytes),
    ]
}

/// The error of a hook.
#[derive(Debug, PartialEq)]
enum Failure {
    OfHook,
    OfHeap(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::OfHeap(error)
    }
}

/// Builds a graph, whose objects may refer to each other in cycles.
fn build(there: &mut Heap, nodes: &[Node]) -> Vec<Cell> {
    let objects: Vec<Cell> = nodes
        .iter()
        .zip(0_u32..)
        .map(|((kind, _), number)| match kind % 7 {
            0 | 1 => there.host(Value { number, dropped: None }).unwrap(),
            2 => there.alloc(Map::new()).unwrap().into(),
            3 => there.alloc(Struct::new(number, 0)).unwrap().into(),
            4 => there.string(&format!("a text, {number}")).unwrap(),
            5 => there.intern(&format!("a symbol, {}", number % 3)).unwrap(),
            _ => there.alloc(List::new()).unwrap().into(),
        })
        .collect();
    for ((_, edges), &object) in nodes.iter().zip(&objects) {
        for (n, &edge) in edges.iter().enumerate() {
            let to = objects[usize::from(edge) % objects.len()];
            match object.kind() {
                Some(Kind::LIST) => there.get_mut::<List>(object).unwrap().push(to).unwrap(),
                Some(Kind::STRUCT) => {
                    let mut record = there.get_mut::<Struct>(object).unwrap();
                    record.push_field(to, n as u32).unwrap();
                }
                Some(Kind::MAP) => drop(there.map_insert(object, to, (n as i32).into()).unwrap()),
                kind if kind == Some(host()) => there.set_host_bytes(object, n * 10).unwrap(),
                _ => {}
            }
        }
    }
    objects
}

/// The cells of an object that may have some; of a map, keys and values.
fn cells(heap: &Heap, object: Cell) -> Vec<Cell> {
    match object.kind() {
        Some(Kind::LIST) => heap.get::<List>(object).unwrap().as_slice().to_vec(),
        Some(Kind::STRUCT) => heap.get::<Struct>(object).unwrap().as_slice().to_vec(),
        Some(Kind::MAP) => {
            heap.get::<Map>(object).unwrap().iter().flat_map(|(key, value)| [key, value]).collect()
        }
        _ => Vec::new(),
    }
}

/// Asserts that cells reach graphs of the same form; returns the copy of each object.
fn same_form(there: &Heap, sources: &[Cell], here: &Heap, copies: &[Cell]) -> HashMap<Cell, Cell> {
    let mut copy_of = HashMap::new();
    let mut work: Vec<(Cell, Cell)> = sources.iter().copied().zip(copies.iter().copied()).collect();
    while let Some((source, copy)) = work.pop() {
        assert_eq!(source.kind(), copy.kind());
        if source.kind().is_none() {
            assert_eq!(source, copy);
            continue;
        }
        if let Some(&other) = copy_of.get(&source) {
            assert_eq!(other, copy, "one object has two copies");
            continue;
        }
        copy_of.insert(source, copy);
        if let Ok(value) = there.host_ref::<Value>(source) {
            assert_eq!(here.host_ref::<Value>(copy).unwrap().number, value.number);
        }
        if source.kind() == Some(Kind::STR) {
            assert!(here.text(copy).unwrap() == there.text(source).unwrap());
            assert_eq!(here.is_symbol(copy), there.is_symbol(source));
        }
        if let Ok(record) = there.get::<Struct>(source) {
            assert_eq!(here.get::<Struct>(copy).unwrap().shape(), record.shape());
        }
        let (sources, copies) = (cells(there, source), cells(here, copy));
        assert_eq!(sources.len(), copies.len());
        work.extend(sources.into_iter().zip(copies));
    }
    let distinct: HashSet<Cell> = copy_of.values().copied().collect();
    assert_eq!(distinct.len(), copy_of.len(), "two objects have one copy");
    copy_of
}

/// What a transplant that fails may not change.
fn observe(heap: &mut Heap) -> (u64, String, u32) {
    heap.verify().unwrap();
    let usage = heap.usage();
    (usage.total_bytes - usage.scratch_bytes, heap.dump().to_string(), usage.hosts.live)
}

/// Makes the values of copies, and keeps what it was asked.
struct Hook {
    plan: Plan,
    asked: Vec<u32>,
    made: Vec<u32>,
    dropped: Dropped,
}

impl Hook {
    fn call(&mut self, object: &mut HostCopy<'_>) -> Result<(), Failure> {
        let (call, number) = (self.asked.len(), object.get::<Value>()?.number);
        assert_eq!(object.get::<u32>().err(), Some(Error::WrongHostType));
        self.asked.push(number);
        match self.plan {
            Plan::Fails(at) if at == call => return Err(Failure::OfHook),
            Plan::Panics(at) if at == call => panic!("a hook that panics"),
            Plan::Forgets(at) if at == call => return Ok(()),
            Plan::Twice => self.put(object, 1_000 + number)?,
            _ => {}
        }
        self.put(object, number)
    }

    fn put(&mut self, object: &mut HostCopy<'_>, number: u32) -> Result<(), Failure> {
        self.made.push(number);
        Ok(object.put(Value { number, dropped: Some(self.dropped.clone()) })?)
    }
}

/// A heap with objects of its own, some of them freed.
fn target(seed: u64) -> Heap {
    let mut here = heap(seed);
    let mut made = Vec::new();
    for number in 0..20 {
        made.push(here.host(Value { number: 500 + number, dropped: None }).unwrap());
        let cells = vec![Cell::from(number); 1 + number as usize];
        made.push(here.alloc(List::of(&cells)).unwrap().into());
    }
    made.iter().step_by(3).for_each(|&object| here.free(object).unwrap());
    here.intern("a symbol, 1").unwrap();
    here
}

/// Transplants some of the objects.
fn run(nodes: &[Node], roots: &[u16], plan: Plan, seed: u64) {
    let (mut there, mut here) = (heap(!seed), target(seed));
    let objects = build(&mut there, nodes);
    let mut roots: Vec<Cell> =
        roots.iter().map(|&root| objects[usize::from(root) % objects.len()]).collect();
    roots.push(7.into());
    let dropped = Dropped::default();
    let mut hook = Hook { plan, asked: vec![], made: vec![], dropped: dropped.clone() };
    let region = here.open_region().unwrap();
    let (before, source) = (observe(&mut here), observe(&mut there));
    match plan {
        Plan::Growths(growths) => here.fail_growth_after(Some(growths)),
        Plan::Bytes(bytes) => {
            let bytes = here.usage().total_bytes as usize + bytes;
            here.set_limits(Limits::NONE.with_bytes(bytes));
        }
        _ => {}
    }
    let mut copies = roots.clone();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        here.transplant_with(&there, &mut copies, |object| hook.call(object))
    }));
    here.fail_growth_after(None);
    here.set_limits(Limits::NONE);
    assert_eq!(observe(&mut there), source);
    let Hook { asked, mut made, .. } = hook;
    assert_eq!(asked.iter().collect::<HashSet<_>>().len(), asked.len(), "asked twice");
    made.sort_unstable();
    if !matches!(outcome, Ok(Ok(()))) {
        assert_eq!((&copies, observe(&mut here)), (&roots, before));
        let mut dropped = dropped.lock().unwrap().clone();
        dropped.sort_unstable();
        assert_eq!(dropped, made);
    }
    match (outcome, plan) {
        (Ok(Ok(())), _) => {
            let copy_of = same_form(&there, &roots, &here, &copies);
            let hosts = copy_of.keys().filter(|source| source.kind() == Some(host()));
            assert_eq!(hosts.count(), asked.len());
            let bytes: u64 = copy_of.keys().map(|&of| bytes_of(&there, of)).sum();
            assert_eq!(copy_of.values().map(|&copy| bytes_of(&here, copy)).sum::<u64>(), bytes);
            here.verify().unwrap();
            // All but symbols are in the region.
            for &copy in copy_of.values() {
                assert_eq!(here.allocated_in(&region, copy), Ok(!here.is_symbol(copy)));
            }
            here.close_region(region, [Cell::NULL]).unwrap();
            here.verify().unwrap();
            let mut dropped = dropped.lock().unwrap().clone();
            dropped.sort_unstable();
            assert_eq!(dropped, made, "values are dropped with their objects");
        }
        (Ok(Err(error)), Plan::Fails(at)) => {
            assert_eq!((error, asked.len()), (Failure::OfHook, at + 1));
        }
        (Ok(Err(error)), Plan::Forgets(at)) => {
            assert_eq!((error, asked.len()), (Failure::OfHeap(Error::NoHostCopy), at + 1));
        }
        (Ok(Err(error)), Plan::Growths(_)) => {
            assert!(matches!(error, Failure::OfHeap(Error::OutOfMemory | Error::Limit(_))));
        }
        (Ok(Err(error)), Plan::Bytes(_)) => {
            assert!(matches!(error, Failure::OfHeap(Error::Limit(_))), "{error:?}");
        }
        (Err(_), Plan::Panics(at)) => assert_eq!(asked.len(), at + 1),
        (outcome, plan) => panic!("{plan:?}: {:?}", outcome.map_err(drop)),
    }
}

/// The bytes of a value, with those that were declared.
fn bytes_of(heap: &Heap, object: Cell) -> u64 {
    if object.kind() == Some(host()) { heap.shallow_size(object).unwrap() } else { 0 }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn agree_with_the_graph(
        nodes in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u16>(), 0..6)), 1..40),
        roots in prop::collection::vec(any::<u16>(), 1..5),
        plan in plan(),
        seed: u64,
    ) {
        run(&nodes, &roots, plan, seed);
    }
}

/// Cells that refer to nothing, and stale or sealed ones among others.
#[test]
fn roots_that_cannot_be_copied() {
    let (mut there, mut here) = (heap(1), heap(2));
    let list = there.alloc(List::of(&[1.into()])).unwrap().cell();
    let stale = there.alloc(List::new()).unwrap().cell();
    there.free(stale).unwrap();
    let key = there.new_seal_key().unwrap();
    let sealed = there.seal(list, &key).unwrap();
    let host = there.host(7_u32).unwrap();
    let cases = [
        (stale, Error::Stale { kind: Kind::LIST }),
        (sealed, Error::Sealed),
        (host, Error::NoHostCopy),
    ];
    for (cell, error) in cases {
        for place in 0..3 {
            let mut cells = [list; 3];
            cells[place] = cell;
            let before = (cells, observe(&mut here));
            assert_eq!(here.transplant_all(&there, &mut cells), Err(error));
            assert_eq!((cells, observe(&mut here)), before);
        }
    }
    let mut none = [];
    here.transplant_all(&there, &mut none).unwrap();
    let mut cells = [Cell::NULL, list, 2.5.into(), list];
    here.transplant_all(&there, &mut cells).unwrap();
    assert_eq!((cells[0], cells[2]), (Cell::NULL, 2.5.into()));
    assert!(cells[1] == cells[3] && here.display(cells[1]).to_string() == "[1]");
}

/// The bytes that are declared for a value count for its copy, unless the hook says otherwise.
#[test]
fn declared_bytes_are_copied() {
    let (mut there, mut here) = (heap(1), heap(2));
    let host = there.host([0_u8; 100]).unwrap();
    there.set_host_bytes(host, 1_000).unwrap();
    let copied = |object: &mut HostCopy<'_>| object.put(*object.get::<[u8; 100]>()?);
    here.transplant_with(&there, &mut [host], copied).unwrap();
    assert_eq!(here.usage().host_bytes, 1_100);
    here.transplant_with::<Error>(&there, &mut [host], |object| {
        object.set_host_bytes(10);
        copied(object)
    })
    .unwrap();
    assert_eq!(here.usage().host_bytes, 1_210);
    here.verify().unwrap();
    // They are within the limit, and make a collection due.
    let bytes = here.usage().total_bytes as usize + 1_000;
    here.set_limits(Limits::NONE.with_bytes(bytes));
    assert!(matches!(here.transplant_with(&there, &mut [host], copied), Err(Error::Limit(_))));
    assert_eq!(here.usage().host_bytes, 1_210);
    here.set_limits(Limits::NONE);
    let bytes = here.policy().bytes_min as usize;
    there.set_host_bytes(host, bytes).unwrap();
    here.transplant_with(&there, &mut [host], copied).unwrap();
    assert!(here.should_collect());
}

/// Values of a transplant that fails, of which the drops of some panic.
#[cfg(feature = "std")]
#[test]
fn a_panic_of_a_drop_loses_nothing() {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static DROPS: AtomicU32 = AtomicU32::new(0);
    struct Panics(bool);
    impl Drop for Panics {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Relaxed);
            assert!(!self.0, "a drop that panics");
        }
    }
    let (mut there, mut here) =
        (Heap::with(segheap::Settings::seeded(1)), Heap::with(segheap::Settings::seeded(2)));
    let hosts: Vec<Cell> = (0..5_u32).map(|n| there.host(n).unwrap()).collect();
    for hook_panics in [false, true] {
        let before = observe(&mut here);
        DROPS.store(0, Relaxed);
        let mut cells = hosts.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            here.transplant_with(&there, &mut cells, |object| {
                let number = *object.get::<u32>()?;
                object.put(Panics(number % 2 == 0))?;
                assert!(!hook_panics || number < 4, "a hook that panics");
                if number == 4 { Err(Error::NotText) } else { Ok(()) }
            })
        }));
        let panic = outcome.unwrap_err();
        let message = panic.downcast_ref::<&str>().copied();
        let expected = ["a drop that panics", "a hook that panics"][usize::from(hook_panics)];
        assert_eq!(message, Some(expected));
        assert_eq!((DROPS.load(Relaxed), cells), (5, hosts.clone()));
        assert_eq!(observe(&mut here), before);
    }
}
