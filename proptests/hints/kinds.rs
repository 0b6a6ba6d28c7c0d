//! The kinds of sequences, with what the tests need of each.

use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Growable, Handle, Heap, I64Arr, List, Pair,
    RangeHint, Sequence, Str, Struct, U8Arr, abi,
};

use super::{bounds, resolve};

/// Converts elements to and from bits.
pub(super) trait Bits: Copy + PartialEq + core::fmt::Debug {
    fn bits(self) -> u64;
    fn of(raw: u64) -> Self;
}

macro_rules! bits {
    ($($type:ty: $bits:expr, $of:expr;)*) => {$(
        impl Bits for $type {
            fn bits(self) -> u64 {
                $bits(self)
            }
            fn of(raw: u64) -> Self {
                $of(raw)
            }
        }
    )*};
}
bits! {
    u8: u64::from, |raw| raw as u8;
    u64: |value| value, |raw| raw | 1;
    i64: |value: i64| value.cast_unsigned(), |raw: u64| raw.cast_signed();
    f64: f64::to_bits, f64::from_bits;
    Cell: abi::bits, |raw| Cell::from(raw as u32);
}

/// A kind of sequences under test.
pub(super) trait Tested: Sequence<Element: Bits> {
    fn alloc(heap: &mut Heap, elements: &[Self::Element]) -> Handle<Self>;

    /// The length of a new object for which `len` is requested.
    fn len(len: usize) -> usize {
        len
    }

    /// An element from any bits.
    fn element(raw: u64) -> Self::Element {
        Bits::of(raw)
    }

    /// Writes through a hint; `None` if the kind is immutable.
    fn set(
        _: &mut RangeHint<Self>,
        _: &mut Heap,
        _: usize,
        _: Self::Element,
    ) -> Option<Result<(), Error>> {
        None
    }

    /// Changes the length or order of an object and its model; does nothing if the
    /// kind is of fixed length.
    fn change(_: &mut Heap, _: Handle<Self>, _: &mut Vec<u64>, _: [u64; 3]) {}
}

macro_rules! set {
    () => {
        fn set(
            hint: &mut RangeHint<Self>,
            heap: &mut Heap,
            index: usize,
            element: Self::Element,
        ) -> Option<Result<(), Error>> {
            Some(hint.set(heap, index, element))
        }
    };
}

macro_rules! growable {
    ($($Kind:ident)*) => {$(
        impl Tested for $Kind {
            fn alloc(heap: &mut Heap, elements: &[Self::Element]) -> Handle<Self> {
                heap.alloc($Kind::of(elements)).unwrap()
            }
            set!();
            fn change(heap: &mut Heap, object: Handle<Self>, model: &mut Vec<u64>, raw: [u64; 3]) {
                // Append a range of the object to itself.
                if raw[0] % 13 == 12 {
                    let range = resolve(bounds([raw[1], raw[2]], model.len()), model.len());
                    let Ok(range) = range else { return };
                    if model.len() + range.len() < 2000 {
                        heap.append_across(object, object, range.clone()).unwrap();
                        model.extend_from_within(range);
                    }
                    return;
                }
                change(heap, object, model, raw);
            }
        }
    )*};
}
growable! { Bytes U8Arr I64Arr F64Arr List }

fn change<K: Tested + Growable>(
    heap: &mut Heap,
    object: Handle<K>,
    model: &mut Vec<u64>,
    [op, a, b]: [u64; 3],
) {
    let element = K::element(b);
    let bits = element.bits();
    let index = a as usize % (model.len() + 1);
    let mut view = heap.get_mut(object).unwrap();
    match op % 13 {
        0 | 1 if model.len() < 2000 => {
            for _ in 0..=a % 20 {
                view.push(element).unwrap();
                model.push(bits);
            }
        }
        2 => assert_eq!(view.pop().unwrap().map(Bits::bits), model.pop()),
        3 => match model.get(index) {
            Some(_) => assert_eq!(view.remove(index).unwrap().bits(), model.remove(index)),
            None => assert!(view.remove(index).is_err()),
        },
        4 => {
            view.truncate(index).unwrap();
            model.truncate(index);
        }
        5 => {
            view.insert(index, element).unwrap();
            model.insert(index, bits);
        }
        6 => {
            let len = a as usize % 40;
            view.resize(len, element).unwrap();
            model.resize(len, bits);
        }
        7 => view.reserve(a as usize % 100).unwrap(),
        8 => {
            view.truncate(0).unwrap();
            model.clear();
        }
        // Grow, so that ranges that were out of bounds are in bounds again.
        9 if model.len() < 2000 => {
            view.extend(&[element; 30]).unwrap();
            model.resize(model.len() + 30, bits);
        }
        10 => {
            heap.fail_growth_after(Some(0));
            if heap.get_mut(object).unwrap().push(element).is_ok() {
                model.push(bits);
            }
            heap.fail_growth_after(None);
        }
        11 => {
            view.reverse().unwrap();
            model.reverse();
        }
        _ => {}
    }
}

impl Tested for Pair {
    fn alloc(heap: &mut Heap, elements: &[Cell]) -> Handle<Pair> {
        heap.alloc(Pair::of(elements[0], elements[1])).unwrap()
    }
    fn len(_: usize) -> usize {
        2
    }
    set!();
}

impl Tested for Struct {
    fn alloc(heap: &mut Heap, elements: &[Cell]) -> Handle<Struct> {
        heap.alloc(Struct::of(9, elements)).unwrap()
    }
    set!();
}

impl Tested for Closure {
    fn alloc(heap: &mut Heap, elements: &[Cell]) -> Handle<Closure> {
        heap.alloc(Closure::of(9, elements)).unwrap()
    }
    set!();
}

impl Tested for Bignum {
    fn alloc(heap: &mut Heap, elements: &[u64]) -> Handle<Bignum> {
        heap.alloc(Bignum::of(true, elements)).unwrap()
    }
}

impl Tested for Str {
    fn alloc(heap: &mut Heap, elements: &[u8]) -> Handle<Str> {
        heap.alloc(Str::from_utf8(elements).unwrap()).unwrap()
    }
    fn element(raw: u64) -> u8 {
        raw as u8 & 0x7F
    }
}
