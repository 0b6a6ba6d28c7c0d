//! Statements.

use super::expr::op_for_element;
use super::scope::{Storage, Symbol};
use super::{ANY, BodyFn, Compiler, Loop, Val};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::errors::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

impl<'w> Compiler<'w> {
    pub(super) fn block(&mut self, body: &[Stmt]) -> Result<()> {
        let mark = self.mark();
        self.open_scope();
        for stmt in body {
            self.statement(stmt)?;
        }
        self.close_scope(mark);
        Ok(())
    }

    pub(super) fn statement(&mut self, stmt: &Stmt) -> Result<()> {
        self.pos = stmt.pos;
        let mark = self.mark();
        match &stmt.kind {
            // What declares a variable keeps a register.
            StmtKind::Bind(new) => return self.binding(new),
            StmtKind::Fun(fun) => return self.nested_function(fun),
            StmtKind::Assign(place, value) => self.assign(place, value)?,
            StmtKind::Return(value) => self.return_value(value.as_ref())?,
            StmtKind::While(condition, body) => {
                // The condition stands at the end: one jump a turn.
                let enter = self.emit(Op::Jump(0));
                let start = self.here();
                let done = self.loop_body(&mut |compiler| compiler.block(body))?;
                self.patch_here([enter]);
                self.patch_here(done.continues);
                for jump in self.condition(condition, true)? {
                    self.patch(jump, start);
                }
                self.patch_here(done.breaks);
            }
            StmtKind::For(name, from, Some(to), body) => {
                let (counter, end) = (self.alloc_reg(Bank::I)?, self.alloc_reg(Bank::I)?);
                self.expr_as(from, &Type::Int, Some(counter))?;
                self.expr_as(to, &Type::Int, Some(end))?;
                self.counted(counter, end, &mut |compiler| {
                    compiler.declare_local(name, Val { ty: Type::Int, reg: counter })?;
                    compiler.block(body)
                })?;
            }
            StmtKind::For(name, source, None, body) => {
                self.for_each(name, source, &mut |compiler| compiler.block(body))?;
            }
            StmtKind::Break | StmtKind::Continue => {
                let jump = self.emit(Op::Jump(0));
                match (self.current.loops.last_mut(), &stmt.kind) {
                    (None, _) => return error_at(stmt.pos, "there is no loop here"),
                    (Some(innermost), StmtKind::Break) => innermost.breaks.push(jump),
                    (Some(innermost), _) => innermost.continues.push(jump),
                }
            }
            // All types were declared before.
            StmtKind::Type(..) | StmtKind::Alias(..) => {}
            // Nobody looks at the value of a statement.
            StmtKind::Expr(Expr { kind: ExprKind::Match(choice), .. }) => {
                self.match_cases(choice, None)?;
            }
            StmtKind::Expr(expr) => drop(self.expr(expr, ANY, None)?),
            StmtKind::Test(name, body) if self.env.testing => {
                let name = self.constant(name)?;
                let start = self.emit(Op::TestBegin(name, 0));
                self.block(body)?;
                self.emit(Op::TestPassed);
                self.patch_here([start]);
            }
            StmtKind::Test(_, body) => self.block(body)?,
            StmtKind::Bench(name, body) => {
                let (base, start) = (self.alloc_reg(Bank::C)?, self.alloc_reg(Bank::C)?);
                let name = self.constant(name)?;
                self.emit(Op::ConstC(base, name));
                self.emit(Op::Builtin(Builtin::Now, start, start, 0));
                self.block(body)?;
                self.emit(Op::Builtin(Builtin::Bench, base, base, 2));
            }
            StmtKind::Expect(condition) => {
                let value = self.expr_as(condition, &Type::Bool, None)?;
                self.emit(Op::Expect(value.reg));
            }
            StmtKind::Update(target, set, condition) => {
                self.update(target, set, condition.as_ref())?;
            }
        }
        self.release(mark);
        Ok(())
    }

    fn binding(&mut self, Binding { name, ty, value, mutable }: &Binding) -> Result<()> {
        let mark = self.mark();
        let declared = ty.as_ref().map(|ty| self.resolve_type(ty)).transpose()?;
        let expected = declared.as_ref().unwrap_or(ANY);
        let fresh = value.as_ref().is_none_or(|value| self.is_fresh(value));
        let mut bound = match value {
            Some(value) => self.expr(value, expected, None)?,
            None => self.default_value(expected)?,
        };
        if let Some(ty) = declared {
            bound = self.ascribe(bound, &ty, None)?;
        } else if bound.ty == Type::Null {
            // A variable that begins as nothing can become anything.
            bound.ty = Type::Any;
        }
        self.release(mark);
        let top = self.current.result.is_none() && self.current.scopes.len() == 1;
        let Uses { top: known, inner, .. } = &self.current.uses;
        let global = top && (self.all_global || known.contains(name) || inner.contains(name));
        let local =
            if global { self.new_global(name, bound)? } else { self.new_local(name, bound)? };
        self.declare(Symbol { mutable: *mutable, ..local }, fresh)
    }

    /// Returns a value in the bank that the caller expects.
    pub(super) fn return_value(&mut self, value: Option<&Expr>) -> Result<()> {
        let frame = &self.current;
        // What the main program returns goes nowhere.
        let boxed = frame.boxed_args || frame.result.is_none();
        let ty = frame.result.clone().filter(|ty| *ty != Type::Null).unwrap_or(Type::Any);
        let value = match value {
            Some(value) => {
                let found = self.expr_borrowed(value, &ty)?;
                self.coerce(found, &ty, None)?
            }
            None => self.default_value(&ty)?,
        };
        let op = match ty.bank() {
            Bank::I if !boxed => Op::RetI(value.reg),
            Bank::F if !boxed => Op::RetF(value.reg),
            _ => Op::RetC(self.to_cell(value)?),
        };
        self.emit(op);
        Ok(())
    }

    fn assign(&mut self, place: &Expr, value: &Expr) -> Result<()> {
        self.pos = place.pos;
        match &place.kind {
            ExprKind::Name(name) => {
                if !self.append_in_place(name, value)? {
                    self.store_name(name, value)?;
                }
            }
            ExprKind::Index(base, index) => {
                let base = self.expr_borrowed(base, ANY)?;
                if matches!(base.ty, Type::String | Type::Group(_)) {
                    return self.type_error(&base.ty, "has no elements that can be assigned to");
                }
                let (key, element) = self.element_types(&base.ty)?;
                let list = matches!(base.ty, Type::List(_));
                let bank = |ty: &Type| if list { ty.bank() } else { Bank::C };
                let i = self.operand(bank(&key), index, &key)?;
                let x = self.operand(bank(&element), value, &element)?;
                let set = op_for_element(&element, [Op::SetI, Op::SetF, Op::SetB, Op::SetC]);
                let op = if list { set } else { Op::SetKey };
                self.emit(op(base.reg, i, x));
            }
            ExprKind::Field(base, field) => {
                let base = self.expr_borrowed(base, ANY)?;
                let (known, ty) = self.field_of(&base.ty, field)?;
                let value =
                    self.operand(Bank::C, value, if known.is_some() { &ty } else { ANY })?;
                let op = match known {
                    Some((shape, n)) => Op::SetField(base.reg, n as Reg, value, shape),
                    None => Op::SetNamed(base.reg, value, self.constant(field)?),
                };
                self.emit(op);
            }
            _ => return error_at(place.pos, "this cannot be assigned to"),
        }
        Ok(())
    }

    /// `xs = append(xs, x)` for a variable that has a flag; answers whether it was one.
    fn append_in_place(&mut self, name: &str, value: &Expr) -> Result<bool> {
        let (
            Some(item),
            Some(_),
            Some(Symbol { ty, storage, mutable: true, owned: Some(owned), .. }),
        ) = (value.appended_to(name), self.builtin("append"), self.resolve(name))
        else {
            return Ok(false);
        };
        let element = match &ty {
            Type::List(element) => &**element,
            Type::Any => ANY,
            _ => return Ok(false),
        };
        let bank = element.element_bank();
        let op = [Op::AppendI, Op::AppendF, Op::AppendC][bank as usize];
        let x = self.operand(bank, item, element)?;
        if let Storage::Global(slot) = storage {
            let (list, flag) = (self.alloc_reg(Bank::C)?, self.alloc_reg(Bank::I)?);
            self.emit(Op::GetGC(list, slot));
            self.emit(Op::GetGI(flag, owned));
            self.emit(op(list, x, flag));
            self.emit(Op::SetGC(slot, list));
            self.emit(Op::SetGI(owned, flag));
        } else if let Storage::Reg(list) = storage {
            self.emit(op(list, x, owned as Reg));
        }
        Ok(true)
    }

    /// A loop that counts to an end.
    fn counted(&mut self, counter: Reg, end: Reg, body: BodyFn<'_, 'w>) -> Result<()> {
        let skip = self.emit(Op::JLeI(end, counter, 0));
        let start = self.here();
        let done = self.loop_body(body)?;
        self.patch_here(done.continues);
        self.emit(Op::ForLoop(counter, end, start));
        self.patch_here(done.breaks);
        self.patch_here([skip]);
        Ok(())
    }

    /// The body of a loop; answers what jumps out of it.
    fn loop_body(&mut self, body: BodyFn<'_, 'w>) -> Result<Loop> {
        self.current.loops.push(Loop::default());
        let mark = self.mark();
        self.open_scope();
        body(self)?;
        self.close_scope(mark);
        Ok(self.current.loops.pop().unwrap_or_default())
    }

    /// A loop over the elements of a list, the keys of a map, the characters of a text.
    pub(super) fn for_each(
        &mut self,
        name: &str,
        source: &Expr,
        body: BodyFn<'_, 'w>,
    ) -> Result<()> {
        let source = self.expr_borrowed(source, ANY)?;
        let list = Val { reg: self.alloc_reg(Bank::C)?, ..source };
        self.emit(Op::ToList(list.reg, source.reg));
        self.loop_over(name, list, body)
    }

    /// A loop over a list in a register.
    pub(super) fn loop_over(&mut self, name: &str, list: Val, body: BodyFn<'_, 'w>) -> Result<()> {
        let Some(element) = list.ty.iter_type() else {
            return self.type_error(&list.ty, "cannot be gone over by a `for`");
        };
        let (counter, end) = (self.alloc_reg(Bank::I)?, self.alloc_reg(Bank::I)?);
        // Hints have the numbers of the counters: loops inside each other have different ones.
        let hint = counter;
        let hints = &mut self.current.function.frame_size[3];
        *hints = (*hints).max(u16::from(hint) + 1);
        self.emit(Op::LoadI(counter, 0));
        self.emit(Op::Len(end, list.reg));
        self.emit(Op::MakeHint(hint, list.reg));
        self.counted(counter, end, &mut |compiler| {
            let item = compiler.alloc_for(&element)?;
            let hinted = [Op::GetHintedI, Op::GetHintedF, Op::GetHintedC][item.ty.bank() as usize];
            compiler.emit(match element {
                Type::Bool => Op::GetB(item.reg, list.reg, counter),
                _ => hinted(item.reg, hint, counter),
            });
            compiler.declare_local(name, item)?;
            body(compiler)
        })
    }

    /// `update people set { … } where …`: the fields of each element are variables.
    fn update(&mut self, target: &str, set: &[(String, Expr)], on: Option<&Expr>) -> Result<()> {
        let list = self.load_name(target, self.dest(ANY), false)?;
        let element = list.ty.iter_type().unwrap_or(Type::Any);
        let Type::Struct(record) = &element else {
            return self.type_error(&list.ty, "is no list of structs");
        };
        let (shape, fields) = (record.shape, self.shape(record.shape).fields.clone());
        let source = Val { reg: self.alloc_reg(Bank::C)?, ty: list.ty.clone() };
        self.move_to(Bank::C, source.reg, list.reg);
        self.loop_over(" item", source, &mut |compiler| {
            let item = compiler.load_name(" item", compiler.dest(ANY), false)?.reg;
            for (n, (name, ty)) in fields.iter().enumerate() {
                let get = |cell| Op::GetField(cell, item, n as Reg, shape);
                let value = compiler.emit_unboxed(compiler.dest(ANY), ty, get)?;
                compiler.declare_local(name, value)?;
            }
            compiler.if_condition(on, &mut |compiler| {
                let (_, set) = compiler.fields_of(&record.name, set)?;
                for (n, value) in set {
                    let value = compiler.operand(Bank::C, value, &fields[n].1)?;
                    compiler.emit(Op::SetField(item, n as Reg, value, shape));
                }
                Ok(())
            })
        })
    }
}
