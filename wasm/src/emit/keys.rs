//! Keys of maps in the guest: their normal form, hash and equality.
//!
//! Numbers and texts are keys by value, other objects by identity, as in the heap. What is
//! normal of a key is a word: two keys are the same if their words are, or if both are handles
//! of long texts or large integers with the same content. Values, which are keys by content of
//! several objects, are left to the heap.

use segheap::Kind;
use wasm_encoder::ValType;

use super::asm::{Asm, Functions, Guest};
use super::check::Checks;
use super::text::{Texts, add_equal, words};
use crate::layout::{
    NONE, SLOT_LEN, SLOT_OFF, TAG_HANDLE, TAG_INT, TAG_SHORT, VALUE, memory_of, selector, slots_of,
};
use crate::status::Status;

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// The functions for keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyFunctions {
    /// What is normal of a key: `(cell) -> (status, word)`.
    pub(crate) normal: u32,
    /// The hash of what is normal: `(word) -> hash`.
    pub(crate) hash: u32,
    /// Whether what is normal of a key is the same as the key of an entry:
    /// `(word, cell) -> bool`.
    pub(crate) same: u32,
}

/// Functions for one kind whose objects are keys by their words.
#[derive(Clone, Copy, Debug)]
struct Content {
    selector: u64,
    /// What is normal, the length, and the first word: `(cell) -> (status, word, len, off)`.
    open: u32,
    equal: u32,
    hash: u32,
}

impl Content {
    /// The words of an object whose length is in a local.
    fn words(self, a: &mut Asm<'_>, len: u32) {
        if self.selector == selector(Kind::STR) {
            words(a, len);
        } else {
            a.get(len).int(1).i().i32_add();
        }
    }
}

pub(crate) fn add(
    functions: &mut Functions,
    guest: &Guest,
    checks: Checks,
    texts: Texts,
) -> KeyFunctions {
    let [of_texts, of_integers] = [Kind::STR, Kind::BIGNUM].map(selector);
    let content = [
        Content {
            selector: of_texts,
            open: texts.text,
            equal: texts.equal,
            hash: add_hash_words(functions, guest, memory_of(of_texts)),
        },
        Content {
            selector: of_integers,
            open: add_integer(functions, guest, checks),
            equal: add_equal(functions, guest, memory_of(of_integers)),
            hash: add_hash_words(functions, guest, memory_of(of_integers)),
        },
    ];
    let normal = add_normal(functions, guest, checks, content);
    let hash = add_hash(functions, guest, content);
    let same = add_same(functions, guest, normal, content);
    KeyFunctions { normal, hash, same }
}

/// An integer in an arena, as a cell if it would fit into one.
fn add_integer(functions: &mut Functions, guest: &Guest, checks: Checks) -> u32 {
    let at = selector(Kind::BIGNUM);
    let memory = memory_of(at);
    let (slot, len, off, sign, limb) = (1, 2, 3, 4, 5);
    let locals = [guest.address(slots_of(at)), I32, I32, I64, I64];
    functions.add(None, (&[I64], &[I32, I64, I32, I32]), &locals, guest, |a| {
        checks.check(a, at, (0, slot), &[I64, I32, I32]);
        a.get(slot).slot_field(at, SLOT_LEN).set(len);
        a.get(slot).slot_field(at, SLOT_OFF).set(off);
        a.get(len).int(1).i().i32_le_u();
        a.when(|a| {
            a.get(off).scaled(memory, 3).load(memory, 0).set(sign);
            a.get(len).when(|a| {
                a.get(off).scaled(memory, 3).load(memory, 8).set(limb);
            });
            // Of a negative one, the largest magnitude is one more.
            a.get(limb).get(sign).i().i64_sub();
            a.long(1 << 47).i().i64_lt_u();
            a.get(limb).i().i64_eqz().i32_or();
            a.when(|a| {
                a.int(Status::Ok.code());
                a.long(0).get(limb).i().i64_sub();
                a.get(limb).get(sign).i().i32_wrap_i64().select();
                a.long((1 << 48) - 1).i().i64_and();
                a.long(TAG_INT << 48).i().i64_or();
                a.get(len).get(off).i().return_();
            });
        });
        a.int(Status::Ok.code()).get(0).get(len).get(off);
    })
}

fn add_normal(
    functions: &mut Functions,
    guest: &Guest,
    checks: Checks,
    content: [Content; 2],
) -> u32 {
    let (tag, of, room) = (1, 2, 3);
    functions.add(None, (&[I64], &[I32, I64]), &[I64, I64, I32], guest, |a| {
        a.bits(0, 48, NONE.into()).tee(tag).long(TAG_INT).i().i64_eq();
        a.when(|a| {
            a.int(Status::Ok.code()).get(0).i().return_();
        });
        checks.check_value(a, 0, &[I64]);
        a.get(tag).long(TAG_HANDLE).i().i64_ne();
        a.when(|a| {
            a.int(Status::Ok.code()).long(0).get(0);
            a.get(0).long(1 << 63).i().i64_eq().select().return_();
        });
        a.bits(0, 44, 15).set(of);
        for Content { selector, open, .. } in content {
            a.get(of).long(selector).i().i64_eq();
            a.when(|a| {
                a.get(0).call(open).i().drop().drop();
                // What a key that opens no object is called.
                a.i().return_();
            });
        }
        a.get(0).call(checks.live).set(room);
        a.i().i32_eqz();
        a.when(|a| {
            a.leave(Status::Stale.code(), &[I64]);
        });
        a.get(room).int(VALUE).i().i32_and();
        a.when(|a| {
            a.leave(Status::ValueKey.code(), &[I64]);
        });
        a.int(Status::Ok.code()).get(0);
    })
}

/// The hash of one word on the stack, or its beginning: `index::Seeds::hash`.
fn mix(a: &mut Asm<'_>, hash: u32) {
    let factor = a.guest.hash.1;
    a.get(hash).i().i64_xor();
    a.long(factor).i().i64_mul();
    a.tee(hash).get(hash).long(32).i().i64_shr_u().i64_xor();
    a.set(hash);
}

fn finish(a: &mut Asm<'_>, hash: u32) {
    let factor = a.guest.hash.1;
    a.get(hash).long(factor).i().i64_mul();
    a.long(32).i().i64_shr_u().i32_wrap_i64();
}

/// The hash of words of a memory: `(off, words) -> hash`.
fn add_hash_words(functions: &mut Functions, guest: &Guest, memory: u32) -> u32 {
    functions.add(None, (&[I32, I32], &[I32]), &[I64], guest, |a| {
        let start = a.guest.hash.0;
        a.long(start).set(2);
        a.repeat(|a| {
            a.get(1).i().i32_eqz().br_if(1);
            a.get(0).scaled(memory, 3).load(memory, 0);
            mix(a, 2);
            a.get(0).int(1).i().i32_add();
            a.set(0).get(1).int(1).i().i32_sub();
            a.set(1).i().br(0);
        });
        finish(a, 2);
    })
}

fn add_hash(functions: &mut Functions, guest: &Guest, content: [Content; 2]) -> u32 {
    let (hash, len, off) = (1, 2, 3);
    functions.add(None, (&[I64], &[I32]), &[I64, I32, I32], guest, |a| {
        for content in content {
            a.bits(0, 44, (1 << 20) - 1).long(TAG_HANDLE << 4 | content.selector).i().i64_eq();
            a.when(|a| {
                a.get(0).call(content.open).set(off).set(len);
                a.i().drop().drop();
                a.get(off);
                content.words(a, len);
                a.call(content.hash).i().return_();
            });
        }
        let start = a.guest.hash.0;
        a.long(start).set(hash).get(0);
        mix(a, hash);
        finish(a, hash);
    })
}

fn add_same(functions: &mut Functions, guest: &Guest, normal: u32, content: [Content; 2]) -> u32 {
    let (word, len, off, other_len, other_off) = (2, 3, 4, 5, 6);
    let locals = [I64, I32, I32, I32, I32];
    functions.add(None, (&[I64, I64], &[I32]), &locals, guest, |a| {
        a.get(0).get(1).i().i64_eq();
        a.when(|a| {
            a.leave(1, &[]);
        });
        a.bits(0, 48, NONE.into()).long(TAG_HANDLE).i().i64_ne();
        a.when(|a| {
            a.get(1).call(normal).set(word).i().i32_eqz();
            a.get(0).get(word).i().i64_eq().i32_and().return_();
        });
        for content in content {
            let of = TAG_HANDLE << 4 | content.selector;
            a.bits(0, 44, (1 << 20) - 1).long(of).i().i64_eq();
            a.bits(1, 44, (1 << 20) - 1).long(of).i().i64_eq().i32_and();
            a.when(|a| {
                a.get(1).call(content.open).set(other_off).set(other_len);
                a.i().drop();
                a.when(|a| {
                    a.leave(0, &[]);
                });
                a.get(0).call(content.open).set(off).set(len);
                a.i().drop().drop();
                a.get(len).get(other_len).i().i32_ne();
                a.when(|a| {
                    a.leave(0, &[]);
                });
                a.get(off).get(other_off);
                content.words(a, len);
                a.call(content.equal).i().return_();
            });
        }
        a.int(0);
    })
}

/// [`TAG_SHORT`] makes the normal form of a short text, in `text`.
const _: u64 = TAG_SHORT;
