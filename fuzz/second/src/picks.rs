//! What operations are given: cells, elements, texts.

use segheap::{Cell, Kind, abi};

use crate::value::{Item, Value, bits, encode, is_cell};
use crate::world::World;

/// The kinds with an object that grows.
pub(crate) const GROWABLE: [Kind; 5] =
    [Kind::LIST, Kind::BYTES, Kind::U8ARR, Kind::I64ARR, Kind::F64ARR];
/// Kinds whose elements are cells.
pub(crate) const CELLS: [Kind; 4] = [Kind::LIST, Kind::STRUCT, Kind::CLOSURE, Kind::PAIR];
/// The kinds of arrays of numbers, and of bytes.
pub(crate) const NUMBERS: [Kind; 4] = [Kind::BYTES, Kind::U8ARR, Kind::I64ARR, Kind::F64ARR];

impl World {
    /// A live object of a kind, if there is one.
    pub(crate) fn live(&mut self, kind: Kind) -> Option<Cell> {
        let first = 0xFFFF << 48 | kind.selector() << 44;
        let start = first | self.dice.word() & 0xFFF_FFFF_FFFF;
        let objects = &self.sides[self.me].model.objects;
        let handle = objects
            .range(start..=first | 0xFFF_FFFF_FFFF)
            .next()
            .or_else(|| objects.range(first..=first | 0xFFF_FFFF_FFFF).next())?;
        abi::cell(*handle.0)
    }

    /// Any live object.
    pub(crate) fn live_any(&mut self) -> Option<Cell> {
        let kind = self.dice.one(&Kind::ALL);
        self.live(kind)
    }

    /// A cell that may be anything: stale, foreign, forged, sealed or no handle.
    pub(crate) fn odd(&mut self) -> Cell {
        let other = 1 - self.me;
        match self.dice.below(6) {
            0 => self.dice.one(&self.attic.clone()),
            1 => self.dice.one(&self.sides[other].registers.clone()),
            2 => self.forged(),
            3 => self.seal().unwrap_or(Cell::NULL),
            4 => self.live_any().unwrap_or(Cell::TRUE),
            _ => encode(&self.immediate()),
        }
    }

    /// A live sealed cell, if there is one.
    pub(crate) fn seal(&mut self) -> Option<Cell> {
        let start = 0xFFFF << 48 | 15 << 44 | self.dice.word() & 0xFFF_FFFF_FFFF;
        let objects = &self.sides[self.me].model.objects;
        let found = objects
            .range(start..)
            .next()
            .or_else(|| objects.range(0xFFFF << 48 | 15 << 44..).next())?;
        abi::cell(*found.0)
    }

    /// A cell from bits that need not be those of one.
    pub(crate) fn forged(&mut self) -> Cell {
        let slot = self.dice.below(40) as u64;
        let word = match self.dice.below(3) {
            0 => 0xFFFF << 48 | self.dice.word() & 0xFFFF_0000_0000 | slot,
            1 => (0xFFF8 | self.dice.word() & 7) << 48 | self.dice.word() >> 16,
            _ => self.dice.word(),
        };
        let cell = abi::cell(word);
        assert_eq!(cell.is_some(), is_cell(word), "whether {word:#x} is a cell");
        assert!(cell.is_none_or(|cell| abi::bits(cell) == word));
        cell.unwrap_or(Cell::NULL)
    }

    /// An object of a kind, now and then something else.
    pub(crate) fn pick(&mut self, kind: Kind) -> Cell {
        if self.dice.percent(4) {
            return self.odd();
        }
        match self.live(kind) {
            Some(cell) => cell,
            None => self.odd(),
        }
    }

    /// A value in a cell.
    pub(crate) fn immediate(&mut self) -> Value {
        match self.dice.below(16) {
            0 => match self.dice.below(4) {
                0 => Value::Absent,
                1 => Value::Immediate(u32::try_from(self.dice.below(3)).expect("small")),
                _ => Value::Null,
            },
            1 => Value::Bool(self.dice.percent(50)),
            2..=3 => Value::Float(Cell::float(self.dice.float()).as_float().expect("a float")),
            4 => Value::Deopt(self.dice.word() >> (16 + self.dice.below(48))),
            5..=7 => {
                let mut text = self.dice.text();
                while text.len() > 5 {
                    text.pop();
                }
                Value::Text(text)
            }
            _ => Value::Int(self.dice.small_int()),
        }
    }

    /// Any cell: mostly a value in the cell or a live object.
    pub(crate) fn any(&mut self) -> Cell {
        match self.dice.below(100) {
            0..=59 => encode(&self.immediate()),
            60..=96 => self.live_any().unwrap_or(Cell::NULL),
            _ => self.odd(),
        }
    }

    /// A key: mostly one that other tables have as well.
    pub(crate) fn key(&mut self) -> Cell {
        let flood = &self.sides[self.me].flood;
        match self.dice.below(10) {
            0..=2 if !flood.is_empty() => {
                Cell::int(flood[self.dice.below(flood.len())]).expect("48 bits")
            }
            0..=3 => Cell::int(self.dice.below(40) as i64).expect("48 bits"),
            4 => self.live(Kind::STR).unwrap_or(Cell::NULL),
            5 => self.live(Kind::BIGNUM).unwrap_or(Cell::NULL),
            _ => self.any(),
        }
    }

    /// An integer in either form, now and then something else.
    pub(crate) fn integer(&mut self) -> Cell {
        match self.dice.below(20) {
            0 => self.odd(),
            1..=9 => self.pick(Kind::BIGNUM),
            _ => encode(&Value::Int(self.dice.small_int())),
        }
    }

    /// A text in either form, now and then something else.
    pub(crate) fn text_cell(&mut self) -> Cell {
        match self.dice.below(20) {
            0 => self.odd(),
            1..=12 => self.pick(Kind::STR),
            _ => {
                let mut text = self.dice.text();
                while text.len() > 5 {
                    text.pop();
                }
                encode(&Value::Text(text))
            }
        }
    }

    /// An element for a sequence of a kind.
    pub(crate) fn item<T: Item>(&mut self, kind: Kind) -> T {
        T::of(&self.item_value(kind))
    }

    fn item_value(&mut self, kind: Kind) -> Value {
        match kind {
            Kind::BYTES | Kind::U8ARR | Kind::STR => Value::Int(self.dice.below(256) as i64),
            Kind::I64ARR => Value::Int(self.dice.int()),
            Kind::F64ARR => Value::Float(self.dice.float()),
            _ => crate::value::decode(self.any()),
        }
    }

    /// Elements for a sequence of a kind.
    pub(crate) fn some_items<T: Item>(&mut self, kind: Kind) -> Vec<T> {
        let len = self.dice.len();
        // Bytes are ASCII at times, so that they convert to text.
        if self.dice.percent(50) && matches!(kind, Kind::BYTES | Kind::U8ARR) {
            let text: String = self.dice.text();
            return text.bytes().map(|byte| T::of(&Value::Int(byte.into()))).collect();
        }
        (0..len).map(|_| self.item(kind)).collect()
    }

    /// The number of elements of an object, as a host would ask for it.
    pub(crate) fn len_of(&mut self, cell: Cell) -> usize {
        use crate::model::Object;
        match self.model().objects.get(&bits(cell)) {
            Some(Object::Items { items, .. }) => items.len(),
            Some(Object::Text(text)) => text.len(),
            Some(Object::Table { entries, .. }) => entries.len(),
            Some(Object::Integer(int)) => int.bits().div_ceil(64) as usize,
            _ => 3,
        }
    }
}
