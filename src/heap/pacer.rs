//! [`Pacer`]: when a collection is due.

use crate::arena::{Account, Tally};
use crate::words::Policy;

/// The bytes marked or swept for each byte allocated.
const SPEED: u64 = 8;
/// The same, while a limit is near.
const SPEED_NEAR_LIMIT: u64 = 32;

/// Decides when the next collection is due.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    policy: Policy,
    /// Bytes allocated since the last collection that trigger the next one.
    trigger: u64,
    /// The same, while a limit is near.
    trigger_near_limit: u64,
    /// Refusals that trigger it if nothing was allocated since the last collection.
    refusals: u32,
    /// Bytes allocated between the last collection of the whole heap and the last young
    /// collection or step, without those that young collections freed.
    before: u64,
    /// What [`Store::footprint`](super::Store::footprint) was after the last collection of
    /// the whole heap.
    live: u64,
    /// Bytes allocated since the last collection of the whole heap from which on a cycle is
    /// late.
    late: u64,
}

impl Pacer {
    pub(super) const fn new() -> Pacer {
        let policy = Policy::DEFAULT;
        Pacer {
            policy,
            trigger: policy.bytes_min,
            trigger_near_limit: 1,
            refusals: 1,
            before: 0,
            live: 0,
            late: 0,
        }
    }

    #[inline]
    pub(crate) const fn policy(&self) -> Policy {
        self.policy
    }

    pub(crate) fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.trigger = policy.bytes_min.max(1);
    }

    /// Whether a collection is due after the allocations of `tally`.
    #[inline]
    pub(crate) fn is_due(&self, tally: &Tally, account: &Account) -> bool {
        self.allocated(tally) >= self.trigger
            || self.is_urgent(tally, account)
            || self.is_stressed(tally)
    }

    /// The bytes allocated since the last collection of the whole heap, without those that
    /// young collections freed.
    const fn allocated(&self, tally: &Tally) -> u64 {
        self.before.saturating_add(tally.bytes)
    }

    /// Whether a limit is near, and a collection of the whole heap due for that.
    fn is_urgent(&self, tally: &Tally, account: &Account) -> bool {
        account.pressure().near_limit && self.is_due_near_limit(tally, account)
    }

    /// Whether a limit has refused something, and a collection of the whole heap is due for
    /// that: at once, as the program waits for memory.
    pub(crate) fn is_refused(&self, tally: &Tally, account: &Account) -> bool {
        account.pressure().near_limit && self.is_due_for_refusals(tally, account)
    }

    /// Whether a young collection is due by the allocations since the last one.
    pub(crate) const fn is_young_due(&self, tally: &Tally) -> bool {
        self.policy.young_bytes > 0 && tally.bytes >= self.policy.young_bytes
    }

    /// Whether a cycle is due, or a collection of the whole heap in its place. With young
    /// collections, only what these left counts.
    pub(crate) fn is_cycle_due(&self, tally: &Tally, account: &Account) -> bool {
        let young = self.policy.young_bytes > 0;
        let grown = if young { self.before } else { self.allocated(tally) };
        grown >= self.trigger || self.is_urgent(tally, account) || self.is_stressed(tally)
    }

    /// Whether a step of a cycle is due by the allocations since the last one, or its end.
    pub(crate) fn is_step_due(&self, tally: &Tally, account: &Account) -> bool {
        tally.bytes >= self.policy.step_bytes
            || self.is_late(tally)
            || self.is_refused(tally, account)
            || self.is_stressed(tally)
    }

    /// Whether a collection is due by [`Policy::stress`].
    const fn is_stressed(&self, tally: &Tally) -> bool {
        self.policy.stress > 0 && tally.objects >= self.policy.stress
    }

    /// The bytes that a step marks or sweeps for each byte allocated.
    pub(crate) const fn speed(account: &Account) -> u64 {
        if account.pressure().near_limit { SPEED_NEAR_LIMIT } else { SPEED }
    }

    /// A cycle begins, with so many bytes in use: it is late once as many were allocated.
    pub(crate) const fn begin_cycle(&mut self, tally: &Tally, in_use: u64) {
        /// Below this, a cycle is late for no other reason than that the heap is small.
        const LATE_MIN: u64 = 4 << 20;
        let more = if in_use > LATE_MIN { in_use } else { LATE_MIN };
        self.late = self.allocated(tally).saturating_add(more);
    }

    /// Whether so much was allocated since a cycle began that it has to end at once.
    pub(crate) const fn is_late(&self, tally: &Tally) -> bool {
        self.allocated(tally) >= self.late
    }

    /// Counts the allocations before a step, which resets the tally.
    pub(crate) const fn note_step(&mut self, tally: &Tally) {
        self.before = self.allocated(tally);
    }

    /// Counts what is left of the allocations after a young collection, which resets the
    /// tally.
    pub(crate) const fn note_young(&mut self, footprint: u64) {
        self.before = footprint.saturating_sub(self.live);
    }

    #[cold]
    fn is_due_near_limit(&self, tally: &Tally, account: &Account) -> bool {
        self.allocated(tally) >= self.trigger_near_limit || self.is_due_for_refusals(tally, account)
    }

    #[cold]
    fn is_due_for_refusals(&self, tally: &Tally, account: &Account) -> bool {
        let refusals = account.pressure().refusals;
        refusals >= self.refusals || refusals > 0 && tally.bytes > 0
    }

    /// Sets the triggers after a collection that left `live_bytes`, and `changed`
    /// anything. At least `swept` bytes are allocated before the next one, unless a limit
    /// is near.
    pub(crate) fn restart(
        &mut self,
        (live_bytes, footprint): (u64, u64),
        swept: u64,
        changed: bool,
    ) {
        let growth = (live_bytes / 100).saturating_mul(u64::from(self.policy.growth_percent));
        // At least one byte: nothing to collect makes no collection due.
        self.trigger = growth.max(self.policy.bytes_min).max(swept).max(1);
        self.live = footprint;
        self.trigger_near_limit = (live_bytes / 32).max(1);
        self.before = 0;
        // A collection without an effect would be repeated for each refusal.
        self.refusals = if changed { 1 } else { self.refusals.saturating_mul(16) };
    }
}

const _: () = assert!(SPEED > 1, "a cycle ends before as much as is live was allocated");
