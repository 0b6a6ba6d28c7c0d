//! Operations on mutable windows, and their borders.

use segheap::{Bytes, Cell, Error, F64Arr, Handle, I64Arr, Kind, List};

use super::ops::Target;
use super::{Harness, range};
use crate::support::heap;

/// An object, and start and end of a range.
type Window = (Target, usize, usize);

impl Harness {
    /// Swaps the elements of two windows, which may be of one array.
    pub(super) fn swap_windows(
        &mut self,
        (a, from, to): Window,
        (b, start, end): Window,
    ) -> Result<(), Error> {
        let (a, b) = (self.target(a, Kind::I64ARR), self.target(b, Kind::I64ARR));
        // Windows take typed handles: other cells fail to convert.
        let (Ok(one), Ok(other)) = (a.to_handle::<I64Arr>(), b.to_handle::<I64Arr>()) else {
            return Ok(());
        };
        let (from, to) = (from..to.max(from), start..end.max(start));
        let windows = self.heap.windows_mut(((one, from.clone()), (other, to.clone())));
        let got = windows.map(|(one, other)| {
            for (x, y) in one.iter_mut().zip(other) {
                std::mem::swap(x, y);
            }
        });
        let result = self.expect_same(got, |reference| {
            let x = range(reference.ints(a)?.len(), from)?;
            let y = range(reference.ints(b)?.len(), to)?;
            let disjoint = a != b || x.end <= y.start || y.end <= x.start;
            if !disjoint && !x.is_empty() && !y.is_empty() {
                return Err(Error::Overlap);
            }
            for (x, y) in x.zip(y) {
                let (left, right) = (reference.ints(a)?[x], reference.ints(b)?[y]);
                reference.ints(a)?[x] = right;
                reference.ints(b)?[y] = left;
            }
            Ok(())
        });
        self.compare(a);
        self.compare(b);
        result
    }

    /// Updates three windows of different kinds from each other.
    pub(super) fn update_windows(
        &mut self,
        bytes: Target,
        ints: Target,
        list: Target,
    ) -> Result<(), Error> {
        let bytes = self.target(bytes, Kind::BYTES);
        let ints = self.target(ints, Kind::I64ARR);
        let list = self.target(list, Kind::LIST);
        let (Ok(b), Ok(i), Ok(l)) =
            (bytes.to_handle::<Bytes>(), ints.to_handle::<I64Arr>(), list.to_handle::<List>())
        else {
            return Ok(());
        };
        let got = self.heap.windows_mut((b, i, l)).map(|(bytes, ints, list)| {
            update(bytes, ints, list);
        });
        let result = self.expect_same(got, |reference| {
            let mut copies = (
                reference.bytes(bytes)?.clone(),
                reference.ints(ints)?.clone(),
                reference.list(list)?.clone(),
            );
            update(&mut copies.0, &mut copies.1, &mut copies.2);
            *reference.bytes(bytes)? = copies.0;
            *reference.ints(ints)? = copies.1;
            *reference.list(list)? = copies.2;
            Ok(())
        });
        for cell in [bytes, ints, list] {
            self.compare(cell);
        }
        result
    }
}

fn update(bytes: &mut [u8], ints: &mut [i64], list: &mut [Cell]) {
    for ((byte, int), cell) in bytes.iter_mut().zip(&mut *ints).zip(&mut *list) {
        *int = int.wrapping_add(i64::from(*byte));
        *byte = byte.wrapping_add(1);
        *cell = Cell::from(*byte);
    }
    ints.reverse();
    list.reverse();
}

#[test]
fn windows_may_be_empty() {
    let mut heap = heap(5);
    let floats = heap.alloc(F64Arr::of(&[1.0, 2.0])).unwrap();
    let list: Handle<List> = heap.alloc(List::of(&[])).unwrap();
    let (full, empty) = heap.windows_mut((floats, list)).unwrap();
    assert_eq!((full.len(), empty.len()), (2, 0));
    let (left, gap, right) =
        heap.windows_mut(((floats, ..1), (floats, 1..1), (floats, 1..))).unwrap();
    assert_eq!((left.len(), gap.len(), right.len()), (1, 0, 1));
}

#[test]
fn windows_must_not_overlap() {
    let mut heap = heap(5);
    let ints = heap.alloc(I64Arr::of(&[1, 2, 3, 4])).unwrap();
    let overlap = Some(Error::Overlap);
    assert_eq!(heap.windows_mut((ints, ints)).err(), overlap);
    assert_eq!(heap.windows_mut(((ints, ..3), (ints, 2..))).err(), overlap);
    assert_eq!(heap.windows_mut(((ints, 2..), (ints, 1..2), (ints, 0..2))).err(), overlap);
    let (right, left) = heap.windows_mut(((ints, 2..), (ints, ..2))).unwrap();
    right.copy_from_slice(left);
    assert_eq!(heap.get(ints).unwrap().as_slice(), [1, 2, 1, 2]);
}
