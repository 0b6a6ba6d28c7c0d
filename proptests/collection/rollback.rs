//! Operations that fail for lack of memory change nothing.

use segheap::{Bytes, Cell, Error, Heap, HostCopy, Kind, Limits, List, Map, Pair, Policy, abi};

use super::{NONE, chain, heap, limited, pair};

/// The state that a failed operation must not change: memory usage, and the handles
/// of the next allocations.
fn observe(heap: &mut Heap) -> (Vec<u64>, u64) {
    let used = heap.usage().total_bytes - heap.usage().scratch_bytes;
    heap.verify().unwrap();
    heap.fail_growth_after(None);
    heap.set_limits(Limits::NONE);
    let next = (0..40)
        .flat_map(|_| {
            let pair = heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell();
            let list = heap.alloc(List::zeroed(3)).unwrap().cell();
            let map = heap.alloc(Map::with_capacity(2)).unwrap().cell();
            [abi::bits(pair), abi::bits(list), abi::bits(map)]
        })
        .collect();
    (next, used)
}

#[test]
fn a_failed_operation_changes_nothing() {
    let mut source = heap();
    let inner = chain(&mut source, 40);
    let map = source.alloc(Map::new()).unwrap();
    for n in 0..20 {
        source.get_mut(map).unwrap().insert(n.into(), inner).unwrap();
    }
    let root = map.cell();
    let build = || {
        let mut heap = heap();
        let cells: Vec<Cell> = (0..30).map(|_| pair(&mut heap)).collect();
        let region = heap.open_region().unwrap();
        cells[3..20].iter().for_each(|&cell| heap.free(cell).unwrap());
        (heap, cells[25], region)
    };
    type Operation<'o> = &'o dyn Fn(&mut Heap, Cell) -> Result<(), Error>;
    // A graph of its own, with host objects.
    let host = source.host(7_u32).unwrap();
    source.set_host_bytes(host, 3_000).unwrap();
    let hosts: Vec<Cell> = (0..90).map(|n: u32| source.host(n).unwrap()).collect();
    let graph = source.alloc(List::of(&hosts)).unwrap().cell();
    let operations: [Operation<'_>; 10] = [
        &|heap, cell| heap.pin(cell),
        &|heap, cell| heap.watch(cell, 1),
        &|heap, cell| {
            let key = heap.new_seal_key()?;
            heap.seal(cell, &key).map(drop)
        },
        &|heap, _| heap.open_region().map(drop),
        &|heap, _| heap.alloc(List::zeroed(20_000)).map(drop),
        &|heap, _| heap.alloc(Bytes::zeroed(20_000)).map(drop),
        // The memory is replaced by a larger one.
        &|heap, _| heap.alloc(List::zeroed(400_000)).map(drop),
        &|heap, _| heap.transplant(&source, root).map(drop),
        &|heap, _| heap.transplant_all(&source, &mut [root, inner, root]),
        &|heap, _| {
            let copy = |object: &mut HostCopy<'_>| object.put(*object.get::<u32>()?);
            heap.transplant_with(&source, &mut [inner, graph, host], copy)
        },
    ];
    let slots = |heap: &Heap| Kind::ALL.map(|kind| abi::slots(heap, kind).unwrap().to_vec());
    let expected = {
        let (mut heap, ..) = build();
        (slots(&heap), observe(&mut heap))
    };
    for (n, operation) in operations.iter().enumerate() {
        let mut failures = 0;
        for limit in 0..200_u64 {
            let (mut heap, cell, _region) = build();
            if limit < 40 {
                heap.fail_growth_after(Some(limit));
            } else {
                let used = heap.usage().total_bytes as usize;
                let bytes = used + (limit as usize - 40) * 4001;
                heap.set_limits(Limits::NONE.with_bytes(bytes));
            }
            if operation(&mut heap, cell).is_err() {
                failures += 1;
                assert_eq!(
                    (slots(&heap), observe(&mut heap)),
                    expected,
                    "operation {n}, limit {limit}"
                );
            }
        }
        assert!(failures > 0, "operation {n}");
    }
}

#[test]
fn a_transplant_observes_the_limit_on_bytes() {
    let mut source = heap();
    let head = chain(&mut source, 5_000);
    for kib in (64..3000).step_by(37) {
        let mut heap = limited(Limits::NONE.with_bytes(kib << 10));
        let copied = heap.transplant(&source, head);
        let usage = heap.usage();
        assert!(usage.total_bytes <= (kib as u64) << 10);
        assert!(copied.is_ok() || usage.total_bytes == usage.scratch_bytes, "{usage:?}");
        heap.verify().unwrap();
    }
}

/// A graph may refer to a slot by a live and by a stale handle.
#[test]
fn a_stale_handle_beside_a_live_one_in_its_slot() {
    let mut source = heap();
    let stale = pair(&mut source);
    source.free(stale).unwrap();
    let live = pair(&mut source);
    for cells in [[live, stale], [stale, live]] {
        let list = source.alloc(List::of(&cells)).unwrap().cell();
        let map = source.alloc(Map::new()).unwrap();
        source.get_mut(map).unwrap().insert(live, list).unwrap();
        for root in [list, map.cell()] {
            let mut heap = heap();
            let copied = heap.transplant(&source, root);
            assert_eq!(copied, Err(Error::Stale { kind: Kind::PAIR }));
            assert_eq!(heap.usage().live(), 0);
            heap.verify().unwrap();
        }
    }
}

/// The allocations of a failed transplant do not count towards the next collection.
#[test]
fn a_failed_transplant_is_not_counted() {
    let mut source = heap();
    let head = chain(&mut source, 2_000);
    let mut failures = 0;
    loop {
        let mut heap = heap();
        heap.set_policy(Policy::DEFAULT.with_stress(1).with_bytes_min(1));
        heap.fail_growth_after(Some(failures));
        let copied = heap.transplant(&source, head);
        assert_eq!(heap.should_collect(), copied.is_ok(), "growth {failures}");
        if copied.is_ok() {
            break;
        }
        failures += 1;
    }
    assert!(failures > 4);
}

/// A failed transplant may leave scratch memory; a collection releases it.
#[test]
fn a_collection_releases_scratch_memory() {
    let mut source = heap();
    let head = chain(&mut source, 20_000);
    let mut heap = limited(Limits::NONE.with_bytes(1 << 20));
    assert!(heap.transplant(&source, head).is_err());
    if heap.alloc(Bytes::zeroed(600_000)).is_err() {
        heap.collect(NONE).unwrap();
        heap.alloc(Bytes::zeroed(600_000)).unwrap();
    }
}
