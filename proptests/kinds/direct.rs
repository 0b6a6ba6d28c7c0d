//! Entries of maps without a view, against views.

use proptest::prelude::*;
use segheap::{Cell, Error, KeyHint, Kind, Map};

use crate::support::{config, heap};

proptest! {
    #![proptest_config(config(64))]

    /// Access without a view agrees with views, whatever a hint holds, for integers and
    /// other keys, live maps and freed ones.
    #[test]
    fn direct_access_agrees_with_views(
        seed: u64,
        steps in prop::collection::vec((0_usize..3, 0_u32..12, 0_usize..8), 1..200),
    ) {
        let mut heap = heap(seed);
        let keys: Vec<Cell> = (0..12)
            .map(|n| if n % 3 == 0 { heap.string(&format!("key {n}")).unwrap() } else { n.into() })
            .collect();
        let mut maps = [0; 3].map(|_| heap.alloc(Map::new()).unwrap());
        let mut stale = maps;
        let mut hints = [KeyHint::default(); 12];
        for (map, key, action) in steps {
            let (place, hint) = (map, &mut hints[key as usize]);
            let (map, key) = (maps[place], keys[key as usize]);
            let expected = heap.get(map).unwrap().get(key);
            match action {
                0..=2 => prop_assert_eq!(heap.map_get_with(map, key, hint), expected),
                3 => prop_assert_eq!(heap.map_get(map, key), expected),
                4 | 5 => prop_assert_eq!(heap.map_insert(map, key, key), expected),
                6 => {
                    heap.get_mut(map).unwrap().remove(key).unwrap();
                }
                _ => {
                    // The next map takes the slot.
                    heap.free(map).unwrap();
                    maps[place] = heap.alloc(Map::new()).unwrap();
                    stale[place] = map;
                }
            }
            if stale[place] != maps[place] {
                let gone = Err(Error::Stale { kind: Kind::MAP });
                prop_assert_eq!(heap.map_get(stale[place], key), gone);
                prop_assert_eq!(heap.map_insert(stale[place], key, key), gone);
                prop_assert_eq!(heap.map_get_with(stale[place], key, &mut hints[0]), gone);
            }
        }
        prop_assert!(heap.verify().is_ok());
    }
}
