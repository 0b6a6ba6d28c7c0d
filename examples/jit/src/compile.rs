//! The accessors as machine code.

mod emit;

use cranelift_codegen::Context;
use cranelift_codegen::ir::{AbiParam, FuncRef, Signature, types};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, ModuleError, default_libcall_names};

use crate::vm::{Array, Vm, Work, barrier, bulk_fill, bulk_sum, push, safe_point};
use emit::Emit;

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

/// The functions of the VM that compiled code calls; all of them take words and return one.
#[derive(Clone, Copy)]
struct Helpers<F> {
    barrier: F,
    bulk_sum: F,
    bulk_fill: F,
    push: F,
    safe_point: F,
}

impl<F> Helpers<F> {
    fn map<G>(self, mut map: impl FnMut(F) -> G) -> Helpers<G> {
        Helpers {
            barrier: map(self.barrier),
            bulk_sum: map(self.bulk_sum),
            bulk_fill: map(self.bulk_fill),
            push: map(self.push),
            safe_point: map(self.safe_point),
        }
    }
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
        builder.symbol("push", push as *const u8);
        builder.symbol("safe_point", safe_point as *const u8);
        let mut module = JITModule::new(builder);
        let helpers = Helpers {
            barrier: declare(&mut module, "barrier", 2)?,
            bulk_sum: declare(&mut module, "bulk_sum", 4)?,
            bulk_fill: declare(&mut module, "bulk_fill", 5)?,
            push: declare(&mut module, "push", 4)?,
            safe_point: declare(&mut module, "safe_point", 2)?,
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
    helpers: Helpers<FuncId>,
    array: Array,
    work: Work,
) -> Result<FuncId, Box<ModuleError>> {
    context.func.signature = signature(module, 4);
    let name = format!("{array:?}_{work:?}");
    let id = module.declare_function(&name, Linkage::Local, &context.func.signature);
    let id = id.map_err(Box::new)?;
    let helpers: Helpers<FuncRef> =
        helpers.map(|helper| module.declare_func_in_func(helper, &mut context.func));
    let mut frame = FunctionBuilderContext::new();
    let mut emit = Emit::new(FunctionBuilder::new(&mut context.func, &mut frame), array, helpers);
    emit.work(work);
    emit.finish(module.target_config());
    module.define_function(id, context).map_err(Box::new)?;
    module.clear_context(context);
    Ok(id)
}
