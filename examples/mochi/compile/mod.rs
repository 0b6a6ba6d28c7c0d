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
mod query;
mod scope;
mod stmt;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::bytecode::{Function, Idx, Op, Program, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Shape, Signature, Type};

use scope::Local;

/// The register that a value should land in, if it suits.
type Wanted = Option<(Bank, Reg)>;

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
    globals: HashMap<String, Local>,
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
    /// The declared type of the result; the program itself has none.
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
}

impl Frame {
    fn of(fun: &Fun) -> Frame {
        let name = if fun.name.is_empty() { "fun" } else { &fun.name };
        Frame {
            name: name.to_owned(),
            scopes: vec![Vec::new()],
            shared: fun.uses.assigned.intersection(&fun.uses.inner).cloned().collect(),
            appended: fun.uses.appended.clone(),
            ..Frame::default()
        }
    }
}

pub(crate) struct Compiler<'w> {
    world: &'w mut World,
    frames: Vec<Frame>,
    /// Types of expressions that were compiled to see.
    probed: HashMap<*const Expr, Type>,
    /// Where the code is that is being made.
    at: At,
    /// Top-level variables are globals if functions know them, or at the prompt.
    global_names: &'w HashSet<String>,
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
pub(crate) fn compile(world: &mut World, program: &Fun, mode: Mode) -> Result<u16> {
    let body = &program.body;
    let count = body.iter().filter(|stmt| matches!(stmt.kind, StmtKind::Bind { .. })).count();
    let mut compiler = Compiler {
        world,
        frames: Vec::new(),
        probed: HashMap::new(),
        at: 0,
        global_names: &program.uses.inner,
        all_global: mode.prompt || count > TOP_LEVEL_MAX,
        testing: mode.testing,
        kept: 0,
    };
    if compiler.world.program.shapes.is_empty() {
        let group = usize::from(compiler.new_shape("group", None)?);
        compiler.world.program.shapes[group].fields =
            vec![("key".to_owned(), Type::Any), ("items".to_owned(), Type::list(Type::Any))];
    }
    compiler.declare_types(body)?;
    compiler.declare_functions(body)?;
    compiler.program(program, mode.prompt)
}

/// The number of an entry of a table, as instructions name it.
fn numbered(at: At, n: usize, what: &str) -> Result<Idx> {
    Idx::try_from(n).or_else(|_| fault(at, format!("there are too many {what}")))
}

/// The functions and methods of a program, methods with the name of their type.
fn functions(program: &[Stmt]) -> impl Iterator<Item = (Option<&String>, &Rc<Fun>)> {
    program.iter().flat_map(|stmt| {
        let (owner, functions) = match &stmt.kind {
            StmtKind::Fun(fun) => (None, std::slice::from_ref(fun)),
            StmtKind::Type(name, TypeBody::Struct(_, methods)) => (Some(name), methods.as_slice()),
            _ => (None, [].as_slice()),
        };
        functions.iter().map(move |fun| (owner, fun))
    })
}

/// What a function is known by.
fn full_name(owner: Option<&String>, fun: &Fun) -> String {
    owner.map_or_else(|| fun.name.clone(), |owner| format!("{owner}.{}", fun.name))
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

    fn land_at(&mut self, from: usize, to: u32) {
        if let Some(target) = self.frame().code[from].target() {
            *target = to;
        }
    }

    /// Makes the jump at `from` lead to here.
    fn land(&mut self, from: usize) {
        let to = self.label();
        self.land_at(from, to);
    }

    fn land_all(&mut self, from: Vec<usize>) {
        from.into_iter().for_each(|jump| self.land(jump));
    }

    /// Does something if a condition holds, or if there is none.
    fn guarded(
        &mut self,
        condition: Option<&Expr>,
        body: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let skip = condition.map_or(Ok(Vec::new()), |it| self.condition(it, false))?;
        body(self)?;
        self.land_all(skip);
        Ok(())
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
    fn target(&mut self, wanted: Wanted, ty: &Type) -> Result<Reg> {
        match wanted {
            Some((bank, reg)) if bank == ty.bank() => Ok(reg),
            _ => self.take(ty.bank()),
        }
    }

    /// Ends an operation: what it read is given back, and its result has a register.
    fn done(
        &mut self,
        mark: [u16; 3],
        ty: Type,
        wanted: Wanted,
        op: impl FnOnce(Reg) -> Op,
    ) -> Result<Val> {
        self.release(mark);
        let reg = self.target(wanted, &ty)?;
        self.emit(op(reg));
        Ok(Val { ty, reg })
    }

    /// The value as a cell in the next register: so are those passed that follow each other.
    fn argument(&mut self, expr: &Expr, ty: &Type) -> Result<Reg> {
        let reg = self.take(Bank::C)?;
        let mark = self.mark();
        if *ty == Type::Any {
            self.boxed(expr, Some(reg))?;
        } else {
            let cell = self.boxed_typed(expr, ty)?;
            self.move_to(Bank::C, reg, cell.reg);
        }
        self.release(mark);
        Ok(reg)
    }

    /// An argument, or null in its place.
    fn optional_argument(&mut self, expr: Option<&Expr>, ty: &Type) -> Result<Reg> {
        if let Some(expr) = expr {
            return self.argument(expr, ty);
        }
        let reg = self.take(Bank::C)?;
        self.emit(Op::Null(reg));
        Ok(reg)
    }

    /// Compiles to find the type out, and forgets the code.
    fn probe(&mut self, expr: &Expr, expected: &Type) -> Result<Type> {
        if let Some(ty) = self.probed.get(&std::ptr::from_ref(expr)) {
            return Ok(ty.clone());
        }
        let (code, next) = (self.here().code.len(), self.here().next);
        let at = self.at;
        let functions = self.world.program.functions.len();
        let ty = self.expr(expr, None, expected)?.ty;
        let functions = functions.max(self.kept);
        self.world.program.functions.truncate(functions);
        self.at = at;
        let frame = self.frame();
        frame.code.truncate(code);
        frame.places.truncate(code);
        frame.next = next;
        self.probed.insert(expr, ty.clone());
        Ok(ty)
    }

    // Tables.

    fn intern<T>(
        at: At,
        table: &mut Vec<T>,
        entry: T,
        same: impl Fn(&T, &T) -> bool,
    ) -> Result<Idx> {
        let n = table.iter().position(|it| same(it, &entry)).unwrap_or(table.len());
        if n == table.len() {
            table.push(entry);
        }
        numbered(at, n, "constants")
    }

    fn constant(&mut self, text: &str) -> Result<Idx> {
        Self::intern(self.at, &mut self.world.program.constants, text.to_owned(), String::eq)
    }

    fn name(&mut self, name: &str) -> Result<Idx> {
        Self::intern(self.at, &mut self.world.program.names, name.to_owned(), String::eq)
    }

    fn type_index(&mut self, ty: &Type) -> Result<Idx> {
        Self::intern(self.at, &mut self.world.program.types, ty.clone(), Type::eq)
    }

    fn load_int(&mut self, reg: Reg, value: i64) -> Result<()> {
        let op = match i32::try_from(value) {
            Ok(value) => Op::LoadI(reg, value),
            Err(_) => {
                let ints = &mut self.world.program.ints;
                Op::WideI(reg, Self::intern(self.at, ints, value, i64::eq)?)
            }
        };
        self.emit(op);
        Ok(())
    }

    fn load_float(&mut self, reg: Reg, value: f64) -> Result<()> {
        // 0.0 and -0.0 are two constants.
        let same = |a: &f64, b: &f64| a.to_bits() == b.to_bits();
        let k = Self::intern(self.at, &mut self.world.program.floats, value, same)?;
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
        let (name, args, at) = match ty {
            TypeRef::Fun(params, result) => {
                let params = params.iter().map(|ty| self.resolve(ty)).collect::<Result<_>>()?;
                let result = result.as_ref().map_or(Ok(Type::Null), |ty| self.resolve(ty))?;
                return Ok(Type::Fun(Rc::new(Signature { params, result })));
            }
            TypeRef::Named(name, args, at) => (name.as_str(), args.as_slice(), *at),
        };
        Ok(match (name, args) {
            ("int" | "i64" | "int64" | "i32", []) => Type::Int,
            ("float" | "f64", []) => Type::Float,
            ("bool", []) => Type::Bool,
            ("string", []) => Type::Text,
            ("bigint", []) => Type::BigInt,
            ("bytes", []) => Type::Bytes,
            ("list", []) => Type::list(Type::Any),
            ("list", [element]) => Type::list(self.resolve(element)?),
            ("map", []) => Type::map(Type::Any, Type::Any),
            ("map", [key, value]) => Type::map(self.resolve(key)?, self.resolve(value)?),
            ("any" | "null", []) | ("option" | "group", [_]) => Type::Any,
            ("void" | "unit", []) => Type::Null,
            (_, []) => match self.world.types.get(name) {
                Some(ty) => ty.clone(),
                None => return fault(at, format!("there is no type `{name}`")),
            },
            _ => {
                let count = args.len();
                return fault(at, format!("there is no type `{name}` with {count} parameters"));
            }
        })
    }

    fn declare_types(&mut self, program: &[Stmt]) -> Result<()> {
        let types = program.iter().filter_map(|stmt| match &stmt.kind {
            StmtKind::Type(name, body) => Some((name, body, stmt.at)),
            _ => None,
        });
        // Names first: types may refer to each other.
        let mut shapes = Vec::new();
        for (name, body, at) in types.clone() {
            self.at = at;
            let ty = match body {
                TypeBody::Struct(fields, _) => {
                    let shape = self.new_shape(name, None)?;
                    shapes.push((shape, fields));
                    Type::Struct(shape)
                }
                TypeBody::Union(variants) => {
                    let union = self.world.unions.len() as u16;
                    self.world.unions.push(name.clone());
                    for (variant, fields) in variants {
                        let shape = self.new_shape(variant, Some(union))?;
                        shapes.push((shape, fields));
                        self.world.types.insert(variant.clone(), Type::Struct(shape));
                    }
                    Type::Union(union)
                }
                TypeBody::Alias(_) => Type::Any,
            };
            self.world.types.insert(name.clone(), ty);
        }
        for (name, body, _) in types {
            if let TypeBody::Alias(alias) = body {
                let ty = self.resolve(alias)?;
                self.world.types.insert(name.clone(), ty);
            }
        }
        for (shape, fields) in shapes {
            if fields.len() > 200 {
                return fault(self.at, "a type has at most 200 fields");
            }
            let resolved = fields.iter().map(|(name, ty)| Ok((name.clone(), self.resolve(ty)?)));
            let resolved = resolved.collect::<Result<_>>()?;
            self.world.program.shapes[usize::from(shape)].fields = resolved;
        }
        Ok(())
    }

    fn new_shape(&mut self, name: &str, union: Option<u16>) -> Result<u16> {
        let shapes = &mut self.world.program.shapes;
        let (name, methods) = (name.to_owned(), HashMap::new());
        shapes.push(Shape { name, fields: Vec::new(), methods, union });
        numbered(self.at, shapes.len() - 1, "types")
    }

    fn signature(&self, fun: &Fun) -> Result<Rc<Signature>> {
        let resolve = |ty: &Option<TypeRef>| match ty {
            None => Ok(Type::Any),
            // A type that is made of type parameters is not looked at.
            Some(TypeRef::Named(name, args, _))
                if fun.generics.contains(name) || !args.is_empty() && !fun.generics.is_empty() =>
            {
                Ok(Type::Any)
            }
            Some(TypeRef::Fun(..)) if !fun.generics.is_empty() => Ok(Type::Any),
            Some(ty) => self.resolve(ty),
        };
        let params = fun.params.iter().map(|param| resolve(&param.ty)).collect::<Result<_>>()?;
        Ok(Rc::new(Signature { params, result: resolve(&fun.result)? }))
    }

    /// The shape of the struct whose methods are declared.
    fn shape_of(&self, owner: Option<&String>) -> Option<u16> {
        match self.world.types.get(owner?) {
            Some(Type::Struct(shape)) => Some(*shape),
            _ => None,
        }
    }

    /// Top-level functions and methods are known before any code is compiled.
    fn declare_functions(&mut self, program: &[Stmt]) -> Result<()> {
        for (owner, fun) in functions(program) {
            self.at = fun.at;
            let name = full_name(owner, fun);
            let (index, signature) = (self.reserve_function(&name)?, self.signature(fun)?);
            match self.shape_of(owner) {
                Some(shape) => {
                    let shape = &mut self.world.program.shapes[usize::from(shape)];
                    shape.methods.insert(fun.name.clone(), index);
                }
                None => {
                    self.world.globals.remove(&name);
                }
            }
            self.world.functions.insert(name, Known { index, signature, wrapper: None });
        }
        Ok(())
    }

    /// A number for a function whose code comes later.
    fn reserve_function(&mut self, name: &str) -> Result<u16> {
        let functions = &mut self.world.program.functions;
        functions.push(Rc::new(Function { name: name.to_owned(), ..Function::default() }));
        numbered(self.at, functions.len() - 1, "functions")
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

    fn program(&mut self, program: &Fun, prompt: bool) -> Result<u16> {
        let main = self.reserve_function(&program.name)?;
        self.frames.push(Frame::of(program));
        let mut body = program.body.as_slice();
        let mut last = None;
        if let ([before @ .., Stmt { kind: StmtKind::Expr(expr), .. }], true) = (body, prompt) {
            (body, last) = (before, Some(expr));
        }
        for stmt in body.iter().filter(|stmt| !matches!(stmt.kind, StmtKind::Fun(_))) {
            self.statement(stmt)?;
        }
        let result = self.optional_argument(last, &Type::Any)?;
        self.emit(Op::RetC(result));
        self.finish(main, 0);
        // Functions come last: by then the types of the globals are known.
        for (owner, fun) in functions(&program.body) {
            // Of functions with one name, the last one counts.
            if let Some(known) = self.world.functions.get(&full_name(owner, fun)).cloned() {
                let signature = self.signature(fun)?;
                self.function(fun, known.index, &signature, self.shape_of(owner))?;
            }
        }
        Ok(main)
    }

    /// Makes a value be of the type that is wanted, in the register that is wanted if one is.
    fn coerce(&mut self, value: Val, wanted: &Type, to: Option<Reg>) -> Result<Val> {
        let (from, bank) = (value.ty.bank(), wanted.bank());
        // A truth value is no number.
        let other = from == Bank::I && bank == Bank::I && value.ty != *wanted;
        if other || !value.ty.fits(wanted, &self.world.program.shapes) {
            let (found, wanted) = (self.shown(&value.ty), self.shown(wanted));
            return fault(self.at, format!("type mismatch: expected {wanted}, found {found}"));
        }
        let known = *wanted == Type::Any && bank == from;
        let ty = if known { value.ty.clone() } else { wanted.clone() };
        let v = value.reg;
        let reg = match to {
            Some(reg) => reg,
            None if from == bank => v,
            None => self.take(bank)?,
        };
        if from == bank {
            self.move_to(bank, reg, v);
            return Ok(Val { ty, reg });
        }
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
