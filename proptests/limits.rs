//! Limits hold, and an operation that fails for lack of memory changes nothing: no
//! byte of an arena, no slot, no count. The program can continue after it.

use proptest::prelude::*;
use segheap::{
    Cell, Error, Handle, Heap, I64Arr, Kind, Limits, List, Map, Resource, Set, Settings, Str,
    TextPart, abi,
};

use crate::programs::{Harness, Op, op};
use crate::support::config;

/// All observable state of a heap except scratch memory, which is not part of its
/// contents.
#[derive(PartialEq)]
struct Snapshot {
    memory: Vec<Vec<u8>>,
    slots: Vec<Vec<[u32; 4]>>,
    arenas: Vec<segheap::ArenaUsage>,
    bytes: u64,
}

impl Snapshot {
    fn of(heap: &Heap) -> Snapshot {
        let usage = heap.usage();
        Snapshot {
            memory: Kind::ALL.map(|kind| abi::memory(heap, kind).unwrap().bytes().to_vec()).into(),
            slots: Kind::ALL.map(|kind| abi::slots(heap, kind).unwrap().to_vec()).into(),
            arenas: usage.arenas().into(),
            bytes: usage.total_bytes - usage.scratch_bytes,
        }
    }
}

/// Asserts that the total covers its parts, the parts agree with the arenas, and no
/// two blocks overlap.
pub fn assert_accounting(heap: &Heap) {
    let usage = heap.usage();
    let reserved: u64 = usage.arenas().iter().map(|arena| arena.reserved_bytes).sum();
    let others = usage.seals.reserved_bytes + usage.hosts.reserved_bytes + usage.host_bytes;
    let parts = reserved + others + usage.scratch_bytes;
    // The rest is a bit for each slot or word, with spare capacity for as many again.
    let rest = usage.total_bytes.checked_sub(parts).unwrap();
    assert!(rest <= 512 + parts / 16, "{rest} bytes beside {parts}");
    for arena in usage.arenas() {
        let slots = abi::slots(heap, arena.kind).unwrap().len() as u64;
        assert_eq!(u64::from(arena.live + arena.free + arena.retired), slots);
        assert_eq!(arena.pages, abi::memory(heap, arena.kind).unwrap().size());
        assert_eq!(arena.bytes, arena.pages * 65_536 + slots * 16);
        let live =
            abi::slots(heap, arena.kind).unwrap().iter().filter(|slot| slot[0] >> 16 == 0xFFFF);
        let mut blocks: Vec<(u64, u64)> =
            live.map(|&[_, _, off, cap]| (off.into(), u64::from(off) + u64::from(cap))).collect();
        blocks.sort_unstable();
        assert!(blocks.is_sorted_by(|a, b| a.1 <= b.0), "blocks overlap: {blocks:?}");
        assert!(blocks.iter().all(|block| block.1 * 8 <= arena.pages * 65_536));
        let words: u64 = blocks.iter().map(|block| block.1 - block.0).sum();
        assert_eq!(arena.payload_bytes, words * 8);
        assert!(arena.bytes <= arena.reserved_bytes);
    }
}

/// Runs a program on a heap whose memory is limited. Each step says after how many
/// growths allocation fails.
pub fn program(harness: &mut Harness, steps: &[(Op, Option<u64>)], limits: Limits) {
    for (op, growths) in steps {
        let before = Snapshot::of(&harness.heap);
        harness.heap.fail_growth_after(*growths);
        let result = harness.run(op);
        harness.heap.fail_growth_after(None);
        if let Err(error) = result {
            let unchanged = before == Snapshot::of(&harness.heap);
            assert!(unchanged, "{op:?} failed with {error:?} and changed the heap");
        }
        let usage = harness.heap.usage();
        assert!(usage.total_bytes <= limits.bytes as u64, "{op:?}: {} bytes", usage.total_bytes);
        for arena in usage.arenas() {
            assert!(arena.pages <= u64::from(limits.pages));
            assert!(arena.live + arena.free <= limits.slots);
        }
        assert_accounting(&harness.heap);
        assert_eq!(harness.heap.verify(), Ok(()), "{op:?}");
    }
    harness.compare_all();
}

pub fn limits() -> impl Strategy<Value = Limits> {
    let bytes = prop_oneof![
        1 => 0_usize..4096,
        3 => (0_usize..9, 0_usize..3000).prop_map(|(pages, more)| pages * 65_536 + more),
        1 => Just(usize::MAX),
    ];
    let pages = prop_oneof![1 => 0_u32..2, 1 => Just(u32::MAX)];
    let slots = prop_oneof![1 => 0_u32..6, 1 => Just(u32::MAX)];
    (bytes, pages, slots).prop_map(|(bytes, pages, slots)| {
        Limits::NONE.with_bytes(bytes).with_pages(pages).with_slots(slots)
    })
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn programs_under_limits(
        seed in any::<u64>(),
        limits in limits(),
        ops in prop::collection::vec(op().prop_map(|op| (op, None)), 1..50),
    ) {
        let mut harness = Harness::new(Heap::with(Settings::seeded(seed).limits(limits)), true);
        program(&mut harness, &ops, limits);
    }

    #[test]
    fn programs_whose_allocations_fail(
        seed in any::<u64>(),
        steps in prop::collection::vec((op(), prop::option::weighted(0.7, 0_u64..4)), 1..50),
    ) {
        let limits = Limits::NONE.with_bytes(1 << 30);
        let mut harness = Harness::new(Heap::with(Settings::seeded(seed).limits(limits)), true);
        program(&mut harness, &steps, limits);
    }

    /// Lowered limits hold from then on; existing objects stay.
    #[test]
    fn lowered_limits(
        seed in any::<u64>(),
        first in prop::collection::vec(op().prop_map(|op| (op, None)), 1..30),
        second in prop::collection::vec(op().prop_map(|op| (op, None)), 1..30),
        spare in prop_oneof![Just(0_usize), 0_usize..9000, 0_usize..200_000],
    ) {
        let high = Limits::NONE.with_bytes(1 << 30);
        let mut harness = Harness::new(Heap::with(Settings::seeded(seed).limits(high)), true);
        program(&mut harness, &first, high);
        let bytes = harness.heap.usage().total_bytes as usize + spare;
        let low = high.with_bytes(bytes);
        harness.heap.set_limits(low);
        prop_assert_eq!(harness.heap.limits(), low);
        harness.compare_all();
        program(&mut harness, &second, low);
    }

    /// In a full arena of one page, allocations reuse and split free blocks.
    #[test]
    fn full_arenas(
        steps in prop::collection::vec((0_u8..5, any::<usize>(), 0_usize..1500), 1..80),
    ) {
        let limits = Limits::NONE.with_pages(1);
        let mut heap = Heap::with(Settings::seeded(1).limits(limits));
        let mut models: Vec<(Handle<I64Arr>, Vec<i64>)> = Vec::new();
        for (n, (how, pick, len)) in steps.into_iter().enumerate() {
            let fill = vec![n as i64; len];
            let pick = pick.checked_rem(models.len());
            match (how, pick) {
                (0, Some(pick)) => {
                    let (handle, _) = models.swap_remove(pick);
                    heap.free(handle).unwrap();
                }
                (1, Some(pick)) => {
                    let (handle, model) = &mut models[pick];
                    if heap.get_mut(*handle).unwrap().extend(&fill).is_ok() {
                        model.extend(fill);
                    }
                }
                // Small blocks, which are split off larger ones.
                (2, _) => {
                    let small = &fill[..len % 12];
                    if let Ok(handle) = heap.alloc(I64Arr::of(small)) {
                        models.push((handle, small.to_vec()));
                    }
                }
                _ => {
                    if let Ok(handle) = heap.alloc(I64Arr::of(&fill)) {
                        models.push((handle, fill));
                    }
                }
            }
            assert_accounting(&heap);
        }
        for (handle, model) in &models {
            prop_assert_eq!(heap.get(*handle).unwrap().as_slice(), model.as_slice());
        }
    }
}

type Operation = fn(&mut Heap, Cell, Cell) -> Result<(), Error>;

/// Operations that grow an arena or scratch memory; each takes a list and a map.
fn growing_operations() -> &'static [(&'static str, Operation)] {
    &[
        ("alloc", |heap, _, _| heap.alloc(List::zeroed(20_000)).map(drop)),
        // The memory is replaced by a larger one.
        ("large", |heap, _, _| heap.alloc(List::zeroed(400_000)).map(drop)),
        ("string", |heap, _, _| heap.string(&"long text ".repeat(9000)).map(drop)),
        ("concat", |heap, _, _| {
            let part = "long text ".repeat(9000);
            heap.concat(&[TextPart::Str(&part), TextPart::Str(&part)]).map(drop)
        }),
        ("extend", |heap, list, _| heap.get_mut::<List>(list)?.extend(&[Cell::TRUE; 20_000])),
        ("insert", |heap, _, map| {
            // One more than the table has capacity for.
            for n in 0..7_000 {
                heap.get_mut::<Map>(map)?.insert(n.into(), n.into())?;
            }
            Ok(())
        }),
        ("union", |heap, _, _| {
            let set = heap.alloc(Set::with_capacity(3000))?;
            let union = heap.union(set, set);
            heap.free(set)?;
            union.map(drop)
        }),
        ("add", |heap, _, _| {
            let big = heap.alloc(segheap::Bignum::of(true, &[u64::MAX; 300]))?;
            let sum = heap.add(big.into(), big.into());
            heap.free(big)?;
            sum.map(drop)
        }),
        ("mul", |heap, _, _| {
            let big = heap.alloc(segheap::Bignum::of(true, &[u64::MAX; 300]))?;
            let product = heap.mul(big.into(), big.into());
            heap.free(big)?;
            product.map(drop)
        }),
        ("sort", |heap, list, _| {
            heap.sort_by::<List, Error>(list, |heap, a, b| heap.cmp_int(b, a))
        }),
        ("natural sort", |heap, list, _| {
            let other: Vec<Cell> = heap.get::<List>(list)?.as_slice().to_vec();
            let other = heap.alloc(List::of(&other))?;
            let last = heap.get_mut(other).and_then(|mut other| other.set(499, Cell::from(-0.5)));
            let sorted = last.and_then(|()| heap.sort(other));
            heap.free(other)?;
            sorted
        }),
        ("deep_eq", |heap, list, _| {
            let other: Vec<Cell> = heap.get::<List>(list)?.as_slice().to_vec();
            let other = heap.alloc(List::of(&other))?;
            let equal = heap.deep_eq(list, other.into());
            heap.free(other)?;
            equal.map(|equal| assert!(equal))
        }),
    ]
}

/// Fails each growth of each operation in turn.
#[test]
fn each_growth_of_an_operation_may_fail() {
    for &(name, operation) in growing_operations() {
        let mut failures = 0;
        for n in 0.. {
            let mut heap = Heap::with(Settings::seeded(n));
            let list: Vec<Cell> = (0..500).map(Cell::from).collect();
            let list = heap.alloc(List::of(&list)).unwrap();
            let map = heap.alloc(Map::new()).unwrap();
            let before = Snapshot::of(&heap);
            heap.fail_growth_after(Some(n));
            let result = operation(&mut heap, list.into(), map.into());
            heap.fail_growth_after(None);
            let cells: Vec<Cell> = (0..500).map(Cell::from).collect();
            match result {
                // These grow in several steps; the first ones may have succeeded.
                Err(_)
                    if matches!(
                        name,
                        "insert" | "union" | "add" | "mul" | "deep_eq" | "natural sort"
                    ) => {}
                Err(_) => assert!(before == Snapshot::of(&heap), "{name}, growth {n}"),
                Ok(()) => break,
            }
            failures += 1;
            let error = result.unwrap_err();
            assert!(matches!(error, Error::OutOfMemory | Error::Limit(Resource::Bytes)), "{error}");
            assert_eq!(heap.get(list).unwrap().as_slice(), cells);
            let entries = heap.get(map).unwrap().iter().count();
            assert_eq!(heap.get(map).unwrap().len(), entries);
            // It succeeds once memory is available.
            assert_eq!(operation(&mut heap, list.into(), map.into()), Ok(()), "{name}, growth {n}");
            assert_accounting(&heap);
        }
        assert!(failures > 0, "{name} grows nothing");
    }
}

/// The heap that a comparison is passed observes the limits too.
#[test]
fn limits_hold_during_a_sort() {
    let mut heap = Heap::with(Settings::seeded(1));
    let cells: Vec<Cell> = (0..4000).rev().map(Cell::from).collect();
    let list = heap.alloc(List::of(&cells)).unwrap();
    let sort = |heap: &mut Heap, limit: u64| {
        heap.sort_by::<List, Error>(list, |heap, a, b| {
            assert!(heap.usage().total_bytes <= limit);
            heap.cmp_int(a, b)
        })
    };
    sort(&mut heap, u64::MAX).unwrap();
    // The scratch memory of the first sort suffices for the second.
    let bytes = heap.usage().total_bytes as usize;
    heap.set_limits(Limits::NONE.with_bytes(bytes));
    assert_eq!(sort(&mut heap, bytes as u64), Ok(()));
}

#[test]
fn errors_name_the_exhausted_resource() {
    let with = |limits| Heap::with(Settings::seeded(1).limits(limits));
    let mut pages = with(Limits::NONE.with_pages(1));
    let error = Err(Error::Limit(Resource::Pages(Kind::LIST)));
    assert_eq!(pages.alloc(List::zeroed(9000)).map(drop), error);
    let mut slots = with(Limits::NONE.with_slots(1));
    slots.alloc(Str::new("one")).unwrap();
    let error = Err(Error::Limit(Resource::Slots(Kind::STR)));
    assert_eq!(slots.alloc(Str::new("two")).map(drop), error);
    let mut bytes = with(Limits::NONE.with_bytes(65_536));
    let error = Err(Error::Limit(Resource::Bytes));
    assert_eq!(bytes.alloc(List::zeroed(1)).map(drop), error);
    assert_eq!(bytes.usage().total_bytes, 0);
}

/// Leading zeroes of a decimal text do not count towards the size of the result.
#[test]
fn leading_zeroes_need_no_memory() {
    let limits = Limits::NONE.with_bytes(128 << 10);
    let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    let text = format!("{}{}", "0".repeat(500_000), "9".repeat(20));
    let parsed = heap.parse_int(&text).unwrap();
    assert_eq!(heap.display(parsed).to_string(), "9".repeat(20));
}

/// A division by zero fails as such even without memory.
#[test]
fn division_by_zero_without_memory() {
    let limits = Limits::NONE.with_bytes(0);
    let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    assert_eq!(heap.div(1.into(), 0.into()), Err(Error::DivisionByZero));
}

/// Scratch memory and arenas are charged to the same limit.
#[test]
fn scratch_and_arenas_share_the_limit() {
    let mut source = Heap::with(Settings::seeded(1));
    let lists: Vec<Cell> =
        (0..100).map(|n: u32| source.alloc(List::of(&[n.into()])).unwrap().cell()).collect();
    let graph = source.alloc(List::of(&lists)).unwrap().cell();
    for bytes in (0..200_000).step_by(1_531) {
        let limits = Limits::NONE.with_bytes(bytes);
        let mut heap = Heap::with(Settings::seeded(2).limits(limits));
        let _ = heap.transplant(&source, graph);
        assert!(heap.usage().total_bytes <= bytes as u64);
        assert_eq!(heap.verify(), Ok(()));
        let mut heap = Heap::with(Settings::seeded(2));
        let pieces = [Cell::short_str("ab").unwrap(); 100];
        let list = heap.alloc(List::of(&pieces)).unwrap();
        let bytes = heap.usage().total_bytes + bytes as u64;
        heap.set_limits(Limits::NONE.with_bytes(bytes as usize));
        let _ = heap.join(list, .., ",");
        assert!(heap.usage().total_bytes <= bytes);
    }
}

/// The limit on bits holds for each operation, from 129 bits on, and exactly.
#[test]
fn bits_of_integers() {
    let error = |result: Result<Cell, Error>| match result {
        Err(Error::Limit(Resource::IntegerBits)) => true,
        Ok(_) => false,
        Err(error) => panic!("{error}"),
    };
    for bits in [0, 127, 128, 129, 200, 256, 300, 320] {
        let limits = Limits::NONE.with_integer_bits(bits);
        let mut heap = Heap::with(Settings::seeded(1).limits(limits));
        // The host may allocate larger ones.
        let power = |heap: &mut Heap, exponent: usize| {
            let mut limbs = vec![0; exponent / 64];
            limbs.push(1_u64 << (exponent % 64));
            heap.alloc(segheap::Bignum::of(false, &limbs)).unwrap().cell()
        };
        let most = bits.max(128) as usize;
        for exponent in most - 3..most + 3 {
            let (a, one) = (power(&mut heap, exponent), Cell::from(1));
            // 2^exponent has exponent + 1 bits, 2^exponent - 1 has exponent.
            let too_large = exponent + 1 > most;
            assert_eq!(error(heap.add(a, one)), too_large, "{bits} {exponent}");
            assert_eq!(error(heap.sub(a, one)), exponent > most);
            assert_eq!(error(heap.neg(a)), too_large);
            let text = num_bigint::BigInt::from(2).pow(exponent as u32).to_string();
            assert_eq!(error(heap.parse_int(&text)), too_large, "{bits} {exponent}");
            assert_eq!(error(heap.parse_int(&format!("-000{text}"))), too_large);
            let (half, rest) = (power(&mut heap, exponent / 2), exponent.div_ceil(2));
            let other = power(&mut heap, rest);
            assert_eq!(error(heap.mul(half, other)), too_large);
            let square = power(&mut heap, exponent + 50);
            let fifty = power(&mut heap, 50);
            for quotient in [heap.div(square, fifty), heap.div_floor(square, fifty)] {
                assert_eq!(error(quotient), too_large);
            }
            let larger = power(&mut heap, exponent + 1);
            assert_eq!(error(heap.rem(a, larger)), too_large);
            assert_eq!(error(heap.mod_floor(a, larger)), too_large);
            for base in [2, -2] {
                assert_eq!(error(heap.pow(base.into(), (exponent as u32).into())), too_large);
            }
            for one in [1, -1] {
                assert_eq!(error(heap.shl(one.into(), (exponent as u32).into())), too_large);
            }
            assert_eq!(error(heap.shr(square, 50.into())), too_large);
            assert_eq!(error(heap.bitor(a, 1.into())), too_large);
            assert_eq!(error(heap.gcd(a, a)), too_large);
            assert_eq!(error(heap.not(a)), too_large);
            let digits = format!("{:x}{}", 1 << (exponent % 4), "0".repeat(exponent / 4));
            assert_eq!(error(heap.int_from_str_radix(&digits, 16)), too_large);
        }
        for base in [3_u32, 7, 10] {
            for exponent in 30..210 {
                let value = num_bigint::BigInt::from(base).pow(exponent);
                let too_large = value.bits() > most as u64;
                assert_eq!(error(heap.pow(base.into(), exponent.into())), too_large);
            }
        }
    }
}

/// One map fills most of what limits of any size leave, and stays sound at them.
#[test]
fn a_map_fills_a_limit() {
    let mut worst = (100, 0);
    for step in 0..60 {
        // From 1 to 5.6 MiB, a 35th more each time.
        let bytes = (f64::from(1 << 20) * 1.029_f64.powi(step)) as usize;
        let settings = Settings::seeded(step.unsigned_abs().into());
        let mut heap = Heap::with(settings.limits(Limits::NONE.with_bytes(bytes)));
        let map = heap.alloc(Map::new()).unwrap();
        let mut n = 0_i32;
        while heap.map_insert(map, Cell::from(n), Cell::NULL).is_ok() {
            n += 1;
        }
        let refused = heap.map_insert(map, Cell::from(n), Cell::NULL);
        assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
        heap.verify().unwrap();
        assert!((0..n).step_by(97).all(|key| heap.map_get(map, key.into()).unwrap().is_some()));
        assert_eq!(heap.map_get(map, n.into()).unwrap(), None);
        worst = worst.min((usize::try_from(n).unwrap() * 1_600 / bytes, bytes));
    }
    assert!(worst.0 >= 45, "{} % of {} bytes", worst.0, worst.1);
}
