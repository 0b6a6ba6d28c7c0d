//! No type confusion: no operation on a kind accepts a handle of another kind, a
//! seal, an immediate, or a handle with a forged selector. It fails with the
//! documented error and changes nothing.

use std::collections::HashSet;

use proptest::prelude::*;
use segheap::{Cell, Error, Kind, abi};

use crate::machine::frame::Monitor;
use crate::machine::{Call, Machine, Takes, arenas, example, host, kinds, sealed, table};
use crate::support::{config, float_bits, forged, immediate, integer, text};

/// The error of an operation for this argument, which is a live object, a seal or
/// an immediate; `None` if the operation must accept it.
fn expected_error(takes: Takes, cell: Cell) -> Option<Error> {
    let expecting = |wanted| match cell.kind() {
        None => Some(Error::NotAHandle),
        Some(found) if found == wanted => None,
        Some(found) if found == sealed() => Some(Error::Sealed),
        Some(found) => Some(Error::WrongKind { found, wanted }),
    };
    match takes {
        Takes::Of(kind) => expecting(kind),
        Takes::Text if cell.as_short_str().is_some() => None,
        Takes::Text if cell.kind().is_none() => Some(Error::NotText),
        Takes::Text => expecting(Kind::STR),
        Takes::Integer if cell.as_int().is_some() => None,
        Takes::Integer if cell.kind().is_none() => Some(Error::NotAnInteger),
        Takes::Integer => expecting(Kind::BIGNUM),
        Takes::Object if cell.kind() == Some(sealed()) => Some(Error::Sealed),
        Takes::Object | Takes::ObjectOrSeal => cell.kind().is_none().then_some(Error::NotAHandle),
        Takes::Seal => (cell.kind() != Some(sealed())).then_some(Error::NotSealed),
        Takes::Value | Takes::Foreign => None,
    }
}

/// Passes these cells as each argument of each operation, with valid cells as the
/// other arguments. Returns the pairs of expected and given kind that failed.
fn rejected_pairs(machine: &mut Machine, cells: &[Cell]) -> HashSet<(Kind, Kind)> {
    let mut pairs = HashSet::new();
    for op in table().rows() {
        let valid: Vec<Cell> = op.takes.iter().map(|&takes| machine.pick(takes, 15)).collect();
        for (n, &takes) in op.takes.iter().enumerate() {
            let before = Monitor::of(&machine.heap);
            for &cell in cells {
                let Some(error) = expected_error(takes, cell) else { continue };
                let mut call = Call { op, cells: valid.clone(), numbers: [0, 0] };
                call.cells[n] = cell;
                assert_eq!(machine.run(&call), Err(error), "{call:?}");
                if let (Takes::Of(wanted), Some(found)) = (takes, cell.kind()) {
                    pairs.insert((wanted, found));
                }
            }
            assert!(before.equals(&machine.heap), "{} changed the heap", op.name);
        }
    }
    pairs
}

/// A machine whose arenas all have an object in slot 0 with the same generation:
/// the handles differ in their kind alone.
fn aligned() -> Machine {
    let mut machine = Machine::new(7);
    let generation = |cell| abi::bits(cell) >> 32 & 0xFFF;
    let seal = machine.pick(Takes::Of(sealed()), 15);
    for kind in kinds().chain([host()]) {
        let mut cell = machine.pick(Takes::Of(kind), 15);
        while generation(cell) != generation(seal) {
            machine.heap.free(cell).unwrap();
            cell = match kind == host() {
                true => machine.heap.host(0_u32).unwrap(),
                false => example(&mut machine.heap, kind, 0).unwrap(),
            };
        }
        machine.handles.insert(0, cell);
    }
    machine
}

/// An object of each kind, a host object, and a seal.
fn objects(machine: &Machine) -> Vec<Cell> {
    kinds().chain([host(), sealed()]).map(|kind| machine.pick(Takes::Of(kind), 15)).collect()
}

#[test]
fn every_pair_of_kinds() {
    let mut machine = aligned();
    let objects = objects(&machine);
    let without_selector = |&cell| abi::bits(cell) & !(0xF << 44);
    let distinct: HashSet<u64> = objects.iter().map(without_selector).collect();
    // Operations take host objects as they take those of a kind.
    let n = kinds().count() + 1;
    assert_eq!((objects.len(), distinct.len()), (n + 1, 1));
    let pairs = rejected_pairs(&mut machine, &objects);
    let of_kinds: HashSet<_> = pairs.iter().filter(|(_, given)| *given != sealed()).collect();
    assert_eq!((pairs.len(), of_kinds.len()), (n * n, n * (n - 1)));
}

/// The selector of a live handle is overwritten: the cell has the new kind and is
/// valid only if that arena has a live slot of this index and generation.
#[test]
fn every_selector() {
    let mut machine = Machine::new(7);
    for cell in objects(&machine) {
        for selector in 0..16 {
            let bits = abi::bits(cell) & !(0xF << 44) | selector << 44;
            let Some(kind) = arenas().find(|kind| kind.selector() == selector) else {
                assert_eq!(abi::cell(bits), None, "selector {selector}");
                continue;
            };
            let forged = abi::cell(bits).unwrap();
            let slots = abi::slots(&machine.heap, kind).unwrap();
            let slot = slots.get((bits & 0xFFFF_FFFF) as usize);
            let valid = slot.is_some_and(|slot| u64::from(slot[0]) == bits >> 32);
            assert_eq!(machine.heap.contains(forged), valid);
            if !valid {
                assert_stale(&mut machine, forged);
            }
        }
    }
}

/// Asserts that every operation on this kind fails with `Error::Stale`.
fn assert_stale(machine: &mut Machine, cell: Cell) {
    let kind = cell.kind().unwrap();
    let before = Monitor::of(&machine.heap);
    for op in table().rows() {
        for (n, &takes) in op.takes.iter().enumerate() {
            let taken = match takes {
                Takes::Of(other) => other == kind,
                Takes::Text => kind == Kind::STR,
                Takes::Integer => kind == Kind::BIGNUM,
                Takes::Object => kind != sealed() && !op.name.ends_with("_any"),
                Takes::ObjectOrSeal => true,
                Takes::Seal => kind == sealed(),
                Takes::Value | Takes::Foreign => false,
            };
            if taken {
                let cells = op.takes.iter().map(|&takes| machine.pick(takes, 15)).collect();
                let mut call = Call { op, cells, numbers: [0, 0] };
                call.cells[n] = cell;
                assert_eq!(machine.run(&call), Err(Error::Stale { kind }), "{call:?}");
            }
        }
    }
    assert!(before.equals(&machine.heap), "an operation on {cell:?} changed the heap");
}

#[test]
fn every_generation_but_the_current_one() {
    let mut machine = Machine::new(7);
    for kind in arenas() {
        let cell = machine.pick(Takes::Of(kind), 15);
        let generation = abi::bits(cell) >> 32 & 0xFFF;
        for other in [1, 2, 0x7FF, 0xFFF] {
            assert_stale(&mut machine, forged(kind.selector(), generation ^ other, 0));
        }
        assert_stale(&mut machine, forged(kind.selector(), generation, u32::MAX));
    }
}

/// Immediates of any value.
fn any_immediate() -> impl Strategy<Value = Cell> {
    prop_oneof![
        3 => immediate(),
        3 => float_bits().prop_map(|bits| Cell::float(f64::from_bits(bits))),
        3 => integer().prop_map(|int| Cell::int(int).unwrap_or(Cell::NULL)),
        2 => text().prop_map(|text| Cell::short_str(&text).unwrap_or(Cell::TRUE)),
        1 => (0_u64..1 << 48).prop_map(|pc| Cell::deopt(pc).unwrap()),
    ]
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn immediates(cells in prop::collection::vec(any_immediate(), 24)) {
        rejected_pairs(&mut Machine::new(7), &cells);
    }
}
