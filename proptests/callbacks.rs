//! Operations that call code of the VM: it fails, uses the heap, or changes the very
//! object that the operation is about. Then that is left as the code left it.

use proptest::prelude::*;
use segheap::{Cell, Error, Handle, Heap, Kind, List, Map, Str};

use crate::support::{config, heap, out_of_range};

/// What the code does in one of its calls.
#[derive(Clone, Copy, Debug)]
enum Act {
    Fails,
    Adds,
    Removes,
    Overwrites,
    /// Removes an entry and inserts it again, at the end.
    Moves,
    Clears,
    Frees,
    /// Frees all objects; another one takes the slot.
    Replaces,
    /// Collects, with the object as the only root.
    Collects,
}

const ACTS: [Act; 9] = [
    Act::Fails,
    Act::Adds,
    Act::Removes,
    Act::Overwrites,
    Act::Moves,
    Act::Clears,
    Act::Frees,
    Act::Replaces,
    Act::Collects,
];

fn entries(heap: &Heap, map: Handle<Map>) -> Vec<(Cell, Cell)> {
    heap.get(map).unwrap().iter().collect()
}

/// Does it to a map, of which `key` is a key.
fn act(heap: &mut Heap, map: Handle<Map>, key: Cell, act: Act) -> Result<(), Error> {
    match act {
        Act::Fails => return Err(Error::NotDecimal),
        Act::Adds => {
            heap.get_mut(map)?.insert(777.into(), Cell::NULL)?;
        }
        Act::Removes => {
            heap.get_mut(map)?.remove(key)?;
        }
        Act::Overwrites => {
            heap.get_mut(map)?.insert(key, 777.into())?;
        }
        Act::Moves => {
            let (key, value) = heap.get_mut(map)?.pop_front()?.unwrap();
            heap.get_mut(map)?.insert(key, value)?;
        }
        Act::Clears => heap.get_mut(map)?.clear()?,
        Act::Frees => heap.free(map)?,
        Act::Replaces => {
            heap.clear();
            heap.alloc(Map::new())?;
        }
        Act::Collects => {
            heap.collect([map])?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(96))]

    /// The code acts in its call `n`; the map has the entries that it had before all calls
    /// until the last one, or those that the code left.
    #[test]
    fn choosing_entries_of_a_map(
        len in 1_i32..60,
        removed in 0_i32..40,
        n in 0_usize..60,
        action in prop::sample::select(&ACTS[..]),
    ) {
        let mut heap = heap(5);
        let map = heap.alloc(Map::new()).unwrap();
        for key in 0..len + removed {
            heap.get_mut(map).unwrap().insert(key.into(), (10 * key).into()).unwrap();
        }
        for key in 0..removed {
            heap.get_mut(map).unwrap().remove((key * 7 % (len + removed)).into()).unwrap();
        }
        let before = entries(&heap, map);
        let (mut calls, mut left) = (0, None);
        let got = heap.map_retain(map, |heap, key, _| {
            if calls <= n {
                assert_eq!(entries(heap, map), before);
            }
            calls += 1;
            if calls == n + 1 {
                act(heap, map, key, action)?;
                left = heap.get(map).ok().map(|map| map.iter().collect::<Vec<_>>());
            }
            Ok::<_, Error>(key.as_int().unwrap() % 2 == 0)
        });
        let kept: Vec<_> =
            before.iter().copied().filter(|(key, _)| key.as_int().unwrap() % 2 == 0).collect();
        let (error, after) = match action {
            _ if n >= before.len() => (None, Some(kept)),
            Act::Collects => (None, Some(kept)),
            Act::Fails => (Some(Error::NotDecimal), Some(before)),
            Act::Frees | Act::Replaces => (Some(Error::Stale { kind: Kind::MAP }), None),
            _ => (Some(Error::Changed), left),
        };
        prop_assert_eq!(got, error.map_or(Ok(()), Err));
        if let Some(after) = after {
            prop_assert_eq!(entries(&heap, map), after);
        }
        prop_assert_eq!(heap.verify(), Ok(()));
    }
}

/// A table that was large gives its memory back: when it is rebuilt, by `shrink_to_fit`,
/// and by a compaction after `clear`.
#[test]
fn tables_give_memory_back() {
    const LARGE: i32 = 100_000;
    let bytes = |heap: &Heap| heap.usage().total_bytes;
    for way in 0..4 {
        let mut heap = heap(5);
        let map = heap.alloc(Map::new()).unwrap();
        for key in 0..LARGE {
            heap.get_mut(map).unwrap().insert(key.into(), Cell::NULL).unwrap();
        }
        let full = bytes(&heap);
        let mut view = heap.get_mut(map).unwrap();
        match way {
            0 => {
                while view.pop_front().unwrap().is_some_and(|(key, _)| key != (LARGE - 11).into()) {
                }
            }
            1 => while view.pop().unwrap().is_some_and(|(key, _)| key != 10.into()) {},
            2 => view.clear().unwrap(),
            _ => {
                for key in 10..LARGE {
                    view.remove(key.into()).unwrap();
                }
            }
        }
        if way == 2 {
            for key in 0..10 {
                view.insert(key.into(), Cell::NULL).unwrap();
            }
        }
        assert_eq!(heap.get(map).unwrap().len(), 10);
        heap.compact();
        assert!(bytes(&heap) < full / 20, "{way}: {} of {full}", bytes(&heap));
        assert_eq!(heap.get(map).unwrap().iter().count(), 10);
        assert_eq!(heap.verify(), Ok(()));
    }
    // A queue whose table is full of holes is rebuilt as large as its entries need.
    let mut heap = heap(5);
    let queue = heap.alloc(Map::with_capacity(LARGE as usize)).unwrap();
    for key in 0..LARGE {
        heap.get_mut(queue).unwrap().insert(key.into(), Cell::NULL).unwrap();
        if key >= LARGE / 5 {
            heap.get_mut(queue).unwrap().pop_front().unwrap();
        }
    }
    let payload = |heap: &Heap| heap.usage().arena(Kind::MAP).unwrap().payload_bytes;
    let full = payload(&heap);
    heap.get_mut(queue).unwrap().insert(LARGE.into(), Cell::NULL).unwrap();
    assert!(payload(&heap) < full * 2 / 3, "{} of {full}", payload(&heap));
}

fn list(heap: &mut Heap, numbers: &[i32]) -> Handle<List> {
    let cells: Vec<Cell> = numbers.iter().map(|&n| n.into()).collect();
    heap.alloc(List::of(&cells)).unwrap()
}

fn numbers(heap: &Heap, list: Handle<List>) -> Vec<i32> {
    let cells = heap.get(list).unwrap().as_slice();
    cells.iter().map(|cell| cell.as_int().unwrap() as i32).collect()
}

/// Does it to a list.
fn act_on_list(heap: &mut Heap, list: Handle<List>, act: Act) -> Result<(), Error> {
    match act {
        Act::Fails => return Err(Error::NotDecimal),
        Act::Adds => heap.get_mut(list)?.push(777.into())?,
        Act::Removes => heap.get_mut(list)?.remove_range(..1)?,
        Act::Overwrites => heap.get_mut(list)?.set(0, 777.into())?,
        Act::Moves => {
            let first = heap.get_mut(list)?.pop_front()?.unwrap();
            heap.get_mut(list)?.push(first)?;
        }
        Act::Clears => heap.get_mut(list)?.truncate(0)?,
        Act::Frees => heap.free(list)?,
        Act::Replaces => {
            heap.clear();
            heap.alloc(List::new())?;
        }
        Act::Collects => {
            heap.collect([list])?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(96))]

    /// `retain`, `dedup_by` and `sort_by_key`, whose code acts in its call `n`.
    #[test]
    fn operations_on_lists(
        model in prop::collection::vec(0_i32..30, 1..60),
        operation in 0_u8..3,
        n in 0_usize..60,
        action in prop::sample::select(&ACTS[..]),
    ) {
        let mut heap = heap(5);
        let subject = list(&mut heap, &model);
        let (mut calls, mut left) = (0, None);
        let mut call = |heap: &mut Heap| {
            if calls <= n {
                assert_eq!(numbers(heap, subject), model);
            }
            calls += 1;
            if calls == n + 1 {
                act_on_list(heap, subject, action)?;
                left = heap.get(subject).is_ok().then(|| numbers(heap, subject));
            }
            Ok::<_, Error>(())
        };
        let int = |cell: Cell| cell.as_int().unwrap();
        let got = match operation {
            0 => heap.retain(subject, |heap, cell| {
                call(heap)?;
                Ok(int(cell) % 2 == 0)
            }),
            1 => heap.dedup_by(subject, |heap, a, b| {
                call(heap)?;
                Ok(int(a) / 10 == int(b) / 10)
            }),
            // Keys that nothing but the operation refers to.
            _ => heap.sort_by_key(subject, |heap, cell| {
                call(heap)?;
                Ok(heap.alloc(Str::new(&format!("{:02}", int(cell) / 10)))?.into())
            }),
        };
        let mut changed = model.clone();
        match operation {
            0 => changed.retain(|n| n % 2 == 0),
            1 => changed.dedup_by_key(|n| *n / 10),
            _ => changed.sort_by_key(|n| n / 10),
        }
        let same = left.as_ref() == Some(&model);
        let (error, after) = match action {
            _ if calls <= n || same => (None, Some(changed)),
            Act::Fails => (Some(Error::NotDecimal), Some(model)),
            Act::Frees | Act::Replaces => (Some(Error::Stale { kind: Kind::LIST }), None),
            _ => (Some(Error::Changed), left),
        };
        prop_assert_eq!(got, error.map_or(Ok(()), Err));
        if let Some(after) = after {
            prop_assert_eq!(numbers(&heap, subject), after);
        }
        // No pin is left.
        heap.collect([subject]).unwrap();
        prop_assert_eq!(heap.objects::<Str>().count(), 0);
        prop_assert_eq!(heap.verify(), Ok(()));
    }

    /// Searches of sorted lists agree with those of slices.
    #[test]
    fn searches(mut model in prop::collection::vec(-20_i32..20, 0..60), wanted in -25_i32..25) {
        let mut heap = heap(5);
        model.sort_unstable();
        let sorted = list(&mut heap, &model);
        for form in [Cell::from(wanted), Cell::from(f64::from(wanted)), Cell::from(f64::from(wanted) + 0.5)] {
            let order = |n: &i32| match form.as_float() {
                Some(float) => f64::from(*n).partial_cmp(&float).unwrap(),
                None => n.cmp(&wanted),
            };
            prop_assert_eq!(heap.binary_search(sorted, form), Ok(model.binary_search_by(order)));
        }
        let unordered = heap.binary_search(sorted, Cell::NULL);
        prop_assert_eq!(unordered, if model.is_empty() { Ok(Err(0)) } else { Err(Error::NoOrder) });
        let mut calls = 0;
        let below = |heap: &mut Heap, cell| {
            calls += 1;
            Ok::<_, Error>(heap.cmp_int(cell, wanted.into())?.is_lt())
        };
        let found = heap.partition_point::<List, Error>(sorted, below);
        prop_assert_eq!(found, Ok(model.partition_point(|&n| n < wanted)));
        prop_assert!(calls <= 6);
        // A list that is cut meanwhile is noticed, if the search has to go on there.
        let cut = heap.partition_point::<List, Error>(sorted, |heap, _| {
            heap.get_mut(sorted)?.truncate(0)?;
            Ok(true)
        });
        let expected = if model.len() > 2 { Err(Error::Changed) } else { Ok(model.len()) };
        prop_assert_eq!(cut, expected);
    }

    #[test]
    fn split_lists(model in prop::collection::vec(0_i32..100, 0..40), at in 0_usize..45) {
        let mut heap = heap(5);
        let subject = list(&mut heap, &model);
        let got = heap.split_off(subject, at);
        if at > model.len() {
            prop_assert_eq!(got, Err(out_of_range(at, model.len())));
            prop_assert_eq!(numbers(&heap, subject), model);
        } else {
            prop_assert_eq!(numbers(&heap, got.unwrap()), &model[at..]);
            prop_assert_eq!(numbers(&heap, subject), &model[..at]);
        }
    }
}

/// Queues of any length take memory in proportion to it, however many elements pass through,
/// and an element costs no more in a long one.
#[test]
fn queues_of_lists_reuse_their_memory() {
    for (len, queues) in [(3, 40), (20, 10), (1_000, 3), (20_000, 1)] {
        let mut heap = heap(5);
        let handles: Vec<_> = (0..queues).map(|_| list(&mut heap, &[])).collect();
        for n in 0..400_000 / queues {
            for (q, &queue) in (0..).zip(&handles) {
                let mut open = heap.get_mut(queue).unwrap();
                open.push((n + q).into()).unwrap();
                if n >= len {
                    assert_eq!(open.pop_front(), Ok(Some((n + q - len).into())));
                }
            }
        }
        assert_eq!(heap.verify(), Ok(()));
        let pages = heap.usage().pages();
        let words = u64::try_from(len * queues).unwrap();
        assert!(pages <= 1 + words * 6 / 8192, "{len} {queues}: {pages} pages");
    }
}
