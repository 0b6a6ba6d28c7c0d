//! Instructions that are too long for the dispatch loop.

use std::rc::Rc;

use segheap::{Cell, Closure, F64Arr, Heap, I64Arr, Kind, List, TextPart};
use smallvec::SmallVec;

use super::Hint;
use crate::builtins::{optional_int, to_list};
use crate::bytecode::Function;
use crate::diagnostics::wrong_arity;
use crate::values::*;

/// The function index of a partial application: a closure that holds a function and its first
/// arguments.
const PARTIAL: u32 = u32::MAX;

/// Finds the function that the closure in the first cell calls, and lays out its arguments, which
/// follow. Returns `None` if there are too few: the closure becomes a partial application.
pub(super) fn resolve_callee(
    heap: &mut Heap,
    functions: &[Rc<Function>],
    cells: &mut [Cell],
    count: u8,
) -> Outcome<Option<u16>> {
    let mut count = usize::from(count);
    loop {
        let Ok(view) = heap.get::<Closure>(cells[0]) else {
            return trap(format!("cannot call a value of type `{}`", type_name(heap, cells[0])));
        };
        let function = view.function();
        if function == PARTIAL {
            // Insert the function and the arguments that the partial application holds.
            let kept = view.as_slice().to_vec();
            if count + kept.len() > cells.len() {
                return trap("too many arguments");
            }
            cells.copy_within(1..=count, kept.len());
            cells[..kept.len()].copy_from_slice(&kept);
            count += kept.len() - 1;
            continue;
        }
        let arity = functions.get(function as usize).map_or(0, |it| it.arity);
        if count == arity {
            return Ok(Some(function as u16));
        }
        if count > arity || count == 0 {
            return trap(wrong_arity("function", (arity, arity), count));
        }
        cells[0] = heap.alloc(Closure::of(PARTIAL, &cells[..=count]))?.into();
        return Ok(None);
    }
}

/// `xs = append(xs, x)` where the list is shared or of another kind than its static type suggests.
/// Returns the list, and whether the variable owns it: another append may work in place.
#[cold]
pub(super) fn append_slow(
    heap: &mut Heap,
    list: Cell,
    value: Cell,
    owned: bool,
) -> Outcome<(Cell, bool)> {
    let list = append(heap, list, value, owned)?;
    Ok((list, !is_version(heap, list)))
}

/// A field by its name, and its place in a struct, for the next access.
#[inline(never)]
pub(super) fn field_by_name(
    cx: &Context,
    base: Cell,
    name: Cell,
    place: &mut (u32, usize),
) -> Outcome<Cell> {
    *place = cx.field_place(base, name)?.unwrap_or(*place);
    cx.field(base, name)
}

/// Proves the hint for all elements of a list.
pub(super) fn make_hint(heap: &mut Heap, list: Cell) -> Outcome<Hint> {
    Ok(match list.kind() {
        Some(Kind::I64ARR) => Hint::Ints(heap.hint::<I64Arr>(list, ..)?),
        Some(Kind::F64ARR) => Hint::Floats(heap.hint::<F64Arr>(list, ..)?),
        _ => Hint::Cells(heap.hint::<List>(list, ..)?),
    })
}

/// Redeems a hint for a list of another kind than its static type suggests.
pub(super) fn get_hinted(heap: &mut Heap, hint: &mut Hint, index: i64) -> Outcome<Cell> {
    match hint {
        Hint::Ints(hint) => hint.get(heap, index as usize)?.to_cell(heap),
        Hint::Floats(hint) => hint.get(heap, index as usize)?.to_cell(heap),
        Hint::Cells(hint) => Ok(hint.get(heap, index as usize)?),
        Hint::None => trap("internal error: hint is not proved"),
    }
}

/// Concatenates strings and integers, which are formatted on the native stack. A long string with
/// short ones after it is likely to go on growing: it is continued, in amortised O(1).
pub(super) fn concat(heap: &mut Heap, parts: &[Cell]) -> Outcome<Cell> {
    let mut buffers = SmallVec::<[_; 4]>::from_elem(itoa::Buffer::new(), parts.len());
    let mut text_parts = SmallVec::<[TextPart<'_>; 4]>::new();
    for (&part, buffer) in parts.iter().zip(&mut buffers) {
        text_parts.push(match part.as_int() {
            Some(int) => TextPart::Str(buffer.format(int)),
            None if is_string(part) => TextPart::Whole(part),
            None => TextPart::Whole(heap.string(&decimal(heap, part))?),
        });
    }
    if let [text, rest @ ..] = parts
        && is_growing(heap, *text, rest)
    {
        let rest = heap.concat(&text_parts[1..])?;
        return Ok(heap.append_text(*text, rest)?);
    }
    Ok(heap.concat(&text_parts)?)
}

/// Whether a string in the arena is long, and what comes after it is not.
fn is_growing(heap: &Heap, text: Cell, rest: &[Cell]) -> bool {
    let len = |cell| heap.text(cell).map_or(0, |text| text.len());
    text.kind() == Some(Kind::STR)
        && len(text) >= 256
        && rest.iter().map(|&part| len(part)).sum::<usize>() < 64
}

/// A slice by start, end and step.
pub(super) fn slice_with_step(cx: &mut Context, base: Cell, bounds: &[Cell]) -> Outcome<Cell> {
    let start = optional_int(cx, bounds[0], 0)?;
    let end = optional_int(cx, bounds[1], i64::MAX)?;
    let slice = cx.slice(base, start, end)?;
    let step = match optional_int(cx, bounds[2], 1)? {
        0 => return trap("slice step cannot be zero"),
        1 => return Ok(slice),
        step => step,
    };
    let list = to_list(cx, slice)?;
    let mut cells = elements(cx, list)?;
    if step < 0 {
        cells.reverse();
    }
    let step = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    let kept: Vec<Cell> = cells.into_iter().step_by(step).collect();
    let list = cx.alloc(List::of(&kept))?;
    if is_string(slice) { Ok(cx.join(list, .., "")?) } else { convert_like(cx, list.into(), slice) }
}
