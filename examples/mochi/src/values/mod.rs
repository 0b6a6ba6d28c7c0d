//! Operations on values whose types are known only at run time: unboxing, elements and fields,
//! arithmetic, comparison. None of them recurses over the program's data.

mod access;
mod compare;
mod lists;
mod strings;

use std::borrow::Cow;
use std::io::Write;
use std::ops::{Deref, DerefMut};

use segheap::bstr::ByteSlice;
use segheap::{Cell, Error, Heap, Kind, Struct, Unpacked};

use crate::compile::GROUP;
use crate::types::Shape;

pub(crate) use access::index_of;
pub(crate) use compare::{arithmetic, compare, equal, less_than};
pub(crate) use lists::*;
pub(crate) use strings::clamp_range;

/// Why an instruction fails.
#[derive(Debug)]
pub(crate) enum Trap {
    Heap(Error),
    Message(String),
    /// A request to stop.
    Stopped,
    /// The program has run as many instructions as it may.
    OutOfFuel,
}

impl From<Error> for Trap {
    fn from(error: Error) -> Trap {
        Trap::Heap(error)
    }
}

pub(crate) type Outcome<T> = Result<T, Trap>;

/// Fails with a message.
#[cold]
pub(crate) fn trap<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Trap::Message(message.into()))
}

/// Fails with a type error.
#[cold]
pub(crate) fn expected<T>(heap: &Heap, expected: &str, found: Cell) -> Outcome<T> {
    trap(format!("mismatched types: expected `{expected}`, found `{}`", type_name(heap, found)))
}

/// What is called after collections.
pub(crate) type Observer = Box<dyn FnMut(&mut Heap)>;

/// The heap, and the state of the VM that operations on values need.
pub(crate) struct Context {
    pub(crate) heap: Heap,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) out: Box<dyn Write>,
    /// Called after each collection, or step of one.
    pub(crate) observer: Option<Observer>,
    /// The state of the generator that replaces the clock if `MOCHI_NOW_SEED` is set.
    pub(crate) seed: Option<i64>,
    /// A cache of the lengths in characters of the strings indexed last. Its keys are cells, which
    /// are no roots: a generational handle is never reused, so a stale entry matches no string.
    char_counts: [(Cell, usize); 4],
}

impl Context {
    pub(crate) fn new(heap: Heap, out: Box<dyn Write>) -> Context {
        Context {
            heap,
            shapes: Vec::new(),
            out,
            observer: None,
            seed: std::env::var("MOCHI_NOW_SEED").ok().and_then(|seed| seed.parse().ok()),
            char_counts: Default::default(),
        }
    }

    pub(crate) fn observe(&mut self) {
        if let Some(observer) = &mut self.observer {
            observer(&mut self.heap);
        }
    }
}

impl Deref for Context {
    type Target = Heap;

    fn deref(&self) -> &Heap {
        &self.heap
    }
}

impl DerefMut for Context {
    fn deref_mut(&mut self) -> &mut Heap {
        &mut self.heap
    }
}

/// The name of the type of a value in error messages.
pub(crate) fn type_name(heap: &Heap, cell: Cell) -> &'static str {
    match cell.unpack() {
        Unpacked::Float(_) => "float",
        Unpacked::Bool(_) => "bool",
        _ if is_string(cell) => "string",
        _ if heap.as_int(cell).is_ok_and(|int| int.is_some()) => "int",
        Unpacked::Object(kind) => match kind {
            Kind::LIST | Kind::F64ARR | Kind::I64ARR => "list",
            Kind::MAP => "map",
            Kind::STRUCT => "struct",
            Kind::CLOSURE => "function",
            Kind::BIGNUM => "bigint",
            Kind::BYTES => "bytes",
            _ => "value",
        },
        _ => "null",
    }
}

pub(crate) fn is_string(cell: Cell) -> bool {
    cell.as_short_str().is_some() || cell.kind() == Some(Kind::STR)
}

pub(crate) fn is_int(cell: Cell) -> bool {
    cell.as_int().is_some() || cell.kind() == Some(Kind::BIGNUM)
}

pub(crate) fn is_list(cell: Cell) -> bool {
    matches!(cell.kind(), Some(Kind::LIST | Kind::I64ARR | Kind::F64ARR | Kind::BYTES))
}

/// Whether a cell is its own map key, unlike a list, a map or a struct.
#[inline(always)]
pub(crate) fn is_plain_key(key: Cell) -> bool {
    matches!(key.kind(), None | Some(Kind::STR | Kind::BIGNUM))
}

/// Unboxes an integer.
pub(crate) fn expect_int(heap: &Heap, cell: Cell) -> Outcome<i64> {
    match heap.as_int(cell) {
        Ok(Some(int)) => Ok(int),
        Ok(None) => trap("integer does not fit in 64 bits"),
        Err(_) => expected(heap, "int", cell),
    }
}

/// Unboxes a number as a float.
pub(crate) fn expect_float(heap: &Heap, cell: Cell) -> Outcome<f64> {
    as_number(heap, cell).map_or_else(|| expected(heap, "float", cell), Ok)
}

/// Unboxes a boolean.
pub(crate) fn expect_bool(heap: &Heap, cell: Cell) -> Outcome<bool> {
    cell.as_bool().map_or_else(|| expected(heap, "bool", cell), Ok)
}

/// A text in a message: its beginning, if it is long.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    /// The most characters.
    const MAX: usize = 60;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Copies a string out of the heap.
pub(crate) fn expect_string(heap: &Heap, cell: Cell) -> Outcome<String> {
    heap.text(cell).map_or_else(
        |_| expected(heap, "string", cell),
        |text| Ok(text.to_str_lossy().into_owned()),
    )
}

/// Unboxes a byte.
fn expect_byte(heap: &Heap, cell: Cell) -> Outcome<u8> {
    u8::try_from(expect_int(heap, cell)?)
        .or_else(|_| trap(format!("{} is out of range for a byte", decimal(heap, cell))))
}

/// A number of any type as a float.
pub(crate) fn as_number(heap: &Heap, cell: Cell) -> Option<f64> {
    match cell.unpack() {
        Unpacked::Float(float) => Some(float),
        Unpacked::Int(int) => Some(int as f64),
        Unpacked::Object(Kind::BIGNUM) => decimal(heap, cell).parse().ok(),
        _ => None,
    }
}

/// The decimal digits of an integer.
pub(crate) fn decimal(heap: &Heap, cell: Cell) -> String {
    heap.display(cell).limit(usize::MAX).to_string()
}

/// Whether a condition holds: not false, zero, null or empty.
pub(crate) fn is_truthy(heap: &Heap, cell: Cell) -> Outcome<bool> {
    if let Some(value) = cell.as_bool() {
        return Ok(value);
    }
    Ok(match as_number(heap, cell) {
        Some(number) => number != 0.0,
        None => len(heap, cell).map_or(true, |len| len > 0),
    })
}

/// Whether a value is a struct of this shape.
#[inline(always)]
pub(crate) fn is_shape(heap: &Heap, cell: Cell, shape: u16) -> bool {
    heap.get::<Struct>(cell).is_ok_and(|record| record.shape() == u32::from(shape))
}

/// The items of a query group; any other value unchanged.
pub(crate) fn unwrap_group(heap: &Heap, cell: Cell) -> Cell {
    if !is_shape(heap, cell, GROUP) {
        return cell;
    }
    heap.get::<Struct>(cell).and_then(|group| group.get(1)).unwrap_or_default()
}
