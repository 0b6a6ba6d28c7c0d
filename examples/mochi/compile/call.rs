//! Functions and calls.
//!
//! A function that is called by its name gets its arguments in the banks of their types. One that
//! is called as a value gets itself and all its arguments as cells; a named function that is used
//! as a value is wrapped in one that unboxes the arguments and calls it.

use std::collections::HashSet;
use std::rc::Rc;

use super::scope::{Local, Place};
use super::{Compiler, Frame, Known, Val, names};
use crate::builtins::Builtin;
use crate::bytecode::{Function, Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Signature, Type};

type Wanted = Option<(Bank, Reg)>;

/// The record of a method that is called: none, that of an expression, or that of the method
/// that calls.
enum This<'e> {
    None,
    Of(&'e Expr),
    Own,
}

impl Compiler<'_> {
    pub(super) fn is_builtin(&mut self, name: &str) -> bool {
        Builtin::named(name).is_some()
            && !self.world.functions.contains_key(name)
            && self.find(name).is_none()
    }

    pub(super) fn call(&mut self, callee: &Expr, args: &[Expr], wanted: Wanted) -> Result<Val> {
        match &callee.kind {
            ExprKind::Name(name) => {
                if self.find(name).is_none() {
                    if let Some(shape) = self.here().this
                        && let Some(method) = self.shape(shape).methods.get(name).copied()
                    {
                        let known = self.method(shape, name, method)?;
                        return self.call_known(name, &known, This::Own, args, wanted);
                    }
                    if let Some(known) = self.world.functions.get(name).cloned() {
                        return self.call_known(name, &known, This::None, args, wanted);
                    }
                    if let Some(Type::Struct(shape)) = self.world.types.get(name) {
                        let shape = *shape;
                        let fields = self.shape(shape).fields.clone();
                        if fields.len() != args.len() {
                            let message =
                                format!("{name} has {} fields, not {}", fields.len(), args.len());
                            return fault(self.at, message);
                        }
                        let values = args.iter().map(Some).zip(fields.into_iter().map(|it| it.1));
                        return self.construct(shape, values.collect(), wanted);
                    }
                    return self.call_builtin(name, args, wanted, callee.at);
                }
                self.call_value(callee, args, wanted)
            }
            ExprKind::Field(base, name) => {
                let ty = self.probe(base, &Type::Any)?;
                if let Type::Struct(shape) = ty
                    && let Some(method) = self.shape(shape).methods.get(name).copied()
                {
                    let known = self.method(shape, name, method)?;
                    return self.call_known(name, &known, This::Of(base), args, wanted);
                }
                let builtin = match ty {
                    Type::Text | Type::List(_) | Type::Group(_) | Type::Bytes => true,
                    Type::Any | Type::Map(..) => {
                        matches!(name.as_str(), "contains" | "keys" | "values" | "get")
                    }
                    _ => false,
                };
                if builtin && Builtin::named(name).is_some() {
                    let mut all = vec![&**base];
                    all.extend(args);
                    return self.call_builtin_with(name, &all, wanted);
                }
                self.call_value(callee, args, wanted)
            }
            _ => self.call_value(callee, args, wanted),
        }
    }

    fn method(&mut self, shape: u16, name: &str, index: u16) -> Result<Known> {
        // The signature is that of the declaration; methods are declared before code is compiled.
        let key = format!("{}.{name}", self.shape(shape).name);
        match self.world.functions.get(&key) {
            Some(known) => Ok(known.clone()),
            None => {
                fault(self.at, format!("the method {key} (function {index}) is not known here"))
            }
        }
    }

    /// Calls a function by its number; `this` is the record of a method.
    fn call_known(
        &mut self,
        name: &str,
        known: &Known,
        this: This<'_>,
        args: &[Expr],
        wanted: Wanted,
    ) -> Result<Val> {
        let params = &known.signature.params;
        if args.len() < params.len() && matches!(this, This::None) && !args.is_empty() {
            return self.partial(name, known, args, wanted);
        }
        if args.len() != params.len() {
            let message = format!("{name} takes {} arguments, not {}", params.len(), args.len());
            return fault(self.at, message);
        }
        let mark = self.mark();
        let at = self.at;
        if !matches!(this, This::None) {
            let reg = self.take(Bank::C)?;
            match this {
                This::Of(record) => {
                    self.boxed(record, Some(reg))?;
                }
                _ => self.move_to(Bank::C, reg, 0),
            }
            self.release([mark[0], mark[1], u16::from(reg) + 1]);
        }
        for (arg, ty) in args.iter().zip(params) {
            let reg = self.take(ty.bank())?;
            self.expr_into(arg, reg, ty)?;
        }
        let [i, f, c] = mark.map(|n| n as Reg);
        self.at = at;
        self.emit(Op::Call(known.index, i, f, c));
        self.release(mark);
        let ty = known.signature.result.clone();
        let from = [i, f, c][ty.bank() as usize];
        // The result is in the first register of the window.
        let reg = self.take(ty.bank())?;
        debug_assert_eq!(reg, from);
        self.result(Val { ty, reg: from }, mark, wanted)
    }

    fn result(&mut self, value: Val, mark: [u16; 3], wanted: Wanted) -> Result<Val> {
        if let Some((bank, to)) = wanted
            && bank == value.ty.bank()
        {
            self.release(mark);
            self.move_to(bank, to, value.reg);
            return Ok(Val { reg: to, ..value });
        }
        Ok(value)
    }

    /// Calls a closure.
    fn call_value(&mut self, callee: &Expr, args: &[Expr], wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        let at = self.at;
        let base = self.take(Bank::C)?;
        let function = self.expr(callee, Some((Bank::C, base)), &Type::Any)?;
        let signature = match &function.ty {
            Type::Fun(signature) => Some(Rc::clone(signature)),
            Type::Any | Type::Null => None,
            ty => {
                let ty = self.shown(ty);
                return fault(at, format!("{ty} is no function"));
            }
        };
        self.move_to(Bank::C, base, function.reg);
        self.release([mark[0], mark[1], u16::from(base) + 1]);
        if args.len() > 100 {
            return fault(at, "a call has at most 100 arguments");
        }
        for (n, arg) in args.iter().enumerate() {
            let reg = self.take(Bank::C)?;
            let ty =
                signature.as_ref().and_then(|it| it.params.get(n)).cloned().unwrap_or(Type::Any);
            let cell = self.boxed_typed(arg, &ty)?;
            self.move_to(Bank::C, reg, cell.reg);
            self.release([mark[0], mark[1], u16::from(reg) + 1]);
        }
        self.at = at;
        self.emit(Op::CallV(base, args.len() as Reg));
        self.release(mark);
        let reg = self.take(Bank::C)?;
        let ty = match &signature {
            Some(it) if it.params.len() == args.len() && it.result != Type::Null => {
                it.result.clone()
            }
            _ => Type::Any,
        };
        if ty.bank() == Bank::C {
            return self.result(Val { ty, reg }, mark, wanted);
        }
        let value = self.unbox(reg, &ty, wanted)?;
        Ok(self.keep(mark, value))
    }

    /// Some of the arguments of a function, kept for later.
    fn partial(&mut self, name: &str, known: &Known, args: &[Expr], wanted: Wanted) -> Result<Val> {
        let mark = self.mark();
        let base = self.take(Bank::C)?;
        self.known_as_value(name, known, base)?;
        for (arg, ty) in args.iter().zip(&known.signature.params) {
            let reg = self.take(Bank::C)?;
            let cell = self.boxed_typed(arg, ty)?;
            self.move_to(Bank::C, reg, cell.reg);
            self.release([mark[0], mark[1], u16::from(reg) + 1]);
        }
        self.emit(Op::CallV(base, args.len() as Reg));
        let signature = Signature {
            params: known.signature.params[args.len()..].to_vec(),
            result: known.signature.result.clone(),
        };
        self.release(mark);
        let reg = self.take(Bank::C)?;
        self.result(Val { ty: Type::Fun(Rc::new(signature)), reg }, mark, wanted)
    }

    /// A name that is no variable: a function as a value, or a variant without fields.
    pub(super) fn load_function(&mut self, name: &str, at: At, wanted: Wanted) -> Result<Val> {
        if let Some(known) = self.world.functions.get(name).cloned() {
            let ty = Type::Fun(Rc::clone(&known.signature));
            let reg = self.target(wanted, &ty)?;
            self.known_as_value(name, &known, reg)?;
            return Ok(Val { ty, reg });
        }
        if let Some(Type::Struct(shape)) = self.world.types.get(name) {
            let shape = *shape;
            if self.shape(shape).fields.is_empty() {
                return self.construct(shape, Vec::new(), wanted);
            }
        }
        if matches!(name, "nil" | "null") {
            let reg = self.target(wanted, &Type::Null)?;
            self.emit(Op::Null(reg));
            return Ok(Val { ty: Type::Null, reg });
        }
        if let Some(builtin) = Builtin::named(name) {
            // A built-in as a value: a function of one argument.
            return self.builtin_as_value(builtin, wanted);
        }
        fault(at, format!("there is no variable or function `{name}`"))
    }

    fn builtin_as_value(&mut self, builtin: Builtin, wanted: Wanted) -> Result<Val> {
        let index = self.reserve_function(&format!("{builtin:?}"))?;
        let code = vec![Op::Builtin(builtin, 0, 1, 1), Op::RetC(0)];
        let function = Function {
            name: format!("{builtin:?}"),
            places: vec![self.at; code.len()],
            code,
            arity: 1,
            frame: [0, 0, 2, 0],
        };
        self.world.program.functions[usize::from(index)] = Rc::new(function);
        self.kept = self.kept.max(usize::from(index) + 1);
        let reg = self.target(wanted, &Type::Any)?;
        self.emit(Op::Closure(reg, 0, 0, index));
        Ok(Val { ty: Type::Any, reg })
    }

    fn known_as_value(&mut self, name: &str, known: &Known, reg: Reg) -> Result<()> {
        let wrapper = match known.wrapper {
            Some(wrapper) => wrapper,
            None => self.wrapper(name, known, false)?,
        };
        self.emit(Op::Closure(reg, 0, 0, wrapper));
        Ok(())
    }

    /// A function that takes all arguments as cells, and calls the function.
    fn wrapper(&mut self, name: &str, known: &Known, method: bool) -> Result<u16> {
        let index = self.reserve_function(name)?;
        if let Some(known) = self.world.functions.get_mut(name) {
            known.wrapper = Some(index);
        }
        self.kept = self.kept.max(usize::from(index) + 1);
        let params = &known.signature.params;
        let arity = params.len() + usize::from(method);
        let mut code = Vec::new();
        let window = arity as Reg + 1;
        let (mut i, mut f, mut c) = (0, 0, window);
        if method {
            code.push(Op::MoveC(c, 1));
            c += 1;
        }
        for (n, ty) in params.iter().enumerate() {
            let from = (n + usize::from(method) + 1) as Reg;
            match ty {
                Type::Float => code.push(Op::UnboxF(f, from)),
                Type::Int => code.push(Op::UnboxI(i, from)),
                Type::Bool => code.push(Op::UnboxB(i, from)),
                _ => code.push(Op::MoveC(c, from)),
            }
            match ty.bank() {
                Bank::I => i += 1,
                Bank::F => f += 1,
                Bank::C => c += 1,
            }
        }
        code.push(Op::Call(known.index, 0, 0, window));
        match known.signature.result {
            Type::Int => code.push(Op::BoxI(window, 0)),
            Type::Bool => code.push(Op::BoxB(window, 0)),
            Type::Float => code.push(Op::BoxF(window, 0)),
            _ => {}
        }
        code.push(Op::RetC(window));
        let function = Function {
            name: name.to_owned(),
            places: vec![self.at; code.len()],
            code,
            arity,
            frame: [u16::from(i) + 1, u16::from(f) + 1, u16::from(c) + 1, 0],
        };
        self.world.program.functions[usize::from(index)] = Rc::new(function);
        Ok(index)
    }

    /// A method with its record, as a value.
    pub(super) fn bound_method(
        &mut self,
        record: Reg,
        shape: u16,
        name: &str,
        method: u16,
        mark: [u16; 3],
        wanted: Wanted,
    ) -> Result<Val> {
        let known = self.method(shape, name, method)?;
        let key = format!("{}.{name}", self.shape(shape).name);
        let wrapper = match known.wrapper {
            Some(wrapper) => wrapper,
            None => self.wrapper(&key, &known, true)?,
        };
        let base = self.take(Bank::C)?;
        let this = self.take(Bank::C)?;
        self.emit(Op::Closure(base, 0, 0, wrapper));
        self.move_to(Bank::C, this, record);
        self.emit(Op::CallV(base, 1));
        let value = Val { ty: Type::Fun(Rc::clone(&known.signature)), reg: base };
        let value = self.result(value, mark, wanted)?;
        Ok(self.keep(mark, value))
    }

    /// Compiles a function that is called by its number.
    pub(super) fn function(
        &mut self,
        fun: &Fun,
        index: u16,
        signature: &Signature,
        this: Option<u16>,
    ) -> Result<()> {
        let name = if fun.name.is_empty() { "fun".to_owned() } else { fun.name.clone() };
        let mut frame =
            Frame { name, result: Some(signature.result.clone()), this, ..Frame::default() };
        names::analyse(&fun.body, &mut frame.shared, &mut frame.appended);
        frame.scopes.push(Vec::new());
        self.frames.push(frame);
        let hidden = self.hide_generics(fun);
        let compiled = self.function_body(fun, signature, this.is_some());
        self.restore_types(hidden);
        compiled?;
        self.finish(index, fun.params.len());
        Ok(())
    }

    /// Type parameters stand for any type while their function is compiled.
    fn hide_generics(&mut self, fun: &Fun) -> Vec<(String, Option<Type>)> {
        let hide = |name: &String| (name.clone(), self.world.types.insert(name.clone(), Type::Any));
        fun.generics.iter().map(hide).collect()
    }

    fn restore_types(&mut self, hidden: Vec<(String, Option<Type>)>) {
        for (name, ty) in hidden {
            match ty {
                Some(ty) => self.world.types.insert(name, ty),
                None => self.world.types.remove(&name),
            };
        }
    }

    fn function_body(&mut self, fun: &Fun, signature: &Signature, method: bool) -> Result<()> {
        self.at = fun.at;
        if method {
            self.take(Bank::C)?;
        }
        // All parameters have their registers before any of them needs another.
        let mut values = Vec::new();
        for ty in &signature.params {
            values.push(self.take_for(ty)?);
        }
        for (param, value) in fun.params.iter().zip(values) {
            self.declare_in(&param.name, value)?;
        }
        self.body(fun, &signature.result)
    }

    fn body(&mut self, fun: &Fun, result: &Type) -> Result<()> {
        for stmt in &fun.body {
            self.statement(stmt)?;
        }
        let ty = if *result == Type::Null { Type::Any } else { result.clone() };
        let value = self.default_field(&ty)?;
        self.return_from(value, ty.bank())
    }

    /// A function inside a function. If it knows none of the variables around it, it is like one
    /// of the top level; else it is a closure.
    pub(super) fn inner_function(&mut self, fun: &Rc<Fun>) -> Result<()> {
        let mut known = HashSet::new();
        names::used(fun, &mut known);
        let own = |name: &String| *name == fun.name || fun.params.iter().any(|it| it.name == *name);
        let around = self
            .frames
            .iter()
            .flat_map(|frame| frame.scopes.iter().flatten())
            .any(|local| known.contains(&local.name) && !own(&local.name));
        let signature = self.signature(fun)?;
        let mark = self.mark();
        let reg = self.take(Bank::C)?;
        if around || self.here().this.is_some() || self.here().shared.contains(&fun.name) {
            let value = self.closure(fun, &signature, Some(reg))?;
            return self.declare(&fun.name, value, mark, true, false);
        }
        let index = self.reserve_function(&fun.name)?;
        self.kept = self.kept.max(usize::from(index) + 1);
        self.release(mark);
        let known = Known { index, signature: Rc::clone(&signature), wrapper: None };
        let hidden = self.world.functions.insert(fun.name.clone(), known);
        // Its name ends with the function around it.
        self.frame().hidden.push((fun.name.clone(), hidden));
        self.function(fun, index, &signature, None)
    }

    pub(super) fn lambda(&mut self, fun: &Rc<Fun>, wanted: Wanted, expected: &Type) -> Result<Val> {
        let mut signature = Signature::clone(&*self.signature(fun)?);
        if let Type::Fun(expected) = expected
            && expected.params.len() == fun.params.len()
        {
            for ((param, ty), known) in
                fun.params.iter().zip(&mut signature.params).zip(&expected.params)
            {
                if param.ty.is_none() {
                    *ty = known.clone();
                }
            }
            if fun.result.is_none() {
                signature.result = expected.result.clone();
            }
        }
        let reg = self.target(wanted, &Type::Any)?;
        self.closure(fun, &Rc::new(signature), Some(reg))
    }

    /// Compiles a function that is called as a value, and makes the closure.
    fn closure(&mut self, fun: &Fun, signature: &Rc<Signature>, to: Option<Reg>) -> Result<Val> {
        let at = self.at;
        let name = if fun.name.is_empty() { "fun".to_owned() } else { fun.name.clone() };
        let index = self.reserve_function(&name)?;
        let mut frame = Frame {
            name,
            result: Some(signature.result.clone()),
            boxed_call: true,
            ..Frame::default()
        };
        names::analyse(&fun.body, &mut frame.shared, &mut frame.appended);
        frame.scopes.push(Vec::new());
        self.frames.push(frame);
        let this = self.take(Bank::C)?;
        if !fun.name.is_empty() {
            let ty = Type::Fun(Rc::clone(signature));
            self.bind(&fun.name, ty, Place::Reg(this), false, None)?;
        }
        let mut cells = Vec::new();
        for _ in &fun.params {
            cells.push(self.take(Bank::C)?);
        }
        let hidden = self.hide_generics(fun);
        let compiled = self.closure_body(fun, signature, &cells);
        self.restore_types(hidden);
        compiled?;
        let captures = self.finish(index, fun.params.len());
        self.at = at;
        let reg = match to {
            Some(reg) => reg,
            None => self.take(Bank::C)?,
        };
        let mark = self.mark();
        let first = mark[2] as Reg;
        for (_, local) in &captures {
            let to = self.take(Bank::C)?;
            self.capture(local, to)?;
            let next = self.here().next;
            self.release([next[0], next[1], u16::from(to) + 1]);
        }
        self.emit(Op::Closure(reg, first, captures.len() as Reg, index));
        self.release(mark);
        Ok(Val { ty: Type::Fun(Rc::clone(signature)), reg })
    }

    fn closure_body(&mut self, fun: &Fun, signature: &Signature, cells: &[Reg]) -> Result<()> {
        for ((param, ty), &cell) in fun.params.iter().zip(&signature.params).zip(cells) {
            self.at = fun.at;
            let value = self.unbox(cell, ty, None)?;
            self.declare_in(&param.name, value)?;
        }
        self.body(fun, &signature.result)
    }

    /// What a closure takes of a variable: its value, or the box that it is in.
    fn capture(&mut self, local: &Local, to: Reg) -> Result<()> {
        match local.place {
            Place::Boxed(reg) => self.move_to(Bank::C, to, reg),
            Place::Captured(n) | Place::CapturedBox(n) => {
                self.emit(Op::Up(to, n));
            }
            Place::Reg(reg) => {
                if let Some(flag) = local.owned {
                    self.emit(Op::LoadI(flag, 0));
                }
                self.coerce(Val { ty: local.ty.clone(), reg }, &Type::Any, Some(to))?;
            }
        }
        Ok(())
    }
}
