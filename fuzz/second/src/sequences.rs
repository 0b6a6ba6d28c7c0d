//! Operations on sequences: elements, ranges, growth.

use std::fmt::Debug;

use segheap::{Cell, Cursor, Error, Growable, HasKind, Mutable, Sequence, ViewMut};

use crate::dice::{out_of_range, resolve};
use crate::model::Object;
use crate::picks::{CELLS, GROWABLE};
use crate::value::{Item, Value, values};
use crate::world::{Check, Walk, World};

/// Calls a function for one of several kinds, as a type.
#[macro_export]
#[doc(hidden)]
macro_rules! for_kind {
    ($world:expr, $kind:expr, $function:ident, [$($Kind:ident)*]) => {
        match $kind {
            $(kind if kind == <segheap::$Kind as segheap::HasKind>::KIND => {
                $function::<segheap::$Kind>($world)
            })*
            other => panic!("no row for {other:?}"),
        }
    };
}

/// Objects grow to about so many elements.
const FULL: usize = 700;

/// Runs a change of a sequence on the heap, and on a copy of the model's elements.
pub(crate) fn edit<K: Mutable<Element: Item>, T: Debug + PartialEq>(
    w: &mut World,
    cell: Cell,
    grows: bool,
    predict: impl FnOnce(&mut Vec<Value>) -> Result<T, Error>,
    run: impl FnOnce(&mut ViewMut<'_, K>) -> Result<T, Error>,
) -> Check {
    let items = w.model().items(cell, K::KIND).cloned();
    let want = items.and_then(|mut items| predict(&mut items).map(|result| (items, result)));
    let got = w.heap().get_mut::<K>(cell).and_then(|mut view| run(&mut view));
    let (items, want) = match want {
        Ok((items, want)) => (items, Ok(want)),
        Err(error) => (Vec::new(), Err(vec![error])),
    };
    let done = if grows { w.settle_growing(got, want)? } else { w.settle(got, want)? };
    if done.is_some() {
        w.model().set_items(cell, items);
    }
    Ok(())
}

fn growable(w: &mut World) -> segheap::Kind {
    if w.dice.percent(40) { segheap::Kind::LIST } else { w.dice.one(&GROWABLE) }
}

fn mutable(w: &mut World) -> segheap::Kind {
    if w.dice.percent(50) { growable(w) } else { w.dice.one(&CELLS) }
}

macro_rules! per_kind {
    ($($(#[$doc:meta])* $name:ident => $generic:ident by $choose:ident $kinds:tt;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(w: &mut World) -> Check {
            let kind = $choose(w);
            for_kind!(w, kind, $generic, $kinds)
        }
    )*};
}

per_kind! {
    /// Appends an element.
    push => push_to by growable [List Bytes U8Arr I64Arr F64Arr];
    /// Removes the last element.
    pop => pop_from by growable [List Bytes U8Arr I64Arr F64Arr];
    /// Inserts an element.
    insert => insert_into by growable [List Bytes U8Arr I64Arr F64Arr];
    /// Removes an element.
    remove => remove_from by growable [List Bytes U8Arr I64Arr F64Arr];
    /// Appends elements.
    extend => extend_by by growable [List Bytes U8Arr I64Arr F64Arr];
    /// Changes a length.
    resize => resize_to by growable [List Bytes U8Arr I64Arr F64Arr];
    /// Reserves capacity.
    reserve => reserve_in by growable [List Bytes U8Arr I64Arr F64Arr];
    /// Overwrites an element.
    set => set_in by mutable [List Bytes U8Arr I64Arr F64Arr Struct Closure Pair];
    /// Overwrites a range.
    fill => fill_in by mutable [List Bytes U8Arr I64Arr F64Arr Struct Closure Pair];
    /// Moves a range, or reverses all.
    shift => shift_in by mutable [List Bytes U8Arr I64Arr F64Arr Struct Closure Pair];
    /// Writes a slice.
    write => write_to by mutable [List Bytes U8Arr I64Arr F64Arr Struct Closure Pair];
    /// Reads an element or a range.
    read => read_from by readable [List Bytes U8Arr I64Arr F64Arr Struct Closure Pair];
    /// Advances a cursor.
    step => step_in by readable [List Bytes U8Arr I64Arr F64Arr Struct Closure Pair];
    /// Searches an element.
    search => search_in by readable [List Bytes U8Arr I64Arr F64Arr Struct Closure Pair];
}

fn readable(w: &mut World) -> segheap::Kind {
    mutable(w)
}

fn push_to<K: Growable<Element: Item>>(w: &mut World) -> Check {
    let (cell, item) = (w.pick(K::KIND), w.item::<K::Element>(K::KIND));
    if w.len_of(cell) > FULL {
        return truncate_in::<K>(w);
    }
    w.note(|| format!("push {cell:?} {item:?}"));
    edit::<K, ()>(w, cell, true, |items| Ok(items.push(item.value())), |view| view.push(item))
}

fn pop_from<K: Growable<Element: Item>>(w: &mut World) -> Check {
    let cell = w.pick(K::KIND);
    w.note(|| format!("pop {cell:?}"));
    edit::<K, _>(
        w,
        cell,
        false,
        |items| Ok(items.pop()),
        |view| view.pop().map(|popped| popped.map(Item::value)),
    )
}

fn insert_into<K: Growable<Element: Item>>(w: &mut World) -> Check {
    let (cell, item) = (w.pick(K::KIND), w.item::<K::Element>(K::KIND));
    let len = w.len_of(cell);
    let index = w.dice.index(len + 1);
    if len > FULL {
        return truncate_in::<K>(w);
    }
    w.note(|| format!("insert {cell:?} {index} {item:?}"));
    let predict = |items: &mut Vec<Value>| {
        if index > items.len() {
            return Err(out_of_range(index, items.len()));
        }
        items.insert(index, item.value());
        Ok(())
    };
    edit::<K, _>(w, cell, true, predict, |view| view.insert(index, item))
}

fn remove_from<K: Growable<Element: Item>>(w: &mut World) -> Check {
    let cell = w.pick(K::KIND);
    let len = w.len_of(cell);
    let index = w.dice.index(len);
    w.note(|| format!("remove {cell:?} {index}"));
    let predict = |items: &mut Vec<Value>| {
        if index >= items.len() {
            return Err(out_of_range(index, items.len()));
        }
        Ok(items.remove(index))
    };
    edit::<K, _>(w, cell, false, predict, |view| view.remove(index).map(Item::value))
}

fn truncate_in<K: Growable<Element: Item>>(w: &mut World) -> Check {
    let cell = w.pick(K::KIND);
    let len = w.dice.len() + w.dice.index(9);
    w.note(|| format!("truncate {cell:?} {len}"));
    edit::<K, ()>(w, cell, false, |items| Ok(items.truncate(len)), |view| view.truncate(len))
}

fn extend_by<K: Growable<Element: Item>>(w: &mut World) -> Check {
    let cell = w.pick(K::KIND);
    if w.len_of(cell) > FULL {
        return truncate_in::<K>(w);
    }
    let more = w.some_items::<K::Element>(K::KIND);
    w.note(|| format!("extend {cell:?} {more:?}"));
    let predict = |items: &mut Vec<Value>| Ok(items.extend(values(&more)));
    edit::<K, ()>(w, cell, true, predict, |view| view.extend(&more))
}

/// A length, now and then one that no object has.
fn length(w: &mut World) -> usize {
    let large = [1 << 40, (1 << 40) + 7, usize::MAX, usize::MAX - 3];
    if w.dice.percent(4) { w.dice.one(&large) } else { w.dice.len() }
}

fn resize_to<K: Growable<Element: Item>>(w: &mut World) -> Check {
    let (cell, item) = (w.pick(K::KIND), w.item::<K::Element>(K::KIND));
    let len = length(w);
    w.note(|| format!("resize {cell:?} {len} {item:?}"));
    let predict = |items: &mut Vec<Value>| {
        if len >= 1 << 32 {
            return Err(Error::ObjectTooLarge);
        }
        Ok(items.resize(len, item.value()))
    };
    edit::<K, ()>(w, cell, true, predict, |view| view.resize(len, item))
}

fn reserve_in<K: Growable<Element: Item>>(w: &mut World) -> Check {
    let cell = w.pick(K::KIND);
    let more = length(w);
    w.note(|| format!("reserve {cell:?} {more}"));
    let predict =
        |_: &mut Vec<Value>| if more >= 1 << 32 { Err(Error::ObjectTooLarge) } else { Ok(()) };
    edit::<K, ()>(w, cell, true, predict, |view| view.reserve(more))
}

fn set_in<K: Mutable<Element: Item>>(w: &mut World) -> Check {
    let (cell, item) = (w.pick(K::KIND), w.item::<K::Element>(K::KIND));
    let len = w.len_of(cell);
    let index = w.dice.index(len);
    w.note(|| format!("set {cell:?} {index} {item:?}"));
    let predict = |items: &mut Vec<Value>| {
        let len = items.len();
        *items.get_mut(index).ok_or_else(|| out_of_range(index, len))? = item.value();
        Ok(())
    };
    edit::<K, _>(w, cell, false, predict, |view| view.set(index, item))
}

fn fill_in<K: Mutable<Element: Item>>(w: &mut World) -> Check {
    let (cell, item) = (w.pick(K::KIND), w.item::<K::Element>(K::KIND));
    let len = w.len_of(cell);
    let bounds = w.dice.bounds(len);
    w.note(|| format!("fill {cell:?} {bounds:?} {item:?}"));
    let predict = |items: &mut Vec<Value>| {
        let range = resolve(bounds, items.len())?;
        items[range].fill(item.value());
        Ok(())
    };
    edit::<K, _>(w, cell, false, predict, |view| view.fill(bounds, item))
}

fn shift_in<K: Mutable<Element: Item>>(w: &mut World) -> Check {
    let cell = w.pick(K::KIND);
    if w.dice.percent(20) {
        w.note(|| format!("reverse {cell:?}"));
        return edit::<K, ()>(w, cell, false, |items| Ok(items.reverse()), |view| view.reverse());
    }
    let len = w.len_of(cell);
    let bounds = w.dice.bounds(len);
    let count = resolve(bounds, len).map_or(0, |range| range.len());
    let to = if w.dice.percent(80) { w.dice.below(len + 1 - count) } else { w.dice.index(len) };
    w.note(|| format!("copy_within {cell:?} {bounds:?} to {to}"));
    let predict = |items: &mut Vec<Value>| {
        let range = resolve(bounds, items.len())?;
        let end = to.saturating_add(range.len());
        if end > items.len() {
            return Err(out_of_range(end, items.len()));
        }
        let copied = items[range].to_vec();
        items.splice(to..end, copied);
        Ok(())
    };
    edit::<K, _>(w, cell, false, predict, |view| view.copy_within(bounds, to))
}

fn write_to<K: Mutable<Element: Item>>(w: &mut World) -> Check {
    let (cell, item) = (w.pick(K::KIND), w.item::<K::Element>(K::KIND));
    let len = w.len_of(cell);
    let (bounds, form) = (w.dice.bounds(len), w.dice.below(3));
    w.note(|| format!("write {form} {cell:?} {bounds:?} {item:?}"));
    let predict = |items: &mut Vec<Value>| {
        let range = if form == 0 { 0..items.len() } else { resolve(bounds, items.len())? };
        let slice = &mut items[range];
        slice.reverse();
        if let Some(first) = slice.first_mut() {
            *first = item.value();
        }
        Ok(slice.len())
    };
    let change = |slice: &mut [K::Element]| {
        slice.reverse();
        if let Some(first) = slice.first_mut() {
            *first = item;
        }
        slice.len()
    };
    if form < 2 {
        let run = |view: &mut ViewMut<'_, K>| {
            let slice = if form == 0 { Ok(view.as_mut_slice()) } else { view.slice_mut(bounds) };
            slice.map(change)
        };
        return edit::<K, _>(w, cell, false, predict, run);
    }
    let items = w.model().items(cell, K::KIND).cloned();
    let want = items.and_then(|mut items| predict(&mut items).map(|len| (items, len)));
    let got = w.heap().window_mut::<K>(cell, bounds).map(change);
    let new = want.as_ref().ok().map(|(items, _)| items.clone());
    if w.settle(got, want.map(|(_, len)| len).map_err(|error| vec![error]))?.is_some() {
        w.model().set_items(cell, new.expect("predicted"));
    }
    Ok(())
}

fn read_from<K: Sequence<Element: Item>>(w: &mut World) -> Check {
    let cell = w.pick(K::KIND);
    let len = w.len_of(cell);
    let (index, bounds, form) = (w.dice.index(len), w.dice.bounds(len), w.dice.below(4));
    w.note(|| format!("read {form} {cell:?} {index} {bounds:?}"));
    let items = w.model().items(cell, K::KIND).cloned();
    let want = items.and_then(|items| {
        if form > 1 {
            return Ok(items[resolve(bounds, items.len())?].to_vec());
        }
        let item = items.get(index).ok_or_else(|| out_of_range(index, items.len()));
        item.map(|item| vec![item.clone()])
    });
    let heap = w.heap();
    let got = match form {
        0 => heap.get::<K>(cell).and_then(|view| view.get(index)).map(|item| vec![item.value()]),
        1 => heap
            .get_mut::<K>(cell)
            .and_then(|view| view.view().get(index))
            .map(|item| vec![item.value()]),
        2 => heap.get::<K>(cell).and_then(|view| view.slice(bounds)).map(values),
        _ => heap.window::<K>(cell, bounds).map(values),
    };
    w.settle(got, want.map_err(|error| vec![error])).map(drop)
}

/// Advances a cursor in a sequence: a new one, or an old one.
fn step_in<K: Sequence<Element: Item>>(w: &mut World) -> Check {
    let walks = &w.side().walks;
    let old = walks.iter().rposition(|walk| walk.object.kind() == Some(K::KIND));
    let place = match old.filter(|_| w.dice.percent(80)) {
        Some(place) => place,
        None => new_walk(w, K::KIND),
    };
    let mut walk = w.side().walks[place];
    w.note(|| format!("next {walk:?}"));
    let got = w.heap().get::<K>(walk.object).map(|view| view.next(&mut walk.cursor));
    let got = got.map(|item| item.map(Item::value));
    let items = w.model().items(walk.object, K::KIND);
    let want = items.map(|items| items.get(walk.at as usize).cloned());
    walk.at += u64::from(matches!(want, Ok(Some(_))));
    let want = want.map_err(|error| vec![error]);
    w.side().walks[place] = walk;
    w.settle(got, want).map(drop)
}

/// Starts an iteration; returns its place.
pub(crate) fn new_walk(w: &mut World, kind: segheap::Kind) -> usize {
    let object = w.pick(kind);
    let place = w.dice.below(w.sides[w.me].walks.len());
    w.side().walks[place] = Walk { object, cursor: Cursor::default(), at: 0 };
    place
}

fn search_in<K: Sequence<Element: Item>>(w: &mut World) -> Check {
    let cell = w.pick(K::KIND);
    let len = w.len_of(cell);
    let bounds = w.dice.bounds(len);
    let items = w.model().items(cell, K::KIND).cloned();
    let wanted = match &items {
        Ok(items) if !items.is_empty() && w.dice.percent(70) => {
            K::Element::of(&items[w.dice.below(items.len())])
        }
        _ => w.item::<K::Element>(K::KIND),
    };
    w.note(|| format!("find {cell:?} {bounds:?} {wanted:?}"));
    let equal = |item: &Value| match (item, wanted.value()) {
        (Value::Float(a), Value::Float(b)) if K::KIND == segheap::Kind::F64ARR => *a == b,
        (item, wanted) => *item == wanted,
    };
    let want = items.and_then(|items| {
        let range = resolve(bounds, items.len())?;
        let found = items[range.clone()].iter().position(equal);
        Ok(found.map(|index| index + range.start))
    });
    let got = w.heap().get::<K>(cell).and_then(|view| view.find(bounds, wanted));
    w.settle(got, want.map_err(|error| vec![error])).map(drop)
}

/// Allocates an object of any kind but integers, texts and tables.
pub(crate) fn alloc(w: &mut World) -> Check {
    let kind = mutable(w);
    match kind {
        segheap::Kind::STRUCT => alloc_struct(w),
        segheap::Kind::CLOSURE => {
            let (header, items) = (w.dice.word() as u32, w.some_items::<Cell>(kind));
            let init = segheap::Closure::of(header, &items);
            made(w, init, Ok(Object::Items { kind, header, items: values(&items) }))
        }
        segheap::Kind::PAIR => {
            let items = [w.any(), w.any()];
            let init = segheap::Pair::of(items[0], items[1]);
            made(w, init, Ok(Object::Items { kind, header: 0, items: values(&items) }))
        }
        _ => for_kind!(w, kind, alloc_array, [List Bytes U8Arr I64Arr F64Arr]),
    }
}

fn alloc_struct(w: &mut World) -> Check {
    let kind = segheap::Kind::STRUCT;
    let (header, len) = (w.dice.one(&[0, 7, u32::MAX]), length(w));
    if w.dice.percent(50) {
        let want = if len >= 1 << 32 {
            Err(vec![Error::ObjectTooLarge])
        } else {
            Ok(Object::Items { kind, header, items: vec![Value::Null; len] })
        };
        return made(w, segheap::Struct::new(header, len), want);
    }
    let items = w.some_items::<Cell>(kind);
    let init = segheap::Struct::of(header, &items);
    made(w, init, Ok(Object::Items { kind, header, items: values(&items) }))
}

/// Constructors that all arrays have.
pub(crate) trait Array: Growable<Element: Item> {
    /// An array of these elements.
    fn of(items: &[Self::Element]) -> segheap::SequenceInit<'_, Self>;
    /// An array of so many zeros, or the capacity for them.
    fn sized(len: usize, zeros: bool) -> segheap::SequenceInit<'static, Self>;
    /// What an element is at first.
    const ZERO: Value;
}

macro_rules! arrays {
    ($($Kind:ident $zero:expr;)*) => {$(
        impl Array for segheap::$Kind {
            fn of(items: &[Self::Element]) -> segheap::SequenceInit<'_, Self> {
                segheap::$Kind::of(items)
            }
            fn sized(len: usize, zeros: bool) -> segheap::SequenceInit<'static, Self> {
                match (len, zeros) {
                    (0, false) => segheap::$Kind::new(),
                    (_, false) => segheap::$Kind::with_capacity(len),
                    (_, true) => segheap::$Kind::zeroed(len),
                }
            }
            const ZERO: Value = $zero;
        }
    )*};
}
arrays! {
    List Value::Null;
    Bytes Value::Int(0);
    U8Arr Value::Int(0);
    I64Arr Value::Int(0);
    F64Arr Value::Float(0.0);
}

fn alloc_array<K: Array>(w: &mut World) -> Check {
    let object = |items| Object::Items { kind: K::KIND, header: 0, items };
    if w.dice.percent(60) {
        let items = w.some_items::<K::Element>(K::KIND);
        return made(w, K::of(&items), Ok(object(values(&items))));
    }
    let (len, zeros) = (length(w), w.dice.percent(50));
    let want = match len {
        _ if len >= 1 << 32 => Err(vec![Error::ObjectTooLarge]),
        _ if zeros => Ok(object(vec![K::ZERO; len])),
        _ => Ok(object(Vec::new())),
    };
    made(w, K::sized(len, zeros), want)
}

/// Allocates an object and compares it.
pub(crate) fn made<I: segheap::ObjectInit + Debug>(
    w: &mut World,
    init: I,
    want: Result<Object, Vec<Error>>,
) -> Check {
    w.note(|| format!("alloc {init:?} as {want:?}"));
    let got = w.heap().alloc(init).map(Cell::from);
    if let Ok(cell) = got
        && cell.kind() != Some(<I::Kind as HasKind>::KIND)
    {
        return Err(format!("{cell:?} is no {:?}", <I::Kind as HasKind>::KIND));
    }
    w.settle_made(got, want.map(crate::world::Made::Object)).map(drop)
}
