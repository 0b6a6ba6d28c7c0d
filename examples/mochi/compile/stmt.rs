//! Statements.

use super::scope::{Local, Place};
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
        let mark = self.mark();
        match &stmt.kind {
            // What declares a variable keeps a register.
            StmtKind::Bind { name, ty, value, mutable } => {
                return self.binding(name, ty.as_ref(), value.as_ref(), *mutable);
            }
            StmtKind::Fun(fun) => return self.inner_function(fun),
            StmtKind::Assign(place, value) => self.assign(place, value)?,
            StmtKind::Return(value) => self.return_value(value.as_ref())?,
            StmtKind::If(condition, then, otherwise) => {
                let skip = self.condition(condition, false)?;
                self.block(then)?;
                let end = if otherwise.is_empty() { None } else { Some(self.emit(Op::Jump(0))) };
                self.land_all(skip);
                self.block(otherwise)?;
                self.land_all(end.into_iter().collect());
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
                for jump in self.condition(condition, true)? {
                    self.land_at(jump, start);
                }
                self.land_all(done.breaks);
            }
            StmtKind::For(name, from, Some(to), body) => {
                let (counter, end) = (self.take(Bank::I)?, self.take(Bank::I)?);
                self.expr_into(from, counter, &Type::Int)?;
                self.expr_into(to, end, &Type::Int)?;
                self.counted(counter, end, |compiler| {
                    compiler.declare_in(name, Val { ty: Type::Int, reg: counter })?;
                    compiler.block(body)
                })?;
            }
            StmtKind::For(name, source, None, body) => {
                self.each_loop(name, source, &mut |compiler| compiler.block(body))?;
            }
            StmtKind::Break | StmtKind::Continue => {
                let jump = self.emit(Op::Jump(0));
                match (self.frame().loops.last_mut(), &stmt.kind) {
                    (None, _) => return fault(stmt.at, "there is no loop here"),
                    (Some(innermost), StmtKind::Break) => innermost.breaks.push(jump),
                    (Some(innermost), _) => innermost.continues.push(jump),
                }
            }
            StmtKind::Type(name, _) => {
                let top = self.here().result.is_none();
                if !(top && self.world.types.contains_key(name)) {
                    return fault(stmt.at, "types are declared at the top level");
                }
            }
            StmtKind::Expr(expr) => {
                self.expr(expr, None, &Type::Any)?;
            }
            StmtKind::Test(name, body) if self.testing => {
                let name = self.constant(name)?;
                let start = self.emit(Op::Test(name, 0));
                self.block(body)?;
                self.emit(Op::Passed);
                self.land(start);
            }
            StmtKind::Test(_, body) => self.block(body)?,
            StmtKind::Bench(name, body) => {
                let (base, start) = (self.take(Bank::C)?, self.take(Bank::C)?);
                self.load_text(base, name)?;
                self.emit(Op::Builtin(Builtin::Clock, start, start, 0));
                self.block(body)?;
                self.emit(Op::Builtin(Builtin::Bench, base, base, 2));
            }
            StmtKind::Expect(condition) => {
                let value = self.expr(condition, None, &Type::Bool)?;
                let value = self.coerce(value, &Type::Bool, None)?;
                self.emit(Op::Expect(value.reg));
            }
            StmtKind::Update(target, set, condition) => {
                self.update(target, set, condition.as_ref())?;
            }
        }
        self.release(mark);
        Ok(())
    }

    fn binding(
        &mut self,
        name: &str,
        ty: Option<&TypeRef>,
        value: Option<&Expr>,
        mutable: bool,
    ) -> Result<()> {
        let mark = self.mark();
        let declared = ty.map(|ty| self.resolve(ty)).transpose()?;
        let expected = declared.as_ref().unwrap_or(&Type::Any);
        let fresh = value.is_none_or(|value| self.is_fresh(value));
        let mut bound = match value {
            Some(value) => self.expr(value, None, expected)?,
            None => self.default_value(expected)?,
        };
        if let Some(ty) = declared {
            bound = Val { reg: self.coerce(bound, &ty, None)?.reg, ty };
        } else if bound.ty == Type::Null {
            // A variable that begins as nothing can become anything.
            bound.ty = Type::Any;
        }
        let top = self.here().result.is_none() && self.here().scopes.len() == 1;
        if top && (self.all_global || self.global_names.contains(name)) {
            self.declare_global(name, bound, mutable, fresh)?;
            self.release(mark);
            return Ok(());
        }
        self.declare(name, bound, mark, mutable, fresh)
    }

    fn default_value(&mut self, ty: &Type) -> Result<Val> {
        let value = self.take_for(ty)?;
        let reg = value.reg;
        let op = match ty {
            Type::Int | Type::Bool => Op::LoadI(reg, 0),
            Type::Float => return self.load_float(reg, 0.0).map(|()| value),
            Type::Text => return self.load_text(reg, "").map(|()| value),
            Type::List(element) => match **element {
                Type::Int => Op::NewI(reg, 0, 0),
                Type::Float => Op::NewF(reg, 0, 0),
                _ => Op::NewList(reg, 0, 0),
            },
            Type::Map(..) => Op::NewMap(reg, 0, 0),
            _ => Op::Null(reg),
        };
        self.emit(op);
        Ok(value)
    }

    fn return_value(&mut self, value: Option<&Expr>) -> Result<()> {
        // What the main program returns goes nowhere.
        let ty = match self.here().result.clone() {
            None => Type::Any,
            Some(Type::Null) if value.is_some() => Type::Any,
            Some(ty) => ty,
        };
        let value = match value {
            Some(value) => {
                let found = self.borrowed(value, &ty)?;
                self.coerce(found, &ty, None)?
            }
            None => self.default_value(&ty)?,
        };
        self.return_from(value, ty.bank())
    }

    /// Returns a value of the bank that the caller expects.
    pub(super) fn return_from(&mut self, value: Val, bank: Bank) -> Result<()> {
        let boxed = self.here().boxed_call || self.here().result.is_none() || bank == Bank::C;
        let op = match bank {
            _ if boxed => Op::RetC(self.as_cell(value)?),
            Bank::I => Op::RetI(value.reg),
            _ => Op::RetF(value.reg),
        };
        self.emit(op);
        Ok(())
    }

    /// Assigns to a variable, an element or a field.
    fn assign(&mut self, place: &Expr, value: &Expr) -> Result<()> {
        self.at = place.at;
        match &place.kind {
            ExprKind::Name(name) => {
                let own = !self.world.functions.contains_key("append");
                let in_place = match value.appended_to(name) {
                    Some(item) if own => self.append_in_place(name, item)?,
                    _ => false,
                };
                if !in_place {
                    self.store(name, value)?;
                }
            }
            ExprKind::Index(base, index) => {
                let base = self.borrowed(base, &Type::Any)?;
                let (key, element) = match &base.ty {
                    Type::List(element) => (Type::Int, (**element).clone()),
                    Type::Map(key, element) => ((**key).clone(), (**element).clone()),
                    Type::Any | Type::Null | Type::Bytes | Type::Struct(_) | Type::Union(_) => {
                        (Type::Any, Type::Any)
                    }
                    ty => {
                        let ty = self.shown(ty);
                        let message = format!("the elements of {ty} cannot be assigned to");
                        return fault(place.at, message);
                    }
                };
                let list = matches!(base.ty, Type::List(_));
                let b = base.reg;
                let i = self.operand_in(index, &key, list)?;
                let x = self.operand_in(value, &element, list)?;
                self.emit(match element {
                    _ if !list => Op::Set(b, i, x),
                    Type::Int => Op::SetI(b, i, x),
                    Type::Float => Op::SetF(b, i, x),
                    Type::Bool => Op::SetB(b, i, x),
                    _ => Op::SetC(b, i, x),
                });
            }
            ExprKind::Field(base, field) => {
                let base = self.borrowed(base, &Type::Any)?;
                let known = match base.ty {
                    Type::Struct(shape) => self.shape(shape).field(field).map(|n| (shape, n)),
                    _ => None,
                };
                if let Some((shape, n)) = known {
                    let ty = self.shape(shape).fields[n].1.clone();
                    let value = self.boxed_typed(value, &ty)?;
                    self.emit(Op::SetField(base.reg, n as Reg, value.reg, shape));
                } else if matches!(base.ty, Type::Struct(_)) || base.ty.bank() != Bank::C {
                    return self.refuse(&base.ty, &format!("has no field `{field}`"));
                } else {
                    let value = self.boxed(value, None)?;
                    let name = self.name(field)?;
                    self.emit(Op::SetName(base.reg, value, name));
                }
            }
            _ => return fault(place.at, "this cannot be assigned to"),
        }
        Ok(())
    }

    /// The register of a value: in the bank of its type, or else as a cell.
    fn operand_in(&mut self, expr: &Expr, ty: &Type, own_bank: bool) -> Result<Reg> {
        let value = if own_bank { self.typed(expr, ty)? } else { self.boxed_typed(expr, ty)? };
        if ty.bank() == Bank::C { self.as_cell(value) } else { Ok(value.reg) }
    }

    /// `xs = append(xs, x)` for a variable that has a flag; answers whether it was one.
    fn append_in_place(&mut self, name: &str, value: &Expr) -> Result<bool> {
        let Some(Local { ty, place, mutable: true, owned: Some(owned), .. }) = self.find(name)
        else {
            return Ok(false);
        };
        let element = match &ty {
            Type::List(element) => (**element).clone(),
            Type::Any => Type::Any,
            _ => return Ok(false),
        };
        let op = match element {
            Type::Int => Op::AppendI,
            Type::Float => Op::AppendF,
            _ => Op::AppendC,
        };
        let x = self.operand_in(value, &element, element != Type::Bool)?;
        if let Place::Global(slot) = place {
            let (list, flag) = (self.take(Bank::C)?, self.take(Bank::I)?);
            self.emit(Op::GetGC(list, slot));
            self.emit(Op::GetGI(flag, owned));
            self.emit(op(list, x, flag));
            self.emit(Op::SetGC(slot, list));
            self.emit(Op::SetGI(owned, flag));
        } else if let Place::Reg(list) = place {
            self.emit(op(list, x, owned as Reg));
        }
        Ok(true)
    }

    /// A loop that counts to an end.
    fn counted(
        &mut self,
        counter: Reg,
        end: Reg,
        body: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let skip = self.emit(Op::JLeI(end, counter, 0));
        let start = self.label();
        self.frame().loops.push(Loop::default());
        self.open();
        let mark = self.mark();
        body(self)?;
        self.close(mark);
        let done = self.frame().loops.pop().unwrap_or_default();
        self.land_all(done.continues);
        self.emit(Op::Loop(counter, end, start));
        self.land_all(done.breaks);
        self.land(skip);
        Ok(())
    }

    /// A loop over the elements of a list, the keys of a map, the characters of a text.
    pub(super) fn each_loop(
        &mut self,
        name: &str,
        source: &Expr,
        body: &mut dyn FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let source = self.borrowed(source, &Type::Any)?;
        let Some(element) = source.ty.element() else {
            let ty = self.shown(&source.ty);
            return fault(self.at, format!("a `for` cannot go over {ty}"));
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
        let (counter, end) = (self.take(Bank::I)?, self.take(Bank::I)?);
        // Hints have the numbers of the counters: loops inside each other have different ones.
        let hint = counter;
        self.frame().hints = self.here().hints.max(u16::from(hint) + 1);
        self.emit(Op::LoadI(counter, 0));
        self.emit(Op::Len(end, list));
        self.emit(Op::Hint(hint, list));
        self.counted(counter, end, |compiler| {
            let item = compiler.take_for(element)?;
            compiler.emit(match element {
                Type::Int => Op::HintI(item.reg, hint, counter),
                Type::Float => Op::HintF(item.reg, hint, counter),
                Type::Bool => Op::GetB(item.reg, list, counter),
                _ => Op::HintC(item.reg, hint, counter),
            });
            compiler.declare_in(name, item)?;
            body(compiler)
        })
    }

    /// `update people set { … } where …`: the fields of each element are variables.
    fn update(
        &mut self,
        target: &str,
        set: &[(String, Expr)],
        condition: Option<&Expr>,
    ) -> Result<()> {
        let at = self.at;
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
            compiler.guarded(condition, |compiler| {
                for (name, value) in set {
                    let Some(n) = fields.iter().position(|(field, _)| field == name) else {
                        return fault(at, format!("there is no field `{name}`"));
                    };
                    let value = compiler.boxed_typed(value, &fields[n].1)?;
                    compiler.emit(Op::SetField(item.reg, n as Reg, value.reg, shape));
                }
                Ok(())
            })
        })
    }
}
