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
    Text,
    BigInt,
    Bytes,
    List(Rc<Type>),
    Map(Rc<Type>, Rc<Type>),
    /// A struct or a variant: the number of its shape.
    Struct(u16),
    /// A union: its number.
    Union(u16),
    Fun(Rc<Signature>),
    /// A group of a query: what its items are.
    Group(Rc<Type>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Signature {
    pub(crate) params: Vec<Type>,
    pub(crate) result: Type,
}

/// A struct type, or a variant of a union.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) fields: Vec<(String, Type)>,
    pub(crate) union: Option<u16>,
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

    pub(crate) fn list(element: Type) -> Type {
        Type::List(Rc::new(element))
    }

    pub(crate) fn map(key: Type, value: Type) -> Type {
        Type::Map(Rc::new(key), Rc::new(value))
    }

    /// The type of what a `for` over this finds.
    pub(crate) fn element(&self) -> Option<Type> {
        match self {
            Type::List(element) | Type::Group(element) => Some((**element).clone()),
            Type::Map(key, _) => Some((**key).clone()),
            Type::Text => Some(Type::Text),
            Type::Bytes => Some(Type::Int),
            Type::Any | Type::Null => Some(Type::Any),
            _ => None,
        }
    }

    /// A type that values of both have.
    pub(crate) fn join(&self, other: &Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (Type::List(a), Type::List(b)) => Type::list(a.join(b)),
            (Type::Map(k, v), Type::Map(l, w)) => Type::map(k.join(l), v.join(w)),
            _ => Type::Any,
        }
    }

    /// Whether a value of this type may be used where `wanted` is; what is not certain is
    /// checked at run time.
    pub(crate) fn fits(&self, wanted: &Type, shapes: &[Shape]) -> bool {
        let union_of = |shape: u16| shapes.get(usize::from(shape)).and_then(|shape| shape.union);
        match (self, wanted) {
            (a, b) if a == b => true,
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::Int, Type::Float | Type::BigInt) => true,
            (Type::BigInt, Type::Int | Type::Float) => true,
            (Type::Null, b) => b.bank() == Bank::C,
            (Type::List(a), Type::List(b)) | (Type::Group(a), Type::List(b)) => a.fits(b, shapes),
            (Type::List(a) | Type::Group(a), Type::Group(b)) => a.fits(b, shapes),
            (Type::Map(k, v), Type::Map(l, w)) => k.fits(l, shapes) && v.fits(w, shapes),
            (Type::Struct(shape), Type::Union(union)) => union_of(*shape) == Some(*union),
            (Type::Union(union), Type::Struct(shape)) => union_of(*shape) == Some(*union),
            (Type::Fun(a), Type::Fun(b)) => a.params.len() == b.params.len(),
            _ => false,
        }
    }

    /// The type with the names of structs and unions.
    pub(crate) fn named<'a>(&'a self, shapes: &'a [Shape], unions: &'a [String]) -> Named<'a> {
        Named { ty: self, shapes, unions }
    }
}

/// Shows a type.
pub(crate) struct Named<'a> {
    ty: &'a Type,
    shapes: &'a [Shape],
    unions: &'a [String],
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |ty: &Type| ty.named(self.shapes, self.unions).to_string();
        match self.ty {
            Type::Any => f.write_str("any"),
            Type::Null => f.write_str("nothing"),
            Type::Int => f.write_str("int"),
            Type::Float => f.write_str("float"),
            Type::Bool => f.write_str("bool"),
            Type::Text => f.write_str("string"),
            Type::BigInt => f.write_str("bigint"),
            Type::Bytes => f.write_str("bytes"),
            Type::List(element) => write!(f, "list<{}>", named(element)),
            Type::Group(element) => write!(f, "group<{}>", named(element)),
            Type::Map(key, value) => write!(f, "map<{}, {}>", named(key), named(value)),
            Type::Struct(shape) => f.write_str(
                self.shapes.get(usize::from(*shape)).map_or("struct", |shape| &shape.name),
            ),
            Type::Union(union) => {
                f.write_str(self.unions.get(usize::from(*union)).map_or("union", String::as_str))
            }
            Type::Fun(signature) => {
                let params: Vec<String> = signature.params.iter().map(named).collect();
                write!(f, "fun({}): {}", params.join(", "), named(&signature.result))
            }
        }
    }
}
