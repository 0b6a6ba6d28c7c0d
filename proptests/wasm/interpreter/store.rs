//! Linking, instantiation and calls.

use std::collections::{HashMap, HashSet};

use segheap::memory::{IndexType, Memory, MemoryType};
use wasmparser::{ConstExpr, ExternalKind, FuncType, GlobalType, Operator, TypeRef, ValType};

use super::module::{Module, Segment, memory_type};
use super::numeric::{Slot, numeric};
use super::{Stop, name, unsupported};

/// An importable entity, as an index into the [`Store`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extern {
    Function(usize),
    Table(usize),
    Memory(usize),
    Global(usize),
}

pub(super) enum Function {
    /// Ignores its arguments and returns nothing.
    Host(FuncType),
    Wasm {
        ty: FuncType,
        instance: usize,
        code: usize,
    },
}

impl Function {
    pub(super) fn ty(&self) -> &FuncType {
        match self {
            Function::Host(ty) | Function::Wasm { ty, .. } => ty,
        }
    }
}

pub(super) struct Instance {
    pub(super) module: Module,
    pub(super) functions: Vec<usize>,
    pub(super) tables: Vec<usize>,
    pub(super) memories: Vec<usize>,
    pub(super) globals: Vec<usize>,
    /// The data segments; a dropped one is empty.
    pub(super) data: Vec<&'static [u8]>,
    pub(super) exports: HashMap<String, Extern>,
}

pub(super) struct Table {
    pub(super) entries: Vec<Option<usize>>,
    pub(super) max: Option<u64>,
}

/// The indices of the entities of an instance: its imports, then its own.
#[derive(Default)]
struct Links {
    pub(super) functions: Vec<usize>,
    pub(super) tables: Vec<usize>,
    pub(super) memories: Vec<usize>,
    pub(super) globals: Vec<usize>,
}

impl Links {
    fn exports(&self, module: &Module) -> Result<HashMap<String, Extern>, Stop> {
        let mut exports = HashMap::new();
        for (name, kind, index) in &module.exports {
            let entity = match kind {
                ExternalKind::Func => Extern::Function(self.functions[*index]),
                ExternalKind::Table => Extern::Table(self.tables[*index]),
                ExternalKind::Memory => Extern::Memory(self.memories[*index]),
                ExternalKind::Global => Extern::Global(self.globals[*index]),
                ExternalKind::Tag => return Err(unsupported("tags")),
            };
            exports.insert(name.clone(), entity);
        }
        Ok(exports)
    }
}

/// The functions, tables, memories and globals of all instances.
pub(crate) struct Store {
    pub(super) functions: Vec<Function>,
    pub(super) tables: Vec<Table>,
    pub(super) memories: Vec<Memory>,
    pub(super) globals: Vec<(GlobalType, u64)>,
    pub(super) instances: Vec<Instance>,
    pub(super) names: HashMap<String, HashMap<String, Extern>>,
    /// Names of modules that are out of scope.
    pub(super) missing: HashSet<String>,
    /// Makes every memory a memory64, whatever its declared type.
    pub(super) widened: bool,
    pub(super) depth: usize,
}

/// The depth of nested calls at which a call traps.
const DEPTH: usize = 128;

impl Store {
    /// A store with the `spectest` module that the official tests import from.
    pub(crate) fn new(widened: bool) -> Store {
        use ValType::{F32, F64, I32, I64};
        let mut store = Store {
            functions: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            instances: Vec::new(),
            names: HashMap::new(),
            missing: HashSet::new(),
            widened,
            depth: 0,
        };
        let mut names = HashMap::new();
        let functions: [(&str, &[ValType]); 7] = [
            ("print", &[]),
            ("print_i32", &[I32]),
            ("print_i64", &[I64]),
            ("print_f32", &[F32]),
            ("print_f64", &[F64]),
            ("print_i32_f32", &[I32, F32]),
            ("print_f64_f64", &[F64, F64]),
        ];
        for (name, params) in functions {
            names.insert(name.to_owned(), Extern::Function(store.functions.len()));
            store.functions.push(Function::Host(FuncType::new(params.iter().copied(), [])));
        }
        let globals = [
            ("global_i32", I32, 666),
            ("global_i64", I64, 666),
            ("global_f32", F32, 666.6_f32.slot()),
            ("global_f64", F64, 666.6_f64.slot()),
        ];
        for (name, content_type, value) in globals {
            names.insert(name.to_owned(), Extern::Global(store.globals.len()));
            let ty = GlobalType { content_type, mutable: false, shared: false };
            store.globals.push((ty, value));
        }
        names.insert("table".to_owned(), Extern::Table(0));
        store.tables.push(Table { entries: vec![None; 10], max: Some(20) });
        names.insert("memory".to_owned(), Extern::Memory(0));
        let ty = MemoryType::new(IndexType::I32, 1, Some(2));
        store.memories.push(store.memory(ty).unwrap());
        store.names.insert("spectest".to_owned(), names);
        store
    }

    /// Makes a memory, and checks that it agrees with its type.
    fn memory(&self, mut ty: MemoryType) -> Result<Memory, Stop> {
        if self.widened {
            ty.index = IndexType::I64;
        }
        let memory = Memory::new(ty).ok_or_else(|| Stop::Broken(format!("no memory of {ty:?}")))?;
        let zeroed = memory.bytes() == vec![0; memory.bytes().len()];
        if memory.ty() != ty || memory.size() != ty.min || !zeroed {
            return Err(Stop::Broken(format!("{memory:?} is not a new memory of {ty:?}")));
        }
        Ok(memory)
    }

    /// Registers the exports of `instance` under `name`.
    pub(crate) fn register(&mut self, name: &str, instance: usize) {
        self.names.insert(name.to_owned(), self.instances[instance].exports.clone());
    }

    /// Declares imports from `name` out of scope.
    pub(crate) fn register_missing(&mut self, name: &str) {
        self.missing.insert(name.to_owned());
    }

    /// Whether an entity may be imported as this type.
    fn matches(&self, module: &Module, expected: TypeRef, given: Extern) -> Result<bool, Stop> {
        Ok(match (expected, given) {
            (TypeRef::Func(ty), Extern::Function(n)) => module.ty(ty)? == self.functions[n].ty(),
            (TypeRef::Global(ty), Extern::Global(n)) => ty == self.globals[n].0,
            (TypeRef::Table(ty), Extern::Table(n)) => {
                let table = &self.tables[n];
                table.entries.len() as u64 >= ty.initial && within(table.max, ty.maximum)
            }
            (TypeRef::Memory(ty), Extern::Memory(n)) => {
                let (memory, expected) = (&self.memories[n], memory_type(ty));
                (self.widened || memory.ty().index == expected.index)
                    && memory.size() >= expected.min
                    && within(memory.ty().max, expected.max)
            }
            (TypeRef::Tag(_), _) => return Err(unsupported("tags")),
            _ => false,
        })
    }

    /// Resolves the imports of a module.
    fn link(&self, module: &Module) -> Result<Links, Stop> {
        let mut links = Links::default();
        for (from, name, expected) in &module.imports {
            if self.missing.contains(from) {
                return Err(unsupported("imports from a skipped module"));
            }
            let given = self.names.get(from).and_then(|names| names.get(name));
            let given = *given.ok_or(Stop::Unlinkable("unknown import"))?;
            if !self.matches(module, *expected, given)? {
                return Err(Stop::Unlinkable("incompatible import type"));
            }
            match given {
                Extern::Function(n) => links.functions.push(n),
                Extern::Table(n) => links.tables.push(n),
                Extern::Memory(n) => links.memories.push(n),
                Extern::Global(n) => links.globals.push(n),
            }
        }
        Ok(links)
    }

    /// Links and allocates, runs active segments in order, then the start function.
    pub(crate) fn instantiate(&mut self, module: Module) -> Result<usize, Stop> {
        let Links { mut functions, mut tables, mut memories, mut globals } = self.link(&module)?;
        let number = self.instances.len();
        for (code, &ty) in module.functions.iter().enumerate() {
            functions.push(self.functions.len());
            let ty = module.ty(ty)?.clone();
            self.functions.push(Function::Wasm { ty, instance: number, code });
        }
        for &(min, max) in &module.tables {
            tables.push(self.tables.len());
            self.tables.push(Table { entries: vec![None; min as usize], max });
        }
        for &ty in &module.memories {
            memories.push(self.memories.len());
            self.memories.push(self.memory(memory_type(ty))?);
        }
        for (ty, init) in &module.globals {
            let value = self.constant(&globals, init)?;
            globals.push(self.globals.len());
            self.globals.push((*ty, value));
        }
        let links = Links { functions, tables, memories, globals };
        let exports = links.exports(&module)?;
        let Links { functions, tables, memories, globals } = links;
        let data = module.data.iter().map(|segment| segment.bytes).collect();
        self.instances.push(Instance {
            module,
            functions,
            tables,
            memories,
            globals,
            data,
            exports,
        });
        self.run_segments(number)?;
        if let Some(start) = self.instances[number].module.start {
            self.call(self.instances[number].functions[start], &[])?;
        }
        Ok(number)
    }

    fn run_segments(&mut self, number: usize) -> Result<(), Stop> {
        for n in 0..self.instances[number].module.elements.len() {
            let instance = &self.instances[number];
            let (table, offset, items) = &instance.module.elements[n];
            let offset = self.constant(&instance.globals, offset)? as usize;
            let entries = &mut self.tables[instance.tables[*table]].entries;
            let target = entries.get_mut(offset..offset + items.len());
            let target = target.ok_or(Stop::Trap("out of bounds table access"))?;
            for (entry, &item) in target.iter_mut().zip(items) {
                *entry = Some(instance.functions[item]);
            }
        }
        for n in 0..self.instances[number].data.len() {
            let instance = &self.instances[number];
            let Segment { target, bytes } = &instance.module.data[n];
            if let Some((memory, offset)) = target {
                let offset = self.constant(&instance.globals, offset)?;
                let memory = &mut self.memories[instance.memories[*memory]];
                memory.init(offset, bytes, 0, bytes.len() as u64)?;
                self.instances[number].data[n] = &[];
            }
        }
        Ok(())
    }

    fn constant(&self, globals: &[usize], expression: &ConstExpr<'static>) -> Result<u64, Stop> {
        let mut stack = Vec::new();
        for operator in expression.get_operators_reader() {
            match operator? {
                Operator::GlobalGet { global_index } => {
                    stack.push(self.globals[globals[global_index as usize]].1);
                }
                Operator::End => (),
                operator => {
                    if !numeric(&operator, &mut stack)? {
                        return Err(unsupported(name(&operator)));
                    }
                }
            }
        }
        Ok(stack.pop().unwrap())
    }

    /// The export of `instance` with this name.
    pub(crate) fn export(&self, instance: usize, name: &str) -> Option<Extern> {
        self.instances[instance].exports.get(name).copied()
    }

    /// The value of a global.
    pub(crate) fn global(&self, global: usize) -> u64 {
        self.globals[global].1
    }

    /// Calls a function. Arguments and results are stack slots.
    pub(crate) fn call(&mut self, function: usize, args: &[u64]) -> Result<Vec<u64>, Stop> {
        match self.functions[function] {
            Function::Host(_) => Ok(Vec::new()),
            Function::Wasm { instance, code, .. } => {
                if self.depth == DEPTH {
                    return Err(Stop::Trap("call stack exhausted"));
                }
                self.depth += 1;
                let result = self.run(function, instance, code, args);
                self.depth -= 1;
                result
            }
        }
    }
}

/// Whether a declared maximum satisfies the expected one.
fn within(given: Option<u64>, expected: Option<u64>) -> bool {
    expected.is_none_or(|expected| given.is_some_and(|given| given <= expected))
}
