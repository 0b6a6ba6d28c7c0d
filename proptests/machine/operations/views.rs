//! Views of sequences, windows, range hints and sorting.

use std::fmt::Debug;

use segheap::{
    Bignum, Bytes, Cell, Closure, ConvertTo, Cursor, Error, F64Arr, Growable, Handle, Heap, I64Arr,
    Kind, List, Map, Mutable, Number, Object, Pair, Sequence, Set, Str, Struct, U8Arr,
};

use super::{Element, Table, elements, rank, show};
use crate::machine::Effect::{Allocates, Changes, Reads};
use crate::machine::Takes::{Of, Value};

pub fn rows_of_one_kind(t: &mut Table) {
    t.row("View<Struct>::shape", &[Of(Kind::STRUCT)], &[], |m, c| {
        show(m.heap.get::<Struct>(c.cell(0))?.shape())
    });
    t.row("ViewMut<Struct>::set_shape", &[Of(Kind::STRUCT)], &[Changes(0)], |m, c| {
        m.heap.get_mut::<Struct>(c.cell(0))?.set_shape(c.numbers[0].into())?;
        show(m.heap.get::<Struct>(c.cell(0))?.shape())
    });
    t.row("ViewMut<Struct>::push_field", &[Of(Kind::STRUCT), Value], &[Changes(0)], |m, c| {
        let shape = u32::from(c.numbers[0]) << 16;
        m.heap.get_mut::<Struct>(c.cell(0))?.push_field(c.cell(1), shape)?;
        let record = m.heap.get::<Struct>(c.cell(0))?;
        assert_eq!((record.shape(), record.as_slice().last()), (shape, Some(&c.cell(1))));
        show(record.as_slice())
    });
    t.row("Heap::field", &[Of(Kind::STRUCT)], &[], |m, c| {
        let (shape, record) = (u32::from(c.numbers[1] % 9), m.heap.get::<Struct>(c.cell(0)));
        let field = m.heap.field(c.cell(0), shape, c.index());
        let expected = record.and_then(|record| match record.shape() == shape {
            true => record.get(c.index()).map(Some),
            false => Ok(None),
        });
        assert_eq!(field, expected);
        show(field?)
    });
    t.row("Heap::set_field", &[Of(Kind::STRUCT), Value], &[Changes(0)], |m, c| {
        let shape = u32::from(c.numbers[1] % 9);
        let set = m.heap.set_field(c.cell(0), shape, c.index(), c.cell(1))?;
        let field = m.heap.field(c.cell(0), shape, c.index())?;
        assert_eq!(field, set.then_some(c.cell(1)));
        show(set)
    });
    t.row("View<Closure>::function", &[Of(Kind::CLOSURE)], &[], |m, c| {
        show(m.heap.get::<Closure>(c.cell(0))?.function())
    });
    t.row("View<Pair>::first", &[Of(Kind::PAIR)], &[], |m, c| {
        show(m.heap.get::<Pair>(c.cell(0))?.first()?)
    });
    t.row("View<Pair>::cells", &[Of(Kind::PAIR)], &[], |m, c| {
        let pair = m.heap.get::<Pair>(c.cell(0))?;
        assert_eq!(pair.cells(), [pair.first()?, pair.second()?]);
        show(pair.cells())
    });
    t.row("Heap::functions", &[], &[Reads(Kind::CLOSURE)], |m, _| {
        show(m.heap.functions().collect::<Vec<u32>>())
    });
    t.row("View<Pair>::second", &[Of(Kind::PAIR)], &[], |m, c| {
        show(m.heap.get::<Pair>(c.cell(0))?.second()?)
    });
    t.row("Heap::retain", &[Of(Kind::LIST)], &[Changes(0)], |m, c| {
        let mut asked = c.small();
        let keeps = |_: &mut Heap, cell| {
            asked = asked.checked_sub(1).ok_or(Error::NotDecimal)?;
            Ok::<_, Error>(rank(cell).is_multiple_of(2))
        };
        show(m.heap.retain::<List, Error>(c.cell(0), keeps)?)
    });
    t.row("Heap::dedup_by", &[Of(Kind::LIST)], &[Changes(0)], |m, c| {
        let mut asked = c.small();
        let same = |_: &mut Heap, a, b| {
            asked = asked.checked_sub(1).ok_or(Error::NotDecimal)?;
            Ok::<_, Error>(rank(a) == rank(b))
        };
        show(m.heap.dedup_by::<List, Error>(c.cell(0), same)?)
    });
    sortable::<List>(t);
    sortable::<Struct>(t);
    sortable::<Closure>(t);
    sortable::<Pair>(t);
    windows::<I64Arr, I64Arr>(t);
    windows::<Bytes, List>(t);
    windows::<F64Arr, U8Arr>(t);
    windows::<Struct, Closure>(t);
    windows::<Pair, List>(t);
}

fn sortable<K: Mutable<Element = Cell>>(t: &mut Table) {
    // As they are, or numbers: in scratch memory if -0.0 is among them.
    t.row("Heap::sort", &[Of(K::KIND)], &[Changes(0)], |m, c| {
        let numbers = [2.5.into(), 7.into(), Cell::from([-0.0, 0.5][c.small() % 2]), (-1).into()];
        let mut open = m.heap.get_mut::<K>(c.cell(0))?;
        let before = open.as_mut_slice().to_vec();
        let filled = if c.small() % 8 < 2 { 0 } else { before.len() };
        let places = open.as_mut_slice().iter_mut().take(filled);
        places.zip(numbers.iter().cycle()).for_each(|(place, &number)| *place = number);
        let sorted = m.heap.sort::<K>(c.cell(0));
        if sorted.is_err() {
            m.heap.get_mut::<K>(c.cell(0))?.as_mut_slice().copy_from_slice(&before);
        }
        show(sorted?)
    });
    t.row("Heap::sort_by", &[Of(K::KIND)], &[Changes(0)], |m, c| {
        let mut comparisons = c.small() * 2;
        let compare = |_: &mut Heap, a, b| {
            comparisons = comparisons.checked_sub(1).ok_or(Error::NotDecimal)?;
            Ok::<_, Error>(rank(a).cmp(&rank(b)))
        };
        show(m.heap.sort_by::<K, Error>(c.cell(0), compare)?)
    });
    t.row("Heap::sort_by_key", &[Of(K::KIND)], &[Changes(0)], |m, c| {
        let mut keys = c.small();
        let key = |_: &mut Heap, cell| {
            keys = keys.checked_sub(1).ok_or(Error::NotDecimal)?;
            Ok::<_, Error>(Cell::int(rank(cell) as i64).unwrap())
        };
        show(m.heap.sort_by_key::<K, Error>(c.cell(0), key)?)
    });
    t.row("Heap::binary_search", &[Of(K::KIND), Value], &[], |m, c| {
        m.heap.get::<K>(c.cell(0))?;
        show(m.heap.binary_search::<K>(c.cell(0), c.cell(1)))
    });
    t.row("Heap::partition_point", &[Of(K::KIND)], &[], |m, c| {
        let mut calls = c.small() / 2;
        let holds = |_: &mut Heap, cell| {
            calls = calls.checked_sub(1).ok_or(Error::NotDecimal)?;
            Ok::<_, Error>(rank(cell) < 2)
        };
        show(m.heap.partition_point::<K, Error>(c.cell(0), holds)?)
    });
    // A comparison that allocates.
    t.row("Heap::sort_by", &[Of(K::KIND)], &[Changes(0), Allocates(Kind::BYTES)], |m, c| {
        let compare = |heap: &mut Heap, a, b| {
            let _ = heap.alloc(Bytes::of(b"garbage"));
            Ok::<_, Error>(rank(b).cmp(&rank(a)))
        };
        show(m.heap.sort_by::<K, Error>(c.cell(0), compare)?)
    });
}

fn windows<A: Mutable, B: Mutable>(t: &mut Table) {
    let takes = [Of(A::KIND), Of(B::KIND)];
    t.row("Heap::windows_mut", &takes, &[Changes(0), Changes(1)], |m, c| {
        let (a, b) = (c.cell(0).to_handle::<A>()?, c.cell(1).to_handle::<B>()?);
        let (a, b) = m.heap.windows_mut(((a, c.range()), (b, c.small() % 4..)))?;
        a.reverse();
        b.reverse();
        show((a.len(), b.len()))
    });
}

pub fn rows_of_each_kind(t: &mut Table) {
    object::<Map>(t);
    object::<Set>(t);
    sequence::<Str>(t);
    sequence::<Bignum>(t);
    mutable::<Struct>(t);
    mutable::<Closure>(t);
    mutable::<Pair>(t);
    growable::<Bytes>(t);
    /// The rows of the kinds whose family says what they are.
    macro_rules! rows_of_families {
        ($($Kind:ident as $NAME:ident, $family:ident;)*) => {
            $(rows_of_families! { $family $Kind })*
        };
        (values $Kind:ident) => { growable::<segheap::$Kind>(t); };
        (cells $Kind:ident) => { mutable::<segheap::$Kind>(t); };
        (own $Kind:ident) => {};
    }
    segheap::for_each_kind!(rows_of_families);
    ordered::<Str>(t);
    ordered::<Bignum>(t);
    numbers::<Bytes>(t);
    numbers::<F64Arr>(t);
    numbers::<I64Arr>(t);
    numbers::<U8Arr>(t);
}

fn object<K: Object>(t: &mut Table) {
    let takes = [Of(K::KIND)];
    t.row("Heap::get", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?));
    t.row("Heap::get_mut", &takes, &[], |m, c| show(m.heap.get_mut::<K>(c.cell(0))?));
    t.row("ViewMut::view", &takes, &[], |m, c| show(m.heap.get_mut::<K>(c.cell(0))?.view()));
    t.row("Heap::objects", &[], &[Reads(K::KIND)], |m, _| {
        show(m.heap.objects::<K>().collect::<Vec<Handle<K>>>())
    });
}

fn sequence<K: Sequence<Element: Element>>(t: &mut Table) {
    object::<K>(t);
    let (takes, with_element) = ([Of(K::KIND)], [Of(K::KIND), Value]);
    t.row("View::len", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.len()));
    t.row("View::is_empty", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.is_empty()));
    t.row("View::as_slice", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.as_slice()));
    t.row("View::get", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.get(c.index())?));
    t.row("Heap::element", &takes, &[], |m, c| {
        let element = m.heap.element::<K>(c.cell(0), c.index());
        let viewed = m.heap.get::<K>(c.cell(0)).and_then(|view| view.get(c.index()));
        assert_eq!(format!("{element:?}"), format!("{viewed:?}"));
        show(element?)
    });
    t.row("View::slice", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.slice(c.range())?));
    t.row("View::next", &takes, &[], |m, c| {
        let (view, mut cursor) = (m.heap.get::<K>(c.cell(0))?, Cursor::default());
        show((view.next(&mut cursor), view.next(&mut cursor)))
    });
    t.row("View::find", &with_element, &[], |m, c| {
        show(m.heap.get::<K>(c.cell(0))?.find(c.range(), K::Element::of(c))?)
    });
    t.row("Heap::window", &takes, &[], |m, c| show(m.heap.window::<K>(c.cell(0), c.range())?));
    t.row("Heap::hint", &takes, &[], |m, c| {
        let hint = m.heap.hint::<K>(c.cell(0), c.range())?;
        m.hints.push((c.cell(0), Box::new(hint)));
        show(hint)
    });
    t.row("RangeHint::len", &takes, &[], |m, c| show(m.hint::<K>(c.cell(0))?.len()));
    t.row("RangeHint::is_empty", &takes, &[], |m, c| show(m.hint::<K>(c.cell(0))?.is_empty()));
    t.row("RangeHint::narrow", &takes, &[], |m, c| {
        let hint = m.hint::<K>(c.cell(0))?.narrow(c.range())?;
        m.hints.push((c.cell(0), Box::new(hint)));
        show(hint)
    });
    t.row("RangeHint::get", &takes, &[], |m, c| {
        show(m.hint::<K>(c.cell(0))?.get(&m.heap, c.index())?)
    });
}

fn mutable<K: Mutable<Element: Element>>(t: &mut Table) {
    sequence::<K>(t);
    let (takes, with_element) = ([Of(K::KIND)], [Of(K::KIND), Value]);
    let changes = [Changes(0)];
    t.row("Heap::value_of", &takes, &[Allocates(K::KIND)], |m, c| {
        m.heap.get::<K>(c.cell(0))?;
        let value = m.heap.value_of(c.cell(0))?;
        assert_eq!(m.heap.is_value(value), Ok(true));
        m.keep(value)
    });
    t.row("ViewMut::as_mut_slice", &with_element, &changes, |m, c| {
        m.heap.get_mut::<K>(c.cell(0))?.as_mut_slice().fill(K::Element::of(c));
        show(())
    });
    t.row("ViewMut::slice_mut", &with_element, &changes, |m, c| {
        m.heap.get_mut::<K>(c.cell(0))?.slice_mut(c.range())?.fill(K::Element::of(c));
        show(())
    });
    t.row("Heap::window_mut", &with_element, &changes, |m, c| {
        m.heap.window_mut::<K>(c.cell(0), c.range())?.fill(K::Element::of(c));
        show(())
    });
    t.row("RangeHint::set", &with_element, &changes, |m, c| {
        let mut hint = m.hint::<K>(c.cell(0))?;
        show(hint.set(&mut m.heap, c.index(), K::Element::of(c))?)
    });
    t.row("ViewMut::set", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.set(c.index(), K::Element::of(c))?)
    });
    t.row("Heap::set_element", &with_element, &changes, |m, c| {
        m.heap.set_element::<K>(c.cell(0), c.index(), K::Element::of(c))?;
        show(m.heap.get::<K>(c.cell(0))?.get(c.index())?)
    });
    t.row("Heap::update_element", &with_element, &changes, |m, c| {
        let before = m.heap.element::<K>(c.cell(0), c.index());
        m.heap.update_element::<K>(c.cell(0), c.index(), |element| {
            assert_eq!(format!("{before:?}"), format!("Ok({element:?})"));
            K::Element::of(c)
        })?;
        show(m.heap.get::<K>(c.cell(0))?.get(c.index())?)
    });
    t.row("ViewMut::fill", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.fill(c.range(), K::Element::of(c))?)
    });
    t.row("ViewMut::copy_within", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.copy_within(c.range(), c.small() % 5)?)
    });
    t.row("ViewMut::swap", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.swap(c.index(), c.small() % 5)?)
    });
    t.row("ViewMut::rotate_left", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.rotate_left(c.index())?)
    });
    t.row("ViewMut::rotate_right", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.rotate_right(c.index())?)
    });
    t.row("ViewMut::reverse", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.reverse()?)
    });
}

/// Longer versions of an object, which may share its block with it.
fn versions<K: Growable<Element: Element>>(t: &mut Table) {
    let allocates = [Allocates(K::KIND)];
    t.row("Heap::append", &[Of(K::KIND), Value], &allocates, |m, c| {
        let longer = m.heap.append::<K>(c.cell(0), K::Element::of(c))?;
        m.keep(longer)
    });
    t.row("Heap::append_slice", &[Of(K::KIND), Value], &allocates, |m, c| {
        let longer = m.heap.append_slice::<K>(c.cell(0), &elements(c))?;
        m.keep(longer)
    });
    t.row("Heap::append_all", &[Of(K::KIND), Of(K::KIND)], &allocates, |m, c| {
        // Else doubled again and again, it would soon need all memory that there may be.
        if m.heap.get::<K>(c.cell(1)).is_ok_and(|other| other.len() > 1_000) {
            return show(());
        }
        let longer = m.heap.append_all::<K>(c.cell(0), c.cell(1))?;
        m.keep(longer)
    });
}

fn growable<K: Growable<Element: Element> + ConvertTo<K>>(t: &mut Table) {
    mutable::<K>(t);
    let allocates = [Changes(0), Allocates(K::KIND)];
    t.row("Heap::split_off", &[Of(K::KIND)], &allocates, |m, c| {
        let rest = m.heap.split_off::<K>(c.cell(0), c.index())?;
        m.keep(rest)
    });
    let (takes, with_element) = ([Of(K::KIND)], [Of(K::KIND), Value]);
    versions::<K>(t);
    let changes = [Changes(0)];
    t.row("ViewMut::push", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.push(K::Element::of(c))?)
    });
    t.row("ViewMut::reserve", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.reserve(c.index())?)
    });
    t.row("ViewMut::extend", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.extend(&elements(c))?)
    });
    t.row("ViewMut::insert", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.insert(c.index(), K::Element::of(c))?)
    });
    t.row("ViewMut::remove", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.remove(c.index())?)
    });
    t.row("ViewMut::pop", &takes, &changes, |m, c| show(m.heap.get_mut::<K>(c.cell(0))?.pop()?));
    t.row("ViewMut::pop_front", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.pop_front()?)
    });
    t.row("ViewMut::remove_range", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.remove_range(c.range())?)
    });
    t.row("ViewMut::splice", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.splice(c.range(), &elements(c))?)
    });
    t.row("ViewMut::dedup", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.dedup()?)
    });
    t.row("ViewMut::shrink_to_fit", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.shrink_to_fit()?)
    });
    t.row("ViewMut::truncate", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.truncate(c.index())?)
    });
    t.row("ViewMut::resize", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.resize(c.index(), K::Element::of(c))?)
    });
}

fn ordered<K: Sequence<Element: PartialOrd>>(t: &mut Table) {
    t.row("View::compare", &[Of(K::KIND), Of(K::KIND)], &[], |m, c| {
        let (one, other) = (m.heap.get::<K>(c.cell(0))?, m.heap.get::<K>(c.cell(1))?);
        show(one.compare(c.range(), other, ..)?)
    });
}

fn numbers<K>(t: &mut Table)
where
    K: Sequence<Element: Number<Sum: Debug> + Debug>,
{
    ordered::<K>(t);
    let takes = [Of(K::KIND)];
    t.row("View::sum", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.sum(c.range())?));
    t.row("View::min", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.min(c.range())?));
    t.row("View::max", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.max(c.range())?));
    t.row("View::dot", &[Of(K::KIND), Of(K::KIND)], &[], |m, c| {
        let (one, other) = (m.heap.get::<K>(c.cell(0))?, m.heap.get::<K>(c.cell(1))?);
        show(one.dot(c.range(), other, c.small() % 4)?)
    });
}
