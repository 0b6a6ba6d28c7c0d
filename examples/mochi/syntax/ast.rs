//! The tree of a program. Every node knows its place in the source.

use std::rc::Rc;

/// A byte offset into the source.
pub(crate) type At = u32;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TypeRef {
    Name(String, At),
    Generic(String, Vec<TypeRef>, At),
    Fun(Vec<TypeRef>, Option<Box<TypeRef>>),
    Record,
    /// `T?`: may be null.
    Optional(Box<TypeRef>),
}

#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) ty: Option<TypeRef>,
}

/// A function, named or not.
#[derive(Debug)]
pub(crate) struct Fun {
    pub(crate) name: String,
    pub(crate) params: Vec<Param>,
    pub(crate) result: Option<TypeRef>,
    pub(crate) body: Vec<Stmt>,
    /// Names of type parameters: they stand for any type.
    pub(crate) generics: Vec<String>,
    pub(crate) at: At,
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) fields: Vec<(String, TypeRef)>,
    pub(crate) at: At,
}

#[derive(Debug)]
pub(crate) enum TypeBody {
    Struct(Vec<(String, TypeRef)>, Vec<Rc<Fun>>),
    Union(Vec<Variant>),
    Alias(TypeRef),
}

#[derive(Debug)]
pub(crate) struct Stmt {
    pub(crate) at: At,
    pub(crate) kind: StmtKind,
}

#[derive(Debug)]
pub(crate) enum StmtKind {
    Bind {
        name: String,
        ty: Option<TypeRef>,
        value: Option<Expr>,
        mutable: bool,
    },
    /// An expression that names a place, and the value to put there.
    Assign(Expr, Expr),
    Fun(Rc<Fun>),
    Return(Option<Expr>),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    While(Expr, Vec<Stmt>),
    For {
        name: String,
        from: Expr,
        to: Option<Expr>,
        body: Vec<Stmt>,
    },
    Break,
    Continue,
    Type(String, TypeBody),
    Expr(Expr),
    Test(String, Vec<Stmt>),
    Bench(String, Vec<Stmt>),
    Expect(Expr),
    Update {
        target: String,
        set: Vec<(String, Expr)>,
        condition: Option<Expr>,
    },
}

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) at: At,
    pub(crate) kind: ExprKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
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
    Union,
    UnionAll,
    Except,
    Intersect,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    Null,
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Name(String),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Struct(String, Vec<(String, Expr)>),
    Neg(Box<Expr>),
    Not(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Call(Box<Expr>, Vec<Expr>),
    Index(Box<Expr>, Box<Expr>),
    /// `a?[i]`: null where there is nothing.
    SafeIndex(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>, Option<Box<Expr>>),
    Field(Box<Expr>, String),
    SafeField(Box<Expr>, String),
    Cast(Box<Expr>, TypeRef),
    If(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    Match(Box<Expr>, Vec<Case>),
    Fun(Rc<Fun>),
    Query(Box<Query>),
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) pattern: Expr,
    pub(crate) body: CaseBody,
}

#[derive(Debug)]
pub(crate) enum CaseBody {
    Value(Expr),
    Block(Vec<Stmt>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Inner,
    Left,
    Right,
    Outer,
}

#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) side: Side,
    pub(crate) name: String,
    pub(crate) source: Expr,
    pub(crate) on: Expr,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) keys: Vec<Expr>,
    pub(crate) name: String,
    pub(crate) having: Option<Expr>,
}

#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) froms: Vec<(String, Expr)>,
    pub(crate) joins: Vec<Join>,
    pub(crate) condition: Option<Expr>,
    pub(crate) group: Option<Group>,
    pub(crate) sort: Option<Expr>,
    pub(crate) skip: Option<Expr>,
    pub(crate) take: Option<Expr>,
    pub(crate) distinct: bool,
    pub(crate) select: Expr,
}
