//! Bulk copies between sequences against a reference that copies one element at a
//! time. The whole heap is compared before and after.

mod op;
mod recipe;
mod routes;
mod snapshot;
mod source;
mod text;

use core::ops::{Bound, Range};

use segheap::{Cell, Error, Kind, Unpacked, abi};

pub use recipe::{Copy, copy, run};

type Bounds = (Bound<usize>, Bound<usize>);
const ALL: Bounds = (Bound::Unbounded, Bound::Unbounded);

/// The kinds with routes.
const KINDS: [Kind; 6] =
    [Kind::STR, Kind::BYTES, Kind::U8ARR, Kind::I64ARR, Kind::F64ARR, Kind::LIST];

/// The documented table of routes, by source and target: `y` is a route, `n` is a route
/// to new objects only.
const ROUTES: [&[u8; 6]; 6] = [b"nyy---", b"nyyy-y", b"nyyyyy", b"-yyyyy", b"--yyyy", b"-yyyyy"];

/// The forms of a bulk copy: `copy_across`, `append_across` and `convert_across`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Overwrite,
    Append,
    Convert,
}
use Form::{Append, Convert, Overwrite};
const FORMS: [Form; 3] = [Overwrite, Append, Convert];

fn has_route(from: Kind, to: Kind, form: Form) -> bool {
    let index = |kind| KINDS.iter().position(|&other| other == kind);
    let (Some(from), Some(to)) = (index(from), index(to)) else { return false };
    match ROUTES[from][to] {
        b'y' => true,
        b'n' => form == Convert,
        _ => false,
    }
}

fn routes() -> impl Iterator<Item = (Kind, Kind, Form)> {
    let pairs = KINDS.into_iter().flat_map(|from| KINDS.into_iter().map(move |to| (from, to)));
    let all = pairs.flat_map(|(from, to)| FORMS.into_iter().map(move |form| (from, to, form)));
    all.filter(|&(from, to, form)| has_route(from, to, form))
}

fn is_bytes(kind: Kind) -> bool {
    [Kind::STR, Kind::BYTES, Kind::U8ARR].contains(&kind)
}

/// An element. Floats are compared by their bits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Element {
    Byte(u8),
    Int(i64),
    Float(u64),
    Cell(Cell),
}
use Element::{Byte, Float, Int};

fn int_cell(int: i64) -> Cell {
    abi::cell(0xFFFA << 48 | int.cast_unsigned() & 0xFFFF_FFFF_FFFF).unwrap()
}

/// Converts an element to the type of kind `to`, if the conversion is exact.
fn converted(element: Element, to: Kind) -> Option<Element> {
    let float = |value: f64| Some(Float(value.to_bits()));
    let byte = |value: i128| u8::try_from(value).ok().map(Byte);
    match (element, to) {
        (Byte(value), Kind::I64ARR) => Some(Int(value.into())),
        (Byte(value), Kind::F64ARR) => float(value.into()),
        (Byte(value), Kind::LIST) => Some(Element::Cell(int_cell(value.into()))),
        (Byte(_), _) => Some(element),
        (Int(_), Kind::I64ARR) => Some(element),
        (Int(value), Kind::F64ARR) => {
            (value as f64 as i128 == i128::from(value)).then_some(Float((value as f64).to_bits()))
        }
        (Int(value), Kind::LIST) => (-140_737_488_355_328..=140_737_488_355_327)
            .contains(&value)
            .then(|| Element::Cell(int_cell(value))),
        (Int(value), _) => byte(value.into()),
        (Float(_), Kind::F64ARR) => Some(element),
        (Float(bits), Kind::LIST) => {
            let nan = f64::from_bits(bits).is_nan();
            abi::cell(if nan { 0x7FF8 << 48 } else { bits }).map(Element::Cell)
        }
        (Float(bits), _) => {
            let value = f64::from_bits(bits);
            if !value.is_finite() || value.fract() != 0.0 || value.abs() > 2_f64.powi(63) {
                return None;
            }
            let value = value as i128;
            if to == Kind::I64ARR { i64::try_from(value).ok().map(Int) } else { byte(value) }
        }
        (Element::Cell(_), Kind::LIST) => Some(element),
        (Element::Cell(cell), _) => match (cell.unpack(), to) {
            (Unpacked::Int(value), Kind::I64ARR) => Some(Int(value)),
            (Unpacked::Int(value), Kind::F64ARR) => float(value as f64),
            (Unpacked::Float(value), Kind::F64ARR) => float(value),
            (Unpacked::Int(value), _) => byte(value.into()),
            _ => None,
        },
    }
}

/// The start of a range, and its end unless it is unbounded.
fn ends((start, end): Bounds) -> (usize, Option<usize>) {
    let start = match start {
        Bound::Included(start) => start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    match end {
        Bound::Included(end) => (start, Some(end.saturating_add(1))),
        Bound::Excluded(end) => (start, Some(end)),
        Bound::Unbounded => (start, None),
    }
}

fn is_reversed(bounds: Bounds) -> bool {
    let (start, end) = ends(bounds);
    end.is_some_and(|end| start > end)
}

/// Resolves bounds. The error of a reversed range reports no length.
fn resolve(bounds: Bounds, len: usize) -> Result<Range<usize>, Error> {
    let (start, end) = ends(bounds);
    let end = end.unwrap_or(len);
    let error = |index: usize| {
        let len = if is_reversed(bounds) { 0 } else { len as u32 };
        Err(Error::OutOfRange { index: index as u64, len })
    };
    match () {
        () if end > len => error(end),
        () if start > end => error(start),
        () => Ok(start..end),
    }
}

/// An index, mostly in bounds.
fn index(raw: u64, len: usize) -> usize {
    let within = (raw >> 8) as usize % (len + 1);
    match raw & 31 {
        0 => len + 1,
        1 => usize::MAX,
        2 => usize::MAX - 1,
        3 => len.saturating_sub(1),
        4..=9 => len,
        10..=13 => 0,
        14..=16 => within.min(511),
        _ => within,
    }
}

/// A range of any form, mostly in bounds.
fn bounds(raw: [u64; 2], len: usize) -> Bounds {
    let [start, end] = raw.map(|raw| index(raw >> 3, len));
    // Mostly not reversed.
    let (start, end) =
        if raw[0] & 0x70_0000 != 0 && start > end { (end, start) } else { (start, end) };
    let start = match raw[0] & 7 {
        0..=2 => Bound::Unbounded,
        3 => Bound::Excluded(start),
        _ => Bound::Included(start),
    };
    let end = match raw[1] & 7 {
        0..=2 => Bound::Unbounded,
        3 => Bound::Included(end),
        _ => Bound::Excluded(end),
    };
    (start, end)
}
