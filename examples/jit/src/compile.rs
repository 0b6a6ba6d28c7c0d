//! The accessors as machine code.

use std::mem::offset_of;

use cranelift_codegen::Context;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, FuncRef, InstBuilder, MemFlagsData, Signature, Value, types,
};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, ModuleError, default_libcall_names};
use segheap::abi::layout::{cell, slot};
use segheap::abi::{Base, Bases};

use crate::vm::{Array, Vm, Work, barrier, bulk_fill, bulk_sum};

/// A compiled function: an object and two operands; 0 if the work is left to the VM.
type Compiled = unsafe extern "C" fn(vm: *mut Vm, object: u64, first: u64, second: u64) -> u64;

/// The compiled functions, and the memory that they lie in.
pub struct Code {
    module: Option<JITModule>,
    functions: Vec<(Array, Work, Compiled)>,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code of {} functions", self.functions.len())
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: functions are called by `run` alone, which borrows this.
            unsafe { module.free_memory() };
        }
    }
}

/// The functions of the VM that compiled code calls, in the order of their declaration.
#[derive(Clone, Copy)]
struct Helpers {
    barrier: FuncId,
    bulk_sum: FuncId,
    bulk_fill: FuncId,
}

impl Code {
    /// Compiles functions of all kinds for all work.
    ///
    /// # Errors
    /// Those of Cranelift, such as for a host that it has no machine code for.
    pub fn new() -> Result<Code, Box<dyn std::error::Error>> {
        let all = Array::ALL.into_iter().flat_map(|array| Work::ALL.map(|work| (array, work)));
        Code::of(all)
    }

    /// Compiles these functions.
    ///
    /// # Errors
    /// As [`Code::new`].
    pub fn of(
        wanted: impl IntoIterator<Item = (Array, Work)>,
    ) -> Result<Code, Box<dyn std::error::Error>> {
        if size_of::<usize>() != size_of::<u64>() {
            return Err("compiled code has addresses of 64 bits".into());
        }
        let mut flags = settings::builder();
        flags.set("opt_level", "speed")?;
        let isa = cranelift_native::builder()?.finish(settings::Flags::new(flags))?;
        let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
        builder.symbol("barrier", barrier as *const u8);
        builder.symbol("bulk_sum", bulk_sum as *const u8);
        builder.symbol("bulk_fill", bulk_fill as *const u8);
        let mut module = JITModule::new(builder);
        let helpers = Helpers {
            barrier: declare(&mut module, "barrier", 2)?,
            bulk_sum: declare(&mut module, "bulk_sum", 4)?,
            bulk_fill: declare(&mut module, "bulk_fill", 5)?,
        };
        let (mut context, mut ids) = (module.make_context(), Vec::new());
        for (array, work) in wanted {
            let id = define(&mut module, &mut context, helpers, array, work)?;
            ids.push((array, work, id));
        }
        module.finalize_definitions()?;
        let functions = ids.into_iter().map(|(array, work, id)| {
            let code = module.get_finalized_function(id);
            // SAFETY: `define` gave the function this signature, in the calling convention of C.
            (array, work, unsafe { std::mem::transmute::<*const u8, Compiled>(code) })
        });
        Ok(Code { functions: functions.collect(), module: Some(module) })
    }

    /// Runs a compiled function, as [`Vm::run_plainly`].
    pub fn run(
        &self,
        vm: &mut Vm,
        array: Array,
        work: Work,
        object: u64,
        operands: [u64; 2],
    ) -> Option<u64> {
        let found = self.functions.iter().find(|&&(a, w, _)| (a, w) == (array, work));
        let &(_, _, function) = found?;
        // SAFETY: the machine code takes the steps of `run_plainly`, and like it relies on nothing
        // but that the bases of the `Vm` are those of its heap; it lives as long as `self`.
        let done = unsafe { function(vm, object, operands[0], operands[1]) };
        (done != 0).then_some(vm.result)
    }
}

/// The signature of functions that take this many words and return one.
fn signature(module: &JITModule, words: usize) -> Signature {
    let mut signature = module.make_signature();
    signature.params.extend((0..words).map(|_| AbiParam::new(types::I64)));
    signature.returns.push(AbiParam::new(types::I64));
    signature
}

fn declare(module: &mut JITModule, name: &str, words: usize) -> Result<FuncId, Box<ModuleError>> {
    let signature = signature(module, words);
    module.declare_function(name, Linkage::Import, &signature).map_err(Box::new)
}

fn define(
    module: &mut JITModule,
    context: &mut Context,
    helpers: Helpers,
    array: Array,
    work: Work,
) -> Result<FuncId, Box<ModuleError>> {
    context.func.signature = signature(module, 4);
    let name = format!("{array:?}_{work:?}");
    let id = module.declare_function(&name, Linkage::Local, &context.func.signature);
    let id = id.map_err(Box::new)?;
    let barrier = module.declare_func_in_func(helpers.barrier, &mut context.func);
    let helper = match work {
        Work::SumBulk => helpers.bulk_sum,
        _ => helpers.bulk_fill,
    };
    let bulk = module.declare_func_in_func(helper, &mut context.func);
    let mut frame = FunctionBuilderContext::new();
    let mut emit = Emit::new(FunctionBuilder::new(&mut context.func, &mut frame), array, barrier);
    emit.work(work, bulk);
    emit.finish(module.target_config());
    module.define_function(id, context).map_err(Box::new)?;
    module.clear_context(context);
    Ok(id)
}

/// A function that is being compiled.
struct Emit<'f> {
    builder: FunctionBuilder<'f>,
    array: Array,
    barrier: FuncRef,
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
    fn new(mut builder: FunctionBuilder<'f>, array: Array, barrier: FuncRef) -> Emit<'f> {
        let (entry, leave) = (builder.create_block(), builder.create_block());
        builder.set_cold_block(leave);
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        let [vm, object, first, second] = *builder.block_params(entry) else {
            unreachable!("the signature has four parameters")
        };
        Emit { builder, array, barrier, vm, object, operands: [first, second], leave }
    }

    fn finish(mut self, config: TargetFrontendConfig) {
        self.builder.switch_to_block(self.leave);
        let no = self.builder.ins().iconst(types::I64, 0);
        self.builder.ins().return_(&[no]);
        self.builder.seal_all_blocks();
        self.builder.finalize(config);
    }

    fn work(&mut self, work: Work, bulk: FuncRef) {
        let [first, second] = self.operands;
        match work {
            Work::Get => {
                let slot = self.open();
                let address = self.element(slot, first);
                let element = self.load(types::I64, address, 0);
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
            Work::SumBulk | Work::FillBulk => self.bulk(bulk, work == Work::FillBulk),
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
        let mask = i64::try_from(cell::SLOT_MASK).expect("the low half");
        let index = self.builder.ins().band_imm_u(self.object, mask);
        let count = self.base(offset_of!(Base, slot_count));
        self.leave_if(IntCC::UnsignedGreaterThanOrEqual, index, count);
        let slots = self.base(offset_of!(Base, slots));
        let bytes = i64::try_from(slot::BYTES).expect("a few bytes");
        let offset = self.builder.ins().imul_imm_s(index, bytes);
        let found = Slot(self.builder.ins().iadd(slots, offset));
        let key = self.field(found, slot::KEY);
        let wanted = self.builder.ins().ushr_imm_s(self.object, i64::from(cell::KEY_SHIFT));
        self.leave_if(IntCC::NotEqual, key, wanted);
        found
    }

    /// Opens the object to store elements until the next safe point. A list is opened after the
    /// call of the barrier, which leaves a frozen one; a frozen array has flags.
    fn open_to_change(&mut self) -> Slot {
        if self.array == Array::List {
            let call = self.builder.ins().call(self.barrier, &[self.vm, self.object]);
            let may = self.builder.inst_results(call)[0];
            let no = self.builder.ins().iconst(types::I64, 0);
            self.leave_if(IntCC::Equal, may, no);
            return self.open();
        }
        let slot = self.open();
        let cap = self.field(slot, slot::CAP);
        let most = self.builder.ins().iconst(types::I64, i64::from(slot::CAP_MASK));
        self.leave_if(IntCC::UnsignedGreaterThan, cap, most);
        slot
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
        let array = self.builder.ins().iconst(types::I64, self.array as i64);
        let [count, value] = self.operands;
        let mut arguments = vec![self.vm, array, self.object, count];
        arguments.extend(has_value.then_some(value));
        let call = self.builder.ins().call(helper, &arguments);
        let done = self.builder.inst_results(call)[0];
        self.builder.ins().return_(&[done]);
    }
}
