//! Loops for benchmarks: what a guest's accesses cost without the calls from outside.

use segheap::Kind;
use wasm_encoder::{BlockType, ValType};

use super::asm::{Asm, Functions, Guest};
use super::check::check_or;
use crate::layout::{SLOT_LEN, SLOT_OFF, TAG_INT, memory_of, selector, slots_of};
use crate::status::Status;

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// The functions that the loops call.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    /// Those for elements that are words.
    pub(crate) words: Vec<Accessors>,
    pub(crate) map: Accessors,
    pub(crate) copy: u32,
}

/// The functions that read and write an element or an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accessors {
    pub(crate) kind: Kind,
    /// The name of the kind in exports.
    pub(crate) name: &'static str,
    pub(crate) get: u32,
    pub(crate) set: u32,
}

/// Adds the loops.
pub(crate) fn add(functions: &mut Functions, guest: &Guest, called: &Called) {
    for &accessors in &called.words {
        add_gets(functions, guest, accessors, false);
        add_sets(functions, guest, accessors);
        if accessors.kind == Kind::LIST {
            add_gets(functions, guest, accessors, true);
        }
    }
    add_maps(functions, guest, called.map);
    add_copies(functions, guest, called.copy);
    add_copies_by_words(functions, guest);
}

/// Runs code as often as the number in a local says, counting in another.
fn times(a: &mut Asm<'_>, (count, number): (u32, u32), body: impl FnOnce(&mut Asm<'_>)) {
    a.repeat(|a| {
        a.get(number).get(count).i().i32_ge_u().br_if(1);
        body(a);
        a.get(number).int(1).i().i32_add();
        a.set(number).i().br(0);
    });
}

/// Adds the values of integer keys, from 0 up to a mask and again: `(map, mask, times) -> sum`.
/// `bench_map_insert` stores the number of the turn, and adds the values that it replaces.
fn add_maps(functions: &mut Functions, guest: &Guest, map: Accessors) {
    let types: (&[ValType], &[ValType]) = (&[I64, I32, I32], &[I64]);
    for (name, function) in [("bench_map_get", map.get), ("bench_map_insert", map.set)] {
        functions.add(Some(name), types, &[I64, I32], guest, |a| {
            times(a, (2, 4), |a| {
                a.get(0).get(4).get(1).i().i32_and().i64_extend_i32_u();
                a.long(TAG_INT << 48).i().i64_or();
                if function == map.set {
                    int(a, 4);
                }
                a.call(function).get(3).i().i64_add();
                a.set(3).i().drop();
            });
            a.get(3);
        });
    }
}

/// The cell of the number in a local.
fn int(a: &mut Asm<'_>, number: u32) {
    a.get(number).i().i64_extend_i32_u();
    a.long(TAG_INT << 48).i().i64_or();
}

/// Copies the first bytes of an object: `(target, source, len, times) -> status`.
fn add_copies(functions: &mut Functions, guest: &Guest, copy: u32) {
    let types: (&[ValType], &[ValType]) = (&[I64, I64, I32, I32], &[I32]);
    functions.add(Some("bench_copy"), types, &[I32, I32], guest, |a| {
        times(a, (3, 4), |a| {
            a.get(0).int(0).get(1).int(0).get(2).call(copy).get(5).i().i32_or();
            a.set(5);
        });
        a.get(5);
    });
}

/// The same by a loop over words, as a guest without `memory.copy` has it, after the same checks.
fn add_copies_by_words(functions: &mut Functions, guest: &Guest) {
    const LEN: u32 = 2;
    const TIMES: u32 = 3;
    const NUMBER: u32 = 4;
    const AT: u32 = 5;
    /// The slots, then the addresses, of the target and the source.
    const PLACES: [u32; 2] = [6, 7];
    const ADDRESSES: [u32; 2] = [8, 9];
    let ends = [selector(Kind::U8ARR), selector(Kind::BYTES)];
    let mut locals = vec![I32, I32];
    locals.extend(ends.map(|at| guest.address(slots_of(at))));
    locals.extend(ends.map(|at| guest.address(memory_of(at))));
    let types: (&[ValType], &[ValType]) = (&[I64, I64, I32, I32], &[I32]);
    functions.add(Some("bench_copy_by_words"), types, &locals, guest, |a| {
        times(a, (TIMES, NUMBER), |a| {
            for (object, (&at, &slot)) in (0..).zip(ends.iter().zip(&PLACES)) {
                check_or(a, at, (object, slot), |a| {
                    a.int(Status::Stale.code()).i().return_();
                });
                a.get(LEN).get(slot).slot_field(at, SLOT_LEN).i().i32_gt_u();
                a.when(|a| {
                    a.int(Status::OutOfRange.code()).i().return_();
                });
            }
            a.int(0).set(AT);
            a.repeat(|a| {
                a.get(AT).get(LEN).i().i32_ge_u().br_if(1);
                for ((&at, &slot), &address) in ends.iter().zip(&PLACES).zip(&ADDRESSES) {
                    let memory = memory_of(at);
                    a.get(slot).slot_field(at, SLOT_OFF).scaled(memory, 3);
                    a.get(AT).scaled(memory, 0).sum(memory).set(address);
                }
                let [target, source] = ends.map(memory_of);
                a.get(ADDRESSES[0]).get(ADDRESSES[1]).load(source, 0).store(target, 0);
                a.get(AT).int(8).i().i32_add();
                a.set(AT).i().br(0);
            });
        });
        a.int(0);
    });
}

/// The parameters of loops over elements: `(object, step, times)`.
const OBJECT: u32 = 0;
const STEP: u32 = 1;
const TIMES: u32 = 2;
const INDEX: u32 = 3;
const SUM: u32 = 4;
const LEN: u32 = 5;
const SLOT: u32 = 6;
const NUMBER: u32 = 7;

/// A loop over elements of an object, a number of them apart.
fn elements(
    (functions, guest): (&mut Functions, &Guest),
    name: &str,
    at: u64,
    turn: impl Fn(&mut Asm<'_>),
) {
    let locals = [I32, I64, I32, guest.address(slots_of(at)), I32];
    functions.add(Some(name), (&[I64, I32, I32], &[I64]), &locals, guest, |a| {
        check_or(a, at, (OBJECT, SLOT), |a| {
            a.long(0).i().return_();
        });
        a.get(SLOT).slot_field(at, SLOT_LEN).set(LEN);
        times(a, (TIMES, NUMBER), |a| {
            turn(a);
            a.get(INDEX).get(STEP).i().i32_add();
            a.tee(INDEX).int(0).get(INDEX).get(LEN).i().i32_lt_u().select();
            a.set(INDEX);
        });
        a.get(SUM);
    });
}

/// Adds elements: `bench_list_get` calls `list_get` for each, `bench_list_get_inline` has its code
/// in line.
fn add_gets(functions: &mut Functions, guest: &Guest, of: Accessors, in_line: bool) {
    let at = selector(of.kind);
    let memory = memory_of(at);
    let name = format!("bench_{}_get{}", of.name, if in_line { "_inline" } else { "" });
    elements((functions, guest), &name, at, |a| {
        if in_line {
            a.i().block(BlockType::Result(I64));
            check_or(a, at, (OBJECT, SLOT), |a| {
                a.long(0).i().br(1);
            });
            a.get(INDEX).get(SLOT).slot_field(at, SLOT_LEN).i().i32_ge_u();
            a.when(|a| {
                a.long(0).i().br(1);
            });
            a.get(SLOT).slot_field(at, SLOT_OFF).scaled(memory, 3);
            a.get(INDEX).scaled(memory, 3).sum(memory).load(memory, 0).i().end();
        } else {
            a.get(OBJECT).get(INDEX).call(of.get);
        }
        a.get(SUM).i().i64_add();
        a.set(SUM);
        if !in_line {
            a.i().drop();
        }
    });
}

/// Stores the number of the turn, as a cell where elements are cells. Adds the statuses.
fn add_sets(functions: &mut Functions, guest: &Guest, of: Accessors) {
    let name = format!("bench_{}_set", of.name);
    elements((functions, guest), &name, selector(of.kind), |a| {
        a.get(OBJECT).get(INDEX);
        if of.kind == Kind::I64ARR {
            a.get(NUMBER).i().i64_extend_i32_u();
        } else {
            int(a, NUMBER);
        }
        a.call(of.set).i().i64_extend_i32_u();
        a.get(SUM).i().i64_add();
        a.set(SUM);
    });
}
