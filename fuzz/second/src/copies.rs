//! Bulk copies between kinds, by the table of `Heap::copy_across`.

use segheap::{Bytes, Cell, Error, F64Arr, Handle, I64Arr, Kind, List, Str, U8Arr};

use crate::dice::{Bounds, out_of_range, resolve};
use crate::model::{Model, Object};
use crate::texts::part;
use crate::value::{Value, fits, values};
use crate::world::{Check, Made, World};

const KINDS: [Kind; 6] =
    [Kind::STR, Kind::BYTES, Kind::U8ARR, Kind::I64ARR, Kind::F64ARR, Kind::LIST];
/// Targets grow to about so many elements.
const FULL: usize = 1500;

/// Whether there is a route.
fn has_route(from: Kind, to: Kind, new: bool) -> bool {
    let bytes = |kind| matches!(kind, Kind::BYTES | Kind::U8ARR);
    match (from, to) {
        (_, Kind::STR) => new && (from == Kind::STR || bytes(from)),
        (Kind::STR, _) => bytes(to),
        (Kind::BYTES, Kind::F64ARR) | (Kind::F64ARR, Kind::BYTES) => false,
        _ => KINDS.contains(&from) && KINDS.contains(&to),
    }
}

/// An element as one of the target's.
fn convert(value: &Value, from: Kind, to: Kind) -> Option<Value> {
    let whole = match value {
        Value::Int(int) => Some(*int),
        // Floats in a list are no integers, not even whole ones.
        Value::Float(float) if from == Kind::F64ARR => {
            let fits = (-(2_f64.powi(63))..2_f64.powi(63)).contains(float);
            (fits && float.trunc() == *float).then_some(*float as i64)
        }
        _ => None,
    };
    match (to, value) {
        (Kind::LIST, Value::Int(int)) => fits(*int).then_some(Value::Int(*int)),
        (Kind::LIST, _) => Some(value.clone()),
        (Kind::F64ARR, Value::Float(float)) => Some(Value::Float(*float)),
        (Kind::F64ARR, Value::Int(int)) => {
            let float = *int as f64;
            (float as i128 == i128::from(*int)).then_some(Value::Float(float))
        }
        (Kind::I64ARR, _) => whole.map(Value::Int),
        (Kind::BYTES | Kind::U8ARR, _) => {
            whole.filter(|int| (0..256).contains(int)).map(Value::Int)
        }
        _ => None,
    }
}

/// The converted elements of a range.
fn converted(
    model: &Model,
    source: Cell,
    from: Kind,
    to: Kind,
    bounds: Bounds,
) -> Result<Vec<Value>, Error> {
    let items = match model.open(source, from)? {
        Object::Items { items, .. } => items.clone(),
        Object::Text(text) => values(text.as_bytes()),
        other => panic!("{other:?} is no source"),
    };
    let range = resolve(bounds, items.len())?;
    let indices = range.start as u32..;
    let convert =
        |(item, index)| convert(item, from, to).ok_or(Error::NotConvertible { index, to });
    items[range].iter().zip(indices).map(convert).collect()
}

fn kinds(w: &mut World) -> (Kind, Kind) {
    let from = w.dice.one(&KINDS);
    let to = if w.dice.percent(20) { from } else { w.dice.one(&KINDS) };
    (from, to)
}

/// The first error of both cells of a copy between kinds that are known at run time.
fn any_route(target: Option<Kind>, source: Cell, new: bool) -> Result<(Kind, Kind), Error> {
    let (Some(from), Some(to)) = (source.kind(), target) else { return Err(Error::NotAHandle) };
    if crate::model::is_seal(from) || crate::model::is_seal(to) {
        return Err(Error::Sealed);
    }
    if has_route(from, to, new) { Ok((from, to)) } else { Err(Error::NoRoute { from, to }) }
}

/// A copy to a target: the kinds of both, and the items of the target.
struct Opened {
    from: Kind,
    to: Kind,
    items: Vec<Value>,
}

/// Opens both objects of a copy; or the errors of which it may return one: which of two
/// stale objects is named is not documented.
fn opened(model: &Model, target: Cell, source: Cell) -> Result<Opened, Vec<Error>> {
    let (from, to) = any_route(target.kind(), source, false).map_err(|error| vec![error])?;
    let stale = [target, source].map(|cell| model.open_any(cell).err());
    let stale: Vec<Error> = stale.into_iter().flatten().collect();
    if !stale.is_empty() {
        return Err(stale);
    }
    let items = model.items(target, to).map_err(|error| vec![error])?.clone();
    Ok(Opened { from, to, items })
}

/// A copy over elements of the target.
pub(crate) fn copy(w: &mut World) -> Check {
    let (from, to) = kinds(w);
    let (source, target) = (w.pick(from), w.pick(to));
    let target = if w.dice.percent(15) { source } else { target };
    let len = w.len_of(source);
    let bounds = w.dice.bounds(len.min(9));
    let len = w.len_of(target);
    // Mostly a place where the range fits.
    let count = resolve(bounds, w.len_of(source)).map_or(0, |range| range.len());
    let at = match len.checked_sub(count).filter(|_| w.dice.percent(80)) {
        Some(last) => w.dice.below(last + 1),
        None => w.dice.index(len + 1),
    };
    w.note(|| format!("copy_across {target:?} {at} {source:?} {bounds:?}"));
    let model = w.model();
    let want = opened(model, target, source).and_then(|Opened { from, to, mut items }| {
        let new = converted(model, source, from, to, bounds);
        let len = match &new {
            Ok(new) => Ok(new.len()),
            Err(Error::NotConvertible { .. }) => {
                Ok(resolve(bounds, len_of(model, source)).map_or(0, |range| range.len()))
            }
            Err(error) => Err(*error),
        };
        let room = len.map(|len| at.saturating_add(len)).and_then(|end| match end {
            end if end > items.len() => Err(out_of_range(end, items.len())),
            end => Ok(end),
        });
        let end = room.map_err(|error| vec![error])?;
        items.splice(at..end, new.map_err(|error| vec![error])?);
        Ok(items)
    });
    let got = if w.dice.percent(50) {
        w.heap().copy_across_any(target, at, source, bounds)
    } else {
        typed_copy(w, target, at, source, bounds)
    };
    let new = want.clone();
    if w.settle(got, want.map(drop))?.is_some() {
        w.model().set_items(target, new.expect("predicted"));
    }
    Ok(())
}

fn len_of(model: &Model, cell: Cell) -> usize {
    match model.find(cell) {
        Some(Object::Items { items, .. }) => items.len(),
        Some(Object::Text(text)) => text.len(),
        _ => 0,
    }
}

macro_rules! typed {
    ($heap:ident $target:ident $source:ident: $($From:ident => $To:ident)*, |$s:ident, $t:ident| $run:expr, $other:expr) => {
        match ($source.kind(), $target) {
            $((Some(from), to) if from == <$From as segheap::HasKind>::KIND
                && to == Some(<$To as segheap::HasKind>::KIND) => {
                let $s: Handle<$From> = $source.to_handle()?;
                let $t = std::marker::PhantomData::<$To>;
                let _ = $t;
                $run
            })*
            _ => $other,
        }
    };
}

/// The copy by types, if the kinds have a route.
fn typed_copy(
    w: &mut World,
    target: Cell,
    at: usize,
    source: Cell,
    bounds: Bounds,
) -> Result<(), Error> {
    let (heap, kind) = (w.heap(), target.kind());
    typed!(heap kind source: Str => Bytes Str => U8Arr Bytes => U8Arr Bytes => List U8Arr => F64Arr
        I64Arr => I64Arr I64Arr => F64Arr F64Arr => I64Arr F64Arr => List F64Arr => U8Arr
        List => I64Arr List => F64Arr List => List List => Bytes U8Arr => U8Arr I64Arr => U8Arr,
        |s, t| { let to = typed_as(t, target)?; heap.copy_across(to, at, s, bounds) },
        heap.copy_across_any(target, at, source, bounds))
}

fn typed_as<K: segheap::HasKind>(
    _: std::marker::PhantomData<K>,
    cell: Cell,
) -> Result<Handle<K>, Error> {
    cell.to_handle()
}

/// A copy to the end of the target.
pub(crate) fn append(w: &mut World) -> Check {
    let (from, to) = kinds(w);
    let (source, target) = (w.pick(from), w.pick(to));
    let target = if w.dice.percent(15) { source } else { target };
    if w.len_of(source) + w.len_of(target) > FULL {
        return Ok(());
    }
    let len = w.len_of(source);
    let bounds = w.dice.bounds(len);
    w.note(|| format!("append_across {target:?} {source:?} {bounds:?}"));
    let model = w.model();
    let want = opened(model, target, source).and_then(|Opened { from, to, mut items }| {
        let more = converted(model, source, from, to, bounds);
        items.extend(more.map_err(|error| vec![error])?);
        Ok(items)
    });
    let got = if w.dice.percent(50) {
        w.heap().append_across_any(target, source, bounds)
    } else {
        let (heap, kind) = (w.heap(), target.kind());
        typed_append(heap, kind, target, source, bounds)
    };
    let new = want.clone();
    if w.settle_growing(got, want.map(drop))?.is_some() {
        w.model().set_items(target, new.expect("predicted"));
    }
    Ok(())
}

fn typed_append(
    heap: &mut segheap::Heap,
    kind: Option<Kind>,
    target: Cell,
    source: Cell,
    bounds: Bounds,
) -> Result<(), Error> {
    typed!(heap kind source: Str => Bytes Str => U8Arr Bytes => I64Arr Bytes => Bytes U8Arr => List
        U8Arr => I64Arr I64Arr => List I64Arr => Bytes F64Arr => F64Arr F64Arr => I64Arr
        List => I64Arr List => F64Arr List => List List => U8Arr,
        |s, t| { let to = typed_as(t, target)?; heap.append_across(to, s, bounds) },
        heap.append_across_any(target, source, bounds))
}

/// A new object with converted elements.
pub(crate) fn convert_new(w: &mut World) -> Check {
    let (from, mut to) = kinds(w);
    if w.dice.percent(5) {
        to = w.dice.one(&Kind::ALL);
    }
    let source = w.pick(from);
    let len = w.len_of(source);
    let bounds = w.dice.bounds(len);
    w.note(|| format!("convert_across {to:?} {source:?} {bounds:?}"));
    let model = w.model();
    let want = any_route(Some(to), source, true).and_then(|(from, to)| {
        if let Object::Text(text) = model.open(source, from)?
            && to == Kind::STR
        {
            return Ok(Object::Text(part(text, bounds)?));
        }
        if to == Kind::STR {
            let bytes = converted(model, source, from, Kind::U8ARR, bounds)?;
            let bytes: Vec<u8> = bytes.iter().map(<u8 as crate::value::Item>::of).collect();
            let start = resolve(bounds, len_of(model, source))?.start;
            return String::from_utf8(bytes).map(Object::Text).map_err(|error| Error::NotUtf8 {
                valid_up_to: (start + error.utf8_error().valid_up_to()) as u32,
            });
        }
        let items = converted(model, source, from, to, bounds)?;
        Ok(Object::Items { kind: to, header: 0, items })
    });
    let typed = w.dice.percent(50);
    let heap = w.heap();
    let got = if typed {
        typed_convert(heap, Some(to), source, bounds)
    } else {
        heap.convert_across_any(to, source, bounds)
    };
    w.settle_made(got, want.map(Made::Object).map_err(|error| vec![error])).map(drop)
}

fn typed_convert(
    heap: &mut segheap::Heap,
    kind: Option<Kind>,
    source: Cell,
    bounds: Bounds,
) -> Result<Cell, Error> {
    typed!(heap kind source: Str => Str Str => Bytes Bytes => Str U8Arr => Str I64Arr => F64Arr
        F64Arr => I64Arr F64Arr => U8Arr List => I64Arr List => F64Arr List => List F64Arr => List
        I64Arr => List,
        |s, t| convert_to(heap, t, s, bounds),
        heap.convert_across_any(kind.expect("a kind"), source, bounds))
}

fn convert_to<S: segheap::ConvertTo<D>, D: segheap::Object>(
    heap: &mut segheap::Heap,
    _: std::marker::PhantomData<D>,
    source: Handle<S>,
    bounds: Bounds,
) -> Result<Cell, Error> {
    heap.convert_across::<D>(source, bounds).map(Cell::from)
}
