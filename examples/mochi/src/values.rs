//! What the machine does with values whose types show at run time: elements and fields,
//! arithmetic, comparison. Nothing here recurs over the program's data.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::io::Write;
use std::ops::{Deref, DerefMut};

use segheap::bstr::ByteSlice;
use segheap::{Cell, Error, Heap, Kind, List, Map, Set, Struct, Unpacked};

use crate::bytecode::ArithOp;
use crate::compile::GROUP;
use crate::show::{Fragment, Style};
use crate::types::Shape;

#[derive(Debug)]
pub(crate) enum Trap {
    Heap(Error),
    Message(String),
}

impl From<Error> for Trap {
    fn from(error: Error) -> Trap {
        Trap::Heap(error)
    }
}

pub(crate) type Outcome<T> = Result<T, Trap>;

#[cold]
pub(crate) fn trap<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Trap::Message(message.into()))
}

#[cold]
pub(crate) fn expected<T>(heap: &Heap, what: &str, found: Cell) -> Outcome<T> {
    trap(format!("expected {what}, found {}", type_name(heap, found)))
}

#[cold]
fn no_field<T>(heap: &Heap, base: Cell, name: Cell) -> Outcome<T> {
    trap(format!("{} has no field `{}`", type_name(heap, base), expect_string(heap, name)?))
}

#[cold]
fn no_key<T>(cx: &Context, key: Cell) -> Outcome<T> {
    trap(format!("there is no key {} in this map", cx.format(key, Style::Quoted)))
}

/// The heap, and what operations on values know beside it.
pub(crate) struct Context {
    pub(crate) heap: Heap,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) out: Box<dyn Write>,
    /// What the row of numbers begins with that is `now` where a test sets it.
    pub(crate) seed: Option<i64>,
    /// The texts that were looked at last, and how many characters they have. A text is never
    /// changed, and no two have had the same cell.
    char_counts: [(Cell, usize); 4],
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

// What kind of value a cell is.

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

/// Whether a cell is a key by itself: no list, map or record.
#[inline(always)]
pub(crate) fn is_plain_key(key: Cell) -> bool {
    matches!(key.kind(), None | Some(Kind::STR | Kind::BIGNUM))
}

pub(crate) fn expect_int(heap: &Heap, cell: Cell) -> Outcome<i64> {
    match heap.as_int(cell) {
        Ok(Some(int)) => Ok(int),
        Ok(None) => trap("this integer does not fit into 64 bits"),
        Err(_) => expected(heap, "int", cell),
    }
}

pub(crate) fn expect_float(heap: &Heap, cell: Cell) -> Outcome<f64> {
    as_number(heap, cell).map_or_else(|| expected(heap, "float", cell), Ok)
}

pub(crate) fn expect_bool(heap: &Heap, cell: Cell) -> Outcome<bool> {
    cell.as_bool().map_or_else(|| expected(heap, "bool", cell), Ok)
}

/// A number of any kind as a float.
pub(crate) fn as_number(heap: &Heap, cell: Cell) -> Option<f64> {
    match cell.unpack() {
        Unpacked::Float(float) => Some(float),
        Unpacked::Int(int) => Some(int as f64),
        Unpacked::Object(Kind::BIGNUM) => decimal(heap, cell).parse().ok(),
        _ => None,
    }
}

/// An integer as text.
pub(crate) fn decimal(heap: &Heap, cell: Cell) -> String {
    heap.display(cell).limit(usize::MAX).to_string()
}

pub(crate) fn is_truthy(heap: &Heap, cell: Cell) -> Outcome<bool> {
    if let Some(truth) = cell.as_bool() {
        return Ok(truth);
    }
    Ok(match as_number(heap, cell) {
        Some(number) => number != 0.0,
        None => len(heap, cell).map_or(true, |len| len > 0),
    })
}

// Lists, whatever they are made of.

/// What lists hold and built-ins answer: made into a cell, made to be format, and made of a cell.
pub(crate) trait Native: Sized {
    fn to_cell(self, heap: &mut Heap) -> Outcome<Cell>;
    fn from_cell(heap: &Heap, cell: Cell) -> Outcome<Self>;
    fn fragment(self) -> Fragment;
}

macro_rules! items {
    ($($Native:ty: |$heap:pat_param, $item:ident| $cell:expr, $part:expr, $of:expr;)*) => {$(
        impl Native for $Native {
            fn to_cell(self, heap: &mut Heap) -> Outcome<Cell> {
                let ($heap, $item) = (heap, self);
                Ok($cell)
            }

            fn from_cell(heap: &Heap, cell: Cell) -> Outcome<$Native> {
                $of(heap, cell)
            }

            fn fragment(self) -> Fragment {
                let $item = self;
                $part
            }
        }
    )*};
}

items! {
    Cell: |_, it| it, Fragment::Value(it, false), |_, cell| Ok(cell);
    i64: |heap, it| heap.int(it)?, Fragment::Owned(it.to_string()), expect_int;
    f64: |_, it| Cell::float(it), Fragment::Value(Cell::float(it), false), expect_float;
    u8: |_, it| Cell::from(it), Fragment::Owned(it.to_string()), expect_byte;
    bool: |_, it| Cell::bool(it), Fragment::Value(Cell::bool(it), false), expect_bool;
    String: |heap, it| heap.string(&it)?, Fragment::Owned(it), expect_string;
}

pub(crate) fn expect_string(heap: &Heap, cell: Cell) -> Outcome<String> {
    heap.text(cell).map_or_else(
        |_| expected(heap, "string", cell),
        |text| Ok(text.to_str_lossy().into_owned()),
    )
}

fn expect_byte(heap: &Heap, cell: Cell) -> Outcome<u8> {
    u8::try_from(expect_int(heap, cell)?)
        .or_else(|_| trap(format!("{} is no byte", decimal(heap, cell))))
}

/// Code for a list of each kind there is, and for what is no list.
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

#[inline(always)]
pub(crate) fn is_shape(heap: &Heap, cell: Cell, shape: u16) -> bool {
    heap.get::<Struct>(cell).is_ok_and(|record| record.shape() == u32::from(shape))
}

/// The list in a group of a query; any other value as it is.
pub(crate) fn unwrap_group(heap: &Heap, cell: Cell) -> Cell {
    if !is_shape(heap, cell, GROUP) {
        return cell;
    }
    heap.get::<Struct>(cell).and_then(|group| group.get(1)).unwrap_or_default()
}

/// The number of elements; of text, of characters.
pub(crate) fn len(heap: &Heap, cell: Cell) -> Outcome<usize> {
    let cell = unwrap_group(heap, cell);
    dispatch_list!(cell, K => Ok(heap.get::<K>(cell)?.len()), match cell.unpack() {
        Unpacked::Null => Ok(0),
        Unpacked::Object(Kind::MAP) => Ok(heap.get::<Map>(cell)?.len()),
        Unpacked::Object(Kind::BIGNUM) | Unpacked::Int(_) => Ok(decimal(heap, cell).len()),
        _ => match heap.text(cell) {
            Ok(text) if text.is_ascii() => Ok(text.len()),
            Ok(text) => Ok(text.chars().count()),
            Err(_) => trap(format!("{} has no length", type_name(heap, cell))),
        },
    })
}

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

/// A place in a list; negative ones count from the end.
pub(crate) fn resolve_index(index: i64, len: usize) -> Outcome<usize> {
    let from_end = if index < 0 { index + len as i64 } else { index };
    match usize::try_from(from_end) {
        Ok(index) if index < len => Ok(index),
        _ => trap(format!("index out of range: index {index}, length {len}")),
    }
}

pub(crate) fn set_element(heap: &mut Heap, list: Cell, index: i64, value: Cell) -> Outcome<()> {
    dispatch_list!(list, K => {
        let (at, item) = (resolve_index(index, len(heap, list)?)?, Native::from_cell(heap, value)?);
        Ok(heap.get_mut::<K>(list)?.set(at, item)?)
    }, trap(format!("{} has no elements to assign to", type_name(heap, list))))
}

pub(crate) fn copy_list(heap: &mut Heap, list: Cell) -> Outcome<Cell> {
    if let Some(kind) = list.kind().filter(|_| is_list(list)) {
        return Ok(heap.convert_across_any(kind, list, ..)?);
    }
    let cells = elements(heap, list)?;
    alloc_list(heap, &cells)
}

pub(crate) fn concat_lists(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<Cell> {
    let made = copy_list(heap, x)?;
    if made.kind() == y.kind() {
        heap.append_across_any(made, y, ..)?;
        return Ok(made);
    }
    let cells = [elements(heap, x)?, elements(heap, y)?].concat();
    alloc_list(heap, &cells)
}

/// Adds an element to a list that is not shared; answers the list, which is another one if the
/// element does not fit into an array.
pub(crate) fn push(heap: &mut Heap, list: Cell, value: Cell) -> Outcome<Cell> {
    let whole = list.kind() == Some(Kind::F64ARR) && value.as_float().is_none();
    dispatch_list!(list, K => match Native::from_cell(heap, value) {
        Ok(item) if !whole => {
            heap.get_mut::<K>(list)?.push(item)?;
            return Ok(list);
        }
        Err(trap) if list.kind() == Some(Kind::BYTES) => return Err(trap),
        _ => {}
    }, {});
    let cells = [elements(heap, list)?, vec![value]].concat();
    alloc_list(heap, &cells)
}

/// What the cells of a list make: an array again, if that is what they come from.
pub(crate) fn convert_like(heap: &mut Heap, list: Cell, source: Cell) -> Outcome<Cell> {
    let kind = source.kind().filter(|_| is_list(source)).unwrap_or(Kind::LIST);
    let made = heap.convert_across_any(kind, list, ..)?;
    heap.free(list)?;
    Ok(made)
}

// Arithmetic and comparison.

pub(crate) fn arithmetic(heap: &mut Heap, op: ArithOp, x: Cell, y: Cell) -> Outcome<Cell> {
    if is_int(x) && is_int(y) {
        return Ok(match op {
            ArithOp::Add => heap.add(x, y)?,
            ArithOp::Sub => heap.sub(x, y)?,
            ArithOp::Mul => heap.mul(x, y)?,
            ArithOp::Div => heap.div(x, y)?,
            _ => heap.rem(x, y)?,
        });
    }
    if let (Some(a), Some(b)) = (as_number(heap, x), as_number(heap, y)) {
        return Ok(Cell::float(match op {
            ArithOp::Add => a + b,
            ArithOp::Sub => a - b,
            ArithOp::Mul => a * b,
            _ if b == 0.0 => return Err(Error::DivisionByZero.into()),
            ArithOp::Div => a / b,
            _ => a % b,
        }));
    }
    match op {
        ArithOp::Add if is_string(x) && is_string(y) => Ok(heap.concat(&[x.into(), y.into()])?),
        ArithOp::Add if is_list(x) && is_list(y) => concat_lists(heap, x, y),
        _ if x.is_null() || y.is_null() => Ok(Cell::NULL),
        _ => {
            let (x, y) = (type_name(heap, x), type_name(heap, y));
            let sign = ["+", "-", "*", "/", "%"].get(op as usize).copied().unwrap_or_default();
            trap(format!("type mismatch: {sign} of {x} and {y}"))
        }
    }
}

#[inline(always)]
pub(crate) fn equal(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<bool> {
    // Texts of up to five bytes are in the cell: equal texts are equal cells.
    if x == y && x.as_float().is_none() {
        return Ok(true);
    }
    if x.as_short_str().is_some() && is_string(y) || x.as_int().is_some() && y.as_int().is_some() {
        return Ok(false);
    }
    Ok(partial_compare(heap, x, y)? == Some(Ordering::Equal))
}

/// Where a text or a list has this in it; -1 if nowhere.
pub(crate) fn index_of(heap: &mut Heap, all: Cell, item: Cell) -> Outcome<i64> {
    if is_string(all) {
        let (all, part) = (expect_string(heap, all)?, expect_string(heap, item)?);
        return Ok(all.find(&part).map_or(-1, |at| all[..at].chars().count() as i64));
    }
    for (n, element) in elements(heap, all)?.into_iter().enumerate() {
        if equal(heap, element, item)? {
            return Ok(n as i64);
        }
    }
    Ok(-1)
}

/// The order of two values, if there is one. Null comes last.
pub(crate) fn compare(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<Ordering> {
    match partial_compare(heap, x, y)? {
        Some(order) if x.kind() != Some(Kind::STRUCT) => Ok(order),
        _ => {
            let (x, y) = (type_name(heap, x), type_name(heap, y));
            trap(format!("type mismatch: {x} and {y} cannot be partial_compare"))
        }
    }
}

/// How two values compare by the first of their parts that differ; none if those are of types
/// that do not compare.
fn partial_compare(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<Option<Ordering>> {
    let mut work = vec![(x, y)];
    let (mut steps, mut seen) = (0_usize, HashSet::new());
    while let Some((x, y)) = work.pop() {
        steps += 1;
        let order = match (x.unpack(), y.unpack()) {
            (Unpacked::Int(x), Unpacked::Int(y)) => x.cmp(&y),
            (Unpacked::Bool(x), Unpacked::Bool(y)) => x.cmp(&y),
            _ if x == y && x.as_float().is_none() => Ordering::Equal,
            _ if x.is_null() || y.is_null() => x.is_null().cmp(&y.is_null()),
            _ if is_string(x) && is_string(y) => (**heap.text(x)?).cmp(&**heap.text(y)?),
            _ if is_int(x) && is_int(y) => heap.cmp_int(x, y)?,
            _ => match (as_number(heap, x), as_number(heap, y)) {
                (Some(x), Some(y)) => x.partial_cmp(&y).unwrap_or(Ordering::Less),
                // Values may lead to themselves: what was partial_compare is not partial_compare again.
                _ if steps > 10_000 && !seen.insert((x, y)) => Ordering::Equal,
                _ => {
                    let (Some(x), Some(y)) = (components(heap, x, y)?, components(heap, y, x)?)
                    else {
                        return Ok(None);
                    };
                    work.push((Cell::from(x.len() as u32), Cell::from(y.len() as u32)));
                    work.extend(x.into_iter().zip(y).rev());
                    Ordering::Equal
                }
            },
        };
        if order.is_ne() {
            return Ok(Some(order));
        }
    }
    Ok(Some(Ordering::Equal))
}

/// What a list, a record or a map is partial_compare by, if the other is one too: for a map its entries
/// in the order of their keys.
fn components(heap: &mut Heap, x: Cell, other: Cell) -> Outcome<Option<Vec<Cell>>> {
    if is_list(x) && is_list(other) {
        return elements(heap, x).map(Some);
    }
    if let (Ok(x), Ok(other)) = (heap.get::<Struct>(x), heap.get::<Struct>(other)) {
        return Ok((x.shape() == other.shape()).then(|| x.as_slice().to_vec()));
    }
    let (Ok(map), Some(Kind::MAP)) = (heap.get::<Map>(x), other.kind()) else { return Ok(None) };
    let mut entries: Vec<_> = map.iter().collect();
    let name = |key: Cell| heap.display(key).quoted().limit(usize::MAX).to_string();
    entries.sort_by_cached_key(|&(key, _)| name(key));
    Ok(Some(entries.into_iter().flat_map(|(key, value)| [key, value]).collect()))
}

/// `<` or `<=`; nothing is below null, and no float below NaN.
pub(crate) fn less_than(heap: &mut Heap, x: Cell, y: Cell, or_equal: bool) -> Outcome<bool> {
    if [x, y].iter().any(|it| it.is_null() || it.as_float().is_some_and(f64::is_nan)) {
        return Ok(false);
    }
    let order = compare(heap, x, y)?;
    Ok(order.is_lt() || or_equal && order.is_eq())
}

impl Context {
    pub(crate) fn new(heap: Heap, out: Box<dyn Write>) -> Context {
        Context {
            heap,
            shapes: Vec::new(),
            out,
            seed: std::env::var("MOCHI_NOW_SEED").ok().and_then(|seed| seed.parse().ok()),
            char_counts: Default::default(),
        }
    }

    // Elements and fields.

    /// A key of a map: text that is equal is one key; lists and records count by what they say.
    #[inline(always)]
    pub(crate) fn map_key(&mut self, cell: Cell) -> Outcome<Cell> {
        if is_plain_key(cell) {
            return Ok(cell);
        }
        self.format(cell, Style::Quoted).to_cell(self)
    }

    /// The element of a list or the character of a text.
    pub(crate) fn element(&mut self, list: Cell, index: i64) -> Outcome<Cell> {
        if is_string(list) {
            let at = resolve_index(index, self.char_count(list)?)? as i64;
            return self.substring(list, at, at + 1);
        }
        let list = unwrap_group(self, list);
        dispatch_list!(list, K => {
            let view = self.get::<K>(list)?;
            let item = view.get(resolve_index(index, view.len())?)?;
            item.to_cell(self)
        }, trap(format!("{} has no elements", type_name(self, list))))
    }

    /// What is at a key or an index that has to be there.
    #[inline]
    pub(crate) fn index(&mut self, all: Cell, key: Cell) -> Outcome<Cell> {
        self.lookup(all, key)?.map_or_else(|| no_key(self, key), Ok)
    }

    /// What is at a key or an index; none if there is no such key.
    #[inline]
    pub(crate) fn lookup(&mut self, all: Cell, key: Cell) -> Outcome<Option<Cell>> {
        let known = self.map_key(key)?;
        if let Ok(map) = self.get::<Map>(all) {
            return Ok(map.get(known)?);
        }
        match all.kind() {
            Some(Kind::STRUCT) if is_string(key) => self.get_field(all, key),
            _ if all.is_null() => Ok(Some(Cell::NULL)),
            _ => {
                let index = expect_int(self, key)?;
                self.element(all, index).map(Some)
            }
        }
    }

    pub(crate) fn lookup_or_null(&mut self, all: Cell, key: Cell) -> Outcome<Cell> {
        if is_list(all) && resolve_index(expect_int(self, key)?, len(self, all)?).is_err() {
            return Ok(Cell::NULL);
        }
        Ok(self.lookup(all, key)?.unwrap_or_default())
    }

    /// Sets what is at a key, a field or an index.
    #[inline]
    pub(crate) fn set_index(&mut self, all: Cell, key: Cell, value: Cell) -> Outcome<()> {
        let known = self.map_key(key)?;
        if let Ok(mut map) = self.get_mut::<Map>(all) {
            map.insert(known, value)?;
        } else if !is_string(key) {
            let index = expect_int(self, key)?;
            set_element(self, all, index, value)?;
        } else if all.kind() == Some(Kind::STRUCT)
            && let Some(n) = self.field_index(all, key)?
        {
            self.get_mut::<Struct>(all)?.set(n, value)?;
        } else {
            return no_field(self, all, key);
        }
        Ok(())
    }

    fn field_index(&self, record: Cell, name: Cell) -> Outcome<Option<usize>> {
        let shape = &self.shapes[self.get::<Struct>(record)?.shape() as usize];
        Ok(shape.field(&self.heap.text(name)?.to_str_lossy()))
    }

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

    /// A field of something of any type.
    pub(crate) fn field_or_error(&self, base: Cell, name: Cell) -> Outcome<Cell> {
        if base.is_null() {
            return Ok(Cell::NULL);
        }
        let mut found = self.get_field(base, name)?;
        if found.is_none()
            && let Ok(row) = self.get::<Map>(base)
        {
            // A row of several sources: a field of one of them.
            for (_, part) in row.iter() {
                found = found.or(self.get_field(part, name)?);
            }
        }
        found.map_or_else(|| no_field(self, base, name), Ok)
    }

    /// A field of something that is not of the shape that its type says.
    #[cold]
    pub(crate) fn field_slow(&mut self, base: Cell, shape: u16, n: u8) -> Outcome<Cell> {
        let name = self.field_name(shape, n)?;
        if base.is_null() { no_field(self, base, name) } else { self.field_or_error(base, name) }
    }

    /// The name of a field as a cell.
    pub(crate) fn field_name(&mut self, shape: u16, n: u8) -> Outcome<Cell> {
        let (name, _) = &self.shapes[usize::from(shape)].fields[usize::from(n)];
        Ok(self.heap.string(name)?)
    }

    pub(crate) fn contains(&mut self, all: Cell, item: Cell) -> Outcome<bool> {
        if let Some(Kind::MAP) = all.kind() {
            return Ok(self.lookup(all, item)?.is_some());
        }
        if let Ok(text) = self.heap.text(all) {
            return Ok(text.find(self.format(item, Style::Str)).is_some());
        }
        Ok(index_of(self, all, item)? >= 0)
    }

    pub(crate) fn arith(&mut self, op: ArithOp, x: Cell, y: Cell) -> Outcome<Cell> {
        match op {
            ArithOp::Union | ArithOp::Except | ArithOp::Intersect => {}
            ArithOp::UnionAll => return concat_lists(self, x, y),
            _ => return arithmetic(self, op, x, y),
        }
        let (a, b) = (elements(self, x)?, elements(self, y)?);
        let (first, source) = match op {
            ArithOp::Union => (Vec::new(), [a, b].concat()),
            ArithOp::Except => (b, a),
            _ => (a, b),
        };
        let set = self.alloc(Set::with_capacity(first.len()))?;
        for cell in first {
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
        let made = alloc_list(self, &kept)?;
        if y.is_null() || x.kind() == y.kind() { convert_like(self, made, x) } else { Ok(made) }
    }

    // Texts by their characters.

    /// How many characters a text has: as many as bytes if they are all ASCII.
    fn char_count(&mut self, text: Cell) -> Outcome<usize> {
        if let Some((_, count)) = self.char_counts.iter().find(|(cell, _)| *cell == text) {
            return Ok(*count);
        }
        let count = len(self, text)?;
        self.char_counts.rotate_right(1);
        self.char_counts[0] = (text, count);
        Ok(count)
    }

    /// The part of a text between two places; negative ones count from the end, and what lies
    /// outside is cut off.
    pub(crate) fn substring(&mut self, text: Cell, start: i64, end: i64) -> Outcome<Cell> {
        let count = self.char_count(text)?;
        let bytes = self.heap.text(text)?;
        let (mut start, mut end) = clamp_range(count, start, end);
        if count < bytes.len() {
            let place = |at| bytes.char_indices().nth(at).map_or(bytes.len(), |(at, _, _)| at);
            (start, end) = (place(start), place(end));
        }
        if end - start <= 5
            && let Some(cell) = bytes[start..end].to_str().ok().and_then(Cell::short_str)
        {
            return Ok(cell);
        }
        Ok(self.concat(&[segheap::TextPart::Range(text, start..end)])?)
    }
}

/// Two places of something of this length: negative ones count from the end.
pub(crate) fn clamp_range(len: usize, start: i64, end: i64) -> (usize, usize) {
    let len = len as i64;
    let from_end = |at: i64| (if at < 0 { at + len } else { at }).clamp(0, len);
    let end = from_end(end);
    (from_end(start).min(end) as usize, end as usize)
}
