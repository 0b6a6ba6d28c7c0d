//! A table in an image: its entries, without anything that depends on a seed of hashes. Those
//! that a VM gives do not, and cannot be computed: they are in it.

use super::Table;
use super::layout::{COUNTS, HEADER, NEXT, start};
use crate::arena::{NotWritten, Sink};
use crate::words::to_usize;

/// Where linking entries to a new index stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// All entries are linked.
    Done,
    /// At the entry at a position, as there is an entry of the same hash before it.
    SameHash(u32),
    /// No bucket was free for an entry.
    NoBucket,
}

impl Table<&[u64]> {
    /// Writes the words of the table: counts, used entries, sequence numbers; zeros in place
    /// of hashes and index. Returns the number of words.
    pub(crate) fn save(&self, sink: &mut Sink<'_>) -> Result<usize, NotWritten> {
        if self.words.is_empty() {
            return Ok(0);
        }
        let layout = self.layout();
        sink.words(&[self.header(COUNTS), self.header(NEXT), 0])?;
        let first = to_usize(HEADER);
        let end = first.saturating_add(to_usize(self.used).saturating_mul(self.stride));
        sink.words(self.words.get(first..end).unwrap_or_default())?;
        let end = if self.is_own() { self.save_hashes(sink, end)? } else { end };
        if !layout.sequenced {
            return Ok(end);
        }
        let numbers = layout.sequence();
        let end_numbers = numbers.saturating_add(to_usize(self.used));
        sink.zeros(numbers.saturating_sub(end))?;
        sink.words(self.words.get(numbers..end_numbers).unwrap_or_default())?;
        Ok(end_numbers)
    }

    /// Writes the hashes of the entries, zeros before them from word `end` on, and for holes.
    /// Returns where they end.
    fn save_hashes(&self, sink: &mut Sink<'_>, end: usize) -> Result<usize, NotWritten> {
        let first = self.layout().hashes();
        sink.zeros(first.saturating_sub(end))?;
        let hash = |position| self.entry(position).map_or(0, |_| self.hash(position));
        for position in (0..self.used).step_by(2) {
            let next = position.wrapping_add(1);
            let second = if next < self.used { hash(next) } else { 0 };
            sink.words(&[bytemuck::cast([hash(position), second])])?;
        }
        Ok(first.saturating_add(to_usize(self.used.div_ceil(2))))
    }
}

impl Table<&mut [u64]> {
    /// Stores hashes of the entries from `position` on.
    pub(crate) fn set_hashes(&mut self, position: u32, hashes: &[u32]) {
        let first = self.read().layout().hashes();
        for (n, &hash) in (to_usize(position)..).zip(hashes) {
            self.put_half(first, n, hash);
        }
    }

    /// Frees all buckets of an index by hash, to link the entries anew.
    pub(crate) fn restart(&mut self) {
        let (layout, counts) = (self.read().layout(), self.read().header(COUNTS));
        let (len, next) = (self.read().len(), self.read().header(NEXT));
        start(self.words, layout, len, next);
        // With the flags that are none of the layout.
        self.put(COUNTS, counts);
    }

    /// Links the entries from `position` on to the index, up to one that may be there twice.
    /// O(entries), and for each at most as many groups as a look-up visits.
    pub(crate) fn link_from(&mut self, position: u32) -> Halt {
        for position in position..self.used {
            let table = self.read();
            if table.entry(position).is_none() {
                continue;
            }
            let hash = table.hash(position);
            match table.probe(hash, |other| table.hash(other) == hash) {
                Ok(_) => return Halt::SameHash(position),
                Err(usize::MAX) => return Halt::NoBucket,
                Err(bucket) => self.link(self.index_start(), bucket, hash, position),
            }
        }
        Halt::Done
    }

    /// The first word of the index.
    fn index_start(&self) -> usize {
        self.read().layout().index()
    }

    /// Links all entries of a table whose hashes a VM gives, unless some entry gets no bucket:
    /// then none is found by its bucket. Keys are not compared: only the VM can. O(entries).
    pub(crate) fn link_own(&mut self) {
        self.restart();
        let mut are_linked = true;
        for position in 0..self.used {
            if self.read().entry(position).is_none() {
                continue;
            }
            let hash = self.read().hash(position);
            match self.read().vacancy(hash) {
                usize::MAX => are_linked = false,
                bucket => self.link(self.index_start(), bucket, hash, position),
            }
        }
        self.set_own(are_linked);
    }

    /// Links the entry at a position to the first free bucket of its hash; returns whether
    /// there is one.
    pub(crate) fn link_twin(&mut self, position: u32) -> bool {
        let hash = self.read().hash(position);
        let bucket = self.read().vacancy(hash);
        if bucket != usize::MAX {
            self.link(self.index_start(), bucket, hash, position);
        }
        bucket != usize::MAX
    }
}
