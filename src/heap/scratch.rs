//! Scratch memory of a heap, for one operation at a time. A warm heap requests none from
//! the global allocator, unless an operation needs much.

use bumpalo::Bump;

use super::Heap;
use crate::arena::{Account, Scratch, ScratchCharge, Seen};
use crate::words::Result;

/// The most bytes that are kept between operations. An operation that needs more takes
/// so long that requests to the global allocator do not matter.
const KEPT_MAX: usize = 256 << 10;

/// Scratch memory between operations, and its bytes on the account.
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

/// Scratch memory while an operation uses it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScratchSpace<'b> {
    pub(crate) bump: &'b Bump,
    /// Its bytes before the operation, which the account counts already.
    warm: usize,
    seed: u64,
}

impl<'b> ScratchSpace<'b> {
    /// An empty hash table.
    pub(crate) fn seen(self) -> Seen<'b> {
        Seen::new_in(self.bump, self.seed)
    }

    /// Puts what the operation has taken so far on the account, before arenas grow.
    pub(crate) fn charge(self, account: &mut Account) {
        account.charge(self.bump, self.warm, false);
    }

    /// [`ScratchSpace::charge`] for an operation that runs code of the VM while it
    /// holds cells that are no roots of the VM.
    pub(crate) fn charge_sort(self, account: &mut Account) {
        account.charge(self.bump, self.warm, true);
    }
}

impl Heap {
    /// Runs `work` with the heap and its scratch memory. Calls may nest: the inner one
    /// finds an empty pool.
    pub(crate) fn with_scratch<T>(
        &mut self,
        work: impl FnOnce(&mut Heap, ScratchSpace<'_>) -> Result<T>,
    ) -> Result<T> {
        let pool = core::mem::take(&mut self.scratch);
        let charge = self.store.account_mut().begin_charge();
        let (warm, seed) = (pool.bytes, self.roots.index_seed());
        let mut guard = ScratchGuard { heap: self, pool, charge };
        let bump = guard.pool.scratch.start(guard.heap.store.account_mut())?;
        work(guard.heap, ScratchSpace { bump, warm, seed })
    }
}

/// Puts scratch memory back into the pool, also when code of the host unwinds.
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
        // A nested call may have left memory of its own: keep the larger one.
        let bytes = pool.scratch.bytes();
        if bytes > heap.scratch.bytes && bytes <= KEPT_MAX {
            account.replace(heap.scratch.bytes, 0);
            account.replace(pool.bytes, bytes);
            heap.scratch = ScratchPool { scratch: core::mem::take(&mut pool.scratch), bytes };
        } else {
            account.replace(pool.bytes, 0);
        }
    }
}
