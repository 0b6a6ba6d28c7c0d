//! Built-ins on lists, maps and groups.

use std::cmp::Ordering;

use segheap::{Cell, Heap, I64Arr, Kind, List, Map, Pair, Struct};

use super::cast::to_object;
use crate::bytecode::ArithOp;
use crate::compile::GROUP;
use crate::interrupt;
use crate::values::*;

/// Integers of a range that are written between polls.
const CHUNK: usize = 4096;

/// A reversed copy of a list or a string.
pub(super) fn reversed(heap: &mut Heap, base: Cell) -> Outcome<Cell> {
    if is_string(base) {
        return expect_string(heap, base)?.chars().rev().collect::<String>().to_cell(heap);
    }
    let copy = copy_list(heap, base)?;
    dispatch_list!(copy, K => heap.get_mut::<K>(copy)?.reverse()?, {});
    Ok(copy)
}

/// The keys or the values of a map, as a list.
pub(super) fn entries(heap: &mut Heap, map: Cell, part: fn((Cell, Cell)) -> Cell) -> Outcome<Cell> {
    let Ok(view) = heap.get::<Map>(map) else { return expected(heap, "map", map) };
    let cells: Vec<Cell> = view.iter().map(part).collect();
    alloc_list(heap, &cells)
}

/// The list that a `for` iterates over.
pub(crate) fn to_list(heap: &mut Heap, cell: Cell) -> Outcome<Cell> {
    let cell = unwrap_group(heap, cell);
    match cell.kind() {
        _ if is_string(cell) => {
            let text = to_object(heap, cell)?.to_handle()?;
            Ok(heap.convert_chars(text, ..)?.into())
        }
        Some(Kind::BYTES) => Ok(heap.convert_across_any(Kind::I64ARR, cell, ..)?),
        Some(Kind::MAP) => entries(heap, cell, |(key, _)| key),
        _ if cell.is_null() => alloc_list(heap, &[]),
        _ if is_list(cell) => Ok(cell),
        _ => trap(format!("cannot iterate over a value of type `{}`", type_name(heap, cell))),
    }
}

/// The least or the greatest value: of a list, or of several arguments. Of equal ones the first.
pub(super) fn extremum(heap: &mut Heap, args: &[Cell], greatest: bool) -> Outcome<Cell> {
    let cells = if let [list] = args { elements(heap, *list)? } else { args.to_vec() };
    let mut best = cells.first().copied().unwrap_or(Cell::from(0));
    for cell in cells.into_iter().skip(1) {
        let (x, y) = if greatest { (best, cell) } else { (cell, best) };
        if less_than(heap, x, y, false)? {
            best = cell;
        }
    }
    Ok(best)
}

/// The integers from `start` on, before `end`. Memory for all of them is allocated first.
pub(super) fn range(heap: &mut Heap, start: i64, end: i64, step: i64) -> Outcome<Cell> {
    let (distance, stride) = (i128::from(end) - i128::from(start), i128::from(step));
    let count = match stride.signum() {
        0 => 0,
        sign => ((distance + stride - sign) / stride).max(0),
    };
    let list = heap.alloc(I64Arr::zeroed(usize::try_from(count).unwrap_or(usize::MAX)))?;
    let mut at = start;
    for chunk in heap.get_mut(list)?.as_mut_slice().chunks_mut(CHUNK) {
        interrupt::poll()?;
        for item in chunk {
            *item = at;
            at = at.wrapping_add(step);
        }
    }
    Ok(list.into())
}

pub(super) fn sum(heap: &mut Heap, list: Cell) -> Outcome<Cell> {
    if let Ok(ints) = heap.get::<I64Arr>(list) {
        let sum = ints.sum(..)?;
        return Ok(heap.int128(sum)?);
    }
    let mut cells = elements(heap, list)?.into_iter();
    cells.try_fold(Cell::from(0), |sum, cell| arithmetic(heap, ArithOp::Add, sum, cell))
}

/// Sorts a list of pairs by their first component, and replaces each with its second.
pub(super) fn sort_pairs(heap: &mut Heap, list: Cell) -> Outcome<Cell> {
    heap.sort_by(list.to_handle::<List>()?, |heap, a, b| -> Outcome<Ordering> {
        let (a, b) = (heap.get::<Pair>(a)?.first()?, heap.get::<Pair>(b)?.first()?);
        compare(heap, a, b)
    })?;
    for n in 0..len(heap, list)? {
        let pair = heap.get::<List>(list)?.get(n)?;
        let value = heap.get::<Pair>(pair)?.second()?;
        heap.get_mut::<List>(list)?.set(n, value)?;
        heap.free(pair)?;
    }
    Ok(list)
}

/// Adds an item to the group with this key, in a map of groups.
pub(super) fn group_add(cx: &mut Context, groups: Cell, key: Cell, item: Cell) -> Outcome<Cell> {
    let map_key = cx.map_key(key)?;
    let existing = cx.get::<Map>(groups)?.get(map_key)?;
    let group = match existing {
        Some(group) => group,
        None => {
            let items = alloc_list(cx, &[])?;
            let group = cx.alloc(Struct::of(u32::from(GROUP), &[key, items]))?.cell();
            cx.get_mut::<Map>(groups)?.insert(map_key, group)?;
            group
        }
    };
    let items = unwrap_group(cx, group);
    cx.get_mut::<List>(items)?.push(item)?;
    Ok(Cell::NULL)
}
