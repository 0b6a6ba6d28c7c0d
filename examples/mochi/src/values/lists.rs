//! Lists of any kind: `List`, the arrays of numbers, and `Bytes`.

use segheap::{Cell, Heap, Kind, List, Map, Unpacked};

use super::*;
use crate::format::Fragment;

/// A Rust type that converts to and from cells: the elements of lists, the results of built-ins.
pub(crate) trait Native: Sized {
    fn to_cell(self, heap: &mut Heap) -> Outcome<Cell>;
    fn from_cell(heap: &Heap, cell: Cell) -> Outcome<Self>;
    /// Formats the value as an element of a list.
    fn fragment(self) -> Fragment;
}

macro_rules! native_types {
    ($($Type:ty: |$heap:pat_param, $value:ident| $to_cell:expr, $fragment:expr, $from_cell:expr;)*) => {$(
        impl Native for $Type {
            fn to_cell(self, heap: &mut Heap) -> Outcome<Cell> {
                let ($heap, $value) = (heap, self);
                Ok($to_cell)
            }

            fn from_cell(heap: &Heap, cell: Cell) -> Outcome<$Type> {
                $from_cell(heap, cell)
            }

            fn fragment(self) -> Fragment {
                let $value = self;
                $fragment
            }
        }
    )*};
}

native_types! {
    Cell: |_, it| it, Fragment::Value(it, false), |_, cell| Ok(cell);
    i64: |heap, it| heap.int(it)?, Fragment::Owned(it.to_string()), expect_int;
    f64: |_, it| Cell::float(it), Fragment::Value(Cell::float(it), false), expect_float;
    u8: |_, it| Cell::from(it), Fragment::Owned(it.to_string()), expect_byte;
    bool: |_, it| Cell::bool(it), Fragment::Value(Cell::bool(it), false), expect_bool;
    String: |heap, it| heap.string(&it)?, Fragment::Owned(it), expect_string;
}

/// Monomorphizes code for each kind of list. `$other` is the code for any other value.
macro_rules! dispatch_list {
    ($list:expr, $Kind:ident => $code:expr, $other:expr) => {
        dispatch_list!($list, $Kind => $code, $other; List LIST I64Arr I64ARR F64Arr F64ARR Bytes BYTES)
    };
    ($list:expr, $Kind:ident => $code:expr, $other:expr; $($Type:ident $KIND:ident)*) => {
        match $list.kind() {
            $(Some(Kind::$KIND) => {
                type $Kind = segheap::$Type;
                $code
            })*
            _ => $other,
        }
    };
}
pub(crate) use dispatch_list;

/// The number of elements of a container, of characters of a string, of digits of an integer.
pub(crate) fn len(heap: &Heap, cell: Cell) -> Outcome<usize> {
    let cell = unwrap_group(heap, cell);
    dispatch_list!(cell, K => Ok(heap.get::<K>(cell)?.len()), match cell.unpack() {
        Unpacked::Null => Ok(0),
        Unpacked::Object(Kind::MAP) => Ok(heap.get::<Map>(cell)?.len()),
        Unpacked::Object(Kind::BIGNUM) | Unpacked::Int(_) => Ok(decimal(heap, cell).len()),
        _ => match heap.text(cell) {
            Ok(text) if text.is_ascii() => Ok(text.len()),
            Ok(text) => Ok(text.chars().count()),
            Err(_) => trap(format!("a value of type `{}` has no length", type_name(heap, cell))),
        },
    })
}

/// Copies the elements out of the heap.
pub(crate) fn elements(heap: &mut Heap, list: Cell) -> Outcome<Vec<Cell>> {
    let list = unwrap_group(heap, list);
    dispatch_list!(list, K => {
        let items = heap.get::<K>(list)?.as_slice().to_vec();
        items.into_iter().map(|item| item.to_cell(heap)).collect()
    }, if list.is_null() { Ok(Vec::new()) } else { expected(heap, "list", list) })
}

pub(crate) fn alloc_list(heap: &mut Heap, cells: &[Cell]) -> Outcome<Cell> {
    Ok(heap.alloc(List::of(cells))?.into())
}

/// Checks an index. Negative ones count from the end.
pub(crate) fn resolve_index(index: i64, len: usize) -> Outcome<usize> {
    let from_end = if index < 0 { index + len as i64 } else { index };
    match usize::try_from(from_end) {
        Ok(index) if index < len => Ok(index),
        _ => trap(format!("index out of range [{index}] with length {len}")),
    }
}

pub(crate) fn set_element(heap: &mut Heap, list: Cell, index: i64, value: Cell) -> Outcome<()> {
    dispatch_list!(list, K => {
        let (at, item) = (resolve_index(index, len(heap, list)?)?, Native::from_cell(heap, value)?);
        Ok(heap.get_mut::<K>(list)?.set(at, item)?)
    }, trap(format!("cannot assign to an element of a `{}`", type_name(heap, list))))
}

/// A shallow copy, of the same kind.
pub(crate) fn copy_list(heap: &mut Heap, list: Cell) -> Outcome<Cell> {
    if let Some(kind) = list.kind().filter(|_| is_list(list)) {
        return Ok(heap.convert_across_any(kind, list, ..)?);
    }
    let cells = elements(heap, list)?;
    alloc_list(heap, &cells)
}

/// Makes room in a list for more elements, so that a limit refuses all of them at once.
pub(crate) fn reserve(heap: &mut Heap, list: Cell, additional: usize) -> Outcome<()> {
    dispatch_list!(list, K => Ok(heap.get_mut::<K>(list)?.reserve(additional)?), Ok(()))
}

/// The elements of two lists, as a new one; amortised O(elements of `y`) if they are of one kind.
pub(crate) fn concat_lists(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<Cell> {
    if x.kind() == y.kind() {
        dispatch_list!(x, K => return Ok(heap.append_all::<K>(x, y)?.into()), {});
    }
    let cells = [elements(heap, x)?, elements(heap, y)?].concat();
    alloc_list(heap, &cells)
}

/// Appends to a list, in place if that is the variable's own; else the old list stays as it is, in
/// amortised O(1) for the last one that was made of another so. Returns the list: a new `List` if an
/// array of numbers cannot hold the element.
pub(crate) fn append(heap: &mut Heap, list: Cell, value: Cell, owned: bool) -> Outcome<Cell> {
    let loses_type = list.kind() == Some(Kind::F64ARR) && value.as_float().is_none();
    dispatch_list!(list, K => match Native::from_cell(heap, value) {
        Ok(item) if !loses_type && owned => {
            heap.get_mut::<K>(list)?.push(item)?;
            return Ok(list);
        }
        Ok(item) if !loses_type => return Ok(heap.append::<K>(list, item)?.into()),
        Err(trap) if list.kind() == Some(Kind::BYTES) => return Err(trap),
        _ => {}
    }, {});
    let cells = [elements(heap, list)?, vec![value]].concat();
    alloc_list(heap, &cells)
}

/// Whether a list shares its block with others, so that a write to it copies it.
pub(crate) fn is_version(heap: &Heap, list: Cell) -> bool {
    heap.is_shared(list).unwrap_or(false)
}

/// Converts a temporary `List` to the kind of the list that its elements come from.
pub(crate) fn convert_like(heap: &mut Heap, list: Cell, source: Cell) -> Outcome<Cell> {
    let kind = source.kind().filter(|_| is_list(source)).unwrap_or(Kind::LIST);
    let converted = heap.convert_across_any(kind, list, ..)?;
    heap.free(list)?;
    Ok(converted)
}
