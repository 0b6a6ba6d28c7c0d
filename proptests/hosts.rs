//! Host objects: their values are dropped once, when their object is freed by whatever
//! operation, and never before; they count against the limits.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use segheap::{Cell, Error, Heap, Kind, Limits, List, Region, Settings, Unpacked};

use crate::machine::{example, host};
use crate::support::{config, heap};

/// The numbers of the values that were dropped.
type Dropped = Arc<Mutex<Vec<u32>>>;

/// A value that records when it is dropped.
struct Value {
    number: u32,
    dropped: Dropped,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.dropped.lock().unwrap().push(self.number);
    }
}

/// What a program does.
#[derive(Clone, Debug)]
enum Op {
    Host,
    /// Into the list, if it is allocated.
    Keep(usize),
    Free(usize),
    Take(usize),
    Declare(usize, usize),
    Open,
    Close(Vec<usize>),
    Collect(Vec<usize>),
    Young(Vec<usize>),
    Step(Vec<usize>, u64),
    Debt(Vec<usize>),
    Clear,
    Compact,
    /// Allocates and frees other objects, so that slots and blocks are in use.
    Garbage(usize),
    /// Growths fail from here on, or succeed again.
    Fail(Option<u64>),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || any::<usize>();
    let some = || prop::collection::vec(any::<usize>(), 0..12);
    prop_oneof![
        12 => Just(Op::Host),
        2 => n().prop_map(Op::Keep),
        2 => n().prop_map(Op::Free),
        2 => n().prop_map(Op::Take),
        2 => (n(), 0_usize..5000).prop_map(|(n, bytes)| Op::Declare(n, bytes)),
        1 => Just(Op::Open),
        1 => some().prop_map(Op::Close),
        1 => some().prop_map(Op::Collect),
        1 => some().prop_map(Op::Young),
        6 => (some(), 1_u64..400).prop_map(|(some, work)| Op::Step(some, work)),
        1 => some().prop_map(Op::Debt),
        1 => Just(Op::Compact),
        1 => (0_usize..40).prop_map(Op::Garbage),
        1 => prop::option::of(0_u64..3).prop_map(Op::Fail),
        1 => prop::bool::weighted(0.2).prop_map(|clear| if clear { Op::Clear } else { Op::Host }),
    ]
}

struct Program {
    heap: Heap,
    list: Cell,
    regions: Vec<Region>,
    dropped: Dropped,
    /// Every host object there was, with its number.
    objects: Vec<(Cell, u32)>,
    taken: Vec<u32>,
    declared: HashMap<u32, usize>,
}

impl Program {
    fn new(seed: u64) -> Program {
        let mut heap = heap(seed);
        let list = heap.alloc(List::new()).unwrap().cell();
        Program {
            heap,
            list,
            regions: Vec::new(),
            dropped: Dropped::default(),
            objects: Vec::new(),
            taken: Vec::new(),
            declared: HashMap::new(),
        }
    }

    fn pick(&self, n: usize) -> Cell {
        n.checked_rem(self.objects.len()).map_or(Cell::NULL, |n| self.objects[n].0)
    }

    /// Some host objects, and the list.
    fn roots(&self, some: &[usize]) -> Vec<Cell> {
        some.iter().map(|&n| self.pick(n)).chain([self.list]).collect()
    }

    fn host(&mut self) {
        let number = self.objects.len() as u32;
        let (before, dropped) = (self.heap.usage(), self.dropped.clone());
        match self.heap.host(Value { number, dropped }) {
            Ok(object) => self.objects.push((object, number)),
            Err(refused) => {
                assert_eq!(refused.error, Error::OutOfMemory);
                assert_eq!(refused.value.number, number);
                assert_eq!(self.heap.usage(), before);
                // The value was not lost, and is no object's.
                self.taken.push(number);
                drop(refused);
                self.dropped.lock().unwrap().retain(|&dropped| dropped != number);
                self.objects.push((Cell::NULL, number));
            }
        }
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Host => self.host(),
            Op::Keep(n) => {
                let object = self.pick(*n);
                if let Ok(mut list) = self.heap.get_mut::<List>(self.list) {
                    let _ = list.push(object);
                }
            }
            Op::Free(n) => {
                let _ = self.heap.free(self.pick(*n));
            }
            Op::Take(n) => {
                let object = self.pick(*n);
                assert!(self.heap.take_host::<u32>(object).is_err());
                if let Ok(value) = self.heap.take_host::<Value>(object) {
                    self.taken.push(value.number);
                    drop(value);
                    self.dropped.lock().unwrap().pop();
                }
            }
            Op::Declare(n, bytes) => {
                let object = self.pick(*n);
                if self.heap.set_host_bytes(object, *bytes).is_ok() {
                    let number = self.heap.host_ref::<Value>(object).unwrap().number;
                    self.declared.insert(number, *bytes);
                }
            }
            Op::Open => self.regions.extend(self.heap.open_region()),
            Op::Close(some) => {
                let keep = self.roots(some);
                if let Some(region) = self.regions.pop() {
                    self.heap.close_region(region, keep).unwrap();
                }
            }
            Op::Collect(some) => drop(self.heap.collect(self.roots(some)).unwrap()),
            Op::Young(some) => drop(self.heap.collect_young(self.roots(some)).unwrap()),
            Op::Step(some, work) => drop(self.heap.step(self.roots(some), *work).unwrap()),
            Op::Debt(some) => drop(self.heap.collect_debt(self.roots(some)).unwrap()),
            Op::Clear => {
                self.heap.clear();
                self.list = self.heap.alloc(List::new()).map_or(Cell::NULL, Cell::from);
            }
            Op::Compact => self.heap.compact(),
            Op::Garbage(n) => {
                for kind in Kind::ALL.into_iter().cycle().take(*n) {
                    let _ = example(&mut self.heap, kind, 0);
                }
            }
            Op::Fail(growths) => self.heap.fail_growth_after(*growths),
        }
    }

    /// A value is dropped if and only if its object was freed, once.
    fn check(&mut self) {
        self.heap.verify().unwrap();
        let mut dropped = self.dropped.lock().unwrap().clone();
        dropped.sort_unstable();
        let (mut expected, mut bytes, mut live) = (Vec::new(), 0, 0);
        for &(object, number) in &self.objects {
            match self.heap.host_ref::<Value>(object) {
                Ok(value) => {
                    assert_eq!(value.number, number);
                    live += 1;
                    bytes += size_of::<Value>() + self.declared.get(&number).unwrap_or(&0);
                }
                Err(Error::Stale { kind }) => {
                    assert_eq!(kind, host());
                    expected.push(number);
                }
                Err(error) => assert_eq!((error, object), (Error::NotAHandle, Cell::NULL)),
            }
        }
        expected.retain(|number| !self.taken.contains(number));
        assert_eq!(dropped, expected);
        let usage = self.heap.usage();
        assert_eq!((usage.hosts.live, usage.host_bytes), (live, bytes as u64));
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn values_are_dropped_with_their_objects(
        seed in any::<u64>(),
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let mut program = Program::new(seed);
        for op in &ops {
            program.run(op);
            program.check();
        }
        let Program { heap, dropped, objects, taken, .. } = program;
        drop(heap);
        assert_eq!(dropped.lock().unwrap().len() + taken.len(), objects.len());
    }
}

/// Each operation that frees, with two objects of which the value of one panics when it is
/// dropped: the other one is dropped as well, and the heap is whole.
#[test]
fn a_panic_of_a_drop_loses_nothing() {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    struct Panics(bool);
    impl Drop for Panics {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Relaxed);
            assert!(!self.0, "a drop that panics");
        }
    }
    type Route = fn(&mut Heap, Region, [Cell; 3]) -> Result<(), Error>;
    let routes: [Route; 6] = [
        |heap, region, _| heap.close_region(region, [Cell::NULL]).map(drop),
        |heap, region, [kept, ..]| heap.close_region(region, [kept]).map(drop),
        |heap, _, _| heap.collect([Cell::NULL]).map(drop),
        |heap, _, _| heap.collect_young([Cell::NULL]).map(drop),
        |heap, _, _| heap.step([Cell::NULL], 1 << 20).map(drop),
        |heap, _, _| {
            heap.clear();
            Ok(())
        },
    ];
    for route in routes {
        let mut heap = Heap::with(Settings::seeded(3));
        heap.collect_young([Cell::NULL]).unwrap();
        let region = heap.open_region().unwrap();
        let kept = heap.alloc(List::new()).unwrap().cell();
        let objects = [true, true, false].map(|panics| heap.host(Panics(panics)).unwrap());
        DROPS.store(0, Relaxed);
        let cells = [kept, objects[0], objects[1]];
        let outcome = catch_unwind(AssertUnwindSafe(|| route(&mut heap, region, cells)));
        assert!(outcome.is_err(), "the panic propagates");
        // Without `std`, the next operations drop the others.
        for _ in 0..2 {
            let collected = catch_unwind(AssertUnwindSafe(|| heap.collect([Cell::NULL])));
            assert!(collected.is_ok() || cfg!(not(feature = "std")));
        }
        assert_eq!(DROPS.load(Relaxed), 3);
        assert!(objects.iter().all(|&object| heap.host_ref::<Panics>(object).is_err()));
        heap.verify().unwrap();
    }
}

#[test]
fn a_host_object_is_a_value_like_any_other() {
    let mut heap = Heap::with(Settings::seeded(3));
    let (a, b) = (heap.host("a value").unwrap(), heap.host("a value").unwrap());
    assert_eq!(a.unpack(), Unpacked::Host);
    assert_eq!(format!("{a:?}, {}", heap.display(a)), "Host#0, Host#0");
    assert!(heap.key_eq(a, a).unwrap() && !heap.key_eq(a, b).unwrap());
    assert!(heap.deep_eq(a, a).unwrap() && !heap.deep_eq(a, b).unwrap());
    let [left, right] = [a, b].map(|cell| heap.alloc(List::of(&[cell])).unwrap().cell());
    assert!(!heap.deep_eq(left, right).unwrap());
    assert_eq!(heap.edges(a).unwrap().count(), 0);
    assert_eq!(heap.path_from_roots([left], a).unwrap().unwrap().len(), 2);
    heap.watch(a, 9).unwrap();
    heap.pin(b).unwrap();
    heap.collect([Cell::NULL]).unwrap();
    assert_eq!(heap.drain_dead().collect::<Vec<_>>(), [9]);
    assert!(!heap.contains(a) && heap.contains(b));
    assert_eq!(format!("{}, {}", heap.display(a), heap.display(b)), "gone, Host#1");
    let key = heap.new_seal_key().unwrap();
    let sealed = heap.seal(b, &key).unwrap();
    assert_eq!(heap.host_ref::<&str>(sealed), Err(Error::Sealed));
    assert_eq!(heap.host_ref::<&str>(heap.unseal(sealed, &key).unwrap()), Ok(&"a value"));
    assert_eq!(
        heap.get::<List>(b).err().map(|error| error.to_string()).unwrap(),
        "wrong kind: found Host, wanted List"
    );
    let mut elsewhere = Heap::with(Settings::seeded(3));
    let list = heap.alloc(List::of(&[1.into(), b])).unwrap().cell();
    assert_eq!(elsewhere.transplant(&heap, list), Err(Error::NoHostCopy));
    assert_eq!(elsewhere.usage().live(), 0);
    assert!(matches!(elsewhere.host_ref::<&str>(b), Err(Error::Stale { .. })));
}

/// What values own is within the limit, makes collections due, and its growth is refused
/// without an effect.
#[test]
fn values_count_against_limits() {
    let mut heap = Heap::with(Settings::seeded(3).limits(Limits::NONE.with_bytes(1 << 17)));
    let object = heap.host([0_u8; 1000]).unwrap();
    assert_eq!(heap.usage().host_bytes, 1000);
    heap.set_host_bytes(object, 118_000).unwrap();
    assert!(heap.should_collect(), "the limit is near");
    let before = heap.usage();
    assert!(matches!(heap.set_host_bytes(object, 1 << 17), Err(Error::Limit(_))));
    assert!(matches!(heap.host([0_u8; 20_000]), Err(refused) if refused.value.len() == 20_000));
    assert_eq!(heap.usage(), before);
    heap.set_host_bytes(object, 10).unwrap();
    let large = heap.host([0_u8; 20_000]).unwrap();
    heap.collect([object]).unwrap();
    assert!(!heap.contains(large) && heap.usage().host_bytes == 1010);
    // By the bytes that are allocated, not by the number of objects.
    let mut heap = Heap::with(Settings::seeded(3));
    let object = heap.host(()).unwrap();
    assert!(!heap.should_collect());
    heap.set_host_bytes(object, heap.policy().bytes_min as usize).unwrap();
    assert!(heap.should_collect());
}

/// Values of a size of zero, and of types that look alike.
#[test]
fn types_are_told_apart() {
    #[derive(Debug, PartialEq)]
    struct Meters(f64);
    let mut heap = Heap::with(Settings::seeded(3));
    let (unit, meters, array) =
        (heap.host(()).unwrap(), heap.host(Meters(1.0)).unwrap(), heap.host([1_u8]).unwrap());
    assert_eq!(heap.host_ref::<()>(unit), Ok(&()));
    assert_eq!(heap.host_ref::<Meters>(meters), Ok(&Meters(1.0)));
    assert_eq!(heap.host_ref::<f64>(meters), Err(Error::WrongHostType));
    assert_eq!(heap.host_mut::<[Meters; 1]>(meters), Err(Error::WrongHostType));
    assert_eq!(heap.host_ref::<u8>(array), Err(Error::WrongHostType));
    assert_eq!(heap.host_ref::<[u8; 1]>(array), Ok(&[1]));
    assert_eq!(heap.take_host::<u8>(array), Err(Error::WrongHostType));
    assert_eq!(heap.take_host::<[u8; 1]>(array), Ok([1]));
    assert!(matches!(heap.take_host::<[u8; 1]>(array), Err(Error::Stale { .. })));
    heap.verify().unwrap();
}
