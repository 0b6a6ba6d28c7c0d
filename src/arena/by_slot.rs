//! [`SlotNumbers`]: numbers of objects, found by kind and slot, in scratch memory.

use bumpalo::Bump;
use bumpalo::collections::Vec as List;

use super::Arenas;
use super::scratch::{alloc, reserve};
use crate::words::{Cell, Result, corrupt, to_usize};

/// Slots of a page.
const PAGE: usize = 512;
type Page = [u32; PAGE];

/// A table of numbers by arena and slot, in pages that exist where an object has a number.
/// It knows no generations: the caller knows that handles are of live objects.
#[derive(Debug)]
pub(crate) struct SlotNumbers<'s> {
    bump: &'s Bump,
    arenas: [List<'s, Option<&'s mut Page>>; Arenas::COUNT],
}

impl<'s> SlotNumbers<'s> {
    pub(crate) fn new_in(bump: &'s Bump) -> Self {
        SlotNumbers { bump, arenas: core::array::from_fn(|_| List::new_in(bump)) }
    }

    /// The page of a slot, and the place in it.
    #[inline(always)]
    fn split(cell: Cell) -> (usize, usize) {
        let slot = to_usize(cell.slot());
        (slot / PAGE, slot % PAGE)
    }

    /// The number of the object that a handle refers to; 0 if it has none.
    #[inline(always)]
    pub(crate) fn get(&self, cell: Cell) -> u32 {
        let (page, place) = Self::split(cell);
        let pages = self.arenas.get(cell.selector().place());
        let page = pages.and_then(|pages| pages.get(page)?.as_ref());
        page.and_then(|page| page.get(place)).copied().unwrap_or(0)
    }

    /// The place of the number; `None` if there is no page for it.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, cell: Cell) -> Option<&mut u32> {
        let (page, place) = Self::split(cell);
        self.arenas.get_mut(cell.selector().place())?.get_mut(page)?.as_mut()?.get_mut(place)
    }

    /// Makes the page for the number of an object. O(1), and O(slots / 512) for the
    /// greatest slot of an arena so far.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit).
    #[cold]
    pub(crate) fn reserve(&mut self, cell: Cell) -> Result<()> {
        let (page, _) = Self::split(cell);
        let pages = self.arenas.get_mut(cell.selector().place()).ok_or_else(corrupt)?;
        if let Some(missing) = page.saturating_add(1).checked_sub(pages.len()) {
            reserve(pages, missing)?;
            pages.extend(core::iter::repeat_with(|| None).take(missing));
        }
        let page = pages.get_mut(page).ok_or_else(corrupt)?;
        if page.is_none() {
            *page = Some(alloc(self.bump, || [0; PAGE])?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Kind;

    /// A handle of a slot, of a kind that has an arena.
    fn handle(place: usize, slot: u32) -> Cell {
        let selector = Kind::from_place(place).selector();
        Cell::raw(0xFFFF << 48 | selector << 44 | u64::from(slot))
    }

    #[test]
    fn each_slot_has_a_number_of_its_own() {
        let bump = Bump::new();
        let mut numbers = SlotNumbers::new_in(&bump);
        let slots = [0_u32, 1, 511, 512, 513, 1023, 100_000, 99_999];
        let handles = || (0..Arenas::COUNT).flat_map(|arena| slots.map(|slot| handle(arena, slot)));
        for (cell, number) in handles().zip(1..) {
            assert_eq!(numbers.get(cell), 0);
            if numbers.get_mut(cell).is_none() {
                numbers.reserve(cell).unwrap();
            }
            assert_eq!(core::mem::replace(numbers.get_mut(cell).unwrap(), number), 0);
        }
        for (cell, number) in handles().zip(1..) {
            assert_eq!(numbers.get(cell), number);
        }
        assert_eq!(numbers.get(handle(0, u32::MAX)), 0);
        // Four pages an arena, and what leads to them. Of the last chunk, what is used.
        let used = bump.allocated_bytes() - bump.chunk_capacity();
        assert!(used < Arenas::COUNT * 6 * 2048, "{used}");
    }
}
