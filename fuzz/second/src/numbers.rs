//! Sums, extremes, products and the order of arrays.

use std::cmp::Ordering;
use std::fmt::Debug;

use num_bigint::BigInt;
use segheap::{Cell, Error, Kind, Number, Sequence};

use crate::dice::{Bounds, out_of_range, resolve};
use crate::for_kind;
use crate::model::Object;
use crate::picks::NUMBERS;
use crate::value::{Item, Value, same_float};
use crate::world::{Check, World};

/// A sum, in a form that can be compared.
#[derive(Clone, Debug)]
enum Sum {
    Int(BigInt),
    Float(f64),
}

/// Exact, except for floats whose sum depends on the order of additions.
impl PartialEq for Sum {
    fn eq(&self, other: &Sum) -> bool {
        match (self, other) {
            (Sum::Int(a), Sum::Int(b)) => a == b,
            (Sum::Float(a), Sum::Float(b)) => {
                let exact = a.fract() == 0.0 && a.abs() < 2_f64.powi(52);
                same_float(*a, *b) || a == b || !exact || b.fract() != 0.0
            }
            _ => false,
        }
    }
}

/// What is computed of numbers.
trait Numeric: Item {
    type Sum;
    fn sum(sum: Self::Sum) -> Sum;
}

macro_rules! numeric {
    ($($Item:ty, $Sum:ty, |$sum:ident| $form:expr;)*) => {$(
        impl Numeric for $Item {
            type Sum = $Sum;
            fn sum($sum: $Sum) -> Sum {
                $form
            }
        }
    )*};
}
numeric! {
    u8, u64, |sum| Sum::Int(sum.into());
    i64, i128, |sum| Sum::Int(sum.into());
    f64, f64, |sum| Sum::Float(sum);
}

/// A sum of products.
fn total<'v>(pairs: impl Iterator<Item = (&'v Value, &'v Value)>, kind: Kind) -> Sum {
    if kind == Kind::F64ARR {
        let floats = pairs.map(|(a, b)| f64::of(a) * f64::of(b));
        return Sum::Float(floats.sum());
    }
    Sum::Int(pairs.map(|(a, b)| BigInt::from(i64::of(a)) * i64::of(b)).sum())
}

fn items(w: &mut World, cell: Cell, kind: Kind) -> Result<Vec<Value>, Error> {
    match w.model().open(cell, kind)? {
        Object::Items { items, .. } => Ok(items.clone()),
        Object::Text(text) => Ok(crate::value::values(text.as_bytes())),
        other => panic!("{other:?} has no numbers"),
    }
}

/// Sums, extremes, and products.
pub(crate) fn reduce(w: &mut World) -> Check {
    let kind = if w.dice.percent(10) { Kind::STR } else { w.dice.one(&NUMBERS) };
    for_kind!(w, kind, reduce_of, [Str Bytes U8Arr I64Arr F64Arr])
}

fn reduce_of<K>(w: &mut World) -> Check
where
    K: Sequence<Element: Numeric + Number<Sum = <K::Element as Numeric>::Sum>>,
    <K::Element as Numeric>::Sum: Debug,
{
    let cell = w.pick(K::KIND);
    let len = w.len_of(cell);
    let (bounds, form) = (w.dice.bounds(len), w.dice.below(4));
    if form == 3 {
        return dot::<K>(w, cell, bounds);
    }
    w.note(|| format!("{} {cell:?} {bounds:?}", ["sum", "min", "max"][form]));
    let items = items(w, cell, K::KIND);
    let part = items.and_then(|items| Ok(items[resolve(bounds, items.len())?].to_vec()));
    let part = part.map_err(|error| vec![error]);
    let view = w.heap().get::<K>(cell);
    if form == 0 {
        let one = if K::KIND == Kind::F64ARR { Value::Float(1.0) } else { Value::Int(1) };
        let want = part.map(|part| total(part.iter().map(|item| (item, &one)), K::KIND));
        let got = view.and_then(|view| view.sum(bounds)).map(<K::Element as Numeric>::sum);
        return w.settle(got, want).map(drop);
    }
    let better = |a: &Value, b: &Value| match (a, b) {
        (Value::Float(a), Value::Float(b)) => b.is_nan() && !a.is_nan() || less(form, a, b),
        (Value::Int(a), Value::Int(b)) => less(form, a, b),
        _ => false,
    };
    let want = part.map(|part| {
        part.into_iter().reduce(|best, item| if better(&item, &best) { item } else { best })
    });
    let got = view.and_then(|view| if form == 1 { view.min(bounds) } else { view.max(bounds) });
    // Which of 0.0 and -0.0 is less is not documented.
    let plain = |value: Value| match value {
        Value::Float(float) => Value::Float(float + 0.0),
        value => value,
    };
    let got = got.map(|item| item.map(|item| plain(item.value())));
    w.settle(got, want.map(|item| item.map(plain))).map(drop)
}

fn less<T: PartialOrd>(form: usize, a: &T, b: &T) -> bool {
    if form == 1 { a < b } else { a > b }
}

fn dot<K>(w: &mut World, cell: Cell, bounds: Bounds) -> Check
where
    K: Sequence<Element: Numeric + Number<Sum = <K::Element as Numeric>::Sum>>,
{
    let other = if w.dice.percent(50) { cell } else { w.pick(K::KIND) };
    let len = w.len_of(other);
    let from = if w.dice.percent(50) { 0 } else { w.dice.index(len + 1) };
    w.note(|| format!("dot {cell:?} {bounds:?} {other:?} from {from}"));
    let (a, b) = (items(w, cell, K::KIND), items(w, other, K::KIND));
    let want = a.and_then(|a| {
        let b = b?;
        let range = resolve(bounds, a.len())?;
        let end = from.saturating_add(range.len());
        let b = b.get(from..end).ok_or_else(|| out_of_range(end, b.len()))?;
        let sum = total(a[range].iter().zip(b), K::KIND);
        match &sum {
            Sum::Int(int) if i128::try_from(int).is_err() => Err(Error::Overflow),
            _ => Ok(sum),
        }
    });
    let heap = w.heap();
    let got = heap.get::<K>(cell).and_then(|view| view.dot(bounds, heap.get::<K>(other)?, from));
    w.settle(got.map(<K::Element as Numeric>::sum), want.map_err(|error| vec![error])).map(drop)
}

/// The order of two ranges.
pub(crate) fn compare(w: &mut World) -> Check {
    let kind = if w.dice.percent(30) { Kind::STR } else { w.dice.one(&NUMBERS) };
    for_kind!(w, kind, compare_of, [Str Bytes U8Arr I64Arr F64Arr])
}

fn compare_of<K: Sequence<Element: Item + PartialOrd>>(w: &mut World) -> Check {
    let (a, b) = (w.pick(K::KIND), w.pick(K::KIND));
    let (len, other_len) = (w.len_of(a), w.len_of(b));
    let (bounds, other) = (w.dice.bounds(len), w.dice.bounds(other_len));
    w.note(|| format!("compare {a:?} {bounds:?} {b:?} {other:?}"));
    let (left, right) = (items(w, a, K::KIND), items(w, b, K::KIND));
    let want = left.and_then(|left| {
        let right = right?;
        let left = &left[resolve(bounds, left.len())?];
        let right = &right[resolve(other, right.len())?];
        for (a, b) in left.iter().zip(right) {
            match K::Element::of(a).partial_cmp(&K::Element::of(b)) {
                Some(Ordering::Equal) => {}
                order => return Ok(order),
            }
        }
        Ok(Some(left.len().cmp(&right.len())))
    });
    let heap = w.heap();
    let got = heap.get::<K>(a).and_then(|view| view.compare(bounds, heap.get::<K>(b)?, other));
    w.settle(got, want.map_err(|error| vec![error])).map(drop)
}
