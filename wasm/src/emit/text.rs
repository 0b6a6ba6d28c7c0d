//! Texts: their length, equality, and text that is made of bytes, by `memory.copy` between two
//! memories.

use segheap::Kind;
use wasm_encoder::ValType;

use super::access::check_frozen;
use super::asm::{Asm, Functions, Guest, argument};
use super::check::Checks;
use crate::layout::{
    NONE, SLOT_LEN, SLOT_OFF, TAG_HANDLE, TAG_SHORT, memory_of, selector, slots_of,
};
use crate::status::Status;

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// The functions that others call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts {
    /// A text: `(cell) -> (status, normal, len, off)`. What is normal of a text of up to 5
    /// bytes is the cell that holds it, of another one its handle. `off` is the first word of
    /// an object.
    pub(crate) text: u32,
    /// Whether words of the memory of texts are equal: `(off, off, words) -> bool`.
    pub(crate) equal: u32,
}

pub(crate) fn add(functions: &mut Functions, guest: &Guest, checks: Checks) -> Texts {
    let text = add_text(functions, guest, checks);
    let equal = add_equal(functions, guest, memory_of(selector(Kind::STR)));
    functions.add(Some("text_len"), (&[I64], &[I32, I32]), &[I32], guest, |a| {
        a.get(0).call(text).i().drop();
        a.set(1).i().drop();
        a.get(1);
    });
    add_text_eq(functions, guest, Texts { text, equal });
    Texts { text, equal }
}

fn add_text(functions: &mut Functions, guest: &Guest, checks: Checks) -> u32 {
    let at = selector(Kind::STR);
    let memory = memory_of(at);
    let locals = [guest.address(slots_of(at)), I32, I32];
    let (slot, len, off) = (1, 2, 3);
    functions.add(None, (&[I64], &[I32, I64, I32, I32]), &locals, guest, |a| {
        a.bits(0, 48, NONE.into()).long(TAG_SHORT).i().i64_eq();
        a.when(|a| {
            checks.check_value(a, 0, &[I64, I32, I32]);
            a.int(Status::Ok.code()).get(0).bits(0, 40, 7).i().i32_wrap_i64();
            a.int(0).i().return_();
        });
        a.bits(0, 48, NONE.into()).long(TAG_HANDLE).i().i64_ne();
        a.when(|a| {
            a.leave(Status::NotText.code(), &[I64, I32, I32]);
        });
        checks.check(a, at, (0, slot), &[I64, I32, I32]);
        a.get(slot).slot_field(at, SLOT_OFF).set(off);
        a.get(slot).slot_field(at, SLOT_LEN).tee(len).i().i32_eqz();
        a.when(|a| {
            a.int(Status::Ok.code()).long(TAG_SHORT << 48).int(0).int(0).i().return_();
        });
        a.get(len).int(5).i().i32_le_u();
        a.when(|a| {
            // Bytes of the word beyond the text are zero.
            a.int(Status::Ok.code()).get(off).scaled(memory, 3).load(memory, 0);
            a.get(len).i().i64_extend_i32_u();
            a.long(40).i().i64_shl().i64_or();
            a.long(TAG_SHORT << 48).i().i64_or();
            a.get(len).get(off).i().return_();
        });
        a.int(Status::Ok.code()).get(0).get(len).get(off);
    })
}

/// Compares words of one memory.
pub(crate) fn add_equal(functions: &mut Functions, guest: &Guest, memory: u32) -> u32 {
    functions.add(None, (&[I32, I32, I32], &[I32]), &[], guest, |a| {
        a.repeat(|a| {
            a.get(2).i().i32_eqz().br_if(1);
            a.get(0).scaled(memory, 3).load(memory, 0);
            a.get(1).scaled(memory, 3).load(memory, 0).i().i64_ne();
            a.when(|a| {
                a.leave(0, &[]);
            });
            for (local, step) in [(0, 1), (1, 1), (2, u32::MAX)] {
                a.get(local).int(step).i().i32_add();
                a.set(local);
            }
            a.i().br(0);
        });
        a.int(1);
    })
}

/// The words of a text whose length is in a local.
pub(crate) fn words(a: &mut Asm<'_>, len: u32) {
    a.get(len).int(3).i().i32_shr_u();
    a.get(len).int(7).i().i32_and().i32_const(0).i32_ne().i32_add();
}

fn add_text_eq(functions: &mut Functions, guest: &Guest, texts: Texts) {
    let locals = [I32, I64, I32, I32, I64, I32, I32];
    let (status, normal, len, off) = (2, 3, 4, 5);
    let (other, other_len, other_off) = (6, 7, 8);
    functions.add(Some("text_eq"), (&[I64, I64], &[I32, I32]), &locals, guest, |a| {
        a.get(0).call(texts.text).set(off).set(len).set(normal).set(status);
        a.leave_unless_ok(status, &[I32]);
        a.get(1).call(texts.text).set(other_off).set(other_len).set(other).set(status);
        a.leave_unless_ok(status, &[I32]);
        a.get(normal).get(other).i().i64_eq();
        a.when(|a| {
            a.int(Status::Ok.code()).int(1).i().return_();
        });
        a.get(len).get(other_len).i().i32_ne();
        a.get(len).int(5).i().i32_le_u().i32_or();
        a.when(|a| {
            a.leave(Status::Ok.code(), &[I32]);
        });
        a.int(Status::Ok.code()).get(off).get(other_off);
        words(a, len);
        a.call(texts.equal);
    });
}

/// Adds what makes texts of bytes, and what copies bytes. `alloc` allocates a text. Returns the
/// number of `u8arr_copy_bytes`.
pub(crate) fn add_copies(
    functions: &mut Functions,
    guest: &Guest,
    checks: Checks,
    alloc: u32,
) -> u32 {
    for (kind, name) in [(Kind::BYTES, "text_of_bytes"), (Kind::U8ARR, "text_of_u8arr")] {
        let valid = add_valid(functions, guest, checks, memory_of(selector(kind)));
        add_text_of(functions, guest, checks, (kind, name), (valid, alloc));
    }
    add_copy(functions, guest, checks)
}

/// Whether the bytes of a memory are UTF-8: `(first, len) -> bool`.
fn add_valid(functions: &mut Functions, guest: &Guest, checks: Checks, memory: u32) -> u32 {
    const NOT_ASCII: u64 = 0x8080_8080_8080_8080;
    let (at, len, state) = (0, 1, 2);
    functions.add(None, (&[guest.address(memory), I32], &[I32]), &[I32], guest, |a| {
        let step = |a: &mut Asm<'_>, bytes: u32| {
            a.get(at).constant(memory, bytes).sum(memory).set(at);
            a.get(len).int(bytes).i().i32_sub();
            a.set(len).i();
        };
        a.repeat(|a| {
            a.get(len).i().i32_eqz().br_if(1);
            a.get(state).i().i32_eqz();
            a.get(len).int(8).i().i32_ge_u().i32_and();
            a.when(|a| {
                let word = argument(memory, 0, 0);
                a.get(at).i().i64_load(word);
                a.long(NOT_ASCII).i().i64_and().i64_eqz();
                a.when(|a| {
                    step(a, 8);
                    a.i().br(2);
                });
            });
            let byte = argument(memory, 0, 0);
            a.get(state).get(at).i().i32_load8_u(byte).call(checks.utf8);
            a.tee(state).int(NONE).i().i32_eq();
            a.when(|a| {
                a.leave(0, &[]);
            });
            step(a, 1);
            a.i().br(0);
        });
        a.get(state).i().i32_eqz();
    })
}

fn add_text_of(
    functions: &mut Functions,
    guest: &Guest,
    checks: Checks,
    (kind, name): (Kind, &str),
    (valid, alloc): (u32, u32),
) {
    let (from, to) = (selector(kind), selector(Kind::STR));
    let (source, target) = (memory_of(from), memory_of(to));
    let (start, end, slot, first, off, cell, status) = (1, 2, 3, 4, 5, 6, 7);
    let locals = [guest.address(slots_of(from)), guest.address(source), I32, I64, I32];
    functions.add(Some(name), (&[I64, I32, I32], &[I32, I64]), &locals, guest, |a| {
        checks.check(a, from, (0, slot), &[I64]);
        check_range(a, from, (start, end, slot), &[I64]);
        byte(a, from, (start, slot));
        a.tee(first).get(end).get(start).i().i32_sub();
        a.tee(end).call(valid).i().i32_eqz();
        a.when(|a| {
            a.leave(Status::NotUtf8.code(), &[I64]);
        });
        a.get(end);
        words(a, end);
        a.call(alloc).set(cell).set(off).set(status);
        a.leave_unless_ok(status, &[I64]);
        a.get(off).scaled(target, 3).get(first).get(end);
        copy(a, target, source);
        a.int(Status::Ok.code()).get(cell);
    });
}

/// Leaves if a range is reversed, or beyond the object.
fn check_range(a: &mut Asm<'_>, at: u64, (start, end, slot): (u32, u32, u32), rest: &[ValType]) {
    a.get(start).get(end).i().i32_gt_u();
    a.get(end).get(slot).slot_field(at, SLOT_LEN).i().i32_gt_u().i32_or();
    a.when(|a| {
        a.leave(Status::OutOfRange.code(), rest);
    });
}

/// The address of a byte of an object.
fn byte(a: &mut Asm<'_>, at: u64, (index, slot): (u32, u32)) {
    let memory = memory_of(at);
    a.get(slot).slot_field(at, SLOT_OFF).scaled(memory, 3);
    a.get(index).scaled(memory, 0).sum(memory);
}

/// Copies as many bytes as the number of 32 bits on the stack says between two memories.
fn copy(a: &mut Asm<'_>, target: u32, source: u32) {
    if a.guest.is_wide(target) && a.guest.is_wide(source) {
        a.i().i64_extend_i32_u();
    }
    a.i().memory_copy(target, source);
}

/// Copies bytes into an array: `(target, at, source, start, end) -> status`.
fn add_copy(functions: &mut Functions, guest: &Guest, checks: Checks) -> u32 {
    let (from, to) = (selector(Kind::BYTES), selector(Kind::U8ARR));
    let (at, source, start, end, target_slot, slot) = (1, 2, 3, 4, 5, 6);
    let locals = [guest.address(slots_of(to)), guest.address(slots_of(from))];
    let parameters = [I64, I32, I64, I32, I32];
    functions.add(Some("u8arr_copy_bytes"), (&parameters, &[I32]), &locals, guest, |a| {
        checks.check(a, to, (0, target_slot), &[]);
        check_frozen(a, to, target_slot, &[]);
        checks.check(a, from, (source, slot), &[]);
        check_range(a, from, (start, end, slot), &[]);
        // In 64 bits, the end in the target does not wrap.
        a.get(at).i().i64_extend_i32_u();
        a.get(end).get(start).i().i32_sub().i64_extend_i32_u().i64_add();
        a.get(target_slot).slot_field(to, SLOT_LEN).i().i64_extend_i32_u().i64_gt_u();
        a.when(|a| {
            a.leave(Status::OutOfRange.code(), &[]);
        });
        byte(a, to, (at, target_slot));
        byte(a, from, (start, slot));
        a.get(end).get(start).i().i32_sub();
        copy(a, memory_of(to), memory_of(from));
        a.int(Status::Ok.code());
    })
}
