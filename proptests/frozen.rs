//! Frozen objects never change, whatever is done to them, and nothing thaws them.

use proptest::prelude::*;
use segheap::{Cell, Error, Heap, Kind, List, Map, Set, Settings, abi};

use crate::machine::frame::Monitor;
use crate::machine::{Machine, example, host, kinds, table};
use crate::support::{config, heap, programs};

/// The words of an object but for its spare ones; of a table, its entries.
fn content(heap: &Heap, cell: Cell) -> Vec<u64> {
    let kind = cell.kind().unwrap();
    let bits = |cell: Cell| abi::bits(cell);
    if kind == Kind::MAP {
        return heap
            .get::<Map>(cell)
            .unwrap()
            .iter()
            .flat_map(|(k, v)| [bits(k), bits(v)])
            .collect();
    }
    if kind == Kind::SET {
        return heap.get::<Set>(cell).unwrap().iter().map(bits).collect();
    }
    let index = u32::try_from(bits(cell) & 0xFFFF_FFFF).unwrap();
    let [_, len, off, _] = abi::slot(heap, kind, index).unwrap();
    let header = usize::from(kind == Kind::STRUCT || kind == Kind::CLOSURE);
    let bytes = kind == Kind::BYTES || kind == Kind::U8ARR;
    let body = if bytes { (len as usize).div_ceil(8) } else { len as usize };
    let mut content = vec![u64::from(len)];
    if header + body > 0 {
        let block = &abi::memory(heap, kind).unwrap().bytes()[off as usize * 8..];
        let words = block[..(header + body) * 8].chunks_exact(8);
        content.extend(words.map(|word| u64::from_le_bytes(word.try_into().unwrap())));
    }
    if bytes && len % 8 != 0 {
        // What lies beyond the bytes is spare.
        *content.last_mut().unwrap() &= (1 << (len % 8 * 8)) - 1;
    }
    content
}

fn is_frozen(heap: &Heap, cell: Cell) -> bool {
    heap.contains(cell) && heap.is_frozen(cell).unwrap_or(false)
}

/// Whether freezing changes what a program may do with objects of a kind.
fn can_change(kind: Kind) -> bool {
    kind != Kind::STR && kind != Kind::BIGNUM
}

proptest! {
    #![proptest_config(config(48))]

    /// All operations of the crate, on heaps of which any object may be frozen.
    #[test]
    fn no_operation_changes_a_frozen_object(
        seed in any::<u64>(),
        frozen in any::<u32>(),
        program in programs(200),
    ) {
        let mut machine = Machine::new(seed);
        let chosen = machine.handles.clone().into_iter().enumerate();
        let chosen = chosen.filter(|(n, _)| frozen >> (n % 32) & 1 == 1).map(|(_, cell)| cell);
        for cell in chosen.filter(|cell| cell.kind().is_some_and(|kind| Kind::ALL.contains(&kind))) {
            machine.heap.freeze(cell).unwrap();
        }
        for step in program {
            let call = machine.resolve(&step);
            let is_kind = |cell: &Cell| Kind::ALL.contains(&cell.kind().unwrap());
            let before: Vec<_> = machine
                .handles
                .iter()
                .copied()
                .filter(|cell| is_kind(cell) && can_change(cell.kind().unwrap()))
                .filter(|&cell| is_frozen(&machine.heap, cell))
                .map(|cell| (cell, content(&machine.heap, cell)))
                .collect();
            let _ = machine.run(&call);
            for (cell, before) in before {
                if machine.heap.contains(cell) {
                    prop_assert!(is_frozen(&machine.heap, cell), "{:?} thawed {cell:?}", call.op.name);
                    prop_assert_eq!(content(&machine.heap, cell), before, "{:?}", call.op.name);
                }
            }
        }
        prop_assert_eq!(machine.heap.verify(), Ok(()));
    }
}

/// Every operation that says that it writes an object fails with one error for a frozen one,
/// or succeeds without a change, and changes nothing.
#[test]
fn operations_that_write_fail() {
    let mut refused = 0;
    for op in table().rows() {
        let writes = |n: &usize| op.effects.contains(&crate::machine::Effect::Changes(*n));
        let Some(target) = (0..op.takes.len()).find(writes) else { continue };
        for n in 0..8_u16 {
            let mut machine = Machine::new(7);
            let step =
                crate::machine::Step { op: 0, cells: [167 + 16 * n; 3], numbers: [n * 3, n] };
            let call = machine.call(op, &step);
            let cell = call.cell(target);
            let is_object = cell.kind().is_some_and(|kind| Kind::ALL.contains(&kind));
            if !is_object || !can_change(cell.kind().unwrap()) {
                continue;
            }
            machine.heap.freeze(cell).unwrap();
            let before = content(&machine.heap, cell);
            let live = machine.heap.usage().live();
            let outcome = machine.run(&call);
            if machine.heap.contains(cell) {
                assert_eq!(content(&machine.heap, cell), before, "{}", op.name);
            }
            if outcome == Err(Error::Frozen) {
                assert_eq!(machine.heap.usage().live(), live, "{}", op.name);
                refused += 1;
            }
        }
    }
    assert!(refused > 200, "{refused}");
}

/// Compiled code gets no cells of a frozen object to write.
#[test]
fn compiled_code_does_not_write_frozen_objects() {
    for kind in kinds().filter(|&kind| can_change(kind)) {
        let mut heap = heap(1);
        let cell = example(&mut heap, kind, 1).unwrap();
        assert!(abi::write_barrier(&mut heap, cell).is_ok(), "{kind}");
        heap.freeze(cell).unwrap();
        assert_eq!(abi::write_barrier(&mut heap, cell), Err(Error::Frozen), "{kind}");
    }
}

/// Freezing writes nothing but the slot, and asks for no memory.
#[test]
fn freezing_needs_no_memory() {
    for kind in kinds().filter(|&kind| can_change(kind)) {
        let mut heap = heap(1);
        let cell = example(&mut heap, kind, 0).unwrap();
        let before = content(&heap, cell);
        heap.fail_growth_after(Some(0));
        heap.freeze(cell).unwrap();
        assert_eq!(content(&heap, cell), before, "{kind}");
        assert_eq!(heap.is_frozen(cell), Ok(true));
        assert_eq!(heap.freeze(cell), Ok(()));
        heap.fail_growth_after(None);
        heap.free(cell).unwrap();
        assert_eq!(heap.freeze(cell), Err(Error::Stale { kind }));
        // The next object in the slot is not frozen.
        let next = example(&mut heap, kind, 0).unwrap();
        assert_eq!(heap.is_frozen(next), Ok(false), "{kind}");
    }
}

/// Collections of each sort, compaction, forks and transplants keep what was frozen.
#[test]
fn copies_and_collections_keep_objects_frozen() {
    for kind in kinds().filter(|&kind| can_change(kind)) {
        let mut heap = heap(1);
        heap.alloc(List::zeroed(100)).unwrap();
        let cell = example(&mut heap, kind, 1).unwrap();
        let alike = example(&mut heap, kind, 1).unwrap();
        heap.freeze(cell).unwrap();
        let before = content(&heap, cell);
        let check = |heap: &Heap, cell: Cell, alike: Cell| {
            assert_eq!(heap.is_frozen(cell), Ok(true), "{kind}");
            assert_eq!(heap.is_frozen(alike), Ok(false), "{kind}");
            assert_eq!(content(heap, cell).len(), before.len(), "{kind}");
        };
        heap.collect_young([cell, alike]).unwrap();
        check(&heap, cell, alike);
        while !heap.step([cell, alike], 64).unwrap().finished {}
        heap.collect([cell, alike]).unwrap();
        heap.compact();
        check(&heap, cell, alike);
        assert_eq!(content(&heap, cell), before);
        let fork = heap.try_clone().unwrap();
        check(&fork, cell, alike);
        let mut other = Heap::with(Settings::seeded(2));
        let copies = [cell, alike].map(|cell| other.transplant(&heap, cell).unwrap());
        check(&other, copies[0], copies[1]);
        for heap in [&mut heap, &mut other] {
            assert_eq!(heap.verify(), Ok(()));
        }
    }
}

/// A hint from before fails to write, and reads.
#[test]
fn hints_from_before_only_read() {
    let mut heap = heap(1);
    let list = heap.alloc(List::of(&[1.into(), 2.into()])).unwrap();
    let mut hint = heap.hint(list, ..).unwrap();
    hint.set(&mut heap, 0, 3.into()).unwrap();
    heap.freeze(list).unwrap();
    assert_eq!(hint.get(&heap, 0), Ok(3.into()));
    assert_eq!(hint.set(&mut heap, 0, 4.into()), Err(Error::Frozen));
    let mut late = heap.hint(list, 1..).unwrap();
    assert_eq!(late.set(&mut heap, 0, 4.into()), Err(Error::Frozen));
    assert_eq!(heap.get(list).unwrap().as_slice(), [3.into(), 2.into()]);
    let value = heap.host(7_u32).unwrap();
    heap.freeze(value).unwrap();
    assert_eq!(value.kind(), Some(host()));
    assert_eq!(heap.host_mut::<u32>(value), Err(Error::Frozen));
    assert_eq!(heap.host_ref::<u32>(value), Ok(&7));
    let _ = Monitor::of(&heap);
}
