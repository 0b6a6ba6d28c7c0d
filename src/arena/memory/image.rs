//! The memory of an arena from an image.

use super::{Memory, PAGE_WORDS};
use crate::arena::Account;
use crate::arena::image::{CHUNK_WORDS, Source, Unloadable};

impl Memory {
    /// Fills an empty memory: `start` zeros, the words of the image up to `end`, zeros to the
    /// end of the page. It grows with the words that have come.
    pub(in crate::arena) fn fill_from(
        &mut self,
        account: &mut Account,
        source: &mut Source<'_>,
        start: usize,
        end: usize,
    ) -> Result<(), Unloadable> {
        account.reserve(&mut self.words, start)?;
        self.words.resize(start, 0);
        while self.words.len() < end {
            let filled = self.words.len();
            let len = filled.saturating_add(CHUNK_WORDS).min(end);
            account.reserve(&mut self.words, len)?;
            self.words.resize(len, 0);
            let part = self.words.get_mut(filled..).unwrap_or_default();
            source.bytes(bytemuck::cast_slice_mut(part))?;
        }
        let pages = end.div_ceil(PAGE_WORDS);
        let words = pages.saturating_mul(PAGE_WORDS);
        account.reserve(&mut self.words, words)?;
        self.words.resize(words, 0);
        account.shrink(&mut self.words, words);
        self.pages = u32::try_from(pages).unwrap_or(u32::MAX);
        Ok(())
    }
}
