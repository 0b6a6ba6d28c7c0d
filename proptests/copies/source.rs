//! Source elements: random ones, and edge cases of each conversion.

use segheap::{Cell, Kind};

use super::Element::{Byte, Float, Int};
use super::Form::Convert;
use super::{Element, converted, has_route, int_cell, is_bytes};

const P47: i64 = 1 << 47;
const P53: i64 = 1 << 53;
/// Integers at the limits of the conversions to and from floats.
const WHOLES: [i64; 14] = [
    0,
    P53,
    P53 - 1,
    P53 + 2,
    -P53 - 2,
    1 << 54,
    3 << 60,
    i64::MIN,
    i64::MAX - 1023,
    (1 << 51) - 1,
    1 << 51,
    (1 << 51) + 1,
    -(1 << 51) - 1,
    1 << 52,
];
/// Bits of floats with special meanings or encodings.
const FLOATS: [u64; 16] = [
    0,
    0x8000_0000_0000_0000,
    0x7FF0_0000_0000_0000,
    0xFFF0_0000_0000_0000,
    0x7FF8_0000_0000_0000,
    0xFFFF_1234_5678_9ABC,
    0xFFFA_0000_0000_0007,
    0x7FF0_0000_0000_0001,
    1,
    0x3FE0_0000_0000_0000,
    0x43E0_0000_0000_0000,
    0xC3E0_0000_0000_0000,
    0xC3E0_0000_0000_0001,
    0x7E37_E43C_8800_759C,
    0x4070_0000_0000_0000,
    0x4320_0000_0000_0001,
];

/// Elements of `from` at the limits of their type or of a conversion.
fn edges(from: Kind, handles: &[Cell]) -> Vec<Element> {
    let ints = [255, 256, -1, 257, P47, P47 - 1, -P47, -P47 - 1, P53 + 1, i64::MAX, i64::MIN + 1];
    let ints = ints.into_iter().chain(WHOLES);
    let floats = FLOATS.into_iter().chain(WHOLES.map(|int| (int as f64).to_bits()));
    let floats = floats.chain([255.5_f64, 256.0, 255.0, -1.0, -0.5, 1e15 + 0.5].map(f64::to_bits));
    match from {
        Kind::I64ARR => ints.map(Int).collect(),
        Kind::F64ARR => floats.map(Float).collect(),
        Kind::LIST => {
            let text = ["", "a", "ñ", "12345"].map(|text| Cell::short_str(text).unwrap());
            let others = [Cell::TRUE, Cell::FALSE, Cell::NULL, Cell::deopt(7).unwrap()];
            let others = others.into_iter().chain([Cell::deopt((1 << 48) - 1).unwrap()]);
            let floats = floats.map(|bits| Cell::float(f64::from_bits(bits)));
            let cells = ints.filter_map(Cell::int).chain(floats).chain(text).chain(others);
            cells.chain(handles.iter().copied()).map(Element::Cell).collect()
        }
        _ => [0, 255, 1, 127, 128].map(Byte).to_vec(),
    }
}

/// Generates elements for a copy from one kind to another.
pub(super) struct Source {
    from: Kind,
    to: Kind,
    /// Edges that convert to `to`.
    pub(super) convertible: Vec<Element>,
    /// Edges that do not.
    pub(super) inconvertible: Vec<Element>,
}

impl Source {
    pub(super) fn new(from: Kind, to: Kind, handles: &[Cell]) -> Source {
        let (convertible, inconvertible) = edges(from, handles)
            .into_iter()
            .partition(|&edge| !has_route(from, to, Convert) || converted(edge, to).is_some());
        Source { from, to, convertible, inconvertible }
    }

    pub(super) fn is_text(&self) -> bool {
        self.from == Kind::STR || self.to == Kind::STR && is_bytes(self.from)
    }

    /// A convertible element, random or an edge.
    fn element(&self, raw: u64) -> Element {
        let value = raw >> 8;
        let random = match self.from {
            Kind::I64ARR if is_bytes(self.to) => Int((value & 0xFF).cast_signed()),
            Kind::I64ARR => Int(value.cast_signed() << 16 >> (value & 63)),
            Kind::F64ARR if is_bytes(self.to) => Float(f64::from(value as u8).to_bits()),
            Kind::F64ARR if self.to == Kind::I64ARR => {
                Float(((value.cast_signed() << 16 >> (value & 63)) as f64).to_bits())
            }
            Kind::F64ARR => Float(value.rotate_left(8)),
            Kind::LIST if value & 1 == 0 && self.to == Kind::F64ARR => {
                Element::Cell(Cell::float(f64::from_bits(value << 8)))
            }
            Kind::LIST if is_bytes(self.to) => Element::Cell(Cell::from(value as u8)),
            Kind::LIST => Element::Cell(int_cell(value.cast_signed() << 16 >> (16 + (value & 47)))),
            _ => Byte(value as u8),
        };
        let converts =
            !has_route(self.from, self.to, Convert) || converted(random, self.to).is_some();
        if raw & 3 == 0 || !converts { self.edge(raw >> 2) } else { random }
    }

    pub(super) fn edge(&self, raw: u64) -> Element {
        self.convertible[raw as usize % self.convertible.len()]
    }

    /// One element for each number; for text, the bytes of one character.
    pub(super) fn elements(&self, raws: &[u64]) -> Vec<Element> {
        if !self.is_text() {
            return raws.iter().map(|&raw| self.element(raw)).collect();
        }
        raws.iter().flat_map(|&raw| char_of(raw).to_string().into_bytes()).map(Byte).collect()
    }

    /// Overwrites an element with one that does not convert, if there is one for these
    /// kinds. For text, overwrites bytes with invalid UTF-8.
    pub(super) fn insert_inconvertible(&self, elements: &mut [Element], index: usize, raw: u64) {
        if self.from == Kind::STR || elements.is_empty() {
            return;
        }
        let index = index.min(elements.len() - 1);
        if self.is_text() {
            let invalid: [&[u8]; 8] = [
                b"\xFF",
                b"\x80",
                b"\xC0\x80",
                b"\xED\xA0\x80",
                b"\xF4\x90\x80\x80",
                b"\xF0\x9F",
                b"\xE2",
                b"\x80\x80\x80\x80\x80",
            ];
            let invalid = invalid[raw as usize % invalid.len()];
            elements[index..].iter_mut().zip(invalid).for_each(|(to, &byte)| *to = Byte(byte));
        } else if !self.inconvertible.is_empty() {
            elements[index] = self.inconvertible[raw as usize % self.inconvertible.len()];
        }
    }
}

/// A character of one to four bytes.
pub(super) fn char_of(raw: u64) -> char {
    match raw & 7 {
        0..=2 => char::from(b' ' + (raw >> 8) as u8 % 95),
        3 => 'ñ',
        4 => ['€', '\u{800}', '\u{FFFF}', '\u{D7FF}'][(raw >> 8) as usize & 3],
        5 => ['😀', '\u{10000}', '\u{10FFFF}', '🎈'][(raw >> 8) as usize & 3],
        6 => char::from_u32((raw >> 8) as u32 % 0x11_0000).unwrap_or('x'),
        _ => '\0',
    }
}
