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

use std::collections::HashMap;
use std::rc::Rc;

use crate::bytecode::{Function, Idx, Op, Program, Reg};
use crate::errors::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Record, Shape, Signature, Type};

use scope::Symbol;

/// How many registers of each bank are taken.
type Mark = [u16; 3];

/// What is asked of the code for an expression.
#[derive(Clone, Copy)]
struct Dest<'t> {
    /// A type that the value will have to fit.
    expected: &'t Type,
    /// The register where the value should land, if it suits: it is of the bank of this type.
    reg: Option<Reg>,
    /// What was taken before: all registers behind are given back.
    mark: Mark,
}

impl Dest<'_> {
    fn reg_in(&self, bank: Bank) -> Option<Reg> {
        self.reg.filter(|_| self.expected.bank() == bank)
    }
}

/// What a loop does with each element.
type BodyFn<'b, 'w> = &'b mut dyn FnMut(&mut Compiler<'w>) -> Result<()>;

const ANY: &Type = &Type::Any;

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

impl Val {
    fn cell(reg: Reg) -> Val {
        Val { ty: Type::Any, reg }
    }
}

/// What outlives the compilation of one input.
#[derive(Default)]
pub(crate) struct Env {
    pub(crate) program: Program,
    globals: HashMap<String, Symbol>,
    types: HashMap<String, Type>,
    records: HashMap<String, Rc<Record>>,
    /// Tests are reported one by one.
    pub(crate) testing: bool,
}

#[derive(Default)]
struct Loop {
    breaks: Vec<usize>,
    continues: Vec<usize>,
}

#[derive(Default)]
struct FnState {
    /// What has been made of it so far, with the most registers that were in use.
    function: Function,
    scopes: Vec<Vec<Symbol>>,
    /// The next free register of each bank.
    next_reg: Mark,
    /// What the function takes with it from the function around it.
    captures: Vec<Symbol>,
    /// Arguments and result are cells: the function is called as a value.
    boxed_args: bool,
    /// The declared type of the result; the program itself has none.
    result: Option<Type>,
    loops: Vec<Loop>,
    /// Variables that inner functions know live in boxes. Those that are appended to carry a flag
    /// that says whether the list is theirs.
    uses: Uses,
    /// The struct whose method this is: its fields can be named alone.
    this: Option<Rc<Record>>,
}

impl FnState {
    fn of(fun: &Fun) -> FnState {
        let name = if fun.name.is_empty() { "fun" } else { &fun.name }.to_owned();
        let arity = fun.params.len();
        FnState {
            function: Function { name, arity, ..Function::default() },
            scopes: vec![Vec::new()],
            uses: fun.uses.clone(),
            ..FnState::default()
        }
    }
}

pub(crate) struct Compiler<'w> {
    env: &'w mut Env,
    /// The function that is being compiled, and those around it.
    current: FnState,
    enclosing: Vec<FnState>,
    /// Types of expressions that were compiled to see.
    inferred: HashMap<*const Expr, Type>,
    /// Where the code is that is being made.
    pos: Pos,
    /// All top-level variables are globals, not only those that functions know.
    all_global: bool,
    /// Functions that no program has written.
    synthesized: Vec<Rc<Fun>>,
}

/// Compiles a program into the env, or an input of the prompt; answers the number of the
/// function to run.
pub(crate) fn compile(env: &mut Env, program: &Fun, prompt: bool) -> Result<u16> {
    let body = &program.body;
    let count = body.iter().filter(|stmt| matches!(stmt.kind, StmtKind::Bind(_))).count();
    let mut compiler = Compiler {
        env,
        current: FnState::default(),
        enclosing: Vec::new(),
        inferred: HashMap::new(),
        pos: 0,
        all_global: prompt || count > TOP_LEVEL_MAX,
        synthesized: Vec::new(),
    };
    if compiler.env.program.shapes.is_empty() {
        let fields = [("key", Type::Any), ("items", Type::list(Type::Any))];
        let fields = fields.map(|(name, ty)| (name.to_owned(), ty)).to_vec();
        compiler.env.program.shapes.push(Shape { name: "group".to_owned(), fields });
    }
    compiler.declare_types(body)?;
    compiler.program(program, prompt)
}

/// The number of an entry of a table, as instructions name it.
fn table_index(pos: Pos, n: usize, what: &str) -> Result<Idx> {
    Idx::try_from(n).or_else(|_| error_at(pos, format!("there are too many {what}")))
}

/// The number of an entry of a table, which has each but once.
fn intern<T: PartialEq>(pos: Pos, table: &mut Vec<T>, entry: T) -> Result<Idx> {
    let n = table.iter().position(|it| *it == entry).unwrap_or(table.len());
    if n == table.len() {
        table.push(entry);
    }
    table_index(pos, n, "constants")
}

impl Compiler<'_> {
    /// Does something whose errors are those of another place in the source.
    fn with_pos<T>(&mut self, pos: Pos, body: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outer = std::mem::replace(&mut self.pos, pos);
        let result = body(self);
        self.pos = outer;
        result
    }

    // Code.

    fn emit(&mut self, op: Op) -> usize {
        let function = &mut self.current.function;
        function.code.push(op);
        function.positions.push(self.pos);
        function.code.len() - 1
    }

    fn here(&self) -> u32 {
        self.current.function.code.len() as u32
    }

    fn patch(&mut self, from: usize, to: u32) {
        if let Some(target) = self.current.function.code[from].target() {
            *target = to;
        }
    }

    /// Makes jumps lead to here.
    fn patch_here(&mut self, from: impl IntoIterator<Item = usize>) {
        let to = self.here();
        from.into_iter().for_each(|jump| self.patch(jump, to));
    }

    // Registers.

    fn mark(&self) -> Mark {
        self.current.next_reg
    }

    fn release(&mut self, mark: Mark) {
        self.current.next_reg = mark;
    }

    fn alloc_reg(&mut self, bank: Bank) -> Result<Reg> {
        let (n, most) =
            (self.current.next_reg[bank as usize], &mut self.current.function.frame_size);
        if n >= REGISTERS_MAX {
            return error_at(self.pos, "this function needs too many registers: split it up");
        }
        self.current.next_reg[bank as usize] = n + 1;
        most[bank as usize] = most[bank as usize].max(n + 1);
        Ok(n as Reg)
    }

    fn alloc_for(&mut self, ty: &Type) -> Result<Val> {
        Ok(Val { ty: ty.clone(), reg: self.alloc_reg(ty.bank())? })
    }

    fn dest<'t>(&self, ty: &'t Type) -> Dest<'t> {
        Dest { expected: ty, reg: None, mark: self.mark() }
    }

    /// The register to put a result in: the wanted one if it is of the right bank.
    fn dest_reg(&mut self, dest: Dest, ty: &Type) -> Result<Reg> {
        dest.reg_in(ty.bank()).map_or_else(|| self.alloc_reg(ty.bank()), Ok)
    }

    /// Ends an operation: what it read is given back, and its result has a register.
    fn emit_result(&mut self, dest: Dest, ty: Type, op: impl FnOnce(Reg) -> Op) -> Result<Val> {
        self.release(dest.mark);
        let reg = self.dest_reg(dest, &ty)?;
        self.emit(op(reg));
        Ok(Val { ty, reg })
    }

    /// Like `done`, for an instruction whose result is a cell that holds a value of this type.
    fn emit_unboxed(&mut self, dest: Dest, ty: &Type, op: impl FnOnce(Reg) -> Op) -> Result<Val> {
        let cell = self.emit_result(dest, Type::Any, op)?;
        self.ascribe(cell, ty, dest.reg_in(ty.bank()))
    }

    /// The next cell: the value of an expression, or null.
    fn expr_or_null_to_next(&mut self, expr: Option<&Expr>, ty: &Type) -> Result<Reg> {
        let null = Expr { pos: self.pos, kind: ExprKind::Null };
        let (expr, ty) = expr.map_or((&null, ANY), |expr| (expr, ty));
        self.expr_to_next(Bank::C, expr, ty)
    }

    /// Compiles to find a type out, and forgets the code.
    fn infer(&mut self, expr: &Expr, expected: &Type) -> Result<Type> {
        self.infer_with(expr, |compiler| Ok(compiler.expr(expr, expected, None)?.ty))
    }

    fn infer_with(
        &mut self,
        expr: &Expr,
        f: impl FnOnce(&mut Self) -> Result<Type>,
    ) -> Result<Type> {
        if let Some(ty) = self.inferred.get(&std::ptr::from_ref(expr)) {
            return Ok(ty.clone());
        }
        let (code, mark, pos) = (self.current.function.code.len(), self.mark(), self.pos);
        let functions = self.env.program.functions.len();
        let ty = f(self)?;
        self.env.program.functions.truncate(functions);
        self.pos = pos;
        self.release(mark);
        self.current.function.code.truncate(code);
        self.current.function.positions.truncate(code);
        self.inferred.insert(expr, ty.clone());
        Ok(ty)
    }

    // Tables.

    fn constant(&mut self, text: &str) -> Result<Idx> {
        intern(self.pos, &mut self.env.program.constants, text.to_owned())
    }

    fn move_to(&mut self, bank: Bank, to: Reg, from: Reg) {
        if to != from {
            self.emit([Op::MoveI, Op::MoveF, Op::MoveC][bank as usize](to, from));
        }
    }

    // Types.

    fn shape(&self, shape: u16) -> &Shape {
        &self.env.program.shapes[usize::from(shape)]
    }

    fn field_named(&self, shape: u16, name: &str) -> Option<(usize, Type)> {
        let shape = self.shape(shape);
        shape.field(name).map(|n| (n, shape.fields[n].1.clone()))
    }

    fn resolve_type(&self, TypeRef { name, args, pos }: &TypeRef) -> Result<Type> {
        if let (Some(ty), []) =
            (Type::from_name(name).or(self.env.types.get(name).cloned()), args.as_slice())
        {
            return Ok(ty);
        }
        Ok(match (name.as_str(), args.as_slice()) {
            ("list", []) => Type::list(Type::Any),
            ("list", [element]) => Type::list(self.resolve_type(element)?),
            ("map", []) => Type::map(Type::Any, Type::Any),
            ("map", [key, value]) => Type::map(self.resolve_type(key)?, self.resolve_type(value)?),
            ("option" | "group", [_]) => Type::Any,
            ("fun", [params @ .., result]) => {
                let params =
                    params.iter().map(|ty| self.resolve_type(ty)).collect::<Result<_>>()?;
                Type::Fun(Rc::new(Signature { params, result: self.resolve_type(result)? }))
            }
            (_, []) => return error_at(*pos, format!("there is no type `{name}`")),
            (_, args) => {
                let count = args.len();
                return error_at(
                    *pos,
                    format!("there is no type `{name}` with {count} parameters"),
                );
            }
        })
    }

    fn declare_types(&mut self, program: &[Stmt]) -> Result<()> {
        // Names first: types may refer to each other.
        let (mut bodies, mut aliases) = (Vec::new(), Vec::new());
        for stmt in program {
            self.pos = stmt.pos;
            if let StmtKind::Type(name, variants) = &stmt.kind {
                let single = matches!(variants.as_slice(), [(only, _)] if only == name);
                let union: Option<Rc<str>> = (!single).then(|| name.as_str().into());
                for (variant, fields) in variants {
                    let record = self.declare_record(variant, union.clone())?;
                    bodies.push((record, fields));
                }
                if let Some(union) = union {
                    self.env.types.insert(name.clone(), Type::Union(union));
                }
            } else if let StmtKind::Alias(name, ty) = &stmt.kind {
                self.env.types.insert(name.clone(), Type::Any);
                aliases.push((name, ty));
            }
        }
        for (name, ty) in aliases {
            let ty = self.resolve_type(ty)?;
            self.env.types.insert(name.clone(), ty);
        }
        for (shape, fields) in bodies {
            if fields.len() > 200 {
                return error_at(self.pos, "a type has at most 200 fields");
            }
            let resolved =
                fields.iter().map(|(name, ty)| Ok((name.clone(), self.resolve_type(ty)?)));
            let resolved = resolved.collect::<Result<_>>()?;
            self.env.program.shapes[usize::from(shape)].fields = resolved;
        }
        Ok(())
    }

    /// A struct, or a variant of a union, whose fields come later.
    fn declare_record(&mut self, name: &str, union: Option<Rc<str>>) -> Result<Idx> {
        let (shapes, name) = (&mut self.env.program.shapes, name.to_owned());
        let shape = table_index(self.pos, shapes.len(), "types")?;
        shapes.push(Shape { name: name.clone(), fields: Vec::new() });
        let record = Rc::new(Record { shape, name: name.clone(), union });
        self.env.types.insert(name.clone(), Type::Struct(Rc::clone(&record)));
        self.env.records.insert(name, record);
        Ok(shape)
    }

    /// What a function does not say of its types, the place where it is used may know.
    fn signature(&mut self, fun: &Fun, expected: &Type) -> Result<Rc<Signature>> {
        let count = fun.params.len();
        let (known, result) = match expected {
            Type::Fun(known) if known.params.len() == count => (&*known.params, &known.result),
            _ => (&*vec![Type::Any; count], ANY),
        };
        let resolve = |(ty, known): (&Option<TypeRef>, &Type)| match ty {
            Some(ty) => self.resolve_type(ty),
            None => Ok(known.clone()),
        };
        let params = fun.params.iter().map(|(_, ty)| ty).zip(known);
        let params = params.map(resolve).collect::<Result<_>>()?;
        let result = resolve((&fun.result, result))?;
        Ok(Rc::new(Signature { params, result }))
    }

    /// A number for a function whose code comes later.
    fn reserve_function(&mut self, name: &str) -> Result<u16> {
        let functions = &mut self.env.program.functions;
        functions.push(Rc::new(Function { name: name.to_owned(), ..Function::default() }));
        table_index(self.pos, functions.len() - 1, "functions")
    }

    fn begin(&mut self, frame: FnState) {
        self.enclosing.push(std::mem::replace(&mut self.current, frame));
    }

    /// Ends the innermost function and puts its code in the place kept for it.
    fn finish(&mut self, index: u16) -> Vec<Symbol> {
        let outer = self.enclosing.pop().unwrap_or_default();
        let frame = std::mem::replace(&mut self.current, outer);
        self.env.program.functions[usize::from(index)] = Rc::new(frame.function);
        frame.captures
    }

    fn program(&mut self, program: &Fun, prompt: bool) -> Result<u16> {
        // Top-level functions and methods are known before any code is compiled.
        let mut functions = Vec::new();
        for stmt in &program.body {
            if let StmtKind::Fun(fun) = &stmt.kind {
                self.pos = fun.pos;
                let (index, signature) =
                    (self.reserve_function(&fun.name)?, self.signature(fun, ANY)?);
                let function = Symbol::function(&fun.name, index, &signature);
                self.env.globals.insert(fun.name.clone(), function);
                functions.push((fun, index, signature));
            }
        }
        let main = self.reserve_function(&program.name)?;
        self.begin(FnState::of(program));
        let (body, last) = match program.body.as_slice() {
            [before @ .., Stmt { kind: StmtKind::Expr(expr), .. }] if prompt => {
                (before, Some(expr))
            }
            body => (body, None),
        };
        for stmt in body.iter().filter(|stmt| !matches!(stmt.kind, StmtKind::Fun(_))) {
            self.statement(stmt)?;
        }
        let result = self.expr_or_null_to_next(last, ANY)?;
        self.emit(Op::RetC(result));
        self.finish(main);
        // Their code comes last: by then the types of the globals are known.
        for (fun, index, signature) in functions {
            self.function(fun, index, &signature, false)?;
        }
        Ok(main)
    }

    /// Makes a value be of the type that is wanted, in the register that is wanted if one is.
    fn coerce(&mut self, value: Val, wanted: &Type, to: Option<Reg>) -> Result<Val> {
        let (from, bank) = (value.ty.bank(), wanted.bank());
        // A truth value is no number.
        let other = from == Bank::I && bank == Bank::I && value.ty != *wanted;
        if other || !value.ty.is_compatible(wanted) {
            let found = &value.ty;
            return error_at(self.pos, format!("type mismatch: expected {wanted}, found {found}"));
        }
        let known = *wanted == Type::Any && bank == from;
        let ty = if known { value.ty.clone() } else { wanted.clone() };
        let v = value.reg;
        let reg = match to {
            Some(reg) => reg,
            None if from == bank => v,
            None => self.alloc_reg(bank)?,
        };
        if from == bank {
            self.move_to(bank, reg, v);
            return Ok(Val { ty, reg });
        }
        self.emit(match (&value.ty, wanted) {
            (Type::Int, Type::Float) => Op::IToF(reg, v),
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
