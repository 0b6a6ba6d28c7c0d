//! Limits hold, and whatever is refused has changed nothing: no byte of an
//! arena, no slot, no count. A program can go on after every refusal.

use proptest::prelude::*;
use segheap::{
    Cell, Error, Handle, Heap, I64Arr, Kind, Limits, List, Map, Resource, Set, Settings, Str,
    TextPart, abi,
};

use crate::programs::{Op, World, op};
use crate::support::config;

/// All that can be seen of a heap but what it keeps in reserve for sorting and
/// comparing, which is no part of its contents.
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

/// The total covers the parts, the parts are those of the heap, and no two
/// objects share a word.
pub fn accounts_add_up(heap: &Heap) {
    let usage = heap.usage();
    let reserved: u64 = usage.arenas().iter().map(|arena| arena.reserved_bytes).sum();
    let parts = reserved + usage.seals.reserved_bytes + usage.scratch_bytes;
    // What is left are a bit for each slot or word, and twice as many in spare.
    let rest = usage.total_bytes.checked_sub(parts).unwrap();
    assert!(rest <= 512 + parts / 16, "{rest} of {parts}");
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

/// Runs a program on a heap that may be short of memory.
pub fn program(world: &mut World, steps: &[(Op, Option<u64>)], limits: Limits) {
    for (op, refuse) in steps {
        let before = Snapshot::of(&world.heap);
        world.heap.fail_growth_after(*refuse);
        let done = world.run(op);
        world.heap.fail_growth_after(None);
        if let Err(error) = done {
            assert!(before == Snapshot::of(&world.heap), "{op:?} answered {error:?}");
        }
        let usage = world.heap.usage();
        assert!(usage.total_bytes <= limits.bytes as u64, "{op:?} used {}", usage.total_bytes);
        for arena in usage.arenas() {
            assert!(arena.pages <= u64::from(limits.pages));
            assert!(arena.live + arena.free + arena.retired <= limits.slots);
        }
        accounts_add_up(&world.heap);
        assert_eq!(world.heap.verify(), Ok(()), "{op:?}");
    }
    world.compare_all();
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
        let mut world = World::new(Heap::with(Settings::seeded(seed).limits(limits)), true);
        program(&mut world, &ops, limits);
    }

    #[test]
    fn programs_whose_host_has_no_memory(
        seed in any::<u64>(),
        steps in prop::collection::vec((op(), prop::option::weighted(0.7, 0_u64..4)), 1..50),
    ) {
        let limits = Limits::NONE.with_bytes(1 << 30);
        let mut world = World::new(Heap::with(Settings::seeded(seed).limits(limits)), true);
        program(&mut world, &steps, limits);
    }

    /// Limits that change on the way hold from then on; what is there stays.
    #[test]
    fn limits_that_tighten(
        seed in any::<u64>(),
        first in prop::collection::vec(op().prop_map(|op| (op, None)), 1..30),
        second in prop::collection::vec(op().prop_map(|op| (op, None)), 1..30),
        spare in prop_oneof![Just(0_usize), 0_usize..9000, 0_usize..200_000],
    ) {
        let loose = Limits::NONE.with_bytes(1 << 30);
        let mut world = World::new(Heap::with(Settings::seeded(seed).limits(loose)), true);
        program(&mut world, &first, loose);
        let bytes = world.heap.usage().total_bytes as usize + spare;
        let tight = loose.with_bytes(bytes);
        world.heap.set_limits(tight);
        prop_assert_eq!(world.heap.limits(), tight);
        world.compare_all();
        program(&mut world, &second, tight);
    }

    /// An arena of one page, filled and freed: blocks are cut out of larger ones
    /// once there is no new room.
    #[test]
    fn full_arenas(
        steps in prop::collection::vec((0_u8..5, any::<usize>(), 0_usize..1500), 1..80),
    ) {
        let limits = Limits::NONE.with_pages(1);
        let mut heap = Heap::with(Settings::seeded(1).limits(limits));
        let mut twins: Vec<(Handle<I64Arr>, Vec<i64>)> = Vec::new();
        for (n, (how, pick, len)) in steps.into_iter().enumerate() {
            let fill = vec![n as i64; len];
            let pick = pick.checked_rem(twins.len());
            match (how, pick) {
                (0, Some(pick)) => {
                    let (handle, _) = twins.swap_remove(pick);
                    heap.free(handle).unwrap();
                }
                (1, Some(pick)) => {
                    let (handle, twin) = &mut twins[pick];
                    if heap.get_mut(*handle).unwrap().extend(&fill).is_ok() {
                        twin.extend(fill);
                    }
                }
                // Many small ones, too, which are what larger ones are cut into.
                (2, _) => {
                    let small = &fill[..len % 12];
                    if let Ok(handle) = heap.alloc(I64Arr::of(small)) {
                        twins.push((handle, small.to_vec()));
                    }
                }
                _ => {
                    if let Ok(handle) = heap.alloc(I64Arr::of(&fill)) {
                        twins.push((handle, fill));
                    }
                }
            }
            accounts_add_up(&heap);
        }
        for (handle, twin) in &twins {
            prop_assert_eq!(heap.get(*handle).unwrap().as_slice(), twin.as_slice());
        }
    }
}

/// Every place at which an operation grows something.
#[test]
fn each_growth_of_an_operation_may_fail() {
    type Step = fn(&mut Heap, Cell, Cell) -> Result<(), Error>;
    let steps: &[(&str, Step)] = &[
        ("alloc", |heap, _, _| heap.alloc(List::zeroed(20_000)).map(drop)),
        ("string", |heap, _, _| heap.string(&"long text ".repeat(9000)).map(drop)),
        ("concat", |heap, _, _| {
            let part = "long text ".repeat(9000);
            heap.concat(&[TextPart::Str(&part), TextPart::Str(&part)]).map(drop)
        }),
        ("extend", |heap, list, _| heap.get_mut::<List>(list)?.extend(&[Cell::TRUE; 20_000])),
        ("insert", |heap, _, map| {
            // As many as fill the table, and one.
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
            let wide = heap.alloc(segheap::Bignum::of(true, &[u64::MAX; 300]))?;
            let sum = heap.add(wide.into(), wide.into());
            heap.free(wide)?;
            sum.map(drop)
        }),
        #[cfg(feature = "bigint")]
        ("mul", |heap, _, _| {
            let wide = heap.alloc(segheap::Bignum::of(true, &[u64::MAX; 300]))?;
            let product = heap.mul(wide.into(), wide.into());
            heap.free(wide)?;
            product.map(drop)
        }),
        ("sort", |heap, list, _| {
            heap.sort_by::<List, Error>(list, |heap, a, b| heap.cmp_int(b, a))
        }),
        ("deep_eq", |heap, list, _| {
            let other: Vec<Cell> = heap.get::<List>(list)?.as_slice().to_vec();
            let other = heap.alloc(List::of(&other))?;
            let equal = heap.deep_eq(list, other.into());
            heap.free(other)?;
            equal.map(|equal| assert!(equal))
        }),
    ];
    for &(name, step) in steps {
        let mut refused = 0;
        for n in 0.. {
            let mut heap = Heap::with(Settings::seeded(n));
            let list: Vec<Cell> = (0..500).map(Cell::from).collect();
            let list = heap.alloc(List::of(&list)).unwrap();
            let map = heap.alloc(Map::new()).unwrap();
            let before = Snapshot::of(&heap);
            heap.fail_growth_after(Some(n));
            let done = step(&mut heap, list.into(), map.into());
            heap.fail_growth_after(None);
            let cells: Vec<Cell> = (0..500).map(Cell::from).collect();
            match done {
                // These grow in steps, the first of which may have been done.
                Err(_) if matches!(name, "insert" | "union" | "add" | "mul" | "deep_eq") => {}
                Err(_) => assert!(before == Snapshot::of(&heap), "{name}, growth {n}"),
                Ok(()) => break,
            }
            refused += 1;
            let error = done.unwrap_err();
            assert!(matches!(error, Error::OutOfMemory | Error::Limit(Resource::Bytes)), "{error}");
            assert_eq!(heap.get(list).unwrap().as_slice(), cells);
            let entries = heap.get(map).unwrap().iter().count();
            assert_eq!(heap.get(map).unwrap().len(), entries);
            // Once there is memory again, it works.
            assert_eq!(step(&mut heap, list.into(), map.into()), Ok(()), "{name}, growth {n}");
            accounts_add_up(&heap);
        }
        assert!(refused > 0, "{name} grows nothing");
    }
}

/// What a comparison sees of the heap keeps to the limits too.
#[test]
fn limits_hold_inside_of_a_comparison() {
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
    // Its scratch memory is warm now, and enough to do it again.
    let bytes = heap.usage().total_bytes as usize;
    heap.set_limits(Limits::NONE.with_bytes(bytes));
    assert_eq!(sort(&mut heap, bytes as u64), Ok(()));
}

#[test]
fn each_resource_is_named() {
    let with = |limits| Heap::with(Settings::seeded(1).limits(limits));
    let mut pages = with(Limits::NONE.with_pages(1));
    let refused = Err(Error::Limit(Resource::Pages(Kind::LIST)));
    assert_eq!(pages.alloc(List::zeroed(9000)).map(drop), refused);
    let mut slots = with(Limits::NONE.with_slots(1));
    slots.alloc(Str::new("one")).unwrap();
    let refused = Err(Error::Limit(Resource::Slots(Kind::STR)));
    assert_eq!(slots.alloc(Str::new("two")).map(drop), refused);
    let mut bytes = with(Limits::NONE.with_bytes(65_536));
    let refused = Err(Error::Limit(Resource::Bytes));
    assert_eq!(bytes.alloc(List::zeroed(1)).map(drop), refused);
    assert_eq!(bytes.usage().total_bytes, 0);
}

/// A number with many zeroes in front is as small as one without.
#[test]
fn leading_zeroes_take_no_room() {
    let limits = Limits::NONE.with_bytes(128 << 10);
    let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    let text = format!("{}{}", "0".repeat(500_000), "9".repeat(20));
    let parsed = heap.parse_int(&text).unwrap();
    assert_eq!(heap.display(parsed).to_string(), "9".repeat(20));
}

/// A division by zero is one however little memory there is.
#[test]
fn zero_divides_nothing_without_memory_either() {
    let limits = Limits::NONE.with_bytes(0);
    let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    assert_eq!(heap.div(1.into(), 0.into()), Err(Error::DivisionByZero));
}

/// Scratch memory and what is made beside it come out of one account.
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
