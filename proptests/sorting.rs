//! Sorting by a comparison that is a program of its own: it may contradict
//! itself, change the heap, sort other lists, give up. The list ends up sorted,
//! or with the cells it had.

use std::cmp::Ordering;

use proptest::prelude::*;
use segheap::{Cell, Error, Handle, Heap, Kind, List, Pair, Struct};

use crate::limits::accounts_add_up;
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

    /// By the tens only, so that the units tell whether equals keep their order.
    #[test]
    fn stable(twin in prop::collection::vec(0_i32..100, 0..200)) {
        let mut heap = heap(5);
        let sorted = list(&mut heap, &twin);
        let by_tens = |_: &mut Heap, a: Cell, b: Cell| {
            Ok::<_, Error>((a.as_int().unwrap() / 10).cmp(&(b.as_int().unwrap() / 10)))
        };
        heap.sort_by(sorted, by_tens).unwrap();
        let mut wanted = twin;
        wanted.sort_by_key(|n| n / 10);
        prop_assert_eq!(numbers(&heap, sorted), wanted);
    }

    /// Answers at random give some order of the same cells.
    #[test]
    fn contradictions(
        twin in prop::collection::vec(0_i32..100, 0..60),
        answers in prop::collection::vec(-1_i32..=1, 1..50),
    ) {
        let mut heap = heap(5);
        let sorted = list(&mut heap, &twin);
        let mut asked = 0;
        heap.sort_by::<List, Error>(sorted, |_, _, _| {
            asked += 1;
            Ok(answers[asked % answers.len()].cmp(&0))
        })
        .unwrap();
        let (mut got, mut wanted) = (numbers(&heap, sorted), twin);
        got.sort_unstable();
        wanted.sort_unstable();
        prop_assert_eq!(got, wanted);
    }

    /// A comparison that makes, changes and sorts other objects.
    #[test]
    fn busy_comparisons(twin in prop::collection::vec(0_i32..100, 0..40), inner in 0_i32..40) {
        let mut heap = heap(5);
        let sorted = list(&mut heap, &twin);
        let log = list(&mut heap, &[]);
        heap.sort_by::<List, Error>(sorted, |heap, a, b| {
            // Meanwhile the list has its old order.
            assert_eq!(numbers(heap, sorted), twin);
            let pair = heap.alloc(Pair::of(a, b))?;
            heap.get_mut(log)?.push(pair.into())?;
            let other = list(heap, &(0..inner).rev().collect::<Vec<_>>());
            heap.sort_by::<List, Error>(other, |heap, a, b| heap.cmp_int(a, b))?;
            assert!(numbers(heap, other).is_sorted());
            heap.free(other)?;
            heap.cmp_int(a, b)
        })
        .unwrap();
        let mut wanted = twin;
        wanted.sort_unstable();
        prop_assert_eq!(numbers(&heap, sorted), wanted);
        accounts_add_up(&heap);
    }

    /// The comparison gives up, or spoils the list, on its `n`-th call.
    #[test]
    fn spoilt(twin in prop::collection::vec(0_i32..100, 2..40), n in 0_usize..80, how in 0_u8..5) {
        let mut heap = heap(5);
        let sorted = list(&mut heap, &twin);
        let mut asked = 0;
        let got = heap.sort_by::<List, Error>(sorted, |heap, a, b| {
            asked += 1;
            if asked == n + 1 {
                match how {
                    0 => return Err(Error::NotDecimal),
                    1 => heap.get_mut(sorted)?.push(7.into())?,
                    2 => drop(heap.get_mut(sorted)?.pop()?),
                    3 => heap.free(sorted)?,
                    _ => {
                        heap.clear();
                        // Another list takes its slot.
                        list(heap, &twin);
                    }
                }
            }
            heap.cmp_int(a, b)
        });
        let mut wanted = twin.clone();
        if asked <= n {
            prop_assert_eq!(got, Ok(()));
            wanted.sort_unstable();
            prop_assert_eq!(numbers(&heap, sorted), wanted);
            return Ok(());
        }
        let (error, left) = match how {
            0 => (Error::NotDecimal, Some(wanted)),
            1 => {
                wanted.push(7);
                (Error::ChangedDuringSort, Some(wanted))
            }
            2 => {
                wanted.pop();
                (Error::ChangedDuringSort, Some(wanted))
            }
            _ => (Error::Stale { kind: Kind::LIST }, None),
        };
        prop_assert_eq!(got, Err(error));
        match left {
            Some(left) => prop_assert_eq!(numbers(&heap, sorted), left),
            None => prop_assert!(!heap.contains(sorted)),
        }
        accounts_add_up(&heap);
    }
}

/// Fields of a record sort as well as elements of a list.
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
