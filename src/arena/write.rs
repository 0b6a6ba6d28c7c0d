//! Write access to the payload of existing objects. Every cell that is written
//! into an object passes through one of these functions, which know the object's
//! slot: a write barrier would stand here and nowhere else.

use core::ops::Range;

use super::{Arena, Slot};
use crate::words::{Element, Result, corrupt};

impl<const BITS: u32> Arena<BITS> {
    /// Opens the object in slot `index`: its slot, and the whole of its block.
    #[inline(always)]
    pub(crate) fn write(&mut self, index: u32) -> Option<(&mut Slot, &mut [u64])> {
        let slot = self.slots.get_mut(index)?;
        let block = self.blocks.words_mut().get_mut(slot.block().range());
        Some((slot, block?))
    }

    /// Opens the bytes `range` of the payload, which lie in the object in slot
    /// `index`.
    #[inline(always)]
    pub(crate) fn write_bytes(&mut self, index: u32, range: Range<usize>) -> Result<&mut [u8]> {
        debug_assert!(self.owns(index, &range));
        self.blocks.bytes_mut().get_mut(range).ok_or_else(corrupt)
    }

    /// Copies the bytes `from` of the payload to those from `to` on, which lie in
    /// the object in slot `index`; overlap behaves as if through a temporary.
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

    /// Overwrites the payload's element `place`, counted from its beginning,
    /// which lies in the object in slot `index`. `None` where there is none.
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
        });
        *T::slice_mut(self.blocks.words_mut()).get_mut(place)? = element;
        Some(())
    }

    /// Opens the payload, for writes to `ranges` of objects in the slots that
    /// stand beside them.
    pub(crate) fn write_many(
        &mut self,
        mut ranges: impl Iterator<Item = (u32, Range<usize>)>,
    ) -> &mut [u8] {
        debug_assert!(ranges.all(|(index, range)| self.owns(index, &range)));
        self.blocks.bytes_mut()
    }

    /// Whether the bytes `range` of the payload lie in the block of a live
    /// object.
    fn owns(&self, index: u32, range: &Range<usize>) -> bool {
        let block = self.slots.get(index).map_or(0..0, |slot| slot.block().range());
        let bytes = block.start.saturating_mul(8)..block.end.saturating_mul(8);
        range.is_empty() || bytes.start <= range.start && range.end <= bytes.end
    }
}
