//! Compaction moves blocks and changes nothing else.

use proptest::prelude::*;
use segheap::{Bytes, List};

use super::heap;
use crate::support::config;

proptest! {
    #![proptest_config(config(48))]

    /// Compaction is not observable through handles.
    #[test]
    fn compaction_keeps_contents(
        sizes in prop::collection::vec((0..400_usize, any::<bool>(), 0..400_usize), 1..60),
    ) {
        let mut heap = heap();
        let mut made = vec![];
        for (n, &(size, _, cut)) in sizes.iter().enumerate() {
            let bytes = heap.alloc(Bytes::of(&vec![n as u8; size])).unwrap();
            heap.get_mut(bytes).unwrap().truncate(cut).unwrap();
            made.push(bytes);
        }
        for (&bytes, size) in made.iter().zip(&sizes) {
            if size.1 {
                heap.free(bytes).unwrap();
            }
        }
        let before = heap.usage().total_bytes;
        heap.compact();
        heap.verify().unwrap();
        prop_assert!(heap.usage().total_bytes <= before);
        for ((n, &bytes), &(size, freed, cut)) in made.iter().enumerate().zip(&sizes) {
            prop_assert_eq!(heap.contains(bytes), !freed);
            if !freed {
                prop_assert_eq!(heap.get(bytes).unwrap().as_slice(), &vec![n as u8; size.min(cut)][..]);
            }
        }
    }
}

/// Few large blocks in a page: its words outnumber the slots.
#[test]
fn compaction_finds_large_blocks_everywhere_in_a_page() {
    for len in [1_u8, 10, 32, 100, 120] {
        let mut heap = heap();
        let made: Vec<_> = (0..len).map(|n| heap.alloc(Bytes::of(&[n; 449])).unwrap()).collect();
        heap.verify().unwrap();
        made.iter().step_by(2).for_each(|&bytes| heap.free(bytes).unwrap());
        heap.compact();
        heap.verify().unwrap();
        // New blocks do not overlap live ones.
        for _ in 0..len {
            heap.alloc(Bytes::of(&[255; 449])).unwrap();
        }
        for (n, &bytes) in made.iter().enumerate().filter(|(n, _)| n % 2 == 1) {
            assert_eq!(heap.get(bytes).unwrap().as_slice(), [n as u8; 449]);
        }
        heap.verify().unwrap();
    }
}

/// A hint is proved again when its object has moved.
#[test]
fn hints_follow_what_a_compaction_moves() {
    let mut heap = heap();
    let first = heap.alloc(List::of(&[1.into(); 20])).unwrap();
    let list = heap.alloc(List::of(&[2.into(); 20])).unwrap();
    heap.alloc(List::of(&[3.into(); 20])).unwrap();
    heap.free(first).unwrap();
    let mut hint = heap.hint(list, ..).unwrap();
    assert_eq!(hint.get(&heap, 5), Ok(2.into()));
    heap.compact();
    assert_eq!(hint.get(&heap, 5), Ok(2.into()));
    hint.set(&mut heap, 5, 9.into()).unwrap();
    assert_eq!(heap.get(list).unwrap().get(5), Ok(9.into()));
}
