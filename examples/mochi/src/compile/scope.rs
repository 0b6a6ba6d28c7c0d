//! Names and where their values are.

use std::rc::Rc;

use super::{ANY, Compiler, Mark, Val, Want, numbered};
use crate::builtins::Builtin;
use crate::bytecode::{Idx, Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::{Expr, ExprKind, THIS};
use crate::types::{Bank, Signature, Type};

/// Where the value of a name is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// In a register of the bank of its type.
    Reg(Reg),
    /// In a box, which is in a register: inner functions share it.
    Boxed(Reg),
    /// In a box that the function has captured.
    Captured(Reg),
    /// In a slot that outlives the function.
    Global(Idx),
    /// A field of the record whose method this is: its shape, and which one.
    Field(u16, usize),
    /// A function that is called by its number, with its arguments in the banks of their types.
    Function(u16),
}

#[derive(Clone, Debug)]
pub(super) struct Local {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) place: Place,
    pub(super) mutable: bool,
    /// The register, or the slot, of the flag that says that nobody else holds the list.
    pub(super) owned: Option<Idx>,
}

impl Local {
    pub(super) fn new(name: &str, ty: Type, place: Place) -> Local {
        Local { name: name.to_owned(), ty, place, mutable: true, owned: None }
    }

    pub(super) fn function(name: &str, index: u16, signature: &Rc<Signature>) -> Local {
        let (ty, place) = (Type::Fun(Rc::clone(signature)), Place::Function(index));
        Local { mutable: false, ..Local::new(name, ty, place) }
    }

    pub(super) fn is_function(&self) -> bool {
        matches!(self.place, Place::Function(_))
    }
}

impl Compiler<'_> {
    pub(super) fn find(&mut self, name: &str) -> Option<Local> {
        if let Some(local) = self.find_in(self.outer.len(), name) {
            return Some(local);
        }
        if let Some(this) = &self.frame.this {
            if let Some((field, ty)) = self.field_named(this.shape, name) {
                return Some(Local::new(name, ty, Place::Field(this.shape, field)));
            } else if let Some(method) = self.method(this, name) {
                return Some(method);
            }
        }
        self.world.globals.get(name).cloned()
    }

    /// A built-in function, if nothing of the program has its name.
    pub(super) fn builtin(&mut self, name: &str) -> Option<Builtin> {
        Builtin::named(name).filter(|_| self.find(name).is_none())
    }

    /// Looks for a variable of a function or of those around it, from which it is captured.
    fn find_in(&mut self, level: usize, name: &str) -> Option<Local> {
        let frame = self.outer.get(level).unwrap_or(&self.frame);
        let last = |scope: &Vec<Local>| scope.iter().rev().find(|it| it.name == name).cloned();
        if let Some(local) = frame.scopes.iter().rev().find_map(last) {
            return Some(local);
        }
        let local = self.find_in(level.checked_sub(1)?, name)?;
        if local.is_function() {
            return Some(local);
        }
        let captures = &mut self.outer.get_mut(level).unwrap_or(&mut self.frame).captures;
        let n = captures.iter().position(|it| it.name == name).unwrap_or(captures.len());
        if n == captures.len() {
            captures.push(local.clone());
        }
        (n < 200).then_some(Local { place: Place::Captured(n as Reg), owned: None, ..local })
    }

    /// The register of a box; what is captured is fetched into `to`.
    pub(super) fn held(&mut self, place: Place, to: Reg) -> Reg {
        match place {
            Place::Boxed(reg) => return reg,
            Place::Captured(n) => drop(self.emit(Op::Up(to, n))),
            _ => {}
        }
        to
    }

    pub(super) fn open(&mut self) {
        self.frame.scopes.push(Vec::new());
    }

    pub(super) fn close(&mut self, mark: Mark) {
        self.frame.scopes.pop();
        self.release(mark);
    }

    /// A variable for a value, in the next register.
    pub(super) fn local(&mut self, name: &str, mut value: Val) -> Result<Local> {
        if !self.frame.uses.inner.contains(name) {
            let bank = value.ty.bank();
            let reg = self.take(bank)?;
            self.move_to(bank, reg, value.reg);
            value.reg = reg;
        }
        self.local_in(name, value)
    }

    /// A variable for a value that has a register of its own already.
    fn local_in(&mut self, name: &str, value: Val) -> Result<Local> {
        let mut local = Local::new(name, value.ty.clone(), Place::Reg(value.reg));
        if self.frame.uses.inner.contains(name) {
            let reg = self.take(Bank::C)?;
            let mark = self.mark();
            let cell = self.as_cell(value)?;
            self.emit(Op::NewBox(reg, cell));
            self.release(mark);
            local.place = Place::Boxed(reg);
        } else if value.ty.bank() == Bank::C && self.frame.uses.appended.contains(name) {
            local.owned = Some(Idx::from(self.take(Bank::I)?));
        }
        Ok(local)
    }

    pub(super) fn declare_in(&mut self, name: &str, value: Val) -> Result<()> {
        let local = self.local_in(name, value)?;
        self.declare(local, false)
    }

    /// Makes a variable known, whose list is its own if it is `fresh`.
    pub(super) fn declare(&mut self, local: Local, fresh: bool) -> Result<()> {
        self.set_owned(&local, fresh)?;
        if let Place::Global(_) = local.place {
            self.world.globals.insert(local.name.clone(), local);
        } else if let Some(scope) = self.frame.scopes.last_mut() {
            scope.push(local);
        }
        Ok(())
    }

    /// A variable for a value, in a slot.
    pub(super) fn global(&mut self, name: &str, value: Val) -> Result<Local> {
        let bank = value.ty.bank();
        // At the prompt, and in a program that says the same name twice, the old slot will do
        // if the type is the old one.
        let (slot, mut owned) = match self.world.globals.get(name) {
            Some(&Local { place: Place::Global(slot), owned, ref ty, .. }) if *ty == value.ty => {
                (slot, owned)
            }
            _ => (self.new_slot(bank)?, None),
        };
        let appended = self.frame.uses.appended.contains(name) || self.all_global;
        if bank == Bank::C && appended && owned.is_none() {
            owned = Some(self.new_slot(Bank::I)?);
        }
        self.set_global(bank, slot, value.reg);
        Ok(Local { owned, ..Local::new(name, value.ty, Place::Global(slot)) })
    }

    fn new_slot(&mut self, bank: Bank) -> Result<Idx> {
        let count = &mut self.world.program.globals[bank as usize];
        *count += 1;
        numbered(self.at, *count - 1, "globals")
    }

    /// Notes whether the list of a variable is its own.
    fn set_owned(&mut self, local: &Local, owned: bool) -> Result<()> {
        let Some(flag) = local.owned else { return Ok(()) };
        if matches!(local.place, Place::Global(_)) {
            let mark = self.mark();
            let reg = self.take(Bank::I)?;
            self.emit(Op::LoadI(reg, i32::from(owned)));
            self.emit(Op::SetGI(flag, reg));
            self.release(mark);
        } else {
            self.emit(Op::LoadI(flag as Reg, i32::from(owned)));
        }
        Ok(())
    }

    fn set_global(&mut self, bank: Bank, slot: Idx, reg: Reg) {
        self.emit([Op::SetGI, Op::SetGF, Op::SetGC][bank as usize](slot, reg));
    }

    /// The value of a name. If somebody else may hold it afterwards, `shared`, a list is no
    /// longer the variable's own.
    pub(super) fn load(&mut self, name: &str, want: Want, shared: bool) -> Result<Val> {
        let Some(local) = self.find(name) else {
            return self.load_constant(name, want);
        };
        if shared {
            self.set_owned(&local, false)?;
        }
        let (ty, bank) = (local.ty.clone(), local.ty.bank());
        match local.place {
            Place::Reg(reg) => Ok(Val { ty, reg }),
            Place::Global(slot) => {
                let get = [Op::GetGI, Op::GetGF, Op::GetGC][bank as usize];
                self.done(want, ty, |reg| get(reg, slot))
            }
            Place::Field(shape, n) => {
                self.unboxed(want, &ty, |cell| Op::GetField(cell, 0, n as Reg, shape))
            }
            Place::Function(_) if local.name != name => {
                let this = Expr { at: self.at, kind: ExprKind::Name(THIS.to_owned()) };
                self.partial(&local, &[&this])
            }
            Place::Function(_) => self.as_value(name, &ty, want),
            place => {
                let cell = self.target(want, ANY)?;
                let held = self.held(place, cell);
                self.emit(Op::GetBox(cell, held));
                self.fit(Val::cell(cell), &ty, want.reg(bank))
            }
        }
    }

    pub(super) fn store(&mut self, name: &str, value: &Expr) -> Result<()> {
        let Some(local) = self.find(name).filter(|it| !it.is_function()) else {
            return fault(self.at, format!("there is no variable `{name}`"));
        };
        if !local.mutable {
            let message = format!("`{name}` cannot be assigned to: it is declared with let");
            return fault(self.at, message);
        }
        let fresh = self.is_fresh(value);
        let mark = self.mark();
        match local.place {
            Place::Reg(reg) => drop(self.typed(value, &local.ty, Some(reg))?),
            Place::Boxed(_) | Place::Captured(_) => {
                let value = self.operand(Bank::C, value, &local.ty)?;
                let cell = self.take(Bank::C)?;
                let held = self.held(local.place, cell);
                self.emit(Op::SetBox(held, value));
            }
            Place::Function(_) => {}
            Place::Global(slot) => {
                let value = self.typed(value, &local.ty, None)?;
                self.set_global(local.ty.bank(), slot, value.reg);
            }
            Place::Field(shape, field) => {
                let value = self.operand(Bank::C, value, &local.ty)?;
                self.emit(Op::SetField(0, field as Reg, value, shape));
            }
        }
        self.set_owned(&local, fresh)?;
        self.release(mark);
        Ok(())
    }
}
