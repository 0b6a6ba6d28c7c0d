//! Operations that call code of the VM: it fails, uses the heap, or changes the very
//! object that the operation is about. Then that is left as the code left it.

use proptest::prelude::*;
use segheap::{Cell, Error, Handle, Heap, Kind, Map};

use crate::support::{config, heap};

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
    heap.get_mut(queue).unwrap().insert(LARGE.into(), Cell::NULL).unwrap();
    let other = heap.alloc(Map::with_capacity(LARGE as usize / 3)).unwrap();
    let pages = heap.usage().pages();
    heap.free(other).unwrap();
    heap.compact();
    assert!(heap.usage().pages() * 3 < pages * 2, "{} {pages}", heap.usage().pages());
}
