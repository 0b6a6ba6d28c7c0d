//! Maps in the guest: look-up by the index that the module comes with (`index`), insertion,
//! and growth.

use segheap::Kind;
use wasm_encoder::ValType;

use super::access::check_frozen;
use super::alloc::Allocs;
use super::asm::{Asm, Functions, Guest};
use super::check::Checks;
use super::keys::KeyFunctions;
use super::loops::Accessors;
use crate::layout::{
    BOXED, CAP, DENSE, KEY_HANDLE, NONE, OWN, POSITIONS, SEQUENCED, SLOT_LEN, SLOT_OFF, SLOT_ROOM,
    TABLE, TAG_HANDLE, TAG_HOLE, TAG_INT, memory_of, selector, slots_of,
};
use crate::status::Status;

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;
/// The bytes of a table before its entries.
const HEADER: u64 = TABLE as u64 * 8;
/// The bytes of an entry, as a shift.
const ENTRY: u32 = 4;
/// The bytes of the header that hold flags and positions, the number of the next entry, the
/// mask of positions, and the first word of the index.
const COUNTS: u64 = 4;
const NEXT: u64 = 8;
const MASK: u64 = 16;
const START: u64 = 20;

/// The functions of this file, and what they use.
#[derive(Clone, Copy)]
struct Maps {
    at: u64,
    memory: u32,
    checks: Checks,
    keys: KeyFunctions,
    /// The position of a key: `(block, normal, hash) -> position`, [`NONE`] without one.
    find: u32,
    /// Links the entry at a position: `(block, hash, position)`.
    link: u32,
    /// Gives a map that is full a larger block: `(index) -> status`.
    grow: u32,
}

/// Adds the functions. Returns `map_get` and `map_insert`.
pub(crate) fn add(
    functions: &mut Functions,
    guest: &Guest,
    checks: Checks,
    (keys, allocs): (KeyFunctions, Allocs),
) -> Accessors {
    let at = selector(Kind::MAP);
    let mut maps = Maps { at, memory: memory_of(at), checks, keys, find: 0, link: 0, grow: 0 };
    maps.find = maps.add_find(functions, guest);
    maps.link = maps.add_link(functions, guest);
    maps.grow = maps.add_grow(functions, guest, allocs.table);
    maps.add_len(functions, guest);
    let set = maps.add_insert(functions, guest);
    Accessors { kind: Kind::MAP, name: "map", get: maps.add_get(functions, guest), set }
}

impl Maps {
    /// The address of the bucket whose number is in a local, in the index that begins at the
    /// address in another.
    fn bucket(self, a: &mut Asm<'_>, index: u32, bucket: u32) {
        a.get(bucket).scaled(self.memory, 2).get(index).sum(self.memory);
    }

    /// The address of the index of the table at the address in a local.
    fn index(self, a: &mut Asm<'_>, table: u32) {
        a.get(table).load_half(self.memory, START).scaled(self.memory, 3);
        a.get(table).sum(self.memory);
    }

    /// The address of the entry at a position, less the header.
    fn entry(self, a: &mut Asm<'_>, table: u32, position: u32) {
        a.get(position).scaled(self.memory, ENTRY).get(table).sum(self.memory);
    }

    /// Goes on to the next bucket.
    fn step(a: &mut Asm<'_>, bucket: u32, mask: u32) {
        a.get(bucket).int(1).i().i32_add();
        a.get(mask).i().i32_and();
        a.set(bucket);
    }

    fn add_find(self, functions: &mut Functions, guest: &Guest) -> u32 {
        let memory = self.memory;
        let place = guest.address(memory);
        let (table, normal, hash) = (0, 1, 2);
        let (mask, index, bucket, found, left, position) = (3, 4, 5, 6, 7, 8);
        let locals = [I32, place, I32, I32, I32, I32];
        functions.add(None, (&[place, I64, I32], &[I32]), &locals, guest, |a| {
            a.get(table).load_half(memory, MASK).tee(mask).set(left);
            self.index(a, table);
            a.set(index).get(hash).get(mask).i().i32_and();
            a.set(bucket);
            a.repeat(|a| {
                self.bucket(a, index, bucket);
                a.load_half(memory, 0).tee(found).i().i32_eqz().br_if(1);
                // The high bits of the hash are above those of the position.
                a.get(found).get(hash).i().i32_xor();
                a.get(mask).int(NONE).i().i32_xor().i32_and().i32_eqz();
                a.when(|a| {
                    a.get(found).get(mask).i().i32_and().i32_const(1).i32_sub();
                    a.set(position).get(normal);
                    self.entry(a, table, position);
                    a.load(memory, HEADER).call(self.keys.same);
                    a.when(|a| {
                        a.get(position).i().return_();
                    });
                });
                Maps::step(a, bucket, mask);
                a.get(left).get(left).int(1).i().i32_sub();
                a.set(left).i().br_if(0);
            });
            a.int(NONE);
        })
    }

    fn add_link(self, functions: &mut Functions, guest: &Guest) -> u32 {
        let memory = self.memory;
        let place = guest.address(memory);
        let (table, hash, position, mask, index, bucket, left) = (0, 1, 2, 3, 4, 5, 6);
        let locals = [I32, place, I32, I32];
        functions.add(None, (&[place, I32, I32], &[]), &locals, guest, |a| {
            a.get(table).load_half(memory, MASK).tee(mask).set(left);
            self.index(a, table);
            a.set(index).get(hash).get(mask).i().i32_and();
            a.set(bucket);
            a.repeat(|a| {
                self.bucket(a, index, bucket);
                a.load_half(memory, 0).i().i32_eqz().br_if(1);
                Maps::step(a, bucket, mask);
                a.get(left).get(left).int(1).i().i32_sub();
                a.set(left).i().br_if(0);
            });
            self.bucket(a, index, bucket);
            a.get(mask).int(NONE).i().i32_xor();
            a.get(hash).i().i32_and();
            a.get(position).int(1).i().i32_add().i32_or();
            a.store_half(memory, 0);
        })
    }

    /// The number of live entries.
    fn add_len(self, functions: &mut Functions, guest: &Guest) {
        let (slot, place) = (1, guest.address(slots_of(self.at)));
        functions.add(Some("map_len"), (&[I64], &[I32, I32]), &[place], guest, |a| {
            self.checks.check(a, self.at, (0, slot), &[I32]);
            a.get(slot).slot_field(self.at, SLOT_ROOM).int(CAP).i().i32_and().i32_eqz();
            a.when(|a| {
                a.leave(Status::Ok.code(), &[I32]);
            });
            a.int(Status::Ok.code());
            self.table(a, slot);
            a.load_half(self.memory, 0);
        });
    }

    /// The address of the table of the map whose slot is in a local.
    fn table(self, a: &mut Asm<'_>, slot: u32) {
        a.get(slot).slot_field(self.at, SLOT_OFF).scaled(self.memory, 3);
    }

    /// Leaves if the VM gives the hashes of the table at the address in a local.
    fn check_own(self, a: &mut Asm<'_>, table: u32) {
        a.get(table).load_half(self.memory, COUNTS).int(OWN).i().i32_and();
        a.when(|a| {
            a.leave(Status::OtherHash.code(), &[I64]);
        });
    }

    /// Computes what is normal of a key; leaves if it cannot be one.
    fn check_key(self, a: &mut Asm<'_>, key: u32, (normal, status): (u32, u32)) {
        a.get(key).call(self.keys.normal).set(normal).set(status);
        a.leave_unless_ok(status, &[I64]);
    }

    /// Whether a map has a block.
    fn has_block(self, a: &mut Asm<'_>, slot: u32) {
        a.get(slot).slot_field(self.at, SLOT_ROOM).int(CAP).i().i32_and();
    }

    /// `(map, key) -> (status, value)`.
    fn add_get(self, functions: &mut Functions, guest: &Guest) -> u32 {
        let (key, slot, table, normal, status, position) = (1, 2, 3, 4, 5, 6);
        let places = (guest.address(slots_of(self.at)), guest.address(self.memory));
        let locals = [places.0, places.1, I64, I32, I32];
        functions.add(Some("map_get"), (&[I64, I64], &[I32, I64]), &locals, guest, |a| {
            self.checks.check(a, self.at, (0, slot), &[I64]);
            self.has_block(a, slot);
            a.i().i32_eqz();
            a.when(|a| {
                self.check_key(a, key, (normal, status));
                a.leave(Status::None.code(), &[I64]);
            });
            self.table(a, slot);
            a.set(table);
            self.check_own(a, table);
            self.check_key(a, key, (normal, status));
            a.get(table).get(normal).get(normal).call(self.keys.hash).call(self.find);
            a.tee(position).int(NONE).i().i32_eq();
            a.when(|a| {
                a.leave(Status::None.code(), &[I64]);
            });
            a.int(Status::Ok.code());
            self.entry(a, table, position);
            a.load(self.memory, HEADER.wrapping_add(8));
        })
    }

    /// `(map, key, value) -> (status, replaced)`.
    fn add_insert(self, functions: &mut Functions, guest: &Guest) -> u32 {
        let memory = self.memory;
        let (key, value, slot, table, normal, status, position, hash) = (1, 2, 3, 4, 5, 6, 7, 8);
        let places = (guest.address(slots_of(self.at)), guest.address(memory));
        let locals = [places.0, places.1, I64, I32, I32, I32];
        let types: (&[ValType], &[ValType]) = (&[I64, I64, I64], &[I32, I64]);
        functions.add(Some("map_insert"), types, &locals, guest, |a| {
            self.checks.check(a, self.at, (0, slot), &[I64]);
            check_frozen(a, self.at, slot, &[I64]);
            self.has_block(a, slot);
            a.when(|a| {
                self.table(a, slot);
                a.set(table);
                self.check_own(a, table);
            });
            self.check_key(a, key, (normal, status));
            self.checks.check_value(a, value, &[I64]);
            a.get(normal).call(self.keys.hash).set(hash);
            self.has_block(a, slot);
            a.when(|a| {
                a.get(table).get(normal).get(hash).call(self.find);
                a.tee(position).int(NONE).i().i32_ne();
                a.when(|a| {
                    a.int(Status::Ok.code());
                    self.entry(a, table, position);
                    a.load(memory, HEADER.wrapping_add(8));
                    self.entry(a, table, position);
                    a.get(value).store(memory, HEADER.wrapping_add(8));
                    a.i().return_();
                });
            });
            self.reserve_position(a, (slot, table), (position, status));
            self.append(a, (key, value, normal), (table, hash, position));
            a.get(slot).get(position).int(1).i().i32_add();
            a.set_slot_field(self.at, SLOT_LEN);
            a.int(Status::None.code()).long(0);
        })
    }

    /// Finds the first position that is not used, in a larger block if there is none.
    fn reserve_position(
        self,
        a: &mut Asm<'_>,
        (slot, table): (u32, u32),
        (position, status): (u32, u32),
    ) {
        a.get(slot).slot_field(self.at, SLOT_LEN).set(position);
        self.has_block(a, slot);
        a.i().if_(wasm_encoder::BlockType::Result(I32));
        a.get(table).load_half(self.memory, COUNTS).int(POSITIONS).i().i32_and();
        a.i().else_();
        a.int(0).i().end();
        a.get(position).i().i32_le_u();
        a.when(|a| {
            a.get(slot).call(self.grow).set(status);
            a.leave_unless_ok(status, &[I64]);
            self.table(a, slot);
            a.set(table);
        });
    }

    /// Writes a new entry, and what the header counts.
    fn append(
        self,
        a: &mut Asm<'_>,
        (key, value, normal): (u32, u32, u32),
        (table, hash, position): (u32, u32, u32),
    ) {
        let memory = self.memory;
        self.entry(a, table, position);
        a.get(key).store(memory, HEADER);
        self.entry(a, table, position);
        a.get(value).store(memory, HEADER.wrapping_add(8));
        a.get(table).get(hash).get(position).call(self.link);
        a.get(table).get(table).load_half(memory, 0).int(1).i().i32_add();
        a.store_half(memory, 0);
        // An integer in an arena that would fit into a cell.
        a.bits(normal, 48, NONE.into()).long(TAG_INT).i().i64_eq();
        a.bits(key, 48, NONE.into()).long(TAG_HANDLE).i().i64_eq().i32_and();
        a.when(|a| {
            a.get(table).get(table).load_half(memory, COUNTS).int(BOXED).i().i32_or();
            a.store_half(memory, COUNTS);
        });
        a.get(table).load_half(memory, COUNTS).int(SEQUENCED).i().i32_and();
        a.when(|a| {
            a.get(table).load_half(memory, COUNTS).int(POSITIONS).i().i32_and();
            self.numbers(a, table);
            a.get(position).scaled(memory, 3).sum(memory);
            a.get(table).load(memory, NEXT).store(memory, HEADER);
        });
        a.get(table).get(table).load(memory, NEXT).long(1).i().i64_add();
        a.store(memory, NEXT);
    }

    /// The address of the numbers of entries, less the header, of a table with as many
    /// positions as the number on the stack.
    fn numbers(self, a: &mut Asm<'_>, table: u32) {
        Maps::entry_words(a);
        a.scaled(self.memory, 3).get(table).sum(self.memory);
    }

    /// The words of as many entries and their hashes as the number on the stack.
    fn entry_words(a: &mut Asm<'_>) {
        // Two cells, and half a word.
        a.int(5).i().i32_mul();
        a.int(1).i().i32_add();
        a.int(1).i().i32_shr_u();
    }

    /// Doubles the positions of a map. Entries keep their positions, also those of removed
    /// entries, so that nothing of their order or of cursors changes.
    fn add_grow(self, functions: &mut Functions, guest: &Guest, alloc: u32) -> u32 {
        let memory = self.memory;
        let (slot, counts, old, new, capacity, words, start, status, off, mask, used) =
            (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
        let place = guest.address(memory);
        let locals = [I32, place, place, I32, I32, I32, I32, I32, I32, I32, I32, I64, I64];
        let types: (&[ValType], &[ValType]) = (&[guest.address(slots_of(self.at))], &[I32]);
        functions.add(None, types, &locals, guest, |a| {
            a.get(slot).slot_field(self.at, SLOT_LEN).set(used);
            self.has_block(a, slot);
            a.when(|a| {
                self.table(a, slot);
                a.tee(old).load_half(memory, COUNTS).set(counts);
            });
            self.plan(a, counts, (capacity, start), (mask, words));
            a.get(capacity).int(POSITIONS).i().i32_gt_u();
            a.when(|a| {
                a.leave(Status::NoRoom.code(), &[]);
            });
            a.get(words).call(alloc).set(off).set(status);
            a.leave_unless_ok(status, &[]);
            a.get(off).scaled(memory, 3).set(new);
            self.has_block(a, slot);
            a.when(|a| {
                self.move_entries(a, (old, new), (counts, capacity), used);
            });
            a.get(new).get(counts).int(!(POSITIONS | DENSE)).i().i32_and();
            a.get(capacity).i().i32_or();
            a.store_half(memory, COUNTS);
            a.get(new).get(mask).store_half(memory, MASK);
            a.get(new).get(start).store_half(memory, START);
            self.link_all(a, new, (used, 11, 12, 13));
            a.get(slot).get(off).set_slot_field(self.at, SLOT_OFF);
            a.get(slot).get(words).set_slot_field(self.at, SLOT_ROOM);
            a.int(Status::Ok.code());
        })
    }

    /// Computes the layout of the larger table.
    fn plan(
        self,
        a: &mut Asm<'_>,
        counts: u32,
        (capacity, start): (u32, u32),
        (mask, words): (u32, u32),
    ) {
        a.get(counts).int(POSITIONS).i().i32_and().i32_const(1).i32_shl();
        a.tee(capacity).int(8).get(capacity).int(8).i().i32_gt_u().select();
        a.tee(capacity);
        Maps::entry_words(a);
        a.int(TABLE).i().i32_add();
        a.get(capacity).int(0).get(counts).int(SEQUENCED).i().i32_and().select().i32_add();
        a.set(start);
        // A power of two, of at least two buckets for a position.
        a.int(NONE).get(capacity).int(1).i().i32_shl().i32_const(1).i32_sub().i32_clz();
        a.i().i32_shr_u();
        a.tee(mask).int(1).i().i32_add().i32_const(1).i32_shr_u();
        a.get(start).i().i32_add();
        a.set(words);
    }

    /// Copies the header, the entries and their numbers to the larger table.
    fn move_entries(
        self,
        a: &mut Asm<'_>,
        (old, new): (u32, u32),
        (counts, capacity): (u32, u32),
        used: u32,
    ) {
        let memory = self.memory;
        a.get(new).get(old).get(used).scaled(memory, ENTRY).constant(memory, TABLE * 8).sum(memory);
        a.i().memory_copy(memory, memory);
        a.get(counts).int(SEQUENCED).i().i32_and();
        a.when(|a| {
            let header = TABLE * 8;
            a.get(capacity);
            self.numbers(a, new);
            a.constant(memory, header).sum(memory);
            a.get(counts).int(POSITIONS).i().i32_and();
            self.numbers(a, old);
            a.constant(memory, header).sum(memory);
            a.get(used).scaled(memory, 3);
            a.i().memory_copy(memory, memory);
        });
    }

    /// Links the entries of a table with an empty index.
    fn link_all(
        self,
        a: &mut Asm<'_>,
        table: u32,
        (used, position, key, normal): (u32, u32, u32, u32),
    ) {
        let memory = self.memory;
        a.repeat(|a| {
            a.get(position).get(used).i().i32_ge_u().br_if(1);
            self.entry(a, table, position);
            a.load(memory, HEADER).set(key);
            a.bits(key, 48, NONE.into()).long(TAG_HOLE).i().i64_ne();
            a.when(|a| {
                a.get(key).call(self.keys.normal).set(normal);
                a.i().i32_eqz();
                a.when(|a| {
                    a.get(table).get(normal).call(self.keys.hash);
                    a.get(position).call(self.link);
                });
            });
            a.get(position).int(1).i().i32_add();
            a.set(position).i().br(0);
        });
    }
}

/// A handle's tag is that of the keys of slots.
const _: () = assert!(KEY_HANDLE as u64 >> 16 == TAG_HANDLE);
