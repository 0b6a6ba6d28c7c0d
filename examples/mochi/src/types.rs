//! Types, as far as they are known when a program is compiled.
//!
//! A type decides what bank a value lives in. `Any` is a value whose type shows at run time. What
//! is said of the inside of a list, a map or a function is a promise that is checked where an
//! element is used: a list of integers is mostly an `I64Arr`, but a `List` will do.

use std::fmt;
use std::rc::Rc;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Any,
    /// No value, and the null that stands for it.
    Null,
    Int,
    Float,
    Bool,
    String,
    BigInt,
    Bytes,
    List(Rc<Type>),
    Map(Rc<Type>, Rc<Type>),
    /// A struct or a variant.
    Struct(Rc<Record>),
    /// A union: its name.
    Union(Rc<str>),
    Fun(Rc<Signature>),
    /// A group of a query: what its items are.
    Group(Rc<Type>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Signature {
    pub(crate) params: Vec<Type>,
    pub(crate) result: Type,
}

/// What is known of a struct, or of a variant of a union.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) shape: u16,
    pub(crate) name: String,
    /// The name of the union.
    pub(crate) union: Option<Rc<str>>,
}

/// What a record holds at run time.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) fields: Vec<(String, Type)>,
}

impl Shape {
    pub(crate) fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|(field, _)| field == name)
    }
}

/// What bank a value lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bank {
    I = 0,
    F = 1,
    C = 2,
}

impl Type {
    pub(crate) fn bank(&self) -> Bank {
        match self {
            Type::Int | Type::Bool => Bank::I,
            Type::Float => Bank::F,
            _ => Bank::C,
        }
    }

    /// The bank that values of this type are in when they are put into a list.
    pub(crate) fn element_bank(&self) -> Bank {
        if *self == Type::Bool { Bank::C } else { self.bank() }
    }

    pub(crate) fn list(element: Type) -> Type {
        Type::List(Rc::new(element))
    }

    pub(crate) fn map(key: Type, value: Type) -> Type {
        Type::Map(Rc::new(key), Rc::new(value))
    }

    /// The types of the keys of a value and of its elements, if it may have some.
    pub(crate) fn index_types(&self) -> Option<(Type, Type)> {
        Some(match self {
            Type::String => (Type::Int, Type::String),
            Type::Bytes => (Type::Int, Type::Int),
            Type::List(element) => (Type::Int, (**element).clone()),
            Type::Group(element) => (Type::Any, (**element).clone()),
            Type::Map(key, value) => ((**key).clone(), (**value).clone()),
            Type::Any | Type::Null | Type::Struct(_) | Type::Union(_) => (Type::Any, Type::Any),
            _ => return None,
        })
    }

    /// The type of what a `for` over this finds.
    pub(crate) fn iter_type(&self) -> Option<Type> {
        match self {
            Type::Map(key, _) => Some((**key).clone()),
            Type::Struct(_) | Type::Union(_) => None,
            ty => ty.index_types().map(|(_, element)| element),
        }
    }

    fn union_name(&self) -> Option<&Rc<str>> {
        match self {
            Type::Struct(record) => record.union.as_ref(),
            Type::Union(union) => Some(union),
            _ => None,
        }
    }

    /// A type that values of both have.
    pub(crate) fn join(&self, other: &Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (Type::Null, other) | (other, Type::Null) if other.bank() == Bank::C => other.clone(),
            (Type::List(a), Type::List(b)) => Type::list(a.join(b)),
            (Type::Map(k, v), Type::Map(l, w)) => Type::map(k.join(l), v.join(w)),
            (a, b) if a.union_name() == b.union_name() => {
                a.union_name().cloned().map_or(Type::Any, Type::Union)
            }
            _ => Type::Any,
        }
    }

    /// Whether a value of this type may be used where `wanted` is; what is not certain is
    /// checked at run time.
    pub(crate) fn is_compatible(&self, wanted: &Type) -> bool {
        match (self, wanted) {
            (a, b) if a == b => true,
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::Int, Type::Float | Type::BigInt) => true,
            (Type::BigInt, Type::Int | Type::Float) => true,
            (Type::Null, b) => b.bank() == Bank::C,
            (Type::List(a) | Type::Group(a), Type::List(b) | Type::Group(b)) => a.is_compatible(b),
            (Type::Map(k, v), Type::Map(l, w)) => k.is_compatible(l) && v.is_compatible(w),
            (Type::Struct(_), Type::Union(_)) | (Type::Union(_), Type::Struct(_)) => {
                self.union_name() == wanted.union_name()
            }
            (Type::Fun(a), Type::Fun(b)) => a.params.len() == b.params.len(),
            _ => false,
        }
    }

    /// The type of a name that every program knows.
    pub(crate) fn from_name(name: &str) -> Option<Type> {
        SCALARS.iter().find(|it| it.1.contains(&name)).map(|it| it.0.clone())
    }
}

/// Types without parts and their names; errors use the first.
const SCALARS: [(Type, &[&str]); 8] = [
    (Type::Int, &["int", "i64", "int64", "i32"]),
    (Type::Float, &["float", "f64"]),
    (Type::Bool, &["bool"]),
    (Type::String, &["string"]),
    (Type::BigInt, &["bigint"]),
    (Type::Bytes, &["bytes"]),
    (Type::Any, &["any", "null"]),
    (Type::Null, &["void", "unit"]),
];

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::List(element) => write!(f, "list<{element}>"),
            Type::Group(element) => write!(f, "group<{element}>"),
            Type::Map(key, value) => write!(f, "map<{key}, {value}>"),
            Type::Struct(record) => f.write_str(&record.name),
            Type::Union(name) => f.write_str(name),
            Type::Fun(signature) => {
                let params: Vec<String> = signature.params.iter().map(Type::to_string).collect();
                write!(f, "fun({}): {}", params.join(", "), signature.result)
            }
            simple => {
                let names = SCALARS.iter().find(|it| it.0 == *simple);
                f.write_str(names.map_or("", |it| it.1[0]))
            }
        }
    }
}
