//! Names and where their values are.

use super::{ANY, Compiler, Mark, Val, Want, numbered};
use crate::bytecode::{Idx, Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// Where the value of a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a register of the bank of its type.
    Reg(Reg),
    /// In a box, which is in a register: inner functions share it.
    Boxed(Reg),
    /// Among what the function has captured: the value, or its box.
    Captured(Reg),
    CapturedBox(Reg),
    /// In a slot that outlives the function.
    Global(Idx),
    /// A field of the record whose method this is: its shape, and which one.
    Field(u16, usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) place: Place,
    pub(super) mutable: bool,
    /// The register, or the slot, of the flag that says that nobody else holds the list.
    pub(super) owned: Option<Idx>,
}

impl Compiler<'_> {
    pub(super) fn find(&mut self, name: &str) -> Option<Local> {
        if let Some(local) = self.find_in(self.frames.len() - 1, name) {
            return Some(local);
        }
        if let Some(shape) = self.here().this
            && let Some((field, ty)) = self.field_named(shape, name)
        {
            let place = Place::Field(shape, field);
            return Some(Local { name: name.to_owned(), ty, place, mutable: true, owned: None });
        }
        self.world.globals.get(name).cloned()
    }

    /// Looks for a variable of a function or of those around it, from which it is captured.
    fn find_in(&mut self, level: usize, name: &str) -> Option<Local> {
        let frame = &self.frames[level];
        let last = |scope: &Vec<Local>| scope.iter().rev().find(|it| it.name == name).cloned();
        if let Some(local) = frame.scopes.iter().rev().find_map(last) {
            return Some(local);
        }
        let local = self.find_in(level.checked_sub(1)?, name)?;
        let captures = &mut self.frames[level].captures;
        let known = captures.iter().position(|(it, _)| it == name);
        let n = known.unwrap_or(captures.len());
        if known.is_none() {
            captures.push((name.to_owned(), local.clone()));
        }
        let boxed = matches!(local.place, Place::Boxed(_) | Place::CapturedBox(_));
        let place = if boxed { Place::CapturedBox } else { Place::Captured };
        (n < 200).then(|| Local { place: place(n as Reg), owned: None, ..local })
    }

    /// What a closure takes of a variable: its value, or the box that it is in.
    pub(super) fn capture(&mut self, local: &Local, to: Reg) -> Result<()> {
        if let Place::Reg(reg) = local.place {
            self.set_owned(local, false)?;
            self.coerce(Val { ty: local.ty.clone(), reg }, ANY, Some(to))?;
        } else {
            let held = self.held(local.place, to);
            self.move_to(Bank::C, to, held);
        }
        Ok(())
    }

    /// The register of a box; what is captured is fetched into `to`.
    fn held(&mut self, place: Place, to: Reg) -> Reg {
        match place {
            Place::Boxed(reg) => return reg,
            Place::Captured(n) | Place::CapturedBox(n) => self.emit(Op::Up(to, n)),
            _ => 0,
        };
        to
    }

    pub(super) fn open(&mut self) {
        self.frame().scopes.push(Vec::new());
    }

    pub(super) fn close(&mut self, mark: Mark) {
        self.frame().scopes.pop();
        self.release(mark);
    }

    /// Makes a variable of a value; takes a register for it, or the value's own if that is free.
    pub(super) fn declare(
        &mut self,
        name: &str,
        value: Val,
        mark: Mark,
        mutable: bool,
        fresh: bool,
    ) -> Result<()> {
        self.release(mark);
        let bank = value.ty.bank();
        if self.here().shared.contains(name) {
            let (reg, ty) = (self.take(Bank::C)?, value.ty.clone());
            let inner = self.mark();
            let cell = self.as_cell(value)?;
            self.emit(Op::NewBox(reg, cell));
            self.release(inner);
            self.bind(name, ty, Place::Boxed(reg), mutable, None);
            return Ok(());
        }
        let reg = self.take(bank)?;
        self.move_to(bank, reg, value.reg);
        self.bind_flagged(name, Val { reg, ..value }, mutable, fresh)
    }

    /// Declares a variable that has a register of its own already.
    pub(super) fn declare_in(&mut self, name: &str, value: Val) -> Result<()> {
        if self.here().shared.contains(name) {
            return self.declare(name, value, self.mark(), true, false);
        }
        self.bind_flagged(name, value, true, false)
    }

    fn bind_flagged(&mut self, name: &str, value: Val, mutable: bool, fresh: bool) -> Result<()> {
        let mut owned = None;
        if value.ty.bank() == Bank::C && self.here().appended.contains(name) {
            let flag = self.take(Bank::I)?;
            self.emit(Op::LoadI(flag, i32::from(fresh)));
            owned = Some(Idx::from(flag));
        }
        self.bind(name, value.ty, Place::Reg(value.reg), mutable, owned);
        Ok(())
    }

    pub(super) fn bind(
        &mut self,
        name: &str,
        ty: Type,
        place: Place,
        mutable: bool,
        owned: Option<Idx>,
    ) {
        let local = Local { name: name.to_owned(), ty, place, mutable, owned };
        if let Some(scope) = self.frame().scopes.last_mut() {
            scope.push(local);
        }
    }

    pub(super) fn declare_global(
        &mut self,
        name: &str,
        value: Val,
        mutable: bool,
        fresh: bool,
    ) -> Result<()> {
        let bank = value.ty.bank();
        // At the prompt, and in a program that says the same name twice, the old slot will do
        // if the type is the old one.
        let old = self.world.globals.get(name).filter(|old| old.ty == value.ty).cloned();
        let place = match &old {
            Some(old) => old.place,
            None => Place::Global(self.new_slot(bank)?),
        };
        let mut owned = None;
        if bank == Bank::C && (self.here().appended.contains(name) || self.all_global) {
            owned = match old.and_then(|old| old.owned) {
                None => Some(self.new_slot(Bank::I)?),
                flag => flag,
            };
        }
        let global = Local { name: name.to_owned(), ty: value.ty, place, mutable, owned };
        self.set_owned(&global, fresh)?;
        if let Place::Global(slot) = place {
            self.set_global(bank, slot, value.reg);
        }
        self.world.globals.insert(name.to_owned(), global);
        self.world.functions.remove(name);
        Ok(())
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
    pub(super) fn load(&mut self, name: &str, want: Want<'_>, shared: bool) -> Result<Val> {
        let Some(local) = self.find(name) else {
            return self.load_function(name, want);
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
            Place::Boxed(_) | Place::Captured(_) | Place::CapturedBox(_) => {
                let cell = self.target(want, ANY)?;
                let held = self.held(local.place, cell);
                if !matches!(local.place, Place::Captured(_)) {
                    self.emit(Op::GetBox(cell, held));
                }
                self.fit(Val::cell(cell), &ty, want.reg(bank))
            }
        }
    }

    /// Puts a value into a variable.
    pub(super) fn store(&mut self, name: &str, value: &Expr) -> Result<()> {
        let at = self.at;
        let Some(local) = self.find(name) else {
            return fault(at, format!("there is no variable `{name}`"));
        };
        if !local.mutable {
            let message = format!("`{name}` cannot be assigned to: it is declared with let");
            return fault(at, message);
        }
        let fresh = self.is_fresh(value);
        let mark = self.mark();
        match local.place {
            Place::Reg(reg) => drop(self.typed(value, &local.ty, Some(reg))?),
            Place::Boxed(_) | Place::CapturedBox(_) => {
                let value = self.operand(Bank::C, value, &local.ty)?;
                let cell = self.take(Bank::C)?;
                let held = self.held(local.place, cell);
                self.emit(Op::SetBox(held, value));
            }
            Place::Captured(_) => return fault(at, format!("`{name}` cannot be assigned to")),
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
