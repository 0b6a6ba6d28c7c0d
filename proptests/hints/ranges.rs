//! Operations that write or compare ranges: fills, moves, comparisons.

use std::cmp::Ordering;

use proptest::collection::vec;
use proptest::prelude::*;
use segheap::{Bytes, Error, F64Arr, I64Arr, List, Mutable, Struct, U8Arr};

use super::kinds::{Bits, Tested};
use super::{bounds, contents, elements, heap, index, index_error, resolve};

fn fill_and_move<K: Tested + Mutable>(len: usize, steps: &[([u64; 2], u64, bool)]) {
    let mut heap = heap();
    // The neighbours reveal writes out of bounds.
    let [before, object, after] = [1, 2, 3].map(|n| K::alloc(&mut heap, &elements::<K>(len, n)));
    let mut model = contents(&heap, object);
    let others = [contents(&heap, before), contents(&heap, after)];
    for &(raw, to, fill) in steps {
        let bounds = bounds(raw, model.len());
        let range = resolve(bounds, model.len());
        if fill {
            let result = heap.get_mut(object).unwrap().fill(bounds, K::element(to));
            assert_eq!(index_error(result), range.clone().map(drop));
            if let Ok(range) = range {
                model[range].fill(K::element(to).bits());
            }
        } else {
            let count = range.as_ref().map_or(0, |range| range.len());
            let to = match to & 7 {
                0 => index(to >> 8, model.len()),
                _ => (to >> 8) as usize % (model.len() - count + 1),
            };
            let end = to.saturating_add(count);
            let range = range.and_then(|r| if end > model.len() { Err(end as u64) } else { Ok(r) });
            let result = heap.get_mut(object).unwrap().copy_within(bounds, to);
            assert_eq!(index_error(result), range.clone().map(drop));
            if let Ok(range) = range {
                model.copy_within(range, to);
            }
        }
        assert_eq!(contents(&heap, object), model);
        assert_eq!([contents(&heap, before), contents(&heap, after)], others);
    }
}

proptest! {
    #[test]
    fn fills_and_moves(
        len in 0..60_usize,
        steps in vec((any::<[u64; 2]>(), any::<u64>(), any::<bool>()), 1..6),
    ) {
        fill_and_move::<Bytes>(len, &steps);
        fill_and_move::<U8Arr>(len, &steps);
        fill_and_move::<I64Arr>(len, &steps);
        fill_and_move::<F64Arr>(len, &steps);
        fill_and_move::<List>(len, &steps);
        fill_and_move::<Struct>(len, &steps);
    }
}

/// Ranges of one array or of two compare like slices.
#[test]
fn comparisons() {
    let mut heap = heap();
    let bytes = heap.alloc(Bytes::of(b"abcabd")).unwrap();
    let floats = heap.alloc(F64Arr::of(&[1.0, f64::NAN, -0.0, 0.0])).unwrap();
    let (bytes, floats) = (heap.get(bytes).unwrap(), heap.get(floats).unwrap());
    assert_eq!(bytes.compare(..3, bytes, 3..), Ok(Some(Ordering::Less)));
    assert_eq!(bytes.compare(..2, bytes, 3..5), Ok(Some(Ordering::Equal)));
    assert_eq!(bytes.compare(.., bytes, ..5), Ok(Some(Ordering::Greater)));
    assert_eq!(bytes.compare(..1, bytes, 6..8).err(), Some(Error::OutOfRange { index: 8, len: 6 }));
    assert_eq!(floats.compare(..2, floats, ..2), Ok(None));
    assert_eq!(floats.compare(2..3, floats, 3..4), Ok(Some(Ordering::Equal)));
}
