//! Names and where their values are.

use std::rc::Rc;

use super::{ANY, Compiler, Dest, Mark, Val, table_index};
use crate::builtins::Builtin;
use crate::bytecode::{Idx, Op, Reg};
use crate::errors::{Result, error_at};
use crate::syntax::ast::{Expr, ExprKind, THIS};
use crate::types::{Bank, Signature, Type};

/// Where the value of a name is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Storage {
    /// In a register of the bank of its type.
    Reg(Reg),
    /// In a box, which is in a register: inner functions share it.
    Boxed(Reg),
    /// In a box that the function has captured.
    Upvalue(Reg),
    /// In a slot that outlives the function.
    Global(Idx),
    /// A field of the record whose method this is: its shape, and which one.
    Field(u16, usize),
    /// A function that is called by its number, with its arguments in the banks of their types.
    Function(u16),
}

#[derive(Clone, Debug)]
pub(super) struct Symbol {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) storage: Storage,
    pub(super) mutable: bool,
    /// The register, or the slot, of the flag that says that nobody else holds the list.
    pub(super) owned: Option<Idx>,
}

impl Symbol {
    pub(super) fn new(name: &str, ty: Type, storage: Storage) -> Symbol {
        Symbol { name: name.to_owned(), ty, storage, mutable: true, owned: None }
    }

    pub(super) fn function(name: &str, index: u16, signature: &Rc<Signature>) -> Symbol {
        let (ty, storage) = (Type::Fun(Rc::clone(signature)), Storage::Function(index));
        Symbol { mutable: false, ..Symbol::new(name, ty, storage) }
    }

    pub(super) fn is_function(&self) -> bool {
        matches!(self.storage, Storage::Function(_))
    }
}

impl Compiler<'_> {
    pub(super) fn resolve(&mut self, name: &str) -> Option<Symbol> {
        if let Some(local) = self.resolve_in(self.enclosing.len(), name) {
            return Some(local);
        }
        if let Some(this) = &self.current.this {
            if let Some((field, ty)) = self.field_named(this.shape, name) {
                return Some(Symbol::new(name, ty, Storage::Field(this.shape, field)));
            } else if let Some(method) = self.method(this, name) {
                return Some(method);
            }
        }
        self.env.globals.get(name).cloned()
    }

    /// A built-in function, if nothing of the program has its name.
    pub(super) fn builtin(&mut self, name: &str) -> Option<Builtin> {
        Builtin::named(name).filter(|_| self.resolve(name).is_none())
    }

    /// Looks for a variable of a function or of those around it, from which it is captured.
    fn resolve_in(&mut self, level: usize, name: &str) -> Option<Symbol> {
        let frame = self.enclosing.get(level).unwrap_or(&self.current);
        let last = |scope: &Vec<Symbol>| scope.iter().rev().find(|it| it.name == name).cloned();
        if let Some(local) = frame.scopes.iter().rev().find_map(last) {
            return Some(local);
        }
        let local = self.resolve_in(level.checked_sub(1)?, name)?;
        if local.is_function() {
            return Some(local);
        }
        let captures = &mut self.enclosing.get_mut(level).unwrap_or(&mut self.current).captures;
        let n = captures.iter().position(|it| it.name == name).unwrap_or(captures.len());
        if n == captures.len() {
            captures.push(local.clone());
        }
        (n < 200).then_some(Symbol { storage: Storage::Upvalue(n as Reg), owned: None, ..local })
    }

    /// The register of a box; what is captured is fetched into `to`.
    pub(super) fn box_reg(&mut self, storage: Storage, to: Reg) -> Reg {
        match storage {
            Storage::Boxed(reg) => return reg,
            Storage::Upvalue(n) => drop(self.emit(Op::GetUpvalue(to, n))),
            _ => {}
        }
        to
    }

    pub(super) fn open_scope(&mut self) {
        self.current.scopes.push(Vec::new());
    }

    pub(super) fn close_scope(&mut self, mark: Mark) {
        self.current.scopes.pop();
        self.release(mark);
    }

    /// A variable for a value, in the next register.
    pub(super) fn new_local(&mut self, name: &str, mut value: Val) -> Result<Symbol> {
        if !self.current.uses.inner.contains(name) {
            let bank = value.ty.bank();
            let reg = self.alloc_reg(bank)?;
            self.move_to(bank, reg, value.reg);
            value.reg = reg;
        }
        self.bind_local(name, value)
    }

    /// A variable for a value that has a register of its own already.
    fn bind_local(&mut self, name: &str, value: Val) -> Result<Symbol> {
        let mut local = Symbol::new(name, value.ty.clone(), Storage::Reg(value.reg));
        if self.current.uses.inner.contains(name) {
            let reg = self.alloc_reg(Bank::C)?;
            let mark = self.mark();
            let cell = self.to_cell(value)?;
            self.emit(Op::NewBox(reg, cell));
            self.release(mark);
            local.storage = Storage::Boxed(reg);
        } else if value.ty.bank() == Bank::C && self.current.uses.appended.contains(name) {
            local.owned = Some(Idx::from(self.alloc_reg(Bank::I)?));
        }
        Ok(local)
    }

    pub(super) fn declare_local(&mut self, name: &str, value: Val) -> Result<()> {
        let local = self.bind_local(name, value)?;
        self.declare(local, false)
    }

    /// Makes a variable known, whose list is its own if it is `fresh`.
    pub(super) fn declare(&mut self, local: Symbol, fresh: bool) -> Result<()> {
        self.set_owned(&local, fresh)?;
        if let Storage::Global(_) = local.storage {
            self.env.globals.insert(local.name.clone(), local);
        } else if let Some(scope) = self.current.scopes.last_mut() {
            scope.push(local);
        }
        Ok(())
    }

    /// A variable for a value, in a slot.
    pub(super) fn new_global(&mut self, name: &str, value: Val) -> Result<Symbol> {
        let bank = value.ty.bank();
        // Pos the prompt, and in a program that says the same name twice, the old slot will do
        // if the type is the old one.
        let (slot, mut owned) = match self.env.globals.get(name) {
            Some(&Symbol { storage: Storage::Global(slot), owned, ref ty, .. })
                if *ty == value.ty =>
            {
                (slot, owned)
            }
            _ => (self.new_global_slot(bank)?, None),
        };
        let appended = self.current.uses.appended.contains(name) || self.all_global;
        if bank == Bank::C && appended && owned.is_none() {
            owned = Some(self.new_global_slot(Bank::I)?);
        }
        self.emit_set_global(bank, slot, value.reg);
        Ok(Symbol { owned, ..Symbol::new(name, value.ty, Storage::Global(slot)) })
    }

    fn new_global_slot(&mut self, bank: Bank) -> Result<Idx> {
        let count = &mut self.env.program.globals[bank as usize];
        *count += 1;
        table_index(self.pos, *count - 1, "globals")
    }

    /// Notes whether the list of a variable is its own.
    fn set_owned(&mut self, local: &Symbol, owned: bool) -> Result<()> {
        let Some(flag) = local.owned else { return Ok(()) };
        if matches!(local.storage, Storage::Global(_)) {
            let mark = self.mark();
            let reg = self.alloc_reg(Bank::I)?;
            self.emit(Op::LoadI(reg, i32::from(owned)));
            self.emit(Op::SetGI(flag, reg));
            self.release(mark);
        } else {
            self.emit(Op::LoadI(flag as Reg, i32::from(owned)));
        }
        Ok(())
    }

    fn emit_set_global(&mut self, bank: Bank, slot: Idx, reg: Reg) {
        self.emit([Op::SetGI, Op::SetGF, Op::SetGC][bank as usize](slot, reg));
    }

    /// The value of a name. If somebody else may hold it afterwards, `shared`, a list is no
    /// longer the variable's own.
    pub(super) fn load_name(&mut self, name: &str, dest: Dest, shared: bool) -> Result<Val> {
        let Some(local) = self.resolve(name) else {
            return self.load_constant(name, dest);
        };
        if shared {
            self.set_owned(&local, false)?;
        }
        let (ty, bank) = (local.ty.clone(), local.ty.bank());
        match local.storage {
            Storage::Reg(reg) => Ok(Val { ty, reg }),
            Storage::Global(slot) => {
                let get = [Op::GetGI, Op::GetGF, Op::GetGC][bank as usize];
                self.emit_result(dest, ty, |reg| get(reg, slot))
            }
            Storage::Field(shape, n) => {
                self.emit_unboxed(dest, &ty, |cell| Op::GetField(cell, 0, n as Reg, shape))
            }
            Storage::Function(_) if local.name != name => {
                let this = Expr { pos: self.pos, kind: ExprKind::Name(THIS.to_owned()) };
                self.partial(&local, &[&this])
            }
            Storage::Function(_) => self.as_value(name, &ty, dest),
            storage => {
                let cell = self.dest_reg(dest, ANY)?;
                let held = self.box_reg(storage, cell);
                self.emit(Op::GetBox(cell, held));
                self.ascribe(Val::cell(cell), &ty, dest.reg_in(bank))
            }
        }
    }

    pub(super) fn store_name(&mut self, name: &str, value: &Expr) -> Result<()> {
        let Some(local) = self.resolve(name).filter(|it| !it.is_function()) else {
            return error_at(self.pos, format!("there is no variable `{name}`"));
        };
        if !local.mutable {
            let message = format!("`{name}` cannot be assigned to: it is declared with let");
            return error_at(self.pos, message);
        }
        let fresh = self.is_fresh(value);
        let mark = self.mark();
        match local.storage {
            Storage::Reg(reg) => drop(self.expr_as(value, &local.ty, Some(reg))?),
            Storage::Boxed(_) | Storage::Upvalue(_) => {
                let value = self.operand(Bank::C, value, &local.ty)?;
                let cell = self.alloc_reg(Bank::C)?;
                let held = self.box_reg(local.storage, cell);
                self.emit(Op::SetBox(held, value));
            }
            Storage::Function(_) => {}
            Storage::Global(slot) => {
                let value = self.expr_as(value, &local.ty, None)?;
                self.emit_set_global(local.ty.bank(), slot, value.reg);
            }
            Storage::Field(shape, field) => {
                let value = self.operand(Bank::C, value, &local.ty)?;
                self.emit(Op::SetField(0, field as Reg, value, shape));
            }
        }
        self.set_owned(&local, fresh)?;
        self.release(mark);
        Ok(())
    }
}
