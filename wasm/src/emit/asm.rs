//! Writing functions: the module under construction, and an assembler that knows how wide
//! the addresses of each memory are.

use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, InstructionSink,
    MemArg, MemArgTarget, TypeSection, ValType,
};

use crate::layout::{STATE, state};

/// What the guest's code depends on.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// Whether addresses of each memory have 64 bits.
    pub(crate) wide: Vec<bool>,
    /// For each selector, the first byte of its slots, and how many there are if the guest
    /// adds none.
    pub(crate) slots: [(u64, u32); 16],
    /// For each selector, the seed of the generations.
    pub(crate) seeds: [u32; 16],
    /// The numbers that hashes depend on.
    pub(crate) hash: (u64, u64),
}

impl Guest {
    /// The type of an address in a memory.
    pub(crate) fn address(&self, memory: u32) -> ValType {
        if self.is_wide(memory) { ValType::I64 } else { ValType::I32 }
    }

    pub(crate) fn is_wide(&self, memory: u32) -> bool {
        usize::try_from(memory).ok().and_then(|memory| self.wide.get(memory)).is_some_and(|&is| is)
    }
}

/// The functions of a module.
#[derive(Default)]
pub(crate) struct Functions {
    pub(crate) types: TypeSection,
    pub(crate) functions: FunctionSection,
    pub(crate) exports: ExportSection,
    pub(crate) code: CodeSection,
}

impl Functions {
    /// Adds a function with these parameters and results, and further locals, which is
    /// exported if it has a name. Returns its number.
    pub(crate) fn add(
        &mut self,
        name: Option<&str>,
        (parameters, results): (&[ValType], &[ValType]),
        locals: &[ValType],
        guest: &Guest,
        body: impl FnOnce(&mut Asm<'_>),
    ) -> u32 {
        let number = self.functions.len();
        let of = self.types.len();
        self.types.ty().function(parameters.iter().copied(), results.iter().copied());
        self.functions.function(of);
        let mut asm =
            Asm { guest, function: Function::new_with_locals_types(locals.iter().copied()) };
        body(&mut asm);
        asm.i().end();
        self.code.function(&asm.function);
        if let Some(name) = name {
            self.exports.export(name, ExportKind::Func, number);
        }
        number
    }
}

/// An access to a memory, aligned to 2^`align` bytes.
pub(crate) const fn argument(memory: u32, offset: u64, align: u32) -> MemArg {
    MemArg { offset, align, target: MemArgTarget::Memory(memory), ordering: None }
}

/// The code of one function.
pub(crate) struct Asm<'g> {
    pub(crate) guest: &'g Guest,
    function: Function,
}

impl Asm<'_> {
    /// Plain instructions.
    pub(crate) fn i(&mut self) -> InstructionSink<'_> {
        self.function.instructions()
    }

    pub(crate) fn get(&mut self, local: u32) -> &mut Self {
        self.i().local_get(local);
        self
    }

    pub(crate) fn set(&mut self, local: u32) -> &mut Self {
        self.i().local_set(local);
        self
    }

    pub(crate) fn tee(&mut self, local: u32) -> &mut Self {
        self.i().local_tee(local);
        self
    }

    pub(crate) fn int(&mut self, value: u32) -> &mut Self {
        self.i().i32_const(value.cast_signed());
        self
    }

    pub(crate) fn long(&mut self, value: u64) -> &mut Self {
        self.i().i64_const(value.cast_signed());
        self
    }

    pub(crate) fn call(&mut self, function: u32) -> &mut Self {
        self.i().call(function);
        self
    }

    /// Code that runs if the number on the stack is not 0.
    pub(crate) fn when(&mut self, then: impl FnOnce(&mut Self)) -> &mut Self {
        self.i().if_(BlockType::Empty);
        then(self);
        self.i().end();
        self
    }

    /// Code that runs again when it branches to label 0, in a block that it leaves by label 1.
    pub(crate) fn repeat(&mut self, body: impl FnOnce(&mut Self)) -> &mut Self {
        self.i().block(BlockType::Empty).loop_(BlockType::Empty);
        body(self);
        self.i().end().end();
        self
    }

    /// Returns a number and zeros of these types after it.
    pub(crate) fn leave(&mut self, status: u32, rest: &[ValType]) -> &mut Self {
        self.int(status).zeros(rest);
        self.i().return_();
        self
    }

    /// Returns the number in a local, and zeros after it, if it is not 0.
    pub(crate) fn leave_unless_ok(&mut self, status: u32, rest: &[ValType]) -> &mut Self {
        self.get(status).when(|a| {
            a.get(status).zeros(rest);
            a.i().return_();
        })
    }

    pub(crate) fn zeros(&mut self, types: &[ValType]) -> &mut Self {
        for of in types {
            match of {
                ValType::I64 => self.i().i64_const(0),
                ValType::F64 => self.i().f64_const(0.0.into()),
                _ => self.i().i32_const(0),
            };
        }
        self
    }

    /// The high half of a local of 64 bits.
    pub(crate) fn high(&mut self, local: u32) -> &mut Self {
        self.get(local).long(32);
        self.i().i64_shr_u().i32_wrap_i64();
        self
    }

    /// The bits of a local of 64 bits from one on, masked.
    pub(crate) fn bits(&mut self, local: u32, from: u64, mask: u64) -> &mut Self {
        self.get(local).long(from);
        self.i().i64_shr_u();
        self.long(mask);
        self.i().i64_and();
        self
    }

    /// Makes an address in bytes of a number of 32 bits that counts units of 2^`shift` bytes.
    pub(crate) fn scaled(&mut self, memory: u32, shift: u32) -> &mut Self {
        if self.guest.is_wide(memory) {
            self.i().i64_extend_i32_u();
            self.long(shift.into());
            self.i().i64_shl();
        } else {
            self.int(shift);
            self.i().i32_shl();
        }
        self
    }

    /// Adds two addresses.
    pub(crate) fn sum(&mut self, memory: u32) -> &mut Self {
        if self.guest.is_wide(memory) {
            self.i().i64_add();
        } else {
            self.i().i32_add();
        }
        self
    }

    /// A constant address.
    pub(crate) fn constant(&mut self, memory: u32, value: u32) -> &mut Self {
        if self.guest.is_wide(memory) { self.long(value.into()) } else { self.int(value) }
    }

    pub(crate) fn load(&mut self, memory: u32, offset: u64) -> &mut Self {
        self.i().i64_load(argument(memory, offset, 3));
        self
    }

    pub(crate) fn store(&mut self, memory: u32, offset: u64) -> &mut Self {
        self.i().i64_store(argument(memory, offset, 3));
        self
    }

    pub(crate) fn load_half(&mut self, memory: u32, offset: u64) -> &mut Self {
        self.i().i32_load(argument(memory, offset, 2));
        self
    }

    pub(crate) fn store_half(&mut self, memory: u32, offset: u64) -> &mut Self {
        self.i().i32_store(argument(memory, offset, 2));
        self
    }

    /// The low half of a word of the state about an arena.
    pub(crate) fn state(&mut self, selector: u64, field: u64) -> &mut Self {
        self.constant(STATE, 0).load_half(STATE, state(selector, field).wrapping_mul(8))
    }

    /// Stores the number that `value` puts on the stack in the low half of a word of the state.
    pub(crate) fn set_state(
        &mut self,
        selector: u64,
        field: u64,
        value: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.constant(STATE, 0);
        value(self);
        self.store_half(STATE, state(selector, field).wrapping_mul(8))
    }
}
