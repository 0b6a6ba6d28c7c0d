//! Capacity of the memory of an arena ahead of its growth.

use super::Memory;
use crate::arena::Account;

impl Memory {
    /// Reserves capacity for `words` words in all, no more. Returns whether there is: nothing
    /// has changed if not, and nothing counts as refused.
    pub(in crate::arena) fn reserve(&mut self, account: &mut Account, words: usize) -> bool {
        account.reserve_exact(&mut self.words, words)
    }
}
