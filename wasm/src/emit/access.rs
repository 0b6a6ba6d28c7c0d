//! Reads and writes of one element: a check of the handle, a compare with the length, and an
//! access to the arena's memory.

use segheap::Kind;
use wasm_encoder::{MemArg, ValType};

use super::asm::{Asm, Functions, Guest, argument};
use super::check::Checks;
use super::loops::Accessors;
use crate::layout::{CAP, SLOT_LEN, SLOT_OFF, SLOT_ROOM, memory_of, selector, slots_of};
use crate::status::Status;

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// The elements of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elements {
    Cells,
    Ints,
    Floats,
    Bytes,
}

impl Elements {
    const fn value(self) -> ValType {
        match self {
            Elements::Cells | Elements::Ints => I64,
            Elements::Floats => ValType::F64,
            Elements::Bytes => I32,
        }
    }

    /// The shift from a number of elements to one of bytes.
    const fn shift(self) -> u32 {
        if matches!(self, Elements::Bytes) { 0 } else { 3 }
    }
}

/// The kinds whose elements the guest reads and writes: their names in exports, and the words
/// before the elements.
const KINDS: [(Kind, &str, u32, Elements); 7] = [
    (Kind::LIST, "list", 0, Elements::Cells),
    (Kind::STRUCT, "struct", 1, Elements::Cells),
    (Kind::PAIR, "pair", 0, Elements::Cells),
    (Kind::F64ARR, "f64arr", 0, Elements::Floats),
    (Kind::I64ARR, "i64arr", 0, Elements::Ints),
    (Kind::U8ARR, "u8arr", 0, Elements::Bytes),
    (Kind::BYTES, "bytes", 0, Elements::Bytes),
];

/// Adds the functions for all kinds of [`KINDS`]. Returns those for elements that are words.
pub(crate) fn add(functions: &mut Functions, guest: &Guest, checks: Checks) -> Vec<Accessors> {
    let mut words = Vec::new();
    for (kind, name, header, elements) in KINDS {
        let at = selector(kind);
        let place = guest.address(slots_of(at));
        let value = elements.value();
        functions.add(Some(&format!("{name}_len")), (&[I64], &[I32, I32]), &[place], guest, |a| {
            checks.check(a, at, (0, 1), &[I32]);
            a.int(Status::Ok.code()).get(1).slot_field(at, SLOT_LEN);
        });
        let get = format!("{name}_get");
        let get = functions.add(Some(&get), (&[I64, I32], &[I32, value]), &[place], guest, |a| {
            checks.check(a, at, (0, 2), &[value]);
            check_index(a, at, (1, 2), &[value]);
            a.int(Status::Ok.code());
            element(a, at, (1, 2), elements);
            load(a, at, header, elements);
        });
        let set = format!("{name}_set");
        let set = functions.add(Some(&set), (&[I64, I32, value], &[I32]), &[place], guest, |a| {
            checks.check(a, at, (0, 3), &[]);
            check_frozen(a, at, 3, &[]);
            check_index(a, at, (1, 3), &[]);
            if elements == Elements::Cells {
                checks.check_value(a, 2, &[]);
            }
            element(a, at, (1, 3), elements);
            a.get(2);
            store(a, at, header, elements);
            a.int(Status::Ok.code());
        });
        if value == I64 {
            words.push(Accessors { kind, name, get, set });
        }
    }
    add_shape(functions, guest, checks);
    words
}

fn add_shape(functions: &mut Functions, guest: &Guest, checks: Checks) {
    let at = selector(Kind::STRUCT);
    let (memory, place) = (memory_of(at), guest.address(slots_of(at)));
    functions.add(Some("struct_shape"), (&[I64], &[I32, I32]), &[place], guest, |a| {
        checks.check(a, at, (0, 1), &[I32]);
        a.int(Status::Ok.code()).get(1).slot_field(at, SLOT_OFF).scaled(memory, 3);
        a.load_half(memory, 0);
    });
}

/// Leaves if the index is not below the length.
fn check_index(a: &mut Asm<'_>, at: u64, (index, slot): (u32, u32), rest: &[ValType]) {
    a.get(index).get(slot).slot_field(at, SLOT_LEN).i().i32_ge_u();
    a.when(|a| {
        a.leave(Status::OutOfRange.code(), rest);
    });
}

/// Leaves if the object is frozen.
pub(crate) fn check_frozen(a: &mut Asm<'_>, at: u64, slot: u32, rest: &[ValType]) {
    a.get(slot).slot_field(at, SLOT_ROOM).int(CAP).i().i32_gt_u();
    a.when(|a| {
        a.leave(Status::Frozen.code(), rest);
    });
}

/// The address of an element, less the header.
fn element(a: &mut Asm<'_>, at: u64, (index, slot): (u32, u32), elements: Elements) {
    let memory = memory_of(at);
    a.get(slot).slot_field(at, SLOT_OFF).scaled(memory, 3);
    a.get(index).scaled(memory, elements.shift()).sum(memory);
}

fn place_of(at: u64, header: u32, elements: Elements) -> MemArg {
    argument(memory_of(at), u64::from(header).wrapping_mul(8), elements.shift())
}

fn load(a: &mut Asm<'_>, at: u64, header: u32, elements: Elements) {
    let from = place_of(at, header, elements);
    match elements {
        Elements::Cells | Elements::Ints => a.i().i64_load(from),
        Elements::Floats => a.i().f64_load(from),
        Elements::Bytes => a.i().i32_load8_u(from),
    };
}

fn store(a: &mut Asm<'_>, at: u64, header: u32, elements: Elements) {
    let to = place_of(at, header, elements);
    match elements {
        Elements::Cells | Elements::Ints => a.i().i64_store(to),
        Elements::Floats => a.i().f64_store(to),
        Elements::Bytes => a.i().i32_store8(to),
    };
}
