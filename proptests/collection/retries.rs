//! Operations that run once more after a collection: never a third time, and not in vain.

use std::cell::Cell as Counter;

use proptest::prelude::*;
use segheap::{Bytes, Cell, Error, Heap, I64Arr, Limits, List, Resource};

use super::{NONE, heap, limited};
use crate::support::config;

const LIMIT: usize = 1 << 20;

/// Allocates bytes, with garbage of the same size before it if `wasteful`; counts how often it runs.
fn allocate(
    heap: &mut Heap,
    len: usize,
    wasteful: bool,
    runs: &Counter<u32>,
) -> Result<Cell, Error> {
    runs.set(runs.get() + 1);
    if wasteful {
        heap.alloc(Bytes::zeroed(len))?;
    }
    Ok(heap.alloc(Bytes::zeroed(len))?.into())
}

proptest! {
    #![proptest_config(config(64))]

    /// Registers are filled and emptied. What fits twice into what the live objects leave is
    /// allocated; what does not fit beside them is refused, and changes no register's object.
    #[test]
    fn what_fits_is_allocated(
        steps in prop::collection::vec((0_usize..6, 0_usize..700_000, any::<bool>(), any::<bool>()), 1..60),
    ) {
        let mut heap = limited(Limits::NONE.with_bytes(LIMIT));
        let mut registers = [Cell::NULL; 6];
        let mut sizes = [0_usize; 6];
        for (register, len, wasteful, clear) in steps {
            if clear {
                (registers[register], sizes[register]) = (Cell::NULL, 0);
                continue;
            }
            let runs = Counter::new(0);
            let result = heap
                .retry_after_collect(registers, |heap| allocate(heap, len, wasteful, &runs));
            prop_assert!((1..=2).contains(&runs.get()));
            let live: usize = sizes.iter().sum();
            let needed = if wasteful { 2 * len } else { len };
            match result {
                Ok(cell) => {
                    prop_assert!(live + needed <= LIMIT);
                    (registers[register], sizes[register]) = (cell, len);
                }
                Err(error) => {
                    prop_assert_eq!(error, Error::Limit(Resource::Bytes));
                    prop_assert!(live + 2 * needed + LIMIT / 4 > LIMIT, "{} beside {}", needed, live);
                }
            }
            let contents = registers.iter().zip(sizes).filter(|(_, size)| *size > 0);
            for (&cell, size) in contents {
                prop_assert_eq!(heap.get::<Bytes>(cell).unwrap().len(), size);
            }
        }
        heap.verify().unwrap();
    }
}

/// The collection frees much each time, namely what the operation has left, and does not help.
#[test]
fn an_operation_that_leaves_garbage_as_it_fails_comes_to_an_end() {
    let mut heap = limited(Limits::NONE.with_bytes(LIMIT));
    let mut runs = 0;
    let result = heap.retry_after_collect(NONE, |heap| {
        runs += 1;
        let list = heap.alloc(I64Arr::new())?;
        (0..1_000_000).try_for_each(|n| heap.get_mut(list)?.push(n))
    });
    assert_eq!((result, runs), (Err(Error::Limit(Resource::Bytes)), 2));
    heap.collect(NONE).unwrap();
    assert!(heap.alloc(List::zeroed(1000)).is_ok());
}

/// What the limit leaves is known to be too little: the operation does not run in vain.
#[test]
fn what_was_refused_is_compared_with_the_room() {
    for freed in [30_000, 0] {
        let mut heap = limited(Limits::NONE.with_bytes(LIMIT));
        let kept = heap.alloc(Bytes::zeroed(600_000)).unwrap();
        heap.alloc(Bytes::zeroed(freed)).unwrap();
        let mut runs = 0;
        let result = heap.retry_after_collect([kept], |heap| {
            runs += 1;
            heap.alloc(Bytes::zeroed(600_000))
        });
        assert_eq!((result, runs), (Err(Error::Limit(Resource::Bytes)), 1));
        assert!(heap.contains(kept));
    }
}

/// A heap of live objects with a single one that is garbage: each allocation would need a
/// collection of its own.
#[test]
fn a_collection_that_frees_little_is_no_progress() {
    let mut heap = limited(Limits::NONE.with_bytes(LIMIT));
    let mut live = Vec::new();
    let error = loop {
        match heap.alloc(List::zeroed(4)) {
            Ok(list) => live.push(list.cell()),
            Err(error) => break error,
        }
    };
    live.pop();
    assert_eq!(heap.collect_to_retry(error, live.iter().copied()), Err(error));
    live.truncate(live.len() / 2);
    assert!(heap.collect_to_retry(error, live.iter().copied()).unwrap().freed > 1000);
}

#[test]
fn slots_are_recovered() {
    let mut heap = limited(Limits::NONE.with_slots(10));
    let mut kept = [Cell::NULL; 10];
    for n in 0..100 {
        let list = heap.retry_after_collect(kept, |heap| heap.alloc(List::new())).unwrap();
        kept[n % 9] = list.into();
    }
    kept[9] = heap.retry_after_collect(kept, |heap| heap.alloc(List::new())).unwrap().into();
    let result = heap.retry_after_collect(kept, |heap| heap.alloc(List::new()));
    assert_eq!(result, Err(Error::Limit(Resource::Slots(segheap::Kind::LIST))));
}

#[test]
fn other_errors_start_no_collection() {
    let mut heap = heap();
    let garbage = heap.alloc(List::new()).unwrap();
    let errors = [
        Error::NotAHandle,
        Error::ObjectTooLarge,
        Error::Limit(Resource::IntegerBits),
        Error::Overflow,
    ];
    for error in errors {
        let mut runs = 0;
        let result = heap.retry_after_collect(NONE, |_| {
            runs += 1;
            Err::<(), Error>(error)
        });
        assert_eq!((result, runs), (Err(error), 1));
        assert_eq!(heap.collect_to_retry(error, NONE), Err(error));
    }
    assert!(heap.contains(garbage));
}
