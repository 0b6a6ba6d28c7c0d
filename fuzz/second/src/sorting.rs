//! Sorting by a comparison that the host runs.

use std::cmp::Ordering;

use segheap::{Cell, Error, Heap, Kind, List, Mutable};

use crate::picks::CELLS;
use crate::value::{Value, bits, decode, values};
use crate::world::{Check, Outcome, World};

/// What the comparison does beside comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Nothing,
    /// It fails at some call.
    Fails(usize),
    /// It returns nonsense.
    Nonsense(u64),
    /// It appends to the list at its first call.
    Pushes,
    /// It appends to the list, and removes that again.
    PushesAndPops,
    /// It frees the list.
    Frees,
    /// It collects at its first call, with the list and the registers as roots.
    Collects,
}

/// An order of cells that ignores objects.
fn rank(cell: Cell) -> (u8, i64) {
    match decode(cell) {
        Value::Int(int) => (0, int / 2),
        Value::Float(float) => (1, float as i64),
        Value::Text(text) => (2, text.len() as i64),
        _ => (3, 0),
    }
}

/// Sorts a list or another sequence of cells.
pub(crate) fn sort(w: &mut World) -> Check {
    let kind = if w.dice.percent(70) { Kind::LIST } else { w.dice.one(&CELLS) };
    let effect = match w.dice.below(12) {
        0 => Effect::Fails(w.dice.below(20)),
        1 => Effect::Nonsense(w.dice.word()),
        2 => Effect::Pushes,
        3 => Effect::PushesAndPops,
        4 => Effect::Frees,
        5 => Effect::Collects,
        _ => Effect::Nothing,
    };
    let effect = match effect {
        Effect::Pushes | Effect::PushesAndPops if kind != Kind::LIST => Effect::Nothing,
        effect => effect,
    };
    crate::for_kind!((w, effect), kind, sort_of, [List Struct Closure Pair])
}

fn sort_of<K: Mutable<Element = Cell>>((w, effect): (&mut World, Effect)) -> Check {
    let list = w.pick(K::KIND);
    w.note(|| format!("sort_by {list:?} {effect:?}"));
    let roots: Vec<Cell> = w.side().registers.iter().copied().chain([list]).collect();
    let mut calls = 0;
    let got = w.heap().sort_by::<K, Error>(list, |heap, a, b| {
        calls += 1;
        compare(heap, effect, calls, list, &roots, (a, b))
    });
    let items = w.model().items(list, K::KIND).cloned();
    let mut items = match items {
        Ok(items) => items,
        Err(error) => return w.settle_growing(got, Err(vec![error])).map(drop),
    };
    let grew = calls > 0 && effect == Effect::Pushes && got != Err(Error::DivisionByZero);
    if calls > 0 && effect == Effect::Collects {
        w.model().collect(roots.into_iter());
    }
    let want = match effect {
        Effect::Fails(at) if calls >= at && at > 0 => Err(vec![Error::NotDecimal]),
        Effect::Pushes | Effect::PushesAndPops if got == Err(Error::DivisionByZero) => {
            Err(vec![Error::DivisionByZero])
        }
        Effect::Pushes if calls > 0 => Err(vec![Error::Changed]),
        Effect::Frees if calls > 0 => Err(vec![Error::Stale { kind: K::KIND }]),
        _ => Ok(()),
    };
    if grew {
        items.push(Value::Null);
        w.model().set_items(list, items.clone());
    }
    if effect == Effect::Frees && calls > 0 {
        w.model().free(bits(list));
    }
    let done = w.settle_growing(got, want)?;
    if calls > 0 && !matches!(effect, Effect::Nothing | Effect::Fails(_)) {
        // What the comparison did stays also if the sort fails.
        w.outcome = Outcome::Done;
    }
    if done.is_none() {
        return Ok(());
    }
    let sorted = w.heap().get::<K>(list).map(|view| values(view.as_slice()));
    let sorted = sorted.map_err(|error| format!("the sorted list: {error:?}"))?;
    if let Effect::Nonsense(_) = effect {
        check_permutation(&sorted, &items)?;
    } else {
        items.sort_by_key(|item| rank(crate::value::encode(item)));
        if sorted != items {
            return Err(format!("sorted to {sorted:?}, expected {items:?}"));
        }
    }
    w.model().set_items(list, sorted);
    Ok(())
}

fn compare(
    heap: &mut Heap,
    effect: Effect,
    calls: usize,
    list: Cell,
    roots: &[Cell],
    (a, b): (Cell, Cell),
) -> Result<Ordering, Error> {
    let first = calls == 1;
    match effect {
        Effect::Fails(at) if at == calls => return Err(Error::NotDecimal),
        Effect::Nonsense(word) if word >> (calls % 64) & 1 == 1 => return Ok(Ordering::Less),
        Effect::Nonsense(_) => return Ok(Ordering::Greater),
        Effect::Pushes | Effect::PushesAndPops if first => {
            // An error that no sort returns, in place of a refusal.
            let pushed = heap.get_mut::<List>(list)?.push(Cell::NULL);
            pushed.map_err(|_| Error::DivisionByZero)?;
            if effect == Effect::PushesAndPops {
                heap.get_mut::<List>(list)?.pop()?;
            }
        }
        Effect::Frees if first => heap.free(list)?,
        Effect::Collects if first => drop(heap.collect(roots.iter().copied())?),
        _ => {}
    }
    Ok(rank(a).cmp(&rank(b)))
}

fn check_permutation(sorted: &[Value], items: &[Value]) -> Check {
    let words = |items: &[Value]| {
        let mut words: Vec<u64> =
            items.iter().map(|item| bits(crate::value::encode(item))).collect();
        words.sort_unstable();
        words
    };
    if words(sorted) == words(items) {
        return Ok(());
    }
    Err(format!("{sorted:?} is no permutation of {items:?}"))
}
