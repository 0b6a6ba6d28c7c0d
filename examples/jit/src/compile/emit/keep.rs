//! Loops that keep addresses in registers while they call functions that use the heap.

use std::array::from_fn;
use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use segheap::abi::{Base, Bases};

use super::Emit;
use crate::vm::{Array, Vm};

/// What a loop keeps of its object: the address of its first element, and the numbers that say
/// how long that holds.
type Kept = [Value; 3];

impl Emit<'_> {
    /// The number that changes when memory moves.
    fn moves(&mut self) -> Value {
        self.load(types::I64, self.vm, offset_of!(Vm, bases) + offset_of!(Bases, moves))
    }

    /// Opens the object for as many elements as the first operand says.
    fn keep(&mut self, is_changed: bool) -> Kept {
        let slot = self.open();
        // The barrier tells for each store in a list.
        if is_changed && self.array != Array::List {
            self.leave_if_flagged(slot);
        }
        let (first, moves) = (self.range(slot), self.moves());
        let epoch = self.base(offset_of!(Base, epoch));
        let none = self.builder.ins().iconst(types::I64, 0);
        self.leave_if(IntCC::Equal, epoch, none);
        [first, moves, epoch]
    }

    /// A loop over the indices below the first operand whose turns, given an index and the
    /// address of its element, call functions that use the heap.
    pub(super) fn keeping(&mut self, turn: impl FnOnce(&mut Self, Value, Value)) {
        self.keeping_after(
            false,
            |_, index| index,
            |emit, index, address, _| {
                turn(emit, index, address);
            },
        );
    }

    /// Such a loop, which copies from the object that the second operand is, and has a safe point
    /// after each store.
    pub(super) fn copy_collecting(&mut self) {
        let (from, helpers) = (self.operands[1], self.helpers);
        let before = |emit: &mut Self, index| {
            let element = emit.get(from, index);
            // After each safe point: the collector may have scanned the object since.
            if emit.array == Array::List {
                emit.call_or_leave(helpers.barrier, &[emit.vm, emit.object]);
            }
            element
        };
        self.keeping_after(true, before, |emit, index, address, element| {
            emit.store(element, address);
            emit.builder.ins().call(helpers.safe_point, &[emit.vm, index]);
        });
    }

    /// `before` may call functions as well; what it returns is given to `turn`.
    fn keeping_after(
        &mut self,
        is_changed: bool,
        before: impl FnOnce(&mut Self, Value) -> Value,
        turn: impl FnOnce(&mut Self, Value, Value, Value),
    ) {
        let zero = self.builder.ins().iconst(types::I64, 0);
        self.leave_if(IntCC::Equal, self.operands[0], zero);
        let [head, same_memory, renew, body, exit] = from_fn(|_| self.builder.create_block());
        self.builder.set_cold_block(renew);
        let index = self.builder.append_block_param(head, types::I64);
        let kept: Kept = from_fn(|_| self.builder.append_block_param(head, types::I64));
        let valid: Kept = from_fn(|_| self.builder.append_block_param(body, types::I64));
        let [first, moves, epoch] = self.keep(is_changed).map(Into::into);
        self.builder.ins().jump(head, &[zero.into(), first, moves, epoch]);

        self.builder.switch_to_block(head);
        let value = before(self, index);
        let [_, moves, epoch] = kept;
        let now = self.moves();
        let has_moved = self.builder.ins().icmp(IntCC::NotEqual, now, moves);
        self.builder.ins().brif(has_moved, renew, &[], same_memory, &[]);
        self.builder.switch_to_block(same_memory);
        let now = self.base(offset_of!(Base, epoch));
        let is_other = self.builder.ins().icmp(IntCC::NotEqual, now, epoch);
        self.builder.ins().brif(is_other, renew, &[], body, &kept.map(Into::into));
        self.builder.switch_to_block(renew);
        let renewed = self.keep(is_changed);
        self.builder.ins().jump(body, &renewed.map(Into::into));

        self.builder.switch_to_block(body);
        let address = self.indexed(valid[0], index);
        turn(self, index, address, value);
        let next = self.builder.ins().iadd_imm_s(index, 1);
        let goes_on = self.builder.ins().icmp(IntCC::UnsignedLessThan, next, self.operands[0]);
        let [first, moves, epoch] = valid.map(Into::into);
        self.builder.ins().brif(goes_on, head, &[next.into(), first, moves, epoch], exit, &[]);
        self.builder.switch_to_block(exit);
        self.done(zero);
    }
}
