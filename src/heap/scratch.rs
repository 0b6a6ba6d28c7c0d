//! Scratch memory of a heap, lent to one operation at a time.

use bumpalo::Bump;

use super::Heap;
use crate::arena::{Account, Scratch, ScratchCharge};
use crate::words::Result;

/// The scratch memory, and what of it stands on the account.
#[derive(Debug, Default)]
pub(crate) struct ScratchPool {
    scratch: Scratch,
    bytes: usize,
}

impl ScratchPool {
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frees the memory.
    pub(super) fn trim(&mut self, account: &mut Account) {
        account.replace(self.bytes, 0);
        *self = ScratchPool::default();
    }
}

/// Scratch memory in use by an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScratchSpace<'b> {
    pub(crate) bump: &'b Bump,
    /// Bytes it had before the operation.
    warm: usize,
}

impl ScratchSpace<'_> {
    /// Counts what the operation has taken so far, before arenas grow out of the
    /// same account.
    pub(crate) fn charge(self, account: &mut Account) {
        account.charge(self.bump, self.warm, false);
    }

    /// As [`ScratchSpace::charge`], for an operation that runs code of the VM
    /// while it holds cells that the VM cannot name.
    pub(crate) fn charge_sort(self, account: &mut Account) {
        account.charge(self.bump, self.warm, true);
    }
}

impl Heap {
    /// Runs `work` with the heap and its scratch memory. Calls may nest.
    pub(crate) fn with_scratch<T>(
        &mut self,
        work: impl FnOnce(&mut Heap, ScratchSpace<'_>) -> Result<T>,
    ) -> Result<T> {
        let pool = core::mem::take(&mut self.scratch);
        let charge = self.store.account_mut().begin_charge();
        let warm = pool.bytes;
        let mut guard = ScratchGuard { heap: self, pool, charge };
        let bump = guard.pool.scratch.start(guard.heap.store.account_mut())?;
        work(guard.heap, ScratchSpace { bump, warm })
    }
}

/// Puts scratch memory back, also where the host's code ends by a panic.
struct ScratchGuard<'h> {
    heap: &'h mut Heap,
    pool: ScratchPool,
    charge: ScratchCharge,
}

impl Drop for ScratchGuard<'_> {
    fn drop(&mut self) {
        let ScratchGuard { heap, pool, charge } = self;
        let account = heap.store.account_mut();
        account.end_charge(*charge);
        pool.scratch.reset();
        // A nested call has left memory of its own: the larger is kept.
        let bytes = pool.scratch.bytes();
        if bytes > heap.scratch.bytes {
            account.replace(heap.scratch.bytes, 0);
            account.replace(pool.bytes, bytes);
            heap.scratch = ScratchPool { scratch: core::mem::take(&mut pool.scratch), bytes };
        } else {
            account.replace(pool.bytes, 0);
        }
    }
}
