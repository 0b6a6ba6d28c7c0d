//! [`Pacer`]: when a collection is due.

use crate::arena::{Account, Tally};
use crate::words::Policy;

/// Decides when the next collection is due.
#[derive(Debug)]
pub(crate) struct Pacer {
    policy: Policy,
    /// Bytes allocated since the last collection that trigger the next one.
    trigger: u64,
    /// The same, while a limit is near.
    trigger_near_limit: u64,
}

impl Pacer {
    pub(super) const fn new() -> Pacer {
        let policy = Policy::DEFAULT;
        Pacer { policy, trigger: policy.bytes_min, trigger_near_limit: 0 }
    }

    #[inline]
    pub(crate) const fn policy(&self) -> Policy {
        self.policy
    }

    pub(crate) const fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.trigger = policy.bytes_min;
    }

    /// Whether a collection is due after the allocations of `tally`.
    #[inline]
    pub(crate) fn is_due(&self, tally: &Tally, account: &Account) -> bool {
        tally.bytes >= self.trigger
            || account.pressure().near_limit && self.is_due_near_limit(tally, account)
            || self.policy.stress > 0 && tally.objects >= self.policy.stress
    }

    #[cold]
    fn is_due_near_limit(&self, tally: &Tally, account: &Account) -> bool {
        account.pressure().refused || tally.bytes >= self.trigger_near_limit
    }

    /// Sets the triggers after a collection that left `live_bytes`.
    pub(crate) fn restart(&mut self, live_bytes: u64) {
        let growth = (live_bytes / 100).saturating_mul(u64::from(self.policy.growth_percent));
        self.trigger = growth.max(self.policy.bytes_min);
        self.trigger_near_limit = live_bytes / 32;
    }
}
