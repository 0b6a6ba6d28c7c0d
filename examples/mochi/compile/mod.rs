//! From the tree to bytecode, in one pass: types are inferred on the way.
//!
//! An expression is compiled into a register of the bank that its type asks for. Registers are
//! taken and given back like a stack. Where a type has to be known before code for it is made,
//! the expression is compiled to see, and the code thrown away (`probe`).
//!
//! `scope` knows names, `stmt` statements, `expr` expressions, `call` calls and functions, `choose`
//! `if`, `match` and conditions, `query` queries.

mod builtin;
mod call;
mod choose;
mod expr;
mod names;
mod query;
mod scope;
mod stmt;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::bytecode::{Function, Idx, Op, Program, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Shape, Signature, Type};

pub(crate) use scope::Global;
use scope::Local;

/// Registers that a function may use of each bank; the rest of the 256 is room for windows.
const REGISTERS_MAX: u16 = 250;
/// Top-level variables that are kept in registers; programs with more keep all in globals.
const TOP_LEVEL_MAX: usize = 100;
/// The shape of the groups of queries: a key, and the items.
pub(crate) const GROUP: u16 = 0;

/// A value in a register of the bank that its type lives in.
#[derive(Clone, Debug)]
struct Val {
    ty: Type,
    reg: Reg,
}

/// A function that is called by its number, with its arguments in all three banks.
#[derive(Clone, Debug)]
struct Known {
    index: u16,
    signature: Rc<Signature>,
    /// The function that takes all arguments as cells, if there is one already.
    wrapper: Option<u16>,
}

/// What outlives the compilation of one input.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) program: Program,
    pub(crate) globals: HashMap<String, Global>,
    functions: HashMap<String, Known>,
    types: HashMap<String, Type>,
    unions: Vec<String>,
}

#[derive(Default)]
struct Loop {
    breaks: Vec<usize>,
    continues: Vec<usize>,
}

/// A function that is being compiled.
#[derive(Default)]
struct Frame {
    name: String,
    code: Vec<Op>,
    places: Vec<u32>,
    scopes: Vec<Vec<Local>>,
    /// The next free register of each bank, and the most that were in use.
    next: [u16; 3],
    most: [u16; 3],
    hints: u16,
    /// What the function takes with it from the function around it.
    captures: Vec<(String, Local)>,
    /// Arguments and result are cells: the function is called as a value.
    boxed_call: bool,
    /// The declared type of the result.
    result: Option<Type>,
    loops: Vec<Loop>,
    /// Variables that are captured and assigned to: they live in boxes.
    shared: HashSet<String>,
    /// Variables that are appended to: they carry a flag that says whether the list is theirs.
    appended: HashSet<String>,
    /// Functions that inner ones of the same names hide.
    hidden: Vec<(String, Option<Known>)>,
    /// The struct whose method this is: its fields can be named alone.
    this: Option<u16>,
    /// The program itself, outside of all functions.
    main: bool,
}

pub(crate) struct Compiler<'w> {
    world: &'w mut World,
    frames: Vec<Frame>,
    /// Types of expressions that were compiled to see.
    probed: HashMap<*const Expr, Type>,
    /// Where the code is that is being made.
    at: At,
    /// Top-level variables are globals if functions know them, or at the prompt.
    global_names: HashSet<String>,
    all_global: bool,
    /// Tests are reported one by one.
    testing: bool,
    /// Functions below this number are not forgotten by `probe`.
    kept: usize,
}

/// How a program is compiled.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mode {
    pub(crate) prompt: bool,
    pub(crate) testing: bool,
}

/// Compiles a program into the world; answers the number of the function to run.
pub(crate) fn compile(world: &mut World, program: &[Stmt], mode: Mode) -> Result<u16> {
    if world.program.shapes.is_empty() {
        let fields =
            vec![("key".to_owned(), Type::Any), ("items".to_owned(), Type::list(Type::Any))];
        let name = "group".to_owned();
        world.program.shapes.push(Shape { name, fields, methods: HashMap::new(), union: None });
    }
    let mut global_names = HashSet::new();
    names::used_in_functions(program, &mut global_names);
    let count = program.iter().filter(|stmt| matches!(stmt.kind, StmtKind::Bind { .. })).count();
    let mut compiler = Compiler {
        world,
        frames: Vec::new(),
        probed: HashMap::new(),
        at: 0,
        global_names,
        all_global: mode.prompt || count > TOP_LEVEL_MAX,
        testing: mode.testing,
        kept: 0,
    };
    compiler.declare_types(program)?;
    compiler.declare_functions(program)?;
    compiler.program(program, mode.prompt)
}

impl Compiler<'_> {
    fn frame(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn here(&self) -> &Frame {
        &self.frames[self.frames.len() - 1]
    }

    // Code.

    fn emit(&mut self, op: Op) -> usize {
        let at = self.at;
        let frame = self.frame();
        frame.code.push(op);
        frame.places.push(at);
        frame.code.len() - 1
    }

    fn label(&self) -> u32 {
        self.here().code.len() as u32
    }

    /// Makes the jump at `from` lead to here.
    fn land(&mut self, from: usize) {
        let to = self.label();
        self.land_at(from, to);
    }

    fn land_at(&mut self, from: usize, to: u32) {
        if let Some(target) = self.frame().code[from].target() {
            *target = to;
        }
    }

    fn land_all(&mut self, from: Vec<usize>) {
        from.into_iter().for_each(|jump| self.land(jump));
    }

    // Registers.

    fn mark(&self) -> [u16; 3] {
        self.here().next
    }

    fn release(&mut self, mark: [u16; 3]) {
        self.frame().next = mark;
    }

    fn take(&mut self, bank: Bank) -> Result<Reg> {
        let at = self.at;
        let frame = self.frame();
        let n = frame.next[bank as usize];
        if n >= REGISTERS_MAX {
            return fault(at, "this function needs too many registers: split it up");
        }
        frame.next[bank as usize] = n + 1;
        frame.most[bank as usize] = frame.most[bank as usize].max(n + 1);
        Ok(n as Reg)
    }

    fn take_for(&mut self, ty: &Type) -> Result<Val> {
        Ok(Val { ty: ty.clone(), reg: self.take(ty.bank())? })
    }

    /// The register to put a result in: the wanted one if it is of the right bank.
    fn target(&mut self, wanted: Option<(Bank, Reg)>, ty: &Type) -> Result<Reg> {
        match wanted {
            Some((bank, reg)) if bank == ty.bank() => Ok(reg),
            _ => self.take(ty.bank()),
        }
    }

    /// Compiles to find the type out, and forgets the code.
    fn probe(&mut self, expr: &Expr, expected: &Type) -> Result<Type> {
        if let Some(ty) = self.probed.get(&std::ptr::from_ref(expr)) {
            return Ok(ty.clone());
        }
        let (code, next) = (self.here().code.len(), self.here().next);
        let (at, hints) = (self.at, self.here().hints);
        let functions = self.world.program.functions.len();
        let ty = self.expr(expr, None, expected)?.ty;
        let functions = functions.max(self.kept);
        self.world.program.functions.truncate(functions);
        self.at = at;
        let frame = self.frame();
        frame.code.truncate(code);
        frame.places.truncate(code);
        frame.next = next;
        frame.hints = hints;
        self.probed.insert(expr, ty.clone());
        Ok(ty)
    }

    // Tables.

    fn intern<T: PartialEq>(at: At, table: &mut Vec<T>, entry: T) -> Result<Idx> {
        let n = table.iter().position(|it| *it == entry).unwrap_or(table.len());
        let Ok(index) = Idx::try_from(n) else {
            return fault(at, "the program has too many constants");
        };
        if n == table.len() {
            table.push(entry);
        }
        Ok(index)
    }

    fn constant(&mut self, text: &str) -> Result<Idx> {
        Self::intern(self.at, &mut self.world.program.constants, text.to_owned())
    }

    fn name(&mut self, name: &str) -> Result<Idx> {
        Self::intern(self.at, &mut self.world.program.names, name.to_owned())
    }

    fn type_index(&mut self, ty: &Type) -> Result<Idx> {
        Self::intern(self.at, &mut self.world.program.types, ty.clone())
    }

    fn load_int(&mut self, reg: Reg, value: i64) -> Result<()> {
        match i32::try_from(value) {
            Ok(value) => self.emit(Op::LoadI(reg, value)),
            Err(_) => {
                let k = Self::intern(self.at, &mut self.world.program.ints, value)?;
                self.emit(Op::WideI(reg, k))
            }
        };
        Ok(())
    }

    fn load_float(&mut self, reg: Reg, value: f64) -> Result<()> {
        let floats = &mut self.world.program.floats;
        let same = floats.iter().position(|it| it.to_bits() == value.to_bits());
        let n = same.unwrap_or(floats.len());
        if same.is_none() {
            floats.push(value);
        }
        let Ok(k) = Idx::try_from(n) else {
            return fault(self.at, "the program has too many constants");
        };
        self.emit(Op::LoadF(reg, k));
        Ok(())
    }

    fn load_text(&mut self, reg: Reg, text: &str) -> Result<()> {
        let k = self.constant(text)?;
        self.emit(Op::Const(reg, k));
        Ok(())
    }

    fn move_to(&mut self, bank: Bank, to: Reg, from: Reg) {
        if to != from {
            self.emit(match bank {
                Bank::I => Op::MoveI(to, from),
                Bank::F => Op::MoveF(to, from),
                Bank::C => Op::MoveC(to, from),
            });
        }
    }

    // Types.

    fn shown(&self, ty: &Type) -> String {
        ty.named(&self.world.program.shapes, &self.world.unions).to_string()
    }

    fn shape(&self, shape: u16) -> &Shape {
        &self.world.program.shapes[usize::from(shape)]
    }

    fn resolve(&self, ty: &TypeRef) -> Result<Type> {
        Ok(match ty {
            TypeRef::Record | TypeRef::Optional(_) => Type::Any,
            TypeRef::Fun(params, result) => {
                let params = params.iter().map(|ty| self.resolve(ty)).collect::<Result<_>>()?;
                let result = result.as_ref().map_or(Ok(Type::Null), |ty| self.resolve(ty))?;
                Type::Fun(Rc::new(Signature { params, result }))
            }
            TypeRef::Generic(name, args, at) => match (name.as_str(), args.as_slice()) {
                ("list", [element]) => Type::list(self.resolve(element)?),
                ("map", [key, value]) => Type::map(self.resolve(key)?, self.resolve(value)?),
                ("option" | "group", [_]) => Type::Any,
                _ => {
                    return fault(
                        *at,
                        format!("there is no type `{name}` with {} parameters", args.len()),
                    );
                }
            },
            TypeRef::Name(name, at) => match name.as_str() {
                "int" | "i64" | "int64" | "i32" => Type::Int,
                "float" | "f64" => Type::Float,
                "bool" => Type::Bool,
                "string" => Type::Text,
                "bigint" => Type::BigInt,
                "bytes" => Type::Bytes,
                "list" => Type::list(Type::Any),
                "map" => Type::map(Type::Any, Type::Any),
                "any" | "null" => Type::Any,
                "void" | "unit" => Type::Null,
                _ => match self.world.types.get(name) {
                    Some(ty) => ty.clone(),
                    None => return fault(*at, format!("there is no type `{name}`")),
                },
            },
        })
    }

    fn resolve_or_any(&self, ty: Option<&TypeRef>) -> Result<Type> {
        ty.map_or(Ok(Type::Any), |ty| self.resolve(ty))
    }

    fn declare_types(&mut self, program: &[Stmt]) -> Result<()> {
        let bodies = || {
            program.iter().filter_map(|stmt| match &stmt.kind {
                StmtKind::Type(name, body) => Some((name, body, stmt.at)),
                _ => None,
            })
        };
        // Names first: types may refer to each other.
        for (name, body, at) in bodies() {
            self.at = at;
            let ty = match body {
                TypeBody::Struct(..) => Type::Struct(self.new_shape(name, None)?),
                TypeBody::Union(variants) => {
                    let union = self.world.unions.len() as u16;
                    self.world.unions.push(name.clone());
                    for variant in variants {
                        let shape = self.new_shape(&variant.name, Some(union))?;
                        if variant.name != *name {
                            self.world.types.insert(variant.name.clone(), Type::Struct(shape));
                        }
                    }
                    Type::Union(union)
                }
                TypeBody::Alias(_) => Type::Any,
            };
            self.world.types.insert(name.clone(), ty);
        }
        for (name, body, _) in bodies() {
            if let TypeBody::Alias(alias) = body {
                let ty = self.resolve(alias)?;
                self.world.types.insert(name.clone(), ty);
            }
        }
        for (name, body, _) in bodies() {
            match body {
                TypeBody::Struct(fields, _) => {
                    let fields = self.fields(fields)?;
                    if let Some(Type::Struct(shape)) = self.world.types.get(name) {
                        self.world.program.shapes[usize::from(*shape)].fields = fields;
                    }
                }
                TypeBody::Union(variants) => {
                    for variant in variants {
                        let fields = self.fields(&variant.fields)?;
                        let shapes = &mut self.world.program.shapes;
                        let Some(shape) =
                            shapes.iter_mut().rev().find(|it| it.name == variant.name)
                        else {
                            return fault(variant.at, "this variant is not known");
                        };
                        shape.fields = fields;
                    }
                }
                TypeBody::Alias(_) => {}
            }
        }
        Ok(())
    }

    fn new_shape(&mut self, name: &str, union: Option<u16>) -> Result<u16> {
        let shapes = &mut self.world.program.shapes;
        let Ok(n) = u16::try_from(shapes.len()) else {
            return fault(self.at, "there are too many types");
        };
        let (name, methods) = (name.to_owned(), HashMap::new());
        shapes.push(Shape { name, fields: Vec::new(), methods, union });
        Ok(n)
    }

    fn fields(&self, fields: &[(String, TypeRef)]) -> Result<Vec<(String, Type)>> {
        if fields.len() > 200 {
            return fault(self.at, "a type has at most 200 fields");
        }
        fields.iter().map(|(name, ty)| Ok((name.clone(), self.resolve(ty)?))).collect()
    }

    fn signature(&self, fun: &Fun) -> Result<Rc<Signature>> {
        let generic = |ty: &Option<TypeRef>| match ty {
            Some(TypeRef::Name(name, _)) if fun.generics.contains(name) => Ok(Type::Any),
            Some(TypeRef::Generic(..) | TypeRef::Fun(..)) if !fun.generics.is_empty() => {
                Ok(Type::Any)
            }
            ty => self.resolve_or_any(ty.as_ref()),
        };
        let params = fun.params.iter().map(|param| generic(&param.ty)).collect::<Result<_>>()?;
        Ok(Rc::new(Signature { params, result: generic(&fun.result)? }))
    }

    /// Top-level functions and methods are known before any code is compiled.
    fn declare_functions(&mut self, program: &[Stmt]) -> Result<()> {
        for stmt in program {
            self.at = stmt.at;
            match &stmt.kind {
                StmtKind::Fun(fun) => {
                    let known = Known {
                        index: self.reserve_function(&fun.name)?,
                        signature: self.signature(fun)?,
                        wrapper: None,
                    };
                    self.world.functions.insert(fun.name.clone(), known);
                    self.world.globals.remove(&fun.name);
                }
                StmtKind::Type(name, TypeBody::Struct(_, methods)) => {
                    let Some(Type::Struct(shape)) = self.world.types.get(name).cloned() else {
                        continue;
                    };
                    for method in methods {
                        let index = self.reserve_function(&format!("{name}.{}", method.name))?;
                        let shape = &mut self.world.program.shapes[usize::from(shape)];
                        shape.methods.insert(method.name.clone(), index);
                        let signature = self.signature(method)?;
                        let known = Known { index, signature, wrapper: None };
                        self.world.functions.insert(format!("{name}.{}", method.name), known);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A number for a function whose code comes later.
    fn reserve_function(&mut self, name: &str) -> Result<u16> {
        let functions = &mut self.world.program.functions;
        let Ok(n) = u16::try_from(functions.len()) else {
            return fault(self.at, "there are too many functions");
        };
        functions.push(Rc::new(Function { name: name.to_owned(), ..Function::default() }));
        Ok(n)
    }

    /// Ends the innermost function and puts its code in the place kept for it.
    fn finish(&mut self, index: u16, arity: usize) -> Vec<(String, Local)> {
        let frame = self.frames.pop().unwrap_or_default();
        for (name, hidden) in frame.hidden.into_iter().rev() {
            match hidden {
                Some(known) => self.world.functions.insert(name, known),
                None => self.world.functions.remove(&name),
            };
        }
        let [i, f, c] = frame.most;
        let function = Function {
            name: frame.name,
            code: frame.code,
            places: frame.places,
            arity,
            frame: [i, f, c, frame.hints],
        };
        self.world.program.functions[usize::from(index)] = Rc::new(function);
        frame.captures
    }

    fn program(&mut self, program: &[Stmt], prompt: bool) -> Result<u16> {
        let main = self.reserve_function("the program")?;
        let mut frame = Frame { name: "the program".to_owned(), main: true, ..Frame::default() };
        frame.scopes.push(Vec::new());
        names::analyse(program, &mut frame.shared, &mut frame.appended);
        self.frames.push(frame);
        let mut last = None;
        for (n, stmt) in program.iter().enumerate() {
            self.at = stmt.at;
            match &stmt.kind {
                StmtKind::Fun(_) => {}
                StmtKind::Expr(expr) if prompt && n + 1 == program.len() => {
                    let mark = self.mark();
                    let value = self.boxed(expr, None)?;
                    self.release(mark);
                    last = Some(value);
                }
                _ => self.statement(stmt)?,
            }
        }
        match last {
            Some(reg) => self.emit(Op::RetC(reg)),
            None => {
                let reg = self.take(Bank::C)?;
                self.emit(Op::Null(reg));
                self.emit(Op::RetC(reg))
            }
        };
        self.finish(main, 0);
        // Functions come last: by then the types of the globals are known.
        for stmt in program {
            self.at = stmt.at;
            match &stmt.kind {
                StmtKind::Fun(fun) => {
                    // Of functions with one name, the last one counts.
                    if let Some(known) = self.world.functions.get(&fun.name).cloned() {
                        self.function(fun, known.index, &known.signature, None)?;
                    }
                }
                StmtKind::Type(name, TypeBody::Struct(_, methods)) => {
                    self.methods(name, methods)?
                }
                _ => {}
            }
        }
        Ok(main)
    }

    fn methods(&mut self, name: &str, methods: &[Rc<Fun>]) -> Result<()> {
        let Some(Type::Struct(shape)) = self.world.types.get(name).cloned() else { return Ok(()) };
        for method in methods {
            let signature = self.signature(method)?;
            if let Some(index) = self.shape(shape).methods.get(&method.name).copied() {
                self.function(method, index, &signature, Some(shape))?;
            }
        }
        Ok(())
    }

    /// Makes a value be of the type that is wanted, in the register that is wanted if one is.
    fn coerce(&mut self, value: Val, wanted: &Type, to: Option<Reg>) -> Result<Val> {
        if !value.ty.fits(wanted, &self.world.program.shapes) {
            let (found, wanted) = (self.shown(&value.ty), self.shown(wanted));
            return fault(self.at, format!("type mismatch: expected {wanted}, found {found}"));
        }
        let (from, bank) = (value.ty.bank(), wanted.bank());
        let ty =
            if *wanted == Type::Any && bank == from { value.ty.clone() } else { wanted.clone() };
        if from == bank {
            // A truth value is no number.
            if from == Bank::I && value.ty != *wanted {
                let (found, wanted) = (self.shown(&value.ty), self.shown(wanted));
                return fault(self.at, format!("type mismatch: expected {wanted}, found {found}"));
            }
            if let Some(to) = to {
                self.move_to(bank, to, value.reg);
                return Ok(Val { ty, reg: to });
            }
            return Ok(Val { ty, reg: value.reg });
        }
        let reg = match to {
            Some(reg) => reg,
            None => self.take(bank)?,
        };
        let v = value.reg;
        self.emit(match (&value.ty, wanted) {
            (Type::Int, Type::Float) => Op::FloatOf(reg, v),
            (Type::Int, _) => Op::BoxI(reg, v),
            (Type::Bool, _) => Op::BoxB(reg, v),
            (Type::Float, _) => Op::BoxF(reg, v),
            (_, Type::Int) => Op::UnboxI(reg, v),
            (_, Type::Float) => Op::UnboxF(reg, v),
            _ => Op::UnboxB(reg, v),
        });
        Ok(Val { ty, reg })
    }
}
