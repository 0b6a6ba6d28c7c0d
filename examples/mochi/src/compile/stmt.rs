//! Statements.

use super::access::op_for_element;
use super::scope::{Storage, Symbol};
use super::{ANY, Compiler};
use crate::builtins::Builtin;
use crate::bytecode::{Op, Reg};
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

impl Compiler<'_> {
    pub(super) fn block(&mut self, body: &[Stmt]) -> Result<()> {
        let mark = self.mark();
        self.open_scope();
        for stmt in body {
            self.statement(stmt)?;
        }
        self.close_scope(mark);
        Ok(())
    }

    /// Compiles a statement and releases its registers.
    pub(super) fn statement(&mut self, stmt: &Stmt) -> Result<()> {
        self.pos = stmt.pos;
        let mark = self.mark();
        match &stmt.kind {
            // A declaration keeps its registers.
            StmtKind::Bind(new) => return self.binding(new),
            StmtKind::Fun(fun) => return self.nested_function(fun),
            StmtKind::Assign(place, value) => self.assign(place, value)?,
            StmtKind::Return(value) => self.return_value(value.as_ref())?,
            StmtKind::While(condition, body) => self.while_loop(condition, body)?,
            StmtKind::For(name, start, Some(end), body) => {
                self.for_range(name, start, end, body)?;
            }
            StmtKind::For(name, source, None, body) => {
                self.for_each(name, source, &mut |compiler| compiler.block(body))?;
            }
            StmtKind::Break | StmtKind::Continue => {
                let jump = self.emit(Op::Jump(0));
                match (self.current.loops.last_mut(), &stmt.kind) {
                    (None, StmtKind::Break) => {
                        return error_at(stmt.pos, "`break` outside of a loop");
                    }
                    (None, _) => return error_at(stmt.pos, "`continue` outside of a loop"),
                    (Some(innermost), StmtKind::Break) => innermost.breaks.push(jump),
                    (Some(innermost), _) => innermost.continues.push(jump),
                }
            }
            // Types are declared before any code is compiled.
            StmtKind::Type(..) | StmtKind::Alias(..) => {}
            // The value of a statement is not used.
            StmtKind::Expr(Expr { kind: ExprKind::Match(cases), .. }) => {
                self.match_cases(cases, None)?;
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
            StmtKind::Bench(name, body) => self.bench(name, body)?,
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

    /// Measures a block: `Builtin::Bench` gets its name and start time.
    fn bench(&mut self, name: &str, body: &[Stmt]) -> Result<()> {
        let (base, start) = (self.alloc_reg(Bank::C)?, self.alloc_reg(Bank::C)?);
        let name = self.constant(name)?;
        self.emit(Op::ConstC(base, name));
        self.emit(Op::Builtin(Builtin::Now, start, start, 0));
        self.block(body)?;
        self.emit(Op::Builtin(Builtin::Bench, base, base, 2));
        Ok(())
    }

    /// `let` and `var`.
    fn binding(&mut self, Binding { name, ty, value, mutable }: &Binding) -> Result<()> {
        let mark = self.mark();
        let declared = ty.as_ref().map(|ty| self.resolve_type(ty)).transpose()?;
        let expected = declared.as_ref().unwrap_or(ANY);
        let fresh = value.as_ref().is_none_or(|value| self.is_fresh(value));
        let optional = ty.as_ref().is_some_and(TypeRef::is_optional);
        let mut bound = match value {
            Some(value) if optional => self.expr_for(value, expected, optional, None)?,
            Some(value) => self.expr(value, expected, None)?,
            None => self.default_value(expected)?,
        };
        if let Some(ty) = declared {
            bound = self.ascribe(bound, &ty, None)?;
        } else if bound.ty == Type::Null {
            // A variable that starts as null may hold any type later.
            bound.ty = Type::Any;
        }
        self.release(mark);
        let top = self.current.result.is_none() && self.current.scopes.len() == 1;
        let Uses { global: in_functions, captured, .. } = &self.current.uses;
        let global =
            top && (self.all_global || in_functions.contains(name) || captured.contains(name));
        let local =
            if global { self.new_global(name, bound)? } else { self.new_local(name, bound)? };
        self.declare(Symbol { mutable: *mutable, optional, ..local }, fresh)
    }

    /// Returns a value, in the bank that the calling convention asks for.
    pub(super) fn return_value(&mut self, value: Option<&Expr>) -> Result<()> {
        let state = &self.current;
        // The VM takes the result of the program as a cell.
        let boxed = state.boxed_args || state.result.is_none();
        let ty = state.result.clone().filter(|ty| *ty != Type::Null).unwrap_or(Type::Any);
        let value = match value {
            Some(value) if state.optional_result && matches!(value.kind, ExprKind::Index(..)) => {
                self.expr_for(value, &ty, true, None)?
            }
            Some(value) => {
                // A local variable ends here, so its list does not become shared.
                let symbol = value.name().and_then(|name| self.resolve(name));
                let value = match symbol.map(|it| it.storage) {
                    Some(Storage::Global(_)) => self.expr(value, &ty, None)?,
                    _ => self.expr_borrowed(value, &ty)?,
                };
                self.coerce(value, &ty, None)?
            }
            None => self.default_value(&ty)?,
        };
        let op = match ty.bank() {
            Bank::I if !boxed => Op::RetI(value.reg),
            Bank::F if !boxed => Op::RetF(value.reg),
            _ => Op::RetC(self.box_value(value)?),
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
                    let message = format!("cannot assign to an element of a `{}`", base.ty);
                    return error_at(self.pos, message);
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
            ExprKind::Field(base, name) => {
                let base = self.expr_borrowed(base, ANY)?;
                let (field, ty) = self.field_of(&base.ty, name)?;
                let op = match field {
                    Some((shape, n)) => {
                        let value = self.field_value(value, (shape, n), &ty)?;
                        Op::SetField(base.reg, n as Reg, self.box_value(value)?, shape)
                    }
                    None => {
                        let value = self.operand(Bank::C, value, ANY)?;
                        Op::SetNamed(base.reg, value, self.constant(name)?)
                    }
                };
                self.emit(op);
            }
            _ => return error_at(place.pos, "invalid left-hand side of assignment"),
        }
        Ok(())
    }

    /// Compiles `xs = append(xs, x)` if the variable has an owned flag. Returns whether it does.
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
}
