//! Constructors of objects of each kind.

use segheap::{
    Bignum, Bytes, Closure, F64Arr, I64Arr, Kind, List, Map, Pair, Set, Str, Struct, U8Arr,
};

use super::{Table, elements};
use crate::machine::Effect::Allocates;
use crate::machine::Takes::Value;

pub fn rows(t: &mut Table) {
    t.row("Heap::alloc", &[Value, Value], &[Allocates(Kind::PAIR)], |m, c| {
        let pair = m.heap.alloc(Pair::of(c.cell(0), c.cell(1)))?;
        m.keep(pair)
    });
    t.row("Pair::of", &[Value, Value], &[Allocates(Kind::PAIR)], |m, c| {
        let pair = m.heap.alloc(Pair::of(c.cell(1), c.cell(0)))?;
        m.keep(pair)
    });
    t.row("Str::new", &[], &[Allocates(Kind::STR)], |m, c| {
        let text = m.heap.alloc(Str::new(&c.text()))?;
        m.keep(text)
    });
    t.row("Str::from_utf8", &[], &[Allocates(Kind::STR)], |m, c| {
        let mut bytes = c.text().into_bytes();
        bytes.truncate(c.index());
        let text = m.heap.alloc(Str::from_utf8(&bytes)?)?;
        m.keep(text)
    });
    t.row("Struct::new", &[], &[Allocates(Kind::STRUCT)], |m, c| {
        let made = m.heap.alloc(Struct::new(9, c.index()))?;
        m.keep(made)
    });
    t.row("Struct::of", &[Value, Value], &[Allocates(Kind::STRUCT)], |m, c| {
        let made = m.heap.alloc(Struct::of(c.numbers[0].into(), &c.cells))?;
        m.keep(made)
    });
    t.row("Struct::with_capacity", &[], &[Allocates(Kind::STRUCT)], |m, c| {
        let made = m.heap.alloc(Struct::with_capacity(c.numbers[1].into(), c.index()))?;
        m.keep(made)
    });
    t.row("Closure::of", &[Value, Value], &[Allocates(Kind::CLOSURE)], |m, c| {
        let made = m.heap.alloc(Closure::of(c.numbers[0].into(), &c.cells))?;
        m.keep(made)
    });
    t.row("Bignum::of", &[], &[Allocates(Kind::BIGNUM)], |m, c| {
        let limbs = elements::<u64>(c);
        let made = m.heap.alloc(Bignum::of(c.int() < 0, &limbs))?;
        m.keep(made)
    });
    t.row("Map::new", &[], &[Allocates(Kind::MAP)], |m, _| {
        let made = m.heap.alloc(Map::new())?;
        m.keep(made)
    });
    t.row("Map::with_capacity", &[], &[Allocates(Kind::MAP)], |m, c| {
        let made = m.heap.alloc(Map::with_capacity(c.index()))?;
        m.keep(made)
    });
    t.row("Set::new", &[], &[Allocates(Kind::SET)], |m, _| {
        let made = m.heap.alloc(Set::new())?;
        m.keep(made)
    });
    t.row("Set::with_capacity", &[], &[Allocates(Kind::SET)], |m, c| {
        let made = m.heap.alloc(Set::with_capacity(c.index()))?;
        m.keep(made)
    });
    t.row("TableInit::weak", &[], &[Allocates(Kind::MAP)], |m, c| {
        let made = m.heap.alloc(Map::with_capacity(c.small() % 4).weak())?;
        m.keep(made)
    });
    t.row("TableInit::weak", &[], &[Allocates(Kind::SET)], |m, c| {
        let made = m.heap.alloc(Set::with_capacity(c.small() % 4).weak())?;
        m.keep(made)
    });
    growable_constructors(t);
    number_array_constructors(t);
    /// The rows of the kinds whose family says how they are made.
    macro_rules! constructors {
        ($($Kind:ident as $NAME:ident, $family:ident;)*) => {
            $(constructors! { $family $Kind $NAME })*
        };
        (values $Kind:ident $NAME:ident) => {
            let allocates = [Allocates(Kind::$NAME)];
            t.row(concat!(stringify!($Kind), "::new"), &[], &allocates, |m, _| {
                let made = m.heap.alloc(segheap::$Kind::new())?;
                m.keep(made)
            });
            t.row(concat!(stringify!($Kind), "::of"), &[], &allocates, |m, c| {
                let made = m.heap.alloc(segheap::$Kind::of(&elements(c)))?;
                m.keep(made)
            });
            t.row(concat!(stringify!($Kind), "::zeroed"), &[], &allocates, |m, c| {
                let made = m.heap.alloc(segheap::$Kind::zeroed(c.index()))?;
                m.keep(made)
            });
            t.row(concat!(stringify!($Kind), "::with_capacity"), &[], &allocates, |m, c| {
                let made = m.heap.alloc(segheap::$Kind::with_capacity(c.index()))?;
                m.keep(made)
            });
        };
        (cells $Kind:ident $NAME:ident) => {
            let allocates = [Allocates(Kind::$NAME)];
            t.row(concat!(stringify!($Kind), "::of"), &[Value, Value], &allocates, |m, c| {
                let made = m.heap.alloc(segheap::$Kind::of(&c.cells))?;
                m.keep(made)
            });
        };
        (own $Kind:ident $NAME:ident) => {};
    }
    segheap::for_each_kind!(constructors);
}

fn growable_constructors(t: &mut Table) {
    t.row("List::new", &[], &[Allocates(Kind::LIST)], |m, _| {
        let made = m.heap.alloc(List::new())?;
        m.keep(made)
    });
    t.row("List::of", &[Value, Value, Value], &[Allocates(Kind::LIST)], |m, c| {
        let made = m.heap.alloc(List::of(&c.cells))?;
        m.keep(made)
    });
    t.row("List::zeroed", &[], &[Allocates(Kind::LIST)], |m, c| {
        let made = m.heap.alloc(List::zeroed(c.index()))?;
        m.keep(made)
    });
    t.row("List::with_capacity", &[], &[Allocates(Kind::LIST)], |m, c| {
        let made = m.heap.alloc(List::with_capacity(c.index()))?;
        m.keep(made)
    });
    t.row("Bytes::new", &[], &[Allocates(Kind::BYTES)], |m, _| {
        let made = m.heap.alloc(Bytes::new())?;
        m.keep(made)
    });
    t.row("Bytes::of", &[], &[Allocates(Kind::BYTES)], |m, c| {
        let made = m.heap.alloc(Bytes::of(c.text().as_bytes()))?;
        m.keep(made)
    });
    t.row("Bytes::zeroed", &[], &[Allocates(Kind::BYTES)], |m, c| {
        let made = m.heap.alloc(Bytes::zeroed(c.index()))?;
        m.keep(made)
    });
    t.row("Bytes::with_capacity", &[], &[Allocates(Kind::BYTES)], |m, c| {
        let made = m.heap.alloc(Bytes::with_capacity(c.index()))?;
        m.keep(made)
    });
}

fn number_array_constructors(t: &mut Table) {
    t.row("F64Arr::new", &[], &[Allocates(Kind::F64ARR)], |m, _| {
        let made = m.heap.alloc(F64Arr::new())?;
        m.keep(made)
    });
    t.row("F64Arr::of", &[], &[Allocates(Kind::F64ARR)], |m, c| {
        let made = m.heap.alloc(F64Arr::of(&elements(c)))?;
        m.keep(made)
    });
    t.row("F64Arr::zeroed", &[], &[Allocates(Kind::F64ARR)], |m, c| {
        let made = m.heap.alloc(F64Arr::zeroed(c.index()))?;
        m.keep(made)
    });
    t.row("F64Arr::with_capacity", &[], &[Allocates(Kind::F64ARR)], |m, c| {
        let made = m.heap.alloc(F64Arr::with_capacity(c.index()))?;
        m.keep(made)
    });
    t.row("I64Arr::new", &[], &[Allocates(Kind::I64ARR)], |m, _| {
        let made = m.heap.alloc(I64Arr::new())?;
        m.keep(made)
    });
    t.row("I64Arr::of", &[], &[Allocates(Kind::I64ARR)], |m, c| {
        let made = m.heap.alloc(I64Arr::of(&elements(c)))?;
        m.keep(made)
    });
    t.row("I64Arr::zeroed", &[], &[Allocates(Kind::I64ARR)], |m, c| {
        let made = m.heap.alloc(I64Arr::zeroed(c.index()))?;
        m.keep(made)
    });
    t.row("I64Arr::with_capacity", &[], &[Allocates(Kind::I64ARR)], |m, c| {
        let made = m.heap.alloc(I64Arr::with_capacity(c.index()))?;
        m.keep(made)
    });
    t.row("U8Arr::new", &[], &[Allocates(Kind::U8ARR)], |m, _| {
        let made = m.heap.alloc(U8Arr::new())?;
        m.keep(made)
    });
    t.row("U8Arr::of", &[], &[Allocates(Kind::U8ARR)], |m, c| {
        let made = m.heap.alloc(U8Arr::of(&elements(c)))?;
        m.keep(made)
    });
    t.row("U8Arr::zeroed", &[], &[Allocates(Kind::U8ARR)], |m, c| {
        let made = m.heap.alloc(U8Arr::zeroed(c.index()))?;
        m.keep(made)
    });
    t.row("U8Arr::with_capacity", &[], &[Allocates(Kind::U8ARR)], |m, c| {
        let made = m.heap.alloc(U8Arr::with_capacity(c.index()))?;
        m.keep(made)
    });
}
