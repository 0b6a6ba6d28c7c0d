//! The bytecode: instructions of 8 bytes over three banks of registers.
//!
//! A register is named by one byte. What bank it is of follows from the instruction: `i` for 64-bit
//! integers and truth values, `f` for doubles, `c` for cells. Arithmetic on numbers whose types are
//! known never touches the envelope of a cell.

use std::fmt::Write;
use std::rc::Rc;

use crate::builtins::Builtin;
use crate::types::Shape;

/// A register.
pub(crate) type Reg = u8;
/// An index into a table of the program: constants, names, shapes, functions.
pub(crate) type Idx = u16;

/// An operation on two values whose types are only known at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnyOp {
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

/// A comparison of two values whose types are only known at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Lt,
    Le,
}

/// The target comes first, then what is read. Letters say the bank: `i`, `f`, `c`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    // Constants and moves.
    LoadI(Reg, i32),
    WideI(Reg, Idx),
    LoadF(Reg, Idx),
    Const(Reg, Idx),
    Null(Reg),
    MoveI(Reg, Reg),
    MoveF(Reg, Reg),
    MoveC(Reg, Reg),
    // Integers.
    AddI(Reg, Reg, Reg),
    SubI(Reg, Reg, Reg),
    MulI(Reg, Reg, Reg),
    DivI(Reg, Reg, Reg),
    ModI(Reg, Reg, Reg),
    AddIK(Reg, Reg, i16),
    MulIK(Reg, Reg, i16),
    DivIK(Reg, Reg, i16),
    ModIK(Reg, Reg, i16),
    NegI(Reg, Reg),
    // Floats.
    AddF(Reg, Reg, Reg),
    SubF(Reg, Reg, Reg),
    MulF(Reg, Reg, Reg),
    DivF(Reg, Reg, Reg),
    ModF(Reg, Reg, Reg),
    PowF(Reg, Reg, Reg),
    NegF(Reg, Reg),
    SqrtF(Reg, Reg),
    FloatOf(Reg, Reg),
    IntOf(Reg, Reg),
    EqF(Reg, Reg, Reg),
    // Jumps: to an instruction of the same function.
    Jump(u32),
    JumpIf(Reg, u32),
    JumpIfNot(Reg, u32),
    JLtI(Reg, Reg, u32),
    JLeI(Reg, Reg, u32),
    JEqI(Reg, Reg, u32),
    JNeI(Reg, Reg, u32),
    JLtIK(Reg, i16, u32),
    JLeIK(Reg, i16, u32),
    JGtIK(Reg, i16, u32),
    JGeIK(Reg, i16, u32),
    JEqIK(Reg, i16, u32),
    JNeIK(Reg, i16, u32),
    JLtF(Reg, Reg, u32),
    JLeF(Reg, Reg, u32),
    JNotLtF(Reg, Reg, u32),
    JNotLeF(Reg, Reg, u32),
    JEqC(Reg, Reg, u32),
    JNeC(Reg, Reg, u32),
    JNull(Reg, u32),
    JNotNull(Reg, u32),
    /// Adds one to the first; jumps while it is below the second.
    Loop(Reg, Reg, u32),
    // Between the banks.
    BoxI(Reg, Reg),
    BoxF(Reg, Reg),
    BoxB(Reg, Reg),
    UnboxI(Reg, Reg),
    UnboxF(Reg, Reg),
    UnboxB(Reg, Reg),
    // Globals.
    GetGI(Reg, Idx),
    GetGF(Reg, Idx),
    GetGC(Reg, Idx),
    SetGI(Idx, Reg),
    SetGF(Idx, Reg),
    SetGC(Idx, Reg),
    // Calls. The windows of the callee begin at these registers; its result is in the first.
    Call(Idx, Reg, Reg, Reg),
    /// Calls the closure in a register; the arguments, so many, are in those behind it.
    CallV(Reg, Reg),
    RetI(Reg),
    RetF(Reg),
    RetC(Reg),
    // Closures and the variables that they share.
    Closure(Reg, Reg, Reg, Idx),
    Up(Reg, Reg),
    NewBox(Reg, Reg),
    GetBox(Reg, Reg),
    SetBox(Reg, Reg),
    // Lists and arrays: a target, the first of the elements, their number.
    NewList(Reg, Reg, Reg),
    NewI(Reg, Reg, Reg),
    NewF(Reg, Reg, Reg),
    PushC(Reg, Reg),
    PushI(Reg, Reg),
    PushF(Reg, Reg),
    /// `xs = append(xs, x)`: in place if the flag says that nobody else holds the list.
    AppendC(Reg, Reg, Reg),
    AppendI(Reg, Reg, Reg),
    AppendF(Reg, Reg, Reg),
    /// The element of a list at an integer.
    GetI(Reg, Reg, Reg),
    GetF(Reg, Reg, Reg),
    GetB(Reg, Reg, Reg),
    GetC(Reg, Reg, Reg),
    SetI(Reg, Reg, Reg),
    SetF(Reg, Reg, Reg),
    SetB(Reg, Reg, Reg),
    SetC(Reg, Reg, Reg),
    /// The same by a key that is a cell: also for maps and text.
    Get(Reg, Reg, Reg),
    GetOrNull(Reg, Reg, Reg),
    Set(Reg, Reg, Reg),
    Len(Reg, Reg),
    /// What a `for` goes over: a list as it is, the keys of a map, the characters of a text.
    Iter(Reg, Reg),
    // Range hints: proved for a whole list, used in a loop. They are numbered within the frame.
    Hint(Reg, Reg),
    HintI(Reg, Reg, Reg),
    HintF(Reg, Reg, Reg),
    HintC(Reg, Reg, Reg),
    // Maps and records.
    NewMap(Reg, Reg, Reg),
    NewStruct(Reg, Reg, Reg, Idx),
    GetField(Reg, Reg, Reg, Idx),
    SetField(Reg, Reg, Reg, Idx),
    GetName(Reg, Reg, Idx),
    SetName(Reg, Reg, Idx),
    IsShape(Reg, Reg, Idx),
    // Text.
    Concat(Reg, Reg, Reg),
    TextAt(Reg, Reg, Reg),
    /// The part of a text between the integer in a register and that in the next.
    SubText(Reg, Reg, Reg),
    // All else.
    Any(AnyOp, Reg, Reg, Reg),
    NegAny(Reg, Reg),
    CmpC(Compare, Reg, Reg, Reg),
    Truthy(Reg, Reg),
    In(Reg, Reg, Reg),
    Slice(Reg, Reg, Reg),
    Cast(Reg, Reg, Idx),
    Builtin(Builtin, Reg, Reg, Reg),
    Print(Reg, Reg),
    Expect(Reg),
    /// The beginning of a test; where to go on if it fails.
    Test(Idx, u32),
    Passed,
    /// A match that no pattern fits.
    NoMatch,
}

const _: () = assert!(size_of::<Op>() == 8);

impl Op {
    /// Where the instruction may jump to.
    pub(crate) fn target(&mut self) -> Option<&mut u32> {
        match self {
            Op::Jump(to)
            | Op::JumpIf(_, to)
            | Op::JumpIfNot(_, to)
            | Op::JLtI(_, _, to)
            | Op::JLeI(_, _, to)
            | Op::JEqI(_, _, to)
            | Op::JNeI(_, _, to)
            | Op::JLtIK(_, _, to)
            | Op::JLeIK(_, _, to)
            | Op::JGtIK(_, _, to)
            | Op::JGeIK(_, _, to)
            | Op::JEqIK(_, _, to)
            | Op::JNeIK(_, _, to)
            | Op::JLtF(_, _, to)
            | Op::JLeF(_, _, to)
            | Op::JNotLtF(_, _, to)
            | Op::JNotLeF(_, _, to)
            | Op::JEqC(_, _, to)
            | Op::JNeC(_, _, to)
            | Op::JNull(_, to)
            | Op::JNotNull(_, to)
            | Op::Loop(_, _, to)
            | Op::Test(_, to) => Some(to),
            _ => None,
        }
    }
}

/// One function as code.
#[derive(Debug, Default)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) code: Vec<Op>,
    /// For each instruction, its place in the source.
    pub(crate) places: Vec<u32>,
    /// How many arguments it takes, if it is called as a value.
    pub(crate) arity: usize,
    /// How many registers of each bank it uses: i, f, c; and hints.
    pub(crate) frame: [u16; 4],
}

/// All that is compiled: grows with every input of the prompt.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) functions: Vec<Rc<Function>>,
    /// Texts.
    pub(crate) constants: Vec<String>,
    pub(crate) ints: Vec<i64>,
    pub(crate) floats: Vec<f64>,
    pub(crate) names: Vec<String>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) types: Vec<crate::types::Type>,
    /// How many globals there are in each bank: i, f, c.
    pub(crate) globals: [usize; 3],
}

impl Program {
    /// The bytecode as text.
    pub(crate) fn listing(&self) -> String {
        let mut text = String::new();
        for (n, function) in self.functions.iter().enumerate() {
            let [i, f, c, h] = function.frame;
            let _ =
                writeln!(text, "function {n} {:?}: {i} i, {f} f, {c} c, {h} hints", function.name);
            for (pc, op) in function.code.iter().enumerate() {
                let note = match *op {
                    Op::Const(_, k) => {
                        self.constants.get(usize::from(k)).map(|constant| format!("{constant:?}"))
                    }
                    Op::LoadF(_, k) => {
                        self.floats.get(usize::from(k)).map(|float| format!("{float}"))
                    }
                    Op::WideI(_, k) => self.ints.get(usize::from(k)).map(|int| format!("{int}")),
                    Op::Call(f, ..) | Op::Closure(_, _, _, f) => {
                        self.functions.get(usize::from(f)).map(|callee| callee.name.clone())
                    }
                    Op::GetName(_, _, n) | Op::SetName(_, _, n) => {
                        self.names.get(usize::from(n)).cloned()
                    }
                    Op::NewStruct(_, _, _, s)
                    | Op::GetField(_, _, _, s)
                    | Op::SetField(_, _, _, s)
                    | Op::IsShape(_, _, s) => {
                        self.shapes.get(usize::from(s)).map(|shape| shape.name.clone())
                    }
                    _ => None,
                };
                let op = format!("{op:?}");
                let _ = match note {
                    Some(note) => writeln!(text, "{pc:>5}  {op:<28} ; {note}"),
                    None => writeln!(text, "{pc:>5}  {op}"),
                };
            }
            text.push('\n');
        }
        text
    }
}
