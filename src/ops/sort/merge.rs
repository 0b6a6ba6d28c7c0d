//! A stable merge sort of cells by a comparison that may fail. What the comparison
//! returns decides no branch: a random order would mispredict half of them.

use core::hint::select_unpredictable;

use smallvec::SmallVec;

use crate::words::{Cell, to_u64};

/// The length of a run that is sorted by itself where the cells are in no order.
const BLOCK: usize = 16;
/// The length of the first runs in a block.
const QUAD: usize = 4;
/// More than there are powers of boundaries between 2^32 cells: 34. Those of pending runs
/// are distinct.
const POWERS: usize = 64;

/// A sorted range of the cells.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: usize,
    end: usize,
    /// Whether it lies in the spare buffer.
    spare: bool,
}

/// A run that is merged with the one after it once boundaries of higher power are gone.
#[derive(Clone, Copy, Debug)]
struct Pending {
    run: Run,
    power: u32,
}

/// Sorts `cells` with the help of `spare`, which is as long. Returns the one of both that
/// has the sorted cells: the same ones as before, whatever `greater` returns. `greater`
/// gets two cells in the order in which they were, and tells whether they have to change
/// places.
///
/// Runs that are sorted or reversed already are found, and merged in the order of
/// powersort (Munro and Wild, 2018): O(n) comparisons for one run, O(n log n) always.
pub(super) fn sort<'c, E>(
    cells: &'c mut [Cell],
    spare: &'c mut [Cell],
    greater: &mut impl FnMut(Cell, Cell) -> Result<bool, E>,
) -> Result<&'c [Cell], E> {
    debug_assert!(cells.len() == spare.len());
    let len = cells.len();
    let mut pending: SmallVec<[Pending; POWERS]> = SmallVec::new();
    let mut run = next_run(cells, spare, 0, greater)?;
    while run.end < len {
        let next = next_run(cells, spare, run.end, greater)?;
        let power = power(run, next, len);
        while let Some(&last) = pending.last().filter(|last| last.power >= power) {
            run = merge_runs(cells, spare, last.run, run, greater)?;
            pending.pop();
        }
        pending.push(Pending { run, power });
        run = next;
    }
    while let Some(last) = pending.pop() {
        run = merge_runs(cells, spare, last.run, run, greater)?;
    }
    Ok(if run.spare { spare } else { cells })
}

/// The power of the boundary between two runs: the level in a balanced tree over all
/// `len` cells at which their middles part.
fn power(left: Run, right: Run, len: usize) -> u32 {
    let scale = (1_u64 << 62).wrapping_div(to_u64(len).max(1)).wrapping_add(1);
    let twice = |run: Run| to_u64(run.start).wrapping_add(to_u64(run.end)).wrapping_mul(scale);
    (twice(left) ^ twice(right)).leading_zeros()
}

/// Finds or makes the run that starts at `start`.
fn next_run<E>(
    cells: &mut [Cell],
    spare: &mut [Cell],
    start: usize,
    greater: &mut impl FnMut(Cell, Cell) -> Result<bool, E>,
) -> Result<Run, E> {
    let rest = cells.get_mut(start..).unwrap_or_default();
    let block = BLOCK.min(rest.len());
    let (found, descends) = find_run(rest, greater)?;
    let len = found.max(block);
    let run = rest.get_mut(..len).unwrap_or_default();
    if found < block {
        let spare = spare.get_mut(start..start.saturating_add(len)).unwrap_or_default();
        sort_block(run, spare, greater)?;
    } else if descends {
        run.reverse();
    }
    Ok(Run { start, end: start.saturating_add(len), spare: false })
}

/// The length of the run at the beginning, and whether it descends: strictly, so that
/// it can be reversed.
fn find_run<E>(
    cells: &[Cell],
    greater: &mut impl FnMut(Cell, Cell) -> Result<bool, E>,
) -> Result<(usize, bool), E> {
    let [first, second, rest @ ..] = cells else { return Ok((cells.len(), false)) };
    let descends = greater(*first, *second)?;
    let (mut last, mut len) = (*second, 2_usize);
    for &next in rest {
        if greater(last, next)? != descends {
            break;
        }
        (last, len) = (next, len.saturating_add(1));
    }
    Ok((len, descends))
}

/// Sorts a block in its place.
fn sort_block<E>(
    block: &mut [Cell],
    spare: &mut [Cell],
    greater: &mut impl FnMut(Cell, Cell) -> Result<bool, E>,
) -> Result<(), E> {
    const { assert!(BLOCK == 4 * QUAD, "an even number of merges ends in place") };
    for quad in block.chunks_mut(QUAD) {
        match quad {
            [a, b, c, d] => [*a, *b, *c, *d] = sort_quad([*a, *b, *c, *d], greater)?,
            _ => insertion_sort(quad, greater)?,
        }
    }
    merge_pairs(block, spare, QUAD, greater)?;
    merge_pairs(spare, block, QUAD.wrapping_mul(2), greater)
}

/// Sorts four cells.
fn sort_quad<E>(
    [a, b, c, d]: [Cell; 4],
    greater: &mut impl FnMut(Cell, Cell) -> Result<bool, E>,
) -> Result<[Cell; 4], E> {
    let pick = |second: bool, a, b| select_unpredictable(second, b, a);
    let swap = greater(a, b)?;
    let (a, b) = (pick(swap, a, b), pick(swap, b, a));
    let swap = greater(c, d)?;
    let (c, d) = (pick(swap, c, d), pick(swap, d, c));
    let (c_first, b_last) = (greater(a, c)?, greater(b, d)?);
    let (first, last) = (pick(c_first, a, c), pick(b_last, d, b));
    // The other two, in the order in which they were.
    let second = pick(c_first, pick(b_last, b, c), a);
    let third = pick(b_last, pick(c_first, c, b), d);
    let swap = greater(second, third)?;
    Ok([first, pick(swap, second, third), pick(swap, third, second), last])
}

/// Sorts a few cells.
fn insertion_sort<E>(
    cells: &mut [Cell],
    greater: &mut impl FnMut(Cell, Cell) -> Result<bool, E>,
) -> Result<(), E> {
    for sorted in 1..cells.len() {
        for place in (0..sorted).rev() {
            let Some([a, b]) = cells.get_mut(place..).and_then(|rest| rest.first_chunk_mut())
            else {
                break;
            };
            if !greater(*a, *b)? {
                break;
            }
            core::mem::swap(a, b);
        }
    }
    Ok(())
}

/// Merges runs of `width` cells in pairs.
fn merge_pairs<E>(
    from: &[Cell],
    to: &mut [Cell],
    width: usize,
    greater: &mut impl FnMut(Cell, Cell) -> Result<bool, E>,
) -> Result<(), E> {
    let both = width.saturating_mul(2);
    for (from, to) in from.chunks(both).zip(to.chunks_mut(both)) {
        let (left, right) = from.split_at_checked(width).unwrap_or((from, &[]));
        merge(left, right, to, greater)?;
    }
    Ok(())
}

/// Merges two runs beside each other.
fn merge_runs<E>(
    cells: &mut [Cell],
    spare: &mut [Cell],
    left: Run,
    right: Run,
    greater: &mut impl FnMut(Cell, Cell) -> Result<bool, E>,
) -> Result<Run, E> {
    let both = left.start..right.end;
    let cells = cells.get_mut(both.clone()).unwrap_or_default();
    let spare = spare.get_mut(both).unwrap_or_default();
    let middle = left.end.saturating_sub(left.start).min(cells.len());
    let mut in_spare = right.spare;
    if left.spare != right.spare {
        // The shorter one is copied to the longer one.
        let left_moves = middle <= cells.len().saturating_sub(middle);
        in_spare = if left_moves { right.spare } else { left.spare };
        let moved = if left_moves { 0..middle } else { middle..cells.len() };
        let moved_cells = cells.get_mut(moved.clone()).unwrap_or_default();
        let moved_spare = spare.get_mut(moved).unwrap_or_default();
        if in_spare {
            moved_spare.copy_from_slice(moved_cells);
        } else {
            moved_cells.copy_from_slice(moved_spare);
        }
    }
    let (from, to) = if in_spare { (spare, cells) } else { (cells, spare) };
    let (left_cells, right_cells) = from.split_at_checked(middle).unwrap_or_default();
    merge(left_cells, right_cells, to, greater)?;
    Ok(Run { start: left.start, end: right.end, spare: !in_spare })
}

/// Merges two runs into `to`, which is as long as both: at once from the front and from
/// the back, as a comparison waits for the one before at the same end.
fn merge<E>(
    left: &[Cell],
    right: &[Cell],
    to: &mut [Cell],
    greater: &mut impl FnMut(Cell, Cell) -> Result<bool, E>,
) -> Result<(), E> {
    debug_assert!(left.len().wrapping_add(right.len()) == to.len());
    let (mut left, mut right, mut to) = (left.iter(), right.iter(), to.iter_mut());
    loop {
        let (mut left_rest, mut right_rest) = (left.clone(), right.clone());
        let (Some(&a), Some(&b)) = (left_rest.next(), right_rest.next()) else { break };
        let from_right = greater(a, b)?;
        let Some(place) = to.next() else { break };
        *place = select_unpredictable(from_right, b, a);
        left = select_unpredictable(from_right, left, left_rest);
        right = select_unpredictable(from_right, right_rest, right);

        let (mut left_rest, mut right_rest) = (left.clone(), right.clone());
        let (Some(&a), Some(&b)) = (left_rest.next_back(), right_rest.next_back()) else { break };
        let from_left = greater(a, b)?;
        let Some(place) = to.next_back() else { break };
        *place = select_unpredictable(from_left, a, b);
        left = select_unpredictable(from_left, left_rest, left);
        right = select_unpredictable(from_left, right, right_rest);
    }
    // One of both is empty.
    to.zip(left.chain(right)).for_each(|(place, &cell)| *place = cell);
    Ok(())
}
