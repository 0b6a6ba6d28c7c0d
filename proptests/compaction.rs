//! Collection where memory is short or the graph is deep, compaction, and what
//! regions cost.

use proptest::prelude::*;
use segheap::{Bytes, Cell, Error, Heap, Kind, Limits, List, Map, Pair, Policy, Settings, abi};

use crate::support::config;

const NOTHING: [Cell; 0] = [];

fn heap() -> Heap {
    Heap::with(Settings::seeded(3))
}

fn limited(limits: Limits) -> Heap {
    Heap::with(Settings::seeded(3).limits(limits))
}

fn pair(heap: &mut Heap) -> Cell {
    heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell()
}

/// Runs on a stack that no recursion over a deep graph fits into.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
}

/// Ten million in an optimised build; a tenth of that in a debug build.
const DEEP: u64 = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };

fn chain(heap: &mut Heap, len: u64) -> Cell {
    let mut cell = Cell::NULL;
    for n in 0..len {
        cell = match n % 2 {
            0 => heap.alloc(Pair::of(Cell::NULL, cell)).unwrap().into(),
            _ => heap.alloc(List::of(&[cell])).unwrap().into(),
        };
    }
    cell
}

#[test]
fn a_chain_of_millions_is_collected() {
    on_a_small_stack(|| {
        let mut heap = heap();
        let head = chain(&mut heap, DEEP);
        assert_eq!(heap.collect([head]).unwrap().live, DEEP);
        let region = heap.open_region().unwrap();
        heap.close_region(region, [head]).unwrap();
        let dead = heap.collect(NOTHING).unwrap();
        assert_eq!((dead.freed, dead.live), (DEEP, 0));
    });
}

#[test]
fn a_deep_chain_is_compared_printed_copied_and_searched() {
    on_a_small_stack(|| {
        let len = DEEP / 10;
        let mut heap = heap();
        let (head, other) = (chain(&mut heap, len), chain(&mut heap, len));
        assert_eq!(heap.deep_eq(head, other), Ok(true));
        assert_eq!(heap.display(head).to_string().len(), 4096 + "…".len());
        let first = heap.objects::<Pair>().next().unwrap().cell();
        assert_eq!(heap.path_from_roots([head], first).unwrap().unwrap().len() as u64, len);
        let mut copy = self::heap();
        let root = copy.transplant(&heap, head).unwrap();
        assert_eq!(copy.collect([root]).unwrap().live, len);
        let region = copy.open_region().unwrap();
        let root = copy.transplant(&heap, head).unwrap();
        assert_eq!(copy.close_region(region, [root]), Ok(0));
        assert!(copy.contains(root));
    });
}

/// Lists of eight references at random.
fn wide(len: usize, mut random: u64) -> (Heap, Vec<Cell>) {
    let mut heap = heap();
    let lists: Vec<Cell> = (0..len).map(|_| heap.alloc(List::zeroed(8)).unwrap().cell()).collect();
    for &list in &lists {
        let mut view = heap.get_mut::<List>(list).unwrap();
        for place in view.as_mut_slice().unwrap() {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(99);
            *place = lists[(random >> 33) as usize % len];
        }
    }
    (heap, lists)
}

#[test]
fn a_collection_without_memory_has_the_same_result() {
    let (mut free, lists) = wide(30_000, 1);
    let (mut refused, same) = wide(30_000, 1);
    assert_eq!(lists, same);
    refused.fail_growth_after(Some(0));
    let roots = [lists[5], lists[17]];
    let (a, b) = (free.collect(roots).unwrap(), refused.collect(roots).unwrap());
    assert_eq!(a, b);
    assert!(lists.iter().all(|&list| free.contains(list) == refused.contains(list)));
    refused.verify().unwrap();
}

/// A graph made so that a bounded work list overflows at each object, in the
/// order in which scanning again finds one more at a time.
#[test]
fn a_collection_without_memory_ends_in_sane_time() {
    // Quadratic work would take minutes.
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

    /// What a limit refused is granted after a collection that freed as much.
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
            // 23 pages of 8,192 words, one for each object.
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

    /// A compaction changes nothing that can be seen.
    #[test]
    fn compaction_keeps_contents(
        sizes in prop::collection::vec((0..400_usize, any::<bool>(), 0..400_usize), 1..60),
    ) {
        let mut heap = heap();
        let mut made = vec![];
        for (n, &(size, _, cut)) in sizes.iter().enumerate() {
            let bytes = heap.alloc(Bytes::of(&vec![n as u8; size])).unwrap();
            heap.get_mut(bytes).unwrap().truncate(cut).unwrap();
            made.push(bytes);
        }
        for (&bytes, size) in made.iter().zip(&sizes) {
            if size.1 {
                heap.free(bytes).unwrap();
            }
        }
        let before = heap.usage().total_bytes;
        heap.compact();
        heap.verify().unwrap();
        prop_assert!(heap.usage().total_bytes <= before);
        for ((n, &bytes), &(size, dead, cut)) in made.iter().enumerate().zip(&sizes) {
            prop_assert_eq!(heap.contains(bytes), !dead);
            if !dead {
                prop_assert_eq!(heap.get(bytes).unwrap().as_slice(), &vec![n as u8; size.min(cut)][..]);
            }
        }
    }
}

fn size_with_slack(size: usize) -> usize {
    size * 2 + 4096
}

/// A loop that asks at safe points is never refused while little is alive.
fn no_surprise(limits: Limits, live: usize) {
    let mut heap = limited(limits);
    let mut ring = vec![Cell::NULL; live];
    let mut collections = 0;
    for n in 0..60_000_usize {
        if heap.should_collect() {
            heap.collect(ring.iter().copied()).unwrap();
            collections += 1;
        }
        ring[n % live] = pair(&mut heap);
    }
    assert!(collections > 0 && collections < 6_000, "{collections} collections");
}

#[test]
fn should_collect_says_yes_before_the_limit_on_slots() {
    for slots in [100, 1000, 1024, 5000] {
        no_surprise(Limits::NONE.with_slots(slots), slots as usize / 3);
    }
}

#[test]
fn should_collect_says_yes_before_the_limits_on_pages_and_bytes() {
    for pages in [2, 3, 8] {
        no_surprise(Limits::NONE.with_pages(pages), pages as usize * 1000);
    }
    no_surprise(Limits::NONE.with_bytes(1 << 20), 5_000);
    no_surprise(Limits::NONE.with_bytes(4 << 20), 5_000);
}

/// With little room left, the answer is not yes at every step; what is refused makes it yes.
#[test]
fn near_a_limit_collections_are_paid_for() {
    let limits = Limits::NONE.with_slots(1_000);
    let mut heap = limited(limits);
    let kept: Vec<Cell> = (0..950).map(|_| pair(&mut heap)).collect();
    let mut collections = 0;
    for _ in 0..10_000 {
        if heap.should_collect() {
            heap.collect(kept.iter().copied()).unwrap();
            assert!(!heap.should_collect(), "twice at one step");
            collections += 1;
        }
        pair(&mut heap);
    }
    // A 32nd of 950 pairs are some 30.
    assert!((100..=400).contains(&collections), "{collections} collections");

    heap.collect(kept.iter().copied()).unwrap();
    let more: Vec<Cell> = (0..50).map(|_| pair(&mut heap)).collect();
    heap.collect(kept.iter().chain(&more).copied()).unwrap();
    assert!(!heap.should_collect());
    assert!(heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).is_err());
    assert!(heap.should_collect());
}

#[test]
fn a_policy_of_stress_asks_at_every_so_many() {
    let mut heap = heap();
    heap.set_policy(Policy::DEFAULT.with_stress(3));
    for _ in 0..10 {
        let asked: Vec<bool> = (0..3)
            .map(|_| {
                let asked = heap.should_collect();
                pair(&mut heap);
                asked
            })
            .collect();
        assert_eq!((asked, heap.should_collect()), (vec![false; 3], true));
        assert_eq!(heap.collect(NOTHING).unwrap().freed, 3);
    }
}

/// Few objects, all over a page: more words than there are slots to count.
#[test]
fn compaction_finds_large_blocks_everywhere_in_a_page() {
    for len in [1_u8, 10, 32, 100, 120] {
        let mut heap = heap();
        let made: Vec<_> = (0..len).map(|n| heap.alloc(Bytes::of(&[n; 449])).unwrap()).collect();
        heap.verify().unwrap();
        made.iter().step_by(2).for_each(|&bytes| heap.free(bytes).unwrap());
        heap.compact();
        heap.verify().unwrap();
        // What comes now lies on nothing that is alive.
        for _ in 0..len {
            heap.alloc(Bytes::of(&[255; 449])).unwrap();
        }
        for (n, &bytes) in made.iter().enumerate().filter(|(n, _)| n % 2 == 1) {
            assert_eq!(heap.get(bytes).unwrap().as_slice(), [n as u8; 449]);
        }
        heap.verify().unwrap();
    }
}

/// A hint that was proved before its object moved is proved again.
#[test]
fn hints_follow_what_a_compaction_moves() {
    let mut heap = heap();
    let first = heap.alloc(List::of(&[1.into(); 20])).unwrap();
    let list = heap.alloc(List::of(&[2.into(); 20])).unwrap();
    heap.alloc(List::of(&[3.into(); 20])).unwrap();
    heap.free(first).unwrap();
    let mut hint = heap.hint(list, ..).unwrap();
    assert_eq!(hint.get(&heap, 5), Ok(2.into()));
    heap.compact();
    assert_eq!(hint.get(&heap, 5), Ok(2.into()));
    hint.set(&mut heap, 5, 9.into()).unwrap();
    assert_eq!(heap.get(list).unwrap().get(5), Ok(9.into()));
}

// What regions cost.

#[test]
fn a_region_notes_what_is_alive_only() {
    let mut heap = heap();
    let region = heap.open_region().unwrap();
    for _ in 0..1000 {
        let cell = pair(&mut heap);
        heap.free(cell).unwrap();
    }
    let before = heap.usage().total_bytes;
    // Slots retire: 4,096 lives each.
    let lives = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    for _ in 0..lives {
        let cell = pair(&mut heap);
        heap.free(cell).unwrap();
    }
    assert!(heap.usage().total_bytes <= before + 16 * 2 * lives / 4096 + 1024);
    assert_eq!(heap.close_region(region, NOTHING), Ok(0));
}

/// Would take minutes if closing a region went over the births around it.
#[test]
fn an_inner_region_costs_what_was_born_inside_it() {
    let mut heap = heap();
    let outer = heap.open_region().unwrap();
    for _ in 0..200_000 {
        pair(&mut heap);
    }
    for _ in 0..2_000 {
        let inner = heap.open_region().unwrap();
        pair(&mut heap);
        assert_eq!(heap.close_region(inner, NOTHING), Ok(1));
    }
    assert_eq!(heap.close_region(outer, NOTHING), Ok(200_000));
}

/// Would take minutes if a full log were searched for the dead at each birth.
#[test]
fn births_and_deaths_beside_a_full_log_are_cheap() {
    let mut heap = heap();
    let region = heap.open_region().unwrap();
    for _ in 0..(1 << 17) - 1 {
        pair(&mut heap);
    }
    for _ in 0..10_000 {
        let cell = pair(&mut heap);
        heap.free(cell).unwrap();
    }
    assert_eq!(heap.close_region(region, NOTHING), Ok((1 << 17) - 1));
}

#[test]
fn an_empty_region_touches_nothing() {
    let mut heap = heap();
    for _ in 0..100_000 {
        pair(&mut heap);
    }
    let warm = heap.open_region().unwrap();
    heap.close_region(warm, NOTHING).unwrap();
    let before = heap.usage();
    for _ in 0..100_000 {
        let region = heap.open_region().unwrap();
        assert_eq!(heap.close_region(region, NOTHING), Ok(0));
    }
    assert_eq!(heap.usage(), before);
}

// All or nothing.

/// What a failed operation must leave as it was, and the next handles.
fn trace(heap: &mut Heap) -> (Vec<u64>, u64) {
    let used = heap.usage().total_bytes - heap.usage().scratch_bytes;
    heap.verify().unwrap();
    heap.fail_growth_after(None);
    heap.set_limits(Limits::NONE);
    let next = (0..40)
        .flat_map(|_| {
            let pair = heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).unwrap().cell();
            let list = heap.alloc(List::zeroed(3)).unwrap().cell();
            let map = heap.alloc(Map::with_capacity(2)).unwrap().cell();
            [abi::bits(pair), abi::bits(list), abi::bits(map)]
        })
        .collect();
    (next, used)
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut source = heap();
    let inner = chain(&mut source, 40);
    let map = source.alloc(Map::new()).unwrap();
    for n in 0..20 {
        source.get_mut(map).unwrap().insert(n.into(), inner).unwrap();
    }
    let root = map.cell();
    let build = || {
        let mut heap = heap();
        let cells: Vec<Cell> = (0..30).map(|_| pair(&mut heap)).collect();
        let region = heap.open_region().unwrap();
        cells[3..20].iter().for_each(|&cell| heap.free(cell).unwrap());
        (heap, cells[25], region)
    };
    type Work<'w> = &'w dyn Fn(&mut Heap, Cell) -> Result<(), Error>;
    let works: [Work<'_>; 7] = [
        &|heap, cell| heap.pin(cell),
        &|heap, cell| heap.watch(cell, 1),
        &|heap, cell| {
            let key = heap.new_seal_key()?;
            heap.seal(cell, &key).map(drop)
        },
        &|heap, _| heap.open_region().map(drop),
        &|heap, _| heap.alloc(List::zeroed(20_000)).map(drop),
        &|heap, _| heap.alloc(Bytes::zeroed(20_000)).map(drop),
        &|heap, _| heap.transplant(&source, root).map(drop),
    ];
    let slots = |heap: &Heap| Kind::ALL.map(|kind| abi::slots(heap, kind).unwrap().to_vec());
    let wanted = {
        let (mut heap, ..) = build();
        (slots(&heap), trace(&mut heap))
    };
    for (n, work) in works.iter().enumerate() {
        let mut failed = 0;
        for refuse in 0..200_u64 {
            let (mut heap, cell, _region) = build();
            if refuse < 40 {
                heap.fail_growth_after(Some(refuse));
            } else {
                let used = heap.usage().total_bytes as usize;
                let bytes = used + (refuse as usize - 40) * 4001;
                heap.set_limits(Limits::NONE.with_bytes(bytes));
            }
            if work(&mut heap, cell).is_err() {
                failed += 1;
                assert_eq!(
                    (slots(&heap), trace(&mut heap)),
                    wanted,
                    "operation {n}, refusal {refuse}"
                );
            }
        }
        assert!(failed > 0, "operation {n}");
    }
}

#[test]
fn no_operation_passes_the_limit_on_bytes() {
    let mut source = heap();
    let head = chain(&mut source, 5_000);
    for kib in (64..3000).step_by(37) {
        let mut heap = limited(Limits::NONE.with_bytes(kib << 10));
        let _ = heap.transplant(&source, head);
        assert!(heap.usage().total_bytes <= (kib as u64) << 10);
        heap.verify().unwrap();
    }
}

/// What a refused transplant made does not bring the next collection nearer.
#[test]
fn a_refused_transplant_is_not_counted() {
    let mut source = heap();
    let head = chain(&mut source, 2_000);
    let mut refusals = 0;
    loop {
        let mut heap = heap();
        heap.set_policy(Policy::DEFAULT.with_stress(1).with_bytes_min(1));
        heap.fail_growth_after(Some(refusals));
        let copied = heap.transplant(&source, head);
        assert_eq!(heap.should_collect(), copied.is_ok(), "growth {refusals}");
        if copied.is_ok() {
            break;
        }
        refusals += 1;
    }
    assert!(refusals > 4);
}

/// A refused transplant leaves scratch memory, but none that others want.
#[test]
fn scratch_memory_gives_way_after_a_collection() {
    let mut source = heap();
    let head = chain(&mut source, 20_000);
    let mut heap = limited(Limits::NONE.with_bytes(1 << 20));
    assert!(heap.transplant(&source, head).is_err());
    if heap.alloc(Bytes::zeroed(600_000)).is_err() {
        heap.collect(NOTHING).unwrap();
        heap.alloc(Bytes::zeroed(600_000)).unwrap();
    }
}

#[test]
fn roots_that_panic_harm_nobody() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let mut heap = heap();
    let kept = heap.alloc(List::of(&[Cell::NULL])).unwrap().cell();
    let broken = || (0..1).map(|_| -> Cell { std::panic::resume_unwind(Box::new(())) });
    let caught = catch_unwind(AssertUnwindSafe(|| heap.collect(broken())));
    assert!(caught.is_err());
    let region = heap.open_region().unwrap();
    pair(&mut heap);
    let caught = catch_unwind(AssertUnwindSafe(|| heap.close_region(region, broken())));
    assert!(caught.is_err());
    heap.verify().unwrap();
    // Also when the work list has left the stack.
    let many: Vec<Cell> = (0..5000).map(|_| heap.alloc(List::new()).unwrap().cell()).collect();
    let wide = heap.alloc(List::of(&many)).unwrap().cell();
    let roots = || (0..400).map(|n| if n < 399 { wide } else { broken().next().unwrap() });
    let caught = catch_unwind(AssertUnwindSafe(|| heap.collect(roots())));
    assert!(caught.is_err());
    heap.verify().unwrap();
    assert_eq!(heap.collect([kept]).unwrap().live, 1);
    assert!(heap.contains(kept));
}

// What other heaps got wrong.

#[test]
fn a_local_text_in_an_outer_list_is_stale_and_never_another() {
    let mut heap = heap();
    let outer = heap.alloc(List::of(&[])).unwrap();
    let frame = heap.open_region().unwrap();
    let local = heap.string("a local text").unwrap();
    heap.get_mut(outer).unwrap().push(local).unwrap();
    assert_eq!(heap.close_region(frame, [Cell::from(7)]), Ok(1));
    let other = heap.string("another text").unwrap();
    assert_eq!(heap.text(local).err(), Some(Error::Stale { kind: Kind::STR }));
    assert_eq!(heap.display(outer).to_string(), "[gone]");
    assert_eq!(heap.collect([outer.cell(), other]).unwrap().live, 2);
}

#[test]
fn a_returned_list_in_a_used_slot_survives_with_what_it_holds() {
    let mut heap = heap();
    let old = heap.alloc(List::of(&[])).unwrap();
    heap.free(old).unwrap();
    let frame = heap.open_region().unwrap();
    let local = heap.string("a local text").unwrap();
    let list = heap.alloc(List::of(&[local])).unwrap();
    assert_eq!(heap.close_region(frame, [list.cell()]), Ok(0));
    heap.string("an intruder").unwrap();
    assert_eq!(heap.display(list).to_string(), r#"["a local text"]"#);
}

#[test]
fn what_is_returned_stays_where_it_is() {
    let mut heap = heap();
    let frame = heap.open_region().unwrap();
    let a = heap.alloc(List::of(&[1.into()])).unwrap();
    let b = heap.alloc(List::of(&[2.into()])).unwrap();
    heap.free(a).unwrap();
    assert_eq!(heap.close_region(frame, [b.cell()]), Ok(0));
    let next = [heap.alloc(List::of(&[])).unwrap(), heap.alloc(List::of(&[])).unwrap()];
    assert!(!next.contains(&b) && next[0] != next[1]);
    assert_eq!(heap.get(b).unwrap().as_slice(), [2.into()]);
}

#[test]
fn a_used_slot_is_given_back_at_the_end_of_a_frame() {
    let mut heap = heap();
    let old = pair(&mut heap);
    heap.free(old).unwrap();
    let free = heap.usage().arena(Kind::PAIR).unwrap().free;
    let frame = heap.open_region().unwrap();
    let inside = pair(&mut heap);
    heap.close_region(frame, NOTHING).unwrap();
    assert!(!heap.contains(inside) && !heap.contains(old));
    assert_eq!(heap.usage().arena(Kind::PAIR).unwrap().free, free);
    assert_eq!(abi::bits(pair(&mut heap)) as u32, abi::bits(old) as u32);
}

#[test]
fn a_stale_root_keeps_nothing_and_is_reported() {
    let mut heap = heap();
    let old = pair(&mut heap);
    heap.free(old).unwrap();
    let new = pair(&mut heap);
    let done = heap.collect([Cell::NULL, new, old, old]).unwrap();
    assert_eq!((done.stale_roots, done.first_stale, done.live), (2, Some(2), 1));
    let done = heap.collect([old]).unwrap();
    assert_eq!((done.freed, done.live), (1, 0));
}

#[test]
fn a_dropped_map_gives_its_memory_back() {
    let entries = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let mut heap = heap();
    let frame = heap.open_region().unwrap();
    let fill = |heap: &mut Heap| {
        let map = heap.alloc(Map::new()).unwrap();
        for n in 0..entries {
            heap.get_mut(map)
                .unwrap()
                .insert(Cell::int(n).unwrap(), n.rem_euclid(7).eq(&0).into())
                .unwrap();
        }
    };
    fill(&mut heap);
    let full = heap.usage().total_bytes;
    heap.close_region(frame, NOTHING).unwrap();
    fill(&mut heap);
    assert!(heap.usage().total_bytes <= full, "freed memory is used again");
    heap.clear();
    heap.compact();
    assert!(heap.usage().total_bytes <= full / 32);
}
