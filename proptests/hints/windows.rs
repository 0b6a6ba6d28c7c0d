//! Windows: up to four at once, of equal or different kinds.

use core::ops::Range;

use proptest::prelude::*;
use segheap::{
    Bytes, Cell, Closure, Error, F64Arr, Handle, Heap, I64Arr, Kind, List, Mutable, Pair, Struct,
    U8Arr,
};

use super::kinds::{Bits, Tested};
use super::{Bounds, bounds, contents, elements, heap, resolve};

/// For each window, which of three objects of its kind, and which range of it.
type Requests = [(u8, [u64; 2]); 4];

fn requests() -> impl Strategy<Value = Requests> {
    let request = prop_oneof![
        3 => (any::<u8>(), any::<[u64; 2]>()),
        // Short ranges, which overlap less often.
        4 => (any::<u8>(), 0..60_u64, 0..6_u64).prop_map(|(which, start, len)| {
            (which, [7 | 31 << 3 | start << 8, 7 | 31 << 3 | (start + len) << 8])
        }),
    ];
    [request.clone(), request.clone(), request.clone(), request]
}

/// A heap with three objects of each kind that is requested; the last one is freed.
struct Scenario {
    heap: Heap,
    objects: Vec<(Kind, [Cell; 3])>,
    requests: Requests,
    requested: usize,
    /// The windows expected if no request is invalid.
    windows: Vec<(Cell, Range<usize>)>,
    /// The error of the first invalid request.
    error: Option<Error>,
}

impl Scenario {
    fn new(requests: &Requests) -> Scenario {
        Scenario {
            heap: heap(),
            objects: Vec::new(),
            requests: *requests,
            requested: 0,
            windows: Vec::new(),
            error: None,
        }
    }

    /// Resolves the next request, and records what to expect from it.
    fn request<K: Tested + Mutable>(&mut self) -> (Handle<K>, Bounds) {
        let found = self.objects.iter().find(|(kind, _)| *kind == K::KIND);
        let objects = found.map(|(_, objects)| *objects).unwrap_or_else(|| {
            let objects =
                [61, 9, 5].map(|len| K::alloc(&mut self.heap, &elements::<K>(len, 0)).cell());
            self.heap.free(objects[2]).unwrap();
            self.objects.push((K::KIND, objects));
            objects
        });
        let (which, raw) = self.requests[self.requested];
        self.requested += 1;
        let object = objects[match which {
            0..=3 => 2,
            4..=60 => 1,
            _ => 0,
        }];
        let len = self.heap.get::<K>(object).map_or(0, |view| view.len());
        let bounds = bounds(raw, len);
        let error = match resolve(bounds, len) {
            _ if !self.heap.contains(object) => Some(Error::Stale { kind: K::KIND }),
            Err(index) => Some(Error::OutOfRange { index, len: len as u32 }),
            Ok(range) => {
                self.windows.push((object, range));
                None
            }
        };
        self.error = self.error.or(error);
        (object.to_handle().unwrap(), bounds)
    }

    /// The error that opening the windows must return, if any.
    fn expected_error(&self) -> Option<Error> {
        let overlap = |n: usize, m: usize| {
            let ((a, x), (b, y)) = (&self.windows[n], &self.windows[m]);
            a == b && x.start.max(y.start) < x.end.min(y.end)
        };
        let count = self.windows.len();
        let overlaps = (0..count).any(|n| (0..n).any(|m| overlap(n, m)));
        self.error.or(overlaps.then_some(Error::Overlap))
    }

    fn live(&self) -> impl Iterator<Item = Cell> {
        self.objects.iter().flat_map(|&(_, [a, b, _])| [a, b])
    }

    fn contents(&self) -> Vec<Vec<u64>> {
        self.live().map(|cell| bits_of(&self.heap, cell)).collect()
    }

    /// Asserts that `got` is the expected result: each window was written by `write`,
    /// and nothing else changed.
    fn check(self, before: Vec<Vec<u64>>, got: Result<Vec<Written>, Error>) {
        match (got, self.expected_error()) {
            (Ok(written), None) => {
                let mut model = before;
                let objects: Vec<Cell> = self.live().collect();
                assert_eq!(written.len(), self.windows.len());
                for ((old, new), (object, range)) in written.into_iter().zip(self.windows.clone()) {
                    let n = objects.iter().position(|other| *other == object).unwrap();
                    let part = &mut model[n][range];
                    assert_eq!(part, old);
                    part.copy_from_slice(&new);
                }
                assert_eq!(self.contents(), model);
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

/// The old bits of a window, and those that were written.
type Written = (Vec<u64>, Vec<u64>);

fn write<T: Bits>(window: &mut [T], seed: u64) -> Written {
    let old = window.iter().map(|e| e.bits()).collect();
    for (n, element) in window.iter_mut().enumerate() {
        *element = T::of(seed.wrapping_mul(2 * n as u64 + 1) >> 7);
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

fn one<A: Tested + Mutable>(requests: &Requests, seed: u64) {
    let mut scenario = Scenario::new(requests);
    let a = scenario.request::<A>();
    let before = scenario.contents();
    let got = scenario.heap.windows_mut((a,)).map(|(a,)| vec![write(a, seed)]);
    // `window` and `window_mut` return the same result.
    let single = scenario.heap.window_mut(a.0, a.1).map(|window| window.len());
    assert_eq!(single, got.as_ref().map(|written| written[0].0.len()).map_err(|error| *error));
    assert_eq!(scenario.heap.window(a.0, a.1).map(|window| window.len()), single);
    scenario.check(before, got);
}

fn two<A: Tested + Mutable, B: Tested + Mutable>(requests: &Requests, seed: u64) {
    let mut scenario = Scenario::new(requests);
    let (a, b) = (scenario.request::<A>(), scenario.request::<B>());
    let before = scenario.contents();
    let windows = scenario.heap.windows_mut((a, b));
    let got = windows.map(|(a, b)| vec![write(a, seed), write(b, !seed)]);
    scenario.check(before, got);
    // Whole objects.
    let mut scenario = Scenario::new(requests);
    let (a, b) = (scenario.request::<A>(), scenario.request::<B>());
    let got = scenario.heap.windows_mut((a.0, b.0)).map(|(a, b)| [a.len(), b.len()]);
    let live = [a.0.cell(), b.0.cell()].map(|object| scenario.heap.contains(object));
    match got {
        Ok(lens) => {
            let [a, b] = [a.0.cell(), b.0.cell()].map(|cell| bits_of(&scenario.heap, cell).len());
            assert_eq!(lens, [a, b]);
        }
        Err(Error::Stale { .. }) => assert_ne!(live, [true; 2]),
        Err(error) => {
            assert_eq!((error, a.0.cell()), (Error::Overlap, b.0.cell()));
        }
    }
}

fn three<A, B, C>(requests: &Requests, seed: u64)
where
    A: Tested + Mutable,
    B: Tested + Mutable,
    C: Tested + Mutable,
{
    let mut scenario = Scenario::new(requests);
    let targets = (scenario.request::<A>(), scenario.request::<B>(), scenario.request::<C>());
    let before = scenario.contents();
    let got = scenario
        .heap
        .windows_mut(targets)
        .map(|(a, b, c)| vec![write(a, seed), write(b, !seed), write(c, seed ^ 0xF0F0)]);
    scenario.check(before, got);
}

fn four<A, B, C, D>(requests: &Requests, seed: u64)
where
    A: Tested + Mutable,
    B: Tested + Mutable,
    C: Tested + Mutable,
    D: Tested + Mutable,
{
    let mut scenario = Scenario::new(requests);
    let targets = (
        scenario.request::<A>(),
        scenario.request::<B>(),
        scenario.request::<C>(),
        scenario.request::<D>(),
    );
    let before = scenario.contents();
    let got = scenario.heap.windows_mut(targets).map(|(a, b, c, d)| {
        vec![write(a, seed), write(b, !seed), write(c, seed ^ 0xF0F0), write(d, seed ^ 0xFF)]
    });
    scenario.check(before, got);
}

proptest! {
    #[test]
    fn windows_of_two_kinds(requests in requests(), seed in any::<u64>()) {
        two::<Bytes, Bytes>(&requests, seed);
        two::<U8Arr, I64Arr>(&requests, seed);
        two::<List, F64Arr>(&requests, seed);
        two::<Struct, Pair>(&requests, seed);
        two::<I64Arr, I64Arr>(&requests, seed);
    }

    #[test]
    fn up_to_four_windows(requests in requests(), seed in any::<u64>()) {
        one::<U8Arr>(&requests, seed);
        one::<F64Arr>(&requests, seed);
        three::<U8Arr, U8Arr, U8Arr>(&requests, seed);
        three::<F64Arr, Bytes, F64Arr>(&requests, seed);
        four::<Bytes, Bytes, Bytes, Bytes>(&requests, seed);
        four::<Bytes, List, Bytes, I64Arr>(&requests, seed);
        four::<I64Arr, I64Arr, I64Arr, I64Arr>(&requests, seed);
        four::<Closure, List, F64Arr, U8Arr>(&requests, seed);
    }
}

/// Empty windows are valid for element types of any alignment.
#[test]
fn empty_windows() {
    let mut heap = heap();
    let ints = heap.alloc(I64Arr::of(&[1, 2, 3])).unwrap();
    let empty = heap.alloc(F64Arr::of(&[])).unwrap();
    let list = heap.alloc(List::with_capacity(4)).unwrap();
    let windows = heap.windows_mut(((ints, 1..1), empty, list, (ints, ..)));
    assert_eq!(windows.map(|(a, b, c, d)| [a.len(), b.len(), c.len(), d.len()]), Ok([0, 0, 0, 3]));
}
