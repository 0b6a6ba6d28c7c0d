//! Regions: what they free, what they keep, and what they cost.

use proptest::prelude::*;
use segheap::{
    Bytes, Cell, Error, Heap, Kind, Limits, List, Map, Pair, Region, Resource, Str, abi,
};

use super::{NONE, heap, pair};
use crate::support::config;

#[test]
fn a_local_text_in_an_outer_list_becomes_stale() {
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

/// Whatever path allocates it, an object belongs to the innermost region.
#[test]
fn few_bytes_belong_to_their_region() {
    let mut heap = heap();
    let bytes = heap.alloc(Bytes::of(b"sixteen bytes :)")).unwrap();
    let text = heap.string("sixteen bytes :)").unwrap();
    for _ in 0..100 {
        let region = heap.open_region().unwrap();
        let made = [
            heap.string("a local text").unwrap(),
            heap.concat(&[text.into(), text.into()]).unwrap(),
            heap.convert_across::<Str>(bytes, ..).unwrap().into(),
        ];
        assert!(made.iter().all(|&text| heap.contains(text)));
        assert_eq!(heap.close_region(region, NONE), Ok(3));
        assert!(!made.iter().any(|&text| heap.contains(text)));
    }
    heap.verify().unwrap();
}

#[test]
fn a_kept_list_in_a_reused_slot_keeps_its_elements() {
    let mut heap = heap();
    let old = heap.alloc(List::of(&[])).unwrap();
    heap.free(old).unwrap();
    let frame = heap.open_region().unwrap();
    let local = heap.string("a local text").unwrap();
    let list = heap.alloc(List::of(&[local])).unwrap();
    assert_eq!(heap.close_region(frame, [list.cell()]), Ok(0));
    heap.string("another text").unwrap();
    assert_eq!(heap.display(list).to_string(), r#"["a local text"]"#);
}

#[test]
fn a_kept_object_keeps_its_slot() {
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
fn a_reused_slot_is_freed_when_its_region_closes() {
    let mut heap = heap();
    let old = pair(&mut heap);
    heap.free(old).unwrap();
    let free = heap.usage().arena(Kind::PAIR).unwrap().free;
    let frame = heap.open_region().unwrap();
    let inside = pair(&mut heap);
    heap.close_region(frame, NONE).unwrap();
    assert!(!heap.contains(inside) && !heap.contains(old));
    assert_eq!(heap.usage().arena(Kind::PAIR).unwrap().free, free);
    assert_eq!(abi::bits(pair(&mut heap)) as u32, abi::bits(old) as u32);
}

#[test]
fn the_log_of_a_region_holds_live_objects_only() {
    let mut heap = heap();
    let region = heap.open_region().unwrap();
    for _ in 0..1000 {
        let cell = pair(&mut heap);
        heap.free(cell).unwrap();
    }
    let before = heap.usage().total_bytes;
    // Slots retire after 4,096 generations.
    let allocations = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    for _ in 0..allocations {
        let cell = pair(&mut heap);
        heap.free(cell).unwrap();
    }
    assert!(heap.usage().total_bytes <= before + 16 * 2 * allocations / 4096 + 1024);
    assert_eq!(heap.close_region(region, NONE), Ok(0));
}

/// Takes minutes if closing a region scans the log of the regions around it.
#[test]
fn closing_a_region_is_linear_in_its_own_allocations() {
    let mut heap = heap();
    let outer = heap.open_region().unwrap();
    for _ in 0..200_000 {
        pair(&mut heap);
    }
    for _ in 0..2_000 {
        let inner = heap.open_region().unwrap();
        pair(&mut heap);
        assert_eq!(heap.close_region(inner, NONE), Ok(1));
    }
    assert_eq!(heap.close_region(outer, NONE), Ok(200_000));
}

/// Takes minutes if each allocation with a full log scans it for freed objects.
#[test]
fn allocation_with_a_full_log_is_amortised() {
    let mut heap = heap();
    let region = heap.open_region().unwrap();
    for _ in 0..(1 << 17) - 1 {
        pair(&mut heap);
    }
    for _ in 0..400_000 {
        let cell = pair(&mut heap);
        heap.free(cell).unwrap();
    }
    assert_eq!(heap.close_region(region, NONE), Ok((1 << 17) - 1));
}

#[test]
fn an_empty_region_changes_nothing() {
    let mut heap = heap();
    for _ in 0..100_000 {
        pair(&mut heap);
    }
    let warm = heap.open_region().unwrap();
    heap.close_region(warm, NONE).unwrap();
    let before = heap.usage();
    for _ in 0..100_000 {
        let region = heap.open_region().unwrap();
        assert_eq!(heap.close_region(region, NONE), Ok(0));
    }
    assert_eq!(heap.usage(), before);
}

#[test]
fn the_memory_of_a_freed_map_is_reused_and_released() {
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
    heap.close_region(frame, NONE).unwrap();
    fill(&mut heap);
    assert!(heap.usage().total_bytes <= full, "freed memory is not reused");
    heap.clear();
    heap.compact();
    assert!(heap.usage().total_bytes <= full / 32);
}

/// A collection removes stale entries from the log: each of several regions opened
/// at one position still starts there.
#[test]
fn nested_regions_keep_their_starts_when_the_log_is_pruned() {
    let mut heap = heap();
    let outer = heap.open_region().unwrap();
    let stale = pair(&mut heap);
    heap.free(stale).unwrap();
    let middle = heap.open_region().unwrap();
    let inner = heap.open_region().unwrap();
    let cell = pair(&mut heap);
    heap.collect([cell]).unwrap();
    assert_eq!(heap.close_region(inner, NONE), Ok(1));
    assert_eq!(heap.close_region(middle, NONE), Ok(0));
    assert_eq!(heap.close_region(outer, NONE), Ok(0));
}

#[test]
fn open_regions_survive_clear() {
    let mut heap = heap();
    let outer = heap.open_region().unwrap();
    for _ in 0..10 {
        pair(&mut heap);
    }
    let inner = heap.open_region().unwrap();
    heap.clear();
    heap.verify().unwrap();
    pair(&mut heap);
    assert_eq!(heap.close_region(inner, NONE), Ok(1));
    assert_eq!(heap.close_region(outer, NONE), Ok(0));
}

/// Takes minutes if each allocation with a full log that may not grow scans it.
#[test]
fn allocation_at_the_limit_is_amortised() {
    const OBJECTS: usize = 1 << 19;
    const TURNS: usize = 1 << 20;
    // The order in which objects are freed: the newest, the oldest, scattered ones.
    for step in [0, 1, 7_919] {
        let mut heap = heap();
        let outer: Vec<Cell> = (0..1000).map(|_| pair(&mut heap)).collect();
        let region = heap.open_region().unwrap();
        let mut inside: Vec<Cell> = (1..OBJECTS).map(|_| pair(&mut heap)).collect();
        heap.set_limits(Limits::NONE.with_bytes(heap.usage().total_bytes as usize));
        for turn in 0..TURNS {
            let turn = turn.wrapping_mul(step) % inside.len();
            heap.free(inside[turn]).unwrap();
            inside[turn] = pair(&mut heap);
        }
        // Objects that are not in the log make room for others in their slots.
        for &cell in &outer {
            heap.free(cell).unwrap();
            let _ = heap.alloc(Pair::of(Cell::NULL, Cell::NULL));
        }
        // Refusals cost no scan either.
        while heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).is_ok() {}
        for _ in 0..TURNS {
            assert!(heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).is_err());
        }
        // Nor does what becomes of a log that was refused growth.
        for turn in 0..TURNS {
            let turn = turn.wrapping_mul(step) % inside.len();
            if heap.free(inside[turn]).is_ok()
                && let Ok(pair) = heap.alloc(Pair::of(Cell::NULL, Cell::NULL))
            {
                inside[turn] = pair.into();
            }
        }
        inside.retain(|&cell| heap.contains(cell));
        let freed = heap.close_region(region, NONE).unwrap();
        assert!(freed >= inside.len() as u64);
    }
}

/// Takes minutes if each allocation that fails grows a full log, and shrinks it again.
#[test]
fn failed_allocations_with_a_full_log_are_amortised() {
    // At all of its capacity, and where it grows ahead of that.
    for objects in [1 << 19, (1 << 19) / 8 * 7] {
        let mut heap = heap();
        let region = heap.open_region().unwrap();
        for _ in 0..objects {
            pair(&mut heap);
        }
        heap.set_limits(Limits::NONE.with_pages(200));
        for _ in 0..1_000_000 {
            assert!(heap.alloc(List::zeroed(1 << 21)).is_err());
        }
        assert_eq!(heap.close_region(region, NONE), Ok(objects));
    }
}

/// Entries that are known to be stale leave room for others until their region closes.
#[test]
fn a_log_keeps_room_after_a_region_has_closed() {
    let mut heap = heap();
    let try_pair = |heap: &mut Heap| heap.alloc(Pair::of(Cell::NULL, Cell::NULL));
    (0..100).for_each(|_| _ = pair(&mut heap));
    let outer = heap.open_region().unwrap();
    (0..29).for_each(|_| _ = pair(&mut heap));
    let inner = heap.open_region().unwrap();
    let stale: Vec<Cell> = (0..2).map(|_| pair(&mut heap)).collect();
    heap.set_limits(Limits::NONE.with_bytes(heap.usage().total_bytes as usize));
    stale.iter().for_each(|&cell| heap.free(cell).unwrap());
    while try_pair(&mut heap).is_ok() {}
    heap.close_region(inner, NONE).unwrap();
    let mut last = None;
    while let Ok(pair) = try_pair(&mut heap) {
        last = Some(pair);
    }
    heap.free(last.unwrap()).unwrap();
    assert!(try_pair(&mut heap).is_ok());
    heap.close_region(outer, NONE).unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Open,
    /// Closes the innermost region, and keeps an object if it has one.
    Close {
        keep: bool,
    },
    Allocate(usize),
    Free(usize),
    FreeOuter(usize),
    Transplant(usize),
    /// Lowers the limit to the bytes in use and some more.
    Limit(usize),
    Unlimited,
    Collect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Open),
        2 => any::<bool>().prop_map(|keep| Step::Close { keep }),
        6 => (1..150_usize).prop_map(Step::Allocate),
        6 => any::<usize>().prop_map(Step::Free),
        1 => any::<usize>().prop_map(Step::FreeOuter),
        1 => (1..100_usize).prop_map(Step::Transplant),
        2 => prop_oneof![Just(0), 0..5000_usize].prop_map(Step::Limit),
        1 => Just(Step::Unlimited),
        1 => Just(Step::Collect),
    ]
}

/// Open regions, innermost last, with the objects that each frees.
#[derive(Default)]
struct Frames(Vec<(Option<Region>, Vec<Cell>)>);

impl Frames {
    fn innermost(&mut self) -> &mut Vec<Cell> {
        &mut self.0.last_mut().unwrap().1
    }

    /// Removes the object at a position, counted from the innermost region's first one.
    fn take(&mut self, position: usize) -> Option<Cell> {
        let cells =
            self.0.iter_mut().rev().map(|(_, cells)| cells).find(|cells| !cells.is_empty())?;
        Some(cells.swap_remove(position % cells.len()))
    }
}

proptest! {
    #![proptest_config(config(256))]

    /// A region frees what was allocated in it, whatever the log has been through; and
    /// an object that was freed in a region makes room for another one at the limit.
    #[test]
    fn the_log_at_the_limit_agrees_with_a_model(steps in prop::collection::vec(step(), 1..120)) {
        let mut source = heap();
        let mut heap = heap();
        let mut outer: Vec<Cell> = (0..100).map(|_| pair(&mut heap)).collect();
        let mut frames = Frames::default();
        // Whether an object makes room for another one: not if the outermost region has
        // been near a limit before, or objects older than it were freed. The log may be
        // refused growth then until a share of its objects has been freed.
        let (mut exact, mut unknown) = (false, false);
        for step in steps {
            if frames.0.is_empty() {
                unknown = heap.limits() != Limits::NONE;
                let region = heap.open_region();
                prop_assert!(region.is_ok() || heap.limits() != Limits::NONE);
                let Ok(region) = region else { break };
                frames.0.push((Some(region), vec![]));
            }
            match step {
                Step::Open => if let Ok(region) = heap.open_region() {
                    frames.0.push((Some(region), vec![]));
                },
                Step::Close { keep } => {
                    let (region, cells) = frames.0.pop().unwrap();
                    let keep = cells.first().copied().filter(|_| keep);
                    let freed = cells.len() - keep.iter().len();
                    prop_assert_eq!(heap.close_region(region.unwrap(), keep), Ok(freed as u64));
                    prop_assert!(cells.iter().all(|&cell| heap.contains(cell) == (Some(cell) == keep)));
                    if frames.0.is_empty() { outer.extend(keep) } else { frames.innermost().extend(keep) }
                }
                Step::Allocate(n) => for _ in 0..n {
                    match heap.alloc(Pair::of(Cell::NULL, Cell::NULL)) {
                        Ok(cell) => frames.innermost().push(cell.cell()),
                        Err(error) => {
                            prop_assert_eq!(error, Error::Limit(Resource::Bytes));
                            prop_assert!(heap.limits() != Limits::NONE);
                            break;
                        }
                    }
                },
                Step::Free(position) => if let Some(cell) = frames.take(position) {
                    heap.free(cell).unwrap();
                    if exact && !unknown && cell.kind() == Some(Kind::PAIR) {
                        frames.innermost().push(pair(&mut heap));
                    }
                },
                Step::FreeOuter(position) => if !outer.is_empty() {
                    heap.free(outer.swap_remove(position % outer.len())).unwrap();
                    unknown = true;
                },
                Step::Transplant(n) => {
                    let pairs: Vec<Cell> = (0..n).map(|_| pair(&mut source)).collect();
                    let graph = source.alloc(List::of(&pairs)).unwrap();
                    if let Ok(copy) = heap.transplant(&source, graph.into()) {
                        let copies = heap.get::<List>(copy).unwrap().as_slice().to_vec();
                        heap.get_mut::<List>(copy).unwrap().truncate(0).unwrap();
                        frames.innermost().push(copy);
                        frames.innermost().extend(copies);
                    }
                }
                Step::Limit(spare) => {
                    heap.set_limits(Limits::NONE.with_bytes(heap.usage().total_bytes as usize + spare));
                    unknown |= exact || spare > 0;
                    exact = true;
                }
                Step::Unlimited => {
                    heap.set_limits(Limits::NONE);
                    unknown |= exact;
                    exact = false;
                }
                Step::Collect => {
                    let cells = frames.0.iter().flat_map(|(_, cells)| cells).chain(&outer).copied();
                    prop_assert_eq!(heap.collect(cells).unwrap().freed, 0);
                    unknown |= exact;
                }
            }
            prop_assert_eq!(heap.verify(), Ok(()));
        }
        while let Some((region, cells)) = frames.0.pop() {
            prop_assert_eq!(heap.close_region(region.unwrap(), NONE), Ok(cells.len() as u64));
        }
        prop_assert!(outer.iter().all(|&cell| heap.contains(cell)));
    }
}

/// Symbols are in no region: those of a copied graph do not count as objects of the region.
#[test]
fn symbols_of_a_transplant_are_in_no_region() {
    let mut source = heap();
    let symbol = source.intern("a symbol of some length").unwrap();
    let root = source.alloc(List::of(&[symbol])).unwrap().cell();
    for copies in [1, 3, 40] {
        let mut heap = super::heap();
        let region = heap.open_region().unwrap();
        heap.collect(NONE).unwrap();
        let copied: Vec<Cell> =
            (0..copies).map(|_| heap.transplant(&source, root).unwrap()).collect();
        heap.verify().unwrap();
        assert_eq!(heap.close_region(region, NONE).unwrap(), copies);
        assert!(copied.iter().all(|&cell| !heap.contains(cell)));
        assert!(heap.intern("a symbol of some length").is_ok());
        assert_eq!(heap.usage().live(), 1);
        heap.verify().unwrap();
    }
}
