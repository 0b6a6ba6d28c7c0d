//! The memory of an arena from an image.

use core::ops::Range;

use super::{Memory, PAGE_WORDS};
use crate::arena::Account;
use crate::arena::image::{Source, Unloadable};

impl Memory {
    /// Fills an empty memory: zeros before the range, the words of the image in it, which
    /// `check` sees, zeros to the end of the page. It grows with the words that have come.
    pub(in crate::arena) fn fill_from(
        &mut self,
        account: &mut Account,
        source: &mut Source<'_>,
        range: Range<usize>,
        mut check: impl FnMut(&[u64]),
    ) -> Result<(), Unloadable> {
        let Range { start, end } = range;
        account.reserve(&mut self.words, start)?;
        self.words.resize(start, 0);
        while self.words.len() < end {
            let part = source.part(end.saturating_sub(self.words.len()))?;
            let len = self.words.len().saturating_add(part.len());
            account.reserve(&mut self.words, len)?;
            check(part);
            self.words.extend_from_slice(part);
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
