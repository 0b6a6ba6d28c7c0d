//! Sparse data segments: what is not zero in the memories.

use crate::image::Memories;
use crate::layout::len_of;

/// The segments of a module at most: engines have caps, of which the lowest known is 100,000.
const SEGMENTS_MAX: usize = 20_000;
/// The words of zeros that are worth a new segment, which takes up to 12 bytes.
const GAP_MIN: u64 = 2;

/// A run of words that are not zero, in a memory, from a word up to another.
#[derive(Clone, Copy, Debug)]
struct Run {
    memory: u32,
    start: u64,
    end: u64,
}

/// The segments of memories: number of the memory, first byte, bytes. They are in the order of
/// memories and bytes, and end with words that are not zero.
pub(crate) fn segments(memories: &Memories) -> Vec<(u32, u64, Vec<u8>)> {
    let runs = joined(&runs(memories, GAP_MIN), memories);
    let bytes = |run: &Run| {
        let words = memories.range(run.memory, run.start, run.end.wrapping_sub(run.start));
        let bytes = words.unwrap_or_default().iter().flat_map(|word| word.to_le_bytes());
        (run.memory, run.start.wrapping_mul(8), bytes.collect())
    };
    runs.iter().map(bytes).collect()
}

/// The runs that are at least `gap` words apart.
fn runs(memories: &Memories, gap: u64) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (memory, words) in (0..).zip(&memories.words) {
        for (at, _) in (0_u64..).zip(words).filter(|(_, word)| **word != 0) {
            let end = at.wrapping_add(1);
            match runs.last_mut() {
                Some(run) if run.memory == memory && at.wrapping_sub(run.end) < gap => {
                    run.end = end;
                }
                _ => runs.push(Run { memory, start: at, end }),
            }
        }
    }
    runs
}

/// The runs, those joined that have the shortest gaps between them, if there are too many.
fn joined(runs: &[Run], memories: &Memories) -> Vec<Run> {
    let Some(excess) = runs.len().checked_sub(SEGMENTS_MAX).filter(|&excess| excess > 0) else {
        return runs.to_vec();
    };
    let gap = |pair: &[Run]| match pair {
        [a, b] if a.memory == b.memory => Some(b.start.wrapping_sub(a.end)),
        _ => None,
    };
    let mut gaps: Vec<u64> = runs.windows(2).filter_map(gap).collect();
    gaps.sort_unstable();
    // There are fewer memories than segments, so that there are as many gaps.
    let limit = gaps.get(excess.min(gaps.len().saturating_sub(1))).copied().unwrap_or(u64::MAX);
    let joined = self::runs(memories, limit.saturating_add(1));
    debug_assert!(len_of(&joined) <= len_of(runs));
    joined
}
