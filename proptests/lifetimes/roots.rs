//! Pins and watches in numbers: random programs against lists of them, and their
//! costs.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use segheap::{Cell, Heap, Limits, List, Pair, Region, Settings, abi};

use crate::support::config;

#[derive(Clone, Debug)]
enum Op {
    Alloc(u8),
    Free(u16),
    Pin(u16),
    Unpin(u16),
    /// So many tokens for one object.
    Watch(u16, u8),
    /// Removes one of all tokens, or a token that the object does not have.
    Unwatch(u16, bool),
    /// Takes so many tokens, and leaks the iterator or drops it.
    Drain(usize, bool),
    /// Collects with every object as a root whose number is no multiple.
    Collect(u16),
    /// Opens a region or closes the innermost one, which keeps its first object or not.
    Region(bool, bool),
    Clear,
    Compact,
    CompactStep(u16),
    /// Growth fails after so many times.
    Fail(Option<u64>),
}

fn op() -> impl Strategy<Value = Op> {
    let drained = prop_oneof![0..4_usize, Just(usize::MAX)];
    prop_oneof![
        12 => (1..40_u8).prop_map(Op::Alloc),
        10 => any::<u16>().prop_map(Op::Free),
        10 => any::<u16>().prop_map(Op::Pin),
        10 => any::<u16>().prop_map(Op::Unpin),
        14 => (any::<u16>(), 1..5_u8).prop_map(|(n, tokens)| Op::Watch(n, tokens)),
        8 => (any::<u16>(), prop::bool::weighted(0.9)).prop_map(|(n, own)| Op::Unwatch(n, own)),
        8 => (drained, any::<bool>()).prop_map(|(n, leak)| Op::Drain(n, leak)),
        3 => (1..40_u16).prop_map(Op::Collect),
        4 => (any::<bool>(), any::<bool>()).prop_map(|(open, keep)| Op::Region(open, keep)),
        1 => Just(Op::Clear),
        3 => Just(Op::Compact),
        6 => any::<u16>().prop_map(Op::CompactStep),
        3 => prop::option::of(0..4_u64).prop_map(Op::Fail),
    ]
}

/// A heap, and lists of its objects, pins and tokens.
struct Model {
    heap: Heap,
    objects: Vec<Cell>,
    pins: BTreeMap<u64, u64>,
    /// In the order of attachment.
    tokens: Vec<(Cell, u64)>,
    /// With the number of the first object allocated inside.
    regions: Vec<(Region, usize)>,
    /// Whether growth may fail.
    failing: bool,
    serial: u64,
}

impl Model {
    fn pick(&self, n: u16) -> Option<Cell> {
        self.objects.get(usize::from(n).checked_rem(self.objects.len())?).copied()
    }

    fn forget_freed(&mut self) {
        let heap = &self.heap;
        let regions = &mut self.regions;
        let mut place = 0;
        let firsts: Vec<usize> = regions.iter().map(|region| region.1).collect();
        let mut removed = vec![0; firsts.len()];
        self.objects.retain(|&cell| {
            let live = heap.contains(cell);
            for (removed, &first) in removed.iter_mut().zip(&firsts) {
                *removed += usize::from(!live && place < first);
            }
            place += 1;
            live
        });
        regions.iter_mut().zip(removed).for_each(|(region, removed)| region.1 -= removed);
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Alloc(n) => {
                for _ in 0..n {
                    let pair = self.heap.alloc(Pair::of(Cell::NULL, Cell::NULL));
                    self.objects.extend(pair.ok().map(Cell::from));
                }
            }
            Op::Free(n) => {
                if let Some(cell) = self.pick(n) {
                    self.heap.free(cell).unwrap();
                }
            }
            Op::Pin(n) => {
                if let Some(cell) = self.pick(n) {
                    let pinned = self.heap.pin(cell);
                    assert!(self.failing || pinned.is_ok());
                    if pinned.is_ok() {
                        *self.pins.entry(abi::bits(cell)).or_default() += 1;
                    }
                }
            }
            Op::Unpin(n) => self.unpin(n),
            Op::Watch(n, tokens) => {
                for _ in 0..tokens {
                    let Some(cell) = self.pick(n) else { return };
                    self.serial += 1;
                    let watched = self.heap.watch(cell, self.serial);
                    assert!(self.failing || watched.is_ok());
                    if watched.is_ok() {
                        self.tokens.push((cell, self.serial));
                    }
                }
            }
            Op::Unwatch(n, own) => self.unwatch(n, own),
            Op::Drain(n, leak) => self.drain(n, leak),
            Op::Collect(multiple) => {
                let place = |&(n, _): &(usize, &Cell)| !n.is_multiple_of(multiple.into());
                let roots = self.objects.iter().enumerate().filter(place).map(|(_, cell)| *cell);
                self.heap.collect(roots).unwrap();
            }
            Op::Region(true, _) => {
                let region = self.heap.open_region();
                let first = self.objects.len();
                self.regions.extend(region.ok().map(|region| (region, first)));
            }
            Op::Region(false, keep) => {
                let Some((region, first)) = self.regions.pop() else { return };
                let kept = self.objects.get(first).copied().filter(|_| keep);
                self.heap.close_region(region, kept).unwrap();
            }
            Op::Clear => self.heap.clear(),
            Op::Compact => self.heap.compact(),
            Op::CompactStep(work) => drop(self.heap.compact_step(work.into()).unwrap()),
            Op::Fail(n) => {
                self.failing = n.is_some();
                self.heap.fail_growth_after(n);
            }
        }
    }

    /// Unpins an object, or one that was freed.
    fn unpin(&mut self, n: u16) {
        let pinned = usize::from(n / 2).checked_rem(self.pins.len());
        let bits = match pinned.filter(|_| n.is_multiple_of(2)) {
            Some(place) => self.pins.keys().nth(place).copied(),
            None => self.pick(n).map(abi::bits),
        };
        let Some(bits) = bits else { return };
        let count = self.pins.get(&bits).copied().unwrap_or(0);
        assert_eq!(self.heap.unpin(abi::cell(bits).unwrap()), count > 0);
        match count {
            0 | 1 => drop(self.pins.remove(&bits)),
            _ => drop(self.pins.insert(bits, count - 1)),
        }
    }

    /// A token is removed once, unless its object was freed before.
    fn unwatch(&mut self, n: u16, own: bool) {
        let Some(place) = usize::from(n).checked_rem(self.tokens.len()) else { return };
        let (cell, token) = self.tokens[place];
        let token = if own { token } else { self.serial + 1 };
        let removed = own && self.heap.contains(cell);
        assert_eq!(self.heap.unwatch(cell, token), removed);
        if removed {
            self.tokens.remove(place);
        }
    }

    /// An object is in the regions that were opened before it was allocated.
    fn check_regions(&mut self) {
        for (region, first) in &self.regions {
            for (place, &object) in self.objects.iter().enumerate() {
                assert_eq!(self.heap.allocated_in(region, object), Ok(place >= *first));
            }
        }
    }

    fn drain(&mut self, n: usize, leak: bool) {
        let dead: Vec<u64> = self
            .tokens
            .iter()
            .filter(|(cell, _)| !self.heap.contains(*cell))
            .map(|(_, token)| *token)
            .take(n)
            .collect();
        let mut drained = self.heap.drain_dead();
        assert_eq!(drained.by_ref().take(n).collect::<Vec<_>>(), dead);
        if leak {
            std::mem::forget(drained);
        }
        let dead: HashSet<u64> = dead.into_iter().collect();
        self.tokens.retain(|(_, token)| !dead.contains(token));
    }
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn agree_with_lists(seed: u64, program in prop::collection::vec(op(), 1..150)) {
        let mut model = Model {
            heap: Heap::with(Settings::seeded(seed)),
            objects: Vec::new(),
            pins: BTreeMap::new(),
            tokens: Vec::new(),
            regions: Vec::new(),
            failing: false,
            serial: 0,
        };
        for op in &program {
            model.step(op);
            model.forget_freed();
            model.check_regions();
            model.heap.verify().unwrap();
        }
        model.drain(usize::MAX, false);
        // What is left is pinned.
        let live = model.heap.collect([Cell::NULL]).unwrap().live;
        let pinned = model.pins.keys().filter(|&&bits| model.heap.contains(abi::cell(bits).unwrap()));
        prop_assert_eq!(live, pinned.count() as u64);
    }
}

/// Each token of an object can be removed, in any order, and the others are returned.
#[test]
fn any_token_of_an_object_is_removed() {
    for removed in 0..4 {
        let mut heap = Heap::with(Settings::seeded(1));
        let objects: [Cell; 2] = std::array::from_fn(|_| heap.alloc(List::new()).unwrap().cell());
        for token in 0..8 {
            heap.watch(objects[token as usize % 2], token).unwrap();
        }
        assert!(!heap.unwatch(objects[1], 2 * removed), "the token of another object");
        assert!(heap.unwatch(objects[0], 2 * removed) && !heap.unwatch(objects[0], 2 * removed));
        heap.verify().unwrap();
        objects.iter().for_each(|&object| heap.free(object).unwrap());
        assert!(heap.drain_dead().eq((0..8).filter(|&token| token != 2 * removed)));
        assert!(!heap.unwatch(objects[1], 1));
        heap.verify().unwrap();
    }
}

/// Would take hours if each look-up read the objects of its region, or if regions that open
/// and close inside had it learn them anew.
#[test]
fn cost_does_not_depend_on_the_number_of_objects_in_a_region() {
    const N: u32 = 200_000;
    let mut heap = Heap::with(Settings::seeded(1));
    let before = heap.alloc(List::new()).unwrap();
    let region = heap.open_region().unwrap();
    let mut objects = Vec::new();
    for n in 0..N {
        objects.push(heap.alloc(Pair::of(n.into(), Cell::NULL)).unwrap());
        let older = objects[n as usize / 2];
        assert_eq!(heap.allocated_in(&region, older), Ok(true));
        let inner = heap.open_region().unwrap();
        let local = heap.alloc(List::new()).unwrap();
        assert_eq!(heap.allocated_in(&region, local), Ok(true));
        assert_eq!(heap.allocated_in(&inner, local), Ok(true));
        assert_eq!(heap.allocated_in(&inner, older), Ok(false));
        heap.close_region(inner, [Cell::NULL]).unwrap();
        assert_eq!(heap.allocated_in(&region, before), Ok(false));
    }
    heap.verify().unwrap();
    heap.close_region(region, [Cell::NULL]).unwrap();
}

/// A look-up needs no memory: it takes longer without.
#[test]
fn look_ups_without_memory() {
    let mut heap = Heap::with(Settings::seeded(1));
    let before = heap.alloc(List::new()).unwrap();
    let region = heap.open_region().unwrap();
    let objects: Vec<Cell> =
        (0..1_000).map(|_| heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell()).collect();
    heap.fail_growth_after(Some(0));
    for refusals in 0..4 {
        let used = heap.usage().total_bytes;
        let found = |heap: &mut Heap, cell| heap.allocated_in(&region, cell).unwrap();
        assert!(objects.iter().all(|&object| found(&mut heap, object)));
        assert!(!found(&mut heap, before.cell()) && !found(&mut heap, 7.into()));
        heap.verify().unwrap();
        assert!(refusals == 3 || heap.usage().total_bytes <= used + 64);
        heap.fail_growth_after(Some(refusals));
    }
    // The table is given back.
    let used = heap.usage().total_bytes;
    heap.compact();
    assert!(heap.usage().total_bytes < used - 4_096);
    assert_eq!(heap.allocated_in(&region, objects[0]), Ok(true));
    heap.free(objects[1]).unwrap();
    assert_eq!(heap.allocated_in(&region, objects[1]), Ok(false));
    heap.close_region(region, [Cell::NULL]).unwrap();
    let other = heap.open_region().unwrap();
    assert_eq!(heap.allocated_in(&other, objects[0]), Ok(false));
    heap.verify().unwrap();
}

#[test]
fn a_leaked_drain_loses_no_token() {
    let mut heap = Heap::with(Settings::seeded(1));
    let pair = heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap();
    heap.watch(pair, 17).unwrap();
    std::mem::forget(heap.drain_dead());
    heap.free(pair).unwrap();
    std::mem::forget(heap.drain_dead());
    assert_eq!(heap.drain_dead().collect::<Vec<_>>(), [17]);
}

/// Would take hours if each pin moved the others, or each drain visited all tokens.
#[test]
fn cost_does_not_depend_on_the_number_of_pins_and_tokens() {
    const N: u64 = 300_000;
    let mut heap = Heap::with(Settings::seeded(1));
    let objects: Vec<Cell> =
        (0..N).map(|_| heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell()).collect();
    objects.iter().for_each(|&cell| heap.pin(cell).unwrap());
    objects.iter().for_each(|&cell| assert!(heap.unpin(cell)));
    objects.iter().rev().for_each(|&cell| heap.pin(cell).unwrap());
    objects.iter().rev().for_each(|&cell| assert!(heap.unpin(cell)));
    for (&cell, token) in objects.iter().zip(0..N) {
        heap.watch(cell, token).unwrap();
        let other = heap.alloc(List::new()).unwrap();
        heap.free(other).unwrap();
        assert_eq!(heap.drain_dead().next(), None);
    }
    for (&cell, token) in objects.iter().rev().zip((0..N).rev()) {
        heap.free(cell).unwrap();
        assert_eq!(heap.drain_dead().next(), Some(token));
    }
}

/// Pins and tokens that are removed leave no memory behind.
#[test]
fn compaction_gives_the_memory_of_pins_and_tokens_back() {
    let mut heap = Heap::with(Settings::seeded(1));
    let objects: Vec<Cell> =
        (0..2_000).map(|_| heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell()).collect();
    for (&cell, token) in objects.iter().zip(0..) {
        heap.pin(cell).unwrap();
        heap.watch(cell, token).unwrap();
    }
    heap.compact();
    let full = heap.usage().total_bytes;
    objects[1..].iter().for_each(|&cell| assert!(heap.unpin(cell)));
    heap.collect([Cell::NULL]).unwrap();
    assert_eq!(heap.drain_dead().take(1_998).count(), 1_998);
    heap.compact();
    // Two tokens and a pin are left, and slots.
    assert!(full - heap.usage().total_bytes > 2_000 * 48);
    assert_eq!(heap.drain_dead().collect::<Vec<_>>(), [1_999]);
    heap.verify().unwrap();
    heap.free(objects[0]).unwrap();
    assert_eq!(heap.drain_dead().collect::<Vec<_>>(), [0]);
}

/// An attached token counts against the limit, and freeing needs no memory.
#[test]
fn freeing_watched_objects_needs_no_memory() {
    let mut heap = Heap::with(Settings::seeded(1));
    let objects: Vec<Cell> =
        (0..1_000).map(|_| heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell()).collect();
    let bytes = heap.usage().total_bytes as usize + 30_000;
    heap.set_limits(Limits::NONE.with_bytes(bytes));
    let watched = objects.iter().zip(0..).take_while(|&(&cell, n)| heap.watch(cell, n).is_ok());
    let watched = watched.count();
    assert!((300..1_000).contains(&watched), "{watched}");
    heap.fail_growth_after(Some(0));
    objects.iter().rev().for_each(|&cell| heap.free(cell).unwrap());
    assert!(heap.drain_dead().eq(0..watched as u64));
    assert!(heap.usage().total_bytes <= bytes as u64);
}

/// What an object retains: what nothing but itself leads to, whatever it leads to itself.
#[test]
fn an_object_retains_what_only_it_reaches() {
    let mut heap = Heap::with(Settings::seeded(1));
    let mut list = |cells: &[Cell]| heap.alloc(List::of(cells)).unwrap().cell();
    let inner = list(&[1.into(); 9]);
    let (own, shared, pinned) = (list(&[inner]), list(&[]), list(&[3.into(); 20]));
    let object = list(&[own, shared, pinned]);
    let root = list(&[object, shared]);
    heap.get_mut::<List>(own).unwrap().push(object).unwrap();
    let size = |heap: &Heap, cells: &[Cell]| -> u64 {
        cells.iter().map(|&cell| heap.shallow_size(cell).unwrap()).sum()
    };
    for roots in [[root, Cell::NULL], [root, object], [object, shared]] {
        heap.pin(pinned).unwrap();
        let retained = heap.retained_size(roots, object).unwrap();
        assert_eq!(retained, size(&heap, &[object, own, inner]));
        assert!(heap.unpin(pinned));
        let retained = heap.retained_size(roots, object).unwrap();
        assert_eq!(retained, size(&heap, &[object, own, inner, pinned]));
    }
    heap.verify().unwrap();
}
