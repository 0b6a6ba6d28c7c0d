//! The compiler: from the AST to bytecode in one pass, which also checks and infers types.
//!
//! Each expression is compiled into a register of the bank that its type determines. Where a type
//! must be known before the code is emitted, the expression is compiled speculatively and the code
//! discarded ([`infer`](Compiler::infer)).
//!
//! | Module | Contents |
//! |---|---|
//! | `emit` | instructions, jumps, register allocation, destinations, coercions |
//! | `types` | type declarations, resolution of types as written |
//! | `scope` | the symbol table: name resolution, captures, loads and stores of variables |
//! | `stmt`, `loops` | statements |
//! | `expr`, `literal`, `operator`, `access` | expressions |
//! | `call`, `builtin_call` | functions, closures and calls |
//! | `branch`, `pattern` | conditions, `if`, `match` |
//! | `query`, `join` | queries, lowered to loops |

mod access;
mod branch;
mod builtin_call;
mod call;
mod emit;
mod expr;
mod join;
mod literal;
mod loops;
mod operator;
mod pattern;
mod query;
mod scope;
mod stmt;
mod types;

use std::collections::HashMap;
use std::rc::Rc;

use crate::bytecode::{Function, Op, Program};
use crate::diagnostics::Result;
use crate::syntax::ast::*;
use crate::types::{Record, Shape, Type};

use emit::{Dest, Mark, Val, table_index};
use scope::{Storage, Symbol};

/// Emits the body of a loop or of a condition.
type BodyFn<'b, 'w> = &'b mut dyn FnMut(&mut Compiler<'w>) -> Result<()>;

const ANY: &Type = &Type::Any;
/// Other names of `none`, unless a program declares them.
const NULLS: [&str; 2] = ["nil", "null"];

/// The number of top-level variables that are allocated to registers. A program with more keeps all
/// of them in globals.
const TOP_LEVEL_MAX: usize = 100;
/// The shape of query groups: a key and a list of items.
pub(crate) const GROUP: u16 = 0;

/// The environment: everything that later inputs of the prompt can refer to.
#[derive(Default)]
pub(crate) struct Env {
    pub(crate) program: Program,
    globals: HashMap<String, Symbol>,
    types: HashMap<String, Type>,
    records: HashMap<String, Rc<Record>>,
    /// Whether test blocks are reported, instead of failing the program.
    pub(crate) testing: bool,
}

impl Env {
    /// The names of variables, functions and types. No name that a program writes has a dot.
    #[cfg(feature = "cli")]
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.globals.keys().chain(self.types.keys()).map(String::as_str);
        names.filter(|name| !name.contains('.'))
    }

    /// The name of a global variable in bank c.
    pub(crate) fn global_named(&self, slot: usize) -> Option<&str> {
        let in_slot = |symbol: &&Symbol| {
            let is_cell = symbol.ty.bank() == crate::types::Bank::C;
            is_cell && matches!(symbol.storage, Storage::Global(at) if usize::from(at) == slot)
        };
        self.globals.values().find(in_slot).map(|symbol| symbol.name.as_str())
    }
}

/// The jumps out of a loop body, to be patched.
#[derive(Default)]
struct Loop {
    breaks: Vec<usize>,
    continues: Vec<usize>,
}

/// The state of a function that is being compiled.
#[derive(Default)]
struct FnState {
    /// The code so far.
    function: Function,
    scopes: Vec<Vec<Symbol>>,
    /// The first free register of each bank.
    next_reg: Mark,
    /// The variables of enclosing functions that this one captures: its upvalues.
    captures: Vec<Symbol>,
    /// The calling convention of function values: the closure, the arguments and the result are
    /// cells. Direct calls pass each argument in the bank of its type.
    boxed_args: bool,
    /// The declared result type. The program itself has none.
    result: Option<Type>,
    /// Whether it is written as `T?`.
    optional_result: bool,
    loops: Vec<Loop>,
    /// Captured variables live in boxes. Variables that are appended to have an owned flag.
    uses: Uses,
    /// The struct whose method this is. Its fields are in scope.
    this: Option<Rc<Record>>,
}

impl FnState {
    fn of(fun: &Fun) -> FnState {
        let name = if fun.name.is_empty() { "<closure>" } else { &fun.name }.to_owned();
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
    /// The innermost function, and the functions around it.
    current: FnState,
    enclosing: Vec<FnState>,
    /// The types of expressions that were compiled speculatively. The AST outlives the compiler, so
    /// addresses identify expressions.
    inferred: HashMap<*const Expr, Type>,
    /// The source position of the code that is being emitted.
    pos: Pos,
    /// Whether all top-level variables are globals, not only those that functions mention.
    all_global: bool,
    /// Keeps synthesized functions alive: addresses in `inferred` must not be reused.
    synthesized: Vec<Rc<Fun>>,
}

/// Compiles a program, or an input of the prompt, into the environment. Returns the index of the
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
        let optional = vec![false; fields.len()];
        compiler.env.program.shapes.push(Shape { name: "group".to_owned(), fields, optional });
    }
    compiler.declare_types(body)?;
    compiler.program(program, prompt)
}

impl Compiler<'_> {
    /// Reserves an index for a function that is compiled later.
    fn reserve_function(&mut self, name: &str) -> Result<u16> {
        let functions = &mut self.env.program.functions;
        functions.push(Rc::new(Function { name: name.to_owned(), ..Function::default() }));
        table_index(self.pos, functions.len() - 1, "functions")
    }

    /// Starts to compile a function.
    fn begin(&mut self, state: FnState) {
        self.enclosing.push(std::mem::replace(&mut self.current, state));
    }

    /// Ends the innermost function and stores its code at the reserved index. Returns its captures.
    fn finish(&mut self, index: u16) -> Vec<Symbol> {
        let enclosing = self.enclosing.pop().unwrap_or_default();
        let state = std::mem::replace(&mut self.current, enclosing);
        self.env.program.functions[usize::from(index)] = Rc::new(state.function);
        state.captures
    }

    fn program(&mut self, program: &Fun, prompt: bool) -> Result<u16> {
        // Functions and methods can be called before their declaration.
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
        // Function bodies come last: now the types of the globals are known.
        for (fun, index, signature) in functions {
            self.function(fun, index, &signature, false)?;
        }
        Ok(main)
    }
}
