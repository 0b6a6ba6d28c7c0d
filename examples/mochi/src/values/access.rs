//! Elements, fields, and set operators.

use segheap::bstr::ByteSlice;
use segheap::{Cell, Heap, Kind, Map, Set, Struct};

use super::*;
use crate::bytecode::ArithOp;
use crate::format::Style;
use crate::types::Bank;

#[cold]
fn no_field<T>(heap: &Heap, base: Cell, name: Cell) -> Outcome<T> {
    let (name, ty) = (expect_string(heap, name)?, type_name(heap, base));
    trap(format!("no field `{}` on a value of type `{ty}`", shortened(&name)))
}

#[cold]
fn no_key<T>(cx: &Context, key: Cell) -> Outcome<T> {
    trap(format!("key {} not found in map", shortened(&cx.format(key, Style::Quoted)?)))
}

/// The index of an element in a list or of a substring in a string; -1 if there is none.
pub(crate) fn index_of(heap: &mut Heap, container: Cell, item: Cell) -> Outcome<i64> {
    if is_string(container) {
        let (text, part) = (expect_string(heap, container)?, expect_string(heap, item)?);
        return Ok(text.find(&part).map_or(-1, |start| text[..start].chars().count() as i64));
    }
    for (n, element) in elements(heap, container)?.into_iter().enumerate() {
        if equal(heap, element, item)? {
            return Ok(n as i64);
        }
    }
    Ok(-1)
}

impl Context {
    /// The key of a value in maps and sets. Lists, maps and structs are keys by value: their text.
    #[inline(always)]
    pub(crate) fn map_key(&mut self, cell: Cell) -> Outcome<Cell> {
        if is_plain_key(cell) {
            return Ok(cell);
        }
        self.format(cell, Style::Quoted)?.to_cell(self)
    }

    /// The element of a list or the character of a string at an index.
    pub(crate) fn element(&mut self, list: Cell, index: i64) -> Outcome<Cell> {
        if is_string(list) {
            let index = resolve_index(index, self.char_count(list)?)? as i64;
            return self.substring(list, index, index + 1);
        }
        let list = unwrap_group(self, list);
        dispatch_list!(list, K => {
            let view = self.get::<K>(list)?;
            let item = view.get(resolve_index(index, view.len())?)?;
            item.to_cell(self)
        }, trap(format!("cannot index into a value of type `{}`", type_name(self, list))))
    }

    /// The element at a key or an index. Fails if there is none.
    #[inline]
    pub(crate) fn index(&mut self, container: Cell, key: Cell) -> Outcome<Cell> {
        self.lookup(container, key)?.map_or_else(|| no_key(self, key), Ok)
    }

    /// The element at a key or an index, or `None` if a map or a struct does not have the key.
    #[inline]
    pub(crate) fn lookup(&mut self, container: Cell, key: Cell) -> Outcome<Option<Cell>> {
        let map_key = self.map_key(key)?;
        if let Ok(map) = self.get::<Map>(container) {
            return Ok(map.get(map_key)?);
        }
        match container.kind() {
            Some(Kind::STRUCT) if is_string(key) => self.get_field(container, key),
            _ if container.is_null() => Ok(Some(Cell::NULL)),
            _ => {
                let index = expect_int(self, key)?;
                self.element(container, index).map(Some)
            }
        }
    }

    /// The element at a key or an index, or null if there is none.
    pub(crate) fn lookup_or_null(&mut self, container: Cell, key: Cell) -> Outcome<Cell> {
        if is_list(container)
            && resolve_index(expect_int(self, key)?, len(self, container)?).is_err()
        {
            return Ok(Cell::NULL);
        }
        Ok(self.lookup(container, key)?.unwrap_or_default())
    }

    /// Sets the element at a key or an index, or a field.
    #[inline]
    pub(crate) fn set_index(&mut self, container: Cell, key: Cell, value: Cell) -> Outcome<()> {
        let map_key = self.map_key(key)?;
        if let Ok(mut map) = self.get_mut::<Map>(container) {
            map.insert(map_key, value)?;
        } else if !is_string(key) {
            let index = expect_int(self, key)?;
            set_element(self, container, index, value)?;
        } else if container.kind() == Some(Kind::STRUCT)
            && let Some(n) = self.field_index(container, key)?
        {
            self.get_mut::<Struct>(container)?.set(n, value)?;
        } else {
            return no_field(self, container, key);
        }
        Ok(())
    }

    /// The number of a field of a struct.
    fn field_index(&self, record: Cell, name: Cell) -> Outcome<Option<usize>> {
        let shape = &self.shapes[self.get::<Struct>(record)?.shape() as usize];
        Ok(shape.field(&self.heap.text(name)?.to_str_lossy()))
    }

    /// The shape of a struct, and the number of a field in it.
    pub(crate) fn field_place(&self, base: Cell, name: Cell) -> Outcome<Option<(u32, usize)>> {
        let Ok(record) = self.get::<Struct>(base) else { return Ok(None) };
        Ok(self.field_index(base, name)?.map(|n| (record.shape(), n)))
    }

    /// The entry of a map or the field of a struct, if there is one.
    fn get_field(&self, base: Cell, name: Cell) -> Outcome<Option<Cell>> {
        match base.kind() {
            Some(Kind::MAP) => Ok(self.get::<Map>(base)?.get(name)?),
            Some(Kind::STRUCT) => {
                let n = self.field_index(base, name)?;
                Ok(n.map(|n| self.get::<Struct>(base)?.get(n)).transpose()?)
            }
            _ => Ok(None),
        }
    }

    /// A field by its name, of a value of any type.
    pub(crate) fn field(&self, base: Cell, name: Cell) -> Outcome<Cell> {
        if base.is_null() {
            return Ok(Cell::NULL);
        }
        let mut found = self.get_field(base, name)?;
        if found.is_none()
            && let Ok(row) = self.get::<Map>(base)
        {
            // A row of a join: a map from its sources, whose fields can be named directly.
            for (_, part) in row.iter() {
                found = found.or(self.get_field(part, name)?);
            }
        }
        found.map_or_else(|| no_field(self, base, name), Ok)
    }

    /// A field of a value that does not have the shape of its static type. Of null it is null, if
    /// the type of the field allows that.
    #[cold]
    pub(crate) fn field_slow(&mut self, base: Cell, shape: u16, n: u8) -> Outcome<Cell> {
        let name = self.field_name(shape, n)?;
        let (_, ty) = &self.shapes[usize::from(shape)].fields[usize::from(n)];
        if base.is_null() && ty.bank() != Bank::C {
            return no_field(self, base, name);
        }
        self.field(base, name)
    }

    /// Allocates the name of a field.
    pub(crate) fn field_name(&mut self, shape: u16, n: u8) -> Outcome<Cell> {
        let (name, _) = &self.shapes[usize::from(shape)].fields[usize::from(n)];
        Ok(self.heap.string(name)?)
    }

    /// The operator `in`.
    pub(crate) fn contains(&mut self, container: Cell, item: Cell) -> Outcome<bool> {
        if let Some(Kind::MAP) = container.kind() {
            return Ok(self.lookup(container, item)?.is_some());
        }
        if let Ok(text) = self.heap.text(container) {
            return Ok(text.find(self.format(item, Style::Str)?).is_some());
        }
        Ok(index_of(self, container, item)? >= 0)
    }

    /// An arithmetic or set operator.
    pub(crate) fn arith(&mut self, op: ArithOp, x: Cell, y: Cell) -> Outcome<Cell> {
        match op {
            ArithOp::Union | ArithOp::Except | ArithOp::Intersect => self.set_operator(op, x, y),
            ArithOp::UnionAll => concat_lists(self, x, y),
            _ => arithmetic(self, op, x, y),
        }
    }

    fn set_operator(&mut self, op: ArithOp, x: Cell, y: Cell) -> Outcome<Cell> {
        let (a, b) = (elements(self, x)?, elements(self, y)?);
        let (initial, source) = match op {
            ArithOp::Union => (Vec::new(), [a, b].concat()),
            ArithOp::Except => (b, a),
            _ => (a, b),
        };
        let set = self.alloc(Set::with_capacity(initial.len()))?;
        for cell in initial {
            let key = self.map_key(cell)?;
            self.get_mut(set)?.insert(key)?;
        }
        let mut kept = Vec::new();
        for cell in source {
            let key = self.map_key(cell)?;
            let keep = match op {
                ArithOp::Union => self.get_mut(set)?.insert(key)?,
                ArithOp::Except => !self.get(set)?.contains(key)?,
                _ => self.get_mut(set)?.remove(key)?.is_some(),
            };
            kept.extend(keep.then_some(cell));
        }
        self.free(set)?;
        let list = alloc_list(self, &kept)?;
        if y.is_null() || x.kind() == y.kind() { convert_like(self, list, x) } else { Ok(list) }
    }
}
