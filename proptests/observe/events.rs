//! Events: they agree with the statistics, and with the sizes of memories; the oldest are lost.

use std::collections::BTreeMap;

use proptest::prelude::*;
use segheap::{
    Bytes, Cell, Collection, Error, Event, EventKind, Heap, Kind, Limits, List, Pair, Policy,
    Resource,
};

use crate::machine::Machine;
use crate::support::{config, heap, programs};

fn kinds(heap: &mut Heap) -> Vec<EventKind> {
    heap.drain_events().map(|event| event.kind).collect()
}

/// The pages of each arena.
fn pages(heap: &Heap) -> BTreeMap<String, u64> {
    let usage = heap.usage();
    let arenas = usage.arenas().iter().chain([&usage.hosts, &usage.seals]);
    arenas.map(|arena| (arena.kind.to_string(), arena.pages)).collect()
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn events_agree_with_the_heap(seed in any::<u64>(), program in programs(100)) {
        let mut machine = Machine::new(seed);
        machine.heap.record_events(100_000).unwrap();
        let (mut sizes, before) = (pages(&machine.heap), machine.heap.collector_stats());
        for step in &program {
            let call = machine.resolve(step);
            // A row that records events would end this recording.
            if !call.op.name.ends_with("_events") {
                let _ = machine.run(&call);
            }
        }
        let (mut ended, mut freed, mut work, mut open) = ([0; 3], 0, 0, None);
        for event in machine.heap.drain_events() {
            match event.kind {
                EventKind::CollectionBegin { collection } => {
                    assert_eq!(open.replace(collection), None);
                }
                EventKind::CollectionEnd { collection, freed: objects, work: bytes, .. } => {
                    assert_eq!(open.take(), Some(collection));
                    ended[collection as usize] += 1;
                    freed += objects;
                    work += bytes;
                }
                EventKind::MemoryGrow { arena, from, to } => {
                    assert!(from < to, "{event:?}");
                    assert_eq!(sizes.insert(arena.to_string(), to), Some(from));
                }
                EventKind::MemoryShrink { arena, from, to } => {
                    assert!(from > to, "{event:?}");
                    assert_eq!(sizes.insert(arena.to_string(), to), Some(from));
                }
                EventKind::Compaction { arena, from, to } => {
                    assert!(from >= to, "{event:?}");
                    assert_eq!(sizes.insert(arena.to_string(), to), Some(from));
                }
                _ => {}
            }
        }
        assert_eq!(open, None);
        let after = machine.heap.collector_stats();
        let [whole, young, _] = ended;
        assert_eq!(whole, after.collections - before.collections);
        assert_eq!(young, after.young - before.young);
        assert_eq!((freed, work), (after.freed - before.freed, after.work - before.work));
        assert_eq!(machine.heap.events_lost(), 0);
        assert_eq!(pages(&machine.heap), sizes);
        machine.heap.verify().unwrap();
    }

    /// A short ring has the end of what a long one has.
    #[test]
    fn the_newest_events_stay(len in 1..20_usize, pauses in prop::collection::vec(0..3_usize, 0..12)) {
        let record = |len: usize| {
            let mut heap = heap(1);
            heap.record_events(len).unwrap();
            for &pause in &pauses {
                match pause {
                    0 => _ = heap.collect([Cell::NULL]).unwrap(),
                    1 => _ = heap.collect_young([Cell::NULL]).unwrap(),
                    _ => _ = heap.step([Cell::NULL], 1).unwrap(),
                }
            }
            let lost = heap.events_lost();
            let kinds = kinds(&mut heap);
            // Drained, it is a ring like a new one.
            heap.collect([Cell::NULL]).unwrap();
            assert_eq!(heap.drain_events().count(), len.min(2));
            heap.verify().unwrap();
            (lost, kinds)
        };
        let (lost, newest) = record(len);
        let (none, all) = record(1_000);
        assert_eq!(none, 0);
        let begun = all.iter().filter(|kind| matches!(kind, EventKind::CollectionBegin { .. }));
        let ended = all.iter().filter(|kind| matches!(kind, EventKind::CollectionEnd { .. }));
        assert_eq!((begun.count(), ended.count()), (pauses.len(), pauses.len()));
        assert_eq!(lost as usize, all.len().saturating_sub(len));
        assert_eq!(newest, all[all.len().saturating_sub(len)..]);
    }
}

#[test]
fn limits_that_are_near_or_met_are_events() {
    let mut heap = heap(1);
    heap.record_events(64).unwrap();
    heap.set_limits(Limits::NONE.with_bytes(4 << 20));
    let refused = loop {
        if let Err(error) = heap.alloc(Bytes::zeroed(100_000)) {
            break error;
        }
    };
    assert_eq!(refused, Error::Limit(Resource::Bytes));
    let kinds = kinds(&mut heap);
    let near = EventKind::NearLimit { resource: Resource::Bytes };
    let met = EventKind::Refusal { resource: Resource::Bytes };
    assert_eq!(kinds.iter().filter(|kind| **kind == near).count(), 1);
    assert_eq!(kinds.last(), Some(&met));
    assert!(matches!(kinds[0], EventKind::MemoryGrow { arena: Kind::BYTES, from: 0, .. }));
    heap.set_limits(Limits::NONE.with_slots(64));
    while heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).is_ok() {}
    let slots = Resource::Slots(Kind::PAIR);
    let of_pairs = kinds_of(&mut heap, slots);
    assert_eq!(of_pairs.last(), Some(&EventKind::Refusal { resource: slots }));
}

fn kinds_of(heap: &mut Heap, of: Resource) -> Vec<EventKind> {
    let is_of = |kind: &EventKind| matches!(kind, EventKind::NearLimit { resource } | EventKind::Refusal { resource } if *resource == of);
    kinds(heap).into_iter().filter(is_of).collect()
}

#[test]
fn memory_of_events_counts_and_is_given_back() {
    let mut heap = heap(1);
    assert_eq!(heap.usage().total_bytes, 0);
    heap.record_events(1_000).unwrap();
    let bytes = heap.usage().total_bytes;
    assert!(bytes >= 1_000 * size_of::<Event>() as u64 && bytes < 100_000, "{bytes}");
    heap.record_events(10).unwrap();
    assert!(heap.usage().total_bytes < bytes / 10);
    heap.record_events(0).unwrap();
    assert_eq!(heap.usage().total_bytes, 0);
    heap.collect([Cell::NULL]).unwrap();
    assert_eq!(heap.drain_events().count(), 0);
    for failing in 0..2 {
        heap.fail_growth_after(Some(failing));
        assert_eq!(heap.record_events(10), Err(Error::OutOfMemory));
        assert_eq!(heap.usage().total_bytes, 0);
    }
    heap.fail_growth_after(None);
    heap.verify().unwrap();
}

#[test]
fn steps_and_the_clock() {
    let mut heap = heap(1);
    heap.set_policy(Policy::DEFAULT);
    let list = heap.alloc(List::of(&[])).unwrap();
    heap.record_events(100).unwrap();
    while !heap.step([list], 8).unwrap().finished {}
    let events: Vec<Event> = heap.drain_events().collect();
    assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert!(events.iter().any(|event| {
        matches!(event.kind, EventKind::CollectionEnd { collection: Collection::Step, .. })
    }));
}

/// What an operation that fails has grown by is given back, and the events say so.
#[test]
fn growth_that_is_undone_is_an_event() {
    let mut source = heap(1);
    let pair = source.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap();
    let text = source.alloc(Bytes::zeroed(100)).unwrap();
    let root = source.alloc(List::of(&[pair.into(), text.into()])).unwrap();
    let mut shrunk = 0;
    for failing in 0.. {
        let mut heap = heap(2);
        heap.record_events(100).unwrap();
        let mut sizes = pages(&heap);
        heap.fail_growth_after(Some(failing));
        let done = heap.transplant(&source, root.into()).is_ok();
        for event in heap.drain_events() {
            let (EventKind::MemoryGrow { arena, from, to }
            | EventKind::MemoryShrink { arena, from, to }) = event.kind
            else {
                continue;
            };
            shrunk += u64::from(to < from);
            assert_eq!(sizes.insert(arena.to_string(), to), Some(from));
        }
        assert_eq!(pages(&heap), sizes, "{failing}");
        if done {
            break;
        }
    }
    assert!(shrunk > 0);
}
