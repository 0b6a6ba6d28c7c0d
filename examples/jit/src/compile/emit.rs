//! The instructions of each function.

mod keep;

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, FuncRef, InstBuilder, MemFlagsData, Value, types};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::FunctionBuilder;
use segheap::abi::layout::{cell, slot};
use segheap::abi::{Base, Bases};

use super::Helpers;
use crate::vm::{Array, Vm, Work};

/// A function that is being compiled.
pub(super) struct Emit<'f> {
    builder: FunctionBuilder<'f>,
    array: Array,
    helpers: Helpers<FuncRef>,
    vm: Value,
    object: Value,
    operands: [Value; 2],
    /// Where the work is left to the VM.
    leave: Block,
}

/// An open object: the address of its slot.
#[derive(Clone, Copy)]
struct Slot(Value);

impl<'f> Emit<'f> {
    pub(super) fn new(
        mut builder: FunctionBuilder<'f>,
        array: Array,
        helpers: Helpers<FuncRef>,
    ) -> Emit<'f> {
        let (entry, leave) = (builder.create_block(), builder.create_block());
        builder.set_cold_block(leave);
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        let [vm, object, first, second] = *builder.block_params(entry) else {
            unreachable!("the signature has four parameters")
        };
        Emit { builder, array, helpers, vm, object, operands: [first, second], leave }
    }

    pub(super) fn finish(mut self, config: TargetFrontendConfig) {
        self.builder.switch_to_block(self.leave);
        let no = self.builder.ins().iconst(types::I64, 0);
        self.builder.ins().return_(&[no]);
        self.builder.seal_all_blocks();
        self.builder.finalize(config);
    }

    pub(super) fn work(&mut self, work: Work) {
        let [first, second] = self.operands;
        match work {
            Work::Get => {
                let element = self.get(self.object, first);
                self.done(element);
            }
            Work::Set => {
                self.set(first);
                let nothing = self.builder.ins().iconst(types::I64, 0);
                self.done(nothing);
            }
            Work::SumChecked => self.sum(|emit, index| {
                let slot = emit.open();
                emit.element(slot, index)
            }),
            Work::SumHinted => {
                let slot = self.open();
                let start = self.range(slot);
                self.sum(|emit, index| emit.indexed(start, index));
            }
            Work::FillChecked => self.fill(Emit::set),
            Work::FillHinted => {
                let slot = self.open_to_change();
                let start = self.range(slot);
                self.fill(|emit, index| {
                    let address = emit.indexed(start, index);
                    emit.store(second, address);
                });
            }
            Work::SumBulk => self.bulk(self.helpers.bulk_sum, false),
            Work::FillBulk => self.bulk(self.helpers.bulk_fill, true),
            Work::PushEach => self.keeping(|emit, _, address| {
                let element = emit.load(types::I64, address, 0);
                let array = emit.array();
                emit.call_or_leave(emit.helpers.push, &[emit.vm, array, second, element]);
            }),
            Work::CopyCollecting => self.copy_collecting(),
        }
    }

    fn load(&mut self, ty: types::Type, address: Value, offset: usize) -> Value {
        let offset = i32::try_from(offset).expect("an offset in a `Vm` or a slot");
        self.builder.ins().load(ty, MemFlagsData::trusted(), address, offset)
    }

    fn store(&mut self, value: Value, address: Value) {
        self.builder.ins().store(MemFlagsData::trusted(), value, address, 0);
    }

    /// Loads a field of the arena's base.
    fn base(&mut self, offset: usize) -> Value {
        let selector = usize::try_from(self.array.kind().selector()).expect("four bits");
        let arena = offset_of!(Bases, arenas) + selector * size_of::<Base>();
        self.load(types::I64, self.vm, offset_of!(Vm, bases) + arena + offset)
    }

    /// Loads a field of a slot, extended to a word.
    fn field(&mut self, Slot(address): Slot, offset: usize) -> Value {
        let field = self.load(types::I32, address, offset);
        self.builder.ins().uextend(types::I64, field)
    }

    /// Leaves the work to the VM if a comparison holds.
    fn leave_if(&mut self, compare: IntCC, a: Value, b: Value) {
        let next = self.builder.create_block();
        let holds = self.builder.ins().icmp(compare, a, b);
        self.builder.ins().brif(holds, self.leave, &[], next, &[]);
        self.builder.switch_to_block(next);
    }

    /// Opens the object to read: the slot of its handle, whose key has been compared.
    fn open(&mut self) -> Slot {
        self.open_other(self.object)
    }

    fn open_other(&mut self, object: Value) -> Slot {
        let mask = i64::try_from(cell::SLOT_MASK).expect("the low half");
        let index = self.builder.ins().band_imm_u(object, mask);
        let count = self.base(offset_of!(Base, slot_count));
        self.leave_if(IntCC::UnsignedGreaterThanOrEqual, index, count);
        let slots = self.base(offset_of!(Base, slots));
        let bytes = i64::try_from(slot::BYTES).expect("a few bytes");
        let offset = self.builder.ins().imul_imm_s(index, bytes);
        let found = Slot(self.builder.ins().iadd(slots, offset));
        let key = self.field(found, slot::KEY);
        let wanted = self.builder.ins().ushr_imm_s(object, i64::from(cell::KEY_SHIFT));
        self.leave_if(IntCC::NotEqual, key, wanted);
        found
    }

    /// Opens the object to store elements until the next safe point. A list is opened after the
    /// call of the barrier, which leaves a frozen one; a frozen array has flags.
    fn open_to_change(&mut self) -> Slot {
        if self.array == Array::List {
            self.call_or_leave(self.helpers.barrier, &[self.vm, self.object]);
            return self.open();
        }
        let slot = self.open();
        self.leave_if_flagged(slot);
        slot
    }

    fn leave_if_flagged(&mut self, slot: Slot) {
        let cap = self.field(slot, slot::CAP);
        let most = self.builder.ins().iconst(types::I64, i64::from(slot::CAP_MASK));
        self.leave_if(IntCC::UnsignedGreaterThan, cap, most);
    }

    /// Calls a function of the VM, and leaves the work if that returns 0.
    fn call_or_leave(&mut self, helper: FuncRef, arguments: &[Value]) {
        let call = self.builder.ins().call(helper, arguments);
        let done = self.builder.inst_results(call)[0];
        let no = self.builder.ins().iconst(types::I64, 0);
        self.leave_if(IntCC::Equal, done, no);
    }

    /// The number of the array's kind, for functions of the VM.
    fn array(&mut self) -> Value {
        self.builder.ins().iconst(types::I64, self.array as i64)
    }

    /// The address of the first element.
    fn first(&mut self, slot: Slot) -> Value {
        let off = self.field(slot, slot::OFF);
        let memory = self.base(offset_of!(Base, memory));
        self.indexed(memory, off)
    }

    /// The address of word `index` from an address on.
    fn indexed(&mut self, start: Value, index: Value) -> Value {
        let bytes = self.builder.ins().ishl_imm_s(index, 3);
        self.builder.ins().iadd(start, bytes)
    }

    /// The address of an element, whose index is checked.
    fn element(&mut self, slot: Slot, index: Value) -> Value {
        let len = self.field(slot, slot::LEN);
        self.leave_if(IntCC::UnsignedGreaterThanOrEqual, index, len);
        let first = self.first(slot);
        self.indexed(first, index)
    }

    /// The address of the first element, if there are as many as the first operand says: the proof
    /// of a range, before a loop over it.
    fn range(&mut self, slot: Slot) -> Value {
        let len = self.field(slot, slot::LEN);
        self.leave_if(IntCC::UnsignedGreaterThan, self.operands[0], len);
        self.first(slot)
    }

    /// A checked read.
    fn get(&mut self, object: Value, index: Value) -> Value {
        let slot = self.open_other(object);
        let address = self.element(slot, index);
        self.load(types::I64, address, 0)
    }

    /// A checked write of the second operand.
    fn set(&mut self, index: Value) {
        let slot = self.open_to_change();
        let address = self.element(slot, index);
        self.store(self.operands[1], address);
    }

    /// Returns a result.
    fn done(&mut self, result: Value) {
        let offset = i32::try_from(offset_of!(Vm, result)).expect("an offset in a `Vm`");
        self.builder.ins().store(MemFlagsData::trusted(), result, self.vm, offset);
        self.yes();
    }

    fn yes(&mut self) {
        let yes = self.builder.ins().iconst(types::I64, 1);
        self.builder.ins().return_(&[yes]);
    }

    /// A loop over the indices below the first operand, of which there is one at least, with a
    /// value that each turn changes.
    fn count(&mut self, start: Value, mut turn: impl FnMut(&mut Self, Value, Value) -> Value) {
        let zero = self.builder.ins().iconst(types::I64, 0);
        self.leave_if(IntCC::Equal, self.operands[0], zero);
        let (head, exit) = (self.builder.create_block(), self.builder.create_block());
        let ty = self.builder.func.dfg.value_type(start);
        let index = self.builder.append_block_param(head, types::I64);
        let value = self.builder.append_block_param(head, ty);
        self.builder.ins().jump(head, &[zero.into(), start.into()]);
        self.builder.switch_to_block(head);
        let next_value = turn(self, index, value);
        let next = self.builder.ins().iadd_imm_s(index, 1);
        let goes_on = self.builder.ins().icmp(IntCC::UnsignedLessThan, next, self.operands[0]);
        self.builder.ins().brif(goes_on, head, &[next.into(), next_value.into()], exit, &[]);
        self.builder.switch_to_block(exit);
        let bits = match ty {
            types::F64 => self.builder.ins().bitcast(types::I64, MemFlagsData::new(), next_value),
            _ => next_value,
        };
        self.done(bits);
    }

    /// The sum of the elements, whose addresses `element` finds.
    fn sum(&mut self, mut element: impl FnMut(&mut Self, Value) -> Value) {
        let array = self.array;
        let start = match array {
            Array::Floats => self.builder.ins().f64const(0.0),
            Array::Ints | Array::List => self.builder.ins().iconst(types::I64, 0),
        };
        self.count(start, |emit, index, sum| {
            let address = element(emit, index);
            match array {
                Array::Floats => {
                    let number = emit.load(types::F64, address, 0);
                    emit.builder.ins().fadd(sum, number)
                }
                Array::Ints => {
                    let number = emit.load(types::I64, address, 0);
                    emit.builder.ins().iadd(sum, number)
                }
                Array::List => {
                    let bits = emit.load(types::I64, address, 0);
                    let number = emit.int(bits);
                    emit.builder.ins().iadd(sum, number)
                }
            }
        });
    }

    /// The integer in a cell.
    fn int(&mut self, bits: Value) -> Value {
        let tag = self.builder.ins().ushr_imm_s(bits, i64::from(cell::TAG_SHIFT));
        let int = i64::try_from(cell::INT).expect("16 bits");
        let wanted = self.builder.ins().iconst(types::I64, int);
        self.leave_if(IntCC::NotEqual, tag, wanted);
        let shift = i64::from(u64::BITS - cell::TAG_SHIFT);
        let high = self.builder.ins().ishl_imm_s(bits, shift);
        self.builder.ins().sshr_imm_s(high, shift)
    }

    /// Writes the elements by `set`.
    fn fill(&mut self, mut set: impl FnMut(&mut Self, Value)) {
        let nothing = self.builder.ins().iconst(types::I64, 0);
        self.count(nothing, |emit, index, nothing| {
            set(emit, index);
            nothing
        });
    }

    /// Calls the bulk operation, which has set the result.
    fn bulk(&mut self, helper: FuncRef, has_value: bool) {
        let array = self.array();
        let [count, value] = self.operands;
        let mut arguments = vec![self.vm, array, self.object, count];
        arguments.extend(has_value.then_some(value));
        let call = self.builder.ins().call(helper, &arguments);
        let done = self.builder.inst_results(call)[0];
        self.builder.ins().return_(&[done]);
    }
}
