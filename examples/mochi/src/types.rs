//! Static types.
//!
//! The language is gradually typed: [`Type::Any`] is checked at run time. A type determines the
//! register bank of a value. Element and parameter types are checked where an element is read or an
//! argument is used, so a `list<int>` is usually an `I64Arr`, but a `List` works as well.

use std::fmt;
use std::rc::Rc;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Any,
    /// The type of `none`, and the result of functions that return nothing.
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
    /// A union, by name.
    Union(Rc<str>),
    Fun(Rc<Signature>),
    /// A group of a query, by the type of its items.
    Group(Rc<Type>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Signature {
    pub(crate) params: Vec<Type>,
    pub(crate) result: Type,
}

/// The static type of a struct or a variant of a union.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) shape: u16,
    pub(crate) name: String,
    /// The union that it is a variant of.
    pub(crate) union: Option<Rc<str>>,
}

/// The layout of a struct at run time.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) fields: Vec<(String, Type)>,
    /// Which of them are written as `T?`.
    pub(crate) optional: Vec<bool>,
}

impl Shape {
    /// The index of a field.
    pub(crate) fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|(field, _)| field == name)
    }
}

/// A bank of registers: integers and booleans, floats, cells.
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

    /// The bank of this type as the element of a list: there is no array of booleans.
    pub(crate) fn element_bank(&self) -> Bank {
        if *self == Type::Bool { Bank::C } else { self.bank() }
    }

    pub(crate) fn list(element: Type) -> Type {
        Type::List(Rc::new(element))
    }

    pub(crate) fn map(key: Type, value: Type) -> Type {
        Type::Map(Rc::new(key), Rc::new(value))
    }

    /// The key and element types for indexing, if the type can be indexed.
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

    /// The type of the loop variable of a `for`, if the type can be iterated over.
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

    /// The least type that both are compatible with.
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

    /// Whether a value of this type may be used where `wanted` is expected. What the types leave
    /// open is checked at run time.
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

    /// The predeclared type of this name.
    pub(crate) fn from_name(name: &str) -> Option<Type> {
        SCALARS.iter().find(|it| it.1.contains(&name)).map(|it| it.0.clone())
    }
}

/// The predeclared types and their names. Error messages use the first name.
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
