//! What `segheap::testing` gives to VMs: strategies reach what they promise, and a frame finds
//! each write that is not allowed.

use proptest::prelude::*;
use segheap::testing::{
    Frame, Instruction, ObjectRecipe, Writes, bounds, cell, checked, float_bits, graph, immediate,
    index, integer, object, programs, text,
};
use segheap::{Cell, Error, Heap, Kind, List, Map, Pair};

use crate::support::{config, heap};

/// Something that an instruction does to a heap with objects.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Nothing,
    Allocate,
    Change,
    Grow,
    Free,
    Compact,
    Sweep,
}

const DEEDS: [Deed; 7] = [
    Deed::Nothing,
    Deed::Allocate,
    Deed::Change,
    Deed::Grow,
    Deed::Free,
    Deed::Compact,
    Deed::Sweep,
];

impl Deed {
    fn run(self, heap: &mut Heap, list: Cell) -> Result<(), Error> {
        match self {
            Deed::Nothing => heap.get::<List>(list).map(drop),
            Deed::Allocate => heap.alloc(List::new()).map(drop),
            Deed::Change => heap.get_mut::<List>(list)?.set(0, 77.into()),
            Deed::Grow => heap.get_mut::<List>(list)?.push(77.into()),
            Deed::Free => heap.free(list),
            Deed::Compact => {
                heap.compact();
                Ok(())
            }
            Deed::Sweep => heap.collect([list]).map(drop),
        }
    }

    /// Whether these writes allow the deed.
    fn is_allowed(self, writes: &[&str]) -> bool {
        let has = |write| writes.contains(&write);
        // An object that was to be freed, and is live, is an error.
        let is_kept = !has("frees") || has("kind");
        match self {
            Deed::Nothing => true,
            Deed::Allocate => is_kept && !writes.is_empty(),
            Deed::Change | Deed::Grow => has("kind") || has("changes") && !has("frees"),
            Deed::Free => has("kind") || has("frees") || has("sweeps"),
            // The pair has no reason to move.
            Deed::Compact => is_kept && (has("moves") || has("kind")),
            // It is freed as well.
            Deed::Sweep => is_kept && has("sweeps"),
        }
    }
}

/// A heap with a list that has spare capacity, and garbage.
fn lists() -> (Heap, Cell) {
    let mut heap = heap(1);
    let list = heap.alloc(List::of(&[1.into(), 2.into(), 3.into()])).unwrap().cell();
    heap.get_mut::<List>(list).unwrap().push(4.into()).unwrap();
    heap.alloc(List::of(&[5.into()])).unwrap();
    heap.alloc(Pair::of(1.into(), 2.into())).unwrap();
    (heap, list)
}

#[test]
fn a_frame_allows_what_is_declared_and_nothing_else() {
    type Write = (&'static str, fn(Writes, Cell) -> Writes);
    let all: [Write; 6] = [
        ("kind", |writes, _| writes.and_kind(Kind::LIST)),
        ("allocates", |writes, _| writes.allocates(Kind::LIST)),
        ("changes", |writes, list| writes.changes(list)),
        ("frees", |writes, list| writes.frees(list)),
        ("sweeps", |writes, _| writes.sweeps()),
        ("moves", |writes, _| writes.moves()),
    ];
    let mut found = [0; 2];
    for deed in DEEDS {
        for chosen in 0..1_usize << all.len() {
            let (mut heap, list) = lists();
            let chosen: Vec<_> = all
                .iter()
                .enumerate()
                .filter(|(n, _)| chosen >> n & 1 == 1)
                .map(|(_, it)| it)
                .collect();
            let names: Vec<&str> = chosen.iter().map(|(name, _)| *name).collect();
            let writes =
                chosen.iter().fold(Writes::nothing(), |writes, (_, add)| add(writes, list));
            let mut frame = Frame::of(&heap);
            deed.run(&mut heap, list).unwrap();
            let result = frame.check(&heap, &writes);
            let expected = deed.is_allowed(&names);
            assert_eq!(result.is_ok(), expected, "{deed:?} {names:?}: {result:?}");
            found[usize::from(expected)] += 1;
        }
    }
    assert!(found.iter().all(|&count| count > 20), "{found:?}");
}

#[test]
fn what_fails_must_change_nothing() {
    let (mut heap, list) = lists();
    let frame = Frame::of(&heap);
    assert!(frame.equals(&heap));
    assert!(heap.get_mut::<List>(list).unwrap().set(9, 1.into()).is_err());
    assert_eq!(frame.check_failed(&heap), Ok(()));
    heap.get_mut::<List>(list).unwrap().set(0, 9.into()).unwrap();
    let error = frame.check_failed(&heap).unwrap_err();
    assert_eq!((error.kind, error.slot), (Some(Kind::LIST), None));
    assert_eq!(frame.compare(&heap).filter(|(_, same)| !same).count(), 1);
    let (mut heap, _) = lists();
    let frame = Frame::of(&heap);
    heap.record_events(64).unwrap();
    assert_eq!(frame.check_failed(&heap).unwrap_err().kind, None);
}

/// Tables that a compaction has rebuilt have the same entries; another entry is found.
#[test]
fn tables_that_move_keep_their_entries() {
    let mut heap = heap(1);
    let map = heap.alloc(Map::new()).unwrap();
    for n in 0..40_u32 {
        heap.get_mut(map).unwrap().insert(n.into(), n.into()).unwrap();
    }
    for n in 3..40_u32 {
        heap.get_mut(map).unwrap().remove(n.into()).unwrap();
    }
    let mut frame = Frame::of(&heap);
    heap.compact();
    assert!(frame.check(&heap, &Writes::nothing().moves()).is_ok());
    heap.get_mut(map).unwrap().insert(0.into(), 9.into()).unwrap();
    let error = frame.check(&heap, &Writes::nothing().moves()).unwrap_err();
    assert_eq!((error.kind, error.slot), (Some(Kind::MAP), Some(0)));
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn an_instruction_is_checked_in_a_line(graph in graph(20), value in cell()) {
        let mut heap = heap(1);
        let objects = graph.build(&mut heap).unwrap();
        for list in objects {
            let push = |heap: &mut Heap| heap.get_mut::<List>(list)?.push(value);
            let pushed = checked(&mut heap, |heap| heap, &Writes::kind(Kind::LIST), push)?;
            let is_list = list.kind() == Some(Kind::LIST);
            prop_assert_eq!(pushed.is_ok(), is_list);
            let pushed = checked(&mut heap, |heap| heap, &Writes::kind(Kind::PAIR), push);
            prop_assert_eq!(pushed.is_err(), is_list);
        }
        prop_assert_eq!(heap.verify(), Ok(()));
    }

    #[test]
    fn objects_are_of_every_kind(recipe in object()) {
        let mut heap = heap(1);
        let object = recipe.build(&mut heap, &[]).unwrap();
        prop_assert_eq!(object.kind(), Some(recipe.kind));
        prop_assert_eq!(heap.verify(), Ok(()));
    }

    #[test]
    fn graphs_are_reproducible(graph in graph(40)) {
        let (mut a, mut b) = (heap(1), heap(1));
        let objects = graph.build(&mut a).unwrap();
        prop_assert_eq!(&objects, &graph.build(&mut b).unwrap());
        prop_assert_eq!(objects.len() as u64, a.usage().live());
        prop_assert_eq!(a.dump().to_string(), b.dump().to_string());
    }
}

/// Draws from a strategy, with a fixed seed.
fn draw<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let tree = proptest::collection::vec(strategy, 2_000).new_tree(&mut runner).unwrap();
    proptest::strategy::ValueTree::current(&tree)
}

#[test]
fn edges_are_frequent() {
    let many = |count: usize| assert!(count > 20, "{count} of 2,000");
    let cells = draw(cell());
    many(cells.iter().filter(|cell| cell.kind().is_some()).count());
    for kind in Kind::ALL {
        assert!(cells.iter().any(|cell| cell.kind() == Some(kind)), "{kind}");
    }
    many(cells.iter().filter(|cell| cell.as_float().is_some_and(f64::is_nan)).count());
    assert!(draw(immediate()).iter().all(|cell| cell.kind().is_none()));
    many(draw(float_bits()).iter().filter(|bits| f64::from_bits(**bits).is_nan()).count());
    many(draw(integer()).iter().filter(|int| Cell::int(**int).is_none()).count());
    many(draw(text()).iter().filter(|text| Cell::short_str(text).is_none()).count());
    many(draw(index()).iter().filter(|index| **index > 1 << 20).count());
    many(draw(bounds()).iter().filter(|(start, _)| *start == std::ops::Bound::Unbounded).count());
    let kinds = draw(object()).into_iter().map(|ObjectRecipe { kind, .. }| kind.to_string());
    assert_eq!(kinds.collect::<std::collections::BTreeSet<_>>().len(), Kind::COUNT);
    many(draw(programs(8)).iter().filter(|program| program.len() == 7).count());
}

#[test]
fn bytes_are_programs() {
    let step =
        Instruction { op: 0x0201, cells: [0x0403, 0x0605, 0x0807], numbers: [0x0A09, 0x0C0B] };
    let bytes: Vec<u8> = (1..=20).collect();
    assert_eq!(Instruction::read(&bytes), [step]);
    assert_eq!(Instruction::pick(step.op, &[7, 8]), Some(&8));
    assert_eq!(Instruction::pick::<u8>(step.op, &[]), None);
}
