//! The natural order of numbers and texts, against an exact model, and what other
//! elements and too little memory do.

use std::cmp::Ordering;

use num_bigint::BigInt;
use proptest::prelude::*;
use segheap::{Bignum, Cell, Error, Handle, Heap, Kind, Limits, List, Pair, Resource, Struct};

use crate::limits::assert_accounting;
use crate::reference::big;
use crate::support::{config, float_bits, heap, integer, text};

/// A number with its exact value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Least,
    /// In units of the smallest float.
    Finite(BigInt),
    Greatest,
    NaN,
}

#[derive(Clone, Debug)]
enum Number {
    Int(i64),
    /// A power of two, and what is added to it.
    Large(bool, u32, i64),
    /// An integer of any size in an arena.
    Limbs(bool, Vec<u64>),
    Float(f64),
}

/// Numbers near each other are frequent: floats, and integers around them that no float
/// equals.
fn number() -> impl Strategy<Value = Number> {
    let exponents =
        prop::sample::select(vec![0, 47, 48, 52, 53, 54, 63, 64, 65, 127, 1023, 1024, 1100]);
    let near =
        prop::sample::select(vec![-2049_i64, -1025, -1024, -2, -1, 0, 1, 2, 1024, 1025, 2049]);
    let power = |(negative, exponent): (bool, u32)| {
        let power = 2_f64.powi(exponent as i32);
        if negative { -power } else { power }
    };
    prop_oneof![
        3 => (-4_i64..4).prop_map(Number::Int),
        2 => integer().prop_map(Number::Int),
        4 => (any::<bool>(), exponents.clone(), near)
            .prop_map(|(negative, exponent, near)| Number::Large(negative, exponent, near)),
        1 => (any::<bool>(), prop::collection::vec(any::<u64>(), 0..18))
            .prop_map(|(negative, limbs)| Number::Limbs(negative, limbs)),
        1 => float_bits().prop_map(|bits| Number::Float(f64::from_bits(bits))),
        2 => (any::<bool>(), exponents).prop_map(power).prop_map(Number::Float),
        2 => prop::sample::select(vec![0.0, -0.0, 1.0, -1.5, f64::NAN, f64::MAX, f64::NEG_INFINITY])
            .prop_map(Number::Float),
    ]
}

fn integer_of(negative: bool, magnitude: BigInt) -> BigInt {
    if negative { -magnitude } else { magnitude }
}

impl Number {
    fn alloc(&self, heap: &mut Heap) -> Cell {
        match self {
            Number::Int(int) => heap.int(*int).unwrap(),
            Number::Float(float) => Cell::from(*float),
            Number::Limbs(negative, limbs) => {
                heap.alloc(Bignum::of(*negative, limbs)).unwrap().cell()
            }
            Number::Large(..) => {
                let value = self.integer().unwrap();
                let limbs: Vec<u64> = value.magnitude().iter_u64_digits().collect();
                heap.alloc(Bignum::of(value < BigInt::ZERO, &limbs)).unwrap().cell()
            }
        }
    }

    fn integer(&self) -> Option<BigInt> {
        Some(match self {
            Number::Int(int) => BigInt::from(*int),
            Number::Large(negative, exponent, near) => {
                integer_of(*negative, (BigInt::from(1) << *exponent) + *near)
            }
            Number::Limbs(negative, limbs) => big(*negative, limbs),
            Number::Float(_) => return None,
        })
    }

    fn value(&self) -> Value {
        const SMALLEST: u32 = 1074;
        let Number::Float(float) = *self else {
            return Value::Finite(self.integer().unwrap() << SMALLEST);
        };
        if float.is_nan() {
            return Value::NaN;
        }
        if float.is_infinite() {
            return if float > 0.0 { Value::Greatest } else { Value::Least };
        }
        let (exponent, fraction) =
            (float.to_bits() >> 52 & 0x7FF, float.to_bits() & ((1 << 52) - 1));
        let digits = if exponent == 0 { fraction } else { fraction | 1 << 52 };
        Value::Finite(integer_of(float < 0.0, BigInt::from(digits) << exponent.saturating_sub(1)))
    }
}

/// Sorts a list, and asserts that it has the cells of the model after a stable sort.
fn check<T>(heap: &mut Heap, model: &[(Cell, T)], compare: impl Fn(&T, &T) -> Ordering) {
    let cells: Vec<Cell> = model.iter().map(|(cell, _)| *cell).collect();
    let list = heap.alloc(List::of(&cells)).unwrap();
    let mut order: Vec<&(Cell, T)> = model.iter().collect();
    order.sort_by(|a, b| compare(&a.1, &b.1));
    let expected: Vec<Cell> = order.iter().map(|(cell, _)| *cell).collect();
    assert_eq!(heap.sort(list), Ok(()));
    assert_eq!(heap.get(list).unwrap().as_slice(), expected);
    // Again, as it is sorted.
    assert_eq!(heap.sort(list), Ok(()));
    assert_eq!(heap.get(list).unwrap().as_slice(), expected);
    heap.free(list).unwrap();
    assert_accounting(heap);
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn numbers_compare_exactly(numbers in prop::collection::vec(number(), 2..12)) {
        let mut heap = heap(5);
        let model: Vec<(Cell, Value)> =
            numbers.iter().map(|number| (number.alloc(&mut heap), number.value())).collect();
        for (a, x) in &model {
            for (b, y) in &model {
                let nan = *x == Value::NaN || *y == Value::NaN;
                prop_assert_eq!(heap.cmp_num(*a, *b), Ok((!nan).then(|| x.cmp(y))), "{:?} {:?}", x, y);
            }
        }
    }

    /// Decimal text is what Rust rounds to the nearest float.
    #[test]
    fn integers_become_floats_and_back(number in number()) {
        let mut heap = heap(5);
        let cell = number.alloc(&mut heap);
        let nearest = match (&number, number.integer()) {
            (Number::Float(float), _) => *float,
            (_, integer) => integer.unwrap().to_string().parse().unwrap(),
        };
        let float = heap.as_f64(cell).unwrap();
        prop_assert_eq!(Cell::from(float), Cell::from(nearest));
        let back = heap.int_from_f64(float);
        if !float.is_finite() {
            prop_assert_eq!(back, Err(Error::NotAnInteger));
        } else {
            let (back, whole) = (back.unwrap(), Cell::from(float.trunc()));
            prop_assert_eq!(heap.cmp_num(back, whole), Ok(Some(Ordering::Equal)));
            prop_assert_eq!(heap.display(back).to_string(), format!("{:.0}", float.trunc() + 0.0));
        }
        let text = heap.number_to_text(cell).unwrap();
        let shown = heap.display(cell).to_string();
        prop_assert_eq!(heap.text(text).unwrap().to_string(), shown);
        let back = heap.number_from_text(text).unwrap();
        if let Number::Float(float) = number {
            prop_assert_eq!(back, Cell::from(float));
        } else {
            prop_assert_eq!(heap.cmp_num(back, cell), Ok(Some(Ordering::Equal)));
        }
    }

    #[test]
    fn what_is_no_number(text in "[0-9.e+-]{0,8}", cell in crate::support::immediate()) {
        let mut heap = heap(5);
        let value = heap.string(&text).unwrap();
        let expected = match (text.parse::<BigInt>(), text.parse::<f64>()) {
            (Ok(int), _) => Ok(Cell::int(i64::try_from(int).unwrap()).unwrap()),
            (_, Ok(float)) => Ok(Cell::from(float)),
            _ => Err(Error::NotDecimal),
        };
        prop_assert_eq!(heap.number_from_text(value), expected);
        if cell.as_int().is_none() && cell.as_float().is_none() {
            let one = Cell::from(1);
            prop_assert_eq!(heap.cmp_num(one, cell), Err(Error::NotANumber));
            prop_assert_eq!(heap.cmp_num(cell, one), Err(Error::NotANumber));
            prop_assert_eq!(heap.as_f64(cell), Err(Error::NotANumber));
            prop_assert_eq!(heap.number_to_text(cell), Err(Error::NotANumber));
        }
    }

    #[test]
    fn numbers_agree_with_exact_ones(numbers in prop::collection::vec(number(), 0..80)) {
        let mut heap = heap(5);
        let model: Vec<(Cell, Value)> =
            numbers.iter().map(|number| (number.alloc(&mut heap), number.value())).collect();
        check(&mut heap, &model, Value::cmp);
        // Those of each form alone, which take other paths.
        let integers: Vec<(Cell, Value)> =
            model.iter().filter(|(cell, _)| cell.as_int().is_some()).cloned().collect();
        check(&mut heap, &integers, Value::cmp);
        let floats: Vec<(Cell, Value)> =
            model.iter().filter(|(cell, _)| cell.as_float().is_some()).cloned().collect();
        check(&mut heap, &floats, Value::cmp);
        let positive: Vec<(Cell, Value)> =
            floats.iter().filter(|(cell, _)| *cell != Cell::from(-0.0)).cloned().collect();
        check(&mut heap, &positive, Value::cmp);
    }

    #[test]
    fn texts_agree_with_their_bytes(
        texts in prop::collection::vec((text(), prop::sample::select(vec!["", "\0", "\0\0", "a", "eight b"])), 0..60),
    ) {
        let mut heap = heap(5);
        let model: Vec<(Cell, String)> = texts
            .iter()
            .map(|(text, prefix)| format!("{prefix}{text}"))
            .map(|text| (heap.string(&text).unwrap(), text))
            .collect();
        check(&mut heap, &model, String::cmp);
        // Short texts that lie in an arena, too.
        let model: Vec<(Cell, String)> = model
            .into_iter()
            .map(|(_, text)| (heap.alloc(segheap::Str::new(&text)).unwrap().cell(), text))
            .collect();
        check(&mut heap, &model, String::cmp);
    }

    /// One other element at any place, or too little memory: the list is unchanged.
    #[test]
    fn a_failed_sort_changes_nothing(
        numbers in prop::collection::vec(number(), 1..40),
        place in any::<prop::sample::Index>(),
        other in 0_u8..7,
    ) {
        let mut heap = heap(5);
        let mut cells: Vec<Cell> = numbers.iter().map(|number| number.alloc(&mut heap)).collect();
        let freed = heap.int(i64::MAX).unwrap();
        heap.free(freed).unwrap();
        let key = heap.new_seal_key().unwrap();
        let (element, error) = match other {
            0 => (Cell::NULL, Error::NoOrder),
            1 => (Cell::TRUE, Error::NoOrder),
            2 => (Cell::deopt(1).unwrap(), Error::NoOrder),
            3 => (heap.alloc(List::new()).unwrap().cell(), Error::NoOrder),
            4 => (heap.string("text").unwrap(), Error::NoOrder),
            5 => (freed, Error::Stale { kind: Kind::BIGNUM }),
            _ => (heap.seal(1, &key).unwrap(), Error::Sealed),
        };
        cells.insert(place.index(cells.len() + 1), element);
        let list = heap.alloc(List::of(&cells)).unwrap();
        prop_assert_eq!(heap.sort(list), Err(error));
        prop_assert_eq!(heap.get(list).unwrap().as_slice(), cells);
        assert_accounting(&heap);
    }
}

/// A list that takes scratch memory for its sort, which the limit does not leave.
#[test]
fn scratch_memory_is_limited() {
    let mut heap = heap(5);
    let cells: Vec<Cell> = (0..1000).map(|n| Cell::from(-f64::from(n % 7))).collect();
    let list = heap.alloc(List::of(&cells)).unwrap();
    let used = heap.usage().total_bytes as usize;
    heap.set_limits(Limits::NONE.with_bytes(used + 8000));
    assert_eq!(heap.sort(list), Err(Error::Limit(Resource::Bytes)));
    assert_eq!(heap.get(list).unwrap().as_slice(), cells);
    heap.set_limits(Limits::NONE.with_bytes(used + 40_000));
    assert_eq!(heap.sort(list), Ok(()));
    assert!(heap.usage().total_bytes as usize <= used + 40_000);
    // Integers and most floats need none.
    let integers: Vec<Cell> = (0..1000).rev().map(Cell::from).collect();
    let list: Handle<List> = heap.alloc(List::of(&integers)).unwrap();
    heap.set_limits(Limits::NONE.with_bytes(0));
    assert_eq!(heap.sort(list), Ok(()));
    assert!(heap.get(list).unwrap().as_slice().iter().copied().eq((0..1000).map(Cell::from)));
}

#[test]
fn other_sequences_of_cells() {
    let mut heap = heap(5);
    let record = heap.alloc(Struct::of(7, &[3.into(), 1.5.into(), 2.into()])).unwrap();
    heap.sort(record).unwrap();
    let view = heap.get(record).unwrap();
    assert_eq!((view.shape(), view.as_slice()), (7, &[1.5.into(), 2.into(), 3.into()][..]));
    let pair = heap.alloc(Pair::of(2.into(), 1.into())).unwrap();
    heap.sort(pair).unwrap();
    assert_eq!(heap.get(pair).unwrap().first(), Ok(1.into()));
}
