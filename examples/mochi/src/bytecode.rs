//! The bytecode: 8-byte instructions over three banks of registers.
//!
//! A register operand is one byte. The opcode determines its bank: `i` holds 64-bit integers and
//! booleans, `f` holds doubles, `c` holds cells. Arithmetic on numbers of known types neither boxes
//! nor checks tags.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::{Deref, Range};
use std::rc::Rc;

use crate::builtins::Builtin;
use crate::types::Shape;

pub(crate) type Reg = u8;
/// An index into a table of the program: constant pool, shapes, types, functions, globals.
pub(crate) type Idx = u16;

/// An arithmetic or set operator. As an instruction it works on cells and dispatches on their types
/// at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArithOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Union,
    UnionAll,
    Except,
    Intersect,
}

macro_rules! instructions {
    (
        plain { $($Operands:tt: $($Op:ident)+;)* }
        jumps { $($Read:tt: $($Jump:ident)+;)* }
        alone { $($Alone:ident)+ }
    ) => {
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Op {
            $($($Op $Operands,)+)*
            $($($Jump $Read,)+)*
            $($Alone),+
        }

        impl Op {
            /// The jump target, if this is a jump.
            pub(crate) fn target(&mut self) -> Option<&mut u32> {
                match self {
                    $($(Op::$Jump(.., to) => Some(to),)+)*
                    _ => None,
                }
            }
        }
    };
}

// Operand types, then the opcodes that have them. The destination comes first, then the sources.
// Suffixes name the bank: I, F, C; B is a boolean in bank I. K is an immediate operand.
instructions! {
    plain {
        // Immediates, the constant pool, moves.
        (Reg, i32): LoadI;
        (Reg, Idx): ConstI ConstF ConstC;
        (Reg): LoadNull;
        (Reg, Reg): MoveI MoveF MoveC;
        // Arithmetic.
        (Reg, Reg, Reg): AddI SubI MulI DivI ModI AddF SubF MulF DivF ModF EqF;
        (Reg, Reg, i16): AddIK MulIK DivIK ModIK;
        (Reg, Reg): SqrtF IToF FToI;
        // Boxing a number or a boolean into a cell, and unboxing.
        (Reg, Reg): BoxI BoxF BoxB UnboxI UnboxF UnboxB;
        // Globals.
        (Reg, Idx): GetGI GetGF GetGC;
        (Idx, Reg): SetGI SetGF SetGC;
        // Calls a function. Its windows start at these registers of the caller; the result is in
        // the first register of its bank.
        (Idx, Reg, Reg, Reg): Call;
        // Calls the closure in a register with so many arguments, which follow it.
        (Reg, Reg): CallValue;
        (Reg): RetI RetF RetC;
        // Closures (first captured register, count, function), upvalues, and the boxes they share.
        (Reg, Reg, Reg, Idx): Closure;
        (Reg, Reg): GetUpvalue NewBox GetBox SetBox;
        // Lists: destination, first element, count.
        (Reg, Reg, Reg): NewList NewI NewF;
        (Reg): NewMap;
        (Reg, Reg): Push;
        // Makes room in a list for so many more elements.
        (Reg, Idx): Reserve;
        // `xs = append(xs, x)`: list, element, owned flag. In place if the list is not shared.
        (Reg, Reg, Reg): AppendC AppendI AppendF;
        // Element of a list at an integer index; GetC also a character of a string.
        (Reg, Reg, Reg): GetI GetF GetB GetC SetI SetF SetB SetC;
        // Element of any container by a key in a cell.
        (Reg, Reg, Reg): GetKey GetKeyOrNull SetKey;
        (Reg, Reg): Len;
        // The list that a `for` iterates over: the elements, keys or characters of a value.
        (Reg, Reg): ToList;
        // Range hints: one is proved for a whole list and redeemed at each iteration. Each frame
        // has its own bank of them.
        (Reg, Reg): MakeHint;
        (Reg, Reg, Reg): GetHintedI GetHintedF GetHintedC;
        // Structs: NewStruct has first field and count, the others an object and a field number.
        (Reg, Reg, Reg, Idx): NewStruct GetField SetField;
        (Reg, Reg, Idx): GetNamed SetNamed IsShape;
        // Concat has first operand and count. Substring has the start in a register of bank I and
        // the end in the next.
        (Reg, Reg, Reg): Concat Substring;
        // Everything that dispatches on types at run time.
        (ArithOp, Reg, Reg, Reg): Arith;
        // Less than; less than or equal if the flag is set.
        (bool, Reg, Reg, Reg): LessC;
        (Builtin, Reg, Reg, Reg): Builtin;
        (Reg, Reg, Reg): In Slice;
        (Reg, Reg): Truthy;
        (Reg, Reg, Idx): Cast;
        (Reg): Expect;
    }
    // The target, an index into the code of the same function, is the last operand.
    jumps {
        (u32): Jump;
        (Reg, u32): JumpIf JumpIfNot JNull JNotNull;
        (Reg, Reg, u32): JLtI JLeI JEqI JNeI JLtF JLeF JNotLtF JNotLeF JEqC JNeC;
        (Reg, i16, u32): JLtIK JLeIK JGtIK JGeIK JEqIK JNeIK;
        // Increments the counter; jumps back while it is less than the end.
        (Reg, Reg, u32): ForLoop;
        // Starts a test block; if the test fails, execution resumes at the target.
        (Idx, u32): TestBegin;
    }
    // NoMatch ends a `match` that is not exhaustive.
    alone { TestPassed NoMatch }
}

const _: () = assert!(size_of::<Op>() == 8);

/// A variable in a register of bank c, or the box of one.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) reg: Reg,
    /// The instructions in its scope.
    pub(crate) scope: Range<u32>,
}

/// The code of a function.
#[derive(Debug, Default)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) code: Vec<Op>,
    /// The source position of each instruction.
    pub(crate) positions: Vec<u32>,
    /// The variables in registers of bank c, for those who look at a frame.
    pub(crate) variables: Vec<Variable>,
    /// The number of arguments in a call as a value.
    pub(crate) arity: usize,
    /// The size of its frame: registers of banks i, f and c, and hints.
    pub(crate) frame_size: [u16; 4],
}

/// A table without duplicates, of which each entry is found by its hash.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    entries: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool { entries: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Pool<T> {
    /// The number of an entry, which is added if it is not in the table.
    pub(crate) fn number(&mut self, entry: T) -> usize {
        let next = self.entries.len();
        let number = *self.numbers.entry(entry.clone()).or_insert(next);
        if number == next {
            self.entries.push(entry);
        }
        number
    }
}

impl<T> Deref for Pool<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.entries
    }
}

/// Everything that is compiled. Each input of the prompt adds to it.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) functions: Vec<Rc<Function>>,
    /// The constant pool: strings, and names of fields that are looked up by name at run time.
    pub(crate) constants: Pool<Rc<str>>,
    /// The constant pool of numbers: integers, and floats as their bits.
    pub(crate) numbers: Pool<i64>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) types: Vec<crate::types::Type>,
    /// The number of globals in banks i, f and c.
    pub(crate) globals: [usize; 3],
}
