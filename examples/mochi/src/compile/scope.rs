//! The symbol table: name resolution, captures, and loads and stores of variables.
//!
//! A variable that a nested function captures lives in a box, a heap cell that both functions
//! reference. A list variable that is appended to has an owned flag at run time: it is set while the
//! variable holds the only reference to its list, so that `append` may work in place.

use std::rc::Rc;

use super::{ANY, Compiler, Dest, Mark, Val, table_index};
use crate::builtins::Builtin;
use crate::bytecode::{Idx, Op, Reg, Variable};
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::{Expr, ExprKind, THIS};
use crate::types::{Bank, Signature, Type};

/// Where the value of a name is stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Storage {
    /// A register of the bank of its type.
    Reg(Reg),
    /// A box, which is in a register.
    Boxed(Reg),
    /// A box, which is an upvalue.
    Upvalue(Reg),
    Global(Idx),
    /// A field of the receiver of a method: its shape and the field number.
    Field(u16, usize),
    /// A function, by its index. It is called directly.
    Function(u16),
}

#[derive(Clone, Debug)]
pub(super) struct Symbol {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) storage: Storage,
    pub(super) mutable: bool,
    /// Whether its type is written as `T?`.
    pub(super) optional: bool,
    /// The register or the global of the owned flag.
    pub(super) owned: Option<Idx>,
}

impl Symbol {
    pub(super) fn new(name: &str, ty: Type, storage: Storage) -> Symbol {
        Symbol { name: name.to_owned(), ty, storage, mutable: true, optional: false, owned: None }
    }

    pub(super) fn function(name: &str, index: u16, signature: &Rc<Signature>) -> Symbol {
        let (ty, storage) = (Type::Fun(Rc::clone(signature)), Storage::Function(index));
        Symbol { mutable: false, ..Symbol::new(name, ty, storage) }
    }

    /// What is known of it at run time, if it is in a register of bank c.
    fn variable(&self, from: u32) -> Option<Variable> {
        match self.storage {
            Storage::Boxed(reg) => Some(reg),
            Storage::Reg(reg) => (self.ty.bank() == Bank::C).then_some(reg),
            _ => None,
        }
        .map(|reg| Variable { name: self.name.clone(), reg, scope: from..u32::MAX })
    }

    pub(super) fn is_function(&self) -> bool {
        matches!(self.storage, Storage::Function(_))
    }
}

/// The number of upvalues of a closure. They need consecutive registers when it is created.
const CAPTURES_MAX: usize = 200;

impl Compiler<'_> {
    /// Resolves a name: local variables, captured variables, members of the receiver, globals.
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

    /// The built-in function of this name, unless the program redefines it.
    pub(super) fn builtin(&mut self, name: &str) -> Option<Builtin> {
        Builtin::named(name).filter(|_| self.resolve(name).is_none())
    }

    /// Resolves a variable of the function at a nesting level, or captures it from the level above.
    fn resolve_in(&mut self, level: usize, name: &str) -> Option<Symbol> {
        let state = self.enclosing.get(level).unwrap_or(&self.current);
        let last = |scope: &Vec<Symbol>| scope.iter().rev().find(|it| it.name == name).cloned();
        if let Some(local) = state.scopes.iter().rev().find_map(last) {
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
        (n < CAPTURES_MAX).then_some(Symbol {
            storage: Storage::Upvalue(n as Reg),
            owned: None,
            ..local
        })
    }

    /// The register of the box of a variable. An upvalue is loaded into `to`.
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

    /// Ends the innermost scope.
    pub(super) fn pop_scope(&mut self) {
        let to = self.here();
        let ended = self.current.scopes.pop().unwrap_or_default();
        let ended = ended.iter().filter_map(|symbol| symbol.variable(to)).count();
        let open = |it: &&mut Variable| it.scope.end == u32::MAX;
        let variables = self.current.function.variables.iter_mut();
        variables.rev().filter(open).take(ended).for_each(|it| it.scope.end = to);
    }

    pub(super) fn close_scope(&mut self, mark: Mark) {
        self.pop_scope();
        self.release(mark);
    }

    /// Creates a local variable for a value, in the next register.
    pub(super) fn new_local(&mut self, name: &str, mut value: Val) -> Result<Symbol> {
        if !self.current.uses.captured.contains(name) {
            let bank = value.ty.bank();
            let reg = self.alloc_reg(bank)?;
            self.move_to(bank, reg, value.reg);
            value.reg = reg;
        }
        self.bind_local(name, value)
    }

    /// Creates a local variable for a value whose register is not used otherwise.
    fn bind_local(&mut self, name: &str, value: Val) -> Result<Symbol> {
        let mut local = Symbol::new(name, value.ty.clone(), Storage::Reg(value.reg));
        if self.current.uses.captured.contains(name) {
            let reg = self.alloc_reg(Bank::C)?;
            let mark = self.mark();
            let cell = self.box_value(value)?;
            self.emit(Op::NewBox(reg, cell));
            self.release(mark);
            local.storage = Storage::Boxed(reg);
        } else if value.ty.bank() == Bank::C && self.current.uses.appended.contains(name) {
            local.owned = Some(Idx::from(self.alloc_reg(Bank::I)?));
        }
        Ok(local)
    }

    /// Declares a local variable for a value whose register is not used otherwise.
    pub(super) fn declare_local(&mut self, name: &str, value: Val) -> Result<()> {
        let local = self.bind_local(name, value)?;
        self.declare(local, false)
    }

    /// Declares a variable. A `fresh` value is referenced by nothing else.
    pub(super) fn declare(&mut self, local: Symbol, fresh: bool) -> Result<()> {
        self.set_owned(&local, fresh)?;
        if let Storage::Global(_) = local.storage {
            self.env.globals.insert(local.name.clone(), local);
        } else if let Some(scope) = self.current.scopes.last_mut() {
            let from = self.current.function.code.len() as u32;
            self.current.function.variables.extend(local.variable(from));
            scope.push(local);
        }
        Ok(())
    }

    /// Creates a global variable for a value.
    pub(super) fn new_global(&mut self, name: &str, value: Val) -> Result<Symbol> {
        let bank = value.ty.bank();
        // A redeclaration, as is common at the prompt, reuses the slot if the type is the same.
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

    /// Sets or clears the owned flag of a variable, if it has one.
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

    /// Loads the value of a name. If the value escapes, the variable no longer owns its list.
    pub(super) fn load_name(&mut self, name: &str, dest: Dest, escapes: bool) -> Result<Val> {
        let Some(local) = self.resolve(name) else {
            return self.load_constant(name, dest);
        };
        if escapes {
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
                let boxed = self.box_reg(storage, cell);
                self.emit(Op::GetBox(cell, boxed));
                self.ascribe(Val::cell(cell), &ty, dest.reg_in(bank))
            }
        }
    }

    /// Assigns to a variable.
    pub(super) fn store_name(&mut self, name: &str, value: &Expr) -> Result<()> {
        let Some(local) = self.resolve(name).filter(|it| !it.is_function()) else {
            return error_at(self.pos, format!("undefined variable `{name}`"));
        };
        if !local.mutable {
            let message =
                format!("cannot assign to immutable variable `{name}`; declare it with `var`");
            return error_at(self.pos, message);
        }
        let fresh = self.is_fresh(value);
        let mark = self.mark();
        match local.storage {
            Storage::Reg(reg) => {
                drop(self.expr_for(value, &local.ty, local.optional, Some(reg))?)
            }
            Storage::Boxed(_) | Storage::Upvalue(_) => {
                let value = self.expr_for(value, &local.ty, local.optional, None)?;
                let value = self.box_value(value)?;
                let cell = self.alloc_reg(Bank::C)?;
                let boxed = self.box_reg(local.storage, cell);
                self.emit(Op::SetBox(boxed, value));
            }
            Storage::Function(_) => {}
            Storage::Global(slot) => {
                let value = self.expr_for(value, &local.ty, local.optional, None)?;
                self.emit_set_global(local.ty.bank(), slot, value.reg);
            }
            Storage::Field(shape, field) => {
                let value = self.field_value(value, (shape, field), &local.ty)?;
                let value = self.box_value(value)?;
                self.emit(Op::SetField(0, field as Reg, value, shape));
            }
        }
        self.set_owned(&local, fresh)?;
        self.release(mark);
        Ok(())
    }
}
