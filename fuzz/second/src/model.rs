//! The model of a heap: objects by handle, in collections of the standard library.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigInt;
use segheap::{Cell, Error, Kind};

use crate::value::{Value, bits};

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Object {
    /// A sequence of values: a list, a record, a closure, a pair, bytes or numbers.
    Items {
        /// The kind.
        kind: Kind,
        /// The id of a shape or function.
        header: u32,
        /// The elements.
        items: Vec<Value>,
    },
    /// A text.
    Text(String),
    /// An integer.
    Integer(BigInt),
    /// A map, or a set, whose values are null.
    Table {
        /// The kind.
        kind: Kind,
        /// The entries in insertion order.
        entries: Vec<Entry>,
    },
    /// A seal.
    Seal {
        /// The number of the key in the list of the keys of the heap.
        key: usize,
        /// What it stands for.
        value: Value,
    },
}

/// An entry of a map or a set.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Entries inserted later have greater numbers.
    pub(crate) serial: u64,
    /// The key.
    pub(crate) key: Value,
    /// The value.
    pub(crate) value: Value,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.key == other.key && self.value == other.value
    }
}

/// A value as a key of maps and sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Key<'a> {
    /// Null.
    Null,
    /// The absent cell.
    Absent,
    /// A value of the VM's own.
    Immediate(u32),
    /// A truth value.
    Bool(bool),
    /// A deopt sentinel.
    Deopt(u64),
    /// The bits of a float other than -0.0.
    Float(u64),
    /// An integer.
    Int(i64),
    /// An integer of more than 64 bits.
    Large(&'a BigInt),
    /// A text.
    Text(&'a str),
    /// Another object.
    Object(u64),
}

impl Object {
    /// The kind, that of seals included.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Object::Items { kind, .. } | Object::Table { kind, .. } => Some(*kind),
            Object::Text(_) => Some(Kind::STR),
            Object::Integer(_) => Some(Kind::BIGNUM),
            Object::Seal { .. } => None,
        }
    }

    /// The cells of the object, in order.
    pub(crate) fn cells(&self) -> Vec<&Value> {
        match self {
            Object::Items { items, .. } => items.iter().collect(),
            Object::Table { kind, entries } if *kind == Kind::MAP => {
                entries.iter().flat_map(|entry| [&entry.key, &entry.value]).collect()
            }
            Object::Table { entries, .. } => entries.iter().map(|entry| &entry.key).collect(),
            Object::Seal { value, .. } => vec![value],
            Object::Text(_) | Object::Integer(_) => Vec::new(),
        }
    }

    /// The handles and sealed cells of the object, in order.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Cell> {
        self.cells().into_iter().filter_map(|value| match value {
            Value::Handle(cell) => Some(*cell),
            _ => None,
        })
    }
}

/// An open region: the objects allocated in it.
#[derive(Debug)]
pub(crate) struct OpenRegion {
    /// The number of its token.
    pub(crate) token: u64,
    /// The handles.
    pub(crate) members: Vec<u64>,
}

/// A heap.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// The live objects, by the bits of their handles.
    pub(crate) objects: BTreeMap<u64, Object>,
    /// All handles that were returned and not forgotten.
    pub(crate) known: BTreeSet<u64>,
    /// The open regions, the outermost first.
    pub(crate) regions: Vec<OpenRegion>,
    /// The pinned objects, and how many times each is.
    pub(crate) pins: BTreeMap<u64, u64>,
    /// The watched objects and their tokens, in the order of attachment.
    pub(crate) watches: Vec<(u64, u64)>,
    /// The number of the next entry of a table.
    pub(crate) serial: u64,
    /// Live objects other than seals.
    pub(crate) live: u64,
}

impl Model {
    /// The object of a live handle or seal.
    pub(crate) fn find(&self, cell: Cell) -> Option<&Object> {
        self.objects.get(&bits(cell))
    }

    /// The object of a handle of a kind, or why there is none.
    pub(crate) fn open(&self, cell: Cell, wanted: Kind) -> Result<&Object, Error> {
        match cell.kind() {
            None => Err(Error::NotAHandle),
            Some(found) if is_seal(found) => Err(Error::Sealed),
            Some(found) if found != wanted => Err(Error::WrongKind { found, wanted }),
            Some(kind) => self.find(cell).ok_or(Error::Stale { kind }),
        }
    }

    /// The object of a handle of any kind.
    pub(crate) fn open_any(&self, cell: Cell) -> Result<&Object, Error> {
        self.open(cell, cell.kind().unwrap_or(Kind::LIST))
    }

    /// The object of a handle or a sealed cell.
    pub(crate) fn open_or_seal(&self, cell: Cell) -> Result<&Object, Error> {
        let kind = cell.kind().ok_or(Error::NotAHandle)?;
        self.find(cell).ok_or(Error::Stale { kind })
    }

    /// The elements of a sequence of values.
    pub(crate) fn items(&self, cell: Cell, kind: Kind) -> Result<&Vec<Value>, Error> {
        match self.open(cell, kind)? {
            Object::Items { items, .. } => Ok(items),
            other => panic!("{other:?} is no sequence"),
        }
    }

    /// The entries of a table.
    pub(crate) fn entries(&self, cell: Cell, kind: Kind) -> Result<&Vec<Entry>, Error> {
        match self.open(cell, kind)? {
            Object::Table { entries, .. } => Ok(entries),
            other => panic!("{other:?} is no table"),
        }
    }

    /// Replaces the elements of a sequence.
    pub(crate) fn set_items(&mut self, cell: Cell, new: Vec<Value>) {
        match self.objects.get_mut(&bits(cell)) {
            Some(Object::Items { items, .. }) => *items = new,
            other => panic!("{other:?} is no sequence"),
        }
    }

    /// Replaces the entries of a table.
    pub(crate) fn set_entries(&mut self, cell: Cell, new: Vec<Entry>) {
        match self.objects.get_mut(&bits(cell)) {
            Some(Object::Table { entries, .. }) => *entries = new,
            other => panic!("{other:?} is no table"),
        }
    }

    /// An entry to insert.
    pub(crate) fn entry(&mut self, key: Value, value: Value) -> Entry {
        self.serial += 1;
        Entry { serial: self.serial, key, value }
    }

    /// The value as a key, or the error if it is a freed object.
    pub(crate) fn key<'a>(&'a self, value: &'a Value) -> Result<Key<'a>, Error> {
        Ok(match value {
            Value::Null => Key::Null,
            Value::Absent => Key::Absent,
            Value::Immediate(value) => Key::Immediate(*value),
            Value::Bool(bool) => Key::Bool(*bool),
            Value::Deopt(pc) => Key::Deopt(*pc),
            Value::Int(int) => Key::Int(*int),
            Value::Float(float) if *float == 0.0 => Key::Float(0),
            Value::Float(float) if float.is_nan() => Key::Float(f64::NAN.to_bits()),
            Value::Float(float) => Key::Float(float.to_bits()),
            Value::Text(text) => Key::Text(text),
            Value::Handle(cell) => match self.open_or_seal(*cell)? {
                Object::Text(text) => Key::Text(text),
                Object::Integer(int) => i64::try_from(int).map_or(Key::Large(int), Key::Int),
                _ => Key::Object(bits(*cell)),
            },
        })
    }

    /// The position of the entry of a key.
    pub(crate) fn position(&self, entries: &[Entry], key: &Value) -> Result<Option<usize>, Error> {
        let key = self.key(key)?;
        Ok(entries.iter().position(|entry| self.key(&entry.key).is_ok_and(|other| other == key)))
    }

    /// Adds an object that the heap has allocated.
    pub(crate) fn allocated(&mut self, cell: Cell, object: Object) -> Result<(), String> {
        let expected = object.kind();
        let found = cell.kind().filter(|kind| !is_seal(*kind));
        if found != expected || cell.kind().is_none() {
            return Err(format!("{cell:?} is the handle of a new {expected:?}"));
        }
        if !self.known.insert(bits(cell)) {
            return Err(format!("the handle of {cell:?} was returned before"));
        }
        if let Some(region) = self.regions.last_mut() {
            region.members.push(bits(cell));
        }
        self.live += u64::from(expected.is_some());
        self.objects.insert(bits(cell), object);
        Ok(())
    }

    /// Removes an object; returns whether it was live.
    pub(crate) fn free(&mut self, handle: u64) -> bool {
        let Some(object) = self.objects.remove(&handle) else { return false };
        self.live -= u64::from(object.kind().is_some());
        true
    }

    /// The live objects that cells reach by paths through objects that `inside` admits.
    pub(crate) fn reach(
        &self,
        roots: impl Iterator<Item = Cell>,
        inside: impl Fn(u64) -> bool,
    ) -> BTreeSet<u64> {
        let mut reached = BTreeSet::new();
        let mut work: Vec<u64> = roots.map(bits).collect();
        while let Some(handle) = work.pop() {
            let Some(object) = self.objects.get(&handle) else { continue };
            if inside(handle) && reached.insert(handle) {
                work.extend(object.edges().map(bits));
            }
        }
        reached
    }

    /// Frees what roots and pins do not reach; returns the number of objects freed.
    pub(crate) fn collect(&mut self, roots: impl Iterator<Item = Cell>) -> u64 {
        let pins: Vec<Cell> = self.pins.keys().filter_map(|&pin| segheap::abi::cell(pin)).collect();
        let reached = self.reach(roots.chain(pins), |_| true);
        let all: Vec<u64> = self.objects.keys().copied().collect();
        let garbage = all.into_iter().filter(|handle| !reached.contains(handle));
        garbage.map(|handle| u64::from(self.free(handle))).sum()
    }

    /// Closes a region, which is open; returns the number of objects freed.
    pub(crate) fn close(&mut self, depth: usize, keep: &[Cell]) -> u64 {
        let members: Vec<u64> =
            self.regions.drain(depth..).flat_map(|region| region.members).collect();
        let inside: BTreeSet<u64> = members.iter().copied().collect();
        let kept = self.reach(keep.iter().copied(), |handle| inside.contains(&handle));
        if let Some(outer) = self.regions.last_mut() {
            outer.members.extend(members.iter().filter(|handle| kept.contains(handle)));
        }
        let garbage = members.into_iter().filter(|handle| !kept.contains(handle));
        garbage.map(|handle| u64::from(self.free(handle))).sum()
    }
}

/// Whether a kind is the one of sealed cells.
pub(crate) fn is_seal(kind: Kind) -> bool {
    kind.selector() == 15
}
