//! Functions and calls.
//!
//! A function that is called by its name gets its arguments in the banks of their types. One that
//! is called as a value gets itself and all its arguments as cells; a named function that is used
//! as a value is wrapped in one that unboxes the arguments and calls it.

use std::rc::Rc;

use super::scope::{Local, New, Place};
use super::{ANY, Compiler, Frame, Known, Mark, Val, Want};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::{Expr, ExprKind, Fun};
use crate::types::{Bank, Record, Signature, Type};

impl Compiler<'_> {
    pub(super) fn call(&mut self, callee: &Expr, args: &[Expr], want: Want<'_>) -> Result<Val> {
        match &callee.kind {
            ExprKind::Name(name) => {
                let found = self.find(name);
                // The record of the method that calls is in its first register.
                if found.as_ref().is_none_or(Local::is_function)
                    && let Some(method) =
                        self.here().this.as_ref().and_then(|it| self.method(it, name))
                {
                    return self.call_known(&method, Some(Val::cell(0)), args, want);
                }
                match found.map(|local| local.place) {
                    Some(Place::Function(known)) => {
                        return self.call_known(&known, None, args, want);
                    }
                    Some(_) => return self.call_value(callee, args, want),
                    None => {}
                }
                if let Some(record) = self.world.records.get(name).cloned() {
                    self.check_fields(&record, args.len())?;
                    let values: Vec<_> = args.iter().map(Some).collect();
                    return self.construct(record, &values, want);
                }
                let Some(builtin) = Builtin::named(name) else {
                    return fault(callee.at, format!("there is no function `{name}`"));
                };
                let args: Vec<&Expr> = args.iter().collect();
                self.call_builtin(builtin, name, &args, want)
            }
            ExprKind::Field(base, name) => {
                let builtin = match self.probe(base, ANY)? {
                    Type::Struct(record) => {
                        if let Some(method) = self.method(&record, name) {
                            let record = self.expr(base, ANY, None)?;
                            return self.call_known(&method, Some(record), args, want);
                        }
                        None
                    }
                    Type::Text | Type::List(_) | Type::Group(_) | Type::Bytes => {
                        Builtin::named(name)
                    }
                    // A key may have the name of a function.
                    Type::Any | Type::Map(..) => ["contains", "keys", "values", "get"]
                        .contains(&name.as_str())
                        .then(|| Builtin::named(name))
                        .flatten(),
                    _ => None,
                };
                let Some(builtin) = builtin else { return self.call_value(callee, args, want) };
                let args: Vec<&Expr> = std::iter::once(&**base).chain(args).collect();
                self.call_builtin(builtin, name, &args, want)
            }
            _ => self.call_value(callee, args, want),
        }
    }

    /// All fields of a record are named by their order.
    pub(super) fn check_fields(&self, record: &Record, given: usize) -> Result<()> {
        let (name, count) = (&record.name, self.shape(record.shape).fields.len());
        if count != given {
            return fault(self.at, format!("{name} has {count} fields, not {given}"));
        }
        Ok(())
    }

    /// Methods are functions by the name of their type and their own.
    pub(super) fn method(&self, record: &Record, name: &str) -> Option<Rc<Known>> {
        match &self.world.globals.get(&format!("{}.{name}", record.name))?.place {
            Place::Function(known) => Some(Rc::clone(known)),
            _ => None,
        }
    }

    fn call_known(
        &mut self,
        known: &Known,
        this: Option<Val>,
        args: &[Expr],
        want: Want<'_>,
    ) -> Result<Val> {
        let params = &known.signature.params[usize::from(this.is_some())..];
        if args.len() < params.len() && this.is_none() && !args.is_empty() {
            return self.partial(known, None, args);
        }
        if args.len() != params.len() {
            let (name, wanted, found) = (&known.name, params.len(), args.len());
            return fault(self.at, format!("{name} takes {wanted} arguments, not {found}"));
        }
        if let Some(record) = this {
            self.settle(want.mark, Bank::C, record)?;
        }
        for (arg, ty) in args.iter().zip(params) {
            self.next(ty.bank(), arg, ty)?;
        }
        self.call_window(known, want.mark)
    }

    /// Calls a function whose arguments begin at the mark: its result lands there.
    fn call_window(&mut self, known: &Known, mark: Mark) -> Result<Val> {
        let [i, f, c] = mark.map(|n| n as Reg);
        self.emit(Op::Call(known.index, i, f, c));
        self.release(mark);
        self.take_for(&known.signature.result)
    }

    /// Calls a closure.
    fn call_value(&mut self, callee: &Expr, args: &[Expr], want: Want<'_>) -> Result<Val> {
        let function = self.expr(callee, ANY, None)?;
        let signature = match &function.ty {
            Type::Fun(signature) => Some(Rc::clone(signature)),
            Type::Any | Type::Null => None,
            ty => return self.refuse(ty, "is no function"),
        };
        if args.len() > 100 {
            return fault(self.at, "a call has at most 100 arguments");
        }
        let base = self.settle(want.mark, Bank::C, function)?;
        for (n, arg) in args.iter().enumerate() {
            let ty = signature.as_ref().and_then(|it| it.params.get(n));
            self.next(Bank::C, arg, ty.unwrap_or(ANY))?;
        }
        // A call with fewer arguments answers a function.
        let full = signature
            .filter(|it| it.params.len() == args.len() && it.result != Type::Null)
            .map_or(Type::Any, |it| it.result.clone());
        self.emit(Op::CallV(base, args.len() as Reg));
        self.fit(Val::cell(base), &full, want.reg(full.bank()))
    }

    /// Some of the arguments of a function or the record of a method, kept for later.
    pub(super) fn partial(
        &mut self,
        known: &Known,
        this: Option<Val>,
        args: &[Expr],
    ) -> Result<Val> {
        let Signature { params, result } = &*known.signature;
        let first = usize::from(this.is_some());
        let base = self.take(Bank::C)?;
        self.known_as_value(known, base)?;
        if let Some(record) = this {
            self.settle(self.mark(), Bank::C, record)?;
        }
        for (arg, ty) in args.iter().zip(&params[first..]) {
            self.next(Bank::C, arg, ty)?;
        }
        let given = first + args.len();
        self.emit(Op::CallV(base, given as Reg));
        let (params, result) = (params[given..].to_vec(), result.clone());
        Ok(Val { ty: Type::Fun(Rc::new(Signature { params, result })), reg: base })
    }

    /// A name that nothing was declared by: a variant without fields, null, or a built-in.
    pub(super) fn load_constant(&mut self, name: &str, want: Want<'_>) -> Result<Val> {
        if let Some(record) = self.world.records.get(name).cloned()
            && self.shape(record.shape).fields.is_empty()
        {
            return self.construct(record, &[], want);
        }
        if matches!(name, "nil" | "null") {
            return self.done(want, Type::Null, Op::Null);
        }
        let Some(builtin) = Builtin::named(name) else {
            return fault(self.at, format!("there is no variable or function `{name}`"));
        };
        // A built-in as a value: a function of one argument.
        let index = self.wrapper(name, 1, |compiler| {
            compiler.emit(Op::Builtin(builtin, 1, 1, 1));
            Ok(1)
        })?;
        self.done(want, Type::Any, |reg| Op::Closure(reg, 0, 0, index))
    }

    pub(super) fn known_as_value(&mut self, known: &Known, reg: Reg) -> Result<()> {
        let params = &known.signature.params;
        let wrapper = match known.wrapper.get() {
            Some(wrapper) => wrapper,
            None => self.wrapper(&known.name, params.len(), |compiler| {
                let mark = compiler.mark();
                for (n, ty) in params.iter().enumerate() {
                    let inner = compiler.mark();
                    let value = compiler.fit(Val::cell((n + 1) as Reg), ty, None)?;
                    compiler.settle(inner, ty.bank(), value)?;
                }
                let result = compiler.call_window(known, mark)?;
                compiler.as_cell(result)
            })?,
        };
        known.wrapper.set(Some(wrapper));
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

    /// Compiles a function; answers what it captures.
    pub(super) fn function(
        &mut self,
        fun: &Fun,
        index: u16,
        signature: &Rc<Signature>,
        boxed_call: bool,
    ) -> Result<Vec<Local>> {
        let this = match (&fun.owner, signature.params.first()) {
            (Some(_), Some(Type::Struct(record))) => Some(Rc::clone(record)),
            _ => None,
        };
        let result = Some(signature.result.clone());
        self.frames.push(Frame { result, this, boxed_call, ..Frame::of(fun) });
        self.generic(fun, |compiler| {
            compiler.placed(fun.at, |compiler| compiler.body(fun, signature))
        })?;
        Ok(self.finish(index, signature.params.len()))
    }

    /// Does something while the type parameters of a function stand for any type.
    pub(super) fn generic<T>(
        &mut self,
        fun: &Fun,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let types = &mut self.world.types;
        let hide = |name: &String| (name.clone(), types.insert(name.clone(), Type::Any));
        let hidden: Vec<_> = fun.generics.iter().map(hide).collect();
        let result = body(self);
        for (name, ty) in hidden.into_iter().rev() {
            match ty {
                Some(ty) => self.world.types.insert(name, ty),
                None => self.world.types.remove(&name),
            };
        }
        result
    }

    fn body(&mut self, fun: &Fun, signature: &Rc<Signature>) -> Result<()> {
        let boxed = self.here().boxed_call;
        if boxed {
            // The closure itself.
            let own = self.take(Bank::C)?;
            if !fun.name.is_empty() {
                let ty = Type::Fun(Rc::clone(signature));
                self.declare_in(New::variable(&fun.name), Val { ty, reg: own })?;
            }
        }
        // All parameters have their registers before any of them needs another.
        let mut values = Vec::new();
        for ty in &signature.params {
            let reg = self.take(if boxed { Bank::C } else { ty.bank() })?;
            values.push((reg, ty));
        }
        // The first parameter of a method is the record.
        let own = usize::from(self.here().this.is_some());
        for ((name, _), (reg, ty)) in fun.params.iter().zip(values.drain(own..)) {
            let value = match boxed {
                true => self.fit(Val::cell(reg), ty, None)?,
                false => Val { ty: ty.clone(), reg },
            };
            self.declare_in(New::variable(name), value)?;
        }
        for stmt in &fun.body {
            self.statement(stmt)?;
        }
        let ty = if signature.result == Type::Null { ANY } else { &signature.result };
        let value = self.default_value(ty)?;
        self.return_from(value, ty.bank())
    }

    /// A function inside a function. If it knows none of the variables around it, it is like one
    /// of the top level; else it is a closure.
    pub(super) fn inner_function(&mut self, fun: &Rc<Fun>) -> Result<()> {
        let own = |name: &String| *name == fun.name || fun.params.iter().any(|it| it.0 == *name);
        let mut around = self.frames.iter().flat_map(|frame| frame.scopes.iter().flatten());
        let around = around.any(|local| {
            fun.uses.names.contains(&local.name) && !local.is_function() && !own(&local.name)
        });
        let signature = self.signature(fun)?;
        if around || self.here().this.is_some() || self.here().shared.contains(&fun.name) {
            let mark = self.mark();
            let reg = self.take(Bank::C)?;
            let value = self.closure(fun, signature, reg)?;
            self.release(mark);
            return self.declare(New::variable(&fun.name), value);
        }
        let index = self.reserve_function(&fun.name)?;
        self.kept = self.kept.max(usize::from(index) + 1);
        let local = Known::local(&fun.name, index, &signature);
        self.bind(local);
        self.function(fun, index, &signature, false).map(drop)
    }

    /// A function without a name: what it does not say of its types, the place where it is used
    /// may know.
    pub(super) fn lambda(&mut self, fun: &Fun, want: Want<'_>) -> Result<Val> {
        let mut signature = self.signature(fun)?;
        if let (Type::Fun(expected), known) = (want.ty, Rc::make_mut(&mut signature))
            && expected.params.len() == fun.params.len()
        {
            for (n, (_, ty)) in fun.params.iter().enumerate() {
                if ty.is_none() {
                    known.params[n] = expected.params[n].clone();
                }
            }
            if fun.result.is_none() {
                known.result = expected.result.clone();
            }
        }
        let reg = self.target(want, ANY)?;
        self.closure(fun, signature, reg)
    }

    /// Compiles a function that is called as a value, and makes the closure.
    fn closure(&mut self, fun: &Fun, signature: Rc<Signature>, reg: Reg) -> Result<Val> {
        let index = self.reserve_function(&fun.name)?;
        let captures = self.function(fun, index, &signature, true)?;
        let mark = self.mark();
        for local in &captures {
            let to = self.take(Bank::C)?;
            let held = self.held(&local.place, to);
            self.move_to(Bank::C, to, held);
        }
        self.emit(Op::Closure(reg, mark[2] as Reg, captures.len() as Reg, index));
        self.release(mark);
        Ok(Val { ty: Type::Fun(signature), reg })
    }
}
