//! The blocks of an arena from an image: one after the other, without gaps.

use super::{Blocks, START, class_of, pages_for};
use crate::arena::Resources;
use crate::arena::image::{Source, Unloadable};
use crate::words::{Kind, to_usize};

impl Blocks {
    /// Places a block of `cap` words after those before it, in memory that is loaded later.
    /// Returns its offset.
    ///
    /// # Errors
    /// A description of what is wrong with its size.
    pub(in crate::arena) fn place(
        &mut self,
        cap: u32,
        may_be_cut: bool,
    ) -> Result<u32, &'static str> {
        if cap == 0 {
            return Ok(0);
        }
        if class_of(cap).words != cap && !may_be_cut {
            return Err("a block is of no size class");
        }
        let off = self.top;
        self.top = off.checked_add(cap).ok_or("the blocks are larger than an arena")?;
        self.used = self.used.wrapping_add(cap);
        Ok(off)
    }

    /// Loads the memory of the blocks that were placed; `check` sees all words of it.
    pub(in crate::arena) fn load(
        &mut self,
        resources: &mut Resources,
        kind: Kind,
        source: &mut Source<'_>,
        check: impl FnMut(&[u64]),
    ) -> Result<(), Unloadable> {
        if self.used == 0 {
            return Ok(());
        }
        resources.account.check_pages(kind, pages_for(kind, self.top())?)?;
        let words = START..to_usize(self.top);
        let filled = self.memory.fill_from(&mut resources.account, source, words, check);
        self.open();
        filled
    }
}
