//! Size classes, and blocks split from larger ones.

use super::*;
use crate::words::Limits;

#[test]
fn classes_round_up_by_a_quarter_at_most() {
    let mut last = 0;
    for class in 0..CLASSES {
        let words = class_words(class);
        assert!(
            words > last && words == class_of(words).words && words == class_of(last + 1).words
        );
        assert!(class_of(words).number == class && class_of(last + 1).number == class);
        let (words, last_max) = (u64::from(words), u64::from(last) + 1);
        assert!(class < to_usize(EXACT) || words * 4 <= last_max * 5);
        assert!(last < 4_096 || words * 8 <= last_max * 9);
        last = class_words(class);
    }
    assert_eq!(last, u32::MAX);
}

#[test]
fn a_split_block_is_allocated_in_pieces() {
    let limits = Limits::NONE.with_pages(1);
    let (mut blocks, mut resources) = (Blocks::new(), Resources::new(Account::new(limits)));
    let kind = Kind::from_selector(0);
    let mut alloc = |blocks: &mut Blocks, words| blocks.alloc(&mut resources, kind, words);
    let large = alloc(&mut blocks, 4096).unwrap();
    let rest = alloc(&mut blocks, 3584).unwrap();
    assert!(alloc(&mut blocks, 4096).is_err());
    blocks.free(large);
    let mut taken = 0;
    while let Ok(block) = alloc(&mut blocks, 7) {
        assert!(block.off >= large.off && block.off + block.cap <= 8192);
        assert!(block.off + block.cap <= rest.off || block.off >= rest.off + rest.cap);
        taken += block.cap;
    }
    assert!(taken > 4096 * 9 / 10, "{taken}");
}

#[test]
fn what_a_block_that_shrinks_leaves_is_allocated() {
    let limits = Limits::NONE.with_pages(1);
    let (mut blocks, mut resources) = (Blocks::new(), Resources::new(Account::new(limits)));
    let kind = Kind::from_selector(0);
    let mut alloc = |blocks: &mut Blocks, words| blocks.alloc(&mut resources, kind, words);
    for words_after in [0, 3584] {
        let block = alloc(&mut blocks, 4096).unwrap();
        let next = alloc(&mut blocks, words_after).unwrap();
        let shrunk = blocks.shrink(block, 100);
        assert!(shrunk.off == block.off && (100..128).contains(&shrunk.cap));
        assert_eq!(blocks.shrink(shrunk, 100).cap, shrunk.cap);
        let used = shrunk.cap + next.cap;
        assert_eq!(blocks.used(), u64::from(used));
        let free = u32::try_from(blocks.memory.words().len() - START).unwrap() - used;
        let mut taken = 0;
        while let Ok(piece) = alloc(&mut blocks, 7) {
            for other in [shrunk, next] {
                let is_before = piece.off + piece.cap <= other.off;
                assert!(is_before || piece.off >= other.off + other.cap);
            }
            taken += piece.cap;
        }
        assert!(taken > free / 5 * 4 && taken <= free, "{taken} of {free}");
        blocks.clear();
    }
}
