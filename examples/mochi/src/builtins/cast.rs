//! Casts and conversions.

use segheap::{Cell, Heap, Kind, Map, Str, Struct, Unpacked};

use crate::interrupt;
use crate::types::Type;
use crate::values::*;

/// The nesting of values that a cast converts. The type may be recursive and the value cyclic.
const DEPTH_MAX: usize = 10_000;

/// An optional integer argument.
pub(crate) fn optional_int(heap: &Heap, cell: Cell, default: i64) -> Outcome<i64> {
    if cell.is_null() { Ok(default) } else { expect_int(heap, cell) }
}

/// A value as a heap object: a string that is inline in its cell is copied to the heap.
pub(super) fn to_object(heap: &mut Heap, cell: Cell) -> Outcome<Cell> {
    let Some(short) = cell.as_short_str() else { return Ok(cell) };
    Ok(heap.alloc(Str::new(short.as_str()))?.into())
}

/// Parses a number.
fn parse<T: std::str::FromStr>(heap: &Heap, cell: Cell) -> Option<T> {
    expect_string(heap, cell).ok()?.parse().ok()
}

impl Context {
    /// The operator `as`.
    pub(crate) fn cast(&mut self, cell: Cell, ty: &Type) -> Outcome<Cell> {
        self.cast_at_depth(cell, ty, 0)
    }

    fn cast_at_depth(&mut self, cell: Cell, ty: &Type, depth: usize) -> Outcome<Cell> {
        interrupt::poll()?;
        if depth > DEPTH_MAX {
            return trap(format!("cannot cast to `{ty}`: value is nested too deeply or cyclic"));
        }
        let converted = match (ty, cell.unpack()) {
            (Type::Int | Type::Float | Type::BigInt, _) => self.cast_to_number(cell, ty)?,
            (Type::String, _) => is_string(cell).then_some(cell),
            (Type::Bool, _) => cell.as_bool().map(Cell::bool),
            (Type::Map(..), _) => (cell.kind() == Some(Kind::MAP)).then_some(cell),
            (Type::List(_), _) if !is_list(cell) => None,
            (Type::List(element), _) if **element != Type::Any => {
                let old = elements(self, cell)?;
                let new = old.iter().map(|&it| self.cast_at_depth(it, element, depth + 1));
                let new: Vec<_> = new.collect::<Outcome<_>>()?;
                Some(if new == old { cell } else { alloc_list(self, &new)? })
            }
            (Type::Struct(record), _) => self.cast_to_struct(cell, record.shape, depth)?,
            _ => Some(cell),
        };
        let fail = || {
            let value = expect_string(self, cell).map(|text| format!("{:?}", shortened(&text)));
            let value =
                value.unwrap_or_else(|_| format!("a value of type `{}`", type_name(self, cell)));
            trap(format!("cannot cast {value} to `{ty}`"))
        };
        converted.map_or_else(fail, Ok)
    }

    fn cast_to_number(&mut self, cell: Cell, ty: &Type) -> Outcome<Option<Cell>> {
        Ok(match (ty, cell.unpack()) {
            (Type::Int, Unpacked::Null) => Some(Cell::from(0)),
            (Type::Float, Unpacked::Null) => Some(Cell::float(0.0)),
            (Type::Int, Unpacked::Float(float)) => Some(self.int(float as i64)?),
            (Type::BigInt, Unpacked::Float(float)) => {
                Some(self.parse_int(&format!("{:.0}", float.trunc()))?)
            }
            (Type::Int | Type::BigInt, _) if is_int(cell) => Some(cell),
            (Type::Int, _) => parse(self, cell).map(|value| self.int(value)).transpose()?,
            (Type::BigInt, _) => {
                expect_string(self, cell).ok().and_then(|text| self.parse_int(&text).ok())
            }
            _ => as_number(self, cell).or_else(|| parse(self, cell)).map(Cell::float),
        })
    }

    /// A struct of this shape: the value itself, or a new one from the entries of a map.
    fn cast_to_struct(&mut self, cell: Cell, shape: u16, depth: usize) -> Outcome<Option<Cell>> {
        if is_shape(self, cell, shape) {
            return Ok(Some(cell));
        }
        let (Ok(map), Some(layout)) =
            (cell.to_handle::<Map>(), self.shapes.get(usize::from(shape)).cloned())
        else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        for (name, ty) in &layout.fields {
            let key = self.string(name)?;
            match self.get(map)?.get(key)? {
                Some(value) => fields.push(self.cast_at_depth(value, ty, depth + 1)?),
                None => {
                    return trap(format!("missing field `{name}` in cast to `{}`", layout.name));
                }
            }
        }
        Ok(Some(self.alloc(Struct::of(u32::from(shape), &fields))?.into()))
    }
}
