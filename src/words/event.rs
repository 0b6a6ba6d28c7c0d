//! [`Event`]: what a heap reports of its own work.

use core::time::Duration;

use super::error::Resource;
use super::kind::Kind;

/// Something that a heap has done besides what it was asked for; returned by
/// [`Heap::drain_events`](crate::Heap::drain_events).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The time since [`Heap::record_events`](crate::Heap::record_events); zero where there is
    /// no clock.
    pub at: Duration,
    /// What was done.
    pub kind: EventKind,
}

/// What an [`Event`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A collection begins, or a step of one.
    CollectionBegin {
        /// Which one.
        collection: Collection,
    },
    /// It has ended.
    CollectionEnd {
        /// Which one.
        collection: Collection,
        /// Objects freed, host objects and seals included.
        freed: u64,
        /// The work, as in [`Step::work`](crate::Step::work).
        work: u64,
        /// Bytes in use by live objects afterwards.
        live_bytes: u64,
    },
    /// The memory of an arena has grown.
    MemoryGrow {
        /// The kind whose objects the arena holds.
        arena: Kind,
        /// Its pages of 64 KiB before.
        from: u64,
        /// Its pages now.
        to: u64,
    },
    /// An operation has failed, and what the memory of an arena had grown by for it was given
    /// back.
    MemoryShrink {
        /// The kind whose objects the arena holds.
        arena: Kind,
        /// Its pages of 64 KiB before.
        from: u64,
        /// Its pages now.
        to: u64,
    },
    /// The memory of an arena was compacted.
    Compaction {
        /// The kind whose objects the arena holds.
        arena: Kind,
        /// Its pages of 64 KiB before.
        from: u64,
        /// Its pages now.
        to: u64,
    },
    /// Seven eighths of a limit are in use, for the first time since the last collection.
    NearLimit {
        /// What the limit bounds.
        resource: Resource,
    },
    /// A limit has refused a growth.
    Refusal {
        /// What the limit bounds.
        resource: Resource,
    },
}

/// A way to collect, in [`EventKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Collection {
    /// The whole heap at once: [`Heap::collect`](crate::Heap::collect).
    Whole,
    /// Young objects: [`Heap::collect_young`](crate::Heap::collect_young).
    Young,
    /// A step of a collection of the whole heap: [`Heap::step`](crate::Heap::step).
    Step,
}
