//! Where the words of a memory lie, for compiled code.

use super::Memory;

impl Memory {
    /// The address of the words, for reads.
    pub(crate) fn as_ptr(&self) -> *const u64 {
        self.words.as_ptr()
    }

    /// The address of the words, for writes as well.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u64 {
        self.words.as_mut_ptr()
    }
}
