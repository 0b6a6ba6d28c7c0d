//! Range hints that are kept for ever, windows, and operations on whole ranges,
//! beside what the checked access of every single element says.

use std::cmp::Ordering;

use core::ops::{Bound, Range};

use proptest::collection::vec;
use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Growable, Handle, Heap, I64Arr, Kind, List,
    Mutable, Pair, RangeHint, Sequence, Settings, Str, Struct, U8Arr, abi,
};

type Bounds = (Bound<usize>, Bound<usize>);

/// An element as bits, and one for any number.
trait Bits: Copy + PartialEq + core::fmt::Debug {
    fn bits(self) -> u64;
    fn of(raw: u64) -> Self;
}

macro_rules! bits {
    ($($type:ty: $bits:expr, $of:expr;)*) => {$(
        impl Bits for $type {
            fn bits(self) -> u64 {
                $bits(self)
            }
            fn of(raw: u64) -> Self {
                $of(raw)
            }
        }
    )*};
}
bits! {
    u8: u64::from, |raw| raw as u8;
    u64: |value| value, |raw| raw | 1;
    i64: |value: i64| value.cast_unsigned(), |raw: u64| raw.cast_signed();
    f64: f64::to_bits, f64::from_bits;
    Cell: abi::bits, |raw| Cell::from(raw as u32);
}

/// A kind, and what can be done to its objects.
trait Tested: Sequence<Element: Bits> {
    fn make(heap: &mut Heap, elements: &[Self::Element]) -> Handle<Self>;

    /// The length that a new object has where one of `len` was asked for.
    fn len(len: usize) -> usize {
        len
    }

    /// Bits of a new element.
    fn element(raw: u64) -> Self::Element {
        Bits::of(raw)
    }

    fn set(
        _: &mut RangeHint<Self>,
        _: &mut Heap,
        _: usize,
        _: Self::Element,
    ) -> Option<Result<(), Error>> {
        None
    }

    /// Changes an object and its twin, if it can be changed.
    fn change(_: &mut Heap, _: Handle<Self>, _: &mut Vec<u64>, _: [u64; 3]) {}
}

macro_rules! set {
    () => {
        fn set(
            hint: &mut RangeHint<Self>,
            heap: &mut Heap,
            index: usize,
            element: Self::Element,
        ) -> Option<Result<(), Error>> {
            Some(hint.set(heap, index, element))
        }
    };
}

macro_rules! growable {
    ($($Kind:ident)*) => {$(
        impl Tested for $Kind {
            fn make(heap: &mut Heap, elements: &[Self::Element]) -> Handle<Self> {
                heap.alloc($Kind::of(elements)).unwrap()
            }
            set!();
            fn change(heap: &mut Heap, object: Handle<Self>, twin: &mut Vec<u64>, raw: [u64; 3]) {
                // Part of a self append.
                if raw[0] % 13 == 12 {
                    let range = naive_range(bounds([raw[1], raw[2]], twin.len()), twin.len());
                    let Ok(range) = range else { return };
                    if twin.len() + range.len() < 2000 {
                        heap.append_across(object, object, range.clone()).unwrap();
                        twin.extend_from_within(range);
                    }
                    return;
                }
                change(heap, object, twin, raw);
            }
        }
    )*};
}
growable! { Bytes U8Arr I64Arr F64Arr List }

fn change<K: Tested + Growable>(
    heap: &mut Heap,
    object: Handle<K>,
    twin: &mut Vec<u64>,
    [what, a, b]: [u64; 3],
) {
    let element = K::element(b);
    let bits = element.bits();
    let place = a as usize % (twin.len() + 1);
    let mut view = heap.get_mut(object).unwrap();
    match what % 13 {
        0 | 1 if twin.len() < 2000 => {
            for _ in 0..=a % 20 {
                view.push(element).unwrap();
                twin.push(bits);
            }
        }
        2 => assert_eq!(view.pop().unwrap().map(Bits::bits), twin.pop()),
        3 => match twin.get(place) {
            Some(_) => assert_eq!(view.remove(place).unwrap().bits(), twin.remove(place)),
            None => assert!(view.remove(place).is_err()),
        },
        4 => {
            view.truncate(place).unwrap();
            twin.truncate(place);
        }
        5 => {
            view.insert(place, element).unwrap();
            twin.insert(place, bits);
        }
        6 => {
            let len = a as usize % 40;
            view.resize(len, element).unwrap();
            twin.resize(len, bits);
        }
        7 => view.reserve(a as usize % 100).unwrap(),
        8 => {
            view.truncate(0).unwrap();
            twin.clear();
        }
        // Longer again, so that ranges that were gone are there once more.
        9 if twin.len() < 2000 => {
            view.extend(&[element; 30]).unwrap();
            twin.resize(twin.len() + 30, bits);
        }
        10 => {
            heap.fail_growth_after(Some(0));
            if heap.get_mut(object).unwrap().push(element).is_ok() {
                twin.push(bits);
            }
            heap.fail_growth_after(None);
        }
        11 => {
            view.reverse().unwrap();
            twin.reverse();
        }
        _ => {}
    }
}

impl Tested for Pair {
    fn make(heap: &mut Heap, elements: &[Cell]) -> Handle<Pair> {
        heap.alloc(Pair::of(elements[0], elements[1])).unwrap()
    }
    fn len(_: usize) -> usize {
        2
    }
    set!();
}

impl Tested for Struct {
    fn make(heap: &mut Heap, elements: &[Cell]) -> Handle<Struct> {
        heap.alloc(Struct::of(9, elements)).unwrap()
    }
    set!();
}

impl Tested for Closure {
    fn make(heap: &mut Heap, elements: &[Cell]) -> Handle<Closure> {
        heap.alloc(Closure::of(9, elements)).unwrap()
    }
    set!();
}

impl Tested for Bignum {
    fn make(heap: &mut Heap, elements: &[u64]) -> Handle<Bignum> {
        heap.alloc(Bignum::of(true, elements)).unwrap()
    }
}

impl Tested for Str {
    fn make(heap: &mut Heap, elements: &[u8]) -> Handle<Str> {
        heap.alloc(Str::from_utf8(elements).unwrap()).unwrap()
    }
    fn element(raw: u64) -> u8 {
        raw as u8 & 0x7F
    }
}

/// A hint, and what it was made of.
struct Kept<K> {
    hint: RangeHint<K>,
    /// Number of the heap, in the order in which heaps were made.
    heap: usize,
    object: Handle<K>,
    start: usize,
    len: usize,
}

/// Live objects of one kind in one heap, with what they hold.
type Objects<K> = Vec<(Handle<K>, Vec<u64>)>;

/// The objects and the hints of one kind.
struct Lane<K> {
    /// By place of the heap.
    objects: [Objects<K>; HEAPS],
    hints: Vec<Kept<K>>,
}

const HEAPS: usize = 2;
const HINTS: usize = 48;

/// Heaps in their places; a heap may be followed by another one.
struct Heaps {
    heaps: [Heap; HEAPS],
    numbers: [usize; HEAPS],
}

trait AnyLane {
    fn step(&mut self, heaps: &mut Heaps, place: usize, raw: [u64; 4]);
    fn check(&mut self, heaps: &mut Heaps, raw: u64);
    fn forget(&mut self, place: usize);
    fn swap(&mut self);
}

impl<K: Tested> Lane<K> {
    fn boxed() -> Box<dyn AnyLane> {
        Box::new(Lane::<K> { objects: Default::default(), hints: Vec::new() })
    }

    fn alloc(&mut self, heap: &mut Heap, place: usize, len: usize, raw: u64) {
        let elements: Vec<K::Element> = (0..K::len(len) as u64)
            .map(|n| K::element(raw.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))))
            .collect();
        let object = K::make(heap, &elements);
        self.objects[place].push((object, elements.iter().map(|e| e.bits()).collect()));
    }

    /// What an access through a hint has to outcome: the element, or why not.
    fn expected(
        &self,
        kept: &Kept<K>,
        heaps: &Heaps,
        place: usize,
        index: usize,
    ) -> Result<u64, Error> {
        let objects = self.objects[place].iter();
        let object = objects.filter(|_| heaps.numbers[place] == kept.heap);
        let object = object.map(|(object, twin)| (object, twin));
        let found = object.into_iter().find(|(object, _)| **object == kept.object);
        let (_, twin) = found.ok_or(Error::Stale { kind: K::KIND })?;
        let end = kept.start + kept.len;
        if end > twin.len() {
            return Err(Error::OutOfRange { index: end as u64, len: twin.len() as u32 });
        }
        if index >= kept.len {
            return Err(Error::OutOfRange { index: index as u64, len: kept.len as u32 });
        }
        Ok(twin[kept.start + index])
    }
}

impl<K: Tested> AnyLane for Lane<K> {
    fn step(&mut self, heaps: &mut Heaps, place: usize, [what, a, b, c]: [u64; 4]) {
        let heap = &mut heaps.heaps[place];
        let count = self.objects[place].len();
        let which = a as usize % count.max(1);
        match what % 16 {
            _ if count == 0 => self.alloc(heap, place, b as usize % 12, c),
            0 if count < 12 => {
                let len = if b & 15 == 0 { 700 } else { b as usize % 12 };
                self.alloc(heap, place, len, c);
            }
            1 => {
                let (object, _) = self.objects[place].swap_remove(which);
                heap.free(object).unwrap();
            }
            // The slot and the block get new owners.
            2 | 3 => {
                let (object, twin) = self.objects[place].swap_remove(which);
                heap.free(object).unwrap();
                self.alloc(heap, place, twin.len(), c);
            }
            4..=8 => {
                let (object, twin) = &mut self.objects[place][which];
                K::change(heap, *object, twin, [b, c, b ^ c]);
            }
            9..=12 => {
                let (object, twin) = &self.objects[place][which];
                let bounds = bounds([b, c], twin.len());
                let expected = naive_range(bounds, twin.len());
                let hint = heap.hint(*object, bounds);
                match (hint, expected) {
                    (Ok(hint), Ok(Range { start, end })) => {
                        let (heap, object, len) = (heaps.numbers[place], *object, end - start);
                        assert_eq!((hint.len(), hint.is_empty()), (len, len == 0));
                        let kept = Kept { hint, heap, object, start, len };
                        if self.hints.len() < HINTS {
                            self.hints.push(kept);
                        } else {
                            self.hints[b as usize % HINTS] = kept;
                        }
                    }
                    (Err(Error::OutOfRange { index, .. }), Err(expected)) => {
                        assert_eq!(index, expected)
                    }
                    (hint, expected) => panic!("{hint:?}, not {expected:?}"),
                }
            }
            13 if !self.hints.is_empty() => {
                let kept = &self.hints[a as usize % self.hints.len()];
                let bounds = bounds([b, c], kept.len);
                match (kept.hint.narrow(bounds), naive_range(bounds, kept.len)) {
                    (Ok(hint), Ok(Range { start, end })) => {
                        assert_eq!(hint.len(), end - start);
                        let (start, len) = (kept.start + start, end - start);
                        let kept = Kept { hint, start, len, ..*kept };
                        if self.hints.len() < HINTS {
                            self.hints.push(kept);
                        } else {
                            self.hints[b as usize % HINTS] = kept;
                        }
                    }
                    (Err(Error::OutOfRange { index, .. }), Err(expected)) => {
                        assert_eq!(index, expected)
                    }
                    (hint, expected) => panic!("{hint:?}, not {expected:?}"),
                }
            }
            _ if !self.hints.is_empty() => {
                let which = a as usize % self.hints.len();
                let kept = &self.hints[which];
                let index = index(b, kept.len);
                let expected = self.expected(kept, heaps, place, index).map(drop);
                let element = K::element(c);
                let kept = &mut self.hints[which];
                if let Some(result) =
                    K::set(&mut kept.hint, &mut heaps.heaps[place], index, element)
                {
                    assert_eq!(result, expected, "set {index} of {:?}", kept.hint);
                    if result.is_ok() {
                        let mut objects = self.objects[place].iter_mut();
                        let (_, twin) = objects.find(|(object, _)| *object == kept.object).unwrap();
                        twin[kept.start + index] = element.bits();
                    }
                }
            }
            _ => {}
        }
    }

    fn check(&mut self, heaps: &mut Heaps, raw: u64) {
        for which in 0..self.hints.len() {
            let raw = raw.rotate_left(which as u32 * 7) ^ which as u64;
            let kept = &self.hints[which];
            let middle = (raw >> 16) as usize % kept.len.max(1);
            let indices = [0, middle, kept.len.saturating_sub(1), index(raw, kept.len)];
            // Of the four, two a time; more often in the hint's own heap.
            let own = heaps.numbers.iter().position(|&number| number == kept.heap);
            let place = own.filter(|_| raw & 0x300 != 0).unwrap_or(raw as usize >> 4 & 1);
            for index in [indices[raw as usize & 1], indices[(raw as usize & 1) + 2]] {
                let kept = &self.hints[which];
                let expected = self.expected(kept, heaps, place, index);
                let heap = &heaps.heaps[place];
                if let Ok(bits) = expected {
                    let checked = heap.get(kept.object).unwrap().get(kept.start + index);
                    assert_eq!(checked.map(Bits::bits), Ok(bits));
                }
                let kept = &mut self.hints[which];
                let result = kept.hint.get(heap, index).map(Bits::bits);
                assert_eq!(
                    result,
                    expected,
                    "{index} of {:?}, {} of {}",
                    kept.hint,
                    kept.start,
                    kept.object.cell().kind().unwrap()
                );
                assert_eq!(kept.hint.len(), kept.len);
            }
        }
    }

    fn forget(&mut self, place: usize) {
        self.objects[place].clear();
    }

    fn swap(&mut self) {
        self.objects.swap(0, 1);
    }
}

fn index(raw: u64, len: usize) -> usize {
    match raw & 15 {
        0 => len,
        1 => usize::MAX,
        2 => len + 1 + (raw >> 8) as usize % 8,
        3 => u32::MAX as usize,
        _ => (raw >> 8) as usize % len.max(1),
    }
}

fn bounds(raw: [u64; 2], len: usize) -> Bounds {
    let [mut start, mut end] = raw.map(|raw| match raw >> 3 & 31 {
        0 => len + 1,
        1 => usize::MAX,
        2..=6 => len,
        _ => (raw >> 8) as usize % (len + 1),
    });
    if start > end && raw[0] & 0x7000_0000 != 0 {
        (start, end) = (end, start);
    }
    let start = match raw[0] & 7 {
        0 | 1 => Bound::Unbounded,
        2 => Bound::Excluded(start),
        _ => Bound::Included(start),
    };
    let end = match raw[1] & 7 {
        0 | 1 => Bound::Unbounded,
        2 => Bound::Included(end),
        _ => Bound::Excluded(end),
    };
    (start, end)
}

/// The range, or the index that is outside.
fn naive_range((start, end): Bounds, len: usize) -> Result<Range<usize>, u64> {
    let start = match start {
        Bound::Included(start) => start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match end {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => end,
        Bound::Unbounded => len,
    };
    match () {
        () if end > len => Err(end as u64),
        () if start > end => Err(start as u64),
        () => Ok(start..end),
    }
}

/// Heaps whose handles have the same bits for the same slots and lives.
fn heap() -> Heap {
    Heap::with(Settings::seeded(3))
}

proptest! {
    /// Several heaps, every kind of sequence, and hints of all of them.
    #[test]
    fn programs(steps in vec((any::<u8>(), any::<u8>(), any::<[u64; 4]>()), 1..120)) {
        let mut heaps = Heaps { heaps: [heap(), heap()], numbers: [0, 1] };
        let mut lanes = [
            Lane::<I64Arr>::boxed(),
            Lane::<U8Arr>::boxed(),
            Lane::<Bytes>::boxed(),
            Lane::<F64Arr>::boxed(),
            Lane::<List>::boxed(),
            Lane::<Struct>::boxed(),
            Lane::<Str>::boxed(),
            Lane::<Pair>::boxed(),
            Lane::<Closure>::boxed(),
            Lane::<Bignum>::boxed(),
        ];
        // Most of a program is about two kinds, so that their hints add up.
        let main = steps[0].2[0] as usize;
        for (number, (lane, special, raw)) in steps.into_iter().enumerate() {
            let lane = match lane {
                0..=119 => main,
                120..=229 => main / 16,
                lane => lane.into(),
            } % lanes.len();
            let place = (special >> 7) as usize;
            match special & 0x7F {
                0 => {
                    heaps.heaps[place].clear();
                    lanes.iter_mut().for_each(|lane| lane.forget(place));
                }
                1 => {
                    // In the same place, with the same handles to come.
                    heaps.heaps[place] = heap();
                    heaps.numbers[place] = number + HEAPS;
                    lanes.iter_mut().for_each(|lane| lane.forget(place));
                }
                2 => {
                    // Heaps may move.
                    heaps.heaps.swap(0, 1);
                    heaps.numbers.swap(0, 1);
                    lanes.iter_mut().for_each(|lane| lane.swap());
                }
                _ => lanes[lane].step(&mut heaps, place, raw),
            }
            lanes[lane].check(&mut heaps, raw[3]);
        }
        for lane in &mut lanes {
            lane.check(&mut heaps, 0);
            lane.check(&mut heaps, u64::MAX);
        }
    }

    #[test]
    fn windows_of_two_kinds(parts in parts(), values in any::<u64>()) {
        two::<Bytes, Bytes>(&parts, values);
        two::<U8Arr, I64Arr>(&parts, values);
        two::<List, F64Arr>(&parts, values);
        two::<Struct, Pair>(&parts, values);
        two::<I64Arr, I64Arr>(&parts, values);
    }

    #[test]
    fn windows_of_four(parts in parts(), values in any::<u64>()) {
        one::<U8Arr>(&parts, values);
        one::<F64Arr>(&parts, values);
        three::<U8Arr, U8Arr, U8Arr>(&parts, values);
        three::<F64Arr, Bytes, F64Arr>(&parts, values);
        four::<Bytes, Bytes, Bytes, Bytes>(&parts, values);
        four::<Bytes, List, Bytes, I64Arr>(&parts, values);
        four::<I64Arr, I64Arr, I64Arr, I64Arr>(&parts, values);
        four::<Closure, List, F64Arr, U8Arr>(&parts, values);
    }

    #[test]
    fn sums_and_searches(
        raws in vec(any::<u64>(), 0..70),
        others in vec(any::<u64>(), 0..70),
        range in any::<[u64; 2]>(),
        from in any::<u64>(),
        extreme in any::<bool>(),
    ) {
        let mut heap = heap();
        let int = |&raw: &u64| match raw & 7 {
            0 => i64::MIN,
            1 | 2 => i64::MAX,
            3 => -1,
            _ if extreme => i64::MIN + (raw >> 40) as i64,
            _ => raw.cast_signed() >> (raw >> 8 & 63),
        };
        let float = |&raw: &u64| match raw & 15 {
            0 => -0.0,
            1 => f64::INFINITY,
            2 => f64::from_bits(raw),
            3 if extreme => f64::NAN,
            4 => 0.0,
            _ => (raw.cast_signed() >> 20) as f64 / 3.0,
        };
        let byte = |&raw: &u64| if extreme { 255 } else { raw as u8 };
        let bytes: Vec<u8> = raws.iter().map(byte).collect();
        let more_bytes: Vec<u8> = others.iter().map(|&raw| raw as u8).collect();
        let ints: [Vec<i64>; 2] = [&raws, &others].map(|raws| raws.iter().map(int).collect());
        let floats: [Vec<f64>; 2] = [&raws, &others].map(|raws| raws.iter().map(float).collect());
        let bounds = bounds(range, raws.len());
        let range = naive_range(bounds, raws.len());
        let count = range.as_ref().map_or(0, |range| range.len());
        let from = match others.len().checked_sub(count) {
            Some(room) if from & 3 != 0 => from as usize % (room + 1),
            _ => index(from, others.len()),
        };
        let end = from.saturating_add(count);
        let other = if end > others.len() { Err(end as u64) } else { Ok(from..end) };
        let both = range.clone().and_then(|range| Ok((range, other?)));

        let ids = [&ints[0], &ints[1]].map(|ints| heap.alloc(I64Arr::of(ints)).unwrap());
        let [a, b] = ids.map(|id| heap.get(id).unwrap());
        let part = range.clone().map(|range| &ints[0][range]);
        let sum = |part: &[i64]| part.iter().map(|&int| i128::from(int)).sum::<i128>();
        prop_assert_eq!(outside(a.sum(bounds)), part.map(sum));
        prop_assert_eq!(outside(a.min(bounds)), part.map(|part| part.iter().copied().min()));
        prop_assert_eq!(outside(a.max(bounds)), part.map(|part| part.iter().copied().max()));
        let expected = both.clone().map(|(x, y)| {
            let products = ints[0][x].iter().zip(&ints[1][y]);
            let mut products = products.map(|(&x, &y)| i128::from(x) * i128::from(y));
            products.try_fold(0, i128::checked_add)
        });
        match (a.dot(bounds, b, from), expected) {
            (Err(Error::Overflow), expected) => prop_assert_eq!(expected, Ok(None)),
            (dot, expected) => prop_assert_eq!(outside(dot).map(Some), expected),
        }
        for expected in [ints[0].first(), ints[1].first()].into_iter().flatten() {
            let found = range.clone().map(|mut range| range.find(|&n| ints[0][n] == *expected));
            prop_assert_eq!(outside(a.find(bounds, *expected)), found);
        }

        let ids = [&floats[0], &floats[1]].map(|floats| heap.alloc(F64Arr::of(floats)).unwrap());
        let [a, b] = ids.map(|id| heap.get(id).unwrap());
        let part = range.clone().map(|range| &floats[0][range]);
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        let lanes = |values: &mut dyn Iterator<Item = f64>| {
            let mut sums = [0.0; 32];
            values.enumerate().for_each(|(n, value)| sums[n % 32] += value);
            sums.into_iter().fold(0.0, |sum, lane| sum + lane)
        };
        match (outside(a.sum(bounds)), &part) {
            (Ok(sum), Ok(part)) => prop_assert!(same(sum, lanes(&mut part.iter().copied()))),
            (sum, part) => prop_assert_eq!(sum.err(), part.as_ref().err().copied()),
        }
        match (outside(a.dot(bounds, b, from)), &both) {
            (Ok(dot), Ok((x, y))) => {
                let products = floats[0][x.clone()].iter().zip(&floats[1][y.clone()]);
                prop_assert!(same(dot, lanes(&mut products.map(|(x, y)| x * y))));
            }
            (dot, both) => prop_assert_eq!(dot.err(), both.as_ref().err().copied()),
        }
        for greatest in [false, true] {
            let found = outside(if greatest { a.max(bounds) } else { a.min(bounds) });
            let (Ok(found), Ok(part)) = (found, &part) else {
                prop_assert!(found.is_err() && part.is_err());
                continue;
            };
            let numbers = || part.iter().copied().filter(|float| !float.is_nan());
            match found {
                None => prop_assert!(part.is_empty()),
                Some(found) if found.is_nan() => prop_assert!(numbers().next().is_none()),
                Some(found) => {
                    prop_assert!(numbers().any(|number| number == found));
                    let worse = |n: f64| if greatest { n <= found } else { n >= found };
                    prop_assert!(numbers().all(worse));
                }
            }
        }
        for expected in [0.0, f64::NAN, floats[0].last().copied().unwrap_or(1.0)] {
            let found = range.clone().map(|mut range| range.find(|&n| floats[0][n] == expected));
            prop_assert_eq!(outside(a.find(bounds, expected)), found);
        }

        let ids = [&bytes, &more_bytes].map(|bytes| heap.alloc(U8Arr::of(bytes)).unwrap());
        let [a, b] = ids.map(|id| heap.get(id).unwrap());
        let part = range.clone().map(|range| &bytes[range]);
        let sum = |part: &[u8]| part.iter().map(|&byte| u64::from(byte)).sum::<u64>();
        prop_assert_eq!(outside(a.sum(bounds)), part.map(sum));
        prop_assert_eq!(outside(a.min(bounds)), part.map(|part| part.iter().copied().min()));
        prop_assert_eq!(outside(a.max(bounds)), part.map(|part| part.iter().copied().max()));
        let expected = both.map(|(x, y)| {
            let products = bytes[x].iter().zip(&more_bytes[y]);
            products.map(|(&x, &y)| u64::from(x) * u64::from(y)).sum::<u64>()
        });
        prop_assert_eq!(outside(a.dot(bounds, b, from)), expected);

        let cells: Vec<Cell> = raws.iter().map(|&raw| Cell::from((raw % 5) as u8)).collect();
        let list = heap.alloc(List::of(&cells)).unwrap();
        for expected in [Cell::from(0_u8), Cell::from(4_u8), Cell::from(0.0), Cell::NULL] {
            let found = range.clone().map(|mut range| range.find(|&n| cells[n] == expected));
            prop_assert_eq!(outside(heap.get(list).unwrap().find(bounds, expected)), found);
        }
    }

    #[test]
    fn fills_and_moves(
        len in 0..60_usize,
        steps in vec((any::<[u64; 2]>(), any::<u64>(), any::<bool>()), 1..6),
    ) {
        bulk::<Bytes>(len, &steps);
        bulk::<U8Arr>(len, &steps);
        bulk::<I64Arr>(len, &steps);
        bulk::<F64Arr>(len, &steps);
        bulk::<List>(len, &steps);
        bulk::<Struct>(len, &steps);
    }
}

/// The answer, or the index that is outside.
fn outside<T: core::fmt::Debug>(result: Result<T, Error>) -> Result<T, u64> {
    result.map_err(|error| match error {
        Error::OutOfRange { index, .. } => index,
        error => panic!("{error}"),
    })
}

fn elements<K: Tested>(len: usize, seed: u64) -> Vec<K::Element> {
    let raw = |n: u64| seed.wrapping_add(n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    (0..K::len(len) as u64).map(|n| K::element(raw(n))).collect()
}

fn contents<K: Tested>(heap: &Heap, object: Handle<K>) -> Vec<u64> {
    heap.get(object).unwrap().as_slice().iter().map(|e| e.bits()).collect()
}

fn bulk<K: Tested + Mutable>(len: usize, steps: &[([u64; 2], u64, bool)]) {
    let mut heap = heap();
    // Neighbours, so that writing beyond the end would show.
    let [before, object, behind] = [1, 2, 3].map(|n| K::make(&mut heap, &elements::<K>(len, n)));
    let mut twin = contents(&heap, object);
    let others = [contents(&heap, before), contents(&heap, behind)];
    for &(raw, to, fill) in steps {
        let bounds = bounds(raw, twin.len());
        let range = naive_range(bounds, twin.len());
        if fill {
            let result = heap.get_mut(object).unwrap().fill(bounds, K::element(to));
            assert_eq!(outside(result), range.clone().map(drop));
            if let Ok(range) = range {
                twin[range].fill(K::element(to).bits());
            }
        } else {
            let count = range.as_ref().map_or(0, |range| range.len());
            let to = match to & 7 {
                0 => index(to >> 8, twin.len()),
                _ => (to >> 8) as usize % (twin.len() - count + 1),
            };
            let end = to.saturating_add(count);
            let range = range.and_then(|r| if end > twin.len() { Err(end as u64) } else { Ok(r) });
            let result = heap.get_mut(object).unwrap().copy_within(bounds, to);
            assert_eq!(outside(result), range.clone().map(drop));
            if let Ok(range) = range {
                twin.copy_within(range, to);
            }
        }
        assert_eq!(contents(&heap, object), twin);
        assert_eq!([contents(&heap, before), contents(&heap, behind)], others);
    }
}

/// Which of two objects, or a dead one, and which range of it.
type Parts = [(u8, [u64; 2]); 4];

fn parts() -> impl Strategy<Value = Parts> {
    let part = prop_oneof![
        3 => (any::<u8>(), any::<[u64; 2]>()),
        // Short ranges, which overlap less often.
        4 => (any::<u8>(), 0..60_u64, 0..6_u64).prop_map(|(which, start, len)| {
            (which, [7 | 31 << 3 | start << 8, 7 | 31 << 3 | (start + len) << 8])
        }),
    ];
    [part.clone(), part.clone(), part.clone(), part]
}

/// One part as it is asked for, and what it should give: object and range.
struct Asked<K> {
    part: (Handle<K>, Bounds),
    expected: Result<(Cell, Range<usize>), Error>,
}

/// Two objects of each kind that occurs; dead ones, too.
struct Scene {
    heap: Heap,
    objects: Vec<(Kind, [Cell; 3])>,
    parts: Parts,
    asked: usize,
    windows: Vec<(Cell, Range<usize>)>,
    error: Option<Error>,
}

impl Scene {
    fn new(parts: &Parts) -> Scene {
        Scene {
            heap: heap(),
            objects: Vec::new(),
            parts: *parts,
            asked: 0,
            windows: Vec::new(),
            error: None,
        }
    }

    fn ask<K: Tested + Mutable>(&mut self) -> (Handle<K>, Bounds) {
        let found = self.objects.iter().find(|(kind, _)| *kind == K::KIND);
        let objects = found.map(|(_, objects)| *objects).unwrap_or_else(|| {
            let made = [61, 9, 5].map(|len| K::make(&mut self.heap, &elements::<K>(len, 0)).cell());
            self.heap.free(made[2]).unwrap();
            self.objects.push((K::KIND, made));
            made
        });
        let (which, raw) = self.parts[self.asked];
        self.asked += 1;
        let object = objects[match which {
            0..=3 => 2,
            4..=60 => 1,
            _ => 0,
        }];
        let len = self.heap.get::<K>(object).map_or(0, |view| view.len());
        let bounds = bounds(raw, len);
        let expected = match naive_range(bounds, len) {
            _ if !self.heap.contains(object) => Err(Error::Stale { kind: K::KIND }),
            Err(index) => Err(Error::OutOfRange { index, len: len as u32 }),
            Ok(range) => Ok((object, range)),
        };
        let asked = Asked::<K> { part: (object.to_handle().unwrap(), bounds), expected };
        match asked.expected {
            Ok((object, range)) => self.windows.push((object, range)),
            Err(error) => self.error = self.error.or(Some(error)),
        }
        asked.part
    }

    /// The error to come, if there is one.
    fn expected(&self) -> Option<Error> {
        let overlap = |n: usize, m: usize| {
            let ((a, x), (b, y)) = (&self.windows[n], &self.windows[m]);
            a == b && x.start.max(y.start) < x.end.min(y.end)
        };
        let count = self.windows.len();
        let overlaps = (0..count).any(|n| (0..n).any(|m| overlap(n, m)));
        self.error.or(overlaps.then_some(Error::Overlap))
    }

    fn contents(&self) -> Vec<Vec<u64>> {
        let words = |&(_, [a, b, _]): &(Kind, [Cell; 3])| [a, b];
        self.objects.iter().flat_map(words).map(|cell| bits_of(&self.heap, cell)).collect()
    }

    /// Whether `got` is what was expected: each window written to by `write`,
    /// nothing else touched.
    fn judge(self, before: Vec<Vec<u64>>, got: Result<Vec<Written>, Error>) {
        match (got, self.expected()) {
            (Ok(written), None) => {
                let mut twin = before;
                let objects: Vec<Cell> =
                    self.objects.iter().flat_map(|(_, [a, b, _])| [*a, *b]).collect();
                assert_eq!(written.len(), self.windows.len());
                for ((old, new), (object, range)) in written.into_iter().zip(self.windows.clone()) {
                    let place = objects.iter().position(|other| *other == object).unwrap();
                    let part = &mut twin[place][range];
                    assert_eq!(part, old);
                    part.copy_from_slice(&new);
                }
                assert_eq!(self.contents(), twin);
            }
            (
                Err(Error::OutOfRange { index, .. }),
                Some(Error::OutOfRange { index: expected, .. }),
            ) => {
                assert_eq!(index, expected);
                assert_eq!(self.contents(), before);
            }
            (got, expected) => {
                assert_eq!(got.as_ref().err(), expected.as_ref(), "{:?}", self.windows);
                assert_eq!(self.contents(), before);
            }
        }
    }
}

/// Bits that were in a window, and those that were written to it.
type Written = (Vec<u64>, Vec<u64>);

fn write<T: Bits>(window: &mut [T], seed: u64) -> Written {
    let old = window.iter().map(|e| e.bits()).collect();
    for (n, place) in window.iter_mut().enumerate() {
        *place = T::of(seed.wrapping_mul(2 * n as u64 + 1) >> 7);
    }
    (old, window.iter().map(|e| e.bits()).collect())
}

fn bits_of(heap: &Heap, cell: Cell) -> Vec<u64> {
    macro_rules! of {
        ($($Kind:ident)*) => {$(
            if let Ok(object) = cell.to_handle::<$Kind>() {
                return contents(heap, object);
            }
        )*};
    }
    of!(Bytes U8Arr I64Arr F64Arr List Struct Pair Closure);
    panic!("{cell:?}")
}

fn one<A: Tested + Mutable>(parts: &Parts, seed: u64) {
    let mut scene = Scene::new(parts);
    let a = scene.ask::<A>();
    let before = scene.contents();
    let got = scene.heap.windows_mut((a,)).map(|(a,)| vec![write(a, seed)]);
    // The same as one window.
    let alone = scene.heap.window_mut(a.0, a.1).map(|window| window.len());
    assert_eq!(alone, got.as_ref().map(|written| written[0].0.len()).map_err(|error| *error));
    assert_eq!(scene.heap.window(a.0, a.1).map(|window| window.len()), alone);
    scene.judge(before, got);
}

fn two<A: Tested + Mutable, B: Tested + Mutable>(parts: &Parts, seed: u64) {
    let mut scene = Scene::new(parts);
    let (a, b) = (scene.ask::<A>(), scene.ask::<B>());
    let before = scene.contents();
    let windows = scene.heap.windows_mut((a, b));
    let got = windows.map(|(a, b)| vec![write(a, seed), write(b, !seed)]);
    scene.judge(before, got);
    // Whole objects.
    let mut scene = Scene::new(parts);
    let (a, b) = (scene.ask::<A>(), scene.ask::<B>());
    let got = scene.heap.windows_mut((a.0, b.0)).map(|(a, b)| [a.len(), b.len()]);
    let alive = [a.0.cell(), b.0.cell()].map(|object| scene.heap.contains(object));
    match got {
        Ok(lens) => {
            let [a, b] = [a.0.cell(), b.0.cell()].map(|cell| bits_of(&scene.heap, cell).len());
            assert_eq!(lens, [a, b]);
        }
        Err(Error::Stale { .. }) => assert_ne!(alive, [true; 2]),
        Err(error) => {
            assert_eq!((error, a.0.cell()), (Error::Overlap, b.0.cell()));
        }
    }
}

fn three<A: Tested + Mutable, B: Tested + Mutable, C: Tested + Mutable>(parts: &Parts, seed: u64) {
    let mut scene = Scene::new(parts);
    let (a, b, c) = (scene.ask::<A>(), scene.ask::<B>(), scene.ask::<C>());
    let before = scene.contents();
    let windows = scene.heap.windows_mut((a, b, c));
    let got =
        windows.map(|(a, b, c)| vec![write(a, seed), write(b, !seed), write(c, seed ^ 0xF0F0)]);
    scene.judge(before, got);
}

fn four<A, B, C, D>(parts: &Parts, seed: u64)
where
    A: Tested + Mutable,
    B: Tested + Mutable,
    C: Tested + Mutable,
    D: Tested + Mutable,
{
    let mut scene = Scene::new(parts);
    let asked = (scene.ask::<A>(), scene.ask::<B>(), scene.ask::<C>(), scene.ask::<D>());
    let before = scene.contents();
    let got = scene.heap.windows_mut(asked).map(|(a, b, c, d)| {
        vec![write(a, seed), write(b, !seed), write(c, seed ^ 0xF0F0), write(d, seed ^ 0xFF)]
    });
    scene.judge(before, got);
}

/// Hints of every life of one slot: each opens its own life and no other.
#[test]
fn every_life_of_a_slot() {
    let mut heap = heap();
    let mut hints: Vec<RangeHint<I64Arr>> = Vec::new();
    let mut first = None;
    for life in 0..4096_i64 {
        let array = heap.alloc(I64Arr::of(&[life, life])).unwrap();
        let slot = abi::bits(array.cell()) as u32;
        assert_eq!(*first.get_or_insert(slot), slot);
        let mut hint = heap.hint(array, ..).unwrap();
        assert_eq!(hint.get(&heap, 1), Ok(life));
        for back in [1, 2, 100, 4000] {
            let old = hints.len().checked_sub(back).and_then(|old| hints.get_mut(old));
            if let Some(old) = old {
                assert_eq!(old.get(&heap, 0), Err(Error::Stale { kind: Kind::I64ARR }));
                assert_eq!(old.set(&mut heap, 0, 9), Err(Error::Stale { kind: Kind::I64ARR }));
            }
        }
        hints.push(hint);
        if life < 4095 {
            heap.free(array).unwrap();
        }
    }
    assert_eq!(hints[4095].get(&heap, 0), Ok(4095));
    for hint in &mut hints[..4095] {
        assert_eq!(hint.get(&heap, 0), Err(Error::Stale { kind: Kind::I64ARR }));
    }
}

/// A hint is right also where its arena has used up a whole series of epochs.
#[test]
fn a_hint_outlives_its_series() {
    let mut heap = heap();
    let idle = heap.alloc(Bytes::of(&[])).unwrap();
    let kept = heap.alloc(Bytes::of(&[1, 2, 3])).unwrap();
    let mut hint = heap.hint(kept, 1..).unwrap();
    let mut other = hint;
    for step in 0..1_u32 << 24 {
        heap.get_mut(idle).unwrap().truncate(0).unwrap();
        if step.trailing_zeros() > 20 {
            assert_eq!(hint.get(&heap, 0), Ok(2));
        }
    }
    assert_eq!((hint.get(&heap, 1), hint.get(&heap, 2).is_err()), (Ok(3), true));
    heap.free(kept).unwrap();
    let next = heap.alloc(Bytes::of(&[7, 8, 9])).unwrap();
    assert_eq!(hint.get(&heap, 0), Err(Error::Stale { kind: Kind::BYTES }));
    assert_eq!(other.set(&mut heap, 0, 0), Err(Error::Stale { kind: Kind::BYTES }));
    let mut new = heap.hint(next, ..).unwrap();
    assert_eq!(new.get(&heap, 0), Ok(7));
    assert_eq!(hint.get(&heap, 0), Err(Error::Stale { kind: Kind::BYTES }));
}

/// Ranges of one array and of two are in the order that slices are in.
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

/// Sums that leave 64 bits on either side are exact.
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

/// No elements are a window like any other, whatever their alignment.
#[test]
fn empty_windows() {
    let mut heap = heap();
    let ints = heap.alloc(I64Arr::of(&[1, 2, 3])).unwrap();
    let none = heap.alloc(F64Arr::of(&[])).unwrap();
    let list = heap.alloc(List::with_capacity(4)).unwrap();
    let windows = heap.windows_mut(((ints, 1..1), none, list, (ints, ..)));
    assert_eq!(windows.map(|(a, b, c, d)| [a.len(), b.len(), c.len(), d.len()]), Ok([0, 0, 0, 3]));
}

/// A compaction moves what a hint was proved for.
#[test]
fn a_compaction_is_noticed() {
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
