//! The reference model: a `HashMap` of objects by the handles that the heap under
//! test returned. A handle that is not a key is stale.

use std::collections::{HashMap, HashSet};

use num_bigint::{BigInt, BigUint, Sign};
use segheap::bstr::ByteSlice;
use segheap::{Cell, Error, Kind, Unpacked, abi};

/// The contents of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    Str(String),
    List(Vec<Cell>),
    Map(Vec<(Cell, Cell)>),
    Set(Vec<Cell>),
    Struct(u32, Vec<Cell>),
    Closure(u32, Vec<Cell>),
    Bignum(BigInt),
    Bytes(Vec<u8>),
    Pair([Cell; 2]),
    /// Bits, since NaNs compare unequal.
    Floats(Vec<u64>),
    Ints(Vec<i64>),
    Octets(Vec<u8>),
}

/// An integer from a sign and limbs, least significant first.
pub fn big(negative: bool, limbs: &[u64]) -> BigInt {
    let magnitude =
        limbs.iter().rev().fold(BigUint::ZERO, |sum, &limb| (sum << 64_u32) + BigUint::from(limb));
    BigInt::from_biguint(if negative { Sign::Minus } else { Sign::Plus }, magnitude)
}

/// The value that decides whether two cells are equal as keys.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    Float(u64),
    Int(BigInt),
    Text(String),
    Bits(u64),
}

/// The result of a deep comparison. `Either` stands for `Different` or `Stale`: both
/// occur, and the order of the traversal decides which one is found first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Equality {
    Equal,
    Different,
    Stale,
    Either,
}

/// A heap of models.
#[derive(Clone, Debug, Default)]
pub struct ReferenceHeap {
    pub objects: HashMap<Cell, Model>,
}

impl ReferenceHeap {
    /// The object that a cell refers to. Fails if it is of another kind or stale.
    pub fn open(&self, cell: Cell, wanted: Kind) -> Result<&Model, Error> {
        let found = cell.kind().ok_or(Error::NotAHandle)?;
        if found != wanted {
            return Err(Error::WrongKind { found, wanted });
        }
        self.objects.get(&cell).ok_or(Error::Stale { kind: found })
    }

    pub fn open_mut(&mut self, cell: Cell, wanted: Kind) -> Result<&mut Model, Error> {
        self.open(cell, wanted)?;
        self.objects.get_mut(&cell).ok_or(Error::Corrupt)
    }

    pub fn list(&mut self, cell: Cell) -> Result<&mut Vec<Cell>, Error> {
        match self.open_mut(cell, Kind::LIST)? {
            Model::List(list) => Ok(list),
            _ => Err(Error::Corrupt),
        }
    }

    pub fn map(&mut self, cell: Cell) -> Result<&mut Vec<(Cell, Cell)>, Error> {
        match self.open_mut(cell, Kind::MAP)? {
            Model::Map(map) => Ok(map),
            _ => Err(Error::Corrupt),
        }
    }

    pub fn set(&mut self, cell: Cell) -> Result<&mut Vec<Cell>, Error> {
        match self.open_mut(cell, Kind::SET)? {
            Model::Set(set) => Ok(set),
            _ => Err(Error::Corrupt),
        }
    }

    pub fn ints(&mut self, cell: Cell) -> Result<&mut Vec<i64>, Error> {
        match self.open_mut(cell, Kind::I64ARR)? {
            Model::Ints(ints) => Ok(ints),
            _ => Err(Error::Corrupt),
        }
    }

    pub fn floats(&mut self, cell: Cell) -> Result<&mut Vec<u64>, Error> {
        match self.open_mut(cell, Kind::F64ARR)? {
            Model::Floats(floats) => Ok(floats),
            _ => Err(Error::Corrupt),
        }
    }

    pub fn bytes(&mut self, cell: Cell) -> Result<&mut Vec<u8>, Error> {
        match self.open_mut(cell, Kind::BYTES)? {
            Model::Bytes(bytes) => Ok(bytes),
            _ => Err(Error::Corrupt),
        }
    }

    pub fn text(&self, cell: Cell) -> Result<String, Error> {
        match cell.unpack() {
            Unpacked::ShortStr(text) => Ok(text.as_str().into()),
            Unpacked::Object(_) => match self.open(cell, Kind::STR)? {
                Model::Str(text) => Ok(text.clone()),
                _ => Err(Error::Corrupt),
            },
            _ => Err(Error::NotText),
        }
    }

    pub fn integer(&self, cell: Cell) -> Result<BigInt, Error> {
        match cell.unpack() {
            Unpacked::Int(int) => Ok(int.into()),
            Unpacked::Object(_) => match self.open(cell, Kind::BIGNUM)? {
                Model::Bignum(integer) => Ok(integer.clone()),
                _ => Err(Error::Corrupt),
            },
            _ => Err(Error::NotAnInteger),
        }
    }

    pub fn key(&self, cell: Cell) -> Result<Key, Error> {
        Ok(match cell.unpack() {
            Unpacked::Float(0.0) => Key::Float(0),
            Unpacked::Float(float) => Key::Float(float.to_bits()),
            Unpacked::Int(int) => Key::Int(int.into()),
            Unpacked::ShortStr(text) => Key::Text(text.as_str().into()),
            Unpacked::Object(kind) => match self.objects.get(&cell) {
                None => return Err(Error::Stale { kind }),
                Some(Model::Str(text)) => Key::Text(text.clone()),
                Some(Model::Bignum(integer)) => Key::Int(integer.clone()),
                Some(_) => Key::Bits(abi::bits(cell)),
            },
            _ => Key::Bits(abi::bits(cell)),
        })
    }

    /// The position of a key in a list of keys. A stale key equals no other.
    pub fn find(
        &self,
        keys: impl IntoIterator<Item = Cell>,
        key: Cell,
    ) -> Result<Option<usize>, Error> {
        let key = self.key(key)?;
        Ok(keys.into_iter().position(|other| self.key(other).as_ref() == Ok(&key)))
    }

    pub fn deep_eq(&self, a: Cell, b: Cell) -> Equality {
        let (mut different, mut stale) = (false, false);
        let (mut work, mut seen) = (vec![(a, b)], HashSet::new());
        while let Some((a, b)) = work.pop() {
            let (Ok(x), Ok(y)) = (self.key(a), self.key(b)) else {
                stale = true;
                continue;
            };
            if x == y || !seen.insert((a, b)) {
                continue;
            }
            let (Some(x), Some(y)) = (self.objects.get(&a), self.objects.get(&b)) else {
                different = true;
                continue;
            };
            match (x, y) {
                (Model::Map(x), Model::Map(y)) => {
                    different |= x.len() != y.len();
                    for &(key, value) in x {
                        match self.find(y.iter().map(|&(key, _)| key), key) {
                            Ok(Some(n)) => work.push((value, y[n].1)),
                            Ok(None) => different = true,
                            Err(_) => stale = true,
                        }
                    }
                }
                (Model::Set(x), Model::Set(y)) => {
                    different |= x.len() != y.len();
                    for &key in x {
                        match self.find(y.iter().copied(), key) {
                            Ok(found) => different |= found.is_none(),
                            Err(_) => stale = true,
                        }
                    }
                }
                (Model::Floats(x), Model::Floats(y)) => {
                    let same = |(&x, &y): (&u64, &u64)| {
                        self.key(f64::from_bits(x).into()) == self.key(f64::from_bits(y).into())
                    };
                    different |= x.len() != y.len() || !x.iter().zip(y).all(same);
                }
                _ => match (x.cells(), y.cells()) {
                    (Some((head, x)), Some((other, y)))
                        if head == other && x.len() == y.len() && a.kind() == b.kind() =>
                    {
                        work.extend(x.iter().copied().zip(y.iter().copied()));
                    }
                    (None, None) => different |= x != y,
                    _ => different = true,
                },
            }
        }
        match (different, stale) {
            (false, false) => Equality::Equal,
            (true, false) => Equality::Different,
            (false, true) => Equality::Stale,
            (true, true) => Equality::Either,
        }
    }

    /// The value as text, truncated to `limit` bytes.
    pub fn display(&self, cell: Cell, limit: usize) -> String {
        let mut out = String::new();
        match self.text(cell) {
            Ok(text) => out.push_str(&text),
            Err(_) => self.write(cell, limit, &mut vec![], &mut out),
        }
        if out.len() > limit {
            out.truncate(out.floor_char_boundary(limit));
            out.push('…');
        }
        out
    }

    fn write(&self, cell: Cell, limit: usize, path: &mut Vec<Cell>, out: &mut String) {
        // Stop at the limit: with shared objects the text may be exponentially long.
        if out.len() > limit {
            return;
        }
        if cell.kind().is_none() {
            *out += &format!("{cell:?}");
            return;
        }
        if path.contains(&cell) {
            *out += &format!("{cell:?}");
            return;
        }
        let Some(object) = self.objects.get(&cell) else {
            *out += "gone";
            return;
        };
        path.push(cell);
        match object {
            Model::Str(text) => *out += &format!("{:?}", text.as_bytes().as_bstr()),
            Model::Bignum(integer) => {
                // An integer that exceeds the limit is not formatted.
                let limbs = integer.iter_u64_digits().len();
                if limbs.saturating_sub(1) * 19 > limit - out.len() {
                    *out += &format!("integer of {} bits", integer.bits());
                } else {
                    *out += &integer.to_string();
                }
            }
            Model::Bytes(bytes) => *out += &format!("Bytes{bytes:?}"),
            Model::Octets(bytes) => *out += &format!("U8Arr{bytes:?}"),
            Model::Ints(ints) => *out += &format!("I64Arr{ints:?}"),
            Model::Floats(floats) => {
                let floats: Vec<f64> = floats.iter().map(|&bits| f64::from_bits(bits)).collect();
                *out += &format!("F64Arr{floats:?}");
            }
            Model::Map(entries) => {
                *out += "{";
                for (n, &(key, value)) in entries.iter().enumerate() {
                    *out += if n > 0 { ", " } else { "" };
                    self.write(key, limit, path, out);
                    *out += ": ";
                    self.write(value, limit, path, out);
                }
                *out += "}";
            }
            Model::List(cells) => self.sequence("[", cells, "]", limit, path, out),
            Model::Set(cells) => self.sequence("#{", cells, "}", limit, path, out),
            Model::Pair(cells) => self.sequence("(", cells, ")", limit, path, out),
            Model::Struct(shape, cells) => {
                self.sequence(&format!("Struct<{shape}>{{"), cells, "}", limit, path, out);
            }
            Model::Closure(function, cells) => {
                self.sequence(&format!("Closure<{function}>("), cells, ")", limit, path, out);
            }
        }
        path.pop();
    }

    fn sequence(
        &self,
        open: &str,
        cells: &[Cell],
        close: &str,
        limit: usize,
        path: &mut Vec<Cell>,
        out: &mut String,
    ) {
        *out += open;
        for (n, &cell) in cells.iter().enumerate() {
            *out += if n > 0 { ", " } else { "" };
            self.write(cell, limit, path, out);
        }
        *out += close;
    }
}

impl Model {
    /// Header and elements of a sequence of cells.
    fn cells(&self) -> Option<(u32, &[Cell])> {
        match self {
            Model::List(cells) => Some((0, cells)),
            Model::Pair(cells) => Some((0, cells)),
            Model::Struct(head, cells) | Model::Closure(head, cells) => Some((*head, cells)),
            _ => None,
        }
    }
}
