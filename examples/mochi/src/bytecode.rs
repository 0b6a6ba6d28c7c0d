//! The bytecode: instructions of 8 bytes over three banks of registers.
//!
//! A register is named by one byte. What bank it is of follows from the instruction: `i` for 64-bit
//! integers and truth values, `f` for doubles, `c` for cells. Arithmetic on numbers whose types are
//! known never touches the envelope of a cell.

use std::fmt::Write;
use std::rc::Rc;

use crate::builtins::Builtin;
use crate::types::Shape;

pub(crate) type Reg = u8;
/// An index into a table of the program: constants, names, shapes, functions.
pub(crate) type Idx = u16;

/// An operation on two values whose types are only known at run time.
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
            /// Where the instruction may jump to.
            pub(crate) fn target(&mut self) -> Option<&mut u32> {
                match self {
                    $($(Op::$Jump(.., to) => Some(to),)+)*
                    _ => None,
                }
            }
        }
    };
}

// The operands, and the instructions that have them. The target of a value comes first, then what
// is read. Letters at the end of a name say the bank: I, F, C; B is a truth value. K is a constant.
instructions! {
    plain {
        // Constants and moves.
        (Reg, i32): LoadI;
        (Reg, Idx): ConstI ConstF ConstC;
        (Reg): LoadNull;
        (Reg, Reg): MoveI MoveF MoveC;
        // Numbers.
        (Reg, Reg, Reg): AddI SubI MulI DivI ModI AddF SubF MulF DivF ModF EqF;
        (Reg, Reg, i16): AddIK MulIK DivIK ModIK;
        (Reg, Reg): SqrtF IToF FToI;
        // Between the banks.
        (Reg, Reg): BoxI BoxF BoxB UnboxI UnboxF UnboxB;
        // Globals.
        (Reg, Idx): GetGI GetGF GetGC;
        (Idx, Reg): SetGI SetGF SetGC;
        // Calls. The windows of the callee begin at these registers; its result is in the first.
        (Idx, Reg, Reg, Reg): Call;
        // Calls the closure in a register; the arguments, so many, are in those behind it.
        (Reg, Reg): CallValue;
        (Reg): RetI RetF RetC;
        // Closures and the variables that they share.
        (Reg, Reg, Reg, Idx): Closure;
        (Reg, Reg): GetUpvalue NewBox GetBox SetBox;
        // Lists and arrays: a target, the first of the elements, their number.
        (Reg, Reg, Reg): NewList NewI NewF;
        (Reg): NewMap;
        (Reg, Reg): Push;
        // `xs = append(xs, x)`: in place if the flag says that nobody else holds the list.
        (Reg, Reg, Reg): AppendC AppendI AppendF;
        // The element of a list at an integer, C also the character of a text.
        (Reg, Reg, Reg): GetI GetF GetB GetC SetI SetF SetB SetC;
        // The same by a key that is a cell: also for maps and text.
        (Reg, Reg, Reg): GetKey GetKeyOrNull SetKey;
        (Reg, Reg): Len;
        // What a `for` goes over: a list as it is, the keys of a map, the characters of a text.
        (Reg, Reg): ToList;
        // Range hints: proved for a whole list, used in a loop. They are numbered within the frame.
        (Reg, Reg): MakeHint;
        (Reg, Reg, Reg): GetHintedI GetHintedF GetHintedC;
        // Records.
        (Reg, Reg, Reg, Idx): NewStruct GetField SetField;
        (Reg, Reg, Idx): GetNamed SetNamed IsShape;
        // Text. A part is between the integer in a register and that in the next.
        (Reg, Reg, Reg): Concat Substring;
        // All else.
        (ArithOp, Reg, Reg, Reg): Arith;
        // Whether the first is below the second, or equal if that is asked for.
        (bool, Reg, Reg, Reg): LessC;
        (Builtin, Reg, Reg, Reg): Builtin;
        (Reg, Reg, Reg): In Slice;
        (Reg, Reg): Truthy;
        (Reg, Reg, Idx): Cast;
        (Reg): Expect;
    }
    // To an instruction of the same function, which comes last.
    jumps {
        (u32): Jump;
        (Reg, u32): JumpIf JumpIfNot JNull JNotNull;
        (Reg, Reg, u32): JLtI JLeI JEqI JNeI JLtF JLeF JNotLtF JNotLeF JEqC JNeC;
        (Reg, i16, u32): JLtIK JLeIK JGtIK JGeIK JEqIK JNeIK;
        // Adds one to the first; jumps while it is below the second.
        (Reg, Reg, u32): ForLoop;
        // The beginning of a test; where to go on if it fails.
        (Idx, u32): TestBegin;
    }
    // A match that no pattern fits ends with the last.
    alone { TestPassed NoMatch }
}

const _: () = assert!(size_of::<Op>() == 8);

/// One function as code.
#[derive(Debug, Default)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) code: Vec<Op>,
    /// For each instruction, its place in the source.
    pub(crate) positions: Vec<u32>,
    /// How many arguments it takes, if it is called as a value.
    pub(crate) arity: usize,
    /// How many registers of each bank it uses: i, f, c; and hints.
    pub(crate) frame_size: [u16; 4],
}

/// All that is compiled: grows with every input of the prompt.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) functions: Vec<Rc<Function>>,
    /// Texts, and names of fields that are looked up at run time.
    pub(crate) constants: Vec<String>,
    /// Integers, and floats by their bits.
    pub(crate) numbers: Vec<i64>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) types: Vec<crate::types::Type>,
    /// How many globals there are in each bank: i, f, c.
    pub(crate) globals: [usize; 3],
}

impl Program {
    pub(crate) fn listing(&self) -> String {
        let mut text = String::new();
        for (n, function) in self.functions.iter().enumerate() {
            let [i, f, c, h] = function.frame_size;
            let _ =
                writeln!(text, "function {n} {:?}: {i} i, {f} f, {c} c, {h} hints", function.name);
            for (pc, op) in function.code.iter().enumerate() {
                let annotation = self
                    .annotation(*op)
                    .map_or(String::new(), |annotation| format!("; {annotation}"));
                let line = format!("{pc:>5}  {:<28} {annotation}", format!("{op:?}"));
                let _ = writeln!(text, "{}", line.trim_end());
            }
            text.push('\n');
        }
        text
    }
    /// What an instruction names by a number.
    fn annotation(&self, op: Op) -> Option<String> {
        Some(match op {
            Op::ConstC(_, k) | Op::GetNamed(_, _, k) | Op::SetNamed(_, _, k) => {
                format!("{:?}", self.constants.get(usize::from(k))?)
            }
            Op::ConstF(_, k) => {
                f64::from_bits(*self.numbers.get(usize::from(k))? as u64).to_string()
            }
            Op::ConstI(_, k) => self.numbers.get(usize::from(k))?.to_string(),
            Op::Call(f, ..) | Op::Closure(_, _, _, f) => {
                self.functions.get(usize::from(f))?.name.clone()
            }
            Op::NewStruct(_, _, _, s)
            | Op::GetField(_, _, _, s)
            | Op::SetField(_, _, _, s)
            | Op::IsShape(_, _, s) => self.shapes.get(usize::from(s))?.name.clone(),
            _ => return None,
        })
    }
}
