//! Integers against `BigInt`: arithmetic is exact whether operands are immediate or
//! allocated, and a result that fits in a cell is immediate.

use std::ops::Range;

use num_bigint::{BigInt, Sign};
use proptest::prelude::*;
use segheap::{Bignum, Cell, Cursor, Error, Heap, abi};

use crate::reference::big;
use crate::support::{config, heap, index, integer, out_of_range};

/// Integers of up to three limbs. `Limbs` allocates even small values.
#[derive(Clone, Debug)]
pub enum Number {
    Value(i64),
    Limbs(bool, Vec<u64>),
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![integer().prop_map(Number::Value), of_limbs(0..4)]
}

/// Integers of so many limbs.
fn of_limbs(len: Range<usize>) -> impl Strategy<Value = Number> {
    let limb = prop_oneof![2 => any::<u64>(), 1 => 0_u64..3, 1 => Just(u64::MAX),
        1 => Just(1 << 63), 1 => Just(1 << 47)];
    (any::<bool>(), prop::collection::vec(limb, len))
        .prop_map(|(negative, limbs)| Number::Limbs(negative, limbs))
}

/// [`number`], and integers of about eight limbs: up to so many are multiplied on the
/// stack.
pub fn operand() -> impl Strategy<Value = Number> {
    prop_oneof![2 => number(), 1 => of_limbs(7..10)]
}

impl Number {
    pub fn alloc(&self, heap: &mut Heap) -> (Cell, BigInt) {
        match self {
            Number::Value(value) => (heap.int(*value).unwrap(), BigInt::from(*value)),
            Number::Limbs(negative, limbs) => {
                let object = heap.alloc(Bignum::of(*negative, limbs)).unwrap();
                (object.into(), big(*negative, limbs))
            }
        }
    }
}

/// Asserts the value of a result, and that it is immediate if it fits.
pub fn assert_value(heap: &Heap, cell: Cell, expected: &BigInt) {
    let small = i64::try_from(expected).ok();
    assert_eq!(heap.as_int(cell), Ok(small), "{expected}");
    let fits = small.filter(|small| Cell::int(*small).is_some());
    assert_eq!(cell.as_int(), fits, "{expected}");
    assert_eq!(heap.display(cell).to_string(), expected.to_string());
    if fits.is_none() {
        assert_view(heap, cell, expected);
    }
}

/// Asserts the value of a result, or the error of an operation that failed.
pub fn assert_result(heap: &Heap, got: Result<Cell, Error>, expected: Result<BigInt, Error>) {
    match (got, expected) {
        (Ok(cell), Ok(expected)) => assert_value(heap, cell, &expected),
        (got, expected) => assert_eq!(
            got.map(|cell| heap.display(cell).to_string()),
            expected.map(|expected| expected.to_string())
        ),
    }
}

fn assert_view(heap: &Heap, cell: Cell, expected: &BigInt) {
    let view = heap.get::<Bignum>(cell).unwrap();
    let (sign, limbs) = expected.to_u64_digits();
    assert_eq!((view.is_negative(), view.limbs()), (sign == Sign::Minus, limbs.as_slice()));
    assert_eq!(view.to_i64(), i64::try_from(expected).ok());
    assert_eq!(view.to_i128(), i128::try_from(expected).ok());
    assert_eq!(view.to_string(), expected.to_string());
    assert_eq!(view.len(), limbs.len());
}

/// A carry or a borrow passes through a limb that alone has none, and the highest
/// limb that differs decides the order.
#[test]
fn carries_pass_through_limbs() {
    let mut heap = heap(1);
    let limbs: [[u64; 3]; 6] = [
        [1, 0, 1],
        [u64::MAX, u64::MAX, 1],
        [0, 0, 2],
        [2, 1, 1],
        [1, 2, 1],
        [1, u64::MAX, u64::MAX],
    ];
    let numbers = limbs.iter().flat_map(|limbs| [false, true].map(|sign| (sign, limbs)));
    let numbers: Vec<_> =
        numbers.map(|(sign, limbs)| Number::Limbs(sign, limbs.to_vec()).alloc(&mut heap)).collect();
    for (a, big_a) in &numbers {
        for (b, big_b) in &numbers {
            let (sum, difference) = (heap.add(*a, *b).unwrap(), heap.sub(*a, *b).unwrap());
            assert_value(&heap, sum, &(big_a + big_b));
            assert_value(&heap, difference, &(big_a - big_b));
            assert_eq!(heap.cmp_int(*a, *b), Ok(big_a.cmp(big_b)));
        }
    }
}

/// The greatest integers of so many limbs, whose products carry into every limb.
#[test]
fn products_of_the_greatest_integers() {
    let mut heap = heap(1);
    for lens in [[1, 1], [2, 2], [1, 8], [8, 8], [8, 9], [9, 9]] {
        let [a, b] = lens.map(|len| Number::Limbs(len == 8, vec![u64::MAX; len]));
        let ((a, big_a), (b, big_b)) = (a.alloc(&mut heap), b.alloc(&mut heap));
        let product = heap.mul(a, b);
        assert_result(&heap, product, Ok(&big_a * &big_b));
        let (sum, difference) = (heap.add(a, b).unwrap(), heap.sub(b, a).unwrap());
        assert_value(&heap, sum, &(&big_a + &big_b));
        assert_value(&heap, difference, &(big_b - big_a));
    }
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn arithmetic(a in operand(), b in operand()) {
        let mut heap = heap(5);
        let ((a, x), (b, y)) = (a.alloc(&mut heap), b.alloc(&mut heap));
        let zero = BigInt::ZERO;
        for (cell, value) in [(a, &x), (b, &y)] {
            if cell.kind().is_some() {
                assert_view(&heap, cell, value);
            } else {
                assert_value(&heap, cell, value);
            }
            let negated = heap.neg(cell).unwrap();
            assert_value(&heap, negated, &-value);
        }
        let sum = heap.add(a, b).unwrap();
        assert_value(&heap, sum, &(&x + &y));
        let difference = heap.sub(a, b).unwrap();
        assert_value(&heap, difference, &(&x - &y));
        let product = heap.mul(a, b);
        assert_result(&heap, product, Ok(&x * &y));
        if y == zero {
            prop_assert_eq!(heap.div(a, b), Err(Error::DivisionByZero));
            prop_assert_eq!(heap.rem(a, b), Err(Error::DivisionByZero));
        } else {
            let (quotient, remainder) = (heap.div(a, b), heap.rem(a, b));
            assert_result(&heap, quotient, Ok(&x / &y));
            assert_result(&heap, remainder, Ok(&x % &y));
        }
        prop_assert_eq!(heap.cmp_int(a, b), Ok(x.cmp(&y)));
        prop_assert_eq!(heap.key_eq(a, b), Ok(x == y));
        prop_assert_eq!(heap.deep_eq(a, b), Ok(x == y));
        if x == y {
            prop_assert_eq!(heap.hash(a), heap.hash(b));
        }
    }

    #[test]
    fn powers(base in number(), exponent in prop_oneof![0_u32..9, 0_u32..70]) {
        let mut heap = heap(5);
        let (base, value) = base.alloc(&mut heap);
        let power = heap.pow(base, exponent.into());
        assert_result(&heap, power, Ok(value.pow(exponent)));
        prop_assert_eq!(heap.pow(base, (-1).into()), Err(Error::NegativeExponent));
        let minus = heap.alloc(Bignum::of(true, &[0, 1])).unwrap();
        prop_assert_eq!(heap.pow(base, minus.into()), Err(Error::NegativeExponent));
    }

    /// 0, 1 and -1 have powers for exponents of any size; the powers of other bases
    /// exceed every limit.
    #[test]
    fn powers_with_huge_exponents(base in -3_i32..=3, limbs in prop::collection::vec(1_u64.., 2..4)) {
        let mut heap = heap(5);
        let exponent = heap.alloc(Bignum::of(false, &limbs)).unwrap().cell();
        let got = heap.pow(base.into(), exponent);
        match base {
            0 | 1 => prop_assert_eq!(got, Ok(base.into())),
            -1 => prop_assert_eq!(got, Ok(if limbs[0] & 1 == 1 { -1 } else { 1 }.into())),
            _ => prop_assert!(matches!(got, Err(Error::Limit(_) | Error::ObjectTooLarge))),
        }
    }

    #[test]
    fn decimal_text_round_trips(number in number(), zeroes in 0_usize..50, plus in any::<bool>()) {
        let mut heap = heap(5);
        let (_, value) = number.alloc(&mut heap);
        let sign = match (value.sign(), plus) {
            (Sign::Minus, _) => "-",
            (_, true) => "+",
            _ => "",
        };
        let text = format!("{sign}{}{}", "0".repeat(zeroes), value.magnitude());
        let parsed = heap.parse_int(&text);
        assert_result(&heap, parsed, Ok(value));
    }

    #[test]
    fn text_that_is_not_decimal_is_rejected(text in "[+-]{0,2}[0-9_ ]{0,25}[a-f]?") {
        let mut heap = heap(5);
        let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
        let decimal = !digits.is_empty() && digits.chars().all(|char| char.is_ascii_digit());
        match heap.parse_int(&text) {
            Ok(cell) => {
                prop_assert!(decimal);
                assert_value(&heap, cell, &text.parse().unwrap());
            }
            error => {
                prop_assert!(!decimal);
                prop_assert_eq!(error, Err(Error::NotDecimal));
            }
        }
    }

    #[test]
    fn int128(value in prop_oneof![any::<i128>(), integer().prop_map(i128::from)]) {
        let mut heap = heap(5);
        let cell = heap.int128(value).unwrap();
        assert_value(&heap, cell, &BigInt::from(value));
    }

    /// Limbs are read as elements; leading zero limbs are dropped.
    #[test]
    fn limbs(
        negative in any::<bool>(),
        limbs in prop::collection::vec(0_u64..3, 0..6),
        indices in prop::collection::vec(index(), 4),
    ) {
        let mut heap = heap(5);
        let object = heap.alloc(Bignum::of(negative, &limbs)).unwrap();
        assert_view(&heap, object.cell(), &big(negative, &limbs));
        let view = heap.get(object).unwrap();
        for index in indices {
            let expected = view.limbs().get(index).copied();
            prop_assert_eq!(view.get(index), expected.ok_or(out_of_range(index, view.len())));
        }
        let mut cursor = Cursor::default();
        for &limb in view.limbs() {
            prop_assert_eq!(view.next(&mut cursor), Some(limb));
        }
        prop_assert_eq!(view.next(&mut cursor), None);
    }

    /// An operand that is not an integer is rejected, whatever the other operand.
    #[test]
    fn operands_that_are_not_integers_are_rejected(cell in crate::support::immediate()) {
        let cell = if cell.as_int().is_some() { Cell::from(1.0) } else { cell };
        let mut heap = heap(5);
        let list = heap.alloc(segheap::List::of(&[])).unwrap().cell();
        let freed = heap.int(i64::MAX).unwrap();
        heap.free(freed).unwrap();
        let wrong_kind = Error::WrongKind { found: segheap::Kind::LIST, wanted: segheap::Kind::BIGNUM };
        let stale = Error::Stale { kind: segheap::Kind::BIGNUM };
        for (cell, error) in [(cell, Error::NotAnInteger), (list, wrong_kind), (freed, stale)] {
            let one = Cell::from(1);
            prop_assert_eq!(heap.add(cell, one), Err(error));
            prop_assert_eq!(heap.sub(one, cell), Err(error));
            prop_assert_eq!(heap.mul(cell, cell), Err(error));
            prop_assert_eq!(heap.div(cell, 0.into()), Err(error));
            prop_assert_eq!(heap.rem(one, cell), Err(error));
            prop_assert_eq!(heap.pow(cell, one), Err(error));
            prop_assert_eq!(heap.neg(cell), Err(error));
            prop_assert_eq!(heap.as_int(cell), Err(error));
            prop_assert_eq!(heap.cmp_int(one, cell), Err(error));
        }
        prop_assert!(abi::bits(list) != abi::bits(freed));
    }
}
