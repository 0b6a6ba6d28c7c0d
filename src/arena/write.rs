//! Write access to the payload of existing objects. Every write of a cell into an
//! object goes through one of these functions, which know the object's slot, and has
//! the write barrier of the collector before it: an object that a collection takes for
//! scanned is to be scanned again. That fails for no reason, and asks for no memory.

use core::ops::Range;

use super::slots::present;
use super::{Arena, Slot};
#[cfg(doc)]
use crate::words::VALUE;
use crate::words::{CAP_MAX, Cell, Element, Error, FROZEN, Result, corrupt, to_usize};

/// The cells of an object that are scanned at once.
pub(crate) const CHUNK: usize = 4096;

impl<const BITS: u32> Arena<BITS> {
    /// The slot of an object that may change, unless a cold path has to look it up.
    #[inline(always)]
    pub(crate) fn find_dense_to_change(&self, cell: Cell) -> Option<Slot> {
        self.slots.find_dense(cell).filter(|slot| slot.can_change())
    }

    /// The slot of an object that may change.
    ///
    /// # Errors
    /// As [`Arena::check`]; [`Error::Frozen`].
    #[cold]
    #[inline(never)]
    pub(crate) fn check_to_change(&self, cell: Cell) -> Result<Slot> {
        let slot = self.check(cell)?;
        if slot.is_frozen() { Err(Error::Frozen) } else { Ok(slot) }
    }

    /// Makes the object in slot `index` one that can never change again; with the flag
    /// [`VALUE`], a key by its content. Hints have to be checked again.
    pub(crate) fn freeze(&mut self, index: u32, flags: u32) -> Result<()> {
        debug_assert!(flags & FROZEN != 0 && flags & CAP_MAX == 0);
        present(self.slots.get_mut(index))?.room |= flags;
        self.epoch.advance();
        Ok(())
    }

    /// Whether the object in slot `index` is so large that a collection scans it in parts,
    /// and black: what is stored in it is noted, not the object.
    pub(crate) fn is_scanned_in_parts(&self, index: u32) -> bool {
        let slot = self.slots.get(index).filter(|_| self.slots.states().is_black(index));
        slot.is_some_and(|slot| self.shape.cells(slot.len) > CHUNK)
    }

    /// Notes that elements of type `T` are written to the object in slot `index`.
    #[inline(always)]
    fn note_write<T: Element>(&mut self, index: u32) {
        if T::TRACED && self.slots.states().is_black(index) {
            self.shade(index);
        }
    }

    /// [`Arena::note_write`] of a black object.
    #[cold]
    #[inline(never)]
    fn shade(&mut self, index: u32) {
        self.slots.states_mut().shade(index);
    }

    /// The slot `index` of a live object, and the whole of the object's block, of which
    /// elements of type `T` may be written.
    #[inline(always)]
    pub(crate) fn write<T: Element>(&mut self, index: u32) -> Option<(&mut Slot, &mut [u64])> {
        self.note_write::<T>(index);
        let slot = self.slots.get_mut(index)?;
        debug_assert!(!slot.is_shared(), "other versions see the write");
        let block = self.blocks.words_mut().get_mut(slot.block().range());
        Some((slot, block?))
    }

    /// [`Arena::write`], unless the slot is one of an earlier peak, stored by page, or the
    /// object is black: for hot paths that leave the rest to a cold one.
    #[inline(always)]
    pub(crate) fn write_dense<T: Element>(
        &mut self,
        index: u32,
    ) -> Option<(&mut Slot, &mut [u64])> {
        let slot = if T::TRACED {
            self.slots.get_dense_unless_black(index)?
        } else {
            self.slots.get_dense_mut(index)?
        };
        debug_assert!(slot.can_change(), "the object was opened to change");
        let block = self.blocks.words_mut().get_mut(slot.block_to_change().range());
        Some((slot, block?))
    }

    /// [`Arena::write_dense`] of the table that a cell refers to.
    #[inline(always)]
    pub(crate) fn open_dense(&mut self, cell: Cell) -> Option<(&mut Slot, &mut [u64])> {
        let slot = self.slots.get_dense_unless_black(cell.slot())?;
        if slot.key != cell.key() || !slot.can_change() {
            return None;
        }
        let block = self.blocks.words_mut().get_mut(slot.block_to_change().range());
        Some((slot, block?))
    }

    /// Element `at` of the object that a cell refers to, after `header` words. `None` if
    /// there is none, or if a cold path has to open the object.
    #[inline(always)]
    pub(crate) fn element_mut<T: Element>(
        &mut self,
        cell: Cell,
        header: usize,
        at: usize,
    ) -> Option<&mut T> {
        let slot = self.find_dense_to_change(cell).filter(|slot| at < to_usize(slot.len))?;
        if T::TRACED && self.slots.states().is_black(cell.slot()) {
            return None;
        }
        T::slice_mut(self.blocks.words_mut()).get_mut(slot.element::<T>(header, at))
    }

    /// [`Arena::element_mut`] after a header of one word, if that is `header`, or that it is
    /// another.
    #[inline(always)]
    pub(crate) fn element_under_mut(
        &mut self,
        cell: Cell,
        header: u64,
        at: usize,
    ) -> Option<Option<&mut Cell>> {
        let slot = self.slots.find_dense(cell).filter(|slot| slot.can_change())?;
        if *self.blocks.words_mut().get(to_usize(slot.off))? != header {
            return Some(None);
        }
        if at >= to_usize(slot.len) || self.slots.states().is_black(cell.slot()) {
            return None;
        }
        Cell::slice_mut(self.blocks.words_mut()).get_mut(slot.element::<Cell>(1, at)).map(Some)
    }

    /// [`Arena::element_mut`] of the live object in slot `index`.
    #[inline(always)]
    pub(crate) fn element_at_mut<T: Element>(
        &mut self,
        index: u32,
        header: usize,
        at: usize,
    ) -> Option<&mut T> {
        let slot = *self.slots.get_dense_mut(index).filter(|slot| at < to_usize(slot.len))?;
        if T::TRACED && self.slots.states().is_black(index) {
            return None;
        }
        debug_assert!(slot.can_change(), "the object was opened to change");
        T::slice_mut(self.blocks.words_mut()).get_mut(slot.element::<T>(header, at))
    }

    /// Notes a write to the object in slot `index` by [`Arena::write_bytes`] or
    /// [`Arena::copy_bytes`], if it may have cells.
    #[inline(always)]
    pub(crate) fn note_cells(&mut self, index: u32) {
        if self.shape.is_traced() {
            self.note_write::<Cell>(index);
        }
    }

    /// The bytes `range` of memory, which lie in the object in slot `index`. See
    /// [`Arena::note_cells`].
    #[inline(always)]
    pub(crate) fn write_bytes(&mut self, index: u32, range: Range<usize>) -> Result<&mut [u8]> {
        debug_assert!(self.owns(index, &range));
        self.blocks.bytes_mut().get_mut(range).ok_or_else(corrupt)
    }

    /// Copies the bytes `from` of memory to those from `to` on, which lie in the
    /// object in slot `index`. The ranges may overlap, as in `memmove`. See
    /// [`Arena::note_cells`].
    #[inline(always)]
    pub(crate) fn copy_bytes(&mut self, index: u32, from: Range<usize>, to: usize) -> Result<()> {
        let target = to..to.saturating_add(from.len());
        debug_assert!(self.owns(index, &target));
        let payload = self.blocks.bytes_mut();
        let inside = from.start <= from.end && from.end.max(target.end) <= payload.len();
        if !inside {
            return Err(corrupt());
        }
        payload.copy_within(from, to);
        Ok(())
    }

    /// [`Arena::copy_bytes`] of 8 to 16 bytes; `None`, without a copy, for other numbers.
    #[inline(always)]
    pub(crate) fn copy_few_bytes(
        &mut self,
        index: u32,
        from: usize,
        to: usize,
        len: usize,
    ) -> Option<()> {
        debug_assert!(self.owns(index, &(to..to.saturating_add(len))));
        let payload = self.blocks.bytes_mut();
        let source = payload.get(from..)?.get(..len).filter(|_| len <= 16)?;
        // Both ends are read before either is written: they may overlap.
        let (first, last): (&[u8; 8], &[u8; 8]) = (source.first_chunk()?, source.last_chunk()?);
        let (first, last) = (*first, *last);
        let target = payload.get_mut(to..)?.get_mut(..len)?;
        *target.first_chunk_mut()? = first;
        *target.last_chunk_mut()? = last;
        Some(())
    }

    /// Overwrites element `place` of memory, counted from the beginning of memory,
    /// which lies in the object in slot `index`. `None` if it is beyond memory, or if a cold
    /// path has to open the object.
    #[inline(always)]
    pub(crate) fn write_element<T: Element>(
        &mut self,
        index: u32,
        place: usize,
        element: T,
    ) -> Option<()> {
        debug_assert!({
            let start = place.saturating_mul(size_of::<T>());
            self.owns(index, &(start..start.saturating_add(size_of::<T>())))
                && self.slots.get(index).is_some_and(|slot| slot.can_change())
        });
        if T::TRACED && self.slots.states().is_black(index) {
            return None;
        }
        *T::slice_mut(self.blocks.words_mut()).get_mut(place)? = element;
        Some(())
    }

    /// The bytes of memory, for writes to `ranges`, each of which lies in the object
    /// in the slot beside it.
    pub(crate) fn write_many(
        &mut self,
        ranges: impl Iterator<Item = (u32, Range<usize>)>,
    ) -> &mut [u8] {
        for (index, range) in ranges {
            debug_assert!(self.slots.get(index).is_some_and(|slot| slot.can_change()));
            debug_assert!(self.owns(index, &range));
            self.note_cells(index);
        }
        self.blocks.bytes_mut()
    }

    /// Whether the bytes `range` of memory lie in the block of slot `index`.
    fn owns(&self, index: u32, range: &Range<usize>) -> bool {
        let block = self.slots.get(index).map_or(0..0, |slot| slot.block().range());
        let bytes = block.start.saturating_mul(8)..block.end.saturating_mul(8);
        range.is_empty() || bytes.start <= range.start && range.end <= bytes.end
    }
}
