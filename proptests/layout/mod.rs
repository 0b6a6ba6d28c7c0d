//! The layout is as `abi::layout` says: objects of every kind, read by its constants from the
//! words of slots and memories alone, are what their views show. Addresses and offsets hold as
//! long as `abi::Bases` says.

mod facts;

use proptest::prelude::*;
use segheap::abi::layout::{cell, key, slot, table};
use segheap::abi::{self, Bases};
use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Heap, I64Arr, Kind, List, Map, Pair, Set, Str,
    Struct, U8Arr,
};

use crate::counters;
use crate::machine::{Machine, Step, arenas, host, sealed};
use crate::support::{self, config, programs};
use facts::{Facts, Object, State};

/// The bits of cells.
fn bits(cells: &[Cell]) -> Vec<u64> {
    cells.iter().map(|&cell| abi::bits(cell)).collect()
}

/// Checks all objects of a kind; returns their number.
fn check_kind(heap: &Heap, kind: Kind) -> usize {
    let facts = Facts::of(heap, kind);
    macro_rules! each {
        ($Kind:ty, |$view:ident, $object:ident| $check:block) => {{
            let mut objects = 0;
            for handle in heap.objects::<$Kind>() {
                let $object = facts.read(abi::bits(handle.cell())).expect("a live object");
                let $view = heap.get(handle).unwrap();
                $check
                // Objects of these kinds never change anyway.
                let never_changes = matches!(kind, Kind::STR | Kind::BIGNUM);
                let frozen = never_changes || $object.flags & slot::FROZEN != 0;
                assert_eq!(heap.is_frozen(handle), Ok(frozen));
                assert_eq!($object.flags & !(slot::FROZEN | slot::VALUE | slot::SHARED), 0);
                objects += 1;
            }
            objects
        }};
    }
    let number = |object: &Object| object.header.first().copied().unwrap_or(0);
    match kind {
        Kind::STR => {
            each!(Str, |view, o| { assert_eq!(o.bytes(), view.to_str().unwrap().as_bytes()) })
        }
        Kind::BYTES => each!(Bytes, |view, o| { assert_eq!(o.bytes(), view.as_slice()) }),
        Kind::U8ARR => each!(U8Arr, |view, o| { assert_eq!(o.bytes(), view.as_slice()) }),
        Kind::LIST => each!(List, |view, o| { assert_eq!(o.elements(), bits(view.as_slice())) }),
        Kind::PAIR => each!(Pair, |view, o| { assert_eq!(o.elements(), bits(view.as_slice())) }),
        Kind::STRUCT => each!(Struct, |view, o| {
            assert_eq!(number(&o), u64::from(view.shape()));
            assert_eq!(o.elements(), bits(view.as_slice()));
        }),
        Kind::CLOSURE => each!(Closure, |view, o| {
            assert_eq!(number(&o), u64::from(view.function()));
            assert_eq!(o.elements(), bits(view.as_slice()));
        }),
        Kind::BIGNUM => each!(Bignum, |view, o| {
            assert_eq!(number(&o), u64::from(view.is_negative()));
            assert_eq!(o.elements(), view.limbs());
        }),
        Kind::I64ARR => each!(I64Arr, |view, o| {
            let numbers: Vec<u64> = view.as_slice().iter().map(|n| n.cast_unsigned()).collect();
            assert_eq!(o.elements(), numbers);
        }),
        Kind::F64ARR => each!(F64Arr, |view, o| {
            let numbers: Vec<u64> = view.as_slice().iter().map(|n| n.to_bits()).collect();
            assert_eq!(o.elements(), numbers);
        }),
        Kind::MAP => each!(Map, |view, o| {
            let read = o.table(facts.layout.elements).unwrap();
            let entries: Vec<_> = view.iter().map(|(key, value)| bits(&[key, value])).collect();
            check_table(&read, &entries, view.is_weak());
        }),
        Kind::SET => each!(Set, |view, o| {
            let read = o.table(facts.layout.elements).unwrap();
            let entries: Vec<_> = view.iter().map(|key| bits(&[key])).collect();
            check_table(&read, &entries, view.is_weak());
        }),
        // A kind that is added is read here once it has a line.
        _ => 0,
    }
}

fn check_table(read: &facts::Table, entries: &[Vec<u64>], is_weak: bool) {
    assert_eq!(read.len, entries.len());
    assert_eq!(read.entries(), entries);
    assert_eq!(read.flags & table::WEAK != 0, is_weak);
    read.check_index();
    read.check_sequence();
}

/// Checks all objects of a heap.
fn check(heap: &Heap) {
    for kind in arenas() {
        let states: Vec<State> = Facts::of(heap, kind).states().collect();
        if let Some(usage) = heap.usage().arena(kind) {
            let count = |of| states.iter().filter(|&&state| state == of).count() as u32;
            assert_eq!(count(State::Live), usage.live);
            assert_eq!(count(State::Free), usage.free);
            assert_eq!(count(State::Retired), usage.retired);
        }
    }
    let objects: usize = Kind::ALL.into_iter().map(|kind| check_kind(heap, kind)).sum();
    counters::assertions(objects);
}

/// A live object as its slot describes it.
type Known = (Kind, u64, [u32; 4]);

/// The slots of all live objects, host objects and seals.
fn known(heap: &Heap) -> Vec<Known> {
    let mut known = Vec::new();
    for kind in arenas() {
        let slots = abi::slots(heap, kind).unwrap();
        for (index, &slot) in slots.iter().enumerate() {
            let handle = u64::from(slot[0]) << cell::KEY_SHIFT | index as u64;
            if slot[0] >= key::LIVE {
                known.push((kind, handle, slot));
            }
        }
    }
    known
}

/// What is known of slots still holds of those arenas whose epoch has not changed; addresses
/// and lengths hold if `moves` has not changed.
fn check_promises(before: &Bases, known: &[Known], heap: &Heap) {
    let after = abi::bases(heap);
    for kind in arenas() {
        let (old, new) = (before.of(kind), after.of(kind));
        let places = |base: abi::Base| (base.slots, base.slot_count, base.memory, base.words);
        if before.moves == after.moves {
            assert_eq!(places(old), places(new), "{kind} has moved");
        }
        assert_ne!(old.epoch, 0, "epochs are counted");
    }
    for &(kind, handle, [key, len, off, cap]) in known {
        if before.of(kind).epoch == after.of(kind).epoch {
            let now = abi::slot(heap, kind, handle as u32).unwrap();
            let flags = !slot::CAP_MASK;
            assert_eq!([key, off, cap & flags], [now[0], now[2], now[3] & flags], "{kind}");
            let is_table = matches!(kind, Kind::MAP | Kind::SET);
            assert!(is_table || len <= now[1], "{kind} was shortened");
        }
    }
}

fn run(seed: u64, program: &[Step]) {
    let mut machine = Machine::new(seed);
    counters::program(program.len());
    let mut renewed = abi::bases_mut(&mut machine.heap);
    for step in program {
        let before = abi::bases_mut(&mut machine.heap);
        let live = known(&machine.heap);
        let call = machine.resolve(step);
        let _ = machine.run(&call);
        check_promises(&before, &live, &machine.heap);
        let has_moved = before.moves != abi::moves(&machine.heap);
        assert_eq!(renewed.renew(&mut machine.heap), has_moved);
        assert_eq!(renewed, abi::bases_mut(&mut machine.heap));
    }
    check(&machine.heap);
    check(&machine.other);
}

proptest! {
    #![proptest_config(config(128))]

    /// On random heaps, the constants describe what the views show, and addresses and offsets
    /// hold as long as promised.
    #[test]
    fn constants_and_views_agree(seed in any::<u64>(), program in programs(120)) {
        run(seed, &program);
    }

    /// The same of large tables with holes, by both kinds of hashes.
    #[test]
    fn constants_describe_tables(
        keys in prop::collection::vec((0_i32..300, any::<bool>()), 0..600),
        own in any::<bool>(),
        weak in any::<bool>(),
    ) {
        let mut heap = support::heap(3);
        let init = if weak { Map::new().weak() } else { Map::new() };
        let map = heap.alloc(init).unwrap();
        let set = heap.alloc(Set::new()).unwrap();
        for (key, insert) in keys {
            let cell = Cell::from(key);
            if insert {
                heap.get_mut(set).unwrap().insert(cell).unwrap();
            } else {
                heap.get_mut(set).unwrap().remove(cell).unwrap();
            }
            let hash = (key % 50).cast_unsigned().into();
            let equal = |_: &mut Heap, a, b| Ok::<_, Error>(a == b);
            match (own && !weak, insert) {
                (true, true) => {
                    heap.map_insert_by(map, cell, cell, hash, equal).unwrap();
                }
                (true, false) => {
                    heap.map_remove_by(map, cell, hash, equal).unwrap();
                }
                (false, true) => {
                    heap.get_mut(map).unwrap().insert(cell, cell).unwrap();
                }
                (false, false) => {
                    heap.get_mut(map).unwrap().remove(cell).unwrap();
                }
            }
        }
        check(&heap);
    }
}

/// Seals and host objects are objects like others, by the constants.
#[test]
fn seals_and_host_objects() {
    let mut heap = support::heap(1);
    let (first, second) = (heap.new_seal_key().unwrap(), heap.new_seal_key().unwrap());
    let list = heap.alloc(List::new()).unwrap();
    let seals = [heap.seal(list, &first).unwrap(), heap.seal(list, &second).unwrap()];
    let facts = Facts::of(&heap, sealed());
    let [a, b] = seals.map(|seal| facts.read(abi::bits(seal)).unwrap());
    assert_eq!(a.elements(), [abi::bits(list.cell())]);
    assert_ne!(a.header, b.header, "the number of the key");
    assert!(a.header.len() == 1 && a.elements() == b.elements());

    let value = heap.host(7_u32).unwrap();
    let facts = Facts::of(&heap, host());
    let object = facts.read(abi::bits(value)).unwrap();
    assert!(object.len == 0 && object.block.is_empty());
}

/// The tables of two heaps never have the same number.
#[test]
fn no_two_heaps_share_a_number() {
    let mut numbers = Vec::new();
    for seed in 0..4 {
        let mut heap = support::heap(seed);
        assert_eq!(abi::moves(&heap), 0);
        for n in 0..200 {
            heap.alloc(I64Arr::zeroed(n * 40)).unwrap();
            numbers.push(abi::moves(&heap));
        }
        let fork = heap.try_clone().unwrap();
        numbers.push(abi::moves(&fork));
    }
    numbers.dedup();
    let distinct: std::collections::BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len());

    // Renewed for another heap, all addresses are those of that one.
    let mut heaps = [support::heap(1), support::heap(1)];
    for heap in &mut heaps {
        heap.alloc(List::of(&[1.into()])).unwrap();
    }
    let mut bases = abi::bases_mut(&mut heaps[0]);
    assert!(bases.renew(&mut heaps[1]));
    assert_eq!(bases, abi::bases_mut(&mut heaps[1]));
}

/// A table of slots that a collection cuts after a peak, and that grows again by pages.
#[test]
fn promises_hold_over_a_peak() {
    let mut heap = support::heap(5);
    let objects: Vec<Cell> =
        (0..200_000).map(|n| heap.alloc(Pair::of(n.into(), Cell::NULL)).unwrap().cell()).collect();
    let mut bases = abi::bases_mut(&mut heap);
    let roots = [objects[3], objects[150_000]];
    let (before, live) = (bases, known(&heap));
    heap.collect(roots).unwrap();
    check_promises(&before, &live, &heap);
    assert!(bases.renew(&mut heap));
    assert!(bases.of(Kind::PAIR).slot_count < 150_000, "the table was cut");
    for n in 0..20_000 {
        let before = bases;
        heap.alloc(Pair::of(n.into(), Cell::NULL)).unwrap();
        check_promises(&before, &[], &heap);
        bases.renew(&mut heap);
    }
    assert!(heap.contains(roots[1]));
    check_kind(&heap, Kind::PAIR);
}

/// Elements are found by address as well.
#[test]
fn addresses_are_those_of_the_words() {
    let mut heap = support::heap(2);
    heap.alloc(I64Arr::of(&[1, 2, 3])).unwrap();
    let bases = abi::bases(&heap);
    for kind in arenas() {
        let (slots, memory) = (abi::slots(&heap, kind).unwrap(), abi::memory(&heap, kind).unwrap());
        let base = bases.of(kind);
        assert_eq!((base.slots, base.slot_count), (slots.as_ptr().addr(), slots.len()));
        assert_eq!(
            (base.memory, base.words),
            (memory.bytes().as_ptr().addr(), memory.bytes().len() / 8)
        );
    }
    for selector in (0..16).filter(|&n| arenas().all(|kind| kind.selector() != n)) {
        assert_eq!(bases.arenas[selector as usize], abi::Base::default());
    }
}

#[test]
fn blocks_and_generations_of_new_objects() {
    for seed in 0..4 {
        let mut heap = support::heap(seed);
        let generations = abi::generation_seed(&heap, Kind::BYTES).unwrap();
        for words in (0..300).chain([4096, 5000]) {
            let bits = abi::bits(heap.alloc(Bytes::zeroed(words * 8)).unwrap().cell());
            let index = bits as u32;
            let [.., cap] = abi::slot(&heap, Kind::BYTES, index).unwrap();
            assert_eq!(abi::block_words(words as u32), Some(cap));
            let mixed = u64::from(generations ^ index).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            assert_eq!(mixed >> 32 & 0xFFF, bits >> 32 & 0xFFF);
        }
    }
    assert_eq!(abi::block_words(slot::CAP_MASK), None, "its class has more words");
    assert_eq!(abi::block_words(u32::MAX), None);
}

/// Slots and memories that grow within the capacity of their vectors.
#[test]
fn promises_hold_while_arenas_grow() {
    let mut heap = support::heap(6);
    for n in 0..4_000 {
        let before = abi::bases_mut(&mut heap);
        heap.alloc(Pair::of(n.into(), Cell::NULL)).unwrap();
        check_promises(&before, &[], &heap);
        let before = abi::bases_mut(&mut heap);
        heap.alloc(I64Arr::zeroed(100)).unwrap();
        check_promises(&before, &[], &heap);
    }
}
