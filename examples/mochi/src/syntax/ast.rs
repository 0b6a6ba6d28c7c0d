//! The tree of a program. Every node knows its place in the source.

use std::collections::HashSet;
use std::rc::Rc;

use crate::bytecode::ArithOp;

/// A byte offset into the source.
pub(crate) type Pos = u32;

/// A name with the types in its angle brackets; a function is `fun` of its parameters and result.
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
}

pub(crate) type Fields = Vec<(String, TypeRef)>;

/// The first parameter of a method: the record.
pub(crate) const THIS: &str = " this";

/// A function, named or not; the program is one too.
#[derive(Default)]
pub(crate) struct Fun {
    /// That of a method begins with its struct and a point.
    pub(crate) name: String,
    pub(crate) params: Vec<(String, Option<TypeRef>)>,
    pub(crate) result: Option<TypeRef>,
    pub(crate) body: Vec<Stmt>,
    pub(crate) uses: Uses,
    pub(crate) pos: Pos,
}

/// What a function and those inside it do with names: the parser sees every name anyway, so it
/// takes notes, and nobody has to walk over the tree again.
#[derive(Clone, Default)]
pub(crate) struct Uses {
    pub(crate) names: HashSet<String>,
    /// The names that occur in inner functions, and those in the functions of the program, which
    /// capture nothing.
    pub(crate) inner: HashSet<String>,
    pub(crate) top: HashSet<String>,
    /// Lists that grow by `xs = append(xs, x)`.
    pub(crate) appended: HashSet<String>,
}

/// A part of the tree and its place.
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
    /// An expression that names a place, and the value to put there.
    Assign(Expr, Expr),
    Fun(Rc<Fun>),
    Return(Option<Expr>),
    While(Expr, Vec<Stmt>),
    /// A variable, what it goes over or begins with, the end of a range, the body.
    For(String, Expr, Option<Expr>, Vec<Stmt>),
    Break,
    Continue,
    /// A struct, or the variants of a union: a struct is the only variant of its own name.
    Type(String, Vec<(String, Fields)>),
    Alias(String, TypeRef),
    Expr(Expr),
    Test(String, Vec<Stmt>),
    Bench(String, Vec<Stmt>),
    Expect(Expr),
    /// A list, what fields are set to, a condition.
    Update(String, Vec<(String, Expr)>, Option<Expr>),
}

impl Expr {
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The name and the arguments, if this is a call of something by its name.
    pub(crate) fn named_call(&self) -> Option<(&str, &[Expr])> {
        match &self.kind {
            ExprKind::Call(callee, args) => Some((callee.name()?, args)),
            _ => None,
        }
    }

    /// The value that is appended, if this is `append(name, value)`.
    pub(crate) fn appended_to(&self, name: &str) -> Option<&Expr> {
        match self.named_call()? {
            ("append", [list, value]) if list.name() == Some(name) => Some(value),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    /// A calculation, or an operation on sets.
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
    /// Statements, of which nothing comes.
    Block(Vec<Stmt>),
    Fun(Rc<Fun>),
    Query(Box<Query>),
}

/// A value, and patterns with what is done for each. Without a value these are conditions: that is
/// `if`.
pub(crate) struct Match {
    pub(crate) target: Option<Box<Expr>>,
    pub(crate) cases: Vec<(Expr, Expr)>,
}

/// A `from`, or a `join` with its condition.
pub(crate) struct Source {
    /// Whether rows of the sources before stay that have no partner here, and the other way round.
    pub(crate) left: bool,
    pub(crate) right: bool,
    pub(crate) name: String,
    pub(crate) list: Expr,
    pub(crate) on: Option<Expr>,
}

pub(crate) struct Group {
    pub(crate) key: Expr,
    /// What of a row goes into its group.
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
