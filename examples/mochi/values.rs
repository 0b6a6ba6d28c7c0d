//! What the machine does with values whose types show at run time: arithmetic, comparison,
//! elements, and how values are shown. Nothing here recurs over the program's data.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt::Write;

use segheap::bstr::ByteSlice;
use segheap::{
    Bytes, Cell, Closure, Error, F64Arr, Heap, I64Arr, Kind, List, Map, Set, Str, Struct, Unpacked,
};

use crate::bytecode::AnyOp;
use crate::types::Shape;

/// Why an instruction failed.
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

/// The name of a value's type.
pub(crate) fn type_name(heap: &Heap, cell: Cell) -> &'static str {
    match cell.unpack() {
        Unpacked::Float(_) => "float",
        Unpacked::Int(_) => "int",
        Unpacked::Bool(_) => "bool",
        Unpacked::ShortStr(_) => "string",
        Unpacked::Object(kind) => match kind {
            Kind::STR => "string",
            Kind::LIST | Kind::F64ARR | Kind::I64ARR => "list",
            Kind::MAP => "map",
            Kind::STRUCT => "struct",
            Kind::CLOSURE => "function",
            Kind::BIGNUM if heap.as_int(cell).ok().flatten().is_some() => "int",
            Kind::BIGNUM => "bigint",
            Kind::BYTES => "bytes",
            _ => "value",
        },
        _ => "null",
    }
}

/// A cell as a 64-bit integer.
pub(crate) fn int(heap: &Heap, cell: Cell) -> Outcome<i64> {
    if let Some(int) = cell.as_int() {
        return Ok(int);
    }
    match heap.as_int(cell) {
        Ok(Some(int)) => Ok(int),
        Ok(None) => trap("this integer does not fit into 64 bits"),
        Err(_) => trap(format!("expected an int, found {}", a(type_name(heap, cell)))),
    }
}

pub(crate) fn float(heap: &Heap, cell: Cell) -> Outcome<f64> {
    match number(heap, cell) {
        Some(float) => Ok(float),
        None => trap(format!("expected a float, found {}", a(type_name(heap, cell)))),
    }
}

pub(crate) fn boolean(heap: &Heap, cell: Cell) -> Outcome<bool> {
    match cell.as_bool() {
        Some(bool) => Ok(bool),
        None => trap(format!("expected a bool, found {}", a(type_name(heap, cell)))),
    }
}

fn a(name: &str) -> String {
    match name.as_bytes().first() {
        Some(b'i' | b'a') => format!("an {name}"),
        _ if name == "null" => "null".to_owned(),
        _ => format!("a {name}"),
    }
}

/// A number of any kind as a float.
fn number(heap: &Heap, cell: Cell) -> Option<f64> {
    if let Some(float) = cell.as_float() {
        return Some(float);
    }
    if let Some(int) = cell.as_int() {
        return Some(int as f64);
    }
    match cell.kind() {
        Some(Kind::BIGNUM) => heap.display(cell).limit(usize::MAX).to_string().parse().ok(),
        _ => None,
    }
}

pub(crate) fn is_text(cell: Cell) -> bool {
    cell.as_short_str().is_some() || cell.kind() == Some(Kind::STR)
}

pub(crate) fn is_int(cell: Cell) -> bool {
    cell.as_int().is_some() || cell.kind() == Some(Kind::BIGNUM)
}

pub(crate) fn is_list(cell: Cell) -> bool {
    matches!(cell.kind(), Some(Kind::LIST | Kind::I64ARR | Kind::F64ARR))
}

pub(crate) fn truthy(heap: &Heap, cell: Cell) -> Outcome<bool> {
    Ok(match cell.unpack() {
        Unpacked::Bool(value) => value,
        Unpacked::Null => false,
        Unpacked::Int(value) => value != 0,
        Unpacked::Float(value) => value != 0.0,
        Unpacked::ShortStr(text) => !text.is_empty(),
        Unpacked::Object(Kind::LIST | Kind::I64ARR | Kind::F64ARR | Kind::MAP) => {
            len(heap, cell)? > 0
        }
        _ => true,
    })
}

/// The number of elements; of text, of characters.
pub(crate) fn len(heap: &Heap, cell: Cell) -> Outcome<usize> {
    Ok(match cell.unpack() {
        Unpacked::ShortStr(text) => text.as_str().chars().count(),
        Unpacked::Null => 0,
        Unpacked::Object(Kind::LIST) => heap.get::<List>(cell)?.len(),
        Unpacked::Object(Kind::I64ARR) => heap.get::<I64Arr>(cell)?.len(),
        Unpacked::Object(Kind::F64ARR) => heap.get::<F64Arr>(cell)?.len(),
        Unpacked::Object(Kind::BYTES) => heap.get::<Bytes>(cell)?.len(),
        Unpacked::Object(Kind::MAP) => heap.get::<Map>(cell)?.len(),
        Unpacked::Object(Kind::SET) => heap.get::<Set>(cell)?.len(),
        Unpacked::Object(Kind::STR) => {
            let text = heap.get::<Str>(cell)?.text();
            if text.is_ascii() { text.len() } else { text.chars().count() }
        }
        Unpacked::Object(Kind::STRUCT) if heap.get::<Struct>(cell)?.shape() == 0 => {
            len(heap, heap.get::<Struct>(cell)?.get(1)?)?
        }
        Unpacked::Object(Kind::BIGNUM) | Unpacked::Int(_) => {
            heap.display(cell).limit(usize::MAX).to_string().len()
        }
        _ => return trap(format!("{} has no length", a(type_name(heap, cell)))),
    })
}

/// The cells of a list, whatever it is made of.
pub(crate) fn elements(heap: &mut Heap, list: Cell) -> Outcome<Vec<Cell>> {
    match list.kind() {
        Some(Kind::LIST) => Ok(heap.get::<List>(list)?.as_slice().to_vec()),
        Some(Kind::F64ARR) => Ok(heap
            .get::<F64Arr>(list)?
            .as_slice()
            .iter()
            .map(|&float| Cell::float(float))
            .collect()),
        Some(Kind::I64ARR) => {
            let ints = heap.get::<I64Arr>(list)?.as_slice().to_vec();
            ints.into_iter().map(|value| Ok(heap.int(value)?)).collect()
        }
        Some(Kind::BYTES) => {
            Ok(heap.get::<Bytes>(list)?.as_slice().iter().map(|&byte| Cell::from(byte)).collect())
        }
        Some(Kind::STRUCT) if heap.get::<Struct>(list)?.shape() == 0 => {
            let items = heap.get::<Struct>(list)?.get(1)?;
            elements(heap, items)
        }
        _ if list.is_null() => Ok(Vec::new()),
        _ => trap(format!("expected a list, found {}", a(type_name(heap, list)))),
    }
}

/// A place in a list; negative ones count from the end.
pub(crate) fn position(index: i64, len: usize) -> Outcome<usize> {
    let from_end = if index < 0 { index + len as i64 } else { index };
    match usize::try_from(from_end) {
        Ok(index) if index < len => Ok(index),
        _ => trap(format!("index out of range: index {index}, length {len}")),
    }
}

pub(crate) fn element(heap: &mut Heap, list: Cell, index: i64) -> Outcome<Cell> {
    match list.kind() {
        Some(Kind::LIST) => {
            let view = heap.get::<List>(list)?;
            Ok(view.get(position(index, view.len())?)?)
        }
        Some(Kind::I64ARR) => {
            let view = heap.get::<I64Arr>(list)?;
            let value = view.get(position(index, view.len())?)?;
            Ok(heap.int(value)?)
        }
        Some(Kind::F64ARR) => {
            let view = heap.get::<F64Arr>(list)?;
            Ok(Cell::float(view.get(position(index, view.len())?)?))
        }
        Some(Kind::BYTES) => {
            let view = heap.get::<Bytes>(list)?;
            Ok(Cell::from(view.get(position(index, view.len())?)?))
        }
        Some(Kind::STRUCT) if heap.get::<Struct>(list)?.shape() == 0 => {
            let items = heap.get::<Struct>(list)?.get(1)?;
            match items.kind() {
                Some(Kind::STRUCT) => trap("a group has no such element"),
                _ => element(heap, items, index),
            }
        }
        _ => trap(format!("{} has no elements", a(type_name(heap, list)))),
    }
}

pub(crate) fn set_element(heap: &mut Heap, list: Cell, index: i64, value: Cell) -> Outcome<()> {
    let at = |heap: &Heap| position(index, len(heap, list)?);
    match list.kind() {
        Some(Kind::LIST) => {
            let at = at(heap)?;
            Ok(heap.get_mut::<List>(list)?.set(at, value)?)
        }
        Some(Kind::I64ARR) => {
            let (at, value) = (at(heap)?, int(heap, value)?);
            Ok(heap.get_mut::<I64Arr>(list)?.set(at, value)?)
        }
        Some(Kind::F64ARR) => {
            let (at, value) = (at(heap)?, float(heap, value)?);
            Ok(heap.get_mut::<F64Arr>(list)?.set(at, value)?)
        }
        Some(Kind::BYTES) => {
            let (at, value) = (at(heap)?, int(heap, value)?);
            let Ok(byte) = u8::try_from(value) else {
                return trap(format!("{value} is no byte"));
            };
            Ok(heap.get_mut::<Bytes>(list)?.set(at, byte)?)
        }
        _ => trap(format!("{} has no elements that can be assigned to", a(type_name(heap, list)))),
    }
}

/// A key of a map: text that is equal is one key; lists and records count by what they say.
pub(crate) fn key(heap: &mut Heap, shapes: &[Shape], cell: Cell) -> Outcome<Cell> {
    match cell.kind() {
        None | Some(Kind::STR | Kind::BIGNUM) => Ok(cell),
        Some(_) => {
            let text = shown(heap, shapes, cell, Style::Quoted);
            Ok(heap.string(&text)?)
        }
    }
}

/// The value of a key, or none.
pub(crate) fn entry(
    heap: &mut Heap,
    shapes: &[Shape],
    map: Cell,
    at: Cell,
) -> Outcome<Option<Cell>> {
    let key = key(heap, shapes, at)?;
    Ok(heap.get::<Map>(map)?.get(key)?)
}

pub(crate) fn field(
    heap: &mut Heap,
    shapes: &[Shape],
    base: Cell,
    name: &str,
    key: Cell,
) -> Outcome<Option<Cell>> {
    match base.kind() {
        Some(Kind::STRUCT) => {
            let view = heap.get::<Struct>(base)?;
            let at = shapes.get(view.shape() as usize).and_then(|shape| shape.field(name));
            Ok(at.and_then(|at| view.as_slice().get(at).copied()))
        }
        Some(Kind::MAP) => {
            if let Some(value) = heap.get::<Map>(base)?.get(key)? {
                return Ok(Some(value));
            }
            // A row of several sources: a field of one of them.
            let parts: Vec<Cell> = heap.get::<Map>(base)?.iter().map(|(_, value)| value).collect();
            for part in parts {
                if part.kind() == Some(Kind::MAP)
                    && let Some(value) = heap.get::<Map>(part)?.get(key)?
                {
                    return Ok(Some(value));
                }
                if part.kind() == Some(Kind::STRUCT) {
                    let view = heap.get::<Struct>(part)?;
                    let at = shapes.get(view.shape() as usize).and_then(|shape| shape.field(name));
                    if let Some(value) = at.and_then(|at| view.as_slice().get(at).copied()) {
                        return Ok(Some(value));
                    }
                }
            }
            Ok(None)
        }
        _ if base.is_null() => Ok(Some(Cell::NULL)),
        _ => trap(format!("{} has no field `{name}`", a(type_name(heap, base)))),
    }
}

pub(crate) fn arithmetic(heap: &mut Heap, op: AnyOp, x: Cell, y: Cell) -> Outcome<Cell> {
    if let (Some(a), Some(b)) = (x.as_float().or(x.as_int().map(|int| int as f64)), y.as_float()) {
        return float_arithmetic(op, a, b);
    }
    if let (Some(a), Some(b)) = (x.as_float(), y.as_int()) {
        return float_arithmetic(op, a, b as f64);
    }
    if is_int(x) && is_int(y) {
        return Ok(match op {
            AnyOp::Add => heap.add(x, y)?,
            AnyOp::Sub => heap.sub(x, y)?,
            AnyOp::Mul => heap.mul(x, y)?,
            AnyOp::Div => heap.div(x, y)?,
            _ => heap.rem(x, y)?,
        });
    }
    if op == AnyOp::Add && is_text(x) && is_text(y) {
        return Ok(heap.concat(&[x.into(), y.into()])?);
    }
    if op == AnyOp::Add && is_list(x) && is_list(y) {
        return joined(heap, x, y);
    }
    if x.is_null() || y.is_null() {
        return Ok(Cell::NULL);
    }
    if let (Some(a), Some(b)) = (number(heap, x), number(heap, y)) {
        return float_arithmetic(op, a, b);
    }
    let sign = match op {
        AnyOp::Add => '+',
        AnyOp::Sub => '-',
        AnyOp::Mul => '*',
        AnyOp::Div => '/',
        _ => '%',
    };
    trap(format!("type mismatch: {sign} of {} and {}", type_name(heap, x), type_name(heap, y)))
}

fn float_arithmetic(op: AnyOp, a: f64, b: f64) -> Outcome<Cell> {
    if matches!(op, AnyOp::Div | AnyOp::Mod) && b == 0.0 {
        return trap("division by zero");
    }
    Ok(Cell::float(match op {
        AnyOp::Add => a + b,
        AnyOp::Sub => a - b,
        AnyOp::Mul => a * b,
        AnyOp::Div => a / b,
        _ => a % b,
    }))
}

/// Two lists behind each other, as a new one.
pub(crate) fn joined(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<Cell> {
    let made = copied(heap, x)?;
    if made.kind() == y.kind() {
        heap.append_across_any(made, y, ..)?;
        return Ok(made);
    }
    let mut cells = elements(heap, x)?;
    cells.extend(elements(heap, y)?);
    Ok(heap.alloc(List::of(&cells))?.into())
}

/// A copy of a list: new, with the same elements.
pub(crate) fn copied(heap: &mut Heap, list: Cell) -> Outcome<Cell> {
    match list.kind() {
        Some(kind @ (Kind::LIST | Kind::I64ARR | Kind::F64ARR | Kind::BYTES)) => {
            Ok(heap.convert_across_any(kind, list, ..)?)
        }
        _ => {
            let cells = elements(heap, list)?;
            Ok(heap.alloc(List::of(&cells))?.into())
        }
    }
}

/// Adds an element to a list that is not shared; answers the list, which is another one if the
/// element does not fit into an array.
pub(crate) fn push(heap: &mut Heap, list: Cell, value: Cell) -> Outcome<Cell> {
    match list.kind() {
        Some(Kind::LIST) => {
            heap.get_mut::<List>(list)?.push(value)?;
            return Ok(list);
        }
        Some(Kind::I64ARR) => {
            if let Ok(Some(value)) = heap.as_int(value) {
                heap.get_mut::<I64Arr>(list)?.push(value)?;
                return Ok(list);
            }
        }
        Some(Kind::F64ARR) => {
            if let Some(value) = value.as_float() {
                heap.get_mut::<F64Arr>(list)?.push(value)?;
                return Ok(list);
            }
        }
        Some(Kind::BYTES) => {
            if let Some(Ok(byte)) = value.as_int().map(u8::try_from) {
                heap.get_mut::<Bytes>(list)?.push(byte)?;
                return Ok(list);
            }
            return trap("only bytes can be appended to bytes");
        }
        _ => {}
    }
    let mut cells = elements(heap, list)?;
    cells.push(value);
    Ok(heap.alloc(List::of(&cells))?.into())
}

pub(crate) fn equal(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<bool> {
    let mut work = vec![(x, y)];
    let mut steps = 0_usize;
    let mut seen = HashSet::new();
    while let Some((x, y)) = work.pop() {
        if x == y && x.as_float().is_none() {
            continue;
        }
        let (a, b) = (x.kind(), y.kind());
        if is_text(x) || is_text(y) {
            if !(is_text(x) && is_text(y) && *heap.text(x)? == *heap.text(y)?) {
                return Ok(false);
            }
            continue;
        }
        if is_int(x) && is_int(y) {
            if heap.cmp_int(x, y)? != Ordering::Equal {
                return Ok(false);
            }
            continue;
        }
        if let (Some(a), Some(b)) = (number(heap, x), number(heap, y)) {
            if a != b {
                return Ok(false);
            }
            continue;
        }
        steps += 1;
        // Values may lead to themselves: what was compared already is not compared again.
        if steps > 10_000 && !seen.insert((x, y)) {
            continue;
        }
        if is_list(x) && is_list(y) {
            let (x, y) = (elements(heap, x)?, elements(heap, y)?);
            if x.len() != y.len() {
                return Ok(false);
            }
            work.extend(x.into_iter().zip(y));
            continue;
        }
        match (a, b) {
            (Some(Kind::MAP), Some(Kind::MAP)) => {
                let (x, y) = (heap.get::<Map>(x)?, heap.get::<Map>(y)?);
                if x.len() != y.len() {
                    return Ok(false);
                }
                for (key, value) in x.iter() {
                    match y.get(key)? {
                        Some(other) => work.push((value, other)),
                        None => return Ok(false),
                    }
                }
            }
            (Some(Kind::STRUCT), Some(Kind::STRUCT)) => {
                let (x, y) = (heap.get::<Struct>(x)?, heap.get::<Struct>(y)?);
                if x.shape() != y.shape() {
                    return Ok(false);
                }
                work.extend(x.as_slice().iter().copied().zip(y.as_slice().iter().copied()));
            }
            (Some(Kind::BYTES), Some(Kind::BYTES)) => {
                if heap.get::<Bytes>(x)?.as_slice() != heap.get::<Bytes>(y)?.as_slice() {
                    return Ok(false);
                }
            }
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The order of two values, if there is one. Null comes last.
pub(crate) fn order(heap: &mut Heap, x: Cell, y: Cell) -> Outcome<Ordering> {
    let mut work = vec![(x, y)];
    while let Some((x, y)) = work.pop() {
        let order = match (x.unpack(), y.unpack()) {
            (Unpacked::Int(x), Unpacked::Int(y)) => x.cmp(&y),
            (Unpacked::Null, Unpacked::Null) => Ordering::Equal,
            (Unpacked::Null, _) => Ordering::Greater,
            (_, Unpacked::Null) => Ordering::Less,
            (Unpacked::Bool(x), Unpacked::Bool(y)) => x.cmp(&y),
            _ if is_text(x) && is_text(y) => (**heap.text(x)?).cmp(&**heap.text(y)?),
            _ if is_int(x) && is_int(y) => heap.cmp_int(x, y)?,
            _ if is_list(x) && is_list(y) => {
                let (x, y) = (elements(heap, x)?, elements(heap, y)?);
                // By the first elements that differ, then by length.
                work.push((Cell::from(x.len() as u32), Cell::from(y.len() as u32)));
                work.extend(x.into_iter().zip(y).rev());
                Ordering::Equal
            }
            _ if x.kind() == Some(Kind::MAP) && y.kind() == Some(Kind::MAP) => {
                let values = |cell: Cell| -> Outcome<Vec<(Cell, Cell)>> {
                    let mut entries: Vec<_> = heap.get::<Map>(cell)?.iter().collect();
                    let text =
                        |cell: Cell| heap.text(cell).map(|text| text.to_vec()).unwrap_or_default();
                    entries.sort_by_key(|entry| text(entry.0));
                    Ok(entries)
                };
                let (x, y) = (values(x)?, values(y)?);
                work.push((Cell::from(x.len() as u32), Cell::from(y.len() as u32)));
                let pairs = x.into_iter().zip(y).rev();
                work.extend(pairs.flat_map(|(x, y)| [(x.1, y.1), (x.0, y.0)]));
                Ordering::Equal
            }
            _ => match (number(heap, x), number(heap, y)) {
                (Some(x), Some(y)) => x.partial_cmp(&y).unwrap_or(Ordering::Equal),
                _ => {
                    let (x, y) = (type_name(heap, x), type_name(heap, y));
                    return trap(format!("type mismatch: {x} and {y} cannot be compared"));
                }
            },
        };
        if order != Ordering::Equal {
            return Ok(order);
        }
    }
    Ok(Ordering::Equal)
}

/// `<` or `<=`; nothing is below null, and no float below NaN.
pub(crate) fn below(heap: &mut Heap, x: Cell, y: Cell, or_equal: bool) -> Outcome<bool> {
    if x.is_null() || y.is_null() || [x, y].iter().any(|it| it.as_float().is_some_and(f64::is_nan))
    {
        return Ok(false);
    }
    let order = order(heap, x, y)?;
    Ok(order == Ordering::Less || or_equal && order == Ordering::Equal)
}

pub(crate) fn contains(heap: &mut Heap, shapes: &[Shape], all: Cell, item: Cell) -> Outcome<bool> {
    match all.kind() {
        Some(Kind::MAP) => Ok(entry(heap, shapes, all, item)?.is_some()),
        _ if is_text(all) => {
            let item = text(heap, shapes, item);
            Ok(heap.text(all)?.find(item.as_bytes()).is_some())
        }
        _ if is_list(all) || all.kind() == Some(Kind::STRUCT) => {
            for element in elements(heap, all)? {
                if equal(heap, element, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => trap(format!("nothing can be in {}", a(type_name(heap, all)))),
    }
}

// How values are shown.

/// In what form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As `print` does: a text as it is, a list as `[1, "a"]`.
    Print,
    /// As inside a list that is printed.
    Quoted,
    /// As `str` does: a list as `[1 a]`, a map as `map[k:v]`.
    Str,
    /// JSON, with indentation and without.
    Json,
    Compact,
}

impl Style {
    fn is_json(self) -> bool {
        matches!(self, Style::Json | Style::Compact)
    }

    fn comma(self) -> &'static str {
        match self {
            Style::Str => " ",
            Style::Print | Style::Quoted => ", ",
            Style::Json | Style::Compact => ",",
        }
    }
}

/// As `str` shows it.
pub(crate) fn text(heap: &Heap, shapes: &[Shape], cell: Cell) -> String {
    shown(heap, shapes, cell, Style::Str)
}

enum Item {
    Value(Cell, bool),
    Text(&'static str),
    Owned(String),
    Line,
    /// The end of a list that is being shown.
    End,
}

/// A value as text.
pub(crate) fn shown(heap: &Heap, shapes: &[Shape], cell: Cell, style: Style) -> String {
    let mut out = String::new();
    let mut work = vec![Item::Value(cell, style == Style::Print)];
    let mut open = Vec::new();
    let mut depth = 0_usize;
    while let Some(item) = work.pop() {
        match item {
            Item::Text(text) => out.push_str(text),
            Item::Owned(text) => out.push_str(&text),
            Item::Line => {
                out.push('\n');
                out.push_str(&"  ".repeat(depth));
            }
            Item::End => {
                open.pop();
                depth = depth.saturating_sub(1);
            }
            Item::Value(cell, bare) => {
                let is_open = cell.kind().is_some() && open.contains(&cell);
                if is_open || open.len() > 10_000 {
                    out.push_str(if cell.kind() == Some(Kind::MAP) { "{...}" } else { "[...]" });
                } else if let Some(parts) = parts(heap, shapes, cell, style) {
                    open.push(cell);
                    depth += 1;
                    work.extend(parts);
                } else {
                    scalar(heap, cell, style, bare, &mut out);
                }
            }
        }
    }
    out
}

fn scalar(heap: &Heap, cell: Cell, style: Style, bare: bool, out: &mut String) {
    match cell.unpack() {
        Unpacked::Null => out.push_str(match style {
            Style::Print | Style::Quoted => "nil",
            Style::Str => "<nil>",
            Style::Json | Style::Compact => "null",
        }),
        Unpacked::Float(float) if style == Style::Str || bare => {
            out.push_str(&go_float(float, -4..6))
        }
        Unpacked::Float(float) if style.is_json() => out.push_str(&go_float(float, -6..21)),
        Unpacked::Float(float) => {
            let text = plain_float(float);
            out.push_str(&text);
            if !text.contains('.') {
                out.push_str(".0");
            }
        }
        Unpacked::Object(Kind::CLOSURE) => {
            let _ = write!(
                out,
                "<function {}>",
                heap.get::<Closure>(cell).map_or(0, |it| it.function())
            );
        }
        _ => match heap.text(cell) {
            Ok(text) if style.is_json() => {
                let text = text.to_str_lossy();
                out.push('"');
                for c in text.chars() {
                    match c {
                        '"' => out.push_str("\\\""),
                        '\\' => out.push_str("\\\\"),
                        '\n' => out.push_str("\\n"),
                        '\r' => out.push_str("\\r"),
                        '\t' => out.push_str("\\t"),
                        '\u{8}' => out.push_str("\\b"),
                        '\u{c}' => out.push_str("\\f"),
                        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                            let _ = write!(out, "\\u{:04x}", u32::from(c));
                        }
                        c => out.push(c),
                    }
                }
                out.push('"');
            }
            Ok(text) if bare || style == Style::Str => out.push_str(&text.to_str_lossy()),
            Ok(text) => quote(&text.to_str_lossy(), out),
            Err(_) => {
                let _ = write!(out, "{}", heap.display(cell).limit(usize::MAX));
            }
        },
    }
}

/// Text in quotes, with escapes.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_control() && (c as u32) < 256 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// What a list, a map or a record is shown as, the last part first.
fn parts(heap: &Heap, shapes: &[Shape], cell: Cell, style: Style) -> Option<Vec<Item>> {
    let values = |values: &[Cell]| values.iter().map(|&it| vec![Item::Value(it, false)]).collect();
    let owned = |text: String| vec![Item::Owned(text)];
    let (brackets, items): (_, Vec<Vec<Item>>) = match cell.kind()? {
        Kind::LIST => (["[", "]"], values(heap.get::<List>(cell).ok()?.as_slice())),
        Kind::I64ARR => {
            let ints = heap.get::<I64Arr>(cell).ok()?.as_slice();
            (["[", "]"], ints.iter().map(|it| owned(it.to_string())).collect())
        }
        Kind::F64ARR => {
            let floats = heap.get::<F64Arr>(cell).ok()?.as_slice().iter();
            (["[", "]"], values(&floats.map(|&it| Cell::float(it)).collect::<Vec<_>>()))
        }
        Kind::BYTES => {
            let bytes = heap.get::<Bytes>(cell).ok()?.as_slice();
            (["[", "]"], bytes.iter().map(|it| owned(it.to_string())).collect())
        }
        Kind::MAP | Kind::STRUCT => {
            let brackets = if style == Style::Str { ["map[", "]"] } else { ["{", "}"] };
            (brackets, entries(heap, shapes, cell, style)?)
        }
        _ => return None,
    };
    let lines = style == Style::Json && !items.is_empty();
    let last = items.len().saturating_sub(1);
    let mut all = vec![Item::Text(brackets[0])];
    for (n, item) in items.into_iter().enumerate() {
        all.extend(lines.then_some(Item::Line));
        all.extend(item);
        all.extend((n < last).then_some(Item::Text(style.comma())));
    }
    all.push(Item::End);
    all.extend(lines.then_some(Item::Line));
    all.push(Item::Text(brackets[1]));
    all.reverse();
    Some(all)
}

/// The entries of a map or a record, in the order of their keys.
fn entries(heap: &Heap, shapes: &[Shape], cell: Cell, style: Style) -> Option<Vec<Vec<Item>>> {
    let value = |cell: Cell| Item::Value(cell, false);
    let mut entries: Vec<(String, Item)> = Vec::new();
    if cell.kind() == Some(Kind::MAP) {
        for (key, item) in heap.get::<Map>(cell).ok()?.iter() {
            entries.push((shown(heap, shapes, key, Style::Str), value(item)));
        }
    } else {
        let view = heap.get::<Struct>(cell).ok()?;
        let shape = shapes.get(view.shape() as usize)?;
        if view.shape() != 0 {
            let mut name = shape.name.clone();
            if style != Style::Str {
                name = quoted(&name);
            }
            entries.push(("__name".to_owned(), Item::Owned(name)));
        }
        let fields = shape.fields.iter().zip(view.as_slice());
        entries.extend(fields.map(|((field, _), &item)| (field.clone(), value(item))));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let colon = if matches!(style, Style::Str | Style::Compact) { ":" } else { ": " };
    let shown = entries.into_iter().map(|(key, item)| {
        let key = if style == Style::Str { key } else { quoted(&key) };
        vec![Item::Owned(key), Item::Text(colon), item]
    });
    Some(shown.collect())
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(text, &mut out);
    out
}

fn plain_float(float: f64) -> String {
    if float.is_nan() {
        "NaN".to_owned()
    } else if float.is_infinite() {
        if float > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        format!("{float}")
    }
}

/// The shortest form; with an exponent outside of these.
fn go_float(float: f64, exponents: std::ops::Range<i32>) -> String {
    if !float.is_finite() || float == 0.0 {
        return plain_float(float);
    }
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponents.contains(&exponent) {
        return plain_float(float);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
