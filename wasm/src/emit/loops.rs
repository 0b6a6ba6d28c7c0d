//! Loops for benchmarks: what a guest's accesses cost without the calls from outside.

use segheap::Kind;
use wasm_encoder::{BlockType, ValType};

use super::asm::{Asm, Functions, Guest};
use super::check::check_or;
use crate::layout::{SLOT_LEN, SLOT_OFF, TAG_INT, memory_of, selector, slots_of};

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// The functions that the loops call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    pub(crate) list_get: u32,
    pub(crate) map_get: u32,
    pub(crate) copy: u32,
}

/// Adds the loops.
pub(crate) fn add(functions: &mut Functions, guest: &Guest, called: Called) {
    add_lists(functions, guest, called.list_get);
    add_maps(functions, guest, called.map_get);
    add_copies(functions, guest, called.copy);
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
fn add_maps(functions: &mut Functions, guest: &Guest, get: u32) {
    let types: (&[ValType], &[ValType]) = (&[I64, I32, I32], &[I64]);
    functions.add(Some("bench_map_get"), types, &[I64, I32], guest, |a| {
        times(a, (2, 4), |a| {
            a.get(0).get(4).get(1).i().i32_and().i64_extend_i32_u();
            a.long(TAG_INT << 48).i().i64_or();
            a.call(get).get(3).i().i64_add();
            a.set(3).i().drop();
        });
        a.get(3);
    });
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

/// Adds elements of a list, a number of them apart: `(list, step, times) -> sum`. One function
/// calls `list_get` for each, the other has its code in line.
fn add_lists(functions: &mut Functions, guest: &Guest, get: u32) {
    const LIST: u32 = 0;
    const STEP: u32 = 1;
    const TIMES: u32 = 2;
    const INDEX: u32 = 3;
    const SUM: u32 = 4;
    const LEN: u32 = 5;
    const SLOT: u32 = 6;
    const NUMBER: u32 = 7;
    let at = selector(Kind::LIST);
    let memory = memory_of(at);
    let locals = [I32, I64, I32, guest.address(slots_of(at)), I32];
    for (name, in_line) in [("bench_list_get", false), ("bench_list_get_inline", true)] {
        functions.add(Some(name), (&[I64, I32, I32], &[I64]), &locals, guest, |a| {
            check_or(a, at, (LIST, SLOT), |a| {
                a.long(0).i().return_();
            });
            a.get(SLOT).slot_field(at, SLOT_LEN).set(LEN);
            times(a, (TIMES, NUMBER), |a| {
                if in_line {
                    a.i().block(BlockType::Result(I64));
                    check_or(a, at, (LIST, SLOT), |a| {
                        a.long(0).i().br(1);
                    });
                    a.get(INDEX).get(SLOT).slot_field(at, SLOT_LEN).i().i32_ge_u();
                    a.when(|a| {
                        a.long(0).i().br(1);
                    });
                    a.get(SLOT).slot_field(at, SLOT_OFF).scaled(memory, 3);
                    a.get(INDEX).scaled(memory, 3).sum(memory).load(memory, 0).i().end();
                } else {
                    a.get(LIST).get(INDEX).call(get);
                }
                a.get(SUM).i().i64_add();
                a.set(SUM);
                if !in_line {
                    a.i().drop();
                }
                a.get(INDEX).get(STEP).i().i32_add();
                a.tee(INDEX).int(0).get(INDEX).get(LEN).i().i32_lt_u().select();
                a.set(INDEX);
            });
            a.get(SUM);
        });
    }
}
