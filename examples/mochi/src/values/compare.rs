//! Arithmetic, equality and order.

use std::cmp::Ordering;
use std::collections::HashSet;

use segheap::{Cell, Error, Heap, Kind, Map, Struct, Unpacked};

use super::*;
use crate::bytecode::ArithOp;
use crate::interrupt;

/// Comparisons of composite values before a cycle is suspected.
const STEPS_BEFORE_CYCLE_CHECK: usize = 10_000;

/// An arithmetic operator on two values. With a null operand the result is null.
pub(crate) fn arithmetic(heap: &mut Heap, op: ArithOp, x: Cell, y: Cell) -> Outcome<Cell> {
    if is_int(x) && is_int(y) {
        return Ok(match op {
            ArithOp::Add => heap.add(x, y)?,
            ArithOp::Sub => heap.sub(x, y)?,
            ArithOp::Mul => heap.mul(x, y)?,
            ArithOp::Div => heap.div(x, y)?,
            _ => heap.rem(x, y)?,
        });
    }
    if let (Some(a), Some(b)) = (as_number(heap, x), as_number(heap, y)) {
        return Ok(Cell::float(match op {
            ArithOp::Add => a + b,
            ArithOp::Sub => a - b,
            ArithOp::Mul => a * b,
            _ if b == 0.0 => return Err(Error::DivisionByZero.into()),
            ArithOp::Div => a / b,
            _ => a % b,
        }));
    }
    match op {
        ArithOp::Add if is_string(x) && is_string(y) => Ok(heap.concat(&[x.into(), y.into()])?),
        ArithOp::Add if is_list(x) && is_list(y) => concat_lists(heap, x, y),
        _ if x.is_null() || y.is_null() => Ok(Cell::NULL),
        _ => {
            let (x, y) = (type_name(heap, x), type_name(heap, y));
            let operator = ["+", "-", "*", "/", "%"].get(op as usize).copied().unwrap_or_default();
            trap(format!("cannot apply `{operator}` to `{x}` and `{y}`"))
        }
    }
}

/// Structural equality.
#[inline(always)]
pub(crate) fn equal(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<bool> {
    // A string of up to five bytes is always inline in its cell: such strings are equal only if
    // their cells are.
    if x == y && x.as_float().is_none() {
        return Ok(true);
    }
    if x.as_short_str().is_some() && is_string(y) || x.as_int().is_some() && y.as_int().is_some() {
        return Ok(false);
    }
    Ok(partial_compare(heap, x, y)? == Some(Ordering::Equal))
}

/// The order of two values. Null is greatest. Fails if their types have no order.
pub(crate) fn compare(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<Ordering> {
    match partial_compare(heap, x, y)? {
        Some(order) if x.kind() != Some(Kind::STRUCT) => Ok(order),
        _ => {
            let (x, y) = (type_name(heap, x), type_name(heap, y));
            trap(format!("cannot compare `{x}` with `{y}`"))
        }
    }
}

/// Compares two values lexicographically. Returns `None` if the first components that differ have
/// types without an order. Works off a list of pairs, so that deep values need no stack.
fn partial_compare(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<Option<Ordering>> {
    let mut work = vec![(x, y)];
    let (mut steps, mut seen) = (0_usize, HashSet::new());
    while let Some((x, y)) = work.pop() {
        interrupt::poll()?;
        steps += 1;
        let order = match (x.unpack(), y.unpack()) {
            (Unpacked::Int(x), Unpacked::Int(y)) => x.cmp(&y),
            (Unpacked::Bool(x), Unpacked::Bool(y)) => x.cmp(&y),
            _ if x == y && x.as_float().is_none() => Ordering::Equal,
            _ if x.is_null() || y.is_null() => x.is_null().cmp(&y.is_null()),
            _ if is_string(x) && is_string(y) => (**heap.text(x)?).cmp(&**heap.text(y)?),
            _ if is_int(x) && is_int(y) => heap.cmp_int(x, y)?,
            _ => match (as_number(heap, x), as_number(heap, y)) {
                (Some(x), Some(y)) => x.partial_cmp(&y).unwrap_or(Ordering::Less),
                // Cyclic values: a pair that was visited counts as equal.
                _ if steps > STEPS_BEFORE_CYCLE_CHECK && !seen.insert((x, y)) => Ordering::Equal,
                _ => {
                    let (Some(x), Some(y)) = (components(heap, x, y)?, components(heap, y, x)?)
                    else {
                        return Ok(None);
                    };
                    work.push((Cell::from(x.len() as u32), Cell::from(y.len() as u32)));
                    work.extend(x.into_iter().zip(y).rev());
                    Ordering::Equal
                }
            },
        };
        if order.is_ne() {
            return Ok(Some(order));
        }
    }
    Ok(Some(Ordering::Equal))
}

/// The components that two values of the same container type are compared by. Those of a map are
/// its entries in the order of their keys.
fn components(heap: &mut Heap, x: Cell, other: Cell) -> Outcome<Option<Vec<Cell>>> {
    if is_list(x) && is_list(other) {
        return elements(heap, x).map(Some);
    }
    if let (Ok(x), Ok(other)) = (heap.get::<Struct>(x), heap.get::<Struct>(other)) {
        return Ok((x.shape() == other.shape()).then(|| x.as_slice().to_vec()));
    }
    let (Ok(map), Some(Kind::MAP)) = (heap.get::<Map>(x), other.kind()) else { return Ok(None) };
    let mut entries: Vec<_> = map.iter().collect();
    let text = |key: Cell| heap.display(key).quoted().limit(usize::MAX).to_string();
    entries.sort_by_cached_key(|&(key, _)| text(key));
    Ok(Some(entries.into_iter().flat_map(|(key, value)| [key, value]).collect()))
}

/// `<`, or `<=` if `or_equal` is set. False if an operand is null or NaN.
pub(crate) fn less_than(heap: &mut Heap, x: Cell, y: Cell, or_equal: bool) -> Outcome<bool> {
    if [x, y].iter().any(|it| it.is_null() || it.as_float().is_some_and(f64::is_nan)) {
        return Ok(false);
    }
    let order = compare(heap, x, y)?;
    Ok(order.is_lt() || or_equal && order.is_eq())
}
