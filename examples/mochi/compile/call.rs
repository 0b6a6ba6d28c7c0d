//! Functions and calls.
//!
//! A function that is called by its name gets its arguments in the banks of their types. One that
//! is called as a value gets itself and all its arguments as cells; a named function that is used
//! as a value is wrapped in one that unboxes the arguments and calls it.

use std::rc::Rc;

use super::scope::{Local, Place};
use super::{Compiler, Frame, Known, Val, Wanted};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Signature, Type};

impl Compiler<'_> {
    pub(super) fn is_builtin(&mut self, name: &str) -> bool {
        Builtin::named(name).is_some()
            && !self.world.functions.contains_key(name)
            && self.find(name).is_none()
    }

    pub(super) fn call(&mut self, callee: &Expr, args: &[Expr], wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        match &callee.kind {
            ExprKind::Name(name) if self.find(name).is_none() => {
                if let Some(method) = self.here().this.and_then(|shape| self.method(shape, name)) {
                    // The record of the method that calls is in its first register.
                    let own = Val { ty: Type::Any, reg: 0 };
                    return self.call_known(name, &method, Some(own), args, mark, wanted);
                }
                if let Some(known) = self.world.functions.get(name).cloned() {
                    return self.call_known(name, &known, None, args, mark, wanted);
                }
                if let Some(Type::Struct(shape)) = self.world.types.get(name).cloned() {
                    self.check_fields(name, shape, args.len())?;
                    let values: Vec<_> = args.iter().map(Some).collect();
                    return self.construct(shape, &values, wanted);
                }
                self.call_builtin(name, args, wanted, callee.at)
            }
            ExprKind::Field(base, name) => {
                let builtin = match self.probe(base, &Type::Any)? {
                    Type::Struct(shape) => {
                        if let Some(method) = self.method(shape, name) {
                            let record = self.expr(base, None, &Type::Any)?;
                            return self.call_known(
                                name,
                                &method,
                                Some(record),
                                args,
                                mark,
                                wanted,
                            );
                        }
                        false
                    }
                    Type::Text | Type::List(_) | Type::Group(_) | Type::Bytes => true,
                    // A key may have the name of a function.
                    Type::Any | Type::Map(..) => {
                        matches!(name.as_str(), "contains" | "keys" | "values" | "get")
                    }
                    _ => false,
                };
                if builtin && Builtin::named(name).is_some() {
                    let all: Vec<&Expr> = std::iter::once(&**base).chain(args).collect();
                    return self.call_builtin_with(name, &all, wanted);
                }
                self.call_value(callee, args, wanted)
            }
            _ => self.call_value(callee, args, wanted),
        }
    }

    /// All fields of a record are named by their order.
    pub(super) fn check_fields(&self, name: &str, shape: u16, given: usize) -> Result<()> {
        let count = self.shape(shape).fields.len();
        if count != given {
            return fault(self.at, format!("{name} has {count} fields, not {given}"));
        }
        Ok(())
    }

    /// Methods are functions by the name of their type and their own.
    pub(super) fn method(&self, shape: u16, name: &str) -> Option<Known> {
        let shape = self.shape(shape);
        shape.methods.get(name)?;
        self.world.functions.get(&format!("{}.{name}", shape.name)).cloned()
    }

    fn call_known(
        &mut self,
        name: &str,
        known: &Known,
        this: Option<Val>,
        args: &[Expr],
        mark: [u16; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        let params = &known.signature.params;
        if args.len() < params.len() && this.is_none() && !args.is_empty() {
            return self.partial(name, known, None, args, mark, wanted);
        }
        if args.len() != params.len() {
            let message = format!("{name} takes {} arguments, not {}", params.len(), args.len());
            return fault(self.at, message);
        }
        if let Some(record) = this {
            self.settle(mark, Bank::C, record)?;
        }
        for (arg, ty) in args.iter().zip(params) {
            self.next(ty.bank(), arg, ty)?;
        }
        let value = self.call_window(known, mark)?;
        Ok(self.deliver(value, wanted))
    }

    /// Calls a function whose arguments begin at the mark: its result lands there.
    fn call_window(&mut self, known: &Known, mark: [u16; 3]) -> Result<Val> {
        let [i, f, c] = mark.map(|n| n as Reg);
        self.emit(Op::Call(known.index, i, f, c));
        self.release(mark);
        self.take_for(&known.signature.result)
    }

    /// Calls a closure.
    fn call_value(&mut self, callee: &Expr, args: &[Expr], wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        let function = self.expr(callee, None, &Type::Any)?;
        let signature = match &function.ty {
            Type::Fun(signature) => Some(Rc::clone(signature)),
            Type::Any | Type::Null => None,
            ty => return self.refuse(ty, "is no function"),
        };
        if args.len() > 100 {
            return fault(self.at, "a call has at most 100 arguments");
        }
        let base = self.settle(mark, Bank::C, function)?;
        for (n, arg) in args.iter().enumerate() {
            let ty = signature.as_ref().and_then(|it| it.params.get(n));
            self.next(Bank::C, arg, ty.unwrap_or(&Type::Any))?;
        }
        // A call with fewer arguments answers a function.
        let full = signature
            .filter(|it| it.params.len() == args.len() && it.result != Type::Null)
            .map_or(Type::Any, |it| it.result.clone());
        self.emit(Op::CallV(base, args.len() as Reg));
        let value = self.unbox(base, &full, wanted)?;
        let value = self.keep(mark, value);
        Ok(self.deliver(value, wanted))
    }

    /// Some of the arguments of a function or the record of a method, kept for later.
    pub(super) fn partial(
        &mut self,
        name: &str,
        known: &Known,
        this: Option<Reg>,
        args: &[Expr],
        mark: [u16; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        let base = self.take(Bank::C)?;
        self.known_as_value(name, known, this.is_some(), base)?;
        if let Some(record) = this {
            let reg = self.take(Bank::C)?;
            self.move_to(Bank::C, reg, record);
        }
        for (arg, ty) in args.iter().zip(&known.signature.params) {
            self.next(Bank::C, arg, ty)?;
        }
        self.emit(Op::CallV(base, (args.len() + usize::from(this.is_some())) as Reg));
        let Signature { params, result } = &*known.signature;
        let (params, result) = (params[args.len()..].to_vec(), result.clone());
        let ty = Type::Fun(Rc::new(Signature { params, result }));
        let value = self.deliver(Val { ty, reg: base }, wanted);
        Ok(self.keep(mark, value))
    }

    /// A name that is no variable: a function as a value, or a variant without fields.
    pub(super) fn load_function(&mut self, name: &str, at: At, wanted: Wanted) -> Result<Val> {
        if let Some(known) = self.world.functions.get(name).cloned() {
            let ty = Type::Fun(Rc::clone(&known.signature));
            let reg = self.target(wanted, &ty)?;
            self.known_as_value(name, &known, false, reg)?;
            return Ok(Val { ty, reg });
        }
        if let Some(Type::Struct(shape)) = self.world.types.get(name).cloned()
            && self.shape(shape).fields.is_empty()
        {
            return self.construct(shape, &[], wanted);
        }
        let mark = self.mark();
        if matches!(name, "nil" | "null") {
            return self.done(mark, Type::Null, wanted, Op::Null);
        }
        let Some(builtin) = Builtin::named(name) else {
            return fault(at, format!("there is no variable or function `{name}`"));
        };
        // A built-in as a value: a function of one argument.
        let index = self.wrapper(name, 1, |compiler| {
            compiler.emit(Op::Builtin(builtin, 1, 1, 1));
            Ok(1)
        })?;
        self.done(mark, Type::Any, wanted, |reg| Op::Closure(reg, 0, 0, index))
    }

    fn known_as_value(&mut self, name: &str, known: &Known, method: bool, reg: Reg) -> Result<()> {
        let params = &known.signature.params;
        let arity = params.len() + usize::from(method);
        let wrapper = match known.wrapper {
            Some(wrapper) => wrapper,
            None => self.wrapper(name, arity, |compiler| {
                let mark = compiler.mark();
                let record = method.then_some(&Type::Any);
                for (n, ty) in record.into_iter().chain(params).enumerate() {
                    let inner = compiler.mark();
                    let value = compiler.unbox((n + 1) as Reg, ty, None)?;
                    compiler.settle(inner, ty.bank(), value)?;
                }
                let result = compiler.call_window(known, mark)?;
                compiler.as_cell(result)
            })?,
        };
        if let Some(known) = self.world.functions.get_mut(name) {
            known.wrapper = Some(wrapper);
        }
        self.emit(Op::Closure(reg, 0, 0, wrapper));
        Ok(())
    }

    /// A function that is called as a value, with its arguments from register 1 on: the body
    /// leaves its result in a register.
    fn wrapper(
        &mut self,
        name: &str,
        arity: usize,
        body: impl FnOnce(&mut Self) -> Result<Reg>,
    ) -> Result<u16> {
        let index = self.reserve_function(name)?;
        self.kept = self.kept.max(usize::from(index) + 1);
        self.frames.push(Frame { name: name.to_owned(), ..Frame::default() });
        for _ in 0..=arity {
            self.take(Bank::C)?;
        }
        let result = body(self)?;
        self.emit(Op::RetC(result));
        self.finish(index, arity);
        Ok(index)
    }

    /// Compiles a function that is called by its number.
    pub(super) fn function(
        &mut self,
        fun: &Fun,
        index: u16,
        signature: &Rc<Signature>,
        this: Option<u16>,
    ) -> Result<()> {
        let frame = Frame { this, ..Frame::of(fun) };
        self.compile_function(fun, index, signature, frame).map(drop)
    }

    /// Compiles a function; answers what it captures.
    fn compile_function(
        &mut self,
        fun: &Fun,
        index: u16,
        signature: &Rc<Signature>,
        frame: Frame,
    ) -> Result<Vec<(String, Local)>> {
        self.frames.push(Frame { result: Some(signature.result.clone()), ..frame });
        // Type parameters stand for any type while their function is compiled.
        let hide = |name: &String| (name.clone(), self.world.types.insert(name.clone(), Type::Any));
        let hidden: Vec<_> = fun.generics.iter().map(hide).collect();
        let compiled = self.placed(fun.at, |compiler| compiler.body(fun, signature));
        for (name, ty) in hidden {
            match ty {
                Some(ty) => self.world.types.insert(name, ty),
                None => self.world.types.remove(&name),
            };
        }
        compiled?;
        Ok(self.finish(index, fun.params.len()))
    }

    fn body(&mut self, fun: &Fun, signature: &Rc<Signature>) -> Result<()> {
        let boxed = self.here().boxed_call;
        if boxed || self.here().this.is_some() {
            // The closure itself, or the record of the method.
            let own = self.take(Bank::C)?;
            if boxed && !fun.name.is_empty() {
                let ty = Type::Fun(Rc::clone(signature));
                self.bind(&fun.name, ty, Place::Reg(own), false, None)?;
            }
        }
        // All parameters have their registers before any of them needs another.
        let mut values = Vec::new();
        for ty in &signature.params {
            values.push(self.take_for(if boxed { &Type::Any } else { ty })?);
        }
        for ((param, ty), mut value) in fun.params.iter().zip(&signature.params).zip(values) {
            if boxed {
                value = self.unbox(value.reg, ty, None)?;
            }
            self.declare_in(&param.name, value)?;
        }
        for stmt in &fun.body {
            self.statement(stmt)?;
        }
        let ty = match &signature.result {
            Type::Null => &Type::Any,
            ty => ty,
        };
        let value = self.default_field(ty)?;
        self.return_from(value, ty.bank())
    }

    /// A function inside a function. If it knows none of the variables around it, it is like one
    /// of the top level; else it is a closure.
    pub(super) fn inner_function(&mut self, fun: &Rc<Fun>) -> Result<()> {
        let own = |name: &String| *name == fun.name || fun.params.iter().any(|it| it.name == *name);
        let mut around = self.frames.iter().flat_map(|frame| frame.scopes.iter().flatten());
        let around = around.any(|local| fun.uses.names.contains(&local.name) && !own(&local.name));
        let signature = self.signature(fun)?;
        let mark = self.mark();
        if around || self.here().this.is_some() || self.here().shared.contains(&fun.name) {
            let reg = self.take(Bank::C)?;
            let value = self.closure(fun, &signature, reg)?;
            return self.declare(&fun.name, value, mark, true, false);
        }
        let index = self.reserve_function(&fun.name)?;
        self.kept = self.kept.max(usize::from(index) + 1);
        let known = Known { index, signature: Rc::clone(&signature), wrapper: None };
        let hidden = self.world.functions.insert(fun.name.clone(), known);
        // Its name ends with the function around it.
        self.frame().hidden.push((fun.name.clone(), hidden));
        self.function(fun, index, &signature, None)
    }

    /// A function without a name: what it does not say of its types, the place where it is used
    /// may know.
    pub(super) fn lambda(&mut self, fun: &Rc<Fun>, wanted: Wanted, expected: &Type) -> Result<Val> {
        let mut signature = Signature::clone(&*self.signature(fun)?);
        if let Type::Fun(expected) = expected
            && expected.params.len() == fun.params.len()
        {
            for (n, param) in fun.params.iter().enumerate() {
                if param.ty.is_none() {
                    signature.params[n] = expected.params[n].clone();
                }
            }
            if fun.result.is_none() {
                signature.result = expected.result.clone();
            }
        }
        let reg = self.target(wanted, &Type::Any)?;
        self.closure(fun, &Rc::new(signature), reg)
    }

    /// Compiles a function that is called as a value, and makes the closure.
    fn closure(&mut self, fun: &Fun, signature: &Rc<Signature>, reg: Reg) -> Result<Val> {
        let index = self.reserve_function(&fun.name)?;
        let frame = Frame { boxed_call: true, ..Frame::of(fun) };
        let captures = self.compile_function(fun, index, signature, frame)?;
        let mark = self.mark();
        for (_, local) in &captures {
            let to = self.take(Bank::C)?;
            self.capture(local, to)?;
        }
        self.emit(Op::Closure(reg, mark[2] as Reg, captures.len() as Reg, index));
        self.release(mark);
        Ok(Val { ty: Type::Fun(Rc::clone(signature)), reg })
    }
}
