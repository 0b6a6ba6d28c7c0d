//! Random copies.

use proptest::collection::vec;
use proptest::prelude::*;
use segheap::{Bytes, Cell, F64Arr, Heap, I64Arr, Kind, List, U8Arr};

use super::Form::{self, Convert};
use super::op::Op;
use super::snapshot::{alloc, populated};
use super::source::Source;
use super::{bounds, index, resolve, routes};

/// The parameters of a random copy.
#[derive(Clone, Debug)]
pub struct Recipe {
    source: Vec<u64>,
    target: Vec<u64>,
    /// Where elements do not convert.
    inconvertible: Vec<(usize, u64)>,
    bounds: [u64; 2],
    pub(super) at: u64,
    /// How many elements the target is truncated by, for spare capacity.
    spare: usize,
    /// If bits 0 and 1 are zero, the source is the target too, if kinds permit. If bits 5
    /// to 7 are zero, the target is freed; otherwise if bits 2 to 4 are zero, the source.
    flags: u8,
}

pub(super) fn recipe(
    lens: impl Strategy<Value = usize> + Clone + 'static,
) -> impl Strategy<Value = Recipe> {
    let raws = |lens: BoxedStrategy<usize>| {
        (lens, any::<u64>()).prop_map(|(len, seed)| pseudo_random(seed, len))
    };
    let index = prop_oneof![
        3 => prop_oneof![Just(0), Just(511), Just(512), Just(513), Just(1023), Just(1024)],
        2 => Just(usize::MAX),
        3 => 0..1100_usize,
    ];
    let inconvertible = prop_oneof![3 => Just(Vec::new()), 2 => vec((index, any::<u64>()), 1..4)];
    (
        raws(lens.clone().boxed()),
        raws(prop_oneof![3 => (0..24_usize).boxed(), 1 => lens.boxed()].boxed()),
        inconvertible,
        any::<[u64; 2]>(),
        any::<u64>(),
        0..8_usize,
        any::<u8>(),
    )
        .prop_map(|(source, target, inconvertible, bounds, at, spare, flags)| Recipe {
            source,
            target,
            inconvertible,
            bounds,
            at,
            spare,
            flags,
        })
}

/// Pseudo-random numbers from a seed.
pub(super) fn pseudo_random(seed: u64, len: usize) -> Vec<u64> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    };
    (0..len).map(next).collect()
}

pub(super) fn lens() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![4 => 0..20_usize, 3 => 505..520_usize, 2 => 1018..1030_usize, 1 => 0..1600_usize]
}

/// A copy: the route, whether to call the typed function, and the data.
pub type Copy = (usize, bool, Recipe);

pub fn copy() -> impl Strategy<Value = Copy> {
    (any::<usize>(), any::<bool>(), recipe(lens()))
}

/// Runs copies on one heap and compares each with the reference.
pub fn run(copies: &[Copy]) {
    let routes: Vec<_> = routes().collect();
    let (mut heap, handles) = populated();
    for (route, typed, recipe) in copies {
        recipe.check(&mut heap, routes[route % routes.len()], &handles, *typed);
        assert_eq!(heap.verify(), Ok(()));
    }
}

impl Recipe {
    /// Allocates source and target.
    pub(super) fn prepare(
        &self,
        heap: &mut Heap,
        (from, to, form): (Kind, Kind, Form),
        handles: &[Cell],
        typed: bool,
    ) -> Op {
        let kinds = Source::new(from, to, handles);
        let mut elements = kinds.elements(&self.source);
        let len = elements.len();
        for &(index, raw) in &self.inconvertible {
            kinds.insert_inconvertible(&mut elements, index, raw);
        }
        let source = alloc(heap, from, &elements).unwrap();
        let mut target = source;
        let mut target_len = len;
        if form != Convert && (from != to || self.flags & 3 != 0) {
            let filling = Source::new(to, to, handles).elements(&self.target);
            target = alloc(heap, to, &filling).unwrap();
            target_len = filling.len();
            if to != Kind::STR {
                target_len -= target_len.min(self.spare);
                truncate(heap, target, target_len);
            }
        }
        // Mostly where the range fits.
        let bounds = bounds(self.bounds, len);
        let count = resolve(bounds, len).map_or(0, |range| range.len());
        let at = match target_len.checked_sub(count) {
            Some(last) if self.at & 0xC000_0000_0000_0000 != 0 => {
                (self.at >> 8) as usize % (last + 1)
            }
            _ => index(self.at, target_len),
        };
        Op { form, typed, to, target, at, source, bounds }
    }

    /// Allocates source and target, checks the copy, and frees them.
    pub(super) fn check(
        &self,
        heap: &mut Heap,
        route: (Kind, Kind, Form),
        handles: &[Cell],
        typed: bool,
    ) {
        let op = self.prepare(heap, route, handles, typed);
        if self.flags & 0x1C == 0 && self.flags & 0xE0 != 0 {
            heap.free(op.source).unwrap();
        } else if self.flags & 0xE0 == 0 {
            heap.free(op.target).unwrap();
        }
        op.check(heap, false);
        for object in [op.source, op.target] {
            // Fails if they are one object, or freed before.
            let _ = heap.free(object);
        }
    }
}

fn truncate(heap: &mut Heap, object: Cell, len: usize) {
    match object.kind() {
        Some(Kind::BYTES) => heap.get_mut::<Bytes>(object).unwrap().truncate(len).unwrap(),
        Some(Kind::U8ARR) => heap.get_mut::<U8Arr>(object).unwrap().truncate(len).unwrap(),
        Some(Kind::I64ARR) => heap.get_mut::<I64Arr>(object).unwrap().truncate(len).unwrap(),
        Some(Kind::F64ARR) => heap.get_mut::<F64Arr>(object).unwrap().truncate(len).unwrap(),
        _ => heap.get_mut::<List>(object).unwrap().truncate(len).unwrap(),
    }
}
