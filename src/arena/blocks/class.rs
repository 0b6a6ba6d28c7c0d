//! Size classes of blocks: each size up to 8 words, then four classes to a doubling, and
//! eight from 4,096 words on.

use crate::words::to_usize;

/// Number of size classes.
pub(super) const CLASSES: usize = 204;
/// Sizes up to this many words have a class each.
pub(super) const EXACT: u32 = 8;
/// Sizes from 2^12 words on have eight classes to a doubling, from number 44 on.
const FINE: u32 = 12;
const FINE_CLASS: u32 = 44;
/// From this many words on, blocks are [`SKEW`] words larger: those of powers of two,
/// side by side, would all begin in the same few sets of a cache.
const SKEWED: u32 = 256;
/// A cache line.
const SKEW: u32 = 8;
/// The words of the largest class below [`SKEWED`].
const UNSKEWED: u32 = 224;

/// A size class: its number, and the words of its blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    pub(super) number: usize,
    pub(super) words: u32,
}

/// Number and words of the class of each smaller size. A table, as sizes vary from
/// one object to the next and branches on them would mispredict.
#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "at compile time"
)]
const SMALL: [(u8, u16); 256] = {
    let mut classes = [(0, 0); 256];
    let mut last = 0;
    while last < classes.len() {
        let class = computed_class(last as u32);
        classes[last] = (class as u8, computed_words(class) as u16);
        last += 1;
    }
    classes
};

/// The words in a block of each class.
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "at compile time")]
const WORDS: [u32; CLASSES] = {
    let mut words = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        words[class] = computed_words(class);
        class += 1;
    }
    words
};

/// The smallest class of at least `words` words, 1 ..= `u32::MAX`.
#[inline(always)]
pub(super) fn class_of(words: u32) -> Class {
    let last = words.wrapping_sub(1);
    match SMALL.get(to_usize(last)) {
        Some(&(number, words)) => Class { number: usize::from(number), words: u32::from(words) },
        // Inline: a call would make the common path save registers around it.
        None => {
            let number = computed_class(last);
            Class { number, words: class_words(number) }
        }
    }
}

/// The number of the largest class of at most `words` words, 1 ..= `u32::MAX`.
#[inline(always)]
pub(super) fn class_within(words: u32) -> usize {
    let larger = match SMALL.get(to_usize(words)) {
        Some(&(number, _)) => usize::from(number),
        None => computed_class(words),
    };
    larger.wrapping_sub(1)
}

/// The words in a block of `class`.
#[inline(always)]
pub(super) fn class_words(class: usize) -> u32 {
    debug_assert!(class < CLASSES, "there is no such size class");
    WORDS.get(class).copied().unwrap_or(u32::MAX)
}

/// The class of the smallest blocks of more than `last` words.
#[inline(always)]
const fn computed_class(last: u32) -> usize {
    if last < EXACT {
        return to_usize(last);
    }
    let last = if last < UNSKEWED { last } else { larger(last.wrapping_sub(SKEW), UNSKEWED) };
    let exponent = last.ilog2();
    if exponent < FINE {
        let quarter = (last >> exponent.wrapping_sub(2)) & 3;
        return to_usize(exponent.wrapping_sub(1).wrapping_mul(4).wrapping_add(quarter));
    }
    let eighth = (last >> exponent.wrapping_sub(3)) & 7;
    let doublings = exponent.wrapping_sub(FINE);
    to_usize(doublings.wrapping_mul(8).wrapping_add(eighth).wrapping_add(FINE_CLASS))
}

/// The words in a block of `class`, at most `u32::MAX`.
#[allow(clippy::cast_possible_truncation, reason = "classes are few; words are clamped")]
const fn computed_words(class: usize) -> u32 {
    let class = class as u32;
    if class < EXACT {
        return class.wrapping_add(1);
    }
    let words = if class < FINE_CLASS {
        ((class & 3).wrapping_add(5) as u64) << (class >> 2).wrapping_sub(1)
    } else {
        let fine = class.wrapping_sub(FINE_CLASS);
        ((fine & 7).wrapping_add(9) as u64) << (fine >> 3).wrapping_add(FINE).wrapping_sub(3)
    };
    let skew = if words < SKEWED as u64 { 0 } else { SKEW as u64 };
    let words = words.wrapping_add(skew);
    if words > u32::MAX as u64 { u32::MAX } else { words as u32 }
}

const fn larger(a: u32, b: u32) -> u32 {
    if a < b { b } else { a }
}

/// The words of a block of the class of twice the size.
pub(in crate::arena) fn doubled(cap: u32) -> u32 {
    let skew = if cap < SKEWED { 0 } else { SKEW };
    cap.saturating_mul(2).saturating_sub(skew)
}
