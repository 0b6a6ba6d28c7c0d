//! Statements.

use super::scope::{Named, Place};
use super::{Compiler, Loop, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

impl Compiler<'_> {
    pub(super) fn block(&mut self, body: &[Stmt]) -> Result<()> {
        let mark = self.mark();
        self.open();
        for stmt in body {
            self.statement(stmt)?;
        }
        self.close(mark);
        Ok(())
    }

    pub(super) fn statement(&mut self, stmt: &Stmt) -> Result<()> {
        self.at = stmt.at;
        match &stmt.kind {
            StmtKind::Bind { name, ty, value, mutable } => {
                self.binding(name, ty.as_ref(), value.as_ref(), *mutable)
            }
            StmtKind::Assign(place, value) => self.assign(place, value),
            StmtKind::Fun(fun) => self.inner_function(fun),
            StmtKind::Return(value) => self.return_value(value.as_ref()),
            StmtKind::If(condition, then, otherwise) => {
                let mark = self.mark();
                let skip = self.condition(condition, false)?;
                self.release(mark);
                self.block(then)?;
                if otherwise.is_empty() {
                    self.land_all(skip);
                    return Ok(());
                }
                let end = self.emit(Op::Jump(0));
                self.land_all(skip);
                self.block(otherwise)?;
                self.land(end);
                Ok(())
            }
            StmtKind::While(condition, body) => {
                // The condition stands at the end: one jump a turn.
                let enter = self.emit(Op::Jump(0));
                let start = self.label();
                self.frame().loops.push(Loop::default());
                self.block(body)?;
                let done = self.frame().loops.pop().unwrap_or_default();
                self.land(enter);
                self.land_all(done.continues);
                self.at = condition.at;
                let mark = self.mark();
                for jump in self.condition(condition, true)? {
                    self.land_at(jump, start);
                }
                self.release(mark);
                self.land_all(done.breaks);
                Ok(())
            }
            StmtKind::For { name, from, to, body } => {
                let mark = self.mark();
                self.open();
                match to {
                    Some(to) => self.range_loop(name, from, to, body)?,
                    None => self.each_loop(name, from, &mut |compiler| compiler.block(body))?,
                }
                self.close(mark);
                Ok(())
            }
            StmtKind::Break | StmtKind::Continue => {
                let jump = self.emit(Op::Jump(0));
                let at = self.at;
                let Some(innermost) = self.frame().loops.last_mut() else {
                    return fault(at, "there is no loop here");
                };
                if matches!(stmt.kind, StmtKind::Break) {
                    innermost.breaks.push(jump);
                } else {
                    innermost.continues.push(jump);
                }
                Ok(())
            }
            StmtKind::Type(name, _) => {
                if self.here().main && self.world.types.contains_key(name) {
                    return Ok(());
                }
                fault(self.at, "types are declared at the top level")
            }
            StmtKind::Expr(expr) => {
                let mark = self.mark();
                self.expr(expr, None, &Type::Any)?;
                self.release(mark);
                Ok(())
            }
            StmtKind::Test(name, body) => {
                let mut start = None;
                if self.testing {
                    let name = self.constant(name)?;
                    start = Some(self.emit(Op::Test(name, 0)));
                }
                self.block(body)?;
                if let Some(start) = start {
                    self.emit(Op::Passed);
                    self.land(start);
                }
                Ok(())
            }
            StmtKind::Bench(name, body) => {
                let mark = self.mark();
                let base = self.take(Bank::C)?;
                self.load_text(base, name)?;
                let start = self.take(Bank::C)?;
                self.emit(Op::Builtin(Builtin::Clock, start, start, 0));
                self.block(body)?;
                self.emit(Op::Builtin(Builtin::Bench, base, base, 2));
                self.release(mark);
                Ok(())
            }
            StmtKind::Expect(condition) => {
                let mark = self.mark();
                let value = self.expr(condition, None, &Type::Bool)?;
                let value = self.coerce(value, &Type::Bool, None)?;
                self.at = stmt.at;
                self.emit(Op::Expect(value.reg));
                self.release(mark);
                Ok(())
            }
            StmtKind::Update { target, set, condition } => {
                self.update(target, set, condition.as_ref())
            }
        }
    }

    fn binding(
        &mut self,
        name: &str,
        ty: Option<&TypeRef>,
        value: Option<&Expr>,
        mutable: bool,
    ) -> Result<()> {
        let at = self.at;
        let declared = ty.map(|ty| self.resolve(ty)).transpose()?;
        let mark = self.mark();
        let mut fresh = true;
        let mut bound = match value {
            Some(value) => {
                fresh = self.is_fresh(value);
                let found = self.expr(value, None, declared.as_ref().unwrap_or(&Type::Any))?;
                match &declared {
                    Some(ty) => self.coerce(found, ty, None)?,
                    None => found,
                }
            }
            None => self.default_value(declared.as_ref().unwrap_or(&Type::Any))?,
        };
        match declared {
            Some(ty) => bound.ty = ty,
            // A variable that begins as nothing can become anything.
            None if bound.ty == Type::Null => bound.ty = Type::Any,
            None => {}
        }
        self.at = at;
        let top = self.here().main && self.here().scopes.len() == 1;
        if top && (self.all_global || self.global_names.contains(name)) {
            self.declare_global(name, bound, mutable, fresh)?;
            self.release(mark);
            return Ok(());
        }
        self.declare(name, bound, mark, mutable, fresh)
    }

    fn default_value(&mut self, ty: &Type) -> Result<Val> {
        let value = self.take_for(ty)?;
        match ty {
            Type::Int | Type::Bool => self.emit(Op::LoadI(value.reg, 0)),
            Type::Float => {
                self.load_float(value.reg, 0.0)?;
                0
            }
            Type::Text => {
                self.load_text(value.reg, "")?;
                0
            }
            Type::List(element) => self.emit(match **element {
                Type::Int => Op::NewI(value.reg, 0, 0),
                Type::Float => Op::NewF(value.reg, 0, 0),
                _ => Op::NewList(value.reg, 0, 0),
            }),
            Type::Map(..) => self.emit(Op::NewMap(value.reg, 0, 0)),
            _ => self.emit(Op::Null(value.reg)),
        };
        Ok(value)
    }

    fn return_value(&mut self, value: Option<&Expr>) -> Result<()> {
        let mark = self.mark();
        let result = self.here().result.clone();
        let at = self.at;
        let ty = match (&result, value) {
            // What the main program returns goes nowhere.
            (None, _) => Type::Any,
            (Some(Type::Null), Some(_)) => Type::Any,
            (Some(ty), _) => ty.clone(),
        };
        let value = match value {
            Some(value) => {
                let found = self.borrowed(value, &ty)?;
                self.at = at;
                self.coerce(found, &ty, None)?
            }
            None => self.default_value(&ty)?,
        };
        self.return_from(value, ty.bank())?;
        self.release(mark);
        Ok(())
    }

    /// Returns a value of the bank that the caller expects.
    pub(super) fn return_from(&mut self, value: Val, bank: Bank) -> Result<()> {
        let boxed = self.here().boxed_call || self.here().result.is_none() || bank == Bank::C;
        let op = if boxed {
            Op::RetC(self.coerce(value, &Type::Any, None).and_then(|value| self.as_cell(value))?)
        } else if bank == Bank::I {
            Op::RetI(value.reg)
        } else {
            Op::RetF(value.reg)
        };
        self.emit(op);
        Ok(())
    }

    /// Assigns to a variable, an element or a field.
    fn assign(&mut self, place: &Expr, value: &Expr) -> Result<()> {
        let mark = self.mark();
        match &place.kind {
            ExprKind::Name(name) => {
                if super::names::appends_to(name, value)
                    && !self.world.functions.contains_key("append")
                    && let ExprKind::Call(_, args) = &value.kind
                    && self.append_in_place(name, &args[1])?
                {
                    self.release(mark);
                    return Ok(());
                }
                self.store(name, place.at, value)?;
            }
            ExprKind::Index(base, index) => {
                let base = self.borrowed(base, &Type::Any)?;
                let int = Type::Int;
                match &base.ty {
                    Type::List(element) => {
                        let element = (**element).clone();
                        let index = self.typed(index, &int)?;
                        self.at = place.at;
                        let (b, i) = (base.reg, index.reg);
                        let value = match element {
                            Type::Int | Type::Float | Type::Bool => self.typed(value, &element)?,
                            _ => self.boxed_typed(value, &element)?,
                        };
                        self.at = place.at;
                        self.emit(match element {
                            Type::Int => Op::SetI(b, i, value.reg),
                            Type::Float => Op::SetF(b, i, value.reg),
                            Type::Bool => Op::SetB(b, i, value.reg),
                            _ => Op::SetC(b, i, value.reg),
                        });
                    }
                    Type::Map(key, element) => {
                        let (key, element) = (key.clone(), element.clone());
                        let key = self.boxed_typed(index, &key)?;
                        let value = self.boxed_typed(value, &element)?;
                        self.at = place.at;
                        self.emit(Op::Set(base.reg, key.reg, value.reg));
                    }
                    Type::Any | Type::Null | Type::Bytes | Type::Struct(_) | Type::Union(_) => {
                        let key = self.boxed(index, None)?;
                        let value = self.boxed(value, None)?;
                        self.at = place.at;
                        self.emit(Op::Set(base.reg, key, value));
                    }
                    ty => {
                        let ty = self.shown(ty);
                        return fault(
                            place.at,
                            format!("the elements of {ty} cannot be assigned to"),
                        );
                    }
                }
            }
            ExprKind::Field(base, field) => {
                let base = self.borrowed(base, &Type::Any)?;
                if let Type::Struct(shape) = base.ty {
                    let Some(n) = self.shape(shape).field(field) else {
                        let ty = self.shown(&base.ty);
                        return fault(place.at, format!("{ty} has no field `{field}`"));
                    };
                    let ty = self.shape(shape).fields[n].1.clone();
                    let value = self.boxed_typed(value, &ty)?;
                    self.at = place.at;
                    self.emit(Op::SetField(base.reg, n as Reg, value.reg, shape));
                } else {
                    if base.ty.bank() != Bank::C {
                        let ty = self.shown(&base.ty);
                        return fault(place.at, format!("{ty} has no field `{field}`"));
                    }
                    let value = self.boxed(value, None)?;
                    let name = self.name(field)?;
                    self.at = place.at;
                    self.emit(Op::SetName(base.reg, value, name));
                }
            }
            _ => return fault(place.at, "this cannot be assigned to"),
        }
        self.release(mark);
        Ok(())
    }

    /// `xs = append(xs, x)` for a variable that has a flag; answers whether it was one.
    fn append_in_place(&mut self, name: &str, value: &Expr) -> Result<bool> {
        let at = self.at;
        let Some(named) = self.find(name) else { return Ok(false) };
        let (ty, list, flag) = match &named {
            Named::Local(local) => match (local.place, local.owned) {
                (Place::Reg(reg), Some(flag)) if local.mutable => (local.ty.clone(), reg, flag),
                _ => return Ok(false),
            },
            Named::Global(global) => match global.owned {
                Some(flag) if global.mutable => {
                    let list = self.take(Bank::C)?;
                    let reg = self.take(Bank::I)?;
                    self.emit(Op::GetGC(list, global.slot));
                    self.emit(Op::GetGI(reg, flag));
                    (global.ty.clone(), list, reg)
                }
                _ => return Ok(false),
            },
            Named::Field(..) => return Ok(false),
        };
        let element = match &ty {
            Type::List(element) => (**element).clone(),
            Type::Any => Type::Any,
            _ => return Ok(false),
        };
        let (op, value): (fn(Reg, Reg, Reg) -> Op, Val) = match element {
            Type::Int => (Op::AppendI, self.typed(value, &element)?),
            Type::Float => (Op::AppendF, self.typed(value, &element)?),
            _ => (Op::AppendC, self.boxed_typed(value, &element)?),
        };
        self.at = at;
        // The value may have read a global again: the flag is looked at afterwards.
        if let Named::Global(global) = &named
            && let Some(owned) = global.owned
        {
            self.emit(Op::GetGC(list, global.slot));
            self.emit(Op::GetGI(flag, owned));
            self.emit(op(list, value.reg, flag));
            self.emit(Op::SetGC(global.slot, list));
            self.emit(Op::SetGI(owned, flag));
        } else {
            self.emit(op(list, value.reg, flag));
        }
        Ok(true)
    }

    fn range_loop(&mut self, name: &str, from: &Expr, to: &Expr, body: &[Stmt]) -> Result<()> {
        let counter = self.take(Bank::I)?;
        self.expr_into(from, counter, &Type::Int)?;
        let end = self.take(Bank::I)?;
        self.expr_into(to, end, &Type::Int)?;
        let skip = self.emit(Op::JLeI(end, counter, 0));
        let start = self.label();
        self.frame().loops.push(Loop::default());
        self.open();
        let mark = self.mark();
        self.declare_in(name, Val { ty: Type::Int, reg: counter })?;
        self.block(body)?;
        self.close(mark);
        self.end_loop(counter, end, start);
        self.land(skip);
        Ok(())
    }

    fn end_loop(&mut self, counter: Reg, end: Reg, start: u32) {
        let done = self.frame().loops.pop().unwrap_or_default();
        self.land_all(done.continues);
        self.emit(Op::Loop(counter, end, start));
        self.land_all(done.breaks);
    }

    /// A loop over the elements of a list, the keys of a map, the characters of a text.
    pub(super) fn each_loop(
        &mut self,
        name: &str,
        source: &Expr,
        body: &mut dyn FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let at = self.at;
        let source = self.borrowed(source, &Type::Any)?;
        self.at = at;
        let Some(element) = source.ty.element() else {
            let ty = self.shown(&source.ty);
            return fault(at, format!("a `for` cannot go over {ty}"));
        };
        let list = self.take(Bank::C)?;
        self.emit(Op::Iter(list, source.reg));
        self.loop_over(name, list, &element, body)
    }

    /// A loop over a list in a register.
    pub(super) fn loop_over(
        &mut self,
        name: &str,
        list: Reg,
        element: &Type,
        body: &mut dyn FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let counter = self.take(Bank::I)?;
        let end = self.take(Bank::I)?;
        let hint = self.here().hints;
        let hinted = hint < 200;
        self.frame().hints += u16::from(hinted);
        let h = hint as Reg;
        self.emit(Op::LoadI(counter, 0));
        self.emit(Op::Len(end, list));
        if hinted {
            self.emit(Op::Hint(h, list));
        }
        let skip = self.emit(Op::JLeI(end, counter, 0));
        let start = self.label();
        self.frame().loops.push(Loop::default());
        let item = self.take_for(element)?;
        let x = item.reg;
        self.emit(match (element, hinted) {
            (Type::Int, true) => Op::HintI(x, h, counter),
            (Type::Float, true) => Op::HintF(x, h, counter),
            (Type::Bool, _) => Op::GetB(x, list, counter),
            (_, true) => Op::HintC(x, h, counter),
            (Type::Int, false) => Op::GetI(x, list, counter),
            (Type::Float, false) => Op::GetF(x, list, counter),
            (_, false) => Op::GetC(x, list, counter),
        });
        self.open();
        let mark = self.mark();
        self.declare_in(name, item)?;
        body(self)?;
        self.close(mark);
        self.end_loop(counter, end, start);
        self.land(skip);
        Ok(())
    }

    /// `update people set { … } where …`: the fields of each element are variables.
    fn update(
        &mut self,
        target: &str,
        set: &[(String, Expr)],
        condition: Option<&Expr>,
    ) -> Result<()> {
        let at = self.at;
        let mark = self.mark();
        let list = self.load(target, at, None, false)?;
        let Type::List(element) = list.ty.clone() else {
            return fault(at, "only a list can be updated");
        };
        let Type::Struct(shape) = *element else {
            return fault(at, "only a list of structs can be updated");
        };
        let fields = self.shape(shape).fields.clone();
        let source = self.take(Bank::C)?;
        self.move_to(Bank::C, source, list.reg);
        self.loop_over(" item", source, &element, &mut |compiler| {
            let item = compiler.load(" item", at, None, false)?;
            for (n, (name, ty)) in fields.iter().enumerate() {
                let value = compiler.get_field(item.reg, shape, n, ty, None)?;
                compiler.declare_in(name, value)?;
            }
            let skip = match condition {
                Some(condition) => compiler.condition(condition, false)?,
                None => Vec::new(),
            };
            for (name, value) in set {
                let Some(n) = fields.iter().position(|(field, _)| field == name) else {
                    return fault(at, format!("there is no field `{name}`"));
                };
                let value = compiler.boxed_typed(value, &fields[n].1)?;
                compiler.emit(Op::SetField(item.reg, n as Reg, value.reg, shape));
            }
            compiler.land_all(skip);
            Ok(())
        })?;
        self.release(mark);
        Ok(())
    }
}
