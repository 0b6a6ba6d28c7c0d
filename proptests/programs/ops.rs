//! The operations of random programs, and the strategies that generate them.

use proptest::prelude::*;
use segheap::Cell;

use crate::support::{float_bits, immediate, index, integer, text};

/// A value to store or to read.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    Immediate(Cell),
    /// Any handle that an allocation returned.
    Any(usize),
    /// A live handle.
    Live(usize),
}

/// The object that an operation is applied to: mostly a live object of the right
/// kind, sometimes a freed one, sometimes an arbitrary cell.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    Live(usize),
    Freed(usize),
    Arbitrary(Operand),
}

/// A part of a concatenation.
#[derive(Clone, Debug)]
pub enum Part {
    Whole(Operand),
    Range(Operand, usize, usize),
    Str(String),
}

#[derive(Clone, Copy, Debug)]
pub enum SetAlgebra {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy, Debug)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

/// An operation of a program.
#[derive(Clone, Debug)]
pub enum Op {
    // Allocate and free.
    NewStr(String),
    NewString(String),
    NewList(Vec<Operand>),
    NewMap(usize),
    NewSet(usize),
    NewStruct(u32, Vec<Operand>),
    NewClosure(u32, Vec<Operand>),
    NewBignum(bool, Vec<u64>),
    NewInt(i64),
    NewBytes(Vec<u8>),
    NewPair(Operand, Operand),
    NewF64Arr(Vec<u64>),
    NewI64Arr(Vec<i64>),
    NewU8Arr(Vec<u8>),
    Free(Operand),
    Clear,
    // Read or write one object.
    ListPush(Target, Operand),
    ListPop(Target),
    ListSet(Target, usize, Operand),
    ListInsert(Target, usize, Operand),
    ListRemove(Target, usize),
    ListExtend(Target, Vec<Operand>),
    StructSet(Target, usize, Operand),
    ClosureSet(Target, usize, Operand),
    PairSet(Target, usize, Operand),
    MapInsert(Target, Operand, Operand),
    MapRemove(Target, Operand),
    MapRemoveNth(Target, usize),
    MapClear(Target),
    MapGet(Target, Operand),
    SetInsert(Target, Operand),
    SetRemove(Target, Operand),
    BytesExtend(Target, Vec<u8>),
    F64ArrResize(Target, usize, u64),
    I64ArrPush(Target, i64),
    // Use several objects.
    Concat(Vec<Part>),
    Sort(Target, Option<usize>),
    SetAlgebra(SetAlgebra, Target, Target),
    Arithmetic(Arithmetic, Operand, Operand),
    DeepEq(Operand, Operand),
    KeyEq(Operand, Operand),
    Display(Operand, usize),
    SwapWindows((Target, usize, usize), (Target, usize, usize)),
    UpdateWindows(Target, Target, Target),
}

pub fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![
        3 => immediate().prop_map(Operand::Immediate),
        1 => any::<usize>().prop_map(Operand::Any),
        4 => any::<usize>().prop_map(Operand::Live),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        12 => any::<usize>().prop_map(Target::Live),
        1 => any::<usize>().prop_map(Target::Freed),
        1 => operand().prop_map(Target::Arbitrary),
    ]
}

/// Operations that allocate an object.
fn allocations() -> BoxedStrategy<Op> {
    let operands = || prop::collection::vec(operand(), 0..8);
    let limbs = prop::collection::vec(prop_oneof![any::<u64>(), 0_u64..3], 0..4);
    prop_oneof![
        text().prop_map(Op::NewStr),
        text().prop_map(Op::NewString),
        operands().prop_map(Op::NewList),
        operands().prop_map(Op::NewList),
        (0_usize..9).prop_map(Op::NewMap),
        (0_usize..9).prop_map(Op::NewSet),
        (any::<u32>(), operands()).prop_map(|(shape, operands)| Op::NewStruct(shape, operands)),
        (0_u32..2, operands()).prop_map(|(function, operands)| Op::NewClosure(function, operands)),
        (any::<bool>(), limbs).prop_map(|(negative, limbs)| Op::NewBignum(negative, limbs)),
        integer().prop_map(Op::NewInt),
        prop::collection::vec(any::<u8>(), 0..30).prop_map(Op::NewBytes),
        (operand(), operand()).prop_map(|(first, second)| Op::NewPair(first, second)),
        prop::collection::vec(float_bits(), 0..6).prop_map(Op::NewF64Arr),
        prop::collection::vec(integer(), 0..6).prop_map(Op::NewI64Arr),
        prop::collection::vec(any::<u8>(), 0..30).prop_map(Op::NewU8Arr),
    ]
    .boxed()
}

/// Operations on one object.
fn accesses() -> BoxedStrategy<Op> {
    prop_oneof![
        3 => (target(), operand()).prop_map(|(t, v)| Op::ListPush(t, v)),
        1 => target().prop_map(Op::ListPop),
        2 => (target(), index(), operand()).prop_map(|(t, n, v)| Op::ListSet(t, n, v)),
        1 => (target(), index(), operand()).prop_map(|(t, n, v)| Op::ListInsert(t, n, v)),
        1 => (target(), index()).prop_map(|(t, n)| Op::ListRemove(t, n)),
        2 => (target(), prop::collection::vec(operand(), 0..20)).prop_map(|(t, v)| Op::ListExtend(t, v)),
        1 => (target(), index(), operand()).prop_map(|(t, n, v)| Op::StructSet(t, n, v)),
        1 => (target(), index(), operand()).prop_map(|(t, n, v)| Op::ClosureSet(t, n, v)),
        1 => (target(), 0_usize..3, operand()).prop_map(|(t, n, v)| Op::PairSet(t, n, v)),
        6 => (target(), operand(), operand()).prop_map(|(t, k, v)| Op::MapInsert(t, k, v)),
        2 => (target(), operand()).prop_map(|(t, k)| Op::MapRemove(t, k)),
        1 => (target(), index()).prop_map(|(t, n)| Op::MapRemoveNth(t, n)),
        1 => target().prop_map(Op::MapClear),
        2 => (target(), operand()).prop_map(|(t, k)| Op::MapGet(t, k)),
        5 => (target(), operand()).prop_map(|(t, v)| Op::SetInsert(t, v)),
        2 => (target(), operand()).prop_map(|(t, v)| Op::SetRemove(t, v)),
        1 => (target(), prop::collection::vec(any::<u8>(), 0..90))
            .prop_map(|(t, bytes)| Op::BytesExtend(t, bytes)),
        1 => (target(), 0_usize..90, float_bits()).prop_map(|(t, n, x)| Op::F64ArrResize(t, n, x)),
        2 => (target(), integer()).prop_map(|(t, int)| Op::I64ArrPush(t, int)),
    ]
    .boxed()
}

/// Operations on several objects.
fn combinations() -> BoxedStrategy<Op> {
    let part = prop_oneof![
        2 => operand().prop_map(Part::Whole),
        1 => (operand(), 0_usize..9, 0_usize..14).prop_map(|(v, from, to)| Part::Range(v, from, to)),
        1 => text().prop_map(Part::Str),
    ];
    let algebra = prop_oneof![
        Just(SetAlgebra::Union),
        Just(SetAlgebra::Intersection),
        Just(SetAlgebra::Difference)
    ];
    let arithmetic = prop_oneof![
        Just(Arithmetic::Add),
        Just(Arithmetic::Sub),
        Just(Arithmetic::Mul),
        Just(Arithmetic::Div),
        Just(Arithmetic::Rem)
    ];
    let window = || (target(), 0_usize..5, 0_usize..8);
    let limit = prop_oneof![3 => Just(4096), 1 => 0_usize..60];
    prop_oneof![
        2 => prop::collection::vec(part, 0..4).prop_map(Op::Concat),
        2 => (target(), prop_oneof![4 => Just(None), 1 => (0_usize..6).prop_map(Some)])
            .prop_map(|(t, stop)| Op::Sort(t, stop)),
        2 => (algebra, target(), target()).prop_map(|(c, a, b)| Op::SetAlgebra(c, a, b)),
        2 => (arithmetic, operand(), operand()).prop_map(|(op, a, b)| Op::Arithmetic(op, a, b)),
        3 => (operand(), operand()).prop_map(|(a, b)| Op::DeepEq(a, b)),
        1 => (operand(), operand()).prop_map(|(a, b)| Op::KeyEq(a, b)),
        2 => (operand(), limit).prop_map(|(v, limit)| Op::Display(v, limit)),
        1 => (window(), window()).prop_map(|(a, b)| Op::SwapWindows(a, b)),
        1 => (target(), target(), target()).prop_map(|(a, b, c)| Op::UpdateWindows(a, b, c)),
    ]
    .boxed()
}

pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        40 => allocations(),
        60 => accesses(),
        35 => combinations(),
        8 => operand().prop_map(Op::Free),
        1 => Just(Op::Clear),
    ]
}
