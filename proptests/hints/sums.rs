//! Operations that reduce or search ranges: sums, extremes, dot products, `find`.

use core::ops::Range;

use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;
use segheap::{Cell, Error, F64Arr, Heap, I64Arr, List, U8Arr};

use super::{Bounds, bounds, heap, index, index_error, resolve};

/// Numbers that the elements of two arrays are made from, a range of the first array,
/// and where an equally long range of the second one starts.
struct Case {
    raws: [Vec<u64>; 2],
    /// Whether elements are mostly at the limits of their type.
    extreme: bool,
    bounds: Bounds,
    range: Result<Range<usize>, u64>,
    from: usize,
    /// Both ranges.
    ranges: Result<(Range<usize>, Range<usize>), u64>,
}

impl Case {
    fn new(raws: [Vec<u64>; 2], range: [u64; 2], from: u64, extreme: bool) -> Case {
        let lens = [raws[0].len(), raws[1].len()];
        let bounds = bounds(range, lens[0]);
        let range = resolve(bounds, lens[0]);
        let count = range.as_ref().map_or(0, |range| range.len());
        let from = match lens[1].checked_sub(count) {
            Some(last) if from & 3 != 0 => from as usize % (last + 1),
            _ => index(from, lens[1]),
        };
        let end = from.saturating_add(count);
        let other = if end > lens[1] { Err(end as u64) } else { Ok(from..end) };
        let ranges = range.clone().and_then(|range| Ok((range, other?)));
        Case { raws, extreme, bounds, range, from, ranges }
    }

    fn map<T>(&self, element: impl Fn(u64) -> T) -> [Vec<T>; 2] {
        self.raws.each_ref().map(|raws| raws.iter().map(|&raw| element(raw)).collect())
    }

    /// The position of the first matching element in the range.
    fn position(&self, matches: impl Fn(usize) -> bool) -> Result<Option<usize>, u64> {
        self.range.clone().map(|mut range| range.find(|&n| matches(n)))
    }

    fn check_ints(&self, heap: &mut Heap) {
        let int = |raw: u64| match raw & 7 {
            0 => i64::MIN,
            1 | 2 => i64::MAX,
            3 => -1,
            _ if self.extreme => i64::MIN + (raw >> 40) as i64,
            _ => raw.cast_signed() >> (raw >> 8 & 63),
        };
        let (bounds, ints) = (self.bounds, self.map(int));
        let arrays = [&ints[0], &ints[1]].map(|ints| heap.alloc(I64Arr::of(ints)).unwrap());
        let [a, b] = arrays.map(|array| heap.get(array).unwrap());
        let part = self.range.clone().map(|range| &ints[0][range]);
        let sum = |part: &[i64]| part.iter().map(|&int| i128::from(int)).sum::<i128>();
        assert_eq!(index_error(a.sum(bounds)), part.map(sum));
        assert_eq!(index_error(a.min(bounds)), part.map(|part| part.iter().copied().min()));
        assert_eq!(index_error(a.max(bounds)), part.map(|part| part.iter().copied().max()));
        let expected = self.ranges.clone().map(|(x, y)| {
            let products = ints[0][x].iter().zip(&ints[1][y]);
            let products = products.map(|(&x, &y)| BigInt::from(x) * y);
            i128::try_from(products.sum::<BigInt>()).ok()
        });
        match (a.dot(bounds, b, self.from), expected) {
            (Err(Error::Overflow), expected) => assert_eq!(expected, Ok(None)),
            (dot, expected) => assert_eq!(index_error(dot).map(Some), expected),
        }
        for int in [ints[0].first(), ints[1].first()].into_iter().flatten() {
            let expected = self.position(|n| ints[0][n] == *int);
            assert_eq!(index_error(a.find(bounds, *int)), expected);
        }
    }

    fn check_floats(&self, heap: &mut Heap) {
        let float = |raw: u64| match raw & 15 {
            0 => -0.0,
            1 => f64::INFINITY,
            2 => f64::from_bits(raw),
            3 if self.extreme => f64::NAN,
            4 => 0.0,
            _ => (raw.cast_signed() >> 20) as f64 / 3.0,
        };
        let (bounds, floats) = (self.bounds, self.map(float));
        let arrays = [&floats[0], &floats[1]].map(|floats| heap.alloc(F64Arr::of(floats)).unwrap());
        let [a, b] = arrays.map(|array| heap.get(array).unwrap());
        let part = self.range.clone().map(|range| &floats[0][range]);
        match (index_error(a.sum(bounds)), &part) {
            (Ok(sum), Ok(part)) => assert!(same(sum, sum_by_lanes(part.iter().copied()))),
            (sum, part) => assert_eq!(sum.err(), part.as_ref().err().copied()),
        }
        match (index_error(a.dot(bounds, b, self.from)), &self.ranges) {
            (Ok(dot), Ok((x, y))) => {
                let products = floats[0][x.clone()].iter().zip(&floats[1][y.clone()]);
                assert!(same(dot, sum_by_lanes(products.map(|(x, y)| x * y))));
            }
            (dot, ranges) => assert_eq!(dot.err(), ranges.as_ref().err().copied()),
        }
        for greatest in [false, true] {
            let found = index_error(if greatest { a.max(bounds) } else { a.min(bounds) });
            match (found, &part) {
                (Ok(found), Ok(part)) => assert_extreme(found, part, greatest),
                (found, part) => assert!(found.is_err() && part.is_err()),
            }
        }
        for float in [0.0, f64::NAN, floats[0].last().copied().unwrap_or(1.0)] {
            let expected = self.position(|n| floats[0][n] == float);
            assert_eq!(index_error(a.find(bounds, float)), expected);
        }
    }

    fn check_bytes(&self, heap: &mut Heap) {
        let first = |&raw: &u64| if self.extreme { 255 } else { raw as u8 };
        let bytes: [Vec<u8>; 2] = [
            self.raws[0].iter().map(first).collect(),
            self.raws[1].iter().map(|&raw| raw as u8).collect(),
        ];
        let bounds = self.bounds;
        let arrays = [&bytes[0], &bytes[1]].map(|bytes| heap.alloc(U8Arr::of(bytes)).unwrap());
        let [a, b] = arrays.map(|array| heap.get(array).unwrap());
        let part = self.range.clone().map(|range| &bytes[0][range]);
        let sum = |part: &[u8]| part.iter().map(|&byte| u64::from(byte)).sum::<u64>();
        assert_eq!(index_error(a.sum(bounds)), part.map(sum));
        assert_eq!(index_error(a.min(bounds)), part.map(|part| part.iter().copied().min()));
        assert_eq!(index_error(a.max(bounds)), part.map(|part| part.iter().copied().max()));
        let expected = self.ranges.clone().map(|(x, y)| {
            let products = bytes[0][x].iter().zip(&bytes[1][y]);
            products.map(|(&x, &y)| u64::from(x) * u64::from(y)).sum::<u64>()
        });
        assert_eq!(index_error(a.dot(bounds, b, self.from)), expected);
    }

    fn check_cells(&self, heap: &mut Heap) {
        let [cells, _] = self.map(|raw| Cell::from((raw % 5) as u8));
        let list = heap.alloc(List::of(&cells)).unwrap();
        for cell in [Cell::from(0_u8), Cell::from(4_u8), Cell::from(0.0), Cell::NULL] {
            let expected = self.position(|n| cells[n] == cell);
            assert_eq!(index_error(heap.get(list).unwrap().find(self.bounds, cell)), expected);
        }
    }
}

/// Whether both are NaNs or have equal bits.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

/// The sum in the order of the implementation: 32 interleaved partial sums.
fn sum_by_lanes(values: impl Iterator<Item = f64>) -> f64 {
    let mut sums = [0.0; 32];
    values.enumerate().for_each(|(n, value)| sums[n % 32] += value);
    sums.into_iter().fold(0.0, |sum, lane| sum + lane)
}

/// Asserts that `found` is the least or greatest number in `part`. It is a NaN only if
/// there are no numbers.
fn assert_extreme(found: Option<f64>, part: &[f64], greatest: bool) {
    let numbers = || part.iter().copied().filter(|float| !float.is_nan());
    match found {
        None => assert!(part.is_empty()),
        Some(found) if found.is_nan() => assert!(numbers().next().is_none()),
        Some(found) => {
            assert!(numbers().any(|number| number == found));
            assert!(numbers().all(|n| if greatest { n <= found } else { n >= found }));
        }
    }
}

proptest! {
    #[test]
    fn sums_and_searches(
        raws in vec(any::<u64>(), 0..70),
        others in vec(any::<u64>(), 0..70),
        range in any::<[u64; 2]>(),
        from in any::<u64>(),
        extreme in any::<bool>(),
    ) {
        let (mut heap, case) = (heap(), Case::new([raws, others], range, from, extreme));
        case.check_ints(&mut heap);
        case.check_floats(&mut heap);
        case.check_bytes(&mut heap);
        case.check_cells(&mut heap);
    }
}

/// Sums that exceed 64 bits are exact.
#[test]
fn sums_beyond_64_bits() {
    let mut heap = heap();
    for (value, count) in [(i64::MAX, 100_000), (i64::MIN, 100_000), (-1, 70_000), (1 << 32, 999)] {
        let array = heap.alloc(I64Arr::of(&vec![value; count])).unwrap();
        let sum = i128::from(value) * count as i128;
        assert_eq!(heap.get(array).unwrap().sum(..), Ok(sum));
        assert_eq!(heap.get(array).unwrap().sum(1..), Ok(sum - i128::from(value)));
    }
    let three = heap.alloc(I64Arr::of(&[i64::MIN; 3])).unwrap();
    let view = heap.get(three).unwrap();
    assert_eq!(view.dot(..1, view, 0), Ok(1 << 126));
    assert_eq!(view.dot(..2, view, 1), Err(Error::Overflow));
    assert_eq!(view.dot(..0, view, 3), Ok(0));
    assert!(matches!(view.dot(.., view, 1), Err(Error::OutOfRange { index: 4, .. })));
    assert!(matches!(view.dot(..1, view, usize::MAX), Err(Error::OutOfRange { .. })));
}
