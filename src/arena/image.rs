//! The words of an image on their way out and in, and the part of one arena in them: its
//! slots, then the blocks of its live objects in the order of the slots, one after the
//! other. Where a block lies follows from the sizes of those before it, so that no image
//! can make blocks overlap.

use super::inspect::verify_flags;
use super::{Arena, Resources};
use crate::words::{Cell, Error, Shape};

/// The words that are written at a time, unless an object has more, and read at a time: few
/// enough to be in the nearest cache until they are checked and stored.
const BUFFER: usize = 2048;

/// What receives the bytes of an image refused them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotWritten;

/// Words on their way to what stores them.
pub(crate) struct Sink<'w> {
    /// Returns whether it has taken the bytes.
    write: &'w mut dyn FnMut(&[u8]) -> bool,
    buffer: [u64; BUFFER],
    len: usize,
}

impl<'w> Sink<'w> {
    pub(crate) fn new(write: &'w mut dyn FnMut(&[u8]) -> bool) -> Sink<'w> {
        Sink { write, buffer: [0; BUFFER], len: 0 }
    }

    /// Passes the words in the buffer on.
    pub(crate) fn flush(&mut self) -> Result<(), NotWritten> {
        let words = self.buffer.get(..core::mem::take(&mut self.len)).unwrap_or_default();
        let written = words.is_empty() || (self.write)(bytemuck::cast_slice(words));
        if written { Ok(()) } else { Err(NotWritten) }
    }

    /// The next `len` words of the buffer, to be written; `None` if it cannot hold them.
    #[inline(always)]
    fn room(&mut self, len: usize) -> Result<Option<&mut [u64]>, NotWritten> {
        if self.len.saturating_add(len) > BUFFER {
            self.flush()?;
        }
        let start = self.len;
        let room = self.buffer.get_mut(start..start.saturating_add(len));
        self.len = if room.is_some() { start.saturating_add(len) } else { start };
        Ok(room)
    }

    #[inline(always)]
    pub(crate) fn words(&mut self, words: &[u64]) -> Result<(), NotWritten> {
        if let Some(room) = self.room(words.len())? {
            crate::words::copy(room, words);
            return Ok(());
        }
        if (self.write)(bytemuck::cast_slice(words)) { Ok(()) } else { Err(NotWritten) }
    }

    /// Writes `len` zeros.
    #[inline(always)]
    pub(crate) fn zeros(&mut self, mut len: usize) -> Result<(), NotWritten> {
        while len > 0 {
            let part = len.min(BUFFER);
            if let Some(room) = self.room(part)? {
                room.fill(0);
            }
            len = len.saturating_sub(part);
        }
        Ok(())
    }
}

/// Why a part of an image cannot be loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unloadable {
    /// What the bytes come from has no more of them.
    NotRead,
    /// A limit or the allocator refuses the memory.
    Heap(Error),
    /// The image is broken: the slot, if the fault has one, and a description.
    Broken(Option<u32>, &'static str),
}

impl From<Error> for Unloadable {
    fn from(error: Error) -> Unloadable {
        Unloadable::Heap(error)
    }
}

impl From<(Option<u32>, &'static str)> for Unloadable {
    fn from((slot, what): (Option<u32>, &'static str)) -> Unloadable {
        Unloadable::Broken(slot, what)
    }
}

/// Words on their way from what has stored them.
pub(crate) struct Source<'r> {
    /// Fills the bytes, and returns whether it has.
    read: &'r mut dyn FnMut(&mut [u8]) -> bool,
    buffer: [u64; BUFFER],
}

impl<'r> Source<'r> {
    pub(crate) fn new(read: &'r mut dyn FnMut(&mut [u8]) -> bool) -> Source<'r> {
        Source { read, buffer: [0; BUFFER] }
    }

    /// The next words: `len` of them, or as many as are read at a time, which is an even
    /// number. So memory is reserved for words that have come.
    pub(crate) fn part(&mut self, len: usize) -> Result<&[u64], Unloadable> {
        let part = self.buffer.get_mut(..len.min(BUFFER)).unwrap_or_default();
        if (self.read)(bytemuck::cast_slice_mut(part)) {
            Ok(part)
        } else {
            Err(Unloadable::NotRead)
        }
    }

    /// The next `N` words, which are few.
    pub(crate) fn words<const N: usize>(&mut self) -> Result<[u64; N], Unloadable> {
        const { assert!(N <= BUFFER) };
        self.part(N).map(|words| core::array::from_fn(|n| words.get(n).copied().unwrap_or(0)))
    }
}

/// What the objects of an arena that was read need to be checked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loaded {
    /// Whether some are values.
    pub(crate) has_values: bool,
    /// Whether elements need no check object by object, as any of the words may be one.
    pub(crate) are_elements: bool,
}

impl<const BITS: u32> Arena<BITS> {
    /// Whether a handle of this arena was returned: no object that is allocated later has it.
    pub(crate) fn is_known(&self, handle: Cell) -> bool {
        self.slots.is_known(handle)
    }

    /// Writes the slots.
    pub(crate) fn save_slots(&self, sink: &mut Sink<'_>) -> Result<(), NotWritten> {
        self.slots.save(sink, |slot| self.apart(slot))
    }

    /// Reads the slots, and the memory of an empty arena. What objects hold is not checked yet,
    /// but words are as they come: `are_elements` is asked whether any object may have them as
    /// elements. O(slots + payload).
    ///
    /// # Errors
    /// After one, the arena is left in no state to be used.
    pub(crate) fn load(
        &mut self,
        resources: &mut Resources,
        source: &mut Source<'_>,
        are_elements: impl Fn(&Shape, &[u64]) -> bool,
    ) -> Result<Loaded, Unloadable> {
        let (kind, shape, blocks) = (self.slots.kind(), self.shape, &mut self.blocks);
        let mut has_values = false;
        self.slots.load(resources, source, |slot| {
            if !shape.fits(slot.len, slot.room) {
                return Err("the object does not fit into its block");
            }
            if slot.is_shared() {
                return Err("an object of an image shares its block");
            }
            verify_flags(kind, shape, *slot)?;
            has_values |= slot.is_value();
            slot.off = blocks.place(slot.cap(), shape.can_be_cut())?;
            Ok(())
        })?;
        let mut all = true;
        self.blocks.load(resources, kind, source, |words| {
            all = all && are_elements(shape, words);
        })?;
        resources.reserve_bits(self.memory().words().len())?;
        Ok(Loaded { has_values, are_elements: all })
    }
}
