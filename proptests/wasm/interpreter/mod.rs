//! A small interpreter whose memories are [`Memory`].
//!
//! It decodes modules with `wasmparser`, links and instantiates them and runs
//! the numeric, control and memory instructions that the official memory tests
//! use. It has no memory semantics of its own: every load, store, size, grow,
//! fill, copy and init, and every active data segment, is one call of
//! [`Memory`], whose answer is taken as it is. Stack slots are 64 bits; an `i32`
//! lies in one zero-extended, which is how an address of memory32 becomes the
//! `u64` that [`Memory`] takes.

use std::collections::{HashMap, HashSet};
use std::fmt;

use segheap::memory::{IndexType, Memory, MemoryType};
use wasmparser::{
    BlockType, CompositeInnerType, ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind,
    FuncType, GlobalType, MemArg, Operator, Parser, Payload, TypeRef, ValType, Validator,
    WasmFeatures,
};

/// Why a module could not be made or a call did not return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A trap, with the official tests' wording.
    Trap(&'static str),
    /// The module does not link.
    Unlinkable(&'static str),
    /// Out of this interpreter's scope.
    Unsupported(String),
    /// The module is at fault, or [`Memory`] is.
    Broken(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Trap(why) => write!(f, "trap: {why}"),
            Stop::Unlinkable(why) => write!(f, "unlinkable: {why}"),
            Stop::Unsupported(what) => write!(f, "unsupported: {what}"),
            Stop::Broken(why) => write!(f, "broken: {why}"),
        }
    }
}

impl From<wasmparser::BinaryReaderError> for Stop {
    fn from(error: wasmparser::BinaryReaderError) -> Stop {
        Stop::Broken(error.to_string())
    }
}

impl From<segheap::memory::OutOfBounds> for Stop {
    fn from(_: segheap::memory::OutOfBounds) -> Stop {
        Stop::Trap("out of bounds memory access")
    }
}

fn unsupported(what: impl Into<String>) -> Stop {
    Stop::Unsupported(what.into())
}

/// A decoded module. Its bytes are leaked: operators borrow from them, and a
/// test run is short.
pub(crate) struct Module {
    types: Vec<Option<FuncType>>,
    imports: Vec<(String, String, TypeRef)>,
    functions: Vec<u32>,
    tables: Vec<(u64, Option<u64>)>,
    memories: Vec<wasmparser::MemoryType>,
    globals: Vec<(GlobalType, ConstExpr<'static>)>,
    exports: Vec<(String, ExternalKind, usize)>,
    elements: Vec<(usize, ConstExpr<'static>, Vec<usize>)>,
    data: Vec<Segment>,
    code: Vec<Code>,
    start: Option<usize>,
}

struct Segment {
    /// Of an active one: memory and offset.
    target: Option<(usize, ConstExpr<'static>)>,
    bytes: &'static [u8],
}

/// A function's body.
struct Code {
    locals: usize,
    operators: Vec<Operator<'static>>,
    /// For each block, loop, if and else: its `else` (or `end`) and its `end`.
    ends: Vec<(usize, usize)>,
}

/// The index type and limits, as [`Memory`] takes them.
fn memory_type(ty: wasmparser::MemoryType) -> MemoryType {
    let index = if ty.memory64 { IndexType::I64 } else { IndexType::I32 };
    MemoryType::new(index, ty.initial, ty.maximum)
}

impl Module {
    pub(crate) fn decode(bytes: Vec<u8>) -> Result<Module, Stop> {
        let bytes: &'static [u8] = Box::leak(bytes.into_boxed_slice());
        let features = WasmFeatures::default() | WasmFeatures::MULTI_MEMORY;
        Validator::new_with_features(features | WasmFeatures::MEMORY64).validate_all(bytes)?;
        let mut module = Module {
            types: Vec::new(),
            imports: Vec::new(),
            functions: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            exports: Vec::new(),
            elements: Vec::new(),
            data: Vec::new(),
            code: Vec::new(),
            start: None,
        };
        for payload in Parser::new(0).parse_all(bytes) {
            module.section(payload?)?;
        }
        Ok(module)
    }

    fn section(&mut self, payload: Payload<'static>) -> Result<(), Stop> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types.extend(group?.into_types().map(
                        |ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        },
                    ));
                }
            }
            Payload::ImportSection(section) => {
                for import in section {
                    let import = import?;
                    self.imports.push((import.module.into(), import.name.into(), import.ty));
                }
            }
            Payload::FunctionSection(section) => {
                self.functions = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::TableSection(section) => {
                for table in section {
                    let ty = table?.ty;
                    if ty.table64 || !ty.element_type.is_func_ref() {
                        return Err(unsupported("tables other than of functions"));
                    }
                    self.tables.push((ty.initial, ty.maximum));
                }
            }
            Payload::MemorySection(section) => {
                self.memories = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    self.globals.push((global.ty, global.init_expr));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let index = export.index as usize;
                    self.exports.push((export.name.into(), export.kind, index));
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func as usize),
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element?;
                    match (element.kind, element.items) {
                        (
                            ElementKind::Active { table_index, offset_expr },
                            ElementItems::Functions(items),
                        ) => {
                            let items: Result<Vec<u32>, _> = items.into_iter().collect();
                            let items = items?.into_iter().map(|item| item as usize).collect();
                            let table = table_index.unwrap_or(0) as usize;
                            self.elements.push((table, offset_expr, items));
                        }
                        (ElementKind::Declared, _) => (),
                        _ => return Err(unsupported("element segments beyond plain ones")),
                    }
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = data?;
                    let target = match data.kind {
                        DataKind::Passive => None,
                        DataKind::Active { memory_index, offset_expr } => {
                            Some((memory_index as usize, offset_expr))
                        }
                    };
                    self.data.push(Segment { target, bytes: data.data });
                }
            }
            Payload::CodeSectionEntry(body) => {
                let mut locals = 0;
                for local in body.get_locals_reader()? {
                    locals += local?.0 as usize;
                }
                let operators: Vec<Operator<'static>> =
                    body.get_operators_reader()?.into_iter().collect::<Result<_, _>>()?;
                let ends = ends(&operators);
                self.code.push(Code { locals, operators, ends });
            }
            Payload::TagSection(_) => return Err(unsupported("tags")),
            _ => (),
        }
        Ok(())
    }

    fn ty(&self, index: u32) -> Result<&FuncType, Stop> {
        let ty = self.types.get(index as usize).and_then(Option::as_ref);
        ty.ok_or_else(|| unsupported("types other than of functions"))
    }
}

/// Matches each block, loop, if and else with what closes it.
fn ends(operators: &[Operator<'static>]) -> Vec<(usize, usize)> {
    let mut ends = vec![(0, 0); operators.len()];
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    for (at, operator) in operators.iter().enumerate() {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                open.push((at, None));
            }
            Operator::Else => open.last_mut().unwrap().1 = Some(at),
            Operator::End => {
                // The last `end` closes the function itself.
                if let Some((start, alternative)) = open.pop() {
                    ends[start] = (alternative.map_or(at, |alternative| alternative + 1), at);
                    if let Some(alternative) = alternative {
                        ends[alternative] = (at, at);
                    }
                }
            }
            _ => (),
        }
    }
    ends
}

/// What a name stands for; numbers index the [`Store`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extern {
    Function(usize),
    Table(usize),
    Memory(usize),
    Global(usize),
}

enum Function {
    /// Takes anything, answers nothing.
    Host(FuncType),
    Wasm {
        ty: FuncType,
        instance: usize,
        code: usize,
    },
}

impl Function {
    fn ty(&self) -> &FuncType {
        match self {
            Function::Host(ty) | Function::Wasm { ty, .. } => ty,
        }
    }
}

struct Instance {
    module: Module,
    functions: Vec<usize>,
    tables: Vec<usize>,
    memories: Vec<usize>,
    globals: Vec<usize>,
    /// What is left of each data segment; a dropped one is empty.
    data: Vec<&'static [u8]>,
    exports: HashMap<String, Extern>,
}

struct Table {
    entries: Vec<Option<usize>>,
    max: Option<u64>,
}

/// Everything that instances share.
pub(crate) struct Store {
    functions: Vec<Function>,
    tables: Vec<Table>,
    memories: Vec<Memory>,
    globals: Vec<(GlobalType, u64)>,
    instances: Vec<Instance>,
    names: HashMap<String, HashMap<String, Extern>>,
    /// Names of modules that exist but are out of scope.
    missing: HashSet<String>,
    /// Makes every memory a memory64, whatever the module says.
    widened: bool,
    depth: usize,
}

/// Calls within calls; deeper ones trap.
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

    /// A new memory, checked to be what its type says.
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

    /// Makes what `instance` exports known under `name`.
    pub(crate) fn register(&mut self, name: &str, instance: usize) {
        self.names.insert(name.to_owned(), self.instances[instance].exports.clone());
    }

    /// Imports from `name` are out of scope from now on.
    pub(crate) fn register_missing(&mut self, name: &str) {
        self.missing.insert(name.to_owned());
    }

    /// Whether what exists may be imported as what is wanted.
    fn matches(&self, module: &Module, wanted: TypeRef, given: Extern) -> Result<bool, Stop> {
        Ok(match (wanted, given) {
            (TypeRef::Func(ty), Extern::Function(at)) => module.ty(ty)? == self.functions[at].ty(),
            (TypeRef::Global(ty), Extern::Global(at)) => ty == self.globals[at].0,
            (TypeRef::Table(ty), Extern::Table(at)) => {
                let table = &self.tables[at];
                table.entries.len() as u64 >= ty.initial && within(table.max, ty.maximum)
            }
            (TypeRef::Memory(ty), Extern::Memory(at)) => {
                let (memory, wanted) = (&self.memories[at], memory_type(ty));
                (self.widened || memory.ty().index == wanted.index)
                    && memory.size() >= wanted.min
                    && within(memory.ty().max, wanted.max)
            }
            (TypeRef::Tag(_), _) => return Err(unsupported("tags")),
            _ => false,
        })
    }

    /// Links, allocates, runs active segments in order, then the start function.
    pub(crate) fn instantiate(&mut self, module: Module) -> Result<usize, Stop> {
        let (mut functions, mut tables) = (Vec::new(), Vec::new());
        let (mut memories, mut globals) = (Vec::new(), Vec::new());
        for (from, name, wanted) in &module.imports {
            if self.missing.contains(from) {
                return Err(unsupported("imports from a skipped module"));
            }
            let given = self.names.get(from).and_then(|names| names.get(name));
            let given = *given.ok_or(Stop::Unlinkable("unknown import"))?;
            if !self.matches(&module, *wanted, given)? {
                return Err(Stop::Unlinkable("incompatible import type"));
            }
            match given {
                Extern::Function(at) => functions.push(at),
                Extern::Table(at) => tables.push(at),
                Extern::Memory(at) => memories.push(at),
                Extern::Global(at) => globals.push(at),
            }
        }
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
        let mut exports = HashMap::new();
        for (name, kind, index) in &module.exports {
            let given = match kind {
                ExternalKind::Func => Extern::Function(functions[*index]),
                ExternalKind::Table => Extern::Table(tables[*index]),
                ExternalKind::Memory => Extern::Memory(memories[*index]),
                ExternalKind::Global => Extern::Global(globals[*index]),
                ExternalKind::Tag => return Err(unsupported("tags")),
            };
            exports.insert(name.clone(), given);
        }
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
        for at in 0..self.instances[number].module.elements.len() {
            let instance = &self.instances[number];
            let (table, offset, items) = &instance.module.elements[at];
            let offset = self.constant(&instance.globals, offset)? as usize;
            let entries = &mut self.tables[instance.tables[*table]].entries;
            let target = entries.get_mut(offset..offset + items.len());
            let target = target.ok_or(Stop::Trap("out of bounds table access"))?;
            for (entry, &item) in target.iter_mut().zip(items) {
                *entry = Some(instance.functions[item]);
            }
        }
        for at in 0..self.instances[number].data.len() {
            let instance = &self.instances[number];
            let Segment { target, bytes } = &instance.module.data[at];
            if let Some((memory, offset)) = target {
                let offset = self.constant(&instance.globals, offset)?;
                let memory = &mut self.memories[instance.memories[*memory]];
                memory.init(offset, bytes, 0, bytes.len() as u64)?;
                self.instances[number].data[at] = &[];
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

    /// What `instance` exports under `name`.
    pub(crate) fn export(&self, instance: usize, name: &str) -> Option<Extern> {
        self.instances[instance].exports.get(name).copied()
    }

    /// A global's value.
    pub(crate) fn global(&self, global: usize) -> u64 {
        self.globals[global].1
    }

    /// Calls a function with arguments, and answers its results, in slots.
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

    fn run(
        &mut self,
        function: usize,
        instance: usize,
        code: usize,
        args: &[u64],
    ) -> Result<Vec<u64>, Stop> {
        let arity = self.functions[function].ty().results().len();
        let mut frame = Frame { at: 0, stack: Vec::new(), labels: Vec::new(), locals: args.into() };
        let code = &self.instances[instance].module.code[code];
        frame.locals.resize(args.len() + code.locals, 0);
        let last = code.operators.len();
        frame.labels.push(Label { to: last, arity, height: 0 });
        loop {
            // Looked up anew, as a call inside needs the whole store.
            let Function::Wasm { code, .. } = self.functions[function] else { unreachable!() };
            let code = &self.instances[instance].module.code[code];
            let Some(operator) = code.operators.get(frame.at).cloned() else { break };
            let ends = code.ends[frame.at];
            frame.at += 1;
            self.step(instance, &mut frame, &operator, ends)?;
        }
        Ok(frame.stack.split_off(frame.stack.len() - arity))
    }

    fn step(
        &mut self,
        instance: usize,
        frame: &mut Frame,
        operator: &Operator<'static>,
        (alternative, end): (usize, usize),
    ) -> Result<(), Stop> {
        let module = &self.instances[instance].module;
        let arities = |block: BlockType| {
            Ok::<_, Stop>(match block {
                BlockType::Empty => (0, 0),
                BlockType::Type(_) => (0, 1),
                BlockType::FuncType(ty) => {
                    let ty = module.ty(ty)?;
                    (ty.params().len(), ty.results().len())
                }
            })
        };
        match operator {
            Operator::Unreachable => return Err(Stop::Trap("unreachable")),
            Operator::Nop => (),
            Operator::Block { blockty } => {
                let (params, results) = arities(*blockty)?;
                frame.enter(end + 1, params, results);
            }
            Operator::Loop { blockty } => {
                let (params, _) = arities(*blockty)?;
                frame.enter(frame.at - 1, params, params);
            }
            Operator::If { blockty } => {
                let (params, results) = arities(*blockty)?;
                let taken = frame.pop() as u32 != 0;
                frame.enter(end + 1, params, results);
                if !taken {
                    frame.at = alternative;
                }
            }
            Operator::Else => frame.at = end,
            Operator::End => {
                frame.labels.pop();
            }
            Operator::Br { relative_depth } => frame.branch(*relative_depth),
            Operator::BrIf { relative_depth } => {
                if frame.pop() as u32 != 0 {
                    frame.branch(*relative_depth);
                }
            }
            Operator::BrTable { targets } => {
                let choice = frame.pop() as u32 as usize;
                let depths: Vec<u32> = targets.targets().collect::<Result<_, _>>()?;
                frame.branch(depths.get(choice).copied().unwrap_or(targets.default()));
            }
            Operator::Return => frame.branch(frame.labels.len() as u32 - 1),
            Operator::Call { function_index } => {
                let function = self.instances[instance].functions[*function_index as usize];
                self.call_in(frame, function)?;
            }
            Operator::CallIndirect { type_index, table_index } => {
                let wanted = module.ty(*type_index)?.clone();
                let table = self.instances[instance].tables[*table_index as usize];
                let entry = self.tables[table].entries.get(frame.pop() as usize);
                let entry = *entry.ok_or(Stop::Trap("undefined element"))?;
                let function = entry.ok_or(Stop::Trap("uninitialized element"))?;
                if *self.functions[function].ty() != wanted {
                    return Err(Stop::Trap("indirect call type mismatch"));
                }
                self.call_in(frame, function)?;
            }
            Operator::Drop => {
                frame.pop();
            }
            Operator::Select | Operator::TypedSelect { .. } => {
                let first = frame.pop() as u32 != 0;
                let (b, a) = (frame.pop(), frame.pop());
                frame.push(if first { a } else { b });
            }
            Operator::LocalGet { local_index } => {
                frame.push(frame.locals[*local_index as usize]);
            }
            Operator::LocalSet { local_index } => {
                frame.locals[*local_index as usize] = frame.pop();
            }
            Operator::LocalTee { local_index } => {
                frame.locals[*local_index as usize] = *frame.stack.last().unwrap();
            }
            Operator::GlobalGet { global_index } => {
                let global = self.instances[instance].globals[*global_index as usize];
                frame.push(self.globals[global].1);
            }
            Operator::GlobalSet { global_index } => {
                let global = self.instances[instance].globals[*global_index as usize];
                self.globals[global].1 = frame.pop();
            }
            _ => {
                if !self.memory_access(instance, frame, operator)?
                    && !numeric(operator, &mut frame.stack)?
                {
                    return Err(unsupported(name(operator)));
                }
            }
        }
        Ok(())
    }

    fn call_in(&mut self, frame: &mut Frame, function: usize) -> Result<(), Stop> {
        let params = self.functions[function].ty().params().len();
        let args = frame.stack.split_off(frame.stack.len() - params);
        frame.stack.extend(self.call(function, &args)?);
        Ok(())
    }

    /// The memory instructions; false where `operator` is none.
    fn memory_access(
        &mut self,
        instance: usize,
        frame: &mut Frame,
        operator: &Operator<'static>,
    ) -> Result<bool, Stop> {
        use Operator as O;
        let Store { memories, instances, .. } = self;
        let Instance { module, memories: own, data, .. } = &mut instances[instance];
        let stack = &mut frame.stack;
        match *operator {
            O::I32Load { memarg } | O::F32Load { memarg } | O::I64Load32U { memarg } => {
                load(memories, own, stack, memarg, Memory::load_u32, u64::from)?;
            }
            O::I64Load { memarg } | O::F64Load { memarg } => {
                load(memories, own, stack, memarg, Memory::load_u64, u64::from)?;
            }
            O::I32Load8U { memarg } | O::I64Load8U { memarg } => {
                load(memories, own, stack, memarg, Memory::load_u8, u64::from)?;
            }
            O::I32Load16U { memarg } | O::I64Load16U { memarg } => {
                load(memories, own, stack, memarg, Memory::load_u16, u64::from)?;
            }
            O::I32Load8S { memarg } => {
                load(memories, own, stack, memarg, Memory::load_u8, |v| (v as i8 as i32).slot())?;
            }
            O::I32Load16S { memarg } => {
                load(memories, own, stack, memarg, Memory::load_u16, |v| (v as i16 as i32).slot())?;
            }
            O::I64Load8S { memarg } => {
                load(memories, own, stack, memarg, Memory::load_u8, |v| (v as i8 as i64).slot())?;
            }
            O::I64Load16S { memarg } => {
                load(memories, own, stack, memarg, Memory::load_u16, |v| (v as i16 as i64).slot())?;
            }
            O::I64Load32S { memarg } => {
                load(memories, own, stack, memarg, Memory::load_u32, |v| (v as i32 as i64).slot())?;
            }
            O::I32Store { memarg } | O::F32Store { memarg } | O::I64Store32 { memarg } => {
                store(memories, own, stack, memarg, Memory::store_u32, |v| v as u32)?;
            }
            O::I64Store { memarg } | O::F64Store { memarg } => {
                store(memories, own, stack, memarg, Memory::store_u64, |v| v)?;
            }
            O::I32Store8 { memarg } | O::I64Store8 { memarg } => {
                store(memories, own, stack, memarg, Memory::store_u8, |v| v as u8)?;
            }
            O::I32Store16 { memarg } | O::I64Store16 { memarg } => {
                store(memories, own, stack, memarg, Memory::store_u16, |v| v as u16)?;
            }
            O::MemorySize { mem } => stack.push(memories[own[mem as usize]].size()),
            O::MemoryGrow { mem } => {
                let delta = stack.pop().unwrap();
                let old = memories[own[mem as usize]].grow(delta);
                let wide = memory_index(module, mem)?;
                let minus_one = if wide { u64::MAX } else { u64::from(u32::MAX) };
                stack.push(old.unwrap_or(minus_one));
            }
            O::MemoryFill { mem } => {
                let [address, value, len] = pop3(stack);
                memories[own[mem as usize]].fill(address, value as u8, len)?;
            }
            O::MemoryCopy { dst_mem, src_mem } => {
                let [address, source, len] = pop3(stack);
                let (to, from) = (own[dst_mem as usize], own[src_mem as usize]);
                if to == from {
                    memories[to].copy(address, source, len)?;
                } else {
                    let [to, from] = memories.get_disjoint_mut([to, from]).unwrap();
                    to.copy_from(address, from, source, len)?;
                }
            }
            O::MemoryInit { data_index, mem } => {
                let [address, source, len] = pop3(stack);
                let segment = data[data_index as usize];
                memories[own[mem as usize]].init(address, segment, source, len)?;
            }
            O::DataDrop { data_index } => data[data_index as usize] = &[],
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Whether the declared maximum of what is given satisfies the wanted one.
fn within(given: Option<u64>, wanted: Option<u64>) -> bool {
    wanted.is_none_or(|wanted| given.is_some_and(|given| given <= wanted))
}

/// Whether a module's memory has 64-bit addresses.
fn memory_index(module: &Module, memory: u32) -> Result<bool, Stop> {
    let imported = module.imports.iter().filter_map(|(_, _, ty)| match ty {
        TypeRef::Memory(ty) => Some(*ty),
        _ => None,
    });
    let ty = imported.chain(module.memories.iter().copied()).nth(memory as usize);
    Ok(ty.ok_or_else(|| Stop::Broken("no such memory".into()))?.memory64)
}

fn load<T>(
    memories: &[Memory],
    own: &[usize],
    stack: &mut Vec<u64>,
    memarg: MemArg,
    load: impl Fn(&Memory, u64, u64) -> Result<T, segheap::memory::OutOfBounds>,
    extend: impl Fn(T) -> u64,
) -> Result<(), Stop> {
    let address = stack.pop().unwrap();
    let memory = &memories[own[memarg.memory as usize]];
    stack.push(extend(load(memory, address, memarg.offset)?));
    Ok(())
}

fn store<T>(
    memories: &mut [Memory],
    own: &[usize],
    stack: &mut Vec<u64>,
    memarg: MemArg,
    store: impl Fn(&mut Memory, u64, u64, T) -> Result<(), segheap::memory::OutOfBounds>,
    wrap: impl Fn(u64) -> T,
) -> Result<(), Stop> {
    let value = stack.pop().unwrap();
    let address = stack.pop().unwrap();
    let memory = &mut memories[own[memarg.memory as usize]];
    store(memory, address, memarg.offset, wrap(value))?;
    Ok(())
}

fn pop3(stack: &mut Vec<u64>) -> [u64; 3] {
    stack.split_off(stack.len() - 3).try_into().unwrap()
}

/// Where a branch goes, and what it leaves on the stack.
struct Label {
    to: usize,
    arity: usize,
    height: usize,
}

struct Frame {
    at: usize,
    stack: Vec<u64>,
    labels: Vec<Label>,
    locals: Vec<u64>,
}

impl Frame {
    fn push(&mut self, slot: u64) {
        self.stack.push(slot);
    }

    fn pop(&mut self) -> u64 {
        self.stack.pop().unwrap()
    }

    fn enter(&mut self, to: usize, params: usize, arity: usize) {
        self.labels.push(Label { to, arity, height: self.stack.len() - params });
    }

    fn branch(&mut self, depth: u32) {
        let label = self.labels.len() - 1 - depth as usize;
        let Label { to, arity, height } = self.labels[label];
        let kept = self.stack.split_off(self.stack.len() - arity);
        self.stack.truncate(height);
        self.stack.extend(kept);
        self.labels.truncate(label);
        self.at = to;
    }
}

/// An instruction's name, without its immediates.
fn name(operator: &Operator<'_>) -> String {
    let text = format!("{operator:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

/// A value of a numeric type as a stack slot.
pub(crate) trait Slot {
    fn of(slot: u64) -> Self;
    fn slot(self) -> u64;
}

macro_rules! slots {
    ($($ty:ty: $slot:ident => $of:expr, $value:ident => $to:expr;)*) => {$(
        impl Slot for $ty {
            fn of($slot: u64) -> Self {
                $of
            }
            fn slot(self) -> u64 {
                let $value = self;
                $to
            }
        }
    )*};
}
slots! {
    u32: slot => slot as u32, value => u64::from(value);
    i32: slot => slot as i32, value => u64::from(value as u32);
    u64: slot => slot, value => value;
    i64: slot => slot as i64, value => value as u64;
    f32: slot => f32::from_bits(slot as u32), value => u64::from(value.to_bits());
    f64: slot => f64::from_bits(slot), value => value.to_bits();
    bool: slot => slot as u32 != 0, value => u64::from(value);
}

fn unary<A: Slot, B: Slot>(stack: &mut Vec<u64>, f: impl Fn(A) -> B) {
    let a = A::of(stack.pop().unwrap());
    stack.push(f(a).slot());
}

fn binary<A: Slot, B: Slot>(stack: &mut Vec<u64>, f: impl Fn(A, A) -> B) {
    let b = A::of(stack.pop().unwrap());
    let a = A::of(stack.pop().unwrap());
    stack.push(f(a, b).slot());
}

/// Division, whose failures trap.
fn divide<A: Slot + PartialEq + Default>(
    stack: &mut Vec<u64>,
    f: impl Fn(A, A) -> Option<A>,
) -> Result<(), Stop> {
    let b = A::of(stack.pop().unwrap());
    let a = A::of(stack.pop().unwrap());
    if b == A::default() {
        return Err(Stop::Trap("integer divide by zero"));
    }
    stack.push(f(a, b).ok_or(Stop::Trap("integer overflow"))?.slot());
    Ok(())
}

/// Truncation to an integer of `low..high`.
fn truncate<A: Slot + Into<f64>, B: Slot>(
    stack: &mut Vec<u64>,
    (low, high): (f64, f64),
    f: impl Fn(f64) -> B,
) -> Result<(), Stop> {
    let a: f64 = A::of(stack.pop().unwrap()).into();
    if a.is_nan() {
        return Err(Stop::Trap("invalid conversion to integer"));
    }
    if a.trunc() < low || a.trunc() >= high {
        return Err(Stop::Trap("integer overflow"));
    }
    stack.push(f(a).slot());
    Ok(())
}

/// The numeric instructions; false where `operator` is none of them.
fn numeric(operator: &Operator<'_>, stack: &mut Vec<u64>) -> Result<bool, Stop> {
    use Operator as O;
    const I32: (f64, f64) = (-2_147_483_648.0, 2_147_483_648.0);
    const U32: (f64, f64) = (0.0, 4_294_967_296.0);
    const I64: (f64, f64) = (-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0);
    const U64: (f64, f64) = (0.0, 18_446_744_073_709_551_616.0);
    match *operator {
        O::I32Const { value } => stack.push(value.slot()),
        O::I64Const { value } => stack.push(value.slot()),
        O::F32Const { value } => stack.push(u64::from(value.bits())),
        O::F64Const { value } => stack.push(value.bits()),

        O::I32Eqz => unary(stack, |a: u32| a == 0),
        O::I32Eq => binary(stack, |a: u32, b| a == b),
        O::I32Ne => binary(stack, |a: u32, b| a != b),
        O::I32LtS => binary(stack, |a: i32, b| a < b),
        O::I32LtU => binary(stack, |a: u32, b| a < b),
        O::I32GtS => binary(stack, |a: i32, b| a > b),
        O::I32GtU => binary(stack, |a: u32, b| a > b),
        O::I32LeS => binary(stack, |a: i32, b| a <= b),
        O::I32LeU => binary(stack, |a: u32, b| a <= b),
        O::I32GeS => binary(stack, |a: i32, b| a >= b),
        O::I32GeU => binary(stack, |a: u32, b| a >= b),
        O::I32Clz => unary(stack, u32::leading_zeros),
        O::I32Ctz => unary(stack, u32::trailing_zeros),
        O::I32Popcnt => unary(stack, u32::count_ones),
        O::I32Add => binary(stack, u32::wrapping_add),
        O::I32Sub => binary(stack, u32::wrapping_sub),
        O::I32Mul => binary(stack, u32::wrapping_mul),
        O::I32DivS => divide(stack, i32::checked_div)?,
        O::I32DivU => divide(stack, u32::checked_div)?,
        O::I32RemS => divide(stack, |a: i32, b| Some(a.wrapping_rem(b)))?,
        O::I32RemU => divide(stack, u32::checked_rem)?,
        O::I32And => binary(stack, |a: u32, b| a & b),
        O::I32Or => binary(stack, |a: u32, b| a | b),
        O::I32Xor => binary(stack, |a: u32, b| a ^ b),
        O::I32Shl => binary(stack, u32::wrapping_shl),
        O::I32ShrS => binary(stack, |a: i32, b| a.wrapping_shr(b as u32)),
        O::I32ShrU => binary(stack, u32::wrapping_shr),
        O::I32Rotl => binary(stack, |a: u32, b| a.rotate_left(b & 31)),
        O::I32Rotr => binary(stack, |a: u32, b| a.rotate_right(b & 31)),

        O::I64Eqz => unary(stack, |a: u64| a == 0),
        O::I64Eq => binary(stack, |a: u64, b| a == b),
        O::I64Ne => binary(stack, |a: u64, b| a != b),
        O::I64LtS => binary(stack, |a: i64, b| a < b),
        O::I64LtU => binary(stack, |a: u64, b| a < b),
        O::I64GtS => binary(stack, |a: i64, b| a > b),
        O::I64GtU => binary(stack, |a: u64, b| a > b),
        O::I64LeS => binary(stack, |a: i64, b| a <= b),
        O::I64LeU => binary(stack, |a: u64, b| a <= b),
        O::I64GeS => binary(stack, |a: i64, b| a >= b),
        O::I64GeU => binary(stack, |a: u64, b| a >= b),
        O::I64Clz => unary(stack, |a: u64| u64::from(a.leading_zeros())),
        O::I64Ctz => unary(stack, |a: u64| u64::from(a.trailing_zeros())),
        O::I64Popcnt => unary(stack, |a: u64| u64::from(a.count_ones())),
        O::I64Add => binary(stack, u64::wrapping_add),
        O::I64Sub => binary(stack, u64::wrapping_sub),
        O::I64Mul => binary(stack, u64::wrapping_mul),
        O::I64DivS => divide(stack, i64::checked_div)?,
        O::I64DivU => divide(stack, u64::checked_div)?,
        O::I64RemS => divide(stack, |a: i64, b| Some(a.wrapping_rem(b)))?,
        O::I64RemU => divide(stack, u64::checked_rem)?,
        O::I64And => binary(stack, |a: u64, b| a & b),
        O::I64Or => binary(stack, |a: u64, b| a | b),
        O::I64Xor => binary(stack, |a: u64, b| a ^ b),
        O::I64Shl => binary(stack, |a: u64, b| a.wrapping_shl(b as u32)),
        O::I64ShrS => binary(stack, |a: i64, b| a.wrapping_shr(b as u32)),
        O::I64ShrU => binary(stack, |a: u64, b| a.wrapping_shr(b as u32)),
        O::I64Rotl => binary(stack, |a: u64, b| a.rotate_left((b & 63) as u32)),
        O::I64Rotr => binary(stack, |a: u64, b| a.rotate_right((b & 63) as u32)),

        O::F32Eq => binary(stack, |a: f32, b| a == b),
        O::F32Ne => binary(stack, |a: f32, b| a != b),
        O::F32Lt => binary(stack, |a: f32, b| a < b),
        O::F32Gt => binary(stack, |a: f32, b| a > b),
        O::F32Le => binary(stack, |a: f32, b| a <= b),
        O::F32Ge => binary(stack, |a: f32, b| a >= b),
        O::F32Neg => unary(stack, |a: u32| a ^ 1 << 31),
        O::F32Sqrt => unary(stack, f32::sqrt),
        O::F32Add => binary(stack, |a: f32, b| a + b),
        O::F32Sub => binary(stack, |a: f32, b| a - b),
        O::F32Mul => binary(stack, |a: f32, b| a * b),
        O::F32Div => binary(stack, |a: f32, b| a / b),

        O::F64Eq => binary(stack, |a: f64, b| a == b),
        O::F64Ne => binary(stack, |a: f64, b| a != b),
        O::F64Lt => binary(stack, |a: f64, b| a < b),
        O::F64Gt => binary(stack, |a: f64, b| a > b),
        O::F64Le => binary(stack, |a: f64, b| a <= b),
        O::F64Ge => binary(stack, |a: f64, b| a >= b),
        O::F64Neg => unary(stack, |a: u64| a ^ 1 << 63),
        O::F64Sqrt => unary(stack, f64::sqrt),
        O::F64Add => binary(stack, |a: f64, b| a + b),
        O::F64Sub => binary(stack, |a: f64, b| a - b),
        O::F64Mul => binary(stack, |a: f64, b| a * b),
        O::F64Div => binary(stack, |a: f64, b| a / b),

        O::I32WrapI64 => unary(stack, |a: u64| a as u32),
        O::I64ExtendI32S => unary(stack, |a: i32| i64::from(a)),
        O::I64ExtendI32U => unary(stack, |a: u32| u64::from(a)),
        O::I32TruncF32S => truncate::<f32, _>(stack, I32, |a| a as i32)?,
        O::I32TruncF32U => truncate::<f32, _>(stack, U32, |a| a as u32)?,
        O::I32TruncF64S => truncate::<f64, _>(stack, I32, |a| a as i32)?,
        O::I32TruncF64U => truncate::<f64, _>(stack, U32, |a| a as u32)?,
        O::I64TruncF32S => truncate::<f32, _>(stack, I64, |a| a as i64)?,
        O::I64TruncF32U => truncate::<f32, _>(stack, U64, |a| a as u64)?,
        O::I64TruncF64S => truncate::<f64, _>(stack, I64, |a| a as i64)?,
        O::I64TruncF64U => truncate::<f64, _>(stack, U64, |a| a as u64)?,
        O::F32ConvertI32S => unary(stack, |a: i32| a as f32),
        O::F32ConvertI32U => unary(stack, |a: u32| a as f32),
        O::F32ConvertI64S => unary(stack, |a: i64| a as f32),
        O::F32ConvertI64U => unary(stack, |a: u64| a as f32),
        O::F64ConvertI32S => unary(stack, |a: i32| f64::from(a)),
        O::F64ConvertI32U => unary(stack, |a: u32| f64::from(a)),
        O::F64ConvertI64S => unary(stack, |a: i64| a as f64),
        O::F64ConvertI64U => unary(stack, |a: u64| a as f64),
        O::F32DemoteF64 => unary(stack, |a: f64| a as f32),
        O::F64PromoteF32 => unary(stack, |a: f32| f64::from(a)),
        O::I32ReinterpretF32
        | O::I64ReinterpretF64
        | O::F32ReinterpretI32
        | O::F64ReinterpretI64 => (),
        O::I32Extend8S => unary(stack, |a: u32| i32::from(a as i8)),
        O::I32Extend16S => unary(stack, |a: u32| i32::from(a as i16)),
        O::I64Extend8S => unary(stack, |a: u64| i64::from(a as i8)),
        O::I64Extend16S => unary(stack, |a: u64| i64::from(a as i16)),
        O::I64Extend32S => unary(stack, |a: u64| i64::from(a as i32)),
        _ => return Ok(false),
    }
    Ok(true)
}
