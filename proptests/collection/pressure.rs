//! Collection without memory, and collection in time: a VM that collects when
//! `should_collect` returns true does not run into its limits.

use proptest::prelude::*;
use segheap::{Bytes, Cell, Error, Heap, Limits, List, Pair, Policy, Resource};

use super::{NONE, heap, limited, pair};
use crate::support::config;

/// Lists of eight random references each.
fn random_graph(len: usize, mut random: u64) -> (Heap, Vec<Cell>) {
    let mut heap = heap();
    let lists: Vec<Cell> = (0..len).map(|_| heap.alloc(List::zeroed(8)).unwrap().cell()).collect();
    for &list in &lists {
        let mut view = heap.get_mut::<List>(list).unwrap();
        for element in view.as_mut_slice() {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(99);
            *element = lists[(random >> 33) as usize % len];
        }
    }
    (heap, lists)
}

#[test]
fn a_collection_without_memory_has_the_same_result() {
    let (mut heap, lists) = random_graph(30_000, 1);
    let (mut limited, same) = random_graph(30_000, 1);
    assert_eq!(lists, same);
    limited.fail_growth_after(Some(0));
    let roots = [lists[5], lists[17]];
    let (a, mut b) = (heap.collect(roots).unwrap(), limited.collect(roots).unwrap());
    // Objects that the work list had no room for were looked for.
    assert!(b.work > a.work);
    b.work = a.work;
    assert_eq!(a, b);
    assert!(lists.iter().all(|&list| heap.contains(list) == limited.contains(list)));
    limited.verify().unwrap();
}

/// The worst case for a bounded work list: it overflows at each object, and each
/// rescan in slot order would find one more object.
#[test]
fn a_collection_without_memory_is_not_quadratic() {
    // Quadratic time would be minutes.
    let len: usize = if cfg!(debug_assertions) { 4_000 } else { 40_000 };
    let mut heap = heap();
    let lists: Vec<_> = (0..len).map(|_| heap.alloc(List::with_capacity(257)).unwrap()).collect();
    for n in 0..len {
        let mut cells = vec![pair(&mut heap); 256];
        cells.extend(n.checked_sub(1).map(|before: usize| lists[before].cell()));
        heap.get_mut(lists[n]).unwrap().extend(&cells).unwrap();
    }
    heap.fail_growth_after(Some(0));
    let head = lists[len - 1].cell();
    assert_eq!(heap.collect([head]).unwrap().live, 2 * len as u64);
}

proptest! {
    #![proptest_config(config(48))]

    /// An allocation that a limit refused succeeds once a collection freed enough.
    #[test]
    fn a_refused_allocation_succeeds_after_a_collection(
        sizes in prop::collection::vec(0..3000_usize, 1..40),
        which in 0..3,
        amount in 4..24_u32,
        kept in prop::collection::vec(any::<bool>(), 40),
    ) {
        let limits = match which {
            0 => Limits::NONE.with_bytes(amount as usize * 65_536),
            1 => Limits::NONE.with_pages(amount),
            _ => Limits::NONE.with_slots(amount * 8),
        };
        let mut heap = limited(limits);
        let mut made = vec![];
        let refused = loop {
            let size = sizes[made.len() % sizes.len()] + 1;
            match heap.alloc(Bytes::zeroed(size)) {
                Ok(bytes) => made.push((bytes.cell(), size)),
                Err(error) => {
                    prop_assert!(matches!(error, Error::Limit(_)), "{error:?}");
                    break size;
                }
            }
            // At most 23 pages of 8,192 words, at least one word for each object.
            prop_assert!(made.len() <= 23 * 8_192);
        };
        prop_assert!(heap.should_collect());
        heap.verify().unwrap();
        let roots: Vec<Cell> = made.iter().enumerate()
            .filter(|(n, _)| kept[n % 40]).map(|(_, made)| made.0).collect();
        let freed: usize = made.iter().filter(|made| !roots.contains(&made.0))
            .map(|made| made.1.div_ceil(8) * 8).sum();
        heap.collect(roots.iter().copied()).unwrap();
        heap.verify().unwrap();
        if freed > size_with_slack(refused) {
            heap.alloc(Bytes::zeroed(refused)).unwrap();
        }
        prop_assert!(roots.iter().all(|&root| heap.contains(root)));
    }
}

fn size_with_slack(size: usize) -> usize {
    size * 2 + 4096
}

/// Asserts that a loop that collects when due never runs into the limits while few
/// objects are live, and does not collect too often.
fn assert_collection_is_due_in_time(limits: Limits, live: usize) {
    for new in [pair, short_text] {
        assert_due_in_time(limits, live, new);
    }
}

/// A text in an arena, which a path of its own allocates.
fn short_text(heap: &mut Heap) -> Cell {
    heap.string("sixteen bytes :)").unwrap()
}

fn assert_due_in_time(limits: Limits, live: usize, new: fn(&mut Heap) -> Cell) {
    let mut heap = limited(limits);
    let mut ring = vec![Cell::NULL; live];
    let mut collections = 0;
    for n in 0..60_000_usize {
        if heap.should_collect() {
            heap.collect(ring.iter().copied()).unwrap();
            collections += 1;
        }
        ring[n % live] = new(&mut heap);
    }
    assert!(collections > 0 && collections < 6_000, "{collections} collections");
}

#[test]
fn a_collection_is_due_before_the_limit_on_slots() {
    for slots in [100, 1000, 1024, 5000] {
        assert_collection_is_due_in_time(Limits::NONE.with_slots(slots), slots as usize / 3);
    }
}

#[test]
fn a_collection_is_due_before_the_limits_on_pages_and_bytes() {
    for pages in [2, 3, 8] {
        assert_collection_is_due_in_time(Limits::NONE.with_pages(pages), pages as usize * 1000);
    }
    assert_collection_is_due_in_time(Limits::NONE.with_bytes(1 << 20), 5_000);
    assert_collection_is_due_in_time(Limits::NONE.with_bytes(4 << 20), 5_000);
}

/// Near a limit a collection is due only after a share of the live objects was
/// allocated, or once an allocation was refused.
#[test]
fn near_a_limit_collections_are_amortised() {
    let limits = Limits::NONE.with_slots(1_000);
    let mut heap = limited(limits);
    let kept: Vec<Cell> = (0..950).map(|_| pair(&mut heap)).collect();
    let mut collections = 0;
    for _ in 0..10_000 {
        if heap.should_collect() {
            heap.collect(kept.iter().copied()).unwrap();
            assert!(!heap.should_collect(), "a collection is due right after one");
            collections += 1;
        }
        pair(&mut heap);
    }
    // A collection is due after a 32nd of 950 pairs, about 30.
    assert!((100..=400).contains(&collections), "{collections} collections");

    heap.collect(kept.iter().copied()).unwrap();
    let more: Vec<Cell> = (0..50).map(|_| pair(&mut heap)).collect();
    assert!(heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).is_err());
    assert!(heap.should_collect());
    heap.collect(kept.iter().chain(&more).copied()).unwrap();
    assert!(!heap.should_collect());
}

/// Objects that fill some limit; all of them live.
fn full_heap(limits: Limits, live: usize) -> (Heap, Vec<Cell>) {
    let mut heap = limited(limits);
    let mut cells = vec![];
    while cells.len() < live
        && let Ok(list) = heap.alloc(List::zeroed(cells.len() % 40))
    {
        cells.push(list.cell());
    }
    (heap, cells)
}

proptest! {
    #![proptest_config(config(64))]

    /// A VM that collects and tries again as long as a collection is due ends, and does
    /// not collect for each of its refusals.
    #[test]
    fn no_collection_is_due_after_one_without_effect(
        (bytes, pages, slots) in (0..400_000_usize, 0..6_u32, 0..600_u32),
        (which, live) in (0..4, 0..700_usize),
        size in 1..20_000_usize,
        policy in prop_oneof![
            Just(Policy::DEFAULT),
            Just(Policy::DEFAULT.with_bytes_min(0)),
            Just(Policy::DEFAULT.with_bytes_min(0).with_growth_percent(0)),
        ],
    ) {
        let limits = match which {
            0 => Limits::NONE.with_bytes(bytes),
            1 => Limits::NONE.with_pages(pages),
            2 => Limits::NONE.with_slots(slots),
            _ => Limits::NONE.with_bytes(bytes).with_slots(slots),
        };
        let (mut heap, cells) = full_heap(limits, live);
        heap.set_policy(policy);
        let mut collections = 0;
        for _ in 0..1000 {
            if heap.alloc(List::zeroed(size)).is_ok() {
                return Ok(());
            }
            if heap.should_collect() {
                heap.collect(cells.iter().copied()).unwrap();
                collections += 1;
                prop_assert!(!heap.should_collect());
            }
            // After 1, 1, 16 and 256 refusals.
            prop_assert!(collections <= 4, "{} collections", collections);
        }
        prop_assert!(collections > 0 || limits == Limits::NONE);
    }

    /// Nor is one due after a collection that left nothing live.
    #[test]
    fn an_empty_heap_is_not_collected(bytes in 0..70_000_usize) {
        let mut heap = limited(Limits::NONE.with_bytes(bytes));
        for policy in [Policy::DEFAULT, Policy::DEFAULT.with_bytes_min(0)] {
            heap.set_policy(policy);
            let _ = heap.alloc(List::zeroed(1));
            heap.collect(NONE).unwrap();
            prop_assert!(!heap.should_collect());
            heap.collect(NONE).unwrap();
            let refused = heap.alloc(List::zeroed(9000)).is_err();
            prop_assert!(refused && !heap.should_collect());
        }
    }
}

/// A VM that drops roots after a refusal gets its collection, if not at once.
#[test]
fn repeated_refusals_make_a_collection_due() {
    let (mut heap, cells) = full_heap(Limits::NONE.with_slots(100), 1000);
    // The first one gives spare memory back.
    for _ in 0..2 {
        heap.collect(cells.iter().copied()).unwrap();
    }
    let mut refusals = 0;
    while heap.alloc(List::new()).is_err() {
        refusals += 1;
        assert!(refusals <= 16);
        if heap.should_collect() {
            assert_eq!(heap.collect(NONE).unwrap().freed, cells.len() as u64);
        }
    }
    assert_eq!(refusals, 16);
}

/// Retired slots, which a collection does not recycle, make none due again and again.
#[test]
fn retired_slots_make_no_collection_due() {
    let mut heap = limited(Limits::NONE.with_slots(100));
    let mut collections = 0;
    for _ in 0..1_000_000 {
        let cell = pair(&mut heap);
        heap.free(cell).unwrap();
        if heap.should_collect() {
            heap.collect(NONE).unwrap();
            collections += 1;
        }
    }
    // Of 48 bytes an object, at least 1 MiB apart.
    assert!((1..=48).contains(&collections), "{collections} collections");
}

#[test]
fn stress_makes_a_collection_due_every_few_allocations() {
    let mut heap = heap();
    heap.set_policy(Policy::DEFAULT.with_stress(3));
    for _ in 0..10 {
        let due: Vec<bool> = (0..3)
            .map(|_| {
                let due = heap.should_collect();
                pair(&mut heap);
                due
            })
            .collect();
        assert_eq!((due, heap.should_collect()), (vec![false; 3], true));
        assert_eq!(heap.collect(NONE).unwrap().freed, 3);
    }
}

/// Allocates pairs until a collection is due; returns how many.
fn pairs_until_due(heap: &mut Heap) -> usize {
    let mut pairs = 0;
    while !heap.should_collect() && pairs < 100_000 {
        pair(heap);
        pairs += 1;
    }
    pairs
}

/// A pair takes 32 bytes with its slot.
#[test]
fn the_trigger_follows_the_policy_and_the_live_bytes() {
    let mut heap = heap();
    heap.set_policy(Policy::DEFAULT.with_bytes_min(3200));
    assert_eq!(pairs_until_due(&mut heap), 100);
    let live: Vec<Cell> = (0..1000).map(|_| pair(&mut heap)).collect();
    for (percent, pairs) in [(100, 1000), (50, 500), (300, 3000), (1, 100)] {
        heap.set_policy(heap.policy().with_growth_percent(percent));
        heap.collect(live.iter().copied()).unwrap();
        assert_eq!(pairs_until_due(&mut heap), pairs, "{percent} %");
    }
}

/// A refusal of scratch memory makes a collection due, too.
#[test]
fn refused_scratch_memory_makes_a_collection_due() {
    let mut heap = heap();
    let cells: Vec<Cell> = (0..10_000).map(Cell::from).collect();
    let list = heap.alloc(List::of(&cells)).unwrap();
    heap.collect([list]).unwrap();
    pair(&mut heap);
    heap.set_limits(Limits::NONE.with_bytes(heap.usage().total_bytes as usize + 10_000));
    assert!(!heap.should_collect());
    let sorted = heap.sort_by::<List, Error>(list, |heap, a, b| heap.cmp_int(b, a));
    assert_eq!(sorted, Err(Error::Limit(Resource::Bytes)));
    assert!(heap.should_collect());
}
