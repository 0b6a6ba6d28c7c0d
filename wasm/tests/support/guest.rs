//! A module in wasmtime.

use segheap::{Heap, Settings};
use wasmtime::{Config, Engine, Func, Instance, Memory, Module, Store, Val};

use super::calls::{Call, FUNCTIONS};

pub struct Guest {
    pub store: Store<()>,
    pub instance: Instance,
    functions: Vec<Func>,
    memories: Vec<Memory>,
}

/// An engine with what the modules need.
pub fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_multi_memory(true).wasm_memory64(true);
    // Sixteen gigabytes of addresses for each of seventeen memories are too many for some hosts.
    config.memory_reservation(1 << 32);
    Engine::new(&config).unwrap()
}

impl Guest {
    pub fn new(engine: &Engine, module: &[u8]) -> Guest {
        let module = Module::new(engine, module).unwrap();
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let function = |&(name, ..): &(&str, &str, &str)| instance.get_func(&mut store, name);
        let functions = FUNCTIONS.iter().map(function).collect::<Option<Vec<_>>>().unwrap();
        let memories = segheap_wasm::memory_names()
            .map(|name| instance.get_memory(&mut store, &name).unwrap())
            .collect();
        Guest { store, instance, functions, memories }
    }

    /// Calls a function. Returns the status and the second result, 0 if that does not count.
    pub fn call(&mut self, call: &Call) -> (u32, u64) {
        self.try_call(call).unwrap()
    }

    /// [`Guest::call`]; `None` if the guest traps.
    pub fn try_call(&mut self, call: &Call) -> Option<(u32, u64)> {
        let (_, parameters, results) = FUNCTIONS[call.function];
        let mut arguments = [Val::I32(0); 5];
        for ((to, &bits), of) in arguments.iter_mut().zip(&call.arguments).zip(parameters.bytes()) {
            *to = match of {
                b'i' => Val::I32((bits as u32).cast_signed()),
                b'f' => Val::F64(bits),
                _ => Val::I64(bits.cast_signed()),
            };
        }
        let mut found = [Val::I32(0); 2];
        let found = &mut found[..1 + results.len()];
        let function = &self.functions[call.function];
        function.call(&mut self.store, &arguments[..parameters.len()], found).ok()?;
        let word = |value: &Val| match *value {
            Val::I32(n) => n.cast_unsigned().into(),
            Val::I64(n) => n.cast_unsigned(),
            Val::F64(bits) => bits,
            _ => panic!("another type"),
        };
        let status = word(&found[0]) as u32;
        Some((status, if status == 0 && results.len() == 1 { word(&found[1]) } else { 0 }))
    }

    /// The number of a function for [`Guest::plain`].
    pub fn function(&self, name: &str) -> usize {
        FUNCTIONS.iter().position(|of| of.0 == name).unwrap()
    }

    /// Calls a function with these arguments.
    pub fn plain(&mut self, function: usize, given: &[u64]) -> (u32, u64) {
        let mut arguments = [0; 5];
        arguments[..given.len()].copy_from_slice(given);
        self.call(&Call { function, arguments, status: 0, result: 0 })
    }

    /// The bytes of all memories.
    pub fn memories(&self) -> Vec<Vec<u8>> {
        self.memories.iter().map(|memory| memory.data(&self.store).to_vec()).collect()
    }

    /// The heap in the memories.
    pub fn heap(&self) -> Result<Heap, segheap_wasm::FromModuleError> {
        let memories: Vec<&[u8]> =
            self.memories.iter().map(|memory| memory.data(&self.store)).collect();
        segheap_wasm::from_memories(&memories, Settings::seeded(99))
    }
}
