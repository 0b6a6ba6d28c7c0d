//! Allocation in the guest: the slots of the free list in its order, as the heap takes them,
//! then new ones; blocks at the end of a memory, which grows.

use segheap::Kind;
use wasm_encoder::{BlockType, ValType};

use super::asm::{Asm, Functions, Guest};
use super::check::{Checks, first_generation};
use crate::layout::{
    CAP, COUNT, FREE, GENERATION, KEY_HANDLE, NONE, SLOT_KEY, SLOT_LEN, SLOT_OFF, SLOT_ROOM,
    TAG_NULL, TOP, memory_of, selector, slots_of,
};
use crate::status::Status;

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// The functions that allocate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocs {
    /// A text: `(len, words) -> (status, off, cell)`.
    pub(crate) text: u32,
    /// A block of a map: `(words) -> (status, off)`.
    pub(crate) table: u32,
}

pub(crate) fn add(functions: &mut Functions, guest: &Guest, checks: Checks) -> Allocs {
    let [text, list, pair] = [Kind::STR, Kind::LIST, Kind::PAIR].map(|kind| {
        let block = add_block(functions, guest, selector(kind));
        add_object(functions, guest, selector(kind), block)
    });
    let table = add_block(functions, guest, selector(Kind::MAP));
    add_list(functions, guest, list);
    add_pair(functions, guest, checks, pair);
    Allocs { text, table }
}

/// Makes a memory as large as a number of bytes says: `(bytes) -> status`. It grows by a
/// quarter, or as little as it must.
fn add_reserve(functions: &mut Functions, guest: &Guest, memory: u32) -> u32 {
    let (bytes, size) = (0, 1);
    functions.add(None, (&[I64], &[I32]), &[I64], guest, |a| {
        let grow = |a: &mut Asm<'_>| {
            if a.guest.is_wide(memory) {
                a.i().memory_grow(memory).i64_const(-1).i64_ne();
            } else {
                a.i().i32_wrap_i64().memory_grow(memory).i32_const(-1).i32_ne();
            }
            a.when(|a| {
                a.leave(Status::Ok.code(), &[]);
            });
        };
        a.i().memory_size(memory);
        if !a.guest.is_wide(memory) {
            a.i().i64_extend_i32_u();
        }
        a.set(size);
        a.get(bytes).long(0xFFFF).i().i64_add();
        a.long(16).i().i64_shr_u();
        a.tee(bytes).get(size).i().i64_le_u();
        a.when(|a| {
            a.leave(Status::Ok.code(), &[]);
        });
        a.get(bytes).get(size).i().i64_sub();
        a.tee(bytes).get(size).long(2).i().i64_shr_u().i64_gt_u();
        a.i().i32_eqz();
        a.when(|a| {
            a.get(size).long(2).i().i64_shr_u();
            grow(a);
        });
        a.get(bytes);
        grow(a);
        a.int(Status::NoRoom.code());
    })
}

/// Takes a block: `(words) -> (status, off)`. What it holds is zero.
fn add_block(functions: &mut Functions, guest: &Guest, at: u64) -> u32 {
    let reserve = add_reserve(functions, guest, memory_of(at));
    let (words, status, off, end) = (0, 1, 2, 3);
    functions.add(None, (&[I32], &[I32, I32]), &[I32, I32, I64], guest, |a| {
        a.get(words).i().i32_eqz();
        a.when(|a| {
            a.leave(Status::Ok.code(), &[I32]);
        });
        a.state(at, TOP).tee(off).i().i64_extend_i32_u();
        a.get(words).i().i64_extend_i32_u().i64_add();
        a.tee(end).long(NONE.into()).i().i64_ge_u();
        a.get(words).int(CAP).i().i32_gt_u().i32_or();
        a.when(|a| {
            a.leave(Status::NoRoom.code(), &[I32]);
        });
        a.get(end).long(3).i().i64_shl();
        a.call(reserve).set(status);
        a.leave_unless_ok(status, &[I32]);
        a.set_state(at, TOP, |a| {
            a.get(end).i().i32_wrap_i64();
        });
        a.int(Status::Ok.code()).get(off);
    })
}

/// Allocates an object: `(len, words) -> (status, off, cell)`. Nothing has changed if it fails,
/// but that a memory may have grown.
fn add_object(functions: &mut Functions, guest: &Guest, at: u64, block: u32) -> u32 {
    let slots = slots_of(at);
    let reserve = add_reserve(functions, guest, slots);
    let (len, words, index, next, key, slot, status, off) = (0, 1, 2, 3, 4, 5, 6, 7);
    let locals = [I32, I32, I32, guest.address(slots), I32, I32];
    let results = [I32, I32, I64];
    functions.add(None, (&[I32, I32], &results), &locals, guest, |a| {
        a.state(at, FREE).tee(index).int(NONE).i().i32_eq();
        a.i().if_(BlockType::Empty);
        {
            a.state(at, COUNT).tee(index).int(1).i().i32_add();
            a.tee(next).i().i32_eqz();
            a.when(|a| {
                a.leave(Status::NoRoom.code(), &[I32, I64]);
            });
            a.get(next).i().i64_extend_i32_u();
            a.long(4).i().i64_shl();
            a.call(reserve).set(status);
            a.leave_unless_ok(status, &[I32, I64]);
            a.get(index).scaled(slots, 4).set(slot);
            first_generation(a, at, index);
            a.set(key).get(words).call(block).set(off).set(status);
            a.leave_unless_ok(status, &[I32, I64]);
            a.set_state(at, COUNT, |a| {
                a.get(next);
            });
        }
        a.i().else_();
        {
            a.get(index).scaled(slots, 4).tee(slot).slot_field(at, SLOT_KEY);
            a.int(GENERATION).i().i32_and();
            a.set(key).get(words).call(block).set(off).set(status);
            a.leave_unless_ok(status, &[I32, I64]);
            a.set_state(at, FREE, |a| {
                a.get(slot).slot_field(at, SLOT_OFF);
            });
        }
        a.i().end();
        let live = KEY_HANDLE | u32::try_from(at).unwrap_or(0) << 12;
        a.get(slot).get(key).int(live).i().i32_or();
        a.tee(key).set_slot_field(at, SLOT_KEY);
        for (field, local) in [(SLOT_LEN, len), (SLOT_OFF, off), (SLOT_ROOM, words)] {
            a.get(slot).get(local).set_slot_field(at, field);
        }
        a.int(Status::Ok.code()).get(off).get(key).i().i64_extend_i32_u();
        a.long(32).i().i64_shl();
        a.get(index).i().i64_extend_i32_u().i64_or();
    })
}

/// A list of nulls: `(len) -> (status, cell)`.
fn add_list(functions: &mut Functions, guest: &Guest, alloc: u32) {
    let memory = memory_of(selector(Kind::LIST));
    let (len, cell, off, status) = (0, 1, 2, 3);
    functions.add(Some("list_new"), (&[I32], &[I32, I64]), &[I64, I32, I32], guest, |a| {
        a.get(len).get(len).call(alloc).set(cell).set(off).set(status);
        a.leave_unless_ok(status, &[I64]);
        a.repeat(|a| {
            a.get(len).i().i32_eqz().br_if(1);
            a.get(off).scaled(memory, 3).long(TAG_NULL << 48).store(memory, 0);
            a.get(off).int(1).i().i32_add();
            a.set(off).get(len).int(1).i().i32_sub();
            a.set(len).i().br(0);
        });
        a.int(Status::Ok.code()).get(cell);
    });
}

/// A pair: `(first, second) -> (status, cell)`.
fn add_pair(functions: &mut Functions, guest: &Guest, checks: Checks, alloc: u32) {
    let memory = memory_of(selector(Kind::PAIR));
    let (cell, off, status) = (2, 3, 4);
    let locals = [I64, I32, I32];
    functions.add(Some("pair_new"), (&[I64, I64], &[I32, I64]), &locals, guest, |a| {
        checks.check_value(a, 0, &[I64]);
        checks.check_value(a, 1, &[I64]);
        a.int(2).int(2).call(alloc).set(cell).set(off).set(status);
        a.leave_unless_ok(status, &[I64]);
        a.get(off).scaled(memory, 3).get(0).store(memory, 0);
        a.get(off).scaled(memory, 3).get(1).store(memory, 8);
        a.int(Status::Ok.code()).get(cell);
    });
}
