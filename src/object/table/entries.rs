//! The entries of a table: positions, holes, sequence numbers.

use super::layout::{HEADER, Hole, NEXT};
use super::{Table, copied};
use crate::object::view::Cursor;
use crate::words::{Cell, to_usize};

impl<'h> Table<&'h [u64]> {
    /// The first word of a position. Beyond every block for that of a free bucket, which
    /// would wrap on hosts of 32 bits.
    #[inline(always)]
    pub(super) fn place(&self, position: u32) -> usize {
        let position = to_usize(position);
        // Of a known factor, the product needs no test where it cannot wrap.
        let cells = if self.stride == 1 { position } else { position.saturating_mul(2) };
        cells.saturating_add(to_usize(HEADER))
    }

    /// The cells at a position: of an entry or a hole.
    #[inline(always)]
    pub(crate) fn cells(&self, position: u32) -> Option<&'h [Cell]> {
        let start = self.place(position);
        self.words.get(start..start.saturating_add(self.stride)).map(Cell::slice)
    }

    /// The key at a position, or the hole. Positions that are not used have none, or
    /// any word.
    #[inline(always)]
    pub(crate) fn key(&self, position: u32) -> Option<Cell> {
        self.cells(position).and_then(|cells| cells.first()).copied()
    }

    /// The cells of the entry at a position; `None` for a hole.
    #[inline(always)]
    pub(crate) fn entry(&self, position: u32) -> Option<&'h [Cell]> {
        let cells = self.cells(position)?;
        cells.first().filter(|key| key.as_hole().is_none()).map(|_| cells)
    }

    /// The position of the entry whose key is this cell, in a table of few positions; none
    /// in others. A text is compared with few cells faster than it is hashed.
    #[inline(always)]
    pub(crate) fn find_among_few(&self, key: Cell) -> Option<u32> {
        const FEW: u32 = 8;
        if self.used > FEW {
            return None;
        }
        let cells = Cell::slice(self.words.get(to_usize(HEADER)..)?);
        let used = to_usize(self.used);
        let found = if self.stride == 1 {
            cells.get(..used)?.iter().position(|&entry| entry == key)
        } else {
            // Pairs, so that the loop has no checks.
            cells.as_chunks::<2>().0.get(..used)?.iter().position(|entry| entry[0] == key)
        };
        found.and_then(|position| u32::try_from(position).ok())
    }

    /// The hole at a used position, if it is one.
    #[inline(always)]
    fn hole(&self, position: u32) -> Option<Hole> {
        self.key(position).filter(|_| position < self.used).and_then(Hole::of)
    }

    /// The length that the hole at a used position has; 0 if it is none. Without a branch.
    #[inline(always)]
    fn holes_at(&self, position: u32) -> u32 {
        let key = self.key(position).unwrap_or_default();
        let is_hole = u32::from(key.as_hole().is_some()) & u32::from(position < self.used);
        Hole::len_at(key) & 0_u32.wrapping_sub(is_hole)
    }

    /// The first position with an entry, from `position` on; `used` if there is none.
    /// O(holes on the way), O(1) from the first one of a run.
    #[inline(always)]
    fn next_entry(&self, mut position: u32) -> u32 {
        while let Some(hole) = self.hole(position) {
            position = position.saturating_add(hole.ahead());
        }
        position.min(self.used)
    }

    /// The position of entry `n`. O(1) for the first and the last one, and in a table whose
    /// holes lie before all entries; O(n) otherwise.
    pub(crate) fn nth(&self, n: usize) -> Option<u32> {
        let len = to_usize(self.len());
        if n >= len {
            return None;
        }
        if len == to_usize(self.used) {
            return u32::try_from(n).ok();
        }
        if n.wrapping_add(1) == len {
            let last = self.used.wrapping_sub(1);
            let holes = self.hole(last).map_or(0, |hole| hole.len);
            return Some(last.wrapping_sub(holes));
        }
        let mut position = self.next_entry(0);
        if to_usize(self.used.wrapping_sub(position)) == len {
            return u32::try_from(n).ok().map(|n| position.wrapping_add(n));
        }
        for _ in 0..n {
            position = self.next_entry(position.wrapping_add(1));
        }
        Some(position)
    }

    /// The number of entries before the one at a position. O(1) in a table whose holes lie
    /// before all entries, O(entries before it) otherwise.
    pub(crate) fn rank(&self, position: u32) -> usize {
        let first = self.next_entry(0);
        if self.used.wrapping_sub(first) == self.len() {
            return to_usize(position.saturating_sub(first));
        }
        let next = |&found: &u32| Some(self.next_entry(found.wrapping_add(1)));
        core::iter::successors(Some(first), next).take_while(|&found| found < position).count()
    }

    /// The sequence number of the entry at a position, or of the last one before it.
    pub(super) fn sequence(&self, position: u32) -> u64 {
        let layout = self.layout();
        if position < self.used && layout.sequenced {
            return self.header(layout.sequence().saturating_add(to_usize(position)));
        }
        let left = self.used.saturating_sub(position);
        self.header(NEXT).wrapping_sub(u64::from(left))
    }

    /// The first position whose sequence number is not below the cursor's. O(1) where
    /// the cursor's hint still holds, O(log used) otherwise.
    fn position(&self, cursor: Cursor) -> u32 {
        let layout = self.layout();
        if !layout.sequenced {
            let first = self.sequence(0);
            return u32::try_from(cursor.next.saturating_sub(first)).unwrap_or(self.used);
        }
        let numbers = self.words.get(layout.sequence()..).unwrap_or_default();
        let numbers = numbers.get(..to_usize(self.used)).unwrap_or_default();
        debug_assert_eq!(numbers.len(), to_usize(self.used));
        let (before, after) = numbers.split_at(to_usize(cursor.hint).min(numbers.len()));
        let passed = |number: &u64| *number < cursor.next;
        if before.last().is_none_or(passed) && !after.first().is_some_and(passed) {
            return cursor.hint.min(self.used);
        }
        u32::try_from(numbers.partition_point(passed)).unwrap_or(self.used)
    }

    /// The first entry at the cursor or after it; the cursor advances past it.
    #[inline]
    pub(crate) fn next(&self, cursor: &mut Cursor) -> Option<&'h [Cell]> {
        let position = self.next_entry(self.position(*cursor));
        let entry = self.cells(position).filter(|_| position < self.used)?;
        *cursor = Cursor {
            next: self.sequence(position).wrapping_add(1),
            hint: position.wrapping_add(1),
        };
        Some(entry)
    }
}

impl Table<&mut [u64]> {
    /// Sets the value of the entry at a position, if the table has values. Returns the last
    /// cell that was there before.
    #[inline(always)]
    pub(crate) fn replace(&mut self, position: u32, entry: &[Cell]) -> Option<Cell> {
        let start = self.read().place(position);
        let cells = self.words.get_mut(start..start.saturating_add(self.stride))?;
        let place = Cell::slice_mut(cells).last_mut()?;
        let old = *place;
        if self.stride > 1 {
            *place = *entry.last()?;
        }
        Some(old)
    }

    #[inline(always)]
    pub(super) fn set_entry(&mut self, position: u32, entry: &[Cell]) {
        let start = self.read().place(position);
        let place = self.words.get_mut(start..start.saturating_add(self.stride));
        debug_assert!(place.is_some(), "no position of the table");
        if let Some(place) = place.map(Cell::slice_mut) {
            place.iter_mut().zip(entry).for_each(|(to, from)| *to = *from);
        }
    }

    /// Replaces the entry at a position by a hole, and joins the runs of holes beside it.
    /// O(1). Whether there are some decides no branch, which would mispredict.
    #[inline(always)]
    pub(super) fn punch(&mut self, position: u32) {
        let before = self.read().holes_at(position.wrapping_sub(1));
        let after = self.read().holes_at(position.wrapping_add(1));
        self.set_entry(position, &[Hole { len: 1, backwards: false }.cell(), Cell::NULL]);
        let len = before.wrapping_add(after).wrapping_add(1);
        // Of one hole, these are the same, which is read forwards.
        self.set_key(position.wrapping_add(after), Hole { len, backwards: true }.cell());
        self.set_key(position.wrapping_sub(before), Hole { len, backwards: false }.cell());
    }

    #[inline(always)]
    fn set_key(&mut self, position: u32, key: Cell) {
        let start = self.read().place(position);
        self.put(start, key.bits());
    }

    /// Copies the entry or hole at position `from`, and its hash, to `to`.
    pub(super) fn move_entry(&mut self, from: u32, to: u32) {
        let Some((key, value)) = self.read().cells(from).map(copied) else { return };
        let hash = self.read().hash(from);
        self.set_entry(to, &[key, value]);
        self.put_half(self.read().layout().hashes(), to_usize(to), hash);
    }
}
