//! Type declarations, and types as written.

use std::rc::Rc;

use super::{ANY, Compiler, table_index};
use crate::bytecode::Idx;
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Record, Shape, Signature, Type};

/// The number of fields of a struct. A field number is one byte, and a constructor needs a register
/// for each field.
const FIELDS_MAX: usize = 200;

impl Compiler<'_> {
    pub(super) fn shape(&self, shape: u16) -> &Shape {
        &self.env.program.shapes[usize::from(shape)]
    }

    /// The number and the type of a field.
    pub(super) fn field_named(&self, shape: u16, name: &str) -> Option<(usize, Type)> {
        let shape = self.shape(shape);
        shape.field(name).map(|n| (n, shape.fields[n].1.clone()))
    }

    /// Resolves a type as written.
    pub(super) fn resolve_type(&self, TypeRef { name, args, pos }: &TypeRef) -> Result<Type> {
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
            ("group", [_]) => Type::Any,
            // Any value in bank C may be null. A field of null is an error, or null as well.
            ("option", [inner]) => match self.resolve_type(inner)? {
                ty @ (Type::Struct(_) | Type::Union(_)) => ty,
                _ => Type::Any,
            },
            ("fun", [params @ .., result]) => {
                let params =
                    params.iter().map(|ty| self.resolve_type(ty)).collect::<Result<_>>()?;
                Type::Fun(Rc::new(Signature { params, result: self.resolve_type(result)? }))
            }
            (_, []) => return error_at(*pos, format!("undefined type `{name}`")),
            (_, args) => {
                let (count, s) = (args.len(), if args.len() == 1 { "" } else { "s" });
                let message = format!("undefined type `{name}` with {count} type argument{s}");
                return error_at(*pos, message);
            }
        })
    }

    /// Declares the types of a program. Their names come first, as types may be recursive.
    pub(super) fn declare_types(&mut self, program: &[Stmt]) -> Result<()> {
        let (mut bodies, mut aliases) = (Vec::new(), Vec::new());
        for stmt in program {
            self.pos = stmt.pos;
            if let StmtKind::Type(name, variants) = &stmt.kind {
                let is_struct = matches!(variants.as_slice(), [(only, _)] if only == name);
                let union: Option<Rc<str>> = (!is_struct).then(|| name.as_str().into());
                for (variant, fields) in variants {
                    let shape = self.declare_record(variant, union.clone())?;
                    bodies.push((stmt.pos, shape, fields));
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
        for (pos, shape, fields) in bodies {
            if fields.len() > FIELDS_MAX {
                return error_at(pos, format!("type has more than {FIELDS_MAX} fields"));
            }
            let resolved =
                fields.iter().map(|(name, ty)| Ok((name.clone(), self.resolve_type(ty)?)));
            let resolved = resolved.collect::<Result<_>>()?;
            let shape = &mut self.env.program.shapes[usize::from(shape)];
            shape.fields = resolved;
            shape.optional = fields.iter().map(|(_, ty)| ty.is_optional()).collect();
        }
        Ok(())
    }

    /// Declares a struct or a variant of a union, without its fields.
    pub(super) fn declare_record(&mut self, name: &str, union: Option<Rc<str>>) -> Result<Idx> {
        let (shapes, name) = (&mut self.env.program.shapes, name.to_owned());
        let shape = table_index(self.pos, shapes.len(), "types")?;
        shapes.push(Shape { name: name.clone(), fields: Vec::new(), optional: Vec::new() });
        let record = Rc::new(Record { shape, name: name.clone(), union });
        self.env.types.insert(name.clone(), Type::Struct(Rc::clone(&record)));
        self.env.records.insert(name, record);
        Ok(shape)
    }

    /// The signature of a function. Types that are not written come from the expected type.
    pub(super) fn signature(&mut self, fun: &Fun, expected: &Type) -> Result<Rc<Signature>> {
        let count = fun.params.len();
        let (params, result) = match expected {
            Type::Fun(it) if it.params.len() == count => (&*it.params, &it.result),
            _ => (&*vec![Type::Any; count], ANY),
        };
        let resolve = |(ty, expected): (&Option<TypeRef>, &Type)| match ty {
            Some(ty) => self.resolve_type(ty),
            None => Ok(expected.clone()),
        };
        let params = fun.params.iter().map(|(_, ty)| ty).zip(params);
        let params = params.map(resolve).collect::<Result<_>>()?;
        let result = resolve((&fun.result, result))?;
        Ok(Rc::new(Signature { params, result }))
    }
}
