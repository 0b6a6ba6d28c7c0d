//! Range hints and windows.

use std::fmt::Debug;

use segheap::{Cell, Error, Handle, HasKind, Heap, Kind, Mutable, RangeHint, Sequence};

use crate::dice::{Bounds, out_of_range, resolve};
use crate::for_kind;
use crate::picks::{CELLS, GROWABLE};
use crate::value::{Item, Value, values};
use crate::world::{Check, World};

/// A hint of some kind.
trait AnyHint {
    fn len(&self) -> usize;
    fn get(&mut self, heap: &Heap, index: usize) -> Result<Value, Error>;
    fn set(&mut self, heap: &mut Heap, index: usize, value: &Value) -> Result<(), Error>;
    fn narrow(&self, bounds: Bounds) -> Result<Box<dyn AnyHint>, Error>;
}

impl<K: Mutable<Element: Item>> AnyHint for RangeHint<K> {
    fn len(&self) -> usize {
        assert_eq!(self.is_empty(), RangeHint::len(self) == 0);
        RangeHint::len(self)
    }
    fn get(&mut self, heap: &Heap, index: usize) -> Result<Value, Error> {
        RangeHint::get(self, heap, index).map(Item::value)
    }
    fn set(&mut self, heap: &mut Heap, index: usize, value: &Value) -> Result<(), Error> {
        RangeHint::set(self, heap, index, K::Element::of(value))
    }
    fn narrow(&self, bounds: Bounds) -> Result<Box<dyn AnyHint>, Error> {
        Ok(Box::new(RangeHint::narrow(self, bounds)?))
    }
}

/// A hint of the heap, and what the model knows of it.
pub(crate) struct Hint {
    hint: Box<dyn AnyHint>,
    object: Cell,
    start: usize,
    len: usize,
    /// Whether slots were recycled since, perhaps in its arena.
    pub(crate) doubtful: bool,
}

/// Takes a hint.
pub(crate) fn take(w: &mut World) -> Check {
    let kind = if w.dice.percent(60) { w.dice.one(&GROWABLE) } else { w.dice.one(&CELLS) };
    for_kind!(w, kind, take_of, [List Bytes U8Arr I64Arr F64Arr Struct Closure Pair])
}

fn take_of<K: Mutable<Element: Item>>(w: &mut World) -> Check {
    let object = w.pick(K::KIND);
    let len = w.len_of(object);
    let bounds = w.dice.bounds(len);
    w.note(|| format!("hint {object:?} {bounds:?}"));
    let items = w.model().items(object, K::KIND);
    let want = items.and_then(|items| resolve(bounds, items.len()));
    let range = want.clone().unwrap_or_default();
    let hint = w.heap().hint::<K>(object, bounds);
    let got = hint.as_ref().map(|hint| hint.len()).map_err(|error| *error);
    let want = want.map(|range| range.len()).map_err(|error| vec![error]);
    if w.settle(got, want)?.is_some() {
        let hint: Box<dyn AnyHint> = Box::new(hint.expect("as settled"));
        let new = Hint { hint, object, start: range.start, len: range.len(), doubtful: false };
        put(w, new);
    }
    Ok(())
}

fn put(w: &mut World, hint: Hint) {
    let hints = &mut w.sides[w.me].hints;
    if hints.len() < 12 {
        return hints.push(hint);
    }
    let place = w.dice.below(12);
    w.side().hints[place] = hint;
}

/// What an access by a hint returns.
fn predict(w: &mut World, hint: &Hint, index: usize, owner: bool) -> Result<Value, Vec<Error>> {
    let kind = hint.object.kind().expect("a handle");
    let gone = vec![Error::Stale { kind }];
    if !owner {
        return Err(gone);
    }
    let items = w.model().items(hint.object, kind).map_err(|_| gone)?;
    let end = hint.start + hint.len;
    if end > items.len() {
        return Err(vec![out_of_range(end, items.len())]);
    }
    if index >= hint.len {
        return Err(vec![out_of_range(index, hint.len)]);
    }
    Ok(items[hint.start + index].clone())
}

/// Reads, writes or narrows by a hint.
pub(crate) fn access(w: &mut World) -> Check {
    let count = w.side().hints.len();
    if count == 0 {
        return take(w);
    }
    let place = w.dice.below(count);
    let mut hint = w.side().hints.swap_remove(place);
    if w.model().find(hint.object).is_none() && w.dice.percent(60) {
        return take(w);
    }
    let (index, form) = (w.dice.index(hint.len), w.dice.below(10));
    let bounds = w.dice.bounds(hint.len);
    w.note(|| {
        format!(
            "hint of {:?} {} + {}: {form} {index} {bounds:?}",
            hint.object, hint.start, hint.len
        )
    });
    let done = match form {
        0 => narrow(w, &hint, bounds),
        1..=4 => write(w, &mut hint, index),
        5 => {
            // In the other heap.
            let want = predict(w, &hint, index, false);
            let other = 1 - w.me;
            let got = hint.hint.get(&w.sides[other].heap, index);
            w.settle(got, want).map(drop)
        }
        _ => {
            let want = predict(w, &hint, index, true);
            let got = hint.hint.get(&w.sides[w.me].heap, index);
            settle_doubtful(w, &hint, got, want).map(drop)
        }
    };
    w.side().hints.push(hint);
    done
}

/// Hints that are older than a recycling may be rejected.
fn settle_doubtful<T: Debug + PartialEq>(
    w: &mut World,
    hint: &Hint,
    got: Result<T, Error>,
    want: Result<T, Vec<Error>>,
) -> Check<Option<T>> {
    let rejected = matches!(got, Err(Error::Stale { .. }));
    let want = if hint.doubtful && rejected { Err(vec![got_error(&got)]) } else { want };
    w.settle(got, want)
}

fn got_error<T>(got: &Result<T, Error>) -> Error {
    got.as_ref().err().copied().unwrap_or(Error::Corrupt)
}

fn narrow(w: &mut World, hint: &Hint, bounds: Bounds) -> Check {
    let want = resolve(bounds, hint.len).map_err(|error| vec![error]);
    let narrowed = hint.hint.narrow(bounds);
    let got = narrowed.as_ref().map(|hint| hint.len()).map_err(|error| *error);
    let range = want.clone().unwrap_or_default();
    if w.settle(got, want.map(|range| range.len()))?.is_some() {
        let (start, len) = (hint.start + range.start, range.len());
        let narrowed = narrowed.expect("as settled");
        put(w, Hint { hint: narrowed, object: hint.object, start, len, doubtful: hint.doubtful });
    }
    Ok(())
}

fn write(w: &mut World, hint: &mut Hint, index: usize) -> Check {
    let kind = hint.object.kind().expect("a handle");
    let value = match kind {
        Kind::BYTES | Kind::U8ARR => w.item::<u8>(kind).value(),
        Kind::I64ARR => w.item::<i64>(kind).value(),
        Kind::F64ARR => w.item::<f64>(kind).value(),
        _ => w.item::<Cell>(kind).value(),
    };
    let want = predict(w, hint, index, true).map(drop);
    let got = hint.hint.set(&mut w.sides[w.me].heap, index, &value);
    if settle_doubtful(w, hint, got, want)?.is_some() {
        let mut items = w.model().items(hint.object, kind).expect("predicted").clone();
        items[hint.start + index] = value;
        w.model().set_items(hint.object, items);
    }
    Ok(())
}

/// Windows of several objects, or of parts of one.
pub(crate) fn windows(w: &mut World) -> Check {
    match w.dice.below(4) {
        0 => two::<segheap::List, segheap::List>(w),
        1 => two::<segheap::U8Arr, segheap::I64Arr>(w),
        2 => two::<segheap::Bytes, segheap::Bytes>(w),
        _ => two::<segheap::F64Arr, segheap::Struct>(w),
    }
}

fn target<K: HasKind>(w: &mut World) -> Option<(Handle<K>, Bounds)> {
    let cell = w.pick(K::KIND);
    let handle = cell.to_handle::<K>();
    let want = match cell.kind() {
        None => Err(Error::NotAHandle),
        Some(found) if crate::model::is_seal(found) => Err(Error::Sealed),
        Some(found) if found != K::KIND => Err(Error::WrongKind { found, wanted: K::KIND }),
        Some(_) => Ok(cell),
    };
    assert_eq!(handle.map(Handle::cell), want);
    let len = w.len_of(cell);
    Some((handle.ok()?, w.dice.bounds(len)))
}

/// Reverses the elements of three ranges: of two objects, and of a third of either kind.
fn two<A: Mutable<Element: Item>, B: Mutable<Element: Item>>(w: &mut World) -> Check {
    let (Some(a), Some(b), Some(c)) = (target::<A>(w), target::<B>(w), target::<A>(w)) else {
        return Ok(());
    };
    let whole = w.dice.percent(20);
    let c = if w.dice.percent(30) { (a.0, c.1) } else { c };
    w.note(|| format!("windows_mut {a:?} {b:?} {c:?}, whole: {whole}"));
    let unbounded = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    let all = [
        (a.0.cell(), a.1, A::KIND),
        (b.0.cell(), if whole { unbounded } else { b.1 }, B::KIND),
        (c.0.cell(), c.1, A::KIND),
    ];
    let mut ranges = Vec::new();
    let mut want = Ok(());
    for (cell, bounds, kind) in all {
        let range = w.model().items(cell, kind).and_then(|items| resolve(bounds, items.len()));
        match range {
            Ok(range) => {
                let overlaps = |(other, taken): &(Cell, std::ops::Range<usize>)| {
                    *other == cell && taken.start.max(range.start) < taken.end.min(range.end)
                };
                if ranges.iter().any(overlaps) {
                    want = want.and(Err(Error::Overlap));
                }
                ranges.push((cell, range));
            }
            // An overlap comes last.
            Err(error) if !matches!(want, Err(other) if other != Error::Overlap) => {
                want = Err(error);
            }
            Err(_) => {}
        }
    }
    let got = if whole {
        w.heap().windows_mut((a, b.0, c)).map(reverse)
    } else {
        w.heap().windows_mut((a, b, c)).map(reverse)
    };
    let lens = want.map(|()| ranges.iter().map(|(_, range)| range.len()).collect::<Vec<_>>());
    if w.settle(got, lens.map_err(|error| vec![error]))?.is_some() {
        for (cell, range) in ranges {
            let kind = cell.kind().expect("a handle");
            let mut items = w.model().items(cell, kind).expect("predicted").clone();
            items[range].reverse();
            w.model().set_items(cell, items);
        }
    }
    Ok(())
}

fn reverse<A, B>((a, b, c): (&mut [A], &mut [B], &mut [A])) -> Vec<usize> {
    a.reverse();
    b.reverse();
    c.reverse();
    vec![a.len(), b.len(), c.len()]
}

/// Reads elements of an immutable sequence by a hint.
pub(crate) fn text_hint(w: &mut World) -> Check {
    let cell = w.pick(Kind::STR);
    let len = w.len_of(cell);
    let (bounds, index) = (w.dice.bounds(len), w.dice.index(len));
    w.note(|| format!("hint {cell:?} {bounds:?} {index}"));
    let want = w.model().open(cell, Kind::STR).and_then(|object| {
        let crate::model::Object::Text(text) = object else { panic!("{object:?} is no text") };
        let items = values(text.as_bytes());
        let items = &items[resolve(bounds, items.len())?];
        items.get(index).cloned().ok_or_else(|| out_of_range(index, items.len()))
    });
    let got = hint_of::<segheap::Str>(w.heap(), cell, bounds, index);
    w.settle(got, want.map_err(|error| vec![error])).map(drop)
}

fn hint_of<K: Sequence<Element: Item>>(
    heap: &mut Heap,
    cell: Cell,
    bounds: Bounds,
    index: usize,
) -> Result<Value, Error> {
    let mut hint = heap.hint::<K>(cell, bounds)?;
    hint.get(heap, index).map(Item::value)
}
