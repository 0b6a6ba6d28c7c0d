//! Hints whose object was freed, moved or outlived by its slot.

use segheap::{Bytes, Error, Heap, I64Arr, Kind, RangeHint, Settings, abi};

use super::heap;

/// A hint of each generation of one slot is valid for that generation alone.
#[test]
fn every_generation_of_a_slot() {
    let mut heap = heap();
    let mut hints: Vec<RangeHint<I64Arr>> = Vec::new();
    let mut first = None;
    for generation in 0..4096_i64 {
        let array = heap.alloc(I64Arr::of(&[generation, generation])).unwrap();
        let slot = abi::bits(array.cell()) as u32;
        assert_eq!(*first.get_or_insert(slot), slot);
        let mut hint = heap.hint(array, ..).unwrap();
        assert_eq!(hint.get(&heap, 1), Ok(generation));
        for back in [1, 2, 100, 4000] {
            let old = hints.len().checked_sub(back).and_then(|old| hints.get_mut(old));
            if let Some(old) = old {
                assert_eq!(old.get(&heap, 0), Err(Error::Stale { kind: Kind::I64ARR }));
                assert_eq!(old.set(&mut heap, 0, 9), Err(Error::Stale { kind: Kind::I64ARR }));
            }
        }
        hints.push(hint);
        if generation < 4095 {
            heap.free(array).unwrap();
        }
    }
    assert_eq!(hints[4095].get(&heap, 0), Ok(4095));
    for hint in &mut hints[..4095] {
        assert_eq!(hint.get(&heap, 0), Err(Error::Stale { kind: Kind::I64ARR }));
    }
}

/// Hints stay correct when their arena has used up a series of epochs.
#[test]
fn an_exhausted_series_of_epochs() {
    let mut heap = heap();
    let idle = heap.alloc(Bytes::of(&[])).unwrap();
    let bytes = heap.alloc(Bytes::of(&[1, 2, 3])).unwrap();
    let mut hint = heap.hint(bytes, 1..).unwrap();
    let mut other = hint;
    for step in 0..1_u32 << 24 {
        heap.get_mut(idle).unwrap().truncate(0).unwrap();
        if step.trailing_zeros() > 20 {
            assert_eq!(hint.get(&heap, 0), Ok(2));
        }
    }
    assert_eq!((hint.get(&heap, 1), hint.get(&heap, 2).is_err()), (Ok(3), true));
    heap.free(bytes).unwrap();
    let next = heap.alloc(Bytes::of(&[7, 8, 9])).unwrap();
    assert_eq!(hint.get(&heap, 0), Err(Error::Stale { kind: Kind::BYTES }));
    assert_eq!(other.set(&mut heap, 0, 0), Err(Error::Stale { kind: Kind::BYTES }));
    let mut new = heap.hint(next, ..).unwrap();
    assert_eq!(new.get(&heap, 0), Ok(7));
    assert_eq!(hint.get(&heap, 0), Err(Error::Stale { kind: Kind::BYTES }));
}

/// A hint is proved again after a compaction moved its object.
#[test]
fn a_compaction_invalidates_proofs() {
    let mut heap = Heap::with(Settings::seeded(1));
    let [gap, array, other] = [1, 2, 3].map(|n| heap.alloc(I64Arr::of(&[n; 8])).unwrap());
    heap.free(gap).unwrap();
    let (mut reading, mut writing) = (heap.hint(array, ..).unwrap(), heap.hint(array, ..).unwrap());
    heap.compact();
    assert_eq!(reading.get(&heap, 7), Ok(2));
    writing.set(&mut heap, 0, 4).unwrap();
    assert_eq!(heap.get(array).unwrap().as_slice(), [4, 2, 2, 2, 2, 2, 2, 2]);
    assert_eq!(heap.get(other).unwrap().as_slice(), [3; 8]);
}

/// A hint sees the elements where they lie after the front of their object was cut off, and
/// none beyond its end.
#[test]
fn a_front_that_was_cut_off() {
    let mut heap = heap();
    let numbers: Vec<i64> = (0..100).collect();
    let array = heap.alloc(I64Arr::of(&numbers)).unwrap();
    let (mut whole, mut end) = (heap.hint(array, ..).unwrap(), heap.hint(array, 90..).unwrap());
    assert_eq!((whole.get(&heap, 99), end.get(&heap, 9)), (Ok(99), Ok(99)));
    heap.get_mut(array).unwrap().pop_front().unwrap();
    assert!(whole.get(&heap, 0).is_err() && end.get(&heap, 0).is_err(), "their ranges are cut");
    let mut rest = heap.hint(array, ..).unwrap();
    assert_eq!((rest.get(&heap, 0), rest.get(&heap, 98)), (Ok(1), Ok(99)));
    heap.get_mut(array).unwrap().push(100).unwrap();
    assert_eq!((whole.get(&heap, 0), whole.get(&heap, 99)), (Ok(1), Ok(100)));
    assert_eq!(end.set(&mut heap, 9, 7), Ok(()));
    assert_eq!(heap.get(array).unwrap().as_slice().last(), Some(&7));
}
