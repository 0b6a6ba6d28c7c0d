//! Functions and calls.
//!
//! A function that is called by its name gets its arguments in the banks of their types. One that
//! is called as a value gets itself and all its arguments as cells; a named function that is used
//! as a value is wrapped in one that unboxes the arguments and calls it.

use std::rc::Rc;

use super::scope::{Local, Place};
use super::{ANY, Compiler, Frame, Val, Want};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Record, Signature, Type};

impl Compiler<'_> {
    pub(super) fn call(&mut self, callee: &Expr, args: &[Expr], want: Want) -> Result<Val> {
        let this = Expr { at: callee.at, kind: ExprKind::Name(THIS.to_owned()) };
        let mut all: Vec<&Expr> = args.iter().collect();
        let (name, builtin) = match &callee.kind {
            ExprKind::Name(name) => {
                let found = self.find(name);
                if let Some(known) = found.as_ref().filter(|it| it.is_function()) {
                    // A method that is named alone is one of this record.
                    if known.name != *name {
                        all.insert(0, &this);
                    }
                    return self.call_known(known, &all, want);
                }
                let record = self.world.records.get(name).filter(|_| found.is_none()).cloned();
                if let Some(record) = record {
                    self.check_fields(&record, args.len())?;
                    let values: Vec<_> = args.iter().map(Some).collect();
                    return self.construct(record, &values, want);
                }
                (name, Builtin::named(name).filter(|_| found.is_none()))
            }
            ExprKind::Field(base, name) => {
                all.insert(0, base);
                let suits = match self.probe(base, ANY)? {
                    Type::Struct(record) => match self.method(&record, name) {
                        Some(method) => return self.call_known(&method, &all, want),
                        None => false,
                    },
                    Type::Text | Type::List(_) | Type::Group(_) | Type::Bytes => true,
                    // A key may have the name of a function.
                    Type::Any | Type::Map(..) => {
                        ["contains", "keys", "values", "get"].contains(&name.as_str())
                    }
                    _ => false,
                };
                (name, Builtin::named(name).filter(|_| suits))
            }
            _ => return self.call_value(callee, args, want),
        };
        match builtin {
            Some(builtin) => self.call_builtin(builtin, name, &all, want),
            None => self.call_value(callee, args, want),
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
    pub(super) fn method(&self, record: &Record, name: &str) -> Option<Local> {
        self.world.globals.get(&format!("{}.{name}", record.name)).cloned()
    }

    fn call_known(&mut self, known: &Local, args: &[&Expr], want: Want) -> Result<Val> {
        let (Type::Fun(signature), Place::Function(index)) = (&known.ty, known.place) else {
            return self.refuse(&known.ty, "is no function");
        };
        let params = &signature.params;
        // Nobody writes the record of a method as an argument.
        let this = usize::from(known.name.contains('.'));
        if args.len() < params.len() && args.len() > this {
            return self.partial(known, args);
        }
        if args.len() != params.len() {
            let (name, wanted, found) = (&known.name, params.len() - this, args.len() - this);
            return fault(self.at, format!("{name} takes {wanted} arguments, not {found}"));
        }
        for (arg, ty) in args.iter().zip(params) {
            self.next(ty.bank(), arg, ty)?;
        }
        let [i, f, c] = want.mark.map(|n| n as Reg);
        self.emit(Op::Call(index, i, f, c));
        self.release(want.mark);
        self.take_for(&signature.result)
    }

    fn call_value(&mut self, callee: &Expr, args: &[Expr], want: Want) -> Result<Val> {
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
    pub(super) fn partial(&mut self, function: &Local, args: &[&Expr]) -> Result<Val> {
        let base = self.as_value(&function.name, &function.ty, self.want(ANY))?;
        let Type::Fun(signature) = &base.ty else { return Ok(base) };
        for (arg, ty) in args.iter().zip(&signature.params) {
            self.next(Bank::C, arg, ty)?;
        }
        self.emit(Op::CallV(base.reg, args.len() as Reg));
        let (params, result) = (signature.params[args.len()..].to_vec(), signature.result.clone());
        Ok(Val { ty: Type::Fun(Rc::new(Signature { params, result })), ..base })
    }

    /// A name that nothing was declared by: a variant without fields, null, or a built-in.
    pub(super) fn load_constant(&mut self, name: &str, want: Want) -> Result<Val> {
        if let Some(record) = self.world.records.get(name).cloned()
            && self.shape(record.shape).fields.is_empty()
        {
            return self.construct(record, &[], want);
        }
        if matches!(name, "nil" | "null") {
            return self.done(want, Type::Null, Op::Null);
        }
        if Builtin::named(name).is_none() {
            return fault(self.at, format!("there is no variable or function `{name}`"));
        }
        // A built-in as a value is a function of one argument.
        let signature = Signature { params: vec![Type::Any], result: Type::Any };
        self.as_value(name, &Type::Fun(Rc::new(signature)), want)
    }

    /// A function that has a number, or a built-in, as a value: a closure that calls it.
    pub(super) fn as_value(&mut self, name: &str, ty: &Type, want: Want) -> Result<Val> {
        let Type::Fun(signature) = ty else { return self.refuse(ty, "is no function") };
        let at = self.at;
        let named = |name: &str| Expr { at, kind: ExprKind::Name(name.to_owned()) };
        let params: Vec<_> = (0..signature.params.len()).map(|n| (format!(" {n}"), None)).collect();
        let args = params.iter().map(|(name, _)| named(name)).collect();
        let call = Expr { at, kind: ExprKind::Call(Box::new(named(name)), args) };
        let body = vec![Stmt { at, kind: StmtKind::Return(Some(call)) }];
        let fun = Rc::new(Fun { params, body, at, ..Fun::default() });
        // What was probed is known by its address.
        self.made.push(Rc::clone(&fun));
        self.closure(&fun, Want { ty, to: want.reg(Bank::C), ..want })
    }

    /// Compiles a function; answers what it captures.
    pub(super) fn function(
        &mut self,
        fun: &Fun,
        index: u16,
        signature: &Rc<Signature>,
        boxed_call: bool,
    ) -> Result<Vec<Local>> {
        let owner = fun.name.split_once('.').map(|(owner, _)| owner);
        let this = owner.and_then(|owner| self.world.records.get(owner)).cloned();
        let result = Some(signature.result.clone());
        self.begin(Frame { result, this, boxed_call, ..Frame::of(fun) });
        self.placed(fun.at, |compiler| compiler.body(fun, signature))?;
        Ok(self.finish(index))
    }

    fn body(&mut self, fun: &Fun, signature: &Rc<Signature>) -> Result<()> {
        let boxed = self.frame.boxed_call;
        // The closure itself and all parameters have their registers before anything needs another.
        let own = if boxed { Some(self.take(Bank::C)?) } else { None };
        let take = |ty: &Type| self.take(if boxed { Bank::C } else { ty.bank() });
        let regs = signature.params.iter().map(take).collect::<Result<Vec<Reg>>>()?;
        if let Some(reg) = own.filter(|_| !fun.name.is_empty()) {
            let ty = Type::Fun(Rc::clone(signature));
            self.declare_in(&fun.name, Val { ty, reg })?;
        }
        for (((name, _), ty), reg) in fun.params.iter().zip(&signature.params).zip(regs) {
            let value = match boxed {
                true => self.fit(Val::cell(reg), ty, None)?,
                false => Val { ty: ty.clone(), reg },
            };
            self.declare_in(name, value)?;
        }
        for stmt in &fun.body {
            self.statement(stmt)?;
        }
        self.return_value(None)
    }

    /// A function inside a function. If it knows none of the variables around it, it is like one
    /// of the top level; else it is a closure.
    pub(super) fn inner_function(&mut self, fun: &Rc<Fun>) -> Result<()> {
        let known = |local: &Local| {
            fun.uses.names.contains(&local.name) && !local.is_function() && local.name != fun.name
        };
        let knows = |frame: &Frame| frame.scopes.iter().flatten().any(known);
        let around = knows(&self.frame) || self.outer.iter().any(knows);
        if around || self.frame.this.is_some() {
            let mark = self.mark();
            let value = self.closure(fun, self.want(ANY))?;
            self.release(mark);
            let local = self.local(&fun.name, value)?;
            return self.declare(local, false);
        }
        let (index, signature) = (self.reserve_function(&fun.name)?, self.signature(fun, ANY)?);
        self.declare(Local::function(&fun.name, index, &signature), false)?;
        self.function(fun, index, &signature, false).map(drop)
    }

    /// Compiles a function that is called as a value, and makes the closure.
    pub(super) fn closure(&mut self, fun: &Fun, want: Want) -> Result<Val> {
        let (reg, signature) = (self.target(want, ANY)?, self.signature(fun, want.ty)?);
        let index = self.reserve_function(&fun.name)?;
        let captures = self.function(fun, index, &signature, true)?;
        let mark = self.mark();
        for local in &captures {
            let to = self.take(Bank::C)?;
            let held = self.held(local.place, to);
            self.move_to(Bank::C, to, held);
        }
        self.emit(Op::Closure(reg, mark[2] as Reg, captures.len() as Reg, index));
        self.release(mark);
        Ok(Val { ty: Type::Fun(signature), reg })
    }
}
