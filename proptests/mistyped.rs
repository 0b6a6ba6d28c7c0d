//! No operation of a kind accepts a handle of another, a seal, a cell that is no
//! handle, or one whose selector was changed: the error is the documented one,
//! and nothing has changed.

use std::collections::HashSet;

use proptest::prelude::*;
use segheap::{Cell, Error, Kind, abi};

use crate::machine::frame::Watch;
use crate::machine::{Call, Machine, Takes, arenas, example, sealed, table};
use crate::support::{config, float_bits, forged, integer, plain, text};

/// What an operation says to a live object, a seal or no handle in the place of
/// what it takes; `None` where it has to take it.
fn refusal(takes: Takes, cell: Cell) -> Option<Error> {
    let of = |wanted| match cell.kind() {
        None => Some(Error::NotAHandle),
        Some(found) if found == wanted => None,
        Some(found) if found == sealed() => Some(Error::Sealed),
        Some(found) => Some(Error::WrongKind { found, wanted }),
    };
    match takes {
        Takes::Of(kind) => of(kind),
        Takes::Text if cell.as_short_str().is_some() => None,
        Takes::Text if cell.kind().is_none() => Some(Error::NotText),
        Takes::Text => of(Kind::STR),
        Takes::Integer if cell.as_int().is_some() => None,
        Takes::Integer if cell.kind().is_none() => Some(Error::NotAnInteger),
        Takes::Integer => of(Kind::BIGNUM),
        Takes::Object if cell.kind() == Some(sealed()) => Some(Error::Sealed),
        Takes::Object | Takes::Alive => cell.kind().is_none().then_some(Error::NotAHandle),
        Takes::Seal => (cell.kind() != Some(sealed())).then_some(Error::NotSealed),
        Takes::Value | Takes::Foreign => None,
    }
}

/// Gives each argument of each operation these cells, with the others as they
/// should be. Answers the pairs of kinds, taken and given, that were refused.
fn refused(machine: &mut Machine, cells: &[Cell]) -> HashSet<(Kind, Kind)> {
    let mut pairs = HashSet::new();
    for op in table().rows() {
        let right: Vec<Cell> = op.takes.iter().map(|&takes| machine.pick(takes, 15)).collect();
        for (n, &takes) in op.takes.iter().enumerate() {
            let before = Watch::of(&machine.heap);
            for &cell in cells {
                let Some(error) = refusal(takes, cell) else { continue };
                let mut call = Call { op, cells: right.clone(), numbers: [0, 0] };
                call.cells[n] = cell;
                assert_eq!(machine.run(&call), Err(error), "{call:?}");
                if let (Takes::Of(wanted), Some(found)) = (takes, cell.kind()) {
                    pairs.insert((wanted, found));
                }
            }
            assert!(before.is(&machine.heap), "{} changed something", op.name);
        }
    }
    pairs
}

/// A machine whose first slots are all in the same life: nothing but the kind
/// tells a handle of one from that of another.
fn aligned() -> Machine {
    let mut machine = Machine::new(7);
    let life = |cell| abi::bits(cell) >> 32 & 0xFFF;
    let seal = machine.pick(Takes::Of(sealed()), 15);
    for kind in Kind::ALL {
        let mut cell = machine.pick(Takes::Of(kind), 15);
        while life(cell) != life(seal) {
            machine.heap.free(cell).unwrap();
            cell = example(&mut machine.heap, kind, 0).unwrap();
        }
        machine.handles.insert(0, cell);
    }
    machine
}

#[test]
fn every_pair_of_kinds() {
    let mut machine = aligned();
    let stock: Vec<Cell> = arenas().map(|kind| machine.pick(Takes::Of(kind), 15)).collect();
    let places: HashSet<u64> = stock.iter().map(|&cell| abi::bits(cell) & !(0xF << 44)).collect();
    let n = Kind::COUNT;
    assert_eq!((stock.len(), places.len()), (n + 1, 1));
    let pairs = refused(&mut machine, &stock);
    let of_kinds: HashSet<_> = pairs.iter().filter(|(_, given)| *given != sealed()).collect();
    assert_eq!((pairs.len(), of_kinds.len()), (n * n, n * (n - 1)));
}

/// A selector that was changed in the bits of a live handle: the cell is of the
/// new kind, and opens what that arena has under this slot and generation.
#[test]
fn every_selector() {
    let mut machine = Machine::new(7);
    let stock: Vec<Cell> = arenas().map(|kind| machine.pick(Takes::Of(kind), 15)).collect();
    for cell in stock {
        for selector in 0..16 {
            let bits = abi::bits(cell) & !(0xF << 44) | selector << 44;
            let Some(kind) = arenas().find(|kind| kind.selector() == selector) else {
                assert_eq!(abi::cell(bits), None, "selector {selector}");
                continue;
            };
            let made_up = abi::cell(bits).unwrap();
            let slot = abi::slots(&machine.heap, kind).unwrap()[(bits & 0xFFFF_FFFF) as usize];
            let opens = u64::from(slot[0]) == bits >> 32;
            assert_eq!(machine.heap.contains(made_up), opens);
            if !opens {
                refused_as_stale(&mut machine, made_up);
            }
        }
    }
}

/// Every operation refuses a dead handle of the kind that it takes.
fn refused_as_stale(machine: &mut Machine, cell: Cell) {
    let kind = cell.kind().unwrap();
    let before = Watch::of(&machine.heap);
    for op in table().rows() {
        for (n, &takes) in op.takes.iter().enumerate() {
            let taken = match takes {
                Takes::Of(wanted) => wanted == kind,
                Takes::Text => kind == Kind::STR,
                Takes::Integer => kind == Kind::BIGNUM,
                Takes::Object => kind != sealed() && !op.name.ends_with("_any"),
                Takes::Alive => true,
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
    assert!(before.is(&machine.heap), "{cell:?} changed something");
}

#[test]
fn every_life_but_the_present_one() {
    let mut machine = Machine::new(7);
    for kind in arenas() {
        let cell = machine.pick(Takes::Of(kind), 15);
        let generation = abi::bits(cell) >> 32 & 0xFFF;
        for other in [1, 2, 0x7FF, 0xFFF] {
            refused_as_stale(&mut machine, forged(kind.selector(), generation ^ other, 0));
        }
        refused_as_stale(&mut machine, forged(kind.selector(), generation, u32::MAX));
    }
}

/// A cell of any value that is no handle.
fn no_handle() -> impl Strategy<Value = Cell> {
    prop_oneof![
        3 => plain(),
        3 => float_bits().prop_map(|bits| Cell::float(f64::from_bits(bits))),
        3 => integer().prop_map(|int| Cell::int(int).unwrap_or(Cell::NULL)),
        2 => text().prop_map(|text| Cell::short_str(&text).unwrap_or(Cell::TRUE)),
        1 => (0_u64..1 << 48).prop_map(|pc| Cell::deopt(pc).unwrap()),
    ]
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn cells_that_are_no_handles(cells in prop::collection::vec(no_handle(), 24)) {
        refused(&mut Machine::new(7), &cells);
    }
}
