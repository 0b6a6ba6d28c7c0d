//! Names and where their values are.

use super::{Compiler, Val};
use crate::bytecode::{Idx, Op, Reg};
use crate::errors::{Result, fault};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// Where the value of a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a register of the bank of its type.
    Reg(Reg),
    /// In a box, which is in a register: inner functions share it.
    Boxed(Reg),
    /// Among what the function has captured: the value, or its box.
    Captured(Reg),
    CapturedBox(Reg),
}

#[derive(Clone, Debug)]
pub(super) struct Local {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) place: Place,
    pub(super) mutable: bool,
    /// The register of the flag that says that nobody else holds the list.
    pub(super) owned: Option<Reg>,
}

/// A variable that outlives the function that it is declared in.
#[derive(Clone, Debug)]
pub(crate) struct Global {
    pub(crate) ty: Type,
    pub(crate) slot: Idx,
    pub(crate) mutable: bool,
    /// The slot of the flag, as of [`Local`].
    pub(crate) owned: Option<Idx>,
}

/// What a name stands for.
#[derive(Debug)]
pub(super) enum Named {
    Local(Local),
    Global(Global),
    /// A field of the record whose method this is.
    Field(u16, usize),
}

impl Compiler<'_> {
    pub(super) fn find(&mut self, name: &str) -> Option<Named> {
        if let Some(local) = self.find_in(self.frames.len() - 1, name) {
            return Some(Named::Local(local));
        }
        if let Some(shape) = self.here().this
            && let Some(field) = self.shape(shape).field(name)
        {
            return Some(Named::Field(shape, field));
        }
        self.world.globals.get(name).cloned().map(Named::Global)
    }

    /// Looks for a variable of a function or of those around it, from which it is captured.
    fn find_in(&mut self, level: usize, name: &str) -> Option<Local> {
        let frame = &self.frames[level];
        let last = |scope: &Vec<Local>| scope.iter().rev().find(|it| it.name == name).cloned();
        if let Some(local) = frame.scopes.iter().rev().find_map(last) {
            return Some(local);
        }
        let around = level.checked_sub(1)?;
        let captured = |n: usize, local: &Local| Local {
            place: match local.place {
                Place::Reg(_) | Place::Captured(_) => Place::Captured(n as Reg),
                Place::Boxed(_) | Place::CapturedBox(_) => Place::CapturedBox(n as Reg),
            },
            owned: None,
            ..local.clone()
        };
        let local = self.find_in(around, name)?;
        let frame = &mut self.frames[level];
        let known = frame.captures.iter().position(|(it, _)| it == name);
        let n = known.unwrap_or_else(|| {
            frame.captures.push((name.to_owned(), local.clone()));
            frame.captures.len() - 1
        });
        (n < 200).then(|| captured(n, &local))
    }

    pub(super) fn open(&mut self) {
        self.frame().scopes.push(Vec::new());
    }

    pub(super) fn close(&mut self, mark: [u16; 3]) {
        self.frame().scopes.pop();
        self.release(mark);
    }

    /// Makes a variable of a value; takes a register for it, or the value's own if that is free.
    pub(super) fn declare(
        &mut self,
        name: &str,
        value: Val,
        mark: [u16; 3],
        mutable: bool,
        fresh: bool,
    ) -> Result<()> {
        let bank = value.ty.bank();
        self.release(mark);
        if self.here().shared.contains(name) {
            let reg = self.take(Bank::C)?;
            let cell = self.coerce(value.clone(), &Type::Any, None)?;
            self.emit(Op::NewBox(reg, cell.reg));
            let next = [mark[0], mark[1], mark[2] + 1];
            self.release(next);
            return self.bind(name, value.ty, Place::Boxed(reg), mutable, None);
        }
        let reg = self.take(bank)?;
        self.move_to(bank, reg, value.reg);
        let mut owned = None;
        if bank == Bank::C && self.here().appended.contains(name) {
            let flag = self.take(Bank::I)?;
            self.emit(Op::LoadI(flag, i32::from(fresh)));
            owned = Some(flag);
        }
        self.bind(name, value.ty, Place::Reg(reg), mutable, owned)
    }

    pub(super) fn bind(
        &mut self,
        name: &str,
        ty: Type,
        place: Place,
        mutable: bool,
        owned: Option<Reg>,
    ) -> Result<()> {
        let local = Local { name: name.to_owned(), ty, place, mutable, owned };
        if let Some(scope) = self.frame().scopes.last_mut() {
            scope.push(local);
        }
        Ok(())
    }

    /// Declares a variable that has a register of its own already.
    pub(super) fn declare_in(&mut self, name: &str, value: Val) -> Result<()> {
        if self.here().shared.contains(name) {
            let mark = self.mark();
            return self.declare(name, value, mark, true, false);
        }
        let mut owned = None;
        if value.ty.bank() == Bank::C && self.here().appended.contains(name) {
            let flag = self.take(Bank::I)?;
            self.emit(Op::LoadI(flag, 0));
            owned = Some(flag);
        }
        self.bind(name, value.ty, Place::Reg(value.reg), true, owned)
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
        let slot = match &old {
            Some(old) => old.slot,
            None => self.new_slot(bank)?,
        };
        let mut owned = None;
        if bank == Bank::C && (self.here().appended.contains(name) || self.all_global) {
            let flag = match old.and_then(|old| old.owned) {
                Some(flag) => flag,
                None => self.new_slot(Bank::I)?,
            };
            self.set_flag(flag, fresh)?;
            owned = Some(flag);
        }
        self.set_global(bank, slot, value.reg);
        let global = Global { ty: value.ty, slot, mutable, owned };
        self.world.globals.insert(name.to_owned(), global);
        self.world.functions.remove(name);
        Ok(())
    }

    fn new_slot(&mut self, bank: Bank) -> Result<Idx> {
        let count = &mut self.world.program.globals[bank as usize];
        let Ok(slot) = Idx::try_from(*count) else {
            return fault(self.at, "there are too many globals");
        };
        *count += 1;
        Ok(slot)
    }

    pub(super) fn set_flag(&mut self, flag: Idx, value: bool) -> Result<()> {
        let mark = self.mark();
        let reg = self.take(Bank::I)?;
        self.emit(Op::LoadI(reg, i32::from(value)));
        self.emit(Op::SetGI(flag, reg));
        self.release(mark);
        Ok(())
    }

    pub(super) fn set_global(&mut self, bank: Bank, slot: Idx, reg: Reg) {
        self.emit(match bank {
            Bank::I => Op::SetGI(slot, reg),
            Bank::F => Op::SetGF(slot, reg),
            Bank::C => Op::SetGC(slot, reg),
        });
    }

    pub(super) fn get_global(&mut self, bank: Bank, reg: Reg, slot: Idx) {
        self.emit(match bank {
            Bank::I => Op::GetGI(reg, slot),
            Bank::F => Op::GetGF(reg, slot),
            Bank::C => Op::GetGC(reg, slot),
        });
    }

    /// The value of a name. If somebody else may hold it afterwards, `shared`, a list is no
    /// longer the variable's own.
    pub(super) fn load(
        &mut self,
        name: &str,
        at: At,
        wanted: Option<(Bank, Reg)>,
        shared: bool,
    ) -> Result<Val> {
        let Some(named) = self.find(name) else {
            return self.load_function(name, at, wanted);
        };
        match named {
            Named::Local(local) => {
                if let (Some(flag), true) = (local.owned, shared) {
                    self.emit(Op::LoadI(flag, 0));
                }
                if let Place::Reg(reg) = local.place {
                    return Ok(Val { ty: local.ty, reg });
                }
                let mark = self.mark();
                let cell =
                    self.target(wanted.filter(|_| local.ty.bank() == Bank::C), &Type::Any)?;
                match local.place {
                    Place::Boxed(reg) => {
                        self.emit(Op::GetBox(cell, reg));
                    }
                    Place::Captured(n) => {
                        self.emit(Op::Up(cell, n));
                    }
                    Place::CapturedBox(n) => {
                        self.emit(Op::Up(cell, n));
                        self.emit(Op::GetBox(cell, cell));
                    }
                    Place::Reg(_) => {}
                }
                let value = Val { ty: Type::Any, reg: cell };
                if local.ty.bank() == Bank::C {
                    return Ok(Val { ty: local.ty, reg: cell });
                }
                let value = self.coerce(
                    value,
                    &local.ty,
                    wanted.filter(|it| it.0 == local.ty.bank()).map(|it| it.1),
                )?;
                self.frame().next[2] = mark[2];
                Ok(value)
            }
            Named::Global(global) => {
                if let (Some(flag), true) = (global.owned, shared) {
                    self.set_flag(flag, false)?;
                }
                let reg = self.target(wanted, &global.ty)?;
                self.get_global(global.ty.bank(), reg, global.slot);
                Ok(Val { ty: global.ty, reg })
            }
            Named::Field(shape, field) => {
                let ty = self.shape(shape).fields[field].1.clone();
                self.get_field(0, shape, field, &ty, wanted)
            }
        }
    }

    /// Puts a value into a variable.
    pub(super) fn store(&mut self, name: &str, at: At, value: &Expr) -> Result<()> {
        self.at = at;
        let Some(named) = self.find(name) else {
            return fault(at, format!("there is no variable `{name}`"));
        };
        let fresh = self.is_fresh(value);
        let mark = self.mark();
        match named {
            Named::Local(Local { mutable: false, .. })
            | Named::Global(Global { mutable: false, .. }) => {
                return fault(
                    at,
                    format!("`{name}` cannot be assigned to: it is declared with let"),
                );
            }
            Named::Local(local) => match local.place {
                Place::Reg(reg) => {
                    self.expr_into(value, reg, &local.ty)?;
                    if let Some(flag) = local.owned {
                        self.emit(Op::LoadI(flag, i32::from(fresh)));
                    }
                }
                Place::Boxed(reg) => {
                    let value = self.typed(value, &local.ty)?;
                    let value = self.coerce(value, &Type::Any, None)?;
                    self.emit(Op::SetBox(reg, value.reg));
                }
                Place::CapturedBox(n) => {
                    let value = self.typed(value, &local.ty)?;
                    let value = self.coerce(value, &Type::Any, None)?;
                    let cell = self.take(Bank::C)?;
                    self.emit(Op::Up(cell, n));
                    self.emit(Op::SetBox(cell, value.reg));
                }
                Place::Captured(_) => return fault(at, format!("`{name}` cannot be assigned to")),
            },
            Named::Global(global) => {
                let value = self.typed(value, &global.ty)?;
                self.set_global(global.ty.bank(), global.slot, value.reg);
                if let Some(flag) = global.owned {
                    self.set_flag(flag, fresh)?;
                }
            }
            Named::Field(shape, field) => {
                let ty = self.shape(shape).fields[field].1.clone();
                let value = self.typed(value, &ty)?;
                let value = self.coerce(value, &Type::Any, None)?;
                self.emit(Op::SetField(0, field as Reg, value.reg, shape));
            }
        }
        self.release(mark);
        Ok(())
    }
}
