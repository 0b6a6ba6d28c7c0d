//! The index of a join: a map from keys to lists of elements.

use segheap::{Cell, List, Map};

use crate::values::*;

/// The key of an index for a value. Values that are equal have the same one: all numbers that are the
/// same float, and all values that have parts.
fn index_key(cx: &Context, value: Cell) -> Cell {
    if let Some(number) = as_number(cx, value) {
        // The zeros are equal.
        return Cell::float(number + 0.0);
    }
    if is_plain_key(value) { value } else { Cell::NULL }
}

/// Adds an element to the index.
pub(super) fn index_add(cx: &mut Context, index: Cell, value: Cell, item: Cell) -> Outcome<Cell> {
    let key = index_key(cx, value);
    let found = cx.get::<Map>(index)?.get(key)?;
    let items = match found {
        Some(items) => items,
        None => {
            let items = alloc_list(cx, &[])?;
            cx.get_mut::<Map>(index)?.insert(key, items)?;
            items
        }
    };
    cx.get_mut::<List>(items)?.push(item)?;
    Ok(Cell::NULL)
}

/// The elements that may have a key, in their order.
pub(super) fn index_get(cx: &mut Context, index: Cell, value: Cell) -> Outcome<Cell> {
    let key = index_key(cx, value);
    let found = cx.get::<Map>(index)?.get(key)?;
    found.map_or_else(|| alloc_list(cx, &[]), Ok)
}
