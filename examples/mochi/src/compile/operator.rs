//! Operators.

use super::{ANY, Compiler, Dest, Val};
use crate::builtins::Builtin;
use crate::bytecode::{ArithOp, Op, Reg};
use crate::diagnostics::{Result, error_at};
use crate::syntax::ast::*;
use crate::types::{Bank, Type};

/// Operands of one concatenation.
const CHUNK: usize = 32;

type RegOp = fn(Reg, Reg, Reg) -> Op;
type ImmOp = fn(Reg, Reg, i16) -> Op;

/// A pending operation in a chain: the operator, its right operand, and its position.
type Step<'e> = (ArithOp, &'e Expr, Pos);

/// The arithmetic instructions in the order of [`ArithOp`]: on integers, on floats, on an integer
/// and an immediate.
const ARITHMETIC: [(char, RegOp, RegOp, ImmOp); 5] = [
    ('+', Op::AddI, Op::AddF, Op::AddIK),
    ('-', Op::SubI, Op::SubF, |d, a, k| Op::AddIK(d, a, -k)),
    ('*', Op::MulI, Op::MulF, Op::MulIK),
    ('/', Op::DivI, Op::DivF, Op::DivIK),
    ('%', Op::ModI, Op::ModF, Op::ModIK),
];

fn is_arithmetic(op: ArithOp) -> bool {
    (op as usize) < ARITHMETIC.len()
}

impl Compiler<'_> {
    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        whole: &Expr,
        a: &Expr,
        b: &Expr,
        dest: Dest,
    ) -> Result<Val> {
        match op {
            BinaryOp::Arith(op) if is_arithmetic(op) => self.chain(whole, dest),
            BinaryOp::Arith(op) => self.set_operator(op, a, b, dest),
            BinaryOp::In => {
                let item = self.operand(Bank::C, a, ANY)?;
                let container = self.expr_borrowed(b, ANY)?;
                if container.ty.bank() != Bank::C {
                    let message = format!("cannot search a value of type `{}`", container.ty);
                    return error_at(self.pos, message);
                }
                self.emit_result(dest, Type::Bool, |reg| Op::In(reg, item, container.reg))
            }
            BinaryOp::Coalesce => self.coalesce(a, b, dest),
            _ => self.condition_value(whole),
        }
    }

    /// `a ?? b`.
    fn coalesce(&mut self, a: &Expr, b: &Expr, dest: Dest) -> Result<Val> {
        let (first, other) = (self.infer(a, dest.expected)?, self.infer(b, dest.expected)?);
        let ty = if first.bank() == Bank::C { first.join(&other) } else { first };
        let ty = if ty == Type::Any { other } else { ty };
        let reg = self.alloc_reg(Bank::C)?;
        let first = match &a.kind {
            ExprKind::Index(..) | ExprKind::Field(..) => self.expr_or_null(a)?,
            _ => {
                let value = self.expr(a, ANY, None)?;
                self.box_value(value)?
            }
        };
        self.move_to(Bank::C, reg, first);
        let skip = self.emit(Op::JNotNull(reg, 0));
        self.expr_as(b, ANY, Some(reg))?;
        self.patch_here([skip]);
        self.ascribe(Val::cell(reg), &ty, dest.reg_in(ty.bank()))
    }

    fn set_operator(&mut self, op: ArithOp, a: &Expr, b: &Expr, dest: Dest) -> Result<Val> {
        let left = self.expr_borrowed(a, dest.expected)?;
        let right = self.expr_borrowed(b, dest.expected)?;
        for ty in [&left.ty, &right.ty] {
            if !matches!(ty, Type::List(_) | Type::Any | Type::Null | Type::Group(_)) {
                return error_at(self.pos, format!("set operator needs lists, found `{ty}`"));
            }
        }
        let ty = match left.ty.join(&right.ty) {
            ty @ Type::List(_) => ty,
            _ => Type::list(Type::Any),
        };
        self.emit_result(dest, ty, |reg| Op::Arith(op, reg, left.reg, right.reg))
    }

    /// Compiles a chain of left-associative operators like `a + b - c`, without recursion. All that
    /// is added to a string is concatenated by one instruction.
    fn chain(&mut self, whole: &Expr, dest: Dest) -> Result<Val> {
        let (mut steps, mut rest): (Vec<Step<'_>>, _) = (Vec::new(), whole);
        while let ExprKind::Binary(BinaryOp::Arith(op), a, b) = &rest.kind
            && is_arithmetic(*op)
        {
            steps.push((*op, &**b, rest.pos));
            rest = a;
        }
        // Beside a literal beyond 64 bits, all of them are integers of any size.
        let hint = if *dest.expected == Type::BigInt { dest.expected } else { ANY };
        let mut total = self.string_operand(rest, hint)?;
        while let Some((op, operand, pos)) = steps.pop() {
            if op == ArithOp::Add && total.ty == Type::String {
                steps.push((op, operand, pos));
                total = self.concat(total, &mut steps, dest)?;
                continue;
            }
            // Only the last result goes to the wanted register: it may be a variable of the chain.
            let dest = Dest { reg: dest.reg.filter(|_| steps.is_empty()), ..dest };
            total = self.with_pos(pos, |compiler| compiler.step(op, total, operand, dest))?;
        }
        Ok(total)
    }

    /// Compiles one operation of a chain. Its left operand was computed since the mark.
    fn step(&mut self, op: ArithOp, left: Val, operand: &Expr, dest: Dest) -> Result<Val> {
        let (symbol, int_op, float_op, imm_op) = ARITHMETIC[op as usize];
        let min = if matches!(op, ArithOp::Div | ArithOp::Mod) { 1 } else { -i16::MAX };
        if left.ty == Type::Int
            && let ExprKind::Int(value) = operand.kind
            && let Some(k) = i16::try_from(value).ok().filter(|k| *k >= min)
        {
            return self.emit_result(dest, Type::Int, |reg| imm_op(reg, left.reg, k));
        }
        // An integer literal next to a float is a float, next to a `bigint` one of any size.
        let hint = match (&left.ty, dest.expected) {
            (Type::Float | Type::BigInt, _) => &left.ty,
            (_, Type::BigInt) => dest.expected,
            _ => ANY,
        };
        let right = self.expr_borrowed(operand, hint)?;
        // `-x` is parsed as `x * -1`, with both operators at the same position.
        let symbol = if operand.pos == self.pos { '-' } else { symbol };
        let is_number =
            |ty: &Type| matches!(ty, Type::Int | Type::Float | Type::BigInt | Type::Any);
        let (l, r, is_add) = (&left.ty, &right.ty, op == ArithOp::Add);
        let ty = match (l, r) {
            (Type::Null, _) | (_, Type::Null) => Type::Any,
            (Type::Int, Type::Int) => Type::Int,
            (Type::Float, other) | (other, Type::Float) if is_number(other) => Type::Float,
            (Type::BigInt, Type::BigInt | Type::Int) | (Type::Int, Type::BigInt) => Type::BigInt,
            (Type::Any, other) | (other, Type::Any) if is_number(other) => Type::Any,
            (Type::Any, Type::List(_) | Type::String) if is_add => Type::Any,
            (Type::List(_) | Type::String, Type::Any) if is_add => Type::Any,
            (Type::List(_), Type::List(_)) | (Type::String, Type::String) if is_add => l.join(r),
            _ => return error_at(self.pos, format!("cannot apply `{symbol}` to `{l}` and `{r}`")),
        };
        let bank = ty.bank();
        let operand_type = if bank == Bank::C { ANY } else { &ty };
        let a = self.coerce(left, operand_type, None)?.reg;
        let b = self.coerce(right, operand_type, None)?.reg;
        self.emit_result(dest, ty, |reg| match bank {
            Bank::I => int_op(reg, a, b),
            Bank::F => float_op(reg, a, b),
            Bank::C => Op::Arith(op, reg, a, b),
        })
    }

    /// Concatenates a string and the operands of the additions that follow.
    fn concat(&mut self, first: Val, steps: &mut Vec<Step<'_>>, dest: Dest) -> Result<Val> {
        let base = self.move_to_mark(dest.mark, Bank::C, first)?;
        let start = self.mark();
        let mut count = 1;
        while let Some((_, operand, pos)) = steps.pop_if(|step| step.0 == ArithOp::Add) {
            if count == CHUNK {
                self.emit(Op::Concat(base, base, CHUNK as Reg));
                self.release(start);
                count = 1;
            }
            let inner = self.mark();
            let value = self.string_operand(operand, &Type::String)?;
            let is_string = value.ty == Type::String;
            if !is_string && !matches!(value.ty, Type::Any | Type::Null) {
                return error_at(pos, format!("cannot apply `+` to `string` and `{}`", value.ty));
            }
            let reg = self.move_to_mark(inner, Bank::C, value)?;
            if !is_string {
                self.emit(Op::Builtin(Builtin::CheckString, reg, reg, 1));
            }
            count += 1;
        }
        self.emit_result(dest, Type::String, |reg| Op::Concat(reg, base, count as Reg))
    }

    /// Compiles an operand of a concatenation, which formats integers itself: `str(n)` needs no call.
    fn string_operand(&mut self, operand: &Expr, expected: &Type) -> Result<Val> {
        if let Some((name @ "str", [arg])) = operand.named_call()
            && self.builtin(name).is_some()
        {
            let dest = self.dest(ANY);
            let inner = self.expr_borrowed(arg, ANY)?;
            let concatenates = matches!(inner.ty, Type::Int | Type::BigInt | Type::String);
            let reg = self.box_value(inner)?;
            if concatenates {
                return Ok(Val { ty: Type::String, reg });
            }
            return self
                .emit_result(dest, Type::String, |to| Op::Builtin(Builtin::Str, to, reg, 1));
        }
        self.expr_borrowed(operand, expected)
    }
}
