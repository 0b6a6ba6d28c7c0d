//! Random programs on two heaps that keep hints of all kinds of sequences.

use core::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Closure, Error, F64Arr, Handle, Heap, I64Arr, List, Pair, RangeHint, Str,
    Struct, U8Arr,
};

use super::kinds::{Bits, Tested};
use super::{bounds, heap, index, resolve};

/// A hint, and what it was made from.
struct TrackedHint<K> {
    hint: RangeHint<K>,
    heap_id: usize,
    object: Handle<K>,
    start: usize,
    len: usize,
}

/// The live objects of one kind in one heap, with their models.
type Objects<K> = Vec<(Handle<K>, Vec<u64>)>;

/// The objects and hints of one kind.
struct Pool<K> {
    /// By position of the heap.
    objects: [Objects<K>; HEAPS],
    hints: Vec<TrackedHint<K>>,
}

const HEAPS: usize = 2;
const HINTS: usize = 48;

/// Two heaps. They can be replaced and swapped, so a heap is identified by an id.
struct Heaps {
    heaps: [Heap; HEAPS],
    ids: [usize; HEAPS],
}

/// A [`Pool`] of any kind. `at` is the position of a heap.
trait AnyPool {
    fn step(&mut self, heaps: &mut Heaps, at: usize, raw: [u64; 4]);
    fn check(&mut self, heaps: &mut Heaps, raw: u64);
    fn forget(&mut self, at: usize);
    fn swap(&mut self);
}

impl<K: Tested> Pool<K> {
    fn boxed() -> Box<dyn AnyPool> {
        Box::new(Pool::<K> { objects: Default::default(), hints: Vec::new() })
    }

    fn alloc(&mut self, heap: &mut Heap, at: usize, len: usize, raw: u64) {
        let elements: Vec<K::Element> = (0..K::len(len) as u64)
            .map(|n| K::element(raw.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))))
            .collect();
        let object = K::alloc(heap, &elements);
        self.objects[at].push((object, elements.iter().map(|e| e.bits()).collect()));
    }

    /// The result that an access through a hint must have.
    fn expected(
        &self,
        tracked: &TrackedHint<K>,
        heaps: &Heaps,
        at: usize,
        index: usize,
    ) -> Result<u64, Error> {
        let mut objects = self.objects[at].iter().filter(|_| heaps.ids[at] == tracked.heap_id);
        let found = objects.find(|(object, _)| *object == tracked.object);
        let (_, model) = found.ok_or(Error::Stale { kind: K::KIND })?;
        let end = tracked.start + tracked.len;
        if end > model.len() {
            return Err(Error::OutOfRange { index: end as u64, len: model.len() as u32 });
        }
        if index >= tracked.len {
            return Err(Error::OutOfRange { index: index as u64, len: tracked.len as u32 });
        }
        Ok(model[tracked.start + index])
    }

    fn keep(&mut self, tracked: TrackedHint<K>, raw: u64) {
        if self.hints.len() < HINTS {
            self.hints.push(tracked);
        } else {
            self.hints[raw as usize % HINTS] = tracked;
        }
    }

    /// Makes a hint for a range of the `nth` object.
    fn hint(&mut self, heaps: &mut Heaps, at: usize, nth: usize, raw: [u64; 2]) {
        let (object, model) = &self.objects[at][nth];
        let bounds = bounds(raw, model.len());
        match (heaps.heaps[at].hint(*object, bounds), resolve(bounds, model.len())) {
            (Ok(hint), Ok(Range { start, end })) => {
                let (heap_id, object, len) = (heaps.ids[at], *object, end - start);
                assert_eq!((hint.len(), hint.is_empty()), (len, len == 0));
                self.keep(TrackedHint { hint, heap_id, object, start, len }, raw[0]);
            }
            (Err(Error::OutOfRange { index, .. }), Err(expected)) => assert_eq!(index, expected),
            (hint, expected) => panic!("{hint:?}, not {expected:?}"),
        }
    }

    /// Narrows a hint.
    fn narrow(&mut self, nth: usize, raw: [u64; 2]) {
        let tracked = &self.hints[nth];
        let bounds = bounds(raw, tracked.len);
        match (tracked.hint.narrow(bounds), resolve(bounds, tracked.len)) {
            (Ok(hint), Ok(Range { start, end })) => {
                assert_eq!(hint.len(), end - start);
                let (start, len) = (tracked.start + start, end - start);
                self.keep(TrackedHint { hint, start, len, ..*tracked }, raw[0]);
            }
            (Err(Error::OutOfRange { index, .. }), Err(expected)) => assert_eq!(index, expected),
            (hint, expected) => panic!("{hint:?}, not {expected:?}"),
        }
    }

    /// Writes an element through a hint.
    fn set(&mut self, heaps: &mut Heaps, at: usize, nth: usize, [b, c]: [u64; 2]) {
        let tracked = &self.hints[nth];
        let index = index(b, tracked.len);
        let expected = self.expected(tracked, heaps, at, index).map(drop);
        let element = K::element(c);
        let tracked = &mut self.hints[nth];
        let result = K::set(&mut tracked.hint, &mut heaps.heaps[at], index, element);
        let Some(result) = result else { return };
        assert_eq!(result, expected, "set {index} of {:?}", tracked.hint);
        if result.is_ok() {
            let mut objects = self.objects[at].iter_mut();
            let (_, model) = objects.find(|(object, _)| *object == tracked.object).unwrap();
            model[tracked.start + index] = element.bits();
        }
    }
}

impl<K: Tested> AnyPool for Pool<K> {
    fn step(&mut self, heaps: &mut Heaps, at: usize, [op, a, b, c]: [u64; 4]) {
        let heap = &mut heaps.heaps[at];
        let count = self.objects[at].len();
        let nth = a as usize % count.max(1);
        let nth_hint = a as usize % self.hints.len().max(1);
        match op % 16 {
            _ if count == 0 => self.alloc(heap, at, b as usize % 12, c),
            0 if count < 12 => {
                let len = if b & 15 == 0 { 700 } else { b as usize % 12 };
                self.alloc(heap, at, len, c);
            }
            1 => {
                let (object, _) = self.objects[at].swap_remove(nth);
                heap.free(object).unwrap();
            }
            // The next object reuses slot and block.
            2 | 3 => {
                let (object, model) = self.objects[at].swap_remove(nth);
                heap.free(object).unwrap();
                self.alloc(heap, at, model.len(), c);
            }
            4..=8 => {
                let (object, model) = &mut self.objects[at][nth];
                K::change(heap, *object, model, [b, c, b ^ c]);
            }
            9..=12 => self.hint(heaps, at, nth, [b, c]),
            13 if !self.hints.is_empty() => self.narrow(nth_hint, [b, c]),
            _ if !self.hints.is_empty() => self.set(heaps, at, nth_hint, [b, c]),
            _ => {}
        }
    }

    /// Reads through each hint, and compares with a checked access.
    fn check(&mut self, heaps: &mut Heaps, raw: u64) {
        for nth in 0..self.hints.len() {
            let raw = raw.rotate_left(nth as u32 * 7) ^ nth as u64;
            let tracked = &self.hints[nth];
            let middle = (raw >> 16) as usize % tracked.len.max(1);
            let indices = [0, middle, tracked.len.saturating_sub(1), index(raw, tracked.len)];
            // Two of the four indices, mostly on the heap of the hint.
            let own = heaps.ids.iter().position(|&id| id == tracked.heap_id);
            let at = own.filter(|_| raw & 0x300 != 0).unwrap_or(raw as usize >> 4 & 1);
            for index in [indices[raw as usize & 1], indices[(raw as usize & 1) + 2]] {
                let tracked = &self.hints[nth];
                let expected = self.expected(tracked, heaps, at, index);
                let heap = &heaps.heaps[at];
                if let Ok(bits) = expected {
                    let checked = heap.get(tracked.object).unwrap().get(tracked.start + index);
                    assert_eq!(checked.map(Bits::bits), Ok(bits));
                }
                let tracked = &mut self.hints[nth];
                let result = tracked.hint.get(heap, index).map(Bits::bits);
                assert_eq!(
                    result,
                    expected,
                    "{index} of {:?}, {} of {}",
                    tracked.hint,
                    tracked.start,
                    tracked.object.cell().kind().unwrap()
                );
                assert_eq!(tracked.hint.len(), tracked.len);
            }
        }
    }

    fn forget(&mut self, at: usize) {
        self.objects[at].clear();
    }

    fn swap(&mut self) {
        self.objects.swap(0, 1);
    }
}

fn pools() -> [Box<dyn AnyPool>; 10] {
    [
        Pool::<I64Arr>::boxed(),
        Pool::<U8Arr>::boxed(),
        Pool::<Bytes>::boxed(),
        Pool::<F64Arr>::boxed(),
        Pool::<List>::boxed(),
        Pool::<Struct>::boxed(),
        Pool::<Str>::boxed(),
        Pool::<Pair>::boxed(),
        Pool::<Closure>::boxed(),
        Pool::<Bignum>::boxed(),
    ]
}

proptest! {
    #[test]
    fn agree_with_checked_accesses(
        steps in vec((any::<u8>(), any::<u8>(), any::<[u64; 4]>()), 1..120),
    ) {
        let mut heaps = Heaps { heaps: [heap(), heap()], ids: [0, 1] };
        let mut pools = pools();
        // Most steps are on two kinds, so that their hints accumulate.
        let main = steps[0].2[0] as usize;
        for (number, (pool, special, raw)) in steps.into_iter().enumerate() {
            let pool = match pool {
                0..=119 => main,
                120..=229 => main / 16,
                pool => pool.into(),
            } % pools.len();
            let at = (special >> 7) as usize;
            match special & 0x7F {
                0 => {
                    heaps.heaps[at].clear();
                    pools.iter_mut().for_each(|pool| pool.forget(at));
                }
                1 => {
                    // The new heap will return the same handles as the old one.
                    heaps.heaps[at] = heap();
                    heaps.ids[at] = number + HEAPS;
                    pools.iter_mut().for_each(|pool| pool.forget(at));
                }
                2 => {
                    // Heaps may be moved.
                    heaps.heaps.swap(0, 1);
                    heaps.ids.swap(0, 1);
                    pools.iter_mut().for_each(|pool| pool.swap());
                }
                _ => pools[pool].step(&mut heaps, at, raw),
            }
            pools[pool].check(&mut heaps, raw[3]);
        }
        for pool in &mut pools {
            pool.check(&mut heaps, 0);
            pool.check(&mut heaps, u64::MAX);
        }
    }
}
