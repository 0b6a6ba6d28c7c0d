//! Sorting with arbitrary comparisons: they may be inconsistent, change the heap,
//! sort other lists or fail. Afterwards the list is sorted or unchanged.

mod natural;

use std::cmp::Ordering;

use proptest::prelude::*;
use segheap::{Cell, Error, Handle, Heap, Kind, List, Pair, Struct};

use crate::limits::assert_accounting;
use crate::support::{config, heap};

fn list(heap: &mut Heap, numbers: &[i32]) -> Handle<List> {
    let cells: Vec<Cell> = numbers.iter().map(|&n| n.into()).collect();
    heap.alloc(List::of(&cells)).unwrap()
}

fn numbers(heap: &Heap, list: Handle<List>) -> Vec<i32> {
    let cells = heap.get(list).unwrap().as_slice();
    cells.iter().map(|cell| cell.as_int().unwrap() as i32).collect()
}

proptest! {
    #![proptest_config(config(64))]

    /// Compares tens only: the units show whether equal elements keep their order.
    #[test]
    fn sorting_is_stable(model in prop::collection::vec(0_i32..100, 0..200)) {
        let mut heap = heap(5);
        let sorted = list(&mut heap, &model);
        let by_tens = |_: &mut Heap, a: Cell, b: Cell| {
            Ok::<_, Error>((a.as_int().unwrap() / 10).cmp(&(b.as_int().unwrap() / 10)))
        };
        heap.sort_by(sorted, by_tens).unwrap();
        let mut expected = model;
        expected.sort_by_key(|n| n / 10);
        prop_assert_eq!(numbers(&heap, sorted), expected);
    }

    /// A comparison with random results yields a permutation of the elements.
    #[test]
    fn inconsistent_comparisons(
        model in prop::collection::vec(0_i32..100, 0..60),
        results in prop::collection::vec(-1_i32..=1, 1..50),
    ) {
        let mut heap = heap(5);
        let sorted = list(&mut heap, &model);
        let mut calls = 0;
        heap.sort_by::<List, Error>(sorted, |_, _, _| {
            calls += 1;
            Ok(results[calls % results.len()].cmp(&0))
        })
        .unwrap();
        let (mut got, mut expected) = (numbers(&heap, sorted), model);
        got.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(got, expected);
    }

    /// A comparison that allocates, writes and sorts other objects.
    #[test]
    fn comparisons_that_use_the_heap(model in prop::collection::vec(0_i32..100, 0..40), inner in 0_i32..40) {
        let mut heap = heap(5);
        let sorted = list(&mut heap, &model);
        let log = list(&mut heap, &[]);
        heap.sort_by::<List, Error>(sorted, |heap, a, b| {
            // The list keeps its old order until the sort ends.
            assert_eq!(numbers(heap, sorted), model);
            let pair = heap.alloc(Pair::of(a, b))?;
            heap.get_mut(log)?.push(pair.into())?;
            let other = list(heap, &(0..inner).rev().collect::<Vec<_>>());
            heap.sort_by::<List, Error>(other, |heap, a, b| heap.cmp_int(a, b))?;
            assert!(numbers(heap, other).is_sorted());
            heap.free(other)?;
            heap.cmp_int(a, b)
        })
        .unwrap();
        let mut expected = model;
        expected.sort_unstable();
        prop_assert_eq!(numbers(&heap, sorted), expected);
        assert_accounting(&heap);
    }

    /// The comparison fails, or changes the list, on its `n`-th call.
    #[test]
    fn comparisons_that_fail_or_change_the_list(model in prop::collection::vec(0_i32..100, 2..40), n in 0_usize..80, how in 0_u8..8) {
        let mut heap = heap(5);
        let sorted = list(&mut heap, &model);
        let mut calls = 0;
        let got = heap.sort_by::<List, Error>(sorted, |heap, a, b| {
            calls += 1;
            if calls == n + 1 {
                match how {
                    0 => return Err(Error::NotDecimal),
                    1 => heap.get_mut(sorted)?.push(7.into())?,
                    2 => drop(heap.get_mut(sorted)?.pop()?),
                    3 => heap.free(sorted)?,
                    4 => heap.get_mut(sorted)?.set(n % model.len(), 777.into())?,
                    5 => heap.get_mut(sorted)?.reverse()?,
                    // The list sorts itself inside of its comparison.
                    6 => heap.sort_by::<List, Error>(sorted, |heap, a, b| heap.cmp_int(a, b))?,
                    _ => {
                        heap.clear();
                        // Another list reuses the slot.
                        list(heap, &model);
                    }
                }
            }
            heap.cmp_int(a, b)
        });
        let mut expected = model.clone();
        let unchanged = match how {
            5 => model.iter().eq(model.iter().rev()),
            6 => model.is_sorted(),
            _ => false,
        };
        if calls <= n || unchanged {
            prop_assert_eq!(got, Ok(()));
            expected.sort_unstable();
            prop_assert_eq!(numbers(&heap, sorted), expected);
            return Ok(());
        }
        let (error, left) = match how {
            0 => (Error::NotDecimal, Some(expected)),
            1 => {
                expected.push(7);
                (Error::Changed, Some(expected))
            }
            2 => {
                expected.pop();
                (Error::Changed, Some(expected))
            }
            4 => {
                expected[n % model.len()] = 777;
                (Error::Changed, Some(expected))
            }
            5 => {
                expected.reverse();
                (Error::Changed, Some(expected))
            }
            6 => {
                expected.sort_unstable();
                (Error::Changed, Some(expected))
            }
            _ => (Error::Stale { kind: Kind::LIST }, None),
        };
        prop_assert_eq!(got, Err(error));
        match left {
            Some(left) => prop_assert_eq!(numbers(&heap, sorted), left),
            None => prop_assert!(!heap.contains(sorted)),
        }
        assert_accounting(&heap);
    }
}

/// Structs and pairs sort like lists.
#[test]
fn other_sequences_of_cells() {
    let mut heap = heap(5);
    let record = heap.alloc(Struct::of(7, &[3.into(), 1.into(), 2.into()])).unwrap();
    heap.sort_by::<Struct, Error>(record, |heap, a, b| heap.cmp_int(b, a)).unwrap();
    let view = heap.get(record).unwrap();
    assert_eq!((view.shape(), view.as_slice()), (7, &[3.into(), 2.into(), 1.into()][..]));
    let pair = heap.alloc(Pair::of(2.into(), 1.into())).unwrap();
    heap.sort_by::<Pair, Error>(pair, |_, _, _| Ok(Ordering::Greater)).unwrap();
    assert_eq!(heap.get(pair).unwrap().first(), Ok(1.into()));
}

/// The comparisons of a sort, which has the result of a stable one.
fn comparisons(model: &[i32]) -> usize {
    let mut heap = heap(5);
    let sorted = list(&mut heap, model);
    let mut count = 0;
    heap.sort_by::<List, Error>(sorted, |heap, a, b| {
        count += 1;
        heap.cmp_int(a, b)
    })
    .unwrap();
    let mut expected = model.to_vec();
    expected.sort();
    assert_eq!(numbers(&heap, sorted), expected);
    count
}

/// A comparison may take long: there are few of them.
#[test]
fn comparisons_are_few() {
    for n in [0, 1, 2, 3, 5, 16, 17, 33, 100, 1000, 10_000] {
        let up: Vec<i32> = (0..n).collect();
        let down: Vec<i32> = (0..n).rev().collect();
        let least = (n as usize).saturating_sub(1);
        assert_eq!(
            [comparisons(&up), comparisons(&down), comparisons(&vec![7; n as usize])],
            [least; 3]
        );
        let mut random = 1_u64;
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as i32
        };
        let shuffled: Vec<i32> = up.iter().map(|_| next()).collect();
        // log2(n!) are needed.
        let needed: f64 = (1..=n).map(|n| f64::from(n).log2()).sum();
        let count = comparisons(&shuffled) as f64;
        assert!(count <= needed * 1.1 + f64::from(n) * 0.2 + 16.0, "{n}: {count}, needed {needed}");
        // Two sorted runs, and a sorted list with an element at the end.
        let half = n as usize / 2;
        let runs: Vec<i32> = up[half..].iter().chain(&up[..half]).copied().collect();
        assert!(comparisons(&runs) <= 2 * n as usize + 64, "{n}");
        let appended: Vec<i32> = up.iter().copied().chain([n / 3]).collect();
        assert!(comparisons(&appended) <= 2 * n as usize + 64, "{n}");
    }
}
