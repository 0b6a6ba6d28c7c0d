//! The check of a handle, which is that of the library: an index within the slots, and one
//! compare of keys. With it what says why it fails, and which bits are cells.

use wasm_encoder::{BlockType, ValType};

use super::asm::{Asm, Functions, Guest};
use crate::layout::{
    BASE, COUNT, GENERATION, INFINITY, NAN, NONE, SLOT_KEY, SLOT_ROOM, SLOTS, TAG_BOOL, TAG_DEOPT,
    TAG_HANDLE, TAG_INT, TAG_NULL, TAG_SHORT, slots_of,
};
use crate::status::Status;

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// The functions that others call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checks {
    /// Why a cell opens no object of a kind: `(cell, selector) -> status`.
    pub(crate) reject: u32,
    /// Whether bits are those of a cell: `(bits) -> bool`.
    pub(crate) is_cell: u32,
    /// The state of a UTF-8 decoder after a byte: `(state, byte) -> state`; 0 between
    /// characters, [`NONE`] after an error.
    pub(crate) utf8: u32,
    /// Whether a handle opens an object of any kind, and the last field of its slot:
    /// `(cell) -> (bool, room)`.
    pub(crate) live: u32,
}

impl Checks {
    pub(crate) fn add(functions: &mut Functions, guest: &Guest) -> Checks {
        let reject = add_reject(functions, guest);
        let utf8 = add_utf8(functions, guest);
        let short = add_short(functions, guest, utf8);
        let is_cell = add_is_cell(functions, guest, short);
        let live = add_live(functions, guest);
        Checks { reject, is_cell, utf8, live }
    }

    /// Emits the check that the cell in a local opens an object of a kind. The byte where its
    /// slot begins is in `slot` then, less what [`Asm::slot_field`] adds. Otherwise the function
    /// returns the reason, and zeros after it.
    pub(crate) fn check(
        self,
        a: &mut Asm<'_>,
        selector: u64,
        (cell, slot): (u32, u32),
        rest: &[ValType],
    ) {
        check_or(a, selector, (cell, slot), |a| {
            a.get(cell).int(u32::try_from(selector).unwrap_or(NONE)).call(self.reject).zeros(rest);
            a.i().return_();
        });
    }

    /// Emits a test that bits in a local are those of a cell; otherwise the function returns.
    pub(crate) fn check_value(self, a: &mut Asm<'_>, value: u32, rest: &[ValType]) {
        a.get(value).call(self.is_cell);
        a.i().i32_eqz();
        a.when(|a| {
            a.leave(Status::NotACell.code(), rest);
        });
    }
}

/// [`Checks::check`] with other code for when it fails, which leaves the block around it.
pub(crate) fn check_or(
    a: &mut Asm<'_>,
    selector: u64,
    (cell, slot): (u32, u32),
    failed: impl FnOnce(&mut Asm<'_>),
) {
    a.i().block(BlockType::Empty).block(BlockType::Empty);
    a.is_beyond(selector, cell);
    a.i().br_if(0);
    a.key_of(selector, cell, slot).high(cell);
    a.i().i32_eq().br_if(1).end();
    failed(a);
    a.i().end();
}

impl Asm<'_> {
    /// Whether the index of a handle is beyond the slots of an arena.
    fn is_beyond(&mut self, selector: u64, cell: u32) -> &mut Self {
        self.get(cell).i().i32_wrap_i64();
        if slots_of(selector) == SLOTS {
            let count = self.table(selector).1;
            self.int(count);
        } else {
            self.state(selector, COUNT);
        }
        self.i().i32_ge_u();
        self
    }

    /// Computes the place of a handle's slot, and loads its key.
    fn key_of(&mut self, selector: u64, cell: u32, slot: u32) -> &mut Self {
        self.get(cell).i().i32_wrap_i64();
        self.scaled(slots_of(selector), 4).tee(slot).slot_field(selector, SLOT_KEY)
    }

    fn table(&self, selector: u64) -> (u64, u32) {
        let place = usize::try_from(selector).ok();
        place.and_then(|place| self.guest.slots.get(place)).copied().unwrap_or((0, 0))
    }

    /// Loads a field of the slot whose place is on the stack.
    pub(crate) fn slot_field(&mut self, selector: u64, field: u64) -> &mut Self {
        let base = self.table(selector).0;
        self.load_half(slots_of(selector), base.wrapping_add(field))
    }

    /// Stores a field of a slot: its place and the number are on the stack.
    pub(crate) fn set_slot_field(&mut self, selector: u64, field: u64) -> &mut Self {
        let base = self.table(selector).0;
        self.store_half(slots_of(selector), base.wrapping_add(field))
    }
}

fn add_reject(functions: &mut Functions, guest: &Guest) -> u32 {
    functions.add(None, (&[I64, I32], &[I32]), &[I32], guest, |a| {
        a.bits(0, 48, NONE.into()).long(TAG_HANDLE);
        a.i().i64_ne();
        a.when(|a| {
            a.leave(Status::NotAHandle.code(), &[]);
        });
        a.bits(0, 44, 15).i().i32_wrap_i64();
        a.tee(2).int(15);
        a.i().i32_eq();
        a.when(|a| {
            a.leave(Status::Sealed.code(), &[]);
        });
        a.int(Status::Stale.code()).int(Status::WrongKind.code()).get(1).get(2);
        a.i().i32_eq().select();
    })
}

/// A decoder of UTF-8 (RFC 3629), byte by byte. Its state is how many bytes are to come, and
/// the bounds of the next one, 8 bits each.
fn add_utf8(functions: &mut Functions, guest: &Guest) -> u32 {
    const ANY: u32 = 0x80 << 8 | 0xBF;
    /// First bytes up to this one, and the state after one.
    const FIRST: [(u32, u32); 9] = [
        (0x7F, 0),
        (0xC1, NONE),
        (0xDF, 1 << 16 | ANY),
        (0xE0, 2 << 16 | 0xA0 << 8 | 0xBF),
        (0xEC, 2 << 16 | ANY),
        (0xED, 2 << 16 | 0x80 << 8 | 0x9F),
        (0xEF, 2 << 16 | ANY),
        (0xF0, 3 << 16 | 0x90 << 8 | 0xBF),
        (0xF3, 3 << 16 | ANY),
    ];
    functions.add(None, (&[I32, I32], &[I32]), &[], guest, |a| {
        a.get(0).i().i32_eqz();
        a.when(|a| {
            let last = [(0xF4, 3 << 16 | 0x80 << 8 | 0x8F), (0xFF, NONE)];
            for (byte, state) in FIRST.into_iter().chain(last) {
                a.get(1).int(byte);
                a.i().i32_le_u();
                a.when(|a| {
                    a.leave(state, &[]);
                });
            }
        });
        a.get(1).get(0).int(8);
        a.i().i32_shr_u().i32_const(0xFF).i32_and().i32_lt_u();
        a.get(1).get(0).int(0xFF);
        a.i().i32_and().i32_gt_u().i32_or();
        a.when(|a| {
            a.leave(NONE, &[]);
        });
        // The next byte may be any, or there is none.
        a.get(0).int(16);
        a.i().i32_shr_u().i32_const(1).i32_sub();
        a.tee(0).int(16);
        a.i().i32_shl();
        a.int(ANY);
        a.i().i32_or();
        a.int(0).get(0).i().select();
    })
}

/// Whether the bits of a cell with the tag of short text are those of a text.
fn add_short(functions: &mut Functions, guest: &Guest, utf8: u32) -> u32 {
    functions.add(None, (&[I64], &[I32]), &[I32, I32], guest, |a| {
        a.bits(0, 40, 0xFF).i().i32_wrap_i64();
        a.tee(1).int(5);
        a.i().i32_gt_u();
        a.when(|a| {
            a.leave(0, &[]);
        });
        a.repeat(|a| {
            a.get(1).i().i32_eqz().br_if(1);
            a.get(2).get(0).i().i32_wrap_i64().i32_const(0xFF).i32_and().call(utf8);
            a.tee(2).int(NONE);
            a.i().i32_eq();
            a.when(|a| {
                a.leave(0, &[]);
            });
            a.bits(0, 8, (1 << 32) - 1).set(0);
            a.get(1).int(1);
            a.i().i32_sub();
            a.set(1).i().br(0);
        });
        // No character is cut off, and no byte is left.
        a.get(2).i().i32_eqz();
        a.bits(0, 0, (1 << 40) - 1).i().i64_eqz().i32_and();
    })
}

fn add_is_cell(functions: &mut Functions, guest: &Guest, short: u32) -> u32 {
    functions.add(None, (&[I64], &[I32]), &[I64], guest, |a| {
        a.bits(0, 48, NONE.into()).tee(1).long(TAG_DEOPT);
        a.i().i64_lt_u();
        a.when(|a| {
            a.bits(0, 0, u64::MAX >> 1).long(INFINITY).i().i64_le_u();
            a.get(0).long(NAN).i().i64_eq().i32_or().return_();
        });
        let is = |a: &mut Asm<'_>, tag: u64, then: &dyn Fn(&mut Asm<'_>)| {
            a.get(1).long(tag).i().i64_eq();
            a.when(|a| {
                then(a);
                a.i().return_();
            });
        };
        is(a, TAG_INT, &|a| {
            a.int(1);
        });
        is(a, TAG_HANDLE, &|a| {
            a.bits(0, 44, 15).long(2).i().i64_add();
            a.long(15).i().i64_and();
            a.long(14).i().i64_lt_u();
        });
        is(a, TAG_SHORT, &|a| {
            a.get(0).call(short);
        });
        is(a, TAG_BOOL, &|a| {
            a.bits(0, 0, (1 << 48) - 1).long(1).i().i64_le_u();
        });
        is(a, TAG_NULL, &|a| {
            // Null and absent are one word each; the rest of an immediate is any.
            a.bits(0, 32, 0xFFFF).long(2).i().i64_eq();
            a.bits(0, 0, (1 << 48) - 1).i().i64_eqz().i32_or();
            a.bits(0, 0, (1 << 48) - 1).long(1 << 32).i().i64_eq().i32_or();
        });
        a.get(1).long(TAG_DEOPT).i().i64_eq();
    })
}

fn add_live(functions: &mut Functions, guest: &Guest) -> u32 {
    let mut locals = vec![I32];
    // One local for places in memories of either width.
    locals.extend([I32, I64]);
    functions.add(None, (&[I64], &[I32, I32]), &locals, guest, |a| {
        a.bits(0, 44, 15).i().i32_wrap_i64();
        a.set(1);
        for selector in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15_u64] {
            let slot = if a.guest.is_wide(slots_of(selector)) { 3 } else { 2 };
            a.get(1).int(u32::try_from(selector).unwrap_or(NONE));
            a.i().i32_eq();
            a.when(|a| {
                a.is_beyond(selector, 0).when(|a| {
                    a.leave(0, &[I32]);
                });
                a.key_of(selector, 0, slot).high(0).i().i32_eq();
                a.get(slot).slot_field(selector, SLOT_ROOM).i().return_();
            });
        }
        a.int(0).int(0);
    })
}

/// The first generation of the slot whose index is in a local.
pub(crate) fn first_generation(a: &mut Asm<'_>, selector: u64, index: u32) {
    let place = usize::try_from(selector).ok();
    let seed = place.and_then(|place| a.guest.seeds.get(place)).copied().unwrap_or(0);
    a.get(index).int(seed).i().i32_xor().i64_extend_i32_u();
    a.long(crate::layout::SPREAD).i().i64_mul();
    a.long(32).i().i64_shr_u().i32_wrap_i64();
    a.int(GENERATION).i().i32_and();
}

/// [`BASE`] is an immediate of the guest's instructions.
const _: u64 = BASE;
