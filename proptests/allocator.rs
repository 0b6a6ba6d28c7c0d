//! In a steady state a heap makes no calls to the global allocator, and no heap
//! allocates more than its limit.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell as Counter;

use segheap::{
    Bignum, Bytes, Cell, Error, Handle, Heap, I64Arr, Limits, List, Map, Pair, Resource, Set,
    Settings, Str, TextPart,
};

thread_local! {
    static CALLS: Counter<u64> = const { Counter::new(0) };
    /// Bytes allocated: current and peak.
    static ALLOCATED: Counter<(isize, isize)> = const { Counter::new((0, 0)) };
    /// The same, but a block that is reallocated counts once, by its new size.
    static REQUESTED: Counter<(isize, isize)> = const { Counter::new((0, 0)) };
}

/// The system allocator with counters for each thread. Each test runs on its own
/// thread, so tests do not affect each other's counts.
struct Counting;

// SAFETY: each call is forwarded unchanged; the counters are thread-locals that
// need neither memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    // Not the default, which writes to all of the memory.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller upholds the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks are allocated while one is copied to the other.
        add(&ALLOCATED, size as isize);
        add(&ALLOCATED, -(layout.size() as isize));
        add(&REQUESTED, size as isize - layout.size() as isize);
        let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
        // SAFETY: the caller upholds the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(freed: usize, allocated: usize) {
    // Fails on a thread that is ending.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
    for bytes in [&ALLOCATED, &REQUESTED] {
        add(bytes, allocated as isize - freed as isize);
    }
}

fn add(bytes: &'static std::thread::LocalKey<Counter<(isize, isize)>>, added: isize) {
    let _ = bytes.try_with(|bytes| {
        let (current, peak) = bytes.get();
        let current = current + added;
        bytes.set((current, peak.max(current)));
    });
}

/// The peak of the bytes that `work` allocates.
fn peak(work: impl FnOnce()) -> isize {
    let before = ALLOCATED.get().0;
    ALLOCATED.set((before, before));
    work();
    ALLOCATED.get().1 - before
}

/// The number of calls of the global allocator that `work` makes.
fn calls(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

/// Runs `work` until the heap is in a steady state, and returns the calls of one
/// more run.
fn calls_in_steady_state(heap: &mut Heap, work: impl Fn(&mut Heap)) -> u64 {
    for _ in 0..3 {
        work(heap);
    }
    calls(|| work(heap))
}

fn numbers(heap: &mut Heap, n: i32) -> Handle<List> {
    let list = heap.alloc(List::with_capacity(n as usize)).unwrap();
    for n in (0..n).rev() {
        heap.get_mut(list).unwrap().push(n.into()).unwrap();
    }
    list
}

#[test]
fn the_counters_count() {
    assert!(calls(|| drop(std::hint::black_box(vec![1_u8; 100]))) >= 2);
    assert_eq!(calls(|| ()), 0);
    assert_eq!(peak(|| drop(std::hint::black_box(vec![1_u8; 100]))), 100);
}

#[test]
fn a_new_heap_allocates_nothing() {
    let limits = Limits::NONE.with_bytes(1 << 20);
    let settings = Settings::seeded(1).limits(limits);
    assert_eq!(calls(|| drop(std::hint::black_box(Heap::with(settings)))), 0);
    let mut heap = Heap::with(Settings::seeded(1));
    let immediates = calls(|| {
        let text = heap.string("short").unwrap();
        let sum = heap.add(1.into(), 2.into()).unwrap();
        assert_eq!(heap.key_eq(text, sum), Ok(false));
        heap.clear();
    });
    assert_eq!((immediates, heap.usage().total_bytes), (0, 0));
}

#[test]
fn pushing_and_popping() {
    let mut heap = Heap::with(Settings::seeded(1));
    let (list, bytes) = (numbers(&mut heap, 10), heap.alloc(Bytes::of(b"bytes")).unwrap());
    let work = |heap: &mut Heap| {
        for n in 0..3000 {
            heap.get_mut(list).unwrap().push(n.into()).unwrap();
            heap.get_mut(bytes).unwrap().extend(b"more bytes").unwrap();
        }
        for _ in 0..3000 {
            assert_ne!(heap.get_mut(list).unwrap().pop(), Ok(None));
        }
        heap.get_mut(bytes).unwrap().truncate(5).unwrap();
    };
    assert_eq!(calls_in_steady_state(&mut heap, work), 0);
}

#[test]
fn allocating_and_freeing() {
    let mut heap = Heap::with(Settings::seeded(1));
    let work = |heap: &mut Heap| {
        for n in 0..300 {
            let pair = heap.alloc(Pair::of(n.into(), n.into())).unwrap();
            let array = heap.alloc(I64Arr::zeroed(n as usize)).unwrap();
            let text = heap.alloc(Str::new("a longer text")).unwrap();
            let map = heap.alloc(Map::with_capacity(n as usize)).unwrap();
            for cell in [pair.cell(), map.cell(), array.cell(), text.cell()] {
                heap.free(cell).unwrap();
            }
        }
    };
    assert_eq!(calls_in_steady_state(&mut heap, work), 0);
}

#[test]
fn tables_of_constant_size() {
    let mut heap = Heap::with(Settings::seeded(1));
    let (map, set) = (heap.alloc(Map::new()).unwrap(), heap.alloc(Set::new()).unwrap());
    for n in 0..100 {
        heap.get_mut(map).unwrap().insert(n.into(), n.into()).unwrap();
        heap.get_mut(set).unwrap().insert(n.into()).unwrap();
    }
    // Removes the oldest entry each time, so that holes accumulate and the table is
    // rebuilt.
    let work = |heap: &mut Heap| {
        let (first, _) = heap.get(map).unwrap().nth(0).unwrap();
        let first = first.as_int().unwrap();
        for n in first..first + 2000 {
            let (old, new) = (Cell::int(n).unwrap(), Cell::int(n + 100).unwrap());
            heap.get_mut(map).unwrap().insert(new, old).unwrap();
            assert!(heap.get_mut(map).unwrap().remove(old).unwrap().is_some());
            heap.get_mut(set).unwrap().insert(new).unwrap();
            assert!(heap.get_mut(set).unwrap().remove(old).unwrap().is_some());
        }
    };
    assert_eq!(calls_in_steady_state(&mut heap, work), 0);
}

#[test]
fn reading() {
    let mut heap = Heap::with(Settings::seeded(1));
    let list = numbers(&mut heap, 100);
    let map = heap.alloc(Map::new()).unwrap();
    let key = heap.string("a longer key").unwrap();
    heap.get_mut(map).unwrap().insert(key, list.into()).unwrap();
    let work = |heap: &mut Heap| {
        for n in 0..100 {
            assert!(heap.get(list).unwrap().get(n).is_ok());
        }
        assert!(heap.get(list).unwrap().get(100).is_err());
        assert_eq!(heap.get(map).unwrap().get(key), Ok(Some(list.into())));
        assert_eq!(heap.text(key).unwrap().len(), 12);
        assert_eq!(heap.key_eq(key, key), Ok(true));
        assert_eq!(heap.get(map).unwrap().iter().count(), 1);
        heap.windows_mut((list,)).unwrap().0.swap(0, 1);
        heap.windows_mut((list,)).unwrap().0.swap(0, 1);
    };
    assert_eq!(calls_in_steady_state(&mut heap, work), 0);
}

#[test]
fn concatenating() {
    let mut heap = Heap::with(Settings::seeded(1));
    let text = heap.string("a longer text").unwrap();
    let work = |heap: &mut Heap| {
        let pieces = [TextPart::Whole(text), TextPart::Str(" and "), TextPart::Range(text, 2..8)];
        let made = heap.concat(&pieces).unwrap();
        heap.free(made).unwrap();
    };
    assert_eq!(calls_in_steady_state(&mut heap, work), 0);
}

#[test]
fn sorting() {
    let mut heap = Heap::with(Settings::seeded(1));
    let list = numbers(&mut heap, 1000);
    let work = |heap: &mut Heap| {
        heap.sort_by::<List, Error>(list, |heap, a, b| heap.cmp_int(a, b)).unwrap();
        heap.get_mut(list).unwrap().reverse().unwrap();
        heap.sort(list).unwrap();
        heap.get_mut(list).unwrap().set(7, Cell::from(-0.5)).unwrap();
        heap.sort(list).unwrap();
        heap.get_mut(list).unwrap().set(0, 7.into()).unwrap();
    };
    assert_eq!(calls_in_steady_state(&mut heap, work), 0);
}

#[test]
fn comparing() {
    let mut heap = Heap::with(Settings::seeded(1));
    let mut roots = [Cell::NULL; 2];
    for root in &mut roots {
        let map = heap.alloc(Map::new()).unwrap();
        for n in 0..50 {
            let list = numbers(&mut heap, n);
            heap.get_mut(list).unwrap().push(map.into()).unwrap();
            heap.get_mut(map).unwrap().insert(n.into(), list.into()).unwrap();
        }
        *root = map.into();
    }
    let [a, b] = roots;
    let work = |heap: &mut Heap| assert_eq!(heap.deep_eq(a, b), Ok(true));
    assert_eq!(calls_in_steady_state(&mut heap, work), 0);
}

#[test]
fn clearing() {
    let mut heap = Heap::with(Settings::seeded(1));
    let work = |heap: &mut Heap| {
        for n in 0..100 {
            numbers(heap, n);
            heap.string("a longer text").unwrap();
        }
        heap.clear();
    };
    assert_eq!(calls_in_steady_state(&mut heap, work), 0);
}

/// An allocation that is refused does not grow the log of a region each time, and
/// shrink it again.
#[test]
fn refused_allocations_in_a_region() {
    let mut heap = Heap::with(Settings::seeded(1));
    heap.alloc(List::new()).unwrap();
    let _region = heap.open_region().unwrap();
    // As many as fit into the log before it grows: seven eighths of 512.
    for n in 0..448 {
        heap.alloc(Pair::of(n.into(), n.into())).unwrap();
    }
    heap.set_limits(Limits::NONE.with_pages(1));
    let refused = calls(|| {
        for _ in 0..1000 {
            assert!(heap.alloc(List::zeroed(9000)).is_err());
        }
    });
    assert!((1..5).contains(&refused), "{refused} calls");
}

/// The work list of a collection stays within the limit.
#[test]
fn collecting_under_a_limit() {
    let mut heap = Heap::with(Settings::seeded(1));
    let many: Vec<Cell> = (0..20_000).map(|_| heap.alloc(List::new()).unwrap().cell()).collect();
    let root = heap.alloc(List::of(&many)).unwrap().cell();
    let collect = |heap: &mut Heap| peak(|| assert_eq!(heap.collect([root]).unwrap().live, 20_001));
    assert!(collect(&mut heap) > 100_000);
    let bytes = heap.usage().total_bytes as usize + 1000;
    heap.set_limits(Limits::NONE.with_bytes(bytes));
    assert!(collect(&mut heap) <= 1000);
}

/// Integers of so many limbs: random ones, and the extremes of carries and shifts.
#[cfg(feature = "bigint")]
fn integer(limbs: usize, form: u64, random: &mut u64) -> Vec<u64> {
    let mut limbs: Vec<u64> = (0..limbs)
        .map(|_| match form % 4 {
            0 => u64::MAX,
            _ => {
                *random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(99);
                *random ^ *random >> 33 | 1
            }
        })
        .collect();
    if form % 8 > 5 {
        *limbs.last_mut().unwrap() = if form % 8 == 6 { 1 << 63 } else { 1 };
    }
    limbs
}

/// A heap with two integers and room for the result of an operation on them.
#[cfg(feature = "bigint")]
fn with_integers(a: &[u64], b: &[u64], room: usize) -> (Heap, Cell, Cell) {
    let mut heap = Heap::with(Settings::seeded(1));
    let [a, b] = [a, b].map(|limbs| heap.alloc(Bignum::of(false, limbs)).unwrap().cell());
    let place = heap.alloc(Bignum::of(false, &vec![1; room])).unwrap();
    heap.free(place).unwrap();
    (heap, a, b)
}

/// The memory of `num-bigint` never passes what is charged for it: under the lowest limit
/// that an operation succeeds with, its peak stays below the limit.
#[cfg(feature = "bigint")]
#[test]
fn foreign_memory_stays_within_its_charge() {
    type Operation = fn(&mut Heap, Cell, Cell, i32) -> Result<Cell, Error>;
    let operations: [Operation; 5] = [
        |heap, a, b, _| heap.mul(a, b),
        |heap, a, b, _| heap.div(a, b),
        |heap, a, b, _| heap.mod_floor(a, b),
        |heap, a, _, exponent| heap.pow(a, exponent.into()),
        |heap, a, b, exponent| heap.modpow(a, exponent.into(), b),
    ];
    let mut random = 1_u64;
    let rounds = if cfg!(debug_assertions) { 60 } else { 600 };
    for round in 0..rounds {
        // Around the sizes where the algorithms change.
        let sizes = [2, 34, 70, 132, 260, 520, 1100];
        let mut size = |n: u64| {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(n);
            let most = sizes[(random >> 33) as usize % sizes.len()];
            (1 + (random >> 40) as usize % most, random >> 20)
        };
        let ((a, form_a), (b, form_b)) = (size(1), size(3));
        let (a, b) = (integer(a, form_a, &mut random), integer(b, form_b, &mut random));
        for operation in operations {
            let exponent = 2 + (form_b % 9) as i32;
            let room = (a.len() * exponent as usize).max(a.len() + b.len()) + 2;
            let (heap, ..) = with_integers(&a, &b, room);
            let used = heap.usage().total_bytes as usize;
            let (mut low, mut high) = (used, used + (1 << 24));
            let run = |bytes: usize| {
                let (mut heap, a, b) = with_integers(&a, &b, room);
                heap.set_limits(Limits::NONE.with_bytes(bytes));
                // Scratch memory stays warm.
                let charged = |heap: &Heap| heap.usage().total_bytes - heap.usage().scratch_bytes;
                let before = charged(&heap);
                let mut result = Ok(Cell::NULL);
                let peak = peak(|| result = operation(&mut heap, a, b, exponent));
                assert!(charged(&heap) == before, "the charge has ended");
                assert!(bytes - used >= peak as usize, "{peak} of {}", bytes - used);
                result
            };
            while high - low > 1 {
                let middle = low.midpoint(high);
                match run(middle) {
                    Ok(_) => high = middle,
                    Err(error) => {
                        assert_eq!(error, Error::Limit(Resource::Bytes));
                        low = middle;
                    }
                }
            }
            assert!(run(high).is_ok(), "{round}");
        }
    }
}

/// What does not fit into what is left fails before anything is requested or computed.
#[test]
fn results_beyond_what_is_left() {
    let mut heap = Heap::with(Settings::seeded(1));
    let one = heap.alloc(Bignum::of(false, &[1; 9000])).unwrap().cell();
    heap.alloc(List::zeroed(1 << 20)).unwrap();
    let used = heap.usage().total_bytes as usize;
    heap.set_limits(Limits::NONE.with_bytes(used + (1 << 20)));
    let text = "7".repeat(20_000_000);
    let limit = Err(Error::Limit(Resource::Bytes));
    let before = heap.usage();
    let requested = peak(|| {
        // 7 MB: 8 s of work.
        assert_eq!(heap.pow(7.into(), 20_000_000.into()), limit);
        assert_eq!(heap.pow(2.into(), 1_000_000_000.into()), limit);
        assert_eq!(heap.pow(one, 1000.into()), limit);
        assert_eq!(heap.parse_int(&text), limit);
    });
    assert!(requested == 0 && heap.usage() == before, "{requested} bytes");
}

/// A result too large for the limit fails before memory is allocated for it.
#[test]
fn powers_beyond_a_limit() {
    let limits = Limits::NONE.with_bytes(1 << 16);
    let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    let error = Err(Error::Limit(Resource::Bytes));
    let peak = peak(|| assert_eq!(heap.pow(3.into(), 2_000_000.into()), error));
    assert!(peak <= 1 << 16, "{peak} bytes");
}

type Operation = fn(&mut Heap);

/// Operations that need much scratch memory, also if they fail.
fn large_operations() -> [(&'static str, Operation); 7] {
    fn deep(heap: &mut Heap) -> Cell {
        let leaves: Vec<Cell> =
            (0..60_000).map(|_| heap.alloc(List::of(&[])).unwrap().cell()).collect();
        heap.alloc(List::of(&leaves)).unwrap().cell()
    }
    [
        ("sort", |heap| {
            let list = numbers(heap, 60_000);
            heap.sort_by::<List, Error>(list, |heap, a, b| heap.cmp_int(a, b)).unwrap();
        }),
        ("failed sort", |heap| {
            let list = numbers(heap, 60_000);
            let failed = heap.sort_by::<List, Error>(list, |_, _, _| Err(Error::NotDecimal));
            assert_eq!(failed, Err(Error::NotDecimal));
        }),
        ("deep_eq", |heap| {
            let (a, b) = (deep(heap), deep(heap));
            assert_eq!(heap.deep_eq(a, b), Ok(true));
        }),
        ("transplant", |heap| {
            let mut source = Heap::with(Settings::seeded(2));
            let graph = deep(&mut source);
            heap.transplant(&source, graph).unwrap();
        }),
        ("path_from_roots", |heap| {
            let (list, other) = (deep(heap), heap.alloc(List::new()).unwrap().cell());
            assert!(heap.path_from_roots([list], other).unwrap().is_none());
        }),
        ("add", |heap| {
            let big = heap.alloc(segheap::Bignum::of(true, &[u64::MAX; 60_000])).unwrap();
            heap.add(big.into(), big.into()).unwrap();
        }),
        ("join", |heap| {
            let text = heap.string("a longer text").unwrap();
            let texts = heap.alloc(List::of(&[text; 60_000])).unwrap();
            heap.join(texts, .., ", ").unwrap();
        }),
    ]
}

#[test]
fn scratch_memory_beyond_a_bound_is_given_back() {
    for (name, operation) in large_operations() {
        let mut heap = Heap::with(Settings::seeded(1));
        operation(&mut heap);
        let scratch = heap.usage().scratch_bytes;
        assert!(scratch <= 256 << 10, "{name} leaves {scratch} bytes");
        heap.verify().unwrap();
    }
}

/// What `work` returns, the bytes that it requests and keeps, and the most that it had
/// at a time, with a block that grows counted once.
pub fn requested<T>(work: impl FnOnce() -> T) -> (T, isize, isize) {
    let before = REQUESTED.get().0;
    REQUESTED.set((before, before));
    let result = work();
    let (after, peak) = REQUESTED.get();
    (result, after - before, peak - before)
}
