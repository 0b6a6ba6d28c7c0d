//! Scratch memory of a heap, for one operation at a time. A warm heap requests none from
//! the global allocator, unless an operation needs much.

use bumpalo::Bump;

use super::Heap;
use crate::arena::{Account, Scratch, ScratchCharge, Seen};
use crate::words::{Error, Resource, Result};

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
    /// Whether it may grow: not if a failure is injected.
    grows: bool,
    seed: u64,
}

impl<'b> ScratchSpace<'b> {
    /// An empty hash table.
    pub(crate) fn seen(self) -> Seen<'b> {
        Seen::new_in(self.bump, self.seed)
    }

    /// Puts what the operation has taken so far on the account, before arenas grow. The
    /// memory does not grow from here on.
    pub(crate) fn charge(self, account: &mut Account) {
        account.charge(self.bump, self.warm, false);
    }

    /// Lets the memory grow again, by what arenas have left, until it is charged.
    pub(crate) fn let_grow(self, account: &mut Account) {
        account.let_grow(self.bump, self.grows);
    }

    /// [`ScratchSpace::charge`] for an operation that runs code of the VM while it
    /// holds cells that are no roots of the VM.
    pub(crate) fn charge_callback(self, account: &mut Account) {
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
        let seed = self.roots.index_seed();
        let mut guard = ScratchGuard { heap: self, pool, charge };
        let account = guard.heap.store.account_mut();
        guard.pool.scratch.start(account)?;
        guard.pool.bytes = guard.pool.scratch.bytes();
        let (grows, refusals) = (!account.injects_failure(), account.pressure().refusals);
        let bump = guard.pool.scratch.bump()?;
        let warm = bump.allocated_bytes_including_metadata();
        let space = ScratchSpace { bump, warm, grows, seed };
        space.let_grow(account);
        let result = work(guard.heap, space);
        let account = guard.heap.store.account_mut();
        let refused = grows && matches!(result, Err(Error::Limit(Resource::Bytes)));
        if refused && account.pressure().refusals == refusals {
            account.note_refusal(Resource::Bytes, 0);
        }
        result
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
