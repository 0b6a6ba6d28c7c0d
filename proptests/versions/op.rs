//! Operations on versions of a sequence: each takes those that its numbers choose.

use proptest::prelude::*;

/// An operation; versions and places are taken modulo their numbers.
#[derive(Clone, Debug)]
pub enum Op {
    New(usize),
    Append(usize, u8),
    AppendMany(usize, u8, usize),
    AppendAll(usize, usize),
    Set(usize, usize, u8),
    SetElement(usize, usize, u8),
    Push(usize, u8),
    PushMany(usize, u8, usize),
    Pop(usize),
    Remove(usize, usize, usize),
    Truncate(usize, usize),
    Resize(usize, usize, u8),
    Reverse(usize),
    Windows(usize, usize),
    Hint(usize, usize, u8),
    StaleHint(usize, usize, u8),
    Across(usize, usize),
    ShrinkToFit(usize),
    Reserve(usize, usize),
    SplitOff(usize, usize),
    Freeze(usize),
    Value(usize),
    Free(usize),
    Collect(u64),
    Young(u64),
    Steps(u64, u64),
    Compact,
    CompactStep(u64),
    Fork,
    Image,
    Transplant(usize),
    Refuse(u64),
}

pub fn op() -> impl Strategy<Value = Op> {
    let (i, at, n) = (0..64_usize, 0..40_usize, any::<u8>());
    let many = prop_oneof![4 => 0..5_usize, 2 => 0..40_usize, 1 => 0..6_000_usize];
    prop_oneof![
        2 => at.clone().prop_map(Op::New),
        14 => (i.clone(), n).prop_map(|(i, n)| Op::Append(i, n)),
        8 => (i.clone(), n, many.clone()).prop_map(|(i, n, m)| Op::AppendMany(i, n, m)),
        4 => (i.clone(), i.clone()).prop_map(|(i, j)| Op::AppendAll(i, j)),
        2 => (i.clone(), at.clone(), n).prop_map(|(i, at, n)| Op::Set(i, at, n)),
        2 => (i.clone(), at.clone(), n).prop_map(|(i, at, n)| Op::SetElement(i, at, n)),
        3 => (i.clone(), n).prop_map(|(i, n)| Op::Push(i, n)),
        1 => (i.clone(), n, many).prop_map(|(i, n, m)| Op::PushMany(i, n, m)),
        2 => i.clone().prop_map(Op::Pop),
        2 => (i.clone(), at.clone(), at.clone()).prop_map(|(i, at, m)| Op::Remove(i, at, m)),
        2 => (i.clone(), at.clone()).prop_map(|(i, at)| Op::Truncate(i, at)),
        1 => (i.clone(), at.clone(), n).prop_map(|(i, m, n)| Op::Resize(i, m, n)),
        1 => i.clone().prop_map(Op::Reverse),
        2 => (i.clone(), i.clone()).prop_map(|(i, j)| Op::Windows(i, j)),
        1 => (i.clone(), at.clone(), n).prop_map(|(i, at, n)| Op::Hint(i, at, n)),
        2 => (i.clone(), at.clone(), n).prop_map(|(i, at, n)| Op::StaleHint(i, at, n)),
        1 => (i.clone(), i.clone()).prop_map(|(i, j)| Op::Across(i, j)),
        1 => i.clone().prop_map(Op::ShrinkToFit),
        1 => (i.clone(), at.clone()).prop_map(|(i, m)| Op::Reserve(i, m)),
        1 => (i.clone(), at.clone()).prop_map(|(i, at)| Op::SplitOff(i, at)),
        1 => i.clone().prop_map(Op::Freeze),
        1 => i.clone().prop_map(Op::Value),
        4 => i.clone().prop_map(Op::Free),
        1 => any::<u64>().prop_map(Op::Collect),
        1 => any::<u64>().prop_map(Op::Young),
        2 => (any::<u64>(), 1..200_u64).prop_map(|(keep, work)| Op::Steps(keep, work)),
        2 => Just(Op::Compact),
        6 => (0..2_000_u64).prop_map(Op::CompactStep),
        1 => Just(Op::Fork),
        1 => Just(Op::Image),
        1 => i.prop_map(Op::Transplant),
        3 => (0..6_u64).prop_map(Op::Refuse),
    ]
}
