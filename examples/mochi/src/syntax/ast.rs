//! The abstract syntax tree. Each node has its position in the source.

use std::collections::HashSet;
use std::rc::Rc;

use crate::bytecode::ArithOp;

/// A byte offset into the source.
pub(crate) type Pos = u32;

/// A type as written: a name and its type arguments. A function type is `fun` of the parameter
/// types and the result type.
#[derive(Clone)]
pub(crate) struct TypeRef {
    pub(crate) name: String,
    pub(crate) args: Vec<TypeRef>,
    pub(crate) pos: Pos,
}

impl TypeRef {
    pub(crate) fn new(name: &str, args: Vec<TypeRef>, pos: Pos) -> TypeRef {
        TypeRef { name: name.to_owned(), args, pos }
    }

    /// Whether it is `T?`.
    pub(crate) fn is_optional(&self) -> bool {
        self.name == "option"
    }
}

pub(crate) type Fields = Vec<(String, TypeRef)>;

/// The name of the receiver, the implicit first parameter of a method. No identifier has a space.
pub(crate) const THIS: &str = " this";

/// A function or a closure; also the program itself.
#[derive(Default)]
pub(crate) struct Fun {
    /// Empty for a closure; `Struct.method` for a method.
    pub(crate) name: String,
    pub(crate) params: Vec<(String, Option<TypeRef>)>,
    pub(crate) result: Option<TypeRef>,
    pub(crate) body: Vec<Stmt>,
    pub(crate) uses: Uses,
    pub(crate) pos: Pos,
}

/// How a function, including the functions nested in it, uses names. The parser collects this, so
/// that no pass over the AST is needed before code generation.
#[derive(Clone, Default)]
pub(crate) struct Uses {
    /// Every name that is mentioned.
    pub(crate) mentioned: HashSet<String>,
    /// The names mentioned in nested functions, which capture them.
    pub(crate) captured: HashSet<String>,
    /// The names mentioned in top-level functions and methods, which capture nothing: variables of
    /// these names have to be globals.
    pub(crate) global: HashSet<String>,
    /// The variables that grow by `xs = append(xs, x)`.
    pub(crate) appended: HashSet<String>,
}

/// A node of the AST and its position.
pub(crate) struct Node<K> {
    pub(crate) pos: Pos,
    pub(crate) kind: K,
}

pub(crate) type Stmt = Node<StmtKind>;
pub(crate) type Expr = Node<ExprKind>;

/// `let` and `var`.
pub(crate) struct Binding {
    pub(crate) name: String,
    pub(crate) ty: Option<TypeRef>,
    pub(crate) value: Option<Expr>,
    pub(crate) mutable: bool,
}

pub(crate) enum StmtKind {
    Bind(Binding),
    /// A place expression, and the value to assign to it.
    Assign(Expr, Expr),
    Fun(Rc<Fun>),
    Return(Option<Expr>),
    While(Expr, Vec<Stmt>),
    /// The loop variable, the value to iterate over or the start of a range, the end of the range,
    /// and the body.
    For(String, Expr, Option<Expr>, Vec<Stmt>),
    Break,
    Continue,
    /// A union and its variants. A struct is a union whose only variant has its name.
    Type(String, Vec<(String, Fields)>),
    Alias(String, TypeRef),
    Expr(Expr),
    Test(String, Vec<Stmt>),
    Bench(String, Vec<Stmt>),
    Expect(Expr),
    /// The list, the fields to set, and the condition on its elements.
    Update(String, Vec<(String, Expr)>, Option<Expr>),
}

impl Expr {
    /// The name, if this is one.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The callee and the arguments, if this is a call by name.
    pub(crate) fn named_call(&self) -> Option<(&str, &[Expr])> {
        match &self.kind {
            ExprKind::Call(callee, args) => Some((callee.name()?, args)),
            _ => None,
        }
    }

    /// The appended value, if this is `append(name, value)`.
    pub(crate) fn appended_to(&self, name: &str) -> Option<&Expr> {
        match self.named_call()? {
            ("append", [list, value]) if list.name() == Some(name) => Some(value),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    /// An operator that computes a value; all others yield or test a boolean, or pick an operand.
    Arith(ArithOp),
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    And,
    Or,
    Coalesce,
}

pub(crate) enum ExprKind {
    Null,
    Int(i64),
    /// An integer beyond 64 bits, in decimal.
    BigInt(String),
    Float(f64),
    Bool(bool),
    String(String),
    Name(String),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Struct(String, Vec<(String, Expr)>),
    Not(Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    Call(Box<Expr>, Vec<Expr>),
    Index(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, [Option<Box<Expr>>; 3]),
    Field(Box<Expr>, String),
    Cast(Box<Expr>, TypeRef),
    Match(Match),
    /// A block; its value is null.
    Block(Vec<Stmt>),
    Fun(Rc<Fun>),
    Query(Box<Query>),
}

/// A `match`: the scrutinee, and pairs of a pattern and a body. An `if` has no scrutinee, and its
/// patterns are conditions.
pub(crate) struct Match {
    pub(crate) scrutinee: Option<Box<Expr>>,
    pub(crate) cases: Vec<(Expr, Expr)>,
}

/// A `from` clause, or a `join` clause with its condition.
pub(crate) struct Source {
    /// Whether rows of the left side without a match are kept (a left join), and those of this
    /// source (a right join).
    pub(crate) left: bool,
    pub(crate) right: bool,
    pub(crate) name: String,
    pub(crate) list: Expr,
    pub(crate) on: Option<Expr>,
}

pub(crate) struct Group {
    pub(crate) key: Expr,
    /// The part of a row that its group collects.
    pub(crate) item: Expr,
    pub(crate) name: String,
    pub(crate) having: Option<Expr>,
}

pub(crate) struct Query {
    pub(crate) sources: Vec<Source>,
    pub(crate) condition: Option<Expr>,
    pub(crate) group: Option<Group>,
    pub(crate) sort: Option<Expr>,
    pub(crate) skip: Option<Expr>,
    pub(crate) take: Option<Expr>,
    pub(crate) distinct: bool,
    pub(crate) select: Expr,
}
