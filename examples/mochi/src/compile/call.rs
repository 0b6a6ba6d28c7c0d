//! Functions, closures and calls.
//!
//! There are two calling conventions. A direct call, of a function by its name, passes each argument
//! in the bank of its type. A call of a function value passes the closure and all arguments as
//! cells. A named function that is used as a value is wrapped in a synthesized closure, which
//! unboxes the arguments and calls it directly.

use std::rc::Rc;

use super::scope::{Storage, Symbol};
use super::{ANY, Compiler, Dest, FnState, NULLS, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::diagnostics::{Result, error_at, wrong_arity};
use crate::syntax::ast::*;
use crate::types::{Bank, Record, Signature, Type};

/// The number of arguments in a call of a function value.
const ARGS_MAX: usize = 100;

impl Compiler<'_> {
    pub(super) fn call(&mut self, callee: &Expr, args: &[Expr], dest: Dest) -> Result<Val> {
        let this = Expr { pos: callee.pos, kind: ExprKind::Name(THIS.to_owned()) };
        let mut all: Vec<&Expr> = args.iter().collect();
        let (name, builtin) = match &callee.kind {
            ExprKind::Name(name) => {
                let found = self.resolve(name);
                if let Some(function) = found.as_ref().filter(|it| it.is_function()) {
                    // A method that is called without a receiver gets that of the caller.
                    if function.name != *name {
                        all.insert(0, &this);
                    }
                    return self.call_direct(function, &all, dest);
                }
                let record = self.env.records.get(name).filter(|_| found.is_none()).cloned();
                if let Some(record) = record {
                    self.check_fields(&record, args.len())?;
                    let values: Vec<_> = args.iter().map(Some).collect();
                    return self.construct(record, &values, dest);
                }
                (name, Builtin::named(name).filter(|_| found.is_none()))
            }
            ExprKind::Field(base, name) => {
                all.insert(0, base);
                let is_builtin = match self.infer(base, ANY)? {
                    Type::Struct(record) => match self.method(&record, name) {
                        Some(method) => return self.call_direct(&method, &all, dest),
                        None => false,
                    },
                    Type::String | Type::List(_) | Type::Group(_) | Type::Bytes => true,
                    Type::Any => Builtin::method_of_any(name).is_some(),
                    // Any other name is a key that holds a function.
                    Type::Map(..) => ["contains", "keys", "values", "get"].contains(&name.as_str()),
                    _ => false,
                };
                (name, Builtin::named(name).filter(|_| is_builtin))
            }
            _ => return self.call_value(callee, args, dest),
        };
        match builtin {
            Some(builtin) => self.call_builtin(builtin, name, &all, dest),
            None => self.call_value(callee, args, dest),
        }
    }

    /// Checks the number of positional fields.
    pub(super) fn check_fields(&self, record: &Record, given: usize) -> Result<()> {
        let (name, count) = (&record.name, self.shape(record.shape).fields.len());
        if count != given {
            let (s, were) =
                (if count == 1 { "" } else { "s" }, if given == 1 { "was" } else { "were" });
            let message = format!("`{name}` has {count} field{s} but {given} {were} given");
            return error_at(self.pos, message);
        }
        Ok(())
    }

    /// The method of a struct: the function `Struct.method`.
    pub(super) fn method(&self, record: &Record, name: &str) -> Option<Symbol> {
        self.env.globals.get(&format!("{}.{name}", record.name)).cloned()
    }

    /// Calls a function by its index.
    fn call_direct(&mut self, function: &Symbol, args: &[&Expr], dest: Dest) -> Result<Val> {
        let (Type::Fun(signature), Storage::Function(index)) = (&function.ty, function.storage)
        else {
            return self.not_callable(&function.ty);
        };
        let params = &signature.params;
        // Messages do not count the receiver.
        let receiver = usize::from(function.name.contains('.'));
        if args.len() < params.len() && args.len() > receiver {
            return self.partial(function, args);
        }
        if args.len() != params.len() {
            let (name, takes, given) =
                (&function.name, params.len() - receiver, args.len() - receiver);
            return error_at(self.pos, wrong_arity(&format!("`{name}`"), (takes, takes), given));
        }
        for (arg, ty) in args.iter().zip(params) {
            self.expr_to_next(ty.bank(), arg, ty)?;
        }
        let [i, f, c] = dest.mark.map(|n| n as Reg);
        self.emit(Op::Call(index, i, f, c));
        self.release(dest.mark);
        self.alloc_for(&signature.result)
    }

    fn not_callable<T>(&self, ty: &Type) -> Result<T> {
        error_at(self.pos, format!("cannot call a value of type `{ty}`"))
    }

    /// Calls a function value.
    fn call_value(&mut self, callee: &Expr, args: &[Expr], dest: Dest) -> Result<Val> {
        let function = self.expr(callee, ANY, None)?;
        let signature = match &function.ty {
            Type::Fun(signature) => Some(Rc::clone(signature)),
            Type::Any | Type::Null => None,
            ty => return self.not_callable(ty),
        };
        if args.len() > ARGS_MAX {
            return error_at(self.pos, format!("call has more than {ARGS_MAX} arguments"));
        }
        let base = self.move_to_mark(dest.mark, Bank::C, function)?;
        for (n, arg) in args.iter().enumerate() {
            let ty = signature.as_ref().and_then(|it| it.params.get(n));
            self.expr_to_next(Bank::C, arg, ty.unwrap_or(ANY))?;
        }
        // A call with too few arguments returns a function, and its type is not tracked.
        let result = signature
            .filter(|it| it.params.len() == args.len() && it.result != Type::Null)
            .map_or(Type::Any, |it| it.result.clone());
        self.emit(Op::CallValue(base, args.len() as Reg));
        self.ascribe(Val::cell(base), &result, dest.reg_in(result.bank()))
    }

    /// Partial application: a function with its first arguments, or a method with its receiver.
    pub(super) fn partial(&mut self, function: &Symbol, args: &[&Expr]) -> Result<Val> {
        let base = self.as_value(&function.name, &function.ty, self.dest(ANY))?;
        let Type::Fun(signature) = &base.ty else { return Ok(base) };
        for (arg, ty) in args.iter().zip(&signature.params) {
            self.expr_to_next(Bank::C, arg, ty)?;
        }
        self.emit(Op::CallValue(base.reg, args.len() as Reg));
        let (params, result) = (signature.params[args.len()..].to_vec(), signature.result.clone());
        Ok(Val { ty: Type::Fun(Rc::new(Signature { params, result })), ..base })
    }

    /// Loads a name that no declaration binds: a variant without fields, null, or a built-in function.
    pub(super) fn load_constant(&mut self, name: &str, dest: Dest) -> Result<Val> {
        if let Some(record) = self.env.records.get(name).cloned()
            && self.shape(record.shape).fields.is_empty()
        {
            return self.construct(record, &[], dest);
        }
        if NULLS.contains(&name) {
            return self.emit_result(dest, Type::Null, Op::LoadNull);
        }
        if Builtin::named(name).is_none() {
            return error_at(self.pos, format!("undefined variable or function `{name}`"));
        }
        // As a value, a built-in function takes one argument.
        let signature = Signature { params: vec![Type::Any], result: Type::Any };
        self.as_value(name, &Type::Fun(Rc::new(signature)), dest)
    }

    /// Wraps a function that is called directly, or a built-in function, in a closure.
    pub(super) fn as_value(&mut self, name: &str, ty: &Type, dest: Dest) -> Result<Val> {
        let Type::Fun(signature) = ty else { return self.not_callable(ty) };
        let pos = self.pos;
        let named = |name: &str| Expr { pos, kind: ExprKind::Name(name.to_owned()) };
        let params: Vec<_> = (0..signature.params.len()).map(|n| (format!(" {n}"), None)).collect();
        let args = params.iter().map(|(name, _)| named(name)).collect();
        let call = Expr { pos, kind: ExprKind::Call(Box::new(named(name)), args) };
        let body = vec![Stmt { pos, kind: StmtKind::Return(Some(call)) }];
        let fun = Rc::new(Fun { params, body, pos, ..Fun::default() });
        // Inferred types are cached by address.
        self.synthesized.push(Rc::clone(&fun));
        self.closure(&fun, Dest { expected: ty, reg: dest.reg_in(Bank::C), ..dest })
    }

    /// Compiles a function. Returns its captures.
    pub(super) fn function(
        &mut self,
        fun: &Fun,
        index: u16,
        signature: &Rc<Signature>,
        boxed_args: bool,
    ) -> Result<Vec<Symbol>> {
        let owner = fun.name.split_once('.').map(|(owner, _)| owner);
        let this = owner.and_then(|owner| self.env.records.get(owner)).cloned();
        let result = Some(signature.result.clone());
        let optional_result = fun.result.as_ref().is_some_and(TypeRef::is_optional);
        self.begin(FnState { result, optional_result, this, boxed_args, ..FnState::of(fun) });
        self.with_pos(fun.pos, |compiler| compiler.body(fun, signature))?;
        Ok(self.finish(index))
    }

    /// Compiles the parameters and the body of a function.
    fn body(&mut self, fun: &Fun, signature: &Rc<Signature>) -> Result<()> {
        let boxed = self.current.boxed_args;
        // The closure and the parameters take the first registers of their banks.
        let closure = if boxed { Some(self.alloc_reg(Bank::C)?) } else { None };
        let alloc = |ty: &Type| self.alloc_reg(if boxed { Bank::C } else { ty.bank() });
        let regs = signature.params.iter().map(alloc).collect::<Result<Vec<Reg>>>()?;
        if let Some(reg) = closure.filter(|_| !fun.name.is_empty()) {
            let ty = Type::Fun(Rc::clone(signature));
            self.declare_local(&fun.name, Val { ty, reg })?;
        }
        for (((name, _), ty), reg) in fun.params.iter().zip(&signature.params).zip(regs) {
            let value = match boxed {
                true => self.ascribe(Val::cell(reg), ty, None)?,
                false => Val { ty: ty.clone(), reg },
            };
            self.declare_local(name, value)?;
        }
        for stmt in &fun.body {
            self.statement(stmt)?;
        }
        self.return_value(None)
    }

    /// Compiles a declaration of a nested function. It is a closure only if it mentions variables of
    /// the functions around it.
    pub(super) fn nested_function(&mut self, fun: &Rc<Fun>) -> Result<()> {
        let captured = |symbol: &Symbol| {
            fun.uses.mentioned.contains(&symbol.name)
                && !symbol.is_function()
                && symbol.name != fun.name
        };
        let captures = |state: &FnState| state.scopes.iter().flatten().any(captured);
        let is_closure = captures(&self.current) || self.enclosing.iter().any(captures);
        if is_closure || self.current.this.is_some() {
            let mark = self.mark();
            let value = self.closure(fun, self.dest(ANY))?;
            self.release(mark);
            let local = self.new_local(&fun.name, value)?;
            return self.declare(local, false);
        }
        let (index, signature) = (self.reserve_function(&fun.name)?, self.signature(fun, ANY)?);
        self.declare(Symbol::function(&fun.name, index, &signature), false)?;
        self.function(fun, index, &signature, false).map(drop)
    }

    /// Compiles a function value and creates its closure.
    pub(super) fn closure(&mut self, fun: &Fun, dest: Dest) -> Result<Val> {
        let (reg, signature) = (self.dest_reg(dest, ANY)?, self.signature(fun, dest.expected)?);
        let index = self.reserve_function(&fun.name)?;
        let captures = self.function(fun, index, &signature, true)?;
        let mark = self.mark();
        for symbol in &captures {
            let to = self.alloc_reg(Bank::C)?;
            let boxed = self.box_reg(symbol.storage, to);
            self.move_to(Bank::C, to, boxed);
        }
        self.emit(Op::Closure(reg, mark[2] as Reg, captures.len() as Reg, index));
        self.release(mark);
        Ok(Val { ty: Type::Fun(signature), reg })
    }
}
